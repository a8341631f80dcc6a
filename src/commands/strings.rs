//! Commands on strings, but for LCS (`lcs`). Options of SET and GETEX are in `string_options`.
//! Called by dispatch; all access to keys goes through the keyspace.

use super::expire::{delete_as_expired, is_past};
use super::key_batches::for_each_key;
use super::lcs::lcs;
use super::string_options::{Clock, Condition, Deadline, Expiry, SetOptions, parse_getex};
use crate::base::long_double::LongDouble;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{self, Free, Key};
use crate::resp::{Error, Reply};
use crate::value::{NewValue, Record, Type, Value, ValueRef};

/// Strings from this length on grow by this much more than is asked for; shorter ones double
/// (Redis: SDS_MAX_PREALLOC).
const GROWTH_BYTES_MAX: usize = 1024 * 1024;

// ---- what several commands share

fn require_string(record: &Record) -> Result<(), Error> {
    if record.kind() == Type::String { Ok(()) } else { Err(Error::WrongType) }
}

/// Length of a string in bytes.
fn string_len(record: &Record) -> Result<usize, Error> {
    let mut digits = itoa::Buffer::new();
    record.value().string(&mut digits).map(<[u8]>::len).ok_or(Error::WrongType)
}

/// A string as the integer that it spells.
fn string_i64(record: &Record) -> Result<i64, Error> {
    if let ValueRef::Int(n) = record.value() {
        return Ok(n);
    }
    let mut digits = itoa::Buffer::new();
    parse_i64(record.value().string(&mut digits).ok_or(Error::WrongType)?)
}

/// A copy of the string at the key of an argument, empty where there is none. Counts as a read.
pub(super) fn string_bytes(ctx: &mut Context<'_>, index: usize) -> Result<Vec<u8>, Error> {
    let key = ctx.key(index);
    let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, &key) else {
        return Ok(Vec::new());
    };
    let mut digits = itoa::Buffer::new();
    record.value().string(&mut digits).map(<[u8]>::to_vec).ok_or(Error::WrongType)
}

/// Replies with a string; an error, and nothing written, for any other type.
#[inline]
fn reply_string(reply: &mut Reply, record: &Record) -> Result<(), Error> {
    let mut digits = itoa::Buffer::new();
    reply.bulk(record.value().string(&mut digits).ok_or(Error::WrongType)?);
    Ok(())
}

/// Replies with the string at a key, or null. Counts as a read.
#[inline]
fn reply_stored(ctx: &mut Context<'_>, key: &Key<'_>) -> Result<(), Error> {
    match ctx.core.keyspace.lookup_read(ctx.client.db, key) {
        Some(record) => reply_string(&mut ctx.client.reply, record)?,
        None => ctx.client.reply.null(),
    }
    Ok(())
}

/// A string's value was changed: counts it and reports it.
#[inline]
fn changed(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>) {
    ctx.core.keyspace.notify(EventClass::STRING, event, ctx.client.db, key);
    ctx.core.keyspace.dirty += 1;
}

/// Refuses a string of `offset + more` bytes that is longer than proto-max-bulk-len.
fn check_length(ctx: &Context<'_>, offset: usize, more: usize) -> Result<(), Error> {
    let fits = |total: &usize| *total <= ctx.core.config.proto_max_bulk_len;
    offset.checked_add(more).filter(fits).map(|_| ()).ok_or(Error::StringTooLong)
}

/// Makes room for a string to become `len` bytes long.
fn reserve(bytes: &mut Vec<u8>, len: usize) {
    if len > bytes.capacity() {
        let spare = len.min(GROWTH_BYTES_MAX);
        bytes.reserve_exact(len + spare - bytes.len());
    }
}

/// Makes a string longer, with zeros at its end.
pub(super) fn pad(bytes: &mut Vec<u8>, len: usize) {
    if len > bytes.capacity() && len > 2 * bytes.len() {
        // Zeroed by the kernel where it is long.
        let mut longer = vec![0; len + len.min(GROWTH_BYTES_MAX)];
        longer[..bytes.len()].copy_from_slice(bytes);
        longer.truncate(len);
        *bytes = longer;
    } else {
        reserve(bytes, len);
        bytes.resize(len, 0);
    }
}

// ---- GET and SET

/// GET key
pub(super) fn get(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    reply_stored(ctx, &key)
}

/// SET key value [NX | XX] [GET] [EX s | PX ms | EXAT s | PXAT ms | KEEPTTL]
pub(super) fn set(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = SetOptions::parse(ctx.cursor(3))?;
    let written = set_with(ctx, ctx.args.at(2), options)?;
    match (options.get, written) {
        // The old value was the reply.
        (true, _) => {}
        (false, true) => ctx.client.reply.ok(),
        (false, false) => ctx.client.reply.null(),
    }
    Ok(())
}

