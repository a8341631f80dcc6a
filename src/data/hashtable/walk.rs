//! Ways through a table without a key: iteration, scanning with a cursor, random choice,
//! statistics.
//!
//! Called for SCAN and its kin, RANDOMKEY, eviction, expiry, snapshots and DEBUG HTSTATS. Nothing
//! here changes a table.

#![allow(unsafe_code)]

use super::chain::Slots;
use super::resize::{bucket_of, mask};
use super::{Entry, Table};
use crate::base::rng::Rng;

/// Buckets chosen at random before settling for an entry that is only nearly fair.
const RANDOM_TRIES: u32 = 256;
/// Buckets chosen, and prefetched, at a time.
const RANDOM_BATCH: usize = 8;
/// Entries among which the nearly fair one is chosen.
const NEIGHBOURS: u64 = 16;

impl<E: Entry> Table<E> {
    /// All entries, in no particular order.
    pub fn iter(&self) -> Iter<'_, E> {
        Iter { table: self, bucket: 0, slots: Slots::none(), left: self.len }
    }

    /// Visits the entries of one bucket and returns the cursor of the next, 0 after the last; a
    /// scan begins with 0. An entry that is in the table from the first call to the last is visited
    /// at least once, however the table grows and shrinks in between. Any cursor is valid, and the
    /// returned one is below the next power of two of the number of buckets, so fits 32 bits.
    ///
    /// The cursor is a position in the space of hashes read from the lowest bit on: a bucket covers
    /// the positions that begin with its own bits, and the next one begins where it ends.
    pub fn scan<'t>(&'t self, cursor: u64, mut visit: impl FnMut(&'t E)) -> u64 {
        let buckets = self.segments.len();
        if buckets == 0 {
            return 0;
        }
        let index = bucket_of(cursor, buckets);
        self.visit_bucket(index, &mut visit);
        let split_mask = mask(buckets);
        let half = split_mask ^ (split_mask >> 1);
        let unsplit = index < half && index + half >= buckets;
        let bits = u64::from(if unsplit { split_mask >> 1 } else { split_mask });
        (cursor | !bits).reverse_bits().wrapping_add(1).reverse_bits()
    }

    fn visit_bucket<'t>(&'t self, index: u32, mut visit: impl FnMut(&'t E)) {
        let chain = self.segments.chain(index);
        chain.prefetch_here();
        // SAFETY: the slots hold entries, and the table is borrowed meanwhile.
        chain.for_each_slot(|slot| visit(unsafe { &*slot }));
    }

    /// An entry, each with the same probability.
    ///
    /// A bucket and a position are drawn until there is an entry: positions go up to more than any
    /// chain has, so that the entry of a short chain is no likelier. When nearly all buckets are
    /// empty the number of tries is the limit, and the choice is among neighbours.
    pub fn random(&self, rng: &mut Rng) -> Option<&E> {
        if self.len == 0 {
            return None;
        }
        let positions = self.positions();
        for _ in 0..RANDOM_TRIES / RANDOM_BATCH as u32 {
            let picks: [u32; RANDOM_BATCH] = std::array::from_fn(|_| self.random_bucket(rng));
            for pick in picks {
                self.segments.chain(pick).prefetch();
            }
            for pick in picks {
                let position = rng.below(positions) as usize;
                if let Some(slot) = self.segments.chain(pick).nth(position) {
                    // SAFETY: `nth` gives a slot that holds an entry; the table is borrowed.
                    return Some(unsafe { &*slot });
                }
            }
        }
        self.random_neighbour(rng)
    }

    fn random_bucket(&self, rng: &mut Rng) -> u32 {
        rng.below(u64::from(self.segments.len())) as u32
    }

    /// More than the longest chain that the load makes likely. Chains vary as a Poisson
    /// distribution does; buckets that await their split in this round hold up to twice the mean.
    fn positions(&self) -> u64 {
        let load = (self.len >> self.segments.len().ilog2()) + 1;
        (load + 5 * load.isqrt() + 5) as u64
    }

    fn random_neighbour(&self, rng: &mut Rng) -> Option<&E> {
        let mut chosen = None;
        let mut seen = 0;
        let start = self.random_bucket(rng);
        for step in 0..self.segments.len() {
            let index = (u64::from(start) + u64::from(step)) % u64::from(self.segments.len());
            self.segments.chain(index as u32).for_each_slot(|slot| {
                seen += 1;
                if rng.below(seen) == 0 {
                    chosen = Some(slot);
                }
            });
            if seen >= NEIGHBOURS {
                break;
            }
        }
        // SAFETY: the slot holds an entry; the table is borrowed.
        chosen.map(|slot| unsafe { &*slot })
    }

    /// Visits `count` entries from a random place on, or all when there are fewer; in bounded time,
    /// so that a nearly empty table may yield fewer. Neighbours come together: cheap, and fair
    /// enough for eviction and expiry.
    pub fn sample(&self, rng: &mut Rng, count: usize, mut visit: impl FnMut(&E)) {
        let buckets = self.segments.len();
        if self.len == 0 {
            return;
        }
        let mut left = count.min(self.len);
        let start = self.random_bucket(rng);
        // The entries passed over in the first bucket are the last to come, if it comes to them.
        let skipped = rng.below(self.segments.chain(start).len() as u64) as usize;
        let most = buckets.min(u32::try_from(count).unwrap_or(u32::MAX).saturating_mul(10));
        for step in 0..=most {
            let index = (u64::from(start) + u64::from(step)) % u64::from(buckets);
            let chain = self.segments.chain(index as u32);
            let from = if step == 0 { skipped } else { 0 };
            chain.prefetch_here();
            for slot in (from..).map_while(|position| chain.nth(position)) {
                if left == 0 {
                    return;
                }
                left -= 1;
                // SAFETY: `nth` gives a slot that holds an entry; the table is borrowed.
                visit(unsafe { &*slot });
            }
        }
    }

    /// Counts every chain, in time proportional to the number of buckets.
    pub fn stats(&self) -> Stats {
        let mut stats = Stats {
            buckets: self.segments.len() as usize,
            entries: self.len,
            overflow_nodes: self.segments.nodes as usize,
            chain_max: 0,
            chains: [0; Stats::CHAIN_LENGTHS],
        };
        for index in 0..self.segments.len() {
            let length = self.segments.chain(index).len();
            stats.chain_max = stats.chain_max.max(length);
            stats.chains[length.min(Stats::CHAIN_LENGTHS - 1)] += 1;
        }
        stats
    }
}

