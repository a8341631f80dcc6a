//! Commands that take members from the ends of sorted sets, and wait while there are none. Called
//! by dispatch; what is taken, and how, is shared with the commands of `zset_pops`, how to wait is
//! `dispatch::blocked`'s.

use std::ops::Range;

use super::zset_pops::{End, Layout, PopArgs, pop_first};
use crate::core::blocking::Deadline;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::keyspace::waiting::WaitFor;
use crate::resp::Error;

/// BZPOPMIN key [key …] timeout
pub(super) fn bzpopmin(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop_one(ctx, End::Min)
}

/// BZPOPMAX key [key …] timeout
pub(super) fn bzpopmax(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop_one(ctx, End::Max)
}

fn pop_one(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    let last = ctx.args.len() - 1;
    let deadline = ctx.parse_timeout_s(ctx.args.at(last))?;
    let what = PopArgs { first_key: 1, keys: last - 1, end, count: 1 };
    if !pop_first(ctx, &what, Layout::KeyAndFlat)? {
        wait_for_any(ctx, 1..last, deadline);
    }
    Ok(())
}

/// BZMPOP timeout numkeys key [key …] MIN | MAX [COUNT count]
pub(super) fn bzmpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    let what = PopArgs::parse(&ctx.args, 2)?;
    let deadline = ctx.parse_timeout_s(ctx.args.at(1))?;
    if !pop_first(ctx, &what, Layout::KeyAndNested)? {
        wait_for_any(ctx, what.first_key..what.first_key + what.keys, deadline);
    }
    Ok(())
}

fn wait_for_any(ctx: &mut Context<'_>, keys: Range<usize>, deadline: Deadline) {
    if ctx.may_block() {
        ctx.block_on(keys, WaitFor::SortedSet, deadline);
    } else {
        ctx.client.reply.null_array();
    }
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("bzmpop", -5, bzmpop)
        .summary(
            "Removes members with the lowest or highest scores from one of several keys, waiting \
             until there is one.",
        )
        .syntax("timeout numkeys key... <MIN | MAX>:where [COUNT count]")
        .since("7.0.0", Group::SortedSet)
        .complexity("O(K)+O(M*log(N)), K keys, N members, M of them removed")
        .flags(&[WRITE, BLOCKING])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, DELETE])]),
    Command::new("bzpopmax", -3, bzpopmax)
        .summary(
            "Removes the member with the highest score of one of several keys, waiting until \
             there is one.",
        )
        .syntax("key... timeout")
        .since("5.0.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[WRITE, BLOCKING, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])]),
    Command::new("bzpopmin", -3, bzpopmin)
        .summary(
            "Removes the member with the lowest score of one of several keys, waiting until \
             there is one.",
        )
        .syntax("key... timeout")
        .since("5.0.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[WRITE, BLOCKING, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::range(1, -2, 1, &[RW, ACCESS, DELETE])]),
];
