//! XPENDING: what a group's consumers were given and have not acknowledged.

use super::groups::no_key_or_group;
use super::{ids, stream_of};
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::resp::{Error, Reply};
use crate::value::stream::{Group, Id, Pending};

/// Which pending entries are asked for.
struct Selection<'a> {
    start: Id,
    end: Id,
    count: usize,
    min_idle: i64,
    consumer: Option<&'a [u8]>,
}

impl<'a> Selection<'a> {
    /// `None` if a summary is asked for.
    fn parse(ctx: &Context<'a>) -> Result<Option<Self>, Error> {
        let args = ctx.args;
        match args.len() {
            3 => return Ok(None),
            6..=9 => {}
            _ => return Err(Error::Syntax),
        }
        let (mut first, mut min_idle) = (3, 0);
        if args.at(3).eq_ignore_ascii_case(b"IDLE") {
            min_idle = parse_i64(args.at(4))?;
            if args.len() < 8 {
                return Err(Error::Syntax);
            }
            first += 2;
        }
        let count = parse_i64(args.at(first + 2))?.max(0) as usize;
        let start = ids::parse_start(args.at(first))?;
        let end = ids::parse_end(args.at(first + 1))?;
        Ok(Some(Selection { start, end, count, min_idle, consumer: args.get(first + 3) }))
    }

    fn reply(&self, reply: &mut Reply, group: &Group, now: i64) {
        let range = self.end.next();
        let within = |id: &Id| range.is_none_or(|behind| *id < behind);
        let begun = reply.array_deferred();
        let mut given = 0;
        let mut give = |id: Id, pending: &Pending| {
            if given == self.count {
                return false;
            }
            let idle = now.wrapping_sub(pending.delivery_time);
            if self.min_idle == 0 || idle >= self.min_idle {
                reply_one(reply, group, (id, pending), idle.max(0));
                given += 1;
            }
            true
        };
        match self.consumer {
            None => {
                let mut all = group.pending_from(self.start).take_while(|(id, _)| within(id));
                let _ = all.all(|(id, pending)| give(id, pending));
            }
            Some(name) => {
                let consumer = group.find_consumer(name).map(|id| group.consumer(id));
                let all = consumer.into_iter().flat_map(|one| one.pending_from(self.start));
                let mut all = all.take_while(within);
                let _ = all.all(|id| group.pending(id).is_none_or(|pending| give(id, pending)));
            }
        }
        reply.end(begun, given);
    }
}

fn reply_one(reply: &mut Reply, group: &Group, (id, pending): (Id, &Pending), idle: i64) {
    reply.array(4);
    ids::reply_id(reply, id);
    reply.bulk(group.consumer(pending.consumer).name());
    reply.int(idle);
    reply.int(pending.delivery_count as i64);
}

/// How many are pending, the first and the last of them, and how many each consumer has.
fn reply_summary(reply: &mut Reply, group: &Group) {
    reply.array(4);
    reply.int(group.pending_len() as i64);
    let mut all = group.pending_from(Id::MIN).map(|(id, _)| id);
    let Some(first) = all.next() else {
        reply.null();
        reply.null();
        reply.null_array();
        return;
    };
    let last = all.next_back().unwrap_or(first);
    ids::reply_id(reply, first);
    ids::reply_id(reply, last);
    let begun = reply.array_deferred();
    let mut given = 0;
    for consumer in group.consumers().filter(|consumer| consumer.pending_len() > 0) {
        reply.array(2);
        reply.bulk(consumer.name());
        reply.bulk_int(consumer.pending_len() as i64);
        given += 1;
    }
    reply.end(begun, given);
}

/// XPENDING key group [[IDLE min-idle-time] start end count [consumer]]
pub(in crate::commands) fn xpending(ctx: &mut Context<'_>) -> Result<(), Error> {
    let selection = Selection::parse(ctx)?;
    let (key, name, now) = (ctx.key(1), ctx.args.at(2), ctx.now_ms() as i64);
    let group = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => stream_of(record)?.group(name),
        None => None,
    };
    let group = group.ok_or_else(|| no_key_or_group(&key, name))?;
    let reply = &mut ctx.client.reply;
    match selection {
        None => reply_summary(reply, group),
        Some(selection) => selection.reply(reply, group, now),
    }
    Ok(())
}
