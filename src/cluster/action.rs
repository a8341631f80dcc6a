//! What the cluster asks of the node's loop. The loop carries actions out in order: what is saved
//! is on disk before what is sent leaves.

use bytes::Bytes;

use super::link::LinkId;
use super::wire::MessageKind;
use crate::keyspace::Slot;

/// One request to the loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Open a link. The outcome comes back as `link_connected` or `link_closed`.
    Connect {
        /// The link.
        link: LinkId,
        /// Address, an IPv4 or IPv6 literal.
        ip: Box<str>,
        /// The bus port.
        port: u16,
    },
    /// Queue a packet on a link. Packets to several nodes share their bytes.
    Send {
        /// The link.
        link: LinkId,
        /// What it is: packets of the cluster itself go ahead of messages, of which there may be a
        /// backlog.
        kind: MessageKind,
        /// The whole packet.
        packet: Bytes,
    },
    /// Close a link. The cluster has forgotten it already: no `link_closed` comes back.
    Close(LinkId),
    /// Write nodes.conf. The outcome comes back as `note_saved`.
    Save {
        /// It must be on disk before anything else is sent.
        fsync: bool,
    },
    /// Delete the keys of a slot that went to another node.
    DropSlotKeys(Slot),
    /// End the subscriptions of shard channels of a slot that went to another node (Redis:
    /// removeChannelsInSlot).
    DropSlotChannels(Slot),
    /// Hand a message to the subscribers on this node.
    Deliver {
        /// SPUBLISH rather than PUBLISH.
        sharded: bool,
        /// The channel.
        channel: Box<[u8]>,
        /// The message.
        message: Box<[u8]>,
    },
}
