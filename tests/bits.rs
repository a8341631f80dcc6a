//! Commands on bits over a socket: replies, errors and their order, limits, encodings, events, and
//! what a change does to expiry and watched keys.

mod common;

use common::{Node, Reply};
use redis_rust::Config;

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "(error) ERR syntax error";
const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
const BAD_OFFSET: &str = "(error) ERR bit offset is not an integer or out of range";
const BAD_BIT: &str = "(error) ERR bit is not an integer or out of range";
const BAD_TYPE: &str = "(error) ERR Invalid bitfield type. Use something like i16 u8. Note that \
                        u64 is not supported but i64 is.";

#[test]
fn single_bits() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SETBIT b 7 1", "(integer) 0"),
        ("SETBIT b 7 0", "(integer) 1"),
        ("SETBIT b 18 1", "(integer) 0"),
        ("GET b", "\"\\x00\\x00 \""),
        ("GETBIT b 18", "(integer) 1"),
        ("GETBIT b 17", "(integer) 0"),
        ("GETBIT b 4000000000", "(integer) 0"),
        ("GETBIT none 0", "(integer) 0"),
        ("SET n 123", "OK"),
        ("GETBIT n 2", "(integer) 1"),
        ("OBJECT ENCODING n", "\"int\""),
        ("SETBIT n 2 1", "(integer) 1"),
        ("OBJECT ENCODING n", "\"raw\""),
        ("SETBIT n 7 0", "(integer) 1"),
        ("GET n", "\"023\""),
        ("STRLEN b", "(integer) 3"),
    ]);
    for offset in ["-1", "x", "4294967296", "9223372036854775808", "1.5", "#1", "01"] {
        assert_eq!(client.ask(&format!("GETBIT b {offset}")), BAD_OFFSET);
        assert_eq!(client.ask(&format!("SETBIT b {offset} x")), BAD_OFFSET);
    }
    for bit in ["2", "-1", "x", "01"] {
        assert_eq!(client.ask(&format!("SETBIT b 0 {bit}")), BAD_BIT);
    }
    client.expect(&[
        ("SETBIT big 4294967295 1", "(integer) 0"),
        ("STRLEN big", "(integer) 536870912"),
        ("SETBIT n 4294967295 1", "(integer) 0"),
        ("GETRANGE n 0 3", "\"023\\x00\""),
        ("UNLINK n big", "(integer) 2"),
    ]);
    let node = Node::with(Config { proto_max_bulk_len: 1 << 20, ..Config::default() });
    let mut client = node.connect();
    client.expect(&[
        ("SETBIT b 8388607 1", "(integer) 0"),
        ("SETBIT b 8388608 1", BAD_OFFSET),
        ("BITFIELD b SET u63 8388607 1", "[(integer) 4611686018427387904]"),
        ("STRLEN b", "(integer) 1048584"),
    ]);
}

#[test]
fn counting() {
    let node = Node::start();
    let mut client = node.connect();
    client.call(&["SET", "e", ""]);
    client.expect(&[
        ("SET s foobar", "OK"),
        ("BITCOUNT s", "(integer) 26"),
        ("BITCOUNT s 0 0", "(integer) 4"),
        ("BITCOUNT s 1 1 BYTE", "(integer) 6"),
        ("BITCOUNT s 5 30 bit", "(integer) 17"),
        ("BITCOUNT s -2 -1", "(integer) 7"),
        ("BITCOUNT s -1 -2 oops", "(integer) 0"),
        ("BITCOUNT s 3 2", "(integer) 0"),
        ("BITCOUNT s 6 100", "(integer) 0"),
        ("BITCOUNT s -100 -100", "(integer) 4"),
        ("BITCOUNT s -9223372036854775808 9223372036854775807 BIT", "(integer) 26"),
        ("BITCOUNT s 0", SYNTAX),
        ("BITCOUNT s 0 1 WORD", SYNTAX),
        ("BITCOUNT s 0 1 BIT x", SYNTAX),
        ("BITCOUNT s x 1", NOT_AN_INTEGER),
        ("BITCOUNT none x", "(integer) 0"),
        ("BITCOUNT e", "(integer) 0"),
        ("BITCOUNT e 0 -1 BIT", "(integer) 0"),
        ("SET n -17", "OK"),
        ("BITCOUNT n", "(integer) 12"),
    ]);
}

