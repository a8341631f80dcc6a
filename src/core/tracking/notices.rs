//! How clients learn that a key is no longer what they have read: a push to those who speak RESP3,
//! a message to those who are told on behalf of another client and listen in RESP2 (Redis:
//! sendTrackingMessage). Each is encoded once, however many get it.

use bytes::Bytes;

use super::broadcast::ChangedKeys;
use super::{ClientTracking, FREED_PER_RUN};
use crate::core::client::ClientFlags;
use crate::core::pubsub::Push;
use crate::core::{Client, ClientId, Core};
use crate::keyspace::modified::Cause;
use crate::resp::{Protocol, Reply};

/// Where RESP2 clients hear of it.
const CHANNEL: &[u8] = b"__redis__:invalidate";

/// What has changed.
#[derive(Clone, Copy, Debug)]
enum Changed<'a> {
    Key(&'a [u8]),
    /// These keys, but not those that a client has changed last.
    Keys(&'a ChangedKeys, Option<ClientId>),
    /// All keys. Who is told in place of another is told in its own protocol, which Redis does not
    /// take care of.
    All,
}

/// What is said of a change, encoded when the first client of a protocol is told.
struct Notice<'a> {
    changed: Changed<'a>,
    encoded: [Option<Bytes>; 2],
}

impl<'a> Notice<'a> {
    fn new(changed: Changed<'a>) -> Self {
        Notice { changed, encoded: [None, None] }
    }

    fn bytes(&mut self, protocol: Protocol) -> Bytes {
        let changed = self.changed;
        let encoded = &mut self.encoded[protocol as usize];
        encoded.get_or_insert_with(|| encode(protocol, changed)).clone()
    }
}

fn encode(protocol: Protocol, changed: Changed<'_>) -> Bytes {
    let mut reply = Reply { protocol, ..Reply::default() };
    match protocol {
        Protocol::Resp3 => {
            reply.push(2);
            reply.bulk(b"invalidate");
        }
        Protocol::Resp2 => {
            reply.push(3);
            reply.bulk(b"message");
            reply.bulk(CHANNEL);
        }
    }
    match changed {
        Changed::Key(key) => {
            reply.array(1);
            reply.bulk(key);
        }
        Changed::Keys(keys, except) => {
            reply.array(keys_for(keys, except).count());
            keys_for(keys, except).for_each(|key| reply.bulk(key));
        }
        Changed::All => reply.null(),
    }
    Bytes::from(std::mem::take(reply.output.tail()))
}

fn keys_for(keys: &ChangedKeys, except: Option<ClientId>) -> impl Iterator<Item = &[u8]> {
    let told = move |by: &Option<ClientId>| except.is_none() || *by != except;
    keys.iter().filter(move |(_, by)| told(by)).map(|(key, _)| &**key)
}

/// The client whose command runs, and is not among the others meanwhile.
type Running<'r, 'c> = &'r mut Option<&'c mut Client>;

fn is_running(running: &Option<&mut Client>, id: ClientId) -> bool {
    running.as_ref().is_some_and(|client| client.id == id)
}

impl Core {
    /// Tells of all keys that have changed since the last time. `running` is the client whose
    /// command did it: what concerns that client itself is among its own pushes then.
    pub fn tell_modified(&mut self, mut running: Option<&mut Client>) {
        let modified = self.keyspace.take_modified();
        let changed_by = running.as_ref().map(|client| client.id);
        for (key, cause) in modified.iter() {
            if !self.tracking.prefixes.is_empty() {
                let by = changed_by.filter(|_| cause == Cause::Command);
                self.tracking.prefixes.note(key, by);
            }
            self.invalidate(&mut running, key);
        }
        if modified.flushed() {
            self.invalidate_all(&mut running);
        }
        self.keyspace.return_modified(modified);
        self.stop_noting_if_unused();
    }

    /// At the end of a turn: tells of what the server itself has changed, and those who want to
    /// know of all keys with a prefix.
    #[inline]
    pub fn tell_of_turn(&mut self) {
        if self.keyspace.has_modified() {
            self.tell_modified(None);
        }
        if self.tracking.prefixes.has_changed() {
            self.broadcast_changed();
        }
    }

