//! Commands on sorted sets: adding, removing, asking for members. Ranges are in `zset_ranges`,
//! unions and their kin in `zset_algebra`, what takes members from the ends or at random in
//! `zset_pops`. How a sorted set is stored is decided in `value::zset`, by the limits that are
//! taken from the configuration here. Called by dispatch; all access to keys goes through the
//! keyspace.

use std::ops::Range;

use super::scan::{ElementOptions, parse_cursor};
use super::typed;
pub(super) use super::typed::reply_element as reply_member;
use crate::base::numbers;
use crate::core::value_limits::of_zsets as limits;
use crate::data::listpack::{Element, Listpack};
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key, Keyspace, RecordMut};
use crate::resp::{Args, Error, Reply};
use crate::value::zset::range::NoBound;
use crate::value::zset::{Change, LexRange, ScoreRange};
use crate::value::{NewValue, Value, Zset};

// ---- what several commands share

/// The sorted set at a key, to be read.
#[inline]
pub(super) fn read_zset<'k>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
) -> Result<Option<&'k Zset>, Error> {
    typed::read(keyspace, db, key)
}

/// The sorted set of a record, to be changed.
#[inline]
pub(super) fn zset_mut(record: RecordMut<'_>) -> Result<&mut Zset, Error> {
    typed::of_record_mut(record)
}

/// Replies with members in the order they come in, with their scores if they are asked for.
pub(super) fn reply_members<'a>(
    reply: &mut Reply,
    members: impl ExactSizeIterator<Item = (Element<'a>, f64)>,
    with_scores: bool,
) {
    begin_members(reply, members.len(), with_scores);
    members.for_each(|(member, score)| reply_scored(reply, member, score, with_scores));
}

/// Begins a reply of so many members.
pub(super) fn begin_members(reply: &mut Reply, count: usize, with_scores: bool) {
    if with_scores { reply.pairs(count) } else { reply.array(count) }
}

/// Replies with one of the members that were announced.
#[inline]
pub(super) fn reply_scored(reply: &mut Reply, member: Element<'_>, score: f64, with_scores: bool) {
    if with_scores {
        reply.pair();
    }
    reply_member(reply, member);
    if with_scores {
        reply.double(score);
    }
}

/// A score as an argument.
#[inline]
fn parse_score(arg: &[u8]) -> Result<f64, Error> {
    numbers::parse_f64(arg).ok_or(Error::NotAFloat)
}

/// Two arguments as a range of scores.
pub(super) fn parse_scores(min: &[u8], max: &[u8]) -> Result<ScoreRange, Error> {
    ScoreRange::parse(min, max).map_err(|NoBound| Error::err("min or max is not a float"))
}

/// Two arguments as a range of members.
pub(super) fn parse_members<'a>(min: &'a [u8], max: &'a [u8]) -> Result<LexRange<'a>, Error> {
    let words = "min or max not valid string range item";
    LexRange::parse(min, max).map_err(|NoBound| Error::err(words))
}

/// The ranks from one to another, both included, that exist; negative ones count from the end.
pub(super) fn ranks_between(start: i64, end: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_end = |rank: i64| if rank < 0 { rank.saturating_add(len) } else { rank };
    let (start, end) = (from_end(start).max(0), from_end(end).min(len - 1));
    if start > end { 0..0 } else { start as usize..end as usize + 1 }
}

/// So many members were removed, the last one among them if `is_empty`: signals, reports and counts
/// it, and removes the key of an empty one.
pub(super) fn removed(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    event: &'static str,
    (count, is_empty): (usize, bool),
) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    if count == 0 {
        return;
    }
    keyspace.signal_modified(db, key);
    keyspace.notify(EventClass::ZSET, event, db, key);
    keyspace.dirty += count as u64;
    if is_empty {
        keyspace.remove(db, key, Free::Now);
        keyspace.notify(EventClass::GENERIC, "del", db, key);
    }
}

// ---- adding

/// What ZADD may do.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    /// NX: nothing to members that are there.
    only_new: bool,
    /// XX: no members that are not there.
    only_old: bool,
    /// GT: only to a greater score.
    only_greater: bool,
    /// LT: only to a lower score.
    only_lower: bool,
    /// INCR: the score is added to the old one.
    add: bool,
    /// CH: count changed scores, too.
    count_changed: bool,
}

