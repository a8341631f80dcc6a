//! Runs scripts and functions: what must be given before one starts, its commands with their gates
//! in Redis's order (`scriptCall`), the turns that others get while it runs for too long, and its
//! reply. Called by the handlers of EVAL and FCALL. The client itself runs the commands, with its
//! replies, its database and its marks put aside.

use super::Context;
use super::admit::{busy, lacks_replicas};
use super::command::Flags;
use super::execute;
use super::outside::{Around, Turn};
use super::registry::Registered;
use super::route::Gate;
use crate::cluster::Route;
use crate::core::client::ClientFlags;
use crate::core::{Client, CommandId, Core, Now};
use crate::keyspace::Slot;
use crate::resp::{Args, Error, Protocol, Reply};
use crate::scripting::{
    Busy, Failure, Finished, Host, Refusal, Running, ScriptFlags, Tick, digest, header, write_reply,
};

/// A script that is about to run.
#[derive(Debug)]
pub struct Job<'a> {
    /// The SHA-1 of a script, or the name of a function.
    pub name: &'a [u8],
    /// What it says of itself.
    pub flags: ScriptFlags,
    /// The command forbids writes (EVAL_RO and its kin).
    pub read_only: bool,
    /// EVAL, as opposed to FCALL.
    pub is_eval: bool,
    /// The slot of the keys that were declared.
    pub slot: Option<Slot>,
}

/// What a script may do.
#[derive(Clone, Copy, Debug)]
struct Rules {
    read_only: bool,
    allow_oom: bool,
    cross_slot: bool,
}

/// What a command counts as that runs a script: its own flags, with those in their place that the
/// script declares (Redis: scriptFlagsToCmdFlags).
pub(super) fn flags_of(core: &Core, own: Flags, args: Args<'_>) -> Flags {
    let Some(script) = args.get(1) else { return own };
    let declared = if own.contains(Flags::RUNS_FUNCTION) {
        core.scripts.function_flags(script)
    } else if own.contains(Flags::RUNS_NAMED) {
        let name = digest::parse(script);
        name.and_then(|name| core.scripts.script_flags(&name))
    } else {
        header::of_script(script).ok().map(|(flags, _)| flags)
    };
    let Some(declared) = declared.filter(|flags| !flags.contains(ScriptFlags::NO_HEADER)) else {
        return own;
    };
    let replaced = Flags::STALE | Flags::DENYOOM | Flags::WRITE | Flags::MAY_REPLICATE;
    let mut flags = own - replaced;
    let writes = !declared.contains(ScriptFlags::NO_WRITES);
    flags.set(Flags::WRITE, writes);
    flags.set(Flags::DENYOOM, writes && !declared.contains(ScriptFlags::ALLOW_OOM));
    flags.set(Flags::STALE, declared.contains(ScriptFlags::ALLOW_STALE));
    flags
}

/// Runs a script and replies what it returns. `start` is handed the host that its commands go to.
pub fn run(
    ctx: &mut Context<'_>,
    job: Job<'_>,
    start: impl FnOnce(&mut dyn Host) -> Finished,
) -> Result<(), Error> {
    let rules = rules(ctx.core, &job)?;
    let (command, args) = (ctx.command_id, ctx.args);
    let (core, client, around) = ctx.surroundings();
    core.scripts.running = Some(Running::begin(job.is_eval));
    let aside = Aside::put(core, client);
    let now = core.now;
    let (lent, running) = (&mut *core, &mut *client);
    let slot = job.slot;
    let mut host =
        ScriptHost { core: lent, client: running, around, rules, name: job.name, args, slot, now };
    let finished = start(&mut host);
    let spoken = client.reply.protocol;
    aside.restore(core, client);
    core.scripts.running = None;
    match finished {
        Finished::Returned(value) => {
            for error in write_reply(&mut client.reply, &value, spoken) {
                note_error(core, command, &error.line, error.counted);
            }
        }
        Finished::Failed(failure) => fail(core, client, command, job.name, &failure),
    }
    Ok(())
}

/// The reply to a script that failed.
fn fail(core: &mut Core, client: &mut Client, command: CommandId, name: &[u8], failure: &Failure) {
    let line = failure.describe(name);
    client.reply.error_line(&line);
    note_error(core, command, &line, failure.counted);
}

/// An error that was counted where it arose only makes its command one that failed.
fn note_error(core: &mut Core, command: CommandId, line: &[u8], counted: bool) {
    if counted {
        core.stats.command(command).failed += 1;
    } else {
        core.stats.count_error_line(line);
    }
}

/// What must be given before a script starts (Redis: scriptPrepareForRun).
fn rules(core: &Core, job: &Job<'_>) -> Result<Rules, Error> {
    let flags = job.flags;
    let has_header = !flags.contains(ScriptFlags::NO_HEADER);
    if has_header {
        check_declared(core, job)?;
    }
    let cross_slot = ScriptFlags::NO_HEADER | ScriptFlags::ALLOW_CROSS_SLOT;
    Ok(Rules {
        read_only: job.read_only || has_header && flags.contains(ScriptFlags::NO_WRITES),
        allow_oom: has_header && flags.contains(ScriptFlags::ALLOW_OOM),
        cross_slot: flags.intersects(cross_slot),
    })
}

