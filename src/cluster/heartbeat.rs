//! Packets that this node sends: headers, heartbeats, which nodes a heartbeat gossips about, its
//! extensions, and sending to one, some or all. Called by the files beside this one, and by
//! commands to announce a change; never changes what is known of other nodes.

use bytes::Bytes;

use super::wire::{
    self, Body, Extension, Gossip, Header, Heartbeat, MessageFlags, MessageKind, encode,
};
use super::{Action, Address, Cluster, LinkId, Node, NodeFlags, NodeIndex, State};

/// Least number of nodes that a heartbeat tells of, if there are as many.
const GOSSIP_MIN: usize = 3;
/// A heartbeat tells of one in so many nodes. In twice the node timeout, as long as a failure
/// report is valid, each pair of nodes exchanges at least eight packets: with a tenth of the nodes
/// in each, most primaries hear from most others about any one node.
const GOSSIP_SHARE: usize = 10;
/// How often a node is drawn for each one that is wanted, because not every one will do.
const DRAWS_PER_WANTED: usize = 3;

impl Cluster {
    /// What every packet says of this node (Redis: clusterBuildMessageHdr).
    pub(super) fn header(&self) -> Header {
        let me = self.me();
        let primary = me.replica_of.filter(|_| me.is_replica());
        let source = primary.unwrap_or(self.myself);
        let address = Address {
            ip: self.settings.announce_ip.clone().unwrap_or_default(),
            port: self.settings.port,
            tls_port: self.settings.tls_port,
            bus_port: self.settings.bus_port,
        };
        Header {
            sender: me.id,
            current_epoch: self.current_epoch,
            config_epoch: self.nodes[source].config_epoch,
            offset: me.replication_offset,
            slots: self.slots.owned_by(source).cloned().unwrap_or_default(),
            replica_of: primary.map(|primary| self.nodes[primary].id),
            address,
            flags: me.flags & NodeFlags::ON_BUS,
            state_ok: self.state == State::Ok,
            message_flags: MessageFlags::default(),
        }
    }

    /// Queues a packet on a link, if that is connected.
    pub(super) fn send(&mut self, link: LinkId, kind: MessageKind, packet: Bytes) {
        if self.links.get(link).is_some_and(|link| link.connected) {
            self.stats.sent[kind as usize] += 1;
            self.actions.push(Action::Send { link, kind, packet });
        }
    }

    /// Sends a packet on a link.
    pub(super) fn send_body(&mut self, link: LinkId, body: &Body<'_>) {
        let packet = encode(&self.header(), body);
        self.send(link, body.kind(), packet);
    }

    /// Sends one packet to every node that `wanted` accepts, all but this one and those in
    /// handshake, as far as there is a link to them (Redis: clusterBroadcastMessage).
    pub(super) fn send_to_all(&mut self, body: &Body<'_>, wanted: impl Fn(&Node) -> bool) {
        let reached = |node: &Node| {
            let link = node.link.filter(|_| !node.is(NodeFlags::MYSELF | NodeFlags::HANDSHAKE));
            link.filter(|_| wanted(node))
        };
        let links: Vec<LinkId> = self.nodes.iter().filter_map(|(_, node)| reached(node)).collect();
        if links.is_empty() || wire::encoded_len(body) > crate::base::limits::BUS_PACKET_BYTES_MAX {
            return;
        }
        let packet = encode(&self.header(), body);
        for link in links {
            self.send(link, body.kind(), packet.clone());
        }
    }

    /// Sends a ping, pong or meet with gossip (Redis: clusterSendPing). Pinging a node through a
    /// link that is still being opened sends nothing, but from then on an answer is missed.
    pub(super) fn send_heartbeat(&mut self, link: LinkId, kind: Heartbeat, now_ms: u64) {
        let Some(known) = self.links.get(link) else { return };
        let (outbound, connected) = (known.node.filter(|_| !known.inbound), known.connected);
        if let Some(node) = outbound.filter(|_| kind == Heartbeat::Ping) {
            self.nodes[node].ping_sent_ms = now_ms;
        }
        if connected {
            let gossip = self.choose_gossip();
            let extensions = self.extensions(now_ms);
            self.send_body(link, &Body::Heartbeat { kind, gossip, extensions });
        }
    }

