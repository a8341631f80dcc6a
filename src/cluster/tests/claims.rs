//! Claims to slots, epochs, and who is told that it is behind.

use super::net::{NODE_TIMEOUT_MS, Net, ping, slots};
use crate::cluster::wire::{Body, Header, MessageKind};
use crate::cluster::{Action, Epoch, NodeFlags};
use crate::keyspace::Slot;

/// A ping of a node that claims other slots than it does.
fn claim(net: &mut Net, at: usize, from: usize, change: impl FnOnce(&mut Header)) {
    let (link, mut header) = (net.inbound(at, from), net.header(from));
    change(&mut header);
    net.inject_on(at, link, (&header, &ping(Vec::new(), Vec::new())));
}

#[test]
fn nodes_end_with_different_epochs() {
    let mut net = Net::new(8);
    (1..8).for_each(|at| net.meet(0, at));
    net.run(20_000);
    let mut epochs: Vec<_> = net.nodes.iter().map(|node| node.me().config_epoch).collect();
    epochs.sort();
    epochs.dedup();
    assert_eq!(epochs.len(), 8);
    let greatest = (0..8).max_by_key(|&at| net.id(at)).unwrap();
    assert_eq!(net.nodes[greatest].me().config_epoch, Epoch(0), "the greatest id stays");
    assert!(net.nodes.iter().all(|node| node.current_epoch() == net.nodes[0].current_epoch()));
}

#[test]
fn the_greater_epoch_owns_a_slot() {
    let mut net = Net::cluster(3);
    let slot = Slot(0);
    let mine = net.nodes[0].me().config_epoch;
    let me = net.nodes[0].myself();
    let claimed = |header: &mut Header| {
        header.slots.insert(slot);
    };
    let before = net.header(1);
    claim(&mut net, 0, 1, |header| {
        claimed(header);
        header.config_epoch = mine;
        header.current_epoch = mine;
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(me), "an equal epoch is not enough");
    claim(&mut net, 0, 1, |header| {
        claimed(header);
        header.config_epoch = Epoch(50);
        header.current_epoch = Epoch(51);
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(net.index(0, 1)));
    assert_eq!(net.nodes[0].current_epoch(), Epoch(51));
    assert_eq!(net.view(0, 1).config_epoch, Epoch(50));
    assert!(net.others.contains(&(0, Action::DropSlotChannels(slot))));
    assert!(!net.others.contains(&(0, Action::DropSlotKeys(slot))), "it held no keys");
    assert!(!before.slots.contains(slot));
}

#[test]
fn keys_of_a_lost_slot_are_dropped_and_its_mark_goes() {
    let mut net = Net::cluster(3);
    net.keys[0].0.insert(2, 7);
    net.keys[0].0.insert(3, 7);
    let to = net.index(0, 1);
    net.nodes[0].slots.set_migrating(Slot(3), Some(to));
    net.nodes[0].slots.set_migrating(Slot(4), Some(to));
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(Slot(2));
        header.slots.insert(Slot(3));
        header.config_epoch = Epoch(50);
    });
    let dropped: Vec<_> =
        net.others.iter().filter(|(_, a)| matches!(a, Action::DropSlotKeys(_))).collect();
    assert_eq!(dropped, [&(0, Action::DropSlotKeys(Slot(2)))]);
    assert_eq!(net.nodes[0].slots.migrating_to(Slot(3)), None);
    let importing = net.nodes[0].slots.importing_from(Slot(3));
    assert_eq!(importing, Some(to), "keys that were still to be moved are kept");
    assert_eq!(net.nodes[0].slots.migrating_to(Slot(4)), Some(to));
}

#[test]
fn a_slot_on_its_way_in_is_left_to_the_administrator() {
    let mut net = Net::cluster(3);
    let theirs = net.nodes[2].slots.owned_by(net.nodes[2].myself()).unwrap().iter().next();
    let (slot, from) = (theirs.unwrap(), net.index(0, 2));
    net.nodes[0].slots.set_importing(slot, Some(from));
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(slot);
        header.config_epoch = Epoch(50);
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(from));
    assert_eq!(net.nodes[0].slots.importing_from(slot), Some(from));
}

