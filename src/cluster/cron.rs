//! What happens by the clock, ten times a second: links are opened and closed, nodes pinged,
//! handshakes given up, nodes that do not answer marked. Called by the node's loop (Redis:
//! clusterCron).

use super::wire::Heartbeat;
use super::{Cluster, Env, LinkId, NodeFlags, NodeIndex, State};

/// A node is pinged in every so many runs, be it due or not.
const PING_TICKS: u64 = 10;
/// A handshake gets one node timeout, but at least this long.
const HANDSHAKE_MS_MIN: u64 = 1000;

impl Cluster {
    /// To be called every 100 milliseconds.
    pub fn cron(&mut self, env: Env) {
        let now_ms = env.now_ms;
        self.run.ticks += 1;
        self.close_full_links();
        self.run.pfail_nodes = 0;
        for index in self.nodes.indexes() {
            self.reconnect(index, now_ms);
        }
        if self.run.ticks.is_multiple_of(PING_TICKS) {
            self.ping_quietest(now_ms);
        }
        let mut news = false;
        for index in self.nodes.indexes() {
            news |= self.check_health(index, now_ms);
        }
        if news || self.state == State::Fail {
            self.update_state(now_ms);
        }
    }

    /// Redis: clusterNodeCronHandleReconnect.
    fn reconnect(&mut self, index: NodeIndex, now_ms: u64) {
        let node = &self.nodes[index];
        if node.is(NodeFlags::MYSELF | NodeFlags::NOADDR) {
            return;
        }
        self.run.pfail_nodes += usize::from(node.is(NodeFlags::PFAIL));
        let handshake_ms = self.settings.node_timeout_ms.max(HANDSHAKE_MS_MIN);
        if node.in_handshake() && now_ms.saturating_sub(node.created_ms) > handshake_ms {
            self.remove_node(index);
        } else if node.link.is_none() {
            self.connect(index, now_ms);
        }
    }

    /// Pings the node that has not answered for longest. Redis takes the one of five that it draws,
    /// and so pings others before their time: for 30 nodes that is a twentieth more traffic.
    fn ping_quietest(&mut self, now_ms: u64) {
        let mut quietest: Option<((u64, u64), LinkId)> = None;
        for index in self.nodes.indexes() {
            let node = &self.nodes[index];
            let barred = node.is(NodeFlags::MYSELF | NodeFlags::HANDSHAKE);
            let Some(link) = node.link.filter(|_| node.ping_sent_ms == 0 && !barred) else {
                continue;
            };
            // Not the same one of several for all who start at the same time.
            let order = (node.pong_received_ms, self.rng.next_u64());
            if quietest.is_none_or(|(least, _)| order < least) {
                quietest = Some((order, link));
            }
        }
        if let Some((_, link)) = quietest {
            self.send_heartbeat(link, Heartbeat::Ping, now_ms);
        }
    }

    /// Pings a node that was not heard of for a while, renews a link that says nothing, marks a
    /// node that has not answered for too long. Whether it was marked.
    fn check_health(&mut self, index: NodeIndex, now_ms: u64) -> bool {
        let timeout_ms = self.settings.node_timeout_ms;
        let node = &self.nodes[index];
        if node.is(NodeFlags::MYSELF | NodeFlags::NOADDR | NodeFlags::HANDSHAKE) {
            return false;
        }
        let pings = node.ping_sent_ms != 0;
        let ping_delay_ms = now_ms.saturating_sub(node.ping_sent_ms);
        let data_delay_ms = now_ms.saturating_sub(node.data_received_ms);
        let silent = pings && ping_delay_ms > timeout_ms / 2 && data_delay_ms > timeout_ms / 2;
        if let Some(link) = node.link.filter(|_| silent) {
            let opened_ms = self.links.get(link).map_or(now_ms, |link| link.created_ms);
            // Once per timeout: a new link gets time to be answered.
            if now_ms.saturating_sub(opened_ms) > timeout_ms {
                self.close_link(link);
            }
        }
        let interval_ms = match self.settings.ping_interval_ms {
            0 => timeout_ms / 2,
            interval_ms => interval_ms,
        };
        let node = &self.nodes[index];
        let due = !pings && now_ms.saturating_sub(node.pong_received_ms) > interval_ms;
        if let Some(link) = node.link.filter(|_| due) {
            self.send_heartbeat(link, Heartbeat::Ping, now_ms);
            return false;
        }
        // Whatever comes from a node shows that it is there, be it a message and no pong.
        let fails = pings && ping_delay_ms.min(data_delay_ms) > timeout_ms;
        if !fails || node.is(NodeFlags::FAILING) {
            return false;
        }
        self.nodes[index].flags.insert(NodeFlags::PFAIL);
        log::trace!("*** NODE {} possibly failing", self.nodes[index].id);
        if self.me().is_primary() && self.size == 1 {
            // There is no other primary whose word could be awaited.
            self.mark_failing_if_needed(index, now_ms);
        }
        true
    }
}
