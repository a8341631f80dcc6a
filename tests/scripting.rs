//! Scripts and functions over the wire: what they may do, how they are counted and shown, scripts
//! that run for too long, and libraries that survive a restart.

mod common;

use std::time::{Duration, Instant};

use common::cluster::start_cluster;
use common::{Client, Node, Reply, wait_until};
use redis_rust::Config;

/// EVAL of a text with keys and arguments.
fn eval(client: &mut Client, text: &str, keys: &[&str], args: &[&str]) -> Reply {
    let count = keys.len().to_string();
    let head = ["EVAL", text, &count];
    let all: Vec<&str> = head.iter().chain(keys).chain(args).copied().collect();
    client.call(&all)
}

fn info(client: &mut Client, section: &str, field: &str) -> String {
    let page = client.run(&format!("INFO {section}")).text();
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("{field}:")));
    line.unwrap_or_else(|| panic!("no {field} in {page}")).to_owned()
}

const NAMED: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

#[test]
fn scripts_are_kept_by_their_name() {
    let node = Node::start();
    let mut client = node.connect();
    let none = "(error) NOSCRIPT No matching script. Please use EVAL.";
    client.expect(&[(&format!("EVALSHA {NAMED} 0"), none)]);
    assert_eq!(eval(&mut client, "return 1", &[], &[]), Reply::Int(1));
    client.expect(&[
        (&format!("EVALSHA {} 0", NAMED.to_uppercase()), "(integer) 1"),
        (&format!("EVALSHA_RO {NAMED} 0"), "(integer) 1"),
        (&format!("SCRIPT EXISTS {NAMED} x"), "[(integer) 1, (integer) 0]"),
        ("EVALSHA short 0", none),
        ("SCRIPT FLUSH ASYNC", "OK"),
        (&format!("EVALSHA {NAMED} 0"), none),
        ("SCRIPT FLUSH x", "(error) ERR SCRIPT FLUSH only support SYNC|ASYNC option"),
        ("EVAL x -1", "(error) ERR Number of keys can't be negative"),
        ("EVAL x 1", "(error) ERR Number of keys can't be greater than number of args"),
        ("EVAL x y", "(error) ERR value is not an integer or out of range"),
    ]);
    assert_eq!(client.call(&["SCRIPT", "LOAD", "return 1"]).text(), NAMED);
    assert_eq!(info(&mut client, "memory", "number_of_cached_scripts"), "1");
    assert_ne!(info(&mut client, "memory", "used_memory_lua"), "0");
}

#[test]
fn an_idle_node_has_no_lua() {
    let node = Node::start();
    let mut client = node.connect();
    assert_eq!(info(&mut client, "memory", "used_memory_vm_total"), "0");
}

#[test]
fn commands_of_scripts_work_on_the_database_and_leave_the_client_as_it_was() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    let text = "redis.call('select', 5) redis.call('set', KEYS[1], ARGV[1]) \
                return redis.call('get', KEYS[1])";
    assert_eq!(eval(&mut client, text, &["k"], &["v"]).text(), "v");
    client.expect(&[("GET k", "(nil)"), ("SELECT 5", "OK"), ("GET k", "\"v\"")]);
    client.expect(&[("HSET h f 1", "(integer) 1")]);
    assert_eq!(
        eval(&mut client, "return redis.call('hgetall', KEYS[1])", &["h"], &[]),
        Reply::from(["f", "1"])
    );
    let text = "redis.setresp(3) return redis.call('hgetall', KEYS[1])";
    assert_eq!(eval(&mut client, text, &["h"], &[]).to_string(), "{\"f\": \"1\"}");
    let refused = eval(&mut client, "return redis.pcall('blpop', 'nolist', 0)", &[], &[]);
    assert_eq!(refused.to_string(), "(nil)");
}

