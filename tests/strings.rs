//! Strings over a socket: replies as a client sees them, in both protocols.

mod common;

use common::{Node, Reply, wait_until};
use redis_rust::Config;

#[test]
fn set_and_its_options() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SET k v", "OK"),
        ("GET k", "\"v\""),
        ("SET k w NX", "(nil)"),
        ("SET other w XX", "(nil)"),
        ("SET k w XX GET", "\"v\""),
        ("SET none w NX GET", "(nil)"),
        ("GET none", "\"w\""),
        ("SET none x NX GET", "\"w\""),
        ("SET k 1 EX 100", "OK"),
        ("TTL k", "(integer) 100"),
        ("SET k 2 KEEPTTL", "OK"),
        ("TTL k", "(integer) 100"),
        ("SET k 3", "OK"),
        ("TTL k", "(integer) -1"),
        ("SET k 4 PXAT 33177117420000", "OK"),
        ("EXPIRETIME k", "(integer) 33177117420"),
        ("SETNX k 5", "(integer) 0"),
        ("SETEX k 50 6", "OK"),
        ("TTL k", "(integer) 50"),
        ("PSETEX k 50000 7", "OK"),
        ("TTL k", "(integer) 50"),
        ("GETSET k 8", "\"7\""),
        ("TTL k", "(integer) -1"),
        ("GETDEL k", "\"8\""),
        ("GETDEL k", "(nil)"),
    ]);
}

#[test]
fn bad_options_change_nothing() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET k v");
    let syntax = "(error) ERR syntax error";
    for options in ["NX XX", "EX 1 PX 1", "KEEPTTL EX 1", "EX", "PERSIST", "EX 1 KEEPTTL", "what"] {
        assert_eq!(client.ask(&format!("SET k w {options}")), syntax, "{options}");
    }
    for (options, error) in [
        ("EX 0", "(error) ERR invalid expire time in 'set' command"),
        ("EX -1", "(error) ERR invalid expire time in 'set' command"),
        ("EX 9223372036854776", "(error) ERR invalid expire time in 'set' command"),
        ("PX 9223372036854775807", "(error) ERR invalid expire time in 'set' command"),
        ("EX x", "(error) ERR value is not an integer or out of range"),
    ] {
        assert_eq!(client.ask(&format!("SET k w {options}")), error, "{options}");
    }
    client.expect(&[
        ("SETEX k 0 w", "(error) ERR invalid expire time in 'setex' command"),
        ("PSETEX k -1 w", "(error) ERR invalid expire time in 'psetex' command"),
        ("GETEX k EX 0", "(error) ERR invalid expire time in 'getex' command"),
        ("GETEX missing EX 0", "(nil)"),
        ("GETEX k PERSIST EX 1", syntax),
        ("GETEX k KEEPTTL", syntax),
        ("MSET a", "(error) ERR wrong number of arguments for 'mset' command"),
        ("MSET a 1 b", "(error) ERR wrong number of arguments for 'mset' command"),
        ("GET k", "\"v\""),
        ("TTL k", "(integer) -1"),
        ("EXISTS a", "(integer) 0"),
    ]);
}

#[test]
fn getex_sets_and_removes_expiry() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SET k v", "OK"),
        ("GETEX k EX 100", "\"v\""),
        ("TTL k", "(integer) 100"),
        ("GETEX k", "\"v\""),
        ("TTL k", "(integer) 100"),
        ("GETEX k PERSIST", "\"v\""),
        ("TTL k", "(integer) -1"),
        ("GETEX k EXAT 1", "\"v\""),
        ("EXISTS k", "(integer) 0"),
    ]);
}

#[test]
fn expired_strings_are_gone() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET k v PX 20");
    wait_until("the key expires", || client.run("GET k") == Reply::Null);
    client.expect(&[
        ("STRLEN k", "(integer) 0"),
        ("SET k w XX", "(nil)"),
        ("INCR k", "(integer) 1"),
    ]);
    assert_eq!(client.ask("TTL k"), "(integer) -1");
}

