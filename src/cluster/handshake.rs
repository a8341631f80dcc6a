//! Getting to know a node of which only the address is known: CLUSTER MEET here, or a MEET packet
//! from there. Until the node answers it stands in the table under a made up id. Called by the
//! commands, by `receive` and by `cron`.

use std::net::IpAddr;

use super::wire::Header;
use super::{Address, Cluster, LinkId, Node, NodeFlags, NodeId, NodeIndex, ShardId, Todo};
use crate::base::limits::HANDSHAKES_MAX;

/// Why no handshake starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The address or a port is none (Redis: EINVAL).
    InvalidAddress,
    /// There is one with that address already, or no room for one more (Redis: EAGAIN).
    AlreadyUnderWay,
}

impl Cluster {
    /// Begins to get to know the node at an address (Redis: clusterStartHandshake).
    pub fn start_handshake(
        &mut self,
        ip: &str,
        port: u16,
        bus_port: u16,
        now_ms: u64,
    ) -> Result<(), HandshakeError> {
        let ip: IpAddr = ip.parse().map_err(|_| HandshakeError::InvalidAddress)?;
        if port == 0 || bus_port == 0 {
            return Err(HandshakeError::InvalidAddress);
        }
        let ip = ip.to_string().into_boxed_str();
        let address = Address { ip, port, tls_port: 0, bus_port };
        if self.has_handshake_with(&address) {
            return Err(HandshakeError::AlreadyUnderWay);
        }
        let flags = NodeFlags::HANDSHAKE | NodeFlags::MEET;
        self.add_unnamed(flags, address, now_ms).ok_or(HandshakeError::AlreadyUnderWay)?;
        Ok(())
    }

    /// Adds a node that sent MEET. Its role and the rest are told by its answer to the ping that
    /// goes to it now.
    pub(super) fn meet_stranger(&mut self, link: LinkId, header: &Header, now_ms: u64) {
        let Some(address) = self.address_of_sender(link, header) else { return };
        let under_way = self.nodes.iter().filter(|(_, node)| node.in_handshake()).count();
        if under_way >= HANDSHAKES_MAX || self.has_handshake_with(&address) {
            log::debug!("Ignoring MEET of {}: too many handshakes, or one with it", header.sender);
            return;
        }
        if self.add_unnamed(NodeFlags::HANDSHAKE, address, now_ms).is_some() {
            self.mark(Todo::SAVE);
        }
    }

    fn add_unnamed(
        &mut self,
        flags: NodeFlags,
        address: Address,
        now_ms: u64,
    ) -> Option<NodeIndex> {
        let id = NodeId::random(&mut self.rng);
        let shard = ShardId::random(&mut self.rng);
        let added = self.nodes.insert(Node::new(id, shard, flags, address, now_ms));
        if added.is_none() {
            log::warn!("The table of cluster nodes is full");
        }
        added
    }

    /// Redis: clusterHandshakeInProgress.
    fn has_handshake_with(&self, address: &Address) -> bool {
        self.nodes.iter().any(|(_, node)| {
            node.in_handshake()
                && node.address.ip.eq_ignore_ascii_case(&address.ip)
                && node.address.port == address.port
                && node.address.bus_port == address.bus_port
        })
    }

    /// The node at the other end says who it is. Whether it was not known before: if it was, the
    /// made up one is forgotten together with the link.
    pub(super) fn end_handshake(
        &mut self,
        index: NodeIndex,
        sender: Option<NodeIndex>,
        (link, header): (LinkId, &Header),
    ) -> bool {
        if let Some(known) = sender {
            let (id, name) = (self.nodes[known].id, &self.nodes[known].human_name);
            log::debug!("Handshake: node {id} ({name}) is known already");
            if self.update_address(known, link, header) {
                self.mark(Todo::SAVE | Todo::UPDATE_STATE);
            }
        }
        // Without a sender it may still be this node itself.
        if self.nodes.find(&header.sender).is_some() {
            self.remove_node(index);
            return false;
        }
        self.nodes.rename(index, header.sender);
        let role = if header.replica_of.is_some() || !header.flags.contains(NodeFlags::PRIMARY) {
            header.flags & NodeFlags::REPLICA
        } else {
            NodeFlags::PRIMARY
        };
        let node = &mut self.nodes[index];
        node.flags.remove(NodeFlags::HANDSHAKE);
        node.flags |= role;
        log::trace!("Handshake with node {} completed", node.id);
        self.mark(Todo::SAVE);
        true
    }
}
