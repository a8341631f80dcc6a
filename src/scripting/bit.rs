//! The library `bit`: operations on 32-bit integers, as in LuaBitOp. Numbers are taken modulo 2^32
//! and results are signed.

use mlua::{Lua, MultiValue, Table};

use super::checks::number;

/// The library's table.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    one(lua, &table, "tobit", |n| n)?;
    one(lua, &table, "bnot", |n| !n)?;
    one(lua, &table, "bswap", i32::swap_bytes)?;
    all(lua, &table, "band", |a, b| a & b)?;
    all(lua, &table, "bor", |a, b| a | b)?;
    all(lua, &table, "bxor", |a, b| a ^ b)?;
    shift(lua, &table, "lshift", |n, by| n.wrapping_shl(by))?;
    shift(lua, &table, "rshift", |n, by| (n as u32).wrapping_shr(by) as i32)?;
    shift(lua, &table, "arshift", |n, by| n.wrapping_shr(by))?;
    shift(lua, &table, "rol", |n, by| n.rotate_left(by & 31))?;
    shift(lua, &table, "ror", |n, by| n.rotate_right(by & 31))?;
    let tohex = lua.create_function(|lua, args: MultiValue| {
        let digits = match args.get(1) {
            None => 8,
            Some(_) => to_bits(number(lua, &args, 2)?),
        };
        lua.create_string(hex(to_bits(number(lua, &args, 1)?), digits))
    })?;
    table.raw_set("tohex", tohex)?;
    Ok(table)
}

/// A number's lowest 32 bits; a fraction is rounded.
fn to_bits(n: f64) -> i32 {
    const RANGE: f64 = (1u64 << 32) as f64;
    n.round_ties_even().rem_euclid(RANGE) as u32 as i32
}

fn one(lua: &Lua, table: &Table, name: &str, run: fn(i32) -> i32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        Ok(f64::from(run(to_bits(number(lua, &args, 1)?))))
    })?;
    table.raw_set(name, function)
}

fn all(lua: &Lua, table: &Table, name: &str, join: fn(i32, i32) -> i32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let mut joined = to_bits(number(lua, &args, 1)?);
        for index in 2..=args.len() {
            joined = join(joined, to_bits(number(lua, &args, index)?));
        }
        Ok(f64::from(joined))
    })?;
    table.raw_set(name, function)
}

fn shift(lua: &Lua, table: &Table, name: &str, run: fn(i32, u32) -> i32) -> mlua::Result<()> {
    let function = lua.create_function(move |lua, args: MultiValue| {
        let n = to_bits(number(lua, &args, 1)?);
        let by = to_bits(number(lua, &args, 2)?) as u32 & 31;
        Ok(f64::from(run(n, by)))
    })?;
    table.raw_set(name, function)
}

/// The lowest so many hex digits, at most eight; in capitals if their number is negative.
fn hex(n: i32, digits: i32) -> Vec<u8> {
    let kept = digits.unsigned_abs().min(8) as usize;
    let all = if digits < 0 { format!("{n:08X}") } else { format!("{n:08x}") };
    all.as_bytes()[8 - kept..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_taken_modulo_two_to_the_thirty_second() {
        assert_eq!(to_bits(4_294_967_295.0), -1);
        assert_eq!(to_bits(4_294_967_296.0 + 5.0), 5);
        assert_eq!(to_bits(-1.0), -1);
        assert_eq!(to_bits(2.5), 2);
        assert_eq!(to_bits(f64::NAN), 0);
    }

    #[test]
    fn hex_digits() {
        assert_eq!(hex(65535, 8), b"0000ffff");
        assert_eq!(hex(65535, -4), b"FFFF");
        assert_eq!(hex(-1, 3), b"fff");
        assert_eq!(hex(65535, i32::MIN), b"0000FFFF");
        assert_eq!(hex(1, 0), b"");
    }
}
