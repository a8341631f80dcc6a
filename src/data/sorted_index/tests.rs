//! The index against a sorted vector, and what its nodes take.

use proptest::prelude::*;

use super::*;

/// A score and a number that makes it different from others.
type Pair = (i32, u32);

/// The higher ones are too close to each other for the rough scores of leaves.
impl Item for Pair {
    fn score(self) -> f64 {
        let score = f64::from(self.0);
        if self.0 < 0 { score } else { 1e12 + score }
    }
}

fn before(key: Pair) -> Cut<impl Fn(Pair) -> bool> {
    Cut { score: key.score(), has: move |item| item < key }
}

fn upto(key: Pair) -> Cut<impl Fn(Pair) -> bool> {
    Cut { score: key.score(), has: move |item| item <= key }
}

fn contents(index: &SortedIndex<Pair>) -> Vec<Pair> {
    index.iter(0..index.len()).collect()
}

/// What the nodes of an index of this many items would take at this many items per leaf.
fn bytes_at(items: usize, per_leaf: f64) -> usize {
    let leaves = items as f64 / per_leaf;
    let inners = leaves / (per_leaf - 2.0) * 1.2 + 1.0;
    leaves as usize * Leaf::<Pair>::node_bytes() + inners as usize * Inner::<Pair>::node_bytes()
}

#[test]
fn nodes_have_the_sizes_of_the_allocator() {
    assert_eq!(size_of::<Leaf<Pair>>(), 380);
    assert!(size_of::<Inner<Pair>>() <= 1024);
}

#[test]
fn nodes_are_full_when_items_come_in_order() {
    const ITEMS: usize = 20_000;
    let mut ascending = SortedIndex::new();
    (0..ITEMS as i32).for_each(|n| ascending.insert((n, 0), before((n, 0))));
    assert!(ascending.heap_bytes() < bytes_at(ITEMS, 28.0), "{}", ascending.heap_bytes());
    let mut descending = SortedIndex::new();
    (0..ITEMS as i32).for_each(|n| descending.insert((-n, 0), before((-n, 0))));
    assert!(descending.heap_bytes() < bytes_at(ITEMS, 28.0), "{}", descending.heap_bytes());
    let mut mixed = SortedIndex::new();
    let numbers = (0..ITEMS as u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 8) as i32);
    numbers.for_each(|n| mixed.insert((n, 0), before((n, 0))));
    assert!(mixed.heap_bytes() < bytes_at(ITEMS, 25.0), "{}", mixed.heap_bytes());
}

#[test]
fn an_index_that_is_emptied_is_as_a_new_one() {
    for step in [1, 7, 300, 5000] {
        let mut index = SortedIndex::new();
        (0..5000).for_each(|n| index.push_back((n, 0)));
        while index.len() > 0 {
            let at = index.len() / 3;
            index.remove_range(at..index.len().min(at + step), |_| {});
        }
        assert_eq!(index.heap_bytes(), SortedIndex::<Pair>::new().heap_bytes());
        index.push_back((1, 1));
        assert_eq!(contents(&index), [(1, 1)]);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Insert(Pair),
    Remove(Pair),
    /// As many as this from the item on that comes first.
    RemoveRun(Pair, usize),
    /// Many in order from this one on.
    InsertRun(Pair, u32),
    Check(Pair, usize),
}

fn step() -> impl Strategy<Value = Step> {
    let pair = || (-20..20i32, 0..500u32);
    prop_oneof![
        8 => pair().prop_map(Step::Insert),
        8 => pair().prop_map(Step::Remove),
        1 => (pair(), 0..400usize).prop_map(|(pair, count)| Step::RemoveRun(pair, count)),
        2 => (pair(), 0..200u32).prop_map(|(pair, count)| Step::InsertRun(pair, count)),
        2 => (pair(), 0..100usize).prop_map(|(pair, count)| Step::Check(pair, count)),
    ]
}

fn insert(index: &mut SortedIndex<Pair>, model: &mut Vec<Pair>, pair: Pair) {
    if let Err(at) = model.binary_search(&pair) {
        model.insert(at, pair);
        index.insert(pair, before(pair));
    }
}

/// All that nodes promise to each other: counts, first items, and what they take.
fn check_nodes(index: &SortedIndex<Pair>, model: &[Pair]) {
    assert_eq!(contents(index), model);
    let reversed: Vec<_> = index.iter(0..index.len()).rev().collect();
    assert!(reversed.iter().eq(model.iter().rev()));
    for rank in (0..model.len()).step_by(17) {
        assert_eq!(index.iter(rank..rank + 1).next(), Some(model[rank]));
        assert_eq!(index.rank(before(model[rank])), rank);
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn behaves_as_a_sorted_vector(steps in prop::collection::vec(step(), 1..400)) {
        let (mut index, mut model) = (SortedIndex::new(), Vec::new());
        for step in steps {
            match step {
                Step::Insert(pair) => insert(&mut index, &mut model, pair),
                Step::InsertRun((score, from), count) => {
                    (from..from + count).for_each(|n| insert(&mut index, &mut model, (score, n)));
                }
                Step::Remove(pair) => match model.binary_search(&pair) {
                    Ok(at) => {
                        model.remove(at);
                        prop_assert_eq!(index.remove(upto(pair)), Some(pair));
                    }
                    Err(0) => prop_assert_eq!(index.remove(upto(pair)), None),
                    Err(_) => {}
                },
                Step::RemoveRun(pair, count) => {
                    let start = model.partition_point(|other| *other < pair);
                    let end = model.len().min(start + count);
                    let mut removed = Vec::new();
                    index.remove_range(start..end, |item| removed.push(item));
                    prop_assert_eq!(removed, model.drain(start..end).collect::<Vec<_>>());
                }
                Step::Check(pair, count) => {
                    check_nodes(&index, &model);
                    let start = index.rank(before(pair));
                    prop_assert_eq!(start, model.partition_point(|other| *other < pair));
                    let end = model.len().min(start + count);
                    let run: Vec<_> = index.iter(start..end).collect();
                    prop_assert_eq!(run, &model[start..end]);
                    let mut both_ends = index.iter(start..end);
                    let mut expected = model[start..end].iter().copied();
                    while let Some(item) = both_ends.next_back() {
                        prop_assert_eq!(Some(item), expected.next_back());
                        prop_assert_eq!(both_ends.next(), expected.next());
                    }
                }
            }
            prop_assert_eq!(index.len(), model.len());
        }
        check_nodes(&index, &model);
        index.remove_range(0..model.len(), |_| {});
        prop_assert_eq!(index.heap_bytes(), SortedIndex::<Pair>::new().heap_bytes());
    }
}
