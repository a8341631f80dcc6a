//! Bits of strings: bit 0 is the highest one of the first byte. Counting, finding, combining, and
//! the integers of any width that BITFIELD reads and writes. Pure functions on bytes, called by the
//! commands on bits; keeps nothing and must never read past what it was given.

use std::array;
use std::ops::Range;

use crate::base::numbers;

const WORD_BYTES: usize = size_of::<u64>();
/// Words that are added side by side: two vector registers where they are smallest.
const LANES: usize = 4;
/// Rows of so many words that are added up together.
const ROWS: usize = 16;
const BLOCK_BYTES: usize = ROWS * LANES * WORD_BYTES;
/// What is combined at a time, so that it stays in the cache for all sources.
const CHUNK_BYTES: usize = 8 * 1024;

// ---- counting

/// How many bits are set.
pub fn count(bytes: &[u8]) -> u64 {
    let (blocks, rest) = bytes.as_chunks::<BLOCK_BYTES>();
    let mut counters = Counters::default();
    blocks.iter().for_each(|block| counters.add(block));
    let (words, tail) = rest.as_chunks::<WORD_BYTES>();
    let words = words.iter().map(|&word| u64::from_ne_bytes(word).count_ones());
    let tail = tail.iter().map(|&byte| byte.count_ones());
    counters.total() + u64::from(words.chain(tail).sum::<u32>())
}

/// How many bits of a range are set; it must lie within the bytes.
pub fn count_range(bytes: &[u8], range: Range<u64>) -> u64 {
    if range.is_empty() {
        return 0;
    }
    let (first, last) = ((range.start / 8) as usize, ((range.end - 1) / 8) as usize);
    let before = bytes[first] & !(0xFF >> (range.start % 8));
    let after = bytes[last] & (0x7F >> ((range.end - 1) % 8));
    let outside = before.count_ones() + after.count_ones();
    count(&bytes[first..=last]) - u64::from(outside)
}

type Row = [u64; LANES];

/// Bits of many words, added up in columns: a bit of `ones` stands for one set bit, one of `twos`
/// for two, and so on. Only what is carried out of `eights` has to be counted, which leaves one row
/// of sixteen.
#[derive(Default)]
struct Counters {
    ones: Row,
    twos: Row,
    fours: Row,
    eights: Row,
    sixteens: u64,
}

impl Counters {
    #[inline(always)]
    fn add(&mut self, block: &[u8; BLOCK_BYTES]) {
        let (words, _) = block.as_chunks::<WORD_BYTES>();
        let word = |index: usize| u64::from_ne_bytes(words[index]);
        let rows: [Row; ROWS] =
            array::from_fn(|row| array::from_fn(|lane| word(row * LANES + lane)));
        let carried: [Row; 8] = add_pairs(&mut self.ones, rows);
        let carried: [Row; 4] = add_pairs(&mut self.twos, carried);
        let carried: [Row; 2] = add_pairs(&mut self.fours, carried);
        let carried: [Row; 1] = add_pairs(&mut self.eights, carried);
        self.sixteens += ones(&carried[0]);
    }

    fn total(&self) -> u64 {
        ones(&self.ones)
            + 2 * ones(&self.twos)
            + 4 * ones(&self.fours)
            + 8 * ones(&self.eights)
            + 16 * self.sixteens
    }
}

/// Adds rows to a counter, two at a time, and gives what is carried.
#[inline(always)]
fn add_pairs<const N: usize, const HALF: usize>(counter: &mut Row, rows: [Row; N]) -> [Row; HALF] {
    array::from_fn(|pair| {
        array::from_fn(|lane| {
            let (a, b) = (rows[2 * pair][lane], rows[2 * pair + 1][lane]);
            let c = counter[lane];
            counter[lane] = c ^ a ^ b;
            (c & a) | ((c ^ a) & b)
        })
    })
}

#[inline(always)]
fn ones(row: &Row) -> u64 {
    u64::from(row.iter().map(|word| word.count_ones()).sum::<u32>())
}

// ---- finding

/// The first bit of a range that is set, or clear; the range must lie within the bytes.
pub fn find(bytes: &[u8], range: Range<u64>, set: bool) -> Option<u64> {
    if range.is_empty() {
        return None;
    }
    let (first, last) = ((range.start / 8) as usize, ((range.end - 1) / 8) as usize);
    // What is looked for becomes a 1, and what lies before the range a 0.
    let others = if set { 0 } else { 0xFF };
    let edge = (bytes[first] ^ others) & (0xFF >> (range.start % 8));
    let (at, byte) = if edge != 0 {
        (first, edge)
    } else {
        let at = first + 1 + find_other(&bytes[first + 1..=last], others)?;
        (at, bytes[at] ^ others)
    };
    let found = at as u64 * 8 + u64::from(byte.leading_zeros());
    (found < range.end).then_some(found)
}

