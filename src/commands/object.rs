//! OBJECT: how a value is stored and when it was used. Looking leaves no trace in access times. The
//! declarations are in `keys`.

use crate::config::MaxmemoryPolicy;
use crate::core::Core;
use crate::dispatch::Context;
use crate::keyspace::Lookup;
use crate::resp::Error;
use crate::value::{Record, ValueRef};

/// Integers that Redis keeps one object of for all keys (Redis: OBJ_SHARED_INTEGERS).
const SHARED_INTEGERS: std::ops::Range<i64> = 0..10_000;
/// The reference count of shared objects (Redis: OBJ_SHARED_REFCOUNT).
const SHARED_REFCOUNT: i64 = i32::MAX as i64;

/// OBJECT ENCODING key
pub(super) fn object_encoding(ctx: &mut Context<'_>) -> Result<(), Error> {
    let found = look(ctx, |_, record| record.encoding().name());
    match found {
        Some(name) => ctx.client.reply.bulk(name.as_bytes()),
        None => ctx.client.reply.null(),
    }
    Ok(())
}

/// OBJECT FREQ key
pub(super) fn object_freq(ctx: &mut Context<'_>) -> Result<(), Error> {
    let found = look(ctx, |core, record| i64::from(core.keyspace.frequency(record)));
    if found.is_some() && !tracks_frequency(ctx) {
        return Err(Error::err(
            "An LFU maxmemory policy is not selected, access frequency not tracked. Please note \
             that when switching between policies at runtime LRU and LFU data will take some time \
             to adjust.",
        ));
    }
    reply_found(ctx, found);
    Ok(())
}

/// OBJECT IDLETIME key
pub(super) fn object_idletime(ctx: &mut Context<'_>) -> Result<(), Error> {
    let found = look(ctx, |core, record| core.keyspace.idle_ms(record) as i64 / 1000);
    if found.is_some() && tracks_frequency(ctx) {
        return Err(Error::err(
            "An LFU maxmemory policy is selected, idle time not tracked. Please note that when \
             switching between policies at runtime LRU and LFU data will take some time to adjust.",
        ));
    }
    reply_found(ctx, found);
    Ok(())
}

/// OBJECT REFCOUNT key
pub(super) fn object_refcount(ctx: &mut Context<'_>) -> Result<(), Error> {
    let found = look(ctx, |core, record| match record.value() {
        ValueRef::Int(n) if SHARED_INTEGERS.contains(&n) && shares_integers(core) => {
            SHARED_REFCOUNT
        }
        _ => 1,
    });
    reply_found(ctx, found);
    Ok(())
}

/// OBJECT HELP
pub(super) fn object_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "OBJECT",
        &[
            "ENCODING <key>",
            "    Return the kind of internal representation used in order to store the value",
            "    associated with a <key>.",
            "FREQ <key>",
            "    Return the access frequency index of the <key>. The returned integer is",
            "    proportional to the logarithm of the recent access frequency of the key.",
            "IDLETIME <key>",
            "    Return the idle time of the <key>, that is the approximated number of",
            "    seconds elapsed since the last access to the key.",
            "REFCOUNT <key>",
            "    Return the number of references of the value associated with the specified",
            "    <key>.",
        ],
    );
    Ok(())
}

/// What `see` makes of the record at the key, if there is one.
fn look<R>(ctx: &mut Context<'_>, see: impl FnOnce(&Core, &Record) -> R) -> Option<R> {
    let (key, db) = (ctx.key(2), ctx.client.db);
    ctx.core.keyspace.lookup_read_with(db, &key, Lookup::NOTOUCH | Lookup::NONOTIFY)?;
    let record = ctx.core.keyspace.peek(db, &key)?;
    Some(see(ctx.core, record))
}

fn reply_found(ctx: &mut Context<'_>, found: Option<i64>) {
    match found {
        Some(n) => ctx.client.reply.int(n),
        None => ctx.client.reply.null(),
    }
}

/// Whether the policy has records count accesses instead of keeping the time of the last one.
fn tracks_frequency(ctx: &Context<'_>) -> bool {
    use MaxmemoryPolicy::{AllkeysLfu, VolatileLfu};
    matches!(ctx.core.config.maxmemory_policy, AllkeysLfu | VolatileLfu)
}

/// Redis shares no integers where each needs an access time of its own.
fn shares_integers(core: &Core) -> bool {
    use MaxmemoryPolicy::{AllkeysLfu, AllkeysLru, VolatileLfu, VolatileLru};
    let policy = core.config.maxmemory_policy;
    let tracks = matches!(policy, AllkeysLfu | AllkeysLru | VolatileLfu | VolatileLru);
    core.config.maxmemory == 0 || !tracks
}
