//! Inner nodes of the index: edges to nodes of one kind, which are all leaves or all inner nodes.
//! A node is split, or shares with its neighbour, before an item is put below it while it is full,
//! so that no change ever has to climb back up.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::leaf::Leaf;
use super::{Bytes, FANOUT, Item, Node, divide};

/// What is known of a child without looking at it.
pub(super) struct Edge<N: Node> {
    /// The score of the first item.
    score: f64,
    first: N::Item,
    /// Items below.
    len: usize,
    node: Box<N>,
}

impl<N: Node> Edge<N> {
    fn to(node: Box<N>) -> Self {
        let first = node.first();
        Edge { score: first.score(), first, len: node.len(), node }
    }

    /// Looks at the child again, whose items have changed in whatever way.
    fn refresh(&mut self) {
        self.refresh_first();
        self.len = self.node.len();
    }

    /// Looks at the child's first item again. That it is still the same is known without looking at
    /// its score.
    #[inline]
    fn refresh_first(&mut self) {
        let first = self.node.first();
        if first != self.first {
            self.first = first;
            self.score = first.score();
        }
    }
}

/// Children of one kind, none of them without items.
pub(super) struct Edges<N: Node>(ArrayVec<Edge<N>, FANOUT>);

impl<N: Node> Edges<N> {
    fn of_one(node: Box<N>) -> Self {
        let mut edges = Edges(ArrayVec::new());
        edges.0.push(Edge::to(node));
        edges
    }

    /// How many children begin with an item that the predicate is true for.
    #[inline]
    fn begun(&self, before: &impl Fn(f64, N::Item) -> bool) -> usize {
        self.0.partition_point(|edge| before(edge.score, edge.first))
    }

    fn len(&self) -> usize {
        self.0.iter().map(|edge| edge.len).sum()
    }

    #[inline]
    fn rank(&self, before: &impl Fn(f64, N::Item) -> bool) -> usize {
        let Some(at) = self.begun(before).checked_sub(1) else { return 0 };
        let passed: usize = self.0[..at].iter().map(|edge| edge.len).sum();
        passed + self.0[at].node.rank(before)
    }

    #[inline]
    fn leaf_at(&self, mut rank: usize) -> (&[N::Item], usize) {
        for edge in &self.0 {
            if rank < edge.len {
                return edge.node.leaf_at(rank);
            }
            rank -= edge.len;
        }
        (&[], 0)
    }

    #[inline]
    fn insert(&mut self, item: N::Item, before: &impl Fn(f64, N::Item) -> bool, bytes: &mut Bytes) {
        let mut at = self.begun(before).saturating_sub(1);
        if self.0[at].node.is_full() {
            self.make_room(at, before, bytes);
            at = self.begun(before).saturating_sub(1);
        }
        let edge = &mut self.0[at];
        edge.node.insert(item, before, bytes);
        edge.len += 1;
        edge.refresh_first();
    }

    /// Makes a full child less full: a neighbour takes some, or else it is split. A child that
    /// grows at the end of the order leaves a nearly full node behind, as it will not grow again.
    fn make_room(&mut self, at: usize, before: &impl Fn(f64, N::Item) -> bool, bytes: &mut Bytes) {
        let has_room = |edge: &Edge<N>| edge.node.width() <= N::CAPACITY * 3 / 4;
        if at > 0 && has_room(&self.0[at - 1]) {
            return self.share(at - 1);
        }
        if self.0.get(at + 1).is_some_and(has_room) {
            return self.share(at);
        }
        let node = &mut self.0[at].node;
        let last = node.last();
        let width = if before(last.score(), last) && at + 1 == self.0.len() {
            N::CAPACITY - 2
        } else if at == 0 && !before(self.0[0].score, self.0[0].first) {
            2
        } else {
            N::CAPACITY / 2
        };
        let next = Box::new(self.0[at].node.split_off(width));
        *bytes += N::node_bytes();
        self.0[at].refresh();
        self.0.insert(at + 1, Edge::to(next));
    }

    /// Evens out two neighbours.
    fn share(&mut self, at: usize) {
        let Some([left, right]) = self.0[at..].first_chunk_mut::<2>() else { return };
        let width = (left.node.width() + right.node.width()) / 2;
        left.node.divide(&mut right.node, width);
        left.refresh();
        right.refresh();
    }

    #[inline]
    fn remove(
        &mut self,
        upto: &impl Fn(f64, N::Item) -> bool,
        bytes: &mut Bytes,
    ) -> Option<N::Item> {
        let at = self.begun(upto).checked_sub(1)?;
        let edge = &mut self.0[at];
        let removed = edge.node.remove(upto, bytes);
        edge.len -= usize::from(removed.is_some());
        self.settle(at, bytes);
        removed
    }

