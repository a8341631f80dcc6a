//! Sets against a model, through all encodings, and when they change from one to another.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;

/// Limits that are crossed by few and short members.
const SMALL: Limits = Limits { intset_entries: 6, listpack_entries: 5, listpack_value: 4 };

fn set_of(members: &[&str], limits: Limits) -> Set {
    let mut set = Set::for_members(members[0].as_bytes(), members.len(), limits);
    members.iter().for_each(|member| _ = set.add(member.as_bytes(), limits));
    set
}

fn contents(set: &Set) -> BTreeSet<Vec<u8>> {
    set.iter().map(|member| member.to_vec()).collect()
}

fn ordered(set: &Set) -> Vec<String> {
    set.iter().map(|member| String::from_utf8(member.to_vec()).expect("text")).collect()
}

/// A set in the encoding that `kind` stands for, as far as its members allow.
fn converted(members: &BTreeSet<Vec<u8>>, kind: u8) -> Set {
    let limits = match kind {
        0 => Limits::DEFAULT,
        1 => Limits { intset_entries: 0, ..Limits::DEFAULT },
        _ => Limits { intset_entries: 0, listpack_entries: 0, listpack_value: 0 },
    };
    let first = members.first().map_or(&b"1"[..], |first| first);
    let mut set = Set::for_members(first, members.len().max(1), limits);
    members.iter().for_each(|member| assert!(set.add(member, limits)));
    set
}

#[test]
fn encodings_change_as_in_redis() {
    use Encoding::{Hashtable, Intset, Listpack};
    let cases: &[(&[&str], Encoding)] = &[
        (&["1", "2", "3", "4", "5", "6"], Intset),
        (&["1", "2", "3", "4", "5", "6", "7"], Hashtable),
        (&["1", "a"], Listpack),
        (&["a", "1"], Listpack),
        (&["a", "b", "c", "d", "e"], Listpack),
        (&["a", "b", "c", "d", "e", "f"], Hashtable),
        (&["abcd"], Listpack),
        (&["abcde"], Hashtable),
        // Listpacks hold no integers that would be too long as strings.
        (&["12345", "a"], Hashtable),
        (&["-1234", "a"], Hashtable),
        (&["-123", "a"], Listpack),
        (&["1", "2", "3", "4", "5", "a"], Hashtable),
        (&["01", "1"], Listpack),
    ];
    for (members, encoding) in cases {
        let set = set_of(members, SMALL);
        assert_eq!(set.encoding(), *encoding, "{members:?}");
        assert_eq!(set.len(), members.len());
        assert!(members.iter().all(|member| set.contains(member.as_bytes())));
    }
}

#[test]
fn hints_decide_before_members_do() {
    let mut set = set_of(&["1", "2"], SMALL);
    set.prepare(6, SMALL);
    assert_eq!(set.encoding(), Encoding::Intset);
    set.prepare(7, SMALL);
    assert_eq!(set.encoding(), Encoding::Hashtable);
    assert_eq!(Set::for_members(b"1", 7, SMALL).encoding(), Encoding::Hashtable);
    assert_eq!(Set::for_members(b"a", 5, SMALL).encoding(), Encoding::Listpack);
    assert_eq!(Set::for_members(b"a", 6, SMALL).encoding(), Encoding::Hashtable);
}

#[test]
fn orders_are_those_of_redis() {
    assert_eq!(ordered(&set_of(&["3", "-1", "2"], SMALL)), ["-1", "2", "3"]);
    assert_eq!(ordered(&set_of(&["3", "1", "b", "2"], SMALL)), ["1", "3", "b", "2"]);
    let (a, b) = (set_of(&["b", "3", "1"], SMALL), set_of(&["1", "2"], SMALL));
    let union = algebra::union(&[Some(&b), None, Some(&a)], SMALL);
    assert_eq!(ordered(&union), ["1", "2", "b", "3"]);
    let both: Vec<_> = algebra::intersection(vec![&a, &b]).collect();
    assert_eq!(both, [Element::Int(1)]);
}

