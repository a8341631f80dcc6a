//! A map ordered by ids: a row of chunks, each a sorted array, all of them full where ids were
//! added in their order, as the ids of a stream are. That is half the memory of the standard
//! library's tree. Finding takes two binary searches; changing moves at most one chunk and, seldom,
//! the row.
//!
//! Used for the nodes of a stream and for what is pending in groups. Must never hold an empty
//! chunk.

use std::collections::VecDeque;

use super::Id;
use crate::base::alloc;

/// Bytes of a full chunk.
const CHUNK_BYTES: usize = 2048;
/// Entries for which a chunk begins with room.
const ROOM_MIN: usize = 4;

type Chunk<V> = Vec<(Id, V)>;

/// A place: which chunk, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    chunk: usize,
    index: usize,
}

/// Values by ids.
#[derive(Clone, Debug)]
pub struct IdMap<V> {
    chunks: VecDeque<Chunk<V>>,
    len: usize,
}

impl<V> Default for IdMap<V> {
    fn default() -> Self {
        IdMap { chunks: VecDeque::new(), len: 0 }
    }
}

impl<V> IdMap<V> {
    /// Entries of a full chunk.
    const CHUNK_ENTRIES: usize = CHUNK_BYTES / size_of::<(Id, V)>();

    /// How many entries there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of the heap that are taken, without those of the values. Takes no longer for many
    /// entries; chunks that are not full count as if they were, but for the last.
    pub fn heap_bytes(&self) -> usize {
        let Some(last) = self.chunks.back() else { return 0 };
        let full = alloc::usable_size(CHUNK_BYTES) * (self.chunks.len() - 1);
        full + alloc::usable_size(last.capacity() * size_of::<(Id, V)>())
            + alloc::usable_size(self.chunks.capacity() * size_of::<Chunk<V>>())
    }

    // ---- finding

    /// Where the first entry is whose id is not below this one. The chunk is there, unless that is
    /// behind all entries.
    #[inline]
    fn lower_bound(&self, id: Id) -> Place {
        let chunk = self.chunks.partition_point(|chunk| chunk[chunk.len() - 1].0 < id);
        let index = self
            .chunks
            .get(chunk)
            .map_or(0, |chunk| chunk.partition_point(|(other, _)| *other < id));
        Place { chunk, index }
    }

    /// Where the entry of an id is.
    #[inline]
    fn find(&self, id: Id) -> Option<Place> {
        let place = self.lower_bound(id);
        let found = self.chunks.get(place.chunk)?;
        (found[place.index].0 == id).then_some(place)
    }

    /// Where the last entry is whose id is not above this one.
    fn find_upto(&self, id: Id) -> Option<Place> {
        let place = self.lower_bound(id);
        match self.chunks.get(place.chunk) {
            Some(chunk) if chunk[place.index].0 == id => Some(place),
            _ => self.before(place),
        }
    }

    fn before(&self, place: Place) -> Option<Place> {
        match place.index.checked_sub(1) {
            Some(index) => Some(Place { index, ..place }),
            None => {
                let chunk = place.chunk.checked_sub(1)?;
                Some(Place { chunk, index: self.chunks[chunk].len() - 1 })
            }
        }
    }

    /// The value of an id.
    #[inline]
    pub fn get(&self, id: Id) -> Option<&V> {
        self.find(id).map(|place| &self.chunks[place.chunk][place.index].1)
    }

    /// The last entry whose id is not above this one.
    pub fn last_upto(&self, id: Id) -> Option<(Id, &V)> {
        let place = self.find_upto(id)?;
        let (id, value) = &self.chunks[place.chunk][place.index];
        Some((*id, value))
    }

    /// As [`IdMap::last_upto`], to be edited.
    pub fn last_upto_mut(&mut self, id: Id) -> Option<(Id, &mut V)> {
        let place = self.find_upto(id)?;
        let (id, value) = &mut self.chunks[place.chunk][place.index];
        Some((*id, value))
    }

    /// The first entry, to be edited.
    pub fn first_mut(&mut self) -> Option<(Id, &mut V)> {
        self.chunks.front_mut()?.first_mut().map(|(id, value)| (*id, value))
    }

