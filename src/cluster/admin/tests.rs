//! Each operation of CLUSTER: what it refuses, what it changes, what it leaves alone.

use std::collections::BTreeSet;

use super::*;
use crate::base::rng::Rng;
use crate::cluster::NodeFlags;
use crate::cluster::{Address, Node, Settings, SlotKeys};

/// Slots that hold a key.
#[derive(Default)]
struct Keys(BTreeSet<Slot>);

impl SlotKeys for Keys {
    fn keys_in_slot(&self, slot: Slot) -> usize {
        usize::from(self.0.contains(&slot))
    }
}

impl Keys {
    fn none() -> Self {
        Keys::default()
    }

    fn in_slot(slot: u16) -> Self {
        Keys(BTreeSet::from([Slot(slot)]))
    }

    fn env(&self) -> Env<'_> {
        Env { now_ms: NOW_MS, keys: self }
    }
}

const NOW_MS: u64 = 1_000_000;

fn alone() -> Cluster {
    let mut cluster = Cluster::new(Settings::default(), Rng::seeded(2), 0);
    cluster.todo = Todo::empty();
    cluster
}

fn add_node(cluster: &mut Cluster, seed: u64, flags: NodeFlags) -> NodeIndex {
    let mut rng = Rng::seeded(seed);
    let (id, shard) = (NodeId::random(&mut rng), ShardId::random(&mut rng));
    cluster.nodes.insert(Node::new(id, shard, flags, Address::default(), 0)).unwrap()
}

/// This node and another primary, which owns slot 9; this node owns slots 1 and 2.
fn pair() -> (Cluster, NodeIndex, Vec<u8>) {
    let mut cluster = alone();
    let other = add_node(&mut cluster, 7, NodeFlags::PRIMARY);
    let id = cluster.nodes[other].id.as_bytes().to_vec();
    cluster.add_slots(ranges(&[(1, 2)])).unwrap();
    cluster.slots.set_owner(Slot(9), Some(other));
    cluster.todo = Todo::empty();
    (cluster, other, id)
}

fn ranges(of: &[(u16, u16)]) -> Vec<Result<(Slot, Slot), AdminError>> {
    of.iter().map(|&(start, end)| Ok((Slot(start), Slot(end)))).collect()
}

fn mine(cluster: &Cluster) -> Vec<u16> {
    let owned = cluster.slots.owned_by(cluster.myself());
    owned.into_iter().flat_map(|slots| slots.iter()).map(|slot| slot.0).collect()
}

#[test]
fn slots_are_added_all_or_none() {
    let (mut cluster, other, _) = pair();
    let refused: &[(&[(u16, u16)], AdminError)] = &[
        (&[(3, 5), (9, 9)], AdminError::SlotBusy(Slot(9))),
        (&[(3, 5), (1, 1)], AdminError::SlotBusy(Slot(1))),
        (&[(3, 5), (5, 6)], AdminError::SlotTwice(Slot(5))),
        (&[(3, 5), (7, 6)], AdminError::EndBeforeStart(Slot(7), Slot(6))),
    ];
    for (given, error) in refused {
        assert_eq!(cluster.add_slots(ranges(given)), Err(error.clone()));
    }
    let mut late = ranges(&[(3, 3)]);
    late.push(Err(AdminError::InvalidSlot));
    assert_eq!(cluster.add_slots(late), Err(AdminError::InvalidSlot));
    assert_eq!((mine(&cluster), cluster.todo), (vec![1, 2], Todo::empty()));

    cluster.slots.set_importing(Slot(4), Some(other));
    assert_eq!(cluster.add_slots(ranges(&[(3, 5), (16383, 16383)])), Ok(()));
    assert_eq!(mine(&cluster), [1, 2, 3, 4, 5, 16383]);
    assert_eq!(cluster.slots.importing_from(Slot(4)), None);
    assert_eq!(cluster.todo, Todo::UPDATE_STATE | Todo::SAVE | Todo::FSYNC);
}

