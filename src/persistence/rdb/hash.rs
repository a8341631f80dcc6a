//! Hashes: field by field, or as the listpack, ziplist or zipmap that holds them all. What is read
//! becomes a listpack or a table by this node's limits. Where fields expire, the time at which the
//! first of them does stands in front: eight bytes, in milliseconds. Called by `value`.

use super::string;
use super::ziplist::Ziplist;
use super::{Corrupt, ReadLimits, Source, WriteOptions, length, zipmap};
use crate::data::listpack::{Element, Listpack};
use crate::value::Hash;
use crate::value::hash::{Builder, NotPairs, NotTriplets};

/// Appends a hash.
pub(super) fn write(out: &mut Vec<u8>, hash: &Hash, options: WriteOptions) {
    let first = hash.next_expiry();
    if let Some(at_ms) = first {
        out.extend_from_slice(&at_ms.to_le_bytes());
    }
    if let (Some(triplets), Some(_)) = (hash.triplets(), first) {
        string::write(out, triplets.as_bytes(), options);
        return;
    }
    if let Some(pairs) = hash.to_pairs() {
        string::write(out, pairs.as_bytes(), options);
        return;
    }
    length::write(out, hash.len() as u64);
    for (field, value, expiry) in hash.entries() {
        if let Some(first) = first {
            // Counted from one before the first, so that 0 is free for those that do not expire.
            let offset = expiry.map_or(0, |at_ms| at_ms.abs_diff(first) + 1);
            length::write(out, offset);
        }
        write_element(out, field, options);
        write_element(out, value, options);
    }
}

fn write_element(out: &mut Vec<u8>, element: Element<'_>, options: WriteOptions) {
    match element {
        Element::Int(number) => string::write_int(out, number),
        Element::Bytes(text) => string::write(out, text, options),
    }
}

/// Reads a number of fields, and each of them with its value.
pub(super) fn read_fields(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    let fields = length::read_plain(source)?;
    if fields == 0 {
        return Err(Corrupt::Empty);
    }
    let mut hash = Builder::new(fields, limits.hash);
    let mut field = Vec::new();
    for _ in 0..fields {
        string::read(source, limits)?.write_over(&mut field);
        let value = string::read(source, limits)?;
        push(&mut hash, &field, value.bytes(&mut itoa::Buffer::new()))?;
    }
    finish(hash)
}

/// Reads a listpack of fields and values by turns.
pub(super) fn read_listpack(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    of_listpack(string::read_listpack(source, limits)?, limits)
}

/// Reads a ziplist of fields and values by turns, as Redis wrote it before version 10.
pub(super) fn read_ziplist(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    let text = string::read(source, limits)?;
    let mut pairs = Listpack::new();
    let mut digits = itoa::Buffer::new();
    for element in Ziplist::open(text.bytes(&mut itoa::Buffer::new()))? {
        if !pairs.would_fit(element.len()) {
            return Err(Corrupt::TooLong);
        }
        pairs.push_back(element.bytes(&mut digits));
    }
    of_listpack(pairs, limits)
}

/// Reads a zipmap, as Redis wrote it before version 4.
pub(super) fn read_zipmap(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    let text = string::read(source, limits)?;
    let mut hash = Builder::new(0, limits.hash);
    for (field, value) in zipmap::open(text.bytes(&mut itoa::Buffer::new()))? {
        push(&mut hash, field, value)?;
    }
    finish(hash)
}

/// Reads a time, a number of fields, and each of them with its value and in front of both how much
/// later than that time it expires.
pub(super) fn read_expiring(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    let first = read_time(source)?;
    let fields = length::read_plain(source)?;
    if fields == 0 {
        return Err(Corrupt::Empty);
    }
    let mut hash = Builder::new(fields, limits.hash);
    let mut expiries = Vec::new();
    let mut field = Vec::new();
    for _ in 0..fields {
        let offset = length::read_plain(source)?;
        string::read(source, limits)?.write_over(&mut field);
        let value = string::read(source, limits)?;
        push(&mut hash, &field, value.bytes(&mut itoa::Buffer::new()))?;
        if let Some(later) = offset.checked_sub(1) {
            let at_ms = first.checked_add_unsigned(later).ok_or(Corrupt::Elements)?;
            expiries.push((field.clone(), at_ms));
        }
    }
    let mut hash = finish(hash)?;
    for (field, at_ms) in expiries {
        hash.set_expiry(&field, Some(at_ms));
    }
    Ok(hash)
}

