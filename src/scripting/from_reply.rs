//! Encoded replies as Lua values (Redis: redisProtocolToLuaType). What it reads was written by our
//! own `resp::Reply`, so it trusts what it reads; a reply that makes no sense is nil.

use mlua::{Lua, Table, Value};

use super::raise::error_table;
use crate::base::numbers;

/// Reads one reply.
pub(super) fn read_reply(lua: &Lua, encoded: &[u8]) -> mlua::Result<Value> {
    Reader { lua, rest: encoded }.value()
}

struct Reader<'a> {
    lua: &'a Lua,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn value(&mut self) -> mlua::Result<Value> {
        let line = self.line();
        let Some((&kind, line)) = line.split_first() else { return Ok(Value::Nil) };
        match kind {
            b'$' => match length(line) {
                Some(len) => self.string(len),
                None => Ok(Value::Boolean(false)),
            },
            b':' => Ok(Value::Number(numbers::parse_i64(line).unwrap_or(0) as f64)),
            b'+' => self.field("ok", Value::String(self.lua.create_string(line)?)),
            b'-' => Ok(Value::Table(error_table(self.lua, line, true)?)),
            b'*' | b'>' => match length(line) {
                Some(len) => self.array(len),
                None => Ok(Value::Boolean(false)),
            },
            b'%' => self.map(length(line).unwrap_or(0)),
            b'~' => self.set(length(line).unwrap_or(0)),
            b'_' => Ok(Value::Nil),
            b'#' => Ok(Value::Boolean(line == b"t")),
            b',' => self.field("double", Value::Number(double(line))),
            b'(' => self.field("big_number", Value::String(self.lua.create_string(line)?)),
            b'=' => self.verbatim(length(line).unwrap_or(0)),
            b'|' => self.after_attribute(length(line).unwrap_or(0)),
            _ => Ok(Value::Nil),
        }
    }

    /// The line at the front, without its end.
    #[inline]
    fn line(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let line = &self.rest[..end];
        self.rest = self.rest.get(end + 2..).unwrap_or_default();
        line
    }

    fn bytes(&mut self, len: usize) -> &'a [u8] {
        let bytes = &self.rest[..len.min(self.rest.len())];
        self.rest = self.rest.get(len + 2..).unwrap_or_default();
        bytes
    }

    #[inline]
    fn string(&mut self, len: usize) -> mlua::Result<Value> {
        let bytes = self.bytes(len);
        Ok(Value::String(self.lua.create_string(bytes)?))
    }

    fn field(&self, name: &str, value: Value) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(0, 1)?;
        table.raw_set(name, value)?;
        Ok(Value::Table(table))
    }

    fn array(&mut self, len: usize) -> mlua::Result<Value> {
        let table = self.lua.create_table_with_capacity(len, 0)?;
        for index in 1..=len {
            let item = self.value()?;
            table.raw_set(index, item)?;
        }
        Ok(Value::Table(table))
    }

    fn map(&mut self, len: usize) -> mlua::Result<Value> {
        let pairs = self.lua.create_table_with_capacity(0, len)?;
        for _ in 0..len {
            let (key, value) = (self.value()?, self.value()?);
            set_unless_nil(&pairs, key, value)?;
        }
        self.field("map", Value::Table(pairs))
    }

    fn set(&mut self, len: usize) -> mlua::Result<Value> {
        let members = self.lua.create_table_with_capacity(0, len)?;
        for _ in 0..len {
            let member = self.value()?;
            set_unless_nil(&members, member, Value::Boolean(true))?;
        }
        self.field("set", Value::Table(members))
    }

    fn verbatim(&mut self, len: usize) -> mlua::Result<Value> {
        let text = self.bytes(len);
        let (format, text) = text.split_at(text.len().min(4));
        let parts = self.lua.create_table_with_capacity(0, 2)?;
        parts.raw_set("string", self.lua.create_string(text)?)?;
        parts.raw_set("format", self.lua.create_string(&format[..format.len().min(3)])?)?;
        self.field("verbatim_string", Value::Table(parts))
    }

    /// Attributes are not shown to scripts; what they belong to follows.
    fn after_attribute(&mut self, len: usize) -> mlua::Result<Value> {
        for _ in 0..2 * len {
            self.value()?;
        }
        self.value()
    }
}

/// Nothing can be kept under nil.
fn set_unless_nil(table: &Table, key: Value, value: Value) -> mlua::Result<()> {
    if key.is_nil() { Ok(()) } else { table.raw_set(key, value) }
}

fn length(digits: &[u8]) -> Option<usize> {
    usize::try_from(numbers::parse_i64(digits)?).ok()
}

fn double(digits: &[u8]) -> f64 {
    match digits {
        b"inf" => f64::INFINITY,
        b"-inf" => f64::NEG_INFINITY,
        b"nan" => f64::NAN,
        _ => numbers::parse_f64(digits).unwrap_or(0.0),
    }
}
