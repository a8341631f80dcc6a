//! One bucket of the table and the overflow nodes behind it: tags, slots, links.
//!
//! A bucket is one cache line: a word of seven tag bytes and a flag byte, then seven slots. The
//! eighth entry makes the last slot a link to a node of four slots; a full node's last slot links
//! the next node. The link word holds the node's address and five tag bits for each of its slots,
//! so that a search knows from the bucket's own cache line whether the node is worth a visit.
//!
//! Entries are dense: slots fill in order, a removal moves the last entry into the hole, and a node
//! left with one entry is folded back. So the tags alone tell the count, and no node is held
//! without need.
//!
//! Only the table's own files use this; nothing here knows the number of buckets or of entries.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::{self, NonNull};

use super::Entry;
use crate::data::prefetch::prefetch;

/// Slots of a bucket.
pub(super) const BUCKET_SLOTS: usize = 7;
/// Slots of an overflow node.
const NODE_SLOTS: usize = 4;
/// What one overflow node occupies.
pub(super) const NODE_BYTES: usize = 32;

const LINKED: u64 = 1 << 63;
const TAG_BYTES: u64 = (1 << 56) - 1;
const LANES: u64 = 0x0001_0101_0101_0101;
const SHORT_LANES: u64 = 0x8421;
const SHORT_BITS: u32 = 5;
const SHORT_TAGS: u64 = (1 << (SHORT_BITS * NODE_SLOTS as u32)) - 1;
/// In a link word: the node's last slot is a link.
const CHAINED: u64 = 1 << (SHORT_BITS * NODE_SLOTS as u32);

/// The part of a hash that is kept beside the slot. Its low five bits are never all zero, so that
/// neither the tag nor its short form reads as an empty lane.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Tag(u8);

impl Tag {
    #[inline(always)]
    pub(super) fn of(hash: u64) -> Tag {
        let top = (hash >> 56) as u8;
        Tag(top | u8::from(top & 31 == 0))
    }

    #[inline(always)]
    fn short(self) -> u64 {
        u64::from(self.0 & 31)
    }

    /// The lanes of `word` that hold this tag, as the top bit of each.
    #[inline(always)]
    fn matches(self, word: u64) -> u64 {
        let differing = word ^ (u64::from(self.0) * LANES);
        !(((differing & (LANES * 0x7f)) + LANES * 0x7f) | differing) & (LANES * 0x80)
    }

    /// The lanes of a link word that hold the short form, as the top bit of each.
    #[inline(always)]
    fn matches_short(self, link: u64) -> u64 {
        let differing = link ^ (self.short() * SHORT_LANES);
        !(((differing & (SHORT_LANES * 15)) + SHORT_LANES * 15) | differing) & (SHORT_LANES * 16)
    }
}

/// An entry, or the link word in the last slot of a linked bucket or node.
#[repr(transparent)]
struct Slot<E>(MaybeUninit<E>);

/// One cache line of the table.
#[repr(C, align(64))]
pub(super) struct Bucket<E> {
    /// Seven tag bytes, zero where the slot is free; the top bit says that the last slot is a link.
    word: u64,
    slots: [Slot<E>; BUCKET_SLOTS],
}

#[repr(C, align(32))]
struct Node<E> {
    slots: [Slot<E>; NODE_SLOTS],
}

/// The address of a node, its short tags and its chained flag, in one word. User space addresses
/// have at most 48 bits and a node's five lowest are zero.
#[derive(Clone, Copy)]
struct Link(u64);

impl Link {
    fn to_new_node<E>() -> Link {
        let layout = Layout::new::<Node<E>>();
        // SAFETY: the layout's size is not zero.
        let node = unsafe { alloc(layout) };
        if node.is_null() {
            handle_alloc_error(layout);
        }
        let address = node.expose_provenance() as u64;
        assert!(address >> 48 == 0, "user space addresses have 48 bits");
        Link(address << 16)
    }

