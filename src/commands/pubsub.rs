//! Messages: PUBLISH and SPUBLISH. Nobody can subscribe at this node; in a cluster, subscribers of
//! other nodes are reached over the bus.

use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::resp::Error;

/// PUBLISH channel message
pub(super) fn publish(ctx: &mut Context<'_>) -> Result<(), Error> {
    pass_on(ctx, false)
}

/// SPUBLISH shardchannel message
pub(super) fn spublish(ctx: &mut Context<'_>) -> Result<(), Error> {
    pass_on(ctx, true)
}

/// Replies with the number of receivers at this node, as Redis does: those of other nodes do not
/// count.
fn pass_on(ctx: &mut Context<'_>, sharded: bool) -> Result<(), Error> {
    if let Some(cluster) = ctx.core.cluster.as_deref_mut() {
        cluster.publish(sharded, ctx.args.at(1), ctx.args.at(2));
    }
    ctx.client.reply.int(0);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("publish", 3, publish)
        .summary("Sends a message to a channel.")
        .syntax("channel message")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N + M), N subscribers of the channel, M patterns")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .channels(Channels::Publish),
    Command::new("spublish", 3, spublish)
        .summary("Sends a message to a shard channel.")
        .syntax("shardchannel message")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N subscribers of the shard channel")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .channels(Channels::Publish)
        .keys(&[KeySpec::key(1, &[NOT_KEY])]),
];
