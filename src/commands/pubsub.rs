//! Channels and patterns: subscribing to them, publishing to them, and what PUBSUB tells of them.
//! Who is subscribed, and how messages reach them, is `core::pubsub`'s; messages for subscribers of
//! other nodes are handed to the cluster.

use crate::core::pubsub::Kind;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::resp::Error;

/// SUBSCRIBE channel [channel …]
pub fn subscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    subscribe_to(ctx, Kind::Channel)
}

/// PSUBSCRIBE pattern [pattern …]
pub fn psubscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    subscribe_to(ctx, Kind::Pattern)
}

/// SSUBSCRIBE shardchannel [shardchannel …]. Unlike its siblings it is refused within a
/// transaction, where each command must have one reply.
pub fn ssubscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    if !ctx.may_block() {
        return Err(Error::err("SSUBSCRIBE isn't allowed for a DENY BLOCKING client"));
    }
    subscribe_to(ctx, Kind::Shard)
}

/// The words of a reply about subscriptions of a kind.
struct Words {
    subscribe: &'static [u8],
    unsubscribe: &'static [u8],
}

fn words(kind: Kind) -> Words {
    match kind {
        Kind::Channel => Words { subscribe: b"subscribe", unsubscribe: b"unsubscribe" },
        Kind::Pattern => Words { subscribe: b"psubscribe", unsubscribe: b"punsubscribe" },
        Kind::Shard => Words { subscribe: b"ssubscribe", unsubscribe: b"sunsubscribe" },
    }
}

/// What is pushed for each name is all the reply there is.
fn subscribe_to(ctx: &mut Context<'_>, kind: Kind) -> Result<(), Error> {
    let done = words(kind).subscribe;
    for name in ctx.args.iter_from(1) {
        let pubsub = &mut ctx.core.pubsub;
        pubsub.subscribe(ctx.client.token, kind, name);
        let count = pubsub.counts(ctx.client.token).told(kind);
        ctx.client.reply.subscription(done, Some(name), count);
    }
    ctx.core.subscriptions_changed(ctx.client);
    Ok(())
}

/// UNSUBSCRIBE [channel …]
pub fn unsubscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    unsubscribe_from(ctx, Kind::Channel)
}

/// PUNSUBSCRIBE [pattern …]
pub fn punsubscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    unsubscribe_from(ctx, Kind::Pattern)
}

/// SUNSUBSCRIBE [shardchannel …]
pub fn sunsubscribe(ctx: &mut Context<'_>) -> Result<(), Error> {
    unsubscribe_from(ctx, Kind::Shard)
}

fn unsubscribe_from(ctx: &mut Context<'_>, kind: Kind) -> Result<(), Error> {
    let done = words(kind).unsubscribe;
    let token = ctx.client.token;
    if ctx.args.len() > 1 {
        for name in ctx.args.iter_from(1) {
            ctx.core.pubsub.unsubscribe(token, kind, name);
            let count = ctx.core.pubsub.counts(token).told(kind);
            ctx.client.reply.subscription(done, Some(name), count);
        }
    } else {
        let mut any = false;
        while let Some(name) = ctx.core.pubsub.unsubscribe_any(token, kind) {
            let count = ctx.core.pubsub.counts(token).told(kind);
            ctx.client.reply.subscription(done, Some(&name), count);
            any = true;
        }
        if !any {
            let count = ctx.core.pubsub.counts(token).told(kind);
            ctx.client.reply.subscription(done, None, count);
        }
    }
    ctx.core.subscriptions_changed(ctx.client);
    Ok(())
}

/// PUBLISH channel message
pub fn publish(ctx: &mut Context<'_>) -> Result<(), Error> {
    publish_to(ctx, false)
}

/// SPUBLISH shardchannel message
pub fn spublish(ctx: &mut Context<'_>) -> Result<(), Error> {
    publish_to(ctx, true)
}

/// Replies with the number of receivers at this node, as Redis does: those of other nodes do not
/// count.
fn publish_to(ctx: &mut Context<'_>, sharded: bool) -> Result<(), Error> {
    let (channel, message) = (ctx.args.at(1), ctx.args.at(2));
    let running = Some(ctx.client.push_protocol());
    let receivers = ctx.core.publish(running, sharded, channel, message);
    if let Some(cluster) = ctx.core.cluster.as_deref_mut() {
        cluster.publish(sharded, channel, message);
    }
    ctx.client.reply.int(receivers as i64);
    Ok(())
}

/// PUBSUB CHANNELS [pattern]
pub fn pubsub_channels(ctx: &mut Context<'_>) -> Result<(), Error> {
    list_channels(ctx, Kind::Channel)
}

/// PUBSUB SHARDCHANNELS [pattern]
pub fn pubsub_shardchannels(ctx: &mut Context<'_>) -> Result<(), Error> {
    list_channels(ctx, Kind::Shard)
}

fn list_channels(ctx: &mut Context<'_>, kind: Kind) -> Result<(), Error> {
    if ctx.args.len() > 3 {
        return Err(Error::subcommand_syntax("pubsub", ctx.args.at(1)));
    }
    let reply = &mut ctx.client.reply;
    let list = reply.array_deferred();
    let mut count = 0;
    for name in ctx.core.pubsub.names(kind, ctx.args.get(2)) {
        reply.bulk(name);
        count += 1;
    }
    reply.end(list, count);
    Ok(())
}

/// PUBSUB NUMSUB [channel …]
pub fn pubsub_numsub(ctx: &mut Context<'_>) -> Result<(), Error> {
    count_subscribers(ctx, Kind::Channel)
}

