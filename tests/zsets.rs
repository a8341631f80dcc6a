//! Sorted sets over a socket: replies as a client sees them in both protocols, encodings, and
//! payloads of Redis.

mod common;

use std::collections::BTreeSet;

use common::values::{
    changes, check_draws, check_payloads, check_watched, debug_node, scan_all, waiter,
};
use common::{Client, Node};

const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
const SYNTAX: &str = "(error) ERR syntax error";
const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
const NOT_A_FLOAT: &str = "(error) ERR value is not a valid float";

/// What Redis 7.2.6 makes of payloads: a name, the encoding, the digest, the payload in hex.
const PAYLOADS: &str = include_str!("data/dump-zsets-7.2.tsv");

/// `member:0` to the last, with their numbers as scores.
fn fill(client: &mut Client, key: &str, members: usize) {
    let mut args = vec!["ZADD".to_string(), key.to_string()];
    args.extend((0..members).flat_map(|n| [n.to_string(), format!("member:{n}")]));
    assert_eq!(client.call(&args).int(), members as i64);
}

/// Runs the same with a listpack and with a table.
fn in_both_encodings(test: impl Fn(&mut Client)) {
    for (entries, encoding) in [("128", "\"listpack\""), ("0", "\"skiplist\"")] {
        let node = Node::start();
        let mut client = node.connect();
        client.run(&format!("CONFIG SET zset-max-listpack-entries {entries}"));
        client.run("ZADD probe 1 a");
        client.expect(&[("OBJECT ENCODING probe", encoding), ("DEL probe", "(integer) 1")]);
        test(&mut client);
    }
}

#[test]
fn members_are_added_read_and_removed() {
    in_both_encodings(|client| {
        client.expect(&[
            ("ZADD z 1 a 2 b 3 c 1 aa", "(integer) 4"),
            ("ZADD z 5 a 2 b", "(integer) 0"),
            ("ZADD z CH 6 a 2 b 7 d", "(integer) 2"),
            ("ZCARD z", "(integer) 5"),
            ("ZCARD none", "(integer) 0"),
            ("TYPE z", "zset"),
            ("ZSCORE z a", "\"6\""),
            ("ZSCORE z none", "(nil)"),
            ("ZSCORE none a", "(nil)"),
            ("ZMSCORE z b none d", "[\"2\", (nil), \"7\"]"),
            ("ZMSCORE none b c", "[(nil), (nil)]"),
            ("ZRANK z aa", "(integer) 0"),
            ("ZREVRANK z aa", "(integer) 4"),
            ("ZRANK z c WITHSCORE", "[(integer) 2, \"3\"]"),
            ("ZREVRANK z c withscore", "[(integer) 2, \"3\"]"),
            ("ZRANK z none", "(nil)"),
            ("ZRANK z none WITHSCORE", "(nil array)"),
            ("ZRANK none a WITHSCORE", "(nil array)"),
            ("ZREM z none", "(integer) 0"),
            ("ZREM z a b a", "(integer) 2"),
            ("ZRANGE z 0 -1 WITHSCORES", "[\"aa\", \"1\", \"c\", \"3\", \"d\", \"7\"]"),
            ("ZREM z aa c d e", "(integer) 3"),
            ("EXISTS z", "(integer) 0"),
        ]);
    });
}

