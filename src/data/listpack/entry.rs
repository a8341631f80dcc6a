//! One entry of a listpack: how it is written, how long it is, and what it says. An entry is its
//! kind, its contents, and its own length once more at the end, so that it can be found from behind
//! (Redis: the backlen).
//!
//! Called by the listpack alone. Must never index beyond the bytes that it is handed when these
//! have not been validated: that is what [`checked_len`] is for.

use crate::base::numbers;

/// The byte behind the last entry.
pub(super) const END: u8 = 0xff;

/// Longest entry without contents that are a string: a kind, a 64-bit integer.
const HEAD_BYTES_MAX: usize = 9;
/// Longest form of an entry's own length.
const BACKLEN_BYTES_MAX: usize = 5;

/// The first byte of the kinds that use all of it.
const STRING_32: u8 = 0xf0;
const INT_16: u8 = 0xf1;
const INT_24: u8 = 0xf2;
const INT_32: u8 = 0xf3;
const INT_64: u8 = 0xf4;
/// The high bits of the kinds whose contents begin in their first byte.
const STRING_6: u8 = 0x80;
const INT_13: u8 = 0xc0;
const STRING_12: u8 = 0xe0;

/// Longest string whose length is in the first byte.
const SHORT_MAX: usize = 0x3f;

/// What the first byte of an entry announces.
enum Kind {
    /// Its low bits are the integer.
    Int7,
    /// Five bits and the next byte are the integer.
    Int13,
    /// So many bytes follow, the lowest first.
    Int(usize),
    /// The length of a string is in it (1), in it and the next one (2), or in the next four (5).
    String(usize),
}

impl Kind {
    fn of(first: u8) -> Option<Kind> {
        Some(match first {
            0x00..0x80 => Kind::Int7,
            STRING_6..INT_13 => Kind::String(1),
            INT_13..STRING_12 => Kind::Int13,
            STRING_12..STRING_32 => Kind::String(2),
            STRING_32 => Kind::String(5),
            INT_16 => Kind::Int(2),
            INT_24 => Kind::Int(3),
            INT_32 => Kind::Int(4),
            INT_64 => Kind::Int(8),
            _ => return None,
        })
    }
}

/// One element of a listpack. What looks like an integer is stored as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Element<'a> {
    /// The canonical decimal form of this.
    Int(i64),
    /// These bytes.
    Bytes(&'a [u8]),
}

impl<'a> Element<'a> {
    /// Appends the element's bytes.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.bytes(&mut itoa::Buffer::new()));
    }

    /// The element's bytes; `digits` is where those of an integer are written.
    #[inline]
    pub fn bytes<'b>(&self, digits: &'b mut itoa::Buffer) -> &'b [u8]
    where
        'a: 'b,
    {
        match *self {
            Element::Int(n) => digits.format(n).as_bytes(),
            Element::Bytes(bytes) => bytes,
        }
    }

    /// The element's bytes, in a vector of their own.
    pub fn to_vec(&self) -> Vec<u8> {
        self.bytes(&mut itoa::Buffer::new()).to_vec()
    }

    /// Whether these are the element's bytes.
    pub fn eq_bytes(&self, other: &[u8]) -> bool {
        Needle::new(other).is(*self)
    }

    /// The element as an integer, if it is the canonical form of one.
    pub fn as_int(&self) -> Option<i64> {
        match *self {
            Element::Int(n) => Some(n),
            Element::Bytes(bytes) => numbers::parse_i64(bytes),
        }
    }

    /// How many bytes the element is long.
    pub fn len(&self) -> usize {
        self.bytes(&mut itoa::Buffer::new()).len()
    }

    /// Whether it is the empty string.
    pub fn is_empty(&self) -> bool {
        matches!(self, Element::Bytes([]))
    }
}

