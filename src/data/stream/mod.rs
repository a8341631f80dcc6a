//! The entries of a stream: nodes in the order of their ids, each a listpack of entries. The last
//! node, to which entries are added, is kept apart from the others, so that adding looks nothing
//! up.
//!
//! Used by the stream value. Knows no groups, no length, and no id but those of its entries: that
//! ids ascend is for the owner to see to.

mod id;
mod id_map;
mod node;
mod shape;

#[cfg(test)]
mod tests;

pub use id::{Id, IdText};
pub use id_map::IdMap;
pub use node::{Entry, Fields, Limits, Node, Parts};
use node::{Walk, WalkBack};

use crate::data::listpack::Listpack;

/// A listpack is no node, or not one that can follow the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// What is to be left when entries are removed from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// At most so many.
    Newest(u64),
    /// Those from this id on.
    From(Id),
}

/// How entries are removed from the beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trim {
    /// What is to be left.
    pub keep: Keep,
    /// Only whole nodes are removed.
    pub by_node: bool,
    /// At most so many entries are removed; 0 for any number.
    pub limit: u64,
}

/// A stream's entries.
///
/// Invariant: the ids of the last node are greater than those of all others.
#[derive(Clone, Default)]
pub struct Log {
    /// By their master ids.
    sealed: IdMap<Listpack>,
    /// Bytes of the heap that those have.
    sealed_bytes: usize,
    last: Option<(Id, Listpack)>,
}

impl Log {
    // ---- reading

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.sealed.len() + usize::from(self.last.is_some())
    }

    /// Bytes of the heap that are taken. Takes no longer for many entries.
    pub fn heap_bytes(&self) -> usize {
        let last = self.last.as_ref().map_or(0, |(_, listpack)| listpack.heap_bytes());
        self.sealed_bytes + last + self.sealed.heap_bytes()
    }

    /// All nodes, from either end.
    pub fn nodes(&self) -> Nodes<'_> {
        Nodes { sealed: self.sealed.iter(), last: self.last() }
    }

    fn last(&self) -> Option<Node<'_>> {
        self.last.as_ref().map(|(master, listpack)| Node { master: *master, listpack })
    }

    /// How many nodes a radix tree of the nodes' ids has, as Redis counts them. Takes time in
    /// proportion to the number of ours.
    pub fn radix_nodes(&self) -> usize {
        shape::radix_nodes(&self.nodes().map(|node| node.master.as_u128()).collect::<Vec<_>>())
    }

    /// The nodes that may have entries from `start` on.
    fn nodes_from(&self, start: Id) -> Nodes<'_> {
        let last = self.last();
        if last.is_some_and(|last| last.master <= start) {
            // No node that was made here begins with the least of all ids.
            return Nodes { sealed: self.sealed.iter_upto(Id::MIN), last };
        }
        let first = self.sealed.last_upto(start).map_or(Id::MIN, |(id, _)| id);
        Nodes { sealed: self.sealed.iter_from(first), last }
    }

    /// The nodes that may have entries up to `end`.
    fn nodes_upto(&self, end: Id) -> Nodes<'_> {
        let last = self.last().filter(|last| last.master <= end);
        Nodes { sealed: self.sealed.iter_upto(end), last }
    }

    /// The entries between two ids, which are included, in order.
    pub fn range(&self, start: Id, end: Id) -> Range<'_> {
        Range { nodes: self.nodes_from(start), walk: None, start, end }
    }

    /// The entries between two ids, which are included, the last one first.
    pub fn range_back(&self, start: Id, end: Id) -> RangeBack<'_> {
        RangeBack { nodes: self.nodes_upto(end), walk: None, start, end }
    }

    /// The entry of an id.
    pub fn get(&self, id: Id) -> Option<Entry<'_>> {
        self.range(id, id).next()
    }

    /// The id of the first entry.
    pub fn first_id(&self) -> Option<Id> {
        self.range(Id::MIN, Id::MAX).next().map(|entry| entry.id)
    }

    /// The id of the last entry.
    pub fn last_id(&self) -> Option<Id> {
        self.range_back(Id::MIN, Id::MAX).next().map(|entry| entry.id)
    }

    // ---- changing

    /// Adds an entry of at least one field, whose id is greater than any that was ever added.
    #[inline]
    pub fn append<'a>(&mut self, id: Id, parts: impl Parts<'a>, limits: Limits) {
        if let Some((master, listpack)) = &mut self.last
            && node::append(listpack, (*master, id), parts.clone(), limits)
        {
            return;
        }
        self.seal();
        self.last = Some((id, node::begin(parts)));
    }

    /// Adds a node of other origin behind all others; how many entries it has.
    pub fn push_node(&mut self, master: Id, listpack: Listpack) -> Result<u64, Invalid> {
        let before = self.last_id();
        let entries = node::check(&listpack, master, before).ok_or(Invalid)?;
        let ascends = |before: Id| before < master;
        if !before.is_none_or(ascends) || !self.last().is_none_or(|node| ascends(node.master)) {
            return Err(Invalid);
        }
        self.seal();
        self.last = Some((master, listpack));
        Ok(entries)
    }

    /// Nothing will be added to the last node any more.
    fn seal(&mut self) {
        if let Some((master, listpack)) = self.last.take() {
            self.sealed_bytes += listpack.heap_bytes();
            self.sealed.insert(master, listpack);
        }
    }

    /// Removes an entry; whether there was one.
    pub fn remove(&mut self, id: Id) -> bool {
        if let Some((master, listpack)) = self.last.as_mut().filter(|(master, _)| *master <= id) {
            let removed = node::remove(listpack, *master, id);
            if removed && (Node { master: *master, listpack }).counts().live == 0 {
                self.last = None;
                self.unseal();
            }
            return removed;
        }
        let Some((master, listpack)) = self.sealed.last_upto_mut(id) else { return false };
        let bytes = listpack.heap_bytes();
        if !node::remove(listpack, master, id) {
            return false;
        }
        self.sealed_bytes -= bytes;
        if (Node { master, listpack }).counts().live == 0 {
            self.sealed.remove(master);
        } else {
            self.sealed_bytes += listpack.heap_bytes();
        }
        true
    }

    /// There is no last node: the one before it becomes that.
    fn unseal(&mut self) {
        self.last = self.sealed.pop_last();
        let bytes = self.last.as_ref().map_or(0, |(_, listpack)| listpack.heap_bytes());
        self.sealed_bytes -= bytes;
    }

    /// Removes entries from the beginning of a stream that has so many; how many that were.
    pub fn trim(&mut self, trim: Trim, length: u64) -> u64 {
        let mut removed = 0;
        while let Some(first) = self.nodes().next() {
            let left = length - removed;
            if matches!(trim.keep, Keep::Newest(count) if left <= count) {
                break;
            }
            let live = first.counts().live;
            if trim.limit > 0 && removed + live > trim.limit {
                break;
            }
            let goes = match trim.keep {
                Keep::Newest(count) => left - live >= count,
                Keep::From(id) => first.last_id().is_none_or(|last| last < id),
            };
            if !goes {
                if !trim.by_node {
                    removed += self.trim_first_node(trim.keep, left);
                }
                break;
            }
            self.remove_first_node();
            removed += live;
        }
        removed
    }

    fn remove_first_node(&mut self) {
        match self.sealed.pop_first() {
            Some((_, listpack)) => self.sealed_bytes -= listpack.heap_bytes(),
            None => self.last = None,
        }
    }

    fn trim_first_node(&mut self, keep: Keep, length: u64) -> u64 {
        let stop = |id: Id, removed: u64| match keep {
            Keep::Newest(count) => length - removed <= count,
            Keep::From(first) => id >= first,
        };
        match self.sealed.first_mut() {
            Some((master, listpack)) => {
                let bytes = listpack.heap_bytes();
                let removed = node::remove_first(listpack, master, stop);
                self.sealed_bytes = self.sealed_bytes - bytes + listpack.heap_bytes();
                removed
            }
            None => self
                .last
                .as_mut()
                .map_or(0, |(master, listpack)| node::remove_first(listpack, *master, stop)),
        }
    }
}

