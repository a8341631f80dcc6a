//! The members of a big sorted set: a table that finds each by its name, and an index that has them
//! in order. Both point to the same allocation per member (`entry`). Called by `zset`; knows no
//! encodings and no limits.
//!
//! What keeps this sound: the index holds exactly one handle for each entry of the table. A handle
//! is put there after its entry came into the table, and taken out before the entry leaves it or
//! gets another score.

#![allow(unsafe_code)]

mod entry;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::ops::Range;

use crate::base::hash::hash;
use crate::base::rng::Rng;
use crate::data::hashtable::{Lookup, Stats, Table};
use crate::data::sorted_index::{self, Cut, SortedIndex};
use entry::{Handle, Scored};

/// What became of a member.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Change {
    /// It was not there, and got this score.
    Added(f64),
    /// It had another score than this one.
    Updated(f64),
    /// It had this score already.
    Kept(f64),
    /// Nothing was to be done.
    Skipped,
}

/// Members with their scores, by name and in order.
pub struct Scores {
    table: Table<Scored>,
    index: SortedIndex<Handle>,
    /// Bytes of all entries together.
    bytes: usize,
}

/// Compares by the score, and members of the same score by their bytes.
#[inline]
fn compare(score: f64, handle: Handle, key: (f64, &[u8])) -> Ordering {
    if score < key.0 {
        Ordering::Less
    } else if score > key.0 {
        Ordering::Greater
    } else {
        // SAFETY: comparisons are made for the index, whose handles have living entries.
        unsafe { handle.member() }.cmp(key.1)
    }
}

/// Those before a member of this score.
fn before(score: f64, member: &[u8]) -> Cut<impl Fn(Handle) -> bool> {
    // SAFETY: the index's handles have living entries.
    Cut { score, has: move |handle: Handle| unsafe { handle.member() } < member }
}

/// Those up to a member of this score.
fn upto(score: f64, member: &[u8]) -> Cut<impl Fn(Handle) -> bool> {
    // SAFETY: the index's handles have living entries.
    Cut { score, has: move |handle: Handle| unsafe { handle.member() } <= member }
}

impl Scores {
    /// No members.
    pub fn new() -> Self {
        Scores { table: Table::new(), index: SortedIndex::new(), bytes: 0 }
    }

    // ---- reading

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of the heap that table, index and members take.
    pub fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.index.heap_bytes() + self.bytes
    }

    /// Asks the processor for where a member of this hash may be.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        self.table.prefetch_bucket(hash);
    }

    /// Some time after that: asks for the members that may have this hash.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        self.table.prefetch_entry(hash);
    }

    /// The shape of the table. Takes time in proportion to its size.
    pub fn table_stats(&self) -> Stats {
        self.table.stats()
    }

    /// The score of a member.
    #[inline]
    pub fn score(&self, member: &[u8]) -> Option<f64> {
        self.table.get(hash(member), member).map(Scored::score)
    }

    /// How many members come before this one, and its score.
    #[inline]
    pub fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let score = self.score(member)?;
        Some((self.index.rank(before(score, member)), score))
    }

    /// How many members have a lower score than this one, or just this one if those are counted.
    #[inline]
    pub fn rank_by_score(&self, score: f64, is_counted: bool) -> usize {
        // No need to look where the answer is none or all.
        if score == f64::INFINITY && is_counted {
            self.len()
        } else if score == f64::NEG_INFINITY && !is_counted {
            0
        } else {
            self.index.rank(Cut { score, has: |_| is_counted })
        }
    }

    /// How many members the predicate is true for, which must be so for a prefix of the order. All
    /// members should have the same score.
    #[inline]
    pub fn rank_by_member(&self, before: impl Fn(&[u8]) -> bool) -> usize {
        let Some((_, score)) = self.iter(0..self.len().min(1)).next() else { return 0 };
        // SAFETY: the index's handles have living entries.
        self.index.rank(Cut { score, has: |handle: Handle| before(unsafe { handle.member() }) })
    }

    /// The members of these ranks, which must exist, with their scores.
    #[inline]
    pub fn iter(&self, ranks: Range<usize>) -> Iter<'_> {
        Iter(self.index.iter(ranks))
    }

    /// Visits the members of one bucket, as [`Table::scan`].
    pub fn scan<'a>(&'a self, cursor: u64, mut visit: impl FnMut(&'a [u8], f64)) -> u64 {
        self.table.scan(cursor, |entry| visit(entry.member(), entry.score()))
    }

    /// A member at random, each with the same probability, its score, and a number that is its own.
    pub fn random(&self, rng: &mut Rng) -> Option<(&[u8], f64, usize)> {
        let entry = self.table.random(rng)?;
        Some((entry.member(), entry.score(), entry.handle().address()))
    }

    // ---- changing

    /// Gives a member the score that `decide` makes of its old one, if it has one. Where that is
    /// none, nothing changes. A score must not be NaN.
    #[inline]
    pub fn update(
        &mut self,
        member: &[u8],
        decide: impl FnOnce(Option<f64>) -> Option<f64>,
    ) -> Change {
        match self.table.lookup(hash(member), member) {
            Lookup::Found(found) => {
                let entry = found.into_mut();
                let old = entry.score();
                let Some(score) = decide(Some(old)) else { return Change::Skipped };
                debug_assert!(!score.is_nan(), "callers refuse NaN");
                if score == old {
                    return Change::Kept(score);
                }
                self.index.remove(upto(old, member));
                entry.set_score(score);
                self.index.insert(entry.handle(), before(score, member));
                Change::Updated(score)
            }
            Lookup::Vacant(vacant) => {
                let Some(score) = decide(None) else { return Change::Skipped };
                debug_assert!(!score.is_nan(), "callers refuse NaN");
                let entry = Scored::new(member, score);
                let handle = entry.handle();
                self.bytes += entry.heap_bytes();
                vacant.insert(entry);
                self.index.insert(handle, before(score, member));
                Change::Added(score)
            }
        }
    }

    /// Removes a member; its score.
    pub fn remove(&mut self, member: &[u8]) -> Option<f64> {
        let Lookup::Found(found) = self.table.lookup(hash(member), member) else { return None };
        let score = found.get().score();
        self.index.remove(upto(score, member));
        self.bytes -= found.remove().heap_bytes();
        Some(score)
    }

    /// Removes the members of these ranks, which must exist.
    pub fn remove_range(&mut self, ranks: Range<usize>) {
        let Scores { table, index, bytes } = self;
        index.remove_range(ranks, |handle| {
            // SAFETY: the entry lives until it is removed from the table, after its last look at
            // these bytes.
            let member = unsafe { handle.member() };
            let removed = table.remove(hash(member), member);
            *bytes -= removed.map_or(0, |entry| entry.heap_bytes());
        });
    }
}

