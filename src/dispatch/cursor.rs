//! Walks through a command's arguments: options by name, numbers with Redis's errors.

use crate::base::numbers;
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
