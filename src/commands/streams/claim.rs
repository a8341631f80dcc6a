//! XCLAIM and XAUTOCLAIM: pending entries are given to another consumer.

use super::groups::{no_key_or_group, see_consumer};
use super::{ids, stream_mut, stream_of};
use crate::dispatch::cursor::{parse_i64, parse_range};
use crate::dispatch::{Context, Cursor};
use crate::keyspace::Key;
use crate::resp::{Error, Reply};
use crate::value::stream::{ConsumerId, Group, Id, Log, Pending};

/// Entries that XAUTOCLAIM claims at most, if nothing is said of that.
const COUNT: i64 = 100;
/// Pending entries that it looks at for each that it may claim.
const ATTEMPTS_PER_ENTRY: i64 = 10;

/// What happens to entries that are claimed.
struct Claim {
    consumer: ConsumerId,
    /// Only those are claimed that were given so long ago.
    min_idle: i64,
    now: i64,
    /// When they count as given.
    delivery_time: i64,
    /// How often they count as given.
    delivery_count: Option<u64>,
    /// Only ids are asked for, which does not count as giving.
    just_id: bool,
    /// Entries that are not pending become that.
    force: bool,
}

/// What became of one entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Claimed,
    /// It is not in the stream any more, and was pending until now.
    Gone,
    Left,
}

impl Claim {
    fn run(&self, group: &mut Group, log: &Log, id: Id) -> Outcome {
        if log.get(id).is_none() {
            return if group.remove_pending(id) { Outcome::Gone } else { Outcome::Left };
        }
        let count = match group.pending(id) {
            Some(pending) => {
                let idle = self.now.wrapping_sub(pending.delivery_time);
                if self.min_idle > 0 && idle < self.min_idle {
                    return Outcome::Left;
                }
                pending.delivery_count
            }
            None if self.force => 1,
            None => return Outcome::Left,
        };
        let counted = count.wrapping_add(u64::from(!self.just_id));
        let pending = Pending {
            consumer: self.consumer,
            delivery_time: self.delivery_time,
            delivery_count: self.delivery_count.unwrap_or(counted),
        };
        group.set_pending(id, pending);
        group.consumer_mut(self.consumer).active_time = self.now;
        Outcome::Claimed
    }

    fn reply(&self, reply: &mut Reply, log: &Log, claimed: &[Id]) {
        reply.array(claimed.len());
        for &id in claimed {
            match log.get(id) {
                Some(entry) if !self.just_id => ids::reply_entry(reply, &entry),
                _ => ids::reply_id(reply, id),
            }
        }
    }
}

/// The group that the second argument names must be there.
fn check_group(ctx: &mut Context<'_>, key: &Key<'_>) -> Result<(), Error> {
    let name = ctx.args.at(2);
    let found = match ctx.core.keyspace.lookup_read(ctx.client.db, key) {
        Some(record) => stream_of(record)?.group(name),
        None => None,
    };
    found.map(|_| ()).ok_or_else(|| no_key_or_group(key, name))
}

/// The options of XCLAIM.
#[derive(Default)]
struct Options {
    delivery_time: Option<i64>,
    delivery_count: Option<u64>,
    force: bool,
    just_id: bool,
    last_id: Id,
}

impl Options {
    fn parse(mut cursor: Cursor<'_>, now: i64) -> Result<Self, Error> {
        let mut options = Options::default();
        let number = |arg: &[u8], name: &str| {
            let words = || Error::err(format_args!("Invalid {name} option argument for XCLAIM"));
            parse_i64(arg).map_err(|_| words())
        };
        while let Some(word) = cursor.peek() {
            let has_value = cursor.remaining() > 1;
            if cursor.take_word("FORCE") {
                options.force = true;
            } else if cursor.take_word("JUSTID") {
                options.just_id = true;
            } else if has_value && cursor.take_word("IDLE") {
                let idle = number(cursor.expect()?, "IDLE")?;
                options.delivery_time = Some(now.wrapping_sub(idle));
            } else if has_value && cursor.take_word("TIME") {
                options.delivery_time = Some(number(cursor.expect()?, "TIME")?);
            } else if has_value && cursor.take_word("RETRYCOUNT") {
                options.delivery_count = number(cursor.expect()?, "RETRYCOUNT")?.try_into().ok();
            } else if has_value && cursor.take_word("LASTID") {
                options.last_id = ids::parse_strict(cursor.expect()?)?;
            } else {
                let shown = super::show(word);
                return Err(Error::err(format_args!("Unrecognized XCLAIM option '{shown}'")));
            }
        }
        Ok(options)
    }
}

