//! Listpack: a sequence of short byte strings in one allocation, byte for byte as Redis has it, so
//! that payloads are copied instead of converted.
//!
//! ```text
//! bytes in all 4 | elements 2, 65535 if not known | entries | 0xff
//! ```
//!
//! Used by the small encodings of all types but strings, and by the nodes of big lists and streams.
//! Finding anything takes time in proportion to the length: the owner decides how much that may be.
//! Must never hold bytes that were not validated, as reading trusts them: [`Listpack::from_bytes`]
//! is the only way in for those of others.

mod entry;
mod unique;

#[cfg(test)]
mod tests;

use entry::{END, NewEntry};
pub use entry::{Element, Needle};

use super::thin::{LISTPACK_MARK, ThinBytes, WORD};

const HEADER_BYTES: usize = 6;
/// The number of elements that stands for one which the header has no room for.
const LEN_UNKNOWN: u16 = u16::MAX;
/// No listpack should grow longer (Redis: LISTPACK_MAX_SAFETY_SIZE).
const BYTES_MAX: usize = 1 << 30;

/// Bytes are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Where an element is: the offset of its entry. Valid until the listpack changes before it, or
/// loses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(usize);

impl Cursor {
    /// The element behind this one.
    #[inline]
    pub fn next(self, listpack: &Listpack) -> Option<Cursor> {
        listpack.existing(self.0 + listpack.entry_len(self))
    }

    /// The element before this one.
    pub fn prev(self, listpack: &Listpack) -> Option<Cursor> {
        listpack.before(self.0)
    }

    /// The element `steps` behind this one.
    pub fn skip(self, listpack: &Listpack, steps: usize) -> Option<Cursor> {
        (0..steps).try_fold(self, |cursor, _| cursor.next(listpack))
    }
}

/// A sequence of byte strings in one allocation.
///
/// Invariant: the bytes are valid, and the header tells their number.
#[derive(Clone, PartialEq, Eq)]
#[repr(transparent)]
pub struct Listpack {
    /// The first word is the number of bytes here as well as in Redis.
    bytes: ThinBytes<LISTPACK_MARK>,
}

impl Listpack {
    /// One without elements.
    pub fn new() -> Self {
        Listpack { bytes: ThinBytes::new(&[0, 0, END]) }
    }

