//! A quicklist compared with a vector, through every kind of change, and with what Redis 7.2 makes
//! of the same changes where nodes are split and joined.

use proptest::prelude::*;

use super::*;

const NARROW: Limits = Limits { fill: 4, compress_depth: 0, large_bytes: 60 };

fn of(limits: &Limits, elements: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Quicklist {
    let mut list = Quicklist::new(limits);
    for element in elements {
        list.push(End::Tail, element.as_ref(), limits.large_bytes);
    }
    list
}

fn contents(list: &Quicklist, direction: Direction) -> Vec<Vec<u8>> {
    let from = match direction {
        Direction::Forward => 0,
        Direction::Backward => list.len().saturating_sub(1),
    };
    let mut found = Vec::new();
    list.walk(from, direction, &mut |element| {
        found.push(element.to_vec());
        false
    });
    found
}

/// Elements per node.
fn shape(list: &Quicklist) -> Vec<usize> {
    list.nodes().map(|node| node.entries).collect()
}

fn check_invariants(list: &Quicklist) {
    assert_eq!(shape(list).iter().sum::<usize>(), list.len());
    assert!(list.nodes().all(|node| node.entries > 0));
    let nodes = list.nodes.len();
    for (at, node) in list.nodes().enumerate() {
        let is_near = at < list.depth || at + list.depth >= nodes;
        assert!(node.unpacked_bytes.is_none() || !is_near && list.depth > 0, "{at} of {nodes}");
        assert!(!list.nodes[at].is_open() || at == 0 || at == nodes - 1, "{at} of {nodes}");
    }
}

#[test]
fn limits_are_those_of_redis() {
    assert_eq!(NodeLimit::new(0), NodeLimit::Entries(1));
    assert_eq!(NodeLimit::new(128), NodeLimit::Entries(128));
    assert_eq!(NodeLimit::new(-1), NodeLimit::Bytes(4096));
    assert_eq!(NodeLimit::new(-5), NodeLimit::Bytes(65_536));
    assert_eq!(NodeLimit::new(i32::MIN), NodeLimit::Bytes(65_536));
    assert!(!NodeLimit::Bytes(4096).is_exceeded(4096, usize::MAX));
    assert!(NodeLimit::Entries(1000).is_exceeded(8193, 1));
    assert!(NodeLimit::Entries(1000).is_exceeded(10, 1001));
    assert_eq!(Quicklist::new(&Limits { fill: i32::MAX, ..NARROW }).fill(), 32_767);
    assert_eq!(Quicklist::new(&Limits { fill: -9, ..NARROW }).fill(), -5);
}

#[test]
fn nodes_fill_up_from_either_end() {
    let mut list = of(&NARROW, (0..10).map(|n| n.to_string()));
    assert_eq!(shape(&list), [4, 4, 2]);
    list.push(End::Head, b"x", 60);
    assert_eq!(shape(&list), [1, 4, 4, 2]);
    list.push(End::Tail, &[b'y'; 60], 60);
    list.push(End::Tail, b"z", 60);
    assert_eq!(shape(&list), [1, 4, 4, 2, 1, 1]);
    assert!(list.nodes().nth(4).expect("a node").is_plain);
    assert_eq!(list.pop(End::Head, |element| element.to_vec()), Some(b"x".to_vec()));
    assert_eq!(shape(&list), [4, 4, 2, 1, 1]);
    // 8 KiB nodes hold 511 elements of 14 bytes.
    let wide = of(&Limits::DEFAULT, (0..2000).map(|n| format!("element {n:06}")));
    assert_eq!(shape(&wide)[..3], [511, 511, 511]);
}

#[test]
fn full_nodes_are_split_and_their_halves_joined() {
    let insert = |list: &mut Quicklist, pivot: &str, side, element: &[u8]| {
        list.insert(Needle::new(pivot.as_bytes()), side, element, 60)
    };
    let mut list = of(&NARROW, ["a", "b", "c", "d", "e", "f", "g", "h"]);
    assert!(!insert(&mut list, "z", Side::After, b"-"));
    assert!(insert(&mut list, "b", Side::After, b"x"));
    assert_eq!(shape(&list), [2, 3, 4]);
    assert!(insert(&mut list, "e", Side::Before, b"y"));
    // Before the head of a full node: at the tail of the one before it.
    assert_eq!(shape(&list), [2, 4, 4]);
    assert!(insert(&mut list, "e", Side::Before, b"z"));
    assert_eq!(shape(&list), [2, 4, 1, 4]);
    assert!(insert(&mut list, "y", Side::After, &[b'L'; 60]));
    assert_eq!(shape(&list), [2, 4, 1, 1, 4]);
    assert!(insert(&mut list, "f", Side::Before, &[b'M'; 60]));
    assert_eq!(shape(&list), [2, 4, 1, 1, 1, 1, 3]);
    check_invariants(&list);
    let first: Vec<u8> = contents(&list, Direction::Forward).iter().map(|e| e[0]).collect();
    assert_eq!(first, b"abxcdyLzeMfgh");
}

#[test]
fn replacing_with_large_elements_and_back() {
    let mut list = of(&NARROW, ["a", "b", "c", "d", "e"]);
    assert!(list.replace(1, &[b'L'; 100], 60));
    assert_eq!(shape(&list), [1, 1, 3]);
    assert!(list.replace(1, &[b'M'; 200], 60));
    assert!(list.replace(1, b"x", 60));
    assert_eq!(shape(&list), [1, 4]);
    assert!(list.replace(0, &[b'N'; 60], 60));
    assert_eq!(shape(&list), [1, 4]);
    assert!(!list.replace(5, b"y", 60));
    check_invariants(&list);
}

#[test]
fn ranges_are_removed_by_whole_nodes() {
    let elements: Vec<String> = (0..4000).map(|n| n.to_string()).collect();
    let mut list = of(&NARROW, &elements);
    let garbage = list.remove_range(2, 3994).expect("many nodes");
    assert_eq!(garbage.len(), 3992);
    assert_eq!(shape(&list), [2, 4]);
    assert!(list.remove_range(1, 4).is_none());
    assert_eq!(contents(&list, Direction::Forward), [b"0".to_vec(), b"3999".to_vec()]);
    assert!(list.remove_range(0, 2).is_none());
    assert!(list.is_empty() && list.nodes().len() == 0);
}

#[test]
fn only_inner_nodes_are_compressed() {
    let limits = Limits { fill: 16, compress_depth: 2, large_bytes: 1000 };
    let mut list = of(&limits, (0..160).map(|n| format!("element {n:08}")));
    let compressed = |list: &Quicklist| -> Vec<bool> {
        list.nodes().map(|node| node.unpacked_bytes.is_some()).collect()
    };
    let inner =
        |nodes: usize| -> Vec<bool> { (0..nodes).map(|at| at >= 2 && at + 2 < nodes).collect() };
    assert_eq!(compressed(&list), inner(10));
    let packed = list.nodes().nth(5).expect("a node");
    assert!(packed.bytes.len() < packed.size() / 2);
    assert!(list.replace(88, b"changed", 1000));
    assert!(list.insert(Needle::new(b"changed"), Side::After, &[b'a'; 2000], 1000));
    assert_eq!(compressed(&list), inner(12));
    assert_eq!(list.remove_equal(Needle::new(b"element 00000064"), Direction::Backward, 9), 1);
    assert_eq!(compressed(&list), inner(12));
    assert!(list.remove_range(0, 100).is_none());
    check_invariants(&list);
    while list.len() > 20 {
        list.pop(End::Tail, |_| ());
        check_invariants(&list);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Push(End, Vec<u8>),
    Pop(End),
    Insert(prop::sample::Index, Side, Vec<u8>),
    Replace(prop::sample::Index, Vec<u8>),
    RemoveEqual(prop::sample::Index, Direction, usize),
    RemoveRange(prop::sample::Index, usize),
}

fn element() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-200i64..200).prop_map(|n| n.to_string().into_bytes()),
        3 => "[ab]{0,3}".prop_map(String::into_bytes),
        1 => (0usize..200).prop_map(|length| vec![b'x'; length]),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let end = || prop_oneof![Just(End::Head), Just(End::Tail)];
    let direction = prop_oneof![Just(Direction::Forward), Just(Direction::Backward)];
    let side = prop_oneof![Just(Side::Before), Just(Side::After)];
    let index = any::<prop::sample::Index>;
    prop_oneof![
        8 => (end(), element()).prop_map(|(end, element)| Step::Push(end, element)),
        2 => end().prop_map(Step::Pop),
        6 => (index(), side, element()).prop_map(|(at, side, e)| Step::Insert(at, side, e)),
        4 => (index(), element()).prop_map(|(at, element)| Step::Replace(at, element)),
        2 => (index(), direction, 1usize..4).prop_map(|(at, d, max)| Step::RemoveEqual(at, d, max)),
        1 => (index(), 0usize..12).prop_map(|(at, count)| Step::RemoveRange(at, count)),
    ]
}

