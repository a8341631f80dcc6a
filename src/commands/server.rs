//! The server as a whole: its figures, its databases, its end.

use crate::core::client::ClientFlags;
use crate::core::effects::Shutdown;
use crate::core::info::Sections;
use crate::core::{Core, Effect};
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::dispatch::{Context, scripts};
use crate::keyspace::Free;
use crate::resp::Error;

use super::lolwut::lolwut;

/// DBSIZE
pub fn dbsize(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.core.keyspace.dbsize(ctx.client.db) as i64);
    Ok(())
}

/// FLUSHALL [ASYNC | SYNC]
pub fn flushall(ctx: &mut Context<'_>) -> Result<(), Error> {
    let free = parse_flush(ctx)?;
    flush(ctx.core, None, free);
    if ctx.core.snapshots.child.is_some() || !ctx.core.config.save.is_empty() {
        ctx.core.effects.push(Effect::AllFlushed);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// FLUSHDB [ASYNC | SYNC]
pub fn flushdb(ctx: &mut Context<'_>) -> Result<(), Error> {
    let free = parse_flush(ctx)?;
    flush(ctx.core, Some(ctx.client.db), free);
    ctx.client.reply.ok();
    Ok(())
}

fn parse_flush(ctx: &Context<'_>) -> Result<Free, Error> {
    let mut options = ctx.cursor(1);
    let free = if options.take_word("SYNC") {
        Free::Now
    } else if options.take_word("ASYNC") {
        Free::Lazily
    } else {
        Free::lazily_if(ctx.core.config.lazyfree_lazy_user_flush)
    };
    options.end()?;
    Ok(free)
}

fn flush(core: &mut Core, db: Option<usize>, free: Free) {
    let removed = core.keyspace.flush(db, free);
    core.keyspace.dirty += removed as u64;
}

/// INFO [section ...]
pub fn info(ctx: &mut Context<'_>) -> Result<(), Error> {
    let sections = Sections::parse(ctx.args.iter_from(1));
    if sections.contains(Sections::MEMORY) {
        ctx.core.note_memory_peak();
    }
    let text = ctx.core.info(sections, Some(ctx.client));
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// MONITOR
pub fn monitor(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.client.is(ClientFlags::DENY_BLOCKING) {
        return Err(Error::err("MONITOR isn't allowed for DENY BLOCKING client"));
    }
    // Redis gives no reply to a client that monitors already.
    if !ctx.client.is(ClientFlags::MONITOR) {
        ctx.client.flags |= ClientFlags::MONITOR;
        ctx.core.monitors.push(ctx.client.id);
        ctx.client.reply.ok();
    }
    Ok(())
}

/// SHUTDOWN [NOSAVE | SAVE] [NOW] [FORCE] [ABORT]
pub fn shutdown(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut how = Shutdown::default();
    let mut abort = false;
    let mut options = ctx.cursor(1);
    while options.remaining() > 0 {
        match () {
            () if options.take_word("NOSAVE") => how.nosave = true,
            () if options.take_word("SAVE") => how.save = true,
            () if options.take_word("NOW") => how.now = true,
            () if options.take_word("FORCE") => how.force = true,
            () if options.take_word("ABORT") => abort = true,
            () => return Err(Error::Syntax),
        }
    }
    if (abort && how != Shutdown::default()) || (how.save && how.nosave) {
        return Err(Error::Syntax);
    }
    if abort {
        // A shutdown only takes time before the cron acts on a signal: there are no replicas that
        // would have to catch up.
        if ctx.core.shutdown_scheduled.take().is_none() {
            return Err(Error::err("No shutdown in progress."));
        }
        log::info!("Shutdown manually aborted.");
        ctx.core.effects.push(Effect::AbortShutdown);
        ctx.client.reply.ok();
        return Ok(());
    }
    if !how.now && ctx.client.is(ClientFlags::DENY_BLOCKING) {
        let words = "SHUTDOWN without NOW or ABORT isn't allowed for DENY BLOCKING client";
        return Err(Error::err(words));
    }
    if !how.nosave
        && let Some(busy) = scripts::busy_error(ctx.core)
    {
        return Err(busy);
    }
    ctx.core.effects.push(Effect::Shutdown { client: ctx.client.id, how });
    Ok(())
}

/// SWAPDB index1 index2
pub fn swapdb(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.core.config.cluster_enabled {
        return Err(Error::err("SWAPDB is not allowed in cluster mode"));
    }
    let first = parse_db(ctx.args.at(1), "invalid first DB index")?;
    let second = parse_db(ctx.args.at(2), "invalid second DB index")?;
    let databases = ctx.core.keyspace.databases();
    let existing = |db: i32| usize::try_from(db).ok().filter(|&db| db < databases);
    let (Some(first), Some(second)) = (existing(first), existing(second)) else {
        return Err(Error::DbIndexOutOfRange);
    };
    ctx.core.keyspace.swap(first, second);
    ctx.core.keyspace.dirty += 1;
    ctx.client.reply.ok();
    Ok(())
}

fn parse_db(arg: &[u8], words: &'static str) -> Result<i32, Error> {
    let index = parse_i64(arg).ok().and_then(|n| i32::try_from(n).ok());
    index.ok_or_else(|| Error::err(words))
}

/// TIME
pub fn time(ctx: &mut Context<'_>) -> Result<(), Error> {
    let now_us = ctx.core.now.unix_us;
    ctx.client.reply.array(2);
    ctx.client.reply.bulk_int((now_us / 1_000_000) as i64);
    ctx.client.reply.bulk_int((now_us % 1_000_000) as i64);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("dbsize", 1, dbsize)
        .summary("Gives the number of keys in the database.")
        .since("1.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:agg_sum"]),
    Command::new("flushall", -1, flushall)
        .summary("Deletes all keys of all databases.")
        .syntax("[ASYNC@4.0.0 | SYNC@6.2.0]:flush-type")
        .since("1.0.0", Group::Server)
        .complexity("O(N), N keys of all databases")
        .flags(&[WRITE])
        .categories(&[KEYSPACE, DANGEROUS])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("flushdb", -1, flushdb)
        .summary("Deletes all keys of the database.")
        .syntax("[ASYNC@4.0.0 | SYNC@6.2.0]:flush-type")
        .since("1.0.0", Group::Server)
        .complexity("O(N), N keys of the database")
        .flags(&[WRITE])
        .categories(&[KEYSPACE, DANGEROUS])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("info", -1, info)
        .summary("Gives facts and counters of the server.")
        .syntax("[section...]")
        .since("1.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[DANGEROUS])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    Command::new("lolwut", -1, lolwut)
        .summary("Draws a piece of computer art and gives the version.")
        .syntax("[VERSION version]")
        .since("5.0.0", Group::Server)
        .flags(&[READONLY, FAST]),
    Command::new("monitor", 1, monitor)
        .summary("Streams every command that the server runs.")
        .since("1.0.0", Group::Server)
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE]),
    Command::new("shutdown", -1, shutdown)
        .summary("Saves if configured to, and ends the server.")
        .syntax("[NOSAVE | SAVE]:save-selector [NOW]@7.0.0 [FORCE]@7.0.0 [ABORT]@7.0.0")
        .since("1.0.0", Group::Server)
        .complexity("O(N) with a save, N keys of all databases; O(1) without")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, NO_MULTI, ALLOW_BUSY]),
    Command::new("swapdb", 3, swapdb)
        .summary("Exchanges two databases.")
        .syntax("index1 index2")
        .since("4.0.0", Group::Server)
        .complexity("O(N), N clients that watch keys or wait in them")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE, DANGEROUS]),
    Command::new("time", 1, time)
        .summary("Gives the time of the server.")
        .since("2.6.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .tips(&["nondeterministic_output"]),
];
