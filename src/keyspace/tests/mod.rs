//! Tests of the keyspace as its callers see it, on simulated time.

mod eviction;
mod expiry;
mod field_expiry;
mod model;

use super::*;
use crate::base::limits::FREE_NOW_BYTES_MAX;
use crate::value::{Encoding, Type, Value, ValueRef};

/// The time at which tests begin.
const START_MS: u64 = 1_000_000;

fn standalone() -> Keyspace {
    let mut keyspace = Keyspace::new(2, false);
    keyspace.seed(1);
    keyspace.set_now(START_MS);
    keyspace
}

fn cluster() -> Keyspace {
    let mut keyspace = Keyspace::new(1, true);
    keyspace.seed(1);
    keyspace.set_now(START_MS);
    keyspace
}

fn set(keyspace: &mut Keyspace, name: &str, value: &str, expiry: Expiry) -> bool {
    let key = keyspace.key(name.as_bytes());
    keyspace.set(0, &key, NewValue::from_bytes(value.as_bytes()), expiry)
}

fn get(keyspace: &mut Keyspace, name: &str) -> Option<Vec<u8>> {
    let key = keyspace.key(name.as_bytes());
    let record = keyspace.lookup_read(0, &key)?;
    record.value().string(&mut itoa::Buffer::new()).map(<[u8]>::to_vec)
}

/// An expiry so many milliseconds after the start.
fn after(ms: i64) -> Expiry {
    Expiry::At(START_MS as i64 + ms)
}

#[test]
fn set_get_remove() {
    let mut keyspace = standalone();
    assert!(!set(&mut keyspace, "a", "hello", Expiry::None));
    assert!(set(&mut keyspace, "a", "12", Expiry::None));
    assert_eq!(get(&mut keyspace, "a").as_deref(), Some(&b"12"[..]));
    assert_eq!(get(&mut keyspace, "b"), None);
    let key = keyspace.key(b"a");
    assert_eq!(keyspace.peek(0, &key).map(Record::encoding), Some(Encoding::Int));
    assert_eq!(keyspace.peek(0, &key).map(Record::kind), Some(Type::String));
    assert!(!keyspace.exists(1, &key));
    assert!(keyspace.remove(0, &key, Free::Now));
    assert!(!keyspace.remove(0, &key, Free::Now));
    assert_eq!((keyspace.stats().hits, keyspace.stats().misses, keyspace.dbsize(0)), (1, 1, 0));
}

#[test]
fn an_expiry_is_kept_changed_or_dropped() {
    let mut keyspace = standalone();
    let expire_at =
        |keyspace: &Keyspace| keyspace.peek(0, &keyspace.key(b"a")).and_then(Record::expire_at);
    set(&mut keyspace, "a", "1", after(10));
    set(&mut keyspace, "a", "a longer value than the one before", Expiry::Keep);
    assert_eq!((expire_at(&keyspace), keyspace.expires_len(0)), (Some(1_000_010), 1));
    set(&mut keyspace, "a", "1", Expiry::None);
    assert_eq!((expire_at(&keyspace), keyspace.expires_len(0)), (None, 0));
    let key = keyspace.key(b"a");
    assert!(keyspace.set_expire(0, &key, Some(1_000_020)));
    assert!(keyspace.set_int(0, &key, 5));
    assert_eq!((expire_at(&keyspace), keyspace.expires_len(0)), (Some(1_000_020), 1));
    keyspace.set_now(START_MS + 20);
    assert!(keyspace.exists(0, &key));
    keyspace.set_now(START_MS + 21);
    assert!(!keyspace.exists(0, &key) && !keyspace.set_expire(0, &key, None));
    assert_eq!((keyspace.dbsize(0), keyspace.stats().expired_keys), (1, 0));
    assert!(!keyspace.set_int(0, &key, 6));
    assert_eq!((expire_at(&keyspace), keyspace.stats().expired_keys), (None, 1));
}

