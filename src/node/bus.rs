//! The cluster bus: accepts and opens links, cuts what they bring into packets for the cluster,
//! and carries out what the cluster asks for. Sockets are written once per turn, after nodes.conf:
//! whatever the cluster wants on disk is there before anyone hears of it. Never decides anything
//! about the cluster.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr};

use bytes::Bytes;
use mio::event::Event;
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry};
use slab::Slab;

use super::bus_link::{self, BusLink};
use super::connection::{ReadOutcome, WriteOutcome};
use super::nodes_file::NodesFile;
use super::tokens::{LinkSlot, Source};
use crate::base::limits::{
    BUS_ACCEPTS_PER_TURN, BUS_PACKETS_PER_TURN, BUS_READ_BYTES_PER_TURN, BUS_UNKNOWN_LINK_MS,
    BUS_UNKNOWN_PACKET_BYTES_MAX,
};
use crate::cluster::wire::{Malformed, frame_len};
use crate::cluster::{Action, Cluster, Env, LinkId};
use crate::config::strerror;
use crate::core::Core;
use crate::keyspace::Free;

/// Where in a packet its kind stands.
const KIND_BYTES: std::ops::Range<usize> = 12..14;

/// The sockets of the bus, and the file of the cluster.
pub struct Bus {
    listeners: Vec<TcpListener>,
    registry: Registry,
    links: Slab<BusLink>,
    by_id: BTreeMap<LinkId, LinkSlot>,
    /// Listeners with nodes that wait.
    accepting: Vec<usize>,
    /// Listeners to be asked again by the cron: there were no descriptors left.
    accepting_later: Vec<usize>,
    /// Links with input although no edge will say so.
    ready: VecDeque<LinkSlot>,
    /// Links with output.
    unsent: Vec<LinkSlot>,
    /// What is read is cut into packets here; only the rest is kept per link.
    scratch: Vec<u8>,
    file: NodesFile,
}

/// Why a link's packets were left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// No whole packet is left.
    Starved,
    /// The turn's budget is spent.
    Budget,
    /// The link is closed.
    Gone,
}

/// The cluster, and what it is handed with every event.
fn parts(core: &mut Core) -> Option<(&mut Cluster, Env<'_>)> {
    let now_ms = core.now.ms();
    Some((core.cluster.as_deref_mut()?, Env { now_ms, keys: &core.keyspace }))
}

impl Bus {
    /// Puts bound listeners into the poll. `file` holds what the cluster was loaded from.
    pub fn new(
        registry: &Registry,
        mut listeners: Vec<TcpListener>,
        file: NodesFile,
    ) -> io::Result<Self> {
        for (index, listener) in listeners.iter_mut().enumerate() {
            registry.register(listener, Source::BusListener(index).token(), Interest::READABLE)?;
        }
        Ok(Bus {
            listeners,
            registry: registry.try_clone()?,
            links: Slab::new(),
            by_id: BTreeMap::new(),
            accepting: Vec::new(),
            accepting_later: Vec::new(),
            ready: VecDeque::new(),
            unsent: Vec::new(),
            scratch: vec![0; BUS_READ_BYTES_PER_TURN],
            file,
        })
    }

    /// Whether there is something to be done that no event will announce.
    pub fn has_work(&self) -> bool {
        !(self.ready.is_empty() && self.accepting.is_empty() && self.unsent.is_empty())
    }

    /// The file of the cluster.
    pub fn file(&mut self) -> &mut NodesFile {
        &mut self.file
    }

    // ---- events

    /// Nodes wait at a listener.
    pub fn note_accept(&mut self, index: usize) {
        self.accepting.push(index);
    }

    /// Something happened on a link.
    pub fn note_edge(&mut self, slot: LinkSlot, event: &Event, core: &mut Core) {
        let Some(link) = self.links.get_mut(slot.0) else { return };
        link.writable |= event.is_writable();
        link.peer_closed |= event.is_read_closed() || event.is_error();
        link.readable |= event.is_readable() || link.peer_closed;
        if link.connecting {
            self.finish_connect(slot, core);
        }
        let Some(link) = self.links.get_mut(slot.0).filter(|link| !link.connecting) else { return };
        if link.readable {
            self.list_ready(slot);
        }
        self.list_unsent(slot);
    }

    /// Does what is ready: links in turn, then who waits to be accepted.
    pub fn serve(&mut self, core: &mut Core) {
        for _ in 0..self.ready.len() {
            let Some(slot) = self.ready.pop_front() else { break };
            self.serve_link(slot, core);
        }
        for index in std::mem::take(&mut self.accepting) {
            self.accept_from(index, core);
        }
        self.carry_out(core);
    }

