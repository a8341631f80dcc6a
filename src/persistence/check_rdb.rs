//! What the program `redis-check-rdb` does: reads a whole file and reports what it holds, or where
//! and why it cannot be read. The program's main function calls it; it prints where it is told to,
//! and changes nothing.

use std::io::{self, Read, Write};

use super::rdb::reader::{Checksum, Damage, Item, Position, Reader, Stage};
use super::rdb::reason::reason;
use super::rdb::{Corrupt, ReadLimits, module_name};

/// Bytes of what a header is, after which its mistakes are found.
const HEADER_BYTES: u64 = 9;
/// What Redis calls the types, by their byte.
const TYPES: [&str; 26] = [
    "string",
    "list-linked",
    "set-hashtable",
    "zset-v1",
    "hash-hashtable",
    "zset-v2",
    "module-pre-release",
    "module-value",
    "",
    "hash-zipmap",
    "list-ziplist",
    "set-intset",
    "zset-ziplist",
    "hash-ziplist",
    "quicklist",
    "stream",
    "hash-listpack",
    "zset-listpack",
    "quicklist-v2",
    "stream-v2",
    "set-listpack",
    "stream-v3",
    "hash-metadata-pre-release",
    "hash-listpack-metadata-pre-release",
    "hash-metadata",
    "hash-listpack-metadata",
];

/// A check as it goes.
struct Check<W> {
    out: W,
    now_ms: i64,
    keys: u64,
    expires: u64,
    expired: u64,
}

/// Checks a file that is shown under this name, and tells whether it can be loaded. `file` may not
/// be there, which is no more than a failure.
pub fn check(
    name: &str,
    file: io::Result<impl Read>,
    now_ms: i64,
    out: impl Write,
) -> io::Result<bool> {
    let mut check = Check { out, now_ms, keys: 0, expires: 0, expired: 0 };
    check.line(0, &format!("Checking RDB file {name}"))?;
    let Ok(file) = file else { return Ok(false) };
    let mut reader = match Reader::new(file, true, ReadLimits::DEFAULT) {
        Ok(reader) => reader,
        Err(damage) => {
            check.header_error(&damage)?;
            return Ok(false);
        }
    };
    reader.skip_modules();
    let good = check.items(&mut reader)?;
    check.out.flush()?;
    Ok(good)
}

impl<W: Write> Check<W> {
    fn items<R: Read>(&mut self, reader: &mut Reader<R>) -> io::Result<bool> {
        loop {
            let item = match reader.next_item() {
                Ok(item) => Noted::of(item),
                Err(damage) => {
                    self.error(reader, &damage)?;
                    return Ok(false);
                }
            };
            let offset = reader.position().offset;
            match item {
                Noted::Line(line) => self.line(offset, &line)?,
                Noted::ModuleAux { id, offset } => {
                    self.line(offset, &format!("MODULE AUX for: {}", module_name(id)))?;
                }
                Noted::Key(expire_at) => self.key(expire_at),
                Noted::Nothing => {}
                Noted::EmptyKey => {
                    self.keys += 1;
                    self.report(reader.position(), EARLY_END)?;
                    return Ok(false);
                }
                Noted::End(checksum) => {
                    self.end(offset, checksum)?;
                    return Ok(true);
                }
            }
        }
    }

    fn key(&mut self, expire_at: Option<i64>) {
        self.keys += 1;
        self.expires += u64::from(expire_at.is_some());
        self.expired += u64::from(expire_at.is_some_and(|at| at < self.now_ms));
    }

    fn end(&mut self, offset: u64, checksum: Checksum) -> io::Result<()> {
        match checksum {
            Checksum::Right => self.line(offset, "Checksum OK")?,
            Checksum::Disabled => {
                let words = "RDB file was saved with checksum disabled: no check performed.";
                self.line(offset, words)?;
            }
            Checksum::Unchecked => {}
        }
        self.line(offset, "\\o/ RDB looks OK! \\o/")?;
        self.counts()
    }

    fn line(&mut self, offset: u64, words: &str) -> io::Result<()> {
        writeln!(self.out, "[offset {offset}] {words}")
    }

    fn counts(&mut self) -> io::Result<()> {
        writeln!(self.out, "[info] {} keys read", self.keys)?;
        writeln!(self.out, "[info] {} expires", self.expires)?;
        writeln!(self.out, "[info] {} already expired", self.expired)
    }

