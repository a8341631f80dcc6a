//! Nodes that know nobody become one cluster.

use redis_rust::keyspace::Slot;

use super::{Formed, meet, some_weather};
use crate::seeds;
use crate::world::Sim;

/// So many new nodes, with or without an epoch and slots of their own.
fn newcomers(seed: u64) -> Sim {
    let mut sim = Sim::new(seed, 3 + seed as usize % 6);
    sim.net.weather = some_weather(&mut sim);
    let (with_epochs, with_slots) = (sim.one_in(2), sim.one_in(2));
    let shares = Formed::evenly(sim.hosts.len()).slots;
    for (host, &share) in shares.iter().enumerate() {
        sim.start(host);
        if with_epochs {
            let epoch = host as i64 + 1;
            sim.ask(host, |cluster, _| cluster.set_config_epoch(epoch)).unwrap().unwrap();
        }
        if with_slots {
            give_slots(&mut sim, host, share);
        }
    }
    sim
}

fn give_slots(sim: &mut Sim, host: usize, (from, to): (u16, u16)) {
    sim.ask(host, |cluster, _| cluster.add_slots([Ok((Slot(from), Slot(to)))])).unwrap().unwrap();
    let id = sim.id(host);
    sim.promised.extend((from..=to).map(|slot| (slot, id)));
}

/// A node that missed its MEET, or did not answer in time, is met again.
pub fn everybody_knows(sim: &mut Sim) {
    for _ in 0..20 {
        sim.run_for(10_000);
        let known = |host: usize| {
            sim.cluster(0).nodes.find(&sim.id(host)).is_some()
                && sim.cluster(host).nodes.find(&sim.id(0)).is_some()
        };
        let missing: Vec<usize> = (1..sim.hosts.len()).filter(|&host| !known(host)).collect();
        missing.iter().for_each(|&host| meet(sim, 0, host));
        if missing.is_empty() {
            return;
        }
    }
}

/// All are one cluster, and serve once all slots are given out.
fn finish(mut sim: Sim) {
    everybody_knows(&mut sim);
    sim.settle(120_000);
    let shares = Formed::evenly(sim.hosts.len()).slots;
    if sim.promised.is_empty() {
        for (host, share) in shares.into_iter().enumerate() {
            give_slots(&mut sim, host, share);
            sim.run_up_to(300);
        }
        sim.settle(60_000);
    }
    assert!(sim.running().iter().all(|&host| sim.cluster(host).size() == sim.hosts.len()));
}

#[test]
fn join_in_a_chain() {
    seeds("join_in_a_chain", 30, |seed| {
        let mut sim = newcomers(seed);
        for host in 1..sim.hosts.len() {
            meet(&mut sim, host, host - 1);
            sim.run_up_to(500);
        }
        finish(sim);
    });
}

#[test]
fn join_as_a_star() {
    seeds("join_as_a_star", 30, |seed| {
        let mut sim = newcomers(seed);
        for host in 1..sim.hosts.len() {
            meet(&mut sim, 0, host);
            sim.run_up_to(100);
        }
        finish(sim);
    });
}

#[test]
fn join_all_at_once() {
    seeds("join_all_at_once", 30, |seed| {
        let mut sim = newcomers(seed);
        for host in 0..sim.hosts.len() {
            for other in 0..sim.hosts.len() {
                if host != other {
                    meet(&mut sim, host, other);
                }
            }
        }
        finish(sim);
    });
}
