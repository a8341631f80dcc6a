//! LZF, the compression of strings in RDB and of the inner nodes of lists: runs of up to 32 literal
//! bytes, and references of 3 to 264 bytes to what came at most 8 KiB before. Written here because
//! the crates for it are given up or young, and clear a table of 256 KiB for every string however
//! short. Never trusts what it unfolds: memory is taken for what the input can at most become.

use super::alloc;

/// Compressed bytes do not become what is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Invalid;

/// Longest run of literals; its length less one is the whole control byte.
const LITERALS_MAX: usize = 1 << 5;
/// Furthest reference.
const DISTANCE_MAX: usize = 1 << 13;
/// Shortest and longest reference.
const MATCH_MIN: usize = 3;
const MATCH_MAX: usize = 264;
/// A reference's length beyond two, in the three high bits of its control byte; the largest says
/// that another byte is to be added.
const LONG_MATCH: usize = 7;
/// The longest reference takes so many bytes, which bounds what input can become.
const MATCH_BYTES_MAX: u64 = 3;

/// Bytes that are loaded to see three.
const LOADED: usize = 4;
/// For each so many places without a repetition, one more is passed over at a time.
const MISSES_PER_STEP: usize = 128;

/// Bytes beyond the end that may be written, so that copies are made in whole words.
const SLACK: usize = LITERALS_MAX + 1;

/// Strings of up to so many bytes make do with smaller tables, which are cleared sooner.
const TINY_BYTES: usize = u8::MAX as usize;
const SHORT_BYTES: usize = 512;
const MEDIUM_BYTES: usize = 4096;
/// Longer ones have places that take more than 16 bits.
const LONG_BYTES: usize = u16::MAX as usize;

const _: () = assert!(MATCH_MAX == LONG_MATCH + u8::MAX as usize + 2);

/// The most that so many compressed bytes can unfold to.
fn unfolded_max(compressed: u64) -> u64 {
    compressed.div_ceil(MATCH_BYTES_MAX).saturating_mul(MATCH_MAX as u64)
}

/// Appends the compressed form of `input`, if it takes at most `max` bytes; otherwise leaves `out`
/// as it was and tells so.
pub fn compress(input: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
    let begin = out.len();
    // What is compressed is hardly longer than it was.
    let room = max.min(input.len() + input.len() / LITERALS_MAX + 1);
    out.resize(begin + room + SLACK, 0);
    let place = &mut out[begin..];
    let length = input.len();
    let packed = if length <= TINY_BYTES {
        pack::<u8, 8, { 1 << 8 }>(input, place)
    } else if length <= SHORT_BYTES {
        pack::<u16, 9, { 1 << 9 }>(input, place)
    } else if length <= MEDIUM_BYTES {
        pack::<u16, 12, { 1 << 12 }>(input, place)
    } else if length <= LONG_BYTES {
        pack::<u16, 14, { 1 << 14 }>(input, place)
    } else if u32::try_from(length).is_ok() {
        // Places are kept in 32 bits.
        pack::<u32, 14, { 1 << 14 }>(input, place)
    } else {
        None
    };
    out.truncate(begin + packed.unwrap_or(0));
    packed.is_some()
}

/// A place in the input.
trait Place: Copy {
    const FIRST: Self;
    fn of(at: usize) -> Self;
    fn at(self) -> usize;
}

macro_rules! place {
    ($($kind:ty),*) => {$(
        impl Place for $kind {
            const FIRST: Self = 0;

            #[inline(always)]
            fn of(at: usize) -> Self {
                at as $kind
            }

            #[inline(always)]
            fn at(self) -> usize {
                self as usize
            }
        }
    )*};
}

place!(u8, u16, u32);

/// Writes the compressed form of `input` to `out`, of which the last bytes are slack, and tells its
/// length; `None` if there is not enough room.
fn pack<P: Place, const BITS: u32, const SLOTS: usize>(
    input: &[u8],
    out: &mut [u8],
) -> Option<usize> {
    // Last place of three bytes with this hash. Where there was none it is the first place of all:
    // what stands there is compared in any case.
    let mut seen = [P::FIRST; SLOTS];
    let mut out = Output { bytes: out, end: 0 };
    // The first place that is not written yet, which is where the last reference ended.
    let mut begin = 0;
    let mut at = 1;
    while at + LOADED <= input.len() {
        let here = three_bytes(input, at);
        let slot = &mut seen[slot_of::<BITS>(here) % SLOTS];
        let from = slot.at();
        *slot = P::of(at);
        if three_bytes(input, from) != here || at - from > DISTANCE_MAX {
            // Where nothing has repeated for long, it is not looked for everywhere.
            at += 1 + (at - begin) / MISSES_PER_STEP;
            continue;
        }
        let length = match_length(input, from, at);
        out.write_literals(input, begin, at)?;
        out.write_match(at - from, length)?;
        at += length;
        begin = at;
        // The places within the reference that the next one is most likely to continue.
        for place in [at - 2, at - 1] {
            if place + LOADED <= input.len() {
                seen[slot_of::<BITS>(three_bytes(input, place)) % SLOTS] = P::of(place);
            }
        }
    }
    out.write_literals(input, begin, input.len())?;
    Some(out.end)
}

