//! Errors on their way through Lua. A function of ours that fails raises one of mlua's error
//! objects; before a script gets to see it, it becomes what Redis raises there: a table with the
//! field `err`, or a string. Called by the functions that scripts call, and by `sandbox.lua`.

use std::error::Error as StdError;
use std::fmt;

use mlua::{Lua, Table, Value};

use crate::base::numbers;

/// The field that tells that an error was counted where it arose.
pub(super) const COUNTED: &str = "ignore_error_stats_update";

/// What a function of ours raises.
#[derive(Clone, Debug)]
pub(super) enum Raised {
    /// A table with the line in its field `err`.
    Table {
        /// The line, code first.
        line: Vec<u8>,
        /// It was counted already.
        counted: bool,
    },
    /// A string.
    Text(Vec<u8>),
}

impl fmt::Display for Raised {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Raised::Table { line, .. } | Raised::Text(line)) = self;
        f.write_str(&String::from_utf8_lossy(line))
    }
}

impl StdError for Raised {}

impl From<Raised> for mlua::Error {
    fn from(raised: Raised) -> Self {
        mlua::Error::external(raised)
    }
}

/// The line of an error: `-CODE words` as it is, without the dash; other words get the code ERR.
pub(super) fn error_line(words: &[u8]) -> Vec<u8> {
    let line = match words.strip_prefix(b"-") {
        Some(coded) if coded.contains(&b' ') => coded.to_vec(),
        Some(bare) => [b"ERR ", bare].concat(),
        None => [b"ERR ", words].concat(),
    };
    let end = line.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |last| last + 1);
    line[..end].to_vec()
}

/// The error of a function of the table `redis` (Redis: luaPushError).
pub(super) fn redis_error(words: &str) -> mlua::Error {
    Raised::Table { line: error_line(words.as_bytes()), counted: false }.into()
}

/// The error of a library's function, with the place of its caller (Lua: luaL_error).
pub(super) fn library_error(lua: &Lua, words: impl fmt::Display) -> mlua::Error {
    let place = lua.inspect_stack(1, |frame| {
        let line = frame.current_line()?;
        Some(format!("{}:{line}: ", frame.source().short_src?))
    });
    let place = place.flatten().unwrap_or_default();
    Raised::Text(format!("{place}{words}").into_bytes()).into()
}

/// The error of an argument that a library's function does not take (Lua: luaL_argerror).
pub(super) fn argument_error(lua: &Lua, index: usize, words: impl fmt::Display) -> mlua::Error {
    let name = lua.inspect_stack(0, |frame| frame.names().name.map(|name| name.into_owned()));
    let name = name.flatten().unwrap_or_else(|| "?".into());
    library_error(lua, format_args!("bad argument #{index} to '{name}' ({words})"))
}

/// An error table with this line.
pub(super) fn error_table(lua: &Lua, line: &[u8], counted: bool) -> mlua::Result<Table> {
    let table = lua.create_table_with_capacity(0, 4)?;
    table.raw_set("err", lua.create_string(line)?)?;
    if counted {
        table.raw_set(COUNTED, true)?;
    }
    Ok(table)
}

/// What a script sees of something that was raised.
pub(super) fn translate(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let Value::Error(error) = value else { return Ok(value) };
    match error.downcast_ref::<Raised>() {
        Some(Raised::Table { line, counted }) => {
            Ok(Value::Table(error_table(lua, line, *counted)?))
        }
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        None => Ok(Value::String(lua.create_string(plain_words(&error))?)),
    }
}

/// The words of an error of mlua's, without the traceback.
fn plain_words(error: &mlua::Error) -> String {
    match error {
        mlua::Error::CallbackError { cause, .. } => plain_words(cause),
        mlua::Error::RuntimeError(words) => words.clone(),
        mlua::Error::MemoryError(_) => "not enough memory".into(),
        other => other.to_string(),
    }
}

/// Makes a table of what a script has raised and not caught, and notes where that was.
pub(super) fn handle(lua: &Lua, value: Value) -> mlua::Result<Value> {
    let raised = lua.create_table_with_capacity(0, 4)?;
    match translate(lua, value)? {
        // Not noted in the script's own table, which may be one that all scripts share.
        Value::Table(table) => {
            raised.raw_set("err", table.get::<Value>("err").unwrap_or_default())?;
            raised.raw_set(COUNTED, table.get::<Value>(COUNTED).unwrap_or_default())?;
        }
        other => {
            let text = [b"ERR ".as_slice(), &to_text(&other)].concat();
            raised.raw_set("err", lua.create_string(text)?)?;
        }
    }
    for level in 1.. {
        // Functions of ours have no lines; `sandbox.lua` is none of the script's business.
        let place = lua.inspect_stack(level, |frame| {
            let source = frame.source().source?.into_owned();
            let line = frame.current_line()?;
            (!source.starts_with("=redis")).then_some((source, line))
        });
        match place {
            None => break,
            Some(None) => {}
            Some(Some((source, line))) => {
                raised.raw_set("source", source)?;
                raised.raw_set("line", line as i64)?;
                break;
            }
        }
    }
    Ok(Value::Table(raised))
}

/// What Lua's `tostring` gives for the values that have a text.
fn to_text(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Nil => b"nil".to_vec(),
        Value::Boolean(value) => value.to_string().into_bytes(),
        Value::Integer(n) => n.to_string().into_bytes(),
        Value::Number(n) => lua_number(*n),
        other => other.to_string().unwrap_or_else(|_| other.type_name().into()).into_bytes(),
    }
}

/// A number as Lua's own `tostring` spells it.
pub(super) fn lua_number(value: f64) -> Vec<u8> {
    let mut text = Vec::new();
    numbers::write_general_to(&mut text, value, 14);
    text
}
