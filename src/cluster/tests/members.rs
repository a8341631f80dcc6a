//! Who is a member: handshakes, gossip about others, addresses, names, forgotten nodes.

use super::net::{BUS_PORT_OFFSET, NODE_TIMEOUT_MS, Net, START_MS, ip, ping};
use crate::cluster::wire::{Body, Gossip, Heartbeat};
use crate::cluster::{Address, HandshakeError, NodeFlags, State};

#[test]
fn two_nodes_meet() {
    let mut net = Net::new(2);
    net.meet(0, 1);
    net.run(1000);
    for (at, other) in [(0, 1), (1, 0)] {
        assert_eq!(net.nodes[at].nodes.len(), 2);
        let node = net.view(at, other);
        assert_eq!(node.flags, NodeFlags::PRIMARY);
        assert_eq!(&*node.address.ip, "127.0.0.1");
        assert_eq!(node.address.port, 7000 + other as u16);
        assert_eq!(node.address.bus_port, 7000 + other as u16 + BUS_PORT_OFFSET);
        assert_eq!(node.shard, net.nodes[other].me().shard);
        assert!(node.link.is_some() && node.inbound.is_some());
        assert_eq!(&*net.nodes[at].me().address.ip, ip());
    }
}

#[test]
fn gossip_makes_everybody_known_to_everybody() {
    let mut net = Net::new(6);
    (1..6).for_each(|at| net.meet(at - 1, at));
    net.run(6000);
    for at in 0..6 {
        assert_eq!(net.nodes[at].nodes.len(), 6, "node {at}");
        for other in (0..6).filter(|&other| other != at) {
            assert_eq!(net.view(at, other).flags, NodeFlags::PRIMARY);
            assert!(net.view(at, other).link.is_some());
        }
    }
}

#[test]
fn a_cluster_with_all_slots_serves() {
    let net = Net::cluster(3);
    for at in 0..3 {
        assert_eq!(net.nodes[at].state(), State::Ok);
        assert_eq!(net.nodes[at].size(), 3);
        assert_eq!(net.nodes[at].slots.assigned(), 16384);
    }
}

#[test]
fn a_handshake_that_nobody_answers_ends() {
    let mut net = Net::new(1);
    net.nodes[0].start_handshake("127.0.0.9", 1, 2, START_MS).unwrap();
    net.run(NODE_TIMEOUT_MS);
    assert_eq!(net.nodes[0].nodes.len(), 2);
    net.run(200);
    assert_eq!(net.nodes[0].nodes.len(), 1);
    assert!(net.nodes[0].links.is_empty());
}

#[test]
fn addresses_that_are_none_start_no_handshake() {
    let mut net = Net::new(1);
    let node = &mut net.nodes[0];
    let mut meet = |ip: &str, port, bus_port| node.start_handshake(ip, port, bus_port, START_MS);
    for ip in ["", "localhost", "1.2.3", "1.2.3.4.5", "::g", "1.2.3.4 "] {
        assert_eq!(meet(ip, 1, 2), Err(HandshakeError::InvalidAddress), "{ip}");
    }
    assert_eq!(meet("1.2.3.4", 0, 2), Err(HandshakeError::InvalidAddress));
    assert_eq!(meet("1.2.3.4", 1, 0), Err(HandshakeError::InvalidAddress));
    assert_eq!(meet("1.2.3.4", 1, 2), Ok(()));
    assert_eq!(meet("1.2.3.4", 1, 2), Err(HandshakeError::AlreadyUnderWay));
    assert_eq!(meet("1.2.3.4", 1, 3), Ok(()));
    // The same address, written otherwise.
    assert_eq!(meet("::0:1", 1, 2), Ok(()));
    assert_eq!(meet("0::1", 1, 2), Err(HandshakeError::AlreadyUnderWay));
}

#[test]
fn meeting_a_known_node_or_oneself_adds_nothing() {
    let mut net = Net::cluster(2);
    net.meet(0, 1);
    net.meet(0, 0);
    assert_eq!(net.nodes[0].nodes.len(), 4);
    net.run(500);
    assert_eq!(net.nodes[0].nodes.len(), 2);
    assert_eq!(net.nodes[1].nodes.len(), 2);
    assert!(net.view(0, 1).link.is_some());
    assert!(net.nodes[0].me().inbound.is_none());
}

#[test]
fn a_meet_that_comes_twice_adds_one_node() {
    let mut net = Net::new(2);
    let header = net.header(1);
    let meet =
        Body::Heartbeat { kind: Heartbeat::Meet, gossip: Vec::new(), extensions: Vec::new() };
    net.inject(0, &header, &meet);
    net.inject(0, &header, &meet);
    assert_eq!(net.nodes[0].nodes.len(), 2);
    let added = net.nodes[0].nodes.iter().find(|(_, node)| node.in_handshake());
    // It announces no address, so that counts where it came from.
    assert_eq!(&*added.unwrap().1.address.ip, "10.9.9.9");
}

#[test]
fn another_node_at_a_known_address_is_not_taken_for_the_old_one() {
    let mut net = Net::cluster(2);
    let stranger = net.add();
    net.places.insert((ip(), 7001 + BUS_PORT_OFFSET), stranger);
    let old = net.view(0, 1).clone();
    net.cut(1);
    net.run(500);
    let node = &net.nodes[0].nodes[net.index(0, 1)];
    assert!(node.is(NodeFlags::NOADDR));
    assert_eq!((node.id, &*node.address.ip, node.address.bus_port), (old.id, "", 0));
    assert!(node.link.is_none());
    assert_eq!(net.nodes[stranger].nodes.len(), 1);
    // Nobody says any more where it is, until it says so itself.
    net.cut_off.clear();
    net.places.insert((ip(), 7001 + BUS_PORT_OFFSET), 1);
    net.run(500);
    assert_eq!(net.view(0, 1).address, old.address);
    assert!(!net.view(0, 1).is(NodeFlags::NOADDR));
}

