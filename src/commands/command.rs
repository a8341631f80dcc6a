//! COMMAND: the table of commands, told to clients. Reads declarations and writes replies; runs
//! nothing.

use crate::base::glob;
use crate::dispatch::command::Categories;
use crate::dispatch::declare::*;
use crate::dispatch::keyspec::{self, Begin, Find, KeyFlags, Search};
use crate::dispatch::syntax::{self, Argument, ArgumentType};
use crate::dispatch::{Context, Registered, Table};
use crate::resp::{Error, Reply};

const COMMAND_SUBCOMMANDS: &[Command] = &[
    Command::new("command|count", 2, command_count)
        .summary("Gives the number of commands.")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("command|docs", -2, command_docs)
        .summary("Gives the documentation of commands.")
        .syntax("[command-name...]")
        .since("7.0.0", Group::Server)
        .complexity("O(N), N commands asked for")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["nondeterministic_output_order"]),
    Command::new("command|getkeys", -3, command_getkeys)
        .summary("Picks the keys out of a whole command line.")
        .syntax("command [arg...]")
        .since("2.8.13", Group::Server)
        .complexity("O(N), N arguments")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("command|getkeysandflags", -3, command_getkeysandflags)
        .summary("Picks the keys out of a whole command line and tells how they are used.")
        .syntax("command [arg...]")
        .since("7.0.0", Group::Server)
        .complexity("O(N), N arguments")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("command|help", 2, command_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION]),
    Command::new("command|info", -2, command_info)
        .summary("Describes the given commands.")
        .syntax("[command-name...]")
        .since("2.8.13", Group::Server)
        .complexity("O(N), N commands asked for")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["nondeterministic_output_order"]),
    Command::new("command|list", -2, command_list)
        .summary("Lists the names of commands.")
        .syntax("[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]")
        .since("7.0.0", Group::Server)
        .complexity("O(N), N commands")
        .flags(&[LOADING, STALE])
        .categories(&[CONNECTION])
        .tips(&["nondeterministic_output_order"]),
];

/// COMMAND and its subcommands.
pub const COMMANDS: &[Command] = &[Command::new("command", -1, command)
    .summary("Describes all commands.")
    .since("2.8.13", Group::Server)
    .complexity("O(N), N commands")
    .flags(&[LOADING, STALE])
    .categories(&[CONNECTION])
    .tips(&["nondeterministic_output_order"])
    .subcommands(COMMAND_SUBCOMMANDS)];

/// COMMAND: all commands.
pub fn command(ctx: &mut Context<'_>) -> Result<(), Error> {
    let reply = &mut ctx.client.reply;
    reply.array(ctx.table.count());
    for registered in ctx.table.iter() {
        reply_info(reply, ctx.table, registered);
    }
    Ok(())
}

/// COMMAND COUNT.
fn command_count(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.table.count() as i64);
    Ok(())
}

/// COMMAND INFO: the given commands, null for unknown ones; without any, all.
fn command_info(ctx: &mut Context<'_>) -> Result<(), Error> {
    let names = ctx.args.iter_from(2);
    if names.len() == 0 {
        return command(ctx);
    }
    let reply = &mut ctx.client.reply;
    reply.array(names.len());
    for name in names {
        match ctx.table.by_full_name(name) {
            Some(registered) => reply_info(reply, ctx.table, registered),
            None => reply.null(),
        }
    }
    Ok(())
}

/// COMMAND DOCS: the given commands, unknown ones left out; without any, all.
fn command_docs(ctx: &mut Context<'_>) -> Result<(), Error> {
    let names = ctx.args.iter_from(2);
    let reply = &mut ctx.client.reply;
    if names.len() == 0 {
        reply.map(ctx.table.count());
        for registered in ctx.table.iter() {
            reply_named_docs(reply, ctx.table, registered);
        }
        return Ok(());
    }
    let found = names.filter_map(|name| ctx.table.by_full_name(name));
    reply.map(found.clone().count());
    for registered in found {
        reply_named_docs(reply, ctx.table, registered);
    }
    Ok(())
}

/// What COMMAND LIST shows.
enum Filter<'a> {
    All,
    /// Commands of a module, of which there are none.
    Module,
    /// None: no category is called that.
    Category(Option<Categories>),
    Pattern(&'a [u8]),
}

impl Filter<'_> {
    fn admits(&self, registered: &Registered) -> bool {
        match *self {
            Filter::All => true,
            Filter::Module => false,
            Filter::Category(category) => category
                .is_some_and(|category| registered.command.acl_categories().contains(category)),
            Filter::Pattern(pattern) => {
                glob::matches_nocase(pattern, registered.full_name.as_bytes())
            }
        }
    }
}

