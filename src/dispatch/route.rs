//! The cluster's gate: finds the slots of a request in what the command table says of its keys, and
//! asks the cluster who serves them. Called by `admit` in cluster mode only. Knows no command by
//! name.

use super::admit::flags_of;
use super::command::Flags;
use super::execute::Prepared;
use super::keyspec;
use super::registry::{Registered, Table};
use crate::cluster::{Census, Cluster, Query, Route};
use crate::core::client::ClientFlags;
use crate::core::{Client, Core};
use crate::keyspace::Slot;
use crate::resp::{Args, Error};

/// The surroundings of the question.
#[derive(Clone, Copy)]
pub struct Gate<'a> {
    /// The node's state.
    pub core: &'a Core,
    /// Its cluster.
    pub cluster: &'a Cluster,
    /// All commands.
    pub table: &'a Table,
}

impl Gate<'_> {
    /// Refuses what this node does not serve, with the words that send the client elsewhere.
    #[inline]
    pub fn check(
        &self,
        client: &Client,
        entry: &Registered,
        request: &Prepared<'_>,
    ) -> Result<(), Error> {
        let command = entry.command;
        if let Some((_, key)) = &request.key
            && command.is_routed_by_one_key()
            && self.cluster.serves(key.slot())
        {
            return Ok(());
        }
        if !command.is_routed() && !command.flags.contains(Flags::RUNS_QUEUE) {
            return Ok(());
        }
        self.check_all(client, entry, request.args)
    }

    #[inline(never)]
    fn check_all(&self, client: &Client, entry: &Registered, args: Args<'_>) -> Result<(), Error> {
        let query = self.query(client, entry, args);
        let route = if entry.command.flags.contains(Flags::RUNS_QUEUE) {
            let keys = || self.queued_keys(client);
            self.route(keys, query)
        } else {
            let keys = || keyspec::routed(entry.command, args).map(|index| args.at(index));
            self.route(keys, query)
        };
        // No connection uses TLS.
        match self.cluster.refusal(route, false) {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    fn route<'a, I>(&self, keys: impl Fn() -> I, query: Query) -> Route
    where
        I: Iterator<Item = &'a [u8]>,
    {
        self.cluster.route(keys().map(Slot::of_key), query, || self.count(keys()))
    }

    /// What a request of keys is asked for.
    fn query(&self, client: &Client, entry: &Registered, args: Args<'_>) -> Query {
        let flags = entry.command.flags;
        Query {
            write: flags_of(self.core, client, entry, args).contains(Flags::WRITE),
            asking: client.is(ClientFlags::ASKING) || flags.contains(Flags::ASKING),
            readonly: client.is(ClientFlags::READONLY),
            shard_channels: entry.command.is_routed_by_channels(),
            moves_keys: flags.contains(Flags::MOVES_KEYS),
        }
    }

    /// Where a command of a script is served, and the slot of its first key.
    pub fn route_of(
        &self,
        client: &Client,
        entry: &Registered,
        args: Args<'_>,
    ) -> (Route, Option<Slot>) {
        let keys = || keyspec::routed(entry.command, args).map(|index| args.at(index));
        let route = self.route(keys, self.query(client, entry, args));
        (route, keys().next().map(Slot::of_key))
    }

    /// The keys of everything that MULTI queued.
    fn queued_keys<'a>(&'a self, client: &'a Client) -> impl Iterator<Item = &'a [u8]> {
        let queue = client.transaction.iter().flat_map(|open| &open.queue);
        queue.flat_map(|queued| {
            let args = queued.args.args();
            let command = self.table.by_id(queued.command).command;
            keyspec::routed(command, args).map(move |index| args.at(index))
        })
    }

    /// Which of the keys are here. Nothing expires by being looked at.
    fn count<'a>(&self, keys: impl Iterator<Item = &'a [u8]>) -> Census {
        let keyspace = &self.core.keyspace;
        let mut census = Census::default();
        let mut first = None;
        for key in keys {
            let exists = keyspace.exists(0, &keyspace.key(key));
            census.existing |= exists;
            census.missing |= !exists;
            census.several |= *first.get_or_insert(key) != key;
        }
        census
    }
}
