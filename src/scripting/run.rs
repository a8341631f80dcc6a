//! Runs what was compiled: the arguments go in, the value or the failure comes out.

use mlua::{Either, Function, IntoLua, IntoLuaMulti, LuaString, Value, Variadic};

use super::Engine;
use super::host::{self, Host};
use super::raise::{COUNTED, Raised};
use crate::base::limits::SCRIPT_ARGS_ON_STACK;
use crate::resp::Args;

/// How a script ended.
#[derive(Debug)]
pub enum Finished {
    /// It returned this.
    Returned(Value),
    /// It raised an error that it did not catch.
    Failed(Failure),
}

/// An error that ended a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its line, code first.
    pub line: Vec<u8>,
    /// The chunk and the line where it arose.
    pub place: Option<(Vec<u8>, i64)>,
    /// It was counted where it arose.
    pub counted: bool,
}

impl Failure {
    /// The line with the place, as the client is told.
    pub fn describe(&self, name: &[u8]) -> Vec<u8> {
        let Some((source, line)) = &self.place else { return self.line.clone() };
        let number = line.to_string();
        let parts: [&[u8]; 7] =
            [&self.line, b" script: ", name, b", on ", source, b":", number.as_bytes()];
        let mut text = parts.concat();
        text.push(b'.');
        text
    }
}

/// The keys and the other arguments of a script: `args` from `first` on, of which so many are keys.
#[derive(Clone, Copy, Debug)]
pub struct Given<'a> {
    /// The whole request.
    pub args: Args<'a>,
    /// Where the keys begin.
    pub first: usize,
    /// How many keys there are.
    pub keys: usize,
}

impl<'a> Given<'a> {
    fn all(&self) -> impl ExactSizeIterator<Item = &'a [u8]> + Clone {
        self.args.iter_from(self.first)
    }

    fn keys(&self) -> impl Iterator<Item = &'a [u8]> {
        self.all().take(self.keys)
    }

    fn others(&self) -> impl Iterator<Item = &'a [u8]> {
        self.args.iter_from(self.first + self.keys)
    }
}

impl Engine {
    /// Runs a script of EVAL.
    pub fn run(&self, script: &Function, given: Given<'_>, host: &mut dyn Host) -> Finished {
        host::lend(host, || {
            if given.all().len() <= SCRIPT_ARGS_ON_STACK {
                let all = given.all();
                let count = all.len();
                let pushed: Variadic<_> = all.map(text).collect();
                return self.finish(&self.entries.run, (script, given.keys, count, pushed));
            }
            match self.tables(given) {
                Ok(tables) => self.finish(&self.entries.run_with_tables, (script, tables)),
                Err(error) => Finished::Failed(failure_of(&error)),
            }
        })
    }

    /// Calls a function of a library.
    pub fn call(&self, callback: &Function, given: Given<'_>, host: &mut dyn Host) -> Finished {
        host::lend(host, || match self.tables(given) {
            Ok(tables) => self.finish(&self.entries.call, (callback, tables)),
            Err(error) => Finished::Failed(failure_of(&error)),
        })
    }

    fn tables(&self, given: Given<'_>) -> mlua::Result<Variadic<mlua::Table>> {
        let keys = self.lua.create_sequence_from(given.keys().map(LuaString::wrap))?;
        let others = self.lua.create_sequence_from(given.others().map(LuaString::wrap))?;
        Ok([keys, others].into_iter().collect())
    }

    fn finish(&self, entry: &Function, args: impl IntoLuaMulti) -> Finished {
        let ran = entry.call::<(bool, Value)>(args);
        self.watch_again();
        match ran {
            Ok((true, value)) => Finished::Returned(value),
            Ok((false, raised)) => Finished::Failed(failure(raised)),
            Err(error) => Finished::Failed(failure_of(&error)),
        }
    }
}

/// A string for Lua. What is UTF-8 goes the short way.
fn text(bytes: &[u8]) -> Either<&str, impl IntoLua> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Either::Left(text),
        Err(_) => Either::Right(LuaString::wrap(bytes)),
    }
}

/// What the table that `raise::handle` made says.
fn failure(raised: Value) -> Failure {
    let Value::Table(table) = raised else {
        let words = raised.to_string().unwrap_or_default();
        return Failure { line: format!("ERR {words}").into_bytes(), place: None, counted: false };
    };
    let text = |name: &str| match table.get(name) {
        Ok(Value::String(text)) => Some(text.as_bytes().to_vec()),
        Ok(Value::Integer(n)) => Some(n.to_string().into_bytes()),
        _ => None,
    };
    let line_number = match table.get("line") {
        Ok(Value::Integer(n)) => Some(n),
        _ => None,
    };
    Failure {
        line: text("err").unwrap_or_else(|| b"ERR unknown error".to_vec()),
        place: text("source").zip(line_number),
        counted: matches!(table.get(COUNTED), Ok(Value::Boolean(true))),
    }
}

/// What could not even be called: memory is short, or the stack.
fn failure_of(error: &mlua::Error) -> Failure {
    let line = match error.downcast_ref::<Raised>() {
        Some(Raised::Table { line, .. }) => line.clone(),
        Some(Raised::Text(text)) => [b"ERR ".as_slice(), text].concat(),
        None => format!("ERR {error}").into_bytes(),
    };
    Failure { line, place: None, counted: false }
}
