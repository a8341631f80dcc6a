//! One simulated machine: a cluster node, its keys, its disk and its end of each link. The world
//! drives it; it carries out what the node asks for, as the loop of a real process would.

use std::collections::{BTreeMap, HashMap, VecDeque};

use redis_rust::base::rng::Rng;
use redis_rust::cluster::{Action, Cluster, Env, LinkId, NodeId, Settings, SlotKeys};
use redis_rust::keyspace::Slot;

use crate::network::ConnId;

/// A key: its slot, and a number within that.
pub type Key = (u16, u32);

/// The keys of a node, each with the version that was written last. On disk at once.
#[derive(Clone, Debug, Default)]
pub struct Keys(BTreeMap<u16, BTreeMap<u32, u64>>);

impl Keys {
    /// The version of a key.
    pub fn get(&self, (slot, number): Key) -> Option<u64> {
        self.0.get(&slot)?.get(&number).copied()
    }

    /// Writes a key.
    pub fn set(&mut self, (slot, number): Key, version: u64) {
        self.0.entry(slot).or_default().insert(number, version);
    }

    /// Deletes a key.
    pub fn remove(&mut self, (slot, number): Key) {
        if let Some(keys) = self.0.get_mut(&slot) {
            keys.remove(&number);
            if keys.is_empty() {
                self.0.remove(&slot);
            }
        }
    }

    /// Deletes all keys of a slot.
    pub fn clear_slot(&mut self, slot: u16) {
        self.0.remove(&slot);
    }

    /// Any key of a slot.
    pub fn first(&self, slot: u16) -> Option<Key> {
        Some((slot, *self.0.get(&slot)?.keys().next()?))
    }

    /// Number of keys of a slot.
    pub fn count(&self, slot: u16) -> usize {
        self.0.get(&slot).map_or(0, BTreeMap::len)
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = (Key, u64)> + '_ {
        let keys = |(&slot, keys): (&u16, &'_ BTreeMap<u32, u64>)| {
            keys.iter().map(|(&number, &version)| ((slot, number), version)).collect::<Vec<_>>()
        };
        self.0.iter().flat_map(keys)
    }
}

impl SlotKeys for Keys {
    fn keys_in_slot(&self, slot: Slot) -> usize {
        self.count(slot.0)
    }
}

/// nodes.conf as the kernel has it, and as it survives the loss of power.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What was written last.
    pub written: Option<String>,
    /// What was written with fsync last.
    pub durable: Option<String>,
    /// Nothing can be written.
    pub broken: bool,
}

/// How a node ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The process is killed: what it wrote is there, its peers see their links close.
    Killed,
    /// The machine is gone: what was not forced to disk is lost, nobody hears anything.
    PowerLost,
}

/// One machine.
pub struct Host {
    /// Its place among the hosts.
    pub index: usize,
    /// The node, while it runs.
    pub cluster: Option<Cluster>,
    /// Its keys.
    pub keys: Keys,
    /// Its disk.
    pub disk: Disk,
    /// The process is stopped, but exists: what arrives waits.
    pub paused: bool,
    /// The address that it has.
    pub ip: String,
    /// The port that it tells clients; its bus is 10000 above.
    pub port: u16,
    /// How often it was started; tells links of an earlier run apart.
    pub run: u32,
    /// Its machine is off: nobody even hears that nobody is there.
    dark: bool,
    /// How far its clock is off.
    pub clock_skew_ms: i64,
    /// Its links.
    pub links: HashMap<LinkId, (ConnId, usize)>,
    /// It ends in the middle of what it carries out, after so many actions more.
    pub ends_after: Option<(usize, End)>,
    /// The nodes.conf is written only when somebody wants to read it: for crowds that stop orderly.
    pub lazy_disk: bool,
    /// What it knew itself by when it ran last.
    pub id: Option<NodeId>,
    /// Bytes and packets that it has sent.
    pub sent: (u64, u64),
    /// cluster-node-timeout.
    pub node_timeout_ms: u64,
    /// cluster-require-full-coverage.
    pub full_coverage: bool,
}

/// What the host hands to the network.
pub enum Out {
    /// Open a link.
    Connect(LinkId, String, u16),
    /// Send a packet.
    Send(LinkId, bytes::Bytes),
    /// Close a link.
    Close(LinkId),
    /// The host has ended in the middle of its work.
    Ended(End),
}

impl Host {
    /// A machine that has never run.
    pub fn new(index: usize, node_timeout_ms: u64) -> Host {
        Host {
            index,
            cluster: None,
            keys: Keys::default(),
            disk: Disk::default(),
            paused: false,
            ip: format!("10.0.{}.{}", index / 250, index % 250 + 1),
            port: 7000,
            run: 0,
            dark: false,
            clock_skew_ms: 0,
            links: HashMap::new(),
            ends_after: None,
            lazy_disk: false,
            id: None,
            sent: (0, 0),
            node_timeout_ms,
            full_coverage: true,
        }
    }

