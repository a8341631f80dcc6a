//! Who is a primary and who a replica of whom, in which shard, and under which names: what a
//! heartbeat's header and extensions say of their sender. Called by `receive` and `claims`; the one
//! place that changes roles.

use super::wire::{Extension, Header};
use super::{Cluster, NodeFlags, NodeIndex, ShardId, Todo};

impl Cluster {
    /// Takes over whether the sender is a primary or whose replica it is.
    pub(super) fn heed_role(&mut self, sender: NodeIndex, header: &Header) {
        let Some(primary_id) = header.replica_of else { return self.set_as_primary(sender) };
        if !self.nodes[sender].is_replica() {
            // A primary that became a replica owns nothing any more.
            self.release_slots(sender);
            let flags = &mut self.nodes[sender].flags;
            flags.remove(NodeFlags::PRIMARY | NodeFlags::MIGRATE_TO);
            flags.insert(NodeFlags::REPLICA);
            self.mark(Todo::SAVE | Todo::UPDATE_STATE);
        }
        let primary = self.nodes.find(&primary_id).filter(|&primary| primary != sender);
        if let Some(primary) = primary.filter(|_| self.nodes[sender].replica_of != primary) {
            self.set_primary_of(sender, Some(primary));
            self.set_shard(sender, self.nodes[primary].shard);
            self.mark(Todo::SAVE);
        }
    }

    /// A node that was taken for a replica is a primary (Redis: clusterSetNodeAsMaster).
    pub(super) fn set_as_primary(&mut self, index: NodeIndex) {
        if self.nodes[index].is_primary() {
            return;
        }
        let had_primary = self.nodes[index].replica_of.is_some();
        self.set_primary_of(index, None);
        let flags = &mut self.nodes[index].flags;
        if had_primary && !flags.contains(NodeFlags::MYSELF) {
            // It has most likely taken over from one that had replicas.
            flags.insert(NodeFlags::MIGRATE_TO);
        }
        flags.remove(NodeFlags::REPLICA);
        flags.insert(NodeFlags::PRIMARY);
        self.mark(Todo::SAVE | Todo::UPDATE_STATE);
    }

    /// Changes whose replica a node is. Primaries that have, or had until they failed over, a
    /// replica are those that other shards' replicas may migrate to (Redis:
    /// clusterNodeAddSlave, clusterNodeRemoveSlave).
    pub(super) fn set_primary_of(&mut self, replica: NodeIndex, primary: Option<NodeIndex>) {
        let before = std::mem::replace(&mut self.nodes[replica].replica_of, primary);
        if let Some(before) = before.filter(|_| before != primary) {
            let bereft = self.replicas_of(before).next().is_none();
            if let Some(node) = self.nodes.get_mut(before).filter(|_| bereft) {
                node.flags.remove(NodeFlags::MIGRATE_TO);
            }
        }
        if let Some(primary) = primary {
            self.nodes[primary].flags.insert(NodeFlags::MIGRATE_TO);
        }
    }

    /// Whether any primary has a replica (Redis: clusterMastersHaveSlaves).
    pub(super) fn any_replicas(&self) -> bool {
        self.nodes.iter().any(|(_, node)| node.replica_of.is_some())
    }

    /// Redis: updateShardId.
    fn set_shard(&mut self, index: NodeIndex, shard: ShardId) {
        if self.nodes[index].shard != shard {
            self.nodes[index].shard = shard;
            self.mark(Todo::SAVE);
        }
        if self.me().replica_of == Some(index) && self.me().shard != shard {
            self.me_mut().shard = shard;
            self.mark(Todo::SAVE | Todo::FSYNC);
        }
    }

    /// Takes over what extensions say of the sender. What one can say and none does is taken back
    /// (Redis: clusterProcessPingExtensions).
    pub(super) fn heed_extensions(
        &mut self,
        sender: NodeIndex,
        extensions: &[Extension],
        now_ms: u64,
    ) {
        let (mut hostname, mut human_name, mut shard) = ("", "", None);
        for extension in extensions {
            match extension {
                Extension::Hostname(name) => hostname = name,
                Extension::HumanName(name) => human_name = name,
                Extension::Shard(id) => shard = Some(*id),
                // One that names the sender would leave the rest without a node to tell of.
                Extension::Forgotten { node, .. } if *node == self.nodes[sender].id => {}
                Extension::Forgotten { node, ttl_s } => {
                    if let Some(index) = self.nodes.find(node) {
                        self.forget_as_told(index, *ttl_s, now_ms);
                    }
                }
            }
        }
        let node = &mut self.nodes[sender];
        if *node.hostname != *hostname || *node.human_name != *human_name {
            node.hostname = hostname.into();
            node.human_name = human_name.into();
            self.mark(Todo::SAVE);
        }
        // Versions that know no shards are in their primary's.
        let primary = self.primary_of(sender).unwrap_or(sender);
        self.set_shard(sender, shard.unwrap_or(self.nodes[primary].shard));
    }

    fn forget_as_told(&mut self, index: NodeIndex, ttl_s: u64, now_ms: u64) {
        let node = &self.nodes[index];
        if node.is(NodeFlags::MYSELF) || self.me().replica_of == Some(index) {
            return;
        }
        self.forbid(node.id, ttl_s, now_ms);
        self.remove_node(index);
        self.mark(Todo::SAVE | Todo::UPDATE_STATE);
    }
}
