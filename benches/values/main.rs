//! How long one command on a value of a million elements takes, by the server's own account, for
//! every command that neither returns such a value nor walks all of it; and how long a PING waits
//! right behind it, for what the server puts off. Run by hand:
//! `cargo bench --bench values -- --help`. Never part of `cargo test`.

#[path = "../common/mod.rs"]
#[allow(dead_code)] // the other benches use the rest
mod common;

mod cases;

use std::time::{Duration, Instant};

use cases::{CASES, Case};
use common::{Client, Result, Spec, encode};

const USAGE: &str = "\
usage: cargo bench --bench values -- [options] [-- server options]
  --ours PATH        the first server (the release binary)
  --theirs PATH      the second server (redis-server in PATH)
  --server SIDE      ours (the default), theirs or both
  --only PART        commands that contain PART
  --elements N       elements of each value (1000000)
  --rounds N         times that each command runs, of which the fastest counts (3)
  --limit-us N       microseconds above which a command is reported (5000)";

/// Elements of one command that builds a value.
const ELEMENTS_PER_COMMAND: u64 = 100;
/// Elements of the values that stand beside the big ones.
const SMALL: u64 = 100;

struct Options {
    server: String,
    only: String,
    elements: u64,
    rounds: usize,
    limit_us: u64,
}

fn options(given: Vec<(String, String)>) -> Result<Options> {
    let mut options = Options {
        server: "ours".into(),
        only: String::new(),
        elements: 1_000_000,
        rounds: 3,
        limit_us: 5000,
    };
    for (name, value) in given {
        match name.as_str() {
            "--server" => options.server = value,
            "--only" => options.only = value,
            "--elements" => options.elements = value.parse()?,
            "--rounds" => options.rounds = value.parse()?,
            _ => options.limit_us = value.parse()?,
        }
    }
    Ok(options)
}

/// The `number`th element of every value: 14 bytes.
fn element(number: u64) -> String {
    format!("e:{number:012}")
}

/// Appends a command of words that are put together.
fn encode_words(out: &mut Vec<u8>, words: &[String]) {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    encode(out, &words);
}

/// Builds a value of `count` elements by commands of many elements each, of which `words` makes
/// those of one.
fn build(
    client: &mut Client,
    start: &[&str],
    count: u64,
    words: impl Fn(u64) -> Vec<String>,
) -> Result<()> {
    let start: Vec<String> = start.iter().map(|word| word.to_string()).collect();
    client.load(count.div_ceil(ELEMENTS_PER_COMMAND), |command, out| {
        let first = command * ELEMENTS_PER_COMMAND;
        let last = (first + ELEMENTS_PER_COMMAND).min(count);
        let more = (first..last).flat_map(&words);
        encode_words(out, &start.iter().cloned().chain(more).collect::<Vec<_>>());
    })?;
    Ok(())
}

/// The values that commands run on, each of `count` elements, and small ones beside them.
fn build_all(client: &mut Client, elements: u64) -> Result<()> {
    for (suffix, count) in [("", elements), (":small", SMALL)] {
        let key = |name: &str| format!("{name}{suffix}");
        build(client, &["RPUSH", &key("list")], count, |i| vec![element(i)])?;
        build(client, &["SADD", &key("set")], count, |i| vec![element(i)])?;
        build(client, &["HSET", &key("hash")], count, |i| vec![element(i), format!("v{i:015}")])?;
        build(client, &["ZADD", &key("zset")], count, |i| vec![i.to_string(), element(i)])?;
        build(client, &["ZADD", &key("lex")], count, |i| vec!["0".into(), element(i)])?;
        build(client, &["GEOADD", &key("geo")], count, |i| {
            let (x, y) = (i % 1000, i / 1000);
            vec![format!("{}", x as f64 / 100.0), format!("{}", y as f64 / 100.0), element(i)]
        })?;
        client.load(count, |i, out| {
            encode(out, &["XADD", &key("stream"), &format!("{}-1", i + 1), "field", &element(i)]);
        })?;
    }
    client.ask(&["XGROUP", "CREATE", "stream", "fresh", "$"])?;
    client.ask(&["XGROUP", "CREATE", "stream", "group", "0"])?;
    client.ask(&[
        "XREADGROUP",
        "GROUP",
        "group",
        "busy",
        "COUNT",
        "1",
        "STREAMS",
        "stream",
        ">",
    ])?;
    for _ in 0..elements / 1000 {
        let read = "XREADGROUP GROUP group all COUNT 1000 STREAMS stream >";
        client.ask(&read.split(' ').collect::<Vec<_>>())?;
    }
    Ok(())
}

