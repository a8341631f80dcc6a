//! The order of a big sorted set: a B+tree that knows how many items are below each edge, so that
//! an item's rank, the item at a rank, and the first item of a range all take logarithmic time.
//!
//! Items are small and copied; what they stand for is the owner's. Inner nodes keep the score of
//! each child's first item, and leaves the rough score of each item, so that a search looks at
//! nothing but nodes until it is among items of the same score. Where in the order something is or
//! belongs, callers say by a [`Cut`].
//!
//! Called by `value::scored`. Knows nothing of members, and never compares items on its own.

mod edges;
mod leaf;

#[cfg(test)]
mod tests;

use std::ops::Range;

use arrayvec::ArrayVec;

use crate::base::alloc;
use edges::Inner;
use leaf::Leaf;

/// Items of a leaf: with their number and rough scores, six cache lines.
const LEAF_ITEMS: usize = 31;
/// Children of an inner node, which is 1024 bytes with them.
const FANOUT: usize = 31;

/// What an index orders.
pub trait Item: Copy + PartialEq {
    /// What comes first in the order. Must not change while the item is in an index, and not be
    /// NaN.
    fn score(self) -> f64;

    /// The item is about to be looked at.
    fn prefetch(self) {}
}

/// The end of a prefix of the order.
#[derive(Clone, Copy)]
pub struct Cut<F> {
    /// Items with a lower score are in the prefix, those with a higher one are not.
    pub score: f64,
    /// Whether an item of just this score is in the prefix.
    pub has: F,
}

impl<F> Cut<F> {
    /// Whether an item is in the prefix.
    #[inline]
    fn is_behind<T>(&self, score: f64, item: T) -> bool
    where
        F: Fn(T) -> bool,
    {
        score < self.score || score == self.score && (self.has)(item)
    }
}

/// Bytes that nodes take, as they come and go.
type Bytes = usize;

/// What leaves and inner nodes have in common.
trait Node: Sized {
    type Item: Item;

    /// Items or children that fit.
    const CAPACITY: usize;

    /// Items or children.
    fn width(&self) -> usize;
    /// Items below.
    fn len(&self) -> usize;
    /// The first item; there must be one.
    fn first(&self) -> Self::Item;
    /// The last item; there must be one.
    fn last(&self) -> Self::Item;
    /// How many items are in the prefix.
    fn rank(&self, cut: &Cut<impl Fn(Self::Item) -> bool>) -> usize;
    /// The items of one leaf, and which of them has this rank.
    fn leaf_at(&self, rank: usize) -> (&[Self::Item], usize);
    /// Puts an item behind those in the prefix; the node must not be full.
    fn insert(
        &mut self,
        item: Self::Item,
        cut: &Cut<impl Fn(Self::Item) -> bool>,
        bytes: &mut Bytes,
    );
    /// Takes out the last item of the prefix.
    fn remove(
        &mut self,
        cut: &Cut<impl Fn(Self::Item) -> bool>,
        bytes: &mut Bytes,
    ) -> Option<Self::Item>;
    /// Takes out the items of these ranks.
    fn remove_range(
        &mut self,
        ranks: Range<usize>,
        bytes: &mut Bytes,
        visit: &mut impl FnMut(Self::Item),
    );
    /// Moves what is from `at` on to a new node.
    fn split_off(&mut self, at: usize) -> Self;
    /// Moves items or children between two neighbours, so that the first has `width` of them.
    fn divide(&mut self, next: &mut Self, width: usize);

    fn is_full(&self) -> bool {
        self.width() == Self::CAPACITY
    }

    fn is_sparse(&self) -> bool {
        self.width() < Self::CAPACITY / 3
    }

    /// Bytes of the heap for one node.
    fn node_bytes() -> usize {
        alloc::usable_size(size_of::<Self>())
    }
}

/// Moves elements between two neighbours, so that the first has `width` of them.
fn divide<T, const N: usize>(left: &mut ArrayVec<T, N>, right: &mut ArrayVec<T, N>, width: usize) {
    if left.len() > width {
        let mut moved: ArrayVec<T, N> = left.drain(width..).collect();
        moved.extend(right.drain(..));
        *right = moved;
    } else {
        left.extend(right.drain(..width - left.len()));
    }
}

/// Items in an order that is their owner's.
pub struct SortedIndex<T: Item> {
    root: Root<T>,
    /// What all nodes take.
    bytes: Bytes,
}

enum Root<T: Item> {
    Leaf(Box<Leaf<T>>),
    Inner(Box<Inner<T>>),
}

impl<T: Item> SortedIndex<T> {
    /// An index without items.
    pub fn new() -> Self {
        SortedIndex { root: Root::Leaf(Box::default()), bytes: Leaf::<T>::node_bytes() }
    }

    /// Bytes of the heap that the index owns.
    pub fn heap_bytes(&self) -> usize {
        self.bytes
    }

    #[cfg(test)]
    fn len(&self) -> usize {
        match &self.root {
            Root::Leaf(leaf) => leaf.len(),
            Root::Inner(inner) => inner.len(),
        }
    }

