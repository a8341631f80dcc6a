//! What is sent when: pings, gossip in them, messages, links that are full.

use super::net::{NODE_TIMEOUT_MS, Net, ip, slots};
use crate::base::limits::{BUS_UNKNOWN_LINK_BYTES_MAX, BUS_UNKNOWN_LINKS_MAX};
use crate::base::rng::Rng;
use crate::cluster::wire::{Body, Extension, Gossip, Heartbeat, MessageKind, decode};
use crate::cluster::{
    Action, Address, Cluster, Env, Node, NodeFlags, NodeId, ShardId, State, Todo,
};

#[test]
fn every_node_is_pinged_within_half_a_timeout_or_heard_of() {
    let mut net = Net::cluster(5);
    net.sent.clear();
    net.run(10_000);
    for at in 0..5 {
        for other in (0..5).filter(|&other| other != at) {
            let pings = net.sent(at, other, MessageKind::Ping).len();
            assert!((1..=10_000 / 900).contains(&pings), "{at} to {other}: {pings}");
            let age = net.now_ms - net.view(at, other).pong_received_ms;
            assert!(age <= NODE_TIMEOUT_MS / 2 + 200, "{age}");
        }
        let node = &net.nodes[at];
        assert_eq!(node.stats.malformed, 0);
        assert!(node.stats.sent[MessageKind::Pong as usize] > 0);
        assert!(node.stats.received[MessageKind::Ping as usize] > 0);
    }
}

#[test]
fn a_ping_interval_counts_instead_of_half_the_timeout() {
    let pings = |interval_ms| {
        let mut net = Net::cluster(2);
        for node in &mut net.nodes {
            node.settings.node_timeout_ms = 60_000;
            node.settings.ping_interval_ms = interval_ms;
        }
        net.sent.clear();
        net.run(10_000);
        net.sent(0, 1, MessageKind::Ping).len()
    };
    assert!(pings(200) > 30);
    assert!(pings(0) < 15);
}

/// A node that knows so many others, all linked.
fn crowd(count: usize) -> Net {
    let mut net = Net::new(1);
    let mut rng = Rng::seeded(5);
    for _ in 0..count {
        let id = NodeId::random(&mut rng);
        let address = Address { ip: ip().into(), port: 1, tls_port: 0, bus_port: 1 };
        let shard = ShardId::random(&mut rng);
        let mut node = Node::new(id, shard, NodeFlags::PRIMARY, address, net.now_ms);
        node.pong_received_ms = net.now_ms;
        let index = net.nodes[0].nodes.insert(node).unwrap();
        let now_ms = net.now_ms;
        net.nodes[0].connect(index, now_ms);
    }
    let first = net.nodes[0].nodes.indexes()[1];
    let link = net.nodes[0].nodes[first].link.unwrap();
    net.with(0, |node, env| node.link_connected(link, &ip(), env));
    net
}

fn sent_heartbeats(node: &mut Cluster) -> Vec<(Heartbeat, Vec<Gossip>, Vec<Extension>)> {
    let packet = |action| match action {
        Action::Send { packet, .. } => Some(packet),
        _ => None,
    };
    let packets = node.take_actions().into_iter().filter_map(packet);
    let heartbeat = |packet: bytes::Bytes| match decode(&packet).unwrap().body {
        Body::Heartbeat { kind, gossip, extensions } => Some((kind, gossip, extensions)),
        _ => None,
    };
    packets.filter_map(heartbeat).collect()
}

#[test]
fn a_tenth_of_the_nodes_is_told_of_each_once() {
    for (others, wanted) in [(1, 0), (2, 1), (3, 2), (4, 3), (30, 3), (99, 10), (500, 50)] {
        let mut net = crowd(others);
        for (_, gossip, _) in sent_heartbeats(&mut net.nodes[0]) {
            assert!(gossip.len() <= wanted, "{others}: {}", gossip.len());
            // Draws are limited, so that now and then a ping tells of a few less.
            assert!(others < 4 || gossip.len() + 2 >= wanted, "{others}: {}", gossip.len());
            let mut ids: Vec<_> = gossip.iter().map(|entry| entry.node).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), gossip.len());
            assert!(!ids.contains(&net.id(0)));
        }
    }
}

