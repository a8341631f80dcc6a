//! Streams: entries, what was ever added and removed, and the groups that consume them. Called by
//! the commands and the snapshot formats; knows no time but what it is handed, and no
//! configuration.

mod group;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;

use crate::data::stream::IdMap;
pub use crate::data::stream::{Entry, Id, IdText, Invalid, Keep, Limits, Log, Parts, Trim};
pub use group::{Consumer, ConsumerId, Group, NEVER, Pending};

use crate::base::alloc;
use crate::data::listpack::Listpack;

impl Limits {
    /// What the directives are without a configuration.
    pub const DEFAULT: Limits = Limits { node_bytes: 4096, node_entries: 100 };
}

/// What a stream counts beside its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Entries that are there.
    pub length: u64,
    /// The id of the first of them, or 0-0.
    pub first_id: Id,
    /// The greatest id that was ever given.
    pub last_id: Id,
    /// The greatest id that was removed by XDEL.
    pub max_deleted_id: Id,
    /// Entries that were ever added.
    pub entries_added: u64,
}

impl Counters {
    /// Whether something was removed between an id and the end, among entries that are there
    /// (Redis: streamRangeHasTombstones).
    pub fn has_deleted_from(&self, start: Id) -> bool {
        self.length > 0
            && self.max_deleted_id != Id::MIN
            && self.first_id <= self.max_deleted_id
            && start <= self.max_deleted_id
    }

    /// How many entries were ever added up to an id, if that can be told (Redis:
    /// streamEstimateDistanceFromFirstEverEntry).
    pub fn read_upto(&self, id: Id) -> Option<i64> {
        let added = self.entries_added as i64;
        if added == 0 {
            return Some(0);
        }
        if id == self.last_id || self.length == 0 && id < self.last_id {
            return Some(added).filter(|&added| added != -1);
        }
        let whole = self.max_deleted_id == Id::MIN || self.max_deleted_id < self.first_id;
        if id > self.last_id || !whole || id > self.first_id {
            return None;
        }
        let before = added.wrapping_sub(self.length as i64);
        let read = if id < self.first_id { before } else { before.wrapping_add(1) };
        Some(read).filter(|&read| read != -1)
    }
}

/// The id that a new entry is to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// The time, or what follows the last one.
    Auto,
    /// The next one of this time.
    At(u64),
    /// This one.
    Given(Id),
}

/// A stream.
///
/// Invariant: no entry has an id greater than `counters.last_id`, and their number is
/// `counters.length`.
#[derive(Clone, Default)]
pub struct Stream {
    log: Log,
    counters: Counters,
    groups: BTreeMap<Box<[u8]>, Group>,
}

impl Stream {
    /// A stream without entries.
    pub fn new() -> Self {
        Stream::default()
    }

    // ---- reading

