//! What tests of values share: payloads of real servers, cursors that are followed to their end,
//! draws, changes that are counted and that break transactions, and clients that wait.

use std::collections::BTreeSet;

use redis_rust::Config;
use redis_rust::config::ProtectedAction;

use super::{Client, Node, Reply, wait_until};

/// A node that obeys DEBUG.
pub fn debug_node() -> Node {
    Node::with(Config { enable_debug_command: ProtectedAction::Yes, ..Config::default() })
}

/// A line of what a real server makes of a value.
pub struct Payload {
    pub name: &'static str,
    pub encoding: &'static str,
    pub digest: &'static str,
    pub bytes: Vec<u8>,
}

/// Lines of a name, an encoding, a digest and a payload in hex, parted by tabs.
pub fn payloads(lines: &'static str) -> impl Iterator<Item = Payload> {
    lines.lines().map(|line| {
        let columns: Vec<_> = line.split('\t').collect();
        let digits: Vec<_> = columns[3].chars().map(|c| c.to_digit(16).expect("hex")).collect();
        let bytes = digits.chunks(2).map(|pair| (pair[0] << 4 | pair[1]) as u8).collect();
        Payload { name: columns[0], encoding: columns[1], digest: columns[2], bytes }
    })
}

/// Restores each payload, and what ours is dumped as; `see` is shown both.
pub fn check_payloads(lines: &'static str, mut see: impl FnMut(&Payload, &[u8])) {
    let node = debug_node();
    let mut client = node.connect();
    for payload in payloads(lines) {
        let Payload { name, encoding, digest, ref bytes } = payload;
        let reply = client.call(&[b"RESTORE", &b"k"[..], b"0", bytes, b"REPLACE"]);
        assert_eq!(reply, Reply::ok(), "{name}");
        assert_eq!(client.run("OBJECT ENCODING k").text(), encoding, "{name}");
        assert_eq!(client.run("DEBUG DIGEST-VALUE k").texts(), [digest], "{name}");
        let Reply::Bulk(ours) = client.run("DUMP k") else { panic!("no payload of {name}") };
        see(&payload, &ours);
        client.run("RENAME k other");
        let reply = client.call(&[b"RESTORE", &b"k"[..], b"0", &ours]);
        assert_eq!(reply, Reply::ok(), "{name}");
        assert_eq!(client.run("DEBUG DIGEST-VALUE k").texts(), [digest], "{name}");
        client.expect(&[("DEL k other", "(integer) 2")]);
    }
}

/// Follows a cursor from 0 to 0: everything that was returned, and the number of calls. `command`
/// is what stands in front of the cursor.
pub fn scan_all(client: &mut Client, command: &str, options: &str) -> (Vec<String>, usize) {
    let (mut cursor, mut found, mut calls) = ("0".to_string(), Vec::new(), 0);
    loop {
        let reply = client.run(&format!("{command} {cursor}{options}"));
        let [next, elements] = reply.items() else { panic!("{reply}") };
        found.extend(elements.texts());
        calls += 1;
        cursor = next.text();
        if cursor == "0" {
            return (found, calls);
        }
    }
}

/// Draws from all of these, in every way: `command` is what stands in front of the count.
pub fn check_draws(client: &mut Client, command: &str, all: &BTreeSet<String>) {
    for (count, given) in [(10, 10), (90, 90), (1500, all.len().min(1500)), (-300, 300)] {
        let drawn = client.run(&format!("{command} {count}")).texts();
        assert_eq!(drawn.len(), given);
        assert!(drawn.iter().all(|element| all.contains(element)));
        let different: BTreeSet<_> = drawn.into_iter().collect();
        assert!(count < 0 || different.len() == given);
    }
    assert!(all.contains(&client.run(command).text()));
}

/// Whether a transaction of someone who watches `key` is broken by each of these commands, before
/// which `setup` is run.
pub fn check_watched(node: &Node, key: &str, setup: &str, commands: &[(&str, bool)]) {
    let (mut client, mut other) = (node.connect(), node.connect());
    for (command, breaks) in commands {
        other.run(setup);
        client.run(&format!("WATCH {key}"));
        other.run(command);
        client.run("MULTI");
        client.run("PING");
        assert_eq!(client.ask("EXEC") == "(nil array)", *breaks, "{command}");
    }
}

/// How many changes the node has counted.
pub fn changes(client: &mut Client) -> u64 {
    let info = client.run("INFO persistence").text();
    let line = info.lines().find_map(|line| line.strip_prefix("rdb_changes_since_last_save:"));
    line.expect("INFO counts changes").trim().parse().expect("a number")
}

/// Waits until so many clients wait.
#[track_caller]
pub fn until_blocked(client: &mut Client, count: u64) {
    let line = format!("blocked_clients:{count}\r\n");
    wait_until("clients wait", || client.run("INFO clients").text().contains(&line));
}

/// A new client whose command waits, as the `nth` of all.
#[track_caller]
pub fn waiter(node: &Node, control: &mut Client, nth: u64, line: &str) -> Client {
    let mut client = node.connect();
    client.send(&line.split(' ').collect::<Vec<_>>());
    until_blocked(control, nth);
    client
}

/// What a client is told next.
#[track_caller]
pub fn assert_reply(client: &mut Client, expected: &str) {
    assert_eq!(client.read().to_string(), expected);
}
