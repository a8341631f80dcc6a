//! Commands on HyperLogLogs, which are strings. What the strings hold is in `data::hyperloglog`.
//! Called by dispatch; all access to keys goes through the keyspace.

use crate::data::hyperloglog::{self as hll, Corrupt, Form, REGISTERS, Union};
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Key, RecordMut};
use crate::resp::Error;
use crate::value::{Encoding, NewValue, Record, Value, ValueRef};

/// The string of a record, if it has the header of a HyperLogLog, and its form.
fn read_hll(record: &Record) -> Result<(&[u8], Form), Error> {
    let not_one = "WRONGTYPE Key is not a valid HyperLogLog string value.";
    let invalid = || Error::Custom(not_one.into());
    match record.value() {
        ValueRef::String(string) => {
            hll::form(string).map(|form| (string, form)).ok_or_else(invalid)
        }
        ValueRef::Int(_) => Err(invalid()),
        _ => Err(Error::WrongType),
    }
}

fn corrupt(_: Corrupt) -> Error {
    Error::Custom("INVALIDOBJ Corrupted HLL object detected".into())
}

/// The string of a record that was found to be a HyperLogLog, to be changed.
fn hll_mut(record: RecordMut<'_>) -> Result<&mut Vec<u8>, Error> {
    record.string_mut().ok_or(Error::WrongType)
}

/// Elements were added to a key's HyperLogLog.
fn added(ctx: &mut Context<'_>, key: &Key<'_>, count: u64) {
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    keyspace.signal_modified(db, key);
    keyspace.notify(EventClass::STRING, "pfadd", db, key);
    keyspace.dirty += count;
}

/// PFADD key [element …]
pub(super) fn pfadd(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let sparse_bytes_max = ctx.core.config.hll_sparse_max_bytes;
    let elements = ctx.args.iter_from(2);
    let add_all = |string: &mut Vec<u8>| {
        let mut changes = 0;
        for element in elements {
            changes += u64::from(hll::add(string, element, sparse_bytes_max).map_err(corrupt)?);
        }
        Ok(changes)
    };
    let keyspace = &mut ctx.core.keyspace;
    let changes = if let Some(record) = keyspace.lookup_write(db, &key) {
        read_hll(&record)?;
        add_all(hll_mut(record)?)?
    } else {
        let mut string = hll::empty();
        let changes = add_all(&mut string)?;
        hll::invalidate(&mut string);
        keyspace.insert(db, &key, NewValue::Owned(Value::String(string)), None);
        changes + 1
    };
    if changes > 0 {
        added(ctx, &key, changes);
    }
    ctx.client.reply.int(i64::from(changes > 0));
    Ok(())
}

/// PFCOUNT key [key …]
pub(super) fn pfcount(ctx: &mut Context<'_>) -> Result<(), Error> {
    let estimate = if ctx.args.len() == 2 { estimate_one(ctx)? } else { estimate_union(ctx)? };
    ctx.client.reply.int(estimate as i64);
    Ok(())
}

/// The last estimate, or else another one, which is kept: a read that changes its key.
fn estimate_one(ctx: &mut Context<'_>) -> Result<u64, Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let keyspace = &mut ctx.core.keyspace;
    let Some(record) = keyspace.lookup_read(db, &key) else { return Ok(0) };
    let (string, _) = read_hll(record)?;
    if let Some(estimate) = hll::last_estimate(string) {
        // Redis gets it ready to be changed although it does not change it.
        if record.encoding() != Encoding::Raw {
            keyspace.edit(db, &key).and_then(RecordMut::string_mut);
        }
        return Ok(estimate);
    }
    let estimate = hll::estimate(string).map_err(corrupt);
    let Some(string) = keyspace.edit(db, &key).and_then(RecordMut::string_mut) else {
        return estimate;
    };
    let estimate = estimate?;
    hll::keep_estimate(string, estimate);
    keyspace.signal_modified(db, &key);
    keyspace.dirty += 1;
    Ok(estimate)
}

fn estimate_union(ctx: &mut Context<'_>) -> Result<u64, Error> {
    read_union(ctx).map(|union| union.estimate())
}

/// The union of all keys that the command names.
fn read_union(ctx: &mut Context<'_>) -> Result<Union, Error> {
    let mut union = Union::default();
    for index in 1..ctx.args.len() {
        let key = ctx.key(index);
        if let Some(record) = ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
            let (string, _) = read_hll(record)?;
            union.add(string).map_err(corrupt)?;
        }
    }
    Ok(union)
}

