//! Expiry of keys: EXPIRE, TTL and their kin, PERSIST. Their declarations are in `keys`. GETEX asks
//! here what a time in the past means.

use super::string_options::Clock;
use crate::dispatch::Context;
use crate::dispatch::cursor::{Cursor, parse_i64};
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key, Lookup};
use crate::resp::Error;

/// Whether a key that is to expire at `at_ms` is to go at once.
pub(super) fn is_past(ctx: &Context<'_>, at_ms: i64) -> bool {
    at_ms <= ctx.now_ms() as i64
}

/// Deletes a key that was looked up, because its new expiry is in the past.
pub(super) fn delete_as_expired(ctx: &mut Context<'_>, key: &Key<'_>) {
    let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_expire);
    ctx.core.keyspace.remove(ctx.client.db, key, free);
    ctx.core.keyspace.notify(EventClass::GENERIC, "del", ctx.client.db, key);
    ctx.core.keyspace.dirty += 1;
}

/// What must be true of the old expiry for the new one to take its place.
#[derive(Clone, Copy, Debug, Default)]
struct Conditions {
    /// NX: there is none.
    absent: bool,
    /// XX: there is one.
    present: bool,
    /// GT: it is earlier than the new one.
    greater: bool,
    /// LT: it is later than the new one.
    less: bool,
}

impl Conditions {
    fn parse(options: Cursor<'_>) -> Result<Self, Error> {
        let mut wanted = Conditions::default();
        for option in options {
            let flag = match option {
                o if o.eq_ignore_ascii_case(b"NX") => &mut wanted.absent,
                o if o.eq_ignore_ascii_case(b"XX") => &mut wanted.present,
                o if o.eq_ignore_ascii_case(b"GT") => &mut wanted.greater,
                o if o.eq_ignore_ascii_case(b"LT") => &mut wanted.less,
                other => {
                    let shown = String::from_utf8_lossy(other);
                    return Err(Error::err(format_args!("Unsupported option {shown}")));
                }
            };
            *flag = true;
        }
        if wanted.absent && (wanted.present || wanted.greater || wanted.less) {
            return Err(Error::err(
                "NX and XX, GT or LT options at the same time are not compatible",
            ));
        }
        if wanted.greater && wanted.less {
            return Err(Error::err("GT and LT options at the same time are not compatible"));
        }
        Ok(wanted)
    }

    /// A key without expiry lives forever: nothing is later, and any time is earlier.
    fn permit(self, old: Option<i64>, new: i64) -> bool {
        !(self.absent && old.is_some()
            || self.present && old.is_none()
            || self.greater && old.is_none_or(|old| new <= old)
            || self.less && old.is_some_and(|old| new >= old))
    }
}

/// EXPIRE key seconds [NX | XX | GT | LT]
pub(super) fn expire(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::SecondsFromNow)
}

/// PEXPIRE key milliseconds [NX | XX | GT | LT]
pub(super) fn pexpire(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::MillisFromNow)
}

/// EXPIREAT key unix-time-seconds [NX | XX | GT | LT]
pub(super) fn expireat(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::UnixSeconds)
}

/// PEXPIREAT key unix-time-milliseconds [NX | XX | GT | LT]
pub(super) fn pexpireat(ctx: &mut Context<'_>) -> Result<(), Error> {
    expire_at(ctx, Clock::UnixMillis)
}

fn expire_at(ctx: &mut Context<'_>, clock: Clock) -> Result<(), Error> {
    let conditions = Conditions::parse(ctx.cursor(3))?;
    let at = parse_time(ctx, clock)?;
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    let permitted = keyspace
        .lookup_write(db, &key)
        .is_some_and(|record| conditions.permit(record.expire_at(), at));
    if permitted && is_past(ctx, at) {
        delete_as_expired(ctx, &key);
    } else if permitted {
        let keyspace = &mut ctx.core.keyspace;
        keyspace.set_expire(db, &key, Some(at));
        keyspace.notify(EventClass::GENERIC, "expire", db, &key);
        keyspace.dirty += 1;
    }
    ctx.client.reply.int(i64::from(permitted));
    Ok(())
}

/// The second argument in milliseconds since the epoch; may lie in the past, even before the epoch.
fn parse_time(ctx: &Context<'_>, clock: Clock) -> Result<i64, Error> {
    let number = parse_i64(ctx.args.at(2))?;
    let scale = if clock.is_in_seconds() { 1000 } else { 1 };
    let origin = if clock.is_relative() { ctx.now_ms() as i64 } else { 0 };
    number
        .checked_mul(scale)
        .and_then(|ms| ms.checked_add(origin))
        .ok_or(Error::InvalidExpire(ctx.command.full_name.into()))
}

/// PERSIST key
pub(super) fn persist(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    let expires = keyspace.lookup_write(db, &key).is_some_and(|record| record.has_expire());
    if expires {
        keyspace.set_expire(db, &key, None);
        keyspace.notify(EventClass::GENERIC, "persist", db, &key);
        keyspace.dirty += 1;
    }
    ctx.client.reply.int(i64::from(expires));
    Ok(())
}

/// TTL key
pub(super) fn ttl(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_time(ctx, |at, now| to_seconds(at.saturating_sub(now).max(0)))
}

/// PTTL key
pub(super) fn pttl(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_time(ctx, |at, now| at.saturating_sub(now).max(0))
}

/// EXPIRETIME key
pub(super) fn expiretime(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_time(ctx, |at, _| to_seconds(at.max(0)))
}

/// PEXPIRETIME key
pub(super) fn pexpiretime(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_time(ctx, |at, _| at.max(0))
}

/// Rounded to the nearest.
fn to_seconds(ms: i64) -> i64 {
    ms / 1000 + i64::from(ms % 1000 >= 500)
}

/// Replies with what `show` makes of the expiry and the present, -1 where the key does not expire
/// and -2 where there is no key.
fn reply_time(ctx: &mut Context<'_>, show: impl Fn(i64, i64) -> i64) -> Result<(), Error> {
    let (key, now_ms) = (ctx.key(1), ctx.now_ms() as i64);
    let found = ctx.core.keyspace.lookup_read_with(ctx.client.db, &key, Lookup::NOTOUCH);
    let reply = match found.map(|record| record.expire_at()) {
        None => -2,
        Some(None) => -1,
        Some(Some(at)) => show(at, now_ms),
    };
    ctx.client.reply.int(reply);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_compare_with_forever() {
        let wanted = Conditions::default();
        let greater = Conditions { greater: true, ..wanted };
        let less = Conditions { less: true, ..wanted };
        let present_and_less = Conditions { present: true, ..less };
        assert!(wanted.permit(None, 1) && wanted.permit(Some(5), 1));
        assert!(
            !greater.permit(None, 1) && !greater.permit(Some(5), 5) && greater.permit(Some(5), 6)
        );
        assert!(less.permit(None, 1) && !less.permit(Some(5), 5) && less.permit(Some(5), 4));
        assert!(!present_and_less.permit(None, 1));
        assert!(!Conditions { absent: true, ..wanted }.permit(Some(5), 4));
    }

    #[test]
    fn seconds_are_rounded() {
        assert_eq!([0, 499, 500, 1499, 1500].map(to_seconds), [0, 0, 1, 1, 2]);
        assert_eq!(to_seconds(i64::MAX), 9_223_372_036_854_776);
    }
}
