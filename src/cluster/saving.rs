//! What is to be done once per turn before the loop sleeps, nodes.conf above all, and what waits
//! until that is on disk. Called by the node's loop.
//!
//! Redis exits when nodes.conf cannot be written. This node goes on: what it knows is still right,
//! and it serves. But it gives no votes, which a restart would make it forget, says so loudly and
//! tries again.

use super::wire::Body;
use super::{Action, Cluster, Env, NodeId, Todo};

/// After a failure nodes.conf is not written again for so long.
const RETRY_MS: u64 = 1000;

/// What waits for nodes.conf. Every [`Action::Save`] is answered once, in order.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// Saves that were asked for.
    asked: u64,
    /// Saves that were answered.
    answered: u64,
    /// After a failure, when to ask again.
    retry_ms: u64,
    /// Votes, and the save that they must wait for.
    votes: Vec<(u64, NodeId)>,
}

impl Saving {
    /// Sends a vote when what is known at this moment is on disk.
    pub(super) fn promise_vote(&mut self, to: NodeId) {
        self.votes.push((self.asked + 1, to));
    }
}

impl Cluster {
    /// Does once per turn what the turn's events asked for (Redis: clusterBeforeSleep). Saving
    /// precedes whatever was queued to be sent.
    pub fn before_sleep(&mut self, env: Env) {
        if self.todo.contains(Todo::UPDATE_STATE) {
            self.update_state(env.now_ms);
        }
        let waits = self.unsaved && env.now_ms < self.run.saving.retry_ms;
        if self.todo.contains(Todo::SAVE) && !waits {
            let fsync = self.todo.contains(Todo::FSYNC);
            self.todo.remove(Todo::SAVE | Todo::FSYNC);
            self.run.saving.asked += 1;
            self.actions.insert(0, Action::Save { fsync });
        }
    }

    /// nodes.conf was written, or could not be.
    pub fn note_saved(&mut self, ok: bool, now_ms: u64) {
        let saving = &mut self.run.saving;
        saving.answered = saving.asked.min(saving.answered + 1);
        let answered = saving.answered;
        let due: Vec<NodeId> =
            saving.votes.extract_if(.., |(save, _)| *save <= answered).map(|(_, to)| to).collect();
        if ok {
            self.unsaved = false;
            due.into_iter().for_each(|to| self.send_vote(to));
            return;
        }
        saving.retry_ms = now_ms.saturating_add(RETRY_MS);
        log::error!(
            "The cluster's nodes.conf cannot be written: this node votes for nobody, and after a \
             restart it will know what was written last. Trying again"
        );
        self.unsaved = true;
        self.mark(Todo::SAVE | Todo::FSYNC);
    }

    /// Redis: clusterSendFailoverAuth.
    fn send_vote(&mut self, to: NodeId) {
        let link = self.nodes.find(&to).and_then(|index| self.nodes[index].link);
        if let Some(link) = link {
            self.send_body(link, &Body::AuthAck);
        }
    }
}