#[test]
fn slots_are_deleted_whoever_owns_them() {
    let (mut cluster, ..) = pair();
    let unowned = cluster.del_slots(ranges(&[(1, 3)]));
    assert_eq!(unowned, Err(AdminError::SlotUnassigned(Slot(3))));
    let twice = cluster.del_slots(ranges(&[(1, 1), (1, 1)]));
    assert_eq!(twice, Err(AdminError::SlotTwice(Slot(1))));
    assert_eq!(cluster.slots.assigned(), 3);
    assert_eq!(cluster.del_slots(ranges(&[(1, 1), (9, 9)])), Ok(()));
    assert_eq!((mine(&cluster), cluster.slots.assigned()), (vec![2], 1));
}

#[test]
fn flushing_slots_needs_an_empty_node() {
    let (mut cluster, other, _) = pair();
    let full = cluster.flush_slots(Keys::in_slot(1).env());
    assert_eq!(full, Err(AdminError::FlushNeedsEmpty));
    assert_eq!(cluster.flush_slots(Keys::none().env()), Ok(()));
    assert_eq!((mine(&cluster), cluster.slots.count_of(other)), (vec![], 1));
}

#[test]
fn a_slot_is_opened_at_the_right_end() {
    let (mut cluster, other, id) = pair();
    let replica = add_node(&mut cluster, 8, NodeFlags::REPLICA);
    let replica = cluster.nodes[replica].id.as_bytes().to_vec();
    let keys = Keys::none();
    let mut set = |slot, change: SlotChange<'_>| cluster.set_slot(Slot(slot), change, keys.env());
    let unknown = || AdminError::UnknownPeer(b"nobody".as_slice().into());

    assert_eq!(set(9, SlotChange::Migrating(&id)), Err(AdminError::NotOwner(Slot(9))));
    assert_eq!(set(7, SlotChange::Migrating(b"nobody")), Err(AdminError::NotOwner(Slot(7))));
    assert_eq!(set(1, SlotChange::Migrating(b"nobody")), Err(unknown()));
    assert_eq!(set(1, SlotChange::Migrating(&replica)), Err(AdminError::TargetNotPrimary));
    assert_eq!(set(1, SlotChange::Importing(&id)), Err(AdminError::OwnerAlready(Slot(1))));
    assert_eq!(set(9, SlotChange::Importing(b"nobody")), Err(unknown()));
    assert_eq!(set(9, SlotChange::Importing(&replica)), Err(AdminError::TargetNotPrimary));

    assert_eq!(set(1, SlotChange::Migrating(&id)), Ok(()));
    assert_eq!(set(9, SlotChange::Importing(&id)), Ok(()));
    assert_eq!(set(7, SlotChange::Importing(&id)), Ok(()), "nobody owns it");
    assert_eq!(cluster.slots.migrating_to(Slot(1)), Some(other));
    assert_eq!(cluster.slots.importing_from(Slot(9)), Some(other));
    assert_eq!(cluster.todo, Todo::UPDATE_STATE | Todo::SAVE | Todo::FSYNC);
    for slot in [1, 7, 9] {
        assert_eq!(cluster.set_slot(Slot(slot), SlotChange::Stable, keys.env()), Ok(()));
    }
    let open = cluster.slots.migrating().count() + cluster.slots.importing().count();
    assert_eq!(open, 0);
}

#[test]
fn a_slot_is_given_away_once_it_is_empty() {
    let (mut cluster, other, id) = pair();
    let give = SlotChange::Node(&id);
    cluster.set_slot(Slot(1), SlotChange::Migrating(&id), Keys::none().env()).unwrap();
    let full = cluster.set_slot(Slot(1), give, Keys::in_slot(1).env());
    assert_eq!(full, Err(AdminError::HoldsKeys(Slot(1))));
    assert_eq!(cluster.slots.migrating_to(Slot(1)), Some(other));
    assert_eq!(cluster.set_slot(Slot(1), give, Keys::in_slot(2).env()), Ok(()));
    assert_eq!(cluster.slots.migrating_to(Slot(1)), None);
    assert_eq!(cluster.slots.owner(Slot(1)), Some(other));
    assert_eq!(cluster.current_epoch(), Epoch(0), "only who gets a slot takes a new epoch");

    let unknown = cluster.set_slot(Slot(2), SlotChange::Node(b"x\0y"), Keys::none().env());
    assert_eq!(unknown.unwrap_err().to_string(), "Unknown node x");
    cluster.nodes[other].flags = NodeFlags::REPLICA;
    let to_replica = cluster.set_slot(Slot(2), give, Keys::none().env());
    assert_eq!(to_replica, Err(AdminError::TargetNotPrimary));
}

