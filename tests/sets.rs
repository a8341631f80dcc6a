//! Sets over a socket: replies as a client sees them, in both protocols.

mod common;

use std::collections::BTreeSet;

use common::values::scan_all;
use common::{Client, Node, Reply};
use redis_rust::Config;

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

/// The members of an array or set.
fn members(reply: &Reply) -> BTreeSet<String> {
    let texts = reply.texts();
    let members: BTreeSet<_> = texts.iter().cloned().collect();
    assert_eq!(members.len(), texts.len(), "each member once");
    members
}

fn ask_members(client: &mut Client, line: &str) -> BTreeSet<String> {
    members(&client.run(line))
}

fn named(names: &str) -> BTreeSet<String> {
    names.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn members_come_and_go() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SADD s a b a", "(integer) 2"),
        ("SADD s b", "(integer) 0"),
        ("SCARD s", "(integer) 2"),
        ("SISMEMBER s a", "(integer) 1"),
        ("SISMEMBER s c", "(integer) 0"),
        ("TYPE s", "set"),
        ("SREM s a c", "(integer) 1"),
        ("SREM s b", "(integer) 1"),
        ("EXISTS s", "(integer) 0"),
        ("SREM s b", "(integer) 0"),
        ("SCARD s", "(integer) 0"),
        ("SISMEMBER s a", "(integer) 0"),
        ("SET string x", "OK"),
        ("SADD string a", WRONG_TYPE),
        ("SREM string a", WRONG_TYPE),
        ("SCARD string", WRONG_TYPE),
        ("SMEMBERS string", WRONG_TYPE),
        ("SADD s", "(error) ERR wrong number of arguments for 'sadd' command"),
    ]);
    client.run("SADD s 1 2 x");
    assert_eq!(ask_members(&mut client, "SMEMBERS s"), named("1 2 x"));
    let found: Vec<_> = client.run("SMISMEMBER s 1 3 x").items().iter().map(Reply::int).collect();
    assert_eq!(found, [1, 0, 1]);
    let found: Vec<_> = client.run("SMISMEMBER none 1").items().iter().map(Reply::int).collect();
    assert_eq!(found, [0]);
}

#[test]
fn encodings_follow_the_limits() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SADD s 1 2", "(integer) 2"),
        ("OBJECT ENCODING s", "\"intset\""),
        ("SADD s x", "(integer) 1"),
        ("OBJECT ENCODING s", "\"listpack\""),
        ("CONFIG SET set-max-listpack-entries 3", "OK"),
        ("SADD s y", "(integer) 1"),
        ("OBJECT ENCODING s", "\"hashtable\""),
        ("SREM s x y", "(integer) 2"),
        ("OBJECT ENCODING s", "\"hashtable\""),
        ("COPY s copy", "(integer) 1"),
        ("OBJECT ENCODING copy", "\"hashtable\""),
        ("SINTERSTORE s copy", "(integer) 2"),
        ("OBJECT ENCODING s", "\"intset\""),
        ("CONFIG SET set-max-intset-entries 2", "OK"),
        ("SADD s 3", "(integer) 1"),
        ("OBJECT ENCODING s", "\"hashtable\""),
        ("CONFIG SET set-max-listpack-value 3", "OK"),
        ("SADD t abc", "(integer) 1"),
        ("OBJECT ENCODING t", "\"listpack\""),
        ("SADD t abcd", "(integer) 1"),
        ("OBJECT ENCODING t", "\"hashtable\""),
    ]);
}

#[test]
fn members_move() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SADD a 1 2", "(integer) 2"),
        ("SMOVE a b 1", "(integer) 1"),
        ("SMOVE a b 3", "(integer) 0"),
        ("SMOVE a a 2", "(integer) 1"),
        ("SMOVE a a 3", "(integer) 0"),
        ("SMOVE a b 2", "(integer) 1"),
        ("EXISTS a", "(integer) 0"),
        ("SCARD b", "(integer) 2"),
        ("SET string x", "OK"),
        ("SMOVE a string 1", "(integer) 0"),
        ("SMOVE b string 1", WRONG_TYPE),
        ("SMOVE string b 1", WRONG_TYPE),
        ("SCARD b", "(integer) 2"),
    ]);
}

