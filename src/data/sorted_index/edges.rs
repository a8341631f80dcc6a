//! Inner nodes of the index: edges to nodes of one kind, which are all leaves or all inner nodes.
//! A node is split, or shares with its neighbour, before an item is put below it while it is full,
//! so that no change ever has to climb back up.

use std::ops::Range;

use arrayvec::ArrayVec;

use super::leaf::Leaf;
use super::{Bytes, Cut, FANOUT, Item, Node, divide};

/// A child, and what is known of it without looking at it.
struct Edge<N: Node> {
    /// The score of the first item.
    score: f64,
    /// Items below.
    len: usize,
    child: Child<N>,
}

struct Child<N: Node> {
    first: N::Item,
    node: Box<N>,
}

impl<N: Node> Edge<N> {
    fn to(node: Box<N>) -> Self {
        let first = node.first();
        Edge { score: first.score(), len: node.len(), child: Child { first, node } }
    }
}

/// Children of one kind, none of them without items.
///
/// Scores and lengths lie together, apart from the children: a search reads the few cache lines
/// with scores, counting those with lengths, and of the children only the one that it goes to.
///
/// Invariant: all three are of the same width.
pub(super) struct Edges<N: Node> {
    scores: ArrayVec<f64, FANOUT>,
    lens: ArrayVec<usize, FANOUT>,
    children: ArrayVec<Child<N>, FANOUT>,
}

impl<N: Node> Edges<N> {
    fn new() -> Self {
        Edges { scores: ArrayVec::new(), lens: ArrayVec::new(), children: ArrayVec::new() }
    }

    fn of_one(node: Box<N>) -> Self {
        let mut edges = Edges::new();
        edges.put(0, Edge::to(node));
        edges
    }

    fn put(&mut self, at: usize, edge: Edge<N>) {
        self.scores.insert(at, edge.score);
        self.lens.insert(at, edge.len);
        self.children.insert(at, edge.child);
    }

    fn take(&mut self, at: usize) -> Edge<N> {
        let (score, len) = (self.scores.remove(at), self.lens.remove(at));
        Edge { score, len, child: self.children.remove(at) }
    }

    /// Gives away the last child.
    fn pop(&mut self) -> Option<Box<N>> {
        self.width().checked_sub(1).map(|last| self.take(last).child.node)
    }

    fn split_off(&mut self, at: usize) -> Self {
        Edges {
            scores: self.scores.drain(at..).collect(),
            lens: self.lens.drain(at..).collect(),
            children: self.children.drain(at..).collect(),
        }
    }

    fn divide(&mut self, next: &mut Self, width: usize) {
        divide(&mut self.scores, &mut next.scores, width);
        divide(&mut self.lens, &mut next.lens, width);
        divide(&mut self.children, &mut next.children, width);
    }

    #[inline]
    fn width(&self) -> usize {
        self.children.len()
    }

    /// Looks at a child again, whose items have changed in whatever way.
    fn refresh(&mut self, at: usize) {
        self.refresh_first(at);
        self.lens[at] = self.children[at].node.len();
    }

    /// Looks at a child's first item again. That it is still the same is known without looking at
    /// its score.
    #[inline]
    fn refresh_first(&mut self, at: usize) {
        let child = &mut self.children[at];
        let first = child.node.first();
        if first != child.first {
            child.first = first;
            self.scores[at] = first.score();
        }
    }

    /// How many children begin with an item of the prefix.
    #[inline]
    fn begun(&self, cut: &Cut<impl Fn(N::Item) -> bool>) -> usize {
        let (mut begun, mut left) = (0, self.width());
        while left > 0 {
            let middle = begun + left / 2;
            if cut.is_behind(self.scores[middle], self.children[middle].first) {
                begun = middle + 1;
                left -= left / 2 + 1;
            } else {
                left /= 2;
            }
        }
        begun
    }

    fn len(&self) -> usize {
        self.lens.iter().sum()
    }

    #[inline]
    fn rank(&self, cut: &Cut<impl Fn(N::Item) -> bool>) -> usize {
        let Some(at) = self.begun(cut).checked_sub(1) else { return 0 };
        let passed: usize = self.lens[..at].iter().sum();
        passed + self.children[at].node.rank(cut)
    }

    #[inline]
    fn leaf_at(&self, mut rank: usize) -> (&[N::Item], usize) {
        for (len, child) in self.lens.iter().zip(&self.children) {
            if rank < *len {
                return child.node.leaf_at(rank);
            }
            rank -= len;
        }
        (&[], 0)
    }

    #[inline]
    fn insert(&mut self, item: N::Item, cut: &Cut<impl Fn(N::Item) -> bool>, bytes: &mut Bytes) {
        let mut at = self.begun(cut).saturating_sub(1);
        if self.children[at].node.is_full() {
            self.make_room(at, cut, bytes);
            at = self.begun(cut).saturating_sub(1);
        }
        self.children[at].node.insert(item, cut, bytes);
        self.lens[at] += 1;
        self.refresh_first(at);
    }

