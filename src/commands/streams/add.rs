//! XADD and XTRIM: entries are added at the end of a stream and removed from its beginning.

use super::{changed, ids, stream_mut};
use crate::core::value_limits::of_streams;
use crate::dispatch::{Context, Cursor};
use crate::keyspace::events::EventClass;
use crate::resp::Error;
use crate::value::stream::{Id, Keep, Limits, NewId, Trim};
use crate::value::{NewValue, Stream, Type, Value};

/// Nodes that trimming by nodes removes at most, if nothing is said of that.
const NODES_PER_TRIM: usize = 100;
/// The same in entries, where nodes have no limit.
const ENTRIES_PER_TRIM: u64 = 10_000;
/// The same in entries, where nodes have a great limit.
const ENTRIES_PER_TRIM_MAX: u64 = 1_000_000;

/// The options of XADD and XTRIM.
#[derive(Default)]
struct Options {
    no_mkstream: bool,
    keep: Option<Keep>,
    by_node: bool,
    limit: Option<u64>,
}

impl Options {
    /// Takes one option; whether there was one.
    fn take(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, Error> {
        // An option without its value is no option.
        let has_value = cursor.remaining() > 1;
        if has_value && cursor.take_word("MAXLEN") {
            self.take_operator(cursor)?;
            let len = u64::try_from(cursor.expect_i64()?)
                .map_err(|_| Error::err("The MAXLEN argument must be >= 0."))?;
            self.keep = Some(Keep::Newest(len));
        } else if has_value && cursor.take_word("MINID") {
            self.take_operator(cursor)?;
            self.keep = Some(Keep::From(ids::parse_strict(cursor.expect()?)?));
        } else if has_value && cursor.take_word("LIMIT") {
            let limit = u64::try_from(cursor.expect_i64()?)
                .map_err(|_| Error::err("The LIMIT argument must be >= 0."))?;
            self.limit = Some(limit);
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn take_operator(&mut self, cursor: &mut Cursor<'_>) -> Result<(), Error> {
        if self.keep.is_some() {
            return Err(Error::err(
                "syntax error, MAXLEN and MINID options at the same time are not compatible",
            ));
        }
        let has_value = cursor.remaining() > 1;
        self.by_node = has_value && cursor.take_word("~");
        if has_value && !self.by_node {
            cursor.take_word("=");
        }
        Ok(())
    }

    /// What is to be trimmed. `must` tells whether that must be something.
    fn trim(&self, limits: Limits, must: bool) -> Result<Option<Trim>, Error> {
        if self.limit.is_some_and(|limit| limit > 0) && self.keep.is_none() {
            return Err(Error::err(
                "syntax error, LIMIT cannot be used without specifying a trimming strategy",
            ));
        }
        if must && self.keep.is_none() {
            return Err(Error::err("syntax error, XTRIM must be called with a trimming strategy"));
        }
        if self.limit.is_some() && !self.by_node {
            return Err(Error::err(
                "syntax error, LIMIT cannot be used without the special ~ option",
            ));
        }
        let by_default = match limits.node_entries.saturating_mul(NODES_PER_TRIM) as u64 {
            0 => ENTRIES_PER_TRIM,
            entries => entries.min(ENTRIES_PER_TRIM_MAX),
        };
        let by_default = if self.by_node { by_default } else { 0 };
        let limit = self.limit.unwrap_or(by_default);
        Ok(self.keep.map(|keep| Trim { keep, by_node: self.by_node, limit }))
    }
}

/// What XADD is asked for.
struct Addition {
    id: NewId,
    no_mkstream: bool,
    trim: Option<Trim>,
    /// The argument that is the first field.
    first_field: usize,
}

impl Addition {
    fn parse(ctx: &Context<'_>, limits: Limits) -> Result<Self, Error> {
        let mut cursor = ctx.cursor(2);
        let mut options = Options::default();
        let mut id = NewId::Auto;
        while let Some(word) = cursor.peek() {
            if word == b"*" {
                break;
            }
            if options.take(&mut cursor)? {
                continue;
            }
            if cursor.take_word("NOMKSTREAM") {
                options.no_mkstream = true;
                continue;
            }
            id = ids::parse_new(word)?;
            break;
        }
        let trim = options.trim(limits, false)?;
        let first_field = cursor.position() + 1;
        let parts = ctx.args.len().saturating_sub(first_field);
        if parts == 0 || !parts.is_multiple_of(2) {
            return Err(Error::WrongArity(ctx.command.full_name.into()));
        }
        if id == NewId::Given(Id::MIN) {
            return Err(Error::err("The ID specified in XADD must be greater than 0-0"));
        }
        Ok(Addition { id, no_mkstream: options.no_mkstream, trim, first_field })
    }

    /// The id, if the entry can be added to the stream.
    fn id_for(&self, stream: &Stream, now_ms: u64, bytes: usize) -> Result<Id, Error> {
        if stream.counters().last_id == Id::MAX {
            return Err(Error::err(
                "The stream has exhausted the last possible ID, unable to add more items",
            ));
        }
        let id = stream.new_id(self.id, now_ms).ok_or_else(|| {
            Error::err(
                "The ID specified in XADD is equal or smaller than the target stream top item",
            )
        })?;
        if bytes > Limits::NODE_BYTES_MAX {
            return Err(Error::err("Elements are too large to be stored"));
        }
        Ok(id)
    }
}

/// XADD key [NOMKSTREAM] [MAXLEN | MINID [= | ~] threshold [LIMIT count]] * | id field value
/// [field value …]
pub(in crate::commands) fn xadd(ctx: &mut Context<'_>) -> Result<(), Error> {
    let limits = of_streams(ctx.core);
    let addition = Addition::parse(ctx, limits)?;
    let (key, db, now_ms) = (ctx.key(1), ctx.client.db, ctx.now_ms());
    let parts = ctx.args.iter_from(addition.first_field);
    let bytes = parts.clone().map(<[u8]>::len).sum();
    let keyspace = &mut ctx.core.keyspace;
    let (id, trimmed) = match keyspace.lookup_write(db, &key) {
        Some(record) => {
            let stream = stream_mut(record)?;
            let id = addition.id_for(stream, now_ms, bytes)?;
            stream.append(id, parts, limits);
            (id, addition.trim.map_or(0, |trim| stream.trim(trim)))
        }
        None if addition.no_mkstream => {
            ctx.client.reply.null();
            return Ok(());
        }
        None => {
            let mut stream = Stream::new();
            let id = addition.id_for(&stream, now_ms, bytes)?;
            stream.append(id, parts, limits);
            let trimmed = addition.trim.map_or(0, |trim| stream.trim(trim));
            let value = NewValue::Owned(Value::Stream(Box::new(stream)));
            keyspace.insert(db, &key, value, None);
            (id, trimmed)
        }
    };
    ids::reply_id(&mut ctx.client.reply, id);
    changed(ctx, "xadd", &key, 1);
    if trimmed > 0 {
        ctx.core.keyspace.notify(EventClass::STREAM, "xtrim", db, &key);
    }
    ctx.core.keyspace.signal_ready(db, &key, Type::Stream);
    Ok(())
}

/// XTRIM key MAXLEN | MINID [= | ~] threshold [LIMIT count]
pub(in crate::commands) fn xtrim(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut cursor = ctx.cursor(2);
    let mut options = Options::default();
    while cursor.remaining() > 0 {
        if !options.take(&mut cursor)? {
            return Err(Error::Syntax);
        }
    }
    let Some(trim) = options.trim(of_streams(ctx.core), true)? else { return Ok(()) };
    let key = ctx.key(1);
    let removed = match ctx.core.keyspace.lookup_write(ctx.client.db, &key) {
        Some(record) => stream_mut(record)?.trim(trim),
        None => 0,
    };
    if removed > 0 {
        changed(ctx, "xtrim", &key, removed);
    }
    ctx.client.reply.int(removed as i64);
    Ok(())
}
