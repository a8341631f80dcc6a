//! Fields of hashes that expire, over a socket: the commands of Redis 7.4 and 8, what they do to
//! fields that exist, and what becomes of expiries when keys are copied, moved, dumped and saved.

mod common;

use common::values::{Payload, debug_node, payloads};
use common::{Client, Node, Reply, wait_until};

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
/// A millisecond that is far away.
const FAR: &str = "4102444800000";

/// What files of Redis 7.4 have of hashes with fields that expire: a name, the encoding, the
/// digest, the payload in hex.
const PAYLOADS: &str = include_str!("data/dump-hashes-7.4.tsv");

/// Asks until the answer is this one.
fn await_reply(client: &mut Client, command: &str, expected: &str) {
    wait_until(command, || client.ask(command) == expected);
}

fn dumped(client: &mut Client, command: &str) -> Vec<u8> {
    match client.run(command) {
        Reply::Bulk(payload) => payload,
        other => panic!("{other}"),
    }
}

fn info(client: &mut Client, field: &str) -> String {
    let page = client.run("INFO everything").text();
    let line = page.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or("").to_string()
}

#[test]
fn fields_get_and_lose_an_expiry() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("HSET h a 1 b 2 c 3");
    client.expect(&[
        (
            "HPEXPIREAT h 4102444800000 FIELDS 3 a none b",
            "[(integer) 1, (integer) -2, (integer) 1]",
        ),
        ("OBJECT ENCODING h", "\"listpackex\""),
        (
            "HPEXPIRETIME h FIELDS 4 a b c d",
            "[(integer) 4102444800000, (integer) 4102444800000, (integer) -1, (integer) -2]",
        ),
        ("HEXPIRETIME h FIELDS 1 a", "[(integer) 4102444800]"),
        ("HTTL h FIELDS 2 c d", "[(integer) -1, (integer) -2]"),
        ("HPTTL none FIELDS 2 c d", "[(integer) -2, (integer) -2]"),
        ("HPERSIST h FIELDS 3 a c d", "[(integer) 1, (integer) -1, (integer) -2]"),
        ("HPERSIST none FIELDS 1 a", "[(integer) -2]"),
        ("HEXPIRE none 10 FIELDS 2 a b", "[(integer) -2, (integer) -2]"),
        ("HEXPIREAT h 4102444801 NX FIELDS 2 a b", "[(integer) 1, (integer) 0]"),
        ("HEXPIREAT h 4102444801 XX FIELDS 2 b c", "[(integer) 1, (integer) 0]"),
        ("HEXPIREAT h 4102444802 gt FIELDS 2 b c", "[(integer) 1, (integer) 0]"),
        ("HEXPIREAT h 4102444802 GT FIELDS 1 b", "[(integer) 0]"),
        ("HEXPIREAT h 4102444802 lt FIELDS 2 b c", "[(integer) 0, (integer) 1]"),
        ("HEXPIREAT h 4102444800 LT fields 2 b c", "[(integer) 1, (integer) 1]"),
        ("HGETALL h", "[\"b\", \"2\", \"c\", \"3\", \"a\", \"1\"]"),
        ("HSET h b 5", "(integer) 0"),
        ("HTTL h FIELDS 1 b", "[(integer) -1]"),
        ("HINCRBY h c 5", "(integer) 8"),
        ("HINCRBYFLOAT h c 0.5", "\"8.5\""),
        ("HEXPIRETIME h FIELDS 1 c", "[(integer) 4102444800]"),
        ("HEXPIRE h 0 FIELDS 2 a x", "[(integer) 2, (integer) -2]"),
        ("HPEXPIREAT h 1 FIELDS 2 b c", "[(integer) 2, (integer) 2]"),
        ("EXISTS h", "(integer) 0"),
    ]);
    client.run("HSET t a 1");
    client.run("HEXPIRE t 100 FIELDS 1 a");
    let seconds = client.run("HTTL t FIELDS 1 a").items()[0].int();
    let millis = client.run("HPTTL t FIELDS 1 a").items()[0].int();
    assert!((95..=100).contains(&seconds) && (95_000..=100_000).contains(&millis));
}

