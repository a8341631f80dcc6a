//! What the node knows of one connected client, its socket excepted.

use bitflags::bitflags;

use super::CommandId;
use super::blocking::KeptCommand;
use super::tracking::ClientTracking;
use crate::config::OutputClass;
use crate::resp::{OwnedArgs, Protocol, Reply};

/// Never reused while the process runs; the first client has 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientId(pub u64);

bitflags! {
    /// Properties of a client that gates and CLIENT LIST look at.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ClientFlags: u32 {
        /// Between MULTI and EXEC.
        const MULTI = 1 << 0;
        /// A command failed while the transaction was queued.
        const DIRTY_EXEC = 1 << 1;
        /// Runs MONITOR.
        const MONITOR = 1 << 2;
        /// Connected through the unix socket.
        const UNIX_SOCKET = 1 << 3;
        /// Never chosen by client eviction.
        const NO_EVICT = 1 << 4;
        /// Commands do not touch LRU and LFU.
        const NO_TOUCH = 1 << 5;
        /// Passed authentication, or none is required.
        const AUTHENTICATED = 1 << 6;
        /// CLIENT REPLY OFF.
        const REPLY_OFF = 1 << 7;
        /// CLIENT REPLY SKIP: mute the next command.
        const REPLY_SKIP_NEXT = 1 << 8;
        /// CLIENT REPLY SKIP: this command is mute.
        const REPLY_SKIP = 1 << 9;
        /// Closes once its replies are sent; no further request is read.
        const CLOSE_AFTER_REPLY = 1 << 10;
        /// Closes as soon as the running command ends.
        const CLOSE_ASAP = 1 << 11;
        /// EXEC is running its queue: commands must not block.
        const DENY_BLOCKING = 1 << 12;
        /// Connected from this machine.
        const LOOPBACK = 1 << 14;
        /// Already listed for writing in this turn.
        const PENDING_WRITE = 1 << 13;
        /// ASKING was said: the next command, or transaction, may use a slot that is on its way in.
        const ASKING = 1 << 15;
        /// READONLY: reads what the primary of this replica owns.
        const READONLY = 1 << 16;
        /// Said by REPLCONF where it listens: it wants all changes, not just a snapshot.
        const ANNOUNCED_REPLICA = 1 << 17;
        /// Has a subscription of any kind.
        const PUBSUB = 1 << 18;
        /// Its script is running: what is called now is called by that.
        const SCRIPT = 1 << 19;
    }
}

/// Why a client waits.
#[derive(Debug)]
pub enum Blocked {
    /// CLIENT PAUSE holds its next command back, which is still in its input.
    Postponed,
    /// SYNC: all it gets from here on is a snapshot.
    Sync,
    /// Its command waits for keys (`dispatch::blocked`).
    OnKeys(Box<KeptCommand>),
    /// Its command waited for keys, and was woken while CLIENT PAUSE holds it back.
    Held(Box<KeptCommand>),
}

/// A transaction between MULTI and EXEC.
#[derive(Debug, Default)]
pub struct Transaction {
    /// The queued commands, in order.
    pub queue: Vec<Queued>,
    /// Heap bytes of the queue.
    pub bytes: usize,
    /// Union of the queued commands' flags (`dispatch::Flags` bits), for gates on EXEC.
    pub flags: u64,
}

/// One queued command.
#[derive(Debug)]
pub struct Queued {
    /// Which command it resolved to.
    pub command: CommandId,
    /// Its arguments.
    pub args: OwnedArgs,
}

/// The query buffer's sizes, kept here by the node so that CLIENT LIST can show them.
#[derive(Clone, Copy, Debug, Default)]
pub struct QueryFigures {
    /// Bytes that wait to be parsed, without the arguments before them.
    pub used: usize,
    /// Bytes free behind them.
    pub free: usize,
    /// Bytes of those arguments of a half-received command that are whole.
    pub args: usize,
    /// Largest input since the cron last looked.
    pub peak: usize,
}

impl QueryFigures {
    /// A read brought the input to `used` bytes in a buffer of `capacity`.
    #[inline]
    pub fn note(&mut self, used: usize, capacity: usize) {
        self.keep(0, used, capacity);
        self.peak = self.peak.max(used);
    }

    /// What is kept between turns: an input of which so many bytes are arguments that are whole.
    #[inline]
    pub fn keep(&mut self, parsed: usize, input: usize, capacity: usize) {
        self.args = parsed;
        self.used = input - parsed;
        self.free = capacity - input;
    }
}

