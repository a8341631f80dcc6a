//! Eviction by every policy, with used memory as the tests say it is.

use crate::base::limits::FREE_NOW_BYTES_MAX;
use std::collections::BTreeSet;

use super::*;
use crate::keyspace::eviction::{Among, Evicted, EvictionConfig, EvictionPolicy};

const KEYS: usize = 2000;
const LIMIT: usize = 1 << 20;

fn config(policy: EvictionPolicy) -> EvictionConfig {
    EvictionConfig { maxmemory: LIMIT, policy, samples: 10, tenacity: 100 }
}

fn evict(keyspace: &mut Keyspace, policy: EvictionPolicy, excess: usize) -> Evicted {
    keyspace.perform_evictions(&config(policy), LIMIT + excess, || 0)
}

/// Keys of 48 bytes each: even ones expire, the later the higher their number.
fn filled(mut keyspace: Keyspace) -> Keyspace {
    for i in 0..KEYS {
        let expiry = if i % 2 == 0 { after(1_000_000 + i as i64) } else { Expiry::None };
        set(&mut keyspace, &format!("key{i:04}"), "0123456789abcdefgh", expiry);
    }
    keyspace
}

fn left(keyspace: &Keyspace) -> BTreeSet<usize> {
    let number = |record: &Record| String::from_utf8_lossy(&record.key()[3..]).parse().unwrap();
    keyspace.iter(0).map(number).collect()
}

fn touch(keyspace: &mut Keyspace, numbers: impl Iterator<Item = usize>) {
    for i in numbers {
        get(keyspace, &format!("key{i:04}"));
    }
}

#[test]
fn below_the_limit_and_without_one_nothing_happens() {
    let mut keyspace = filled(standalone());
    let policy = EvictionPolicy::Random(Among::AllKeys);
    assert_eq!(keyspace.perform_evictions(&config(policy), LIMIT, || 0), Evicted::Enough);
    let unlimited = EvictionConfig { maxmemory: 0, ..config(policy) };
    assert_eq!(keyspace.perform_evictions(&unlimited, LIMIT * 9, || 0), Evicted::Enough);
    assert_eq!((keyspace.dbsize(0), keyspace.stats().evicted_keys), (KEYS, 0));
}

#[test]
fn the_least_recently_used_go_first() {
    for keyspace in [standalone(), cluster()] {
        let mut keyspace = filled(keyspace);
        keyspace.set_now(START_MS + 60_000);
        touch(&mut keyspace, (0..KEYS).filter(|i| i % 4 < 2));
        assert_eq!(
            evict(&mut keyspace, EvictionPolicy::Lru(Among::AllKeys), 500 * 48),
            Evicted::Enough
        );
        let left = left(&keyspace);
        assert!((KEYS - 510..=KEYS - 480).contains(&left.len()), "{}", left.len());
        let touched = left.iter().filter(|&i| i % 4 < 2).count();
        assert!(touched >= KEYS / 2 - 10, "{touched}");
        assert_eq!(keyspace.stats().evicted_keys as usize, KEYS - left.len());
    }
}

#[test]
fn the_least_frequently_used_go_first() {
    let mut keyspace = standalone();
    keyspace.set_access_mode(AccessMode::Lfu { log_factor: 1, decay_minutes: 1 });
    let mut keyspace = filled(keyspace);
    for _ in 0..40 {
        touch(&mut keyspace, 0..KEYS / 2);
    }
    evict(&mut keyspace, EvictionPolicy::Lfu(Among::AllKeys), 500 * 48);
    let often = left(&keyspace).iter().filter(|&&i| i < KEYS / 2).count();
    assert!(often >= KEYS / 2 - 10, "{often}");
}

#[test]
fn volatile_policies_spare_keys_without_expiry() {
    for policy in [
        EvictionPolicy::Lru(Among::Volatile),
        EvictionPolicy::Lfu(Among::Volatile),
        EvictionPolicy::Random(Among::Volatile),
        EvictionPolicy::VolatileTtl,
    ] {
        for keyspace in [standalone(), cluster()] {
            let mut keyspace = filled(keyspace);
            assert_eq!(evict(&mut keyspace, policy, LIMIT), Evicted::Failed);
            assert_eq!((keyspace.dbsize(0), keyspace.expires_len(0)), (KEYS / 2, 0));
        }
    }
}

