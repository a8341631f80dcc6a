//! The types a directive's value may have: how each is read from words, shown by CONFIG GET and
//! written by CONFIG REWRITE. Pure; the table in `directives` names one of these types per
//! directive.

use std::borrow::Cow;

use crate::base::numbers;
use crate::base::text::repr;

const NOT_AN_INTEGER: &str = "argument couldn't be parsed into an integer";

/// Why a value was refused, in Redis's words.
pub type Words = Cow<'static, str>;

/// A type that a directive's value may have.
pub trait Setting: Clone + PartialEq {
    /// What a single directive adds to its type: a range, a check.
    type Rule: 'static;

    /// Reads the words of a directive. Most types forget what the value was `before`; some change a
    /// part of it.
    fn parse(rule: &Self::Rule, args: &[&[u8]], before: Before<'_, Self>) -> Result<Self, Words>;

    /// The value as CONFIG GET shows it.
    fn show(&self, rule: &Self::Rule) -> Vec<u8>;

    /// What CONFIG REWRITE makes of it.
    fn rewrite(&self, rule: &Self::Rule, default: &Self) -> Rewrite;
}

/// The value that a directive has when new words for it arrive.
#[derive(Clone, Copy, Debug)]
pub struct Before<'a, T> {
    /// That value.
    pub value: &'a T,
    /// The words come from a file or the command line, whose lines may add up.
    pub adding: bool,
}

/// What CONFIG REWRITE does with a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Every line of it goes.
    Remove,
    /// These lines stand for it.
    Lines(Vec<RewriteLine>),
}

/// One line that CONFIG REWRITE writes for a directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RewriteLine {
    /// What follows the directive's name, quoted where needed.
    pub value: Vec<u8>,
    /// Written even when the old file has no such line: the value is not the default.
    pub force: bool,
}

impl Rewrite {
    /// One line.
    pub fn line(value: Vec<u8>, force: bool) -> Self {
        Rewrite::Lines(vec![RewriteLine { value, force }])
    }
}

/// Whether two words are equal, ASCII case ignored.
pub(crate) fn eq_ignore_case(word: &str, bytes: &[u8]) -> bool {
    word.as_bytes().eq_ignore_ascii_case(bytes)
}

/// The one word of a directive that takes one; the callers of `parse` have checked that there is
/// one, and whatever else arrives counts as empty.
fn single<'a>(args: &[&'a [u8]]) -> &'a [u8] {
    args.first().copied().unwrap_or_default()
}

/// What stands before the first NUL: Redis keeps most of its settings as C strings.
pub(crate) fn c_string(bytes: &[u8]) -> &[u8] {
    bytes.split(|b| *b == 0).next().unwrap_or_default()
}

impl Setting for bool {
    type Rule = BoolRule;

    fn parse(rule: &BoolRule, args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        let value = match single(args) {
            word if eq_ignore_case("yes", word) => true,
            word if eq_ignore_case("no", word) => false,
            _ => return Err("argument must be 'yes' or 'no'".into()),
        };
        match rule {
            BoolRule::NeverTrue(words) if value => Err((*words).into()),
            _ => Ok(value),
        }
    }

    fn show(&self, _: &BoolRule) -> Vec<u8> {
        if *self { b"yes".to_vec() } else { b"no".to_vec() }
    }

    fn rewrite(&self, rule: &BoolRule, default: &Self) -> Rewrite {
        Rewrite::line(self.show(rule), self != default)
    }
}

/// What limits a yes/no directive.
#[derive(Clone, Copy, Debug)]
pub enum BoolRule {
    /// Both are fine.
    Any,
    /// `yes` is refused with these words.
    NeverTrue(&'static str),
}

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Plain,
    Memory,
    MemoryOrPercent,
    Octal,
}

/// The range of a number, and how it is written.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    lower: i128,
    upper: i128,
    unit: Unit,
}

impl Range {
    /// A plain decimal number.
    pub const fn plain(lower: i128, upper: i128) -> Self {
        Range { lower, upper, unit: Unit::Plain }
    }

    /// Bytes, with an optional unit (`100mb`).
    pub const fn memory(lower: i128, upper: i128) -> Self {
        Range { lower, upper, unit: Unit::Memory }
    }

    /// Bytes, or percents of something, which are kept as a negative number.
    pub const fn memory_or_percent(percent_max: i128, upper: i128) -> Self {
        Range { lower: -percent_max, upper, unit: Unit::MemoryOrPercent }
    }

    /// Permission bits.
    pub const fn octal(lower: i128, upper: i128) -> Self {
        Range { lower, upper, unit: Unit::Octal }
    }

    fn read(&self, word: &[u8]) -> Result<i128, Words> {
        let percent = || word.strip_suffix(b"%").and_then(decimal).filter(|n| *n >= 0);
        let (value, words) = match self.unit {
            Unit::Plain => (decimal(word).map(i128::from), NOT_AN_INTEGER),
            Unit::Memory => (memory(word).map(i128::from), "argument must be a memory value"),
            Unit::MemoryOrPercent => (
                memory(word).map(i128::from).or_else(|| percent().map(|n| -i128::from(n))),
                "argument must be a memory or percent value",
            ),
            Unit::Octal => {
                (octal(word).map(i128::from), "argument couldn't be parsed as an octal number")
            }
        };
        value.ok_or(Cow::Borrowed(words))
    }

    fn check(&self, value: i128) -> Result<i128, Words> {
        if (self.lower..=self.upper).contains(&value) {
            return Ok(value);
        }
        let (lower, upper) = (self.lower, self.upper);
        Err(Cow::Owned(match self.unit {
            Unit::MemoryOrPercent if value < 0 => {
                format!("percentage argument must be less or equal to {}", -lower)
            }
            Unit::Octal => format!("argument must be between {lower:o} and {upper:o} inclusive"),
            _ => format!("argument must be between {lower} and {upper} inclusive"),
        }))
    }

