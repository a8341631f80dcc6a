//! Listpacks against a model and against bytes of Redis, and their defence against other bytes.

use proptest::prelude::*;

use super::*;
use crate::base::text::from_hex;

/// What Redis 7.2.6 stores for elements: these in hex (`-` for the empty one, or a byte and how
/// often it stands there), and the listpack.
const VECTORS: &str = include_str!("../../../tests/data/listpacks-7.2.tsv");

fn word(text: &str) -> Vec<u8> {
    match text.split_once('x') {
        Some((byte, times)) => from_hex(byte).repeat(times.parse().expect("a number")),
        None if text == "-" => Vec::new(),
        None => from_hex(text),
    }
}

fn vectors() -> impl Iterator<Item = (Vec<Vec<u8>>, Vec<u8>)> {
    VECTORS.lines().map(|line| {
        let (elements, bytes) = line.split_once('\t').expect("two columns");
        let bytes = bytes.split_whitespace().flat_map(word).collect();
        (elements.split_whitespace().map(word).collect(), bytes)
    })
}

fn listpack(elements: &[Vec<u8>]) -> Listpack {
    let mut listpack = Listpack::new();
    elements.iter().for_each(|element| listpack.push_back(element));
    listpack
}

fn contents(listpack: &Listpack) -> Vec<Vec<u8>> {
    listpack.iter().map(|element| element.to_vec()).collect()
}

/// Everything that can be read is what the model says.
fn check(listpack: &Listpack, model: &[Vec<u8>]) {
    assert_eq!(contents(listpack), model);
    assert_eq!(listpack.len(), model.len());
    assert_eq!(listpack.is_empty(), model.is_empty());
    let mut backwards: Vec<_> = listpack.iter().rev().map(|element| element.to_vec()).collect();
    backwards.reverse();
    assert_eq!(backwards, model);
    let len = model.len() as isize;
    for index in -len - 2..len + 2 {
        let at = if index < 0 { index + len } else { index };
        let expected = usize::try_from(at).ok().and_then(|at| model.get(at));
        let cursor = listpack.get(index);
        assert_eq!(cursor.map(|cursor| listpack.at(cursor).to_vec()).as_ref(), expected);
        if let Some(cursor) = cursor {
            assert_eq!(cursor.next(listpack), listpack.get(at + 1));
            let before = if at == 0 { None } else { listpack.get(at - 1) };
            assert_eq!(cursor.prev(listpack), before);
        }
    }
    assert_eq!(Listpack::from_bytes(listpack.as_bytes()).as_ref(), Ok(listpack));
    // How much more is the allocator's, and tested with thin bytes.
    assert!(listpack.heap_bytes() >= listpack.bytes());
}

#[test]
fn bytes_are_those_of_redis() {
    assert!(vectors().count() > 15);
    for (elements, bytes) in vectors() {
        let made = listpack(&elements);
        assert_eq!(made.as_bytes(), bytes, "{elements:?}");
        check(&Listpack::from_bytes(&bytes).expect("a listpack of Redis"), &elements);
        let mut reversed = Listpack::new();
        elements.iter().rev().for_each(|element| reversed.push_front(element));
        assert_eq!(reversed, made);
        let entries: usize = elements.iter().map(|element| Listpack::entry_bytes(element)).sum();
        assert_eq!(HEADER_BYTES + entries + 1, made.bytes());
    }
}

#[test]
fn long_elements() {
    for length in [16_379, 2_097_145, 2_097_146, 2_097_147, 3_000_000] {
        let elements = [b"a".to_vec(), vec![b'x'; length], b"77".to_vec()];
        check(&listpack(&elements), &elements);
    }
}

#[test]
fn more_elements_than_the_header_counts() {
    let mut listpack = Listpack::new();
    for n in 0..65_534 {
        listpack.push_back(n.to_string().as_bytes());
    }
    assert_eq!((listpack.announced(), listpack.len()), (65_534, 65_534));
    listpack.push_back(b"a");
    assert_eq!((listpack.announced(), listpack.len()), (LEN_UNKNOWN, 65_535));
    listpack.push_back(b"b");
    assert_eq!((listpack.announced(), listpack.len()), (LEN_UNKNOWN, 65_536));
    assert_eq!(listpack.get(-1), listpack.last());
    assert_eq!(listpack.get(65_535), listpack.last());
    assert_eq!((listpack.get(65_536), listpack.get(-65_537)), (None, None));
    assert_eq!(listpack.get(-65_536), listpack.first());
    let mut open = OpenListpack::from(&listpack);
    for edge in [Edge::Front, Edge::Back] {
        open.push(edge, b"c");
        assert_eq!((open.announced(), open.len()), (LEN_UNKNOWN, 65_537));
        open.pop(edge, |element| assert_eq!(element.to_vec(), b"c"));
    }
    assert_eq!(open.as_bytes(), listpack.as_bytes());
    listpack.remove(listpack.first().expect("many"), 10);
    assert_eq!((listpack.announced(), listpack.len()), (LEN_UNKNOWN, 65_526));
    assert_eq!(Listpack::from_bytes(listpack.as_bytes()), Ok(listpack));
}

