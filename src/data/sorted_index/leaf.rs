//! A leaf of the index: items in order. Called by the nodes above it.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::{Bytes, Item, LEAF_ITEMS, Node, divide};

/// Items in order.
pub(super) struct Leaf<T: Item> {
    items: ArrayVec<T, LEAF_ITEMS>,
}

impl<T: Item> Default for Leaf<T> {
    fn default() -> Self {
        Leaf { items: ArrayVec::new() }
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
    fn rank(&self, before: &impl Fn(f64, T) -> bool) -> usize {
        self.items.partition_point(|&item| before(item.score(), item))
    }

    #[inline]
    fn leaf_at(&self, rank: usize) -> (&[T], usize) {
        (&self.items, rank)
    }

    #[inline]
    fn insert(&mut self, item: T, before: &impl Fn(f64, T) -> bool, _: &mut Bytes) {
        self.items.insert(self.rank(before), item);
    }

    #[inline]
    fn remove(&mut self, upto: &impl Fn(f64, T) -> bool, _: &mut Bytes) -> Option<T> {
        let rank = self.rank(upto);
        rank.checked_sub(1).map(|at| self.items.remove(at))
    }

    fn remove_range(
        &mut self,
        ranks: Range<usize>,
        _: &mut Bytes,
        visit: &mut impl FnMut(Self::Item),
    ) {
        self.items.drain(ranks).for_each(visit);
    }

    fn split_off(&mut self, at: usize) -> Self {
        Leaf { items: self.items.drain(at..).collect() }
    }

    fn divide(&mut self, next: &mut Self, width: usize) {
        divide(&mut self.items, &mut next.items, width);
    }
}
