//! Reads RDB files of all versions that Redis 7.4 loads, item by item, so that its caller may stop
//! between any two of them. Trusts nothing. What the items mean for a node is for the caller.

use std::fmt;
use std::io::{self, Read};

use super::stream::Stream;
use super::string;
use super::{Corrupt, ReadLimits, Source, VERSION_MAX, length, module, opcode, value};
use crate::base::text::repr;
use crate::value::NewValue;

/// A key as it stands in a file.
#[derive(Debug)]
pub struct Entry<'a> {
    /// The key.
    pub key: &'a [u8],
    /// Its value.
    pub value: NewValue<'a>,
    /// How the value stands in the file.
    pub type_byte: u8,
    /// When it expires, in milliseconds since the Unix epoch.
    pub expire_at: Option<i64>,
    /// Seconds since it was used.
    pub idle_seconds: Option<u64>,
    /// How often it was used.
    pub frequency: Option<u8>,
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Item<'a> {
    /// A fact about the file.
    Aux {
        /// Its name.
        name: &'a [u8],
        /// What it is.
        value: &'a [u8],
    },
    /// A function library.
    Function(&'a [u8]),
    /// How many keys follow in the database at hand, and how many of them expire, if that is true.
    Hint {
        /// Keys.
        keys: u64,
        /// Keys that expire.
        expires: u64,
    },
    /// The keys that follow are of this database.
    Database(u64),
    /// A key.
    Key(Entry<'a>),
    /// A key without a value, as Redis wrote them by mistake once: it is no key.
    EmptyKey(&'a [u8]),
    /// Data of a module beside the keys, which were skipped.
    ModuleAux {
        /// The module's number.
        id: u64,
        /// Bytes of the file before the data.
        offset: u64,
    },
    /// A key that is a module's, whose value was skipped, and when it expires.
    ModuleKey(Option<i64>),
    /// The end, and what is known of the checksum.
    End(Checksum),
}

/// What becomes of data of modules, of which this node has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Modules {
    /// They cannot be loaded.
    #[default]
    Refused,
    /// They are looked at for their form, and left out.
    Skipped,
}

/// What a reader is about to read, for whoever wants to know where a file is damaged (Redis:
/// RDB_CHECK_DOING_START and following).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Stage {
    /// The header.
    #[default]
    Start,
    /// The byte that tells what follows.
    Type,
    /// When the next key expires.
    Expire,
    /// A key.
    Key,
    /// Its value.
    Value,
    /// The checksum.
    Checksum,
    /// A database's number, or hints.
    Length,
    /// A fact about the file.
    Aux,
    /// Data of a module.
    ModuleAux,
    /// A function library.
    Function,
}

/// Where in a file a reader is.
#[derive(Clone, Copy, Debug)]
pub struct Position<'a> {
    /// Bytes that were taken so far.
    pub offset: u64,
    /// What is being read.
    pub stage: Stage,
    /// The key whose value is being read.
    pub key: Option<&'a [u8]>,
    /// The type byte of the key that is being read.
    pub type_byte: Option<u8>,
}

/// What became of a file's checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checksum {
    /// It is right.
    Right,
    /// The file was written without one.
    Disabled,
    /// Nobody looked, or files of this version have none.
    Unchecked,
}

