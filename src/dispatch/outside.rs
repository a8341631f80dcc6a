//! What commands need of the program around the core, and cannot find in it. The node hands it in
//! with requests that may run a script; whoever else runs commands has nothing to offer.

use super::registry::Table;
use crate::core::Core;

/// Whether a script that took a turn of the loop may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It may.
    Done,
    /// The node is to end, and with it the script.
    End,
}

/// The node around the core.
pub trait Outside {
    /// Serves all other clients for a moment, while the command of one goes on for long. They are
    /// refused all but what is allowed while a script is busy.
    fn turn(&mut self, core: &mut Core) -> Turn;
}

/// What surrounds a command beside the core and its client.
pub struct Around<'a> {
    /// All commands.
    pub table: &'static Table,
    /// The node, if it can be had.
    pub outside: Option<&'a mut (dyn Outside + 'a)>,
}

impl Around<'_> {
    /// Nothing but the commands.
    pub fn only(table: &'static Table) -> Self {
        Around { table, outside: None }
    }
}
