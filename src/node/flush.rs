//! Output to sockets: once per turn for every client that has some, and on each writable edge for
//! those whose socket was full.

use super::Node;
use super::connection::WriteOutcome;
use crate::core::client::ClientFlags;

impl Node {
    /// One write for each client with output.
    pub(super) fn flush_pending(&mut self) {
        let mut pending = std::mem::take(&mut self.core.pending_writes);
        pending.append(&mut self.core.pending_pushes);
        for token in pending.drain(..) {
            if let Some(client) = self.core.clients.get_mut(token) {
                client.flags -= ClientFlags::PENDING_WRITE;
                self.flush(token);
            }
        }
        // Keep the allocation; a flush lists nobody.
        if self.core.pending_writes.is_empty() {
            self.core.pending_writes = pending;
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
