//! Ranges of sorted sets: by place, by score, by member, from either end, replied or stored. What
//! they share with the other commands is in `zsets`.

use std::ops::Range;

use super::computed::{self, Computed};
use super::zsets::{parse_members, parse_scores, ranks_between, read_zset, reply_members};
use crate::core::value_limits::of_zsets as limits;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::resp::{Args, Error};
use crate::value::zset::{LexRange, Limits, ScoreRange};
use crate::value::{Value, Zset};

/// What decides which members are in a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Rank,
    Score,
    Lex,
}

/// A range, its ends parsed.
#[derive(Clone, Copy, Debug)]
enum Bounds<'a> {
    Ranks(i64, i64),
    Scores(ScoreRange),
    Members(LexRange<'a>),
}

/// What is to be given.
#[derive(Clone, Copy, Debug)]
struct Wanted<'a> {
    bounds: Bounds<'a>,
    reverse: bool,
    with_scores: bool,
    /// LIMIT: how many to leave out, and to give at most, all of them if negative.
    offset: i64,
    limit: i64,
}

/// Which options a command has, beside LIMIT.
#[derive(Clone, Copy, Debug)]
struct Form {
    /// What the command's name says; otherwise an option does.
    by: Option<By>,
    /// Whether the command's name says from which end; otherwise an option does.
    reverse: Option<bool>,
    /// WITHSCORES.
    scores: bool,
}

impl<'a> Wanted<'a> {
    /// Parses the range at `first`, and the options behind it.
    fn parse(args: &Args<'a>, first: usize, form: Form) -> Result<Self, Error> {
        let (mut by, mut reverse) = (form.by, form.reverse);
        let (mut with_scores, mut offset, mut limit) = (false, 0, -1);
        let mut at = first + 2;
        while let Some(word) = args.get(at) {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            if form.scores && is("WITHSCORES") {
                with_scores = true;
            } else if is("LIMIT") && args.len() - at > 2 {
                offset = parse_i64(args.at(at + 1))?;
                limit = parse_i64(args.at(at + 2))?;
                at += 2;
            } else if reverse.is_none() && is("REV") {
                reverse = Some(true);
            } else if by.is_none() && is("BYLEX") {
                by = Some(By::Lex);
            } else if by.is_none() && is("BYSCORE") {
                by = Some(By::Score);
            } else {
                return Err(Error::Syntax);
            }
            at += 1;
        }
        let (by, reverse) = (by.unwrap_or(By::Rank), reverse.unwrap_or(false));
        if limit != -1 && by == By::Rank {
            return Err(Error::err(
                "syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX",
            ));
        }
        if with_scores && by == By::Lex {
            return Err(Error::err(
                "syntax error, WITHSCORES not supported in combination with BYLEX",
            ));
        }
        let (low, high) = (args.at(first), args.at(first + 1));
        let (min, max) = if reverse && by != By::Rank { (high, low) } else { (low, high) };
        let bounds = match by {
            By::Rank => Bounds::Ranks(parse_i64(min)?, parse_i64(max)?),
            By::Score => Bounds::Scores(parse_scores(min, max)?),
            By::Lex => Bounds::Members(parse_members(min, max)?),
        };
        Ok(Wanted { bounds, reverse, with_scores, offset, limit })
    }

    /// The ranks of what is wanted, counted from the lowest score.
    fn ranks(&self, zset: &Zset) -> Range<usize> {
        let all = match &self.bounds {
            Bounds::Ranks(start, end) => {
                let Range { start, end } = ranks_between(*start, *end, zset.len());
                // Places were counted from the other end.
                return if self.reverse {
                    zset.len() - end..zset.len() - start
                } else {
                    start..end
                };
            }
            Bounds::Scores(range) => zset.ranks_by_score(range),
            Bounds::Members(range) => zset.ranks_by_member(range),
        };
        // A negative offset leaves out everything, as in Redis.
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX).min(all.len());
        let left = all.len() - skipped;
        let given = usize::try_from(self.limit).map_or(left, |limit| limit.min(left));
        if self.reverse {
            let end = all.end - skipped;
            end - given..end
        } else {
            let start = all.start + skipped;
            start..start + given
        }
    }

    /// What is wanted, as a sorted set of its own.
    fn collect(&self, zset: &Zset, limits: Limits) -> Zset {
        let ranks = self.ranks(zset);
        let is_by_rank = matches!(self.bounds, Bounds::Ranks(..));
        // As in Redis, only the number of places is known beforehand.
        let expected = if is_by_rank { ranks.len() } else { 0 };
        let mut result = Zset::for_members(expected, 0, limits);
        let mut digits = itoa::Buffer::new();
        for (member, score) in zset.range(ranks) {
            result.set(member.bytes(&mut digits), score, limits);
        }
        result
    }
}