#[test]
fn finding() {
    let node = Node::start();
    let mut client = node.connect();
    client.call(&[&b"SET"[..], b"s", b"\xff\xf0\x00"]);
    client.call(&[&b"SET"[..], b"ones", b"\xff\xff\xff"]);
    client.call(&[&b"SET"[..], b"zeros", b"\x00\x00\x00"]);
    client.call(&["SET", "e", ""]);
    client.expect(&[
        ("BITPOS s 0", "(integer) 12"),
        ("BITPOS s 1 2", "(integer) -1"),
        ("BITPOS s 1 1", "(integer) 8"),
        ("BITPOS s 0 0 0", "(integer) -1"),
        ("BITPOS s 0 7 15 BIT", "(integer) 12"),
        ("BITPOS s 1 12 -1 BIT", "(integer) -1"),
        ("BITPOS s 1 9 9 BIT", "(integer) 9"),
        ("BITPOS ones 0", "(integer) 24"),
        ("BITPOS ones 0 1", "(integer) 24"),
        ("BITPOS ones 0 3", "(integer) -1"),
        ("BITPOS ones 0 0 -1", "(integer) -1"),
        ("BITPOS ones 0 0 100 BIT", "(integer) -1"),
        ("BITPOS zeros 1", "(integer) -1"),
        ("BITPOS zeros 0 2 1", "(integer) -1"),
        ("BITPOS none 0 x y z", "(integer) 0"),
        ("BITPOS none 1", "(integer) -1"),
        ("BITPOS e 0", "(integer) -1"),
        ("BITPOS s 2", "(error) ERR The bit argument must be 1 or 0."),
        ("BITPOS s x", NOT_AN_INTEGER),
        ("BITPOS s 1 x 2 WORD", NOT_AN_INTEGER),
        ("BITPOS s 1 0 x WORD", SYNTAX),
        ("BITPOS s 1 0 1 BIT x", SYNTAX),
    ]);
}

#[test]
fn combining() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("MSET a abc b ABCd n 12", "OK"),
        ("BITOP AND d a b", "(integer) 4"),
        ("GET d", "\"ABC\\x00\""),
        ("BITOP or d a b none", "(integer) 4"),
        ("GET d", "\"abcd\""),
        ("BITOP XOR d a a", "(integer) 3"),
        ("GET d", "\"\\x00\\x00\\x00\""),
        ("BITOP NOT d n", "(integer) 2"),
        ("GET d", "\"\\xce\\xcd\""),
        ("OBJECT ENCODING d", "\"raw\""),
        ("BITOP AND d n", "(integer) 2"),
        ("OBJECT ENCODING d", "\"raw\""),
        ("PEXPIRE a 100000", "(integer) 1"),
        ("BITOP OR a a none", "(integer) 3"),
        ("TTL a", "(integer) -1"),
        ("BITOP OR a none none", "(integer) 0"),
        ("EXISTS a", "(integer) 0"),
        ("BITOP NOT d a b", "(error) ERR BITOP NOT must be called with a single source key."),
        ("BITOP NAND d a", SYNTAX),
    ]);
}

