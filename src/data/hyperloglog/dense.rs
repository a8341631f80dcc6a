//! The dense form: 16384 registers of six bits, one after the other from the lowest bit of the
//! first byte on. Used by the rest of `hyperloglog`; knows no header.

use super::REGISTERS;

/// Bits of one register.
const WIDTH: usize = 6;
/// The greatest value of a register.
const MAX: u8 = (1 << WIDTH) - 1;
/// Bytes of all registers.
pub(super) const BYTES: usize = REGISTERS * WIDTH / 8;
/// Bytes that are taken apart together: four words of eight registers.
const GROUP_BYTES: usize = 24;
const GROUP_WORDS: usize = 4;
/// Eight registers, close together.
const PACKED: u64 = (1 << (8 * WIDTH)) - 1;

const _: () = assert!(BYTES.is_multiple_of(GROUP_BYTES));

/// A register's value.
pub(super) fn get(packed: &[u8], index: usize) -> u8 {
    let (at, shift) = place(index);
    (pair(packed, at) >> shift) as u8 & MAX
}

/// Raises a register to a value; whether it was lower.
pub(super) fn raise(packed: &mut [u8], index: usize, value: u8) -> bool {
    let raised = get(packed, index) < value;
    if raised {
        set(packed, index, value);
    }
    raised
}

/// Sets a register.
pub(super) fn set(packed: &mut [u8], index: usize, value: u8) {
    let (at, shift) = place(index);
    let others = pair(packed, at) & !(u16::from(MAX) << shift);
    let [low, high] = (others | u16::from(value & MAX) << shift).to_le_bytes();
    packed[at] = low;
    // The last register ends with the last byte.
    if let Some(byte) = packed.get_mut(at + 1) {
        *byte = high;
    }
}

fn place(index: usize) -> (usize, usize) {
    (index * WIDTH / 8, index * WIDTH % 8)
}

fn pair(packed: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([packed[at], packed.get(at + 1).copied().unwrap_or(0)])
}

/// Calls `visit` with all registers in order, four times eight at once, a byte each, the first one
/// in the lowest byte.
#[inline(always)]
pub(super) fn for_each_group(packed: &[u8], mut visit: impl FnMut(usize, [u64; GROUP_WORDS])) {
    let (groups, _) = packed.as_chunks::<GROUP_BYTES>();
    for (index, group) in groups.iter().enumerate() {
        let (thirds, _) = group.as_chunks::<8>();
        let [a, b, c] = [thirds[0], thirds[1], thirds[2]].map(u64::from_le_bytes);
        let words = [a, a >> 48 | b << 16, b >> 32 | c << 32, c >> 16];
        visit(index, words.map(|word| spread(word & PACKED)));
    }
}

/// Writes all registers, given a byte each.
pub(super) fn pack(registers: &[u8; REGISTERS], packed: &mut [u8]) {
    let (groups, _) = packed.as_chunks_mut::<GROUP_BYTES>();
    let (sources, _) = registers.as_chunks::<{ 8 * GROUP_WORDS }>();
    for (group, source) in groups.iter_mut().zip(sources) {
        let (words, _) = source.as_chunks::<8>();
        let [a, b, c, d] =
            [words[0], words[1], words[2], words[3]].map(|word| gather(u64::from_le_bytes(word)));
        let thirds = [a | b << 48, b >> 16 | c << 32, c >> 32 | d << 16];
        let (places, _) = group.as_chunks_mut::<8>();
        places.iter_mut().zip(thirds).for_each(|(place, third)| *place = third.to_le_bytes());
    }
}

/// From six bits per register to eight: halves move apart, then quarters, then eighths.
#[inline(always)]
fn spread(packed: u64) -> u64 {
    let halves = packed & 0xFF_FFFF | (packed & 0xFFFF_FF00_0000) << 8;
    let quarters = halves & 0xFFF_0000_0FFF | (halves & 0xFF_F000_00FF_F000) << 4;
    quarters & 0x3F_003F_003F_003F | (quarters & 0xFC0_0FC0_0FC0_0FC0) << 2
}

/// From eight bits per register to six, the inverse of [`spread`].
#[inline(always)]
fn gather(spread: u64) -> u64 {
    let quarters = spread & 0x3F_003F_003F_003F | (spread & 0x3F00_3F00_3F00_3F00) >> 2;
    let halves = quarters & 0xFFF_0000_0FFF | (quarters & 0xFFF_0000_0FFF_0000) >> 4;
    halves & 0xFF_FFFF | (halves & 0xFF_FFFF_0000_0000) >> 8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn registers_do_not_touch_each_other() {
        let mut rng = Rng::seeded(1);
        let mut packed = vec![0; BYTES];
        let mut model = [0; REGISTERS];
        for _ in 0..50_000 {
            let (index, value) = (rng.below(REGISTERS as u64) as usize, rng.below(64) as u8);
            if rng.below(2) == 0 {
                set(&mut packed, index, value);
                model[index] = value;
            } else {
                assert_eq!(raise(&mut packed, index, value), model[index] < value);
                model[index] = model[index].max(value);
            }
        }
        assert!((0..REGISTERS).all(|index| get(&packed, index) == model[index]));
        let mut seen = Vec::new();
        for_each_group(&packed, |_, words| {
            words.iter().for_each(|word| seen.extend_from_slice(&word.to_le_bytes()));
        });
        assert_eq!(seen, model);
        let mut again = vec![0xFF; BYTES];
        pack(&model, &mut again);
        assert_eq!(again, packed);
    }
}
