//! The log against a model, and nodes that are none.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

type Fields = Vec<Vec<u8>>;

/// What a log must hold.
#[derive(Default)]
struct Model {
    entries: BTreeMap<Id, Fields>,
    last_id: Id,
}

#[derive(Clone, Debug)]
enum Step {
    Append(u64, u64, Fields),
    Remove(prop::sample::Index),
    RemoveMissing(Id),
    Trim(Trim),
}

fn id() -> impl Strategy<Value = Id> {
    (0..60u64, 0..4u64).prop_map(|(ms, seq)| Id { ms, seq })
}

fn fields() -> impl Strategy<Value = Fields> {
    let name = prop::sample::select(vec![&b"f"[..], b"g", b"12", b"temperature"]);
    let value = prop_oneof![
        any::<i32>().prop_map(|n| n.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..20),
        (100..300usize).prop_map(|length| vec![b'v'; length]),
    ];
    prop::collection::vec((name, value), 1..4)
        .prop_map(|pairs| pairs.into_iter().flat_map(|(f, v)| [f.to_vec(), v]).collect())
}

fn trim() -> impl Strategy<Value = Trim> {
    let keep = prop_oneof![(0..30u64).prop_map(Keep::Newest), id().prop_map(Keep::From)];
    (keep, any::<bool>(), 0..12u64).prop_map(|(keep, by_node, limit)| Trim {
        keep,
        by_node,
        limit: if by_node { limit } else { 0 },
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (0..3u64, 0..3u64, fields()).prop_map(|(ms, seq, f)| Step::Append(ms, seq, f)),
        3 => any::<prop::sample::Index>().prop_map(Step::Remove),
        1 => id().prop_map(Step::RemoveMissing),
        1 => trim().prop_map(Step::Trim),
    ]
}

fn parts(fields: &Fields) -> impl Parts<'_> {
    fields.iter().map(Vec::as_slice)
}

fn contents(entry: Entry<'_>) -> (Id, Fields) {
    assert_eq!(entry.fields().count(), entry.len());
    (entry.id, entry.fields().flat_map(|(f, v)| [f.to_vec(), v.to_vec()]).collect())
}

fn apply(log: &mut Log, model: &mut Model, step: Step, limits: Limits) {
    match step {
        Step::Append(ms, seq, fields) => {
            let last = model.last_id;
            let seq = if ms == 0 { last.seq + seq + 1 } else { seq };
            let id = Id { ms: last.ms + ms, seq };
            log.append(id, parts(&fields), limits);
            model.entries.insert(id, fields);
            model.last_id = id;
        }
        Step::Remove(index) => {
            if model.entries.is_empty() {
                return;
            }
            let at = index.index(model.entries.len());
            let id = *model.entries.keys().nth(at).expect("within");
            model.entries.remove(&id);
            assert!(log.remove(id));
            assert!(!log.remove(id));
        }
        Step::RemoveMissing(id) => assert_eq!(log.remove(id), model.entries.remove(&id).is_some()),
        Step::Trim(trim) => {
            let before = model.entries.len() as u64;
            let removed = log.trim(trim, before);
            let unwanted = match trim.keep {
                Keep::Newest(count) => before.saturating_sub(count),
                Keep::From(id) => model.entries.range(..id).count() as u64,
            };
            assert!(removed <= unwanted && (trim.by_node || removed == unwanted));
            assert!(trim.limit == 0 || removed <= trim.limit);
            (0..removed).for_each(|_| drop(model.entries.pop_first()));
        }
    }
}

/// Everything that can be read is what the model says.
fn check(log: &Log, model: &Model) {
    let all: Vec<_> = model.entries.iter().map(|(id, fields)| (*id, fields.clone())).collect();
    assert_eq!(log.range(Id::MIN, Id::MAX).map(contents).collect::<Vec<_>>(), all);
    let back: Vec<_> = log.range_back(Id::MIN, Id::MAX).map(contents).collect();
    assert!(back.iter().rev().eq(&all));
    assert_eq!(log.first_id(), model.entries.keys().next().copied());
    assert_eq!(log.last_id(), model.entries.keys().next_back().copied());
    let sealed: usize = log.sealed.iter().map(|(_, listpack)| listpack.heap_bytes()).sum();
    assert_eq!(log.sealed_bytes, sealed);
    assert_eq!(log.nodes().rev().count(), log.node_count());
    // What is written can be read.
    let mut again = Log::default();
    let mut entries = 0;
    for node in log.nodes() {
        let copy = Listpack::from_bytes(node.listpack.as_bytes()).expect("a listpack");
        entries += again.push_node(node.master, copy).expect("a node");
    }
    assert_eq!(entries as usize, all.len());
    assert!(again.sealed == log.sealed);
}