#[test]
fn rules_of_adding() {
    in_both_encodings(|client| {
        client.expect(&[
            ("ZADD z XX 1 a", "(integer) 0"),
            ("EXISTS z", "(integer) 0"),
            ("ZADD z NX 1 a", "(integer) 1"),
            ("ZADD z NX CH 2 a", "(integer) 0"),
            ("ZADD z XX CH 2 a 3 b", "(integer) 1"),
            ("ZADD z GT CH 1 a 3 b", "(integer) 1"),
            ("ZADD z LT CH 3 a 2 b", "(integer) 1"),
            ("ZRANGE z 0 -1 WITHSCORES", "[\"a\", \"2\", \"b\", \"2\"]"),
            ("ZADD z INCR 1.5 a", "\"3.5\""),
            ("ZADD z NX INCR 1 a", "(nil)"),
            ("ZADD z XX INCR 1 c", "(nil)"),
            ("ZADD z GT INCR -1 a", "(nil)"),
            ("ZADD z LT INCR -1 a", "\"2.5\""),
            ("ZINCRBY z -2.5 a", "\"0\""),
            ("ZINCRBY z inf a", "\"inf\""),
            ("ZINCRBY z -inf a", "(error) ERR resulting score is not a number (NaN)"),
            ("ZADD z NX INCR -inf a", "(nil)"),
            ("ZINCRBY new 3 x", "\"3\""),
            ("ZADD z 1", "(error) ERR wrong number of arguments for 'zadd' command"),
            ("ZADD z 1 a 2", SYNTAX),
            ("ZADD z NX CH", SYNTAX),
            ("ZADD z 1 a x b", NOT_A_FLOAT),
            ("ZADD z nan a", NOT_A_FLOAT),
            (
                "ZADD z XX NX 1 a",
                "(error) ERR XX and NX options at the same time are not compatible",
            ),
            (
                "ZADD z GT LT 1 a",
                "(error) ERR GT, LT, and/or NX options at the same time are not compatible",
            ),
            (
                "ZADD z INCR 1 a 2 b",
                "(error) ERR INCR option supports a single increment-element pair",
            ),
            ("ZSCORE z b", "\"2\""),
        ]);
    });
}

#[test]
fn ranges_from_both_ends() {
    in_both_encodings(|client| {
        client.run("ZADD z 1 a 2 b 3 c 4 d 5 e");
        client.expect(&[
            ("ZRANGE z 1 2", "[\"b\", \"c\"]"),
            ("ZRANGE z -2 -1 REV", "[\"b\", \"a\"]"),
            ("ZREVRANGE z 0 1 WITHSCORES", "[\"e\", \"5\", \"d\", \"4\"]"),
            ("ZRANGE z 5 9", "[]"),
            ("ZRANGE z 3 1", "[]"),
            ("ZRANGE z -100 100", "[\"a\", \"b\", \"c\", \"d\", \"e\"]"),
            ("ZRANGE none 0 -1", "[]"),
            ("ZRANGEBYSCORE z (1 3", "[\"b\", \"c\"]"),
            ("ZRANGEBYSCORE z -inf +inf LIMIT 1 2", "[\"b\", \"c\"]"),
            ("ZRANGEBYSCORE z -inf +inf LIMIT 1 -1", "[\"b\", \"c\", \"d\", \"e\"]"),
            ("ZRANGEBYSCORE z -inf +inf LIMIT -1 2", "[]"),
            ("ZRANGEBYSCORE z -inf +inf LIMIT 9 2", "[]"),
            ("ZREVRANGEBYSCORE z 4 (2 WITHSCORES LIMIT 0 1", "[\"d\", \"4\"]"),
            ("ZRANGE z (5 2 BYSCORE REV LIMIT 1 5", "[\"c\", \"b\"]"),
            ("ZCOUNT z (1 (5", "(integer) 3"),
            ("ZCOUNT z 5 1", "(integer) 0"),
            ("ZRANGESTORE to z 1 -2", "(integer) 3"),
            ("ZRANGE to 0 -1", "[\"b\", \"c\", \"d\"]"),
            ("ZRANGESTORE to z 5 2 BYSCORE REV LIMIT 0 2", "(integer) 2"),
            ("ZRANGE to 0 -1", "[\"d\", \"e\"]"),
            ("ZRANGESTORE to z 9 9", "(integer) 0"),
            ("EXISTS to", "(integer) 0"),
            ("ZREMRANGEBYRANK z 0 0", "(integer) 1"),
            ("ZREMRANGEBYSCORE z (2 3", "(integer) 1"),
            ("ZRANGE z 0 -1", "[\"b\", \"d\", \"e\"]"),
            ("ZREMRANGEBYRANK z -9 9", "(integer) 3"),
            ("EXISTS z", "(integer) 0"),
        ]);
    });
}

