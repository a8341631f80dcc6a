//! The keyspace against a map, through random operations in both modes. Run under AddressSanitizer
//! this is what shows that no alias outlives its record.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::START_MS;
use crate::keyspace::*;
use crate::value::Value;

#[derive(Clone, Debug, PartialEq)]
struct Stored {
    value: Vec<u8>,
    expire_at: Option<i64>,
}

#[derive(Clone, Debug)]
enum Op {
    Set(u8, Vec<u8>, Option<i64>),
    SetKeep(u8, Vec<u8>),
    SetInt(u8, i64),
    Append(u8, Vec<u8>),
    Expire(u8, Option<i64>),
    Remove(u8),
    Rename(u8, u8),
    Read(u8),
    Wait(u16),
    ActiveExpire,
    Flush(bool),
    FlushSlot(u8),
    Swap,
}

fn some_op() -> impl Strategy<Value = Op> {
    let key = 0..40u8;
    let value = prop_oneof![
        Just(b"7".to_vec()),
        prop::collection::vec(any::<u8>(), 0..90),
        Just(vec![b'x'; 700]),
    ];
    let ttl = prop::option::of(1..400i64);
    prop_oneof![
        8 => (key.clone(), value.clone(), ttl.clone()).prop_map(|(k, v, t)| Op::Set(k, v, t)),
        2 => (key.clone(), value.clone()).prop_map(|(k, v)| Op::SetKeep(k, v)),
        2 => (key.clone(), any::<i64>()).prop_map(|(k, n)| Op::SetInt(k, n)),
        3 => (key.clone(), value).prop_map(|(k, v)| Op::Append(k, v)),
        4 => (key.clone(), ttl).prop_map(|(k, t)| Op::Expire(k, t)),
        3 => key.clone().prop_map(Op::Remove),
        3 => (key.clone(), key.clone()).prop_map(|(a, b)| Op::Rename(a, b)),
        2 => key.clone().prop_map(Op::Read),
        2 => (0..200u16).prop_map(Op::Wait),
        1 => Just(Op::ActiveExpire),
        1 => prop::bool::weighted(0.2).prop_map(Op::Flush),
        1 => key.prop_map(Op::FlushSlot),
        1 => Just(Op::Swap),
    ]
}

/// A keyspace of two databases beside what database 0 must hold.
struct Pair {
    keyspace: Keyspace,
    now: i64,
    dbs: [BTreeMap<Vec<u8>, Stored>; 2],
}

fn name(key: u8) -> Vec<u8> {
    let tag = key % 5;
    format!("{{{tag}}}{}", "k".repeat(usize::from(key) * 20 + 1)).into_bytes()
}

impl Pair {
    fn new(cluster: bool) -> Self {
        let mut keyspace = Keyspace::new(2, cluster);
        keyspace.seed(3);
        keyspace.set_now(START_MS);
        Pair { keyspace, now: START_MS as i64, dbs: Default::default() }
    }

