//! The cluster: who its nodes are, which of them owns which slot, and how they agree on that. A
//! state machine without I/O: packets, link events and time go in, [`Action`]s come out. The
//! node's loop carries the actions out, commands call the operations of CLUSTER, the dispatcher
//! asks where a key is served. Nothing here reads a clock, touches a socket or a file, or knows
//! clients, so that many nodes can be simulated in one process.

pub mod action;
pub mod admin;
mod claims;
mod cron;
pub mod describe;
mod gossip;
mod handshake;
mod health;
mod heartbeat;
pub mod id;
pub mod link;
mod linking;
pub mod node;
pub mod nodes;
pub mod nodes_conf;
mod publish;
mod receive;
pub mod redirect;
mod roles;
mod saving;
pub mod settings;
pub mod slots;
mod state;
#[cfg(test)]
mod tests;
mod vote;
pub mod wire;

use std::collections::BTreeMap;

use bitflags::bitflags;

pub use action::Action;
pub use admin::{AdminError, FailoverKind, ResetKind, SlotChange};
pub use handshake::HandshakeError;
pub use id::{Epoch, NodeId, ShardId};
pub use link::{Ends, Link, LinkId, Links};
pub use node::{Address, Node, NodeFlags};
pub use nodes::{NodeIndex, Nodes};
pub use nodes_conf::NodesConfError;
pub use redirect::{Census, Query, Route};
pub use settings::{EndpointType, Settings};
pub use slots::{SlotSet, SlotTable, all_slots};

use crate::base::limits::{FORGOTTEN_NODES_MAX, FORGOTTEN_SECONDS_MAX};
use crate::base::rng::Rng;
use crate::keyspace::{Keyspace, Slot};
use saving::Saving;
use wire::MessageKind;

/// Whether the cluster serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It serves.
    Ok,
    /// It does not.
    Fail,
}

/// What the cluster must know of the keys.
pub trait SlotKeys {
    /// How many keys a slot holds on this node.
    fn keys_in_slot(&self, slot: Slot) -> usize;

    /// Whether this node holds no key at all.
    fn is_empty(&self) -> bool {
        slots::all_slots().all(|slot| self.keys_in_slot(slot) == 0)
    }
}

impl SlotKeys for Keyspace {
    fn keys_in_slot(&self, slot: Slot) -> usize {
        self.count_in_slot(0, slot)
    }

    fn is_empty(&self) -> bool {
        self.dbsize(0) == 0
    }
}

/// What the state machine is handed with every event.
#[derive(Clone, Copy)]
pub struct Env<'a> {
    /// The wall clock, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The keys.
    pub keys: &'a dyn SlotKeys,
}

bitflags! {
    /// What is to be done before the loop sleeps (Redis: CLUSTER_TODO_*).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Todo: u8 {
        /// Look whether the cluster serves.
        const UPDATE_STATE = 1;
        /// Write nodes.conf.
        const SAVE = 1 << 1;
        /// Have it on disk before anything is sent.
        const FSYNC = 1 << 2;
    }
}

/// Counters of the bus.
#[derive(Clone, Debug, Default)]
pub struct BusStats {
    /// Packets sent, by kind.
    pub sent: [u64; MessageKind::ALL.len()],
    /// Packets received, by kind.
    pub received: [u64; MessageKind::ALL.len()],
    /// Packets that were dropped because they make no sense.
    pub malformed: u64,
    /// Links closed because too much waited to be sent.
    pub link_buffer_limit_exceeded: u64,
}

/// One node's view of its cluster.
pub struct Cluster {
    /// What the configuration says.
    pub settings: Settings,
    /// All known nodes.
    pub nodes: Nodes,
    /// Who owns which slot.
    pub slots: SlotTable,
    /// The links of the bus.
    pub links: Links,
    /// Counters.
    pub stats: BusStats,
    myself: NodeIndex,
    current_epoch: Epoch,
    last_vote_epoch: Epoch,
    state: State,
    /// Primaries that own a slot, of those that count for a majority.
    size: usize,
    /// Nodes that must not be added again, and until when (ms since the Unix epoch).
    forgotten: BTreeMap<NodeId, u64>,
    /// The last attempt to write nodes.conf failed: what must be on disk first is not promised.
    unsaved: bool,
    todo: Todo,
    actions: Vec<Action>,
    rng: Rng,
    run: Run,
}

