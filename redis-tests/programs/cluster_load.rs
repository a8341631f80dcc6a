//! A load on a cluster through a real client library, which knows what every key must hold.
//! Writers count up the version in the value of each key; readers check that a key is there and
//! that its version is at least the one acknowledged last. Started by
//! redis-tests/suite/cluster_load.tcl, or by hand: `cargo run --example cluster_load -- --help`.
//! Must never decide by itself that a missing or an old value is all right.
//!
//! It prints `ready` once every key is written. A line `count` on standard input is answered with
//! `count N`, the operations so far; `stop`, or the end of the input, ends the load. Then every key
//! is read once more and the result is printed as one line.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use redis::cluster::{ClusterClient, ClusterConnection};
use redis::{Cmd, FromRedisValue, RedisResult};

const USAGE: &str = "usage: cluster_load --ports PORT[,PORT ...] [options]";

/// The client library answers redirections and broken connections by itself; what it reports all
/// the same is tried again for so long before it counts as an error.
const RETRY_FOR: Duration = Duration::from_secs(20);
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);
/// Bounds of what the client library waits before it tries again.
const RETRY_WAIT_MS: (u64, u64) = (10, 500);
/// A sweep over all keys ends when more than this failed.
const SWEEP_ERRORS_MAX: u64 = 5;
/// Complaints that are printed in full; all are counted.
const COMPLAINTS_SHOWN: u64 = 20;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

struct Options {
    nodes: Vec<String>,
    keys: u64,
    /// Keys share this many hash tags, and so at most as many slots; 0 for no tags.
    tags: u64,
    writers: u64,
    readers: u64,
    value_bytes: usize,
    pause: Duration,
}

impl Options {
    /// `None` when help was asked for.
    fn from_arguments() -> Result<Option<Options>> {
        let mut known = getopts::Options::new();
        known.optopt("", "ports", "nodes to begin with, on 127.0.0.1", "PORTS");
        known.optopt("", "keys", "how many keys (200000)", "N");
        known.optopt("", "tags", "hash tags that the keys share; 0 for none (0)", "N");
        known.optopt("", "writers", "threads that write (2)", "N");
        known.optopt("", "readers", "threads that read (2)", "N");
        known.optopt("", "value-bytes", "length of a value, at least (32)", "N");
        known.optopt("", "pause-us", "what a thread waits between two commands (0)", "N");
        known.optflag("h", "help", "print this");
        let given = known.parse(std::env::args().skip(1))?;
        if given.opt_present("help") {
            println!("{}", known.usage(USAGE));
            return Ok(None);
        }
        let ports = given.opt_str("ports").ok_or(USAGE)?;
        Ok(Some(Options {
            nodes: ports.split(',').map(|port| format!("redis://127.0.0.1:{port}")).collect(),
            keys: given.opt_get_default("keys", 200_000)?,
            tags: given.opt_get_default("tags", 0)?,
            writers: given.opt_get_default("writers", 2)?.max(1),
            readers: given.opt_get_default("readers", 2)?,
            value_bytes: given.opt_get_default("value-bytes", 32)?,
            pause: Duration::from_micros(given.opt_get_default("pause-us", 0)?),
        }))
    }

    fn key(&self, index: u64) -> String {
        match self.tags {
            0 => format!("key:{index}"),
            tags => format!("{{tag:{}}}:{index}", index % tags),
        }
    }

    /// The version, what key it belongs to, and padding.
    fn value(&self, index: u64, version: u64) -> String {
        format!("{:.<width$}", format!("{version}:{index}:"), width = self.value_bytes)
    }
}

/// The version that a value carries, if it is a value of this key.
fn version_in(value: &str, index: u64) -> Option<u64> {
    let mut parts = value.split(':');
    let version = parts.next()?.parse().ok()?;
    (parts.next()?.parse() == Ok(index)).then_some(version)
}

/// What is known of one key. `acknowledged` never passes `attempted`; only the writer that the key
/// belongs to moves either.
#[derive(Default)]
struct Versions {
    attempted: AtomicU64,
    acknowledged: AtomicU64,
}