/// Nodes of a log, from either end.
pub struct Nodes<'a> {
    sealed: id_map::Iter<'a, Listpack>,
    last: Option<Node<'a>>,
}

impl<'a> Iterator for Nodes<'a> {
    type Item = Node<'a>;

    #[inline]
    fn next(&mut self) -> Option<Node<'a>> {
        match self.sealed.next() {
            Some((master, listpack)) => Some(Node { master, listpack }),
            None => self.last.take(),
        }
    }
}

impl DoubleEndedIterator for Nodes<'_> {
    fn next_back(&mut self) -> Option<Self::Item> {
        self.last.take().or_else(|| {
            let (master, listpack) = self.sealed.next_back()?;
            Some(Node { master, listpack })
        })
    }
}

/// Entries between two ids.
pub struct Range<'a> {
    nodes: Nodes<'a>,
    walk: Option<Walk<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for Range<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(walk) = &mut self.walk
                && let Some(entry) = walk.next_from(self.start)
            {
                return Some(entry).filter(|entry| entry.id <= self.end);
            }
            let node = self.nodes.next().filter(|node| node.master <= self.end)?;
            self.walk = Some(node.walk());
        }
    }
}

/// Entries between two ids, the last one first.
pub struct RangeBack<'a> {
    nodes: Nodes<'a>,
    walk: Option<WalkBack<'a>>,
    start: Id,
    end: Id,
}

impl<'a> Iterator for RangeBack<'a> {
    type Item = Entry<'a>;

    fn next(&mut self) -> Option<Entry<'a>> {
        loop {
            if let Some(walk) = &mut self.walk
                && let Some(entry) = walk.next_upto(self.end)
            {
                return Some(entry).filter(|entry| entry.id >= self.start);
            }
            self.walk = Some(self.nodes.next_back()?.walk_back());
        }
    }
}
