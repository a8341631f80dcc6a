//! Subcommands of CLUSTER that change the cluster: slots, moves, nodes, epochs. They only parse;
//! what is allowed is decided by the operations of `cluster::admin`.

use super::{FIRST, change, refused, wrong_shape};
use crate::base::limits::SLOTS;
use crate::cluster::{AdminError, FailoverKind, HandshakeError, ResetKind, SlotChange};
use crate::core::Effect;
use crate::core::client::ClientFlags;
use crate::core::cluster_settings::BUS_PORT_OFFSET;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::keyspace::Slot;
use crate::resp::{Args, Error};

fn parse_slot(arg: &[u8]) -> Result<Slot, AdminError> {
    let slot = parse_i64(arg).ok().and_then(|n| u16::try_from(n).ok());
    slot.filter(|&n| usize::from(n) < SLOTS).map(Slot).ok_or(AdminError::InvalidSlot)
}

/// Slots one by one. All of them must be slots before any of them is looked at.
fn parse_slots(args: Args<'_>) -> Result<Vec<Slot>, AdminError> {
    args.iter_from(FIRST).map(parse_slot).collect()
}

/// Each slot as a range of its own.
fn ranges_of(slots: Vec<Slot>) -> impl Iterator<Item = Result<(Slot, Slot), AdminError>> {
    slots.into_iter().map(|slot| Ok((slot, slot)))
}

/// Ranges, each looked at before the next is read.
fn parse_ranges(
    args: Args<'_>,
) -> impl Iterator<Item = Result<(Slot, Slot), AdminError>> + use<'_> {
    (FIRST..args.len()).step_by(2).map(move |at| {
        let start = parse_slot(args.at(at))?;
        Ok((start, parse_slot(args.at(at + 1))?))
    })
}

fn check_pairs(ctx: &Context<'_>) -> Result<(), Error> {
    let paired = ctx.args.len().is_multiple_of(2);
    if paired { Ok(()) } else { Err(Error::WrongArity(ctx.command.full_name.into())) }
}

/// CLUSTER ADDSLOTS slot [slot …]
pub fn cluster_addslots(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = ctx.args;
    change(ctx, |cluster, _| cluster.add_slots(ranges_of(parse_slots(args)?)))
}

/// CLUSTER ADDSLOTSRANGE start end [start end …]
pub fn cluster_addslotsrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    check_pairs(ctx)?;
    let args = ctx.args;
    change(ctx, |cluster, _| cluster.add_slots(parse_ranges(args)))
}

/// CLUSTER DELSLOTS slot [slot …]
pub fn cluster_delslots(ctx: &mut Context<'_>) -> Result<(), Error> {
    let args = ctx.args;
    change(ctx, |cluster, _| cluster.del_slots(ranges_of(parse_slots(args)?)))
}

/// CLUSTER DELSLOTSRANGE start end [start end …]
pub fn cluster_delslotsrange(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    check_pairs(ctx)?;
    let args = ctx.args;
    change(ctx, |cluster, _| cluster.del_slots(parse_ranges(args)))
}

/// CLUSTER FLUSHSLOTS
pub fn cluster_flushslots(ctx: &mut Context<'_>) -> Result<(), Error> {
    change(ctx, |cluster, env| cluster.flush_slots(env))
}

/// CLUSTER SETSLOT slot MIGRATING node | IMPORTING node | STABLE | NODE node
pub fn cluster_setslot(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?.check_set_slot().map_err(refused)?;
    let slot = parse_slot(ctx.args.at(FIRST)).map_err(refused)?;
    let is = |word: &str| ctx.args.at(FIRST + 1).eq_ignore_ascii_case(word.as_bytes());
    let wanted = match ctx.args.get(FIRST + 2).filter(|_| ctx.args.len() == FIRST + 3) {
        Some(node) if is("MIGRATING") => SlotChange::Migrating(node),
        Some(node) if is("IMPORTING") => SlotChange::Importing(node),
        Some(node) if is("NODE") => SlotChange::Node(node),
        None if is("STABLE") && ctx.args.len() == FIRST + 2 => SlotChange::Stable,
        _ => {
            return Err(Error::err(
                "Invalid CLUSTER SETSLOT action or number of arguments. Try CLUSTER HELP",
            ));
        }
    };
    change(ctx, |cluster, env| cluster.set_slot(slot, wanted, env))
}