    /// All entries, from either end.
    pub fn iter(&self) -> Iter<'_, V> {
        let back = Place { chunk: self.chunks.len(), index: 0 };
        Iter { chunks: &self.chunks, front: Place { chunk: 0, index: 0 }, back }
    }

    /// The entries from an id on, from either end.
    pub fn iter_from(&self, start: Id) -> Iter<'_, V> {
        Iter { front: self.lower_bound(start), ..self.iter() }
    }

    /// The entries up to an id, from either end.
    pub fn iter_upto(&self, end: Id) -> Iter<'_, V> {
        let back = match end.next() {
            Some(behind) => self.lower_bound(behind),
            None => self.iter().back,
        };
        Iter { back, ..self.iter() }
    }

    // ---- changing

    /// Sets the value of an id; gives the one that it had.
    pub fn insert(&mut self, id: Id, value: V) -> Option<V> {
        const { assert!(Self::CHUNK_ENTRIES >= ROOM_MIN) };
        let Place { mut chunk, mut index } = self.lower_bound(id);
        if let Some(found) = self.chunks.get_mut(chunk) {
            if found[index].0 == id {
                return Some(std::mem::replace(&mut found[index].1, value));
            }
            if found.len() >= Self::CHUNK_ENTRIES {
                let upper = found.split_off(found.len() / 2);
                let lower = found.len();
                self.chunks.insert(chunk + 1, upper);
                if index > lower {
                    (chunk, index) = (chunk + 1, index - lower);
                }
            }
        } else {
            (chunk, index) = self.place_behind_all();
        }
        let found = &mut self.chunks[chunk];
        if found.len() == found.capacity() {
            let wanted = (2 * found.len()).clamp(ROOM_MIN, Self::CHUNK_ENTRIES);
            found.reserve_exact(wanted - found.len());
        }
        found.insert(index, (id, value));
        self.len += 1;
        None
    }

    /// The place behind all entries, in a chunk that has room.
    fn place_behind_all(&mut self) -> (usize, usize) {
        if self.chunks.back().is_none_or(|last| last.len() >= Self::CHUNK_ENTRIES) {
            self.chunks.push_back(Vec::new());
        }
        let last = self.chunks.len() - 1;
        (last, self.chunks[last].len())
    }

    /// Removes an entry.
    pub fn remove(&mut self, id: Id) -> Option<V> {
        let place = self.find(id)?;
        Some(self.remove_at(place).1)
    }

    /// Removes the first entry.
    pub fn pop_first(&mut self) -> Option<(Id, V)> {
        (self.len > 0).then(|| self.remove_at(Place { chunk: 0, index: 0 }))
    }

    /// Removes the last entry.
    pub fn pop_last(&mut self) -> Option<(Id, V)> {
        let place = self.before(Place { chunk: self.chunks.len(), index: 0 })?;
        Some(self.remove_at(place))
    }

    fn remove_at(&mut self, Place { chunk, index }: Place) -> (Id, V) {
        let found = &mut self.chunks[chunk];
        let removed = found.remove(index);
        self.len -= 1;
        if found.is_empty() {
            self.chunks.remove(chunk);
        } else if found.len() < Self::CHUNK_ENTRIES / 4 {
            self.join(chunk);
            self.join(chunk.saturating_sub(1));
        }
        removed
    }

    /// Joins a chunk with the one behind it, if both together are small.
    fn join(&mut self, chunk: usize) {
        let [len, more] = [chunk, chunk + 1].map(|at| self.chunks.get(at).map_or(0, Vec::len));
        if more > 0
            && len + more <= Self::CHUNK_ENTRIES / 2
            && let Some(mut behind) = self.chunks.remove(chunk + 1)
        {
            self.chunks[chunk].append(&mut behind);
        }
    }
}

impl<V: PartialEq> PartialEq for IdMap<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
    }
}

/// Entries of a map, from either end.
pub struct Iter<'a, V> {
    chunks: &'a VecDeque<Chunk<V>>,
    /// The next entry; behind all others, its chunk is not there.
    front: Place,
    /// Behind the last entry that is still to come.
    back: Place,
}

impl<'a, V> Iterator for Iter<'a, V> {
    type Item = (Id, &'a V);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        let chunk = &self.chunks[self.front.chunk];
        let (id, value) = &chunk[self.front.index];
        self.front.index += 1;
        if self.front.index == chunk.len() {
            self.front = Place { chunk: self.front.chunk + 1, index: 0 };
        }
        Some((*id, value))
    }
}

