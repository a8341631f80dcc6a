//! The public face of a node: bind, then run on this thread or spawn one.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use mio::{Events, Poll, Waker};
use slab::Slab;

use super::cron::Cron;
use super::dial::TcpDialer;
use super::helper::Helper;
use super::saving::Saver;
use super::signals::Signals;
use super::tokens::WAKER;
use super::turn::EVENTS_PER_POLL;
use super::{Node, crash, files, joining, listeners};
use crate::base::{clock, hash};
use crate::config::Config;
use crate::core::{Core, Now};
use crate::resp::request::Batch;

/// A node that is bound to its addresses and not yet serving.
///
/// ```
/// let server = redis_rust::Server::bind(redis_rust::Config::default().port(0))?;
/// let node = server.spawn();
/// println!("listening on {}", node.addresses()[0]);
/// # node.stop()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Server {
    node: Node,
    waker: Arc<Waker>,
}

impl Server {
    /// Binds every address of the configuration. Fails if one that is not optional cannot be bound.
    pub fn bind(mut config: Config) -> io::Result<Self> {
        hash::seed_from_entropy();
        files::fit_maxclients(&mut config);
        let poll = Poll::new()?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
        let table = crate::commands::table(&config)?;
        let now = Now { unix_us: clock::unix_us() };
        if !config.startup.keeps_snapshots {
            config.save.clear();
        }
        config.databases = if config.cluster_enabled { 1 } else { config.databases };
        let known = if config.cluster_enabled { Some(joining::load(&config)?) } else { None };
        let bound = listeners::bind_all(&config)?;
        let mut core = Core::new(config, table.full_names(), now);
        core.identity.listeners = listeners::describe(&bound);
        core.cluster_ports.client = listeners::port(&bound);
        let bus = match known {
            Some(known) => Some(known.join(&mut core, poll.registry())?),
            None => None,
        };
        core.peers.install(Box::new(TcpDialer));
        let mut node = Node {
            cron: Cron::new(&core),
            core: Box::new(core),
            stand_in: None,
            table,
            poll,
            events: Events::with_capacity(EVENTS_PER_POLL),
            connections: Slab::new(),
            listeners: Vec::new(),
            accepting: Vec::new(),
            ready: VecDeque::new(),
            batch: Batch::default(),
            pushes_waited: 0,
            bus,
            helper: Helper::start()?,
            saver: Saver::default(),
            loading: None,
            signals: None,
            stop: Arc::new(AtomicBool::new(false)),
            exit: None,
        };
        node.listen(bound)?;
        Ok(Server { node, waker })
    }

    /// Ends in order on SIGTERM and SIGINT, as the program does. Signals belong to the whole
    /// process, so an embedding program decides.
    pub fn handle_signals(mut self) -> io::Result<Self> {
        self.node.signals = Some(Signals::install(self.node.poll.registry())?);
        crash::install(&self.node.core.config);
        Ok(self)
    }

    /// The TCP addresses that are bound.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.node.addresses()
    }

    /// The port of the cluster bus; none when standalone.
    pub fn bus_port(&self) -> Option<u16> {
        self.node.bus.is_some().then_some(self.node.core.cluster_ports.bus)
    }

    /// Serves on this thread until a signal or SHUTDOWN; the exit code.
    pub fn run(mut self) -> io::Result<i32> {
        self.node.run()
    }

    /// Serves on a thread of its own.
    pub fn spawn(self) -> Handle {
        let addresses = self.addresses();
        let bus_port = self.bus_port();
        let stop = self.node.stop.clone();
        let waker = self.waker.clone();
        let thread = std::thread::spawn(move || self.run());
        Handle { addresses, bus_port, stop, waker, thread: Some(thread) }
    }
}

impl Node {
    /// Sends what was replied and lets go of everything.
    pub(super) fn finish(&mut self) {
        self.flush_pending();
        self.listeners.clear();
        log::warn!("Redis is now ready to exit, bye bye...");
    }
}

/// A node that runs on its own thread. Dropping it stops the node.
pub struct Handle {
    addresses: Vec<SocketAddr>,
    bus_port: Option<u16>,
    stop: Arc<AtomicBool>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<io::Result<i32>>>,
}

impl Handle {
    /// The TCP addresses that are bound.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// The port of the cluster bus; none when standalone.
    pub fn bus_port(&self) -> Option<u16> {
        self.bus_port
    }

    /// Stops the node and waits until it has ended; its exit code.
    pub fn stop(mut self) -> io::Result<i32> {
        self.end()
    }

    fn end(&mut self) -> io::Result<i32> {
        let Some(thread) = self.thread.take() else { return Ok(0) };
        self.stop.store(true, Ordering::Release);
        self.waker.wake()?;
        thread.join().unwrap_or_else(|_| Err(io::Error::other("the node's thread panicked")))
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let _ = self.end();
    }
}
