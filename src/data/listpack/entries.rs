//! Reading a listpack, whoever owns its bytes.

use ref_cast::{RefCastCustom, ref_cast_custom};

use super::entry::{self, END, Element, Needle};
use super::{HEADER_BYTES, LEN_UNKNOWN};

/// Where an element is: the offset of its entry. Valid until the listpack changes before it, or
/// loses it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cursor(pub(super) usize);

impl Cursor {
    /// The element behind this one.
    #[inline]
    pub fn next(self, entries: &Entries) -> Option<Cursor> {
        entries.existing(self.0 + entries.entry_len(self))
    }

    /// The element before this one.
    pub fn prev(self, entries: &Entries) -> Option<Cursor> {
        entries.before(self.0)
    }

    /// The element `steps` behind this one.
    pub fn skip(self, entries: &Entries, steps: usize) -> Option<Cursor> {
        (0..steps).try_fold(self, |cursor, _| cursor.next(entries))
    }
}

/// The bytes of a listpack, borrowed from their owner as a `str` is from a `String`.
///
/// Invariant: they are valid, and the header tells their number.
#[derive(PartialEq, Eq, RefCastCustom)]
#[repr(transparent)]
pub struct Entries([u8]);

impl Entries {
    /// Of the bytes of one of the owners, which keep them valid.
    #[ref_cast_custom]
    pub(super) fn of(bytes: &[u8]) -> &Entries;

    /// The bytes, as Redis stores them.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many bytes there are, header and end included.
    #[inline]
    pub fn bytes(&self) -> usize {
        self.0.len()
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
        self.bytes() == HEADER_BYTES + 1
    }

    /// The first element.
    #[inline]
    pub fn first(&self) -> Option<Cursor> {
        self.existing(HEADER_BYTES)
    }

    /// The last element.
    #[inline]
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
        entry::read(&self.0[cursor.0..]).0
    }

    /// The first element that these bytes are, of those that are looked at: after each, `skip` are
    /// passed over.
    pub fn find(&self, bytes: &[u8], skip: usize) -> Option<Cursor> {
        self.find_from(self.first()?, bytes, skip)
    }

    /// As [`Entries::find`], looking at the element of the cursor first.
    pub fn find_from(&self, cursor: Cursor, bytes: &[u8], skip: usize) -> Option<Cursor> {
        self.find_needle(cursor, Needle::new(bytes), skip)
    }

    /// As [`Entries::find_from`], for who seeks the same in many listpacks.
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
        Iter { entries: self, front: HEADER_BYTES, back: self.end() }
    }

    /// The elements from a cursor on, from either end.
    pub fn iter_from(&self, cursor: Cursor) -> Iter<'_> {
        Iter { entries: self, front: cursor.0, back: self.end() }
    }

    // ---- what the owners need as well

    /// Where the end is marked.
    #[inline]
    pub(super) fn end(&self) -> usize {
        self.bytes() - 1
    }

    #[inline]
    pub(super) fn existing(&self, at: usize) -> Option<Cursor> {
        (self.0[at] != END).then_some(Cursor(at))
    }

    #[inline]
    fn before(&self, at: usize) -> Option<Cursor> {
        (at > HEADER_BYTES).then(|| Cursor(at - entry::len_from_behind(&self.0[..at])))
    }

    #[inline]
    pub(super) fn entry_len(&self, cursor: Cursor) -> usize {
        entry::read(&self.0[cursor.0..]).1
    }

    /// The number of elements as the header has it.
    #[inline]
    pub(super) fn announced(&self) -> u16 {
        u16::from_le_bytes([self.0[4], self.0[5]])
    }
}

impl std::fmt::Debug for Entries {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// The elements of a listpack.
#[derive(Clone)]
pub struct Iter<'a> {
    entries: &'a Entries,
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
        let (element, len) = entry::read(&self.entries.as_bytes()[self.front..]);
        self.front += len;
        Some(element)
    }
}

impl DoubleEndedIterator for Iter<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let cursor = self.entries.before(self.back)?;
        self.back = cursor.0;
        Some(self.entries.at(cursor))
    }
}
