//! What happens `hz` times a second, however busy the loop is: expiry, timeouts, sampling, memory.

use std::time::{Duration, Instant};

use super::{Node, system};
use crate::base::clock::{self, CycleClock};
use crate::core::Core;
use crate::dispatch::blocked;

/// When the next run is due, and what is waiting for it.
#[derive(Debug)]
pub struct Cron {
    period: Duration,
    next: Instant,
    /// When the cluster's turn is, whatever the rate.
    next_cluster: Instant,
    /// Runs so far.
    pub(super) runs: u64,
    /// Listeners whose queue was left before it was empty.
    accepts: Vec<usize>,
    /// How many commands had run when the system was asked last.
    sampled_at: u64,
}

/// With dynamic-hz, the rate doubles until a run sees at most so many clients
/// (Redis: MAX_CLIENTS_PER_CLOCK_TICK).
const CLIENTS_PER_RUN: usize = 200;
const HZ_MAX: u32 = 500;
/// How often a cluster node looks after its links and the other nodes.
const CLUSTER_PERIOD: Duration = Duration::from_millis(100);
/// So much earlier the cluster's turn may be, so that an idle node wakes once for it and the cron.
const CLUSTER_SLACK: Duration = Duration::from_millis(5);

impl Cron {
    /// Due at once, so that the first reply already sees sampled figures.
    pub fn new(core: &Core) -> Self {
        let mut cron = Cron {
            period: Duration::from_millis(100),
            next: crate::base::clock::instant(),
            next_cluster: crate::base::clock::instant(),
            runs: 0,
            accepts: Vec::new(),
            sampled_at: 0,
        };
        cron.set_hz(core);
        cron
    }

    /// Takes the rate from the configuration and the number of clients.
    pub fn set_hz(&mut self, core: &Core) {
        let mut hz = core.config.hz;
        while core.config.dynamic_hz
            && core.clients.len() / hz as usize > CLIENTS_PER_RUN
            && hz < HZ_MAX
        {
            hz = (hz * 2).min(HZ_MAX);
        }
        self.period = Duration::from_secs(1) / hz;
    }

    /// Runs per second.
    pub fn hz(&self) -> u32 {
        (Duration::from_secs(1).as_micros() / self.period.as_micros()) as u32
    }

    /// How long the loop may wait.
    pub fn until_next(&self, in_cluster: bool) -> Duration {
        let next = if in_cluster { self.next.min(self.next_cluster) } else { self.next };
        next.saturating_duration_since(crate::base::clock::instant())
    }

    /// Whether the cluster's turn has come; if so, the next one is a period away.
    fn take_cluster_due(&mut self) -> bool {
        let now = crate::base::clock::instant();
        let due = now + CLUSTER_SLACK >= self.next_cluster;
        if due {
            self.next_cluster = now + CLUSTER_PERIOD;
        }
        due
    }

    /// Has a listener asked again at the next run.
    pub fn accept_again(&mut self, index: usize) {
        self.accepts.push(index);
        self.next = self.next.min(crate::base::clock::instant() + Duration::from_millis(10));
    }

    /// The listeners to be asked again.
    pub fn take_accepts(&mut self) -> Vec<usize> {
        std::mem::take(&mut self.accepts)
    }

    /// Whether a run is due; if so, the next one is a period away.
    fn take_due(&mut self) -> bool {
        let now = crate::base::clock::instant();
        let due = now >= self.next;
        if due {
            self.next = now + self.period;
            self.runs += 1;
        }
        due
    }

    /// Whether something that is done every `period` is due in this run (Redis: run_with_period).
    pub(super) fn every(&self, period: Duration) -> bool {
        period <= self.period
            || self.runs.is_multiple_of((period.as_micros() / self.period.as_micros()) as u64)
    }
}

impl Node {
    pub(super) fn run_cron_if_due(&mut self) {
        if !self.cron.take_due() || self.core.debug.cron_paused {
            return;
        }
        self.act_on_signals();
        let started = CycleClock::now();
        self.cron.set_hz(&self.core);
        self.core.hz = self.cron.hz();
        self.accept_left();
        if self.core.pause.end_if_over(self.core.now.ms()) {
            self.core.pause_changed();
            self.resume_postponed();
        }
        self.clients_cron();
        self.core.expire_cycle();
        self.core.tracking_cron();
        self.core.note_memory_peak();
        self.core.scripts.note_figures();
        self.saving_cron();
        if self.cron.every(Duration::from_millis(100)) {
            self.sample_system();
            self.core.sample_rates();
        }
        if self.cron.every(Duration::from_secs(1)) {
            self.core.peers.close_idle(self.core.now.seconds());
        }
        if self.cron.every(Duration::from_secs(5)) {
            self.core.log_verbose_summary();
        }
        self.core.stats.cron_nanos += started.elapsed_ns();
    }

    /// Asks the system how this process does: every second, and more often while it has commands to
    /// run. An idle node changes little, and this is most of what its cron costs.
    fn sample_system(&mut self) {
        let commands = self.core.stats.commands_processed;
        if commands != self.cron.sampled_at || self.cron.every(Duration::from_secs(1)) {
            self.cron.sampled_at = commands;
            self.core.system = system::sample();
        }
    }

    pub(super) fn run_cluster_cron_if_due(&mut self) {
        if let Some(bus) = &mut self.bus
            && self.cron.take_cluster_due()
            && !self.core.debug.cron_paused
        {
            bus.cron(&mut self.core);
        }
    }

    /// Once per turn, in a fixed order. What a command changed in the cluster is on disk before its
    /// reply leaves.
    pub(super) fn before_sleep(&mut self) {
        if let Some(bus) = &mut self.bus {
            bus.before_sleep(&mut self.core);
        }
        if !self.core.timeouts.is_empty() {
            blocked::time_out(&mut self.core, self.table, clock::unix_ms());
        }
        self.core.expire_between_turns();
        self.core.evict_in_background();
        self.run_effects();
        if self.core.keyspace.has_events() {
            self.core.publish_events(None);
        }
        self.core.tell_of_turn();
        self.core.evict_clients(None);
        self.run_effects();
        self.feed_syncs();
        self.flush_pending();
        if let Some(bus) = &mut self.bus {
            bus.flush(&mut self.core);
        }
        self.ship_garbage();
    }

    fn ship_garbage(&mut self) {
        let garbage = self.core.keyspace.take_garbage();
        if !garbage.is_empty() {
            self.helper.free(garbage);
        }
    }
}
