//! Numbers as Redis reads and writes them: integers in their canonical spelling, doubles as
//! `strtod` takes them, amounts of memory, and what INFO shows to humans.
//!
//! Called by everything that parses arguments or writes replies. Must never accept a spelling that
//! Redis refuses, as text that is read as a number may be stored as one.

use super::grisu;
use super::text::is_space;

/// A 64-bit integer in its only canonical spelling: no blanks, no plus sign, no leading zeros, no
/// `-0` (Redis: `string2ll`).
#[inline]
pub fn parse_i64(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        // No i64 has more than 19 digits, and 19 digits cannot overflow a u64.
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut magnitude = 0u64;
    for &digit in digits {
        let value = digit.wrapping_sub(b'0');
        if value > 9 {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(value);
    }
    if negative { 0i64.checked_sub_unsigned(magnitude) } else { i64::try_from(magnitude).ok() }
}

/// Whether `text` is how a 64-bit integer is written, so that storing the integer loses nothing.
pub fn is_canonical_int(text: &[u8]) -> bool {
    parse_i64(text).is_some()
}

/// An unsigned 64-bit integer as stream ids hold them (Redis: `string2ull`). Laxer than
/// [`parse_i64`]: what `strtoull` takes is taken, leading blanks and zeros and a sign included.
pub fn parse_u64(text: &[u8]) -> Option<u64> {
    match parse_i64(text) {
        Some(value) => u64::try_from(value).ok(),
        None => strtoull(text),
    }
}

/// A SCAN cursor: as `strtoul` reads it, without leading blanks. The empty text is 0.
pub fn parse_cursor(text: &[u8]) -> Option<u64> {
    match text {
        [] => Some(0),
        [first, ..] if is_space(*first) => None,
        _ => strtoull(text),
    }
}

/// The whole of `text` as C's `strtoull` reads it in base 10: a minus sign wraps around.
fn strtoull(text: &[u8]) -> Option<u64> {
    let text = &text[text.iter().take_while(|b| is_space(**b)).count()..];
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    };
    if digits.is_empty() {
        return None;
    }
    let magnitude = decimal_digits(digits)?;
    Some(if negative { magnitude.wrapping_neg() } else { magnitude })
}

/// `None` when there is something else than digits, or more than 64 bits.
fn decimal_digits(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = digit.is_ascii_digit().then(|| u64::from(digit - b'0'))?;
        value.checked_mul(10)?.checked_add(digit)
    })
}

/// A double as Redis's `string2d` takes it: whatever `strtod` reads to the end of the text without
/// leading blanks, hexadecimal and infinite ones included; no NaN, and nothing that overflows, or
/// underflows to zero.
pub fn parse_f64(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_whole(text) {
        return Some(value);
    }
    let literal = FloatLiteral::read(text)?;
    let (value, is_exact) = literal.convert()?;
    is_exact.then_some(value)
}

/// An integer that is short enough to be exact as a double: the most common spelling of one, read
/// without a look at all others.
#[inline]
fn parse_whole(text: &[u8]) -> Option<f64> {
    const BYTES_MAX: usize = 15;
    if text.len() <= BYTES_MAX { parse_i64(text).map(|n| n as f64) } else { None }
}

/// A double as C's `strtod` takes it, for arguments that Redis hands to it: up to the first zero
/// byte, blanks in front included, and what overflows is infinite. Nothing at all is 0.
pub fn strtod(text: &[u8]) -> Option<f64> {
    if let Some(value) = parse_whole(text) {
        return Some(value);
    }
    let text = text.split(|b| *b == 0).next().unwrap_or_default();
    if text.is_empty() {
        return Some(0.0);
    }
    let blanks = text.iter().take_while(|b| is_space(**b)).count();
    Some(FloatLiteral::read(&text[blanks..])?.convert()?.0)
}

