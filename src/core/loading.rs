//! Loads a snapshot slice by slice, so that clients get their replies meanwhile, most of them
//! `LOADING`. Reads from whatever it is given; the node opens the file and asks for the slices.

use std::fmt;
use std::io::Read;
use std::time::Duration;

use super::{Core, value_limits};
use crate::base::clock::{self, Stopwatch};
use crate::base::limits::LOAD_SLICE_US;
use crate::base::text::repr;
use crate::config::SanitizeDumpPayload;
use crate::keyspace::{ExpireMode, Free};
use crate::persistence::dump;
use crate::persistence::rdb::reader::{Checksum, Damage, Entry, Item, Reader};
use crate::persistence::rdb::reason::{packed_encodings, reason};

/// Keys between two looks at the clock.
const KEYS_PER_LOOK: u64 = 64;
/// Few keys take less of a file, with their value. Tables take as much for one at most.
const EXPECTED_BYTES_PER_KEY: u64 = 12;
/// More keys without a value than these are only counted.
const EMPTY_KEYS_LOGGED: u64 = 10;

/// How far a load is, as INFO shows it.
#[derive(Clone, Copy, Debug)]
pub struct LoadFigures {
    /// When it began, in seconds since the epoch.
    pub started_s: u64,
    /// Bytes of the file.
    pub total_bytes: u64,
    /// Bytes that were loaded.
    pub loaded_bytes: u64,
    /// Memory that the node used that wrote the file, if it says so.
    pub file_used_memory: u64,
}

/// Why a file was not loaded.
#[derive(Debug)]
pub enum LoadError {
    /// It cannot be read.
    Damage(Damage),
    /// It has keys of a database that this node does not have.
    Database {
        /// Databases that there are.
        databases: usize,
    },
    /// A function library cannot be loaded; why.
    Function(String),
    /// It has a key twice.
    Duplicate {
        /// The key.
        key: Vec<u8>,
        /// The database.
        db: usize,
    },
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LoadError::Damage(damage) => write!(f, "{damage}"),
            LoadError::Database { databases } => write!(
                f,
                "Data file was created with a Redis server configured to handle more than \
                 {databases} databases"
            ),
            LoadError::Function(words) => write!(f, "Failed creating the library: {words}"),
            LoadError::Duplicate { key, db } => {
                let key = String::from_utf8_lossy(&repr(&key[..key.len().min(128)])).into_owned();
                write!(f, "RDB has duplicated key {key} in DB {db}")
            }
        }
    }
}

impl std::error::Error for LoadError {}

/// Whether there is more to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loaded {
    /// Some.
    Part,
    /// Everything.
    All,
}

/// A file that is being loaded.
pub struct Loader<R> {
    reader: Reader<R>,
    db: usize,
    /// Keys that this file brought, expired ones included.
    keys: u64,
    /// Keys without a value.
    empty: u64,
    twins: Twins,
}

/// What becomes of a key of a file that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twins {
    /// The file is refused.
    Refused,
    /// It is replaced.
    Replaced,
}

impl<R: Read> Loader<R> {
    /// Begins to load a file of so many bytes.
    pub fn begin(
        core: &mut Core,
        file: R,
        total_bytes: u64,
        twins: Twins,
    ) -> Result<Self, LoadError> {
        let checks =
            core.config.rdbchecksum && core.debug.payload_checksum == dump::Checksum::Verified;
        let repeats = core.config.sanitize_dump_payload != SanitizeDumpPayload::Yes;
        let limits = value_limits::of_reading(core, usize::MAX, repeats);
        let reader = Reader::new(file, checks, limits).map_err(LoadError::Damage)?;
        core.keyspace.set_expire_mode(ExpireMode::Ignore);
        core.snapshots.loading = Some(LoadFigures {
            started_s: core.now.seconds(),
            total_bytes,
            loaded_bytes: 0,
            file_used_memory: 0,
        });
        (core.snapshots.load_keys_expired, core.snapshots.load_keys_loaded) = (0, 0);
        Ok(Loader { reader, db: 0, keys: 0, empty: 0, twins })
    }

