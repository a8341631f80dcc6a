//! The keys of one slot: a table of records, and a table of those records that expire. The second
//! one points at records that the first one owns; this file is the only one that may move or drop a
//! record in a table, so that both always agree. Called by `db` only.

#![allow(unsafe_code)]

use std::mem::ManuallyDrop;
use std::ops::Deref;

use super::Key;
use super::field_expiry::FieldExpiries;
use super::slot::{Slot, SlotCounts};
use crate::base::rng::Rng;
use crate::data::hashtable::{Entry, Found, Iter, Lookup, Stats, Table};
use crate::value::{NewValue, Record, Value, ValueMut, ValueRef};

impl Entry for Record {
    #[inline]
    fn key(&self) -> &[u8] {
        Record::key(self)
    }
}

/// A second pointer to a record of the same slot.
struct Alias(ManuallyDrop<Record>);

impl Alias {
    fn of(record: &Record) -> Self {
        // SAFETY: aliases live in `SlotTable::expires` only, where they are replaced or removed in
        // the same call that moves or takes the record; and both tables are borrowed together, so
        // that no alias is read while its record is borrowed mutably.
        Alias(unsafe { record.alias() })
    }
}

impl Entry for Alias {
    #[inline]
    fn key(&self) -> &[u8] {
        self.0.key()
    }
}

/// How many keys there are, how many of them expire, and which have fields that expire.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) keys: SlotCounts,
    pub(super) expires: SlotCounts,
    /// Hashes with fields that expire, of all slots.
    pub(super) fields: FieldExpiries,
}

impl Counts {
    pub(super) fn new(slots: usize) -> Self {
        Counts {
            keys: SlotCounts::new(slots),
            expires: SlotCounts::new(slots),
            fields: FieldExpiries::default(),
        }
    }

    #[inline]
    pub(super) fn of(&self, which: Of) -> &SlotCounts {
        match which {
            Of::Keys => &self.keys,
            Of::Expires => &self.expires,
        }
    }
}

/// Which of a slot's tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Of {
    /// All keys.
    Keys,
    /// Those that expire.
    Expires,
}

/// The keys of one slot.
///
/// Invariant: `expires` holds an alias of every record in `keys` that has an expiry, and nothing
/// else.
#[derive(Default)]
pub(super) struct SlotTable {
    // Dropped first, while the records are there.
    expires: Table<Alias>,
    keys: Table<Record>,
}

const _: () = assert!(size_of::<SlotTable>() == 64);

/// What is found under a key.
pub(super) enum Probe<'t> {
    /// A record whose time is not over.
    Live(RecordMut<'t>),
    /// A record whose time is over.
    Expired(Doomed<'t>),
    /// Nothing.
    Vacant,
}

impl SlotTable {
    /// Lets an empty slot take so many keys, and so many that expire, without growing.
    pub(super) fn prepare(&mut self, keys: usize, expires: usize) {
        self.keys.prepare(keys);
        self.expires.prepare(expires);
    }

    #[inline]
    pub(super) fn get(&self, key: &Key<'_>) -> Option<&Record> {
        self.keys.get(key.hash, key.bytes)
    }

    /// Looks up `key`, with what is needed to change or remove it.
    #[inline]
    pub(super) fn probe<'t>(
        &'t mut self,
        key: &Key<'_>,
        now_ms: i64,
        counts: &'t mut Counts,
    ) -> Probe<'t> {
        let Lookup::Found(found) = self.keys.lookup(key.hash, key.bytes) else {
            return Probe::Vacant;
        };
        let place = Place { expires: &mut self.expires, counts, hash: key.hash, slot: key.slot };
        if found.get().is_expired(now_ms) {
            return Probe::Expired(Doomed { found, place });
        }
        Probe::Live(RecordMut { record: found.into_mut(), place })
    }

    /// Stores a record under a key that is not in the table.
    pub(super) fn insert(&mut self, key: &Key<'_>, record: Record, counts: &mut Counts) {
        if record.has_expire() {
            self.expires.insert(key.hash, Alias::of(&record));
            counts.expires.increment(key.slot);
        }
        counts.fields.note(&record);
        self.keys.insert(key.hash, record);
        counts.keys.increment(key.slot);
    }

    /// Looks up `key` to remove it, whether its time is over or not.
    pub(super) fn doom<'t>(
        &'t mut self,
        key: &Key<'_>,
        counts: &'t mut Counts,
    ) -> Option<Doomed<'t>> {
        let Lookup::Found(found) = self.keys.lookup(key.hash, key.bytes) else {
            return None;
        };
        let place = Place { expires: &mut self.expires, counts, hash: key.hash, slot: key.slot };
        Some(Doomed { found, place })
    }

    pub(super) fn iter(&self) -> Iter<'_, Record> {
        self.keys.iter()
    }

    /// Visits one bucket of a table and returns the cursor of the next.
    pub(super) fn scan(&self, of: Of, cursor: u64, mut visit: impl FnMut(&Record)) -> u64 {
        match of {
            Of::Keys => self.keys.scan(cursor, visit),
            Of::Expires => self.expires.scan(cursor, |alias| visit(&alias.0)),
        }
    }

    pub(super) fn random(&self, of: Of, rng: &mut Rng) -> Option<&Record> {
        match of {
            Of::Keys => self.keys.random(rng),
            Of::Expires => self.expires.random(rng).map(|alias| &*alias.0),
        }
    }

    pub(super) fn sample(
        &self,
        of: Of,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) {
        match of {
            Of::Keys => self.keys.sample(rng, count, visit),
            Of::Expires => self.expires.sample(rng, count, |alias| visit(&alias.0)),
        }
    }

    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        self.keys.prefetch_bucket(hash);
    }

    #[inline]
    pub(super) fn prefetch_record(&self, hash: u64) {
        self.keys.prefetch_entry(hash);
    }

    pub(super) fn stats(&self, of: Of) -> Stats {
        match of {
            Of::Keys => self.keys.stats(),
            Of::Expires => self.expires.stats(),
        }
    }

    /// Bytes of a table, without the records.
    pub(super) fn bytes(&self, of: Of) -> usize {
        match of {
            Of::Keys => self.keys.heap_bytes(),
            Of::Expires => self.expires.heap_bytes(),
        }
    }
}

