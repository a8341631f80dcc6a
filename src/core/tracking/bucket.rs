//! A bucket of the tracking table: some keys, and who tracks each, one behind the other in one
//! allocation. The table asks by key; nothing here knows of hashes but for a byte of each, which
//! tells most keys apart.
//!
//! ```text
//! tag 1 | length of the key 1 | length of the clients 1 | key | clients
//! ```
//!
//! A client is its id in groups of seven bits, the lowest first; the last group has no high bit.

use std::ops::Range;

use crate::core::ClientId;
use crate::data::thin::{ThinBytes, WORD};

/// Bytes of an entry before its key.
const HEADER: usize = 3;
/// Longest key that a bucket takes.
pub(super) const KEY_BYTES_MAX: usize = u8::MAX as usize;
/// Most bytes of the clients of a key.
const CLIENTS_BYTES_MAX: usize = u8::MAX as usize;
/// Bytes of the longest id.
const ID_BYTES_MAX: usize = u64::BITS.div_ceil(7) as usize;

/// Entries, at least one.
pub(super) struct Bucket {
    bytes: ThinBytes<0>,
}

const _: () = assert!(size_of::<Option<Bucket>>() == 8);

/// An entry of a bucket.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'b> {
    /// All of it.
    bytes: &'b [u8],
}

impl<'b> Entry<'b> {
    fn first_of(bytes: &'b [u8]) -> Self {
        let len = HEADER + usize::from(bytes[1]) + usize::from(bytes[2]);
        Entry { bytes: &bytes[..len] }
    }

    /// All its bytes.
    pub(super) fn bytes(self) -> &'b [u8] {
        self.bytes
    }

    fn key_end(self) -> usize {
        HEADER + usize::from(self.bytes[1])
    }

    /// The key.
    pub(super) fn key(self) -> &'b [u8] {
        &self.bytes[HEADER..self.key_end()]
    }

    /// Who tracks it.
    pub(super) fn clients(self) -> impl Iterator<Item = ClientId> + 'b {
        let groups = &self.bytes[self.key_end()..];
        groups.chunk_by(|group, _| group & 0x80 != 0).map(|groups| {
            let id = groups.iter().rev().fold(0, |id, group| id << 7 | u64::from(group & 0x7f));
            ClientId(id)
        })
    }
}

/// An id as a bucket has it.
struct PackedId {
    groups: [u8; ID_BYTES_MAX],
    len: usize,
}

impl PackedId {
    fn new(ClientId(mut id): ClientId) -> Self {
        let mut packed = PackedId { groups: [0; ID_BYTES_MAX], len: 1 };
        packed.groups[0] = (id & 0x7f) as u8;
        while id > 0x7f {
            id >>= 7;
            packed.groups[packed.len - 1] |= 0x80;
            packed.groups[packed.len] = (id & 0x7f) as u8;
            packed.len += 1;
        }
        packed
    }

    fn bytes(&self) -> &[u8] {
        &self.groups[..self.len]
    }
}

/// What became of a client that is to track a key of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It tracks it, which takes so many bytes more.
    New(usize),
    /// It did already.
    Already,
    /// The key has so many clients that there is no room for one more.
    Full,
}

impl Bucket {
    /// A bucket of encoded entries, if there are any.
    pub(super) fn of_entries(entries: &[u8]) -> Option<Bucket> {
        (!entries.is_empty()).then(|| Bucket { bytes: ThinBytes::new(entries) })
    }

    /// Bytes of all entries.
    pub(super) fn len(&self) -> usize {
        self.bytes.size() - WORD
    }

    /// All entries, encoded.
    pub(super) fn encoded(&self) -> &[u8] {
        self.bytes.tail()
    }

    /// All entries.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = self.bytes.tail();
        std::iter::from_fn(move || {
            let entry = (!rest.is_empty()).then(|| Entry::first_of(rest))?;
            rest = &rest[entry.bytes.len()..];
            Some(entry)
        })
    }

    /// Where a key's entry begins.
    pub(super) fn find(&self, tag: u8, key: &[u8]) -> Option<usize> {
        let bytes = self.bytes.tail();
        let mut at = 0;
        while at < bytes.len() {
            let (key_len, clients_len) = (usize::from(bytes[at + 1]), usize::from(bytes[at + 2]));
            let key_at = at + HEADER;
            if bytes[at] == tag && &bytes[key_at..key_at + key_len] == key {
                return Some(at);
            }
            at = key_at + key_len + clients_len;
        }
        None
    }

    /// The entry that begins there.
    pub(super) fn entry(&self, at: usize) -> Entry<'_> {
        Entry::first_of(&self.bytes.tail()[at..])
    }

    /// Adds a key that is not there, of no more than [`KEY_BYTES_MAX`], with the client that tracks
    /// it; how many bytes it takes.
    pub(super) fn insert(bucket: &mut Option<Bucket>, tag: u8, key: &[u8], id: ClientId) -> usize {
        let id = PackedId::new(id);
        let len = HEADER + key.len() + id.len;
        let bucket = bucket.get_or_insert_with(|| Bucket { bytes: ThinBytes::new(&[]) });
        let at = bucket.len();
        bucket.bytes.resize_gap(WORD + at, 0, len);
        let entry = &mut bucket.bytes.tail_mut()[at..];
        entry[..HEADER].copy_from_slice(&[tag, key.len() as u8, id.len as u8]);
        entry[HEADER..HEADER + key.len()].copy_from_slice(key);
        entry[HEADER + key.len()..].copy_from_slice(id.bytes());
        len
    }

    /// Adds a client to the entry that begins there.
    pub(super) fn add_client(&mut self, at: usize, client: ClientId) -> Added {
        let entry = self.entry(at);
        if entry.clients().any(|known| known == client) {
            return Added::Already;
        }
        let id = PackedId::new(client);
        let clients_len = usize::from(entry.bytes[2]) + id.len;
        if clients_len > CLIENTS_BYTES_MAX {
            return Added::Full;
        }
        let end = at + entry.bytes.len();
        self.bytes.resize_gap(WORD + end, 0, id.len);
        let bytes = self.bytes.tail_mut();
        bytes[at + 2] = clients_len as u8;
        bytes[end..end + id.len].copy_from_slice(id.bytes());
        Added::New(id.len)
    }

    /// Takes out the entry that begins there; how many bytes it took.
    pub(super) fn remove(bucket: &mut Option<Bucket>, at: usize) -> usize {
        let Some(filled) = bucket else { return 0 };
        let len = filled.entry(at).bytes.len();
        if len == filled.len() {
            *bucket = None;
        } else {
            filled.bytes.resize_gap(WORD + at, len, 0);
        }
        len
    }

    /// Adds encoded entries.
    pub(super) fn append(bucket: &mut Option<Bucket>, entries: &[u8]) {
        match bucket {
            None => *bucket = Bucket::of_entries(entries),
            Some(bucket) => {
                let Range { start, end } = bucket.len()..bucket.len() + entries.len();
                bucket.bytes.resize_gap(WORD + start, 0, entries.len());
                bucket.bytes.tail_mut()[start..end].copy_from_slice(entries);
            }
        }
    }
}
