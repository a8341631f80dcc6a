//! The active expiry: keys whose time is over are removed although nobody asks for them, in short
//! slices, so that a million keys that expire at once never stop the loop. Called by the core's
//! cron and once per turn of the loop. Time for measuring is handed in; never removes anything but
//! keys whose time is over.

use super::db::Db;
use super::effects::Effects;
use super::{ExpireMode, Keyspace};
use crate::base::limits::EXPIRE_SLICE_US;

/// Keys looked at before the share of expired ones is judged (Redis:
/// ACTIVE_EXPIRE_CYCLE_KEYS_PER_LOOP).
const KEYS_PER_ROUND: usize = 20;
/// Buckets looked at for each of those keys.
const BUCKETS_PER_KEY: usize = 20;
/// Share of time for the slow cycle, in percent (Redis: ACTIVE_EXPIRE_CYCLE_SLOW_TIME_PERC).
const SLOW_TIME_PERCENT: u64 = 25;
/// Duration of a fast cycle (Redis: ACTIVE_EXPIRE_CYCLE_FAST_DURATION).
const FAST_US: u64 = 1000;
/// Percent of expired keys that is left alone (Redis: ACTIVE_EXPIRE_CYCLE_ACCEPTABLE_STALE).
const ACCEPTABLE_PERCENT: usize = 10;
/// Databases visited by a cycle that is not in a hurry (Redis: CRON_DBS_PER_CALL).
const DBS_PER_CYCLE: usize = 16;

/// How hard the active expiry works: `active-expire-effort`, 1 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpireEffort(u8);

impl ExpireEffort {
    /// Values outside of 1 to 10 are taken as the nearest.
    pub fn new(effort: u8) -> Self {
        ExpireEffort(effort.clamp(1, 10))
    }

    fn extra(self) -> u64 {
        u64::from(self.0) - 1
    }

    fn keys_per_round(self) -> usize {
        KEYS_PER_ROUND + KEYS_PER_ROUND / 4 * self.extra() as usize
    }

    fn fast_us(self) -> u64 {
        FAST_US + FAST_US / 4 * self.extra()
    }

    fn slow_us(self, hz: u32) -> u64 {
        let percent = SLOW_TIME_PERCENT + 2 * self.extra();
        (percent * 1_000_000 / u64::from(hz.max(1)) / 100).max(1)
    }

    fn acceptable_percent(self) -> usize {
        ACCEPTABLE_PERCENT - self.extra() as usize
    }
}

/// Where the active expiry stands between two slices.
#[derive(Debug, Default)]
pub(super) struct Expirer {
    /// DEBUG SET-ACTIVE-EXPIRE 0.
    disabled: bool,
    next_db: usize,
    /// What is left of the slow cycle's time in this period; 0 when it is done.
    slow_left_us: u64,
    /// The last cycle ended because its time was up.
    time_capped: bool,
    /// When the last fast cycle began, on the monotonic clock.
    last_fast_us: Option<u64>,
    /// Keys to be removed: their bytes one after the other, and where each ends.
    batch: Vec<u8>,
    ends: Vec<usize>,
}

/// What one cycle or slice came to.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    sampled: usize,
    expired: usize,
    time_is_up: bool,
}

impl Keyspace {
    /// Switches the active expiry off and on (DEBUG SET-ACTIVE-EXPIRE). Keys that are met still
    /// expire.
    pub fn set_active_expire(&mut self, enabled: bool) {
        self.expirer.disabled = !enabled;
    }

    /// The slow cycle, `hz` times a second: begins a period and does its first slice. `clock_us` is
    /// the monotonic clock. True if time is left for [`Keyspace::expire_between_turns`], which
    /// should then come soon.
    pub fn expire_cycle(
        &mut self,
        effort: ExpireEffort,
        hz: u32,
        clock_us: impl Fn() -> u64,
    ) -> bool {
        if !self.expires_actively() {
            return false;
        }
        self.expirer.slow_left_us = effort.slow_us(hz);
        self.slow_slice(effort, &clock_us)
    }

    /// Once per turn of the loop: goes on with the slow cycle, or does a fast one where the last
    /// slow one could not finish. True as [`Keyspace::expire_cycle`].
    pub fn expire_between_turns(
        &mut self,
        effort: ExpireEffort,
        clock_us: impl Fn() -> u64,
    ) -> bool {
        if !self.expires_actively() {
            return false;
        }
        if self.expirer.slow_left_us > 0 {
            return self.slow_slice(effort, &clock_us);
        }
        let stale_percent = self.effects.stats.expired_stale_share * 100.0;
        if self.expirer.time_capped || stale_percent >= effort.acceptable_percent() as f64 {
            self.fast_cycle(effort, &clock_us);
        }
        false
    }

    fn expires_actively(&self) -> bool {
        !self.expirer.disabled && self.expire_mode == ExpireMode::Remove
    }

    fn slow_slice(&mut self, effort: ExpireEffort, clock_us: &impl Fn() -> u64) -> bool {
        let limit_us = self.expirer.slow_left_us.min(EXPIRE_SLICE_US);
        let (tally, elapsed_us) = self.timed_cycle(effort, limit_us, clock_us);
        let left_us = self.expirer.slow_left_us.saturating_sub(elapsed_us.max(1));
        self.expirer.slow_left_us = if tally.time_is_up { left_us } else { 0 };
        self.expirer.time_capped = tally.time_is_up;
        if tally.time_is_up && left_us == 0 {
            self.effects.stats.expired_time_cap_reached += 1;
        }
        self.expirer.slow_left_us > 0
    }