impl<V> DoubleEndedIterator for Iter<'_, V> {
    fn next_back(&mut self) -> Option<Self::Item> {
        if self.front >= self.back {
            return None;
        }
        if self.back.index == 0 {
            let chunk = self.back.chunk - 1;
            self.back = Place { chunk, index: self.chunks[chunk].len() };
        }
        self.back.index -= 1;
        let (id, value) = &self.chunks[self.back.chunk][self.back.index];
        Some((*id, value))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Few entries to a chunk, so that there are many chunks.
    type Wide = [u64; 30];

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Append,
        Remove(u64),
        PopFirst,
        PopLast,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            3 => (0..200u64).prop_map(Step::Insert),
            3 => Just(Step::Append),
            4 => (0..200u64).prop_map(Step::Remove),
            1 => Just(Step::PopFirst),
            1 => Just(Step::PopLast),
        ]
    }

    fn id(ms: u64) -> Id {
        Id { ms, seq: 0 }
    }

    fn apply(map: &mut IdMap<Wide>, model: &mut BTreeMap<Id, Wide>, step: &Step, value: Wide) {
        match *step {
            Step::Insert(ms) => {
                assert_eq!(map.insert(id(ms), value), model.insert(id(ms), value));
            }
            Step::Append => {
                let behind = model.keys().next_back().map_or(0, |last| last.ms + 1);
                assert_eq!(map.insert(id(behind), value), model.insert(id(behind), value));
            }
            Step::Remove(ms) => assert_eq!(map.remove(id(ms)), model.remove(&id(ms))),
            Step::PopFirst => assert_eq!(map.pop_first(), model.pop_first()),
            Step::PopLast => assert_eq!(map.pop_last(), model.pop_last()),
        }
    }

    proptest! {
        #[test]
        fn is_an_ordered_map(steps in prop::collection::vec(step(), 0..300)) {
            let (mut map, mut model) = (IdMap::<Wide>::default(), BTreeMap::new());
            for (at, step) in steps.iter().enumerate() {
                apply(&mut map, &mut model, step, [at as u64; 30]);
            }
            prop_assert_eq!((map.len(), map.is_empty()), (model.len(), model.is_empty()));
            let all = || model.iter().map(|(id, value)| (*id, value));
            prop_assert!(map.iter().eq(all()));
            prop_assert!(map.iter().rev().eq(all().rev()));
            prop_assert!(map.chunks.iter().all(|chunk| !chunk.is_empty()));
            prop_assert!(map.chunks.iter().all(|chunk| chunk.len() <= chunk.capacity()));
            for ms in 0..210 {
                let id = id(ms);
                prop_assert_eq!(map.get(id), model.get(&id));
                let upto = || model.range(..=id).map(|(id, value)| (*id, value));
                prop_assert_eq!(map.last_upto(id), upto().next_back());
                prop_assert!(map.iter_upto(id).rev().eq(upto().rev()));
                let from = || model.range(id..).map(|(id, value)| (*id, value));
                prop_assert!(map.iter_from(id).eq(from()));
                prop_assert!(map.iter_from(id).rev().eq(from().rev()));
            }
            prop_assert_eq!(map.iter_upto(Id::MAX).count(), model.len());
            let copy = map.clone();
            prop_assert!(copy == map);
        }
    }

    #[test]
    fn chunks_are_full_where_ids_ascend() {
        let mut map = IdMap::default();
        (0..1280).for_each(|ms| assert_eq!(map.insert(id(ms), ()), None));
        assert_eq!(map.chunks.len(), 10);
        assert!(map.heap_bytes() < 10 * CHUNK_BYTES + 1000);
        // What is left of many chunks ends up in few.
        (0..1280).filter(|ms| ms % 16 != 0).for_each(|ms| assert_eq!(map.remove(id(ms)), Some(())));
        assert_eq!(map.len(), 80);
        assert!(map.chunks.len() <= 5, "{}", map.chunks.len());
        let mut single = IdMap::default();
        single.insert(id(1), ());
        assert!(single.heap_bytes() < 300);
    }
}
