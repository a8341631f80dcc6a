//! Values with the byte that tells their type. The only place that lists types: one more of them is
//! an arm in each `match` of this file.

use super::string::{self, Text};
use super::{Corrupt, ReadLimits, Source, WriteOptions};
use crate::base::limits::RECORD_INLINE_BYTES_MAX;
use crate::value::{NewValue, Value, ValueRef};

/// How a value is encoded: the byte in front of it (Redis: RDB_TYPE_STRING and following).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    String = 0,
}

impl Encoding {
    fn of(value: ValueRef<'_>) -> Encoding {
        match value {
            ValueRef::Int(_) | ValueRef::String(_) => Encoding::String,
        }
    }

    fn from_byte(byte: u8) -> Option<Encoding> {
        match byte {
            0 => Some(Encoding::String),
            _ => None,
        }
    }

    /// The oldest version that has it, and a payload's footer: DUMP came with version 6.
    fn version_min(self) -> u16 {
        match self {
            Encoding::String => 6,
        }
    }
}

/// The lowest RDB version that can express a value.
pub fn version_min(value: ValueRef<'_>) -> u16 {
    Encoding::of(value).version_min()
}

/// Appends a value's type and the value.
pub fn write(out: &mut Vec<u8>, value: ValueRef<'_>, options: WriteOptions) {
    out.push(type_byte(value));
    write_body(out, value, options);
}

/// The byte that tells a value's type.
pub(super) fn type_byte(value: ValueRef<'_>) -> u8 {
    Encoding::of(value) as u8
}

/// Appends a value without its type.
pub(super) fn write_body(out: &mut Vec<u8>, value: ValueRef<'_>, options: WriteOptions) {
    match value {
        ValueRef::Int(number) => string::write_int(out, number),
        ValueRef::String(text) => string::write(out, text, options),
    }
}

/// Reads a value's type and the value. `scratch` is where it is unpacked to, if it is short and
/// packed.
pub fn read<'a>(
    source: &'a mut impl Source,
    scratch: &'a mut Vec<u8>,
    limits: ReadLimits,
) -> Result<NewValue<'a>, Corrupt> {
    let byte = source.take_byte()?;
    read_body(byte, source, scratch, limits)
}

/// Reads a value whose type was read already.
pub(super) fn read_body<'a>(
    byte: u8,
    source: &'a mut impl Source,
    scratch: &'a mut Vec<u8>,
    limits: ReadLimits,
) -> Result<NewValue<'a>, Corrupt> {
    match Encoding::from_byte(byte).ok_or(Corrupt::Type(byte))? {
        Encoding::String => Ok(match string::read(source, limits)? {
            Text::Int(number) => NewValue::Int(number),
            Text::Borrowed(text) => NewValue::from_bytes(text),
            Text::Owned(text) if text.len() > RECORD_INLINE_BYTES_MAX => {
                NewValue::Owned(Value::String(text))
            }
            Text::Owned(text) => {
                *scratch = text;
                NewValue::from_bytes(scratch)
            }
        }),
    }
}
