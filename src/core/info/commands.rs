//! INFO and LATENCY HISTOGRAM of single commands and of error codes.

use hdrhistogram::Histogram;

use super::Page;
use crate::core::stats::{CommandStats, LATENCY_NANOS_MAX};
use crate::core::{Client, Core};

/// The upper bound of the first bucket that LATENCY HISTOGRAM shows; each further one is twice as
/// wide.
const FIRST_BUCKET_NANOS: u64 = 1024;

pub(super) fn commandstats(core: &Core, _: Option<&Client>, page: &mut Page) {
    for (name, stats) in by_name(core) {
        if stats.calls == 0 && stats.failed == 0 && stats.rejected == 0 {
            continue;
        }
        let micros = stats.nanos / 1000;
        let per_call = if stats.calls == 0 { 0.0 } else { micros as f64 / stats.calls as f64 };
        page.line(format_args!(
            "cmdstat_{name}:calls={},usec={micros},usec_per_call={per_call:.2},\
             rejected_calls={},failed_calls={}",
            stats.calls, stats.rejected, stats.failed
        ));
    }
}

pub(super) fn latencystats(core: &Core, _: Option<&Client>, page: &mut Page) {
    if !core.config.latency_tracking {
        return;
    }
    let percentiles = &core.config.latency_tracking_info_percentiles.0;
    for (name, stats) in by_name(core) {
        let Some(histogram) = &stats.latency else { continue };
        let figures = percentiles.iter().map(|&percentile| {
            let micros = percentile_nanos(histogram, percentile) as f64 / 1000.0;
            format!("p{}={micros:.3}", trimmed(percentile))
        });
        let figures = figures.collect::<Vec<_>>().join(",");
        page.line(format_args!("latency_percentiles_usec_{name}:{figures}"));
    }
}

pub(super) fn errorstats(core: &Core, _: Option<&Client>, page: &mut Page) {
    for (code, count) in &core.stats.errors {
        page.line(format_args!("errorstat_{}:count={count}", safe(code)));
    }
}

fn by_name(core: &Core) -> impl Iterator<Item = (&'static str, &CommandStats)> {
    core.identity.command_names.iter().copied().zip(&core.stats.commands)
}

/// An error code without what has a meaning in INFO (Redis: getSafeInfoString).
fn safe(code: &[u8]) -> String {
    String::from_utf8_lossy(code).replace(['#', ':', '\n', '\r'], "_")
}

/// A number with up to six decimals.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.6}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The duration that `percentile` percent of all calls did not exceed. Rounds to the nearest call,
/// as Redis does, where the crate's own method would round up.
pub fn percentile_nanos(histogram: &Histogram<u64>, percentile: f64) -> u64 {
    let share = percentile.min(100.0) / 100.0;
    let wanted = ((share * histogram.len() as f64 + 0.5) as u64).max(1);
    let mut counted = 0;
    for step in histogram.iter_recorded() {
        counted += step.count_at_value();
        if counted >= wanted {
            let nanos = step.value_iterated_to();
            return if percentile == 0.0 {
                histogram.lowest_equivalent(nanos)
            } else {
                histogram.highest_equivalent(nanos)
            };
        }
    }
    0
}

/// How many calls took at most so many microseconds, for bounds that double, where that number
/// grows.
pub fn cumulative_histogram(histogram: &Histogram<u64>) -> Vec<(u64, u64)> {
    // The last bound is where the histogram itself ends.
    let range_max = LATENCY_NANOS_MAX.next_power_of_two() - 1;
    let mut bound = histogram.highest_equivalent(FIRST_BUCKET_NANOS);
    let mut next_level = FIRST_BUCKET_NANOS;
    let mut counted = 0;
    let mut buckets: Vec<(u64, u64)> = Vec::new();
    for step in histogram.iter_recorded() {
        while step.value_iterated_to() > bound {
            next_level *= 2;
            bound = histogram.highest_equivalent(next_level).min(range_max);
        }
        counted += step.count_at_value();
        let micros = bound / 1000;
        match buckets.last_mut() {
            Some(last) if last.0 == micros => last.1 = counted,
            _ => buckets.push((micros, counted)),
        }
    }
    buckets
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(micros: &[u64]) -> Histogram<u64> {
        let mut stats = CommandStats::default();
        micros.iter().for_each(|us| stats.record_latency(us * 1000));
        *stats.latency.unwrap()
    }

    /// What Redis 7.2 shows for the same durations.
    #[test]
    fn percentiles_are_those_of_redis() {
        let shown = |micros: &[u64], percentile| {
            format!("{:.3}", percentile_nanos(&recorded(micros), percentile) as f64 / 1000.0)
        };
        assert_eq!(shown(&[3], 50.0), "3.007");
        assert_eq!(shown(&[18], 99.9), "18.047");
        assert_eq!(shown(&[24, 41], 50.0), "24.063");
        assert_eq!(shown(&[24, 41], 99.0), "41.215");
        assert_eq!(shown(&[399], 100.0), "399.359");
        assert_eq!(shown(&[1, 2, 3, 4], 30.0), "1.003");
        assert_eq!(shown(&[1277], 0.0), "1269.760");
    }

    #[test]
    fn histograms_are_cumulative_in_powers_of_two() {
        assert_eq!(
            cumulative_histogram(&recorded(&[4, 4, 4, 7, 8, 8, 34])),
            [(4, 3), (8, 6), (66, 7)]
        );
        assert_eq!(cumulative_histogram(&recorded(&[24, 41])), [(33, 1), (66, 2)]);
        assert_eq!(cumulative_histogram(&recorded(&[200])), [(264, 1)]);
        assert_eq!(cumulative_histogram(&recorded(&[600_000])), [(1_073_741, 1)]);
        assert_eq!(cumulative_histogram(&recorded(&[5_000_000])), [(1_073_741, 1)]);
    }

    #[test]
    fn numbers_have_no_trailing_zeros() {
        assert_eq!([0.0, 50.0, 99.9, 99.99].map(trimmed), ["0", "50", "99.9", "99.99"]);
    }

    #[test]
    fn error_codes_cannot_break_the_page() {
        assert_eq!(safe(b"ERR"), "ERR");
        assert_eq!(safe(b"A:B#\r\n"), "A_B___");
    }
}
