//! Keys of any type over a socket: expiry, renaming, copying, scanning, OBJECT.

mod common;

use std::collections::BTreeSet;

use common::{Client, Node, Reply, values, wait_until};
use redis_rust::Config;
use redis_rust::config::MaxmemoryPolicy;

#[test]
fn deleting_and_asking() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("MSET a 1 b 2 c 3", "OK"),
        ("EXISTS a b a none", "(integer) 3"),
        ("TOUCH a none c", "(integer) 2"),
        ("TYPE a", "string"),
        ("TYPE none", "none"),
        ("DEL a a none", "(integer) 1"),
        ("UNLINK b c", "(integer) 2"),
        ("RANDOMKEY", "(nil)"),
        ("SET only 1", "OK"),
        ("RANDOMKEY", "\"only\""),
    ]);
}

#[test]
fn expiry_and_its_conditions() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("EXPIRE none 100", "(integer) 0"),
        ("SET k v", "OK"),
        ("EXPIRE k 100 XX", "(integer) 0"),
        ("EXPIRE k 100 GT", "(integer) 0"),
        ("EXPIRE k 100 LT", "(integer) 1"),
        ("EXPIRE k 200 NX", "(integer) 0"),
        ("EXPIRE k 50 GT", "(integer) 0"),
        ("EXPIRE k 200 xx gt", "(integer) 1"),
        ("EXPIRE k 300 LT", "(integer) 0"),
        ("TTL k", "(integer) 200"),
        ("PEXPIRE k 90000", "(integer) 1"),
        ("TTL k", "(integer) 90"),
        ("EXPIREAT k 33177117420", "(integer) 1"),
        ("PEXPIRETIME k", "(integer) 33177117420000"),
        ("PEXPIREAT k 33177117420499", "(integer) 1"),
        ("EXPIRETIME k", "(integer) 33177117420"),
        ("PERSIST k", "(integer) 1"),
        ("PERSIST k", "(integer) 0"),
        ("TTL k", "(integer) -1"),
        ("PTTL none", "(integer) -2"),
        ("EXPIRE k -1", "(integer) 1"),
        ("EXISTS k", "(integer) 0"),
    ]);
}

#[test]
fn expiry_errors_come_in_order() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET k v");
    client.expect(&[
        ("EXPIRE k x AB", "(error) ERR Unsupported option AB"),
        (
            "EXPIRE k x NX GT",
            "(error) ERR NX and XX, GT or LT options at the same time are not compatible",
        ),
        ("EXPIRE k x GT LT", "(error) ERR GT and LT options at the same time are not compatible"),
        ("EXPIRE k x", "(error) ERR value is not an integer or out of range"),
        ("EXPIRE k 9223372036854776", "(error) ERR invalid expire time in 'expire' command"),
        (
            "PEXPIRE none 9223372036854775807",
            "(error) ERR invalid expire time in 'pexpire' command",
        ),
        ("PEXPIREAT k 9223372036854775807", "(integer) 1"),
        ("PEXPIRETIME k", "(integer) 9223372036854775807"),
        ("EXPIRETIME k", "(integer) 9223372036854776"),
    ]);
}

#[test]
fn active_expiry_removes_what_nobody_asks_for() {
    let node = Node::start();
    let mut client = node.connect();
    for i in 0..50 {
        client.run(&format!("SET volatile:{i} x PX 1"));
    }
    client.run("SET stays x");
    wait_until("all expire", || client.run("KEYS *").texts() == ["stays"]);
    wait_until("RANDOMKEY finds the only key", || client.ask("RANDOMKEY") == "\"stays\"");
}

#[test]
fn renaming() {
    let node = Node::start();
    let mut client = node.connect();
    let missing = "(error) ERR no such key";
    client.expect(&[
        ("RENAME a b", missing),
        ("RENAMENX a a", missing),
        ("SET a 1 EX 100", "OK"),
        ("SET b old", "OK"),
        ("RENAME a a", "OK"),
        ("RENAMENX a a", "(integer) 0"),
        ("RENAMENX a b", "(integer) 0"),
        ("RENAME a b", "OK"),
        ("EXISTS a", "(integer) 0"),
        ("GET b", "\"1\""),
        ("TTL b", "(integer) 100"),
        ("RENAMENX b a", "(integer) 1"),
        ("OBJECT ENCODING a", "\"int\""),
    ]);
}

#[test]
fn moving_between_databases() {
    let node = Node::start();
    let mut client = node.connect();
    let range = "(error) ERR value is out of range, value must between -2147483648 and 2147483647";
    client.expect(&[
        ("MOVE a 1", "(integer) 0"),
        ("MOVE a 0", "(error) ERR source and destination objects are the same"),
        ("MOVE a 16", "(error) ERR DB index is out of range"),
        ("MOVE a -1", "(error) ERR DB index is out of range"),
        ("MOVE a 4294967296", range),
        ("MOVE a x", "(error) ERR value is not an integer or out of range"),
        ("SET a 1 EX 100", "OK"),
        ("MOVE a 1", "(integer) 1"),
        ("EXISTS a", "(integer) 0"),
        ("SET a 2", "OK"),
        ("MOVE a 1", "(integer) 0"),
        ("SELECT 1", "OK"),
        ("GET a", "\"1\""),
        ("TTL a", "(integer) 100"),
    ]);
}

