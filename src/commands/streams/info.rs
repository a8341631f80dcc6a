//! XINFO: streams, their groups and their consumers, described.

use super::{ids, no_group, stream_of};
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::keyspace::Key;
use crate::resp::{Error, Reply};
use crate::value::Stream;
use crate::value::stream::{Consumer, Counters, Group, Id, NEVER};

/// Entries and pending entries that FULL gives, if nothing is said of that.
const FULL_COUNT: usize = 10;

fn existing<'c>(
    ctx: &'c mut Context<'_>,
    key: &Key<'_>,
) -> Result<(&'c Stream, &'c mut Reply), Error> {
    let record = ctx.core.keyspace.lookup_read(ctx.client.db, key).ok_or(Error::NoSuchKey)?;
    Ok((stream_of(record)?, &mut ctx.client.reply))
}

fn int_field(reply: &mut Reply, name: &str, n: i64) {
    reply.bulk(name.as_bytes());
    reply.int(n);
}

fn optional_field(reply: &mut Reply, name: &str, n: Option<i64>) {
    reply.bulk(name.as_bytes());
    match n {
        Some(n) => reply.int(n),
        None => reply.null(),
    }
}

fn id_field(reply: &mut Reply, name: &str, id: Id) {
    reply.bulk(name.as_bytes());
    ids::reply_id(reply, id);
}

fn bytes_field(reply: &mut Reply, name: &str, bytes: &[u8]) {
    reply.bulk(name.as_bytes());
    reply.bulk(bytes);
}

/// XINFO CONSUMERS key group
pub(in crate::commands) fn xinfo_consumers(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, name, now) = (ctx.key(2), ctx.args.at(3), ctx.now_ms() as i64);
    let (stream, reply) = existing(ctx, &key)?;
    let group = stream.group(name).ok_or_else(|| no_group(name, &key))?;
    reply.array(group.consumers_len());
    for consumer in group.consumers() {
        let inactive = match consumer.active_time {
            NEVER => NEVER,
            at => now.wrapping_sub(at),
        };
        reply.map(4);
        bytes_field(reply, "name", consumer.name());
        int_field(reply, "pending", consumer.pending_len() as i64);
        int_field(reply, "idle", now.wrapping_sub(consumer.seen_time).max(0));
        int_field(reply, "inactive", inactive);
    }
    Ok(())
}

/// XINFO GROUPS key
pub(in crate::commands) fn xinfo_groups(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(2);
    let (stream, reply) = existing(ctx, &key)?;
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(6);
        bytes_field(reply, "name", name);
        int_field(reply, "consumers", group.consumers_len() as i64);
        int_field(reply, "pending", group.pending_len() as i64);
        reply_progress(reply, group, stream.counters());
    }
    Ok(())
}

/// How far a group is: three fields.
fn reply_progress(reply: &mut Reply, group: &Group, counters: &Counters) {
    id_field(reply, "last-delivered-id", group.last_id);
    optional_field(reply, "entries-read", group.entries_read);
    optional_field(reply, "lag", group.lag(counters));
}

/// XINFO STREAM key [FULL [COUNT count]]
pub(in crate::commands) fn xinfo_stream(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, args) = (ctx.key(2), ctx.args);
    let (stream, reply) = existing(ctx, &key)?;
    let is = |index: usize, word: &str| args.at(index).eq_ignore_ascii_case(word.as_bytes());
    match args.len() {
        3 => reply_short(reply, stream),
        4 if is(3, "FULL") => reply_full(reply, stream, FULL_COUNT),
        6 if is(3, "FULL") && is(4, "COUNT") => {
            let count = usize::try_from(parse_i64(args.at(5))?).unwrap_or(FULL_COUNT);
            reply_full(reply, stream, count);
        }
        _ => return Err(Error::subcommand_syntax("xinfo", args.at(1))),
    }
    Ok(())
}

/// What both forms begin with: seven fields.
fn reply_counters(reply: &mut Reply, stream: &Stream) {
    let counters = stream.counters();
    int_field(reply, "length", counters.length as i64);
    int_field(reply, "radix-tree-keys", stream.log().node_count() as i64);
    int_field(reply, "radix-tree-nodes", stream.log().radix_nodes() as i64);
    id_field(reply, "last-generated-id", counters.last_id);
    id_field(reply, "max-deleted-entry-id", counters.max_deleted_id);
    int_field(reply, "entries-added", counters.entries_added as i64);
    id_field(reply, "recorded-first-entry-id", counters.first_id);
}

fn reply_short(reply: &mut Reply, stream: &Stream) {
    reply.map(10);
    reply_counters(reply, stream);
    int_field(reply, "groups", stream.groups_len() as i64);
    let first = stream.log().range(Id::MIN, Id::MAX).next();
    let last = stream.log().range_back(Id::MIN, Id::MAX).next();
    for (name, entry) in [("first-entry", first), ("last-entry", last)] {
        reply.bulk(name.as_bytes());
        match entry {
            Some(entry) => ids::reply_entry(reply, &entry),
            None => reply.null(),
        }
    }
}

/// With at most so many entries, and so many pending ones of each group and consumer; 0 for all.
fn reply_full(reply: &mut Reply, stream: &Stream, count: usize) {
    reply.map(9);
    reply_counters(reply, stream);
    reply.bulk(b"entries");
    ids::reply_entries(reply, stream.log().range(Id::MIN, Id::MAX), count);
    reply.bulk(b"groups");
    reply.array(stream.groups_len());
    for (name, group) in stream.groups() {
        reply.map(7);
        bytes_field(reply, "name", name);
        reply_progress(reply, group, stream.counters());
        reply_group_pending(reply, group, count);
        reply.bulk(b"consumers");
        reply.array(group.consumers_len());
        group.consumers().for_each(|consumer| reply_consumer(reply, (group, consumer), count));
    }
}

fn at_most(count: usize, len: usize) -> usize {
    if count == 0 { len } else { count.min(len) }
}

fn reply_group_pending(reply: &mut Reply, group: &Group, count: usize) {
    int_field(reply, "pel-count", group.pending_len() as i64);
    reply.bulk(b"pending");
    let given = at_most(count, group.pending_len());
    reply.array(given);
    for (id, pending) in group.pending_from(Id::MIN).take(given) {
        reply.array(4);
        ids::reply_id(reply, id);
        reply.bulk(group.consumer(pending.consumer).name());
        reply.int(pending.delivery_time);
        reply.int(pending.delivery_count as i64);
    }
}

fn reply_consumer(reply: &mut Reply, (group, consumer): (&Group, &Consumer), count: usize) {
    reply.map(5);
    bytes_field(reply, "name", consumer.name());
    int_field(reply, "seen-time", consumer.seen_time);
    int_field(reply, "active-time", consumer.active_time);
    int_field(reply, "pel-count", consumer.pending_len() as i64);
    reply.bulk(b"pending");
    let given = at_most(count, consumer.pending_len());
    reply.array(given);
    for id in consumer.pending_from(Id::MIN).take(given) {
        let pending = group.pending(id);
        reply.array(3);
        ids::reply_id(reply, id);
        reply.int(pending.map_or(0, |pending| pending.delivery_time));
        reply.int(pending.map_or(0, |pending| pending.delivery_count as i64));
    }
}

/// XINFO HELP
pub(in crate::commands) fn xinfo_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "XINFO",
        &[
            "CONSUMERS <key> <groupname>",
            "    Show consumers of <groupname>.",
            "GROUPS <key>",
            "    Show the stream consumer groups.",
            "STREAM <key> [FULL [COUNT <count>]",
            "    Show information about the stream.",
        ],
    );
    Ok(())
}
