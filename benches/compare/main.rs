//! Our release binary and a real redis-server side by side: throughput and processor time per
//! request under the same redis-benchmark loads, bytes per key, start-up time, idle memory, size.
//! Run by hand: `cargo bench --bench compare -- --help`. Never part of `cargo test`.

#[path = "../common/mod.rs"]
mod common;
mod floor;
mod loads;
mod memory;
mod publish;

use std::fs;
use std::process::{Command, Output};
use std::time::Instant;

use common::{CLIENT_CORE, Result, Server, Spec, in_path, pinned};
use loads::{KEYSPACE, Load, VALUE_BYTES};

const USAGE: &str = "\
usage: cargo bench --bench compare -- [options] [-- server options]
  --ours PATH        the first server (the release binary)
  --theirs PATH      the second server (redis-server in PATH)
  --ours-options, --theirs-options 'OPTIONS'
                     options of one of the servers
  --rounds N         rounds of every load; the servers take turns in going first (5)
  --scale N          times the usual number of requests, in percent (100)
  --load NAME=ARGS   another load: arguments of redis-benchmark, such as 'x=-P 16 lpush l v'
  --setup COMMAND    a command sent to both servers before the loads, words split at spaces
  --only PART        loads and tables whose name contains PART
  --floor PART       loads whose name contains PART are run a third time, against a responder that
                     only reads and writes: what no server can go below, as a ratio to theirs
  --theirs and --ours may name the same program, to see the noise, or what an option costs:
    --theirs target/release/redis-rust --ours-options '--cluster-enabled yes' --only 'get -P 16'
  A node of a cluster is given all slots.";

const START_UPS: usize = 11;

/// What one run of a load gave.
#[derive(Clone, Copy)]
struct Sample {
    requests_per_s: f64,
    cpu_us: f64,
}

struct Plan {
    specs: [Spec; 2],
    rounds: usize,
    scale: u64,
    only: String,
    floor: Option<String>,
    extra: Vec<Load>,
    setup: Vec<String>,
}

impl Plan {
    fn from_arguments() -> Result<Plan> {
        let keys = ["--rounds", "--scale", "--load", "--setup", "--only", "--floor"];
        let given = common::arguments(env!("CARGO_BIN_EXE_redis-rust"), &keys, USAGE)?;
        let mut plan = Plan {
            specs: given.specs,
            rounds: 5,
            scale: 100,
            only: String::new(),
            floor: None,
            extra: Vec::new(),
            setup: Vec::new(),
        };
        for (key, value) in given.own {
            match key.as_str() {
                "--rounds" => plan.rounds = value.parse()?,
                "--scale" => plan.scale = value.parse()?,
                "--only" => plan.only = value,
                "--floor" => plan.floor = Some(value),
                "--setup" => plan.setup.push(value),
                _ => plan.extra.push(loads::extra(&value)?),
            }
        }
        Ok(plan)
    }

    fn wants(&self, name: &str) -> bool {
        name.contains(&self.only)
    }

    fn requests(&self, load: &Load) -> u64 {
        (load.requests * self.scale / 100).max(1)
    }
}

/// Makes a server ready for the loads that are wanted.
fn prepare(server: &Server, plan: &Plan, loads: &[Load]) -> Result<()> {
    let mut client = server.client()?;
    loads::fill(&mut client, server.is_cluster()?, loads)?;
    for command in &plan.setup {
        client.ask(&command.split_whitespace().collect::<Vec<_>>())?;
    }
    Ok(())
}

/// The middle of a few measurements.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[middle],
        _ => (values[middle - 1] + values[middle]) / 2.0,
    }
}

fn run_benchmark(server: &Server, requests: u64, args: &[String]) -> Result<Output> {
    let output = pinned(CLIENT_CORE, &in_path("redis-benchmark")?)
        .args(["--csv", "-p", &server.port.to_string(), "-n", &requests.to_string()])
        .args(["-r", &KEYSPACE.to_string(), "-d", &VALUE_BYTES.to_string()])
        .args(args)
        .output()?;
    Ok(output)
}

fn run_load(server: &Server, load: &Load, requests: u64) -> Result<Sample> {
    if let Some(args) = &load.before {
        run_benchmark(server, requests, args)?;
    }
    let before = server.cpu_seconds()?;
    let output = run_benchmark(server, requests, &load.args)?;
    let cpu_seconds = server.cpu_seconds()? - before;
    let said = String::from_utf8_lossy(&output.stdout);
    let rate = said.lines().rfind(|line| !line.starts_with("\"test\"")).unwrap_or_default();
    let rate = rate.split("\",\"").nth(1).and_then(|field| field.parse().ok());
    let failed = || format!("{}: {said}{}", load.name, String::from_utf8_lossy(&output.stderr));
    let cpu_us = cpu_seconds * 1e6 / requests as f64;
    Ok(Sample { requests_per_s: rate.ok_or_else(failed)?, cpu_us })
}

