//! Quicklist: a long list as a row of nodes, each a listpack of bounded size or one large element.
//! Nodes at the ends are as they are, those between may be compressed. Both ends are reached in
//! constant time; what is in the middle is found by passing over whole nodes.
//!
//! Used by `value::list`, which turns short lists into mere listpacks. Reading changes nothing: a
//! compressed node is unfolded aside. Must never leave an empty node behind, nor look at
//! configuration: limits are handed in.

mod edit;
mod node;

#[cfg(test)]
mod tests;

use std::collections::VecDeque;

pub use edit::Side;
pub use node::{NodeRef, remove_equal, walk_listpack};

use super::listpack::{Element, Listpack, Needle};
use crate::base::alloc;
use node::Node;

/// Longest multi-element node where list-max-listpack-size counts elements (Redis:
/// SIZE_SAFETY_LIMIT).
const COUNTED_BYTES_MAX: usize = 8192;
/// Sizes that list-max-listpack-size -1 to -5 stands for (Redis: optimization_level).
const SIZES: [usize; 5] = [4096, 8192, 16_384, 32_768, 65_536];
/// Bytes that an entry may take beyond those of its element (Redis: SIZE_ESTIMATE_OVERHEAD).
const ENTRY_OVERHEAD_BYTES: usize = 8;
/// Most elements per node that are kept to (Redis: FILL_MAX).
const FILL_MAX: i32 = (1 << 15) - 1;
/// Most nodes at each end that stay uncompressed (Redis: COMPRESS_MAX).
const DEPTH_MAX: u32 = (1 << 16) - 1;
/// Nodes that are looked at to estimate the memory of all.
const SAMPLES: usize = 1024;

/// Elements of at least this many bytes have a node of their own, unless DEBUG
/// QUICKLIST-PACKED-THRESHOLD says otherwise (Redis: packed_threshold).
pub const LARGE_BYTES: usize = 1 << 30;

/// An end of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The left one, with index 0.
    Head,
    /// The right one.
    Tail,
}

/// The order in which elements are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From head to tail.
    Forward,
    /// From tail to head.
    Backward,
}

/// How a list is to be cut into nodes; follows from configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// list-max-listpack-size: elements of a node, or one of the sizes if negative.
    pub fill: i32,
    /// list-compress-depth: nodes at each end that stay uncompressed; 0 compresses none.
    pub compress_depth: u32,
    /// Elements of at least this many bytes have a node of their own.
    pub large_bytes: usize,
}

impl Limits {
    /// Those of the default configuration.
    pub const DEFAULT: Limits = Limits { fill: -2, compress_depth: 0, large_bytes: LARGE_BYTES };
}

/// What bounds a node (Redis: quicklistNodeLimit).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeLimit {
    /// Its bytes.
    Bytes(usize),
    /// Its elements.
    Entries(usize),
}

impl NodeLimit {
    /// The limit that list-max-listpack-size sets.
    pub fn new(fill: i32) -> Self {
        match usize::try_from(fill) {
            Ok(entries) => NodeLimit::Entries(entries.max(1)),
            Err(_) => {
                let level = fill.unsigned_abs() as usize - 1;
                NodeLimit::Bytes(SIZES[level.min(SIZES.len() - 1)])
            }
        }
    }

    /// Whether a node with so many bytes and elements is too big (Redis:
    /// quicklistNodeExceedsLimit).
    #[inline]
    pub fn is_exceeded(self, bytes: usize, entries: usize) -> bool {
        match self {
            NodeLimit::Bytes(max) => bytes > max,
            NodeLimit::Entries(max) => bytes > COUNTED_BYTES_MAX || entries > max,
        }
    }
}

