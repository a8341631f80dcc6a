//! The first line of scripts and libraries, `#!lua name=… flags=…`: which engine, which name, and
//! what a script may do.

use bitflags::bitflags;

use crate::base::text::split_args;

bitflags! {
    /// What a script says of itself.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ScriptFlags: u8 {
        /// It never writes.
        const NO_WRITES = 1 << 0;
        /// It may run while too much memory is in use.
        const ALLOW_OOM = 1 << 1;
        /// It may run on a replica without its primary.
        const ALLOW_STALE = 1 << 2;
        /// It must not run in a cluster.
        const NO_CLUSTER = 1 << 3;
        /// It has no header: the rules from before there were any hold (Redis:
        /// SCRIPT_FLAG_EVAL_COMPAT_MODE).
        const NO_HEADER = 1 << 4;
        /// It may use keys of several slots.
        const ALLOW_CROSS_SLOT = 1 << 5;
    }
}

/// The flags that a header or a function may have, in the order of FUNCTION LIST.
const NAMES: &[(ScriptFlags, &str)] = &[
    (ScriptFlags::NO_WRITES, "no-writes"),
    (ScriptFlags::ALLOW_OOM, "allow-oom"),
    (ScriptFlags::ALLOW_STALE, "allow-stale"),
    (ScriptFlags::NO_CLUSTER, "no-cluster"),
    (ScriptFlags::ALLOW_CROSS_SLOT, "allow-cross-slot-keys"),
];

impl ScriptFlags {
    /// A flag by its exact name.
    pub fn by_name(name: &[u8]) -> Option<ScriptFlags> {
        NAMES.iter().find(|(_, known)| known.as_bytes() == name).map(|&(flag, _)| flag)
    }

    /// The names of those that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|&(_, name)| name)
    }
}

/// The header of a script for EVAL: its flags, and where its text goes on. The line end stays, so
/// that lines keep their numbers.
pub fn of_script(text: &[u8]) -> Result<(ScriptFlags, usize), String> {
    if !text.starts_with(b"#!") {
        return Ok((ScriptFlags::NO_HEADER, 0));
    }
    let Some(end) = memchr::memchr(b'\n', text) else {
        return Err("Invalid script shebang".into());
    };
    let words = split_args(&text[..end]).unwrap_or_default();
    let Some((engine, options)) = words.split_first() else {
        return Err("Invalid engine in script shebang".into());
    };
    if engine != b"#!lua" {
        let shown = String::from_utf8_lossy(engine);
        return Err(format!("Unexpected engine in script shebang: {shown}"));
    }
    let mut flags = ScriptFlags::empty();
    for option in options {
        let Some(names) = option.strip_prefix(b"flags=") else {
            let shown = String::from_utf8_lossy(option);
            return Err(format!("Unknown lua shebang option: {shown}"));
        };
        if names.is_empty() {
            continue;
        }
        for name in names.split(|&b| b == b',') {
            flags |= ScriptFlags::by_name(name).ok_or_else(|| {
                let shown = String::from_utf8_lossy(name);
                format!("Unexpected flag in script shebang: {shown}")
            })?;
        }
    }
    Ok((flags, end))
}

/// The header of a library.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LibraryHeader {
    /// The engine that it is written for.
    pub engine: Vec<u8>,
    /// Its name.
    pub name: Vec<u8>,
    /// Where its code begins.
    pub code_at: usize,
}

/// The header of a library.
pub fn of_library(text: &[u8]) -> Result<LibraryHeader, String> {
    if !text.starts_with(b"#!") {
        return Err("Missing library metadata".into());
    }
    let invalid = || "Invalid library metadata".to_string();
    let end = memchr::memchr(b'\n', text).ok_or_else(invalid)?;
    let words = split_args(&text[..end]).unwrap_or_default();
    let (engine, options) = words.split_first().ok_or_else(invalid)?;
    let mut name = None;
    for option in options {
        let prefix = option.get(..5).unwrap_or_default();
        if !prefix.eq_ignore_ascii_case(b"name=") {
            let shown = String::from_utf8_lossy(option);
            return Err(format!("Invalid metadata value given: {shown}"));
        }
        if name.replace(option[5..].to_vec()).is_some() {
            return Err("Invalid metadata value, name argument was given multiple times".into());
        }
    }
    let name = name.ok_or("Library name was not given")?;
    Ok(LibraryHeader { engine: engine[2..].to_vec(), name, code_at: end })
}

/// Whether a library or a function may be called so.
pub fn is_valid_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_scripts() {
        let flags = |text: &str| of_script(text.as_bytes());
        assert_eq!(flags("return 1"), Ok((ScriptFlags::NO_HEADER, 0)));
        assert_eq!(flags("#!lua\nreturn 1"), Ok((ScriptFlags::empty(), 5)));
        let two = ScriptFlags::NO_WRITES | ScriptFlags::ALLOW_OOM;
        assert_eq!(flags("#!lua flags=no-writes,allow-oom\n1"), Ok((two, 31)));
        assert_eq!(flags("#!lua flags=\n1"), Ok((ScriptFlags::empty(), 12)));
        for (text, words) in [
            ("#!lua", "Invalid script shebang"),
            ("#!lua \"\n", "Invalid engine in script shebang"),
            ("#!py\n", "Unexpected engine in script shebang: #!py"),
            ("#!lua x\n", "Unknown lua shebang option: x"),
            ("#!lua flags=a\n", "Unexpected flag in script shebang: a"),
        ] {
            assert_eq!(flags(text), Err(words.to_string()), "{text}");
        }
    }

    #[test]
    fn headers_of_libraries() {
        let header = of_library(b"#!Lua NAME=x_1\ncode").unwrap();
        assert_eq!((&header.engine[..], &header.name[..]), (&b"Lua"[..], &b"x_1"[..]));
        assert_eq!(header.code_at, 14);
        for (text, words) in [
            ("return", "Missing library metadata"),
            ("#!lua name=x", "Invalid library metadata"),
            ("#!lua\n", "Library name was not given"),
            ("#!lua y=x\n", "Invalid metadata value given: y=x"),
        ] {
            assert_eq!(of_library(text.as_bytes()), Err(words.to_string()), "{text}");
        }
        assert!(is_valid_name(b"a_Z9") && !is_valid_name(b"") && !is_valid_name(b"a-b"));
    }
}
