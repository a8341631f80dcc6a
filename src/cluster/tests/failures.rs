//! Who does not answer, what the majority makes of that, and whether the cluster serves.

use super::net::{NODE_TIMEOUT_MS, Net, ping};
use crate::cluster::wire::{Body, Gossip, MessageKind};
use crate::cluster::{NodeFlags, State};

#[test]
fn a_dead_node_is_declared_failed_by_the_majority() {
    let mut net = Net::cluster(3);
    net.cut(2);
    net.sent.clear();
    net.run(NODE_TIMEOUT_MS / 2);
    assert_eq!(net.view(0, 2).flags & NodeFlags::FAILING, NodeFlags::empty());
    net.run(4 * NODE_TIMEOUT_MS);
    for at in [0, 1] {
        assert_eq!(net.view(at, 2).flags & NodeFlags::FAILING, NodeFlags::FAIL);
        assert_eq!(net.nodes[at].state(), State::Fail);
        assert_eq!(net.nodes[at].slots_fail(), net.nodes[at].slots.count_of(net.index(at, 2)));
    }
    let told = [(0, 1), (1, 0)].map(|(from, to)| net.sent(from, to, MessageKind::Fail).len());
    // Whoever has the majority first tells the other; both may have it at once.
    assert!(told.contains(&1) && told.iter().all(|&count| count <= 1));
}

#[test]
fn one_node_alone_only_suspects() {
    let mut net = Net::cluster(3);
    // Nobody else misses node 2.
    net.deaf.insert((2, 0));
    net.run(5 * NODE_TIMEOUT_MS);
    assert_eq!(net.view(0, 2).flags & NodeFlags::FAILING, NodeFlags::PFAIL);
    assert_eq!(net.nodes[0].pfail_nodes(), 1);
    assert_eq!(net.nodes[0].slots_pfail(), net.nodes[2].slots.count_of(net.nodes[2].myself()));
    let (now_ms, index) = (net.now_ms, net.index(1, 2));
    assert_eq!(net.nodes[1].failure_reports(index, now_ms), 1);
    // Two of three primaries are reached, every slot is covered.
    assert_eq!(net.nodes[0].state(), State::Ok);
    net.deaf.clear();
    net.run(NODE_TIMEOUT_MS);
    assert_eq!(net.view(0, 2).flags & NodeFlags::FAILING, NodeFlags::empty());
    net.run(2 * NODE_TIMEOUT_MS);
    let now_ms = net.now_ms;
    assert_eq!(net.nodes[1].failure_reports(index, now_ms), 0);
    assert_eq!(net.nodes[0].slots_ok(), 16384);
}

#[test]
fn failure_reports_grow_old() {
    let mut net = Net::cluster(2);
    let (about, now_ms) = (net.index(0, 1), net.now_ms);
    let reporter = net.nodes[0].myself();
    assert!(net.nodes[0].add_failure_report(about, reporter, now_ms));
    assert!(!net.nodes[0].add_failure_report(about, reporter, now_ms + 10));
    let end_ms = now_ms + 10 + 2 * NODE_TIMEOUT_MS;
    assert_eq!(net.nodes[0].failure_reports(about, end_ms), 1);
    assert_eq!(net.nodes[0].failure_reports(about, end_ms + 1), 0);
    assert!(!net.nodes[0].remove_failure_report(about, reporter, end_ms));
}

#[test]
fn only_primaries_are_believed() {
    let mut net = Net::cluster(3);
    let replica = net.add();
    net.meet(0, replica);
    net.run(6000);
    net.make_replica(replica, 1);
    let entry = Gossip {
        node: net.id(2),
        ping_sent_s: 0,
        pong_received_s: 0,
        address: net.view(0, 2).address.clone(),
        flags: NodeFlags::PRIMARY | NodeFlags::PFAIL,
    };
    let now_ms = net.now_ms;
    for (witness, reports) in [(replica, 0), (1, 1)] {
        let (link, header) = (net.inbound(0, witness), net.header(witness));
        net.inject_on(0, link, (&header, &ping(vec![entry.clone()], Vec::new())));
        let index = net.index(0, 2);
        assert_eq!(net.nodes[0].failure_reports(index, now_ms), reports);
    }
    // The majority says so, but this node reaches it.
    assert!(!net.view(0, 2).is(NodeFlags::FAILING));
}

