//! Every gate before a command runs, in Redis's order (`processCommand`). A gate only decides; it
//! changes nothing but the mark that a transaction saw an error.

use super::command::Flags;
use super::execute::Prepared;
use super::registry::{Registered, Table};
use super::{route, scripts};
use crate::core::client::ClientFlags;
use crate::core::pause::PauseMode;
use crate::core::{Client, Core};
use crate::keyspace::eviction::Evicted;
use crate::resp::{Args, Error, Protocol};
use crate::scripting::Running;

/// What becomes of a request that no gate refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It runs.
    Run,
    /// MULTI is open: it is queued.
    Queue,
    /// CLIENT PAUSE holds it back; it is asked again later.
    Postpone,
}

/// Asks all gates.
#[inline(always)] // into the way of every request
pub fn admit(
    core: &mut Core,
    client: &Client,
    table: &Table,
    entry: &Registered,
    request: &Prepared<'_>,
) -> Result<Admission, Error> {
    check_arity(entry, request.args)?;
    check_allowed(core, client, entry)?;
    check_authenticated(client, entry)?;
    let in_transaction = client.is(ClientFlags::MULTI);
    let flags = entry.command.flags;
    if in_transaction && flags.contains(Flags::NO_MULTI) {
        return Err(Error::err("Command not allowed inside a transaction"));
    }
    if let Some(cluster) = core.cluster.as_deref() {
        route::Gate { core, cluster, table }.check(client, entry, request)?;
    }
    if core.config.maxmemory > 0 && core.scripts.busy().is_none() {
        check_memory(core, client, entry, request.args)?;
    }
    if core.writes_cannot_be_saved() {
        check_disk(core, client, entry, request.args)?;
    }
    check_replicas(core, client, entry, request.args)?;
    check_subscriber(client, entry)?;
    if core.is_loading() {
        check_loading(entry)?;
    }
    if let Some(running) = core.scripts.busy() {
        check_busy(running, entry)?;
    }
    let watches = client.is(ClientFlags::MONITOR);
    if watches {
        check_monitor(core, client, entry, request.args)?;
    }
    if let Some(mode) = core.pause.mode()
        && !watches
        && (mode == PauseMode::All || may_replicate(core, client, entry, request.args))
    {
        return Ok(Admission::Postpone);
    }
    if in_transaction && !flags.contains(Flags::RUNS_IN_MULTI) {
        return Ok(Admission::Queue);
    }
    Ok(Admission::Run)
}

fn check_arity(entry: &Registered, args: Args<'_>) -> Result<(), Error> {
    let fits = entry.command.arity_fits(args.len());
    if fits { Ok(()) } else { Err(Error::WrongArity(entry.full_name.into())) }
}

/// DEBUG is only for those whom enable-debug-command names.
fn check_allowed(core: &Core, client: &Client, entry: &Registered) -> Result<(), Error> {
    let protected = entry.command.flags.contains(Flags::PROTECTED);
    if !protected || core.config.enable_debug_command.allows(client.is_local()) {
        return Ok(());
    }
    Err(Error::NotAllowed(entry.full_name.to_uppercase().into()))
}

fn check_authenticated(client: &Client, entry: &Registered) -> Result<(), Error> {
    let free = entry.command.flags.contains(Flags::NO_AUTH);
    if free || client.is(ClientFlags::AUTHENTICATED) { Ok(()) } else { Err(Error::NoAuth) }
}

/// Evicts what maxmemory asks for, and refuses growth where that does not suffice. Inside MULTI
/// everything that is queued counts as growth.
fn check_memory(
    core: &mut Core,
    client: &Client,
    entry: &Registered,
    args: Args<'_>,
) -> Result<(), Error> {
    core.memory.is_short = core.evict() == Evicted::Failed;
    core.laps.pause();
    if !core.memory.is_short {
        return Ok(());
    }
    let flags = entry.command.flags;
    let queued = client.is(ClientFlags::MULTI) && !flags.contains(Flags::RUNS_IN_MULTI);
    let grows = flags_of(core, client, entry, args).contains(Flags::DENYOOM);
    if queued || grows { Err(Error::OutOfMemory) } else { Ok(()) }
}

