//! CLIENT PAUSE together with messages, caches of clients, expiry and MONITOR.

mod common;

use common::{Client, Node, wait_until};

fn blocked(client: &mut Client) -> usize {
    client.run("CLIENT LIST").text().matches(" flags=b ").count()
}

#[test]
fn a_pause_of_writes_holds_back_what_might_be_replicated() {
    let node = Node::start();
    let (mut admin, mut reader) = (node.connect(), node.connect());
    let mut listener = node.connect();
    admin.run("CLIENT PAUSE 100000 WRITE");
    // Whoever only reads, or begins to listen, goes on.
    assert!(!listener.run("SUBSCRIBE c").is_error());
    reader.expect(&[
        ("GET k", "(nil)"),
        ("MULTI", "OK"),
        ("GET k", "QUEUED"),
        ("EXEC", "[(nil)]"),
        ("PUBSUB NUMSUB c", "[\"c\", (integer) 1]"),
    ]);
    let held = ["PUBLISH c 1", "SPUBLISH s 1", "PFCOUNT k", "SET k 1", "FLUSHALL", "BLPOP l 0"];
    let mut writers: Vec<Client> = held.iter().map(|_| node.connect()).collect();
    for (writer, line) in writers.iter_mut().zip(held) {
        writer.send(&line.split(' ').collect::<Vec<_>>());
    }
    wait_until("all are held back", || blocked(&mut admin) == held.len());
    assert_eq!(reader.ask("GET k"), "(nil)");
    admin.run("CLIENT UNPAUSE");
    let replies = ["(integer) 1", "(integer) 0", "(integer) 0", "OK", "OK"];
    for (writer, reply) in writers.iter_mut().zip(replies) {
        assert_eq!(writer.read().to_string(), reply);
    }
    assert_eq!(listener.read().to_string(), "[\"message\", \"c\", \"1\"]");
    wait_until("only one waits, for its key", || blocked(&mut admin) == 1);
}

#[test]
fn a_key_that_expires_in_a_pause_is_told_of_after_it() {
    let node = Node::start();
    let (mut cache, mut admin) = (node.connect_resp3(), node.connect());
    cache.expect(&[("CLIENT TRACKING ON", "OK")]);
    admin.expect(&[("SET k v PX 1000", "OK"), ("CLIENT PAUSE 100000 WRITE", "OK")]);
    assert_eq!(cache.ask("GET k"), "\"v\"");
    wait_until("its time is over", || admin.ask("GET k") == "(nil)");
    // Nothing has changed as long as nothing may: the key is hidden.
    assert_eq!(cache.ask("DBSIZE"), "(integer) 1");
    admin.run("CLIENT UNPAUSE");
    assert_eq!(cache.read().to_string(), "push[\"invalidate\", [\"k\"]]");
    assert_eq!(cache.ask("DBSIZE"), "(integer) 0");
}

#[test]
fn who_monitors_keeps_off_the_keys_and_is_not_held_back() {
    let node = Node::start();
    let (mut monitor, mut other) = (node.connect(), node.connect());
    monitor.run("MONITOR");
    let refused = "(error) ERR Replica can't interact with the keyspace";
    monitor.expect(&[("GET k", refused), ("SET k 1", refused), ("PUBLISH c 1", refused)]);
    other.run("CLIENT PAUSE 100000 ALL");
    assert_eq!(monitor.ask("PING"), "PONG");
    let line = monitor.read().text();
    assert!(line.ends_with(" \"PING\""), "{line}");
    assert_eq!(monitor.ask("CLIENT UNPAUSE"), "OK");
    assert_eq!(other.ask("PING"), "PONG");
    assert!(monitor.read().text().ends_with(" \"PING\""));
    // Nothing follows the reply to QUIT.
    assert_eq!(monitor.ask("QUIT"), "OK");
    assert!(monitor.is_closed());
}
