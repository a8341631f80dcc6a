//! Packets of the bus written as bytes, for whoever sends them. What is written is what Redis 7.2
//! writes, byte for byte; texts and ids come from types that hold valid ones.

use bytes::Bytes;

use super::{
    Body, EXTENSION_HEADER_BYTES, Extension, ExtensionKind, GOSSIP_BYTES, Gossip, HEADER_BYTES,
    Header, IP_FIELD_BYTES, MODULE_HEADER_BYTES, MessageFlags, PUBLISH_HEADER_BYTES, SIGNATURE,
    UPDATE_BYTES, VERSION,
};
use crate::base::limits::BUS_PACKET_BYTES_MAX;
use crate::cluster::id::ID_LEN;

/// Most gossip entries and extensions of one packet: their counts have two bytes.
const COUNT_MAX: usize = u16::MAX as usize;

/// How long a packet with this body is. One that is longer than `BUS_PACKET_BYTES_MAX`, which only
/// a message can be, must not be sent.
pub fn encoded_len(body: &Body<'_>) -> usize {
    HEADER_BYTES
        + match body {
            Body::Heartbeat { gossip, extensions, .. } => {
                let extensions = extensions.iter().take(COUNT_MAX);
                gossip.len().min(COUNT_MAX) * GOSSIP_BYTES
                    + extensions.map(extension_len).sum::<usize>()
            }
            Body::Fail(_) => ID_LEN,
            Body::Publish { channel, message, .. } => {
                PUBLISH_HEADER_BYTES + channel.len() + message.len()
            }
            Body::Update { .. } => UPDATE_BYTES,
            Body::Module => MODULE_HEADER_BYTES,
            Body::AuthRequest | Body::AuthAck | Body::MfStart => 0,
        }
}

fn extension_len(extension: &Extension) -> usize {
    let payload = match extension {
        Extension::Hostname(name) | Extension::HumanName(name) => name.len() + 1,
        Extension::Forgotten { .. } => ID_LEN + 8,
        Extension::Shard(_) => ID_LEN,
    };
    EXTENSION_HEADER_BYTES + payload.next_multiple_of(8)
}

/// The whole packet.
pub fn encode(header: &Header, body: &Body<'_>) -> Bytes {
    let length = encoded_len(body);
    debug_assert!(length <= BUS_PACKET_BYTES_MAX);
    let mut writer = Writer { out: Vec::with_capacity(length) };
    let (count, extensions) = match body {
        Body::Heartbeat { gossip, extensions, .. } => {
            (gossip.len().min(COUNT_MAX) as u16, extensions.len().min(COUNT_MAX) as u16)
        }
        _ => (0, 0),
    };
    writer.out.extend_from_slice(SIGNATURE);
    writer.u32(u32::try_from(length).unwrap_or(u32::MAX));
    writer.u16(VERSION);
    writer.u16(header.address.port);
    writer.u16(body.kind() as u16);
    writer.u16(count);
    writer.header(header, extensions);
    match body {
        Body::Heartbeat { gossip, extensions, .. } => {
            gossip.iter().take(COUNT_MAX).for_each(|entry| writer.gossip(entry));
            extensions.iter().take(COUNT_MAX).for_each(|extension| writer.extension(extension));
        }
        Body::Fail(node) => writer.out.extend_from_slice(node.as_bytes()),
        Body::Publish { channel, message, .. } => {
            writer.u32(channel.len() as u32);
            writer.u32(message.len() as u32);
            writer.out.extend_from_slice(channel);
            writer.out.extend_from_slice(message);
        }
        Body::Update { node, config_epoch, slots } => {
            writer.u64(config_epoch.0);
            writer.out.extend_from_slice(node.as_bytes());
            writer.out.extend_from_slice(slots.as_bytes());
        }
        Body::Module => writer.zeros(MODULE_HEADER_BYTES),
        Body::AuthRequest | Body::AuthAck | Body::MfStart => {}
    }
    debug_assert_eq!(writer.out.len(), length);
    Bytes::from(writer.out)
}

/// Appends fields.
struct Writer {
    out: Vec<u8>,
}

impl Writer {
    fn u16(&mut self, value: u16) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn u32(&mut self, value: u32) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn u64(&mut self, value: u64) {
        self.out.extend_from_slice(&value.to_be_bytes());
    }

    fn zeros(&mut self, count: usize) {
        self.out.resize(self.out.len() + count, 0);
    }

    /// An address and at least one zero byte after it.
    fn ip(&mut self, ip: &str) {
        let end = self.out.len() + IP_FIELD_BYTES;
        let text = ip.as_bytes();
        self.out.extend_from_slice(&text[..text.len().min(IP_FIELD_BYTES - 1)]);
        self.out.resize(end, 0);
    }

    /// The header from its epochs on.
    fn header(&mut self, header: &Header, extensions: u16) {
        self.u64(header.current_epoch.0);
        self.u64(header.config_epoch.0);
        self.u64(header.offset);
        self.out.extend_from_slice(header.sender.as_bytes());
        self.out.extend_from_slice(header.slots.as_bytes());
        match &header.replica_of {
            Some(primary) => self.out.extend_from_slice(primary.as_bytes()),
            None => self.zeros(ID_LEN),
        }
        self.ip(&header.address.ip);
        self.u16(extensions);
        self.zeros(super::UNUSED_BYTES);
        self.u16(header.address.tls_port);
        self.u16(header.address.bus_port);
        self.u16(header.flags.bits());
        let mut flags = header.message_flags;
        flags.set(MessageFlags::EXTENSIONS, extensions > 0);
        self.out.extend_from_slice(&[u8::from(!header.state_ok), flags.bits(), 0, 0]);
    }

    fn gossip(&mut self, entry: &Gossip) {
        self.out.extend_from_slice(entry.node.as_bytes());
        self.u32(entry.ping_sent_s);
        self.u32(entry.pong_received_s);
        self.ip(&entry.address.ip);
        self.u16(entry.address.port);
        self.u16(entry.address.bus_port);
        self.u16(entry.flags.bits());
        self.u16(entry.address.tls_port);
        self.u16(0);
    }

    fn extension(&mut self, extension: &Extension) {
        let length = extension_len(extension);
        let end = self.out.len() + length;
        let kind = match extension {
            Extension::Hostname(_) => ExtensionKind::Hostname,
            Extension::HumanName(_) => ExtensionKind::HumanName,
            Extension::Forgotten { .. } => ExtensionKind::Forgotten,
            Extension::Shard(_) => ExtensionKind::Shard,
        };
        self.u32(length as u32);
        self.u16(kind as u16);
        self.u16(0);
        match extension {
            Extension::Hostname(name) | Extension::HumanName(name) => {
                self.out.extend_from_slice(name.as_bytes());
            }
            Extension::Forgotten { node, ttl_s } => {
                self.out.extend_from_slice(node.as_bytes());
                self.u64(*ttl_s);
            }
            Extension::Shard(shard) => self.out.extend_from_slice(shard.as_bytes()),
        }
        // Names end with a zero byte, and every extension with as many as align the next one.
        self.out.resize(end, 0);
    }
}