#[test]
fn ranges_of_members() {
    in_both_encodings(|client| {
        client.run("ZADD z 0 a 0 b 0 c 0 d");
        client.expect(&[
            ("ZRANGEBYLEX z - +", "[\"a\", \"b\", \"c\", \"d\"]"),
            ("ZRANGEBYLEX z (a [c", "[\"b\", \"c\"]"),
            ("ZREVRANGEBYLEX z + [b LIMIT 1 5", "[\"c\", \"b\"]"),
            ("ZRANGE z [b + BYLEX LIMIT 0 1", "[\"b\"]"),
            ("ZRANGE z + (b BYLEX REV", "[\"d\", \"c\"]"),
            ("ZRANGEBYLEX z + -", "[]"),
            ("ZLEXCOUNT z - (c", "(integer) 2"),
            ("ZREMRANGEBYLEX z (a (c", "(integer) 1"),
            ("ZLEXCOUNT z - +", "(integer) 3"),
        ]);
        let error = "(error) ERR min or max not valid string range item";
        client.expect(&[
            ("ZRANGEBYLEX z a b", error),
            ("ZLEXCOUNT none - x", error),
            ("ZREMRANGEBYLEX z -x +", error),
        ]);
    });
}

#[test]
fn other_types_are_refused() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET s v");
    for command in [
        "ZADD s 1 a",
        "ZINCRBY s 1 a",
        "ZREM s a",
        "ZCARD s",
        "ZSCORE s a",
        "ZMSCORE s a",
        "ZRANK s a",
        "ZCOUNT s 1 2",
        "ZLEXCOUNT s - +",
        "ZRANGE s 0 -1",
        "ZRANGESTORE to s 0 -1",
        "ZREMRANGEBYRANK s 0 1",
        "ZREMRANGEBYSCORE s 0 1",
        "ZREMRANGEBYLEX s - +",
        "ZPOPMIN s",
        "ZMPOP 2 none s MIN",
        "ZRANDMEMBER s",
        "ZRANDMEMBER s 2",
        "ZSCAN s 0",
        "ZUNION 1 s WHAT",
        "ZINTERSTORE to 2 none s",
        "ZINTERCARD 1 s",
        "ZDIFF 2 s none",
    ] {
        assert_eq!(client.ask(command), WRONG_TYPE, "{command}");
    }
    client.run("ZADD z 1 a");
    client.expect(&[("GET z", WRONG_TYPE)]);
}

