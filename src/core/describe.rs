//! A client in one line, as CLIENT LIST and the log show it (Redis: catClientInfoString).

use std::fmt::Write;

use super::Core;
use super::blocking::KeptCommand;
use super::client::{Blocked, Client, ClientFlags};
use crate::resp::Protocol;

impl Core {
    /// The client's line, without a line end.
    pub fn describe_client(&self, client: &Client) -> String {
        let now_ms = self.now.ms();
        let seconds = |since_ms: u64| now_ms.saturating_sub(since_ms) / 1000;
        let text = |bytes: &Option<Box<[u8]>>| {
            String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned()
        };
        let (used, room) = client.reply.output.tail_size();
        let queued = client.transaction.as_ref();
        let subscribed = self.pubsub.counts(client.token);
        let mut line = format!(
            "id={} addr={} laddr={} fd={} name={} age={} idle={} flags={} db={} sub={} psub={} \
             ssub={}",
            client.id.0,
            client.peer,
            client.local,
            client.fd,
            text(&client.name),
            seconds(client.created_ms),
            seconds(client.active_ms),
            self.flag_letters(client),
            client.db,
            subscribed.channels,
            subscribed.patterns,
            subscribed.shard_channels,
        );
        let command = client.last_command.map_or("NULL", |id| self.command_name(id));
        // Writing into a String cannot fail.
        let _ = write!(
            line,
            " multi={} qbuf={} qbuf-free={} argv-mem={} multi-mem={} rbs={room} rbp={} obl={used} \
             oll={} omem={} tot-mem={} events={} cmd={command} user={} redir={} resp={} \
             lib-name={} lib-ver={}",
            queued.map_or(-1, |open| open.queue.len() as i64),
            client.query.used,
            client.query.free,
            client.query.args + client.kept_command().map_or(0, KeptCommand::memory),
            queued.map_or(0, |open| open.bytes),
            client.output_peak,
            client.reply.output.chunks(),
            client.reply.output.sealed_bytes(),
            client.memory(),
            if client.reply.output.pending() > 0 { "rw" } else { "r" },
            if client.is(ClientFlags::AUTHENTICATED) { "default" } else { "(superuser)" },
            client.redirect_number(),
            if client.reply.protocol == Protocol::Resp3 { 3 } else { 2 },
            text(&client.lib_name),
            text(&client.lib_ver),
        );
        line
    }
}

impl Core {
    /// CLIENT LIST's flags; `N` where none applies.
    fn flag_letters(&self, client: &Client) -> String {
        let tracking = client.tracking.as_deref();
        let letters = [
            (matches!(client.blocked, Some(Blocked::Sync)), 'S'),
            (client.is(ClientFlags::MONITOR), 'O'),
            (client.is(ClientFlags::PUBSUB), 'P'),
            (client.is(ClientFlags::MULTI), 'x'),
            (client.is_postponed() || client.kept_command().is_some(), 'b'),
            (tracking.is_some(), 't'),
            (tracking.is_some_and(|tracking| tracking.redirect_broken), 'R'),
            (tracking.is_some_and(|tracking| tracking.mode.is_broadcast()), 'B'),
            (self.watched_was_touched(client), 'd'),
            (client.is(ClientFlags::CLOSE_AFTER_REPLY), 'c'),
            (client.is(ClientFlags::CLOSE_ASAP), 'A'),
            (client.is(ClientFlags::UNIX_SOCKET), 'U'),
            (client.is(ClientFlags::READONLY), 'r'),
            (client.is(ClientFlags::NO_EVICT), 'e'),
            (client.is(ClientFlags::NO_TOUCH), 'T'),
        ];
        let set: String = letters.iter().filter(|(on, _)| *on).map(|(_, letter)| *letter).collect();
        if set.is_empty() { "N".into() } else { set }
    }
}
