//! XGROUP and XACK: consumer groups, their consumers, and what these have done with.

use super::{changed_quietly, ids, no_group, show, stream_mut, stream_of};
use crate::dispatch::{Context, Cursor};
use crate::keyspace::Key;
use crate::resp::Error;
use crate::value::stream::{ConsumerId, Group, Id};
use crate::value::{NewValue, Stream, Type, Value};

/// XACK key group id [id …]
pub(in crate::commands) fn xack(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, db, name) = (ctx.key(1), ctx.client.db, ctx.args.at(2));
    let exists = match ctx.core.keyspace.lookup_read(db, &key) {
        Some(record) => stream_of(record)?.group(name).is_some(),
        None => false,
    };
    let mut acknowledged = 0;
    if exists {
        let ids = ids::parse_all(ctx.args.iter_from(3))?;
        if let Some(record) = ctx.core.keyspace.edit(db, &key)
            && let Some((group, _, _)) = stream_mut(record)?.group_mut(name)
        {
            acknowledged = ids.into_iter().filter(|&id| group.remove_pending(id)).count();
        }
    }
    ctx.core.keyspace.dirty += acknowledged as u64;
    ctx.client.reply.int(acknowledged as i64);
    Ok(())
}

/// The options of XGROUP CREATE and SETID.
#[derive(Default)]
struct Options {
    mkstream: bool,
    entries_read: Option<i64>,
}

impl Options {
    fn parse(ctx: &Context<'_>, mut cursor: Cursor<'_>, creates: bool) -> Result<Self, Error> {
        let mut options = Options::default();
        while cursor.remaining() > 0 {
            if creates && cursor.take_word("MKSTREAM") {
                options.mkstream = true;
            } else if cursor.remaining() > 1 && cursor.take_word("ENTRIESREAD") {
                options.entries_read = match cursor.expect_i64()? {
                    -1 => None,
                    read @ 0.. => Some(read),
                    _ => {
                        return Err(Error::err("value for ENTRIESREAD must be positive or -1"));
                    }
                };
            } else {
                return Err(syntax(ctx));
            }
        }
        Ok(options)
    }
}

fn syntax(ctx: &Context<'_>) -> Error {
    Error::subcommand_syntax("xgroup", ctx.args.at(1))
}

fn no_key() -> Error {
    Error::err(
        "The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use \
         the MKSTREAM option to create an empty stream automatically.",
    )
}

/// The stream at the key, which must be there.
fn existing<'c>(ctx: &'c mut Context<'_>, key: &Key<'_>) -> Result<&'c mut Stream, Error> {
    match ctx.core.keyspace.lookup_write(ctx.client.db, key) {
        Some(record) => stream_mut(record),
        None => Err(no_key()),
    }
}

/// The group that the third argument names, of the stream at the key; both must be there.
fn existing_group<'c>(ctx: &'c mut Context<'_>, key: &Key<'_>) -> Result<&'c mut Group, Error> {
    let name = ctx.args.at(3);
    let stream = existing(ctx, key)?;
    stream.group_mut(name).map(|(group, _, _)| group).ok_or_else(|| no_group(name, key))
}

/// XGROUP CREATE key group id | $ [MKSTREAM] [ENTRIESREAD entries-read]
pub(in crate::commands) fn xgroup_create(ctx: &mut Context<'_>) -> Result<(), Error> {
    /// Arguments with every option.
    const ARGS_MAX: usize = 8;
    let options = Options::parse(ctx, ctx.cursor(5), true)?;
    let (key, db, name, id) = (ctx.key(2), ctx.client.db, ctx.args.at(3), ctx.args.at(4));
    let too_many = ctx.args.len() > ARGS_MAX;
    let syntax = syntax(ctx);
    let busy = || Error::Custom("BUSYGROUP Consumer Group name already exists".into());
    let group_from = |last_id: Id| match id {
        _ if too_many => Err(syntax.clone()),
        b"$" => Ok(Group::new(last_id, options.entries_read)),
        _ => Ok(Group::new(ids::parse_strict(id)?, options.entries_read)),
    };
    match ctx.core.keyspace.lookup_write(db, &key) {
        Some(record) => {
            let stream = stream_mut(record)?;
            let group = group_from(stream.counters().last_id)?;
            if !stream.create_group(name, group) {
                return Err(busy());
            }
        }
        None if options.mkstream => {
            let mut stream = Stream::new();
            stream.create_group(name, group_from(Id::MIN)?);
            let value = NewValue::Owned(Value::Stream(Box::new(stream)));
            ctx.core.keyspace.insert(db, &key, value, None);
        }
        None => return Err(no_key()),
    }
    ctx.client.reply.ok();
    changed_quietly(ctx, "xgroup-create", &key, 1);
    Ok(())
}

