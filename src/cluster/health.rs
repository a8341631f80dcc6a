//! Who does not answer. One node alone marks PFAIL; when the majority of primaries has said so
//! lately it becomes FAIL, which everybody is told and which only time or a new owner of the slots
//! undoes. Called by `gossip`, `receive` and `cron`, the counts by CLUSTER commands.

use super::node::FailureReport;
use super::wire::Body;
use super::{Cluster, Node, NodeFlags, NodeId, NodeIndex, Todo};

/// A failure report counts for so many node timeouts (Redis: CLUSTER_FAIL_REPORT_VALIDITY_MULT).
const REPORT_VALIDITY: u64 = 2;
/// A primary that answers again, whose slots nobody took over, is believed after so many node
/// timeouts (Redis: CLUSTER_FAIL_UNDO_TIME_MULT).
const FAIL_UNDO: u64 = 2;

impl Cluster {
    /// Nodes in PFAIL, those without an address left out, as of the last cron.
    pub fn pfail_nodes(&self) -> usize {
        self.run.pfail_nodes
    }

    /// Slots whose owner answers.
    pub fn slots_ok(&self) -> usize {
        self.slots_of_nodes(|node| !node.is(NodeFlags::FAILING))
    }

    /// Slots whose owner does not answer this node.
    pub fn slots_pfail(&self) -> usize {
        self.slots_of_nodes(|node| node.is(NodeFlags::PFAIL) && !node.has_failed())
    }

    /// Slots whose owner has failed.
    pub fn slots_fail(&self) -> usize {
        self.slots_of_nodes(Node::has_failed)
    }

    fn slots_of_nodes(&self, wanted: impl Fn(&Node) -> bool) -> usize {
        let owners = self.nodes.iter().filter(|(_, node)| wanted(node));
        owners.map(|(index, _)| self.slots.count_of(index)).sum()
    }

    /// How many primaries have lately said that a node does not answer, this one left out
    /// (Redis: clusterNodeFailureReportsCount).
    pub fn failure_reports(&mut self, index: NodeIndex, now_ms: u64) -> usize {
        let valid_ms = self.settings.node_timeout_ms.saturating_mul(REPORT_VALIDITY);
        let reports = &mut self.nodes[index].failure_reports;
        reports.retain(|report| now_ms.saturating_sub(report.at_ms) <= valid_ms);
        reports.len()
    }

    /// Whether that is a new report rather than an old one renewed (Redis:
    /// clusterNodeAddFailureReport).
    pub(super) fn add_failure_report(
        &mut self,
        about: NodeIndex,
        reporter: NodeIndex,
        now_ms: u64,
    ) -> bool {
        let reporter = self.nodes[reporter].id;
        let reports = &mut self.nodes[about].failure_reports;
        match reports.iter_mut().find(|report| report.reporter == reporter) {
            Some(report) => report.at_ms = now_ms,
            None => {
                reports.push(FailureReport { reporter, at_ms: now_ms });
                return true;
            }
        }
        false
    }

    /// Whether there was one to remove (Redis: clusterNodeDelFailureReport).
    pub(super) fn remove_failure_report(
        &mut self,
        about: NodeIndex,
        reporter: NodeIndex,
        now_ms: u64,
    ) -> bool {
        if self.nodes[about].failure_reports.is_empty() {
            return false;
        }
        let reporter = self.nodes[reporter].id;
        let reports = &mut self.nodes[about].failure_reports;
        let before = reports.len();
        reports.retain(|report| report.reporter != reporter);
        let removed = reports.len() < before;
        if removed {
            self.failure_reports(about, now_ms);
        }
        removed
    }

    /// Declares a node failed that neither this node nor the majority reaches (Redis:
    /// markNodeAsFailingIfNeeded).
    pub(super) fn mark_failing_if_needed(&mut self, index: NodeIndex, now_ms: u64) {
        if !self.nodes[index].is(NodeFlags::PFAIL) || self.nodes[index].has_failed() {
            return;
        }
        let witnesses = self.failure_reports(index, now_ms) + usize::from(self.me().is_primary());
        if witnesses < self.majority() {
            return;
        }
        let id = self.nodes[index].id;
        let name = &self.nodes[index].human_name;
        log::info!("Marking node {id} ({name}) as failing (quorum reached).");
        self.set_failed(index, now_ms);
        self.send_to_all(&Body::Fail(id), |_| true);
    }

    /// How many primaries are a majority.
    pub(super) fn majority(&self) -> usize {
        self.size / 2 + 1
    }

    fn set_failed(&mut self, index: NodeIndex, now_ms: u64) {
        let node = &mut self.nodes[index];
        node.flags.remove(NodeFlags::PFAIL);
        node.flags.insert(NodeFlags::FAIL);
        node.fail_ms = now_ms;
        self.mark(Todo::SAVE | Todo::UPDATE_STATE);
    }

    /// A known node says that the majority does not reach another.
    pub(super) fn on_fail(&mut self, sender: NodeIndex, about: NodeId, now_ms: u64) {
        let Some(failing) = self.nodes.find(&about) else { return };
        if self.nodes[failing].is(NodeFlags::FAIL | NodeFlags::MYSELF) {
            return;
        }
        let (from, node) = (&self.nodes[sender], &self.nodes[failing]);
        log::info!(
            "FAIL message received from {} ({}) about {about} ({})",
            from.id,
            from.human_name,
            node.human_name
        );
        self.set_failed(failing, now_ms);
    }

    /// A node answered a ping.
    pub(super) fn note_pong(&mut self, index: NodeIndex, now_ms: u64) {
        let node = &mut self.nodes[index];
        node.pong_received_ms = now_ms;
        node.ping_sent_ms = 0;
        if node.is(NodeFlags::PFAIL) {
            node.flags.remove(NodeFlags::PFAIL);
            self.mark(Todo::SAVE | Todo::UPDATE_STATE);
        } else if node.has_failed() {
            self.clear_failure_if_needed(index, now_ms);
        }
    }

    /// A failed node answers again. One without slots is taken back at once; for a primary with
    /// slots a replica gets the time to take over first (Redis: clearNodeFailureIfNeeded).
    fn clear_failure_if_needed(&mut self, index: NodeIndex, now_ms: u64) {
        let undo_ms = self.settings.node_timeout_ms.saturating_mul(FAIL_UNDO);
        let serves = self.slots.count_of(index) > 0;
        let node = &mut self.nodes[index];
        let why = if node.is_replica() {
            "it is a replica"
        } else if !serves {
            "it is a master without slots"
        } else if node.is_primary() && now_ms.saturating_sub(node.fail_ms) > undo_ms {
            "nobody took over its slots"
        } else {
            return;
        };
        node.flags.remove(NodeFlags::FAIL);
        let (id, name) = (node.id, &node.human_name);
        log::info!("Clear FAIL state for node {id} ({name}): it is reachable again, and {why}.");
        self.mark(Todo::SAVE | Todo::UPDATE_STATE);
    }
}