#[test]
fn errors_are_those_of_redis() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("ZADD z 1 a");
    let float = "(error) ERR min or max is not a float";
    let limit = "(error) ERR syntax error, LIMIT is only supported in combination with either \
                 BYSCORE or BYLEX";
    let scores = "(error) ERR syntax error, WITHSCORES not supported in combination with BYLEX";
    let numkeys = "(error) ERR numkeys should be greater than 0";
    let positive = "(error) ERR value is out of range, must be positive";
    client.expect(&[
        ("ZRANGE z 0 1 LIMIT 0 1", limit),
        ("ZRANGE z - + BYLEX WITHSCORES", scores),
        ("ZRANGE z x 1", NOT_AN_INTEGER),
        ("ZRANGE z 0 1 BYLEX BYSCORE", SYNTAX),
        ("ZREVRANGE z 0 1 REV", SYNTAX),
        ("ZRANGESTORE to z 0 1 WITHSCORES", SYNTAX),
        ("ZRANGEBYSCORE z x 1", float),
        ("ZRANGEBYSCORE z 0 1 LIMIT 1", SYNTAX),
        ("ZRANGEBYSCORE z 0 1 LIMIT 1 x", NOT_AN_INTEGER),
        ("ZCOUNT z 1 nan", float),
        ("ZRANK z a WHAT", SYNTAX),
        ("ZRANK z a WITHSCORE x", "(error) ERR wrong number of arguments for 'zrank' command"),
        ("ZPOPMIN z -1", positive),
        ("ZPOPMIN z x", positive),
        ("ZPOPMIN z 1 2", SYNTAX),
        ("ZMPOP 0 z MIN", numkeys),
        ("ZMPOP x z MIN", numkeys),
        ("ZMPOP 2 z MIN", SYNTAX),
        ("ZMPOP 1 z MID", SYNTAX),
        ("ZMPOP 1 z MIN COUNT 0", "(error) ERR count should be greater than 0"),
        ("ZMPOP 1 z MIN COUNT", SYNTAX),
        ("ZMPOP 1 z MIN COUNT 1 COUNT 1", SYNTAX),
        ("ZUNION 0 z", "(error) ERR at least 1 input key is needed for 'zunion' command"),
        (
            "ZDIFFSTORE to -1 z",
            "(error) ERR at least 1 input key is needed for 'zdiffstore' command",
        ),
        ("ZUNION 2 z", SYNTAX),
        ("ZUNION x z", NOT_AN_INTEGER),
        ("ZUNION 1 z WEIGHTS", SYNTAX),
        ("ZUNION 1 z WEIGHTS x", "(error) ERR weight value is not a float"),
        ("ZUNION 1 z AGGREGATE AVG", SYNTAX),
        ("ZDIFF 1 z WEIGHTS 1", SYNTAX),
        ("ZUNIONSTORE to 1 z WITHSCORES", SYNTAX),
        ("ZINTERCARD 1 z LIMIT -1", "(error) ERR LIMIT can't be negative"),
        ("ZINTERCARD 1 z LIMIT", SYNTAX),
        ("ZRANDMEMBER z x", NOT_AN_INTEGER),
        ("ZRANDMEMBER z 1 WHAT", SYNTAX),
        ("ZRANDMEMBER z -9223372036854775807 WITHSCORES", "(error) ERR value is out of range"),
        ("ZSCAN z x", "(error) ERR invalid cursor"),
        ("ZSCAN z 0 COUNT 0", SYNTAX),
        ("ZSCAN none 0 WHAT", "[\"0\", []]"),
        ("ZCARD z", "(integer) 1"),
    ]);
}

#[test]
fn unions_intersections_and_differences() {
    in_both_encodings(|client| {
        client.run("ZADD a 1 x 2 y 3 z");
        client.run("ZADD b 10 y 20 z 30 w");
        client.run("SADD s x y");
        client.expect(&[
            (
                "ZUNION 2 a b WITHSCORES",
                "[\"x\", \"1\", \"y\", \"12\", \"z\", \"23\", \"w\", \"30\"]",
            ),
            (
                "ZUNION 2 a b AGGREGATE MAX WITHSCORES WEIGHTS 1 0.5",
                "[\"x\", \"1\", \"y\", \"5\", \"z\", \"10\", \"w\", \"15\"]",
            ),
            ("ZUNION 2 a s AGGREGATE MIN WITHSCORES", "[\"x\", \"1\", \"y\", \"1\", \"z\", \"3\"]"),
            ("ZINTER 2 a b", "[\"y\", \"z\"]"),
            ("ZINTER 3 a b s WITHSCORES", "[\"y\", \"13\"]"),
            ("ZINTER 2 a none", "[]"),
            ("ZDIFF 2 a b WITHSCORES", "[\"x\", \"1\"]"),
            ("ZDIFF 3 a none s", "[\"z\"]"),
            ("ZDIFF 2 a a", "[]"),
            ("ZINTERCARD 2 a b", "(integer) 2"),
            ("ZINTERCARD 2 a b LIMIT 1", "(integer) 1"),
            ("ZINTERCARD 2 a b LIMIT 0", "(integer) 2"),
            ("ZUNIONSTORE to 2 a b WEIGHTS 2 -1", "(integer) 4"),
            (
                "ZRANGE to 0 -1 WITHSCORES",
                "[\"w\", \"-30\", \"z\", \"-14\", \"y\", \"-6\", \"x\", \"2\"]",
            ),
            ("ZINTERSTORE to 2 to a", "(integer) 3"),
            ("ZDIFFSTORE to 2 to b", "(integer) 1"),
            ("ZRANGE to 0 -1 WITHSCORES", "[\"x\", \"3\"]"),
            ("ZINTERSTORE to 2 to none", "(integer) 0"),
            ("EXISTS to", "(integer) 0"),
        ]);
    });
}

