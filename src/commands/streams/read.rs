//! XREAD and XREADGROUP: what streams have beyond an id, at once or when there is something.
//! XREADGROUP gives each entry to one consumer of a group, who has it pending from then on.

use super::groups::see_consumer;
use super::{ids, show, stream_mut, stream_of};
use crate::core::blocking::Deadline;
use crate::core::client::ClientFlags;
use crate::dispatch::Context;
use crate::keyspace::Key;
use crate::keyspace::waiting::WaitFor;
use crate::resp::reply::Deferred;
use crate::resp::{Error, OwnedArgs, Reply};
use crate::value::stream::{ConsumerId, Counters, Entry, Group, Id, Log, Pending};

/// A group and who reads in it.
#[derive(Clone, Copy)]
struct Reader<'a> {
    group: &'a [u8],
    consumer: &'a [u8],
    /// What is given is not pending.
    noack: bool,
}

/// What is asked for.
struct Request<'a> {
    /// At most so many entries of each stream; 0 for all.
    count: usize,
    /// Until when to wait.
    block: Option<Deadline>,
    reader: Option<Reader<'a>>,
    /// The argument that is the first key; as many ids follow the keys.
    first_key: usize,
    keys: usize,
}

impl<'a> Request<'a> {
    fn parse(ctx: &Context<'a>, of_group: bool) -> Result<Self, Error> {
        let mut cursor = ctx.cursor(1);
        let (mut count, mut block, mut group, mut noack) = (0, None, None, false);
        let only_group = |option: &str| {
            Error::err(format_args!(
                "The {option} option is only supported by XREADGROUP. You called XREAD instead."
            ))
        };
        let streams = loop {
            let left = cursor.remaining();
            if left > 1 && cursor.take_word("BLOCK") {
                if ctx.client.is(ClientFlags::SCRIPT) {
                    let name = String::from_utf8_lossy(ctx.args.at(0));
                    return Err(Error::err(format_args!(
                        "{name} command is not allowed with BLOCK option from scripts"
                    )));
                }
                block = Some(ctx.parse_timeout_ms(cursor.expect()?)?);
            } else if left > 1 && cursor.take_word("COUNT") {
                count = cursor.expect_i64()?.max(0) as usize;
            } else if left > 1 && cursor.take_word("STREAMS") {
                break cursor.position();
            } else if left > 2 && cursor.take_word("GROUP") {
                if !of_group {
                    return Err(only_group("GROUP"));
                }
                group = Some((cursor.expect()?, cursor.expect()?));
            } else if cursor.take_word("NOACK") {
                if !of_group {
                    return Err(only_group("NOACK"));
                }
                noack = true;
            } else {
                return Err(Error::Syntax);
            }
        };
        if !cursor.remaining().is_multiple_of(2) {
            let (name, id) = (ctx.command.full_name, if of_group { '>' } else { '$' });
            return Err(Error::err(format_args!(
                "Unbalanced '{name}' list of streams: for each stream key an ID or '{id}' must be \
                 specified."
            )));
        }
        if of_group && group.is_none() {
            return Err(Error::err("Missing GROUP option for XREADGROUP"));
        }
        let reader = group.map(|(group, consumer)| Reader { group, consumer, noack });
        let keys = cursor.remaining() / 2;
        Ok(Request { count, block, reader, first_key: streams, keys })
    }
}

/// From where a stream is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum From {
    /// What follows an id.
    After(Id),
    /// What the group was not given yet.
    New,
}

impl From {
    /// The id that it is behind.
    fn id(self) -> Id {
        match self {
            From::After(id) => id,
            From::New => Id::MAX,
        }
    }
}

