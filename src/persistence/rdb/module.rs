//! Data of modules: numbers and strings, each with its kind in front, so that they can be skipped
//! without the module. Called by `reader`. Nothing here keeps anything.

use super::{Corrupt, ReadLimits, Source, length, string};

/// The type byte of a module's value, and of one in the form before there were kinds.
pub(super) const VALUE: u8 = 7;
pub(super) const VALUE_PRE_RELEASE: u8 = 6;

/// Kinds (Redis: RDB_MODULE_OPCODE_EOF and following).
const END: u64 = 0;
const SIGNED: u64 = 1;
pub(super) const UNSIGNED: u64 = 2;
const FLOAT: u64 = 3;
const DOUBLE: u64 = 4;
const STRING: u64 = 5;

/// Reads up to the end of a module's data. A kind that does not exist has no data of its own, as in
/// Redis.
pub(super) fn skip(source: &mut impl Source, limits: ReadLimits) -> Result<(), Corrupt> {
    loop {
        match length::read_plain(source)? {
            END => return Ok(()),
            SIGNED | UNSIGNED => _ = length::read_plain(source)?,
            FLOAT => _ = source.take(4)?,
            DOUBLE => _ = source.take(8)?,
            STRING => _ = string::read(source, limits)?,
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_skipped() {
        let data = b"\x01\x05\x02\x40\xff\x03abcd\x04abcdefgh\x05\x03xyz\x05\xc0\x07\x06\0rest";
        let mut rest = &data[..];
        assert_eq!(skip(&mut rest, ReadLimits::DEFAULT), Ok(()));
        assert_eq!(rest, b"rest");
        for cut in 0..data.len() - 5 {
            let cut_off = skip(&mut &data[..cut], ReadLimits::DEFAULT);
            assert_eq!(cut_off, Err(Corrupt::Truncated), "{cut}");
        }
    }
}