/// CLUSTER MEET ip port [bus-port]
pub fn cluster_meet(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    if ctx.args.len() > FIRST + 3 {
        return Err(wrong_shape(ctx));
    }
    let (ip, port) = (ctx.args.at(FIRST), ctx.args.at(FIRST + 1));
    let number = parse_port(port, "base")?;
    let bus_number = match ctx.args.get(FIRST + 2) {
        Some(bus_port) => parse_port(bus_port, "bus")?,
        None => number.saturating_add(BUS_PORT_OFFSET.into()),
    };
    change(ctx, |cluster, env| {
        let invalid = || AdminError::InvalidAddress { ip: ip.into(), port: port.into() };
        let (Ok(number), Ok(bus_number)) = (number.try_into(), bus_number.try_into()) else {
            return Err(invalid());
        };
        let text = std::str::from_utf8(ip).map_err(|_| invalid())?;
        match cluster.start_handshake(text, number, bus_number, env.now_ms) {
            Ok(()) | Err(HandshakeError::AlreadyUnderWay) => Ok(()),
            Err(HandshakeError::InvalidAddress) => Err(invalid()),
        }
    })
}

fn parse_port(arg: &[u8], kind: &str) -> Result<i64, Error> {
    parse_i64(arg).map_err(|_| {
        let shown = String::from_utf8_lossy(arg);
        Error::err(format_args!("Invalid {kind} port specified: {shown}"))
    })
}

/// CLUSTER FORGET node
pub fn cluster_forget(ctx: &mut Context<'_>) -> Result<(), Error> {
    let node = ctx.args.at(FIRST);
    change(ctx, |cluster, env| cluster.forget(node, env.now_ms))
}

/// CLUSTER RESET [HARD | SOFT]
pub fn cluster_reset(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    let kind = match option(ctx)? {
        None => ResetKind::Soft,
        Some(word) if word.eq_ignore_ascii_case(b"SOFT") => ResetKind::Soft,
        Some(word) if word.eq_ignore_ascii_case(b"HARD") => ResetKind::Hard,
        Some(_) => return Err(Error::Syntax),
    };
    change(ctx, |cluster, env| cluster.reset(kind, env))
}

/// CLUSTER REPLICATE node
pub fn cluster_replicate(ctx: &mut Context<'_>) -> Result<(), Error> {
    let node = ctx.args.at(FIRST);
    change(ctx, |cluster, env| cluster.replicate(node, env))
}

/// CLUSTER FAILOVER [FORCE | TAKEOVER]
pub fn cluster_failover(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    let kind = match option(ctx)? {
        None => FailoverKind::Plain,
        Some(word) if word.eq_ignore_ascii_case(b"FORCE") => FailoverKind::Force,
        Some(word) if word.eq_ignore_ascii_case(b"TAKEOVER") => FailoverKind::Takeover,
        Some(_) => return Err(Error::Syntax),
    };
    change(ctx, |cluster, _| cluster.failover(kind))
}

/// The one argument that RESET and FAILOVER may have.
fn option<'a>(ctx: &Context<'a>) -> Result<Option<&'a [u8]>, Error> {
    if ctx.args.len() > FIRST + 1 { Err(wrong_shape(ctx)) } else { Ok(ctx.args.get(FIRST)) }
}

/// CLUSTER SET-CONFIG-EPOCH epoch
pub fn cluster_set_config_epoch(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    let epoch = parse_i64(ctx.args.at(FIRST))?;
    change(ctx, |cluster, _| cluster.set_config_epoch(epoch))
}

/// CLUSTER BUMPEPOCH
pub fn cluster_bumpepoch(ctx: &mut Context<'_>) -> Result<(), Error> {
    let cluster = super::cluster_mut(ctx)?;
    let outcome = if cluster.bump_epoch() { "BUMPED" } else { "STILL" };
    let epoch = cluster.me().config_epoch;
    ctx.client.reply.simple(&format!("{outcome} {epoch}"));
    Ok(())
}

/// CLUSTER SAVECONFIG. The node writes the file and replies. Replies of a transaction must keep
/// their order, so there OK is said at once, and a failure is logged.
pub fn cluster_saveconfig(ctx: &mut Context<'_>) -> Result<(), Error> {
    super::cluster(ctx)?;
    let in_exec = ctx.client.is(ClientFlags::DENY_BLOCKING);
    if in_exec {
        ctx.client.reply.ok();
    }
    let client = (!in_exec).then_some(ctx.client.id);
    ctx.core.effects.push(Effect::SaveClusterConfig { client });
    Ok(())
}
