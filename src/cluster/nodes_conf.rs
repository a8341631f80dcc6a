//! nodes.conf as text: this node's view of its cluster in Redis's format, written after every
//! change that must survive a restart and read at the start. The file itself belongs to the node's
//! loop.
//!
//! Reading is stricter than Redis where leniency would take damage for a fact: a number is all
//! digits, a range is in order, each line is whole. Whatever Redis itself writes is read.

use std::fmt;

use super::Cluster;
use super::describe::{FLAG_NAMES, NO_FLAGS, Reader, is_aux};
use super::id::{Epoch, NodeId, ShardId};
use super::node::{Address, Node, NodeFlags};
use super::nodes::{NodeIndex, Nodes};
use super::settings::Settings;
use super::slots::SlotTable;
use crate::base::limits::SLOTS;
use crate::base::rng::Rng;
use crate::base::text::{repr, split_args};
use crate::keyspace::Slot;

/// Longest address of a node (Redis: NET_IP_STR_LEN, without the zero byte).
pub(super) const IP_BYTES_MAX: usize = 45;
/// Fields of a node before its slots.
const NODE_FIELDS: usize = 8;
/// Bytes of a wrong line that the error shows.
const SHOWN_BYTES_MAX: usize = 120;
/// From the client port to the bus port where a line names none (Redis: CLUSTER_PORT_INCR).
const BUS_PORT_OFFSET: u16 = 10_000;

/// Why a text is no nodes.conf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodesConfError {
    /// The line, counted from 1; 0 if all lines together are wrong.
    pub line: usize,
    /// What it says, as far as it is short, in printable characters.
    pub text: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for NodesConfError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => f.write_str(self.reason),
            line => write!(f, "line {line}: {}: {}", self.reason, self.text),
        }
    }
}

impl std::error::Error for NodesConfError {}

impl Cluster {
    /// All that must survive a restart (Redis: clusterSaveConfig).
    pub fn to_nodes_conf(&self) -> String {
        let (current, vote) = (self.current_epoch, self.last_vote_epoch);
        self.node_lines(NodeFlags::HANDSHAKE, false, Reader::File)
            + &format!("vars currentEpoch {current} lastVoteEpoch {vote}\n")
    }

    /// A node that goes on where the text's writer stopped (Redis: clusterLoadConfig).
    pub fn from_nodes_conf(
        text: &[u8],
        settings: Settings,
        rng: Rng,
        now_ms: u64,
    ) -> Result<Cluster, NodesConfError> {
        let mut loading = Loading::new(rng, now_ms);
        for (number, line) in (1..).zip(text.split(|&b| b == b'\n')) {
            loading.line(line).map_err(|reason| NodesConfError {
                line: number,
                text: shown(line),
                reason,
            })?;
        }
        loading.follow_primaries();
        loading.finish(settings)
    }
}

fn shown(line: &[u8]) -> String {
    let cut = &line[..line.len().min(SHOWN_BYTES_MAX)];
    let mut shown = String::from_utf8_lossy(&repr(cut)).into_owned();
    if cut.len() < line.len() {
        shown.push_str("...");
    }
    shown
}

/// What the lines so far said.
struct Loading {
    nodes: Nodes,
    slots: SlotTable,
    /// By node: whether a line states its shard.
    shard_stated: Vec<bool>,
    /// Nodes whose line names a primary.
    replicas: Vec<NodeIndex>,
    /// Ranges of slots, and marks: each slot needs one of both at most.
    ranges: usize,
    myself: Option<NodeIndex>,
    current_epoch: Epoch,
    last_vote_epoch: Epoch,
    rng: Rng,
    now_ms: u64,
}

type Reason = &'static str;

impl Loading {
    fn new(rng: Rng, now_ms: u64) -> Self {
        Loading {
            nodes: Nodes::default(),
            slots: SlotTable::default(),
            shard_stated: Vec::new(),
            replicas: Vec::new(),
            ranges: 0,
            myself: None,
            current_epoch: Epoch(0),
            last_vote_epoch: Epoch(0),
            rng,
            now_ms,
        }
    }

    fn line(&mut self, line: &[u8]) -> Result<(), Reason> {
        // A line's words end at a zero byte, so that it would hide what follows.
        if line.contains(&0) {
            return Err("zero byte");
        }
        let words = split_args(line).ok_or("unbalanced quotes")?;
        let words: Vec<&str> = words
            .iter()
            .map(|word| std::str::from_utf8(word).map_err(|_| "invalid UTF-8"))
            .collect::<Result<_, _>>()?;
        match words.split_first() {
            None => Ok(()),
            Some((first, vars)) if first.eq_ignore_ascii_case("vars") => self.vars(vars),
            Some(_) => self.node(&words),
        }
    }