/// Reads a time, and a listpack of fields, values and expiries by threes.
pub(super) fn read_triplets(source: &mut impl Source, limits: ReadLimits) -> Result<Hash, Corrupt> {
    read_time(source)?;
    let triplets = string::read_listpack(source, limits)?;
    if triplets.is_empty() {
        return Err(Corrupt::Empty);
    }
    Hash::from_triplets(triplets, limits.hash).map_err(|NotTriplets| Corrupt::Elements)
}

/// A time later than 0, which stands for none.
fn read_time(source: &mut impl Source) -> Result<i64, Corrupt> {
    let bytes = source.take(size_of::<i64>() as u64)?;
    let bytes = bytes.first_chunk().copied().ok_or(Corrupt::Truncated)?;
    let at_ms = i64::from_le_bytes(bytes);
    if at_ms > 0 { Ok(at_ms) } else { Err(Corrupt::Elements) }
}

fn of_listpack(pairs: Listpack, limits: ReadLimits) -> Result<Hash, Corrupt> {
    if pairs.is_empty() {
        return Err(Corrupt::Empty);
    }
    if !pairs.len().is_multiple_of(2) {
        return Err(Corrupt::Elements);
    }
    Hash::from_listpack(pairs, limits.hash).map_err(|NotPairs| Corrupt::Repeated)
}

fn push(hash: &mut Builder, field: &[u8], value: &[u8]) -> Result<(), Corrupt> {
    // Neither can be as long as a request's argument cannot be.
    if u32::try_from(field.len().max(value.len())).is_err() {
        return Err(Corrupt::TooLong);
    }
    hash.push(field, value).map_err(|NotPairs| Corrupt::Elements)
}

fn finish(hash: Builder) -> Result<Hash, Corrupt> {
    hash.finish().map_err(|NotPairs| Corrupt::Elements)
}

#[cfg(test)]
mod tests {
    use super::super::{tests, value};
    use super::*;
    use crate::base::rng::Rng;
    use crate::value::{Encoding, NewValue, Value, ValueRef};
    use proptest::prelude::*;

