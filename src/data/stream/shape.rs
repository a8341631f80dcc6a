//! The shape of the radix tree in which Redis keeps a stream's nodes, which XINFO tells: how many
//! nodes that tree has follows from its keys. Called by the log alone.

/// Bytes of a key.
const KEY_BYTES: u32 = u128::BITS / 8;

/// The nodes of the tree of these keys, which ascend.
pub(super) fn radix_nodes(keys: &[u128]) -> usize {
    if keys.is_empty() { 1 } else { nodes_below(keys, 0) }
}

/// The nodes of the subtree of keys that are the same up to a byte: one for what they go on to have
/// in common, one where they part or end.
fn nodes_below(keys: &[u128], depth: u32) -> usize {
    let (Some(first), Some(last)) = (keys.first(), keys.last()) else { return 0 };
    let common = (first ^ last).leading_zeros() / 8;
    let mut nodes = 1 + usize::from(common > depth);
    if common < KEY_BYTES {
        let shift = u128::BITS - 8 * (common + 1);
        let children = keys.chunk_by(|a, b| (a >> shift) == (b >> shift));
        nodes += children.map(|child| nodes_below(child, common + 1)).sum::<usize>();
    }
    nodes
}
