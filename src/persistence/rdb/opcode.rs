//! The bytes of an RDB file that are no types of values, and the names of all types for messages.

/// What the file begins with, before four digits of version.
pub(super) const SIGNATURE: &[u8] = b"REDIS";
/// Bytes of signature and version.
pub(super) const HEADER_BYTES: u64 = 9;
/// Files of this version and later end with a checksum.
pub(super) const CHECKSUM_SINCE: u16 = 5;

/// A slot, how many of its keys follow, and how many of them expire (Redis 7.4).
pub(super) const SLOT_INFO: u8 = 244;
/// A function library (Redis: RDB_OPCODE_FUNCTION2).
pub(super) const FUNCTION: u8 = 245;
/// The same in the form of a release candidate, which nobody reads.
pub(super) const FUNCTION_PRE_GA: u8 = 246;
/// Data of a module beside the keys.
pub(super) const MODULE_AUX: u8 = 247;
/// Seconds since the next key was used.
pub(super) const IDLE: u8 = 248;
/// How often the next key was used.
pub(super) const FREQ: u8 = 249;
/// A fact about the file: name and value.
pub(super) const AUX: u8 = 250;
/// How many keys follow, and how many of them expire.
pub(super) const RESIZE_DB: u8 = 251;
/// When the next key expires, in milliseconds.
pub(super) const EXPIRE_MS: u8 = 252;
/// When the next key expires, in seconds.
pub(super) const EXPIRE_S: u8 = 253;
/// Keys of this database follow.
pub(super) const SELECT_DB: u8 = 254;
/// The end.
pub(super) const EOF: u8 = 255;

/// Which values a type byte stands for in files of Redis 7.4 and before; `None` for bytes that mean
/// nothing (Redis: RDB_TYPE_*).
pub(super) fn type_name(byte: u8) -> Option<&'static str> {
    Some(match byte {
        0 => "string",
        1 | 10 | 14 | 18 => "list",
        2 | 11 | 20 => "set",
        3 | 5 | 12 | 17 => "sorted set",
        4 | 9 | 13 | 16 | 22..=25 => "hash",
        6 | 7 => "module type",
        15 | 19 | 21 => "stream",
        _ => return None,
    })
}

/// The name that a module's id stands for: nine characters of six bits, the version below them.
pub fn module_name(id: u64) -> String {
    const CHARACTERS: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    (0..9).rev().map(|place| CHARACTERS[(id >> (10 + 6 * place)) as usize % 64] as char).collect()
}
