//! Consumer groups over a socket: what they are given, claim and acknowledge. The expected replies
//! are those of Redis 7.2.6.

mod common;

use common::Node;

#[test]
fn groups_are_made_and_removed() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        (
            "XGROUP CREATE s g $",
            "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
             you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        (
            "XGROUP SETID s g 0",
            "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
             you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        (
            "XGROUP CREATE s g x MKSTREAM",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("EXISTS s", "(integer) 0"),
        ("XGROUP CREATE s g $ MKSTREAM", "OK"),
        ("XGROUP CREATE s g $ MKSTREAM", "(error) BUSYGROUP Consumer Group name already exists"),
        ("XGROUP CREATE s g $", "(error) BUSYGROUP Consumer Group name already exists"),
        ("XGROUP CREATE s h 5 ENTRIESREAD 3", "OK"),
        (
            "XGROUP CREATE s i 5 ENTRIESREAD -2",
            "(error) ERR value for ENTRIESREAD must be positive or -1",
        ),
        (
            "XGROUP CREATE s i 5 ENTRIESREAD x",
            "(error) ERR value is not an integer or out of range",
        ),
        (
            "XGROUP CREATE s i 5 ENTRIESREAD",
            "(error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP \
             HELP.",
        ),
        (
            "XGROUP CREATE s i 5 FOO",
            "(error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP \
             HELP.",
        ),
        (
            "XGROUP CREATE s i 5 MKSTREAM MKSTREAM MKSTREAM MKSTREAM",
            "(error) ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP \
             HELP.",
        ),
        (
            "XGROUP CREATE s i -",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("XGROUP SETID s h 7-7", "OK"),
        ("XGROUP SETID s h - ENTRIESREAD 9", "OK"),
        (
            "XGROUP SETID s h $ ENTRIESREAD 9 ENTRIESREAD 8",
            "(error) ERR unknown subcommand or wrong number of arguments for 'SETID'. Try XGROUP \
             HELP.",
        ),
        ("XGROUP SETID s none $", "(error) NOGROUP No such consumer group 'none' for key name 's'"),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 0, \"pending\", (integer) 0, \
             \"last-delivered-id\", \"0-0\", \"entries-read\", (nil), \"lag\", (integer) 0], \
             [\"name\", \"h\", \"consumers\", (integer) 0, \"pending\", (integer) 0, \
             \"last-delivered-id\", \"0-0\", \"entries-read\", (integer) 9, \"lag\", (integer) \
             0]]",
        ),
    ]);
}

#[test]
fn consumers_are_made_and_removed() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("XGROUP CREATE s g $ MKSTREAM", "OK"),
        ("XGROUP CREATE s h $", "OK"),
        ("XGROUP CREATECONSUMER s g bob", "(integer) 1"),
        ("XGROUP CREATECONSUMER s g bob", "(integer) 0"),
        ("XGROUP CREATECONSUMER s g alice", "(integer) 1"),
        (
            "XGROUP CREATECONSUMER s none alice",
            "(error) NOGROUP No such consumer group 'none' for key name 's'",
        ),
        ("XGROUP DELCONSUMER s g bob", "(integer) 0"),
        ("XGROUP DELCONSUMER s g bob", "(integer) 0"),
        (
            "XGROUP DELCONSUMER s none bob",
            "(error) NOGROUP No such consumer group 'none' for key name 's'",
        ),
        ("XGROUP DESTROY s g", "(integer) 1"),
        ("XGROUP DESTROY s g", "(integer) 0"),
        (
            "XGROUP DESTROY none g",
            "(error) ERR The XGROUP subcommand requires the key to exist. Note that for CREATE \
             you may want to use the MKSTREAM option to create an empty stream automatically.",
        ),
        ("XGROUP FOO s g", "(error) ERR unknown subcommand 'FOO'. Try XGROUP HELP."),
        ("XGROUP CREATE s", "(error) ERR wrong number of arguments for 'xgroup|create' command"),
    ]);
}

#[test]
fn what_is_not_there_is_not_described() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("XGROUP CREATE s h $ MKSTREAM", "OK"),
        ("XINFO CONSUMERS s g", "(error) NOGROUP No such consumer group 'g' for key name 's'"),
        ("XINFO CONSUMERS s h", "[]"),
        ("XINFO CONSUMERS none h", "(error) ERR no such key"),
        ("XINFO STREAM none", "(error) ERR no such key"),
        (
            "XINFO STREAM s FOO",
            "(error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO \
             HELP.",
        ),
        (
            "XINFO STREAM s FULL COUNT",
            "(error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO \
             HELP.",
        ),
        (
            "XINFO STREAM s FULL FOO 1",
            "(error) ERR unknown subcommand or wrong number of arguments for 'STREAM'. Try XINFO \
             HELP.",
        ),
        ("XINFO STREAM s FULL COUNT x", "(error) ERR value is not an integer or out of range"),
        ("XINFO GROUPS none", "(error) ERR no such key"),
    ]);
}