#[test]
fn gates_of_commands_in_scripts() {
    let node = Node::start();
    let mut client = node.connect();
    let mut pcall = |command: &str| {
        eval(&mut client, &format!("return redis.pcall({command})"), &[], &[]).to_string()
    };
    for (command, words) in [
        ("'nosuch'", "ERR Unknown Redis command called from script"),
        ("'get'", "ERR Wrong number of args calling Redis command from script"),
        ("'subscribe', 'c'", "ERR This Redis command is not allowed from script"),
        ("'eval', 'return 1', 0", "ERR This Redis command is not allowed from script"),
        ("'xread', 'block', 0, 'streams', 's', '$'", "ERR xread command is not allowed with BLOCK"),
    ] {
        assert!(pcall(command).starts_with(&format!("(error) {words}")), "{command}");
    }
    let mut read_only = |text: &str| client.call(&["EVAL_RO", text, "0"]).to_string();
    let no_writes = "(error) ERR Write commands are not allowed from read-only scripts.";
    assert!(read_only("return redis.call('set', 'k', 'v')").starts_with(no_writes));
    assert!(read_only("return redis.call('publish', 'c', 'm')").starts_with(no_writes));
    assert_eq!(read_only("return redis.call('get', 'k')"), "(nil)");
    assert_eq!(
        read_only("#!lua\nreturn 1"),
        "(error) ERR Can not execute a script with write flag using *_ro command."
    );
    let text = "#!lua flags=no-writes\nreturn redis.call('set', 'k', 'v')";
    assert!(eval(&mut client, text, &[], &[]).to_string().starts_with(no_writes));
}

#[test]
fn short_memory_stops_scripts_before_they_write() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[("SET k v", "OK"), ("CONFIG SET maxmemory 1", "OK")]);
    let refused = "OOM command not allowed when used memory > 'maxmemory'.";
    let set = "return redis.call('set', KEYS[1], 1)";
    assert!(eval(&mut client, set, &["k"], &[]).error().starts_with(refused));
    assert_eq!(eval(&mut client, "return redis.call('get', KEYS[1])", &["k"], &[]).text(), "v");
    // What has begun to write goes on.
    let text = "redis.call('del', KEYS[1]) return redis.call('set', KEYS[1], 1)";
    assert_eq!(eval(&mut client, text, &["k"], &[]), Reply::ok());
    let declared = format!("#!lua\n{set}");
    assert!(eval(&mut client, &declared, &["k"], &[]).error().starts_with("OOM"));
    let allowed = format!("#!lua flags=allow-oom\n{set}");
    assert_eq!(eval(&mut client, &allowed, &["k"], &[]), Reply::ok());
    let reads = "#!lua flags=no-writes\nreturn redis.call('get', KEYS[1])";
    assert_eq!(eval(&mut client, reads, &["k"], &[]).text(), "1");
}

#[test]
fn errors_are_counted_once_and_where_they_arose() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[("SET s x", "OK"), ("CONFIG RESETSTAT", "OK")]);
    eval(&mut client, "return redis.pcall('incr', 's')", &[], &[]);
    eval(&mut client, "return redis.call('incr', 's')", &[], &[]);
    eval(&mut client, "return redis.call('get', 'a', 'b')", &[], &[]);
    eval(&mut client, "return {err='MY words'}", &[], &[]);
    let page = client.run("INFO commandstats").text();
    let counts = |name: &str| -> String {
        let line = page.lines().find(|line| line.starts_with(&format!("cmdstat_{name}:")));
        let line = line.unwrap_or_else(|| panic!("no {name} in {page}"));
        let rest = line.split(',').filter(|part| !part.contains("usec"));
        rest.collect::<Vec<_>>().join(",")
    };
    assert_eq!(counts("incr"), "cmdstat_incr:calls=2,rejected_calls=0,failed_calls=2");
    assert_eq!(counts("get"), "cmdstat_get:calls=0,rejected_calls=1,failed_calls=0");
    assert_eq!(counts("eval"), "cmdstat_eval:calls=4,rejected_calls=0,failed_calls=4");
    let page = client.run("INFO errorstats").text();
    assert!(page.contains("errorstat_ERR:count=3"), "{page}");
    assert!(page.contains("errorstat_MY:count=1"), "{page}");
}

#[test]
fn monitors_and_the_slow_log_show_what_scripts_do() {
    let node = Node::start();
    let (mut client, mut monitor) = (node.connect(), node.connect());
    client.expect(&[("CONFIG SET slowlog-log-slower-than 0", "OK"), ("SLOWLOG RESET", "OK")]);
    monitor.run("MONITOR");
    eval(&mut client, "return redis.call('set', 'k', 1)", &[], &[]);
    assert!(monitor.read().text().contains("\"EVAL\""));
    let line = monitor.read().text();
    assert!(line.ends_with("[0 lua] \"set\" \"k\" \"1\""), "{line}");
    let log = client.run("SLOWLOG GET 2").to_string();
    assert!(log.contains("\"EVAL\"") && log.contains("[\"set\", \"k\", \"1\"], \"?:0\""), "{log}");
}