#[test]
fn members_are_popped() {
    in_both_encodings(|client| {
        client.run("ZADD z 1 a 2 b 3 c 4 d 5 e 6 f");
        client.expect(&[
            ("ZPOPMIN z", "[\"a\", \"1\"]"),
            ("ZPOPMAX z 2", "[\"f\", \"6\", \"e\", \"5\"]"),
            ("ZPOPMIN z 0", "[]"),
            ("ZPOPMIN none", "[]"),
            ("ZPOPMIN none 3", "[]"),
            ("ZMPOP 2 none z MAX", "[\"z\", [[\"d\", \"4\"]]]"),
            ("ZMPOP 1 z MIN COUNT 10", "[\"z\", [[\"b\", \"2\"], [\"c\", \"3\"]]]"),
            ("ZMPOP 1 z MIN", "(nil array)"),
            ("EXISTS z", "(integer) 0"),
        ]);
    });
}

#[test]
fn replies_differ_by_protocol() {
    let node = Node::start();
    let (mut old, mut new) = (node.connect(), node.connect_resp3());
    old.run("ZADD z 1.5 a");
    for (command, resp2, resp3) in [
        ("ZSCORE z a", "$3\r\n1.5\r\n", ",1.5\r\n"),
        ("ZSCORE z x", "$-1\r\n", "_\r\n"),
        ("ZINCRBY z 0 a", "$3\r\n1.5\r\n", ",1.5\r\n"),
        ("ZRANGE z 0 -1", "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n"),
        (
            "ZRANGE z 0 -1 WITHSCORES",
            "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n",
        ),
        ("ZRANK z a WITHSCORE", "*2\r\n:0\r\n$3\r\n1.5\r\n", "*2\r\n:0\r\n,1.5\r\n"),
        ("ZRANK z x WITHSCORE", "*-1\r\n", "_\r\n"),
        ("ZMPOP 1 none MIN", "*-1\r\n", "_\r\n"),
        (
            "ZUNION 1 z WITHSCORES",
            "*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n",
        ),
        (
            "ZRANDMEMBER z -2 WITHSCORES",
            "*4\r\n$1\r\na\r\n$3\r\n1.5\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*2\r\n*2\r\n$1\r\na\r\n,1.5\r\n*2\r\n$1\r\na\r\n,1.5\r\n",
        ),
        (
            "ZSCAN z 0",
            "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
            "*2\r\n$1\r\n0\r\n*2\r\n$1\r\na\r\n$3\r\n1.5\r\n",
        ),
    ] {
        assert_eq!(old.run_raw(command), resp2, "{command}");
        assert_eq!(new.run_raw(command), resp3, "{command}");
    }
    old.run("ZADD z 1 b 2 c 3 d");
    assert_eq!(new.run_raw("ZPOPMIN z"), "*2\r\n$1\r\nb\r\n,1\r\n");
    assert_eq!(new.run_raw("ZPOPMIN z 1"), "*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
    assert_eq!(
        new.run_raw("ZMPOP 1 z MAX COUNT 9"),
        "*2\r\n$1\r\nz\r\n*2\r\n*2\r\n$1\r\nd\r\n,3\r\n*2\r\n$1\r\nc\r\n,2\r\n"
    );
}

#[test]
fn encodings_follow_the_configuration() {
    let node = debug_node();
    let mut client = node.connect();
    fill(&mut client, "z", 128);
    client.expect(&[
        ("OBJECT ENCODING z", "\"listpack\""),
        ("COPY z same", "(integer) 1"),
        ("ZADD z 5000 member:0", "(integer) 0"),
        ("OBJECT ENCODING z", "\"listpack\""),
        ("ZADD z 1 one-more", "(integer) 1"),
        ("OBJECT ENCODING z", "\"skiplist\""),
        ("ZREM z one-more", "(integer) 1"),
        ("ZADD z 0 member:0", "(integer) 0"),
        ("OBJECT ENCODING z", "\"skiplist\""),
    ]);
    let digests = client.run("DEBUG DIGEST-VALUE z same");
    assert_eq!(digests.texts()[0], digests.texts()[1]);
    client.expect(&[
        ("ZUNIONSTORE smaller 1 z", "(integer) 128"),
        ("OBJECT ENCODING smaller", "\"listpack\""),
        ("ZRANGESTORE smaller z 0 100", "(integer) 101"),
        ("OBJECT ENCODING smaller", "\"listpack\""),
        ("CONFIG SET zset-max-listpack-entries 1 zset-max-listpack-value 3", "OK"),
        ("ZADD small 1 a", "(integer) 1"),
        ("OBJECT ENCODING small", "\"listpack\""),
        ("ZADD small 1 four", "(integer) 1"),
        ("OBJECT ENCODING small", "\"skiplist\""),
        ("COPY same copied", "(integer) 1"),
        ("OBJECT ENCODING copied", "\"listpack\""),
    ]);
    assert!(client.ask("DEBUG HTSTATS-KEY z").contains("number of elements: 128"));
}

#[test]
fn scans_and_draws_come_from_the_whole_set() {
    let node = Node::start();
    let mut client = node.connect();
    for members in [100, 2000] {
        client.run("DEL z");
        fill(&mut client, "z", members);
        let (found, _) = scan_all(&mut client, "ZSCAN z", " COUNT 50");
        let pairs = found.chunks(2).inspect(|pair| {
            assert_eq!(pair[0], format!("member:{}", pair[1]));
        });
        let seen: BTreeSet<_> = pairs.map(|pair| pair[0].clone()).collect();
        assert_eq!(seen.len(), members);
        assert_eq!(client.run("ZSCAN z 0 MATCH none* COUNT 100000").items()[1].items().len(), 0);
        check_draws(&mut client, "ZRANDMEMBER z", &seen);
    }
}

#[test]
fn changes_are_counted_and_break_transactions() {
    let node = Node::start();
    let commands = [("ZADD z 1 a", false), ("ZADD z 2 a", true), ("ZREM z a", true)];
    check_watched(&node, "z", "ZADD z 1 a", &commands);
    let mut other = node.connect();
    for (command, count) in [
        ("ZADD z 1 a 2 b 3 c", 3),
        ("ZADD z 1 a 5 b", 1),
        ("ZADD z XX 1 none", 0),
        ("ZRANGESTORE to z 0 -1", 1),
        ("ZUNIONSTORE to 1 none", 1),
        ("ZUNIONSTORE to 1 none", 0),
        ("ZREM z a x", 1),
        ("ZPOPMIN z 5", 2),
        ("ZREMRANGEBYRANK z 0 -1", 0),
    ] {
        let before = changes(&mut other);
        other.run(command);
        assert_eq!(changes(&mut other), before + count, "{command}");
    }
}

#[test]
fn payloads_of_redis_are_restored() {
    check_payloads(PAYLOADS, |_, _| {});
}

#[test]
fn big_sets_are_freed_by_the_helper() {
    let node = Node::start();
    let mut client = node.connect();
    for round in 0..10 {
        let mut args = vec!["ZADD".to_string(), "z".to_string()];
        args.extend((0..5000).flat_map(|n| [n.to_string(), format!("{round}:{n:012}")]));
        client.call(&args);
    }
    let usage = client.run("MEMORY USAGE z").int();
    assert!((2_500_000..3_100_000).contains(&usage), "{usage}");
    client.expect(&[("ZREMRANGEBYRANK z 0 -1", "(integer) 50000"), ("EXISTS z", "(integer) 0")]);
    common::wait_until("the sorted set is freed", || {
        let info = client.run("INFO memory").text();
        info.contains("lazyfree_pending_objects:0")
    });
}

#[test]
fn commands_wait_for_members() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET s v");
    client.run("ZADD z 1 a 2 b 3 c 4 d");
    client.expect(&[
        ("BZPOPMIN none z 0", "[\"z\", \"a\", \"1\"]"),
        ("BZPOPMAX z none 0.1", "[\"z\", \"d\", \"4\"]"),
        ("BZMPOP 0 2 none z MAX COUNT 9", "[\"z\", [[\"c\", \"3\"], [\"b\", \"2\"]]]"),
        ("EXISTS z", "(integer) 0"),
        ("BZPOPMIN z 0.01", "(nil array)"),
        ("BZMPOP 0.01 1 z MIN", "(nil array)"),
        ("BZPOPMIN z s 0", WRONG_TYPE),
        ("BZPOPMIN z x", "(error) ERR timeout is not a float or out of range"),
        ("BZPOPMIN z -1", "(error) ERR timeout is negative"),
        ("BZMPOP 0 0 z MIN", "(error) ERR numkeys should be greater than 0"),
        ("BZMPOP x 1 z MID", SYNTAX),
        ("BZMPOP -1 1 z MIN", "(error) ERR timeout is negative"),
    ]);
    let mut first = waiter(&node, &mut client, 1, "BZPOPMIN z 0");
    let mut second = waiter(&node, &mut client, 2, "BZMPOP 0 2 y z MAX COUNT 2");
    client.run("ZADD z 5 e 6 f 7 g");
    assert_eq!(first.read().to_string(), "[\"z\", \"e\", \"5\"]");
    assert_eq!(second.read().to_string(), "[\"z\", [[\"g\", \"7\"], [\"f\", \"6\"]]]");
    client.expect(&[
        ("EXISTS z", "(integer) 0"),
        ("MULTI", "OK"),
        ("BZPOPMIN z 0", "QUEUED"),
        ("EXEC", "[(nil array)]"),
    ]);
    let mut new = node.connect_resp3();
    client.run("ZADD z 1.5 a 2.5 b");
    assert_eq!(new.run_raw("BZPOPMAX z 0"), "*3\r\n$1\r\nz\r\n$1\r\nb\r\n,2.5\r\n");
    assert_eq!(new.run_raw("BZMPOP 0 1 z MIN"), "*2\r\n$1\r\nz\r\n*1\r\n*2\r\n$1\r\na\r\n,1.5\r\n");
    // Whatever creates a sorted set wakes those who wait for it.
    client.run("GEOADD g 1 1 a 2 2 b");
    for command in
        ["ZUNIONSTORE z 1 g", "RENAME g z", "GEOSEARCHSTORE z h FROMLONLAT 1 1 BYRADIUS 9 m"]
    {
        let mut waiting = waiter(&node, &mut client, 1, "BZPOPMIN z 0");
        client.run("GEOADD h 1 1 a");
        client.run(command);
        assert_eq!(waiting.read().texts()[..2], ["z", "a"], "{command}");
        client.run("DEL z");
    }
}
