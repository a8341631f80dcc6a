//! Lists: nodes of a quicklist with their kind in front. Read in all encodings that lists ever had:
//! one string per element, a ziplist, ziplists, and listpacks or plain elements.

use super::string;
use super::ziplist::Ziplist;
use super::{Corrupt, ReadLimits, Source, WriteOptions, length};
use crate::data::listpack::Listpack;
use crate::data::quicklist::{NodeRef, Quicklist};
use crate::value::list::{Changed, End, List, Repr};

/// Kinds of nodes (Redis: QUICKLIST_NODE_CONTAINER_PLAIN and _PACKED).
const PLAIN: u64 = 1;
const PACKED: u64 = 2;

/// Appends a list. One that is short is written as if it were a quicklist.
pub(super) fn write(out: &mut Vec<u8>, list: &List, options: WriteOptions) {
    match list.repr() {
        Repr::Listpack(listpack) => {
            length::write(out, 1);
            length::write(out, PACKED);
            string::write(out, listpack.as_bytes(), options);
        }
        Repr::Quicklist(quicklist) => {
            let nodes = quicklist.nodes();
            length::write(out, nodes.len() as u64);
            nodes.for_each(|node| write_node(out, node, options));
        }
    }
}

fn write_node(out: &mut Vec<u8>, node: NodeRef<'_>, options: WriteOptions) {
    length::write(out, if node.is_plain { PLAIN } else { PACKED });
    match node.unpacked_bytes {
        // What is compressed in memory is copied, whether compression is wanted or not.
        Some(unpacked) => string::write_packed(out, node.bytes, unpacked),
        None => string::write(out, node.bytes, options),
    }
}

/// Reads what is a string per element.
pub(super) fn read_strings(source: &mut impl Source, limits: ReadLimits) -> Result<List, Corrupt> {
    let mut quicklist = Quicklist::new(&limits.list);
    for _ in 0..length::read_plain(source)? {
        let text = string::read(source, limits)?;
        quicklist.push(End::Tail, text.bytes(&mut itoa::Buffer::new()), limits.list.large_bytes);
    }
    built(quicklist, limits)
}

/// Reads one ziplist. It stays a quicklist however short it is, as in Redis.
pub(super) fn read_ziplist(source: &mut impl Source, limits: ReadLimits) -> Result<List, Corrupt> {
    let text = string::read(source, limits)?;
    let mut quicklist = Quicklist::new(&limits.list);
    for element in Ziplist::open(text.bytes(&mut itoa::Buffer::new()))? {
        let mut digits = itoa::Buffer::new();
        quicklist.push(End::Tail, element.bytes(&mut digits), limits.list.large_bytes);
    }
    if quicklist.is_empty() { Err(Corrupt::Empty) } else { Ok(List::from(quicklist)) }
}

/// Reads nodes that are ziplists.
pub(super) fn read_ziplists(source: &mut impl Source, limits: ReadLimits) -> Result<List, Corrupt> {
    let mut quicklist = Quicklist::new(&limits.list);
    for _ in 0..length::read_plain(source)? {
        let text = string::read(source, limits)?;
        quicklist.push_listpack(to_listpack(text.bytes(&mut itoa::Buffer::new()))?);
    }
    built(quicklist, limits)
}

/// The listpack of a ziplist's elements.
fn to_listpack(ziplist: &[u8]) -> Result<Listpack, Corrupt> {
    let mut listpack = Listpack::new();
    for element in Ziplist::open(ziplist)? {
        listpack.push_back(element.bytes(&mut itoa::Buffer::new()));
    }
    Ok(listpack)
}

/// Reads nodes that are listpacks or plain elements.
pub(super) fn read_nodes(source: &mut impl Source, limits: ReadLimits) -> Result<List, Corrupt> {
    let mut quicklist = Quicklist::new(&limits.list);
    for _ in 0..length::read_plain(source)? {
        let kind = length::read_plain(source)?;
        let text = string::read(source, limits)?;
        let mut digits = itoa::Buffer::new();
        let bytes = text.bytes(&mut digits);
        match kind {
            // A node counts its bytes in 32 bits.
            PLAIN if !bytes.is_empty() && u32::try_from(bytes.len()).is_ok() => {
                quicklist.push_plain(bytes.into());
            }
            PACKED => {
                let listpack = Listpack::from_bytes(bytes);
                quicklist.push_listpack(listpack.map_err(|_| Corrupt::Elements)?);
            }
            _ => return Err(Corrupt::Elements),
        }
    }
    built(quicklist, limits)
}

