//! DEBUG: what tests and people who debug need. Its subcommands are words of one command, as in
//! Redis, and not commands of their own.

mod digest;
mod inspect;
mod protocol;
mod settings;

use crate::base::clock;
use crate::base::glob;
use crate::core::Effect;
use crate::core::client::ClientFlags;
use crate::core::effects::Reload;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::Lookup;
use crate::resp::Error;
use crate::value::NewValue;

use std::alloc::{Layout, handle_alloc_error};
use std::ops::RangeInclusive;
use std::time::Duration;

type Subcommand = fn(&mut Context<'_>) -> Result<(), Error>;

/// Word, number of arguments (DEBUG and the word included), and what runs.
const SUBCOMMANDS: &[(&str, RangeInclusive<usize>, Subcommand)] = &[
    ("ASSERT", ANY_ARGS, assert),
    ("CLIENT-EVICTION", 2..=2, inspect::client_eviction),
    ("CLUSTERLINK", 5..=5, settings::clusterlink),
    ("CONFIG-REWRITE-FORCE-ALL", 2..=2, settings::config_rewrite_force_all),
    ("CRASH-AND-RECOVER", ANY_ARGS, restart),
    ("DIGEST", 2..=2, digest::digest),
    ("DIGEST-VALUE", ANY_ARGS, digest::digest_value),
    ("DROP-CLUSTER-PACKET-FILTER", 3..=3, settings::drop_cluster_packet_filter),
    ("ERROR", 3..=3, protocol::error),
    ("HELP", 2..=2, help),
    ("HTSTATS", 3..=usize::MAX, inspect::htstats),
    ("HTSTATS-KEY", 3..=usize::MAX, inspect::htstats_key),
    ("LEAK", 3..=3, leak),
    ("LISTPACK", 3..=3, inspect::listpack),
    ("LOG", 3..=3, log_line),
    ("MALLCTL", 3..=usize::MAX, settings::mallctl),
    ("MALLCTL-STR", 3..=usize::MAX, settings::mallctl_str),
    ("OBJECT", 3..=3, inspect::object),
    ("OOM", ANY_ARGS, oom),
    ("PANIC", ANY_ARGS, panic),
    ("PAUSE-CRON", 3..=3, settings::pause_cron),
    ("POPULATE", 3..=5, populate),
    ("PROTOCOL", 3..=3, protocol::protocol),
    ("QUICKLIST", 3..=4, inspect::quicklist),
    ("QUICKLIST-PACKED-THRESHOLD", 3..=3, settings::quicklist_packed_threshold),
    ("RELOAD", ANY_ARGS, reload),
    ("REPLYBUFFER", 4..=4, settings::replybuffer),
    ("RESTART", ANY_ARGS, restart),
    ("SDSLEN", 3..=3, inspect::sdslen),
    ("SEGFAULT", ANY_ARGS, segfault),
    ("SET-ACTIVE-EXPIRE", 3..=3, settings::set_active_expire),
    ("SET-DISABLE-DENY-SCRIPTS", 3..=3, settings::set_disable_deny_scripts),
    ("SET-SKIP-CHECKSUM-VALIDATION", 3..=3, settings::set_skip_checksum_validation),
    ("SLEEP", 3..=3, sleep),
    ("STRINGMATCH-TEST", 2..=2, stringmatch_test),
    ("STRUCTSIZE", 2..=2, inspect::structsize),
];

const ANY_ARGS: RangeInclusive<usize> = 2..=usize::MAX;

/// DEBUG subcommand [argument ...]
pub fn debug(ctx: &mut Context<'_>) -> Result<(), Error> {
    let word = ctx.args.at(1);
    let found = SUBCOMMANDS.iter().find(|(name, args, _)| {
        word.eq_ignore_ascii_case(name.as_bytes()) && args.contains(&ctx.args.len())
    });
    match found {
        Some((_, _, run)) => run(ctx),
        None => Err(unknown(word)),
    }
}

/// As Redis words it where it does not tell what of the two is wrong.
fn unknown(word: &[u8]) -> Error {
    let shown = String::from_utf8_lossy(&word[..word.len().min(128)]);
    Error::err(format_args!(
        "unknown subcommand or wrong number of arguments for '{shown}'. Try DEBUG HELP."
    ))
}

/// An integer as C's `atoi` reads it: what is none counts as 0.
fn is_nonzero(arg: &[u8]) -> bool {
    let digits = arg.trim_ascii_start();
    let digits = digits.strip_prefix(b"-").or(digits.strip_prefix(b"+")).unwrap_or(digits);
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.into_iter().any(|&byte| byte != b'0')
}

fn parse_positive(arg: &[u8]) -> Result<u64, Error> {
    let parsed = parse_i64(arg).ok().and_then(|n| u64::try_from(n).ok());
    parsed.ok_or_else(|| Error::err("value is out of range, must be positive"))
}

fn assert(_: &mut Context<'_>) -> Result<(), Error> {
    let (one, two) = (1, 2);
    assert_eq!(one, two, "DEBUG ASSERT called");
    Ok(())
}

fn panic(ctx: &mut Context<'_>) -> Result<(), Error> {
    panic!("DEBUG PANIC called at Unix time {}", ctx.core.now.seconds());
}

/// Ends the process as an allocation does that cannot be had.
fn oom(ctx: &mut Context<'_>) -> Result<(), Error> {
    const TOO_MUCH: usize = isize::MAX as usize - 4095;
    let layout = Layout::array::<u8>(TOO_MUCH).map_err(|_| Error::OutOfMemory)?;
    let mut bytes: Vec<u8> = Vec::new();
    if bytes.try_reserve_exact(TOO_MUCH).is_err() {
        log::error!("Out Of Memory allocating {TOO_MUCH} bytes!");
        handle_alloc_error(layout);
    }
    // No machine has that much; were there one, nothing would be wrong.
    ctx.client.reply.ok();
    Ok(())
}

fn segfault(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = ctx.args.to_owned();
    ctx.core.effects.push(Effect::Segfault { client: ctx.client.id, args });
    Ok(())
}

/// RESTART ends in order first, CRASH-AND-RECOVER does not.
fn restart(ctx: &mut Context<'_>) -> Result<(), Error> {
    let delay_ms = ctx.args.get(2).map_or(Ok(0), parse_i64)?;
    ctx.core.effects.push(Effect::Restart {
        client: ctx.client.id,
        graceful: ctx.args.at(1).eq_ignore_ascii_case(b"RESTART"),
        delay_ms: u64::try_from(delay_ms).unwrap_or(0),
    });
    Ok(())
}

fn reload(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut how = Reload::default();
    let mut options = ctx.cursor(2);
    while options.remaining() > 0 {
        match () {
            () if options.take_word("MERGE") => how.merge = true,
            () if options.take_word("NOFLUSH") => how.noflush = true,
            () if options.take_word("NOSAVE") => how.nosave = true,
            () => {
                let words = "DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.";
                return Err(Error::err(words));
            }
        }
    }
    let in_exec = ctx.client.is(ClientFlags::DENY_BLOCKING);
    if in_exec {
        // Replies of a transaction keep their order: a failure is in the log.
        ctx.client.reply.ok();
    }
    let client = (!in_exec).then_some(ctx.client.id);
    ctx.core.effects.push(Effect::Reload { client, how });
    Ok(())
}

fn leak(ctx: &mut Context<'_>) -> Result<(), Error> {
    Box::leak(ctx.args.at(2).to_vec().into_boxed_slice());
    ctx.client.reply.ok();
    Ok(())
}

fn log_line(ctx: &mut Context<'_>) -> Result<(), Error> {
    log::warn!("DEBUG LOG: {}", String::from_utf8_lossy(ctx.args.at(2)));
    ctx.client.reply.ok();
    Ok(())
}

fn sleep(ctx: &mut Context<'_>) -> Result<(), Error> {
    // What is no number is no time.
    let text = std::str::from_utf8(ctx.args.at(2)).unwrap_or_default();
    let seconds = text.trim_start().parse::<f64>().unwrap_or(0.0);
    if let Ok(duration) = Duration::try_from_secs_f64(seconds) {
        clock::sleep(duration);
    }
    ctx.client.reply.ok();
    Ok(())
}

/// POPULATE count [prefix] [size]
fn populate(ctx: &mut Context<'_>) -> Result<(), Error> {
    let count = parse_positive(ctx.args.at(2))?;
    let prefix = ctx.args.get(3).unwrap_or(b"key");
    let size = ctx.args.get(4).map_or(Ok(0), parse_positive)?;
    if size > ctx.core.config.proto_max_bulk_len as u64 {
        return Err(Error::StringTooLong);
    }
    let db = ctx.client.db;
    let keyspace = &mut ctx.core.keyspace;
    let (mut name, mut value) = (Vec::new(), Vec::new());
    for index in 0..count {
        name.clear();
        name.extend_from_slice(prefix);
        name.extend_from_slice(format!(":{index}").as_bytes());
        value.clear();
        value.extend_from_slice(format!("value:{index}").as_bytes());
        if size > 0 {
            value.resize(size as usize, 0);
        }
        let key = keyspace.key(&name);
        if keyspace.lookup_read_with(db, &key, Lookup::all()).is_none() {
            // A key whose time is over may still be there, hidden.
            keyspace.remove(db, &key, crate::keyspace::Free::Now);
            keyspace.insert(db, &key, NewValue::from_bytes(&value), None);
        }
    }
    ctx.client.reply.ok();
    Ok(())
}

/// Patterns and texts at random: whatever they are, matching must end.
fn stringmatch_test(ctx: &mut Context<'_>) -> Result<(), Error> {
    const ROUNDS: usize = 100_000;
    const ALPHABET: &[u8] = b"ab*?[]^-\\\0\xff";
    let rng = &mut ctx.core.rng;
    let mut random = || {
        let length = rng.below(32);
        let bytes = (0..length).map(|_| ALPHABET[rng.below(ALPHABET.len() as u64) as usize]);
        bytes.collect::<Vec<u8>>()
    };
    let mut matched = 0usize;
    for _ in 0..ROUNDS {
        let (pattern, text) = (random(), random());
        matched += usize::from(glob::matches(&pattern, &text));
    }
    log::debug!("{matched} of {ROUNDS} random patterns matched");
    ctx.client.reply.simple("Apparently Redis did not crash: test passed");
    Ok(())
}

fn help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help("DEBUG", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "ASSERT",
    "    Crash by assertion failed.",
    "CONFIG-REWRITE-FORCE-ALL",
    "    Like CONFIG REWRITE but writes all configuration options, including",
    "    keywords not listed in original configuration file or default values.",
    "CRASH-AND-RECOVER [<milliseconds>]",
    "    Hard crash and restart after a <milliseconds> delay (default 0).",
    "DIGEST",
    "    Output a hex signature representing the current DB content.",
    "DIGEST-VALUE <key> [<key> ...]",
    "    Output a hex signature of the values of all the specified keys.",
    "ERROR <string>",
    "    Return a Redis protocol error with <string> as message. Useful for clients",
    "    unit tests to simulate Redis errors.",
    "LEAK <string>",
    "    Create a memory leak of the input string.",
    "LOG <message>",
    "    Write <message> to the server log.",
    "HTSTATS <dbid> [full]",
    "    Return hash table statistics of the specified Redis database.",
    "HTSTATS-KEY <key> [full]",
    "    Like HTSTATS but for the hash table stored at <key>'s value.",
    "MALLCTL <key> [<val>]",
    "    Get or set a malloc tuning integer.",
    "MALLCTL-STR <key> [<val>]",
    "    Get or set a malloc tuning string.",
    "OBJECT <key>",
    "    Show low level info about `key` and associated value.",
    "DROP-CLUSTER-PACKET-FILTER <packet-type>",
    "    Drop all packets that match the filtered type. Set to -1 allow all packets.",
    "OOM",
    "    Crash the server simulating an out-of-memory error.",
    "PANIC",
    "    Crash the server simulating a panic.",
    "POPULATE <count> [<prefix>] [<size>]",
    "    Create <count> string keys named key:<num>. If <prefix> is specified then",
    "    it is used instead of the 'key' prefix. These are not propagated to",
    "    replicas. Cluster slots are not respected so keys not belonging to the",
    "    current node can be created in cluster mode.",
    "PROTOCOL <type>",
    "    Reply with a test value of the specified type. <type> can be: string,",
    "    integer, double, bignum, null, array, set, map, attrib, push, verbatim,",
    "    true, false.",
    "RELOAD [option ...]",
    "    Save the RDB on disk and reload it back to memory. Valid <option> values:",
    "    * MERGE: conflicting keys will be loaded from RDB.",
    "    * NOFLUSH: the existing database will not be removed before load, but",
    "      conflicting keys will generate an exception and kill the server.",
    "    * NOSAVE: the database will be loaded from an existing RDB file.",
    "    Examples:",
    "    * DEBUG RELOAD: verify that the server is able to persist, flush and reload",
    "      the database.",
    "    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an",
    "      existing RDB file.",
    "    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB",
    "      file to the database.",
    "RESTART [<milliseconds>]",
    "    Graceful restart: save config, db, restart after a <milliseconds> delay (default 0).",
    "SDSLEN <key>",
    "    Show low level SDS string info representing `key` and value.",
    "SEGFAULT",
    "    Crash the server with sigsegv.",
    "SET-ACTIVE-EXPIRE <0|1>",
    "    Setting it to 0 disables expiring keys in background when they are not",
    "    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the",
    "    default.",
    "QUICKLIST-PACKED-THRESHOLD <size>",
    "    Sets the threshold for elements to be inserted as plain vs packed nodes",
    "    Default value is 1GB, allows values up to 4GB. Setting to 0 restores to default.",
    "SET-SKIP-CHECKSUM-VALIDATION <0|1>",
    "    Enables or disables checksum checks for RDB files and RESTORE's payload.",
    "SLEEP <seconds>",
    "    Stop the server for <seconds>. Decimals allowed.",
    "STRINGMATCH-TEST",
    "    Run a fuzz tester against the stringmatchlen() function.",
    "STRUCTSIZE",
    "    Return the size of different Redis core C structures.",
    "LISTPACK <key>",
    "    Show low level info about the listpack encoding of <key>.",
    "QUICKLIST <key> [<0|1>]",
    "    Show low level info about the quicklist encoding of <key>.",
    "    The optional argument (0 by default) sets the level of detail",
    "CLIENT-EVICTION",
    "    Show low level client eviction pools info (maxmemory-clients).",
    "PAUSE-CRON <0|1>",
    "    Stop periodic cron job processing.",
    "REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>",
    "    Sets the time (in milliseconds) to wait between client reply buffer peak resets.",
    "    In case NEVER is provided the last observed peak will never be reset",
    "    In case RESET is provided the peak reset time will be restored to the default value",
    "REPLYBUFFER RESIZING <0|1>",
    "    Enable or disable the reply buffer resize cron job",
    "CLUSTERLINK KILL <to|from|all> <node-id>",
    "    Kills the link based on the direction to/from (both) with the provided node.",
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::new("debug", -2, debug)
    .summary("Container of commands for tests and debugging.")
    .since("1.0.0", Group::Server)
    .complexity("Depends on the subcommand")
    .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, PROTECTED])
    .internal()];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switches_are_read_as_c_reads_integers() {
        for on in ["1", "-1", " 5x", "007", "+2"] {
            assert!(is_nonzero(on.as_bytes()), "{on}");
        }
        for off in ["", "0", "x1", "-0", "yes", "00"] {
            assert!(!is_nonzero(off.as_bytes()), "{off}");
        }
    }
}
