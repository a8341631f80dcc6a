//! Commands on lists that never wait; `blocking_lists` has those that do. Called by dispatch; all
//! access to keys goes through the keyspace. A handler that takes the last element of a list
//! removes its key, and tells `value` before elements are added and after they are removed, so
//! that encodings change as in Redis.

use std::ops::Range;

use super::typed::{self, reply_element};
use crate::core::value_limits::of_lists as limits;
use crate::data::listpack::Needle;
use crate::dispatch::cursor::{parse_i64, parse_range};
use crate::dispatch::declare::*;
use crate::dispatch::{Context, Cursor};
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key, RecordMut};
use crate::resp::{Error, Reply};
use crate::value::list::{Changed, Direction, End, Limits, Side};
use crate::value::{List, NewValue, Record, Value};

// ---- what several commands share

fn list_of(record: &Record) -> Result<&List, Error> {
    typed::of_record(record)
}

#[inline]
pub(super) fn list_mut(record: RecordMut<'_>) -> Result<&mut List, Error> {
    typed::of_record_mut(record)
}

/// Replies with an array of elements from an index on; so many must be there.
fn reply_range(reply: &mut Reply, list: &List, from: usize, count: usize, direction: Direction) {
    reply.array(count);
    if count == 0 {
        return;
    }
    let mut left = count;
    list.walk(from, direction, |element| {
        reply_element(reply, element);
        left -= 1;
        left == 0
    });
}

/// LEFT or RIGHT.
pub(super) fn parse_end(arg: &[u8]) -> Result<End, Error> {
    match () {
        () if arg.eq_ignore_ascii_case(b"RIGHT") => Ok(End::Tail),
        () if arg.eq_ignore_ascii_case(b"LEFT") => Ok(End::Head),
        () => Err(Error::Syntax),
    }
}

/// A count of at least `min`; what is none has the same words as one that is too small.
fn parse_count(arg: &[u8], min: i64, words: &'static str) -> Result<usize, Error> {
    let count = parse_range(arg, min, i64::MAX).map_err(|_| Error::err(words))?;
    Ok(count as usize)
}

/// The index that `index` means in a list of so many elements: a negative one counts from the end.
fn resolve(index: i64, len: usize) -> Option<usize> {
    let from_head = if index < 0 { index.checked_add(len as i64)? } else { index };
    usize::try_from(from_head).ok().filter(|&index| index < len)
}

/// The indexes from `start` to `stop`, which is included, of a list of so many elements.
fn resolve_range(start: i64, stop: i64, len: usize) -> Range<usize> {
    let len = len as i64;
    let from_head = |index: i64| if index < 0 { index + len } else { index };
    let (start, stop) = (from_head(start).max(0), from_head(stop).min(len - 1));
    if start > stop { 0..0 } else { start as usize..stop as usize + 1 }
}

fn pushed_event(end: End) -> &'static str {
    match end {
        End::Head => "lpush",
        End::Tail => "rpush",
    }
}

fn popped_event(end: End) -> &'static str {
    match end {
        End::Head => "lpop",
        End::Tail => "rpop",
    }
}

/// A list's elements were changed: counts that and reports it.
#[inline]
fn changed(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>, count: u64) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    keyspace.signal_modified(db, key);
    keyspace.notify(EventClass::LIST, event, db, key);
    keyspace.dirty += count;
}

/// Elements were removed: as `changed`, and the key goes with its last element.
#[inline]
fn removed(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>, outcome: Outcome) {
    changed(ctx, event, key, outcome.removed);
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    for garbage in outcome.garbage.into_iter().flatten() {
        keyspace.discard(Value::List(garbage));
    }
    if outcome.is_empty {
        keyspace.remove(db, key, Free::Now);
        keyspace.notify(EventClass::GENERIC, "del", db, key);
    }
}

/// What is left to do once elements of a list were removed.
pub(super) struct Outcome {
    /// How many were removed.
    removed: u64,
    /// Whether none is left, or none that is to stay: then the key goes with all that it holds.
    is_empty: bool,
    /// Removed elements that are to be freed elsewhere.
    garbage: [Option<List>; 2],
}

// ---- the ends

