//! Idle clusters side by side, of our release binary and of a real redis-server: processor time and
//! traffic of the cluster bus, per node and second, at the same node timeout. Run by hand:
//! `cargo bench --bench cluster -- --help`. Never part of `cargo test`.

#[path = "../common/mod.rs"]
#[allow(dead_code)] // the other benches use the rest
mod common;

use std::collections::{BTreeMap, HashSet};
use std::net::TcpListener;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use common::{Client, Result, Server, Spec};

const USAGE: &str = "\
usage: cargo bench --bench cluster -- [options] [-- server options]
  --ours PATH        the first server (the release binary)
  --theirs PATH      the second server (redis-server in PATH)
  --nodes N          nodes of each cluster (30)
  --seconds N        how long each round measures (30)
  --rounds N         rounds; the clusters take turns (2)
  --node-timeout MS  cluster-node-timeout of all (15000)
  Counting bytes needs ss (apt-get install iproute2).";

const SLOTS: u64 = 16_384;
/// The bus of a node listens so far above its port.
const BUS_OFFSET: u16 = 10_000;
/// Ports are looked for from here on, below those of outgoing connections on either end.
const FIRST_PORT: u16 = 10_100;
const LAST_PORT: u16 = 20_000;
const FORM_TIMEOUT: Duration = Duration::from_secs(120);
/// What handshakes leave behind has gone after this.
const SETTLE: Duration = Duration::from_secs(10);

struct Plan {
    specs: [Spec; 2],
    nodes: usize,
    seconds: u64,
    rounds: usize,
}

impl Plan {
    fn from_arguments() -> Result<Plan> {
        let keys = ["--nodes", "--seconds", "--rounds", "--node-timeout"];
        let given = common::arguments(env!("CARGO_BIN_EXE_redis-rust"), &keys, USAGE)?;
        let mut plan = Plan { specs: given.specs, nodes: 30, seconds: 30, rounds: 2 };
        let mut node_timeout_ms = 15_000u64;
        for (key, value) in given.own {
            match key.as_str() {
                "--nodes" => plan.nodes = value.parse()?,
                "--seconds" => plan.seconds = value.parse()?,
                "--rounds" => plan.rounds = value.parse()?,
                _ => node_timeout_ms = value.parse()?,
            }
        }
        if plan.nodes < 2 || plan.seconds == 0 || plan.rounds == 0 {
            return Err(USAGE.into());
        }
        for spec in &mut plan.specs {
            let timeout = node_timeout_ms.to_string();
            let ours = ["--cluster-enabled", "yes", "--cluster-node-timeout", &timeout];
            spec.options.extend(ours.map(String::from));
        }
        Ok(plan)
    }
}

/// Ports that are free together with their bus ports, each given out once.
struct Ports {
    next: u16,
}

impl Ports {
    fn take(&mut self) -> Result<u16> {
        let free = |port: u16| TcpListener::bind(("127.0.0.1", port)).is_ok();
        while self.next < LAST_PORT {
            let port = self.next;
            self.next += 1;
            if free(port) && free(port + BUS_OFFSET) {
                return Ok(port);
            }
        }
        Err("no free port whose bus port is free".into())
    }
}

/// A formed cluster that nobody uses.
struct Cluster {
    name: &'static str,
    nodes: Vec<Server>,
}

/// What the processes and the bus of a cluster had used up at one moment.
struct Usage {
    at: Instant,
    cpu_s: f64,
    /// Bytes sent by each end of each bus connection.
    sent: BTreeMap<(u16, u16), u64>,
    messages: u64,
}

/// What one round gave, per node and second.
#[derive(Clone, Copy)]
struct Sample {
    cpu_us: f64,
    bytes: f64,
    messages: f64,
}

impl Cluster {
    fn start(spec: &Spec, count: usize, ports: &mut Ports) -> Result<Cluster> {
        let mut nodes = Vec::with_capacity(count);
        for _ in 0..count {
            nodes.push(spec.launch_at(ports.take()?)?);
        }
        let cluster = Cluster { name: spec.name, nodes };
        cluster.form()?;
        Ok(cluster)
    }

