//! Small and pure: limits, time, randomness, hashing, numbers, patterns, checksums. Everything may
//! use it; it uses nothing of ours.

pub mod alloc;
pub mod clock;
pub mod crc64;
pub mod glob;
mod grisu;
pub mod hash;
pub mod limits;
pub mod long_double;
pub mod lzf;
pub mod numbers;
pub mod rng;
pub mod text;
