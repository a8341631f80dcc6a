//! CLIENT: names, lists, kills and pauses connections.

use crate::config::OutputClass;
use crate::core::client::{Client, ClientFlags, ClientId};
use crate::core::pause::PauseMode;
use crate::core::{Core, Effect};
use crate::dispatch::blocked::{self, End};
use crate::dispatch::cursor::{parse_i64, parse_range};
use crate::dispatch::declare::*;
use crate::dispatch::{Context, Cursor};
use crate::resp::Error;

use super::tracking;

/// CLIENT ID
pub fn client_id(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.client.id.0 as i64);
    Ok(())
}

/// CLIENT INFO
pub fn client_info(ctx: &mut Context<'_>) -> Result<(), Error> {
    let line = ctx.core.describe_client(ctx.client) + "\n";
    ctx.client.reply.verbatim("txt", line.as_bytes());
    Ok(())
}

/// CLIENT LIST [TYPE type | ID client-id [client-id …]]
pub fn client_list(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut text = String::new();
    let mut list = |core: &Core, client: &Client| {
        text.push_str(&core.describe_client(client));
        text.push('\n');
    };
    let mut options = ctx.cursor(2);
    if options.take_word("TYPE") && options.remaining() == 1 {
        let wanted = ClientType::parse(options.expect()?)?;
        all(ctx).filter(|c| ClientType::of(c) == wanted).for_each(|c| list(ctx.core, c));
    } else if ctx.args.len() > 3 && ctx.args.at(2).eq_ignore_ascii_case(b"ID") {
        let ids: Vec<ClientId> =
            ctx.args.iter_from(3).map(parse_listed_id).collect::<Result<_, _>>()?;
        for id in ids {
            if let Some(client) = find(ctx, id) {
                list(ctx.core, client);
            }
        }
    } else if ctx.args.len() == 2 {
        all(ctx).for_each(|client| list(ctx.core, client));
    } else {
        return Err(Error::Syntax);
    }
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn parse_listed_id(arg: &[u8]) -> Result<ClientId, Error> {
    parse_i64(arg).map(|id| ClientId(id as u64)).map_err(|_| Error::err("Invalid client ID"))
}

fn all<'a>(ctx: &'a Context<'_>) -> impl Iterator<Item = &'a Client> {
    ctx.core.clients.in_order(Some(ctx.client))
}

fn find<'a>(ctx: &'a Context<'_>, id: ClientId) -> Option<&'a Client> {
    if ctx.client.id == id { Some(ctx.client) } else { ctx.core.clients.by_id(id) }
}

/// The classes that CLIENT LIST and KILL tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ClientType {
    Normal,
    Replica,
    Pubsub,
    Primary,
}

impl ClientType {
    fn parse(name: &[u8]) -> Result<Self, Error> {
        let known: [(&str, ClientType); 5] = [
            ("normal", ClientType::Normal),
            ("slave", ClientType::Replica),
            ("replica", ClientType::Replica),
            ("pubsub", ClientType::Pubsub),
            ("master", ClientType::Primary),
        ];
        let found = known.iter().find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|(_, kind)| *kind).ok_or_else(|| {
            Error::err(format_args!("Unknown client type '{}'", String::from_utf8_lossy(name)))
        })
    }

    /// There are no links yet. MONITOR makes nobody a replica, as in Redis.
    fn of(client: &Client) -> Self {
        match client.output_class() {
            OutputClass::Normal => ClientType::Normal,
            OutputClass::Replica => ClientType::Replica,
            OutputClass::Pubsub => ClientType::Pubsub,
        }
    }
}

/// What CLIENT KILL looks for; what is not given matches everyone.
#[derive(Debug, Default)]
struct KillFilter<'a> {
    id: Option<ClientId>,
    kind: Option<ClientType>,
    addr: Option<&'a [u8]>,
    laddr: Option<&'a [u8]>,
    /// The old form may kill the caller.
    includes_caller: bool,
}

impl<'a> KillFilter<'a> {
    fn parse(mut options: Cursor<'a>) -> Result<Self, Error> {
        let mut filter = KillFilter::default();
        while let Some(option) = options.next() {
            let value = options.expect()?;
            if option.eq_ignore_ascii_case(b"ID") {
                let id = parse_range(value, 1, i64::MAX)
                    .map_err(|_| Error::err("client-id should be greater than 0"))?;
                filter.id = Some(ClientId(id as u64));
            } else if option.eq_ignore_ascii_case(b"TYPE") {
                filter.kind = Some(ClientType::parse(value)?);
            } else if option.eq_ignore_ascii_case(b"ADDR") {
                filter.addr = Some(value);
            } else if option.eq_ignore_ascii_case(b"LADDR") {
                filter.laddr = Some(value);
            } else if option.eq_ignore_ascii_case(b"USER") {
                check_user(value)?;
            } else if option.eq_ignore_ascii_case(b"SKIPME") {
                filter.includes_caller = !parse_switch(value, "yes", "no")?;
            } else {
                return Err(Error::Syntax);
            }
        }
        Ok(filter)
    }

