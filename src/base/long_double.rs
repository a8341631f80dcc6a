//! The extended doubles of x86 (64 bits of precision), which INCRBYFLOAT and HINCRBYFLOAT compute
//! in. Values that Redis wrote must come out the same digit by digit, so neither f64 nor decimal
//! arithmetic will do.

use std::fmt::Write;

use rustc_apfloat::ieee::X87DoubleExtended;
use rustc_apfloat::{Float, Round};

use super::numbers::{FloatKind, FloatLiteral};

/// Longest text read as a number, exclusive (Redis: MAX_LONG_DOUBLE_CHARS).
const TEXT_BYTES_MAX: usize = 5 * 1024;
/// Bits of the significand; its highest one is explicit.
const PRECISION: u32 = 64;
/// Power of two of the lowest bit of the smallest positive number.
const EXPONENT_MIN: i64 = -16445;
/// Digits behind the point.
const DECIMALS: u32 = 17;

/// A number or an infinity, never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LongDouble(X87DoubleExtended);

impl LongDouble {
    /// What `strtold` reads to the end of the text without leading blanks; no NaN, and nothing that
    /// overflows, or underflows to zero (Redis: `string2ld`).
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() >= TEXT_BYTES_MAX {
            return None;
        }
        let literal = FloatLiteral::read(text)?;
        let (magnitude, exact_zero) = match literal.kind {
            FloatKind::Infinite => return Some(Self::infinite(literal.negative)),
            FloatKind::Decimal { digits, is_zero } => {
                (digits.parse::<X87DoubleExtended>().ok()?, is_zero)
            }
            FloatKind::Hexadecimal(hex) => {
                let (significand, exponent) = hex.rounded(PRECISION, EXPONENT_MIN);
                let significand = X87DoubleExtended::from_u128(significand).value;
                let exponent = exponent.clamp(-100_000, 100_000) as i32;
                (significand.scalbn(exponent), hex.is_zero())
            }
        };
        if magnitude.is_infinite() || (magnitude.is_zero() && !exact_zero) {
            return None;
        }
        Some(LongDouble(if literal.negative { -magnitude } else { magnitude }))
    }

    fn infinite(negative: bool) -> Self {
        let infinity = X87DoubleExtended::INFINITY;
        LongDouble(if negative { -infinity } else { infinity })
    }

    /// Every 64-bit integer is exact.
    pub fn from_i64(value: i64) -> Self {
        LongDouble(X87DoubleExtended::from_i128(i128::from(value)).value)
    }

    /// Whether this is no infinity.
    pub fn is_finite(self) -> bool {
        self.0.is_finite()
    }

    /// The sum, unless it is NaN or infinite.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let sum = (self.0 + other.0).value;
        sum.is_finite().then_some(LongDouble(sum))
    }

    /// A thousand times this, rounded up to an integer; the nearest of 128 bits if it is none of
    /// those: milliseconds of so many seconds.
    pub fn thousandfold_ceil(self) -> i128 {
        let product = (self.0 * X87DoubleExtended::from_i128(1000).value).value;
        product.to_i128_r(128, Round::TowardPositive, &mut false).value
    }

    /// 17 digits behind the point without trailing zeros, never in exponential notation (Redis:
    /// `ld2string` for humans).
    pub fn to_human(self) -> String {
        let mut out = String::new();
        if self.0.is_infinite() {
            out.push_str(if self.0.is_negative() { "-inf" } else { "inf" });
            return out;
        }
        let bits = self.0.to_bits();
        let significand = bits as u64;
        let biased = (bits >> 64) as i32 & 0x7fff;
        let exponent = biased.max(1) - 16383 - 63;
        if exponent > 0 {
            write_shifted(&mut out, significand, exponent as u32);
        } else {
            write_with_fraction(&mut out, significand, exponent.unsigned_abs());
        }
        if self.0.is_negative() && out != "0" {
            out.insert(0, '-');
        }
        out
    }
}

/// Appends `significand` / 2^`shift`, rounded to DECIMALS, ties to even.
fn write_with_fraction(out: &mut String, significand: u64, shift: u32) {
    const SCALE: u128 = 10u128.pow(DECIMALS);
    // Below 2^121: a shift by more than that leaves less than half a unit.
    let scaled = u128::from(significand) * SCALE;
    let rounded = match shift {
        0 => scaled,
        1..=122 => {
            let kept = scaled >> shift;
            let half = 1u128 << (shift - 1);
            let rest = scaled & (half | (half - 1));
            kept + u128::from(rest > half || (rest == half && kept & 1 == 1))
        }
        _ => 0,
    };
    out.push_str(itoa::Buffer::new().format(rounded / SCALE));
    let mut fraction = rounded % SCALE;
    if fraction != 0 {
        let mut digits = DECIMALS as usize;
        while fraction.is_multiple_of(10) {
            fraction /= 10;
            digits -= 1;
        }
        // Writing to a String cannot fail.
        let _ = write!(out, ".{fraction:0digits$}");
    }
}

