//! Sorted sets: a listpack of members and scores by turns, in order, while both their number and
//! the lengths of the members are small; a table with an index from then on ([`Scores`]), which
//! OBJECT ENCODING calls `skiplist`. Which is decided here, by the limits that callers hand in.
//! Called by the commands and the persistence formats; knows no keys and no configuration.

pub mod algebra;
mod packed;
mod random;
pub mod range;

#[cfg(test)]
mod tests;

use std::fmt;
use std::ops::Range;

use super::Encoding;
use super::scored::{self, Scores};
use crate::base::alloc;
use crate::data::hashtable::Stats;
use crate::data::listpack::{Element, Listpack};

pub use super::scored::Change;
use packed::Packed;
pub use packed::{Invalid, Pairs, write_score};
pub use range::{LexRange, ScoreRange};

/// Buckets that one scan visits at most per member that is asked for (Redis: maxiterations).
const SCAN_BUCKETS_PER_MEMBER: usize = 10;

/// Up to where a sorted set is a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members (zset-max-listpack-entries).
    pub entries: usize,
    /// Bytes of the longest member (zset-max-listpack-value).
    pub value_bytes: usize,
}

impl Limits {
    /// What the directives are without a configuration.
    pub const DEFAULT: Limits = Limits { entries: 128, value_bytes: 64 };
    /// Never a listpack, as which the sign of zero is lost.
    pub const NONE: Limits = Limits { entries: 0, value_bytes: 0 };
}

/// Members with scores, ordered by these, members of the same score by their bytes.
#[derive(Clone)]
pub struct Zset(Repr);

#[derive(Clone)]
enum Repr {
    Packed(Packed),
    Scores(Box<Scores>),
}

impl Zset {
    /// A sorted set without members: one that is to get some before anyone sees it.
    pub fn new() -> Self {
        Zset(Repr::Packed(Packed::new()))
    }

    /// A sorted set that is about to get so many members, the first of which has this length
    /// (Redis: zsetTypeCreate).
    pub fn for_members(count: usize, first_len: usize, limits: Limits) -> Self {
        if count <= limits.entries && first_len <= limits.value_bytes {
            Zset::new()
        } else {
            Zset(Repr::Scores(Box::default()))
        }
    }

    /// The sorted set whose members and scores stand in a listpack by turns.
    pub fn from_listpack(pairs: Listpack, limits: Limits) -> Result<Self, Invalid> {
        let mut zset = Zset(Repr::Packed(Packed::from_listpack(pairs)?));
        zset.prepare(zset.len(), limits);
        Ok(zset)
    }

    /// What was collected, as a listpack if the limits admit that.
    pub fn from_members(members: scored::Builder, limits: Limits) -> Self {
        let (longest, total) = members.member_bytes();
        let fits = members.len() <= limits.entries && longest <= limits.value_bytes;
        let scores = members.finish();
        if fits && Listpack::new().would_fit(total) {
            let mut packed = Packed::new();
            scores.iter(0..scores.len()).for_each(|(member, score)| packed.push(member, score));
            return Zset(Repr::Packed(packed));
        }
        Zset(Repr::Scores(Box::new(scores)))
    }

