//! The arguments that a script gives to `redis.call`, as a request. Kept from call to call, so that
//! a call costs no allocation. Called by `api.rs` only.

use mlua::Value;

use super::raise::redis_error;
use crate::base::numbers;
use crate::resp::{Args, Span};

/// A request in the making.
#[derive(Debug, Default)]
pub(super) struct Arguments {
    buffer: Vec<u8>,
    spans: Vec<Span>,
}

/// A buffer that grew beyond this is not kept.
const KEPT_BYTES: usize = 64 * 1024;

impl Arguments {
    /// Takes over what a script has given.
    pub fn fill(&mut self, values: &[Value]) -> mlua::Result<()> {
        self.buffer.clear();
        self.spans.clear();
        if values.is_empty() {
            let words = "Please specify at least one argument for this redis lib call";
            return Err(redis_error(words));
        }
        for value in values {
            let start = self.buffer.len();
            match value {
                Value::String(text) => self.buffer.extend_from_slice(&text.as_bytes()),
                Value::Integer(n) => {
                    self.buffer.extend_from_slice(itoa::Buffer::new().format(*n).as_bytes());
                }
                Value::Number(n) => write_number(&mut self.buffer, *n),
                _ => {
                    let words = "Lua redis lib command arguments must be strings or integers";
                    return Err(redis_error(words));
                }
            }
            let len = self.buffer.len() - start;
            let (Ok(start), Ok(len)) = (u32::try_from(start), u32::try_from(len)) else {
                return Err(redis_error("arguments of a command are too long"));
            };
            self.spans.push(Span { start, len });
        }
        Ok(())
    }

    /// The request; something must have been filled in.
    pub fn args(&self) -> Args<'_> {
        Args::new(&self.buffer, &self.spans)
    }

    /// Lets go of much memory.
    pub fn shrink(&mut self) {
        if self.buffer.capacity() > KEPT_BYTES {
            self.buffer = Vec::new();
        }
    }
}

/// A number as an argument: an integer where it is one, else its shortest digits.
fn write_number(out: &mut Vec<u8>, value: f64) {
    const INTEGERS: f64 = (1u64 << 63) as f64;
    if value.trunc() == value && (-INTEGERS..INTEGERS).contains(&value) {
        return out.extend_from_slice(itoa::Buffer::new().format(value as i64).as_bytes());
    }
    numbers::write_shortest(out, value);
}
