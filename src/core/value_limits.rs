//! Up to where values keep their small encodings, as the directives say. For the commands, for
//! RESTORE and for loading files.

use super::Core;
use crate::persistence::rdb::ReadLimits;
use crate::value::{hash, list, set, stream, zset};

/// How lists are cut into nodes.
#[inline]
pub fn of_lists(core: &Core) -> list::Limits {
    list::Limits {
        fill: core.config.list_max_listpack_size,
        compress_depth: core.config.list_compress_depth,
        large_bytes: core.debug.list_large_bytes,
    }
}

/// Up to where a set is something smaller than a hash table.
#[inline]
pub fn of_sets(core: &Core) -> set::Limits {
    set::Limits {
        intset_entries: core.config.set_max_intset_entries,
        listpack_entries: core.config.set_max_listpack_entries,
        listpack_value: core.config.set_max_listpack_value,
    }
}

/// Up to where a hash is a listpack.
#[inline]
pub fn of_hashes(core: &Core) -> hash::Limits {
    hash::Limits {
        entries: core.config.hash_max_listpack_entries,
        value_bytes: core.config.hash_max_listpack_value,
    }
}

/// Up to where a stream's entries are added to the same node.
#[inline]
pub fn of_streams(core: &Core) -> stream::Limits {
    stream::Limits {
        node_bytes: core.config.stream_node_max_bytes,
        node_entries: core.config.stream_node_max_entries,
    }
}

/// Up to where a sorted set is a listpack.
#[inline]
pub fn of_zsets(core: &Core) -> zset::Limits {
    zset::Limits {
        entries: core.config.zset_max_listpack_entries,
        value_bytes: core.config.zset_max_listpack_value,
    }
}

/// What is accepted of values that are read, whose strings may have so many bytes, and whether more
/// is than Redis accepts that was told to look (sanitize-dump-payload).
pub fn of_reading(core: &Core, string_bytes_max: usize, repeats: bool) -> ReadLimits {
    ReadLimits {
        string_bytes_max,
        repeats,
        set: of_sets(core),
        hash: of_hashes(core),
        list: of_lists(core),
        zset: of_zsets(core),
    }
}
