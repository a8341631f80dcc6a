//! The simulated world: hosts, the network between them, and one clock. Events happen one at a
//! time in the order of their time; all chance comes from the seed, so that a run repeats exactly.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use redis_rust::base::rng::Rng;
use redis_rust::cluster::wire::{self, MessageKind};
use redis_rust::cluster::{Cluster, Env, NodeId};
use redis_rust::keyspace::Slot;

use crate::host::{End, Host, Key, Out};
use crate::network::{ConnId, DIAL_AGAIN_MS, DIALS_MAX, Item, Network};

/// When every run begins, milliseconds since the Unix epoch.
const BEGIN_MS: u64 = 1_700_000_000_000;
/// The cron of every node.
const CRON_MS: u64 = 100;
/// cluster-node-timeout of the hosts, unless a scenario says otherwise.
pub const NODE_TIMEOUT_MS: u64 = 2000;
/// Queued bytes of a link that the loop finds worth telling.
const QUEUE_TOLD_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    Cron { host: usize, run: u32 },
    Turn { host: usize, run: u32 },
    Dial(ConnId),
    Arrive { conn: ConnId, side: usize },
}

/// One run of a scenario.
pub struct Sim {
    /// The time.
    pub now_ms: u64,
    /// All chance of the scenario.
    pub rng: Rng,
    /// The machines.
    pub hosts: Vec<Host>,
    /// What is between them.
    pub net: Network,
    /// The voters of each epoch, and for whom each voted.
    pub votes: BTreeMap<u64, BTreeMap<NodeId, usize>>,
    /// Who owns a slot by word of a node that said OK to that.
    pub promised: BTreeMap<u16, NodeId>,
    /// The version of each key that a client was told to be written.
    pub written: BTreeMap<Key, u64>,
    queue: BinaryHeap<Reverse<(u64, u64, What)>>,
    sequence: u64,
    trace: bool,
    /// A slot of which every change is worth a line, and who owned it by each host's view.
    watched: Option<(Slot, BTreeMap<usize, String>)>,
}

impl Sim {
    /// So many machines that have never run.
    pub fn new(seed: u64, hosts: usize) -> Sim {
        let mut rng = Rng::seeded(seed);
        let watched = std::env::var("SIM_WATCH").ok().and_then(|slot| slot.parse().ok());
        let net = Network::new(Rng::seeded(rng.next_u64()));
        Sim {
            now_ms: BEGIN_MS + rng.below(1000),
            rng,
            hosts: (0..hosts).map(|index| Host::new(index, NODE_TIMEOUT_MS)).collect(),
            net,
            votes: BTreeMap::new(),
            promised: BTreeMap::new(),
            written: BTreeMap::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            trace: std::env::var_os("SIM_TRACE").is_some(),
            watched: watched.map(|slot| (Slot(slot), BTreeMap::new())),
        }
    }

    /// Says what happens, if somebody wants to know.
    pub fn trace(&self, what: impl FnOnce() -> String) {
        if self.trace {
            eprintln!("{:>8} {}", self.now_ms - BEGIN_MS, what());
        }
    }

    fn watch(&mut self, host: usize) {
        let Some((slot, views)) = &mut self.watched else { return };
        let Some(cluster) = &self.hosts[host].cluster else { return };
        let owner = cluster.slots.owner(*slot).map(|owner| &cluster.nodes[owner]);
        let unclaimed = cluster.slots.unclaimed.contains(*slot);
        let view = format!(
            "owner {:?} by epoch {:?}, unclaimed: {unclaimed}, own epoch {}",
            owner.map(|owner| self.hosts.iter().position(|host| host.id == Some(owner.id))),
            owner.map(|owner| owner.config_epoch),
            cluster.me().config_epoch
        );
        if views.get(&host) != Some(&view) {
            eprintln!("{:>8} host {host} about slot {}: {view}", self.now_ms - BEGIN_MS, slot.0);
            views.insert(host, view);
        }
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        self.rng.below(bound as u64) as usize
    }

