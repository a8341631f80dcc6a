//! XREAD and XREADGROUP that wait, over sockets: what wakes them, what they are told then, and what
//! becomes of groups and keys that go meanwhile. And transactions that watch streams.

mod common;

use common::Node;
use common::values::{assert_reply, until_blocked, waiter};

#[test]
fn all_who_read_are_served() {
    let node = Node::start();
    let mut control = node.connect();
    control.run("XADD s 1-0 f old");
    let mut first = waiter(&node, &mut control, 1, "XREAD BLOCK 0 STREAMS s $");
    let mut second = waiter(&node, &mut control, 2, "XREAD BLOCK 0 COUNT 1 STREAMS new s 0 1-0");
    let mut far = waiter(&node, &mut control, 3, "XREAD BLOCK 0 STREAMS s 5-0");
    control.expect(&[("XADD s 2-0 f v", "\"2-0\"")]);
    assert_reply(&mut first, r#"[["s", [["2-0", ["f", "v"]]]]]"#);
    assert_reply(&mut second, r#"[["s", [["2-0", ["f", "v"]]]]]"#);
    until_blocked(&mut control, 1);
    control.expect(&[("XADD s 5-0 f v", "\"5-0\""), ("XADD s 6-0 f v", "\"6-0\"")]);
    assert_reply(&mut far, r#"[["s", [["6-0", ["f", "v"]]]]]"#);
}

#[test]
fn the_last_entry_is_that_of_the_beginning() {
    let node = Node::start();
    let mut control = node.connect();
    let mut client = waiter(&node, &mut control, 1, "XREAD BLOCK 0 STREAMS none s $ $");
    // Woken in vain: the stream is empty again before anyone is served.
    control.expect(&[
        ("MULTI", "OK"),
        ("XADD s 1-0 f v", "QUEUED"),
        ("DEL s", "QUEUED"),
        ("EXEC", r#"["1-0", (integer) 1]"#),
    ]);
    until_blocked(&mut control, 1);
    control.expect(&[("SET s v", "OK"), ("DEL s", "(integer) 1")]);
    until_blocked(&mut control, 1);
    control.expect(&[
        ("MULTI", "OK"),
        ("XADD s 2-0 f v", "QUEUED"),
        ("XADD s 3-0 f v", "QUEUED"),
        ("EXEC", r#"["2-0", "3-0"]"#),
    ]);
    assert_reply(&mut client, r#"[["s", [["2-0", ["f", "v"]], ["3-0", ["f", "v"]]]]]"#);
}

#[test]
fn a_group_gives_each_entry_once() {
    let node = Node::start();
    let mut control = node.connect();
    control.run("XGROUP CREATE s g $ MKSTREAM");
    let read = |consumer: &str| format!("XREADGROUP GROUP g {consumer} BLOCK 0 STREAMS s >");
    let mut alice = waiter(&node, &mut control, 1, &read("alice"));
    let mut bob = waiter(&node, &mut control, 2, &read("bob"));
    control.run("XADD s 1-0 f v");
    assert_reply(&mut alice, r#"[["s", [["1-0", ["f", "v"]]]]]"#);
    until_blocked(&mut control, 1);
    control.run("XADD s 2-0 f v");
    assert_reply(&mut bob, r#"[["s", [["2-0", ["f", "v"]]]]]"#);
    let summary = r#"[(integer) 2, "1-0", "2-0", [["alice", "1"], ["bob", "1"]]]"#;
    control.expect(&[("XPENDING s g", summary)]);
}

#[test]
fn whoever_waits_for_a_group_is_told_that_it_is_gone() {
    let node = Node::start();
    let mut control = node.connect();
    let gone = "(error) NOGROUP No such key 's' or consumer group 'g' in XREADGROUP with GROUP \
                option";
    let wrong = "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
    let ends = [
        ("DEL s", gone),
        ("UNLINK s", gone),
        ("XGROUP DESTROY s g", gone),
        ("RENAME s t", gone),
        ("FLUSHALL", gone),
        ("PEXPIRE s -1", gone),
        ("SET s v", wrong),
    ];
    for (end, expected) in ends {
        control.run("DEL s");
        control.run("XGROUP CREATE s g $ MKSTREAM");
        let line = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
        let mut client = waiter(&node, &mut control, 1, line);
        control.run(end);
        assert_reply(&mut client, expected);
        until_blocked(&mut control, 0);
    }
    // Another group goes: this one is waited for all the same.
    control.run("DEL s");
    control.run("XGROUP CREATE s g $ MKSTREAM");
    control.run("XGROUP CREATE s h $");
    let mut client = waiter(&node, &mut control, 1, "XREADGROUP GROUP g c BLOCK 0 STREAMS s >");
    control.run("XGROUP DESTROY s h");
    until_blocked(&mut control, 1);
    control.run("XADD s 1-0 f v");
    assert_reply(&mut client, r#"[["s", [["1-0", ["f", "v"]]]]]"#);
}

#[test]
fn a_wait_ends_in_time() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    client.expect(&[
        ("XREAD BLOCK 10 STREAMS s $", "(nil)"),
        ("XGROUP CREATE s g $ MKSTREAM", "OK"),
        ("XREADGROUP GROUP g c BLOCK 10 STREAMS s >", "(nil)"),
        // What is pending is never waited for.
        ("XREADGROUP GROUP g c BLOCK 0 STREAMS s 0", r#"{"s": []}"#),
        ("XREAD BLOCK 9223372036854775807 STREAMS s $", "(error) ERR timeout is out of range"),
    ]);
}

#[test]
fn watched_streams_are_those_whose_entries_change() {
    let node = Node::start();
    let (mut watcher, mut other) = (node.connect(), node.connect());
    other.run("XADD s 1-0 f v");
    other.run("XADD s 2-0 f v");
    other.run("XADD s 3-0 f v");
    let changes = [
        ("XGROUP CREATE s g 0", false),
        ("XREADGROUP GROUP g c STREAMS s >", false),
        ("XACK s g 1-0", false),
        ("XADD s * f v", true),
        ("XDEL s 2-0", true),
        ("XTRIM s MAXLEN 1", true),
    ];
    for (line, breaks) in changes {
        watcher.run("WATCH s");
        assert!(!other.run(line).is_error(), "{line}");
        watcher.run("MULTI");
        watcher.run("PING");
        let expected = if breaks { "(nil array)" } else { "[PONG]" };
        assert_eq!(watcher.ask("EXEC"), expected, "{line}");
    }
}
