//! MIGRATE: keys move to another node, and leave this one as that node says to have them. The
//! conversation is in `core::migration`; what is said for a key, and what follows, is here.

use std::ops::Range;
use std::time::Duration;

use crate::core::Core;
use crate::core::migration::{self, Failure, Order, Outcome, Stage};
use crate::core::peers::Target;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::dispatch::{Context, Cursor};
use crate::keyspace::events::EventClass;
use crate::keyspace::{Free, Key};
use crate::persistence::dump;
use crate::persistence::rdb::WriteOptions;
use crate::resp::{Args, Error};
use crate::value::Record;

/// The timeout in place of one that is not positive.
const TIMEOUT_DEFAULT_MS: i64 = 1000;

/// What the arguments after the timeout say.
#[derive(Debug, Default, PartialEq)]
struct Options<'a> {
    copy: bool,
    replace: bool,
    username: Option<&'a [u8]>,
    password: Option<&'a [u8]>,
    /// Which arguments are keys.
    keys: Range<usize>,
}

impl<'a> Options<'a> {
    /// `redacted` gets the places of secrets, those before a mistake included.
    fn parse(args: Args<'a>, redacted: &mut Vec<usize>) -> Result<Self, Error> {
        let mut options = Options { keys: 3..4, ..Options::default() };
        let mut cursor = Cursor::new(args, 6);
        while cursor.remaining() > 0 {
            if cursor.take_word("COPY") {
                options.copy = true;
            } else if cursor.take_word("REPLACE") {
                options.replace = true;
            } else if cursor.take_word("AUTH") {
                let at = cursor.position();
                options.password = Some(cursor.expect()?);
                redacted.push(at);
            } else if cursor.take_word("AUTH2") {
                if cursor.remaining() < 2 {
                    return Err(Error::Syntax);
                }
                redacted.extend([cursor.position(), cursor.position() + 1]);
                options.username = Some(cursor.expect()?);
                options.password = Some(cursor.expect()?);
            } else if cursor.take_word("KEYS") {
                if !args.at(3).is_empty() {
                    return Err(Error::err(
                        "When using MIGRATE KEYS option, the key argument must be set to the \
                         empty string",
                    ));
                }
                options.keys = cursor.position()..args.len();
                break;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }

    /// The arguments of AUTH.
    fn login(&self) -> Option<Vec<&'a [u8]>> {
        let password = self.password?;
        Some(self.username.into_iter().chain([password]).collect())
    }
}

/// MIGRATE host port key|"" destination-db timeout [COPY] [REPLACE] [AUTH password |
/// AUTH2 username password] [KEYS key …]
pub(super) fn migrate(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = Options::parse(ctx.args, &mut ctx.core.redacted)?;
    let timeout_ms = match parse_i64(ctx.args.at(5))? {
        given if given > 0 => given,
        _ => TIMEOUT_DEFAULT_MS,
    };
    let to_db = parse_i64(ctx.args.at(4))?;
    let keys: Vec<Key<'_>> = options
        .keys
        .clone()
        .filter_map(|index| {
            let key = ctx.key(index);
            ctx.core.keyspace.lookup_read(ctx.client.db, &key).is_some().then_some(key)
        })
        .collect();
    if keys.is_empty() {
        ctx.client.reply.simple("NOKEY");
        return Ok(());
    }
    let login = options.login();
    let source = ctx.core.config.bind_source_addr.clone();
    let order = Order {
        target: Target { host: ctx.args.at(1), port: ctx.args.at(2), source: source.as_deref() },
        timeout: Duration::from_millis(timeout_ms as u64),
        login: login.as_deref(),
        db: to_db,
        keys: keys.len(),
    };
    let outcome = send(ctx.core, ctx.client.db, &order, &options, &keys);
    if !options.copy {
        remove_taken(ctx, &keys, &outcome.taken);
    }
    answer(outcome)?;
    ctx.client.reply.ok();
    Ok(())
}

fn send(
    core: &mut Core,
    db: usize,
    order: &Order<'_>,
    options: &Options<'_>,
    keys: &[Key<'_>],
) -> Outcome {
    let now = core.now;
    let Core { keyspace, peers, config, .. } = core;
    let form = Form {
        command: if config.cluster_enabled { b"RESTORE-ASKING" } else { b"RESTORE" },
        replace: options.replace,
        now_ms: now.ms() as i64,
        write: WriteOptions { compress: config.rdbcompression },
    };
    migration::deliver(peers, order, now.seconds(), |number, out| {
        let record = keyspace.peek(db, &keys[number]);
        record.is_some_and(|record| form.push(out, record))
    })
}

/// What is the same of all requests for keys.
struct Form {
    command: &'static [u8],
    replace: bool,
    now_ms: i64,
    write: WriteOptions,
}

impl Form {
    /// Appends the request for a key, unless its time is over.
    fn push(&self, out: &mut Vec<u8>, record: &Record) -> bool {
        let ttl_ms = match record.expire_at() {
            Some(at) if at < self.now_ms => return false,
            Some(at) => at.saturating_sub(self.now_ms).max(1),
            None => 0,
        };
        let mut digits = itoa::Buffer::new();
        migration::push_header(out, b'*', if self.replace { 5 } else { 4 });
        migration::push_arg(out, self.command);
        migration::push_arg(out, record.key());
        migration::push_arg(out, digits.format(ttl_ms).as_bytes());
        // Encoded in place, because a value may be as big as memory allows to have it but once.
        let begin = out.len();
        dump::write(out, record.value(), self.write);
        let mut header = Vec::new();
        migration::push_header(&mut header, b'$', out.len() - begin);
        out.splice(begin..begin, header);
        out.extend_from_slice(b"\r\n");
        if self.replace {
            migration::push_arg(out, b"REPLACE");
        }
        true
    }
}

/// The target has these keys: here they go.
fn remove_taken(ctx: &mut Context<'_>, keys: &[Key<'_>], taken: &[usize]) {
    let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_server_del);
    let (keyspace, db) = (&mut ctx.core.keyspace, ctx.client.db);
    for key in taken.iter().map(|&number| &keys[number]) {
        if keyspace.remove(db, key, free) {
            keyspace.notify(EventClass::GENERIC, "del", db, key);
            keyspace.dirty += 1;
        }
    }
}