#[test]
fn integers_that_are_not_stored_as_such() {
    // "5" as a string, and 5 as a 64-bit integer.
    let bytes = from_hex("1400000002008135 02f4050000000000000009ff".replace(' ', "").as_str());
    let mut bytes = bytes;
    bytes[0] = bytes.len() as u8;
    let listpack = Listpack::from_bytes(&bytes).expect("Redis accepts it");
    assert_eq!(contents(&listpack), [b"5", b"5"]);
    assert!(listpack.iter().all(|element| element.eq_bytes(b"5")));
    assert!(!listpack.is_unique(1));
    assert!(listpack.is_unique(2));
}

#[test]
fn uniqueness() {
    let pack = |words: &[&str]| {
        listpack(&words.iter().map(|word| word.as_bytes().to_vec()).collect::<Vec<_>>())
    };
    assert!(pack(&[]).is_unique(1));
    assert!(pack(&["a", "b", "1", "01"]).is_unique(1));
    assert!(!pack(&["a", "b", "a"]).is_unique(1));
    assert!(pack(&["a", "x", "b", "x"]).is_unique(2));
    assert!(!pack(&["a", "x", "b"]).is_unique(2));
    assert!(!pack(&["a", "x", "a", "y"]).is_unique(2));
}

#[test]
fn finding_passes_over_values() {
    let words = ["a", "b", "b", "a", "7", "a"].map(|word| word.as_bytes().to_vec());
    let listpack = listpack(&words);
    assert_eq!(listpack.find(b"b", 0), listpack.get(1));
    assert_eq!(listpack.find(b"b", 1), listpack.get(2));
    assert_eq!(listpack.find(b"7", 1), listpack.get(4));
    assert_eq!(listpack.find(b"7", 2), None);
    assert_eq!(listpack.find(b"07", 0), None);
    assert_eq!(Listpack::new().find(b"a", 0), None);
    let from = listpack.get(3).expect("six elements");
    assert_eq!(listpack.find_from(from, b"a", 1), listpack.get(3));
    assert_eq!(listpack.find_from(from, b"b", 0), None);
    assert_eq!(listpack.iter_from(from).count(), 3);
}

