//! Replies that wait for their clients: who is listed for writing, and who has too much waiting.

use super::client::{Client, ClientFlags, ClientId};
use super::{Core, Effect};
use crate::base::limits::REPLY_CHUNK_BYTES;
use crate::config::OutputLimits;

impl Core {
    /// Lists a client for the write that ends the turn, once.
    #[inline]
    pub fn list_for_writing(&mut self, token: usize) {
        if let Some(client) = self.clients.get_mut(token)
            && !client.is(ClientFlags::PENDING_WRITE)
            && client.reply.output.pending() > 0
        {
            client.flags |= ClientFlags::PENDING_WRITE;
            self.pending_writes.push(token);
        }
    }

    /// Appends encoded bytes to another client's output.
    pub fn send_to(&mut self, id: ClientId, encoded: &[u8]) {
        let Some(token) = self.clients.token_of(id) else { return };
        if let Some(client) = self.clients.get_mut(token) {
            client.reply.raw(encoded);
            client.reply.output.seal_if_full();
        }
        self.list_for_writing(token);
        self.check_output_limits(token);
    }

    /// What follows a client's turn: its output is sent soon, or it is closed for having too much
    /// of it.
    #[inline]
    pub fn after_serving(&mut self, token: usize) {
        let Some(client) = self.clients.get_mut(token) else { return };
        let waiting = client.reply.output.pending();
        if waiting > 0 || client.is(ClientFlags::CLOSE_AFTER_REPLY) {
            client.output_peak = client.output_peak.max(waiting.min(REPLY_CHUNK_BYTES));
            if !client.is(ClientFlags::PENDING_WRITE) {
                client.flags |= ClientFlags::PENDING_WRITE;
                self.pending_writes.push(token);
            }
            self.check_output_limits(token);
        }
    }

    /// How much output a client may have before it is closed; none if there is no limit. A reply
    /// that reaches this may end there.
    pub fn output_bytes_max(&self, client: &Client) -> Option<u64> {
        let hard_bytes = self.config.client_output_buffer_limit[client.output_class()].hard_bytes;
        // Less does not count: it stays in the buffer.
        (hard_bytes > 0).then(|| hard_bytes.max(REPLY_CHUNK_BYTES as u64))
    }

    /// Closes a client whose waiting output is over its class's limit (Redis:
    /// closeClientOnOutputBufferLimitReached).
    pub fn check_output_limits(&mut self, token: usize) {
        let Some(mut client) = self.clients.take(token) else { return };
        if self.exceeds_output_limits(&mut client) {
            self.effects.push(Effect::Close(client.id));
        }
        self.clients.put_back(client);
    }

    /// Whether a client has just come over its limit; it is to be closed then.
    pub(super) fn exceeds_output_limits(&mut self, client: &mut Client) -> bool {
        let limits = &self.config.client_output_buffer_limit;
        if client.is(ClientFlags::CLOSE_ASAP) || !is_over_limit(client, limits, self.now.seconds())
        {
            return false;
        }
        client.flags |= ClientFlags::CLOSE_ASAP;
        log::warn!(
            "Client {} scheduled to be closed ASAP for overcoming of output buffer limits.",
            self.describe_client(client)
        );
        self.stats.output_limit_disconnections += 1;
        true
    }
}

/// Whether the hard limit is passed, or the soft one for long enough.
pub(super) fn is_over_limit(client: &mut Client, limits: &OutputLimits, now_seconds: u64) -> bool {
    let limit = &limits[client.output_class()];
    // As in Redis, the reply buffer does not count: only what it did not hold.
    let waiting = client.reply.output.sealed_bytes() as u64;
    if limit.hard_bytes > 0 && waiting >= limit.hard_bytes {
        return true;
    }
    if limit.soft_bytes == 0 || waiting < limit.soft_bytes {
        client.soft_limit_since_s = None;
        return false;
    }
    let since = *client.soft_limit_since_s.get_or_insert(now_seconds);
    now_seconds.saturating_sub(since) as i64 > limit.soft_seconds
}
