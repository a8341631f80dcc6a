//! Snapshots as users see them: what is saved is there again after a restart, whatever happens
//! meanwhile, and a client may have one over its connection.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use common::cluster::Member;
use common::program::{Program, log_in, signal};
use common::{Client, Node, wait_until};
use redis_rust::{Config, Server};
use tempfile::TempDir;

/// What Redis 7.0 saved.
const OLDER: &[u8] = include_bytes!("data/rdb/strings-7.0.rdb");

/// A directory for snapshots, and the configuration of a node that has it.
struct Home {
    dir: TempDir,
    directives: Vec<(&'static str, String)>,
}

impl Home {
    fn new() -> Home {
        Home { dir: tempfile::tempdir().expect("a directory"), directives: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Home {
        self.directives.push((name, value.to_string()));
        self
    }

    fn config(&self) -> Config {
        let config = Config::default().dir(self.dir.path()).expect("a directory");
        let set = |config: Config, (name, value): &(&str, String)| config.set(name, value);
        self.directives.iter().try_fold(config, set).expect("directives")
    }

    fn node(&self) -> Node {
        Node::with(self.config())
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("dump.rdb")
    }

    /// Why a node does not start here.
    fn refusal(&self) -> String {
        let config = self.config().port(0).bind(["127.0.0.1"]);
        Server::bind(config).expect("a port").run().expect_err("it does not start").to_string()
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.path()).expect("a directory");
        let name = |entry: std::io::Result<fs::DirEntry>| entry.unwrap().file_name();
        entries.map(|entry| name(entry).to_string_lossy().into_owned()).collect()
    }
}

fn field(client: &mut Client, name: &str) -> String {
    let info = client.run("INFO everything").text();
    let found = info.lines().find_map(|line| line.strip_prefix(&format!("{name}:")));
    found.unwrap_or_else(|| panic!("no {name} in {info}")).to_string()
}

fn wait_for_child(client: &mut Client) {
    wait_until("the child ends", || field(client, "rdb_bgsave_in_progress") == "0");
}

/// So many keys take a child a second.
fn fill_slowly(client: &mut Client) {
    client.run("CONFIG SET rdb-key-save-delay 10000");
    for number in 0..100 {
        client.call(&["SET", &format!("slow:{number}"), "x"]);
    }
}

#[test]
fn keys_outlive_a_restart() {
    let home = Home::new();
    let node = home.node();
    let mut client = node.connect();
    let long = "long ".repeat(1000);
    client.call(&["SET", "long", &long]);
    client.call(&["SET".as_bytes(), b"bin\r\n\0\xff", b"\0\r\n"]);
    client.expect(&[
        ("SET int 12345", "OK"),
        ("SET expires soon PXAT 4102444800123", "OK"),
        ("SELECT 9", "OK"),
        ("SET other db", "OK"),
    ]);
    node.stop();
    assert_eq!(home.names(), ["dump.rdb"]);
    let node = home.node();
    let mut client = node.connect();
    assert_eq!(client.run("GET long").text(), long);
    assert_eq!(client.call(&["GET".as_bytes(), b"bin\r\n\0\xff"]), "\0\r\n".into());
    client.expect(&[
        ("GET int", "\"12345\""),
        ("OBJECT ENCODING int", "\"int\""),
        ("PEXPIRETIME expires", "(integer) 4102444800123"),
        ("PTTL int", "(integer) -1"),
        ("DBSIZE", "(integer) 4"),
        ("SELECT 9", "OK"),
        ("GET other", "\"db\""),
    ]);
    assert_eq!(field(&mut client, "rdb_last_load_keys_loaded"), "5");
    assert_eq!(field(&mut client, "rdb_last_load_keys_expired"), "0");
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "0");
    assert_eq!(field(&mut client, "loading"), "0");
}

#[test]
fn files_of_redis_are_loaded() {
    let home = Home::new();
    fs::write(home.file(), OLDER).unwrap();
    let node = home.node();
    let mut client = node.connect();
    client.expect(&[
        ("DBSIZE", "(integer) 12"),
        ("GET int32", "\"-2000000000\""),
        ("GET 12345", "\"integer key\""),
        ("PEXPIRETIME expiring", "(integer) 4102444800000"),
    ]);
}

/// A node that is embedded without a word about files leaves none behind, and finds none.
#[test]
fn nodes_without_a_directory_keep_nothing() {
    let stray = Path::new("dump.rdb");
    assert!(!stray.exists(), "left by something else");
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SET k v", "OK"),
        ("FLUSHALL", "OK"),
        ("CONFIG GET save", "[\"save\", \"\"]"),
    ]);
    node.stop();
    assert!(!stray.exists());
}