fn reply_range(ctx: &mut Context<'_>, form: Form) -> Result<(), Error> {
    let wanted = Wanted::parse(&ctx.args, 2, form)?;
    let key = ctx.key(1);
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &key)?;
    let reply = &mut ctx.client.reply;
    let Some(zset) = zset else {
        reply.array(0);
        return Ok(());
    };
    let members = zset.range(wanted.ranks(zset));
    if wanted.reverse {
        reply_members(reply, members.rev(), wanted.with_scores);
    } else {
        reply_members(reply, members, wanted.with_scores);
    }
    Ok(())
}

/// ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]
pub(super) fn zrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: None, reverse: None, scores: true })
}

/// ZREVRANGE key start stop [WITHSCORES]
pub(super) fn zrevrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: Some(By::Rank), reverse: Some(true), scores: true })
}

/// ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]
pub(super) fn zrangebyscore(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: Some(By::Score), reverse: Some(false), scores: true })
}

/// ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]
pub(super) fn zrevrangebyscore(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: Some(By::Score), reverse: Some(true), scores: true })
}

/// ZRANGEBYLEX key min max [LIMIT offset count]
pub(super) fn zrangebylex(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: Some(By::Lex), reverse: Some(false), scores: true })
}

/// ZREVRANGEBYLEX key max min [LIMIT offset count]
pub(super) fn zrevrangebylex(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_range(ctx, Form { by: Some(By::Lex), reverse: Some(true), scores: true })
}

/// ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]
pub(super) fn zrangestore(ctx: &mut Context<'_>) -> Result<(), Error> {
    let form = Form { by: None, reverse: None, scores: false };
    let wanted = Wanted::parse(&ctx.args, 3, form)?;
    let (source, limits) = (ctx.key(2), limits(ctx.core));
    let zset = read_zset(&mut ctx.core.keyspace, ctx.client.db, &source)?;
    let result = zset.map(|zset| wanted.collect(zset, limits)).unwrap_or_default();
    store_at(ctx, 1, result, ("zrangestore", 1));
    Ok(())
}

/// Stores a sorted set at the key that is argument `at`, which counts as so many changes, and
/// replies with its length; the key is removed if there is nothing to store.
pub(super) fn store_at(
    ctx: &mut Context<'_>,
    at: usize,
    result: Zset,
    (event, changes): (&'static str, u64),
) {
    let (len, event) = (result.len(), (EventClass::ZSET, event));
    computed::store(ctx, at, Computed { value: Value::Zset(result), len, event, changes });
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("zrange", -4, zrange)
        .summary("Gives the members of a sorted set in a range.")
        .syntax(
            "key start:string stop:string [BYSCORE | BYLEX]:sortby@6.2.0 [REV]@6.2.0 \
             [LIMIT <offset count>]@6.2.0 [WITHSCORES]",
        )
        .since("1.2.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("zrangebylex", -4, zrangebylex)
        .summary("Gives the members in a range, where all have the same score.")
        .syntax("key min max [LIMIT <offset count>]")
        .since("2.8.9", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`ZRANGE` with `BYLEX`"),
    Command::new("zrangebyscore", -4, zrangebyscore)
        .summary("Gives the members whose scores are in a range.")
        .syntax("key min:double max:double [WITHSCORES]@2.0.0 [LIMIT <offset count>]")
        .since("1.0.5", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`ZRANGE` with `BYSCORE`"),
    Command::new("zrangestore", -5, zrangestore)
        .summary("Stores the members of a sorted set in a range.")
        .syntax("dst src min max [BYSCORE | BYLEX]:sortby [REV] [LIMIT <offset count>]")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them stored")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::key(2, &[RO, ACCESS])]),
    Command::new("zrevrange", -4, zrevrange)
        .summary("Gives the members from one place to another, the highest score first.")
        .syntax("key start stop [WITHSCORES]")
        .since("1.2.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`ZRANGE` with `REV`"),
    Command::new("zrevrangebylex", -4, zrevrangebylex)
        .summary("Gives the members in a range from its end, where all have the same score.")
        .syntax("key max min [LIMIT <offset count>]")
        .since("2.8.9", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYLEX`"),
    Command::new("zrevrangebyscore", -4, zrevrangebyscore)
        .summary("Gives the members whose scores are in a range, the highest score first.")
        .syntax("key max:double min:double [WITHSCORES] [LIMIT <offset count>]")
        .since("2.2.0", Group::SortedSet)
        .complexity("O(log(N)+M), N members, M of them given")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .deprecated("6.2.0", "`ZRANGE` with `REV` and `BYSCORE`"),
];
