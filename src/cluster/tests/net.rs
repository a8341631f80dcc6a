//! A few nodes in one process, with links that deliver at once: what the tests beside this file
//! need of a network. Loss, delay and crashes are the simulator's (tests/).

use std::collections::{BTreeMap, BTreeSet};

use crate::base::rng::Rng;
use crate::cluster::wire::{
    Body, Extension, Gossip, Header, Heartbeat, MessageKind, decode, encode,
};
use crate::cluster::{
    Action, Cluster, Env, LinkId, NodeFlags, NodeId, NodeIndex, Settings, SlotKeys, SlotSet,
};
use crate::keyspace::Slot;

/// Keys of one node, by slot.
#[derive(Default)]
pub struct Keys(pub BTreeMap<u16, usize>);

/// For a node without keys.
pub static NO_KEYS: Keys = Keys(BTreeMap::new());

impl SlotKeys for Keys {
    fn keys_in_slot(&self, slot: Slot) -> usize {
        self.0.get(&slot.0).copied().unwrap_or(0)
    }
}

pub const NODE_TIMEOUT_MS: u64 = 2000;
pub const START_MS: u64 = 1_700_000_000_000;
pub const BUS_PORT_OFFSET: u16 = 10_000;

pub fn settings(port: u16) -> Settings {
    Settings {
        node_timeout_ms: NODE_TIMEOUT_MS,
        require_full_coverage: true,
        port,
        bus_port: port + BUS_PORT_OFFSET,
        ..Settings::default()
    }
}

/// Something that left a node, for tests that look at what is sent.
#[derive(Clone, Debug)]
pub struct Sent {
    pub from: usize,
    pub to: usize,
    pub kind: MessageKind,
    pub packet: bytes::Bytes,
}

/// The nodes, on ports 7000 and so on, all on one address unless a test moves one.
pub struct Net {
    pub nodes: Vec<Cluster>,
    pub keys: Vec<Keys>,
    pub now_ms: u64,
    /// Addresses: ip and bus port to the node there.
    pub places: BTreeMap<(String, u16), usize>,
    /// Nodes that nobody reaches and that reach nobody: links break, new ones fail.
    pub cut_off: BTreeSet<usize>,
    /// Pairs of nodes whose packets get lost on the way from the first to the second.
    pub deaf: BTreeSet<(usize, usize)>,
    /// Nodes whose nodes.conf cannot be written.
    pub full_disks: BTreeSet<usize>,
    /// All packets that were delivered or lost.
    pub sent: Vec<Sent>,
    /// What the loop would have done besides.
    pub others: Vec<(usize, Action)>,
    /// Both ends of every link, each by the other.
    ends: BTreeMap<(usize, LinkId), (usize, LinkId)>,
}

impl Net {
    pub fn new(count: usize) -> Net {
        let mut net = Net {
            nodes: Vec::new(),
            keys: Vec::new(),
            now_ms: START_MS,
            places: BTreeMap::new(),
            cut_off: BTreeSet::new(),
            deaf: BTreeSet::new(),
            full_disks: BTreeSet::new(),
            sent: Vec::new(),
            others: Vec::new(),
            ends: BTreeMap::new(),
        };
        (0..count).for_each(|_| {
            net.add();
        });
        net
    }

    /// A cluster of so many nodes that know each other and share the slots evenly.
    pub fn cluster(count: usize) -> Net {
        let mut net = Net::new(count);
        let share = 16384_usize.div_ceil(count);
        for at in 0..count {
            let me = net.nodes[at].myself();
            let end = (16384).min((at + 1) * share);
            for slot in at * share..end {
                net.nodes[at].assign_slot(Slot(slot as u16), Some(me));
            }
            net.nodes[at].bump_epoch();
        }
        (1..count).for_each(|at| net.meet(0, at));
        net.run(10_000);
        net
    }

    pub fn add(&mut self) -> usize {
        let at = self.nodes.len();
        let port = 7000 + at as u16;
        let rng = Rng::seeded(at as u64 + 1);
        self.nodes.push(Cluster::new(settings(port), rng, self.now_ms));
        self.keys.push(Keys::default());
        self.places.insert((ip(), port + BUS_PORT_OFFSET), at);
        at
    }

    pub fn meet(&mut self, at: usize, other: usize) {
        let port = 7000 + other as u16;
        let now_ms = self.now_ms;
        self.nodes[at].start_handshake(&ip(), port, port + BUS_PORT_OFFSET, now_ms).unwrap();
    }

    pub fn id(&self, at: usize) -> NodeId {
        self.nodes[at].me().id
    }

    /// How one node knows another.
    pub fn index(&self, at: usize, other: usize) -> NodeIndex {
        self.nodes[at].nodes.find(&self.id(other)).expect("known")
    }

    /// How one node knows another, or itself.
    pub fn index_or_me(&self, at: usize, other: usize) -> NodeIndex {
        if at == other { self.nodes[at].myself() } else { self.index(at, other) }
    }

    pub fn view(&self, at: usize, other: usize) -> &crate::cluster::Node {
        &self.nodes[at].nodes[self.index(at, other)]
    }

