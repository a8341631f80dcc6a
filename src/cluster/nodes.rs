//! The table of all nodes that are known, by index and by id. Who removes a node also clears what
//! refers to it: that is done by [`super::Cluster::remove_node`] alone.

use std::collections::HashMap;

use slab::Slab;

use super::id::NodeId;
use super::node::Node;
use crate::base::rng::Rng;

/// A node's place in the table, for as long as it stays there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeIndex(u16);

impl NodeIndex {
    /// The index as a number, for arrays alongside the table.
    #[inline]
    pub fn get(self) -> usize {
        usize::from(self.0)
    }
}

/// Most nodes that a node keeps track of. A cluster has at most as many primaries as slots, and
/// Redis recommends no more than 1000 nodes; the bound only stops a hostile peer.
pub const NODES_MAX: usize = u16::MAX as usize;

/// All known nodes.
#[derive(Debug, Default)]
pub struct Nodes {
    slab: Slab<Node>,
    by_id: HashMap<NodeId, NodeIndex>,
    /// All indexes without holes, in no order, to choose from at random.
    dense: Vec<NodeIndex>,
    /// By index, where in `dense` it stands.
    places: Vec<u16>,
}

impl Nodes {
    /// Adds a node whose id is not there yet; `None` when the table is full.
    pub fn insert(&mut self, node: Node) -> Option<NodeIndex> {
        debug_assert!(!self.by_id.contains_key(&node.id));
        if self.slab.len() >= NODES_MAX {
            return None;
        }
        let id = node.id;
        let index = NodeIndex(self.slab.insert(node) as u16);
        self.by_id.insert(id, index);
        if self.places.len() <= index.get() {
            self.places.resize(index.get() + 1, 0);
        }
        self.places[index.get()] = self.dense.len() as u16;
        self.dense.push(index);
        Some(index)
    }

    /// Takes a node out. Only for [`super::Cluster::remove_node`].
    pub(super) fn remove(&mut self, index: NodeIndex) -> Option<Node> {
        let node = self.slab.try_remove(index.get())?;
        self.by_id.remove(&node.id);
        let place = usize::from(self.places[index.get()]);
        self.dense.swap_remove(place);
        if let Some(moved) = self.dense.get(place) {
            self.places[moved.get()] = place as u16;
        }
        Some(node)
    }

    /// Gives a node its true id (end of a handshake, CLUSTER RESET HARD), which no other node has.
    pub fn rename(&mut self, index: NodeIndex, id: NodeId) {
        debug_assert!(!self.by_id.contains_key(&id));
        if let Some(node) = self.slab.get_mut(index.get()) {
            self.by_id.remove(&node.id);
            node.id = id;
            self.by_id.insert(id, index);
        }
    }

    /// The node of that id.
    pub fn find(&self, id: &NodeId) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// A node that may have been removed.
    pub fn get(&self, index: NodeIndex) -> Option<&Node> {
        self.slab.get(index.get())
    }

    /// A node to be changed that may have been removed.
    pub fn get_mut(&mut self, index: NodeIndex) -> Option<&mut Node> {
        self.slab.get_mut(index.get())
    }

    /// A node chosen at random, each as likely as any other; `None` if there is none.
    pub fn random(&self, rng: &mut Rng) -> Option<NodeIndex> {
        self.dense.get(rng.below(self.dense.len() as u64) as usize).copied()
    }

    /// Number of nodes.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether no node is known, which holds only before this node has added itself.
    pub fn is_empty(&self) -> bool {
        self.slab.is_empty()
    }

    /// All nodes, in order of their place in the table.
    pub fn iter(&self) -> impl Iterator<Item = (NodeIndex, &Node)> {
        self.slab.iter().map(|(index, node)| (NodeIndex(index as u16), node))
    }

    /// All nodes, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (NodeIndex, &mut Node)> {
        self.slab.iter_mut().map(|(index, node)| (NodeIndex(index as u16), node))
    }

    /// The places of all nodes, for loops that add or remove nodes.
    pub fn indexes(&self) -> Vec<NodeIndex> {
        self.iter().map(|(index, _)| index).collect()
    }
}

/// For indexes that are known to be in the table; panics on one that was removed, as slices do.
impl std::ops::Index<NodeIndex> for Nodes {
    type Output = Node;

    #[inline]
    fn index(&self, index: NodeIndex) -> &Node {
        &self.slab[index.get()]
    }
}

impl std::ops::IndexMut<NodeIndex> for Nodes {
    #[inline]
    fn index_mut(&mut self, index: NodeIndex) -> &mut Node {
        &mut self.slab[index.get()]
    }
}