#[test]
fn saving_in_foreground_and_background() {
    let home = Home::new();
    let node = home.node();
    let mut client = node.connect();
    let started = client.run("LASTSAVE").int();
    client.expect(&[("SET a 1", "OK"), ("SAVE", "OK"), ("SAVE now", ARITY), ("SET b 2", "OK")]);
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "1");
    assert!(client.run("LASTSAVE").int() >= started);
    fill_slowly(&mut client);
    client.expect(&[
        ("BGSAVE", "Background saving started"),
        ("BGSAVE", "(error) ERR Background save already in progress"),
        ("BGSAVE SCHEDULE", "(error) ERR Background save already in progress"),
        ("SAVE", "(error) ERR Background save already in progress"),
        ("BGSAVE x", "(error) ERR syntax error"),
        ("SET c 3", "OK"),
    ]);
    assert_eq!(field(&mut client, "rdb_bgsave_in_progress"), "1");
    assert_eq!(field(&mut client, "current_save_keys_total"), "102");
    // What is saved is what was there when the child began.
    client.run("FLUSHDB");
    client.run("SET after v");
    client.run("CONFIG SET rdb-key-save-delay 0");
    wait_for_child(&mut client);
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(field(&mut client, "rdb_saves"), "2");
    assert!(field(&mut client, "latest_fork_usec").parse::<u64>().unwrap() > 0);
    assert_eq!(field(&mut client, "total_forks"), "1");
    assert!(field(&mut client, "rdb_last_cow_size").parse::<u64>().unwrap() > 0);
    let again = Home::new();
    fs::copy(home.file(), again.file()).unwrap();
    let other = again.node();
    assert_eq!(other.connect().ask("DBSIZE"), "(integer) 102");
    // Within a transaction it is put off until that has ended.
    client.expect(&[("MULTI", "OK"), ("BGSAVE", "QUEUED")]);
    assert_eq!(client.ask("EXEC"), "[Background saving scheduled]");
    wait_until("the scheduled save", || field(&mut client, "rdb_saves") == "3");
    wait_for_child(&mut client);
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "0");
    client.expect(&[("MULTI", "OK"), ("SAVE", NO_MULTI)]);
}

const ARITY: &str = "(error) ERR wrong number of arguments for 'save' command";
const NO_MULTI: &str = "(error) ERR Command not allowed inside a transaction";

#[test]
fn save_points() {
    let home = Home::new().with("save", "1 2").with("enable-protected-configs", "yes");
    let node = home.node();
    let mut client = node.connect();
    client.run("SET a 1");
    assert_eq!(field(&mut client, "rdb_saves"), "0");
    client.run("SET b 2");
    wait_until("a snapshot", || home.file().exists());
    wait_for_child(&mut client);
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "0");
    // Another name from now on.
    assert!(client.ask("CONFIG SET dbfilename a/b").contains("can't be a path, just a filename"));
    client.run("SAVE");
    assert_eq!(home.names(), ["dump.rdb"]);
}

#[test]
fn flushing_stops_a_save_and_empties_the_file() {
    let home = Home::new().with("save", "3600 1");
    let node = home.node();
    let mut client = node.connect();
    fill_slowly(&mut client);
    client.expect(&[("SAVE", "OK"), ("BGSAVE", "Background saving started")]);
    let full = fs::metadata(home.file()).unwrap().len();
    client.run("CONFIG SET rdb-key-save-delay 0");
    assert_eq!(client.ask("FLUSHALL"), "OK");
    let empty = fs::metadata(home.file()).unwrap().len();
    assert!(empty < full, "{empty} {full}");
    wait_for_child(&mut client);
    // A child that was told to end has not failed.
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "ok");
    assert_eq!(home.names(), ["dump.rdb"]);
    assert_eq!(fs::metadata(home.file()).unwrap().len(), empty);
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "0");
}

