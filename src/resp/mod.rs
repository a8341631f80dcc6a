//! The wire: requests in, replies out. Knows RESP2, RESP3 and Redis's error texts; knows no sockets
//! and no keys.

pub mod args;
pub mod error;
pub mod output;
pub mod reply;
pub mod request;

pub use args::{Args, OwnedArgs, Span};
pub use error::{Error, Redirect};
pub use output::Output;
pub use reply::{Protocol, Reply, encode_push};
pub use request::{Batch, Limits, Parser, Progress, ProtocolError, Sender};
