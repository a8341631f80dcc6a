//! DUMP payloads: a value, the RDB version that it needs, and a checksum of both. DUMP and MIGRATE
//! make them, RESTORE opens them.

use super::rdb::library::{self, Invalid};
use super::rdb::{ReadLimits, VERSION, VERSION_MAX, WriteOptions, value};
use crate::base::crc64;
use crate::value::ValueRef;

const VERSION_BYTES: usize = 2;
const CHECKSUM_BYTES: usize = 8;

/// A payload's version is unknown, or its checksum says that it is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadFooter;

/// Appends the payload of a value. Its version is the lowest that can express the value, so that
/// older nodes can take it, too.
pub fn write(out: &mut Vec<u8>, value: ValueRef<'_>, options: WriteOptions) {
    let begin = out.len();
    value::write(out, value, options);
    out.extend_from_slice(&value::version_min(value).to_le_bytes());
    let checksum = crc64::checksum(&out[begin..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// Appends the payload of FUNCTION DUMP.
pub fn write_libraries(
    out: &mut Vec<u8>,
    texts: impl Iterator<Item = Vec<u8>>,
    options: WriteOptions,
) {
    let begin = out.len();
    texts.for_each(|text| library::write(out, &text, options));
    out.extend_from_slice(&VERSION.to_le_bytes());
    let checksum = crc64::checksum(&out[begin..]);
    out.extend_from_slice(&checksum.to_le_bytes());
}

/// The texts of libraries in what [`open`] gave.
pub fn read_libraries(body: &[u8], limits: ReadLimits) -> Result<Vec<Vec<u8>>, Invalid> {
    library::read_all(body, limits)
}

/// The encoded value of a payload whose footer is right.
pub fn open(payload: &[u8], checksum: Checksum) -> Result<&[u8], BadFooter> {
    let (signed, sum) = payload.split_last_chunk::<CHECKSUM_BYTES>().ok_or(BadFooter)?;
    let (body, version) = signed.split_last_chunk::<VERSION_BYTES>().ok_or(BadFooter)?;
    let known = u16::from_le_bytes(*version) <= VERSION_MAX;
    let whole = match checksum {
        Checksum::Verified => crc64::checksum(signed) == u64::from_le_bytes(*sum),
        Checksum::Ignored => true,
    };
    if known && whole { Ok(body) } else { Err(BadFooter) }
}

/// What is done about a payload's checksum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksum {
    /// It must be right.
    #[default]
    Verified,
    /// Nobody looks (DEBUG SET-SKIP-CHECKSUM-VALIDATION).
    Ignored,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::from_hex;
    use crate::persistence::rdb::Corrupt;
    use crate::value::{NewValue, Record};
    use proptest::prelude::*;

    /// What Redis 7.2.6 dumps of strings: the string in hex (or a byte and how often it stands
    /// there), and the payload.
    const STRINGS: &str = include_str!("../../tests/data/dump-strings-7.2.tsv");
    /// What it dumps of other types: a name, and the payload.
    const OTHERS: &str = include_str!("../../tests/data/dump-others-7.2.tsv");
    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };

    fn vectors() -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
        STRINGS.lines().map(|line| {
            let (text, payload) = line.split_once('\t').expect("two columns");
            let text = match text.split_once('x') {
                Some((byte, times)) => from_hex(byte).repeat(times.parse().expect("a number")),
                None => from_hex(text),
            };
            (text, from_hex(payload))
        })
    }

    fn payload(text: &[u8], compress: bool) -> Vec<u8> {
        let record = Record::new(b"key", NewValue::from_bytes(text), None);
        let mut out = Vec::new();
        write(&mut out, record.value(), WriteOptions { compress });
        out
    }

    /// The string that a payload restores to.
    fn restored(payload: &[u8], checksum: Checksum) -> Result<Vec<u8>, Option<Corrupt>> {
        let mut body = open(payload, checksum).map_err(|BadFooter| None)?;
        let mut scratch = Vec::new();
        let value = value::read(&mut body, &mut scratch, LIMITS).map_err(Some)?;
        let record = Record::new(b"key", value, None);
        let mut digits = itoa::Buffer::new();
        Ok(record.value().string(&mut digits).expect("a string").to_vec())
    }

    /// The same payload with a checksum that is right.
    fn signed(mut payload: Vec<u8>) -> Vec<u8> {
        payload.truncate(payload.len() - CHECKSUM_BYTES);
        let checksum = crc64::checksum(&payload);
        payload.extend_from_slice(&checksum.to_le_bytes());
        payload
    }

    #[test]
    fn payloads_of_redis_are_understood() {
        assert!(vectors().count() > 30);
        for (text, theirs) in vectors() {
            assert_eq!(restored(&theirs, Checksum::Verified), Ok(text));
        }
    }

    /// Where nothing is compressed, ours differ from Redis's in the version alone.
    #[test]
    fn payloads_are_those_of_redis_but_for_the_version() {
        const LZF: u8 = 0xc3;
        for (text, theirs) in vectors() {
            let ours = payload(&text, true);
            let (ours_body, theirs_body) = (&ours[..ours.len() - 10], &theirs[..theirs.len() - 10]);
            assert_eq!(&ours[ours.len() - 10..][..2], [6, 0]);
            if theirs_body[1] == LZF {
                assert_eq!(ours_body[1], LZF, "{text:?}");
                let most = theirs_body.len() + theirs_body.len() / 50;
                assert!(ours_body.len() <= most, "{} for {most}", ours_body.len());
            } else {
                assert_eq!(ours_body, theirs_body, "{text:?}");
            }
        }
    }

    #[test]
    fn other_types_are_understood() {
        for line in OTHERS.lines() {
            let (name, payload) = line.split_once('\t').expect("two columns");
            let payload = from_hex(payload);
            let mut body = open(&payload, Checksum::Verified).expect("whole");
            let value = value::read(&mut body, &mut Vec::new(), LIMITS).map(|value| value.kind());
            assert!(value.is_ok() && body.is_empty(), "{name}: {value:?}");
        }
    }

    #[test]
    fn types_of_modules_are_refused() {
        for byte in [6, 7, 100] {
            let mut changed = payload(b"value", true);
            changed[0] = byte;
            let refused = restored(&signed(changed), Checksum::Verified);
            assert_eq!(refused, Err(Some(Corrupt::Type(byte))));
        }
    }

    #[test]
    fn footers_are_checked() {
        let good = payload(b"value", true);
        let with_version = |version: u16| {
            let mut changed = good.clone();
            let at = changed.len() - VERSION_BYTES - CHECKSUM_BYTES;
            changed[at..at + VERSION_BYTES].copy_from_slice(&version.to_le_bytes());
            changed
        };
        for version in [0, 1, 6, VERSION_MAX] {
            assert_eq!(
                open(&signed(with_version(version)), Checksum::Verified),
                Ok(&b"\0\x05value"[..])
            );
        }
        for version in [VERSION_MAX + 1, 0x0100, u16::MAX] {
            let changed = signed(with_version(version));
            assert_eq!(open(&changed, Checksum::Verified), Err(BadFooter));
            assert_eq!(open(&changed, Checksum::Ignored), Err(BadFooter));
        }
        let mut unsigned = good.clone();
        unsigned[2] ^= 1;
        assert_eq!(open(&unsigned, Checksum::Verified), Err(BadFooter));
        assert!(open(&unsigned, Checksum::Ignored).is_ok());
        // A checksum of 0 is a checksum like others.
        let at = unsigned.len() - CHECKSUM_BYTES;
        unsigned[at..].fill(0);
        assert_eq!(open(&unsigned, Checksum::Verified), Err(BadFooter));
        for length in 0..10 {
            assert_eq!(open(&good[..length], Checksum::Ignored), Err(BadFooter));
        }
    }

    proptest! {
        #[test]
        fn round_trip(text in prop::collection::vec(any::<u8>(), 0..1500), compress: bool) {
            let payload = payload(&text, compress);
            prop_assert_eq!(restored(&payload, Checksum::Verified), Ok(text));
        }

        #[test]
        fn round_trip_of_repetition(
            piece in prop::collection::vec(any::<u8>(), 1..40), times in 1usize..3000
        ) {
            let text = piece.repeat(times);
            prop_assert_eq!(restored(&payload(&text, true), Checksum::Verified), Ok(text));
        }

        /// Any change is noticed.
        #[test]
        fn damage_is_refused(
            which in any::<prop::sample::Index>(),
            at in any::<prop::sample::Index>(),
            bit in 0u8..8,
            cut: bool,
        ) {
            let vectors: Vec<_> = vectors().collect();
            let mut payload = which.get(&vectors).1.clone();
            let at = at.index(payload.len());
            if cut {
                payload.truncate(at);
            } else {
                payload[at] ^= 1 << bit;
            }
            prop_assert_eq!(restored(&payload, Checksum::Verified), Err(None));
        }

        /// Nor does a right checksum let damage do harm: no panic, and no more memory than a string
        /// may have.
        #[test]
        fn damage_behind_a_right_checksum_is_survived(
            which in any::<prop::sample::Index>(),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let vectors: Vec<_> = vectors().collect();
            let mut body = which.get(&vectors).1.clone();
            body.truncate(body.len() - 10);
            for (at, byte) in places {
                // Most damage belongs where lengths are.
                let upto = body.len().min(12);
                body[at.index(upto)] = byte;
            }
            body.truncate(1 + cut.index(2 * body.len()));
            let mut payload = body;
            payload.extend_from_slice(&[0; 10]);
            if let Ok(text) = restored(&signed(payload), Checksum::Verified) {
                prop_assert!(text.len() <= LIMITS.string_bytes_max);
            }
        }
    }
}