/// COMMAND LIST: full names, subcommands included.
fn command_list(ctx: &mut Context<'_>) -> Result<(), Error> {
    let filter = parse_filter(ctx)?;
    let reply = &mut ctx.client.reply;
    let begun = reply.array_deferred();
    let mut listed = 0;
    for top in ctx.table.iter() {
        for registered in std::iter::once(top).chain(ctx.table.subcommands(top)) {
            if filter.admits(registered) {
                reply.bulk(registered.full_name.as_bytes());
                listed += 1;
            }
        }
    }
    reply.end(begun, listed);
    Ok(())
}

fn parse_filter<'a>(ctx: &Context<'a>) -> Result<Filter<'a>, Error> {
    if ctx.args.len() == 2 {
        return Ok(Filter::All);
    }
    if ctx.args.len() != 5 || !ctx.args.at(2).eq_ignore_ascii_case(b"filterby") {
        return Err(Error::Syntax);
    }
    let by = ctx.args.at(4);
    match ctx.args.at(3).to_ascii_lowercase().as_slice() {
        b"module" => Ok(Filter::Module),
        b"aclcat" => Ok(Filter::Category(Categories::by_name(by))),
        b"pattern" => Ok(Filter::Pattern(by)),
        _ => Err(Error::Syntax),
    }
}

/// COMMAND GETKEYS: the keys of a whole command line.
fn command_getkeys(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_keys(ctx, |reply, key, _| reply.bulk(key))
}

/// COMMAND GETKEYSANDFLAGS: the same, each with how it is used.
fn command_getkeysandflags(ctx: &mut Context<'_>) -> Result<(), Error> {
    reply_keys(ctx, |reply, key, flags| {
        reply.array(2);
        reply.bulk(key);
        reply_names(reply, flags.names());
    })
}

fn reply_keys(
    ctx: &mut Context<'_>,
    each: impl Fn(&mut Reply, &[u8], KeyFlags),
) -> Result<(), Error> {
    let args = ctx.args.skip(2);
    let Some(registered) = ctx.table.lookup(args) else {
        return Err(Error::err("Invalid command specified"));
    };
    let command = registered.command;
    if !command.may_have_keys() {
        return Err(Error::err("The command has no key arguments"));
    }
    if !command.arity_fits(args.len()) {
        return Err(Error::err("Invalid number of arguments specified for command"));
    }
    let mut keys = Vec::new();
    let found = keyspec::keys_of(command, args, Search::Keys, &mut keys);
    if (found.is_err() || keys.is_empty()) && !command.flags.contains(NO_MANDATORY_KEYS) {
        return Err(Error::err("Invalid arguments specified for command"));
    }
    let reply = &mut ctx.client.reply;
    reply.array(keys.len());
    for key in keys {
        each(reply, args.at(key.index), key.flags);
    }
    Ok(())
}

/// COMMAND HELP.
fn command_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help("COMMAND", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "(no subcommand)",
    "    Return details about all Redis commands.",
    "COUNT",
    "    Return the total number of commands in this Redis server.",
    "LIST",
    "    Return a list of all commands in this Redis server.",
    "INFO [<command-name> ...]",
    "    Return details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "DOCS [<command-name> ...]",
    "    Return documentation details about multiple Redis commands.",
    "    If no command names are given, documentation details for all",
    "    commands are returned.",
    "GETKEYS <full-command>",
    "    Return the keys from a full Redis command.",
    "GETKEYSANDFLAGS <full-command>",
    "    Return the keys and the access flags from a full Redis command.",
];

/// A set of words, as simple strings.
fn reply_names(reply: &mut Reply, names: impl Iterator<Item = &'static str> + Clone) {
    reply.set(names.clone().count());
    for name in names {
        reply.simple(name);
    }
}

/// One command as COMMAND INFO describes it, its subcommands inside.
fn reply_info(reply: &mut Reply, table: &Table, registered: &Registered) {
    let command = registered.command;
    reply.array(10);
    reply.bulk(registered.full_name.as_bytes());
    reply.int(i64::from(command.arity));
    reply_names(reply, command.flags.names());
    let range = command.legacy_range;
    reply.int(i64::from(range.first));
    reply.int(i64::from(range.last));
    reply.int(i64::from(range.step));
    let categories = command.acl_categories();
    reply.set(categories.names().count());
    for name in categories.names() {
        reply.simple(&format!("@{name}"));
    }
    reply.set(command.tips.len());
    for tip in command.tips {
        reply.bulk(tip.as_bytes());
    }
    reply.set(command.keys.len());
    for spec in command.keys {
        reply_key_spec(reply, spec);
    }
    let subcommands = table.subcommands(registered);
    if command.is_container() {
        reply.array(subcommands.len())
    } else {
        reply.set(0)
    }
    for subcommand in subcommands {
        reply_info(reply, table, subcommand);
    }
}

