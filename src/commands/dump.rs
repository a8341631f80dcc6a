//! DUMP and RESTORE: values as portable bytes. The encoding is in `persistence`; all access to keys
//! goes through the keyspace.

use super::expire::is_past;
use crate::config::SanitizeDumpPayload;
use crate::core::value_limits;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::dispatch::{Context, Cursor};
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key};
use crate::persistence::dump::{self, BadFooter};
use crate::persistence::rdb::{WriteOptions, reason, value};
use crate::resp::Error;

/// Bytes of a payload beyond those of a short value.
const OVERHEAD_BYTES: usize = 16;

/// DUMP key
pub(super) fn dump(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = WriteOptions { compress: ctx.core.config.rdbcompression };
    let key = ctx.key(1);
    match ctx.core.keyspace.lookup_read(ctx.client.db, &key) {
        Some(record) => {
            let mut payload = Vec::with_capacity(record.heap_bytes() + OVERHEAD_BYTES);
            dump::write(&mut payload, record.value(), options);
            ctx.client.reply.bulk(&payload);
        }
        None => ctx.client.reply.null(),
    }
    Ok(())
}

/// What is known of the last accesses to a value that is restored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Accesses {
    #[default]
    Unsaid,
    /// IDLETIME: the last one was so many seconds ago.
    IdleSeconds(u64),
    /// FREQ: there were so many, on the scale of LFU.
    Frequency(u8),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Options {
    /// REPLACE: the key may exist.
    replace: bool,
    /// ABSTTL: the expiry is a point in time.
    absolute: bool,
    accesses: Accesses,
}

