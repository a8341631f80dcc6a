//! Votes for replicas that want to take over from their failed primary. Called by `receive`; the
//! vote leaves when `saving` knows it to be on disk, because nobody may vote twice in an epoch,
//! not even after a crash.

use super::wire::{Header, MessageFlags};
use super::{Cluster, NodeIndex, Todo};

/// After a vote none is given for the same primary for so many node timeouts.
const VOTE_PAUSE: u64 = 2;

impl Cluster {
    /// A known node asks for a vote (Redis: clusterSendFailoverAuthIfNeeded).
    pub(super) fn on_auth_request(&mut self, sender: NodeIndex, header: &Header, now_ms: u64) {
        // Only those who count for the majority vote.
        if !self.me().is_primary() || self.slots.count_of(self.myself) == 0 {
            return;
        }
        let node = &self.nodes[sender];
        let (id, name) = (node.id, node.human_name.clone());
        match self.may_vote(sender, header, now_ms) {
            Ok(primary) => {
                self.last_vote_epoch = self.current_epoch;
                self.nodes[primary].voted_ms = now_ms;
                self.mark(Todo::SAVE | Todo::FSYNC);
                self.run.saving.promise_vote(id);
                let epoch = self.current_epoch;
                log::info!("Failover auth granted to {id} ({name}) for epoch {epoch}");
            }
            Err(reason) => log::warn!("Failover auth denied to {id} ({name}): {reason}"),
        }
    }

    /// The primary that the sender may take over from, or why it may not.
    fn may_vote(
        &self,
        sender: NodeIndex,
        header: &Header,
        now_ms: u64,
    ) -> Result<NodeIndex, String> {
        let (asked, current) = (header.current_epoch, self.current_epoch);
        if self.unsaved {
            return Err("nodes.conf cannot be written".into());
        }
        if asked < current {
            return Err(format!("reqEpoch ({asked}) < curEpoch({current})"));
        }
        if self.last_vote_epoch == current {
            return Err(format!("already voted for epoch {current}"));
        }
        if self.nodes[sender].is_primary() {
            return Err("it is a master node".into());
        }
        let Some(primary) = self.nodes[sender].replica_of else {
            return Err("I don't know its master".into());
        };
        let forced = header.message_flags.contains(MessageFlags::FORCE_ACK);
        if !self.nodes[primary].has_failed() && !forced {
            return Err("its master is up".into());
        }
        let pause_ms = self.settings.node_timeout_ms.saturating_mul(VOTE_PAUSE);
        let voted_ms = self.nodes[primary].voted_ms;
        let since_ms = now_ms.saturating_sub(voted_ms);
        if voted_ms != 0 && since_ms < pause_ms {
            let left = pause_ms - since_ms;
            return Err(format!("can't vote about this master before {left} milliseconds"));
        }
        self.check_claims(header)?;
        Ok(primary)
    }

    /// Whether nobody has taken over what the sender claims from its primary.
    fn check_claims(&self, header: &Header) -> Result<(), String> {
        let asked = header.config_epoch;
        for slot in header.slots.iter().filter(|&slot| !self.slots.unclaimed.contains(slot)) {
            let Some(owner) = self.slots.owner(slot) else { continue };
            let epoch = self.nodes[owner].config_epoch;
            if epoch > asked {
                return Err(format!("slot {} epoch ({epoch}) > reqEpoch ({asked})", slot.0));
            }
        }
        Ok(())
    }
}
