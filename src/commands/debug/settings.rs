//! DEBUG subcommands that switch something.

use std::ffi::CString;
use std::io;

use super::{Context, Error, is_nonzero, unknown};
use crate::base::alloc;
use crate::base::numbers::parse_memory;
use crate::cluster::{Ends, NodeId};
use crate::core::debug::REPLY_PEAK_RESET_MS;
use crate::dispatch::cursor::parse_i64;
use crate::persistence::dump::Checksum;
use crate::value::list::LARGE_BYTES;

/// PAUSE-CRON 0 | 1
pub(super) fn pause_cron(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.debug.cron_paused = is_nonzero(ctx.args.at(2));
    ctx.client.reply.ok();
    Ok(())
}

/// CLUSTERLINK KILL (TO | FROM | ALL) node-id
pub(super) fn clusterlink(ctx: &mut Context<'_>) -> Result<(), Error> {
    if !ctx.args.at(2).eq_ignore_ascii_case(b"KILL") {
        return Err(unknown(ctx.args.at(1)));
    }
    let Some(cluster) = &mut ctx.core.cluster else {
        return Err(Error::err("Debug option only available for cluster mode enabled setup!"));
    };
    let (direction, name) = (ctx.args.at(3), ctx.args.at(4));
    let node = NodeId::parse(name).ok().and_then(|id| cluster.nodes.find(&id));
    let node = node.ok_or_else(|| {
        Error::err(format_args!("Unknown node {}", String::from_utf8_lossy(name)))
    })?;
    let ends = match () {
        () if direction.eq_ignore_ascii_case(b"TO") => Ends::To,
        () if direction.eq_ignore_ascii_case(b"FROM") => Ends::From,
        () if direction.eq_ignore_ascii_case(b"ALL") => Ends::All,
        () => {
            let direction = String::from_utf8_lossy(direction);
            return Err(Error::err(format_args!("Unknown direction {direction}")));
        }
    };
    cluster.kill_links(node, ends);
    ctx.client.reply.ok();
    Ok(())
}

/// DROP-CLUSTER-PACKET-FILTER kind. What is no kind drops nothing.
pub(super) fn drop_cluster_packet_filter(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.debug.dropped_packet_kind = u16::try_from(parse_i64(ctx.args.at(2))?).ok();
    ctx.client.reply.ok();
    Ok(())
}

/// SET-ACTIVE-EXPIRE 0 | 1
pub(super) fn set_active_expire(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.debug.active_expire = is_nonzero(ctx.args.at(2));
    ctx.client.reply.ok();
    Ok(())
}

/// QUICKLIST-PACKED-THRESHOLD size
pub(super) fn quicklist_packed_threshold(ctx: &mut Context<'_>) -> Result<(), Error> {
    // A node counts its bytes in 32 bits, with room for what a listpack adds.
    const BYTES_MAX: u64 = (1 << 32) - (1 << 20);
    let bytes = parse_memory(ctx.args.at(2)).filter(|&bytes| bytes <= BYTES_MAX);
    let bytes = bytes.ok_or_else(|| {
        Error::err("argument must be a memory value bigger than 1 and smaller than 4gb")
    })?;
    ctx.core.debug.list_large_bytes = if bytes == 0 { LARGE_BYTES } else { bytes as usize };
    ctx.client.reply.ok();
    Ok(())
}

/// SET-SKIP-CHECKSUM-VALIDATION 0 | 1
pub(super) fn set_skip_checksum_validation(ctx: &mut Context<'_>) -> Result<(), Error> {
    let skip = is_nonzero(ctx.args.at(2));
    ctx.core.debug.payload_checksum = if skip { Checksum::Ignored } else { Checksum::Verified };
    ctx.client.reply.ok();
    Ok(())
}

/// REPLYBUFFER PEAK-RESET-TIME (NEVER | RESET | milliseconds), REPLYBUFFER RESIZING 0 | 1
pub(super) fn replybuffer(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (what, value) = (ctx.args.at(2), ctx.args.at(3));
    if what.eq_ignore_ascii_case(b"PEAK-RESET-TIME") {
        ctx.core.debug.reply_peak_reset_ms = match () {
            () if value.eq_ignore_ascii_case(b"NEVER") => None,
            () if value.eq_ignore_ascii_case(b"RESET") => Some(REPLY_PEAK_RESET_MS),
            // A negative time is never.
            () => u64::try_from(parse_i64(value)?).ok(),
        };
    } else if what.eq_ignore_ascii_case(b"RESIZING") {
        ctx.core.debug.reply_resizing = is_nonzero(value);
    } else {
        return Err(unknown(ctx.args.at(1)));
    }
    ctx.client.reply.ok();
    Ok(())
}

/// SET-DISABLE-DENY-SCRIPTS <0|1>
pub(super) fn set_disable_deny_scripts(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.debug.scripts_may_all = super::is_nonzero(ctx.args.at(2));
    ctx.client.reply.ok();
    Ok(())
}

/// CONFIG-REWRITE-FORCE-ALL
pub(super) fn config_rewrite_force_all(ctx: &mut Context<'_>) -> Result<(), Error> {
    let config = &ctx.core.config;
    let written = match &config.startup.config_file {
        Some(file) => config.rewrite_file_in_full(file, None),
        None => Err(io::Error::from_raw_os_error(libc::EFAULT)),
    };
    written.map_err(|e| {
        let words = system_words(e.raw_os_error().unwrap_or(libc::EIO));
        Error::err(format_args!("CONFIG-REWRITE-FORCE-ALL failed: {words}"))
    })?;
    ctx.client.reply.ok();
    Ok(())
}

/// MALLCTL key [value]
pub(super) fn mallctl(ctx: &mut Context<'_>) -> Result<(), Error> {
    let new = ctx.args.get(3).map(parse_i64).transpose()?;
    let name = c_string(ctx.args.at(2));
    match alloc::control_integer(&name, new).map_err(refused)? {
        Some(old) => ctx.client.reply.int(old),
        None => ctx.client.reply.ok(),
    }
    Ok(())
}

/// MALLCTL-STR key [value]
pub(super) fn mallctl_str(ctx: &mut Context<'_>) -> Result<(), Error> {
    let name = c_string(ctx.args.at(2));
    let new = ctx.args.get(3).map(c_string);
    match alloc::control_string(&name, new.as_deref()).map_err(refused)? {
        Some(old) => ctx.client.reply.bulk(&old),
        None => ctx.client.reply.ok(),
    }
    Ok(())
}

/// The bytes before the first NUL.
fn c_string(bytes: &[u8]) -> CString {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).unwrap_or_default()
}

fn refused(errno: i32) -> Error {
    Error::err(system_words(errno))
}

/// The system's words for an errno.
fn system_words(errno: i32) -> String {
    nix::errno::Errno::from_raw(errno).desc().to_owned()
}
