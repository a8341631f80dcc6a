//! What heartbeats say of third nodes: who does not answer, who was heard of lately, who has
//! another address, who exists. Called by `receive` (Redis: clusterProcessGossipSection).

use super::wire::Gossip;
use super::{Cluster, Node, NodeFlags, NodeIndex, ShardId};

/// A pong may seem to come from the future by as much as clocks differ.
const CLOCK_TOLERANCE_MS: u64 = 500;

impl Cluster {
    /// Goes through a heartbeat's gossip. Without a sender that is known only what does not need
    /// trust is heeded.
    pub(super) fn heed_gossip(
        &mut self,
        sender: Option<NodeIndex>,
        gossip: &[Gossip],
        now_ms: u64,
    ) {
        for entry in gossip {
            match self.nodes.find(&entry.node) {
                Some(about) => {
                    let witness = sender.filter(|&sender| self.nodes[sender].is_primary());
                    if let Some(witness) = witness.filter(|_| about != self.myself) {
                        self.heed_witness(witness, about, (entry.flags, now_ms));
                    }
                    self.heed_pong_time(about, entry, now_ms);
                    self.heed_new_address(about, entry);
                }
                None if sender.is_some() => self.add_hearsay(entry, now_ms),
                None => {}
            }
        }
    }

    /// A primary says that another node answers or does not.
    fn heed_witness(
        &mut self,
        witness: NodeIndex,
        about: NodeIndex,
        (flags, now_ms): (NodeFlags, u64),
    ) {
        let fails = flags.intersects(NodeFlags::FAILING);
        let news = if fails {
            self.add_failure_report(about, witness, now_ms)
        } else {
            self.remove_failure_report(about, witness, now_ms)
        };
        if news {
            let (from, node) = (&self.nodes[witness], &self.nodes[about]);
            log::debug!(
                "Node {} ({}) reported node {} ({}) as {}.",
                from.id,
                from.human_name,
                node.id,
                node.human_name,
                if fails { "not reachable" } else { "back online" },
            );
        }
        if fails {
            self.mark_failing_if_needed(about, now_ms);
        }
    }

    /// What another node has heard of a third one need not be asked again, as long as nobody
    /// doubts it.
    fn heed_pong_time(&mut self, about: NodeIndex, entry: &Gossip, now_ms: u64) {
        let fails = entry.flags.intersects(NodeFlags::FAILING);
        if fails || self.nodes[about].ping_sent_ms != 0 || self.failure_reports(about, now_ms) > 0 {
            return;
        }
        let pong_ms = u64::from(entry.pong_received_s) * 1000;
        let node = &mut self.nodes[about];
        if pong_ms <= now_ms + CLOCK_TOLERANCE_MS && pong_ms > node.pong_received_ms {
            node.pong_received_ms = pong_ms;
        }
    }

    /// A node that is not reached here but is reached elsewhere, at another address, has moved.
    fn heed_new_address(&mut self, about: NodeIndex, entry: &Gossip) {
        let node = &mut self.nodes[about];
        let reached = !entry.flags.intersects(NodeFlags::FAILING | NodeFlags::NOADDR);
        let same_ip = node.address.ip.eq_ignore_ascii_case(&entry.address.ip);
        let same_ports = node.address.port == entry.address.port
            && node.address.tls_port == entry.address.tls_port
            && node.address.bus_port == entry.address.bus_port;
        let known = !entry.address.ip.is_empty();
        if !node.is(NodeFlags::FAILING) || !reached || !known || same_ip && same_ports {
            return;
        }
        node.address = entry.address.clone();
        node.flags.remove(NodeFlags::NOADDR);
        if let Some(old) = node.link {
            self.close_link(old);
        }
    }

    /// Adds a node that a known one knows, under the id that it has there: at its address another
    /// cluster's node may live by now, so whoever answers there must have that id.
    fn add_hearsay(&mut self, entry: &Gossip, now_ms: u64) {
        let Gossip { node: id, address, flags, .. } = entry;
        let usable = !flags.contains(NodeFlags::NOADDR) && !address.ip.is_empty();
        if !usable || self.is_forbidden(id, now_ms) {
            return;
        }
        let mut flags = *flags & NodeFlags::HEARSAY;
        if flags.contains(NodeFlags::PRIMARY) {
            flags.remove(NodeFlags::REPLICA);
        }
        let shard = ShardId::random(&mut self.rng);
        let node = Node::new(*id, shard, flags, address.clone(), now_ms);
        if self.nodes.insert(node).is_none() {
            log::warn!("The table of cluster nodes is full: {id} is not added");
        }
    }
}