/// One connected client.
#[derive(Debug)]
pub struct Client {
    /// Its id.
    pub id: ClientId,
    /// Its place in `Clients` and the node's connections.
    pub token: usize,
    /// The file descriptor, shown by CLIENT LIST.
    pub fd: i32,
    /// Peer address (`127.0.0.1:50000`, or the path of a unix socket and `:0`).
    pub peer: Box<str>,
    /// Own address.
    pub local: Box<str>,
    /// Selected database.
    pub db: usize,
    /// Where replies go.
    pub reply: Reply,
    /// The protocol that it speaks itself while its script has another.
    pub script_caller: Option<Protocol>,
    /// Properties.
    pub flags: ClientFlags,
    /// CLIENT SETNAME.
    pub name: Option<Box<[u8]>>,
    /// CLIENT SETINFO LIB-NAME.
    pub lib_name: Option<Box<[u8]>>,
    /// CLIENT SETINFO LIB-VER.
    pub lib_ver: Option<Box<[u8]>>,
    /// When it connected, in ms since the epoch.
    pub created_ms: u64,
    /// When it last sent or was sent something, in ms since the epoch.
    pub active_ms: u64,
    /// The last command that it ran.
    pub last_command: Option<CommandId>,
    /// Why it waits, if it does.
    pub blocked: Option<Blocked>,
    /// The open transaction.
    pub transaction: Option<Box<Transaction>>,
    /// How it tracks keys, if it does.
    pub tracking: Option<Box<ClientTracking>>,
    /// Sizes of its query buffer.
    pub query: QueryFigures,
    /// Since when its output is above the soft limit, in seconds since the epoch.
    pub soft_limit_since_s: Option<u64>,
    /// What it counts for in `Core::clients_bytes`.
    pub counted_bytes: usize,
    /// Bytes that the keys cost which it watches, or has until one of them changed.
    pub watched_bytes: usize,
    /// Bytes that its subscriptions cost.
    pub subscription_bytes: usize,
    /// Largest use of the reply buffer since `output_peak_ms`.
    pub output_peak: usize,
    /// When the peak was last reset, in ms since the epoch.
    pub output_peak_ms: u64,
}

impl Client {
    /// A client that has just connected.
    pub fn new(id: ClientId, token: usize, now_ms: u64) -> Self {
        Client {
            id,
            token,
            fd: -1,
            peer: Box::default(),
            local: Box::default(),
            db: 0,
            reply: Reply::default(),
            script_caller: None,
            flags: ClientFlags::empty(),
            name: None,
            lib_name: None,
            lib_ver: None,
            created_ms: now_ms,
            active_ms: now_ms,
            last_command: None,
            blocked: None,
            transaction: None,
            tracking: None,
            query: QueryFigures::default(),
            soft_limit_since_s: None,
            counted_bytes: 0,
            watched_bytes: 0,
            subscription_bytes: 0,
            output_peak: 0,
            output_peak_ms: now_ms,
        }
    }

    /// Whether a flag is set.
    #[inline]
    pub fn is(&self, flags: ClientFlags) -> bool {
        self.flags.intersects(flags)
    }

    /// Whether the next request may be read: not closing, not blocked.
    #[inline]
    pub fn accepts_requests(&self) -> bool {
        self.blocked.is_none() && !self.is(ClientFlags::CLOSE_AFTER_REPLY | ClientFlags::CLOSE_ASAP)
    }

    /// Whether CLIENT PAUSE holds it back.
    pub fn is_postponed(&self) -> bool {
        matches!(self.blocked, Some(Blocked::Postponed | Blocked::Held(_)))
    }

    /// The command that waits for keys, or has.
    pub fn kept_command(&self) -> Option<&KeptCommand> {
        match &self.blocked {
            Some(Blocked::OnKeys(kept) | Blocked::Held(kept)) => Some(kept),
            Some(Blocked::Postponed | Blocked::Sync) | None => None,
        }
    }

    /// The protocol of what is pushed to it.
    #[inline]
    pub fn push_protocol(&self) -> Protocol {
        self.script_caller.unwrap_or(self.reply.protocol)
    }

    /// Whether it connected from this machine.
    pub fn is_local(&self) -> bool {
        self.is(ClientFlags::LOOPBACK | ClientFlags::UNIX_SOCKET)
    }

    /// Makes the reply drop or keep what is written, as CLIENT REPLY asked.
    pub fn update_mute(&mut self) {
        self.reply.muted = self.is(ClientFlags::REPLY_OFF | ClientFlags::REPLY_SKIP);
    }

    /// Which limit there is to its output (Redis: getClientType).
    pub fn output_class(&self) -> OutputClass {
        if self.is(ClientFlags::PUBSUB) { OutputClass::Pubsub } else { OutputClass::Normal }
    }

    /// Bytes that the client costs: itself, its buffers, its queued transaction, the keys that it
    /// watches, its subscriptions, its prefixes, its command that waits.
    pub fn memory(&self) -> usize {
        size_of::<Client>()
            + self.query.used
            + self.query.free
            + self.query.args
            + self.reply.output.heap_bytes()
            + self.watched_bytes
            + self.subscription_bytes
            + self.transaction.as_ref().map_or(0, |t| t.bytes)
            + self.tracking.as_ref().map_or(0, |t| t.heap_bytes())
            + self.kept_command().map_or(0, KeptCommand::memory)
    }
}