    fn show(&self, value: i128) -> String {
        match self.unit {
            Unit::MemoryOrPercent if value < 0 => format!("{}%", -value),
            Unit::Octal => format!("{value:o}"),
            _ => value.to_string(),
        }
    }

    fn rewritten(&self, value: i128) -> String {
        match self.unit {
            Unit::Memory => format_memory(value),
            Unit::MemoryOrPercent if value >= 0 => format_memory(value),
            _ => self.show(value),
        }
    }
}

/// Bytes in the greatest unit that divides them, as redis.conf writes them.
pub(crate) fn format_memory(bytes: i128) -> String {
    const UNITS: [(i128, &str); 3] = [(1 << 30, "gb"), (1 << 20, "mb"), (1 << 10, "kb")];
    match UNITS.iter().find(|(unit, _)| bytes != 0 && bytes % unit == 0) {
        Some((unit, suffix)) => format!("{}{suffix}", bytes / unit),
        None => bytes.to_string(),
    }
}

/// A decimal number in its only canonical form: no plus sign, no leading zeros, no spaces (Redis:
/// string2ll).
pub(crate) fn decimal(word: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(word).ok()?;
    let value: i64 = text.parse().ok()?;
    (itoa::Buffer::new().format(value) == text).then_some(value)
}

/// Bytes with an optional unit: `1k` is 1000, `1kb` is 1024.
pub(crate) fn memory(word: &[u8]) -> Option<u64> {
    numbers::parse_memory(c_string(word))
}

/// A number as C's strtoll takes it when the whole word must be used up: leading space and a sign
/// are fine, an empty word is zero, what does not fit 64 bits sticks to the limit.
pub(crate) fn lenient_decimal(word: &[u8]) -> Option<i64> {
    lenient(word, 10).map(|(value, _)| value)
}

fn octal(word: &[u8]) -> Option<i64> {
    lenient(word, 8).filter(|(_, overflow)| !overflow).map(|(value, _)| value)
}

fn lenient(word: &[u8], radix: u8) -> Option<(i64, bool)> {
    let word = c_string(word);
    if word.is_empty() {
        return Some((0, false));
    }
    let blank = word.iter().take_while(|b| b.is_ascii_whitespace() || **b == 0x0b).count();
    let (negative, digits) = match &word[blank..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() || !digits.iter().all(|b| (b'0'..b'0' + radix).contains(b)) {
        return None;
    }
    let limit = if negative { 1u128 << 63 } else { (1u128 << 63) - 1 };
    let mut value: u128 = 0;
    for digit in digits {
        value = value * u128::from(radix) + u128::from(digit - b'0');
        if value > limit {
            return Some((if negative { i64::MIN } else { i64::MAX }, true));
        }
    }
    let value = if negative { -(value as i128) } else { value as i128 };
    Some((value as i64, false))
}

macro_rules! numbers {
    ($($number:ty)+) => {$(
        impl Setting for $number {
            type Rule = Range;

            fn parse(rule: &Range, args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
                let value = rule.check(rule.read(single(args))?)?;
                Self::try_from(value).map_err(|_| NOT_AN_INTEGER.into())
            }

            fn show(&self, rule: &Range) -> Vec<u8> {
                rule.show(*self as i128).into_bytes()
            }

            fn rewrite(&self, rule: &Range, default: &Self) -> Rewrite {
                Rewrite::line(rule.rewritten(*self as i128).into_bytes(), self != default)
            }
        }
    )+};
}

numbers! { u16 i32 u32 i64 u64 usize }

/// What limits a text.
#[derive(Clone, Copy)]
pub struct Text {
    /// Refuses a text, in Redis's words.
    check: fn(&[u8]) -> Result<(), &'static str>,
    /// Whether a NUL byte is kept; elsewhere the text ends there.
    binary: bool,
}

impl Text {
    /// Any text, up to the first NUL.
    pub const fn any() -> Self {
        Text { check: |_| Ok(()), binary: false }
    }

    /// Any bytes.
    pub const fn binary() -> Self {
        Text { check: |_| Ok(()), binary: true }
    }

    /// A text that passes a check.
    pub const fn checked(check: fn(&[u8]) -> Result<(), &'static str>) -> Self {
        Text { check, binary: false }
    }

    fn read(&self, args: &[&[u8]]) -> Result<Vec<u8>, Words> {
        let word = single(args);
        let text = if self.binary { word } else { c_string(word) };
        (self.check)(text)?;
        Ok(text.to_vec())
    }
}

impl Setting for Vec<u8> {
    type Rule = Text;

    fn parse(rule: &Text, args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        rule.read(args)
    }

    fn show(&self, _: &Text) -> Vec<u8> {
        self.clone()
    }

    fn rewrite(&self, _: &Text, default: &Self) -> Rewrite {
        Rewrite::line(repr(self), self != default)
    }
}

/// A text whose absence and emptiness are one.
impl Setting for Option<Vec<u8>> {
    type Rule = Text;

    fn parse(rule: &Text, args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        Ok(Some(rule.read(args)?).filter(|text| !text.is_empty()))
    }

    fn show(&self, _: &Text) -> Vec<u8> {
        self.clone().unwrap_or_default()
    }

    fn rewrite(&self, _: &Text, default: &Self) -> Rewrite {
        match self {
            None => Rewrite::Remove,
            Some(text) => Rewrite::line(repr(text), self != default),
        }
    }
}