#[test]
fn who_loses_the_last_slot_stays_an_empty_primary() {
    let mut net = Net::cluster(2);
    net.keys[0].0.insert(0, 1);
    claim(&mut net, 0, 1, |header| {
        header.slots = slots(0..16384);
        header.config_epoch = Epoch(50);
    });
    assert_eq!(net.nodes[0].slots.count_of(net.nodes[0].myself()), 0);
    assert!(net.nodes[0].me().is_primary());
    assert!(net.others.contains(&(0, Action::DropSlotKeys(Slot(0)))));
}

#[test]
fn a_slot_that_its_owner_gave_up_is_free_for_any_claim() {
    let mut net = Net::cluster(3);
    let owner = net.index(0, 1);
    let slot = net.nodes[0].slots.owned_by(owner).unwrap().iter().next().unwrap();
    let gave_up = |header: &mut Header| {
        header.slots.remove(slot);
    };
    claim(&mut net, 0, 1, gave_up);
    assert_eq!(net.nodes[0].slots.owner(slot), Some(owner));
    assert!(net.nodes[0].slots.unclaimed.contains(slot));
    // It is not told to others in the meantime: node 2 claims all of node 1's by an old epoch.
    net.sent.clear();
    let all = net.nodes[0].slots.owned_by(owner).unwrap().clone();
    claim(&mut net, 0, 2, |header| {
        header.slots = all;
        header.config_epoch = Epoch(0);
    });
    let updates = net.sent(0, 2, MessageKind::Update);
    updates[0].with_body(|_, body| {
        let Body::Update { slots, .. } = body else { panic!("{body:?}") };
        assert!(!slots.contains(slot) && slots.contains(Slot(slot.0 + 1)));
    });
    // An old epoch is enough to get it.
    assert_eq!(net.nodes[0].slots.owner(slot), Some(net.index(0, 2)));
    assert!(!net.nodes[0].slots.unclaimed.contains(slot));
    // Claiming it again is enough, too.
    claim(&mut net, 0, 2, gave_up);
    assert!(net.nodes[0].slots.unclaimed.contains(slot));
    claim(&mut net, 0, 2, |header| {
        header.slots.insert(slot);
    });
    assert!(!net.nodes[0].slots.unclaimed.contains(slot));
}

#[test]
fn who_is_behind_is_told_once_per_packet_and_gives_in() {
    let mut net = Net::cluster(3);
    // Node 1 takes a slot of node 0 behind its back: only node 2 hears of it.
    let me = net.nodes[1].myself();
    net.cut(0);
    net.nodes[1].assign_slot(Slot(0), Some(me));
    net.nodes[1].bump_epoch();
    net.run(1500);
    assert_eq!(net.nodes[2].slots.owner(Slot(0)), Some(net.index(2, 1)));
    net.cut_off.clear();
    net.deaf.extend([(0, 1), (1, 0)]);
    net.sent.clear();
    net.run(3000);
    assert!(!net.sent(2, 0, MessageKind::Update).is_empty());
    assert_eq!(net.nodes[0].slots.owner(Slot(0)), Some(net.index(0, 1)));
    net.sent.clear();
    net.run(3000);
    assert!(net.sent(2, 0, MessageKind::Update).is_empty());
}

#[test]
fn an_update_counts_if_it_is_news() {
    let mut net = Net::cluster(3);
    let epoch = net.view(0, 2).config_epoch;
    let (link, header) = (net.inbound(0, 1), net.header(1));
    let update = |node, config_epoch| Body::Update { node, config_epoch, slots: slots(0..10) };
    net.inject_on(0, link, (&header, &update(net.id(2), epoch)));
    assert_eq!(net.nodes[0].slots.owner(Slot(0)), Some(net.nodes[0].myself()));
    let greater = Epoch(epoch.0 + 10);
    net.inject_on(0, link, (&header, &update(net.id(0), greater)));
    assert_eq!(net.nodes[0].slots.owner(Slot(0)), Some(net.nodes[0].myself()));
    let further = Epoch(epoch.0 + 20);
    net.inject_on(0, link, (&header, &update(net.id(2), further)));
    assert_eq!(net.nodes[0].slots.owner(Slot(0)), Some(net.index(0, 2)));
    assert_eq!(net.view(0, 2).config_epoch, further);
}

