//! The only I/O: the poll loop, listeners, connections, signals, the cron and the helper thread.
//! Everything that bytes mean happens in `dispatch` and below.

mod banner;
mod bus;
mod bus_link;
mod busy;
mod child;
mod clients_cron;
mod closing;
pub mod connection;
pub mod crash;
mod cron;
mod dial;
mod effects;
mod files;
mod flush;
mod helper;
mod joining;
mod listeners;
mod loading;
pub mod logging;
mod nodes_file;
pub mod process;
mod requests;
mod restart;
mod saving;
mod server;
mod signals;
mod snapshot_file;
mod sync;
mod system;
mod tokens;
mod turn;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use mio::{Events, Poll};
use slab::Slab;

use self::bus::Bus;
use self::connection::Connection;
use self::cron::Cron;
use self::helper::Helper;
use self::listeners::Listener;
use self::loading::Loading;
use self::saving::Saver;
use self::signals::Signals;
use crate::core::Core;
use crate::dispatch::Table;
use crate::resp::request::Batch;

pub use server::{Handle, Server};

/// One node: the core, and the sockets around it.
pub struct Node {
    /// Boxed, so that it can be lent to a script while the rest of the node is handed to it.
    core: Box<Core>,
    /// What stands in the core's place meanwhile.
    stand_in: Option<Box<Core>>,
    table: &'static Table,
    poll: Poll,
    events: Events,
    /// By the client's token.
    connections: Slab<Connection>,
    listeners: Vec<Listener>,
    /// Listeners with peers that wait.
    accepting: Vec<usize>,
    /// Connections that have input or output left although no edge will say so.
    ready: VecDeque<usize>,
    batch: Batch,
    /// Turns that messages have been waiting to be sent.
    pushes_waited: u32,
    /// The cluster bus; none when standalone.
    bus: Option<Box<Bus>>,
    cron: Cron,
    /// The snapshot that is being made, and who waits for it.
    saver: Saver,
    /// The snapshot that is being loaded.
    loading: Option<Box<Loading>>,
    helper: Helper,
    signals: Option<Signals>,
    /// Set by a handle on another thread, together with a wake-up.
    stop: Arc<AtomicBool>,
    /// The exit code, once the node is to end.
    exit: Option<i32>,
}

impl Node {
    fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(Listener::address).collect()
    }
}
