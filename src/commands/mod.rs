//! Commands, one file per family. A handler parses all its arguments, looks up, acts and replies,
//! in this order; it touches no other connection but through effects. Each family ends with its
//! `COMMANDS` table.

pub mod bits;
pub mod blocking_lists;
pub mod client;
pub mod cluster;
pub mod command;
mod computed;
pub mod config;
pub mod connection;
pub mod debug;
mod draws;
pub mod dump;
mod expire;
pub mod functions;
pub mod geo;
pub mod hash_fields;
pub mod hashes;
pub mod hyperloglog;
mod key_batches;
pub mod keys;
pub mod latency;
mod lcs;
pub mod lists;
pub mod lolwut;
pub mod memory;
pub mod migrate;
mod object;
pub mod persistence;
pub mod pubsub;
pub mod replication;
#[cfg(test)]
mod restore_fuzz;
mod scan;
pub mod scripting;
pub mod server;
mod set_algebra;
pub mod sets;
pub mod slowlog;
pub mod sort;
pub mod streams;
mod string_options;
pub mod strings;
mod tracking;
pub mod transactions;
mod typed;
pub mod zset_algebra;
pub mod zset_blocking;
pub mod zset_pops;
pub mod zset_ranges;
pub mod zsets;

use std::io;
use std::sync::LazyLock;

use crate::config::{Config, LoadError};
use crate::dispatch::{Command, Table};

/// The tables of all families, from which a node builds its command table.
pub const FAMILIES: &[&[Command]] = &[
    blocking_lists::COMMANDS,
    bits::COMMANDS,
    client::COMMANDS,
    cluster::COMMANDS,
    command::COMMANDS,
    config::COMMANDS,
    connection::COMMANDS,
    debug::COMMANDS,
    dump::COMMANDS,
    functions::COMMANDS,
    geo::COMMANDS,
    hash_fields::COMMANDS,
    hashes::COMMANDS,
    hyperloglog::COMMANDS,
    keys::COMMANDS,
    latency::COMMANDS,
    lists::COMMANDS,
    memory::COMMANDS,
    persistence::COMMANDS,
    pubsub::COMMANDS,
    migrate::COMMANDS,
    replication::COMMANDS,
    scripting::COMMANDS,
    server::COMMANDS,
    sets::COMMANDS,
    slowlog::COMMANDS,
    sort::COMMANDS,
    streams::COMMANDS,
    strings::COMMANDS,
    transactions::COMMANDS,
    zset_algebra::COMMANDS,
    zset_blocking::COMMANDS,
    zset_pops::COMMANDS,
    zset_ranges::COMMANDS,
    zsets::COMMANDS,
];

/// The table of all commands, under the names that the configuration gives them.
pub fn table(config: &Config) -> io::Result<&'static Table> {
    static DEFAULT: LazyLock<Table> = LazyLock::new(|| Table::new(FAMILIES));
    if config.startup.rename_commands.is_empty() {
        return Ok(&DEFAULT);
    }
    // Requests refer to the table for as long as the process lives; a renamed one is made once per
    // node.
    let mut table = Table::new(FAMILIES);
    for renamed in &config.startup.rename_commands {
        table.rename(&renamed.from, &renamed.to).map_err(|words| {
            io::Error::new(io::ErrorKind::InvalidInput, LoadError::at(&renamed.line, words))
        })?;
    }
    Ok(table.leak())
}