#[test]
fn keys_that_scripts_read_are_tracked() {
    let node = Node::start();
    let (mut cache, mut other) = (node.connect_resp3(), node.connect());
    cache.expect(&[("CLIENT TRACKING ON NOLOOP", "OK")]);
    eval(&mut cache, "return redis.call('get', KEYS[1])", &["k"], &[]);
    eval(&mut other, "return redis.call('set', KEYS[1], 1)", &["k"], &[]);
    assert_eq!(cache.read().to_string(), "push[\"invalidate\", [\"k\"]]");
    // What a script only declares is none of what it has read.
    cache.call(&["EVAL_RO", "return 1", "1", "k"]);
    other.run("SET k 1");
    // Its own scripts are its own.
    let text = "redis.call('get', KEYS[1]) redis.call('set', KEYS[1], 2)";
    eval(&mut cache, text, &["k"], &[]);
    cache.expect(&[("PING", "PONG")]);
}

#[test]
fn messages_of_scripts_follow_the_reply() {
    let node = Node::start();
    let mut client = node.connect_resp3();
    client.run("SUBSCRIBE c");
    let text = "redis.call('publish', 'c', 'm') return 'done'";
    assert_eq!(eval(&mut client, text, &[], &[]).text(), "done");
    assert_eq!(client.read().to_string(), "push[\"message\", \"c\", \"m\"]");
}

#[test]
fn a_pause_of_writes_lets_scripts_run_that_do_not_write() {
    let node = Node::start();
    let (mut admin, mut client) = (node.connect(), node.connect());
    admin.expect(&[("SET k v", "OK"), ("CLIENT PAUSE 100000 WRITE", "OK")]);
    assert_eq!(client.call(&["EVAL_RO", "return redis.call('get', 'k')", "0"]).text(), "v");
    let reads = "#!lua flags=no-writes\nreturn redis.call('get', 'k')";
    assert_eq!(eval(&mut client, reads, &[], &[]).text(), "v");
    let held = ["return 1", "#!lua\nreturn 1"];
    let mut writers: Vec<Client> = held.iter().map(|_| node.connect()).collect();
    for (writer, text) in writers.iter_mut().zip(held) {
        writer.send(&["EVAL", text, "0"]);
    }
    let blocked = |admin: &mut Client| admin.run("CLIENT LIST").text().matches("flags=b ").count();
    wait_until("both are held back", || blocked(&mut admin) == 2);
    admin.run("CLIENT UNPAUSE");
    for writer in &mut writers {
        assert_eq!(writer.read(), Reply::Int(1));
    }
}

#[test]
fn transactions_run_scripts_in_their_order() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[("MULTI", "OK")]);
    client.run("INCR n");
    client.call(&["EVAL", "return redis.call('incr', 'n')", "0"]);
    client.call(&["EVAL", "return redis.call('nosuch')", "0"]);
    client.run("INCR n");
    let replies = client.run("EXEC");
    assert_eq!(replies.items()[1], Reply::Int(2));
    assert!(replies.items()[2].is_error());
    assert_eq!(replies.items()[3], Reply::Int(3));
}

#[test]
fn time_stands_still_in_scripts() {
    let node = Node::start();
    let mut client = node.connect();
    let text = "redis.call('set', KEYS[1], 'v', 'px', 5) local first = redis.call('time') \
                local n = 0 for i = 1, 2000000 do n = n + i % 7 end \
                local last = redis.call('time') \
                return {redis.call('exists', KEYS[1]), first[1] == last[1], first[2] == last[2]}";
    assert_eq!(eval(&mut client, text, &["k"], &[]), Reply::from([1, 1, 1]));
}

/// Starts a script that never ends, and waits until others are told so.
fn begin_endless(node: &Node, admin: &mut Client, request: &[&str]) -> Client {
    admin.run("CONFIG SET busy-reply-threshold 10");
    let mut runner = node.connect();
    runner.send(request);
    wait_until("others are told BUSY", || admin.run("PING").is_error());
    runner
}