    /// Shares the slots out, has everybody meet the first node, and waits until all know all.
    fn form(&self) -> Result<()> {
        let count = self.nodes.len() as u64;
        for (i, node) in (0u64..).zip(&self.nodes) {
            let mut client = node.client()?;
            let (first, last) = (i * SLOTS / count, (i + 1) * SLOTS / count - 1);
            client.ask(&["CLUSTER", "SET-CONFIG-EPOCH", &(i + 1).to_string()])?;
            client.ask(&["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()])?;
            if i > 0 {
                let first_port = self.nodes[0].port.to_string();
                client.ask(&["CLUSTER", "MEET", "127.0.0.1", &first_port])?;
            }
        }
        let started = Instant::now();
        for node in &self.nodes {
            let mut client = node.client()?;
            while !is_formed(&mut client, self.nodes.len())? {
                if started.elapsed() > FORM_TIMEOUT {
                    return Err(format!("{}: the cluster does not form", self.name).into());
                }
                thread::sleep(Duration::from_millis(100));
            }
        }
        println!("{}: {} nodes formed after {:.1?}", self.name, count, started.elapsed());
        Ok(())
    }

    fn usage(&self) -> Result<Usage> {
        let mut usage = Usage {
            at: Instant::now(),
            cpu_s: 0.0,
            sent: bus_bytes_sent(&self.bus_ports())?,
            messages: 0,
        };
        for node in &self.nodes {
            usage.cpu_s += node.cpu_seconds()?;
            let info = node.client()?.ask(&["CLUSTER", "INFO"])?;
            usage.messages += field(&info, "cluster_stats_messages_sent").unwrap_or(0);
        }
        Ok(usage)
    }

    fn bus_ports(&self) -> HashSet<u16> {
        self.nodes.iter().map(|node| node.port + BUS_OFFSET).collect()
    }

    fn measure(&self, time: Duration) -> Result<Sample> {
        let before = self.usage()?;
        thread::sleep(time);
        let after = self.usage()?;
        let node_seconds = (after.at - before.at).as_secs_f64() * self.nodes.len() as f64;
        // A connection that began meanwhile counts in full; one that ended is no longer seen.
        let bytes: u64 = (after.sent.iter())
            .map(|(ends, &sent)| sent.saturating_sub(before.sent.get(ends).copied().unwrap_or(0)))
            .sum();
        Ok(Sample {
            cpu_us: (after.cpu_s - before.cpu_s) * 1e6 / node_seconds,
            bytes: bytes as f64 / node_seconds,
            messages: (after.messages - before.messages) as f64 / node_seconds,
        })
    }
}

fn is_formed(client: &mut Client, count: usize) -> Result<bool> {
    let info = client.ask(&["CLUSTER", "INFO"])?;
    let nodes = client.ask(&["CLUSTER", "NODES"])?;
    let connected = nodes.lines().filter(|line| line.contains(" connected")).count();
    Ok(info.contains("cluster_state:ok")
        && field(&info, "cluster_known_nodes") == Some(count as u64)
        && connected == count
        && !nodes.contains("handshake"))
}

/// A number in `name:value` lines.
fn field(info: &str, name: &str) -> Option<u64> {
    let value = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_string());
    info.lines().find_map(value)?.parse().ok()
}

/// What each end of each connection of the bus has sent, by its own port and the other's. Every
/// byte is counted once: at the end that sent it.
fn bus_bytes_sent(bus_ports: &HashSet<u16>) -> Result<BTreeMap<(u16, u16), u64>> {
    let output = Command::new("ss")
        .args(["--tcp", "--info", "--numeric", "--no-header", "--oneline", "state", "established"])
        .output()
        .map_err(|e| format!("ss: {e}; apt-get install iproute2"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let mut sent = BTreeMap::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let port = |at: usize| words.get(at)?.rsplit_once(':')?.1.parse::<u16>().ok();
        let (Some(own), Some(other)) = (port(2), port(3)) else { continue };
        if bus_ports.contains(&own) || bus_ports.contains(&other) {
            let bytes = words.iter().find_map(|word| word.strip_prefix("bytes_sent:"));
            sent.insert((own, other), bytes.map_or(Ok(0), str::parse)?);
        }
    }
    Ok(sent)
}

fn print_row(round: &str, name: &str, sample: Sample) {
    println!(
        "{round:<8} {name:<8} {:>14.0} {:>14.0} {:>14.2} {:>12.0}",
        sample.cpu_us,
        sample.bytes,
        sample.messages,
        sample.bytes / sample.messages.max(f64::MIN_POSITIVE),
    );
}

fn mean(samples: &[Sample]) -> Sample {
    let of =
        |part: fn(&Sample) -> f64| samples.iter().map(part).sum::<f64>() / samples.len() as f64;
    Sample { cpu_us: of(|s| s.cpu_us), bytes: of(|s| s.bytes), messages: of(|s| s.messages) }
}

fn main() -> Result<()> {
    let plan = Plan::from_arguments()?;
    let mut ports = Ports { next: FIRST_PORT };
    // Both are there all the time, so that both have the same neighbours.
    let mut clusters = Vec::new();
    for spec in &plan.specs {
        clusters.push(Cluster::start(spec, plan.nodes, &mut ports)?);
    }
    thread::sleep(SETTLE);
    println!(
        "\n{:<8} {:<8} {:>14} {:>14} {:>14} {:>12}",
        "round", "server", "CPU µs/node/s", "bus B/node/s", "messages/n/s", "B/message"
    );
    let mut samples = [Vec::new(), Vec::new()];
    for round in 1..=plan.rounds {
        for turn in 0..2 {
            let at = (round + turn) % 2;
            let sample = clusters[at].measure(Duration::from_secs(plan.seconds))?;
            print_row(&round.to_string(), clusters[at].name, sample);
            samples[at].push(sample);
        }
    }
    let [ours, theirs] = [mean(&samples[0]), mean(&samples[1])];
    print_row("mean", clusters[0].name, ours);
    print_row("mean", clusters[1].name, theirs);
    println!(
        "{:<8} {:<8} {:>14.3} {:>14.3} {:>14.3}",
        "ratio",
        "",
        ours.cpu_us / theirs.cpu_us,
        ours.bytes / theirs.bytes,
        ours.messages / theirs.messages
    );
    println!(
        "{} nodes each, idle, {} rounds of {} s; a ratio below 1 is less than the real server's.",
        plan.nodes, plan.rounds, plan.seconds
    );
    Ok(())
}
