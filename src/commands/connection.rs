//! AUTH, HELLO, PING, ECHO, SELECT, RESET, QUIT: the client's own connection.

use crate::config::version::REDIS_VERSION;
use crate::core::client::ClientFlags;
use crate::dispatch::cursor::{parse_i32, parse_i64};
use crate::dispatch::declare::*;
use crate::dispatch::{Context, transaction};
use crate::resp::{Error, Protocol};

use super::client::check_name;

/// The only user there is.
const DEFAULT_USER: &[u8] = b"default";

/// AUTH [username] password
pub fn auth(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 3 {
        return Err(Error::Syntax);
    }
    ctx.core.redacted.extend(1..ctx.args.len());
    if ctx.args.len() == 2 {
        if ctx.core.config.requirepass.is_none() {
            return Err(Error::err(
                "AUTH <password> called without any password configured for the default user. Are \
                 you sure your configuration is correct?",
            ));
        }
        authenticate(ctx, DEFAULT_USER, ctx.args.at(1))?;
    } else {
        authenticate(ctx, ctx.args.at(1), ctx.args.at(2))?;
    }
    ctx.client.reply.ok();
    Ok(())
}

/// Makes the client the user, if the password is right. Without `requirepass` any password is.
fn authenticate(ctx: &mut Context<'_>, user: &[u8], password: &[u8]) -> Result<(), Error> {
    let wanted = ctx.core.config.requirepass.as_deref();
    if user == DEFAULT_USER && wanted.is_none_or(|wanted| same_secret(wanted, password)) {
        ctx.client.flags |= ClientFlags::AUTHENTICATED;
        return Ok(());
    }
    ctx.core.stats.acl_denied_auth += 1;
    Err(Error::WrongPass)
}

/// Compares in a time that does not tell where the difference is.
fn same_secret(wanted: &[u8], given: &[u8]) -> bool {
    let differing = (0..given.len()).fold(0u8, |all, i| {
        // The length compared against is the peer's own, so that ours cannot be timed.
        all | (given[i] ^ wanted.get(i).copied().unwrap_or(!given[i]))
    });
    differing == 0 && wanted.len() == given.len()
}

/// HELLO [protover [AUTH username password] [SETNAME clientname]]
pub fn hello(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut options = ctx.cursor(1);
    let protocol = options.next().map(parse_protocol).transpose()?;
    let (mut credentials, mut name) = (None, None);
    while let Some(option) = options.next() {
        if option.eq_ignore_ascii_case(b"AUTH") && options.remaining() >= 2 {
            let at = options.position();
            ctx.core.redacted.extend([at, at + 1]);
            credentials = Some((options.expect()?, options.expect()?));
        } else if option.eq_ignore_ascii_case(b"SETNAME") && options.remaining() >= 1 {
            name = Some(check_name(options.expect()?)?);
        } else {
            let shown = String::from_utf8_lossy(option);
            return Err(Error::err(format_args!("Syntax error in HELLO option '{shown}'")));
        }
    }
    if let Some((user, password)) = credentials {
        authenticate(ctx, user, password)?;
    }
    if !ctx.client.is(ClientFlags::AUTHENTICATED) {
        return Err(Error::Custom(
            "NOAUTH HELLO must be called with the client already authenticated, otherwise the \
             HELLO <proto> AUTH <user> <pass> option can be used to authenticate the client and \
             select the RESP protocol version at the same time"
                .into(),
        ));
    }
    if let Some(name) = name {
        ctx.client.name = name;
    }
    if let Some(protocol) = protocol {
        ctx.client.reply.protocol = protocol;
    }
    reply_hello(ctx);
    Ok(())
}

fn parse_protocol(version: &[u8]) -> Result<Protocol, Error> {
    let version = parse_i64(version)
        .map_err(|_| Error::err("Protocol version is not an integer or out of range"))?;
    match version {
        2 => Ok(Protocol::Resp2),
        3 => Ok(Protocol::Resp3),
        _ => Err(Error::Custom("NOPROTO unsupported protocol version".into())),
    }
}

fn reply_hello(ctx: &mut Context<'_>) {
    let mode = if ctx.core.config.cluster_enabled { "cluster" } else { "standalone" };
    let (id, reply) = (ctx.client.id.0, &mut ctx.client.reply);
    let protocol = if reply.protocol == Protocol::Resp3 { 3 } else { 2 };
    reply.map(7);
    reply.bulk(b"server");
    reply.bulk(b"redis");
    reply.bulk(b"version");
    reply.bulk(REDIS_VERSION.as_bytes());
    reply.bulk(b"proto");
    reply.int(protocol);
    reply.bulk(b"id");
    reply.int(id as i64);
    reply.bulk(b"mode");
    reply.bulk(mode.as_bytes());
    reply.bulk(b"role");
    reply.bulk(b"master");
    reply.bulk(b"modules");
    reply.array(0);
}

