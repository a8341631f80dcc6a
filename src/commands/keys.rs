//! Commands on keys of any type: deleting, renaming, copying, asking for existence and type. Holds
//! the declarations of its whole family; the handlers of expiry, SCAN and OBJECT are in `expire`,
//! `scan` and `object`. All access to keys goes through the keyspace.

use super::expire::*;
use super::key_batches::for_each_key;
use super::object::*;
use super::scan::*;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i32;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key, Lookup};
use crate::resp::Error;

// ---- DEL, EXISTS, TOUCH, TYPE

/// DEL key [key …]
pub(super) fn del(ctx: &mut Context<'_>) -> Result<(), Error> {
    let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_user_del);
    delete(ctx, free);
    Ok(())
}

/// UNLINK key [key …]
pub(super) fn unlink(ctx: &mut Context<'_>) -> Result<(), Error> {
    delete(ctx, Free::Lazily);
    Ok(())
}

fn delete(ctx: &mut Context<'_>, free: Free) {
    let mut deleted = 0;
    for_each_key(ctx, 1, |ctx, _, key| {
        let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
        if keyspace.remove(db, key, free) {
            keyspace.notify(EventClass::GENERIC, "del", db, key);
            keyspace.dirty += 1;
            deleted += 1;
        }
    });
    ctx.client.reply.int(deleted);
}

/// EXISTS key [key …]
pub(super) fn exists(ctx: &mut Context<'_>) -> Result<(), Error> {
    count_found(ctx, Lookup::NOTOUCH);
    Ok(())
}

/// TOUCH key [key …]
pub(super) fn touch(ctx: &mut Context<'_>) -> Result<(), Error> {
    // CLIENT NO-TOUCH does not hold for the one command that is about touching.
    ctx.core.keyspace.set_touching(true);
    count_found(ctx, Lookup::empty());
    Ok(())
}

fn count_found(ctx: &mut Context<'_>, without: Lookup) {
    let mut found = 0;
    for_each_key(ctx, 1, |ctx, _, key| {
        let record = ctx.core.keyspace.lookup_read_with(ctx.client.db, key, without);
        found += i64::from(record.is_some());
    });
    ctx.client.reply.int(found);
}

/// TYPE key
pub(super) fn type_(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let found = ctx.core.keyspace.lookup_read_with(ctx.client.db, &key, Lookup::NOTOUCH);
    ctx.client.reply.simple(found.map_or("none", |record| record.kind().name()));
    Ok(())
}

// ---- RENAME, MOVE, COPY

