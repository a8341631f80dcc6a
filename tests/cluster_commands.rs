//! CLUSTER's subcommands over a socket: replies in both protocols, what is refused, and in which
//! order that is looked at.

mod common;

use common::cluster::{Member, start_cluster};
use common::{Node, Reply, wait_until};

const SYNTAX: &str = "(error) ERR syntax error";
const NOT_A_NUMBER: &str = "(error) ERR value is not an integer or out of range";
const NOT_A_SLOT: &str = "(error) ERR Invalid or out of range slot";
const NOBODY: &str = "ffffffffffffffffffffffffffffffffffffffff";

/// A value of a map, in either protocol.
fn get<'a>(map: &'a Reply, name: &str) -> &'a Reply {
    let found = match map {
        Reply::Map(pairs) => pairs.iter().find(|(key, _)| key.text() == name).map(|(_, v)| v),
        other => other.items().chunks(2).find(|pair| pair[0].text() == name).map(|pair| &pair[1]),
    };
    found.unwrap_or_else(|| panic!("no {name} in {map}"))
}

#[test]
fn a_node_that_is_not_in_cluster_mode() {
    let node = Node::start();
    let disabled = "(error) ERR This instance has cluster support disabled";
    let mut client = node.connect();
    for line in [
        "ASKING",
        "READONLY",
        "READWRITE",
        "CLUSTER INFO",
        "CLUSTER HELP",
        "CLUSTER MYID",
        "CLUSTER ADDSLOTS x",
        "CLUSTER ADDSLOTSRANGE 1 2 3",
        "CLUSTER KEYSLOT k",
        "CLUSTER COUNTKEYSINSLOT x",
        "CLUSTER GETKEYSINSLOT x y",
        "CLUSTER SETSLOT x y",
        "CLUSTER MEET a b",
        "CLUSTER FORGET x",
        "CLUSTER RESET x y",
        "CLUSTER SAVECONFIG",
        "CLUSTER FAILOVER x y",
        "CLUSTER SET-CONFIG-EPOCH x",
        "CLUSTER REPLICAS x",
    ] {
        assert_eq!(client.ask(line), disabled, "{line}");
    }
    client.expect(&[
        ("CLUSTER", "(error) ERR wrong number of arguments for 'cluster' command"),
        ("CLUSTER nosuch", "(error) ERR unknown subcommand 'nosuch'. Try CLUSTER HELP."),
        ("CLUSTER INFO x", "(error) ERR wrong number of arguments for 'cluster|info' command"),
    ]);
}

#[test]
fn adding_and_deleting_slots() {
    let member = Member::start(&[]);
    let odd = "(error) ERR wrong number of arguments for 'cluster|addslotsrange' command";
    member.connect().expect(&[
        ("CLUSTER ADDSLOTS 1 2 x", NOT_A_SLOT),
        ("CLUSTER ADDSLOTS 16384", NOT_A_SLOT),
        ("CLUSTER ADDSLOTS -1", NOT_A_SLOT),
        ("CLUSTER ADDSLOTS 1 1", "(error) ERR Slot 1 specified multiple times"),
        ("CLUSTER ADDSLOTS 1 2 3", "OK"),
        ("CLUSTER ADDSLOTS 4 1", "(error) ERR Slot 1 is already busy"),
        // One by one, all of them must be slots first; in ranges each is looked at in its turn.
        ("CLUSTER ADDSLOTS 1 x", NOT_A_SLOT),
        ("CLUSTER ADDSLOTSRANGE 1 2 x y", "(error) ERR Slot 1 is already busy"),
        ("CLUSTER ADDSLOTSRANGE 10 12 x y", NOT_A_SLOT),
        ("CLUSTER ADDSLOTSRANGE 1 2 3", odd),
        (
            "CLUSTER ADDSLOTSRANGE 10 9",
            "(error) ERR start slot number 10 is greater than end slot number 9",
        ),
        ("CLUSTER ADDSLOTSRANGE 10 12 12 13", "(error) ERR Slot 12 specified multiple times"),
        ("CLUSTER ADDSLOTSRANGE 10 12 14 14", "OK"),
        ("CLUSTER DELSLOTS 5", "(error) ERR Slot 5 is already unassigned"),
        ("CLUSTER DELSLOTS 1 1", "(error) ERR Slot 1 specified multiple times"),
        ("CLUSTER DELSLOTS 1", "OK"),
        ("CLUSTER DELSLOTSRANGE 2 4", "(error) ERR Slot 4 is already unassigned"),
        ("CLUSTER DELSLOTSRANGE 2 3", "OK"),
    ]);
    let owned = || member.nodes()[0][8..].to_vec();
    assert_eq!(owned(), ["10-12", "14"]);
    member.connect().expect(&[("CLUSTER FLUSHSLOTS", "OK"), ("CLUSTER SLOTS", "[]")]);
    assert_eq!(owned(), [""; 0]);
}