/// LPUSH key element [element …]
pub(super) fn lpush(ctx: &mut Context<'_>) -> Result<(), Error> {
    push(ctx, End::Head, false)
}

/// RPUSH key element [element …]
pub(super) fn rpush(ctx: &mut Context<'_>) -> Result<(), Error> {
    push(ctx, End::Tail, false)
}

/// LPUSHX key element [element …]
pub(super) fn lpushx(ctx: &mut Context<'_>) -> Result<(), Error> {
    push(ctx, End::Head, true)
}

/// RPUSHX key element [element …]
pub(super) fn rpushx(ctx: &mut Context<'_>) -> Result<(), Error> {
    push(ctx, End::Tail, true)
}

#[inline]
fn push(ctx: &mut Context<'_>, end: End, only_existing: bool) -> Result<(), Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let elements = ctx.args.iter_from(2);
    let push_all = |list: &mut List| {
        list.grow(elements.clone(), &limits);
        elements.clone().for_each(|element| list.push(end, element, &limits));
        list.len()
    };
    let len = match ctx.core.keyspace.lookup_write(db, &key) {
        Some(record) => push_all(list_mut(record)?),
        None if only_existing => {
            ctx.client.reply.int(0);
            return Ok(());
        }
        None => {
            let mut list = List::new();
            let len = push_all(&mut list);
            let value = NewValue::Owned(Value::List(list));
            ctx.core.keyspace.insert(db, &key, value, None);
            len
        }
    };
    ctx.client.reply.int(len as i64);
    changed(ctx, pushed_event(end), &key, elements.len() as u64);
    Ok(())
}

/// LPOP key [count]
pub(super) fn lpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop(ctx, End::Head)
}

/// RPOP key [count]
pub(super) fn rpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    pop(ctx, End::Tail)
}

fn pop(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    match ctx.args.len() {
        2 => pop_one(ctx, end),
        3 => pop_several(ctx, end),
        _ => Err(Error::WrongArity(ctx.command.full_name.into())),
    }
}

#[inline]
fn pop_one(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let reply = &mut ctx.client.reply;
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        reply.null();
        return Ok(());
    };
    let outcome = take_one(list_mut(record)?, end, reply, &limits);
    popped(ctx, end, &key, outcome);
    Ok(())
}

/// Replies with the element at an end of a list, and removes it; `popped` must follow.
#[inline]
pub(super) fn take_one(list: &mut List, end: End, reply: &mut Reply, limits: &Limits) -> Outcome {
    list.pop(end, |element| reply_element(reply, element));
    list.settle(Changed::Shrunk, limits);
    Outcome { removed: 1, is_empty: list.is_empty(), garbage: [None, None] }
}

/// Elements were taken from an end.
#[inline]
pub(super) fn popped(ctx: &mut Context<'_>, end: End, key: &Key<'_>, outcome: Outcome) {
    removed(ctx, popped_event(end), key, outcome);
}

fn pop_several(ctx: &mut Context<'_>, end: End) -> Result<(), Error> {
    let count = parse_count(ctx.args.at(2), 0, "value is out of range, must be positive")?;
    let (key, db) = (ctx.key(1), ctx.client.db);
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        ctx.client.reply.null_array();
        return Ok(());
    };
    list_mut(record)?;
    if count == 0 {
        ctx.client.reply.array(0);
        return Ok(());
    }
    pop_range(ctx, &key, end, count)
}

/// Replies with the elements at an end of a list that was looked up, in the order in which they are
/// popped, and removes them.
fn pop_range(ctx: &mut Context<'_>, key: &Key<'_>, end: End, count: usize) -> Result<(), Error> {
    let (db, limits) = (ctx.client.db, limits(ctx.core));
    let Some(record) = ctx.core.keyspace.edit(db, key) else { return Ok(()) };
    let list = list_mut(record)?;
    let len = list.len();
    let count = count.min(len);
    let (from, direction, first) = match end {
        End::Head => (0, Direction::Forward, 0),
        End::Tail => (len.saturating_sub(1), Direction::Backward, len - count),
    };
    reply_range(&mut ctx.client.reply, list, from, count, direction);
    // A list that is popped whole goes with its elements.
    let is_empty = count == len;
    let garbage = if is_empty { None } else { list.remove_range(first, count) };
    list.settle(Changed::Shrunk, &limits);
    let outcome = Outcome { removed: count as u64, is_empty, garbage: [garbage, None] };
    popped(ctx, end, key, outcome);
    Ok(())
}

