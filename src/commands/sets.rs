//! Commands on sets. How a set is stored is decided in `value::set`, by the limits that are taken
//! from the configuration here; unions, differences and intersections are in `set_algebra`. Called
//! by dispatch; all access to keys goes through the keyspace.

use super::draws;
use super::scan::{ElementOptions, parse_cursor};
use super::set_algebra::*;
use super::typed;
pub(super) use super::typed::reply_element as reply_member;
use crate::core::value_limits::of_sets as limits;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_range;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Expiry, Free, Key, Keyspace, RecordMut};
use crate::resp::{Error, Reply};
use crate::value::set::{Limits, algebra};
use crate::value::{Encoding, NewValue, Set, Value};

/// Above this many times as many members as remain, SPOP moves those that remain instead of taking
/// out the others (Redis: SPOP_MOVE_STRATEGY_MUL).
const REMAINING_SHARE: usize = 5;

// ---- what several commands share

/// The set at a key, to be read.
#[inline]
pub(super) fn read_set<'k>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
) -> Result<Option<&'k Set>, Error> {
    typed::read(keyspace, db, key)
}

/// The set at a key, to be changed.
#[inline]
fn write_set<'k>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
) -> Result<Option<&'k mut Set>, Error> {
    keyspace.lookup_write(db, key).map(set_mut).transpose()
}

#[inline]
fn set_mut(record: RecordMut<'_>) -> Result<&mut Set, Error> {
    typed::of_record_mut(record)
}

/// Removes the key of a set that has lost its last member, and reports that.
fn remove_empty(ctx: &mut Context<'_>, key: &Key<'_>) {
    let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_server_del);
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    keyspace.remove(db, key, free);
    keyspace.notify(EventClass::GENERIC, "del", db, key);
}

// ---- adding and removing

/// SADD key member [member …]
pub(super) fn sadd(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let members = ctx.args.iter_from(2);
    let hint = members.len();
    let add_all = |set: &mut Set| members.filter(|member| set.add(member, limits)).count();
    let keyspace = &mut ctx.core.keyspace;
    let added = match write_set(keyspace, db, &key)? {
        Some(set) => {
            set.prepare(hint, limits);
            add_all(set)
        }
        None => {
            let mut set = Set::for_members(ctx.args.at(2), hint, limits);
            let added = add_all(&mut set);
            keyspace.insert(db, &key, NewValue::Owned(Value::Set(set)), None);
            added
        }
    };
    if added > 0 {
        keyspace.signal_modified(db, &key);
        keyspace.notify(EventClass::SET, "sadd", db, &key);
    }
    keyspace.dirty += added as u64;
    ctx.client.reply.int(added as i64);
    Ok(())
}

/// SREM key member [member …]
pub(super) fn srem(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let mut removed = 0;
    let mut is_empty = false;
    if let Some(set) = write_set(&mut ctx.core.keyspace, db, &key)? {
        for member in ctx.args.iter_from(2) {
            removed += u64::from(set.remove(member));
            is_empty = set.is_empty();
            if is_empty {
                break;
            }
        }
    }
    if removed > 0 {
        let keyspace = &mut ctx.core.keyspace;
        keyspace.signal_modified(db, &key);
        keyspace.notify(EventClass::SET, "srem", db, &key);
        keyspace.dirty += removed;
        if is_empty {
            remove_empty(ctx, &key);
        }
    }
    ctx.client.reply.int(removed as i64);
    Ok(())
}

/// SMOVE source destination member
pub(super) fn smove(ctx: &mut Context<'_>) -> Result<(), Error> {
    let moved = move_member(ctx)?;
    ctx.client.reply.int(i64::from(moved));
    Ok(())
}

fn move_member(ctx: &mut Context<'_>) -> Result<bool, Error> {
    let (from, to, member) = (ctx.key(1), ctx.key(2), ctx.args.at(3));
    let (db, limits) = (ctx.client.db, limits(ctx.core));
    let keyspace = &mut ctx.core.keyspace;
    let source = write_set(keyspace, db, &from).map(|set| set.is_some());
    let destination = write_set(keyspace, db, &to).map(|set| set.is_some());
    // Without a source nobody looks at the type of the destination.
    if !source? {
        return Ok(false);
    }
    let destination_exists = destination?;
    let Some(source) = keyspace.edit(db, &from).map(set_mut).transpose()? else {
        return Ok(false);
    };
    if from.bytes() == to.bytes() {
        return Ok(source.contains(member));
    }
    if !source.remove(member) {
        return Ok(false);
    }
    let is_empty = source.is_empty();
    keyspace.signal_modified(db, &from);
    keyspace.notify(EventClass::SET, "srem", db, &from);
    keyspace.dirty += 1;
    if is_empty {
        remove_empty(ctx, &from);
    }
    let keyspace = &mut ctx.core.keyspace;
    if !destination_exists {
        let set = Set::for_members(member, 1, limits);
        keyspace.insert(db, &to, NewValue::Owned(Value::Set(set)), None);
    }
    let destination = keyspace.edit(db, &to).map(set_mut).transpose()?;
    if destination.is_some_and(|set| set.add(member, limits)) {
        keyspace.dirty += 1;
        keyspace.signal_modified(db, &to);
        keyspace.notify(EventClass::SET, "sadd", db, &to);
    }
    Ok(true)
}

