//! Sorted sets: member by member with the scores as text or in binary, or as the listpack or
//! ziplist that holds them all. What is read becomes a listpack or a table by this node's limits.
//! Called by `value`.

use super::string;
use super::ziplist::Ziplist;
use super::{Corrupt, ReadLimits, Source, WriteOptions, length};
use crate::base::numbers;
use crate::data::listpack::{Element, Listpack};
use crate::value::Zset;
use crate::value::scored::Builder;
use crate::value::zset::Invalid;

/// Lengths of a text that stand for scores which have no digits.
const TEXT_NAN: u8 = 253;
const TEXT_INFINITY: u8 = 254;
const TEXT_NEG_INFINITY: u8 = 255;

/// Appends a sorted set.
pub(super) fn write(out: &mut Vec<u8>, zset: &Zset, options: WriteOptions) {
    if let Some(pairs) = zset.listpack() {
        string::write(out, pairs.as_bytes(), options);
        return;
    }
    length::write(out, zset.len() as u64);
    // From the end, as Redis does: whoever reads it puts each member in front of all others.
    for (member, score) in zset.iter().rev() {
        match member {
            Element::Int(number) => string::write_int(out, number),
            Element::Bytes(text) => string::write(out, text, options),
        }
        out.extend_from_slice(&score.to_le_bytes());
    }
}

/// Reads a number of members, and each of them with its score as text.
pub(super) fn read_texts(source: &mut impl Source, limits: ReadLimits) -> Result<Zset, Corrupt> {
    read_members(source, limits, |source| match source.take_byte()? {
        TEXT_NAN => Err(Corrupt::Elements),
        TEXT_INFINITY => Ok(f64::INFINITY),
        TEXT_NEG_INFINITY => Ok(f64::NEG_INFINITY),
        length => numbers::strtod(source.take(length.into())?).ok_or(Corrupt::Elements),
    })
}

/// Reads a number of members, and each of them with its score in binary.
pub(super) fn read_doubles(source: &mut impl Source, limits: ReadLimits) -> Result<Zset, Corrupt> {
    read_members(source, limits, |source| {
        let bytes = source.take(size_of::<f64>() as u64)?;
        bytes.first_chunk().copied().map(f64::from_le_bytes).ok_or(Corrupt::Truncated)
    })
}

fn read_members<S: Source>(
    source: &mut S,
    limits: ReadLimits,
    read_score: impl Fn(&mut S) -> Result<f64, Corrupt>,
) -> Result<Zset, Corrupt> {
    let count = length::read_plain(source)?;
    if count == 0 {
        return Err(Corrupt::Empty);
    }
    let mut members = Builder::default();
    let mut member = Vec::new();
    for _ in 0..count {
        string::read(source, limits)?.write_over(&mut member);
        // It cannot be as long, as a request's argument cannot be.
        if u32::try_from(member.len()).is_err() {
            return Err(Corrupt::TooLong);
        }
        let score = read_score(source)?;
        if score.is_nan() {
            return Err(Corrupt::Elements);
        }
        let before = members.len();
        members.add(&member, |_| score);
        if members.len() == before {
            return Err(Corrupt::Elements);
        }
    }
    Ok(Zset::from_members(members, limits.zset))
}

/// Reads a listpack of members and scores by turns.
pub(super) fn read_listpack(source: &mut impl Source, limits: ReadLimits) -> Result<Zset, Corrupt> {
    of_listpack(string::read_listpack(source, limits)?, limits)
}