#[test]
fn what_expires_next_goes_first() {
    let mut keyspace = filled(standalone());
    evict(&mut keyspace, EvictionPolicy::VolatileTtl, 250 * 64);
    let left = left(&keyspace);
    let gone: Vec<usize> = (0..KEYS).filter(|i| !left.contains(i)).collect();
    assert!(gone.len() > 200 && gone.iter().all(|i| i % 2 == 0));
    let early = gone.iter().filter(|&&i| i < KEYS / 2).count();
    assert!(early * 10 >= gone.len() * 9, "{early} of {}", gone.len());
}

#[test]
fn random_eviction_takes_from_all_databases() {
    let mut keyspace = filled(standalone());
    let key = keyspace.key(b"other");
    keyspace.set(1, &key, NewValue::Int(1), Expiry::None);
    let policy = EvictionPolicy::Random(Among::AllKeys);
    assert_eq!(evict(&mut keyspace, policy, 200 * 48), Evicted::Enough);
    assert_eq!(keyspace.dbsize(1), 0);
    assert_eq!(evict(&mut keyspace, policy, usize::MAX / 2), Evicted::Failed);
    assert_eq!(keyspace.dbsize(0), 0);
}

#[test]
fn without_eviction_it_fails() {
    let mut keyspace = filled(standalone());
    assert_eq!(evict(&mut keyspace, EvictionPolicy::NoEviction, 1), Evicted::Failed);
    assert_eq!(keyspace.dbsize(0), KEYS);
}

#[test]
fn a_call_takes_no_longer_than_tenacity_allows() {
    let mut keyspace = filled(standalone());
    let policy = EvictionPolicy::Lru(Among::AllKeys);
    let impatient = EvictionConfig { tenacity: 0, ..config(policy) };
    let clock = std::cell::Cell::new(0);
    let read = || {
        clock.set(clock.get() + 10);
        clock.get()
    };
    let result = keyspace.perform_evictions(&impatient, LIMIT * 2, read);
    assert_eq!((result, keyspace.stats().evicted_keys), (Evicted::StillRunning, 16));
    assert!(keyspace.stats().eviction_exceeded_since_us.is_some());
    let result = keyspace.perform_evictions(&impatient, LIMIT, read);
    let stats = keyspace.stats();
    assert_eq!((result, stats.eviction_exceeded_since_us), (Evicted::Enough, None));
    assert!(stats.eviction_exceeded_us > 0);
}

#[test]
fn what_the_helper_frees_is_not_evicted_for_again() {
    let mut keyspace = filled(standalone());
    let key = keyspace.key(b"huge");
    keyspace.insert(0, &key, NewValue::Owned(Value::String(vec![0; 2 * FREE_NOW_BYTES_MAX])), None);
    keyspace.remove(0, &key, Free::Now);
    let policy = EvictionPolicy::Random(Among::AllKeys);
    assert_eq!(evict(&mut keyspace, policy, 2 * FREE_NOW_BYTES_MAX), Evicted::Enough);
    assert_eq!(keyspace.stats().evicted_keys, 0);
    keyspace.flush(None, Free::Lazily);
    assert_eq!(evict(&mut keyspace, policy, 4 * FREE_NOW_BYTES_MAX), Evicted::StillRunning);
    keyspace.take_garbage().into_iter().for_each(Garbage::free);
    assert_eq!(evict(&mut keyspace, policy, 4 * FREE_NOW_BYTES_MAX), Evicted::Failed);
}

#[test]
fn eviction_breaks_watches_and_reports() {
    let mut keyspace = standalone();
    set(&mut keyspace, "a", "x", Expiry::None);
    let (client, key) = (WatcherId(1), keyspace.key(b"a"));
    keyspace.watch(0, &key, client);
    keyspace.set_events(EventClass::EVICTED | EventClass::KEYEVENT);
    evict(&mut keyspace, EvictionPolicy::Lru(Among::AllKeys), 1);
    assert!(keyspace.is_watch_broken(client));
    let event = Event { name: "evicted", db: 0, key: b"a"[..].into() };
    assert_eq!(keyspace.take_events(), vec![event]);
}
