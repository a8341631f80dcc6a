//! Tests of the state machine with a few nodes in memory.

mod net;

mod claims;
mod failures;
mod heartbeats;
mod hostile;
mod members;
mod names;
mod votes;