    /// What Redis 7.2.6 makes of payloads: a name, the encoding, the digest, the payload in hex.
    const PAYLOADS: &str = include_str!("../../../tests/data/dump-hashes-7.2.tsv");
    /// What files of Redis 7.4 have of hashes with fields that expire, in the same columns.
    const EXPIRING: &str = include_str!("../../../tests/data/dump-hashes-7.4.tsv");
    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };

    /// Name, encoding, and the value without the payload's footer.
    fn vectors() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
        let vectors = tests::vectors(PAYLOADS).chain(tests::vectors(EXPIRING));
        vectors.map(|(columns, value)| (columns[0], columns[1], value))
    }

    fn read(mut bytes: &[u8]) -> Result<Hash, Corrupt> {
        match value::read(&mut bytes, &mut Vec::new(), LIMITS)? {
            NewValue::Owned(Value::Hash(hash)) => Ok(hash),
            other => panic!("{other:?} is no hash"),
        }
    }

    fn written(hash: &Hash, compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        value::write(&mut out, ValueRef::Hash(hash), WriteOptions { compress });
        out
    }

    #[test]
    fn payloads_of_redis_are_understood() {
        assert!(vectors().count() >= 10);
        for (name, encoding, bytes) in vectors() {
            let hash = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(hash.encoding().name(), encoding, "{name}");
            assert_eq!(hash.next_expiry().is_some(), name.starts_with("ttl"), "{name}");
            assert_eq!(read(&written(&hash, true)), Ok(hash), "{name}");
        }
    }

    #[test]
    fn what_is_no_hash_is_refused() {
        let cases: [(&[u8], Corrupt); 20] = [
            (b"\x04\x00", Corrupt::Empty),
            (b"\x04\x01\x01a", Corrupt::Truncated),
            (b"\x04\x02\x01a\x01b\x01a\x01c", Corrupt::Elements),
            (b"\x04\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\x01b", Corrupt::Truncated),
            (b"\x10\x07\x07\0\0\0\0\0\xff", Corrupt::Empty),
            (b"\x10\x09\x09\0\0\0\x01\0\x01\x01\xff", Corrupt::Elements),
            (b"\x0d\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff", Corrupt::Empty),
            (b"\x0d\x0d\x0d\0\0\0\x0a\0\0\0\x01\0\0\xf1\xff", Corrupt::Elements),
            (b"\x09\x02\0\xff", Corrupt::Elements),
            (b"\x18\x01\0\0\0\0\0\0\0\x00", Corrupt::Empty),
            (b"\x18\0\0\0\0\0\0\0\0\x01\x01\x01a\x01b", Corrupt::Elements),
            (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x01a\x01b", Corrupt::Elements),
            (b"\x18\xff\xff\xff\xff\xff\xff\xff\x7f\x01\x02\x01a\x01b", Corrupt::Elements),
            (b"\x18\x01\0\0\0\0\0\0\0\x02\x01\x01a\x01b\0\x01a\x01c", Corrupt::Elements),
            (b"\x18\x01\0\0\0\0\0\0\0\x01\x01\x01a", Corrupt::Truncated),
            (b"\x19\x01\0\0\0\0\0\0\0\x07\x07\0\0\0\0\0\xff", Corrupt::Empty),
            // Two elements; a negative expiry; one behind what never expires.
            (b"\x19\x01\0\0\0\0\0\0\0\x0b\x0b\0\0\0\x02\0\x01\x01\x02\x01\xff", Corrupt::Elements),
            (
                b"\x19\x01\0\0\0\0\0\0\0\x0e\x0e\0\0\0\x03\0\x01\x01\x02\x01\xdf\xff\x02\xff",
                Corrupt::Elements,
            ),
            (
                b"\x19\x01\0\0\0\0\0\0\0\x13\x13\0\0\0\x06\0\x01\x01\x02\x01\x00\x01\
                  \x03\x01\x04\x01\x05\x01\xff",
                Corrupt::Elements,
            ),
            (b"\x09\x0b\x02\x01a\x01\0b\x01a\0\0\xff", Corrupt::Elements),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    /// Whatever is read of damaged bytes is a hash as all others.
    #[test]
    fn damage_is_survived() {
        let mut rng = Rng::seeded(11);
        for (_, _, whole) in vectors() {
            for _ in 0..(300_000 / whole.len()).clamp(50, 3000) {
                let mut bytes = whole.clone();
                for _ in 0..1 + rng.below(3) {
                    // Most damage belongs where lengths are.
                    let reach = if rng.below(2) == 0 { 40 } else { bytes.len() };
                    let at = 1 + rng.below(reach.min(bytes.len()) as u64 - 1) as usize;
                    bytes[at] = match rng.below(3) {
                        0 => rng.next_u64() as u8,
                        1 => bytes[at] ^ 1 << rng.below(8),
                        _ => bytes[at].wrapping_add(1),
                    };
                }
                if rng.below(8) == 0 {
                    bytes.truncate(1 + rng.below(bytes.len() as u64) as usize);
                }
                if let Ok(hash) = read(&bytes) {
                    assert_eq!(read(&written(&hash, false)), Ok(hash));
                }
            }
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            pairs in prop::collection::vec(
                ("[a-c0-9]{0,3}", ".{0,80}", prop::option::weighted(0.2, 1..i64::MAX)), 1..60
            ),
            compress: bool,
        ) {
            let mut hash = Hash::new();
            for (field, value, expire_at) in &pairs {
                hash.set(field.as_bytes(), value.as_bytes(), LIMITS.hash);
                hash.set_expiry(field.as_bytes(), *expire_at);
            }
            let read = read(&written(&hash, compress)).unwrap();
            // A hash that had a long value stays a table; one that is read never had it.
            let encodings = [hash.encoding(), read.encoding()];
            let became_table = encodings[0] != Encoding::Hashtable
                && encodings[1] == Encoding::Hashtable;
            prop_assert!(!became_table, "{encodings:?}");
            prop_assert_eq!(hash, read);
        }
    }
}
