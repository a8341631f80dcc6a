//! SAVE, BGSAVE and LASTSAVE. They decide what may be done; the node does it, and replies.

use crate::core::Effect;
use crate::core::client::ClientFlags;
use crate::dispatch::Context;
use crate::dispatch::command::Categories;
use crate::dispatch::declare::*;
use crate::resp::Error;

const IN_PROGRESS: &str = "Background save already in progress";

/// SAVE
pub fn save(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.core.snapshots.child.is_some() {
        return Err(Error::err(IN_PROGRESS));
    }
    ctx.core.effects.push(Effect::Save { client: ctx.client.id });
    Ok(())
}

/// BGSAVE [SCHEDULE]
pub fn bgsave(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut options = ctx.cursor(1);
    // A snapshot is the only thing that children are made for: SCHEDULE has nothing to wait for.
    options.take_word("SCHEDULE");
    if options.remaining() > 0 {
        return Err(Error::Syntax);
    }
    if ctx.core.snapshots.child.is_some() {
        return Err(Error::err(IN_PROGRESS));
    }
    if ctx.client.is(ClientFlags::DENY_BLOCKING) {
        // Not in the middle of a transaction.
        ctx.core.snapshots.scheduled = true;
        ctx.client.reply.simple("Background saving scheduled");
    } else {
        ctx.core.effects.push(Effect::BackgroundSave { client: ctx.client.id });
    }
    Ok(())
}

/// LASTSAVE
pub fn lastsave(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.int(ctx.core.snapshots.last_save_s as i64);
    Ok(())
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("bgsave", -1, bgsave)
        .summary("Saves all keys to disk in the background.")
        .syntax("[SCHEDULE]@3.2.2")
        .since("1.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING]),
    Command::new("lastsave", 1, lastsave)
        .summary("Gives the Unix time of the last save that succeeded.")
        .since("1.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .categories(&[Categories::ADMIN, DANGEROUS])
        .tips(&["nondeterministic_output"]),
    Command::new("save", 1, save)
        .summary("Saves all keys to disk while everybody waits.")
        .since("1.0.0", Group::Server)
        .complexity("O(N), N keys of all databases")
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI]),
];
