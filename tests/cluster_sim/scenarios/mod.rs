//! The scenarios, and how they begin.

mod chaos;
mod epochs;
mod forget;
mod join;
mod partition;
mod reshard;
mod restart;
mod scale;
mod votes;

use redis_rust::base::rng::Rng;
use redis_rust::cluster::{NodeId, ShardId};

use crate::host::Host;
use crate::network::Weather;
use crate::world::Sim;

/// Slots that have keys in scenarios with keys.
const KEYED_SLOTS: [u16; 4] = [0, 5000, 10_000, 16_383];

/// A cluster as its nodes' files describe it: who they are, which slots they own.
pub struct Formed {
    /// The config epoch of each.
    pub epochs: Vec<u64>,
    /// First and last slot of each.
    pub slots: Vec<(u16, u16)>,
    /// The primaries of the replicas, which come after the primaries.
    pub replicas: Vec<usize>,
}

impl Formed {
    /// Even shares, and an epoch for each.
    pub fn evenly(nodes: usize) -> Formed {
        let from = |node: usize| (node * 16_384 / nodes) as u16;
        let until = |node: usize| ((node + 1) * 16_384 / nodes - 1) as u16;
        Formed {
            epochs: (1..=nodes as u64).collect(),
            slots: (0..nodes).map(|node| (from(node), until(node))).collect(),
            replicas: Vec::new(),
        }
    }

    /// Writes the nodes.conf of every host.
    pub fn write(&self, sim: &mut Sim) {
        let mut rng = Rng::seeded(sim.rng.next_u64());
        let primaries = self.epochs.len();
        let count = primaries + self.replicas.len();
        let ids: Vec<NodeId> = (0..count).map(|_| NodeId::random(&mut rng)).collect();
        let shards: Vec<ShardId> = (0..primaries).map(|_| ShardId::random(&mut rng)).collect();
        let current = self.epochs.iter().max().copied().unwrap_or_default();
        let line = |host: &Host, myself: bool| {
            let (ip, port, bus_port) = (&host.ip, host.port, host.bus_port());
            let replica = host.index.checked_sub(primaries).map(|at| self.replicas[at]);
            let primary = replica.unwrap_or(host.index);
            let (id, shard, epoch) = (ids[host.index], shards[primary], self.epochs[primary]);
            let myself = if myself { "myself," } else { "" };
            let role = match replica {
                Some(primary) => format!("{myself}slave {}", ids[primary]),
                None => format!("{myself}master -"),
            };
            let slots = match replica {
                Some(_) => String::new(),
                None => format!(" {}-{}", self.slots[primary].0, self.slots[primary].1),
            };
            format!(
                "{id} {ip}:{port}@{bus_port},,tls-port=0,shard-id={shard} {role} 0 0 {epoch} \
                 connected{slots}\n"
            )
        };
        let files: Vec<String> = (0..count)
            .map(|viewer| {
                let hosts = sim.hosts[..count].iter();
                let lines = hosts.map(|host| line(host, host.index == viewer));
                let lines: String = lines.collect();
                format!("{lines}vars currentEpoch {current} lastVoteEpoch 0\n")
            })
            .collect();
        for (host, text) in sim.hosts.iter_mut().zip(files) {
            host.disk.written = Some(text.clone());
            host.disk.durable = Some(text);
        }
    }

    /// Writes the nodes.conf of every host and starts it.
    pub fn start(&self, sim: &mut Sim) {
        self.write(sim);
        (0..self.epochs.len() + self.replicas.len()).for_each(|host| sim.start(host));
    }
}

/// A working cluster of that many primaries, with some keys.
pub fn formed(seed: u64, nodes: usize) -> Sim {
    let mut sim = Sim::new(seed, nodes);
    form(&mut sim, &Formed::evenly(nodes));
    sim
}

/// Lets a cluster work, and gives it some keys.
pub fn form(sim: &mut Sim, formed: &Formed) {
    formed.start(sim);
    sim.settle(30_000);
    for slot in KEYED_SLOTS {
        let owner = formed.slots.iter().position(|&(from, to)| (from..=to).contains(&slot));
        let owner = owner.expect("all slots are covered");
        sim.promised.insert(slot, sim.id(owner));
        for number in 0..5 {
            assert!(sim.write((slot, number)));
        }
    }
}

/// Weather that a cluster has to live with.
pub fn some_weather(sim: &mut Sim) -> Weather {
    let calm = Weather::default();
    match sim.below(4) {
        0 => calm,
        1 => Weather { delay_max_ms: 200, ..calm },
        2 => Weather { delay_max_ms: 30, break_one_in: 200, ..calm },
        _ => Weather {
            delay_max_ms: 300,
            reorder: true,
            duplicate_one_in: 5,
            lose_one_in: 50,
            ..calm
        },
    }
}

/// CLUSTER MEET.
pub fn meet(sim: &mut Sim, host: usize, other: usize) {
    let (ip, port, bus_port) = {
        let other = &sim.hosts[other];
        (other.ip.clone(), other.port, other.bus_port())
    };
    sim.ask(host, |cluster, env| {
        let _ = cluster.start_handshake(&ip, port, bus_port, env.now_ms);
    });
}