/// `value` * 2^`exponent`, which must be exact or infinite.
fn scaled(value: f64, exponent: i64) -> f64 {
    let power = |exponent: i64| f64::from_bits(((1023 + exponent) as u64) << 52);
    let exponent = exponent.clamp(-2000, 2000);
    value * power(exponent / 2) * power(exponent - exponent / 2)
}

/// A floating point number as C spells it, not yet converted.
pub(super) struct FloatLiteral<'a> {
    pub negative: bool,
    pub kind: FloatKind<'a>,
}

/// The number without its sign.
pub(super) enum FloatKind<'a> {
    Infinite,
    /// Digits with an optional point and an optional exponent.
    Decimal {
        digits: &'a str,
        is_zero: bool,
    },
    Hexadecimal(HexFloat),
}

impl<'a> FloatLiteral<'a> {
    /// `None` for NaN and for anything that `strtod` would not read to its end.
    pub fn read(text: &'a [u8]) -> Option<Self> {
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            _ => (false, text),
        };
        let kind = match text {
            [b'0', b'x' | b'X', rest @ ..] => FloatKind::Hexadecimal(HexFloat::read(rest)?),
            _ if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") => {
                FloatKind::Infinite
            }
            _ => FloatKind::decimal(text)?,
        };
        Some(FloatLiteral { negative, kind })
    }

    /// The nearest double, and false if it is infinite or zero although the literal is not.
    fn convert(self) -> Option<(f64, bool)> {
        let (magnitude, is_zero) = match self.kind {
            FloatKind::Infinite => {
                let infinity = f64::INFINITY;
                return Some((if self.negative { -infinity } else { infinity }, true));
            }
            FloatKind::Decimal { digits, is_zero } => (digits.parse::<f64>().ok()?, is_zero),
            FloatKind::Hexadecimal(hex) => {
                let (significand, exponent) = hex.rounded(53, -1074);
                (scaled(significand as f64, exponent), hex.is_zero())
            }
        };
        let is_exact = !magnitude.is_infinite() && (magnitude == 0.0) == is_zero;
        Some((if self.negative { -magnitude } else { magnitude }, is_exact))
    }
}

impl<'a> FloatKind<'a> {
    fn decimal(text: &'a [u8]) -> Option<Self> {
        let end = text.iter().position(|b| matches!(b, b'e' | b'E')).unwrap_or(text.len());
        let (significand, exponent) = text.split_at(end);
        check_exponent(exponent)?;
        let (mut digits, mut points, mut is_zero) = (0, 0, true);
        for byte in significand {
            match byte {
                b'0'..=b'9' => {
                    digits += 1;
                    is_zero &= *byte == b'0';
                }
                b'.' => points += 1,
                _ => return None,
            }
        }
        if digits == 0 || points > 1 {
            return None;
        }
        Some(FloatKind::Decimal { digits: std::str::from_utf8(text).ok()?, is_zero })
    }
}

/// Splits an exponent (its letter included) into its sign and digits. The empty text is none.
fn check_exponent(text: &[u8]) -> Option<(bool, &[u8])> {
    let (negative, digits) = match text {
        [] => return Some((false, b"0")),
        [_, b'-', digits @ ..] => (true, digits),
        [_, b'+', digits @ ..] | [_, digits @ ..] => (false, digits),
    };
    (!digits.is_empty() && digits.iter().all(u8::is_ascii_digit)).then_some((negative, digits))
}

/// A hexadecimal floating point number: `significand` * 2^`exponent`, and a little more if `more`.
#[derive(Clone, Copy)]
pub(super) struct HexFloat {
    significand: u128,
    /// Whether digits other than 0 follow those that the significand has room for.
    more: bool,
    exponent: i64,
}

