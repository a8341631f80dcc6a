//! SLOWLOG: shows and empties the log of slow commands.

use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::resp::Error;

/// Entries shown when no number is given.
const COUNT: usize = 10;

/// SLOWLOG GET [count]
pub fn slowlog_get(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 3 {
        return Err(Error::unknown_subcommand("slowlog", ctx.args.at(1)));
    }
    let slowlog = &ctx.core.slowlog;
    let count = ctx.args.get(2).map_or(Ok(COUNT), |arg| parse_count(arg, slowlog.len()))?;
    let count = count.min(slowlog.len());
    let reply = &mut ctx.client.reply;
    reply.array(count);
    for entry in slowlog.iter().take(count) {
        reply.array(6);
        reply.int(entry.id as i64);
        reply.int(entry.unix_seconds as i64);
        reply.int(entry.duration_us as i64);
        reply.array(entry.args.len());
        entry.args.iter().for_each(|arg| reply.bulk(arg));
        reply.bulk(entry.peer.as_bytes());
        reply.bulk(&entry.name);
    }
    Ok(())
}

/// The number of entries to show; -1 stands for all.
fn parse_count(arg: &[u8], all: usize) -> Result<usize, Error> {
    match parse_i64(arg) {
        Ok(-1) => Ok(all),
        Ok(count @ 0..) => Ok(count as usize),
        _ => Err(Error::err("count should be greater than or equal to -1")),
    }
}

/// SLOWLOG HELP
pub fn slowlog_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "SLOWLOG",
        &[
            "GET [<count>]",
            "    Return top <count> entries from the slowlog (default: 10, -1 mean all).",
            "    Entries are made of:",
            "    id, timestamp, time in microseconds, arguments array, client IP and port,",
            "    client name",
            "LEN",
            "    Return the length of the slowlog.",
            "RESET",
            "    Reset the slowlog.",
        ],
    );
    Ok(())
}

/// SLOWLOG LEN
pub fn slowlog_len(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.core.slowlog.len() as i64);
    Ok(())
}

/// SLOWLOG RESET
pub fn slowlog_reset(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.slowlog.clear();
    ctx.client.reply.ok();
    Ok(())
}

const SLOWLOG_SUBCOMMANDS: &[Command] = &[
    Command::new("slowlog|get", -2, slowlog_get)
        .summary("Gives the latest entries of the slow log.")
        .syntax("[count]")
        .since("2.2.12", Group::Server)
        .complexity("O(N), N entries given")
        .flags(&[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "nondeterministic_output"]),
    Command::new("slowlog|help", 2, slowlog_help)
        .summary("Describes the subcommands.")
        .since("6.2.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("slowlog|len", 2, slowlog_len)
        .summary("Gives the number of entries in the slow log.")
        .since("2.2.12", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum", "nondeterministic_output"]),
    Command::new("slowlog|reset", 2, slowlog_reset)
        .summary("Empties the slow log.")
        .since("2.2.12", Group::Server)
        .complexity("O(N), N entries")
        .flags(&[ADMIN, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::container("slowlog", SLOWLOG_SUBCOMMANDS)
    .summary("Container of commands about the slow log.")
    .since("2.2.12", Group::Server)
    .complexity("Depends on the subcommand")];