    /// True once in so many times.
    pub fn one_in(&mut self, number: u64) -> bool {
        self.rng.below(number) == 0
    }

    /// A node that runs.
    pub fn cluster(&self, host: usize) -> &Cluster {
        self.hosts[host].cluster.as_ref().unwrap_or_else(|| panic!("host {host} does not run"))
    }

    /// What a host is called, also while it does not run.
    pub fn id(&self, host: usize) -> NodeId {
        self.hosts[host].id.unwrap_or_else(|| panic!("host {host} never ran"))
    }

    /// The host of a node.
    pub fn host_of(&self, id: NodeId) -> Option<usize> {
        self.hosts.iter().position(|host| host.id == Some(id))
    }

    /// Hosts whose process exists, stopped or not.
    pub fn running(&self) -> Vec<usize> {
        let running = self.hosts.iter().filter(|host| host.cluster.is_some());
        running.map(|host| host.index).collect()
    }

    fn at(&mut self, at_ms: u64, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse((at_ms, self.sequence, what)));
    }

    // ---- time

    /// Lets time pass.
    pub fn run_for(&mut self, ms: u64) {
        let until_ms = self.now_ms + ms;
        while let Some(&Reverse((at_ms, _, what))) = self.queue.peek() {
            if at_ms > until_ms {
                break;
            }
            self.queue.pop();
            self.now_ms = self.now_ms.max(at_ms);
            self.happen(what);
        }
        self.now_ms = until_ms;
    }

    /// Lets up to so much time pass.
    pub fn run_up_to(&mut self, ms: u64) {
        let ms = self.rng.below(ms + 1);
        self.run_for(ms);
    }

    fn happen(&mut self, what: What) {
        match what {
            What::Cron { host, run } => self.cron(host, run),
            What::Turn { host, run } => {
                if self.hosts[host].run == run && self.hosts[host].runs() {
                    self.finish_turn(host);
                }
            }
            What::Dial(conn) => self.dial(conn),
            What::Arrive { conn, side } => self.arrive(conn, side),
        }
    }

    fn cron(&mut self, host: usize, run: u32) {
        if self.hosts[host].run != run || self.hosts[host].cluster.is_none() {
            return;
        }
        self.at(self.now_ms + CRON_MS, What::Cron { host, run });
        if self.hosts[host].paused {
            return;
        }
        self.tell_queues(host);
        self.hosts[host].with(self.now_ms, Cluster::cron);
        self.finish_turn(host);
    }

    fn tell_queues(&mut self, host: usize) {
        let Host { links, cluster: Some(cluster), .. } = &mut self.hosts[host] else { return };
        for (&link, &(conn, side)) in &*links {
            let waiting = self.net.conns[conn].sides.get(1 - side).map_or(0, |s| s.inbox_bytes);
            if waiting > QUEUE_TOLD_BYTES {
                cluster.link_queue(link, waiting, waiting);
            }
        }
    }

    // ---- hosts

    /// Starts a node. Its first moment is its own: no two crons beat together.
    pub fn start(&mut self, host: usize) {
        let rng = Rng::seeded(self.rng.next_u64());
        self.hosts[host].start(rng, self.now_ms);
        self.trace(|| format!("host {host} starts as {}", self.id(host)));
        let run = self.hosts[host].run;
        let phase_ms = self.rng.below(CRON_MS);
        self.at(self.now_ms + phase_ms, What::Cron { host, run });
        self.finish_turn(host);
    }

    /// Ends a node.
    pub fn end(&mut self, host: usize, how: End) {
        if self.hosts[host].cluster.is_none() {
            return;
        }
        self.trace(|| format!("host {host} ends: {how:?}"));
        let mut links: Vec<_> = self.hosts[host].links.iter().map(|(&l, &c)| (l, c)).collect();
        links.sort_unstable();
        self.hosts[host].end(how);
        for (_, (conn, side)) in links {
            self.net.forget(conn, side);
            if how == End::Killed {
                self.put(conn, 1 - side, Item::Close);
            }
        }
    }

    /// Stops a process without ending it.
    pub fn pause(&mut self, host: usize) {
        self.trace(|| format!("host {host} is paused"));
        self.hosts[host].paused = true;
    }

    /// Lets a stopped process go on, with all that has arrived meanwhile.
    pub fn resume(&mut self, host: usize) {
        self.trace(|| format!("host {host} goes on"));
        self.hosts[host].paused = false;
        self.deliver_overdue();
    }

    /// Cuts the paths between two groups; one way only, if so wanted: then nothing gets from the
    /// first to the second.
    pub fn partition(&mut self, from: &[usize], to: &[usize], one_way: bool) {
        self.trace(|| format!("cut between {from:?} and {to:?}, one way: {one_way}"));
        for &a in from {
            for &b in to {
                self.net.cut(a, b);
                if !one_way {
                    self.net.cut(b, a);
                }
            }
        }
    }

    /// Mends all paths.
    pub fn heal(&mut self) {
        self.trace(|| "all paths are mended".to_string());
        self.net.heal();
        self.deliver_overdue();
    }

    fn deliver_overdue(&mut self) {
        for (conn, side) in self.net.overdue(self.now_ms) {
            let at_ms = self.now_ms + self.net.delay();
            self.at(at_ms, What::Arrive { conn, side });
        }
    }

    /// Asks a node for something, as a client does; `None` if no answer came back.
    pub fn ask<T>(
        &mut self,
        host: usize,
        question: impl FnOnce(&mut Cluster, Env<'_>) -> T,
    ) -> Option<T> {
        if !self.hosts[host].runs() {
            return None;
        }
        let run = self.hosts[host].run;
        let answer = self.hosts[host].with(self.now_ms, question);
        self.finish_turn(host);
        let alive = self.hosts[host].run == run && self.hosts[host].cluster.is_some();
        answer.filter(|_| alive)
    }

    fn finish_turn(&mut self, host: usize) {
        self.watch(host);
        for out in self.hosts[host].finish_turn(self.now_ms) {
            match out {
                Out::Connect(link, ip, port) => {
                    let run = self.hosts[host].run;
                    let conn = self.net.dial((host, run), link, (ip, port));
                    self.hosts[host].links.insert(link, (conn, 0));
                    let at_ms = self.now_ms + 2 * self.net.delay();
                    self.at(at_ms, What::Dial(conn));
                }
                Out::Send(link, packet) => self.send(host, link, packet),
                Out::Close(link) => {
                    if let Some((conn, side)) = self.hosts[host].links.remove(&link) {
                        self.net.forget(conn, side);
                        self.put(conn, 1 - side, Item::Close);
                    }
                }
                Out::Ended(how) => self.end(host, how),
            }
        }
    }

    /// Sends a packet, which need not be the node's own.
    pub fn send(&mut self, host: usize, link: redis_rust::cluster::LinkId, packet: bytes::Bytes) {
        let Some(&(conn, side)) = self.hosts[host].links.get(&link) else { return };
        self.note_vote(conn, 1 - side, &packet);
        if self.net.breaks() {
            self.trace(|| format!("a link of host {host} breaks"));
            for side in 0..2 {
                self.put(conn, side, Item::Close);
            }
            return;
        }
        self.put(conn, 1 - side, Item::Packet(packet));
    }

    /// Nobody votes twice in an epoch, whatever happened in between.
    fn note_vote(&mut self, conn: ConnId, to: usize, packet: &[u8]) {
        if packet[13] != MessageKind::AuthAck as u8 {
            return;
        }
        let Ok(vote) = wire::decode(packet) else { return };
        let (voter, epoch) = (vote.header.sender, vote.header.current_epoch.0);
        let candidate = self.net.conns[conn].sides[to].host;
        self.trace(|| format!("{voter} votes for host {candidate} in epoch {epoch}"));
        let before = self.votes.entry(epoch).or_default().insert(voter, candidate);
        assert_eq!(before, None, "{voter} voted twice in epoch {epoch}");
    }

    // ---- links

    fn put(&mut self, conn: ConnId, side: usize, item: Item) {
        for at_ms in self.net.put(conn, side, item, self.now_ms) {
            self.at(at_ms, What::Arrive { conn, side });
        }
    }

    fn dial(&mut self, conn: ConnId) {
        let Some(dialler) = self.net.conns[conn].sides.first().filter(|side| side.open) else {
            return;
        };
        let dialler = dialler.host;
        let (ip, port) = &self.net.conns[conn].to;
        let machine = self.hosts.iter().find(|h| h.ip == *ip && !h.powered_off());
        let machine = machine.map(|h| (h.index, h.run, h.cluster.is_some(), h.bus_port() == *port));
        let reached = machine
            .filter(|&(to, ..)| self.net.passes(dialler, to) && self.net.passes(to, dialler));
        match reached {
            Some((to, run, true, true)) => {
                self.net.answer(conn, (to, run));
                self.put(conn, 1, Item::Accept);
                self.put(conn, 0, Item::Connected);
            }
            Some(_) => self.put(conn, 0, Item::Close),
            None => {
                self.net.conns[conn].dials += 1;
                if self.net.conns[conn].dials < DIALS_MAX {
                    self.at(self.now_ms + DIAL_AGAIN_MS, What::Dial(conn));
                } else {
                    self.put(conn, 0, Item::Close);
                }
            }
        }
    }

    fn arrive(&mut self, conn: ConnId, at: usize) {
        let Some(side) = self.net.conns[conn].sides.get(at) else { return };
        let (host, run, open) = (side.host, side.run, side.open);
        let from = self.net.conns[conn].sides.get(1 - at).map_or(host, |side| side.host);
        if !open || self.hosts[host].paused || !self.net.passes(from, host) {
            return;
        }
        if self.hosts[host].run != run || self.hosts[host].cluster.is_none() {
            // Nobody is there any more to take it: the peer is told, if there is a machine.
            if !self.hosts[host].powered_off() {
                self.net.forget(conn, at);
                self.put(conn, 1 - at, Item::Close);
            }
            return;
        }
        let mut any = false;
        while self.net.conns[conn].sides[at].open
            && let Some(item) = self.net.take(conn, at, self.now_ms)
        {
            any = true;
            self.take_in(conn, at, item);
        }
        if !any {
            return;
        }
        // Often more than one link is ready in one turn of the loop.
        if self.one_in(4) {
            self.at(self.now_ms + 1, What::Turn { host, run });
        } else {
            self.finish_turn(host);
        }
    }

    fn take_in(&mut self, conn: ConnId, at: usize, item: Item) {
        let side = &self.net.conns[conn].sides[at];
        let (host, link) = (side.host, side.link);
        let now_ms = self.now_ms;
        match (item, link) {
            (Item::Accept, _) => {
                let peer = self.net.conns[conn].sides[1 - at].host;
                let (peer_ip, local_ip) =
                    (self.hosts[peer].ip.clone(), self.hosts[host].ip.clone());
                let link = self.hosts[host].with(now_ms, |cluster, env| {
                    cluster.link_accepted(&peer_ip, &local_ip, env.now_ms)
                });
                let link = link.expect("it was seen to run");
                self.hosts[host].links.insert(link, (conn, at));
                self.net.conns[conn].sides[at].link = Some(link);
            }
            (Item::Connected, Some(link)) => {
                let local_ip = self.hosts[host].ip.clone();
                self.hosts[host].with(now_ms, |cluster, env| {
                    cluster.link_connected(link, &local_ip, env);
                });
            }
            (Item::Packet(packet), Some(link)) => {
                self.hosts[host].with(now_ms, |cluster, env| cluster.receive(link, &packet, env));
            }
            (Item::Close, Some(link)) => {
                self.net.forget(conn, at);
                self.hosts[host].links.remove(&link);
                self.hosts[host].with(now_ms, |cluster, _| cluster.link_closed(link));
            }
            // Closed before it was accepted, by a peer that has given up.
            (Item::Close, None) => self.net.forget(conn, at),
            (Item::Connected | Item::Packet(_), None) => unreachable!("accepted first"),
        }
    }
}
