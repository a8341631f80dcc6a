//! The slot table: who owns each slot, which ones are on their way in or out. The one place that
//! knows; claims, commands and redirection all ask and change it here.

use std::collections::BTreeMap;

use super::nodes::NodeIndex;
use crate::base::limits::SLOTS;
use crate::keyspace::Slot;

/// Bytes of a set of slots on the bus.
pub const SLOT_BYTES: usize = SLOTS / 8;

const _: () = assert!(SLOTS.is_multiple_of(64));

/// A set of slots, as on the bus: bit `slot % 8` of byte `slot / 8`.
#[derive(Clone, PartialEq, Eq)]
pub struct SlotSet(Box<[u8; SLOT_BYTES]>);

impl Default for SlotSet {
    fn default() -> Self {
        SlotSet(Box::new([0; SLOT_BYTES]))
    }
}

impl SlotSet {
    /// A set from its form on the bus.
    pub fn from_bytes(bytes: &[u8; SLOT_BYTES]) -> Self {
        SlotSet(Box::new(*bytes))
    }

    /// The set as on the bus.
    pub fn as_bytes(&self) -> &[u8; SLOT_BYTES] {
        &self.0
    }

    /// Whether a slot is in it.
    #[inline]
    pub fn contains(&self, slot: Slot) -> bool {
        self.0[usize::from(slot.0) / 8] & (1 << (slot.0 % 8)) != 0
    }

    /// Adds a slot; whether it was not there.
    pub fn insert(&mut self, slot: Slot) -> bool {
        let new = !self.contains(slot);
        self.0[usize::from(slot.0) / 8] |= 1 << (slot.0 % 8);
        new
    }

    /// Removes a slot; whether it was there.
    pub fn remove(&mut self, slot: Slot) -> bool {
        let old = self.contains(slot);
        self.0[usize::from(slot.0) / 8] &= !(1 << (slot.0 % 8));
        old
    }

    /// Removes every slot.
    pub fn clear(&mut self) {
        self.0.fill(0);
    }

    /// Removes every slot that is in another set.
    pub fn subtract(&mut self, other: &SlotSet) {
        self.0.iter_mut().zip(other.0.iter()).for_each(|(mine, theirs)| *mine &= !theirs);
    }

    /// Number of slots in it.
    pub fn len(&self) -> usize {
        self.0.iter().map(|byte| byte.count_ones() as usize).sum()
    }

    /// Whether no slot is in it.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(|&byte| byte == 0)
    }

    /// Its slots, in order.
    pub fn iter(&self) -> impl Iterator<Item = Slot> + '_ {
        self.0.iter().enumerate().flat_map(|(at, &byte)| bits(byte).map(move |bit| slot(at, bit)))
    }

    /// Its slots as ranges of first and last, in order.
    pub fn ranges(&self) -> Vec<(Slot, Slot)> {
        let mut ranges: Vec<(Slot, Slot)> = Vec::new();
        for slot in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if last.0 + 1 == slot.0 => *last = slot,
                _ => ranges.push((slot, slot)),
            }
        }
        ranges
    }
}

fn bits(byte: u8) -> impl Iterator<Item = u16> {
    // Most bytes of most sets are empty.
    let end = if byte == 0 { 0 } else { 8 };
    (0..end).filter(move |bit| byte & (1 << bit) != 0)
}

fn slot(byte: usize, bit: u16) -> Slot {
    Slot(byte as u16 * 8 + bit)
}

impl std::fmt::Debug for SlotSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ranges = self.ranges();
        f.debug_set().entries(ranges.iter().map(|(from, to)| (from.0, to.0))).finish()
    }
}

impl FromIterator<Slot> for SlotSet {
    fn from_iter<I: IntoIterator<Item = Slot>>(slots: I) -> Self {
        let mut set = SlotSet::default();
        slots.into_iter().for_each(|slot| {
            set.insert(slot);
        });
        set
    }
}

