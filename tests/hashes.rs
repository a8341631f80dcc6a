//! Hashes over a socket: replies as a client sees them in both protocols, encodings, events, and
//! payloads of Redis.

mod common;

use std::collections::BTreeSet;

use common::values::{
    Payload, changes, check_draws, check_payloads, check_watched, debug_node, payloads, scan_all,
};
use common::{Client, Node};

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

/// What Redis 7.2.6 makes of payloads: a name, the encoding, the digest, the payload in hex.
const PAYLOADS: &str = include_str!("data/dump-hashes-7.2.tsv");

/// `field:0` to the last with their values, as arguments of HSET.
fn fill(client: &mut Client, key: &str, fields: usize) {
    let mut args = vec!["HSET".to_string(), key.to_string()];
    args.extend((0..fields).flat_map(|n| [format!("field:{n}"), format!("value:{n}")]));
    assert_eq!(client.call(&args).int(), fields as i64);
}

#[test]
fn fields_are_set_read_and_deleted() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("HSET h a 1 b 2 a 3", "(integer) 2"),
        ("HSET h a 4 c 5", "(integer) 1"),
        ("HGET h a", "\"4\""),
        ("HGET h none", "(nil)"),
        ("HGET none a", "(nil)"),
        ("HMSET h d x", "OK"),
        ("HSETNX h d y", "(integer) 0"),
        ("HSETNX h e y", "(integer) 1"),
        ("HSETNX new e y", "(integer) 1"),
        ("HMGET h a none d", "[\"4\", (nil), \"x\"]"),
        ("HMGET none a b", "[(nil), (nil)]"),
        ("HLEN h", "(integer) 5"),
        ("HLEN none", "(integer) 0"),
        ("HEXISTS h a", "(integer) 1"),
        ("HEXISTS h none", "(integer) 0"),
        ("HEXISTS none a", "(integer) 0"),
        ("HSTRLEN h a", "(integer) 1"),
        ("HSTRLEN h none", "(integer) 0"),
        ("HKEYS h", "[\"a\", \"b\", \"c\", \"d\", \"e\"]"),
        ("HVALS h", "[\"4\", \"2\", \"5\", \"x\", \"y\"]"),
        ("HKEYS none", "[]"),
        ("HDEL h none", "(integer) 0"),
        ("HDEL none a", "(integer) 0"),
        ("HDEL h a b a", "(integer) 2"),
        ("HGETALL h", "[\"c\", \"5\", \"d\", \"x\", \"e\", \"y\"]"),
        ("TYPE h", "hash"),
        ("HDEL h c d e f", "(integer) 3"),
        ("EXISTS h", "(integer) 0"),
    ]);
}

#[test]
fn errors_are_those_of_redis() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET s v");
    for command in [
        "HSET s f v",
        "HMSET s f v",
        "HSETNX s f v",
        "HGET s f",
        "HMGET s f",
        "HDEL s f",
        "HLEN s",
        "HSTRLEN s f",
        "HEXISTS s f",
        "HKEYS s",
        "HVALS s",
        "HGETALL s",
        "HINCRBY s f 1",
        "HINCRBYFLOAT s f 1",
        "HSCAN s 0",
        "HRANDFIELD s",
        "HRANDFIELD s 1",
    ] {
        assert_eq!(client.ask(command), WRONG_TYPE, "{command}");
    }
    client.run("HSET h text x number 9223372036854775806");
    let integer = "(error) ERR value is not an integer or out of range";
    let range = "(error) ERR value is out of range";
    client.expect(&[
        ("GET h", WRONG_TYPE),
        ("HSET h f", "(error) ERR wrong number of arguments for 'hset' command"),
        ("HSET h f v g", "(error) ERR wrong number of arguments for 'hset' command"),
        ("HMSET h f v g", "(error) ERR wrong number of arguments for 'hmset' command"),
        ("HINCRBY h text 1", "(error) ERR hash value is not an integer"),
        ("HINCRBY h number x", integer),
        ("HINCRBY h number 1", "(integer) 9223372036854775807"),
        ("HINCRBY h number 1", "(error) ERR increment or decrement would overflow"),
        ("HINCRBYFLOAT h text 1", "(error) ERR hash value is not a float"),
        ("HINCRBYFLOAT h number x", "(error) ERR value is not a valid float"),
        ("HINCRBYFLOAT h number inf", "(error) ERR value is NaN or Infinity"),
        ("HSCAN h x", "(error) ERR invalid cursor"),
        ("HSCAN h 0 COUNT 0", "(error) ERR syntax error"),
        ("HSCAN h 0 COUNT x", integer),
        ("HSCAN h 0 TYPE hash", "(error) ERR syntax error"),
        ("HSCAN none 0 WHAT", "[\"0\", []]"),
        ("HRANDFIELD h x", integer),
        ("HRANDFIELD h 1 what", "(error) ERR syntax error"),
        ("HRANDFIELD h 1 WITHVALUES x", "(error) ERR syntax error"),
        ("HRANDFIELD h -9223372036854770000 WITHVALUES", range),
        ("HRANDFIELD h -9223372036854775807", range),
        ("HLEN h", "(integer) 2"),
    ]);
}