/// What a node knows of this run of its own alone: nothing of it survives a restart.
#[derive(Debug, Default)]
struct Run {
    /// The address that the settings announced last.
    announced_ip: Option<Box<str>>,
    /// Heartbeats built so far: gossip names no node twice within one.
    heartbeats: u64,
    /// Runs of the cron.
    ticks: u64,
    /// Nodes that were in PFAIL at the last run of the cron.
    pfail_nodes: usize,
    /// When this node first looked whether the cluster serves.
    first_look_ms: Option<u64>,
    /// When the primaries that are reached were last seen to be a minority.
    minority_ms: Option<u64>,
    /// What waits for nodes.conf to be written.
    saving: Saving,
}

impl Cluster {
    /// A node with a new id, alone, that owns no slot.
    pub fn new(settings: Settings, mut rng: Rng, now_ms: u64) -> Self {
        let mut nodes = Nodes::default();
        let flags = NodeFlags::MYSELF | NodeFlags::PRIMARY;
        let id = NodeId::random(&mut rng);
        let shard = ShardId::random(&mut rng);
        let me = Node::new(id, shard, flags, Address::default(), now_ms);
        let myself = nodes.insert(me).expect("the table is empty");
        let mut cluster = Cluster::assemble(settings, nodes, SlotTable::default(), myself, rng);
        cluster.mark(Todo::SAVE | Todo::FSYNC);
        cluster
    }

    /// A node that begins to run with what it knows already.
    fn assemble(
        settings: Settings,
        nodes: Nodes,
        slots: SlotTable,
        myself: NodeIndex,
        rng: Rng,
    ) -> Self {
        let mut cluster = Cluster {
            settings,
            nodes,
            slots,
            links: Links::default(),
            stats: BusStats::default(),
            myself,
            current_epoch: Epoch(0),
            last_vote_epoch: Epoch(0),
            state: State::Fail,
            size: 0,
            forgotten: BTreeMap::new(),
            unsaved: false,
            todo: Todo::UPDATE_STATE,
            actions: Vec::new(),
            rng,
            run: Run::default(),
        };
        cluster.slots.set_myself(myself);
        cluster.apply_settings();
        cluster
    }

    /// Takes over what the settings say of this node itself (Redis: clusterUpdateMyselfFlags,
    /// clusterUpdateMyselfIp and the like).
    pub fn apply_settings(&mut self) {
        let Settings { hostname, human_name, port, tls_port, bus_port, .. } = self.settings.clone();
        let announced = self.settings.announce_ip.clone();
        let no_failover = self.settings.replica_no_failover;
        let before = std::mem::replace(&mut self.run.announced_ip, announced.clone());
        let me = self.me_mut();
        me.flags.set(NodeFlags::NOFAILOVER, no_failover);
        me.hostname = hostname;
        me.human_name = human_name;
        me.address.port = port;
        me.address.tls_port = tls_port;
        me.address.bus_port = bus_port;
        match announced {
            Some(ip) => me.address.ip = ip,
            // Nothing is announced any more: the next packet tells where it arrived.
            None if before.is_some() => me.address.ip = Box::default(),
            None => {}
        }
        self.todo |= Todo::SAVE | Todo::UPDATE_STATE;
    }

    // ---- what others ask

    /// This node's place in the table.
    #[inline]
    pub fn myself(&self) -> NodeIndex {
        self.myself
    }

    /// This node.
    pub fn me(&self) -> &Node {
        &self.nodes[self.myself]
    }

    fn me_mut(&mut self) -> &mut Node {
        let myself = self.myself;
        &mut self.nodes[myself]
    }

