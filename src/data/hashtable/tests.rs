//! The table against a model, its promises on memory, scanning and fairness, and its ownership.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

use proptest::prelude::*;

use super::{Entry, Lookup, Table};
use crate::base::hash::hash;
use crate::base::rng::Rng;

/// An owning entry: key, value, and a count of those alive.
struct Owned(Box<Record>);

struct Record {
    key: Vec<u8>,
    value: u32,
    alive: Rc<Cell<isize>>,
}

impl Entry for Owned {
    fn key(&self) -> &[u8] {
        &self.0.key
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        self.alive.set(self.alive.get() - 1);
    }
}

/// An entry that is its own key, for tests of big tables.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(align(8))]
struct Number([u8; 8]);

impl Entry for Number {
    fn key(&self) -> &[u8] {
        &self.0
    }
}

fn number(n: usize) -> Number {
    Number((n as u64).to_le_bytes())
}

fn numbers(range: std::ops::Range<usize>) -> Table<Number> {
    let mut table = Table::new();
    range.for_each(|n| add(&mut table, n));
    table
}

fn add(table: &mut Table<Number>, n: usize) {
    table.insert(hash(&number(n).0), number(n));
}

fn has(table: &Table<Number>, n: usize) -> bool {
    table.get(hash(&number(n).0), &number(n).0) == Some(&number(n))
}

fn del(table: &mut Table<Number>, n: usize) -> bool {
    table.remove(hash(&number(n).0), &number(n).0).is_some()
}

/// The table and what it should hold.
struct Pair {
    table: Table<Owned>,
    model: HashMap<Vec<u8>, u32>,
    alive: Rc<Cell<isize>>,
    next_value: u32,
}

impl Pair {
    fn new() -> Self {
        let alive = Rc::new(Cell::new(0));
        Pair { table: Table::new(), model: HashMap::new(), alive, next_value: 0 }
    }

    fn entry(&mut self, key: &[u8]) -> Owned {
        self.alive.set(self.alive.get() + 1);
        self.next_value += 1;
        let (key, value) = (key.to_vec(), self.next_value);
        Owned(Box::new(Record { key, value, alive: self.alive.clone() }))
    }

    /// Inserts, or replaces in one of the ways there are.
    fn set(&mut self, key: &[u8]) {
        let entry = self.entry(key);
        let value = entry.0.value;
        let before = match self.table.lookup(hash(key), key) {
            Lookup::Found(found) if value.is_multiple_of(2) => Some(found.replace(entry).0.value),
            Lookup::Found(found) => {
                let place = found.into_mut();
                Some(std::mem::replace(place, entry).0.value)
            }
            Lookup::Vacant(vacant) => {
                vacant.insert(entry);
                None
            }
        };
        assert_eq!(before, self.model.insert(key.to_vec(), value));
        self.check(key);
    }

    fn remove(&mut self, key: &[u8]) {
        let removed = if self.next_value.is_multiple_of(2) {
            self.table.remove(hash(key), key)
        } else {
            match self.table.lookup(hash(key), key) {
                Lookup::Found(found) => Some(found.remove()),
                Lookup::Vacant(_) => None,
            }
        };
        assert_eq!(removed.map(|e| e.0.value), self.model.remove(key));
        self.check(key);
    }

    fn check(&mut self, key: &[u8]) {
        self.table.prefetch_bucket(hash(key));
        self.table.prefetch_entry(hash(key));
        let expected = self.model.get(key).copied();
        assert_eq!(self.table.get(hash(key), key).map(|e| e.0.value), expected);
        assert_eq!(self.table.get_mut(hash(key), key).map(|e| e.0.value), expected);
        assert_eq!(self.table.contains(hash(key), key), expected.is_some());
        assert_eq!(self.table.len(), self.model.len());
        assert_eq!(self.alive.get(), self.model.len() as isize);
    }