/// PUBSUB SHARDNUMSUB [shardchannel …]
pub fn pubsub_shardnumsub(ctx: &mut Context<'_>) -> Result<(), Error> {
    count_subscribers(ctx, Kind::Shard)
}

fn count_subscribers(ctx: &mut Context<'_>, kind: Kind) -> Result<(), Error> {
    let reply = &mut ctx.client.reply;
    reply.array((ctx.args.len() - 2) * 2);
    for name in ctx.args.iter_from(2) {
        reply.bulk(name);
        reply.int(ctx.core.pubsub.receivers(kind, name) as i64);
    }
    Ok(())
}

/// PUBSUB NUMPAT
pub fn pubsub_numpat(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.core.pubsub.len(Kind::Pattern) as i64);
    Ok(())
}

/// PUBSUB HELP
pub fn pubsub_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help("PUBSUB", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "CHANNELS [<pattern>]",
    "    Return the currently active channels matching a <pattern> (default: '*').",
    "NUMPAT",
    "    Return number of subscriptions to patterns.",
    "NUMSUB [<channel> ...]",
    "    Return the number of subscribers for the specified channels, excluding",
    "    pattern subscriptions(default: no channels).",
    "SHARDCHANNELS [<pattern>]",
    "    Return the currently active shard level channels matching a <pattern> (default: '*').",
    "SHARDNUMSUB [<shardchannel> ...]",
    "    Return the number of subscribers for the specified shard level channel(s)",
];

const PUBSUB_SUBCOMMANDS: &[Command] = &[
    Command::new("pubsub|channels", -2, pubsub_channels)
        .summary("Lists the channels that have subscribers.")
        .syntax("[pattern]")
        .since("2.8.0", Group::PubSub)
        .complexity("O(N), N channels with subscribers")
        .flags(&[PUBSUB, LOADING, STALE]),
    Command::new("pubsub|help", 2, pubsub_help)
        .summary("Describes the subcommands.")
        .since("6.2.0", Group::PubSub)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("pubsub|numpat", 2, pubsub_numpat)
        .summary("Counts the patterns that have subscribers.")
        .since("2.8.0", Group::PubSub)
        .complexity("O(1)")
        .flags(&[PUBSUB, LOADING, STALE]),
    Command::new("pubsub|numsub", -2, pubsub_numsub)
        .summary("Counts the subscribers of channels.")
        .syntax("[channel...]")
        .since("2.8.0", Group::PubSub)
        .complexity("O(N), N channels that are named")
        .flags(&[PUBSUB, LOADING, STALE]),
    Command::new("pubsub|shardchannels", -2, pubsub_shardchannels)
        .summary("Lists the shard channels that have subscribers.")
        .syntax("[pattern]")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N shard channels with subscribers")
        .flags(&[PUBSUB, LOADING, STALE]),
    Command::new("pubsub|shardnumsub", -2, pubsub_shardnumsub)
        .summary("Counts the subscribers of shard channels.")
        .syntax("[shardchannel...]")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N shard channels that are named")
        .flags(&[PUBSUB, LOADING, STALE]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("psubscribe", -2, psubscribe)
        .summary("Listens to all channels that match patterns.")
        .syntax("pattern...")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N), N patterns that are named")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::SubscribePatterns),
    Command::new("publish", 3, publish)
        .summary("Sends a message to a channel.")
        .syntax("channel message")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N + M), N subscribers of the channel, M patterns")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .channels(Channels::Publish),
    Command::container("pubsub", PUBSUB_SUBCOMMANDS)
        .summary("Container of commands about channels and their subscribers.")
        .since("2.8.0", Group::PubSub)
        .complexity("Depends on the subcommand"),
    Command::new("punsubscribe", -1, punsubscribe)
        .summary("Stops listening to channels that match patterns.")
        .syntax("[pattern...]")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N), N patterns that are given up")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::Unsubscribe),
    Command::new("spublish", 3, spublish)
        .summary("Sends a message to a shard channel.")
        .syntax("shardchannel message")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N subscribers of the shard channel")
        .flags(&[PUBSUB, LOADING, STALE, FAST, MAY_REPLICATE])
        .channels(Channels::Publish)
        .keys(&[KeySpec::key(1, &[NOT_KEY])]),
    Command::new("ssubscribe", -2, ssubscribe)
        .summary("Listens to shard channels.")
        .syntax("shardchannel...")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N shard channels that are named")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::Subscribe)
        .keys(&[KeySpec::range(1, -1, 1, &[NOT_KEY])]),
    Command::new("subscribe", -2, subscribe)
        .summary("Listens to channels.")
        .syntax("channel...")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N), N channels that are named")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::Subscribe),
    Command::new("sunsubscribe", -1, sunsubscribe)
        .summary("Stops listening to shard channels.")
        .syntax("[shardchannel...]")
        .since("7.0.0", Group::PubSub)
        .complexity("O(N), N shard channels that are given up")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::Unsubscribe)
        .keys(&[KeySpec::range(1, -1, 1, &[NOT_KEY])]),
    Command::new("unsubscribe", -1, unsubscribe)
        .summary("Stops listening to channels.")
        .syntax("[channel...]")
        .since("2.0.0", Group::PubSub)
        .complexity("O(N), N channels that are given up")
        .flags(&[PUBSUB, NOSCRIPT, LOADING, STALE, SUBSCRIBER])
        .channels(Channels::Unsubscribe),
];