    fn matches(&self, client: &Client) -> bool {
        self.addr.is_none_or(|addr| client.peer.as_bytes() == addr)
            && self.laddr.is_none_or(|addr| client.local.as_bytes() == addr)
            && self.kind.is_none_or(|kind| ClientType::of(client) == kind)
            && self.id.is_none_or(|id| client.id == id)
    }
}

fn check_user(name: &[u8]) -> Result<(), Error> {
    if name == b"default" {
        return Ok(());
    }
    Err(Error::err(format_args!("No such user '{}'", String::from_utf8_lossy(name))))
}

/// One of two words.
fn parse_switch(value: &[u8], on: &str, off: &str) -> Result<bool, Error> {
    if value.eq_ignore_ascii_case(on.as_bytes()) {
        Ok(true)
    } else if value.eq_ignore_ascii_case(off.as_bytes()) {
        Ok(false)
    } else {
        Err(Error::Syntax)
    }
}

/// CLIENT KILL ip:port | option value [option value …]
pub fn client_kill(ctx: &mut Context<'_>) -> Result<(), Error> {
    let old_form = ctx.args.len() == 3;
    let filter = if old_form {
        KillFilter { addr: Some(ctx.args.at(2)), includes_caller: true, ..KillFilter::default() }
    } else {
        KillFilter::parse(ctx.cursor(2))?
    };
    let killed: Vec<ClientId> = all(ctx)
        .filter(|client| filter.matches(client))
        .map(|client| client.id)
        .filter(|id| filter.includes_caller || *id != ctx.client.id)
        .collect();
    for &id in &killed {
        if id == ctx.client.id {
            ctx.client.flags |= ClientFlags::CLOSE_AFTER_REPLY;
        } else {
            ctx.core.effects.push(Effect::Close(id));
        }
    }
    match (old_form, killed.len()) {
        (false, count) => ctx.client.reply.int(count as i64),
        (true, 0) => return Err(Error::err("No such client")),
        (true, _) => ctx.client.reply.ok(),
    }
    Ok(())
}

/// CLIENT SETNAME connection-name
pub fn client_setname(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.name = check_name(ctx.args.at(2))?;
    ctx.client.reply.ok();
    Ok(())
}

/// A valid client name; an empty one takes the name away.
pub fn check_name(name: &[u8]) -> Result<Option<Box<[u8]>>, Error> {
    if !is_attribute(name) {
        return Err(Error::err(
            "Client names cannot contain spaces, newlines or special characters.",
        ));
    }
    Ok((!name.is_empty()).then(|| name.into()))
}

/// Anything else would break the format of CLIENT LIST.
fn is_attribute(value: &[u8]) -> bool {
    value.iter().all(|byte| (b'!'..=b'~').contains(byte))
}

/// CLIENT GETNAME
pub fn client_getname(ctx: &mut Context<'_>) -> Result<(), Error> {
    let client = &mut *ctx.client;
    match &client.name {
        Some(name) => client.reply.bulk(name),
        None => client.reply.null(),
    }
    Ok(())
}

/// CLIENT SETINFO LIB-NAME libname | LIB-VER libver
pub fn client_setinfo(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (attribute, value) = (ctx.args.at(2), ctx.args.at(3));
    let shown = String::from_utf8_lossy(attribute);
    let target = if attribute.eq_ignore_ascii_case(b"lib-name") {
        &mut ctx.client.lib_name
    } else if attribute.eq_ignore_ascii_case(b"lib-ver") {
        &mut ctx.client.lib_ver
    } else {
        return Err(Error::err(format_args!("Unrecognized option '{shown}'")));
    };
    if !is_attribute(value) {
        return Err(Error::err(format_args!(
            "{shown} cannot contain spaces, newlines or special characters."
        )));
    }
    *target = (!value.is_empty()).then(|| value.into());
    ctx.client.reply.ok();
    Ok(())
}

/// CLIENT NO-EVICT ON | OFF
pub fn client_no_evict(ctx: &mut Context<'_>) -> Result<(), Error> {
    set_flag(ctx, ClientFlags::NO_EVICT)
}

/// CLIENT NO-TOUCH ON | OFF
pub fn client_no_touch(ctx: &mut Context<'_>) -> Result<(), Error> {
    set_flag(ctx, ClientFlags::NO_TOUCH)
}

