//! The only source of randomness: the kernel for secrets and seeds, a small generator for sampling.

use std::fs::File;
use std::io::Read;

/// Fills `out` from the kernel's generator.
pub fn fill_secret(out: &mut [u8]) {
    let read = File::open("/dev/urandom").and_then(|mut f| f.read_exact(out));
    if read.is_err() {
        // A chroot without /dev: the clock and the stack address still differ from run to run.
        let mut weak =
            Rng::seeded(crate::base::clock::unix_us() ^ (out.as_ptr() as u64).rotate_left(32));
        out.iter_mut().for_each(|b| *b = weak.next_u64() as u8);
    }
}

/// Forty random lowercase hex digits, as run ids and node ids have.
pub fn hex_id() -> String {
    let mut raw = [0u8; 20];
    fill_secret(&mut raw);
    raw.iter().map(|b| format!("{b:02x}")).collect()
}

/// SplitMix64: statistically fair, fast, not secret.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// The same seed gives the same sequence.
    pub fn seeded(seed: u64) -> Self {
        Rng(seed)
    }

    /// Seeded from the kernel.
    pub fn from_entropy() -> Self {
        let mut seed = [0u8; 8];
        fill_secret(&mut seed);
        Rng(u64::from_le_bytes(seed))
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `0..bound` (0 when `bound` is 0).
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(bound)) >> 64) as u64
    }
}
