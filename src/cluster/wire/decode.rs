//! Packets of the bus read from bytes. Called by the cluster for each whole packet, and by the
//! node's loop to find out where a packet ends. Trusts nothing: every length and count is checked
//! against what is there before anything is allocated, every id and text before it is kept.

use std::fmt;

use super::{
    Body, EXTENSION_HEADER_BYTES, Extension, ExtensionKind, GOSSIP_BYTES, Gossip, HEADER_BYTES,
    Header, Heartbeat, IP_FIELD_BYTES, MODULE_HEADER_BYTES, MessageFlags, MessageKind, Packet,
    SIGNATURE, VERSION,
};
use crate::base::limits::{BUS_PACKET_BYTES_MAX, BUS_PLAIN_PACKET_BYTES_MAX, NODE_NAME_BYTES_MAX};
use crate::cluster::id::{Epoch, ID_LEN, NodeId, ShardId};
use crate::cluster::node::{Address, NodeFlags};
use crate::cluster::slots::{SLOT_BYTES, SlotSet};

/// Bytes that tell how long a packet is: signature and length.
const FRAME_BYTES: usize = 8;
/// Bytes that tell of which kind it is, too.
const KIND_END: usize = 14;

/// Why bytes are no packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They do not start with `RCmb`.
    Signature,
    /// Another version of the protocol.
    Version(u16),
    /// The packet is shorter or longer than what it holds, or than any packet may be.
    Length,
    /// It counts more gossip entries, or more bytes of a message, than it holds.
    Count,
    /// A ping extension that is too short, not aligned, not terminated, or no valid text.
    Extension,
    /// A kind of packet that this version does not know; such a packet does no harm.
    UnknownKind(u16),
    /// An id that is none.
    Id,
    /// An address that is not terminated or holds what no address does.
    Address,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Signature => f.write_str("wrong signature"),
            Malformed::Version(version) => write!(f, "protocol version {version}"),
            Malformed::Length => f.write_str("wrong length"),
            Malformed::Count => f.write_str("counts more than it holds"),
            Malformed::Extension => f.write_str("invalid extension"),
            Malformed::UnknownKind(kind) => write!(f, "unknown type {kind}"),
            Malformed::Id => f.write_str("invalid id"),
            Malformed::Address => f.write_str("invalid address"),
        }
    }
}

impl std::error::Error for Malformed {}

/// How long the packet is that these bytes start with; `None` while too few are there to tell.
/// After an error the link is of no use any more, because nobody knows where the next packet
/// starts. The length is a claim of the peer's: memory is to grow with what arrives.
pub fn frame_len(bytes: &[u8]) -> Result<Option<usize>, Malformed> {
    let signed = bytes.len().min(SIGNATURE.len());
    if bytes[..signed] != SIGNATURE[..signed] {
        return Err(Malformed::Signature);
    }
    let Some(frame) = bytes.first_chunk::<FRAME_BYTES>() else { return Ok(None) };
    let length = u32::from_be_bytes([frame[4], frame[5], frame[6], frame[7]]) as usize;
    // The kind may not have arrived yet; then the next call knows better.
    let kind = bytes.first_chunk::<KIND_END>().map(|b| u16::from_be_bytes([b[12], b[13]]));
    let max = match kind.map(MessageKind::from_wire) {
        None => BUS_PACKET_BYTES_MAX,
        Some(Some(kind)) if kind.carries_messages() => BUS_PACKET_BYTES_MAX,
        Some(_) => BUS_PLAIN_PACKET_BYTES_MAX,
    };
    if (HEADER_BYTES..=max).contains(&length) { Ok(Some(length)) } else { Err(Malformed::Length) }
}

