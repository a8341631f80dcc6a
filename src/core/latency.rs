//! The latency monitor: events that took longer than latency-monitor-threshold, the worst of each
//! second. Whatever may block the loop adds its time through [`Core::latency_event`]; LATENCY
//! reads.

use super::Core;
use crate::base::clock;

/// Samples kept per event (Redis: LATENCY_TS_LEN).
const SAMPLES: usize = 160;

/// The worst of one second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// Seconds since the epoch; 0 where nothing was sampled.
    pub unix_seconds: u64,
    /// How long the event took.
    pub ms: u64,
}

/// What one event took over time.
#[derive(Clone, Debug)]
pub struct Series {
    /// The event's name.
    pub event: &'static str,
    /// The worst since the last reset.
    pub max_ms: u64,
    samples: Box<[Sample; SAMPLES]>,
    /// Where the next sample goes.
    next: usize,
}

/// Figures about one event.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Analysis {
    /// Samples there are.
    pub samples: u64,
    /// Their mean.
    pub mean_ms: u64,
    /// Their mean deviation from that.
    pub deviation_ms: u64,
    /// Seconds since the oldest of them.
    pub period_seconds: u64,
}

impl Series {
    fn new(event: &'static str) -> Self {
        Series { event, max_ms: 0, samples: Box::new([Sample::default(); SAMPLES]), next: 0 }
    }

    fn add(&mut self, sample: Sample) {
        self.max_ms = self.max_ms.max(sample.ms);
        let last = &mut self.samples[(self.next + SAMPLES - 1) % SAMPLES];
        if last.unix_seconds == sample.unix_seconds {
            last.ms = last.ms.max(sample.ms);
            return;
        }
        self.samples[self.next] = sample;
        self.next = (self.next + 1) % SAMPLES;
    }

    /// All samples, oldest first.
    pub fn samples(&self) -> impl Iterator<Item = Sample> + Clone {
        let (newer, older) = self.samples.split_at(self.next);
        older.iter().chain(newer).copied().filter(|sample| sample.unix_seconds != 0)
    }

    /// The newest sample; a series has at least one.
    pub fn latest(&self) -> Sample {
        self.samples[(self.next + SAMPLES - 1) % SAMPLES]
    }

    /// Mean, deviation and age of the samples.
    pub fn analyze(&self, now_seconds: u64) -> Analysis {
        let samples = self.samples().count() as u64;
        if samples == 0 {
            return Analysis::default();
        }
        let mean_ms = self.samples().map(|s| s.ms).sum::<u64>() / samples;
        let deviations = self.samples().map(|s| s.ms.abs_diff(mean_ms));
        let oldest = self.samples().map(|s| s.unix_seconds).min().unwrap_or(now_seconds);
        Analysis {
            samples,
            mean_ms,
            deviation_ms: deviations.sum::<u64>() / samples,
            period_seconds: now_seconds.saturating_sub(oldest).max(1),
        }
    }
}

/// Time series by event.
#[derive(Debug, Default)]
pub struct LatencyMonitor {
    /// In the order in which the events first happened; there are few.
    series: Vec<Series>,
}

impl LatencyMonitor {
    /// Adds a sample to the series of an event.
    pub fn add(&mut self, event: &'static str, sample: Sample) {
        let known = self.series.iter().position(|series| series.event == event);
        let at = known.unwrap_or_else(|| {
            self.series.push(Series::new(event));
            self.series.len() - 1
        });
        self.series[at].add(sample);
    }

    /// All series.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Series> {
        self.series.iter()
    }

    /// The series of an event, whose name must be spelled exactly.
    pub fn get(&self, event: &[u8]) -> Option<&Series> {
        self.series.iter().find(|series| series.event.as_bytes() == event)
    }

    /// Forgets one event; its name may be in any case. Tells whether there was one.
    pub fn reset(&mut self, event: &[u8]) -> bool {
        let before = self.series.len();
        self.series.retain(|series| !series.event.as_bytes().eq_ignore_ascii_case(event));
        self.series.len() < before
    }

    /// Forgets all events; how many there were.
    pub fn reset_all(&mut self) -> usize {
        std::mem::take(&mut self.series).len()
    }
}

impl Core {
    /// Samples that `event` took `ms`, if that reaches latency-monitor-threshold (0 switches the
    /// monitor off).
    pub fn latency_event(&mut self, event: &'static str, ms: u64) {
        let threshold_ms = self.config.latency_monitor_threshold;
        if threshold_ms > 0 && ms >= threshold_ms {
            // The event began at `now` or later in the same turn.
            let unix_seconds = (self.now.ms() + ms) / 1000;
            self.latency.add(event, Sample { unix_seconds, ms });
        }
    }

    /// When an event begins that [`Core::latency_since`] will sample; no clock is read while the
    /// monitor is off.
    #[inline]
    pub fn latency_start(&self) -> Option<u64> {
        (self.config.latency_monitor_threshold > 0).then(clock::monotonic_us)
    }

    /// Samples an event that has just ended.
    #[inline]
    pub fn latency_since(&mut self, event: &'static str, started_us: Option<u64>) {
        if let Some(started_us) = started_us {
            let elapsed_us = clock::monotonic_us().saturating_sub(started_us);
            self.latency_event(event, elapsed_us / 1000);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monitor(samples: &[(u64, u64)]) -> LatencyMonitor {
        let mut monitor = LatencyMonitor::default();
        for &(unix_seconds, ms) in samples {
            monitor.add("command", Sample { unix_seconds, ms });
        }
        monitor
    }

    #[test]
    fn the_worst_of_a_second_is_kept() {
        let monitor = monitor(&[(100, 5), (100, 9), (100, 7), (101, 3)]);
        let series = monitor.get(b"command").unwrap();
        let seen: Vec<_> = series.samples().map(|s| (s.unix_seconds, s.ms)).collect();
        assert_eq!(seen, [(100, 9), (101, 3)]);
        assert_eq!(series.latest(), Sample { unix_seconds: 101, ms: 3 });
        assert_eq!(series.max_ms, 9);
    }

    #[test]
    fn only_the_newest_samples_are_kept() {
        let samples: Vec<_> = (1..=400).map(|n| (n, n)).collect();
        let monitor = monitor(&samples);
        let series = monitor.get(b"command").unwrap();
        let seen: Vec<_> = series.samples().map(|s| s.unix_seconds).collect();
        assert_eq!(seen, (241..=400).collect::<Vec<_>>());
    }

    #[test]
    fn figures_are_whole_numbers() {
        let monitor = monitor(&[(100, 10), (101, 20), (110, 33)]);
        let series = monitor.get(b"command").unwrap();
        let expected = Analysis { samples: 3, mean_ms: 21, deviation_ms: 8, period_seconds: 20 };
        assert_eq!(series.analyze(120), expected);
        assert_eq!(series.analyze(100).period_seconds, 1);
    }

    #[test]
    fn events_are_reset_in_any_case_and_found_in_theirs() {
        let mut monitor = monitor(&[(1, 1)]);
        monitor.add("fast-command", Sample { unix_seconds: 1, ms: 1 });
        assert!(monitor.get(b"Command").is_none());
        assert!(monitor.reset(b"COMMAND"));
        assert!(!monitor.reset(b"command"));
        assert_eq!(monitor.reset_all(), 1);
        assert_eq!(monitor.iter().len(), 0);
    }
}