#[test]
fn keys_of_slots() {
    let member = &start_cluster(1, &[])[0];
    let mut client = member.connect();
    let holds = "(error) ERR CLUSTER RESET can't be called with master nodes containing keys";
    client.expect(&[
        ("CLUSTER KEYSLOT foo", "(integer) 12182"),
        ("CLUSTER KEYSLOT {foo}bar", "(integer) 12182"),
        ("CLUSTER KEYSLOT a{}b", "(integer) 13694"),
        ("MSET foo 1 {foo}2 2 {foo}3 3", "OK"),
        ("CLUSTER COUNTKEYSINSLOT 12182", "(integer) 3"),
        ("CLUSTER COUNTKEYSINSLOT 0", "(integer) 0"),
        ("CLUSTER COUNTKEYSINSLOT x", NOT_A_NUMBER),
        ("CLUSTER COUNTKEYSINSLOT 16384", "(error) ERR Invalid slot"),
        ("CLUSTER GETKEYSINSLOT 0 10", "[]"),
        ("CLUSTER GETKEYSINSLOT 12182 0", "[]"),
        ("CLUSTER GETKEYSINSLOT x y", NOT_A_NUMBER),
        ("CLUSTER GETKEYSINSLOT -1 1", "(error) ERR Invalid slot or number of keys"),
        ("CLUSTER GETKEYSINSLOT 1 -1", "(error) ERR Invalid slot or number of keys"),
        ("CLUSTER FLUSHSLOTS", "(error) ERR DB must be empty to perform CLUSTER FLUSHSLOTS."),
        ("CLUSTER RESET", holds),
        ("CLUSTER RESET HARD", holds),
    ]);
    let mut keys = client.run("CLUSTER GETKEYSINSLOT 12182 9223372036854775807").texts();
    keys.sort();
    assert_eq!(keys, ["foo", "{foo}2", "{foo}3"]);
    assert_eq!(client.run("CLUSTER GETKEYSINSLOT 12182 2").items().len(), 2);
    client.expect(&[("FLUSHALL", "OK"), ("CLUSTER COUNTKEYSINSLOT 12182", "(integer) 0")]);
}

#[test]
fn databases_are_one() {
    let member = &start_cluster(1, &[])[0];
    member.connect().expect(&[
        ("SET foo 1", "OK"),
        ("SELECT 0", "OK"),
        ("SELECT 1", "(error) ERR SELECT is not allowed in cluster mode"),
        ("MOVE foo 1", "(error) ERR MOVE is not allowed in cluster mode"),
        ("SWAPDB 0 1", "(error) ERR SWAPDB is not allowed in cluster mode"),
        ("COPY foo {foo}2 DB 1", "(error) ERR DB index is out of range"),
        ("CONFIG GET databases", "[\"databases\", \"1\"]"),
    ]);
    let hello = member.connect().run("HELLO 3");
    assert_eq!(get(&hello, "mode").text(), "cluster");
}

