//! The operations behind CLUSTER's subcommands that change the table, or that refuse to: commands
//! call them, and so does the simulator. Each one validates everything before it changes anything.
//! Words of refusals stand here and nowhere else.

use std::fmt;

use super::{Action, Cluster, Env, Epoch, NodeId, NodeIndex, ShardId, SlotSet, Todo, all_slots};
use crate::keyspace::Slot;
use crate::resp::error::NO_REPLICATION;

/// A forgotten node must not come back by gossip for so long (Redis: CLUSTER_BLACKLIST_TTL).
pub const FORGET_SECONDS: u64 = 60;

/// Why an operation was refused. `Display` gives Redis's words, without the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminError {
    /// No slot.
    InvalidSlot,
    /// A range that ends before it starts.
    EndBeforeStart(Slot, Slot),
    /// The slot has an owner.
    SlotBusy(Slot),
    /// The slot has no owner.
    SlotUnassigned(Slot),
    /// The slot is there twice.
    SlotTwice(Slot),
    /// This node is a replica, and SETSLOT is for primaries.
    SetSlotOnReplica,
    /// This node does not own the slot.
    NotOwner(Slot),
    /// This node owns the slot.
    OwnerAlready(Slot),
    /// The node to move a slot to or from is not known; the id as it was given.
    UnknownPeer(Box<[u8]>),
    /// The node is a replica, and cannot own a slot.
    TargetNotPrimary,
    /// A slot with keys cannot be given away.
    HoldsKeys(Slot),
    /// The node is not known; the id as it was given.
    UnknownNode(Box<[u8]>),
    /// MEET of what is no address; as it was given.
    InvalidAddress {
        /// The host.
        ip: Box<[u8]>,
        /// The port.
        port: Box<[u8]>,
    },
    /// FLUSHSLOTS is for empty nodes.
    FlushNeedsEmpty,
    /// RESET of a primary with keys.
    ResetNeedsEmpty,
    /// FORGET of this node.
    ForgetMyself,
    /// FORGET of this node's primary.
    ForgetMyPrimary,
    /// REPLICAS of a replica.
    NotAPrimary,
    /// REPLICATE of this node.
    ReplicateMyself,
    /// REPLICATE of a replica.
    ReplicateReplica,
    /// REPLICATE on a primary that has something to lose.
    ReplicateNeedsEmpty,
    /// Becoming a replica, or acting as one.
    NoReplication,
    /// FAILOVER on a primary.
    FailoverOnPrimary,
    /// FAILOVER on a replica whose primary is not known.
    FailoverOfUnknown,
    /// FAILOVER without FORCE while the primary does not work.
    FailoverOfFailed,
    /// SET-CONFIG-EPOCH of a negative number.
    InvalidEpoch(i64),
    /// SET-CONFIG-EPOCH on a node that knows others.
    EpochNeedsLoner,
    /// SET-CONFIG-EPOCH on a node that has one.
    EpochAlreadySet,
}

impl fmt::Display for AdminError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AdminError::InvalidSlot => "Invalid or out of range slot",
            AdminError::SetSlotOnReplica => "Please use SETSLOT only with masters.",
            AdminError::TargetNotPrimary => "Target node is not a master",
            AdminError::FlushNeedsEmpty => "DB must be empty to perform CLUSTER FLUSHSLOTS.",
            AdminError::ResetNeedsEmpty => {
                "CLUSTER RESET can't be called with master nodes containing keys"
            }
            AdminError::ForgetMyself => "I tried hard but I can't forget myself...",
            AdminError::ForgetMyPrimary => "Can't forget my master!",
            AdminError::NotAPrimary => "The specified node is not a master",
            AdminError::ReplicateMyself => "Can't replicate myself",
            AdminError::ReplicateReplica => "I can only replicate a master, not a replica.",
            AdminError::ReplicateNeedsEmpty => {
                "To set a master the node must be empty and without assigned slots."
            }
            AdminError::NoReplication => NO_REPLICATION,
            AdminError::FailoverOnPrimary => "You should send CLUSTER FAILOVER to a replica",
            AdminError::FailoverOfUnknown => "I'm a replica but my master is unknown to me",
            AdminError::FailoverOfFailed => {
                "Master is down or failed, please use CLUSTER FAILOVER FORCE"
            }
            AdminError::EpochNeedsLoner => {
                "The user can assign a config epoch only when the node does not know any other \
                 node."
            }
            AdminError::EpochAlreadySet => "Node config epoch is already non-zero",
            AdminError::EndBeforeStart(Slot(start), Slot(end)) => {
                return write!(
                    f,
                    "start slot number {start} is greater than end slot number {end}"
                );
            }
            AdminError::SlotBusy(Slot(slot)) => return write!(f, "Slot {slot} is already busy"),
            AdminError::SlotUnassigned(Slot(slot)) => {
                return write!(f, "Slot {slot} is already unassigned");
            }
            AdminError::SlotTwice(Slot(slot)) => {
                return write!(f, "Slot {slot} specified multiple times");
            }
            AdminError::NotOwner(Slot(slot)) => {
                return write!(f, "I'm not the owner of hash slot {slot}");
            }
            AdminError::OwnerAlready(Slot(slot)) => {
                return write!(f, "I'm already the owner of hash slot {slot}");
            }
            AdminError::HoldsKeys(Slot(slot)) => {
                return write!(
                    f,
                    "Can't assign hashslot {slot} to a different node while I still hold keys for \
                     this hash slot."
                );
            }
            AdminError::UnknownPeer(id) => {
                return write!(f, "I don't know about node {}", until_nul(id));
            }
            AdminError::UnknownNode(id) => return write!(f, "Unknown node {}", until_nul(id)),
            AdminError::InvalidAddress { ip, port } => {
                let (ip, port) = (until_nul(ip), until_nul(port));
                return write!(f, "Invalid node address specified: {ip}:{port}");
            }
            AdminError::InvalidEpoch(epoch) => {
                return write!(f, "Invalid config epoch specified: {epoch}");
            }
        })
    }
}

