//! MULTI, EXEC, DISCARD, WATCH, UNWATCH.

use crate::core::client::ClientFlags;
use crate::dispatch::declare::*;
use crate::dispatch::{Context, transaction};
use crate::resp::Error;

/// MULTI
pub fn multi(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.client.is(ClientFlags::MULTI) {
        return Err(Error::err("MULTI calls can not be nested"));
    }
    transaction::begin(ctx.client);
    ctx.client.reply.ok();
    Ok(())
}

/// DISCARD
pub fn discard(ctx: &mut Context<'_>) -> Result<(), Error> {
    if !ctx.client.is(ClientFlags::MULTI) {
        return Err(Error::err("DISCARD without MULTI"));
    }
    transaction::discard(ctx.core, ctx.client);
    ctx.client.reply.ok();
    Ok(())
}

/// EXEC
pub fn exec(ctx: &mut Context<'_>) -> Result<(), Error> {
    if !ctx.client.is(ClientFlags::MULTI) {
        return Err(Error::err("EXEC without MULTI"));
    }
    let doomed = ctx.client.is(ClientFlags::DIRTY_EXEC);
    let touched = ctx.core.watched_was_touched(ctx.client);
    // Taken before the queue runs: its own writes must not touch what was watched.
    let open = transaction::take(ctx.core, ctx.client);
    if doomed {
        return Err(Error::ExecAbort);
    }
    if touched {
        ctx.client.reply.null_array();
        return Ok(());
    }
    ctx.client.reply.array(open.queue.len());
    transaction::run(ctx, &open);
    // The last command of the queue may have left marks of its own.
    ctx.core.redacted.clear();
    Ok(())
}

/// WATCH key [key …]
pub fn watch(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.client.is(ClientFlags::MULTI) {
        return Err(Error::err("WATCH inside MULTI is not allowed"));
    }
    for index in 1..ctx.args.len() {
        let key = ctx.key(index);
        ctx.core.watch(ctx.client, &key);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// UNWATCH
pub fn unwatch(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.unwatch(ctx.client);
    ctx.client.reply.ok();
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("discard", 1, discard)
        .summary("Drops the open transaction.")
        .since("2.0.0", Group::Transactions)
        .complexity("O(N), N queued commands")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .categories(&[TRANSACTION]),
    Command::new("exec", 1, exec)
        .summary("Runs all commands of the open transaction.")
        .since("1.2.0", Group::Transactions)
        .complexity("Depends on the queued commands")
        .flags(&[NOSCRIPT, LOADING, STALE, SKIP_SLOWLOG, RUNS_IN_MULTI, RUNS_QUEUE])
        .categories(&[TRANSACTION]),
    Command::new("multi", 1, multi)
        .summary("Opens a transaction.")
        .since("1.2.0", Group::Transactions)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .categories(&[TRANSACTION]),
    Command::new("unwatch", 1, unwatch)
        .summary("Forgets all watched keys.")
        .since("2.2.0", Group::Transactions)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY])
        .categories(&[TRANSACTION]),
    Command::new("watch", -2, watch)
        .summary("Lets the next transaction fail if one of the keys changes before it.")
        .syntax("key...")
        .since("2.2.0", Group::Transactions)
        .complexity("O(N), N keys")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, ALLOW_BUSY, RUNS_IN_MULTI])
        .categories(&[TRANSACTION])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])]),
];
