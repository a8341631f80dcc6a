//! What a script returns, as a reply (Redis: luaReplyToRedisReply). Called by `dispatch::scripts`
//! once the script has ended.

use mlua::{Table, Value};

use super::raise::COUNTED;
use crate::base::limits::SCRIPT_REPLY_DEPTH_MAX;
use crate::resp::{Protocol, Reply};

/// An error within what a script has returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnedError {
    /// Its line.
    pub line: Vec<u8>,
    /// It was counted where it arose.
    pub counted: bool,
}

/// Writes a value to the client's replies. `spoken` is the protocol that the script had chosen.
/// Errors among what was written are told, to be counted.
pub fn write_reply(reply: &mut Reply, value: &Value, spoken: Protocol) -> Vec<ReturnedError> {
    let mut writer = Writer { reply, spoken, depth: 0, errors: Vec::new() };
    writer.value(value);
    writer.errors
}

struct Writer<'a> {
    reply: &'a mut Reply,
    spoken: Protocol,
    depth: usize,
    errors: Vec<ReturnedError>,
}

impl Writer<'_> {
    fn value(&mut self, value: &Value) {
        match value {
            Value::String(text) => self.reply.bulk(&text.as_bytes()),
            Value::Integer(n) => self.reply.int(*n),
            Value::Number(n) => self.reply.int(truncated(*n)),
            Value::Boolean(value) if self.spoken == Protocol::Resp3 => self.reply.boolean(*value),
            Value::Boolean(true) => self.reply.int(1),
            Value::Table(table) => {
                self.depth += 1;
                if self.depth > SCRIPT_REPLY_DEPTH_MAX {
                    self.error(b"ERR reached lua stack limit".to_vec(), false);
                } else {
                    self.table(table);
                }
                self.depth -= 1;
            }
            _ => self.reply.null(),
        }
    }

    fn error(&mut self, line: Vec<u8>, counted: bool) {
        self.reply.error_line(&line);
        self.errors.push(ReturnedError { line, counted });
    }

    fn table(&mut self, table: &Table) {
        if let Some(line) = text(table, "err") {
            let counted = matches!(table.raw_get(COUNTED), Ok(Value::Boolean(true)));
            return self.error(line, counted);
        }
        if let Some(line) = text(table, "ok") {
            return self.reply.simple_bytes(&line);
        }
        if let Ok(Value::Integer(n)) = table.raw_get("double") {
            return self.reply.double(n as f64);
        }
        if let Ok(Value::Number(n)) = table.raw_get("double") {
            return self.reply.double(n);
        }
        if let Some(mut digits) = text(table, "big_number") {
            digits.iter_mut().filter(|b| matches!(b, b'\r' | b'\n')).for_each(|b| *b = b' ');
            return self.reply.big_number(&digits);
        }
        if let Ok(Value::Table(parts)) = table.raw_get("verbatim_string")
            && let (Some(format), Some(words)) = (text(&parts, "format"), text(&parts, "string"))
        {
            let mut three = [b' '; 3];
            three.iter_mut().zip(&format).for_each(|(shown, byte)| *shown = *byte);
            return self.reply.verbatim(three, &words);
        }
        if let Ok(Value::Table(pairs)) = table.raw_get("map") {
            return self.map(&pairs);
        }
        if let Ok(Value::Table(members)) = table.raw_get("set") {
            return self.set(&members);
        }
        self.list(table);
    }

    fn map(&mut self, pairs: &Table) {
        let begun = self.reply.map_deferred();
        let mut count = 0;
        // Nothing that is visited can fail.
        let _ = pairs.for_each(|key: Value, value: Value| {
            self.value(&key);
            self.value(&value);
            count += 1;
            Ok(())
        });
        self.reply.end(begun, count);
    }

    fn set(&mut self, members: &Table) {
        let begun = self.reply.set_deferred();
        let mut count = 0;
        let _ = members.for_each(|member: Value, _: Value| {
            self.value(&member);
            count += 1;
            Ok(())
        });
        self.reply.end(begun, count);
    }

    /// The items up to the first that is nil.
    fn list(&mut self, table: &Table) {
        let begun = self.reply.array_deferred();
        let mut count = 0;
        while let Ok(item) = table.raw_get::<Value>(count + 1)
            && !item.is_nil()
        {
            self.value(&item);
            count += 1;
        }
        self.reply.end(begun, count);
    }
}

fn text(table: &Table, name: &str) -> Option<Vec<u8>> {
    match table.raw_get(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

/// A number without its fraction, as C converts it on most machines.
fn truncated(value: f64) -> i64 {
    if value.is_nan() || value >= i64::MAX as f64 { i64::MIN } else { value as i64 }
}
