//! Hashes with fields that expire: the list of them, lookups and the active expiry, on a simulated
//! clock.

use super::*;
use crate::base::limits::FIELDS_EXPIRED_PER_STEP;
use crate::keyspace::expiry::ExpireEffort;
use crate::value::hash::Limits;
use crate::value::{Hash, ValueMut};

/// A hash of so many fields, each of which expires so many milliseconds after the start.
fn hash_of(fields: usize, expires_ms: impl Fn(usize) -> Option<i64>) -> Value {
    let mut hash = Hash::new();
    for n in 0..fields {
        let name = format!("field:{n}");
        hash.set(name.as_bytes(), b"v", Limits::DEFAULT);
        hash.set_expiry(name.as_bytes(), expires_ms(n).map(|ms| START_MS as i64 + ms));
    }
    Value::Hash(hash)
}

fn insert(keyspace: &mut Keyspace, name: &str, value: Value) {
    let key = keyspace.key(name.as_bytes());
    keyspace.insert(0, &key, NewValue::Owned(value), None);
}

fn fields_of(keyspace: &Keyspace, name: &str) -> Option<usize> {
    let record = keyspace.peek(0, &keyspace.key(name.as_bytes()))?;
    match record.value() {
        ValueRef::Hash(hash) => Some(hash.len()),
        other => panic!("{other:?}"),
    }
}

fn run_cron(keyspace: &mut Keyspace) {
    let effort = ExpireEffort::new(1);
    let mut more = keyspace.expire_cycle(effort, 10, || 0);
    while more {
        more = keyspace.expire_between_turns(effort, || 0);
    }
}

fn events(keyspace: &mut Keyspace) -> Vec<&'static str> {
    keyspace.take_events().into_iter().map(|event| event.name).collect()
}

#[test]
fn the_list_follows_the_keys() {
    for mut keyspace in [standalone(), cluster()] {
        assert!(!keyspace.has_expiring_fields());
        insert(&mut keyspace, "plain", hash_of(3, |_| None));
        assert_eq!(keyspace.field_expiring_len(0), 0);
        for name in ["a", "b", "c", "d", "e"] {
            insert(&mut keyspace, name, hash_of(3, |n| Some(100 + n as i64)));
        }
        assert_eq!(keyspace.field_expiring_len(0), 5);
        let (a, b, c) = (keyspace.key(b"a"), keyspace.key(b"b"), keyspace.key(b"c"));
        assert!(keyspace.remove(0, &a, Free::Now));
        keyspace.set(0, &b, NewValue::Int(1), Expiry::None);
        assert_eq!(keyspace.field_expiring_len(0), 3);
        let renamed = keyspace.take(0, &c).expect("it is there").renamed(b"a");
        assert_eq!(keyspace.field_expiring_len(0), 2);
        keyspace.insert_record(0, &a, renamed);
        let copy = keyspace.peek(0, &a).expect("it is there").duplicate(b"b");
        keyspace.insert_record(0, &b, copy);
        assert_eq!(keyspace.field_expiring_len(0), 4);
        keyspace.set_expire(0, &a, Some(START_MS as i64 + 1));
        assert_eq!(keyspace.field_expiring_len(0), 4);
        if keyspace.is_cluster() {
            keyspace.flush_slot(0, a.slot(), Free::Now);
        } else {
            keyspace.set_now(START_MS + 2);
            assert!(keyspace.lookup_read(0, &a).is_none());
        }
        assert_eq!(keyspace.field_expiring_len(0), 3);
        keyspace.flush(Some(0), Free::Now);
        assert!(!keyspace.has_expiring_fields());
    }
}

#[test]
fn changes_through_a_reference_are_noted() {
    let mut keyspace = standalone();
    insert(&mut keyspace, "h", hash_of(2, |_| None));
    let key = keyspace.key(b"h");
    let set_expiry = |keyspace: &mut Keyspace, expire_at| {
        match keyspace.edit(0, &key).and_then(RecordMut::into_boxed_mut) {
            Some(ValueMut::Hash(hash)) => assert!(hash.set_expiry(b"field:0", expire_at)),
            other => panic!("{other:?}"),
        }
        keyspace.note_fields(0, &key);
    };
    set_expiry(&mut keyspace, Some(START_MS as i64 + 5));
    assert_eq!(keyspace.field_expiring_len(0), 1);
    set_expiry(&mut keyspace, None);
    assert_eq!(keyspace.field_expiring_len(0), 0);
    set_expiry(&mut keyspace, Some(START_MS as i64 + 5));
    keyspace.set_now(START_MS + 5);
    run_cron(&mut keyspace);
    assert_eq!(fields_of(&keyspace, "h"), Some(2));
    keyspace.set_now(START_MS + 6);
    run_cron(&mut keyspace);
    assert_eq!((fields_of(&keyspace, "h"), keyspace.field_expiring_len(0)), (Some(1), 0));
}

#[test]
fn all_due_fields_go_and_empty_hashes_with_them() {
    for mut keyspace in [standalone(), cluster()] {
        keyspace.set_events(EventClass::all());
        let big = 3 * FIELDS_EXPIRED_PER_STEP;
        insert(&mut keyspace, "all", hash_of(big, |n| Some(n as i64 % 7)));
        insert(&mut keyspace, "half", hash_of(100, |n| (n % 2 == 0).then_some(3)));
        insert(&mut keyspace, "later", hash_of(10, |_| Some(1000)));
        events(&mut keyspace);
        keyspace.set_now(START_MS + 100);
        run_cron(&mut keyspace);
        assert_eq!(fields_of(&keyspace, "all"), None);
        assert_eq!(fields_of(&keyspace, "half"), Some(50));
        assert_eq!(fields_of(&keyspace, "later"), Some(10));
        assert_eq!(keyspace.stats().expired_subkeys, (big + 50) as u64);
        assert_eq!(keyspace.field_expiring_len(0), 1);
        let mut names = events(&mut keyspace);
        names.sort_unstable();
        assert_eq!(names, ["del", "hexpired", "hexpired", "hexpired", "hexpired"]);
    }
}

#[test]
fn lookups_remove_what_is_due_unless_they_must_not() {
    let mut keyspace = standalone();
    let due = FIELDS_EXPIRED_PER_STEP + 10;
    insert(&mut keyspace, "h", hash_of(due, |_| Some(1)));
    insert(&mut keyspace, "other", hash_of(1, |_| Some(1)));
    let key = keyspace.key(b"h");
    keyspace.set_now(START_MS + 2);
    keyspace.set_expire_mode(ExpireMode::Hide);
    keyspace.expire_fields_to_read(0, &key);
    keyspace.expire_fields_to_write(0, &key);
    run_cron(&mut keyspace);
    keyspace.set_expire_mode(ExpireMode::RemoveOnWrite);
    keyspace.expire_fields_to_read(0, &key);
    assert_eq!(fields_of(&keyspace, "h"), Some(due));
    keyspace.expire_fields_to_write(0, &key);
    assert_eq!(fields_of(&keyspace, "h"), Some(10));
    keyspace.set_expire_mode(ExpireMode::Remove);
    keyspace.watch(0, &key, WatcherId(1));
    keyspace.expire_fields_to_read(0, &key);
    assert_eq!((fields_of(&keyspace, "h"), fields_of(&keyspace, "other")), (None, Some(1)));
    assert!(keyspace.is_watch_broken(WatcherId(1)));
}
