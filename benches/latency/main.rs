//! Worst-case stalls, ours and a real redis-server's: how long a PING waits while something big
//! happens on another connection. And what ten thousand idle connections cost. Run by hand:
//! `cargo bench --bench latency -- --help`. Never part of `cargo test`.

#[path = "../common/mod.rs"]
#[allow(dead_code)] // the other benches use the rest
mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::{Client, Result, Server, Spec, encode};

const USAGE: &str = "\
usage: cargo bench --bench latency -- [options] [-- server options]
  --ours PATH        the first server (the release binary)
  --theirs PATH      the second server (redis-server in PATH)
  --only PART        scenarios whose name contains PART
  --keys N           keys of the growing table (5000000); the other sizes follow from it";

/// Time between two probes.
const PROBE_EVERY: Duration = Duration::from_micros(200);
const BIG_BYTES: u64 = 400 << 20;
const MANY_BYTES: u64 = 1 << 20;
const IDLE_CLIENTS: usize = 10_000;
/// How long probing goes on after the event, for work that the server puts off.
const AFTERMATH: Duration = Duration::from_secs(1);
/// Commands of the growing load in flight: few, so that the probe waits for work and not for a
/// queue.
const GROW_BATCH: u64 = 16;

/// How many keys the scenarios use.
#[derive(Clone, Copy)]
struct Sizes {
    grow: u64,
    fill: u64,
    many: u64,
}

struct Scenario {
    name: &'static str,
    /// Builds what the event needs; not probed.
    prepare: fn(&mut Client, Sizes) -> Result<()>,
    /// The event; probed.
    event: fn(&mut Client, Sizes) -> Result<()>,
}

const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "nothing",
        prepare: |_, _| Ok(()),
        event: |_, _| {
            thread::sleep(Duration::from_secs(2));
            Ok(())
        },
    },
    Scenario { name: "growing table", prepare: |_, _| Ok(()), event: grow },
    Scenario {
        name: "UNLINK 400 MB",
        prepare: |client, _| set_length(client, "big", BIG_BYTES),
        event: |client, _| ask(client, &["UNLINK", "big"]),
    },
    Scenario { name: "UNLINK many", prepare: make_many, event: unlink_many },
    Scenario {
        name: "FLUSHALL",
        prepare: |client, sizes| fill(client, sizes.fill, None),
        event: |client, _| ask(client, &["FLUSHALL"]),
    },
    Scenario {
        name: "FLUSHALL ASYNC",
        prepare: |client, sizes| fill(client, sizes.fill, None),
        event: |client, _| ask(client, &["FLUSHALL", "ASYNC"]),
    },
    Scenario { name: "mass expiry", prepare: fill_expiring, event: wait_until_empty },
];

fn ask(client: &mut Client, args: &[&str]) -> Result<()> {
    client.ask(args)?;
    Ok(())
}

fn set_length(client: &mut Client, key: &str, length: u64) -> Result<()> {
    ask(client, &["SETRANGE", key, &(length - 1).to_string(), "x"])
}

fn grow(client: &mut Client, sizes: Sizes) -> Result<()> {
    let mut next = 0;
    while next < sizes.grow {
        let base = next;
        client.load(GROW_BATCH, |i, out| {
            encode(out, &["SET", &format!("key:{:012}", base + i), "value"]);
        })?;
        next += GROW_BATCH;
    }
    Ok(())
}

fn make_many(client: &mut Client, sizes: Sizes) -> Result<()> {
    (0..sizes.many).try_for_each(|i| set_length(client, &format!("many:{i}"), MANY_BYTES))
}

fn unlink_many(client: &mut Client, sizes: Sizes) -> Result<()> {
    let keys: Vec<String> = (0..sizes.many).map(|i| format!("many:{i}")).collect();
    let mut args = vec!["UNLINK"];
    args.extend(keys.iter().map(String::as_str));
    ask(client, &args)
}

fn fill(client: &mut Client, keys: u64, expire_at_ms: Option<u64>) -> Result<()> {
    let at = expire_at_ms.map(|ms| ms.to_string());
    let set = |i: u64, out: &mut Vec<u8>| {
        let key = format!("key:{i:012}");
        match &at {
            Some(at) => encode(out, &["SET", &key, "value", "PXAT", at]),
            None => encode(out, &["SET", &key, "value"]),
        }
    };
    Ok(client.load(keys, set)?)
}

fn unix_ms() -> Result<u64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis() as u64)
}

/// Leaves a table whose keys all expire at one moment, and returns shortly before it.
fn fill_expiring(client: &mut Client, sizes: Sizes) -> Result<()> {
    let at = unix_ms()? + 2000 + sizes.fill / 100;
    fill(client, sizes.fill, Some(at))?;
    let left = at.saturating_sub(unix_ms()?).saturating_sub(200);
    thread::sleep(Duration::from_millis(left));
    Ok(())
}

fn wait_until_empty(client: &mut Client, _: Sizes) -> Result<()> {
    while client.ask(&["DBSIZE"])? != "0" {
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Raises a limit or a priority as far as this user may; the measurement is merely noisier without.
mod system {
    /// Lets this process, and the servers it starts, open many connections.
    pub fn raise_open_files() {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: both calls only read or write the struct they are given.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
                limit.rlim_cur = limit.rlim_max;
                libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
            }
        }
    }

    /// Puts the calling thread before the one that loads, which shares its core.
    pub fn raise_priority() {
        // SAFETY: changes the scheduling of the calling thread and nothing else.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, -15) };
    }
}

