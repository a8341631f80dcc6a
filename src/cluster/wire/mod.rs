//! Packets of the cluster bus, protocol version 1, as types. Field names and order follow Redis
//! 7.2's `clusterMsg`. Bytes become packets in `decode`, packets become bytes in `encode`; both
//! take the sizes from here.

mod decode;
mod encode;
#[cfg(test)]
mod tests;

use bitflags::bitflags;

pub use decode::{Malformed, decode, frame_len};
pub use encode::{encode, encoded_len};

use super::id::{Epoch, ID_LEN, NodeId, ShardId};
use super::node::{Address, NodeFlags};
use super::slots::{SLOT_BYTES, SlotSet};
use crate::base::limits::BUS_PLAIN_PACKET_BYTES_MAX;

/// What every packet starts with.
const SIGNATURE: &[u8; 4] = b"RCmb";
/// Version of the protocol (Redis: CLUSTER_PROTO_VER).
const VERSION: u16 = 1;
/// Bytes of an address, the zero byte included that ends it (Redis: NET_IP_STR_LEN).
const IP_FIELD_BYTES: usize = 46;
/// Bytes of the header that mean nothing.
const UNUSED_BYTES: usize = 30;
/// Bytes of the header: signature, length, version, port, kind and count, three numbers, the
/// sender, its slots, its primary, its address, number of extensions, unused bytes, two more
/// ports, flags, state, and the message's flags (Redis: CLUSTERMSG_MIN_LEN).
pub const HEADER_BYTES: usize = 4
    + 4
    + 4 * 2
    + 3 * 8
    + ID_LEN
    + SLOT_BYTES
    + ID_LEN
    + IP_FIELD_BYTES
    + 2
    + UNUSED_BYTES
    + 2 * 2
    + 2
    + 1
    + 3;
/// Bytes of what a heartbeat says of one node.
pub const GOSSIP_BYTES: usize = ID_LEN + 2 * 4 + IP_FIELD_BYTES + 5 * 2;
/// Bytes of an extension before what it says: length, kind, two that mean nothing.
const EXTENSION_HEADER_BYTES: usize = 8;
/// Bytes of a published message before the channel: both lengths.
const PUBLISH_HEADER_BYTES: usize = 2 * 4;
/// Bytes of an update: epoch, node, slots.
const UPDATE_BYTES: usize = 8 + ID_LEN + SLOT_BYTES;
/// Bytes of a module's message before what it says: module, length, kind.
const MODULE_HEADER_BYTES: usize = 8 + 4 + 1;

const _: () = assert!(HEADER_BYTES == 2256);
const _: () = assert!(GOSSIP_BYTES == 104);
const _: () = assert!(HEADER_BYTES + u16::MAX as usize * GOSSIP_BYTES < BUS_PLAIN_PACKET_BYTES_MAX);

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

    /// The kind of that number.
    fn from_wire(number: u16) -> Option<MessageKind> {
        MessageKind::ALL.get(usize::from(number)).copied()
    }

    /// Whether its packets are as long as what somebody wants to say.
    pub fn carries_messages(self) -> bool {
        matches!(self, MessageKind::Publish | MessageKind::PublishShard | MessageKind::Module)
    }

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

/// Kinds of ping extensions; the discriminant is the number on the bus.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ExtensionKind {
    Hostname = 0,
    HumanName = 1,
    Forgotten = 2,
    Shard = 3,
}

impl ExtensionKind {
    fn from_wire(number: u16) -> Option<ExtensionKind> {
        match number {
            0 => Some(ExtensionKind::Hostname),
            1 => Some(ExtensionKind::HumanName),
            2 => Some(ExtensionKind::Forgotten),
            3 => Some(ExtensionKind::Shard),
            _ => None,
        }
    }
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
