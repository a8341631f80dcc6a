//! Members taken from the ends of sorted sets, and members at random. What they share with the
//! other commands is in `zsets`.

use super::draws;
use super::zsets::{begin_members, read_zset, removed, reply_member, reply_scored, zset_mut};
use crate::base::numbers;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_range;
use crate::dispatch::declare::*;
use crate::keyspace::Key;
use crate::resp::{Args, Error, Protocol, Reply};

// ---- from the ends

/// An end of a sorted set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The lowest scores.
    Min,
    /// The highest scores.
    Max,
}

/// How popped members are replied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// Member and score by turns.
    Flat,
    /// An array of member and score for each.
    Nested,
    /// The key, then member and score by turns.
    KeyAndFlat,
    /// The key, and an array of such arrays.
    KeyAndNested,
}

impl Layout {
    fn begin(self, reply: &mut Reply, key: &Key<'_>, count: usize) {
        match self {
            Layout::Flat => reply.array(2 * count),
            Layout::Nested => reply.array(count),
            Layout::KeyAndFlat => {
                reply.array(2 * count + 1);
                reply.bulk(key.bytes());
            }
            Layout::KeyAndNested => {
                reply.array(2);
                reply.bulk(key.bytes());
                reply.array(count);
            }
        }
    }

    fn is_nested(self) -> bool {
        matches!(self, Layout::Nested | Layout::KeyAndNested)
    }
}

/// Takes members from an end of the sorted set at a key that was looked up, and replies with them.
fn pop(
    ctx: &mut Context<'_>,
    key: &Key<'_>,
    end: End,
    count: usize,
    layout: Layout,
) -> Result<(), Error> {
    let keyspace = &mut ctx.core.keyspace;
    let Some(record) = keyspace.edit(ctx.client.db, key) else { return Ok(()) };
    let zset = zset_mut(record)?;
    let (len, reply) = (zset.len(), &mut ctx.client.reply);
    let count = count.min(len);
    layout.begin(reply, key, count);
    let mut put = |(member, score)| {
        if layout.is_nested() {
            reply.array(2);
        }
        reply_member(reply, member);
        reply.double(score);
    };
    let ranks = match end {
        End::Min => 0..count,
        End::Max => len - count..len,
    };
    match end {
        End::Min => zset.range(ranks.clone()).for_each(&mut put),
        End::Max => zset.range(ranks.clone()).rev().for_each(&mut put),
    }
    // An empty one goes as a whole, by the helper if it is big.
    if count < len {
        zset.remove_range(ranks);
    }
    let event = if end == End::Min { "zpopmin" } else { "zpopmax" };
    removed(ctx, key, event, (count, count == len));
    Ok(())
}

/// ZPOPMIN key [count]
pub(super) fn zpopmin(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop_from_one(ctx, End::Min)
}

/// ZPOPMAX key [count]
pub(super) fn zpopmax(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop_from_one(ctx, End::Max)
}

fn pop_from_one(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    let count = match ctx.args.len() {
        2 => None,
        3 => {
            let count = parse_range(ctx.args.at(2), 0, i64::MAX);
            // As in Redis, these words are for what is no integer, too.
            let words = "value is out of range, must be positive";
            Some(count.map_err(|_| Error::err(words))? as usize)
        }
        _ => return Err(Error::Syntax),
    };
    let key = ctx.key(1);
    let found = ctx.core.keyspace.lookup_write(ctx.client.db, &key).map(zset_mut).transpose()?;
    if found.is_none() || count == Some(0) {
        ctx.client.reply.array(0);
        return Ok(());
    }
    // Only what was counted is an array of its own each, and only where there are such.
    let nested = count.is_some() && ctx.client.reply.protocol == Protocol::Resp3;
    let layout = if nested { Layout::Nested } else { Layout::Flat };
    pop(ctx, &key, end, count.unwrap_or(1), layout)
}

/// The arguments of ZMPOP and BZMPOP.
#[derive(Clone, Copy, Debug)]
pub(super) struct PopArgs {
    /// The first key, and how many there are.
    pub(super) first_key: usize,
    pub(super) keys: usize,
    pub(super) end: End,
    pub(super) count: usize,
}

impl PopArgs {
    /// Parses from the argument on that is the number of keys.
    pub(super) fn parse(args: &Args<'_>, at: usize) -> Result<Self, Error> {
        let positive = |arg: &[u8], words: &str| {
            let n = numbers::parse_i64(arg).and_then(|n| usize::try_from(n).ok());
            n.filter(|n| *n > 0).ok_or_else(|| Error::err(words))
        };
        let keys = positive(args.at(at), "numkeys should be greater than 0")?;
        let where_at = keys.checked_add(at + 1).ok_or(Error::Syntax)?;
        let end = match args.get(where_at) {
            Some(word) if word.eq_ignore_ascii_case(b"MIN") => End::Min,
            Some(word) if word.eq_ignore_ascii_case(b"MAX") => End::Max,
            _ => return Err(Error::Syntax),
        };
        let count = match (args.get(where_at + 1), args.get(where_at + 2)) {
            (None, _) => 1,
            (Some(word), Some(count)) if word.eq_ignore_ascii_case(b"COUNT") => {
                positive(count, "count should be greater than 0")?
            }
            _ => return Err(Error::Syntax),
        };
        if args.len() > where_at + 3 {
            return Err(Error::Syntax);
        }
        Ok(PopArgs { first_key: at + 1, keys, end, count })
    }
}

