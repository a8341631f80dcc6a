//! Shortest decimal digits of a double by Grisu2 (Florian Loitsch, "Printing Floating-Point Numbers
//! Quickly and Accurately with Integers", 2010). Called by `base::numbers` only.
//!
//! Redis prints doubles this way. The digits always read back as the same double, but for about
//! one double in a thousand they are not the shortest or the closest ones; a crate that always
//! finds these would answer differently there. Which digits come out depends on the precision of
//! the cached powers and on which of them is taken, so both are as in Redis's fpconv.

/// A positive decimal number, `significand` * 10^`exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decimal {
    pub significand: u64,
    pub exponent: i32,
}

/// `fraction` * 2^`exponent`.
#[derive(Clone, Copy)]
struct Binary {
    fraction: u64,
    exponent: i32,
}

const HIDDEN_BIT: u64 = 1 << 52;

impl Binary {
    fn normalized(self) -> Binary {
        let shift = self.fraction.leading_zeros();
        Binary { fraction: self.fraction << shift, exponent: self.exponent - shift as i32 }
    }

    /// The upper half of the product, rounded.
    fn times(self, other: Binary) -> Binary {
        let product = u128::from(self.fraction) * u128::from(other.fraction) + (1 << 63);
        Binary { fraction: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// Digits of `value`, which must be finite and above zero.
pub(super) fn shortest(value: f64) -> Decimal {
    let bits = value.to_bits();
    let biased = (bits >> 52 & 0x7ff) as i32;
    let fraction = bits & (HIDDEN_BIT - 1);
    let binary = match biased {
        0 => Binary { fraction, exponent: -1074 },
        _ => Binary { fraction: fraction | HIDDEN_BIT, exponent: biased - 1075 },
    };
    // Half way to the neighbours: whatever lies between reads back as `value`. The neighbour below
    // a power of two is nearer.
    let half = Binary { fraction: binary.fraction * 2 + 1, exponent: binary.exponent - 1 };
    let upper = half.normalized();
    let near = if binary.fraction == HIDDEN_BIT { 2 } else { 1 };
    let lower = (binary.fraction << near) - 1;
    let lower = lower << (binary.exponent - near - upper.exponent);

    let (power, k) = cached_power(upper.exponent);
    let value = binary.normalized().times(power);
    let upper = upper.times(power);
    let lower = Binary { fraction: lower, exponent: upper.exponent }.times(power).fraction + 1;
    let upper = Binary { fraction: upper.fraction - 1, ..upper };
    let interval = Interval { below_upper: upper.fraction - value.fraction, upper, lower };
    let mut digits = interval.digits();
    digits.exponent -= k;
    digits
}

/// What may be printed, scaled by a power of ten so that the binary exponent is in -60..=-32.
struct Interval {
    upper: Binary,
    lower: u64,
    /// How far the exact value is below `upper`.
    below_upper: u64,
}

impl Interval {
    /// As few leading digits of `upper` as are above `lower`, the last one stepped towards the
    /// value.
    fn digits(&self) -> Decimal {
        let shift = -self.upper.exponent as u32;
        let one = 1u64 << shift;
        let mut delta = self.upper.fraction - self.lower;
        let mut whole = self.upper.fraction >> shift;
        let mut part = self.upper.fraction & (one - 1);
        let mut significand = 0;
        let mut unit = 1_000_000_000u64;
        for exponent in (0..10).rev() {
            significand = significand * 10 + whole / unit;
            whole %= unit;
            let rest = (whole << shift) + part;
            if rest <= delta {
                let steps = steps_down(delta, rest, unit << shift, self.below_upper);
                return Decimal { significand: significand - steps, exponent };
            }
            unit /= 10;
        }
        let mut exponent = 0;
        let mut below_upper = self.below_upper;
        loop {
            part = part.wrapping_mul(10);
            delta = delta.wrapping_mul(10);
            below_upper = below_upper.wrapping_mul(10);
            exponent -= 1;
            significand = significand * 10 + (part >> shift);
            part &= one - 1;
            if part < delta {
                let steps = steps_down(delta, part, one, below_upper);
                return Decimal { significand: significand - steps, exponent };
            }
        }
    }
}

/// By how much the last digit, worth `unit`, must be lowered so that the digits, which are `rest`
/// below the upper bound, come closest to the value without leaving the interval.
fn steps_down(delta: u64, mut rest: u64, unit: u64, below_upper: u64) -> u64 {
    let mut steps = 0;
    while rest < below_upper
        && delta - rest >= unit
        && (rest + unit < below_upper || below_upper - rest > rest + unit - below_upper)
    {
        rest += unit;
        steps += 1;
    }
    steps
}

const POWER_FIRST: i32 = -348;
const POWER_STEP: i32 = 8;

/// A power of ten, 10^k, that brings a number of binary exponent `exponent` into -60..=-32; and k.
fn cached_power(exponent: i32) -> (Binary, i32) {
    const LOG10_2: f64 = 0.301_029_995_663_981_14;
    let estimate = (-f64::from(exponent + POWERS.len() as i32) * LOG10_2) as i32;
    let mut index = (estimate - POWER_FIRST) / POWER_STEP;
    loop {
        let k = POWER_FIRST + index * POWER_STEP;
        // floor(k * log2(10)) - 63, in fixed point.
        let power_exponent = ((k * 217_706) >> 16) - 63;
        match exponent + power_exponent + 64 {
            ..-60 => index += 1,
            -60..=-32 => {
                let fraction = POWERS[index as usize];
                return (Binary { fraction, exponent: power_exponent }, k);
            }
            _ => index -= 1,
        }
    }
}

/// Upper 64 bits, rounded, of 10^-348, 10^-340, and so on up to 10^340.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8f_d5a0_081c_0288, 0xbaae_e17f_a23e_bf76, 0x8b16_fb20_3055_ac76, 0xcf42_894a_5dce_35ea,
    0x9a6b_b0aa_5565_3b2d, 0xe61a_cf03_3d1a_45df, 0xab70_fe17_c79a_c6ca, 0xff77_b1fc_bebc_dc4f,
    0xbe56_91ef_416b_d60c, 0x8dd0_1fad_907f_fc3c, 0xd351_5c28_3155_9a83, 0x9d71_ac8f_ada6_c9b5,
    0xea9c_2277_23ee_8bcb, 0xaecc_4991_4078_536d, 0x823c_1279_5db6_ce57, 0xc210_9436_4dfb_5637,
    0x9096_ea6f_3848_984f, 0xd774_85cb_2582_3ac7, 0xa086_cfcd_97bf_97f4, 0xef34_0a98_172a_ace5,
    0xb238_67fb_2a35_b28e, 0x84c8_d4df_d2c6_3f3b, 0xc5dd_4427_1ad3_cdba, 0x936b_9fce_bb25_c996,
    0xdbac_6c24_7d62_a584, 0xa3ab_6658_0d5f_daf6, 0xf3e2_f893_dec3_f126, 0xb5b5_ada8_aaff_80b8,
    0x8762_5f05_6c7c_4a8b, 0xc9bc_ff60_34c1_3053, 0x964e_858c_91ba_2655, 0xdff9_7724_7029_7ebd,
    0xa6df_bd9f_b8e5_b88f, 0xf8a9_5fcf_8874_7d94, 0xb944_7093_8fa8_9bcf, 0x8a08_f0f8_bf0f_156b,
    0xcdb0_2555_6531_31b6, 0x993f_e2c6_d07b_7fac, 0xe45c_10c4_2a2b_3b06, 0xaa24_2499_6973_92d3,
    0xfd87_b5f2_8300_ca0e, 0xbce5_0864_9211_1aeb, 0x8cbc_cc09_6f50_88cc, 0xd1b7_1758_e219_652c,
    0x9c40_0000_0000_0000, 0xe8d4_a510_0000_0000, 0xad78_ebc5_ac62_0000, 0x813f_3978_f894_0984,
    0xc097_ce7b_c907_15b3, 0x8f7e_32ce_7bea_5c70, 0xd5d2_38a4_abe9_8068, 0x9f4f_2726_179a_2245,
    0xed63_a231_d4c4_fb27, 0xb0de_6538_8cc8_ada8, 0x83c7_088e_1aab_65db, 0xc45d_1df9_4271_1d9a,
    0x924d_692c_a61b_e758, 0xda01_ee64_1a70_8dea, 0xa26d_a399_9aef_774a, 0xf209_787b_b47d_6b85,
    0xb454_e4a1_79dd_1877, 0x865b_8692_5b9b_c5c2, 0xc835_53c5_c896_5d3d, 0x952a_b45c_fa97_a0b3,
    0xde46_9fbd_99a0_5fe3, 0xa59b_c234_db39_8c25, 0xf6c6_9a72_a398_9f5c, 0xb7dc_bf53_54e9_bece,
    0x88fc_f317_f222_41e2, 0xcc20_ce9b_d35c_78a5, 0x9816_5af3_7b21_53df, 0xe2a0_b5dc_971f_303a,
    0xa8d9_d153_5ce3_b396, 0xfb9b_7cd9_a4a7_443c, 0xbb76_4c4c_a7a4_4410, 0x8bab_8eef_b640_9c1a,
    0xd01f_ef10_a657_842c, 0x9b10_a4e5_e991_3129, 0xe710_9bfb_a19c_0c9d, 0xac28_20d9_623b_f429,
    0x8044_4b5e_7aa7_cf85, 0xbf21_e440_03ac_dd2d, 0x8e67_9c2f_5e44_ff8f, 0xd433_179d_9c8c_b841,
    0x9e19_db92_b4e3_1ba9, 0xeb96_bf6e_badf_77d9, 0xaf87_023b_9bf0_ee6b,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_some_doubles() {
        let cases = [
            (0.1, 1, -1),
            (1.5, 15, -1),
            (3.0, 3, 0),
            // Neither shortest nor closest, but what Redis prints.
            (1e23, 9999999999999999, 7),
            (f64::MAX, 17976931348623157, 292),
            (f64::MIN_POSITIVE, 22250738585072014, -324),
            (5e-324, 5, -324),
        ];
        for (value, significand, exponent) in cases {
            assert_eq!(shortest(value), Decimal { significand, exponent }, "{value:e}");
        }
    }
}
