//! Tests of nodes.conf as text: files of Redis, older forms, damage of every kind, and whatever a
//! node can know written and read back.

use proptest::prelude::{ProptestConfig, TestCaseError, any, prop, prop_assert, prop_assert_eq};
use proptest::proptest;

use super::*;

const GOLDEN: [(&str, &str); 6] = [
    ("7.2 primary", include_str!("../../../tests/data/nodes_conf/redis-7.2-primary.conf")),
    ("7.2 replica", include_str!("../../../tests/data/nodes_conf/redis-7.2-replica.conf")),
    ("7.2 hostname", include_str!("../../../tests/data/nodes_conf/redis-7.2-hostname.conf")),
    ("7.0 primary", include_str!("../../../tests/data/nodes_conf/redis-7.0-primary.conf")),
    ("7.0 replica", include_str!("../../../tests/data/nodes_conf/redis-7.0-replica.conf")),
    ("7.0 hostname", include_str!("../../../tests/data/nodes_conf/redis-7.0-hostname.conf")),
];

const NOW_MS: u64 = 1_700_000_000_000;
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const C: &str = "cccccccccccccccccccccccccccccccccccccccc";

fn read(text: impl AsRef<[u8]>) -> Result<Cluster, NodesConfError> {
    Cluster::from_nodes_conf(text.as_ref(), Settings::default(), Rng::seeded(7), NOW_MS)
}

fn loaded(text: &str) -> Cluster {
    read(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

fn refused(text: &str) -> (usize, &'static str) {
    let error = read(text).err().unwrap_or_else(|| panic!("loaded: {text}"));
    (error.line, error.reason)
}

fn node<'a>(cluster: &'a Cluster, id: &str) -> &'a Node {
    &cluster.nodes[cluster.nodes.find(&NodeId::parse(id.as_bytes()).unwrap()).unwrap()]
}

/// The lines in order, without what a restart changes: times, links, this node's own address.
fn comparable(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text
        .lines()
        .map(|line| {
            let mut words: Vec<&str> = line.split(' ').collect();
            if words.len() >= NODE_FIELDS {
                words[4..6].fill("time");
                words[7] = "link";
                if words[2].starts_with("myself") {
                    words[1] = "address";
                }
            }
            words.join(" ")
        })
        .collect();
    lines.sort();
    lines
}

#[test]
fn files_of_redis_load_and_are_written_back_alike() {
    for (name, text) in GOLDEN {
        let cluster = loaded(text);
        assert_eq!(cluster.nodes.len(), 4, "{name}");
        assert_eq!(cluster.current_epoch(), Epoch(3), "{name}");
        assert_eq!(cluster.slots.assigned(), 5461 + 5462 + 3, "{name}");
        if name.starts_with("7.2") {
            assert_eq!(comparable(&cluster.to_nodes_conf()), comparable(text), "{name}");
        }
        let again = loaded(&cluster.to_nodes_conf());
        assert_eq!(comparable(&again.to_nodes_conf()), comparable(&cluster.to_nodes_conf()));
    }
}

#[test]
fn a_file_of_redis_says_all_of_its_nodes() {
    let (_, text) = GOLDEN[0];
    let cluster = loaded(text);
    let me = cluster.myself();
    let other = cluster.slots.owner(Slot(5461)).unwrap();
    assert_eq!(cluster.slots.owner(Slot(0)), Some(me));
    assert_eq!(cluster.slots.migrating().collect::<Vec<_>>(), [(Slot(5), other)]);
    assert_eq!(cluster.slots.importing().collect::<Vec<_>>(), [(Slot(6000), other)]);
    assert_eq!(cluster.me().config_epoch, Epoch(1));
    let known = &cluster.nodes[other];
    assert_eq!(&*known.hostname, "host-1.example.org");
    assert_eq!(&*known.human_name, "node-one");
    assert_eq!(
        known.address,
        Address { ip: "127.0.0.1".into(), port: 21_312, tls_port: 0, bus_port: 31_312 }
    );
    assert_eq!((known.ping_sent_ms, known.pong_received_ms), (0, NOW_MS));
    let replica = cluster.replicas_of(me).next().unwrap();
    assert_eq!(cluster.nodes[replica].flags, NodeFlags::REPLICA | NodeFlags::FAIL);
    assert_eq!(cluster.nodes[replica].fail_ms, NOW_MS);
    assert_eq!(cluster.nodes[replica].shard, cluster.me().shard);
}

