//! The hash table with records that are allocated one by one, as keys are: found, not found,
//! inserted, removed, drawn at random. 100,000 entries stay in the cache, 5,000,000 do not.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{
    BenchmarkGroup, Criterion, criterion_group, criterion_main, measurement::WallTime,
};
use redis_rust::base::{hash::hash, rng::Rng};
use redis_rust::data::hashtable::{Entry, Table};

/// Lookups drawn ahead, so that a benchmark reads them in sequence.
const QUERIES: usize = 1 << 20;
/// Lookups prefetched together, as a pipeline does.
const BATCH: usize = 16;

struct Record {
    key: [u8; 16],
    _value: u64,
}

struct Owned(Box<Record>);

impl Entry for Owned {
    #[inline]
    fn key(&self) -> &[u8] {
        &self.0.key
    }
}

fn key(n: u64) -> [u8; 16] {
    let mut key = *b"key:000000000000";
    let mut rest = n;
    for digit in key[4..].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    key
}

fn records(entries: u64) -> Vec<(u64, Owned)> {
    let record = |n| {
        let key = key(n);
        (hash(&key), Owned(Box::new(Record { key, _value: n })))
    };
    (0..entries).map(record).collect()
}

fn fill(table: &mut Table<Owned>, records: Vec<(u64, Owned)>) {
    for (hash, entry) in records {
        table.insert(hash, entry);
    }
}

/// Lookups of random keys in `from..from + count`.
fn queries(from: u64, count: u64) -> Vec<(u64, [u8; 16])> {
    let mut rng = Rng::seeded(1);
    let query = |_| {
        let key = key(from + rng.below(count));
        (hash(&key), key)
    };
    (0..QUERIES).map(query).collect()
}

fn lookups(group: &mut BenchmarkGroup<WallTime>, table: &Table<Owned>, entries: u64) {
    for (name, from) in [("get hit", 0), ("get miss", entries)] {
        let queries = queries(from, entries);
        let mut at = 0;
        group.bench_function(name, |b| {
            b.iter(|| {
                at = (at + 1) % QUERIES;
                let (hash, key) = &queries[at];
                black_box(table.get(*hash, key).is_some())
            });
        });
    }
    let queries = queries(0, entries);
    let mut at = 0;
    group.bench_function("get 16 hits, prefetched", |b| {
        b.iter(|| {
            at = (at + BATCH) % QUERIES;
            let batch = &queries[at..at + BATCH];
            batch.iter().for_each(|(hash, _)| table.prefetch_bucket(*hash));
            batch.iter().for_each(|(hash, _)| table.prefetch_entry(*hash));
            batch.iter().filter(|(hash, key)| table.get(*hash, key).is_some()).count()
        });
    });
    let mut rng = Rng::seeded(2);
    group.bench_function("random", |b| b.iter(|| table.random(&mut rng).is_some()));
    group.bench_function("sample 5", |b| {
        b.iter(|| {
            let mut bytes = 0;
            table.sample(&mut rng, 5, |e| bytes += e.key().len());
            bytes
        });
    });
}

fn changes(group: &mut BenchmarkGroup<WallTime>, mut table: Table<Owned>, entries: u64) {
    let queries = queries(0, entries);
    let mut at = 0;
    group.bench_function("remove and insert", |b| {
        b.iter(|| {
            at = (at + 1) % QUERIES;
            let (hash, key) = &queries[at];
            if let Some(entry) = table.remove(*hash, key) {
                table.insert(*hash, entry);
            }
        });
    });
    drop(table);
    group.bench_function("insert, growing from nothing", |b| {
        b.iter_custom(|iterations| {
            let records = records(entries);
            let mut table = Table::new();
            let start = Instant::now();
            fill(&mut table, records);
            per_entry(start.elapsed(), entries, iterations)
        });
    });
    group.bench_function("remove, shrinking to nothing", |b| {
        b.iter_custom(|iterations| {
            let mut table = Table::new();
            fill(&mut table, records(entries));
            let keys: Vec<_> = (0..entries).map(key).map(|key| (hash(&key), key)).collect();
            let mut removed = Vec::with_capacity(keys.len());
            let start = Instant::now();
            removed.extend(keys.iter().filter_map(|(hash, key)| table.remove(*hash, key)));
            per_entry(start.elapsed(), entries, iterations)
        });
    });
}

/// What `iterations` would have taken at the pace of `entries` in `elapsed`.
fn per_entry(elapsed: Duration, entries: u64, iterations: u64) -> Duration {
    elapsed.mul_f64(iterations as f64 / entries as f64)
}

fn table(c: &mut Criterion) {
    for entries in [100_000, 5_000_000] {
        let mut group = c.benchmark_group(format!("table of {entries}"));
        group.sample_size(10).measurement_time(Duration::from_secs(1));
        group.warm_up_time(Duration::from_millis(300));
        let mut table = Table::new();
        fill(&mut table, records(entries));
        println!("{:.2} bytes per entry", table.heap_bytes() as f64 / entries as f64);
        lookups(&mut group, &table, entries);
        changes(&mut group, table, entries);
    }
}

criterion_group!(benches, table);
criterion_main!(benches);
