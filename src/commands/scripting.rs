//! EVAL and its kin, and SCRIPT. Texts are compiled once and kept by their SHA-1.

use crate::dispatch::declare::*;
use crate::dispatch::scripts::{self, Job};
use crate::dispatch::{Context, monitor};
use crate::keyspace::Slot;
use crate::resp::Error;
use crate::scripting::digest::{self, Name};
use crate::scripting::{Engine, Given};

/// How many of the arguments are keys: the number at index 2.
pub(super) fn key_count(ctx: &Context<'_>, number: i64) -> Result<usize, Error> {
    match usize::try_from(number) {
        Err(_) => Err(Error::err("Number of keys can't be negative")),
        Ok(count) if count > ctx.args.len() - 3 => {
            Err(Error::err("Number of keys can't be greater than number of args"))
        }
        Ok(count) => Ok(count),
    }
}

/// The slot that declared keys are in.
pub(super) fn slot_of(ctx: &Context<'_>, keys: usize) -> Option<Slot> {
    let routed = keys > 0 && ctx.core.cluster.is_some();
    routed.then(|| Slot::of_key(ctx.args.at(3)))
}

/// Monitors see a script before its commands.
pub(super) fn show(ctx: &mut Context<'_>) {
    if !ctx.core.monitors.is_empty() {
        monitor::feed_line(ctx.core, ctx.client, ctx.args);
    }
}

/// EVAL script numkeys [key …] [arg …]
fn eval(ctx: &mut Context<'_>) -> Result<(), Error> {
    evaluate(ctx, false, false)
}

/// EVAL_RO script numkeys [key …] [arg …]
fn eval_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    evaluate(ctx, false, true)
}

/// EVALSHA sha1 numkeys [key …] [arg …]
fn evalsha(ctx: &mut Context<'_>) -> Result<(), Error> {
    evaluate(ctx, true, false)
}

/// EVALSHA_RO sha1 numkeys [key …] [arg …]
fn evalsha_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    evaluate(ctx, true, true)
}

fn evaluate(ctx: &mut Context<'_>, by_name: bool, read_only: bool) -> Result<(), Error> {
    show(ctx);
    let named =
        if by_name { Some(digest::parse(ctx.args.at(1)).ok_or(Error::NoScript)?) } else { None };
    let keys = key_count(ctx, crate::dispatch::cursor::parse_i64(ctx.args.at(2))?)?;
    let mut engine = ctx.core.scripts.take_engine().map_err(Error::err)?;
    let outcome = run(ctx, &mut engine, named, (keys, read_only));
    ctx.core.scripts.put_engine(engine);
    outcome
}

fn run(
    ctx: &mut Context<'_>,
    engine: &mut Engine,
    named: Option<Name>,
    (keys, read_only): (usize, bool),
) -> Result<(), Error> {
    let place = match named {
        Some(name) => engine.place_of(&name).ok_or(Error::NoScript)?,
        None => engine.define(ctx.args.at(1)).map_err(Error::err)?,
    };
    let script = engine.script(place);
    let slot = slot_of(ctx, keys);
    let job = Job { name: &script.name, flags: script.flags, read_only, is_eval: true, slot };
    let given = Given { args: ctx.args, first: 3, keys };
    scripts::run(ctx, job, |host| engine.run(&script.function, given, host))
}

/// SCRIPT LOAD script
fn load(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut engine = ctx.core.scripts.take_engine().map_err(Error::err)?;
    let outcome = engine.define(ctx.args.at(2)).map(|place| engine.script(place).name);
    ctx.core.scripts.put_engine(engine);
    ctx.client.reply.bulk(&outcome.map_err(Error::err)?);
    Ok(())
}

/// SCRIPT EXISTS sha1 [sha1 …]
fn exists(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.array(ctx.args.len() - 2);
    for name in ctx.args.iter_from(2) {
        let found =
            digest::parse(name).is_some_and(|name| ctx.core.scripts.script_flags(&name).is_some());
        ctx.client.reply.int(i64::from(found));
    }
    Ok(())
}

/// SCRIPT FLUSH [ASYNC | SYNC]
fn flush(ctx: &mut Context<'_>) -> Result<(), Error> {
    let how = ctx.args.get(2);
    let known = how.is_none_or(|word| {
        word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async")
    });
    if !known || ctx.args.len() > 3 {
        return Err(Error::err("SCRIPT FLUSH only support SYNC|ASYNC option"));
    }
    ctx.core.scripts.flush_scripts();
    ctx.client.reply.ok();
    Ok(())
}

