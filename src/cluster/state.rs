//! Whether the cluster serves: every slot covered, if that is asked for, and most primaries
//! reached. Called by `saving` and `cron` (Redis: clusterUpdateState).

use super::{Cluster, State, Todo};
use crate::base::limits::SLOTS;

/// A primary that was just started does not serve for so long, so that it can hear first whether
/// it was failed over (Redis: CLUSTER_WRITABLE_DELAY).
const WRITABLE_DELAY_MS: u64 = 2000;
/// Nor does one that was with the minority, for one node timeout within these bounds (Redis:
/// CLUSTER_MIN_REJOIN_DELAY, CLUSTER_MAX_REJOIN_DELAY).
const REJOIN_DELAY_MS: std::ops::RangeInclusive<u64> = 500..=5000;

impl Cluster {
    /// Looks whether the cluster serves, and who counts for a majority.
    pub(super) fn update_state(&mut self, now_ms: u64) {
        self.todo.remove(Todo::UPDATE_STATE);
        // Even a node that does not serve yet must know what a majority is.
        let reached = self.count_primaries();
        let first_look_ms = *self.run.first_look_ms.get_or_insert(now_ms);
        let primary = self.me().is_primary();
        let fresh = now_ms.saturating_sub(first_look_ms) < WRITABLE_DELAY_MS;
        if primary && self.state == State::Fail && fresh {
            return;
        }
        let minority = reached < self.majority();
        if minority {
            self.run.minority_ms = Some(now_ms);
        }
        let uncovered = self.settings.require_full_coverage && !self.is_covered();
        let state = if minority || uncovered { State::Fail } else { State::Ok };
        if state == self.state {
            return;
        }
        let delay_ms =
            self.settings.node_timeout_ms.clamp(*REJOIN_DELAY_MS.start(), *REJOIN_DELAY_MS.end());
        let healing = self.run.minority_ms.is_some_and(|at| now_ms.saturating_sub(at) < delay_ms);
        if state == State::Ok && primary && healing {
            return;
        }
        match state {
            State::Ok => log::info!("Cluster state changed: ok"),
            State::Fail => log::warn!("Cluster state changed: fail"),
        }
        self.state = state;
    }

    /// Counts the primaries that own a slot. How many of them this node reaches.
    fn count_primaries(&mut self) -> usize {
        let (mut size, mut reached) = (0, 0);
        for (index, node) in self.nodes.iter() {
            if node.is_primary() && self.slots.count_of(index) > 0 {
                size += 1;
                reached += usize::from(!node.is(super::NodeFlags::FAILING));
            }
        }
        self.size = size;
        reached
    }

    /// Whether every slot has an owner that has not failed.
    fn is_covered(&self) -> bool {
        let failed =
            |(index, node): (_, &super::Node)| node.has_failed() && self.slots.count_of(index) > 0;
        self.slots.assigned() == SLOTS && !self.nodes.iter().any(failed)
    }
}
