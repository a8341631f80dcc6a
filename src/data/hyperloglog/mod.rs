//! HyperLogLog: estimates how many different elements were added, in a string of at most 12 KiB.
//! Byte for byte as Redis has it: the magic, the form, the last estimate, and the registers, either
//! sparse or dense. Called by the commands on them. Strings come from clients, so nothing is
//! believed of one that [`form`] accepts: a sparse one may be [`Corrupt`] further on.

mod dense;
mod estimate;
mod selftest;
mod sparse;
#[cfg(test)]
mod tests;

pub use selftest::self_test;
pub use sparse::{Run, runs};

use estimate::Histogram;
use sparse::{Hint, Raised};

/// Bits of a hash that choose the register.
const INDEX_BITS: usize = 14;
/// How many registers there are.
pub const REGISTERS: usize = 1 << INDEX_BITS;
/// The magic, the form, three unused bytes, and the last estimate.
const HEADER_BYTES: usize = 16;
const MAGIC: &[u8; 4] = b"HYLL";
const FORM_AT: usize = 4;
const DENSE_FORM: u8 = 0;
const SPARSE_FORM: u8 = 1;
/// Eight bytes, the lowest first; the highest bit says that registers have changed since.
const ESTIMATE_AT: usize = 8;
const STALE: u8 = 0x80;
const DENSE_BYTES: usize = HEADER_BYTES + dense::BYTES;
/// The seed of the hash.
const SEED: u64 = 0xADC8_3B19;

/// The registers are not what the header promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// How registers are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Six bits each.
    Dense,
    /// Runs of equal ones.
    Sparse,
}

impl Form {
    /// The name that PFDEBUG ENCODING replies.
    pub fn name(self) -> &'static str {
        match self {
            Form::Dense => "dense",
            Form::Sparse => "sparse",
        }
    }
}

/// The form of a string that has the header of a HyperLogLog.
pub fn form(string: &[u8]) -> Option<Form> {
    if string.len() < HEADER_BYTES || !string.starts_with(MAGIC) {
        return None;
    }
    match string[FORM_AT] {
        DENSE_FORM => (string.len() == DENSE_BYTES).then_some(Form::Dense),
        SPARSE_FORM => Some(Form::Sparse),
        _ => None,
    }
}

/// One without elements.
pub fn empty() -> Vec<u8> {
    let mut string = header(SPARSE_FORM);
    sparse::push_zeros(&mut string, REGISTERS);
    string
}

fn header(form: u8) -> Vec<u8> {
    let mut header = vec![0; HEADER_BYTES];
    header[..MAGIC.len()].copy_from_slice(MAGIC);
    header[FORM_AT] = form;
    header
}

// ---- the last estimate. All that follows is for strings that have a form.

/// The last estimate, unless registers have changed since.
pub fn last_estimate(string: &[u8]) -> Option<u64> {
    let bytes = string.get(ESTIMATE_AT..HEADER_BYTES)?;
    let bytes: [u8; 8] = bytes.try_into().ok()?;
    (bytes[7] & STALE == 0).then_some(u64::from_le_bytes(bytes))
}

/// Keeps an estimate.
pub fn keep_estimate(string: &mut [u8], estimate: u64) {
    string[ESTIMATE_AT..HEADER_BYTES].copy_from_slice(&estimate.to_le_bytes());
}

/// Registers have changed: the last estimate is none of these.
pub fn invalidate(string: &mut [u8]) {
    string[HEADER_BYTES - 1] |= STALE;
}

/// Estimates how many elements there are.
pub fn estimate(string: &[u8]) -> Result<u64, Corrupt> {
    let mut histogram = Histogram::new();
    match form(string) {
        Some(Form::Dense) => {
            let registers = &string[HEADER_BYTES..];
            dense::for_each_group(registers, |_, words| {
                words.iter().for_each(|&word| histogram.add_word(word));
            });
        }
        Some(Form::Sparse) => {
            for_each_run(string, |run, _| histogram.add_run(run.value, run.registers))?;
        }
        None => return Err(Corrupt),
    }
    Ok(histogram.estimate())
}