    /// Everything by every way through the table.
    fn check_all(&mut self) {
        let pairs = |e: &Owned| (e.0.key.clone(), e.0.value);
        assert_eq!(self.table.iter().len(), self.model.len());
        assert_eq!(self.table.iter().map(pairs).collect::<HashMap<_, _>>(), self.model);
        let mut scanned = Vec::new();
        let mut cursor = 0;
        loop {
            cursor = self.table.scan(cursor, |e| scanned.push(pairs(e)));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(scanned.len(), self.model.len(), "a table at rest yields each entry once");
        assert_eq!(scanned.into_iter().collect::<HashMap<_, _>>(), self.model);
        for (key, value) in &self.model {
            assert_eq!(self.table.get(hash(key), key).map(|e| e.0.value), Some(*value));
        }
        let stats = self.table.stats();
        assert_eq!(stats.entries, self.model.len());
        assert_eq!(stats.chains.iter().sum::<usize>(), stats.buckets);
        let nodes: usize = (8..32).map(|n| stats.chains[n] * ((n - 5) / 3)).sum();
        assert!(stats.chain_max < 31 && stats.overflow_nodes == nodes, "{stats:?}");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Set(u16),
    Remove(u16),
    SetRun(u16, u16),
    RemoveRun(u16, u16),
    ShrinkStep(u8),
    Drain(u8),
    Clear,
}

fn op(keys: u16) -> impl Strategy<Value = Op> {
    prop_oneof![
        30 => (0..keys).prop_map(Op::Set),
        30 => (0..keys).prop_map(Op::Remove),
        10 => (0..keys, 0..keys).prop_map(|(a, b)| Op::SetRun(a, b)),
        8 => (0..keys, 0..keys).prop_map(|(a, b)| Op::RemoveRun(a, b)),
        3 => any::<u8>().prop_map(Op::ShrinkStep),
        1 => any::<u8>().prop_map(Op::Drain),
        1 => Just(Op::Clear),
    ]
}

fn key(n: u16) -> Vec<u8> {
    format!("key:{n}").into_bytes()
}

impl Pair {
    fn apply(&mut self, op: &Op) {
        match *op {
            Op::Set(n) => self.set(&key(n)),
            Op::Remove(n) => self.remove(&key(n)),
            Op::SetRun(from, count) => {
                (from..from.saturating_add(count)).for_each(|n| self.set(&key(n)))
            }
            Op::RemoveRun(from, count) => {
                (from..from.saturating_add(count)).for_each(|n| self.remove(&key(n)));
            }
            Op::ShrinkStep(buckets) => {
                self.table.shrink_step(usize::from(buckets));
            }
            Op::Drain(count) => {
                let model = &mut self.model;
                let left = self.table.drain_step(usize::from(count), |e| {
                    assert_eq!(model.remove(e.key()), Some(e.0.value));
                });
                assert!(left || self.model.is_empty());
            }
            Op::Clear => {
                self.table.clear();
                self.model.clear();
                assert_eq!(self.table.heap_bytes(), 0);
            }
        }
        self.check(&key(0));
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn behaves_as_a_map_when_small(ops in prop::collection::vec(op(40), 1..60)) {
        let mut pair = Pair::new();
        for op in &ops {
            pair.apply(op);
            pair.check_all();
        }
        let alive = pair.alive.clone();
        drop(pair);
        prop_assert_eq!(alive.get(), 0);
    }

    #[test]
    fn behaves_as_a_map_when_larger(ops in prop::collection::vec(op(2000), 1..40)) {
        let mut pair = Pair::new();
        ops.iter().for_each(|op| pair.apply(op));
        pair.check_all();
        let alive = pair.alive.clone();
        drop(pair);
        prop_assert_eq!(alive.get(), 0);
    }
}

#[test]
fn grows_to_100k_and_shrinks_to_nothing() {
    let mut pair = Pair::new();
    let keys: Vec<Vec<u8>> = (0..100_000).map(|n| format!("k{n}").into_bytes()).collect();
    keys.iter().for_each(|key| pair.set(key));
    pair.check_all();
    let mut rng = Rng::seeded(1);
    let mut order: Vec<usize> = (0..keys.len()).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, rng.below(i as u64 + 1) as usize);
    }
    for (done, index) in order.into_iter().enumerate() {
        pair.remove(&keys[index]);
        if done % 20_000 == 0 {
            pair.check_all();
        }
    }
    assert_eq!(pair.table.heap_bytes(), 0);
    assert_eq!(pair.alive.get(), 0);
}

#[test]
fn drops_what_it_holds() {
    let mut pair = Pair::new();
    (0..3000u16).for_each(|n| pair.set(&key(n)));
    let alive = pair.alive.clone();
    let taken = std::mem::take(&mut pair.table);
    assert_eq!(alive.get(), 3000);
    drop(taken);
    assert_eq!(alive.get(), 0);
}

#[test]
fn tables_of_sendable_entries_may_be_dropped_elsewhere() {
    let table = numbers(0..10_000);
    std::thread::spawn(move || drop(table)).join().expect("no panic");
}

/// Bytes per entry must not exceed `limit` at this size.
fn check_memory(table: &Table<Number>, limit: f64, worst: &mut f64) {
    let each = table.heap_bytes() as f64 / table.len() as f64;
    *worst = worst.max(each);
    assert!(each <= limit, "{each:.2} bytes per entry with {} entries", table.len());
}

#[test]
fn memory_per_entry_is_bounded_at_every_size() {
    let mut table = Table::new();
    let (mut small, mut large) = (0.0, 0.0);
    for n in 0..1_000_000 {
        add(&mut table, n);
        match n {
            ..1_000 => {}
            1_000..10_000 => check_memory(&table, 15.0, &mut small),
            10_000..50_000 => check_memory(&table, 13.3, &mut small),
            _ => check_memory(&table, 12.6, &mut large),
        }
    }
    let (mut small_down, mut large_down) = (0.0, 0.0);
    for n in (0..1_000_000).rev() {
        assert!(del(&mut table, n));
        match n {
            ..10_000 => {}
            10_000..50_000 => check_memory(&table, 13.3, &mut small_down),
            _ => check_memory(&table, 13.0, &mut large_down),
        }
    }
    assert_eq!(table.heap_bytes(), 0);
    println!("worst, growing: {small:.2} {large:.2}; shrinking: {small_down:.2} {large_down:.2}");
}

#[test]
fn small_tables_are_small() {
    assert_eq!(Table::<Number>::new().heap_bytes(), 0);
    let mut table = numbers(0..1);
    assert!(table.heap_bytes() <= 100);
    (1..7).for_each(|n| add(&mut table, n));
    assert_eq!(table.heap_bytes(), 64);
    (7..60).for_each(|n| add(&mut table, n));
    assert!(table.heap_bytes() <= 60 * 15, "{}", table.heap_bytes());
    (1..60).for_each(|n| assert!(del(&mut table, n)));
    assert_eq!(table.heap_bytes(), 64);
    assert!(del(&mut table, 0));
    assert_eq!(table.heap_bytes(), 0);
}

#[test]
fn prepared_capacity_is_bounded_and_given_back() {
    let mut table = Table::<Number>::with_capacity(usize::MAX);
    assert!(table.heap_bytes() < 16 << 20);
    (0..100).for_each(|n| add(&mut table, n));
    let mut rng = Rng::seeded(3);
    assert!(table.random(&mut rng).is_some());
    while table.shrink_step(1000) {}
    assert!(table.heap_bytes() < 100 * 18);
    assert!((0..100).all(|n| has(&table, n)));
    assert_eq!(Table::<Number>::with_capacity(0).heap_bytes(), 0);
}

#[test]
fn chains_stay_short() {
    for entries in [100, 5_000, 53_000, 100_000] {
        let stats = numbers(0..entries).stats();
        assert!(stats.chain_max <= 34, "{stats:?}");
    }
}

/// Scans while `churn` changes the table between steps; everything in `stable` must be seen.
fn scan_under(table: &mut Table<Number>, stable: usize, mut churn: impl FnMut(&mut Table<Number>)) {
    let mut seen = HashSet::new();
    let (mut cursor, mut steps) = (0, 0);
    loop {
        cursor = table.scan(cursor, |e| {
            seen.insert(*e);
        });
        steps += 1;
        assert!(steps < 100_000, "a scan ends");
        assert!(cursor < 1 << 48);
        if cursor == 0 {
            break;
        }
        churn(table);
    }
    assert!((0..stable).all(|n| seen.contains(&number(n))));
}

#[test]
fn a_scan_misses_nothing_while_the_table_grows_and_shrinks() {
    for seed in 0..60 {
        let mut rng = Rng::seeded(seed);
        let stable = [1, 20, 300, 2000][seed as usize % 4];
        let start = stable + rng.below(20_000) as usize;
        let mut table = numbers(0..start);
        let mut end = start;
        let mut growing = seed % 3 == 0;
        scan_under(&mut table, stable, |table| {
            if rng.below(50) == 0 {
                growing = !growing;
            }
            let many = rng.below(400) as usize;
            if growing {
                (end..(end + many).min(40_000)).for_each(|n| add(table, n));
                end = end.max((end + many).min(40_000));
            } else {
                let low = end.saturating_sub(many).max(stable);
                (low..end).for_each(|n| assert!(del(table, n)));
                end = low;
            }
        });
    }
}

#[test]
fn any_cursor_is_taken() {
    let table = numbers(0..5000);
    let mut rng = Rng::seeded(9);
    for cursor in [1, 4095, 1 << 20, u64::MAX, u64::MAX - 1, 1 << 63] {
        assert!(table.scan(cursor, |_| {}) < 1 << 48);
        assert!(table.scan(rng.next_u64(), |_| {}) < 1 << 48);
    }
    assert_eq!(Table::<Number>::new().scan(77, |_| unreachable!("no entries")), 0);
}

#[test]
fn random_is_fair() {
    let mut rng = Rng::seeded(11);
    // Sizes in the middle and at the ends of rounds of splitting.
    for entries in [1usize, 6, 9, 40, 150, 417, 700] {
        let table = numbers(0..entries);
        let draws = entries * 400;
        let mut counts = HashMap::new();
        for _ in 0..draws {
            *counts.entry(*table.random(&mut rng).expect("an entry")).or_insert(0usize) += 1;
        }
        let expected = 400.0;
        let deviation = |n| {
            let count = counts.get(&number(n)).copied().unwrap_or(0) as f64;
            (count - expected) * (count - expected) / expected
        };
        let chi_square: f64 = (0..entries).map(deviation).sum();
        let freedom = entries as f64 - 1.0;
        let limit = freedom + 5.0 * (2.0 * freedom).sqrt() + 1.0;
        assert!(chi_square <= limit, "{entries} entries: {chi_square:.0}, limit {limit:.0}");
    }
    assert!(Table::<Number>::new().random(&mut rng).is_none());
}

#[test]
fn sampling_reaches_everything() {
    let mut rng = Rng::seeded(12);
    let table = numbers(0..1000);
    let mut seen = HashSet::new();
    for _ in 0..4000 {
        let mut count = 0;
        table.sample(&mut rng, 5, |e| {
            seen.insert(*e);
            count += 1;
        });
        assert_eq!(count, 5);
    }
    assert!(seen.len() > 990, "{}", seen.len());
    let few = numbers(0..3);
    let mut all = HashSet::new();
    few.sample(&mut rng, 10, |e| assert!(all.insert(*e), "each once"));
    assert_eq!(all.len(), 3);
}
