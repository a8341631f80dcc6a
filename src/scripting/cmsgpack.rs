//! The library `cmsgpack`: Lua values in MessagePack and back. Tables are followed to a bounded
//! depth in both directions, and no length is believed before its bytes have been found.

use mlua::{Lua, LuaString, MultiValue, Table, Value};

use super::checks::{bytes, integer_or, number};
use super::raise::{Raised, argument_error, library_error};
use crate::base::limits::{CMSGPACK_DEPTH_MAX, CMSGPACK_UNPACK_DEPTH_MAX};

/// The library's table.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("pack", lua.create_function(pack)?)?;
    table.raw_set("unpack", lua.create_function(unpack)?)?;
    table.raw_set("unpack_one", lua.create_function(unpack_one)?)?;
    table.raw_set("unpack_limit", lua.create_function(unpack_limit)?)?;
    table.raw_set("_NAME", "cmsgpack")?;
    table.raw_set("_VERSION", "lua-cmsgpack 0.4.0")?;
    table.raw_set("_COPYRIGHT", "Copyright (C) 2012, Salvatore Sanfilippo")?;
    table.raw_set("_DESCRIPTION", "MessagePack C implementation for Lua")?;
    Ok(table)
}

// ---- encoding

fn pack(lua: &Lua, args: MultiValue) -> mlua::Result<LuaString> {
    if args.is_empty() {
        return Err(argument_error(lua, 0, "MessagePack pack needs input."));
    }
    let mut out = Vec::new();
    for value in &args {
        put_value(&mut out, value, 0)?;
    }
    lua.create_string(out)
}

fn put_value(out: &mut Vec<u8>, value: &Value, level: usize) -> mlua::Result<()> {
    match value {
        Value::String(text) => put_bytes(out, &text.as_bytes()),
        Value::Boolean(value) => out.push(if *value { 0xc3 } else { 0xc2 }),
        Value::Integer(n) => put_integer(out, *n),
        Value::Number(n) => put_number(out, *n),
        Value::Table(table) if level < CMSGPACK_DEPTH_MAX => put_table(out, table, level)?,
        _ => out.push(0xc0),
    }
    Ok(())
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = bytes.len();
    match len {
        0..32 => out.push(0xa0 | len as u8),
        32..0x100 => out.extend_from_slice(&[0xd9, len as u8]),
        0x100..0x1_0000 => put_head(out, 0xda, &(len as u16).to_be_bytes()),
        _ => put_head(out, 0xdb, &(len as u32).to_be_bytes()),
    }
    out.extend_from_slice(bytes);
}

fn put_head(out: &mut Vec<u8>, kind: u8, number: &[u8]) {
    out.push(kind);
    out.extend_from_slice(number);
}

fn put_integer(out: &mut Vec<u8>, n: i64) {
    match n {
        -32..0x80 => out.push(n as u8),
        0x80..0x100 => put_head(out, 0xcc, &[n as u8]),
        0x100..0x1_0000 => put_head(out, 0xcd, &(n as u16).to_be_bytes()),
        0x1_0000..0x1_0000_0000 => put_head(out, 0xce, &(n as u32).to_be_bytes()),
        0x1_0000_0000.. => put_head(out, 0xcf, &n.to_be_bytes()),
        -0x80..-32 => put_head(out, 0xd0, &[n as u8]),
        -0x8000..-0x80 => put_head(out, 0xd1, &(n as i16).to_be_bytes()),
        -0x8000_0000..-0x8000 => put_head(out, 0xd2, &(n as i32).to_be_bytes()),
        ..-0x8000_0000 => put_head(out, 0xd3, &n.to_be_bytes()),
    }
}

fn put_number(out: &mut Vec<u8>, n: f64) {
    const INTEGERS: f64 = (1u64 << 63) as f64;
    if n.trunc() == n && (-INTEGERS..INTEGERS).contains(&n) {
        return put_integer(out, n as i64);
    }
    let short = n as f32;
    if f64::from(short) == n {
        put_head(out, 0xca, &short.to_be_bytes());
    } else {
        put_head(out, 0xcb, &n.to_be_bytes());
    }
}

fn put_table(out: &mut Vec<u8>, table: &Table, level: usize) -> mlua::Result<()> {
    let (mut count, mut last, mut is_array) = (0usize, 0.0f64, true);
    table.for_each(|key: Value, _: Value| {
        count += 1;
        match index_of(&key) {
            Some(index) => last = last.max(index),
            None => is_array = false,
        }
        Ok(())
    })?;
    if is_array && last == count as f64 {
        match count {
            0..16 => out.push(0x90 | count as u8),
            16..0x1_0000 => put_head(out, 0xdc, &(count as u16).to_be_bytes()),
            _ => put_head(out, 0xdd, &(count as u32).to_be_bytes()),
        }
        for index in 1..=count {
            put_value(out, &table.raw_get(index)?, level + 1)?;
        }
        return Ok(());
    }
    match count {
        0..16 => out.push(0x80 | count as u8),
        16..0x1_0000 => put_head(out, 0xde, &(count as u16).to_be_bytes()),
        _ => put_head(out, 0xdf, &(count as u32).to_be_bytes()),
    }
    table.for_each(|key: Value, value: Value| {
        put_value(out, &key, level + 1)?;
        put_value(out, &value, level + 1)
    })
}

/// A key that may be a place in a list.
fn index_of(key: &Value) -> Option<f64> {
    let n = match key {
        Value::Integer(n) => *n as f64,
        Value::Number(n) => *n,
        _ => return None,
    };
    (n > 0.0 && n.trunc() == n).then_some(n)
}

// ---- decoding

