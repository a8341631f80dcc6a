//! Fields of hashes that expire, as in Redis 7.4: HEXPIRE and its kin, HTTL and its kin, HPERSIST;
//! and of Redis 8 HGETEX, HSETEX and HGETDEL. Called by dispatch; how a hash keeps the times is
//! decided in `value::hash`, when fields go by themselves in the keyspace.

use super::expire::is_past;
use super::hashes::{edit_hash, read_hash, reply_value, write_hash};
use super::string_options::Clock;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::Free;
use crate::keyspace::events::EventClass;
use crate::resp::{Args, Error};
use crate::value::{Hash, ValueRef};

/// Times from here on are no expiry of a field (Redis 7.4: HFE_MAX_ABS_TIME_MSEC).
const EXPIRY_END_MS: i64 = 1 << 46;

/// Codes of single fields.
const ABSENT: i64 = -2;
const UNSET: i64 = -1;
const NOT_MET: i64 = 0;
const DONE: i64 = 1;
const DELETED: i64 = 2;

// ---- what several commands share

/// Where the fields begin that `FIELDS count`, at an index, announces; so many must follow.
fn parse_fields(args: &Args<'_>, at: usize) -> Result<usize, Error> {
    if !args.get(at).is_some_and(|word| word.eq_ignore_ascii_case(b"FIELDS")) {
        return Err(Error::err(
            "Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = args.get(at + 1).and_then(|count| parse_i64(count).ok()).filter(|&n| n > 0);
    let count =
        count.ok_or_else(|| Error::err("Parameter `numFields` should be greater than 0"))?;
    if usize::try_from(count) != Ok(args.len() - (at + 2)) {
        return Err(Error::err("The `numfields` parameter must match the number of arguments"));
    }
    Ok(at + 2)
}

/// A time of a clock in milliseconds since the epoch; it may lie in the past.
fn parse_time(ctx: &Context<'_>, text: &[u8], clock: Clock) -> Result<i64, Error> {
    let number = parse_i64(text)?;
    if number < 0 {
        return Err(Error::err("invalid expire time, must be >= 0"));
    }
    let scale = if clock.is_in_seconds() { 1000 } else { 1 };
    let origin = if clock.is_relative() { ctx.now_ms() as i64 } else { 0 };
    number
        .checked_mul(scale)
        .and_then(|ms| ms.checked_add(origin))
        .filter(|&at_ms| at_ms < EXPIRY_END_MS)
        .ok_or(Error::InvalidExpire(ctx.command.full_name.into()))
}

/// What became of the fields of a command, for its events.
#[derive(Clone, Copy, Debug, Default)]
struct Outcome {
    set: usize,
    expiring: usize,
    persistent: usize,
    deleted: usize,
}

/// Signals, reports and counts what became of fields; removes the key with its last one.
fn conclude(ctx: &mut Context<'_>, outcome: Outcome) {
    let Outcome { set, expiring, persistent, deleted } = outcome;
    let changes = set.max(expiring) + persistent + deleted;
    if changes == 0 {
        return;
    }
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    let emptied = keyspace
        .peek(db, &key)
        .is_some_and(|record| matches!(record.value(), ValueRef::Hash(hash) if hash.is_empty()));
    if emptied {
        keyspace.remove(db, &key, Free::Now);
    } else {
        keyspace.note_fields(db, &key);
        keyspace.signal_modified(db, &key);
    }
    let events =
        [("hset", set), ("hexpire", expiring), ("hpersist", persistent), ("hdel", deleted)];
    for (event, _) in events.into_iter().filter(|&(_, count)| count > 0) {
        keyspace.notify(EventClass::HASH, event, db, &key);
    }
    if emptied {
        keyspace.notify(EventClass::GENERIC, "del", db, &key);
    }
    keyspace.dirty += changes as u64;
}

/// Replies with a number for each of the fields from an argument on.
fn reply_codes(ctx: &mut Context<'_>, codes: impl ExactSizeIterator<Item = i64>) {
    ctx.client.reply.array(codes.len());
    codes.for_each(|code| ctx.client.reply.int(code));
}

// ---- expiry

/// What must be true of a field's old expiry for the new one to take its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Condition {
    Always,
    /// NX: there is none.
    Absent,
    /// XX: there is one.
    Present,
    /// GT: it is earlier than the new one.
    Greater,
    /// LT: it is later than the new one.
    Less,
}

impl Condition {
    fn parse(word: &[u8]) -> Option<Condition> {
        Some(match word {
            w if w.eq_ignore_ascii_case(b"NX") => Condition::Absent,
            w if w.eq_ignore_ascii_case(b"XX") => Condition::Present,
            w if w.eq_ignore_ascii_case(b"GT") => Condition::Greater,
            w if w.eq_ignore_ascii_case(b"LT") => Condition::Less,
            _ => return None,
        })
    }

    /// A field without expiry lives forever: nothing is later, and any time is earlier.
    fn permits(self, old: Option<i64>, new: i64) -> bool {
        match self {
            Condition::Always => true,
            Condition::Absent => old.is_none(),
            Condition::Present => old.is_some(),
            Condition::Greater => old.is_some_and(|old| new > old),
            Condition::Less => old.is_none_or(|old| new < old),
        }
    }
}

/// HEXPIRE key seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub(super) fn hexpire(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::SecondsFromNow)
}

/// HPEXPIRE key milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub(super) fn hpexpire(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::MillisFromNow)
}