#[test]
fn errors_name_what_is_wrong() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET s v");
    client.run("HSET h a 1");
    for command in [
        "HEXPIRE s 1 FIELDS 1 a",
        "HPERSIST s FIELDS 1 a",
        "HTTL s FIELDS 1 a",
        "HGETEX s FIELDS 1 a",
        "HGETDEL s FIELDS 1 a",
        "HSETEX s FIELDS 1 a 1",
    ] {
        assert_eq!(client.ask(command), WRONG_TYPE, "{command}");
    }
    let missing = "(error) ERR Mandatory argument FIELDS is missing or not at the right position";
    let count = "(error) ERR Parameter `numFields` should be greater than 0";
    let mismatch = "(error) ERR The `numfields` parameter must match the number of arguments";
    let only = |last: &str| {
        format!("(error) ERR Only one of EX, PX, EXAT, PXAT or {last} arguments can be specified")
    };
    client.expect(&[
        ("HEXPIRE h 1 FIELDS 1", "(error) ERR wrong number of arguments for 'hexpire' command"),
        ("HEXPIRE h 1 FIELD 1 a", missing),
        ("HEXPIRE h 1 NX XX FIELDS 1 a", missing),
        ("HEXPIRE h 1 FIELDS 0 a", count),
        ("HEXPIRE h 1 FIELDS x a", count),
        ("HEXPIRE h 1 FIELDS 2 a", mismatch),
        ("HTTL h FIELDS 9223372036854775807 a", mismatch),
        ("HPERSIST h FIELDS 1 a b", mismatch),
        ("HEXPIRE h x FIELDS 1 a", "(error) ERR value is not an integer or out of range"),
        ("HEXPIRE h -1 FIELDS 1 a", "(error) ERR invalid expire time, must be >= 0"),
        (
            "HPEXPIREAT h 70368744177664 FIELDS 1 a",
            "(error) ERR invalid expire time in 'hpexpireat' command",
        ),
        (
            "HEXPIRE h 9223372036854775807 FIELDS 1 a",
            "(error) ERR invalid expire time in 'hexpire' command",
        ),
        ("HGETEX h EX 1 PERSIST FIELDS 1 a", &only("PERSIST")),
        ("HGETEX h EX 1 PX 1 FIELDS 1 a", &only("PERSIST")),
        ("HGETEX h KEEPTTL FIELDS 1 a", "(error) ERR unknown argument: KEEPTTL"),
        (
            "HGETEX h PERSIST EX 1",
            "(error) ERR Only one of EX, PX, EXAT, PXAT or PERSIST arguments can be specified",
        ),
        ("HGETEX h FIELDS 0 a", "(error) ERR invalid number of fields"),
        ("HGETEX h FIELDS 2 a", "(error) ERR wrong number of arguments"),
        ("HSETEX h EX 1 KEEPTTL FIELDS 1 a 1", &only("KEEPTTL")),
        (
            "HSETEX h FNX FXX FIELDS 1 a 1",
            "(error) ERR Only one of FXX or FNX arguments can be specified",
        ),
        ("HSETEX h FIELDS 1 a", "(error) ERR wrong number of arguments for 'hsetex' command"),
        ("HSETEX h FIELDS 2 a 1", "(error) ERR wrong number of arguments"),
        ("HSETEX h FIELDS 2 a 1 b", "(error) ERR wrong number of arguments"),
        ("HGETDEL h FIELD 1 a", missing),
        ("HGETDEL h FIELDS 0 a", "(error) ERR Number of fields must be a positive integer"),
        ("HGETDEL h FIELDS 2 a", mismatch),
        ("HGETALL h", "[\"a\", \"1\"]"),
    ]);
}

#[test]
fn values_are_read_and_written_with_their_expiry() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("HSETEX h FXX FIELDS 1 a 1", "(integer) 0"),
        ("EXISTS h", "(integer) 0"),
        ("HSETEX h FNX PXAT 4102444800000 FIELDS 2 a 1 b 2", "(integer) 1"),
        ("HSETEX h FNX FIELDS 2 b 1 c 2", "(integer) 0"),
        ("HSETEX h FXX FIELDS 2 b 1 c 2", "(integer) 0"),
        ("HSETEX h FXX KEEPTTL FIELDS 1 a 7", "(integer) 1"),
        ("HSETEX h FIELDS 1 b 8", "(integer) 1"),
        ("HPEXPIRETIME h FIELDS 2 a b", "[(integer) 4102444800000, (integer) -1]"),
        ("HGETEX h FIELDS 3 a b c", "[\"7\", \"8\", (nil)]"),
        ("HGETEX h EXAT 4102444801 FIELDS 2 b c", "[\"8\", (nil)]"),
        ("HGETEX h PERSIST FIELDS 1 a", "[\"7\"]"),
        ("HPEXPIRETIME h FIELDS 2 a b", "[(integer) -1, (integer) 4102444801000]"),
        ("HGETEX none EX 5 FIELDS 2 a b", "[(nil), (nil)]"),
        ("HGETEX h EXAT 1 FIELDS 1 b", "[\"8\"]"),
        ("HSETEX h EXAT 1 FIELDS 2 a 1 z 1", "(integer) 1"),
        ("EXISTS h", "(integer) 0"),
        ("HSETEX h EXAT 1 FIELDS 1 z 1", "(integer) 1"),
        ("EXISTS h", "(integer) 0"),
        ("HSET h a 1 b 2", "(integer) 2"),
        ("HGETDEL h FIELDS 3 a a none", "[\"1\", (nil), (nil)]"),
        ("HGETDEL h FIELDS 1 b", "[\"2\"]"),
        ("HGETDEL h FIELDS 1 b", "[(nil)]"),
        ("EXISTS h", "(integer) 0"),
    ]);
}