    // ---- reading

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.len(),
            Repr::Scores(scores) => scores.len(),
        }
    }

    /// Whether there are no members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match &self.0 {
            Repr::Packed(packed) => packed.is_empty(),
            Repr::Scores(scores) => scores.is_empty(),
        }
    }

    /// The encoding.
    pub fn encoding(&self) -> Encoding {
        match &self.0 {
            Repr::Packed(_) => Encoding::Listpack,
            Repr::Scores(_) => Encoding::Skiplist,
        }
    }

    /// Bytes of the heap that the sorted set owns. Takes no longer for a big one.
    pub fn heap_bytes(&self) -> usize {
        match &self.0 {
            Repr::Packed(packed) => packed.listpack().heap_bytes(),
            Repr::Scores(scores) => alloc::usable_size(size_of::<Scores>()) + scores.heap_bytes(),
        }
    }

    /// How much work freeing is.
    pub fn free_effort(&self) -> usize {
        match &self.0 {
            Repr::Packed(_) => 1,
            Repr::Scores(scores) => scores.len(),
        }
    }

    /// The members and scores by turns, if that is how they are stored.
    pub fn listpack(&self) -> Option<&Listpack> {
        match &self.0 {
            Repr::Packed(packed) => Some(packed.listpack()),
            Repr::Scores(_) => None,
        }
    }

    /// Asks the processor for where an element of this hash may be, if there is a table.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        if let Repr::Scores(scores) = &self.0 {
            scores.prefetch_bucket(hash);
        }
    }

    /// Some time after that: asks for the elements that may have this hash.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        if let Repr::Scores(scores) = &self.0 {
            scores.prefetch_entry(hash);
        }
    }

    /// The shape of the table, if there is one. Takes time in proportion to its size.
    pub fn table_stats(&self) -> Option<Stats> {
        match &self.0 {
            Repr::Packed(_) => None,
            Repr::Scores(scores) => Some(scores.table_stats()),
        }
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        match &self.0 {
            Repr::Packed(packed) => packed.score(member),
            Repr::Scores(scores) => scores.score(member),
        }
    }

    /// How many members come before this one, and its score.
    #[inline]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        match &self.0 {
            Repr::Packed(packed) => packed.rank(member),
            Repr::Scores(scores) => scores.rank(member),
        }
    }

    /// The ranks of the members whose scores are in a range.
    #[inline]
    pub fn ranks_by_score(&self, range: &ScoreRange) -> Range<usize> {
        match &self.0 {
            Repr::Packed(packed) => packed.ranks(|_, score| range.place(score)),
            Repr::Scores(scores) => {
                let start = scores.rank_by_score(range.min.score, range.min.open);
                let end = scores.rank_by_score(range.max.score, !range.max.open);
                start..end.max(start)
            }
        }
    }

    /// The ranks of the members that are in a range. All members should have the same score: with
    /// others, which of them are found is not defined.
    pub fn ranks_by_member(&self, range: &LexRange<'_>) -> Range<usize> {
        match &self.0 {
            Repr::Packed(packed) => {
                let mut digits = itoa::Buffer::new();
                packed.ranks(|member, _| range.place(member.bytes(&mut digits)))
            }
            Repr::Scores(scores) => {
                let start = scores.rank_by_member(|member| range.place(member).is_lt());
                let end = scores.rank_by_member(|member| range.place(member).is_le());
                start..end.max(start)
            }
        }
    }

    /// The members of these ranks, which must exist, with their scores.
    #[inline]
    pub fn range(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter(match &self.0 {
            Repr::Packed(packed) => Walk::Packed(packed.range(ranks)),
            Repr::Scores(scores) => Walk::Scores(scores.iter(ranks)),
        })
    }

    /// All members in order with their scores.
    pub fn iter(&self) -> Iter<'_> {
        self.range(0..self.len())
    }

    /// Visits about `count` members of the table and returns the cursor to go on with, 0 at the
    /// end. Where there is no table nothing is visited: see [`Zset::listpack`].
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&'a [u8], f64),
    ) -> u64 {
        let Repr::Scores(scores) = &self.0 else { return 0 };
        let (mut cursor, mut visited) = (cursor, 0);
        for _ in 0..count.saturating_mul(SCAN_BUCKETS_PER_MEMBER) {
            cursor = scores.scan(cursor, |member, score| {
                visited += 1;
                visit(member, score);
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    // ---- changing

    /// Makes a table of a listpack that is about to get so many members in one go (Redis:
    /// zsetTypeMaybeConvert).
    pub fn prepare(&mut self, more: usize, limits: Limits) {
        if more > limits.entries {
            self.make_scores();
        }
    }

    /// Gives a member the score that `decide` makes of its old one, if it has one. Where that is
    /// none, nothing changes. A score must not be NaN.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        limits: Limits,
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        if let Repr::Packed(packed) = &mut self.0 {
            let at = packed.find(member);
            let old = at.map(|at| packed.score_at(at));
            let Some(score) = decide(old) else { return Change::Skipped };
            match (at, old) {
                (Some(_), Some(old)) if old == score => return Change::Kept(score),
                (Some(at), _) => {
                    packed.remove(at);
                    packed.insert(member, score);
                    return Change::Updated(score);
                }
                (None, _) if packed.admits(member, limits) => {
                    packed.insert(member, score);
                    return Change::Added(score);
                }
                (None, _) => {}
            }
            return self.make_scores().update(member, |_| Some(score));
        }
        self.make_scores().update(member, decide)
    }

    /// Sets the score of a member.
    pub fn set(&mut self, member: &[u8], score: f64, limits: Limits) -> Change {
        self.update(member, limits, |_| Some(score))
    }

    /// Removes a member; its score, if it was there.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        match &mut self.0 {
            Repr::Packed(packed) => {
                let at = packed.find(member)?;
                let score = packed.score_at(at);
                packed.remove(at);
                Some(score)
            }
            Repr::Scores(scores) => scores.remove(member),
        }
    }

    /// Removes the members of these ranks, which must exist.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        match &mut self.0 {
            Repr::Packed(packed) => packed.remove_range(ranks),
            Repr::Scores(scores) => scores.remove_range(ranks),
        }
    }

    /// Makes it a table, if it is none, and gives that.
    #[inline]
    fn make_scores(&mut self) -> &mut Scores {
        if let Repr::Packed(packed) = &self.0 {
            let mut members = scored::Builder::default();
            let mut digits = itoa::Buffer::new();
            for (member, score) in packed.range(0..packed.len()) {
                members.add(member.bytes(&mut digits), |_| score);
            }
            self.0 = Repr::Scores(Box::new(members.finish()));
        }
        match &mut self.0 {
            Repr::Scores(scores) => scores,
            Repr::Packed(_) => unreachable!("it was replaced above"),
        }
    }
}

/// Members in order with their scores, from either end.
pub struct Iter<'a>(Walk<'a>);

enum Walk<'a> {
    Packed(Pairs<'a>),
    Scores(scored::Iter<'a>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(pairs) => pairs.next(),
            Walk::Scores(scores) => {
                let (member, score) = scores.next()?;
                Some((Element::Bytes(member), score))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match &self.0 {
            Walk::Packed(pairs) => pairs.size_hint(),
            Walk::Scores(scores) => scores.size_hint(),
        }
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Packed(pairs) => pairs.next_back(),
            Walk::Scores(scores) => {
                let (member, score) = scores.next_back()?;
                Some((Element::Bytes(member), score))
            }
        }
    }
}

impl ExactSizeIterator for Iter<'_> {}

impl Default for Zset {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether both have the same members with the same scores, in whatever encoding.
impl PartialEq for Zset {
    fn eq(&self, other: &Self) -> bool {
        let (mut mine, mut theirs) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.len() == other.len()
            && self.iter().zip(other.iter()).all(|((a, score), (b, other_score))| {
                score == other_score && a.bytes(&mut mine) == b.bytes(&mut theirs)
            })
    }
}

impl fmt::Debug for Zset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zset({}, {} members)", self.encoding().name(), self.len())
    }
}
