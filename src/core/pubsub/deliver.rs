//! Messages on their way to subscribers: a message is encoded once, whoever gets it, and put behind
//! what each receiver's output holds. The client whose command runs gets what it is to be pushed
//! after the reply of that command, of EXEC as a whole (Redis: pending_push_messages). Called by
//! commands, by the bus, and by whoever has something to push to a client.

use bytes::Bytes;

use super::{Kind, Pubsub, Topics};
use crate::base::glob;
use crate::base::limits::{
    KEPT_PUSHES_BYTES_MAX, SHARED_OVERFLOW_BYTES_MIN, SHARED_PUSH_BYTES_MIN,
};
use crate::config::OutputLimits;
use crate::core::client::{Blocked, ClientFlags};
use crate::core::output_limits::is_over_limit;
use crate::core::{Client, Clients, Core};
use crate::keyspace::Slot;
use crate::keyspace::events::{Event, EventClass};
use crate::resp::{Protocol, encode_push};

/// How the client speaks whose command runs, which is not among the others meanwhile; none where
/// no command runs.
pub type Running = Option<Protocol>;

/// One push, encoded when the first receiver of a protocol needs it.
#[derive(Debug)]
pub struct Push<'a> {
    parts: &'a [&'a [u8]],
    encoded: [Option<Bytes>; 2],
}

impl<'a> Push<'a> {
    /// A push of bulk strings: an array for those who speak RESP2.
    pub fn new(parts: &'a [&'a [u8]]) -> Self {
        Push { parts, encoded: [None, None] }
    }

    /// A push that is encoded already, in RESP2 and RESP3; nothing for the one is not sent to those
    /// who speak it.
    pub fn encoded(resp2: Bytes, resp3: Bytes) -> Push<'static> {
        Push { parts: &[], encoded: [Some(resp2), Some(resp3)] }
    }

    #[inline]
    fn bytes(&mut self, protocol: Protocol) -> &Bytes {
        let parts = self.parts;
        self.encoded[protocol as usize]
            .get_or_insert_with(|| Bytes::from(encode_push(protocol, parts)))
    }
}

/// Where pushes go. Borrows what it needs of the core, so that the subscriptions can be walked
/// meanwhile.
struct Outbox<'a> {
    clients: &'a mut Clients,
    pending_pushes: &'a mut Vec<usize>,
    own_pushes: &'a mut Vec<u8>,
    limits: &'a OutputLimits,
    now_seconds: u64,
    running: Running,
    /// Receivers with too much output.
    overfull: Vec<usize>,
}

impl Outbox<'_> {
    #[inline]
    fn send(&mut self, token: usize, push: &mut Push<'_>) {
        let Some(client) = self.clients.get_mut(token) else {
            if let Some(protocol) = self.running {
                self.own_pushes.extend_from_slice(push.bytes(protocol));
            }
            return;
        };
        if !client.takes_pushes() {
            return;
        }
        let bytes = push.bytes(client.reply.protocol);
        client.push(bytes);
        if !client.is(ClientFlags::PENDING_WRITE) {
            client.flags |= ClientFlags::PENDING_WRITE;
            self.pending_pushes.push(token);
        }
        // The buffer alone is never too much.
        let looked_at = client.reply.output.sealed_bytes() > 0;
        if looked_at && is_over_limit(client, self.limits, self.now_seconds) {
            self.overfull.push(token);
        }
    }
}

impl Client {
    /// Whether pushes may be put into its output: not once it is to be closed, nor into a snapshot.
    #[inline]
    fn takes_pushes(&self) -> bool {
        !self.is(ClientFlags::CLOSE_AFTER_REPLY | ClientFlags::CLOSE_ASAP)
            && !matches!(self.blocked, Some(Blocked::Sync))
    }

    /// Puts an encoded push behind its replies, whatever CLIENT REPLY says.
    #[inline]
    fn push(&mut self, encoded: &Bytes) {
        let output = &mut self.reply.output;
        output.prepare();
        let (used, room) = output.tail_size();
        let fits = encoded.len() <= room - used;
        if encoded.len() >= SHARED_PUSH_BYTES_MIN
            || !fits && encoded.len() >= SHARED_OVERFLOW_BYTES_MIN
        {
            output.push_shared(encoded.clone());
        } else {
            output.append(encoded);
            self.output_peak = self.output_peak.max(output.tail().len());
        }
    }
}

impl Core {
    /// What sends pushes while a command runs, and, to be read meanwhile, who is subscribed.
    fn outbox(&mut self, running: Running) -> (Outbox<'_>, &Pubsub) {
        let outbox = Outbox {
            clients: &mut self.clients,
            pending_pushes: &mut self.pending_pushes,
            own_pushes: &mut self.own_pushes,
            limits: &self.config.client_output_buffer_limit,
            now_seconds: self.now.seconds(),
            running,
            overfull: Vec::new(),
        };
        (outbox, &self.pubsub)
    }

    /// Hands a message to all subscribers of a channel, and of patterns that match it; how many
    /// got it (Redis: pubsubPublishMessage).
    pub fn publish(
        &mut self,
        running: Running,
        sharded: bool,
        channel: &[u8],
        message: &[u8],
    ) -> usize {
        let (mut outbox, pubsub) = self.outbox(running);
        let [channels, patterns, shard_channels] = &pubsub.kinds;
        let count = if sharded {
            let parts = [&b"smessage"[..], channel, message];
            send_to_all(&mut outbox, shard_channels.receivers(channel), &parts)
        } else {
            let parts = [&b"message"[..], channel, message];
            send_to_all(&mut outbox, channels.receivers(channel), &parts)
                + send_to_matching(&mut outbox, patterns, channel, message)
        };
        let overfull = outbox.overfull;
        self.after_publishing(sharded, channel, &overfull);
        count
    }