/// SETNX key value
pub(super) fn setnx(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = SetOptions { condition: Condition::Absent, ..SetOptions::default() };
    let written = set_with(ctx, ctx.args.at(2), options)?;
    ctx.client.reply.int(i64::from(written));
    Ok(())
}

/// SETEX key seconds value
pub(super) fn setex(ctx: &mut Context<'_>) -> Result<(), Error> {
    set_expiring(ctx, Clock::SecondsFromNow)
}

/// PSETEX key milliseconds value
pub(super) fn psetex(ctx: &mut Context<'_>) -> Result<(), Error> {
    set_expiring(ctx, Clock::MillisFromNow)
}

fn set_expiring(ctx: &mut Context<'_>, clock: Clock) -> Result<(), Error> {
    let expiry = Expiry::At(Deadline { clock, text: ctx.args.at(2) });
    set_with(ctx, ctx.args.at(3), SetOptions { expiry, ..SetOptions::default() })?;
    ctx.client.reply.ok();
    Ok(())
}

/// Sets the command's key, unless the condition says no; whether it did. Replies only to GET.
fn set_with(ctx: &mut Context<'_>, value: &[u8], options: SetOptions<'_>) -> Result<bool, Error> {
    let expiry = match options.expiry {
        Expiry::Unsaid | Expiry::Persist => keyspace::Expiry::None,
        Expiry::Keep => keyspace::Expiry::Keep,
        Expiry::At(deadline) => keyspace::Expiry::At(resolve(ctx, deadline)?),
    };
    let key = ctx.key(1);
    if options.get {
        reply_stored(ctx, &key)?;
    }
    let db = ctx.client.db;
    let keyspace = &mut ctx.core.keyspace;
    let permitted = match options.condition {
        Condition::Always => true,
        Condition::Absent => keyspace.lookup_write(db, &key).is_none(),
        Condition::Present => keyspace.lookup_write(db, &key).is_some(),
    };
    if !permitted {
        return Ok(false);
    }
    keyspace.set(db, &key, NewValue::from_bytes(value), expiry);
    changed(ctx, "set", &key);
    if matches!(expiry, keyspace::Expiry::At(_)) {
        ctx.core.keyspace.notify(EventClass::GENERIC, "expire", db, &key);
    }
    Ok(true)
}

fn resolve(ctx: &Context<'_>, deadline: Deadline<'_>) -> Result<i64, Error> {
    deadline.resolve(ctx.now_ms() as i64, ctx.command.full_name)
}

/// GETSET key value
pub(super) fn getset(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    reply_stored(ctx, &key)?;
    let value = NewValue::from_bytes(ctx.args.at(2));
    ctx.core.keyspace.set(ctx.client.db, &key, value, keyspace::Expiry::None);
    changed(ctx, "set", &key);
    Ok(())
}

/// GETDEL key
pub(super) fn getdel(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    reply_stored(ctx, &key)?;
    let db = ctx.client.db;
    if ctx.core.keyspace.remove(db, &key, Free::Now) {
        ctx.core.keyspace.notify(EventClass::GENERIC, "del", db, &key);
        ctx.core.keyspace.dirty += 1;
    }
    Ok(())
}

/// GETEX key [EX s | PX ms | EXAT s | PXAT ms | PERSIST]
pub(super) fn getex(ctx: &mut Context<'_>) -> Result<(), Error> {
    let expiry = parse_getex(ctx.cursor(2))?;
    let (key, db, now_ms) = (ctx.key(1), ctx.client.db, ctx.now_ms() as i64);
    let Some(record) = ctx.core.keyspace.lookup_read(db, &key) else {
        ctx.client.reply.null();
        return Ok(());
    };
    require_string(record)?;
    let expires = record.has_expire();
    let deadline = match expiry {
        Expiry::At(deadline) => Some(deadline.resolve(now_ms, ctx.command.full_name)?),
        Expiry::Unsaid | Expiry::Keep | Expiry::Persist => None,
    };
    reply_string(&mut ctx.client.reply, record)?;
    match deadline {
        Some(at) if is_past(ctx, at) => delete_as_expired(ctx, &key),
        Some(at) => set_expiry(ctx, &key, Some(at), "expire"),
        None if expiry == Expiry::Persist && expires => set_expiry(ctx, &key, None, "persist"),
        None => {}
    }
    Ok(())
}

