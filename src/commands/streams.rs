//! Commands on streams. Called by dispatch; all access to keys goes through the keyspace. A stream
//! stays when its last entry goes. Here are what the families below share, plain reading and
//! removing, and the table.

mod add;
mod claim;
mod groups;
mod ids;
mod info;
mod pending;
mod read;

use std::borrow::Cow;

use add::{xadd, xtrim};
use claim::{xautoclaim, xclaim};
use groups::{
    xack, xgroup_create, xgroup_createconsumer, xgroup_delconsumer, xgroup_destroy, xgroup_help,
    xgroup_setid,
};
use info::{xinfo_consumers, xinfo_groups, xinfo_help, xinfo_stream};
use pending::xpending;
use read::{xread, xreadgroup};

use super::typed;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Key, RecordMut};
use crate::resp::Error;
use crate::value::stream::Id;
use crate::value::{Record, Stream};

// ---- what several commands share

fn stream_of(record: &Record) -> Result<&Stream, Error> {
    typed::of_record(record)
}

#[inline]
fn stream_mut(record: RecordMut<'_>) -> Result<&mut Stream, Error> {
    typed::of_record_mut(record)
}

/// The bytes as an error shows them: up to the first zero, as C does.
fn show(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.split(|&byte| byte == 0).next().unwrap_or_default())
}

/// A group of an existing key that XGROUP and XINFO do not find.
fn no_group(group: &[u8], key: &Key<'_>) -> Error {
    let (group, key) = (show(group), show(key.bytes()));
    Error::Custom(format!("NOGROUP No such consumer group '{group}' for key name '{key}'").into())
}

/// A stream's entries were changed: counts that, reports it, and breaks watches.
#[inline]
fn changed(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>, count: u64) {
    ctx.core.keyspace.signal_modified(ctx.client.db, key);
    changed_quietly(ctx, event, key, count);
}

/// Something about a stream was changed that does not break watches, as in Redis.
#[inline]
fn changed_quietly(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>, count: u64) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    keyspace.notify(EventClass::STREAM, event, db, key);
    keyspace.dirty += count;
}

// ---- reading

/// XLEN key
fn xlen(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let found = ctx.core.keyspace.lookup_read(ctx.client.db, &key);
    let len = found.map_or(Ok(0), |record| stream_of(record).map(Stream::len))?;
    ctx.client.reply.int(len as i64);
    Ok(())
}

/// XRANGE key start end [COUNT count]
fn xrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    let start = ids::parse_start(ctx.args.at(2))?;
    let end = ids::parse_end(ctx.args.at(3))?;
    reply_range(ctx, (start, end), false)
}

/// XREVRANGE key end start [COUNT count]
fn xrevrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    let start = ids::parse_start(ctx.args.at(3))?;
    let end = ids::parse_end(ctx.args.at(2))?;
    reply_range(ctx, (start, end), true)
}

fn reply_range(ctx: &mut Context<'_>, (start, end): (Id, Id), reverse: bool) -> Result<(), Error> {
    let mut options = ctx.cursor(4);
    let mut count = None;
    while options.remaining() > 0 {
        if options.remaining() < 2 || !options.take_word("COUNT") {
            return Err(Error::Syntax);
        }
        count = Some(options.expect_i64()?.max(0) as usize);
    }
    let key = ctx.key(1);
    let reply = &mut ctx.client.reply;
    let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, &key) else {
        reply.array(0);
        return Ok(());
    };
    let log = stream_of(record)?.log();
    match count {
        Some(0) => reply.null_array(),
        _ if reverse => {
            ids::reply_entries(reply, log.range_back(start, end), count.unwrap_or(0));
        }
        _ => ids::reply_entries(reply, log.range(start, end), count.unwrap_or(0)),
    }
    Ok(())
}

// ---- changing

/// XDEL key id [id …]
fn xdel(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let Some(record) = ctx.core.keyspace.lookup_write(ctx.client.db, &key) else {
        ctx.client.reply.int(0);
        return Ok(());
    };
    let stream = stream_mut(record)?;
    let removed = stream.remove(&ids::parse_all(ctx.args.iter_from(2))?);
    if removed > 0 {
        changed(ctx, "xdel", &key, removed);
    }
    ctx.client.reply.int(removed as i64);
    Ok(())
}

/// What XSETID sets beside the last id.
#[derive(Default)]
struct Settings {
    entries_added: Option<u64>,
    max_deleted: Option<Id>,
}

