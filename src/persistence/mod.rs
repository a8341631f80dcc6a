//! Values as bytes outside of the process: the RDB encoding and what is built of it. Knows values
//! and byte slices; files, sockets and keys' places are the business of others.

pub mod check_rdb;
pub mod dump;
pub mod rdb;
