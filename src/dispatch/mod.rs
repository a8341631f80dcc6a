//! From a request's arguments to its handler: the command table, the gates, the call, and what
//! follows it. Knows no command by name; properties of commands are flags in their declaration.

pub mod admit;
pub mod blocked;
pub mod command;
pub mod context;
pub mod cursor;
pub mod declare;
pub mod execute;
pub mod find_keys;
pub mod keyspec;
pub mod monitor;
pub mod outside;
pub mod registry;
pub mod route;
pub mod scripts;
pub mod syntax;
mod tracking;
pub mod transaction;

pub use command::Command;
pub use context::Context;
pub use cursor::Cursor;
pub use outside::{Around, Outside};
pub use registry::{Registered, Table};