impl Options {
    fn parse(mut cursor: Cursor<'_>) -> Result<Self, Error> {
        let mut options = Options::default();
        while cursor.remaining() > 0 {
            let accesses = options.accesses;
            if cursor.take_word("REPLACE") {
                options.replace = true;
            } else if cursor.take_word("ABSTTL") {
                options.absolute = true;
            } else if !matches!(accesses, Accesses::Frequency(_)) && cursor.take_word("IDLETIME") {
                let seconds = u64::try_from(cursor.expect_i64()?)
                    .map_err(|_| Error::err("Invalid IDLETIME value, must be >= 0"))?;
                options.accesses = Accesses::IdleSeconds(seconds);
            } else if !matches!(accesses, Accesses::IdleSeconds(_)) && cursor.take_word("FREQ") {
                let frequency = u8::try_from(cursor.expect_i64()?)
                    .map_err(|_| Error::err("Invalid FREQ value, must be >= 0 and <= 255"))?;
                options.accesses = Accesses::Frequency(frequency);
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }
}

/// RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub(super) fn restore(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = Options::parse(ctx.cursor(4))?;
    let (key, db) = (ctx.key(1), ctx.client.db);
    if !options.replace && ctx.core.keyspace.lookup_write(db, &key).is_some() {
        return Err(Error::Custom("BUSYKEY Target key name already exists.".into()));
    }
    let expire_at = parse_expiry(ctx, options.absolute)?;
    let mut body = dump::open(ctx.args.at(3), ctx.core.debug.payload_checksum)
        .map_err(|BadFooter| Error::err("DUMP payload version or checksum are wrong"))?;
    let config = &ctx.core.config;
    let sanitizes = config.sanitize_dump_payload != SanitizeDumpPayload::No;
    let limits = value_limits::of_reading(ctx.core, config.proto_max_bulk_len, !sanitizes);
    let mut scratch = Vec::new();
    let type_byte = body.first().copied();
    let value = value::read(&mut body, &mut scratch, limits).map_err(|corrupt| {
        let words = reason::reason(corrupt, type_byte);
        log::debug!("Internal error in RDB reading -> {words}");
        Error::err("Bad data format")
    })?;
    if sanitizes {
        let looked_at = reason::packed_encodings(&value, type_byte.unwrap_or(0));
        ctx.core.stats.dump_payload_sanitizations += looked_at;
    }
    let deleted = options.replace && {
        let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_server_del);
        ctx.core.keyspace.remove(db, &key, free)
    };
    if expire_at.is_some_and(|at| is_past(ctx, at)) {
        if deleted {
            changed(ctx, "del", &key);
        }
    } else {
        ctx.core.keyspace.insert(db, &key, value, expire_at);
        match options.accesses {
            Accesses::Unsaid => {}
            Accesses::IdleSeconds(seconds) => ctx.core.keyspace.set_idle(db, &key, seconds),
            Accesses::Frequency(count) => ctx.core.keyspace.set_frequency(db, &key, count),
        }
        changed(ctx, "restore", &key);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// RESTORE-ASKING key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]
pub(super) fn restore_asking(ctx: &mut Context<'_>) -> Result<(), Error> {
    restore(ctx)
}

/// The second argument as a point in time; 0 is never.
fn parse_expiry(ctx: &Context<'_>, absolute: bool) -> Result<Option<i64>, Error> {
    let ttl = parse_i64(ctx.args.at(2))?;
    if ttl < 0 {
        return Err(Error::err("Invalid TTL value, must be >= 0"));
    }
    let origin = if absolute { 0 } else { ctx.now_ms() as i64 };
    Ok((ttl > 0).then(|| origin.saturating_add(ttl)))
}

fn changed(ctx: &mut Context<'_>, event: &'static str, key: &Key<'_>) {
    ctx.core.keyspace.notify(EventClass::GENERIC, event, ctx.client.db, key);
    ctx.core.keyspace.dirty += 1;
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("dump", 2, dump)
        .summary("Gives the value at a key in a form that RESTORE understands.")
        .syntax("key")
        .since("2.6.0", Group::Generic)
        .complexity("O(N), N bytes of the value")
        .flags(&[READONLY])
        .categories(&[KEYSPACE])
        .keys(&[KeySpec::key(1, &[RO, ACCESS])])
        .tips(&["nondeterministic_output"]),
    Command::new("restore", -4, restore)
        .summary("Creates a key from what DUMP gave.")
        .syntax(
            "key ttl serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds]@5.0.0 \
             [FREQ frequency]@5.0.0",
        )
        .since("2.6.0", Group::Generic)
        .complexity("O(N), N bytes of the value")
        .flags(&[WRITE, DENYOOM])
        .categories(&[KEYSPACE, DANGEROUS])
        .keys(&[KeySpec::key(1, &[OW, UPDATE])]),
    Command::new("restore-asking", -4, restore_asking)
        .summary("RESTORE as MIGRATE sends it, for a slot that is being imported.")
        .syntax(
            "key ttl serialized-value [REPLACE]@3.0.0 [ABSTTL]@5.0.0 [IDLETIME seconds]@5.0.0 \
             [FREQ frequency]@5.0.0",
        )
        .since("3.0.0", Group::Server)
        .complexity("O(N), N bytes of the value")
        .flags(&[WRITE, DENYOOM, ASKING])
        .categories(&[KEYSPACE, DANGEROUS])
        .keys(&[KeySpec::key(1, &[OW, UPDATE])])
        .internal(),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn parsed(words: &str) -> Result<Options, String> {
        let args = OwnedArgs::from_parts(words.split(' ').map(str::as_bytes));
        Options::parse(Cursor::new(args.args(), 0)).map_err(|error| error.to_string())
    }

    #[test]
    fn options() {
        let idle = |seconds| Accesses::IdleSeconds(seconds);
        assert_eq!(parsed("replace"), Ok(Options { replace: true, ..Options::default() }));
        assert_eq!(parsed("ABSTTL"), Ok(Options { absolute: true, ..Options::default() }));
        assert_eq!(
            parsed("IDLETIME 1 replace idletime 2"),
            Ok(Options { replace: true, absolute: false, accesses: idle(2) })
        );
        assert_eq!(parsed("freq 255").unwrap().accesses, Accesses::Frequency(255));
        for words in ["x", "freq", "idletime", "freq 1 idletime 1", "idletime 1 freq 1"] {
            assert_eq!(parsed(words), Err("ERR syntax error".into()), "{words}");
        }
        let words = "ERR value is not an integer or out of range".to_string();
        assert_eq!(parsed("freq x"), Err(words.clone()));
        assert_eq!(parsed("idletime 99999999999999999999"), Err(words));
        let words = "ERR Invalid IDLETIME value, must be >= 0".to_string();
        assert_eq!(parsed("idletime -1 x"), Err(words));
        let words = "ERR Invalid FREQ value, must be >= 0 and <= 255".to_string();
        assert_eq!(parsed("freq 256"), Err(words.clone()));
        assert_eq!(parsed("freq -1"), Err(words));
    }
}
