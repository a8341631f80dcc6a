//! What a node knows of one member of the cluster, itself included.

use bitflags::bitflags;

use super::id::{Epoch, NodeId, ShardId};
use super::link::LinkId;
use super::nodes::NodeIndex;

bitflags! {
    /// Properties of a node. The bits are those of the bus (Redis: CLUSTER_NODE_*).
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct NodeFlags: u16 {
        /// A primary.
        const PRIMARY = 1;
        /// A replica.
        const REPLICA = 1 << 1;
        /// This node does not reach it.
        const PFAIL = 1 << 2;
        /// The majority does not reach it.
        const FAIL = 1 << 3;
        /// This node.
        const MYSELF = 1 << 4;
        /// Its id is not known yet: the one it has here is made up.
        const HANDSHAKE = 1 << 5;
        /// Its address is not known.
        const NOADDR = 1 << 6;
        /// It is to be told to meet this node.
        const MEET = 1 << 7;
        /// A primary that replicas may migrate to.
        const MIGRATE_TO = 1 << 8;
        /// A replica that does not fail over.
        const NOFAILOVER = 1 << 9;
        /// It understands ping extensions. Redis 7.2 neither sends nor heeds this one.
        const EXTENSIONS = 1 << 10;
    }
}

impl NodeFlags {
    /// The flags that Redis 7.2 knows, and that are told to others.
    pub const ON_BUS: NodeFlags = NodeFlags::all().difference(NodeFlags::EXTENSIONS);
    /// What a node that was not known before may be flagged as by others.
    pub const HEARSAY: NodeFlags = NodeFlags::PRIMARY
        .union(NodeFlags::REPLICA)
        .union(NodeFlags::PFAIL)
        .union(NodeFlags::FAIL)
        .union(NodeFlags::MIGRATE_TO)
        .union(NodeFlags::NOFAILOVER);
    /// Either way of not answering.
    pub const FAILING: NodeFlags = NodeFlags::PFAIL.union(NodeFlags::FAIL);
}

/// Where a node is reached. Texts are as announced; an empty ip is one that is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// IPv4 or IPv6 address, at most `IP_BYTES_MAX` bytes; empty if not known.
    pub ip: Box<str>,
    /// Port for clients without TLS; 0 if there is none.
    pub port: u16,
    /// Port for clients with TLS; 0 if there is none.
    pub tls_port: u16,
    /// Port of the cluster bus.
    pub bus_port: u16,
}

/// One node's word that another does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureReport {
    /// Who said so.
    pub reporter: NodeId,
    /// When it said so last.
    pub at_ms: u64,
}

/// One member of the cluster. All times are milliseconds since the Unix epoch, 0 for never.
#[derive(Clone, Debug)]
pub struct Node {
    /// Its id; made up while in handshake.
    pub id: NodeId,
    /// The shard it belongs to.
    pub shard: ShardId,
    /// Properties.
    pub flags: NodeFlags,
    /// The epoch of its slots; of its primary's slots if it is a replica.
    pub config_epoch: Epoch,
    /// Where it is reached.
    pub address: Address,
    /// Announced host name; empty for none.
    pub hostname: Box<str>,
    /// Announced human readable name; empty for none.
    pub human_name: Box<str>,
    /// Its primary. A replica whose primary is not known has none.
    pub replica_of: Option<NodeIndex>,
    /// When this node heard of it first.
    pub created_ms: u64,
    /// When the ping was sent that it has not answered yet; 0 if it has answered.
    pub ping_sent_ms: u64,
    /// When it last answered a ping.
    pub pong_received_ms: u64,
    /// When anything last came from it.
    pub data_received_ms: u64,
    /// When it was marked FAIL.
    pub fail_ms: u64,
    /// When this node last voted for a replica of it.
    pub voted_ms: u64,
    /// Its replication offset as it last said.
    pub replication_offset: u64,
    /// When it last said so.
    pub replication_offset_ms: u64,
    /// Since when it is a primary without a working replica.
    pub orphaned_ms: u64,
    /// Who says that it does not answer, each reporter once.
    pub failure_reports: Vec<FailureReport>,
    /// The link from here to it.
    pub link: Option<LinkId>,
    /// The link that it opened to here.
    pub inbound: Option<LinkId>,
    /// Number of the ping that last carried gossip about it.
    pub last_in_gossip: u64,
}

impl Node {
    /// A node that was just heard of, at this address.
    pub fn new(
        id: NodeId,
        shard: ShardId,
        flags: NodeFlags,
        address: Address,
        now_ms: u64,
    ) -> Self {
        Node {
            id,
            shard,
            flags,
            config_epoch: Epoch(0),
            address,
            hostname: Box::default(),
            human_name: Box::default(),
            replica_of: None,
            created_ms: now_ms,
            ping_sent_ms: 0,
            pong_received_ms: 0,
            data_received_ms: 0,
            fail_ms: 0,
            voted_ms: 0,
            replication_offset: 0,
            replication_offset_ms: 0,
            orphaned_ms: 0,
            failure_reports: Vec::new(),
            link: None,
            inbound: None,
            last_in_gossip: 0,
        }
    }

    /// Whether any of these flags is set.
    #[inline]
    pub fn is(&self, flags: NodeFlags) -> bool {
        self.flags.intersects(flags)
    }

    /// Whether it is a primary.
    #[inline]
    pub fn is_primary(&self) -> bool {
        self.is(NodeFlags::PRIMARY)
    }

    /// Whether it is a replica.
    #[inline]
    pub fn is_replica(&self) -> bool {
        self.is(NodeFlags::REPLICA)
    }

    /// Whether its id is not known yet.
    #[inline]
    pub fn in_handshake(&self) -> bool {
        self.is(NodeFlags::HANDSHAKE)
    }

    /// Whether the majority says that it has failed.
    #[inline]
    pub fn has_failed(&self) -> bool {
        self.is(NodeFlags::FAIL)
    }
}
