//! Commands on the bits of strings. The work on bytes is in `data::bits`; here are arguments, keys
//! and what a change leads to. Called by dispatch; all access to keys goes through the keyspace.

use std::borrow::Cow;
use std::ops::Range;

use super::computed::{self, Computed};
use super::strings::pad;
use crate::base::numbers;
use crate::data::bits::{self, FieldType, Operation, Overflow};
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::dispatch::{Context, Cursor};
use crate::keyspace::events::EventClass;
use crate::keyspace::{Key, Keyspace};
use crate::resp::{Args, Error};
use crate::value::{NewValue, Type, Value, ValueRef};

// ---- what several commands share

/// The offset of a bit, in a string that may have so many bytes.
fn parse_offset(text: &[u8], bytes_max: usize) -> Result<u64, Error> {
    check_offset(numbers::parse_i64(text), bytes_max)
}

fn check_offset(offset: Option<i64>, bytes_max: usize) -> Result<u64, Error> {
    let offset = offset.and_then(|offset| u64::try_from(offset).ok());
    let fits = |offset: &u64| offset / 8 < bytes_max as u64;
    let out_of_range = || Error::err("bit offset is not an integer or out of range");
    offset.filter(fits).ok_or_else(out_of_range)
}

/// Calls `change` with the string at a key, made long enough, and with whether that took zeros or
/// a new key. Signals nothing.
fn edit_string<R>(
    keyspace: &mut Keyspace,
    db: usize,
    key: &Key<'_>,
    len: usize,
    change: impl FnOnce(&mut Vec<u8>, bool) -> R,
) -> Result<R, Error> {
    if let Some(record) = keyspace.lookup_write(db, key) {
        let bytes = record.string_mut().ok_or(Error::WrongType)?;
        let grows = bytes.len() < len;
        if grows {
            pad(bytes, len);
        }
        return Ok(change(bytes, grows));
    }
    let mut bytes = vec![0; len];
    let result = change(&mut bytes, true);
    keyspace.insert(db, key, NewValue::Owned(Value::String(bytes)), None);
    Ok(result)
}

/// So many bits of a string were changed, or groups of bits.
fn changed(ctx: &mut Context<'_>, key: &Key<'_>, count: u64) {
    if count > 0 {
        let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
        keyspace.signal_modified(db, key);
        keyspace.notify(EventClass::STRING, "setbit", db, key);
        keyspace.dirty += count;
    }
}

// ---- single bits

/// SETBIT key offset value
pub(super) fn setbit(ctx: &mut Context<'_>) -> Result<(), Error> {
    let offset = parse_offset(ctx.args.at(2), ctx.core.config.proto_max_bulk_len)?;
    let set = match numbers::parse_i64(ctx.args.at(3)) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(Error::err("bit is not an integer or out of range")),
    };
    let (key, db) = (ctx.key(1), ctx.client.db);
    let (at, mask) = ((offset / 8) as usize, 0x80 >> (offset % 8));
    let write = |bytes: &mut Vec<u8>, grew| {
        let was_set = bytes[at] & mask != 0;
        bytes[at] = if set { bytes[at] | mask } else { bytes[at] & !mask };
        (was_set, grew || was_set != set)
    };
    let (was_set, changes) = edit_string(&mut ctx.core.keyspace, db, &key, at + 1, write)?;
    changed(ctx, &key, u64::from(changes));
    ctx.client.reply.int(i64::from(was_set));
    Ok(())
}

/// GETBIT key offset
pub(super) fn getbit(ctx: &mut Context<'_>) -> Result<(), Error> {
    let offset = parse_offset(ctx.args.at(2), ctx.core.config.proto_max_bulk_len)?;
    let key = ctx.key(1);
    let mut digits = itoa::Buffer::new();
    let bytes = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => record.value().string(&mut digits).ok_or(Error::WrongType)?,
        None => &[],
    };
    let byte = bytes.get((offset / 8) as usize).copied().unwrap_or(0);
    ctx.client.reply.int(i64::from(byte >> (7 - offset % 8) & 1));
    Ok(())
}

// ---- counting and finding

/// What the ends of a range count.
#[derive(Clone, Copy)]
enum Unit {
    Byte,
    Bit,
}

impl Unit {
    fn from_name(name: &[u8]) -> Result<Unit, Error> {
        if name.eq_ignore_ascii_case(b"byte") {
            Ok(Unit::Byte)
        } else if name.eq_ignore_ascii_case(b"bit") {
            Ok(Unit::Bit)
        } else {
            Err(Error::Syntax)
        }
    }