/// HEXPIREAT key unix-time-seconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub(super) fn hexpireat(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::UnixSeconds)
}

/// HPEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT] FIELDS numfields field [field …]
pub(super) fn hpexpireat(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::UnixMillis)
}

fn expire_at(ctx: &mut Context<'_>, clock: Clock) -> Result<(), Error> {
    let args = ctx.args;
    let at_ms = parse_time(ctx, args.at(2), clock)?;
    let condition = Condition::parse(args.at(3));
    let first = parse_fields(&args, 3 + usize::from(condition.is_some()))?;
    let condition = condition.unwrap_or(Condition::Always);
    let (key, db, past) = (ctx.key(1), ctx.client.db, is_past(ctx, at_ms));
    let (fields, mut outcome) = (args.iter_from(first), Outcome::default());
    let hash = write_hash(&mut ctx.core.keyspace, db, &key, fields.clone())?;
    let Some(hash) = hash else {
        reply_codes(ctx, fields.map(|_| ABSENT));
        return Ok(());
    };
    let codes: Vec<i64> = fields
        .map(|field| match hash.entry(field) {
            None => ABSENT,
            Some((_, old)) if !condition.permits(old, at_ms) => NOT_MET,
            Some(_) if past => {
                hash.remove(field);
                outcome.deleted += 1;
                DELETED
            }
            Some(_) => {
                hash.set_expiry(field, Some(at_ms));
                outcome.expiring += 1;
                DONE
            }
        })
        .collect();
    conclude(ctx, outcome);
    reply_codes(ctx, codes.into_iter());
    Ok(())
}

/// HPERSIST key FIELDS numfields field [field …]
pub(super) fn hpersist(ctx: &mut Context<'_>) -> Result<(), Error> {
    let first = parse_fields(&ctx.args, 2)?;
    let (key, db, fields) = (ctx.key(1), ctx.client.db, ctx.args.iter_from(first));
    let mut outcome = Outcome::default();
    let hash = write_hash(&mut ctx.core.keyspace, db, &key, fields.clone())?;
    let Some(hash) = hash else {
        reply_codes(ctx, fields.map(|_| ABSENT));
        return Ok(());
    };
    let codes: Vec<i64> = fields
        .map(|field| match hash.entry(field) {
            None => ABSENT,
            Some((_, None)) => UNSET,
            Some((_, Some(_))) => {
                hash.set_expiry(field, None);
                outcome.persistent += 1;
                DONE
            }
        })
        .collect();
    conclude(ctx, outcome);
    reply_codes(ctx, codes.into_iter());
    Ok(())
}