/// Where the first byte is that differs from the given one.
fn find_other(bytes: &[u8], byte: u8) -> Option<usize> {
    const STEP_BYTES: usize = 8 * WORD_BYTES;
    let (steps, _) = bytes.as_chunks::<STEP_BYTES>();
    let same = |step: &&[u8; STEP_BYTES]| step.iter().fold(0, |all, b| all | (b ^ byte)) == 0;
    let skipped = steps.iter().take_while(same).count() * STEP_BYTES;
    let at = bytes[skipped..].iter().position(|&b| b != byte)?;
    Some(skipped + at)
}

// ---- combining

/// What BITOP does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Bits that are set in all sources.
    And,
    /// Bits that are set in any source.
    Or,
    /// Bits that are set in an odd number of sources.
    Xor,
    /// Bits that are clear in the only source.
    Not,
}

impl Operation {
    /// The operation of that name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Operation> {
        let is = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
        match () {
            () if is("and") => Some(Operation::And),
            () if is("or") => Some(Operation::Or),
            () if is("xor") => Some(Operation::Xor),
            () if is("not") => Some(Operation::Not),
            () => None,
        }
    }

    /// Works another source into the bytes, which are longer or as long.
    fn apply(self, bytes: &mut [u8], source: &[u8]) {
        let (both, rest) = bytes.split_at_mut(source.len());
        let pairs = both.iter_mut().zip(source);
        match self {
            Operation::And => {
                pairs.for_each(|(byte, source)| *byte &= source);
                rest.fill(0);
            }
            Operation::Or => pairs.for_each(|(byte, source)| *byte |= source),
            Operation::Xor => pairs.for_each(|(byte, source)| *byte ^= source),
            // It has no other source.
            Operation::Not => {}
        }
    }
}

/// Combines sources as if all were as long as the longest, with zeros at their ends. NOT is for one
/// source.
pub fn combine(operation: Operation, sources: &[&[u8]]) -> Vec<u8> {
    let len = sources.iter().map(|source| source.len()).max().unwrap_or(0);
    let mut result = Vec::with_capacity(len);
    while result.len() < len {
        let from = result.len();
        let to = len.min(from + CHUNK_BYTES);
        let part =
            |source: &&[u8]| -> Range<usize> { from.min(source.len())..to.min(source.len()) };
        let first = &sources[0][part(&sources[0])];
        result.extend_from_slice(first);
        result.resize(to, 0);
        let chunk = &mut result[from..];
        sources[1..].iter().for_each(|source| operation.apply(chunk, &source[part(source)]));
        if operation == Operation::Not {
            chunk.iter_mut().for_each(|byte| *byte = !*byte);
        }
    }
    result
}

// ---- integers of any width

/// What becomes of an integer that its field is too narrow for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// Its lowest bits are kept.
    #[default]
    Wrap,
    /// It becomes the greatest or the least that fits.
    Saturate,
    /// Nothing is written.
    Fail,
}

/// The type of a field: how many bits it has, and whether the first is a sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FieldType {
    signed: bool,
    /// 1 to 64, or to 63 without a sign: every value fits an `i64`.
    width: u32,
}

impl FieldType {
    /// A type as BITFIELD names it: `i64`, `u8`.
    pub fn from_name(name: &[u8]) -> Option<FieldType> {
        let (&sign, width) = name.split_first()?;
        let (signed, widest) = match sign {
            b'i' => (true, 64),
            b'u' => (false, 63),
            _ => return None,
        };
        let width = numbers::parse_i64(width).filter(|width| (1..=widest).contains(width))?;
        Some(FieldType { signed, width: width as u32 })
    }

    /// How many bits it has.
    pub fn width(self) -> u32 {
        self.width
    }

    fn min(self) -> i128 {
        if self.signed { -(1 << (self.width - 1)) } else { 0 }
    }

    fn max(self) -> i128 {
        (1 << (self.width - u32::from(self.signed))) - 1
    }

    /// The integer of the lowest bits.
    fn wrapped(self, value: i128) -> i64 {
        let unused = i128::BITS - self.width;
        let top = value << unused;
        (if self.signed { top >> unused } else { (top as u128 >> unused) as i128 }) as i64
    }

