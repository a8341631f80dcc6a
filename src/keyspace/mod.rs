//! All databases of a node. Every access to a key goes through here, and what an access causes
//! beside its purpose (expiry, statistics, access times, events, broken watches, garbage) is
//! documented here and happens nowhere else. Commands call it; time is handed in with
//! [`Keyspace::set_now`]. It knows no clients but by the ids that watch or wait, and counts `dirty`
//! only as told.
//!
//! Database indexes are checked by SELECT and its kin; one out of range panics.

mod access;
mod db;
mod effects;
pub mod events;
pub mod eviction;
pub mod expiry;
mod field_expiry;
mod garbage;
pub mod modified;
mod slot;
mod slot_table;
pub mod waiting;
mod walk;
pub mod watched;

#[cfg(test)]
mod tests;

use bitflags::bitflags;

pub use access::AccessMode;
pub use effects::{KeyspaceStats, LazyFree};
pub use garbage::{Free, Garbage};
pub use slot::Slot;
pub use slot_table::RecordMut;

use crate::base::hash::hash;
use crate::base::limits::SLOTS;
use crate::base::rng::Rng;
use crate::value::{NewValue, Record, Type, Value};
use access::Access;
use db::Db;
use effects::Effects;
use events::{Event, EventClass};
use modified::Cause;
use slot_table::{Of, Probe};
use waiting::{ReadyKey, Serving, WaitFor, WaiterId};
use watched::{Replacement, WatcherId};

/// A key as one request carries it, hashed once.
#[derive(Clone, Copy, Debug)]
pub struct Key<'a> {
    bytes: &'a [u8],
    hash: u64,
    slot: Slot,
}

impl<'a> Key<'a> {
    #[inline]
    fn new(bytes: &'a [u8], cluster: bool) -> Self {
        let slot = if cluster { Slot::of_key(bytes) } else { Slot(0) };
        Key { bytes, hash: hash(bytes), slot }
    }

    /// The key itself.
    #[inline]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Its slot; always 0 when standalone.
    #[inline]
    pub fn slot(&self) -> Slot {
        self.slot
    }
}

bitflags! {
    /// What a lookup leaves out, beside what it is for.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct Lookup: u8 {
        /// Access time and counter stay.
        const NOTOUCH = 1;
        /// Neither hit nor miss.
        const NOSTATS = 1 << 1;
        /// No `keymiss` event.
        const NONOTIFY = 1 << 2;
        /// A key whose time is over is hidden, but stays.
        const NOEXPIRE = 1 << 3;
    }
}

/// What happens to keys whose time is over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ExpireMode {
    /// They are removed when met.
    #[default]
    Remove,
    /// They are hidden and stay: on a read-only replica, whose primary removes them, and while
    /// clients are paused.
    Hide,
    /// They are hidden from reads and removed by writes: on a writable replica.
    RemoveOnWrite,
    /// They are keys like all others: while loading, and for the commands of the primary.
    Ignore,
}

/// What becomes of an expiry when a value is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// It stays as it is.
    Keep,
    /// There is none.
    None,
    /// It is at this time, in milliseconds since the Unix epoch.
    At(i64),
}

/// All databases of a node.
pub struct Keyspace {
    dbs: Vec<Db>,
    cluster: bool,
    now_ms: i64,
    expire_mode: ExpireMode,
    access: Access,
    effects: Effects,
    expirer: expiry::Expirer,
    evictor: eviction::Evictor,
    rng: Rng,
    /// Changes since the last save (Redis: server.dirty). Handlers add to it; nothing here does.
    pub dirty: u64,
}

impl Keyspace {
    /// Empty databases.
    pub fn new(databases: usize, cluster: bool) -> Self {
        let slots = if cluster { SLOTS } else { 1 };
        Keyspace {
            dbs: (0..databases).map(|_| Db::new(slots)).collect(),
            cluster,
            now_ms: 0,
            expire_mode: ExpireMode::default(),
            access: Access::new(),
            effects: Effects::new(databases),
            expirer: expiry::Expirer::default(),
            evictor: eviction::Evictor::default(),
            rng: Rng::from_entropy(),
            dirty: 0,
        }
    }

    /// Draws random keys and samples from this seed on.
    pub fn seed(&mut self, seed: u64) {
        self.rng = Rng::seeded(seed);
    }