#[test]
fn a_primary_that_returns_is_taken_back_after_a_while() {
    let mut net = Net::cluster(3);
    net.cut(2);
    net.run(5 * NODE_TIMEOUT_MS);
    assert!(net.view(0, 2).has_failed());
    net.cut_off.clear();
    let failed_ms = net.view(0, 2).fail_ms;
    net.now_ms = failed_ms + NODE_TIMEOUT_MS;
    net.run(NODE_TIMEOUT_MS / 2);
    assert!(net.view(0, 2).has_failed(), "a replica may take over still");
    net.run(3 * NODE_TIMEOUT_MS);
    for at in 0..3 {
        assert_eq!(net.nodes[at].state(), State::Ok);
        assert_eq!(net.nodes[at].slots_ok(), 16384);
    }
}

#[test]
fn who_owns_nothing_is_taken_back_at_once() {
    let mut net = Net::cluster(3);
    let idle = net.add();
    net.meet(0, idle);
    net.run(6000);
    net.cut(idle);
    net.run(5 * NODE_TIMEOUT_MS);
    assert!(net.view(0, idle).has_failed());
    assert_eq!(net.nodes[0].state(), State::Ok, "it has no part in the majority");
    net.cut_off.clear();
    net.run(300);
    assert!(!net.view(0, idle).is(NodeFlags::FAILING));
}

#[test]
fn the_minority_stops_to_serve_and_waits_before_it_starts_again() {
    let mut net = Net::cluster(3);
    for node in &mut net.nodes {
        node.settings.require_full_coverage = false;
    }
    net.cut(2);
    net.run(5 * NODE_TIMEOUT_MS);
    assert_eq!(net.nodes[2].state(), State::Fail);
    assert_eq!(net.nodes[0].state(), State::Ok, "without its slots");
    assert_eq!(net.view(2, 0).flags & NodeFlags::FAILING, NodeFlags::PFAIL);
    net.cut_off.clear();
    net.run(500);
    assert!(!net.view(2, 0).is(NodeFlags::FAILING));
    assert_eq!(net.nodes[2].state(), State::Fail);
    net.run(NODE_TIMEOUT_MS);
    assert_eq!(net.nodes[2].state(), State::Ok);
}

#[test]
fn a_node_that_was_just_started_waits_before_it_serves() {
    let mut net = Net::new(1);
    let me = net.nodes[0].myself();
    for slot in crate::cluster::slots::all_slots() {
        net.nodes[0].assign_slot(slot, Some(me));
    }
    net.run(1900);
    assert_eq!(net.nodes[0].state(), State::Fail);
    assert_eq!(net.nodes[0].size(), 1);
    net.run(300);
    assert_eq!(net.nodes[0].state(), State::Ok);
    net.nodes[0].assign_slot(crate::keyspace::Slot(5), None);
    net.with(0, |node, _| node.mark(crate::cluster::Todo::UPDATE_STATE));
    assert_eq!(net.nodes[0].state(), State::Fail);
    net.nodes[0].settings.require_full_coverage = false;
    net.run(100);
    assert_eq!(net.nodes[0].state(), State::Ok);
}

#[test]
fn a_fail_message_is_believed_of_members_about_others() {
    let mut net = Net::cluster(3);
    let stranger = net.add();
    let (about_me, about_other) = (Body::Fail(net.id(0)), Body::Fail(net.id(2)));
    let header = net.header(stranger);
    net.inject(0, &header, &about_other);
    assert!(!net.view(0, 2).has_failed());
    let (link, header) = (net.inbound(0, 1), net.header(1));
    net.inject_on(0, link, (&header, &about_me));
    assert!(!net.nodes[0].me().has_failed());
    net.inject_on(0, link, (&header, &about_other));
    assert!(net.view(0, 2).has_failed());
    assert_eq!(net.view(0, 2).fail_ms, net.now_ms);
}

#[test]
fn a_silent_link_is_opened_anew_once_per_timeout() {
    let mut net = Net::cluster(2);
    net.deaf.insert((1, 0));
    let before = net.view(0, 1).link;
    net.run(NODE_TIMEOUT_MS / 2 + 200);
    assert_eq!(net.view(0, 1).link, before);
    net.run(NODE_TIMEOUT_MS);
    let after = net.view(0, 1).link;
    assert_ne!(after, before);
    net.run(NODE_TIMEOUT_MS / 2);
    assert_eq!(net.view(0, 1).link, after);
    let waiting_since = net.view(0, 1).ping_sent_ms;
    assert!(net.now_ms - waiting_since > NODE_TIMEOUT_MS, "the first ping is not forgotten");
}

#[test]
fn messages_show_that_a_node_is_there() {
    let mut net = Net::cluster(3);
    net.deaf.insert((1, 0));
    let body = Body::Publish { sharded: false, channel: b"c", message: b"m" };
    for _ in 0..50 {
        net.run(100);
        // Without its own packets its links are not known to be its.
        net.inject(0, &net.header(1), &body);
    }
    assert!(!net.view(0, 1).is(NodeFlags::FAILING));
}