    /// To be called every 100 milliseconds.
    pub fn cron(&mut self, core: &mut Core) {
        self.accepting.append(&mut self.accepting_later);
        self.close_strangers(core);
        if let Some((cluster, env)) = parts(core) {
            cluster.cron(env);
        }
        self.carry_out(core);
    }

    /// What the turn's events and commands asked for. Afterwards nodes.conf is as new as it must be
    /// before anyone is told: replies to clients, and [`Bus::flush`].
    pub fn before_sleep(&mut self, core: &mut Core) {
        if let Some((cluster, env)) = parts(core) {
            cluster.before_sleep(env);
        }
        self.carry_out(core);
    }

    /// Sends what was queued in this turn.
    pub fn flush(&mut self, core: &mut Core) {
        for slot in std::mem::take(&mut self.unsent) {
            let Some(link) = self.links.get_mut(slot.0) else { continue };
            link.unsent = false;
            match link.flush() {
                WriteOutcome::Drained | WriteOutcome::Blocked => self.report(slot, core),
                WriteOutcome::Budget => {
                    self.report(slot, core);
                    self.list_unsent(slot);
                }
                WriteOutcome::Closed(kind) => {
                    log::trace!("I/O error writing to node link: {kind}");
                    self.lose(slot, core);
                }
            }
        }
    }

    // ---- links come and go