fn check_declared(core: &Core, job: &Job<'_>) -> Result<(), Error> {
    let custom = |line: &'static str| Err(Error::Custom(line.into()));
    let flags = job.flags;
    if flags.contains(ScriptFlags::NO_CLUSTER) && core.cluster.is_some() {
        return custom("ERR Can not run script on cluster, 'no-cluster' flag is set.");
    }
    if flags.contains(ScriptFlags::NO_WRITES) {
        return Ok(());
    }
    if core.writes_cannot_be_saved() {
        return custom(
            "MISCONF Redis is configured to save RDB snapshots, but it's currently unable to \
             persist to disk. Writable scripts are blocked. Use 'no-writes' flag for read only \
             scripts.",
        );
    }
    if job.read_only {
        return custom("ERR Can not execute a script with write flag using *_ro command.");
    }
    if lacks_replicas(core) {
        return Err(Error::NoReplicas);
    }
    if memory_is_short(core) && !flags.contains(ScriptFlags::ALLOW_OOM) {
        return custom(
            "OOM allow-oom flag is not set on the script, can not run it when used memory > \
             'maxmemory'",
        );
    }
    Ok(())
}

fn memory_is_short(core: &Core) -> bool {
    core.config.maxmemory > 0 && core.memory.is_short
}

/// What the client itself has, while it runs commands for its script.
struct Aside {
    reply: Reply,
    db: usize,
    flags: ClientFlags,
}

impl Aside {
    fn put(core: &mut Core, client: &mut Client) -> Self {
        let scratch = std::mem::take(&mut core.scripts.scratch);
        let aside = Aside {
            reply: std::mem::replace(&mut client.reply, scratch),
            db: client.db,
            flags: client.flags,
        };
        client.reply.protocol = Protocol::Resp2;
        client.script_caller = Some(aside.reply.protocol);
        client.flags |= ClientFlags::SCRIPT | ClientFlags::DENY_BLOCKING;
        aside
    }

    fn restore(self, core: &mut Core, client: &mut Client) {
        const MARKS: ClientFlags = ClientFlags::SCRIPT.union(ClientFlags::DENY_BLOCKING);
        core.scripts.scratch = std::mem::replace(&mut client.reply, self.reply);
        core.scripts.scratch.output.reset();
        client.script_caller = None;
        client.db = self.db;
        client.flags -= MARKS - self.flags;
    }
}

/// The node, as a running script sees it.
struct ScriptHost<'a, 'n> {
    core: &'a mut Core,
    client: &'a mut Client,
    around: Around<'n>,
    rules: Rules,
    name: &'a [u8],
    /// The request that runs it.
    args: Args<'a>,
    /// The slot that the script keeps to.
    slot: Option<Slot>,
    /// The time that it sees.
    now: Now,
}

impl Host for ScriptHost<'_, '_> {
    fn call(&mut self, args: Args<'_>) -> Result<&[u8], Refusal> {
        let Some(entry) = self.around.table.lookup(args) else {
            return Err(self.refuse(None, "Unknown Redis command called from script".into()));
        };
        if let Err(words) = self.check(entry, args) {
            return Err(self.refuse(Some(entry), words));
        }
        let request = execute::prepare_known(self.core, entry, args);
        self.client.reply.output.reset();
        let table = self.around.table;
        execute::call_from_script(self.core, self.client, table, entry, &request);
        Ok(self.client.reply.output.whole())
    }

    /// Every user may do everything.
    fn may_run(&self, args: Args<'_>) -> Option<bool> {
        self.around.table.lookup(args).map(|_| true)
    }

    fn set_resp3(&mut self, resp3: bool) {
        self.client.reply.protocol = if resp3 { Protocol::Resp3 } else { Protocol::Resp2 };
    }

    fn tick(&mut self) -> Tick {
        let threshold_ms = self.core.config.busy_reply_threshold;
        let (Some(running), Some(_)) = (&mut self.core.scripts.running, &self.around.outside)
        else {
            return Tick::Continue;
        };
        if running.busy.is_none() {
            let elapsed_ms = running.elapsed_ms();
            if threshold_ms == 0 || elapsed_ms < threshold_ms {
                return Tick::Continue;
            }
            let command = if running.is_eval { "SCRIPT KILL" } else { "FUNCTION KILL" };
            log::warn!(
                "Slow script detected: still in execution after {elapsed_ms} milliseconds. You \
                 can try killing the script using the {command} command. Script name is: {}.",
                String::from_utf8_lossy(self.name)
            );
            let (name, args) = (self.name.to_vec(), self.args.to_owned());
            running.busy = Some(Busy { name, args });
        }
        self.serve_others()
    }
}