    /// The listpack that these bytes are, after a look at every one of its entries. It may be
    /// empty.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let (len, announced) = Self::count_entries(bytes).ok_or(Invalid)?;
        if announced != LEN_UNKNOWN && usize::from(announced) != len {
            return Err(Invalid);
        }
        if bytes.len() > ThinBytes::<LISTPACK_MARK>::LEN_MAX {
            return Err(Invalid);
        }
        Ok(Listpack { bytes: ThinBytes::new(&bytes[WORD..]) })
    }

    /// The number of entries, and what the header says of it; `None` if anything is not right.
    fn count_entries(bytes: &[u8]) -> Option<(usize, u16)> {
        let (header, mut rest) = bytes.split_first_chunk::<HEADER_BYTES>()?;
        let [a, b, c, d, low, high] = *header;
        if u32::from_le_bytes([a, b, c, d]) as usize != bytes.len() {
            return None;
        }
        let mut len = 0;
        while rest.first() != Some(&END) {
            rest = &rest[entry::checked_len(rest)?..];
            len += 1;
        }
        (rest.len() == 1).then_some((len, u16::from_le_bytes([low, high])))
    }

    /// The bytes, as Redis stores them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.as_slice()
    }

    /// How many bytes there are, header and end included.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.bytes.size()
    }

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }

    /// How many elements there are. With 65535 and more of them they are counted.
    pub fn len(&self) -> usize {
        match self.announced() {
            LEN_UNKNOWN => self.iter().count(),
            len => len.into(),
        }
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.bytes.size() == HEADER_BYTES + 1
    }

    /// Whether so many bytes more keep it within the size that no listpack should exceed.
    pub fn would_fit(&self, more: usize) -> bool {
        self.bytes.size().saturating_add(more) <= BYTES_MAX
    }

    /// Bytes that an element takes.
    pub fn entry_bytes(element: &[u8]) -> usize {
        NewEntry::new(element).len()
    }

    // ---- finding

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<Cursor> {
        self.existing(HEADER_BYTES)
    }

    /// The last element.
    pub fn last(&self) -> Option<Cursor> {
        self.before(self.end())
    }

    /// The element at an index; a negative one counts from the end, -1 being the last.
    pub fn get(&self, index: isize) -> Option<Cursor> {
        let announced = self.announced();
        let Ok(forward) = usize::try_from(index) else {
            let back = index.unsigned_abs() - 1;
            let from_front = match announced {
                LEN_UNKNOWN => None,
                len => Some(usize::from(len).checked_sub(back + 1)?),
            };
            return match from_front {
                Some(forward) if forward < back => self.first()?.skip(self, forward),
                _ => (0..back).try_fold(self.last()?, |cursor, _| cursor.prev(self)),
            };
        };
        if announced != LEN_UNKNOWN {
            let back = usize::from(announced).checked_sub(forward.checked_add(1)?)?;
            if back < forward {
                return (0..back).try_fold(self.last()?, |cursor, _| cursor.prev(self));
            }
        }
        self.first()?.skip(self, forward)
    }

    /// The element at a cursor.
    #[inline]
    pub fn at(&self, cursor: Cursor) -> Element<'_> {
        entry::read(&self.as_bytes()[cursor.0..]).0
    }

    /// The first element that these bytes are, of those that are looked at: after each, `skip` are
    /// passed over.
    pub fn find(&self, bytes: &[u8], skip: usize) -> Option<Cursor> {
        self.find_from(self.first()?, bytes, skip)
    }

    /// As [`Listpack::find`], looking at the element of the cursor first.
    pub fn find_from(&self, cursor: Cursor, bytes: &[u8], skip: usize) -> Option<Cursor> {
        self.find_needle(cursor, Needle::new(bytes), skip)
    }

    /// As [`Listpack::find_from`], for who seeks the same in many listpacks.
    pub fn find_needle(&self, cursor: Cursor, needle: Needle<'_>, skip: usize) -> Option<Cursor> {
        let entries = self.as_bytes();
        let (mut at, mut skipped) = (cursor.0, skip);
        while entries[at] != END {
            let rest = &entries[at..];
            let (is, len) = needle.is_short(rest).unwrap_or_else(|| {
                let (element, len) = entry::read(rest);
                (needle.is(element), len)
            });
            if skipped == skip {
                if is {
                    return Some(Cursor(at));
                }
                skipped = 0;
            } else {
                skipped += 1;
            }
            at += len;
        }
        None
    }

    /// All elements, from either end.
    pub fn iter(&self) -> Iter<'_> {
        Iter { listpack: self, front: HEADER_BYTES, back: self.end() }
    }

    /// The elements from a cursor on, from either end.
    pub fn iter_from(&self, cursor: Cursor) -> Iter<'_> {
        Iter { listpack: self, front: cursor.0, back: self.end() }
    }

    // ---- changing: the owner asks `would_fit` first

    /// Appends an element.
    pub fn push_back(&mut self, element: &[u8]) {
        self.insert_at(self.end(), element);
    }

    /// Appends elements, as many as `write` does, at the cost of a single append. It is called
    /// twice, and must do the same: the first time tells how much room they take.
    #[inline]
    pub fn append(&mut self, write: impl Fn(&mut Appender<'_>)) {
        let mut sizes = Appender { room: &mut [], at: 0, count: 0 };
        write(&mut sizes);
        let (bytes, end) = (sizes.at, self.end());
        self.bytes.resize_gap(end, 0, bytes);
        let mut entries =
            Appender { room: &mut self.bytes.tail_mut()[end - WORD..][..bytes], at: 0, count: 0 };
        write(&mut entries);
        let count = u16::try_from(entries.count);
        self.announce(count.map_or(LEN_UNKNOWN, |count| self.announced().saturating_add(count)));
    }

    /// Puts an element in front of all others.
    pub fn push_front(&mut self, element: &[u8]) {
        self.insert_at(HEADER_BYTES, element);
    }

    /// Puts an element before the one at the cursor; returns where it is.
    pub fn insert_before(&mut self, cursor: Cursor, element: &[u8]) -> Cursor {
        self.insert_at(cursor.0, element)
    }

    /// Puts an element behind the one at the cursor; returns where it is.
    pub fn insert_after(&mut self, cursor: Cursor, element: &[u8]) -> Cursor {
        self.insert_at(cursor.0 + self.entry_len(cursor), element)
    }

    /// Puts another element in place of the one at the cursor, which stays valid.
    pub fn replace(&mut self, cursor: Cursor, element: &[u8]) {
        let entry = NewEntry::new(element);
        self.bytes.resize_gap(cursor.0, self.entry_len(cursor), entry.len());
        entry.write(&mut self.bytes.tail_mut()[cursor.0 - WORD..][..entry.len()]);
    }

    /// Puts an integer in place of the element at the cursor, which stays valid.
    #[inline]
    pub fn replace_int(&mut self, cursor: Cursor, n: i64) {
        let entry = NewEntry::int(n);
        self.bytes.resize_gap(cursor.0, self.entry_len(cursor), entry.len());
        entry.write(&mut self.bytes.tail_mut()[cursor.0 - WORD..][..entry.len()]);
    }

    /// Removes elements from the cursor on, at most `count`; returns the one that follows them.
    pub fn remove(&mut self, cursor: Cursor, count: usize) -> Option<Cursor> {
        let (mut end, mut removed) = (cursor.0, 0);
        while removed < count && self.as_bytes()[end] != END {
            end += self.entry_len(Cursor(end));
            removed += 1;
        }
        let announced = match self.announced() {
            LEN_UNKNOWN => LEN_UNKNOWN,
            len => len - removed as u16,
        };
        self.bytes.resize_gap(cursor.0, end - cursor.0, 0);
        self.announce(announced);
        self.existing(cursor.0)
    }

    fn insert_at(&mut self, at: usize, element: &[u8]) -> Cursor {
        let entry = NewEntry::new(element);
        self.bytes.resize_gap(at, 0, entry.len());
        entry.write(&mut self.bytes.tail_mut()[at - WORD..][..entry.len()]);
        // Counting up to the number that is not known is as Redis has it.
        self.announce(self.announced().saturating_add(1));
        Cursor(at)
    }

    // ---- inside

    /// Where the end is marked.
    #[inline]
    fn end(&self) -> usize {
        self.bytes.size() - 1
    }

    #[inline]
    fn existing(&self, at: usize) -> Option<Cursor> {
        (self.as_bytes()[at] != END).then_some(Cursor(at))
    }

    fn before(&self, at: usize) -> Option<Cursor> {
        (at > HEADER_BYTES).then(|| Cursor(at - entry::len_from_behind(&self.as_bytes()[..at])))
    }

    #[inline]
    fn entry_len(&self, cursor: Cursor) -> usize {
        entry::read(&self.as_bytes()[cursor.0..]).1
    }

    /// The number of elements as the header has it.
    #[inline]
    fn announced(&self) -> u16 {
        let bytes = self.as_bytes();
        u16::from_le_bytes([bytes[4], bytes[5]])
    }

    fn announce(&mut self, elements: u16) {
        self.bytes.tail_mut()[..HEADER_BYTES - WORD].copy_from_slice(&elements.to_le_bytes());
    }
}

