//! Pub/sub from outside: subscriptions, messages and their order among replies, what a subscriber
//! may do, and what becomes of one that does not read.

mod common;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;

use common::{Client, Node, wait_until};
use redis_rust::config::Config;

fn with(settings: &[(&str, &str)]) -> Node {
    let set = |config: Config, (name, value): &(&str, &str)| config.set(name, value).unwrap();
    Node::with(settings.iter().fold(Config::default(), set))
}

/// The next replies, in one line each.
fn next(client: &mut Client, count: usize) -> Vec<String> {
    (0..count).map(|_| client.read().to_string()).collect()
}

#[test]
fn each_protocol_has_its_own_frames() {
    let node = Node::start();
    let (mut old, mut new, mut publisher) = (node.connect(), node.connect_resp3(), node.connect());
    assert_eq!(old.run_raw("SUBSCRIBE c"), "*3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    assert_eq!(new.run_raw("SUBSCRIBE c"), ">3\r\n$9\r\nsubscribe\r\n$1\r\nc\r\n:1\r\n");
    assert_eq!(old.run_raw("PSUBSCRIBE ?"), "*3\r\n$10\r\npsubscribe\r\n$1\r\n?\r\n:2\r\n");
    assert_eq!(publisher.ask("PUBLISH c hi"), "(integer) 3");
    assert_eq!(next(&mut old, 1), ["[\"message\", \"c\", \"hi\"]"]);
    assert_eq!(next(&mut old, 1), ["[\"pmessage\", \"?\", \"c\", \"hi\"]"]);
    assert_eq!(next(&mut new, 1), ["push[\"message\", \"c\", \"hi\"]"]);
    assert_eq!(new.run_raw("UNSUBSCRIBE"), ">3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:0\r\n");
    assert_eq!(new.run_raw("UNSUBSCRIBE"), ">3\r\n$11\r\nunsubscribe\r\n_\r\n:0\r\n");
    assert_eq!(publisher.run_raw("PUNSUBSCRIBE"), "*3\r\n$12\r\npunsubscribe\r\n$-1\r\n:0\r\n");
}

/// Messages wait for others to join them, but not for as long as there is something else to do.
#[test]
fn messages_come_while_others_keep_the_node_busy() {
    let node = Node::start();
    let (mut listener, mut publisher) = (node.connect(), node.connect());
    listener.ask("SUBSCRIBE c");
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..4 {
            let mut busy = node.connect();
            let done = &done;
            scope.spawn(move || {
                while !done.load(Relaxed) {
                    busy.ask("PING");
                }
            });
        }
        for number in 0..100 {
            assert_eq!(publisher.ask(&format!("PUBLISH c {number}")), "(integer) 1");
            assert_eq!(next(&mut listener, 1), [format!("[\"message\", \"c\", \"{number}\"]")]);
        }
        done.store(true, Relaxed);
    });
}

#[test]
fn kinds_of_subscriptions_are_counted_as_redis_does() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    client.send(&["SUBSCRIBE", "a", "b", "a"]);
    let told = |done: &str, name: &str, count: i64| {
        format!("push[\"{done}\", \"{name}\", (integer) {count}]")
    };
    let subscribed = [told("subscribe", "a", 1), told("subscribe", "b", 2)];
    assert_eq!(next(&mut client, 2), subscribed);
    assert_eq!(next(&mut client, 1), [told("subscribe", "a", 2)]);
    client.expect(&[
        ("PSUBSCRIBE a*", &told("psubscribe", "a*", 3)),
        ("SSUBSCRIBE a", &told("ssubscribe", "a", 1)),
        ("UNSUBSCRIBE nothing", &told("unsubscribe", "nothing", 3)),
        ("SUNSUBSCRIBE", &told("sunsubscribe", "a", 0)),
        ("SUNSUBSCRIBE", "push[\"sunsubscribe\", (nil), (integer) 0]"),
        ("UNSUBSCRIBE b", &told("unsubscribe", "b", 2)),
        ("PUBSUB NUMPAT", "(integer) 1"),
        ("PUBSUB NUMSUB a b", "[\"a\", (integer) 1, \"b\", (integer) 0]"),
        ("PUBSUB CHANNELS", "[\"a\"]"),
        ("PUBSUB CHANNELS b*", "[]"),
        ("PUBSUB SHARDNUMSUB", "[]"),
        (
            "PUBSUB CHANNELS a b",
            "(error) ERR unknown subcommand or wrong number of arguments for 'CHANNELS'. Try \
             PUBSUB HELP.",
        ),
    ]);
    drop(client);
    let mut other = node.connect();
    wait_until("nothing is left of it", || other.ask("PUBSUB NUMPAT") == "(integer) 0");
    assert_eq!(other.ask("PUBSUB CHANNELS"), "[]");
}