fn reply_key_spec(reply: &mut Reply, spec: &KeySpec) {
    reply.map(3 + usize::from(!spec.note.is_empty()));
    if !spec.note.is_empty() {
        pair(reply, "notes", spec.note);
    }
    reply.bulk(b"flags");
    reply_names(reply, spec.flags.names());
    reply.bulk(b"begin_search");
    match spec.begin {
        Begin::Index(index) => {
            spec_part(reply, "index", 1);
            number(reply, "index", i64::from(index));
        }
        Begin::Keyword { word, start_from } => {
            spec_part(reply, "keyword", 2);
            pair(reply, "keyword", word);
            number(reply, "startfrom", i64::from(start_from));
        }
        Begin::Unknown => spec_part(reply, "unknown", 0),
    }
    reply.bulk(b"find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            spec_part(reply, "range", 3);
            number(reply, "lastkey", i64::from(last));
            number(reply, "keystep", i64::from(step));
            number(reply, "limit", i64::from(limit));
        }
        Find::KeyNum { count_at, first, step } => {
            spec_part(reply, "keynum", 3);
            number(reply, "keynumidx", i64::from(count_at));
            number(reply, "firstkey", i64::from(first));
            number(reply, "keystep", i64::from(step));
        }
        Find::Unknown => spec_part(reply, "unknown", 0),
    }
}

/// Begins a half of a key spec: its type, and a map of so many details.
fn spec_part(reply: &mut Reply, kind: &str, details: usize) {
    reply.map(2);
    pair(reply, "type", kind);
    reply.bulk(b"spec");
    reply.map(details);
}

fn pair(reply: &mut Reply, field: &str, value: &str) {
    reply.bulk(field.as_bytes());
    reply.bulk(value.as_bytes());
}

fn number(reply: &mut Reply, field: &str, value: i64) {
    reply.bulk(field.as_bytes());
    reply.int(value);
}

fn reply_named_docs(reply: &mut Reply, table: &Table, registered: &Registered) {
    reply.bulk(registered.full_name.as_bytes());
    reply_docs(reply, table, registered);
}

/// One command as COMMAND DOCS describes it, its subcommands inside.
fn reply_docs(reply: &mut Reply, table: &Table, registered: &Registered) {
    let command = registered.command;
    // Every declared syntax parses: the table test sees to it.
    let arguments = syntax::arguments_of(command).unwrap_or_default();
    let begun = reply.map_deferred();
    let mut fields = 3;
    pair(reply, "summary", command.summary);
    pair(reply, "since", command.since);
    pair(reply, "group", command.group.name());
    if !command.complexity.is_empty() {
        pair(reply, "complexity", command.complexity);
        fields += 1;
    }
    if command.deprecated.is_some() || command.internal {
        reply.bulk(b"doc_flags");
        let flags = [(command.deprecated.is_some(), "deprecated"), (command.internal, "syscmd")];
        reply_names(reply, flags.into_iter().filter_map(|(set, name)| set.then_some(name)));
        fields += 1;
    }
    if let Some(deprecated) = command.deprecated {
        pair(reply, "deprecated_since", deprecated.since);
        pair(reply, "replaced_by", deprecated.replaced_by);
        fields += 2;
    }
    if !arguments.is_empty() {
        reply.bulk(b"arguments");
        reply_arguments(reply, &arguments);
        fields += 1;
    }
    if command.is_container() {
        let subcommands = table.subcommands(registered);
        reply.bulk(b"subcommands");
        reply.map(subcommands.len());
        for subcommand in subcommands {
            reply_named_docs(reply, table, subcommand);
        }
        fields += 1;
    }
    reply.end(begun, fields);
}

fn reply_arguments(reply: &mut Reply, arguments: &[Argument]) {
    reply.array(arguments.len());
    for argument in arguments {
        reply_argument(reply, argument);
    }
}

fn reply_argument(reply: &mut Reply, argument: &Argument) {
    let is_group = matches!(argument.kind, ArgumentType::OneOf | ArgumentType::Block);
    let flags = argument.flag_names();
    let has_flags = flags.clone().next().is_some();
    let texts = [
        ("token", argument.token),
        ("since", argument.since),
        ("deprecated_since", argument.deprecated_since),
    ];
    let texts = texts.iter().filter_map(|&(field, text)| Some((field, text?)));
    // Name and type, then what it shows or, of a group, what it consists of.
    let fields = 3 + usize::from(argument.key_spec.is_some()) + usize::from(has_flags);
    reply.map(fields + texts.clone().count());
    pair(reply, "name", &argument.name);
    pair(reply, "type", argument.kind.name());
    if !is_group {
        pair(reply, "display_text", &argument.display);
    }
    if let Some(spec) = argument.key_spec {
        number(reply, "key_spec_index", spec as i64);
    }
    for (field, text) in texts {
        pair(reply, field, text);
    }
    if has_flags {
        reply.bulk(b"flags");
        reply_names(reply, flags);
    }
    if is_group {
        reply.bulk(b"arguments");
        reply_arguments(reply, &argument.arguments);
    }
}
