//! Intset: integers in ascending order in one allocation, byte for byte as Redis has it: the width
//! of the integers (2, 4 or 8) and their number, four bytes each, then the integers. All have the
//! width that the widest ever in it needed.
//!
//! Used by the smallest encoding of sets. Changing it moves what follows: the owner decides how
//! long it may grow. Must never hold bytes that were not validated ([`Intset::from_bytes`]).

use std::fmt;

use super::thin::{INTSET_MARK, ThinBytes, WORD};

const HEADER_BYTES: usize = 8;
/// No intset has more integers, so that its length has no more bits than are free for it.
pub const ENTRIES_MAX: usize = 1 << 26;

const _: () = assert!(WORD + HEADER_BYTES + 8 * ENTRIES_MAX <= ThinBytes::<INTSET_MARK>::LEN_MAX);

/// Bytes are no intset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Bytes of each integer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Width {
    Two = 2,
    Four = 4,
    Eight = 8,
}

impl Width {
    fn needed_by(n: i64) -> Width {
        if i16::try_from(n).is_ok() {
            Width::Two
        } else if i32::try_from(n).is_ok() {
            Width::Four
        } else {
            Width::Eight
        }
    }

    fn from_header(header: u32) -> Option<Width> {
        match header {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }
}

/// A sorted set of integers in one allocation.
///
/// Invariant: the bytes are a header and as many integers as it says, ascending, none twice.
#[derive(Clone, PartialEq, Eq)]
#[repr(transparent)]
pub struct Intset {
    /// Behind the first word, which is not Redis's.
    bytes: ThinBytes<INTSET_MARK>,
}

impl Intset {
    /// One without integers.
    pub fn new() -> Self {
        let mut intset = Intset { bytes: ThinBytes::new(&[0; HEADER_BYTES]) };
        intset.write_header(Width::Two, 0);
        intset
    }

    /// The intset that these bytes are, after a look at every integer. It is not empty.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Invalid> {
        let (header, integers) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Invalid)?;
        let [a, b, c, d, e, f, g, h] = *header;
        let width = Width::from_header(u32::from_le_bytes([a, b, c, d])).ok_or(Invalid)?;
        let len = u32::from_le_bytes([e, f, g, h]) as usize;
        if len == 0 || len.checked_mul(width as usize) != Some(integers.len()) {
            return Err(Invalid);
        }
        if len > ENTRIES_MAX {
            return Err(Invalid);
        }
        let intset = Intset { bytes: ThinBytes::new(bytes) };
        if intset.iter().is_sorted_by(|a, b| a < b) { Ok(intset) } else { Err(Invalid) }
    }

    /// The bytes, as Redis stores them.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.tail()
    }

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        self.bytes.heap_bytes()
    }

    /// How many integers there are.
    #[inline]
    pub fn len(&self) -> usize {
        (self.as_bytes().len() - HEADER_BYTES) / self.width() as usize
    }

    /// Whether there are none.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.as_bytes().len() == HEADER_BYTES
    }

    /// The integer at an index, in ascending order.
    #[inline]
    pub fn get(&self, index: usize) -> Option<i64> {
        (index < self.len()).then(|| self.read(self.width(), index))
    }

    /// The smallest integer.
    pub fn min(&self) -> Option<i64> {
        self.get(0)
    }

    /// The greatest integer.
    pub fn max(&self) -> Option<i64> {
        self.get(self.len().checked_sub(1)?)
    }

    /// Whether `n` is in it.
    #[inline]
    pub fn contains(&self, n: i64) -> bool {
        self.search(n).is_ok()
    }

    /// All integers, ascending.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = i64> + DoubleEndedIterator + '_ {
        let width = self.width();
        (0..self.len()).map(move |index| self.read(width, index))
    }

    /// Adds `n`; false if it is there already.
    pub fn insert(&mut self, n: i64) -> bool {
        let Err(index) = self.search(n) else { return false };
        let len = self.len();
        let width = self.width().max(Width::needed_by(n));
        self.widen(width);
        self.bytes.resize_gap(WORD + offset(width, index), 0, width as usize);
        self.write(width, index, n);
        self.write_header(width, len + 1);
        true
    }

    /// Removes `n`; whether it was there. The width stays, as in Redis.
    pub fn remove(&mut self, n: i64) -> bool {
        let Ok(index) = self.search(n) else { return false };
        let (width, len) = (self.width(), self.len());
        self.bytes.resize_gap(WORD + offset(width, index), width as usize, 0);
        self.write_header(width, len - 1);
        true
    }

    // ---- inside

    /// The index of `n`, or that where it belongs.
    fn search(&self, n: i64) -> Result<usize, usize> {
        let width = self.width();
        let (mut low, mut high) = (0, self.len());
        // Ascending insertion is common.
        if high > 0 && n > self.read(width, high - 1) {
            return Err(high);
        }
        while low < high {
            let middle = low.midpoint(high);
            match self.read(width, middle).cmp(&n) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return Ok(middle),
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Err(low)
    }

    /// Gives every integer more bytes, if there are fewer than `width`.
    fn widen(&mut self, width: Width) {
        let (old, len) = (self.width(), self.len());
        if old == width {
            return;
        }
        self.bytes.resize_gap(WORD + offset(old, len), 0, len * (width as usize - old as usize));
        for index in (0..len).rev() {
            let n = self.read(old, index);
            self.write(width, index, n);
        }
        self.write_header(width, len);
    }

    #[inline]
    fn width(&self) -> Width {
        match self.as_bytes()[0] {
            2 => Width::Two,
            4 => Width::Four,
            _ => Width::Eight,
        }
    }

    #[inline]
    fn read(&self, width: Width, index: usize) -> i64 {
        let place = &self.as_bytes()[offset(width, index)..][..width as usize];
        match *place {
            [a, b] => i16::from_le_bytes([a, b]).into(),
            [a, b, c, d] => i32::from_le_bytes([a, b, c, d]).into(),
            [a, b, c, d, e, f, g, h] => i64::from_le_bytes([a, b, c, d, e, f, g, h]),
            _ => unreachable!("a width is 2, 4 or 8"),
        }
    }

    fn write(&mut self, width: Width, index: usize, n: i64) {
        let bytes = n.to_le_bytes();
        self.bytes.tail_mut()[offset(width, index)..][..width as usize]
            .copy_from_slice(&bytes[..width as usize]);
    }

    fn write_header(&mut self, width: Width, len: usize) {
        let bytes = self.bytes.tail_mut();
        bytes[..4].copy_from_slice(&(width as u32).to_le_bytes());
        bytes[4..HEADER_BYTES].copy_from_slice(&(len as u32).to_le_bytes());
    }
}

