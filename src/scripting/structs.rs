//! The library `struct`: values as the bytes of a C struct and back, by a format string. Integers
//! of up to 32 bytes, of which Lua's numbers hold 53 bits.

use mlua::{Lua, MultiValue, Table, Value};

use super::checks::{bytes, integer_or, number};
use super::raise::{argument_error, library_error};

const INTEGER_BYTES_MAX: usize = 32;
/// What `!` alone aligns to.
const ALIGNMENT_MAX: usize = 8;

/// The library's table.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("size", lua.create_function(size)?)?;
    Ok(table)
}

/// A format that is walked through.
struct Format<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
    little: bool,
    align: usize,
}

/// One letter of a format, with the bytes that its value takes.
#[derive(Clone, Copy, Debug)]
struct Item {
    letter: u8,
    size: usize,
}

impl<'a> Format<'a> {
    /// Nothing is found behind a zero byte.
    fn new(lua: &'a Lua, text: &'a [u8]) -> Self {
        let end = text.iter().position(|&b| b == 0).unwrap_or(text.len());
        Format { lua, rest: &text[..end], little: true, align: 1 }
    }

    fn number(&mut self) -> mlua::Result<Option<usize>> {
        let digits = self.rest.iter().take_while(|b| b.is_ascii_digit()).count();
        if digits == 0 {
            return Ok(None);
        }
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        let value = number
            .iter()
            .try_fold(0i32, |sum, digit| sum.checked_mul(10)?.checked_add(i32::from(digit - b'0')));
        match value {
            Some(value) => Ok(Some(value as usize)),
            None => Err(library_error(self.lua, "integral size overflow")),
        }
    }

    fn next(&mut self) -> mlua::Result<Option<Item>> {
        let Some((&letter, rest)) = self.rest.split_first() else { return Ok(None) };
        self.rest = rest;
        let size = match letter {
            b'B' | b'b' | b'x' => 1,
            b'H' | b'h' => 2,
            b'f' => 4,
            b'L' | b'l' | b'T' | b'd' => 8,
            b'c' => self.number()?.unwrap_or(1),
            b'i' | b'I' => self.integer_size()?,
            _ => 0,
        };
        Ok(Some(Item { letter, size }))
    }

    fn integer_size(&mut self) -> mlua::Result<usize> {
        let size = self.number()?.unwrap_or(4);
        if size <= INTEGER_BYTES_MAX {
            return Ok(size);
        }
        let words = format!("integral size {size} is larger than limit of {INTEGER_BYTES_MAX}");
        Err(library_error(self.lua, words))
    }

    /// Bytes that are left out before a value at `position`.
    fn padding(&self, position: usize, item: Item) -> usize {
        if item.size == 0 || item.letter == b'c' {
            return 0;
        }
        let size = item.size.min(self.align);
        size.wrapping_sub(position & size.wrapping_sub(1)) & (size - 1)
    }

    /// What is no value: byte order, alignment, space.
    fn control(&mut self, letter: u8) -> mlua::Result<()> {
        match letter {
            b' ' => {}
            b'>' => self.little = false,
            b'<' => self.little = true,
            b'!' => {
                let align = self.number()?.unwrap_or(ALIGNMENT_MAX);
                if !align.is_power_of_two() {
                    let words = format!("alignment {align} is not a power of 2");
                    return Err(library_error(self.lua, words));
                }
                self.align = align;
            }
            _ => {
                let shown = char::from(letter);
                let words = format!("invalid format option '{shown}'");
                return Err(argument_error(self.lua, 1, words));
            }
        }
        Ok(())
    }

    fn ordered<const N: usize>(&self, mut little: [u8; N]) -> [u8; N] {
        if !self.little {
            little.reverse();
        }
        little
    }
}

fn pack(lua: &Lua, mut args: MultiValue) -> mlua::Result<mlua::LuaString> {
    let text = bytes(lua, &args, 1)?;
    // To Redis there is a nil behind the arguments, as errors tell.
    args.push_back(mlua::Value::Nil);
    let mut format = Format::new(lua, &text);
    let mut out = Vec::new();
    let mut arg = 2;
    while let Some(item) = format.next()? {
        out.resize(out.len() + format.padding(out.len(), item), 0);
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                put_integer(&mut out, number(lua, &args, arg)?, item.size, format.little);
                arg += 1;
            }
            b'x' => out.push(0),
            b'f' => {
                let value = number(lua, &args, arg)? as f32;
                out.extend_from_slice(&format.ordered(value.to_le_bytes()));
                arg += 1;
            }
            b'd' => {
                let value = number(lua, &args, arg)?;
                out.extend_from_slice(&format.ordered(value.to_le_bytes()));
                arg += 1;
            }
            b'c' | b's' => {
                let value = bytes(lua, &args, arg)?;
                arg += 1;
                let size = if item.size == 0 { value.len() } else { item.size };
                let Some(part) = value.get(..size) else {
                    return Err(argument_error(lua, arg, "string too short"));
                };
                out.extend_from_slice(part);
                if item.letter == b's' {
                    out.push(0);
                }
            }
            other => format.control(other)?,
        }
    }
    lua.create_string(out)
}

