//! The slow log: the last commands that took longer than slowlog-log-slower-than.
//! `dispatch::execute` adds, SLOWLOG reads. Arguments are shortened when they are logged, so that
//! an entry's size is bounded.

use std::collections::VecDeque;

use super::client::ClientFlags;
use super::{Client, Core};
use crate::resp::Args;

/// Arguments kept per entry (Redis: SLOWLOG_ENTRY_MAX_ARGC).
const ARGS_MAX: usize = 32;
/// Bytes kept per argument (Redis: SLOWLOG_ENTRY_MAX_STRING).
const ARG_BYTES_MAX: usize = 128;
/// What stands in the place of an argument that must not be shown.
const REDACTED: &[u8] = b"(redacted)";

/// One logged command.
#[derive(Clone, Debug)]
pub struct SlowlogEntry {
    /// Unique while the process runs.
    pub id: u64,
    /// When it ran, seconds since the epoch.
    pub unix_seconds: u64,
    /// How long it took, in microseconds.
    pub duration_us: u64,
    /// Its arguments, shortened.
    pub args: Vec<Box<[u8]>>,
    /// The client's address.
    pub peer: Box<str>,
    /// The client's name.
    pub name: Box<[u8]>,
}

/// Newest first.
#[derive(Debug, Default)]
pub struct Slowlog {
    /// The log, newest in front.
    entries: VecDeque<SlowlogEntry>,
    /// The id of the next entry.
    next_id: u64,
}

impl Slowlog {
    /// Entries logged.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is logged.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// All entries, newest first.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &SlowlogEntry> {
        self.entries.iter()
    }

    /// Forgets all entries. Ids go on.
    pub fn clear(&mut self) {
        self.entries = VecDeque::new();
    }

    /// Adds the newest entry, which gets its id here, and drops the oldest beyond `entries_max`.
    fn push(&mut self, mut entry: SlowlogEntry, entries_max: usize) {
        entry.id = self.next_id;
        self.next_id += 1;
        self.entries.push_front(entry);
        self.entries.truncate(entries_max);
    }
}

impl Core {
    /// Logs a command that took `micros`.
    #[cold]
    pub fn log_slow(&mut self, client: &Client, args: Args<'_>, micros: u64) {
        // Redis runs the commands of scripts as a client without a connection.
        let by_script = client.is(ClientFlags::SCRIPT);
        let entry = SlowlogEntry {
            id: 0,
            // The command began at `now` or later in the same turn.
            unix_seconds: (self.now.unix_us + micros) / 1_000_000,
            duration_us: micros,
            args: shorten(args, &self.redacted),
            peer: if by_script { "?:0".into() } else { client.peer.clone() },
            name: client.name.clone().filter(|_| !by_script).unwrap_or_default(),
        };
        self.slowlog.push(entry, self.config.slowlog_max_len);
    }
}

/// The arguments as they are kept: not too many, none too long, and none of those at `redacted`.
fn shorten(args: Args<'_>, redacted: &[usize]) -> Vec<Box<[u8]>> {
    let kept = args.len().min(ARGS_MAX);
    let left_out = args.len() - kept;
    let whole = if left_out > 0 { kept - 1 } else { kept };
    let shown = args.iter_from(0).take(whole).enumerate().map(|(index, arg)| {
        if redacted.contains(&index) { REDACTED.into() } else { shorten_arg(arg) }
    });
    let mut shown: Vec<Box<[u8]>> = shown.collect();
    if left_out > 0 {
        shown.push(format!("... ({} more arguments)", left_out + 1).into_bytes().into());
    }
    shown
}

fn shorten_arg(arg: &[u8]) -> Box<[u8]> {
    if arg.len() <= ARG_BYTES_MAX {
        return arg.into();
    }
    let mut shown = arg[..ARG_BYTES_MAX].to_vec();
    shown.extend_from_slice(format!("... ({} more bytes)", arg.len() - ARG_BYTES_MAX).as_bytes());
    shown.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn shortened(args: &[&[u8]], redacted: &[usize]) -> Vec<String> {
        let owned = OwnedArgs::from_parts(args.iter().copied());
        let shown = shorten(owned.args(), redacted);
        shown.iter().map(|arg| String::from_utf8_lossy(arg).into_owned()).collect()
    }

    #[test]
    fn few_and_short_arguments_are_kept() {
        assert_eq!(shortened(&[b"set", b"key", b"value"], &[]), ["set", "key", "value"]);
        assert_eq!(shortened(&[b"auth", b"secret"], &[1]), ["auth", "(redacted)"]);
        let longest = [b'A'; 128];
        assert_eq!(shortened(&[&longest], &[])[0].len(), 128);
        assert_eq!(shortened(&[&b"x"[..]; 32], &[]), ["x"; 32]);
    }

    #[test]
    fn many_and_long_arguments_are_cut() {
        let shown = shortened(&[&b"x"[..]; 33], &[]);
        assert_eq!(shown.len(), 32);
        assert_eq!(shown[30], "x");
        assert_eq!(shown[31], "... (2 more arguments)");
        let long = [b'A'; 129];
        assert_eq!(shortened(&[&long], &[])[0], format!("{}... (1 more bytes)", "A".repeat(128)));
    }

    #[test]
    fn the_oldest_entries_go() {
        let entry = SlowlogEntry {
            id: 0,
            unix_seconds: 1,
            duration_us: 2,
            args: Vec::new(),
            peer: "".into(),
            name: Box::default(),
        };
        let mut log = Slowlog::default();
        for _ in 0..5 {
            log.push(entry.clone(), 3);
        }
        assert_eq!(log.iter().map(|e| e.id).collect::<Vec<_>>(), [4, 3, 2]);
        log.push(entry.clone(), 0);
        assert!(log.is_empty());
        log.push(entry, 1);
        assert_eq!(log.iter().map(|e| e.id).collect::<Vec<_>>(), [6]);
        log.clear();
        assert_eq!(log.len(), 0);
    }
}