/// All slots, in order.
pub fn all_slots() -> impl Iterator<Item = Slot> {
    (0..SLOTS as u16).map(Slot)
}

/// What one node owns.
#[derive(Clone, Debug, Default)]
struct Owned {
    slots: SlotSet,
    count: usize,
}

/// Whom a slot was moved here from, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) from: NodeIndex,
    pub(super) at_ms: u64,
}

/// The owner of every slot, and the slots that are open.
#[derive(Clone, Debug)]
pub struct SlotTable {
    /// By slot.
    owners: Box<[Option<NodeIndex>]>,
    /// By node, for those that ever owned a slot; agrees with `owners`.
    owned: BTreeMap<NodeIndex, Owned>,
    assigned: usize,
    /// Slots of this node that are being moved away, and to whom.
    migrating: BTreeMap<Slot, NodeIndex>,
    /// Slots that are being moved to this node, and from whom.
    importing: BTreeMap<Slot, NodeIndex>,
    /// Slots whose owner has stopped claiming them in its packets, while nobody else has claimed
    /// them yet: what the table says of them is not to be told to others.
    pub unclaimed: SlotSet,
    /// Slots of this node that were moved here, until their last owner is sure to know.
    taken: BTreeMap<Slot, Taken>,
    /// Whose table this is.
    myself: Option<NodeIndex>,
    /// The slots that `myself` owns and that are not open: all that routing has to look at for most
    /// requests. A slot may be missing here, which only costs time; none may be too many.
    settled: SlotSet,
}

impl Default for SlotTable {
    fn default() -> Self {
        SlotTable {
            owners: vec![None; SLOTS].into(),
            owned: BTreeMap::new(),
            assigned: 0,
            migrating: BTreeMap::new(),
            importing: BTreeMap::new(),
            unclaimed: SlotSet::default(),
            taken: BTreeMap::new(),
            myself: None,
            settled: SlotSet::default(),
        }
    }
}

impl SlotTable {
    /// Says whose table this is.
    pub fn set_myself(&mut self, myself: NodeIndex) {
        self.myself = Some(myself);
        all_slots().for_each(|slot| self.settle(slot));
    }

    /// Whether this node owns a slot that is neither on its way in nor out.
    #[inline]
    pub fn is_settled(&self, slot: Slot) -> bool {
        self.settled.contains(slot)
    }

    fn settle(&mut self, slot: Slot) {
        let mine = self.myself.is_some() && self.owner(slot) == self.myself;
        let open = self.migrating.contains_key(&slot) || self.importing.contains_key(&slot);
        if mine && !open {
            self.settled.insert(slot);
        } else {
            self.settled.remove(slot);
        }
    }

    /// Takes the marks away whose other end is one of these nodes.
    fn unmark(&mut self, is_gone: impl Fn(NodeIndex) -> bool) {
        let mut closed = Vec::new();
        for marks in [&mut self.migrating, &mut self.importing] {
            closed.extend(marks.extract_if(.., |_, node| is_gone(*node)).map(|(slot, _)| slot));
        }
        closed.into_iter().for_each(|slot| self.settle(slot));
    }

    /// Who owns a slot.
    #[inline]
    pub fn owner(&self, slot: Slot) -> Option<NodeIndex> {
        self.owners[usize::from(slot.0)]
    }

    /// Gives a slot to a node, or to nobody. Who owned it before.
    pub fn set_owner(&mut self, slot: Slot, owner: Option<NodeIndex>) -> Option<NodeIndex> {
        let before = std::mem::replace(&mut self.owners[usize::from(slot.0)], owner);
        if before == owner {
            return before;
        }
        if let Some(owned) = before.and_then(|before| self.owned.get_mut(&before)) {
            owned.slots.remove(slot);
            owned.count -= 1;
            self.assigned -= 1;
        }
        if let Some(owner) = owner {
            let owned = self.owned.entry(owner).or_default();
            owned.slots.insert(slot);
            owned.count += 1;
            self.assigned += 1;
        }
        self.unclaimed.remove(slot);
        self.taken.remove(&slot);
        self.settle(slot);
        before
    }