    /// Publishes what happened to keys, to one channel for the key and one for the event (Redis:
    /// notifyKeyspaceEvent).
    #[cold]
    pub fn publish_events(&mut self, running: Running) {
        let events = self.keyspace.take_events();
        if self.pubsub.len(Kind::Channel) + self.pubsub.len(Kind::Pattern) == 0 {
            return;
        }
        let channels = self.config.notify_keyspace_events;
        let mut channel = Vec::new();
        for Event { name, db, key } in &events {
            let (name, mut digits) = (name.as_bytes(), itoa::Buffer::new());
            let db = digits.format(*db).as_bytes();
            if channels.contains(EventClass::KEYSPACE) {
                write_channel(&mut channel, [b"__keyspace@", db, b"__:", key]);
                self.publish(running, false, &channel, name);
            }
            if channels.contains(EventClass::KEYEVENT) {
                write_channel(&mut channel, [b"__keyevent@", db, b"__:", name]);
                self.publish(running, false, &channel, key);
            }
        }
    }

    fn after_publishing(&mut self, sharded: bool, channel: &[u8], overfull: &[usize]) {
        overfull.iter().for_each(|&token| self.check_output_limits(token));
        if self.config.maxmemory_clients == 0 {
            return;
        }
        let [channels, patterns, shard_channels] = &self.pubsub.kinds;
        let named = if sharded { shard_channels } else { channels };
        let mut tokens = named.receivers(channel).to_vec();
        if !sharded {
            tokens.extend(matching(patterns, channel).flat_map(|topic| &topic.receivers));
        }
        tokens.iter().for_each(|&token| self.recount_client(token as usize));
    }

    /// Sends a push to one client, behind the reply of the command that runs if it is the client's
    /// own.
    pub fn push_to(&mut self, running: Running, token: usize, push: &mut Push<'_>) {
        let (mut outbox, _) = self.outbox(running);
        outbox.send(token, push);
        if !outbox.overfull.is_empty() {
            self.check_output_limits(token);
        }
        self.recount_client(token);
    }

    /// The command is over: what its own client was pushed meanwhile follows its reply.
    #[inline]
    pub fn give_own_pushes(&mut self, client: &mut Client) {
        if !self.own_pushes.is_empty() {
            if client.takes_pushes() {
                client.reply.output.tail().extend_from_slice(&self.own_pushes);
            }
            self.own_pushes.clear();
            self.own_pushes.shrink_to(KEPT_PUSHES_BYTES_MAX);
        }
    }

    /// A client's subscriptions are others: its class changes with them, and what it costs.
    pub fn subscriptions_changed(&self, client: &mut Client) {
        let counts = self.pubsub.counts(client.token);
        client.flags.set(ClientFlags::PUBSUB, counts.total() > 0);
        client.subscription_bytes = self.pubsub.client_bytes(client.token);
    }

    /// Ends all subscriptions of a client, without a word.
    pub fn forget_subscriptions(&mut self, client: &mut Client) {
        if client.is(ClientFlags::PUBSUB) {
            self.pubsub.forget(client.token);
            self.subscriptions_changed(client);
        }
    }

    /// A slot went to another node: the subscriptions to its channels end, and their clients are
    /// told (Redis: removeChannelsInSlot).
    pub fn drop_slot_channels(&mut self, slot: Slot) {
        while let Some((channel, receivers)) = self.pubsub.drop_channel_of(slot) {
            for token in receivers {
                let token = token as usize;
                let left = self.pubsub.counts(token).shard_channels;
                let Some(mut client) = self.clients.take(token) else { continue };
                if client.takes_pushes() {
                    client.reply.output.prepare();
                    client.reply.subscription(b"sunsubscribe", Some(&channel), left);
                    client.reply.output.seal_if_full();
                }
                self.subscriptions_changed(&mut client);
                self.clients.put_back(client);
                self.list_for_writing(token);
                self.check_output_limits(token);
                self.recount_client(token);
            }
        }
    }
}

fn write_channel(channel: &mut Vec<u8>, parts: [&[u8]; 4]) {
    channel.clear();
    parts.iter().for_each(|part| channel.extend_from_slice(part));
}

fn send_to_all(outbox: &mut Outbox<'_>, receivers: &[u32], parts: &[&[u8]]) -> usize {
    let mut push = Push::new(parts);
    receivers.iter().for_each(|&token| outbox.send(token as usize, &mut push));
    receivers.len()
}

fn matching<'a>(patterns: &'a Topics, channel: &'a [u8]) -> impl Iterator<Item = &'a super::Topic> {
    let all = patterns.all.iter().map(|(_, topic)| topic);
    all.filter(move |topic| glob::matches(&topic.name, channel))
}

fn send_to_matching(
    outbox: &mut Outbox<'_>,
    patterns: &Topics,
    channel: &[u8],
    message: &[u8],
) -> usize {
    let mut count = 0;
    for topic in matching(patterns, channel) {
        let parts = [&b"pmessage"[..], &topic.name, channel, message];
        count += send_to_all(outbox, &topic.receivers, &parts);
    }
    count
}
