//! The server as a whole: INFO, SLOWLOG, LATENCY, MEMORY, DEBUG and their kin, over sockets.

mod common;

use common::{Client, Node, Reply, wait_until};
use redis_rust::config::Config;

/// A node on which DEBUG may be used.
fn debuggable() -> Node {
    Node::with(Config::default().set("enable-debug-command", "yes").expect("a directive"))
}

/// The value of a field of INFO.
fn field(client: &mut Client, name: &str) -> String {
    let text = client.run("INFO everything").text();
    let prefix = format!("{name}:");
    let found = text.lines().find_map(|line| line.strip_prefix(&prefix));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// The pairs of a map, in either protocol.
fn names(reply: &Reply) -> Vec<String> {
    match reply {
        Reply::Map(pairs) => pairs.iter().map(|(name, _)| name.text()).collect(),
        other => other.items().chunks(2).map(|pair| pair[0].text()).collect(),
    }
}

#[test]
fn info_has_the_fields_of_redis_in_their_order() {
    let node = Node::start();
    let text = node.connect().run("INFO everything").text();
    let by_name = |line: &str| match line.split_once(':') {
        Some((name, _)) if !line.starts_with('#') => name.to_owned(),
        _ => line.to_owned(),
    };
    let is_fixed = |line: &&str| {
        let per_name = ["cmdstat_", "errorstat_", "latency_percentiles_usec_"];
        !line.is_empty() && !per_name.iter().any(|prefix| line.starts_with(prefix))
    };
    let shown: Vec<String> = text.lines().filter(is_fixed).map(by_name).collect();
    let expected: Vec<&str> = include_str!("data/info-fields.txt").lines().collect();
    assert_eq!(shown, expected);
}

#[test]
fn info_shows_the_sections_that_are_named() {
    let node = Node::start();
    let mut client = node.connect();
    let mut titles = |line: &str| {
        let text = client.run(line).text();
        text.lines().filter_map(|l| l.strip_prefix("# ").map(str::to_owned)).collect::<Vec<_>>()
    };
    assert_eq!(titles("INFO CPU nosuch server cpu"), ["Server", "CPU"]);
    assert_eq!(titles("INFO nosuch"), [""; 0]);
    assert_eq!(titles("INFO debug"), ["Debug"]);
    assert_eq!(titles("INFO"), titles("INFO default"));
    assert!(!titles("INFO").contains(&"Commandstats".to_owned()));
    assert_eq!(titles("INFO all"), titles("INFO everything default"));
    assert_eq!(client.run_raw("INFO modules"), "$11\r\n# Modules\r\n\r\n");
    client.run("HELLO 3");
    assert_eq!(client.run_raw("INFO modules"), "=15\r\ntxt:# Modules\r\n\r\n");
}

#[test]
fn info_counts_what_happens() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET key value PX 1000000");
    client.run("GET key");
    client.run("GET nosuch");
    client.run("GET");
    client.run("LLENN key");
    assert_eq!(field(&mut client, "keyspace_hits"), "1");
    assert_eq!(field(&mut client, "keyspace_misses"), "1");
    assert_eq!(field(&mut client, "errorstat_ERR"), "count=2");
    assert_eq!(field(&mut client, "total_error_replies"), "2");
    assert_eq!(field(&mut client, "connected_clients"), "1");
    let stats = field(&mut client, "cmdstat_get");
    assert!(stats.starts_with("calls=2,usec="), "{stats}");
    assert!(stats.ends_with(",rejected_calls=1,failed_calls=0"), "{stats}");
    let percentiles = field(&mut client, "latency_percentiles_usec_get");
    assert!(percentiles.starts_with("p50=") && percentiles.contains(",p99.9="), "{percentiles}");
    assert!(field(&mut client, "db0").starts_with("keys=1,expires=1,avg_ttl="));
    assert_ne!(field(&mut client, "used_memory_rss"), "0");
    assert_ne!(field(&mut client, "total_system_memory"), "0");
    wait_until("a rate", || field(&mut client, "instantaneous_ops_per_sec") != "0");
}

