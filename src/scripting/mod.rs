//! Lua for scripts and functions: the interpreter, the globals that scripts see, what values mean
//! in replies, and the caches of scripts and of function libraries. `core` keeps the state of a
//! node in [`Scripts`], `dispatch::scripts` runs it and is its [`Host`]. Nothing here knows a
//! command, a client or a key; a script reaches them only through its host.

mod api;
mod arguments;
mod bit;
mod checks;
mod cjson;
mod cmsgpack;
pub mod digest;
mod engine;
mod from_reply;
pub mod header;
mod host;
pub mod libraries;
mod math;
mod raise;
mod run;
mod state;
mod structs;
#[cfg(test)]
mod tests;
mod to_reply;

pub use engine::{Engine, Kind, Script, Version};
pub use header::ScriptFlags;
pub use host::{Host, Refusal, Tick};
pub use run::{Failure, Finished, Given};
pub use state::{Busy, Running, Scripts};
pub use to_reply::{ReturnedError, write_reply};