    #[inline(always)]
    fn node<E>(self) -> *mut Node<E> {
        ptr::with_exposed_provenance_mut(((self.0 >> 16) & !31) as usize)
    }

    #[inline(always)]
    fn is_chained(self) -> bool {
        self.0 & CHAINED != 0
    }

    /// The link to the next node, if there is one.
    #[inline(always)]
    fn next<E>(self) -> Option<Link> {
        self.is_chained().then(|| {
            let at: *mut u64 = node_slot::<E>(self, NODE_SLOTS - 1).cast();
            // SAFETY: a chained node's last slot holds a link word.
            Link(unsafe { *at })
        })
    }

    /// Entries in the node itself.
    #[inline(always)]
    fn count(self) -> usize {
        let bits = 64 - (self.0 & SHORT_TAGS).leading_zeros();
        bits.div_ceil(SHORT_BITS) as usize
    }
}

/// Where one entry lies, and which lane of which tag word describes it.
struct Spot<E> {
    slot: *mut E,
    tags: *mut u64,
    lane: usize,
}

/// A handle to a bucket and its nodes. Whoever makes one vouches that the bucket is initialised and
/// stays in place while the handle is in use, and that methods that change it are called only under
/// exclusive access to the table.
pub(super) struct Chain<E>(*mut Bucket<E>);

impl<E> Clone for Chain<E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Chain<E> {}

impl<E: Entry> Chain<E> {
    /// # Safety
    /// `bucket` must be valid for reads and writes, initialised by [`Chain::init`], for as long as
    /// the handle is used; changes need exclusive access.
    #[inline(always)]
    pub(super) unsafe fn new(bucket: *mut Bucket<E>) -> Self {
        Chain(bucket)
    }

    /// Makes an empty bucket of fresh memory.
    ///
    /// # Safety
    /// `bucket` must be valid for writes and hold no entries.
    pub(super) unsafe fn init(bucket: *mut Bucket<E>) {
        // SAFETY: the caller's contract; a zero word says that no slot is read.
        unsafe { (&raw mut (*bucket).word).write(0) }
    }

    #[inline(always)]
    fn word(self) -> *mut u64 {
        // SAFETY: the handle's pointer is valid.
        unsafe { &raw mut (*self.0).word }
    }

    #[inline(always)]
    fn slot(self, lane: usize) -> *mut E {
        debug_assert!(lane < BUCKET_SLOTS);
        // SAFETY: the handle's pointer is valid and the lane is within the bucket.
        unsafe { (&raw mut (*self.0).slots).cast::<E>().add(lane) }
    }

    #[inline(always)]
    fn load(self) -> u64 {
        // SAFETY: the word of an initialised bucket is initialised.
        unsafe { *self.word() }
    }

    /// The place of the link word, which a linked bucket has in its last slot.
    #[inline(always)]
    fn link(self) -> *mut u64 {
        self.slot(BUCKET_SLOTS - 1).cast()
    }

    #[inline(always)]
    pub(super) fn prefetch(self) {
        prefetch(self.0);
    }

    /// Finds the place of the entry with this key; it is valid until the chain is changed.
    #[inline(always)]
    pub(super) fn find(self, tag: Tag, key: &[u8]) -> Option<NonNull<E>> {
        let word = self.load();
        let mut lanes = tag.matches(word);
        while lanes != 0 {
            let lane = (lanes.trailing_zeros() / 8) as usize;
            let slot = self.slot(lane);
            // SAFETY: a lane with a tag has an entry in its slot.
            if unsafe { &*slot }.key() == key {
                return NonNull::new(slot);
            }
            lanes &= lanes - 1;
        }
        if word & LINKED == 0 {
            return None;
        }
        // SAFETY: a linked bucket's last slot holds a link word.
        let link = unsafe { *self.link() };
        if link & CHAINED == 0 && tag.matches_short(link) == 0 {
            return None;
        }
        Self::find_in_nodes(self.link(), tag, key)
    }

