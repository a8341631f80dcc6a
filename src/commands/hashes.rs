//! Commands on hashes. How a hash is stored is decided in `value::hash`, by the limits that are
//! taken from the configuration here. Called by dispatch; all access to keys goes through the
//! keyspace.

use super::draws;
use super::scan::{ElementOptions, parse_cursor};
use super::typed::{self, reply_element};
use crate::base::long_double::LongDouble;
use crate::base::numbers;
use crate::core::value_limits::of_hashes as limits;
use crate::data::listpack::Element;
use crate::dispatch::Context;
use crate::dispatch::cursor::{parse_i64, parse_range};
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key, Keyspace, RecordMut};
use crate::resp::{Args, Error, Reply};
use crate::value::hash::{Limits, Live};
use crate::value::{Hash, NewValue, Value};

// ---- what several commands share

/// The hash at a key, to be read.
#[inline]
pub(super) fn read_hash<'k>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
) -> Result<Option<Live<'k>>, Error> {
    keyspace.expire_fields_to_read(db, key);
    let clock = keyspace.field_clock();
    Ok(typed::read(keyspace, db, key)?.map(|hash| Live::new(hash, clock)))
}

/// The hash at a key, to be changed. None of the fields is left whose time is over.
#[inline]
pub(super) fn write_hash<'k, 'f>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
    fields: impl Iterator<Item = &'f [u8]>,
) -> Result<Option<&'k mut Hash>, Error> {
    keyspace.expire_fields_to_write(db, key);
    let clock = keyspace.field_clock();
    let Some(record) = keyspace.lookup_write(db, key) else { return Ok(None) };
    let hash = hash_mut(record)?;
    if hash.next_expiry().is_some_and(|at_ms| at_ms < clock) {
        for field in fields {
            hash.remove_if_due(field, clock);
        }
    }
    Ok(Some(hash))
}

#[inline]
fn hash_mut(record: RecordMut<'_>) -> Result<&mut Hash, Error> {
    typed::of_record_mut(record)
}

/// Changes the hash at the command's key. Where there is none it is made: unless it fails, `change`
/// sets a field.
#[inline]
pub(super) fn edit_hash<R>(
    ctx: &mut Context<'_>,
    change: impl FnOnce(&mut Hash, Limits) -> Result<R, Error>,
) -> Result<R, Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let keyspace = &mut ctx.core.keyspace;
    // Values among the fields do no harm: whatever has expired may go.
    if let Some(hash) = write_hash(keyspace, db, &key, ctx.args.iter_from(2))? {
        return change(hash, limits);
    }
    let mut hash = Hash::new();
    let result = change(&mut hash, limits)?;
    keyspace.insert(db, &key, NewValue::Owned(Value::Hash(hash)), None);
    Ok(result)
}

/// So many fields of the hash were changed: signals, reports and counts it.
#[inline]
fn changed(ctx: &mut Context<'_>, event: &'static str, fields: usize) {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    keyspace.note_fields_if_any(db, &key);
    keyspace.signal_modified(db, &key);
    keyspace.notify(EventClass::HASH, event, db, &key);
    keyspace.dirty += fields as u64;
}

pub(super) fn reply_value(reply: &mut Reply, value: Option<Element<'_>>) {
    match value {
        Some(value) => reply_element(reply, value),
        None => reply.null(),
    }
}

// ---- setting

/// HSET key field value [field value …]
pub(super) fn hset(ctx: &mut Context<'_>) -> Result<(), Error> {
    let added = set_pairs(ctx)?;
    ctx.client.reply.int(added as i64);
    Ok(())
}

/// HMSET key field value [field value …]
pub(super) fn hmset(ctx: &mut Context<'_>) -> Result<(), Error> {
    set_pairs(ctx)?;
    ctx.client.reply.ok();
    Ok(())
}

/// Sets all fields of the command; how many are new.
fn set_pairs(ctx: &mut Context<'_>) -> Result<usize, Error> {
    let args = ctx.args;
    if !args.len().is_multiple_of(2) {
        return Err(Error::WrongArity(ctx.command.full_name.into()));
    }
    let added = edit_hash(ctx, |hash, limits| {
        hash.prepare(args.iter_from(2), limits);
        let pairs = (2..args.len()).step_by(2);
        Ok(pairs.filter(|&at| hash.set(args.at(at), args.at(at + 1), limits)).count())
    })?;
    changed(ctx, "hset", (args.len() - 2) / 2);
    Ok(added)
}