#[test]
fn modes_of_expiry() {
    let expired = |mode| {
        let mut keyspace = standalone();
        set(&mut keyspace, "a", "1", after(10));
        keyspace.set_now(START_MS + 11);
        keyspace.set_expire_mode(mode);
        keyspace
    };
    let key = standalone().key(b"a");
    let mut hidden = expired(ExpireMode::Hide);
    assert!(hidden.lookup_read(0, &key).is_none() && hidden.lookup_write(0, &key).is_none());
    assert!(!hidden.remove(0, &key, Free::Now) && hidden.expire_if_needed(0, &key));
    assert_eq!((hidden.dbsize(0), hidden.random_key(0)), (1, Some(b"a".to_vec())));

    let mut ignored = expired(ExpireMode::Ignore);
    assert!(ignored.lookup_read(0, &key).is_some() && !ignored.expire_if_needed(0, &key));

    let mut writable = expired(ExpireMode::RemoveOnWrite);
    assert!(writable.lookup_read(0, &key).is_none());
    assert_eq!(writable.dbsize(0), 1);
    assert!(writable.lookup_write(0, &key).is_none());
    assert_eq!((writable.dbsize(0), writable.stats().expired_keys), (0, 1));

    let mut primary = expired(ExpireMode::Remove);
    assert!(primary.lookup_read_with(0, &key, Lookup::NOEXPIRE).is_none());
    assert_eq!(primary.dbsize(0), 1);
    assert_eq!((primary.random_key(0), primary.dbsize(0)), (None, 0));
}

#[test]
fn lookups_leave_out_what_they_are_told() {
    let mut keyspace = standalone();
    set(&mut keyspace, "a", "1", Expiry::None);
    keyspace.set_events(EventClass::all());
    keyspace.set_now(START_MS + 5000);
    let (key, absent) = (keyspace.key(b"a"), keyspace.key(b"b"));
    let idle = |keyspace: &Keyspace| keyspace.peek(0, &key).map(|record| keyspace.idle_ms(record));
    keyspace.lookup_read_with(0, &key, Lookup::NOTOUCH | Lookup::NOSTATS);
    keyspace.lookup_read_with(0, &absent, Lookup::NONOTIFY | Lookup::NOSTATS);
    assert_eq!((keyspace.stats().hits, keyspace.stats().misses), (0, 0));
    assert_eq!((idle(&keyspace), keyspace.take_events()), (Some(5000), vec![]));
    keyspace.set_touching(false);
    keyspace.lookup_write(0, &key);
    assert_eq!(idle(&keyspace), Some(5000));
    keyspace.set_touching(true);
    keyspace.lookup_read(0, &key);
    keyspace.lookup_read(0, &absent);
    assert_eq!((keyspace.stats().hits, keyspace.stats().misses), (1, 1));
    let miss = Event { name: "keymiss", db: 0, key: b"b"[..].into() };
    assert_eq!((idle(&keyspace), keyspace.take_events()), (Some(0), vec![miss]));
}

#[test]
fn events_are_kept_only_if_wanted() {
    let mut keyspace = standalone();
    let names = |keyspace: &mut Keyspace| -> Vec<&str> {
        keyspace.take_events().iter().map(|event| event.name).collect()
    };
    set(&mut keyspace, "a", "1", after(1));
    assert!(names(&mut keyspace).is_empty());
    keyspace.set_events(EventClass::NEW | EventClass::EXPIRED | EventClass::KEYEVENT);
    keyspace.set_now(START_MS + 2);
    set(&mut keyspace, "a", "1", after(100));
    set(&mut keyspace, "a", "2", after(100));
    let key = keyspace.key(b"a");
    keyspace.notify(EventClass::STRING, "set", 0, &key);
    assert_eq!(names(&mut keyspace), ["expired", "new"]);
}