#[test]
fn setting_slots() {
    let members = start_cluster(2, &[]);
    let (me, other) = (members[0].id(), members[1].id());
    let shape = "(error) ERR Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER \
                 HELP";
    let mut client = members[0].connect();
    let mut expect = |arguments: &str, expected: &str| {
        let arguments = arguments.replace("ME", &me).replace("OTHER", &other);
        assert_eq!(client.ask(&format!("CLUSTER SETSLOT {arguments}")), expected, "{arguments}");
    };
    expect("x NOSUCH", NOT_A_SLOT);
    expect("1 NOSUCH", shape);
    expect("1 MIGRATING", shape);
    expect("1 STABLE x", shape);
    expect("1 NODE OTHER x", shape);
    expect("9000 MIGRATING OTHER", "(error) ERR I'm not the owner of hash slot 9000");
    expect("1 MIGRATING x", "(error) ERR I don't know about node x");
    expect("1 IMPORTING OTHER", "(error) ERR I'm already the owner of hash slot 1");
    expect("9000 IMPORTING x", "(error) ERR I don't know about node x");
    expect("1 NODE x", "(error) ERR Unknown node x");
    expect("1 migrating OTHER", "OK");
    expect("9000 IMPORTING OTHER", "OK");
    let line = members[0].nodes().into_iter().find(|line| line[2].contains("myself")).unwrap();
    assert_eq!(line[8..], ["0-8191", &format!("[1->-{other}]"), &format!("[9000-<-{other}]")]);
    expect("1 STABLE", "OK");
    expect("9000 STABLE", "OK");

    // Given away by hand, which needs an empty slot.
    let mut second = members[0].connect();
    second.expect(&[("SET bar 1", "OK"), ("CLUSTER KEYSLOT bar", "(integer) 5061")]);
    expect("5061 MIGRATING OTHER", "OK");
    expect(
        "5061 NODE OTHER",
        "(error) ERR Can't assign hashslot 5061 to a different node while I still hold keys for \
         this hash slot.",
    );
    second.expect(&[("DEL bar", "(integer) 1")]);
    expect("5061 NODE OTHER", "OK");
    let line = members[0].nodes().into_iter().find(|line| line[2].contains("myself")).unwrap();
    assert_eq!(line[8..], ["0-5060", "5062-8191"]);
}

#[test]
fn a_slot_that_is_taken_is_announced_under_a_new_epoch() {
    let members = start_cluster(2, &[]);
    let (me, other) = (members[0].id(), members[1].id());
    let importing = format!("CLUSTER SETSLOT 9000 IMPORTING {other}");
    let take = format!("CLUSTER SETSLOT 9000 NODE {me}");
    members[0].connect().expect(&[(&importing, "OK"), (&take, "OK")]);
    assert_eq!(members[0].cluster_info("cluster_my_epoch"), "3");
    let owner = || {
        let lines = members[1].nodes();
        let line = lines.iter().find(|line| line[8..].contains(&"9000".to_owned()));
        line.map(|line| line[0].clone())
    };
    wait_until("the other node believes it", || owner() == Some(me.clone()));
    assert_eq!(members[1].cluster_info("cluster_current_epoch"), "3");
}

#[test]
fn epochs() {
    let member = Member::start(&[]);
    member.connect().expect(&[
        ("CLUSTER SET-CONFIG-EPOCH x", NOT_A_NUMBER),
        ("CLUSTER SET-CONFIG-EPOCH -1", "(error) ERR Invalid config epoch specified: -1"),
        ("CLUSTER SET-CONFIG-EPOCH 5", "OK"),
        ("CLUSTER SET-CONFIG-EPOCH 6", "(error) ERR Node config epoch is already non-zero"),
        ("CLUSTER BUMPEPOCH", "STILL 5"),
    ]);
    let members = start_cluster(2, &[]);
    members[0].connect().expect(&[
        (
            "CLUSTER SET-CONFIG-EPOCH 9",
            "(error) ERR The user can assign a config epoch only when the node does not know any \
             other node.",
        ),
        ("CLUSTER BUMPEPOCH", "BUMPED 3"),
        ("CLUSTER BUMPEPOCH", "STILL 3"),
    ]);
    assert_eq!(members[0].cluster_info("cluster_my_epoch"), "3");
}

