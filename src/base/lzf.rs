//! LZF, the compression of strings in RDB and of the inner nodes of lists: runs of up to 32 literal
//! bytes, and references of 3 to 264 bytes to what came at most 8 KiB before. Written here because
//! the crates for it are given up or young, and clear a table of 256 KiB for every string however
//! short. Never trusts what it unfolds: memory is taken for what the input can at most become.

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

/// Strings of up to so many bytes make do with smaller tables, which are cleared sooner.
const SHORT_BYTES: usize = 512;
const MEDIUM_BYTES: usize = 4096;

const _: () = assert!(MATCH_MAX == LONG_MATCH + u8::MAX as usize + 2);

/// The most that so many compressed bytes can unfold to.
fn unfolded_max(compressed: u64) -> u64 {
    compressed.div_ceil(MATCH_BYTES_MAX).saturating_mul(MATCH_MAX as u64)
}

/// Appends the compressed form of `input`, if it takes at most `max` bytes; otherwise leaves `out`
/// as it was and tells so.
pub fn compress(input: &[u8], out: &mut Vec<u8>, max: usize) -> bool {
    let begin = out.len();
    // Places are kept in 32 bits.
    let fits = u32::try_from(input.len()).is_ok()
        && if input.len() <= SHORT_BYTES {
            Compressor::<8, { 1 << 8 }>::new(input, out, max).run()
        } else if input.len() <= MEDIUM_BYTES {
            Compressor::<11, { 1 << 11 }>::new(input, out, max).run()
        } else {
            Compressor::<14, { 1 << 14 }>::new(input, out, max).run()
        };
    if !fits {
        out.truncate(begin);
    }
    fits
}

struct Compressor<'a, const BITS: u32, const SLOTS: usize> {
    input: &'a [u8],
    out: &'a mut Vec<u8>,
    /// `out` must not grow past this.
    limit: usize,
    /// Last place plus one of three bytes with this hash; 0 is none.
    seen: [u32; SLOTS],
    /// First input byte that is not written yet.
    unwritten: usize,
}

impl<'a, const BITS: u32, const SLOTS: usize> Compressor<'a, BITS, SLOTS> {
    fn new(input: &'a [u8], out: &'a mut Vec<u8>, max: usize) -> Self {
        let limit = out.len() + max;
        Compressor { input, out, limit, seen: [0; SLOTS], unwritten: 0 }
    }

    /// Whether everything found its room.
    fn run(mut self) -> bool {
        let mut at = 0;
        while at + MATCH_MIN <= self.input.len() {
            let Some(from) = self.earlier(at) else {
                at += 1;
                // Written in whole runs, so that what cannot be compressed is noticed early.
                if at - self.unwritten == LITERALS_MAX && !self.write_literals(at) {
                    return false;
                }
                continue;
            };
            let length = self.match_length(from, at);
            if !self.write_literals(at) || !self.write_match(at - from, length) {
                return false;
            }
            self.unwritten = at + length;
            // The places within the reference that the next one is most likely to continue.
            for place in at + length - 2..at + length {
                self.earlier(place);
            }
            at += length;
        }
        self.write_literals(self.input.len())
    }

    /// The last place within reach whose three bytes are those at `at`, which takes its slot.
    #[inline]
    fn earlier(&mut self, at: usize) -> Option<usize> {
        let bytes: [u8; MATCH_MIN] = *self.input.get(at..)?.first_chunk()?;
        let [a, b, c] = bytes.map(u32::from);
        let hash = (a << 16 | b << 8 | c).wrapping_mul(0x9e37_79b1) >> (u32::BITS - BITS);
        let slot = &mut self.seen[hash as usize % SLOTS];
        let last = std::mem::replace(slot, at as u32 + 1);
        let from = (last as usize).checked_sub(1)?;
        let near = at - from <= DISTANCE_MAX;
        (near && self.input[from..from + MATCH_MIN] == bytes).then_some(from)
    }

