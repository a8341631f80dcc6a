//! Clients whose command waits for keys: what is kept of the command, and until when it waits. Who
//! waits for which key, and in which order, is the keyspace's (`keyspace::waiting`); putting a
//! command off and running it again is `dispatch::blocked`'s. Replies to nobody.

use std::collections::BTreeSet;

use super::{ClientId, CommandId};
use crate::resp::OwnedArgs;

/// Until when a command waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deadline {
    /// For as long as it takes.
    Never,
    /// Through this millisecond since the epoch.
    At(u64),
}

/// A command that waits, to be run again when one of its keys is ready.
#[derive(Debug)]
pub struct KeptCommand {
    /// The command.
    pub command: CommandId,
    /// Its arguments, its name included.
    pub args: OwnedArgs,
    /// Until when it waits.
    pub deadline: Deadline,
    /// Time that it has run so far.
    pub nanos: u64,
}

impl KeptCommand {
    /// Bytes that it holds.
    pub fn memory(&self) -> usize {
        size_of::<Self>() + self.args.heap_bytes()
    }
}

/// The deadlines of all commands that wait, soonest first.
#[derive(Debug, Default)]
pub struct Timeouts {
    deadlines: BTreeSet<(u64, ClientId)>,
}

impl Timeouts {
    /// A client begins to wait.
    pub fn add(&mut self, client: ClientId, deadline: Deadline) {
        if let Deadline::At(ms) = deadline {
            self.deadlines.insert((ms, client));
        }
    }

    /// A client waits no longer.
    pub fn remove(&mut self, client: ClientId, deadline: Deadline) {
        if let Deadline::At(ms) = deadline {
            self.deadlines.remove(&(ms, client));
        }
    }

    /// How many clients wait with a deadline (INFO: clients_in_timeout_table).
    pub fn len(&self) -> usize {
        self.deadlines.len()
    }

    /// Whether nobody does.
    pub fn is_empty(&self) -> bool {
        self.deadlines.is_empty()
    }

    /// The first millisecond in which somebody's time is over.
    #[inline]
    pub fn next_ms(&self) -> Option<u64> {
        self.deadlines.first().map(|(ms, _)| ms.saturating_add(1))
    }

    /// Takes a client whose time is over.
    pub fn take_over(&mut self, now_ms: u64) -> Option<ClientId> {
        let is_over = self.next_ms().is_some_and(|ms| ms <= now_ms);
        if is_over { self.deadlines.pop_first().map(|(_, client)| client) } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clients_are_taken_in_the_order_of_their_deadlines() {
        let mut timeouts = Timeouts::default();
        let (a, b, c) = (ClientId(1), ClientId(2), ClientId(3));
        timeouts.add(a, Deadline::At(20));
        timeouts.add(b, Deadline::At(10));
        timeouts.add(c, Deadline::Never);
        assert_eq!((timeouts.len(), timeouts.next_ms()), (2, Some(11)));
        assert_eq!(timeouts.take_over(10), None);
        assert_eq!(timeouts.take_over(30), Some(b));
        assert_eq!(timeouts.take_over(30), Some(a));
        assert_eq!(timeouts.take_over(u64::MAX), None);
        timeouts.add(a, Deadline::At(5));
        timeouts.remove(a, Deadline::At(5));
        timeouts.remove(c, Deadline::Never);
        assert!(timeouts.is_empty() && timeouts.next_ms().is_none());
    }
}
