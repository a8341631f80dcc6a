//! One database: its keys, slot by slot. Standalone there is one slot; in cluster mode there are
//! 16,384, so that counting, listing or dropping a slot costs what it holds. Called by the
//! keyspace, which adds all side effects; nothing here knows time, clients or statistics.

use super::Key;
use super::field_expiry::FieldExpiries;
use super::slot::{Slot, SlotCounts};
use super::slot_table::{Counts, Doomed, Of, Probe, SlotTable};
use crate::base::limits::SLOTS;
use crate::base::rng::Rng;
use crate::data::hashtable::Stats;
use crate::data::prefetch::prefetch;
use crate::value::Record;

const SLOT_BITS: u32 = SLOTS.trailing_zeros();

const _: () = assert!(SLOTS.is_power_of_two());

/// A database's tables by slot, or some of them.
pub(super) type Tables = Vec<SlotTable>;

/// A database.
pub struct Db {
    /// 1 or `SLOTS`.
    slots: usize,
    /// Empty until the first key arrives.
    tables: Tables,
    counts: Counts,
    /// Running average of the time that keys still have, in milliseconds (INFO: avg_ttl).
    pub(super) avg_ttl: i64,
    expiry_walk: ExpiryWalk,
}

/// Where the active expiry goes on. It walks the buckets by number, over and over. The order of a
/// scan would empty one corner of the space of hashes after the other, and crowd what is left in
/// few of the buckets that a shrinking table has.
#[derive(Debug, Default)]
struct ExpiryWalk {
    slot: Slot,
    bucket: u64,
    /// Buckets to visit before the next slot's turn.
    left: usize,
}

impl Db {
    pub(super) fn new(slots: usize) -> Self {
        Db {
            slots,
            tables: Vec::new(),
            counts: Counts::default(),
            avg_ttl: 0,
            expiry_walk: ExpiryWalk::default(),
        }
    }

    #[inline]
    fn table(&self, slot: Slot) -> Option<&SlotTable> {
        self.tables.get(slot.index())
    }

    #[inline]
    pub(super) fn counts(&self, of: Of) -> &SlotCounts {
        self.counts.of(of)
    }

    /// Hashes with fields that expire.
    #[inline]
    pub(super) fn field_expiries(&self) -> &FieldExpiries {
        &self.counts.fields
    }

    /// A key that is not there is in no list.
    pub(super) fn forget_fields(&mut self, key: &[u8]) {
        self.counts.fields.forget(key);
    }

    #[inline]
    pub(super) fn get(&self, key: &Key<'_>) -> Option<&Record> {
        self.table(key.slot)?.get(key)
    }

