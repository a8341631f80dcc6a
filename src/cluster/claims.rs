//! Which node owns which slot, as nodes claim it: the claim of the greater config epoch wins, who
//! claims by an old one is told, and two primaries with one epoch part. Called by `receive`; the
//! commands use [`Cluster::assign_slot`].

use super::wire::{Body, Header};
use super::{Action, Cluster, Env, Epoch, LinkId, NodeFlags, NodeIndex, SlotSet, Todo};
use crate::keyspace::Slot;

/// What becomes of a claim.
enum Verdict {
    /// The slot goes to the claimant.
    Granted,
    /// It stays where it is.
    Refused,
    /// It stays here, where it was moved from the claimant, which does not know that yet.
    Contested,
}

impl Cluster {
    /// Gives a slot to a node or to nobody, with all that follows from it for this node's
    /// subscribers and for the migration of replicas (Redis: clusterAddSlot, clusterDelSlot).
    pub fn assign_slot(&mut self, slot: Slot, owner: Option<NodeIndex>) {
        let before = self.slots.set_owner(slot, owner);
        if before == owner {
            return;
        }
        // Whoever serves the slot may have subscribers: its owner and the owner's replicas.
        if before.is_some_and(|node| node == self.myself || self.me().replica_of == before) {
            self.actions.push(Action::DropSlotChannels(slot));
        }
        let first = owner.filter(|&owner| self.slots.count_of(owner) == 1);
        if let Some(first) = first.filter(|_| self.any_replicas()) {
            self.nodes[first].flags.insert(NodeFlags::MIGRATE_TO);
        }
    }

    /// Takes all slots from a node (Redis: clusterDelNodeSlots).
    pub(super) fn release_slots(&mut self, node: NodeIndex) {
        if let Some(owned) = self.slots.owned_by(node).cloned() {
            owned.iter().for_each(|slot| self.assign_slot(slot, None));
        }
    }

    /// Squares the table with the keys that were loaded at the start (Redis:
    /// verifyClusterConfigWithData). A slot with keys that nobody owns is this node's; one that
    /// another node owns counts as being imported from there, so that the tools see it.
    pub fn account_for_keys(&mut self, env: Env) {
        if self.me().is_replica() {
            return;
        }
        for slot in super::slots::all_slots() {
            let owner = self.slots.owner(slot);
            let settled = owner == Some(self.myself) || self.slots.importing_from(slot).is_some();
            if settled || env.keys.keys_in_slot(slot) == 0 {
                continue;
            }
            if owner.is_some() {
                log::info!("I have keys for slot {}, which another node owns: importing", slot.0);
                self.slots.set_importing(slot, owner);
            } else {
                log::info!("I have keys for unassigned slot {}: taking it", slot.0);
                self.assign_slot(slot, Some(self.myself));
            }
            self.mark(Todo::SAVE | Todo::UPDATE_STATE | Todo::FSYNC);
        }
    }

    /// Whether nobody claims a slot, as far as this node knows (Redis: isSlotUnclaimed).
    fn is_unclaimed(&self, slot: Slot) -> bool {
        self.slots.owner(slot).is_none() || self.slots.unclaimed.contains(slot)
    }

    /// A node answers the ping that it was sent last. What it does not claim any more of the slots
    /// that were moved here from it, it knows to have lost; but only if it was asked after that. A
    /// node timeout is added, because an answer to an older ping may have been on its way as well,
    /// from before the slot was the node's at all.
    pub(super) fn heed_answer(&mut self, node: NodeIndex, header: &Header) {
        let asked_ms = self.nodes[node].ping_sent_ms;
        let before_ms = asked_ms.saturating_sub(self.settings.node_timeout_ms);
        self.slots.forget_taken(node, &header.slots, before_ms);
    }

