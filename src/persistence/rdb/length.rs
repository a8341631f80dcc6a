//! Lengths and counts: one, two, five or nine bytes, told apart by the two highest bits of the
//! first. The fourth pattern of those bits announces a string that is encoded in another way.

use super::{Corrupt, Source};

/// High bits of the first byte (Redis: RDB_6BITLEN, RDB_14BITLEN, RDB_ENCVAL).
const BITS_14: u8 = 0b01 << 6;
const ENCODED: u8 = 0b11 << 6;
/// The whole first byte (Redis: RDB_32BITLEN, RDB_64BITLEN).
const BITS_32: u8 = 0x80;
const BITS_64: u8 = 0x81;
/// What the first byte holds beside its high bits.
const LOW: u8 = (1 << 6) - 1;

/// What stands where a length may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Length {
    /// So many bytes or items follow.
    Plain(u64),
    /// A string in the special encoding of this number follows.
    Encoded(u8),
}

/// Appends a length in its shortest form.
pub(super) fn write(out: &mut Vec<u8>, length: u64) {
    if length < 1 << 6 {
        out.push(length as u8);
    } else if length < 1 << 14 {
        out.extend_from_slice(&[BITS_14 | (length >> 8) as u8, length as u8]);
    } else if let Ok(length) = u32::try_from(length) {
        out.push(BITS_32);
        out.extend_from_slice(&length.to_be_bytes());
    } else {
        out.push(BITS_64);
        out.extend_from_slice(&length.to_be_bytes());
    }
}

/// Appends the mark of a special encoding.
pub(super) fn write_encoded(out: &mut Vec<u8>, number: u8) {
    debug_assert!(number <= LOW);
    out.push(ENCODED | number);
}

/// Reads a length or the mark of a special encoding.
pub(super) fn read(source: &mut impl Source) -> Result<Length, Corrupt> {
    let first = source.take_byte()?;
    let low = first & LOW;
    Ok(match first & !LOW {
        0 => Length::Plain(low.into()),
        BITS_14 => Length::Plain(u64::from(low) << 8 | u64::from(source.take_byte()?)),
        ENCODED => Length::Encoded(low),
        _ if first == BITS_32 => Length::Plain(read_big_endian(source, 4)?),
        _ if first == BITS_64 => Length::Plain(read_big_endian(source, 8)?),
        _ => return Err(Corrupt::Length(first)),
    })
}

/// Reads a length where nothing else may stand.
pub(super) fn read_plain(source: &mut impl Source) -> Result<u64, Corrupt> {
    match read(source)? {
        Length::Plain(length) => Ok(length),
        Length::Encoded(number) => Err(Corrupt::Length(ENCODED | number)),
    }
}

fn read_big_endian(source: &mut impl Source, bytes: u64) -> Result<u64, Corrupt> {
    let digits = source.take(bytes)?;
    Ok(digits.iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_the_shortest_and_is_read_back() {
        let sizes = [
            (0, 1),
            (63, 1),
            (64, 2),
            (16_383, 2),
            (16_384, 5),
            (u64::from(u32::MAX), 5),
            (u64::from(u32::MAX) + 1, 9),
            (u64::MAX, 9),
        ];
        for (length, bytes) in sizes {
            let mut out = Vec::new();
            write(&mut out, length);
            assert_eq!(out.len(), bytes, "{length}");
            assert_eq!(read(&mut &out[..]), Ok(Length::Plain(length)));
            for cut in 0..bytes {
                assert_eq!(read(&mut &out[..cut]), Err(Corrupt::Truncated));
            }
        }
    }

    #[test]
    fn marks_and_nonsense() {
        let mut out = Vec::new();
        write_encoded(&mut out, 3);
        assert_eq!(read(&mut &out[..]), Ok(Length::Encoded(3)));
        assert_eq!(read_plain(&mut &out[..]), Err(Corrupt::Length(0xc3)));
        for first in 0x82..0xc0 {
            assert_eq!(read(&mut &[first; 9][..]), Err(Corrupt::Length(first)));
        }
    }
}
