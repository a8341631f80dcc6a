//! MONITOR: every command that runs is shown to the clients that watch.

use super::command::Flags;
use super::registry::Registered;
use crate::base::text::repr_into;
use crate::core::client::ClientFlags;
use crate::core::{Client, Core};
use crate::resp::Args;

/// What stands in the place of a secret.
pub const REDACTED: &[u8] = b"(redacted)";

/// Shows a command to all monitors. Commands of administration are not shown (Redis: CMD_ADMIN).
#[inline]
pub fn feed(core: &mut Core, client: &mut Client, entry: &Registered, args: Args<'_>) {
    let hidden = Flags::SKIP_MONITOR | Flags::ADMIN;
    if !core.monitors.is_empty() && !entry.command.flags.intersects(hidden) {
        feed_line(core, client, args);
    }
}

/// Shows a command whatever its flags: EXEC shows itself after its queue.
pub fn feed_line(core: &mut Core, client: &mut Client, args: Args<'_>) {
    core.laps.pause();
    let line = format_line(core, client, args);
    for index in 0..core.monitors.len() {
        let id = core.monitors[index];
        if id == client.id {
            // Nothing follows the reply to QUIT.
            if !client.is(ClientFlags::CLOSE_AFTER_REPLY) {
                client.reply.raw(&line);
            }
        } else {
            core.send_to(id, &line);
        }
    }
}

fn format_line(core: &Core, client: &Client, args: Args<'_>) -> Vec<u8> {
    let now = core.now.unix_us;
    let mut line =
        format!("+{}.{:06} [{} ", now / 1_000_000, now % 1_000_000, client.db).into_bytes();
    if client.is(ClientFlags::SCRIPT) {
        line.extend_from_slice(b"lua");
    } else if client.is(ClientFlags::UNIX_SOCKET) {
        line.extend_from_slice(b"unix:");
        line.extend_from_slice(core.config.unixsocket.as_deref().unwrap_or_default());
    } else {
        line.extend_from_slice(client.peer.as_bytes());
    }
    line.push(b']');
    for (index, arg) in args.iter_from(0).enumerate() {
        line.push(b' ');
        let shown = if core.redacted.contains(&index) { REDACTED } else { arg };
        repr_into(&mut line, shown);
    }
    line.extend_from_slice(b"\r\n");
    line
}
