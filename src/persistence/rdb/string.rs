//! Strings: with their length in front, as an integer of 8, 16 or 32 bits, or compressed. Which of
//! these is Redis's choice for the same string.

use std::borrow::Cow;

use super::length::{self, Length};
use super::{Corrupt, ReadLimits, Source, WriteOptions};
use crate::base::{lzf, numbers};
use crate::data::listpack::Listpack;

/// Numbers of the special encodings (Redis: RDB_ENC_INT8 and following).
const INT8: u8 = 0;
const INT16: u8 = 1;
const INT32: u8 = 2;
const LZF: u8 = 3;

/// Longest text of a 32-bit integer.
const INT32_TEXT_BYTES_MAX: usize = 11;
/// Shorter strings cannot be compressed.
const COMPRESSED_BYTES_MIN: usize = 21;
/// Compression must save at least this much.
const SAVED_BYTES_MIN: usize = 4;

/// A string that was read. Borrowed if the source keeps it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Text<'a> {
    /// The decimal form of this.
    Int(i64),
    /// These bytes.
    Borrowed(&'a [u8]),
    /// These bytes.
    Owned(Vec<u8>),
}

impl Text<'_> {
    /// Makes `out` the text, reusing its memory.
    pub(super) fn write_over(self, out: &mut Vec<u8>) {
        match self {
            Text::Int(number) => {
                out.clear();
                out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            }
            Text::Borrowed(text) => {
                out.clear();
                out.extend_from_slice(text);
            }
            Text::Owned(text) => *out = text,
        }
    }

    /// The string; `digits` is where those of an integer are written.
    pub(super) fn bytes<'b>(&'b self, digits: &'b mut itoa::Buffer) -> &'b [u8] {
        match self {
            Text::Int(number) => digits.format(*number).as_bytes(),
            Text::Borrowed(bytes) => bytes,
            Text::Owned(bytes) => bytes,
        }
    }
}

