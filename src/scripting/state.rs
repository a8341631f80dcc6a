//! What a node keeps of scripts: the two Lua states, the libraries, and the script that runs.
//! A field of `core::Core`.

use send_wrapper::SendWrapper;

use super::digest::Name;
use super::libraries::Libraries;
use super::{Engine, Kind, ScriptFlags, Version};
use crate::base::clock::CycleClock;
use crate::resp::{OwnedArgs, Reply};

/// The script that runs.
#[derive(Debug)]
pub struct Running {
    /// EVAL, as opposed to FCALL.
    pub is_eval: bool,
    /// When it began.
    pub started: CycleClock,
    /// It runs for so long that others are served, and told BUSY.
    pub busy: Option<Busy>,
    /// It has run a command that may write: it cannot be killed any more.
    pub wrote: bool,
    /// Somebody wants it to end.
    pub killed: bool,
    /// It is being ended.
    pub ended: bool,
}

impl Running {
    /// A script that begins.
    pub fn begin(is_eval: bool) -> Self {
        let started = CycleClock::now();
        Running { is_eval, started, busy: None, wrote: false, killed: false, ended: false }
    }

    /// How long it has been running.
    pub fn elapsed_ms(&self) -> u64 {
        self.started.elapsed_ns() / 1_000_000
    }
}

/// What others may ask of a script that runs for long.
#[derive(Debug)]
pub struct Busy {
    /// The name of the function, or the SHA-1 of the script.
    pub name: Vec<u8>,
    /// What the client asked.
    pub args: OwnedArgs,
}

/// Figures for INFO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of Lua for scripts.
    pub scripts_lua_bytes: usize,
    /// Bytes that cached scripts cost beside.
    pub scripts_bytes: usize,
    /// Cached scripts.
    pub scripts: usize,
    /// Bytes of Lua for functions.
    pub functions_lua_bytes: usize,
    /// Bytes that libraries cost beside.
    pub libraries_bytes: usize,
    /// Functions.
    pub functions: usize,
    /// Libraries.
    pub libraries: usize,
}

impl Figures {
    fn note_engine(&mut self, engine: &Engine) {
        self.scripts_lua_bytes = engine.lua_bytes();
        self.scripts_bytes = engine.scripts_bytes();
        self.scripts = engine.script_count();
    }

    fn note_libraries(&mut self, libraries: &Libraries) {
        self.functions_lua_bytes = libraries.lua_bytes();
        self.libraries_bytes = libraries.bytes();
        (self.libraries, self.functions) = libraries.counts();
    }
}

/// What stays on the thread that made it.
pub type Held<T> = SendWrapper<Box<T>>;

/// All that a node keeps of scripts. A Lua state stays on the thread that made it, which is the
/// node's: it is made by the first script.
pub struct Scripts {
    version: Version,
    engine: Option<Held<Engine>>,
    libraries: Option<Held<Libraries>>,
    /// The script that runs; its engine, or the libraries, are taken out.
    pub running: Option<Running>,
    /// What the replies of commands in scripts are written to.
    pub scratch: Reply,
    /// What INFO tells of what is taken out, as of when it was asked last.
    figures: Figures,
}

impl Scripts {
    /// Of a node that has run no script.
    pub fn new(version: Version) -> Self {
        Scripts {
            version,
            engine: None,
            libraries: None,
            running: None,
            scratch: Reply::default(),
            figures: Figures::default(),
        }
    }

    /// Takes the engine of scripts out, to run one; it is made if there is none.
    pub fn take_engine(&mut self) -> Result<Held<Engine>, String> {
        match self.engine.take() {
            Some(engine) => Ok(engine),
            None => self.new_engine(Kind::Scripts).map(Held::new),
        }
    }

    /// Puts the engine of scripts back.
    pub fn put_engine(&mut self, engine: Held<Engine>) {
        self.engine = Some(engine);
    }

    /// Takes the libraries out, to run a function or to change them.
    pub fn take_libraries(&mut self) -> Result<Held<Libraries>, String> {
        match self.libraries.take() {
            Some(libraries) => Ok(libraries),
            None => {
                let engine = self.new_engine(Kind::Functions)?;
                Ok(Held::new(Box::new(Libraries::new(*engine))))
            }
        }
    }

    /// Puts the libraries back.
    pub fn put_libraries(&mut self, libraries: Held<Libraries>) {
        self.libraries = Some(libraries);
    }

    /// The libraries, if there ever were any.
    pub fn libraries(&self) -> Option<&Libraries> {
        self.libraries.as_ref().map(|libraries| &***libraries)
    }

    /// Loads a library that a file has.
    pub fn load_library(&mut self, text: &[u8], replace: bool) -> Result<(), String> {
        let mut libraries = self.take_libraries()?;
        let loaded = libraries.load(text, replace, false);
        self.put_libraries(libraries);
        loaded.map(|_| ())
    }

    /// What a script says of itself, unless one runs.
    pub fn script_flags(&self, name: &Name) -> Option<ScriptFlags> {
        let engine = self.engine.as_ref()?;
        Some(engine.script(engine.place_of(name)?).flags)
    }

    /// What a function says of itself.
    pub fn function_flags(&self, name: &[u8]) -> Option<ScriptFlags> {
        self.libraries()?.function(name).map(|(_, function)| function.flags)
    }

    /// Forgets all scripts, with their globals.
    pub fn flush_scripts(&mut self) {
        self.engine = None;
    }

    /// Forgets all libraries, with their globals.
    pub fn flush_libraries(&mut self) {
        self.libraries = None;
    }

    /// The script that has run for so long that others are served meanwhile.
    #[inline]
    pub fn busy(&self) -> Option<&Running> {
        self.running.as_ref().filter(|running| running.busy.is_some())
    }

    /// The texts of all libraries, as files keep them.
    pub fn library_texts(&self) -> Vec<Vec<u8>> {
        self.libraries().map_or_else(Vec::new, Libraries::texts)
    }

    /// Notes the figures, for INFO of a script.
    pub fn note_figures(&mut self) {
        self.figures = self.figures();
    }

    fn new_engine(&self, kind: Kind) -> Result<Box<Engine>, String> {
        let made = Engine::new(kind, self.version);
        made.map(Box::new).map_err(|error| format!("Lua does not start: {error}"))
    }

    /// Figures for INFO. Of what is taken out, because it runs, the cron's count as the last.
    pub fn figures(&self) -> Figures {
        let mut figures = match self.running {
            Some(_) => self.figures,
            None => Figures::default(),
        };
        if let Some(engine) = &self.engine {
            figures.note_engine(engine);
        }
        if let Some(libraries) = self.libraries() {
            figures.note_libraries(libraries);
        }
        figures
    }
}