    /// Notes that a slot of this node was moved here, so that its last owner may not know yet.
    pub(super) fn note_taken(&mut self, slot: Slot, from: NodeIndex, at_ms: u64) {
        self.taken.insert(slot, Taken { from, at_ms });
    }

    /// From whom a slot was moved here, if that one may not know yet.
    pub(super) fn taken(&self, slot: Slot) -> Option<Taken> {
        if self.taken.is_empty() { None } else { self.taken.get(&slot).copied() }
    }

    /// A node claims nothing but these slots: it knows of those that were moved here from it before
    /// that time.
    pub(super) fn forget_taken(&mut self, from: NodeIndex, claimed: &SlotSet, before_ms: u64) {
        self.taken.retain(|slot, taken| {
            taken.from != from || taken.at_ms >= before_ms || claimed.contains(*slot)
        });
    }

    /// The slots of a node; `None` if it owns none.
    pub fn owned_by(&self, node: NodeIndex) -> Option<&SlotSet> {
        self.owned.get(&node).filter(|owned| owned.count > 0).map(|owned| &owned.slots)
    }

    /// How many slots a node owns.
    pub fn count_of(&self, node: NodeIndex) -> usize {
        self.owned.get(&node).map_or(0, |owned| owned.count)
    }

    /// How many slots have an owner.
    pub fn assigned(&self) -> usize {
        self.assigned
    }

    /// How many nodes own a slot.
    pub fn owners_count(&self) -> usize {
        self.owned.values().filter(|owned| owned.count > 0).count()
    }

    /// Where a slot of this node is being moved to.
    #[inline]
    pub fn migrating_to(&self, slot: Slot) -> Option<NodeIndex> {
        if self.migrating.is_empty() { None } else { self.migrating.get(&slot).copied() }
    }

    /// Where a slot is being moved here from.
    #[inline]
    pub fn importing_from(&self, slot: Slot) -> Option<NodeIndex> {
        if self.importing.is_empty() { None } else { self.importing.get(&slot).copied() }
    }

    /// Marks a slot of this node as being moved away, or takes the mark away.
    pub fn set_migrating(&mut self, slot: Slot, to: Option<NodeIndex>) {
        match to {
            Some(to) => self.migrating.insert(slot, to),
            None => self.migrating.remove(&slot),
        };
        self.settle(slot);
    }

    /// Marks a slot as being moved here, or takes the mark away.
    pub fn set_importing(&mut self, slot: Slot, from: Option<NodeIndex>) {
        match from {
            Some(from) => self.importing.insert(slot, from),
            None => self.importing.remove(&slot),
        };
        self.settle(slot);
    }

    /// Slots being moved away, in order, and to whom.
    pub fn migrating(&self) -> impl Iterator<Item = (Slot, NodeIndex)> + '_ {
        self.migrating.iter().map(|(&slot, &to)| (slot, to))
    }

    /// Slots being moved here, in order, and from whom.
    pub fn importing(&self) -> impl Iterator<Item = (Slot, NodeIndex)> + '_ {
        self.importing.iter().map(|(&slot, &from)| (slot, from))
    }

    /// Takes all marks away (CLUSTER RESET, becoming a replica).
    pub fn close_all(&mut self) {
        self.unmark(|_| true);
    }

    /// Forgets a node: its slots have no owner, nothing moves from or to it.
    pub(super) fn forget(&mut self, node: NodeIndex) {
        if let Some(owned) = self.owned.remove(&node) {
            for slot in owned.slots.iter() {
                self.owners[usize::from(slot.0)] = None;
                self.unclaimed.remove(slot);
            }
            self.assigned -= owned.count;
        }
        self.unmark(|other| other == node);
        self.taken.retain(|_, taken| taken.from != node);
    }
}
