//! Reading configuration: files, what they include, standard input, and options of the command
//! line, in that order. Called once before the start. Words of errors are Redis's; no input may
//! make it fail otherwise.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::directive::Source;
use super::setting::Words;
use super::version::REDIS_VERSION;
use super::{Config, Flags, Found, Line, LogLevel, RenameCommand, UserLine, lookup, strerror};
use crate::base::limits::{CONFIG_BYTES_MAX, CONFIG_INCLUDE_DEPTH_MAX, CONFIG_INCLUDES_MAX};
use crate::base::text::split_args;

/// Directives of older versions that are read and forgotten.
const DEPRECATED: [&[u8]; 3] =
    [b"list-max-ziplist-entries", b"list-max-ziplist-value", b"lua-replicate-commands"];

/// Where configuration comes from. Later sources win over earlier ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// A file.
    pub file: Option<PathBuf>,
    /// Standard input.
    pub stdin: bool,
    /// Lines made of the options of the command line.
    pub options: Vec<u8>,
}

/// Something to log once the logger runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How severe it is.
    pub level: LogLevel,
    /// What to log.
    pub text: String,
}

/// Why the configuration could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// A file could not be opened or read: its path, and what the operating system says.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// Why.
        words: String,
    },
    /// A line is wrong, or all lines together are.
    Directive {
        /// The line to blame, if it is a single one.
        line: Option<Line>,
        /// Why, in Redis's words.
        words: Words,
    },
}

impl LoadError {
    /// Blames a line: also for those who find out later, when users and commands are known.
    pub fn at(line: &Line, words: impl Into<Words>) -> Self {
        LoadError::Directive { line: Some(line.clone()), words: words.into() }
    }

    fn whole(words: impl Into<Words>) -> Self {
        LoadError::Directive { line: None, words: words.into() }
    }

    fn file(path: &Path, error: &io::Error) -> Self {
        LoadError::File { path: path.to_owned(), words: strerror(error) }
    }

    /// What to print before giving up. For a file it is one line for the log.
    pub fn report(&self) -> Vec<u8> {
        match self {
            LoadError::File { path, words } => {
                let path = path.display();
                format!("Fatal error, can't open config file '{path}': {words}").into_bytes()
            }
            LoadError::Directive { line, words } => {
                let mut report =
                    format!("\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***\n")
                        .into_bytes();
                if let Some(line) = line {
                    let number = line.number;
                    report.extend_from_slice(
                        format!("Reading the configuration file, at line {number}\n>>> '")
                            .as_bytes(),
                    );
                    report.extend_from_slice(&line.text);
                    report.extend_from_slice(b"'\n");
                }
                report.extend_from_slice(words.as_bytes());
                report.push(b'\n');
                report
            }
        }
    }
}

impl Config {
    /// Reads all sources over what the configuration says already. `stdin` is read only when the
    /// sources name it. On success returns what is to be logged.
    pub fn load(
        &mut self,
        sources: &Sources,
        stdin: &mut dyn Read,
    ) -> Result<Vec<Note>, LoadError> {
        let mut loader = Loader { config: self, notes: Vec::new(), save_seen: false, includes: 0 };
        let mut text = Vec::new();
        if let Some(file) = &sources.file {
            text = loader.read_files(file.as_os_str().as_bytes())?;
            loader.config.startup.config_file = Some(file.clone());
        }
        if sources.stdin {
            loader.note(LogLevel::Notice, "Reading config from stdin".to_owned());
            read_bounded(stdin, &mut text)
                .map_err(|error| LoadError::file(Path::new("-"), &error))?;
        }
        text.push(b'\n');
        text.extend_from_slice(&sources.options);
        loader.read_text(&text, 0)?;
        // Who starts a node from files and options has one that keeps its keys.
        loader.config.startup.keeps_snapshots = true;
        Ok(loader.notes)
    }

    /// Reads lines as a configuration file has them.
    pub fn load_text(&mut self, text: &[u8]) -> Result<Vec<Note>, LoadError> {
        let mut loader = Loader { config: self, notes: Vec::new(), save_seen: false, includes: 0 };
        loader.read_text(text, 0)?;
        Ok(loader.notes)
    }
}

impl std::fmt::Display for LoadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(String::from_utf8_lossy(&self.report()).trim())
    }
}

impl std::error::Error for LoadError {}

fn read_bounded(source: &mut dyn Read, text: &mut Vec<u8>) -> io::Result<()> {
    let limit = CONFIG_BYTES_MAX.saturating_sub(text.len());
    let read = source.take(limit as u64 + 1).read_to_end(text)?;
    if read > limit {
        return Err(io::Error::from_raw_os_error(libc::EFBIG));
    }
    Ok(())
}

struct Loader<'a> {
    config: &'a mut Config,
    notes: Vec<Note>,
    /// A `save` line was read: the first one replaces the defaults, later ones add to it.
    save_seen: bool,
    /// Files included so far.
    includes: usize,
}

