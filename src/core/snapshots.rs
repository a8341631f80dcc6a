//! What a node knows of its snapshots: when the last one was made, how the child that writes one
//! gets on, and whether writes must stop because none can be made. Commands and INFO read it; the
//! node, which does the I/O, writes it.

use super::Core;
use super::loading::LoadFigures;
use crate::config::{MaxmemoryPolicy, SavePoint};
use crate::persistence::rdb::writer::{Accesses, FileOptions};

/// After a snapshot that failed, save points wait for so long (Redis: CONFIG_BGSAVE_RETRY_DELAY).
const RETRY_SECONDS: u64 = 5;

/// The child that writes a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct SavingChild {
    /// When it was started, in seconds since the epoch.
    pub started_s: u64,
    /// Changes before it was started (Redis: dirty_before_bgsave).
    pub dirty_before: u64,
    /// Keys there were.
    pub keys_total: u64,
    /// Keys that it has written, as it last said.
    pub keys_written: u64,
    /// Memory that it does not share any more, as it last said, and the most so far.
    pub cow_bytes: u64,
    /// The most of that so far.
    pub cow_peak_bytes: u64,
    /// When it last said so, in seconds since the epoch; 0 is never.
    pub reported_s: u64,
}

/// A node's snapshots.
#[derive(Debug)]
pub struct Snapshots {
    /// The child that writes one at the moment.
    pub child: Option<SavingChild>,
    /// When the last one was made, in seconds since the epoch; the start counts as one.
    pub last_save_s: u64,
    /// When one was last begun in the background.
    pub last_try_s: u64,
    /// Whether the last one was made.
    pub last_ok: bool,
    /// How long the last one in the background took.
    pub last_seconds: Option<u64>,
    /// One is to be made as soon as that is possible (BGSAVE SCHEDULE).
    pub scheduled: bool,
    /// How many were begun.
    pub saves: u64,
    /// Memory that the last child did not share at its end.
    pub last_cow_bytes: u64,
    /// Children of any kind.
    pub forks: u64,
    /// How long the last fork took.
    pub last_fork_us: u64,
    /// The load that is under way.
    pub loading: Option<LoadFigures>,
    /// Keys that the last load left out because their time was over.
    pub load_keys_expired: u64,
    /// Keys that the last load brought.
    pub load_keys_loaded: u64,
}

impl Snapshots {
    /// Of a node that starts.
    pub fn new(now_s: u64) -> Self {
        Snapshots {
            child: None,
            last_save_s: now_s,
            last_try_s: 0,
            last_ok: true,
            last_seconds: None,
            scheduled: false,
            saves: 0,
            last_cow_bytes: 0,
            forks: 0,
            last_fork_us: 0,
            loading: None,
            load_keys_expired: 0,
            load_keys_loaded: 0,
        }
    }

    /// Whether an attempt may be made that nobody asked for right now.
    fn may_try(&self, now_s: u64) -> bool {
        self.child.is_none()
            && (self.last_ok || now_s.saturating_sub(self.last_try_s) > RETRY_SECONDS)
    }

    /// Whether BGSAVE SCHEDULE is due.
    pub fn schedule_is_due(&self, now_s: u64) -> bool {
        self.scheduled && self.may_try(now_s)
    }
}

impl Core {
    /// Whether a snapshot in the foreground has succeeded, and with it all changes are on disk.
    pub fn note_saved(&mut self, ok: bool, now_s: u64) {
        if ok {
            self.keyspace.dirty = 0;
            self.snapshots.last_save_s = now_s;
            self.snapshots.last_ok = true;
        }
    }

    /// A child begins to write a snapshot.
    pub fn note_child(&mut self, fork_us: u64) {
        let keys = (0..self.keyspace.databases()).map(|db| self.keyspace.dbsize(db) as u64).sum();
        self.snapshots.child = Some(SavingChild {
            started_s: self.now.seconds(),
            dirty_before: self.keyspace.dirty,
            keys_total: keys,
            keys_written: 0,
            cow_bytes: 0,
            cow_peak_bytes: 0,
            reported_s: 0,
        });
        self.snapshots.forks += 1;
        self.snapshots.last_fork_us = fork_us;
        // What lookups leave behind would cost a page each while the child shares them.
        self.keyspace.set_saving(true);
    }

    /// The child has ended; `ok` is `None` where it was told to.
    pub fn note_child_ended(&mut self, ok: Option<bool>, now_s: u64) {
        self.keyspace.set_saving(false);
        let Some(child) = self.snapshots.child.take() else { return };
        self.snapshots.last_seconds = Some(now_s.saturating_sub(child.started_s));
        match ok {
            Some(true) => {
                // FLUSHALL may have saved in between, after which there are fewer.
                self.keyspace.dirty = self.keyspace.dirty.saturating_sub(child.dirty_before);
                self.snapshots.last_save_s = now_s;
                self.snapshots.last_ok = true;
            }
            Some(false) => self.snapshots.last_ok = false,
            None => {}
        }
    }