/// SCRIPT KILL
fn kill(ctx: &mut Context<'_>) -> Result<(), Error> {
    scripts::kill(ctx.core, true)?;
    ctx.client.reply.ok();
    Ok(())
}

/// SCRIPT DEBUG YES | SYNC | NO
fn debug(ctx: &mut Context<'_>) -> Result<(), Error> {
    match ctx.args.at(2).to_ascii_lowercase().as_slice() {
        b"no" => ctx.client.reply.ok(),
        b"yes" | b"sync" => return Err(Error::err("the Lua debugger is not available")),
        _ => return Err(Error::err("Use SCRIPT DEBUG YES/SYNC/NO")),
    }
    Ok(())
}

/// SCRIPT HELP
fn help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "SCRIPT",
        &[
            "DEBUG (YES|SYNC|NO)",
            "    Turn the debugger on or off; there is none, so only NO is accepted.",
            "EXISTS <sha1> [<sha1> ...]",
            "    Tell which scripts are in the cache.",
            "FLUSH [ASYNC|SYNC]",
            "    Forget all scripts.",
            "KILL",
            "    End the script that runs.",
            "LOAD <script>",
            "    Put a script into the cache without running it.",
        ],
    );
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("eval", -3, eval)
        .summary("Runs a script.")
        .syntax("script numkeys [key]... [arg]...")
        .since("2.6.0", Group::Scripting)
        .complexity("Depends on the script")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, RUNS_TEXT])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, UPDATE]).note(ANY_USE)]),
    Command::new("eval_ro", -3, eval_ro)
        .summary("Runs a script that may only read.")
        .syntax("script numkeys [key]... [arg]...")
        .since("7.0.0", Group::Scripting)
        .complexity("Depends on the script")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, RUNS_TEXT])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RO, ACCESS]).note(ANY_READ)]),
    Command::new("evalsha", -3, evalsha)
        .summary("Runs a cached script by its SHA-1.")
        .syntax("sha1 numkeys [key]... [arg]...")
        .since("2.6.0", Group::Scripting)
        .complexity("Depends on the script")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, RUNS_NAMED])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, UPDATE])]),
    Command::new("evalsha_ro", -3, evalsha_ro)
        .summary("Runs a cached script that may only read by its SHA-1.")
        .syntax("sha1 numkeys [key]... [arg]...")
        .since("7.0.0", Group::Scripting)
        .complexity("Depends on the script")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, RUNS_NAMED])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RO, ACCESS])]),
    Command::container("script", SCRIPT)
        .summary("Looks after cached scripts.")
        .since("2.6.0", Group::Scripting),
];

const ANY_USE: &str = "What a script does with its keys is not known beforehand: anything.";
const ANY_READ: &str = "What a script reads of its keys is not known beforehand: anything.";

const SCRIPT: &[Command] = &[
    Command::new("script|debug", 3, debug)
        .summary("Turns the debugger on or off.")
        .syntax("<YES | SYNC | NO>:mode")
        .since("3.2.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[NOSCRIPT])
        .categories(&[SCRIPTING]),
    Command::new("script|exists", -3, exists)
        .summary("Tells which scripts are cached.")
        .syntax("sha1...")
        .since("2.6.0", Group::Scripting)
        .complexity("O(N), N scripts asked for")
        .flags(&[NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(&["request_policy:all_shards", "response_policy:agg_logical_and"]),
    Command::new("script|flush", -2, flush)
        .summary("Forgets all cached scripts.")
        .syntax("[ASYNC | SYNC]:flush-type@6.2.0")
        .since("2.6.0", Group::Scripting)
        .complexity("O(N), N cached scripts")
        .flags(&[NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    Command::new("script|help", 2, help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[SCRIPTING]),
    Command::new("script|kill", 2, kill)
        .summary("Ends the script that runs, unless it has written.")
        .since("2.6.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .categories(&[SCRIPTING])
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    Command::new("script|load", 3, load)
        .summary("Puts a script into the cache.")
        .syntax("script")
        .since("2.6.0", Group::Scripting)
        .complexity("O(N), N bytes of the script")
        .flags(&[NOSCRIPT, STALE])
        .categories(&[SCRIPTING])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];
