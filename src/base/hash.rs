//! Keyed hashing of keys and members. The seed is drawn once per process, so that nobody outside
//! can construct colliding keys.

use std::sync::Once;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use siphasher::sip::SipHasher13;

static SEED: [AtomicU64; 2] = [AtomicU64::new(0), AtomicU64::new(0)];

/// Draws the process's seed, unless it has been drawn. Must run before the first key is stored.
pub fn seed_from_entropy() {
    static DRAWN: Once = Once::new();
    // Whoever comes while another thread draws waits, so that no key is hashed under half a seed.
    DRAWN.call_once(|| {
        for word in &SEED {
            let mut raw = [0u8; 8];
            crate::base::rng::fill_secret(&mut raw);
            word.store(u64::from_le_bytes(raw), Relaxed);
        }
    });
}

/// SipHash-1-3 of `bytes` under the process's seed.
#[inline]
pub fn hash(bytes: &[u8]) -> u64 {
    SipHasher13::new_with_keys(SEED[0].load(Relaxed), SEED[1].load(Relaxed)).hash(bytes)
}
