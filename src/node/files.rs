//! File descriptors: enough of them for maxclients, or fewer clients (Redis: adjustOpenFilesLimit).

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::base::limits::RESERVED_FDS;
use crate::config::Config;

/// Raises the limit for the configured clients, or lowers maxclients to what the limit allows.
pub fn fit_maxclients(config: &mut Config) {
    let wanted = u64::from(config.maxclients) + RESERVED_FDS;
    let reached = raise(wanted);
    if reached >= wanted {
        return;
    }
    let allowed = reached.saturating_sub(RESERVED_FDS).max(1);
    log::warn!(
        "You requested maxclients of {} requiring at least {wanted} max file descriptors.",
        config.maxclients
    );
    log::warn!(
        "Current maximum open files is {reached}. maxclients has been reduced to {allowed} to \
         compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    );
    config.maxclients = allowed as _;
}

/// Raises the limit for so many clients; tells whether that worked.
pub fn raise_for(maxclients: u64) -> bool {
    raise(maxclients + RESERVED_FDS) >= maxclients + RESERVED_FDS
}

/// Raises the soft limit to `wanted` or as near as the system lets us; the limit then in force.
fn raise(wanted: u64) -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return wanted };
    if soft >= wanted {
        return soft;
    }
    let attempts = [(wanted, hard.max(wanted)), (wanted.min(hard), hard)];
    for (soft, hard) in attempts {
        if setrlimit(Resource::RLIMIT_NOFILE, soft, hard).is_ok() {
            return soft;
        }
    }
    soft
}