/// SPOP key [count]
pub(super) fn spop(ctx: &mut Context<'_>) -> Result<(), Error> {
    match ctx.args.len() {
        2 => pop_one(ctx),
        3 => pop_counted(ctx),
        _ => Err(Error::Syntax),
    }
}

fn pop_one(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let (keyspace, reply) = (&mut ctx.core.keyspace, &mut ctx.client.reply);
    let Some(set) = write_set(keyspace, db, &key)? else {
        reply.null();
        return Ok(());
    };
    set.pop(&mut ctx.core.rng, |member| reply_member(reply, member));
    let is_empty = set.is_empty();
    popped(ctx, &key, 1);
    if is_empty {
        remove_empty(ctx, &key);
    }
    Ok(())
}

/// So many members were taken out: signals, reports and counts it.
fn popped(ctx: &mut Context<'_>, key: &Key<'_>, count: usize) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    keyspace.signal_modified(db, key);
    keyspace.notify(EventClass::SET, "spop", db, key);
    keyspace.dirty += count as u64;
}

fn pop_counted(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let count = parse_range(ctx.args.at(2), 0, i64::MAX);
    // As in Redis, these words are for what is no integer, too.
    let count = count.map_err(|_| Error::err("value is out of range, must be positive"))? as usize;
    let (keyspace, reply) = (&mut ctx.core.keyspace, &mut ctx.client.reply);
    let set = match write_set(keyspace, db, &key)? {
        Some(set) if count > 0 => set,
        _ => {
            reply.set(0);
            return Ok(());
        }
    };
    let len = set.len();
    if count >= len {
        reply_all(reply, set, limits);
        popped(ctx, &key, len);
        remove_empty(ctx, &key);
        return Ok(());
    }
    reply.set(count);
    let remaining = len - count;
    let rng = &mut ctx.core.rng;
    if remaining.saturating_mul(REMAINING_SHARE) > count {
        set.pop_many(rng, count, |member| reply_member(reply, member));
    } else {
        let rest = set.split_off_random(rng, remaining, limits);
        set.iter().for_each(|member| reply_member(reply, member));
        // What was taken out is a whole set, which may be big: the keyspace knows who frees it.
        keyspace.set(db, &key, NewValue::Owned(Value::Set(rest)), Expiry::Keep);
    }
    popped(ctx, &key, count);
    Ok(())
}

/// Replies with all members, in the order that SUNION has them.
fn reply_all(reply: &mut Reply, set: &Set, limits: Limits) {
    reply.set(set.len());
    if set.encoding() == Encoding::Hashtable {
        set.iter().for_each(|member| reply_member(reply, member));
    } else {
        let all = algebra::union(&[Some(set)], limits);
        all.iter().for_each(|member| reply_member(reply, member));
    }
}

// ---- asking

/// SCARD key
pub(super) fn scard(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    ctx.client.reply.int(set.map_or(0, Set::len) as i64);
    Ok(())
}

/// SISMEMBER key member
pub(super) fn sismember(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let found = set.is_some_and(|set| set.contains(ctx.args.at(2)));
    ctx.client.reply.int(i64::from(found));
    Ok(())
}

/// SMISMEMBER key member [member …]
pub(super) fn smismember(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (members, reply) = (ctx.args.iter_from(2), &mut ctx.client.reply);
    reply.array(members.len());
    for member in members {
        reply.int(i64::from(set.is_some_and(|set| set.contains(member))));
    }
    Ok(())
}

/// SMEMBERS key
pub(super) fn smembers(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let reply = &mut ctx.client.reply;
    reply.set(set.map_or(0, Set::len));
    set.into_iter().flat_map(Set::iter).for_each(|member| reply_member(reply, member));
    Ok(())
}

/// SSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) fn sscan(ctx: &mut Context<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(ctx.args.at(2))?;
    let (key, options) = (ctx.key(1), ctx.cursor(3));
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let mut found = Vec::new();
    let mut next = 0;
    // As in Redis, nobody looks at the options where there is no set.
    if let Some(set) = set {
        let options = ElementOptions::parse(options)?;
        let mut digits = itoa::Buffer::new();
        next = set.scan(cursor, options.count, |member| {
            if options.admit(member.bytes(&mut digits)) {
                found.push(member);
            }
        });
    }
    let reply = &mut ctx.client.reply;
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(found.len());
    found.into_iter().for_each(|member| reply_member(reply, member));
    Ok(())
}

// ---- SRANDMEMBER

