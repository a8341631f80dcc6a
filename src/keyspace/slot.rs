//! Slots: which one a key belongs to, and how many keys each of them has. Used by the databases,
//! and by the cluster for redirection; standalone, everything is in slot 0.

use crate::base::limits::SLOTS;

/// One of a cluster's 16,384 hash slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot(pub u16);

const _: () = assert!(SLOTS <= u16::MAX as usize + 1);

impl Slot {
    /// The slot of a key: of what stands between its first `{` and the next `}`, if that is
    /// anything, else of the whole key.
    pub fn of_key(key: &[u8]) -> Slot {
        let tag = hash_tag(key).unwrap_or(key);
        Slot(crc16::State::<crc16::XMODEM>::calculate(tag) % SLOTS as u16)
    }

    #[inline]
    pub(super) fn index(self) -> usize {
        usize::from(self.0)
    }
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr(b'{', key)?;
    let rest = &key[open + 1..];
    let close = memchr::memchr(b'}', rest)?;
    (close > 0).then(|| &rest[..close])
}

const BLOCK: usize = 128;

/// How many entries each slot has, so that a random one can be found without visiting all slots:
/// counts per slot and per block of slots, which costs two additions per insertion.
#[derive(Debug, Default)]
pub(super) struct SlotCounts {
    total: usize,
    /// Empty while there is only one slot.
    per_slot: Box<[u32]>,
    /// `per_block[b]` is the sum of `per_slot[b * BLOCK..][..BLOCK]`.
    per_block: Box<[u32]>,
}

impl SlotCounts {
    pub(super) fn new(slots: usize) -> Self {
        let slots = if slots > 1 { slots } else { 0 };
        SlotCounts {
            total: 0,
            per_slot: vec![0; slots].into(),
            per_block: vec![0; slots.div_ceil(BLOCK)].into(),
        }
    }

    #[inline]
    pub(super) fn total(&self) -> usize {
        self.total
    }

    /// Entries of one slot.
    pub(super) fn in_slot(&self, slot: Slot) -> usize {
        self.per_slot.get(slot.index()).map_or(self.total, |&count| count as usize)
    }

    #[inline]
    pub(super) fn increment(&mut self, slot: Slot) {
        self.total += 1;
        if let Some(count) = self.per_slot.get_mut(slot.index()) {
            *count += 1;
            self.per_block[slot.index() / BLOCK] += 1;
        }
    }

    #[inline]
    pub(super) fn decrement(&mut self, slot: Slot) {
        self.total -= 1;
        if let Some(count) = self.per_slot.get_mut(slot.index()) {
            *count -= 1;
            self.per_block[slot.index() / BLOCK] -= 1;
        }
    }

    /// Forgets a slot's entries.
    pub(super) fn clear_slot(&mut self, slot: Slot) {
        match self.per_slot.get_mut(slot.index()) {
            Some(count) => {
                self.total -= *count as usize;
                self.per_block[slot.index() / BLOCK] -= *count;
                *count = 0;
            }
            None => self.total = 0,
        }
    }

    /// The slot that the entry number `n` is in, when entries are numbered slot by slot; `n <
    /// total()`.
    pub(super) fn slot_of_nth(&self, n: usize) -> Slot {
        let mut left = n;
        let mut skip = |count: u32| {
            let over = left >= count as usize;
            left -= if over { count as usize } else { 0 };
            over
        };
        let block = self.per_block.iter().position(|&count| !skip(count)).unwrap_or(0);
        let slots = self.per_slot.iter().skip(block * BLOCK);
        let within = slots.take(BLOCK).position(|&count| !skip(count)).unwrap_or(0);
        Slot((block * BLOCK + within) as u16)
    }

    /// The first slot from `from` on that has entries.
    pub(super) fn next_used(&self, from: Slot) -> Option<Slot> {
        if self.per_slot.is_empty() {
            return (from == Slot(0) && self.total > 0).then_some(from);
        }
        let mut at = from.index();
        while at < self.per_slot.len() {
            if self.per_block[at / BLOCK] == 0 {
                at = (at / BLOCK + 1) * BLOCK;
            } else if self.per_slot[at] == 0 {
                at += 1;
            } else {
                return Some(Slot(at as u16));
            }
        }
        None
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.per_slot) + size_of_val(&*self.per_block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_of_keys() {
        // What CLUSTER KEYSLOT of Redis answers.
        assert_eq!(Slot::of_key(b"123456789"), Slot(0x31c3));
        assert_eq!(Slot::of_key(b"foo"), Slot(12182));
        assert_eq!(Slot::of_key(b""), Slot(0));
        assert_eq!(Slot::of_key(b"{foo}bar"), Slot(12182));
        assert_eq!(Slot::of_key(b"a{foo}{bar}"), Slot(12182));
        assert_eq!(hash_tag(b"{}foo"), None);
        assert_eq!(hash_tag(b"{foo"), None);
        assert_eq!(hash_tag(b"a}{foo}"), Some(&b"foo"[..]));
        assert_eq!(hash_tag(b"{{foo}}"), Some(&b"{foo"[..]));
    }

    #[test]
    fn entries_are_numbered_slot_by_slot() {
        let mut counts = SlotCounts::new(SLOTS);
        assert_eq!(counts.next_used(Slot(0)), None);
        let used = [3u16, 3, 127, 128, 128, 5000, 16383];
        used.iter().for_each(|&slot| counts.increment(Slot(slot)));
        for (n, &slot) in used.iter().enumerate() {
            assert_eq!(counts.slot_of_nth(n), Slot(slot));
        }
        assert_eq!(counts.next_used(Slot(0)), Some(Slot(3)));
        assert_eq!(counts.next_used(Slot(129)), Some(Slot(5000)));
        assert_eq!(counts.next_used(Slot(5001)), Some(Slot(16383)));
        counts.clear_slot(Slot(128));
        counts.decrement(Slot(16383));
        assert_eq!((counts.total(), counts.next_used(Slot(5001))), (4, None));
    }

    #[test]
    fn one_slot_needs_no_memory() {
        let mut counts = SlotCounts::new(1);
        assert_eq!((counts.heap_bytes(), counts.next_used(Slot(0))), (0, None));
        counts.increment(Slot(0));
        assert_eq!((counts.slot_of_nth(0), counts.next_used(Slot(0))), (Slot(0), Some(Slot(0))));
        assert_eq!(counts.next_used(Slot(1)), None);
        counts.clear_slot(Slot(0));
        assert_eq!(counts.total(), 0);
    }
}