#[test]
fn a_failover_elsewhere_moves_the_slots_and_turns_the_old_primary() {
    let mut net = Net::cluster(3);
    let replica = net.add();
    net.meet(0, replica);
    net.run(6000);
    net.make_replica(replica, 1);
    net.run(3000);
    assert!(net.view(0, 1).is(NodeFlags::MIGRATE_TO));
    let owned = net.nodes[0].slots.owned_by(net.index(0, 1)).unwrap().clone();
    claim(&mut net, 0, replica, |header| {
        header.replica_of = None;
        header.flags = NodeFlags::PRIMARY;
        header.config_epoch = Epoch(60);
        header.current_epoch = Epoch(60);
        header.slots = owned.clone();
    });
    let new = net.index(0, replica);
    assert_eq!(net.nodes[0].slots.owned_by(new), Some(&owned));
    assert!(net.view(0, replica).is_primary() && net.view(0, replica).replica_of.is_none());
    assert!(net.view(0, replica).is(NodeFlags::MIGRATE_TO));
    assert!(!net.view(0, 1).is(NodeFlags::MIGRATE_TO));
    // The old one comes back, is told, and turns.
    let new_id = net.id(replica);
    net.sent.clear();
    claim(&mut net, 0, 1, |_| {});
    assert_eq!(net.sent(0, 1, MessageKind::Update).len(), 1);
    claim(&mut net, 0, 1, |header| {
        header.replica_of = Some(new_id);
        header.flags = NodeFlags::REPLICA;
        header.config_epoch = Epoch(60);
        header.slots = owned.clone();
    });
    assert!(net.view(0, 1).is_replica());
    assert_eq!(net.view(0, 1).replica_of, Some(new));
    assert_eq!(net.nodes[0].slots.owned_by(new), Some(&owned));
    assert_eq!(net.view(0, 1).shard, net.view(0, replica).shard);
}

#[test]
fn a_primary_that_becomes_a_replica_owns_nothing() {
    let mut net = Net::cluster(3);
    let primary = net.id(2);
    claim(&mut net, 0, 1, |header| {
        header.replica_of = Some(primary);
        header.flags = NodeFlags::REPLICA;
        header.slots.clear();
    });
    assert_eq!(net.nodes[0].slots.count_of(net.index(0, 1)), 0);
    assert_eq!(net.nodes[0].replicas_of(net.index(0, 2)).count(), 1);
    // One that says to be its own replica has none.
    let itself = net.id(1);
    claim(&mut net, 0, 1, |header| {
        header.replica_of = Some(itself);
        header.flags = NodeFlags::REPLICA;
    });
    assert_eq!(net.view(0, 1).replica_of, Some(net.index(0, 2)));
}

#[test]
fn no_failover_is_taken_over_and_back() {
    let mut net = Net::cluster(2);
    claim(&mut net, 0, 1, |header| header.flags |= NodeFlags::NOFAILOVER);
    assert!(net.view(0, 1).is(NodeFlags::NOFAILOVER));
    claim(&mut net, 0, 1, |_| {});
    assert!(!net.view(0, 1).is(NodeFlags::NOFAILOVER));
}

#[test]
fn the_last_epoch_of_all_overflows_nothing() {
    let mut net = Net::cluster(3);
    let last = Epoch(u64::MAX);
    claim(&mut net, 0, 1, |header| {
        header.current_epoch = last;
        header.config_epoch = last;
    });
    assert_eq!(net.nodes[0].current_epoch(), last);
    let (link, header) = (net.inbound(0, 1), net.header(1));
    let body = Body::Update { node: net.id(0), config_epoch: last, slots: slots(0..1) };
    net.inject_on(0, link, (&header, &body));
    assert_eq!(net.nodes[0].me().config_epoch, last);
    claim(&mut net, 0, 1, |header| header.config_epoch = last);
    assert!(!net.nodes[0].bump_epoch());
    net.run(3000);
}

