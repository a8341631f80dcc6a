//! What happens by the clock, ten times a second: links are opened and closed, nodes pinged,
//! handshakes given up, nodes that do not answer marked. Called by the node's loop (Redis:
//! clusterCron).

use super::wire::Heartbeat;
use super::{Cluster, Env, NodeFlags, NodeIndex, State};

/// A random node is pinged in every so many runs.
const RANDOM_PING_TICKS: u64 = 10;
/// Of so many nodes chosen at random the one is pinged that was not heard of for longest.
const RANDOM_PING_DRAWS: usize = 5;
/// A ping that is due is sent within this part of the interval between pings,
const PING_SPREAD: u64 = 10;
/// and before that in each run with one chance in so many.
const PING_CHANCE: u64 = 8;
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
        if self.run.ticks.is_multiple_of(RANDOM_PING_TICKS) {
            self.ping_random(now_ms);
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

    fn ping_random(&mut self, now_ms: u64) {
        let mut chosen: Option<NodeIndex> = None;
        for _ in 0..RANDOM_PING_DRAWS {
            let Some(index) = self.nodes.random(&mut self.rng) else { return };
            let node = &self.nodes[index];
            let barred = node.is(NodeFlags::MYSELF | NodeFlags::HANDSHAKE);
            if node.link.is_none() || node.ping_sent_ms != 0 || barred {
                continue;
            }
            if chosen.is_none_or(|best| node.pong_received_ms < self.nodes[best].pong_received_ms) {
                chosen = Some(index);
            }
        }
        if let Some(link) = chosen.and_then(|index| self.nodes[index].link) {
            self.send_heartbeat(link, Heartbeat::Ping, now_ms);
        }
    }

    /// Whether it is time to ping a node of which so long nothing was heard. By gossip all nodes
    /// have about the same news of one, and would all ping it in the same moment (in Redis they
    /// do); when they do not, the pong of the first spares the pings of others.
    fn is_due(&mut self, silent_ms: u64) -> bool {
        let interval_ms = match self.settings.ping_interval_ms {
            0 => self.settings.node_timeout_ms / 2,
            interval_ms => interval_ms,
        };
        silent_ms > interval_ms
            && (silent_ms > interval_ms + interval_ms / PING_SPREAD
                || self.rng.below(PING_CHANCE) == 0)
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
        let silent_ms = now_ms.saturating_sub(self.nodes[index].pong_received_ms);
        let due = !pings && self.is_due(silent_ms);
        let node = &self.nodes[index];
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