/// Reads one whole packet.
pub fn decode(bytes: &[u8]) -> Result<Packet<'_>, Malformed> {
    if frame_len(bytes)? != Some(bytes.len()) {
        return Err(Malformed::Length);
    }
    let mut reader = Reader { rest: &bytes[FRAME_BYTES..] };
    let version = reader.u16()?;
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    let port = reader.u16()?;
    let kind = reader.u16()?;
    let kind = MessageKind::from_wire(kind).ok_or(Malformed::UnknownKind(kind))?;
    let count = reader.u16()?;
    let (header, extensions) = header(&mut reader, port)?;
    let extensions =
        if header.message_flags.contains(MessageFlags::EXTENSIONS) { extensions } else { 0 };
    let body = match kind {
        MessageKind::Ping => heartbeat(&mut reader, Heartbeat::Ping, (count, extensions))?,
        MessageKind::Pong => heartbeat(&mut reader, Heartbeat::Pong, (count, extensions))?,
        MessageKind::Meet => heartbeat(&mut reader, Heartbeat::Meet, (count, extensions))?,
        MessageKind::Fail => Body::Fail(reader.node_id()?),
        MessageKind::Publish => publish(&mut reader, false)?,
        MessageKind::PublishShard => publish(&mut reader, true)?,
        MessageKind::AuthRequest => Body::AuthRequest,
        MessageKind::AuthAck => Body::AuthAck,
        MessageKind::Update => update(&mut reader)?,
        MessageKind::MfStart => Body::MfStart,
        MessageKind::Module => module(&mut reader)?,
    };
    if reader.rest.is_empty() { Ok(Packet { header, body }) } else { Err(Malformed::Length) }
}

/// The header from its epochs on, and the number of extensions.
fn header(reader: &mut Reader<'_>, port: u16) -> Result<(Header, u16), Malformed> {
    let current_epoch = Epoch(reader.u64()?);
    let config_epoch = Epoch(reader.u64()?);
    let offset = reader.u64()?;
    let sender = reader.node_id()?;
    let slots = reader.slots()?;
    let replica_of = match reader.array::<ID_LEN>()? {
        [0, ..] => None,
        id => Some(NodeId::parse(id).map_err(|_| Malformed::Id)?),
    };
    let ip = reader.ip()?;
    let extensions = reader.u16()?;
    reader.take(super::UNUSED_BYTES)?;
    let address = Address { ip, port, tls_port: reader.u16()?, bus_port: reader.u16()? };
    let flags = NodeFlags::from_bits_truncate(reader.u16()?);
    let state_ok = reader.u8()? == 0;
    let [message_flags, _, _] = *reader.array::<3>()?;
    let message_flags = MessageFlags::from_bits_truncate(message_flags);
    let header = Header {
        sender,
        current_epoch,
        config_epoch,
        offset,
        slots,
        replica_of,
        address,
        flags,
        state_ok,
        message_flags,
    };
    Ok((header, extensions))
}

fn heartbeat<'a>(
    reader: &mut Reader<'_>,
    kind: Heartbeat,
    (count, extension_count): (u16, u16),
) -> Result<Body<'a>, Malformed> {
    let count = usize::from(count);
    if count * GOSSIP_BYTES > reader.rest.len() {
        return Err(Malformed::Count);
    }
    let gossip = (0..count).map(|_| gossip_entry(reader)).collect::<Result<Vec<_>, _>>()?;
    if usize::from(extension_count) * EXTENSION_HEADER_BYTES > reader.rest.len() {
        return Err(Malformed::Extension);
    }
    let mut extensions = Vec::new();
    for _ in 0..extension_count {
        extensions.extend(extension(reader)?);
    }
    Ok(Body::Heartbeat { kind, gossip, extensions })
}

fn gossip_entry(reader: &mut Reader<'_>) -> Result<Gossip, Malformed> {
    let node = reader.node_id()?;
    let ping_sent_s = reader.u32()?;
    let pong_received_s = reader.u32()?;
    let ip = reader.ip()?;
    let port = reader.u16()?;
    let bus_port = reader.u16()?;
    let flags = NodeFlags::from_bits_truncate(reader.u16()?);
    let tls_port = reader.u16()?;
    reader.u16()?;
    let address = Address { ip, port, tls_port, bus_port };
    Ok(Gossip { node, ping_sent_s, pong_received_s, address, flags })
}

