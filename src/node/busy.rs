//! Scripts that run for too long: while one goes on, everybody else gets turns of the loop in which
//! little is allowed but to end it. A request that may run a script is lent the core, and handed
//! the rest of the node; `dispatch::scripts` gives the core back for such a turn.

use std::time::Duration;

use super::Node;
use crate::base::clock;
use crate::config::Config;
use crate::core::{Client, Core, Now};
use crate::dispatch::command::Flags;
use crate::dispatch::execute::{self, Outcome, Prepared};
use crate::dispatch::outside::Turn;
use crate::dispatch::{Around, Outside};

impl Node {
    /// Runs one request, all gates included.
    #[inline]
    pub(super) fn process(&mut self, client: &mut Client, request: &Prepared<'_>) -> Outcome {
        if may_run_scripts(client, request) {
            return self.process_lending(client, request);
        }
        execute::process(&mut self.core, client, &mut Around::only(self.table), request)
    }

    #[cold]
    fn process_lending(&mut self, client: &mut Client, request: &Prepared<'_>) -> Outcome {
        let stand_in = self.stand_in.take().unwrap_or_else(stand_in);
        let mut core = std::mem::replace(&mut self.core, stand_in);
        let mut around = Around { table: self.table, outside: Some(self) };
        let outcome = execute::process(&mut core, client, &mut around, request);
        self.stand_in = Some(std::mem::replace(&mut self.core, core));
        outcome
    }

    /// A turn of the loop without those parts that follow time: nothing expires, and the time of
    /// nobody who waits is over, as long as a script sees the time stand still.
    fn busy_turn(&mut self) -> Turn {
        // Whatever ends the loop itself ends it after the script.
        if let Err(error) = self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
            log::debug!("Polling while a script runs: {error}");
            return Turn::Done;
        }
        self.core.set_now(Now { unix_us: clock::unix_us() });
        self.take_events();
        self.serve_ready();
        self.accept_waiting();
        self.serve_bus();
        self.run_effects();
        self.flush_pending();
        if let Some(bus) = &mut self.bus {
            bus.flush(&mut self.core);
        }
        if self.exit.is_some() { Turn::End } else { Turn::Done }
    }
}

impl Outside for Node {
    fn turn(&mut self, core: &mut Core) -> Turn {
        std::mem::swap(&mut *self.core, core);
        let turn = self.busy_turn();
        std::mem::swap(&mut *self.core, core);
        turn
    }
}

/// Whether a request, or what MULTI has queued before it, is a script.
#[inline]
fn may_run_scripts(client: &Client, request: &Prepared<'_>) -> bool {
    let flags = request.entry.map_or(Flags::empty(), |entry| entry.command.flags);
    if flags.contains(Flags::RUNS_QUEUE)
        && let Some(open) = &client.transaction
    {
        return Flags::from_bits_retain(open.flags).intersects(Flags::RUNS_SCRIPT);
    }
    flags.intersects(Flags::RUNS_SCRIPT)
}

/// A core that nobody uses.
#[cold]
fn stand_in() -> Box<Core> {
    Box::new(Core::new(Config::default(), Vec::new(), Now::default()))
}