impl std::error::Error for AdminError {}

/// What Redis prints of an argument.
fn until_nul(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end])
}

/// What SETSLOT makes of a slot. Nodes by id, as they were given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotChange<'a> {
    /// It is being moved away, to this node.
    Migrating(&'a [u8]),
    /// It is being moved here, from this node.
    Importing(&'a [u8]),
    /// It is not being moved.
    Stable,
    /// It belongs to this node.
    Node(&'a [u8]),
}

/// How much RESET resets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResetKind {
    /// Slots, marks and other nodes.
    #[default]
    Soft,
    /// Also epochs and the id.
    Hard,
}

/// What FAILOVER was asked to do without.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailoverKind {
    /// Nothing.
    Plain,
    /// The primary's help.
    Force,
    /// The primary's help, and votes.
    Takeover,
}

impl Cluster {
    // ---- looking up

    /// The node of an id that somebody typed.
    pub fn find_node(&self, id: &[u8]) -> Option<NodeIndex> {
        NodeId::parse(id).ok().and_then(|id| self.nodes.find(&id))
    }

    /// The node of an id that somebody typed, or Redis's refusal.
    pub fn expect_node(&self, id: &[u8]) -> Result<NodeIndex, AdminError> {
        self.find_node(id).ok_or_else(|| AdminError::UnknownNode(id.into()))
    }

    /// The primary of an id that somebody typed, to list its replicas.
    pub fn expect_primary(&self, id: &[u8]) -> Result<NodeIndex, AdminError> {
        let node = self.expect_node(id)?;
        if self.nodes[node].is_replica() { Err(AdminError::NotAPrimary) } else { Ok(node) }
    }

    // ---- slots

    /// Gives unowned slots to this node (ADDSLOTS, ADDSLOTSRANGE). Ranges are first and last slot;
    /// one that is an error refuses the whole, unless one before it does.
    pub fn add_slots(
        &mut self,
        ranges: impl IntoIterator<Item = Result<(Slot, Slot), AdminError>>,
    ) -> Result<(), AdminError> {
        let busy = |cluster: &Cluster, slot| cluster.slots.owner(slot).is_some();
        let slots = self.chosen(ranges, |cluster, slot| {
            if busy(cluster, slot) { Err(AdminError::SlotBusy(slot)) } else { Ok(()) }
        })?;
        self.reassign(&slots, Some(self.myself()));
        Ok(())
    }

    /// Makes slots unowned in this node's view, whoever owns them (DELSLOTS, DELSLOTSRANGE).
    /// Ranges as for [`Cluster::add_slots`].
    pub fn del_slots(
        &mut self,
        ranges: impl IntoIterator<Item = Result<(Slot, Slot), AdminError>>,
    ) -> Result<(), AdminError> {
        let slots = self.chosen(ranges, |cluster, slot| {
            let owned = cluster.slots.owner(slot).is_some();
            if owned { Ok(()) } else { Err(AdminError::SlotUnassigned(slot)) }
        })?;
        self.reassign(&slots, None);
        Ok(())
    }