fn check_range(log: &Log, model: &Model, start: Id, end: Id) {
    let expected: Vec<_> = if start <= end {
        model.entries.range(start..=end).map(|(id, _)| *id).collect()
    } else {
        Vec::new()
    };
    assert!(log.range(start, end).map(|entry| entry.id).eq(expected.iter().copied()));
    assert!(log.range_back(start, end).map(|entry| entry.id).eq(expected.into_iter().rev()));
    let found = log.get(start).map(contents);
    assert_eq!(found, model.entries.get(&start).map(|fields| (start, fields.clone())));
}

proptest! {
    #[test]
    fn is_an_ordered_map(
        steps in prop::collection::vec(step(), 0..80),
        ranges in prop::collection::vec((id(), id()), 0..20),
        node_entries in 0..7usize,
        node_bytes in prop::sample::select(vec![0, 1, 100, 4096]),
    ) {
        let limits = Limits { node_bytes, node_entries };
        let (mut log, mut model) = (Log::default(), Model::default());
        for step in steps {
            apply(&mut log, &mut model, step, limits);
        }
        check(&log, &model);
        for (start, end) in ranges {
            check_range(&log, &model, start, end);
        }
    }
}

const LIMITS: Limits = Limits { node_bytes: 4096, node_entries: 3 };

fn log_of(ids: impl IntoIterator<Item = u64>) -> Log {
    let mut log = Log::default();
    for ms in ids {
        log.append(Id { ms, seq: 0 }, parts(&vec![b"f".to_vec(), b"v".to_vec()]), LIMITS);
    }
    log
}

#[test]
fn nodes_are_cut_by_their_limits() {
    let mut log = log_of(1..=7);
    assert_eq!(log.node_count(), 3);
    let masters: Vec<_> = log.nodes().map(|node| node.master.ms).collect();
    assert_eq!(masters, [1, 4, 7]);
    // Those that were removed count; whoever follows an empty last node joins the one before.
    assert!(log.remove(Id { ms: 7, seq: 0 }) && log.remove(Id { ms: 6, seq: 0 }));
    assert_eq!(log.node_count(), 2);
    log.append(Id { ms: 8, seq: 0 }, parts(&vec![vec![b'f'], vec![b'v']]), LIMITS);
    assert_eq!(log.nodes().map(|node| node.master.ms).collect::<Vec<_>>(), [1, 4, 8]);
    // One value that is longer than a node may be has a node of its own.
    let long = vec![b"f".to_vec(), vec![b'v'; 5000]];
    log.append(Id { ms: 9, seq: 0 }, parts(&long), LIMITS);
    log.append(Id { ms: 10, seq: 0 }, parts(&vec![vec![b'f'], vec![b'v']]), LIMITS);
    assert_eq!(log.node_count(), 5);
}

#[test]
fn a_node_may_be_left_without_entries() {
    let mut log = log_of(1..=3);
    assert!(log.remove(Id { ms: 3, seq: 0 }));
    let trim = Trim { keep: Keep::From(Id { ms: 3, seq: 0 }), by_node: false, limit: 0 };
    assert_eq!(log.trim(trim, 2), 2);
    assert_eq!((log.node_count(), log.first_id(), log.last_id()), (1, None, None));
    log.append(Id { ms: 4, seq: 0 }, parts(&vec![vec![b'f'], vec![b'v']]), LIMITS);
    assert_eq!((log.node_count(), log.first_id()), (2, Some(Id { ms: 4, seq: 0 })));
    let trim = Trim { keep: Keep::Newest(1), by_node: true, limit: 1 };
    assert_eq!(log.trim(trim, 1), 0);
}

fn listpack_of(elements: &[&str]) -> Listpack {
    let mut listpack = Listpack::new();
    elements.iter().for_each(|element| listpack.push_back(element.as_bytes()));
    listpack
}

