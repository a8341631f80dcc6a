//! The hash table of the keyspace and of big sets, hashes and sorted sets.
//!
//! Linear hashing: buckets are one cache line each, and every few insertions split one bucket in
//! two, every few removals merge two into one. There is no second table and no pause while one is
//! filled: an insertion or removal moves the entries of at most one bucket. Buckets lie in segments
//! that stay in place (`segments`); a bucket and its overflow nodes are a chain (`chain`).
//!
//! A bucket is found by the low bits of the hash, a slot by the high ones. Read from the lowest bit
//! on, the hash is a position in a space of which each bucket covers one interval; splitting and
//! merging cut and join intervals, so a position is a scan cursor that outlives both (`walk`).
//!
//! Callers hand in the hash of the key, computed once by [`crate::base::hash::hash`]. The table
//! never reads time, never blocks, and never does work in proportion to its size except in
//! [`Table::clear`], in dropping it and in [`Table::stats`]; big tables are emptied by
//! [`Table::drain_step`] or dropped on another thread.

#![allow(unsafe_code)]

mod chain;
mod resize;
mod segments;
mod walk;

#[cfg(test)]
mod tests;

use std::ptr::NonNull;

use chain::{Chain, Tag};
use segments::Segments;
pub use walk::{Iter, Stats};

/// What a table stores: one pointer, owning or not, to a record that knows its key.
///
/// The key must not change while the entry is in a table.
pub trait Entry {
    /// The bytes that were hashed to file this entry.
    fn key(&self) -> &[u8];
}

/// A hash table of entries that carry their own keys.
pub struct Table<E: Entry> {
    segments: Segments<E>,
    len: usize,
}

// SAFETY: the table owns its memory and its entries, and shares neither.
unsafe impl<E: Entry + Send> Send for Table<E> {}
// SAFETY: methods that take `&self` only read.
unsafe impl<E: Entry + Sync> Sync for Table<E> {}

const _: () = assert!(size_of::<Table<&'static Probe>>() <= 40, "a cluster has a table per slot");

/// Stands for an entry where only sizes matter.
struct Probe;

impl Entry for &'static Probe {
    fn key(&self) -> &[u8] {
        &[]
    }
}

impl<E: Entry> Table<E> {
    const LAYOUT: () = chain::assert_layout::<E>();

    /// An empty table, which has allocated nothing.
    pub const fn new() -> Self {
        let () = Self::LAYOUT;
        Table { segments: Segments::new(), len: 0 }
    }

    /// Entries in the table.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes that the table has allocated; the records behind the entries are not counted.
    pub fn heap_bytes(&self) -> usize {
        self.segments.heap_bytes()
    }

    /// The chain that this hash belongs to; there must be a bucket.
    #[inline(always)]
    fn chain(&self, hash: u64) -> Chain<E> {
        self.segments.chain(resize::bucket_of(hash, self.segments.len()))
    }

    #[inline(always)]
    fn find(&self, hash: u64, key: &[u8]) -> Option<NonNull<E>> {
        if self.segments.len() == 0 {
            return None;
        }
        self.chain(hash).find(Tag::of(hash), key)
    }

    /// The entry with this key.
    #[inline]
    pub fn get(&self, hash: u64, key: &[u8]) -> Option<&E> {
        // SAFETY: the slot holds an entry, and the table is borrowed for as long as the reference.
        self.find(hash, key).map(|slot| unsafe { slot.as_ref() })
    }

    /// The entry with this key. It may be replaced by another one with the same key, not by one
    /// with a different key.
    #[inline]
    pub fn get_mut(&mut self, hash: u64, key: &[u8]) -> Option<&mut E> {
        // SAFETY: as in `get`; the table is borrowed exclusively.
        self.find(hash, key).map(|mut slot| unsafe { slot.as_mut() })
    }

    /// Whether there is an entry with this key.
    #[inline]
    pub fn contains(&self, hash: u64, key: &[u8]) -> bool {
        self.find(hash, key).is_some()
    }