/// Appends a string.
pub(super) fn write(out: &mut Vec<u8>, text: &[u8], options: WriteOptions) {
    let number = if text.len() <= INT32_TEXT_BYTES_MAX { numbers::parse_i64(text) } else { None };
    if number.is_some_and(|number| write_small_int(out, number)) {
        return;
    }
    if !(options.compress && text.len() >= COMPRESSED_BYTES_MIN && write_compressed(out, text)) {
        length::write(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// Appends the decimal form of an integer.
pub(super) fn write_int(out: &mut Vec<u8>, number: i64) {
    if !write_small_int(out, number) {
        let mut digits = itoa::Buffer::new();
        let text = digits.format(number).as_bytes();
        length::write(out, text.len() as u64);
        out.extend_from_slice(text);
    }
}

/// Appends an integer of at most 32 bits; tells whether it is one.
fn write_small_int(out: &mut Vec<u8>, number: i64) -> bool {
    if let Ok(number) = i8::try_from(number) {
        length::write_encoded(out, INT8);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i16::try_from(number) {
        length::write_encoded(out, INT16);
        out.extend_from_slice(&number.to_le_bytes());
    } else if let Ok(number) = i32::try_from(number) {
        length::write_encoded(out, INT32);
        out.extend_from_slice(&number.to_le_bytes());
    } else {
        return false;
    }
    true
}

/// Appends a string in its compressed form, if that is worth it; tells whether it is.
fn write_compressed(out: &mut Vec<u8>, text: &[u8]) -> bool {
    let begin = out.len();
    // How long it is stands in front of it, in as many bytes as there are at most.
    write_packed_header(out, text.len(), text.len());
    let reserved = out.len() - begin;
    if !lzf::compress(text, out, text.len() - SAVED_BYTES_MIN) {
        out.truncate(begin);
        return false;
    }
    let packed_end = out.len();
    write_packed_header(out, packed_end - begin - reserved, text.len());
    let header_bytes = out.len() - packed_end;
    out.copy_within(packed_end.., begin);
    out.truncate(packed_end);
    if header_bytes < reserved {
        out.copy_within(begin + reserved.., begin + header_bytes);
        out.truncate(packed_end - (reserved - header_bytes));
    }
    true
}

/// Appends a string of so many bytes whose compressed form is known.
pub(super) fn write_packed(out: &mut Vec<u8>, packed: &[u8], unpacked_bytes: usize) {
    write_packed_header(out, packed.len(), unpacked_bytes);
    out.extend_from_slice(packed);
}

fn write_packed_header(out: &mut Vec<u8>, packed_bytes: usize, unpacked_bytes: usize) {
    length::write_encoded(out, LZF);
    length::write(out, packed_bytes as u64);
    length::write(out, unpacked_bytes as u64);
}

/// Reads a string.
pub(super) fn read<'a>(
    source: &'a mut impl Source,
    limits: ReadLimits,
) -> Result<Text<'a>, Corrupt> {
    match length::read(source)? {
        Length::Plain(length) => {
            check(length, limits)?;
            source.take(length).map(Text::Borrowed)
        }
        Length::Encoded(INT8) => Ok(Text::Int(i8::from_le_bytes(take_array(source)?).into())),
        Length::Encoded(INT16) => Ok(Text::Int(i16::from_le_bytes(take_array(source)?).into())),
        Length::Encoded(INT32) => Ok(Text::Int(i32::from_le_bytes(take_array(source)?).into())),
        Length::Encoded(LZF) => {
            let packed = length::read_plain(source)?;
            let unpacked = length::read_plain(source)?;
            check(unpacked, limits)?;
            source.unpack(packed, unpacked).map(|bytes| match bytes {
                Cow::Borrowed(bytes) => Text::Borrowed(bytes),
                Cow::Owned(bytes) => Text::Owned(bytes),
            })
        }
        Length::Encoded(number) => Err(Corrupt::Encoding(number)),
    }
}

/// Reads a string that is a listpack.
pub(super) fn read_listpack(
    source: &mut impl Source,
    limits: ReadLimits,
) -> Result<Listpack, Corrupt> {
    let text = read(source, limits)?;
    let listpack = Listpack::from_bytes(text.bytes(&mut itoa::Buffer::new()));
    listpack.map_err(|_| Corrupt::Elements)
}

fn take_array<const BYTES: usize>(source: &mut impl Source) -> Result<[u8; BYTES], Corrupt> {
    let bytes = source.take(BYTES as u64)?;
    bytes.first_chunk().copied().ok_or(Corrupt::Truncated)
}

fn check(length: u64, limits: ReadLimits) -> Result<(), Corrupt> {
    if length <= limits.string_bytes_max as u64 { Ok(()) } else { Err(Corrupt::TooLong) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };

    fn written(text: &[u8], compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        write(&mut out, text, WriteOptions { compress });
        out
    }

    fn bytes_of(text: Text<'_>) -> Vec<u8> {
        match text {
            Text::Int(number) => number.to_string().into(),
            Text::Borrowed(bytes) => bytes.to_vec(),
            Text::Owned(bytes) => bytes,
        }
    }

    #[test]
    fn integers_are_short_and_only_in_canonical_form() {
        let lengths = [
            ("0", 2),
            ("-128", 2),
            ("128", 3),
            ("-32769", 5),
            ("2147483647", 5),
            ("2147483648", 11),
            ("-2147483649", 12),
            ("007", 4),
            ("+1", 3),
            ("-0", 3),
            ("1 ", 3),
        ];
        for (text, length) in lengths {
            assert_eq!(written(text.as_bytes(), true).len(), length, "{text}");
            if let Some(number) = numbers::parse_i64(text.as_bytes()) {
                let mut out = Vec::new();
                write_int(&mut out, number);
                assert_eq!(out, written(text.as_bytes(), true));
            }
        }
    }

    #[test]
    fn compression_is_a_choice() {
        let long = [b'a'; 300];
        assert!(written(&long, true).len() < 20);
        assert_eq!(written(&long, false).len(), 302);
        assert_eq!(written(&long[..20], true).len(), 21);
    }

    #[test]
    fn lengths_are_not_trusted() {
        let cases: [(&[u8], Corrupt); 7] = [
            (b"\x80\xff\xff\xff\xff", Corrupt::TooLong),
            (b"\x81\xff\xff\xff\xff\xff\xff\xff\xff", Corrupt::TooLong),
            (b"\x80\x00\x0f\xff\xff", Corrupt::Truncated),
            (b"\xc3\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff", Corrupt::TooLong),
            (b"\xc3\x05\x80\x00\x0f\xff\xff\x01\x01\x01\x01\x01", Corrupt::Compression),
            (b"\xc3\xc3\x01", Corrupt::Length(0xc3)),
            (b"\xc4", Corrupt::Encoding(4)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(&mut &bytes[..], LIMITS), Err(expected), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in prop::collection::vec(0u8..4, 0..2000), compress: bool) {
            let out = written(&text, compress);
            let mut rest = &out[..];
            prop_assert_eq!(bytes_of(read(&mut rest, LIMITS).unwrap()), text);
            prop_assert_eq!(rest, b"");
        }

        #[test]
        fn round_trip_of_integers(number: i64) {
            let mut out = Vec::new();
            write_int(&mut out, number);
            let text = bytes_of(read(&mut &out[..], LIMITS).unwrap());
            prop_assert_eq!(text, number.to_string().into_bytes());
        }
    }
}