    #[inline]
    pub(super) fn probe(&mut self, key: &Key<'_>, now_ms: i64) -> Probe<'_> {
        match self.tables.get_mut(key.slot.index()) {
            Some(table) => table.probe(key, now_ms, &mut self.counts),
            None => Probe::Vacant,
        }
    }

    fn make_tables(&mut self) {
        if self.tables.is_empty() {
            self.tables.resize_with(self.slots, SlotTable::default);
            self.counts = Counts::new(self.slots);
        }
    }

    /// Lets a database without keys take so many, and so many that expire, without growing. Slots
    /// of a cluster have tables of their own, and grow.
    pub(super) fn prepare(&mut self, keys: usize, expires: usize) {
        if self.slots == 1 && self.counts.keys.total() == 0 && keys > 0 {
            self.make_tables();
            self.tables[0].prepare(keys, expires);
        }
    }

    /// Stores a record under a key that is not there.
    pub(super) fn insert(&mut self, key: &Key<'_>, record: Record) {
        self.make_tables();
        self.tables[key.slot.index()].insert(key, record, &mut self.counts);
    }

    /// Looks up `key` to remove it, whether its time is over or not.
    pub(super) fn doom(&mut self, key: &Key<'_>) -> Option<Doomed<'_>> {
        self.tables.get_mut(key.slot.index())?.doom(key, &mut self.counts)
    }

    /// All tables, leaving the database empty.
    pub(super) fn take_tables(&mut self) -> Tables {
        std::mem::replace(self, Db::new(self.slots)).tables
    }

    /// One slot's table, leaving the slot empty.
    pub(super) fn take_slot(&mut self, slot: Slot) -> Option<SlotTable> {
        let table = std::mem::take(self.tables.get_mut(slot.index())?);
        self.counts.keys.clear_slot(slot);
        self.counts.expires.clear_slot(slot);
        if !self.counts.fields.is_empty() {
            table.iter().for_each(|record| self.counts.fields.forget(record.key()));
        }
        Some(table)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.tables.iter().flat_map(|table| table.iter())
    }

    pub(super) fn iter_slot(&self, slot: Slot) -> impl Iterator<Item = &Record> {
        self.table(slot).into_iter().flat_map(SlotTable::iter)
    }

    /// Visits one bucket, and returns the cursor of the next; 0 begins and ends. In cluster mode
    /// the low bits are the slot. Any cursor is valid.
    pub(super) fn scan_bucket(&self, of: Of, cursor: u64, visit: impl FnMut(&Record)) -> u64 {
        let slot_bits = if self.slots > 1 { SLOT_BITS } else { 0 };
        let from = Slot((cursor & ((1 << slot_bits) - 1)) as u16);
        let counts = self.counts.of(of);
        let Some(slot) = counts.next_used(from) else { return 0 };
        let position = if slot == from { cursor >> slot_bits } else { 0 };
        let next = self.table(slot).map_or(0, |table| table.scan(of, position, visit));
        if next != 0 {
            return (next << slot_bits) | u64::from(slot.0);
        }
        // A slot in the middle that ends is followed by the next one's beginning.
        counts.next_used(Slot(slot.0 + 1)).map_or(0, |slot| u64::from(slot.0))
    }

    /// Visits the next bucket of records that expire; in time, all of them.
    pub(super) fn visit_expiring(&mut self, visit: impl FnMut(&Record)) {
        let counts = &self.counts.expires;
        let walk = &mut self.expiry_walk;
        if walk.left == 0 || counts.in_slot(walk.slot) == 0 {
            let next = counts.next_used(Slot(walk.slot.0 + 1));
            let Some(slot) = next.or_else(|| counts.next_used(Slot(0))) else { return };
            // More than there are numbers of buckets, at over six entries each.
            *walk = ExpiryWalk { slot, bucket: 0, left: counts.in_slot(slot) / 3 + 1 };
        }
        let ExpiryWalk { slot, bucket, .. } = *walk;
        walk.bucket += 1;
        walk.left -= 1;
        if let Some(table) = self.table(slot) {
            table.scan(Of::Expires, bucket, visit);
        }
    }

    /// A fairly chosen record.
    pub(super) fn random(&self, of: Of, rng: &mut Rng) -> Option<&Record> {
        self.table(self.random_slot(of, rng)?)?.random(of, rng)
    }

    /// Visits up to `count` records from random places.
    pub(super) fn sample(
        &self,
        of: Of,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(&Record),
    ) {
        let mut left = count;
        // A slot may have fewer keys than are wanted; as many slots as keys are always enough
        // tries.
        for _ in 0..count {
            let Some(table) = self.random_slot(of, rng).and_then(|slot| self.table(slot)) else {
                return;
            };
            table.sample(of, rng, left, |record| {
                left = left.saturating_sub(1);
                visit(record);
            });
            if left == 0 || self.slots == 1 {
                return;
            }
        }
    }

    /// A slot, as likely as it has keys.
    fn random_slot(&self, of: Of, rng: &mut Rng) -> Option<Slot> {
        let counts = self.counts.of(of);
        let total = counts.total() as u64;
        (total > 0).then(|| counts.slot_of_nth(rng.below(total) as usize))
    }

    #[inline]
    pub(super) fn prefetch_table(&self, key: &Key<'_>) {
        if let Some(table) = self.table(key.slot) {
            prefetch(&raw const *table);
        }
    }

    #[inline]
    pub(super) fn prefetch_bucket(&self, key: &Key<'_>) {
        if let Some(table) = self.table(key.slot) {
            table.prefetch_bucket(key.hash);
        }
    }

    #[inline]
    pub(super) fn prefetch_record(&self, key: &Key<'_>) {
        if let Some(table) = self.table(key.slot) {
            table.prefetch_record(key.hash);
        }
    }

    /// The tables' shapes, slot by slot.
    pub(super) fn shapes(&self, of: Of) -> impl Iterator<Item = Stats> {
        self.tables.iter().map(move |table| table.stats(of))
    }

    /// Bytes of all tables, without the records.
    pub(super) fn table_bytes(&self, of: Of) -> usize {
        let tables = self.tables.iter().map(|table| table.bytes(of));
        // Each slot's two tables stand in the list side by side.
        let list = self.tables.capacity() * size_of::<SlotTable>() / 2;
        list + tables.sum::<usize>() + self.counts.of(of).heap_bytes()
    }
}
