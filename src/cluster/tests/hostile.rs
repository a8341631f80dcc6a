//! Packets that were made to do harm, one of each kind.

use super::net::{Net, ip, ping};
use crate::base::limits::HANDSHAKES_MAX;
use crate::base::rng::Rng;
use crate::cluster::wire::{Body, Heartbeat, encode};
use crate::cluster::{Action, Epoch, NodeFlags, NodeId, SlotSet};

fn meet<'a>() -> Body<'a> {
    Body::Heartbeat { kind: Heartbeat::Meet, gossip: Vec::new(), extensions: Vec::new() }
}

#[test]
fn damaged_packets_are_counted_and_change_nothing() {
    let mut net = Net::cluster(2);
    let (link, header) = (net.inbound(0, 1), net.header(1));
    let whole = encode(&header, &ping(Vec::new(), Vec::new()));
    let before = net.nodes[0].stats.received;
    let mut rng = Rng::seeded(4);
    let mut damaged = 0;
    for length in (4..whole.len()).step_by(97) {
        net.with(0, |node, env| node.receive(link, &whole[..length], env));
        damaged += 1;
    }
    assert_eq!(net.nodes[0].stats.malformed, damaged);
    assert_eq!(net.nodes[0].stats.received, before);
    // Any byte may be anything, as long as nothing breaks. The signature stays.
    for _ in 0..2000 {
        let mut packet = whole.to_vec();
        for _ in 0..4 {
            let at = 4 + rng.below(packet.len() as u64 - 4) as usize;
            packet[at] = rng.next_u64() as u8;
        }
        let to = net.with(0, |node, env| node.link_accepted("10.9.9.9", &ip(), env.now_ms));
        net.with(0, |node, env| node.receive(to, &packet, env));
        net.settle();
    }
    net.run(3000);
    assert!(net.nodes[0].nodes.find(&net.id(1)).is_some());
}

#[test]
fn a_wrong_signature_ends_the_link() {
    let mut net = Net::cluster(2);
    let (link, header) = (net.inbound(0, 1), net.header(1));
    let mut packet = encode(&header, &ping(Vec::new(), Vec::new())).to_vec();
    packet[0] = b'X';
    net.with(0, |node, env| node.receive(link, &packet, env));
    assert_eq!(net.nodes[0].stats.malformed, 1);
    assert!(net.nodes[0].take_actions().contains(&Action::Close(link)));
    assert_eq!(net.view(0, 1).inbound, None);
    // A link that is gone says nothing any more.
    packet[0] = b'R';
    net.with(0, |node, env| node.receive(link, &packet, env));
    assert!(net.nodes[0].take_actions().is_empty());
}

#[test]
fn a_stranger_is_answered_but_not_believed() {
    let mut net = Net::cluster(2);
    let stranger = net.add();
    let mut header = net.header(stranger);
    header.current_epoch = Epoch(u64::MAX);
    header.config_epoch = Epoch(u64::MAX);
    header.slots = (0..16384).map(crate::keyspace::Slot).collect();
    let epoch = net.nodes[0].current_epoch();
    for kind in [Heartbeat::Ping, Heartbeat::Pong, Heartbeat::Meet] {
        let body = Body::Heartbeat { kind, gossip: Vec::new(), extensions: Vec::new() };
        let link = net.inject(0, &header, &body);
        assert!(net.nodes[0].links.get(link).is_some_and(|link| link.node.is_none()));
    }
    let update =
        Body::Update { node: net.id(1), config_epoch: Epoch(99), slots: SlotSet::default() };
    let others = [Body::AuthAck, Body::MfStart, Body::Module, Body::AuthRequest, update];
    for body in others {
        net.inject(0, &header, &body);
    }
    assert_eq!(net.nodes[0].current_epoch(), epoch);
    assert_eq!(net.nodes[0].slots.count_of(net.nodes[0].myself()), 8192);
    assert_ne!(net.view(0, 1).config_epoch, Epoch(99));
}

#[test]
fn who_takes_this_nodes_id_is_nobody() {
    let mut net = Net::cluster(2);
    let mut header = net.header(0);
    header.config_epoch = Epoch(77);
    header.current_epoch = Epoch(78);
    header.slots.clear();
    header.replica_of = Some(net.id(1));
    header.flags = NodeFlags::REPLICA;
    for body in [ping(Vec::new(), Vec::new()), meet(), Body::Fail(net.id(1)), Body::MfStart] {
        let link = net.inject(0, &header, &body);
        assert!(net.nodes[0].links.get(link).is_some_and(|link| link.node.is_none()));
    }
    assert!(net.nodes[0].me().is_primary());
    assert_eq!(net.nodes[0].slots.count_of(net.nodes[0].myself()), 8192);
    assert_eq!(net.nodes[0].nodes.len(), 2);
    assert!(!net.view(0, 1).has_failed());
}

#[test]
fn a_link_speaks_for_one_node() {
    let mut net = Net::cluster(3);
    let (link, mut header) = (net.inbound(0, 1), net.header(2));
    header.current_epoch = Epoch(500);
    header.slots.clear();
    net.inject_on(0, link, (&header, &ping(Vec::new(), Vec::new())));
    net.inject_on(0, link, (&header, &Body::Fail(net.id(1))));
    assert_ne!(net.nodes[0].current_epoch(), Epoch(500));
    assert!(!net.view(0, 1).has_failed());
    assert!(net.nodes[0].slots.unclaimed.is_empty());
}

#[test]
fn handshakes_that_others_ask_for_are_bounded() {
    let mut net = Net::new(2);
    let mut header = net.header(1);
    let mut rng = Rng::seeded(6);
    for at in 0..HANDSHAKES_MAX + 50 {
        header.sender = NodeId::random(&mut rng);
        header.address.port = (at + 1) as u16;
        net.inject(0, &header, &meet());
    }
    assert_eq!(net.nodes[0].nodes.len(), HANDSHAKES_MAX + 1);
    net.run(3000);
    assert_eq!(net.nodes[0].nodes.len(), 1);
}

#[test]
fn a_vote_that_nobody_asked_for_and_a_manual_failover_change_nothing() {
    let mut net = Net::cluster(2);
    net.make_replica(1, 0);
    let (link, header) = (net.inbound(0, 1), net.header(1));
    net.sent.clear();
    for body in [Body::AuthAck, Body::MfStart, Body::Module] {
        net.inject_on(0, link, (&header, &body));
    }
    assert!(net.sent.is_empty() && net.others.is_empty());
    assert!(net.nodes[0].me().is_primary());
}
