//! Which clients may have which keys in a cache of their own (Redis: TrackingTable). Keys of all
//! databases are one. Clients are ids that are looked up when their key changes: whoever is gone
//! stays in the table until then, or until a key has too many clients.
//!
//! A hash table of buckets that each hold some keys in one allocation (`bucket`), so that a key
//! costs little more than its bytes. It grows and shrinks by one bucket at a time. Long keys, and
//! keys of many clients, stand in a second table, one allocation each.

use std::collections::BTreeSet;

use super::bucket::{Added, Bucket, KEY_BYTES_MAX};
use crate::base::hash::hash;
use crate::base::rng::Rng;
use crate::core::ClientId;
use crate::data::hashtable::{Entry, Lookup, Table};

/// Buckets have so many bytes of entries on average when there is one more.
const BUCKET_BYTES: usize = 384;
/// And so many when there is one less.
const BUCKET_BYTES_MIN: usize = BUCKET_BYTES / 2;
/// Buckets chosen at random before any that has an entry will do.
const RANDOM_TRIES: usize = 8;

/// A key that does not fit a bucket.
struct Crowd {
    key: Box<[u8]>,
    clients: BTreeSet<ClientId>,
    /// With so many clients, those who are gone are forgotten.
    purge_at: usize,
}

/// Clients of such a key before those who are gone are looked for.
const PURGE_AT_MIN: usize = 128;

struct Crowded(Box<Crowd>);

impl Entry for Crowded {
    fn key(&self) -> &[u8] {
        &self.0.key
    }
}

/// The table.
///
/// Invariant: a key stands in its bucket or in `crowded`, not in both, and has a client.
#[derive(Default)]
pub struct TrackingTable {
    buckets: Vec<Option<Bucket>>,
    /// Bytes of all entries in buckets.
    bytes: usize,
    /// Keys in buckets.
    packed: usize,
    crowded: Table<Crowded>,
    /// Clients of all keys.
    items: usize,
}

/// The bucket that a hash belongs to: the lowest bits are its number, one bit less where that
/// bucket is not split yet.
fn bucket_of(hash: u64, buckets: usize) -> usize {
    let mask = buckets.next_power_of_two() - 1;
    let index = hash as usize & mask;
    if index < buckets { index } else { index & (mask >> 1) }
}

/// The bucket whose entries the last of so many was split off from.
fn parent_of_last(buckets: usize) -> usize {
    let last = buckets - 1;
    last ^ (1 << last.ilog2())
}

fn tag_of(hash: u64) -> u8 {
    (hash >> 56) as u8
}

impl TrackingTable {
    /// Keys in the table.
    pub fn len(&self) -> usize {
        self.packed + self.crowded.len()
    }

    /// Whether there is no key.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Clients of all keys, those who are gone included.
    pub fn items(&self) -> usize {
        self.items
    }

    /// A client tracks a key from here on. `is_connected` tells who is still there.
    pub fn remember(
        &mut self,
        key: &[u8],
        client: ClientId,
        is_connected: impl Fn(ClientId) -> bool,
    ) {
        let hash = hash(key);
        if key.len() > KEY_BYTES_MAX {
            return self.join_crowd(hash, key, client, is_connected);
        }
        if self.buckets.is_empty() {
            self.buckets.push(None);
        }
        let index = bucket_of(hash, self.buckets.len());
        let bucket = &mut self.buckets[index];
        let found = bucket.as_mut().and_then(|b| b.find(tag_of(hash), key).map(|at| (b, at)));
        match found.map(|(bucket, at)| (at, bucket.add_client(at, client))) {
            Some((_, Added::Already)) => {}
            Some((_, Added::New(bytes))) => {
                self.bytes += bytes;
                self.items += 1;
            }
            Some((at, Added::Full)) => {
                self.make_crowd(hash, index, at);
                self.join_crowd(hash, key, client, is_connected);
            }
            None if self.crowded.contains(hash, key) => {
                self.join_crowd(hash, key, client, is_connected);
            }
            None => {
                self.bytes += Bucket::insert(bucket, tag_of(hash), key, client);
                self.packed += 1;
                self.items += 1;
                self.grow();
            }
        }
    }

    /// Takes a key out, and appends who tracked it.
    pub fn take(&mut self, key: &[u8], clients: &mut Vec<ClientId>) {
        if self.is_empty() {
            return;
        }
        let hash = hash(key);
        if let Some((index, at)) = self.find(hash, key) {
            let known = clients.len();
            if let Some(bucket) = &self.buckets[index] {
                clients.extend(bucket.entry(at).clients());
            }
            self.items -= clients.len() - known;
            self.remove(index, at);
        } else if let Some(Crowded(crowd)) = self.crowded.remove(hash, key) {
            self.items -= crowd.clients.len();
            clients.extend(crowd.clients);
        }
    }

