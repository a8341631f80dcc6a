//! Unions, differences and intersections of sets, replied or stored. What they are is in
//! `value::set::algebra`; declared in `sets`. A key that does not exist is an empty set.

use super::computed::{self, Computed};
use super::sets::{read_set, reply_member};
use crate::core::value_limits::of_sets as limits;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Key, Keyspace};
use crate::resp::Error;
use crate::value::set::{Limits, algebra};
use crate::value::{Set, Value, ValueRef};

/// What makes one set of several.
type Operation = fn(&[Option<&Set>], Limits) -> Set;

/// The keys from argument `first` on, `count` of them, each of which was read and holds a set or
/// nothing.
fn read_keys<'a>(ctx: &mut Context<'a>, first: usize, count: usize) -> Result<Vec<Key<'a>>, Error> {
    let keys: Vec<_> = (first..first + count).map(|index| ctx.key(index)).collect();
    for key in &keys {
        read_set(&mut ctx.core.keyspace, ctx.client.db, key)?;
    }
    Ok(keys)
}

/// The sets at keys that were read.
fn sets_at<'k>(keyspace: &'k Keyspace, db: usize, keys: &[Key<'_>]) -> Vec<Option<&'k Set>> {
    keys.iter()
        .map(|key| match keyspace.peek(db, key)?.value() {
            ValueRef::Set(set) => Some(set),
            _ => None,
        })
        .collect()
}

/// Replies with what the operation makes of the command's sets.
fn reply_result(ctx: &mut Context<'_>, operation: Operation) -> Result<(), Error> {
    let (limits, count) = (limits(ctx.core), ctx.args.len() - 1);
    let keys = read_keys(ctx, 1, count)?;
    let sets = sets_at(&ctx.core.keyspace, ctx.client.db, &keys);
    let result = operation(&sets, limits);
    let reply = &mut ctx.client.reply;
    reply.set(result.len());
    result.iter().for_each(|member| reply_member(reply, member));
    Ok(())
}

/// Stores what the operation makes of the command's sets at its first key; that key is removed if
/// this is nothing.
fn store_result(
    ctx: &mut Context<'_>,
    event: &'static str,
    operation: Operation,
) -> Result<(), Error> {
    let (limits, count) = (limits(ctx.core), ctx.args.len() - 2);
    let keys = read_keys(ctx, 2, count)?;
    let result = operation(&sets_at(&ctx.core.keyspace, ctx.client.db, &keys), limits);
    let (len, event) = (result.len(), (EventClass::SET, event));
    computed::store(ctx, 1, Computed { value: Value::Set(result), len, event, changes: 1 });
    Ok(())
}

/// SUNION key [key …]
pub(super) fn sunion(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_result(ctx, algebra::union)
}

/// SUNIONSTORE destination key [key …]
pub(super) fn sunionstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "sunionstore", algebra::union)
}

/// SDIFF key [key …]
pub(super) fn sdiff(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_result(ctx, algebra::difference)
}

/// SDIFFSTORE destination key [key …]
pub(super) fn sdiffstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "sdiffstore", algebra::difference)
}

/// SINTER key [key …]
pub(super) fn sinter(ctx: &mut Context<'_>) -> Result<(), Error> {
    let count = ctx.args.len() - 1;
    let keys = read_keys(ctx, 1, count)?;
    let sets = sets_at(&ctx.core.keyspace, ctx.client.db, &keys);
    let reply = &mut ctx.client.reply;
    let begun = reply.set_deferred();
    let mut found = 0;
    for member in algebra::intersection(all_or_none(&sets)) {
        reply_member(reply, member);
        found += 1;
    }
    reply.end(begun, found);
    Ok(())
}

/// SINTERSTORE destination key [key …]
pub(super) fn sinterstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "sinterstore", |sets, limits| {
        algebra::stored_intersection(all_or_none(sets), limits)
    })
}

/// SINTERCARD numkeys key [key …] [LIMIT limit]
pub(super) fn sintercard(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (count, limit) = parse_sintercard(ctx)?;
    let keys = read_keys(ctx, 2, count)?;
    let sets = sets_at(&ctx.core.keyspace, ctx.client.db, &keys);
    let found = algebra::intersection(all_or_none(&sets)).take(limit).count();
    ctx.client.reply.int(found as i64);
    Ok(())
}

/// The number of keys, and that of members to count at most.
fn parse_sintercard(ctx: &Context<'_>) -> Result<(usize, usize), Error> {
    let at_least = |arg: &[u8], min: i64, words: &str| match parse_i64(arg) {
        Ok(n) if n >= min => Ok(n as usize),
        _ => Err(Error::err(words)),
    };
    let count = at_least(ctx.args.at(1), 1, "numkeys should be greater than 0")?;
    if count > ctx.args.len() - 2 {
        return Err(Error::err("Number of keys can't be greater than number of args"));
    }
    let mut options = ctx.cursor(2 + count);
    let mut limit = 0;
    while options.remaining() > 0 {
        if !options.take_word("LIMIT") {
            return Err(Error::Syntax);
        }
        limit = at_least(options.expect()?, 0, "LIMIT can't be negative")?;
    }
    Ok((count, if limit == 0 { usize::MAX } else { limit }))
}

/// All sets; none if one of them is empty, as then they have nothing in common.
fn all_or_none<'k>(sets: &[Option<&'k Set>]) -> Vec<&'k Set> {
    sets.iter().copied().collect::<Option<Vec<_>>>().unwrap_or_default()
}