    fn chosen(
        &self,
        ranges: impl IntoIterator<Item = Result<(Slot, Slot), AdminError>>,
        check: impl Fn(&Cluster, Slot) -> Result<(), AdminError>,
    ) -> Result<SlotSet, AdminError> {
        let mut chosen = SlotSet::default();
        for range in ranges {
            let (start, end) = range?;
            if start > end {
                return Err(AdminError::EndBeforeStart(start, end));
            }
            for slot in (start.0..=end.0).map(Slot) {
                check(self, slot)?;
                if !chosen.insert(slot) {
                    return Err(AdminError::SlotTwice(slot));
                }
            }
        }
        Ok(chosen)
    }

    /// A slot that is assigned by hand is no longer being imported.
    fn reassign(&mut self, slots: &SlotSet, owner: Option<NodeIndex>) {
        for slot in slots.iter() {
            self.slots.set_importing(slot, None);
            self.assign_slot(slot, owner);
        }
        self.mark(Todo::UPDATE_STATE | Todo::SAVE | Todo::FSYNC);
    }

    /// Makes all slots of this node unowned (FLUSHSLOTS).
    pub fn flush_slots(&mut self, env: Env<'_>) -> Result<(), AdminError> {
        if !env.keys.is_empty() {
            return Err(AdminError::FlushNeedsEmpty);
        }
        self.release_slots(self.myself());
        self.mark(Todo::UPDATE_STATE | Todo::SAVE);
        Ok(())
    }

    /// Refuses SETSLOT before its arguments are looked at.
    pub fn check_set_slot(&self) -> Result<(), AdminError> {
        if self.me().is_replica() { Err(AdminError::SetSlotOnReplica) } else { Ok(()) }
    }

    /// SETSLOT.
    pub fn set_slot(
        &mut self,
        slot: Slot,
        change: SlotChange<'_>,
        env: Env<'_>,
    ) -> Result<(), AdminError> {
        self.check_set_slot()?;
        let mine = self.slots.owner(slot) == Some(self.myself());
        match change {
            SlotChange::Migrating(_) if !mine => return Err(AdminError::NotOwner(slot)),
            SlotChange::Migrating(to) => {
                let to = self.peer(to)?;
                self.slots.set_migrating(slot, Some(to));
                // After a loss of power nothing else would tell that keys may be on both sides.
                self.mark(Todo::FSYNC);
            }
            SlotChange::Importing(_) if mine => return Err(AdminError::OwnerAlready(slot)),
            SlotChange::Importing(from) => {
                let from = self.peer(from)?;
                self.slots.set_importing(slot, Some(from));
            }
            SlotChange::Stable => {
                self.slots.set_importing(slot, None);
                self.slots.set_migrating(slot, None);
            }
            SlotChange::Node(id) => {
                let node = self.expect_node(id)?;
                self.check_owner(slot, node, env)?;
                self.give_slot(slot, node, env);
            }
        }
        self.mark(Todo::SAVE | Todo::UPDATE_STATE);
        Ok(())
    }

    /// The other end of a move.
    fn peer(&self, id: &[u8]) -> Result<NodeIndex, AdminError> {
        let node = self.find_node(id).ok_or_else(|| AdminError::UnknownPeer(id.into()))?;
        if self.nodes[node].is_replica() { Err(AdminError::TargetNotPrimary) } else { Ok(node) }
    }

    fn check_owner(&self, slot: Slot, node: NodeIndex, env: Env<'_>) -> Result<(), AdminError> {
        if self.nodes[node].is_replica() {
            return Err(AdminError::TargetNotPrimary);
        }
        let given_away = self.slots.owner(slot) == Some(self.myself()) && node != self.myself();
        if given_away && env.keys.keys_in_slot(slot) > 0 {
            return Err(AdminError::HoldsKeys(slot));
        }
        Ok(())
    }

    /// SETSLOT NODE. The node that a slot was moved to takes a new epoch, so that all others
    /// believe it. A primary that gives its last slot away stays one.
    fn give_slot(&mut self, slot: Slot, node: NodeIndex, env: Env<'_>) {
        if env.keys.keys_in_slot(slot) == 0 {
            self.slots.set_migrating(slot, None);
        }
        self.slots.unclaimed.remove(slot);
        self.assign_slot(slot, Some(node));
        if node != self.myself() {
            return;
        }
        // The last owner may forget the slot as soon as this node has said OK.
        self.mark(Todo::FSYNC);
        if let Some(from) = self.slots.importing_from(slot) {
            self.slots.note_taken(slot, from, env.now_ms);
            if self.bump_epoch() {
                log::info!("configEpoch updated after importing slot {}", slot.0);
            }
            self.slots.set_importing(slot, None);
            self.broadcast_pong(env.now_ms);
        }
    }

    // ---- nodes