/// The list in the encoding that it should have.
fn built(quicklist: Quicklist, limits: ReadLimits) -> Result<List, Corrupt> {
    if quicklist.is_empty() {
        return Err(Corrupt::Empty);
    }
    let mut list = List::from(quicklist);
    list.settle(Changed::Built, &limits.list);
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::text::from_hex;
    use crate::persistence::rdb::{tests, value};
    use crate::value::list::{Direction, Limits};
    use crate::value::{NewValue, Value, ValueRef};
    use proptest::prelude::*;

    /// What Redis 7.2.6 dumps of lists: list-max-listpack-size, list-compress-depth and the packed
    /// threshold, the elements in hex, and the payload.
    const VECTORS: &str = include_str!("../../../tests/data/dump-lists-7.2.tsv");

    struct Vector {
        limits: ReadLimits,
        elements: Vec<Vec<u8>>,
        body: Vec<u8>,
    }

    fn vectors() -> Vec<Vector> {
        let parse = |(columns, body): (Vec<&str>, Vec<u8>)| {
            let numbers: Vec<i32> =
                columns[0].split(' ').map(|n| n.parse().expect("a number")).collect();
            let large_bytes = if numbers[2] == 0 { 1 << 30 } else { numbers[2] as usize };
            let list = Limits { fill: numbers[0], compress_depth: numbers[1] as u32, large_bytes };
            Vector {
                limits: ReadLimits { string_bytes_max: 1 << 20, list, ..ReadLimits::DEFAULT },
                elements: columns[1].split(',').map(from_hex).collect(),
                body,
            }
        };
        tests::vectors(VECTORS).map(parse).collect()
    }

    fn read(mut bytes: &[u8], limits: ReadLimits) -> Result<List, Corrupt> {
        let mut scratch = Vec::new();
        match value::read(&mut bytes, &mut scratch, limits)? {
            NewValue::Owned(Value::List(list)) => Ok(list),
            _ => Err(Corrupt::Type(0)),
        }
    }

    fn contents(list: &List) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        list.walk(0, Direction::Forward, |element| {
            found.push(element.to_vec());
            false
        });
        found
    }

    fn written(list: &List, compress: bool) -> Vec<u8> {
        let mut out = Vec::new();
        value::write(&mut out, ValueRef::List(list), WriteOptions { compress });
        out
    }

    #[test]
    fn lists_of_redis_are_read_and_written_alike() {
        for Vector { limits, elements, body } in vectors() {
            let list = read(&body, limits).expect("a list");
            assert_eq!(contents(&list), elements);
            let ours = written(&list, true);
            // Compression need not find the same repetitions.
            let has_lzf = ours.len() > 40 || body.len() > 40;
            assert!(has_lzf || ours == body, "{ours:02x?} for {body:02x?}");
            assert!(ours.len() <= body.len() + body.len() / 20);
            for compress in [false, true] {
                let again = read(&written(&list, compress), limits).expect("a list");
                assert_eq!(
                    (contents(&again), again.encoding()),
                    (elements.clone(), list.encoding())
                );
            }
        }
    }

    #[test]
    fn older_encodings() {
        let limits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };
        let strings = b"\x01\x03\x01a\xc0\x07\x02bc";
        let ziplist = b"\x0f\0\0\0\x0c\0\0\0\x02\0\0\xf8\x02\xf9\xff";
        let as_ziplist = [&b"\x0a\x0f"[..], ziplist].concat();
        let as_ziplists = [&b"\x0e\x02\x0f"[..], ziplist, b"\x0f", ziplist].concat();
        let texts = |bytes: &[u8]| {
            let list = read(bytes, limits).expect("a list");
            let texts: Vec<u8> = contents(&list).join(&b' ');
            (String::from_utf8(texts).expect("text"), list.encoding().name())
        };
        assert_eq!(texts(strings), ("a 7 bc".into(), "listpack"));
        assert_eq!(texts(&as_ziplist), ("7 8".into(), "quicklist"));
        assert_eq!(texts(&as_ziplists), ("7 8 7 8".into(), "quicklist"));
    }

    #[test]
    fn nonsense_is_refused() {
        let limits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };
        let cases: [(&[u8], Corrupt); 9] = [
            (b"\x01\0", Corrupt::Empty),
            (b"\x0e\0", Corrupt::Empty),
            (b"\x12\0", Corrupt::Empty),
            (b"\x12\x01\x02\x07\x07\0\0\0\0\0\xff", Corrupt::Empty),
            (b"\x12\x01\x03\x01a", Corrupt::Elements),
            (b"\x12\x01\x01\0", Corrupt::Elements),
            (b"\x12\x01\x02\x01a", Corrupt::Elements),
            (b"\x01\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01a", Corrupt::Truncated),
            (b"\x12\xc3\x01\0", Corrupt::Length(0xc3)),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(bytes, limits), Err(expected), "{bytes:02x?}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4000))]

        /// Damage that a checksum did not tell does no harm, whether it is noticed or not.
        #[test]
        fn damage_is_survived(
            which in any::<prop::sample::Index>(),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            kind in prop::sample::select(vec![0u8, 0, 0, 1, 10, 14]),
            cut in any::<prop::sample::Index>(),
            front: bool,
        ) {
            let mut vectors = vectors();
            let Vector { limits, mut body, .. } = vectors.swap_remove(which.index(vectors.len()));
            for (at, byte) in places {
                let upto = if front { body.len().min(24) } else { body.len() };
                body[at.index(upto)] = byte;
            }
            body.truncate(1 + cut.index(4 * body.len()));
            body[0] = if kind == 0 { 18 } else { kind };
            if let Ok(mut list) = read(&body, limits) {
                prop_assert_eq!(contents(&list).len(), list.len());
                let again = read(&written(&list, true), limits).expect("a list");
                prop_assert_eq!(contents(&again), contents(&list));
                list.replace(list.len() / 2, b"changed", &limits.list);
                list.remove_range(list.len() / 2, 1);
            }
        }
    }
}