    #[inline(never)]
    fn find_in_nodes(mut at: *mut u64, tag: Tag, key: &[u8]) -> Option<NonNull<E>> {
        loop {
            // SAFETY: `at` is the place of a link word, by the flag of its bucket or of its parent.
            let link = Link(unsafe { *at });
            let mut lanes = tag.matches_short(link.0);
            while lanes != 0 {
                let lane = (lanes.trailing_zeros() / SHORT_BITS) as usize;
                let slot = node_slot::<E>(link, lane);
                // SAFETY: a lane with a tag has an entry in its slot.
                if unsafe { &*slot }.key() == key {
                    return NonNull::new(slot);
                }
                lanes &= lanes - 1;
            }
            if !link.is_chained() {
                return None;
            }
            at = node_slot::<E>(link, NODE_SLOTS - 1).cast();
        }
    }

    /// Entries in the bucket itself; a link is not counted.
    #[inline(always)]
    fn count_here(self) -> usize {
        8 - (self.load() & TAG_BYTES).leading_zeros() as usize / 8
    }

    /// Entries in the bucket and its nodes.
    pub(super) fn len(self) -> usize {
        let mut total = self.count_here();
        self.for_each_link(|link| total += link.count());
        total
    }

    #[inline(always)]
    fn is_linked(self) -> bool {
        self.load() & LINKED != 0
    }

    fn for_each_link(self, mut f: impl FnMut(Link)) {
        if !self.is_linked() {
            return;
        }
        // SAFETY: a linked bucket's last slot holds a link word.
        let mut link = Link(unsafe { *self.link() });
        loop {
            // Read before the call, because `f` may free the node.
            let next = link.next::<E>();
            f(link);
            match next {
                Some(after) => link = after,
                None => return,
            }
        }
    }

    /// The place of the link to the last node. The bucket must be linked.
    fn last_link(self) -> *mut u64 {
        debug_assert!(self.is_linked());
        let mut at = self.link();
        loop {
            // SAFETY: `at` is the place of a link word, by the flag of its bucket or of its parent.
            let link = Link(unsafe { *at });
            if !link.is_chained() {
                return at;
            }
            at = node_slot::<E>(link, NODE_SLOTS - 1).cast();
        }
    }

    /// Visits every entry's place.
    pub(super) fn for_each_slot(self, mut f: impl FnMut(*mut E)) {
        for lane in 0..self.count_here() {
            f(self.slot(lane));
        }
        self.for_each_link(|link| {
            for lane in 0..link.count() {
                f(node_slot(link, lane));
            }
        });
    }

    /// Every entry's place, one after the other.
    #[inline(always)]
    pub(super) fn slots(self) -> Slots<E> {
        // SAFETY: a linked bucket's last slot holds a link word.
        let link = self.is_linked().then(|| Link(unsafe { *self.link() }));
        Slots { next: self.slot(0), left: self.count_here(), link }
    }

    /// The place of the entry at `position`, in the order of [`Chain::for_each_slot`].
    pub(super) fn nth(self, position: usize) -> Option<*mut E> {
        let here = self.count_here();
        if position < here {
            return Some(self.slot(position));
        }
        let mut left = position - here;
        let mut found = None;
        self.for_each_link(|link| {
            let count = link.count();
            if found.is_none() && left < count {
                found = Some(node_slot(link, left));
            }
            left = left.saturating_sub(count);
        });
        found
    }

    /// Asks for the records whose tag matches, or for the node that may have one.
    #[inline]
    pub(super) fn prefetch_matches(self, tag: Tag) {
        let word = self.load();
        let mut lanes = tag.matches(word);
        while lanes != 0 {
            prefetch_record(self.slot((lanes.trailing_zeros() / 8) as usize));
            lanes &= lanes - 1;
        }
        if word & LINKED != 0 {
            // SAFETY: a linked bucket's last slot holds a link word.
            let link = Link(unsafe { *self.link() });
            if link.is_chained() || tag.matches_short(link.0) != 0 {
                prefetch(link.node::<E>());
            }
        }
    }

