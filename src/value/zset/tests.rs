//! Sorted sets in both encodings, against sorted vectors and maps.

use std::collections::HashMap;

use proptest::prelude::*;

use super::algebra::{Aggregate, Source};
use super::*;
use crate::base::rng::Rng;
use crate::value::Set;
use crate::value::set::Limits as SetLimits;

const SMALL: Limits = Limits { entries: 8, value_bytes: 10 };

fn of(pairs: &[(&str, f64)], limits: Limits) -> Zset {
    let mut zset = Zset::new();
    for (member, score) in pairs {
        zset.set(member.as_bytes(), *score, limits);
    }
    zset
}

fn contents(zset: &Zset) -> Vec<(Vec<u8>, f64)> {
    zset.iter().map(|(member, score)| (member.to_vec(), score)).collect()
}

#[test]
fn encodings_follow_the_limits() {
    let mut zset = of(&[("a", 1.0), ("b", 2.0)], SMALL);
    assert_eq!(zset.encoding(), Encoding::Listpack);
    zset.set(b"a member too long", 1.5, SMALL);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    let names = [&b"a"[..], b"a member too long", b"b"];
    assert!(zset.iter().map(|(member, _)| member.to_vec()).eq(names));
    let mut many = Zset::new();
    for n in 0..=SMALL.entries {
        assert_eq!(many.encoding(), Encoding::Listpack);
        many.set(n.to_string().as_bytes(), n as f64, SMALL);
    }
    assert_eq!(many.encoding(), Encoding::Skiplist);
    // Members that are there stay where they are, however the limits are.
    let none = Limits { entries: 0, value_bytes: 0 };
    let mut zset = of(&[("a", 1.0)], SMALL);
    zset.set(b"a", 3.0, none);
    assert_eq!((zset.encoding(), zset.score(b"a")), (Encoding::Listpack, Some(3.0)));
    zset.prepare(1, none);
    assert_eq!(zset.encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(9, 1, SMALL).encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(8, 11, SMALL).encoding(), Encoding::Skiplist);
    assert_eq!(Zset::for_members(8, 10, SMALL).encoding(), Encoding::Listpack);
}

/// Bytes that a real Redis 7.2 has for this listpack.
#[test]
fn listpacks_are_those_of_redis() {
    let zset = of(&[("b", 2.0), ("a", -0.0), ("c", 0.1), ("7", 1e300)], Limits::DEFAULT);
    let mut expected = vec![0; 6];
    expected.extend_from_slice(b"\x81a\x02\x00\x01\x81c\x02\x830.1\x04\x81b\x02\x02\x01\x07\x01");
    expected.extend_from_slice(b"\x861e+300\x07\xff");
    let bytes = expected.len() as u32;
    expected[..4].copy_from_slice(&bytes.to_le_bytes());
    expected[4] = 8;
    let listpack = zset.listpack().expect("a listpack");
    assert_eq!(listpack.as_bytes().escape_ascii().to_string(), expected.escape_ascii().to_string());
    let again = Zset::from_listpack(listpack.clone(), Limits::DEFAULT).expect("valid");
    assert_eq!(again, zset);
}

