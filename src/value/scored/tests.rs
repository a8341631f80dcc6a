//! Members and scores against a map and a sorted set of std, and what they take.

use std::collections::{BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;

/// A score with an order, as those of the tests are never NaN and no zero is negative.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Key(f64);

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

#[derive(Default)]
struct Model {
    scores: HashMap<Vec<u8>, f64>,
    order: BTreeSet<(Key, Vec<u8>)>,
}

impl Model {
    fn set(&mut self, member: &[u8], score: f64) {
        self.remove(member);
        self.scores.insert(member.to_vec(), score);
        self.order.insert((Key(score), member.to_vec()));
    }

    fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let score = self.scores.remove(member)?;
        self.order.remove(&(Key(score), member.to_vec()));
        Some(score)
    }

    fn in_order(&self) -> Vec<(Vec<u8>, f64)> {
        self.order.iter().map(|(score, member)| (member.clone(), score.0)).collect()
    }
}

fn in_order(scores: &Scores) -> Vec<(Vec<u8>, f64)> {
    scores.iter(0..scores.len()).map(|(member, score)| (member.to_vec(), score)).collect()
}

#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, f64),
    Add(Vec<u8>, f64),
    Remove(Vec<u8>),
    RemoveRange(usize, usize),
    Check(Vec<u8>),
    Clone,
}

fn member() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        9 => (0..300u32).prop_map(|n| n.to_string().into_bytes()),
        1 => (250..260usize, any::<u8>()).prop_map(|(len, byte)| vec![byte; len]),
    ]
}

fn score() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-5..5i32).prop_map(f64::from),
        -1e9..1e9f64,
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        10 => (member(), score()).prop_map(|(member, score)| Step::Set(member, score)),
        2 => (member(), -3..3i32).prop_map(|(member, score)| Step::Add(member, score.into())),
        4 => member().prop_map(Step::Remove),
        1 => (0..300usize, 0..100usize).prop_map(|(at, count)| Step::RemoveRange(at, count)),
        4 => member().prop_map(Step::Check),
        1 => Just(Step::Clone),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn behaves_as_a_map_and_a_set(steps in prop::collection::vec(step(), 1..600)) {
        let (mut scores, mut model) = (Scores::new(), Model::default());
        for step in steps {
            match step {
                Step::Set(member, score) => {
                    let change = scores.update(&member, |_| Some(score));
                    let expected = match model.scores.get(&member) {
                        None => Change::Added(score),
                        Some(old) if *old == score => Change::Kept(score),
                        Some(_) => Change::Updated(score),
                    };
                    prop_assert_eq!(change, expected);
                    model.set(&member, score);
                }
                Step::Add(member, more) => {
                    let change = scores.update(&member, |old| old.map(|old| old + more));
                    match model.scores.get(&member) {
                        None => prop_assert_eq!(change, Change::Skipped),
                        Some(old) => {
                            // Adding to -0 is as adding to 0.
                            let sum = old + more;
                            model.set(&member, sum);
                        }
                    }
                }
                Step::Remove(member) => {
                    prop_assert_eq!(scores.remove(&member), model.remove(&member));
                }
                Step::RemoveRange(at, count) => {
                    let start = at.min(scores.len());
                    let end = scores.len().min(start + count);
                    scores.remove_range(start..end);
                    for (member, _) in &model.in_order()[start..end] {
                        model.remove(member);
                    }
                }
                Step::Check(member) => {
                    let all = model.in_order();
                    let place = all.iter().position(|(other, _)| *other == member);
                    let expected = place.map(|at| (at, all[at].1));
                    prop_assert_eq!(scores.rank(&member), expected);
                    prop_assert_eq!(scores.score(&member), expected.map(|(_, score)| score));
                }
                Step::Clone => scores = scores.clone(),
            }
            prop_assert_eq!(scores.len(), model.scores.len());
        }
        prop_assert_eq!(in_order(&scores), model.in_order());
        let entries: usize = scores.table.iter().map(Scored::heap_bytes).sum();
        prop_assert_eq!(entries, scores.bytes);
        let ranked = scores.rank_by_score(1.0, false);
        prop_assert_eq!(ranked, model.order.iter().filter(|(score, _)| score.0 < 1.0).count());
    }

    #[test]
    fn builders_put_in_order(members in prop::collection::vec((member(), score()), 0..300)) {
        let (mut builder, mut model) = (Builder::default(), Model::default());
        for (member, score) in &members {
            builder.add(member, |_| *score);
            model.set(member, *score);
        }
        let total: usize = model.scores.keys().map(Vec::len).sum();
        prop_assert_eq!(builder.member_bytes().1, total);
        prop_assert_eq!(builder.len(), model.scores.len());
        let scores = builder.finish();
        prop_assert_eq!(in_order(&scores), model.in_order());
        for (member, score) in &model.scores {
            prop_assert_eq!(scores.score(member), Some(*score));
        }
    }
}

#[cfg(feature = "jemalloc")]
#[test]
fn memory_of_members() {
    const MEMBERS: usize = 100_000;
    let mut rng = crate::base::rng::Rng::seeded(3);
    let mut scores = Scores::new();
    for n in 0..MEMBERS {
        scores.update(format!("member:{n:07}").as_bytes(), |_| Some(rng.below(1 << 40) as f64));
    }
    // Redis takes 94.5 for a member of 14 bytes.
    let each = scores.heap_bytes() as f64 / MEMBERS as f64;
    assert!(each < 61.4, "{each}");
}

#[test]
fn zeros_are_equal() {
    let mut scores = Scores::new();
    scores.update(b"b", |_| Some(0.0));
    scores.update(b"a", |_| Some(-0.0));
    scores.update(b"c", |_| Some(-0.0));
    assert_eq!(scores.update(b"b", |_| Some(-0.0)), Change::Kept(0.0));
    let members: Vec<_> = scores.iter(0..3).map(|(member, _)| member).collect();
    assert_eq!(members, [b"a", b"b", b"c"]);
}