    fn vars(&mut self, vars: &[&str]) -> Result<(), Reason> {
        let (pairs, rest) = vars.as_chunks::<2>();
        if !rest.is_empty() {
            return Err("a variable without a value");
        }
        for [name, value] in pairs {
            if name.eq_ignore_ascii_case("currentEpoch") {
                self.current_epoch = epoch(value)?;
            } else if name.eq_ignore_ascii_case("lastVoteEpoch") {
                self.last_vote_epoch = epoch(value)?;
            } else {
                log::info!("Skipping unknown cluster config variable '{}'", name.escape_debug());
            }
        }
        Ok(())
    }

    fn node(&mut self, words: &[&str]) -> Result<(), Reason> {
        let Some((&[id, place, flags, primary, ping, pong, config_epoch, _], slots)) =
            words.split_first_chunk::<NODE_FIELDS>()
        else {
            return Err("too few fields");
        };
        let index = self.find_or_add(id)?;
        self.place(index, place)?;
        self.flags(index, flags)?;
        if primary != "-" {
            let primary = self.find_or_add(primary)?;
            if primary == index {
                return Err("a replica of itself");
            }
            self.nodes[index].replica_of = Some(primary);
            self.replicas.push(index);
        }
        let (ping, pong) = (time(ping)?, time(pong)?);
        let config_epoch = epoch(config_epoch)?;
        let now_ms = self.now_ms;
        let node = &mut self.nodes[index];
        // How long ago that was means nothing after a restart.
        if ping != 0 {
            node.ping_sent_ms = now_ms;
        }
        if pong != 0 {
            node.pong_received_ms = now_ms;
        }
        let follows = node.is_replica() && node.replica_of.is_some();
        node.config_epoch = if follows { Epoch(0) } else { config_epoch };
        slots.iter().try_for_each(|word| self.slots(index, word))
    }

    fn find_or_add(&mut self, id: &str) -> Result<NodeIndex, Reason> {
        let id = NodeId::parse(id.as_bytes()).map_err(|_| "invalid node id")?;
        if let Some(index) = self.nodes.find(&id) {
            return Ok(index);
        }
        let shard = ShardId::random(&mut self.rng);
        let node = Node::new(id, shard, NodeFlags::empty(), Address::default(), self.now_ms);
        let index = self.nodes.insert(node).ok_or("too many nodes")?;
        self.shard_stated.resize(index.get() + 1, false);
        Ok(index)
    }

    /// `ip:port[@bus_port][,hostname[,name=value]…]`.
    fn place(&mut self, index: NodeIndex, field: &str) -> Result<(), Reason> {
        let mut parts = field.split(',');
        let address = parts.next().unwrap_or_default();
        let node = &mut self.nodes[index];
        node.hostname = parts.next().unwrap_or_default().into();
        let (mut tcp, mut tls) = (None, None);
        for part in parts {
            let (name, value) = part.split_once('=').ok_or("an auxiliary field without a value")?;
            if value.contains('=') || !value.chars().all(is_aux) {
                return Err("invalid auxiliary field");
            }
            match name {
                "shard-id" => {
                    node.shard =
                        ShardId::parse(value.as_bytes()).map_err(|_| "invalid shard id")?;
                    self.shard_stated[index.get()] = true;
                }
                "nodename" => node.human_name = value.into(),
                "tcp-port" => tcp = Some(port(value)?),
                "tls-port" => tls = Some(port(value)?),
                _ => return Err("unknown auxiliary field"),
            }
        }
        let (ip, ports) = address.rsplit_once(':').ok_or("an address without a port")?;
        if ip.len() > IP_BYTES_MAX {
            return Err("an address that is too long");
        }
        let (own, bus) = match ports.split_once('@') {
            Some((own, bus)) => (port(own)?, port(bus)?),
            // Before Redis 4 the bus port was always so far away.
            None => {
                let own = port(ports)?;
                (own, own.checked_add(BUS_PORT_OFFSET).ok_or("a port that leaves none to the bus")?)
            }
        };
        // A file of a node that uses TLS has the port for it first, and the other in a field.
        node.address = Address {
            ip: ip.into(),
            port: tcp.unwrap_or(own),
            tls_port: tls.unwrap_or(if tcp.is_some() { own } else { node.address.tls_port }),
            bus_port: bus,
        };
        Ok(())
    }

