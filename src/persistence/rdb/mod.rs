//! The RDB encoding of values and of whole files, byte compatible with Redis. `value` is the one
//! place that knows all types; below it are strings, lengths and the compression that strings use,
//! beside it the file's writer and reader. Nothing here trusts a length that it reads: memory is
//! taken for what has arrived, or what that can at most become.

mod hash;
mod length;
pub mod library;
mod list;
mod module;
mod opcode;
pub mod reader;
pub mod reason;
mod set;
mod stream;
mod stream_value;
mod string;
pub mod value;
pub mod writer;
mod ziplist;
mod zipmap;
mod zset;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

pub use opcode::module_name;

use crate::base::lzf;
use crate::value::hash::Limits as HashLimits;
use crate::value::list::Limits as ListLimits;
use crate::value::set::Limits as SetLimits;
use crate::value::zset::Limits as ZsetLimits;

/// The version of files, unless something in them needs a newer one (Redis 7.2: RDB_VERSION).
pub const VERSION: u16 = 11;
/// The version that fields of hashes which expire need (Redis 7.4: RDB_VERSION).
pub const VERSION_FIELD_EXPIRY: u16 = 12;
/// The newest version of the encoding that is understood.
pub const VERSION_MAX: u16 = VERSION_FIELD_EXPIRY;

/// Why encoded bytes are no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corrupt {
    /// They end too early.
    Truncated,
    /// No length begins with this byte.
    Length(u8),
    /// A length where a string is encoded in this other way, which does not exist.
    Encoding(u8),
    /// A compressed string does not become what is announced.
    Compression,
    /// A string is longer than it may be.
    TooLong,
    /// A type that does not exist, or that this node does not have.
    Type(u8),
    /// A value without elements.
    Empty,
    /// The elements of a value are packed in a way that is not right, or do not fit together.
    Elements,
    /// An element of a packed value is there twice.
    Repeated,
    /// A stream's group has a consumer twice.
    Consumers,
}

impl fmt::Display for Corrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Corrupt::Truncated => f.write_str("the value is not complete"),
            Corrupt::Length(byte) => write!(f, "unknown length encoding {byte}"),
            Corrupt::Encoding(number) => write!(f, "unknown string encoding {number}"),
            Corrupt::Compression => f.write_str("invalid LZF compressed string"),
            Corrupt::TooLong => f.write_str("a string is too long"),
            Corrupt::Type(byte) => write!(f, "unknown type {byte}"),
            Corrupt::Empty => f.write_str("a value is empty"),
            Corrupt::Elements => f.write_str("the elements of a value are damaged"),
            Corrupt::Repeated => f.write_str("an element is there twice"),
            Corrupt::Consumers => f.write_str("a consumer is there twice"),
        }
    }
}

impl std::error::Error for Corrupt {}

/// Where encoded bytes come from.
pub trait Source {
    /// The next `count` bytes. Where so many do not follow, this fails before it takes memory for
    /// more than there are.
    fn take(&mut self, count: u64) -> Result<&[u8], Corrupt>;

    /// The next byte.
    fn take_byte(&mut self) -> Result<u8, Corrupt> {
        self.take(1).map(|bytes| bytes[0])
    }

    /// The `unpacked` bytes that the next `packed` ones are compressed from.
    fn unpack(&mut self, packed: u64, unpacked: u64) -> Result<Cow<'_, [u8]>, Corrupt> {
        let bytes = lzf::decompress(self.take(packed)?, unpacked);
        bytes.map(Cow::Owned).map_err(|lzf::Invalid| Corrupt::Compression)
    }
}

/// Bytes that are all there.
impl Source for &[u8] {
    fn take(&mut self, count: u64) -> Result<&[u8], Corrupt> {
        let count = usize::try_from(count).map_err(|_| Corrupt::Truncated)?;
        let (taken, rest) = self.split_at_checked(count).ok_or(Corrupt::Truncated)?;
        *self = rest;
        Ok(taken)
    }
}

/// What a writer may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteOptions {
    /// Long strings are compressed where that makes them shorter (rdbcompression).
    pub compress: bool,
}

/// What a reader accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadLimits {
    /// Longest string, so that a short payload cannot unfold into one of many times its size.
    pub string_bytes_max: usize,
    /// Whether a packed set may have a member twice: Redis takes it, unless it is told to look.
    pub repeats: bool,
    /// Up to where a set is something smaller than a hash table.
    pub set: SetLimits,
    /// Up to where a hash is a listpack.
    pub hash: HashLimits,
    /// How lists are cut into nodes.
    pub list: ListLimits,
    /// Up to where a sorted set is a listpack.
    pub zset: ZsetLimits,
}

impl ReadLimits {
    /// What Redis's directives are without a configuration, and strings of any length.
    pub const DEFAULT: ReadLimits = ReadLimits {
        string_bytes_max: usize::MAX,
        repeats: false,
        set: SetLimits::DEFAULT,
        hash: HashLimits::DEFAULT,
        list: ListLimits::DEFAULT,
        zset: ZsetLimits::DEFAULT,
    };
}
