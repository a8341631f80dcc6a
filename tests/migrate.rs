//! MIGRATE over sockets: between nodes, through a line that is cut at any place, and to targets
//! that do not answer as they should.

mod common;

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::cluster::start_cluster;
use common::{Client, Node, Reply, wait_until};
use redis_rust::Config;

/// What Redis says where nobody listens.
const REFUSED: &str = "(error) IOERR error or timeout writing to target instance";

/// MIGRATE to an address; `rest` is what follows the port, `''` standing for an empty argument.
fn migrate(client: &mut Client, to: SocketAddr, rest: &str) -> String {
    let line = format!("MIGRATE 127.0.0.1 {} {rest}", to.port());
    let args: Vec<&str> =
        line.split(' ').map(|word| if word == "''" { "" } else { word }).collect();
    client.call(&args).to_string()
}

#[test]
fn a_key_moves_with_all_that_it_has() {
    let (source, target) = (Node::start(), Node::start());
    let (mut here, mut there) = (source.connect(), target.connect());
    let long = "long ".repeat(100_000);
    for value in ["", "17", "short", &long] {
        here.call(&["SET", "k", value, "EX", "100"]);
        let encoding = here.ask("OBJECT ENCODING k");
        assert_eq!(migrate(&mut here, target.address(), "k 0 5000"), "OK");
        assert_eq!(here.ask("EXISTS k"), "(integer) 0");
        assert_eq!(there.run("GET k"), Reply::from(value));
        assert_eq!(there.ask("OBJECT ENCODING k"), encoding);
        let ttl = there.run("TTL k").int();
        assert!((98..=100).contains(&ttl), "{ttl}");
        there.run("DEL k");
    }
    assert_eq!(migrate(&mut here, target.address(), "k 0 5000"), "NOKEY");
    here.run("SET k v");
    assert_eq!(migrate(&mut here, target.address(), "k 9 5000 COPY"), "OK");
    there.expect(&[("SELECT 9", "OK"), ("GET k", "\"v\""), ("TTL k", "(integer) -1")]);
    let busy = "(error) ERR Target instance replied with error: BUSYKEY Target key name already \
                exists.";
    assert_eq!(migrate(&mut here, target.address(), "k 9 5000"), busy);
    here.expect(&[("SET k w", "OK")]);
    assert_eq!(migrate(&mut here, target.address(), "k 9 5000 REPLACE"), "OK");
    here.expect(&[("EXISTS k", "(integer) 0")]);
    there.expect(&[("GET k", "\"w\"")]);
    let range = "(error) ERR Target instance replied with error: ERR DB index is out of range";
    here.run("SET k v");
    assert_eq!(migrate(&mut here, target.address(), "k 99 5000"), range);
    assert_eq!(here.ask("GET k"), "\"v\"");
}

#[test]
fn many_keys_move_and_those_that_cannot_stay() {
    let (source, target) = (Node::start(), Node::start());
    let (mut here, mut there) = (source.connect(), target.connect());
    here.run("MSET a 1 b 2 c 3");
    there.run("SET b other");
    let reply = migrate(&mut here, target.address(), "'' 0 5000 KEYS a none b c");
    assert!(reply.contains("BUSYKEY"), "{reply}");
    here.expect(&[("MGET a b c", "[(nil), \"2\", (nil)]")]);
    there.expect(&[("MGET a b c", "[\"1\", \"other\", \"3\"]")]);
    assert_eq!(migrate(&mut here, target.address(), "'' 0 5000 KEYS none nor"), "NOKEY");
}

#[test]
fn arguments_are_checked_in_the_order_of_redis() {
    let source = Node::start();
    let mut here = source.connect();
    here.run("SET k v");
    let nowhere = closed_port();
    let number = "(error) ERR value is not an integer or out of range";
    for (rest, expected) in [
        ("k x x what", "(error) ERR syntax error"),
        ("k 0 0 AUTH", "(error) ERR syntax error"),
        (
            "k x x KEYS k",
            "(error) ERR When using MIGRATE KEYS option, the key argument must be set to the \
             empty string",
        ),
        ("k 0 x", number),
        ("k x 0", number),
        ("none x 0", number),
        ("none 0 0", "NOKEY"),
        ("k 0 1000", REFUSED),
    ] {
        assert_eq!(migrate(&mut here, nowhere, rest), expected, "{rest}");
    }
    let connecting = "(error) IOERR error or timeout connecting to the client";
    for target in ["127.0.0.1 99999", "127.0.0.1 x", "\u{1}bad 1"] {
        assert_eq!(here.ask(&format!("MIGRATE {target} k 0 1000")), connecting);
    }
    here.expect(&[
        ("MIGRATE h 1 k 0", "(error) ERR wrong number of arguments for 'migrate' command"),
        ("GET k", "\"v\""),
    ]);
}