    /// How many items are in the prefix.
    #[inline]
    pub fn rank(&self, cut: Cut<impl Fn(T) -> bool>) -> usize {
        match &self.root {
            Root::Leaf(leaf) => leaf.rank(&cut),
            Root::Inner(inner) => inner.rank(&cut),
        }
    }

    /// Puts an item behind those in the prefix.
    #[inline]
    pub fn insert(&mut self, item: T, cut: Cut<impl Fn(T) -> bool>) {
        let bytes = &mut self.bytes;
        match &mut self.root {
            Root::Leaf(leaf) if !leaf.is_full() => leaf.insert(item, &cut, bytes),
            Root::Inner(inner) if !inner.is_full() => inner.insert(item, &cut, bytes),
            _ => {
                self.grow();
                self.insert(item, cut);
            }
        }
    }

    /// Puts an item behind all others.
    pub fn push_back(&mut self, item: T) {
        self.insert(item, Cut { score: f64::INFINITY, has: |_| true });
    }

    /// Takes out the last item of the prefix.
    #[inline]
    pub fn remove(&mut self, cut: Cut<impl Fn(T) -> bool>) -> Option<T> {
        let bytes = &mut self.bytes;
        let removed = match &mut self.root {
            Root::Leaf(leaf) => leaf.remove(&cut, bytes),
            Root::Inner(inner) => inner.remove(&cut, bytes),
        };
        self.shrink();
        removed
    }

    /// Takes out the items of these ranks, which must exist; `visit` gets each of them.
    pub fn remove_range(&mut self, ranks: Range<usize>, mut visit: impl FnMut(T)) {
        let bytes = &mut self.bytes;
        match &mut self.root {
            Root::Leaf(leaf) => leaf.remove_range(ranks, bytes, &mut visit),
            Root::Inner(inner) => inner.remove_range(ranks, bytes, &mut visit),
        }
        self.shrink();
    }

    /// The items of these ranks, which must exist.
    #[inline]
    pub fn iter(&self, ranks: Range<usize>) -> Iter<'_, T> {
        Iter { index: self, left: ranks, front: &[], back: &[] }
    }

    #[inline]
    fn leaf_at(&self, rank: usize) -> (&[T], usize) {
        match &self.root {
            Root::Leaf(leaf) => leaf.leaf_at(rank),
            Root::Inner(inner) => inner.leaf_at(rank),
        }
    }

    /// Puts a root above the root.
    fn grow(&mut self) {
        self.bytes += Inner::<T>::node_bytes();
        let old = std::mem::replace(&mut self.root, Root::Leaf(Box::default()));
        self.root = Root::Inner(Box::new(match old {
            Root::Leaf(leaf) => Inner::of_leaf(leaf),
            Root::Inner(inner) => Inner::of_inner(inner),
        }));
    }

    /// Takes away roots that have a single child or none.
    fn shrink(&mut self) {
        while let Root::Inner(inner) = &mut self.root {
            let Some(only) = inner.take_only() else { return };
            self.bytes -= Inner::<T>::node_bytes();
            self.root = match only {
                edges::Only::Leaf(leaf) => Root::Leaf(leaf),
                edges::Only::Inner(inner) => Root::Inner(inner),
                edges::Only::Nothing => {
                    self.bytes += Leaf::<T>::node_bytes();
                    Root::Leaf(Box::default())
                }
            };
        }
    }
}

impl<T: Item> Default for SortedIndex<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// Items in order, from either end.
pub struct Iter<'a, T: Item> {
    index: &'a SortedIndex<T>,
    /// Ranks that are in neither of the runs.
    left: Range<usize>,
    front: &'a [T],
    back: &'a [T],
}

impl<T: Item> Iterator for Iter<'_, T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        if self.front.is_empty() {
            if self.left.is_empty() {
                self.front = std::mem::take(&mut self.back);
            } else {
                let (items, at) = self.index.leaf_at(self.left.start);
                let end = items.len().min(at + self.left.len());
                self.front = &items[at..end];
                self.left.start += self.front.len();
                self.front.iter().for_each(|item| item.prefetch());
            }
        }
        let (first, rest) = self.front.split_first()?;
        self.front = rest;
        Some(*first)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.front.len() + self.left.len() + self.back.len();
        (left, Some(left))
    }
}

impl<T: Item> DoubleEndedIterator for Iter<'_, T> {
    #[inline]
    fn next_back(&mut self) -> Option<T> {
        if self.back.is_empty() {
            if self.left.is_empty() {
                self.back = std::mem::take(&mut self.front);
            } else {
                let (items, at) = self.index.leaf_at(self.left.end - 1);
                let begin = (at + 1).saturating_sub(self.left.len());
                self.back = &items[begin..=at];
                self.left.end -= self.back.len();
                self.back.iter().rev().for_each(|item| item.prefetch());
            }
        }
        let (last, rest) = self.back.split_last()?;
        self.back = rest;
        Some(*last)
    }
}

impl<T: Item> ExactSizeIterator for Iter<'_, T> {}
