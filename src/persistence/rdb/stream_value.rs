//! Streams as values: their nodes as they are, their counters, and their groups. What the two older
//! forms do not have is put in as Redis does. Called by `value`. (What a file is read from is in
//! `stream`.)

use std::collections::BTreeMap;

use super::{Corrupt, ReadLimits, Source, WriteOptions, length, string};
use crate::data::listpack::Listpack;
use crate::value::Stream;
use crate::value::stream::{Builder, Consumer, Counters, Group, Id, Invalid, Pending};

/// What a form has, each beyond the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Form {
    /// Entries, groups, and what is pending (Redis: RDB_TYPE_STREAM_LISTPACKS).
    Entries,
    /// What was ever added and removed (Redis: RDB_TYPE_STREAM_LISTPACKS_2).
    Counters,
    /// When consumers were active (Redis: RDB_TYPE_STREAM_LISTPACKS_3).
    ActiveTimes,
}

// ---- writing: the newest form

/// Appends a stream.
pub(super) fn write(out: &mut Vec<u8>, stream: &Stream, options: WriteOptions) {
    length::write(out, stream.log().node_count() as u64);
    for node in stream.log().nodes() {
        string::write(out, &node.master.to_bytes(), options);
        string::write(out, node.listpack.as_bytes(), options);
    }
    let counters = stream.counters();
    length::write(out, counters.length);
    write_id(out, counters.last_id);
    write_id(out, counters.first_id);
    write_id(out, counters.max_deleted_id);
    length::write(out, counters.entries_added);
    length::write(out, stream.groups_len() as u64);
    for (name, group) in stream.groups() {
        string::write(out, name, options);
        write_group(out, group, options);
    }
}

/// Both halves as lengths.
fn write_id(out: &mut Vec<u8>, id: Id) {
    length::write(out, id.ms);
    length::write(out, id.seq);
}

fn write_group(out: &mut Vec<u8>, group: &Group, options: WriteOptions) {
    write_id(out, group.last_id);
    length::write(out, group.entries_read.unwrap_or(-1) as u64);
    length::write(out, group.pending_len() as u64);
    for (id, pending) in group.pending_from(Id::MIN) {
        out.extend_from_slice(&id.to_bytes());
        out.extend_from_slice(&pending.delivery_time.to_le_bytes());
        length::write(out, pending.delivery_count);
    }
    length::write(out, group.consumers_len() as u64);
    for consumer in group.consumers() {
        write_consumer(out, consumer, options);
    }
}

fn write_consumer(out: &mut Vec<u8>, consumer: &Consumer, options: WriteOptions) {
    string::write(out, consumer.name(), options);
    out.extend_from_slice(&consumer.seen_time.to_le_bytes());
    out.extend_from_slice(&consumer.active_time.to_le_bytes());
    length::write(out, consumer.pending_len() as u64);
    for id in consumer.pending_from(Id::MIN) {
        out.extend_from_slice(&id.to_bytes());
    }
}

// ---- reading

/// Reads a stream of any form.
pub(super) fn read(
    source: &mut impl Source,
    limits: ReadLimits,
    form: Form,
) -> Result<Stream, Corrupt> {
    let mut builder = Builder::default();
    for _ in 0..length::read_plain(source)? {
        let (master, listpack) = read_node(source, limits)?;
        builder.push_node(master, listpack).map_err(|Invalid| Corrupt::Elements)?;
    }
    let counters = read_counters(source, form, builder.first_id())?;
    let mut stream = builder.finish(counters).map_err(|Invalid| Corrupt::Elements)?;
    for _ in 0..length::read_plain(source)? {
        let name = read_string(source, limits)?;
        let group = read_group(source, limits, form, &counters)?;
        if !stream.create_group(&name, group) {
            return Err(Corrupt::Elements);
        }
    }
    Ok(stream)
}

