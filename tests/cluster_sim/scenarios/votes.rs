//! Replicas, played by a script, ask for votes, and take over: nobody votes twice in an epoch,
//! and no epoch has two winners. That nobody votes twice is checked whenever a vote is sent.

use redis_rust::cluster::wire::{Body, Header, MessageFlags, encode};
use redis_rust::cluster::{LinkId, NodeFlags};

use super::{Formed, form};
use crate::host::End;
use crate::seeds;
use crate::world::{NODE_TIMEOUT_MS, Sim};

const PRIMARIES: usize = 5;
const MAJORITY: usize = PRIMARIES / 2 + 1;

/// Five primaries, of which the first has three replicas, and is dead.
fn orphaned(seed: u64) -> Sim {
    let mut sim = Sim::new(seed, PRIMARIES + 3);
    let formed = Formed { replicas: vec![0; 3], ..Formed::evenly(PRIMARIES) };
    form(&mut sim, &formed);
    sim.end(0, End::Killed);
    sim.run_for(4 * NODE_TIMEOUT_MS);
    sim
}

/// A replica asks all that it has a link to.
fn ask_for_votes(sim: &mut Sim, replica: usize, epoch: u64) {
    let Some(cluster) = sim.hosts[replica].cluster.as_ref() else { return };
    let me = cluster.me();
    let primary = me.replica_of.expect("it is a replica");
    let header = Header {
        sender: me.id,
        current_epoch: redis_rust::cluster::Epoch(epoch),
        config_epoch: cluster.nodes[primary].config_epoch,
        offset: 0,
        slots: cluster.slots.owned_by(primary).cloned().unwrap_or_default(),
        replica_of: Some(cluster.nodes[primary].id),
        address: me.address.clone(),
        flags: NodeFlags::REPLICA,
        state_ok: false,
        message_flags: MessageFlags::default(),
    };
    let packet = encode(&header, &Body::AuthRequest);
    let links: Vec<LinkId> = cluster.nodes.iter().filter_map(|(_, node)| node.link).collect();
    sim.trace(|| format!("host {replica} asks for votes in epoch {epoch}"));
    links.into_iter().for_each(|link| sim.send(replica, link, packet.clone()));
}

/// The greatest epoch that anyone has heard of, and the next one.
fn next_epoch(sim: &Sim) -> u64 {
    let epochs = sim.running().into_iter().map(|host| sim.cluster(host).current_epoch().0);
    epochs.max().unwrap_or_default() + 1
}

/// Who has the votes of most primaries in an epoch, if anyone.
fn winner(sim: &Sim, epoch: u64) -> Option<usize> {
    let votes = sim.votes.get(&epoch)?;
    let of = |candidate| votes.values().filter(|&&to| to == candidate).count();
    let winners: Vec<usize> =
        (PRIMARIES..sim.hosts.len()).filter(|&candidate| of(candidate) >= MAJORITY).collect();
    assert!(winners.len() <= 1, "epoch {epoch} was won by {winners:?}");
    winners.first().copied()
}

#[test]
fn votes_with_crashes() {
    seeds("votes_with_crashes", 40, |seed| {
        let mut sim = orphaned(seed);
        for _ in 0..12 {
            let epoch = next_epoch(&sim) - u64::from(sim.one_in(3));
            if sim.one_in(2) {
                let victim = 1 + sim.below(PRIMARIES - 1);
                let how = if sim.one_in(2) { End::Killed } else { End::PowerLost };
                let actions = sim.below(4);
                sim.hosts[victim].ends_after = Some((actions, how));
            }
            let with_bad_disk = 1 + sim.below(PRIMARIES - 1);
            sim.hosts[with_bad_disk].disk.broken = sim.one_in(4);
            for _ in 0..1 + sim.below(3) {
                let replica = PRIMARIES + sim.below(3);
                ask_for_votes(&mut sim, replica, epoch);
                sim.run_up_to(20);
            }
            sim.run_up_to(3 * NODE_TIMEOUT_MS);
            for host in 1..PRIMARIES {
                sim.hosts[host].ends_after = None;
                if sim.hosts[host].cluster.is_none() {
                    sim.start(host);
                }
            }
        }
        let epochs: Vec<u64> = sim.votes.keys().copied().collect();
        epochs.into_iter().for_each(|epoch| {
            winner(&sim, epoch);
        });
    });
}

/// Without trouble the first who asks gets every vote, takes over, and the old primary gives way.
#[test]
fn replica_takes_over() {
    seeds("replica_takes_over", 20, |seed| {
        let mut sim = orphaned(seed);
        let epoch = next_epoch(&sim);
        let (first, second) = (PRIMARIES + sim.below(3), PRIMARIES + sim.below(3));
        ask_for_votes(&mut sim, first, epoch);
        sim.run_for(50);
        ask_for_votes(&mut sim, second, epoch);
        sim.run_for(500);
        assert_eq!(winner(&sim, epoch), Some(first), "{:?}", sim.votes);
        assert_eq!(sim.votes[&epoch].len(), PRIMARIES - 1);
        promote(&mut sim, first, epoch);
        sim.run_for(5_000);
        // Whether the old primary hears of it from the new one or only from the others.
        if sim.one_in(2) {
            sim.partition(&[0], &[first], false);
        }
        sim.start(0);
        sim.run_for(8_000);
        let left = crate::checks::own_slots(sim.cluster(0));
        assert!(left.is_empty(), "the old primary still claims {left:?}");
        sim.heal();
        sim.settle(60_000);
        sim.check_keys();
    });
}

/// What failing over amounts to: it starts again as the primary that it was elected to be.
fn promote(sim: &mut Sim, replica: usize, epoch: u64) {
    let (old, new) = (sim.id(0), sim.id(replica));
    let keys: Vec<_> = sim.hosts[0].keys.iter().collect();
    keys.into_iter().for_each(|(key, version)| sim.hosts[replica].keys.set(key, version));
    sim.end(replica, End::Killed);
    let text = sim.hosts[replica].disk.written.clone().expect("it was written");
    let mut slots = String::new();
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines() {
        let mut fields: Vec<&str> = line.split(' ').collect();
        if line.starts_with(old.as_str()) {
            slots = fields.split_off(8).join(" ");
        }
        lines.push(fields.join(" "));
    }
    let own = lines.iter_mut().find(|line| line.contains("myself")).expect("its own line");
    let mut fields: Vec<String> = own.split(' ').map(String::from).collect();
    fields[2] = "myself,master".to_string();
    fields[3] = "-".to_string();
    fields[6] = epoch.to_string();
    *own = format!("{} {slots}", fields.join(" "));
    sim.hosts[replica].disk.written = Some(lines.join("\n") + "\n");
    for promised in sim.promised.values_mut().filter(|promised| **promised == old) {
        *promised = new;
    }
    sim.start(replica);
}