    /// A key by chance; none if there is no key.
    pub fn random_key(&self, rng: &mut Rng) -> Option<Vec<u8>> {
        let nth = rng.below(self.len() as u64) as usize;
        if nth >= self.packed {
            return self.crowded.random(rng).map(|crowded| crowded.key().to_vec());
        }
        let count = self.buckets.len();
        let mut draw = || self.buckets[rng.below(count as u64) as usize].as_ref();
        let drawn = (0..RANDOM_TRIES).find_map(|_| draw());
        let bucket = drawn.or_else(|| self.buckets.iter().flatten().next())?;
        let nth = rng.below(bucket.entries().count() as u64) as usize;
        bucket.entries().nth(nth).map(|entry| entry.key().to_vec())
    }

    /// Frees so many buckets of a table that is no longer needed, or one more; whether there are
    /// any left.
    pub fn free_step(&mut self, buckets: usize) -> bool {
        let left = self.buckets.len().saturating_sub(buckets);
        self.buckets.truncate(left);
        if left == 0 {
            self.buckets = Vec::new();
        }
        let crowded = self.crowded.drain_step(buckets, drop);
        left > 0 || crowded
    }

    fn find(&self, hash: u64, key: &[u8]) -> Option<(usize, usize)> {
        if self.packed == 0 {
            return None;
        }
        let index = bucket_of(hash, self.buckets.len());
        let at = self.buckets[index].as_ref()?.find(tag_of(hash), key)?;
        Some((index, at))
    }

    fn remove(&mut self, index: usize, at: usize) {
        self.bytes -= Bucket::remove(&mut self.buckets[index], at);
        self.packed -= 1;
        self.shrink();
    }

    /// A key's clients have filled their room in a bucket: it moves to the other table.
    fn make_crowd(&mut self, hash: u64, index: usize, at: usize) {
        let Some(bucket) = &self.buckets[index] else { return };
        let entry = bucket.entry(at);
        let crowd = Crowd {
            key: entry.key().into(),
            clients: entry.clients().collect(),
            purge_at: PURGE_AT_MIN,
        };
        self.remove(index, at);
        self.crowded.insert(hash, Crowded(Box::new(crowd)));
    }

    fn join_crowd(
        &mut self,
        hash: u64,
        key: &[u8],
        client: ClientId,
        is_connected: impl Fn(ClientId) -> bool,
    ) {
        match self.crowded.lookup(hash, key) {
            Lookup::Found(found) => {
                let Crowded(crowd) = found.into_mut();
                let known = crowd.clients.len();
                crowd.clients.insert(client);
                if crowd.clients.len() >= crowd.purge_at {
                    crowd.clients.retain(|&id| id == client || is_connected(id));
                    crowd.purge_at = PURGE_AT_MIN.max(2 * crowd.clients.len());
                }
                self.items += crowd.clients.len();
                self.items -= known;
            }
            Lookup::Vacant(vacant) => {
                let clients = BTreeSet::from([client]);
                let crowd = Crowd { key: key.into(), clients, purge_at: PURGE_AT_MIN };
                vacant.insert(Crowded(Box::new(crowd)));
                self.items += 1;
            }
        }
    }

    /// Splits a bucket in two if they are full on average.
    fn grow(&mut self) {
        if self.bytes <= self.buckets.len() * BUCKET_BYTES {
            return;
        }
        self.buckets.push(None);
        let (count, last) = (self.buckets.len(), self.buckets.len() - 1);
        let parent = parent_of_last(count);
        let Some(bucket) = self.buckets[parent].take() else { return };
        let mut halves = [Vec::with_capacity(bucket.len()), Vec::with_capacity(bucket.len())];
        for entry in bucket.entries() {
            let moves = bucket_of(hash(entry.key()), count) == last;
            halves[usize::from(moves)].extend_from_slice(entry.bytes());
        }
        let [stay, moved] = halves;
        self.buckets[parent] = Bucket::of_entries(&stay);
        self.buckets[last] = Bucket::of_entries(&moved);
    }