/// SRANDMEMBER key [count]
pub(super) fn srandmember(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let bytes_max = ctx.core.output_bytes_max(ctx.client);
    let counted = match ctx.args.len() {
        2 => None,
        3 => Some(parse_count(ctx.args.at(2), bytes_max)?),
        _ => return Err(Error::Syntax),
    };
    let set = read_set(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (rng, reply) = (&mut ctx.core.rng, &mut ctx.client.reply);
    match (set, counted) {
        (None, None) => reply.null(),
        (None, Some(_)) => reply.array(0),
        (Some(set), None) => set.pick(rng, 1, |member| reply_member(reply, member)),
        (Some(set), Some(Draw::Repeated(count))) => {
            reply.array(count as usize);
            draws::repeat(reply, count, bytes_max, |reply, some| {
                set.pick(rng, some, |member| reply_member(reply, member));
            });
        }
        (Some(set), Some(Draw::Different(count))) => {
            reply.array(count.min(set.len()));
            set.sample(rng, count, |member| reply_member(reply, member));
        }
    }
    Ok(())
}

/// What SRANDMEMBER is to give.
#[derive(Clone, Copy, Debug)]
enum Draw {
    /// So many members, or all if there are no more.
    Different(usize),
    /// So many, any of them again and again.
    Repeated(u64),
}

/// A count, which is negative if members may be given again.
fn parse_count(arg: &[u8], bytes_max: Option<u64>) -> Result<Draw, Error> {
    let count = parse_range(arg, -i64::MAX, i64::MAX)?;
    if count >= 0 {
        return Ok(Draw::Different(count as usize));
    }
    draws::check(count.unsigned_abs(), bytes_max)?;
    Ok(Draw::Repeated(count.unsigned_abs()))
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("sadd", -3, sadd)
        .summary("Adds members to a set, which is created if missing.")
        .syntax("key member...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RW, INSERT])])
        .element(2),
    Command::new("scard", 2, scard)
        .summary("Gives the number of members of a set.")
        .syntax("key")
        .since("1.0.0", Group::Set)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("sdiff", -2, sdiff)
        .summary("Gives the members of the first set that none of the others has.")
        .syntax("key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members of all sets")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("sdiffstore", -3, sdiffstore)
        .summary("Stores the members of the first set that none of the others has.")
        .syntax("destination key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members of all sets")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::range(2, -1, 1, &[RO, ACCESS])]),
    Command::new("sinter", -2, sinter)
        .summary("Gives the members that all sets have.")
        .syntax("key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N*M), N members of the smallest of M sets")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("sintercard", -3, sintercard)
        .summary("Counts the members that all sets have.")
        .syntax("numkeys key... [LIMIT limit]")
        .since("7.0.0", Group::Set)
        .complexity("O(N*M), N members of the smallest of M sets")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])]),
    Command::new("sinterstore", -3, sinterstore)
        .summary("Stores the members that all sets have.")
        .syntax("destination key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N*M), N members of the smallest of M sets")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RW, UPDATE]), KeySpec::range(2, -1, 1, &[RO, ACCESS])]),
    Command::new("sismember", 3, sismember)
        .summary("Tells whether a set has a member.")
        .syntax("key member")
        .since("1.0.0", Group::Set)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO])])
        .element(2),
    Command::new("smembers", 2, smembers)
        .summary("Gives all members of a set.")
        .syntax("key")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members of the set")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("smismember", -3, smismember)
        .summary("Tells which of the given members a set has.")
        .syntax("key member...")
        .since("6.2.0", Group::Set)
        .complexity("O(N), N members")
        .flags(&[READONLY, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("smove", 4, smove)
        .summary("Moves a member from one set to another.")
        .syntax("source destination member")
        .since("1.0.0", Group::Set)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[RW, INSERT])])
        .element(3),
    Command::new("spop", -2, spop)
        .summary("Removes random members of a set and gives them.")
        .syntax("key [count]@3.2.0")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members given")
        .flags(&[WRITE, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])])
        .tips(&["nondeterministic_output"]),
    Command::new("srandmember", -2, srandmember)
        .summary("Gives random members of a set.")
        .syntax("key [count]@2.6.0")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members given")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("srem", -3, srem)
        .summary("Removes members of a set, and the set with its last member.")
        .syntax("key member...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members")
        .flags(&[WRITE, FAST])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RW, DELETE])])
        .element(2),
    Command::new("sscan", -3, sscan)
        .summary("Walks through the members of a set, a few per call.")
        .syntax("key cursor [MATCH pattern] [COUNT count]")
        .since("2.8.0", Group::Set)
        .complexity("O(1) per call, O(N) for all N members")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("sunion", -2, sunion)
        .summary("Gives the members that any of the sets has.")
        .syntax("key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members of all sets")
        .flags(&[READONLY])
        .categories(&[SET])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("sunionstore", -3, sunionstore)
        .summary("Stores the members that any of the sets has.")
        .syntax("destination key...")
        .since("1.0.0", Group::Set)
        .complexity("O(N), N members of all sets")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::range(2, -1, 1, &[RO, ACCESS])]),
];
