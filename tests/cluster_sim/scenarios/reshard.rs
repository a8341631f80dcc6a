//! Slots move with their keys, while nodes and the tool end at every step.

use super::{KEYED_SLOTS, formed, some_weather};
use crate::host::End;
use crate::seeds;
use crate::tool::{Fault, Tool};
use crate::world::Sim;

/// Steps of a move of five keys in a cluster of four nodes, and one beyond.
const STEPS: usize = 17;

#[test]
fn reshard_without_trouble() {
    seeds("reshard_without_trouble", 10, |seed| {
        let mut sim = formed(seed, 4);
        for slot in KEYED_SLOTS {
            let (from, to) = two_ends(&mut sim, slot);
            let mut tool = Tool::new(&mut sim, None, true);
            tool.move_slot(slot, from, to).unwrap();
            sim.write_some(20);
        }
        sim.settle(60_000);
        sim.check_keys();
    });
}

fn two_ends(sim: &mut Sim, slot: u16) -> (usize, usize) {
    let from = sim.host_of(sim.promised[&slot]).expect("a host");
    let to = (from + 1 + sim.below(sim.hosts.len() - 1)) % sim.hosts.len();
    (from, to)
}

/// A slot goes on, or straight back to where it came from, before the news of its last move is
/// everywhere.
#[test]
fn reshard_to_and_fro() {
    seeds("reshard_to_and_fro", 100, |seed| {
        let mut sim = formed(seed, 4);
        sim.net.weather = some_weather(&mut sim);
        let slot = KEYED_SLOTS[sim.below(KEYED_SLOTS.len())];
        let (mut from, mut to) = two_ends(&mut sim, slot);
        for _ in 0..2 + sim.below(4) {
            let clients = sim.one_in(2);
            Tool::new(&mut sim, None, clients).move_slot(slot, from, to).unwrap();
            (from, to) = if sim.one_in(3) { two_ends(&mut sim, slot) } else { (to, from) };
        }
        sim.net.weather = Default::default();
        sim.settle(60_000);
        sim.check_keys();
        sim.write_some(20);
        sim.check_keys();
    });
}

/// The same, and on the last way something ends.
#[test]
fn reshard_to_and_fro_with_crashes() {
    seeds("reshard_to_and_fro_with_crashes", 2 * 4 * STEPS as u64, |seed| {
        let mut sim = formed(seed, 4);
        let slot = KEYED_SLOTS[sim.below(KEYED_SLOTS.len())];
        let (from, to) = two_ends(&mut sim, slot);
        Tool::new(&mut sim, None, true).move_slot(slot, from, to).unwrap();
        let fault = fault(seed, to, from);
        let outcome = Tool::new(&mut sim, Some(fault), true).move_slot(slot, to, from);
        sim.trace(|| format!("the tool: {outcome:?}"));
        recover(&mut sim);
        mend(&mut sim, slot);
        sim.check_keys();
        sim.write_some(20);
        sim.check_keys();
    });
}

/// The seed says what goes wrong, so that every combination has its turn.
fn fault(seed: u64, from: usize, to: usize) -> Fault {
    let mut rest = seed as usize;
    let mut choose = |bound: usize| {
        let chosen = rest % bound;
        rest /= bound;
        chosen
    };
    let step = choose(STEPS);
    let victims = [[Some(from), None], [Some(to), None], [Some(from), Some(to)], [None, None]];
    let victims = victims[choose(4)];
    let how = [End::Killed, End::PowerLost][choose(2)];
    let within = [None, Some(0), Some(1), Some(2)][choose(4)];
    let tool = victims == [None, None] || choose(3) == 0;
    Fault { step, victims, how, tool, within }
}

#[test]
fn reshard_with_crashes() {
    seeds("reshard_with_crashes", 2 * 4 * STEPS as u64, with_crashes);
}

/// A node that had the greatest epoch already took a slot over, said OK, and lost its power.
#[test]
fn reshard_to_the_greatest_epoch_survives_power_loss() {
    with_crashes(115);
    with_crashes(116);
}

/// The source forgot that the slot was on its way, and heard of the owner that `fix` had chosen
/// before the tool could tell it to keep the keys that were left.
#[test]
fn reshard_mended_after_power_loss() {
    with_crashes(76);
}

fn with_crashes(seed: u64) {
    let mut sim = formed(seed, 4);
    let slot = KEYED_SLOTS[sim.below(KEYED_SLOTS.len())];
    let (from, to) = two_ends(&mut sim, slot);
    let fault = fault(seed, from, to);
    let outcome = Tool::new(&mut sim, Some(fault), true).move_slot(slot, from, to);
    sim.trace(|| format!("the tool: {outcome:?}"));
    recover(&mut sim);
    mend(&mut sim, slot);
    sim.check_keys();
    sim.write_some(20);
    sim.check_keys();
}

/// Whoever ended is started again, sooner or later.
fn recover(sim: &mut Sim) {
    for host in 0..sim.hosts.len() {
        sim.hosts[host].ends_after = None;
        let ended = sim.hosts[host].cluster.is_none();
        if ended {
            sim.run_up_to(8000);
            sim.start(host);
        }
    }
    sim.settle(60_000);
}

/// The tool mends the slot; now and then a node ends at that, too, and it has to be called again.
fn mend(sim: &mut Sim, slot: u16) {
    let mut again = sim.one_in(3);
    for _ in 0..5 {
        let trouble = Fault {
            step: sim.below(12),
            victims: [Some(sim.below(sim.hosts.len())), None],
            how: End::Killed,
            tool: sim.one_in(2),
            within: None,
        };
        let trouble = again.then_some(trouble);
        again = false;
        let outcome = Tool::new(sim, trouble, false).fix(slot);
        sim.trace(|| format!("fix: {outcome:?}"));
        recover(sim);
        if outcome.is_ok() {
            return;
        }
    }
    panic!("slot {slot} cannot be mended");
}