impl fmt::Debug for Intset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Default for Intset {
    fn default() -> Self {
        Self::new()
    }
}

fn offset(width: Width, index: usize) -> usize {
    HEADER_BYTES + index * width as usize
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::base::text::from_hex;

    /// What Redis 7.2.6 stores for the integers, in hex, without what DUMP adds.
    const VECTORS: &[(&[i64], &str)] = &[
        (&[1, 2, 11], "020000000300000001000200 0b00"),
        (&[-32768, 32767], "0200000002000000 0080 ff7f"),
        (&[5, -32769, 32768], "0400000003000000 ff7fffff 05000000 00800000"),
        (&[1, i64::MAX], "0800000002000000 0100000000000000 ffffffffffffff7f"),
        (&[i64::MIN, 0], "0800000002000000 0000000000000080 0000000000000000"),
    ];

    #[test]
    fn bytes_are_those_of_redis() {
        for (integers, bytes) in VECTORS {
            let mut intset = Intset::new();
            integers.iter().for_each(|&n| assert!(intset.insert(n)));
            assert_eq!(intset.as_bytes(), from_hex(bytes), "{integers:?}");
            assert_eq!(Intset::from_bytes(&from_hex(bytes)), Ok(intset));
        }
    }

    #[test]
    fn width_never_shrinks() {
        let mut intset = Intset::new();
        intset.insert(1 << 40);
        intset.insert(1);
        assert!(intset.remove(1 << 40));
        assert_eq!(intset.as_bytes(), from_hex("0800000001000000 0100000000000000"));
    }

    #[test]
    fn nonsense_is_refused() {
        let cases = [
            "",
            "0200000000000000",
            "02000000010000",
            "030000000100000001000000",
            "02000000020000000100",
            "020000000200000001000100",
            "020000000200000002000100",
            "02000000ffffffff0100",
            "08000000ffffffff",
            "0200000001000000010000",
        ];
        for case in cases {
            assert_eq!(Intset::from_bytes(&from_hex(case)), Err(Invalid), "{case}");
        }
    }

    /// Integers of all widths, around their limits.
    fn integer() -> impl Strategy<Value = i64> {
        let around = |limit: i64| limit.saturating_sub(3)..=limit.saturating_add(3);
        prop_oneof![
            -20..20i64,
            around(i16::MAX.into()),
            around(i16::MIN.into()),
            around(i32::MAX.into()),
            around(i32::MIN.into()),
            around(i64::MAX),
            around(i64::MIN),
            any::<i64>(),
        ]
    }

    proptest! {
        #[test]
        fn is_a_set(
            steps in prop::collection::vec((integer(), prop::bool::weighted(0.6)), 0..150)
        ) {
            let (mut intset, mut model) = (Intset::new(), BTreeSet::new());
            for (n, add) in steps {
                if add {
                    prop_assert_eq!(intset.insert(n), model.insert(n));
                } else {
                    prop_assert_eq!(intset.remove(n), model.remove(&n));
                }
                prop_assert_eq!(intset.contains(n), add);
                prop_assert!(intset.iter().eq(model.iter().copied()));
                prop_assert_eq!(intset.len(), model.len());
                prop_assert_eq!(intset.get(model.len()), None);
                prop_assert_eq!(intset.min(), model.first().copied());
                prop_assert_eq!(intset.max(), model.last().copied());
                if !model.is_empty() {
                    let copy = Intset::from_bytes(intset.as_bytes());
                    prop_assert_eq!(copy.as_ref(), Ok(&intset));
                }
            }
        }

        /// Whatever is accepted can be used, and is what was given.
        #[test]
        fn from_anything(
            width in 0u8..10, len in 0u8..5, rest in prop::collection::vec(any::<u8>(), 0..40)
        ) {
            let mut bytes = vec![width, 0, 0, 0, len, 0, 0, 0];
            bytes.extend_from_slice(&rest);
            if let Ok(mut intset) = Intset::from_bytes(&bytes) {
                prop_assert_eq!(intset.as_bytes(), bytes);
                prop_assert_eq!(intset.len(), usize::from(len));
                let integers: Vec<i64> = intset.iter().collect();
                for n in integers {
                    prop_assert!(intset.contains(n) && intset.remove(n));
                }
                prop_assert!(intset.is_empty());
            }
        }
    }
}