impl ScriptHost<'_, '_> {
    /// Others get a turn. The time of the script stands still meanwhile.
    fn serve_others(&mut self) -> Tick {
        let Some(outside) = &mut self.around.outside else { return Tick::Continue };
        let ended = |core: &Core| core.scripts.running.as_ref().is_some_and(|r| r.ended);
        let killed = |core: &Core| core.scripts.running.as_ref().is_some_and(|r| r.killed);
        // Nobody needs a turn after each instruction of a script that is on its way out.
        let mut turn = Turn::Done;
        if !ended(self.core) {
            turn = outside.turn(self.core);
            self.core.set_now(self.now);
        }
        if !killed(self.core) && !ended(self.core) && turn == Turn::Done {
            return Tick::Continue;
        }
        if let Some(running) = &mut self.core.scripts.running
            && !std::mem::replace(&mut running.ended, true)
        {
            log::info!("Lua script killed by user with SCRIPT KILL.");
        }
        Tick::Kill("Script killed by user with SCRIPT KILL...")
    }

    /// A gate said no: that is counted here, and nowhere else.
    #[cold]
    fn refuse(&mut self, entry: Option<&Registered>, words: String) -> Refusal {
        match words.strip_prefix('-') {
            Some(line) => self.core.stats.count_error_line(line.as_bytes()),
            None => self.core.stats.count_error_line(b"ERR"),
        }
        // It belongs to the command that was refused, not to the script.
        self.core.stats.attribute_errors();
        if let Some(entry) = entry {
            self.core.stats.command(entry.id).rejected += 1;
        }
        words
    }

    /// All gates, in Redis's order (`scriptCall`).
    fn check(&mut self, entry: &Registered, args: Args<'_>) -> Result<(), String> {
        let flags = entry.command.flags;
        if !entry.command.arity_fits(args.len()) {
            return Err("Wrong number of args calling Redis command from script".into());
        }
        if flags.contains(Flags::NOSCRIPT) && !self.core.debug.scripts_may_all {
            return Err("This Redis command is not allowed from script".into());
        }
        let wrote = self.core.scripts.running.as_ref().is_some_and(|running| running.wrote);
        if self.rules.read_only && flags.intersects(Flags::WRITE | Flags::MAY_REPLICATE) {
            return Err("Write commands are not allowed from read-only scripts.".into());
        }
        // What has begun to change something cannot be stopped half way.
        if flags.contains(Flags::WRITE) && !wrote {
            if self.core.writes_cannot_be_saved() {
                return Err(refusal(&Error::CannotSave));
            }
            if lacks_replicas(self.core) {
                return Err(refusal(&Error::NoReplicas));
            }
        }
        let grows = flags.contains(Flags::DENYOOM) && !self.rules.allow_oom;
        if grows && !wrote && memory_is_short(self.core) {
            return Err(refusal(&Error::OutOfMemory));
        }
        if flags.contains(Flags::WRITE)
            && let Some(running) = &mut self.core.scripts.running
        {
            running.wrote = true;
        }
        self.check_cluster(entry, args)
    }

    fn check_cluster(&mut self, entry: &Registered, args: Args<'_>) -> Result<(), String> {
        let Some(cluster) = self.core.cluster.as_deref() else { return Ok(()) };
        if !entry.command.is_routed() {
            return Ok(());
        }
        let gate = Gate { core: self.core, cluster, table: self.around.table };
        let (route, slot) = gate.route_of(self.client, entry, args);
        match route {
            Route::Here => {}
            Route::DownReadOnly => {
                return Err("Script attempted to execute a write command while the cluster is \
                            down and readonly"
                    .into());
            }
            Route::Down => {
                return Err(
                    "Script attempted to execute a command while the cluster is down".into()
                );
            }
            Route::Moved { .. }
            | Route::Ask { .. }
            | Route::CrossSlot
            | Route::TryAgain
            | Route::Unowned => {
                return Err("Script attempted to access a non local key in a cluster node".into());
            }
        }
        let Some(slot) = slot.filter(|_| !self.rules.cross_slot) else { return Ok(()) };
        if *self.slot.get_or_insert(slot) != slot {
            return Err("Script attempted to access keys that do not hash to the same slot".into());
        }
        Ok(())
    }
}

fn refusal(error: &Error) -> String {
    format!("-{error}")
}

/// The running script, for a client that wants to end it (Redis: scriptKill).
pub fn kill(core: &mut Core, is_eval: bool) -> Result<(), Error> {
    let Some(running) = &mut core.scripts.running else {
        return Err(Error::Custom("NOTBUSY No scripts in execution right now.".into()));
    };
    if running.wrote {
        return Err(Error::Custom(
            "UNKILLABLE Sorry the script already executed write commands against the dataset. You \
             can either wait the script termination or kill the server in a hard way using the \
             SHUTDOWN NOSAVE command."
                .into(),
        ));
    }
    if running.is_eval != is_eval {
        return Err(busy(running));
    }
    running.killed = true;
    Ok(())
}

/// What SHUTDOWN and others are told while a script runs for too long.
pub fn busy_error(core: &Core) -> Option<Error> {
    core.scripts.busy().map(busy)
}
