//! The small encoding of sorted sets, byte for byte as Redis has it: a listpack of members and
//! scores by turns, in order. Called by the sorted set, which decides how long it may be.

use std::cmp::Ordering;
use std::ops::Range;

use super::Limits;
use crate::base::numbers;
use crate::data::listpack::{Cursor, Element, Listpack};

/// A listpack that is no sorted set: a member without a score, or twice, a score that is no number,
/// or two members in the wrong order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Members and scores by turns.
///
/// Invariant: as many of each, no member twice, every score a number, all in order.
#[derive(Clone)]
pub(super) struct Packed(Listpack);

/// The score that an element says.
fn score_of(element: Element<'_>) -> Option<f64> {
    match element {
        Element::Int(n) => Some(n as f64),
        Element::Bytes(text) => numbers::parse_f64(text),
    }
}

/// Appends a score as it is stored.
pub fn write_score(out: &mut Vec<u8>, score: f64) {
    // Redis stores zero as an integer, which has no sign.
    numbers::write_double(out, if score == 0.0 { 0.0 } else { score });
}

impl Packed {
    pub(super) fn new() -> Self {
        Packed(Listpack::new())
    }

    pub(super) fn from_listpack(pairs: Listpack) -> Result<Self, Invalid> {
        if !pairs.is_unique(2) {
            return Err(Invalid);
        }
        let mut last: Option<(Vec<u8>, f64)> = None;
        let mut elements = pairs.iter();
        while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
            let score = score_of(score).ok_or(Invalid)?;
            let member = member.to_vec();
            if last.is_some_and(|(before, least)| (least, &before) > (score, &member)) {
                return Err(Invalid);
            }
            last = Some((member, score));
        }
        Ok(Packed(pairs))
    }

    pub(super) fn listpack(&self) -> &Listpack {
        &self.0
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() / 2
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where a member is.
    pub(super) fn find(&self, member: &[u8]) -> Option<Cursor> {
        self.0.find(member, 1)
    }

    /// The score of the member at a cursor.
    pub(super) fn score_at(&self, member: Cursor) -> f64 {
        let score = member.next(&self.0).and_then(|at| score_of(self.0.at(at)));
        score.unwrap_or_default()
    }

    pub(super) fn score(&self, member: &[u8]) -> Option<f64> {
        self.find(member).map(|at| self.score_at(at))
    }

    pub(super) fn rank(&self, member: &[u8]) -> Option<(usize, f64)> {
        let mut digits = itoa::Buffer::new();
        let mut pairs = self.range(0..self.len()).enumerate();
        let found = pairs.find(|(_, (other, _))| other.bytes(&mut digits) == member);
        found.map(|(rank, (_, score))| (rank, score))
    }

    /// The ranks from the first member that is placed in a range to the last before one that is
    /// placed above it.
    pub(super) fn ranks(
        &self,
        mut place: impl FnMut(Element<'_>, f64) -> Ordering,
    ) -> Range<usize> {
        let mut pairs = self.range(0..self.len()).enumerate();
        let mut start = None;
        let mut end = self.len();
        for (rank, (member, score)) in &mut pairs {
            let order = place(member, score);
            if order.is_ge() && start.is_none() {
                start = Some(rank);
            }
            if order.is_gt() && start.is_some() {
                end = rank;
                break;
            }
        }
        start.unwrap_or(end)..end
    }

    pub(super) fn range(&self, ranks: Range<usize>) -> Pairs<'_> {
        let at = |rank: usize| self.0.get(2 * rank as isize);
        Pairs {
            packed: self,
            front: if ranks.is_empty() { None } else { at(ranks.start) },
            back: None,
            left: ranks,
        }
    }

    /// Whether one more member keeps it within the limits.
    pub(super) fn admits(&self, member: &[u8], limits: Limits) -> bool {
        self.len() < limits.entries
            && member.len() <= limits.value_bytes
            && self.0.would_fit(member.len())
    }

    /// Puts a member behind all others, where it must belong.
    pub(super) fn push(&mut self, member: &[u8], score: f64) {
        self.0.push_back(member);
        self.0.push_back(&score_text(score));
    }

    /// Puts a member where it belongs. It must not be there.
    pub(super) fn insert(&mut self, member: &[u8], score: f64) {
        let mut digits = itoa::Buffer::new();
        let mut place = self.0.first();
        while let Some(at) = place {
            let other = self.score_at(at);
            let mut after = || self.0.at(at).bytes(&mut digits) > member;
            if other > score || other == score && after() {
                let at = self.0.insert_before(at, member);
                self.0.insert_after(at, &score_text(score));
                return;
            }
            place = at.skip(&self.0, 2);
        }
        self.push(member, score);
    }

    /// Removes the member at a cursor.
    pub(super) fn remove(&mut self, member: Cursor) {
        self.0.remove(member, 2);
    }

    pub(super) fn remove_range(&mut self, ranks: Range<usize>) {
        if let Some(at) = self.0.get(2 * ranks.start as isize) {
            self.0.remove(at, 2 * ranks.len());
        }
    }
}

fn score_text(score: f64) -> Vec<u8> {
    let mut text = Vec::with_capacity(24);
    write_score(&mut text, score);
    text
}

/// Members with their scores, from either end.
pub struct Pairs<'a> {
    packed: &'a Packed,
    left: Range<usize>,
    /// The member of the first rank that is left.
    front: Option<Cursor>,
    /// The member of the last rank that is left, once that was asked for.
    back: Option<Cursor>,
}

impl<'a> Pairs<'a> {
    fn read(&self, member: Cursor) -> (Element<'a>, f64) {
        (self.packed.0.at(member), self.packed.score_at(member))
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, f64);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left.next()?;
        let at = self.front?;
        self.front = at.skip(&self.packed.0, 2);
        Some(self.read(at))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.left.size_hint()
    }
}

impl DoubleEndedIterator for Pairs<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        let rank = self.left.next_back()?;
        let list = &self.packed.0;
        let at = self.back.or_else(|| list.get(2 * rank as isize))?;
        self.back = at.prev(list).and_then(|score| score.prev(list));
        Some(self.read(at))
    }
}

impl ExactSizeIterator for Pairs<'_> {}
