//! Expiry of the fields of hashes: which hashes of a database have fields that expire, the next
//! first, and their removal when their time is over. The databases keep the list as records come
//! and go, commands tell of what they change within a hash. Costs nothing where no field expires.

use std::collections::{BTreeMap, BTreeSet};

use super::events::EventClass;
use super::modified::Cause;
use super::slot_table::Probe;
use super::{ExpireMode, Key, Keyspace};
use crate::base::limits::FIELDS_EXPIRED_PER_STEP;
use crate::value::{Record, Type, ValueRef};

/// Hashes with fields that expire, by key, and in the order in which their next field does.
///
/// Invariant: both have the same keys with the same times.
#[derive(Debug, Default)]
pub(super) struct FieldExpiries {
    by_key: BTreeMap<Box<[u8]>, i64>,
    order: BTreeSet<(i64, Box<[u8]>)>,
}

impl FieldExpiries {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    /// What a record holds, whose key may be in the list.
    #[inline]
    pub(super) fn note(&mut self, record: &Record) {
        // Most records are no hashes, and this is asked of every one that changes.
        let next = match record.kind() {
            Type::Hash => next_expiry(record),
            _ => None,
        };
        match next {
            Some(at_ms) => self.set(record.key(), at_ms),
            None if self.is_empty() => {}
            None => self.forget(record.key()),
        }
    }

    fn set(&mut self, key: &[u8], at_ms: i64) {
        if self.by_key.get(key) != Some(&at_ms) {
            self.forget(key);
            self.by_key.insert(key.into(), at_ms);
            self.order.insert((at_ms, key.into()));
        }
    }

    /// The key holds no hash with fields that expire.
    pub(super) fn forget(&mut self, key: &[u8]) {
        if let Some((key, at_ms)) = self.by_key.remove_entry(key) {
            self.order.remove(&(at_ms, key));
        }
    }

    /// A hash with fields whose time is over.
    fn first_due(&self, now_ms: i64) -> Option<&[u8]> {
        let (at_ms, key) = self.order.first()?;
        (*at_ms < now_ms).then_some(key)
    }

    fn is_due(&self, key: &[u8], now_ms: i64) -> bool {
        self.first_due(now_ms).is_some() && self.by_key.get(key).is_some_and(|&at| at < now_ms)
    }
}

fn next_expiry(record: &Record) -> Option<i64> {
    match record.value() {
        ValueRef::Hash(hash) => hash.next_expiry(),
        _ => None,
    }
}

impl Keyspace {
    /// The time that decides which fields are expired: those whose own is before it.
    #[inline]
    pub fn field_clock(&self) -> i64 {
        self.expiry_clock()
    }

    /// Hashes of a database with fields that expire (INFO: subexpiry).
    pub fn field_expiring_len(&self, db: usize) -> usize {
        self.dbs[db].field_expiries().len()
    }

    /// Before a hash is read: removes fields whose time is over, where a read may do that. They
    /// may be too many for one call; who reads the hash hides the others. Reports `hexpired`, and
    /// `del` if no field is left; signals.
    #[inline]
    pub fn expire_fields_to_read(&mut self, db: usize, key: &Key<'_>) {
        if !self.dbs[db].field_expiries().is_empty() && self.expire_mode == ExpireMode::Remove {
            self.expire_fields_if_due(db, key);
        }
    }

    /// As [`Keyspace::expire_fields_to_read`], before a hash is changed.
    #[inline]
    pub fn expire_fields_to_write(&mut self, db: usize, key: &Key<'_>) {
        if !self.dbs[db].field_expiries().is_empty()
            && matches!(self.expire_mode, ExpireMode::Remove | ExpireMode::RemoveOnWrite)
        {
            self.expire_fields_if_due(db, key);
        }
    }

    fn expire_fields_if_due(&mut self, db: usize, key: &Key<'_>) {
        if self.dbs[db].field_expiries().is_due(key.bytes, self.now_ms) {
            self.expire_fields(db, key);
        }
    }

    /// After the fields of a hash or their expiries have changed through a reference.
    pub fn note_fields(&mut self, db: usize, key: &Key<'_>) {
        if let Some(mut record) = self.edit(db, key) {
            record.note_fields();
        }
    }

    /// As [`Keyspace::note_fields`], by who cannot have been the first to let a field expire.
    #[inline]
    pub fn note_fields_if_any(&mut self, db: usize, key: &Key<'_>) {
        if !self.dbs[db].field_expiries().is_empty() {
            self.note_fields(db, key);
        }
    }

    /// Removes some fields of a hash whose time is over, and the key with the last field.
    fn expire_fields(&mut self, db: usize, key: &Key<'_>) {
        let now_ms = self.now_ms;
        let Keyspace { dbs, effects, .. } = self;
        let mut record = match dbs[db].probe(key, now_ms) {
            Probe::Live(record) => record,
            Probe::Expired(doomed) => return effects.expired(db, key, doomed.remove()),
            Probe::Vacant => return dbs[db].forget_fields(key.bytes),
        };
        let (removed, emptied) = record.expire_fields(now_ms, FIELDS_EXPIRED_PER_STEP);
        if removed == 0 {
            return;
        }
        effects.stats.expired_subkeys += removed as u64;
        effects.events.notify(EventClass::HASH, "hexpired", db, key.bytes);
        effects.touch_by(Cause::Server, db, key.bytes, true);
        if emptied && let Some(record) = self.take(db, key) {
            self.effects.bin.discard_record(record, self.effects.lazy.expire);
            self.effects.events.notify(EventClass::GENERIC, "del", db, key.bytes);
        }
    }

    /// The active expiry of fields: step by step, until no field is due or time is up; whether it
    /// was before all were gone.
    pub(super) fn expire_fields_in_db(&mut self, db: usize, time_is_up: impl Fn() -> bool) -> bool {
        while let Some(due) = self.dbs[db].field_expiries().first_due(self.now_ms) {
            let name = due.to_vec();
            let key = self.key(&name);
            self.expire_fields(db, &key);
            if time_is_up() {
                return true;
            }
        }
        false
    }

    /// Whether any hash has fields that expire.
    pub fn has_expiring_fields(&self) -> bool {
        self.dbs.iter().any(|db| !db.field_expiries().is_empty())
    }
}
