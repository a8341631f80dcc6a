//! Sets: member by member, or as the intset or listpack that holds them all. What is read becomes
//! what this node's limits make of it. Called by `value`.

use super::string;
use super::{Corrupt, ReadLimits, Source, WriteOptions, length};
use crate::data::intset::Intset;
use crate::data::listpack::Element;
use crate::value::Set;
use crate::value::set::Duplicates;

/// Appends a set.
pub(super) fn write(out: &mut Vec<u8>, set: &Set, options: WriteOptions) {
    if let Some(bytes) = set.packed_bytes() {
        return string::write(out, bytes, options);
    }
    length::write(out, set.len() as u64);
    for member in set.iter() {
        match member {
            Element::Int(number) => string::write_int(out, number),
            Element::Bytes(text) => string::write(out, text, options),
        }
    }
}

/// Reads a number of members, and each of them.
pub(super) fn read_members(source: &mut impl Source, limits: ReadLimits) -> Result<Set, Corrupt> {
    let members = length::read_plain(source)?;
    if members == 0 {
        return Err(Corrupt::Empty);
    }
    let is_big = members > limits.set.intset_entries as u64;
    let mut set = if is_big { Set::empty_table() } else { Set::new() };
    for _ in 0..members {
        let member = string::read(source, limits)?;
        if !set.add(member.bytes(&mut itoa::Buffer::new()), limits.set) {
            return Err(Corrupt::Elements);
        }
    }
    Ok(set)
}

/// Reads an intset.
pub(super) fn read_intset(source: &mut impl Source, limits: ReadLimits) -> Result<Set, Corrupt> {
    let text = string::read(source, limits)?;
    let intset = Intset::from_bytes(text.bytes(&mut itoa::Buffer::new()));
    let intset = intset.map_err(|_| Corrupt::Elements)?;
    Ok(Set::from_intset(intset, limits.set))
}

