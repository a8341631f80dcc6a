//! Commands that wait for keys, over sockets: who is served when and in which order, what ends a
//! wait, and what is counted of it.

mod common;

use std::time::{Duration, Instant};

use common::cluster::start_cluster;
use common::values::{assert_reply, debug_node as node, until_blocked, waiter};
use common::{Client, wait_until};

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

/// A number that INFO shows.
#[track_caller]
fn info(client: &mut Client, field: &str) -> u64 {
    let text = client.run("INFO everything").text();
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("INFO has {field}")).parse().expect("a number")
}

fn send(client: &mut Client, line: &str) {
    client.send(&line.split(' ').collect::<Vec<_>>());
}

#[test]
fn what_is_there_is_taken_at_once() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH a 1 2 3 4 5 6", "(integer) 6"),
        ("BLPOP none a 0", r#"["a", "1"]"#),
        ("BRPOP none a 0.5", r#"["a", "6"]"#),
        ("BLMOVE a b LEFT RIGHT 0", "\"2\""),
        ("BRPOPLPUSH a b 0", "\"5\""),
        ("LRANGE b 0 -1", r#"["5", "2"]"#),
        ("BLMPOP 0 2 none a RIGHT COUNT 9", r#"["a", ["4", "3"]]"#),
        ("BLMPOP 0 1 b LEFT", r#"["b", ["5"]]"#),
        ("EXISTS a", "(integer) 0"),
    ]);
}

#[test]
fn arguments_are_refused_in_redis_words() {
    let node = node();
    let mut client = node.connect();
    client.run("SET s v");
    let float = "(error) ERR timeout is not a float or out of range";
    client.expect(&[
        ("BLPOP k", "(error) ERR wrong number of arguments for 'blpop' command"),
        ("BLPOP k x", float),
        ("BLPOP k nan", float),
        ("BRPOP k -1", "(error) ERR timeout is negative"),
        ("BLPOP k 0x7FFFFFFFFFFFFFFF", "(error) ERR timeout is out of range"),
        ("BRPOPLPUSH k l foo", float),
        ("BLMOVE k l LEFT UP 0", "(error) ERR syntax error"),
        ("BLMOVE k l UP LEFT x", "(error) ERR syntax error"),
        ("BLMOVE k l LEFT LEFT x", float),
        ("BLMPOP x 1 k LEFT", float),
        ("BLMPOP x 0 k LEFT", "(error) ERR numkeys should be greater than 0"),
        ("BLMPOP 0 2 k LEFT", "(error) ERR syntax error"),
        ("BLMPOP 0 1 k LEFT COUNT 0", "(error) ERR count should be greater than 0"),
        ("BLMPOP 0 1 k LEFT COUNT", "(error) ERR syntax error"),
        ("BLPOP k s 0", WRONG_TYPE),
        ("BLMOVE s l LEFT LEFT 0", WRONG_TYPE),
        ("BLMPOP 0 2 k s LEFT", WRONG_TYPE),
    ]);
    assert_eq!(info(&mut client, "blocked_clients"), 0);
}

#[test]
fn clients_are_served_in_the_order_in_which_they_came() {
    let node = node();
    let mut control = node.connect();
    let mut first = waiter(&node, &mut control, 1, "BLPOP k l 0");
    let mut second = waiter(&node, &mut control, 2, "BRPOP l k k 0");
    let mut third = waiter(&node, &mut control, 3, "BLMPOP 0 1 k LEFT COUNT 5");
    assert_eq!(info(&mut control, "total_blocking_keys"), 2);
    control.expect(&[("RPUSH k a b c d", "(integer) 4"), ("EXISTS k", "(integer) 0")]);
    assert_reply(&mut first, r#"["k", "a"]"#);
    assert_reply(&mut second, r#"["k", "d"]"#);
    assert_reply(&mut third, r#"["k", ["b", "c"]]"#);
    assert_eq!(info(&mut control, "total_blocking_keys"), 0);
}

#[test]
fn one_push_serves_as_many_as_it_has_elements() {
    let node = node();
    let mut control = node.connect();
    let mut waiters: Vec<_> =
        (1..=4).map(|nth| waiter(&node, &mut control, nth, "BLPOP k 0")).collect();
    control.expect(&[("RPUSH k a b", "(integer) 2"), ("LLEN k", "(integer) 0")]);
    assert_reply(&mut waiters[0], r#"["k", "a"]"#);
    assert_reply(&mut waiters[1], r#"["k", "b"]"#);
    assert_eq!(info(&mut control, "blocked_clients"), 2);
    // Who waits again is behind those who have waited all the time.
    send(&mut waiters[0], "BLPOP k 0");
    until_blocked(&mut control, 3);
    control.expect(&[("RPUSH k c d e f", "(integer) 4"), ("LLEN k", "(integer) 1")]);
    assert_reply(&mut waiters[2], r#"["k", "c"]"#);
    assert_reply(&mut waiters[3], r#"["k", "d"]"#);
    assert_reply(&mut waiters[0], r#"["k", "e"]"#);
}

#[test]
fn a_transaction_is_served_as_a_whole() {
    let node = node();
    let mut control = node.connect();
    let mut waiter = waiter(&node, &mut control, 1, "BLPOP k l 0");
    // What is gone at the end was never there.
    control.expect(&[
        ("MULTI", "OK"),
        ("LPUSH k a", "QUEUED"),
        ("DEL k", "QUEUED"),
        ("EXEC", "[(integer) 1, (integer) 1]"),
    ]);
    assert_eq!(info(&mut control, "blocked_clients"), 1);
    control.expect(&[
        ("MULTI", "OK"),
        ("RPUSH l x", "QUEUED"),
        ("RPUSH k a", "QUEUED"),
        ("LPUSH k b", "QUEUED"),
        ("LLEN k", "QUEUED"),
        ("EXEC", "[(integer) 1, (integer) 1, (integer) 2, (integer) 2]"),
    ]);
    // It is run again from its beginning: its first key comes first, not the one that woke it.
    assert_reply(&mut waiter, r#"["k", "b"]"#);
    control.expect(&[("LLEN k", "(integer) 1"), ("LLEN l", "(integer) 1")]);
}

#[test]
fn nobody_waits_within_a_transaction() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("MULTI", "OK"),
        ("BLPOP k 0", "QUEUED"),
        ("BRPOP k 0", "QUEUED"),
        ("BLMOVE k l LEFT LEFT 0", "QUEUED"),
        ("BRPOPLPUSH k l 0", "QUEUED"),
        ("BLMPOP 0 1 k LEFT", "QUEUED"),
        ("LPUSH k a", "QUEUED"),
        ("BLPOP k 0", "QUEUED"),
        (
            "EXEC",
            "[(nil array), (nil array), (nil), (nil), (nil array), (integer) 1, [\"k\", \"a\"]]",
        ),
    ]);
}

#[test]
fn moves_wake_one_another() {
    let node = node();
    let mut control = node.connect();
    let mut last = waiter(&node, &mut control, 1, "BLPOP c 0");
    let mut second = waiter(&node, &mut control, 2, "BLMOVE b c LEFT RIGHT 0");
    let mut first = waiter(&node, &mut control, 3, "BRPOPLPUSH a b 0");
    control.expect(&[("RPUSH a x", "(integer) 1"), ("EXISTS a b c", "(integer) 0")]);
    assert_reply(&mut first, "\"x\"");
    assert_reply(&mut second, "\"x\"");
    assert_reply(&mut last, r#"["c", "x"]"#);
    // A circle ends when nobody waits any more.
    let mut there = waiter(&node, &mut control, 1, "BLMOVE a b LEFT LEFT 0");
    let mut back = waiter(&node, &mut control, 2, "BLMOVE b a LEFT LEFT 0");
    control.expect(&[("RPUSH a x", "(integer) 1"), ("LRANGE a 0 -1", r#"["x"]"#)]);
    assert_reply(&mut there, "\"x\"");
    assert_reply(&mut back, "\"x\"");
}

#[test]
fn a_move_to_a_key_of_another_type_fails_and_leaves_the_rest_to_others() {
    let node = node();
    let mut control = node.connect();
    control.run("SADD set x");
    let mut fails = waiter(&node, &mut control, 1, "BLMOVE a set LEFT LEFT 0");
    let mut gets = waiter(&node, &mut control, 2, "BLPOP a 0");
    control.expect(&[("RPUSH a x", "(integer) 1")]);
    assert_reply(&mut fails, WRONG_TYPE);
    assert_reply(&mut gets, r#"["a", "x"]"#);
    let stats = control.run("INFO commandstats").text();
    assert!(stats.contains("cmdstat_blmove:calls=1,"), "{stats}");
    let line = stats.lines().find(|line| line.starts_with("cmdstat_blmove")).expect("a line");
    assert!(line.ends_with("rejected_calls=0,failed_calls=1"), "{line}");
}

#[test]
fn every_way_for_a_list_to_appear_wakes() {
    let node = node();
    let mut control = node.connect();
    control.expect(&[("RPUSH src 2 1", "(integer) 2"), ("SELECT 1", "OK")]);
    control.expect(&[("RPUSH k 9", "(integer) 1"), ("SELECT 0", "OK")]);
    let dump = control.call(&["DUMP", "src"]).clone();
    let common::Reply::Bulk(dump) = dump else { panic!("no dump") };
    let head = r#"["k", "2"]"#;
    for how in ["COPY src k", "RESTORE", "RENAME tmp k", "SWAPDB 0 1", "MOVE k 0"] {
        control.run("COPY src tmp REPLACE");
        let mut waiter = waiter(&node, &mut control, 1, "BLPOP k 0");
        match how {
            "RESTORE" => {
                control.call(&[&b"RESTORE"[..], b"k", b"0", &dump]);
                assert_reply(&mut waiter, head);
            }
            "SWAPDB 0 1" => {
                control.run(how);
                assert_reply(&mut waiter, r#"["k", "9"]"#);
                control.expect(&[("SWAPDB 0 1", "OK")]);
            }
            "MOVE k 0" => {
                control.expect(&[("SELECT 1", "OK"), ("RPUSH k 9", "(integer) 1")]);
                control.expect(&[("MOVE k 0", "(integer) 1"), ("SELECT 0", "OK")]);
                assert_reply(&mut waiter, r#"["k", "9"]"#);
            }
            _ => {
                control.run(how);
                assert_reply(&mut waiter, head);
            }
        }
        control.run("DEL k");
    }
}

#[test]
fn keys_of_other_types_and_databases_wake_nobody() {
    let node = node();
    let mut control = node.connect();
    let mut waiter = waiter(&node, &mut control, 1, "BLPOP k 0");
    control.expect(&[
        ("SET k v", "OK"),
        ("DEL k", "(integer) 1"),
        ("SADD k v", "(integer) 1"),
        ("DEL k", "(integer) 1"),
        ("SELECT 1", "OK"),
        ("RPUSH k other", "(integer) 1"),
        ("SELECT 0", "OK"),
        ("FLUSHDB", "OK"),
    ]);
    assert_eq!(info(&mut control, "blocked_clients"), 1);
    control.expect(&[("RPUSH k v", "(integer) 1")]);
    assert_reply(&mut waiter, r#"["k", "v"]"#);
}

#[test]
fn timeouts_end_in_their_millisecond() {
    let node = node();
    let mut client = node.connect();
    let mut resp3 = node.connect_resp3();
    for (line, ms) in [
        ("BLPOP k 0.01", 10),
        ("BRPOP k l 0.13", 130),
        ("BLMPOP 0.001 1 k LEFT", 1),
        ("BLMOVE k l LEFT LEFT 0.0001", 1),
        ("BRPOPLPUSH k l 0.05", 50),
    ] {
        let started = Instant::now();
        assert_eq!(client.ask(line), "(nil array)", "{line}");
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(ms), "{line}: {took:?}");
        // Far less than the cron's period, after which any other event would wake the loop.
        assert_eq!(resp3.ask(line), "(nil)", "{line}");
    }
    assert_eq!(info(&mut client, "clients_in_timeout_table"), 0);
    let stats = client.run("INFO commandstats").text();
    assert!(stats.contains("cmdstat_blpop:calls=2,"), "{stats}");
}

#[test]
fn the_loop_wakes_for_a_timeout_before_the_cron() {
    let node = node();
    let mut client = node.connect();
    client.run("CONFIG SET hz 1 dynamic-hz no");
    let mut took = || {
        let started = Instant::now();
        client.run("BLPOP k 0.02");
        started.elapsed()
    };
    // Each wait that ended with a cron would be followed by one of a whole second.
    took();
    let fastest = (0..3).map(|_| took()).min().expect("there are three");
    assert!(fastest < Duration::from_millis(500), "{fastest:?}");
}

#[test]
fn unblock_ends_a_wait_like_its_timeout_or_with_an_error() {
    let node = node();
    let mut control = node.connect();
    for (reason, expected) in [
        ("", "(nil array)"),
        (" TIMEOUT", "(nil array)"),
        (" error", "(error) UNBLOCKED client unblocked via CLIENT UNBLOCK"),
    ] {
        let mut client = node.connect();
        let id = client.run("CLIENT ID").int();
        send(&mut client, "BLPOP k 0");
        until_blocked(&mut control, 1);
        let line = format!("CLIENT UNBLOCK {id}{reason}");
        assert_eq!(control.ask(&line), "(integer) 1");
        assert_reply(&mut client, expected);
        assert_eq!(control.ask(&line), "(integer) 0");
        client.expect(&[("PING", "PONG")]);
    }
    control.expect(&[
        ("CLIENT UNBLOCK 99999", "(integer) 0"),
        ("CLIENT UNBLOCK x", "(error) ERR value is not an integer or out of range"),
        ("CLIENT UNBLOCK 1 why", "(error) ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR"),
        ("RPUSH k a", "(integer) 1"),
        ("LLEN k", "(integer) 1"),
    ]);
    // Within a transaction it is at once, so that what follows it is nobody's.
    control.run("DEL k");
    let mut client = node.connect();
    let id = client.run("CLIENT ID").int();
    send(&mut client, "BLPOP k 0");
    until_blocked(&mut control, 1);
    control.expect(&[
        ("MULTI", "OK"),
        (&format!("CLIENT UNBLOCK {id}"), "QUEUED"),
        ("RPUSH k a", "QUEUED"),
        ("EXEC", "[(integer) 1, (integer) 1]"),
        ("LLEN k", "(integer) 1"),
    ]);
    assert_reply(&mut client, "(nil array)");
}

#[test]
fn what_is_asked_meanwhile_is_answered_afterwards() {
    let node = node();
    let mut control = node.connect();
    let mut client = node.connect();
    // Some of it in the same packet, some later.
    client.send_raw(b"SET s 1\r\nBLPOP k 0\r\nINCR s\r\nBLPOP l 0\r\nINCR s\r\n");
    until_blocked(&mut control, 1);
    client.send_raw(b"INCR s\r\n");
    control.expect(&[("GET s", "\"1\""), ("RPUSH k a", "(integer) 1")]);
    wait_until("it goes on", || control.ask("GET s") == "\"2\"");
    until_blocked(&mut control, 1);
    control.expect(&[("RPUSH l b", "(integer) 1")]);
    for expected in
        ["OK", r#"["k", "a"]"#, "(integer) 2", r#"["l", "b"]"#, "(integer) 3", "(integer) 4"]
    {
        assert_reply(&mut client, expected);
    }
}

#[test]
fn who_hangs_up_waits_no_longer() {
    let node = node();
    let mut control = node.connect();
    drop(waiter(&node, &mut control, 1, "BLPOP k 0"));
    until_blocked(&mut control, 0);
    // Together with its command.
    let mut client = node.connect();
    send(&mut client, "BLPOP k 0");
    drop(client);
    wait_until("it is gone", || info(&mut control, "connected_clients") == 1);
    let mut killed = waiter(&node, &mut control, 1, "BLPOP k 5");
    control.run("CLIENT KILL TYPE normal");
    assert!(killed.is_closed());
    until_blocked(&mut control, 0);
    assert_eq!(info(&mut control, "total_blocking_keys"), 0);
    assert_eq!(info(&mut control, "clients_in_timeout_table"), 0);
    control.expect(&[("RPUSH k a", "(integer) 1"), ("LLEN k", "(integer) 1")]);
}

#[test]
fn a_pause_holds_back_what_it_has_woken() {
    let node = node();
    let mut control = node.connect();
    let mut client = waiter(&node, &mut control, 1, "BLPOP k 0");
    let mut patient = waiter(&node, &mut control, 2, "BLPOP k 0.01");
    assert_reply(&mut patient, "(nil array)");
    control.expect(&[
        ("MULTI", "OK"),
        ("RPUSH k a", "QUEUED"),
        ("CLIENT PAUSE 100000 WRITE", "QUEUED"),
        ("EXEC", "[(integer) 1, OK]"),
        ("LLEN k", "(integer) 1"),
    ]);
    until_blocked(&mut control, 1);
    control.expect(&[("CLIENT UNPAUSE", "OK"), ("LLEN k", "(integer) 0")]);
    assert_reply(&mut client, r#"["k", "a"]"#);
    client.expect(&[("PING", "PONG")]);
}

#[test]
fn a_command_that_waited_is_shown_and_counted_once() {
    let node = node();
    let mut control = node.connect();
    control.run("CONFIG SET slowlog-log-slower-than 0");
    let mut monitor = node.connect();
    monitor.expect(&[("MONITOR", "OK")]);
    let mut client = waiter(&node, &mut control, 1, "BLPOP k 0");
    let list = control.run("CLIENT LIST").text();
    let line = list.lines().find(|line| line.contains("cmd=blpop")).expect("it is listed");
    assert!(line.contains(" flags=b "), "{line}");
    control.run("RPUSH k a");
    client.read();
    let stats = control.run("INFO commandstats").text();
    assert!(stats.contains("cmdstat_blpop:calls=1,"), "{stats}");
    let slow = control.run("SLOWLOG GET -1").to_string();
    assert_eq!(slow.matches("BLPOP").count(), 1, "{slow}");
    control.run("ECHO end");
    let mut shown = Vec::new();
    while !shown.last().is_some_and(|line: &String| line.contains("end")) {
        shown.push(monitor.read().text());
    }
    assert_eq!(shown.iter().filter(|line| line.contains("BLPOP")).count(), 1, "{shown:?}");
}

#[test]
fn a_reply_that_is_to_be_skipped_is_that_of_the_command_that_waited() {
    let node = node();
    let mut control = node.connect();
    let mut client = node.connect();
    client.send_raw(b"CLIENT REPLY SKIP\r\nBLPOP k 0\r\nPING\r\n");
    until_blocked(&mut control, 1);
    control.run("RPUSH k a");
    assert_reply(&mut client, "PONG");
}

#[test]
fn the_node_never_gives_an_element_to_nobody() {
    let node = node();
    let mut control = node.connect();
    let mut first = waiter(&node, &mut control, 1, "BLPOP k 0");
    let mut second = waiter(&node, &mut control, 2, "BLPOP k 0");
    let id = first_waiting(&mut control);
    control.expect(&[
        ("MULTI", "OK"),
        (&format!("CLIENT KILL ID {id}"), "QUEUED"),
        ("RPUSH k a", "QUEUED"),
        ("EXEC", "[(integer) 1, (integer) 1]"),
    ]);
    assert!(first.is_closed());
    assert_reply(&mut second, r#"["k", "a"]"#);
}

/// The smallest id of a client that waits.
#[track_caller]
fn first_waiting(control: &mut Client) -> u64 {
    let list = control.run("CLIENT LIST").text();
    let waits = list.lines().filter(|line| line.contains("cmd=blpop"));
    let ids = waits.filter_map(|line| line.strip_prefix("id=")?.split(' ').next()?.parse().ok());
    ids.min().expect("somebody waits")
}

#[test]
fn many_clients_at_one_key_are_served_in_order() {
    const CLIENTS: usize = 400;
    let node = node();
    let mut control = node.connect();
    let mut waiters: Vec<Client> = Vec::new();
    for _ in 0..CLIENTS {
        let mut client = node.connect();
        send(&mut client, "BLPOP k other k 0");
        waiters.push(client);
        // The node reads new connections in any order.
        if waiters.len().is_multiple_of(20) {
            until_blocked(&mut control, waiters.len() as u64);
        }
    }
    let mut served = Vec::new();
    for n in 0..CLIENTS {
        control.run(&format!("RPUSH k {n}"));
    }
    for client in &mut waiters {
        served.push(client.read().texts()[1].parse::<usize>().expect("a number"));
    }
    // In groups of those that came together.
    for (group, numbers) in served.chunks(20).enumerate() {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        assert_eq!(numbers, (group * 20..group * 20 + 20).collect::<Vec<_>>());
    }
    assert_eq!(info(&mut control, "total_blocking_keys"), 0);
}

#[test]
fn who_waits_for_a_slot_that_moves_away_is_sent_there() {
    let members = start_cluster(2, &[]);
    let (mut control, mut waiter) = (members[1].connect(), members[1].connect());
    // The slot of `foo` is the second node's.
    send(&mut waiter, "BLPOP foo 0");
    until_blocked(&mut control, 1);
    control.expect(&[(&format!("CLUSTER SETSLOT 12182 NODE {}", members[0].id()), "OK")]);
    let moved = format!("(error) MOVED 12182 127.0.0.1:{}", members[0].port());
    assert_reply(&mut waiter, &moved);
    until_blocked(&mut control, 0);
    let stats = control.run("INFO commandstats").text();
    let line = stats.lines().find(|line| line.starts_with("cmdstat_blpop")).expect("a line");
    assert!(line.contains("calls=1,") && line.ends_with("failed_calls=1"), "{line}");
}

#[test]
fn who_waits_for_a_slot_that_is_on_its_way_waits_on_until_the_cluster_is_down() {
    let members = start_cluster(2, &[]);
    let (mut source, mut target) = (members[1].connect(), members[0].connect());
    let (mut stays, mut asks) = (members[1].connect(), members[0].connect());
    send(&mut stays, "BLPOP foo 0");
    until_blocked(&mut source, 1);
    source.expect(&[(&format!("CLUSTER SETSLOT 12182 MIGRATING {}", members[0].id()), "OK")]);
    target.expect(&[(&format!("CLUSTER SETSLOT 12182 IMPORTING {}", members[1].id()), "OK")]);
    asks.expect(&[("ASKING", "OK")]);
    send(&mut asks, "BLPOP foo 0");
    until_blocked(&mut target, 1);
    // Once who came later has been looked at, who came first was, too.
    let mut leaves = members[1].connect();
    send(&mut leaves, "BLPOP a 0");
    until_blocked(&mut source, 2);
    source.expect(&[(&format!("CLUSTER SETSLOT 15495 NODE {}", members[0].id()), "OK")]);
    assert!(leaves.read().error().starts_with("MOVED 15495 "));
    until_blocked(&mut source, 1);
    target.expect(&[("ASKING", "OK"), ("RPUSH foo a", "(integer) 1")]);
    assert_reply(&mut asks, r#"["foo", "a"]"#);
    source.expect(&[("CLUSTER DELSLOTS 12182", "OK")]);
    assert_reply(&mut stays, "(error) CLUSTERDOWN The cluster is down");
    until_blocked(&mut source, 0);
}