#[test]
fn writes_stop_while_nothing_can_be_saved() {
    let home = Home::new().with("save", "3600 1");
    let node = home.node();
    let mut client = node.connect();
    client.run("SET k v");
    fs::remove_dir_all(home.dir.path()).unwrap();
    assert_eq!(client.ask("SAVE"), "(error) ERR");
    // Only what fails in the background counts, as in Redis.
    assert_eq!(client.ask("SET k w"), "OK");
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    wait_until("the failure", || field(&mut client, "rdb_last_bgsave_status") == "err");
    for command in ["SET k v", "DEL k", "FLUSHALL", "PING"] {
        let refused = client.ask(command);
        assert!(refused.starts_with("(error) MISCONF Redis is configured to save RDB snapshots, "));
        assert!(refused.ends_with("Please check the Redis logs for details about the RDB error."));
    }
    client.expect(&[("GET k", "\"w\""), ("MULTI", "OK"), ("GET k", "QUEUED")]);
    assert!(client.ask("SET k v").starts_with("(error) MISCONF "));
    assert!(client.ask("EXEC").starts_with("(error) EXECABORT "));
    client.expect(&[("CONFIG SET stop-writes-on-bgsave-error no", "OK"), ("SET k x", "OK")]);
    client.expect(&[("CONFIG SET stop-writes-on-bgsave-error yes", "OK")]);
    assert!(client.run("SET k y").is_error());
    client.expect(&[(
        "CONFIG SET save \"\"",
        "(error) ERR CONFIG SET failed (possibly related to \
        argument 'save') - Invalid save parameters",
    )]);
    assert_eq!(client.call(&["CONFIG", "SET", "save", ""]).to_string(), "OK");
    assert_eq!(client.ask("SET k y"), "OK");
    assert_eq!(client.call(&["CONFIG", "SET", "save", "3600 1"]).to_string(), "OK");
    assert!(client.run("SET k z").is_error());
    // Nor does the node end without its keys, unless it is told to.
    assert_eq!(client.ask("SHUTDOWN"), "(error) ERR Errors trying to SHUTDOWN. Check logs.");
    fs::create_dir(home.dir.path()).unwrap();
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    wait_for_child(&mut client);
    client.expect(&[("SET k z", "OK"), ("PING", "PONG")]);
}

#[test]
fn shutdown_saves_as_it_is_told() {
    let told = |save: &str, command: &str| {
        let home = Home::new().with("save", save);
        let node = home.node();
        let mut client = node.connect();
        client.run("SET k v");
        client.send(&command.split(' ').collect::<Vec<_>>());
        assert!(client.is_closed());
        node.stop();
        home.file().exists()
    };
    assert!(told("3600 1", "SHUTDOWN"));
    assert!(!told("", "SHUTDOWN"));
    assert!(!told("3600 1", "SHUTDOWN NOSAVE"));
    assert!(told("", "SHUTDOWN SAVE"));
    // FORCE ends even where that means loss.
    let home = Home::new();
    let node = home.node();
    let mut client = node.connect();
    fs::remove_dir_all(home.dir.path()).unwrap();
    client.send(&["SHUTDOWN", "FORCE"]);
    assert!(client.is_closed());
}

#[test]
fn a_key_whose_time_is_over_is_not_loaded() {
    let home = Home::new();
    let expire = [&[0xfc][..], &1u64.to_le_bytes()].concat();
    let key = b"\x00\x05short\x01x";
    let end = [&[0xff][..], &[0; 8]].concat();
    fs::write(home.file(), [&b"REDIS0011"[..], &expire, key, &end].concat()).unwrap();
    let node = home.node();
    let mut client = node.connect();
    client.expect(&[("DBSIZE", "(integer) 0")]);
    assert_eq!(field(&mut client, "rdb_last_load_keys_loaded"), "0");
    assert_eq!(field(&mut client, "rdb_last_load_keys_expired"), "1");
}