#[test]
fn an_epoch_counts_only_together_with_its_slots() {
    let mut net = Net::cluster(3);
    let before = net.view(0, 1).config_epoch;
    let (link, mut header) = (net.inbound(0, 1), net.header(1));
    header.config_epoch = Epoch(50);
    header.slots.clear();
    let about = net.id(2);
    net.inject_on(0, link, (&header, &Body::Fail(about)));
    assert_eq!(net.view(0, 1).config_epoch, before, "its slots were not looked at");
    claim(&mut net, 0, 1, |claimed| *claimed = header);
    assert_eq!(net.view(0, 1).config_epoch, Epoch(50));
    let owned = net.nodes[0].slots.owned_by(net.index(0, 1)).cloned().unwrap_or_default();
    assert!(owned.iter().all(|slot| net.nodes[0].slots.unclaimed.contains(slot)));
}

#[test]
fn a_slot_that_was_taken_over_is_not_lost_to_its_last_owner() {
    let mut net = Net::cluster(3);
    let slot = net.nodes[1].slots.owned_by(net.nodes[1].myself()).unwrap().iter().next().unwrap();
    let (me, id, from) = (net.nodes[0].myself(), net.id(0), net.index(0, 1));
    let env = |now_ms| crate::cluster::Env { now_ms, keys: &crate::cluster::tests::net::NO_KEYS };
    net.nodes[0].slots.set_importing(slot, Some(from));
    let given = crate::cluster::SlotChange::Node(id.as_bytes());
    net.nodes[0].set_slot(slot, given, env(net.now_ms)).unwrap();
    let mine = net.nodes[0].me().config_epoch;
    // It got a greater epoch at the same time.
    let theirs = Epoch(mine.0 + 1);
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(slot);
        header.config_epoch = theirs;
        header.current_epoch = theirs;
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(me));
    assert!(net.nodes[0].me().config_epoch > theirs);
    // Once it is sure to know of that, its claim is one like any other.
    net.run(3 * NODE_TIMEOUT_MS);
    assert_eq!(net.nodes[1].slots.owner(slot), Some(net.index(1, 0)));
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(slot);
        header.config_epoch = Epoch(50);
        header.current_epoch = Epoch(50);
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(net.index(0, 1)));
}

/// Its last owner had the slot for so short a time that packets from before that are still on their
/// way, and after them one that claims it.
#[test]
fn what_a_last_owner_said_before_it_owned_a_slot_is_no_sign_that_it_knows() {
    let mut net = Net::cluster(3);
    let slot = net.nodes[2].slots.owned_by(net.nodes[2].myself()).unwrap().iter().next().unwrap();
    let (me, id, from) = (net.nodes[0].myself(), net.id(0), net.index(0, 1));
    let env =
        crate::cluster::Env { now_ms: net.now_ms, keys: &crate::cluster::tests::net::NO_KEYS };
    net.nodes[0].slots.set_importing(slot, Some(from));
    let given = crate::cluster::SlotChange::Node(id.as_bytes());
    net.nodes[0].set_slot(slot, given, env).unwrap();
    claim(&mut net, 0, 1, |_| {});
    let theirs = Epoch(net.nodes[0].me().config_epoch.0 + 1);
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(slot);
        header.config_epoch = theirs;
        header.current_epoch = theirs;
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(me));
    assert!(net.nodes[0].me().config_epoch > theirs);
}

#[test]
fn a_slot_that_was_taken_over_can_be_moved_back_at_once() {
    let mut net = Net::cluster(3);
    let slot = net.nodes[1].slots.owned_by(net.nodes[1].myself()).unwrap().iter().next().unwrap();
    let (id, from) = (net.id(0), net.index(0, 1));
    let env =
        crate::cluster::Env { now_ms: net.now_ms, keys: &crate::cluster::tests::net::NO_KEYS };
    net.nodes[0].slots.set_importing(slot, Some(from));
    let given = crate::cluster::SlotChange::Node(id.as_bytes());
    net.nodes[0].set_slot(slot, given, env).unwrap();
    let mine = net.nodes[0].me().config_epoch;
    // The target of the way back says that the slot is there before this node is told.
    net.nodes[0].slots.set_migrating(slot, Some(from));
    claim(&mut net, 0, 1, |header| {
        header.slots.insert(slot);
        header.config_epoch = Epoch(mine.0 + 1);
        header.current_epoch = Epoch(mine.0 + 1);
    });
    assert_eq!(net.nodes[0].slots.owner(slot), Some(from));
    assert_eq!(net.nodes[0].me().config_epoch, mine);
}
