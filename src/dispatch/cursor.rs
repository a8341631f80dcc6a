//! Walks through a command's arguments: options by name, numbers and timeouts with Redis's errors.

use crate::base::long_double::LongDouble;
use crate::base::numbers;
use crate::core::blocking::Deadline;
use crate::resp::{Args, Error};

/// A place among the arguments.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'a> {
    args: Args<'a>,
    next: usize,
}

impl<'a> Cursor<'a> {
    /// Starts at argument `first`.
    pub fn new(args: Args<'a>, first: usize) -> Self {
        Cursor { args, next: first }
    }

    /// Arguments that are left.
    pub fn remaining(&self) -> usize {
        self.args.len().saturating_sub(self.next)
    }

    /// Index of the next argument.
    pub fn position(&self) -> usize {
        self.next
    }

    /// The next argument without moving on.
    pub fn peek(&self) -> Option<&'a [u8]> {
        self.args.get(self.next)
    }

    /// The next argument; a syntax error where there is none.
    pub fn expect(&mut self) -> Result<&'a [u8], Error> {
        self.next().ok_or(Error::Syntax)
    }

    /// Moves past the next argument if it is `word`, in any case.
    pub fn take_word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|arg| arg.eq_ignore_ascii_case(word.as_bytes()));
        self.next += usize::from(found);
        found
    }

    /// The next argument as a 64-bit integer.
    pub fn expect_i64(&mut self) -> Result<i64, Error> {
        parse_i64(self.expect()?)
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Error> {
        if self.remaining() == 0 { Ok(()) } else { Err(Error::Syntax) }
    }
}

impl<'a> Iterator for Cursor<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let arg = self.peek()?;
        self.next += 1;
        Some(arg)
    }
}

/// An argument as a 64-bit integer.
pub fn parse_i64(arg: &[u8]) -> Result<i64, Error> {
    numbers::parse_i64(arg).ok_or(Error::NotAnInteger)
}

/// An argument as an integer of a range, with Redis's words for one outside of it.
pub fn parse_range(arg: &[u8], min: i64, max: i64) -> Result<i64, Error> {
    let n = parse_i64(arg)?;
    if (min..=max).contains(&n) {
        return Ok(n);
    }
    Err(if min == 0 && max == i64::MAX {
        Error::Custom("ERR value is out of range, must be positive".into())
    } else {
        Error::err(format_args!("value is out of range, value must between {min} and {max}"))
    })
}

/// An argument as a 32-bit integer, such as a database's index.
pub fn parse_i32(arg: &[u8]) -> Result<i32, Error> {
    parse_range(arg, i32::MIN.into(), i32::MAX.into()).map(|n| n as i32)
}

/// A timeout in seconds, with a fraction perhaps, as the time when it is over.
pub fn parse_timeout_s(arg: &[u8], now_ms: u64) -> Result<Deadline, Error> {
    const WORDS: &str = "timeout is not a float or out of range";
    let seconds = LongDouble::parse(arg).ok_or_else(|| Error::err(WORDS))?;
    deadline(seconds.thousandfold_ceil(), now_ms)
}

/// A timeout in milliseconds, as the time when it is over.
pub fn parse_timeout_ms(arg: &[u8], now_ms: u64) -> Result<Deadline, Error> {
    let ms = numbers::parse_i64(arg).ok_or(Error::TimeoutNotAnInteger)?;
    deadline(ms.into(), now_ms)
}

/// Zero is no timeout; the time itself must fit a signed number.
fn deadline(timeout_ms: i128, now_ms: u64) -> Result<Deadline, Error> {
    let at = timeout_ms.saturating_add(now_ms.into());
    match timeout_ms {
        ..0 => Err(Error::TimeoutNegative),
        0 => Ok(Deadline::Never),
        _ if at > i64::MAX.into() => Err(Error::TimeoutOutOfRange),
        _ => Ok(Deadline::At(at as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_in_seconds() {
        let parse =
            |text: &str| parse_timeout_s(text.as_bytes(), 1000).map_err(|error| error.to_string());
        for (text, ms) in [
            ("1", 2000),
            ("0.001", 1001),
            ("0.0001", 1001),
            ("0.07", 1070),
            ("1e3", 1_001_000),
            ("0x10", 17_000),
            ("9223372036854774", 9_223_372_036_854_775_000),
        ] {
            assert_eq!(parse(text), Ok(Deadline::At(ms)), "{text}");
        }
        // In extended doubles, -0.001 times a thousand is above -1.
        for text in ["0", "0.0", "-0", "-0.0005", "-0.001"] {
            assert_eq!(parse(text), Ok(Deadline::Never), "{text}");
        }
        for text in ["-1", "-0.0011", "-inf"] {
            assert_eq!(parse(text), Err("ERR timeout is negative".into()), "{text}");
        }
        for text in ["9223372036854775", "1e30", "inf"] {
            assert_eq!(parse(text), Err("ERR timeout is out of range".into()), "{text}");
        }
        for text in ["", "x", "1 ", " 1", "nan", "1e99999"] {
            let words = "ERR timeout is not a float or out of range";
            assert_eq!(parse(text), Err(words.into()), "{text}");
        }
    }

    #[test]
    fn timeouts_in_milliseconds() {
        let parse =
            |text: &str| parse_timeout_ms(text.as_bytes(), 1000).map_err(|error| error.to_string());
        assert_eq!(parse("1"), Ok(Deadline::At(1001)));
        assert_eq!(parse("0"), Ok(Deadline::Never));
        assert_eq!(parse("-1"), Err("ERR timeout is negative".into()));
        assert_eq!(parse("9223372036854775807"), Err("ERR timeout is out of range".into()));
        let words = "ERR timeout is not an integer or out of range";
        assert_eq!(parse("1.5"), Err(words.into()));
        assert_eq!(parse("9223372036854775808"), Err(words.into()));
    }
}
