//! Everything at once, for a while; then peace. What was promised holds, no key is lost.

use super::{KEYED_SLOTS, formed, some_weather};
use crate::host::End;
use crate::seeds;
use crate::tool::Tool;
use crate::world::{NODE_TIMEOUT_MS, Sim};

const HOSTS: usize = 6;

#[test]
fn chaos() {
    seeds("chaos", 60, all_at_once);
}

/// The last owner of a slot and the node that had just taken it over got the same epoch.
#[test]
fn chaos_of_colliding_epochs_while_a_slot_moves() {
    all_at_once(6291);
}

fn all_at_once(seed: u64) {
    let mut sim = formed(seed, HOSTS);
    for host in 0..HOSTS {
        sim.hosts[host].clock_skew_ms = sim.below(300) as i64;
    }
    let troubles = 5 + sim.below(40);
    for _ in 0..troubles {
        trouble(&mut sim);
        sim.run_up_to(NODE_TIMEOUT_MS);
    }
    calm_down(&mut sim);
    sim.settle(90_000);
    for slot in KEYED_SLOTS {
        mend(&mut sim, slot);
    }
    sim.settle(60_000);
    sim.check_keys();
}

/// The same seed is the same run.
#[test]
fn runs_repeat_exactly() {
    let run = |seed: u64| {
        let mut sim = formed(seed, HOSTS);
        for _ in 0..10 {
            trouble(&mut sim);
            sim.run_up_to(NODE_TIMEOUT_MS);
        }
        let traffic: Vec<_> = sim.hosts.iter().map(|host| host.sent).collect();
        let files: Vec<_> = sim.hosts.iter().map(|host| host.disk.written.clone()).collect();
        (sim.now_ms, traffic, files)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

fn trouble(sim: &mut Sim) {
    let host = sim.below(HOSTS);
    let how = if sim.one_in(2) { End::Killed } else { End::PowerLost };
    match sim.below(10) {
        0 => sim.end(host, how),
        1 => {
            let actions = sim.below(5);
            sim.hosts[host].ends_after = Some((actions, how));
        }
        2 | 3 => start_one(sim),
        4 => {
            let (from, to) = (sim.below(HOSTS), sim.below(HOSTS));
            let one_way = sim.one_in(2);
            sim.partition(&[from], &[to], one_way);
        }
        5 => sim.heal(),
        6 if sim.hosts[host].runs() => sim.pause(host),
        7 => {
            let paused = sim.hosts.iter().position(|host| host.paused);
            paused.into_iter().for_each(|host| sim.resume(host));
        }
        8 => {
            let weather = some_weather(sim);
            sim.net.weather = weather;
        }
        _ => reshard(sim),
    }
}

fn start_one(sim: &mut Sim) {
    let ended = sim.hosts.iter().position(|host| host.cluster.is_none());
    ended.into_iter().for_each(|host| sim.start(host));
}

/// The tool moves a slot, if that is not open.
fn reshard(sim: &mut Sim) {
    let slot = KEYED_SLOTS[sim.below(KEYED_SLOTS.len())];
    let Some(&owner) = sim.promised.get(&slot) else { return };
    let open = sim.running().into_iter().any(|host| {
        let slots = &sim.cluster(host).slots;
        let number = redis_rust::keyspace::Slot(slot);
        slots.migrating_to(number).is_some() || slots.importing_from(number).is_some()
    });
    let from = sim.host_of(owner).expect("a host");
    let to = sim.below(HOSTS);
    if open || from == to {
        return;
    }
    let outcome = Tool::new(sim, None, false).move_slot(slot, from, to);
    sim.trace(|| format!("the tool: {outcome:?}"));
}

fn calm_down(sim: &mut Sim) {
    sim.heal();
    sim.net.weather = Default::default();
    for host in 0..HOSTS {
        sim.hosts[host].ends_after = None;
        if sim.hosts[host].paused {
            sim.resume(host);
        }
        if sim.hosts[host].cluster.is_none() {
            sim.start(host);
        }
    }
}

fn mend(sim: &mut Sim, slot: u16) {
    let mut outcome = Ok(());
    for _ in 0..4 {
        outcome = Tool::new(sim, None, false).fix(slot);
        if outcome.is_ok() {
            return;
        }
        sim.run_for(2000);
    }
    panic!("slot {slot} cannot be mended: {outcome:?}");
}