    /// Asks for every record of the bucket, and for its first node.
    pub(super) fn prefetch_here(self) {
        for lane in 0..self.count_here() {
            prefetch_record(self.slot(lane));
        }
        self.prefetch_node();
    }

    /// Asks for the first node, if there is one.
    #[inline]
    pub(super) fn prefetch_node(self) {
        if self.is_linked() {
            // SAFETY: a linked bucket's last slot holds a link word.
            prefetch(Link(unsafe { *self.link() }).node::<E>());
        }
    }

    /// Asks for every record of the nodes.
    pub(super) fn prefetch_nodes(self) {
        self.for_each_link(|link| {
            for lane in 0..link.count() {
                prefetch_record(node_slot::<E>(link, lane));
            }
        });
    }

    /// Appends an entry; true when that took a new node.
    #[inline]
    pub(super) fn push(self, tag: Tag, entry: E) -> bool {
        let count = self.count_here();
        if !self.is_linked() && count < BUCKET_SLOTS {
            // SAFETY: the slot at the count is free, and the caller has exclusive access.
            unsafe {
                self.slot(count).write(entry);
                *self.word() |= u64::from(tag.0) << (count * 8);
            }
            return false;
        }
        self.push_to_nodes(tag, entry)
    }

    fn push_to_nodes(self, tag: Tag, entry: E) -> bool {
        if !self.is_linked() {
            let last = BUCKET_SLOTS - 1;
            let displaced = Tag((self.load() >> (last * 8)) as u8);
            let link = displace(self.slot(last), displaced, (tag, entry));
            // SAFETY: exclusive access; the slot's entry has moved to the node.
            unsafe {
                self.link().write(link.0);
                *self.word() = (*self.word() & !(0xff << (last * 8))) | LINKED;
            }
            return true;
        }
        let at = self.last_link();
        // SAFETY: `last_link` gives the place of a link word.
        let link = Link(unsafe { *at });
        let count = link.count();
        if count < NODE_SLOTS {
            // SAFETY: the node's slot at the count is free; exclusive access.
            unsafe {
                node_slot::<E>(link, count).write(entry);
                *at |= tag.short() << (count as u32 * SHORT_BITS);
            }
            return false;
        }
        let last = NODE_SLOTS - 1;
        let slot = node_slot::<E>(link, last);
        let displaced = short_tag(link, last);
        let next = displace(slot, displaced, (tag, entry));
        // SAFETY: exclusive access; the slot's entry has moved to the next node.
        unsafe {
            slot.cast::<u64>().write(next.0);
            *at = (link.0 & !(31 << (last as u32 * SHORT_BITS))) | CHAINED;
        }
        true
    }

    /// Takes the entry at one of the chain's places out and closes the gap; true when that freed a
    /// node. Entries that move from a node into the bucket are hashed for their tag.
    pub(super) fn take(self, slot: NonNull<E>) -> (E, bool) {
        let spot = self.spot(slot.as_ptr());
        let last = self.last();
        // SAFETY: both spots hold entries of this chain. Each entry is read once, and the lane of
        // the slot that is vacant afterwards is cleared before anything else can read it.
        let removed = unsafe { spot.slot.read() };
        let from_node = last.tags != self.word();
        let tag = self.tag_at(&last);
        self.clear_lane(&last);
        if last.slot != spot.slot {
            // SAFETY: as above.
            let moved = unsafe { last.slot.read() };
            if spot.tags == self.word() {
                let tag = if from_node { Tag::of(hash_of(&moved)) } else { tag };
                let shift = spot.lane * 8;
                // SAFETY: exclusive access to the bucket's word.
                unsafe {
                    *self.word() = (*self.word() & !(0xff << shift)) | u64::from(tag.0) << shift
                };
            } else {
                let shift = spot.lane as u32 * SHORT_BITS;
                // SAFETY: a spot outside the bucket has a link word for its tags; exclusive access.
                unsafe { *spot.tags = (*spot.tags & !(31 << shift)) | tag.short() << shift };
            }
            // SAFETY: the entry that was here has been read out.
            unsafe { spot.slot.write(moved) };
        }
        (removed, from_node && self.fold())
    }

