//! Keyspace events: which ones each command publishes, in which order, compared with what Redis 7.2
//! does (`data/keyspace-events-7.2.tsv`); the channels, the classes, and where events stand between
//! replies.

mod common;

use common::{Client, Node, Reply, wait_until};
use redis_rust::config::Config;

/// Commands, and the events that each of them leads to.
const OF_REDIS: &str = include_str!("data/keyspace-events-7.2.tsv");

fn node(events: &str) -> Node {
    let config = Config::default().set("notify-keyspace-events", events).unwrap();
    Node::with(config.set("enable-debug-command", "yes").unwrap())
}

/// What arrived for a subscriber of `*` before this mark, which is sent now.
fn events_before(mark: &str, subscriber: &mut Client, publisher: &mut Client) -> Vec<String> {
    publisher.call(&["PUBLISH", "mark", mark]);
    let mut events = Vec::new();
    loop {
        let message = subscriber.read().texts();
        let [_, _, channel, payload] = &message[..] else { panic!("{message:?}") };
        if channel == "mark" {
            assert_eq!(payload, mark);
            return events;
        }
        events.push(format!("{channel} {payload}"));
    }
}

/// `__keyevent@1__:set k` as the table writes it: `set k @1`.
fn short(event: &str) -> String {
    let rest = event.strip_prefix("__keyevent@").expect("an event");
    let (db, rest) = rest.split_once("__:").expect("a database");
    if db == "0" { rest.to_string() } else { format!("{rest} @{db}") }
}

fn words(line: &str, dumped: &Reply) -> Vec<Vec<u8>> {
    let word = |word: &str| match (word, dumped) {
        ("@DUMP", Reply::Bulk(payload)) => payload.clone(),
        ("\"\"", _) => vec![],
        _ => word.as_bytes().to_vec(),
    };
    line.split(' ').map(word).collect()
}

#[test]
fn every_command_publishes_what_redis_does() {
    let node = node("EAmn");
    let (mut client, mut waiting) = (node.connect(), node.connect());
    let (mut publisher, mut subscriber) = (node.connect(), node.connect());
    subscriber.run("PSUBSCRIBE *");
    let mut dumped = Reply::Null;
    let mut differences = Vec::new();
    for (number, row) in OF_REDIS.lines().enumerate() {
        if row.starts_with('#') {
            continue;
        }
        let (line, expected) = row.split_once('\t').unwrap_or((row, ""));
        if let Some(line) = line.strip_prefix('!') {
            waiting.send(&words(line, &dumped));
            wait_until("the client waits", || {
                publisher.run("INFO clients").text().contains("blocked_clients:1\r")
            });
        } else if line == "?" {
            waiting.read();
        } else {
            let reply = client.call(&words(line, &dumped));
            if line.starts_with("DUMP ") {
                dumped = reply;
            }
        }
        let events = events_before(&number.to_string(), &mut subscriber, &mut publisher);
        let events: Vec<String> = events.iter().map(|event| short(event)).collect();
        if events.join(", ") != expected {
            differences.push(format!("{line}: {} instead of {expected}", events.join(", ")));
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn an_event_is_told_to_the_keys_channel_and_then_to_the_events() {
    let node = node("KE$g");
    let (mut client, mut publisher) = (node.connect(), node.connect());
    let mut subscriber = node.connect();
    subscriber.run("PSUBSCRIBE *");
    let mut told = |client: &mut Client, line: &str| {
        client.run(line);
        events_before(line, &mut subscriber, &mut publisher)
    };
    assert_eq!(told(&mut client, "SET k v"), ["__keyspace@0__:k set", "__keyevent@0__:set k"]);
    assert!(told(&mut client, "LPUSH l v").is_empty());
    assert_eq!(told(&mut client, "DEL l"), ["__keyspace@0__:l del", "__keyevent@0__:del l"]);
    client.expect(&[
        ("CONFIG SET notify-keyspace-events Kx$", "OK"),
        ("CONFIG GET notify-keyspace-events", "[\"notify-keyspace-events\", \"$xK\"]"),
    ]);
    assert_eq!(told(&mut client, "SET k w"), ["__keyspace@0__:k set"]);
    client.run("CONFIG SET notify-keyspace-events A");
    assert!(told(&mut client, "SET k x").is_empty());
    client.run("CONFIG SET notify-keyspace-events KE");
    assert!(told(&mut client, "SET k y").is_empty());
}

#[test]
fn keys_that_expire_or_are_evicted_are_told_whoever_removes_them() {
    let node = node("KEA");
    let mut client = node.connect();
    let mut subscriber = node.connect();
    subscriber.run("SUBSCRIBE __keyevent@0__:expired");
    subscriber.run("SUBSCRIBE __keyevent@0__:evicted");
    let mut next = || subscriber.read().texts()[2].clone();
    // Nobody touches it.
    client.run("SET idle v PX 1");
    assert_eq!(next(), "idle");
    // A read meets it.
    client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    client.run("SET read v PX 1");
    wait_until("the key is gone", || client.ask("GET read") == "(nil)");
    assert_eq!(next(), "read");
    client.run("SET room v");
    client.run("CONFIG SET maxmemory-policy allkeys-lru");
    client.run("CONFIG SET maxmemory 1");
    assert_eq!(next(), "room");
}

#[test]
fn events_follow_the_reply_of_the_command_that_caused_them() {
    let node = node("KA");
    let mut client = node.connect_resp3();
    client.run("SUBSCRIBE __keyspace@0__:k");
    let event = |name: &str| format!("push[\"message\", \"__keyspace@0__:k\", \"{name}\"]");
    client.expect(&[("SET k 1", "OK")]);
    assert_eq!(client.read().to_string(), event("set"));
    client.expect(&[
        ("MULTI", "OK"),
        ("INCR k", "QUEUED"),
        ("DEL k", "QUEUED"),
        ("EXEC", "[(integer) 2, (integer) 1]"),
    ]);
    assert_eq!(client.read().to_string(), event("incrby"));
    assert_eq!(client.read().to_string(), event("del"));
}
