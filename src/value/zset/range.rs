//! Ranges of scores and of members, as arguments of commands say them.

use std::cmp::Ordering;

use crate::base::numbers;

/// What an argument says is no bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoBound;

/// One end of a range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreBound {
    /// The score.
    pub score: f64,
    /// Whether the score itself is outside.
    pub open: bool,
}

impl ScoreBound {
    /// A number, `(` in front of it if it is outside (Redis: zslParseRange).
    pub fn parse(arg: &[u8]) -> Result<Self, NoBound> {
        let (open, text) = match arg {
            [b'(', rest @ ..] => (true, rest),
            _ => (false, arg),
        };
        let score = numbers::strtod(text).ok_or(NoBound)?;
        Ok(ScoreBound { score, open })
    }
}

/// A range of scores.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScoreRange {
    /// The lower end.
    pub min: ScoreBound,
    /// The upper end.
    pub max: ScoreBound,
}

impl ScoreRange {
    /// All scores from one to another, both included.
    pub fn closed(min: f64, max: f64) -> Self {
        let bound = |score| ScoreBound { score, open: false };
        ScoreRange { min: bound(min), max: bound(max) }
    }

    /// Both ends.
    pub fn parse(min: &[u8], max: &[u8]) -> Result<Self, NoBound> {
        Ok(ScoreRange { min: ScoreBound::parse(min)?, max: ScoreBound::parse(max)? })
    }

    /// Whether a score lies below, in or above the range.
    #[inline]
    pub fn place(&self, score: f64) -> Ordering {
        if score < self.min.score || self.min.open && score == self.min.score {
            Ordering::Less
        } else if score > self.max.score || self.max.open && score == self.max.score {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

/// One end of a range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LexBound<'a> {
    /// Before all members.
    Lowest,
    /// Behind all members.
    Highest,
    /// This one, which is inside.
    Closed(&'a [u8]),
    /// This one, which is outside.
    Open(&'a [u8]),
}

impl<'a> LexBound<'a> {
    /// `-`, `+`, or a member behind `[` or `(` (Redis: zslParseLexRangeItem).
    pub fn parse(arg: &'a [u8]) -> Result<Self, NoBound> {
        match arg {
            [b'-'] | [b'-', 0, ..] => Ok(LexBound::Lowest),
            [b'+'] | [b'+', 0, ..] => Ok(LexBound::Highest),
            [b'[', member @ ..] => Ok(LexBound::Closed(member)),
            [b'(', member @ ..] => Ok(LexBound::Open(member)),
            _ => Err(NoBound),
        }
    }
}

/// A range of members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LexRange<'a> {
    /// The lower end.
    pub min: LexBound<'a>,
    /// The upper end.
    pub max: LexBound<'a>,
}

impl<'a> LexRange<'a> {
    /// Both ends.
    pub fn parse(min: &'a [u8], max: &'a [u8]) -> Result<Self, NoBound> {
        Ok(LexRange { min: LexBound::parse(min)?, max: LexBound::parse(max)? })
    }

    /// Whether a member lies below, in or above the range.
    #[inline]
    pub fn place(&self, member: &[u8]) -> Ordering {
        let below = match self.min {
            LexBound::Lowest => false,
            LexBound::Highest => true,
            LexBound::Closed(min) => member < min,
            LexBound::Open(min) => member <= min,
        };
        let above = match self.max {
            LexBound::Lowest => true,
            LexBound::Highest => false,
            LexBound::Closed(max) => member > max,
            LexBound::Open(max) => member >= max,
        };
        if below {
            Ordering::Less
        } else if above {
            Ordering::Greater
        } else {
            Ordering::Equal
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_scores() {
        let good: [(&str, f64, bool); 10] = [
            ("1.5", 1.5, false),
            ("(1.5", 1.5, true),
            ("-inf", f64::NEG_INFINITY, false),
            ("(+inf", f64::INFINITY, true),
            ("(", 0.0, true),
            ("", 0.0, false),
            (" 7", 7.0, false),
            ("1e999", f64::INFINITY, false),
            ("0x10", 16.0, false),
            ("3\0x", 3.0, false),
        ];
        for (text, score, open) in good {
            let bound = ScoreBound::parse(text.as_bytes());
            assert_eq!(bound, Ok(ScoreBound { score, open }), "{text}");
        }
        for text in ["x", "nan", "(nan", "1 ", "((1", " ", "1.2.3", "inf1"] {
            assert_eq!(ScoreBound::parse(text.as_bytes()), Err(NoBound), "{text}");
        }
    }

    #[test]
    fn places_of_scores() {
        let place = |min: &str, max: &str, score| {
            ScoreRange::parse(min.as_bytes(), max.as_bytes()).unwrap().place(score)
        };
        assert_eq!(place("1", "2", 1.0), Ordering::Equal);
        assert_eq!(place("(1", "2", 1.0), Ordering::Less);
        assert_eq!(place("1", "(2", 2.0), Ordering::Greater);
        assert_eq!(place("-inf", "+inf", f64::INFINITY), Ordering::Equal);
        assert_eq!(place("-0", "0", 0.0), Ordering::Equal);
    }

    #[test]
    fn places_of_members() {
        let place = |min: &str, max: &str, member: &str| {
            let range = LexRange::parse(min.as_bytes(), max.as_bytes());
            range.unwrap().place(member.as_bytes())
        };
        assert_eq!(place("-", "+", ""), Ordering::Equal);
        assert_eq!(place("+", "-", "a"), Ordering::Less);
        assert_eq!(place("[a", "(c", "a"), Ordering::Equal);
        assert_eq!(place("(a", "[c", "a"), Ordering::Less);
        assert_eq!(place("(a", "(c", "c"), Ordering::Greater);
        for text in ["", "a", "-x", "+x", "(a "] {
            let parsed = LexBound::parse(text.as_bytes());
            assert_eq!(parsed.is_err(), text != "(a ", "{text}");
        }
    }
}