impl Settings {
    fn parse(ctx: &Context<'_>, last_id: Id) -> Result<Self, Error> {
        let mut settings = Settings::default();
        let mut options = ctx.cursor(3);
        while options.remaining() > 0 {
            let has_value = options.remaining() > 1;
            if has_value && options.take_word("ENTRIESADDED") {
                let added = u64::try_from(parse_i64(options.expect()?)?)
                    .map_err(|_| Error::err("entries_added must be positive"))?;
                settings.entries_added = Some(added);
            } else if has_value && options.take_word("MAXDELETEDID") {
                let id = ids::parse_strict(options.expect()?)?;
                if last_id < id {
                    return Err(Error::err(
                        "The ID specified in XSETID is smaller than the provided \
                         max_deleted_entry_id",
                    ));
                }
                settings.max_deleted = Some(id).filter(|&id| id != Id::MIN);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(settings)
    }
}

/// XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]
fn xsetid(ctx: &mut Context<'_>) -> Result<(), Error> {
    let id = ids::parse_strict(ctx.args.at(2))?;
    let Settings { entries_added, max_deleted } = Settings::parse(ctx, id)?;
    let key = ctx.key(1);
    let record = ctx.core.keyspace.lookup_write(ctx.client.db, &key).ok_or(Error::NoSuchKey)?;
    let stream = stream_mut(record)?;
    if id < stream.counters().max_deleted_id {
        return Err(Error::err(
            "The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ));
    }
    if stream.log().last_id().is_some_and(|last| id < last) {
        return Err(Error::err(
            "The ID specified in XSETID is smaller than the target stream top item",
        ));
    }
    if entries_added.is_some_and(|added| stream.len() > added) {
        return Err(Error::err(
            "The entries_added specified in XSETID is smaller than the target stream length",
        ));
    }
    stream.set_last_id(id, entries_added, max_deleted);
    ctx.client.reply.ok();
    changed_quietly(ctx, "xsetid", &key, 1);
    Ok(())
}

const XGROUP_SUBCOMMANDS: &[Command] = &[
    Command::new("xgroup|create", -5, xgroup_create)
        .summary("Creates a consumer group.")
        .syntax("key group <id | $:new-id>:id-selector [MKSTREAM] [ENTRIESREAD entries-read]")
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RW, INSERT])]),
    Command::new("xgroup|createconsumer", 5, xgroup_createconsumer)
        .summary("Creates a consumer in a group.")
        .syntax("key group consumer")
        .since("6.2.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RW, INSERT])]),
    Command::new("xgroup|delconsumer", 5, xgroup_delconsumer)
        .summary("Removes a consumer of a group, and what it has pending.")
        .syntax("key group consumer")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N pending entries of the consumer")
        .flags(&[WRITE])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RW, DELETE])]),
    Command::new("xgroup|destroy", 4, xgroup_destroy)
        .summary("Removes a consumer group.")
        .syntax("key group")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N pending entries of the group")
        .flags(&[WRITE])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RW, DELETE])]),
    Command::new("xgroup|help", 2, xgroup_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[STREAM]),
    Command::new("xgroup|setid", -5, xgroup_setid)
        .summary("Sets the last entry that a group was given.")
        .syntax("key group <id | $:new-id>:id-selector [ENTRIESREAD entries-read:entriesread]")
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[WRITE])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RW, UPDATE])]),
];

