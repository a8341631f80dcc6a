//! From a readable socket to the replies in the client's output: one read, and later in the turn
//! its requests in small batches. A batch is parsed ahead, so that its keys are on their way from
//! memory before the first command runs.

use arrayvec::ArrayVec;

use super::Node;
use super::connection::{QueryBuffer, ReadOutcome};
use crate::base::limits::{
    PIPELINE_BATCH, REPLY_BYTES_PER_TURN, REQUESTS_PER_TURN, UNAUTHENTICATED_QUERY_BYTES_MAX,
};
use crate::base::text::repr;
use crate::core::Client;
use crate::core::client::ClientFlags;
use crate::dispatch::execute::{Outcome, Prepared};
use crate::resp::ProtocolError;
use crate::resp::request::{Batch, Limits, Sender};
use crate::value::Place;

/// Why `run_requests` came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The input holds no further whole request.
    Starved,
    /// The turn's budget is spent, or the client waits or closes; input may be left.
    Yield,
    /// The client is gone.
    Gone,
}

impl Node {
    /// Reads once from a client, unless it is yet to be answered to what it has sent already.
    pub(super) fn receive(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        let accepts = self.core.clients.get(token).is_some_and(Client::accepts_requests);
        if !(accepts && connection.wants_input()) {
            return;
        }
        match connection.receive() {
            ReadOutcome::Bytes(n) => self.note_input(token, n),
            ReadOutcome::Nothing => {}
            ReadOutcome::Closed(error) => {
                self.log_peer_closed(token, error);
                self.close(token);
            }
        }
    }

