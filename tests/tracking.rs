//! Client-side caching from outside: who is told of which keys, in which frames, and when among
//! the replies; what the options allow, and what is remembered for how long.

mod common;

use common::{Client, Node, Reply, wait_until};
use redis_rust::config::Config;

/// The frame that tells of keys.
fn stale(keys: &[&str]) -> String {
    let keys: Vec<String> = keys.iter().map(|key| format!("\"{key}\"")).collect();
    format!("push[\"invalidate\", [{}]]", keys.join(", "))
}

/// The frame that tells of all keys.
const ALL_STALE: &str = "push[\"invalidate\", (nil)]";

fn read(client: &mut Client) -> String {
    client.read().to_string()
}

/// A client of RESP3 that tracks.
fn tracking(node: &Node, options: &str) -> Client {
    let mut client = node.connect_resp3();
    assert_eq!(client.run(format!("CLIENT TRACKING ON {options}").trim_end()), Reply::ok());
    client
}

/// Checks that nothing was pushed: the next thing to be read is the reply to this.
#[track_caller]
fn was_told_nothing(client: &mut Client) {
    assert_eq!(client.ask("PING"), "PONG");
}

fn id(client: &mut Client) -> i64 {
    client.run("CLIENT ID").int()
}

#[test]
fn a_key_that_was_read_is_told_of_once() {
    let node = Node::start();
    let (mut cache, mut writer) = (tracking(&node, ""), node.connect());
    cache.expect(&[("MGET a b", "[(nil), (nil)]"), ("LRANGE l 0 -1", "[]")]);
    writer.run("MSET b 1 c 2 a 3");
    assert_eq!((read(&mut cache), read(&mut cache)), (stale(&["b"]), stale(&["a"])));
    writer.run("MSET b 1 c 2 a 3");
    was_told_nothing(&mut cache);
    // Keys of all databases are one.
    writer.expect(&[("SELECT 3", "OK"), ("RPUSH l x", "(integer) 1")]);
    assert_eq!(read(&mut cache), stale(&["l"]));
    for (reads, changes) in [
        ("GET a", "EXPIRE a 100"),
        ("GET a", "PERSIST a"),
        ("GET a", "RENAME a z"),
        ("GET z", "DEL z"),
        ("SINTER z s", "SADD z m"),
        ("XREAD STREAMS z 0", "DEL z"),
        ("SORT_RO z", "SETRANGE z 0 x"),
    ] {
        writer.expect(&[("SELECT 0", "OK")]);
        cache.run(reads);
        writer.run(changes);
        let key = changes.split(' ').nth(1).unwrap();
        assert_eq!(read(&mut cache), stale(&[key]), "{changes}");
    }
    // What was only written is not in the cache.
    cache.expect(&[("SET w 1", "OK"), ("INCR w", "(integer) 2")]);
    writer.run("SET w 3");
    was_told_nothing(&mut cache);
}

#[test]
fn what_a_client_changes_itself_is_told_behind_the_reply() {
    let node = Node::start();
    let mut cache = tracking(&node, "");
    cache.expect(&[("GET k", "(nil)"), ("SET k 1", "OK")]);
    assert_eq!(read(&mut cache), stale(&["k"]));
    cache.expect(&[
        ("MULTI", "OK"),
        ("GET k", "QUEUED"),
        ("INCR k", "QUEUED"),
        ("GET k", "QUEUED"),
        ("EXEC", "[\"1\", (integer) 2, \"2\"]"),
    ]);
    assert_eq!(read(&mut cache), stale(&["k"]));
    // The second GET came after the change.
    cache.expect(&[("DEL k", "(integer) 1")]);
    assert_eq!(read(&mut cache), stale(&["k"]));
    cache.expect(&[("GET k", "(nil)"), ("FLUSHALL", "OK")]);
    assert_eq!(read(&mut cache), ALL_STALE);

    let mut writer = node.connect();
    cache.expect(&[("LRANGE l 0 -1", "[]")]);
    cache.send(&["BLPOP", "l", "0"]);
    wait_until("it waits", || writer.ask("CLIENT LIST").contains("cmd=blpop"));
    writer.run("RPUSH l a");
    assert_eq!(read(&mut cache), stale(&["l"]));
    assert_eq!(read(&mut cache), "[\"l\", \"a\"]");
    // CLIENT REPLY does not silence pushes.
    cache.send(&["GET", "k"]);
    cache.send(&["CLIENT", "REPLY", "OFF"]);
    cache.send(&["SET", "k", "1"]);
    assert_eq!((read(&mut cache), read(&mut cache)), ("(nil)".into(), stale(&["k"])));
}

