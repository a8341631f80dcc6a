//! Runs one request: resolve, ask the gates, call the handler, then count. EXEC calls `call` for
//! each command of its queue; nothing else runs a handler.

use super::admit::{Admission, admit, flags_of};
use super::command::Flags;
use super::outside::{Around, Outside};
use super::registry::{Registered, Table};
use super::{Context, monitor, tracking};
use crate::base::clock::{self, CycleClock};
use crate::core::client::{Blocked, ClientFlags, Queued};
use crate::core::{Client, Core};
use crate::keyspace::Key;
use crate::resp::{Args, Error};

/// A request that was resolved ahead of its turn.
#[derive(Clone, Copy)]
pub struct Prepared<'a> {
    /// The command's name and its arguments.
    pub args: Args<'a>,
    /// What the name resolved to.
    pub entry: Option<&'static Registered>,
    /// The command's first key, hashed, with its place among the arguments.
    pub key: Option<(usize, Key<'a>)>,
    /// The request before it has the same key.
    repeats_key: bool,
}

impl<'a> Prepared<'a> {
    /// A request that is still to be resolved.
    #[inline]
    pub fn of(args: Args<'a>) -> Self {
        Prepared { args, entry: None, key: None, repeats_key: false }
    }

    /// Resolves the command's name and hashes the first key, in place: a request is never copied
    /// right after it was written. The request before it may have the same ones.
    #[inline]
    pub fn resolve(&mut self, before: Option<&Prepared<'a>>, core: &Core, table: &'static Table) {
        let known = before.and_then(|before| before.known_command(self.args));
        self.entry = known.or_else(|| table.lookup(self.args));
        self.hash_key(before, core);
    }

    #[inline(always)]
    fn hash_key(&mut self, before: Option<&Prepared<'a>>, core: &Core) {
        let Some(index) = self.entry.and_then(|entry| entry.first_key(self.args)) else { return };
        let bytes = self.args.at(index);
        // Written field by field, where it stays.
        if let Some((_, key)) = before.and_then(|before| before.key.as_ref())
            && key.bytes() == bytes
        {
            self.repeats_key = true;
            self.key = Some((index, *key));
        } else {
            self.key = Some((index, core.keyspace.key(bytes)));
        }
    }

    /// Its key, unless the request before it has the same one.
    #[inline]
    pub fn new_key(&self) -> Option<&Key<'a>> {
        self.key.as_ref().filter(|_| !self.repeats_key).map(|(_, key)| key)
    }

    /// The command of a request that begins with the same name.
    #[inline]
    fn known_command(&self, args: Args<'_>) -> Option<&'static Registered> {
        self.entry.filter(|entry| entry.is_plain() && args.at(0) == self.args.at(0))
    }
}

/// Resolves a request and hashes its first key.
pub fn prepare<'a>(core: &Core, table: &'static Table, args: Args<'a>) -> Prepared<'a> {
    let mut request = Prepared::of(args);
    request.resolve(None, core, table);
    request
}

/// A request whose command is known already.
pub fn prepare_known<'a>(core: &Core, entry: &'static Registered, args: Args<'a>) -> Prepared<'a> {
    let mut request = Prepared { entry: Some(entry), ..Prepared::of(args) };
    request.hash_key(None, core);
    request
}

/// Whether a request is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was answered, or queued, or refused.
    Done,
    /// It must be asked again later: the client is blocked now.
    Postponed,
}

/// Takes one request from its client to its reply.
#[inline(always)] // into the loop over the requests of a batch
pub fn process(
    core: &mut Core,
    client: &mut Client,
    around: &mut Around<'_>,
    request: &Prepared<'_>,
) -> Outcome {
    let Some(entry) = request.entry else {
        refuse_unknown(core, client, around.table, request.args);
        return Outcome::Done;
    };
    client.last_command = Some(entry.id);
    let admission = admit(core, client, around.table, entry, request);
    if core.tracking.clients() > 0 || core.keyspace.has_events() {
        tell_before(core, client);
    }
    match admission {
        Ok(Admission::Run) => {
            call(core, client, around, entry, request);
            core.give_own_pushes(client);
        }
        Ok(Admission::Queue) => queue(core, client, entry, request.args),
        Ok(Admission::Postpone) => {
            client.blocked = Some(Blocked::Postponed);
            return Outcome::Postponed;
        }
        Err(error) => refuse(core, client, Some(entry), &error),
    }
    // What waits is not over.
    if client.blocked.is_none() {
        end_request(client, Some(entry));
    }
    Outcome::Done
}