/// Bytes to be compared with many elements.
#[derive(Clone, Copy, Debug)]
pub struct Needle<'a> {
    bytes: &'a [u8],
    int: Option<i64>,
    /// The first byte of the entry of a short string; that of a long one if it is long.
    head: u8,
    /// The byte before that entry's length.
    last: u8,
}

impl<'a> Needle<'a> {
    /// What these bytes are as an element.
    pub fn new(bytes: &'a [u8]) -> Self {
        let head = if bytes.len() <= SHORT_MAX { STRING_6 | bytes.len() as u8 } else { STRING_32 };
        let last = bytes.last().copied().unwrap_or(head);
        Needle { bytes, int: numbers::parse_i64(bytes), head, last }
    }

    /// If valid bytes begin with the entry of a short string, whether it is the same, and how many
    /// bytes the entry has.
    #[inline(always)]
    pub(super) fn is_short(&self, entries: &[u8]) -> Option<(bool, usize)> {
        let first = entries[0];
        if first & !SHORT_MAX as u8 != STRING_6 {
            return None;
        }
        let length = usize::from(first) & SHORT_MAX;
        // Most have another length or another last byte.
        let is = first == self.head
            && entries[length] == self.last
            && entries[1..=length] == *self.bytes;
        Some((is, length + 2))
    }

    /// Whether an element is the same.
    #[inline]
    pub fn is(&self, element: Element<'_>) -> bool {
        match element {
            Element::Int(n) => self.int == Some(n),
            Element::Bytes(bytes) => self.bytes == bytes,
        }
    }
}

/// An entry on its way into a listpack.
pub(super) struct NewEntry<'a> {
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    contents: &'a [u8],
}

impl<'a> NewEntry<'a> {
    /// Of an integer if the bytes are the canonical form of one.
    pub fn new(bytes: &'a [u8]) -> Self {
        if let Some(n) = numbers::parse_i64(bytes) {
            return NewEntry::int(n);
        }
        let mut head = [0; HEAD_BYTES_MAX];
        let length = bytes.len();
        let head_len = if length < 1 << 6 {
            head[0] = STRING_6 | length as u8;
            1
        } else if length < 1 << 12 {
            head[..2].copy_from_slice(&[STRING_12 | (length >> 8) as u8, length as u8]);
            2
        } else {
            head[0] = STRING_32;
            head[1..5].copy_from_slice(&(length as u32).to_le_bytes());
            5
        };
        NewEntry { head, head_len, contents: bytes }
    }

    /// Of an integer.
    pub fn int(n: i64) -> Self {
        let mut head = [0; HEAD_BYTES_MAX];
        let low = n.to_le_bytes();
        let fits = |bits: u32| n >= -(1 << (bits - 1)) && n < 1 << (bits - 1);
        let mut wide = |kind: u8, bytes: usize| {
            head[0] = kind;
            head[1..=bytes].copy_from_slice(&low[..bytes]);
            1 + bytes
        };
        let head_len = if (0..1 << 7).contains(&n) {
            head[0] = low[0];
            1
        } else if fits(13) {
            head[..2].copy_from_slice(&[INT_13 | (low[1] & 0x1f), low[0]]);
            2
        } else if fits(16) {
            wide(INT_16, 2)
        } else if fits(24) {
            wide(INT_24, 3)
        } else if fits(32) {
            wide(INT_32, 4)
        } else {
            wide(INT_64, 8)
        };
        NewEntry { head, head_len, contents: &[] }
    }

    /// Bytes of the whole entry.
    pub fn len(&self) -> usize {
        let body = self.head_len + self.contents.len();
        body + backlen_len(body)
    }

    /// Writes the entry to a place of exactly its length.
    pub fn write(&self, place: &mut [u8]) {
        let body = self.head_len + self.contents.len();
        let (head, rest) = place.split_at_mut(self.head_len);
        let (contents, backlen) = rest.split_at_mut(self.contents.len());
        // Nearly all heads are as short, and what has a constant size is written in place.
        match head {
            [first] => *first = self.head[0],
            [first, second] => [*first, *second] = [self.head[0], self.head[1]],
            _ => head.copy_from_slice(&self.head[..self.head_len]),
        }
        contents.copy_from_slice(self.contents);
        write_backlen(backlen, body);
    }
}

