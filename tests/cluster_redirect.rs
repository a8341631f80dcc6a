//! Which node of a cluster serves a command, and what a client is told by the others.

mod common;

use common::cluster::{Member, start_cluster};
use common::{Client, wait_until};

/// Two nodes; the first has the slots up to 8191.
fn pair() -> [Member; 2] {
    let members = start_cluster(2, &[]);
    members.try_into().unwrap_or_else(|_| panic!("two nodes"))
}

/// Where a node is, as redirects name it.
fn endpoint(member: &Member) -> String {
    format!("127.0.0.1:{}", member.port())
}

fn wait_for_state(member: &Member, state: &str) {
    wait_until(state, || member.cluster_info("cluster_state") == state);
}

/// A slot of the second node of a pair: the one of `foo`.
const SLOT: &str = "12182";

/// Opens the slot of `foo` at both ends: it goes from the second node to the first.
fn open(members: &[Member; 2]) -> [Client; 2] {
    let mut clients = [members[0].connect(), members[1].connect()];
    let importing = format!("CLUSTER SETSLOT {SLOT} IMPORTING {}", members[1].id());
    let migrating = format!("CLUSTER SETSLOT {SLOT} MIGRATING {}", members[0].id());
    clients[0].expect(&[(&importing, "OK")]);
    clients[1].expect(&[(&migrating, "OK")]);
    clients
}

const TRY_AGAIN: &str = "(error) TRYAGAIN Multiple keys request during rehashing of slot";
const CROSS_SLOT: &str = "(error) CROSSSLOT Keys in request don't hash to the same slot";

#[test]
fn slots_of_other_nodes() {
    let members = pair();
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[1]));
    let mut client = members[0].connect();
    client.expect(&[
        // Keys at a fixed place, several keys, keys behind a word, and subcommands.
        ("SET bar 1", "OK"),
        ("GET foo", &moved),
        ("SET foo 1", &moved),
        ("MSET {foo}1 1 {foo}2 2", &moved),
        ("DEL foo {foo}1", &moved),
        ("OBJECT ENCODING foo", &moved),
        ("MEMORY USAGE foo", &moved),
        ("LCS foo {foo}1", &moved),
        ("WATCH foo", &moved),
        ("SPUBLISH foo m", &moved),
        ("PUBLISH foo m", "(integer) 0"),
        ("MGET foo bar", CROSS_SLOT),
        ("RENAME bar foo", CROSS_SLOT),
        // ASKING is not enough.
        ("ASKING", "OK"),
        ("GET foo", &moved),
        // READONLY is for replicas.
        ("READONLY", "OK"),
        ("GET foo", &moved),
        // No keys, or none that make sense.
        ("PING", "PONG"),
        ("DBSIZE", "(integer) 1"),
        ("GET", "(error) ERR wrong number of arguments for 'get' command"),
        ("MSET foo", "(error) ERR wrong number of arguments for 'mset' command"),
        ("COMMAND GETKEYS GET foo", "[\"foo\"]"),
    ]);
    let stats = client.run("INFO errorstats").text();
    assert!(stats.contains("errorstat_MOVED:count=11\r\n"), "{stats}");
    assert!(stats.contains("errorstat_CROSSSLOT:count=2\r\n"), "{stats}");
    let stats = client.run("INFO commandstats").text();
    let get = stats.lines().find(|line| line.starts_with("cmdstat_get:")).expect("a line");
    assert!(get.contains("calls=0,") && get.contains("rejected_calls=4,"), "{get}");
}

#[test]
fn keys_are_any_bytes() {
    let [first, second] = pair();
    let keys: [&[u8]; 6] = [b"", b"\0", b"\r\n", b"\xff\xfe", b"{}", b"a{\0}b"];
    for key in keys {
        let slot = first.connect().call(&[b"CLUSTER", &b"KEYSLOT"[..], key]).int();
        for (member, other, mine) in
            [(&first, &second, slot < 8192), (&second, &first, slot >= 8192)]
        {
            let reply = member.connect().call(&[&b"SET"[..], key, b"v"]).to_string();
            let moved = format!("(error) MOVED {slot} {}", endpoint(other));
            assert_eq!(reply, if mine { "OK" } else { &moved }, "{key:?}");
        }
    }
}

