//! DUMP and RESTORE over a socket: what clients see of payloads, options, errors and their order.

mod common;

use common::{Client, Node, Reply};
use redis_rust::Config;
use redis_rust::config::{MaxmemoryPolicy, ProtectedAction};

const BAD_PAYLOAD: &str = "(error) ERR DUMP payload version or checksum are wrong";
const BUSY: &str = "(error) BUSYKEY Target key name already exists.";

#[track_caller]
fn dump(client: &mut Client, key: &str) -> Vec<u8> {
    match client.call(&["DUMP", key]) {
        Reply::Bulk(payload) => payload,
        other => panic!("no payload: {other:?}"),
    }
}

/// RESTORE with this payload and these further arguments; the reply in one line.
#[track_caller]
fn restore(client: &mut Client, key: &str, ttl: &str, payload: &[u8], options: &str) -> String {
    let mut args: Vec<&[u8]> = vec![b"RESTORE", key.as_bytes(), ttl.as_bytes(), payload];
    args.extend(options.split(' ').filter(|word| !word.is_empty()).map(str::as_bytes));
    client.call(&args).to_string()
}

#[test]
fn strings_come_back_as_they_were() {
    let node = Node::start();
    let mut client = node.connect();
    let long = "na ".repeat(500);
    let values: [&[u8]; 7] =
        [b"", b"12345678901234", b"-7", b"007", b"\0\r\n\xff", long.as_bytes(), &[7; 20_000]];
    for value in values {
        client.call(&[b"SET", &b"k"[..], value]);
        let encoding = client.ask("OBJECT ENCODING k");
        let payload = dump(&mut client, "k");
        assert_eq!(restore(&mut client, "copy", "0", &payload, "REPLACE"), "OK");
        assert_eq!(client.run("GET copy"), Reply::Bulk(value.into()));
        assert_eq!(client.ask("OBJECT ENCODING copy"), encoding);
    }
    client.expect(&[("DUMP none", "(nil)"), ("TTL copy", "(integer) -1")]);
}

#[test]
fn compression_follows_the_configuration() {
    let node = Node::start();
    let mut client = node.connect();
    client.call(&["SET", "k", &"a".repeat(1000)]);
    let packed = dump(&mut client, "k");
    client.run("CONFIG SET rdbcompression no");
    let plain = dump(&mut client, "k");
    assert!(packed.len() < 40 && plain.len() > 1000);
    for payload in [packed, plain] {
        assert_eq!(restore(&mut client, "k", "0", &payload, "REPLACE"), "OK");
        client.expect(&[("STRLEN k", "(integer) 1000"), ("OBJECT ENCODING k", "\"raw\"")]);
    }
}

#[test]
fn time_to_live() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET k v");
    let payload = dump(&mut client, "k");
    assert_eq!(restore(&mut client, "a", "100000", &payload, ""), "OK");
    assert_eq!(client.ask("TTL a"), "(integer) 100");
    assert_eq!(restore(&mut client, "b", "33177117420000", &payload, "absttl"), "OK");
    assert_eq!(client.ask("PEXPIRETIME b"), "(integer) 33177117420000");
    assert_eq!(restore(&mut client, "c", "0", &payload, "ABSTTL"), "OK");
    assert_eq!(client.ask("TTL c"), "(integer) -1");
    // In the past: nothing is created, and what was there goes.
    assert_eq!(restore(&mut client, "d", "1", &payload, "ABSTTL"), "OK");
    assert_eq!(restore(&mut client, "a", "1", &payload, "ABSTTL"), BUSY);
    assert_eq!(restore(&mut client, "a", "1", &payload, "ABSTTL REPLACE"), "OK");
    client.expect(&[("EXISTS a d", "(integer) 0"), ("DBSIZE", "(integer) 3")]);
    // The old expiry does not stay.
    assert_eq!(restore(&mut client, "b", "0", &payload, "REPLACE"), "OK");
    assert_eq!(client.ask("TTL b"), "(integer) -1");
    assert_eq!(restore(&mut client, "e", "9223372036854775807", &payload, ""), "OK");
    assert_eq!(client.ask("GET e"), "\"v\"");
}

#[test]
fn errors_come_in_the_order_of_redis() {
    let debug = ProtectedAction::Yes;
    let node = Node::with(Config { enable_debug_command: debug, ..Config::default() });
    let mut client = node.connect();
    client.run("SET k v");
    let payload = dump(&mut client, "k");
    let not_integer = "(error) ERR value is not an integer or out of range";
    let negative = "(error) ERR Invalid TTL value, must be >= 0";
    for (key, ttl, payload, options, expected) in [
        ("k", "x", &b"x"[..], "bad", "(error) ERR syntax error"),
        ("k", "x", b"x", "FREQ 1 IDLETIME 1", "(error) ERR syntax error"),
        ("k", "x", b"x", "FREQ 256", "(error) ERR Invalid FREQ value, must be >= 0 and <= 255"),
        ("k", "x", b"x", "IDLETIME -1", "(error) ERR Invalid IDLETIME value, must be >= 0"),
        ("k", "x", b"x", "", BUSY),
        ("k", "x", b"x", "REPLACE", not_integer),
        ("k", "-1", b"x", "REPLACE", negative),
        ("k", "0", b"x", "REPLACE", BAD_PAYLOAD),
        ("k", "0", b"", "REPLACE", BAD_PAYLOAD),
        ("k", "0", &payload[..payload.len() - 1], "REPLACE", BAD_PAYLOAD),
    ] {
        assert_eq!(restore(&mut client, key, ttl, payload, options), expected, "{ttl} {options}");
    }
    // A type that does not exist, and a version that is yet to come.
    let unknown = b"\x7f\x01\xc0\x01\x0b\0checksum";
    let newer = b"\0\xc0\x01\x0d\0checksum";
    client.run("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1");
    let bad_data = "(error) ERR Bad data format";
    assert_eq!(restore(&mut client, "k", "0", unknown, "REPLACE"), bad_data);
    assert_eq!(restore(&mut client, "k", "0", b"\x0b\0checksu", "REPLACE"), BAD_PAYLOAD);
    assert_eq!(restore(&mut client, "k", "0", newer, "REPLACE"), BAD_PAYLOAD);
    client.run("DEBUG SET-SKIP-CHECKSUM-VALIDATION 0");
    assert_eq!(restore(&mut client, "k", "0", unknown, "REPLACE"), BAD_PAYLOAD);
    client.expect(&[("GET k", "\"v\""), ("DBSIZE", "(integer) 1")]);
}