/// Reads a ziplist of members and scores by turns, as Redis wrote it before version 10.
pub(super) fn read_ziplist(source: &mut impl Source, limits: ReadLimits) -> Result<Zset, Corrupt> {
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

fn of_listpack(pairs: Listpack, limits: ReadLimits) -> Result<Zset, Corrupt> {
    if pairs.is_empty() {
        return Err(Corrupt::Empty);
    }
    Zset::from_listpack(pairs, limits.zset).map_err(|Invalid| Corrupt::Elements)
}

#[cfg(test)]
mod tests {
    use super::super::{tests, value};
    use super::*;
    use crate::base::rng::Rng;
    use crate::value::{Encoding, NewValue, Value, ValueRef};
    use proptest::prelude::*;

    /// What Redis 7.2.6 makes of payloads: a name, the encoding, the digest, the payload in hex.
    const PAYLOADS: &str = include_str!("../../../tests/data/dump-zsets-7.2.tsv");
    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };
    /// The first byte of a compressed string.
    const LZF: u8 = 0xc3;

    /// Name, encoding, and the value without the payload's footer.
    fn vectors() -> impl Iterator<Item = (&'static str, &'static str, Vec<u8>)> {
        tests::vectors(PAYLOADS).map(|(columns, value)| (columns[0], columns[1], value))
    }

    fn read(mut bytes: &[u8]) -> Result<Zset, Corrupt> {
        match value::read(&mut bytes, &mut Vec::new(), LIMITS)? {
            NewValue::Owned(Value::Zset(zset)) => Ok(zset),
            other => panic!("{other:?} is no sorted set"),
        }
    }

    fn written(zset: &Zset, compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        value::write(&mut out, ValueRef::Zset(zset), WriteOptions { compress });
        out
    }

    #[test]
    fn payloads_of_redis_are_understood() {
        assert!(vectors().count() >= 10);
        for (name, encoding, bytes) in vectors() {
            let zset = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(zset.encoding().name(), encoding, "{name}");
            // There are several ways to compress.
            if !bytes.contains(&LZF) {
                assert_eq!(written(&zset, true), bytes, "{name}");
            }
            assert_eq!(read(&written(&zset, true)), Ok(zset), "{name}");
        }
    }

    #[test]
    fn older_forms_are_understood() {
        let members = |zset: &Zset| -> Vec<_> {
            zset.iter().map(|(member, score)| (member.to_vec(), score)).collect()
        };
        let texts = read(b"\x03\x04\x01a\x031.5\x01b\xfe\x01c\xff\x01d\x0517e-1").unwrap();
        let expected = [("c", f64::NEG_INFINITY), ("a", 1.5), ("d", 1.7), ("b", f64::INFINITY)];
        assert_eq!(members(&texts), expected.map(|(name, score)| (name.into(), score)));
        let ziplist = b"\x0c\x18\x18\0\0\0\x12\0\0\0\x04\0\0\x01a\x03\xf2\x02\x01b\x03\x032.5\xff";
        assert_eq!(members(&read(ziplist).unwrap()), [(b"a".into(), 1.0), (b"b".into(), 2.5)]);
        assert_eq!(value::version_min(ValueRef::Zset(&texts)), 10);
        let big = Zset::from_listpack(
            texts.listpack().unwrap().clone(),
            crate::value::zset::Limits::NONE,
        );
        assert_eq!(value::version_min(ValueRef::Zset(&big.unwrap())), 8);
    }

    #[test]
    fn what_is_no_sorted_set_is_refused() {
        let nan = [&b"\x05\x01\x01a"[..], &f64::NAN.to_le_bytes()].concat();
        let cases: [(&[u8], Corrupt); 13] = [
            (&nan, Corrupt::Elements),
            (b"\x05\x00", Corrupt::Empty),
            (b"\x05\x01\x01a\0\0\0\0", Corrupt::Truncated),
            (b"\x05\x02\x01a\0\0\0\0\0\0\0\0\x01a\0\0\0\0\0\0\0\0", Corrupt::Elements),
            (b"\x05\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a\0\0\0\0\0\0\0\0", Corrupt::Truncated),
            (b"\x03\x00", Corrupt::Empty),
            (b"\x03\x01\x01a\xfd", Corrupt::Elements),
            (b"\x03\x01\x01a\x01x", Corrupt::Elements),
            (b"\x03\x01\x01a\x031", Corrupt::Truncated),
            (b"\x11\x07\x07\0\0\0\0\0\xff", Corrupt::Empty),
            (b"\x11\x09\x09\0\0\0\x01\0\x01\x01\xff", Corrupt::Elements),
            // Two members in the wrong order.
            (b"\x11\x11\x11\0\0\0\x04\0\x81b\x02\x01\x01\x81a\x02\x01\x01\xff", Corrupt::Elements),
            (b"\x0c\x0b\x0b\0\0\0\x0a\0\0\0\0\0\xff", Corrupt::Empty),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes), Err(expected), "{}", bytes.escape_ascii());
        }
    }

    /// Whatever is read of damaged bytes is a sorted set as all others.
    #[test]
    fn damage_is_survived() {
        let mut rng = Rng::seeded(12);
        for (_, _, whole) in vectors() {
            for _ in 0..2000 {
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
                if let Ok(mut zset) = read(&bytes) {
                    assert_eq!(read(&written(&zset, false)).as_ref(), Ok(&zset));
                    let members: Vec<_> = zset.iter().map(|(member, _)| member.to_vec()).collect();
                    assert!(members.iter().all(|member| zset.remove(member).is_some()));
                    assert!(zset.is_empty());
                }
            }
        }
    }

    proptest! {
        #[test]
        fn round_trip(
            pairs in prop::collection::vec(("[a-c0-9]{0,3}", any::<f64>()), 1..200),
            compress: bool,
        ) {
            let mut zset = Zset::new();
            for (member, score) in &pairs {
                let score = if score.is_nan() { 1.0 } else { *score };
                zset.set(member.as_bytes(), score, LIMITS.zset);
            }
            let read = read(&written(&zset, compress)).unwrap();
            let encodings = [zset.encoding(), read.encoding()];
            prop_assert_ne!(encodings, [Encoding::Listpack, Encoding::Skiplist]);
            prop_assert_eq!(zset, read);
        }
    }
}