/// Snapshots fail: nothing may be changed that could not be kept.
fn check_disk(
    core: &Core,
    client: &Client,
    entry: &Registered,
    args: Args<'_>,
) -> Result<(), Error> {
    let refused = Flags::WRITE | Flags::TELLS_DISK_ERRORS;
    let flags = flags_of(core, client, entry, args);
    if flags.intersects(refused) { Err(Error::CannotSave) } else { Ok(()) }
}

/// A script has run for too long: little else than ending it is allowed.
#[cold]
fn check_busy(running: &Running, entry: &Registered) -> Result<(), Error> {
    if entry.command.flags.contains(Flags::ALLOW_BUSY) { Ok(()) } else { Err(busy(running)) }
}

/// What somebody is told who must wait for a script.
pub(super) fn busy(running: &Running) -> Error {
    if running.is_eval { Error::BusyScript } else { Error::BusyFunction }
}

/// Who listens in RESP2 may do little else.
#[inline]
fn check_subscriber(client: &Client, entry: &Registered) -> Result<(), Error> {
    let listens = client.is(ClientFlags::PUBSUB) && client.reply.protocol == Protocol::Resp2;
    if !listens || entry.command.flags.contains(Flags::SUBSCRIBER) {
        return Ok(());
    }
    Err(Error::err(format_args!(
        "Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are \
         allowed in this context",
        entry.full_name
    )))
}

/// Who watches what others do keeps off the keys, as the replica that it is to Redis. In exchange
/// no pause holds it back.
fn check_monitor(
    core: &Core,
    client: &Client,
    entry: &Registered,
    args: Args<'_>,
) -> Result<(), Error> {
    let keys = Flags::WRITE | Flags::READONLY | Flags::MAY_REPLICATE;
    if flags_of(core, client, entry, args).intersects(keys) {
        return Err(Error::err("Replica can't interact with the keyspace"));
    }
    Ok(())
}

/// While a snapshot is loaded, only what needs no keys is served.
fn check_loading(entry: &Registered) -> Result<(), Error> {
    if entry.command.flags.contains(Flags::LOADING) { Ok(()) } else { Err(Error::Loading) }
}

/// min-replicas-to-write: a node without replicas has none that are good.
fn check_replicas(
    core: &Core,
    client: &Client,
    entry: &Registered,
    args: Args<'_>,
) -> Result<(), Error> {
    if lacks_replicas(core) && flags_of(core, client, entry, args).contains(Flags::WRITE) {
        return Err(Error::NoReplicas);
    }
    Ok(())
}

/// Whether writes want replicas that there are not.
#[inline]
pub(super) fn lacks_replicas(core: &Core) -> bool {
    core.config.min_replicas_to_write > 0 && core.config.min_replicas_max_lag > 0
}

fn may_replicate(core: &Core, client: &Client, entry: &Registered, args: Args<'_>) -> bool {
    flags_of(core, client, entry, args).intersects(Flags::WRITE | Flags::MAY_REPLICATE)
}

/// A command's flags (Redis: getCommandFlags). EXEC also has those of all commands in its queue;
/// of a script those count that it declares.
pub(super) fn flags_of(core: &Core, client: &Client, entry: &Registered, args: Args<'_>) -> Flags {
    let flags = entry.command.flags;
    match &client.transaction {
        Some(open) if flags.contains(Flags::RUNS_QUEUE) => {
            flags | Flags::from_bits_retain(open.flags)
        }
        _ if flags.intersects(Flags::RUNS_SCRIPT) => scripts::flags_of(core, flags, args),
        _ => flags,
    }
}