/// HSETNX key field value
pub(super) fn hsetnx(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (field, value) = (ctx.args.at(2), ctx.args.at(3));
    let added =
        edit_hash(ctx, |hash, limits| Ok(!hash.contains(field) && hash.set(field, value, limits)))?;
    if added {
        changed(ctx, "hset", 1);
    }
    ctx.client.reply.int(i64::from(added));
    Ok(())
}

/// HINCRBY key field increment
pub(super) fn hincrby(ctx: &mut Context<'_>) -> Result<(), Error> {
    let increment = parse_i64(ctx.args.at(3))?;
    let field = ctx.args.at(2);
    let sum = edit_hash(ctx, |hash, limits| {
        let old = hash.get(field).map_or(Ok(0), element_i64)?;
        let sum = old.checked_add(increment).ok_or(Error::Overflow)?;
        hash.set_keeping(field, itoa::Buffer::new().format(sum).as_bytes(), limits);
        Ok(sum)
    })?;
    changed(ctx, "hincrby", 1);
    ctx.client.reply.int(sum);
    Ok(())
}

fn element_i64(element: Element<'_>) -> Result<i64, Error> {
    let parsed = match element {
        Element::Int(n) => Some(n),
        Element::Bytes(bytes) => numbers::parse_i64(bytes),
    };
    parsed.ok_or_else(|| Error::err("hash value is not an integer"))
}

/// HINCRBYFLOAT key field increment
pub(super) fn hincrbyfloat(ctx: &mut Context<'_>) -> Result<(), Error> {
    let increment = LongDouble::parse(ctx.args.at(3)).ok_or(Error::NotAFloat)?;
    if !increment.is_finite() {
        return Err(Error::err("value is NaN or Infinity"));
    }
    let field = ctx.args.at(2);
    let sum = edit_hash(ctx, |hash, limits| {
        let old = hash.get(field).map_or(Ok(LongDouble::from_i64(0)), element_float)?;
        let sum = old.checked_add(increment).ok_or(Error::FloatOverflow)?.to_human();
        hash.set_keeping(field, sum.as_bytes(), limits);
        Ok(sum)
    })?;
    changed(ctx, "hincrbyfloat", 1);
    ctx.client.reply.bulk(sum.as_bytes());
    Ok(())
}

fn element_float(element: Element<'_>) -> Result<LongDouble, Error> {
    match element {
        Element::Int(n) => Ok(LongDouble::from_i64(n)),
        Element::Bytes(bytes) => {
            LongDouble::parse(bytes).ok_or_else(|| Error::err("hash value is not a float"))
        }
    }
}

/// HDEL key field [field …]
pub(super) fn hdel(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, args) = (ctx.key(1), ctx.client.db, ctx.args);
    let keyspace = &mut ctx.core.keyspace;
    let Some(hash) = write_hash(keyspace, db, &key, args.iter_from(2))? else {
        ctx.client.reply.int(0);
        return Ok(());
    };
    let mut deleted = 0;
    for field in args.iter_from(2) {
        deleted += usize::from(hash.remove(field));
        if hash.is_empty() {
            break;
        }
    }
    let emptied = hash.is_empty();
    if emptied {
        keyspace.remove(db, &key, Free::Now);
    }
    if deleted > 0 {
        changed(ctx, "hdel", deleted);
    }
    if emptied {
        ctx.core.keyspace.notify(EventClass::GENERIC, "del", db, &key);
    }
    ctx.client.reply.int(deleted as i64);
    Ok(())
}

// ---- reading

/// HGET key field
pub(super) fn hget(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    reply_value(&mut ctx.client.reply, hash.and_then(|hash| hash.get(ctx.args.at(2))));
    Ok(())
}

/// HMGET key field [field …]
pub(super) fn hmget(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let fields = ctx.args.iter_from(2);
    ctx.client.reply.array(fields.len());
    for field in fields {
        reply_value(&mut ctx.client.reply, hash.and_then(|hash| hash.get(field)));
    }
    Ok(())
}