#[test]
fn transactions() {
    let members = pair();
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[1]));
    let aborted = "(error) EXECABORT Transaction discarded because of previous errors.";
    members[0].connect().expect(&[
        // A slot of another node dooms what follows.
        ("MULTI", "OK"),
        ("SET bar 1", "QUEUED"),
        ("GET foo", &moved),
        ("SET bar 2", "QUEUED"),
        ("EXEC", aborted),
        ("GET bar", "(nil)"),
        // Each command may be fine, and all of them together not.
        ("MULTI", "OK"),
        ("SET bar 1", "QUEUED"),
        ("SET {b} 1", "QUEUED"),
        ("EXEC", CROSS_SLOT),
        ("EXEC", "(error) ERR EXEC without MULTI"),
        ("GET bar", "(nil)"),
        ("MULTI", "OK"),
        ("PING", "QUEUED"),
        ("SET bar 1", "QUEUED"),
        ("INCR bar", "QUEUED"),
        ("EXEC", "[PONG, OK, (integer) 2]"),
        ("MULTI", "OK"),
        ("PING", "QUEUED"),
        ("EXEC", "[PONG]"),
    ]);
    // The slot goes away between queueing and EXEC.
    let mut client = members[1].connect();
    client.expect(&[("MULTI", "OK"), ("GET foo", "QUEUED"), ("GET {foo}2", "QUEUED")]);
    let give = format!("CLUSTER SETSLOT {SLOT} NODE {}", members[0].id());
    members[1].connect().expect(&[(&give, "OK")]);
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[0]));
    client.expect(&[("EXEC", &moved), ("GET foo", &moved), ("DISCARD", NO_MULTI)]);
}

const NO_MULTI: &str = "(error) ERR DISCARD without MULTI";

#[test]
fn a_slot_on_its_way_out() {
    let members = pair();
    members[1].connect().expect(&[("SET foo 1", "OK")]);
    let ask = format!("(error) ASK {SLOT} {}", endpoint(&members[0]));
    let [_, mut client] = open(&members);
    client.expect(&[
        ("GET foo", "\"1\""),
        ("SET foo 2", "OK"),
        ("GET {foo}none", &ask),
        ("SET {foo}none 1", &ask),
        // Channels stay with the owner until the end.
        ("SPUBLISH {foo}none m", "(integer) 0"),
        ("MGET foo {foo}none", TRY_AGAIN),
        ("MGET {foo}none {foo}none2", &ask),
        ("MGET foo bar", CROSS_SLOT),
        ("ASKING", "OK"),
        ("GET {foo}none", &ask),
        ("MULTI", "OK"),
        ("GET foo", "QUEUED"),
        ("GET {foo}none", &ask),
        ("EXEC", "(error) EXECABORT Transaction discarded because of previous errors."),
        ("PEXPIRE foo 1", "(integer) 1"),
    ]);
    // A key whose time is over is as good as gone.
    wait_until("the key expires", || client.ask("GET foo") == ask);
    let stable = format!("CLUSTER SETSLOT {SLOT} STABLE");
    client.expect(&[(&stable, "OK"), ("GET {foo}none", "(nil)")]);
}

#[test]
fn a_slot_on_its_way_in() {
    let members = pair();
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[1]));
    let [mut client, _] = open(&members);
    client.expect(&[
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("SET foo 1", "OK"),
        // Good for one command.
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("GET foo", "\"1\""),
        ("ASKING", "OK"),
        ("MGET foo {foo}none", TRY_AGAIN),
        ("ASKING", "OK"),
        ("MGET {foo}none {foo}none", "[(nil), (nil)]"),
        ("ASKING", "OK"),
        ("MGET foo foo", "[\"1\", \"1\"]"),
        // Whatever the command is, and even if it fails.
        ("ASKING", "OK"),
        ("PING", "PONG"),
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("GET", "(error) ERR wrong number of arguments for 'get' command"),
        ("GET foo", &moved),
        // But ASKING itself.
        ("ASKING", "OK"),
        ("ASKING x", "(error) ERR wrong number of arguments for 'asking' command"),
        ("GET foo", "\"1\""),
        // A transaction counts as one.
        ("ASKING", "OK"),
        ("MULTI", "OK"),
        ("GET foo", "QUEUED"),
        ("INCR foo", "QUEUED"),
        ("EXEC", "[\"1\", (integer) 2]"),
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("MULTI", "OK"),
        ("DISCARD", "OK"),
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("RESET", "RESET"),
        ("GET foo", &moved),
    ]);
    // The slot is taken: everybody is told by the next packet.
    let take = format!("CLUSTER SETSLOT {SLOT} NODE {}", members[0].id());
    client.expect(&[(&take, "OK"), ("GET foo", "\"2\"")]);
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[0]));
    let mut other = members[1].connect();
    wait_until("the old owner hears of it", || other.ask("GET foo") == moved);
}

