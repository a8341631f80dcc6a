//! What changes of keys lead to beside the change itself: statistics, events, broken watches, keys
//! that clients have copies of or wait for, garbage. The keyspace reports here; the core drains it.

use super::Key;
use super::events::{EventClass, Events};
use super::garbage::{Bin, Free};
use super::modified::{Cause, Modified};
use super::waiting::Waiting;
use super::watched::Watched;
use crate::value::{Record, Type};

/// Counters of INFO that the keyspace keeps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KeyspaceStats {
    /// Reads that found their key.
    pub hits: u64,
    /// Reads that did not.
    pub misses: u64,
    /// Keys removed because their time was over.
    pub expired_keys: u64,
    /// Fields of hashes removed because their time was over.
    pub expired_subkeys: u64,
    /// Estimated share of keys among those with an expiry whose time is over, from 0 to 1.
    pub expired_stale_share: f64,
    /// Active expiry stopped because its time was up.
    pub expired_time_cap_reached: u64,
    /// Time spent in active expiry, in microseconds.
    pub expire_cycle_us: u64,
    /// Keys removed to free memory.
    pub evicted_keys: u64,
    /// Time spent above maxmemory, periods that ended, in microseconds.
    pub eviction_exceeded_us: u64,
    /// Since when memory is above maxmemory, on the monotonic clock, in microseconds.
    pub eviction_exceeded_since_us: Option<u64>,
}

/// Side effects of lookups and changes.
pub(super) struct Effects {
    pub(super) stats: KeyspaceStats,
    pub(super) events: Events,
    pub(super) watched: Watched,
    pub(super) modified: Modified,
    pub(super) waiting: Waiting,
    pub(super) bin: Bin,
    /// Lazyfree options.
    pub(super) lazy: LazyFree,
}

/// Whether keys that no command names are freed by the helper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LazyFree {
    /// lazyfree-lazy-expire.
    pub expire: Free,
    /// lazyfree-lazy-eviction.
    pub eviction: Free,
    /// lazyfree-lazy-server-del: values that a command overwrites.
    pub server_del: Free,
}

impl Effects {
    pub(super) fn new(databases: usize) -> Self {
        Effects {
            stats: KeyspaceStats::default(),
            events: Events::default(),
            watched: Watched::new(databases),
            modified: Modified::default(),
            waiting: Waiting::new(databases),
            bin: Bin::default(),
            lazy: LazyFree::default(),
        }
    }

    /// The command that runs changed a key; `exists` tells whether it is there still (Redis:
    /// signalModifiedKey).
    #[inline]
    pub(super) fn touch(&mut self, db: usize, key: &[u8], exists: bool) {
        self.touch_by(Cause::Command, db, key, exists);
    }

    /// As [`Effects::touch`], whoever changed the key.
    #[inline]
    pub(super) fn touch_by(&mut self, cause: Cause, db: usize, key: &[u8], exists: bool) {
        self.watched.touch(db, key, exists);
        self.modified.note(key, cause);
    }

    /// A record was taken out because its time was over. This is the one place where that is told
    /// to others.
    pub(super) fn expired(&mut self, db: usize, key: &Key<'_>, record: Record) {
        self.waiting.key_was(db, key.bytes, record.kind());
        self.bin.discard_record(record, self.lazy.expire);
        self.events.notify(EventClass::EXPIRED, "expired", db, key.bytes);
        self.touch_by(Cause::Server, db, key.bytes, false);
        self.stats.expired_keys += 1;
    }

    /// A record was taken out to free memory. This is the one place where that is told to others.
    pub(super) fn evicted(&mut self, db: usize, key: &Key<'_>, record: Record) {
        self.waiting.key_was(db, key.bytes, record.kind());
        self.bin.discard_record(record, self.lazy.eviction);
        self.touch_by(Cause::Server, db, key.bytes, false);
        self.events.notify(EventClass::EVICTED, "evicted", db, key.bytes);
        self.stats.evicted_keys += 1;
    }

    /// A key that was of one type is given a value of another, or the same. Redis leaves those
    /// waiting who wait for what it becomes; they would wait for a key that is there.
    #[cold]
    pub(super) fn retyped(&mut self, db: usize, key: &Key<'_>, was: Type, is: Type) {
        self.waiting.key_was(db, key.bytes, was);
        if was != is {
            self.waiting.key_is(db, key.bytes, is);
        }
    }
}
