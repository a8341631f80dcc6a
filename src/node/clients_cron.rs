//! Looks after the clients in turn: idle ones are closed, buffers are fitted to their use, limits
//! are enforced.

use super::Node;
use super::connection::Connection;
use crate::base::limits::{QUERY_IDLE_MS, QUERY_SHRINK_BYTES, REPLY_CHUNK_BYTES, REPLY_MIN_BYTES};
use crate::core::Client;
use crate::core::client::ClientFlags;
use crate::dispatch::blocked;

/// Clients seen in one run at least (Redis: CLIENTS_CRON_MIN_ITERATIONS).
const CLIENTS_PER_RUN_MIN: usize = 5;

impl Node {
    /// Sees every client about once a second.
    pub(super) fn clients_cron(&mut self) {
        let count = (self.core.clients.len() / self.cron.hz() as usize).max(CLIENTS_PER_RUN_MIN);
        let mut seen = Vec::with_capacity(count);
        seen.extend(self.core.clients.ids_after(self.core.cron_client).take(count));
        self.core.cron_client = match seen.last() {
            Some(&(id, _)) if seen.len() == count => id,
            _ => crate::core::ClientId(0),
        };
        for (id, token) in seen {
            if self.is_timed_out(token) {
                log::debug!("Closing idle client");
                self.close(token);
                continue;
            }
            blocked::redirect_if_moved(&mut self.core, self.table, id);
            self.core.note_client_buffers(token);
            self.fit_buffers(token);
            self.core.check_output_limits(token);
            self.core.recount_client(token);
        }
        self.run_effects();
    }

    fn is_timed_out(&self, token: usize) -> bool {
        let Some(client) = self.core.clients.get(token) else { return false };
        let timeout_ms = self.core.config.timeout as u64 * 1000;
        let listens = ClientFlags::MONITOR | ClientFlags::PUBSUB;
        let exempt = client.is(listens) || client.blocked.is_some();
        timeout_ms > 0
            && !exempt
            && self.core.now.ms().saturating_sub(client.active_ms) > timeout_ms
    }

    fn fit_buffers(&mut self, token: usize) {
        let now_ms = self.core.now.ms();
        let debug = self.core.debug;
        let Some(client) = self.core.clients.get_mut(token) else { return };
        if let Some(connection) = self.connections.get_mut(token) {
            fit_query_buffer(client, connection, now_ms);
        }
        if !debug.reply_resizing {
            return;
        }
        let stats = &mut self.core.stats;
        match fit_reply_buffer(client, now_ms, debug.reply_peak_reset_ms) {
            Fit::Shrunk => stats.reply_buffer_shrinks += 1,
            Fit::Grown => stats.reply_buffer_expands += 1,
            Fit::Kept => {}
        }
    }
}

/// Frees the query buffer of an idle client, and shrinks a large one to its peak use, but not while
/// a big argument is on its way (Redis: clientsCronResizeQueryBuffer).
fn fit_query_buffer(client: &mut Client, connection: &mut Connection, now_ms: u64) {
    let buffer = &mut connection.query;
    let (used, capacity) = (buffer.input().len(), buffer.capacity());
    let wanted = client.query.peak.max(used + connection.parser.needed(used));
    let idle = now_ms.saturating_sub(client.active_ms) > QUERY_IDLE_MS;
    if idle {
        buffer.shrink(used);
    } else if capacity > QUERY_SHRINK_BYTES && wanted < capacity / 2 {
        buffer.shrink(wanted);
    }
    client.query.peak = used;
    client.query.keep(connection.parser.parsed(), used, buffer.capacity());
}

enum Fit {
    Kept,
    Shrunk,
    Grown,
}

/// Halves the reply buffer of a client whose peak use lies under half of it, and doubles that of a
/// client that filled it (Redis: clientsCronResizeOutputBuffer).
fn fit_reply_buffer(client: &mut Client, now_ms: u64, peak_reset_ms: Option<u64>) -> Fit {
    let (used, capacity) = client.reply.output.tail_size();
    let target_shrink = (capacity / 2).max(REPLY_MIN_BYTES);
    let target_grow = (capacity * 2).min(REPLY_CHUNK_BYTES);
    let mut fit = Fit::Kept;
    if used == 0 {
        if capacity >= REPLY_MIN_BYTES
            && client.output_peak < target_shrink
            && target_shrink < capacity
        {
            client.reply.output.resize_tail(target_shrink);
            fit = Fit::Shrunk;
        } else if client.output_peak >= capacity && capacity < target_grow {
            client.reply.output.resize_tail(target_grow);
            fit = Fit::Grown;
        }
    }
    if peak_reset_ms.is_some_and(|ms| now_ms.saturating_sub(client.output_peak_ms) > ms) {
        client.output_peak = used;
        client.output_peak_ms = now_ms;
    }
    fit
}