#[test]
fn a_damaged_file_stops_the_start_and_stays() {
    let home = Home::new();
    let mut file = OLDER.to_vec();
    let cases: [(usize, u8, &str); 4] = [
        (0, b'r', "Wrong signature trying to load DB from file"),
        (8, b'9', "Can't handle RDB format version 0019"),
        (OLDER.len() - 20, 0, "RDB CRC error: "),
        (OLDER.len() - 1, !OLDER[OLDER.len() - 1], "RDB CRC error: "),
    ];
    for (at, byte, words) in cases {
        file[at] = byte;
        fs::write(home.file(), &file).unwrap();
        let refusal = home.refusal();
        let expected = format!("Fatal error loading the DB from {}: ", home.file().display());
        assert!(refusal.starts_with(&expected) && refusal.contains(words), "{refusal}");
        assert_eq!(fs::read(home.file()).unwrap(), file, "it is as it was");
        file[at] = OLDER[at];
    }
    fs::write(home.file(), &OLDER[..100]).unwrap();
    assert!(home.refusal().contains("Unexpected EOF reading RDB file (at byte "));
    fs::write(home.file(), b"REDIS0011\x07\x05thing\x01\x01x").unwrap();
    let words = "contains module data I can't load: no matching module type 'AAAAAAAAA'";
    assert!(home.refusal().contains(words));
    fs::remove_file(home.file()).unwrap();
    fs::create_dir(home.file()).unwrap();
    assert!(home.refusal().contains("Is a directory"), "{}", home.refusal());
    fs::remove_dir(home.file()).unwrap();
    home.node();
}

#[test]
fn clients_are_told_while_a_file_is_loaded() {
    let home = Home::new().with("key-load-delay", "10000").with("enable-protected-configs", "yes");
    let mut file = b"REDIS0004".to_vec();
    for number in 100..600 {
        file.extend_from_slice(format!("\0\x03{number}\x05value").as_bytes());
    }
    file.push(0xff);
    fs::write(home.file(), &file).unwrap();
    let node = home.node();
    let mut client = node.connect();
    let loading = "(error) LOADING Redis is loading the dataset in memory";
    client.expect(&[
        ("GET 100", loading),
        ("PING", loading),
        ("SET x y", loading),
        ("SAVE", loading),
        ("SYNC", loading),
        ("CONFIG SET dir /", loading),
        ("CONFIG SET hz 20", "OK"),
    ]);
    assert_eq!(field(&mut client, "loading"), "1");
    assert_eq!(field(&mut client, "loading_total_bytes"), file.len().to_string());
    client.run("CONFIG SET key-load-delay 0");
    wait_until("the load", || field(&mut client, "loading") == "0");
    client.expect(&[("DBSIZE", "(integer) 500"), ("GET 599", "\"value\""), ("PING", "PONG")]);
    node.stop();
    // What is half loaded never replaces what it is loaded from.
    let saved = fs::read(home.file()).unwrap();
    let node = home.node();
    assert_eq!(node.connect().ask("GET 100"), loading);
    node.stop();
    assert_eq!(fs::read(home.file()).unwrap(), saved);
}

#[test]
fn reloading() {
    let home = Home::new().with("enable-debug-command", "yes");
    let node = home.node();
    let mut client = node.connect();
    let failed = "(error) ERR Error trying to load the RDB dump, check server logs.";
    client.expect(&[
        ("SET k v PXAT 4102444800123", "OK"),
        ("DEBUG RELOAD", "OK"),
        ("PEXPIRETIME k", "(integer) 4102444800123"),
        ("SET k changed", "OK"),
        ("SET other o", "OK"),
        ("DEBUG RELOAD NOSAVE NOFLUSH", failed),
        ("DEBUG RELOAD NOSAVE NOFLUSH MERGE", "OK"),
        ("GET k", "\"v\""),
        ("GET other", "\"o\""),
        ("DEBUG RELOAD NOSAVE", "OK"),
        ("DBSIZE", "(integer) 1"),
        (
            "DEBUG RELOAD x",
            "(error) ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.",
        ),
        ("SET k w", "OK"),
        ("MULTI", "OK"),
        ("DEBUG RELOAD NOSAVE", "QUEUED"),
        ("EXEC", "[OK]"),
        ("GET k", "\"v\""),
    ]);
    fs::remove_file(home.file()).unwrap();
    client.expect(&[("DEBUG RELOAD NOSAVE", failed), ("PING", "PONG"), ("DBSIZE", "(integer) 0")]);
}

