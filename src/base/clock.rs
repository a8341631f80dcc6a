//! The only place that reads time. Everything else is handed `now`.

use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Wall clock, in microseconds since the Unix epoch.
pub fn unix_us() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_micros() as u64)
}

/// Wall clock, in milliseconds since the Unix epoch.
pub fn unix_ms() -> u64 {
    unix_us() / 1000
}

/// The monotonic clock, in microseconds since the process first asked for it.
pub fn monotonic_us() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_micros() as u64
}

/// A point on the monotonic clock, for deadlines.
pub fn instant() -> Instant {
    Instant::now()
}

/// A point on the processor's time stamp counter: a fraction of the cost of a clock call, so that
/// every command can be timed.
#[derive(Clone, Copy, Debug)]
pub struct CycleClock(u64);

static CYCLES: LazyLock<quanta::Clock> = LazyLock::new(quanta::Clock::new);

impl CycleClock {
    /// Reads the counter.
    #[inline]
    pub fn now() -> Self {
        CycleClock(CYCLES.raw())
    }

    /// Nanoseconds since then.
    #[inline]
    pub fn elapsed_ns(self) -> u64 {
        CycleClock::now().ns_since(self)
    }

    /// Nanoseconds from an earlier point to this one.
    #[inline]
    pub fn ns_since(self, earlier: CycleClock) -> u64 {
        CYCLES.delta_as_nanos(earlier.0, self.0)
    }
}

/// Times what follows closely: one reading of the counter is the end of one thing and the start of
/// the next.
#[derive(Debug, Default)]
pub struct LapClock(Option<CycleClock>);

impl LapClock {
    /// Something starts: where the last one ended, or now.
    #[inline]
    pub fn start(&mut self) -> CycleClock {
        self.0.take().unwrap_or_else(CycleClock::now)
    }

    /// Something ended at this point, and the next thing starts at once.
    #[inline]
    pub fn lap(&mut self, ended: CycleClock) {
        self.0 = Some(ended);
    }

    /// What happens now belongs to nothing that is timed.
    #[inline]
    pub fn pause(&mut self) {
        self.0 = None;
    }
}

/// A point on the monotonic clock, for measuring durations.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring now.
    pub fn start() -> Self {
        Stopwatch(Instant::now())
    }

    /// Microseconds since the start.
    pub fn elapsed_us(&self) -> u64 {
        self.0.elapsed().as_micros() as u64
    }

    /// Nanoseconds since the start.
    pub fn elapsed_ns(&self) -> u64 {
        self.0.elapsed().as_nanos() as u64
    }
}

/// Holds the calling thread up (DEBUG SLEEP, and delays before a restart).
pub fn sleep(duration: std::time::Duration) {
    std::thread::sleep(duration);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lap_starts_where_the_last_one_ended_unless_there_was_a_pause() {
        let mut laps = LapClock::default();
        let ended = CycleClock::now();
        laps.lap(ended);
        assert_eq!(laps.start().ns_since(ended), 0);
        laps.lap(ended);
        laps.pause();
        while ended.elapsed_ns() == 0 {}
        assert!(laps.start().ns_since(ended) > 0);
    }
}