/// A long list.
///
/// Invariants: `len` is the number of elements of all nodes; no node is empty; with compression,
/// only nodes further than `depth` from both ends are compressed; only those at the ends have room.
#[derive(Clone, Debug, PartialEq)]
pub struct Quicklist {
    nodes: VecDeque<Node>,
    len: usize,
    limit: NodeLimit,
    fill: i32,
    /// Nodes at each end that stay uncompressed; 0: all.
    depth: usize,
}

impl Quicklist {
    /// A list without elements; its nodes keep to these limits from now on.
    pub fn new(limits: &Limits) -> Self {
        let fill = limits.fill.clamp(-(SIZES.len() as i32), FILL_MAX);
        Quicklist {
            nodes: VecDeque::new(),
            len: 0,
            limit: NodeLimit::new(fill),
            fill,
            depth: limits.compress_depth.min(DEPTH_MAX) as usize,
        }
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What list-max-listpack-size was when the list became long, as far as it is kept to.
    pub fn fill(&self) -> i32 {
        self.fill
    }

    /// Whether nodes in the middle are compressed.
    pub fn compresses(&self) -> bool {
        self.depth > 0
    }

    /// The nodes from head to tail.
    pub fn nodes(&self) -> impl ExactSizeIterator<Item = NodeRef<'_>> {
        self.nodes.iter().map(Node::stored)
    }

    /// Bytes of the heap that are taken; with very many nodes, an estimate from some of them.
    pub fn heap_bytes(&self) -> usize {
        let stride = self.nodes.len().div_ceil(SAMPLES).max(1);
        let samples = self.nodes.iter().step_by(stride);
        let count = samples.len().max(1);
        let sampled: usize = samples.map(Node::heap_bytes).sum();
        alloc::usable_size(self.nodes.capacity() * size_of::<Node>())
            + sampled * self.nodes.len() / count
    }

    // ---- whole nodes, as they come from a snapshot

    /// Appends a listpack as a node of its own; an empty one is left out.
    pub fn push_listpack(&mut self, listpack: Listpack) {
        if !listpack.is_empty() {
            self.push_node(Node::packed(listpack));
        }
    }

    /// Appends one element as a node of its own.
    pub fn push_plain(&mut self, element: Box<[u8]>) {
        self.push_node(Node::plain(element));
    }

    fn push_node(&mut self, node: Node) {
        self.len += node.entries();
        self.insert_node(self.nodes.len(), node);
        self.fit_compression();
    }

    /// Whether there is nothing but one listpack, and how many bytes it has.
    pub fn only_listpack_bytes(&self) -> Option<usize> {
        match self.nodes.front() {
            Some(node) if self.nodes.len() == 1 && !node.is_plain() => Some(node.bytes()),
            _ => None,
        }
    }

    /// The only node's listpack, which leaves the list empty.
    pub fn take_listpack(&mut self) -> Option<Listpack> {
        self.only_listpack_bytes()?;
        self.len = 0;
        self.nodes.pop_front()?.into_listpack()
    }

    // ---- the ends