/// HTTL key FIELDS numfields field [field …]
pub(super) fn httl(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_times(ctx, |at_ms, now_ms| to_seconds((at_ms - now_ms).max(0)))
}

/// HPTTL key FIELDS numfields field [field …]
pub(super) fn hpttl(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_times(ctx, |at_ms, now_ms| (at_ms - now_ms).max(0))
}

/// HEXPIRETIME key FIELDS numfields field [field …]
pub(super) fn hexpiretime(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_times(ctx, |at_ms, _| to_seconds(at_ms))
}

/// HPEXPIRETIME key FIELDS numfields field [field …]
pub(super) fn hpexpiretime(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_times(ctx, |at_ms, _| at_ms)
}

/// Rounded up.
fn to_seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 > 0)
}

/// Replies with what `show` makes of each field's expiry and the present.
fn reply_times(ctx: &mut Context<'_>, show: fn(i64, i64) -> i64) -> Result<(), Error> {
    let first = parse_fields(&ctx.args, 2)?;
    let (key, now_ms) = (ctx.key(1), ctx.now_ms() as i64);
    let hash = read_hash(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let fields = ctx.args.iter_from(first);
    ctx.client.reply.array(fields.len());
    for field in fields {
        ctx.client.reply.int(match hash.and_then(|hash| hash.expiry(field)) {
            None => ABSENT,
            Some(None) => UNSET,
            Some(Some(at_ms)) => show(at_ms, now_ms),
        });
    }
    Ok(())
}

// ---- reading and writing with expiry

/// What HGETEX and HSETEX say of the expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Expiry {
    /// Nothing: HGETEX leaves it, HSETEX removes it.
    #[default]
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// EX, PX, EXAT or PXAT.
    At(i64),
}

/// The options of HGETEX and HSETEX.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    expiry: Expiry,
    /// FNX (false) or FXX (true): whether all fields must exist, or none.
    existing: Option<bool>,
    /// Where the fields begin.
    first: usize,
}

/// Which of the two commands it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Get,
    Set,
}

impl Access {
    /// Arguments per field.
    fn stride(self) -> usize {
        match self {
            Access::Get => 1,
            Access::Set => 2,
        }
    }

    /// The words of another option where there was one of the same kind already.
    fn ambiguous(self) -> Error {
        Error::err(match self {
            Access::Get => "Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
            Access::Set => "Only one of EX, PX, EXAT, PXAT or KEEPTTL arguments can be specified",
        })
    }
}

impl Options {
    fn parse(ctx: &Context<'_>, access: Access) -> Result<Self, Error> {
        let mut options = Options::default();
        let mut cursor = ctx.cursor(2);
        loop {
            let expiry = match cursor.next().map(<[u8]>::to_ascii_uppercase).as_deref() {
                None => return Err(Error::err("missing FIELDS argument")),
                Some(b"FIELDS") => break,
                Some(word @ (b"FNX" | b"FXX")) if access == Access::Set => {
                    if options.existing.replace(word == b"FXX").is_some() {
                        return Err(Error::err(
                            "Only one of FXX or FNX arguments can be specified",
                        ));
                    }
                    continue;
                }
                Some(b"KEEPTTL") if access == Access::Set => Expiry::Keep,
                Some(b"PERSIST") if access == Access::Get => Expiry::Persist,
                Some(word) => {
                    let clock = match word {
                        b"EX" => Clock::SecondsFromNow,
                        b"PX" => Clock::MillisFromNow,
                        b"EXAT" => Clock::UnixSeconds,
                        b"PXAT" => Clock::UnixMillis,
                        _ => return Err(unknown(ctx.args.at(cursor.position() - 1))),
                    };
                    if options.expiry != Expiry::Unsaid {
                        return Err(access.ambiguous());
                    }
                    Expiry::At(parse_time(ctx, cursor.expect()?, clock)?)
                }
            };
            if options.expiry != Expiry::Unsaid {
                return Err(access.ambiguous());
            }
            options.expiry = expiry;
        }
        let count = cursor.next().and_then(|count| parse_i64(count).ok()).filter(|&n| n > 0);
        let count = count.ok_or_else(|| Error::err("invalid number of fields"))?;
        let wanted = usize::try_from(count).ok().and_then(|n| n.checked_mul(access.stride()));
        if wanted != Some(cursor.remaining()) {
            return Err(Error::err("wrong number of arguments"));
        }
        Ok(Options { first: cursor.position(), ..options })
    }
}

