//! What nodes say of themselves in extensions, and nodes that were forgotten.

use super::net::{Net, ping};
use crate::base::limits::{FORGOTTEN_NODES_MAX, FORGOTTEN_SECONDS_MAX};
use crate::base::rng::Rng;
use crate::cluster::wire::Extension;
use crate::cluster::{NodeId, ShardId};

#[test]
fn names_and_shards_are_told_and_taken_back() {
    let mut net = Net::cluster(3);
    net.nodes[1].settings.hostname = "one.example.com".into();
    net.nodes[1].settings.human_name = "shard-one".into();
    net.nodes[1].apply_settings();
    net.run(3000);
    for at in [0, 2] {
        let node = net.view(at, 1);
        assert_eq!((&*node.hostname, &*node.human_name), ("one.example.com", "shard-one"));
        assert_eq!(node.shard, net.nodes[1].me().shard);
    }
    net.nodes[1].settings.hostname = "".into();
    net.nodes[1].settings.human_name = "".into();
    net.nodes[1].apply_settings();
    net.run(3000);
    assert_eq!((&*net.view(0, 1).hostname, &*net.view(0, 1).human_name), ("", ""));
}

#[test]
fn a_replica_is_in_its_primarys_shard() {
    let mut net = Net::cluster(3);
    let replica = net.add();
    net.meet(0, replica);
    net.run(6000);
    net.make_replica(replica, 1);
    net.run(3000);
    for at in 0..3 {
        let node = net.view(at, replica);
        assert!(node.is_replica());
        assert_eq!(node.replica_of, Some(net.index_or_me(at, 1)));
        assert_eq!(node.shard, net.nodes[1].me().shard);
    }
    // A version without shards is in its primary's as well.
    let other = ShardId::random(&mut Rng::seeded(99));
    let index = net.index(0, replica);
    net.nodes[0].nodes[index].shard = other;
    let (link, header) = (net.inbound(0, replica), net.header(replica));
    net.inject_on(0, link, (&header, &ping(Vec::new(), Vec::new())));
    assert_eq!(net.view(0, replica).shard, net.nodes[1].me().shard);
}

#[test]
fn a_forgotten_node_is_forgotten_by_all_and_stays_away() {
    let mut net = Net::cluster(4);
    let gone = net.id(3);
    // As CLUSTER FORGET on one node.
    let now_ms = net.now_ms;
    let index = net.index(0, 3);
    net.nodes[0].forbid(gone, 60, now_ms);
    net.nodes[0].remove_node(index);
    net.cut(3);
    net.run(5000);
    for at in 0..3 {
        assert!(net.nodes[at].nodes.find(&gone).is_none(), "node {at}");
        assert!(net.nodes[at].is_forbidden(&gone, net.now_ms));
        assert_eq!(net.nodes[at].slots.assigned(), 16384 * 3 / 4);
    }
    // Whoever still knows it does not bring it back before the time is over.
    let entry = |net: &Net| {
        let node = net.view(3, 1);
        let (address, flags) = (node.address.clone(), node.flags);
        crate::cluster::wire::Gossip {
            node: gone,
            ping_sent_s: 0,
            pong_received_s: 0,
            address,
            flags,
        }
    };
    let tell = |net: &mut Net| {
        let (link, header) = (net.inbound(0, 1), net.header(1));
        let body = ping(vec![entry(net)], Vec::new());
        net.inject_on(0, link, (&header, &body));
        net.nodes[0].nodes.find(&gone).is_some()
    };
    assert!(!tell(&mut net));
    net.run(62_000);
    assert!(tell(&mut net));
}

#[test]
fn nobody_is_made_forget_itself_or_the_one_who_says_so() {
    let mut net = Net::cluster(2);
    let forgotten = |node| Extension::Forgotten { node, ttl_s: u64::MAX };
    let extensions = vec![
        forgotten(net.id(0)),
        forgotten(net.id(1)),
        forgotten(NodeId::random(&mut Rng::seeded(7))),
    ];
    let (link, header) = (net.inbound(0, 1), net.header(1));
    net.inject_on(0, link, (&header, &ping(Vec::new(), extensions)));
    assert_eq!(net.nodes[0].nodes.len(), 2);
    assert!(net.nodes[0].forgotten.is_empty());
}

#[test]
fn forgotten_nodes_are_bounded_in_number_and_time() {
    let mut net = Net::new(1);
    let (node, now_ms) = (&mut net.nodes[0], net.now_ms);
    let mut rng = Rng::seeded(3);
    let first = NodeId::random(&mut rng);
    node.forbid(first, u64::MAX, now_ms);
    assert!(node.is_forbidden(&first, now_ms + FORGOTTEN_SECONDS_MAX * 1000 - 1));
    assert!(!node.is_forbidden(&first, now_ms + FORGOTTEN_SECONDS_MAX * 1000));
    for _ in 0..2 * FORGOTTEN_NODES_MAX {
        node.forbid(NodeId::random(&mut rng), 60, now_ms);
    }
    assert_eq!(node.forgotten.len(), FORGOTTEN_NODES_MAX);
    assert!(node.is_forbidden(&first, now_ms));
    node.forbid(NodeId::random(&mut rng), 60, now_ms + 61_000);
    assert_eq!(node.forgotten.len(), 2);
}

#[test]
fn forgotten_nodes_are_told_with_the_time_that_is_left() {
    let mut net = Net::cluster(2);
    let (gone, now_ms) = (NodeId::random(&mut Rng::seeded(8)), net.now_ms);
    net.nodes[0].forbid(gone, 60, now_ms);
    let told = |net: &Net, later_ms| {
        let extensions = net.nodes[0].extensions(now_ms + later_ms);
        extensions.into_iter().find_map(|extension| match extension {
            Extension::Forgotten { node, ttl_s } if node == gone => Some(ttl_s),
            _ => None,
        })
    };
    assert_eq!(told(&net, 0), Some(60));
    assert_eq!(told(&net, 59_500), Some(1));
    assert_eq!(told(&net, 60_000), None);
}