#[test]
fn counters() {
    let node = Node::start();
    let mut client = node.connect();
    let not_integer = "(error) ERR value is not an integer or out of range";
    let overflow = "(error) ERR increment or decrement would overflow";
    client.expect(&[
        ("INCR n", "(integer) 1"),
        ("INCRBY n 41", "(integer) 42"),
        ("DECR n", "(integer) 41"),
        ("DECRBY n 50", "(integer) -9"),
        ("OBJECT ENCODING n", "\"int\""),
        ("SET n 9223372036854775807 EX 100", "OK"),
        ("INCR n", overflow),
        ("INCRBY n x", not_integer),
        ("DECRBY n -9223372036854775808", "(error) ERR decrement would overflow"),
        ("DECRBY n 9223372036854775807", "(integer) 0"),
        ("TTL n", "(integer) 100"),
        ("SET n 012", "OK"),
        ("INCR n", not_integer),
        ("SET n 10", "OK"),
        ("APPEND n 0", "(integer) 3"),
        ("OBJECT ENCODING n", "\"raw\""),
        ("INCR n", "(integer) 101"),
        ("OBJECT ENCODING n", "\"int\""),
    ]);
}

#[test]
fn float_counters() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("INCRBYFLOAT f 3.0e3", "\"3000\""),
        ("INCRBYFLOAT f 200", "\"3200\""),
        ("INCRBYFLOAT f 0.1", "\"3200.10000000000000009\""),
        ("INCRBYFLOAT f 0.2", "\"3200.30000000000000004\""),
        ("OBJECT ENCODING f", "\"embstr\""),
        ("INCRBYFLOAT f x", "(error) ERR value is not a valid float"),
        ("INCRBYFLOAT f +inf", "(error) ERR increment would produce NaN or Infinity"),
        ("SET i 1 EX 100", "OK"),
        ("INCRBYFLOAT i -0.5", "\"0.5\""),
        ("TTL i", "(integer) 100"),
    ]);
}

#[test]
fn parts_of_strings() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SETRANGE k 3 abc", "(integer) 6"),
        ("GET k", "\"\\x00\\x00\\x00abc\""),
        ("GETRANGE k 3 -1", "\"abc\""),
        ("SUBSTR k -2 100", "\"bc\""),
        ("GETRANGE k 5 2", "\"\""),
        ("GETRANGE none 0 -1", "\"\""),
        ("STRLEN k", "(integer) 6"),
        ("SETRANGE k -1 x", "(error) ERR offset is out of range"),
        ("SET n 12345", "OK"),
        ("SETRANGE n 1 9", "(integer) 5"),
        ("GET n", "\"19345\""),
        ("OBJECT ENCODING n", "\"raw\""),
        ("APPEND a 12", "(integer) 2"),
        ("OBJECT ENCODING a", "\"int\""),
        ("APPEND a 3", "(integer) 3"),
        ("GET a", "\"123\""),
    ]);
    assert_eq!(client.call(&["SETRANGE", "none", "5", ""]), Reply::Int(0));
    assert_eq!(client.ask("EXISTS none"), "(integer) 0");
    assert_eq!(client.call(&["SETRANGE", "n", "9", ""]), Reply::Int(5));
}

#[test]
fn strings_stay_below_the_limit() {
    let config = Config { proto_max_bulk_len: 1 << 20, ..Config::default() };
    let node = Node::with(config);
    let mut client = node.connect();
    let too_long = "(error) ERR string exceeds maximum allowed size (proto-max-bulk-len)";
    client.expect(&[
        ("SETRANGE k 1048576 x", too_long),
        ("SETRANGE k 9223372036854775807 x", too_long),
        ("EXISTS k", "(integer) 0"),
        ("SETRANGE k 1048575 x", "(integer) 1048576"),
        ("APPEND k x", too_long),
        ("SETRANGE k 1048575 xy", too_long),
        ("STRLEN k", "(integer) 1048576"),
        ("SETRANGE b 599 x", "(integer) 600"),
        ("LCS b b LEN", too_large_for_lcs()),
    ]);
}

