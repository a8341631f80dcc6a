//! FUNCTION, FCALL and FCALL_RO. What a library is, `scripting::libraries` knows.

use super::scripting::{key_count, show, slot_of};
use crate::base::glob;
use crate::base::numbers::parse_i64;
use crate::core::value_limits;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::dispatch::scripts::{self, Job};
use crate::persistence::dump::{self, BadFooter};
use crate::persistence::rdb::WriteOptions;
use crate::persistence::rdb::library::Invalid;
use crate::resp::Error;
use crate::scripting::Given;
use crate::scripting::libraries::{Function, Libraries, Library, Policy};

/// FCALL function numkeys [key …] [arg …]
fn fcall(ctx: &mut Context<'_>) -> Result<(), Error> {
    call(ctx, false)
}

/// FCALL_RO function numkeys [key …] [arg …]
fn fcall_ro(ctx: &mut Context<'_>) -> Result<(), Error> {
    call(ctx, true)
}

fn call(ctx: &mut Context<'_>, read_only: bool) -> Result<(), Error> {
    show(ctx);
    if ctx.core.scripts.function_flags(ctx.args.at(1)).is_none() {
        return Err(Error::err("Function not found"));
    }
    let number = parse_i64(ctx.args.at(2));
    let keys = key_count(ctx, number.ok_or_else(|| Error::err("Bad number of keys provided"))?)?;
    let libraries = ctx.core.scripts.take_libraries().map_err(Error::err)?;
    let outcome = run(ctx, &libraries, keys, read_only);
    ctx.core.scripts.put_libraries(libraries);
    outcome
}

fn run(
    ctx: &mut Context<'_>,
    libraries: &Libraries,
    keys: usize,
    read_only: bool,
) -> Result<(), Error> {
    let found = libraries.function(ctx.args.at(1));
    let (name, function) = found.ok_or_else(|| Error::err("Function not found"))?;
    let slot = slot_of(ctx, keys);
    let job = Job { name, flags: function.flags, read_only, is_eval: false, slot };
    let given = Given { args: ctx.args, first: 3, keys };
    scripts::run(ctx, job, |host| libraries.call(function, given, host))
}

/// Changes the libraries.
fn change<T>(
    ctx: &mut Context<'_>,
    change: impl FnOnce(&mut Libraries) -> Result<T, String>,
) -> Result<T, Error> {
    let mut libraries = ctx.core.scripts.take_libraries().map_err(Error::err)?;
    let outcome = change(&mut libraries);
    ctx.core.scripts.put_libraries(libraries);
    let changed = outcome.map_err(Error::err)?;
    ctx.core.keyspace.dirty += 1;
    Ok(changed)
}

/// FUNCTION LOAD [REPLACE] function-code
fn load(ctx: &mut Context<'_>) -> Result<(), Error> {
    let last = ctx.args.len() - 1;
    for option in ctx.args.iter_from(2).take(last - 2) {
        if !option.eq_ignore_ascii_case(b"replace") {
            let shown = String::from_utf8_lossy(option);
            return Err(Error::err(format_args!("Unknown option given: {shown}")));
        }
    }
    let (text, replace) = (ctx.args.at(last), last > 2);
    let name = change(ctx, |libraries| libraries.load(text, replace, true))?;
    ctx.client.reply.bulk(&name);
    Ok(())
}

/// FUNCTION DELETE library-name
fn delete(ctx: &mut Context<'_>) -> Result<(), Error> {
    let name = ctx.args.at(2);
    change(ctx, |libraries| match libraries.delete(name) {
        true => Ok(()),
        false => Err("Library not found".into()),
    })?;
    ctx.client.reply.ok();
    Ok(())
}

/// FUNCTION FLUSH [ASYNC | SYNC]
fn flush(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 3 {
        return Err(Error::subcommand_syntax("FUNCTION", ctx.args.at(1)));
    }
    let known = ctx.args.get(2).is_none_or(|word| {
        word.eq_ignore_ascii_case(b"sync") || word.eq_ignore_ascii_case(b"async")
    });
    if !known {
        return Err(Error::err("FUNCTION FLUSH only supports SYNC|ASYNC option"));
    }
    ctx.core.scripts.flush_libraries();
    ctx.core.keyspace.dirty += 1;
    ctx.client.reply.ok();
    Ok(())
}

/// FUNCTION KILL
fn kill(ctx: &mut Context<'_>) -> Result<(), Error> {
    scripts::kill(ctx.core, false)?;
    ctx.client.reply.ok();
    Ok(())
}