/// Calls `visit` with each run of a sparse string and its first register.
fn for_each_run(string: &[u8], mut visit: impl FnMut(Run, usize)) -> Result<(), Corrupt> {
    let mut first = 0;
    for run in runs(string) {
        if first + run.registers > REGISTERS {
            return Err(Corrupt);
        }
        visit(run, first);
        first += run.registers;
    }
    if first == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

// ---- adding

/// Adds an element; whether a register has changed. A sparse string that would have more than
/// `sparse_bytes_max` bytes becomes dense.
pub fn add(string: &mut Vec<u8>, element: &[u8], sparse_bytes_max: usize) -> Result<bool, Corrupt> {
    let (index, value) = register_of(element);
    raise(string, &mut Hint::default(), (index, value), sparse_bytes_max)
}

fn raise(
    string: &mut Vec<u8>,
    hint: &mut Hint,
    (index, value): (usize, u8),
    sparse_bytes_max: usize,
) -> Result<bool, Corrupt> {
    if form(string) == Some(Form::Sparse) {
        if value <= sparse::VALUE_MAX {
            match sparse::raise(string, hint, index, value, sparse_bytes_max)? {
                Raised::No => return Ok(false),
                Raised::Yes => {
                    invalidate(string);
                    return Ok(true);
                }
                Raised::TooLong => {}
            }
        }
        make_dense(string)?;
    }
    let raised = dense::raise(&mut string[HEADER_BYTES..], index, value);
    if raised {
        invalidate(string);
    }
    Ok(raised)
}

/// The register that an element belongs to, and the value that it gives it: one more than the
/// number of zeros that the rest of its hash ends with.
fn register_of(element: &[u8]) -> (usize, u8) {
    let hash = murmur64a(element);
    let rest = hash >> INDEX_BITS | 1 << (u64::BITS as usize - INDEX_BITS);
    (hash as usize % REGISTERS, rest.trailing_zeros() as u8 + 1)
}

/// MurmurHash64A, little-endian on every machine.
fn murmur64a(bytes: &[u8]) -> u64 {
    const M: u64 = 0xC6A4_A793_5BD1_E995;
    const SHIFT: u32 = 47;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (words, rest) = bytes.as_chunks::<8>();
    for &word in words {
        let mixed = u64::from_le_bytes(word).wrapping_mul(M);
        let mixed = (mixed ^ mixed >> SHIFT).wrapping_mul(M);
        hash = (hash ^ mixed).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        hash = (hash ^ u64::from_le_bytes(last)).wrapping_mul(M);
    }
    hash = (hash ^ hash >> SHIFT).wrapping_mul(M);
    hash ^ hash >> SHIFT
}

/// Makes a string dense; whether it was not.
pub fn make_dense(string: &mut Vec<u8>) -> Result<bool, Corrupt> {
    if form(string) != Some(Form::Sparse) {
        return Ok(false);
    }
    let mut dense = Vec::with_capacity(DENSE_BYTES);
    dense.extend_from_slice(&string[..HEADER_BYTES]);
    dense[FORM_AT] = DENSE_FORM;
    dense.resize(DENSE_BYTES, 0);
    let registers = &mut dense[HEADER_BYTES..];
    for_each_run(string, |run, first| {
        if run.value != 0 {
            (first..first + run.registers)
                .for_each(|index| dense::set(registers, index, run.value));
        }
    })?;
    *string = dense;
    Ok(true)
}

/// The value of a register of a dense string.
pub fn dense_register(string: &[u8], index: usize) -> u8 {
    dense::get(&string[HEADER_BYTES..], index)
}

// ---- unions

/// The registers of several strings: the greatest of each.
pub struct Union {
    registers: Box<[u8; REGISTERS]>,
    has_dense: bool,
}

impl Default for Union {
    fn default() -> Self {
        Union { registers: Box::new([0; REGISTERS]), has_dense: false }
    }
}

impl Union {
    /// Adds the elements of a string.
    pub fn add(&mut self, string: &[u8]) -> Result<(), Corrupt> {
        match form(string) {
            Some(Form::Dense) => self.add_dense(&string[HEADER_BYTES..]),
            Some(Form::Sparse) => for_each_run(string, |run, first| {
                if run.value != 0 {
                    let registers = &mut self.registers[first..first + run.registers];
                    registers.iter_mut().for_each(|value| *value = run.value.max(*value));
                }
            })?,
            None => return Err(Corrupt),
        }
        Ok(())
    }

    fn add_dense(&mut self, packed: &[u8]) {
        self.has_dense = true;
        let (groups, _) = self.registers.as_chunks_mut::<32>();
        dense::for_each_group(packed, |index, words| {
            let (places, _) = groups[index].as_chunks_mut::<8>();
            for (place, word) in places.iter_mut().zip(words) {
                let values = place.iter_mut().zip(word.to_le_bytes());
                values.for_each(|(place, value)| *place = value.max(*place));
            }
        });
    }

    /// Estimates how many different elements there are.
    pub fn estimate(&self) -> u64 {
        let mut histogram = Histogram::new();
        let (words, _) = self.registers.as_chunks::<8>();
        words.iter().for_each(|&word| histogram.add_word(u64::from_le_bytes(word)));
        histogram.estimate()
    }

    /// Writes the union to a string whose elements are part of it, dense if one of its parts was.
    pub fn store(&self, string: &mut Vec<u8>, sparse_bytes_max: usize) -> Result<(), Corrupt> {
        if self.has_dense {
            make_dense(string)?;
        }
        let mut hint = Hint::default();
        for (index, &value) in self.registers.iter().enumerate() {
            if form_of_header(string) == DENSE_FORM {
                dense::pack(&self.registers, &mut string[HEADER_BYTES..]);
                break;
            }
            if value != 0 {
                raise(string, &mut hint, (index, value), sparse_bytes_max)?;
            }
        }
        invalidate(string);
        Ok(())
    }
}

fn form_of_header(string: &[u8]) -> u8 {
    string[FORM_AT]
}