#[derive(Default)]
struct Counts {
    writes: AtomicU64,
    reads: AtomicU64,
    /// What the client library gave up on; each was tried again.
    client_errors: AtomicU64,
    /// What failed in the end.
    errors: AtomicU64,
    lost: AtomicU64,
    stale: AtomicU64,
    /// Values that nobody ever wrote to the key.
    alien: AtomicU64,
    slowest_us: AtomicU64,
}

impl Counts {
    fn operations(&self) -> u64 {
        self.writes.load(Ordering::Relaxed) + self.reads.load(Ordering::Relaxed)
    }

    fn is_clean(&self) -> bool {
        let bad = [&self.errors, &self.lost, &self.stale, &self.alien];
        bad.iter().all(|count| count.load(Ordering::Relaxed) == 0)
    }
}

/// What all threads share.
struct Load {
    options: Options,
    client: ClusterClient,
    keys: Vec<Versions>,
    counts: Counts,
    stop: AtomicBool,
    complaints: Mutex<u64>,
}

impl Load {
    fn new(options: Options) -> Result<Load> {
        let client = ClusterClient::builder(options.nodes.clone())
            .connection_timeout(CONNECT_TIMEOUT)
            .response_timeout(RESPONSE_TIMEOUT)
            .min_retry_wait(RETRY_WAIT_MS.0)
            .max_retry_wait(RETRY_WAIT_MS.1)
            .build()?;
        let keys = (0..options.keys).map(|_| Versions::default()).collect();
        Ok(Load {
            options,
            client,
            keys,
            counts: Counts::default(),
            stop: AtomicBool::new(false),
            complaints: Mutex::new(0),
        })
    }

