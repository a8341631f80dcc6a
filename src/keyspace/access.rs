//! How recently (LRU) or how often (LFU) a key was used, in the 24 bits that each record has for
//! it. Called on every lookup, by OBJECT IDLETIME and FREQ, and by eviction. Time is handed in.

use super::RecordMut;
use crate::base::rng::Rng;
use crate::value::Record;

/// Milliseconds per tick of the LRU clock (Redis: LRU_CLOCK_RESOLUTION).
const LRU_TICK_MS: i64 = 1000;
const LRU_CLOCK_MAX: u32 = (1 << 24) - 1;
/// A new key's counter, so that it is not evicted before it had a chance (Redis: LFU_INIT_VAL).
const LFU_NEW: u32 = 5;
const MINUTES_MAX: u32 = u16::MAX as u32;

/// What is remembered of accesses; follows from maxmemory-policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessMode {
    /// The time of the last access.
    Lru,
    /// A logarithmic counter that decays.
    Lfu {
        /// lfu-log-factor: the greater, the more accesses the counter stands for.
        log_factor: u32,
        /// lfu-decay-time: minutes after which an unused key loses a count; 0 is never.
        decay_minutes: u32,
    },
}

/// The clock that accesses are measured with.
#[derive(Debug)]
pub(super) struct Access {
    pub(super) mode: AccessMode,
    /// Whether lookups leave a trace: not while a child process shares the pages, nor for CLIENT
    /// NO-TOUCH.
    pub(super) enabled: bool,
    /// A child process shares the pages.
    pub(super) saving: bool,
    ticks: u32,
    minutes: u32,
}

impl Access {
    pub(super) fn new() -> Self {
        Access { mode: AccessMode::Lru, enabled: true, saving: false, ticks: 0, minutes: 0 }
    }

    #[inline]
    pub(super) fn set_now(&mut self, now_ms: i64) {
        self.ticks = (now_ms / LRU_TICK_MS) as u32 & LRU_CLOCK_MAX;
        self.minutes = (now_ms / 60_000) as u32 & MINUTES_MAX;
    }

    /// What a new record begins with.
    #[inline]
    pub(super) fn fresh(&self) -> u32 {
        match self.mode {
            AccessMode::Lru => self.ticks,
            AccessMode::Lfu { .. } => (self.minutes << 8) | LFU_NEW,
        }
    }

    /// What a record has that was last used so long ago, if that is what is remembered.
    pub(super) fn of_idle(&self, seconds: u64) -> Option<u32> {
        let ticks = seconds.saturating_mul(1000) / LRU_TICK_MS as u64;
        let ticks = ticks.min(u64::from(LRU_CLOCK_MAX)) as u32;
        let then = match self.ticks.checked_sub(ticks) {
            Some(then) => then,
            None => self.ticks + (LRU_CLOCK_MAX - ticks),
        };
        (self.mode == AccessMode::Lru).then_some(then)
    }

    /// What a record has that was used so often, if that is what is remembered.
    pub(super) fn of_frequency(&self, counter: u8) -> Option<u32> {
        let lfu = self.minutes << 8 | u32::from(counter);
        matches!(self.mode, AccessMode::Lfu { .. }).then_some(lfu)
    }

    /// Notes one more access.
    #[inline]
    pub(super) fn touch(&self, record: &mut RecordMut<'_>, rng: &mut Rng) {
        let before = record.lru();
        let after = if self.enabled { self.touched(before, rng) } else { before };
        // Most reads are within the same tick: their cache line stays clean.
        if after != before {
            record.set_lru(after);
        }
    }

    #[inline]
    fn touched(&self, lru: u32, rng: &mut Rng) -> u32 {
        match self.mode {
            AccessMode::Lru => self.ticks,
            AccessMode::Lfu { log_factor, decay_minutes } => {
                let counter = self.decayed(lru, decay_minutes);
                (self.minutes << 8) | (counter + u32::from(counts(counter, log_factor, rng)))
            }
        }
    }

