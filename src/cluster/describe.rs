//! A node as one line of text: what CLUSTER NODES replies and nodes.conf holds. The two differ in
//! what only the file says: ports of the other kind, the human readable name and the shard.

use std::borrow::Cow;
use std::fmt::Write as _;

use super::node::{Node, NodeFlags};
use super::nodes::NodeIndex;
use super::nodes_conf::IP_BYTES_MAX;
use super::{Cluster, NodeId};
use crate::base::text::repr;

/// Flags that have a name in a line, in the order of Redis's `redisNodeFlagsTable`.
pub(super) const FLAG_NAMES: [(NodeFlags, &str); 8] = [
    (NodeFlags::MYSELF, "myself"),
    (NodeFlags::PRIMARY, "master"),
    (NodeFlags::REPLICA, "slave"),
    (NodeFlags::PFAIL, "fail?"),
    (NodeFlags::FAIL, "fail"),
    (NodeFlags::HANDSHAKE, "handshake"),
    (NodeFlags::NOADDR, "noaddr"),
    (NodeFlags::NOFAILOVER, "nofailover"),
];

/// What a node without any of them has in their place.
pub(super) const NO_FLAGS: &str = "noflags";

/// Who reads the line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader {
    /// A client.
    Client,
    /// This node, or another in its place, after a restart.
    File,
}

impl NodeFlags {
    /// The names of all flags that have one, `noflags` if there is none.
    pub fn describe(self) -> String {
        let names: Vec<&str> =
            FLAG_NAMES.iter().filter(|(flag, _)| self.contains(*flag)).map(|(_, n)| *n).collect();
        if names.is_empty() { NO_FLAGS.to_string() } else { names.join(",") }
    }
}

impl Cluster {
    /// One node as CLUSTER NODES shows it, without a line end. `tls` asks for its TLS port.
    pub fn describe_node(&self, index: NodeIndex, tls: bool) -> String {
        self.node_line(index, tls, Reader::Client)
    }

    /// All nodes but those with any of the flags `hide`, each as a line with its end.
    pub fn describe_nodes(&self, hide: NodeFlags, tls: bool) -> String {
        self.node_lines(hide, tls, Reader::Client)
    }

    pub(super) fn node_lines(&self, hide: NodeFlags, tls: bool, reader: Reader) -> String {
        let shown = self.nodes.iter().filter(|(_, node)| !node.is(hide));
        shown.map(|(index, _)| self.node_line(index, tls, reader) + "\n").collect()
    }

    fn node_line(&self, index: NodeIndex, tls: bool, reader: Reader) -> String {
        let node = &self.nodes[index];
        let primary = node.replica_of.filter(|&primary| primary != index);
        let primary = primary.map(|primary| &self.nodes[primary]);
        let epoch = match primary {
            Some(primary) if node.is_replica() => primary.config_epoch,
            _ => node.config_epoch,
        };
        let connected = node.link.is_some() || node.is(NodeFlags::MYSELF);
        let mut line = format!(
            "{} {} {} {} {} {} {epoch} {}",
            node.id,
            place(node, tls, reader),
            node.flags.describe(),
            primary.map_or("-", |primary| primary.id.as_str()),
            node.ping_sent_ms,
            node.pong_received_ms,
            if connected { "connected" } else { "disconnected" },
        );
        for (first, last) in self.slots.owned_by(index).map(|s| s.ranges()).unwrap_or_default() {
            let _ = match first == last {
                true => write!(line, " {}", first.0),
                false => write!(line, " {}-{}", first.0, last.0),
            };
        }
        if index == self.myself() {
            self.describe_open_slots(&mut line);
        }
        line
    }

    /// Marks of slots on the move, in order of slots.
    fn describe_open_slots(&self, line: &mut String) {
        let id = |index: NodeIndex| -> NodeId { self.nodes[index].id };
        let outgoing = self.slots.migrating().map(|(slot, to)| (slot, '>', id(to)));
        // A slot has one mark in a line; the one that keeps its keys here comes first.
        let incoming = self.slots.importing().map(|(slot, from)| (slot, '<', id(from)));
        let incoming = incoming.filter(|(slot, ..)| self.slots.migrating_to(*slot).is_none());
        let mut open: Vec<_> = outgoing.chain(incoming).collect();
        open.sort_by_key(|(slot, ..)| *slot);
        for (slot, direction, node) in open {
            let _ = write!(line, " [{}-{direction}-{node}]", slot.0);
        }
    }
}

