//! What Redis says of encoded bytes that were looked at: why they are no value, in the words that
//! it logs, and how many packed encodings a look went through. RESTORE, the loading of files and
//! the check of files ask for it; nothing depends on it.

use std::borrow::Cow;

use super::Corrupt;
use crate::value::list::Repr;
use crate::value::{NewValue, Value};

/// How many packed encodings were looked at to read a value of this type (Redis:
/// stat_dump_payload_sanitizations).
pub fn packed_encodings(value: &NewValue<'_>, type_byte: u8) -> u64 {
    match (type_byte, value) {
        (18, NewValue::Owned(Value::List(list))) => match list.repr() {
            Repr::Listpack(_) => 0,
            Repr::Quicklist(list) => list.nodes().filter(|node| !node.is_plain).count() as u64,
        },
        (_, NewValue::Owned(Value::Stream(stream))) => stream.log().node_count() as u64,
        (11 | 16..=25, _) => 1,
        _ => 0,
    }
}

/// Redis's words for what is wrong with a value of this type.
pub fn reason(corrupt: Corrupt, type_byte: Option<u8>) -> Cow<'static, str> {
    match corrupt {
        Corrupt::Truncated => "Unexpected EOF reading RDB file".into(),
        Corrupt::Length(byte) => {
            format!("Unknown length encoding {} in rdbLoadLen()", byte >> 6).into()
        }
        Corrupt::Encoding(number) => format!("Unknown RDB string encoding type {number}").into(),
        Corrupt::Compression => "Invalid LZF compressed string".into(),
        Corrupt::Type(byte) => format!("Unknown RDB encoding type {byte}").into(),
        Corrupt::Elements => of_elements(type_byte).into(),
        Corrupt::Repeated => of_repeated(type_byte),
        Corrupt::Consumers => "Duplicate stream consumer detected".into(),
        other => other.to_string().into(),
    }
}

/// Where Redis finds out by converting a listpack, it has words of its own.
fn of_repeated(type_byte: Option<u8>) -> Cow<'static, str> {
    let words = of_elements(type_byte);
    match words.strip_suffix('.') {
        Some(words) if words.contains("listpack") => {
            format!("{words}: listpack with dup elements").into()
        }
        _ => words.into(),
    }
}

fn of_elements(type_byte: Option<u8>) -> &'static str {
    match type_byte {
        Some(2) => "Duplicate set members detected",
        Some(3 | 5) => "Duplicate zset fields detected",
        Some(4) => "Duplicate hash fields detected",
        Some(9) => "Zipmap integrity check failed.",
        Some(10) => "List ziplist integrity check failed.",
        Some(11) => "Intset integrity check failed.",
        Some(12) => "Zset ziplist integrity check failed.",
        Some(13) => "Hash ziplist integrity check failed.",
        Some(14) => "Ziplist integrity check failed.",
        Some(15 | 19 | 21) => "Stream listpack integrity check failed.",
        Some(16 | 22..=25) => "Hash listpack integrity check failed.",
        Some(17) => "Zset listpack integrity check failed.",
        Some(18) => "Listpack integrity check failed.",
        Some(20) => "Set listpack integrity check failed.",
        _ => "Value integrity check failed.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_name_the_type() {
        assert_eq!(reason(Corrupt::Elements, Some(16)), "Hash listpack integrity check failed.");
        assert_eq!(
            reason(Corrupt::Repeated, Some(16)),
            "Hash listpack integrity check failed: listpack with dup elements"
        );
        assert_eq!(reason(Corrupt::Repeated, Some(13)), reason(Corrupt::Elements, Some(13)));
        assert_eq!(reason(Corrupt::Type(99), None), "Unknown RDB encoding type 99");
        assert_eq!(reason(Corrupt::Empty, Some(2)), Corrupt::Empty.to_string());
    }
}