    /// Makes a node a replica of another, as replication would.
    pub fn make_replica(&mut self, at: usize, of: usize) {
        let primary = self.index(at, of);
        let node = &mut self.nodes[at];
        let (myself, shard) = (node.myself(), node.nodes[primary].shard);
        let me = &mut node.nodes[myself];
        me.flags.remove(NodeFlags::PRIMARY);
        me.flags.insert(NodeFlags::REPLICA);
        me.shard = shard;
        node.set_primary_of(myself, Some(primary));
        self.with(at, |node, env| node.broadcast_pong(env.now_ms));
        self.settle();
    }

    /// Lets time pass, the cron included.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms / 100 {
            self.now_ms += 100;
            for at in 0..self.nodes.len() {
                self.with(at, |node, env| node.cron(env));
            }
            self.settle();
        }
    }

    /// Runs one event of a node and the end of its turn.
    pub fn with<R>(&mut self, at: usize, event: impl FnOnce(&mut Cluster, Env<'_>) -> R) -> R {
        let env = Env { now_ms: self.now_ms, keys: &self.keys[at] };
        let result = event(&mut self.nodes[at], env);
        self.nodes[at].before_sleep(env);
        result
    }

    /// Carries actions out until none is left.
    pub fn settle(&mut self) {
        loop {
            let mut idle = true;
            for at in 0..self.nodes.len() {
                for action in self.nodes[at].take_actions() {
                    idle = false;
                    self.carry_out(at, action);
                }
            }
            if idle {
                return;
            }
        }
    }

    fn carry_out(&mut self, at: usize, action: Action) {
        match action {
            Action::Connect { link, ip, port } => self.connect(at, link, (ip, port)),
            Action::Send { link, kind, packet } => {
                let Some(&(to, end)) = self.ends.get(&(at, link)) else { return };
                self.sent.push(Sent { from: at, to, kind, packet: packet.clone() });
                let lost = self.deaf.contains(&(at, to));
                if !lost && !self.cut_off.contains(&at) && !self.cut_off.contains(&to) {
                    self.with(to, |node, env| node.receive(end, &packet, env));
                }
            }
            Action::Close(link) => {
                if let Some((to, end)) = self.ends.remove(&(at, link)) {
                    self.ends.remove(&(to, end));
                    self.with(to, |node, _| node.link_closed(end));
                }
            }
            Action::Save { .. } => {
                let ok = !self.full_disks.contains(&at);
                self.with(at, |node, env| node.note_saved(ok, env.now_ms));
            }
            other => self.others.push((at, other)),
        }
    }

    fn connect(&mut self, at: usize, link: LinkId, (to_ip, port): (Box<str>, u16)) {
        let target = self.places.get(&(to_ip.to_string(), port)).copied();
        let reached = target.filter(|to| !self.cut_off.contains(to) && !self.cut_off.contains(&at));
        let Some(to) = reached else {
            return self.with(at, |node, _| node.link_closed(link));
        };
        let end = self.with(to, |node, env| node.link_accepted(&ip(), &to_ip, env.now_ms));
        self.ends.insert((at, link), (to, end));
        self.ends.insert((to, end), (at, link));
        self.with(at, |node, env| node.link_connected(link, &ip(), env));
    }

    /// Breaks all links of a node, as if its process had ended.
    pub fn cut(&mut self, at: usize) {
        self.cut_off.insert(at);
        let broken: Vec<_> =
            self.ends.iter().filter(|(from, to)| from.0 == at || to.0 == at).collect();
        let broken: Vec<(usize, LinkId)> = broken.into_iter().map(|(from, _)| *from).collect();
        for (from, link) in broken {
            self.ends.remove(&(from, link));
            self.with(from, |node, _| node.link_closed(link));
        }
    }

    /// Gives a node a packet through a new link of its own, as a stranger would. The link.
    pub fn inject(&mut self, at: usize, header: &Header, body: &Body<'_>) -> LinkId {
        let link = self.with(at, |node, env| node.link_accepted("10.9.9.9", &ip(), env.now_ms));
        self.inject_on(at, link, (header, body));
        link
    }

    pub fn inject_on(&mut self, at: usize, link: LinkId, (header, body): (&Header, &Body<'_>)) {
        let packet = encode(header, body);
        self.with(at, |node, env| node.receive(link, &packet, env));
        self.settle();
    }

    /// The link through which one node gets packets from another.
    pub fn inbound(&self, at: usize, from: usize) -> LinkId {
        self.view(at, from).inbound.expect("linked")
    }

    /// A header as a node would send it.
    pub fn header(&self, at: usize) -> Header {
        self.nodes[at].header()
    }

    /// Packets of a kind that one node sent another, since the record was cleared.
    pub fn sent(&self, from: usize, to: usize, kind: MessageKind) -> Vec<Sent> {
        let wanted = |sent: &&Sent| sent.from == from && sent.to == to && sent.kind == kind;
        self.sent.iter().filter(wanted).cloned().collect()
    }
}

impl Sent {
    /// The body, to be looked at.
    pub fn with_body<R>(&self, look: impl FnOnce(&Header, &Body<'_>) -> R) -> R {
        let packet = decode(&self.packet).expect("our own packets are whole");
        look(&packet.header, &packet.body)
    }
}

/// Where all nodes live.
pub fn ip() -> String {
    "127.0.0.1".into()
}

pub fn slots(range: std::ops::Range<u16>) -> SlotSet {
    range.map(Slot).collect()
}

/// A ping's body.
pub fn ping<'a>(gossip: Vec<Gossip>, extensions: Vec<Extension>) -> Body<'a> {
    Body::Heartbeat { kind: Heartbeat::Ping, gossip, extensions }
}
