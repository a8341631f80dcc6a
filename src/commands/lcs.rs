//! LCS: the longest common subsequence of two strings. Quadratic by nature, so its table is bounded
//! by proto-max-bulk-len; keeps one bit per cell of that table where a row of lengths will do for
//! the rest. Reads keys, never writes any.

use super::strings::string_bytes;
use crate::dispatch::{Context, Cursor};
use crate::resp::{Error, Reply};

/// What LCS is to reply.
#[derive(Clone, Copy, Debug, Default)]
struct Options {
    /// IDX: where the matches are.
    indexes: bool,
    /// LEN: only how long the subsequence is.
    length: bool,
    /// WITHMATCHLEN: the length of each match, too.
    match_lengths: bool,
    /// MINMATCHLEN: no shorter matches.
    match_length_min: i64,
}

impl Options {
    fn parse(mut cursor: Cursor<'_>) -> Result<Self, Error> {
        let mut options = Options::default();
        while cursor.remaining() > 0 {
            if cursor.take_word("IDX") {
                options.indexes = true;
            } else if cursor.take_word("LEN") {
                options.length = true;
            } else if cursor.take_word("WITHMATCHLEN") {
                options.match_lengths = true;
            } else if cursor.take_word("MINMATCHLEN") {
                options.match_length_min = cursor.expect_i64()?;
            } else {
                return Err(Error::Syntax);
            }
        }
        if options.length && options.indexes {
            let advice = "If you want both the length and indexes, please just use IDX.";
            return Err(Error::err(advice));
        }
        Ok(options)
    }
}

/// LCS key1 key2 [LEN] [IDX] [MINMATCHLEN len] [WITHMATCHLEN]
pub(super) fn lcs(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (a, b) = (string_bytes(ctx, 1), string_bytes(ctx, 2));
    let (Ok(a), Ok(b)) = (a, b) else {
        return Err(Error::err("The specified keys must contain string values"));
    };
    let options = Options::parse(ctx.cursor(3))?;
    check_size(&a, &b, ctx.core.config.proto_max_bulk_len)?;
    let reply = &mut ctx.client.reply;
    if options.length {
        reply.int(i64::from(length(&a, &b)));
    } else if options.indexes {
        reply_indexes(reply, &a, &b, options);
    } else {
        reply.bulk(&subsequence(&a, &b));
    }
    Ok(())
}

/// Refuses what would need a table (of 32-bit lengths, in Redis) larger than `bytes_max`.
fn check_size(a: &[u8], b: &[u8], bytes_max: usize) -> Result<(), Error> {
    let (rows, columns) = (a.len() as u64 + 1, b.len() as u64 + 1);
    if rows.max(columns) >= u64::from(u32::MAX) {
        return Err(Error::err("String too long for LCS"));
    }
    let bytes = (rows * columns).checked_mul(size_of::<u32>() as u64);
    if bytes.is_none_or(|bytes| bytes > bytes_max as u64) {
        return Err(Error::err(
            "Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len",
        ));
    }
    Ok(())
}

fn reply_indexes(reply: &mut Reply, a: &[u8], b: &[u8], options: Options) {
    let long_enough = |run: &Run| run.len as i64 >= options.match_length_min;
    let mut length = 0;
    let mut shown = Vec::new();
    for run in Runs::new(a, b) {
        length += run.len;
        shown.extend(Some(run).filter(long_enough));
    }
    reply.map(2);
    reply.bulk(b"matches");
    reply.array(shown.len());
    for run in shown {
        reply.array(if options.match_lengths { 3 } else { 2 });
        for first in [run.in_a, run.in_b] {
            reply.array(2);
            reply.int(first as i64);
            reply.int((first + run.len) as i64 - 1);
        }
        if options.match_lengths {
            reply.int(run.len as i64);
        }
    }
    reply.bulk(b"len");
    reply.int(length as i64);
}