fn set_expiry(ctx: &mut Context<'_>, key: &Key<'_>, at: Option<i64>, event: &'static str) {
    ctx.core.keyspace.set_expire(ctx.client.db, key, at);
    ctx.core.keyspace.notify(EventClass::GENERIC, event, ctx.client.db, key);
    ctx.core.keyspace.dirty += 1;
}

// ---- several keys

/// MGET key [key …]
pub(super) fn mget(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.array(ctx.args.len() - 1);
    for_each_key(ctx, 1, |ctx, _, key| {
        // A key of another type reads as none.
        if reply_stored(ctx, key).is_err() {
            ctx.client.reply.null();
        }
    });
    Ok(())
}

/// MSET key value [key value …]
pub(super) fn mset(ctx: &mut Context<'_>) -> Result<(), Error> {
    check_pairs(ctx)?;
    set_pairs(ctx);
    ctx.client.reply.ok();
    Ok(())
}

/// MSETNX key value [key value …]
pub(super) fn msetnx(ctx: &mut Context<'_>) -> Result<(), Error> {
    check_pairs(ctx)?;
    let mut found = false;
    for_each_key(ctx, 2, |ctx, _, key| {
        found = found || ctx.core.keyspace.lookup_write(ctx.client.db, key).is_some();
    });
    if !found {
        set_pairs(ctx);
    }
    ctx.client.reply.int(i64::from(!found));
    Ok(())
}

fn check_pairs(ctx: &Context<'_>) -> Result<(), Error> {
    let paired = ctx.args.len() % 2 == 1;
    if paired { Ok(()) } else { Err(Error::WrongArity(ctx.command.full_name.into())) }
}

fn set_pairs(ctx: &mut Context<'_>) {
    for_each_key(ctx, 2, |ctx, index, key| {
        let value = NewValue::from_bytes(ctx.args.at(index + 1));
        ctx.core.keyspace.set(ctx.client.db, key, value, keyspace::Expiry::None);
        changed(ctx, "set", key);
    });
}

// ---- counters

/// INCR key
pub(super) fn incr(ctx: &mut Context<'_>) -> Result<(), Error> {
    add(ctx, 1)
}

/// DECR key
pub(super) fn decr(ctx: &mut Context<'_>) -> Result<(), Error> {
    add(ctx, -1)
}

/// INCRBY key increment
pub(super) fn incrby(ctx: &mut Context<'_>) -> Result<(), Error> {
    add(ctx, parse_i64(ctx.args.at(2))?)
}

/// DECRBY key decrement
pub(super) fn decrby(ctx: &mut Context<'_>) -> Result<(), Error> {
    let decrement = parse_i64(ctx.args.at(2))?;
    let overflow = || Error::err("decrement would overflow");
    add(ctx, decrement.checked_neg().ok_or_else(overflow)?)
}

fn add(ctx: &mut Context<'_>, increment: i64) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let sum = match ctx.core.keyspace.lookup_write(db, &key) {
        Some(mut record) => {
            let old = string_i64(&record)?;
            let sum = old.checked_add(increment).ok_or(Error::Overflow)?;
            // A string that spelled a number is short: it can be freed here.
            drop(record.set_int(sum));
            ctx.core.keyspace.signal_modified(db, &key);
            sum
        }
        None => {
            ctx.core.keyspace.insert(db, &key, NewValue::Int(increment), None);
            increment
        }
    };
    changed(ctx, "incrby", &key);
    ctx.client.reply.int(sum);
    Ok(())
}

/// INCRBYFLOAT key increment
pub(super) fn incrbyfloat(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let old = match ctx.core.keyspace.lookup_write(db, &key) {
        Some(record) => match record.value() {
            ValueRef::Int(n) => LongDouble::from_i64(n),
            value => {
                let mut digits = itoa::Buffer::new();
                parse_float(value.string(&mut digits).ok_or(Error::WrongType)?)?
            }
        },
        None => LongDouble::from_i64(0),
    };
    let increment = parse_float(ctx.args.at(2))?;
    let sum = old.checked_add(increment).ok_or(Error::FloatOverflow)?.to_human();
    let value = NewValue::Bytes(sum.as_bytes());
    ctx.core.keyspace.set(db, &key, value, keyspace::Expiry::Keep);
    changed(ctx, "incrbyfloat", &key);
    ctx.client.reply.bulk(sum.as_bytes());
    Ok(())
}

fn parse_float(text: &[u8]) -> Result<LongDouble, Error> {
    LongDouble::parse(text).ok_or(Error::NotAFloat)
}

// ---- parts of strings

