//! Lists over a socket: replies in both protocols, errors and their order, encodings as they
//! change, events, and keys that go with their last element.

mod common;

use common::{Client, Node, Reply};
use redis_rust::Config;
use redis_rust::config::ProtectedAction;

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "(error) ERR syntax error";
const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";

fn node() -> Node {
    let debug = ProtectedAction::Yes;
    Node::with(Config { enable_debug_command: debug, ..Config::default() })
}

#[track_caller]
fn fill(client: &mut Client, key: &str, elements: impl IntoIterator<Item = String>) {
    let mut args = vec!["RPUSH".to_string(), key.to_string()];
    args.extend(elements);
    client.call(&args).int();
}

#[test]
fn both_ends() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("LPUSHX l a", "(integer) 0"),
        ("RPUSH l b c 17", "(integer) 3"),
        ("LPUSH l a -5", "(integer) 5"),
        ("RPUSHX l x", "(integer) 6"),
        ("LRANGE l 0 -1", r#"["-5", "a", "b", "c", "17", "x"]"#),
        ("LLEN l", "(integer) 6"),
        ("LPOP l", "\"-5\""),
        ("RPOP l 2", r#"["x", "17"]"#),
        ("LPOP l 0", "[]"),
        ("RPOP l 10", r#"["c", "b", "a"]"#),
        ("EXISTS l", "(integer) 0"),
        ("LPOP l", "(nil)"),
        ("LPOP l 3", "(nil array)"),
        ("LLEN l", "(integer) 0"),
        ("LPOP l x", "(error) ERR value is out of range, must be positive"),
        ("LPOP l -1", "(error) ERR value is out of range, must be positive"),
        ("LPOP l 1 2", "(error) ERR wrong number of arguments for 'lpop' command"),
    ]);
    let mut client = node.connect_resp3();
    client.expect(&[("LPOP l 3", "(nil)"), ("LMPOP 1 l LEFT", "(nil)")]);
}

#[test]
fn other_types_are_left_alone() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[("SET s v", "OK"), ("RPUSH l a", "(integer) 1")]);
    for line in [
        "LPUSH s x",
        "RPUSHX s x",
        "LPOP s",
        "RPOP s 0",
        "LLEN s",
        "LINDEX s x",
        "LSET s x y",
        "LRANGE s 0 1",
        "LTRIM s 0 1",
        "LREM s 0 x",
        "LPOS s x",
        "LINSERT s BEFORE a b",
        "LMOVE s l LEFT LEFT",
        "LMOVE l s LEFT LEFT",
        "RPOPLPUSH l s",
        "LMPOP 2 none s LEFT",
    ] {
        assert_eq!(client.ask(line), WRONG_TYPE, "{line}");
    }
    client.expect(&[
        ("GET l", WRONG_TYPE),
        ("LRANGE l 0 -1", r#"["a"]"#),
        ("TYPE l", "list"),
        ("LINSERT s NEXT a b", SYNTAX),
        ("LRANGE s x 1", NOT_AN_INTEGER),
        ("LSET none x y", "(error) ERR no such key"),
        ("LSET l x y", NOT_AN_INTEGER),
        ("LSET l 1 y", "(error) ERR index out of range"),
        ("LINDEX none x", "(nil)"),
    ]);
}