impl Default for Scores {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for Scores {
    fn clone(&self) -> Self {
        let (mut table, mut index) = (Table::with_capacity(self.len()), SortedIndex::new());
        for (member, score) in self.iter(0..self.len()) {
            let entry = Scored::new(member, score);
            index.push_back(entry.handle());
            table.insert(hash(member), entry);
        }
        Scores { table, index, bytes: self.bytes }
    }
}

/// Members in order with their scores, from either end.
pub struct Iter<'a>(sorted_index::Iter<'a, Handle>);

impl<'a> Iter<'a> {
    #[inline]
    fn read(handle: Handle) -> (&'a [u8], f64) {
        // SAFETY: the entry lives, unchanged, as long as the members are borrowed.
        (unsafe { handle.member() }, sorted_index::Item::score(handle))
    }
}

impl<'a> Iterator for Iter<'a> {
    type Item = (&'a [u8], f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(Self::read)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl DoubleEndedIterator for Iter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.0.next_back().map(Self::read)
    }
}

impl ExactSizeIterator for Iter<'_> {}

/// Members that come in any order, and are put in order once they are all there.
#[derive(Default)]
pub struct Builder {
    table: Table<Scored>,
    bytes: usize,
    /// Of the longest member.
    longest: usize,
    /// Of all members.
    total: usize,
}

impl Builder {
    /// Adds a member with the score that `decide` makes of the one that it was added with before.
    /// The score must not be NaN.
    pub fn add(&mut self, member: &[u8], decide: impl FnOnce(Option<f64>) -> f64) {
        match self.table.lookup(hash(member), member) {
            Lookup::Found(found) => {
                let entry = found.into_mut();
                entry.set_score(decide(Some(entry.score())));
            }
            Lookup::Vacant(vacant) => {
                let entry = Scored::new(member, decide(None));
                self.bytes += entry.heap_bytes();
                self.longest = self.longest.max(member.len());
                self.total += member.len();
                vacant.insert(entry);
            }
        }
    }

    /// How many members there are.
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// Whether there are no members.
    pub fn is_empty(&self) -> bool {
        self.table.is_empty()
    }

    /// Bytes of the longest member, and of all.
    pub fn member_bytes(&self) -> (usize, usize) {
        (self.longest, self.total)
    }

    /// The members in order.
    pub fn finish(self) -> Scores {
        let mut handles: Vec<Handle> = self.table.iter().map(Scored::handle).collect();
        handles.sort_unstable_by(|&a, &b| {
            // SAFETY: the entries live in the table.
            let key = unsafe { b.member() };
            compare(sorted_index::Item::score(a), a, (sorted_index::Item::score(b), key))
        });
        let mut index = SortedIndex::new();
        handles.into_iter().for_each(|handle| index.push_back(handle));
        Scores { table: self.table, index, bytes: self.bytes }
    }
}
