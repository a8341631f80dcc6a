//! Time per command of the string path without sockets: resolve, gates, handler, reply. The input
//! is parsed already, as a pipeline's batch is.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_rust::Config;
use redis_rust::core::client::ClientFlags;
use redis_rust::core::{Client, Core, Now};
use redis_rust::dispatch::execute::{prepare, process};
use redis_rust::dispatch::{Around, Table};
use redis_rust::resp::OwnedArgs;

const KEYS: usize = 100_000;
const BATCH: usize = 16;

/// A node's core with one client, and requests to run on it.
struct Bench {
    core: Core,
    client: Box<Client>,
    table: &'static Table,
}

impl Bench {
    fn new() -> Self {
        let config = Config::default();
        let table = redis_rust::commands::table(&config).expect("the table builds");
        let now = Now { unix_us: 1_700_000_000_000_000 };
        let mut core = Core::new(config, table.full_names(), now);
        let token = core.clients.add(now.ms());
        let mut client = core.clients.take(token).expect("just added");
        client.flags |= ClientFlags::AUTHENTICATED;
        Bench { core, client, table }
    }

    /// One batch as the node runs it: prepared first, then executed in order.
    fn run(&mut self, requests: &[OwnedArgs]) {
        let prepared: Vec<_> = requests
            .iter()
            .map(|request| prepare(&self.core, self.table, request.args()))
            .inspect(|request| {
                if let Some((_, key)) = &request.key {
                    self.core.keyspace.prefetch_bucket(0, key);
                }
            })
            .collect();
        for request in &prepared {
            if let Some((_, key)) = &request.key {
                self.core.keyspace.prefetch_record(0, key);
            }
        }
        for request in &prepared {
            process(&mut self.core, &mut self.client, &mut Around::only(self.table), request);
        }
        black_box(self.client.reply.output.pending());
        self.client.reply.output.clear();
    }
}

fn request(words: &[&str]) -> OwnedArgs {
    OwnedArgs::from_parts(words.iter().map(|word| word.as_bytes()))
}

/// Requests for keys all over the keyspace, in an order that no cache foresees.
fn batches(make: impl Fn(&str) -> OwnedArgs) -> Vec<Vec<OwnedArgs>> {
    let key = |n: usize| format!("key:{:012}", n.wrapping_mul(48_271) % KEYS);
    (0..KEYS / BATCH)
        .map(|batch| (0..BATCH).map(|i| make(&key(batch * BATCH + i))).collect())
        .collect()
}

fn strings(c: &mut Criterion) {
    let value = "v".repeat(64);
    let loads = [
        ("set of 64 bytes", batches(|key| request(&["SET", key, &value]))),
        ("get of 64 bytes", batches(|key| request(&["GET", key]))),
        ("set with expiry", batches(|key| request(&["SET", key, &value, "EX", "1000"]))),
        ("incr", batches(|key| request(&["INCR", &format!("n{key}")]))),
        ("append", batches(|key| request(&["APPEND", key, "x"]))),
    ];
    let mut bench = Bench::new();
    loads[0].1.iter().for_each(|batch| bench.run(batch));
    let mut group = c.benchmark_group("strings");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, requests) in &loads {
        let mut next = requests.iter().cycle();
        group.bench_function(*name, |b| {
            b.iter(|| bench.run(next.next().expect("a cycle has no end")));
        });
    }
    group.finish();
}

criterion_group!(benches, strings);
criterion_main!(benches);