fn subsequence(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut backwards = Vec::new();
    for run in Runs::new(a, b) {
        backwards.extend(a[run.in_a..][..run.len].iter().rev());
    }
    backwards.reverse();
    backwards
}

fn length(a: &[u8], b: &[u8]) -> u32 {
    fill(a, b, |_, _| {})
}

/// Computes the lengths for all pairs of prefixes, row by row (a row is a prefix of `a`), and the
/// one for `a` and `b`. Calls `up` with each cell whose last characters differ and where leaving
/// one out of `a` loses nothing but leaving one out of `b` would.
fn fill(a: &[u8], b: &[u8], mut up: impl FnMut(usize, usize)) -> u32 {
    let mut row = vec![0u32; b.len() + 1];
    for (i, &from_a) in a.iter().enumerate() {
        let mut diagonal = 0;
        for (j, &from_b) in b.iter().enumerate() {
            let (above, left) = (row[j + 1], row[j]);
            row[j + 1] = if from_a == from_b {
                diagonal + 1
            } else {
                if above > left {
                    up(i, j);
                }
                above.max(left)
            };
            diagonal = above;
        }
    }
    row[b.len()]
}

/// Characters that follow each other in both strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    /// Index of the first one in `a`.
    in_a: usize,
    /// Index of the first one in `b`.
    in_b: usize,
    len: usize,
}

/// The parts of the subsequence, last one first.
struct Runs<'s> {
    a: &'s [u8],
    b: &'s [u8],
    /// A bit per cell in which the way back goes up.
    up: Vec<u64>,
    /// What is left of `a`.
    i: usize,
    /// What is left of `b`.
    j: usize,
}

impl<'s> Runs<'s> {
    fn new(a: &'s [u8], b: &'s [u8]) -> Self {
        let mut up = vec![0u64; (a.len() * b.len()).div_ceil(64)];
        fill(a, b, |i, j| {
            let cell = i * b.len() + j;
            up[cell / 64] |= 1 << (cell % 64);
        });
        Runs { a, b, up, i: a.len(), j: b.len() }
    }

    /// The characters before this place are the same.
    fn matches(&self) -> bool {
        self.i > 0 && self.j > 0 && self.a[self.i - 1] == self.b[self.j - 1]
    }

    fn goes_up(&self) -> bool {
        let cell = (self.i - 1) * self.b.len() + self.j - 1;
        self.up[cell / 64] >> (cell % 64) & 1 == 1
    }
}

impl Iterator for Runs<'_> {
    type Item = Run;

    fn next(&mut self) -> Option<Run> {
        while self.i > 0 && self.j > 0 {
            if self.matches() {
                let end = self.i;
                while self.matches() {
                    self.i -= 1;
                    self.j -= 1;
                }
                return Some(Run { in_a: self.i, in_b: self.j, len: end - self.i });
            }
            if self.goes_up() {
                self.i -= 1;
            } else {
                self.j -= 1;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsequences() {
        for (a, b, expected) in [
            ("ohmytext", "mynewtext", "mytext"),
            ("", "x", ""),
            ("abc", "abc", "abc"),
            ("abc", "xyz", ""),
        ] {
            assert_eq!(subsequence(a.as_bytes(), b.as_bytes()), expected.as_bytes());
            assert_eq!(length(a.as_bytes(), b.as_bytes()) as usize, expected.len());
        }
    }

    #[test]
    fn runs_come_last_first() {
        let runs: Vec<Run> = Runs::new(b"ohmytext", b"mynewtext").collect();
        let expected = [Run { in_a: 4, in_b: 5, len: 4 }, Run { in_a: 2, in_b: 0, len: 2 }];
        assert_eq!(runs, expected);
    }

    #[test]
    fn tables_are_bounded() {
        assert_eq!(check_size(&[0; 9], &[0; 9], 400), Ok(()));
        assert!(check_size(&[0; 9], &[0; 9], 399).is_err());
    }
}
