//! Lua values in JSON. Which tables are lists is told by their keys.

use mlua::{Lua, Table, Value};

use super::{Odd, Settings};
use crate::base::limits::CJSON_DEPTH_MAX;
use crate::base::numbers::write_general_to;
use crate::scripting::raise::{Raised, library_error};

/// A value in JSON.
pub(super) fn encode(lua: &Lua, value: &Value, settings: &Settings) -> mlua::Result<Vec<u8>> {
    let mut encoder = Encoder { settings, depth: 0, out: Vec::new() };
    match encoder.value(value) {
        Ok(()) => Ok(encoder.out),
        // Only from here the caller can be seen: tables are walked in calls of their own.
        Err(error) => Err(match error.downcast_ref::<Raised>() {
            Some(Raised::Text(words)) => library_error(lua, String::from_utf8_lossy(words)),
            _ => error,
        }),
    }
}

struct Encoder<'a> {
    settings: &'a Settings,
    depth: usize,
    out: Vec<u8>,
}

impl Encoder<'_> {
    fn value(&mut self, value: &Value) -> mlua::Result<()> {
        match value {
            Value::String(text) => self.string(&text.as_bytes()),
            Value::Integer(n) => self.number(*n as f64)?,
            Value::Number(n) => self.number(*n)?,
            Value::Boolean(value) => {
                self.out.extend_from_slice(if *value { b"true" } else { b"false" });
            }
            Value::Table(table) => self.table(table)?,
            Value::Nil => self.out.extend_from_slice(b"null"),
            value if *value == Value::NULL => self.out.extend_from_slice(b"null"),
            other => return Err(self.refuse(other, "type not supported")),
        }
        Ok(())
    }

    fn refuse(&self, value: &Value, why: &str) -> mlua::Error {
        let kind = match value {
            Value::Integer(_) | Value::Number(_) => "number",
            Value::LightUserData(_) | Value::Error(_) => "userdata",
            value => value.type_name(),
        };
        Raised::Text(format!("Cannot serialise {kind}: {why}").into_bytes()).into()
    }

    fn string(&mut self, text: &[u8]) {
        self.out.reserve(text.len() + 2);
        self.out.push(b'"');
        for &byte in text {
            let escaped: &[u8] = match byte {
                b'"' => b"\\\"",
                b'\\' => b"\\\\",
                b'/' => b"\\/",
                0x08 => b"\\b",
                b'\t' => b"\\t",
                b'\n' => b"\\n",
                0x0c => b"\\f",
                b'\r' => b"\\r",
                0..0x20 | 0x7f => {
                    self.out.extend_from_slice(format!("\\u{byte:04x}").as_bytes());
                    continue;
                }
                _ => {
                    self.out.push(byte);
                    continue;
                }
            };
            self.out.extend_from_slice(escaped);
        }
        self.out.push(b'"');
    }

    fn number(&mut self, n: f64) -> mlua::Result<()> {
        if !n.is_finite() {
            match self.settings.encode_odd_numbers {
                Odd::Refused => {
                    return Err(self.refuse(&Value::Number(n), "must not be NaN or Inf"));
                }
                Odd::Null => {
                    self.out.extend_from_slice(b"null");
                    return Ok(());
                }
                Odd::Kept => {}
            }
        }
        write_general_to(&mut self.out, n, self.settings.precision as usize);
        Ok(())
    }

    fn table(&mut self, table: &Table) -> mlua::Result<()> {
        self.depth += 1;
        let max = self.settings.encode_depth_max.min(CJSON_DEPTH_MAX as i64);
        if self.depth as i64 > max {
            let words = format!("Cannot serialise, excessive nesting ({})", self.depth);
            return Err(Raised::Text(words.into_bytes()).into());
        }
        match self.list_length(table)? {
            Some(length) if length > 0 => self.list(table, length)?,
            _ => self.object(table)?,
        }
        self.depth -= 1;
        Ok(())
    }

    /// The last index of a table that is a list.
    fn list_length(&self, table: &Table) -> mlua::Result<Option<i64>> {
        let (mut last, mut items, mut is_list) = (0i64, 0i64, true);
        table.for_each(|key: Value, _: Value| {
            items += 1;
            match key {
                Value::Integer(n) if n >= 1 => last = last.max(n),
                Value::Number(n) if n >= 1.0 && n.floor() == n => last = i64::MAX,
                _ => is_list = false,
            }
            Ok(())
        })?;
        if !is_list {
            return Ok(None);
        }
        let settings = self.settings;
        let sparse = settings.sparse_ratio > 0
            && last > items.saturating_mul(settings.sparse_ratio)
            && last > settings.sparse_safe;
        if !sparse {
            return Ok(Some(last));
        }
        if settings.sparse_convert {
            return Ok(None);
        }
        Err(self.refuse(&Value::Table(table.clone()), "excessively sparse array"))
    }

    fn list(&mut self, table: &Table, length: i64) -> mlua::Result<()> {
        self.out.push(b'[');
        for index in 1..=length {
            if index > 1 {
                self.out.push(b',');
            }
            self.value(&table.raw_get(index)?)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self, table: &Table) -> mlua::Result<()> {
        self.out.push(b'{');
        let mut first = true;
        table.for_each(|key: Value, value: Value| {
            if !std::mem::take(&mut first) {
                self.out.push(b',');
            }
            match &key {
                Value::String(name) => self.string(&name.as_bytes()),
                Value::Integer(_) | Value::Number(_) => {
                    self.out.push(b'"');
                    self.value(&key)?;
                    self.out.push(b'"');
                }
                other => {
                    return Err(self.refuse(other, "table key must be a number or string"));
                }
            }
            self.out.push(b':');
            self.value(&value)
        })?;
        self.out.push(b'}');
        Ok(())
    }
}