    fn flags(&mut self, index: NodeIndex, field: &str) -> Result<(), Reason> {
        let known = |name: &str| {
            let named = FLAG_NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            named.map(|(flag, _)| *flag)
        };
        for name in field.split(',').filter(|name| !name.eq_ignore_ascii_case(NO_FLAGS)) {
            let flag = known(name).ok_or("unknown flag")?;
            self.nodes[index].flags |= flag;
            if flag == NodeFlags::FAIL {
                self.nodes[index].fail_ms = self.now_ms;
            }
            if flag == NodeFlags::MYSELF && self.myself.replace(index).is_some() {
                return Err("a second line that is flagged as myself");
            }
        }
        if self.nodes[index].is_replica() {
            self.nodes[index].flags -= NodeFlags::PRIMARY;
        }
        Ok(())
    }

    /// `slot`, `first-last`, `[slot->-node]` or `[slot-<-node]`.
    fn slots(&mut self, index: NodeIndex, word: &str) -> Result<(), Reason> {
        self.ranges += 1;
        if self.ranges > 2 * SLOTS {
            return Err("more ranges than slots");
        }
        if let Some(mark) = word.strip_prefix('[') {
            return self.mark(mark.strip_suffix(']').ok_or("a mark without end")?);
        }
        let (first, last) = word.split_once('-').unwrap_or((word, word));
        let (first, last) = (slot(first)?, slot(last)?);
        if first > last {
            return Err("a range of slots that ends before it begins");
        }
        for slot in (first.0..=last.0).map(Slot) {
            // As in Redis, who claims a slot first has it.
            if self.slots.owner(slot).is_none() {
                self.slots.set_owner(slot, Some(index));
            }
        }
        Ok(())
    }

    fn mark(&mut self, mark: &str) -> Result<(), Reason> {
        let (number, rest) = mark.split_once('-').ok_or("a mark without direction")?;
        let slot = slot(number)?;
        if let Some(id) = rest.strip_prefix(">-") {
            let to = self.find_or_add(id)?;
            self.slots.set_migrating(slot, Some(to));
        } else if let Some(id) = rest.strip_prefix("<-") {
            let from = self.find_or_add(id)?;
            self.slots.set_importing(slot, Some(from));
        } else {
            return Err("a mark without direction");
        }
        Ok(())
    }

    /// A replica is in its primary's shard. Files older than 7.2 state no shards, and one that was
    /// written while a replica changed its primary may state two.
    fn follow_primaries(&mut self) {
        for &replica in &self.replicas {
            let Some(primary) = self.nodes[replica].replica_of else { continue };
            self.nodes[primary].flags.insert(NodeFlags::MIGRATE_TO);
            if self.shard_stated[replica.get()] && !self.shard_stated[primary.get()] {
                self.nodes[primary].shard = self.nodes[replica].shard;
                self.shard_stated[primary.get()] = true;
            } else {
                self.nodes[replica].shard = self.nodes[primary].shard;
            }
        }
    }

    fn finish(self, settings: Settings) -> Result<Cluster, NodesConfError> {
        let whole = |reason| NodesConfError { line: 0, text: String::new(), reason };
        let myself = self.myself.ok_or_else(|| whole("no line is flagged as myself"))?;
        if !self.nodes[myself].is(NodeFlags::PRIMARY | NodeFlags::REPLICA) {
            return Err(whole("myself is neither a master nor a slave"));
        }
        let mut cluster = Cluster::assemble(settings, self.nodes, self.slots, myself, self.rng);
        cluster.current_epoch = self.current_epoch;
        cluster.last_vote_epoch = self.last_vote_epoch;
        // Only by hand can the epoch come to be less than one that is in use.
        cluster.current_epoch = cluster.max_epoch();
        Ok(cluster)
    }
}

fn digits(text: &str) -> Result<u64, Reason> {
    let valid = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    valid.then(|| text.parse().ok()).flatten().ok_or("invalid number")
}

fn epoch(text: &str) -> Result<Epoch, Reason> {
    digits(text).map(Epoch).map_err(|_| "invalid epoch")
}

fn time(text: &str) -> Result<u64, Reason> {
    digits(text).map_err(|_| "invalid time")
}

fn port(text: &str) -> Result<u16, Reason> {
    digits(text).ok().and_then(|port| port.try_into().ok()).ok_or("invalid port")
}

fn slot(text: &str) -> Result<Slot, Reason> {
    let slot = digits(text).ok().filter(|&slot| slot < SLOTS as u64);
    slot.map(|slot| Slot(slot as u16)).ok_or("invalid slot")
}

#[cfg(test)]
mod tests;