    /// The port of its bus.
    pub fn bus_port(&self) -> u16 {
        self.port + 10_000
    }

    /// Whether its process exists and is not stopped.
    pub fn runs(&self) -> bool {
        self.cluster.is_some() && !self.paused
    }

    /// Whether its machine is off.
    pub fn powered_off(&self) -> bool {
        self.dark
    }

    /// Its own idea of the time.
    pub fn clock(&self, now_ms: u64) -> u64 {
        now_ms.saturating_add_signed(self.clock_skew_ms)
    }

    fn settings(&self) -> Settings {
        Settings {
            node_timeout_ms: self.node_timeout_ms,
            require_full_coverage: self.full_coverage,
            link_send_buffer_bytes_max: 0,
            port: self.port,
            bus_port: self.bus_port(),
            ..Settings::default()
        }
    }

    /// Starts the process, from nodes.conf if there is one.
    pub fn start(&mut self, rng: Rng, now_ms: u64) {
        assert!(self.cluster.is_none(), "host {} runs already", self.index);
        let now_ms = self.clock(now_ms);
        let settings = self.settings();
        let cluster = match &self.disk.written {
            None => Cluster::new(settings, rng, now_ms),
            Some(text) => Cluster::from_nodes_conf(text.as_bytes(), settings, rng, now_ms)
                .unwrap_or_else(|e| panic!("host {}: {e}\n{text}", self.index)),
        };
        let mut cluster = cluster;
        let env = Env { now_ms, keys: &self.keys };
        cluster.account_for_keys(env);
        self.id = Some(cluster.me().id);
        self.cluster = Some(cluster);
        self.run += 1;
        self.dark = false;
    }

    /// Ends the process. An orderly stop is like being killed, for nothing is written last.
    pub fn end(&mut self, how: End) {
        if self.lazy_disk
            && let Some(cluster) = &self.cluster
        {
            self.disk.written = Some(cluster.to_nodes_conf());
            self.disk.durable = self.disk.written.clone();
        }
        if how == End::PowerLost {
            self.disk.written = self.disk.durable.clone();
        }
        self.dark = how == End::PowerLost;
        self.cluster = None;
        self.paused = false;
        self.ends_after = None;
        self.links.clear();
    }

    /// Lets something happen to the node.
    pub fn with<T>(
        &mut self,
        now_ms: u64,
        event: impl FnOnce(&mut Cluster, Env<'_>) -> T,
    ) -> Option<T> {
        let now_ms = self.clock(now_ms);
        let cluster = self.cluster.as_mut()?;
        Some(event(cluster, Env { now_ms, keys: &self.keys }))
    }

    /// What the loop does before it sleeps: the node's own work, then all that it asks for.
    pub fn finish_turn(&mut self, now_ms: u64) -> Vec<Out> {
        self.with(now_ms, |cluster, env| cluster.before_sleep(env));
        let mut out = Vec::new();
        loop {
            let Some(cluster) = self.cluster.as_mut() else { return out };
            let mut actions = VecDeque::from(cluster.take_actions());
            if actions.is_empty() {
                return out;
            }
            while let Some(action) = actions.pop_front() {
                if let Some((left, how)) = &mut self.ends_after {
                    if *left == 0 {
                        out.push(Out::Ended(*how));
                        return out;
                    }
                    *left -= 1;
                }
                self.carry_out(action, now_ms, &mut out);
            }
        }
    }

    fn carry_out(&mut self, action: Action, now_ms: u64, out: &mut Vec<Out>) {
        match action {
            Action::Connect { link, ip, port } => out.push(Out::Connect(link, ip.into(), port)),
            Action::Send { link, packet, .. } => {
                self.sent.0 += packet.len() as u64;
                self.sent.1 += 1;
                out.push(Out::Send(link, packet));
            }
            Action::Close(link) => out.push(Out::Close(link)),
            Action::Save { fsync } => self.save(fsync, now_ms),
            Action::DropSlotKeys(slot) => self.keys.clear_slot(slot.0),
            Action::DropSlotChannels(_) | Action::Deliver { .. } => {}
        }
    }

    fn save(&mut self, fsync: bool, now_ms: u64) {
        let ok = !self.disk.broken;
        if ok && !self.lazy_disk {
            let text = self.cluster.as_ref().map(Cluster::to_nodes_conf);
            self.disk.written = text;
            if fsync {
                self.disk.durable = self.disk.written.clone();
            }
        }
        self.with(now_ms, |cluster, env| cluster.note_saved(ok, env.now_ms));
    }
}