    /// The bits from `start` to `end`, both included and, where negative, counted from behind.
    fn bits(self, start: i64, end: i64, bytes: usize) -> Range<u64> {
        let (total, scale) = match self {
            Unit::Byte => (bytes as i64, 8),
            Unit::Bit => (bytes as i64 * 8, 1),
        };
        let from_front = |index: i64| if index < 0 { (total + index).max(0) } else { index };
        let (start, end) = (from_front(start), from_front(end).min(total - 1));
        if start > end { 0..0 } else { start as u64 * scale..(end as u64 + 1) * scale }
    }
}

/// BITCOUNT key [start end [BYTE | BIT]]
pub(super) fn bitcount(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, args) = (ctx.key(1), ctx.args);
    let mut digits = itoa::Buffer::new();
    let count = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => {
            let bytes = record.value().string(&mut digits).ok_or(Error::WrongType)?;
            bits::count_range(bytes, parse_counted(args, bytes.len())?)
        }
        // A key that does not exist is answered before the other arguments are looked at.
        None => 0,
    };
    ctx.client.reply.int(count as i64);
    Ok(())
}

fn parse_counted(args: Args<'_>, bytes: usize) -> Result<Range<u64>, Error> {
    match args.len() {
        2 => return Ok(0..bytes as u64 * 8),
        4 | 5 => {}
        _ => return Err(Error::Syntax),
    }
    let (start, end) = (parse_i64(args.at(2))?, parse_i64(args.at(3))?);
    // Both far before the beginning would otherwise meet at the first bit.
    if start < 0 && end < 0 && start > end {
        return Ok(0..0);
    }
    let unit = args.get(4).map_or(Ok(Unit::Byte), Unit::from_name)?;
    Ok(unit.bits(start, end, bytes))
}

/// BITPOS key bit [start [end [BYTE | BIT]]]
pub(super) fn bitpos(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, args) = (ctx.key(1), ctx.args);
    let set = match parse_i64(args.at(2))? {
        0 => false,
        1 => true,
        _ => return Err(Error::err("The bit argument must be 1 or 0.")),
    };
    let mut digits = itoa::Buffer::new();
    let position = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => {
            let bytes = record.value().string(&mut digits).ok_or(Error::WrongType)?;
            let (range, has_end) = parse_searched(args, bytes.len())?;
            match bits::find(bytes, range.clone(), set) {
                Some(position) => position as i64,
                // Zeros follow, unless the range was said to end.
                None if !set && !has_end && !range.is_empty() => range.end as i64,
                None => -1,
            }
        }
        // Nothing but zeros, whatever the other arguments are.
        None if set => -1,
        None => 0,
    };
    ctx.client.reply.int(position);
    Ok(())
}

/// The bits that BITPOS searches, and whether their end was given.
fn parse_searched(args: Args<'_>, bytes: usize) -> Result<(Range<u64>, bool), Error> {
    if args.len() > 6 {
        return Err(Error::Syntax);
    }
    let start = args.get(3).map_or(Ok(0), parse_i64)?;
    let unit = args.get(5).map_or(Ok(Unit::Byte), Unit::from_name)?;
    let end = args.get(4).map(parse_i64).transpose()?;
    Ok((unit.bits(start, end.unwrap_or(-1), bytes), end.is_some()))
}

// ---- combining

/// BITOP operation destkey key [key …]
pub(super) fn bitop(ctx: &mut Context<'_>) -> Result<(), Error> {
    let operation = Operation::from_name(ctx.args.at(1)).ok_or(Error::Syntax)?;
    if operation == Operation::Not && ctx.args.len() != 4 {
        return Err(Error::err("BITOP NOT must be called with a single source key."));
    }
    let sources: Vec<_> = (3..ctx.args.len()).map(|index| ctx.key(index)).collect();
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    for source in &sources {
        let record = keyspace.lookup_read(db, source);
        if record.is_some_and(|record| record.kind() != Type::String) {
            return Err(Error::WrongType);
        }
    }
    let result = combine(keyspace, db, operation, &sources);
    let (len, event) = (result.len(), (EventClass::STRING, "set"));
    computed::store(ctx, 2, Computed { value: Value::String(result), len, event, changes: 1 });
    Ok(())
}