#[test]
fn values_are_edited_in_place() {
    let mut keyspace = standalone();
    set(&mut keyspace, "a", "10", after(50));
    let key = keyspace.key(b"a");
    keyspace.string_mut(0, &key).unwrap().extend_from_slice(b"0 and more");
    assert_eq!(get(&mut keyspace, "a").as_deref(), Some(&b"100 and more"[..]));
    assert_eq!(keyspace.peek(0, &key).map(Record::encoding), Some(Encoding::Raw));
    let mut record = keyspace.lookup_write(0, &key).unwrap();
    record.set_int(7);
    record.set_int(8);
    assert_eq!(record.into_ref().value(), ValueRef::Int(8));
    assert_eq!(keyspace.expires_len(0), 1);
    assert!(keyspace.remove(0, &key, Free::Now));
    assert_eq!((keyspace.expires_len(0), keyspace.string_mut(0, &key)), (0, None));
}

#[test]
fn watches_break_on_any_change() {
    let client = WatcherId(9);
    let key = standalone().key(b"a");
    let changes: [fn(&mut Keyspace, &Key<'_>) -> bool; 8] = [
        |keyspace, key| keyspace.set(0, key, NewValue::Int(1), Expiry::Keep),
        |keyspace, key| keyspace.remove(0, key, Free::Now),
        |keyspace, key| keyspace.take(0, key).is_some(),
        |keyspace, key| keyspace.set_expire(0, key, None),
        |keyspace, key| {
            keyspace.signal_modified(0, key);
            true
        },
        |keyspace, _| keyspace.flush(None, Free::Now) > 0,
        |keyspace, _| {
            keyspace.swap(0, 1);
            true
        },
        |keyspace, key| keyspace.flush_slot(0, key.slot(), Free::Now) > 0,
    ];
    for change in changes {
        let mut keyspace = standalone();
        set(&mut keyspace, "a", "x", Expiry::None);
        keyspace.watch(0, &key, client);
        keyspace.lookup_read(0, &key);
        keyspace.lookup_write(0, &key);
        set(&mut keyspace, "b", "x", Expiry::None);
        assert!(!keyspace.is_watch_broken(client));
        assert!(change(&mut keyspace, &key));
        assert!(keyspace.is_watch_broken(client) && keyspace.is_watch_dirty(client));
        keyspace.unwatch_all(client);
        assert!(!keyspace.is_watch_broken(client));
    }
}

#[test]
fn watches_and_expiry() {
    let client = WatcherId(9);
    let key = standalone().key(b"a");
    let mut keyspace = standalone();
    set(&mut keyspace, "a", "x", after(10));
    keyspace.watch(0, &key, client);
    keyspace.set_now(START_MS + 11);
    // Over since WATCH, though nobody removed it yet.
    assert!(keyspace.is_watch_broken(client) && !keyspace.is_watch_dirty(client));
    keyspace.unwatch_all(client);

    // Over at the time of WATCH: its removal changes nothing, a new key does.
    keyspace.watch(0, &key, client);
    assert!(!keyspace.is_watch_broken(client));
    keyspace.lookup_read(0, &key);
    assert_eq!(keyspace.dbsize(0), 0);
    assert!(!keyspace.is_watch_broken(client));
    set(&mut keyspace, "a", "x", Expiry::None);
    assert!(keyspace.is_watch_broken(client));
}

#[test]
fn flush_and_swap_of_absent_keys_break_nothing() {
    let mut keyspace = standalone();
    let (client, key) = (WatcherId(9), keyspace.key(b"a"));
    keyspace.watch(0, &key, client);
    keyspace.flush(Some(0), Free::Now);
    keyspace.swap(0, 1);
    assert!(!keyspace.is_watch_broken(client));
    keyspace.set(1, &key, NewValue::Int(1), Expiry::None);
    keyspace.swap(0, 1);
    assert!(keyspace.is_watch_broken(client) && keyspace.dbsize(0) == 1);
}

#[test]
fn garbage_is_counted_until_it_is_freed() {
    let mut keyspace = standalone();
    for i in 0..1000 {
        set(&mut keyspace, &format!("key{i}"), "x", after(1000));
    }
    assert_eq!(keyspace.flush(None, Free::Lazily), 1000);
    assert_eq!((keyspace.lazyfree_pending_objects(), keyspace.lazyfreed_objects()), (1000, 0));
    let garbage = keyspace.take_garbage();
    std::thread::spawn(move || garbage.into_iter().for_each(Garbage::free)).join().unwrap();
    assert_eq!((keyspace.lazyfree_pending_objects(), keyspace.lazyfreed_objects()), (0, 1000));
    keyspace.reset_stats();
    assert_eq!(keyspace.lazyfreed_objects(), 0);

    // Few small keys go at once, huge ones to the helper, uncounted.
    set(&mut keyspace, "small", "x", Expiry::None);
    assert_eq!((keyspace.flush(Some(0), Free::Now), keyspace.take_garbage().len()), (1, 0));
    let key = keyspace.key(b"huge");
    for free in [Free::Now, Free::Lazily] {
        keyspace.insert(
            0,
            &key,
            NewValue::Owned(Value::String(vec![0; FREE_NOW_BYTES_MAX + 1])),
            None,
        );
        assert!(keyspace.remove(0, &key, free));
    }
    keyspace.insert(0, &key, NewValue::Owned(Value::String(vec![0; FREE_NOW_BYTES_MAX + 1])), None);
    keyspace.flush(None, Free::Now);
    assert_eq!(keyspace.take_garbage().len(), 3);
    assert_eq!(keyspace.lazyfree_pending_objects(), 0);
}

#[test]
fn slots_of_a_cluster() {
    let mut keyspace = cluster();
    for i in 0..500 {
        set(&mut keyspace, &format!("{{tag{}}}{i}", i % 3), "x", after(i));
    }
    let slot = keyspace.key(b"{tag1}").slot();
    assert_eq!(slot, Slot::of_key(b"tag1"));
    assert_eq!((keyspace.count_in_slot(0, slot), keyspace.iter_slot(0, slot).count()), (167, 167));
    assert_eq!(keyspace.count_in_slot(0, Slot(0)), 0);
    assert_eq!(keyspace.flush_slot(0, slot, Free::Now), 167);
    assert_eq!((keyspace.dbsize(0), keyspace.expires_len(0)), (333, 333));
    assert_eq!(keyspace.flush_slot(0, slot, Free::Now), 0);
    assert_eq!(keyspace.iter(0).count(), 333);
}

#[test]
fn scans_cover_everything_in_bounded_steps() {
    for mut keyspace in [standalone(), cluster()] {
        for i in 0..5000 {
            set(&mut keyspace, &format!("key{i}"), "x", Expiry::None);
        }
        let mut seen = std::collections::BTreeSet::new();
        let mut cursor = 0;
        let mut calls = 0;
        loop {
            let mut visited = 0;
            cursor = keyspace.scan(0, cursor, 10, |record| {
                visited += 1;
                assert!(seen.insert(record.key().to_vec()));
            });
            assert!(visited < 60);
            calls += 1;
            // Keys that come and go do not hide those that stay.
            set(&mut keyspace, &format!("new{}", calls % 50), "x", Expiry::None);
            let key = keyspace.key(b"new7");
            keyspace.remove(0, &key, Free::Now);
            seen.retain(|key| !key.starts_with(b"new"));
            if cursor == 0 {
                break;
            }
        }
        assert_eq!(seen.len(), 5000);
        assert!((100..=600).contains(&calls), "{calls}");
        for cursor in [1, 77, 1 << 20, u64::MAX, u64::MAX - 1] {
            keyspace.scan(0, cursor, 10, |_| ());
        }
    }
}

#[test]
fn random_keys_are_fair_across_slots() {
    for mut keyspace in [standalone(), cluster()] {
        assert_eq!(keyspace.random_key(0), None);
        for i in 0..40 {
            set(&mut keyspace, &format!("{{{}}}{i}", i / 30), "x", Expiry::None);
        }
        let mut drawn = std::collections::BTreeMap::new();
        for _ in 0..8000 {
            *drawn.entry(keyspace.random_key(0).unwrap()).or_insert(0) += 1;
        }
        assert_eq!(drawn.len(), 40);
        assert!(drawn.values().all(|&n| (130..=280).contains(&n)), "{drawn:?}");
    }
}