    /// Looks at the slots in a heartbeat's header.
    pub(super) fn heed_claims(&mut self, sender: NodeIndex, header: &Header, env: Env) {
        let Some(primary) = self.primary_of(sender) else { return };
        let same = match self.slots.owned_by(primary) {
            Some(owned) => *owned == header.slots,
            None => header.slots.is_empty(),
        };
        if same {
            if primary == sender {
                // It claims again what it had given up. Redis notices that at its next change only.
                self.slots.unclaimed.subtract(&header.slots);
            }
            return;
        }
        if self.nodes[sender].is_primary() {
            self.update_slots(sender, header.config_epoch, (&header.slots, env));
        }
        self.update_stale_sender(sender, header);
    }

    /// Binds slots to a node that claims them with a greater epoch than their owner's (Redis:
    /// clusterUpdateSlotsConfigWith).
    fn update_slots(
        &mut self,
        claimant: NodeIndex,
        epoch: Epoch,
        (slots, env): (&SlotSet, Env<'_>),
    ) {
        if claimant == self.myself {
            log::info!("Discarding UPDATE message about myself.");
            return;
        }
        let shard_primary = self.primary_of(self.myself);
        let mut dirty = Vec::new();
        let (mut lost, mut contested) = (false, false);
        for slot in super::slots::all_slots() {
            let owner = self.slots.owner(slot);
            if !slots.contains(slot) {
                if owner == Some(claimant) {
                    // It gave the slot up, the new owner has not been heard yet. Until then
                    // clients are better off with a redirect than with an error.
                    self.slots.unclaimed.insert(slot);
                }
                continue;
            }
            if owner == Some(claimant) {
                self.slots.unclaimed.remove(slot);
                continue;
            }
            match self.judge(slot, claimant, epoch, env) {
                Verdict::Refused => continue,
                Verdict::Contested => contested = true,
                Verdict::Granted => {
                    lost |= owner.is_some() && owner == shard_primary;
                    dirty.extend(self.yield_slot(slot, claimant, env));
                }
            }
        }
        let emptied = shard_primary.is_some_and(|primary| self.slots.count_of(primary) == 0);
        if lost && emptied {
            self.after_losing_all_slots(claimant);
        }
        // The keys live at the new owner: what is left of them here must never be served again.
        self.actions.extend(dirty.into_iter().map(Action::DropSlotKeys));
        if contested {
            self.insist(epoch, env);
        }
    }

    /// What becomes of a claim to a slot that the claimant does not own by this node's table.
    fn judge(&self, slot: Slot, claimant: NodeIndex, epoch: Epoch, env: Env<'_>) -> Verdict {
        let is_target = self.slots.migrating_to(slot) == Some(claimant);
        let taken = self.slots.taken(slot).filter(|taken| taken.from == claimant);
        let ahead = self.slots.owner(slot).is_some_and(|owner| {
            let epoch_here = self.nodes[owner].config_epoch;
            // Who got the slot from this node may have taken an epoch that this node had taken,
            // too. If this node insisted, the keys would be lost there.
            epoch > epoch_here || (is_target && epoch == epoch_here)
        });
        if self.slots.importing_from(slot).is_some() {
            // A slot on its way in is for the administrator to assign.
            return Verdict::Refused;
        }
        match taken.filter(|_| ahead) {
            None if ahead || self.is_unclaimed(slot) => Verdict::Granted,
            None => Verdict::Refused,
            Some(_) if !is_target => Verdict::Contested,
            // On its way back a slot arrives when all keys have. A claim before that is an old one,
            // or somebody has ended the move too early, which shows in time.
            Some(taken) => {
                let recent =
                    env.now_ms.saturating_sub(taken.at_ms) <= self.settings.node_timeout_ms;
                match recent && env.keys.keys_in_slot(slot) > 0 {
                    true => Verdict::Refused,
                    false => Verdict::Granted,
                }
            }
        }
    }

    /// Binds a slot to the node that has won it. The slot, if keys of it are to be dropped.
    fn yield_slot(&mut self, slot: Slot, to: NodeIndex, env: Env) -> Option<Slot> {
        let mine = self.slots.owner(slot) == Some(self.myself);
        let keys = mine && env.keys.keys_in_slot(slot) > 0;
        let moving = self.slots.migrating_to(slot) == Some(to);
        self.assign_slot(slot, Some(to));
        self.slots.set_migrating(slot, None);
        self.mark(Todo::SAVE | Todo::UPDATE_STATE | Todo::FSYNC);
        if keys && moving {
            // The slot was closed there before all keys had been moved. Redis deletes the rest,
            // which exists nowhere else; here it stays for the tools to find and to move.
            log::warn!("Slot {} went to its target, and not all of its keys", slot.0);
            self.slots.set_importing(slot, Some(to));
        }
        (keys && !moving).then_some(slot)
    }

    /// A node of which this one has taken slots over, as it was told to, claims them by a greater
    /// epoch, because it has got that at the same time. Redis yields, and drops the only copy of
    /// keys that were moved. To take a greater epoch still is what the other one will believe.
    fn insist(&mut self, epoch: Epoch, env: Env) {
        self.current_epoch = self.current_epoch.max(epoch);
        if self.bump_epoch() {
            self.broadcast_pong(env.now_ms);
        }
    }

    /// Another node took this shard's last slot. Redis makes this node a replica of that one,
    /// which needs replication; until there is any, it stays a primary that owns nothing.
    fn after_losing_all_slots(&mut self, new_owner: NodeIndex) {
        let owner = &self.nodes[new_owner];
        log::info!(
            "Configuration change detected. {} ({}) took the last slot of this node, which stays \
             a master without slots",
            owner.id,
            owner.human_name
        );
    }

    /// Tells a sender of one node that owns, with a greater epoch, what it claims.
    fn update_stale_sender(&mut self, sender: NodeIndex, header: &Header) {
        let newer = header.slots.iter().filter(|&slot| !self.slots.unclaimed.contains(slot));
        let newer = newer
            .filter_map(|slot| self.slots.owner(slot))
            .find(|&owner| owner != sender && self.nodes[owner].config_epoch > header.config_epoch);
        let (Some(owner), Some(link)) = (newer, self.nodes[sender].link) else { return };
        log::debug!(
            "Node {} has old slots configuration, sending an UPDATE message about {}",
            header.sender,
            self.nodes[owner].id
        );
        self.send_update(link, owner);
    }

    /// Redis: clusterSendUpdate.
    fn send_update(&mut self, link: LinkId, about: NodeIndex) {
        let mut slots = self.slots.owned_by(about).cloned().unwrap_or_default();
        slots.subtract(&self.slots.unclaimed);
        let node = &self.nodes[about];
        let (node, config_epoch) = (node.id, node.config_epoch);
        self.send_body(link, &Body::Update { node, config_epoch, slots });
    }

    /// A known node says that another owns slots by this epoch.
    pub(super) fn on_update(&mut self, about: NodeIndex, epoch: Epoch, slots: &SlotSet, env: Env) {
        if self.nodes[about].config_epoch >= epoch {
            return;
        }
        if self.nodes[about].is_replica() {
            self.set_as_primary(about);
        }
        self.nodes[about].config_epoch = epoch;
        self.mark(Todo::SAVE | Todo::FSYNC);
        self.update_slots(about, epoch, (slots, env));
    }

    /// Two primaries have the same config epoch: the one with the smaller id takes a new one
    /// (Redis: clusterHandleConfigEpochCollision). The greatest id of all never moves, so that
    /// this ends.
    pub(super) fn resolve_epoch_collision(&mut self, sender: NodeIndex) {
        let (theirs, mine) = (&self.nodes[sender], self.me());
        let alike = theirs.config_epoch == mine.config_epoch;
        if !alike || theirs.id <= mine.id {
            return;
        }
        let next = self.current_epoch.next();
        if next == self.current_epoch {
            log::warn!("No config epoch is left to resolve a collision with node {}", theirs.id);
            return;
        }
        log::debug!(
            "WARNING: configEpoch collision with node {} ({}). configEpoch set to {next}",
            theirs.id,
            theirs.human_name
        );
        self.current_epoch = next;
        self.me_mut().config_epoch = next;
        self.mark(Todo::SAVE | Todo::FSYNC);
    }
}