/// ZMPOP numkeys key [key …] MIN | MAX [COUNT count]
pub(super) fn zmpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    let what = PopArgs::parse(&ctx.args, 1)?;
    if !pop_first(ctx, &what, Layout::KeyAndNested)? {
        ctx.client.reply.null_array();
    }
    Ok(())
}

/// Pops from the first of the keys that exists, and replies; whether there was one.
pub(super) fn pop_first(
    ctx: &mut Context<'_>,
    what: &PopArgs,
    layout: Layout,
) -> Result<bool, Error> {
    for index in what.first_key..what.first_key + what.keys {
        let key = ctx.key(index);
        let found = ctx.core.keyspace.lookup_write(ctx.client.db, &key);
        if found.map(zset_mut).transpose()?.is_some() {
            pop(ctx, &key, what.end, what.count, layout)?;
            return Ok(true);
        }
    }
    Ok(false)
}

// ---- at random

/// What ZRANDMEMBER is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draw {
    /// One member, as a reply of its own.
    One,
    /// So many different members, as far as there are.
    Different(u64),
    /// So many members, any of them again and again.
    Repeated(u64),
}

/// ZRANDMEMBER key [count [WITHSCORES]]
pub(super) fn zrandmember(ctx: &mut Context<'_>) -> Result<(), Error> {
    let bytes_max = ctx.core.output_bytes_max(ctx.client);
    let (draw, with_scores) = parse_draw(&ctx.args, bytes_max)?;
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let (reply, rng) = (&mut ctx.client.reply, &mut ctx.core.rng);
    match (zset, draw) {
        (None, Draw::One) => reply.null(),
        (Some(zset), Draw::One) => zset.pick(rng, 1, |member, _| reply_member(reply, member)),
        (None, _) => reply.array(0),
        (Some(zset), Draw::Different(count)) => {
            let count = usize::try_from(count).map_or(zset.len(), |count| count.min(zset.len()));
            begin_members(reply, count, with_scores);
            let put = |member, score| reply_scored(reply, member, score, with_scores);
            zset.sample(rng, count, put);
        }
        (Some(zset), Draw::Repeated(count)) => {
            begin_members(reply, count as usize, with_scores);
            draws::repeat(reply, count, bytes_max, |reply, some| {
                zset.pick(rng, some, |member, score| {
                    reply_scored(reply, member, score, with_scores);
                });
            });
        }
    }
    Ok(())
}

/// What to draw, and whether with the scores.
fn parse_draw(args: &Args<'_>, bytes_max: Option<u64>) -> Result<(Draw, bool), Error> {
    let Some(count) = args.get(2) else { return Ok((Draw::One, false)) };
    let count = parse_range(count, -i64::MAX, i64::MAX)?;
    let with_scores = match args.get(3) {
        Some(word) if args.len() == 4 && word.eq_ignore_ascii_case(b"WITHSCORES") => true,
        Some(_) => return Err(Error::Syntax),
        None => false,
    };
    let out_of_range = with_scores && count.unsigned_abs() > i64::MAX as u64 / 2;
    if out_of_range {
        return Err(Error::ValueOutOfRange);
    }
    let repeated = count < 0;
    let count = count.unsigned_abs();
    if !repeated {
        return Ok((Draw::Different(count), with_scores));
    }
    draws::check(count, bytes_max)?;
    Ok((Draw::Repeated(count), with_scores))
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("zmpop", -4, zmpop)
        .summary(
            "Removes members with the lowest or highest scores from the first key that has any, \
             and gives them.",
        )
        .syntax("numkeys key... <MIN | MAX>:where [COUNT count]")
        .since("7.0.0", Group::SortedSet)
        .complexity("O(K)+O(M*log(N)), K keys, N members, M of them removed")
        .flags(&[WRITE])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RW, ACCESS, DELETE])]),
    Command::new("zpopmax", -2, zpopmax)
        .summary("Removes the members with the highest scores and gives them.")
        .syntax("key [count]")
        .since("5.0.0", Group::SortedSet)
        .complexity("O(M*log(N)), N members, M of them removed")
        .flags(&[WRITE, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("zpopmin", -2, zpopmin)
        .summary("Removes the members with the lowest scores and gives them.")
        .syntax("key [count]")
        .since("5.0.0", Group::SortedSet)
        .complexity("O(M*log(N)), N members, M of them removed")
        .flags(&[WRITE, FAST])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("zrandmember", -2, zrandmember)
        .summary("Gives random members of a sorted set.")
        .syntax("key [count [WITHSCORES]]:options")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N), N members given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
];
