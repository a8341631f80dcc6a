//! Function libraries: their texts, the functions that they have registered, and their Lua state.
//! A library is loaded by running its code once, which sees nothing but a table to register
//! functions with. `commands::functions` changes them, loading a file adds to them.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use mlua::{Function as LuaFunction, MultiValue, Table, Value};

use super::checks::to_bytes;
use super::header::{self, ScriptFlags};
use super::host::{self, Host, Refusal, Tick};
use super::raise::redis_error;
use super::run::{Finished, Given};
use super::{Engine, api};
use crate::base::clock;
use crate::base::limits::LIBRARY_LOAD_MS;
use crate::resp::Args;

/// A function of a library.
#[derive(Clone, Debug)]
pub struct Function {
    /// What it says of itself.
    pub flags: ScriptFlags,
    /// What it does, in its author's words.
    pub description: Option<Vec<u8>>,
    callback: LuaFunction,
}

/// A library.
#[derive(Clone, Debug)]
pub struct Library {
    /// All of its text, the header included.
    pub text: Vec<u8>,
    /// Its functions by name.
    pub functions: BTreeMap<Vec<u8>, Function>,
}

/// Libraries whose functions have different names.
#[derive(Clone, Debug, Default)]
struct Set {
    libraries: BTreeMap<Vec<u8>, Library>,
    /// By the functions' names in lower case, as FCALL takes them in any: the library, and the
    /// name as it was registered.
    owners: BTreeMap<Vec<u8>, (Vec<u8>, Vec<u8>)>,
    /// Bytes of all texts.
    text_bytes: usize,
}

/// How libraries of a payload are added to those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// One of the same name is an error.
    Append,
    /// They take the place of those of the same names.
    Replace,
    /// They take the place of all.
    Flush,
}

type Registered = Rc<RefCell<Option<BTreeMap<Vec<u8>, Function>>>>;

/// All libraries of a node.
#[derive(Debug)]
pub struct Libraries {
    engine: Engine,
    set: Set,
    /// What the library that is being loaded has registered.
    registered: Registered,
}

impl Set {
    fn unlink(&mut self, name: &[u8]) -> Option<Library> {
        let library = self.libraries.remove(name)?;
        self.text_bytes -= library.text.len();
        library.functions.keys().for_each(|function| {
            self.owners.remove(&function.to_ascii_lowercase());
        });
        Some(library)
    }

    fn link(&mut self, name: Vec<u8>, library: Library) {
        for function in library.functions.keys() {
            let place = (name.clone(), function.clone());
            self.owners.insert(function.to_ascii_lowercase(), place);
        }
        self.text_bytes += library.text.len();
        self.libraries.insert(name, library);
    }

    /// A function that is there already.
    fn twin<'a>(&self, library: &'a Library) -> Option<&'a [u8]> {
        let mut names = library.functions.keys().map(|name| &**name);
        names.find(|name| self.owners.contains_key(&name.to_ascii_lowercase()))
    }

    /// Adds another set, or leaves this one as it is.
    fn join(&mut self, other: Set, replace: bool) -> Result<(), String> {
        let mut joined = self.clone();
        for name in other.libraries.keys() {
            if joined.unlink(name).is_some() && !replace {
                return Err(format!("Library {} already exists", shown(name)));
            }
        }
        for (name, library) in other.libraries {
            if let Some(twin) = joined.twin(&library) {
                return Err(format!("Function {} already exists", shown(twin)));
            }
            joined.link(name, library);
        }
        *self = joined;
        Ok(())
    }
}

