//! From registers to the number of elements: Ertl's improved estimator ("New cardinality estimation
//! algorithms for HyperLogLog sketches", arXiv:1702.01284), with the floating point operations in
//! Redis's order, so that both give the same number. Used by the rest of `hyperloglog`.

use super::{INDEX_BITS, REGISTERS};

/// Values that a register can have in six bits; those that hashes give end with [`RANK_MAX`] + 1.
const VALUES: usize = 64;
/// Bits of a hash that are not its register's index.
const RANK_MAX: usize = 64 - INDEX_BITS;
/// 1 / (2 ln 2)
const ALPHA: f64 = 0.721_347_520_444_481_7;
/// Tables that take turns, so that equal neighbours do not wait for each other.
const TABLES: usize = 8;

/// How many registers have which value.
pub(super) struct Histogram {
    tables: [[u32; VALUES]; TABLES],
}

impl Histogram {
    pub(super) fn new() -> Self {
        Histogram { tables: [[0; VALUES]; TABLES] }
    }

    /// Counts eight registers, a byte each.
    #[inline(always)]
    pub(super) fn add_word(&mut self, word: u64) {
        if word == 0 {
            self.tables[0][0] += 8;
            return;
        }
        for (table, value) in self.tables.iter_mut().zip(word.to_le_bytes()) {
            table[usize::from(value) % VALUES] += 1;
        }
    }

    /// Counts registers of one value.
    pub(super) fn add_run(&mut self, value: u8, registers: usize) {
        self.tables[0][usize::from(value) % VALUES] += registers as u32;
    }

    fn of(&self, value: usize) -> f64 {
        self.tables.iter().map(|table| f64::from(table[value])).sum()
    }

    /// The estimate (Redis: hllCount).
    pub(super) fn estimate(&self) -> u64 {
        let m = REGISTERS as f64;
        let mut z = m * tau((m - self.of(RANK_MAX + 1)) / m);
        for value in (1..=RANK_MAX).rev() {
            z += self.of(value);
            z *= 0.5;
        }
        z += m * sigma(self.of(0) / m);
        let estimate = (ALPHA * m * m / z).round();
        // Only forged registers give more: Redis's conversion of what fits no integer.
        if estimate < i64::MAX as f64 { estimate as u64 } else { 1 << 63 }
    }
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let last = z;
        z += x * y;
        y += y;
        if z == last {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let last = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == last {
            return z / 3.0;
        }
    }
}