    /// Whether the cluster serves.
    #[inline]
    pub fn state(&self) -> State {
        self.state
    }

    /// The greatest epoch that any node is known to have.
    pub fn current_epoch(&self) -> Epoch {
        self.current_epoch
    }

    /// The epoch of the last vote that this node gave.
    pub fn last_vote_epoch(&self) -> Epoch {
        self.last_vote_epoch
    }

    /// Primaries that own a slot: half of them, and one more, are a majority.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A node's primary: itself if it is one.
    pub fn primary_of(&self, node: NodeIndex) -> Option<NodeIndex> {
        let known = &self.nodes[node];
        if known.is_replica() { known.replica_of } else { Some(node) }
    }

    /// The replicas of a node, in order of their place in the table.
    pub fn replicas_of(&self, primary: NodeIndex) -> impl Iterator<Item = NodeIndex> + '_ {
        let replicas = self.nodes.iter().filter(move |(_, n)| n.replica_of == Some(primary));
        replicas.map(|(index, _)| index)
    }

    // ---- what changes the table, for the files beside this one

    /// Asks for something to be done before the loop sleeps.
    pub fn mark(&mut self, todo: Todo) {
        self.todo |= todo;
    }

    /// Forgets a node and whatever refers to it: its slots, marks, replicas' bond, reports, links.
    fn remove_node(&mut self, index: NodeIndex) {
        debug_assert!(index != self.myself);
        self.set_primary_of(index, None);
        let Some(gone) = self.nodes.remove(index) else { return };
        self.slots.forget(index);
        for (_, node) in self.nodes.iter_mut() {
            if node.replica_of == Some(index) {
                node.replica_of = None;
            }
            node.failure_reports.retain(|report| report.reporter != gone.id);
        }
        for link in [gone.link, gone.inbound].into_iter().flatten() {
            self.links.remove(link);
            self.actions.push(Action::Close(link));
        }
    }

    // ---- nodes that CLUSTER FORGET removed

    /// Keeps a node from being added again for so long (Redis: clusterBlacklistAddNode).
    pub fn forbid(&mut self, id: NodeId, seconds: u64, now_ms: u64) {
        self.forgotten.retain(|_, until| *until > now_ms);
        let until = now_ms.saturating_add(seconds.min(FORGOTTEN_SECONDS_MAX) * 1000);
        self.forgotten.insert(id, until);
        if self.forgotten.len() > FORGOTTEN_NODES_MAX {
            let soonest = self.forgotten.iter().min_by_key(|&(id, until)| (*until, *id));
            if let Some(id) = soonest.map(|(id, _)| *id) {
                self.forgotten.remove(&id);
            }
        }
    }

    /// Whether a node must not be added at the moment.
    pub fn is_forbidden(&self, id: &NodeId, now_ms: u64) -> bool {
        self.forgotten.get(id).is_some_and(|&until| until > now_ms)
    }

    // ---- epochs

    /// The greatest config epoch of all nodes, or the current epoch if that is greater (Redis:
    /// clusterGetMaxEpoch).
    pub fn max_epoch(&self) -> Epoch {
        let epochs = self.nodes.iter().map(|(_, node)| node.config_epoch);
        epochs.max().unwrap_or_default().max(self.current_epoch)
    }

    /// Gives this node the greatest config epoch without asking anyone, unless it has it already
    /// (Redis: clusterBumpConfigEpochWithoutConsensus). Whether that changed anything.
    pub fn bump_epoch(&mut self) -> bool {
        let max = self.max_epoch();
        let mine = self.me().config_epoch;
        if mine != Epoch(0) && mine == max {
            return false;
        }
        self.current_epoch = self.current_epoch.next();
        self.me_mut().config_epoch = self.current_epoch;
        self.mark(Todo::SAVE | Todo::FSYNC);
        log::info!("New configEpoch set to {}", self.current_epoch);
        true
    }

    // ---- what the loop carries out

    /// What is to be carried out, in order.
    pub fn take_actions(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }
}