fn refuse_unknown(core: &mut Core, client: &mut Client, table: &Table, args: Args<'_>) {
    client.last_command = None;
    if is_http(args.at(0)) {
        log::warn!(
            "Possible SECURITY ATTACK detected. It looks like somebody is sending POST or Host: \
             commands to Redis. This is likely due to an attacker attempting to use Cross \
             Protocol Scripting to compromise your Redis instance. Connection from {} aborted.",
            client.peer
        );
        client.flags |= ClientFlags::CLOSE_ASAP;
        return;
    }
    refuse(core, client, None, &table.not_found(args));
    end_request(client, None);
}

/// A web browser that was lured into talking to this port.
fn is_http(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"host:") || name.eq_ignore_ascii_case(b"post")
}

/// A gate said no. Inside MULTI that also dooms the transaction.
pub(super) fn refuse(
    core: &mut Core,
    client: &mut Client,
    entry: Option<&Registered>,
    error: &Error,
) {
    if client.is(ClientFlags::MULTI) {
        client.flags |= ClientFlags::DIRTY_EXEC;
    }
    if let Some(entry) = entry {
        core.stats.command(entry.id).rejected += 1;
        // EXEC refused is the end of its transaction.
        if entry.command.flags.contains(Flags::RUNS_QUEUE) {
            return super::transaction::abort(core, client, error);
        }
    }
    reply_error(core, client, error);
}

/// Writes an error reply and counts it by its code.
pub fn reply_error(core: &mut Core, client: &mut Client, error: &Error) {
    core.stats.count_error(error);
    client.reply.error(error);
}

fn queue(core: &Core, client: &mut Client, entry: &Registered, args: Args<'_>) {
    let flags = flags_of(core, client, entry, args);
    let Some(open) = client.transaction.as_mut() else { return };
    // A transaction that is doomed keeps nothing, so that it cannot be used to fill memory.
    if !client.flags.contains(ClientFlags::DIRTY_EXEC) {
        let args = args.to_owned();
        open.bytes += args.heap_bytes() + size_of::<Queued>();
        open.flags |= flags.bits();
        open.queue.push(Queued { command: entry.id, args });
    }
    client.reply.simple("QUEUED");
}

/// Runs a handler that was admitted, and does what follows every command. One that waits for keys
/// is put off; `dispatch::blocked` does the rest when its wait is over.
#[inline(always)] // into the way of every request
pub fn call(
    core: &mut Core,
    client: &mut Client,
    around: &mut Around<'_>,
    entry: &'static Registered,
    request: &Prepared<'_>,
) {
    let (ran, ended) = run(core, client, around, entry, request);
    core.laps.lap(ended);
    if let Some(Blocked::OnKeys(kept)) = &mut client.blocked {
        kept.nanos = ran.nanos;
        core.timeouts.add(client.id, kept.deadline);
        monitor::feed(core, client, entry, request.args);
    } else {
        account(core, entry, ran);
        monitor::feed(core, client, entry, request.args);
        log_if_slow(core, client, entry, request.args, ran.nanos);
    }
    note_latency(core, entry, ran.nanos);
}

/// What is counted of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ran {
    /// How long it took.
    pub(super) nanos: u64,
    /// There were error replies.
    pub(super) failed: bool,
}

/// Runs a handler. Tells when it ended, as well.
#[inline(always)] // into the way of every request
pub(super) fn run(
    core: &mut Core,
    client: &mut Client,
    around: &mut Around<'_>,
    entry: &'static Registered,
    request: &Prepared<'_>,
) -> (Ran, CycleClock) {
    core.redacted.clear();
    core.stats.errors_attributed = core.stats.errors_total;
    // CLIENT NO-TOUCH: lookups leave no trace, but for TOUCH, which asks for one itself.
    let untouched = client.is(ClientFlags::NO_TOUCH);
    if untouched {
        core.keyspace.set_touching(false);
    }
    let outside = around.outside.as_mut().map(|outside| &mut **outside as &mut dyn Outside);
    let started = core.laps.start();
    let mut context = Context {
        core: &mut *core,
        client: &mut *client,
        args: request.args,
        command: entry.command,
        command_id: entry.id,
        table: around.table,
        outside,
        prepared_key: request.key.as_ref(),
    };
    let result = (entry.command.handler)(&mut context);
    if let Err(error) = result {
        reply_error(core, client, &error);
    }
    if untouched {
        core.keyspace.set_touching(true);
    }
    if core.keyspace.has_modified() || core.keyspace.has_events() {
        tell_changes(core, client);
    }
    if client.tracking.is_some() {
        tracking::remember_keys(core, client, entry, request);
    }
    let ended = CycleClock::now();
    let nanos = ended.ns_since(started);
    (Ran { nanos, failed: core.stats.attribute_errors() }, ended)
}