#[test]
fn noloop() {
    let node = Node::start();
    let (mut quiet, mut other) = (tracking(&node, "NOLOOP"), tracking(&node, ""));
    quiet.run("GET k");
    other.run("GET k");
    assert_eq!(quiet.run("SET k 1"), Reply::ok());
    assert_eq!(read(&mut other), stale(&["k"]));
    was_told_nothing(&mut quiet);
    quiet.run("GET k");
    other.run("SET k 2");
    assert_eq!(read(&mut quiet), stale(&["k"]));
}

#[test]
fn optin_and_optout() {
    let node = Node::start();
    let (mut cache, mut writer) = (tracking(&node, "OPTIN"), node.connect());
    let change = |writer: &mut Client| writer.run("MSET a 1 b 1 c 1");
    cache.run("GET a");
    change(&mut writer);
    was_told_nothing(&mut cache);
    cache.expect(&[("CLIENT CACHING YES", "OK"), ("CLIENT GETNAME", "(nil)")]);
    cache.expect(&[("GET a", "\"1\""), ("GET b", "\"1\"")]);
    change(&mut writer);
    assert_eq!(read(&mut cache), stale(&["a"]));
    was_told_nothing(&mut cache);
    cache.expect(&[
        ("CLIENT CACHING YES", "OK"),
        ("MULTI", "OK"),
        ("GET a", "QUEUED"),
        ("GET b", "QUEUED"),
        ("EXEC", "[\"1\", \"1\"]"),
        ("GET c", "\"1\""),
    ]);
    change(&mut writer);
    assert_eq!((read(&mut cache), read(&mut cache)), (stale(&["a"]), stale(&["b"])));
    was_told_nothing(&mut cache);

    cache.expect(&[("CLIENT TRACKING OFF", "OK"), ("CLIENT TRACKING ON OPTOUT", "OK")]);
    cache.expect(&[("CLIENT CACHING NO", "OK"), ("GET a", "\"1\""), ("GET b", "\"1\"")]);
    change(&mut writer);
    assert_eq!(read(&mut cache), stale(&["b"]));
    was_told_nothing(&mut cache);
}

#[test]
fn prefixes() {
    let node = Node::start();
    let (mut all, mut some) =
        (tracking(&node, "BCAST"), tracking(&node, "BCAST PREFIX a PREFIX b"));
    let mut quiet = tracking(&node, "BCAST PREFIX a NOLOOP");
    // One frame for each prefix and turn, in the order of the keys.
    assert_eq!(quiet.run("MSET b1 1 a2 1 c3 1 a1 1"), Reply::ok());
    assert_eq!(read(&mut all), stale(&["a1", "a2", "b1", "c3"]));
    assert_eq!((read(&mut some), read(&mut some)), (stale(&["a1", "a2"]), stale(&["b1"])));
    was_told_nothing(&mut quiet);
    // Whoever was the last to change a key is the one who knows.
    assert_eq!(all.run("SET a1 2"), Reply::ok());
    assert_eq!(read(&mut all), stale(&["a1"]));
    assert_eq!(read(&mut quiet), stale(&["a1"]));
    assert_eq!(read(&mut some), stale(&["a1"]));
    assert_eq!(all.run("FLUSHDB"), Reply::ok());
    for client in [&mut all, &mut some, &mut quiet] {
        assert_eq!(read(client), ALL_STALE);
    }
    some.run("CLIENT TRACKING OFF");
    drop(quiet);
    let stats = |client: &mut Client| client.run("INFO stats").text();
    wait_until("one prefix is left", || stats(&mut some).contains("tracking_total_prefixes:1\r"));
    some.run("SET a1 1");
    was_told_nothing(&mut some);
}

#[test]
fn another_client_is_told() {
    let node = Node::start();
    let (mut ear, mut cache, mut writer) = (node.connect(), node.connect(), node.connect());
    let ear_id = id(&mut ear);
    ear.run("SUBSCRIBE __redis__:invalidate");
    cache.expect(&[
        (&format!("CLIENT TRACKING ON REDIRECT {ear_id}"), "OK"),
        ("CLIENT GETREDIR", &format!("(integer) {ear_id}")),
        ("GET k", "(nil)"),
    ]);
    writer.run("SET k 1");
    let told = |what: &str| format!("[\"message\", \"__redis__:invalidate\", {what}]");
    assert_eq!(read(&mut ear), told("[\"k\"]"));
    writer.run("FLUSHALL");
    assert_eq!(read(&mut ear), told("(nil)"));
    // Without a subscription there is no way to tell a client of RESP2.
    ear.expect(&[("UNSUBSCRIBE", "[\"unsubscribe\", \"__redis__:invalidate\", (integer) 0]")]);
    cache.run("GET k");
    writer.run("SET k 1");
    was_told_nothing(&mut ear);
    // One of RESP3 needs none, and hears of its own changes behind its replies.
    ear.run("HELLO 3");
    cache.run("GET k");
    ear.expect(&[("MULTI", "OK"), ("SET k 2", "QUEUED"), ("EXEC", "[OK]")]);
    assert_eq!(read(&mut ear), stale(&["k"]));
}