fn compare_loads(plan: &Plan) -> Result<()> {
    let servers = [plan.specs[0].start()?, plan.specs[1].start()?];
    let mut loads = loads::standard(servers[0].is_cluster()?);
    loads.retain(|load| plan.wants(&load.name));
    for server in &servers {
        prepare(server, plan, &loads)?;
    }
    println!(
        "\n{:<20} {:>11} {:>11} {:>7}   {:>9} {:>9} {:>7}",
        "load", "ours req/s", "theirs", "ratio", "ours µs", "theirs", "ratio"
    );
    for load in loads.iter().chain(&plan.extra) {
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..plan.rounds {
            for turn in 0..2 {
                let which = (round + turn) % 2;
                samples[which].push(run_load(&servers[which], load, plan.requests(load))?);
            }
        }
        print_load(&load.name, &samples);
        if plan.floor.as_ref().is_some_and(|part| load.name.contains(part)) {
            compare_floor(plan, load, &servers)?;
        }
    }
    println!("µs: processor time of the server per request. Medians of {} rounds.", plan.rounds);
    Ok(())
}

/// The least that a load can cost, beside what it costs their server in the same rounds.
fn compare_floor(plan: &Plan, load: &Load, [ours, theirs]: &[Server; 2]) -> Result<()> {
    let Some(responder) = floor::start(load, ours)? else { return Ok(()) };
    let requests = plan.requests(load);
    let mut bare = load.clone();
    bare.before = None;
    let mut samples = [Vec::new(), Vec::new()];
    for _ in 0..plan.rounds {
        samples[0].push(run_load(&responder, &bare, requests)?);
        samples[1].push(run_load(theirs, load, requests)?);
    }
    print_load("  the floor of it", &samples);
    Ok(())
}

fn print_load(name: &str, [ours, theirs]: &[Vec<Sample>; 2]) {
    let middle =
        |samples: &[Sample], of: fn(&Sample) -> f64| median(samples.iter().map(of).collect());
    let ratio = |of: fn(&Sample) -> f64| {
        median(ours.iter().zip(theirs).map(|(o, t)| of(o) / of(t)).collect())
    };
    let (rate, cpu) = (|s: &Sample| s.requests_per_s, |s: &Sample| s.cpu_us);
    println!(
        "{name:<20} {:>11.0} {:>11.0} {:>7.2}   {:>9.3} {:>9.3} {:>7.2}",
        middle(ours, rate),
        middle(theirs, rate),
        ratio(rate),
        middle(ours, cpu),
        middle(theirs, cpu),
        ratio(cpu)
    );
}

/// Milliseconds to the first reply, and mebibytes of resident memory right after.
fn start_up(spec: &Spec) -> Result<[f64; 2]> {
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..START_UPS {
        let started = Instant::now();
        let server = spec.launch()?;
        times.push(started.elapsed().as_secs_f64() * 1000.0);
        sizes.push(server.rss()? as f64 / (1 << 20) as f64);
    }
    Ok([median(times), median(sizes)])
}

/// Mebibytes of the program without symbols.
fn stripped_size(spec: &Spec) -> Result<f64> {
    let dir = tempfile::tempdir()?;
    let copy = dir.path().join("stripped");
    fs::copy(&spec.program, &copy)?;
    if !Command::new("strip").arg(&copy).status()?.success() {
        return Err(format!("strip {} failed", spec.program.display()).into());
    }
    Ok(fs::metadata(&copy)?.len() as f64 / (1 << 20) as f64)
}

fn compare_footprint(plan: &Plan) -> Result<()> {
    println!("\n{:<24} {:>8} {:>8} {:>7}", "footprint", "ours", "theirs", "ratio");
    let row = |name: &str, ours: f64, theirs: f64| {
        println!("{name:<24} {ours:>8.2} {theirs:>8.2} {:>7.2}", ours / theirs);
    };
    let (ours, theirs) = (start_up(&plan.specs[0])?, start_up(&plan.specs[1])?);
    row("start to reply, ms", ours[0], theirs[0]);
    row("idle RSS, MiB", ours[1], theirs[1]);
    row("stripped binary, MiB", stripped_size(&plan.specs[0])?, stripped_size(&plan.specs[1])?);
    Ok(())
}

fn version(spec: &Spec) -> Result<String> {
    spec.start()?.client()?.info("server", "redis_version")
}

fn main() -> Result<()> {
    if floor::is_wanted() {
        return floor::respond();
    }
    let plan = Plan::from_arguments()?;
    for spec in &plan.specs {
        println!("{:<7} {} ({})", spec.name, spec.program.display(), version(spec)?);
    }
    let has_loads =
        !plan.extra.is_empty() || loads::standard(false).iter().any(|load| plan.wants(&load.name));
    if has_loads {
        compare_loads(&plan)?;
    }
    publish::compare(&plan)?;
    memory::compare(&plan.specs, |name| plan.wants(name))?;
    if plan.wants("footprint") {
        compare_footprint(&plan)?;
    }
    Ok(())
}
