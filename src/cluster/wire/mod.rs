//! Packets of the cluster bus, protocol version 1, as types. Field names and order follow Redis
//! 7.2's `clusterMsg`.

use bitflags::bitflags;

use super::id::{Epoch, NodeId, ShardId};
use super::node::{Address, NodeFlags};
use super::slots::SlotSet;

/// Kinds of packets; the discriminant is the number on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// A heartbeat that wants a pong.
    Ping = 0,
    /// A heartbeat in reply to a ping, or as an announcement.
    Pong = 1,
    /// A ping that makes the receiver add the sender.
    Meet = 2,
    /// A node has failed.
    Fail = 3,
    /// PUBLISH.
    Publish = 4,
    /// A replica asks for a vote.
    AuthRequest = 5,
    /// A vote.
    AuthAck = 6,
    /// The slots of a node, for one who is behind.
    Update = 7,
    /// A replica asks its primary to pause for a manual failover.
    MfStart = 8,
    /// A message between modules.
    Module = 9,
    /// SPUBLISH.
    PublishShard = 10,
}

impl MessageKind {
    /// Every kind, in order of its number.
    pub const ALL: [MessageKind; 11] = [
        MessageKind::Ping,
        MessageKind::Pong,
        MessageKind::Meet,
        MessageKind::Fail,
        MessageKind::Publish,
        MessageKind::AuthRequest,
        MessageKind::AuthAck,
        MessageKind::Update,
        MessageKind::MfStart,
        MessageKind::Module,
        MessageKind::PublishShard,
    ];

    /// The name in CLUSTER INFO's counters (Redis: clusterGetMessageTypeString).
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Ping => "ping",
            MessageKind::Pong => "pong",
            MessageKind::Meet => "meet",
            MessageKind::Fail => "fail",
            MessageKind::Publish => "publish",
            MessageKind::AuthRequest => "auth-req",
            MessageKind::AuthAck => "auth-ack",
            MessageKind::Update => "update",
            MessageKind::MfStart => "mfstart",
            MessageKind::Module => "module",
            MessageKind::PublishShard => "publishshard",
        }
    }
}

bitflags! {
    /// Flags of one message (Redis: mflags[0], CLUSTERMSG_FLAG0_*).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct MessageFlags: u8 {
        /// The sender is a primary that is paused for a manual failover.
        const PAUSED = 1;
        /// Vote even if the primary works.
        const FORCE_ACK = 1 << 1;
        /// The message has ping extensions.
        const EXTENSIONS = 1 << 2;
    }
}

/// What every packet says of its sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's id.
    pub sender: NodeId,
    /// The epoch of the cluster, as the sender knows it.
    pub current_epoch: Epoch,
    /// The epoch of `slots`.
    pub config_epoch: Epoch,
    /// The sender's replication offset.
    pub offset: u64,
    /// The sender's slots; its primary's if it is a replica.
    pub slots: SlotSet,
    /// The sender's primary, if it is a replica that knows it.
    pub replica_of: Option<NodeId>,
    /// What the sender announces: `ip` is empty if it leaves that to the receiver to find out.
    pub address: Address,
    /// The sender's flags.
    pub flags: NodeFlags,
    /// Whether the cluster works in the sender's eyes.
    pub state_ok: bool,
    /// Flags of this message. `encode` sets EXTENSIONS as needed on its own.
    pub message_flags: MessageFlags,
}

/// What a heartbeat says of a third node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gossip {
    /// The node.
    pub node: NodeId,
    /// When the sender pinged it, seconds since the Unix epoch; 0 if no ping is unanswered.
    pub ping_sent_s: u32,
    /// When it answered the sender last, seconds since the Unix epoch.
    pub pong_received_s: u32,
    /// Its address.
    pub address: Address,
    /// Its flags in the sender's eyes.
    pub flags: NodeFlags,
}

/// One ping extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extension {
    /// The sender's announced host name; empty takes it back.
    Hostname(Box<str>),
    /// The sender's announced human readable name; empty takes it back.
    HumanName(Box<str>),
    /// A node that CLUSTER FORGET removed.
    Forgotten {
        /// The node.
        node: NodeId,
        /// How long it must not be added again, in seconds.
        ttl_s: u64,
    },
    /// The sender's shard.
    Shard(ShardId),
}

/// Which heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heartbeat {
    /// It wants a pong.
    Ping,
    /// It answers a ping, or announces.
    Pong,
    /// It wants a pong, and to be added.
    Meet,
}

/// What follows the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// PING, PONG and MEET.
    Heartbeat {
        /// Which of them.
        kind: Heartbeat,
        /// About other nodes.
        gossip: Vec<Gossip>,
        /// Extensions; those of an unknown kind are left out when decoding.
        extensions: Vec<Extension>,
    },
    /// This node has failed.
    Fail(NodeId),
    /// PUBLISH and PUBLISHSHARD.
    Publish {
        /// SPUBLISH rather than PUBLISH.
        sharded: bool,
        /// The channel.
        channel: &'a [u8],
        /// The message.
        message: &'a [u8],
    },
    /// The sender asks for a vote.
    AuthRequest,
    /// The sender votes for the receiver.
    AuthAck,
    /// The slots of a node.
    Update {
        /// The node.
        node: NodeId,
        /// The epoch of `slots`.
        config_epoch: Epoch,
        /// Its slots.
        slots: SlotSet,
    },
    /// Pause for a manual failover.
    MfStart,
    /// Something between modules, which this node has none of.
    Module,
}

impl Body<'_> {
    /// The kind on the bus.
    pub fn kind(&self) -> MessageKind {
        match self {
            Body::Heartbeat { kind: Heartbeat::Ping, .. } => MessageKind::Ping,
            Body::Heartbeat { kind: Heartbeat::Pong, .. } => MessageKind::Pong,
            Body::Heartbeat { kind: Heartbeat::Meet, .. } => MessageKind::Meet,
            Body::Fail(_) => MessageKind::Fail,
            Body::Publish { sharded: false, .. } => MessageKind::Publish,
            Body::Publish { sharded: true, .. } => MessageKind::PublishShard,
            Body::AuthRequest => MessageKind::AuthRequest,
            Body::AuthAck => MessageKind::AuthAck,
            Body::Update { .. } => MessageKind::Update,
            Body::MfStart => MessageKind::MfStart,
            Body::Module => MessageKind::Module,
        }
    }
}

/// One packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// About the sender.
    pub header: Header,
    /// What it has to say.
    pub body: Body<'a>,
}