/// Times PING on a connection of its own until `stop`; microseconds of each, in order.
fn probe(port: u16, stop: &AtomicBool) -> std::io::Result<Vec<f64>> {
    system::raise_priority();
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    let (mut times, mut pong) = (Vec::new(), [0; 7]);
    while !stop.load(Ordering::Relaxed) {
        let started = Instant::now();
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut pong)?;
        let took = started.elapsed();
        times.push(took.as_secs_f64() * 1e6);
        if &pong != b"+PONG\r\n" {
            return Err(std::io::Error::other("PING was not answered by PONG"));
        }
        thread::sleep(PROBE_EVERY.saturating_sub(took));
    }
    Ok(times)
}

fn run(spec: &Spec, scenario: &Scenario, sizes: Sizes) -> Result<Vec<f64>> {
    let server = spec.start()?;
    let mut client = server.client()?;
    (scenario.prepare)(&mut client, sizes)?;
    let stop = AtomicBool::new(false);
    let (event, times) = thread::scope(|scope| {
        let prober = scope.spawn(|| probe(server.port, &stop));
        thread::sleep(Duration::from_millis(50));
        let event = (scenario.event)(&mut client, sizes);
        thread::sleep(AFTERMATH);
        stop.store(true, Ordering::Relaxed);
        (event, prober.join())
    });
    event?;
    let mut times = times.map_err(|_| "the probe panicked")??;
    times.sort_by(f64::total_cmp);
    Ok(times)
}

/// The value that a share `p` of the sorted values does not exceed.
fn percentile(sorted: &[f64], p: f64) -> f64 {
    let at = ((sorted.len() as f64 * p).ceil() as usize).clamp(1, sorted.len());
    sorted[at - 1]
}

fn print_row(scenario: &str, server: &str, times: &[f64]) {
    println!(
        "{scenario:<16} {server:<7} {:>8} {:>8.0} {:>8.0} {:>8.0} {:>9.0}",
        times.len(),
        percentile(times, 0.5),
        percentile(times, 0.99),
        percentile(times, 0.999),
        percentile(times, 1.0)
    );
}

/// Opens idle connections; bytes per connection when fresh, and after one command each: resident
/// set size, then `used_memory`.
fn idle_clients(spec: &Spec) -> Result<[f64; 5]> {
    let mut spec = spec.clone();
    spec.options.extend(["--maxclients".to_string(), (IDLE_CLIENTS + 100).to_string()]);
    let server = spec.start()?;
    let before = measure(&server)?;
    let mut streams = Vec::with_capacity(IDLE_CLIENTS);
    for _ in 0..IDLE_CLIENTS {
        streams.push(TcpStream::connect(("127.0.0.1", server.port))?);
    }
    let fresh = measure(&server)?;
    for stream in &mut streams {
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut [0; 7])?;
    }
    let used = measure(&server)?;
    // Allocators keep what was freed for ten seconds or so.
    thread::sleep(Duration::from_secs(20));
    let settled = server.rss()?;
    let each = |now: u64, then: u64| now.saturating_sub(then) as f64 / IDLE_CLIENTS as f64;
    Ok([
        each(fresh[0], before[0]),
        each(fresh[1], before[1]),
        each(used[0], before[0]),
        each(used[1], before[1]),
        each(settled, before[0]),
    ])
}

/// Resident set size and `used_memory`, once cron has looked at every connection.
fn measure(server: &Server) -> Result<[u64; 2]> {
    thread::sleep(Duration::from_secs(3));
    let used = server.settled_memory()?;
    Ok([server.rss()?, used])
}

fn compare_idle_clients(specs: &[Spec; 2]) -> Result<()> {
    println!(
        "\n{:<16} {:>10} {:>11} {:>10} {:>11} {:>12}",
        "bytes per client", "fresh RSS", "fresh used", "used RSS", "used used", "settled RSS"
    );
    for spec in specs {
        let [a, b, c, d, e] = idle_clients(spec)?;
        println!("{:<16} {a:>10.0} {b:>11.0} {c:>10.0} {d:>11.0} {e:>12.0}", spec.name);
    }
    println!("{IDLE_CLIENTS} idle connections; used: 3 s after one command each.");
    Ok(())
}

fn main() -> Result<()> {
    let keys = ["--only", "--keys"];
    let given = common::arguments(env!("CARGO_BIN_EXE_redis-rust"), &keys, USAGE)?;
    let (mut only, mut grow) = (String::new(), 5_000_000u64);
    for (key, value) in given.own {
        match key.as_str() {
            "--only" => only = value,
            _ => grow = value.parse()?,
        }
    }
    let sizes = Sizes { grow, fill: grow / 5, many: grow.div_ceil(5000) };
    system::raise_open_files();
    println!(
        "{:<16} {:<7} {:>8} {:>8} {:>8} {:>8} {:>9}",
        "PING while", "server", "probes", "p50 µs", "p99", "p99.9", "max"
    );
    for scenario in SCENARIOS.iter().filter(|s| s.name.contains(&only)) {
        for spec in &given.specs {
            print_row(scenario.name, spec.name, &run(spec, scenario, sizes)?);
        }
    }
    if "idle clients".contains(&only) {
        compare_idle_clients(&given.specs)?;
    }
    Ok(())
}