    /// Merges the last bucket into that which it was split off from, if they are empty on average.
    fn shrink(&mut self) {
        let count = self.buckets.len();
        if count < 2 || self.bytes >= count * BUCKET_BYTES_MIN {
            return;
        }
        let parent = parent_of_last(count);
        if let Some(last) = self.buckets.pop().flatten() {
            Bucket::append(&mut self.buckets[parent], last.encoded());
        }
        if self.buckets.capacity() > 4 * self.buckets.len() {
            self.buckets.shrink_to(2 * self.buckets.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::base::rng::Rng;

    fn everybody(_: ClientId) -> bool {
        true
    }

    fn taken(table: &mut TrackingTable, key: &[u8]) -> Vec<u64> {
        let mut clients = Vec::new();
        table.take(key, &mut clients);
        let mut ids: Vec<u64> = clients.iter().map(|id| id.0).collect();
        ids.sort_unstable();
        ids
    }

    #[test]
    fn keys_and_their_clients() {
        let mut table = TrackingTable::default();
        let ids = [1, 127, 128, 16_383, 16_384, u64::MAX];
        for id in ids.into_iter().chain(ids) {
            table.remember(b"k", ClientId(id), everybody);
            table.remember(b"", ClientId(id), everybody);
        }
        assert_eq!((table.len(), table.items()), (2, 2 * ids.len()));
        assert_eq!(taken(&mut table, b"k"), ids);
        assert_eq!(taken(&mut table, b"k"), [0; 0]);
        assert_eq!(taken(&mut table, b""), ids);
        assert!(table.is_empty() && table.items() == 0);
        assert_eq!(table.random_key(&mut Rng::seeded(1)), None);
    }

    #[test]
    fn a_key_of_many_clients_and_a_long_one() {
        let mut table = TrackingTable::default();
        let long = vec![b'x'; 1000];
        table.remember(&long, ClientId(7), everybody);
        for id in 0..10_000 {
            table.remember(b"hot", ClientId(id), everybody);
            table.remember(b"hot", ClientId(id / 2), everybody);
        }
        assert_eq!((table.len(), table.items(), table.crowded.len()), (2, 10_001, 2));
        assert_eq!(taken(&mut table, b"hot"), (0..10_000).collect::<Vec<u64>>());
        assert_eq!(taken(&mut table, &long), [7]);
        assert_eq!((table.len(), table.items()), (0, 0));
    }

    #[test]
    fn clients_that_are_gone_do_not_pile_up() {
        let mut table = TrackingTable::default();
        for id in 0..100_000 {
            table.remember(b"hot", ClientId(id), |ClientId(other)| other == 5 || other == id);
        }
        assert!(table.items() <= 2 * PURGE_AT_MIN, "{}", table.items());
        let left = taken(&mut table, b"hot");
        assert!(left.contains(&5) && left.contains(&99_999));
        assert_eq!(table.items(), 0);
    }

    #[test]
    fn grows_and_shrinks() {
        let mut table = TrackingTable::default();
        let key = |n: usize| format!("key:{n:012}").into_bytes();
        for n in 0..20_000 {
            table.remember(&key(n), ClientId(1000), everybody);
        }
        let bytes: usize = table.buckets.iter().flatten().map(|b| b.len()).sum();
        assert_eq!(bytes, table.bytes);
        // Header, key and id.
        assert_eq!(bytes, 20_000 * (3 + 16 + 2));
        assert!(bytes / table.buckets.len() > BUCKET_BYTES * 9 / 10);
        assert!(table.buckets.iter().flatten().all(|b| b.len() < 4 * BUCKET_BYTES));
        let mut rng = Rng::seeded(3);
        while let Some(random) = table.random_key(&mut rng) {
            assert_eq!(taken(&mut table, &random), [1000]);
        }
        assert_eq!((table.items(), table.bytes, table.buckets.len()), (0, 0, 1));
    }

    #[test]
    fn is_freed_in_steps() {
        let mut table = TrackingTable::default();
        for n in 0..5000u32 {
            table.remember(&n.to_le_bytes(), ClientId(1), everybody);
            table.remember(&[n as u8; 300], ClientId(1), everybody);
        }
        let steps = std::iter::repeat_with(|| table.free_step(10)).take_while(|left| *left);
        assert!(steps.count() > 10);
    }

    #[derive(Clone, Debug)]
    enum Step {
        Remember(u16, u64),
        Take(u16),
        TakeRandom,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            6 => (0..400u16, 0..300u64).prop_map(|(key, id)| Step::Remember(key, id * id * id)),
            1 => (0..3u16, 0..300u64).prop_map(|(key, id)| Step::Remember(key, id)),
            2 => (0..400u16).prop_map(Step::Take),
            1 => Just(Step::TakeRandom),
        ];
        prop::collection::vec(step, 0..3000)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn does_what_a_map_of_sets_does(steps in steps(), seed: u64) {
            let mut table = TrackingTable::default();
            let mut model: BTreeMap<Vec<u8>, BTreeSet<u64>> = BTreeMap::new();
            let mut rng = Rng::seeded(seed);
            let name = |key: u16| vec![key as u8; usize::from(key) * 2 / 3];
            for step in steps {
                let key = match step {
                    Step::Remember(key, id) => {
                        table.remember(&name(key), ClientId(id), everybody);
                        model.entry(name(key)).or_default().insert(id);
                        continue;
                    }
                    Step::Take(key) => name(key),
                    Step::TakeRandom => match table.random_key(&mut rng) {
                        Some(key) => key,
                        None => continue,
                    },
                };
                let expected = model.remove(&key).unwrap_or_default();
                prop_assert_eq!(taken(&mut table, &key), Vec::from_iter(expected));
                prop_assert_eq!(table.len(), model.len());
                prop_assert_eq!(table.items(), model.values().map(BTreeSet::len).sum::<usize>());
            }
        }
    }
}