/// Combines the strings at keys that were read.
fn combine(keyspace: &Keyspace, db: usize, operation: Operation, keys: &[Key<'_>]) -> Vec<u8> {
    let strings: Vec<Cow<'_, [u8]>> = keys
        .iter()
        .map(|key| match keyspace.peek(db, key).map(|record| record.value()) {
            Some(ValueRef::String(bytes)) => Cow::Borrowed(bytes),
            Some(ValueRef::Int(n)) => Cow::Owned(n.to_string().into_bytes()),
            Some(_) | None => Cow::Borrowed(&[][..]),
        })
        .collect();
    let slices: Vec<&[u8]> = strings.iter().map(AsRef::as_ref).collect();
    bits::combine(operation, &slices)
}

// ---- integers of any width

/// One operation of BITFIELD.
struct Step {
    kind: FieldType,
    offset: u64,
    overflow: Overflow,
    action: Action,
}

#[derive(Clone, Copy, PartialEq)]
enum Action {
    Get,
    Set(i64),
    Add(i64),
}

impl Step {
    /// Writes what it has to, and gives its answer and whether the field is another one now.
    fn write(&self, bytes: &mut [u8]) -> (Option<i64>, bool) {
        let old = self.kind.read(bytes, self.offset);
        let (new, answers_old) = match self.action {
            Action::Get => return (Some(old), false),
            Action::Set(n) => (self.kind.fit_number(n, self.overflow), true),
            Action::Add(n) => (self.kind.fit_sum(old, n, self.overflow), false),
        };
        let Some(new) = new else { return (None, false) };
        self.kind.write(bytes, self.offset, new);
        (Some(if answers_old { old } else { new }), new != old)
    }
}

/// The operations, and how long they need the string to be in order to write.
fn parse_steps(
    mut cursor: Cursor<'_>,
    bytes_max: usize,
) -> Result<(Vec<Step>, Option<usize>), Error> {
    let (mut steps, mut len) = (Vec::new(), None);
    let mut overflow = Overflow::default();
    while let Some(word) = cursor.next() {
        let rest = cursor.remaining();
        let is =
            |name: &str, needs: usize| rest >= needs && word.eq_ignore_ascii_case(name.as_bytes());
        if is("overflow", 1) {
            overflow = parse_overflow(cursor.expect()?)?;
            continue;
        }
        let (reads, sets) = (is("get", 2), is("set", 3));
        if !(reads || sets || is("incrby", 3)) {
            return Err(Error::Syntax);
        }
        let kind = parse_type(cursor.expect()?)?;
        let offset = parse_field_offset(cursor.expect()?, kind, bytes_max)?;
        let action = if reads {
            Action::Get
        } else {
            let end = (offset + u64::from(kind.width())).div_ceil(8) as usize;
            len = len.max(Some(end));
            let n = cursor.expect_i64()?;
            if sets { Action::Set(n) } else { Action::Add(n) }
        };
        steps.push(Step { kind, offset, overflow, action });
    }
    Ok((steps, len))
}

fn parse_overflow(name: &[u8]) -> Result<Overflow, Error> {
    let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    match () {
        () if is("wrap") => Ok(Overflow::Wrap),
        () if is("sat") => Ok(Overflow::Saturate),
        () if is("fail") => Ok(Overflow::Fail),
        () => Err(Error::err("Invalid OVERFLOW type specified")),
    }
}

fn parse_type(name: &[u8]) -> Result<FieldType, Error> {
    FieldType::from_name(name).ok_or_else(|| {
        Error::err(
            "Invalid bitfield type. Use something like i16 u8. Note that u64 is not supported but \
             i64 is.",
        )
    })
}

/// The offset of a field: in bits or, after a `#`, in fields of its width.
fn parse_field_offset(text: &[u8], kind: FieldType, bytes_max: usize) -> Result<u64, Error> {
    let Some(index) = text.strip_prefix(b"#") else { return parse_offset(text, bytes_max) };
    let index = numbers::parse_i64(index);
    check_offset(index.and_then(|index| index.checked_mul(kind.width().into())), bytes_max)
}

/// BITFIELD key [GET type offset | [OVERFLOW …] SET type offset value | INCRBY …] …
pub(super) fn bitfield(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (steps, len) = parse_steps(ctx.cursor(2), ctx.core.config.proto_max_bulk_len)?;
    match len {
        Some(len) => write_fields(ctx, &steps, len),
        None => read_fields(ctx, &steps),
    }
}

/// BITFIELD_RO key [GET type offset] …
pub(super) fn bitfield_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (steps, len) = parse_steps(ctx.cursor(2), ctx.core.config.proto_max_bulk_len)?;
    if len.is_some() {
        return Err(Error::err("BITFIELD_RO only supports the GET subcommand"));
    }
    read_fields(ctx, &steps)
}