/// FUNCTION DUMP
fn dump_all(ctx: &mut Context<'_>) -> Result<(), Error> {
    let options = WriteOptions { compress: ctx.core.config.rdbcompression };
    let texts = ctx.core.scripts.library_texts();
    let mut payload = Vec::new();
    dump::write_libraries(&mut payload, texts.into_iter(), options);
    ctx.client.reply.bulk(&payload);
    Ok(())
}

/// FUNCTION RESTORE serialized-value [FLUSH | APPEND | REPLACE]
fn restore(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len() > 4 {
        return Err(Error::subcommand_syntax("FUNCTION", ctx.args.at(1)));
    }
    let policy = match ctx.args.get(3).map(<[u8]>::to_ascii_lowercase).as_deref() {
        None | Some(b"append") => Policy::Append,
        Some(b"replace") => Policy::Replace,
        Some(b"flush") => Policy::Flush,
        Some(_) => {
            return Err(Error::err(
                "Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.",
            ));
        }
    };
    let body = dump::open(ctx.args.at(2), ctx.core.debug.payload_checksum)
        .map_err(|BadFooter| Error::err("DUMP payload version or checksum are wrong"))?;
    let limits = value_limits::of_reading(ctx.core, ctx.core.config.proto_max_bulk_len, true);
    let texts = dump::read_libraries(body, limits).map_err(|invalid| {
        Error::err(match invalid {
            Invalid::PreGa => "Pre-GA function format not supported",
            Invalid::OtherType => "given type is not a function",
            Invalid::Text => "Failed loading library code",
        })
    })?;
    change(ctx, |libraries| libraries.restore(&texts, policy))?;
    ctx.client.reply.ok();
    Ok(())
}

/// FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]
fn list(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (mut pattern, mut with_code) = (None, false);
    let mut options = ctx.cursor(2);
    while options.remaining() > 0 {
        if !with_code && options.take_word("WITHCODE") {
            with_code = true;
        } else if pattern.is_none() && options.take_word("LIBRARYNAME") {
            let given = options.next();
            pattern = Some(given.ok_or_else(|| Error::err("library name argument was not given"))?);
        } else {
            let shown = String::from_utf8_lossy(options.expect()?);
            return Err(Error::err(format_args!("Unknown argument {shown}")));
        }
    }
    let reply = &mut ctx.client.reply;
    let begun = reply.array_deferred();
    let mut count = 0;
    for (name, library) in ctx.core.scripts.libraries().into_iter().flat_map(Libraries::iter) {
        if pattern.is_none_or(|pattern| glob::matches_nocase(pattern, name)) {
            describe(reply, name, library, with_code);
            count += 1;
        }
    }
    reply.end(begun, count);
    Ok(())
}

fn describe(reply: &mut crate::resp::Reply, name: &[u8], library: &Library, with_code: bool) {
    reply.map(if with_code { 4 } else { 3 });
    reply.bulk(b"library_name");
    reply.bulk(name);
    reply.bulk(b"engine");
    reply.bulk(b"LUA");
    reply.bulk(b"functions");
    reply.array(library.functions.len());
    for (name, Function { flags, description, .. }) in &library.functions {
        reply.map(3);
        reply.bulk(b"name");
        reply.bulk(name);
        reply.bulk(b"description");
        match description {
            Some(words) => reply.bulk(words),
            None => reply.null(),
        }
        reply.bulk(b"flags");
        reply.set(flags.names().count());
        flags.names().for_each(|name| reply.simple(name));
    }
    if with_code {
        reply.bulk(b"library_code");
        reply.bulk(&library.text);
    }
}

/// FUNCTION STATS
fn stats(ctx: &mut Context<'_>) -> Result<(), Error> {
    let scripts = &ctx.core.scripts;
    let running = scripts.running.as_ref();
    if running.is_some_and(|running| running.is_eval) {
        return Err(Error::BusyScript);
    }
    let reply = &mut ctx.client.reply;
    reply.map(2);
    reply.bulk(b"running_script");
    // Nobody could ask while one does not run for long.
    match running.and_then(|running| Some((running, running.busy.as_ref()?))) {
        None => reply.null(),
        Some((running, busy)) => {
            reply.map(3);
            reply.bulk(b"name");
            reply.bulk(&busy.name);
            reply.bulk(b"command");
            let args = busy.args.args();
            reply.array(args.len());
            args.iter_from(0).for_each(|arg| reply.bulk(arg));
            reply.bulk(b"duration_ms");
            reply.int(running.elapsed_ms() as i64);
        }
    }
    let figures = scripts.figures();
    reply.bulk(b"engines");
    reply.map(1);
    reply.bulk(b"LUA");
    reply.map(2);
    reply.bulk(b"libraries_count");
    reply.int(figures.libraries as i64);
    reply.bulk(b"functions_count");
    reply.int(figures.functions as i64);
    Ok(())
}

