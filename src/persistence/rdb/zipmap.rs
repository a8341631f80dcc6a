//! Zipmaps, which small hashes were before ziplists:
//!
//! ```text
//! fields 1, 254 if not known | pairs | 0xff
//! pair: field length | field | value length | unused 1 | value | unused bytes
//! ```
//!
//! A length is one byte, or 254 and four. They are read, never written. Called by `hash`.

use super::Corrupt;

const END: u8 = 0xff;
/// Stands for a length that does not fit one byte, and for a number of fields that does not.
const LONG: u8 = 0xfe;

/// The fields of a zipmap with their values, after a look at all of them.
pub(super) fn open(bytes: &[u8]) -> Result<Pairs<'_>, Corrupt> {
    let (&announced, rest) = bytes.split_first().ok_or(Corrupt::Elements)?;
    let (&end, rest) = rest.split_last().ok_or(Corrupt::Elements)?;
    let (mut left, mut count) = (rest, 0usize);
    while !left.is_empty() {
        left = read_pair(left).ok_or(Corrupt::Elements)?.1;
        count += 1;
    }
    let counted = announced == LONG || usize::from(announced) == count;
    // No node ever wrote one without fields.
    if counted && end == END && count > 0 {
        Ok(Pairs { left: rest })
    } else {
        Err(Corrupt::Elements)
    }
}

/// The fields of a zipmap that was found valid.
pub(super) struct Pairs<'a> {
    left: &'a [u8],
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (&'a [u8], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (pair, left) = read_pair(self.left)?;
        self.left = left;
        Some(pair)
    }
}

/// The pair that `bytes` begin with, and what follows it.
#[allow(clippy::type_complexity)]
fn read_pair(bytes: &[u8]) -> Option<((&[u8], &[u8]), &[u8])> {
    let (len, rest) = read_length(bytes)?;
    let (field, rest) = rest.split_at_checked(len)?;
    let (len, rest) = read_length(rest)?;
    let (&unused, rest) = rest.split_first()?;
    let (value, rest) = rest.split_at_checked(len)?;
    let (_, rest) = rest.split_at_checked(usize::from(unused))?;
    Some(((field, value), rest))
}

fn read_length(bytes: &[u8]) -> Option<(usize, &[u8])> {
    match bytes.split_first()? {
        (&END, _) => None,
        (&LONG, rest) => {
            let (len, rest) = rest.split_first_chunk::<4>()?;
            Some((u32::from_le_bytes(*len) as usize, rest))
        }
        (&len, rest) => Some((usize::from(len), rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_with_and_without_unused_bytes() {
        let long = [&b"\xfe\x2c\x01\x00\x00"[..], &[b'x'; 300]].concat();
        let bytes = [&b"\x02\x03foo\x03\x02bar\0\0"[..], &long, b"\x00\x00\xff"].concat();
        let pairs: Vec<_> = open(&bytes).unwrap().collect();
        assert_eq!(pairs, [(&b"foo"[..], &b"bar"[..]), (&[b'x'; 300], b"")]);
    }

    #[test]
    fn every_byte_that_counts_is_checked() {
        let good = b"\x02\x01a\x01\x00b\x01c\x01\x00d\xff";
        assert_eq!(open(good).unwrap().count(), 2);
        for at in 0..good.len() {
            let mut bad = *good;
            bad[at] = bad[at].wrapping_add(100);
            let is_data = [2, 5, 7, 10].contains(&at);
            assert_eq!(open(&bad).is_ok(), is_data, "{at}");
            assert!(open(&good[..at]).is_err(), "{at}");
        }
        assert!(open(b"\xfe\x01a\x01\x00b\xff").is_ok());
        assert_eq!(open(b"\x00\xff").err(), Some(Corrupt::Elements));
    }
}
