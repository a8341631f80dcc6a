//! Nodes that have the same config epoch, and nodes that claim the same slots.

use redis_rust::keyspace::Slot;

use super::{Formed, meet, some_weather};
use crate::host::End;
use crate::seeds;
use crate::world::Sim;

#[test]
fn epochs_collide() {
    seeds("epochs_collide", 40, |seed| {
        let mut sim = Sim::new(seed, 2 + seed as usize % 9);
        let mut formed = Formed::evenly(sim.hosts.len());
        let epoch = [0, 1, 7, u64::from(u32::MAX)][sim.below(4)];
        formed.epochs.fill(epoch);
        if sim.one_in(2) {
            formed.epochs[0] += 1;
        }
        let weather = some_weather(&mut sim);
        sim.net.weather = weather;
        formed.start(&mut sim);
        sim.run_up_to(20_000);
        sim.net.weather = Default::default();
        sim.settle(60_000);
        let cluster = sim.cluster(0);
        let owned = cluster.nodes.iter().map(|(index, _)| cluster.slots.count_of(index));
        assert_eq!(owned.sum::<usize>(), redis_rust::base::limits::SLOTS);
    });
}

/// While the nodes part, some of them end again and again.
#[test]
fn epochs_collide_with_crashes() {
    seeds("epochs_collide_with_crashes", 30, |seed| {
        let mut sim = Sim::new(seed, 3 + seed as usize % 4);
        let mut formed = Formed::evenly(sim.hosts.len());
        formed.epochs.fill(3);
        formed.start(&mut sim);
        for _ in 0..8 {
            let victim = sim.below(sim.hosts.len());
            let how = if sim.one_in(2) { End::Killed } else { End::PowerLost };
            let actions = sim.below(4);
            sim.hosts[victim].ends_after = Some((actions, how));
            sim.run_up_to(1500);
            sim.end(victim, how);
            sim.run_up_to(1500);
            sim.start(victim);
        }
        sim.settle(60_000);
    });
}

/// Slots that more than one node was given before they met belong to one of these in the end, and
/// none gets lost.
#[test]
fn claims_conflict() {
    seeds("claims_conflict", 40, conflict);
}

/// Two nodes told third ones by the new epoch of each other of slots that it had given up.
#[test]
fn claims_conflict_while_epochs_rise() {
    conflict(1217);
}

fn conflict(seed: u64) {
    let mut sim = Sim::new(seed, 2 + seed as usize % 6);
    let weather = some_weather(&mut sim);
    sim.net.weather = weather;
    for host in 0..sim.hosts.len() {
        sim.start(host);
        let from = sim.below(16_384) as u16;
        let to = from + sim.below(usize::from(16_384 - from)) as u16;
        let slots = [Ok((Slot(from), Slot(to)))];
        sim.ask(host, |cluster, _| cluster.add_slots(slots)).unwrap().unwrap();
    }
    let given: Vec<_> =
        sim.running().iter().map(|&h| crate::checks::own_slots(sim.cluster(h))).collect();
    for host in 1..sim.hosts.len() {
        let other = sim.below(host);
        meet(&mut sim, host, other);
    }
    super::join::everybody_knows(&mut sim);
    sim.net.weather = Default::default();
    sim.settle(60_000);
    let cluster = sim.cluster(0);
    for slot in given.iter().flat_map(|slots| slots.iter()) {
        let owner = cluster.slots.owner(slot).map(|owner| cluster.nodes[owner].id);
        let host = owner.and_then(|owner| sim.host_of(owner));
        assert!(host.is_some_and(|host| given[host].contains(slot)), "slot {}", slot.0);
    }
}