#[test]
fn meeting() {
    let member = Member::start(&[]);
    let mut client = member.connect();
    for (given, named) in [
        ("127.0.0.1 70000", "127.0.0.1:70000"),
        ("127.0.0.1 60000", "127.0.0.1:60000"),
        ("127.0.0.1 0", "127.0.0.1:0"),
        ("127.0.0.1 7000 0", "127.0.0.1:7000"),
        ("127.0.0.1 7000 -1", "127.0.0.1:7000"),
        ("127.0.0.300 7000", "127.0.0.300:7000"),
        ("localhost 7000", "localhost:7000"),
        ("127.0.0.1 9223372036854775807", "127.0.0.1:9223372036854775807"),
    ] {
        let refused = format!("(error) ERR Invalid node address specified: {named}");
        assert_eq!(client.ask(&format!("CLUSTER MEET {given}")), refused);
    }
    let shape = "(error) ERR unknown subcommand or wrong number of arguments for 'MEET'. Try \
                 CLUSTER HELP.";
    client.expect(&[
        ("CLUSTER MEET 127.0.0.1 x y", "(error) ERR Invalid base port specified: x"),
        ("CLUSTER MEET 127.0.0.1 7000 y", "(error) ERR Invalid bus port specified: y"),
        ("CLUSTER MEET 127.0.0.1 7000 17000 1", shape),
    ]);
    assert_eq!(member.cluster_info("cluster_known_nodes"), "1");
}

#[test]
fn forgetting() {
    let members = start_cluster(2, &[]);
    let (me, other) = (members[0].id(), members[1].id());
    let unknown = format!("(error) ERR Unknown node {NOBODY}");
    let forget = format!("CLUSTER FORGET {other}");
    members[0].connect().expect(&[
        (&format!("CLUSTER FORGET {NOBODY}"), &unknown),
        ("CLUSTER FORGET x", "(error) ERR Unknown node x"),
        (&format!("CLUSTER FORGET {me}"), "(error) ERR I tried hard but I can't forget myself..."),
        (&forget, "OK"),
        // It may have been forgotten by word of another node, so this is no error.
        (&forget, "OK"),
    ]);
    assert_eq!(members[0].cluster_info("cluster_known_nodes"), "1");
    assert_eq!(members[0].cluster_info("cluster_slots_assigned"), "8192");
}

#[test]
fn resetting() {
    let members = start_cluster(2, &[]);
    let (before, mut client) = (members[0].id(), members[0].connect());
    let shard = client.run("CLUSTER MYSHARDID").text();
    client.expect(&[
        ("CLUSTER RESET x", SYNTAX),
        (
            "CLUSTER RESET SOFT x",
            "(error) ERR unknown subcommand or wrong number of arguments for 'RESET'. Try CLUSTER \
             HELP.",
        ),
        ("CLUSTER RESET soft", "OK"),
    ]);
    assert_eq!(members[0].id(), before);
    let info = |field| members[0].cluster_info(field);
    assert_eq!(
        (info("cluster_slots_assigned"), info("cluster_my_epoch")),
        ("0".into(), "1".into())
    );
    client.expect(&[("CLUSTER RESET HARD", "OK")]);
    assert_ne!(members[0].id(), before);
    assert_ne!(client.run("CLUSTER MYSHARDID").text(), shard);
    assert_eq!(info("cluster_my_epoch"), "0");
}