#[inline(always)]
fn slot_of<const BITS: u32>(three_bytes: u32) -> usize {
    (three_bytes.wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS)) as usize
}

/// How many bytes from `at` on are those from `from` on, the first three of which are known to be.
#[inline(always)]
fn match_length(input: &[u8], from: usize, at: usize) -> usize {
    let max = MATCH_MAX.min(input.len() - at);
    let mut length = MATCH_MIN;
    // Eight at a time: the first that differs is where their difference has its lowest bit.
    while let (true, Some(a), Some(b)) =
        (length < max, eight_bytes(input, at + length), eight_bytes(input, from + length))
    {
        if a != b {
            return max.min(length + (a ^ b).trailing_zeros() as usize / 8);
        }
        length += 8;
    }
    while length < max && input[at + length] == input[from + length] {
        length += 1;
    }
    max.min(length)
}

/// The output, written up to `end`.
struct Output<'a> {
    /// The last bytes are slack, up to which nothing may come in the end.
    bytes: &'a mut [u8],
    end: usize,
}

impl Output<'_> {
    /// Writes the bytes of the input from one place to another.
    #[inline(always)]
    fn write_literals(&mut self, input: &[u8], mut from: usize, to: usize) -> Option<()> {
        while from < to {
            let count = LITERALS_MAX.min(to - from);
            let place = self.bytes.get_mut(self.end..self.end + 1 + LITERALS_MAX)?;
            place[0] = count as u8 - 1;
            // All that a run may have at once, where there is so much.
            match input.get(from..from + LITERALS_MAX) {
                Some(bytes) => place[1..].copy_from_slice(bytes),
                None => place[1..1 + count].copy_from_slice(&input[from..from + count]),
            }
            self.end += 1 + count;
            from += count;
        }
        self.is_within()
    }

    #[inline(always)]
    fn write_match(&mut self, distance: usize, length: usize) -> Option<()> {
        let [high, low] = (distance as u16 - 1).to_be_bytes();
        let beyond = length - 2;
        let place = self.bytes.get_mut(self.end..self.end + 3)?;
        if beyond < LONG_MATCH {
            place[..2].copy_from_slice(&[(beyond as u8) << 5 | high, low]);
            self.end += 2;
        } else {
            let rest = (beyond - LONG_MATCH) as u8;
            place.copy_from_slice(&[(LONG_MATCH as u8) << 5 | high, rest, low]);
            self.end += 3;
        }
        self.is_within()
    }

    #[inline(always)]
    fn is_within(&self) -> Option<()> {
        (self.end + SLACK <= self.bytes.len()).then_some(())
    }
}

/// The three bytes at a place, of which four are loaded; 0 beyond the end.
#[inline(always)]
fn three_bytes(input: &[u8], at: usize) -> u32 {
    let bytes = input.get(at..at.wrapping_add(LOADED)).and_then(|bytes| bytes.first_chunk());
    bytes.map_or(0, |bytes| u32::from_le_bytes(*bytes) << 8)
}

#[inline(always)]
fn eight_bytes(input: &[u8], at: usize) -> Option<u64> {
    let bytes = input.get(at..at + 8)?.first_chunk()?;
    Some(u64::from_le_bytes(*bytes))
}

/// References that reach back further than this are copied in pieces of as many bytes.
const PIECE: usize = 16;

/// The `length` bytes that `input` was compressed from.
pub fn decompress(input: &[u8], length: u64) -> Result<Vec<u8>, Invalid> {
    let mut out = Vec::new();
    let length = decompress_over(input, length, &mut out)?.len();
    let room = out.len();
    out.truncate(length);
    if alloc::usable_size(room) > alloc::usable_size(length) {
        out.shrink_to_fit();
    }
    Ok(out)
}

/// The same at the beginning of `out`, whose memory is used again.
pub fn decompress_over<'a>(
    input: &[u8],
    length: u64,
    out: &'a mut Vec<u8>,
) -> Result<&'a [u8], Invalid> {
    let length = Some(length)
        .filter(|&length| length <= unfolded_max(input.len() as u64))
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(Invalid)?;
    let room = length.checked_add(SLACK).ok_or(Invalid)?;
    if out.len() < room {
        out.try_reserve_exact(room - out.len()).map_err(|_| Invalid)?;
        out.resize(room, 0);
    }
    unfold(input, out, length).ok_or(Invalid)?;
    Ok(&out[..length])
}

