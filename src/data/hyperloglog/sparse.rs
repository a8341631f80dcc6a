//! The sparse form: runs of registers that have the same value, one or two bytes each. Byte for
//! byte what Redis makes of the same changes, down to which neighbours are joined. Used by the rest
//! of `hyperloglog`; positions are those of the whole string, whose header ends at
//! [`HEADER_BYTES`]. Nothing here trusts that the runs add up to all registers.

use arrayvec::ArrayVec;

use super::{Corrupt, HEADER_BYTES};

/// A byte of this kind begins a longer run of zeros: `01xxxxxx xxxxxxxx`.
const WIDE: u8 = 0x40;
/// A byte of this kind is a run of a value: `1vvvvvxx`.
const VALUE: u8 = 0x80;
/// Longest run of zeros in one byte (`00xxxxxx`).
const ZEROS_MAX: usize = 64;
/// Longest run of a value.
const VALUES_MAX: usize = 4;
/// The greatest value of a register in this form.
pub(super) const VALUE_MAX: u8 = 32;
/// How many runs are looked at, to be joined, after a change (Redis: scanlen).
const JOINED_RUNS_MAX: usize = 5;
/// Strings grow by as many bytes as they have, but by no more than this.
const GROWTH_BYTES_MAX: usize = 300;

/// Registers of the same value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The value; zero only for runs of zeros.
    pub value: u8,
    /// How many registers.
    pub registers: usize,
    /// Bytes that it takes: 2 for a longer run of zeros.
    pub bytes: usize,
}

impl Run {
    /// The run at the beginning of bytes that are not empty. A second byte that is missing counts
    /// as zero.
    fn read(bytes: &[u8]) -> Run {
        let first = bytes[0];
        if first & VALUE != 0 {
            let registers = usize::from(first & 3) + 1;
            Run { value: (first >> 2 & 31) + 1, registers, bytes: 1 }
        } else if first & WIDE != 0 {
            let second = bytes.get(1).copied().unwrap_or(0);
            let registers = usize::from(u16::from_be_bytes([first & 0x3F, second])) + 1;
            Run { value: 0, registers, bytes: 2 }
        } else {
            Run { value: 0, registers: usize::from(first) + 1, bytes: 1 }
        }
    }
}

/// The runs of a string.
pub fn runs(string: &[u8]) -> impl Iterator<Item = Run> {
    let mut rest = string.get(HEADER_BYTES..).unwrap_or_default();
    std::iter::from_fn(move || {
        let run = (!rest.is_empty()).then(|| Run::read(rest))?;
        rest = rest.get(run.bytes..).unwrap_or_default();
        Some(run)
    })
}

/// Adds a run of zeros, if it has any.
pub(super) fn push_zeros(out: &mut impl Extend<u8>, registers: usize) {
    let [high, low] = (registers as u16).wrapping_sub(1).to_be_bytes();
    if registers > ZEROS_MAX {
        out.extend([high | WIDE, low]);
    } else if registers > 0 {
        out.extend([low]);
    }
}

/// Adds a run, if it has any registers.
fn push_values(out: &mut impl Extend<u8>, value: u8, registers: usize) {
    if value == 0 {
        push_zeros(out, registers);
    } else if registers > 0 {
        out.extend([VALUE | (value - 1) << 2 | (registers - 1) as u8]);
    }
}

/// Where a run is, and its first register.
#[derive(Clone, Copy, Debug)]
struct Place {
    at: usize,
    first: usize,
}

const BEGIN: Place = Place { at: HEADER_BYTES, first: 0 };

/// Where to look for a register that comes after the last one that was set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hint {
    from: Place,
    before: Option<Place>,
}

impl Default for Hint {
    fn default() -> Self {
        Hint { from: BEGIN, before: None }
    }
}

/// What became of a register.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    /// It had the value already, or a greater one.
    No,
    /// It has the value.
    Yes,
    /// Nothing happened: the string would become longer than it may.
    TooLong,
}

/// Raises a register to a value of 1 to [`VALUE_MAX`], in a string of at most so many bytes. The
/// hint must come from a lower register of the same string, and is moved.
pub(super) fn raise(
    string: &mut Vec<u8>,
    hint: &mut Hint,
    index: usize,
    value: u8,
    bytes_max: usize,
) -> Result<Raised, Corrupt> {
    // The run that holds the register, the one before it, and the one before that.
    let (mut place, mut before, mut earlier) = (hint.from, hint.before, None);
    let run = loop {
        let rest = string.get(place.at..).filter(|rest| !rest.is_empty()).ok_or(Corrupt)?;
        let run = Run::read(rest);
        if index < place.first + run.registers {
            break run;
        }
        earlier = before;
        before = Some(place);
        place = Place { at: place.at + run.bytes, first: place.first + run.registers };
    };
    if place.at + run.bytes > string.len() {
        return Err(Corrupt);
    }
    let next = match (before, earlier) {
        (Some(from), Some(_)) => Hint { from, before: earlier },
        _ => Hint::default(),
    };
    if run.value >= value {
        // Where nothing has moved, the last hint is as good.
        if next.from.at > hint.from.at {
            *hint = next;
        }
        return Ok(Raised::No);
    }
    let mut parts = ArrayVec::<u8, 5>::new();
    push_values(&mut parts, run.value, index - place.first);
    push_values(&mut parts, value, 1);
    push_values(&mut parts, run.value, place.first + run.registers - 1 - index);
    if parts.len() > run.bytes && string.len() + parts.len() - run.bytes > bytes_max {
        return Ok(Raised::TooLong);
    }
    if string.capacity() - string.len() < parts.len() {
        string.reserve_exact(parts.capacity() + string.len().min(GROWTH_BYTES_MAX));
    }
    string.splice(place.at..place.at + run.bytes, parts);
    join(string, before.unwrap_or(BEGIN).at);
    // What is before that run was not touched.
    *hint = next;
    Ok(Raised::Yes)
}

/// Joins neighbours of the same value, as far as a run can hold them, among the next few.
fn join(string: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOINED_RUNS_MAX {
        let Some(rest) = string.get(at..).filter(|rest| !rest.is_empty()) else { return };
        let run = Run::read(rest);
        let next = rest.get(run.bytes..).filter(|rest| !rest.is_empty()).map(Run::read);
        match next {
            Some(next)
                if run.value != 0
                    && next.value == run.value
                    && run.registers + next.registers <= VALUES_MAX =>
            {
                string.remove(at);
                let joined = run.registers + next.registers;
                string[at] = VALUE | (run.value - 1) << 2 | (joined - 1) as u8;
            }
            _ => at += run.bytes,
        }
    }
}
