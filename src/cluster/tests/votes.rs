//! Votes, rule by rule, and that they are on disk before they leave.

use super::net::{NODE_TIMEOUT_MS, Net};
use crate::cluster::wire::{Body, Header, MessageFlags, MessageKind};
use crate::cluster::{Epoch, NodeFlags};

/// Three primaries, of which node 1 has a replica, node 3, and has failed.
fn net() -> Net {
    let mut net = Net::cluster(3);
    let replica = net.add();
    net.meet(0, replica);
    net.run(6000);
    net.make_replica(replica, 1);
    net.run(2000);
    let index = net.index(0, 1);
    net.nodes[0].nodes[index].flags |= NodeFlags::FAIL;
    net.nodes[0].nodes[index].fail_ms = net.now_ms;
    net.sent.clear();
    net
}

/// Asks node 0 for its vote. How many it gave.
fn ask(net: &mut Net, change: impl FnOnce(&mut Header)) -> usize {
    let (link, mut header) = (net.inbound(0, 3), net.header(3));
    header.current_epoch = Epoch(net.nodes[0].current_epoch().0 + 1);
    change(&mut header);
    net.sent.clear();
    net.inject_on(0, link, (&header, &Body::AuthRequest));
    net.sent(0, 3, MessageKind::AuthAck).len()
}

#[test]
fn a_replica_of_a_failed_primary_gets_one_vote_per_epoch() {
    let mut net = net();
    assert_eq!(ask(&mut net, |_| {}), 1);
    let epoch = net.nodes[0].last_vote_epoch();
    assert_eq!(epoch, net.nodes[0].current_epoch());
    assert_eq!(ask(&mut net, |header| header.current_epoch = epoch), 0);
    // Nor in the next one, for a while.
    assert_eq!(ask(&mut net, |_| {}), 0);
    net.now_ms += 2 * NODE_TIMEOUT_MS;
    assert_eq!(ask(&mut net, |_| {}), 1);
}

#[test]
fn an_old_epoch_gets_no_vote() {
    let mut net = net();
    let old = Epoch(net.nodes[0].current_epoch().0 - 1);
    assert_eq!(ask(&mut net, |header| header.current_epoch = old), 0);
    assert_eq!(ask(&mut net, |_| {}), 1);
}

#[test]
fn who_has_no_part_in_the_majority_does_not_vote() {
    let mut net = net();
    let me = net.nodes[0].myself();
    net.nodes[0].release_slots(me);
    assert_eq!(ask(&mut net, |_| {}), 0);
}

#[test]
fn a_primary_that_works_keeps_its_place_unless_forced() {
    let mut net = net();
    let index = net.index(0, 1);
    net.nodes[0].nodes[index].flags.remove(NodeFlags::FAIL);
    assert_eq!(ask(&mut net, |_| {}), 0);
    assert_eq!(ask(&mut net, |header| header.message_flags = MessageFlags::FORCE_ACK), 1);
}

#[test]
fn primaries_and_orphans_get_no_vote() {
    let mut net = net();
    let replica = net.index(0, 3);
    net.nodes[0].set_primary_of(replica, None);
    assert_eq!(ask(&mut net, |_| {}), 0);
    net.nodes[0].set_as_primary(replica);
    assert_eq!(ask(&mut net, |_| {}), 0);
}

#[test]
fn a_slot_that_someone_took_over_since_gets_no_vote() {
    let mut net = net();
    let mine = Epoch(100);
    net.nodes[0].me_mut().config_epoch = mine;
    let taken = net.nodes[0].slots.owned_by(net.nodes[0].myself()).unwrap().iter().next().unwrap();
    let older = Epoch(mine.0 - 1);
    let claim = |header: &mut Header, epoch| {
        header.slots.insert(taken);
        header.config_epoch = epoch;
    };
    assert_eq!(ask(&mut net, |header| claim(header, older)), 0);
    net.nodes[0].slots.unclaimed.insert(taken);
    assert_eq!(ask(&mut net, |header| claim(header, older)), 1);
    net.now_ms += 2 * NODE_TIMEOUT_MS;
    net.nodes[0].slots.unclaimed.clear();
    assert_eq!(ask(&mut net, |header| claim(header, Epoch(mine.0 + 1))), 1);
}

#[test]
fn strangers_get_no_vote() {
    let mut net = net();
    let stranger = net.add();
    let mut header = net.header(stranger);
    header.replica_of = Some(net.id(1));
    header.flags = NodeFlags::REPLICA;
    header.current_epoch = Epoch(1000);
    let before = net.nodes[0].current_epoch();
    net.inject(0, &header, &Body::AuthRequest);
    assert_eq!(net.nodes[0].last_vote_epoch(), Epoch(0));
    assert_eq!(net.nodes[0].current_epoch(), before, "nor are their epochs believed");
}

#[test]
fn a_vote_that_is_not_on_disk_does_not_leave() {
    let mut net = net();
    net.full_disks.insert(0);
    assert_eq!(ask(&mut net, |_| {}), 0);
    assert!(net.nodes[0].unsaved);
    net.now_ms += 2 * NODE_TIMEOUT_MS;
    assert_eq!(ask(&mut net, |_| {}), 0, "no vote is promised until the file can be written");
    net.full_disks.clear();
    net.run(1500);
    assert!(!net.nodes[0].unsaved);
    assert_eq!(net.sent(0, 3, MessageKind::AuthAck).len(), 0, "the old one is not given late");
    let failed = net.index(0, 1);
    net.nodes[0].nodes[failed].flags |= NodeFlags::FAIL;
    assert_eq!(ask(&mut net, |_| {}), 1);
}

#[test]
fn a_vote_waits_for_the_save_that_holds_it() {
    let mut net = net();
    let (link, mut header) = (net.inbound(0, 3), net.header(3));
    header.current_epoch = Epoch(net.nodes[0].current_epoch().0 + 1);
    let env = crate::cluster::Env { now_ms: net.now_ms, keys: &net.keys[0] };
    let node = &mut net.nodes[0];
    // One save is under way when the vote is decided.
    node.mark(crate::cluster::Todo::SAVE);
    node.before_sleep(env);
    node.receive(link, &crate::cluster::wire::encode(&header, &Body::AuthRequest), env);
    node.before_sleep(env);
    let votes = |node: &mut crate::cluster::Cluster| {
        let actions = node.take_actions();
        let kind = |a: &crate::cluster::Action| match a {
            crate::cluster::Action::Send { kind, .. } => Some(*kind),
            _ => None,
        };
        actions.iter().filter_map(kind).filter(|kind| *kind == MessageKind::AuthAck).count()
    };
    assert_eq!(votes(node), 0);
    node.note_saved(true, env.now_ms);
    assert_eq!(votes(node), 0);
    node.note_saved(true, env.now_ms);
    assert_eq!(votes(node), 1);
}