#[test]
fn algebra() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SADD a 1 2 3 x");
    client.run("SADD b 2 3 y");
    client.run("SADD c 3 x");
    client.run("SET string x");
    assert_eq!(ask_members(&mut client, "SUNION a none b"), named("1 2 3 x y"));
    assert_eq!(ask_members(&mut client, "SINTER a b"), named("2 3"));
    assert_eq!(ask_members(&mut client, "SINTER a b none"), named(""));
    assert_eq!(ask_members(&mut client, "SDIFF a b"), named("1 x"));
    assert_eq!(ask_members(&mut client, "SDIFF a none c"), named("1 2"));
    assert_eq!(ask_members(&mut client, "SDIFF a a"), named(""));
    assert_eq!(ask_members(&mut client, "SDIFF none a"), named(""));
    client.expect(&[
        ("SUNIONSTORE d a b", "(integer) 5"),
        ("SDIFFSTORE d a b", "(integer) 2"),
        ("SINTERSTORE d a b c", "(integer) 1"),
        ("SINTERSTORE a a b", "(integer) 2"),
        ("SINTERCARD 2 a b", "(integer) 2"),
        ("SINTERCARD 2 a b LIMIT 1", "(integer) 1"),
        ("SINTERCARD 2 a none", "(integer) 0"),
        ("SUNIONSTORE string a b", "(integer) 3"),
        ("TYPE string", "set"),
        ("SDIFFSTORE string a a", "(integer) 0"),
        ("EXISTS string", "(integer) 0"),
        ("SET string x", "OK"),
        ("SUNION a string", WRONG_TYPE),
        ("SINTER none string", WRONG_TYPE),
        ("SDIFFSTORE d none string", WRONG_TYPE),
        ("SCARD d", "(integer) 1"),
        ("SINTERCARD 0 a", "(error) ERR numkeys should be greater than 0"),
        ("SINTERCARD x a", "(error) ERR numkeys should be greater than 0"),
        ("SINTERCARD 2 a", "(error) ERR Number of keys can't be greater than number of args"),
        ("SINTERCARD 1 a LIMIT -1", "(error) ERR LIMIT can't be negative"),
        ("SINTERCARD 1 a LIMIT", "(error) ERR syntax error"),
    ]);
}

#[test]
fn pops() {
    let node = Node::start();
    let mut client = node.connect();
    let out_of_range = "(error) ERR value is out of range, must be positive";
    client.expect(&[
        ("SPOP s", "(nil)"),
        ("SPOP s -1", out_of_range),
        ("SPOP s x", out_of_range),
        ("SPOP s 1 2", "(error) ERR syntax error"),
        ("SADD s a", "(integer) 1"),
        ("SPOP s", "\"a\""),
        ("EXISTS s", "(integer) 0"),
    ]);
    for (encoding, prefix) in [("intset", ""), ("listpack", "m"), ("hashtable", &*"m".repeat(70))] {
        for count in [1, 10, 50, 99, 100, 1000] {
            let all: Vec<_> = (0..100).map(|n| format!("{prefix}{n}")).collect();
            client.run(&format!("SADD s {}", all.join(" ")));
            assert_eq!(client.ask("OBJECT ENCODING s"), format!("\"{encoding}\""));
            let mut popped = ask_members(&mut client, &format!("SPOP s {count}"));
            assert_eq!(popped.len(), count.min(100));
            let mut rest = ask_members(&mut client, "SMEMBERS s");
            popped.append(&mut rest);
            assert_eq!(popped, all.into_iter().collect());
            client.run("DEL s");
        }
    }
}

#[test]
fn random_members() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SRANDMEMBER s", "(nil)"),
        ("SRANDMEMBER s x", "(error) ERR value is not an integer or out of range"),
        (
            "SRANDMEMBER s -9223372036854775808",
            "(error) ERR value is out of range, value must between -9223372036854775807 and \
             9223372036854775807",
        ),
        ("SRANDMEMBER s 1 2", "(error) ERR syntax error"),
    ]);
    assert!(client.run("SRANDMEMBER s 3").items().is_empty());
    for prefix in ["", "m", &"m".repeat(70)] {
        let all: BTreeSet<_> = (0..100).map(|n| format!("{prefix}{n}")).collect();
        let list: Vec<_> = all.iter().cloned().collect();
        client.run(&format!("SADD s {}", list.join(" ")));
        assert!(all.contains(&client.run("SRANDMEMBER s").text()));
        for count in [0, 1, 10, 70, 100, 1000] {
            let some = ask_members(&mut client, &format!("SRANDMEMBER s {count}"));
            assert_eq!(some.len(), count.min(100));
            assert!(some.is_subset(&all));
            let some = client.run(&format!("SRANDMEMBER s {}", -(count as i64))).texts();
            assert_eq!(some.len(), count);
            assert!(some.iter().all(|member| all.contains(member)));
        }
        client.run("DEL s");
    }
}