#[test]
fn an_endless_script_is_killed_and_others_are_served_meanwhile() {
    let node = Node::start();
    let mut admin = node.connect();
    for text in [
        "while true do end",
        "while true do pcall(function() while true do end end) end",
        "local f = function() while true do redis.call('ping') end end while true do pcall(f) end",
    ] {
        let mut runner = begin_endless(&node, &mut admin, &["EVAL", text, "0"]);
        let busy = "(error) BUSY Redis is busy running a script. You can only call SCRIPT KILL or \
                    SHUTDOWN NOSAVE.";
        // Whoever comes now is let in, and may prepare what is to be done afterwards.
        let mut newcomer = node.connect();
        newcomer.expect(&[("PING", busy), ("MULTI", "OK"), ("SET k v", busy), ("DISCARD", "OK")]);
        newcomer.expect(&[("FUNCTION KILL", busy), ("FUNCTION STATS", busy), ("SHUTDOWN", busy)]);
        assert_eq!(admin.ask("SCRIPT KILL"), "OK");
        assert_eq!(runner.read().error(), "ERR Script killed by user with SCRIPT KILL...");
        newcomer.expect(&[("PING", "PONG")]);
    }
    admin.expect(&[("SCRIPT KILL", "(error) NOTBUSY No scripts in execution right now.")]);
}

#[test]
fn a_script_that_has_written_is_not_killed() {
    let node = Node::start();
    let mut admin = node.connect();
    let text = "redis.call('set', KEYS[1], 'v') while true do end";
    let _runner = begin_endless(&node, &mut admin, &["EVAL", text, "1", "k"]);
    assert!(admin.run("SCRIPT KILL").error().starts_with("UNKILLABLE Sorry the script already"));
    admin.send(&["SHUTDOWN", "NOSAVE"]);
    assert!(admin.is_closed());
    node.stop();
}

#[test]
fn an_endless_transaction_is_killed_too() {
    let node = Node::start();
    let mut admin = node.connect();
    admin.run("CONFIG SET busy-reply-threshold 10");
    let mut runner = node.connect();
    runner.run("MULTI");
    runner.call(&["EVAL", "while true do end", "0"]);
    runner.run("PING");
    runner.send(&["EXEC"]);
    wait_until("others are told BUSY", || admin.run("PING").is_error());
    assert_eq!(admin.ask("SCRIPT KILL"), "OK");
    let replies = runner.read();
    assert!(replies.items()[0].is_error());
    assert_eq!(replies.items()[1].text(), "PONG");
}

#[test]
fn who_waits_for_a_key_gets_it_after_the_script() {
    let node = Node::start();
    let (mut admin, mut waiter) = (node.connect(), node.connect());
    waiter.send(&["BLPOP", "l", "0"]);
    wait_until("it waits", || admin.run("CLIENT LIST").text().contains("flags=b "));
    let text = "redis.call('rpush', KEYS[1], 'a') redis.call('lpush', KEYS[1], 'b') return 1";
    assert_eq!(eval(&mut admin, text, &["l"], &[]), Reply::Int(1));
    assert_eq!(waiter.read(), Reply::from(["l", "b"]));
}

const LIBRARY: &str = "#!lua name=lib\n\
    redis.register_function('set', function(keys, args) \
    return redis.call('set', keys[1], args[1]) end)\n\
    redis.register_function{function_name='get', description='reads', flags={'no-writes'}, \
    callback=function(keys) return redis.call('get', keys[1]) end}\n\
    redis.register_function('endless', function() while true do end end)";

#[test]
fn functions_are_loaded_called_and_listed() {
    let node = Node::start();
    let mut client = node.connect();
    assert_eq!(client.call(&["FUNCTION", "LOAD", LIBRARY]).text(), "lib");
    client.expect(&[
        ("FCALL set 1 k v", "OK"),
        ("FCALL GET 1 k", "\"v\""),
        ("FCALL_RO get 1 k", "\"v\""),
        (
            "FCALL_RO set 1 k v",
            "(error) ERR Can not execute a script with write flag using *_ro command.",
        ),
        ("FCALL nosuch 0", "(error) ERR Function not found"),
        ("FCALL set x", "(error) ERR Bad number of keys provided"),
        ("FUNCTION DELETE nosuch", "(error) ERR Library not found"),
    ]);
    let listed = client.run("FUNCTION LIST LIBRARYNAME LI*").to_string();
    assert!(
        listed.contains("[\"name\", \"get\", \"description\", \"reads\", \"flags\""),
        "{listed}"
    );
    assert!(client.run("FUNCTION LIST WITHCODE").to_string().contains("#!lua name=lib"));
    let again = client.call(&["FUNCTION", "LOAD", LIBRARY]);
    assert_eq!(again.error(), "ERR Library 'lib' already exists");
    assert_eq!(client.call(&["FUNCTION", "LOAD", "REPLACE", LIBRARY]).text(), "lib");
    // Libraries are no keys.
    client.expect(&[("FLUSHALL", "OK"), ("FCALL set 1 k v", "OK"), ("FUNCTION FLUSH", "OK")]);
    client.expect(&[("FCALL set 1 k v", "(error) ERR Function not found")]);
}