/// One extension; `None` if it is of an unknown kind, or a name that no nodes.conf can hold.
fn extension(reader: &mut Reader<'_>) -> Result<Option<Extension>, Malformed> {
    let wrong = |_| Malformed::Extension;
    let length = reader.u32().map_err(wrong)? as usize;
    let kind = reader.u16().map_err(wrong)?;
    reader.u16().map_err(wrong)?;
    if !length.is_multiple_of(8) || length < EXTENSION_HEADER_BYTES {
        return Err(Malformed::Extension);
    }
    let payload = reader.take(length - EXTENSION_HEADER_BYTES).map_err(wrong)?;
    let mut payload = Reader { rest: payload };
    Ok(match ExtensionKind::from_wire(kind) {
        None => None,
        Some(ExtensionKind::Hostname) => {
            let name = payload.terminated().ok_or(Malformed::Extension)?;
            let name = valid_hostname(name).ok_or(Malformed::Extension)?;
            Some(Extension::Hostname(name.into()))
        }
        // Redis takes nearly any bytes for a human name, which serves only to be shown: what
        // cannot be kept is not worth losing the heartbeat for.
        Some(ExtensionKind::HumanName) => {
            let name = payload.terminated().ok_or(Malformed::Extension)?;
            valid_human_name(name).map(|name| Extension::HumanName(name.into()))
        }
        Some(ExtensionKind::Forgotten) => {
            let node = payload.node_id().map_err(wrong)?;
            Some(Extension::Forgotten { node, ttl_s: payload.u64().map_err(wrong)? })
        }
        Some(ExtensionKind::Shard) => {
            let id = payload.array::<ID_LEN>().map_err(wrong)?;
            Some(Extension::Shard(ShardId::parse(id).map_err(|_| Malformed::Extension)?))
        }
    })
}

fn publish<'a>(reader: &mut Reader<'a>, sharded: bool) -> Result<Body<'a>, Malformed> {
    let channel = reader.u32()? as usize;
    let message = reader.u32()? as usize;
    if channel > reader.rest.len() || message > reader.rest.len() - channel {
        return Err(Malformed::Count);
    }
    Ok(Body::Publish { sharded, channel: reader.take(channel)?, message: reader.take(message)? })
}

fn update<'a>(reader: &mut Reader<'_>) -> Result<Body<'a>, Malformed> {
    let config_epoch = Epoch(reader.u64()?);
    let node = reader.node_id()?;
    Ok(Body::Update { node, config_epoch, slots: reader.slots()? })
}

fn module<'a>(reader: &mut Reader<'_>) -> Result<Body<'a>, Malformed> {
    let [.., a, b, c, d, _kind] = *reader.array::<MODULE_HEADER_BYTES>()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    reader.take(length).map_err(|_| Malformed::Count)?;
    Ok(Body::Module)
}

/// A host name as cluster-announce-hostname takes it; empty is valid.
fn valid_hostname(name: &[u8]) -> Option<&str> {
    let valid = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'.';
    let fits = name.len() <= NODE_NAME_BYTES_MAX && name.iter().all(valid);
    std::str::from_utf8(name).ok().filter(|_| fits)
}

/// A human name that cluster-announce-human-nodename takes and that a line of nodes.conf can hold.
fn valid_human_name(name: &[u8]) -> Option<&str> {
    let excluded = |c: char| {
        let refused = "!#$%&()*+:;<>?@[]^{|}~".contains(c);
        refused || c.is_control() || c.is_whitespace() || matches!(c, ',' | '=' | '"' | '\'' | '\\')
    };
    let text = std::str::from_utf8(name).ok()?;
    (name.len() <= NODE_NAME_BYTES_MAX && !text.contains(excluded)).then_some(text)
}

/// An address that a line of nodes.conf can hold; empty is valid. It need not be numeric: nodes
/// announce what they are told to.
fn valid_ip(ip: &[u8]) -> Option<&str> {
    let valid = |b: &u8| b.is_ascii_graphic() && !matches!(b, b',' | b'@' | b'"' | b'\'' | b'\\');
    std::str::from_utf8(ip).ok().filter(|_| ip.iter().all(valid))
}

/// Takes fields off the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(Malformed::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<&'a [u8; N], Malformed> {
        let (taken, rest) = self.rest.split_first_chunk::<N>().ok_or(Malformed::Length)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        Ok(u16::from_be_bytes(*self.array()?))
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        Ok(u32::from_be_bytes(*self.array()?))
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        Ok(u64::from_be_bytes(*self.array()?))
    }

    fn node_id(&mut self) -> Result<NodeId, Malformed> {
        NodeId::parse(self.array::<ID_LEN>()?).map_err(|_| Malformed::Id)
    }

    fn slots(&mut self) -> Result<SlotSet, Malformed> {
        Ok(SlotSet::from_bytes(self.array::<SLOT_BYTES>()?))
    }

    fn ip(&mut self) -> Result<Box<str>, Malformed> {
        let mut field = Reader { rest: self.take(IP_FIELD_BYTES)? };
        let ip = field.terminated().and_then(valid_ip).ok_or(Malformed::Address)?;
        Ok(ip.into())
    }

    /// What precedes the first zero byte, if there is one.
    fn terminated(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.rest)?;
        let text = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(text)
    }
}
