//! SYNC and REPLCONF, as far as they are for clients that want a snapshot of the keys: there is no
//! stream of changes for replicas.

use crate::base::limits::NODE_NAME_BYTES_MAX;
use crate::core::Effect;
use crate::core::client::ClientFlags;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::resp::Error;

/// SYNC
pub fn sync(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.client.is(ClientFlags::ANNOUNCED_REPLICA) {
        return Err(Error::NoReplication);
    }
    if ctx.client.reply.output.pending() > 0 {
        return Err(Error::err("SYNC and PSYNC are invalid with pending output"));
    }
    ctx.core.effects.push(Effect::Sync { client: ctx.client.id });
    Ok(())
}

/// REPLCONF option value [option value ...]
pub fn replconf(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.args.len().is_multiple_of(2) {
        return Err(Error::Syntax);
    }
    for index in (1..ctx.args.len()).step_by(2) {
        let (option, value) = (ctx.args.at(index), ctx.args.at(index + 1));
        match option.to_ascii_lowercase().as_slice() {
            b"listening-port" => {
                parse_i64(value)?;
                ctx.client.flags |= ClientFlags::ANNOUNCED_REPLICA;
            }
            b"ip-address" => {
                check_address(value)?;
                ctx.client.flags |= ClientFlags::ANNOUNCED_REPLICA;
            }
            b"capa" => {}
            // Neither has a reply.
            b"ack" | b"getack" => return Ok(()),
            b"rdb-only" => check_rdb_only(value)?,
            b"rdb-filter-only" => return Err(Error::NoReplication),
            _ => {
                let option = String::from_utf8_lossy(option);
                return Err(Error::err(format_args!("Unrecognized REPLCONF option: {option}")));
            }
        }
    }
    ctx.client.reply.ok();
    Ok(())
}

fn check_address(address: &[u8]) -> Result<(), Error> {
    if address.len() <= NODE_NAME_BYTES_MAX {
        return Ok(());
    }
    Err(Error::err(format_args!(
        "REPLCONF ip-address provided by replica instance is too long: {} bytes",
        address.len()
    )))
}

/// Snapshots come without a stream of changes anyway.
fn check_rdb_only(value: &[u8]) -> Result<(), Error> {
    match parse_i64(value)? {
        0 | 1 => Ok(()),
        _ => Err(Error::err("value is out of range, value must between 0 and 1")),
    }
}

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("replconf", -1, replconf)
        .summary("Tells the primary about a replica.")
        .since("3.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE, ALLOW_BUSY])
        .internal(),
    Command::new("sync", 1, sync)
        .summary("Asks for a snapshot of all keys.")
        .since("1.0.0", Group::Server)
        .flags(&[ADMIN, NOSCRIPT, NO_ASYNC_LOADING, NO_MULTI]),
];