/// What LMPOP and BLMPOP are to take.
pub(super) struct MultiPop {
    /// The places of the keys among the arguments.
    pub(super) keys: Range<usize>,
    end: End,
    count: usize,
}

impl MultiPop {
    /// Reads all arguments from the number of keys on.
    pub(super) fn parse(ctx: &Context<'_>, numkeys_at: usize) -> Result<Self, Error> {
        let numkeys = ctx.args.at(numkeys_at);
        let numkeys = parse_count(numkeys, 1, "numkeys should be greater than 0")?;
        let keys = numkeys_at + 1..numkeys.saturating_add(numkeys_at + 1);
        let end = parse_end(ctx.args.get(keys.end).ok_or(Error::Syntax)?)?;
        let mut count = None;
        let mut options = ctx.cursor(keys.end + 1);
        while options.remaining() > 0 {
            if count.is_some() || options.remaining() < 2 || !options.take_word("COUNT") {
                return Err(Error::Syntax);
            }
            count = Some(parse_count(options.expect()?, 1, "count should be greater than 0")?);
        }
        Ok(MultiPop { keys, end, count: count.unwrap_or(1) })
    }
}

/// LMPOP numkeys key [key …] LEFT | RIGHT [COUNT count]
pub(super) fn lmpop(ctx: &mut Context<'_>) -> Result<(), Error> {
    let what = MultiPop::parse(ctx, 1)?;
    if !pop_first(ctx, &what)? {
        ctx.client.reply.null_array();
    }
    Ok(())
}

/// Pops from the first of the keys that exists; whether there was one.
pub(super) fn pop_first(ctx: &mut Context<'_>, what: &MultiPop) -> Result<bool, Error> {
    for index in what.keys.clone() {
        let (key, db) = (ctx.key(index), ctx.client.db);
        let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else { continue };
        list_mut(record)?;
        ctx.client.reply.array(2);
        ctx.client.reply.bulk(key.bytes());
        pop_range(ctx, &key, what.end, what.count)?;
        return Ok(true);
    }
    Ok(false)
}

/// LMOVE source destination LEFT | RIGHT LEFT | RIGHT
pub(super) fn lmove(ctx: &mut Context<'_>) -> Result<(), Error> {
    let from = parse_end(ctx.args.at(3))?;
    let to = parse_end(ctx.args.at(4))?;
    move_element(ctx, from, to)
}

/// RPOPLPUSH source destination
pub(super) fn rpoplpush(ctx: &mut Context<'_>) -> Result<(), Error> {
    move_element(ctx, End::Tail, End::Head)
}

pub(super) fn move_element(ctx: &mut Context<'_>, from: End, to: End) -> Result<(), Error> {
    let (source, destination, db) = (ctx.key(1), ctx.key(2), ctx.client.db);
    let limits = limits(ctx.core);
    let keyspace = &mut ctx.core.keyspace;
    let Some(record) = keyspace.lookup_write(db, &source) else {
        ctx.client.reply.null();
        return Ok(());
    };
    list_mut(record)?;
    let exists = match keyspace.lookup_write(db, &destination) {
        Some(record) => list_mut(record).map(|_| true)?,
        None => false,
    };
    let taken = match keyspace.edit(db, &source) {
        Some(record) => list_mut(record)?.pop(from, |element| element.to_vec()),
        None => None,
    };
    let Some(element) = taken else {
        ctx.client.reply.null();
        return Ok(());
    };
    let push = |list: &mut List| {
        list.grow(std::iter::once(&element[..]), &limits);
        list.push(to, &element, &limits);
    };
    match keyspace.edit(db, &destination) {
        Some(record) if exists => push(list_mut(record)?),
        _ => {
            let mut list = List::new();
            push(&mut list);
            keyspace.insert(db, &destination, NewValue::Owned(Value::List(list)), None);
        }
    }
    ctx.client.reply.bulk(&element);
    changed(ctx, pushed_event(to), &destination, 0);
    let mut is_empty = false;
    if let Some(record) = ctx.core.keyspace.edit(db, &source) {
        let list = list_mut(record)?;
        list.settle(Changed::Shrunk, &limits);
        is_empty = list.is_empty();
    }
    popped(ctx, from, &source, Outcome { removed: 1, is_empty, garbage: [None, None] });
    Ok(())
}