/// What surrounds a record in its slot.
struct Place<'t> {
    expires: &'t mut Table<Alias>,
    counts: &'t mut Counts,
    hash: u64,
    slot: Slot,
}

/// A record that may be changed in all that does not make it another key.
pub struct RecordMut<'t> {
    record: &'t mut Record,
    place: Place<'t>,
}

impl Deref for RecordMut<'_> {
    type Target = Record;

    #[inline]
    fn deref(&self) -> &Record {
        self.record
    }
}

impl<'t> RecordMut<'t> {
    /// The record, to be read as long as the keyspace is not changed.
    #[inline]
    pub fn into_ref(self) -> &'t Record {
        self.record
    }

    /// Sets access time or counter.
    #[inline]
    pub fn set_lru(&mut self, lru: u32) {
        self.record.set_lru(lru);
    }

    /// Makes the value the integer `n`; the expiry stays.
    #[inline]
    pub fn set_int(&mut self, n: i64) -> Option<Value> {
        if matches!(self.record.value(), ValueRef::Int(_)) {
            return self.record.set_int(n);
        }
        self.edit(|record| record.set_int(n))
    }

    /// The string's bytes, to be edited: it becomes `raw`. `None` for other types.
    pub fn string_mut(mut self) -> Option<&'t mut Vec<u8>> {
        if !self.record.is_boxed() {
            self.edit(|record| record.string_mut().is_some());
        }
        self.record.string_mut()
    }

    /// The value, to be edited, if it has an allocation of its own.
    pub fn into_boxed_mut(self) -> Option<ValueMut<'t>> {
        self.record.boxed_mut()
    }

    /// Removes fields of a hash whose time was over before `now_ms`, at most so many; how many, and
    /// whether none is left.
    pub(super) fn expire_fields(&mut self, now_ms: i64, max: usize) -> (usize, bool) {
        let removed = match self.record.boxed_mut() {
            Some(ValueMut::Hash(hash)) => {
                let removed = hash.remove_due(now_ms, max);
                (removed, hash.is_empty())
            }
            _ => (0, false),
        };
        self.note_fields();
        removed
    }

    /// Notes when the next field of a hash expires, or that none does.
    pub(super) fn note_fields(&mut self) {
        self.place.counts.fields.note(self.record);
    }

    /// Replaces value and expiry.
    #[inline]
    pub(super) fn assign(&mut self, value: NewValue<'_>, expire_at: Option<i64>) -> Option<Value> {
        self.edit(|record| record.assign(value, expire_at))
    }

    /// Sets, changes or removes the expiry.
    pub(super) fn set_expire(&mut self, expire_at: Option<i64>) {
        self.edit(|record| record.set_expire(expire_at));
    }

    /// Changes the record in a way that may move it, or begin or end its expiry.
    #[inline]
    fn edit<R>(&mut self, change: impl FnOnce(&mut Record) -> R) -> R {
        let Place { expires, counts, hash, slot } = &mut self.place;
        let had = self.record.has_expire();
        // The alias is found while it points at the record, and follows it.
        let alias = if had { expires.get_mut(*hash, self.record.key()) } else { None };
        let result = change(self.record);
        if let Some(alias) = alias {
            *alias = Alias::of(self.record);
        }
        match (had, self.record.has_expire()) {
            (true, false) => {
                expires.remove(*hash, self.record.key());
                counts.expires.decrement(*slot);
            }
            (false, true) => {
                expires.insert(*hash, Alias::of(self.record));
                counts.expires.increment(*slot);
            }
            (true, true) | (false, false) => {}
        }
        counts.fields.note(self.record);
        result
    }
}

/// A record that can only be removed.
pub(super) struct Doomed<'t> {
    found: Found<'t, Record>,
    place: Place<'t>,
}

impl Doomed<'_> {
    pub(super) fn is_expired(&self, now_ms: i64) -> bool {
        self.found.get().is_expired(now_ms)
    }

    pub(super) fn remove(self) -> Record {
        let Place { expires, counts, hash, slot } = self.place;
        let record = self.found.get();
        // The alias goes first, while it points at the record.
        if record.has_expire() {
            expires.remove(hash, record.key());
            counts.expires.decrement(slot);
        }
        if !counts.fields.is_empty() {
            counts.fields.forget(record.key());
        }
        counts.keys.decrement(slot);
        self.found.remove()
    }
}