    /// What describes one of the chain's places.
    fn spot(self, slot: *mut E) -> Spot<E> {
        let lane = |first: *mut E| slot.addr().wrapping_sub(first.addr()) / size_of::<E>();
        let (mut tags, mut first, mut slots) = (self.word(), self.slot(0), BUCKET_SLOTS);
        let mut at = self.link();
        while lane(first) >= slots {
            // SAFETY: the place is in none of these slots, so the last of them is a link word.
            let link = Link(unsafe { *at });
            (tags, first, slots) = (at, node_slot(link, 0), NODE_SLOTS);
            at = node_slot::<E>(link, NODE_SLOTS - 1).cast();
        }
        Spot { slot, tags, lane: lane(first) }
    }

    fn last(self) -> Spot<E> {
        if !self.is_linked() {
            let lane = self.count_here() - 1;
            return Spot { slot: self.slot(lane), tags: self.word(), lane };
        }
        let tags = self.last_link();
        // SAFETY: `last_link` gives the place of a link word.
        let link = Link(unsafe { *tags });
        let lane = link.count() - 1;
        Spot { slot: node_slot(link, lane), tags, lane }
    }

    /// The tag of a spot; only its short form is known in a node.
    fn tag_at(self, spot: &Spot<E>) -> Tag {
        // SAFETY: a spot's tag word is alive while the chain is unchanged.
        let word = unsafe { *spot.tags };
        if spot.tags == self.word() {
            Tag((word >> (spot.lane * 8)) as u8)
        } else {
            short_tag(Link(word), spot.lane)
        }
    }

    fn clear_lane(self, spot: &Spot<E>) {
        let mask = if spot.tags == self.word() {
            0xff << (spot.lane * 8)
        } else {
            31 << (spot.lane as u32 * SHORT_BITS)
        };
        // SAFETY: a spot's tag word is alive while the chain is unchanged; exclusive access.
        unsafe { *spot.tags &= !mask };
    }

    /// Puts the only entry of the last node where the link to the node is, and frees the node.
    fn fold(self) -> bool {
        if !self.is_linked() {
            return false;
        }
        let mut parent: *mut u64 = ptr::null_mut();
        let mut at = self.link();
        // SAFETY: `at` is the place of a link word, by the flag of its bucket or of its parent.
        let mut link = Link(unsafe { *at });
        while link.is_chained() {
            parent = at;
            at = node_slot::<E>(link, NODE_SLOTS - 1).cast();
            // SAFETY: as above.
            link = Link(unsafe { *at });
        }
        if link.count() > 1 {
            return false;
        }
        // SAFETY: one entry is left, in the first slot; the node is not used after it is read.
        let entry = unsafe { node_slot::<E>(link, 0).read() };
        free_node::<E>(link);
        if parent.is_null() {
            let tag = u64::from(Tag::of(hash_of(&entry)).0) << ((BUCKET_SLOTS - 1) * 8);
            // SAFETY: exclusive access; the slot becomes an entry as its flag and tag say so.
            unsafe { *self.word() = (*self.word() & !LINKED) | tag };
        } else {
            let tag = short_tag(link, 0).short() << ((NODE_SLOTS - 1) as u32 * SHORT_BITS);
            // SAFETY: as above, for the node above.
            unsafe { *parent = (*parent & !CHAINED) | tag };
        }
        // SAFETY: the slot held only the link word.
        unsafe { at.cast::<E>().write(entry) };
        true
    }

