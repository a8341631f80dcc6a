//! Ways to keys other than by name: KEYS, SCAN, RANDOMKEY. Their declarations are in `keys`. The
//! keyspace decides how far one SCAN goes; nothing here keeps state between calls.

use crate::base::{glob, numbers};
use crate::dispatch::{Context, Cursor};
use crate::resp::Error;
use crate::value::Type;

/// The pattern of everything, which need not be compared.
const ANY: &[u8] = b"*";

/// KEYS pattern
pub(super) fn keys(ctx: &mut Context<'_>) -> Result<(), Error> {
    let pattern = ctx.args.at(1);
    let (keyspace, reply) = (&ctx.core.keyspace, &mut ctx.client.reply);
    let begun = reply.array_deferred();
    let mut found = 0;
    for record in keyspace.iter(ctx.client.db) {
        let key = record.key();
        if (pattern == ANY || glob::matches(pattern, key)) && !keyspace.is_expired(record) {
            reply.bulk(key);
            found += 1;
        }
    }
    reply.end(begun, found);
    Ok(())
}

/// RANDOMKEY
pub(super) fn randomkey(ctx: &mut Context<'_>) -> Result<(), Error> {
    match ctx.core.keyspace.random_key(ctx.client.db) {
        Some(key) => ctx.client.reply.bulk(&key),
        None => ctx.client.reply.null(),
    }
    Ok(())
}

/// Which types SCAN shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shown {
    All,
    /// TYPE. A name that no type has shows nothing, and is no error.
    Only(Option<Type>),
}

#[derive(Clone, Copy, Debug)]
struct Options<'a> {
    pattern: &'a [u8],
    /// Keys to visit, about.
    count: usize,
    shown: Shown,
}

/// The options of HSCAN and its kin.
#[derive(Clone, Copy, Debug)]
pub(super) struct ElementOptions<'a> {
    pattern: &'a [u8],
    /// Elements to visit, about.
    pub(super) count: usize,
}

impl<'a> ElementOptions<'a> {
    pub(super) fn parse(cursor: Cursor<'a>) -> Result<Self, Error> {
        let Options { pattern, count, shown } = Options::parse(cursor)?;
        // TYPE is for keys.
        if shown == Shown::All { Ok(ElementOptions { pattern, count }) } else { Err(Error::Syntax) }
    }

    /// Whether the pattern admits this element.
    pub(super) fn admit(&self, element: &[u8]) -> bool {
        self.pattern == ANY || glob::matches(self.pattern, element)
    }
}

/// A cursor as SCAN and its kin take it.
pub(super) fn parse_cursor(arg: &[u8]) -> Result<u64, Error> {
    numbers::parse_cursor(arg).ok_or_else(|| Error::err("invalid cursor"))
}

impl<'a> Options<'a> {
    fn parse(mut cursor: Cursor<'a>) -> Result<Self, Error> {
        let mut options = Options { pattern: ANY, count: 10, shown: Shown::All };
        while cursor.remaining() > 0 {
            if cursor.take_word("COUNT") {
                let count = cursor.expect_i64()?;
                options.count =
                    usize::try_from(count).ok().filter(|&n| n > 0).ok_or(Error::Syntax)?;
            } else if cursor.take_word("MATCH") {
                options.pattern = cursor.expect()?;
            } else if cursor.take_word("TYPE") {
                options.shown = Shown::Only(Type::from_name(cursor.expect()?));
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }
}

/// Keys one after another in one buffer.
#[derive(Default)]
struct Collected {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Collected {
    fn push(&mut self, key: &[u8]) {
        self.bytes.extend_from_slice(key);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(&0).chain(&self.ends);
        starts.zip(&self.ends).map(|(&start, &end)| &self.bytes[start..end])
    }
}

/// SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]
pub(super) fn scan(ctx: &mut Context<'_>) -> Result<(), Error> {
    let cursor = parse_cursor(ctx.args.at(1))?;
    let Options { pattern, count, shown } = Options::parse(ctx.cursor(2))?;
    let db = ctx.client.db;
    let keyspace = &mut ctx.core.keyspace;
    let (mut found, mut expired) = (Collected::default(), Collected::default());
    let next = keyspace.scan(db, cursor, count, |record| {
        let key = record.key();
        if pattern != ANY && !glob::matches(pattern, key) {
            return;
        }
        if keyspace.is_expired(record) {
            expired.push(key);
        } else if shown == Shown::All || shown == Shown::Only(Some(record.kind())) {
            found.push(key);
        }
    });
    for key in expired.iter() {
        let key = keyspace.key(key);
        keyspace.expire_if_needed(db, &key);
    }
    let reply = &mut ctx.client.reply;
    reply.array(2);
    reply.bulk(itoa::Buffer::new().format(next).as_bytes());
    reply.array(found.ends.len());
    found.iter().for_each(|key| reply.bulk(key));
    Ok(())
}