    fn accept_from(&mut self, index: usize, core: &mut Core) {
        for _ in 0..BUS_ACCEPTS_PER_TURN {
            let Some(listener) = self.listeners.get(index) else { return };
            match listener.accept() {
                Ok((socket, peer)) => self.admit(socket, peer, core),
                Err(e) if e.kind() == ErrorKind::WouldBlock => return,
                Err(error) => {
                    log::debug!("Error accepting cluster node: {error}");
                    if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)) {
                        self.accepting_later.push(index);
                        return;
                    }
                }
            }
        }
        self.accepting.push(index);
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr, core: &mut Core) {
        log::debug!("Accepting cluster node connection from {}:{}", peer.ip(), peer.port());
        let Some((cluster, env)) = parts(core) else { return };
        if let Err(error) = bus_link::tune(&socket, cluster.settings.node_timeout_ms) {
            log::debug!("Error accepting cluster node connection: {error}");
            return;
        }
        let local = socket.local_addr().map(|a| a.ip().to_string()).unwrap_or_default();
        let id = cluster.link_accepted(&peer.ip().to_string(), &local, env.now_ms);
        let link = BusLink::new(id, socket, peer, false, env.now_ms);
        if let Err(error) = self.add(link, core) {
            log::debug!("Error creating an accepting connection for cluster node: {error}");
            self.forget(id, core);
        }
    }

    fn connect(&mut self, id: LinkId, ip: &str, port: u16, core: &mut Core) {
        let opened = ip
            .parse::<IpAddr>()
            .map_err(|_| io::Error::from(ErrorKind::InvalidInput))
            .map(|ip| SocketAddr::new(ip, port))
            .and_then(|peer| Ok((bus_link::connect(peer, source_address(core))?, peer)))
            .and_then(|(socket, peer)| {
                self.add(BusLink::new(id, socket, peer, true, core.now.ms()), core)
            });
        if let Err(error) = opened {
            let words = strerror(&error);
            log::trace!("Unable to connect to Cluster Node [{ip}]:{port} -> {words}");
            self.forget(id, core);
        }
    }

    fn finish_connect(&mut self, slot: LinkSlot, core: &mut Core) {
        let Some(link) = self.links.get_mut(slot.0) else { return };
        let (id, peer) = (link.id, link.peer);
        let outcome = link.check_connected();
        let Some((cluster, env)) = parts(core) else { return };
        match outcome {
            Ok(false) => {}
            Ok(true) => {
                // Without these options a link is slower to notice trouble, but of use.
                let _ = bus_link::tune(link.socket(), cluster.settings.node_timeout_ms);
                link.connecting = false;
                link.writable = true;
                cluster.link_connected(id, &link.local_ip(), env);
                log::trace!("Connected to cluster node at {peer}");
            }
            Err(error) => {
                let node = cluster.links.get(id).and_then(|link| link.node);
                let name = node.map(|node| cluster.nodes[node].id.to_string()).unwrap_or_default();
                let words = strerror(&error);
                log::debug!("Connection with Node {name} at {peer} failed: {words}");
                self.lose(slot, core);
            }
        }
    }

    fn add(&mut self, link: BusLink, core: &mut Core) -> io::Result<()> {
        let id = link.id;
        let slot = LinkSlot(self.links.insert(link));
        let both = Interest::READABLE | Interest::WRITABLE;
        let socket = self.links[slot.0].socket();
        if let Err(error) = self.registry.register(socket, Source::Link(slot).token(), both) {
            self.links.remove(slot.0);
            return Err(error);
        }
        self.by_id.insert(id, slot);
        self.report(slot, core);
        Ok(())
    }

    /// Closes a link of which the cluster has to be told.
    fn lose(&mut self, slot: LinkSlot, core: &mut Core) {
        if let Some(id) = self.remove(slot, core) {
            self.forget(id, core);
        }
    }

    fn forget(&mut self, id: LinkId, core: &mut Core) {
        if let Some((cluster, _)) = parts(core) {
            cluster.link_closed(id);
        }
    }

    fn remove(&mut self, slot: LinkSlot, core: &mut Core) -> Option<LinkId> {
        let mut link = self.links.try_remove(slot.0)?;
        // The descriptor closes in any case.
        let _ = self.registry.deregister(link.socket());
        self.by_id.remove(&link.id);
        core.memory.bus_input_bytes -= link.input.capacity();
        Some(link.id)
    }

    /// Whoever connects and then says nothing that makes sense to the cluster must go at some time.
    fn close_strangers(&mut self, core: &mut Core) {
        let Some((cluster, env)) = parts(core) else { return };
        let patience_ms = BUS_UNKNOWN_LINK_MS.max(cluster.settings.node_timeout_ms * 2);
        let stranger = |link: &BusLink| {
            env.now_ms.saturating_sub(link.heard_ms) > patience_ms
                && cluster.links.get(link.id).is_none_or(|known| known.node.is_none())
        };
        let silent = self.links.iter().filter(|(_, link)| stranger(link));
        let silent: Vec<LinkSlot> = silent.map(|(slot, _)| LinkSlot(slot)).collect();
        for slot in silent {
            log::debug!("Closing a silent cluster link with {}", self.links[slot.0].peer);
            self.lose(slot, core);
        }
    }

    // ---- input

    fn serve_link(&mut self, slot: LinkSlot, core: &mut Core) {
        let Some(link) = self.links.get_mut(slot.0) else { return };
        link.ready = false;
        let mut kept = std::mem::take(&mut link.input);
        core.memory.bus_input_bytes -= kept.capacity();
        let mut scratch = std::mem::take(&mut self.scratch);
        // What a spent budget left comes before anything new.
        let arrived = match bus_link::holds_packet(&kept) {
            true => ReadOutcome::Nothing,
            false => link.read(&mut scratch),
        };
        let stop = match arrived {
            ReadOutcome::Bytes(n) => self.take_input(slot, &mut kept, &scratch[..n], core),
            ReadOutcome::Nothing => self.take_input(slot, &mut kept, &[], core),
            ReadOutcome::Closed(kind) => {
                let words = kind.map_or("connection closed".into(), |kind| kind.to_string());
                log::trace!("I/O error reading from node link: {words}");
                Stop::Gone
            }
        };
        self.scratch = scratch;
        if stop == Stop::Gone {
            return self.lose(slot, core);
        }
        let Some(link) = self.links.get_mut(slot.0) else { return };
        core.memory.bus_input_bytes += kept.capacity();
        link.input = kept;
        if stop == Stop::Budget || link.readable {
            self.list_ready(slot);
        }
    }

    /// Handles the whole packets of what a link has brought, and keeps the rest. Mostly packets
    /// arrive whole, and nothing has to be kept.
    fn take_input(
        &mut self,
        slot: LinkSlot,
        kept: &mut Vec<u8>,
        arrived: &[u8],
        core: &mut Core,
    ) -> Stop {
        if kept.is_empty() {
            let (consumed, stop) = self.take_packets(slot, arrived, core);
            bus_link::keep(kept, &arrived[consumed..]);
            return stop;
        }
        bus_link::keep(kept, arrived);
        let (consumed, stop) = self.take_packets(slot, kept, core);
        kept.drain(..consumed);
        if kept.is_empty() {
            *kept = Vec::new();
        } else if consumed > 0 {
            kept.shrink_to(BUS_READ_BYTES_PER_TURN);
        }
        stop
    }

    /// Hands whole packets to the cluster, as many as a turn has time for. How many bytes that
    /// were.
    fn take_packets(&mut self, slot: LinkSlot, bytes: &[u8], core: &mut Core) -> (usize, Stop) {
        let Some(link) = self.links.get_mut(slot.0) else { return (0, Stop::Gone) };
        let dropped = core.debug.dropped_packet_kind;
        let Some((cluster, env)) = parts(core) else { return (0, Stop::Gone) };
        let mut consumed = 0;
        for _ in 0..BUS_PACKETS_PER_TURN {
            let Some(known) = cluster.links.get(link.id) else { return (consumed, Stop::Gone) };
            let rest = &bytes[consumed..];
            let length = match frame_len(rest) {
                Ok(Some(length)) => length,
                Ok(None) => return (consumed, Stop::Starved),
                Err(reason) => {
                    refuse(cluster, link.peer, reason);
                    return (consumed, Stop::Gone);
                }
            };
            if known.node.is_none() && length > BUS_UNKNOWN_PACKET_BYTES_MAX {
                refuse(cluster, link.peer, Malformed::Length);
                return (consumed, Stop::Gone);
            }
            let Some(packet) = rest.get(..length) else { return (consumed, Stop::Starved) };
            consumed += length;
            link.heard_ms = env.now_ms;
            if dropped.is_some() && kind_of(packet) == dropped {
                log::warn!("Dropping packet that matches debug drop filter");
                continue;
            }
            cluster.receive(link.id, packet, env);
        }
        match cluster.links.get(link.id) {
            Some(_) => (consumed, Stop::Budget),
            None => (consumed, Stop::Gone),
        }
    }

    // ---- what the cluster asks for

    /// Carries out what the cluster asked for, in order.
    pub fn carry_out(&mut self, core: &mut Core) {
        while let Some(cluster) = core.cluster.as_deref_mut() {
            let actions = cluster.take_actions();
            if actions.is_empty() {
                return;
            }
            for action in actions {
                self.act(action, core);
            }
        }
    }

    fn act(&mut self, action: Action, core: &mut Core) {
        match action {
            Action::Connect { link, ip, port } => self.connect(link, &ip, port, core),
            Action::Send { link, kind, packet } => {
                self.send(link, packet, kind.carries_messages(), core)
            }
            Action::Close(link) => {
                if let Some(slot) = self.by_id.get(&link).copied() {
                    self.remove(slot, core);
                }
            }
            Action::Save { fsync } => self.save(fsync, core),
            Action::DropSlotKeys(slot) => {
                let free = Free::lazily_if(core.config.lazyfree_lazy_server_del);
                core.keyspace.flush_slot(0, slot, free);
            }
            Action::DropSlotChannels(slot) => core.drop_slot_channels(slot),
            Action::Deliver { sharded, channel, message } => {
                core.publish(None, sharded, &channel, &message);
            }
        }
    }

    fn send(&mut self, link: LinkId, packet: Bytes, waits: bool, core: &mut Core) {
        let Some(slot) = self.by_id.get(&link).copied() else { return };
        self.links[slot.0].queue(packet, waits);
        self.list_unsent(slot);
        self.report(slot, core);
    }

    fn save(&mut self, fsync: bool, core: &mut Core) {
        let Some((cluster, env)) = parts(core) else { return };
        let saved = self.file.save(&cluster.to_nodes_conf(), fsync).is_ok();
        cluster.note_saved(saved, env.now_ms);
    }

    /// Writes nodes.conf although the cluster has not asked for it (CLUSTER SAVECONFIG).
    pub fn save_now(&mut self, core: &mut Core) -> io::Result<()> {
        core.cluster
            .as_ref()
            .map_or(Ok(()), |cluster| self.file.save(&cluster.to_nodes_conf(), true))
    }

    // ---- lists

    fn list_ready(&mut self, slot: LinkSlot) {
        if let Some(link) = self.links.get_mut(slot.0)
            && !std::mem::replace(&mut link.ready, true)
        {
            self.ready.push_back(slot);
        }
    }

    fn list_unsent(&mut self, slot: LinkSlot) {
        if let Some(link) = self.links.get_mut(slot.0)
            && link.writable
            && link.has_output()
            && !std::mem::replace(&mut link.unsent, true)
        {
            self.unsent.push(slot);
        }
    }

    /// Tells the cluster how much a link holds.
    fn report(&self, slot: LinkSlot, core: &mut Core) {
        if let Some(link) = self.links.get(slot.0)
            && let Some((cluster, _)) = parts(core)
        {
            cluster.link_queue(link.id, link.queued_bytes(), link.allocated_bytes());
        }
    }
}

/// Where links are to come from (bind-source-addr).
fn source_address(core: &Core) -> Option<IpAddr> {
    let name = core.config.bind_source_addr.as_deref()?;
    super::listeners::resolve(&String::from_utf8_lossy(name)).ok()
}

fn kind_of(packet: &[u8]) -> Option<u16> {
    let kind = packet.get(KIND_BYTES)?;
    Some(u16::from_be_bytes([kind[0], kind[1]]))
}

/// Nobody knows where the next packet starts: the link is of no use any more.
fn refuse(cluster: &mut Cluster, peer: SocketAddr, reason: Malformed) {
    cluster.stats.malformed += 1;
    log::warn!(
        "Bad message length or signature received on the Cluster bus from {}:{} ({reason})",
        peer.ip(),
        peer.port()
    );
}