#[test]
fn passwords_are_given_and_not_shown() {
    let config = Config { requirepass: Some(b"secret".to_vec()), ..Config::default() };
    let (source, target) = (Node::start(), Node::with(config));
    let (mut here, mut there) = (source.connect(), target.connect());
    here.run("CONFIG SET slowlog-log-slower-than 0");
    there.run("AUTH secret");
    here.run("SET k v");
    let refused = "(error) ERR Target instance replied with error: ";
    let reply = migrate(&mut here, target.address(), "k 0 5000");
    assert_eq!(reply, format!("{refused}NOAUTH Authentication required."));
    let reply = migrate(&mut here, target.address(), "k 0 5000 AUTH2 default wrong");
    assert!(reply.starts_with(&format!("{refused}WRONGPASS")), "{reply}");
    assert_eq!(here.ask("GET k"), "\"v\"");
    let reply = migrate(&mut here, target.address(), "k 0 5000 AUTH secret");
    assert_eq!((reply.as_str(), there.ask("GET k").as_str()), ("OK", "\"v\""));
    here.run("SET k w");
    let options = "k 0 5000 AUTH2 default secret REPLACE";
    assert_eq!(migrate(&mut here, target.address(), options), "OK");
    let log = here.ask("SLOWLOG GET 100");
    assert!(log.contains("\"AUTH2\", \"(redacted)\", \"(redacted)\", \"REPLACE\""), "{log}");
    assert!(log.contains("\"AUTH\", \"(redacted)\""), "{log}");
    assert!(!log.contains("secret") && !log.contains("wrong"), "{log}");
}

#[test]
fn connections_are_kept_for_a_while_and_replaced_when_dead() {
    let source = Node::start();
    let mut here = source.connect();
    let kept = |here: &mut Client| {
        let stats = here.run("INFO stats").text();
        let line = stats.lines().find_map(|line| line.strip_prefix("migrate_cached_sockets:"));
        line.expect("a field").to_string()
    };
    let target = Node::start();
    let address = target.address();
    for round in 0..3 {
        here.run("SET k v");
        assert_eq!(migrate(&mut here, address, "k 0 5000 REPLACE"), "OK");
        assert_eq!(kept(&mut here), "1");
        let clients = target.connect().run("INFO stats").text();
        // One is ours, and one more per round asks for this.
        let connections = format!("total_connections_received:{}", 2 + round);
        assert!(clients.contains(&connections), "{clients}");
    }
    here.run("SET k v");
    target.stop();
    assert_eq!(migrate(&mut here, address, "k 0 5000 REPLACE"), REFUSED);
    assert_eq!((kept(&mut here).as_str(), here.ask("GET k").as_str()), ("0", "\"v\""));
}

#[test]
fn it_is_a_command_of_transactions_like_others() {
    let (source, target) = (Node::start(), Node::start());
    let (mut here, mut other) = (source.connect(), source.connect());
    here.expect(&[("SET k v", "OK"), ("MULTI", "OK"), ("INCR n", "QUEUED")]);
    assert_eq!(migrate(&mut here, target.address(), "k 0 5000"), "QUEUED");
    here.expect(&[("EXEC", "[(integer) 1, OK]"), ("EXISTS k", "(integer) 0")]);
    // A key that leaves breaks the transaction of whoever watches it.
    here.expect(&[("WATCH n", "OK"), ("MULTI", "OK"), ("PING", "QUEUED")]);
    assert_eq!(migrate(&mut other, target.address(), "n 0 5000"), "OK");
    assert_eq!(here.ask("EXEC"), "(nil array)");
}

