//! One Lua state: the globals that scripts see, and the compiled scripts of EVAL. There are two of
//! them, for scripts and for functions, which share nothing. Made when the first script comes, so
//! that a node without scripts pays nothing.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::rc::Rc;

use mlua::chunk::ChunkMode;
use mlua::{Function, HookTriggers, Lua, LuaOptions, StdLib, Table, VmState};

use super::digest::{self, Name, NameHasher};
use super::header::{self, ScriptFlags};
use super::host::{Tick, with_host};
use super::raise::{Raised, error_line};
use super::{api, bit, cjson, cmsgpack, math, structs};
use crate::base::limits::SCRIPT_INSTRUCTIONS_PER_TICK;

/// What a state is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// EVAL and its kin.
    Scripts,
    /// Libraries and FCALL.
    Functions,
}

/// Which Redis scripts are told that this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// As text.
    pub text: &'static str,
    /// As one number.
    pub number: u32,
}

/// A compiled script.
#[derive(Debug)]
pub struct Script {
    /// Its name.
    pub name: Name,
    /// What runs.
    pub function: Function,
    /// What its header says.
    pub flags: ScriptFlags,
}

/// The functions of `sandbox.lua` that run things.
#[derive(Debug)]
pub(super) struct Entries {
    pub run: Function,
    pub run_with_tables: Function,
    pub call: Function,
    pub load: Function,
}

/// A Lua state.
#[derive(Debug)]
pub struct Engine {
    pub(super) lua: Lua,
    pub(super) entries: Entries,
    scripts: Vec<Script>,
    /// Where the script of each name is.
    places: HashMap<Name, usize, BuildHasherDefault<NameHasher>>,
    /// Texts that were seen last, with the places of their scripts.
    recent: Vec<(Box<[u8]>, usize)>,
    scripts_bytes: usize,
    pub(super) version: Version,
    /// The code that runs is to end.
    ending: Rc<Cell<bool>>,
}

/// How many texts are recognised without their SHA-1, and up to which length.
const RECENT_TEXTS: usize = 4;
const RECENT_BYTES_MAX: usize = 4096;

const SANDBOX: &str = include_str!("sandbox.lua");

impl Engine {
    /// A state that has run nothing.
    pub fn new(kind: Kind, version: Version) -> mlua::Result<Engine> {
        let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
        let lua = Lua::new_with(libraries, LuaOptions::default())?;
        let shared = lua.create_table()?;
        shared.raw_set("redis", api::redis_table(&lua, kind, version)?)?;
        shared.raw_set("cjson", cjson::library(&lua)?)?;
        shared.raw_set("cmsgpack", cmsgpack::library(&lua)?)?;
        shared.raw_set("struct", structs::library(&lua)?)?;
        shared.raw_set("bit", bit::library(&lua)?)?;
        let native = api::native_table(&lua)?;
        math::replace_random(&lua, &native)?;
        let sandbox = lua.load(SANDBOX).set_name("=redis").into_function()?;
        let made: Table = sandbox.call((native, shared))?;
        let entries = Entries {
            run: made.raw_get("run")?,
            run_with_tables: made.raw_get("run_with_tables")?,
            call: made.raw_get("call")?,
            load: made.raw_get("load")?,
        };
        let engine = Engine {
            lua,
            entries,
            scripts: Vec::new(),
            places: HashMap::default(),
            recent: Vec::new(),
            scripts_bytes: 0,
            version,
            ending: Rc::default(),
        };
        engine.watch()?;
        Ok(engine)
    }

    /// Has the host asked every so many instructions whether the script may go on.
    fn watch(&self) -> mlua::Result<()> {
        let every = HookTriggers::new().every_nth_instruction(SCRIPT_INSTRUCTIONS_PER_TICK);
        let ending = self.ending.clone();
        self.lua.set_global_hook(every, move |lua, _| tick(lua, &ending))
    }

    /// Code that was to end has ended: the next is asked only every so many instructions again.
    pub(super) fn watch_again(&self) {
        if self.ending.replace(false)
            && let Err(error) = self.watch()
        {
            log::warn!("Scripts cannot be interrupted any more: {error}");
        }
    }

    /// Where the script of a name is.
    pub fn place_of(&self, name: &Name) -> Option<usize> {
        self.places.get(name).copied()
    }

    /// The script at a place that `place_of` or `define` gave.
    pub fn script(&self, place: usize) -> &Script {
        &self.scripts[place]
    }

    /// How many scripts there are.
    pub fn script_count(&self) -> usize {
        self.scripts.len()
    }

    /// Bytes that the texts of the scripts would take, and what keeps track of them.
    pub fn scripts_bytes(&self) -> usize {
        self.scripts_bytes
            + self.scripts.capacity() * size_of::<Script>()
            + self.places.capacity() * size_of::<(Name, usize)>()
    }

    /// Bytes that Lua has allocated.
    pub fn lua_bytes(&self) -> usize {
        self.lua.used_memory()
    }

    /// The place of a script, which is compiled unless it is known. Whoever sends texts at all
    /// sends the same ones again and again.
    pub fn define(&mut self, text: &[u8]) -> Result<usize, String> {
        if let Some((_, place)) = self.recent.iter().find(|(known, _)| **known == *text) {
            return Ok(*place);
        }
        let name = digest::name_of(text);
        let place = match self.place_of(&name) {
            Some(place) => place,
            None => self.add(name, text)?,
        };
        if text.len() <= RECENT_BYTES_MAX {
            self.recent.truncate(RECENT_TEXTS - 1);
            self.recent.insert(0, (text.into(), place));
        }
        Ok(place)
    }

    fn add(&mut self, name: Name, text: &[u8]) -> Result<usize, String> {
        let (flags, code_at) = header::of_script(text)?;
        let function = self
            .compile(&text[code_at..], "@user_script")
            .map_err(|words| format!("Error compiling script (new function): {words}"))?;
        let place = self.scripts.len();
        self.scripts_bytes += text.len() + name.len();
        self.scripts.push(Script { name, function, flags });
        self.places.insert(name, place);
        Ok(place)
    }

    pub(super) fn compile(&self, code: &[u8], chunk: &str) -> Result<Function, String> {
        let chunk = self.lua.load(code).set_name(chunk).set_mode(ChunkMode::Text);
        chunk.into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })
    }
}

/// Code that is to end gets an error at each of its next instructions, so that it cannot go on
/// by catching it.
fn tick(lua: &Lua, ending: &Rc<Cell<bool>>) -> mlua::Result<VmState> {
    let Some(Tick::Kill(words)) = with_host(|host| host.tick()) else {
        return Ok(VmState::Continue);
    };
    if !ending.replace(true) {
        let ending = ending.clone();
        let each = HookTriggers::new().every_nth_instruction(1);
        lua.set_global_hook(each, move |lua, _| tick(lua, &ending))?;
    }
    let line = error_line(words.as_bytes());
    Err(Raised::Table { line, counted: false }.into())
}
