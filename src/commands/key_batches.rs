//! Commands of many keys: their buckets and records are asked of memory a batch at a time before
//! the first of them is looked up, so that a miss of the cache is waited for once and not per key.

use arrayvec::ArrayVec;

use crate::dispatch::Context;
use crate::keyspace::Key;

/// Keys asked for together: enough to hide a miss, few enough to still be in the cache when used.
const BATCH: usize = 16;

/// Calls `act` with every key among the arguments from the first on, `step` apart, in order, and
/// with the argument's index.
pub(super) fn for_each_key<'a>(
    ctx: &mut Context<'a>,
    step: usize,
    mut act: impl FnMut(&mut Context<'a>, usize, &Key<'a>),
) {
    let mut next = 1;
    while next < ctx.args.len() {
        let batch: ArrayVec<(usize, Key<'a>), BATCH> = (next..ctx.args.len())
            .step_by(step)
            .take(BATCH)
            .map(|index| (index, ctx.key(index)))
            .collect();
        prefetch(ctx, &batch);
        for (index, key) in &batch {
            act(ctx, *index, key);
        }
        next += batch.len() * step;
    }
}

fn prefetch(ctx: &Context<'_>, batch: &[(usize, Key<'_>)]) {
    // One key alone was asked for when its request was parsed.
    if batch.len() > 1 {
        let (keyspace, db) = (&ctx.core.keyspace, ctx.client.db);
        batch.iter().for_each(|(_, key)| keyspace.prefetch_bucket(db, key));
        batch.iter().for_each(|(_, key)| keyspace.prefetch_record(db, key));
    }
}