/// APPEND key value
pub(super) fn append(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, tail) = (ctx.key(1), ctx.client.db, ctx.args.at(2));
    let old_len = match ctx.core.keyspace.lookup_write(db, &key) {
        Some(record) => Some(string_len(&record)?),
        None => None,
    };
    let len = old_len.unwrap_or(0) + tail.len();
    if let Some(old_len) = old_len {
        check_length(ctx, old_len, tail.len())?;
        if let Some(bytes) = ctx.core.keyspace.string_mut(db, &key) {
            reserve(bytes, len);
            bytes.extend_from_slice(tail);
        }
    } else {
        ctx.core.keyspace.insert(db, &key, NewValue::from_bytes(tail), None);
    }
    changed(ctx, "append", &key);
    ctx.client.reply.int(len as i64);
    Ok(())
}

/// SETRANGE key offset value
pub(super) fn setrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    let offset = parse_i64(ctx.args.at(2))?;
    let offset = usize::try_from(offset).map_err(|_| Error::err("offset is out of range"))?;
    let (key, db, part) = (ctx.key(1), ctx.client.db, ctx.args.at(3));
    let old_len = match ctx.core.keyspace.lookup_write(db, &key) {
        Some(record) => Some(string_len(&record)?),
        None => None,
    };
    if part.is_empty() {
        ctx.client.reply.int(old_len.unwrap_or(0) as i64);
        return Ok(());
    }
    check_length(ctx, offset, part.len())?;
    let end = offset + part.len();
    if old_len.is_none() {
        // Zeroed by the kernel where it is long, which a copy would not be.
        let mut bytes = vec![0; end];
        bytes[offset..].copy_from_slice(part);
        let value = NewValue::Owned(Value::String(bytes));
        ctx.core.keyspace.insert(db, &key, value, None);
    } else if let Some(bytes) = ctx.core.keyspace.string_mut(db, &key) {
        if bytes.len() < end {
            pad(bytes, end);
        }
        bytes[offset..end].copy_from_slice(part);
    }
    changed(ctx, "setrange", &key);
    ctx.client.reply.int(end.max(old_len.unwrap_or(0)) as i64);
    Ok(())
}

/// GETRANGE key start end
pub(super) fn getrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (start, end) = (parse_i64(ctx.args.at(2))?, parse_i64(ctx.args.at(3))?);
    let key = ctx.key(1);
    let mut digits = itoa::Buffer::new();
    let text = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => record.value().string(&mut digits).ok_or(Error::WrongType)?,
        None => &[],
    };
    ctx.client.reply.bulk(part_of(text, start, end));
    Ok(())
}

/// SUBSTR key start end
pub(super) fn substr(ctx: &mut Context<'_>) -> Result<(), Error> {
    getrange(ctx)
}

/// The bytes from `start` to `end`, both included and, where negative, counted from behind.
fn part_of(text: &[u8], start: i64, end: i64) -> &[u8] {
    // Both far before the beginning would otherwise meet at the first byte.
    if start < 0 && end < 0 && start > end {
        return &[];
    }
    let len = text.len() as i64;
    let from_front = |index: i64| if index < 0 { (len + index).max(0) } else { index };
    let (start, end) = (from_front(start), from_front(end).min(len - 1));
    text.get(start as usize..(end + 1) as usize).unwrap_or(&[])
}