#[test]
fn listpacks_that_are_no_sorted_sets_are_refused() {
    let cases: [(&[&str], bool); 9] = [
        (&["a", "1", "b", "2"], true),
        (&["a", "1", "b", "1"], true),
        (&["b", "1", "a", "1"], false),
        (&["a", "2", "b", "1"], false),
        (&["a", "1", "a", "2"], false),
        (&["a", "1", "b"], false),
        (&["a", "x"], false),
        (&["a", "nan"], false),
        (&["a", "-inf", "b", "1.5", "c", "inf"], true),
    ];
    for (elements, valid) in cases {
        let mut listpack = Listpack::new();
        elements.iter().for_each(|element| listpack.push_back(element.as_bytes()));
        let result = Zset::from_listpack(listpack, Limits::DEFAULT);
        assert_eq!(result.is_ok(), valid, "{elements:?}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRange(usize, usize),
    Prepare(usize),
    Scores(f64, f64, bool, bool),
    Check(Vec<u8>),
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => (-9..60i32).prop_map(|n| n.to_string().into_bytes()),
        5 => "[ab]{0,3}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..14),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        6 => (-4..5i32).prop_map(f64::from),
        2 => (-40..40i32).prop_map(|n| f64::from(n) / 8.0),
        1 => any::<f64>().prop_filter("a number", |x| !x.is_nan() && (*x != 0.0)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (member(), score()).prop_map(|(member, score)| Step::Set(member, score)),
        5 => member().prop_map(Step::Remove),
        1 => (0..50usize, 0..20usize).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        1 => (0..12usize).prop_map(Step::Prepare),
        2 => (score(), score(), any::<bool>(), any::<bool>())
            .prop_map(|(min, max, a, b)| Step::Scores(min, max, a, b)),
        3 => member().prop_map(Step::Check),
    ]
}

type Model = Vec<(f64, Vec<u8>)>;

fn model_set(model: &mut Model, member: &[u8], score: f64) {
    model.retain(|(_, other)| other != member);
    let at = model.partition_point(|(other, name)| {
        *other < score || *other == score && name.as_slice() < member
    });
    model.insert(at, (score, member.to_vec()));
}

fn check_range(zset: &Zset, model: &Model, range: &ScoreRange) {
    let ranks = zset.ranks_by_score(range);
    let expected: Vec<_> =
        model.iter().filter(|(score, _)| range.place(*score).is_eq()).cloned().collect();
    let walk = |(member, score): (Element<'_>, f64)| (score, member.to_vec());
    assert_eq!(zset.range(ranks.clone()).map(walk).collect::<Vec<_>>(), expected);
    let mut reversed: Vec<_> = zset.range(ranks).rev().map(walk).collect();
    reversed.reverse();
    assert_eq!(reversed, expected);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn behaves_as_a_sorted_vector(
        limit in prop_oneof![Just(0usize), Just(12), Just(1000)],
        steps in prop::collection::vec(step(), 1..300),
    ) {
        let limits = Limits { entries: limit, value_bytes: 12 };
        let (mut zset, mut model) = (Zset::new(), Model::new());
        for step in steps {
            match step {
                Step::Set(member, score) => {
                    zset.set(&member, score, limits);
                    model_set(&mut model, &member, score);
                }
                Step::Remove(member) => {
                    let at = model.iter().position(|(_, other)| *other == member);
                    let expected = at.map(|at| model.remove(at).0);
                    prop_assert_eq!(zset.remove(&member), expected);
                }
                Step::RemoveRange(at, count) => {
                    let start = at.min(model.len());
                    let end = model.len().min(start + count);
                    zset.remove_range(start..end);
                    model.drain(start..end);
                }
                Step::Prepare(more) => zset.prepare(more, limits),
                Step::Scores(min, max, min_open, max_open) => {
                    let mut range = ScoreRange::closed(min, max);
                    (range.min.open, range.max.open) = (min_open, max_open);
                    if min <= max && (min < max || !min_open && !max_open) {
                        check_range(&zset, &model, &range);
                    } else {
                        prop_assert!(zset.ranks_by_score(&range).is_empty());
                    }
                }
                Step::Check(member) => {
                    let at = model.iter().position(|(_, other)| *other == member);
                    let expected = at.map(|at| (at, model[at].0));
                    prop_assert_eq!(zset.rank(&member), expected);
                    prop_assert_eq!(zset.score(&member), expected.map(|(_, score)| score));
                }
            }
            prop_assert_eq!((zset.len(), zset.is_empty()), (model.len(), model.is_empty()));
        }
        let expected: Vec<_> = model.into_iter().map(|(score, name)| (name, score)).collect();
        prop_assert_eq!(contents(&zset), expected);
        prop_assert_eq!(&zset.clone(), &zset);
    }

    #[test]
    fn members_of_one_score_are_ranges(
        names in prop::collection::btree_set("[a-d]{0,3}", 0..40),
        (min, max) in ("[\\[(][a-d]{0,2}|-|\\+", "[\\[(][a-d]{0,2}|-|\\+"),
        entries in prop_oneof![Just(0usize), Just(100)],
    ) {
        let limits = Limits { entries, value_bytes: 12 };
        let mut zset = Zset::new();
        names.iter().rev().for_each(|name| _ = zset.set(name.as_bytes(), 0.0, limits));
        let range = LexRange::parse(min.as_bytes(), max.as_bytes()).unwrap();
        let inside = |name: &&String| range.place(name.as_bytes()).is_eq();
        let expected: Vec<_> =
            names.iter().filter(inside).map(|name| name.as_bytes().to_vec()).collect();
        let ranks = zset.ranks_by_member(&range);
        let found: Vec<_> = zset.range(ranks).map(|(member, _)| member.to_vec()).collect();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn operations_are_those_of_maps(
        inputs in prop::collection::vec(
            (prop::collection::hash_map("[a-f1-4]{1,2}", -4..4i32, 0..30), any::<bool>(), -2..3i32),
            1..4,
        ),
        entries in prop_oneof![Just(0usize), Just(100)],
    ) {
        let limits = Limits { entries, value_bytes: 12 };
        let mut zsets = Vec::new();
        let mut sets = Vec::new();
        for (members, _, _) in &inputs {
            let mut zset = Zset::new();
            let mut set = Set::new();
            for (name, score) in members {
                zset.set(name.as_bytes(), f64::from(*score), limits);
                set.add(name.as_bytes(), SetLimits::DEFAULT);
            }
            zsets.push(zset);
            sets.push(set);
        }
        let weighted: Vec<_> = inputs.iter().enumerate().map(|(at, (_, is_set, weight))| {
            let source = if *is_set { Source::Set(&sets[at]) } else { Source::Zset(&zsets[at]) };
            (source, f64::from(*weight))
        }).collect();
        let sources: Vec<_> = weighted.iter().map(|(source, _)| *source).collect();
        let mut sums: HashMap<&String, (f64, usize)> = HashMap::new();
        for (members, is_set, weight) in &inputs {
            for (name, score) in members {
                let score = if *is_set { 1 } else { *score };
                let sum = sums.entry(name).or_default();
                sum.0 += f64::from(score * weight);
                sum.1 += 1;
            }
        }
        let union = algebra::union(&weighted, Aggregate::Sum, limits);
        prop_assert_eq!(union.len(), sums.len());
        let common = algebra::intersection(&weighted, Aggregate::Sum, limits);
        let everywhere = sums.values().filter(|(_, times)| *times == inputs.len()).count();
        prop_assert_eq!(common.len(), everywhere);
        prop_assert_eq!(algebra::intersection_len(&sources, usize::MAX), everywhere);
        prop_assert_eq!(algebra::intersection_len(&sources, 2), everywhere.min(2));
        let rest = algebra::difference(&sources, limits);
        for (name, (sum, times)) in &sums {
            prop_assert_eq!(union.score(name.as_bytes()), Some(*sum));
            let expected = (*times == inputs.len()).then_some(*sum);
            prop_assert_eq!(common.score(name.as_bytes()), expected);
            let first = inputs[0].0.get(*name).filter(|_| *times == 1);
            let score = first.map(|score| if inputs[0].1 { 1.0 } else { f64::from(*score) });
            prop_assert_eq!(rest.score(name.as_bytes()), score);
        }
    }
}

#[test]
fn infinities_do_not_become_something_else() {
    let a = of(&[("x", f64::INFINITY)], SMALL);
    let b = of(&[("x", f64::NEG_INFINITY)], SMALL);
    let sources = [(Source::Zset(&a), 1.0), (Source::Zset(&b), 1.0)];
    let score = |aggregate| algebra::union(&sources, aggregate, SMALL).score(b"x");
    assert_eq!(score(Aggregate::Sum), Some(0.0));
    assert_eq!(score(Aggregate::Min), Some(f64::NEG_INFINITY));
    assert_eq!(score(Aggregate::Max), Some(f64::INFINITY));
    let zero = [(Source::Zset(&a), 0.0)];
    assert_eq!(algebra::union(&zero, Aggregate::Sum, SMALL).score(b"x"), Some(0.0));
    assert_eq!(algebra::intersection(&zero, Aggregate::Sum, SMALL).score(b"x"), Some(0.0));
}

#[test]
fn choices_are_fair() {
    for entries in [0, 1000] {
        let mut zset = Zset::new();
        let limits = Limits { entries, value_bytes: 64 };
        (0..100).for_each(|n: i32| _ = zset.set(n.to_string().as_bytes(), n.into(), limits));
        let mut rng = Rng::seeded(5);
        let mut counts = [0; 100];
        for _ in 0..400 {
            let mut seen = Vec::new();
            zset.sample(&mut rng, 10, |_, score| seen.push(score as usize));
            seen.sort_unstable();
            seen.dedup();
            assert_eq!(seen.len(), 10);
            seen.into_iter().for_each(|n| counts[n] += 1);
            zset.pick(&mut rng, 10, |_, score| counts[score as usize] += 1);
            zset.pick(&mut rng, 1, |_, score| counts[score as usize] += 1);
        }
        assert!(counts.iter().all(|count| (40..140).contains(count)), "{counts:?}");
        let mut all = 0;
        zset.sample(&mut rng, 1000, |_, _| all += 1);
        assert_eq!(all, 100);
    }
}

#[test]
fn scans_find_all_members() {
    let limits = Limits { entries: 0, value_bytes: 64 };
    let mut zset = Zset::new();
    (0..1000).for_each(|n: i32| _ = zset.set(n.to_string().as_bytes(), n.into(), limits));
    let mut found = vec![false; 1000];
    let mut cursor = 0;
    loop {
        cursor = zset.scan(cursor, 10, |_, score| found[score as usize] = true);
        if cursor == 0 {
            break;
        }
    }
    assert!(found.iter().all(|found| *found));
}