#[test]
fn stored_intersections_are_as_small_as_they_can() {
    let words = set_of(&["a", "1", "2"], SMALL);
    let table = converted(&contents(&words), 2);
    let stored = algebra::stored_intersection(vec![&words, &table], SMALL);
    assert_eq!((stored.encoding(), &stored), (Encoding::Listpack, &words));
    let integers = set_of(&["1", "2", "7"], SMALL);
    let stored = algebra::stored_intersection(vec![&table, &words, &integers], SMALL);
    assert_eq!((stored.encoding(), stored.len()), (Encoding::Intset, 2));
    let many: BTreeSet<_> = (0..7).map(|n| n.to_string().into_bytes()).collect();
    let table = converted(&many, 2);
    let stored = algebra::stored_intersection(vec![&table, &table], SMALL);
    assert_eq!(stored.encoding(), Encoding::Hashtable);
}

#[test]
fn differences_without_a_first_set_or_with_it_twice() {
    let set = set_of(&["a", "b"], SMALL);
    assert!(algebra::difference(&[None, Some(&set)], SMALL).is_empty());
    assert!(algebra::difference(&[], SMALL).is_empty());
    assert!(algebra::difference(&[Some(&set), None, Some(&set)], SMALL).is_empty());
    assert_eq!(algebra::difference(&[Some(&set), None], SMALL), set);
}

#[test]
fn packed_sets_are_held_to_the_limits() {
    let listpack = |members: &[&str]| {
        let mut listpack = Listpack::new();
        members.iter().for_each(|member| listpack.push_back(member.as_bytes()));
        listpack
    };
    let set = |members| Set::from_listpack(listpack(members), SMALL).map(|set| set.encoding());
    assert_eq!(set(&["a", "b"]), Ok(Encoding::Listpack));
    assert_eq!(set(&["a", "b", "c", "d", "e", "f"]), Ok(Encoding::Hashtable));
    assert_eq!(set(&["a", "b", "a"]), Err(Duplicates));
    assert_eq!(set(&["a", "b", "c", "d", "e", "a"]), Err(Duplicates));
    let mut intset = Intset::new();
    (0..7).for_each(|n| _ = intset.insert(n));
    assert_eq!(Set::from_intset(intset, SMALL).encoding(), Encoding::Hashtable);
}

#[test]
fn memory_of_a_big_set() {
    let mut set = Set::new();
    for n in 0..10_000 {
        set.add(format!("member:{n:07}").as_bytes(), Limits::DEFAULT);
    }
    assert_eq!(set.free_effort(), 10_000);
    assert!(set.heap_bytes() < 10_000 * 30, "{}", set.heap_bytes());
    for n in 0..10_000 {
        assert!(set.remove(format!("member:{n:07}").as_bytes()));
    }
    assert!(set.is_empty() && set.heap_bytes() < 10_000);
}

/// Each member comes about as often as any other.
#[test]
fn chance_is_fair() {
    let members: BTreeSet<_> = (0..20).map(|n| n.to_string().into_bytes()).collect();
    let rng = &mut Rng::seeded(7);
    for kind in 0..3 {
        let set = converted(&members, kind);
        for (count, draws) in [(1, 8000), (3, 3000), (10, 1000)] {
            let mut seen = [0u32; 20];
            let mut note = |member: Element<'_>| {
                seen[member.as_int().expect("an integer") as usize] += 1;
            };
            for _ in 0..draws {
                set.sample(rng, count, &mut note);
                set.pick(rng, count, &mut note);
                let mut taken = set.clone();
                taken.pop_many(rng, count, &mut note);
                assert_eq!(taken.len(), 20 - count);
            }
            let mean = 3 * draws * count as u32 / 20;
            assert!(seen.iter().all(|&n| n.abs_diff(mean) < mean / 4), "{kind} {count} {seen:?}");
        }
    }
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => (-8..20i64).prop_map(|n| n.to_string().into_bytes()),
        1 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        2 => "[a-f]{0,2}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..6),
        1 => Just(b"007".to_vec()),
    ]
}