#[test]
fn copying() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("COPY a b", "(integer) 0"),
        ("COPY a a", "(error) ERR source and destination objects are the same"),
        ("SET a 1 EX 100", "OK"),
        ("COPY a b", "(integer) 1"),
        ("TTL b", "(integer) 100"),
        ("SET b 2", "OK"),
        ("COPY a b", "(integer) 0"),
        ("COPY a b REPLACE", "(integer) 1"),
        ("MGET a b", "[\"1\", \"1\"]"),
        ("COPY a a DB 1", "(integer) 1"),
        ("COPY a b DB", "(error) ERR syntax error"),
        ("COPY a b DB 99", "(error) ERR DB index is out of range"),
        ("SELECT 1", "OK"),
        ("GET a", "\"1\""),
    ]);
}

#[test]
fn keys_match_patterns() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("MSET one 1 two 2 three 3 tw*o 4");
    for (pattern, expected) in [
        ("*", vec!["one", "three", "tw*o", "two"]),
        ("t*", vec!["three", "tw*o", "two"]),
        ("t?o", vec!["two"]),
        ("[a-o]*", vec!["one"]),
        ("tw\\*o", vec!["tw*o"]),
        ("none", vec![]),
    ] {
        let mut found = client.run(&format!("KEYS {pattern}")).texts();
        found.sort();
        assert_eq!(found, expected, "{pattern}");
    }
}

/// All keys that a scan returns, and the number of calls.
fn scan_all(client: &mut Client, options: &str) -> (BTreeSet<String>, usize) {
    let (found, calls) = values::scan_all(client, "SCAN", options);
    (found.into_iter().collect(), calls)
}

#[test]
fn scan_meets_all_keys_in_small_steps() {
    let node = Node::start();
    let mut client = node.connect();
    let all: BTreeSet<String> = (0..1000).map(|i| format!("key:{i}")).collect();
    for key in &all {
        client.run(&format!("SET {key} x"));
    }
    let (found, calls) = scan_all(&mut client, "");
    assert_eq!(found, all);
    assert!((30..=200).contains(&calls), "{calls} calls of about ten keys");
    let (found, calls) = scan_all(&mut client, " COUNT 10000");
    assert_eq!((found, calls), (all.clone(), 1));
    let (found, _) = scan_all(&mut client, " MATCH key:1?");
    assert_eq!(found.len(), 10);
    assert_eq!(scan_all(&mut client, " TYPE string COUNT 100").0, all);
    assert!(scan_all(&mut client, " TYPE list").0.is_empty());
    assert!(scan_all(&mut client, " TYPE nothing").0.is_empty());
}

#[test]
fn scan_removes_and_hides_expired_keys() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET stays x");
    client.run("SET goes x PX 1");
    wait_until("the key expires", || scan_all(&mut client, " TYPE string").0.len() == 1);
    assert_eq!(scan_all(&mut client, "").0.into_iter().collect::<Vec<_>>(), ["stays"]);
}

#[test]
fn scan_refuses_nonsense() {
    let node = Node::start();
    let mut client = node.connect();
    let cursor = "(error) ERR invalid cursor";
    let syntax = "(error) ERR syntax error";
    client.expect(&[
        ("SCAN x", cursor),
        ("SCAN 1x COUNT 0", cursor),
        ("SCAN 99999999999999999999", cursor),
        ("SCAN 0 COUNT 0", syntax),
        ("SCAN 0 COUNT", syntax),
        ("SCAN 0 COUNT x", "(error) ERR value is not an integer or out of range"),
        ("SCAN 0 WHAT", syntax),
        ("SCAN 18446744073709551615 COUNT 9223372036854775807", "[\"0\", []]"),
    ]);
}

#[test]
fn object_looks_at_values() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("OBJECT ENCODING none", "(nil)"),
        ("OBJECT FREQ none", "(nil)"),
        ("MSET small 9999 large 10000 text x", "OK"),
        ("OBJECT REFCOUNT small", "(integer) 2147483647"),
        ("OBJECT REFCOUNT large", "(integer) 1"),
        ("OBJECT REFCOUNT text", "(integer) 1"),
        ("OBJECT IDLETIME text", "(integer) 0"),
    ]);
    let freq = client.run("OBJECT FREQ text");
    assert!(freq.error().starts_with("ERR An LFU maxmemory policy is not selected"), "{freq}");
    let help = client.run("OBJECT HELP");
    assert_eq!(help.items().len(), 15);
    assert_eq!(help.items()[1], Reply::Simple("ENCODING <key>".into()));
}

#[test]
fn object_under_an_lfu_policy() {
    let config = Config {
        maxmemory: 1 << 30,
        maxmemory_policy: MaxmemoryPolicy::AllkeysLfu,
        ..Config::default()
    };
    let node = Node::with(config);
    let mut client = node.connect();
    client.run("SET k 1");
    assert_eq!(client.ask("OBJECT FREQ k"), "(integer) 5");
    assert_eq!(client.ask("OBJECT REFCOUNT k"), "(integer) 1");
    let idle = client.run("OBJECT IDLETIME k");
    assert!(idle.error().starts_with("ERR An LFU maxmemory policy is selected"), "{idle}");
    for _ in 0..100 {
        client.run("GET k");
    }
    assert!(client.run("OBJECT FREQ k").int() > 5);
}