    /// Adds an element at an end. `large_bytes` is that of [`Limits`].
    #[inline]
    pub fn push(&mut self, end: End, element: &[u8], large_bytes: usize) {
        self.len += 1;
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        };
        match node {
            Some(node) if has_room(node, self.limit, element.len(), large_bytes) => {
                node.push(end, element);
            }
            _ => {
                let at = if end == End::Head { 0 } else { self.nodes.len() };
                self.insert_node(at, new_node(element, large_bytes));
                self.fit_compression();
            }
        }
    }

    /// Removes the element at an end, after it was shown to `see`.
    #[inline]
    pub fn pop<R>(&mut self, end: End, see: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let node = match end {
            End::Head => self.nodes.front_mut(),
            End::Tail => self.nodes.back_mut(),
        }?;
        self.len -= 1;
        let seen = node.pop(end, see);
        if node.entries() == 0 {
            match end {
                End::Head => self.nodes.pop_front(),
                End::Tail => self.nodes.pop_back(),
            };
            self.nodes_removed();
        }
        seen
    }

    // ---- reading

    /// Calls `visit` with the elements from an index on, in order, until it is satisfied; tells
    /// whether it was.
    #[inline]
    pub fn walk(
        &self,
        from: usize,
        direction: Direction,
        visit: &mut impl FnMut(Element<'_>) -> bool,
    ) -> bool {
        let Some((first, offset)) = self.locate(from) else { return false };
        if self.nodes[first].walk(offset, direction, visit) {
            return true;
        }
        match direction {
            Direction::Forward => {
                self.nodes.range(first + 1..).any(|node| node.walk(0, direction, visit))
            }
            Direction::Backward => {
                let nodes = self.nodes.range(..first).rev();
                nodes.into_iter().any(|node| node.walk(node.entries() - 1, direction, visit))
            }
        }
    }

    /// The index of the first element that is sought, with its node and the place in it.
    fn position(&self, needle: Needle<'_>) -> Option<(usize, usize)> {
        let found = |(at, node): (usize, &Node)| Some((at, node.position(needle)?));
        self.nodes.iter().enumerate().find_map(found)
    }

    /// The node that an index is in, and the place there. Counts from the nearer end.
    fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.len {
            return None;
        }
        if index < self.len / 2 {
            let mut left = index;
            for (at, node) in self.nodes.iter().enumerate() {
                match left.checked_sub(node.entries()) {
                    None => return Some((at, left)),
                    Some(less) => left = less,
                }
            }
        } else {
            let mut left = self.len - index;
            for (at, node) in self.nodes.iter().enumerate().rev() {
                match node.entries().checked_sub(left) {
                    Some(offset) => return Some((at, offset)),
                    None => left -= node.entries(),
                }
            }
        }
        None
    }

    // ---- what all changes share

    /// Puts a node before the one at `at`, or at the end. Its neighbours are ends no more.
    fn insert_node(&mut self, at: usize, node: Node) {
        for beside in at.saturating_sub(1)..(at + 1).min(self.nodes.len()) {
            self.nodes[beside].close();
        }
        self.nodes.insert(at, node);
    }

    /// Gives memory back when there are few nodes left, and sees to compression.
    fn nodes_removed(&mut self) {
        if self.nodes.capacity() > 4 * self.nodes.len().max(8) {
            self.nodes.shrink_to(2 * self.nodes.len());
        }
        self.fit_compression();
    }

    /// Nodes came or went: those close to an end must not be compressed, and those which are just
    /// far enough are to be.
    #[inline]
    fn fit_compression(&mut self) {
        if self.depth > 0 {
            self.fit_compression_to(self.depth);
        }
    }

    #[cold]
    fn fit_compression_to(&mut self, depth: usize) {
        let nodes = self.nodes.len();
        for at in 0..depth.min(nodes) {
            self.nodes[at].inflate();
            self.nodes[nodes - 1 - at].inflate();
        }
        if nodes > 2 * depth {
            self.nodes[depth].deflate();
            self.nodes[nodes - 1 - depth].deflate();
        }
    }

    /// A node was changed, and is not compressed: compresses it if it is far enough from the ends.
    #[inline]
    fn tend(&mut self, at: usize) {
        let depth = self.depth;
        if depth > 0 && at >= depth && at + depth < self.nodes.len() {
            self.nodes[at].deflate();
        }
    }
}

/// Whether a node takes one more element of so many bytes (Redis: _quicklistNodeAllowInsert).
#[inline]
fn has_room(node: &Node, limit: NodeLimit, bytes: usize, large_bytes: usize) -> bool {
    !node.is_plain()
        && bytes < large_bytes
        && !limit.is_exceeded(node.bytes() + bytes + ENTRY_OVERHEAD_BYTES, node.entries() + 1)
}

/// A node of one element.
fn new_node(element: &[u8], large_bytes: usize) -> Node {
    if element.len() < large_bytes { Node::of(element) } else { Node::plain(element.into()) }
}
