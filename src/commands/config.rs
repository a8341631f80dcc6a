//! CONFIG: shows and changes directives while the node runs, and writes them back to the
//! configuration file. What a change means beyond the directive itself is made true by the node.

use crate::base::glob;
use crate::config::{Caller, Change, Flags as DirectiveFlags, SetError, lookup, strerror};
use crate::core::Effect;
use crate::core::client::ClientFlags;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::resp::Error;

/// Where the pairs of CONFIG SET and the patterns of CONFIG GET begin.
const FIRST: usize = 2;

/// CONFIG GET parameter [parameter ...]
pub fn config_get(ctx: &mut Context<'_>) -> Result<(), Error> {
    let patterns: Vec<&[u8]> = ctx.args.iter_from(FIRST).collect();
    let matches = |pattern: &[u8], name: &[u8]| glob::matches_nocase(pattern, name);
    let shown = ctx.core.config.get_matching(&patterns, matches);
    ctx.client.reply.map(shown.len());
    for (name, value) in shown {
        ctx.client.reply.bulk(&name);
        ctx.client.reply.bulk(&value);
    }
    Ok(())
}

/// CONFIG SET parameter value [parameter value ...]
pub fn config_set(ctx: &mut Context<'_>) -> Result<(), Error> {
    let words: Vec<&[u8]> = ctx.args.iter_from(FIRST).collect();
    if words.len() % 2 == 1 {
        return Err(Error::Syntax);
    }
    let pairs: Vec<(&[u8], &[u8])> = words.chunks_exact(2).map(|p| (p[0], p[1])).collect();
    redact_secrets(ctx, &pairs);
    let caller = Caller { loading: ctx.core.is_loading(), local: ctx.client.is_local() };
    let change = ctx.core.config.set_many(&pairs, caller).map_err(refusal)?;
    if let Some(warning) = ctx.core.config.oom_score_adj_values.warning()
        && change.before().oom_score_adj_values != ctx.core.config.oom_score_adj_values
    {
        log::warn!("{warning}");
    }
    reply_once_true(ctx, change);
    Ok(())
}

/// Secrets stay out of SLOWLOG and MONITOR even when another pair is wrong.
fn redact_secrets(ctx: &mut Context<'_>, pairs: &[(&[u8], &[u8])]) {
    for (index, (name, _)) in pairs.iter().enumerate() {
        let found = lookup(name).map(|found| found.directive.flags);
        if found.is_some_and(|flags| flags.contains(DirectiveFlags::SENSITIVE)) {
            ctx.core.redacted.push(FIRST + 2 * index + 1);
        }
    }
}

fn refusal(error: SetError) -> Error {
    match error {
        SetError::Loading => Error::Custom(format!("LOADING {error}").into()),
        SetError::Unknown(_) | SetError::Refused { .. } => Error::err(error),
    }
}

/// The node replies once every reaction has acted. Replies of a transaction must keep their order,
/// so there OK is said at once, and a reaction that fails is undone and logged.
fn reply_once_true(ctx: &mut Context<'_>, change: Change) {
    ctx.core.configure_keyspace();
    ctx.core.configure_cluster();
    let in_exec = ctx.client.is(ClientFlags::DENY_BLOCKING);
    if change.reactions.is_empty() || in_exec {
        ctx.client.reply.ok();
    }
    if !change.reactions.is_empty() {
        let client = (!in_exec).then_some(ctx.client.id);
        ctx.core.effects.push(Effect::Reconfigure { client, change });
    }
}

/// CONFIG RESETSTAT
pub fn config_resetstat(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.reset_stats();
    ctx.client.reply.ok();
    Ok(())
}

/// CONFIG REWRITE
pub fn config_rewrite(ctx: &mut Context<'_>) -> Result<(), Error> {
    let config = &ctx.core.config;
    let Some(path) = &config.startup.config_file else {
        return Err(Error::err("The server is running without a config file"));
    };
    if let Err(error) = config.rewrite_file(path, None) {
        let words = strerror(&error);
        log::warn!("CONFIG REWRITE failed: {words}");
        return Err(Error::err(format_args!("Rewriting config file: {words}")));
    }
    log::info!("CONFIG REWRITE executed with success.");
    ctx.client.reply.ok();
    Ok(())
}

/// CONFIG HELP
pub fn config_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help("CONFIG", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "GET <pattern>",
    "    Return parameters matching the glob-like <pattern> and their values.",
    "SET <directive> <value>",
    "    Set the configuration <directive> to <value>.",
    "RESETSTAT",
    "    Reset statistics reported by the INFO command.",
    "REWRITE",
    "    Rewrite the configuration file.",
];

const CONFIG_SUBCOMMANDS: &[Command] = &[
    Command::new("config|get", -3, config_get)
        .summary("Shows the directives that patterns name.")
        .syntax("parameter...")
        .since("2.0.0", Group::Server)
        .complexity("O(N), N patterns")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE]),
    Command::new("config|help", 2, config_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("config|resetstat", 2, config_resetstat)
        .summary("Sets the counters of INFO to zero.")
        .since("2.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    Command::new("config|rewrite", 2, config_rewrite)
        .summary("Writes the directives back to the configuration file.")
        .since("2.8.0", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
    Command::new("config|set", -4, config_set)
        .summary("Changes directives, all of them or none.")
        .syntax("<parameter value>...")
        .since("2.0.0", Group::Server)
        .complexity("O(N), N directives")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:all_succeeded"]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::container("config", CONFIG_SUBCOMMANDS)
    .summary("Container of commands about the configuration.")
    .since("2.0.0", Group::Server)
    .complexity("Depends on the subcommand")];