#[test]
fn nonsense_is_refused() {
    let good = "0d0000000200816102816202ff";
    assert!(Listpack::from_bytes(&from_hex(good)).is_ok());
    let cases = [
        "",
        "07000000",
        "070000000000",
        "07000000000000",
        // The length, the number, and the end.
        "0e0000000200816102816202ff",
        "0d0000000300816102816202ff",
        "0d0000000100816102816202ff",
        "0d000000020081610281620200",
        "0e000000020081610281620200ff",
        "0e0000000200816102816202ffff",
        // The length behind an entry, and one that is longer than needed.
        "0d0000000200816103816202ff",
        "0900000001000182ff",
        "0a00000001000181 00ff",
        // Kinds that do not exist, and entries that end nowhere.
        "090000000100f501ff",
        "090000000100fe01ff",
        "090000000100bf01ff",
        "0a0000000100effe01ff",
        "0d0000000100f0ffffffff01ff",
        "0a0000000100f0ff01ff",
        "080000000100f4ff",
    ];
    for case in cases {
        let bytes = from_hex(&case.replace(' ', ""));
        assert_eq!(Listpack::from_bytes(&bytes), Err(Invalid), "{case}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    PushBack(Vec<u8>),
    PushFront(Vec<u8>),
    Before(prop::sample::Index, Vec<u8>),
    After(prop::sample::Index, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    Remove(prop::sample::Index, usize),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..6),
        3 => any::<(i64, u32)>().prop_map(|(n, shift)| (n >> (shift % 64)).to_string().into()),
        1 => prop::collection::vec(b'0'..=b'9', 0..22),
        1 => (0..200usize).prop_map(|length| vec![b'z'; length]),
        1 => (4000..4200usize).prop_map(|length| vec![b'z'; length]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    use prop::sample::Index;
    prop_oneof![
        3 => element().prop_map(Step::PushBack),
        2 => element().prop_map(Step::PushFront),
        2 => (any::<Index>(), element()).prop_map(|(at, element)| Step::Before(at, element)),
        2 => (any::<Index>(), element()).prop_map(|(at, element)| Step::After(at, element)),
        2 => (any::<Index>(), element()).prop_map(|(at, element)| Step::Replace(at, element)),
        2 => (any::<Index>(), 0..4usize).prop_map(|(at, count)| Step::Remove(at, count)),
    ]
}

fn apply(listpack: &mut Listpack, model: &mut Vec<Vec<u8>>, step: Step) {
    let (index, element) = match step {
        Step::PushBack(element) => {
            listpack.push_back(&element);
            return model.push(element);
        }
        Step::PushFront(element) => {
            listpack.push_front(&element);
            return model.insert(0, element);
        }
        Step::Before(at, _) | Step::After(at, _) | Step::Replace(at, _) | Step::Remove(at, _)
            if model.is_empty() =>
        {
            return assert_eq!(listpack.get(at.index(9) as isize), None);
        }
        Step::Before(ref at, ref element) => (at.index(model.len()), element.clone()),
        Step::After(ref at, ref element) => (at.index(model.len()), element.clone()),
        Step::Replace(ref at, ref element) => (at.index(model.len()), element.clone()),
        Step::Remove(ref at, _) => (at.index(model.len()), Vec::new()),
    };
    let cursor = listpack.get(index as isize).expect("within");
    let now_at = match step {
        Step::Before(..) => {
            model.insert(index, element);
            (Some(listpack.insert_before(cursor, &model[index])), index)
        }
        Step::After(..) => {
            model.insert(index + 1, element);
            (Some(listpack.insert_after(cursor, &model[index + 1])), index + 1)
        }
        Step::Remove(_, count) => {
            model.drain(index..model.len().min(index + count));
            (listpack.remove(cursor, count), index)
        }
        _ => {
            listpack.replace(cursor, &element);
            model[index] = element;
            (Some(cursor), index)
        }
    };
    assert_eq!(now_at.0, listpack.get(now_at.1 as isize));
}

proptest! {
    #[test]
    fn is_a_sequence(steps in prop::collection::vec(step(), 0..60)) {
        let (mut listpack, mut model) = (Listpack::new(), Vec::new());
        for step in steps {
            apply(&mut listpack, &mut model, step);
            check(&listpack, &model);
        }
        for (index, element) in model.iter().enumerate() {
            let first = model.iter().position(|other| other == element);
            let found = listpack.find(element, 0);
            prop_assert_eq!(found, listpack.get(first.unwrap_or(index) as isize));
        }
    }

    /// With room at its ends it has the same bytes, and not too much room.
    #[test]
    fn open_ends_change_no_byte(
        first in prop::collection::vec(element(), 0..30),
        steps in prop::collection::vec(
            (prop_oneof![Just(Edge::Front), Just(Edge::Back)], prop::option::of(element())), 0..60
        ),
    ) {
        let mut model = listpack(&first);
        let mut open = OpenListpack::from(&model);
        for (edge, added) in steps {
            if let Some(element) = added {
                open.push(edge, &element);
                match edge {
                    Edge::Front => model.push_front(&element),
                    Edge::Back => model.push_back(&element),
                }
            } else {
                let cursor = if edge == Edge::Front { model.first() } else { model.last() };
                let expected = cursor.map(|cursor| model.at(cursor).to_vec());
                prop_assert_eq!(open.pop(edge, |element| element.to_vec()), expected);
                cursor.and_then(|cursor| model.remove(cursor, 1));
            }
            prop_assert_eq!(open.as_bytes(), model.as_bytes());
            // As many bytes again, and the allocator's rounding by a quarter at most.
            prop_assert!(open.heap_bytes() <= (model.bytes() + 64) * 2 * 5 / 4);
        }
        prop_assert_eq!(Listpack::from(&open), model);
    }

    /// Damage to one or two bytes is refused, or leaves something that can be used.
    #[test]
    fn damage_is_survived(
        elements in prop::collection::vec(element(), 0..8),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..3),
        cut in prop::option::weighted(0.1, any::<prop::sample::Index>()),
    ) {
        let mut bytes = listpack(&elements).as_bytes().to_vec();
        for (at, byte) in places {
            let upto = bytes.len();
            bytes[at.index(upto)] = byte;
        }
        if let Some(at) = cut {
            bytes.truncate(at.index(bytes.len()));
        }
        if let Ok(mut damaged) = Listpack::from_bytes(&bytes) {
            prop_assert_eq!(damaged.as_bytes(), bytes);
            let mut model = contents(&damaged);
            prop_assert_eq!(damaged.iter().rev().count(), model.len());
            while let Some(first) = damaged.first() {
                prop_assert_eq!(damaged.at(first).to_vec(), model.remove(0));
                damaged.remove(first, 1);
            }
            prop_assert!(model.is_empty());
        }
    }
}