fn unpack(lua: &Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let data = bytes(lua, &args, 1)?;
    let mut reader = Reader { lua, data: &data, at: 0, depth: 0 };
    let mut found = Vec::new();
    while reader.at < data.len() {
        found.push(reader.value()?);
    }
    Ok(MultiValue::from_vec(found))
}

fn unpack_one(lua: &Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let offset = integer_or(lua, &args, 2, 0)?;
    unpack_some(lua, &args, 1, offset)
}

fn unpack_limit(lua: &Lua, args: MultiValue) -> mlua::Result<MultiValue> {
    let limit = number(lua, &args, 2)? as i64;
    let offset = integer_or(lua, &args, 3, 0)?;
    unpack_some(lua, &args, limit, offset)
}

/// So many values from `offset` on, after the offset of what follows them: -1 if nothing does. Zero
/// for both means everything, without an offset.
fn unpack_some(lua: &Lua, args: &MultiValue, limit: i64, offset: i64) -> mlua::Result<MultiValue> {
    if limit == 0 && offset == 0 {
        return unpack(lua, args.clone());
    }
    let data = bytes(lua, args, 1)?;
    let len = data.len();
    let (Ok(limit), Ok(at)) = (usize::try_from(limit), usize::try_from(offset)) else {
        let words =
            format!("Invalid request to unpack with offset of {offset} and limit of {len}.");
        return Err(library_error(lua, words));
    };
    if at > len {
        let words = format!("Start offset {offset} greater than input length {len}.");
        return Err(library_error(lua, words));
    }
    let mut reader = Reader { lua, data: &data, at, depth: 0 };
    let mut found = vec![Value::Nil];
    while reader.at < len && found.len() <= limit {
        found.push(reader.value()?);
    }
    let rest = if reader.at == len { -1 } else { reader.at as i64 };
    found[0] = Value::Integer(rest);
    Ok(MultiValue::from_vec(found))
}

struct Reader<'a> {
    lua: &'a Lua,
    data: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, len: usize) -> mlua::Result<&'a [u8]> {
        let taken = self.data.get(self.at..).and_then(|rest| rest.get(..len));
        let taken = taken.ok_or_else(|| library_error(self.lua, "Missing bytes in input."))?;
        self.at += len;
        Ok(taken)
    }

    /// A number of so many bytes.
    fn number(&mut self, len: usize) -> mlua::Result<u64> {
        Ok(self.take(len)?.iter().fold(0, |n, byte| n << 8 | u64::from(*byte)))
    }

    fn value(&mut self) -> mlua::Result<Value> {
        let number = |n: f64| Ok(Value::Number(n));
        let kind = self.take(1)?[0];
        match kind {
            0x00..=0x7f => number(kind.into()),
            0xe0..=0xff => number((kind as i8).into()),
            0xa0..=0xbf => self.string(usize::from(kind & 0x1f)),
            0x90..=0x9f => self.array(u64::from(kind & 0x0f)),
            0x80..=0x8f => self.map(u64::from(kind & 0x0f)),
            0xcc => number(self.number(1)? as f64),
            0xcd => number(self.number(2)? as f64),
            0xce => number(self.number(4)? as f64),
            0xd0 => number((self.number(1)? as i8).into()),
            0xd1 => number((self.number(2)? as i16).into()),
            0xd2 => number((self.number(4)? as i32).into()),
            // Lua's integers, which Redis makes of both, are signed.
            0xcf | 0xd3 => number(self.number(8)? as i64 as f64),
            0xc0 => Ok(Value::Nil),
            0xc2 => Ok(Value::Boolean(false)),
            0xc3 => Ok(Value::Boolean(true)),
            0xca => number(f32::from_bits(self.number(4)? as u32).into()),
            0xcb => number(f64::from_bits(self.number(8)?)),
            0xd9 => self.counted(1, Self::string_of),
            0xda => self.counted(2, Self::string_of),
            0xdb => self.counted(4, Self::string_of),
            0xdc => self.counted(2, Self::array),
            0xdd => self.counted(4, Self::array),
            0xde => self.counted(2, Self::map),
            0xdf => self.counted(4, Self::map),
            0xc1 | 0xc4..=0xc9 | 0xd4..=0xd8 => {
                Err(library_error(self.lua, "Bad data format in input."))
            }
        }
    }

    fn counted(
        &mut self,
        bytes: usize,
        read: fn(&mut Self, u64) -> mlua::Result<Value>,
    ) -> mlua::Result<Value> {
        let len = self.number(bytes)?;
        read(self, len)
    }

    fn string_of(&mut self, len: u64) -> mlua::Result<Value> {
        self.string(usize::try_from(len).unwrap_or(usize::MAX))
    }

    fn string(&mut self, len: usize) -> mlua::Result<Value> {
        let bytes = self.take(len)?;
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        if self.depth <= CMSGPACK_UNPACK_DEPTH_MAX {
            return Ok(());
        }
        let words = "stack overflow (too many return values at once; use unpack_one or \
                     unpack_limit instead.)";
        Err(library_error(self.lua, words))
    }

    fn array(&mut self, len: u64) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        for index in 1..=len {
            table.raw_set(index, self.value()?)?;
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: u64) -> mlua::Result<Value> {
        self.descend()?;
        let table = self.lua.create_table()?;
        for _ in 0..len {
            let (key, value) = (self.value()?, self.value()?);
            match key {
                Value::Nil => return Err(Raised::Text(b"table index is nil".to_vec()).into()),
                Value::Number(n) if n.is_nan() => {
                    return Err(Raised::Text(b"table index is NaN".to_vec()).into());
                }
                key => table.raw_set(key, value)?,
            }
        }
        self.depth -= 1;
        Ok(Value::Table(table))
    }
}
