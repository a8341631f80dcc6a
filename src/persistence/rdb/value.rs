//! Values with the byte that tells their type. The only place that lists types: one more of them is
//! an arm in each `match` of this file.

use super::list;
use super::stream_value::Form;
use super::string::{self, Text};
use super::{Corrupt, ReadLimits, Source, WriteOptions, hash, set, stream_value, zset};
use super::{VERSION, VERSION_FIELD_EXPIRY};
use crate::base::limits::RECORD_INLINE_BYTES_MAX;
use crate::value::{self, Hash, List, NewValue, Set, Stream, Value, ValueRef, Zset};

/// How a value is encoded: the byte in front of it (Redis: RDB_TYPE_STRING and following).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    String = 0,
    /// A list, a string per element.
    List = 1,
    ListZiplist = 10,
    /// A list of ziplists.
    ListQuicklist = 14,
    /// A list of listpacks and plain elements.
    ListQuicklist2 = 18,
    Set = 2,
    SetIntset = 11,
    SetListpack = 20,
    Hash = 4,
    HashZipmap = 9,
    HashZiplist = 13,
    HashListpack = 16,
    /// A stream without what was ever added and removed.
    Stream = 15,
    /// A stream that does not tell when consumers were active.
    Stream2 = 19,
    Stream3 = 21,
    /// A sorted set whose scores are text.
    Zset = 3,
    /// A sorted set whose scores are binary.
    Zset2 = 5,
    ZsetZiplist = 12,
    ZsetListpack = 17,
    /// A hash with fields that expire.
    HashMetadata = 24,
    /// The same as a listpack.
    HashListpackEx = 25,
}

impl Encoding {
    fn of(value: ValueRef<'_>) -> Encoding {
        match value {
            ValueRef::Int(_) | ValueRef::String(_) => Encoding::String,
            ValueRef::List(_) => Encoding::ListQuicklist2,
            ValueRef::Set(set) => match set.encoding() {
                value::Encoding::Intset => Encoding::SetIntset,
                value::Encoding::Listpack => Encoding::SetListpack,
                _ => Encoding::Set,
            },
            ValueRef::Hash(hash) => {
                let expires = hash.next_expiry().is_some();
                match hash.encoding() {
                    value::Encoding::Hashtable if expires => Encoding::HashMetadata,
                    value::Encoding::Hashtable => Encoding::Hash,
                    _ if expires => Encoding::HashListpackEx,
                    _ => Encoding::HashListpack,
                }
            }
            ValueRef::Stream(_) => Encoding::Stream3,
            ValueRef::Zset(zset) if zset.listpack().is_some() => Encoding::ZsetListpack,
            ValueRef::Zset(_) => Encoding::Zset2,
        }
    }

    fn from_byte(byte: u8) -> Option<Encoding> {
        match byte {
            0 => Some(Encoding::String),
            1 => Some(Encoding::List),
            10 => Some(Encoding::ListZiplist),
            14 => Some(Encoding::ListQuicklist),
            18 => Some(Encoding::ListQuicklist2),
            2 => Some(Encoding::Set),
            11 => Some(Encoding::SetIntset),
            20 => Some(Encoding::SetListpack),
            4 => Some(Encoding::Hash),
            9 => Some(Encoding::HashZipmap),
            13 => Some(Encoding::HashZiplist),
            16 => Some(Encoding::HashListpack),
            15 => Some(Encoding::Stream),
            19 => Some(Encoding::Stream2),
            21 => Some(Encoding::Stream3),
            3 => Some(Encoding::Zset),
            5 => Some(Encoding::Zset2),
            12 => Some(Encoding::ZsetZiplist),
            17 => Some(Encoding::ZsetListpack),
            24 => Some(Encoding::HashMetadata),
            25 => Some(Encoding::HashListpackEx),
            _ => None,
        }
    }

    /// The oldest version that has it, and a payload's footer: DUMP came with version 6.
    fn version_min(self) -> u16 {
        match self {
            Encoding::String
            | Encoding::List
            | Encoding::ListZiplist
            | Encoding::Set
            | Encoding::SetIntset
            | Encoding::Hash
            | Encoding::HashZipmap
            | Encoding::HashZiplist
            | Encoding::Zset
            | Encoding::ZsetZiplist => 6,
            Encoding::ListQuicklist => 7,
            Encoding::Zset2 => 8,
            Encoding::Stream => 9,
            Encoding::ListQuicklist2
            | Encoding::HashListpack
            | Encoding::ZsetListpack
            | Encoding::Stream2 => 10,
            Encoding::SetListpack | Encoding::Stream3 => VERSION,
            Encoding::HashMetadata | Encoding::HashListpackEx => VERSION_FIELD_EXPIRY,
        }
    }
}