#[test]
fn a_payload_cannot_unfold_beyond_what_a_string_may_be() {
    let node = Node::start();
    let mut client = node.connect();
    client.call(&["SET", "k", &"a".repeat(4_000_000)]);
    let payload = dump(&mut client, "k");
    assert!(payload.len() < 60_000);
    client.run("CONFIG SET proto-max-bulk-len 3mb");
    let bad_data = "(error) ERR Bad data format";
    assert_eq!(restore(&mut client, "k", "0", &payload, "REPLACE"), bad_data);
    client.run("CONFIG SET proto-max-bulk-len 4mb");
    assert_eq!(restore(&mut client, "k", "0", &payload, "REPLACE"), "OK");
    assert_eq!(client.ask("STRLEN k"), "(integer) 4000000");
}

#[test]
fn accesses_are_those_that_are_told() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET k v");
    let payload = dump(&mut client, "k");
    assert_eq!(restore(&mut client, "a", "0", &payload, "IDLETIME 1000"), "OK");
    let idle = client.run("OBJECT IDLETIME a").int();
    assert!((1000..1010).contains(&idle), "{idle}");
    // Times are kept, so a frequency means nothing.
    assert_eq!(restore(&mut client, "b", "0", &payload, "FREQ 100"), "OK");
    assert!(client.run("OBJECT IDLETIME b").int() < 10);

    let config = Config { maxmemory_policy: MaxmemoryPolicy::AllkeysLfu, ..Config::default() };
    let counting = Node::with(config);
    let mut client = counting.connect();
    assert_eq!(restore(&mut client, "a", "0", &payload, "FREQ 100"), "OK");
    assert_eq!(client.ask("OBJECT FREQ a"), "(integer) 100");
    assert_eq!(restore(&mut client, "b", "0", &payload, "IDLETIME 1000"), "OK");
    assert_eq!(client.ask("OBJECT FREQ b"), "(integer) 5");
}

#[test]
fn restoring_breaks_a_watch_and_counts_as_a_change() {
    let node = Node::start();
    let (mut client, mut other) = (node.connect(), node.connect());
    client.run("SET k v");
    let payload = dump(&mut client, "k");
    client.expect(&[("WATCH a", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
    assert_eq!(restore(&mut other, "a", "0", &payload, ""), "OK");
    assert_eq!(client.ask("EXEC"), "(nil array)");
    client.expect(&[("WATCH a", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
    assert_eq!(restore(&mut other, "a", "0", &payload, ""), BUSY);
    assert_eq!(client.ask("EXEC"), "[PONG]");
    let changes = |client: &mut Client| client.run("INFO persistence").text();
    assert!(changes(&mut client).contains("rdb_changes_since_last_save:2"));
}

/// As Redis has it: a packed set is looked at only if it is asked for.
#[test]
fn a_packed_set_may_have_a_member_twice() {
    const REPEATING: &[u8] =
        b"\x14\x10\x10\0\0\0\x03\0\x81a\x02\x81b\x02\x81a\x02\xff\x0b\0\0\0\0\0\0\0\0\0";
    let config = Config { enable_debug_command: ProtectedAction::Yes, ..Config::default() };
    let node = Node::with(config);
    let mut client = node.connect();
    client.expect(&[
        ("DEBUG SET-SKIP-CHECKSUM-VALIDATION 1", "OK"),
        ("CONFIG SET sanitize-dump-payload yes", "OK"),
    ]);
    assert_eq!(restore(&mut client, "k", "0", REPEATING, ""), "(error) ERR Bad data format");
    client.run("CONFIG SET sanitize-dump-payload no");
    assert_eq!(restore(&mut client, "k", "0", REPEATING, ""), "OK");
    client.expect(&[
        ("SCARD k", "(integer) 3"),
        ("SDIFF k", "[\"a\", \"b\"]"),
        ("SUNIONSTORE union k", "(integer) 2"),
        ("SREM k a", "(integer) 1"),
        ("SISMEMBER k a", "(integer) 1"),
        ("CONFIG SET set-max-listpack-entries 2", "OK"),
        ("SADD k c", "(integer) 1"),
        ("SCARD k", "(integer) 3"),
        ("SREM k a b c", "(integer) 3"),
        ("EXISTS k", "(integer) 0"),
    ]);
}