    fn header_error(&mut self, damage: &Damage) -> io::Result<()> {
        let (offset, words) = match damage {
            Damage::Version(digits) => {
                let digits = String::from_utf8_lossy(digits);
                // As a number, if it is one.
                let version = digits.parse::<u32>().map_or(digits.to_string(), |n| n.to_string());
                (HEADER_BYTES, format!("Can't handle RDB format version {version}"))
            }
            Damage::Signature => (HEADER_BYTES, damage.to_string()),
            Damage::Corrupt(_) => (0, EARLY_END.to_string()),
            other => (0, other.to_string()),
        };
        self.report(Position { offset, stage: Stage::Start, key: None, type_byte: None }, &words)
    }

    fn error<R: Read>(&mut self, reader: &mut Reader<R>, damage: &Damage) -> io::Result<()> {
        let failure = reader.take_failure();
        let (position, version) = (reader.position(), reader.version());
        self.keys += u64::from(position.key.is_some());
        let inside = |words: &str| {
            format!("Internal error in RDB reading offset {} -> {words}", position.offset)
        };
        let words = match (failure, damage) {
            (Some(failure), _) => Damage::Io(failure).to_string(),
            (None, Damage::Corrupt(Corrupt::Truncated)) => EARLY_END.to_string(),
            (None, Damage::Corrupt(Corrupt::Type(byte))) if position.key.is_none() => {
                format!("Invalid object type: {byte}")
            }
            (None, Damage::Corrupt(corrupt)) => inside(&reason(*corrupt, position.type_byte)),
            (None, Damage::MissingType { byte, .. }) => {
                inside(&reason(Corrupt::Type(*byte), position.type_byte))
            }
            (None, Damage::PreReleaseModule) => inside(&damage.to_string()),
            (None, Damage::PreReleaseFunction) => {
                format!("Pre-release function format not supported {version}")
            }
            (None, Damage::Checksum { .. }) => "RDB CRC error".to_string(),
            (None, other) => other.to_string(),
        };
        self.report(position, &words)
    }

    fn report(&mut self, position: Position<'_>, words: &str) -> io::Result<()> {
        writeln!(self.out, "--- RDB ERROR DETECTED ---")?;
        self.line(position.offset, words)?;
        writeln!(self.out, "[additional info] While doing: {}", doing(position.stage))?;
        if let Some(key) = position.key {
            // As C prints strings.
            let shown = key.split(|&byte| byte == 0).next().unwrap_or_default();
            self.out.write_all(b"[additional info] Reading key '")?;
            self.out.write_all(shown)?;
            self.out.write_all(b"'\n")?;
        }
        // Before the first key, the type is that of no key at all: 0.
        let type_byte = position.type_byte.or((self.keys == 0).then_some(0));
        if let Some(byte) = type_byte {
            let name = TYPES.get(usize::from(byte)).unwrap_or(&"unknown");
            writeln!(self.out, "[additional info] Reading type {byte} ({name})")?;
        }
        self.counts()?;
        self.out.flush()
    }
}

const EARLY_END: &str = "Unexpected EOF reading RDB file";

/// What is reported of an item, so that the reader may be asked where it is.
enum Noted {
    Line(String),
    ModuleAux { id: u64, offset: u64 },
    Key(Option<i64>),
    EmptyKey,
    Nothing,
    End(Checksum),
}

impl Noted {
    fn of(item: Item<'_>) -> Noted {
        match item {
            Item::Aux { name, value } => {
                let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
                Noted::Line(format!("AUX FIELD {name} = '{value}'"))
            }
            Item::Function(_) | Item::Hint { .. } => Noted::Nothing,
            Item::Database(number) => Noted::Line(format!("Selecting DB ID {number}")),
            Item::Key(entry) => Noted::Key(entry.expire_at),
            Item::EmptyKey(_) => Noted::EmptyKey,
            Item::ModuleAux { id, offset } => Noted::ModuleAux { id, offset },
            Item::ModuleKey(expire_at) => Noted::Key(expire_at),
            Item::End(checksum) => Noted::End(checksum),
        }
    }
}

/// What Redis calls what is being done.
fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Start => "start",
        Stage::Type => "read-type",
        Stage::Expire => "read-expire",
        Stage::Key => "read-key",
        Stage::Value => "read-object-value",
        Stage::Checksum => "check-sum",
        Stage::Length => "read-len",
        Stage::Aux => "read-aux",
        Stage::ModuleAux => "read-module-aux",
        Stage::Function => "read-functions",
    }
}
