//! The RDB encoding of values and of whole files, byte compatible with Redis. `value` is the one
//! place that knows all types; below it are strings, lengths and the compression that strings use,
//! beside it the file's writer and reader. Nothing here trusts a length that it reads: memory is
//! taken for what has arrived, or what that can at most become.

mod length;
mod lzf;
mod opcode;
pub mod reader;
mod stream;
mod string;
pub mod value;
pub mod writer;

#[cfg(test)]
mod tests;

use std::fmt;

/// The newest version of the encoding that is understood (Redis 7.2: RDB_VERSION).
pub const VERSION_MAX: u16 = 11;

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
}