#[test]
fn who_announces_another_address_is_linked_there() {
    let mut net = Net::cluster(3);
    net.places.insert(("10.0.0.5".into(), 9001), 1);
    net.nodes[1].settings.announce_ip = Some("10.0.0.5".into());
    net.nodes[1].settings.port = 9000;
    net.nodes[1].settings.bus_port = 9001;
    net.nodes[1].apply_settings();
    let before = net.view(0, 1).link;
    net.run(3000);
    for at in [0, 2] {
        let address = &net.view(at, 1).address;
        assert_eq!((&*address.ip, address.port, address.bus_port), ("10.0.0.5", 9000, 9001));
        assert!(net.view(at, 1).link.is_some());
    }
    assert_ne!(net.view(0, 1).link, before);
    // It does not learn another one from where packets arrive, until it stops announcing.
    assert_eq!(&*net.nodes[1].me().address.ip, "10.0.0.5");
    net.nodes[1].settings.announce_ip = None;
    net.nodes[1].apply_settings();
    assert_eq!(&*net.nodes[1].me().address.ip, "");
}

#[test]
fn a_failing_node_is_looked_for_where_others_reach_it() {
    let mut net = Net::cluster(3);
    let index = net.index(0, 2);
    net.nodes[0].nodes[index].flags |= NodeFlags::PFAIL;
    net.nodes[0].nodes[index].ping_sent_ms = net.now_ms;
    let (mut moved, id) = (net.view(0, 2).address.clone(), net.id(2));
    moved.ip = "10.0.0.6".into();
    let gossip = |flags, address: &Address| Gossip {
        node: id,
        ping_sent_s: 0,
        pong_received_s: 0,
        address: address.clone(),
        flags,
    };
    let tell = |net: &mut Net, entry: Gossip| {
        let link = net.inbound(0, 1);
        let header = net.header(1);
        let body = ping(vec![entry], Vec::new());
        net.inject_on(0, link, (&header, &body));
    };
    let primary = NodeFlags::PRIMARY;
    for useless in [NodeFlags::PFAIL, NodeFlags::FAIL, NodeFlags::NOADDR] {
        tell(&mut net, gossip(primary | useless, &moved));
        assert_eq!(&*net.view(0, 2).address.ip, "127.0.0.1");
    }
    net.nodes[0].nodes[index].failure_reports.clear();
    net.nodes[0].nodes[index].flags = primary | NodeFlags::PFAIL;
    tell(&mut net, gossip(primary, &moved));
    assert_eq!(&*net.view(0, 2).address.ip, "10.0.0.6");
    assert!(net.view(0, 2).link.is_none());
    // One that is reached has not moved, whatever others say.
    let index = net.index(0, 1);
    let entry = Gossip { node: net.id(1), ..gossip(primary, &moved) };
    tell(&mut net, entry);
    assert_eq!(&*net.nodes[0].nodes[index].address.ip, "127.0.0.1");
}

fn about(net: &Net, at: usize) -> Gossip {
    let me = net.nodes[at].me();
    let flags = NodeFlags::PRIMARY;
    let address = me.address.clone();
    Gossip { node: me.id, ping_sent_s: 0, pong_received_s: 0, address, flags }
}

#[test]
fn gossip_of_strangers_adds_nobody() {
    let mut net = Net::cluster(2);
    let stranger = net.add();
    let third = net.add();
    let mut entry = about(&net, third);
    entry.address.ip = "127.0.0.1".into();
    let header = net.header(stranger);
    for kind in [Heartbeat::Ping, Heartbeat::Pong, Heartbeat::Meet] {
        let body = Body::Heartbeat { kind, gossip: vec![entry.clone()], extensions: Vec::new() };
        net.inject(0, &header, &body);
        assert!(net.nodes[0].nodes.find(&entry.node).is_none(), "{kind:?}");
    }
    // A member may say so, but not of a node without an address.
    let (link, header) = (net.inbound(0, 1), net.header(1));
    let nowhere = Gossip { flags: entry.flags | NodeFlags::NOADDR, ..entry.clone() };
    net.inject_on(0, link, (&header, &ping(vec![nowhere], Vec::new())));
    assert!(net.nodes[0].nodes.find(&entry.node).is_none());
    let odd = NodeFlags::MYSELF | NodeFlags::HANDSHAKE | NodeFlags::MEET | NodeFlags::REPLICA;
    let entry = Gossip { flags: entry.flags | odd | NodeFlags::PRIMARY, ..entry };
    net.inject_on(0, link, (&header, &ping(vec![entry.clone()], Vec::new())));
    let added = net.nodes[0].nodes.find(&entry.node).expect("added");
    assert_eq!(net.nodes[0].nodes[added].flags, NodeFlags::PRIMARY);
    assert!(net.nodes[0].nodes[added].link.is_none());
}

#[test]
fn the_last_link_of_a_node_counts() {
    let mut net = Net::cluster(2);
    let (old, header) = (net.inbound(0, 1), net.header(1));
    let new = net.inject(0, &header, &ping(Vec::new(), Vec::new()));
    assert_eq!(net.view(0, 1).inbound, Some(new));
    assert!(net.nodes[0].links.get(old).is_none());
}