#[test]
fn what_moves_keys_finds_them_on_both_sides() {
    let members = pair();
    members[1].connect().expect(&[("MSET foo 1 {foo}2 2 {foo}3 3", "OK")]);
    let [mut first, mut second] = open(&members);
    let out = |rest: &str| format!("MIGRATE 127.0.0.1 {} {rest}", members[0].port());
    let ask = format!("(error) ASK {SLOT} {}", endpoint(&members[0]));
    let moved = format!("(error) MOVED {SLOT} {}", endpoint(&members[1]));
    second.expect(&[(&out("{foo}none 0 5000"), "NOKEY"), (&out("foo 0 5000"), "OK")]);
    second.expect(&[("GET foo", &ask), ("MGET foo {foo}2", TRY_AGAIN)]);
    let port = members[0].port().to_string();
    let mut call = |keys: &str| {
        let mut words = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
        words.extend(keys.split(' '));
        second.call(&words).to_string()
    };
    // Some here, some not, and none.
    assert_eq!(call("foo {foo}2 {foo}3"), "OK");
    assert_eq!(call("foo {foo}2"), "NOKEY");
    assert_eq!(call("foo bar"), CROSS_SLOT);
    first.expect(&[
        ("GET foo", &moved),
        ("ASKING", "OK"),
        ("MGET foo {foo}2 {foo}3", "[\"1\", \"2\", \"3\"]"),
    ]);
    // And back, although this node does not own the slot, once the owner does not send away.
    second.expect(&[(&format!("CLUSTER SETSLOT {SLOT} STABLE"), "OK")]);
    let back = format!("MIGRATE 127.0.0.1 {} foo 0 5000 REPLACE", members[1].port());
    first.expect(&[(&back, "OK"), (&back, "NOKEY")]);
    second.expect(&[("GET foo", "\"1\"")]);
}

#[test]
fn a_cluster_that_is_down() {
    let members = start_cluster(1, &[]);
    let member = &members[0];
    let mut client = member.connect();
    client.expect(&[("SET foo 1", "OK"), ("CLUSTER DELSLOTS 1", "OK")]);
    wait_for_state(member, "fail");
    let down = "(error) CLUSTERDOWN The cluster is down";
    let unserved = "(error) CLUSTERDOWN Hash slot not served";
    client.expect(&[
        ("GET foo", down),
        ("SET foo 2", down),
        // Channels have a directive of their own.
        ("SPUBLISH foo m", "(integer) 0"),
        ("CONFIG SET cluster-allow-pubsubshard-when-down no", "OK"),
        ("SPUBLISH foo m", down),
        ("MGET foo bar", CROSS_SLOT),
        ("PING", "PONG"),
        ("CLUSTER KEYSLOT foo", "(integer) 12182"),
        ("CONFIG SET cluster-allow-reads-when-down yes", "OK"),
        ("GET foo", "\"1\""),
        ("SET foo 2", "(error) CLUSTERDOWN The cluster is down and only accepts read commands"),
        ("MULTI", "OK"),
        ("GET foo", "QUEUED"),
        ("EXEC", "[\"1\"]"),
        ("CONFIG SET cluster-allow-reads-when-down no", "OK"),
        ("GET foo", down),
        ("CONFIG SET cluster-require-full-coverage no", "OK"),
    ]);
    wait_for_state(member, "ok");
    let del = format!("CLUSTER DELSLOTS {SLOT}");
    client.expect(&[
        ("GET foo", "\"1\""),
        (&del, "OK"),
        ("GET foo", unserved),
        ("ASKING", "OK"),
        ("GET foo", unserved),
        ("MGET foo bar", unserved),
        ("MGET bar foo", CROSS_SLOT),
    ]);
}

#[test]
fn redirects_name_what_is_preferred() {
    let members = pair();
    let port = members[1].port();
    let mut client = members[0].connect();
    let moved = |endpoint: &str| format!("(error) MOVED {SLOT} {endpoint}:{port}");
    client.expect(&[
        ("CONFIG SET cluster-preferred-endpoint-type hostname", "OK"),
        ("GET foo", &moved("?")),
        ("CONFIG SET cluster-preferred-endpoint-type unknown-endpoint", "OK"),
        ("GET foo", &moved("")),
    ]);
    members[1].connect().expect(&[("CONFIG SET cluster-announce-hostname two.example", "OK")]);
    client.expect(&[("CONFIG SET cluster-preferred-endpoint-type hostname", "OK")]);
    wait_until("the host name arrives", || client.ask("GET foo") == moved("two.example"));
}
