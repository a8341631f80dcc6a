//! The command line of `redis-server` as text of a configuration file: `--port 7000` is the line
//! `port "7000"`. Pure. The program's own options (`--version`, `--help`) are taken out before.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::load::{Sources, trim};
use crate::base::text::{repr, split_args};

/// What stands on the command line, seen from its position.
enum Argument<'a> {
    /// `-` in first or last place.
    Stdin,
    /// `--name`, maybe with its value in the same argument.
    Option(&'a [u8]),
    /// A value of the option before.
    Value(&'a [u8]),
}

impl Sources {
    /// Reads the arguments after the program's name. Relative files are relative to `cwd`.
    pub fn from_args(args: &[Vec<u8>], cwd: &Path) -> Self {
        let mut sources = Sources::default();
        let first_option = match args.first() {
            Some(file) if !file.starts_with(b"-") => {
                sources.file = Some(absolute_path(file, cwd));
                1
            }
            _ => 0,
        };
        // A value may begin with dashes when the option before it has none yet.
        let mut option_is_complete = true;
        for (index, arg) in args.iter().enumerate().skip(first_option) {
            let next = args.get(index + 1);
            match classify(arg, index == 0 || next.is_none(), option_is_complete) {
                Argument::Stdin => sources.stdin = true,
                Argument::Option(option) => {
                    let line = OptionLine::of(option, next.map(Vec::as_slice));
                    sources.add_option(option, line.empty_value);
                    option_is_complete = line.is_complete;
                }
                Argument::Value(value) => {
                    sources.options.extend_from_slice(&repr(value));
                    sources.options.push(b' ');
                    option_is_complete = true;
                }
            }
        }
        sources
    }

    fn add_option(&mut self, option: &[u8], empty_value: bool) {
        if !self.options.is_empty() {
            self.options.push(b'\n');
        }
        self.options.extend_from_slice(&option[2..]);
        self.options.extend_from_slice(if empty_value { b" \"\"" } else { b" " });
    }
}

fn classify(arg: &[u8], at_an_end: bool, option_is_complete: bool) -> Argument<'_> {
    match arg {
        b"-" if at_an_end => Argument::Stdin,
        option if option_is_complete && option.starts_with(b"--") => Argument::Option(option),
        value => Argument::Value(value),
    }
}

struct OptionLine {
    /// It needs no value: an argument that begins with `--` is the next option.
    is_complete: bool,
    /// It stands for an empty value.
    empty_value: bool,
}

impl OptionLine {
    fn of(option: &[u8], next: Option<&[u8]>) -> Self {
        let is_name_only = split_args(option).is_some_and(|words| words.len() == 1);
        if !is_name_only {
            return OptionLine { is_complete: true, empty_value: false };
        }
        let before_option = next.is_some_and(|next| next.starts_with(b"--"));
        // `--save` without a value means no save points: scripts build such lines from empty lists.
        let is_save = option.eq_ignore_ascii_case(b"--save");
        let is_sentinel = option.eq_ignore_ascii_case(b"--sentinel");
        OptionLine {
            is_complete: before_option && (is_save || is_sentinel),
            empty_value: is_save && (before_option || next.is_none()),
        }
    }
}

/// The absolute form of a path as Redis makes it: blanks around it go, leading `../` are resolved.
pub fn absolute_path(path: &[u8], cwd: &Path) -> PathBuf {
    let mut rest = trim(path);
    if rest.starts_with(b"/") {
        return PathBuf::from(OsStr::from_bytes(rest));
    }
    let mut base = cwd.to_owned();
    while let Some(after) = rest.strip_prefix(b"../") {
        base.pop();
        rest = after;
    }
    base.join(OsStr::from_bytes(rest))
}
