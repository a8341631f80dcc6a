//! How the number of buckets follows the number of entries: one split per few insertions, one merge
//! per few removals, and the bounded steps that the cron and bulk deletion take.
//!
//! Called by the table's insertions and removals, and by whoever maintains or empties tables.

#![allow(unsafe_code)]

use super::chain::{BUCKET_SLOTS, Tag, hash_of};
use super::segments::BUCKETS_MAX;
use super::{Entry, Table};

/// Entries that a table is prepared for at most before the first of them has arrived.
const PREPARED_MAX: usize = 1 << 20;

/// The bucket of a hash in a table of `buckets`, of which there must be one.
///
/// With the next power of two as the number of buckets it would be the hash's low bits; a bucket
/// that does not exist yet is still part of the one it will be split from, which has one bit less.
#[inline(always)]
pub(super) fn bucket_of(hash: u64, buckets: u32) -> u32 {
    let mask = mask(buckets);
    let index = hash as u32 & mask;
    if index < buckets { index } else { index & (mask >> 1) }
}

/// The low bits that tell apart the buckets that have been split in the current round.
#[inline(always)]
pub(super) fn mask(buckets: u32) -> u32 {
    u32::MAX >> ((buckets - 1) | 1).leading_zeros()
}

/// The bucket from which the one at `index` (not 0) is split, and with which it is merged.
fn sibling(index: u32) -> u32 {
    index & (mask(index + 1) >> 1)
}

/// Entries up to which `buckets` suffice. The more, the less memory and the longer the chains: this
/// is six and a half per bucket.
#[inline(always)]
fn entries_max(buckets: u32) -> usize {
    if buckets <= 1 { BUCKET_SLOTS } else { buckets as usize * 13 / 2 }
}

/// Entries below which `buckets` are one too many. Far enough below `entries_max` of one bucket
/// less that a number of entries that goes up and down does not split and merge all the time.
#[inline(always)]
fn entries_min(buckets: u32) -> usize {
    (buckets as usize - 1) * 25 / 4
}

impl<E: Entry> Table<E> {
    /// A table that takes `entries` without splitting a bucket. What is prepared is bounded,
    /// whatever number is asked for.
    pub fn with_capacity(entries: usize) -> Self {
        let mut table = Self::new();
        table.prepare(entries.min(PREPARED_MAX));
        table
    }

    /// Lets a table without entries take so many without splitting a bucket: then none of them is
    /// hashed again. The caller bounds the number. Buckets that stay too many are merged later.
    pub fn prepare(&mut self, entries: usize) {
        if self.len > 0 {
            return;
        }
        while entries > 0
            && self.segments.len() < BUCKETS_MAX
            && (self.segments.len() == 0 || entries_max(self.segments.len()) < entries)
        {
            self.segments.push();
        }
    }

    /// Follows an insertion: splits a bucket if it is time, and prepares the next split, whose
    /// entries must be hashed, by asking for their records before they are needed.
    #[inline]
    pub(super) fn grow(&mut self) {
        let enough = entries_max(self.segments.len());
        if self.len + 1 >= enough {
            self.grow_now(enough);
        }
    }

    fn grow_now(&mut self, enough: usize) {
        let buckets = self.segments.len();
        if buckets == BUCKETS_MAX {
            return;
        }
        let next = self.segments.chain(sibling(buckets));
        if self.len > enough {
            self.split();
        } else if self.len == enough {
            next.prefetch_nodes();
        } else {
            next.prefetch_here();
        }
    }

    fn split(&mut self) {
        let index = self.segments.len();
        self.segments.push();
        let source = self.segments.chain(sibling(index));
        let target = self.segments.chain(index);
        let moves = u64::from(mask(index + 1) ^ (mask(index + 1) >> 1));
        let mut linked = 0;
        let freed = source.drain(|_, entry| {
            let hash = hash_of(&entry);
            let chain = if hash & moves == 0 { source } else { target };
            linked += u32::from(chain.push(Tag::of(hash), entry));
        });
        self.segments.nodes = self.segments.nodes + linked - freed;
        self.segments.chain(sibling(index + 1)).prefetch();
    }

    /// Follows a removal: merges two buckets if it is time, and frees the last bucket with the last
    /// entry. One removal ahead, it asks for the memory that the merge will touch.
    #[inline]
    pub(super) fn shrink(&mut self) {
        let buckets = self.segments.len();
        if buckets > 1 && self.len <= entries_min(buckets) || self.len == 0 {
            self.shrink_now(buckets);
        }
    }

    fn shrink_now(&mut self, buckets: u32) {
        if self.len < entries_min(buckets) || self.len == 0 {
            self.merge();
        } else {
            self.segments.chain(buckets - 1).prefetch_node();
            self.segments.chain(sibling(buckets - 1)).prefetch_node();
        }
    }

    /// Joins the last bucket with the one it was split from.
    fn merge(&mut self) {
        let index = self.segments.len() - 1;
        if index == 0 {
            self.segments.pop();
            return;
        }
        let target = self.segments.chain(sibling(index));
        let source = self.segments.chain(index);
        // Entries from the source's nodes have short tags only. They follow those from its bucket,
        // and a target with any entry has no slot left in its bucket by then.
        let exact = target.len() != 0;
        let mut linked = 0;
        let freed = source.drain(|tag, entry| {
            let tag = if exact { tag } else { Tag::of(hash_of(&entry)) };
            linked += u32::from(target.push(tag, entry));
        });
        self.segments.nodes = self.segments.nodes + linked - freed;
        self.segments.pop();
        if index > 1 {
            self.segments.chain(index - 1).prefetch();
            self.segments.chain(sibling(index - 1)).prefetch();
        }
    }

    /// Merges up to `max_buckets` of the buckets that are too many, as after
    /// [`Table::with_capacity`] for entries that never came; false when nothing is left to do. For
    /// the cron.
    pub fn shrink_step(&mut self, max_buckets: usize) -> bool {
        for _ in 0..max_buckets {
            let buckets = self.segments.len();
            if buckets == 0 || (self.len != 0 && (buckets == 1 || self.len >= entries_min(buckets)))
            {
                return false;
            }
            self.merge();
        }
        true
    }

    /// Takes out at least `max_entries` entries, and at most one chain more, unless fewer are left;
    /// true while there is something left to take or to free. The table may be used between steps.
    pub fn drain_step(&mut self, max_entries: usize, mut out: impl FnMut(E)) -> bool {
        let mut taken = 0;
        // A bucket without entries is work, too.
        while self.segments.len() > 0 && taken < max_entries.max(1) {
            let last = self.segments.chain(self.segments.len() - 1);
            let count = last.len();
            self.len -= count;
            taken += count.max(1);
            let freed = last.drain(|_, entry| out(entry));
            self.segments.nodes -= freed;
            self.segments.pop();
        }
        self.segments.len() > 0
    }

    /// Drops all entries and frees all memory, in time proportional to both.
    pub fn clear(&mut self) {
        self.len = 0;
        for index in 0..self.segments.len() {
            let freed = self.segments.chain(index).drain(|_, entry| drop(entry));
            self.segments.nodes -= freed;
        }
        self.segments.free();
    }
}