/// RENAME key newkey
pub(super) fn rename(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (from, to) = rename_source(ctx)?;
    if from.bytes() != to.bytes() {
        // An expired key of the new name is reported as such before it is replaced.
        ctx.core.keyspace.lookup_write(ctx.client.db, &to);
        move_value(ctx, &from, &to);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// RENAMENX key newkey
pub(super) fn renamenx(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (from, to) = rename_source(ctx)?;
    let taken =
        from.bytes() == to.bytes() || ctx.core.keyspace.lookup_write(ctx.client.db, &to).is_some();
    if !taken {
        move_value(ctx, &from, &to);
    }
    ctx.client.reply.int(i64::from(!taken));
    Ok(())
}

/// The old key, which must exist, and the new one.
fn rename_source<'a>(ctx: &mut Context<'a>) -> Result<(Key<'a>, Key<'a>), Error> {
    let (from, to) = (ctx.key(1), ctx.key(2));
    let found = ctx.core.keyspace.lookup_write(ctx.client.db, &from).is_some();
    if found { Ok((from, to)) } else { Err(Error::NoSuchKey) }
}

fn move_value(ctx: &mut Context<'_>, from: &Key<'_>, to: &Key<'_>) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    let Some(record) = keyspace.take(db, from) else { return };
    keyspace.insert_record(db, to, record.renamed(to.bytes()));
    keyspace.notify(EventClass::GENERIC, "rename_from", db, from);
    keyspace.notify(EventClass::GENERIC, "rename_to", db, to);
    keyspace.dirty += 1;
}

/// MOVE key db
pub(super) fn move_(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.core.keyspace.is_cluster() {
        return Err(Error::err("MOVE is not allowed in cluster mode"));
    }
    let (key, from, to) = (ctx.key(1), ctx.client.db, parse_db(ctx, ctx.args.at(2))?);
    if from == to {
        return Err(Error::SameObject);
    }
    let keyspace = &mut ctx.core.keyspace;
    let movable =
        keyspace.lookup_write(from, &key).is_some() && keyspace.lookup_write(to, &key).is_none();
    if movable && let Some(record) = keyspace.take(from, &key) {
        keyspace.insert_record(to, &key, record);
        keyspace.notify(EventClass::GENERIC, "move_from", from, &key);
        keyspace.notify(EventClass::GENERIC, "move_to", to, &key);
        keyspace.dirty += 1;
    }
    ctx.client.reply.int(i64::from(movable));
    Ok(())
}

/// A database's index.
fn parse_db(ctx: &Context<'_>, arg: &[u8]) -> Result<usize, Error> {
    let index = usize::try_from(parse_i32(arg)?).ok();
    index.filter(|&db| db < ctx.core.keyspace.databases()).ok_or(Error::DbIndexOutOfRange)
}

/// COPY source destination [DB destination-db] [REPLACE]
pub(super) fn copy(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (from_db, mut to_db, mut replace) = (ctx.client.db, ctx.client.db, false);
    let mut options = ctx.cursor(3);
    while options.remaining() > 0 {
        if options.take_word("REPLACE") {
            replace = true;
        } else if options.take_word("DB") {
            to_db = parse_db(ctx, options.expect()?)?;
        } else {
            return Err(Error::Syntax);
        }
    }
    let (from, to) = (ctx.key(1), ctx.key(2));
    let keyspace = &mut ctx.core.keyspace;
    if keyspace.is_cluster() && (from_db, to_db) != (0, 0) {
        return Err(Error::err("Copying to another database is not allowed in cluster mode"));
    }
    if from_db == to_db && from.bytes() == to.bytes() {
        return Err(Error::SameObject);
    }
    let copied = keyspace.lookup_read(from_db, &from).is_some()
        && (keyspace.lookup_write(to_db, &to).is_none() || replace);
    if copied && let Some(record) = keyspace.peek(from_db, &from) {
        let record = record.duplicate(to.bytes());
        keyspace.insert_record(to_db, &to, record);
        keyspace.notify(EventClass::GENERIC, "copy_to", to_db, &to);
        keyspace.dirty += 1;
    }
    ctx.client.reply.int(i64::from(copied));
    Ok(())
}

const OBJECT_SUBCOMMANDS: &[Command] = &[
    Command::new("object|encoding", 3, object_encoding)
        .summary("Names the encoding of a value.")
        .syntax("key")
        .since("2.2.3", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(2, &[RO])])
        .tips(&["nondeterministic_output"]),
    Command::new("object|freq", 3, object_freq)
        .summary("Gives the access frequency that LFU eviction sees.")
        .syntax("key")
        .since("4.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(2, &[RO])])
        .tips(&["nondeterministic_output"]),
    Command::new("object|help", 2, object_help)
        .summary("Describes the subcommands.")
        .since("6.2.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[KEYSPACE]),
    Command::new("object|idletime", 3, object_idletime)
        .summary("Gives the seconds since a value was last used.")
        .syntax("key")
        .since("2.2.3", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(2, &[RO])])
        .tips(&["nondeterministic_output"]),
    Command::new("object|refcount", 3, object_refcount)
        .summary("Gives the reference count of a value.")
        .syntax("key")
        .since("2.2.3", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(2, &[RO])])
        .tips(&["nondeterministic_output"]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("copy", -3, copy)
        .summary("Copies a value to another key.")
        .syntax("source destination [DB destination-db] [REPLACE]")
        .since("6.2.0", Group::Generic)
        .complexity("O(N), N elements of the value; O(1) for strings")
        .flags(&[WRITE, DENYOOM])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS]), KeySpec::key(2, &[OW, UPDATE])]),
    Command::new("del", -2, del)
        .summary("Deletes keys.")
        .syntax("key...")
        .since("1.0.0", Group::Generic)
        .complexity("O(N), N keys and the elements that they hold")
        .flags(&[WRITE])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RM, DELETE])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    Command::new("exists", -2, exists)
        .summary("Counts which of the given keys exist.")
        .syntax("key...")
        .since("1.0.0", Group::Generic)
        .complexity("O(N), N keys")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    Command::new("expire", -3, expire)
        .summary("Lets a key expire after some seconds.")
        .syntax("key seconds [NX | XX | GT | LT]:condition@7.0.0")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("expireat", -3, expireat)
        .summary("Lets a key expire at a Unix time in seconds.")
        .syntax("key unix-time-seconds [NX | XX | GT | LT]:condition@7.0.0")
        .since("1.2.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("expiretime", 2, expiretime)
        .summary("Gives the Unix time in seconds at which a key expires.")
        .syntax("key")
        .since("7.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("keys", 2, keys)
        .summary("Lists all keys that match a pattern.")
        .syntax("pattern")
        .since("1.0.0", Group::Generic)
        .complexity("O(N), N keys of the database")
        .flags(&[READONLY])
        .categories(&[KEYSPACE, DANGEROUS])
        .tips(&["request_policy:all_shards", "nondeterministic_output_order"]),
    Command::new("move", 3, move_)
        .summary("Moves a key to another database.")
        .syntax("key db")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
    Command::container("object", OBJECT_SUBCOMMANDS)
        .summary("Container of commands that look at how a value is stored.")
        .since("2.2.3", Group::Generic)
        .complexity("Depends on the subcommand"),
    Command::new("persist", 2, persist)
        .summary("Removes the expiry of a key.")
        .syntax("key")
        .since("2.2.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("pexpire", -3, pexpire)
        .summary("Lets a key expire after some milliseconds.")
        .syntax("key milliseconds [NX | XX | GT | LT]:condition@7.0.0")
        .since("2.6.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("pexpireat", -3, pexpireat)
        .summary("Lets a key expire at a Unix time in milliseconds.")
        .syntax("key unix-time-milliseconds [NX | XX | GT | LT]:condition@7.0.0")
        .since("2.6.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("pexpiretime", 2, pexpiretime)
        .summary("Gives the Unix time in milliseconds at which a key expires.")
        .syntax("key")
        .since("7.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("pttl", 2, pttl)
        .summary("Gives the milliseconds until a key expires.")
        .syntax("key")
        .since("2.6.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("randomkey", 1, randomkey)
        .summary("Gives the name of any one key.")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, TOUCHES_ARBITRARY_KEYS])
        .categories(&[KEYSPACE])
        .tips(&["request_policy:all_shards", "response_policy:special", "nondeterministic_output"]),
    Command::new("rename", 3, rename)
        .summary("Renames a key, replacing the one that has the new name.")
        .syntax("key newkey")
        .since("1.0.0", Group::Generic)
        .complexity("O(1), and freeing what is replaced")
        .flags(&[WRITE])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[OW, UPDATE])]),
    Command::new("renamenx", 3, renamenx)
        .summary("Renames a key if nothing has the new name.")
        .syntax("key newkey")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[OW, INSERT])]),
    Command::new("scan", -2, scan)
        .summary("Walks through the keys of the database, a few per call.")
        .syntax("cursor [MATCH pattern] [COUNT count] [TYPE type]@6.0.0")
        .since("2.8.0", Group::Generic)
        .complexity("O(1) per call, O(N) for all N keys")
        .flags(&[READONLY, TOUCHES_ARBITRARY_KEYS])
        .categories(&[KEYSPACE])
        .tips(&["nondeterministic_output", "request_policy:special", "response_policy:special"]),
    Command::new("touch", -2, touch)
        .summary("Counts which keys exist and marks them as just used.")
        .syntax("key...")
        .since("3.2.1", Group::Generic)
        .complexity("O(N), N keys")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RO])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
    Command::new("ttl", 2, ttl)
        .summary("Gives the seconds until a key expires.")
        .syntax("key")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("type", 2, type_)
        .summary("Names the type of the value at a key.")
        .syntax("key")
        .since("1.0.0", Group::Generic)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("unlink", -2, unlink)
        .summary("Deletes keys and frees their memory in the background.")
        .syntax("key...")
        .since("4.0.0", Group::Generic)
        .complexity("O(N), N keys; freeing goes on in the background")
        .flags(&[WRITE, FAST])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::range(1, -1, 1, &[RM, DELETE])])
        .tips(&["request_policy:multi_shard", "response_policy:agg_sum"]),
];
