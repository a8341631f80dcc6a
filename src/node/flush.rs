//! Output to sockets: once per turn for every client that has some, and on each writable edge for
//! those whose socket was full.

use super::Node;
use super::connection::WriteOutcome;
use crate::base::limits::{WAITING_PUSHES_BYTES_MAX, WAITING_PUSHES_TURNS_MAX};
use crate::core::Core;
use crate::core::client::ClientFlags;

impl Node {
    /// One write for each client with output. Messages wait for some more turns, which come at
    /// once, so that they leave together with those of whoever goes on publishing.
    pub(super) fn flush_pending(&mut self) {
        self.flush_listed(|core| &mut core.pending_writes);
        if self.pushes_may_wait() {
            self.pushes_waited += 1;
        } else {
            self.pushes_waited = 0;
            self.flush_listed(|core| &mut core.pending_pushes);
        }
    }

    /// Whether there are messages to be sent, few for each receiver, and somebody who goes on.
    fn pushes_may_wait(&self) -> bool {
        let core = &self.core;
        let is_small = |&token: &usize| {
            let client = core.clients.get(token);
            client.is_none_or(|client| client.reply.output.pending() <= WAITING_PUSHES_BYTES_MAX)
        };
        let goes_on = self.pushes_waited == 0 || !self.events.is_empty();
        !core.pending_pushes.is_empty()
            && self.exit.is_none()
            && self.pushes_waited < WAITING_PUSHES_TURNS_MAX
            && goes_on
            && core.pending_pushes.iter().all(is_small)
    }

    fn flush_listed(&mut self, list: fn(&mut Core) -> &mut Vec<usize>) {
        let mut tokens = std::mem::take(list(&mut self.core));
        for token in tokens.drain(..) {
            if let Some(client) = self.core.clients.get_mut(token) {
                client.flags -= ClientFlags::PENDING_WRITE;
                self.flush(token);
            }
        }
        // Keep the allocation; a flush lists nobody.
        let list = list(&mut self.core);
        if list.is_empty() {
            *list = tokens;
        }
    }

    /// A socket takes output again.
    pub(super) fn flush_blocked(&mut self, token: usize) {
        if self.core.clients.get(token).is_some_and(|c| c.reply.output.pending() > 0) {
            self.flush(token);
        }
    }

    fn flush(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        let Some(client) = self.core.clients.get_mut(token) else { return };
        if !connection.writable || client.reply.output.pending() == 0 {
            return self.close_if_done(token);
        }
        let (outcome, sent) = connection.flush(&mut client.reply.output);
        if sent > 0 {
            client.active_ms = self.core.now.ms();
        }
        self.core.stats.writes_processed += 1;
        self.core.stats.net_output_bytes += sent as u64;
        match outcome {
            WriteOutcome::Drained => self.close_if_done(token),
            WriteOutcome::Blocked => {}
            WriteOutcome::Budget => self.core.list_for_writing(token),
            WriteOutcome::Closed(kind) => {
                log::debug!("Error writing to client: {kind}");
                self.close(token);
            }
        }
    }

    fn close_if_done(&mut self, token: usize) {
        let done = self.core.clients.get(token).is_some_and(|client| {
            client.is(ClientFlags::CLOSE_AFTER_REPLY) && client.reply.output.pending() == 0
        });
        if done {
            self.close(token);
        }
    }
}