/// Why a file cannot be read.
#[derive(Debug)]
pub enum Damage {
    /// It does not begin as RDB files do.
    Signature,
    /// Its version is none, or too new.
    Version(Vec<u8>),
    /// It cannot be read.
    Io(io::Error),
    /// It ends early, or its bytes make no sense.
    Corrupt(Corrupt),
    /// A value of a type that this node does not have.
    MissingType {
        /// The type byte.
        byte: u8,
        /// What Redis has for it.
        name: &'static str,
        /// Whose value it is.
        key: Vec<u8>,
    },
    /// Data of a module that is not loaded.
    Module(u64),
    /// A value of a module that is not loaded.
    ModuleValue(u64),
    /// A value of a module in a form that was never released.
    PreReleaseModule,
    /// Data of a module that do not say when they are to be loaded.
    ModuleTime,
    /// A library in a form that was never released.
    PreReleaseFunction,
    /// The checksum says that something is wrong.
    Checksum {
        /// What it should be.
        expected: u64,
        /// What the file says.
        found: u64,
    },
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Damage::Signature => f.write_str("Wrong signature trying to load DB from file"),
            Damage::Version(digits) => {
                let digits = String::from_utf8_lossy(digits);
                write!(f, "Can't handle RDB format version {digits}")
            }
            Damage::Io(error) => write!(f, "Error reading the RDB file: {error}"),
            Damage::Corrupt(Corrupt::Truncated) => f.write_str("Unexpected EOF reading RDB file"),
            Damage::Corrupt(corrupt) => write!(f, "Corrupt RDB file: {corrupt}"),
            Damage::MissingType { byte, name, key } => {
                let key = String::from_utf8_lossy(&repr(&key[..key.len().min(128)])).into_owned();
                write!(f, "The value of {key} is a {name} (RDB type {byte}), which is unsupported")
            }
            Damage::Module(id) => {
                let name = opcode::module_name(*id);
                write!(
                    f,
                    "The RDB file contains AUX module data I can't load: no matching module \
                     '{name}'"
                )
            }
            Damage::ModuleValue(id) => {
                let name = opcode::module_name(*id);
                write!(
                    f,
                    "The RDB file contains module data I can't load: no matching module type \
                     '{name}'"
                )
            }
            Damage::PreReleaseModule => f.write_str("Pre-release module format not supported"),
            Damage::ModuleTime => f.write_str("bad when_opcode"),
            Damage::PreReleaseFunction => f.write_str("Pre-release function format not supported."),
            Damage::Checksum { expected, found } => write!(
                f,
                "RDB CRC error: Wrong RDB checksum expected: ({expected:x}) but got ({found:x})"
            ),
        }
    }
}

impl std::error::Error for Damage {}

/// What precedes a key.
#[derive(Clone, Copy, Debug, Default)]
struct Preface {
    expire_at: Option<i64>,
    idle_seconds: Option<u64>,
    frequency: Option<u8>,
}

/// A file as it is read.
pub struct Reader<R> {
    stream: Stream<R>,
    limits: ReadLimits,
    modules: Modules,
    version: u16,
    stage: Stage,
    /// What was said of the next key.
    preface: Preface,
    /// The key or the name at hand.
    key: Vec<u8>,
    /// The type of the value at hand; `None` between values.
    type_byte: Option<u8>,
    /// The value at hand, where it is packed.
    scratch: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Begins with a file; `checks` tells whether its checksum is to be looked at, `limits` what
    /// becomes of its values.
    pub fn new(file: R, checks: bool, limits: ReadLimits) -> Result<Self, Damage> {
        let mut stream = Stream::new(file, checks);
        let header = match stream.take(opcode::HEADER_BYTES) {
            Ok(header) => header,
            Err(corrupt) => return Err(damage(&mut stream, corrupt)),
        };
        let digits = header.strip_prefix(opcode::SIGNATURE).ok_or(Damage::Signature)?;
        let version = str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
        let version = version.filter(|version| (1..=VERSION_MAX).contains(version));
        let version = version.ok_or_else(|| Damage::Version(digits.to_vec()))?;
        Ok(Reader {
            stream,
            limits,
            modules: Modules::Refused,
            version,
            stage: Stage::Start,
            preface: Preface::default(),
            key: Vec::new(),
            type_byte: None,
            scratch: Vec::new(),
        })
    }

    /// Data of modules are skipped instead of refused.
    pub fn skip_modules(&mut self) {
        self.modules = Modules::Skipped;
    }

