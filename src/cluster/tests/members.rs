//! Who is a member: handshakes, gossip about others, addresses, names, forgotten nodes.

use super::net::{BUS_PORT_OFFSET, Net, ip};
use crate::cluster::{NodeFlags, State};

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