    /// The save point that asks for a snapshot now.
    pub fn save_due(&self) -> Option<SavePoint> {
        let (now_s, snapshots) = (self.now.seconds(), &self.snapshots);
        if !snapshots.may_try(now_s) || snapshots.loading.is_some() {
            return None;
        }
        let since_s = now_s.saturating_sub(snapshots.last_save_s);
        let dirty = self.keyspace.dirty;
        let reached = |point: &&SavePoint| {
            dirty >= u64::try_from(point.changes).unwrap_or(0)
                && since_s > u64::try_from(point.seconds).unwrap_or(0)
        };
        self.config.save.iter().find(reached).copied()
    }

    /// Whether writes are refused because snapshots fail (Redis: writeCommandsDeniedByDiskError).
    #[inline]
    pub fn writes_cannot_be_saved(&self) -> bool {
        !self.snapshots.last_ok
            && self.config.stop_writes_on_bgsave_error
            && !self.config.save.is_empty()
    }

    /// What a snapshot taken now says of itself, and how it is written.
    pub fn snapshot_options(&self, used_memory: usize) -> FileOptions<'_> {
        FileOptions {
            compress: self.config.rdbcompression,
            checksum: self.config.rdbchecksum,
            accesses: match self.config.maxmemory_policy {
                MaxmemoryPolicy::AllkeysLru | MaxmemoryPolicy::VolatileLru => Accesses::Idle,
                MaxmemoryPolicy::AllkeysLfu | MaxmemoryPolicy::VolatileLfu => Accesses::Frequency,
                MaxmemoryPolicy::AllkeysRandom
                | MaxmemoryPolicy::VolatileRandom
                | MaxmemoryPolicy::VolatileTtl
                | MaxmemoryPolicy::Noeviction => Accesses::Unsaid,
            },
            redis_version: crate::config::version::REDIS_VERSION,
            created_s: self.now.seconds(),
            used_memory,
            functions: self.scripts.library_texts(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::core::Now;

    fn core(now_s: u64) -> Core {
        Core::new(Config::default(), Vec::new(), Now { unix_us: now_s * 1_000_000 })
    }

    fn at(core: &mut Core, now_s: u64) -> Option<(i64, i32)> {
        core.set_now(Now { unix_us: now_s * 1_000_000 });
        core.save_due().map(|point| (point.seconds, point.changes))
    }

    #[test]
    fn save_points_want_changes_and_time() {
        let mut core = core(1000);
        assert_eq!(at(&mut core, 9000), None);
        core.keyspace.dirty = 1;
        assert_eq!(at(&mut core, 4600), None);
        assert_eq!(at(&mut core, 4601), Some((3600, 1)));
        core.keyspace.dirty = 100;
        assert_eq!(at(&mut core, 1301), Some((300, 100)));
        core.keyspace.dirty = 10_000;
        assert_eq!(at(&mut core, 1061), Some((60, 10_000)));
        core.note_saved(true, 1061);
        assert_eq!(at(&mut core, 9000), None);
    }

    #[test]
    fn a_failure_is_retried_later_and_stops_writes() {
        let mut core = core(1000);
        core.keyspace.dirty = 10_000;
        at(&mut core, 2000);
        core.note_child(7);
        core.snapshots.last_try_s = 2000;
        assert_eq!(at(&mut core, 2000), None, "one is being made");
        core.note_child_ended(Some(false), 2001);
        assert!(core.writes_cannot_be_saved());
        assert_eq!(at(&mut core, 2005), None);
        assert_eq!(at(&mut core, 2006), Some((300, 100)));
        core.config.stop_writes_on_bgsave_error = false;
        assert!(!core.writes_cannot_be_saved());
        core.config.stop_writes_on_bgsave_error = true;
        core.config.save.clear();
        assert!(!core.writes_cannot_be_saved());
    }

    #[test]
    fn changes_during_a_snapshot_are_left() {
        let mut core = core(1000);
        core.keyspace.dirty = 5;
        core.note_child(7);
        core.keyspace.dirty += 3;
        core.note_child_ended(Some(true), 1010);
        assert_eq!((core.keyspace.dirty, core.snapshots.last_save_s), (3, 1010));
        assert_eq!(core.snapshots.last_seconds, Some(10));
        core.note_child(7);
        core.note_child_ended(None, 1020);
        assert!(core.snapshots.last_ok && core.snapshots.last_save_s == 1010);
    }
}