    /// The model's key, removed if its time is over, as every lookup does.
    fn live(&mut self, key: &[u8]) -> Option<&mut Stored> {
        if self.dbs[0].get(key).is_some_and(|s| s.expire_at.is_some_and(|at| self.now > at)) {
            self.dbs[0].remove(key);
        }
        self.dbs[0].get_mut(key)
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Set(key, value, ttl) => {
                let bytes = name(key);
                let expire_at = ttl.map(|ttl| self.now + ttl);
                let expiry = expire_at.map_or(Expiry::None, Expiry::At);
                self.set(&bytes, value, expiry);
            }
            Op::SetKeep(key, value) => self.set(&name(key), value, Expiry::Keep),
            Op::SetInt(key, n) => self.set_int(&name(key), n),
            Op::Append(key, more) => self.append(&name(key), &more),
            Op::Expire(key, ttl) => self.expire(&name(key), ttl.map(|ttl| self.now + ttl)),
            Op::Remove(key) => {
                let bytes = name(key);
                let expected = self.live(&bytes).is_some();
                let key = self.keyspace.key(&bytes);
                assert_eq!(self.keyspace.remove(0, &key, Free::Lazily), expected);
                self.dbs[0].remove(&bytes);
            }
            Op::Rename(from, to) => self.rename(&name(from), &name(to)),
            Op::Read(key) => {
                let bytes = name(key);
                let expected = self.live(&bytes).map(|stored| stored.value.clone());
                let key = self.keyspace.key(&bytes);
                let found = self.keyspace.lookup_read(0, &key).map(|record| stored(record).value);
                assert_eq!(found, expected);
            }
            Op::Wait(ms) => {
                self.now += i64::from(ms);
                self.keyspace.set_now(self.now as u64);
            }
            Op::ActiveExpire => {
                let effort = expiry::ExpireEffort::new(10);
                (0..3).for_each(|_| {
                    self.keyspace.expire_cycle(effort, 10, || 0);
                });
                // Which ones went is up to the cycle, so long as they were due.
                self.forget_removed();
            }
            Op::Flush(all) => {
                if all {
                    self.keyspace.flush(None, Free::Lazily);
                    self.dbs = Default::default();
                }
            }
            Op::FlushSlot(key) => {
                if self.keyspace.is_cluster() {
                    let slot = Slot::of_key(&name(key));
                    let before = self.dbs[0].len();
                    self.dbs[0].retain(|key, _| Slot::of_key(key) != slot);
                    let flushed = self.keyspace.flush_slot(0, slot, Free::Now);
                    assert_eq!(flushed, before - self.dbs[0].len());
                }
            }
            Op::Swap => {
                self.keyspace.swap(0, 1);
                self.dbs.swap(0, 1);
            }
        }
    }

    fn set(&mut self, bytes: &[u8], value: Vec<u8>, expiry: Expiry) {
        let before = self.live(bytes).map(|stored| stored.expire_at);
        let key = self.keyspace.key(bytes);
        let existed = self.keyspace.set(0, &key, NewValue::from_bytes(&value), expiry);
        assert_eq!(existed, before.is_some());
        let expire_at = match expiry {
            Expiry::Keep => before.flatten(),
            Expiry::None => None,
            Expiry::At(at) => Some(at),
        };
        self.dbs[0].insert(bytes.to_vec(), Stored { value, expire_at });
    }

    fn set_int(&mut self, bytes: &[u8], n: i64) {
        let value = n.to_string().into_bytes();
        match self.live(bytes) {
            Some(stored) => stored.value = value,
            None => return self.set(bytes, value, Expiry::Keep),
        }
        let key = self.keyspace.key(bytes);
        self.keyspace.lookup_write(0, &key).unwrap().set_int(n);
    }

    fn append(&mut self, bytes: &[u8], more: &[u8]) {
        let expected = self.live(bytes).map(|stored| stored.value.extend_from_slice(more));
        let key = self.keyspace.key(bytes);
        let found = self.keyspace.lookup_write(0, &key).is_some();
        assert_eq!(found, expected.is_some());
        if let Some(value) = self.keyspace.string_mut(0, &key) {
            value.extend_from_slice(more);
        }
    }

    fn expire(&mut self, bytes: &[u8], expire_at: Option<i64>) {
        let expected = self.live(bytes).map(|stored| stored.expire_at = expire_at);
        let key = self.keyspace.key(bytes);
        self.keyspace.lookup_write(0, &key);
        assert_eq!(self.keyspace.set_expire(0, &key, expire_at), expected.is_some());
    }

    fn rename(&mut self, from: &[u8], to: &[u8]) {
        self.live(from);
        let (from_key, to_key) = (self.keyspace.key(from), self.keyspace.key(to));
        let taken = self.keyspace.take(0, &from_key);
        let expected = self.dbs[0].remove(from);
        assert_eq!(taken.is_some(), expected.is_some());
        if let (Some(record), Some(expected)) = (taken, expected) {
            self.keyspace.insert_record(0, &to_key, record.renamed(to));
            self.dbs[0].insert(to.to_vec(), expected);
        }
    }

    fn forget_removed(&mut self) {
        let Pair { keyspace, dbs, now } = self;
        for (db, model) in dbs.iter_mut().enumerate() {
            model.retain(|bytes, stored| {
                let stays = keyspace.peek_stored(db, &keyspace.key(bytes)).is_some();
                assert!(stays || stored.expire_at.is_some_and(|at| *now > at));
                stays
            });
        }
    }

    /// Both tables of every slot, the counts and the random choice agree with the model.
    fn check(&mut self) {
        for (db, model) in self.dbs.iter().enumerate() {
            let expiring = model.values().filter(|s| s.expire_at.is_some()).count();
            assert_eq!(self.keyspace.dbsize(db), model.len());
            assert_eq!(self.keyspace.expires_len(db), expiring);
            for (of, expected) in [(Of::Keys, model.len()), (Of::Expires, expiring)] {
                let mut seen = 0;
                let mut cursor = 0;
                loop {
                    cursor = self.keyspace.dbs[db].scan_bucket(of, cursor, |record| {
                        seen += 1;
                        assert_eq!(model.get(record.key()), Some(&stored(record)));
                    });
                    if cursor == 0 {
                        break;
                    }
                }
                assert_eq!(seen, expected);
                let random = self.keyspace.dbs[db].random(of, &mut self.keyspace.rng);
                assert_eq!(random.is_some(), expected > 0);
            }
        }
    }
}

fn stored(record: &Record) -> Stored {
    let value = record.value().string(&mut itoa::Buffer::new()).unwrap().to_vec();
    Stored { value, expire_at: record.expire_at() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn behaves_as_the_model(
        cluster in any::<bool>(),
        ops in prop::collection::vec(some_op(), 0..150),
    ) {
        let mut pair = Pair::new(cluster);
        for op in ops {
            pair.apply(op);
            pair.check();
        }
    }
}

#[test]
fn a_long_value_is_the_same_in_both() {
    let mut pair = Pair::new(false);
    let key = pair.keyspace.key(b"k");
    pair.keyspace.insert(0, &key, NewValue::Owned(Value::String(vec![1; 5000])), None);
    let value = vec![1; 5000];
    pair.dbs[0].insert(b"k".to_vec(), Stored { value, expire_at: None });
    pair.check();
}
