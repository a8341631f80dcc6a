//! Changes at random: of bits and bytes, lengths that are absurd, parts that are missing, doubled
//! or of something else. Knows no format but where lengths are likely to be.

use crate::base::rng::Rng;

/// Bytes that mean something where lengths, kinds and ends stand.
const TELLING: [u8; 22] = [
    0, 1, 2, 0x0a, 0x1d, 0x20, 0x3f, 0x40, 0x7f, 0x80, 0x81, 0xbf, 0xc0, 0xc3, 0xdf, 0xe0, 0xf0,
    0xf1, 0xf4, 0xfd, 0xfe, 0xff,
];
/// Lengths and counts that nothing has, as the formats write them.
const ABSURD: [&[u8]; 8] = [
    b"\x81\xff\xff\xff\xff\xff\xff\xff\xff",
    b"\x81\x00\x00\x00\x01\x00\x00\x00\x00",
    b"\x80\xff\xff\xff\xff",
    b"\x80\x7f\xff\xff\xff",
    b"\x80\x00\xff\xff\xff",
    b"\xff\xff\xff\xff",
    b"\xff\xff\xff\x7f",
    b"\xf0\xff\xff\xff\x0f",
];
/// Where a payload's lengths are.
const FRONT_BYTES: usize = 24;
/// Bytes in front of a file's first item.
const HEADER_BYTES: usize = 9;

/// A payload with one to four changes.
pub(super) fn payload(payload: &[u8], others: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    let changes = 1 + rng.below(8).saturating_sub(4);
    for _ in 0..changes {
        change(&mut bytes, 0, others, rng);
    }
    if rng.below(32) == 0 && !bytes.is_empty() {
        // The same bytes as another type.
        bytes[0] = rng.below(26) as u8;
    }
    bytes
}

/// A file with one to four changes behind its header.
pub(super) fn file(file: &[u8], others: &[Vec<u8>], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for _ in 0..1 + rng.below(4) {
        change(&mut bytes, HEADER_BYTES, others, rng);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, from: usize, others: &[Vec<u8>], rng: &mut Rng) {
    if bytes.len() <= from {
        return;
    }
    let at = place(bytes, from, rng);
    match rng.below(16) {
        0..5 => bytes[at] ^= 1 << rng.below(8),
        5..8 => bytes[at] = TELLING[rng.below(TELLING.len() as u64) as usize],
        8 => bytes[at] = bytes[at].wrapping_add(1),
        9 => bytes[at] = bytes[at].wrapping_sub(1),
        10 => bytes[at] = rng.next_u64() as u8,
        11 => {
            let absurd = ABSURD[rng.below(ABSURD.len() as u64) as usize];
            let upto = (at + absurd.len()).min(bytes.len());
            bytes.splice(at..upto, absurd.iter().copied());
        }
        12 => bytes.truncate(at),
        13 => {
            let upto = end(bytes, at, rng);
            bytes.drain(at..upto);
        }
        14 => {
            let upto = end(bytes, at, rng);
            let part = bytes[at..upto].to_vec();
            bytes.splice(at..at, part);
        }
        _ if others.is_empty() => bytes[at] = 0,
        _ => {
            let other = &others[rng.below(others.len() as u64) as usize];
            let begin = rng.below(other.len() as u64) as usize;
            let part = other[begin..end(other, begin, rng)].to_vec();
            let upto = (at + part.len() * rng.below(2) as usize).min(bytes.len());
            bytes.splice(at..upto, part);
        }
    }
}

/// A place to change something, half of the time where the lengths are.
fn place(bytes: &[u8], from: usize, rng: &mut Rng) -> usize {
    let front = if rng.below(2) == 0 { from + FRONT_BYTES } else { bytes.len() };
    from + rng.below((front.min(bytes.len()) - from) as u64) as usize
}

/// The end of a part that begins at `at`.
fn end(bytes: &[u8], at: usize, rng: &mut Rng) -> usize {
    at + 1 + rng.below((bytes.len() - at).min(40) as u64 - 1) as usize
}
