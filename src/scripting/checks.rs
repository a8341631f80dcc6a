//! Arguments of the functions that scripts call, taken as Lua's own libraries take them: a number
//! may be spelled as a string and the other way round, and what does not fit is an error with
//! Lua's words.

use mlua::{Lua, MultiValue, Value};

use super::raise::{argument_error, lua_number};
use crate::base::numbers;

/// A value as a number, if it is one or spells one.
pub(super) fn to_number(value: &Value) -> Option<f64> {
    match value {
        Value::Integer(n) => Some(*n as f64),
        Value::Number(n) => Some(*n),
        Value::String(text) => numbers::strtod(text.as_bytes().trim_ascii()),
        _ => None,
    }
}

/// A value as a string, if it is one or a number.
pub(super) fn to_bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::String(text) => Some(text.as_bytes().to_vec()),
        Value::Integer(n) => Some(lua_number(*n as f64)),
        Value::Number(n) => Some(lua_number(*n)),
        _ => None,
    }
}

/// Argument `index`, counted from 1, as a number.
pub(super) fn number(lua: &Lua, args: &MultiValue, index: usize) -> mlua::Result<f64> {
    let value = args.get(index - 1);
    value.and_then(to_number).ok_or_else(|| unexpected(lua, index, "number", value))
}

/// Argument `index`, counted from 1, as a string.
pub(super) fn bytes(lua: &Lua, args: &MultiValue, index: usize) -> mlua::Result<Vec<u8>> {
    let value = args.get(index - 1);
    value.and_then(to_bytes).ok_or_else(|| unexpected(lua, index, "string", value))
}

/// Argument `index`, counted from 1, as an integer; `absent` if it is not given, or nil.
pub(super) fn integer_or(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    absent: i64,
) -> mlua::Result<i64> {
    match args.get(index - 1) {
        None | Some(Value::Nil) => Ok(absent),
        Some(_) => number(lua, args, index).map(|n| n as i64),
    }
}

fn unexpected(lua: &Lua, index: usize, wanted: &str, value: Option<&Value>) -> mlua::Error {
    let found = match value {
        None => "no value",
        Some(Value::Integer(_) | Value::Number(_)) => "number",
        Some(Value::LightUserData(_) | Value::Error(_)) => "userdata",
        Some(value) => value.type_name(),
    };
    argument_error(lua, index, format_args!("{wanted} expected, got {found}"))
}
