//! Unions, intersections and differences of sorted sets and sets, replied or stored. What they are
//! is in `value::zset::algebra`. A key that does not exist is an empty set.

use super::zset_ranges::store_at;
use super::zsets::reply_members;
use crate::base::numbers;
use crate::core::value_limits::of_zsets as limits;
use crate::dispatch::Context;
use crate::dispatch::cursor::{Cursor, parse_i64};
use crate::dispatch::declare::*;
use crate::keyspace::{Key, Keyspace};
use crate::resp::Error;
use crate::value::zset::Limits;
use crate::value::zset::algebra::{self, Aggregate, Source, Weighted};
use crate::value::{Value, ValueRef, Zset};

/// What makes one sorted set of several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Union,
    Intersection,
    Difference,
}

impl Operation {
    fn run(self, sources: &[Weighted<'_>], aggregate: Aggregate, limits: Limits) -> Zset {
        match self {
            Operation::Union => algebra::union(sources, aggregate, limits),
            Operation::Intersection => algebra::intersection(sources, aggregate, limits),
            Operation::Difference => {
                let sources: Vec<_> = sources.iter().map(|(source, _)| *source).collect();
                algebra::difference(&sources, limits)
            }
        }
    }
}

/// The keys whose number is argument `at`, each of which was read and holds a set, a sorted set or
/// nothing.
fn read_keys<'a>(ctx: &mut Context<'a>, at: usize) -> Result<Vec<Key<'a>>, Error> {
    let count = parse_i64(ctx.args.at(at))?;
    if count < 1 {
        let name = ctx.command.full_name;
        return Err(Error::err(format_args!(
            "at least 1 input key is needed for '{name}' command"
        )));
    }
    let left = ctx.args.len() - (at + 1);
    let count = usize::try_from(count).ok().filter(|count| *count <= left).ok_or(Error::Syntax)?;
    let keys: Vec<_> = (at + 1..=at + count).map(|index| ctx.key(index)).collect();
    for key in &keys {
        if let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, key)
            && !matches!(record.value(), ValueRef::Zset(_) | ValueRef::Set(_))
        {
            return Err(Error::WrongType);
        }
    }
    Ok(keys)
}

/// What is at keys that were read.
fn sources_at<'k>(keyspace: &'k Keyspace, db: usize, keys: &[Key<'_>]) -> Vec<Source<'k>> {
    let source = |key: &Key<'_>| match keyspace.peek(db, key)?.value() {
        ValueRef::Zset(zset) => Some(Source::Zset(zset)),
        ValueRef::Set(set) => Some(Source::Set(set)),
        _ => None,
    };
    keys.iter().map(|key| source(key).unwrap_or(Source::Empty)).collect()
}

#[derive(Debug)]
struct Options {
    /// One for each key.
    weights: Vec<f64>,
    aggregate: Aggregate,
    with_scores: bool,
}

impl Options {
    /// What follows the keys. A difference has neither weights nor an aggregate, and what is stored
    /// always has its scores.
    fn parse(
        mut cursor: Cursor<'_>,
        keys: usize,
        operation: Operation,
        stored: bool,
    ) -> Result<Self, Error> {
        let mut options = Options {
            weights: vec![1.0; keys],
            aggregate: Aggregate::default(),
            with_scores: false,
        };
        let combines = operation != Operation::Difference;
        while cursor.remaining() > 0 {
            if combines && cursor.remaining() > keys && cursor.take_word("WEIGHTS") {
                for weight in &mut options.weights {
                    let parsed = numbers::parse_f64(cursor.expect()?);
                    *weight = parsed.ok_or_else(|| Error::err("weight value is not a float"))?;
                }
            } else if combines && cursor.remaining() >= 2 && cursor.take_word("AGGREGATE") {
                options.aggregate = parse_aggregate(cursor.expect()?)?;
            } else if !stored && cursor.take_word("WITHSCORES") {
                options.with_scores = true;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }
}

fn parse_aggregate(word: &[u8]) -> Result<Aggregate, Error> {
    let all = [("SUM", Aggregate::Sum), ("MIN", Aggregate::Min), ("MAX", Aggregate::Max)];
    let found = all.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()));
    found.map(|(_, aggregate)| aggregate).ok_or(Error::Syntax)
}

/// What the operation makes of the keys whose number is argument `at`.
fn compute(ctx: &mut Context<'_>, at: usize, operation: Operation) -> Result<(Zset, bool), Error> {
    let keys = read_keys(ctx, at)?;
    let stored = at > 1;
    let options = Options::parse(ctx.cursor(at + 1 + keys.len()), keys.len(), operation, stored)?;
    let sources = sources_at(&ctx.core.keyspace, ctx.client.db, &keys);
    let weighted: Vec<_> = sources.into_iter().zip(options.weights).collect();
    let limits = if stored { limits(ctx.core) } else { Limits::NONE };
    let result = operation.run(&weighted, options.aggregate, limits);
    Ok((result, options.with_scores))
}