#[test]
fn what_needs_replicas() {
    let members = start_cluster(2, &[]);
    let (me, other) = (members[0].id(), members[1].id());
    let primary = "(error) ERR You should send CLUSTER FAILOVER to a replica";
    members[0].connect().expect(&[
        (&format!("CLUSTER REPLICAS {other}"), "[]"),
        (&format!("CLUSTER SLAVES {me}"), "[]"),
        ("CLUSTER REPLICAS x", "(error) ERR Unknown node x"),
        (&format!("CLUSTER COUNT-FAILURE-REPORTS {other}"), "(integer) 0"),
        ("CLUSTER COUNT-FAILURE-REPORTS x", "(error) ERR Unknown node x"),
        ("CLUSTER REPLICATE x", "(error) ERR Unknown node x"),
        (&format!("CLUSTER REPLICATE {me}"), "(error) ERR Can't replicate myself"),
        (
            &format!("CLUSTER REPLICATE {other}"),
            "(error) ERR To set a master the node must be empty and without assigned slots.",
        ),
        ("CLUSTER FAILOVER", primary),
        ("CLUSTER FAILOVER FORCE", primary),
        ("CLUSTER FAILOVER TAKEOVER", primary),
        ("CLUSTER FAILOVER x", SYNTAX),
    ]);
    members[0].connect().expect(&[
        ("CLUSTER FLUSHSLOTS", "OK"),
        (
            &format!("CLUSTER REPLICATE {other}"),
            "(error) ERR Replication is not available on this node",
        ),
    ]);
}

#[test]
fn saving_says_why_it_failed() {
    let member = Member::start(&[]);
    let mut client = member.connect();
    client.expect(&[
        ("CLUSTER SAVECONFIG", "OK"),
        ("MULTI", "OK"),
        ("CLUSTER SAVECONFIG", "QUEUED"),
        ("CONFIG SET maxclients 500", "QUEUED"),
        ("EXEC", "[OK, OK]"),
    ]);
    std::fs::remove_dir_all(member.directory()).expect("the directory goes");
    client.expect(&[(
        "CLUSTER SAVECONFIG",
        "(error) ERR error saving the cluster node config: No such file or directory",
    )]);
    std::fs::create_dir(member.directory()).expect("the directory comes back");
    client.expect(&[("CLUSTER SAVECONFIG", "OK")]);
    assert!(member.nodes_conf().exists());
}

#[test]
fn slots_and_shards_in_both_protocols() {
    let members = start_cluster(2, &[]);
    let ids = [members[0].id(), members[1].id()];
    let ports = [members[0].port(), members[1].port()];
    let mut client = members[0].connect();
    let node = |n: usize| format!("[\"127.0.0.1\", (integer) {}, \"{}\", []]", ports[n], ids[n]);
    // A node does not know its own address until another one tells.
    wait_until("addresses are known", || {
        let ranges = [(0, 8191, node(0)), (8192, 16383, node(1))];
        let ranges = ranges.map(|(a, b, node)| format!("[(integer) {a}, (integer) {b}, {node}]"));
        client.ask("CLUSTER SLOTS") == format!("[{}]", ranges.join(", "))
    });
    for mut client in [members[0].connect(), resp3(&members[0])] {
        let shards = client.run("CLUSTER SHARDS");
        assert_eq!(shards.items().len(), 2);
        let mine = shards
            .items()
            .iter()
            .find(|shard| get(&get(shard, "nodes").items()[0], "id").text() == ids[0]);
        let mine = mine.expect("this node's shard");
        assert_eq!(get(mine, "slots").to_string(), "[(integer) 0, (integer) 8191]");
        let node = &get(mine, "nodes").items()[0];
        assert_eq!(get(node, "port").int(), i64::from(ports[0]));
        let texts = ["ip", "endpoint", "role", "health"].map(|name| get(node, name).text());
        assert_eq!(texts, ["127.0.0.1", "127.0.0.1", "master", "online"]);
        assert_eq!(get(node, "replication-offset").int(), 0);
    }
}

fn resp3(member: &Member) -> common::Client {
    let mut client = member.connect();
    client.run("HELLO 3");
    client
}