/// Appends `significand` * 2^`shift`, an integer of up to 4933 digits.
fn write_shifted(out: &mut String, significand: u64, shift: u32) {
    const BASE: u64 = 1_000_000_000_000_000_000;
    const BITS_PER_ROUND: u32 = 60;
    // Little endian.
    let mut limbs = vec![significand % BASE, significand / BASE];
    let mut left = shift;
    while left > 0 {
        let bits = left.min(BITS_PER_ROUND);
        left -= bits;
        let mut carry = 0;
        for limb in &mut limbs {
            let shifted = (u128::from(*limb) << bits) + carry;
            *limb = (shifted % u128::from(BASE)) as u64;
            carry = shifted / u128::from(BASE);
        }
        if carry > 0 {
            limbs.push(carry as u64);
        }
    }
    while limbs.len() > 1 && limbs.last() == Some(&0) {
        limbs.pop();
    }
    let mut limbs = limbs.iter().rev();
    let _ = write!(out, "{}", limbs.next().unwrap_or(&0));
    for limb in limbs {
        let _ = write!(out, "{limb:018}");
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, PartialEq)]
    enum Refused {
        NotAFloat,
        Overflow,
    }

    fn incrbyfloat(value: &str, increment: &str) -> Result<String, Refused> {
        let value = LongDouble::parse(value.as_bytes()).ok_or(Refused::NotAFloat)?;
        let increment = LongDouble::parse(increment.as_bytes()).ok_or(Refused::NotAFloat)?;
        Ok(value.checked_add(increment).ok_or(Refused::Overflow)?.to_human())
    }

    /// Value, increment, and what INCRBYFLOAT of Redis 7.2 on x86-64 replied.
    #[rustfmt::skip]
    const REPLIES: &[(&str, &str, Result<&str, Refused>)] = &[
        ("0.1", "0.2", Ok("0.3")),
        ("10.50", "0.1", Ok("10.6")),
        ("3.0e3", "200", Ok("3200")),
        ("1", "-1.5", Ok("-0.5")),
        ("5e-18", "0", Ok("0")),
        ("4e-18", "0", Ok("0")),
        ("-4e-18", "0", Ok("0")),
        ("0", "1e-4931", Ok("0")),
        ("9223372036854775807", "1", Ok("9223372036854775808")),
        ("1e4932", "-1e4932", Ok("0")),
        ("1.1e4932", "1.1e4932", Err(Refused::Overflow)),
        ("1e30", "1e-10", Ok("1000000000000000000024696061952")),
        ("inf", "1", Err(Refused::Overflow)),
        ("1", "-inf", Err(Refused::Overflow)),
        ("nan", "1", Err(Refused::NotAFloat)),
        ("1e5000", "1", Err(Refused::NotAFloat)),
        ("1e-5000", "1", Err(Refused::NotAFloat)),
        ("", "1", Err(Refused::NotAFloat)),
        (" 1", "1", Err(Refused::NotAFloat)),
        ("1 ", "1", Err(Refused::NotAFloat)),
        ("0x", "1", Err(Refused::NotAFloat)),
        ("0x1p", "1", Err(Refused::NotAFloat)),
        ("+1", "+.5", Ok("1.5")),
        ("1.", "1", Ok("2")),
        (".", "1", Err(Refused::NotAFloat)),
        ("1e", "1", Err(Refused::NotAFloat)),
        ("1e+", "1", Err(Refused::NotAFloat)),
        ("0x.8p1", "0X1P-3", Ok("1.125")),
        ("infinit", "1", Err(Refused::NotAFloat)),
        ("-0", "0", Ok("0")),
        ("-0.0", "-0", Ok("0")),
        ("1_0", "1", Err(Refused::NotAFloat)),
        ("0.000000000000000005", "0", Ok("0")),
        ("0.000000000000000015", "0", Ok("0.00000000000000002")),
        ("123456789012345678901234567890", "0.5", Ok("123456789012345678899921813504")),
        ("1e22", "0", Ok("10000000000000000000000")),
        (".750476357633517326", "1695698339729451", Ok("1695698339729451.75048828125")),
        (".585033575357898132", "1.774e1", Ok("18.32503357535789813")),
        ("92.68149772622318118", "645.1141153371300629929", Ok("737.79561306335324417")),
        ("1991331420035788.5", "439499", Ok("1991331420475287.5")),
        ("0.57091368964673439", "0", Ok("0.57091368964673439")),
        ("-1.877e20", "633.8328453", Ok("-187699999999999999360")),
        ("-3", "-0.500005555500", Ok("-3.5000055555")),
        ("-1", ".563736073883798498", Ok("-0.4362639261162015")),
        ("2825988916353738.5", "-.572627049867943885", Ok("2825988916353737.927490234375")),
            ("-3740657555761722.5", "-.266038383030951773", Ok("-3740657555761722.76611328125")),
        ("0.17621772849037032", "1.109e28", Ok("11089999999999999999698010112")),
        ("-0.28193072232673766", "-0.53459096230010361", Ok("-0.81652168462684127")),
        (".990592406871355693", "100000000000000000", Ok("100000000000000000.9921875")),
        ("-100000000000000000", "-4337170089338924.5", Ok("-104337170089338924.5")),
        ("606613409614205.5", "-2.461e-4", Ok("606613409614205.499755859375")),
        ("0", "3", Ok("3")),
        ("21408382066921802", "-0xba9a2ef80f.fb947961fd92p-56", Ok("21408382066921802")),
            ("8.255e27", "3202621790155626.5", Ok("8255000000003202621837934592")),
        ("2126778810759483", "0xb0f4de2c08.2cbd0fcf00fecp-24", Ok("2126778810804783.867919921875")),
        ("104.63093067", "-2.839e14", Ok("-283899999999895.36907958984375")),
        ("-396612950957855161", "931.3507915142290", Ok("-396612950957854229.65625")),
        ("0.50555000000505", ".632130218080140318", Ok("1.13768021808519032")),
        ("0.014242938156105556", "444.3540702", Ok("444.36831313815610556")),
        ("-9599", "9007199254740992", Ok("9007199254731393")),
        ("-.483088577943221230", "0.91001705631555652", Ok("0.42692847837233529")),
        ("-.672555344112120657", "-9007199254740992", Ok("-9007199254740992.6728515625")),
    ];

    #[test]
    fn redis_replies() {
        for (value, increment, reply) in REPLIES {
            let reply = reply.as_ref().map(|text| text.to_string());
            let ours = incrbyfloat(value, increment);
            assert_eq!(ours.as_ref(), reply.as_ref().map_err(|refused| *refused), "{value:?}");
        }
    }

    #[test]
    fn the_longest_number_is_exact() {
        let largest = LongDouble::parse(b"0x1.fffffffffffffffep16383").unwrap();
        let digits = largest.to_human();
        assert_eq!(digits.len(), 4933);
        assert!(digits.starts_with("1189731495357231765021263853030970205169"));
        assert_eq!(LongDouble::parse(digits.as_bytes()), Some(largest));
        assert_eq!(LongDouble::parse(b"0x2p16383"), None);
        let power = LongDouble::parse(b"0x1p200").unwrap().to_human();
        assert_eq!(power, "1606938044258990275541962092341162602522202993782792835301376");
        let longest = [b'1'; TEXT_BYTES_MAX];
        assert!(LongDouble::parse(&longest[..4932]).is_some());
        assert_eq!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX]), None);
        assert!(LongDouble::parse(&[b'0'; TEXT_BYTES_MAX - 1]).is_some());
    }

    #[test]
    fn infinities_parse_but_do_not_add_up() {
        let infinity = LongDouble::parse(b"-Infinity").unwrap();
        assert!(!infinity.is_finite());
        assert_eq!(infinity.to_human(), "-inf");
        assert_eq!(infinity.checked_add(LongDouble::from_i64(1)), None);
        assert_eq!(infinity.checked_add(LongDouble::parse(b"inf").unwrap()), None);
    }

    proptest! {
        #[test]
        fn integers_are_exact(a in any::<i64>(), b in any::<i32>()) {
            let sum = a.saturating_add(b.into());
            let b = sum - a;
            let ours = LongDouble::from_i64(a).checked_add(LongDouble::from_i64(b)).unwrap();
            prop_assert_eq!(ours.to_human(), sum.to_string());
        }

        #[test]
        fn parsing_never_panics(text in "[+-]?(0x)?[0-9a-fp.]{0,20}([ep][+-]?[0-9]{0,22})?") {
            if let Some(value) = LongDouble::parse(text.as_bytes()) {
                prop_assert!(value.to_human().len() < TEXT_BYTES_MAX);
            }
        }
    }
}
