//! LATENCY GRAPH: a series as lines of text, four rows high, each sample one column with its age
//! below it.

use crate::core::latency::Series;

const COLUMNS: usize = 80;
const ROWS: usize = 4;
/// What a row shows for the three levels that it tells apart, lowest first.
const LEVELS: [char; 3] = ['_', 'o', '#'];
/// What a row shows where a column passes through it.
const PASSED: char = '|';
const STEPS: usize = ROWS * LEVELS.len();

/// One sample: how high its column is, and how old it is.
struct Column {
    step: usize,
    label: String,
}

/// The graph of a series, which has at least one sample.
pub(super) fn render(series: &Series, now_seconds: u64) -> String {
    let samples: Vec<_> = series.samples().collect();
    let low = samples.iter().map(|s| s.ms).min().unwrap_or(0);
    let high = samples.iter().map(|s| s.ms).max().unwrap_or(0);
    let mut text = format!(
        "{} - high {high} ms, low {low} ms (all time high {} ms)\n{}\n",
        series.event,
        series.max_ms,
        "-".repeat(COLUMNS)
    );
    let span = (high - low).max(1);
    let columns: Vec<Column> = samples
        .iter()
        .map(|sample| {
            let relative = u128::from(sample.ms - low) * STEPS as u128 / u128::from(span);
            let age = now_seconds.saturating_sub(sample.unix_seconds);
            Column { step: (relative as usize).min(STEPS - 1), label: age_label(age) }
        })
        .collect();
    for (index, part) in columns.chunks(COLUMNS).enumerate() {
        if index > 0 {
            text.push('\n');
        }
        draw(&mut text, part);
    }
    text
}

fn draw(text: &mut String, columns: &[Column]) {
    for row in (0..ROWS).rev() {
        push_line(text, columns, |column| match column.step.checked_sub(row * LEVELS.len()) {
            Some(level) => LEVELS.get(level).copied().unwrap_or(PASSED),
            None => ' ',
        });
    }
    push_line(text, columns, |_| ' ');
    let longest = columns.iter().map(|column| column.label.len()).max().unwrap_or(0);
    for place in 0..longest {
        push_line(text, columns, |column| {
            column.label.as_bytes().get(place).map_or(' ', |&byte| char::from(byte))
        });
    }
}

fn push_line(text: &mut String, columns: &[Column], show: impl Fn(&Column) -> char) {
    text.extend(columns.iter().map(show));
    text.push('\n');
}

/// How long ago something was, in its greatest unit.
fn age_label(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{}m", seconds / 60),
        3600..86_400 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::latency::{LatencyMonitor, Sample};

    fn series(samples: &[(u64, u64)]) -> LatencyMonitor {
        let mut monitor = LatencyMonitor::default();
        for &(unix_seconds, ms) in samples {
            monitor.add("command", Sample { unix_seconds, ms });
        }
        monitor
    }

    #[test]
    fn columns_rise_with_the_latency() {
        let monitor = series(&[(1000, 300), (1001, 400), (1070, 500)]);
        let graph = render(monitor.get(b"command").unwrap(), 1070);
        let expected = format!(
            "command - high 500 ms, low 300 ms (all time high 500 ms)\n{}\n\
             \x20 #\n _|\n ||\n_||\n   \n110\nmms\n",
            "-".repeat(80)
        );
        assert_eq!(graph, expected);
    }

    #[test]
    fn ages_have_one_unit() {
        assert_eq!(
            [0, 59, 60, 3599, 3600, 86_399, 86_400].map(age_label),
            ["0s", "59s", "1m", "59m", "1h", "23h", "1d"]
        );
    }

    #[test]
    fn long_series_are_drawn_in_parts() {
        let samples: Vec<_> = (1..=100).map(|n| (n, 7)).collect();
        let monitor = series(&samples);
        let graph = render(monitor.get(b"command").unwrap(), 100);
        let widths: Vec<_> = graph.lines().skip(2).map(str::len).collect();
        assert_eq!(widths, [[80; 8].as_slice(), &[0], &[20; 8]].concat());
    }
}