    /// Milliseconds since the last access, as far as the clock can tell.
    pub(super) fn idle_ms(&self, record: &Record) -> u64 {
        let then = record.lru();
        let ticks = match self.ticks.checked_sub(then) {
            Some(ticks) => ticks,
            None => self.ticks + (LRU_CLOCK_MAX - then),
        };
        u64::from(ticks) * LRU_TICK_MS as u64
    }

    /// The counter of accesses, less what decayed since the last one.
    pub(super) fn frequency(&self, record: &Record) -> u8 {
        let decay_minutes = match self.mode {
            AccessMode::Lru => 0,
            AccessMode::Lfu { decay_minutes, .. } => decay_minutes,
        };
        self.decayed(record.lru(), decay_minutes) as u8
    }

    fn decayed(&self, lru: u32, decay_minutes: u32) -> u32 {
        let then = lru >> 8;
        let elapsed = match self.minutes.checked_sub(then) {
            Some(minutes) => minutes,
            None => MINUTES_MAX - then + self.minutes,
        };
        let periods = elapsed.checked_div(decay_minutes).unwrap_or(0);
        (lru & 255).saturating_sub(periods)
    }
}

/// Whether this access is one of those that count: the higher the counter, the rarer.
fn counts(counter: u32, log_factor: u32, rng: &mut Rng) -> bool {
    if counter >= 255 {
        return false;
    }
    let above = u64::from(counter.saturating_sub(LFU_NEW));
    rng.below(above * u64::from(log_factor) + 1) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::NewValue;

    fn record(lru: u32) -> Record {
        let mut record = Record::new(b"key", NewValue::Int(1), None);
        record.set_lru(lru);
        record
    }

    fn at(mode: AccessMode, now_ms: i64) -> Access {
        let mut access = Access { mode, ..Access::new() };
        access.set_now(now_ms);
        access
    }

    #[test]
    fn idle_time_wraps_with_the_clock() {
        let access = at(AccessMode::Lru, 100_500);
        assert_eq!(access.idle_ms(&record(90)), 10_000);
        assert_eq!(access.idle_ms(&record(access.fresh())), 0);
        assert_eq!(access.idle_ms(&record(LRU_CLOCK_MAX - 5)), 105_000);
        for seconds in [0, 1, 100, 101, 5000, u64::from(LRU_CLOCK_MAX) - 1] {
            let lru = access.of_idle(seconds).expect("LRU");
            assert_eq!(access.idle_ms(&record(lru)), seconds * 1000);
        }
        assert_eq!((access.of_idle(u64::MAX), access.of_frequency(1)), (Some(100), None));
    }

    #[test]
    fn counters_decay_and_saturate() {
        let mode = AccessMode::Lfu { log_factor: 10, decay_minutes: 2 };
        let access = at(mode, 10 * 60_000);
        assert_eq!(access.frequency(&record(access.fresh())), 5);
        assert_eq!(access.frequency(&record((5 << 8) | 100)), 98);
        assert_eq!(access.of_frequency(77).map(|lfu| access.frequency(&record(lfu))), Some(77));
        assert_eq!(access.of_idle(1), None);
        assert_eq!(access.frequency(&record(3)), 0);
        assert_eq!(access.frequency(&record((MINUTES_MAX << 8) | 100)), 95);
        let never = at(AccessMode::Lfu { log_factor: 10, decay_minutes: 0 }, 10 * 60_000);
        assert_eq!(never.frequency(&record(100)), 100);
        let full = access.touched((10 << 8) | 255, &mut Rng::seeded(1));
        assert_eq!(full, (10 << 8) | 255);
    }

    #[test]
    fn counters_grow_with_the_logarithm() {
        let mut rng = Rng::seeded(7);
        let counter_after = |log_factor, accesses, rng: &mut Rng| {
            let access = at(AccessMode::Lfu { log_factor, decay_minutes: 1 }, 0);
            (0..accesses).fold(access.fresh(), |lru, _| access.touched(lru, rng)) & 255
        };
        assert!((8..=30).contains(&counter_after(10, 100, &mut rng)));
        assert!((120..=170).contains(&counter_after(10, 100_000, &mut rng)));
        assert_eq!(counter_after(0, 300, &mut rng), 255);
    }
}