impl Loader<'_> {
    fn note(&mut self, level: LogLevel, text: String) {
        self.notes.push(Note { level, text });
    }

    /// The text of a file, or of all that a pattern finds, which may be none.
    fn read_files(&mut self, name: &[u8]) -> Result<Vec<u8>, LoadError> {
        let mut text = Vec::new();
        let named = Path::new(OsStr::from_bytes(name));
        let is_pattern = name.iter().any(|b| matches!(b, b'*' | b'?' | b'['));
        let paths = if is_pattern { self.glob(named) } else { vec![self.config.path(name)] };
        for path in paths {
            // The name as it was written is what the user knows.
            let shown = if is_pattern { path.as_path() } else { named };
            File::open(&path)
                .and_then(|mut file| read_bounded(&mut file, &mut text))
                .map_err(|error| LoadError::file(shown, &error))?;
        }
        Ok(text)
    }

    fn glob(&self, pattern: &Path) -> Vec<PathBuf> {
        let options = glob::MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let Some(pattern) = pattern.to_str() else { return Vec::new() };
        let full = if pattern.starts_with('/') {
            pattern.to_owned()
        } else {
            format!("{}/{pattern}", glob::Pattern::escape(&self.config.dir.to_string_lossy()))
        };
        match glob::glob_with(&full, options) {
            Ok(paths) => paths.filter_map(Result::ok).take(CONFIG_INCLUDES_MAX).collect(),
            Err(_) => Vec::new(),
        }
    }

    fn read_text(&mut self, text: &[u8], depth: usize) -> Result<(), LoadError> {
        for (index, raw) in text.split(|b| *b == b'\n').enumerate() {
            let text = trim(super::setting::c_string(raw));
            if text.is_empty() || text.starts_with(b"#") {
                continue;
            }
            let line = Line { number: index + 1, text: text.to_vec() };
            let Some(mut words) = split_args(text) else {
                return Err(LoadError::at(&line, "Unbalanced quotes in configuration line"));
            };
            let Some(name) = words.first_mut() else { continue };
            name.make_ascii_lowercase();
            match lookup(name) {
                Some(found) => self
                    .directive(found, &words[1..])
                    .map_err(|words| LoadError::at(&line, words))?,
                None => self.special(words, line, depth)?,
            }
        }
        self.check()
    }

    fn directive(&mut self, found: Found, words: &[Vec<u8>]) -> Result<(), Words> {
        let multi_arg = found.directive.flags.contains(Flags::MULTI_ARG);
        if !multi_arg && words.len() != 1 {
            return Err("wrong number of arguments".into());
        }
        // `--save "900 1 300 10"` says in one word what others say in several.
        let split = match words {
            [word] if multi_arg && !word.is_empty() => Some(split_args(word).unwrap_or_default()),
            _ => None,
        };
        let args: Vec<&[u8]> =
            split.as_deref().unwrap_or(words).iter().map(Vec::as_slice).collect();
        if found.directive.name == "save" && !self.save_seen {
            self.save_seen = true;
            self.config.save.clear();
        }
        found.directive.set(self.config, &args, Source::Load)?;
        if found.directive.name == "oom-score-adj-values"
            && let Some(warning) = self.config.oom_score_adj_values.warning()
        {
            self.note(LogLevel::Warning, warning.to_owned());
        }
        Ok(())
    }

    /// Lines that are no directives of the table.
    fn special(
        &mut self,
        mut words: Vec<Vec<u8>>,
        line: Line,
        depth: usize,
    ) -> Result<(), LoadError> {
        let name = words.remove(0);
        if DEPRECATED.contains(&name.as_slice()) && words.len() == 1 {
            return Ok(());
        }
        match (name.as_slice(), words.len()) {
            (b"include", 1) => return self.include(&words[0], &line, depth),
            (b"rename-command", 2) => {
                let to = words.pop().unwrap_or_default();
                let from = words.pop().unwrap_or_default();
                self.config.startup.rename_commands.push(RenameCommand { from, to, line });
            }
            (b"user", 1..) => self.config.startup.users.push(UserLine { words, line }),
            (b"loadmodule", 1..) => self.config.startup.load_modules.push(words),
            (module, given) if module.contains(&b'.') => {
                if given == 0 {
                    return Err(LoadError::at(&line, "Module config specified without value"));
                }
                self.config.startup.module_configs.push((name, words.join(&b' ')));
            }
            (b"sentinel", 0) => {}
            (b"sentinel", _) => {
                return Err(LoadError::at(&line, "sentinel directive while not in sentinel mode"));
            }
            _ => {
                return Err(LoadError::at(&line, "Bad directive or wrong number of arguments"));
            }
        }
        Ok(())
    }

    fn include(&mut self, name: &[u8], line: &Line, depth: usize) -> Result<(), LoadError> {
        self.includes += 1;
        if depth >= CONFIG_INCLUDE_DEPTH_MAX || self.includes > CONFIG_INCLUDES_MAX {
            return Err(LoadError::at(line, "Too many included configuration files"));
        }
        let text = self.read_files(name)?;
        self.read_text(&text, depth + 1)
    }

    /// What must hold once all lines of a text were read.
    fn check(&mut self) -> Result<(), LoadError> {
        if !self.config.logfile.is_empty() {
            let path = self.config.path(&self.config.logfile);
            OpenOptions::new().append(true).create(true).open(path).map_err(|error| {
                LoadError::whole(format!("Can't open the log file: {}", strerror(&error)))
            })?;
        }
        if self.config.cluster_enabled && self.config.replicaof.is_some() {
            return Err(LoadError::whole("replicaof directive not allowed in cluster mode"));
        }
        if self.config.cluster_enabled && self.config.databases > 1 {
            let databases = self.config.databases;
            self.note(
                LogLevel::Warning,
                format!(
                    "WARNING: Changing databases number from {databases} to 1 since we are in \
                     cluster mode"
                ),
            );
            self.config.databases = 1;
        }
        self.config.normalize();
        Ok(())
    }
}

/// Without the blanks that Redis trims from lines.
pub(super) fn trim(line: &[u8]) -> &[u8] {
    let blank = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().position(|b| !blank(b)).unwrap_or(line.len());
    let end = line.iter().rposition(|b| !blank(b)).map_or(start, |last| last + 1);
    &line[start..end]
}

/// The text of a file for CONFIG REWRITE: empty when there is none.
pub(super) fn read_old_file(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}