impl HexFloat {
    /// Reads what follows `0x`.
    fn read(text: &[u8]) -> Option<Self> {
        let end = text.iter().position(|b| matches!(b, b'p' | b'P')).unwrap_or(text.len());
        let (digits, exponent) = text.split_at(end);
        let (negative, exponent) = check_exponent(exponent)?;
        // No text is so long that its digits could make up for an exponent beyond this.
        let exponent = decimal_digits(exponent).unwrap_or(u64::MAX).min(1 << 50) as i64;
        let exponent = if negative { -exponent } else { exponent };
        let mut hex = HexFloat { significand: 0, more: false, exponent };
        let (mut any, mut point) = (false, false);
        for &byte in digits {
            if byte == b'.' && !point {
                point = true;
                continue;
            }
            let digit = (byte as char).to_digit(16)?;
            any = true;
            if hex.significand >> 124 == 0 {
                hex.significand = hex.significand << 4 | u128::from(digit);
                hex.exponent -= if point { 4 } else { 0 };
            } else {
                hex.more |= digit != 0;
                hex.exponent += if point { 0 } else { 4 };
            }
        }
        any.then_some(hex)
    }

    pub fn is_zero(&self) -> bool {
        self.significand == 0
    }

    /// Rounded to nearest, ties to even: at most `precision` bits, and the power of two of the
    /// lowest one, not below `exponent_min`.
    pub fn rounded(&self, precision: u32, exponent_min: i64) -> (u128, i64) {
        let bits = 128 - self.significand.leading_zeros();
        let excess = i64::from(bits) - i64::from(precision);
        let shift = excess.max(exponent_min - self.exponent);
        if shift <= 0 {
            return (self.significand, self.exponent);
        }
        if shift > i64::from(bits) {
            return (0, exponent_min);
        }
        let kept = self.significand.checked_shr(shift as u32).unwrap_or(0);
        let half = 1u128 << (shift - 1);
        let rest = self.significand & (half | (half - 1));
        let up = rest > half || (rest == half && (self.more || kept & 1 == 1));
        (kept + u128::from(up), self.exponent + shift)
    }
}

/// A double as Redis prints it: see [`write_double`].
pub fn format_double(value: f64) -> String {
    let mut out = Vec::with_capacity(24);
    write_double(&mut out, value);
    out.into_iter().map(char::from).collect()
}

/// Appends a double as Redis prints it (`d2string`): integers as such, else the digits that Grisu2
/// finds, with an exponent when it is shorter; `inf`, `-inf`, `nan`, `-0`.
pub fn write_double(out: &mut Vec<u8>, value: f64) {
    const INTEGER_MAX: f64 = (1u64 << 62) as f64;
    if value.abs() <= INTEGER_MAX && value.trunc() == value && value != 0.0 {
        let mut digits = itoa::Buffer::new();
        return out.extend_from_slice(digits.format(value as i64).as_bytes());
    }
    write_shortest(out, value);
}

/// Appends a double in the digits that Grisu2 finds, integers among them (`fpconv_dtoa`).
pub fn write_shortest(out: &mut Vec<u8>, value: f64) {
    if value.is_nan() {
        return out.extend_from_slice(b"nan");
    }
    if value.is_sign_negative() {
        out.push(b'-');
    }
    if value.is_infinite() {
        out.extend_from_slice(b"inf");
    } else if value == 0.0 {
        out.push(b'0');
    } else {
        write_digits(out, grisu::shortest(value.abs()));
    }
}

/// Appends a double as C's `%.17g` does: 17 digits without zeros at the end, and an exponent where
/// that is below -4 or beyond the digits.
pub fn write_general(out: &mut Vec<u8>, value: f64) {
    write_general_to(out, value, 17);
}