/// HEXISTS key field
pub(super) fn hexists(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_number(ctx, |hash, args| i64::from(hash.contains(args.at(2))))
}

/// HLEN key
pub(super) fn hlen(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_number(ctx, |hash, _| hash.stored() as i64)
}

/// HSTRLEN key field
pub(super) fn hstrlen(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_number(ctx, |hash, args| hash.get(args.at(2)).map_or(0, |value| value.len() as i64))
}

/// Replies with a number that the hash gives; 0 where there is none.
fn reply_number(
    ctx: &mut Context<'_>,
    number: impl FnOnce(Live<'_>, &Args<'_>) -> i64,
) -> Result<(), Error> {
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    ctx.client.reply.int(hash.map_or(0, |hash| number(hash, &ctx.args)));
    Ok(())
}

/// HGETALL key
pub(super) fn hgetall(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let reply = &mut ctx.client.reply;
    reply.map(hash.map_or(0, Live::len));
    for (field, value) in hash.into_iter().flat_map(Live::iter) {
        reply_element(reply, field);
        reply_element(reply, value);
    }
    Ok(())
}

/// HKEYS key
pub(super) fn hkeys(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_all(ctx, |field, _| field)
}

/// HVALS key
pub(super) fn hvals(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_all(ctx, |_, value| value)
}

/// Replies with one element of each field.
fn reply_all(
    ctx: &mut Context<'_>,
    part: for<'e> fn(Element<'e>, Element<'e>) -> Element<'e>,
) -> Result<(), Error> {
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let reply = &mut ctx.client.reply;
    reply.array(hash.map_or(0, Live::len));
    for (field, value) in hash.into_iter().flat_map(Live::iter) {
        reply_element(reply, part(field, value));
    }
    Ok(())
}

/// HSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) fn hscan(ctx: &mut Context<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(ctx.args.at(2))?;
    let (key, options) = (ctx.key(1), ctx.cursor(3));
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let mut found = Vec::new();
    let mut next = 0;
    // As in Redis, nobody looks at the options where there is no hash.
    if let Some(hash) = hash {
        let options = ElementOptions::parse(options)?;
        let mut digits = itoa::Buffer::new();
        next = hash.scan(cursor, options.count, |field, value| {
            if options.admit(field.bytes(&mut digits)) {
                found.push((field, value));
            }
        });
    }
    let reply = &mut ctx.client.reply;
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(2 * found.len());
    for (field, value) in found {
        reply_element(reply, field);
        reply_element(reply, value);
    }
    Ok(())
}

// ---- at random

/// What HRANDFIELD is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draw {
    /// One field, as a reply of its own.
    One,
    /// So many different fields, as far as there are.
    Different(u64),
    /// So many fields, any of them again and again.
    Repeated(u64),
}

/// HRANDFIELD key [count [WITHVALUES]]
pub(super) fn hrandfield(ctx: &mut Context<'_>) -> Result<(), Error> {
    let bytes_max = ctx.core.output_bytes_max(ctx.client);
    let (draw, with_values) = parse_draw(&ctx.args, bytes_max)?;
    let key = ctx.key(1);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (reply, rng) = (&mut ctx.client.reply, &mut ctx.core.rng);
    let Some(hash) = hash else {
        if draw == Draw::One {
            reply.null()
        } else {
            reply.array(0)
        }
        return Ok(());
    };
    let put = |reply: &mut Reply, field: Element<'_>, value: Element<'_>| {
        if with_values {
            reply.pair();
            reply_element(reply, field);
            reply_element(reply, value);
        } else {
            reply_element(reply, field);
        }
    };
    let begin = |reply: &mut Reply, count: usize| {
        if with_values { reply.pairs(count) } else { reply.array(count) }
    };
    match draw {
        Draw::One if hash.is_empty() => reply.null(),
        Draw::One => hash.pick(rng, 1, |field, _| reply_element(reply, field)),
        Draw::Different(count) => {
            let count = usize::try_from(count).map_or(hash.len(), |count| count.min(hash.len()));
            begin(reply, count);
            hash.sample(rng, count, |field, value| put(reply, field, value));
        }
        Draw::Repeated(_) if hash.is_empty() => reply.array(0),
        Draw::Repeated(count) => {
            begin(reply, count as usize);
            draws::repeat(reply, count, bytes_max, |reply, some| {
                hash.pick(rng, some, |field, value| put(reply, field, value));
            });
        }
    }
    Ok(())
}