/// Whether values of this type byte can be read.
pub(super) fn is_type(byte: u8) -> bool {
    Encoding::from_byte(byte).is_some()
}

/// The lowest RDB version that can express a value.
pub fn version_min(value: ValueRef<'_>) -> u16 {
    Encoding::of(value).version_min()
}

/// Appends a value's type and the value.
pub fn write(out: &mut Vec<u8>, value: ValueRef<'_>, options: WriteOptions) {
    out.push(type_byte(value));
    write_body(out, value, options);
}

/// The byte that tells a value's type.
pub(super) fn type_byte(value: ValueRef<'_>) -> u8 {
    Encoding::of(value) as u8
}

/// Appends a value without its type.
pub(super) fn write_body(out: &mut Vec<u8>, value: ValueRef<'_>, options: WriteOptions) {
    match value {
        ValueRef::Int(number) => string::write_int(out, number),
        ValueRef::String(text) => string::write(out, text, options),
        ValueRef::List(list) => list::write(out, list, options),
        ValueRef::Set(members) => set::write(out, members, options),
        ValueRef::Hash(fields) => hash::write(out, fields, options),
        ValueRef::Stream(stream) => stream_value::write(out, stream, options),
        ValueRef::Zset(members) => zset::write(out, members, options),
    }
}

/// Reads a value's type and the value. `scratch` is where it is unpacked to, if it is short and
/// packed.
pub fn read<'a>(
    source: &'a mut impl Source,
    scratch: &'a mut Vec<u8>,
    limits: ReadLimits,
) -> Result<NewValue<'a>, Corrupt> {
    let byte = source.take_byte()?;
    read_body(byte, source, scratch, limits)
}

/// Reads a value whose type was read already.
pub(super) fn read_body<'a>(
    byte: u8,
    source: &'a mut impl Source,
    scratch: &'a mut Vec<u8>,
    limits: ReadLimits,
) -> Result<NewValue<'a>, Corrupt> {
    match Encoding::from_byte(byte).ok_or(Corrupt::Type(byte))? {
        Encoding::String => Ok(match string::read(source, limits)? {
            Text::Int(number) => NewValue::Int(number),
            Text::Borrowed(text) => NewValue::from_bytes(text),
            Text::Owned(text) if text.len() > RECORD_INLINE_BYTES_MAX => {
                NewValue::Owned(Value::String(text))
            }
            Text::Owned(text) => {
                *scratch = text;
                NewValue::from_bytes(scratch)
            }
        }),
        Encoding::List => list::read_strings(source, limits).map(of_list),
        Encoding::ListZiplist => list::read_ziplist(source, limits).map(of_list),
        Encoding::ListQuicklist => list::read_ziplists(source, limits).map(of_list),
        Encoding::ListQuicklist2 => list::read_nodes(source, limits).map(of_list),
        Encoding::Set => set::read_members(source, limits).map(owned_set),
        Encoding::SetIntset => set::read_intset(source, limits).map(owned_set),
        Encoding::SetListpack => set::read_listpack(source, limits).map(owned_set),
        Encoding::Hash => hash::read_fields(source, limits).map(owned_hash),
        Encoding::HashZipmap => hash::read_zipmap(source, limits).map(owned_hash),
        Encoding::HashZiplist => hash::read_ziplist(source, limits).map(owned_hash),
        Encoding::HashListpack => hash::read_listpack(source, limits).map(owned_hash),
        Encoding::Stream => stream_value::read(source, limits, Form::Entries).map(owned_stream),
        Encoding::Stream2 => stream_value::read(source, limits, Form::Counters).map(owned_stream),
        Encoding::Stream3 => {
            stream_value::read(source, limits, Form::ActiveTimes).map(owned_stream)
        }
        Encoding::Zset => zset::read_texts(source, limits).map(of_zset),
        Encoding::Zset2 => zset::read_doubles(source, limits).map(of_zset),
        Encoding::ZsetZiplist => zset::read_ziplist(source, limits).map(of_zset),
        Encoding::ZsetListpack => zset::read_listpack(source, limits).map(of_zset),
        Encoding::HashMetadata => hash::read_expiring(source, limits).map(owned_hash),
        Encoding::HashListpackEx => hash::read_triplets(source, limits).map(owned_hash),
    }
}

fn owned_hash(hash: Hash) -> NewValue<'static> {
    NewValue::Owned(Value::Hash(hash))
}

fn owned_stream(stream: Stream) -> NewValue<'static> {
    NewValue::Owned(Value::Stream(Box::new(stream)))
}

fn owned_set(set: Set) -> NewValue<'static> {
    NewValue::Owned(Value::Set(set))
}

fn of_list(list: List) -> NewValue<'static> {
    NewValue::Owned(Value::List(list))
}

fn of_zset(zset: Zset) -> NewValue<'static> {
    NewValue::Owned(Value::Zset(zset))
}
