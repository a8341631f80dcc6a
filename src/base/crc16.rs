//! CRC-16/XMODEM, which decides the slot of a key: polynomial 0x1021, no reflection, from zero.
//! Eight bytes at a time by eight independent look-ups, since every key of every request of a
//! cluster comes through here, and byte by byte each step would wait for the one before.

const POLYNOMIAL: u16 = 0x1021;

/// How many bytes one step takes.
const STEP: usize = 8;

/// `TABLES[n][b]`: what byte `b` adds to the checksum when `n` more bytes follow it in its step.
static TABLES: [[u16; 256]; STEP] = tables();

const fn tables() -> [[u16; 256]; STEP] {
    let mut tables = [[0; 256]; STEP];
    let mut byte = 0;
    while byte < 256 {
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            let carry = crc & 0x8000 != 0;
            crc = if carry { (crc << 1) ^ POLYNOMIAL } else { crc << 1 };
            bit += 1;
        }
        tables[0][byte] = crc;
        byte += 1;
    }
    let mut following = 1;
    while following < STEP {
        let mut byte = 0;
        while byte < 256 {
            let before = tables[following - 1][byte];
            tables[following][byte] = (before << 8) ^ tables[0][(before >> 8) as usize];
            byte += 1;
        }
        following += 1;
    }
    tables
}

/// The checksum of `bytes`.
#[inline]
pub fn crc16(bytes: &[u8]) -> u16 {
    let (steps, rest) = bytes.as_chunks::<STEP>();
    let mut crc = 0;
    for &step in steps {
        crc = whole_step(crc, step);
    }
    for &byte in rest {
        crc = (crc << 8) ^ TABLES[0][usize::from((crc >> 8) as u8 ^ byte)];
    }
    crc
}

#[inline]
fn whole_step(crc: u16, [a, b, c, d, e, f, g, h]: [u8; STEP]) -> u16 {
    let [high, low] = crc.to_be_bytes();
    let at = |following: usize, byte: u8| TABLES[following][usize::from(byte)];
    let first = at(7, a ^ high) ^ at(6, b ^ low) ^ at(5, c) ^ at(4, d);
    first ^ at(3, e) ^ at(2, f) ^ at(1, g) ^ at(0, h)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    #[test]
    fn known_checksums() {
        assert_eq!(crc16(b""), 0);
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(crc16(b"foo"), 0xAF96);
    }

    #[test]
    fn every_length_agrees_with_the_reference() {
        let mut rng = Rng::seeded(1);
        for length in 0..100 {
            let bytes: Vec<u8> = (0..length).map(|_| rng.below(256) as u8).collect();
            let expected = crc16::State::<crc16::XMODEM>::calculate(&bytes);
            assert_eq!(crc16(&bytes), expected, "{bytes:?}");
        }
    }
}