    /// What is written for a value, if anything.
    fn fit(self, value: i128, overflow: Overflow) -> Option<i64> {
        if (self.min()..=self.max()).contains(&value) {
            return Some(value as i64);
        }
        match overflow {
            Overflow::Wrap => Some(self.wrapped(value)),
            Overflow::Saturate => Some(value.clamp(self.min(), self.max()) as i64),
            Overflow::Fail => None,
        }
    }

    /// What SET writes. As in Redis, a negative number is a very great one where there is no sign,
    /// and where it is so far below that the distance to the greatest is no `i64`.
    pub fn fit_number(self, n: i64, overflow: Overflow) -> Option<i64> {
        let distance = self.max() - i128::from(n);
        let is_far = self.width < 64 && distance > i128::from(i64::MAX);
        let value = if self.signed && !is_far { i128::from(n) } else { i128::from(n as u64) };
        self.fit(value, overflow)
    }

    /// What INCRBY writes.
    pub fn fit_sum(self, n: i64, increment: i64, overflow: Overflow) -> Option<i64> {
        self.fit(i128::from(n) + i128::from(increment), overflow)
    }

    /// The integer whose first bit is `offset`; bits past the end are clear.
    pub fn read(self, bytes: &[u8], offset: u64) -> i64 {
        let window = Window::at(bytes, offset);
        self.wrapped((window.bits >> self.shift(offset)) as i128)
    }

    /// Writes an integer that fits; all its bits must lie within the bytes.
    pub fn write(self, bytes: &mut [u8], offset: u64, value: i64) {
        let mut window = Window::at(bytes, offset);
        let shift = self.shift(offset);
        let mask = (u128::MAX >> (u128::BITS - self.width)) << shift;
        window.bits = window.bits & !mask | (value as u128) << shift & mask;
        window.put(bytes);
    }

    /// How far a field's last bit is from the end of the window that it is read in.
    fn shift(self, offset: u64) -> u32 {
        u128::BITS - (offset % 8) as u32 - self.width
    }
}

/// The bytes that hold a field, as one number whose highest byte comes first.
struct Window {
    bits: u128,
    first: usize,
    len: usize,
}

impl Window {
    fn at(bytes: &[u8], offset: u64) -> Window {
        let first = bytes.len().min(usize::try_from(offset / 8).unwrap_or(usize::MAX));
        let len = (bytes.len() - first).min(size_of::<u128>());
        let mut copy = [0; size_of::<u128>()];
        copy[..len].copy_from_slice(&bytes[first..first + len]);
        Window { bits: u128::from_be_bytes(copy), first, len }
    }