#[test]
fn payloads_of_libraries_are_restored() {
    let node = Node::start();
    let mut client = node.connect();
    client.call(&["FUNCTION", "LOAD", LIBRARY]);
    client.send(&["FUNCTION", "DUMP"]);
    let Reply::Bulk(payload) = client.read() else { panic!("no payload") };
    let mut restore = |policy: &str| {
        client.call(&[b"FUNCTION".as_slice(), b"RESTORE", &payload, policy.as_bytes()]).to_string()
    };
    assert_eq!(restore("APPEND"), "(error) ERR Library lib already exists");
    assert_eq!(restore("REPLACE"), "OK");
    assert_eq!(restore("FLUSH"), "OK");
    assert!(restore("x").starts_with("(error) ERR Wrong restore policy given"));
    let bad = "(error) ERR DUMP payload version or checksum are wrong";
    client.expect(&[("FUNCTION RESTORE x", bad), ("FCALL set 1 k v", "OK")]);
}

#[test]
fn an_endless_function_is_killed_by_its_own_command() {
    let node = Node::start();
    let mut admin = node.connect();
    admin.call(&["FUNCTION", "LOAD", LIBRARY]);
    let mut runner = begin_endless(&node, &mut admin, &["FCALL", "endless", "0"]);
    let busy = "(error) BUSY Redis is busy running a script. You can only call FUNCTION KILL or \
                SHUTDOWN NOSAVE.";
    admin.expect(&[("PING", busy), ("SCRIPT KILL", busy)]);
    let stats = admin.run("FUNCTION STATS").to_string();
    assert!(stats.contains("\"command\", [\"FCALL\", \"endless\", \"0\"]"), "{stats}");
    assert_eq!(admin.ask("FUNCTION KILL"), "OK");
    assert!(runner.read().is_error());
}

#[test]
fn a_library_that_takes_long_to_load_is_refused() {
    let node = Node::start();
    let mut client = node.connect();
    let started = Instant::now();
    let refused = client.call(&["FUNCTION", "LOAD", "#!lua name=slow\nwhile true do end"]);
    assert!(refused.error().contains("FUNCTION LOAD timeout"), "{refused}");
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn libraries_survive_a_restart_and_a_reload() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().to_str().expect("UTF-8");
    let config = || {
        let config = Config::default().set("dir", path).unwrap();
        let config = config.set("dbfilename", "scripts.rdb").unwrap();
        config.set("enable-debug-command", "yes").unwrap()
    };
    let node = Node::with(config());
    let mut client = node.connect();
    client.call(&["FUNCTION", "LOAD", LIBRARY]);
    client.expect(&[("DEBUG RELOAD", "OK"), ("FCALL set 1 k v", "OK"), ("SAVE", "OK")]);
    node.stop();
    let node = Node::with(config());
    node.connect().expect(&[("FCALL get 1 k", "\"v\"")]);
}

#[test]
fn scripts_of_a_cluster_keep_to_one_slot() {
    let members = start_cluster(1, &[]);
    let mut client = members[0].connect();
    let both = "redis.call('get', 'foo') return redis.call('get', 'bar')";
    // Without a header that is as it always was.
    assert_eq!(eval(&mut client, both, &[], &[]).to_string(), "(nil)");
    let strict = format!("#!lua\n{both}");
    let words = "ERR Script attempted to access keys that do not hash to the same slot";
    assert!(eval(&mut client, &strict, &[], &[]).error().starts_with(words));
    let free = format!("#!lua flags=allow-cross-slot-keys\n{both}");
    assert_eq!(eval(&mut client, &free, &[], &[]).to_string(), "(nil)");
    let alone = eval(&mut client, "#!lua flags=no-cluster\nreturn 1", &[], &[]);
    assert_eq!(alone.error(), "ERR Can not run script on cluster, 'no-cluster' flag is set.");
    assert!(eval(&mut client, "return 1", &["foo", "bar"], &[]).error().starts_with("CROSSSLOT"));
}