    /// Empties the chain into `f`, which may put entries back; the number of nodes freed. The tags
    /// of entries that lay in nodes are short ones, and come after all others.
    pub(super) fn drain(self, mut f: impl FnMut(Tag, E)) -> u32 {
        // SAFETY: the bucket is copied away and marked empty, so that each entry has one owner.
        let mut copy = unsafe { self.0.read() };
        unsafe { Self::init(self.0) };
        let old = Chain(&raw mut copy);
        for lane in 0..old.count_here() {
            let tag = Tag((old.load() >> (lane * 8)) as u8);
            // SAFETY: a lane within the count holds an entry, and is read once.
            f(tag, unsafe { old.slot(lane).read() });
        }
        let mut freed = 0;
        old.for_each_link(|link| {
            for lane in 0..link.count() {
                // SAFETY: as above.
                f(short_tag(link, lane), unsafe { node_slot::<E>(link, lane).read() });
            }
            free_node::<E>(link);
            freed += 1;
        });
        freed
    }
}

/// The places of a chain's entries. Whoever has one vouches that the chain is not changed.
pub(super) struct Slots<E> {
    next: *mut E,
    /// How many there are from `next` on, side by side.
    left: usize,
    /// The node behind those.
    link: Option<Link>,
}

impl<E> Slots<E> {
    /// No places.
    pub(super) const fn none() -> Self {
        Slots { next: ptr::null_mut(), left: 0, link: None }
    }
}

impl<E> Iterator for Slots<E> {
    type Item = *mut E;

    #[inline(always)]
    fn next(&mut self) -> Option<*mut E> {
        while self.left == 0 {
            let link = self.link?;
            *self = Slots { next: node_slot(link, 0), left: link.count(), link: link.next::<E>() };
        }
        let slot = self.next;
        self.left -= 1;
        // SAFETY: the place lies within its bucket or node, so that the one behind it is no
        // further than their end.
        self.next = unsafe { slot.add(1) };
        Some(slot)
    }
}

/// The hash by which the table files an entry.
#[inline]
pub(super) fn hash_of<E: Entry>(entry: &E) -> u64 {
    crate::base::hash::hash(entry.key())
}

#[inline(always)]
fn node_slot<E>(link: Link, lane: usize) -> *mut E {
    debug_assert!(lane < NODE_SLOTS);
    // SAFETY: a link holds the address of a live node, and the lane is within it.
    unsafe { (&raw mut (*link.node::<E>()).slots).cast::<E>().add(lane) }
}

#[inline(always)]
fn short_tag(link: Link, lane: usize) -> Tag {
    Tag((link.0 >> (lane as u32 * SHORT_BITS)) as u8 & 31)
}

fn free_node<E>(link: Link) {
    // SAFETY: the node came from `Link::to_new_node` with this layout, and its link is dropped.
    unsafe { dealloc(link.node::<E>().cast(), Layout::new::<Node<E>>()) }
}

/// A new node that begins with the entry of a full `slot` and the entry that found no place.
fn displace<E>(slot: *mut E, displaced: Tag, pushed: (Tag, E)) -> Link {
    let mut link = Link::to_new_node::<E>();
    // SAFETY: the slot holds an entry, which moves; the caller overwrites it with the link. The
    // node is fresh memory.
    unsafe {
        node_slot::<E>(link, 0).write(slot.read());
        node_slot::<E>(link, 1).write(pushed.1);
    }
    link.0 |= displaced.short() | pushed.0.short() << SHORT_BITS;
    link
}

/// An entry is a pointer: asks for what it points to.
#[inline(always)]
fn prefetch_record<E>(slot: *mut E) {
    // SAFETY: the table's entries are pointer-sized (`Table::LAYOUT`), and the slot holds one.
    prefetch(unsafe { slot.cast::<*const u8>().read() });
}

pub(super) const fn assert_layout<E>() {
    assert!(size_of::<E>() == 8 && align_of::<E>() == 8, "an entry is one pointer");
    assert!(size_of::<Bucket<E>>() == 64 && size_of::<Node<E>>() == NODE_BYTES);
}
