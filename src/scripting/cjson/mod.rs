//! The library `cjson`: Lua values in JSON and back, with the settings that scripts may change.
//! What a script changes holds for the whole node until its scripts are flushed, as in Redis.

mod decode;
mod encode;

use std::cell::Cell;
use std::rc::Rc;

use mlua::{IntoLuaMulti, Lua, MultiValue, Table, Value};

use super::checks::{integer_or, to_bytes};
use super::raise::argument_error;
use crate::base::limits::CJSON_DEPTH_MAX;

/// What becomes of numbers that JSON does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Odd {
    Refused,
    Kept,
    Null,
}

/// The settings of one copy of the library.
#[derive(Clone, Copy, Debug)]
struct Settings {
    /// Lists with many holes become objects.
    sparse_convert: bool,
    /// A list has many holes if its last index is more than so many times its length. 0: never.
    sparse_ratio: i64,
    /// A list as short as this never has.
    sparse_safe: i64,
    encode_depth_max: i64,
    decode_depth_max: i64,
    encode_odd_numbers: Odd,
    decodes_odd_numbers: bool,
    /// Significant digits.
    precision: i64,
    /// Without meaning here: no buffer outlives a call.
    keeps_buffer: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            sparse_convert: false,
            sparse_ratio: 2,
            sparse_safe: 10,
            encode_depth_max: CJSON_DEPTH_MAX as i64,
            decode_depth_max: CJSON_DEPTH_MAX as i64,
            encode_odd_numbers: Odd::Refused,
            decodes_odd_numbers: true,
            precision: 14,
            keeps_buffer: true,
        }
    }
}

type Shared = Rc<Cell<Settings>>;
type Configure = fn(&Lua, &MultiValue, &mut Settings) -> mlua::Result<MultiValue>;

/// The functions that read and change settings, with the most arguments that they take.
const CONFIGURING: &[(&str, usize, Configure)] = &[
    ("encode_sparse_array", 3, |lua, args, settings| {
        switch(lua, args, &mut settings.sparse_convert)?;
        integer(lua, args, 2, (0, i32::MAX), &mut settings.sparse_ratio)?;
        integer(lua, args, 3, (0, i32::MAX), &mut settings.sparse_safe)?;
        let Settings { sparse_convert, sparse_ratio, sparse_safe, .. } = *settings;
        (sparse_convert, sparse_ratio, sparse_safe).into_lua_multi(lua)
    }),
    ("encode_max_depth", 1, |lua, args, settings| {
        integer(lua, args, 1, (1, i32::MAX), &mut settings.encode_depth_max)?;
        settings.encode_depth_max.into_lua_multi(lua)
    }),
    ("decode_max_depth", 1, |lua, args, settings| {
        integer(lua, args, 1, (1, i32::MAX), &mut settings.decode_depth_max)?;
        settings.decode_depth_max.into_lua_multi(lua)
    }),
    ("encode_number_precision", 1, |lua, args, settings| {
        integer(lua, args, 1, (1, 14), &mut settings.precision)?;
        settings.precision.into_lua_multi(lua)
    }),
    ("encode_keep_buffer", 1, |lua, args, settings| {
        switch(lua, args, &mut settings.keeps_buffer)?;
        settings.keeps_buffer.into_lua_multi(lua)
    }),
    ("encode_invalid_numbers", 1, |lua, args, settings| {
        match args.front().filter(|value| !value.is_nil()) {
            None => {}
            Some(Value::Boolean(on)) => {
                settings.encode_odd_numbers = if *on { Odd::Kept } else { Odd::Refused };
            }
            Some(value) => {
                let words = [("off", Odd::Refused), ("on", Odd::Kept), ("null", Odd::Null)];
                settings.encode_odd_numbers = choice(lua, value, &words)?;
            }
        }
        match settings.encode_odd_numbers {
            Odd::Refused => false.into_lua_multi(lua),
            Odd::Kept => true.into_lua_multi(lua),
            Odd::Null => "null".into_lua_multi(lua),
        }
    }),
    ("decode_invalid_numbers", 1, |lua, args, settings| {
        switch(lua, args, &mut settings.decodes_odd_numbers)?;
        settings.decodes_odd_numbers.into_lua_multi(lua)
    }),
];

/// A copy of the library with settings of its own.
pub(super) fn library(lua: &Lua) -> mlua::Result<Table> {
    let settings: Shared = Rc::default();
    let table = lua.create_table()?;
    let shared = settings.clone();
    let encode = lua.create_function(move |lua, args: MultiValue| {
        let value = only_argument(lua, &args)?;
        lua.create_string(encode::encode(lua, value, &shared.get())?)
    })?;
    let shared = settings.clone();
    let decode = lua.create_function(move |lua, args: MultiValue| {
        only_argument(lua, &args)?;
        decode::decode(lua, &super::checks::bytes(lua, &args, 1)?, &shared.get())
    })?;
    table.raw_set("encode", encode)?;
    table.raw_set("decode", decode)?;
    for &(name, most, configure) in CONFIGURING {
        let shared = settings.clone();
        let function = lua.create_function(move |lua, args: MultiValue| {
            if args.len() > most {
                return Err(argument_error(lua, most + 1, "found too many arguments"));
            }
            let mut changed = shared.get();
            let reply = configure(lua, &args, &mut changed)?;
            shared.set(changed);
            Ok(reply)
        })?;
        table.raw_set(name, function)?;
    }
    table.raw_set("new", lua.create_function(|lua, _: MultiValue| library(lua))?)?;
    table.raw_set("null", Value::NULL)?;
    table.raw_set("_NAME", "cjson")?;
    table.raw_set("_VERSION", "2.1.0")?;
    Ok(table)
}

fn only_argument<'a>(lua: &Lua, args: &'a MultiValue) -> mlua::Result<&'a Value> {
    match args.front() {
        Some(value) if args.len() == 1 => Ok(value),
        _ => Err(argument_error(lua, 1, "expected 1 argument")),
    }
}

fn switch(lua: &Lua, args: &MultiValue, setting: &mut bool) -> mlua::Result<()> {
    *setting = match args.front() {
        None | Some(Value::Nil) => *setting,
        Some(Value::Boolean(on)) => *on,
        Some(value) => choice(lua, value, &[("off", false), ("on", true)])?,
    };
    Ok(())
}

fn choice<T: Copy>(lua: &Lua, value: &Value, words: &[(&str, T)]) -> mlua::Result<T> {
    let Some(word) = to_bytes(value) else {
        let found = value.type_name();
        return Err(argument_error(lua, 1, format_args!("string expected, got {found}")));
    };
    let found = words.iter().find(|(known, _)| known.as_bytes() == word);
    found.map(|&(_, meaning)| meaning).ok_or_else(|| {
        let shown = String::from_utf8_lossy(&word);
        argument_error(lua, 1, format_args!("invalid option '{shown}'"))
    })
}

fn integer(
    lua: &Lua,
    args: &MultiValue,
    index: usize,
    (min, max): (i32, i32),
    setting: &mut i64,
) -> mlua::Result<()> {
    let value = integer_or(lua, args, index, *setting)?;
    if !(i64::from(min)..=i64::from(max)).contains(&value) {
        let words = format!("expected integer between {min} and {max}");
        return Err(argument_error(lua, 1, words));
    }
    *setting = value;
    Ok(())
}