    /// Announces this node to all nodes that it has a link to (Redis: clusterBroadcastPong).
    pub fn broadcast_pong(&mut self, now_ms: u64) {
        for index in self.nodes.indexes() {
            let node = &self.nodes[index];
            let wanted = !node.is(NodeFlags::MYSELF | NodeFlags::HANDSHAKE);
            if let Some(link) = node.link.filter(|_| wanted) {
                self.send_heartbeat(link, Heartbeat::Pong, now_ms);
            }
        }
    }

    /// Some nodes chosen at random, and all that this node does not reach, so that others learn of
    /// those soon.
    fn choose_gossip(&mut self) -> Vec<Gossip> {
        self.run.heartbeats += 1;
        let known = self.nodes.len();
        // Neither the sender nor the receiver is news.
        let mut fresh = known.saturating_sub(2);
        let wanted = (known / GOSSIP_SHARE).max(GOSSIP_MIN).min(fresh);
        let mut gossip = Vec::with_capacity(wanted + self.run.pfail_nodes);
        for _ in 0..wanted * DRAWS_PER_WANTED {
            if fresh == 0 || gossip.len() >= wanted {
                break;
            }
            let Some(index) = self.nodes.random(&mut self.rng) else { break };
            let node = &self.nodes[index];
            if node.is(NodeFlags::MYSELF | NodeFlags::PFAIL) {
                continue;
            }
            if !self.is_worth_telling(index) {
                // Not quite right, since it may be drawn again, but it saves further draws.
                fresh -= 1;
            } else if node.last_in_gossip != self.run.heartbeats {
                gossip.push(gossip_about(node));
                self.nodes[index].last_in_gossip = self.run.heartbeats;
                fresh -= 1;
            }
        }
        if self.run.pfail_nodes > 0 {
            let failing = self.nodes.iter().map(|(_, node)| node).filter(|node| {
                node.is(NodeFlags::PFAIL) && !node.is(NodeFlags::HANDSHAKE | NodeFlags::NOADDR)
            });
            gossip.extend(failing.take(self.run.pfail_nodes).map(gossip_about));
        }
        gossip
    }

    fn is_worth_telling(&self, index: NodeIndex) -> bool {
        let node = &self.nodes[index];
        let cut_off = node.link.is_none() && self.slots.count_of(index) == 0;
        !node.is(NodeFlags::HANDSHAKE | NodeFlags::NOADDR) && !cut_off
    }

    /// What a heartbeat says of this node beyond the header (Redis: writePingExt).
    pub(super) fn extensions(&self, now_ms: u64) -> Vec<Extension> {
        let me = self.me();
        let mut extensions = Vec::with_capacity(3);
        if !me.hostname.is_empty() {
            extensions.push(Extension::Hostname(me.hostname.clone()));
        }
        if !me.human_name.is_empty() {
            extensions.push(Extension::HumanName(me.human_name.clone()));
        }
        for (&node, &until_ms) in self.forgotten.iter().filter(|&(_, &until)| until > now_ms) {
            let ttl_s = (until_ms - now_ms).div_ceil(1000);
            extensions.push(Extension::Forgotten { node, ttl_s });
        }
        extensions.push(Extension::Shard(me.shard));
        extensions
    }
}

/// What is said of a third node (Redis: clusterSetGossipEntry).
fn gossip_about(node: &Node) -> Gossip {
    Gossip {
        node: node.id,
        ping_sent_s: (node.ping_sent_ms / 1000) as u32,
        pong_received_s: (node.pong_received_ms / 1000) as u32,
        address: node.address.clone(),
        flags: node.flags & NodeFlags::ON_BUS,
    }
}