    /// Tells those who have read a key, which from here on they have not (Redis:
    /// trackingInvalidateKey).
    pub(super) fn invalidate(&mut self, running: Running<'_, '_>, key: &[u8]) {
        let mut readers = std::mem::take(&mut self.tracking.readers);
        self.tracking.table.take(key, &mut readers);
        let mut notice = Notice::new(Changed::Key(key));
        for reader in readers.drain(..) {
            let Some(settings) = self.settings_of(running, reader) else { continue };
            let own = settings.noloop && is_running(running, reader);
            if !settings.mode.is_broadcast() && !own {
                self.tell(running, reader, &mut notice);
            }
        }
        self.tracking.readers = readers;
    }

    /// A database is empty: there is no telling which keys were in it (Redis:
    /// trackingInvalidateKeysOnFlush).
    fn invalidate_all(&mut self, running: Running<'_, '_>) {
        let clients = self.clients.in_order(running.as_deref());
        let tracking = clients.filter(|client| client.tracking.is_some());
        let told: Vec<ClientId> = tracking.map(|client| client.id).collect();
        let mut notice = Notice::new(Changed::All);
        told.into_iter().for_each(|id| self.tell(running, id, &mut notice));
        let mut table = std::mem::take(&mut self.tracking.table);
        if table.free_step(FREED_PER_RUN) {
            self.tracking.retired.push(table);
        }
    }

    /// Tells of all keys that have changed in this turn those who wait for it (Redis:
    /// trackingBroadcastInvalidationMessages).
    fn broadcast_changed(&mut self) {
        for (clients, keys) in self.tracking.prefixes.take_changed() {
            let mut notice = Notice::new(Changed::Keys(&keys, None));
            for id in clients {
                let Some(settings) = self.settings_of(&None, id) else { continue };
                if !settings.noloop {
                    self.tell(&mut None, id, &mut notice);
                } else if keys_for(&keys, Some(id)).next().is_some() {
                    self.tell(&mut None, id, &mut Notice::new(Changed::Keys(&keys, Some(id))));
                }
            }
        }
    }

    fn find_client<'a>(
        &'a self,
        running: &'a Option<&mut Client>,
        id: ClientId,
    ) -> Option<&'a Client> {
        match running {
            Some(client) if client.id == id => Some(client),
            _ => self.clients.by_id(id),
        }
    }

    fn settings_of<'a>(
        &'a self,
        running: &'a Option<&mut Client>,
        id: ClientId,
    ) -> Option<&'a ClientTracking> {
        self.find_client(running, id)?.tracking.as_deref()
    }

    /// Tells a client that tracks, or whom it has named.
    fn tell(&mut self, running: Running<'_, '_>, id: ClientId, notice: &mut Notice<'_>) {
        let Some(settings) = self.settings_of(running, id) else { return };
        let redirect = settings.redirect;
        let Some(receiver) = self.find_client(running, redirect.unwrap_or(id)) else {
            return self.tell_broken(running, id);
        };
        let (token, protocol) = (receiver.token, receiver.push_protocol());
        let listens = redirect.is_some() && receiver.is(ClientFlags::PUBSUB);
        if protocol == Protocol::Resp3 || listens {
            let speaks = running.as_ref().map(|client| client.push_protocol());
            self.push_to(speaks, token, &mut same(notice.bytes(protocol)));
        }
    }

    /// Whom a client has named is gone: the client itself is told that.
    fn tell_broken(&mut self, running: Running<'_, '_>, id: ClientId) {
        let speaks = running.as_ref().map(|client| client.push_protocol());
        let client = match running {
            Some(client) if client.id == id => Some(&mut **client),
            _ => self.clients.by_id_mut(id),
        };
        let Some(client) = client else { return };
        let (token, protocol) = (client.token, client.push_protocol());
        let Some(settings) = &mut client.tracking else { return };
        settings.redirect_broken = true;
        if let (Some(ClientId(lost)), Protocol::Resp3) = (settings.redirect, protocol) {
            let mut reply = Reply { protocol, ..Reply::default() };
            reply.push(2);
            reply.bulk(b"tracking-redir-broken");
            reply.int(lost as i64);
            let encoded = Bytes::from(std::mem::take(reply.output.tail()));
            self.push_to(speaks, token, &mut same(encoded));
        }
    }
}

/// A push to one client, whose protocol is known.
fn same(encoded: Bytes) -> Push<'static> {
    Push::encoded(encoded.clone(), encoded)
}
