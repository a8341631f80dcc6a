//! What the node's loop tells of links: one was accepted, one is connected, one broke, so much
//! waits in it. And closing them from this side. Called by the loop, and by the files beside this
//! one; never decides what a packet means.

use super::wire::Heartbeat;
use super::{Action, Cluster, Env, Link, LinkId, NodeFlags, NodeIndex};
use crate::base::limits::{BUS_UNKNOWN_LINK_BYTES_MAX, BUS_UNKNOWN_LINKS_MAX};

impl Cluster {
    /// Another node, or someone who says so, has opened a link. Who does not make himself known
    /// for long makes room for others.
    pub fn link_accepted(&mut self, peer_ip: &str, local_ip: &str, now_ms: u64) -> LinkId {
        let strangers = self.links.iter().filter(|(_, link)| link.node.is_none());
        let mut strangers = strangers.map(|(id, _)| id);
        let oldest = strangers.next();
        if let Some(oldest) = oldest.filter(|_| strangers.count() + 1 >= BUS_UNKNOWN_LINKS_MAX) {
            log::warn!("Too many cluster links of unknown nodes: closing the oldest one");
            self.close_link(oldest);
        }
        self.links.insert(Link {
            node: None,
            inbound: true,
            connected: true,
            created_ms: now_ms,
            peer_ip: peer_ip.into(),
            local_ip: local_ip.into(),
            queued_bytes: 0,
            allocated_bytes: 0,
        })
    }

    /// A link that was asked for is there. The first packet leaves at once, so that a node that
    /// was slow to reach is not taken for one that does not answer (Redis:
    /// clusterLinkConnectHandler).
    pub fn link_connected(&mut self, link: LinkId, local_ip: &str, env: Env) {
        let Some(known) = self.links.get_mut(link) else { return };
        known.connected = true;
        known.local_ip = local_ip.into();
        let Some(index) = known.node else { return };
        let waiting_since = self.nodes[index].ping_sent_ms;
        let meet = self.nodes[index].is(NodeFlags::MEET);
        let kind = if meet { Heartbeat::Meet } else { Heartbeat::Ping };
        self.send_heartbeat(link, kind, env.now_ms);
        let node = &mut self.nodes[index];
        if waiting_since != 0 {
            node.ping_sent_ms = waiting_since;
        }
        node.flags.remove(NodeFlags::MEET);
    }

    /// A link broke, or could not be connected.
    pub fn link_closed(&mut self, link: LinkId) {
        let Some(closed) = self.detach(link) else { return };
        let Some(index) = closed.node.filter(|_| !closed.inbound && !closed.connected) else {
            return;
        };
        // Nobody can be pinged through a link that never was: trying counts as a ping, or a node
        // that is gone for good would never be noticed.
        let node = &mut self.nodes[index];
        if node.ping_sent_ms == 0 {
            node.ping_sent_ms = closed.created_ms;
        }
    }

    /// How much waits to be sent on a link, and how much memory is held for that.
    pub fn link_queue(&mut self, link: LinkId, queued_bytes: usize, allocated_bytes: usize) {
        if let Some(known) = self.links.get_mut(link) {
            known.queued_bytes = queued_bytes;
            known.allocated_bytes = allocated_bytes;
        }
    }

    /// Closes a link from this side.
    pub(super) fn close_link(&mut self, link: LinkId) {
        if self.detach(link).is_some() {
            self.actions.push(Action::Close(link));
        }
    }

    fn detach(&mut self, id: LinkId) -> Option<Link> {
        let link = self.links.remove(id)?;
        if let Some(index) = link.node {
            let node = &mut self.nodes[index];
            let end = if link.inbound { &mut node.inbound } else { &mut node.link };
            if *end == Some(id) {
                *end = None;
            }
        }
        Some(link)
    }

    /// Now it is known who opened a link. An older link of the same node is most likely a dead
    /// one (Redis: setClusterNodeToInboundClusterLink).
    pub(super) fn adopt_inbound(&mut self, link: LinkId, node: NodeIndex) {
        if let Some(old) = self.nodes[node].inbound {
            self.close_link(old);
        }
        if let Some(known) = self.links.get_mut(link) {
            known.node = Some(node);
            self.nodes[node].inbound = Some(link);
        }
    }

    /// Asks the loop for a link to a node.
    pub(super) fn connect(&mut self, index: NodeIndex, now_ms: u64) {
        let node = &mut self.nodes[index];
        let ip = node.address.ip.clone();
        let port = node.address.bus_port;
        if port == 0 || ip.parse::<std::net::IpAddr>().is_err() {
            // As if the attempt had failed at once.
            if node.ping_sent_ms == 0 {
                node.ping_sent_ms = now_ms;
            }
            return;
        }
        let link = self.links.insert(Link {
            node: Some(index),
            inbound: false,
            connected: false,
            created_ms: now_ms,
            peer_ip: ip.clone(),
            local_ip: Box::default(),
            queued_bytes: 0,
            allocated_bytes: 0,
        });
        node.link = Some(link);
        self.actions.push(Action::Connect { link, ip, port });
    }

    /// Closes links in which too much waits (Redis: freeClusterLinkOnBufferLimitReached). Whoever
    /// is not a known node gets little, whatever the configuration says.
    pub(super) fn close_full_links(&mut self) {
        let limit = match self.settings.link_send_buffer_bytes_max {
            0 => usize::MAX,
            limit => limit,
        };
        let full = |link: &Link| {
            let bytes = link.queued_bytes.max(link.allocated_bytes);
            let stranger = link.node.is_none() && link.queued_bytes > BUS_UNKNOWN_LINK_BYTES_MAX;
            bytes > limit || stranger
        };
        let full: Vec<LinkId> =
            self.links.iter().filter(|(_, link)| full(link)).map(|(id, _)| id).collect();
        for id in full {
            if let Some(link) = self.links.get(id) {
                let node = link.node.and_then(|index| self.nodes.get(index));
                log::warn!(
                    "Closing cluster link ({} node {}, {} bytes): it exceeds its send buffer limit",
                    if link.inbound { "from" } else { "to" },
                    node.map_or("", |node| node.id.as_str()),
                    link.queued_bytes.max(link.allocated_bytes),
                );
            }
            self.close_link(id);
            self.stats.link_buffer_limit_exceeded += 1;
        }
    }
}
