//! Which clients wait for which keys, in the order in which they came, and which keys have become
//! ready for them. The keyspace reports every key that appears or goes; while nobody waits that is
//! one comparison. `dispatch::blocked` asks for the ready keys and runs the waiting commands again.
//! Knows nothing of commands, timeouts and connections.

use std::collections::{BTreeMap, HashMap, VecDeque};

use slab::Slab;

use crate::value::Type;

/// The client that waits (its id).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WaiterId(pub u64);

/// What a client waits for a key to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WaitFor {
    /// A list.
    List,
    /// A sorted set.
    SortedSet,
    /// A stream that something was added to.
    Stream,
    /// As `Stream`, for a consumer group that is there: if the key goes or changes its type, the
    /// client is told (Redis: unblock_on_nokey).
    Group,
}

/// Room for so many keys is kept when nobody waits any more; one command may name millions.
const QUEUES_KEPT: usize = 1024;

/// Types that a client can wait for.
const KINDS: usize = 3;

impl WaitFor {
    #[inline]
    fn kind(self) -> Kind {
        match self {
            WaitFor::List => Kind(0),
            WaitFor::SortedSet => Kind(1),
            WaitFor::Stream | WaitFor::Group => STREAM,
        }
    }
}

/// A type that a client can wait for, as an index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Kind(usize);

const STREAM: Kind = Kind(2);

impl Kind {
    #[inline]
    fn of(kind: Type) -> Option<Self> {
        match kind {
            Type::List => Some(Kind(0)),
            Type::Zset => Some(Kind(1)),
            Type::Stream => Some(STREAM),
            Type::String | Type::Set | Type::Hash => None,
        }
    }
}

/// Number of a client's arrival: whoever has the smaller one is served first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Ticket(u64);

/// A key that clients may no longer have to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyKey {
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// How far the clients of one ready key were served. Clients that begin to wait meanwhile, those
/// included that were served and wait again, are not met.
#[derive(Clone, Copy, Debug)]
pub struct Serving {
    from: Ticket,
    until: Ticket,
}

/// One client at a queue.
#[derive(Clone, Copy, Debug)]
struct Place {
    client: WaiterId,
    wait_for: WaitFor,
}

/// The clients that wait for one key.
#[derive(Debug)]
struct Queue {
    db: usize,
    key: Box<[u8]>,
    /// By the type that they wait for, so that others need not be passed over one by one.
    places: [BTreeMap<Ticket, Place>; KINDS],
    /// Those among them that wait for a `Group`.
    groups: usize,
    /// The key is listed as ready.
    ready: bool,
}

impl Queue {
    fn new(db: usize, key: &[u8]) -> Self {
        Queue { db, key: key.into(), places: Default::default(), groups: 0, ready: false }
    }

    fn is_empty(&self) -> bool {
        self.places.iter().all(BTreeMap::is_empty)
    }

    /// Who has waited longest.
    fn first(&self) -> Option<Ticket> {
        self.places.iter().filter_map(|places| places.keys().next()).min().copied()
    }

    /// The first client of a range that a key of this type, or one that is gone, concerns.
    fn next(&self, serving: &Serving, now: Option<Kind>) -> Option<(Ticket, WaiterId)> {
        let range = || serving.from..serving.until;
        let of_kind = now.and_then(|kind| self.places[kind.0].range(range()).next());
        let of_group = if now == Some(STREAM) || self.groups == 0 {
            None
        } else {
            let mut streams = self.places[STREAM.0].range(range());
            streams.find(|(_, place)| place.wait_for == WaitFor::Group)
        };
        let found = [of_kind, of_group].into_iter().flatten().min_by_key(|(ticket, _)| **ticket);
        found.map(|(ticket, place)| (*ticket, place.client))
    }
}

#[derive(Debug)]
struct Waiter {
    ticket: Ticket,
    wait_for: WaitFor,
    /// The queues that it stands in, each once.
    queues: Vec<usize>,
}

/// All clients that wait for keys.
///
/// Invariant: `queues[q]` has a place with a client's ticket exactly if the client's `queues` has
/// `q`; no queue is empty; `index[queues[q].db][queues[q].key]` is `q`.
#[derive(Debug)]
pub(super) struct Waiting {
    index: Vec<HashMap<Box<[u8]>, usize>>,
    queues: Slab<Queue>,
    waiters: HashMap<WaiterId, Waiter>,
    /// Clients by the type that they wait for.
    counts: [usize; KINDS],
    /// Queues in which someone waits for a `Group`.
    group_queues: usize,
    /// In the order in which they became ready.
    ready: VecDeque<ReadyKey>,
    next_ticket: Ticket,
}

impl Waiting {
    pub(super) fn new(databases: usize) -> Self {
        Waiting {
            index: vec![HashMap::new(); databases],
            queues: Slab::new(),
            waiters: HashMap::new(),
            counts: [0; KINDS],
            group_queues: 0,
            ready: VecDeque::new(),
            next_ticket: Ticket(1),
        }
    }