impl Rules {
    /// Reads options; the index of the first argument behind them.
    fn parse(args: &Args<'_>, mut rules: Rules) -> (Rules, usize) {
        let mut at = 2;
        while let Some(arg) = args.get(at) {
            let option = match arg {
                _ if arg.eq_ignore_ascii_case(b"NX") => &mut rules.only_new,
                _ if arg.eq_ignore_ascii_case(b"XX") => &mut rules.only_old,
                _ if arg.eq_ignore_ascii_case(b"CH") => &mut rules.count_changed,
                _ if arg.eq_ignore_ascii_case(b"INCR") => &mut rules.add,
                _ if arg.eq_ignore_ascii_case(b"GT") => &mut rules.only_greater,
                _ if arg.eq_ignore_ascii_case(b"LT") => &mut rules.only_lower,
                _ => break,
            };
            *option = true;
            at += 1;
        }
        (rules, at)
    }

    /// Reads the options of GEOADD; the index of the first argument behind them.
    pub(super) fn parse_geo(args: &Args<'_>) -> (Rules, usize) {
        let is_option =
            |arg: &[u8]| [b"NX", b"XX", b"CH"].iter().any(|name| arg.eq_ignore_ascii_case(*name));
        let options = args.iter_from(2).take_while(|arg| is_option(arg)).count();
        let has =
            |name: &[u8]| args.iter_from(2).take(options).any(|arg| arg.eq_ignore_ascii_case(name));
        let rules = Rules {
            only_new: has(b"NX"),
            only_old: has(b"XX"),
            count_changed: has(b"CH"),
            ..Rules::default()
        };
        (rules, 2 + options)
    }

    /// Whether no member can be both.
    pub(super) fn is_contradictory(self) -> bool {
        self.only_new && self.only_old
    }

    fn check(self, members: usize) -> Result<(), Error> {
        let Rules { only_new, only_old, only_greater, only_lower, .. } = self;
        if only_new && only_old {
            return Err(Error::err("XX and NX options at the same time are not compatible"));
        }
        if only_new && (only_greater || only_lower) || only_greater && only_lower {
            let words = "GT, LT, and/or NX options at the same time are not compatible";
            return Err(Error::err(words));
        }
        if self.add && members > 1 {
            return Err(Error::err("INCR option supports a single increment-element pair"));
        }
        Ok(())
    }

    /// The score that a member gets; none if it is to be left alone.
    #[inline]
    fn decide(self, old: Option<f64>, given: f64) -> Option<f64> {
        let Some(old) = old else { return (!self.only_old).then_some(given) };
        let score = if self.add { old + given } else { given };
        let refused =
            self.only_new || self.only_lower && score >= old || self.only_greater && score <= old;
        (!refused).then_some(score)
    }
}

/// ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member …]
pub(super) fn zadd(ctx: &mut Context<'_>) -> Result<(), Error> {
    add_scored(ctx, Rules::default())
}

/// ZINCRBY key increment member
pub(super) fn zincrby(ctx: &mut Context<'_>) -> Result<(), Error> {
    add_scored(ctx, Rules { add: true, ..Rules::default() })
}

/// What became of members.
#[derive(Clone, Copy, Debug, Default)]
struct Added {
    added: usize,
    updated: usize,
    /// The score of the last one that was not left alone.
    score: Option<f64>,
}

fn add_scored(ctx: &mut Context<'_>, rules: Rules) -> Result<(), Error> {
    let args = ctx.args;
    let (rules, first) = Rules::parse(&args, rules);
    let count = (args.len() - first) / 2;
    if count == 0 || !(args.len() - first).is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    rules.check(count)?;
    // The first is kept, as there is often no other; those of the others are read again.
    let score = parse_score(args.at(first))?;
    (1..count).try_for_each(|n| parse_score(args.at(first + 2 * n)).map(drop))?;
    let pairs = (0..count).map(|n| {
        let score = if n == 0 { Ok(score) } else { parse_score(args.at(first + 2 * n)) };
        score.map(|score| (score, args.at(first + 2 * n + 1)))
    });
    add_members(ctx, rules, args.at(first + 1), pairs)
}