/// What to draw, and whether with the values.
fn parse_draw(args: &Args<'_>, bytes_max: Option<u64>) -> Result<(Draw, bool), Error> {
    let Some(count) = args.get(2) else { return Ok((Draw::One, false)) };
    let count = parse_range(count, -i64::MAX, i64::MAX)?;
    let with_values = match args.get(3) {
        Some(word) if args.len() == 4 && word.eq_ignore_ascii_case(b"WITHVALUES") => true,
        Some(_) => return Err(Error::Syntax),
        None => false,
    };
    let out_of_range = with_values && count.unsigned_abs() > i64::MAX as u64 / 2;
    if out_of_range {
        return Err(Error::ValueOutOfRange);
    }
    let repeated = count < 0;
    let count = count.unsigned_abs();
    if !repeated {
        return Ok((Draw::Different(count), with_values));
    }
    draws::check(count, bytes_max)?;
    Ok((Draw::Repeated(count), with_values))
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("hdel", -3, hdel)
        .summary("Deletes fields of a hash, and the hash with its last field.")
        .syntax("key field...")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, DELETE])])
        .element(2),
    Command::new("hexists", 3, hexists)
        .summary("Tells whether a hash has a field.")
        .syntax("key field")
        .since("2.0.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO])])
        .element(2),
    Command::new("hget", 3, hget)
        .summary("Gives the value of a field.")
        .syntax("key field")
        .since("2.0.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("hgetall", 2, hgetall)
        .summary("Gives all fields of a hash with their values.")
        .syntax("key")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields of the hash")
        .flags(&[READONLY])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("hincrby", 4, hincrby)
        .summary("Adds a number to the integer that a field holds.")
        .syntax("key field increment")
        .since("2.0.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])])
        .element(2),
    Command::new("hincrbyfloat", 4, hincrbyfloat)
        .summary("Adds a floating point number to the one that a field holds.")
        .syntax("key field increment:double")
        .since("2.6.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])])
        .element(2),
    Command::new("hkeys", 2, hkeys)
        .summary("Gives the names of all fields of a hash.")
        .syntax("key")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields of the hash")
        .flags(&[READONLY])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
    Command::new("hlen", 2, hlen)
        .summary("Gives the number of fields of a hash.")
        .syntax("key")
        .since("2.0.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("hmget", -3, hmget)
        .summary("Gives the values of several fields.")
        .syntax("key field...")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("hmset", -4, hmset)
        .summary("Sets several fields.")
        .syntax("key <field value>...")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])])
        .element(2)
        .deprecated("4.0.0", "`HSET` with several fields"),
    Command::new("hrandfield", -2, hrandfield)
        .summary("Gives random fields of a hash.")
        .syntax("key [count [WITHVALUES]]:options")
        .since("6.2.0", Group::Hash)
        .complexity("O(N), N fields given")
        .flags(&[READONLY])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("hscan", -3, hscan)
        .summary("Walks through the fields of a hash, a few per call.")
        .syntax("key cursor [MATCH pattern] [COUNT count]")
        .since("2.8.0", Group::Hash)
        .complexity("O(1) per call, O(N) for all N fields")
        .flags(&[READONLY])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("hset", -4, hset)
        .summary("Sets fields of a hash, which is created if missing.")
        .syntax("key <field value>...")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])])
        .element(2),
    Command::new("hsetnx", 4, hsetnx)
        .summary("Sets a field of a hash, but only if it does not exist.")
        .syntax("key field value")
        .since("2.0.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, INSERT])])
        .element(2),
    Command::new("hstrlen", 3, hstrlen)
        .summary("Gives the length of the value of a field in bytes.")
        .syntax("key field")
        .since("3.2.0", Group::Hash)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO])])
        .element(2),
    Command::new("hvals", 2, hvals)
        .summary("Gives all values of a hash.")
        .syntax("key")
        .since("2.0.0", Group::Hash)
        .complexity("O(N), N fields of the hash")
        .flags(&[READONLY])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output_order"]),
];