/// Does a step to both; elements that are looked for are looked up in the model.
fn run(step: &Step, list: &mut Quicklist, model: &mut Vec<Vec<u8>>, large_bytes: usize) {
    let pick = |at: &prop::sample::Index, model: &[Vec<u8>]| {
        if model.is_empty() { 0 } else { at.index(model.len()) }
    };
    let first = |model: &[Vec<u8>], sought: &[u8]| model.iter().position(|e| e == sought);
    match step {
        Step::Push(end, element) => {
            list.push(*end, element, large_bytes);
            model.insert(if *end == End::Head { 0 } else { model.len() }, element.clone());
        }
        Step::Pop(end) => {
            let expected = match end {
                End::Head if !model.is_empty() => Some(model.remove(0)),
                End::Head => None,
                End::Tail => model.pop(),
            };
            assert_eq!(list.pop(*end, |element| element.to_vec()), expected);
        }
        Step::Insert(at, side, element) => {
            let pivot = model.get(pick(at, model)).cloned().unwrap_or(b"none".to_vec());
            let done = list.insert(Needle::new(&pivot), *side, element, large_bytes);
            let place = first(model, &pivot);
            assert_eq!(done, place.is_some());
            if let Some(place) = place {
                model.insert(place + usize::from(*side == Side::After), element.clone());
            }
        }
        Step::Replace(at, element) => {
            let at = pick(at, model);
            assert_eq!(list.replace(at, element, large_bytes), at < model.len());
            if let Some(old) = model.get_mut(at) {
                old.clone_from(element);
            }
        }
        Step::RemoveEqual(at, direction, max) => {
            let sought = model.get(pick(at, model)).cloned().unwrap_or_default();
            let removed = list.remove_equal(Needle::new(&sought), *direction, *max);
            for _ in 0..removed {
                let place = match direction {
                    Direction::Forward => first(model, &sought),
                    Direction::Backward => model.iter().rposition(|e| *e == sought),
                };
                model.remove(place.expect("as many as were removed"));
            }
            assert!(removed == *max || first(model, &sought).is_none());
        }
        Step::RemoveRange(at, count) => {
            let at = pick(at, model);
            let count = (*count).min(model.len() - at);
            list.remove_range(at, count);
            model.drain(at..at + count);
        }
    }
}

proptest! {
    #[test]
    fn is_a_vector(
        steps in prop::collection::vec(step(), 1..120),
        fill in prop_oneof![1i32..9, Just(-1)],
        compress_depth in 0u32..3,
        large_bytes in prop_oneof![Just(3usize), Just(50), Just(10_000)],
    ) {
        let limits = Limits { fill, compress_depth, large_bytes };
        let (mut list, mut model) = (Quicklist::new(&limits), Vec::new());
        for step in &steps {
            run(step, &mut list, &mut model, large_bytes);
            check_invariants(&list);
            prop_assert_eq!(list.len(), model.len());
        }
        prop_assert_eq!(&contents(&list, Direction::Forward), &model);
        for (from, expected) in model.iter().enumerate() {
            let mut seen = None;
            list.walk(from, Direction::Backward, &mut |element| {
                seen = Some(element.to_vec());
                true
            });
            prop_assert_eq!(seen.as_ref(), Some(expected));
        }
        model.reverse();
        prop_assert_eq!(contents(&list, Direction::Backward), model);
    }
}