    /// Where it is.
    pub fn position(&self) -> Position<'_> {
        Position {
            offset: self.stream.taken(),
            stage: self.stage,
            key: (self.stage == Stage::Value).then_some(&self.key),
            type_byte: self.type_byte,
        }
    }

    /// The version that the file's header names.
    pub fn version(&self) -> u16 {
        self.version
    }

    /// Bytes of the file that were read as items.
    pub fn bytes_read(&self) -> u64 {
        self.stream.taken()
    }

    /// What the system said, if the last error came from there.
    pub fn take_failure(&mut self) -> Option<io::Error> {
        self.stream.take_failure()
    }

    /// The next item. After the end, and after an error, there is none.
    pub fn next_item(&mut self) -> Result<Item<'_>, Damage> {
        self.type_byte = None;
        loop {
            self.stage = Stage::Type;
            match self.preface().map_err(|corrupt| self.damage(corrupt))? {
                None => {}
                Some(opcode::EOF) => return self.end().map(Item::End),
                Some(opcode::SELECT_DB) => {
                    self.stage = Stage::Length;
                    let db = length::read_plain(&mut self.stream);
                    return db.map(Item::Database).map_err(|corrupt| self.damage(corrupt));
                }
                Some(opcode::RESIZE_DB) => return self.hint(),
                Some(opcode::SLOT_INFO) => self.skip_slot_info()?,
                Some(opcode::AUX) => return self.aux(),
                Some(opcode::FUNCTION) => {
                    self.stage = Stage::Function;
                    let read = read_string(&mut self.stream, &mut self.key, self.limits);
                    read.map_err(|corrupt| self.damage(corrupt))?;
                    return Ok(Item::Function(&self.key));
                }
                Some(opcode::FUNCTION_PRE_GA) => return Err(Damage::PreReleaseFunction),
                Some(opcode::MODULE_AUX) => return self.module_aux(),
                Some(type_byte) => return self.entry(type_byte),
            }
        }
    }

    /// Reads one byte, and what belongs to it if it is about the next key. Otherwise the byte.
    fn preface(&mut self) -> Result<Option<u8>, Corrupt> {
        let (source, preface) = (&mut self.stream, &mut self.preface);
        match source.take_byte()? {
            opcode::EXPIRE_S => {
                self.stage = Stage::Expire;
                let seconds = i32::from_le_bytes(take_array(source)?);
                preface.expire_at = Some(i64::from(seconds) * 1000);
            }
            opcode::EXPIRE_MS => {
                self.stage = Stage::Expire;
                preface.expire_at = Some(i64::from_le_bytes(take_array(source)?));
            }
            opcode::FREQ => preface.frequency = Some(source.take_byte()?),
            opcode::IDLE => preface.idle_seconds = Some(length::read_plain(source)?),
            other => return Ok(Some(other)),
        }
        Ok(None)
    }

    fn hint(&mut self) -> Result<Item<'_>, Damage> {
        self.stage = Stage::Length;
        let keys = length::read_plain(&mut self.stream);
        let both = keys.and_then(|keys| Ok((keys, length::read_plain(&mut self.stream)?)));
        let (keys, expires) = both.map_err(|corrupt| self.damage(corrupt))?;
        Ok(Item::Hint { keys, expires })
    }

    /// Slots have tables of their own sizes here: there is nothing to prepare.
    fn skip_slot_info(&mut self) -> Result<(), Damage> {
        self.stage = Stage::Length;
        let mut number = || length::read_plain(&mut self.stream);
        let numbers = number().and_then(|_| number()).and_then(|_| number());
        numbers.map(|_| ()).map_err(|corrupt| self.damage(corrupt))
    }

    fn module_aux(&mut self) -> Result<Item<'_>, Damage> {
        self.stage = Stage::ModuleAux;
        let mut number = || length::read_plain(&mut self.stream);
        let numbers = number().and_then(|id| Ok((id, number()?, number()?)));
        let (id, time_kind, _time) = numbers.map_err(|corrupt| self.damage(corrupt))?;
        if time_kind != module::UNSIGNED {
            return Err(Damage::ModuleTime);
        }
        if self.modules == Modules::Refused {
            return Err(Damage::Module(id));
        }
        let offset = self.stream.taken();
        module::skip(&mut self.stream, self.limits).map_err(|corrupt| self.damage(corrupt))?;
        Ok(Item::ModuleAux { id, offset })
    }

    fn aux(&mut self) -> Result<Item<'_>, Damage> {
        self.stage = Stage::Aux;
        let both = read_string(&mut self.stream, &mut self.key, self.limits)
            .and_then(|()| read_string(&mut self.stream, &mut self.scratch, self.limits));
        both.map_err(|corrupt| self.damage(corrupt))?;
        Ok(Item::Aux { name: &self.key, value: &self.scratch })
    }

    fn entry(&mut self, type_byte: u8) -> Result<Item<'_>, Damage> {
        if !value::is_type(type_byte) && opcode::type_name(type_byte).is_none() {
            return Err(Damage::Corrupt(Corrupt::Type(type_byte)));
        }
        let Preface { expire_at, idle_seconds, frequency } = std::mem::take(&mut self.preface);
        (self.stage, self.type_byte) = (Stage::Key, Some(type_byte));
        let read = read_string(&mut self.stream, &mut self.key, self.limits);
        read.map_err(|corrupt| self.damage(corrupt))?;
        self.stage = Stage::Value;
        if type_byte == module::VALUE || type_byte == module::VALUE_PRE_RELEASE {
            return self.module_value(type_byte, expire_at);
        }
        let Reader { stream, limits, key, scratch, .. } = self;
        match value::read_body(type_byte, stream, scratch, *limits) {
            Ok(value) => {
                Ok(Item::Key(Entry { key, value, type_byte, expire_at, idle_seconds, frequency }))
            }
            Err(Corrupt::Empty) => Ok(Item::EmptyKey(key)),
            Err(Corrupt::Type(byte)) => Err(match opcode::type_name(byte) {
                Some(name) => Damage::MissingType { byte, name, key: key.clone() },
                None => Damage::Corrupt(Corrupt::Type(byte)),
            }),
            Err(corrupt) => Err(Damage::Corrupt(corrupt)),
        }
    }

    fn module_value(&mut self, byte: u8, expire_at: Option<i64>) -> Result<Item<'_>, Damage> {
        if byte == module::VALUE_PRE_RELEASE {
            return Err(Damage::PreReleaseModule);
        }
        let id = length::read_plain(&mut self.stream).map_err(|corrupt| self.damage(corrupt))?;
        if self.modules == Modules::Refused {
            return Err(Damage::ModuleValue(id));
        }
        module::skip(&mut self.stream, self.limits).map_err(|corrupt| self.damage(corrupt))?;
        Ok(Item::ModuleKey(expire_at))
    }

    fn end(&mut self) -> Result<Checksum, Damage> {
        if self.version < opcode::CHECKSUM_SINCE {
            return Ok(Checksum::Unchecked);
        }
        self.stage = Stage::Checksum;
        let expected = self.stream.checksum();
        let found = take_array(&mut self.stream).map_err(|corrupt| self.damage(corrupt))?;
        let found = u64::from_le_bytes(found);
        match expected {
            None => Ok(Checksum::Unchecked),
            Some(_) if found == 0 => Ok(Checksum::Disabled),
            Some(expected) if found == expected => Ok(Checksum::Right),
            Some(expected) => Err(Damage::Checksum { expected, found }),
        }
    }

    fn damage(&mut self, corrupt: Corrupt) -> Damage {
        damage(&mut self.stream, corrupt)
    }
}

fn damage<R: Read>(stream: &mut Stream<R>, corrupt: Corrupt) -> Damage {
    stream.take_failure().map_or(Damage::Corrupt(corrupt), Damage::Io)
}

/// Reads a string into `into`.
fn read_string(
    source: &mut impl Source,
    into: &mut Vec<u8>,
    limits: ReadLimits,
) -> Result<(), Corrupt> {
    string::read(source, limits)?.write_over(into);
    Ok(())
}

fn take_array<const BYTES: usize>(source: &mut impl Source) -> Result<[u8; BYTES], Corrupt> {
    let bytes = source.take(BYTES as u64)?;
    bytes.first_chunk().copied().ok_or(Corrupt::Truncated)
}
