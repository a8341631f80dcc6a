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
    Ok((Id::from_bytes(master), string::read_listpack(source, limits)?))
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
    let consumer = group.create_consumer(name, seen_time).ok_or(Corrupt::Consumers)?;
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

#[cfg(test)]
mod tests {
    use super::super::{tests, value};
    use super::*;
    use crate::base::rng::Rng;
    use crate::value::stream::Limits;
    use crate::value::{NewValue, Value, ValueRef};

    /// What Redis 7.2.6 makes of streams: a name, the digest, the payload in hex. What is `-plain`
    /// is what the name before it stands for, without compression.
    const PAYLOADS: &str = include_str!("../../../tests/data/dump-streams-7.2.tsv");
    const LIMITS: ReadLimits = ReadLimits { string_bytes_max: 1 << 20, ..ReadLimits::DEFAULT };
    const STREAM_2: u8 = 19;
    const STREAM: u8 = 15;

    /// Name, and the value without the payload's footer.
    fn vectors() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
        tests::vectors(PAYLOADS).map(|(columns, value)| (columns[0], value))
    }

    fn vector(wanted: &str) -> Vec<u8> {
        vectors().find(|(name, _)| *name == wanted).expect("it is there").1
    }

    fn read(mut bytes: &[u8]) -> Result<Stream, Corrupt> {
        match value::read(&mut bytes, &mut Vec::new(), LIMITS)? {
            NewValue::Owned(Value::Stream(stream)) => Ok(*stream),
            other => panic!("{other:?} is no stream"),
        }
    }

    fn written(stream: &Stream) -> Vec<u8> {
        let mut out = Vec::new();
        value::write(&mut out, ValueRef::Stream(stream), WriteOptions { compress: false });
        out
    }

    #[test]
    fn payloads_of_redis_are_understood_and_written() {
        assert!(vectors().count() >= 10);
        let mut before = None;
        for (name, bytes) in vectors() {
            let stream = read(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            if name.ends_with("-plain") {
                assert_eq!(before.as_ref(), Some(&stream), "{name}");
                assert_eq!(written(&stream), bytes, "{name}");
            }
            assert_eq!(read(&written(&stream)).as_ref(), Ok(&stream), "{name}");
            before = Some(stream);
        }
    }

    #[test]
    fn entries_are_stored_as_redis_does() {
        let mut stream = Stream::new();
        let limits = Limits { node_bytes: 4096, node_entries: 5 };
        let entries: [(u64, u64, &[&str]); 5] = [
            (1526919030474, 55, &["temperature", "21", "humidity", "40"]),
            (1526919030475, 0, &["temperature", "21.5", "humidity", "41"]),
            (1526919030479, 0, &["temperature", "21.5"]),
            (1526919030479, 1, &["humidity", "41", "temperature", "-7"]),
            (
                u64::MAX,
                1,
                &["temperature", "9223372036854775807", "humidity", "9223372036854775808"],
            ),
        ];
        for (ms, seq, parts) in entries {
            stream.append(Id { ms, seq }, parts.iter().map(|part| part.as_bytes()), limits);
        }
        assert_eq!(written(&stream), vector("fields-plain"));
    }

    /// A stream in an older form.
    fn old_form(stream: &Stream, form: Form) -> Vec<u8> {
        let plain = WriteOptions { compress: false };
        let mut out = vec![if form == Form::Entries { STREAM } else { STREAM_2 }];
        length::write(&mut out, stream.log().node_count() as u64);
        for node in stream.log().nodes() {
            string::write(&mut out, &node.master.to_bytes(), plain);
            string::write(&mut out, node.listpack.as_bytes(), plain);
        }
        let counters = stream.counters();
        length::write(&mut out, counters.length);
        write_id(&mut out, counters.last_id);
        if form != Form::Entries {
            write_id(&mut out, counters.first_id);
            write_id(&mut out, counters.max_deleted_id);
            length::write(&mut out, counters.entries_added);
        }
        length::write(&mut out, stream.groups_len() as u64);
        for (name, group) in stream.groups() {
            string::write(&mut out, name, plain);
            write_old_group(&mut out, group, form);
        }
        out
    }

    /// As [`write_group`], without what the form does not have.
    fn write_old_group(out: &mut Vec<u8>, group: &Group, form: Form) {
        const TIME_BYTES: usize = 8;
        let plain = WriteOptions { compress: false };
        let (mut whole, mut head) = (Vec::new(), Vec::new());
        write_group(&mut whole, group, plain);
        write_id(&mut head, group.last_id);
        let id_bytes = head.len();
        length::write(&mut head, group.entries_read.unwrap_or(-1) as u64);
        let (mut consumers, mut consumers_bytes) = (Vec::new(), 0);
        for consumer in group.consumers() {
            let mut one = Vec::new();
            write_consumer(&mut one, consumer, plain);
            consumers_bytes += one.len();
            let seen = 1 + consumer.name().len();
            one.drain(seen + TIME_BYTES..seen + 2 * TIME_BYTES);
            consumers.extend_from_slice(&one);
        }
        let pending = head.len()..whole.len() - consumers_bytes;
        out.extend_from_slice(if form == Form::Entries { &head[..id_bytes] } else { &head });
        out.extend_from_slice(&whole[pending]);
        out.extend_from_slice(&consumers);
    }

    #[test]
    fn older_forms_are_read() {
        let stream = read(&vector("groups-plain")).expect("a stream");
        let second = read(&old_form(&stream, Form::Counters)).expect("a stream");
        assert_eq!(second.counters(), stream.counters());
        for ((name, old), (_, new)) in second.groups().zip(stream.groups()) {
            assert_eq!(old.entries_read, new.entries_read, "{}", name.escape_ascii());
            assert_eq!(old.pending_len(), new.pending_len());
            assert!(old.consumers().all(|one| one.active_time == one.seen_time));
        }
        let first = read(&old_form(&stream, Form::Entries)).expect("a stream");
        let Counters { length, last_id, first_id, .. } = *stream.counters();
        let max_deleted_id = Id::MIN;
        let expected =
            Counters { length, last_id, first_id, max_deleted_id, entries_added: length };
        assert_eq!(*first.counters(), expected);
        for (_, group) in first.groups() {
            assert_eq!(group.entries_read, expected.read_upto(group.last_id));
        }
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let node =
            b"\x10\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\x1d\x1d\0\0\0\x0a\0\x01\x01\0\x01\x01\
                     \x01\x81f\x02\0\x01\x02\x01\0\x01\0\x01\x81v\x02\x04\x01\xff";
        let stream = |nodes: &[&[u8]], rest: &[u8]| {
            let mut bytes = vec![21, nodes.len() as u8];
            nodes.iter().for_each(|node| bytes.extend_from_slice(node));
            bytes.extend_from_slice(rest);
            read(&bytes).map(|stream| stream.len())
        };
        let counters: &[u8] = b"\x01\x01\x01\x01\x01\0\0\x01";
        let with = |rest: &[u8]| stream(&[node], &[counters, rest].concat());
        assert_eq!(with(b"\0"), Ok(1));
        assert_eq!(stream(&[node, node], &[counters, b"\0"].concat()), Err(Corrupt::Elements));
        // The length, and the last id.
        assert_eq!(stream(&[node], b"\x02\x01\x01\x01\x01\0\0\x01\0"), Err(Corrupt::Elements));
        assert_eq!(stream(&[], b"\x01\x01\x01\x01\x01\0\0\x01\0"), Err(Corrupt::Elements));
        assert_eq!(stream(&[node], b"\x01\x01\0\x01\x01\0\0\x01\0"), Err(Corrupt::Elements));
        assert_eq!(stream(&[], b"\0\x01\x01\0\0\0\0\x01\0"), Ok(0));
        // Two groups of a name.
        let group: &[u8] = b"\x01g\0\0\0\0\0";
        assert_eq!(with(&[b"\x01", group].concat()), Ok(1));
        assert_eq!(with(&[b"\x02", group, group].concat()), Err(Corrupt::Elements));
        // One pending entry: of nobody, of alice, of alice twice, of two.
        let one: &[u8] = b"\x01\x01g\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\
                           \0\0\0\0\0\0\0\0\x01";
        let pending = |consumers: &[&[u8]]| with(&[&[one], consumers].concat().concat());
        let times: &[u8] = &[0; 16];
        let alice = [b"\x01a", times, b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01"].concat();
        let bob = [b"\x01b", times, b"\x01\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01"].concat();
        assert_eq!(pending(&[b"\0"]), Err(Corrupt::Elements));
        assert_eq!(pending(&[b"\x01", &alice]), Ok(1));
        assert_eq!(pending(&[b"\x02", &alice, &alice]), Err(Corrupt::Consumers));
        assert_eq!(pending(&[b"\x02", &alice, &bob]), Err(Corrupt::Elements));
        // More than there is.
        assert_eq!(read(b"\x15\x81\xff\xff\xff\xff\xff\xff\xff\xff"), Err(Corrupt::Truncated));
        assert_eq!(with(b"\x81\xff\xff\xff\xff\xff\xff\xff\xff"), Err(Corrupt::Truncated));
    }

    /// Whatever is read of damaged bytes is a stream as all others.
    #[test]
    fn damage_is_survived() {
        let mut rng = Rng::seeded(17);
        for (_, whole) in vectors() {
            for _ in 0..3000 {
                let mut bytes = whole.clone();
                for _ in 0..1 + rng.below(3) {
                    let at = 1 + rng.below(bytes.len() as u64 - 1) as usize;
                    bytes[at] = match rng.below(3) {
                        0 => rng.next_u64() as u8,
                        1 => bytes[at] ^ 1 << rng.below(8),
                        _ => bytes[at].wrapping_add(1),
                    };
                }
                if rng.below(8) == 0 {
                    bytes.truncate(1 + rng.below(bytes.len() as u64) as usize);
                }
                if !matches!(bytes[0], STREAM | STREAM_2 | 21) {
                    continue;
                }
                if let Ok(mut stream) = read(&bytes) {
                    assert_eq!(read(&written(&stream)).as_ref(), Ok(&stream));
                    use_up(&mut stream);
                }
            }
        }
    }

    /// Walks a stream both ways and removes all that there is.
    fn use_up(stream: &mut Stream) {
        let ids: Vec<_> = stream.log().range(Id::MIN, Id::MAX).map(|entry| entry.id).collect();
        let fields = |stream: &Stream| -> usize {
            stream.log().range_back(Id::MIN, Id::MAX).map(|entry| entry.fields().count()).sum()
        };
        assert_eq!(ids.len() as u64, stream.len());
        fields(stream);
        assert_eq!(stream.remove(&ids), ids.len() as u64);
        assert_eq!((stream.len(), fields(stream)), (0, 0));
    }
}
