//! Changes in the middle of a quicklist: where Redis splits a node, joins two, or begins a new one,
//! so does this, and OBJECT ENCODING and the sizes of nodes come out the same.

use std::collections::VecDeque;

use super::node::Node;
use super::{Direction, Needle, Quicklist, has_room, new_node};

/// So many nodes are freed on the spot; more are handed back to be freed elsewhere.
const FREED_NODES_MAX: usize = 64;

/// The side of an element on which another one is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Towards the head.
    Before,
    /// Towards the tail.
    After,
}

impl Quicklist {
    /// Puts an element next to the first one that is sought; whether there is one.
    pub fn insert(
        &mut self,
        pivot: Needle<'_>,
        side: Side,
        element: &[u8],
        large_bytes: usize,
    ) -> bool {
        let Some((at, offset)) = self.position(pivot) else { return false };
        self.insert_beside(at, (offset, side), element, large_bytes);
        true
    }

    /// Puts an element next to the one at a place of the node `at` (Redis: _quicklistInsert).
    fn insert_beside(
        &mut self,
        at: usize,
        (offset, side): (usize, Side),
        element: &[u8],
        large_bytes: usize,
    ) {
        self.len += 1;
        let room = |node: &Node| has_room(node, self.limit, element.len(), large_bytes);
        let entries = self.nodes[at].entries();
        let index = offset + usize::from(side == Side::After);
        if room(&self.nodes[at]) {
            self.nodes[at].insert(index, element);
            return self.tend(at);
        }
        // The node beyond the edge at which the element would stand.
        let beyond = match side {
            Side::Before if index == 0 => Some(at.checked_sub(1)),
            Side::After if index == entries => Some(Some(at + 1)),
            Side::Before | Side::After => None,
        };
        match beyond {
            Some(neighbour) => {
                let open = neighbour.filter(|&n| self.nodes.get(n).is_some_and(room));
                match (open, side) {
                    (Some(neighbour), Side::Before) => {
                        let entries = self.nodes[neighbour].entries();
                        self.nodes[neighbour].insert(entries, element);
                        self.tend(neighbour);
                    }
                    (Some(neighbour), Side::After) => {
                        self.nodes[neighbour].insert(0, element);
                        self.tend(neighbour);
                    }
                    (None, _) => {
                        let new = at + usize::from(side == Side::After);
                        self.insert_node(new, new_node(element, large_bytes));
                        self.settle(new);
                    }
                }
            }
            None if element.len() >= large_bytes => {
                self.split(at, index);
                self.insert_node(at + 1, new_node(element, large_bytes));
                self.settle(at + 1);
            }
            None => {
                self.split(at, index);
                // The part without the pivot takes the element.
                let (part, place, center) = match side {
                    Side::After => (at + 1, 0, at),
                    Side::Before => (at, index, at + 1),
                };
                self.nodes[part].insert(place, element);
                let center = self.merge_around(center);
                self.settle(center);
            }
        }
    }

    /// Replaces the element at an index; whether there is one (Redis: quicklistReplaceEntry).
    pub fn replace(&mut self, index: usize, element: &[u8], large_bytes: usize) -> bool {
        let Some((at, offset)) = self.locate(index) else { return false };
        let is_large = element.len() >= large_bytes;
        let node = &mut self.nodes[at];
        if node.is_plain() {
            if is_large {
                *node = Node::plain(element.into());
                self.tend(at);
            } else {
                self.insert_beside(at, (0, Side::After), element, large_bytes);
                self.remove_node(at);
            }
        } else if !is_large && node.could_hold(element.len()) {
            node.replace(offset, element);
            self.tend(at);
        } else {
            self.replace_by_node(at, offset, new_node(element, large_bytes));
        }
        true
    }

    /// Puts a node of one element in place of an element.
    fn replace_by_node(&mut self, at: usize, offset: usize, new: Node) {
        let entries = self.nodes[at].entries();
        if offset + 1 < entries {
            self.split(at, offset + 1);
        }
        if offset == 0 {
            self.nodes[at] = new;
            self.settle(at);
            return;
        }
        self.nodes[at].remove(offset, 1);
        self.insert_node(at + 1, new);
        let center = self.merge_around(at + 1);
        self.settle(center);
    }