// ---- reading

/// LLEN key
pub(super) fn llen(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let found = ctx.core.keyspace.lookup_read(ctx.client.db, &key);
    let len = found.map_or(Ok(0), |record| list_of(record).map(List::len))?;
    ctx.client.reply.int(len as i64);
    Ok(())
}

/// LINDEX key index
pub(super) fn lindex(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.key(1);
    let reply = &mut ctx.client.reply;
    let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, &key) else {
        reply.null();
        return Ok(());
    };
    let list = list_of(record)?;
    let index = resolve(parse_i64(ctx.args.at(2))?, list.len());
    let found = index.and_then(|index| list.get(index, |element| reply_element(reply, element)));
    if found.is_none() {
        reply.null();
    }
    Ok(())
}

/// LRANGE key start stop
pub(super) fn lrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (start, stop) = (parse_i64(ctx.args.at(2))?, parse_i64(ctx.args.at(3))?);
    let key = ctx.key(1);
    let reply = &mut ctx.client.reply;
    match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => {
            let list = list_of(record)?;
            let range = resolve_range(start, stop, list.len());
            reply_range(reply, list, range.start, range.len(), Direction::Forward);
        }
        None => reply.array(0),
    }
    Ok(())
}

/// The options of LPOS.
struct Search {
    direction: Direction,
    /// The first match that counts, 1 being the one met first.
    rank: u64,
    /// COUNT: at most so many matches are given, 0 for all; without it, one and not in an array.
    count: Option<usize>,
    /// MAXLEN: so many elements are looked at, 0 for all.
    looked_at_max: usize,
}

impl Search {
    fn parse(mut options: Cursor<'_>) -> Result<Self, Error> {
        let mut search =
            Search { direction: Direction::Forward, rank: 1, count: None, looked_at_max: 0 };
        while options.remaining() > 0 {
            // An option without its value is no option.
            let has_value = options.remaining() > 1;
            if has_value && options.take_word("RANK") {
                let rank = parse_range(options.expect()?, -i64::MAX, i64::MAX)?;
                if rank == 0 {
                    return Err(Error::err(
                        "RANK can't be zero: use 1 to start from the first match, 2 from the \
                         second ... or use negative to start from the end of the list",
                    ));
                }
                search.rank = rank.unsigned_abs();
                search.direction = if rank < 0 { Direction::Backward } else { Direction::Forward };
            } else if has_value && options.take_word("COUNT") {
                search.count = Some(parse_count(options.expect()?, 0, "COUNT can't be negative")?);
            } else if has_value && options.take_word("MAXLEN") {
                search.looked_at_max =
                    parse_count(options.expect()?, 0, "MAXLEN can't be negative")?;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(search)
    }

    /// Calls `found` with the index of every match that counts.
    fn run(&self, list: &List, element: &[u8], mut found: impl FnMut(usize)) {
        let (needle, len) = (Needle::new(element), list.len());
        let (mut looked_at, mut matches, mut given) = (0, 0, 0);
        let from = match self.direction {
            Direction::Forward => 0,
            Direction::Backward => len.saturating_sub(1),
        };
        list.walk(from, self.direction, |element| {
            if self.looked_at_max > 0 && looked_at >= self.looked_at_max {
                return true;
            }
            looked_at += 1;
            if !needle.is(element) {
                return false;
            }
            matches += 1;
            if matches < self.rank {
                return false;
            }
            found(match self.direction {
                Direction::Forward => looked_at - 1,
                Direction::Backward => len - looked_at,
            });
            given += 1;
            given == self.count.unwrap_or(1)
        });
    }
}

/// LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]
pub(super) fn lpos(ctx: &mut Context<'_>) -> Result<(), Error> {
    let search = Search::parse(ctx.cursor(3))?;
    let key = ctx.key(1);
    let reply = &mut ctx.client.reply;
    let list = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => Some(list_of(record)?),
        None => None,
    };
    if search.count.is_some() {
        let array = reply.array_deferred();
        let mut given = 0;
        if let Some(list) = list {
            search.run(list, ctx.args.at(2), |index| {
                reply.int(index as i64);
                given += 1;
            });
        }
        reply.end(array, given);
        return Ok(());
    }
    let mut found = None;
    if let Some(list) = list {
        search.run(list, ctx.args.at(2), |index| found = Some(index));
    }
    match found {
        Some(index) => reply.int(index as i64),
        None => reply.null(),
    }
    Ok(())
}

// ---- the middle

/// LINSERT key BEFORE | AFTER pivot element
pub(super) fn linsert(ctx: &mut Context<'_>) -> Result<(), Error> {
    let side = match ctx.args.at(2) {
        word if word.eq_ignore_ascii_case(b"AFTER") => Side::After,
        word if word.eq_ignore_ascii_case(b"BEFORE") => Side::Before,
        _ => return Err(Error::Syntax),
    };
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let (pivot, element) = (ctx.args.at(3), ctx.args.at(4));
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        ctx.client.reply.int(0);
        return Ok(());
    };
    let list = list_mut(record)?;
    // Even if there is no pivot, as in Redis.
    list.grow(std::iter::once(element), &limits);
    if !list.insert(pivot, side, element, &limits) {
        ctx.client.reply.int(-1);
        return Ok(());
    }
    ctx.client.reply.int(list.len() as i64);
    changed(ctx, "linsert", &key, 1);
    Ok(())
}