#[test]
fn a_subscriber_of_the_old_protocol_may_do_little_else() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SUBSCRIBE c");
    let refused = |name: &str| {
        format!(
            "(error) ERR Can't execute '{name}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / \
             QUIT / RESET are allowed in this context"
        )
    };
    client.expect(&[
        ("GET k", &refused("get")),
        ("CONFIG GET k", &refused("config|get")),
        ("HELLO 3", &refused("hello")),
        ("MULTI", &refused("multi")),
        ("PING", "[\"pong\", \"\"]"),
        ("PING hello", "[\"pong\", \"hello\"]"),
        ("PING a b", "(error) ERR wrong number of arguments for 'ping' command"),
        ("SSUBSCRIBE s", "[\"ssubscribe\", \"s\", (integer) 1]"),
        ("UNSUBSCRIBE c", "[\"unsubscribe\", \"c\", (integer) 0]"),
        ("GET k", &refused("get")),
        ("RESET", "RESET"),
        ("GET k", "(nil)"),
        ("PUBSUB SHARDCHANNELS", "[]"),
    ]);
    assert_eq!(client.ask("SUBSCRIBE c"), "[\"subscribe\", \"c\", (integer) 1]");
    assert_eq!(client.ask("QUIT"), "OK");
    assert!(client.is_closed());
}

#[test]
fn what_a_client_publishes_to_itself_follows_the_reply() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    client.run("SUBSCRIBE c");
    let push = |message: &str| format!("push[\"message\", \"c\", \"{message}\"]");
    assert_eq!(client.ask("PUBLISH c 1"), "(integer) 1");
    assert_eq!(next(&mut client, 1), [push("1")]);
    client.expect(&[
        ("MULTI", "OK"),
        ("PUBLISH c 2", "QUEUED"),
        ("PING", "QUEUED"),
        ("PUBLISH c 3", "QUEUED"),
        ("EXEC", "[(integer) 1, PONG, (integer) 1]"),
    ]);
    assert_eq!(next(&mut client, 2), [push("2"), push("3")]);
    client.expect(&[("BLPOP nothing 0.01", "(nil)"), ("CLIENT REPLY ON", "OK")]);
    // CLIENT REPLY does not silence messages.
    client.send(&["CLIENT", "REPLY", "OFF"]);
    client.send(&["PUBLISH", "c", "4"]);
    assert_eq!(next(&mut client, 1), [push("4")]);
}

#[test]
fn a_transaction_may_subscribe_but_to_shard_channels() {
    let node = Node::start();
    let (mut client, mut publisher) = (node.connect(), node.connect());
    client.expect(&[("MULTI", "OK"), ("SUBSCRIBE c", "QUEUED"), ("SSUBSCRIBE s", "QUEUED")]);
    client.expect(&[("GET k", "QUEUED")]);
    let replies = "[[\"subscribe\", \"c\", (integer) 1], (error) ERR SSUBSCRIBE isn't allowed for \
         a DENY BLOCKING client, (nil)]";
    assert_eq!(client.ask("EXEC"), replies);
    assert_eq!(publisher.ask("PUBLISH c m"), "(integer) 1");
    assert_eq!(next(&mut client, 1), ["[\"message\", \"c\", \"m\"]"]);
}

#[test]
fn lists_of_clients_tell_subscribers() {
    let node = Node::start();
    let (mut client, mut other) = (node.connect(), node.connect());
    client.run("SUBSCRIBE a");
    client.run("SUBSCRIBE b");
    client.run("PSUBSCRIBE c*");
    client.run("SSUBSCRIBE d");
    let listed = other.run("CLIENT LIST TYPE pubsub").text();
    assert_eq!(listed.lines().count(), 1);
    assert!(listed.contains(" flags=P db=0 sub=2 psub=1 ssub=1 "), "{listed}");
    assert_eq!(other.run("CLIENT LIST TYPE normal").text().lines().count(), 1);
    let info = other.run("INFO stats").text();
    for field in ["pubsub_channels:2", "pubsub_patterns:1", "pubsubshard_channels:1"] {
        assert!(info.contains(&format!("{field}\r\n")), "{field}");
    }
    assert_eq!(other.ask("CLIENT KILL TYPE pubsub"), "(integer) 1");
    assert!(client.is_closed());
    assert_eq!(other.ask("PUBSUB CHANNELS"), "[]");
}