#[test]
fn databases_are_flushed_and_swapped() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SET a 1", "OK"),
        ("SET b 1", "OK"),
        ("DBSIZE", "(integer) 2"),
        ("SWAPDB 0 1", "OK"),
        ("DBSIZE", "(integer) 0"),
        ("SWAPDB 0 99", "(error) ERR DB index is out of range"),
        ("SWAPDB -1 0", "(error) ERR DB index is out of range"),
        ("SWAPDB a 0", "(error) ERR invalid first DB index"),
        ("SWAPDB 0 99999999999", "(error) ERR invalid second DB index"),
        ("SELECT 1", "OK"),
        ("DBSIZE", "(integer) 2"),
        ("FLUSHDB NOSUCH", "(error) ERR syntax error"),
        ("FLUSHDB ASYNC SYNC", "(error) ERR syntax error"),
        ("FLUSHDB ASYNC", "OK"),
        ("DBSIZE", "(integer) 0"),
        ("SET c 1", "OK"),
        ("SELECT 0", "OK"),
        ("FLUSHALL", "OK"),
        ("SELECT 1", "OK"),
        ("DBSIZE", "(integer) 0"),
    ]);
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "7");
    wait_until("lazy freeing", || field(&mut client, "lazyfreed_objects") == "2");
}

#[test]
fn shutdown_refuses_what_makes_no_sense() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SHUTDOWN NOSUCH", "(error) ERR syntax error"),
        ("SHUTDOWN SAVE NOSAVE", "(error) ERR syntax error"),
        ("SHUTDOWN NOW ABORT", "(error) ERR syntax error"),
        ("SHUTDOWN ABORT", "(error) ERR No shutdown in progress."),
    ]);
    client.send(&["SHUTDOWN", "NOSAVE", "NOW"]);
    assert!(client.is_closed());
    assert!(std::net::TcpStream::connect(node.address()).is_err());
}

#[test]
fn monitor_shows_what_others_do() {
    let node = Node::start();
    let (mut watching, mut working) = (node.connect(), node.connect());
    assert_eq!(watching.ask("MONITOR"), "OK");
    working.run("SET key value");
    working.run("INFO server");
    working.run("AUTH secret");
    let line = watching.read().text();
    assert!(line.contains(" [0 127.0.0.1:") && line.ends_with("] \"SET\" \"key\" \"value\""));
    assert!(watching.read().text().ends_with("\"INFO\" \"server\""));
    working.expect(&[
        ("MULTI", "OK"),
        ("MONITOR", "QUEUED"),
        ("EXEC", "[(error) ERR MONITOR isn't allowed for DENY BLOCKING client]"),
    ]);
}

#[test]
fn time_is_seconds_and_microseconds() {
    let node = Node::start();
    let parts = node.connect().run("TIME").texts();
    let [seconds, micros] = &parts[..] else { panic!("{parts:?}") };
    assert!(seconds.parse::<u64>().unwrap() > 1_700_000_000);
    assert!(micros.parse::<u64>().unwrap() < 1_000_000);
}

#[test]
fn lolwut_tells_the_version() {
    let node = Node::start();
    let mut client = node.connect();
    assert_eq!(client.run("LOLWUT").text(), "Redis ver. 7.2.6\n");
    assert_eq!(client.run("LOLWUT VERSION").text(), "Redis ver. 7.2.6\n");
    assert!(client.run("LOLWUT VERSION 5 10 2 3").text().ends_with("\nRedis ver. 7.2.6\n"));
    assert!(client.run("LOLWUT VERSION 6").text().ends_with("\nRedis ver. 7.2.6\n"));
    assert_eq!(
        client.run("LOLWUT VERSION x").error(),
        "ERR value is not an integer or out of range"
    );
}