/// Bytes that the length of an entry's body takes behind it. The limits are Redis's, which are one
/// short of what would fit.
fn backlen_len(body: usize) -> usize {
    match body {
        0..=127 => 1,
        128..16_383 => 2,
        16_383..2_097_151 => 3,
        2_097_151..268_435_455 => 4,
        _ => BACKLEN_BYTES_MAX,
    }
}

/// Seven bits per byte, the lowest in the last one; all but the first are marked.
fn write_backlen(place: &mut [u8], body: usize) {
    let mut left = body;
    let (first, others) = place.split_first_mut().expect("a length takes a byte at least");
    for byte in others.iter_mut().rev() {
        *byte = left as u8 & 0x7f | 0x80;
        left >>= 7;
    }
    *first = left as u8;
}

/// Bytes of the whole entry that ends with `bytes`, which must be valid.
pub(super) fn len_from_behind(bytes: &[u8]) -> usize {
    let mut body = 0;
    for (position, byte) in bytes.iter().rev().take(BACKLEN_BYTES_MAX).enumerate() {
        body |= usize::from(byte & 0x7f) << (7 * position);
        if byte & 0x80 == 0 {
            break;
        }
    }
    body + backlen_len(body)
}

/// The length of the body of the entry that `bytes` begin with, if they are long enough to tell.
fn body_len(bytes: &[u8]) -> Option<usize> {
    Some(match Kind::of(*bytes.first()?)? {
        Kind::Int7 => 1,
        Kind::Int13 => 2,
        Kind::Int(size) => 1 + size,
        Kind::String(head) => head + string_len(bytes.get(..head)?),
    })
}

/// The length that the head of a string tells.
fn string_len(head: &[u8]) -> usize {
    match *head {
        [first] => usize::from(first & 0x3f),
        [first, low] => usize::from(first & 0x0f) << 8 | usize::from(low),
        [_, a, b, c, d] => u32::from_le_bytes([a, b, c, d]) as usize,
        _ => 0,
    }
}

/// Bytes of the whole entry that `bytes` begin with, if it is one, whole, and says the same of its
/// length from both ends.
pub(super) fn checked_len(bytes: &[u8]) -> Option<usize> {
    let body = body_len(bytes)?;
    let end = body.checked_add(backlen_len(body))?;
    let mut expected = [0; BACKLEN_BYTES_MAX];
    let expected = &mut expected[..end - body];
    write_backlen(expected, body);
    (bytes.get(body..end)? == expected).then_some(end)
}

/// The element that valid bytes begin with, and the bytes of the whole entry.
#[inline]
pub(super) fn read(bytes: &[u8]) -> (Element<'_>, usize) {
    let first = bytes[0];
    let (element, body) = match Kind::of(first) {
        Some(Kind::Int7) => (Element::Int(first.into()), 1),
        Some(Kind::Int13) => {
            let bits = i64::from(first & 0x1f) << 8 | i64::from(bytes[1]);
            (Element::Int(bits << (64 - 13) >> (64 - 13)), 2)
        }
        Some(Kind::Int(size)) => {
            let mut low = [0; 8];
            low[..size].copy_from_slice(&bytes[1..=size]);
            let unused = 64 - 8 * size as u32;
            (Element::Int(i64::from_le_bytes(low) << unused >> unused), 1 + size)
        }
        Some(Kind::String(head)) => {
            let body = head + string_len(&bytes[..head]);
            (Element::Bytes(&bytes[head..body]), body)
        }
        None => unreachable!("the bytes of a listpack are valid"),
    };
    (element, body + backlen_len(body))
}