#[test]
fn a_redirection_that_breaks_is_told() {
    let node = Node::start();
    let (ear, mut cache, mut writer) = (&mut node.connect(), node.connect_resp3(), node.connect());
    let ear_id = id(ear);
    cache.run(&format!("CLIENT TRACKING ON REDIRECT {ear_id}"));
    cache.run("GET k");
    assert_eq!(writer.ask(&format!("CLIENT KILL ID {ear_id}")), "(integer) 1");
    writer.run("SET k 1");
    let broken = format!("push[\"tracking-redir-broken\", (integer) {ear_id}]");
    assert_eq!(read(&mut cache), broken);
    assert!(cache.ask("CLIENT TRACKINGINFO").contains("\"broken_redirect\""));
    assert!(cache.run("CLIENT INFO").text().contains(" flags=tR "));
    cache.run("GET k");
    assert_eq!(cache.run("SET k 2"), Reply::ok());
    assert_eq!(read(&mut cache), broken);
    cache.expect(&[("CLIENT TRACKING ON", "OK"), ("CLIENT GETREDIR", "(integer) 0")]);
    assert!(!cache.ask("CLIENT TRACKINGINFO").contains("broken"));
}

#[test]
fn options_that_do_not_fit() {
    let node = Node::start();
    let mut client = node.connect();
    let err = |words: &str| format!("(error) ERR {words}");
    let switch = |what: &str| {
        err(&format!(
            "You can't switch {what} before disabling tracking for this client, and then \
             re-enabling it with a different mode."
        ))
    };
    let overlap = |prefix: &str, which: &str, other: &str| {
        err(&format!(
            "Prefix '{prefix}' overlaps with {which} prefix '{other}'. Prefixes for a single \
             client must not overlap."
        ))
    };
    let own = id(&mut client);
    client.expect(&[
        ("CLIENT TRACKING maybe", &err("syntax error")),
        ("CLIENT TRACKING on PREFIX", &err("syntax error")),
        ("CLIENT TRACKING on REDIRECT x", &err("value is not an integer or out of range")),
        (
            "CLIENT TRACKING off REDIRECT 999",
            &err("The client ID you want redirect to does not exist"),
        ),
        (
            &format!("CLIENT TRACKING on REDIRECT {own} REDIRECT {own}"),
            &err("A client can only redirect to a single other client"),
        ),
        ("CLIENT TRACKING on PREFIX a", &err("PREFIX option requires BCAST mode to be enabled")),
        ("CLIENT TRACKING on BCAST OPTIN", &err("OPTIN and OPTOUT are not compatible with BCAST")),
        (
            "CLIENT TRACKING on OPTIN OPTOUT",
            &err("You can't specify both OPTIN mode and OPTOUT mode"),
        ),
        (
            "CLIENT CACHING YES",
            &err("CLIENT CACHING can be called only when the client is in tracking mode with \
                  OPTIN or OPTOUT mode enabled"),
        ),
        ("CLIENT TRACKING on OPTIN", "OK"),
        ("CLIENT TRACKING on OPTOUT", &switch("OPTIN/OPTOUT mode")),
        ("CLIENT TRACKING on BCAST", &switch("BCAST mode on/off")),
        (
            "CLIENT CACHING NO",
            &err("CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode."),
        ),
        ("CLIENT TRACKING off", "OK"),
        (
            "CLIENT TRACKING on BCAST PREFIX x PREFIX foo PREFIX foobar",
            &overlap("foo", "another provided", "foobar"),
        ),
        ("CLIENT TRACKING on BCAST PREFIX foo", "OK"),
        ("CLIENT TRACKING on BCAST PREFIX foobar", &overlap("foobar", "an existing", "foo")),
        ("CLIENT TRACKING on BCAST", "OK"),
        ("CLIENT TRACKING on BCAST PREFIX bar", &overlap("bar", "an existing", "")),
        ("CLIENT TRACKING on", &switch("BCAST mode on/off")),
    ]);
}

