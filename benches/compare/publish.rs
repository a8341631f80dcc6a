//! The load of messages that `compare` runs: one publisher, many subscribers, who read all they are
//! sent. What counts is the server's processor time per message that reached a subscriber.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Result, Server, encode};
use crate::loads::{self, Load, VALUE_BYTES};
use crate::{Plan, Sample, print_load, run_load};

const RECEIVERS: u64 = 100;
const CHANNEL: &str = "news";
/// How long the last messages may be on their way.
const PATIENCE: Duration = Duration::from_secs(60);

/// The subscribers of one server; they end with it.
struct Receivers {
    bytes: Arc<AtomicU64>,
}

impl Receivers {
    fn subscribe(server: &Server) -> Result<Self> {
        let bytes = Arc::new(AtomicU64::new(0));
        for _ in 0..RECEIVERS {
            let mut stream = TcpStream::connect(("127.0.0.1", server.port))?;
            let mut request = Vec::new();
            encode(&mut request, &["SUBSCRIBE", CHANNEL]);
            stream.write_all(&request)?;
            let mut confirmed = vec![0; frame("subscribe", &[]).len() + ":1\r\n".len()];
            stream.read_exact(&mut confirmed)?;
            let bytes = bytes.clone();
            thread::spawn(move || {
                let mut room = vec![0; 1 << 16];
                while let Ok(n @ 1..) = stream.read(&mut room) {
                    bytes.fetch_add(n as u64, Relaxed);
                }
            });
        }
        Ok(Receivers { bytes })
    }

    /// Waits until all have got so many messages.
    fn wait_for(&self, messages: u64) -> Result<()> {
        let length = frame("message", &["x".repeat(VALUE_BYTES)]).len() as u64;
        let expected = messages * RECEIVERS * length;
        let started = Instant::now();
        while self.bytes.load(Relaxed) < expected {
            if started.elapsed() > PATIENCE {
                return Err(format!("{CHANNEL}: messages are missing").into());
            }
            thread::sleep(Duration::from_micros(200));
        }
        self.bytes.store(0, Relaxed);
        Ok(())
    }
}

/// What a subscriber gets, but for the number at the end of a confirmation.
fn frame(kind: &str, message: &[String]) -> Vec<u8> {
    let mut words = vec![kind, CHANNEL];
    words.extend(message.iter().map(String::as_str));
    let mut bytes = Vec::new();
    encode(&mut bytes, &words);
    bytes
}

fn run(server: &Server, receivers: &Receivers, load: &Load, requests: u64) -> Result<Sample> {
    let (before, started) = (server.cpu_seconds()?, Instant::now());
    run_load(server, load, requests)?;
    receivers.wait_for(requests)?;
    let delivered = (requests * RECEIVERS) as f64;
    Ok(Sample {
        requests_per_s: delivered / started.elapsed().as_secs_f64(),
        cpu_us: (server.cpu_seconds()? - before) * 1e6 / delivered,
    })
}

/// Prints the rows that are wanted.
pub fn compare(plan: &Plan) -> Result<()> {
    let mut loads = [1, 16].map(|pipeline| loads::publish(pipeline, CHANNEL)).to_vec();
    loads.retain(|load| plan.wants(&load.name));
    if loads.is_empty() {
        return Ok(());
    }
    let servers = [plan.specs[0].start()?, plan.specs[1].start()?];
    let receivers = [Receivers::subscribe(&servers[0])?, Receivers::subscribe(&servers[1])?];
    println!(
        "\n{:<20} {:>11} {:>11} {:>7}   {:>9} {:>9} {:>7}",
        format!("to {RECEIVERS} clients"),
        "ours msg/s",
        "theirs",
        "ratio",
        "ours µs",
        "theirs",
        "ratio"
    );
    for load in &loads {
        let mut samples = [Vec::new(), Vec::new()];
        for round in 0..plan.rounds {
            for turn in 0..2 {
                let which = (round + turn) % 2;
                let requests = plan.requests(load);
                samples[which].push(run(&servers[which], &receivers[which], load, requests)?);
            }
        }
        print_load(&load.name, &samples);
    }
    println!("µs: processor time of the server per message and receiver.");
    Ok(())
}