#[test]
fn entries_are_given_once() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-0 f a", r#""1-0""#),
        ("XADD s 2-0 f b", r#""2-0""#),
        ("XADD s 3-0 f c", r#""3-0""#),
        ("XGROUP CREATE s g 0", "OK"),
        ("XREADGROUP GROUP g alice COUNT 1 STREAMS s >", r#"[["s", [["1-0", ["f", "a"]]]]]"#),
        (
            "XREADGROUP GROUP g bob STREAMS s >",
            r#"[["s", [["2-0", ["f", "b"]], ["3-0", ["f", "c"]]]]]"#,
        ),
        ("XREADGROUP GROUP g bob STREAMS s >", "(nil array)"),
        ("XREADGROUP GROUP g alice STREAMS s 0", r#"[["s", [["1-0", ["f", "a"]]]]]"#),
        ("XREADGROUP GROUP g bob COUNT 1 STREAMS s 2-0", r#"[["s", [["3-0", ["f", "c"]]]]]"#),
        ("XREADGROUP GROUP g carol STREAMS s 0", r#"[["s", []]]"#),
        ("XPENDING s g", r#"[(integer) 3, "1-0", "3-0", [["alice", "1"], ["bob", "2"]]]"#),
        ("XPENDING s none", "(error) NOGROUP No such key 's' or consumer group 'none'"),
        ("XPENDING none g", "(error) NOGROUP No such key 'none' or consumer group 'g'"),
        ("XPENDING s g - +", "(error) ERR syntax error"),
        ("XPENDING s g - + x", "(error) ERR value is not an integer or out of range"),
        ("XPENDING s g - + 5 nobody", "[]"),
        ("XPENDING s g IDLE 0 - +", "(error) ERR syntax error"),
        ("XPENDING s g IDLE x - + 5", "(error) ERR value is not an integer or out of range"),
        ("XPENDING s g IDLE 1000000 - + 5", "[]"),
        ("XPENDING s g (3 + 5", "[]"),
        ("XDEL s 2-0", "(integer) 1"),
        (
            "XREADGROUP GROUP g bob STREAMS s 0",
            r#"[["s", [["2-0", (nil array)], ["3-0", ["f", "c"]]]]]"#,
        ),
        ("XACK s g 1-0 2-0 2-0 9-9", "(integer) 2"),
        ("XACK s g x", "(error) ERR Invalid stream ID specified as stream command argument"),
        ("XACK s none x", "(integer) 0"),
        ("XACK none g x", "(integer) 0"),
        ("XPENDING s g", r#"[(integer) 1, "3-0", "3-0", [["bob", "1"]]]"#),
        ("XREADGROUP GROUP g alice NOACK STREAMS s >", "(nil array)"),
        ("XADD s 4-0 f d", r#""4-0""#),
        ("XREADGROUP GROUP g alice NOACK STREAMS s >", r#"[["s", [["4-0", ["f", "d"]]]]]"#),
        ("XPENDING s g", r#"[(integer) 1, "3-0", "3-0", [["bob", "1"]]]"#),
        // Given once more to someone else.
        ("XGROUP SETID s g 0", "OK"),
        (
            "XREADGROUP GROUP g alice STREAMS s >",
            r#"[["s", [["1-0", ["f", "a"]], ["3-0", ["f", "c"]], ["4-0", ["f", "d"]]]]]"#,
        ),
        ("XPENDING s g", r#"[(integer) 3, "1-0", "4-0", [["alice", "3"]]]"#),
        ("XGROUP DELCONSUMER s g alice", "(integer) 3"),
        ("XPENDING s g", "[(integer) 0, (nil), (nil), (nil array)]"),
    ]);
}

#[test]
fn entries_are_claimed() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-0 f a", r#""1-0""#),
        ("XADD s 2-0 f b", r#""2-0""#),
        ("XADD s 3-0 f c", r#""3-0""#),
        ("XADD s 4-0 f d", r#""4-0""#),
        ("XGROUP CREATE s g 0", "OK"),
        (
            "XREADGROUP GROUP g alice COUNT 3 STREAMS s >",
            r#"[["s", [["1-0", ["f", "a"]], ["2-0", ["f", "b"]], ["3-0", ["f", "c"]]]]]"#,
        ),
        ("XCLAIM s g bob 0 1-0 9-9", r#"[["1-0", ["f", "a"]]]"#),
        ("XCLAIM s g bob 0 2-0 JUSTID", r#"["2-0"]"#),
        ("XCLAIM s g bob 1000000 3-0", "[]"),
        ("XCLAIM s g bob 0 4-0", "[]"),
        ("XCLAIM s g bob 0 4-0 FORCE RETRYCOUNT 7 JUSTID LASTID 4-0", r#"["4-0"]"#),
        ("XPENDING s g", r#"[(integer) 4, "1-0", "4-0", [["alice", "1"], ["bob", "3"]]]"#),
        ("XDEL s 2-0", "(integer) 1"),
        ("XCLAIM s g carol 0 2-0", "[]"),
        ("XPENDING s g", r#"[(integer) 3, "1-0", "4-0", [["alice", "1"], ["bob", "2"]]]"#),
        ("XCLAIM s g carol x 1-0", "(error) ERR Invalid min-idle-time argument for XCLAIM"),
        ("XCLAIM s g carol 0 1-0 IDLE x", "(error) ERR Invalid IDLE option argument for XCLAIM"),
        ("XCLAIM s g carol 0 1-0 TIME x", "(error) ERR Invalid TIME option argument for XCLAIM"),
        (
            "XCLAIM s g carol 0 1-0 RETRYCOUNT x",
            "(error) ERR Invalid RETRYCOUNT option argument for XCLAIM",
        ),
        (
            "XCLAIM s g carol 0 1-0 LASTID x",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("XCLAIM s g carol 0 1-0 FOO", "(error) ERR Unrecognized XCLAIM option 'FOO'"),
        ("XCLAIM s g carol 0 1-0 IDLE", "(error) ERR Unrecognized XCLAIM option 'IDLE'"),
        ("XCLAIM s none carol 0 1-0", "(error) NOGROUP No such key 's' or consumer group 'none'"),
        ("XCLAIM none g carol x 1-0", "(error) NOGROUP No such key 'none' or consumer group 'g'"),
        ("XAUTOCLAIM s g dave 0 - COUNT 1", r#"["3-0", [["1-0", ["f", "a"]]], []]"#),
        ("XDEL s 3-0", "(integer) 1"),
        ("XAUTOCLAIM s g dave 0 (1-0 COUNT 2", r#"["0-0", [["4-0", ["f", "d"]]], ["3-0"]]"#),
        ("XAUTOCLAIM s g dave 1000000 0", r#"["0-0", [], []]"#),
        ("XAUTOCLAIM s g dave 0 0 JUSTID", r#"["0-0", ["1-0", "4-0"], []]"#),
        ("XAUTOCLAIM s g dave x 0", "(error) ERR Invalid min-idle-time argument for XAUTOCLAIM"),
        (
            "XAUTOCLAIM s g dave 0 x",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("XAUTOCLAIM s g dave 0 0 COUNT 0", "(error) ERR COUNT must be > 0"),
        ("XAUTOCLAIM s g dave 0 0 COUNT x", "(error) ERR COUNT must be > 0"),
        ("XAUTOCLAIM s g dave 0 0 FOO", "(error) ERR syntax error"),
        ("XAUTOCLAIM s none dave 0 0", "(error) NOGROUP No such key 's' or consumer group 'none'"),
        ("XAUTOCLAIM none g dave 0 0", "(error) NOGROUP No such key 'none' or consumer group 'g'"),
    ]);
}

#[test]
fn lag() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("XGROUP CREATE s g $ MKSTREAM", "OK"),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 0, \"pending\", (integer) 0, \
             \"last-delivered-id\", \"0-0\", \"entries-read\", (nil), \"lag\", (integer) 0]]",
        ),
        ("XADD s 1-0 f v", r#""1-0""#),
        ("XADD s 2-0 f v", r#""2-0""#),
        ("XADD s 3-0 f v", r#""3-0""#),
        ("XADD s 4-0 f v", r#""4-0""#),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 0, \"pending\", (integer) 0, \
             \"last-delivered-id\", \"0-0\", \"entries-read\", (nil), \"lag\", (integer) 4]]",
        ),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS s >", r#"[["s", [["1-0", ["f", "v"]]]]]"#),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 1, \
             \"last-delivered-id\", \"1-0\", \"entries-read\", (integer) 1, \"lag\", (integer) \
             3]]",
        ),
        ("XDEL s 3-0", "(integer) 1"),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 1, \
             \"last-delivered-id\", \"1-0\", \"entries-read\", (integer) 1, \"lag\", (nil)]]",
        ),
        ("XREADGROUP GROUP g c COUNT 1 STREAMS s >", r#"[["s", [["2-0", ["f", "v"]]]]]"#),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 2, \
             \"last-delivered-id\", \"2-0\", \"entries-read\", (nil), \"lag\", (nil)]]",
        ),
        ("XREADGROUP GROUP g c STREAMS s >", r#"[["s", [["4-0", ["f", "v"]]]]]"#),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 3, \
             \"last-delivered-id\", \"4-0\", \"entries-read\", (integer) 4, \"lag\", (integer) \
             0]]",
        ),
        ("XTRIM s MAXLEN 0", "(integer) 3"),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 3, \
             \"last-delivered-id\", \"4-0\", \"entries-read\", (integer) 4, \"lag\", (integer) \
             0]]",
        ),
    ]);
}