/// A command's words, with elements by their number: `@500000`, of a value of a million, is the
/// one in the middle whatever the size.
fn words(text: &str, elements: u64) -> Vec<String> {
    let number = |digits: &str| {
        digits.parse::<u64>().ok().map(|n| u128::from(n) * u128::from(elements) / 1_000_000)
    };
    let word = |word: &str| {
        let (digits, rest) = word.get(1..).map_or(("", ""), |rest| {
            rest.split_at(rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len()))
        });
        match (word.as_bytes().first(), number(digits)) {
            (Some(b'@'), Some(n)) => element(n as u64) + rest,
            (Some(b'%'), Some(n)) => format!("{n}{rest}"),
            _ => word.to_string(),
        }
    };
    text.split_whitespace().map(word).collect()
}

fn ask(client: &mut Client, text: &str, elements: u64) -> Result<String> {
    let words = words(text, elements);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    client.ask(&words).map_err(|error| format!("{text}: {error}").into())
}

/// Microseconds that the one call of a command since the last CONFIG RESETSTAT took.
fn server_us(client: &mut Client, text: &str) -> Result<u64> {
    let stats = client.ask(&["INFO", "commandstats"])?;
    let name = text.split(' ').next().unwrap_or_default().to_ascii_lowercase();
    let of = |line: &&str| {
        let named = line.strip_prefix("cmdstat_").and_then(|rest| rest.strip_prefix(&name));
        named.is_some_and(|rest| rest.starts_with([':', '|']))
    };
    let line = stats.lines().find(of).ok_or_else(|| format!("{text} was not counted"))?;
    let us = line.split(",usec=").nth(1).and_then(|rest| rest.split(',').next());
    Ok(us.ok_or("no usec in INFO commandstats")?.parse()?)
}

/// What one run of a command took.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Took {
    server_us: u64,
    /// The round trip, or that of the PING right behind it, if that was longer.
    stall_us: u64,
}

fn run(client: &mut Client, case: &Case, elements: u64) -> Result<Took> {
    for text in case.before {
        ask(client, text, elements)?;
    }
    if let Some(wait_ms) = case.wait_ms {
        std::thread::sleep(Duration::from_millis(wait_ms));
    }
    client.ask(&["CONFIG", "RESETSTAT"])?;
    let started = Instant::now();
    ask(client, case.command, elements)?;
    let answered = started.elapsed();
    client.ask(&["PING"])?;
    let stall = answered.max(started.elapsed() - answered);
    for text in case.after {
        ask(client, text, elements)?;
    }
    Ok(Took { server_us: server_us(client, case.command)?, stall_us: stall.as_micros() as u64 })
}

/// Runs all commands; how many took too long.
fn measure(spec: &Spec, options: &Options) -> Result<usize> {
    let server = spec.start()?;
    let mut client = server.client()?;
    let started = Instant::now();
    build_all(&mut client, options.elements)?;
    println!("{}: built in {:.1} s", spec.name, started.elapsed().as_secs_f64());
    let mut rows = Vec::new();
    for case in CASES.iter().filter(|case| case.command.contains(&options.only)) {
        if case.is_ours_alone && spec.name != "ours" {
            continue;
        }
        let runs: Result<Vec<Took>> =
            (0..options.rounds).map(|_| run(&mut client, case, options.elements)).collect();
        let runs = runs?;
        let fastest = runs.iter().min().copied().ok_or("no round")?;
        let slowest = runs.iter().max().copied().ok_or("no round")?;
        rows.push((fastest, slowest, case.command));
    }
    rows.sort();
    println!("{:>10} {:>10} {:>10}  command", "us", "slowest us", "stall us");
    let mut slow = 0;
    for (fastest, slowest, command) in rows.iter().rev() {
        let is_slow = fastest.server_us > options.limit_us;
        slow += usize::from(is_slow);
        let mark = if is_slow { "SLOW" } else { "" };
        let (us, most, stall) = (fastest.server_us, slowest.server_us, fastest.stall_us);
        println!("{us:>10} {most:>10} {stall:>10}  {command:<64} {mark}");
    }
    println!("{}: {slow} of {} commands over {} us", spec.name, rows.len(), options.limit_us);
    Ok(slow)
}

fn main() -> Result<()> {
    let own = ["--server", "--only", "--elements", "--rounds", "--limit-us"];
    let arguments = common::arguments(env!("CARGO_BIN_EXE_redis-rust"), &own, USAGE)?;
    let options = options(arguments.own)?;
    let mut slow = 0;
    for spec in &arguments.specs {
        if options.server == "both" || options.server == spec.name {
            let count = measure(spec, &options)?;
            slow += if spec.name == "ours" { count } else { 0 };
        }
    }
    if slow > 0 {
        return Err(format!("{slow} commands are too slow").into());
    }
    Ok(())
}