fn shown(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

impl Libraries {
    /// No libraries, in a Lua state of their own.
    pub fn new(engine: Engine) -> Self {
        Libraries { engine, set: Set::default(), registered: Registered::default() }
    }

    /// Loads a library and tells its name. `timed`: it must be quick.
    pub fn load(&mut self, text: &[u8], replace: bool, timed: bool) -> Result<Vec<u8>, String> {
        let mut set = std::mem::take(&mut self.set);
        let outcome = self.load_into(&mut set, text, replace, timed);
        self.set = set;
        outcome
    }

    fn load_into(
        &self,
        set: &mut Set,
        text: &[u8],
        replace: bool,
        timed: bool,
    ) -> Result<Vec<u8>, String> {
        let header = header::of_library(text)?;
        if !header::is_valid_name(&header.name) {
            return Err(INVALID_NAME.into());
        }
        if !header.engine.eq_ignore_ascii_case(b"lua") {
            return Err(format!("Engine '{}' not found", shown(&header.engine)));
        }
        let name = header.name;
        if set.libraries.contains_key(&name) && !replace {
            return Err(format!("Library '{}' already exists", shown(&name)));
        }
        let functions = self.register(&text[header.code_at..], timed)?;
        if functions.is_empty() {
            return Err("No functions registered".into());
        }
        let library = Library { text: text.to_vec(), functions };
        let old = set.unlink(&name);
        if let Some(twin) = set.twin(&library) {
            let words = format!("Function {} already exists", shown(twin));
            if let Some(old) = old {
                set.link(name, old);
            }
            return Err(words);
        }
        set.link(name.clone(), library);
        Ok(name)
    }

    /// Runs the code of a library, and tells which functions it has registered.
    fn register(&self, code: &[u8], timed: bool) -> Result<BTreeMap<Vec<u8>, Function>, String> {
        let compiled = self.engine.compile(code, "@user_function");
        let compiled = compiled.map_err(|words| format!("Error compiling function: {words}"))?;
        let failed = |error: mlua::Error| format!("Error registering functions: {error}");
        let redis = self.register_table().map_err(failed)?;
        *self.registered.borrow_mut() = Some(BTreeMap::new());
        let mut loading = Loading { started_us: clock::monotonic_us(), timed };
        let load = &self.engine.entries.load;
        let ran = host::lend(&mut loading, || load.call::<(bool, Value)>((compiled, redis)));
        self.engine.watch_again();
        let functions = self.registered.borrow_mut().take().unwrap_or_default();
        match ran.map_err(failed)? {
            (true, _) => Ok(functions),
            (false, raised) => {
                Err(format!("Error registering functions: {}", shown(&words_of(&raised))))
            }
        }
    }

    fn register_table(&self) -> mlua::Result<Table> {
        let lua = &self.engine.lua;
        let table = lua.create_table()?;
        api::add_log(lua, &table)?;
        api::add_version(&table, self.engine.version)?;
        let registered = self.registered.clone();
        let register = lua.create_function(move |_, args: MultiValue| {
            let Some(functions) = &mut *registered.borrow_mut() else {
                let words = "redis.register_function can only be called on FUNCTION LOAD command";
                return Err(redis_error(words));
            };
            let (name, function) = registration(&args).map_err(redis_error)?;
            if !header::is_valid_name(&name) {
                return Err(redis_error(INVALID_NAME));
            }
            if functions.contains_key(&name) {
                return Err(redis_error("Function already exists in the library"));
            }
            functions.insert(name, function);
            Ok(())
        })?;
        table.raw_set("register_function", register)?;
        Ok(table)
    }

    /// Forgets a library; tells whether there was one.
    pub fn delete(&mut self, name: &[u8]) -> bool {
        self.set.unlink(name).is_some()
    }

    /// Adds the libraries of a payload.
    pub fn restore(&mut self, texts: &[Vec<u8>], policy: Policy) -> Result<(), String> {
        let mut restored = Set::default();
        for text in texts {
            self.load_into(&mut restored, text, false, false)?;
        }
        match policy {
            Policy::Flush => self.set = restored,
            Policy::Append => self.set.join(restored, false)?,
            Policy::Replace => self.set.join(restored, true)?,
        }
        Ok(())
    }

    /// A function by its name in any case, with the name as it was registered.
    pub fn function(&self, name: &[u8]) -> Option<(&[u8], &Function)> {
        let (owner, name) = self.set.owners.get(&name.to_ascii_lowercase())?;
        Some((name, self.set.libraries.get(owner)?.functions.get(name)?))
    }

    /// Calls a function.
    pub fn call(&self, function: &Function, given: Given<'_>, host: &mut dyn Host) -> Finished {
        self.engine.call(&function.callback, given, host)
    }

    /// All libraries by name.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], &Library)> + Clone {
        self.set.libraries.iter().map(|(name, library)| (&**name, library))
    }

    /// How many libraries there are, and functions.
    pub fn counts(&self) -> (usize, usize) {
        (self.set.libraries.len(), self.set.owners.len())
    }

    /// The texts of all libraries.
    pub fn texts(&self) -> Vec<Vec<u8>> {
        self.set.libraries.values().map(|library| library.text.clone()).collect()
    }

    /// Bytes that Lua has allocated.
    pub fn lua_bytes(&self) -> usize {
        self.engine.lua_bytes()
    }

    /// Bytes that the libraries cost beside.
    pub fn bytes(&self) -> usize {
        let (libraries, functions) = self.counts();
        self.set.text_bytes + libraries * size_of::<Library>() + functions * size_of::<Function>()
    }
}

