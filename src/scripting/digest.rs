//! The name of a script: the SHA-1 of its text, in hex.

use std::hash::Hasher;

use sha1::{Digest, Sha1};

/// Forty hex digits in lower case.
pub type Name = [u8; 40];

const HEX: &[u8; 16] = b"0123456789abcdef";

/// The name of a text.
pub fn name_of(text: &[u8]) -> Name {
    let hash = Sha1::digest(text);
    let mut name = [0; 40];
    for (pair, byte) in name.chunks_exact_mut(2).zip(hash) {
        pair[0] = HEX[usize::from(byte >> 4)];
        pair[1] = HEX[usize::from(byte & 15)];
    }
    name
}

/// A name as a client spells it, in any case. None: no script can be called so.
pub fn parse(text: &[u8]) -> Option<Name> {
    let mut name: Name = text.try_into().ok()?;
    name.make_ascii_lowercase();
    Some(name)
}

/// Hashes names, which are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub struct NameHasher(u64);

impl Hasher for NameHasher {
    fn write(&mut self, bytes: &[u8]) {
        // Hex digits have few different bits at the top, which tables look at first.
        const MIX: u64 = 0x9E37_79B9_7F4A_7C15;
        if let Some(digits) = bytes.first_chunk::<16>() {
            let digits = u128::from_le_bytes(*digits);
            self.0 = (digits as u64 ^ (digits >> 61) as u64).wrapping_mul(MIX);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