/// LSET key index element
pub(super) fn lset(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        return Err(Error::NoSuchKey);
    };
    let list = list_mut(record)?;
    let (index, element) = (parse_i64(ctx.args.at(2))?, ctx.args.at(3));
    list.grow(std::iter::once(element), &limits);
    let index = resolve(index, list.len()).ok_or(Error::IndexOutOfRange)?;
    list.replace(index, element, &limits);
    list.settle(Changed::Shrunk, &limits);
    ctx.client.reply.ok();
    changed(ctx, "lset", &key, 1);
    Ok(())
}

/// LREM key count element
pub(super) fn lrem(ctx: &mut Context<'_>) -> Result<(), Error> {
    let count = parse_i64(ctx.args.at(2))?;
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        ctx.client.reply.int(0);
        return Ok(());
    };
    let list = list_mut(record)?;
    let direction = if count < 0 { Direction::Backward } else { Direction::Forward };
    let max = if count == 0 { usize::MAX } else { count.unsigned_abs() as usize };
    let found = list.remove_equal(ctx.args.at(3), direction, max);
    ctx.client.reply.int(found as i64);
    if found > 0 {
        list.settle(Changed::Shrunk, &limits);
        let is_empty = list.is_empty();
        let outcome = Outcome { removed: found as u64, is_empty, garbage: [None, None] };
        removed(ctx, "lrem", &key, outcome);
    }
    Ok(())
}