/// Adds members, the first of which is also told apart, and replies.
pub(super) fn add_members<'a>(
    ctx: &mut Context<'_>,
    rules: Rules,
    first: &[u8],
    pairs: impl ExactSizeIterator<Item = Result<(f64, &'a [u8]), Error>>,
) -> Result<(), Error> {
    let done = set_scores(ctx, rules, first, pairs)?;
    if done.added + done.updated > 0 {
        let (key, db) = (ctx.key(1), ctx.client.db);
        let keyspace = &mut ctx.core.keyspace;
        keyspace.signal_modified(db, &key);
        keyspace.notify(EventClass::ZSET, if rules.add { "zincr" } else { "zadd" }, db, &key);
        keyspace.dirty += (done.added + done.updated) as u64;
    }
    let reply = &mut ctx.client.reply;
    if rules.add {
        match done.score {
            Some(score) => reply.double(score),
            None => reply.null(),
        }
    } else {
        let counted = if rules.count_changed { done.added + done.updated } else { done.added };
        reply.int(counted as i64);
    }
    Ok(())
}

fn set_scores<'a>(
    ctx: &mut Context<'_>,
    rules: Rules,
    first: &[u8],
    pairs: impl ExactSizeIterator<Item = Result<(f64, &'a [u8]), Error>>,
) -> Result<Added, Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let count = pairs.len();
    let change = |zset: &mut Zset| {
        let mut done = Added::default();
        for pair in pairs {
            let (given, member) = pair?;
            let mut is_nan = false;
            let change = zset.update(member, limits, |old| {
                let score = rules.decide(old, given);
                is_nan =
                    rules.add && !rules.only_new && old.is_some_and(|old| (old + given).is_nan());
                score.filter(|_| !is_nan)
            });
            if is_nan {
                return Err(Error::err("resulting score is not a number (NaN)"));
            }
            match change {
                Change::Added(_) => done.added += 1,
                Change::Updated(_) => done.updated += 1,
                Change::Kept(_) | Change::Skipped => {}
            }
            if let Change::Added(score) | Change::Updated(score) | Change::Kept(score) = change {
                done.score = Some(score);
            }
        }
        Ok(done)
    };
    let keyspace = &mut ctx.core.keyspace;
    if let Some(record) = keyspace.lookup_write(db, &key) {
        let zset = zset_mut(record)?;
        zset.prepare(count, limits);
        return change(zset);
    }
    if rules.only_old {
        return Ok(Added::default());
    }
    let mut zset = Zset::for_members(count, first.len(), limits);
    let done = change(&mut zset)?;
    keyspace.insert(db, &key, NewValue::Owned(Value::Zset(zset)), None);
    Ok(done)
}

// ---- removing

/// ZREM key member [member …]
pub(super) fn zrem(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let (mut count, mut is_empty) = (0, false);
    if let Some(zset) = ctx.core.keyspace.lookup_write(db, &key).map(zset_mut).transpose()? {
        for member in ctx.args.iter_from(2) {
            count += usize::from(zset.remove(member).is_some());
            is_empty = zset.is_empty();
            if is_empty {
                break;
            }
        }
    }
    removed(ctx, &key, "zrem", (count, is_empty));
    ctx.client.reply.int(count as i64);
    Ok(())
}

/// ZREMRANGEBYRANK key start stop
pub(super) fn zremrangebyrank(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (start, end) = (parse_i64(ctx.args.at(2))?, parse_i64(ctx.args.at(3))?);
    remove_range(ctx, "zremrangebyrank", |zset| ranks_between(start, end, zset.len()))
}

/// ZREMRANGEBYSCORE key min max
pub(super) fn zremrangebyscore(ctx: &mut Context<'_>) -> Result<(), Error> {
    let range = parse_scores(ctx.args.at(2), ctx.args.at(3))?;
    remove_range(ctx, "zremrangebyscore", |zset| zset.ranks_by_score(&range))
}