#[test]
fn nodes_that_do_not_answer_are_always_told_of() {
    let mut net = crowd(100);
    net.nodes[0].take_actions();
    let indexes = net.nodes[0].nodes.indexes();
    let failing = [indexes[50], indexes[60], indexes[70]];
    for index in failing {
        net.nodes[0].nodes[index].flags |= NodeFlags::PFAIL;
        net.nodes[0].nodes[index].ping_sent_ms = net.now_ms;
    }
    let hidden = indexes[80];
    net.nodes[0].nodes[hidden].flags |= NodeFlags::PFAIL | NodeFlags::NOADDR;
    net.with(0, |node, env| node.cron(env));
    net.nodes[0].take_actions();
    net.with(0, |node, env| node.broadcast_pong(env.now_ms));
    let sent = sent_heartbeats(&mut net.nodes[0]);
    assert_eq!(sent.len(), 1);
    let told: Vec<_> = sent[0].1.iter().rev().take(3).map(|entry| entry.node).collect();
    for index in failing {
        assert!(told.contains(&net.nodes[0].nodes[index].id));
    }
    assert!(!sent[0].1.iter().any(|entry| entry.node == net.nodes[0].nodes[hidden].id));
}

#[test]
fn the_header_says_what_this_node_is() {
    let mut net = Net::cluster(2);
    let me = net.nodes[0].myself();
    let header = net.header(0);
    assert_eq!(header.flags, NodeFlags::MYSELF | NodeFlags::PRIMARY);
    assert_eq!(&header.slots, net.nodes[0].slots.owned_by(me).unwrap());
    assert_eq!(header.config_epoch, net.nodes[0].me().config_epoch);
    assert!(header.state_ok && header.replica_of.is_none());
    assert_eq!(&*header.address.ip, "", "whoever gets it sees where it comes from");
    assert_eq!(header.address.port, 7000);
    // A replica shows its primary's slots and epoch.
    net.make_replica(0, 1);
    let header = net.header(0);
    assert_eq!(header.flags, NodeFlags::MYSELF | NodeFlags::REPLICA);
    assert_eq!(header.slots, slots(8192..16384));
    assert_eq!(header.config_epoch, net.nodes[1].me().config_epoch);
    assert_eq!(header.replica_of, Some(net.id(1)));
}

#[test]
fn messages_go_to_all_or_to_the_shard() {
    let mut net = Net::cluster(3);
    let replica = net.add();
    net.meet(0, replica);
    net.run(6000);
    net.make_replica(replica, 0);
    net.run(3000);
    net.with(0, |node, _| node.publish(false, b"news", b"all"));
    net.with(0, |node, _| node.publish(true, b"news", b"some"));
    net.settle();
    let deliver = |sharded, message: &[u8]| Action::Deliver {
        sharded,
        channel: b"news".as_slice().into(),
        message: message.into(),
    };
    let got = |action: Action| -> Vec<usize> {
        net.others.iter().filter(|(_, other)| *other == action).map(|(at, _)| *at).collect()
    };
    assert_eq!(got(deliver(false, b"all")), [1, 2, 3]);
    assert_eq!(got(deliver(true, b"some")), [3]);
    let packets: Vec<_> =
        net.sent.iter().filter(|sent| sent.kind == MessageKind::Publish).collect();
    assert_eq!(packets[0].packet.as_ptr(), packets[1].packet.as_ptr(), "one encoding for all");
}

#[test]
fn messages_of_strangers_are_not_delivered() {
    let mut net = Net::cluster(2);
    let stranger = net.add();
    let header = net.header(stranger);
    let body = Body::Publish { sharded: false, channel: b"c", message: b"m" };
    net.inject(0, &header, &body);
    assert!(!net.others.iter().any(|(_, action)| matches!(action, Action::Deliver { .. })));
}

#[test]
fn links_in_which_too_much_waits_are_closed() {
    let mut net = Net::cluster(2);
    let link = net.view(0, 1).link.unwrap();
    let inbound = net.inbound(0, 1);
    net.nodes[0].link_queue(link, 1000, 4096);
    net.run(100);
    assert_eq!(net.view(0, 1).link, Some(link), "no limit is set");
    net.nodes[0].settings.link_send_buffer_bytes_max = 4000;
    net.with(0, |node, env| node.cron(env));
    assert!(net.nodes[0].links.get(link).is_none());
    assert!(net.view(0, 1).link.is_some(), "and opened anew at once");
    assert_eq!(net.view(0, 1).inbound, Some(inbound));
    assert_eq!(net.nodes[0].stats.link_buffer_limit_exceeded, 1);
    net.nodes[0].link_queue(inbound, 4001, 4001);
    net.with(0, |node, env| node.cron(env));
    assert_eq!(net.view(0, 1).inbound, None);
    assert_eq!(net.nodes[0].stats.link_buffer_limit_exceeded, 2);
}