#[test]
fn slow_commands_are_logged_without_secrets() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("CLIENT SETNAME me", "OK"),
        ("CONFIG SET slowlog-log-slower-than 0 slowlog-max-len 5", "OK"),
        ("SLOWLOG RESET", "OK"),
        ("CONFIG SET requirepass secret", "OK"),
        ("AUTH secret", "OK"),
        ("ECHO hello", "\"hello\""),
        ("SLOWLOG GET x", "(error) ERR count should be greater than or equal to -1"),
        ("SLOWLOG GET -2", "(error) ERR count should be greater than or equal to -1"),
        ("CONFIG SET slowlog-log-slower-than -1", "OK"),
        ("SLOWLOG LEN", "(integer) 5"),
    ]);
    let entries = client.run("SLOWLOG GET -1");
    let entries = entries.items();
    assert_eq!(entries.len(), 5);
    let newest = entries[0].items();
    assert_eq!(newest.len(), 6);
    assert_eq!(newest[3].texts(), ["SLOWLOG", "GET", "-2"]);
    assert!(newest[4].text().starts_with("127.0.0.1:"));
    assert_eq!(newest[5].text(), "me");
    assert_eq!(entries[3].items()[3].texts(), ["AUTH", "(redacted)"]);
    let changed = entries[4].items()[3].texts();
    assert_eq!(changed, ["CONFIG", "SET", "requirepass", "(redacted)"]);
    assert_eq!(newest[0].int(), entries[4].items()[0].int() + 4);
    assert_eq!(client.run("SLOWLOG GET 2").items().len(), 2);
    client.expect(&[("SLOWLOG RESET", "OK"), ("SLOWLOG GET", "[]")]);
}

#[test]
fn latency_events_are_recorded_drawn_and_reset() {
    let node = debuggable();
    let mut client = node.connect();
    client.expect(&[
        ("LATENCY LATEST", "[]"),
        ("LATENCY GRAPH command", "(error) ERR No samples available for event 'command'"),
        ("CONFIG SET latency-monitor-threshold 20", "OK"),
        ("DEBUG SLEEP 0.03", "OK"),
    ]);
    let latest = client.run("LATENCY LATEST");
    let latest = latest.items()[0].items();
    assert_eq!(latest[0].text(), "command");
    assert!(latest[2].int() >= 30 && latest[3].int() >= latest[2].int());
    let history = client.run("LATENCY HISTORY command");
    assert_eq!(history.items()[0].items()[1].int(), latest[2].int());
    assert_eq!(client.ask("LATENCY HISTORY COMMAND"), "[]");
    let graph = client.run("LATENCY GRAPH command").text();
    assert!(graph.starts_with("command - high "), "{graph}");
    let report = client.run("LATENCY DOCTOR").text();
    assert!(report.contains("1. command: 1 latency spikes (average "), "{report}");
    client.expect(&[
        ("LATENCY RESET nosuch COMMAND", "(integer) 1"),
        ("LATENCY RESET", "(integer) 0"),
        ("LATENCY LATEST", "[]"),
    ]);
}

#[test]
fn latency_histograms_are_those_of_the_named_commands() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET a 1");
    client.run("SET a 2");
    client.run("CLIENT ID");
    let histogram = client.run("LATENCY HISTOGRAM set nosuch client client|id get");
    assert_eq!(names(&histogram), ["set", "client|id", "client|id"]);
    let set = &histogram.items()[1];
    assert_eq!(set.items()[0].text(), "calls");
    assert_eq!(set.items()[1].int(), 2);
    assert_eq!(set.items()[2].text(), "histogram_usec");
    assert_eq!(set.items()[3].items().last().unwrap().int(), 2);
    client.run("HELLO 3");
    assert!(
        client.run_raw("LATENCY HISTOGRAM set").starts_with(
            "%1\r\n$3\r\nset\r\n%2\r\n$5\r\ncalls\r\n:2\r\n$14\r\nhistogram_usec\r\n%"
        )
    );
    assert!(names(&client.run("LATENCY HISTOGRAM")).contains(&"latency|histogram".to_owned()));
}

#[test]
fn memory_of_keys_and_of_the_server() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("SET key value");
    client.expect(&[
        ("MEMORY USAGE nosuch", "(nil)"),
        ("MEMORY USAGE key SAMPLES -1", "(error) ERR syntax error"),
        ("MEMORY USAGE key SAMPLES", "(error) ERR syntax error"),
        ("MEMORY USAGE key NOSUCH 1", "(error) ERR syntax error"),
        ("MEMORY USAGE key SAMPLES x", "(error) ERR value is not an integer or out of range"),
        ("MEMORY PURGE", "OK"),
    ]);
    let small = client.run("MEMORY USAGE key SAMPLES 0").int();
    assert!((20..80).contains(&small), "{small}");
    client.call(&["SET", "key", &"x".repeat(10_000)]);
    assert!(client.run("MEMORY USAGE key").int() > 10_000);
    let stats = client.run("MEMORY STATS");
    assert_eq!(stats.items().len(), 56);
    assert_eq!(names(&stats)[10], "db.0");
    client.run("HELLO 3");
    let stats = client.run("MEMORY STATS");
    assert_eq!(names(&stats).len(), 28);
    assert!(matches!(stats, Reply::Map(pairs) if matches!(pairs[15].1, Reply::Double(_))));
    assert!(client.run("MEMORY DOCTOR").text().contains("Hi Sam, this instance is empty"));
    assert!(client.run("MEMORY MALLOC-STATS").text().contains("Allocated: "));
}