    /// The entries.
    #[inline]
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// What it counts.
    #[inline]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> u64 {
        self.counters.length
    }

    /// Whether there are no entries. Such a stream stays.
    pub fn is_empty(&self) -> bool {
        self.counters.length == 0
    }

    /// Bytes of the heap that the stream owns, its own included.
    pub fn heap_bytes(&self) -> usize {
        let groups = self.groups.iter();
        let groups: usize =
            groups.map(|(name, group)| alloc::usable_size(name.len()) + group.heap_bytes()).sum();
        alloc::usable_size(size_of::<Stream>())
            + self.log.heap_bytes()
            + group::leaves::<(Box<[u8]>, Group)>(self.groups.len())
            + groups
    }

    /// How much work freeing is; what is pending in all groups is judged by the first one.
    pub fn free_effort(&self) -> usize {
        let pending = self.groups.values().next().map_or(0, |group| 1 + group.pending_len());
        self.log.node_count() + self.groups.len() * pending
    }

    // ---- entries

    /// The id of an entry that is to be added; `None` if that is not greater than the last one.
    pub fn new_id(&self, wanted: NewId, now_ms: u64) -> Option<Id> {
        let last = self.counters.last_id;
        match wanted {
            NewId::Auto if now_ms > last.ms => Some(Id { ms: now_ms, seq: 0 }),
            NewId::Auto => last.next(),
            NewId::At(ms) if ms == last.ms => Some(Id { ms, seq: last.seq.checked_add(1)? }),
            NewId::At(ms) => Some(Id { ms, seq: 0 }),
            NewId::Given(id) => Some(id),
        }
        .filter(|&id| id > last)
    }

    /// Adds an entry, whose id [`Stream::new_id`] gave. There must be a field at least, and all of
    /// them at most [`Limits::NODE_BYTES_MAX`] bytes.
    #[inline]
    pub fn append<'a>(&mut self, id: Id, parts: impl Parts<'a>, limits: Limits) {
        debug_assert!(id > self.counters.last_id);
        self.log.append(id, parts, limits);
        self.counters.length += 1;
        self.counters.entries_added = self.counters.entries_added.wrapping_add(1);
        self.counters.last_id = id;
        if self.counters.length == 1 {
            self.counters.first_id = id;
        }
    }

    /// Removes entries from the beginning; how many that were.
    pub fn trim(&mut self, trim: Trim) -> u64 {
        let removed = self.log.trim(trim, self.counters.length);
        self.counters.length -= removed;
        if removed > 0 || self.counters.length == 0 {
            self.counters.first_id = self.log.first_id().unwrap_or(Id::MIN);
        }
        removed
    }

    /// Removes the entries of these ids; how many there were.
    pub fn remove(&mut self, ids: &[Id]) -> u64 {
        let (mut removed, mut first_removed) = (0, false);
        for &id in ids {
            if self.log.remove(id) {
                removed += 1;
                self.counters.length -= 1;
                first_removed |= id == self.counters.first_id;
                self.counters.max_deleted_id = self.counters.max_deleted_id.max(id);
            }
        }
        if removed > 0 && (first_removed || self.counters.length == 0) {
            self.counters.first_id = self.log.first_id().unwrap_or(Id::MIN);
        }
        removed
    }

    /// Sets the last id and what else is given (XSETID). No entry may have a greater one.
    pub fn set_last_id(&mut self, id: Id, entries_added: Option<u64>, max_deleted: Option<Id>) {
        self.counters.last_id = id;
        self.counters.entries_added = entries_added.unwrap_or(self.counters.entries_added);
        self.counters.max_deleted_id = max_deleted.unwrap_or(self.counters.max_deleted_id);
    }

    // ---- groups

    /// How many groups there are.
    pub fn groups_len(&self) -> usize {
        self.groups.len()
    }

    /// The groups by their names.
    pub fn groups(&self) -> impl Iterator<Item = (&[u8], &Group)> {
        self.groups.iter().map(|(name, group)| (&name[..], group))
    }

    /// The group of a name.
    pub fn group(&self, name: &[u8]) -> Option<&Group> {
        self.groups.get(name)
    }

    /// The group of a name, to be edited, with what it reads.
    pub fn group_mut(&mut self, name: &[u8]) -> Option<(&mut Group, &Log, &Counters)> {
        let Stream { log, counters, groups } = self;
        groups.get_mut(name).map(|group| (group, &*log, &*counters))
    }

    /// Adds a group; false if there is one of this name.
    pub fn create_group(&mut self, name: &[u8], group: Group) -> bool {
        let absent = !self.groups.contains_key(name);
        if absent {
            self.groups.insert(name.into(), group);
        }
        absent
    }

    /// Removes a group; a stream that has nothing else, to be freed elsewhere.
    pub fn remove_group(&mut self, name: &[u8]) -> Option<Stream> {
        let removed = self.groups.remove_entry(name)?;
        Some(Stream { groups: BTreeMap::from([removed]), ..Stream::default() })
    }
}

/// A stream that is put together of what a file says.
#[derive(Default)]
pub struct Builder {
    stream: Stream,
    entries: u64,
}

impl Builder {
    /// Adds a node behind all others.
    pub fn push_node(&mut self, master: Id, listpack: Listpack) -> Result<(), Invalid> {
        self.entries += self.stream.log.push_node(master, listpack)?;
        Ok(())
    }

    /// The id of the first entry that was added.
    pub fn first_id(&self) -> Id {
        self.stream.log.first_id().unwrap_or(Id::MIN)
    }

    /// The stream, if these are its counters.
    pub fn finish(self, counters: Counters) -> Result<Stream, Invalid> {
        let last_id = self.stream.log.last_id();
        let fit = last_id.is_none_or(|last_id| last_id <= counters.last_id);
        if fit && counters.length == self.entries {
            Ok(Stream { counters, ..self.stream })
        } else {
            Err(Invalid)
        }
    }
}

/// Whether both have the same entries in the same nodes, the same counters and the same groups.
impl PartialEq for Stream {
    fn eq(&self, other: &Self) -> bool {
        let nodes = |stream: &Stream| stream.log.node_count();
        self.counters == other.counters
            && self.groups == other.groups
            && nodes(self) == nodes(other)
            && self.log.nodes().zip(other.log.nodes()).all(|(mine, theirs)| {
                mine.master == theirs.master && mine.listpack == theirs.listpack
            })
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Stream({} entries, {} groups)", self.len(), self.groups_len())
    }
}