/// The streams' beginnings, all of which must make sense before anything is given.
fn parse_ids(ctx: &mut Context<'_>, request: &Request<'_>) -> Result<Vec<From>, Error> {
    let mut found = Vec::with_capacity(request.keys);
    for index in request.first_key..request.first_key + request.keys {
        let (key, id) = (ctx.key(index), ctx.args.at(index + request.keys));
        let stream = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
            Some(record) => Some(stream_of(record)?),
            None => None,
        };
        if let Some(reader) = request.reader {
            let group = stream.and_then(|stream| stream.group(reader.group));
            group.ok_or_else(|| no_group(&key, reader.group))?;
        }
        found.push(match id {
            b"$" if request.reader.is_some() => {
                return Err(Error::err(
                    "The $ ID is meaningless in the context of XREADGROUP: you want to read the \
                     history of this consumer by specifying a proper ID, or use the > ID to get \
                     new messages. The $ ID would just return an empty result set.",
                ));
            }
            b"$" => From::After(stream.map_or(Id::MIN, |stream| stream.counters().last_id)),
            b">" if request.reader.is_none() => {
                return Err(Error::err(
                    "The > ID can be specified only when calling XREADGROUP using the GROUP \
                     <group> <consumer> option.",
                ));
            }
            b">" => From::New,
            // The greatest id of all is what Redis has for `>`.
            _ => match ids::parse_strict(id)? {
                Id::MAX if request.reader.is_some() => From::New,
                id => From::After(id),
            },
        });
    }
    Ok(found)
}

fn no_group(key: &Key<'_>, group: &[u8]) -> Error {
    let (key, group) = (show(key.bytes()), show(group));
    Error::Custom(
        format!(
            "NOGROUP No such key '{key}' or consumer group '{group}' in XREADGROUP with GROUP \
             option"
        )
        .into(),
    )
}

/// XREAD [COUNT count] [BLOCK milliseconds] STREAMS key [key …] id [id …]
pub(in crate::commands) fn xread(ctx: &mut Context<'_>) -> Result<(), Error> {
    read(ctx, false)
}

/// XREADGROUP GROUP group consumer [COUNT count] [BLOCK milliseconds] [NOACK] STREAMS key [key …]
/// id [id …]
pub(in crate::commands) fn xreadgroup(ctx: &mut Context<'_>) -> Result<(), Error> {
    read(ctx, true)
}

fn read(ctx: &mut Context<'_>, of_group: bool) -> Result<(), Error> {
    let request = Request::parse(ctx, of_group)?;
    let starts = parse_ids(ctx, &request)?;
    let mut answer = Answer { begun: None, streams: 0 };
    for (index, &start) in starts.iter().enumerate() {
        let key = ctx.key(request.first_key + index);
        match request.reader {
            Some(reader) => give(ctx, &key, (reader, start, request.count), &mut answer)?,
            None => show_new(ctx, &key, (start, request.count), &mut answer)?,
        }
    }
    match (answer.begun, request.block) {
        (Some(begun), _) => ctx.client.reply.end(begun, answer.streams),
        (None, Some(deadline)) if ctx.may_block() => wait(ctx, &request, &starts, deadline),
        (None, _) => ctx.client.reply.null_array(),
    }
    Ok(())
}

/// Puts the command off until one of the streams has more, or has lost the group.
fn wait(ctx: &mut Context<'_>, request: &Request<'_>, starts: &[From], deadline: Deadline) {
    let keys = request.first_key..request.first_key + request.keys;
    if request.reader.is_some() {
        return ctx.block_on(keys, WaitFor::Group, deadline);
    }
    // `$` is the entry that is the last one now, also when the command is run again.
    let last_ids: Vec<_> = starts.iter().map(|start| start.id().text()).collect();
    let parts =
        ctx.args.iter_from(0).enumerate().map(|(index, arg)| match index.checked_sub(keys.end) {
            Some(place) if arg == b"$" => &last_ids[place][..],
            _ => arg,
        });
    let args = OwnedArgs::from_parts(parts);
    ctx.block_as(args, keys, WaitFor::Stream, deadline);
}

/// The streams that there is something of.
struct Answer {
    begun: Option<Deferred>,
    streams: usize,
}