/// Before a command: what was evicted to make room for it is told before its reply.
#[cold]
fn tell_before(core: &mut Core, client: &mut Client) {
    core.track_before_command(client);
    if core.keyspace.has_events() {
        core.publish_events(Some(client.push_protocol()));
    }
    core.give_own_pushes(client);
    core.laps.pause();
}

/// Tells others what a command has changed. Its own client is told last that what it has read is no
/// longer so (Redis: trackingHandlePendingKeyInvalidations).
#[cold]
fn tell_changes(core: &mut Core, client: &mut Client) {
    let before = core.own_pushes.len();
    core.tell_modified(Some(client));
    let invalidations = core.own_pushes.len() - before;
    if core.keyspace.has_events() {
        core.publish_events(Some(client.push_protocol()));
    }
    core.own_pushes[before..].rotate_left(invalidations);
}

/// The statistics of a command that is done.
#[inline]
pub(super) fn account(core: &mut Core, entry: &Registered, ran: Ran) {
    let tracking = core.config.latency_tracking;
    core.stats.commands_processed += 1;
    core.stats.command_nanos += ran.nanos;
    let stats = core.stats.command(entry.id);
    stats.calls += 1;
    stats.nanos += ran.nanos;
    stats.failed += u64::from(ran.failed);
    if tracking {
        stats.record_latency(ran.nanos);
    }
}

/// The slow log.
#[inline]
pub(super) fn log_if_slow(
    core: &mut Core,
    client: &mut Client,
    entry: &Registered,
    args: Args<'_>,
    nanos: u64,
) {
    let micros = nanos / 1000;
    let threshold = core.config.slowlog_log_slower_than;
    if threshold >= 0
        && micros >= threshold as u64
        && !entry.command.flags.contains(Flags::SKIP_SLOWLOG)
    {
        core.log_slow(client, args, micros);
        core.laps.pause();
    }
}

/// The latency monitor; a command that took long also moves the time that the next one sees.
#[inline]
pub(super) fn note_latency(core: &mut Core, entry: &Registered, nanos: u64) {
    if nanos >= 1_000_000 {
        latency_event(core, entry, nanos);
        core.set_now(crate::core::Now { unix_us: clock::unix_us() });
        core.laps.pause();
    }
}

#[cold]
fn latency_event(core: &mut Core, entry: &Registered, nanos: u64) {
    let is_fast = entry.command.flags.contains(Flags::FAST);
    let event = if is_fast { "fast-command" } else { "command" };
    core.latency_event(event, nanos / 1_000_000);
}

/// Runs a command of a script, and counts it as any other. The time that a script sees stands
/// still.
pub(super) fn call_from_script(
    core: &mut Core,
    client: &mut Client,
    table: &'static Table,
    entry: &'static Registered,
    request: &Prepared<'_>,
) {
    core.laps.pause();
    let (ran, _) = run(core, client, &mut Around::only(table), entry, request);
    account(core, entry, ran);
    monitor::feed(core, client, entry, request.args);
    log_if_slow(core, client, entry, request.args, ran.nanos);
    if ran.nanos >= 1_000_000 {
        latency_event(core, entry, ran.nanos);
    }
}

/// What holds for exactly one command ends with it: CLIENT REPLY SKIP; ASKING and CLIENT CACHING,
/// which last until EXEC where a transaction follows.
#[inline]
pub(super) fn end_request(client: &mut Client, entry: Option<&Registered>) {
    const SKIPS: ClientFlags = ClientFlags::REPLY_SKIP.union(ClientFlags::REPLY_SKIP_NEXT);
    const ONCE: ClientFlags = SKIPS.union(ClientFlags::ASKING);
    if !client.is(ONCE) && client.tracking.is_none() {
        return;
    }
    if !client.is(ClientFlags::MULTI) {
        if !entry.is_some_and(|entry| entry.command.flags.contains(Flags::SAYS_ASKING)) {
            client.flags -= ClientFlags::ASKING;
        }
        client.end_caching(entry.and_then(|entry| entry.container));
    }
    if client.is(SKIPS) {
        client.flags -= ClientFlags::REPLY_SKIP;
        if client.flags.contains(ClientFlags::REPLY_SKIP_NEXT) {
            client.flags -= ClientFlags::REPLY_SKIP_NEXT;
            client.flags |= ClientFlags::REPLY_SKIP;
        }
        client.update_mute();
    }
}