fn set_flag(ctx: &mut Context<'_>, flag: ClientFlags) -> Result<(), Error> {
    let on = parse_switch(ctx.args.at(2), "on", "off")?;
    ctx.client.flags.set(flag, on);
    ctx.client.reply.ok();
    Ok(())
}

/// CLIENT REPLY ON | OFF | SKIP. Only ON replies.
pub fn client_reply(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mode = ctx.args.at(2);
    let client = &mut *ctx.client;
    if mode.eq_ignore_ascii_case(b"on") {
        client.flags -= ClientFlags::REPLY_OFF | ClientFlags::REPLY_SKIP;
        client.update_mute();
        client.reply.ok();
    } else if mode.eq_ignore_ascii_case(b"off") {
        client.flags |= ClientFlags::REPLY_OFF;
        client.update_mute();
    } else if mode.eq_ignore_ascii_case(b"skip") {
        if !client.is(ClientFlags::REPLY_OFF) {
            client.flags |= ClientFlags::REPLY_SKIP_NEXT;
        }
    } else {
        return Err(Error::Syntax);
    }
    Ok(())
}

/// CLIENT PAUSE timeout [WRITE | ALL]
pub fn client_pause(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 4 {
        return Err(Error::subcommand_syntax("client", ctx.args.at(1)));
    }
    let mode = match ctx.args.get(3) {
        None => PauseMode::All,
        Some(word) if word.eq_ignore_ascii_case(b"all") => PauseMode::All,
        Some(word) if word.eq_ignore_ascii_case(b"write") => PauseMode::Write,
        Some(_) => return Err(Error::err("CLIENT PAUSE mode must be WRITE or ALL")),
    };
    let timeout = parse_i64(ctx.args.at(2)).map_err(|_| Error::TimeoutNotAnInteger)?;
    let timeout = u64::try_from(timeout).map_err(|_| Error::TimeoutNegative)?;
    let until = ctx.now_ms().checked_add(timeout).filter(|&until| until <= i64::MAX as u64);
    let until = until.ok_or(Error::TimeoutOutOfRange)?;
    ctx.core.pause.start(mode, until);
    ctx.core.pause_changed();
    ctx.client.reply.ok();
    Ok(())
}