#[test]
fn it_calls_from_the_address_that_is_configured() {
    let config = Config { bind_source_addr: Some(b"127.0.0.2".to_vec()), ..Config::default() };
    let (source, target) = (Node::with(config), Node::start());
    let (mut here, mut there) = (source.connect(), target.connect());
    here.run("SET k v");
    assert_eq!(migrate(&mut here, target.address(), "k 0 5000"), "OK");
    let clients = there.run("CLIENT LIST").text();
    assert!(clients.contains(" addr=127.0.0.2:"), "{clients}");
}

#[test]
fn an_open_slot_of_a_cluster_is_emptied() {
    const SLOT: &str = "5061"; // of {bar}
    let members = start_cluster(2, &[]);
    let (source, target) = (&members[0], &members[1]);
    let (mut here, mut there) = (source.connect(), target.connect());
    let to = SocketAddr::from(([127, 0, 0, 1], target.port()));
    let back = SocketAddr::from(([127, 0, 0, 1], source.port()));
    here.expect(&[("SET {bar}1 one", "OK"), ("SET {bar}2 two", "OK")]);
    // A target that does not expect the slot takes nothing.
    let moved = format!(
        "(error) ERR Target instance replied with error: MOVED {SLOT} 127.0.0.1:{}",
        source.port()
    );
    assert_eq!(migrate(&mut here, to, "'' 0 5000 KEYS {bar}1 {bar}2"), moved);
    assert_eq!(here.ask("EXISTS {bar}1 {bar}2"), "(integer) 2");

    let set_slot = |state: &str, node: &str| format!("CLUSTER SETSLOT {SLOT} {state} {node}");
    assert_eq!(there.ask(&set_slot("IMPORTING", &source.id())), "OK");
    assert_eq!(here.ask(&set_slot("MIGRATING", &target.id())), "OK");
    assert_eq!(migrate(&mut here, to, "'' 0 5000 KEYS {bar}1 {bar}none"), "OK");
    // Some of the keys have gone already, which is no reason to send the client after them.
    assert_eq!(migrate(&mut here, to, "'' 0 5000 KEYS {bar}1 {bar}2"), "OK");
    assert_eq!(migrate(&mut here, to, "{bar}2 0 5000"), "NOKEY");
    assert!(here.ask("GET {bar}1").starts_with("(error) ASK 5061 "));
    there.expect(&[
        ("ASKING", "OK"),
        ("GET {bar}1", "\"one\""),
        ("ASKING", "OK"),
        ("GET {bar}2", "\"two\""),
    ]);
    // And back, once the move is called off.
    assert_eq!(here.ask(&format!("CLUSTER SETSLOT {SLOT} STABLE")), "OK");
    assert_eq!(migrate(&mut there, back, "'' 0 5000 KEYS {bar}1 {bar}2"), "OK");
    here.expect(&[("MGET {bar}1 {bar}2", "[\"one\", \"two\"]")]);
}

// ---- targets that fail

fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port")
}

/// Listens, and has `serve` handle every connection, one at a time. Dropping it ends them all.
struct Fake {
    address: SocketAddr,
    stop: Arc<AtomicBool>,
    accepted: Arc<Mutex<Vec<TcpStream>>>,
    thread: Option<JoinHandle<()>>,
}

