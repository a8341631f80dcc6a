//! LOLWUT: the version, and on request a drawing. The drawings are our own; their parameters are
//! checked as Redis checks those of its own.

use crate::base::rng::Rng;
use crate::config::version::REDIS_VERSION;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::resp::Error;

/// Largest drawing, so that a parameter cannot ask for endless work.
const COLUMNS_MAX: i64 = 1000;
const ROWS_MAX: i64 = 200;

/// LOLWUT [VERSION version [parameter ...]]
pub fn lolwut(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut options = ctx.cursor(1);
    let mut version = None;
    if options.remaining() >= 2 && options.take_word("VERSION") {
        version = Some(options.expect_i64()?);
    }
    let rng = &mut ctx.core.rng;
    let drawing = match version {
        Some(5) => {
            let columns = size(options.next(), 66, COLUMNS_MAX)?;
            let per_row = size(options.next(), 8, COLUMNS_MAX)?;
            let rows = size(options.next(), 12, ROWS_MAX)?;
            disorder(rng, columns, per_row, rows)
        }
        Some(6) => {
            let columns = size(options.next(), 80, COLUMNS_MAX)?;
            let rows = size(options.next(), 20, ROWS_MAX)?;
            skyline(rng, columns, rows)
        }
        _ => String::new(),
    };
    let text = format!("{drawing}Redis ver. {REDIS_VERSION}\n");
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn size(arg: Option<&[u8]>, default: usize, max: i64) -> Result<usize, Error> {
    arg.map_or(Ok(default), |arg| parse_i64(arg).map(|n| n.clamp(1, max) as usize))
}

/// Tiles in rows that fall apart towards the bottom.
fn disorder(rng: &mut Rng, columns: usize, per_row: usize, rows: usize) -> String {
    const TILES: [char; 4] = ['▉', '▊', '▋', '▌'];
    let step = (columns / per_row).max(1);
    let mut text = String::new();
    for row in 0..rows {
        let mut line = vec![' '; columns];
        for tile in 0..per_row.min(columns) {
            // The further down, the further a tile may stray, and the fewer are whole.
            let stray = rng.below((row * step / rows + 1) as u64) as usize;
            let worn = rng.below((row * TILES.len() / rows + 1) as u64) as usize;
            if let Some(place) = line.get_mut(tile * step + stray) {
                *place = TILES[worn.min(TILES.len() - 1)];
            }
        }
        text.push_str(line.iter().collect::<String>().trim_end());
        text.push('\n');
    }
    text + "\n"
}

/// Houses against the sky, with some windows lit.
fn skyline(rng: &mut Rng, columns: usize, rows: usize) -> String {
    let mut heights = Vec::with_capacity(columns);
    while heights.len() < columns {
        let width = 3 + rng.below(6) as usize;
        let height = rng.below(rows as u64) as usize;
        heights.extend(std::iter::repeat_n(height, width.min(columns - heights.len())));
    }
    let mut text = String::new();
    for row in (0..rows).rev() {
        let line: String = heights
            .iter()
            .map(|&height| match (height > row, rng.below(12)) {
                (true, 0 | 1) => '▒',
                (true, _) => '█',
                (false, 0) if row > rows / 2 => '·',
                (false, _) => ' ',
            })
            .collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawings_have_the_size_that_was_asked_for() {
        for (columns, per_row, rows) in [(1, 1, 1), (66, 8, 12), (3, 1000, 200), (1000, 3, 2)] {
            let drawing = disorder(&mut Rng::seeded(1), columns, per_row, rows);
            assert_eq!(drawing.lines().count(), rows + 1);
            assert!(drawing.lines().all(|line| line.chars().count() <= columns));
            let drawing = skyline(&mut Rng::seeded(1), columns, rows);
            assert_eq!(drawing.lines().count(), rows + 1);
            assert!(drawing.lines().all(|line| line.chars().count() <= columns));
        }
    }

    #[test]
    fn sizes_are_bounded() {
        assert_eq!(size(None, 66, 1000), Ok(66));
        assert_eq!(size(Some(b"-5"), 66, 1000), Ok(1));
        assert_eq!(size(Some(b"99999999"), 66, 1000), Ok(1000));
        assert_eq!(size(Some(b"x"), 66, 1000), Err(Error::NotAnInteger));
    }
}