const XINFO_SUBCOMMANDS: &[Command] = &[
    Command::new("xinfo|consumers", 4, xinfo_consumers)
        .summary("Describes the consumers of a group.")
        .syntax("key group")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N consumers")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("xinfo|groups", 3, xinfo_groups)
        .summary("Describes the consumer groups of a stream.")
        .syntax("key")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N groups")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RO, ACCESS])]),
    Command::new("xinfo|help", 2, xinfo_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[STREAM]),
    Command::new("xinfo|stream", -3, xinfo_stream)
        .summary("Describes a stream.")
        .syntax("key [FULL [COUNT count]]:full-block")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N nodes of the stream; with FULL also what is given")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(2, &[RO, ACCESS])]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("xack", -4, xack)
        .summary("Acknowledges entries of a consumer group: nobody has them pending any more.")
        .syntax("key group id...")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N ids")
        .flags(&[WRITE, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("xadd", -5, xadd)
        .summary("Appends an entry to a stream, which is created if missing.")
        .syntax(
            "key [NOMKSTREAM]@6.2.0 [<MAXLEN | MINID@6.2.0>:strategy [=:equal \
             | ~:approximately]:operator threshold [LIMIT count]@6.2.0]:trim <*:auto-id \
             | id>:id-selector <field value>...",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(1), and O(N) for N entries that are trimmed")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, UPDATE]).note("Counts as an update because it can trim.")])
        .tips(&["nondeterministic_output"]),
    Command::new("xautoclaim", -6, xautoclaim)
        .summary("Gives entries that have been pending for too long to another consumer.")
        .syntax("key group consumer min-idle-time start:string [COUNT count] [JUSTID]")
        .since("6.2.0", Group::Stream)
        .complexity("O(1) for a constant COUNT")
        .flags(&[WRITE, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, DELETE])])
        .tips(&["nondeterministic_output"]),
    Command::new("xclaim", -6, xclaim)
        .summary("Gives pending entries to another consumer.")
        .syntax(
            "key group consumer min-idle-time id... [IDLE ms] [TIME unix-time-milliseconds] \
             [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(log N), N pending entries of the group")
        .flags(&[WRITE, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])])
        .tips(&["nondeterministic_output"]),
    Command::new("xdel", -3, xdel)
        .summary("Removes entries of a stream.")
        .syntax("key id...")
        .since("5.0.0", Group::Stream)
        .complexity("O(1) for each entry")
        .flags(&[WRITE, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::container("xgroup", XGROUP_SUBCOMMANDS)
        .summary("Container of commands about consumer groups.")
        .since("5.0.0", Group::Stream)
        .complexity("Depends on the subcommand"),
    Command::container("xinfo", XINFO_SUBCOMMANDS)
        .summary("Container of commands that describe streams.")
        .since("5.0.0", Group::Stream)
        .complexity("Depends on the subcommand"),
    Command::new("xlen", 2, xlen)
        .summary("Gives the number of entries of a stream.")
        .syntax("key")
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("xpending", -3, xpending)
        .summary("Describes the pending entries of a consumer group.")
        .syntax(
            "key group [[IDLE min-idle-time:integer]@6.2.0 start:string end:string count \
             [consumer]]:filters",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries given; O(M) with IDLE, M pending entries looked at")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("xrange", -4, xrange)
        .summary("Gives the entries of a stream between two ids.")
        .syntax("key start:string end:string [COUNT count]")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries given")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("xread", -4, xread)
        .summary(
            "Gives the entries of streams that follow an id, and waits for them if it is told \
             to.",
        )
        .syntax("[COUNT count] [BLOCK milliseconds] STREAMS <key... id...>")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries given")
        .flags(&[READONLY, BLOCKING])
        .categories(&[STREAM])
        .keys(&[KeySpec::all_after("STREAMS", 1, 2, &[RO, ACCESS])]),
    Command::new("xreadgroup", -7, xreadgroup)
        .summary(
            "Gives entries of streams to a consumer of a group, and waits for them if it is told \
             to.",
        )
        .syntax(
            "GROUP <group consumer>:group-block [COUNT count] [BLOCK milliseconds] [NOACK] \
             STREAMS <key... id...>",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries given")
        .flags(&[WRITE, BLOCKING])
        .categories(&[STREAM])
        .keys(&[KeySpec::all_after("STREAMS", 4, 2, &[RO, ACCESS])]),
    Command::new("xrevrange", -4, xrevrange)
        .summary("Gives the entries of a stream between two ids, the last one first.")
        .syntax("key end:string start:string [COUNT count]")
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries given")
        .flags(&[READONLY])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("xsetid", -3, xsetid)
        .summary("Sets the last id of a stream, for replication.")
        .syntax(
            "key last-id [ENTRIESADDED entries-added]@7.0.0 [MAXDELETEDID max-deleted-id]@7.0.0",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("xtrim", -4, xtrim)
        .summary("Removes the first entries of a stream.")
        .syntax(
            "key <<MAXLEN | MINID@6.2.0>:strategy [=:equal | ~:approximately]:operator threshold \
             [LIMIT count]@6.2.0>:trim",
        )
        .since("5.0.0", Group::Stream)
        .complexity("O(N), N entries removed, by whole nodes where that is possible")
        .flags(&[WRITE])
        .categories(&[STREAM])
        .keys(&[KeySpec::key(1, &[RW, DELETE])])
        .tips(&["nondeterministic_output"]),
];
