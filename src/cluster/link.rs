//! Links of the bus as the cluster sees them: who is at the other end, and how much waits to be
//! sent. Sockets and buffers belong to the node's loop.

use std::collections::BTreeMap;

use super::nodes::NodeIndex;
use super::{Action, Cluster};

/// A link; never reused while the process runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkId(pub u64);

/// One link.
#[derive(Clone, Debug)]
pub struct Link {
    /// The node at the other end. Links that were accepted have none until a packet tells.
    pub node: Option<NodeIndex>,
    /// Whether the other end opened it.
    pub inbound: bool,
    /// Whether packets can be sent: a link that was opened here is not connected at first.
    pub connected: bool,
    /// When it was made, milliseconds since the Unix epoch.
    pub created_ms: u64,
    /// The other end's address; empty if not known.
    pub peer_ip: Box<str>,
    /// This end's address, for nodes that learn their own address from whom they meet; empty if
    /// not known.
    pub local_ip: Box<str>,
    /// Bytes that wait to be sent, as the loop last said.
    pub queued_bytes: usize,
    /// Memory held for sending, as the loop last said.
    pub allocated_bytes: usize,
}

/// Which links with a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The one that this node opened.
    To,
    /// The one that the other node opened.
    From,
    /// Both.
    All,
}

/// All links.
#[derive(Debug, Default)]
pub struct Links {
    by_id: BTreeMap<LinkId, Link>,
    last: u64,
}

impl Links {
    /// Adds a link.
    pub fn insert(&mut self, link: Link) -> LinkId {
        self.last += 1;
        self.by_id.insert(LinkId(self.last), link);
        LinkId(self.last)
    }

    /// A link that may be closed by now.
    pub fn get(&self, id: LinkId) -> Option<&Link> {
        self.by_id.get(&id)
    }

    /// A link to be changed.
    pub fn get_mut(&mut self, id: LinkId) -> Option<&mut Link> {
        self.by_id.get_mut(&id)
    }

    /// Takes a link out.
    pub(super) fn remove(&mut self, id: LinkId) -> Option<Link> {
        self.by_id.remove(&id)
    }

    /// All links, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &Link)> {
        self.by_id.iter().map(|(&id, link)| (id, link))
    }

    /// Number of links.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }
}

impl Cluster {
    /// Memory held to send: what links hold, and what the loop was not handed yet.
    pub fn send_bytes(&self) -> usize {
        let held = self.links.iter().map(|(_, link)| link.allocated_bytes);
        let coming = self.actions.iter().map(|action| match action {
            Action::Send { packet, .. } => packet.len() + size_of::<Action>(),
            _ => 0,
        });
        held.sum::<usize>() + coming.sum::<usize>()
    }

    /// Closes links with a node, to see what follows (DEBUG CLUSTERLINK KILL).
    pub fn kill_links(&mut self, node: NodeIndex, ends: Ends) {
        let known = &self.nodes[node];
        let to = known.link.filter(|_| ends != Ends::From);
        let from = known.inbound.filter(|_| ends != Ends::To);
        [to, from].into_iter().flatten().for_each(|link| self.close_link(link));
    }
}