fn reply_result(ctx: &mut Context<'_>, operation: Operation) -> Result<(), Error> {
    let (result, with_scores) = compute(ctx, 1, operation)?;
    reply_members(&mut ctx.client.reply, result.iter(), with_scores);
    // It may be big.
    ctx.core.keyspace.discard(Value::Zset(result));
    Ok(())
}

fn store_result(
    ctx: &mut Context<'_>,
    event: &'static str,
    operation: Operation,
) -> Result<(), Error> {
    let (result, _) = compute(ctx, 2, operation)?;
    store_at(ctx, 1, result, (event, 1));
    Ok(())
}

/// ZUNION numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
pub(super) fn zunion(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_result(ctx, Operation::Union)
}

/// ZUNIONSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX]
pub(super) fn zunionstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "zunionstore", Operation::Union)
}

/// ZINTER numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX] [WITHSCORES]
pub(super) fn zinter(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_result(ctx, Operation::Intersection)
}

/// ZINTERSTORE destination numkeys key [key …] [WEIGHTS weight …] [AGGREGATE SUM | MIN | MAX]
pub(super) fn zinterstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "zinterstore", Operation::Intersection)
}

/// ZDIFF numkeys key [key …] [WITHSCORES]
pub(super) fn zdiff(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_result(ctx, Operation::Difference)
}

/// ZDIFFSTORE destination numkeys key [key …]
pub(super) fn zdiffstore(ctx: &mut Context<'_>) -> Result<(), Error> {
    store_result(ctx, "zdiffstore", Operation::Difference)
}

/// ZINTERCARD numkeys key [key …] [LIMIT limit]
pub(super) fn zintercard(ctx: &mut Context<'_>) -> Result<(), Error> {
    let keys = read_keys(ctx, 1)?;
    let mut cursor = ctx.cursor(2 + keys.len());
    let mut limit = 0;
    while cursor.remaining() > 0 {
        if cursor.remaining() < 2 || !cursor.take_word("LIMIT") {
            return Err(Error::Syntax);
        }
        let parsed = numbers::parse_i64(cursor.expect()?).and_then(|n| usize::try_from(n).ok());
        limit = parsed.ok_or_else(|| Error::err("LIMIT can't be negative"))?;
    }
    let sources = sources_at(&ctx.core.keyspace, ctx.client.db, &keys);
    let limit = if limit == 0 { usize::MAX } else { limit };
    ctx.client.reply.int(algebra::intersection_len(&sources, limit) as i64);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("zdiff", -3, zdiff)
        .summary("Gives the members of the first sorted set that none of the others has.")
        .syntax("numkeys key... [WITHSCORES]")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N+M*log(M)), N members of all keys, M of the result")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])]),
    Command::new("zdiffstore", -4, zdiffstore)
        .summary("Stores the members of the first sorted set that none of the others has.")
        .syntax("destination numkeys key...")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N+M*log(M)), N members of all keys, M of the result")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])]),
    Command::new("zinter", -3, zinter)
        .summary("Gives the members that all sorted sets have.")
        .syntax("numkeys key... [WEIGHTS weight...] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N*K+M*log(M)), N members of the smallest of K keys, M of the result")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])]),
    Command::new("zintercard", -3, zintercard)
        .summary("Counts the members that all sorted sets have.")
        .syntax("numkeys key... [LIMIT limit]")
        .since("7.0.0", Group::SortedSet)
        .complexity("O(N*K), N members of the smallest of K keys")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])]),
    Command::new("zinterstore", -4, zinterstore)
        .summary("Stores the members that all sorted sets have.")
        .syntax("destination numkeys key... [WEIGHTS weight...] [AGGREGATE <SUM | MIN | MAX>]")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(N*K+M*log(M)), N members of the smallest of K keys, M of the result")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])]),
    Command::new("zunion", -3, zunion)
        .summary("Gives the members that any of the sorted sets has.")
        .syntax("numkeys key... [WEIGHTS weight...] [AGGREGATE <SUM | MIN | MAX>] [WITHSCORES]")
        .since("6.2.0", Group::SortedSet)
        .complexity("O(N+M*log(M)), N members of all keys, M of the result")
        .flags(&[READONLY])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::counted(1, &[RO, ACCESS])]),
    Command::new("zunionstore", -4, zunionstore)
        .summary("Stores the members that any of the sorted sets has.")
        .syntax("destination numkeys key... [WEIGHTS weight...] [AGGREGATE <SUM | MIN | MAX>]")
        .since("2.0.0", Group::SortedSet)
        .complexity("O(N+M*log(M)), N members of all keys, M of the result")
        .flags(&[WRITE, DENYOOM])
        .categories(&[SORTEDSET])
        .keys(&[KeySpec::key(1, &[OW, UPDATE]), KeySpec::counted(2, &[RO, ACCESS])]),
];
