//! Subcommands of CLUSTER that describe the cluster as nested replies: SLOTS, SHARDS, LINKS.

use super::{TLS, parts};
use crate::cluster::{Cluster, EndpointType, Link, Node, NodeFlags, NodeIndex, ShardId, all_slots};
use crate::dispatch::Context;
use crate::keyspace::Slot;
use crate::resp::{Error, Reply};

/// CLUSTER SLOTS
pub fn cluster_slots(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    let ranges = ranges_by_owner(cluster);
    reply.array(ranges.len());
    for (first, last, owner) in ranges {
        let replicas: Vec<NodeIndex> =
            cluster.replicas_of(owner).filter(|&node| may_be_read(&cluster.nodes[node])).collect();
        reply.array(3 + replicas.len());
        reply.int(first.0.into());
        reply.int(last.0.into());
        reply_endpoint(cluster, owner, reply);
        for replica in replicas {
            reply_endpoint(cluster, replica, reply);
        }
    }
    Ok(())
}

/// Runs of slots of one owner, in order.
fn ranges_by_owner(cluster: &Cluster) -> Vec<(Slot, Slot, NodeIndex)> {
    let mut ranges: Vec<(Slot, Slot, NodeIndex)> = Vec::new();
    for slot in all_slots() {
        let Some(owner) = cluster.slots.owner(slot) else { continue };
        match ranges.last_mut() {
            Some((_, last, before)) if last.0 + 1 == slot.0 && *before == owner => *last = slot,
            _ => ranges.push((slot, slot, owner)),
        }
    }
    ranges
}

/// A replica that works and has got some of its primary's data (Redis: isReplicaAvailable).
fn may_be_read(replica: &Node) -> bool {
    !replica.has_failed() && replica.replication_offset != 0
}

/// One node of CLUSTER SLOTS: what clients are to connect to, its id, and what else is known of
/// where it is.
fn reply_endpoint(cluster: &Cluster, index: NodeIndex, reply: &mut Reply) {
    let node = &cluster.nodes[index];
    let preferred = cluster.settings.preferred_endpoint;
    reply.array(4);
    match preferred {
        EndpointType::Ip | EndpointType::Hostname => {
            reply.bulk(cluster.endpoint(index).as_bytes());
        }
        EndpointType::Unknown => reply.null(),
    }
    reply.int(cluster.client_port(index, TLS).into());
    reply.bulk(node.id.as_bytes());
    let ip = (preferred != EndpointType::Ip).then_some(("ip", &node.address.ip));
    let named = preferred != EndpointType::Hostname && !node.hostname.is_empty();
    let hostname = named.then_some(("hostname", &node.hostname));
    let rest: Vec<_> = [ip, hostname].into_iter().flatten().collect();
    reply.map(rest.len());
    for (name, text) in rest {
        reply.bulk(name.as_bytes());
        reply.bulk(text.as_bytes());
    }
}

/// CLUSTER SHARDS
pub fn cluster_shards(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    let shards = shards(cluster);
    reply.array(shards.len());
    for (_, nodes) in shards {
        reply.map(2);
        reply.bulk(b"slots");
        let primary = nodes.first().and_then(|&node| cluster.primary_of(node));
        let owned = primary.and_then(|primary| cluster.slots.owned_by(primary));
        let ranges = owned.map(|slots| slots.ranges()).unwrap_or_default();
        reply.array(2 * ranges.len());
        for (first, last) in ranges {
            reply.int(first.0.into());
            reply.int(last.0.into());
        }
        reply.bulk(b"nodes");
        reply.array(nodes.len());
        nodes.iter().for_each(|&node| reply_shard_node(cluster, node, reply));
    }
    Ok(())
}

/// The shards with their nodes, in the order in which nodes got to know this one. Nodes in
/// handshake have no shard yet.
fn shards(cluster: &Cluster) -> Vec<(ShardId, Vec<NodeIndex>)> {
    let mut shards: Vec<(ShardId, Vec<NodeIndex>)> = Vec::new();
    let known = cluster.nodes.iter().filter(|(_, node)| !node.is(NodeFlags::HANDSHAKE));
    for (index, node) in known {
        match shards.iter_mut().find(|(shard, _)| *shard == node.shard) {
            Some((_, nodes)) => nodes.push(index),
            None => shards.push((node.shard, vec![index])),
        }
    }
    shards
}

fn reply_shard_node(cluster: &Cluster, index: NodeIndex, reply: &mut Reply) {
    let node = &cluster.nodes[index];
    let mut fields = 0;
    let map = reply.map_deferred();
    let mut text = |reply: &mut Reply, name: &str, value: &[u8]| {
        reply.bulk(name.as_bytes());
        reply.bulk(value);
        fields += 1;
    };
    text(reply, "id", node.id.as_bytes());
    let ports = [("port", node.address.port), ("tls-port", node.address.tls_port)];
    let ports: Vec<_> = ports.into_iter().filter(|(_, port)| *port != 0).collect();
    for (name, port) in &ports {
        reply.bulk(name.as_bytes());
        reply.int((*port).into());
    }
    text(reply, "ip", node.address.ip.as_bytes());
    text(reply, "endpoint", cluster.endpoint(index).as_bytes());
    if !node.hostname.is_empty() {
        text(reply, "hostname", node.hostname.as_bytes());
    }
    text(reply, "role", if node.is_replica() { b"replica" } else { b"master" });
    reply.bulk(b"replication-offset");
    reply.int(node.replication_offset as i64);
    text(reply, "health", health(node));
    let fields = fields + ports.len() + 1;
    reply.end(map, fields);
}

fn health(node: &Node) -> &'static [u8] {
    match node {
        node if node.has_failed() => b"fail",
        node if node.is_replica() && node.replication_offset == 0 => b"loading",
        _ => b"online",
    }
}

/// CLUSTER LINKS
pub fn cluster_links(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    let ends = cluster.nodes.iter().flat_map(|(_, node)| {
        let links = [node.link, node.inbound].into_iter().flatten();
        links.filter_map(|link| cluster.links.get(link)).map(move |link| (node, link))
    });
    let ends: Vec<_> = ends.collect();
    reply.array(ends.len());
    ends.into_iter().for_each(|(node, link)| reply_link(node, link, reply));
    Ok(())
}

fn reply_link(node: &Node, link: &Link, reply: &mut Reply) {
    let events: &[u8] = match link {
        link if !link.connected => b"",
        link if link.queued_bytes > 0 => b"rw",
        _ => b"r",
    };
    reply.map(6);
    reply.bulk(b"direction");
    reply.bulk(if link.inbound { b"from" } else { b"to" });
    reply.bulk(b"node");
    reply.bulk(node.id.as_bytes());
    reply.bulk(b"create-time");
    reply.int(link.created_ms as i64);
    reply.bulk(b"events");
    reply.bulk(events);
    reply.bulk(b"send-buffer-allocated");
    reply.int(link.allocated_bytes as i64);
    reply.bulk(b"send-buffer-used");
    reply.int(link.queued_bytes as i64);
}
