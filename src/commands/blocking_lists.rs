//! Commands on lists that wait while there is nothing to take. Called by dispatch; what is taken,
//! and how, is shared with the commands of `lists`, how to wait is `dispatch::blocked`'s.

use std::ops::Range;

use super::lists::{MultiPop, list_mut, move_element, parse_end, pop_first, popped, take_one};
use crate::core::blocking::Deadline;
use crate::core::value_limits::of_lists as limits;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::keyspace::waiting::WaitFor;
use crate::resp::Error;
use crate::value::list::End;

/// BLPOP key [key …] timeout
pub(super) fn blpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop(ctx, End::Head)
}

/// BRPOP key [key …] timeout
pub(super) fn brpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop(ctx, End::Tail)
}

fn pop(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    let last = ctx.args.len() - 1;
    let deadline = ctx.parse_timeout_s(ctx.args.at(last))?;
    let limits = limits(ctx.core);
    for index in 1..last {
        let key = ctx.key(index);
        let Some(record) = ctx.core.keyspace.lookup_write(ctx.client.db, &key) else { continue };
        let list = list_mut(record)?;
        let reply = &mut ctx.client.reply;
        reply.array(2);
        reply.bulk(key.bytes());
        let outcome = take_one(list, end, reply, &limits);
        popped(ctx, end, &key, outcome);
        return Ok(());
    }
    wait_for_any(ctx, 1..last, deadline);
    Ok(())
}

/// BLMPOP timeout numkeys key [key …] LEFT | RIGHT [COUNT count]
pub(super) fn blmpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    let what = MultiPop::parse(ctx, 2)?;
    let deadline = ctx.parse_timeout_s(ctx.args.at(1))?;
    if !pop_first(ctx, &what)? {
        wait_for_any(ctx, what.keys, deadline);
    }
    Ok(())
}

fn wait_for_any(ctx: &mut Context<'_>, keys: Range<usize>, deadline: Deadline) {
    if ctx.may_block() {
        ctx.block_on(keys, WaitFor::List, deadline);
    } else {
        ctx.client.reply.null_array();
    }
}

/// BLMOVE source destination LEFT | RIGHT LEFT | RIGHT timeout
pub(super) fn blmove(ctx: &mut Context<'_>) -> Result<(), Error> {
    let from = parse_end(ctx.args.at(3))?;
    let to = parse_end(ctx.args.at(4))?;
    let deadline = ctx.parse_timeout_s(ctx.args.at(5))?;
    move_or_wait(ctx, (from, to), deadline)
}

/// BRPOPLPUSH source destination timeout
pub(super) fn brpoplpush(ctx: &mut Context<'_>) -> Result<(), Error> {
    let deadline = ctx.parse_timeout_s(ctx.args.at(3))?;
    move_or_wait(ctx, (End::Tail, End::Head), deadline)
}

fn move_or_wait(
    ctx: &mut Context<'_>,
    (from, to): (End, End),
    deadline: Deadline,
) -> Result<(), Error> {
    let source = ctx.key(1);
    if let Some(record) = ctx.core.keyspace.lookup_write(ctx.client.db, &source) {
        list_mut(record)?;
        return move_element(ctx, from, to);
    }
    if ctx.may_block() {
        ctx.block_on(1..2, WaitFor::List, deadline);
    } else {
        ctx.client.reply.null();
    }
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("blmove", 6, blmove)
        .summary(
            "Takes an element from an end of a list and adds it at an end of another one, or \
             waits for one.",
        )
        .syntax("source destination <LEFT | RIGHT>:wherefrom <LEFT | RIGHT>:whereto timeout")
        .since("6.2.0", Group::List)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, BLOCKING])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[RW, INSERT])]),
    Command::new("blmpop", -5, blmpop)
        .summary(
            "Takes elements from an end of the first list that is not empty, or waits for one.",
        )
        .syntax("timeout numkeys key... <LEFT | RIGHT>:where [COUNT count]")
        .since("7.0.0", Group::List)
        .complexity("O(N+M), N keys and M elements taken")
        .flags(&[WRITE, BLOCKING])
        .categories(&[LIST])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, DELETE])]),
    Command::new("blpop", -3, blpop)
        .summary("Takes the first element of the first list that is not empty, or waits for one.")
        .syntax("key... timeout")
        .since("2.0.0", Group::List)
        .complexity("O(N), N keys")
        .flags(&[WRITE, BLOCKING])
        .categories(&[LIST])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])]),
    Command::new("brpop", -3, brpop)
        .summary("Takes the last element of the first list that is not empty, or waits for one.")
        .syntax("key... timeout")
        .since("2.0.0", Group::List)
        .complexity("O(N), N keys")
        .flags(&[WRITE, BLOCKING])
        .categories(&[LIST])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])]),
    Command::new("brpoplpush", 4, brpoplpush)
        .summary(
            "Takes the last element of a list and adds it at the head of another one, or waits \
             for one.",
        )
        .syntax("source destination timeout")
        .since("2.2.0", Group::List)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, BLOCKING])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[RW, INSERT])])
        .deprecated("6.2.0", "`BLMOVE` with `RIGHT LEFT`"),
];

#[cfg(test)]
mod tests;
