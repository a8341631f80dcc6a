//! The connected clients, by token and by id. The client whose command runs is taken out for that
//! time, so that its handler can look at all the others.

use std::collections::BTreeMap;

use slab::Slab;

use super::{Client, ClientId};

/// All connected clients.
#[derive(Default)]
pub struct Clients {
    slots: Slab<Option<Box<Client>>>,
    tokens: BTreeMap<ClientId, usize>,
    last_id: u64,
}

impl Clients {
    /// Adds a client that has just connected, and tells its token.
    pub fn add(&mut self, now_ms: u64) -> usize {
        self.last_id += 1;
        let entry = self.slots.vacant_entry();
        let token = entry.key();
        let id = ClientId(self.last_id);
        entry.insert(Some(Box::new(Client::new(id, token, now_ms))));
        self.tokens.insert(id, token);
        token
    }

    /// Forgets a client that is not taken out.
    pub fn remove(&mut self, token: usize) -> Option<Box<Client>> {
        let client = self.slots.try_remove(token)??;
        self.tokens.remove(&client.id);
        Some(client)
    }

    /// Takes a client out while its command runs; `put_back` must follow.
    #[inline]
    pub fn take(&mut self, token: usize) -> Option<Box<Client>> {
        self.slots.get_mut(token)?.take()
    }

    /// Takes a client out by its id; `put_back` must follow.
    pub fn take_by_id(&mut self, id: ClientId) -> Option<Box<Client>> {
        self.take(self.token_of(id)?)
    }

    /// Puts back what `take` gave.
    #[inline]
    pub fn put_back(&mut self, client: Box<Client>) {
        let token = client.token;
        self.slots[token] = Some(client);
    }

    /// The client at `token`, unless it is taken out.
    pub fn get(&self, token: usize) -> Option<&Client> {
        self.slots.get(token)?.as_deref()
    }

    /// The client at `token`, unless it is taken out.
    pub fn get_mut(&mut self, token: usize) -> Option<&mut Client> {
        self.slots.get_mut(token)?.as_deref_mut()
    }

    /// The token of a connected client, taken out or not.
    pub fn token_of(&self, id: ClientId) -> Option<usize> {
        self.tokens.get(&id).copied()
    }

    /// A client by id, unless it is taken out.
    pub fn by_id(&self, id: ClientId) -> Option<&Client> {
        self.get(self.token_of(id)?)
    }

    /// A client by id, unless it is taken out.
    pub fn by_id_mut(&mut self, id: ClientId) -> Option<&mut Client> {
        self.get_mut(self.token_of(id)?)
    }

    /// Number of connected clients, the running one included.
    pub fn len(&self) -> usize {
        self.tokens.len()
    }

    /// Whether nobody is connected.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty()
    }

    /// All clients in order of connection, `running` (the one taken out) at its place.
    pub fn in_order<'a>(&'a self, running: Option<&'a Client>) -> impl Iterator<Item = &'a Client> {
        self.tokens.iter().filter_map(move |(id, &token)| match running {
            Some(client) if client.id == *id => Some(client),
            _ => self.get(token),
        })
    }

    /// Runs `change` on every client but the one taken out.
    pub fn for_each_mut(&mut self, mut change: impl FnMut(&mut Client)) {
        self.slots.iter_mut().filter_map(|(_, slot)| slot.as_deref_mut()).for_each(&mut change);
    }

    /// The ids in order of connection, from the one after `after`.
    pub fn ids_after(&self, after: ClientId) -> impl Iterator<Item = (ClientId, usize)> + '_ {
        use std::ops::Bound::{Excluded, Unbounded};
        self.tokens.range((Excluded(after), Unbounded)).map(|(&id, &token)| (id, token))
    }

    /// The id that the next client will get.
    pub fn next_id(&self) -> u64 {
        self.last_id + 1
    }
}