/// PING [message]
pub fn ping(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 2 {
        return Err(Error::WrongArity(ctx.command.full_name.into()));
    }
    let reply = &mut ctx.client.reply;
    if ctx.client.flags.contains(ClientFlags::PUBSUB) && reply.protocol == Protocol::Resp2 {
        // It looks like a message, since that is what such a client expects.
        reply.array(2);
        reply.bulk(b"pong");
        reply.bulk(ctx.args.get(1).unwrap_or_default());
        return Ok(());
    }
    match ctx.args.len() {
        1 => ctx.client.reply.simple("PONG"),
        _ => ctx.client.reply.bulk(ctx.args.at(1)),
    }
    Ok(())
}

/// ECHO message
pub fn echo(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.bulk(ctx.args.at(1));
    Ok(())
}

/// SELECT index
pub fn select(ctx: &mut Context<'_>) -> Result<(), Error> {
    let index = parse_i32(ctx.args.at(1))?;
    if ctx.core.config.cluster_enabled && index != 0 {
        return Err(Error::err("SELECT is not allowed in cluster mode"));
    }
    if !(0..ctx.core.config.databases as i32).contains(&index) {
        return Err(Error::DbIndexOutOfRange);
    }
    ctx.client.db = index as usize;
    ctx.client.reply.ok();
    Ok(())
}

/// QUIT
pub fn quit(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.ok();
    ctx.client.flags |= ClientFlags::CLOSE_AFTER_REPLY;
    Ok(())
}

/// RESET: the connection as it was when it connected.
pub fn reset(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.client.is(ClientFlags::MULTI) {
        transaction::discard(ctx.core, ctx.client);
    }
    ctx.core.unwatch(ctx.client);
    ctx.core.stop_monitor(ctx.client);
    ctx.core.forget_subscriptions(ctx.client);
    ctx.core.disable_tracking(ctx.client);
    let client = &mut *ctx.client;
    client.flags -= ClientFlags::REPLY_OFF
        | ClientFlags::REPLY_SKIP
        | ClientFlags::REPLY_SKIP_NEXT
        | ClientFlags::NO_EVICT
        | ClientFlags::NO_TOUCH
        | ClientFlags::ASKING
        | ClientFlags::READONLY;
    client.flags.set(ClientFlags::AUTHENTICATED, ctx.core.config.requirepass.is_none());
    client.update_mute();
    client.db = 0;
    client.name = None;
    client.reply.protocol = Protocol::Resp2;
    client.reply.simple("RESET");
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("auth", -2, auth)
        .summary("Logs the connection in.")
        .syntax("[username]@6.0.0 password")
        .since("1.0.0", Group::Connection)
        .complexity("O(N), N passwords of the user")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .categories(&[CONNECTION]),
    Command::new("echo", 2, echo)
        .summary("Gives its argument back.")
        .syntax("message")
        .since("1.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .categories(&[CONNECTION]),
    Command::new("hello", -1, hello)
        .summary("Chooses the protocol version and introduces the client.")
        .syntax("[protover [AUTH <username password>] [SETNAME clientname]]:arguments")
        .since("6.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY])
        .categories(&[CONNECTION]),
    Command::new("ping", -1, ping)
        .summary("Answers, to show that the server is alive.")
        .syntax("[message]")
        .since("1.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[FAST, TELLS_DISK_ERRORS, SUBSCRIBER])
        .categories(&[CONNECTION])
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("quit", -1, quit)
        .summary("Closes the connection after the reply.")
        .since("1.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, RUNS_IN_MULTI, SUBSCRIBER])
        .categories(&[CONNECTION])
        .deprecated("7.2.0", "closing the connection"),
    Command::new("reset", 1, reset)
        .summary("Puts the connection back into the state of a new one.")
        .since("6.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE, FAST, NO_AUTH, ALLOW_BUSY, RUNS_IN_MULTI, SUBSCRIBER])
        .categories(&[CONNECTION]),
    Command::new("select", 2, select)
        .summary("Chooses the database of the connection.")
        .syntax("index")
        .since("1.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .categories(&[CONNECTION]),
];