    fn match_length(&self, from: usize, at: usize) -> usize {
        let end = self.input.len().min(at + MATCH_MAX);
        let later = &self.input[at + MATCH_MIN..end];
        let earlier = &self.input[from + MATCH_MIN..][..later.len()];
        let mut length = MATCH_MIN;
        // Eight at a time: the first that differs is where their difference has its lowest bit.
        let words = later.chunks_exact(8).zip(earlier.chunks_exact(8));
        for (a, b) in words.map(|(a, b)| (word(a), word(b))) {
            if a != b {
                return length + (a ^ b).trailing_zeros() as usize / 8;
            }
            length += 8;
        }
        let rest = later.len() / 8 * 8;
        length + later[rest..].iter().zip(&earlier[rest..]).take_while(|(a, b)| a == b).count()
    }

    /// Writes what is unwritten before `end`.
    fn write_literals(&mut self, end: usize) -> bool {
        for run in self.input[self.unwritten..end].chunks(LITERALS_MAX) {
            if self.out.len() + 1 + run.len() > self.limit {
                return false;
            }
            self.out.push(run.len() as u8 - 1);
            self.out.extend_from_slice(run);
        }
        self.unwritten = end;
        true
    }

    fn write_match(&mut self, distance: usize, length: usize) -> bool {
        let [high, low] = (distance as u16 - 1).to_be_bytes();
        let beyond = length - 2;
        if beyond < LONG_MATCH {
            self.out.extend_from_slice(&[(beyond as u8) << 5 | high, low]);
        } else {
            let rest = (beyond - LONG_MATCH) as u8;
            self.out.extend_from_slice(&[(LONG_MATCH as u8) << 5 | high, rest, low]);
        }
        self.out.len() <= self.limit
    }
}

fn word(bytes: &[u8]) -> u64 {
    bytes.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

/// The `length` bytes that `input` was compressed from.
pub fn decompress(input: &[u8], length: u64) -> Result<Vec<u8>, Invalid> {
    let length = Some(length)
        .filter(|&length| length <= unfolded_max(input.len() as u64))
        .and_then(|length| usize::try_from(length).ok())
        .ok_or(Invalid)?;
    let mut out = Vec::new();
    out.try_reserve_exact(length).map_err(|_| Invalid)?;
    let mut rest = input;
    while let [control, after @ ..] = rest {
        let (more, taken) = unfold(usize::from(*control), after).ok_or(Invalid)?;
        rest = &after[taken..];
        if out.len() + more.len() > length {
            return Err(Invalid);
        }
        match more {
            Piece::Literals(bytes) => out.extend_from_slice(bytes),
            Piece::Match { distance, length } => repeat(&mut out, distance, length)?,
        }
    }
    if out.len() == length { Ok(out) } else { Err(Invalid) }
}

enum Piece<'a> {
    Literals(&'a [u8]),
    Match { distance: usize, length: usize },
}

impl Piece<'_> {
    fn len(&self) -> usize {
        match self {
            Piece::Literals(bytes) => bytes.len(),
            Piece::Match { length, .. } => *length,
        }
    }
}

/// The piece that a control byte and what follows it describe, and how much of that it took.
fn unfold(control: usize, after: &[u8]) -> Option<(Piece<'_>, usize)> {
    if control < LITERALS_MAX {
        let bytes = after.get(..control + 1)?;
        return Some((Piece::Literals(bytes), bytes.len()));
    }
    let (mut length, mut taken) = (control >> 5, 0);
    if length == LONG_MATCH {
        length += usize::from(*after.first()?);
        taken = 1;
    }
    let low = usize::from(*after.get(taken)?);
    let distance = ((control & (LITERALS_MAX - 1)) << 8 | low) + 1;
    Some((Piece::Match { distance, length: length + 2 }, taken + 1))
}

/// Appends `length` bytes from `distance` before the end on; those may be among the appended ones.
fn repeat(out: &mut Vec<u8>, distance: usize, length: usize) -> Result<(), Invalid> {
    let from = out.len().checked_sub(distance).ok_or(Invalid)?;
    let end = out.len() + length;
    while out.len() < end {
        let upto = out.len().min(from + (end - out.len()));
        out.extend_from_within(from..upto);
    }
    Ok(())
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
