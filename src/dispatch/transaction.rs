//! MULTI's queue: running it, dropping it, and what dooms it.

use super::Context;
use super::execute::{call, prepare_known, reply_error};
use crate::core::client::{ClientFlags, Transaction};
use crate::core::{Client, Core};
use crate::resp::Error;

/// Opens a transaction.
pub fn begin(client: &mut Client) {
    client.flags |= ClientFlags::MULTI;
    client.transaction = Some(Box::default());
}

/// Ends a transaction without running it; watched keys are forgotten.
pub fn discard(core: &mut Core, client: &mut Client) {
    take(core, client);
}

/// A gate refused EXEC itself: the transaction is gone, and the reply says why. A client that is to
/// go elsewhere is told so in the words that it understands.
pub fn abort(core: &mut Core, client: &mut Client, cause: &Error) {
    discard(core, client);
    if cause.is_routing() {
        return reply_error(core, client, cause);
    }
    let line = format!("EXECABORT Transaction discarded because of: {cause}");
    reply_error(core, client, &Error::Custom(line.into()));
}

/// Takes the open transaction off the client, with all that belongs to it.
pub fn take(core: &mut Core, client: &mut Client) -> Box<Transaction> {
    client.flags -= ClientFlags::MULTI | ClientFlags::DIRTY_EXEC;
    core.unwatch(client);
    client.transaction.take().unwrap_or_default()
}

/// Runs a queue in order; the replies follow each other in the client's output.
pub fn run(ctx: &mut Context<'_>, open: &Transaction) {
    let (core, client, mut around) = ctx.surroundings();
    let table = around.table;
    client.flags |= ClientFlags::DENY_BLOCKING;
    for queued in &open.queue {
        let args = queued.args.args();
        let entry = table.by_id(queued.command);
        let request = prepare_known(core, entry, args);
        call(core, client, &mut around, entry, &request);
    }
    client.flags -= ClientFlags::DENY_BLOCKING;
}