#[test]
fn strangers_get_few_links_and_little_memory() {
    let mut net = Net::cluster(2);
    let now_ms = net.now_ms;
    let before = net.nodes[0].links.len();
    let first = net.nodes[0].link_accepted("10.0.0.1", &ip(), now_ms);
    for _ in 0..BUS_UNKNOWN_LINKS_MAX * 2 {
        net.nodes[0].link_accepted("10.0.0.1", &ip(), now_ms);
    }
    assert_eq!(net.nodes[0].links.len(), before + BUS_UNKNOWN_LINKS_MAX);
    assert!(net.nodes[0].links.get(first).is_none());
    assert!(net.view(0, 1).inbound.is_some());
    let last = net.nodes[0].link_accepted("10.0.0.1", &ip(), now_ms);
    let bytes = BUS_UNKNOWN_LINK_BYTES_MAX + 1;
    net.nodes[0].link_queue(last, bytes, bytes);
    net.with(0, |node, env| node.cron(env));
    assert!(net.nodes[0].links.get(last).is_none());
}

#[test]
fn nodes_conf_comes_before_what_is_sent_and_is_retried() {
    let mut net = Net::cluster(2);
    let env = Env { now_ms: net.now_ms, keys: &net.keys[0] };
    let node = &mut net.nodes[0];
    node.broadcast_pong(env.now_ms);
    node.mark(Todo::SAVE | Todo::FSYNC);
    node.before_sleep(env);
    let actions = node.take_actions();
    assert_eq!(actions[0], Action::Save { fsync: true });
    assert!(matches!(actions[1], Action::Send { kind: MessageKind::Pong, .. }));
    node.before_sleep(env);
    assert!(node.take_actions().is_empty());
    node.note_saved(false, env.now_ms);
    for later_ms in [0, 500, 999] {
        node.before_sleep(Env { now_ms: env.now_ms + later_ms, ..env });
        assert!(node.take_actions().is_empty(), "{later_ms}");
    }
    node.before_sleep(Env { now_ms: env.now_ms + 1000, ..env });
    assert_eq!(node.take_actions(), [Action::Save { fsync: true }]);
    node.note_saved(true, env.now_ms);
    node.before_sleep(env);
    assert!(node.take_actions().is_empty());
    assert_eq!(node.state(), State::Ok);
}

#[test]
fn random_choice_reaches_every_node_also_after_some_were_removed() {
    let mut net = crowd(20);
    let node = &mut net.nodes[0];
    let indexes = node.nodes.indexes();
    indexes[3..9].iter().for_each(|&index| node.remove_node(index));
    let mut rng = Rng::seeded(1);
    let mut seen = std::collections::BTreeSet::new();
    (0..1000).for_each(|_| {
        seen.insert(node.nodes.random(&mut rng).unwrap());
    });
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), node.nodes.indexes());
}

#[test]
fn a_node_that_no_link_gets_through_to_is_missed() {
    let mut net = crowd(3);
    net.nodes[0].take_actions();
    let later = |net: &mut Net, ms| {
        net.now_ms += ms;
        net.with(0, |node, env| node.cron(env));
        net.nodes[0].take_actions()
    };
    // All of them hang: neither a connection nor an error comes back. A ping may be put off for a
    // twentieth of the timeout.
    let actions = later(&mut net, NODE_TIMEOUT_MS * 11 / 20 + 100);
    let sent = actions.iter().filter(|action| matches!(action, Action::Send { .. })).count();
    assert_eq!(sent, 0, "one was pinged before, the others cannot be");
    let pinged = |net: &Net| net.nodes[0].nodes.iter().filter(|(_, n)| n.ping_sent_ms != 0).count();
    assert_eq!(pinged(&net), 3);
    let actions = later(&mut net, NODE_TIMEOUT_MS / 2 + 100);
    assert!(actions.iter().any(|action| matches!(action, Action::Close(_))));
    let actions = later(&mut net, NODE_TIMEOUT_MS);
    let opened = actions.iter().filter(|action| matches!(action, Action::Connect { .. })).count();
    assert_eq!(opened, 3);
    let failing = |(_, node): &(_, &Node)| node.is(NodeFlags::FAILING);
    assert_eq!(net.nodes[0].nodes.iter().filter(failing).count(), 3);
}
