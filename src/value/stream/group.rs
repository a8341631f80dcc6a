//! Consumer groups: up to where a group was given a stream, who reads in it, and what each was
//! given and has not acknowledged. What is pending belongs to the group; consumers know the ids of
//! theirs. Called by the stream and its commands, which hand in the time.

use std::collections::BTreeMap;

use slab::Slab;

use super::{Counters, IdMap};
use crate::base::alloc;
use crate::data::stream::Id;

/// The time of what never happened.
pub const NEVER: i64 = -1;

/// A consumer of one group. Good for as long as the consumer is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerId(u32);

/// One who reads in a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Consumer {
    name: Box<[u8]>,
    /// When it last asked for something, in milliseconds since the Unix epoch.
    pub seen_time: i64,
    /// When it was last given something, or [`NEVER`].
    pub active_time: i64,
    /// What is pending for it.
    pending: IdMap<()>,
}

impl Consumer {
    /// Its name.
    pub fn name(&self) -> &[u8] {
        &self.name
    }

    /// How many entries are pending for it.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The ids of those from one on.
    pub fn pending_from(&self, start: Id) -> impl Iterator<Item = Id> {
        self.pending.iter_from(start).map(|(id, _)| id)
    }
}

/// An entry that was given to a consumer and not acknowledged (Redis: streamNACK).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Who has it.
    pub consumer: ConsumerId,
    /// When it was given last, in milliseconds since the Unix epoch.
    pub delivery_time: i64,
    /// How often it was given.
    pub delivery_count: u64,
}

/// A consumer group.
///
/// Invariant: what is pending is pending for one consumer, which is there and has the id.
#[derive(Clone)]
pub struct Group {
    /// The last entry that was given to the group.
    pub last_id: Id,
    /// How many entries were given to it, as far as that is known; never -1.
    pub entries_read: Option<i64>,
    pending: IdMap<Pending>,
    consumers: Slab<Consumer>,
    by_name: BTreeMap<Box<[u8]>, ConsumerId>,
}

impl Group {
    /// A group that goes on behind an entry.
    pub fn new(last_id: Id, entries_read: Option<i64>) -> Self {
        Group {
            last_id,
            entries_read,
            pending: IdMap::default(),
            consumers: Slab::new(),
            by_name: BTreeMap::new(),
        }
    }

    // ---- consumers

    /// How many consumers there are.
    pub fn consumers_len(&self) -> usize {
        self.by_name.len()
    }

    /// The consumers by their names.
    pub fn consumers(&self) -> impl Iterator<Item = &Consumer> {
        self.by_name.values().map(|&id| self.consumer(id))
    }

    /// The consumer of this name.
    pub fn find_consumer(&self, name: &[u8]) -> Option<ConsumerId> {
        self.by_name.get(name).copied()
    }

    /// A consumer.
    pub fn consumer(&self, id: ConsumerId) -> &Consumer {
        &self.consumers[id.0 as usize]
    }

    /// A consumer, to be told what it did.
    pub fn consumer_mut(&mut self, id: ConsumerId) -> &mut Consumer {
        &mut self.consumers[id.0 as usize]
    }

    /// Adds a consumer; `None` if there is one of this name.
    pub fn create_consumer(&mut self, name: &[u8], now: i64) -> Option<ConsumerId> {
        if self.by_name.contains_key(name) {
            return None;
        }
        let consumer = Consumer {
            name: name.into(),
            seen_time: now,
            active_time: NEVER,
            pending: IdMap::default(),
        };
        let id = ConsumerId(self.consumers.insert(consumer) as u32);
        self.by_name.insert(name.into(), id);
        Some(id)
    }

    /// Removes a consumer with what is pending for it, and tells how much that was.
    pub fn remove_consumer(&mut self, name: &[u8]) -> Option<usize> {
        let id = self.by_name.remove(name)?;
        let consumer = self.consumers.remove(id.0 as usize);
        for (id, _) in consumer.pending.iter() {
            self.pending.remove(id);
        }
        Some(consumer.pending.len())
    }