/// ZREMRANGEBYLEX key min max
pub(super) fn zremrangebylex(ctx: &mut Context<'_>) -> Result<(), Error> {
    let range = parse_members(ctx.args.at(2), ctx.args.at(3))?;
    remove_range(ctx, "zremrangebylex", |zset| zset.ranks_by_member(&range))
}

fn remove_range(
    ctx: &mut Context<'_>,
    event: &'static str,
    ranks: impl FnOnce(&Zset) -> Range<usize>,
) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    let (mut count, mut is_empty) = (0, false);
    if let Some(zset) = keyspace.lookup_write(db, &key).map(zset_mut).transpose()? {
        let ranks = ranks(zset);
        (count, is_empty) = (ranks.len(), ranks.len() == zset.len());
        // An empty one goes as a whole, by the helper if it is big.
        if !is_empty {
            zset.remove_range(ranks);
        }
    }
    removed(ctx, &key, event, (count, is_empty));
    ctx.client.reply.int(count as i64);
    Ok(())
}

// ---- asking

/// Replies with a number that the sorted set gives; 0 where there is none.
fn reply_number(ctx: &mut Context<'_>, number: impl FnOnce(&Zset) -> usize) -> Result<(), Error> {
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    ctx.client.reply.int(zset.map_or(0, number) as i64);
    Ok(())
}

/// ZCARD key
pub(super) fn zcard(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_number(ctx, Zset::len)
}

/// ZCOUNT key min max
pub(super) fn zcount(ctx: &mut Context<'_>) -> Result<(), Error> {
    let range = parse_scores(ctx.args.at(2), ctx.args.at(3))?;
    reply_number(ctx, |zset| zset.ranks_by_score(&range).len())
}

/// ZLEXCOUNT key min max
pub(super) fn zlexcount(ctx: &mut Context<'_>) -> Result<(), Error> {
    let range = parse_members(ctx.args.at(2), ctx.args.at(3))?;
    reply_number(ctx, |zset| zset.ranks_by_member(&range).len())
}

fn reply_score(reply: &mut Reply, score: Option<f64>) {
    match score {
        Some(score) => reply.double(score),
        None => reply.null(),
    }
}

/// ZSCORE key member
pub(super) fn zscore(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    reply_score(&mut ctx.client.reply, zset.and_then(|zset| zset.score(ctx.args.at(2))));
    Ok(())
}

/// ZMSCORE key member [member …]
pub(super) fn zmscore(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (members, reply) = (ctx.args.iter_from(2), &mut ctx.client.reply);
    reply.array(members.len());
    for member in members {
        reply_score(reply, zset.and_then(|zset| zset.score(member)));
    }
    Ok(())
}

/// ZRANK key member [WITHSCORE]
pub(super) fn zrank(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_rank(ctx, |rank, _| rank)
}

/// ZREVRANK key member [WITHSCORE]
pub(super) fn zrevrank(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_rank(ctx, |rank, len| len - 1 - rank)
}

fn reply_rank(ctx: &mut Context<'_>, place: fn(usize, usize) -> usize) -> Result<(), Error> {
    let with_score = match ctx.args.get(3) {
        _ if ctx.args.len() > 4 => {
            return Err(Error::WrongArity(ctx.command.full_name.into()));
        }
        Some(word) if word.eq_ignore_ascii_case(b"WITHSCORE") => true,
        Some(_) => return Err(Error::Syntax),
        None => false,
    };
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let found = zset.and_then(|zset| {
        let (rank, score) = zset.rank(ctx.args.at(2))?;
        Some((place(rank, zset.len()) as i64, score))
    });
    let reply = &mut ctx.client.reply;
    match found {
        Some((rank, score)) if with_score => {
            reply.array(2);
            reply.int(rank);
            reply.double(score);
        }
        Some((rank, _)) => reply.int(rank),
        None if with_score => reply.null_array(),
        None => reply.null(),
    }
    Ok(())
}

