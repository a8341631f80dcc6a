//! Counters that INFO reports. Reset by CONFIG RESETSTAT.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::rates::Rates;
use super::{CommandId, Core};
use crate::resp::Error;

/// One command's statistics.
#[derive(Clone, Debug, Default)]
pub struct CommandStats {
    /// Times it ran.
    pub calls: u64,
    /// Nanoseconds that it ran in all.
    pub nanos: u64,
    /// Times that a gate refused it.
    pub rejected: u64,
    /// Times that it ran and replied an error.
    pub failed: u64,
    /// Durations in nanoseconds; made at the first call with latency-tracking on.
    pub latency: Option<Box<Histogram<u64>>>,
}

impl CommandStats {
    /// Adds one duration to the latency histogram (1 ns to 1 s, two significant digits, as in
    /// Redis).
    #[inline]
    pub fn record_latency(&mut self, nanos: u64) {
        if self.latency.is_none() {
            self.latency = Histogram::new_with_bounds(1, LATENCY_NANOS_MAX, 2).ok().map(Box::new);
        }
        if let Some(histogram) = &mut self.latency {
            histogram.saturating_record(nanos.clamp(1, LATENCY_NANOS_MAX));
        }
    }
}

/// Longest duration that a latency histogram tells apart (Redis: LATENCY_HISTOGRAM_MAX_VALUE).
pub const LATENCY_NANOS_MAX: u64 = 1_000_000_000;

/// All counters of a node.
#[derive(Debug, Default)]
pub struct Stats {
    /// By `CommandId`.
    pub commands: Vec<CommandStats>,
    /// Error replies by code.
    pub errors: BTreeMap<Box<[u8]>, u64>,
    /// Error replies that a command's `failed` accounts for already, those of EXEC's queue among
    /// them.
    pub errors_attributed: u64,
    /// Error replies of all codes.
    pub errors_total: u64,
    /// Commands that ran.
    pub commands_processed: u64,
    /// Connections accepted.
    pub connections_received: u64,
    /// Connections refused because of maxclients.
    pub connections_rejected: u64,
    /// Bytes read from clients.
    pub net_input_bytes: u64,
    /// Bytes written to clients.
    pub net_output_bytes: u64,
    /// Reads from clients' sockets.
    pub reads_processed: u64,
    /// Writes to clients' sockets.
    pub writes_processed: u64,
    /// Clients closed to keep within maxmemory-clients.
    pub evicted_clients: u64,
    /// Packed values that were looked at deeply before they were taken, where
    /// sanitize-dump-payload asks for it. Here that is always done.
    pub dump_payload_sanitizations: u64,
    /// Snapshots that SYNC asked for.
    pub full_syncs: u64,
    /// Authentications that failed.
    pub acl_denied_auth: u64,
    /// Reply buffers that shrank because their client was idle.
    pub reply_buffer_shrinks: u64,
    /// Reply buffers that grew because their client was busy.
    pub reply_buffer_expands: u64,
    /// Turns of the event loop.
    pub loop_turns: u64,
    /// Nanoseconds spent in turns, waiting excepted.
    pub loop_nanos: u64,
    /// Clients closed for a query buffer over its limit.
    pub query_limit_disconnections: u64,
    /// Clients closed for output over its limit.
    pub output_limit_disconnections: u64,
    /// Nanoseconds of the longest turn, waiting excepted.
    pub turn_nanos_max: u64,
    /// Most commands that ran in one turn.
    pub turn_commands_max: u64,
    /// Nanoseconds spent in the cron.
    pub cron_nanos: u64,
    /// Nanoseconds spent in commands.
    pub command_nanos: u64,
    /// `commands_processed` when the turn began.
    turn_commands_before: u64,
}

/// Longest code of an error, with the space behind it.
const CODE_BYTES_MAX: usize = 32;

impl Core {
    /// Sets all counters to zero (CONFIG RESETSTAT), and what is derived from them.
    pub fn reset_stats(&mut self) {
        self.stats = Stats::new(self.stats.commands.len());
        self.rates = Rates { peaks: self.rates.peaks, ..Rates::default() };
        self.keyspace.reset_stats();
        let snapshots = &mut self.snapshots;
        (snapshots.saves, snapshots.forks, snapshots.last_fork_us) = (0, 0, 0);
    }
}

impl Stats {
    /// Counters at zero for so many commands.
    pub fn new(commands: usize) -> Self {
        Stats { commands: vec![CommandStats::default(); commands], ..Stats::default() }
    }

    /// Counts an error reply by its code, the first word of its line.
    pub fn count_error(&mut self, error: &Error) {
        self.count_error_line(error.to_string().as_bytes());
    }

    /// Counts an error reply by its line.
    pub fn count_error_line(&mut self, line: &[u8]) {
        // What has no code near its beginning counts as any other error.
        let end = line.iter().take(CODE_BYTES_MAX).position(|&b| b == b' ');
        let code = end.map_or(&b"ERR"[..], |end| &line[..end]);
        self.errors_total += 1;
        match self.errors.get_mut(code) {
            Some(count) => *count += 1,
            None => {
                self.errors.insert(code.into(), 1);
            }
        }
    }

    /// Whether there were error replies since this was asked last, or since a command began.
    pub fn attribute_errors(&mut self) -> bool {
        std::mem::replace(&mut self.errors_attributed, self.errors_total) < self.errors_total
    }

    /// Counts the error reply that ends a connection for not speaking the protocol.
    pub fn count_protocol_error(&mut self) {
        self.count_error(&Error::Custom("ERR Protocol error".into()));
    }

    /// A turn of the loop is over that took so long, waiting excepted.
    #[inline]
    pub fn note_turn(&mut self, nanos: u64) {
        let commands = self.commands_processed - self.turn_commands_before;
        self.turn_commands_before = self.commands_processed;
        self.loop_turns += 1;
        self.loop_nanos += nanos;
        self.turn_nanos_max = self.turn_nanos_max.max(nanos);
        self.turn_commands_max = self.turn_commands_max.max(commands);
    }

    /// The statistics of one command.
    #[inline]
    pub fn command(&mut self, id: CommandId) -> &mut CommandStats {
        &mut self.commands[id.0 as usize]
    }
}