/// STRLEN key
pub(super) fn strlen(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let len = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => string_len(record)?,
        None => 0,
    };
    ctx.client.reply.int(len as i64);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("append", 3, append)
        .summary("Adds bytes to the end of a string, which is created if missing.")
        .syntax("key value")
        .since("2.0.0", Group::String)
        .complexity("O(1) amortized")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("decr", 2, decr)
        .summary("Subtracts one from the integer that a string holds.")
        .syntax("key")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("decrby", 3, decrby)
        .summary("Subtracts a number from the integer that a string holds.")
        .syntax("key decrement")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("get", 2, get)
        .summary("Gives the string at a key.")
        .syntax("key")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("getdel", 2, getdel)
        .summary("Gives the string at a key and deletes the key.")
        .syntax("key")
        .since("6.2.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("getex", -2, getex)
        .summary("Gives the string at a key and sets or removes its expiry.")
        .syntax(
            "key [EX seconds | PX milliseconds | EXAT unix-time-seconds \
             | PXAT unix-time-milliseconds | PERSIST]:expiration",
        )
        .since("6.2.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])
            .note("Counts as a write because it can change the expiry.")]),
    Command::new("getrange", 4, getrange)
        .summary("Gives a part of a string by its first and last byte.")
        .syntax("key start end")
        .since("2.4.0", Group::String)
        .complexity("O(N), N bytes given")
        .flags(&[READONLY])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("getset", 3, getset)
        .summary("Replaces a string and gives the old one.")
        .syntax("key value")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])])
        .deprecated("6.2.0", "`SET` with `GET`"),
    Command::new("incr", 2, incr)
        .summary("Adds one to the integer that a string holds.")
        .syntax("key")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("incrby", 3, incrby)
        .summary("Adds a number to the integer that a string holds.")
        .syntax("key increment")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("incrbyfloat", 3, incrbyfloat)
        .summary("Adds a floating point number to the one that a string holds.")
        .syntax("key increment:double")
        .since("2.6.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("lcs", -3, lcs)
        .summary("Finds the longest common subsequence of two strings.")
        .syntax("key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]")
        .since("7.0.0", Group::String)
        .complexity("O(N*M), N and M being the lengths")
        .flags(&[READONLY])
        .categories(&[STRING])
        .keys(&[KeySpec::range(1, 1, 1, &[RO, ACCESS])]),
    Command::new("mget", -2, mget)
        .summary("Gives the strings at several keys.")
        .syntax("key...")
        .since("1.0.0", Group::String)
        .complexity("O(N), N keys")
        .flags(&[READONLY, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::range(1, -1, 1, &[RO, ACCESS])])
        .tips(&["request_policy:multi_shard"]),
    Command::new("mset", -3, mset)
        .summary("Sets several keys to strings at once.")
        .syntax("<key value>...")
        .since("1.0.1", Group::String)
        .complexity("O(N), N keys")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::range(1, -1, 2, &[OW, UPDATE])])
        .tips(&["request_policy:multi_shard", "response_policy:all_succeeded"]),
    Command::new("msetnx", -3, msetnx)
        .summary("Sets several keys to strings, but only if none of them exists.")
        .syntax("<key value>...")
        .since("1.0.1", Group::String)
        .complexity("O(N), N keys")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::range(1, -1, 2, &[OW, INSERT])]),
    Command::new("psetex", 4, psetex)
        .summary("Sets a string that expires after some milliseconds.")
        .syntax("key milliseconds value")
        .since("2.6.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[OW, UPDATE])])
        .deprecated("2.6.12", "`SET` with `PX`"),
    Command::new("set", -3, set)
        .summary("Sets a key to a string, whatever it held before.")
        .syntax(
            "key value [NX | XX]:condition@2.6.12 [GET]@6.2.0 [EX seconds@2.6.12 \
             | PX milliseconds@2.6.12 | EXAT unix-time-seconds@6.2.0 \
             | PXAT unix-time-milliseconds@6.2.0 | KEEPTTL@6.0.0]:expiration",
        )
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .note("Reads the key only with the option GET.")])
        .find_keys(find_keys::set),
    Command::new("setex", 4, setex)
        .summary("Sets a string that expires after some seconds.")
        .syntax("key seconds value")
        .since("2.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[OW, UPDATE])])
        .deprecated("2.6.12", "`SET` with `EX`"),
    Command::new("setnx", 3, setnx)
        .summary("Sets a key to a string, but only if it does not exist.")
        .syntax("key value")
        .since("1.0.0", Group::String)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[OW, INSERT])])
        .deprecated("2.6.12", "`SET` with `NX`"),
    Command::new("setrange", 4, setrange)
        .summary("Overwrites a part of a string, padding it with zero bytes where it is too short.")
        .syntax("key offset value")
        .since("2.2.0", Group::String)
        .complexity("O(1), or O(N) for N bytes that are copied")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("strlen", 2, strlen)
        .summary("Gives the length of a string in bytes.")
        .syntax("key")
        .since("2.2.0", Group::String)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("substr", 4, substr)
        .summary("Gives a part of a string by its first and last byte.")
        .syntax("key start end")
        .since("1.0.0", Group::String)
        .complexity("O(N), N bytes given")
        .flags(&[READONLY])
        .categories(&[STRING])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("2.0.0", "`GETRANGE`"),
];

#[cfg(test)]
mod tests {
    use super::part_of;

    #[test]
    fn parts() {
        let part = |start, end| String::from_utf8_lossy(part_of(b"Hello", start, end)).into_owned();
        assert_eq!(part(0, -1), "Hello");
        assert_eq!(part(-3, -2), "ll");
        assert_eq!(part(1, 1000), "ello");
        assert_eq!(part(i64::MIN, i64::MAX), "Hello");
        // As Redis: an end before the beginning is the beginning.
        assert_eq!(part(0, -100), "H");
        for (start, end) in [(-1, -3), (3, 1), (5, 9), (-100, -200), (i64::MAX, i64::MAX)] {
            assert_eq!(part(start, end), "");
        }
        assert_eq!(part_of(b"", 0, -1), b"");
    }
}
