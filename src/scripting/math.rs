//! `math.random` and `math.randomseed`: the same numbers for the same seed on every machine, those
//! of the generator `lrand48` (Redis: rand.c).

use std::cell::Cell;
use std::rc::Rc;

use mlua::{Lua, MultiValue, Table};

use super::checks::number;
use super::raise::{argument_error, library_error};

/// A linear congruence modulo 2^48.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Generator(u64);

const LOW_BITS: u64 = 0x330E;
const START: u64 = 0x1234_ABCD_330E;
const NUMBERS: u32 = i32::MAX as u32;

impl Generator {
    fn seeded(seed: i32) -> Self {
        Generator(u64::from(seed as u32) << 16 | LOW_BITS)
    }

    /// The next 31 bits.
    fn next(&mut self) -> u32 {
        let next = self.0.wrapping_mul(0x5_DEEC_E66D).wrapping_add(0xB);
        self.0 = next & ((1 << 48) - 1);
        (self.0 >> 17) as u32
    }
}

/// Gives `native` the two functions, of which `sandbox.lua` makes those of `math`.
pub(super) fn replace_random(lua: &Lua, native: &Table) -> mlua::Result<()> {
    let generator = Rc::new(Cell::new(Generator(START)));
    let seeded = generator.clone();
    let random = lua.create_function(move |lua, args: MultiValue| {
        let mut state = generator.get();
        let fraction = f64::from(state.next() % NUMBERS) / f64::from(NUMBERS);
        generator.set(state);
        let (low, high, blamed) = match args.len() {
            0 => return Ok(fraction),
            1 => (1, number(lua, &args, 1)? as i32, 1),
            2 => (number(lua, &args, 1)? as i32, number(lua, &args, 2)? as i32, 2),
            _ => return Err(library_error(lua, "wrong number of arguments")),
        };
        if low > high {
            return Err(argument_error(lua, blamed, "interval is empty"));
        }
        let width = f64::from(high) - f64::from(low) + 1.0;
        Ok((fraction * width).floor() + f64::from(low))
    })?;
    let randomseed = lua.create_function(move |lua, args: MultiValue| {
        seeded.set(Generator::seeded(number(lua, &args, 1)? as i64 as i32));
        Ok(())
    })?;
    native.raw_set("random", random)?;
    native.raw_set("randomseed", randomseed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_lrand48() {
        let mut generator = Generator::seeded(0);
        let numbers: Vec<u32> = (0..3).map(|_| generator.next()).collect();
        assert_eq!(numbers, [366_850_414, 1_610_402_240, 206_956_554]);
    }
}
