//! What a handler gets: the node's state, the client that asks, and the arguments.

use super::command::Command;
use super::cursor::Cursor;
use super::outside::{Around, Outside};
use super::registry::Table;
use crate::core::{Client, CommandId, Core};
use crate::keyspace::Key;
use crate::resp::{Args, Error};

/// One command's surroundings. Fields are public so that a handler can borrow the keyspace and the
/// reply apart.
pub struct Context<'a> {
    /// The node's state, without the running client.
    pub core: &'a mut Core,
    /// The client that asks; replies go to `client.reply`.
    pub client: &'a mut Client,
    /// The command's name and its arguments.
    pub args: Args<'a>,
    /// The command (or subcommand) that runs.
    pub command: &'static Command,
    /// The command's number.
    pub(super) command_id: CommandId,
    /// All commands.
    pub table: &'static Table,
    /// The node around, if it can be had.
    pub(super) outside: Option<&'a mut (dyn Outside + 'a)>,
    /// The key that `dispatch::prepare` hashed ahead, with its place among the arguments.
    pub(super) prepared_key: Option<&'a (usize, Key<'a>)>,
}

impl<'a> Context<'a> {
    /// The key at argument `index`, hashed (once per request, if it is the command's first key).
    #[inline(always)] // around what is rare
    pub fn key(&self, index: usize) -> Key<'a> {
        match self.prepared_key {
            Some((at, key)) if *at == index => *key,
            _ => self.hash_key(index),
        }
    }

    #[inline(never)]
    fn hash_key(&self, index: usize) -> Key<'a> {
        self.core.keyspace.key(self.args.at(index))
    }

    /// The container that the command is a subcommand of.
    pub fn container(&self) -> Option<CommandId> {
        self.table.by_id(self.command_id).container
    }

    /// What surrounds commands that this one runs, with the state and the client that they run on.
    pub(super) fn surroundings(&mut self) -> (&mut Core, &mut Client, Around<'_>) {
        let outside = self.outside.as_mut().map(|outside| &mut **outside as &mut dyn Outside);
        (self.core, self.client, Around { table: self.table, outside })
    }

    /// The arguments from `first` on, to be parsed one by one.
    pub fn cursor(&self, first: usize) -> Cursor<'a> {
        Cursor::new(self.args, first)
    }

    /// The current time in milliseconds since the epoch.
    #[inline]
    pub fn now_ms(&self) -> u64 {
        self.core.now.ms()
    }

    /// Replies with an error of this command although the handler goes on.
    pub fn reply_error(&mut self, error: &Error) {
        super::execute::reply_error(self.core, self.client, error);
    }
}