fn unknown(word: &[u8]) -> Error {
    Error::err(format_args!("unknown argument: {}", String::from_utf8_lossy(word)))
}

/// HGETEX key [EX seconds | PX milliseconds | EXAT time | PXAT time | PERSIST] FIELDS numfields
/// field [field …]
pub(super) fn hgetex(ctx: &mut Context<'_>) -> Result<(), Error> {
    let Options { expiry, first, .. } = Options::parse(ctx, Access::Get)?;
    let past = matches!(expiry, Expiry::At(at_ms) if is_past(ctx, at_ms));
    let mut outcome = Outcome::default();
    get_each(ctx, first, |hash, field| match (expiry, hash.entry(field)) {
        (_, None) | (Expiry::Unsaid | Expiry::Keep, _) => {}
        (Expiry::At(_), _) if past => outcome.deleted += usize::from(hash.remove(field)),
        (Expiry::At(at_ms), _) => {
            outcome.expiring += usize::from(hash.set_expiry(field, Some(at_ms)));
        }
        (Expiry::Persist, Some((_, old))) => {
            if old.is_some() {
                hash.set_expiry(field, None);
                outcome.persistent += 1;
            }
        }
    })?;
    conclude(ctx, outcome);
    Ok(())
}

/// HGETDEL key FIELDS numfields field [field …]
pub(super) fn hgetdel(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = &ctx.args;
    if !args.at(2).eq_ignore_ascii_case(b"FIELDS") {
        return Err(Error::err(
            "Mandatory argument FIELDS is missing or not at the right position",
        ));
    }
    let count = parse_i64(args.at(3)).ok().filter(|&n| n > 0);
    let count = count.ok_or_else(|| Error::err("Number of fields must be a positive integer"))?;
    if usize::try_from(count) != Ok(args.len() - 4) {
        return Err(Error::err("The `numfields` parameter must match the number of arguments"));
    }
    let mut outcome = Outcome::default();
    get_each(ctx, 4, |hash, field| outcome.deleted += usize::from(hash.remove(field)))?;
    conclude(ctx, outcome);
    Ok(())
}

/// Replies with the values of the fields from an argument on, and does something with each.
fn get_each(
    ctx: &mut Context<'_>,
    first: usize,
    mut then: impl FnMut(&mut Hash, &[u8]),
) -> Result<(), Error> {
    let (key, db, fields) = (ctx.key(1), ctx.client.db, ctx.args.iter_from(first));
    let mut hash = write_hash(&mut ctx.core.keyspace, db, &key, fields.clone())?;
    let reply = &mut ctx.client.reply;
    reply.array(fields.len());
    for field in fields {
        reply_value(reply, hash.as_deref().and_then(|hash| hash.get(field)));
        if let Some(hash) = hash.as_deref_mut() {
            then(hash, field);
        }
    }
    Ok(())
}