fn read_fields(ctx: &mut Context<'_>, steps: &[Step]) -> Result<(), Error> {
    let key = ctx.key(1);
    let mut digits = itoa::Buffer::new();
    let bytes = match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => record.value().string(&mut digits).ok_or(Error::WrongType)?,
        None => &[],
    };
    let reply = &mut ctx.client.reply;
    reply.array(steps.len());
    steps.iter().for_each(|step| reply.int(step.kind.read(bytes, step.offset)));
    Ok(())
}

fn write_fields(ctx: &mut Context<'_>, steps: &[Step], len: usize) -> Result<(), Error> {
    let (key, db) = (ctx.key(1), ctx.client.db);
    let reply = &mut ctx.client.reply;
    let write = |bytes: &mut Vec<u8>, grew: bool| {
        let mut changes = 0;
        reply.array(steps.len());
        for step in steps {
            let (answer, differs) = step.write(bytes);
            match answer {
                Some(n) => reply.int(n),
                None => reply.null(),
            }
            let wrote = answer.is_some() && step.action != Action::Get;
            changes += u64::from(wrote && (grew || differs));
        }
        changes
    };
    let changes = edit_string(&mut ctx.core.keyspace, db, &key, len, write)?;
    changed(ctx, &key, changes);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("bitcount", -2, bitcount)
        .summary("Counts the bits that are set in a string, or in a part of it.")
        .syntax("key [start end [BYTE | BIT]:unit@7.0.0]:range")
        .since("2.6.0", Group::Bitmap)
        .complexity("O(N), N bytes counted")
        .flags(&[READONLY])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("bitfield", -2, bitfield)
        .summary("Reads and writes integers of any width within a string.")
        .syntax(
            "key [<GET <encoding offset>:get-block | <[OVERFLOW <WRAP | SAT \
             | FAIL>:overflow-block] <SET <encoding offset value:integer>:set-block \
             | INCRBY <encoding offset \
             increment>:incrby-block>:write-operation>:write>:operation...]",
        )
        .since("3.2.0", Group::Bitmap)
        .complexity("O(1) for each operation")
        .flags(&[WRITE, DENYOOM])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE, VARIABLE_FLAGS])
            .note("Reads and writes, depending on the operations.")])
        .find_keys(find_keys::bitfield),
    Command::new("bitfield_ro", -2, bitfield_ro)
        .summary("Reads integers of any width within a string.")
        .syntax("key [GET <encoding offset>:get-block]...")
        .since("6.0.0", Group::Bitmap)
        .complexity("O(1) for each operation")
        .flags(&[READONLY, FAST])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("bitop", -4, bitop)
        .summary("Combines strings bit by bit and stores the result.")
        .syntax("<AND | OR | XOR | NOT>:operation destkey key...")
        .since("2.6.0", Group::Bitmap)
        .complexity("O(N), N bytes of all strings")
        .flags(&[WRITE, DENYOOM])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(2, &[OW, UPDATE]), KeySpec::range(3, -1, 1, &[RO, ACCESS])]),
    Command::new("bitpos", -3, bitpos)
        .summary("Finds the first bit of a string, or of a part of it, that is set or clear.")
        .syntax("key bit [start [end [BYTE | BIT]:unit@7.0.0]:end-unit-block]:range")
        .since("2.8.7", Group::Bitmap)
        .complexity("O(N), N bytes searched")
        .flags(&[READONLY])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("getbit", 3, getbit)
        .summary("Gives one bit of a string.")
        .syntax("key offset")
        .since("2.2.0", Group::Bitmap)
        .complexity("O(1)")
        .flags(&[READONLY, FAST])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])]),
    Command::new("setbit", 4, setbit)
        .summary("Sets or clears one bit of a string and gives the old one.")
        .syntax("key offset value:integer")
        .since("2.2.0", Group::Bitmap)
        .complexity("O(1)")
        .flags(&[WRITE, DENYOOM])
        .categories(&[BITMAP])
        .keys(&[KeySpec::key(1, &[RW, ACCESS, UPDATE])]),
];
