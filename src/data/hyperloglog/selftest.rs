//! PFSELFTEST: registers that keep what was written to them, and estimates that are as near to the
//! truth as theory has it, for both forms. Works on strings of its own.

use super::{Form, HEADER_BYTES, REGISTERS, add, dense, empty, estimate, form, make_dense};
use crate::base::rng::Rng;

/// Times that all registers are written and read.
const ROUNDS: usize = 100;
/// Elements that are added.
const ELEMENTS: u64 = 1_000_000;

/// What is wrong, in Redis's words.
pub fn self_test(rng: &mut Rng, sparse_bytes_max: usize) -> Result<(), String> {
    let mut string = empty();
    if make_dense(&mut string).is_err() {
        return Err("TESTFAILED empty HLL is not valid".into());
    }
    registers_are_kept(&mut string[HEADER_BYTES..], rng)?;
    string[HEADER_BYTES..].fill(0);
    estimates_are_near(&mut string, rng, sparse_bytes_max)
}

fn registers_are_kept(packed: &mut [u8], rng: &mut Rng) -> Result<(), String> {
    let mut expected = [0; REGISTERS];
    for _ in 0..ROUNDS {
        for (index, expected) in expected.iter_mut().enumerate() {
            *expected = rng.below(64) as u8;
            dense::set(packed, index, *expected);
        }
        for (index, &expected) in expected.iter().enumerate() {
            let value = dense::get(packed, index);
            if value != expected {
                let found = format!("Register {index} should be {expected} but is {value}");
                return Err(format!("TESTFAILED {found}"));
            }
        }
    }
    Ok(())
}

fn estimates_are_near(
    string: &mut Vec<u8>,
    rng: &mut Rng,
    sparse_bytes_max: usize,
) -> Result<(), String> {
    // Six times the standard error, which good luck never exceeds.
    let tolerance = 6.0 * 1.04 / (REGISTERS as f64).sqrt();
    let seed = rng.next_u64();
    let mut other = empty();
    let mut checkpoint = 1;
    for n in 1..=ELEMENTS {
        let element = (n ^ seed).to_ne_bytes();
        let added = add(string, &element, sparse_bytes_max);
        let added = added.and(add(&mut other, &element, sparse_bytes_max));
        if added.is_err() {
            return Err("TESTFAILED corrupted HLL".into());
        }
        if n != checkpoint {
            continue;
        }
        if n < sparse_bytes_max as u64 / 2 && form(&other) != Some(Form::Sparse) {
            return Err("TESTFAILED sparse encoding not used".into());
        }
        let estimates = (estimate(string), estimate(&other));
        let (Ok(of_dense), Ok(of_other)) = estimates else {
            return Err("TESTFAILED corrupted HLL".into());
        };
        if of_dense != of_other {
            return Err("TESTFAILED dense/sparse disagree".into());
        }
        // Of ten elements, two may well meet in one register.
        let allowed = if n == 10 { 1 } else { (tolerance * n as f64).ceil() as u64 };
        let error = of_dense.abs_diff(n);
        if error > allowed {
            return Err(format!("TESTFAILED Too big error. card:{n} abserr:{error}"));
        }
        checkpoint *= 10;
    }
    Ok(())
}