    /// Removes a node, which must not come back by gossip for a minute (FORGET). One that was
    /// forgotten already may have been so by word of another node: that is no error.
    pub fn forget(&mut self, id: &[u8], now_ms: u64) -> Result<(), AdminError> {
        let Some(node) = self.find_node(id) else {
            let known = NodeId::parse(id).is_ok_and(|id| self.is_forbidden(&id, now_ms));
            return if known { Ok(()) } else { Err(AdminError::UnknownNode(id.into())) };
        };
        if node == self.myself() {
            return Err(AdminError::ForgetMyself);
        }
        if self.me().is_replica() && self.me().replica_of == Some(node) {
            return Err(AdminError::ForgetMyPrimary);
        }
        let id = self.nodes[node].id;
        self.forbid(id, FORGET_SECONDS, now_ms);
        self.remove_node(node);
        self.mark(Todo::UPDATE_STATE | Todo::SAVE);
        Ok(())
    }

    /// Makes this node one that is alone and owns nothing (RESET).
    pub fn reset(&mut self, kind: ResetKind, env: Env<'_>) -> Result<(), AdminError> {
        if self.me().is_primary() && !env.keys.is_empty() {
            return Err(AdminError::ResetNeedsEmpty);
        }
        if self.me().is_replica() {
            self.stop_replicating(env);
        }
        self.slots.close_all();
        all_slots().for_each(|slot| self.assign_slot(slot, None));
        for node in self.nodes.indexes() {
            if node != self.myself() {
                self.remove_node(node);
            }
        }
        self.forgotten.clear();
        if kind == ResetKind::Hard {
            self.begin_anew();
        }
        self.mark(Todo::SAVE | Todo::UPDATE_STATE | Todo::FSYNC);
        Ok(())
    }

    /// A replica that is reset has nothing that is its own.
    fn stop_replicating(&mut self, env: Env<'_>) {
        self.set_as_primary(self.myself());
        let held = all_slots().filter(|&slot| env.keys.keys_in_slot(slot) > 0);
        self.actions.extend(held.map(Action::DropSlotKeys));
    }

    /// RESET HARD: epochs from the beginning, and another id.
    fn begin_anew(&mut self) {
        self.current_epoch = Epoch(0);
        self.last_vote_epoch = Epoch(0);
        let (id, shard) = (NodeId::random(&mut self.rng), ShardId::random(&mut self.rng));
        self.nodes.rename(self.myself, id);
        let me = self.me_mut();
        me.config_epoch = Epoch(0);
        me.shard = shard;
        log::info!("configEpoch set to 0 via CLUSTER RESET HARD");
        log::info!("Node hard reset, now I'm {id}");
    }

    /// Makes this node a replica (REPLICATE).
    pub fn replicate(&mut self, id: &[u8], env: Env<'_>) -> Result<(), AdminError> {
        let primary = self.expect_node(id)?;
        if primary == self.myself() {
            return Err(AdminError::ReplicateMyself);
        }
        if self.nodes[primary].is_replica() {
            return Err(AdminError::ReplicateReplica);
        }
        let owns = self.slots.count_of(self.myself()) > 0;
        if self.me().is_primary() && (owns || !env.keys.is_empty()) {
            return Err(AdminError::ReplicateNeedsEmpty);
        }
        Err(AdminError::NoReplication)
    }

    /// Makes this node its shard's primary (FAILOVER).
    pub fn failover(&mut self, kind: FailoverKind) -> Result<(), AdminError> {
        if self.me().is_primary() {
            return Err(AdminError::FailoverOnPrimary);
        }
        let Some(primary) = self.me().replica_of.and_then(|primary| self.nodes.get(primary)) else {
            return Err(AdminError::FailoverOfUnknown);
        };
        let works = !primary.has_failed() && primary.link.is_some();
        if kind == FailoverKind::Plain && !works {
            return Err(AdminError::FailoverOfFailed);
        }
        Err(AdminError::NoReplication)
    }

    // ---- epochs

    /// Gives a node that is alone its first epoch, so that the nodes of a new cluster need not
    /// agree on that afterwards (SET-CONFIG-EPOCH).
    pub fn set_config_epoch(&mut self, epoch: i64) -> Result<(), AdminError> {
        let given = u64::try_from(epoch).map_err(|_| AdminError::InvalidEpoch(epoch))?;
        if self.nodes.len() > 1 {
            return Err(AdminError::EpochNeedsLoner);
        }
        if self.me().config_epoch != Epoch(0) {
            return Err(AdminError::EpochAlreadySet);
        }
        self.me_mut().config_epoch = Epoch(given);
        self.current_epoch = self.current_epoch.max(Epoch(given));
        log::info!("configEpoch set to {given} via CLUSTER SET-CONFIG-EPOCH");
        self.mark(Todo::UPDATE_STATE | Todo::SAVE);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