    /// What a file's damage is in the words that Redis logs, with the place, if it lies in a value.
    pub fn describe(&self, error: &LoadError) -> Option<String> {
        let LoadError::Damage(Damage::Corrupt(corrupt)) = error else { return None };
        let position = self.reader.position();
        let words = reason(*corrupt, position.type_byte);
        Some(format!("Internal error in RDB reading offset {} -> {words}", position.offset))
    }

    /// Bytes of the file that were read.
    pub fn bytes_read(&self) -> u64 {
        self.reader.bytes_read()
    }

    /// Loads on, for a bounded time and about so many bytes; no bound at all if `whole`.
    pub fn slice(&mut self, core: &mut Core, whole: bool) -> Result<Loaded, LoadError> {
        let watch = Stopwatch::start();
        let end = self.bytes_read() + core.config.loading_process_events_interval_bytes;
        let outcome = loop {
            if self.item(core)? == Loaded::All {
                break Loaded::All;
            }
            let look = self.keys.is_multiple_of(KEYS_PER_LOOK) || core.config.key_load_delay != 0;
            let over = self.bytes_read() >= end || look && watch.elapsed_us() >= LOAD_SLICE_US;
            if over && !whole {
                break Loaded::Part;
            }
        };
        if let Some(figures) = &mut core.snapshots.loading {
            figures.loaded_bytes = self.reader.bytes_read();
        }
        Ok(outcome)
    }

    fn item(&mut self, core: &mut Core) -> Result<Loaded, LoadError> {
        match self.reader.next_item() {
            Ok(Item::Key(entry)) => {
                self.keys += 1;
                load_key(core, self.db, entry, self.twins)?;
                delay(core, self.keys);
            }
            Ok(Item::Database(db)) => {
                let databases = core.keyspace.databases();
                let db = usize::try_from(db).ok().filter(|&db| db < databases);
                self.db = db.ok_or(LoadError::Database { databases })?;
            }
            Ok(Item::Aux { name, value }) => note_fact(core, name, value),
            Ok(Item::Function(text)) => {
                let replace = self.twins == Twins::Replaced;
                core.scripts.load_library(text, replace).map_err(LoadError::Function)?;
            }
            Ok(Item::EmptyKey(key)) => {
                self.empty += 1;
                if self.empty <= EMPTY_KEYS_LOGGED {
                    let key = String::from_utf8_lossy(key);
                    log::info!("rdbLoadObject skipping empty key: {key}");
                }
            }
            Ok(Item::Hint { keys, expires }) => expect(core, self.db, keys, expires),
            // The reader refuses them.
            Ok(Item::ModuleAux { .. } | Item::ModuleKey(_)) => {}
            Ok(Item::End(checksum)) => {
                end(core, checksum, self.empty);
                return Ok(Loaded::All);
            }
            Err(damage) => {
                let failure = self.reader.take_failure();
                return Err(LoadError::Damage(failure.map_or(damage, Damage::Io)));
            }
        }
        Ok(Loaded::Part)
    }
}

impl Core {
    /// Whether a snapshot is being loaded.
    #[inline]
    pub fn is_loading(&self) -> bool {
        self.snapshots.loading.is_some()
    }

    /// Nothing is loaded any more.
    pub fn end_load(&mut self) {
        self.snapshots.loading = None;
        self.pause_changed();
    }
}

/// What a hint says is believed as far as the file can have so many keys.
fn expect(core: &mut Core, db: usize, keys: u64, expires: u64) {
    let file_bytes = core.snapshots.loading.map_or(0, |figures| figures.total_bytes);
    let keys = keys.min(file_bytes / EXPECTED_BYTES_PER_KEY);
    core.keyspace.expect_keys(db, keys as usize, expires.min(keys) as usize);
}

