//! Who is subscribed to what: channels, patterns, and shard channels, which belong to slots. Called
//! by the commands of `commands::pubsub`, by the core when a client goes, and by the node when a
//! slot does. What follows for clients and how messages reach them is `deliver`'s. Knows clients by
//! their tokens only, and never writes to them.
//!
//! A topic (a channel, say) has a list of its receivers' tokens; a client knows for each of its
//! topics at which place in that list it stands. So whoever gives a subscription up costs the same
//! however many others there are, and a client that leaves costs what it holds.

mod deliver;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use bytes::Bytes;
use slab::Slab;

use crate::base::glob;
use crate::keyspace::Slot;

pub use deliver::{Push, Running};

/// What a subscription is to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One channel (SUBSCRIBE).
    Channel = 0,
    /// All channels whose names match a pattern (PSUBSCRIBE).
    Pattern = 1,
    /// One channel of a slot (SSUBSCRIBE).
    Shard = 2,
}

const KINDS: [Kind; 3] = [Kind::Channel, Kind::Pattern, Kind::Shard];

/// How many subscriptions a client has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To channels.
    pub channels: usize,
    /// To patterns.
    pub patterns: usize,
    /// To shard channels.
    pub shard_channels: usize,
}

impl Counts {
    /// What a reply to a command about this kind tells: shard channels are counted apart.
    pub fn told(self, kind: Kind) -> usize {
        match kind {
            Kind::Channel | Kind::Pattern => self.channels + self.patterns,
            Kind::Shard => self.shard_channels,
        }
    }

    /// All of them.
    pub fn total(self) -> usize {
        self.channels + self.patterns + self.shard_channels
    }
}

/// A topic's place among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct TopicId(u32);

/// A channel or pattern with at least one subscriber.
#[derive(Debug)]
struct Topic {
    name: Bytes,
    /// Tokens, in no order that means anything.
    receivers: Vec<u32>,
}

/// All topics of one kind.
#[derive(Debug, Default)]
struct Topics {
    by_name: HashMap<Bytes, TopicId>,
    all: Slab<Topic>,
}

/// What one client is subscribed to: for each topic its place among the receivers.
#[derive(Debug, Default)]
struct Seats {
    by_kind: [BTreeMap<TopicId, u32>; 3],
    /// Bytes of the topics' names.
    name_bytes: usize,
}

/// All subscriptions of a node.
#[derive(Debug, Default)]
pub struct Pubsub {
    kinds: [Topics; 3],
    /// By token; a client without subscriptions has no seats.
    seats: Vec<Option<Box<Seats>>>,
    /// The shard channels by slot.
    slots: BTreeSet<(Slot, TopicId)>,
}

impl Topics {
    fn find(&self, name: &[u8]) -> Option<TopicId> {
        self.by_name.get(name).copied()
    }

    fn receivers(&self, name: &[u8]) -> &[u32] {
        self.find(name).map_or(&[], |id| &self.all[id.0 as usize].receivers)
    }

    fn find_or_add(&mut self, name: &[u8]) -> TopicId {
        if let Some(id) = self.find(name) {
            return id;
        }
        let name = Bytes::copy_from_slice(name);
        // As many topics as there are numbers would not fit into memory.
        let id = TopicId(self.all.insert(Topic { name: name.clone(), receivers: vec![] }) as u32);
        self.by_name.insert(name, id);
        id
    }
}

impl Seats {
    fn is_empty(&self) -> bool {
        self.by_kind.iter().all(BTreeMap::is_empty)
    }
}

/// The subscriptions of single clients.
impl Pubsub {
    fn seats(&self, token: usize) -> Option<&Seats> {
        self.seats.get(token)?.as_deref()
    }

    /// Subscribes a client; false if it was already.
    pub fn subscribe(&mut self, token: usize, kind: Kind, name: &[u8]) -> bool {
        if self.seats.len() <= token {
            self.seats.resize_with(token + 1, || None);
        }
        let topics = &mut self.kinds[kind as usize];
        let id = topics.find_or_add(name);
        let topic = &mut topics.all[id.0 as usize];
        let seats = self.seats[token].get_or_insert_default();
        let mine = &mut seats.by_kind[kind as usize];
        if mine.contains_key(&id) {
            return false;
        }
        mine.insert(id, topic.receivers.len() as u32);
        seats.name_bytes += name.len();
        topic.receivers.push(token as u32);
        if kind == Kind::Shard && topic.receivers.len() == 1 {
            self.slots.insert((Slot::of_key(name), id));
        }
        true
    }

    /// Ends a subscription; false if there was none.
    pub fn unsubscribe(&mut self, token: usize, kind: Kind, name: &[u8]) -> bool {
        match self.kinds[kind as usize].find(name) {
            Some(id) => self.leave(token, kind, id).is_some(),
            None => false,
        }
    }