const INVALID_NAME: &str = "Library names can only contain letters, numbers, or underscores(_) \
                            and must be at least one character long";

/// What ended the code of a library.
fn words_of(raised: &Value) -> Vec<u8> {
    match raised {
        Value::Table(table) => match table.get::<Value>("err") {
            Ok(value) => to_bytes(&value).unwrap_or_default(),
            Err(_) => Vec::new(),
        },
        value => [b"ERR ".as_slice(), &to_bytes(value).unwrap_or_default()].concat(),
    }
}

/// The host of a library that is being loaded: it only counts the time.
struct Loading {
    started_us: u64,
    timed: bool,
}

impl Host for Loading {
    fn call(&mut self, _: Args<'_>) -> Result<&[u8], Refusal> {
        Err("redis.call is not available while a library is loaded".into())
    }

    fn may_run(&self, _: Args<'_>) -> Option<bool> {
        None
    }

    fn set_resp3(&mut self, _: bool) {}

    fn tick(&mut self) -> Tick {
        let elapsed_us = clock::monotonic_us().saturating_sub(self.started_us);
        if self.timed && elapsed_us > LIBRARY_LOAD_MS * 1000 {
            Tick::Kill("FUNCTION LOAD timeout")
        } else {
            Tick::Continue
        }
    }
}

/// What `redis.register_function` was given.
fn registration(args: &MultiValue) -> Result<(Vec<u8>, Function), &'static str> {
    match args.len() {
        1 => named(args.front()),
        2 => {
            let name = args.front().and_then(to_bytes);
            let name = name.ok_or("first argument to redis.register_function must be a string")?;
            let Some(Value::Function(callback)) = args.get(1) else {
                return Err("second argument to redis.register_function must be a function");
            };
            let callback = callback.clone();
            let flags = ScriptFlags::empty();
            Ok((name, Function { flags, description: None, callback }))
        }
        _ => Err("wrong number of arguments to redis.register_function"),
    }
}

fn named(table: Option<&Value>) -> Result<(Vec<u8>, Function), &'static str> {
    let Some(Value::Table(table)) = table else {
        return Err(
            "calling redis.register_function with a single argument is only applicable to \
                    Lua table (representing named arguments).",
        );
    };
    let (mut name, mut description, mut callback) = (None, None, None);
    let mut flags = ScriptFlags::empty();
    for pair in table.pairs::<Value, Value>() {
        let Ok((key, value)) = pair else { continue };
        let key = to_bytes(&key)
            .ok_or("named argument key given to redis.register_function is not a string")?;
        match key.to_ascii_lowercase().as_slice() {
            b"function_name" => {
                name = Some(to_bytes(&value).ok_or(
                    "function_name argument given to redis.register_function must be a string",
                )?);
            }
            b"description" => {
                description = Some(to_bytes(&value).ok_or(
                    "description argument given to redis.register_function must be a string",
                )?);
            }
            b"callback" => match value {
                Value::Function(function) => callback = Some(function),
                _ => {
                    return Err("callback argument given to redis.register_function must be a \
                                function");
                }
            },
            b"flags" => flags = flags_of(&value)?,
            _ => return Err("unknown argument given to redis.register_function"),
        }
    }
    let name = name.ok_or("redis.register_function must get a function name argument")?;
    let callback = callback.ok_or("redis.register_function must get a callback argument")?;
    Ok((name, Function { flags, description, callback }))
}

fn flags_of(value: &Value) -> Result<ScriptFlags, &'static str> {
    let Value::Table(list) = value else {
        return Err("flags argument to redis.register_function must be a table representing \
                    function flags");
    };
    let mut flags = ScriptFlags::empty();
    for index in 1.. {
        match list.get::<Value>(index) {
            Ok(Value::Nil) => break,
            Ok(word) => {
                let word = to_bytes(&word).unwrap_or_default().to_ascii_lowercase();
                flags |= ScriptFlags::by_name(&word).ok_or("unknown flag given")?;
            }
            Err(_) => return Err("unknown flag given"),
        }
    }
    Ok(flags)
}