fn load_key(core: &mut Core, db: usize, entry: Entry<'_>, twins: Twins) -> Result<(), LoadError> {
    let now_ms = core.now.ms() as i64;
    if entry.expire_at.is_some_and(|at| at < now_ms) {
        core.snapshots.load_keys_expired += 1;
        return Ok(());
    }
    if core.config.sanitize_dump_payload == SanitizeDumpPayload::Yes {
        let looked_at = packed_encodings(&entry.value, entry.type_byte);
        core.stats.dump_payload_sanitizations += looked_at;
    }
    let key = core.keyspace.key(entry.key);
    if twins == Twins::Replaced {
        core.keyspace.remove(db, &key, Free::Now);
    }
    let lru = core.keyspace.lru_of(entry.idle_seconds, entry.frequency);
    if !core.keyspace.load(db, &key, entry.value, (entry.expire_at, lru)) {
        return Err(LoadError::Duplicate { key: entry.key.to_vec(), db });
    }
    core.snapshots.load_keys_loaded += 1;
    Ok(())
}

/// key-load-delay: a time for each key, or a microsecond for one of so many.
fn delay(core: &Core, keys: u64) {
    let us = core.config.key_load_delay;
    if us > 0 {
        clock::sleep(Duration::from_micros(us.unsigned_abs().into()));
    } else if us < 0 && keys.is_multiple_of(us.unsigned_abs().into()) {
        clock::sleep(Duration::from_micros(1));
    }
}

fn note_fact(core: &mut Core, name: &[u8], value: &[u8]) {
    let text = String::from_utf8_lossy(&value[..value.len().min(256)]);
    let number = || text.parse::<i64>().unwrap_or(0);
    if name.starts_with(b"%") {
        log::info!("RDB '{}': {text}", String::from_utf8_lossy(&name[..name.len().min(256)]));
        return;
    }
    match name.to_ascii_lowercase().as_slice() {
        b"redis-ver" => log::info!("Loading RDB produced by version {text}"),
        b"ctime" => {
            let age_s = (core.now.seconds() as i64).saturating_sub(number()).max(0);
            log::info!("RDB age {age_s} seconds");
        }
        b"used-mem" => {
            let bytes = number();
            log::info!("RDB memory usage when created {:.2} Mb", bytes as f64 / (1 << 20) as f64);
            if let Some(figures) = &mut core.snapshots.loading {
                figures.file_used_memory = u64::try_from(bytes).unwrap_or(0);
            }
        }
        b"aof-preamble" if number() != 0 => log::info!("RDB has an AOF tail"),
        b"aof-base" if number() != 0 => log::info!("RDB is base AOF"),
        _ => {}
    }
}

