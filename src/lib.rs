#![doc = include_str!("architecture.md")]
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod base;
pub mod cluster;
pub mod commands;
pub mod config;
pub mod core;
pub mod data;
pub mod dispatch;
pub mod keyspace;
pub mod node;
pub mod persistence;
pub mod resp;
pub mod scripting;
pub mod value;

pub use config::Config;
pub use node::{Handle, Server};

/// The examples of README.md, compiled and run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