#[test]
fn replicas_in_files_without_shards_follow_their_primary() {
    let cluster = loaded(GOLDEN[4].1);
    let primary = cluster.me().replica_of.unwrap();
    assert_eq!(cluster.me().shard, cluster.nodes[primary].shard);
}

#[test]
fn replicas_are_in_the_shard_of_their_primary() {
    let mine = format!("{A} :0@0,,shard-id={A} myself,master - 0 0 0 connected\n");
    let other = format!("{B} h:1@2,,shard-id={B} slave {A} 0 0 0 connected\n");
    for text in [format!("{mine}{other}"), format!("{other}{mine}")] {
        assert_eq!(node(&loaded(&text), B).shard.as_str(), A);
    }
    let unstated = mine.replace(&format!(",,shard-id={A}"), "");
    assert_eq!(loaded(&format!("{unstated}{other}")).me().shard.as_str(), B);
}

#[test]
fn older_forms_of_addresses() {
    let cluster = loaded(&format!(
        "{A} :7000 myself,master - 0 0 0 connected\n\
         {B} 10.0.0.2:7001@7999 noflags - 0 0 0 connected\n\
         {C} fe80::1:7002@17002,host master - 12 0 0 connected\n"
    ));
    assert_eq!(node(&cluster, B).address.bus_port, 7999);
    assert_eq!(node(&cluster, B).flags, NodeFlags::empty());
    assert_eq!(&*node(&cluster, C).address.ip, "fe80::1");
    assert_eq!(&*node(&cluster, C).hostname, "host");
    assert_eq!(node(&cluster, C).ping_sent_ms, NOW_MS);
    let cluster = loaded(&format!("{A} 10.0.0.1:7000 myself,slave {B} 0 0 9 connected\n"));
    assert_eq!(&*cluster.me().address.ip, "10.0.0.1");
    assert_eq!(cluster.me().config_epoch, Epoch(0));
    assert_eq!(node(&cluster, B).flags, NodeFlags::MIGRATE_TO);
}

#[test]
fn files_of_nodes_that_use_tls() {
    let cluster = loaded(&format!(
        "{A} :0@0 myself,master - 0 0 0 connected\n\
         {B} h:7443@17443,,tcp-port=7000 master - 0 0 0 connected\n\
         {C} h:1@2,,tcp-port=7001,tls-port=7444 master - 0 0 0 connected\n"
    ));
    let ports = |id| (node(&cluster, id).address.port, node(&cluster, id).address.tls_port);
    assert_eq!(ports(B), (7000, 7443));
    assert_eq!(ports(C), (7001, 7444));
}

#[test]
fn epochs_are_read_and_never_behind_the_nodes() {
    let text = format!(
        "vars currentEpoch 3 lastVoteEpoch 1\n\n  \r\n\
         {A} :0@0 myself,master - 0 0 7 connected\r\n\
         VARS lastVoteEpoch 2 other 1\n"
    );
    let cluster = loaded(&text);
    assert_eq!((cluster.current_epoch(), cluster.last_vote_epoch()), (Epoch(7), Epoch(2)));
}