    /// After a child lost items, which its edge no longer counts: it goes if it is empty, and is
    /// joined with a neighbour, or gets some of that one's, if it is sparse.
    fn settle(&mut self, at: usize, bytes: &mut Bytes) {
        let Some(edge) = self.0.get_mut(at) else { return };
        if edge.node.width() == 0 {
            self.0.remove(at);
            *bytes -= N::node_bytes();
            return;
        }
        edge.refresh_first();
        if edge.node.is_sparse() && self.0.len() > 1 {
            let left = at.min(self.0.len() - 2);
            let together = self.0[left].node.width() + self.0[left + 1].node.width();
            if together > N::CAPACITY {
                return self.share(left);
            }
            let mut right = self.0.remove(left + 1);
            self.0[left].node.divide(&mut right.node, together);
            self.0[left].refresh();
            *bytes -= N::node_bytes();
        }
    }

    fn remove_range(
        &mut self,
        ranks: Range<usize>,
        bytes: &mut Bytes,
        visit: &mut impl FnMut(N::Item),
    ) {
        let (mut start, mut left) = (ranks.start, ranks.len());
        let mut at = 0;
        while left > 0 && at < self.0.len() {
            let edge = &mut self.0[at];
            if start >= edge.len {
                start -= edge.len;
                at += 1;
                continue;
            }
            let taken = left.min(edge.len - start);
            edge.node.remove_range(start..start + taken, bytes, visit);
            left -= taken;
            if taken == edge.len {
                self.0.remove(at);
                *bytes -= N::node_bytes();
            } else {
                edge.refresh();
                // What follows begins with the next child, if this one has lost its end.
                if left > 0 {
                    start = 0;
                    at += 1;
                }
            }
        }
        // Those on both sides of the gap may be sparse.
        for at in [at + 1, at, at.wrapping_sub(1)] {
            self.settle(at, bytes);
        }
    }
}

/// An inner node.
pub(super) enum Inner<T: Item> {
    Leaves(Edges<Leaf<T>>),
    Inners(Edges<Inner<T>>),
}

/// What a root with a single child, or none, has below it.
pub(super) enum Only<T: Item> {
    Leaf(Box<Leaf<T>>),
    Inner(Box<Inner<T>>),
    Nothing,
}

/// Does the same with the edges, whatever is below them.
macro_rules! either {
    ($node:expr, $edges:ident => $result:expr) => {
        match $node {
            Inner::Leaves($edges) => $result,
            Inner::Inners($edges) => $result,
        }
    };
}

impl<T: Item> Inner<T> {
    pub(super) fn of_leaf(leaf: Box<Leaf<T>>) -> Self {
        Inner::Leaves(Edges::of_one(leaf))
    }

    pub(super) fn of_inner(inner: Box<Inner<T>>) -> Self {
        Inner::Inners(Edges::of_one(inner))
    }

    /// Gives away what is below if that is at most one node.
    pub(super) fn take_only(&mut self) -> Option<Only<T>> {
        if self.width() > 1 {
            return None;
        }
        Some(match self {
            Inner::Leaves(edges) => {
                edges.0.pop().map_or(Only::Nothing, |edge| Only::Leaf(edge.node))
            }
            Inner::Inners(edges) => {
                edges.0.pop().map_or(Only::Nothing, |edge| Only::Inner(edge.node))
            }
        })
    }
}

impl<T: Item> Node for Inner<T> {
    type Item = T;

    const CAPACITY: usize = FANOUT;

    #[inline]
    fn width(&self) -> usize {
        either!(self, edges => edges.0.len())
    }

    fn len(&self) -> usize {
        either!(self, edges => edges.len())
    }

    fn first(&self) -> T {
        either!(self, edges => edges.0[0].first)
    }

    fn last(&self) -> T {
        either!(self, edges => edges.0[edges.0.len() - 1].node.last())
    }

    fn rank(&self, before: &impl Fn(f64, T) -> bool) -> usize {
        either!(self, edges => edges.rank(before))
    }

    fn leaf_at(&self, rank: usize) -> (&[T], usize) {
        either!(self, edges => edges.leaf_at(rank))
    }

    fn insert(&mut self, item: T, before: &impl Fn(f64, T) -> bool, bytes: &mut Bytes) {
        either!(self, edges => edges.insert(item, before, bytes))
    }

    fn remove(&mut self, upto: &impl Fn(f64, T) -> bool, bytes: &mut Bytes) -> Option<T> {
        either!(self, edges => edges.remove(upto, bytes))
    }

    fn remove_range(&mut self, ranks: Range<usize>, bytes: &mut Bytes, visit: &mut impl FnMut(T)) {
        either!(self, edges => edges.remove_range(ranks, bytes, visit))
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Inner::Leaves(edges) => Inner::Leaves(Edges(edges.0.drain(at..).collect())),
            Inner::Inners(edges) => Inner::Inners(Edges(edges.0.drain(at..).collect())),
        }
    }

    fn divide(&mut self, next: &mut Self, width: usize) {
        match (self, next) {
            (Inner::Leaves(left), Inner::Leaves(right)) => divide(&mut left.0, &mut right.0, width),
            (Inner::Inners(left), Inner::Inners(right)) => divide(&mut left.0, &mut right.0, width),
            _ => unreachable!("neighbours are of one height"),
        }
    }
}
