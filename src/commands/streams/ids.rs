//! Ids of stream entries as arguments and in replies, and entries in replies.

use super::super::typed::reply_element;
use crate::base::numbers;
use crate::resp::{Error, Reply};
use crate::value::stream::{Entry, Id, NewId};

/// Longer arguments are no ids.
const ID_BYTES_MAX: usize = 127;

fn invalid() -> Error {
    Error::err("Invalid stream ID specified as stream command argument")
}

/// Both halves of an id, as text; the second may be missing.
fn halves(arg: &[u8]) -> Option<(&[u8], Option<&[u8]>)> {
    if arg.len() > ID_BYTES_MAX {
        return None;
    }
    // As for the C string that Redis makes of it.
    let text = arg.split(|&byte| byte == 0).next().unwrap_or_default();
    Some(match text.iter().position(|&byte| byte == b'-') {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    })
}

/// An id without its second half has this one instead.
fn parse(arg: &[u8], missing_seq: u64) -> Option<Id> {
    let (ms, seq) = halves(arg)?;
    let ms = numbers::parse_u64(ms)?;
    let seq = seq.map_or(Some(missing_seq), numbers::parse_u64)?;
    Some(Id { ms, seq })
}

/// An id; `-` and `+` are none.
pub(super) fn parse_strict(arg: &[u8]) -> Result<Id, Error> {
    try_parse(arg).ok_or_else(invalid)
}

/// As [`parse_strict`], where something else may stand.
pub(super) fn try_parse(arg: &[u8]) -> Option<Id> {
    parse(arg, 0)
}

/// All arguments as ids.
pub(super) fn parse_all<'a>(args: impl Iterator<Item = &'a [u8]>) -> Result<Vec<Id>, Error> {
    args.map(parse_strict).collect()
}

/// An id or an end of all ids.
pub(super) fn parse_any(arg: &[u8], missing_seq: u64) -> Result<Id, Error> {
    match arg.split(|&byte| byte == 0).next() {
        Some(b"-") => Ok(Id::MIN),
        Some(b"+") => Ok(Id::MAX),
        _ => parse(arg, missing_seq).ok_or_else(invalid),
    }
}

/// The id of an entry that is to be added: `ms-*` asks for the next one of that time.
pub(super) fn parse_new(arg: &[u8]) -> Result<NewId, Error> {
    match halves(arg).ok_or_else(invalid)? {
        (ms, Some(b"*")) => numbers::parse_u64(ms).map(NewId::At).ok_or_else(invalid),
        _ => parse_strict(arg).map(NewId::Given),
    }
}

/// The first id of an interval, which `(` excludes.
pub(super) fn parse_start(arg: &[u8]) -> Result<Id, Error> {
    match arg {
        [b'(', rest @ ..] if !rest.is_empty() => {
            let id = parse(rest, 0).ok_or_else(invalid)?;
            id.next().ok_or_else(|| Error::err("invalid start ID for the interval"))
        }
        _ => parse_any(arg, 0),
    }
}

/// The last id of an interval, which `(` excludes.
pub(super) fn parse_end(arg: &[u8]) -> Result<Id, Error> {
    match arg {
        [b'(', rest @ ..] if !rest.is_empty() => {
            let id = parse(rest, u64::MAX).ok_or_else(invalid)?;
            id.prev().ok_or_else(|| Error::err("invalid end ID for the interval"))
        }
        _ => parse_any(arg, u64::MAX),
    }
}

#[inline]
pub(super) fn reply_id(reply: &mut Reply, id: Id) {
    reply.bulk(&id.text());
}

/// An entry's id, and its fields and values by turns.
pub(super) fn reply_entry(reply: &mut Reply, entry: &Entry<'_>) {
    reply.array(2);
    reply_id(reply, entry.id);
    reply.array(2 * entry.len());
    for (field, value) in entry.fields() {
        reply_element(reply, field);
        reply_element(reply, value);
    }
}

/// An array of at most so many entries; 0 for all.
pub(super) fn reply_entries<'a>(
    reply: &mut Reply,
    entries: impl Iterator<Item = Entry<'a>>,
    count: usize,
) {
    let begun = reply.array_deferred();
    let mut given = 0;
    for entry in entries {
        reply_entry(reply, &entry);
        given += 1;
        if given == count {
            break;
        }
    }
    reply.end(begun, given);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: u64, seq: u64) -> Option<Id> {
        Some(Id { ms, seq })
    }

    #[test]
    fn ids_are_read_as_redis_does() {
        assert_eq!(parse_strict(b"5").ok(), id(5, 0));
        assert_eq!(parse_strict(b"5-7").ok(), id(5, 7));
        assert_eq!(parse_strict(b" 5-+007").ok(), id(5, 7));
        assert_eq!(parse_strict(b"5\0-x").ok(), id(5, 0));
        let most = b"18446744073709551615-18446744073709551615";
        assert_eq!(parse_strict(most).ok(), Some(Id::MAX));
        let refused: [&[u8]; 9] =
            [b"", b"-", b"+", b"5-", b"-5", b"5-6-7", b"x", b"18446744073709551616", b"1-1 "];
        for text in refused {
            assert_eq!(parse_strict(text).ok(), None, "{text:?}");
        }
        let long = [b'0'; ID_BYTES_MAX + 1];
        assert_eq!(parse_strict(&long).ok(), None);
        assert_eq!(parse_strict(&long[1..]).ok(), id(0, 0));
    }

    #[test]
    fn intervals() {
        assert_eq!(parse_start(b"-").ok(), Some(Id::MIN));
        assert_eq!(parse_end(b"+").ok(), Some(Id::MAX));
        assert_eq!(parse_end(b"5").ok(), id(5, u64::MAX));
        assert_eq!(parse_start(b"(5").ok(), id(5, 1));
        assert_eq!(parse_end(b"(5").ok(), id(5, u64::MAX - 1));
        assert_eq!(parse_end(b"(5-0").ok(), id(4, u64::MAX));
        for refused in [&b"("[..], b"(-", b"(+"] {
            assert!(parse_start(refused).is_err());
        }
        assert!(parse_start(b"(18446744073709551615-18446744073709551615").is_err());
        assert!(parse_end(b"(0-0").is_err());
    }

    #[test]
    fn new_ids() {
        assert_eq!(parse_new(b"5-*").ok(), Some(NewId::At(5)));
        assert_eq!(parse_new(b"5").ok(), Some(NewId::Given(Id { ms: 5, seq: 0 })));
        assert!(parse_new(b"5-**").is_err() && parse_new(b"-*").is_err());
        assert!(parse_strict(b"5-*").is_err());
    }
}