fn too_large_for_lcs() -> &'static str {
    "(error) ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len"
}

#[test]
fn several_keys_at_once() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("MSET a 1 b two a 3", "OK"),
        ("MGET a none b", "[\"3\", (nil), \"two\"]"),
        ("MSETNX c 1 a 2", "(integer) 0"),
        ("EXISTS c", "(integer) 0"),
        ("MSETNX c 1 d 2 c 3", "(integer) 1"),
        ("MGET c d", "[\"3\", \"2\"]"),
    ]);
    // More keys than one batch of prefetching has.
    let keys: Vec<String> = (0..100).map(|i| format!("key:{i}")).collect();
    let mut mset = vec!["MSET".to_string()];
    mset.extend(keys.iter().flat_map(|key| [key.clone(), format!("value of {key}")]));
    assert_eq!(client.call(&mset), Reply::ok());
    let mget: Vec<&str> = std::iter::once("MGET").chain(keys.iter().map(String::as_str)).collect();
    let expected: Vec<String> = keys.iter().map(|key| format!("value of {key}")).collect();
    assert_eq!(client.call(&mget).texts(), expected);
}

#[test]
fn lcs() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("MSET a ohmytext b mynewtext", "OK"),
        ("LCS a b", "\"mytext\""),
        ("LCS a b LEN", "(integer) 6"),
        ("LCS a none", "\"\""),
        (
            "LCS a b IDX",
            "[\"matches\", [[[(integer) 4, (integer) 7], [(integer) 5, (integer) 8]], \
            [[(integer) 2, (integer) 3], [(integer) 0, (integer) 1]]], \"len\", (integer) 6]",
        ),
        (
            "LCS a b IDX MINMATCHLEN 4 WITHMATCHLEN",
            "[\"matches\", [[[(integer) 4, (integer) 7], \
            [(integer) 5, (integer) 8], (integer) 4]], \"len\", (integer) 6]",
        ),
        (
            "LCS a b IDX LEN",
            "(error) ERR If you want both the length and indexes, please just use IDX.",
        ),
        ("LCS a b MINMATCHLEN", "(error) ERR syntax error"),
    ]);
}

#[test]
fn replies_byte_for_byte() {
    let node = Node::start();
    let (mut old, mut new) = (node.connect(), node.connect_resp3());
    for (line, resp2, resp3) in [
        ("SET k 10", "+OK\r\n", "+OK\r\n"),
        ("GET k", "$2\r\n10\r\n", "$2\r\n10\r\n"),
        ("GET none", "$-1\r\n", "_\r\n"),
        ("MGET k none", "*2\r\n$2\r\n10\r\n$-1\r\n", "*2\r\n$2\r\n10\r\n_\r\n"),
        ("SET k 10 NX", "$-1\r\n", "_\r\n"),
        (
            "LCS none none IDX",
            "*4\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n",
            "%2\r\n$7\r\nmatches\r\n*0\r\n$3\r\nlen\r\n:0\r\n",
        ),
    ] {
        assert_eq!(old.run_raw(line), resp2, "{line}");
        assert_eq!(new.run_raw(line), resp3, "{line}");
    }
}

#[test]
fn encodings() {
    let node = Node::start();
    let mut client = node.connect();
    for (value, encoding) in [
        ("0".to_string(), "int"),
        ("-9223372036854775808".into(), "int"),
        ("9223372036854775808".into(), "embstr"),
        ("x".repeat(44), "embstr"),
        ("x".repeat(45), "raw"),
        ("x".repeat(5000), "raw"),
    ] {
        client.call(&["SET", "k", &value]);
        assert_eq!(client.run("GET k"), Reply::from(value.as_str()));
        assert_eq!(client.run("OBJECT ENCODING k"), Reply::from(encoding));
    }
}