#[test]
fn debug_needs_permission() {
    let node = Node::start();
    let refusal = node.connect().run("DEBUG SLEEP 0");
    assert!(refusal.error().starts_with("ERR DEBUG command not allowed."), "{refusal:?}");
}

#[test]
fn debug_shows_the_inside_of_things() {
    let node = debuggable();
    let mut client = node.connect();
    client.expect(&[
        ("DEBUG", "(error) ERR wrong number of arguments for 'debug' command"),
        (
            "DEBUG nosuch",
            "(error) ERR unknown subcommand or wrong number of arguments for 'nosuch'. \
             Try DEBUG HELP.",
        ),
        ("DEBUG OBJECT nosuch", "(error) ERR no such key"),
        ("DEBUG POPULATE x", "(error) ERR value is out of range, must be positive"),
        ("DEBUG POPULATE 3 a 5", "OK"),
        ("GET a:2", "\"value\""),
        ("DEBUG POPULATE 2", "OK"),
        ("GET key:1", "\"value:1\""),
        ("DBSIZE", "(integer) 5"),
        ("DEBUG HTSTATS 99", "(error) ERR Out of range database"),
        ("DEBUG HTSTATS-KEY nosuch", "(error) ERR no such key"),
        ("DEBUG STRINGMATCH-TEST", "Apparently Redis did not crash: test passed"),
        ("DEBUG MALLCTL nosuch", "(error) ERR No such file or directory"),
        ("DEBUG CLIENT-EVICTION", "(error) ERR maxmemory-clients is disabled."),
        ("DEBUG LEAK abc", "OK"),
        ("DEBUG LOG abc", "OK"),
        ("DEBUG PAUSE-CRON 0", "OK"),
        ("DEBUG SET-ACTIVE-EXPIRE 1", "OK"),
        ("DEBUG REPLYBUFFER RESIZING 1", "OK"),
        ("DEBUG REPLYBUFFER PEAK-RESET-TIME never", "OK"),
        ("DEBUG ERROR NOSUCH", "(error) NOSUCH"),
    ]);
    let line = client.run("DEBUG OBJECT a:2").text();
    assert!(
        line.starts_with("Value at:0x") && line.contains(" encoding:embstr serializedlength:6 ")
    );
    assert!(client.run("DEBUG HTSTATS 0 full").text().contains(" number of elements: 5\n"));
    assert!(client.run("DEBUG SDSLEN a:2").text().starts_with("key_sds_len:3, key_sds_avail:0, "));
    let digests = client.run("DEBUG DIGEST-VALUE nosuch a:1 a:2").texts();
    assert_eq!(digests[0], "0".repeat(40));
    assert_eq!(digests[1], digests[2]);
}

#[test]
fn debug_object_tells_the_length_in_a_snapshot() {
    let node = debuggable();
    let mut client = node.connect();
    let (hundred, many) = ("x".repeat(100), "y".repeat(300));
    client.run(&format!("MSET a 12 b {hundred} c 70000 d -3000000000 e 1234567890123 f hello"));
    client.run("RPUSH l 1 2 3");
    client.run(&format!("HSET h a 1 b {many}"));
    client.run("SADD s 1 2 3");
    let mut length = |key: &str| {
        let line = client.run(&format!("DEBUG OBJECT {key}")).text();
        let (_, rest) = line.split_once("serializedlength:").expect("the field");
        let (digits, _) = rest.split_once(' ').expect("a field behind it");
        digits.parse::<usize>().expect("a number")
    };
    // Those of Redis 7.2.
    assert_eq!(["a", "c", "d", "e", "f", "l", "s"].map(&mut length), [2, 5, 12, 14, 6, 16, 15]);
    // Redis 7.2 compresses a little less: 13 and 23.
    assert_eq!(["b", "h"].map(&mut length), [9, 19]);
    node.connect().run("CONFIG SET rdbcompression no");
    assert_eq!(["b", "h"].map(length), [102, 309]);
}

