//! MIGRATE against a target that is scripted to the byte: it fails at any step of the conversation,
//! in any way, and no key may be lost by it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Options;
use crate::commands;
use crate::config::Config;
use crate::core::client::ClientFlags;
use crate::core::peers::{Dialer, Progress, Stream, Target};
use crate::core::{Client, ClientId, Core, Now};
use crate::dispatch::execute::{self, Outcome};
use crate::dispatch::{Around, Table};
use crate::resp::OwnedArgs;

/// What goes wrong at a step.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// The connection breaks before the step does anything.
    Break,
    /// It breaks after the step has done its part.
    BreakAfter,
    /// Nothing more comes or goes.
    Stall,
    /// What comes is no reply.
    Garble,
}

/// The target: an honest node as far as it goes, behind a line that fails once.
#[derive(Default)]
struct World {
    keys: BTreeMap<Vec<u8>, Vec<u8>>,
    /// All requests, in order, over all connections.
    heard: Vec<Vec<Vec<u8>>>,
    /// First words of requests that are answered with an error.
    refused: Vec<(&'static str, &'static str)>,
    dials: usize,
    /// Calls of `exchange` so far, but for those that only ask whether a connection is alive.
    steps: usize,
    fault: Option<(usize, Fault)>,
    /// Bytes that one step moves at most.
    grain: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    fn get(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dialer for Shared {
    fn dial(&mut self, _: &Target<'_>, _: Duration) -> io::Result<Box<dyn Stream>> {
        self.get().dials += 1;
        Ok(Box::new(Line { world: self.clone(), ..Line::default() }))
    }
}

#[derive(Default)]
struct Line {
    world: Shared,
    requests: Vec<u8>,
    replies: Vec<u8>,
    broken: bool,
    stalled: bool,
}

impl Stream for Line {
    fn exchange(&mut self, out: &[u8], input: &mut [u8], wait: Duration) -> io::Result<Progress> {
        let world = self.world.clone();
        let mut world = world.get();
        if wait.is_zero() {
            let alive = !self.broken && self.replies.is_empty();
            return alive.then(Progress::default).ok_or(io::ErrorKind::UnexpectedEof.into());
        }
        let fault = world.fault.filter(|(step, _)| *step == world.steps).map(|(_, fault)| fault);
        world.steps += 1;
        self.broken |= fault == Some(Fault::Break);
        self.stalled |= fault == Some(Fault::Stall);
        if self.broken {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.stalled {
            return Ok(Progress::default());
        }
        if fault == Some(Fault::Garble) {
            self.replies.splice(..0, *b"$5\r\nhello\r\n");
        }
        let written = out.len().min(world.grain);
        self.requests.extend_from_slice(&out[..written]);
        while let Some(request) = next_request(&mut self.requests) {
            self.replies.extend_from_slice(world.serve(&request).as_bytes());
            world.heard.push(request);
        }
        if fault == Some(Fault::BreakAfter) {
            self.broken = true;
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let read = input.len().min(world.grain).min(self.replies.len());
        input[..read].copy_from_slice(&self.replies[..read]);
        self.replies.drain(..read);
        Ok(Progress { written, read })
    }
}

/// Takes one whole request off the front.
fn next_request(bytes: &mut Vec<u8>) -> Option<Vec<Vec<u8>>> {
    fn header(bytes: &[u8], at: &mut usize) -> Option<usize> {
        let end = *at + memchr::memchr(b'\n', bytes.get(*at..)?)?;
        let digits = str::from_utf8(&bytes[*at + 1..end - 1]).expect("digits");
        *at = end + 1;
        Some(digits.parse().expect("a number"))
    }
    let mut at = 0;
    let count = header(bytes, &mut at)?;
    let mut args = Vec::new();
    for _ in 0..count {
        let length = header(bytes, &mut at)?;
        args.push(bytes.get(at..at + length)?.to_vec());
        at += length + 2;
    }
    (at <= bytes.len()).then(|| bytes.drain(..at))?;
    Some(args)
}

impl World {
    fn serve(&mut self, request: &[Vec<u8>]) -> String {
        let line = String::from_utf8_lossy(&request.join(&b' ')).into_owned();
        if let Some((_, error)) = self.refused.iter().find(|(words, _)| line.starts_with(words)) {
            return format!("-{error}\r\n");
        }
        if request[0].starts_with(b"RESTORE") {
            let replace = request.get(4).is_some_and(|option| option == b"REPLACE");
            if self.keys.contains_key(&request[1]) && !replace {
                return "-BUSYKEY Target key name already exists.\r\n".into();
            }
            self.keys.insert(request[1].clone(), request[3].clone());
        }
        "+OK\r\n".into()
    }

    fn commands(&self) -> Vec<String> {
        let first = |request: &Vec<Vec<u8>>| String::from_utf8_lossy(&request[0]).into_owned();
        self.heard.iter().map(first).collect()
    }
}

/// A node without sockets, whose peers are all the scripted target.
struct Source {
    core: Core,
    client: Client,
    table: &'static Table,
}

impl Source {
    fn new(world: &Shared, config: Config) -> Source {
        let table = commands::table(&config).expect("the default names");
        let now = Now { unix_us: 1_000_000_000_000 };
        let mut core = Core::new(config, table.full_names(), now);
        core.peers.install(Box::new(world.clone()));
        let mut client = Client::new(ClientId(1), 0, 0);
        client.flags |= ClientFlags::AUTHENTICATED;
        Source { core, client, table }
    }

    fn run(&mut self, args: &[&[u8]]) -> String {
        let args = OwnedArgs::from_parts(args.iter().copied());
        let prepared = execute::prepare(&self.core, self.table, args.args());
        let outcome = execute::process(
            &mut self.core,
            &mut self.client,
            &mut Around::only(self.table),
            &prepared,
        );
        assert_eq!(outcome, Outcome::Done);
        let reply = self.client.reply.output.tail();
        String::from_utf8_lossy(&std::mem::take(reply)).into_owned()
    }

    fn ask(&mut self, line: &str) -> String {
        let args: Vec<&[u8]> = line
            .split(' ')
            .map(|word| if word == "''" { &b""[..] } else { word.as_bytes() })
            .collect();
        self.run(&args)
    }

    fn has(&mut self, key: &str) -> bool {
        self.ask(&format!("EXISTS {key}")) == ":1\r\n"
    }
}

const KEYS: [&str; 4] = ["a", "b", "c", "d"];

fn world() -> Shared {
    let world = Shared::default();
    world.get().grain = usize::MAX;
    world
}

fn source_with_keys(world: &Shared) -> Source {
    let mut source = Source::new(world, Config::default());
    for key in KEYS {
        source.ask(&format!("SET {key} value-of-{key}"));
    }
    source
}

/// Fails at every step in every way, first over a fresh connection and then over a kept one.
#[test]
fn no_fault_loses_a_key() {
    for grain in [13, usize::MAX] {
        for kept in [false, true] {
            let mut step = 0;
            // Until the conversation is over before the fault comes.
            while fail_at(step, grain, kept) {
                step += 1;
            }
            assert!(step > if grain == 13 { 20 } else { 0 }, "{step} steps");
        }
    }
}

fn fail_at(step: usize, grain: usize, kept: bool) -> bool {
    let mut failed = false;
    for fault in [Fault::Break, Fault::BreakAfter, Fault::Stall, Fault::Garble] {
        for options in ["", "COPY", "REPLACE", "AUTH secret"] {
            let world = world();
            let mut source = source_with_keys(&world);
            if kept {
                source.ask("SET z z");
                assert_eq!(source.ask("MIGRATE host 1 z 0 1000"), "+OK\r\n");
            }
            {
                let mut world = world.get();
                world.fault = Some((world.steps + step, fault));
                world.grain = grain;
            }
            let options = if options.is_empty() { String::new() } else { format!("{options} ") };
            let reply = source.ask(&format!("MIGRATE host 1 '' 0 1 {options}KEYS a b c d"));
            let came = |world: &World| world.fault.is_some_and(|(step, _)| step < world.steps);
            failed |= came(&world.get());
            check(&mut source, &world, &options, &format!("{fault:?} at {step}: {reply}"));
            // Whatever has happened, the next call is not confused by it.
            world.get().fault = None;
            let reply =
                source.ask(&format!("MIGRATE host 1 '' 0 1000 {options}REPLACE KEYS a b c d"));
            assert!(reply == "+OK\r\n" || reply == "+NOKEY\r\n", "{reply}");
            check(&mut source, &world, &options, "at last");
            assert_eq!(world.get().keys.len(), KEYS.len() + usize::from(kept));
        }
    }
    failed
}

#[track_caller]
fn check(source: &mut Source, world: &Shared, options: &str, what: &str) {
    for key in KEYS {
        let there = world.get().keys.contains_key(key.as_bytes());
        let here = source.has(key);
        assert!(here || there, "{key} is lost: {what}");
        assert!(here || options != "COPY ", "{key} was to be copied: {what}");
    }
}

#[test]
fn requests_say_what_redis_says() {
    let world = world();
    let mut source = Source::new(&world, Config::default());
    source.ask("SET a 1 PXAT 1000005000");
    source.ask("SET b 2 PXAT 1000000000");
    source.ask("SET c 3");
    let reply = source.ask("MIGRATE host 1 '' 7 1000 REPLACE AUTH2 user word KEYS a b none c");
    assert_eq!(reply, "+OK\r\n");
    let heard: Vec<String> = world
        .get()
        .heard
        .iter()
        .map(|request| {
            String::from_utf8_lossy(
                &[&request[..3.min(request.len())], &request[request.len().min(4)..]]
                    .concat()
                    .join(&b' '),
            )
            .into_owned()
        })
        .collect();
    let expected = [
        "AUTH user word",
        "SELECT 7",
        "RESTORE a 5000 REPLACE",
        "RESTORE b 1 REPLACE",
        "RESTORE c 0 REPLACE",
    ];
    assert_eq!(heard, expected);
    assert_eq!(source.core.keyspace.dirty, 6);
    // In a cluster the slot is only being imported there.
    let config = Config { cluster_enabled: true, ..Config::default() };
    let mut source = Source::new(&world, config);
    source.ask("SET d 1");
    source.ask("MIGRATE host 1 d 0 1000");
    assert_eq!(world.get().commands().last().map(String::as_str), Some("RESTORE-ASKING"));
}

#[test]
fn the_database_is_selected_when_it_must_be() {
    let world = world();
    let mut source = source_with_keys(&world);
    for (line, said) in [
        ("MIGRATE host 1 a 3 1000 COPY REPLACE", &["SELECT", "RESTORE"][..]),
        ("MIGRATE host 1 a 3 1000 COPY REPLACE", &["RESTORE"]),
        ("MIGRATE host 1 a 4 1000 COPY REPLACE", &["SELECT", "RESTORE"]),
        // After an error it is not certain what is selected.
        ("MIGRATE host 1 a 4 1000 COPY", &["RESTORE"]),
        ("MIGRATE host 1 a 4 1000 COPY REPLACE", &["SELECT", "RESTORE"]),
        ("MIGRATE other 1 a 4 1000 COPY REPLACE", &["SELECT", "RESTORE"]),
        ("MIGRATE host 1 none 9 1000", &[]),
    ] {
        world.get().heard.clear();
        source.ask(line);
        assert_eq!(world.get().commands(), said, "{line}");
    }
    assert_eq!((world.get().dials, source.core.peers.kept()), (2, 2));
}

#[test]
fn errors_of_the_target() {
    let busy =
        "-ERR Target instance replied with error: BUSYKEY Target key name already exists.\r\n";
    let world = world();
    let mut source = source_with_keys(&world);
    world.get().keys.insert(b"b".to_vec(), b"other".to_vec());
    // The others move.
    assert_eq!(source.ask("MIGRATE host 1 '' 0 1000 KEYS a b c d"), busy);
    assert_eq!(KEYS.map(|key| source.has(key)), [false, true, false, false]);
    assert_eq!(world.get().keys[&b"b"[..]], b"other");
    // The first of several errors is told.
    world.get().refused = vec![("RESTORE y", "MOVED 1 host:2"), ("RESTORE x", "OOM no memory")];
    source.ask("MSET x 1 y 1");
    let reply = source.ask("MIGRATE host 1 '' 0 1000 REPLACE KEYS x b y");
    assert_eq!(reply, "-ERR Target instance replied with error: OOM no memory\r\n");
    assert_eq!(["x", "b", "y"].map(|key| source.has(key)), [true, false, true]);
}

#[test]
fn nothing_moves_where_login_or_selection_fails() {
    for (words, error) in [("AUTH", "WRONGPASS no"), ("SELECT", "ERR DB index is out of range")] {
        let world = world();
        let mut source = source_with_keys(&world);
        world.get().refused = vec![(words, error)];
        let reply = source.ask("MIGRATE host 1 '' 20 1000 AUTH word KEYS a b");
        assert_eq!(reply, format!("-ERR Target instance replied with error: {error}\r\n"));
        assert!(source.has("a") && source.has("b"));
    }
}

#[test]
fn a_key_named_twice_goes_once() {
    let world = world();
    let mut source = source_with_keys(&world);
    assert_eq!(source.ask("MIGRATE host 1 '' 0 1000 REPLACE KEYS a a"), "+OK\r\n");
    assert!(!source.has("a") && world.get().keys.contains_key(&b"a"[..]));
    let reply = source.ask("MIGRATE host 1 '' 0 1000 KEYS b b");
    assert!(reply.contains("BUSYKEY"), "{reply}");
    assert!(!source.has("b") && world.get().keys.contains_key(&b"b"[..]));
}

#[test]
fn a_kept_connection_that_broke_is_replaced() {
    let world = world();
    let mut source = source_with_keys(&world);
    assert_eq!(source.ask("MIGRATE host 1 a 0 1000"), "+OK\r\n");
    // It looks alive, and breaks when it is used.
    let next = world.get().steps;
    world.get().fault = Some((next, Fault::Break));
    assert_eq!(source.ask("MIGRATE host 1 b 0 1000"), "+OK\r\n");
    assert_eq!(world.get().dials, 2);
    assert_eq!(source.core.peers.kept(), 1);
}

#[test]
fn big_batches_take_little_memory() {
    let world = world();
    world.get().grain = 1000;
    let mut source = Source::new(&world, Config::default());
    let value = vec![b'v'; 300];
    let names: Vec<String> = (0..5000).map(|n| format!("key:{n}")).collect();
    source.ask("CONFIG SET rdbcompression no");
    for name in &names {
        source.run(&[b"SET", name.as_bytes(), &value]);
    }
    let mut args: Vec<&[u8]> = vec![b"MIGRATE", b"host", b"1", b"", b"0", b"1000", b"KEYS"];
    args.extend(names.iter().map(|name| name.as_bytes()));
    assert_eq!(source.run(&args), "+OK\r\n");
    assert_eq!((source.ask("DBSIZE"), world.get().keys.len()), (":0\r\n".into(), 5000));
}

#[test]
fn options_and_their_errors() {
    let parsed = |line: &str| {
        let args = OwnedArgs::from_parts(line.split(' ').map(str::as_bytes));
        let mut redacted = Vec::new();
        let options = Options::parse(args.args(), &mut redacted);
        let shown = options.map(|options| {
            let login = options.login().unwrap_or_default().join(&b' ');
            let login = String::from_utf8(login).expect("text");
            (options.copy, options.replace, login, options.keys)
        });
        (shown.map_err(|error| error.to_string()), redacted)
    };
    let ok = |copy, replace, login: &str, keys| Ok((copy, replace, login.to_string(), keys));
    let syntax = || Err("ERR syntax error".to_string());
    assert_eq!(parsed("MIGRATE h 1 k 0 0"), (ok(false, false, "", 3..4), vec![]));
    assert_eq!(
        parsed("MIGRATE h 1 k 0 0 copy AUTH p replace"),
        (ok(true, true, "p", 3..4), vec![8])
    );
    assert_eq!(
        parsed("MIGRATE h 1  0 0 AUTH2 u p KEYS a b"),
        (ok(false, false, "u p", 10..12), vec![7, 8])
    );
    // Words after KEYS are keys.
    assert_eq!(parsed("MIGRATE h 1  0 0 KEYS COPY").0, ok(false, false, "", 7..8));
    assert_eq!(parsed("MIGRATE h 1  0 0 KEYS").0, ok(false, false, "", 7..7));
    for line in ["MIGRATE h 1 k 0 0 AUTH", "MIGRATE h 1 k 0 0 AUTH2 u", "MIGRATE h 1 k 0 0 x"] {
        assert_eq!(parsed(line), (syntax(), vec![]), "{line}");
    }
    assert_eq!(parsed("MIGRATE h 1 k 0 0 AUTH p x"), (syntax(), vec![7]));
    let words = "ERR When using MIGRATE KEYS option, the key argument must be set to the empty \
                 string";
    assert_eq!(parsed("MIGRATE h 1 k 0 0 KEYS a").0, Err(words.to_string()));
}