    /// Gives one client its turn: a bounded number of requests.
    pub(super) fn serve(&mut self, token: usize) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        connection.queued = false;
        let Some(client) = self.core.clients.get_mut(token) else { return };
        if !client.accepts_requests() {
            // Nobody waits for what a blocked client asked, once its peer has hung up.
            if client.blocked.is_some() && connection.peer_closed {
                self.close(token);
            }
            return;
        }
        client.reply.output.prepare();
        // The requests borrow from the buffer while their commands change the node.
        let mut buffer = std::mem::take(&mut connection.query);
        let stop = match buffer.is_empty() {
            true => Stop::Starved,
            false => self.run_requests(token, &mut buffer),
        };
        self.keep_rest(token, buffer, stop);
    }

    fn note_input(&mut self, token: usize, n: usize) {
        let now_ms = self.core.now.ms();
        let query_limit = self.core.config.client_query_buffer_limit;
        self.core.stats.reads_processed += 1;
        self.core.stats.net_input_bytes += n as u64;
        let Some(connection) = self.connections.get(token) else { return };
        let Some(client) = self.core.clients.get_mut(token) else { return };
        let (used, capacity) = (connection.query.input().len(), connection.query.capacity());
        client.active_ms = now_ms;
        client.query.note(used, capacity);
        // What MULTI queued was not answered either: it counts as if it were still in the buffer.
        let queued = client.transaction.as_ref().map_or(0, |open| open.bytes);
        let limit = match client.is(ClientFlags::AUTHENTICATED) {
            true => query_limit,
            false => query_limit.min(UNAUTHENTICATED_QUERY_BYTES_MAX),
        };
        if used + queued > limit {
            self.close_over_query_limit(token);
        }
    }

    fn close_over_query_limit(&mut self, token: usize) {
        let Some(connection) = self.connections.get(token) else { return };
        let Some(client) = self.core.clients.get(token) else { return };
        let input = connection.query.input();
        let shown = repr(&input[..input.len().min(64)]);
        log::warn!(
            "Closing client that reached max query buffer length: {} (qbuf initial bytes: {})",
            self.core.describe_client(client),
            String::from_utf8_lossy(&shown)
        );
        self.core.stats.query_limit_disconnections += 1;
        self.close(token);
    }

    /// Runs what the input holds, within one turn's budget.
    fn run_requests(&mut self, token: usize, buffer: &mut QueryBuffer) -> Stop {
        let mut batch = std::mem::take(&mut self.batch);
        let mut consumed = 0;
        let mut ran = 0;
        let waiting = self.core.clients.get(token).map_or(0, |c| c.reply.output.pending());
        let output_max = waiting + REPLY_BYTES_PER_TURN;
        let stop = loop {
            let input = &buffer.input()[consumed..];
            let (bytes, stop) = self.run_batch(token, input, &mut batch, output_max);
            consumed += bytes;
            ran += batch.len();
            match stop {
                Some(stop) => break stop,
                None if ran >= REQUESTS_PER_TURN => break Stop::Yield,
                None => {}
            }
        };
        buffer.consume(consumed);
        self.batch = batch;
        stop
    }

    /// Parses and runs one batch, as far as the client's output does not get longer than it may.
    /// Tells the bytes that are done with, and why to stop (`None`: go on).
    fn run_batch(
        &mut self,
        token: usize,
        input: &[u8],
        batch: &mut Batch,
        output_max: usize,
    ) -> (usize, Option<Stop>) {
        let Some(connection) = self.connections.get_mut(token) else {
            return (0, Some(Stop::Gone));
        };
        let Some(mut client) = self.core.clients.take(token) else { return (0, Some(Stop::Gone)) };
        let limits = Limits {
            bulk_bytes_max: self.core.config.proto_max_bulk_len as i64,
            authenticated: client.is(ClientFlags::AUTHENTICATED),
            sender: Sender::Client,
        };
        let progress = match connection.parser.parse(input, &limits, batch, PIPELINE_BATCH) {
            Ok(progress) => progress,
            Err(error) => {
                self.refuse_protocol(&mut client, input, &error);
                self.core.clients.put_back(client);
                return (0, Some(Stop::Yield));
            }
        };
        let prepared = self.prepare(client.db, input, batch);
        self.core.laps.pause();
        for (index, request) in prepared.iter().enumerate() {
            self.core.running.begin(&client, &request.args);
            let outcome = self.process(&mut client, request);
            self.core.running.end();
            client.reply.output.seal_if_full();
            self.core.limit_clients(&mut client);
            client = match self.after_request(client) {
                Some(client) => client,
                None => return (0, Some(Stop::Gone)),
            };
            if !client.accepts_requests() || client.reply.output.pending() > output_max {
                self.core.clients.put_back(client);
                return self.abandon(token, batch, index, outcome);
            }
        }
        self.core.clients.put_back(client);
        (progress.consumed, progress.starved.then_some(Stop::Starved))
    }

    /// The client waits, closes or has much to send: the rest of its batch is parsed again when it
    /// goes on.
    fn abandon(
        &mut self,
        token: usize,
        batch: &Batch,
        index: usize,
        outcome: Outcome,
    ) -> (usize, Option<Stop>) {
        if let Some(connection) = self.connections.get_mut(token) {
            connection.parser.reset();
        }
        let done = match outcome {
            Outcome::Done => batch.end(index),
            Outcome::Postponed if index == 0 => 0,
            Outcome::Postponed => batch.end(index - 1),
        };
        (done, Some(Stop::Yield))
    }

    /// Resolves a batch's commands and starts fetching its keys from memory.
    #[inline]
    fn prepare<'a>(
        &self,
        db: usize,
        input: &'a [u8],
        batch: &'a Batch,
    ) -> ArrayVec<Prepared<'a>, PIPELINE_BATCH> {
        let keyspace = &self.core.keyspace;
        let (many, by_table) = (batch.len() > 1, keyspace.has_many_tables());
        let mut prepared: ArrayVec<Prepared<'a>, PIPELINE_BATCH> = ArrayVec::new();
        for index in 0..batch.len() {
            prepared.push(Prepared::of(batch.args(index, input)));
        }
        for index in 0..prepared.len() {
            let (done, rest) = prepared.split_at_mut(index);
            rest[0].resolve(done.last(), &self.core, self.table);
            if let Some(key) = rest[0].new_key()
                && many
            {
                if by_table {
                    keyspace.prefetch_table(db, key);
                } else {
                    keyspace.prefetch_bucket(db, key);
                }
            }
        }
        if many {
            let keys = || prepared.iter().filter_map(Prepared::new_key);
            if by_table {
                keys().for_each(|key| keyspace.prefetch_bucket(db, key));
            }
            keys().for_each(|key| keyspace.prefetch_record(db, key));
            self.prefetch_elements(db, &prepared);
        }
        prepared
    }

    /// Starts fetching what is looked up within the values, whose records are on their way.
    #[inline]
    fn prefetch_elements(&self, db: usize, batch: &[Prepared<'_>]) {
        let places: ArrayVec<Place<'_>, PIPELINE_BATCH> =
            batch.iter().filter_map(|request| self.place_of_element(db, request)).collect();
        places.iter().for_each(Place::prefetch_entry);
    }

    fn place_of_element(&self, db: usize, request: &Prepared<'_>) -> Option<Place<'_>> {
        let at = request.entry?.command.element;
        let element = request.args.get(at).filter(|_| at > 0)?;
        let record = self.core.keyspace.peek_stored(db, &request.key.as_ref()?.1)?;
        Place::prefetch_bucket(record.value(), element)
    }

    /// The peer does not speak the protocol: it is told so, and its connection closes.
    fn refuse_protocol(&mut self, client: &mut Client, input: &[u8], error: &ProtocolError) {
        log::debug!(
            "Protocol error ({}) from client: {}. Query buffer during protocol error: {}",
            error.log_reason(),
            self.core.describe_client(client),
            String::from_utf8_lossy(&repr(&input[..input.len().min(128)]))
        );
        self.core.stats.count_protocol_error();
        client.reply.protocol_error(error);
        client.flags |= ClientFlags::CLOSE_AFTER_REPLY;
    }

    /// Gives the buffer back to its connection, and lists the client for what it needs next.
    fn keep_rest(&mut self, token: usize, buffer: QueryBuffer, stop: Stop) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        connection.query = buffer;
        connection.starved = stop == Stop::Starved;
        // The rest of a big argument gets its room in one step.
        let needed = connection.parser.needed(connection.query.input().len());
        if needed > 0 {
            connection.query.reserve(needed);
        }
        let more = stop == Stop::Yield || connection.readable;
        let Some(client) = self.core.clients.get_mut(token) else { return };
        let query = &connection.query;
        client.query.keep(connection.parser.parsed(), query.input().len(), query.capacity());
        // Whoever hangs up while its command waits is closed at its next turn.
        let listed = more && (client.accepts_requests() || connection.peer_closed);
        self.core.after_serving(token);
        self.core.recount_client(token);
        if listed {
            self.enqueue(token);
        }
    }
}
