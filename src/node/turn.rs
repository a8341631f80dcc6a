//! The loop: wait, take what is ready, give every ready client a turn, then do what follows once
//! per turn.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::event::Event;

use super::Node;
use super::listeners::{self, Listener};
use super::tokens::Source;
use super::{crash, system};
use crate::base::alloc;
use crate::base::clock::{self, CycleClock};
use crate::base::limits::ACCEPTS_PER_TURN;
use crate::core::Now;
use crate::core::effects::Shutdown;

/// Events taken from one poll.
pub const EVENTS_PER_POLL: usize = 1024;

impl Node {
    /// Serves until something sets an exit code.
    pub(super) fn run(&mut self) -> io::Result<i32> {
        let _counted = alloc::register_thread();
        alloc::set_background_thread(self.core.config.jemalloc_bg_thread);
        let _stack = crash::CrashStack::of_this_thread();
        // Only a process whose signals are handled reports crashes, and that one runs a single
        // node.
        let _watched = self.signals.is_some().then(|| crash::watch(&self.core));
        self.core.system = system::sample();
        self.core.note_memory_peak();
        self.announce_start();
        self.begin_load()?;
        let mut busy_nanos = 0;
        loop {
            let turn = CycleClock::now();
            self.before_sleep();
            if let Some(code) = self.exit {
                self.finish();
                return Ok(code);
            }
            self.core.stats.note_turn(busy_nanos + turn.elapsed_ns());
            self.wait()?;
            let turn = CycleClock::now();
            self.core.set_now(Now { unix_us: clock::unix_us() });
            self.take_events();
            self.load_on()?;
            self.serve_ready();
            self.accept_waiting();
            self.serve_bus();
            self.run_cron_if_due();
            self.run_cluster_cron_if_due();
            busy_nanos = turn.elapsed_ns();
        }
    }

    fn wait(&mut self) -> io::Result<()> {
        let core = &self.core;
        let idle = self.ready.is_empty()
            && core.pending_writes.is_empty()
            && core.pending_pushes.is_empty()
            && !(core.expiring || core.evicting)
            && self.loading.is_none()
            && !self.syncs_are_hungry()
            && !self.bus.as_ref().is_some_and(|bus| bus.has_work());
        let timeout = if idle { self.longest_sleep() } else { Duration::ZERO };
        match self.poll.poll(&mut self.events, Some(timeout)) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            other => other,
        }
    }

    /// Until the cron is due, or the time of a command that waits is over.
    fn longest_sleep(&self) -> Duration {
        let cron = self.cron.until_next(self.bus.is_some());
        let Some(next_ms) = self.core.timeouts.next_ms() else { return cron };
        let next_us = next_ms.saturating_mul(1000).saturating_sub(clock::unix_us());
        cron.min(Duration::from_micros(next_us))
    }

    pub(super) fn take_events(&mut self) {
        // The list is taken out for the time that its events change the node, and put back for the
        // next poll.
        let events = std::mem::replace(&mut self.events, mio::Events::with_capacity(0));
        for event in &events {
            match Source::of(event.token()) {
                Source::Client(token) => self.note_edge(token, event),
                Source::Waker => self.note_stop(),
                Source::Signals => self.take_signals(),
                Source::Child => self.look_after_child(),
                Source::Listener(index) => self.accepting.push(index),
                Source::BusListener(_) | Source::Link(_) => self.note_bus_event(event),
            }
        }
        self.events = events;
    }

    fn note_stop(&mut self) {
        if self.stop.load(Ordering::Acquire) {
            // Whoever holds the handle waits for the end, so that there must be one.
            self.shutdown(Shutdown { force: true, ..Shutdown::default() });
        }
    }

    fn note_edge(&mut self, token: usize, event: &Event) {
        let Some(connection) = self.connections.get_mut(token) else { return };
        if event.is_writable() {
            connection.writable = true;
            self.flush_blocked(token);
        }
        let Some(connection) = self.connections.get_mut(token) else { return };
        if event.is_read_closed() || event.is_error() {
            connection.peer_closed = true;
        }
        if event.is_readable() || connection.peer_closed {
            connection.readable = true;
            self.enqueue(token);
        }
    }

    fn note_bus_event(&mut self, event: &Event) {
        let Some(bus) = &mut self.bus else { return };
        match Source::of(event.token()) {
            Source::BusListener(index) => bus.note_accept(index),
            Source::Link(slot) => bus.note_edge(slot, event, &mut self.core),
            _ => {}
        }
    }

    pub(super) fn serve_bus(&mut self) {
        if let Some(bus) = &mut self.bus {
            bus.serve(&mut self.core);
        }
    }

    /// Lists a connection for its next turn, once.
    pub(super) fn enqueue(&mut self, token: usize) {
        if let Some(connection) = self.connections.get_mut(token)
            && !std::mem::replace(&mut connection.queued, true)
        {
            self.ready.push_back(token);
        }
    }

    /// Every connection that was ready when the turn began gets one turn. All are read before the
    /// first request runs, as the kernel's code and ours drive each other out of the caches.
    pub(super) fn serve_ready(&mut self) {
        let count = self.ready.len();
        for index in 0..count {
            self.receive(self.ready[index]);
        }
        for _ in 0..count {
            let Some(token) = self.ready.pop_front() else { return };
            self.serve(token);
        }
    }

    /// Puts bound listeners into the poll.
    pub(super) fn listen(&mut self, bound: Vec<Listener>) -> io::Result<()> {
        for mut listener in bound {
            let token = Source::Listener(self.listeners.len()).token();
            listener.register(self.poll.registry(), token)?;
            self.listeners.push(listener);
        }
        Ok(())
    }

    /// Replaces all listeners: port, bind or the unix socket changed.
    pub(super) fn relisten(&mut self) -> io::Result<()> {
        // What stays bound to the same address must be let go first.
        let old = std::mem::take(&mut self.listeners);
        for mut listener in old {
            let _ = listener.deregister(self.poll.registry());
        }
        let bound = listeners::bind_all(&self.core.config)?;
        self.core.identity.listeners = listeners::describe(&bound);
        self.core.cluster_ports.client = listeners::port(&bound);
        self.listen(bound)
    }

    /// Peers come in after those that leave have made room.
    pub(super) fn accept_waiting(&mut self) {
        while let Some(index) = self.accepting.pop() {
            self.accept_from(index);
        }
    }

    fn accept_from(&mut self, index: usize) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(index) else { return };
            match listener.accept(&self.core.config) {
                Ok(Some(peer)) => self.admit_peer(peer),
                Ok(None) => return,
                Err(error) => {
                    log::warn!("Accepting client connection: {error}");
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                        // The edge is gone but the peers still wait: ask again at the next cron.
                        self.cron.accept_again(index);
                        return;
                    }
                }
            }
        }
        self.cron.accept_again(index);
    }

    /// Listeners whose queue was left before it was empty.
    pub(super) fn accept_left(&mut self) {
        for index in self.cron.take_accepts() {
            self.accept_from(index);
        }
    }
}