/// CLIENT UNPAUSE
pub fn client_unpause(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.core.pause.end() {
        ctx.core.effects.push(Effect::Unpaused);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// CLIENT UNBLOCK client-id [TIMEOUT | ERROR]
pub fn client_unblock(ctx: &mut Context<'_>) -> Result<(), Error> {
    let end = match ctx.args.get(3) {
        Some(reason) if reason.eq_ignore_ascii_case(b"error") => End::Failed(&Error::Unblocked),
        Some(reason) if !reason.eq_ignore_ascii_case(b"timeout") => {
            return Err(Error::err("CLIENT UNBLOCK reason should be TIMEOUT or ERROR"));
        }
        _ => End::TimedOut,
    };
    let id = ClientId(parse_i64(ctx.args.at(2))? as u64);
    // A pause is not a blocking command: whom it holds back cannot be woken one by one.
    let waited = blocked::unblock(ctx.core, ctx.table, id, end);
    ctx.client.reply.int(waited.into());
    Ok(())
}

/// CLIENT HELP
pub fn client_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help("CLIENT", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "CACHING (YES|NO)",
    "    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.",
    "GETREDIR",
    "    Return the client ID we are redirecting to when tracking is enabled.",
    "GETNAME",
    "    Return the name of the current connection.",
    "ID",
    "    Return the ID of the current connection.",
    "INFO",
    "    Return information about the current client connection.",
    "KILL <ip:port>",
    "    Kill connection made from <ip:port>.",
    "KILL <option> <value> [<option> <value> [...]]",
    "    Kill connections. Options are:",
    "    * ADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made from the specified address",
    "    * LADDR (<ip:port>|<unixsocket>:0)",
    "      Kill connections made to specified local address",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Kill connections by type.",
    "    * USER <username>",
    "      Kill connections authenticated by <username>.",
    "    * SKIPME (YES|NO)",
    "      Skip killing current connection (default: yes).",
    "LIST [options ...]",
    "    Return information about client connections. Options:",
    "    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)",
    "      Return clients of specified type.",
    "UNPAUSE",
    "    Stop the current client pause, resuming traffic.",
    "PAUSE <timeout> [WRITE|ALL]",
    "    Suspend all, or just write, clients for <timeout> milliseconds.",
    "REPLY (ON|OFF|SKIP)",
    "    Control the replies sent to the current connection.",
    "SETNAME <name>",
    "    Assign the name <name> to the current connection.",
    "SETINFO <option> <value>",
    "    Set client meta attr. Options are:",
    "    * LIB-NAME: the client lib name.",
    "    * LIB-VER: the client lib version.",
    "UNBLOCK <clientid> [TIMEOUT|ERROR]",
    "    Unblock the specified blocked client.",
    "TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]",
    "         [OPTIN] [OPTOUT] [NOLOOP]",
    "    Control server assisted client side caching.",
    "TRACKINGINFO",
    "    Report tracking status for the current connection.",
    "NO-EVICT (ON|OFF)",
    "    Protect current client connection from eviction.",
    "NO-TOUCH (ON|OFF)",
    "    Will not touch LRU/LFU stats when this mode is on.",
];

const CLIENT_SUBCOMMANDS: &[Command] = &[
    Command::new("client|caching", 3, tracking::client_caching)
        .summary("Says whether the next command's keys are remembered.")
        .syntax("<YES | NO>:mode")
        .since("6.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|getname", 2, client_getname)
        .summary("Gives the name of the connection.")
        .since("2.6.9", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|getredir", 2, tracking::client_getredir)
        .summary("Tells who is told of keys that the connection tracks.")
        .since("6.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|help", 2, client_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|id", 2, client_id)
        .summary("Gives the number of the connection.")
        .since("5.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|info", 2, client_info)
        .summary("Describes the connection in one line.")
        .since("6.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["nondeterministic_output"]),
    Command::new("client|kill", -3, client_kill)
        .summary("Closes connections.")
        .syntax(
            "<'ip:port':old-format!2.8.12 | <[ID client-id]@2.8.12 | [TYPE <NORMAL \
             | MASTER@3.2.0 | SLAVE | REPLICA@5.0.0 | PUBSUB>:client-type]@2.8.12 \
             | [USER username] | [ADDR 'ip:port':addr] | [LADDR 'ip:port':laddr]@6.2.0 \
             | [SKIPME <YES | NO>]>:new-format...>:filter",
        )
        .since("2.4.0", Group::Connection)
        .complexity("O(N), N clients")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|list", -2, client_list)
        .summary("Describes all connections, one per line.")
        .syntax(
            "[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>:client-type]@5.0.0 \
             [ID client-id...]@6.2.0",
        )
        .since("2.4.0", Group::Connection)
        .complexity("O(N), N clients")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["nondeterministic_output"]),
    Command::new("client|no-evict", 3, client_no_evict)
        .summary("Shields the connection from eviction of clients.")
        .syntax("<ON | OFF>:enabled")
        .since("7.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|no-touch", 3, client_no_touch)
        .summary("Lets commands of the connection leave the age of keys as it is.")
        .syntax("<ON | OFF>:enabled")
        .since("7.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|pause", -3, client_pause)
        .summary("Holds back commands of all clients for a while.")
        .syntax("timeout:integer [WRITE | ALL]:mode@6.2.0")
        .since("3.0.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|reply", 3, client_reply)
        .summary("Turns replies to the connection off and on.")
        .syntax("<ON | OFF | SKIP>:action")
        .since("3.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|setinfo", 4, client_setinfo)
        .summary("Notes which library the client uses.")
        .syntax("<LIB-NAME libname | LIB-VER libver>:attr")
        .since("7.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    Command::new("client|setname", 3, client_setname)
        .summary("Names the connection.")
        .syntax("connection-name")
        .since("2.6.9", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    Command::new("client|tracking", -3, tracking::client_tracking)
        .summary("Asks to be told when keys change that the connection has read.")
        .syntax(
            "<ON | OFF>:status [REDIRECT client-id] [PREFIX prefix]... [BCAST] [OPTIN] [OPTOUT] \
             [NOLOOP]",
        )
        .since("6.0.0", Group::Connection)
        .complexity("O(1), with BCAST O(N), N prefixes")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|trackinginfo", 2, tracking::client_trackinginfo)
        .summary("Describes how the connection tracks keys.")
        .since("6.2.0", Group::Connection)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|unblock", -3, client_unblock)
        .summary("Wakes a client from its blocking command.")
        .syntax("client-id [TIMEOUT | ERROR]:unblock-type")
        .since("5.0.0", Group::Connection)
        .complexity("O(log N), N clients")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("client|unpause", 2, client_unpause)
        .summary("Ends the pause of CLIENT PAUSE.")
        .since("6.2.0", Group::Connection)
        .complexity("O(N), N clients that are held back")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .categories(&[CONNECTION]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::container("client", CLIENT_SUBCOMMANDS)
    .summary("Container of commands about client connections.")
    .since("2.4.0", Group::Connection)
    .complexity("Depends on the subcommand")];