    /// Stores an entry whose key is not in the table.
    #[inline]
    pub fn insert(&mut self, hash: u64, entry: E) {
        debug_assert_eq!(hash, chain::hash_of(&entry), "entries are filed under their key's hash");
        debug_assert!(!self.contains(hash, entry.key()), "insert is for absent keys");
        if self.segments.len() == 0 {
            self.segments.push();
        }
        let linked = self.chain(hash).push(Tag::of(hash), entry);
        self.segments.nodes += u32::from(linked);
        self.len += 1;
        self.grow();
    }

    /// Takes out the entry with this key.
    #[inline]
    pub fn remove(&mut self, hash: u64, key: &[u8]) -> Option<E> {
        if self.segments.len() != 0 {
            // The gap is closed with the chain's last entry, which may lie there.
            self.chain(hash).prefetch_node();
        }
        self.find(hash, key).map(|slot| self.take(hash, slot))
    }

    fn take(&mut self, hash: u64, slot: NonNull<E>) -> E {
        let (entry, freed) = self.chain(hash).take(slot);
        self.segments.nodes -= u32::from(freed);
        self.len -= 1;
        self.shrink();
        entry
    }

    /// Looks a key up once, for callers that then replace, remove or insert.
    #[inline(always)] // around a call whose result is a register, not a copy of what it wrote
    pub fn lookup(&mut self, hash: u64, key: &[u8]) -> Lookup<'_, E> {
        match self.find_apart(hash, key) {
            Some(slot) => Lookup::Found(Found { table: self, hash, slot }),
            None => Lookup::Vacant(Vacant { table: self, hash }),
        }
    }

    #[inline(never)]
    fn find_apart(&self, hash: u64, key: &[u8]) -> Option<NonNull<E>> {
        self.find(hash, key)
    }

    /// Asks for the bucket of this hash. [`Table::prefetch_entry`] comes next, after other work.
    #[inline]
    pub fn prefetch_bucket(&self, hash: u64) {
        if self.segments.len() != 0 {
            self.chain(hash).prefetch();
        }
    }

    /// Asks for the records that may have this hash, reading the bucket.
    #[inline]
    pub fn prefetch_entry(&self, hash: u64) {
        if self.segments.len() != 0 {
            self.chain(hash).prefetch_matches(Tag::of(hash));
        }
    }
}

impl<E: Entry> Default for Table<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Entry> Drop for Table<E> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What [`Table::lookup`] came to.
pub enum Lookup<'a, E: Entry> {
    /// There is an entry.
    Found(Found<'a, E>),
    /// There is none.
    Vacant(Vacant<'a, E>),
}

/// An entry in its place, which may be read, replaced or removed.
pub struct Found<'a, E: Entry> {
    table: &'a mut Table<E>,
    hash: u64,
    slot: NonNull<E>,
}

impl<'a, E: Entry> Found<'a, E> {
    /// The entry.
    #[inline]
    pub fn get(&self) -> &E {
        // SAFETY: the slot holds an entry, and the table is borrowed.
        unsafe { self.slot.as_ref() }
    }

    /// The entry, for as long as the table is borrowed. As with [`Table::get_mut`], its key must
    /// stay.
    #[inline]
    pub fn into_mut(mut self) -> &'a mut E {
        // SAFETY: as in `get`; the borrow is exclusive and given away.
        unsafe { self.slot.as_mut() }
    }

    /// Puts an entry with the same key in place of this one, which is returned.
    #[inline]
    pub fn replace(self, entry: E) -> E {
        debug_assert!(self.get().key() == entry.key(), "a replacement has the same key");
        std::mem::replace(self.into_mut(), entry)
    }

    /// Takes the entry out.
    #[inline]
    pub fn remove(self) -> E {
        self.table.take(self.hash, self.slot)
    }
}

/// The absence of a key, to be ended by [`Vacant::insert`].
pub struct Vacant<'a, E: Entry> {
    table: &'a mut Table<E>,
    hash: u64,
}

impl<E: Entry> Vacant<'_, E> {
    /// Stores an entry with the key that was looked up.
    #[inline]
    pub fn insert(self, entry: E) {
        self.table.insert(self.hash, entry);
    }
}