    fn complain(&self, count: &AtomicU64, what: std::fmt::Arguments<'_>) {
        count.fetch_add(1, Ordering::Relaxed);
        let Ok(mut shown) = self.complaints.lock() else { return };
        if *shown < COMPLAINTS_SHOWN {
            eprintln!("{what}");
            *shown += 1;
        }
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Runs a command, again and again while the client library reports an error.
    fn ask<T: FromRedisValue>(&self, client: &mut Connection, command: &Cmd) -> RedisResult<T> {
        let started = Instant::now();
        loop {
            let reply = client.query(&self.client, command);
            let took = started.elapsed();
            self.counts.slowest_us.fetch_max(took.as_micros() as u64, Ordering::Relaxed);
            match reply {
                Err(error) if took < RETRY_FOR => {
                    self.complain(
                        &self.counts.client_errors,
                        format_args!("the client reports: {error}"),
                    );
                    client.0 = None;
                    thread::sleep(RETRY_PAUSE);
                }
                reply => return reply,
            }
        }
    }

    fn write(&self, client: &mut Connection, index: u64) {
        let versions = &self.keys[index as usize];
        let version = versions.attempted.load(Ordering::Relaxed) + 1;
        versions.attempted.store(version, Ordering::Release);
        let key = self.options.key(index);
        let mut command = redis::cmd("SET");
        command.arg(&key).arg(self.options.value(index, version));
        match self.ask::<()>(client, &command) {
            Ok(()) => versions.acknowledged.store(version, Ordering::Release),
            Err(error) => {
                self.complain(&self.counts.errors, format_args!("SET {key}: {error}"));
            }
        }
        self.counts.writes.fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self, client: &mut Connection, index: u64) {
        let versions = &self.keys[index as usize];
        let least = versions.acknowledged.load(Ordering::Acquire);
        let key = self.options.key(index);
        let mut command = redis::cmd("GET");
        command.arg(&key);
        let value: RedisResult<Option<String>> = self.ask(client, &command);
        self.counts.reads.fetch_add(1, Ordering::Relaxed);
        let most = versions.attempted.load(Ordering::Acquire);
        let counts = &self.counts;
        match value {
            Err(error) => self.complain(&counts.errors, format_args!("GET {key}: {error}")),
            Ok(None) if least == 0 => {}
            Ok(None) => self.complain(&counts.lost, format_args!("{key} is lost")),
            Ok(Some(value)) => match version_in(&value, index) {
                Some(found) if found < least => self.complain(
                    &counts.stale,
                    format_args!("{key} is at {found}, and was acknowledged at {least}"),
                ),
                Some(found) if found <= most => {}
                _ => self.complain(&counts.alien, format_args!("{key} holds {value}")),
            },
        }
    }

    /// Runs `step` on every key of a thread's own, once. A cluster that is down ends it early.
    fn sweep(&self, thread: u64, threads: u64, step: fn(&Load, &mut Connection, u64)) {
        let mut client = Connection(None);
        for index in (thread..self.options.keys).step_by(threads as usize) {
            step(self, &mut client, index);
            if self.counts.errors.load(Ordering::Relaxed) > SWEEP_ERRORS_MAX {
                break;
            }
        }
    }

    fn sweep_all(&self, threads: u64, step: fn(&Load, &mut Connection, u64)) {
        thread::scope(|scope| {
            for thread in 0..threads {
                scope.spawn(move || self.sweep(thread, threads, step));
            }
        });
    }

    /// Writes keys of its own in an order that looks random, until the load stops.
    fn write_on(&self, thread: u64) {
        let mut client = Connection(None);
        let own = self.options.keys.saturating_sub(thread).div_ceil(self.options.writers);
        let mut numbers = Numbers(thread + 1);
        while !self.stopped() && own > 0 {
            self.write(&mut client, thread + numbers.below(own) * self.options.writers);
            thread::sleep(self.options.pause);
        }
    }

    fn read_on(&self, thread: u64) {
        let mut client = Connection(None);
        let mut numbers = Numbers(thread + 1_000_001);
        while !self.stopped() && self.options.keys > 0 {
            self.read(&mut client, numbers.below(self.options.keys));
            thread::sleep(self.options.pause);
        }
    }

    /// Obeys standard input until it says stop or ends.
    fn obey(&self) -> io::Result<()> {
        for line in io::stdin().lock().lines() {
            match line?.trim() {
                "stop" => break,
                "count" => say(&format!("count {}", self.counts.operations()))?,
                _ => {}
            }
        }
        Ok(())
    }

    fn result(&self) -> String {
        let counts = &self.counts;
        let fields = [
            ("writes", &counts.writes),
            ("reads", &counts.reads),
            ("client_errors", &counts.client_errors),
            ("errors", &counts.errors),
            ("lost", &counts.lost),
            ("stale", &counts.stale),
            ("alien", &counts.alien),
            ("slowest_us", &counts.slowest_us),
        ];
        let fields =
            fields.map(|(name, count)| format!("{name} {}", count.load(Ordering::Relaxed)));
        format!("result {}", fields.join(" "))
    }
}

/// A thread's connection to the cluster, made when first used and again after an error.
struct Connection(Option<ClusterConnection>);

impl Connection {
    fn query<T: FromRedisValue>(
        &mut self,
        client: &ClusterClient,
        command: &Cmd,
    ) -> RedisResult<T> {
        let connection = match &mut self.0 {
            Some(connection) => connection,
            none => none.insert(client.get_connection()?),
        };
        command.query(connection)
    }
}

/// Numbers that look random and are the same in every run (xorshift64*).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 16) % bound
    }
}

fn say(line: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()
}

fn run(options: Options) -> Result<bool> {
    let load = Load::new(options)?;
    let threads = load.options.writers;
    load.sweep_all(threads, Load::write);
    say("ready")?;
    let obeyed = thread::scope(|scope| {
        let load = &load;
        for thread in 0..load.options.writers {
            scope.spawn(move || load.write_on(thread));
        }
        for thread in 0..load.options.readers {
            scope.spawn(move || load.read_on(thread));
        }
        let obeyed = load.obey();
        load.stop.store(true, Ordering::Relaxed);
        obeyed
    });
    load.sweep_all(threads, Load::read);
    obeyed?;
    say(&load.result())?;
    Ok(load.counts.is_clean())
}

fn main() -> ExitCode {
    let clean = Options::from_arguments().and_then(|options| options.map_or(Ok(true), run));
    match clean {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cluster_load: {error}");
            ExitCode::from(2)
        }
    }
}
