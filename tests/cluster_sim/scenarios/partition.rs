//! The network falls apart and heals; processes stop and go on.

use redis_rust::cluster::{NodeFlags, State};

use super::{Formed, form, formed};
use crate::seeds;
use crate::world::{NODE_TIMEOUT_MS, Sim};

/// So many hosts at random, and the others.
fn split(sim: &mut Sim, first: usize) -> (Vec<usize>, Vec<usize>) {
    let mut hosts: Vec<usize> = (0..sim.hosts.len()).collect();
    for at in 0..hosts.len() {
        let other = at + sim.below(hosts.len() - at);
        hosts.swap(at, other);
    }
    let rest = hosts.split_off(first);
    (hosts, rest)
}

#[test]
fn partition_and_heal() {
    seeds("partition_and_heal", 40, |seed| {
        let mut sim = Sim::new(seed, 3 + seed as usize % 5);
        let full_coverage = sim.one_in(2);
        sim.hosts.iter_mut().for_each(|host| host.full_coverage = full_coverage);
        let formed = Formed::evenly(sim.hosts.len());
        form(&mut sim, &formed);
        let size = 1 + sim.below((sim.hosts.len() - 1) / 2);
        let (minority, majority) = split(&mut sim, size);
        sim.partition(&minority, &majority, false);
        sim.run_for(8 * NODE_TIMEOUT_MS);
        for &host in &minority {
            let cluster = sim.cluster(host);
            assert_eq!(cluster.state(), State::Fail, "host {host} serves in a minority");
            let marked = cluster.nodes.iter().any(|(_, node)| node.has_failed());
            assert!(!marked, "host {host} has no majority to mark a node with");
        }
        for &host in &majority {
            let cluster = sim.cluster(host);
            let expected = if full_coverage { State::Fail } else { State::Ok };
            assert_eq!(cluster.state(), expected, "host {host} is with the majority");
            for &lost in &minority {
                let node = cluster.nodes.find(&sim.id(lost)).expect("known");
                let flags = cluster.nodes[node].flags;
                assert!(flags.contains(NodeFlags::FAIL), "host {lost} at {host}: {flags:?}");
            }
        }
        sim.heal();
        sim.settle(60_000);
        sim.check_keys();
    });
}

/// Nothing gets from some to the others, while answers would.
#[test]
fn partition_one_way() {
    seeds("partition_one_way", 30, |seed| {
        let mut sim = formed(seed, 3 + seed as usize % 5);
        let size = 1 + sim.below(sim.hosts.len() - 1);
        let (some, others) = split(&mut sim, size);
        sim.partition(&some, &others, true);
        sim.run_up_to(10 * NODE_TIMEOUT_MS);
        sim.heal();
        sim.settle(60_000);
        sim.check_keys();
    });
}

/// Paths come and go all the time.
#[test]
fn partitions_flap() {
    seeds("partitions_flap", 20, |seed| {
        let mut sim = formed(seed, 5);
        for _ in 0..8 {
            let size = 1 + sim.below(4);
            let (some, others) = split(&mut sim, size);
            let one_way = sim.one_in(3);
            sim.partition(&some, &others, one_way);
            sim.run_up_to(3 * NODE_TIMEOUT_MS);
            if sim.one_in(2) {
                sim.heal();
                sim.run_up_to(NODE_TIMEOUT_MS);
            }
        }
        sim.heal();
        sim.settle(60_000);
        sim.check_keys();
    });
}

#[test]
fn processes_pause() {
    seeds("processes_pause", 20, |seed| {
        let mut sim = formed(seed, 5);
        for _ in 0..3 {
            let size = 1 + sim.below(5);
            let (some, _) = split(&mut sim, size);
            some.iter().for_each(|&host| sim.pause(host));
            sim.run_up_to(5 * NODE_TIMEOUT_MS);
            for &host in &some {
                sim.resume(host);
                sim.run_up_to(500);
            }
        }
        sim.settle(60_000);
        sim.check_keys();
    });
}
