//! Commands that wait for keys: how a handler puts itself off, and all that may end the wait — a
//! key that is ready, time, CLIENT UNBLOCK, a slot that has moved away. Called by handlers, and by
//! the node after each command and once per turn. Which client waits for which key is known to
//! `keyspace::waiting`, until when to `core::blocking`.
//!
//! A handler first tries; only when there is nothing to be had, and no reply has been written, it
//! waits. It is run once more from its beginning, with the same arguments, when one of its keys is
//! of the type that it waits for. By then the key may be empty again, and it waits once more, until
//! the deadline that it first had. A command that waits for sorted sets looks like this:
//!
//! ```text
//! fn bzpopmin(ctx: &mut Context<'_>) -> Result<(), Error> {
//!     let last = ctx.args.len() - 1;
//!     let deadline = ctx.parse_timeout_s(ctx.args.at(last))?;
//!     // … pop from the first key that exists, reply and return …
//!     if !ctx.may_block() {
//!         ctx.client.reply.null_array();
//!         return Ok(());
//!     }
//!     ctx.block_on(1..last, WaitFor::SortedSet, deadline);
//!     Ok(())
//! }
//! ```
//!
//! Keys that are created are noted by the keyspace. A command that adds to a value that others wait
//! to grow tells with `Keyspace::signal_ready` (XADD).

use std::ops::Range;

use super::admit::{Admission, admit};
use super::command::Flags;
use super::execute::{self, Ran};
use super::outside::Around;
use super::registry::{Registered, Table};
use super::{Context, cursor};
use crate::cluster::{Census, Query, Route, State};
use crate::core::blocking::{Deadline, KeptCommand};
use crate::core::client::{Blocked, ClientFlags};
use crate::core::{Client, ClientId, Core, Effect};
use crate::keyspace::waiting::{WaitFor, WaiterId};
use crate::resp::{Args, Error, OwnedArgs};

impl Context<'_> {
    /// A timeout in seconds, with a fraction perhaps; zero is none.
    pub fn parse_timeout_s(&self, arg: &[u8]) -> Result<Deadline, Error> {
        cursor::parse_timeout_s(arg, self.now_ms())
    }

    /// A timeout in milliseconds; zero is none.
    pub fn parse_timeout_ms(&self, arg: &[u8]) -> Result<Deadline, Error> {
        cursor::parse_timeout_ms(arg, self.now_ms())
    }

    /// Whether the command may wait. Within a transaction it may not: it then replies at once what
    /// it replies when its time is over.
    pub fn may_block(&self) -> bool {
        !self.client.is(ClientFlags::DENY_BLOCKING)
    }

    /// Puts the command off until one of the keys at these places among its arguments is what it
    /// waits for. The handler must not have replied, and returns.
    pub fn block_on(&mut self, keys: Range<usize>, wait_for: WaitFor, deadline: Deadline) {
        self.block_as(self.args.to_owned(), keys, wait_for, deadline);
    }

    /// As [`Context::block_on`], with other arguments when it is run again: XREAD's `$` means what
    /// is the last entry now.
    pub fn block_as(
        &mut self,
        args: OwnedArgs,
        keys: Range<usize>,
        wait_for: WaitFor,
        deadline: Deadline,
    ) {
        debug_assert!(self.may_block() && self.client.blocked.is_none());
        let names = self.args.iter_from(keys.start).take(keys.len());
        self.core.keyspace.wait(waiter(self.client), self.client.db, names, wait_for);
        let kept = KeptCommand { command: self.command_id, args, deadline, nanos: 0 };
        self.client.blocked = Some(Blocked::OnKeys(Box::new(kept)));
    }
}

fn waiter(client: &Client) -> WaiterId {
    WaiterId(client.id.0)
}

/// Why a wait ends without the command being run again.
#[derive(Clone, Copy, Debug)]
pub enum End<'a> {
    /// Its time is over, or CLIENT UNBLOCK says that it is.
    TimedOut,
    /// This error.
    Failed(&'a Error),
}

/// Runs the commands whose keys have become ready, in the order in which the keys did, and for each
/// key in the order in which the clients came; and those whose keys these make ready.
pub fn serve_ready(core: &mut Core, table: &'static Table) {
    while let Some((ready, mut serving)) = core.keyspace.take_ready_key() {
        while let Some(WaiterId(id)) = core.keyspace.next_waiter(&ready, &mut serving) {
            let Some(mut client) = core.clients.take_by_id(ClientId(id)) else { continue };
            // Whoever is about to be closed gets nothing, so that nothing is lost.
            if !client.is(ClientFlags::CLOSE_ASAP)
                && let Some(kept) = stop_waiting(core, &mut client)
            {
                run_again(core, &mut client, table, *kept);
                put_back(core, client);
            } else {
                core.clients.put_back(client);
            }
        }
    }
}

/// A client's keys no longer wake it.
fn stop_waiting(core: &mut Core, client: &mut Client) -> Option<Box<KeptCommand>> {
    match client.blocked.take() {
        Some(Blocked::OnKeys(kept)) => {
            core.keyspace.stop_waiting(waiter(client));
            core.timeouts.remove(client.id, kept.deadline);
            Some(kept)
        }
        other => {
            client.blocked = other;
            None
        }
    }
}

