//! The table `redis` of scripts, and the functions of this program that `sandbox.lua` uses.

use std::cell::RefCell;
use std::rc::Rc;

use mlua::{Lua, LuaString, MultiValue, Table, Value, Variadic};

use super::arguments::Arguments;
use super::checks::{to_bytes, to_number};
use super::digest;
use super::engine::{Kind, Version};
use super::from_reply::read_reply;
use super::host::with_host;
use super::raise::{Raised, error_line, error_table, handle, redis_error, translate};

/// Levels of `redis.log`, lowest first.
const LOG_LEVELS: &[(&str, log::Level)] = &[
    ("LOG_DEBUG", log::Level::Trace),
    ("LOG_VERBOSE", log::Level::Debug),
    ("LOG_NOTICE", log::Level::Info),
    ("LOG_WARNING", log::Level::Warn),
];

/// Where commands of a script are to be propagated to, as bits.
const REPLICATION: &[(&str, i64)] =
    &[("REPL_NONE", 0), ("REPL_AOF", 1), ("REPL_SLAVE", 2), ("REPL_REPLICA", 2), ("REPL_ALL", 3)];

type Given = Variadic<Value>;
type SharedArguments = Rc<RefCell<Arguments>>;

/// The table `redis`.
pub(super) fn redis_table(lua: &Lua, kind: Kind, version: Version) -> mlua::Result<Table> {
    let arguments = SharedArguments::default();
    let table = lua.create_table()?;
    add_log(lua, &table)?;
    add_version(&table, version)?;
    add_commands(lua, &table, &arguments)?;
    table.raw_set("sha1hex", lua.create_function(sha1hex)?)?;
    table.raw_set("error_reply", lua.create_function(error_reply)?)?;
    table.raw_set("status_reply", lua.create_function(status_reply)?)?;
    table.raw_set("setresp", lua.create_function(setresp)?)?;
    table.raw_set("set_repl", lua.create_function(set_repl)?)?;
    for &(name, bits) in REPLICATION {
        table.raw_set(name, bits)?;
    }
    if kind == Kind::Scripts {
        // The debugger is not there.
        table.raw_set("breakpoint", lua.create_function(|_, _: MultiValue| Ok(false))?)?;
        table.raw_set("debug", lua.create_function(|_, _: MultiValue| Ok(()))?)?;
        let always = lua.create_function(|_, _: MultiValue| Ok(true))?;
        table.raw_set("replicate_commands", always)?;
    }
    Ok(table)
}

/// The functions that `sandbox.lua` uses.
pub(super) fn native_table(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("translate", lua.create_function(translate)?)?;
    table.raw_set("handler", lua.create_function(handle)?)?;
    Ok(table)
}

/// `redis.log` and its levels.
pub(super) fn add_log(lua: &Lua, table: &Table) -> mlua::Result<()> {
    for (level, (name, _)) in LOG_LEVELS.iter().enumerate() {
        table.raw_set(*name, level)?;
    }
    table.raw_set("log", lua.create_function(log_line)?)
}

/// Which Redis this is.
pub(super) fn add_version(table: &Table, version: Version) -> mlua::Result<()> {
    table.raw_set("REDIS_VERSION", version.text)?;
    table.raw_set("REDIS_VERSION_NUM", version.number)
}

fn add_commands(lua: &Lua, table: &Table, arguments: &SharedArguments) -> mlua::Result<()> {
    let shared = arguments.clone();
    let call = lua.create_function(move |lua, args: Given| command(lua, &args, &shared, true));
    let shared = arguments.clone();
    let pcall =
        lua.create_function(move |lua, args: Given| match command(lua, &args, &shared, false) {
            Err(error) => translate(lua, Value::Error(Box::new(error))),
            ok => ok,
        });
    let shared = arguments.clone();
    let check = lua.create_function(move |_, args: Given| {
        let mut request = shared.try_borrow_mut().map_err(|_| recursion())?;
        request.fill(&args)?;
        let allowed = with_host(|host| host.may_run(request.args())).ok_or_else(recursion)?;
        allowed.ok_or_else(|| redis_error("Invalid command passed to redis.acl_check_cmd()"))
    });
    table.raw_set("call", call?)?;
    table.raw_set("pcall", pcall?)?;
    table.raw_set("acl_check_cmd", check?)
}