#[test]
fn who_takes_a_slot_takes_an_epoch() {
    let (mut cluster, other, id) = pair();
    let me = cluster.me().id.as_bytes().to_vec();
    cluster.nodes[other].config_epoch = Epoch(5);
    cluster.current_epoch = Epoch(5);
    let keys = Keys::in_slot(9);
    cluster.set_slot(Slot(9), SlotChange::Importing(&id), keys.env()).unwrap();
    cluster.slots.unclaimed.insert(Slot(9));
    assert_eq!(cluster.set_slot(Slot(9), SlotChange::Node(&me), keys.env()), Ok(()));
    assert_eq!(mine(&cluster), [1, 2, 9]);
    assert_eq!(cluster.slots.importing_from(Slot(9)), None);
    assert!(!cluster.slots.unclaimed.contains(Slot(9)));
    assert_eq!((cluster.me().config_epoch, cluster.current_epoch()), (Epoch(6), Epoch(6)));
    assert!(cluster.todo.contains(Todo::FSYNC | Todo::SAVE));

    // Without having been imported, it is only a note of what is so.
    assert_eq!(cluster.set_slot(Slot(10), SlotChange::Node(&me), keys.env()), Ok(()));
    assert_eq!(cluster.me().config_epoch, Epoch(6));
}

#[test]
fn replicas_take_no_part_in_moves() {
    let (mut cluster, other, id) = pair();
    let me = cluster.me_mut();
    me.flags = NodeFlags::MYSELF | NodeFlags::REPLICA;
    me.replica_of = Some(other);
    let keys = Keys::none();
    let refused = cluster.set_slot(Slot(1), SlotChange::Stable, keys.env());
    assert_eq!(refused, Err(AdminError::SetSlotOnReplica));
    assert_eq!(cluster.check_set_slot(), Err(AdminError::SetSlotOnReplica));
    assert_eq!(cluster.forget(&id, NOW_MS), Err(AdminError::ForgetMyPrimary));
}

#[test]
fn forgetting_a_node_keeps_it_away_for_a_minute() {
    let (mut cluster, other, id) = pair();
    let me = cluster.me().id.as_bytes().to_vec();
    assert_eq!(cluster.forget(&me, NOW_MS), Err(AdminError::ForgetMyself));
    let unknown = AdminError::UnknownNode(vec![b'f'; 40].into());
    assert_eq!(cluster.forget(&[b'f'; 40], NOW_MS), Err(unknown));
    cluster.slots.set_migrating(Slot(1), Some(other));
    assert_eq!(cluster.forget(&id, NOW_MS), Ok(()));
    assert_eq!((cluster.nodes.len(), cluster.slots.owner(Slot(9))), (1, None));
    assert_eq!(cluster.slots.migrating_to(Slot(1)), None);
    assert_eq!(cluster.todo, Todo::UPDATE_STATE | Todo::SAVE);
    // Another node's gossip may have been faster.
    assert_eq!(cluster.forget(&id, NOW_MS + 59_000), Ok(()));
    let later = cluster.forget(&id, NOW_MS + 61_000);
    assert_eq!(later, Err(AdminError::UnknownNode(id.into())));
}

#[test]
fn a_reset_leaves_a_node_that_is_alone() {
    let (mut cluster, _, id) = pair();
    let (name, shard) = (cluster.me().id, cluster.me().shard);
    cluster.me_mut().config_epoch = Epoch(3);
    cluster.current_epoch = Epoch(4);
    let full = cluster.reset(ResetKind::Hard, Keys::in_slot(1).env());
    assert_eq!(full, Err(AdminError::ResetNeedsEmpty));
    cluster.slots.set_migrating(Slot(1), cluster.find_node(&id));
    cluster.forbid(NodeId::parse(&[b'a'; 40]).unwrap(), 60, NOW_MS);

    let keys = Keys::none();
    assert_eq!(cluster.reset(ResetKind::Soft, keys.env()), Ok(()));
    assert_eq!((cluster.nodes.len(), cluster.slots.assigned()), (1, 0));
    assert_eq!(cluster.slots.migrating().count(), 0);
    assert!(cluster.forgotten.is_empty());
    assert_eq!((cluster.me().id, cluster.me().shard), (name, shard));
    assert_eq!((cluster.me().config_epoch, cluster.current_epoch()), (Epoch(3), Epoch(4)));
    assert!(cluster.todo.contains(Todo::SAVE | Todo::UPDATE_STATE | Todo::FSYNC));

    assert_eq!(cluster.reset(ResetKind::Hard, keys.env()), Ok(()));
    assert_ne!((cluster.me().id, cluster.me().shard), (name, shard));
    assert_eq!(cluster.nodes.find(&cluster.me().id), Some(cluster.myself()));
    assert_eq!((cluster.me().config_epoch, cluster.current_epoch()), (Epoch(0), Epoch(0)));
}