/// XCLAIM key group consumer min-idle-time id [id …] [IDLE ms] [TIME unix-time-milliseconds]
/// [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]
pub(in crate::commands) fn xclaim(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, now) = (ctx.key(1), ctx.client.db, ctx.now_ms() as i64);
    check_group(ctx, &key)?;
    let min_idle = parse_i64(ctx.args.at(4))
        .map_err(|_| Error::err("Invalid min-idle-time argument for XCLAIM"))?;
    let wanted: Vec<Id> = ctx.args.iter_from(5).map_while(ids::try_parse).collect();
    let options = Options::parse(ctx.cursor(5 + wanted.len()), now)?;
    let Some(record) = ctx.core.keyspace.edit(db, &key) else { return Ok(()) };
    let Some((group, log, _)) = stream_mut(record)?.group_mut(ctx.args.at(2)) else {
        return Ok(());
    };
    let mut advanced = options.last_id > group.last_id;
    group.last_id = group.last_id.max(options.last_id);
    let (consumer, created) = see_consumer(group, ctx.args.at(3), now);
    let claim = Claim {
        consumer,
        min_idle,
        now,
        // A time that makes no sense is now.
        delivery_time: options.delivery_time.filter(|at| (0..=now).contains(at)).unwrap_or(now),
        delivery_count: options.delivery_count,
        just_id: options.just_id,
        force: options.force,
    };
    let (mut claimed, mut changes) = (Vec::new(), 0);
    for id in wanted {
        let outcome = claim.run(group, log, id);
        if outcome == Outcome::Claimed {
            claimed.push(id);
        }
        if outcome != Outcome::Left {
            changes += 1;
            advanced = false;
        }
    }
    claim.reply(&mut ctx.client.reply, log, &claimed);
    ctx.core.keyspace.dirty += changes + u64::from(advanced);
    created.report(ctx, &key);
    Ok(())
}

/// What XAUTOCLAIM is asked for.
struct Search {
    min_idle: i64,
    start: Id,
    count: i64,
    just_id: bool,
}

impl Search {
    fn parse(ctx: &Context<'_>) -> Result<Self, Error> {
        /// As many as have room in memory, as Redis sees it.
        const COUNT_MAX: i64 = i64::MAX / Id::BYTES as i64;
        let min_idle = parse_i64(ctx.args.at(4))
            .map_err(|_| Error::err("Invalid min-idle-time argument for XAUTOCLAIM"))?;
        let start = ids::parse_start(ctx.args.at(5))?;
        let mut search = Search { min_idle, start, count: COUNT, just_id: false };
        let mut options = ctx.cursor(6);
        while options.remaining() > 0 {
            if options.remaining() > 1 && options.take_word("COUNT") {
                search.count = parse_range(options.expect()?, 1, COUNT_MAX)
                    .map_err(|_| Error::err("COUNT must be > 0"))?;
            } else if options.take_word("JUSTID") {
                search.just_id = true;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(search)
    }
}

/// XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]
pub(in crate::commands) fn xautoclaim(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, now) = (ctx.key(1), ctx.client.db, ctx.now_ms() as i64);
    // The key is looked up before the arguments are read, whose errors nevertheless come first.
    let found = check_group(ctx, &key);
    let search = Search::parse(ctx)?;
    found?;
    let Some(record) = ctx.core.keyspace.edit(db, &key) else { return Ok(()) };
    let Some((group, log, _)) = stream_mut(record)?.group_mut(ctx.args.at(2)) else {
        return Ok(());
    };
    let (consumer, created) = see_consumer(group, ctx.args.at(3), now);
    let Search { min_idle, just_id, .. } = search;
    let claim = Claim {
        consumer,
        min_idle,
        now,
        delivery_time: now,
        delivery_count: None,
        just_id,
        force: false,
    };
    let (mut claimed, mut gone, mut next) = (Vec::new(), Vec::new(), Some(search.start));
    let (mut left, mut attempts) = (search.count, search.count.saturating_mul(ATTEMPTS_PER_ENTRY));
    while left > 0 && attempts > 0 {
        let Some(id) = next.and_then(|from| first_pending(group, from)) else { break };
        next = id.next();
        attempts -= 1;
        match claim.run(group, log, id) {
            Outcome::Claimed => claimed.push(id),
            Outcome::Gone => gone.push(id),
            Outcome::Left => continue,
        }
        left -= 1;
    }
    let next = next.and_then(|from| first_pending(group, from)).unwrap_or(Id::MIN);
    let reply = &mut ctx.client.reply;
    reply.array(3);
    ids::reply_id(reply, next);
    claim.reply(reply, log, &claimed);
    reply.array(gone.len());
    gone.iter().for_each(|&id| ids::reply_id(reply, id));
    ctx.core.keyspace.dirty += (claimed.len() + gone.len()) as u64;
    created.report(ctx, &key);
    Ok(())
}

fn first_pending(group: &Group, from: Id) -> Option<Id> {
    group.pending_from(from).next().map(|(id, _)| id)
}