/// Reads a listpack of members.
pub(super) fn read_listpack(source: &mut impl Source, limits: ReadLimits) -> Result<Set, Corrupt> {
    let listpack = string::read_listpack(source, limits)?;
    if listpack.is_empty() {
        return Err(Corrupt::Empty);
    }
    if limits.repeats && listpack.len() <= limits.set.listpack_entries {
        return Ok(Set::from_repeating(listpack));
    }
    Set::from_listpack(listpack, limits.set).map_err(|Duplicates| Corrupt::Repeated)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::base::text::from_hex;
    use crate::persistence::rdb::{tests, value};
    use crate::value::set::Limits;
    use crate::value::{NewValue, Value, ValueRef};

    /// What Redis 7.2.6 dumps of sets: the encoding, the members in hex (`-` for the empty one),
    /// and the payload, once compressed and once not where that differs.
    const VECTORS: &str = include_str!("../../../tests/data/dump-sets-7.2.tsv");
    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };

    /// Encoding, set and bytes.
    fn vectors() -> Vec<(&'static str, Set, Vec<u8>)> {
        let vector = |(columns, value): (Vec<&'static str>, Vec<u8>)| {
            let members: Vec<_> = columns[1].split(' ').map(from_hex).collect();
            let mut set = Set::for_members(&members[0], members.len(), Limits::DEFAULT);
            members.iter().for_each(|member| assert!(set.add(member, Limits::DEFAULT)));
            (columns[0], set, value)
        };
        tests::vectors(VECTORS).map(vector).collect()
    }

    fn read(mut bytes: &[u8], limits: ReadLimits) -> Result<Set, Corrupt> {
        match value::read(&mut bytes, &mut Vec::new(), limits)? {
            NewValue::Owned(Value::Set(set)) => Ok(set),
            _ => Err(Corrupt::Type(0)),
        }
    }

    fn written(set: &Set, compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        value::write(&mut out, ValueRef::Set(set), WriteOptions { compress });
        out
    }

    #[test]
    fn sets_of_redis_are_read() {
        assert!(vectors().len() >= 10);
        for (encoding, set, bytes) in vectors() {
            let theirs = read(&bytes, LIMITS).expect("a set of Redis");
            assert_eq!(theirs, set);
            assert_eq!(theirs.encoding().name(), encoding);
            assert_eq!(set.encoding().name(), encoding);
            let small = Limits { intset_entries: 1, listpack_entries: 1, listpack_value: 64 };
            let table = read(&bytes, ReadLimits { set: small, ..LIMITS }).expect("the same set");
            assert_eq!((table.encoding().name(), &table), ("hashtable", &set));
        }
    }

    /// The members of a table have no order that could be compared.
    #[test]
    fn packed_sets_are_written_as_by_redis() {
        const LZF: u8 = 0xc3;
        for (encoding, set, theirs) in vectors() {
            let compressed = theirs[1] == LZF;
            if encoding == "hashtable" || compressed {
                assert_eq!(written(&set, true)[0], theirs[0]);
            } else {
                assert_eq!(written(&set, false), theirs);
            }
        }
    }

    #[test]
    fn versions_are_those_that_have_the_encoding() {
        for (encoding, set, _) in vectors() {
            let expected = if encoding == "listpack" { 11 } else { 6 };
            assert_eq!(value::version_min(ValueRef::Set(&set)), expected, "{encoding}");
        }
    }

    /// A listpack that has its only member twice.
    const REPEATING: &[u8] = b"\x14\x0d\x0d\0\0\0\x02\0\x81a\x02\x81a\x02\xff";

    #[test]
    fn members_are_repeated_if_that_is_allowed() {
        let limits = ReadLimits { repeats: true, ..LIMITS };
        let mut set = read(REPEATING, limits).expect("a set of Redis");
        assert_eq!((set.len(), set.iter().count()), (2, 2));
        assert!(set.remove(b"a") && set.remove(b"a") && set.is_empty());
        let small = Limits { listpack_entries: 1, ..Limits::DEFAULT };
        let converted = read(REPEATING, ReadLimits { set: small, ..limits });
        assert_eq!(converted.err(), Some(Corrupt::Repeated));
    }

    #[test]
    fn nonsense_is_refused() {
        let cases: [(&[u8], Corrupt); 9] = [
            (b"\x02\x00", Corrupt::Empty),
            (b"\x02\x02\x01a\x01a", Corrupt::Elements),
            (b"\x02\x02\xc0\x05\x015", Corrupt::Elements),
            (b"\x02\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a", Corrupt::Truncated),
            (b"\x0b\x08\x02\0\0\0\0\0\0\0", Corrupt::Elements),
            (b"\x0b\x0c\x02\0\0\0\x02\0\0\0\x02\0\x01\0", Corrupt::Elements),
            (b"\x14\x07\x07\0\0\0\0\0\xff", Corrupt::Empty),
            (REPEATING, Corrupt::Repeated),
            (b"\x14\x0d\x0d\0\0\0\x03\0\x81a\x02\x81b\x02\xff", Corrupt::Elements),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes, LIMITS).err(), Some(expected), "{bytes:?}");
        }
    }

    fn member() -> impl Strategy<Value = Vec<u8>> {
        prop_oneof![
            (-300..300i64).prop_map(|n| n.to_string().into_bytes()),
            prop::collection::vec(any::<u8>(), 0..70),
        ]
    }

    proptest! {
        #[test]
        fn round_trip(
            members in prop::collection::vec(member(), 1..200),
            limit in prop_oneof![0..200usize, Just(512)],
            compress: bool,
        ) {
            let limits =
                Limits { intset_entries: limit, listpack_entries: limit, listpack_value: 64 };
            let mut set = Set::for_members(&members[0], 1, limits);
            members.iter().for_each(|member| _ = set.add(member, limits));
            let copy = read(&written(&set, compress), ReadLimits { set: limits, ..LIMITS });
            prop_assert_eq!(copy.as_ref(), Ok(&set));
            prop_assert_eq!(copy.map(|copy| copy.encoding()), Ok(set.encoding()));
        }

        /// Damage is refused, or leaves a set that can be used.
        #[test]
        fn damage_is_survived(
            which in any::<prop::sample::Index>(),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
            cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
        ) {
            let mut bytes = which.get(&vectors()).2.clone();
            for (at, byte) in places {
                // Most damage belongs where lengths are.
                let upto = bytes.len().min(24);
                bytes[at.index(upto)] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            if let Ok(mut set) = read(&bytes, LIMITS) {
                prop_assert!(!set.is_empty());
                let members: Vec<_> = set.iter().map(|member| member.to_vec()).collect();
                prop_assert_eq!(members.len(), set.len());
                for member in members {
                    prop_assert!(set.contains(&member) && set.remove(&member));
                }
                prop_assert!(set.is_empty());
            }
        }
    }
}