#[test]
fn damage_names_the_line() {
    let me = format!("{A} :0@0 myself,master - 0 0 0 connected\n");
    let cases = [
        ("what\n", "too few fields"),
        ("vars currentEpoch\n", "a variable without a value"),
        ("vars currentEpoch x\n", "invalid epoch"),
        ("vars currentEpoch 99999999999999999999\n", "invalid epoch"),
        ("B h:1@2 master - 0 0 0 connected\n", "invalid node id"),
        ("b h@2 master - 0 0 0 connected\n", "an address without a port"),
        ("b h:1@ master - 0 0 0 connected\n", "invalid port"),
        ("b h:70000@1 master - 0 0 0 connected\n", "invalid port"),
        ("b h:60000 master - 0 0 0 connected\n", "a port that leaves none to the bus"),
        ("b h:1@2,n,x master - 0 0 0 connected\n", "an auxiliary field without a value"),
        ("b h:1@2,n,x=1 master - 0 0 0 connected\n", "unknown auxiliary field"),
        ("b h:1@2,n,nodename=a=b master - 0 0 0 connected\n", "invalid auxiliary field"),
        ("b h:1@2,n,shard-id=1 master - 0 0 0 connected\n", "invalid shard id"),
        ("b h:1@2 mister - 0 0 0 connected\n", "unknown flag"),
        ("b h:1@2 master, - 0 0 0 connected\n", "unknown flag"),
        ("b h:1@2 myself - 0 0 0 connected\n", "a second line that is flagged as myself"),
        ("b h:1@2 slave x 0 0 0 connected\n", "invalid node id"),
        ("b h:1@2 slave b 0 0 0 connected\n", "a replica of itself"),
        ("b h:1@2 master - x 0 0 connected\n", "invalid time"),
        ("b h:1@2 master - 0 0 0 connected 16384\n", "invalid slot"),
        ("b h:1@2 master - 0 0 0 connected 1-\n", "invalid slot"),
        ("b h:1@2 master - 0 0 0 connected 2-1\n", "a range of slots that ends before it begins"),
        ("b h:1@2 master - 0 0 0 connected [1->-b\n", "a mark without end"),
        ("b h:1@2 master - 0 0 0 connected [1->b]\n", "a mark without direction"),
        ("b h:1@2 master - 0 0 0 connected [1-=-b]\n", "a mark without direction"),
        ("b h:1@2 master - 0 0 0 connected [x->-b]\n", "invalid slot"),
        ("b h:1@2 master - 0 0 0 connected [1->-c]\n", "invalid node id"),
        ("b h:1@2 master - 0 0 0 conn\"ected\n", "unbalanced quotes"),
        ("b h:1@2 master - 0 0 0 conn\0ected\n", "zero byte"),
    ];
    for (line, reason) in cases {
        // A lone `b` stands for the id.
        let words: Vec<&str> =
            line.split(' ').map(|word| if word == "b" { B } else { word }).collect();
        let line = words.join(" ").replace("b]", &format!("{B}]"));
        assert_eq!(refused(&format!("{me}{line}{me}")), (2, reason), "{line}");
    }
    assert_eq!(refused(""), (0, "no line is flagged as myself"));
    assert_eq!(refused(&me.replace(",master", "")), (0, "myself is neither a master nor a slave"));
    let long = format!("{me}{B} {}:1@2 master - 0 0 0 connected\n", "1".repeat(46));
    assert_eq!(refused(&long), (2, "an address that is too long"));
}

#[test]
fn an_error_shows_its_line_in_short() {
    let error = read([b'\xff'; 5000]).err().unwrap();
    assert!(error.to_string().starts_with("line 1: invalid UTF-8: \"\\xff\\xff"), "{error}");
    assert!(error.to_string().len() < 600, "{error}");
    assert!(error.text.ends_with("\"..."), "{error}");
}

#[test]
fn texts_that_the_format_cannot_hold_are_left_out() {
    let mut cluster = loaded(GOLDEN[0].1);
    let other = cluster.slots.owner(Slot(5461)).unwrap();
    for (name, kept) in [("a b\"c'\\", true), ("a,b", false), ("a=b", false), ("a\nb", false)] {
        cluster.nodes[other].human_name = name.into();
        cluster.nodes[other].hostname = name.into();
        let again = loaded(&cluster.to_nodes_conf());
        let again = node(&again, cluster.nodes[other].id.as_str());
        let expected = if kept { name } else { "" };
        assert_eq!((&*again.human_name, &*again.hostname), (expected, expected), "{name:?}");
    }
}