#[test]
fn what_is_told_of_the_state() {
    let node = Node::start();
    let mut client = node.connect();
    let info = |flags: &str, redirect: i64, prefixes: &str| {
        format!(
            "[\"flags\", [{flags}], \"redirect\", (integer) {redirect}, \"prefixes\", [{prefixes}]]"
        )
    };
    client.expect(&[
        ("CLIENT TRACKINGINFO", &info("\"off\"", -1, "")),
        ("CLIENT GETREDIR", "(integer) -1"),
        ("CLIENT TRACKING ON OPTIN NOLOOP", "OK"),
        ("CLIENT TRACKINGINFO", &info("\"on\", \"optin\", \"noloop\"", 0, "")),
        ("CLIENT CACHING YES", "OK"),
        ("CLIENT TRACKINGINFO", &info("\"on\", \"optin\", \"caching-yes\", \"noloop\"", 0, "")),
        ("PING", "PONG"),
        ("CLIENT TRACKINGINFO", &info("\"on\", \"optin\", \"noloop\"", 0, "")),
        ("CLIENT TRACKING OFF", "OK"),
        ("CLIENT TRACKING ON BCAST PREFIX b PREFIX a", "OK"),
        ("CLIENT TRACKINGINFO", &info("\"on\", \"bcast\"", 0, "\"a\", \"b\"")),
    ]);
    let line = client.run("CLIENT INFO").text();
    assert!(line.contains(" flags=tB ") && line.contains(" redir=0 "), "{line}");
    assert!(client.run("INFO clients").text().contains("tracking_clients:1\r"));
    client.expect(&[("RESET", "RESET"), ("CLIENT TRACKINGINFO", &info("\"off\"", -1, ""))]);
    assert!(client.run("INFO clients").text().contains("tracking_clients:0\r"));
    assert!(client.run("CLIENT INFO").text().contains(" redir=-1 "));
}

#[test]
fn the_table_is_kept_within_its_limit() {
    let node = Node::start();
    let (mut cache, mut other) = (tracking(&node, ""), node.connect());
    let field = |client: &mut Client, field: &str| -> usize {
        let text = client.run("INFO stats").text();
        let value = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        value.unwrap().parse().unwrap()
    };
    for n in 0..50 {
        cache.run(&format!("GET key:{n}"));
    }
    assert_eq!(field(&mut other, "tracking_total_keys"), 50);
    assert_eq!(field(&mut other, "tracking_total_items"), 50);
    other.run("CONFIG SET tracking-table-max-keys 20");
    // Keys that are forgotten are told of as if they had changed.
    let mut told: Vec<String> = (0..30).map(|_| read(&mut cache)).collect();
    told.sort();
    told.dedup();
    assert_eq!(told.len(), 30);
    was_told_nothing(&mut cache);
    assert_eq!(field(&mut other, "tracking_total_keys"), 20);
    other.run("FLUSHALL");
    assert_eq!(read(&mut cache), ALL_STALE);
    assert_eq!(field(&mut other, "tracking_total_items"), 0);
}

#[test]
fn what_the_server_removes_is_told() {
    let node = Node::start();
    let (mut cache, mut writer) = (tracking(&node, "NOLOOP"), node.connect());
    let mut all = tracking(&node, "BCAST NOLOOP");
    writer.run("SET k 1 PX 300");
    cache.run("GET k");
    assert_eq!(read(&mut all), stale(&["k"]));
    // By nobody's command, or by a lookup: nobody has changed it.
    assert_eq!((read(&mut cache), read(&mut all)), (stale(&["k"]), stale(&["k"])));

    cache.run("SETRANGE big 1000000 x");
    cache.run("GETRANGE big 0 1");
    assert_eq!(read(&mut all), stale(&["big"]));
    writer.run("CONFIG SET maxmemory-policy allkeys-lru");
    writer.run("CONFIG SET maxmemory 1");
    assert_eq!((read(&mut cache), read(&mut all)), (stale(&["big"]), stale(&["big"])));
}

#[test]
fn a_client_that_is_gone_costs_nothing_when_its_keys_change() {
    let node = Node::with(Config::default());
    let (mut cache, mut writer) = (tracking(&node, ""), node.connect());
    cache.run("GET k");
    drop(cache);
    let has = |client: &mut Client, section: &str, field: &str| {
        client.run(&format!("INFO {section}")).text().contains(field)
    };
    wait_until("it is gone", || has(&mut writer, "clients", "tracking_clients:0\r"));
    assert!(has(&mut writer, "stats", "tracking_total_keys:1\r"));
    writer.run("SET k 1");
    assert!(has(&mut writer, "stats", "tracking_total_keys:0\r"));
}
