//! Streams over a socket: replies in both protocols, errors and their order. The expected replies
//! are those of Redis 7.2.6.

mod common;

use common::Node;
use redis_rust::Config;
use redis_rust::config::ProtectedAction;

fn node() -> Node {
    let debug = ProtectedAction::Yes;
    Node::with(Config {
        enable_debug_command: debug,
        stream_node_max_entries: 4,
        ..Config::default()
    })
}

#[test]
fn ids_are_given_and_checked() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 5-1 f v", r#""5-1""#),
        ("XADD s 5-* f v", r#""5-2""#),
        ("XADD s 5-* g w", r#""5-3""#),
        ("XADD s 7-* f v", r#""7-0""#),
        (
            "XADD s 7-0 f v",
            "(error) ERR The ID specified in XADD is equal or smaller than the target stream top \
             item",
        ),
        (
            "XADD s 6-9 f v",
            "(error) ERR The ID specified in XADD is equal or smaller than the target stream top \
             item",
        ),
        ("XADD s 8 f v", r#""8-0""#),
        ("XADD s 0-0 f v", "(error) ERR The ID specified in XADD must be greater than 0-0"),
        ("XADD new 0-0 f v", "(error) ERR The ID specified in XADD must be greater than 0-0"),
        ("XADD new 0-* f v", r#""0-1""#),
        ("XADD s - f v", "(error) ERR Invalid stream ID specified as stream command argument"),
        ("XADD s 9-x f v", "(error) ERR Invalid stream ID specified as stream command argument"),
        (
            "XADD s 99999999999999999999 f v",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("XADD s 9-1 f", "(error) ERR wrong number of arguments for 'xadd' command"),
        ("XADD s 9-1 f v g", "(error) ERR wrong number of arguments for 'xadd' command"),
        ("XADD s MAXLEN 5 9-1", "(error) ERR wrong number of arguments for 'xadd' command"),
        (
            "XADD s 18446744073709551615-18446744073709551615 last v",
            r#""18446744073709551615-18446744073709551615""#,
        ),
        (
            "XADD s * f v",
            "(error) ERR The stream has exhausted the last possible ID, unable to add more items",
        ),
        (
            "XADD s 5-5 f v",
            "(error) ERR The stream has exhausted the last possible ID, unable to add more items",
        ),
        ("XLEN s", "(integer) 6"),
        ("XLEN none", "(integer) 0"),
        (
            "XRANGE s - +",
            "[[\"5-1\", [\"f\", \"v\"]], [\"5-2\", [\"f\", \"v\"]], [\"5-3\", [\"g\", \"w\"]], \
             [\"7-0\", [\"f\", \"v\"]], [\"8-0\", [\"f\", \"v\"]], \
             [\"18446744073709551615-18446744073709551615\", [\"last\", \"v\"]]]",
        ),
    ]);
}

#[test]
fn a_stream_is_created_only_if_wanted() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s NOMKSTREAM 1-1 f v", "(nil)"),
        ("EXISTS s", "(integer) 0"),
        ("XADD s 1-1 f v", r#""1-1""#),
        ("XADD s NOMKSTREAM 2-1 f v", r#""2-1""#),
        ("XDEL s 1-1 2-1 2-1 3-1", "(integer) 2"),
        ("XLEN s", "(integer) 0"),
        ("TYPE s", "stream"),
        ("OBJECT ENCODING s", r#""stream""#),
        (
            "XADD s 2-1 f v",
            "(error) ERR The ID specified in XADD is equal or smaller than the target stream top \
             item",
        ),
        ("XADD s 2-2 f v", r#""2-2""#),
    ]);
}

#[test]
fn ranges() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-1 f a", r#""1-1""#),
        ("XADD s 1-2 f b g 17", r#""1-2""#),
        ("XADD s 2-0 f c", r#""2-0""#),
        ("XADD s 3-0 f d", r#""3-0""#),
        ("XADD s 4-0 f e", r#""4-0""#),
        ("XADD s 5-0 f g", r#""5-0""#),
        (
            "XRANGE s 1 2",
            r#"[["1-1", ["f", "a"]], ["1-2", ["f", "b", "g", "17"]], ["2-0", ["f", "c"]]]"#,
        ),
        (
            "XRANGE s (1-1 (3",
            r#"[["1-2", ["f", "b", "g", "17"]], ["2-0", ["f", "c"]], ["3-0", ["f", "d"]]]"#,
        ),
        ("XRANGE s (1-1 (3-0", r#"[["1-2", ["f", "b", "g", "17"]], ["2-0", ["f", "c"]]]"#),
        ("XRANGE s - + COUNT 2", r#"[["1-1", ["f", "a"]], ["1-2", ["f", "b", "g", "17"]]]"#),
        ("XREVRANGE s + - COUNT 2", r#"[["5-0", ["f", "g"]], ["4-0", ["f", "e"]]]"#),
        ("XREVRANGE s 2 1-2", r#"[["2-0", ["f", "c"]], ["1-2", ["f", "b", "g", "17"]]]"#),
        ("XREVRANGE s (5 (3", r#"[["5-0", ["f", "g"]], ["4-0", ["f", "e"]]]"#),
        ("XRANGE s 9 +", "[]"),
        ("XRANGE s - + COUNT 0", "(nil array)"),
        ("XRANGE s - + COUNT -1", "(nil array)"),
        ("XRANGE none - +", "[]"),
        ("XRANGE none - + COUNT 0", "[]"),
        ("XRANGE s + -", "[]"),
        ("XRANGE s (- +", "(error) ERR Invalid stream ID specified as stream command argument"),
        ("XRANGE s - (0-0", "(error) ERR invalid end ID for the interval"),
        (
            "XRANGE s (18446744073709551615-18446744073709551615 +",
            "(error) ERR invalid start ID for the interval",
        ),
        ("XRANGE s - + COUNT", "(error) ERR syntax error"),
        ("XRANGE s - + COUNT x", "(error) ERR value is not an integer or out of range"),
        ("XRANGE s - + FOO 1", "(error) ERR syntax error"),
    ]);
}

#[test]
fn trimming() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-0 f v", r#""1-0""#),
        ("XADD s 2-0 f v", r#""2-0""#),
        ("XADD s 3-0 f v", r#""3-0""#),
        ("XADD s 4-0 f v", r#""4-0""#),
        ("XADD s 5-0 f v", r#""5-0""#),
        ("XADD s 6-0 f v", r#""6-0""#),
        ("XADD s 7-0 f v", r#""7-0""#),
        ("XADD s 8-0 f v", r#""8-0""#),
        ("XADD s 9-0 f v", r#""9-0""#),
        ("XADD s 10-0 f v", r#""10-0""#),
        // Nodes have four entries.
        ("XTRIM s MAXLEN ~ 8", "(integer) 0"),
        ("XTRIM s MAXLEN ~ 6", "(integer) 4"),
        ("XTRIM s MAXLEN = 5", "(integer) 1"),
        ("XTRIM s MINID ~ 8", "(integer) 0"),
        ("XTRIM s MINID 8", "(integer) 2"),
        ("XRANGE s - +", r#"[["8-0", ["f", "v"]], ["9-0", ["f", "v"]], ["10-0", ["f", "v"]]]"#),
        ("XADD s MAXLEN 2 11-0 f v", r#""11-0""#),
        ("XADD s MINID = 11 12-0 f v", r#""12-0""#),
        ("XRANGE s - + COUNT 1", r#"[["11-0", ["f", "v"]]]"#),
        ("XTRIM s MAXLEN ~ 0 LIMIT 1", "(integer) 0"),
        ("XTRIM s MAXLEN ~ 0 LIMIT 0", "(integer) 2"),
        ("XLEN s", "(integer) 0"),
        ("XTRIM none MAXLEN 0", "(integer) 0"),
        (
            "XINFO STREAM s",
            "[\"length\", (integer) 0, \"radix-tree-keys\", (integer) 0, \"radix-tree-nodes\", \
             (integer) 1, \"last-generated-id\", \"12-0\", \"max-deleted-entry-id\", \"0-0\", \
             \"entries-added\", (integer) 12, \"recorded-first-entry-id\", \"0-0\", \"groups\", \
             (integer) 0, \"first-entry\", (nil), \"last-entry\", (nil)]",
        ),
    ]);
}

#[test]
fn trimming_is_refused() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-0 f v", r#""1-0""#),
        ("XTRIM s MAXLEN", "(error) ERR wrong number of arguments for 'xtrim' command"),
        ("XTRIM s MAXLEN -1", "(error) ERR The MAXLEN argument must be >= 0."),
        ("XTRIM s MAXLEN = x", "(error) ERR value is not an integer or out of range"),
        (
            "XTRIM s MAXLEN 1 LIMIT 5",
            "(error) ERR syntax error, LIMIT cannot be used without the special ~ option",
        ),
        ("XTRIM s MAXLEN ~ 1 LIMIT -5", "(error) ERR The LIMIT argument must be >= 0."),
        (
            "XTRIM s MAXLEN 1 MINID 2",
            "(error) ERR syntax error, MAXLEN and MINID options at the same time are not \
             compatible",
        ),
        (
            "XTRIM s LIMIT 5",
            "(error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ),
        (
            "XTRIM s LIMIT 0 LIMIT 0",
            "(error) ERR syntax error, XTRIM must be called with a trimming strategy",
        ),
        ("XTRIM s MINID -", "(error) ERR Invalid stream ID specified as stream command argument"),
        ("XTRIM s FOO 1", "(error) ERR syntax error"),
        (
            "XADD s LIMIT 5 20-0 f v",
            "(error) ERR syntax error, LIMIT cannot be used without specifying a trimming strategy",
        ),
        (
            "XADD s MAXLEN 5 LIMIT 5 20-0 f v",
            "(error) ERR syntax error, LIMIT cannot be used without the special ~ option",
        ),
    ]);
}

#[test]
fn other_types_are_left_alone() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("SET str v", "OK"),
        (
            "XADD str 1-1 f v",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XADD str NOMKSTREAM 1-1 f v",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("XLEN str", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
        (
            "XRANGE str - +",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XREVRANGE str + -",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("XDEL str x", "(error) WRONGTYPE Operation against a key holding the wrong kind of value"),
        (
            "XTRIM str MAXLEN 0",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XSETID str 1-1",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
    ]);
}

#[test]
fn other_types_are_no_groups() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("SET str v", "OK"),
        (
            "XREAD STREAMS str 0",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XREADGROUP GROUP g c STREAMS str >",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XGROUP CREATE str g 0 MKSTREAM",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XGROUP DESTROY str g",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XACK str g x",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XPENDING str g",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XCLAIM str g c x 1-1",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XAUTOCLAIM str g c 0 0",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XINFO STREAM str",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        (
            "XINFO GROUPS str",
            "(error) WRONGTYPE Operation against a key holding the wrong kind of value",
        ),
        ("GET str", r#""v""#),
    ]);
}

#[test]
fn reading_behind_ids() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD a 1-0 f v", r#""1-0""#),
        ("XADD a 2-0 f w", r#""2-0""#),
        ("XADD b 1-0 g x", r#""1-0""#),
        ("XREAD STREAMS a 0", r#"[["a", [["1-0", ["f", "v"]], ["2-0", ["f", "w"]]]]]"#),
        (
            "XREAD COUNT 1 STREAMS a b 0 0",
            r#"[["a", [["1-0", ["f", "v"]]]], ["b", [["1-0", ["g", "x"]]]]]"#,
        ),
        ("XREAD STREAMS a b none 2 0 0", r#"[["b", [["1-0", ["g", "x"]]]]]"#),
        ("XREAD STREAMS a 2-0", "(nil array)"),
        ("XREAD STREAMS a $", "(nil array)"),
        ("XREAD STREAMS a 18446744073709551615-18446744073709551615", "(nil array)"),
        ("XREAD COUNT -1 STREAMS a 1-0", r#"[["a", [["2-0", ["f", "w"]]]]]"#),
    ]);
}

#[test]
fn reading_is_refused() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD a 1-0 f v", r#""1-0""#),
        ("XADD b 1-0 g x", r#""1-0""#),
        ("XREAD STREAMS a", "(error) ERR wrong number of arguments for 'xread' command"),
        (
            "XREAD STREAMS a b 0",
            "(error) ERR Unbalanced 'xread' list of streams: for each stream key an ID or '$' \
             must be specified.",
        ),
        ("XREAD COUNT 1 a 0", "(error) ERR syntax error"),
        ("XREAD COUNT x STREAMS a 0", "(error) ERR value is not an integer or out of range"),
        ("XREAD BLOCK x STREAMS a 0", "(error) ERR timeout is not an integer or out of range"),
        ("XREAD BLOCK -1 STREAMS a 0", "(error) ERR timeout is negative"),
        (
            "XREAD NOACK STREAMS a 0",
            "(error) ERR The NOACK option is only supported by XREADGROUP. You called XREAD \
             instead.",
        ),
        (
            "XREAD GROUP g c STREAMS a 0",
            "(error) ERR The GROUP option is only supported by XREADGROUP. You called XREAD \
             instead.",
        ),
        (
            "XREAD STREAMS a >",
            "(error) ERR The > ID can be specified only when calling XREADGROUP using the GROUP \
             <group> <consumer> option.",
        ),
        ("XREAD STREAMS a -", "(error) ERR Invalid stream ID specified as stream command argument"),
        ("XREAD STREAMS a x", "(error) ERR Invalid stream ID specified as stream command argument"),
        (
            "XREADGROUP COUNT 1 NOACK STREAMS a b 0 0",
            "(error) ERR Missing GROUP option for XREADGROUP",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a >",
            "(error) NOGROUP No such key 'a' or consumer group 'g' in XREADGROUP with GROUP option",
        ),
        (
            "XREADGROUP GROUP g c STREAMS none >",
            "(error) NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP \
             option",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a b c > >",
            "(error) ERR Unbalanced 'xreadgroup' list of streams: for each stream key an ID or \
             '>' must be specified.",
        ),
        ("XGROUP CREATE a g 0", "OK"),
        (
            "XREADGROUP GROUP g c STREAMS a $",
            "(error) ERR The $ ID is meaningless in the context of XREADGROUP: you want to read \
             the history of this consumer by specifying a proper ID, or use the > ID to get new \
             messages. The $ ID would just return an empty result set.",
        ),
        (
            "XREADGROUP GROUP g c STREAMS a x",
            "(error) ERR Invalid stream ID specified as stream command argument",
        ),
        ("MULTI", "OK"),
        ("XREAD BLOCK 0 STREAMS a $", "QUEUED"),
        ("XREADGROUP GROUP g c BLOCK 0 COUNT 1 STREAMS a >", "QUEUED"),
        ("EXEC", r#"[(nil array), [["a", [["1-0", ["f", "v"]]]]]]"#),
    ]);
}

#[test]
fn maps_of_resp3() {
    let node = node();
    let mut client = node.connect_resp3();
    client.expect(&[
        ("XADD a 1-0 f v", r#""1-0""#),
        ("XADD b 1-0 g x", r#""1-0""#),
        ("XREAD STREAMS a b 0 0", r#"{"a": [["1-0", ["f", "v"]]], "b": [["1-0", ["g", "x"]]]}"#),
        ("XREAD STREAMS a 5", "(nil)"),
        ("XGROUP CREATE a g 0", "OK"),
        ("XREADGROUP GROUP g c STREAMS a >", r#"{"a": [["1-0", ["f", "v"]]]}"#),
        (
            "XINFO STREAM a",
            "{\"length\": (integer) 1, \"radix-tree-keys\": (integer) 1, \"radix-tree-nodes\": \
             (integer) 2, \"last-generated-id\": \"1-0\", \"max-deleted-entry-id\": \"0-0\", \
             \"entries-added\": (integer) 1, \"recorded-first-entry-id\": \"1-0\", \"groups\": \
             (integer) 1, \"first-entry\": [\"1-0\", [\"f\", \"v\"]], \"last-entry\": [\"1-0\", \
             [\"f\", \"v\"]]}",
        ),
        (
            "XINFO GROUPS a",
            "[{\"name\": \"g\", \"consumers\": (integer) 1, \"pending\": (integer) 1, \
             \"last-delivered-id\": \"1-0\", \"entries-read\": (integer) 1, \"lag\": (integer) \
             0}]",
        ),
        ("XPENDING a g", r#"[(integer) 1, "1-0", "1-0", [["c", "1"]]]"#),
        ("XPENDING a g - + 0", "[]"),
        ("XADD a NOMKSTREAM 2-0 f v", r#""2-0""#),
        ("XADD none NOMKSTREAM 2-0 f v", "(nil)"),
        ("XRANGE a - + COUNT 0", "(nil)"),
        ("XDEL a 1-0 2-0", "(integer) 2"),
        ("XREADGROUP GROUP g c STREAMS a 0", r#"{"a": [["1-0", (nil)]]}"#),
        (
            "XINFO STREAM a",
            "{\"length\": (integer) 0, \"radix-tree-keys\": (integer) 0, \"radix-tree-nodes\": \
             (integer) 1, \"last-generated-id\": \"2-0\", \"max-deleted-entry-id\": \"2-0\", \
             \"entries-added\": (integer) 2, \"recorded-first-entry-id\": \"0-0\", \"groups\": \
             (integer) 1, \"first-entry\": (nil), \"last-entry\": (nil)}",
        ),
    ]);
}

#[test]
fn the_last_id_is_set() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XSETID s 1-1", "(error) ERR no such key"),
        ("XADD s 5-0 f v", r#""5-0""#),
        ("XADD s 6-0 f v", r#""6-0""#),
        (
            "XSETID s 4-0",
            "(error) ERR The ID specified in XSETID is smaller than the target stream top item",
        ),
        (
            "XSETID s 5-9",
            "(error) ERR The ID specified in XSETID is smaller than the target stream top item",
        ),
        ("XSETID s x", "(error) ERR Invalid stream ID specified as stream command argument"),
        (
            "XSETID s 9-0 ENTRIESADDED 1",
            "(error) ERR The entries_added specified in XSETID is smaller than the target stream \
             length",
        ),
        ("XSETID s 9-0 ENTRIESADDED -1", "(error) ERR entries_added must be positive"),
        (
            "XSETID s 9-0 MAXDELETEDID 9-1",
            "(error) ERR The ID specified in XSETID is smaller than the provided \
             max_deleted_entry_id",
        ),
        ("XSETID s 9-0 FOO", "(error) ERR syntax error"),
        ("XSETID s 9-0 ENTRIESADDED", "(error) ERR syntax error"),
        ("XSETID s 9-0 ENTRIESADDED 100 MAXDELETEDID 7-0", "OK"),
        (
            "XINFO STREAM s",
            "[\"length\", (integer) 2, \"radix-tree-keys\", (integer) 1, \"radix-tree-nodes\", \
             (integer) 2, \"last-generated-id\", \"9-0\", \"max-deleted-entry-id\", \"7-0\", \
             \"entries-added\", (integer) 100, \"recorded-first-entry-id\", \"5-0\", \"groups\", \
             (integer) 0, \"first-entry\", [\"5-0\", [\"f\", \"v\"]], \"last-entry\", [\"6-0\", \
             [\"f\", \"v\"]]]",
        ),
        (
            "XADD s 8-0 f v",
            "(error) ERR The ID specified in XADD is equal or smaller than the target stream top \
             item",
        ),
        ("XADD s 9-* f v", r#""9-1""#),
        ("XSETID s 9-1 MAXDELETEDID 0-0", "OK"),
        ("XDEL s 5-0 6-0 9-1", "(integer) 3"),
        (
            "XSETID s 9-0",
            "(error) ERR The ID specified in XSETID is smaller than current max_deleted_entry_id",
        ),
    ]);
}

#[test]
fn values_go_elsewhere_and_back() {
    let node = node();
    let mut client = node.connect();
    client.expect(&[
        ("XADD s 1-0 f a", r#""1-0""#),
        ("XADD s 2-0 f 17 g -5", r#""2-0""#),
        ("XADD s 3-0 g a", r#""3-0""#),
        ("XDEL s 2-0", "(integer) 1"),
        ("XGROUP CREATE s g 1", "OK"),
        ("XGROUP CREATECONSUMER s g c", "(integer) 1"),
        ("COPY s t", "(integer) 1"),
        ("XADD t 4-0 f v", r#""4-0""#),
        ("XGROUP DESTROY t g", "(integer) 1"),
        ("XLEN s", "(integer) 2"),
        (
            "XINFO GROUPS s",
            "[[\"name\", \"g\", \"consumers\", (integer) 1, \"pending\", (integer) 0, \
             \"last-delivered-id\", \"1-0\", \"entries-read\", (nil), \"lag\", (nil)]]",
        ),
        (
            "DEBUG DIGEST-VALUE s t",
            "[6f2ea5ea699522a4f3f0d40a47586c794ab1f264, cb82f1dcfccbf5975b6aaea5e7cd48b1f7e29e36]",
        ),
        ("RENAME s u", "OK"),
        ("XRANGE u - +", r#"[["1-0", ["f", "a"]], ["3-0", ["g", "a"]]]"#),
        ("DEBUG DIGEST-VALUE u", "[6f2ea5ea699522a4f3f0d40a47586c794ab1f264]"),
        (
            "XINFO STREAM u",
            "[\"length\", (integer) 2, \"radix-tree-keys\", (integer) 1, \"radix-tree-nodes\", \
             (integer) 2, \"last-generated-id\", \"3-0\", \"max-deleted-entry-id\", \"2-0\", \
             \"entries-added\", (integer) 3, \"recorded-first-entry-id\", \"1-0\", \"groups\", \
             (integer) 1, \"first-entry\", [\"1-0\", [\"f\", \"a\"]], \"last-entry\", [\"3-0\", \
             [\"g\", \"a\"]]]",
        ),
    ]);
}