    // ---- what is pending

    /// How many entries are pending.
    pub fn pending_len(&self) -> usize {
        self.pending.len()
    }

    /// The pending entry of an id.
    pub fn pending(&self, id: Id) -> Option<&Pending> {
        self.pending.get(id)
    }

    /// The pending entries from an id on, from either end.
    pub fn pending_from(&self, start: Id) -> impl DoubleEndedIterator<Item = (Id, &Pending)> {
        self.pending.iter_from(start)
    }

    /// Makes an entry pending, whoever had it before.
    pub fn set_pending(&mut self, id: Id, pending: Pending) {
        let before = self.pending.insert(id, pending);
        if let Some(before) = before.filter(|before| before.consumer != pending.consumer) {
            self.consumer_mut(before.consumer).pending.remove(id);
        }
        if before.is_none_or(|before| before.consumer != pending.consumer) {
            self.consumer_mut(pending.consumer).pending.insert(id, ());
        }
    }

    /// An entry is pending no more; whether it was.
    pub fn remove_pending(&mut self, id: Id) -> bool {
        let removed = self.pending.remove(id);
        if let Some(pending) = removed {
            self.consumer_mut(pending.consumer).pending.remove(id);
        }
        removed.is_some()
    }

    /// The group is given an entry of a stream with these counters.
    pub fn advance(&mut self, id: Id, counters: &Counters) {
        if id <= self.last_id {
            return;
        }
        match self.entries_read {
            Some(read) if !counters.has_deleted_from(id) => {
                self.entries_read = Some(read.wrapping_add(1)).filter(|&read| read != -1);
            }
            _ if counters.entries_added > 0 => self.entries_read = counters.read_upto(id),
            _ => {}
        }
        self.last_id = id;
    }

    /// How many entries the group was not given yet, if that can be told.
    pub fn lag(&self, counters: &Counters) -> Option<i64> {
        let added = counters.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        let read = match self.entries_read {
            Some(read) if !counters.has_deleted_from(self.last_id) => read,
            _ => counters.read_upto(self.last_id)?,
        };
        Some(added.wrapping_sub(read))
    }

    /// Bytes of the heap that are taken, about. Takes no longer for many pending entries.
    pub fn heap_bytes(&self) -> usize {
        let names: usize = self.by_name.keys().map(|name| 2 * alloc::usable_size(name.len())).sum();
        names
            + leaves::<(Box<[u8]>, ConsumerId)>(self.by_name.len())
            + alloc::usable_size(self.consumers.capacity() * (size_of::<Consumer>() + 8))
            + self.pending.heap_bytes()
            + self.consumers.iter().map(|(_, one)| one.pending.heap_bytes()).sum::<usize>()
    }
}

/// Bytes that a map or set of the standard library takes for so many entries that were added in
/// order.
pub(super) fn leaves<Entry>(entries: usize) -> usize {
    const PLACES: usize = 11;
    const TAKEN: usize = 6;
    entries.div_ceil(TAKEN) * alloc::usable_size(PLACES * size_of::<Entry>() + 16)
}

/// Whether the same consumers have the same pending.
impl PartialEq for Group {
    fn eq(&self, other: &Self) -> bool {
        let owners =
            |group: &Group, pending: &Pending| group.consumer(pending.consumer).name.clone();
        self.last_id == other.last_id
            && self.entries_read == other.entries_read
            && self.consumers().eq(other.consumers())
            && self.pending.len() == other.pending.len()
            && self.pending.iter().zip(other.pending.iter()).all(
                |((id, mine), (other_id, theirs))| {
                    id == other_id
                        && mine.delivery_time == theirs.delivery_time
                        && mine.delivery_count == theirs.delivery_count
                        && owners(self, mine) == owners(other, theirs)
                },
            )
    }
}