impl Fake {
    fn start(mut serve: impl FnMut(TcpStream) + Send + 'static) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let address = listener.local_addr().expect("an address");
        let stop = Arc::new(AtomicBool::new(false));
        let accepted = Arc::new(Mutex::new(Vec::new()));
        let (stopped, all) = (stop.clone(), accepted.clone());
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                all.lock().expect("a list").extend(stream.try_clone());
                serve(stream);
            }
        });
        Fake { address, stop, accepted, thread: Some(thread) }
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for stream in self.accepted.lock().expect("a list").iter() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Reads so many lines of requests: one for the number of arguments, and two for each of them.
fn read_lines(stream: &TcpStream, lines: usize) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    for _ in 0..lines {
        if reader.read_until(b'\n', &mut Vec::new())? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

#[test]
fn a_target_that_does_not_answer_is_given_up_in_time() {
    let source = Node::start();
    let mut here = source.connect();
    here.run("SET k v");
    here.call(&["SET", "big", &"v".repeat(30_000_000)]);
    here.run("CONFIG SET rdbcompression no");
    // The connections stay open, and nobody reads from them.
    let silent = Fake::start(drop);
    for (key, stage) in [("k", "reading"), ("big", "writing")] {
        let started = Instant::now();
        let reply = migrate(&mut here, silent.address, &format!("{key} 0 100"));
        assert_eq!(reply, format!("(error) IOERR error or timeout {stage} to target instance"));
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(100) && took < Duration::from_secs(5), "{took:?}");
        assert_eq!(here.ask(&format!("EXISTS {key}")), "(integer) 1");
    }
    // Bytes that drip in are no progress.
    let drips = Fake::start(|mut stream| {
        while stream.write_all(b"+").is_ok() {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
    let reply = migrate(&mut here, drips.address, "k 0 100");
    assert_eq!(reply, "(error) IOERR error or timeout reading to target instance");
    assert_eq!(here.ask("GET k"), "\"v\"");
}

#[test]
fn absurd_replies_are_refused() {
    let source = Node::start();
    let mut here = source.connect();
    here.run("SET k v");
    let endless = "-".repeat(100_000);
    let replies: [&[u8]; 9] = [
        b"$2\r\nOK\r\n+OK\r\n",
        b":1\r\n:1\r\n",
        b"+QUEUED\r\n+QUEUED\r\n",
        b"+OK\r\n+OKAY\r\n",
        b"+OK\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\0\0\0\0\n",
        b"*-1\r\n*-1\r\n",
        endless.as_bytes(),
    ];
    for reply in replies {
        let answer = reply.to_vec();
        let fake = Fake::start(move |mut stream| {
            // SELECT, then RESTORE.
            if read_lines(&stream, 5 + 9).is_ok() {
                let _ = stream.write_all(&answer);
                let _ = stream.read(&mut [0; 1]);
            }
        });
        let said = migrate(&mut here, fake.address, "k 0 2000");
        let expected = "(error) IOERR error or timeout reading to target instance";
        assert_eq!(said, expected, "{}", reply.escape_ascii());
        assert_eq!(here.ask("GET k"), "\"v\"");
    }
}

#[test]
fn more_replies_than_requests_are_no_replies_to_the_next() {
    let source = Node::start();
    let mut here = source.connect();
    here.run("MSET a 1 b 2");
    let connections = Arc::new(AtomicUsize::new(0));
    let (count, late) = (connections.clone(), Arc::new(AtomicBool::new(false)));
    let came = late.clone();
    let fake = Fake::start(move |mut stream| {
        count.fetch_add(1, Ordering::Relaxed);
        if read_lines(&stream, 5 + 9).is_ok() {
            let _ = stream.write_all(b"+OK\r\n+OK\r\n");
            std::thread::sleep(Duration::from_millis(20));
            let _ = stream.write_all(b"+OK\r\n+OK\r\n");
            late.store(true, Ordering::Relaxed);
            // Until the other end closes.
            let _ = stream.read(&mut [0; 1]);
        }
    });
    assert_eq!(migrate(&mut here, fake.address, "a 0 2000"), "OK");
    wait_until("more replies have come", || came.load(Ordering::Relaxed));
    // Over a new connection, and so with a SELECT of its own.
    assert_eq!(migrate(&mut here, fake.address, "b 0 2000"), "OK");
    assert_eq!(connections.load(Ordering::Relaxed), 2);
}

/// A target that answers everything before it reads anything more: whoever only writes until all is
/// written waits forever.
#[test]
fn replies_are_read_while_requests_are_written() {
    const KEYS: usize = 2000;
    let source = Node::start();
    let mut here = source.connect();
    here.run("CONFIG SET rdbcompression no");
    let value = "v".repeat(20_000);
    for key in 0..KEYS {
        here.send(&["SET", &format!("key:{key}"), &value]);
    }
    (0..KEYS).for_each(|_| assert_eq!(here.read(), Reply::ok()));
    let fake = Fake::start(move |stream| {
        let mut reader = BufReader::new(&stream);
        let mut writer = &stream;
        let mut line = Vec::new();
        let mut answer = |lines: usize, reply: &[u8]| -> io::Result<()> {
            for _ in 0..lines {
                line.clear();
                reader.read_until(b'\n', &mut line)?;
            }
            writer.write_all(reply)
        };
        // Errors as long as they may be, so that they fill every buffer on their way.
        let error = format!("-ERR {}\r\n", "no ".repeat(4000));
        let _ = answer(5, b"+OK\r\n");
        for _ in 0..KEYS {
            if answer(9, error.as_bytes()).is_err() {
                break;
            }
        }
    });
    let names: Vec<String> = (0..KEYS).map(|key| format!("key:{key}")).collect();
    let reply = migrate(&mut here, fake.address, &format!("'' 0 5000 KEYS {}", names.join(" ")));
    assert!(reply.starts_with("(error) ERR Target instance replied with error: ERR no no"));
    assert_eq!(here.run("DBSIZE").int(), KEYS as i64);
}

/// Between both nodes: passes so many bytes on, then cuts both connections.
fn cutting_line(to: SocketAddr, bytes: usize, replies: bool) -> Fake {
    let left = Arc::new(AtomicUsize::new(bytes));
    Fake::start(move |near| {
        let Ok(far) = TcpStream::connect(to) else { return };
        let pump = |from: &TcpStream, into: &TcpStream, counts: bool| {
            let (mut from_half, mut into_half) = (from, into);
            let mut buffer = [0; 64];
            while let Ok(read @ 1..) = from_half.read(&mut buffer) {
                let budget = if counts { left.load(Ordering::Relaxed) } else { usize::MAX };
                let pass = read.min(budget);
                let passed = into_half.write_all(&buffer[..pass]);
                if counts {
                    left.fetch_sub(pass, Ordering::Relaxed);
                }
                if passed.is_err() || pass < read {
                    break;
                }
            }
            let _ = from.shutdown(Shutdown::Both);
            let _ = into.shutdown(Shutdown::Both);
        };
        std::thread::scope(|scope| {
            scope.spawn(|| pump(&near, &far, !replies));
            pump(&far, &near, replies);
        });
    })
}

#[test]
fn a_line_that_is_cut_anywhere_loses_no_key() {
    let (source, target) = (Node::start(), Node::start());
    let (mut here, mut there) = (source.connect(), target.connect());
    let names: Vec<String> = (0..12).map(|n| format!("key:{n}")).collect();
    let mut failures = 0;
    for replies in [false, true] {
        // In small steps over all of the conversation.
        for bytes in (0..if replies { 70 } else { 1000 }).step_by(if replies { 3 } else { 37 }) {
            here.run("FLUSHALL");
            there.run("FLUSHALL");
            for name in &names {
                here.call(&["SET", name, "value"]);
            }
            let line = cutting_line(target.address(), bytes, replies);
            let rest = format!("'' 0 2000 KEYS {}", names.join(" "));
            let reply = migrate(&mut here, line.address, &rest);
            failures += usize::from(reply != "OK");
            // What the target still had to read.
            drop(line);
            wait_until("the target has closed", || {
                there.run("INFO clients").text().contains("connected_clients:1\r\n")
            });
            let mut missing = 0;
            for name in &names {
                let (near, far) =
                    (here.run(&format!("GET {name}")), there.run(&format!("GET {name}")));
                let value = Reply::from("value");
                assert!(near == value || far == value, "{name} is lost after {bytes}: {reply}");
                missing += usize::from(near == Reply::Null);
            }
            assert!(reply != "OK" || missing == names.len(), "{missing} left after {bytes}");
        }
    }
    assert!(failures > 20, "{failures}");
}

#[test]
fn a_target_that_ends_midway_leaves_the_rest_here() {
    let source = Node::start();
    let mut here = source.connect();
    here.run("CONFIG SET rdbcompression no");
    let value = "v".repeat(1_000_000);
    let names: Vec<String> = (0..60).map(|n| format!("key:{n}")).collect();
    for name in &names {
        here.call(&["SET", name, &value]);
    }
    let target = Node::start();
    let (address, mut there) = (target.address(), target.connect());
    let rest = format!("'' 0 5000 KEYS {}", names.join(" "));
    let mut caller = source.connect();
    let moving = std::thread::spawn(move || migrate(&mut caller, address, &rest));
    wait_until("some keys have arrived", || there.run("DBSIZE").int() >= 5);
    target.stop();
    let reply = moving.join().expect("an answer");
    let stayed = here.run("DBSIZE").int();
    // It may have been quicker than the end of the target.
    if reply == "OK" {
        assert_eq!(stayed, 0);
    } else {
        assert!(reply.starts_with("(error) IOERR error or timeout"), "{reply}");
        assert!(stayed > 0, "{reply}");
    }
}
