//! Figures per second, and recent peaks: what INFO shows as `instantaneous_…` and
//! `client_recent_max_…`. The cron samples them every 100 ms; nothing here is touched per command.

use super::{Client, Core};
use crate::base::clock;

/// Samples that a rate is the mean of (Redis: STATS_METRIC_SAMPLES).
const SAMPLES: usize = 16;

/// One counter's recent growth.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rate {
    samples: [u64; SAMPLES],
    next: usize,
    /// Base and value of the last sample; no base is 0.
    last: (u64, u64),
}

impl Rate {
    /// Adds the growth of `value` per `base`, times `factor`. The first call only sets the starting
    /// point.
    fn sample(&mut self, base: u64, value: u64, factor: u64) {
        let (last_base, last_value) = self.last;
        if last_base > 0 {
            let elapsed = base.saturating_sub(last_base);
            let grown = u128::from(value.saturating_sub(last_value)) * u128::from(factor);
            let rate = grown.checked_div(u128::from(elapsed)).unwrap_or(0);
            self.samples[self.next] = u64::try_from(rate).unwrap_or(u64::MAX);
            self.next = (self.next + 1) % SAMPLES;
        }
        self.last = (base, value);
    }

    /// The mean of the last samples.
    pub fn mean(&self) -> u64 {
        let sum: u128 = self.samples.iter().map(|&n| u128::from(n)).sum();
        (sum / SAMPLES as u128) as u64
    }
}

/// Slots of one second each (Redis: CLIENTS_PEAK_MEM_USAGE_SLOTS).
const PEAK_SECONDS: usize = 8;

/// The largest buffers of the last seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct RecentPeaks {
    by_second: [BufferPeak; PEAK_SECONDS],
    /// The second that was last written to.
    second: u64,
}

/// The largest buffers seen in some time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BufferPeak {
    /// Bytes of a query buffer and of parsed arguments.
    pub input_bytes: usize,
    /// Bytes of replies that wait.
    pub output_bytes: usize,
}

impl BufferPeak {
    fn rise(&mut self, other: BufferPeak) {
        self.input_bytes = self.input_bytes.max(other.input_bytes);
        self.output_bytes = self.output_bytes.max(other.output_bytes);
    }
}

impl RecentPeaks {
    fn note(&mut self, seen: BufferPeak, second: u64) {
        // Whatever was written a whole round ago is no longer recent.
        let passed = second.saturating_sub(self.second).min(PEAK_SECONDS as u64);
        for ago in 0..passed {
            self.by_second[((second - ago) % PEAK_SECONDS as u64) as usize] = BufferPeak::default();
        }
        self.second = self.second.max(second);
        self.by_second[(self.second % PEAK_SECONDS as u64) as usize].rise(seen);
    }

    /// The largest buffers of the last seconds.
    pub fn largest(&self) -> BufferPeak {
        let mut largest = BufferPeak::default();
        self.by_second.iter().for_each(|peak| largest.rise(*peak));
        largest
    }
}

/// All rates of a node.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rates {
    /// Commands per second.
    pub commands: Rate,
    /// Bytes read per second.
    pub net_input: Rate,
    /// Bytes written per second.
    pub net_output: Rate,
    /// Turns of the loop per second.
    pub turns: Rate,
    /// Microseconds of a turn, waiting excepted.
    pub turn_us: Rate,
    /// The largest buffers of clients.
    pub peaks: RecentPeaks,
}

impl Core {
    /// Samples all rates; the cron calls this every 100 ms.
    pub fn sample_rates(&mut self) {
        const PER_SECOND: u64 = 1_000_000;
        let now_us = clock::monotonic_us();
        let (rates, stats) = (&mut self.rates, &self.stats);
        rates.commands.sample(now_us, stats.commands_processed, PER_SECOND);
        rates.net_input.sample(now_us, stats.net_input_bytes, PER_SECOND);
        rates.net_output.sample(now_us, stats.net_output_bytes, PER_SECOND);
        rates.turns.sample(now_us, stats.loop_turns, PER_SECOND);
        rates.turn_us.sample(stats.loop_turns, stats.loop_nanos / 1000, 1);
        // A second without clients must end the peaks of those that were there.
        let second = self.now.seconds();
        self.rates.peaks.note(BufferPeak::default(), second);
    }

    /// Notes how large a client's buffers are; the cron calls this for every client in turn.
    pub fn note_client_buffers(&mut self, token: usize) {
        let Some(client) = self.clients.get(token) else { return };
        let seen = buffers(client);
        self.rates.peaks.note(seen, self.now.seconds());
    }
}

fn buffers(client: &Client) -> BufferPeak {
    let query = &client.query;
    BufferPeak {
        input_bytes: query.used + query.free + query.args,
        output_bytes: client.reply.output.heap_bytes(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_the_mean_of_sixteen_samples() {
        let mut rate = Rate::default();
        rate.sample(1_000_000, 500, 1_000_000);
        assert_eq!(rate.mean(), 0);
        rate.sample(1_100_000, 516, 1_000_000);
        assert_eq!(rate.mean(), 10);
        for n in 2..40 {
            rate.sample(1_000_000 + n * 100_000, 500 + n * 16, 1_000_000);
        }
        assert_eq!(rate.mean(), 160);
    }

    #[test]
    fn a_rate_survives_a_base_that_stands_and_a_counter_that_is_reset() {
        let mut rate = Rate::default();
        rate.sample(5, 5, 1);
        rate.sample(5, 9, 1);
        rate.sample(6, 0, 1);
        assert_eq!(rate.mean(), 0);
    }

    #[test]
    fn peaks_are_forgotten_after_eight_seconds() {
        let big = BufferPeak { input_bytes: 10, output_bytes: 20 };
        let mut peaks = RecentPeaks::default();
        peaks.note(big, 1000);
        peaks.note(BufferPeak { input_bytes: 30, output_bytes: 1 }, 1001);
        assert_eq!(peaks.largest(), BufferPeak { input_bytes: 30, output_bytes: 20 });
        peaks.note(BufferPeak::default(), 1007);
        assert_eq!(peaks.largest(), BufferPeak { input_bytes: 30, output_bytes: 20 });
        peaks.note(BufferPeak::default(), 1008);
        assert_eq!(peaks.largest(), BufferPeak { input_bytes: 30, output_bytes: 1 });
        peaks.note(BufferPeak::default(), 5000);
        assert_eq!(peaks.largest(), BufferPeak::default());
    }
}