    fn put(&self, bytes: &mut [u8]) {
        let copy = self.bits.to_be_bytes();
        bytes[self.first..self.first + self.len].copy_from_slice(&copy[..self.len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bits_of(bytes: &[u8]) -> Vec<bool> {
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte & (0x80 >> bit) != 0)).collect()
    }

    fn field(name: &str) -> FieldType {
        FieldType::from_name(name.as_bytes()).unwrap()
    }

    /// Bytes with long runs of zeros and ones in them.
    fn runs() -> impl Strategy<Value = Vec<u8>> {
        let run = (prop_oneof![Just(0), Just(0xFF), any::<u8>()], 0usize..700);
        prop::collection::vec(run, 0..6).prop_map(|runs| {
            runs.into_iter().flat_map(|(byte, len)| std::iter::repeat_n(byte, len)).collect()
        })
    }

    #[test]
    fn types_have_names() {
        assert_eq!(field("i64").width(), 64);
        assert_eq!((field("u63").min(), field("u63").max()), (0, i128::from(i64::MAX)));
        assert_eq!((field("i1").min(), field("i1").max()), (-1, 0));
        for name in ["", "i", "u0", "u64", "i65", "i-1", "8", "I8", "u08", "u 8", "u99999999999"] {
            assert_eq!(FieldType::from_name(name.as_bytes()), None, "{name}");
        }
    }

    #[test]
    fn overflow() {
        use Overflow::*;
        let (byte, small) = (field("u8"), field("i8"));
        for (overflow, expected) in [(Wrap, Some(4)), (Saturate, Some(255)), (Fail, None)] {
            assert_eq!(byte.fit_sum(250, 10, overflow), expected);
        }
        for (overflow, expected) in [(Wrap, Some(126)), (Saturate, Some(-128)), (Fail, None)] {
            assert_eq!(small.fit_sum(-120, -10, overflow), expected);
        }
        assert_eq!(byte.fit_number(-1, Saturate), Some(255));
        assert_eq!(small.fit_number(i64::MIN, Saturate), Some(127));
        assert_eq!(small.fit_number(i64::MIN + 128, Saturate), Some(-128));
        assert_eq!(field("i64").fit_number(i64::MIN, Saturate), Some(i64::MIN));
        assert_eq!(field("i64").fit_sum(i64::MAX, i64::MAX, Wrap), Some(-2));
        assert_eq!(field("i64").fit_sum(i64::MIN, -1, Saturate), Some(i64::MIN));
        assert_eq!(field("u63").fit_sum(i64::MAX, 1, Wrap), Some(0));
    }

    #[test]
    fn operations_pad_with_zeros() {
        let sources: [&[u8]; 3] = [b"\xFF\x0F", b"\xF0", b"\x3C\xFF\x81"];
        assert_eq!(combine(Operation::And, &sources), [0x30, 0, 0]);
        assert_eq!(combine(Operation::Or, &sources), [0xFF, 0xFF, 0x81]);
        assert_eq!(combine(Operation::Xor, &sources), [0x33, 0xF0, 0x81]);
        assert_eq!(combine(Operation::Not, &sources[..1]), [0, 0xF0]);
        assert_eq!(combine(Operation::Or, &[b"", b""]), []);
    }

    proptest! {
        #[test]
        fn counts_and_finds_as_bit_by_bit(
            bytes in runs(),
            (start, end) in (0.0..1.0f64, 0.0..1.0f64),
            set in any::<bool>(),
        ) {
            let bits = bits_of(&bytes);
            let at = |share: f64| (bits.len() as f64 * share) as usize;
            let range = at(start.min(end))..at(start.max(end));
            let wide = range.start as u64..range.end as u64;
            let ones = bits[range.clone()].iter().filter(|&&bit| bit).count();
            let found = bits[range].iter().position(|&bit| bit == set);
            prop_assert_eq!(count(&bytes), bits.iter().filter(|&&bit| bit).count() as u64);
            prop_assert_eq!(count_range(&bytes, wide.clone()), ones as u64);
            prop_assert_eq!(find(&bytes, wide.clone(), set), found.map(|n| wide.start + n as u64));
        }

        #[test]
        fn combines_as_bit_by_bit(sources in prop::collection::vec(runs(), 1..4)) {
            let slices: Vec<&[u8]> = sources.iter().map(Vec::as_slice).collect();
            let len = slices.iter().map(|source| source.len()).max().unwrap_or(0);
            let naive = |fold: fn(u8, u8) -> u8| -> Vec<u8> {
                let at = |source: &Vec<u8>, index: usize| source.get(index).copied().unwrap_or(0);
                let row = |index| sources.iter().map(move |source| at(source, index));
                (0..len).map(|index| row(index).reduce(fold).unwrap_or(0)).collect()
            };
            prop_assert_eq!(combine(Operation::And, &slices), naive(|a, b| a & b));
            prop_assert_eq!(combine(Operation::Or, &slices), naive(|a, b| a | b));
            prop_assert_eq!(combine(Operation::Xor, &slices), naive(|a, b| a ^ b));
            let inverted: Vec<u8> = sources[0].iter().map(|byte| !byte).collect();
            prop_assert_eq!(combine(Operation::Not, &slices[..1]), inverted);
        }

        #[test]
        fn fields_are_their_bits(
            mut bytes in prop::collection::vec(any::<u8>(), 9..20),
            (width, signed) in (1u32..=63, any::<bool>()),
            offset in 0u64..200,
            value in any::<i64>(),
        ) {
            let kind = FieldType { signed, width };
            let mut bits = bits_of(&bytes);
            let bit = |bits: &[bool], n: u64| bits.get(n as usize).copied().unwrap_or(false);
            let unsigned = (offset..offset + u64::from(width))
                .fold(0i64, |sum, n| sum << 1 | i64::from(bit(&bits, n)));
            let negative = signed && bit(&bits, offset);
            let sign_bits = if negative { -1 << (width - 1) } else { 0 };
            let expected = unsigned | sign_bits;
            prop_assert_eq!(kind.read(&bytes, offset), expected);

            let last = bytes.len() as u64 * 8 - u64::from(width);
            let (at, value) = (offset % (last + 1), kind.wrapped(value.into()));
            kind.write(&mut bytes, at, value);
            prop_assert_eq!(kind.read(&bytes, at), value);
            let written = bits_of(&bytes);
            let range = at as usize..(at + u64::from(width)) as usize;
            bits[range.clone()].copy_from_slice(&written[range]);
            prop_assert_eq!(bits, written);
        }
    }
}
