//! Ways through the keys other than by name: SCAN, KEYS, RANDOMKEY, slots, and the shape of the
//! tables. Without side effects, but that a random key is never one whose time is over.

use super::modified::Cause;
use super::slot_table::Of;
use super::{ExpireMode, Free, Keyspace, Slot};
use crate::data::hashtable::Stats;
use crate::value::Record;

/// Expired keys met in a row before RANDOMKEY takes one that it may not remove (Redis: maxtries).
const HIDDEN_TRIES: usize = 100;
/// Expired keys that one RANDOMKEY removes before it says that there is none.
const REMOVED_TRIES: usize = 5000;
/// Buckets that a scan visits for each key it may return (Redis: maxiterations).
const BUCKETS_PER_KEY: usize = 10;

impl Keyspace {
    /// Visits at least `count` keys from a cursor on, unless the end comes first or too many
    /// buckets are empty; returns the next cursor, 0 at the end. Keys that are there all the time
    /// are visited at least once. Any cursor is valid. Keys whose time is over are visited too.
    pub fn scan(
        &self,
        db: usize,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) -> u64 {
        let mut cursor = cursor;
        let mut visited = 0;
        for _ in 0..=count.saturating_mul(BUCKETS_PER_KEY) {
            cursor = self.dbs[db].scan_bucket(Of::Keys, cursor, |record| {
                visited += 1;
                visit(record);
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    /// All keys of a database, those included whose time is over.
    pub fn iter(&self, db: usize) -> impl Iterator<Item = &Record> {
        self.dbs[db].iter()
    }

    /// A fairly chosen key whose time is not over. Those met on the way are removed, where a read
    /// may do that; otherwise, after many tries, one of them is taken, as Redis does.
    pub fn random_key(&mut self, db: usize) -> Option<Vec<u8>> {
        let removes = self.expire_mode == ExpireMode::Remove;
        let tries = if removes { REMOVED_TRIES } else { HIDDEN_TRIES };
        for tried in 1..=tries {
            let record = self.dbs[db].random(Of::Keys, &mut self.rng)?;
            let expired = record.is_expired(self.expiry_clock());
            let bytes = record.key().to_vec();
            if !expired || (!removes && tried == tries) {
                return Some(bytes);
            }
            let key = self.key(&bytes);
            self.expire_if_needed(db, &key);
        }
        None
    }

    /// How many keys of a database are in a slot.
    pub fn count_in_slot(&self, db: usize, slot: Slot) -> usize {
        self.dbs[db].counts(Of::Keys).in_slot(slot)
    }

    /// The keys of a slot.
    pub fn iter_slot(&self, db: usize, slot: Slot) -> impl Iterator<Item = &Record> {
        self.dbs[db].iter_slot(slot)
    }

    /// The shapes of a database's tables (DEBUG HTSTATS): of all keys, then of those with an
    /// expiry.
    pub fn table_stats(&self, db: usize) -> [Vec<Stats>; 2] {
        [Of::Keys, Of::Expires].map(|of| self.dbs[db].shapes(of).collect())
    }

    /// Bytes of a database's tables, without the keys and values (MEMORY STATS): of all keys, then
    /// of those with an expiry.
    pub fn table_bytes(&self, db: usize) -> [usize; 2] {
        [Of::Keys, Of::Expires].map(|of| self.dbs[db].table_bytes(of))
    }

    /// Removes all keys of a slot at once; how many there were. Signals every key.
    pub fn flush_slot(&mut self, db: usize, slot: Slot, free: Free) -> usize {
        let Some(table) = self.dbs[db].take_slot(slot) else { return 0 };
        let keys = table.iter().len();
        let effects = &self.effects;
        if !effects.watched.is_empty()
            || !effects.waiting.is_empty()
            || effects.modified.is_enabled()
        {
            for record in table.iter() {
                self.effects.touch_by(Cause::Server, db, record.key(), false);
                self.effects.waiting.key_was(db, record.key(), record.kind());
            }
        }
        self.effects.bin.discard_tables(vec![table], keys, free);
        keys
    }
}