#[test]
fn fields() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        (
            "BITFIELD f SET i8 0 -100 GET u8 0 GET i8 #0",
            "[(integer) 0, (integer) 156, (integer) -100]",
        ),
        ("BITFIELD f INCRBY u2 100 1 OVERFLOW SAT INCRBY u2 102 1", "[(integer) 1, (integer) 1]"),
        ("BITFIELD f INCRBY i8 #0 -100", "[(integer) 56]"),
        ("BITFIELD f OVERFLOW SAT INCRBY i8 #0 100", "[(integer) 127]"),
        ("BITFIELD f OVERFLOW FAIL INCRBY i8 #0 1 GET i8 0", "[(nil), (integer) 127]"),
        ("BITFIELD f SET u8 #3 -1 GET i8 #3", "[(integer) 0, (integer) -1]"),
        ("BITFIELD f OVERFLOW SAT SET u4 32 -1 GET u4 32", "[(integer) 0, (integer) 15]"),
        ("BITFIELD f SET i64 #1 -9223372036854775808", "[(integer) 83886080]"),
        ("BITFIELD f INCRBY i64 64 -1", "[(integer) 9223372036854775807]"),
        ("BITFIELD f", "[]"),
        (
            "BITFIELD_RO f GET i64 64 GET u1 4000000000",
            "[(integer) 9223372036854775807, (integer) 0]",
        ),
        ("BITFIELD_RO none GET i64 64", "[(integer) 0]"),
        ("EXISTS none", "(integer) 0"),
        ("BITFIELD_RO f OVERFLOW FAIL GET u1 0", "[(integer) 0]"),
        ("BITFIELD_RO f SET u1 0 1", "(error) ERR BITFIELD_RO only supports the GET subcommand"),
        ("BITFIELD_RO f SET u1 0 x", NOT_AN_INTEGER),
        ("BITFIELD f GET u1", SYNTAX),
        ("BITFIELD f SET u1 0", SYNTAX),
        ("BITFIELD f OVERFLOW", SYNTAX),
        ("BITFIELD f OVERFLOW WARP", "(error) ERR Invalid OVERFLOW type specified"),
        ("BITFIELD f GET u64 x", BAD_TYPE),
        ("BITFIELD f GET u8 x", BAD_OFFSET),
        ("BITFIELD f GET u8 #", BAD_OFFSET),
        ("BITFIELD f GET u8 #-1", BAD_OFFSET),
        ("BITFIELD f GET u63 #9223372036854775807", BAD_OFFSET),
        ("BITFIELD f GET u8 #536870912", BAD_OFFSET),
        ("BITFIELD f SET u8 0 x GET", NOT_AN_INTEGER),
        ("BITFIELD n OVERFLOW FAIL SET u4 0 100", "[(nil)]"),
        ("GET n", "\"\\x00\""),
    ]);
    let mut client = node.connect_resp3();
    client.expect(&[("BITFIELD f OVERFLOW FAIL SET i4 0 8", "[(nil)]")]);
}

#[test]
fn other_types_are_left_alone() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[("RPUSH l a", "(integer) 1"), ("SET s v", "OK")]);
    for line in [
        "SETBIT l 0 1",
        "GETBIT l 0",
        "BITCOUNT l x",
        "BITPOS l 0 x",
        "BITFIELD l",
        "BITFIELD l SET u1 0 1",
        "BITFIELD_RO l GET u1 0",
        "BITOP AND d s l",
    ] {
        assert_eq!(client.ask(line), WRONG_TYPE, "{line}");
    }
    client.expect(&[
        ("BITOP AND l s", "(integer) 1"),
        ("TYPE l", "string"),
        ("EXISTS d", "(integer) 0"),
    ]);
}

#[test]
fn only_changes_break_transactions() {
    let node = Node::start();
    let (mut client, mut other) = (node.connect(), node.connect());
    client.expect(&[("SETBIT b 7 1", "(integer) 0"), ("PEXPIRE b 100000", "(integer) 1")]);
    let cases = [
        ("SETBIT b 7 1", "[PONG]"),
        ("SETBIT b 6 0", "[PONG]"),
        ("SETBIT b 8 0", "(nil array)"),
        ("BITFIELD b SET u8 0 1", "[PONG]"),
        ("BITFIELD b OVERFLOW FAIL SET u8 0 256", "[PONG]"),
        ("BITFIELD b SET u8 0 2", "(nil array)"),
        ("BITFIELD b SET u8 16 0", "(nil array)"),
        ("BITOP AND b b", "(nil array)"),
    ];
    for (line, outcome) in cases {
        client.expect(&[("WATCH b", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
        if line.starts_with("BITOP") {
            assert!(other.ask("TTL b").as_str() != "(integer) -1", "changes keep the expiry");
        }
        assert!(!other.run(line).is_error(), "{line}");
        assert_eq!(client.ask("EXEC"), outcome, "{line}");
    }
    assert_eq!(client.run("TTL b"), Reply::Int(-1));
}
