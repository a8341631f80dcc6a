//! Ziplists, which small lists, hashes and sorted sets were before listpacks:
//!
//! ```text
//! bytes in all 4 | offset of the last entry 4 | entries 2, 65535 if not known | entries | 0xff
//! entry: length of the one before 1, or 0xfe and 4 | encoding | data
//! ```
//!
//! They are read, never written. Called by the types that they can hold.

use super::Corrupt;
use crate::data::listpack::Element;

const HEADER_BYTES: usize = 10;
const END: u8 = 0xff;
/// Stands for the length of an entry before that does not fit one byte.
const PREVIOUS_LONG: u8 = 0xfe;
/// The number of entries that stands for one which the header has no room for.
const LEN_UNKNOWN: u16 = u16::MAX;

/// The elements of a ziplist that was found valid.
#[derive(Clone, Debug)]
pub(super) struct Ziplist<'a> {
    /// From the next entry to the last.
    entries: &'a [u8],
}

impl<'a> Ziplist<'a> {
    /// Looks at every entry.
    pub(super) fn open(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        let (header, rest) = bytes.split_at_checked(HEADER_BYTES).ok_or(Corrupt::Elements)?;
        let (&end, entries) = rest.split_last().ok_or(Corrupt::Elements)?;
        let announced_bytes = number(&header[..4]) as usize;
        let last = number(&header[4..8]) as usize;
        let announced = number(&header[8..]) as u16;
        let (mut left, mut before, mut count) = (entries, 0, 0usize);
        while !left.is_empty() {
            let entry = read_entry(left).ok_or(Corrupt::Elements)?;
            if entry.before != before {
                return Err(Corrupt::Elements);
            }
            before = entry.bytes;
            left = &left[entry.bytes..];
            count += 1;
        }
        let counted = announced == LEN_UNKNOWN || usize::from(announced) == count;
        let ends = count == 0 || last == bytes.len() - 1 - before;
        let whole = end == END && announced_bytes == bytes.len();
        if counted && ends && whole { Ok(Ziplist { entries }) } else { Err(Corrupt::Elements) }
    }
}

impl<'a> Iterator for Ziplist<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let entry = read_entry(self.entries)?;
        self.entries = &self.entries[entry.bytes..];
        Some(entry.element)
    }
}

struct Entry<'a> {
    /// Bytes of the entry before, as this one says.
    before: usize,
    element: Element<'a>,
    /// Bytes of the whole entry.
    bytes: usize,
}

/// The entry that `bytes` begin with.
fn read_entry(bytes: &[u8]) -> Option<Entry<'_>> {
    let (&first, rest) = bytes.split_first()?;
    let (before, rest) = match first {
        END => return None,
        PREVIOUS_LONG => {
            let (before, rest) = rest.split_first_chunk::<4>()?;
            (u32::from_le_bytes(*before) as usize, rest)
        }
        short => (usize::from(short), rest),
    };
    let (element, rest) = read_element(rest)?;
    Some(Entry { before, element, bytes: bytes.len() - rest.len() })
}

/// The element whose encoding `bytes` begin with, and what follows it.
fn read_element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&encoding, rest) = bytes.split_first()?;
    let integer = |len: usize| {
        let (digits, rest) = rest.split_at_checked(len)?;
        Some((Element::Int(signed(digits)), rest))
    };
    let low = usize::from(encoding & 0x3f);
    let (len, rest) = match encoding {
        0x00..0x40 => (low, rest),
        0x40..0x80 => {
            let (&second, rest) = rest.split_first()?;
            (low << 8 | usize::from(second), rest)
        }
        0x80..0xc0 => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            (u32::from_be_bytes(*len) as usize, rest)
        }
        0xc0 => return integer(2),
        0xd0 => return integer(4),
        0xe0 => return integer(8),
        0xf0 => return integer(3),
        0xfe => return integer(1),
        0xf1..=0xfd => return Some((Element::Int(i64::from(encoding & 0x0f) - 1), rest)),
        _ => return None,
    };
    let (text, rest) = rest.split_at_checked(len)?;
    Some((Element::Bytes(text), rest))
}

/// A number of at most eight bytes, the lowest first.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte))
}

fn signed(bytes: &[u8]) -> i64 {
    let unused = u64::BITS - 8 * bytes.len() as u32;
    ((number(bytes) << unused) as i64) >> unused
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ziplist of these encoded elements.
    fn ziplist(elements: &[&[u8]]) -> Vec<u8> {
        let (mut entries, mut before) = (Vec::new(), 0);
        let mut last = HEADER_BYTES;
        for element in elements {
            last = HEADER_BYTES + entries.len();
            if before < 254 {
                entries.push(before as u8);
            } else {
                entries.push(PREVIOUS_LONG);
                entries.extend_from_slice(&(before as u32).to_le_bytes());
            }
            entries.extend_from_slice(element);
            before = HEADER_BYTES + entries.len() - last;
        }
        let mut bytes = ((HEADER_BYTES + entries.len() + 1) as u32).to_le_bytes().to_vec();
        bytes.extend_from_slice(&(last as u32).to_le_bytes());
        bytes.extend_from_slice(&(elements.len() as u16).to_le_bytes());
        bytes.extend_from_slice(&entries);
        bytes.push(END);
        bytes
    }

    #[test]
    fn every_encoding() {
        let long = [&[0x41, 0x2c][..], &[b'x'; 300]].concat();
        let longer = [&[0x80, 0, 1, 0, 0][..], &[b'y'; 65536]].concat();
        let bytes = ziplist(&[
            b"\x03abc",
            b"\x00",
            &long,
            &longer,
            b"\xc0\xff\x7f",
            b"\xd0\x00\x00\x00\x80",
            b"\xe0\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xf0\xff\xff\xff",
            b"\xfe\x80",
            b"\xf1",
            b"\xfd",
        ]);
        let elements: Vec<_> = Ziplist::open(&bytes).unwrap().collect();
        let numbers = [32767, i64::from(i32::MIN), i64::MAX, -1, -128, 0, 12];
        let texts: [&[u8]; 4] = [b"abc", b"", &[b'x'; 300], &[b'y'; 65536]];
        assert_eq!(elements[..4], texts.map(Element::Bytes));
        assert_eq!(elements[4..], numbers.map(Element::Int));
    }

    #[test]
    fn every_byte_that_counts_is_checked() {
        let good = ziplist(&[b"\x01a", b"\xf2", b"\x01b"]);
        assert!(Ziplist::open(&good).is_ok());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] = bad[at].wrapping_add(100);
            let is_data = at == 12 || at == 17;
            assert_eq!(Ziplist::open(&bad).is_ok(), is_data, "{at}");
            assert!(Ziplist::open(&good[..at]).is_err(), "{at}");
        }
        let mut unknown = good.clone();
        unknown[8..10].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(Ziplist::open(&unknown).unwrap().count(), 3);
        assert_eq!(Ziplist::open(&ziplist(&[])).unwrap().count(), 0);
    }
}