/// What comes behind the last element: adds up how long it is while there is no room for it, and
/// writes it when there is.
pub struct Appender<'a> {
    room: &'a mut [u8],
    at: usize,
    count: usize,
}

impl Appender<'_> {
    /// Appends an element.
    #[inline]
    pub fn push(&mut self, element: &[u8]) {
        self.put(&NewEntry::new(element));
    }

    /// Appends an integer.
    #[inline]
    pub fn push_int(&mut self, n: i64) {
        self.put(&NewEntry::int(n));
    }

    #[inline]
    fn put(&mut self, entry: &NewEntry<'_>) {
        let end = self.at + entry.len();
        if let Some(room) = self.room.get_mut(self.at..end) {
            entry.write(room);
        }
        self.at = end;
        self.count += 1;
    }
}

impl Default for Listpack {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

/// The elements of a listpack.
#[derive(Clone)]
pub struct Iter<'a> {
    listpack: &'a Listpack,
    front: usize,
    /// Where the last entry that is still to come ends.
    back: usize,
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        if self.front >= self.back {
            return None;
        }
        let (element, len) = entry::read(&self.listpack.as_bytes()[self.front..]);
        self.front += len;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let cursor = self.listpack.before(self.back)?;
        self.back = cursor.0;
        Some(self.listpack.at(cursor))
    }
}