    /// Nobody waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.waiters.is_empty()
    }

    /// A client begins to wait for some keys, behind all others.
    pub(super) fn wait<'k>(
        &mut self,
        client: WaiterId,
        db: usize,
        keys: impl Iterator<Item = &'k [u8]>,
        wait_for: WaitFor,
    ) {
        self.stop(client);
        let ticket = self.next_ticket;
        self.next_ticket.0 += 1;
        let mut queues = Vec::with_capacity(keys.size_hint().0);
        for key in keys {
            let at = self.queue_of(db, key);
            let queue = &mut self.queues[at];
            let place = Place { client, wait_for };
            if queue.places[wait_for.kind().0].insert(ticket, place).is_some() {
                // The same key was named before.
                continue;
            }
            if wait_for == WaitFor::Group {
                queue.groups += 1;
                self.group_queues += usize::from(queue.groups == 1);
            }
            queues.push(at);
        }
        self.counts[wait_for.kind().0] += 1;
        self.waiters.insert(client, Waiter { ticket, wait_for, queues });
    }

    fn queue_of(&mut self, db: usize, key: &[u8]) -> usize {
        if let Some(&at) = self.index[db].get(key) {
            return at;
        }
        let at = self.queues.insert(Queue::new(db, key));
        self.index[db].insert(key.into(), at);
        at
    }

    /// A client waits for no key any more.
    pub(super) fn stop(&mut self, client: WaiterId) {
        let Some(Waiter { ticket, wait_for, queues }) = self.waiters.remove(&client) else {
            return;
        };
        self.counts[wait_for.kind().0] -= 1;
        for at in queues {
            let queue = &mut self.queues[at];
            queue.places[wait_for.kind().0].remove(&ticket);
            if wait_for == WaitFor::Group {
                queue.groups -= 1;
                self.group_queues -= usize::from(queue.groups == 0);
            }
            if queue.is_empty() {
                let Queue { db, key, .. } = self.queues.remove(at);
                self.index[db].remove(&key);
            }
        }
        if self.is_empty() && self.queues.capacity() > QUEUES_KEPT {
            self.queues = Slab::new();
            self.index.fill_with(HashMap::new);
        }
    }

    /// A key came into being, or was added to (Redis: signalKeyAsReady).
    #[inline]
    pub(super) fn key_is(&mut self, db: usize, key: &[u8], kind: Type) {
        if !self.is_empty() {
            self.note(db, key, kind, false);
        }
    }

    /// A key is gone that was of this type (Redis: signalDeletedKeyAsReady).
    #[inline]
    pub(super) fn key_was(&mut self, db: usize, key: &[u8], kind: Type) {
        if self.group_queues > 0 {
            self.note(db, key, kind, true);
        }
    }

    #[cold]
    fn note(&mut self, db: usize, key: &[u8], kind: Type, gone: bool) {
        let awaited = Kind::of(kind).is_some_and(|kind| self.counts[kind.0] > 0);
        if awaited && let Some(&at) = self.index[db].get(key) {
            self.note_queue(at, gone);
        }
    }

    fn note_queue(&mut self, at: usize, gone: bool) {
        let queue = &mut self.queues[at];
        if !queue.ready && (!gone || queue.groups > 0) {
            queue.ready = true;
            self.ready.push_back(ReadyKey { db: queue.db, key: queue.key.clone() });
        }
    }

    /// A whole database is about to be emptied, or to be replaced by another. `look` tells of which
    /// type a key is, and will be.
    pub(super) fn replaced(
        &mut self,
        db: usize,
        mut look: impl FnMut(&[u8]) -> (Option<Type>, Option<Type>),
    ) {
        if self.is_empty() {
            return;
        }
        let mut awaited: Vec<usize> = self.index[db].values().copied().collect();
        // Who waits longest comes first.
        awaited.sort_by_key(|&at| self.queues[at].first());
        for at in awaited {
            let (was, is) = look(&self.queues[at].key);
            let counts = &self.counts;
            let is_awaited = |kind| Kind::of(kind).is_some_and(|kind| counts[kind.0] > 0);
            if is.is_some_and(is_awaited) {
                self.note_queue(at, false);
            } else if was != is && was.is_some_and(is_awaited) {
                self.note_queue(at, true);
            }
        }
    }

    #[inline]
    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Takes the key that has been ready longest; it may become ready again from here on.
    pub(super) fn take_ready(&mut self) -> Option<(ReadyKey, Serving)> {
        let ready = self.ready.pop_front()?;
        if let Some(&at) = self.index[ready.db].get(&ready.key) {
            self.queues[at].ready = false;
        }
        Some((ready, Serving { from: Ticket(0), until: self.next_ticket }))
    }

    /// The next client that is to be served, given of which type the key is at this moment.
    pub(super) fn next(
        &self,
        ready: &ReadyKey,
        serving: &mut Serving,
        now: Option<Type>,
    ) -> Option<WaiterId> {
        let &at = self.index[ready.db].get(&ready.key)?;
        let (ticket, client) = self.queues[at].next(serving, now.and_then(Kind::of))?;
        serving.from = Ticket(ticket.0 + 1);
        Some(client)
    }

    /// How many keys someone waits for, and at how many of them for a `Group`.
    pub(super) fn keys(&self) -> (usize, usize) {
        (self.queues.len(), self.group_queues)
    }

    /// The first of the keys that a client waits for.
    pub(super) fn first_key(&self, client: WaiterId) -> Option<&[u8]> {
        let &at = self.waiters.get(&client)?.queues.first()?;
        Some(&self.queues[at].key)
    }
}

#[cfg(test)]
mod tests;