/// Runs a command that has waited, all gates included. It is done then, or waits again, behind all
/// others.
fn run_again(core: &mut Core, client: &mut Client, table: &'static Table, kept: KeptCommand) {
    let entry = table.by_id(kept.command);
    let args = kept.args.args();
    let request = execute::prepare_known(core, entry, args);
    client.reply.output.prepare();
    match admit(core, client, table, entry, &request) {
        Ok(Admission::Run | Admission::Queue) => {}
        Ok(Admission::Postpone) => {
            client.blocked = Some(Blocked::Held(Box::new(kept)));
            return;
        }
        Err(error) => {
            execute::refuse(core, client, Some(entry), &error);
            execute::end_request(client, Some(entry));
            return;
        }
    }
    core.running.begin(client, &request.args);
    let (ran, _) = execute::run(core, client, &mut Around::only(table), entry, &request);
    core.running.end();
    let nanos = kept.nanos + ran.nanos;
    if let Some(Blocked::OnKeys(again)) = &mut client.blocked {
        (again.deadline, again.nanos) = (kept.deadline, nanos);
        core.timeouts.add(client.id, kept.deadline);
    } else {
        finish(core, client, entry, args, Ran { nanos, ..ran });
    }
    core.give_own_pushes(client);
    execute::note_latency(core, entry, ran.nanos);
}

/// A command that has waited is done: what is counted of every command is counted of it once, with
/// all the time that it ran.
fn finish(core: &mut Core, client: &mut Client, entry: &Registered, args: Args<'_>, ran: Ran) {
    execute::account(core, entry, ran);
    execute::log_if_slow(core, client, entry, args, ran.nanos);
    execute::end_request(client, Some(entry));
}

/// A client whose command waited is given back, to be sent what it has, and to go on with what it
/// asked meanwhile unless it waits again.
fn put_back(core: &mut Core, mut client: Box<Client>) {
    let (token, id, waits) = (client.token, client.id, client.blocked.is_some());
    client.reply.output.seal_if_full();
    core.clients.put_back(client);
    core.after_serving(token);
    core.recount_client(token);
    if !waits {
        core.effects.push(Effect::Unblocked(id));
    }
}

/// Ends a client's wait without running its command again; whether it waited for keys at all.
fn end_wait(core: &mut Core, client: &mut Client, table: &'static Table, end: End<'_>) -> bool {
    let Some(kept) = stop_waiting(core, client) else { return false };
    client.reply.output.prepare();
    let failed = match end {
        End::TimedOut => {
            client.reply.null_array();
            false
        }
        End::Failed(error) => {
            execute::reply_error(core, client, error);
            true
        }
    };
    core.redacted.clear();
    let ran = Ran { nanos: kept.nanos, failed };
    finish(core, client, table.by_id(kept.command), kept.args.args(), ran);
    true
}

/// Ends a client's wait; whether it waited for keys (CLIENT UNBLOCK).
pub fn unblock(core: &mut Core, table: &'static Table, id: ClientId, end: End<'_>) -> bool {
    let Some(mut client) = core.clients.take_by_id(id) else { return false };
    let waited = end_wait(core, &mut client, table, end);
    if waited {
        put_back(core, client);
    } else {
        core.clients.put_back(client);
    }
    waited
}

/// Ends the waits whose time is over.
pub fn time_out(core: &mut Core, table: &'static Table, now_ms: u64) {
    while let Some(id) = core.timeouts.take_over(now_ms) {
        unblock(core, table, id, End::TimedOut);
    }
}

/// A pause is over: a command that was woken during it runs.
pub fn resume_held(core: &mut Core, table: &'static Table, id: ClientId) {
    let Some(mut client) = core.clients.take_by_id(id) else { return };
    match client.blocked.take() {
        Some(Blocked::Held(kept)) => {
            run_again(core, &mut client, table, *kept);
            put_back(core, client);
        }
        other => {
            client.blocked = other;
            core.clients.put_back(client);
        }
    }
}

/// Ends the wait of a client whose keys another node serves by now, or none, and tells it so
/// (Redis: clusterRedirectBlockedClientIfNeeded).
pub fn redirect_if_moved(core: &mut Core, table: &'static Table, id: ClientId) {
    let Some(cluster) = core.cluster.as_deref() else { return };
    let Some(client) = core.clients.by_id(id) else { return };
    let Some(Blocked::OnKeys(kept)) = &client.blocked else { return };
    let Some(key) = core.keyspace.first_awaited_key(waiter(client)) else { return };
    let query = Query {
        write: table.by_id(kept.command).command.flags.contains(Flags::WRITE),
        readonly: client.is(ClientFlags::READONLY),
        // A slot on its way, in or out, is waited for.
        asking: true,
        ..Query::default()
    };
    let census = Census { existing: true, ..Census::default() };
    let route = match cluster.state() {
        // Even if reads are allowed: the write that would wake the client may never come.
        State::Fail => Route::Down,
        State::Ok => cluster.route(std::iter::once(key.slot()), query, || census),
    };
    if let Some(error) = cluster.refusal(route, false) {
        unblock(core, table, id, End::Failed(&error));
    }
}