#[test]
fn work_is_bounded_by_the_slots_there_are() {
    let ranges = " 0-16382".repeat(3 * SLOTS);
    let text = format!("{A} :0@0 myself,master - 0 0 0 connected{ranges}\n");
    assert_eq!(refused(&text), (1, "more ranges than slots"));
}

/// A cluster of some nodes, with all that a file holds.
fn some_cluster(seed: u64) -> Cluster {
    let mut rng = Rng::seeded(seed);
    let settings = Settings { port: 7000, bus_port: 17_000, ..Settings::default() };
    let mut cluster = Cluster::new(settings, Rng::seeded(rng.next_u64()), NOW_MS);
    for _ in 0..rng.below(9) {
        add_node(&mut cluster, &mut rng);
    }
    let indexes = cluster.nodes.indexes();
    for _ in 0..rng.below(40) {
        let owner = indexes.get(rng.below(9) as usize).copied();
        let (first, length) = (rng.below(SLOTS as u64), rng.below(900));
        for slot in first..(first + length).min(SLOTS as u64) {
            cluster.slots.set_owner(Slot(slot as u16), owner);
        }
    }
    for _ in 0..rng.below(9) {
        let (slot, node) = (Slot(rng.below(SLOTS as u64) as u16), rng.below(9) as usize);
        let out = rng.below(2) == 0;
        let node = indexes.get(node).copied();
        cluster.slots.set_migrating(slot, node.filter(|_| out));
        cluster.slots.set_importing(slot, node.filter(|_| !out));
    }
    cluster.current_epoch = cluster.max_epoch();
    cluster.last_vote_epoch = Epoch(rng.below(100));
    cluster
}

fn add_node(cluster: &mut Cluster, rng: &mut Rng) {
    let (id, shard) = (NodeId::random(rng), ShardId::random(rng));
    let address = Address {
        ip: ["", "10.1.2.3", "fe80::1"][rng.below(3) as usize].into(),
        port: rng.below(65_536) as u16,
        tls_port: rng.below(65_536) as u16,
        bus_port: rng.below(65_536) as u16,
    };
    let mut node = Node::new(id, shard, NodeFlags::PRIMARY, address, NOW_MS);
    node.config_epoch = Epoch(rng.next_u64() >> rng.below(64));
    node.hostname = ["", "a.b"][rng.below(2) as usize].into();
    node.human_name = ["", "näme", "a name"][rng.below(3) as usize].into();
    node.pong_received_ms = rng.below(2) * NOW_MS;
    if rng.below(3) == 0 {
        let primary = cluster.myself();
        node.flags = NodeFlags::REPLICA | NodeFlags::NOFAILOVER;
        node.replica_of = Some(primary);
        node.shard = cluster.nodes[primary].shard;
        node.config_epoch = Epoch(0);
    }
    cluster.nodes.insert(node);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(seed: u64) {
        let cluster = some_cluster(seed);
        let text = cluster.to_nodes_conf();
        let again = read(&text).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(comparable(&again.to_nodes_conf()), comparable(&text));
        prop_assert_eq!(again.me().id, cluster.me().id);
        prop_assert_eq!(again.slots.assigned(), cluster.slots.assigned());
    }

    #[test]
    fn damage_never_panics(
        which in 0..GOLDEN.len(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        let mut text = GOLDEN[which].1.as_bytes().to_vec();
        for (at, byte) in damage {
            let at = at.index(text.len());
            text[at] = byte;
        }
        if cuts {
            text.truncate(cut.index(text.len()));
        }
        if let Ok(cluster) = read(&text) {
            // Whatever loads can be written and loads again.
            let again = read(cluster.to_nodes_conf());
            prop_assert!(again.is_ok(), "{:?}", again.err());
        }
    }

    #[test]
    fn noise_never_panics(text in "([0-9a-f]{40}|[ -~]{0,6}|[\\[\\]0-9<>=,:@-]{1,8}|[ \n]){0,60}") {
        let _ = read(&text);
    }
}