#[test]
fn the_middle() {
    let node = node();
    let mut client = node.connect();
    fill(&mut client, "l", (0..10).map(|n| (n % 4).to_string()));
    client.expect(&[
        ("LINDEX l 3", "\"3\""),
        ("LINDEX l -1", "\"1\""),
        ("LINDEX l 10", "(nil)"),
        ("LINSERT l BEFORE 0 new", "(integer) 11"),
        ("LINSERT l AFTER 9 new", "(integer) -1"),
        ("LINSERT none AFTER 9 new", "(integer) 0"),
        ("LSET l -2 set", "OK"),
        ("LRANGE l -4 -1", r#"["2", "3", "set", "1"]"#),
        ("LRANGE l 5 3", "[]"),
        ("LRANGE l -100 1", r#"["new", "0"]"#),
        ("LREM l -1 1", "(integer) 1"),
        ("LREM l 1 0", "(integer) 1"),
        ("LREM l 0 3", "(integer) 2"),
        ("LRANGE l 0 -1", r#"["new", "1", "2", "0", "1", "2", "set"]"#),
        ("LTRIM l 1 -2", "OK"),
        ("LRANGE l 0 -1", r#"["1", "2", "0", "1", "2"]"#),
        ("LTRIM l 3 2", "OK"),
        ("EXISTS l", "(integer) 0"),
    ]);
}

#[test]
fn positions() {
    let node = node();
    let mut client = node.connect();
    fill(&mut client, "l", ["a", "b", "c", "1", "2", "3", "c", "c"].map(String::from));
    client.expect(&[
        ("LPOS l c", "(integer) 2"),
        ("LPOS l c RANK 2", "(integer) 6"),
        ("LPOS l c RANK -1", "(integer) 7"),
        ("LPOS l c COUNT 0", "[(integer) 2, (integer) 6, (integer) 7]"),
        ("LPOS l c COUNT 2 RANK -1", "[(integer) 7, (integer) 6]"),
        ("LPOS l c COUNT 0 MAXLEN 7", "[(integer) 2, (integer) 6]"),
        ("LPOS l c MAXLEN 2", "(nil)"),
        ("LPOS l x", "(nil)"),
        ("LPOS l x COUNT 1", "[]"),
        ("LPOS none x COUNT 1", "[]"),
        ("LPOS l c COUNT -1", "(error) ERR COUNT can't be negative"),
        ("LPOS l c MAXLEN x", "(error) ERR MAXLEN can't be negative"),
        ("LPOS l c RANK", SYNTAX),
        ("LPOS l c RANK x", NOT_AN_INTEGER),
    ]);
    assert!(client.ask("LPOS l c RANK 0").starts_with("(error) ERR RANK can't be zero"));
}

#[test]
fn from_list_to_list() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH a 1 2 3", "(integer) 3"),
        ("LMOVE a a LEFT RIGHT", "\"1\""),
        ("LMOVE a b right left", "\"1\""),
        ("RPOPLPUSH a b", "\"3\""),
        ("LRANGE b 0 -1", r#"["3", "1"]"#),
        ("LMOVE a b LEFT RIGHT", "\"2\""),
        ("EXISTS a", "(integer) 0"),
        ("RPOPLPUSH a b", "(nil)"),
        ("LMOVE a b UP LEFT", SYNTAX),
        ("LMPOP 2 a b RIGHT COUNT 2", r#"["b", ["2", "1"]]"#),
        ("LMPOP 1 b LEFT", r#"["b", ["3"]]"#),
        ("LMPOP 1 b LEFT", "(nil array)"),
        ("LMPOP 0 b LEFT", "(error) ERR numkeys should be greater than 0"),
        ("LMPOP x b LEFT", "(error) ERR numkeys should be greater than 0"),
        ("LMPOP 2 b LEFT", SYNTAX),
        ("LMPOP 1 b LEFT COUNT 0", "(error) ERR count should be greater than 0"),
        ("LMPOP 1 b LEFT COUNT 1 COUNT 1", SYNTAX),
    ]);
}

#[test]
fn encodings_change_with_the_size() {
    let node = node();
    let mut client = node.connect();
    client.run("CONFIG SET list-max-listpack-size 8");
    fill(&mut client, "l", (0..8).map(|n| n.to_string()));
    client.expect(&[("OBJECT ENCODING l", "\"listpack\""), ("LSET l 1 x", "OK")]);
    // The room for an element is made before its index is looked at.
    client.expect(&[
        ("LSET l 9 x", "(error) ERR index out of range"),
        ("OBJECT ENCODING l", "\"quicklist\""),
        ("LTRIM l 0 4", "OK"),
        ("OBJECT ENCODING l", "\"quicklist\""),
        ("COPY l c", "(integer) 1"),
        ("OBJECT ENCODING c", "\"quicklist\""),
        ("LPOP l", "\"0\""),
        ("OBJECT ENCODING l", "\"listpack\""),
    ]);
    fill(&mut client, "c", (0..40).map(|n| n.to_string()));
    let shown = client.ask("DEBUG OBJECT c");
    let details = " ql_nodes:6 ql_avg_node:7.50 ql_listpack_max:8 ql_compressed:0";
    assert!(shown.contains(details), "{shown}");
    client.expect(&[
        ("DEBUG QUICKLIST l", "(error) ERR Not a quicklist encoded object."),
        ("DEBUG LISTPACK none", "(error) ERR no such key"),
        (
            "DEBUG QUICKLIST-PACKED-THRESHOLD 4gb",
            "(error) ERR argument must be a memory value \
          bigger than 1 and smaller than 4gb",
        ),
        ("DEBUG QUICKLIST-PACKED-THRESHOLD 100b", "OK"),
    ]);
    let large = "x".repeat(100);
    client.call(&["LSET", "c", "20", &large]);
    assert_eq!(client.run("LINDEX c 20"), Reply::from(&large[..]));
    // A large element by itself is no listpack.
    client.expect(&[("LTRIM c 20 20", "OK"), ("OBJECT ENCODING c", "\"quicklist\"")]);
}

#[test]
fn compressed_lists_are_dumped_and_restored() {
    let node = node();
    let mut client = node.connect();
    client.run("CONFIG SET list-compress-depth 1");
    fill(&mut client, "l", (0..5000).map(|n| format!("element {n:08}")));
    let expected = client.run("LRANGE l 0 -1");
    let digest = client.ask("DEBUG DIGEST-VALUE l");
    let Reply::Bulk(payload) = client.run("DUMP l") else { panic!("no payload") };
    assert!(payload.len() < 60_000, "{} bytes", payload.len());
    client.run("CONFIG SET list-compress-depth 0");
    client.call(&[b"RESTORE", &b"r"[..], b"0", &payload]);
    assert_eq!(client.run("LRANGE r 0 -1"), expected);
    assert_eq!(client.ask("DEBUG DIGEST-VALUE r"), digest);
    client.expect(&[("LINDEX l 2500", "\"element 00002500\""), ("LSET l 2500 x", "OK")]);
    client.expect(&[("LPOS l x", "(integer) 2500"), ("LREM l -1 x", "(integer) 1")]);
    assert!(client.run("MEMORY USAGE l").int() < client.run("MEMORY USAGE r").int() / 2);
}

#[test]
fn changes_break_watches_and_count() {
    let node = node();
    let (mut watcher, mut client) = (node.connect(), node.connect());
    for line in ["RPUSH l a b c d", "LSET l 0 x", "LREM l 0 x", "LPOP l", "LTRIM l 0 0", "DEL l"] {
        watcher.run("WATCH l");
        client.run(line);
        watcher.run("MULTI");
        watcher.run("PING");
        assert_eq!(watcher.ask("EXEC"), "(nil array)", "{line}");
    }
    // Nothing changes here.
    for line in ["LREM l 0 x", "LINSERT l BEFORE q x", "LPUSHX l x", "RPOPLPUSH l m"] {
        watcher.run("WATCH l");
        client.run(line);
        watcher.run("MULTI");
        watcher.run("PING");
        assert_eq!(watcher.ask("EXEC"), "[PONG]", "{line}");
    }
}