/// ZSCAN key cursor [MATCH pattern] [COUNT count]
pub(super) fn zscan(ctx: &mut Context<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(ctx.args.at(2))?;
    let (key, options) = (ctx.key(1), ctx.cursor(3));
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let reply = &mut ctx.client.reply;
    // As in Redis, nobody looks at the options where there is no sorted set.
    let Some(zset) = zset else {
        reply_cursor(reply, 0);
        reply.array(0);
        return Ok(());
    };
    let options = ElementOptions::parse(options)?;
    if let Some(pairs) = zset.listpack() {
        reply_cursor(reply, 0);
        reply_pairs(reply, pairs, options);
        return Ok(());
    }
    let mut found = Vec::new();
    let next = zset.scan(cursor, options.count, |member, score| {
        if options.admit(member) {
            found.push((member, score));
        }
    });
    reply_cursor(reply, next);
    reply.array(2 * found.len());
    let mut text = Vec::new();
    for (member, score) in found {
        reply.bulk(member);
        text.clear();
        numbers::write_general(&mut text, score);
        reply.bulk(&text);
    }
    Ok(())
}

fn reply_cursor(reply: &mut Reply, cursor: u64) {
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(cursor).as_bytes());
}

/// Members that the pattern admits, and scores as they are stored.
fn reply_pairs(reply: &mut Reply, pairs: &Listpack, options: ElementOptions<'_>) {
    let mut digits = itoa::Buffer::new();
    let mut elements = pairs.iter();
    let mut found = Vec::new();
    while let (Some(member), Some(score)) = (elements.next(), elements.next()) {
        if options.admit(member.bytes(&mut digits)) {
            found.push((member, score));
        }
    }
    reply.array(2 * found.len());
    for (member, score) in found {
        reply_member(reply, member);
        reply_member(reply, score);
    }
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("zadd", -4, zadd)
        .summary("Adds members to a sorted set, or changes their scores.")
        .syntax(
            "key [NX | XX]:condition@3.0.2 [GT | LT]:comparison@6.2.0 [CH:change]@3.0.2 \
             [INCR:increment]@3.0.2 <score member>...",
        )
        .since("1.2.0", Group::SortedSet)
        .complexity("O(log(N)) per member, N members")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])])
        .element(3),
    Command::new("zcard", 2, zcard)
        .summary("Gives the number of members of a sorted set.")
        .syntax("key")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("zcount", 4, zcount)
        .summary("Counts the members whose scores are in a range.")
        .syntax("key min:double max:double")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("zincrby", 4, zincrby)
        .summary("Adds a number to the score of a member.")
        .syntax("key increment member")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])])
        .element(3),
    Command::new("zlexcount", 4, zlexcount)
        .summary("Counts the members in a range, where all have the same score.")
        .syntax("key min max")
        .since("2.8.9", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("zmscore", -3, zmscore)
        .summary("Gives the scores of several members.")
        .syntax("key member...")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N), N members asked for")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("zrank", -3, zrank)
        .summary("Gives the place of a member, counted from the lowest score.")
        .syntax("key member [WITHSCORE]")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("zrem", -3, zrem)
        .summary("Removes members of a sorted set, and the sorted set with its last member.")
        .syntax("key member...")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(M*log(N)), N members, M of them removed")
        .flags(&[WRITE, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, DELETE])])
        .element(2),
    Command::new("zremrangebylex", 4, zremrangebylex)
        .summary("Removes the members in a range, where all have the same score.")
        .syntax("key min max")
        .since("2.8.9", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them removed")
        .flags(&[WRITE])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::new("zremrangebyrank", 4, zremrangebyrank)
        .summary("Removes the members from one place to another.")
        .syntax("key start stop")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them removed")
        .flags(&[WRITE])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::new("zremrangebyscore", 4, zremrangebyscore)
        .summary("Removes the members whose scores are in a range.")
        .syntax("key min:double max:double")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them removed")
        .flags(&[WRITE])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::new("zrevrank", -3, zrevrank)
        .summary("Gives the place of a member, counted from the highest score.")
        .syntax("key member [WITHSCORE]")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(log(N)), N members")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
    Command::new("zscan", -3, zscan)
        .summary("Walks through the members of a sorted set, a few per call.")
        .syntax("key cursor [MATCH pattern] [COUNT count]")
        .since("2.8.0", Group::SortedSet)
        .complexity("O(1) per call, O(N) for all N members")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("zscore", 3, zscore)
        .summary("Gives the score of a member.")
        .syntax("key member")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .element(2),
];
