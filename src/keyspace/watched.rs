//! WATCH: which clients watch which keys, and whose transaction must fail. The keyspace reports
//! every change of a key here, and asks again before EXEC; while nobody watches that is one
//! comparison.

use std::collections::BTreeMap;

/// The client that watches (its id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WatcherId(pub u64);

/// A key as `WATCH` saw it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    /// The key's time was over already: that it disappears changes nothing.
    expired: bool,
}

/// What a key is, before and after its database was replaced by another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replacement {
    pub(super) existed: bool,
    pub(super) exists: bool,
    /// The key that takes its place is one whose time is over.
    pub(super) expired: bool,
}

/// Who watches a key.
type Marks = BTreeMap<WatcherId, Mark>;

#[derive(Debug, Default)]
struct Watcher {
    keys: Vec<(usize, Box<[u8]>)>,
    dirty: bool,
}

/// All watched keys and their watchers.
///
/// Invariant: `marks[db][key]` has a mark of a client exactly if `watchers[client].keys` has `(db,
/// key)`; no inner map is empty.
#[derive(Debug)]
pub(super) struct Watched {
    marks: Vec<BTreeMap<Box<[u8]>, Marks>>,
    watchers: BTreeMap<WatcherId, Watcher>,
}

impl Watched {
    pub(super) fn new(databases: usize) -> Self {
        Watched { marks: vec![BTreeMap::new(); databases], watchers: BTreeMap::new() }
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.watchers.is_empty()
    }

    /// Begins to watch a key. A client whose transaction must fail anyway watches nothing more.
    pub(super) fn watch(&mut self, client: WatcherId, db: usize, key: &[u8], expired: bool) {
        let watcher = self.watchers.entry(client).or_default();
        if watcher.dirty {
            return;
        }
        let marks = self.marks[db].entry(key.into()).or_default();
        if marks.contains_key(&client) {
            return;
        }
        marks.insert(client, Mark { expired });
        watcher.keys.push((db, key.into()));
    }

    /// Forgets all that a client watches, and that its transaction must fail.
    pub(super) fn unwatch_all(&mut self, client: WatcherId) {
        if let Some(watcher) = self.watchers.remove(&client) {
            self.forget_marks(client, &watcher.keys);
        }
    }

    fn forget_marks(&mut self, client: WatcherId, keys: &[(usize, Box<[u8]>)]) {
        for (db, key) in keys {
            if let Some(marks) = self.marks[*db].get_mut(key) {
                marks.remove(&client);
                if marks.is_empty() {
                    self.marks[*db].remove(key);
                }
            }
        }
    }

    /// Whether a change since WATCH makes the client's transaction fail.
    pub(super) fn is_dirty(&self, client: WatcherId) -> bool {
        self.watchers.get(&client).is_some_and(|watcher| watcher.dirty)
    }

    /// The keys that a client watches and that were not expired already then.
    pub(super) fn fresh_keys(&self, client: WatcherId) -> impl Iterator<Item = (usize, &[u8])> {
        let keys = self.watchers.get(&client).map_or(&[][..], |watcher| &watcher.keys[..]);
        keys.iter().map(|(db, key)| (*db, &**key)).filter(move |(db, key)| {
            let marks = self.marks[*db].get(*key);
            marks.and_then(|marks| marks.get(&client)).is_some_and(|mark| !mark.expired)
        })
    }

    /// How many keys a client watches.
    pub(super) fn count(&self, client: WatcherId) -> usize {
        self.watchers.get(&client).map_or(0, |watcher| watcher.keys.len())
    }

    /// A key changed; `exists` tells whether it is there still (Redis: touchWatchedKey).
    #[inline]
    pub(super) fn touch(&mut self, db: usize, key: &[u8], exists: bool) {
        if !self.watchers.is_empty() {
            self.touch_marks(db, key, exists);
        }
    }

    fn touch_marks(&mut self, db: usize, key: &[u8], exists: bool) {
        let Some(marks) = self.marks[db].get_mut(key) else { return };
        let mut dirty = Vec::new();
        for (client, mark) in marks {
            if !mark.expired {
                dirty.push(*client);
            } else if !exists {
                // An expired key is gone: logically no change, but from here on it counts as
                // absent.
                mark.expired = false;
            }
        }
        self.soil(&dirty);
    }

    /// A whole database is emptied, or swapped with another (Redis: touchAllWatchedKeysInDb).
    /// `look` tells what becomes of each key.
    pub(super) fn touch_all(&mut self, db: usize, mut look: impl FnMut(&[u8]) -> Replacement) {
        let mut dirty = Vec::new();
        for (key, marks) in &mut self.marks[db] {
            let key = look(key);
            if !key.existed && !key.exists {
                continue;
            }
            for (client, mark) in marks {
                match (mark.expired, key.exists) {
                    (true, false) => mark.expired = false,
                    (true, true) if key.expired => {}
                    (false, true) if !key.existed && key.expired => mark.expired = true,
                    _ => dirty.push(*client),
                }
            }
        }
        self.soil(&dirty);
    }

    /// These clients' transactions must fail; what they watch no longer matters.
    fn soil(&mut self, clients: &[WatcherId]) {
        for client in clients {
            let Some(watcher) = self.watchers.get_mut(client) else { continue };
            watcher.dirty = true;
            let keys = std::mem::take(&mut watcher.keys);
            self.forget_marks(*client, &keys);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: WatcherId = WatcherId(1);
    const B: WatcherId = WatcherId(2);

    #[test]
    fn a_change_soils_all_watchers_of_the_key() {
        let mut watched = Watched::new(2);
        assert!(watched.is_empty());
        watched.watch(A, 0, b"k", false);
        watched.watch(A, 0, b"k", false);
        watched.watch(B, 1, b"k", false);
        assert_eq!((watched.count(A), watched.fresh_keys(A).count()), (1, 1));
        watched.touch(0, b"other", true);
        assert!(!watched.is_dirty(A));
        watched.touch(0, b"k", true);
        assert!(watched.is_dirty(A) && !watched.is_dirty(B));
        assert!(watched.marks[0].is_empty() && watched.count(A) == 0);
        watched.watch(A, 0, b"z", false);
        assert_eq!(watched.count(A), 0);
        watched.unwatch_all(A);
        watched.unwatch_all(B);
        assert!(watched.is_empty() && watched.marks.iter().all(BTreeMap::is_empty));
    }

    #[test]
    fn a_key_that_was_expired_may_disappear_once() {
        let mut watched = Watched::new(1);
        watched.watch(A, 0, b"k", true);
        assert_eq!(watched.fresh_keys(A).count(), 0);
        watched.touch(0, b"k", false);
        assert!(!watched.is_dirty(A));
        watched.touch(0, b"k", true);
        assert!(watched.is_dirty(A));
    }

    #[test]
    fn replaced_databases() {
        // Watched while expired; existed, exists, expired after; dirty then.
        let cases = [
            (false, false, false, false, false),
            (false, true, false, false, true),
            (false, false, true, false, true),
            (false, false, true, true, false),
            (true, true, false, false, false),
            (true, true, true, true, false),
            (true, true, true, false, true),
        ];
        for (watched_expired, existed, exists, expired, dirty) in cases {
            let mut watched = Watched::new(1);
            watched.watch(A, 0, b"k", watched_expired);
            watched.touch_all(0, |_| Replacement { existed, exists, expired });
            assert_eq!(watched.is_dirty(A), dirty, "{existed} {exists} {expired}");
        }
    }
}