/// FUNCTION HELP
fn help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "FUNCTION",
        &[
            "DELETE <LIBRARY NAME>",
            "    Forget a library with its functions.",
            "DUMP",
            "    Give all libraries as a payload for FUNCTION RESTORE.",
            "FLUSH [ASYNC|SYNC]",
            "    Forget all libraries.",
            "KILL",
            "    End the function that runs.",
            "LIST [LIBRARYNAME PATTERN] [WITHCODE]",
            "    Describe libraries and their functions.",
            "LOAD [REPLACE] <FUNCTION CODE>",
            "    Load a library.",
            "RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]",
            "    Add the libraries of a payload to those that are there, or replace these.",
            "STATS",
            "    Tell which function runs, and how many there are.",
        ],
    );
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("fcall", -3, fcall)
        .summary("Calls a function.")
        .syntax("function numkeys [key]... [arg]...")
        .since("7.0.0", Group::Scripting)
        .complexity("Depends on the function")
        .flags(&[NOSCRIPT, STALE, SKIP_MONITOR, MAY_REPLICATE, NO_MANDATORY_KEYS, RUNS_FUNCTION])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RW, ACCESS, UPDATE])
            .note("What a function does with its keys is not known beforehand: anything.")]),
    Command::new("fcall_ro", -3, fcall_ro)
        .summary("Calls a function that may only read.")
        .syntax("function numkeys [key]... [arg]...")
        .since("7.0.0", Group::Scripting)
        .complexity("Depends on the function")
        .flags(&[READONLY, NOSCRIPT, STALE, SKIP_MONITOR, NO_MANDATORY_KEYS, RUNS_FUNCTION])
        .categories(&[SCRIPTING])
        .keys(&[KeySpec::counted(2, &[RO, ACCESS])
            .note("What a function reads of its keys is not known beforehand: anything.")]),
    Command::container("function", FUNCTION)
        .summary("Looks after function libraries.")
        .since("7.0.0", Group::Scripting),
];

const EVERYWHERE: &[&str] = &["request_policy:all_shards", "response_policy:all_succeeded"];

const FUNCTION: &[Command] = &[
    Command::new("function|delete", 3, delete)
        .summary("Forgets a library with its functions.")
        .syntax("library-name")
        .since("7.0.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[WRITE, NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(EVERYWHERE),
    Command::new("function|dump", 2, dump_all)
        .summary("Gives all libraries as a payload.")
        .since("7.0.0", Group::Scripting)
        .complexity("O(N), N functions")
        .flags(&[NOSCRIPT])
        .categories(&[SCRIPTING]),
    Command::new("function|flush", -2, flush)
        .summary("Forgets all libraries.")
        .syntax("[ASYNC | SYNC]:flush-type")
        .since("7.0.0", Group::Scripting)
        .complexity("O(N), N functions")
        .flags(&[WRITE, NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(EVERYWHERE),
    Command::new("function|help", 2, help)
        .summary("Describes the subcommands.")
        .since("7.0.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[SCRIPTING]),
    Command::new("function|kill", 2, kill)
        .summary("Ends the function that runs, unless it has written.")
        .since("7.0.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .categories(&[SCRIPTING])
        .tips(&["request_policy:all_shards", "response_policy:one_succeeded"]),
    Command::new("function|list", -2, list)
        .summary("Describes libraries.")
        .syntax("[LIBRARYNAME library-name-pattern] [WITHCODE]")
        .since("7.0.0", Group::Scripting)
        .complexity("O(N), N functions")
        .flags(&[NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(&["nondeterministic_output_order"]),
    Command::new("function|load", -3, load)
        .summary("Loads a library.")
        .syntax("[REPLACE] function-code")
        .since("7.0.0", Group::Scripting)
        .complexity("O(1), the time aside that its code takes")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(EVERYWHERE),
    Command::new("function|restore", -3, restore)
        .summary("Loads all libraries of a payload.")
        .syntax("serialized-value [FLUSH | APPEND | REPLACE]:policy")
        .since("7.0.0", Group::Scripting)
        .complexity("O(N), N functions of the payload")
        .flags(&[WRITE, DENYOOM, NOSCRIPT])
        .categories(&[SCRIPTING])
        .tips(EVERYWHERE),
    Command::new("function|stats", 2, stats)
        .summary("Tells which function runs, and how many there are.")
        .since("7.0.0", Group::Scripting)
        .complexity("O(1)")
        .flags(&[NOSCRIPT, ALLOW_BUSY])
        .categories(&[SCRIPTING])
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
];