/// The lowest bytes of a number, its sign in those that it does not have.
fn put_integer(out: &mut Vec<u8>, value: f64, size: usize, little: bool) {
    let bits = if value < 0.0 { value as i64 as u64 } else { value as u64 };
    let at = out.len();
    // Redis shifts zeros in from above, whatever the sign.
    out.extend(bits.to_le_bytes().into_iter().chain(std::iter::repeat(0)).take(size));
    if !little {
        out[at..].reverse();
    }
}

/// An integer of `data`'s bytes; those above the lowest eight are lost.
fn take_integer(data: &[u8], signed: bool, little: bool) -> f64 {
    let mut bits = 0u64;
    let mut add = |byte: &u8| bits = bits << 8 | u64::from(*byte);
    if little {
        data.iter().rev().for_each(&mut add);
    } else {
        data.iter().for_each(&mut add);
    }
    if !signed {
        return bits as f64;
    }
    match data.len() {
        0 => 0.0,
        size @ 1..8 => {
            let unused = 64 - 8 * size as u32;
            ((bits << unused) as i64 >> unused) as f64
        }
        _ => bits as i64 as f64,
    }
}

fn unpack(lua: &Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let text = bytes(lua, &args, 1)?;
    let data = bytes(lua, &args, 2)?;
    let position = integer_or(lua, &args, 3, 1)?;
    let Some(mut at) = usize::try_from(position).ok().and_then(|n| n.checked_sub(1)) else {
        return Err(argument_error(lua, 3, "offset must be 1 or greater"));
    };
    let mut format = Format::new(lua, &text);
    let mut found: Vec<Value> = Vec::new();
    let short = || argument_error(lua, 2, "data string too short");
    while let Some(item) = format.next()? {
        at = at.saturating_add(format.padding(at, item));
        let part_of = |size: usize| data.get(at..at.checked_add(size)?);
        let part = part_of(item.size).ok_or_else(short)?;
        let mut size = item.size;
        match item.letter {
            b'b' | b'B' | b'h' | b'H' | b'l' | b'L' | b'T' | b'i' | b'I' => {
                let signed = item.letter.is_ascii_lowercase();
                found.push(Value::Number(take_integer(part, signed, format.little)));
            }
            b'x' => {}
            b'f' => {
                let value = f32::from_le_bytes(format.ordered(copied(part)));
                found.push(Value::Number(value.into()));
            }
            b'd' => {
                let value = f64::from_le_bytes(format.ordered(copied(part)));
                found.push(Value::Number(value));
            }
            b'c' => {
                if size == 0 {
                    size = length_before(lua, &mut found)?;
                }
                let part = part_of(size).ok_or_else(short)?;
                found.push(Value::String(lua.create_string(part)?));
            }
            b's' => {
                let rest = data.get(at..).unwrap_or_default();
                let Some(end) = memchr::memchr(0, rest) else {
                    return Err(library_error(lua, "unfinished string in data"));
                };
                found.push(Value::String(lua.create_string(&rest[..end])?));
                size = end + 1;
            }
            other => format.control(other)?,
        }
        at += size;
    }
    found.push(Value::Number((at + 1) as f64));
    Ok(MultiValue::from_vec(found))
}

fn copied<const N: usize>(part: &[u8]) -> [u8; N] {
    part.first_chunk().copied().unwrap_or([0; N])
}

/// `c0` takes as many bytes as the number before it says.
fn length_before(lua: &Lua, found: &mut Vec<Value>) -> mlua::Result<usize> {
    match found.pop() {
        Some(Value::Number(n)) if n < 0.0 => Err(argument_error(lua, 2, "data string too short")),
        Some(Value::Number(n)) => Ok(n as usize),
        _ => Err(library_error(lua, "format 'c0' needs a previous size")),
    }
}

fn size(lua: &Lua, args: MultiValue) -> mlua::Result<f64> {
    let text = bytes(lua, &args, 1)?;
    let mut format = Format::new(lua, &text);
    let mut at = 0usize;
    while let Some(item) = format.next()? {
        at += format.padding(at, item);
        match item.letter {
            b's' => return Err(argument_error(lua, 1, "option 's' has no fixed size")),
            b'c' if item.size == 0 => {
                return Err(argument_error(lua, 1, "option 'c0' has no fixed size"));
            }
            letter if !letter.is_ascii_alphanumeric() => format.control(letter)?,
            _ => {}
        }
        at = at.saturating_add(item.size);
    }
    Ok(at as f64)
}