#[test]
fn numbers_are_added_to() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("HINCRBY h n 5", "(integer) 5"),
        ("HINCRBY h n -7", "(integer) -2"),
        ("HINCRBYFLOAT h n 0.5", "\"-1.5\""),
        ("HINCRBYFLOAT h new 3.0e3", "\"3000\""),
        ("HINCRBY h new 1", "(integer) 3001"),
        ("HGETALL h", "[\"n\", \"-1.5\", \"new\", \"3001\"]"),
        ("OBJECT ENCODING h", "\"listpack\""),
    ]);
    let long = "f".repeat(65);
    client.expect(&[
        (&format!("HINCRBY h {long} 2"), "(integer) 2"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        (&format!("HINCRBYFLOAT h {long} 1.25"), "\"3.25\""),
    ]);
}

#[test]
fn encodings_follow_the_configuration() {
    let node = debug_node();
    let mut client = node.connect();
    fill(&mut client, "h", 512);
    client.expect(&[
        ("OBJECT ENCODING h", "\"listpack\""),
        ("COPY h same", "(integer) 1"),
        ("HSET h field:0 changed", "(integer) 0"),
        ("OBJECT ENCODING h", "\"listpack\""),
        ("HSET h one-more v", "(integer) 1"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        ("HDEL h one-more", "(integer) 1"),
        ("OBJECT ENCODING h", "\"hashtable\""),
        ("HSET h field:0 value:0", "(integer) 0"),
    ]);
    let digests = client.run("DEBUG DIGEST-VALUE h same");
    assert_eq!(digests.texts()[0], digests.texts()[1]);
    client.expect(&[
        ("CONFIG SET hash-max-listpack-entries 1 hash-max-listpack-value 3", "OK"),
        ("HSET small a 1", "(integer) 1"),
        ("OBJECT ENCODING small", "\"listpack\""),
        ("HSET small a four", "(integer) 0"),
        ("OBJECT ENCODING small", "\"hashtable\""),
        ("HSET many a 1 a 2", "(integer) 1"),
        ("OBJECT ENCODING many", "\"hashtable\""),
        ("COPY same copied", "(integer) 1"),
        ("OBJECT ENCODING copied", "\"listpack\""),
    ]);
    assert!(client.ask("DEBUG HTSTATS-KEY h").contains("number of elements: 512"));
    let error = "The value stored at the specified key is not represented using an hash table";
    assert_eq!(client.ask("DEBUG HTSTATS-KEY same"), format!("(error) ERR {error}"));
}

#[test]
fn replies_differ_by_protocol() {
    let node = Node::start();
    let (mut old, mut new) = (node.connect(), node.connect_resp3());
    old.run("HSET h f 1");
    for (command, resp2, resp3) in [
        ("HGETALL h", "*2\r\n$1\r\nf\r\n$1\r\n1\r\n", "%1\r\n$1\r\nf\r\n$1\r\n1\r\n"),
        ("HGETALL none", "*0\r\n", "%0\r\n"),
        ("HKEYS none", "*0\r\n", "*0\r\n"),
        ("HGET h x", "$-1\r\n", "_\r\n"),
        ("HRANDFIELD none", "$-1\r\n", "_\r\n"),
        ("HRANDFIELD none 1", "*0\r\n", "*0\r\n"),
        ("HRANDFIELD h 0", "*0\r\n", "*0\r\n"),
        (
            "HRANDFIELD h 5 WITHVALUES",
            "*2\r\n$1\r\nf\r\n$1\r\n1\r\n",
            "*1\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n",
        ),
        (
            "HRANDFIELD h -2 withvalues",
            "*4\r\n$1\r\nf\r\n$1\r\n1\r\n$1\r\nf\r\n$1\r\n1\r\n",
            "*2\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n*2\r\n$1\r\nf\r\n$1\r\n1\r\n",
        ),
    ] {
        assert_eq!(old.run_raw(command), resp2, "{command}");
        assert_eq!(new.run_raw(command), resp3, "{command}");
    }
}

#[test]
fn scans_and_draws_come_from_the_whole_hash() {
    let node = Node::start();
    let mut client = node.connect();
    for fields in [100, 2000] {
        client.run("DEL h");
        fill(&mut client, "h", fields);
        let (found, _) = scan_all(&mut client, "HSCAN h", " COUNT 50");
        let pairs = found.chunks(2).inspect(|pair| {
            assert_eq!(pair[0].replace("field", "value"), pair[1]);
        });
        let seen: BTreeSet<_> = pairs.map(|pair| pair[0].clone()).collect();
        assert_eq!(seen.len(), fields);
        assert_eq!(client.run("HSCAN h 0 MATCH none* COUNT 100000").items()[1].items().len(), 0);
        check_draws(&mut client, "HRANDFIELD h", &seen);
    }
}

#[test]
fn changes_are_counted_and_break_transactions() {
    let node = Node::start();
    let commands = [("HSETNX h f 2", false), ("HSET h f 1", true), ("HDEL h f", true)];
    check_watched(&node, "h", "HSET h f 1", &commands);
    let mut other = node.connect();
    other.expect(&[("DEL h", "(integer) 0"), ("HSET h a 1 b 2", "(integer) 2")]);
    let before = changes(&mut other);
    other.run("HSET h a 1 b 2 c 3");
    other.run("HSETNX h a 1");
    other.run("HINCRBY h a 1");
    other.run("HDEL h a b x");
    assert_eq!(changes(&mut other), before + 6);
}

#[test]
fn payloads_of_redis_are_restored() {
    check_payloads(PAYLOADS, |payload, ours| {
        if payload.name == "listpack" {
            assert_eq!(ours[..ours.len() - 10], payload.bytes[..payload.bytes.len() - 10]);
        }
    });
    let node = debug_node();
    let mut client = node.connect();
    client.run("CONFIG SET hash-max-listpack-entries 1");
    for Payload { name, digest, bytes, .. } in payloads(PAYLOADS) {
        client.call(&[b"RESTORE", &b"h"[..], b"0", &bytes, b"REPLACE"]);
        assert_eq!(client.ask("OBJECT ENCODING h"), "\"hashtable\"", "{name}");
        assert_eq!(client.run("DEBUG DIGEST-VALUE h").texts(), [digest], "{name}");
    }
}

#[test]
fn big_hashes_are_freed_by_the_helper() {
    let node = Node::start();
    let mut client = node.connect();
    for round in 0..10 {
        let mut args = vec!["HSET".to_string(), "h".to_string()];
        args.extend((0..5000).flat_map(|n| [format!("{round}:{n}"), "v".repeat(20)]));
        client.call(&args);
    }
    let usage = client.run("MEMORY USAGE h").int();
    assert!((2_000_000..3_500_000).contains(&usage), "{usage}");
    client.expect(&[("UNLINK h", "(integer) 1"), ("HLEN h", "(integer) 0")]);
    common::wait_until("the hash is freed", || {
        let info = client.run("INFO memory").text();
        info.contains("lazyfree_pending_objects:0") && info.contains("lazyfreed_objects:1")
    });
}