/// Fills the first `length` bytes of `out`, behind which there is slack; `None` if the input does
/// not become exactly these.
fn unfold(input: &[u8], out: &mut [u8], length: usize) -> Option<()> {
    let (mut from, mut to) = (0, 0);
    while let Some(&control) = input.get(from) {
        let control = usize::from(control);
        from += 1;
        if control < LITERALS_MAX {
            let count = control + 1;
            if count > length - to {
                return None;
            }
            // All that a run may have at once, where there is so much.
            match input.get(from..from + LITERALS_MAX) {
                Some(bytes) => out[to..to + LITERALS_MAX].copy_from_slice(bytes),
                None => out[to..to + count].copy_from_slice(input.get(from..from + count)?),
            }
            from += count;
            to += count;
            continue;
        }
        let mut count = (control >> 5) + 2;
        if count == LONG_MATCH + 2 {
            count += usize::from(*input.get(from)?);
            from += 1;
        }
        let low = usize::from(*input.get(from)?);
        from += 1;
        let distance = ((control & (LITERALS_MAX - 1)) << 8 | low) + 1;
        let begin = to.checked_sub(distance)?;
        if count > length - to {
            return None;
        }
        repeat(out, begin, to, count);
        to += count;
    }
    (to == length).then_some(())
}

/// Copies `count` bytes from `from` to `to`, which is behind it; those from `to` on may be among
/// them.
#[inline]
fn repeat(out: &mut [u8], from: usize, to: usize, count: usize) {
    let mut done = 0;
    if to - from >= PIECE {
        while done < count {
            out.copy_within(from + done..from + done + PIECE, to + done);
            done += PIECE;
        }
    } else if to - from == 1 {
        let byte = out[from];
        out[to..to + count].fill(byte);
    } else {
        while done < count {
            out[to + done] = out[from + done];
            done += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn packed(input: &[u8]) -> Option<Vec<u8>> {
        let mut out = b"before".to_vec();
        let fits = compress(input, &mut out, input.len().saturating_sub(4));
        assert!(out.starts_with(b"before") && (fits || out.len() == 6));
        fits.then(|| out.split_off(6))
    }

    #[test]
    fn repetition_is_short() {
        for (input, most) in [(vec![b'a'; 21], 8), (vec![0; 1_000_000], 12_000)] {
            let out = packed(&input).expect("compressible");
            assert!(out.len() <= most, "{} bytes", out.len());
            assert_eq!(decompress(&out, input.len() as u64), Ok(input));
        }
    }

    #[test]
    fn what_does_not_shrink_is_left() {
        let random: Vec<u8> = (0..2000u64).map(|i| (i * i * 13_763 / 8_191) as u8).collect();
        for input in [&random[..], &random[..20], b"ab", b"abcabc"] {
            assert_eq!(packed(input), None);
        }
    }

    #[test]
    fn references_reach_as_far_as_the_format_does() {
        for gap in [DISTANCE_MAX - 20, DISTANCE_MAX - 3, DISTANCE_MAX, DISTANCE_MAX + 9] {
            let mut input: Vec<u8> = (0..gap as u32).map(|i| ((i * 7919) >> 4) as u8).collect();
            input.extend_from_slice(b"0123456789012345678901234567890123456789");
            input.extend_from_within(..300);
            let mut out = Vec::new();
            assert!(compress(&input, &mut out, input.len() * 2));
            assert_eq!(decompress(&out, input.len() as u64), Ok(input));
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let cases: [(&[u8], u64); 9] = [
            (b"", 1),
            (b"\x00", 1),
            (b"\x01a", 2),
            (b"\x00a", 2),
            (b"\x00a", 0),
            // A reference before the beginning, without its distance, without its length.
            (b"\x00a\x20\x01", 4),
            (b"\x00a\x20", 4),
            (b"\x00a\xe0", 4),
            (b"\x00a\xe0\x00", 10),
        ];
        for (input, length) in cases {
            assert_eq!(decompress(input, length), Err(Invalid), "{input:?}");
        }
        // No memory is taken for what cannot be.
        assert_eq!(decompress(b"\x00a\xe0\xff\x00", u64::MAX), Err(Invalid));
        assert_eq!(decompress(b"\x00a\xe0\xff\x00", 1 << 40), Err(Invalid));
    }

    proptest! {
        #[test]
        fn round_trip(
            pieces in prop::collection::vec((any::<[u8; 5]>(), 1usize..5, 1usize..400), 0..60)
        ) {
            let mut input = Vec::new();
            for (bytes, width, times) in pieces {
                input.extend(bytes[..width].iter().cycle().take(times));
            }
            let mut out = Vec::new();
            prop_assert!(compress(&input, &mut out, input.len() + input.len() / 32 + 1));
            prop_assert!(input.len() as u64 <= unfolded_max(out.len() as u64));
            prop_assert_eq!(decompress(&out, input.len() as u64), Ok(input));
        }

        #[test]
        fn any_bytes_are_survived(
            input in prop::collection::vec(any::<u8>(), 0..200), length in 0u64..20_000
        ) {
            if let Ok(out) = decompress(&input, length) {
                prop_assert_eq!(out.len() as u64, length);
            }
        }
    }
}