#[test]
fn a_replica_that_is_reset_drops_what_it_copied() {
    let (mut cluster, other, _) = pair();
    cluster.slots.set_owner(Slot(1), None);
    cluster.slots.set_owner(Slot(2), None);
    let me = cluster.me_mut();
    me.flags = NodeFlags::MYSELF | NodeFlags::REPLICA;
    me.replica_of = Some(other);
    assert_eq!(cluster.reset(ResetKind::Soft, Keys::in_slot(9).env()), Ok(()));
    assert!(cluster.me().is_primary() && !cluster.me().is_replica());
    assert_eq!(cluster.me().replica_of, None);
    assert!(cluster.take_actions().contains(&Action::DropSlotKeys(Slot(9))));
}

#[test]
fn what_is_wrong_with_replicating_is_told_before_that_it_is_not_possible() {
    let (mut cluster, other, id) = pair();
    let me = cluster.me().id.as_bytes().to_vec();
    let keys = Keys::none();
    let unknown = AdminError::UnknownNode(b"x".as_slice().into());
    assert_eq!(cluster.replicate(b"x", keys.env()), Err(unknown));
    assert_eq!(cluster.replicate(&me, keys.env()), Err(AdminError::ReplicateMyself));
    assert_eq!(cluster.replicate(&id, keys.env()), Err(AdminError::ReplicateNeedsEmpty));
    cluster.flush_slots(keys.env()).unwrap();
    let full = cluster.replicate(&id, Keys::in_slot(1).env());
    assert_eq!(full, Err(AdminError::ReplicateNeedsEmpty));
    assert_eq!(cluster.replicate(&id, keys.env()), Err(AdminError::NoReplication));
    cluster.nodes[other].flags = NodeFlags::REPLICA;
    assert_eq!(cluster.replicate(&id, keys.env()), Err(AdminError::ReplicateReplica));
    assert_eq!(cluster.expect_primary(&id), Err(AdminError::NotAPrimary));
}

#[test]
fn failing_over_is_for_replicas() {
    let (mut cluster, other, _) = pair();
    assert_eq!(cluster.failover(FailoverKind::Force), Err(AdminError::FailoverOnPrimary));
    cluster.me_mut().flags = NodeFlags::MYSELF | NodeFlags::REPLICA;
    assert_eq!(cluster.failover(FailoverKind::Plain), Err(AdminError::FailoverOfUnknown));
    cluster.me_mut().replica_of = Some(other);
    assert_eq!(cluster.failover(FailoverKind::Plain), Err(AdminError::FailoverOfFailed));
    assert_eq!(cluster.failover(FailoverKind::Force), Err(AdminError::NoReplication));
}

#[test]
fn the_first_epoch_is_set_on_a_node_that_is_alone() {
    let (mut crowd, ..) = pair();
    assert_eq!(crowd.set_config_epoch(1), Err(AdminError::EpochNeedsLoner));
    let mut cluster = alone();
    assert_eq!(cluster.set_config_epoch(-1), Err(AdminError::InvalidEpoch(-1)));
    assert_eq!(cluster.set_config_epoch(0), Ok(()));
    assert_eq!(cluster.set_config_epoch(7), Ok(()));
    assert_eq!((cluster.me().config_epoch, cluster.current_epoch()), (Epoch(7), Epoch(7)));
    assert_eq!(cluster.set_config_epoch(8), Err(AdminError::EpochAlreadySet));
}