    /// Removes at most `max` elements that are sought, beginning at an end; returns how many.
    pub fn remove_equal(&mut self, needle: Needle<'_>, direction: Direction, max: usize) -> usize {
        let (nodes, mut removed, mut emptied) = (self.nodes.len(), 0, 0);
        for step in 0..nodes {
            if removed == max {
                break;
            }
            let at = if direction == Direction::Forward { step } else { nodes - 1 - step };
            let here = self.nodes[at].remove_equal(needle, direction, max - removed);
            if here > 0 {
                removed += here;
                emptied += usize::from(self.nodes[at].entries() == 0);
                self.tend(at);
            }
        }
        self.len -= removed;
        if emptied > 0 {
            self.nodes.retain(|node| node.entries() > 0);
            self.nodes_removed();
        }
        removed
    }

    /// Removes so many elements, which must be there, from an index on. Returns what is better
    /// freed elsewhere.
    pub fn remove_range(&mut self, start: usize, count: usize) -> Option<Box<Quicklist>> {
        let (mut at, offset) = self.locate(start).filter(|_| count > 0)?;
        let mut left = count.min(self.len - start);
        self.len -= left;
        let entries = self.nodes[at].entries();
        if offset > 0 || left < entries {
            let here = left.min(entries - offset);
            self.nodes[at].remove(offset, here);
            self.tend(at);
            left -= here;
            at += 1;
        }
        let (first, mut whole) = (at, 0);
        while left > whole && self.nodes[at].entries() <= left - whole {
            whole += self.nodes[at].entries();
            at += 1;
        }
        if left > whole {
            self.nodes[at].remove(0, left - whole);
            self.tend(at);
        }
        let doomed = self.nodes.drain(first..at);
        let doomed: Option<VecDeque<Node>> =
            (doomed.len() > FREED_NODES_MAX).then(|| doomed.collect());
        if at > first {
            self.nodes_removed();
        }
        let Quicklist { limit, fill, depth, .. } = *self;
        doomed.map(|nodes| Box::new(Quicklist { nodes, len: whole, limit, fill, depth }))
    }

    // ---- nodes

    fn remove_node(&mut self, at: usize) {
        if let Some(node) = self.nodes.remove(at) {
            self.len -= node.entries();
            self.nodes_removed();
        }
    }

    /// Splits a node before one of its elements, which begins the next node.
    fn split(&mut self, at: usize, index: usize) {
        let tail = self.nodes[at].split_off(index);
        self.insert_node(at + 1, tail);
    }

    /// A node and perhaps its neighbours are new: sees to their compression.
    fn settle(&mut self, at: usize) {
        for near in at.saturating_sub(1)..(at + 2).min(self.nodes.len()) {
            self.tend(near);
        }
        self.fit_compression();
    }

    /// Joins small nodes around one; returns where that one is then (Redis: _quicklistMergeNodes).
    fn merge_around(&mut self, center: usize) -> usize {
        let mut center = center;
        if center >= 2 && self.merge(center - 2) {
            center -= 1;
        }
        self.merge(center + 1);
        if center >= 1 && self.merge(center - 1) {
            center -= 1;
        }
        self.merge(center);
        center
    }

    /// Joins a node and the next one, if the result is not too big; whether it did.
    fn merge(&mut self, at: usize) -> bool {
        let (Some(left), Some(right)) = (self.nodes.get(at), self.nodes.get(at + 1)) else {
            return false;
        };
        let entries = left.entries() + right.entries();
        if left.is_plain()
            || right.is_plain()
            || self.limit.is_exceeded(left.merged_bytes(right), entries)
        {
            return false;
        }
        if let Some(right) = self.nodes.remove(at + 1) {
            self.nodes[at].append(right);
            self.tend(at);
        }
        true
    }
}