// ---- SYNC

/// Asks for a snapshot as redis-cli does.
fn begin_sync(address: SocketAddr, before: &[&str]) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    for line in before {
        stream.write_all(format!("{line}\r\n").as_bytes()).unwrap();
        let mut reply = [0; 5];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"+OK\r\n", "{line}");
    }
    stream.write_all(b"SYNC\r\n").unwrap();
    stream
}

/// What comes, up to the end of the connection.
fn end_sync(mut stream: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).unwrap();
    all
}

/// The file in the answer to SYNC.
fn payload(answer: &[u8]) -> &[u8] {
    let begin = answer.iter().position(|&byte| byte != b'\n').expect("an answer");
    let line = answer[begin..].iter().position(|&byte| byte == b'\n').expect("a line");
    let header = std::str::from_utf8(&answer[begin..begin + line]).unwrap();
    let length: usize = header.trim_end().strip_prefix('$').expect("a length").parse().unwrap();
    let file = &answer[begin + line + 1..];
    assert_eq!(file.len(), length);
    file
}

#[test]
fn a_snapshot_over_the_connection() {
    let home = Home::new().with("save", "");
    let node = home.node();
    let mut client = node.connect();
    let value: String =
        (0..20_000u32).map(|n| char::from(b'a' + ((n * n) >> 7) as u8 % 26)).collect();
    for number in 0..500 {
        client.call(&["SET", &format!("key:{number}"), &format!("{number}{value}")]);
    }
    let before = ["REPLCONF capa eof", "REPLCONF rdb-only 1"];
    let answer = end_sync(begin_sync(node.address(), &before));
    let file = payload(&answer);
    assert!(file.len() > 1_000_000 && file.starts_with(b"REDIS0011"));
    assert_eq!(file, fs::read(home.file()).unwrap());
    assert_eq!(field(&mut client, "sync_full"), "1");
    wait_until("the client is gone", || field(&mut client, "connected_clients") == "1");
    // A client that does not read holds nobody up, and gets the snapshot that it asked for.
    let slow = begin_sync(node.address(), &[]);
    wait_until("the second snapshot", || field(&mut client, "rdb_saves") == "2");
    wait_for_child(&mut client);
    client.expect(&[("FLUSHALL", "OK"), ("SAVE", "OK"), ("PING", "PONG")]);
    let again = Home::new();
    fs::write(again.file(), payload(&end_sync(slow))).unwrap();
    let other = again.node();
    let mut loaded = other.connect();
    wait_until("the load", || field(&mut loaded, "loading") == "0");
    assert_eq!(loaded.ask("DBSIZE"), "(integer) 500");
    // Neither is kept where nobody wants files.
    client.run("CONFIG SET rdb-del-sync-files yes");
    payload(&end_sync(begin_sync(node.address(), &[])));
    assert!(!home.file().exists());
}

#[test]
fn who_may_not_have_a_snapshot() {
    let home = Home::new();
    let node = home.node();
    let mut client = node.connect();
    let refused = "(error) ERR Replication is not available on this node";
    client.expect(&[
        ("REPLCONF listening-port x", "(error) ERR value is not an integer or out of range"),
        ("REPLCONF listening-port", "(error) ERR syntax error"),
        ("REPLCONF bogus x", "(error) ERR Unrecognized REPLCONF option: bogus"),
        ("REPLCONF rdb-filter-only functions", refused),
        ("REPLCONF rdb-only 2", "(error) ERR value is out of range, value must between 0 and 1"),
        ("REPLCONF capa eof capa psync2", "OK"),
        ("REPLCONF listening-port 6379", "OK"),
        ("SYNC", refused),
        ("PING", "PONG"),
    ]);
    let mut piped = node.connect();
    piped.send_raw(b"PING\r\nSYNC\r\n");
    assert_eq!(piped.read().to_string(), "PONG");
    let words = "(error) ERR SYNC and PSYNC are invalid with pending output";
    assert_eq!(piped.read().to_string(), words);
    // Where no snapshot can be made, whoever waits is told.
    fs::remove_dir_all(home.dir.path()).unwrap();
    let mut other = node.connect();
    let words = "(error) ERR BGSAVE failed, replication can't continue";
    assert_eq!(other.ask("SYNC"), words);
    assert!(other.is_closed());
}

