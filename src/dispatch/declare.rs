//! What a family's `COMMANDS` table is written with: `use crate::dispatch::declare::*;`. Names of
//! flags, categories and key uses as bare words; nothing else may be added here.

pub use super::command::{Channels, Command, Group};
pub use super::find_keys;
pub use super::keyspec::KeySpec;

use super::command::{Categories, Flags};
use super::keyspec::KeyFlags;

macro_rules! words {
    ($kind:ident: $($word:ident)*) => {
        $(#[allow(missing_docs)] pub const $word: $kind = $kind::$word;)*
    };
}

words!(Flags: WRITE READONLY DENYOOM ADMIN PUBSUB NOSCRIPT BLOCKING LOADING STALE SKIP_MONITOR
    SKIP_SLOWLOG ASKING FAST NO_AUTH MAY_REPLICATE NO_MANDATORY_KEYS PROTECTED NO_ASYNC_LOADING
    NO_MULTI ALLOW_BUSY TOUCHES_ARBITRARY_KEYS RUNS_IN_MULTI RUNS_QUEUE MOVES_KEYS SAYS_ASKING
    TELLS_DISK_ERRORS SUBSCRIBER RUNS_TEXT RUNS_NAMED RUNS_FUNCTION);

words!(Categories: KEYSPACE SET SORTEDSET LIST HASH STRING BITMAP HYPERLOGLOG GEO STREAM DANGEROUS
    CONNECTION TRANSACTION SCRIPTING);

words!(KeyFlags: RO RW OW RM ACCESS UPDATE INSERT DELETE NOT_KEY INCOMPLETE VARIABLE_FLAGS);
