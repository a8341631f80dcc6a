//! What configuration files say once, for the start: users, renamed commands, modules. Kept as
//! read, with the line each came from, because only rooms above know commands and users; they
//! refuse with that line.

use std::path::PathBuf;

/// A line of a configuration file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Counted from 1, options given on the command line after the file's last.
    pub number: usize,
    /// The line, spaces around it removed.
    pub text: Vec<u8>,
}

/// `rename-command from to`; an empty `to` removes the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenameCommand {
    /// The command's name.
    pub from: Vec<u8>,
    /// What it is called from then on.
    pub to: Vec<u8>,
    /// Where this is said.
    pub line: Line,
}

/// `user name rule …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserLine {
    /// The words after `user`, never empty.
    pub words: Vec<Vec<u8>>,
    /// Where this is said.
    pub line: Line,
}

/// What files and the command line say for the start only.
#[derive(Clone, Debug, Default)]
pub struct Startup {
    /// The configuration file, absolute, that CONFIG REWRITE writes.
    pub config_file: Option<PathBuf>,
    /// The program, absolute.
    pub executable: PathBuf,
    /// The arguments it was started with, its own name first.
    pub argv: Vec<Vec<u8>>,
    /// Port 0 means any free one instead of none: a node embedded in a test.
    pub any_port: bool,
    /// Snapshots are loaded at the start, and made at save points and at the end. Not so for a node
    /// that is embedded without a word about files: it must not leave any behind.
    pub keeps_snapshots: bool,
    /// Commands to rename, in order.
    pub rename_commands: Vec<RenameCommand>,
    /// Users to create, in order.
    pub users: Vec<UserLine>,
    /// Modules to load: path, then arguments.
    pub load_modules: Vec<Vec<Vec<u8>>>,
    /// Directives of modules: name and value.
    pub module_configs: Vec<(Vec<u8>, Vec<u8>)>,
}
