//! HyperLogLogs over a socket: replies, errors, both forms, what is kept in the string, and damaged
//! strings.

mod common;

use common::values::changes;
use common::{Client, Node, Reply};

const NOT_ONE: &str = "(error) WRONGTYPE Key is not a valid HyperLogLog string value.";
const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const CORRUPT: &str = "(error) INVALIDOBJ Corrupted HLL object detected";

fn bytes(client: &mut Client, key: &str) -> Vec<u8> {
    match client.call(&["GET", key]) {
        Reply::Bulk(bytes) => bytes,
        other => panic!("no string: {other:?}"),
    }
}

fn add(client: &mut Client, key: &str, elements: std::ops::Range<u32>) {
    let mut args = vec!["PFADD".to_string(), key.to_string()];
    args.extend(elements.map(|n| n.to_string()));
    assert!(!client.call(&args).is_error());
}

#[test]
fn adding_and_counting() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("PFCOUNT h", "(integer) 0"),
        ("PFADD h", "(integer) 1"),
        ("PFADD h", "(integer) 0"),
        ("PFCOUNT h", "(integer) 0"),
        ("PFADD h a b c d e f g", "(integer) 1"),
        ("PFADD h a b c d e f g", "(integer) 0"),
        ("PFCOUNT h", "(integer) 7"),
        ("OBJECT ENCODING h", "\"raw\""),
        ("PFDEBUG ENCODING h", "sparse"),
        (
            "PFDEBUG DECODE h",
            "\"Z:1646 v:1,1 Z:5645 v:1,1 Z:1085 v:2,1 z:57 v:1,1 Z:4274 v:2,1 Z:2445 v:1,1 Z:622 \
             v:1,1 Z:603\"",
        ),
        ("PEXPIRE h 100000", "(integer) 1"),
        ("PFADD h x", "(integer) 1"),
        ("PFDEBUG TODENSE h", "(integer) 1"),
        ("PFDEBUG TODENSE h", "(integer) 0"),
        ("PFDEBUG ENCODING h", "dense"),
        ("PFDEBUG DECODE h", "(error) ERR HLL encoding is not sparse"),
        ("PFCOUNT h", "(integer) 8"),
        ("STRLEN h", "(integer) 12304"),
        ("PFDEBUG NOSUCH h", "(error) ERR Unknown PFDEBUG subcommand 'NOSUCH'"),
        ("PFDEBUG ENCODING none", "(error) ERR The specified key does not exist"),
    ]);
    assert_ne!(client.ask("TTL h"), "(integer) -1");
    assert_eq!(client.run("PFDEBUG GETREG h").items().len(), 16384);
}

#[test]
fn growing_dense() {
    let node = Node::start();
    let mut client = node.connect();
    for (count, estimate) in [(100, 100), (1000, 1001), (10_000, 9987)] {
        add(&mut client, "h", 0..count);
        assert_eq!(client.run("PFCOUNT h").int(), estimate);
    }
    client.expect(&[("PFDEBUG ENCODING h", "dense"), ("PFDEBUG TODENSE h", "(integer) 0")]);
    client.expect(&[("CONFIG SET hll-sparse-max-bytes 40", "OK")]);
    add(&mut client, "small", 0..7);
    assert_eq!(client.ask("PFDEBUG ENCODING small"), "sparse");
    add(&mut client, "small", 7..30);
    assert_eq!(client.ask("PFDEBUG ENCODING small"), "dense");
}

#[test]
fn unions() {
    let node = Node::start();
    let mut client = node.connect();
    add(&mut client, "a", 0..100);
    add(&mut client, "b", 50..150);
    add(&mut client, "c", 0..3000);
    client.expect(&[
        ("PFCOUNT a b", "(integer) 151"),
        ("PFCOUNT a none a", "(integer) 100"),
        ("PFMERGE d a b none", "OK"),
        ("PFDEBUG ENCODING d", "sparse"),
        ("PFCOUNT d", "(integer) 151"),
        ("PFMERGE a b", "OK"),
        ("PFCOUNT a", "(integer) 151"),
        ("PFMERGE empty", "OK"),
        ("PFCOUNT empty", "(integer) 0"),
        ("PFDEBUG ENCODING c", "dense"),
        ("PFMERGE d c", "OK"),
        ("PFDEBUG ENCODING d", "dense"),
        ("PFSELFTEST", "OK"),
    ]);
    assert_eq!(client.run("PFCOUNT a c"), client.run("PFCOUNT d"));
    assert_eq!(client.run("PFCOUNT c d none"), client.run("PFCOUNT c"));
}

#[test]
fn estimates_are_kept_in_the_string() {
    let node = Node::start();
    let (mut client, mut other) = (node.connect(), node.connect());
    client.expect(&[("PFADD h a b c", "(integer) 1")]);
    assert_eq!(bytes(&mut client, "h")[8..16], [0, 0, 0, 0, 0, 0, 0, 0x80]);
    let before = changes(&mut client);
    client.expect(&[("WATCH h", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
    assert_eq!(other.ask("PFCOUNT h"), "(integer) 3");
    assert_eq!(client.ask("EXEC"), "(nil array)");
    assert_eq!(bytes(&mut client, "h")[8..16], [3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(changes(&mut client), before + 1);
    // What is kept is believed, and reading it changes nothing.
    let mut forged = bytes(&mut client, "h");
    forged[8] = 77;
    client.call(&[&b"SET"[..], b"h", &forged]);
    client.expect(&[("WATCH h", "OK"), ("MULTI", "OK"), ("PFADD h a", "QUEUED")]);
    assert_eq!(other.ask("PFCOUNT h"), "(integer) 77");
    client.expect(&[("EXEC", "[(integer) 0]"), ("PFADD h d", "(integer) 1")]);
    client.expect(&[("PFCOUNT h", "(integer) 4")]);
}

#[test]
fn what_is_none_is_refused() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("MSET s HYLL n 1234567890123456 h HYLLxxxxxxxxxxxx", "OK"),
        ("RPUSH l x", "(integer) 1"),
        ("PFADD good a", "(integer) 1"),
    ]);
    for key in ["s", "n", "h"] {
        for line in ["PFADD _ x", "PFCOUNT _", "PFCOUNT good _", "PFMERGE _ good", "PFMERGE good _"]
        {
            assert_eq!(client.ask(&line.replace('_', key)), NOT_ONE, "{line} {key}");
        }
        assert_eq!(client.ask(&format!("PFDEBUG ENCODING {key}")), NOT_ONE);
    }
    for line in ["PFADD l x", "PFCOUNT l", "PFCOUNT good l", "PFMERGE new l", "PFMERGE l good"] {
        assert_eq!(client.ask(line), WRONG_TYPE, "{line}");
    }
    assert_eq!(client.ask("EXISTS new"), "(integer) 0");
}

#[test]
fn damage_is_found() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[("PFADD h a b c", "(integer) 1"), ("PFADD good x", "(integer) 1")]);
    client.expect(&[("APPEND h hello", "(integer) 32")]);
    for line in ["PFCOUNT h", "PFCOUNT good h", "PFMERGE good h", "PFMERGE h", "PFDEBUG GETREG h"] {
        assert_eq!(client.ask(line), CORRUPT, "{line}");
    }
    client.call(&[&b"SET"[..], b"h", b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80\x00"]);
    assert_eq!(client.ask("PFADD h a b c"), CORRUPT);
    assert_eq!(client.ask("PFCOUNT h"), CORRUPT);
    assert_eq!(client.ask("PFDEBUG DECODE h"), "\"z:1\"");
}
