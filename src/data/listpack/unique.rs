//! Whether elements are different ones, which those who read listpacks of others must know. Small
//! ones are compared without memory and without a keyed hash: there are too few elements for it to
//! matter that someone chose them to collide.

use std::collections::HashSet;

use arrayvec::ArrayVec;

use super::{Element, Listpack};

/// Up to so many elements are compared in the small way. Redis's limit for packed hashes and sets.
const SMALL_MAX: usize = 128;
/// Chains of elements with the same low bits of a hash.
const CHAINS: usize = 256;
/// The end of a chain.
const NONE: u8 = u8::MAX;

const _: () = assert!(SMALL_MAX < NONE as usize && CHAINS.is_power_of_two());

impl Listpack {
    /// Whether the elements at all multiples of `stride` are different ones, and there are as many
    /// in all as make whole groups of `stride`: 1 for the members of a set, 2 for the fields of a
    /// hash.
    pub fn is_unique(&self, stride: usize) -> bool {
        let len = self.len();
        // A string that looks like an integer need not be stored as one.
        let mut elements = self
            .iter()
            .step_by(stride)
            .map(|element| element.as_int().map_or(element, Element::Int));
        if !len.is_multiple_of(stride) {
            return false;
        }
        if len / stride <= SMALL_MAX {
            return are_unique(elements);
        }
        // Not made for all at once: the first duplicate ends it.
        let mut seen = HashSet::new();
        elements.all(|element| seen.insert(element))
    }
}

/// Whether at most `SMALL_MAX` elements are different ones.
fn are_unique<'a>(elements: impl Iterator<Item = Element<'a>>) -> bool {
    let mut seen = ArrayVec::<(Element<'a>, u8), SMALL_MAX>::new();
    let mut chains = [NONE; CHAINS];
    for element in elements {
        let chain = &mut chains[hash(&element) as usize % CHAINS];
        let mut next = *chain;
        while let Some((other, after)) = seen.get(usize::from(next)) {
            if *other == element {
                return false;
            }
            next = *after;
        }
        // The iterator gives no more than there is room for.
        let number = seen.len() as u8;
        if seen.try_push((element, *chain)).is_err() {
            return false;
        }
        *chain = number;
    }
    true
}

/// The first and the last bytes, and the length.
fn hash(element: &Element<'_>) -> u64 {
    let ends = match element {
        Element::Int(n) => *n as u64,
        Element::Bytes(bytes) => {
            let first = bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let last = bytes.last_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            let byte = bytes.last().copied().unwrap_or(0);
            first ^ u64::from(last) << 29 ^ u64::from(byte) << 17 ^ bytes.len() as u64
        }
    };
    ends.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn listpack(elements: &[Vec<u8>]) -> Listpack {
        let mut listpack = Listpack::new();
        elements.iter().for_each(|element| listpack.push_back(element));
        listpack
    }

    #[test]
    fn groups_must_be_whole() {
        let three = listpack(&[b"a".to_vec(), b"b".to_vec(), b"a".to_vec()]);
        assert!(!three.is_unique(1) && !three.is_unique(2));
        assert!(listpack(&[]).is_unique(2));
    }

    #[test]
    fn many_and_alike() {
        let names = |count: usize| -> Vec<Vec<u8>> {
            (0..count).map(|n| format!("member:{n:09}:of a set").into_bytes()).collect()
        };
        for count in [1, 2, 127, 128, 129, 300] {
            let mut elements = names(count);
            assert!(listpack(&elements).is_unique(1), "{count}");
            elements.push(elements[count / 2].clone());
            assert!(!listpack(&elements).is_unique(1), "{count}");
        }
    }

    proptest! {
        #[test]
        fn equals_a_set_of_the_standard_library(
            elements in prop::collection::vec("[a-c0-1]{0,5}", 0..200), stride in 1usize..3
        ) {
            let elements: Vec<Vec<u8>> = elements.into_iter().map(String::into_bytes).collect();
            let groups = elements.len().is_multiple_of(stride);
            let set: HashSet<_> = elements.iter().step_by(stride).collect();
            let expected = groups && set.len() == elements.len() / stride;
            prop_assert_eq!(listpack(&elements).is_unique(stride), expected);
        }
    }
}