/// LTRIM key start stop
pub(super) fn ltrim(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (start, stop) = (parse_i64(ctx.args.at(2))?, parse_i64(ctx.args.at(3))?);
    let (key, db, limits) = (ctx.key(1), ctx.client.db, limits(ctx.core));
    let Some(record) = ctx.core.keyspace.lookup_write(db, &key) else {
        ctx.client.reply.ok();
        return Ok(());
    };
    let list = list_mut(record)?;
    let kept = resolve_range(start, stop, list.len());
    let is_empty = kept.is_empty();
    let (mut count, mut garbage) = (list.len(), [None, None]);
    if !is_empty {
        let behind = list.len() - kept.end;
        count = kept.start + behind;
        garbage = [list.remove_range(kept.end, behind), list.remove_range(0, kept.start)];
        list.settle(Changed::Shrunk, &limits);
    }
    ctx.client.reply.ok();
    removed(ctx, "ltrim", &key, Outcome { removed: count as u64, is_empty, garbage });
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("lindex", 3, lindex)
        .summary("Gives the element of a list at an index.")
        .syntax("key index")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements before it; O(1) for the first and the last")
        .flags(&[READONLY])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("linsert", 5, linsert)
        .summary("Puts an element next to another one of a list.")
        .syntax("key <BEFORE | AFTER>:where pivot element")
        .since("2.2.0", Group::List)
        .complexity("O(N), N elements before it")
        .flags(&[WRITE, DENYOOM])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("llen", 2, llen)
        .summary("Gives the number of elements of a list.")
        .syntax("key")
        .since("1.0.0", Group::List)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RO])]),
    Command::new("lmove", 5, lmove)
        .summary("Takes an element from an end of a list and adds it at an end of another one.")
        .syntax("source destination <LEFT | RIGHT>:wherefrom <LEFT | RIGHT>:whereto")
        .since("6.2.0", Group::List)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[RW, INSERT])]),
    Command::new("lmpop", -4, lmpop)
        .summary("Takes elements from an end of the first list that is not empty.")
        .syntax("numkeys key... <LEFT | RIGHT>:where [COUNT count]")
        .since("7.0.0", Group::List)
        .complexity("O(N+M), N keys and M elements taken")
        .flags(&[WRITE])
        .categories(&[LIST])
        .keys(&[KeySpec::counted(1, &[RW, ACCESS, DELETE])]),
    Command::new("lpop", -2, lpop)
        .summary("Takes elements from the head of a list.")
        .syntax("key [count]@6.2.0")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements taken")
        .flags(&[WRITE, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("lpos", -3, lpos)
        .summary("Finds the indexes of an element in a list.")
        .syntax("key element [RANK rank] [COUNT num-matches] [MAXLEN len]")
        .since("6.0.6", Group::List)
        .complexity("O(N), N elements that are looked at")
        .flags(&[READONLY])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("lpush", -3, lpush)
        .summary("Adds elements at the head of a list, which is created if missing.")
        .syntax("key element...")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements added")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("lpushx", -3, lpushx)
        .summary("Adds elements at the head of a list, but only if it exists.")
        .syntax("key element...")
        .since("2.2.0", Group::List)
        .complexity("O(N), N elements added")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("lrange", 4, lrange)
        .summary("Gives a part of a list by its first and last index.")
        .syntax("key start stop")
        .since("1.0.0", Group::List)
        .complexity("O(S+N), S elements between it and the nearer end, N elements given")
        .flags(&[READONLY])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("lrem", 4, lrem)
        .summary("Removes elements of a list that are equal to one.")
        .syntax("key count element")
        .since("1.0.0", Group::List)
        .complexity("O(N+M), N elements of the list, M elements removed")
        .flags(&[WRITE])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::new("lset", 4, lset)
        .summary("Replaces the element of a list at an index.")
        .syntax("key index element")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements before it; O(1) for the first and the last")
        .flags(&[WRITE, DENYOOM])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, UPDATE])]),
    Command::new("ltrim", 4, ltrim)
        .summary("Removes all elements of a list that are outside of a range.")
        .syntax("key start stop")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements removed")
        .flags(&[WRITE])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, DELETE])]),
    Command::new("rpop", -2, rpop)
        .summary("Takes elements from the tail of a list.")
        .syntax("key [count]@6.2.0")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements taken")
        .flags(&[WRITE, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE])]),
    Command::new("rpoplpush", 3, rpoplpush)
        .summary("Takes the last element of a list and adds it at the head of another one.")
        .syntax("source destination")
        .since("1.2.0", Group::List)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, DELETE]), KeySpec::key(2, &[RW, INSERT])])
        .deprecated("6.2.0", "`LMOVE` with `RIGHT LEFT`"),
    Command::new("rpush", -3, rpush)
        .summary("Adds elements at the tail of a list, which is created if missing.")
        .syntax("key element...")
        .since("1.0.0", Group::List)
        .complexity("O(N), N elements added")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("rpushx", -3, rpushx)
        .summary("Adds elements at the tail of a list, but only if it exists.")
        .syntax("key element...")
        .since("2.2.0", Group::List)
        .complexity("O(N), N elements added")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[LIST])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
];
