//! Which keys a command has read, for the client that keeps copies of them (Redis:
//! trackingRememberKeys). Asked after every command of a client that tracks.

use super::command::Flags;
use super::execute::Prepared;
use super::keyspec::{Search, keys_of};
use super::registry::Registered;
use crate::core::{Client, Core};

/// Notes the keys of a command that has run, if it is one that reads.
#[cold]
pub(super) fn remember_keys(
    core: &mut Core,
    client: &Client,
    entry: &Registered,
    request: &Prepared<'_>,
) {
    let flags = entry.command.flags;
    // The channels of SSUBSCRIBE and its kin only look like keys. Scripts read by their commands.
    let others = Flags::PUBSUB | Flags::RUNS_SCRIPT;
    let reads = flags.contains(Flags::READONLY) && !flags.intersects(others);
    if !reads || !client.remembers_keys() {
        return;
    }
    let mut keys = Vec::new();
    if keys_of(entry.command, request.args, Search::Keys, &mut keys).is_ok() {
        for key in keys {
            core.remember_key(client, request.args.at(key.index));
        }
    }
}