/// The second field: `ip:port@bus_port[,hostname]`, and for the file what else is known.
fn place(node: &Node, tls: bool, reader: Reader) -> String {
    let address = &node.address;
    let (port, other) = match tls {
        true => (address.tls_port, ("tcp-port", address.port)),
        false => (address.port, ("tls-port", address.tls_port)),
    };
    let hostname = writable(&node.hostname);
    let ip = if address.ip.len() > IP_BYTES_MAX { "" } else { writable(&address.ip) };
    let mut place = format!("{ip}:{port}@{}", address.bus_port);
    if reader == Reader::Client {
        if !hostname.is_empty() {
            let _ = write!(place, ",{hostname}");
        }
        return place;
    }
    let _ = write!(place, ",{hostname},{}={}", other.0, other.1);
    let name = writable(&node.human_name);
    if !name.is_empty() && name.chars().all(is_aux) {
        let _ = write!(place, ",nodename={name}");
    }
    let _ = write!(place, ",shard-id={}", node.shard);
    quoted(&place).into_owned()
}

/// Characters of auxiliary fields that Redis reads (Redis: isValidAuxChar).
pub(super) fn is_aux(c: char) -> bool {
    !"!#$%&()*+:;<>?@[]^{|}~".contains(c)
}

/// A text that a peer announced, unless it would end its field: then it is left out. Its owner
/// announces it again.
fn writable(text: &str) -> &str {
    if text.contains([',', '=', '\0', '\n', '\r']) { "" } else { text }
}

/// A field as a word of a line, which blanks and quotes would cut.
fn quoted(field: &str) -> Cow<'_, str> {
    let plain = |c: char| !c.is_ascii_whitespace() && !matches!(c, '"' | '\'' | '\x0b');
    if field.chars().all(plain) {
        return Cow::Borrowed(field);
    }
    Cow::Owned(String::from_utf8(repr(field.as_bytes())).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;
    use crate::cluster::{Address, Epoch, Settings, ShardId};
    use crate::keyspace::Slot;

    fn cluster() -> Cluster {
        let settings = Settings { port: 7000, bus_port: 17_000, ..Settings::default() };
        Cluster::new(settings, Rng::seeded(1), 1000)
    }

    fn add(cluster: &mut Cluster, seed: u64, flags: NodeFlags) -> NodeIndex {
        let mut rng = Rng::seeded(seed);
        let address =
            Address { ip: "10.0.0.2".into(), port: 7001, tls_port: 7443, bus_port: 17_001 };
        let (id, shard) = (NodeId::random(&mut rng), ShardId::random(&mut rng));
        cluster.nodes.insert(Node::new(id, shard, flags, address, 1000)).unwrap()
    }

    #[test]
    fn flags_have_redis_names_in_redis_order() {
        assert_eq!(NodeFlags::empty().describe(), "noflags");
        assert_eq!((NodeFlags::MEET | NodeFlags::EXTENSIONS).describe(), "noflags");
        let all = "myself,master,slave,fail?,fail,handshake,noaddr,nofailover";
        assert_eq!(NodeFlags::all().describe(), all);
    }

    #[test]
    fn a_line_is_what_redis_shows() {
        let mut cluster = cluster();
        let me = cluster.myself();
        let other = add(&mut cluster, 2, NodeFlags::PRIMARY | NodeFlags::PFAIL);
        for slot in [0, 1, 2, 5, 16_382, 16_383] {
            cluster.slots.set_owner(Slot(slot), Some(me));
        }
        cluster.slots.set_migrating(Slot(5), Some(other));
        cluster.slots.set_importing(Slot(3), Some(other));
        let (my_id, id) = (cluster.me().id, cluster.nodes[other].id);
        assert_eq!(
            cluster.describe_node(me, false),
            format!(
                "{my_id} :7000@17000 myself,master - 0 0 0 connected 0-2 5 16382-16383 \
                 [3-<-{id}] [5->-{id}]"
            )
        );
        cluster.nodes[other].hostname = "host-2.example".into();
        cluster.nodes[other].pong_received_ms = 77;
        cluster.nodes[other].config_epoch = Epoch(9);
        assert_eq!(
            cluster.describe_node(other, true),
            format!("{id} 10.0.0.2:7443@17001,host-2.example master,fail? - 0 77 9 disconnected")
        );
    }

    #[test]
    fn a_replica_shows_the_epoch_of_its_primary() {
        let mut cluster = cluster();
        let primary = add(&mut cluster, 2, NodeFlags::PRIMARY);
        let replica = add(&mut cluster, 3, NodeFlags::REPLICA);
        cluster.nodes[primary].config_epoch = Epoch(4);
        cluster.nodes[replica].replica_of = Some(primary);
        let line = cluster.describe_node(replica, false);
        let primary = cluster.nodes[primary].id;
        assert!(line.ends_with(&format!(" slave {primary} 0 0 4 disconnected")), "{line}");
    }

    #[test]
    fn hidden_nodes_have_no_line() {
        let mut cluster = cluster();
        add(&mut cluster, 2, NodeFlags::HANDSHAKE);
        assert_eq!(cluster.describe_nodes(NodeFlags::empty(), false).lines().count(), 2);
        assert_eq!(cluster.describe_nodes(NodeFlags::HANDSHAKE, false).lines().count(), 1);
    }
}