fn members() -> impl Strategy<Value = BTreeSet<Vec<u8>>> {
    prop_oneof![
        prop::collection::btree_set(member(), 0..12),
        prop::collection::btree_set((0..15i64).prop_map(|n| n.to_string().into_bytes()), 0..12),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Add(Vec<u8>),
    Remove(Vec<u8>),
    Pop(u64, usize),
    Split(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => member().prop_map(Step::Add),
        3 => member().prop_map(Step::Remove),
        1 => (any::<u64>(), 0..4usize).prop_map(|(seed, count)| Step::Pop(seed, count)),
        1 => (any::<u64>(), 0..9usize).prop_map(|(seed, count)| Step::Split(seed, count)),
    ]
}

fn scanned(set: &Set, count: usize) -> BTreeSet<Vec<u8>> {
    let (mut cursor, mut seen) = (0, BTreeSet::new());
    loop {
        cursor = set.scan(cursor, count, |member| _ = seen.insert(member.to_vec()));
        if cursor == 0 {
            return seen;
        }
    }
}

proptest! {
    #[test]
    fn is_a_set(steps in prop::collection::vec(step(), 0..80)) {
        let (mut set, mut model) = (Set::new(), BTreeSet::new());
        for step in steps {
            match step {
                Step::Add(member) => {
                    prop_assert_eq!(set.add(&member, SMALL), model.insert(member.clone()));
                    prop_assert!(set.contains(&member));
                }
                Step::Remove(member) => {
                    prop_assert_eq!(set.remove(&member), model.remove(&member));
                    prop_assert!(!set.contains(&member));
                }
                Step::Pop(seed, count) => {
                    let count = count.min(set.len());
                    set.pop_many(&mut Rng::seeded(seed), count, |member| {
                        assert!(model.remove(&member.to_vec()));
                    });
                }
                Step::Split(seed, count) => {
                    let count = count.min(set.len());
                    let split = set.split_off_random(&mut Rng::seeded(seed), count, SMALL);
                    prop_assert_eq!(split.len(), count);
                    split.iter().for_each(|member| assert!(model.remove(&member.to_vec())));
                    prop_assert_eq!(contents(&set), model);
                    model = contents(&split);
                    set = split;
                }
            }
            prop_assert_eq!(set.len(), model.len());
            prop_assert_eq!(set.is_empty(), model.is_empty());
            prop_assert_eq!(&contents(&set), &model);
            prop_assert_eq!(&scanned(&set, 2), &model);
            prop_assert_eq!(&set.clone(), &set);
            let packed = set.packed_bytes().is_some();
            prop_assert_eq!(packed, set.encoding() != Encoding::Hashtable);
        }
    }

    #[test]
    fn algebra_is_that_of_sets(
        models in prop::collection::vec((members(), 0u8..3), 1..5),
        missing in prop::collection::vec(prop::bool::weighted(0.2), 5),
    ) {
        let sets: Vec<Set> = models.iter().map(|(model, kind)| converted(model, *kind)).collect();
        let refs: Vec<Option<&Set>> =
            sets.iter().zip(&missing).map(|(set, missing)| (!missing).then_some(set)).collect();
        let models: Vec<_> =
            refs.iter().map(|set| set.map_or_else(BTreeSet::new, contents)).collect();
        let union: BTreeSet<_> = models.iter().flatten().cloned().collect();
        prop_assert_eq!(contents(&algebra::union(&refs, SMALL)), union);
        let lonely = |member: &&Vec<u8>| !models[1..].iter().any(|set| set.contains(*member));
        let difference: BTreeSet<_> = models[0].iter().filter(lonely).cloned().collect();
        prop_assert_eq!(contents(&algebra::difference(&refs, SMALL)), difference);
        let all: Vec<&Set> = sets.iter().collect();
        let models: Vec<_> = all.iter().map(|set| contents(set)).collect();
        let shared = |member: &&Vec<u8>| models.iter().all(|set| set.contains(*member));
        let shared: BTreeSet<_> = models[0].iter().filter(shared).cloned().collect();
        let found: Vec<_> = algebra::intersection(all.clone()).map(|m| m.to_vec()).collect();
        prop_assert_eq!(found.len(), shared.len());
        prop_assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), shared.clone());
        let stored = algebra::stored_intersection(all, SMALL);
        prop_assert_eq!(contents(&stored), shared);
    }

    #[test]
    fn samples_are_members(model in members(), kind in 0u8..3, count in 0..20usize, seed: u64) {
        let set = converted(&model, kind);
        let rng = &mut Rng::seeded(seed);
        let mut sample = Vec::new();
        set.sample(rng, count, |member| sample.push(member.to_vec()));
        prop_assert_eq!(sample.len(), count.min(model.len()));
        let distinct: BTreeSet<_> = sample.iter().cloned().collect();
        prop_assert_eq!(distinct.len(), sample.len());
        prop_assert!(distinct.is_subset(&model));
        let mut picked = 0;
        set.pick(rng, count, |member| {
            assert!(model.contains(&member.to_vec()));
            picked += 1;
        });
        prop_assert_eq!(picked, if model.is_empty() { 0 } else { count });
        prop_assert_eq!(set.random(rng).is_some(), !model.is_empty());
    }
}