#[test]
fn what_is_no_node_is_refused() {
    let good = ["1", "1", "1", "f", "0", "2", "0", "0", "v", "4", "3", "1", "0", "v", "4"];
    let push =
        |elements: &[&str]| Log::default().push_node(Id { ms: 5, seq: 5 }, listpack_of(elements));
    assert_eq!(push(&good), Ok(1));
    for length in 0..good.len() {
        assert_eq!(push(&good[..length]), Err(Invalid), "{length}");
    }
    let damaged: [(usize, &str); 12] = [
        (0, "2"),
        (0, "-1"),
        (0, "x"),
        (1, "0"),
        (2, "2"),
        (2, "-1"),
        (2, "9223372036854775807"),
        (4, "1"),
        (5, "0"),
        (5, "x"),
        (9, "5"),
        (14, "3"),
    ];
    for (at, element) in damaged {
        let mut elements = good;
        elements[at] = element;
        assert_eq!(push(&elements), Err(Invalid), "{at} {element}");
    }
}

#[test]
fn ids_must_ascend_but_for_those_that_were_removed() {
    // Three entries; the flags of the one in the middle tell whether it is there.
    let push = |live: &str, deleted: &str, flags: &str, delta: &str| {
        let entries =
            ["2", "0", "0", "v", "4", flags, delta, "0", "v", "4", "2", "5", "0", "v", "4"];
        let elements = [&[live, deleted, "1", "f", "0"], &entries[..]].concat();
        let mut log = Log::default();
        log.push_node(Id { ms: 9, seq: 0 }, listpack_of(&elements)).map(|_| log)
    };
    assert!(push("3", "0", "2", "2").is_ok());
    for delta in ["0", "5", "6", "-3"] {
        assert!(push("3", "0", "2", delta).is_err(), "{delta}");
        let mut log = push("2", "1", "3", delta).expect("the one in the middle is not there");
        assert_eq!((log.first_id(), log.last_id()).1, Some(Id { ms: 14, seq: 0 }));
        assert!(log.remove(Id { ms: 14, seq: 0 }));
        assert_eq!(log.last_id(), Some(Id { ms: 9, seq: 0 }));
    }
}

#[test]
fn nodes_must_ascend() {
    let node = || listpack_of(&["1", "0", "1", "f", "0", "2", "0", "5", "v", "4"]);
    let mut log = Log::default();
    assert!(log.push_node(Id { ms: 1, seq: 0 }, node()).is_ok());
    assert_eq!(log.push_node(Id { ms: 1, seq: 5 }, node()), Err(Invalid));
    assert!(log.push_node(Id { ms: 1, seq: 6 }, node()).is_ok());
    let gone = || listpack_of(&["0", "1", "1", "f", "0", "3", "0", "5", "v", "4"]);
    assert!(log.push_node(Id { ms: 2, seq: 0 }, gone()).is_ok());
    assert_eq!(log.push_node(Id { ms: 2, seq: 0 }, node()), Err(Invalid));
    assert!(log.push_node(Id { ms: 2, seq: 1 }, node()).is_ok());
}

#[test]
fn the_radix_tree_of_redis_is_counted() {
    let keys = |ids: &[(u64, u64)]| {
        ids.iter().map(|&(ms, seq)| Id { ms, seq }.as_u128()).collect::<Vec<_>>()
    };
    // What Redis 7.2.6 says of streams of these ids, an entry per node.
    assert_eq!(shape::radix_nodes(&[]), 1);
    assert_eq!(shape::radix_nodes(&keys(&[(1, 1)])), 2);
    assert_eq!(shape::radix_nodes(&keys(&[(1, 1), (2, 1)])), 6);
    assert_eq!(shape::radix_nodes(&keys(&[(1, 1), (1, 2), (1, 3)])), 5);
    assert_eq!(shape::radix_nodes(&keys(&[(1, 1), (1, 2), (256, 0), (257, 5)])), 11);
}

#[test]
fn ids_have_neighbours() {
    let id = |ms, seq| Id { ms, seq };
    assert_eq!(id(1, 2).next(), Some(id(1, 3)));
    assert_eq!(id(1, u64::MAX).next(), Some(id(2, 0)));
    assert_eq!(Id::MAX.next(), None);
    assert_eq!(id(2, 0).prev(), Some(id(1, u64::MAX)));
    assert_eq!(Id::MIN.prev(), None);
    assert_eq!(Id::from_bytes(id(7, 9).to_bytes()), id(7, 9));
    assert_eq!(&Id::MAX.text()[..], b"18446744073709551615-18446744073709551615");
    assert_eq!(&id(5, 0).joined_by(b'.')[..], b"5.0");
}