#[test]
fn slots_with_other_endpoints() {
    let members = start_cluster(1, &[("cluster-announce-ip", "10.0.0.1")]);
    let (id, port) = (members[0].id(), members[0].port());
    let mut client = resp3(&members[0]);
    let mut expect = |endpoint: &str, rest: &str| {
        let node = format!("[{endpoint}, (integer) {port}, \"{id}\", {rest}]");
        let expected = format!("[[(integer) 0, (integer) 16383, {node}]]");
        assert_eq!(client.ask("CLUSTER SLOTS"), expected);
    };
    let mut other = members[0].connect();
    let mut set = |name: &str, value: &str| {
        assert_eq!(other.call(&["CONFIG", "SET", name, value]), Reply::ok(), "{name}");
    };
    expect("\"10.0.0.1\"", "{}");
    set("cluster-preferred-endpoint-type", "hostname");
    expect("\"?\"", "{\"ip\": \"10.0.0.1\"}");
    set("cluster-announce-hostname", "my.host");
    expect("\"my.host\"", "{\"ip\": \"10.0.0.1\"}");
    set("cluster-preferred-endpoint-type", "ip");
    expect("\"10.0.0.1\"", "{\"hostname\": \"my.host\"}");
    set("cluster-preferred-endpoint-type", "unknown-endpoint");
    expect("(nil)", "{\"ip\": \"10.0.0.1\", \"hostname\": \"my.host\"}");
    let shards = members[0].connect().run("CLUSTER SHARDS");
    let node = &get(&shards.items()[0], "nodes").items()[0];
    assert_eq!(get(node, "endpoint").text(), "");
    assert_eq!(get(node, "hostname").text(), "my.host");
}

#[test]
fn links_info_and_nodes() {
    let members = start_cluster(2, &[]);
    let other = members[1].id();
    let mut client = resp3(&members[0]);
    let links = client.run("CLUSTER LINKS");
    let directions: Vec<String> =
        links.items().iter().map(|link| get(link, "direction").text()).collect();
    assert_eq!(directions, ["to", "from"]);
    for link in links.items() {
        assert_eq!(get(link, "node").text(), other);
        assert!(get(link, "create-time").int() > 0);
        assert!(get(link, "events").text().starts_with('r'));
        assert!(get(link, "send-buffer-allocated").int() >= get(link, "send-buffer-used").int());
    }
    assert!(client.run("CLUSTER NODES").text().starts_with("txt:"));
    let info = client.run("CLUSTER INFO").text();
    let names: Vec<&str> = info.lines().filter_map(|l| l.split(':').next()).collect();
    assert_eq!(names[..2], ["txt", "cluster_slots_assigned"]);
    let fields = [
        ("cluster_slots_ok", "16384"),
        ("cluster_slots_pfail", "0"),
        ("cluster_slots_fail", "0"),
        ("cluster_known_nodes", "2"),
        ("cluster_size", "2"),
        ("cluster_current_epoch", "2"),
        ("cluster_my_epoch", "1"),
        ("total_cluster_links_buffer_limit_exceeded", "0"),
    ];
    for (name, value) in fields {
        assert!(info.contains(&format!("\r\n{name}:{value}\r\n")), "{name}: {info}");
    }
    let count = |name: &str| -> u64 { members[0].cluster_info(name).parse().unwrap() };
    assert!(count("cluster_stats_messages_ping_sent") > 0);
    assert!(count("cluster_stats_messages_sent") >= count("cluster_stats_messages_ping_sent"));
    assert!(count("cluster_stats_messages_received") > 0);
}

#[test]
fn flags_of_connections() {
    let member = Member::start(&[]);
    let mut client = member.connect();
    let flags = |client: &mut common::Client| {
        let info = client.run("CLIENT INFO").text();
        info.split(' ').find_map(|word| word.strip_prefix("flags=").map(str::to_owned)).unwrap()
    };
    client.expect(&[("READONLY", "OK")]);
    assert_eq!(flags(&mut client), "r");
    client.expect(&[("READWRITE", "OK")]);
    assert_eq!(flags(&mut client), "N");
    client.expect(&[("READONLY", "OK"), ("RESET", "RESET")]);
    assert_eq!(flags(&mut client), "N");
}
