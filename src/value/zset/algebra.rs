//! Unions, intersections and differences of sorted sets and sets. The members of a set have the
//! score 1; a key that does not exist is an empty set.

use super::{Limits, Zset};
use crate::data::listpack::Element;
use crate::value::Set;
use crate::value::scored::Builder;

/// What goes into an operation.
#[derive(Clone, Copy, Debug)]
pub enum Source<'a> {
    /// Nothing.
    Empty,
    /// A set.
    Set(&'a Set),
    /// A sorted set.
    Zset(&'a Zset),
}

/// How the scores of a member become one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Aggregate {
    /// Their sum.
    #[default]
    Sum,
    /// The least of them.
    Min,
    /// The greatest of them.
    Max,
}

impl Aggregate {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Aggregate::Sum => number(left + right),
            Aggregate::Min => {
                if right < left {
                    right
                } else {
                    left
                }
            }
            Aggregate::Max => {
                if right > left {
                    right
                } else {
                    left
                }
            }
        }
    }
}

/// What a product or a sum of infinities and zeros counts as.
fn number(score: f64) -> f64 {
    if score.is_nan() { 0.0 } else { score }
}

impl<'a> Source<'a> {
    /// How many members there are.
    pub fn len(&self) -> usize {
        match self {
            Source::Empty => 0,
            Source::Set(set) => set.len(),
            Source::Zset(zset) => zset.len(),
        }
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn iter(self) -> impl Iterator<Item = (Element<'a>, f64)> {
        let (set, zset) = match self {
            Source::Empty => (None, None),
            Source::Set(set) => (Some(set), None),
            Source::Zset(zset) => (None, Some(zset)),
        };
        let members = set.into_iter().flat_map(|set| set.iter().map(|member| (member, 1.0)));
        members.chain(zset.into_iter().flat_map(Zset::iter))
    }

    fn score(&self, member: &[u8]) -> Option<f64> {
        match self {
            Source::Empty => None,
            Source::Set(set) => set.contains(member).then_some(1.0),
            Source::Zset(zset) => zset.score(member),
        }
    }
}

/// A source and what its scores are multiplied by.
pub type Weighted<'a> = (Source<'a>, f64);

/// The order in which sources are gone through, the smallest first; sums of infinities depend on
/// it. Redis sorts by size with an unstable sort that keeps the order of equals for few sources.
fn by_size<'a>(sources: &[Weighted<'a>]) -> Vec<Weighted<'a>> {
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(|(source, _)| source.len());
    sorted
}

/// All members.
pub fn union(sources: &[Weighted<'_>], aggregate: Aggregate, limits: Limits) -> Zset {
    let mut result = Builder::default();
    let mut digits = itoa::Buffer::new();
    for (source, weight) in by_size(sources) {
        for (member, score) in source.iter() {
            let score = number(weight * score);
            result.add(member.bytes(&mut digits), |old| {
                old.map_or(score, |old| aggregate.of(old, score))
            });
        }
    }
    Zset::from_members(result, limits)
}

/// The members that all sources have.
pub fn intersection(sources: &[Weighted<'_>], aggregate: Aggregate, limits: Limits) -> Zset {
    let sorted = by_size(sources);
    let mut result = Builder::default();
    let mut digits = itoa::Buffer::new();
    if let Some(((smallest, weight), others)) = sorted.split_first() {
        for (member, score) in smallest.iter() {
            let member = member.bytes(&mut digits);
            let first = number(weight * score);
            let score = others.iter().try_fold(first, |sum, (source, weight)| {
                // A product that is no number spoils the minimum and the maximum not, in Redis.
                source.score(member).map(|score| aggregate.of(sum, score * weight))
            });
            if let Some(score) = score {
                result.add(member, |_| score);
            }
        }
    }
    Zset::from_members(result, limits)
}

/// How many members all sources have; counting ends at `limit`.
pub fn intersection_len(sources: &[Source<'_>], limit: usize) -> usize {
    let mut sorted = sources.to_vec();
    sorted.sort_by_key(Source::len);
    let Some((smallest, others)) = sorted.split_first() else { return 0 };
    let mut digits = itoa::Buffer::new();
    let everywhere = smallest.iter().filter(|(member, _)| {
        let member = member.bytes(&mut digits);
        others.iter().all(|source| source.score(member).is_some())
    });
    everywhere.take(limit).count()
}

/// The members of the first source that no other one has.
pub fn difference(sources: &[Source<'_>], limits: Limits) -> Zset {
    let mut result = Builder::default();
    let mut digits = itoa::Buffer::new();
    if let Some((first, others)) = sources.split_first() {
        // What has many members is likelier to have this one.
        let mut others = others.to_vec();
        others.sort_by_key(|source| std::cmp::Reverse(source.len()));
        for (member, score) in first.iter() {
            let member = member.bytes(&mut digits);
            if others.iter().all(|source| source.score(member).is_none()) {
                result.add(member, |_| score);
            }
        }
    }
    Zset::from_members(result, limits)
}