/// HSETEX key [FNX | FXX] [EX seconds | PX milliseconds | EXAT time | PXAT time | KEEPTTL] FIELDS
/// numfields field value [field value …]
pub(super) fn hsetex(ctx: &mut Context<'_>) -> Result<(), Error> {
    let Options { expiry, existing, first } = Options::parse(ctx, Access::Set)?;
    let (key, db, args) = (ctx.key(1), ctx.client.db, ctx.args);
    let past = matches!(expiry, Expiry::At(at_ms) if is_past(ctx, at_ms));
    let names = (first..args.len()).step_by(2).map(|at| args.at(at));
    let hash = write_hash(&mut ctx.core.keyspace, db, &key, names.clone())?;
    let exists = |field| hash.as_deref().is_some_and(|hash| hash.contains(field));
    if existing.is_some_and(|wanted| names.clone().any(|field| exists(field) != wanted)) {
        ctx.client.reply.int(0);
        return Ok(());
    }
    let mut outcome = Outcome::default();
    if past {
        // Set and expired at once is deleted.
        let hash = hash.into_iter();
        outcome.deleted = hash.map(|hash| names.clone().filter(|f| hash.remove(f)).count()).sum();
    } else {
        edit_hash(ctx, |hash, limits| {
            hash.prepare(args.iter_from(first), limits);
            for at in (first..args.len()).step_by(2) {
                let (field, value) = (args.at(at), args.at(at + 1));
                match expiry {
                    Expiry::Keep => _ = hash.set_keeping(field, value, limits),
                    Expiry::Unsaid | Expiry::Persist => _ = hash.set(field, value, limits),
                    Expiry::At(at_ms) => {
                        hash.set_keeping(field, value, limits);
                        hash.set_expiry(field, Some(at_ms));
                    }
                }
            }
            Ok(())
        })?;
        outcome.set = names.count();
        outcome.expiring = if matches!(expiry, Expiry::At(_)) { outcome.set } else { 0 };
    }
    conclude(ctx, outcome);
    ctx.client.reply.int(1);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("hexpire", -6, hexpire)
        .summary("Has fields of a hash expire in some seconds.")
        .syntax(
            "key seconds [NX | XX | GT | LT]:condition \
             FIELDS <numfields:integer field...>:fields",
        )
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("hexpireat", -6, hexpireat)
        .summary("Has fields of a hash expire at a second of the Unix epoch.")
        .syntax(
            "key unix-time-seconds:unix-time [NX | XX | GT | LT]:condition \
             FIELDS <numfields:integer field...>:fields",
        )
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("hexpiretime", -5, hexpiretime)
        .summary("Tells the second of the Unix epoch at which fields expire.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("hgetdel", -5, hgetdel)
        .summary("Gives the values of fields and deletes them.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("8.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("hgetex", -5, hgetex)
        .summary("Gives the values of fields and sets or removes their expiry.")
        .syntax(
            "key [EX seconds | PX milliseconds | EXAT unix-time-seconds:unix-time | PXAT \
             unix-time-milliseconds:unix-time | PERSIST]:expiration \
             FIELDS <numfields:integer field...>:fields",
        )
        .since("8.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::new("hpersist", -5, hpersist)
        .summary("Has fields of a hash never expire.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("hpexpire", -6, hpexpire)
        .summary("Has fields of a hash expire in some milliseconds.")
        .syntax(
            "key milliseconds [NX | XX | GT | LT]:condition \
             FIELDS <numfields:integer field...>:fields",
        )
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("hpexpireat", -6, hpexpireat)
        .summary("Has fields of a hash expire at a millisecond of the Unix epoch.")
        .syntax(
            "key unix-time-milliseconds:unix-time [NX | XX | GT | LT]:condition FIELDS \
             <numfields:integer field...>:fields",
        )
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("hpexpiretime", -5, hpexpiretime)
        .summary("Tells the millisecond of the Unix epoch at which fields expire.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("hpttl", -5, hpttl)
        .summary("Tells in how many milliseconds fields expire.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("hsetex", -6, hsetex)
        .summary("Sets fields of a hash and their expiry.")
        .syntax(
            "key [FNX | FXX]:condition [EX seconds | PX milliseconds | EXAT \
             unix-time-seconds:unix-time | PXAT unix-time-milliseconds:unix-time | \
             KEEPTTL]:expiration FIELDS <numfields:integer <field value>...>:fields",
        )
        .since("8.0.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("httl", -5, httl)
        .summary("Tells in how many seconds fields expire.")
        .syntax("key FIELDS <numfields:integer field...>:fields")
        .since("7.4.0", Group::Hash)
        .complexity("O(N), N fields")
        .flags(&[READONLY, FAST])
        .categories(&[HASH])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
];