/// As [`write_general`], with so many digits at most.
pub fn write_general_to(out: &mut Vec<u8>, value: f64, digits_max: usize) {
    if !value.is_finite() || value == 0.0 {
        return write_double(out, value);
    }
    if value < 0.0 {
        out.push(b'-');
    }
    // One digit, a point, and the others.
    let text = format!("{:.*e}", digits_max.max(1) - 1, value.abs());
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    let digits: Vec<u8> = digits.bytes().filter(u8::is_ascii_digit).collect();
    let kept = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let mut digits = &digits[..kept];
    let scientific = !(-4..digits_max.max(1) as i32).contains(&exponent);
    let whole = if scientific { 1 } else { usize::try_from(exponent + 1).unwrap_or(0) };
    if whole == 0 {
        out.extend_from_slice(b"0.");
        out.resize(out.len() + (-exponent - 1) as usize, b'0');
    } else {
        let (front, rest) = digits.split_at(whole.min(digits.len()));
        out.extend_from_slice(front);
        out.resize(out.len() + whole - front.len(), b'0');
        if !rest.is_empty() {
            out.push(b'.');
        }
        digits = rest;
    }
    out.extend_from_slice(digits);
    if scientific {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.abs()).as_bytes());
    }
}

/// Lays out digits as Redis's fpconv does, in whichever form suits their number and exponent.
fn write_digits(out: &mut Vec<u8>, decimal: grisu::Decimal) {
    let mut buffer = itoa::Buffer::new();
    let digits = buffer.format(decimal.significand).as_bytes();
    let exponent = decimal.exponent;
    // Power of ten of the first digit.
    let leading = exponent + digits.len() as i32 - 1;
    let zeros = |out: &mut Vec<u8>, n: i32| out.resize(out.len() + n as usize, b'0');
    if exponent >= 0 && leading < digits.len() as i32 + 7 {
        out.extend_from_slice(digits);
        zeros(out, exponent);
    } else if exponent < 0 && (exponent > -7 || leading.abs() < 4) {
        let (whole, fraction) = digits.split_at((leading + 1).max(0) as usize);
        out.extend_from_slice(if whole.is_empty() { b"0" } else { whole });
        out.push(b'.');
        zeros(out, (-1 - leading).max(0));
        out.extend_from_slice(fraction);
    } else {
        out.push(digits[0]);
        if digits.len() > 1 {
            out.push(b'.');
            out.extend_from_slice(&digits[1..]);
        }
        out.extend_from_slice(if leading < 0 { b"e-" } else { b"e+" });
        out.extend_from_slice(itoa::Buffer::new().format(leading.abs()).as_bytes());
    }
}

/// Appends a double with exactly `decimals` (1 to 17) digits behind the point, as GEODIST prints
/// distances (`fixedpoint_d2string`). The value times 10^decimals must fit 64 bits.
pub fn write_fixed(out: &mut Vec<u8>, value: f64, decimals: u32) {
    let scale = 10u64.pow(decimals.clamp(1, 17));
    let scaled = (value * scale as f64).round_ties_even() as i64;
    if scaled < 0 {
        out.push(b'-');
    }
    let magnitude = scaled.unsigned_abs();
    out.extend_from_slice(itoa::Buffer::new().format(magnitude / scale).as_bytes());
    let at = out.len();
    // The digit 1 before the fraction keeps its leading zeros, and becomes the point.
    out.extend_from_slice(itoa::Buffer::new().format(scale + magnitude % scale).as_bytes());
    out[at] = b'.';
}

/// An amount of memory: digits, then nothing, `b`, or a unit of a thousand (`k m g`) or of 1024
/// (`kb mb gb`), in any case (Redis: `memtoull`). Digits may be absent, which is 0; what exceeds
/// 64 bits is refused, where Redis would wrap around.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|b| b.is_ascii_digit()).count();
    let (digits, unit) = text.split_at(digits);
    let factor = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => 1 << 10,
        b"m" => 1_000_000,
        b"mb" => 1 << 20,
        b"g" => 1_000_000_000,
        b"gb" => 1 << 30,
        _ => return None,
    };
    decimal_digits(digits)?.checked_mul(factor)
}

/// A percentage that is a canonical integer and not negative: `80%` is 80.
pub fn parse_percent(text: &[u8]) -> Option<i64> {
    parse_i64(text.strip_suffix(b"%")?).filter(|percent| *percent >= 0)
}

