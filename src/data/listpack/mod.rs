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

mod entries;
mod entry;
mod open;
mod unique;

#[cfg(test)]
mod tests;

pub use entries::{Cursor, Entries, Iter};
use entry::{END, NewEntry};
pub use entry::{Element, Needle};
pub use open::{Edge, OpenListpack};

use super::thin::{LISTPACK_MARK, ThinBytes, WORD};

const HEADER_BYTES: usize = 6;
/// The number of elements that stands for one which the header has no room for.
const LEN_UNKNOWN: u16 = u16::MAX;
/// No listpack should grow longer (Redis: LISTPACK_MAX_SAFETY_SIZE).
const BYTES_MAX: usize = 1 << 30;

/// Bytes are no listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// A sequence of byte strings in one allocation of just its size. What is read is read through
/// [`Entries`].
///
/// Invariant: the bytes are valid.
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
        Ok(Listpack::of_valid(bytes))
    }

    /// The listpack that these bytes are known to be.
    fn of_valid(bytes: &[u8]) -> Self {
        Listpack { bytes: ThinBytes::new(&bytes[WORD..]) }
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

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }

    /// Whether so many bytes more keep it within the size that no listpack should exceed.
    pub fn would_fit(&self, more: usize) -> bool {
        self.bytes.size().saturating_add(more) <= BYTES_MAX
    }

    /// Bytes that an element takes.
    pub fn entry_bytes(element: &[u8]) -> usize {
        NewEntry::new(element).len()
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

impl std::ops::Deref for Listpack {
    type Target = Entries;

    #[inline]
    fn deref(&self) -> &Entries {
        Entries::of(self.bytes.as_slice())
    }
}

impl std::fmt::Debug for Listpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl<'a> IntoIterator for &'a Listpack {
    type Item = Element<'a>;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}