#[test]
fn scans_see_every_member() {
    let node = Node::start();
    let mut client = node.connect();
    for n in 0..1000 {
        client.run(&format!("SADD s member:{n}"));
    }
    let (found, calls) = scan_all(&mut client, "SSCAN s", " COUNT 10 MATCH *:*");
    let seen: BTreeSet<_> = found.into_iter().collect();
    assert_eq!(seen.len(), 1000);
    assert!((20..=200).contains(&calls), "{calls}");
    client.run("SADD small 1 2 33");
    let reply = client.run("SSCAN small 0 COUNT 1 MATCH 3*");
    assert_eq!(
        (reply.items()[0].text(), reply.items()[1].texts()),
        ("0".into(), vec!["33".into()])
    );
    client.expect(&[
        ("SSCAN s x", "(error) ERR invalid cursor"),
        ("SSCAN s 0 COUNT 0", "(error) ERR syntax error"),
        ("SSCAN s 0 TYPE set", "(error) ERR syntax error"),
    ]);
    assert_eq!(client.run_raw("SSCAN none 0 nonsense"), "*2\r\n$1\r\n0\r\n*0\r\n");
}

#[test]
fn replies_in_resp3() {
    let node = Node::start();
    let (mut two, mut three) = (node.connect(), node.connect_resp3());
    two.run("SADD s 7");
    for (command, resp2, resp3) in [
        ("SMEMBERS s", "*1\r\n$1\r\n7\r\n", "~1\r\n$1\r\n7\r\n"),
        ("SUNION s none", "*1\r\n$1\r\n7\r\n", "~1\r\n$1\r\n7\r\n"),
        ("SINTER s s", "*1\r\n$1\r\n7\r\n", "~1\r\n$1\r\n7\r\n"),
        ("SINTER s none", "*0\r\n", "~0\r\n"),
        ("SDIFF s none", "*1\r\n$1\r\n7\r\n", "~1\r\n$1\r\n7\r\n"),
        ("SMEMBERS none", "*0\r\n", "~0\r\n"),
        ("SPOP s 0", "*0\r\n", "~0\r\n"),
        ("SPOP none 1", "*0\r\n", "~0\r\n"),
        ("SPOP none", "$-1\r\n", "_\r\n"),
        ("SRANDMEMBER s 1", "*1\r\n$1\r\n7\r\n", "*1\r\n$1\r\n7\r\n"),
        ("SRANDMEMBER none", "$-1\r\n", "_\r\n"),
        ("SMISMEMBER s 7", "*1\r\n:1\r\n", "*1\r\n:1\r\n"),
    ] {
        assert_eq!(two.run_raw(command), resp2, "{command}");
        assert_eq!(three.run_raw(command), resp3, "{command}");
    }
    assert_eq!(three.run_raw("SPOP s 5"), "~1\r\n$1\r\n7\r\n");
}

/// Sets go from one node to another by DUMP and RESTORE, and stay what they are.
#[test]
fn dump_and_restore() {
    let node = Node::with(Config::default());
    let mut client = node.connect();
    let long = "x".repeat(100);
    for members in ["1 2 70000", "a b 3", &format!("a {long}")] {
        client.run("DEL s copy");
        client.run(&format!("SADD s {members}"));
        let payload = match client.run("DUMP s") {
            Reply::Bulk(payload) => payload,
            other => panic!("{other:?}"),
        };
        let restore: [&[u8]; 4] = [b"RESTORE", b"copy", b"0", &payload];
        assert_eq!(client.call(&restore), Reply::ok());
        assert_eq!(ask_members(&mut client, "SMEMBERS copy"), named(members));
        let encoding = client.ask("OBJECT ENCODING s");
        assert_eq!(client.ask("OBJECT ENCODING copy"), encoding);
    }
}

#[test]
fn changes_are_noticed() {
    let node = Node::start();
    let (mut client, mut other) = (node.connect(), node.connect());
    for change in ["SADD s new", "SREM s a", "SPOP s", "SPOP s 2", "SMOVE s t a", "SUNIONSTORE s t"]
    {
        client.run("DEL s t");
        client.run("SADD s a b c");
        client.run("SADD t x");
        client.run("WATCH s");
        other.run(change);
        client.run("MULTI");
        client.run("PING");
        assert_eq!(client.run("EXEC"), Reply::NullArray, "{change}");
    }
    for nothing in ["SADD s a", "SREM s x", "SMOVE s t x", "SPOP s 0", "SRANDMEMBER s"] {
        client.run("DEL s t");
        client.run("SADD s a b c");
        client.run("WATCH s");
        other.run(nothing);
        client.run("MULTI");
        client.run("PING");
        assert_eq!(client.run("EXEC").items().len(), 1, "{nothing}");
    }
}