/// Bytes in the largest fitting unit, as INFO's `_human` fields show them (`bytesToHuman`).
pub fn bytes_to_human(bytes: u64) -> String {
    let order = bytes.max(1).ilog2() / 10;
    match "BKMGTP".chars().nth(order as usize) {
        None | Some('B') => format!("{bytes}B"),
        Some(unit) => {
            let unit_bytes = (1u64 << (10 * order)) as f64;
            format!("{:.2}{unit}", bytes as f64 / unit_bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn integers_have_one_spelling() {
        let good = ["0", "7", "-7", "10", "9223372036854775807", "-9223372036854775808"];
        for text in good {
            assert_eq!(parse_i64(text.as_bytes()), text.parse().ok(), "{text}");
        }
        let bad = [
            "",
            "-",
            "+1",
            " 1",
            "1 ",
            "01",
            "-0",
            "00",
            "-01",
            "1a",
            "0x1",
            "1.0",
            "9223372036854775808",
            "-9223372036854775809",
            "18446744073709551616",
            "100000000000000000000",
        ];
        for text in bad {
            assert_eq!(parse_i64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn unsigned_integers_are_what_strtoull_takes() {
        let good = [
            ("0", 0),
            ("007", 7),
            (" 5", 5),
            ("+5", 5),
            ("-0", 0),
            ("18446744073709551615", u64::MAX),
            ("-01", u64::MAX),
        ];
        for (text, value) in good {
            assert_eq!(parse_u64(text.as_bytes()), Some(value), "{text}");
        }
        for text in ["", " ", "-1", "+", "5 ", "18446744073709551616", "1-1", "*"] {
            assert_eq!(parse_u64(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_cursor(b""), Some(0));
        assert_eq!(parse_cursor(b"18446744073709551615"), Some(u64::MAX));
        assert_eq!(parse_cursor(b"-1"), Some(u64::MAX));
        assert_eq!(parse_cursor(b" 1"), None);
        assert_eq!(parse_cursor(b"1x"), None);
    }

    #[test]
    fn general_form_is_that_of_printf() {
        let cases = [
            (3.0, "3"),
            (0.1, "0.10000000000000001"),
            (-2.5, "-2.5"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (123456789012345680.0, "1.2345678901234568e+17"),
            (1e-4, "0.0001"),
            (1e-5, "1.0000000000000001e-05"),
            (1.5e300, "1.5000000000000001e+300"),
            (f64::NEG_INFINITY, "-inf"),
            (-0.0, "-0"),
        ];
        for (value, text) in cases {
            let mut out = Vec::new();
            write_general(&mut out, value);
            assert_eq!(String::from_utf8(out).unwrap(), text);
        }
    }

    #[test]
    fn doubles_are_what_strtod_takes() {
        let good = [
            ("1", 1.0),
            ("-1.5e3", -1500.0),
            ("+.5", 0.5),
            ("5.", 5.0),
            ("0x1p3", 8.0),
            ("0X.8", 0.5),
            ("-0x1.8P-1", -0.75),
            ("inf", f64::INFINITY),
            ("-iNFinity", f64::NEG_INFINITY),
            ("5e-324", 5e-324),
            ("0e999999999999", 0.0),
            ("0x0p99999999999999999999", 0.0),
            ("1e308", 1e308),
            ("0x1p-1074", 5e-324),
            ("0x1.00000000000008p0", 1.0),
            ("0x1.000000000000080000000000000000000001p0", 1.0 + f64::EPSILON),
        ];
        for (text, value) in good {
            assert_eq!(parse_f64(text.as_bytes()), Some(value), "{text}");
        }
        let bad = [
            "",
            "+",
            ".",
            "e5",
            "1e",
            "1e+",
            "1..2",
            "1.2.3",
            " 1",
            "1 ",
            "nan",
            "-nan",
            "infin",
            "0x",
            "0x.",
            "0x1p",
            "0x1pa",
            "1e400",
            "-1e400",
            "1e-400",
            "0x1p1024",
            "0x1p-1076",
            "1_0",
            "1\0",
            "0xg",
            "--1",
        ];
        for text in bad {
            assert_eq!(parse_f64(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn doubles_print_as_in_redis() {
        let cases = [
            (0.0, "0"),
            (-0.0, "-0"),
            (3.0, "3"),
            (-3.25, "-3.25"),
            (0.1 + 0.2, "0.30000000000000004"),
            (1e18, "1000000000000000000"),
            (1e19, "1e+19"),
            (1.5e19, "1.5e+19"),
            (1e-7, "1e-7"),
            (0.00012, "0.00012"),
            (12345678901234567e3, "12345678901234567000"),
            (1.2345e-7, "1.2345e-7"),
            (1.7976931348623157e308, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
            (-1e100, "-1e+100"),
            (0.000001, "0.000001"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
            (4611686018427387904.0, "4611686018427387904"),
            (13.361389338970184, "13.361389338970184"),
        ];
        for (value, text) in cases {
            assert_eq!(format_double(value), text);
        }
    }

    #[test]
    fn distances_have_four_decimals() {
        let fixed = |value| {
            let mut out = Vec::new();
            write_fixed(&mut out, value, 4);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(fixed(0.0), "0.0000");
        assert_eq!(fixed(0.775), "0.7750");
        assert_eq!(fixed(166274.15156960033), "166274.1516");
        assert_eq!(fixed(-0.00005), "0.0000");
        assert_eq!(fixed(-1.00015), "-1.0002");
    }

    #[test]
    fn memory_has_units() {
        let good = [
            ("0", 0),
            ("", 0),
            ("100", 100),
            ("1b", 1),
            ("1k", 1000),
            ("1kb", 1024),
            ("2M", 2_000_000),
            ("1mB", 1 << 20),
            ("1g", 1_000_000_000),
            ("1Gb", 1 << 30),
            ("kb", 0),
        ];
        for (text, bytes) in good {
            assert_eq!(parse_memory(text.as_bytes()), Some(bytes), "{text}");
        }
        for text in
            ["-1", "1t", "1.5g", " 1", "1 kb", "1kbb", "x", "99999999999999999999", "99999999999g"]
        {
            assert_eq!(parse_memory(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse_percent(b"80%"), Some(80));
        for text in ["80", "%", "-1%", "1.5%", "08%"] {
            assert_eq!(parse_percent(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn humans_read_two_decimals() {
        let cases = [
            (0, "0B"),
            (1023, "1023B"),
            (1024, "1.00K"),
            (1152, "1.12K"),
            (1 << 20, "1.00M"),
            (1_234_567_890, "1.15G"),
            (5 << 40, "5.00T"),
            (1 << 50, "1.00P"),
            (1 << 60, "1152921504606846976B"),
        ];
        for (bytes, text) in cases {
            assert_eq!(bytes_to_human(bytes), text);
        }
    }

    proptest! {
        #[test]
        fn integers_read_back(value in any::<i64>()) {
            prop_assert_eq!(parse_i64(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn doubles_read_back(bits in any::<u64>()) {
            let value = f64::from_bits(bits);
            prop_assume!(!value.is_nan());
            prop_assert_eq!(parse_f64(format_double(value).as_bytes()), Some(value));
        }

        #[test]
        fn hexadecimal_doubles_are_rounded(significand in any::<u64>(), power in -60i32..60) {
            let text = format!("0x{significand:x}p{power}");
            let exact = significand as f64 * 2f64.powi(power);
            prop_assert_eq!(parse_f64(text.as_bytes()), Some(exact));
        }

        #[test]
        fn nothing_panics(text in "[ +-]?[0-9a-z.+-]{0,24}") {
            let text = text.as_bytes();
            let _ = (parse_i64(text), parse_u64(text), parse_f64(text), parse_memory(text));
        }
    }
}