    /// Ends one of a client's subscriptions of a kind, if there is any left, and tells to what it
    /// was.
    pub fn unsubscribe_any(&mut self, token: usize, kind: Kind) -> Option<Bytes> {
        let (&id, _) = self.seats(token)?.by_kind[kind as usize].first_key_value()?;
        self.leave(token, kind, id)
    }

    /// A client is gone, or as new.
    pub fn forget(&mut self, token: usize) {
        for kind in KINDS {
            while self.unsubscribe_any(token, kind).is_some() {}
        }
    }

    fn leave(&mut self, token: usize, kind: Kind, id: TopicId) -> Option<Bytes> {
        let place = self.stand_up(token, kind, id)?;
        let topics = &mut self.kinds[kind as usize];
        let topic = &mut topics.all[id.0 as usize];
        let name = topic.name.clone();
        topic.receivers.swap_remove(place as usize);
        let moved = topic.receivers.get(place as usize).copied();
        if topic.receivers.is_empty() {
            self.remove_topic(kind, id);
        } else if let Some(moved) = moved
            && let Some(seats) = &mut self.seats[moved as usize]
        {
            seats.by_kind[kind as usize].insert(id, place);
        }
        Some(name)
    }

    /// Forgets on a client's side that it is subscribed; where its place is.
    fn stand_up(&mut self, token: usize, kind: Kind, id: TopicId) -> Option<u32> {
        let slot = self.seats.get_mut(token)?;
        let seats = slot.as_deref_mut()?;
        let place = seats.by_kind[kind as usize].remove(&id)?;
        seats.name_bytes -= self.kinds[kind as usize].all[id.0 as usize].name.len();
        if seats.is_empty() {
            *slot = None;
        }
        Some(place)
    }

    /// A channel that nobody is subscribed to leaves nothing behind.
    fn remove_topic(&mut self, kind: Kind, id: TopicId) {
        let topics = &mut self.kinds[kind as usize];
        let topic = topics.all.remove(id.0 as usize);
        topics.by_name.remove(&topic.name);
        if kind == Kind::Shard {
            self.slots.remove(&(Slot::of_key(&topic.name), id));
        }
    }

    /// How many subscriptions a client has.
    pub fn counts(&self, token: usize) -> Counts {
        let count = |kind: Kind| self.seats(token).map_or(0, |s| s.by_kind[kind as usize].len());
        Counts {
            channels: count(Kind::Channel),
            patterns: count(Kind::Pattern),
            shard_channels: count(Kind::Shard),
        }
    }

    /// Bytes that a client's subscriptions cost.
    pub fn client_bytes(&self, token: usize) -> usize {
        // What an entry takes in a tree whose nodes are three quarters full, and at the receivers.
        const SEAT_BYTES: usize = 16;
        let Some(seats) = self.seats(token) else { return 0 };
        let count = self.counts(token).total();
        size_of::<Seats>() + count * SEAT_BYTES + seats.name_bytes
    }
}

/// What there is to be told of all of them.
impl Pubsub {
    /// How many channels (or patterns) have a subscriber.
    pub fn len(&self, kind: Kind) -> usize {
        self.kinds[kind as usize].all.len()
    }

    /// How many clients are subscribed to a channel.
    pub fn receivers(&self, kind: Kind, name: &[u8]) -> usize {
        self.kinds[kind as usize].receivers(name).len()
    }

    /// The channels with a subscriber, those that match a pattern if one is given.
    pub fn names<'a>(
        &'a self,
        kind: Kind,
        pattern: Option<&'a [u8]>,
    ) -> impl Iterator<Item = &'a [u8]> {
        let names = self.kinds[kind as usize].all.iter().map(|(_, topic)| &topic.name[..]);
        names.filter(move |name| pattern.is_none_or(|pattern| glob::matches(pattern, name)))
    }

    /// Ends all subscriptions to one shard channel of a slot, if it has any, and tells the channel
    /// and whose subscriptions they were.
    pub fn drop_channel_of(&mut self, slot: Slot) -> Option<(Bytes, Vec<u32>)> {
        let from = (slot, TopicId(0));
        let &(_, id) = self.slots.range(from..).next().filter(|(found, _)| *found == slot)?;
        let topic = &mut self.kinds[Kind::Shard as usize].all[id.0 as usize];
        let receivers = std::mem::take(&mut topic.receivers);
        let name = topic.name.clone();
        for &token in &receivers {
            self.stand_up(token as usize, Kind::Shard, id);
        }
        self.remove_topic(Kind::Shard, id);
        Some((name, receivers))
    }
}

#[cfg(test)]
mod tests;