/// Runs a command. An error reply is raised, or is the result.
fn command(
    lua: &Lua,
    args: &[Value],
    arguments: &RefCell<Arguments>,
    raises: bool,
) -> mlua::Result<Value> {
    let mut request = arguments.try_borrow_mut().map_err(|_| recursion())?;
    request.fill(args)?;
    let outcome = with_host(|host| match host.call(request.args()) {
        Ok([b'-', line @ ..]) if raises => {
            let line = line.strip_suffix(b"\r\n").unwrap_or(line).to_vec();
            Err(Raised::Table { line, counted: true }.into())
        }
        Ok(reply) => read_reply(lua, reply),
        Err(words) => {
            let line = error_line(words.as_bytes());
            Err(Raised::Table { line, counted: true }.into())
        }
    });
    request.shrink();
    outcome.unwrap_or_else(|| Err(recursion()))
}

/// A finalizer ran while a command did, or no script runs at all.
fn recursion() -> mlua::Error {
    redis_error("redis.call/pcall can only be called inside a script, and not by itself")
}

fn sha1hex(lua: &Lua, args: MultiValue) -> mlua::Result<LuaString> {
    if args.len() != 1 {
        return Err(redis_error("wrong number of arguments"));
    }
    let text = args.front().and_then(to_bytes).unwrap_or_default();
    lua.create_string(digest::name_of(&text))
}

/// The one string among the arguments, or else an error that is returned, not raised.
fn one_string(lua: &Lua, args: &MultiValue) -> mlua::Result<Result<LuaString, Table>> {
    if let (1, Some(Value::String(text))) = (args.len(), args.front()) {
        return Ok(Ok(text.clone()));
    }
    error_table(lua, b"ERR wrong number or type of arguments", false).map(Err)
}

fn error_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Table> {
    let text = match one_string(lua, &args)? {
        Ok(text) => text,
        Err(table) => return Ok(table),
    };
    let text = text.as_bytes();
    let words = text.strip_prefix(b"-").unwrap_or(&text);
    error_table(lua, &error_line(&[b"-", words].concat()), false)
}

fn status_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Table> {
    match one_string(lua, &args)? {
        Ok(text) => {
            let table = lua.create_table()?;
            table.raw_set("ok", text)?;
            Ok(table)
        }
        Err(table) => Ok(table),
    }
}

fn setresp(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(redis_error("redis.setresp() requires one argument."));
    }
    let version = args.front().and_then(to_number).unwrap_or(0.0) as i64;
    if version != 2 && version != 3 {
        return Err(redis_error("RESP version must be 2 or 3."));
    }
    with_host(|host| host.set_resp3(version == 3)).ok_or_else(recursion)
}

/// There is nobody to replicate to; what makes no sense is refused all the same.
fn set_repl(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return Err(redis_error("redis.set_repl() requires one argument."));
    }
    let bits = args.front().and_then(to_number).unwrap_or(0.0) as i64;
    if bits & !3 != 0 {
        let words = "Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
        return Err(redis_error(words));
    }
    Ok(())
}

fn log_line(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() < 2 {
        return Err(redis_error("redis.log() requires two arguments or more."));
    }
    let Some(level) = args.front().and_then(to_number) else {
        return Err(redis_error("First argument must be a number (log level)."));
    };
    let level = usize::try_from(level as i64).ok().and_then(|level| LOG_LEVELS.get(level));
    let Some(&(_, level)) = level else { return Err(redis_error("Invalid debug level.")) };
    if log::log_enabled!(level) {
        let words: Vec<Vec<u8>> = args.iter().skip(1).filter_map(to_bytes).collect();
        log::log!(level, "{}", String::from_utf8_lossy(&words.join(&b' ')));
    }
    Ok(())
}