/// PFMERGE destkey [sourcekey …]
pub(super) fn pfmerge(ctx: &mut Context<'_>) -> Result<(), Error> {
    let union = read_union(ctx)?;
    let (key, db) = (ctx.key(1), ctx.client.db);
    let sparse_bytes_max = ctx.core.config.hll_sparse_max_bytes;
    let keyspace = &mut ctx.core.keyspace;
    if let Some(record) = keyspace.lookup_write(db, &key) {
        union.store(hll_mut(record)?, sparse_bytes_max).map_err(corrupt)?;
    } else {
        let mut string = hll::empty();
        union.store(&mut string, sparse_bytes_max).map_err(corrupt)?;
        keyspace.insert(db, &key, NewValue::Owned(Value::String(string)), None);
    }
    added(ctx, &key, 1);
    ctx.client.reply.ok();
    Ok(())
}

/// PFDEBUG subcommand key
pub(super) fn pfdebug(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, subcommand) = (ctx.key(2), ctx.client.db, ctx.args.at(1));
    let core = &mut *ctx.core;
    let Some(record) = core.keyspace.lookup_write(db, &key) else {
        return Err(Error::err("The specified key does not exist"));
    };
    let (_, form) = read_hll(&record)?;
    let string = hll_mut(record)?;
    let is = |name: &str| subcommand.eq_ignore_ascii_case(name.as_bytes());
    let reply = &mut ctx.client.reply;
    let mut converted = false;
    if is("getreg") {
        converted = hll::make_dense(string).map_err(corrupt)?;
        reply.array(REGISTERS);
        (0..REGISTERS).for_each(|index| reply.int(hll::dense_register(string, index).into()));
    } else if is("decode") {
        if form != Form::Sparse {
            return Err(Error::err("HLL encoding is not sparse"));
        }
        reply.bulk(decoded(string).as_bytes());
    } else if is("encoding") {
        reply.simple(form.name());
    } else if is("todense") {
        converted = hll::make_dense(string).map_err(corrupt)?;
        reply.int(i64::from(converted));
    } else {
        let shown = String::from_utf8_lossy(subcommand);
        return Err(Error::err(format_args!("Unknown PFDEBUG subcommand '{shown}'")));
    }
    core.keyspace.dirty += u64::from(converted);
    Ok(())
}

/// The runs of a sparse string as PFDEBUG shows them: `z` for zeros, `Z` for many, `v` for values.
fn decoded(string: &[u8]) -> String {
    let words: Vec<String> = hll::runs(string)
        .map(|run| match run {
            hll::Run { value: 0, registers, bytes: 1 } => format!("z:{registers}"),
            hll::Run { value: 0, registers, .. } => format!("Z:{registers}"),
            hll::Run { value, registers, .. } => format!("v:{value},{registers}"),
        })
        .collect();
    words.join(" ")
}

/// PFSELFTEST
pub(super) fn pfselftest(ctx: &mut Context<'_>) -> Result<(), Error> {
    let sparse_bytes_max = ctx.core.config.hll_sparse_max_bytes;
    hll::self_test(&mut ctx.core.rng, sparse_bytes_max).map_err(Error::err)?;
    ctx.client.reply.ok();
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("pfadd", -2, pfadd)
        .summary("Adds elements to a HyperLogLog, which is created if missing.")
        .syntax("key [element...]")
        .since("2.8.9", Group::HyperLogLog)
        .complexity("O(N), N elements")
        .flags(&[WRITE, DENYOOM, FAST])
        .categories(&[HYPERLOGLOG])
        .keys(&[KeySpec::key(1, &[RW, INSERT])]),
    Command::new("pfcount", -2, pfcount)
        .summary("Estimates how many different elements were added to HyperLogLogs.")
        .syntax("key...")
        .since("2.8.9", Group::HyperLogLog)
        .complexity("O(1) for one key, O(N) for the union of N keys")
        .flags(&[READONLY, MAY_REPLICATE])
        .categories(&[HYPERLOGLOG])
        .keys(&[KeySpec::range(1, -1, 1, &[RW, ACCESS])
            .note("Counts as a write because it can store the count that it computed.")]),
    Command::new("pfdebug", 3, pfdebug)
        .summary("Shows and changes how a HyperLogLog is stored.")
        .syntax("subcommand key")
        .since("2.8.9", Group::HyperLogLog)
        .complexity("N/A")
        .flags(&[WRITE, DENYOOM, ADMIN])
        .categories(&[HYPERLOGLOG])
        .keys(&[KeySpec::key(2, &[RW, ACCESS])])
        .internal(),
    Command::new("pfmerge", -2, pfmerge)
        .summary("Stores the union of HyperLogLogs.")
        .syntax("destkey [sourcekey...]")
        .since("2.8.9", Group::HyperLogLog)
        .complexity("O(N), N keys")
        .flags(&[WRITE, DENYOOM])
        .categories(&[HYPERLOGLOG])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, INSERT]), KeySpec::range(2, -1, 1, &[RO, ACCESS])]),
    Command::new("pfselftest", 1, pfselftest)
        .summary("Tests the HyperLogLog implementation.")
        .since("2.8.9", Group::HyperLogLog)
        .complexity("N/A")
        .flags(&[ADMIN])
        .categories(&[HYPERLOGLOG])
        .internal(),
];