fn read_string(source: &mut impl Source, limits: ReadLimits) -> Result<Vec<u8>, Corrupt> {
    let mut bytes = Vec::new();
    string::read(source, limits)?.write_over(&mut bytes);
    Ok(bytes)
}

fn read_node(source: &mut impl Source, limits: ReadLimits) -> Result<(Id, Listpack), Corrupt> {
    let master = read_string(source, limits)?.try_into().map_err(|_| Corrupt::Elements)?;
    let bytes = read_string(source, limits)?;
    let listpack = Listpack::from_bytes(bytes).map_err(|_| Corrupt::Elements)?;
    Ok((Id::from_bytes(master), listpack))
}

fn read_id(source: &mut impl Source) -> Result<Id, Corrupt> {
    Ok(Id { ms: length::read_plain(source)?, seq: length::read_plain(source)? })
}

fn read_raw_id(source: &mut impl Source) -> Result<Id, Corrupt> {
    read_array(source).map(Id::from_bytes)
}

fn read_time(source: &mut impl Source) -> Result<i64, Corrupt> {
    read_array(source).map(i64::from_le_bytes)
}

fn read_array<const BYTES: usize>(source: &mut impl Source) -> Result<[u8; BYTES], Corrupt> {
    source.take(BYTES as u64)?.first_chunk().copied().ok_or(Corrupt::Truncated)
}

fn read_counters(source: &mut impl Source, form: Form, first_id: Id) -> Result<Counters, Corrupt> {
    let (length, last_id) = (length::read_plain(source)?, read_id(source)?);
    if form == Form::Entries {
        let max_deleted_id = Id::MIN;
        return Ok(Counters { length, first_id, last_id, max_deleted_id, entries_added: length });
    }
    let (first_id, max_deleted_id) = (read_id(source)?, read_id(source)?);
    let entries_added = length::read_plain(source)?;
    Ok(Counters { length, first_id, last_id, max_deleted_id, entries_added })
}

/// When and how often an entry was given, to someone who is yet to be told.
type Ownerless = BTreeMap<Id, (i64, u64)>;

fn read_group(
    source: &mut impl Source,
    limits: ReadLimits,
    form: Form,
    counters: &Counters,
) -> Result<Group, Corrupt> {
    let last_id = read_id(source)?;
    let entries_read = match form {
        Form::Entries => counters.read_upto(last_id),
        _ => Some(length::read_plain(source)? as i64).filter(|&read| read != -1),
    };
    let mut group = Group::new(last_id, entries_read);
    let mut ownerless = Ownerless::new();
    for _ in 0..length::read_plain(source)? {
        let id = read_raw_id(source)?;
        let delivery = (read_time(source)?, length::read_plain(source)?);
        if ownerless.insert(id, delivery).is_some() {
            return Err(Corrupt::Elements);
        }
    }
    for _ in 0..length::read_plain(source)? {
        let name = read_string(source, limits)?;
        read_consumer(source, form, (&mut group, &name), &mut ownerless)?;
    }
    if ownerless.is_empty() { Ok(group) } else { Err(Corrupt::Elements) }
}

fn read_consumer(
    source: &mut impl Source,
    form: Form,
    (group, name): (&mut Group, &[u8]),
    ownerless: &mut Ownerless,
) -> Result<(), Corrupt> {
    let seen_time = read_time(source)?;
    let consumer = group.create_consumer(name, seen_time).ok_or(Corrupt::Elements)?;
    group.consumer_mut(consumer).active_time = match form {
        Form::ActiveTimes => read_time(source)?,
        Form::Entries | Form::Counters => seen_time,
    };
    for _ in 0..length::read_plain(source)? {
        let id = read_raw_id(source)?;
        let (delivery_time, delivery_count) = ownerless.remove(&id).ok_or(Corrupt::Elements)?;
        group.set_pending(id, Pending { consumer, delivery_time, delivery_count });
    }
    Ok(())
}