/// XGROUP SETID key group id | $ [ENTRIESREAD entries-read]
pub(in crate::commands) fn xgroup_setid(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = Options::parse(ctx, ctx.cursor(5), false)?;
    let (key, name, id) = (ctx.key(2), ctx.args.at(3), ctx.args.at(4));
    let (args, syntax) = (ctx.args.len(), syntax(ctx));
    let stream = existing(ctx, &key)?;
    let Some((group, _, counters)) = stream.group_mut(name) else {
        return Err(no_group(name, &key));
    };
    if args != 5 && args != 7 {
        return Err(syntax);
    }
    group.last_id = if id == b"$" { counters.last_id } else { ids::parse_any(id, 0)? };
    group.entries_read = options.entries_read;
    ctx.client.reply.ok();
    changed_quietly(ctx, "xgroup-setid", &key, 1);
    Ok(())
}

/// XGROUP DESTROY key group
pub(in crate::commands) fn xgroup_destroy(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, name) = (ctx.key(2), ctx.args.at(3));
    let removed = existing(ctx, &key)?.remove_group(name);
    ctx.client.reply.int(removed.is_some().into());
    if let Some(group) = removed {
        ctx.core.keyspace.discard(Value::Stream(Box::new(group)));
        changed_quietly(ctx, "xgroup-destroy", &key, 1);
        // Whoever waits for entries of the group is to know.
        ctx.core.keyspace.signal_ready(ctx.client.db, &key, Type::Stream);
    }
    Ok(())
}

/// XGROUP CREATECONSUMER key group consumer
pub(in crate::commands) fn xgroup_createconsumer(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, name, now) = (ctx.key(2), ctx.args.at(4), ctx.now_ms() as i64);
    let created = existing_group(ctx, &key)?.create_consumer(name, now).is_some();
    ctx.client.reply.int(created.into());
    if created {
        changed_quietly(ctx, "xgroup-createconsumer", &key, 1);
    }
    Ok(())
}

/// XGROUP DELCONSUMER key group consumer
pub(in crate::commands) fn xgroup_delconsumer(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (key, name) = (ctx.key(2), ctx.args.at(4));
    let removed = existing_group(ctx, &key)?.remove_consumer(name);
    ctx.client.reply.int(removed.unwrap_or(0) as i64);
    if removed.is_some() {
        changed_quietly(ctx, "xgroup-delconsumer", &key, 1);
    }
    Ok(())
}

/// XGROUP HELP
pub(in crate::commands) fn xgroup_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "XGROUP",
        &[
            "CREATE <key> <groupname> <id|$> [option]",
            "    Create a new consumer group. Options are:",
            "    * MKSTREAM",
            "      Create the empty stream if it does not exist.",
            "    * ENTRIESREAD entries_read",
            "      Set the group's entries_read counter (internal use).",
            "CREATECONSUMER <key> <groupname> <consumer>",
            "    Create a new consumer in the specified group.",
            "DELCONSUMER <key> <groupname> <consumer>",
            "    Remove the specified consumer.",
            "DESTROY <key> <groupname>",
            "    Remove the specified group.",
            "SETID <key> <groupname> <id|$> [ENTRIESREAD entries_read]",
            "    Set the current group ID and entries_read counter.",
        ],
    );
    Ok(())
}

/// A group that a command needs and did not find (Redis's words of most commands).
pub(super) fn no_key_or_group(key: &Key<'_>, group: &[u8]) -> Error {
    let (key, group) = (show(key.bytes()), show(group));
    Error::Custom(format!("NOGROUP No such key '{key}' or consumer group '{group}'").into())
}

/// The consumer of a name in a group, who is seen; one who is new is created and reported.
pub(super) fn see_consumer(group: &mut Group, name: &[u8], now: i64) -> (ConsumerId, Created) {
    match group.find_consumer(name) {
        Some(consumer) => {
            group.consumer_mut(consumer).seen_time = now;
            (consumer, Created(false))
        }
        None => {
            let consumer = group.create_consumer(name, now).expect("nobody has the name");
            (consumer, Created(true))
        }
    }
}

/// Whether a consumer was created, which is to be reported.
#[must_use]
pub(super) struct Created(bool);

impl Created {
    /// Reports it.
    pub(super) fn report(self, ctx: &mut Context<'_>, key: &Key<'_>) {
        if self.0 {
            changed_quietly(ctx, "xgroup-createconsumer", key, 1);
        }
    }
}