// ---- the program

/// The program that keeps its snapshots here.
fn start_program(home: &Home) -> Program {
    Program::start(home.dir.path(), &["--save", "3600 1"])
}

#[test]
fn a_killed_child_leaves_the_last_file() {
    let home = Home::new();
    let mut program = start_program(&home);
    let mut client = program.connect();
    client.expect(&[("SET k v", "OK"), ("SAVE", "OK")]);
    let before = fs::read(home.file()).unwrap();
    fill_slowly(&mut client);
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    let child = program.children()[0];
    let temporary = home.dir.path().join(format!("temp-{child}.rdb"));
    wait_until("its file", || temporary.exists());
    signal("KILL", child);
    wait_for_child(&mut client);
    assert_eq!(field(&mut client, "rdb_last_bgsave_status"), "err");
    assert!(!temporary.exists());
    assert_eq!(fs::read(home.file()).unwrap(), before);
    assert!(client.run("SET k w").is_error());
    // A child whose parent is gone does not replace what a successor may have saved.
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    let child = program.children()[0];
    let temporary = home.dir.path().join(format!("temp-{child}.rdb"));
    wait_until("its file", || temporary.exists());
    program.kill();
    wait_until("the child ends", || !Path::new(&format!("/proc/{child}")).exists());
    assert_eq!(fs::read(home.file()).unwrap(), before);
    assert!(!temporary.exists());
}

#[test]
fn signals_save_or_are_refused() {
    let home = Home::new();
    let mut program = start_program(&home);
    let mut client = program.connect();
    client.run("SET k v");
    let aside = home.dir.path().with_extension("aside");
    fs::rename(home.dir.path(), &aside).unwrap();
    program.signal("TERM");
    wait_until("the attempt", || field(&mut client, "rdb_saves") == "1");
    assert_eq!(field(&mut client, "rdb_changes_since_last_save"), "1");
    assert!(program.is_running(), "it goes on");
    fs::rename(&aside, home.dir.path()).unwrap();
    // What is being saved gives way to the last save.
    fill_slowly(&mut client);
    assert_eq!(client.ask("BGSAVE"), "Background saving started");
    client.run("CONFIG SET rdb-key-save-delay 0");
    program.signal("TERM");
    assert_eq!(program.end().code(), Some(0));
    let log = log_in(home.dir.path());
    for line in ["There is a child saving an .rdb. Killing it!", "DB saved on disk"] {
        assert!(log.contains(line), "{line} is missing in {log}");
    }
    let names = home.names();
    assert!(names.iter().all(|name| name == "dump.rdb" || name == "log"), "{names:?}");
    let program = start_program(&home);
    assert_eq!(program.connect().ask("DBSIZE"), "(integer) 101");
}

// ---- in a cluster

/// Keys without a claim to their slots, as after a loss of nodes.conf, are accounted for.
#[test]
fn slots_of_loaded_keys_are_taken() {
    let mut member = Member::start(&[]);
    let mut client = member.connect();
    client.expect(&[("CLUSTER ADDSLOTSRANGE 0 16383", "OK")]);
    wait_until("the cluster serves", || client.ask("SET foo v") == "OK");
    member.stop();
    fs::remove_file(member.nodes_conf()).unwrap();
    member.go_on().unwrap();
    let mut client = member.connect();
    client.expect(&[
        ("CLUSTER COUNTKEYSINSLOT 12182", "(integer) 1"),
        ("CONFIG SET cluster-require-full-coverage no", "OK"),
    ]);
    wait_until("the slot is served", || client.ask("GET foo") == "\"v\"");
    assert!(client.run("CLUSTER NODES").text().trim_end().ends_with(" connected 12182"));
}