/// The shape of a table, for DEBUG HTSTATS.
#[derive(Clone, Debug)]
pub struct Stats {
    /// Buckets, empty ones included.
    pub buckets: usize,
    /// Entries.
    pub entries: usize,
    /// Nodes for entries beyond a bucket's slots.
    pub overflow_nodes: usize,
    /// Entries of the fullest bucket.
    pub chain_max: usize,
    /// Buckets by their number of entries; the last counts all that have as many or more.
    pub chains: [usize; Stats::CHAIN_LENGTHS],
}

impl Stats {
    /// Lengths that are counted apart.
    pub const CHAIN_LENGTHS: usize = 32;
}

/// An iterator over all entries.
pub struct Iter<'a, E: Entry> {
    table: &'a Table<E>,
    /// The next bucket.
    bucket: u32,
    /// What is left of the one before it.
    slots: Slots<E>,
    left: usize,
}

impl<'a, E: Entry> Iterator for Iter<'a, E> {
    type Item = &'a E;

    #[inline]
    fn next(&mut self) -> Option<&'a E> {
        loop {
            if let Some(slot) = self.slots.next() {
                self.left -= 1;
                // SAFETY: the slot holds an entry; the table is borrowed.
                return Some(unsafe { &*slot });
            }
            let segments = &self.table.segments;
            if self.bucket == segments.len() {
                return None;
            }
            self.slots = segments.chain(self.bucket).slots();
            self.bucket += 1;
            if self.bucket < segments.len() {
                segments.chain(self.bucket).prefetch_here();
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<E: Entry> ExactSizeIterator for Iter<'_, E> {}

impl<'a, E: Entry> IntoIterator for &'a Table<E> {
    type Item = &'a E;
    type IntoIter = Iter<'a, E>;

    fn into_iter(self) -> Iter<'a, E> {
        self.iter()
    }
}
