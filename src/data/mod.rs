//! Data structures without knowledge of commands or of the keyspace. Values and the keyspace build
//! on them; nothing in here may import from rooms other than `base`.

pub mod bits;
pub mod geohash;
pub mod hashtable;
pub mod hyperloglog;
pub mod intset;
pub mod listpack;
pub mod prefetch;
pub mod quicklist;
pub mod sorted_index;
pub mod stream;
pub mod thin;
