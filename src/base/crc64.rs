//! CRC-64 with the Jones polynomial, as it ends RDB files and DUMP payloads. Called by
//! `persistence` alone.

use crc_fast::CrcAlgorithm;

/// The checksum of bytes that come piece by piece.
#[derive(Clone, Debug)]
pub struct Digest(crc_fast::Digest);

impl Digest {
    /// Of no bytes.
    pub fn new() -> Self {
        Digest(crc_fast::Digest::new(CrcAlgorithm::Crc64Redis))
    }

    /// Makes what is made at the first use of all, so that a child process never waits for a thread
    /// of its parent that was about to make it.
    pub fn prepare() {
        let mut digest = Digest::new();
        digest.update(&[0; 64]);
        std::hint::black_box(digest.checksum());
    }

    /// Further bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far.
    pub fn checksum(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Digest {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of `bytes`.
pub fn checksum(bytes: &[u8]) -> u64 {
    crc_fast::checksum(CrcAlgorithm::Crc64Redis, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        assert_eq!(checksum(b""), 0);
        assert_eq!(checksum(b"123456789"), 0xe9c6_d914_c4b8_d9ca);
        let mut digest = Digest::new();
        [&b"12"[..], b"", b"3456789"].into_iter().for_each(|piece| digest.update(piece));
        assert_eq!(digest.checksum(), checksum(b"123456789"));
    }

    /// Bit by bit, as the polynomial is defined: long inputs take other paths than short ones.
    #[test]
    fn equals_the_definition_at_every_length() {
        const REFLECTED: u64 = 0x95ac_9329_ac4b_c9b5;
        let bytes: Vec<u8> = (0..1000u32).map(|i| ((i * i) >> 3) as u8).collect();
        let mut crc = 0u64;
        for (index, &byte) in bytes.iter().enumerate() {
            assert_eq!(checksum(&bytes[..index]), crc, "{index} bytes");
            crc ^= u64::from(byte);
            for _ in 0..8 {
                crc = (crc >> 1) ^ if crc & 1 == 1 { REFLECTED } else { 0 };
            }
        }
    }
}