    fn fast_cycle(&mut self, effort: ExpireEffort, clock_us: &impl Fn() -> u64) {
        let now_us = clock_us();
        let pause_us = 2 * effort.fast_us();
        if self.expirer.last_fast_us.is_some_and(|last| now_us < last + pause_us) {
            return;
        }
        self.expirer.last_fast_us = Some(now_us);
        let (tally, _) = self.timed_cycle(effort, effort.fast_us().min(EXPIRE_SLICE_US), clock_us);
        self.expirer.time_capped = tally.time_is_up;
        if tally.time_is_up {
            self.effects.stats.expired_time_cap_reached += 1;
        }
    }

    /// One cycle over the databases, until `limit_us` have passed; the tally, and the time it took.
    fn timed_cycle(
        &mut self,
        effort: ExpireEffort,
        limit_us: u64,
        clock_us: &impl Fn() -> u64,
    ) -> (Tally, u64) {
        let started_us = clock_us();
        let elapsed_us = || clock_us().saturating_sub(started_us);
        let all = self.dbs.len();
        let dbs = if self.expirer.time_capped { all } else { all.min(DBS_PER_CYCLE) };
        let mut tally = Tally::default();
        for _ in 0..dbs {
            // The next database is first when the cycle goes on, so that all get their share of
            // time.
            let db = self.expirer.next_db % all;
            self.expirer.next_db = db + 1;
            // Half of the time for fields, so that neither waits for the end of the other.
            let more = self.expire_fields_in_db(db, || elapsed_us() >= limit_us / 2);
            self.expire_in_db(db, effort, &mut tally, || elapsed_us() >= limit_us);
            tally.time_is_up |= more;
            if tally.time_is_up {
                break;
            }
        }
        let share = match tally.sampled {
            0 => 0.0,
            sampled => tally.expired as f64 / sampled as f64,
        };
        let elapsed_us = elapsed_us();
        let stats = &mut self.effects.stats;
        stats.expire_cycle_us += elapsed_us;
        stats.expired_stale_share = share * 0.05 + stats.expired_stale_share * 0.95;
        (tally, elapsed_us)
    }

    /// Rounds over one database until few of the keys looked at are expired.
    fn expire_in_db(
        &mut self,
        db: usize,
        effort: ExpireEffort,
        tally: &mut Tally,
        time_is_up: impl Fn() -> bool,
    ) {
        loop {
            let expiring = self.expires_len(db);
            if expiring == 0 {
                self.dbs[db].avg_ttl = 0;
                return;
            }
            let (sampled, expired) = self.expire_round(db, expiring.min(effort.keys_per_round()));
            tally.sampled += sampled;
            tally.expired += expired;
            if time_is_up() {
                tally.time_is_up = true;
                return;
            }
            if sampled > 0 && expired * 100 / sampled <= effort.acceptable_percent() {
                return;
            }
        }
    }

    /// Looks at about `keys` keys and removes those whose time is over; how many were looked at and
    /// removed.
    fn expire_round(&mut self, db: usize, keys: usize) -> (usize, usize) {
        let now_ms = self.now_ms;
        let Keyspace { dbs, expirer, .. } = self;
        let (sampled, ttl) = expirer.collect(&mut dbs[db], keys, now_ms);
        if let Some(average) = ttl {
            let before = dbs[db].avg_ttl;
            let before = if before == 0 { average } else { before };
            dbs[db].avg_ttl = before / 50 * 49 + average / 50;
        }
        let expired = self.expirer.ends.len();
        let batch = std::mem::take(&mut self.expirer.batch);
        let ends = std::mem::take(&mut self.expirer.ends);
        let mut start = 0;
        for &end in &ends {
            let key = self.key(&batch[start..end]);
            start = end;
            remove_expired(&mut self.dbs[db], &mut self.effects, db, &key);
        }
        (self.expirer.batch, self.expirer.ends) = (batch, ends);
        (sampled, expired)
    }

    /// Running average of the time that a database's keys still have, in milliseconds (INFO:
    /// avg_ttl).
    pub fn avg_ttl_ms(&self, db: usize) -> i64 {
        self.dbs[db].avg_ttl
    }
}

fn remove_expired(keys: &mut Db, effects: &mut Effects, db: usize, key: &super::Key<'_>) {
    if let Some(doomed) = keys.doom(key) {
        effects.expired(db, key, doomed.remove());
    }
}

impl Expirer {
    /// Fills the batch with expired keys from the cursor on; how many keys were looked at, and the
    /// average time that the others still have.
    fn collect(&mut self, db: &mut Db, keys: usize, now_ms: i64) -> (usize, Option<i64>) {
        self.batch.clear();
        self.ends.clear();
        let (mut sampled, mut ttl_sum, mut ttl_samples) = (0, 0i64, 0);
        for _ in 0..keys * BUCKETS_PER_KEY {
            db.visit_expiring(|record| {
                sampled += 1;
                let ttl = record.expire_at().map_or(0, |at| at.saturating_sub(now_ms));
                if record.is_expired(now_ms) {
                    self.batch.extend_from_slice(record.key());
                    self.ends.push(self.batch.len());
                } else if ttl > 0 {
                    ttl_sum = ttl_sum.saturating_add(ttl);
                    ttl_samples += 1;
                }
            });
            if sampled >= keys {
                break;
            }
        }
        (sampled, ttl_sum.checked_div(ttl_samples))
    }
}