impl Answer {
    /// Begins with a stream; its entries follow.
    fn begin(&mut self, reply: &mut Reply, key: &Key<'_>) {
        if self.begun.is_none() {
            self.begun = Some(reply.keyed_deferred());
        }
        self.streams += 1;
        reply.keyed();
        reply.bulk(key.bytes());
    }
}

/// XREAD: entries behind an id.
fn show_new(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    (start, count): (From, usize),
    answer: &mut Answer,
) -> Result<(), Error> {
    let reply = &mut ctx.client.reply;
    let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, key) else { return Ok(()) };
    let log = stream_of(record)?.log();
    if let From::After(id) = start
        && let Some(first) = id.next()
        && log.last_id().is_some_and(|last| last > id)
    {
        answer.begin(reply, key);
        ids::reply_entries(reply, log.range(first, Id::MAX), count);
    }
    Ok(())
}

/// XREADGROUP: new entries for a consumer, or those that it has pending.
fn give(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    (reader, start, count): (Reader<'_>, From, usize),
    answer: &mut Answer,
) -> Result<(), Error> {
    let (db, now) = (ctx.client.db, ctx.now_ms() as i64);
    if ctx.core.keyspace.lookup_read(db, key).is_none() {
        return Ok(());
    }
    let Some(record) = ctx.core.keyspace.edit(db, key) else { return Ok(()) };
    let Some((group, log, counters)) = stream_mut(record)?.group_mut(reader.group) else {
        return Ok(());
    };
    let (consumer, created) = see_consumer(group, reader.consumer, now);
    let reply = &mut ctx.client.reply;
    let served = match start {
        From::After(id) => {
            answer.begin(reply, key);
            reply_history(reply, (group, log), (consumer, id, count), now);
            true
        }
        From::New if log.last_id().is_some_and(|last| last > group.last_id) => {
            answer.begin(reply, key);
            let first = group.last_id.next().unwrap_or(Id::MAX);
            let delivery = Delivery { consumer, now, noack: reader.noack };
            let entries = log.range(first, Id::MAX);
            let given = entries.inspect(|entry| delivery.give(group, entry, counters));
            ids::reply_entries(reply, given, count);
            true
        }
        From::New => false,
    };
    ctx.core.keyspace.dirty += u64::from(served);
    created.report(ctx, key);
    Ok(())
}

/// To whom new entries are given.
struct Delivery {
    consumer: ConsumerId,
    now: i64,
    noack: bool,
}

impl Delivery {
    fn give(&self, group: &mut Group, entry: &Entry<'_>, counters: &Counters) {
        group.advance(entry.id, counters);
        if !self.noack {
            let Delivery { consumer, now, .. } = *self;
            let pending = Pending { consumer, delivery_time: now, delivery_count: 1 };
            group.set_pending(entry.id, pending);
            group.consumer_mut(consumer).active_time = now;
        }
    }
}

/// What a consumer has pending behind an id, which counts as given once more.
fn reply_history(
    reply: &mut Reply,
    (group, log): (&mut Group, &Log),
    (consumer, after, count): (ConsumerId, Id, usize),
    now: i64,
) {
    let begun = reply.array_deferred();
    let (mut given, mut next) = (0, after.next());
    while let Some(from) = next {
        let Some(id) = group.consumer(consumer).pending_from(from).next() else { break };
        match (log.get(id), group.pending(id)) {
            (Some(entry), Some(&pending)) => {
                ids::reply_entry(reply, &entry);
                let delivery_count = pending.delivery_count.wrapping_add(1);
                group.set_pending(id, Pending { delivery_time: now, delivery_count, ..pending });
            }
            _ => {
                reply.array(2);
                ids::reply_id(reply, id);
                reply.null_array();
            }
        }
        given += 1;
        if given == count {
            break;
        }
        next = id.next();
    }
    reply.end(begun, given);
}