#[test]
fn a_pause_of_writes_holds_messages_back() {
    let node = Node::start();
    let (mut subscriber, mut publisher) = (node.connect(), node.connect());
    let mut admin = node.connect();
    subscriber.run("SUBSCRIBE c");
    admin.run("CLIENT PAUSE 100000 WRITE");
    publisher.send(&["PUBLISH", "c", "m"]);
    wait_until("it is held back", || {
        admin.run("INFO clients").text().contains("blocked_clients:1\r\n")
    });
    assert_eq!(subscriber.ask("PING"), "[\"pong\", \"\"]");
    admin.run("CLIENT UNPAUSE");
    assert_eq!(publisher.read().int(), 1);
    assert_eq!(next(&mut subscriber, 1), ["[\"message\", \"c\", \"m\"]"]);
}

#[test]
fn many_receivers_get_long_messages_whole_and_in_order() {
    let node = Node::start();
    let mut publisher = node.connect();
    let mut receivers: Vec<Client> = (0..40).map(|_| node.connect()).collect();
    for (index, client) in receivers.iter_mut().enumerate() {
        if index % 2 == 1 {
            client.run("HELLO 3");
        }
        client.run("SUBSCRIBE c");
    }
    let messages: Vec<String> = (0..60).map(|n| n.to_string().repeat(1 + n * n)).collect();
    for message in &messages {
        publisher.send(&["PUBLISH", "c", message]);
    }
    for client in &mut receivers {
        for message in &messages {
            assert_eq!(&client.read().texts()[2], message);
        }
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_closed_at_its_limit() {
    let limits = "normal 0 0 0 slave 0 0 0 pubsub 1mb 0 0";
    let node = with(&[("client-output-buffer-limit", limits)]);
    let (_deaf, mut publisher) = (subscriber(&node), node.connect());
    let message = "x".repeat(100_000);
    let mut delivered = 0;
    while publisher.call(&["PUBLISH", "c", &message]).int() == 1 {
        delivered += 1;
        assert!(delivered < 10_000, "nobody is closed");
    }
    assert_eq!(publisher.ask("PUBSUB CHANNELS"), "[]");
}

#[test]
fn a_subscriber_may_pass_its_soft_limit_for_a_while() {
    let limits = "normal 0 0 0 slave 0 0 0 pubsub 0 100kb 1";
    let node = with(&[("client-output-buffer-limit", limits)]);
    let (_deaf, mut publisher) = (subscriber(&node), node.connect());
    let message = "x".repeat(100_000);
    let omem = |publisher: &mut Client| {
        let listed = publisher.run("CLIENT LIST TYPE pubsub").text();
        let omem = listed.split(' ').find_map(|word| word.strip_prefix("omem="));
        omem.map(|bytes| bytes.parse::<usize>().expect("bytes"))
    };
    while omem(&mut publisher).expect("it may go on for a second") < 200_000 {
        publisher.call(&["PUBLISH", "c", &message]);
    }
    // Nothing more needs to be said to it.
    wait_until("it is closed", || omem(&mut publisher).is_none());
}

#[test]
fn subscribers_count_for_maxmemory_clients() {
    let node = with(&[("maxmemory-clients", "2mb")]);
    let (_deaf, mut publisher) = (subscriber(&node), node.connect());
    publisher.run("CLIENT NO-EVICT ON");
    let message = "x".repeat(100_000);
    let mut delivered = 0;
    while publisher.call(&["PUBLISH", "c", &message]).int() == 1 {
        delivered += 1;
        assert!(delivered < 10_000, "nobody is evicted");
    }
    let mut greedy = node.connect();
    let names: Vec<String> = (0..40_000).map(|n| format!("channel:{n:040}")).collect();
    let words = ["SUBSCRIBE"].into_iter().chain(names.iter().map(String::as_str));
    greedy.send(&words.collect::<Vec<_>>());
    wait_until("both are evicted", || {
        publisher.run("INFO stats").text().contains("evicted_clients:2\r\n")
    });
    assert_eq!(publisher.ask("PUBSUB CHANNELS"), "[]");
}

fn subscriber(node: &Node) -> Client {
    let mut client = node.connect();
    client.run("SUBSCRIBE c");
    client
}