#[test]
fn debug_switches_active_expiry_off_and_on() {
    let node = debuggable();
    let mut client = node.connect();
    client.run("DEBUG SET-ACTIVE-EXPIRE 0");
    client.run("SET key value PX 1");
    // A rate that rises shows that the cron has run since.
    wait_until("cron", || field(&mut client, "instantaneous_ops_per_sec") != "0");
    assert_eq!(client.ask("DBSIZE"), "(integer) 1");
    client.run("DEBUG SET-ACTIVE-EXPIRE 1");
    wait_until("expiry", || client.ask("DBSIZE") == "(integer) 0");
}

#[test]
fn resetstat_begins_all_counters_anew() {
    let node = Node::start();
    let mut client = node.connect();
    client.run("GET key");
    client.run("NOSUCH");
    client.run("CONFIG RESETSTAT");
    let stats = client.run("INFO commandstats errorstats").text();
    let named = stats.lines().filter(|line| line.contains("stat_")).count();
    assert_eq!(named, 1, "{stats}");
    assert!(stats.contains("cmdstat_config|resetstat:calls=1,"), "{stats}");
    assert_eq!(field(&mut client, "keyspace_misses"), "0");
    assert_eq!(field(&mut client, "total_error_replies"), "0");
    assert_eq!(field(&mut client, "total_connections_received"), "0");
}

#[test]
fn debug_protocol_replies_every_type() {
    let node = debuggable();
    let dialogue = |client: &mut Client, types: &[(&str, &str)]| {
        for (name, expected) in types {
            assert_eq!(client.run_raw(&format!("DEBUG PROTOCOL {name}")), *expected, "{name}");
        }
    };
    dialogue(
        &mut node.connect(),
        &[
            ("string", "$11\r\nHello World\r\n"),
            ("double", "$5\r\n3.141\r\n"),
            ("bignum", "$37\r\n1234567999999999999999999999999999999\r\n"),
            ("null", "$-1\r\n"),
            ("set", "*3\r\n:0\r\n:1\r\n:2\r\n"),
            ("map", "*6\r\n:0\r\n:0\r\n:1\r\n:1\r\n:2\r\n:0\r\n"),
            ("push", "-ERR RESP2 is not supported by this command\r\n"),
            ("verbatim", "$25\r\nThis is a verbatim\nstring\r\n"),
        ],
    );
    dialogue(
        &mut node.connect_resp3(),
        &[
            ("integer", ":12345\r\n"),
            ("double", ",3.141\r\n"),
            ("bignum", "(1234567999999999999999999999999999999\r\n"),
            ("null", "_\r\n"),
            ("set", "~3\r\n:0\r\n:1\r\n:2\r\n"),
            ("map", "%3\r\n:0\r\n#f\r\n:1\r\n#t\r\n:2\r\n#f\r\n"),
            ("true", "#t\r\n"),
            ("verbatim", "=29\r\ntxt:This is a verbatim\nstring\r\n"),
        ],
    );
}

#[test]
fn a_pipeline_answers_as_its_requests_do_one_by_one() {
    let requests = [
        "INCR a",
        "INCR a",
        "incr a",
        "INCR b",
        "INCR",
        "INCR a b",
        "GET a",
        "GET a",
        "APPEND a 1",
        "LPUSH a x",
        "LPUSH l x",
        "LPUSH l y",
        "LLEN l",
        "CLIENT",
        "CLIENT GETNAME",
        "CLIENT INFO x",
        "CLIENT NOSUCH",
        "CLIENT GETNAME",
        "nosuch a",
        "nosuch a",
        "OBJECT ENCODING a",
        "OBJECT REFCOUNT a",
        "OBJECT",
        "MULTI",
        "INCR a",
        "INCR a",
        "EXEC",
        "EXEC",
        "DEL a",
        "GET a",
    ];
    let (single, piped) = (Node::start(), Node::start());
    let mut client = single.connect();
    let expected: Vec<Reply> = requests.iter().map(|request| client.run(request)).collect();
    let mut client = piped.connect();
    client.send_raw(requests.map(|request| format!("{request}\r\n")).concat().as_bytes());
    for (request, expected) in requests.iter().zip(expected) {
        assert_eq!(client.read(), expected, "{request}");
    }
}