    /// Makes a full child less full: a neighbour takes some, or else it is split. A child that
    /// grows at the end of the order leaves a nearly full node behind, as it will not grow again.
    fn make_room(&mut self, at: usize, cut: &Cut<impl Fn(N::Item) -> bool>, bytes: &mut Bytes) {
        let has_room = |child: &Child<N>| child.node.width() <= N::CAPACITY * 10 / 11;
        if at > 0 && has_room(&self.children[at - 1]) {
            return self.share(at - 1);
        }
        if self.children.get(at + 1).is_some_and(has_room) {
            return self.share(at);
        }
        let last = self.children[at].node.last();
        let width = if cut.is_behind(last.score(), last) && at + 1 == self.width() {
            N::CAPACITY - 2
        } else if at == 0 && !cut.is_behind(self.scores[0], self.children[0].first) {
            2
        } else {
            N::CAPACITY / 2
        };
        let next = Box::new(self.children[at].node.split_off(width));
        *bytes += N::node_bytes();
        self.refresh(at);
        self.put(at + 1, Edge::to(next));
    }

    /// Evens out two neighbours.
    fn share(&mut self, at: usize) {
        let Some([left, right]) = self.children[at..].first_chunk_mut::<2>() else { return };
        let width = (left.node.width() + right.node.width()) / 2;
        left.node.divide(&mut right.node, width);
        self.refresh(at);
        self.refresh(at + 1);
    }

    #[inline]
    fn remove(
        &mut self,
        cut: &Cut<impl Fn(N::Item) -> bool>,
        bytes: &mut Bytes,
    ) -> Option<N::Item> {
        let at = self.begun(cut).checked_sub(1)?;
        let removed = self.children[at].node.remove(cut, bytes);
        self.lens[at] -= usize::from(removed.is_some());
        self.settle(at, bytes);
        removed
    }

    /// After a child lost items, which its edge no longer counts: it goes if it is empty, and is
    /// joined with a neighbour, or gets some of that one's, if it is sparse.
    fn settle(&mut self, at: usize, bytes: &mut Bytes) {
        let Some(child) = self.children.get(at) else { return };
        if child.node.width() == 0 {
            self.take(at);
            *bytes -= N::node_bytes();
            return;
        }
        let is_sparse = child.node.is_sparse();
        self.refresh_first(at);
        if is_sparse && self.width() > 1 {
            let left = at.min(self.width() - 2);
            let together = self.children[left].node.width() + self.children[left + 1].node.width();
            if together > N::CAPACITY {
                return self.share(left);
            }
            let mut right = self.take(left + 1).child.node;
            self.children[left].node.divide(&mut right, together);
            self.refresh(left);
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
        while left > 0 && at < self.width() {
            let len = self.lens[at];
            if start >= len {
                start -= len;
                at += 1;
                continue;
            }
            let taken = left.min(len - start);
            self.children[at].node.remove_range(start..start + taken, bytes, visit);
            left -= taken;
            if taken == len {
                self.take(at);
                *bytes -= N::node_bytes();
            } else {
                self.refresh(at);
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
            Inner::Leaves(edges) => edges.pop().map_or(Only::Nothing, Only::Leaf),
            Inner::Inners(edges) => edges.pop().map_or(Only::Nothing, Only::Inner),
        })
    }
}

impl<T: Item> Node for Inner<T> {
    type Item = T;

    const CAPACITY: usize = FANOUT;

    #[inline]
    fn width(&self) -> usize {
        either!(self, edges => edges.width())
    }

    fn len(&self) -> usize {
        either!(self, edges => edges.len())
    }

    fn first(&self) -> T {
        either!(self, edges => edges.children[0].first)
    }

    fn last(&self) -> T {
        either!(self, edges => edges.children[edges.width() - 1].node.last())
    }

    fn rank(&self, cut: &Cut<impl Fn(T) -> bool>) -> usize {
        either!(self, edges => edges.rank(cut))
    }

    fn leaf_at(&self, rank: usize) -> (&[T], usize) {
        either!(self, edges => edges.leaf_at(rank))
    }

    fn insert(&mut self, item: T, cut: &Cut<impl Fn(T) -> bool>, bytes: &mut Bytes) {
        either!(self, edges => edges.insert(item, cut, bytes))
    }

    fn remove(&mut self, cut: &Cut<impl Fn(T) -> bool>, bytes: &mut Bytes) -> Option<T> {
        either!(self, edges => edges.remove(cut, bytes))
    }

    fn remove_range(&mut self, ranks: Range<usize>, bytes: &mut Bytes, visit: &mut impl FnMut(T)) {
        either!(self, edges => edges.remove_range(ranks, bytes, visit))
    }

    fn split_off(&mut self, at: usize) -> Self {
        match self {
            Inner::Leaves(edges) => Inner::Leaves(edges.split_off(at)),
            Inner::Inners(edges) => Inner::Inners(edges.split_off(at)),
        }
    }

    fn divide(&mut self, next: &mut Self, width: usize) {
        match (self, next) {
            (Inner::Leaves(left), Inner::Leaves(right)) => left.divide(right, width),
            (Inner::Inners(left), Inner::Inners(right)) => left.divide(right, width),
            _ => unreachable!("neighbours are of one height"),
        }
    }
}
