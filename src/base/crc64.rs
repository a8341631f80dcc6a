//! CRC-64 with the Jones polynomial, as it ends RDB files and DUMP payloads. Called by
//! `persistence` alone.

use crc_fast::CrcAlgorithm;

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