fn end(core: &mut Core, checksum: Checksum, empty: u64) {
    if checksum == Checksum::Disabled {
        log::info!("RDB file was saved with checksum disabled: no check performed.");
    }
    let snapshots = &core.snapshots;
    let skipped = if empty > 0 { format!(", empty keys skipped: {empty}") } else { String::new() };
    log::info!(
        "Done loading RDB, keys loaded: {}, keys expired: {}{skipped}.",
        snapshots.load_keys_loaded,
        snapshots.load_keys_expired
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::core::Now;
    use crate::core::info::Sections;

    const PLAIN: &[u8] = include_bytes!("../../tests/data/rdb/strings-7.2.rdb");
    const LFU: &[u8] = include_bytes!("../../tests/data/rdb/strings-7.2-lfu.rdb");
    const LRU: &[u8] = include_bytes!("../../tests/data/rdb/strings-7.2-lru.rdb");

    fn core(config: Config, now_ms: u64) -> Core {
        Core::new(config, Vec::new(), Now { unix_us: now_ms * 1000 })
    }

    fn load(core: &mut Core, file: &[u8]) -> Result<usize, LoadError> {
        let mut loader = Loader::begin(core, file, file.len() as u64, Twins::Refused)?;
        let mut slices = 1;
        while loader.slice(core, false)? == Loaded::Part {
            slices += 1;
            assert!(core.is_loading());
        }
        core.end_load();
        Ok(slices)
    }

    #[test]
    fn a_file_becomes_keys() {
        let mut core = core(Config::default(), 1_700_000_000_000);
        assert_eq!(load(&mut core, PLAIN).unwrap(), 1);
        assert_eq!((core.keyspace.dbsize(0), core.keyspace.dbsize(7)), (12, 1));
        assert_eq!(core.keyspace.expires_len(0), 1);
        assert_eq!(core.keyspace.dirty, 0);
        assert_eq!(core.snapshots.load_keys_loaded, 13);
        assert_eq!(core.scripts.figures().libraries, 1);
        let key = core.keyspace.key(b"expiring");
        let found = core.keyspace.peek(0, &key).and_then(|record| record.expire_at());
        assert_eq!(found, Some(4_102_444_800_000));
    }

    #[test]
    fn what_has_expired_is_left_out() {
        let mut core = core(Config::default(), 4_102_444_800_001);
        load(&mut core, PLAIN).unwrap();
        assert_eq!(core.keyspace.dbsize(0), 11);
        let snapshots = &core.snapshots;
        assert_eq!((snapshots.load_keys_loaded, snapshots.load_keys_expired), (12, 1));
    }

    #[test]
    fn accesses_are_taken_over_where_they_mean_something() {
        let lfu = Config::default().set("maxmemory-policy", "allkeys-lfu").unwrap();
        let mut counting = core(lfu, 1_700_000_000_000);
        load(&mut counting, LFU).unwrap();
        let frequency = |core: &Core, key: &[u8]| {
            let key = core.keyspace.key(key);
            core.keyspace.peek(0, &key).map(|record| core.keyspace.frequency(record))
        };
        assert!(frequency(&counting, b"plain") > Some(5));
        assert_eq!(frequency(&counting, b"empty"), Some(5));
        let mut timing = core(Config::default(), 1_700_000_000_000);
        load(&mut timing, LRU).unwrap();
        let key = timing.keyspace.key(b"plain");
        let record = timing.keyspace.peek(0, &key).unwrap();
        assert!(timing.keyspace.idle_ms(record) < 60_000);
    }

    #[test]
    fn slices_end_after_so_many_bytes() {
        let mut file = b"REDIS0004".to_vec();
        for number in 10..90 {
            file.extend_from_slice(format!("\0\x02{number}\x28{number:040}").as_bytes());
        }
        file.push(0xff);
        let config = Config::default().set("loading-process-events-interval-bytes", "1024");
        let mut core = core(config.unwrap(), 1_700_000_000_000);
        let slices = load(&mut core, &file).unwrap();
        assert!((3..=4).contains(&slices), "{slices}");
        assert_eq!(core.keyspace.dbsize(0), 80);
        let (bytes, twins) = (file.len() as u64, Twins::Refused);
        let mut loader = Loader::begin(&mut core, &file[..], bytes, twins).unwrap();
        core.keyspace.flush(None, Free::Now);
        loader.slice(&mut core, false).unwrap();
        let info = core.info(Sections::PERSISTENCE, None);
        assert!(info.contains("loading:1\r\n"), "{info}");
        assert!(info.contains(&format!("loading_total_bytes:{}\r\n", file.len())), "{info}");
        assert!(info.contains("loading_eta_seconds:1\r\n"), "{info}");
        assert_eq!(loader.slice(&mut core, true).unwrap(), Loaded::All);
    }

    #[test]
    fn files_that_do_not_fit_are_refused() {
        let words = |config: &str, file: &[u8]| {
            let config = Config::default().set("databases", config).unwrap();
            let mut core = core(config, 1_700_000_000_000);
            load(&mut core, file).expect_err("refused").to_string()
        };
        let many = "Data file was created with a Redis server configured to handle more than 7 \
                    databases";
        assert_eq!(words("7", PLAIN), many);
        let twice = b"REDIS0004\0\x01k\x01v\0\x01k\x01w\xff";
        assert_eq!(words("16", twice), "RDB has duplicated key \"k\" in DB 0");
        assert_eq!(words("16", b"REDIS0004\0\x01k\x01"), "Unexpected EOF reading RDB file");
        // Keys of one name in two databases are two keys.
        let mut core = core(Config::default(), 1_700_000_000_000);
        load(&mut core, b"REDIS0004\0\x01k\x01v\xfe\x01\0\x01k\x01w\xff").unwrap();
        // So is a key that is to be replaced.
        let mut loader = Loader::begin(&mut core, &twice[..], 0, Twins::Replaced).unwrap();
        assert_eq!(loader.slice(&mut core, true).unwrap(), Loaded::All);
        assert_eq!(core.keyspace.dbsize(0), 1);
    }
}
