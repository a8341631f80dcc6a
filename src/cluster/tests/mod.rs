//! Tests of the state machine with a few nodes in memory.

mod net;

mod members;