#[test]
fn fields_go_when_their_time_is_over() {
    let node = debug_node();
    let mut client = node.connect();
    client.run("HSET h a 1 b 2 c 3");
    client.run("HPEXPIRE h 30 FIELDS 2 a b");
    assert!(client.ask("INFO keyspace").contains("subexpiry=1"));
    // Nobody asks for the hash.
    wait_until("fields expire", || info(&mut client, "expired_subkeys") == "2");
    assert!(!client.ask("INFO keyspace").contains("subexpiry"));
    client.expect(&[
        ("HLEN h", "(integer) 1"),
        ("DEBUG SET-ACTIVE-EXPIRE 0", "OK"),
        ("HSETEX h PX 20 FIELDS 2 a 1 b 2", "(integer) 1"),
    ]);
    await_reply(&mut client, "HMGET h a b c", "[(nil), (nil), \"3\"]");
    client.run("HPEXPIRE h 1 FIELDS 1 c");
    await_reply(&mut client, "HRANDFIELD h", "(nil)");
    client.expect(&[("EXISTS h", "(integer) 0"), ("HSETEX h PX 1 FIELDS 1 a 5", "(integer) 1")]);
    await_reply(&mut client, "HPTTL h FIELDS 1 a", "[(integer) -2]");
    client.expect(&[("HSETEX h PX 1 FIELDS 1 a 5", "(integer) 1")]);
    let started = std::time::Instant::now();
    wait_until("a millisecond has passed", || started.elapsed().as_millis() > 3);
    client.expect(&[
        ("DBSIZE", "(integer) 1"),
        ("HINCRBY h a 2", "(integer) 2"),
        ("HTTL h FIELDS 1 a", "[(integer) -1]"),
    ]);
    assert_eq!(info(&mut client, "expired_subkeys"), "7");
}

#[test]
fn expiries_go_where_their_hash_goes() {
    let node = debug_node();
    let mut client = node.connect();
    let expiry = format!("[(integer) {FAR}, (integer) -1]");
    for (limit, encoding) in [(512, "\"listpackex\""), (1, "\"hashtable\"")] {
        client.run(&format!("CONFIG SET hash-max-listpack-entries {limit}"));
        client.run("FLUSHALL");
        client.run("HSET h a 1 b two");
        client.run(&format!("HPEXPIREAT h {FAR} FIELDS 1 a"));
        let digest = client.ask("DEBUG DIGEST-VALUE h");
        let payload = dumped(&mut client, "DUMP h");
        assert_eq!(payload[payload.len() - 10..][..2], [12, 0]);
        client.run("COPY h copy");
        client.run("RENAME h renamed");
        client.run("MOVE renamed 1");
        client.run("SELECT 1");
        let mut keys = vec!["renamed"];
        let restore = [&b"RESTORE"[..], b"restored", b"0", &payload].map(<[u8]>::to_vec);
        assert_eq!(client.call(&restore).to_string(), "OK");
        keys.push("restored");
        client.run("SWAPDB 0 1");
        for (db, keys) in [(1, vec!["copy"]), (0, keys)] {
            client.run(&format!("SELECT {db}"));
            for key in keys {
                let times = format!("HPEXPIRETIME {key} FIELDS 2 a b");
                assert_eq!(client.ask(&times), expiry, "{key}");
                assert_eq!(client.ask(&format!("OBJECT ENCODING {key}")), encoding);
                assert_eq!(client.ask(&format!("DEBUG DIGEST-VALUE {key}")), digest);
            }
        }
        client.run("HPERSIST restored FIELDS 1 a");
        let payload = dumped(&mut client, "DUMP restored");
        assert!(payload[payload.len() - 10] < 12);
    }
}

#[test]
fn payloads_of_redis_7_4_are_restored() {
    let node = debug_node();
    let mut client = node.connect();
    for Payload { name, encoding, digest, bytes } in payloads(PAYLOADS) {
        let restore = [b"RESTORE".to_vec(), name.into(), b"0".to_vec(), bytes];
        assert_eq!(client.call(&restore).to_string(), "OK", "{name}");
        let found = client.run(&format!("OBJECT ENCODING {name}")).text();
        assert_eq!(found, encoding, "{name}");
        let found = client.run(&format!("DEBUG DIGEST-VALUE {name}")).texts();
        assert_eq!(found, [digest], "{name}");
    }
    assert!(client.ask("INFO keyspace").contains("subexpiry=2"));
}