    /// The time that all lookups see, in milliseconds since the Unix epoch. Set once per turn of
    /// the loop, so that a key does not expire in the middle of a command.
    #[inline]
    pub fn set_now(&mut self, now_ms: u64) {
        self.now_ms = now_ms as i64;
        self.access.set_now(self.now_ms);
    }

    /// Number of databases.
    pub fn databases(&self) -> usize {
        self.dbs.len()
    }

    /// Whether keys are kept by slot.
    pub fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// Hashes a key, to be done once per request.
    #[inline]
    pub fn key<'a>(&self, bytes: &'a [u8]) -> Key<'a> {
        Key::new(bytes, self.cluster)
    }

    // ---- what follows from configuration and state

    /// What happens to keys whose time is over.
    pub fn set_expire_mode(&mut self, mode: ExpireMode) {
        self.expire_mode = mode;
    }

    /// What is remembered of accesses. Records keep what they have, as in Redis.
    pub fn set_access_mode(&mut self, mode: AccessMode) {
        self.access.mode = mode;
    }

    /// Whether lookups touch access times at all: not for CLIENT NO-TOUCH.
    #[inline]
    pub fn set_touching(&mut self, touching: bool) {
        self.access.enabled = touching && !self.access.saving;
    }

    /// While a child process saves, no lookup touches access times.
    pub fn set_saving(&mut self, saving: bool) {
        self.access.saving = saving;
        self.set_touching(true);
    }

    /// Which classes of events are kept to be published: none, unless it is said to which kind of
    /// channel.
    pub fn set_events(&mut self, classes: EventClass) {
        let published = classes.intersects(EventClass::KEYSPACE | EventClass::KEYEVENT);
        self.effects.events.enabled = if published { classes } else { EventClass::empty() };
    }

    /// Which values go to the helper thread although no command asks for it.
    pub fn set_lazy_free(&mut self, lazy: LazyFree) {
        self.effects.lazy = lazy;
    }

    // ---- lookups

    /// The time that decides what is expired.
    #[inline]
    fn expiry_clock(&self) -> i64 {
        if self.expire_mode == ExpireMode::Ignore { i64::MIN } else { self.now_ms }
    }

    /// Looks a key up to read it. Removes it if its time is over, counts a hit or a miss, reports
    /// `keymiss`, touches the access time.
    #[inline]
    pub fn lookup_read(&mut self, db: usize, key: &Key<'_>) -> Option<&Record> {
        self.lookup_read_with(db, key, Lookup::empty())
    }

    /// [`Keyspace::lookup_read`] without the effects that `without` names: NOTOUCH for TTL, TYPE
    /// and EXISTS; NOTOUCH and NONOTIFY for OBJECT.
    #[inline]
    pub fn lookup_read_with(
        &mut self,
        db: usize,
        key: &Key<'_>,
        without: Lookup,
    ) -> Option<&Record> {
        let clock = self.expiry_clock();
        let Keyspace { dbs, effects, access, rng, .. } = self;
        match dbs[db].probe(key, clock) {
            Probe::Live(mut record) => {
                if !without.contains(Lookup::NOTOUCH) {
                    access.touch(&mut record, rng);
                }
                if !without.contains(Lookup::NOSTATS) {
                    effects.stats.hits += 1;
                }
                return Some(record.into_ref());
            }
            Probe::Expired(doomed) => {
                if self.expire_mode == ExpireMode::Remove && !without.contains(Lookup::NOEXPIRE) {
                    effects.expired(db, key, doomed.remove());
                }
            }
            Probe::Vacant => {}
        }
        if !without.contains(Lookup::NONOTIFY) {
            effects.events.notify(EventClass::KEY_MISS, "keymiss", db, key.bytes);
        }
        if !without.contains(Lookup::NOSTATS) {
            effects.stats.misses += 1;
        }
        None
    }

    /// Looks a key up to change it. Removes it if its time is over, touches the access time.
    /// Whoever then changes the value calls [`Keyspace::signal_modified`].
    #[inline]
    pub fn lookup_write(&mut self, db: usize, key: &Key<'_>) -> Option<RecordMut<'_>> {
        let clock = self.expiry_clock();
        let Keyspace { dbs, effects, access, rng, .. } = self;
        match dbs[db].probe(key, clock) {
            Probe::Live(mut record) => {
                access.touch(&mut record, rng);
                return Some(record);
            }
            Probe::Expired(doomed) => {
                if matches!(self.expire_mode, ExpireMode::Remove | ExpireMode::RemoveOnWrite) {
                    effects.expired(db, key, doomed.remove());
                }
            }
            Probe::Vacant => {}
        }
        None
    }

    /// Looks a key up once more in the command that has looked it up already. No effects.
    #[inline]
    pub fn edit(&mut self, db: usize, key: &Key<'_>) -> Option<RecordMut<'_>> {
        let clock = self.expiry_clock();
        match self.dbs[db].probe(key, clock) {
            Probe::Live(record) => Some(record),
            Probe::Expired(_) | Probe::Vacant => None,
        }
    }

    /// A key's record, unless its time is over. No effects.
    #[inline]
    pub fn peek(&self, db: usize, key: &Key<'_>) -> Option<&Record> {
        self.peek_stored(db, key).filter(|record| !self.is_expired(record))
    }

    /// A key's record, even if its time is over (MEMORY USAGE, DEBUG OBJECT). No effects.
    pub fn peek_stored(&self, db: usize, key: &Key<'_>) -> Option<&Record> {
        self.dbs[db].get(key)
    }

    /// Whether a key exists. No effects: EXISTS counts and expires with
    /// [`Keyspace::lookup_read_with`].
    pub fn exists(&self, db: usize, key: &Key<'_>) -> bool {
        self.peek(db, key).is_some()
    }

    /// Whether a record that was met by walking counts as absent.
    pub fn is_expired(&self, record: &Record) -> bool {
        record.is_expired(self.expiry_clock())
    }

    /// Removes a key that was met by walking, if its time is over and it may be removed by a read;
    /// whether the key counts as absent (Redis: expireIfNeeded).
    pub fn expire_if_needed(&mut self, db: usize, key: &Key<'_>) -> bool {
        let clock = self.expiry_clock();
        let Probe::Expired(doomed) = self.dbs[db].probe(key, clock) else { return false };
        if self.expire_mode == ExpireMode::Remove {
            self.effects.expired(db, key, doomed.remove());
        }
        true
    }

    // ---- changes

    /// Sets a key, whatever it held; returns whether it existed. Overwriting keeps the place and,
    /// if it fits, the allocation. Removes the key first if its time is over, touches the access
    /// time, reports `new`, signals. Whoever waits for what the key becomes is served after the
    /// command.
    pub fn set(&mut self, db: usize, key: &Key<'_>, value: NewValue<'_>, expiry: Expiry) -> bool {
        let clock = self.expiry_clock();
        let Keyspace { dbs, effects, access, rng, .. } = self;
        match dbs[db].probe(key, clock) {
            Probe::Live(mut record) => {
                let expire_at = match expiry {
                    Expiry::Keep => record.expire_at(),
                    Expiry::None => None,
                    Expiry::At(ms) => Some(ms),
                };
                access.touch(&mut record, rng);
                if !effects.waiting.is_empty() {
                    effects.retyped(db, key, record.kind(), value.kind());
                }
                if let Some(value) = record.assign(value, expire_at) {
                    effects.bin.discard_value(value, effects.lazy.server_del);
                }
                effects.touch(db, key.bytes, true);
                return true;
            }
            Probe::Expired(doomed) => effects.expired(db, key, doomed.remove()),
            Probe::Vacant => {}
        }
        let expire_at = match expiry {
            Expiry::At(ms) => Some(ms),
            Expiry::Keep | Expiry::None => None,
        };
        self.insert(db, key, value, expire_at);
        false
    }

    /// Stores a key that is not there, as a lookup has just told. Reports `new`, signals.
    pub fn insert(
        &mut self,
        db: usize,
        key: &Key<'_>,
        value: NewValue<'_>,
        expire_at: Option<i64>,
    ) {
        let mut record = Record::new(key.bytes, value, expire_at);
        record.set_lru(self.access.fresh());
        self.store(db, key, record);
    }

    /// Stores a record, whose key must be `key`, with its own expiry and access time; one that is
    /// there already is discarded. Reports `new`, signals. For RENAME, MOVE and COPY, and for
    /// loading.
    pub fn insert_record(&mut self, db: usize, key: &Key<'_>, record: Record) {
        debug_assert_eq!(key.bytes, record.key());
        if let Some(doomed) = self.dbs[db].doom(key) {
            let old = doomed.remove();
            self.effects.waiting.key_was(db, key.bytes, old.kind());
            self.effects.bin.discard_record(old, self.effects.lazy.server_del);
        }
        self.store(db, key, record);
    }

    fn store(&mut self, db: usize, key: &Key<'_>, record: Record) {
        self.effects.waiting.key_is(db, key.bytes, record.kind());
        self.dbs[db].insert(key, record);
        self.effects.events.notify(EventClass::NEW, "new", db, key.bytes);
        self.effects.touch(db, key.bytes, true);
    }

    /// Stores a key of a file that is loaded; false if it is there already. No effects: nobody has
    /// seen the keyspace without it.
    pub fn load(
        &mut self,
        db: usize,
        key: &Key<'_>,
        value: NewValue<'_>,
        (expire_at, lru): (Option<i64>, u32),
    ) -> bool {
        let absent = self.dbs[db].get(key).is_none();
        if absent {
            let mut record = Record::new(key.bytes, value, expire_at);
            record.set_lru(lru);
            self.dbs[db].insert(key, record);
        }
        absent
    }

    /// So many keys are about to be loaded into a database, and so many of them expire: an empty
    /// one is prepared for them. The caller bounds both numbers.
    pub fn expect_keys(&mut self, db: usize, keys: usize, expires: usize) {
        self.dbs[db].prepare(keys, expires);
    }

    /// What a record has of accesses that a file tells of, or else what a new one has.
    pub fn lru_of(&self, idle_seconds: Option<u64>, frequency: Option<u8>) -> u32 {
        let idle = idle_seconds.and_then(|seconds| self.access.of_idle(seconds));
        let lfu = frequency.and_then(|counter| self.access.of_frequency(counter));
        lfu.or(idle).unwrap_or(self.access.fresh())
    }

    /// Removes a key; whether there was one whose time was not over. Signals.
    pub fn remove(&mut self, db: usize, key: &Key<'_>, free: Free) -> bool {
        let taken = self.take(db, key);
        let existed = taken.is_some();
        if let Some(record) = taken {
            self.effects.bin.discard_record(record, free);
        }
        existed
    }

    /// Frees what was taken out of a value, by the helper if it is big.
    pub fn discard(&mut self, value: Value) {
        self.effects.bin.discard_value(value, Free::Now);
    }

    /// Takes a key's record out, unless its time is over. Signals.
    pub fn take(&mut self, db: usize, key: &Key<'_>) -> Option<Record> {
        let clock = self.expiry_clock();
        let doomed = self.dbs[db].doom(key)?;
        if !doomed.is_expired(clock) {
            let record = doomed.remove();
            self.effects.touch(db, key.bytes, false);
            self.effects.waiting.key_was(db, key.bytes, record.kind());
            return Some(record);
        }
        if matches!(self.expire_mode, ExpireMode::Remove | ExpireMode::RemoveOnWrite) {
            self.effects.expired(db, key, doomed.remove());
        }
        None
    }

    /// Sets, changes or removes a key's expiry; whether the key exists. Signals.
    pub fn set_expire(&mut self, db: usize, key: &Key<'_>, expire_at: Option<i64>) -> bool {
        let Some(mut record) = self.edit(db, key) else { return false };
        record.set_expire(expire_at);
        self.effects.touch(db, key.bytes, true);
        true
    }

    /// The bytes of a string that this command has looked up, to be edited; they become `raw`.
    /// `None` if there is no string. Signals.
    pub fn string_mut(&mut self, db: usize, key: &Key<'_>) -> Option<&mut Vec<u8>> {
        self.effects.touch(db, key.bytes, true);
        self.edit(db, key)?.string_mut()
    }

    /// Sets a key to an integer; its expiry stays. In place if it holds one. As [`Keyspace::set`]
    /// otherwise.
    pub fn set_int(&mut self, db: usize, key: &Key<'_>, n: i64) -> bool {
        self.set(db, key, NewValue::Int(n), Expiry::Keep)
    }

    /// A value was changed through a reference: transactions that watch the key must fail, and who
    /// has a copy must know (Redis: signalModifiedKey).
    #[inline]
    pub fn signal_modified(&mut self, db: usize, key: &Key<'_>) {
        if !self.effects.watched.is_empty() {
            let exists = self.dbs[db].get(key).is_some();
            self.effects.watched.touch(db, key.bytes, exists);
        }
        self.effects.modified.note(key.bytes, Cause::Command);
    }

    /// Something happened to a key that notify-keyspace-events may want published.
    #[inline]
    pub fn notify(&mut self, class: EventClass, name: &'static str, db: usize, key: &Key<'_>) {
        self.effects.events.notify(class, name, db, key.bytes);
    }

    // ---- whole databases

    /// Empties a database, or all; the number of keys removed. Signals every key.
    pub fn flush(&mut self, db: Option<usize>, free: Free) -> usize {
        let range = db.map_or(0..self.dbs.len(), |db| db..db + 1);
        let mut removed = 0;
        self.effects.modified.note_flush();
        for index in range {
            self.touch_replaced(index, None);
            let keys = self.dbsize(index);
            removed += keys;
            let tables = self.dbs[index].take_tables();
            self.effects.bin.discard_tables(tables, keys, free);
        }
        removed
    }

    /// Exchanges the contents of two databases (SWAPDB). Signals every key of both.
    pub fn swap(&mut self, a: usize, b: usize) {
        if a != b {
            self.touch_replaced(a, Some(b));
            self.touch_replaced(b, Some(a));
            self.dbs.swap(a, b);
        }
    }

    fn touch_replaced(&mut self, db: usize, by: Option<usize>) {
        let Keyspace { dbs, effects, .. } = self;
        let cluster = self.cluster;
        effects.waiting.replaced(db, |bytes| {
            let key = Key::new(bytes, cluster);
            let kind = |db: usize| dbs[db].get(&key).map(Record::kind);
            (kind(db), by.and_then(kind))
        });
        if effects.watched.is_empty() {
            return;
        }
        let clock = if self.expire_mode == ExpireMode::Ignore { i64::MIN } else { self.now_ms };
        effects.watched.touch_all(db, |bytes| {
            let key = Key::new(bytes, cluster);
            let successor = by.and_then(|by| dbs[by].get(&key));
            Replacement {
                existed: dbs[db].get(&key).is_some(),
                exists: successor.is_some(),
                expired: successor.is_some_and(|record| record.is_expired(clock)),
            }
        });
    }

    /// Keys in a database, those included whose time is over and that nobody met yet.
    #[inline]
    pub fn dbsize(&self, db: usize) -> usize {
        self.dbs[db].counts(Of::Keys).total()
    }

    /// Keys of a database that have an expiry.
    #[inline]
    pub fn expires_len(&self, db: usize) -> usize {
        self.dbs[db].counts(Of::Expires).total()
    }

    // ---- transactions

    /// A client watches a key (WATCH).
    pub fn watch(&mut self, db: usize, key: &Key<'_>, client: WatcherId) {
        let expired = self.peek_stored(db, key).is_some_and(|record| self.is_expired(record));
        self.effects.watched.watch(client, db, key.bytes, expired);
    }

    /// A client watches nothing any more, and no change breaks its transaction (UNWATCH, EXEC,
    /// DISCARD, close).
    #[inline]
    pub fn unwatch_all(&mut self, client: WatcherId) {
        if !self.effects.watched.is_empty() {
            self.effects.watched.unwatch_all(client);
        }
    }

    /// Whether a watched key has changed (the `d` of CLIENT LIST).
    #[inline]
    pub fn is_watch_dirty(&self, client: WatcherId) -> bool {
        self.effects.watched.is_dirty(client)
    }

    /// Whether EXEC must fail: a watched key has changed, or its time was over since.
    pub fn is_watch_broken(&self, client: WatcherId) -> bool {
        let watched = &self.effects.watched;
        watched.is_dirty(client)
            || watched.fresh_keys(client).any(|(db, bytes)| {
                let stored = self.peek_stored(db, &self.key(bytes));
                stored.is_some_and(|record| self.is_expired(record))
            })
    }

    /// How many keys a client watches.
    pub fn watched_keys(&self, client: WatcherId) -> usize {
        self.effects.watched.count(client)
    }

    // ---- clients that wait for keys

    /// A client begins to wait for keys of its database, behind all who wait for them already.
    /// `dispatch::Context::block_on` is what commands call.
    pub fn wait<'k>(
        &mut self,
        client: WaiterId,
        db: usize,
        keys: impl Iterator<Item = &'k [u8]>,
        wait_for: WaitFor,
    ) {
        self.effects.waiting.wait(client, db, keys, wait_for);
    }

    /// A client waits for no key any more.
    pub fn stop_waiting(&mut self, client: WaiterId) {
        self.effects.waiting.stop(client);
    }

    /// Something was added to a key that was there already, of a type whose commands wait for that
    /// and not only for the key (XADD); or they must look again (XGROUP DESTROY).
    #[inline]
    pub fn signal_ready(&mut self, db: usize, key: &Key<'_>, kind: Type) {
        self.effects.waiting.key_is(db, key.bytes, kind);
    }

    /// Whether a key that someone waits for has become ready, or is gone.
    #[inline]
    pub fn has_ready_keys(&self) -> bool {
        self.effects.waiting.has_ready()
    }

    /// Takes the key that has been ready longest, with a mark for [`Keyspace::next_waiter`].
    pub fn take_ready_key(&mut self) -> Option<(ReadyKey, Serving)> {
        self.effects.waiting.take_ready()
    }

    /// The next client that the key, as it is at this moment, concerns; in the order in which they
    /// came.
    pub fn next_waiter(&self, ready: &ReadyKey, serving: &mut Serving) -> Option<WaiterId> {
        let kind = self.peek(ready.db, &self.key(&ready.key)).map(Record::kind);
        self.effects.waiting.next(ready, serving, kind)
    }

    /// How many keys clients wait for (INFO: total_blocking_keys), and for how many of them also to
    /// be told when they go (total_blocking_keys_on_nokey).
    pub fn awaited_keys(&self) -> (usize, usize) {
        self.effects.waiting.keys()
    }

    /// The first of the keys that a client waits for.
    pub fn first_awaited_key(&self, client: WaiterId) -> Option<Key<'_>> {
        self.effects.waiting.first_key(client).map(|bytes| self.key(bytes))
    }

    // ---- what others drain

    /// The counters of INFO.
    pub fn stats(&self) -> &KeyspaceStats {
        &self.effects.stats
    }

    /// Sets all counters to zero (CONFIG RESETSTAT).
    pub fn reset_stats(&mut self) {
        let exceeded = self.effects.stats.eviction_exceeded_since_us;
        self.effects.stats =
            KeyspaceStats { eviction_exceeded_since_us: exceeded, ..KeyspaceStats::default() };
        self.effects.bin.reset_stats();
    }

    /// Whether events wait to be published.
    #[inline]
    pub fn has_events(&self) -> bool {
        !self.effects.events.queue.is_empty()
    }

    /// Events to be published, in order.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.effects.events.queue)
    }

    /// What the helper thread is to free.
    #[inline]
    pub fn take_garbage(&mut self) -> Vec<Garbage> {
        self.effects.bin.take()
    }

    /// Objects handed to lazy freeing that are not freed yet (INFO: lazyfree_pending_objects).
    pub fn lazyfree_pending_objects(&self) -> usize {
        self.effects.bin.pending_objects()
    }

    /// Objects that lazy freeing has freed (INFO: lazyfreed_objects).
    pub fn lazyfreed_objects(&self) -> usize {
        self.effects.bin.freed_objects()
    }

    // ---- accesses

    /// Milliseconds since a record was last touched (OBJECT IDLETIME).
    pub fn idle_ms(&self, record: &Record) -> u64 {
        self.access.idle_ms(record)
    }

    /// Makes a key look last used so many seconds ago (RESTORE), unless accesses are counted.
    pub fn set_idle(&mut self, db: usize, key: &Key<'_>, seconds: u64) {
        self.set_lru(db, key, self.access.of_idle(seconds));
    }

    /// Makes a key look used so often (RESTORE), if accesses are counted.
    pub fn set_frequency(&mut self, db: usize, key: &Key<'_>, counter: u8) {
        self.set_lru(db, key, self.access.of_frequency(counter));
    }

    fn set_lru(&mut self, db: usize, key: &Key<'_>, lru: Option<u32>) {
        if let (Some(lru), Some(mut record)) = (lru, self.edit(db, key)) {
            record.set_lru(lru);
        }
    }

    /// A record's counter of accesses (OBJECT FREQ).
    pub fn frequency(&self, record: &Record) -> u8 {
        self.access.frequency(record)
    }

    // ---- prefetching

    /// Whether a key's table is to be fetched before its bucket, because there are many tables.
    #[inline]
    pub fn has_many_tables(&self) -> bool {
        self.cluster
    }

    /// First stage where there are many tables: asks the processor for the key's table.
    #[inline]
    pub fn prefetch_table(&self, db: usize, key: &Key<'_>) {
        self.dbs[db].prefetch_table(key);
    }

    /// Next stage: asks for the key's bucket.
    #[inline]
    pub fn prefetch_bucket(&self, db: usize, key: &Key<'_>) {
        self.dbs[db].prefetch_bucket(key);
    }

    /// Last stage, some time after the one before: asks for the key's record.
    #[inline]
    pub fn prefetch_record(&self, db: usize, key: &Key<'_>) {
        self.dbs[db].prefetch_record(key);
    }
}