fn answer(outcome: Outcome) -> Result<(), Error> {
    if let Some(words) = outcome.refusal {
        let words = String::from_utf8_lossy(&words);
        return Err(Error::err(format_args!("Target instance replied with error: {words}")));
    }
    let words = match outcome.failure {
        None => return Ok(()),
        Some(Failure { stage: Stage::Connecting, .. }) => "connecting to the client",
        Some(Failure { stage: Stage::Writing, .. }) => "writing to target instance",
        Some(Failure { stage: Stage::Reading, .. }) => "reading to target instance",
    };
    Err(Error::Custom(format!("IOERR error or timeout {words}").into()))
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::new("migrate", -6, migrate)
    .summary("Moves keys to another node.")
    .syntax(
        "host port <key | \"\">:key-selector destination-db timeout:integer [COPY]@3.0.0 \
             [REPLACE]@3.0.0 [AUTH password:auth@4.0.7 | AUTH2 <username \
             password>@6.0.0]:authentication [KEYS key:keys...]@3.0.6",
    )
    .since("2.6.0", Group::Generic)
    .complexity("O(N), N bytes of all values")
    .flags(&[WRITE, MOVES_KEYS])
    .categories(&[KEYSPACE, DANGEROUS])
    .keys(&[
        KeySpec::key(3, &[RW, ACCESS, DELETE]),
        KeySpec::all_after("KEYS", -2, 0, &[RW, ACCESS, DELETE, INCOMPLETE]),
    ])
    .find_keys(find_keys::migrate)
    .tips(&["nondeterministic_output"])];

#[cfg(test)]
mod tests;
