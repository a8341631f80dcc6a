//! A leaf of the index: items in order. Called by the nodes above it.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::{Bytes, Cut, Item, LEAF_ITEMS, Node, divide};

/// Items in order, with their scores as far as 32 bits tell them apart: rounding keeps the order,
/// so that an item itself is looked at only where its rough score is the one that is looked for.
pub(super) struct Leaf<T: Item> {
    items: ArrayVec<T, LEAF_ITEMS>,
    scores: Scores,
}

/// Rough scores, and NaN in all places behind them.
struct Scores([f32; LEAF_ITEMS + 1]);

impl Scores {
    fn of(scores: &[f32]) -> Self {
        let mut all = [f32::NAN; LEAF_ITEMS + 1];
        all[..scores.len()].copy_from_slice(scores);
        Scores(all)
    }

    /// Those below this one, and those equal to it. All places are looked at, which takes no
    /// branches: NaN is neither.
    #[inline]
    fn equal(&self, score: f32) -> Range<usize> {
        let count = |is: fn(f32, f32) -> bool| {
            self.0.iter().map(|other| u32::from(is(*other, score))).sum::<u32>() as usize
        };
        count(|other, score| other < score)..count(|other, score| other <= score)
    }

    #[inline]
    fn insert(&mut self, at: usize, score: f32) {
        self.0.copy_within(at..LEAF_ITEMS, at + 1);
        self.0[at] = score;
    }

    #[inline]
    fn remove(&mut self, range: Range<usize>) {
        self.0.copy_within(range.end.., range.start);
        self.0[LEAF_ITEMS + 1 - range.len()..].fill(f32::NAN);
    }
}

#[inline]
fn rough(score: f64) -> f32 {
    score as f32
}

impl<T: Item> Default for Leaf<T> {
    fn default() -> Self {
        Leaf { items: ArrayVec::new(), scores: Scores::of(&[]) }
    }
}

impl<T: Item> Node for Leaf<T> {
    type Item = T;

    const CAPACITY: usize = LEAF_ITEMS;

    fn width(&self) -> usize {
        self.items.len()
    }

    fn len(&self) -> usize {
        self.items.len()
    }

    fn first(&self) -> T {
        self.items[0]
    }

    fn last(&self) -> T {
        self.items[self.items.len() - 1]
    }

    #[inline]
    fn rank(&self, cut: &Cut<impl Fn(T) -> bool>) -> usize {
        let Range { start, end } = self.scores.equal(rough(cut.score));
        start + self.items[start..end].partition_point(|&item| cut.is_behind(item.score(), item))
    }

    #[inline]
    fn leaf_at(&self, rank: usize) -> (&[T], usize) {
        (&self.items, rank)
    }

    #[inline]
    fn insert(&mut self, item: T, cut: &Cut<impl Fn(T) -> bool>, _: &mut Bytes) {
        let at = self.rank(cut);
        self.items.insert(at, item);
        self.scores.insert(at, rough(item.score()));
    }

    #[inline]
    fn remove(&mut self, cut: &Cut<impl Fn(T) -> bool>, _: &mut Bytes) -> Option<T> {
        let at = self.rank(cut).checked_sub(1)?;
        self.scores.remove(at..at + 1);
        Some(self.items.remove(at))
    }

    fn remove_range(
        &mut self,
        ranks: Range<usize>,
        _: &mut Bytes,
        visit: &mut impl FnMut(Self::Item),
    ) {
        self.scores.remove(ranks.clone());
        self.items.drain(ranks).for_each(visit);
    }

    fn split_off(&mut self, at: usize) -> Self {
        let scores = Scores::of(&self.scores.0[at..self.items.len()]);
        self.scores.remove(at..self.items.len());
        Leaf { items: self.items.drain(at..).collect(), scores }
    }

    fn divide(&mut self, next: &mut Self, width: usize) {
        let [mine, theirs] = [&*self, &*next].map(|leaf| &leaf.scores.0[..leaf.items.len()]);
        let all: ArrayVec<f32, { 2 * LEAF_ITEMS }> = mine.iter().chain(theirs).copied().collect();
        (self.scores, next.scores) = (Scores::of(&all[..width]), Scores::of(&all[width..]));
        divide(&mut self.items, &mut next.items, width);
    }
}
