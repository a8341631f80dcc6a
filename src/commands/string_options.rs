//! Options of SET and GETEX, and the expiry that they, SETEX and PSETEX carry. Called by the string
//! commands before they touch anything; must never look at keys or at a clock.

use crate::dispatch::cursor::{Cursor, parse_i64};
use crate::resp::Error;

/// What must be true of the key for SET to write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Condition {
    /// Nothing.
    #[default]
    Always,
    /// NX: there is no such key.
    Absent,
    /// XX: there is one.
    Present,
}

/// The unit and the origin of a time on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// EX: seconds from the present.
    SecondsFromNow,
    /// PX: milliseconds from the present.
    MillisFromNow,
    /// EXAT: seconds of the Unix epoch.
    UnixSeconds,
    /// PXAT: milliseconds of the Unix epoch.
    UnixMillis,
}

impl Clock {
    /// Counted from the present.
    pub(super) fn is_relative(self) -> bool {
        matches!(self, Clock::SecondsFromNow | Clock::MillisFromNow)
    }

    /// Counted in seconds.
    pub(super) fn is_in_seconds(self) -> bool {
        matches!(self, Clock::SecondsFromNow | Clock::UnixSeconds)
    }
}

/// A time as it was written. Redis reads the number later than the options: SET refuses a bad
/// option first, and GETEX of a missing key never looks at the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Deadline<'a> {
    /// How the number counts.
    pub(super) clock: Clock,
    /// The number, unparsed.
    pub(super) text: &'a [u8],
}

impl Deadline<'_> {
    /// Milliseconds since the epoch; `command` is named by the error for a time that is not
    /// positive or does not fit.
    pub(super) fn resolve(self, now_ms: i64, command: &'static str) -> Result<i64, Error> {
        let number = parse_i64(self.text)?;
        let scale = if self.clock.is_in_seconds() { 1000 } else { 1 };
        let origin = if self.clock.is_relative() { now_ms } else { 0 };
        Some(number)
            .filter(|&n| n > 0)
            .and_then(|n| n.checked_mul(scale)?.checked_add(origin))
            .ok_or(Error::InvalidExpire(command.into()))
    }
}

/// What an option says about the key's expiry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expiry<'a> {
    /// Nothing: SET removes it, GETEX leaves it.
    #[default]
    Unsaid,
    /// KEEPTTL.
    Keep,
    /// PERSIST.
    Persist,
    /// EX, PX, EXAT or PXAT.
    At(Deadline<'a>),
}

impl<'a> Expiry<'a> {
    /// The same option may come again, the last one counting; two different ones are an error.
    fn say(&mut self, option: Expiry<'a>) -> Result<(), Error> {
        let agrees = match (*self, option) {
            (Expiry::Unsaid, _) => true,
            (Expiry::At(old), Expiry::At(new)) => old.clock == new.clock,
            (old, new) => old == new,
        };
        *self = option;
        if agrees { Ok(()) } else { Err(Error::Syntax) }
    }

    /// Reads one of the options that SET and GETEX share, if it comes next.
    fn take_deadline(&mut self, cursor: &mut Cursor<'a>) -> Result<bool, Error> {
        let clock = if cursor.take_word("EX") {
            Clock::SecondsFromNow
        } else if cursor.take_word("PX") {
            Clock::MillisFromNow
        } else if cursor.take_word("EXAT") {
            Clock::UnixSeconds
        } else if cursor.take_word("PXAT") {
            Clock::UnixMillis
        } else {
            return Ok(false);
        };
        self.say(Expiry::At(Deadline { clock, text: cursor.expect()? }))?;
        Ok(true)
    }
}

/// All options of SET.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetOptions<'a> {
    /// NX or XX.
    pub(super) condition: Condition,
    /// GET: the reply is the old value.
    pub(super) get: bool,
    /// What becomes of the expiry.
    pub(super) expiry: Expiry<'a>,
}

impl<'a> SetOptions<'a> {
    /// Reads all that is left.
    pub(super) fn parse(mut cursor: Cursor<'a>) -> Result<Self, Error> {
        let mut options = SetOptions::default();
        while cursor.remaining() > 0 {
            if cursor.take_word("NX") {
                options.require(Condition::Absent)?;
            } else if cursor.take_word("XX") {
                options.require(Condition::Present)?;
            } else if cursor.take_word("GET") {
                options.get = true;
            } else if cursor.take_word("KEEPTTL") {
                options.expiry.say(Expiry::Keep)?;
            } else if !options.expiry.take_deadline(&mut cursor)? {
                return Err(Error::Syntax);
            }
        }
        Ok(options)
    }

    fn require(&mut self, condition: Condition) -> Result<(), Error> {
        let agrees = [Condition::Always, condition].contains(&self.condition);
        self.condition = condition;
        if agrees { Ok(()) } else { Err(Error::Syntax) }
    }
}

/// Reads the options of GETEX.
pub(super) fn parse_getex(mut cursor: Cursor<'_>) -> Result<Expiry<'_>, Error> {
    let mut expiry = Expiry::default();
    while cursor.remaining() > 0 {
        if cursor.take_word("PERSIST") {
            expiry.say(Expiry::Persist)?;
        } else if !expiry.take_deadline(&mut cursor)? {
            return Err(Error::Syntax);
        }
    }
    Ok(expiry)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn set(line: &str) -> Result<(Condition, bool, bool), Error> {
        let args = OwnedArgs::from_parts(line.split(' ').map(str::as_bytes));
        let options = SetOptions::parse(Cursor::new(args.args(), 1))?;
        Ok((options.condition, options.get, options.expiry != Expiry::Unsaid))
    }

    #[test]
    fn options_that_repeat_agree_and_options_that_differ_do_not() {
        assert_eq!(set("set nx NX get GET"), Ok((Condition::Absent, true, false)));
        assert_eq!(set("set EX 1 ex 2"), Ok((Condition::Always, false, true)));
        assert_eq!(set("set KEEPTTL XX keepttl"), Ok((Condition::Present, false, true)));
        for line in ["nx xx", "EX 1 PX 1", "EX 1 EXAT 1", "KEEPTTL EX 1", "PX", "EX 1 KEEPTTL"] {
            assert_eq!(set(&format!("set {line}")), Err(Error::Syntax), "{line}");
        }
    }

    #[test]
    fn deadlines_neither_wrap_nor_lie_before_the_epoch() {
        let at = |clock, text: &str| Deadline { clock, text: text.as_bytes() }.resolve(5, "set");
        let invalid = Err(Error::InvalidExpire("set".into()));
        assert_eq!(at(Clock::SecondsFromNow, "2"), Ok(2005));
        assert_eq!(at(Clock::MillisFromNow, "2"), Ok(7));
        assert_eq!(at(Clock::UnixSeconds, "2"), Ok(2000));
        assert_eq!(at(Clock::UnixMillis, "9223372036854775807"), Ok(i64::MAX));
        assert_eq!(at(Clock::MillisFromNow, "9223372036854775807"), invalid);
        assert_eq!(at(Clock::UnixSeconds, "9223372036854775"), Ok(9_223_372_036_854_775_000));
        assert_eq!(at(Clock::UnixSeconds, "9223372036854776"), invalid);
        assert_eq!(at(Clock::UnixMillis, "0"), invalid);
        assert_eq!(at(Clock::UnixMillis, "x"), Err(Error::NotAnInteger));
    }
}
