//! Snapshots as files: written under another name, brought to the disk, then put in the place of
//! the last one, so that at every moment there is a whole one. Runs in the node or in a child, so
//! it logs nothing while it saves, and says by number what went wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rustix::fs::Advice;

use super::child::{Report, Reporter};
use crate::base::clock::{self, Stopwatch};
use crate::base::limits::{RDB_SYNC_BYTES, RDB_SYNC_PIECES};
use crate::config::{Config, strerror};
use crate::core::Core;
use crate::persistence::rdb::writer::{FileOptions, write_file};

/// Keys between two looks at the clock.
const KEYS_PER_LOOK: u64 = 1024;
/// A child reports once in so many microseconds.
const REPORT_US: u64 = 1_000_000;

/// What was being done when a save failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Making the temporary file.
    Open,
    /// Writing into it.
    Write,
    /// Waiting until it is on the disk.
    Sync,
    /// Putting it in its place.
    Rename,
    /// Waiting until its new name is on the disk.
    SyncDirectory,
    /// Telling the parent.
    Report,
}

impl Stage {
    const ALL: [Stage; 6] = [
        Stage::Open,
        Stage::Write,
        Stage::Sync,
        Stage::Rename,
        Stage::SyncDirectory,
        Stage::Report,
    ];
}

/// Why a snapshot was not saved.
#[derive(Debug)]
pub struct SaveError {
    stage: Stage,
    error: io::Error,
}

impl SaveError {
    fn at(stage: Stage) -> impl FnOnce(io::Error) -> SaveError {
        move |error| SaveError { stage, error }
    }

    /// As a child tells it.
    pub fn report(&self) -> Report {
        let errno = self.error.raw_os_error().unwrap_or(0);
        Report::Failed { stage: self.stage as u64, errno: u64::try_from(errno).unwrap_or(0) }
    }

    /// From what a child told.
    pub fn from_report(stage: u64, errno: u64) -> SaveError {
        let stage = Stage::ALL.into_iter().find(|known| *known as u64 == stage);
        let error = match i32::try_from(errno) {
            Ok(errno) if errno != 0 => io::Error::from_raw_os_error(errno),
            _ => io::Error::other("unknown error"),
        };
        SaveError { stage: stage.unwrap_or(Stage::Write), error }
    }

    /// Says in the log what happened.
    pub fn log(&self, places: &Places) {
        let words = strerror(&self.error);
        let (temporary, target) = (places.temporary.display(), places.target.display());
        match self.stage {
            Stage::Open => {
                log::warn!("Failed opening the temp RDB file {temporary} for saving: {words}");
            }
            Stage::Write | Stage::Sync => {
                log::warn!("Write error while saving DB to the disk({:?}): {words}", self.stage);
            }
            Stage::Rename => log::warn!(
                "Error moving temp DB file {temporary} on the final destination {target}: {words}"
            ),
            Stage::SyncDirectory => {
                log::warn!("Failed to fsync directory while saving DB: {words}");
            }
            Stage::Report => log::warn!("The saving child lost its parent: {words}"),
        }
    }
}

/// Where a snapshot is written, and where it ends up.
#[derive(Clone, Debug)]
pub struct Places {
    /// Until it is whole.
    pub temporary: PathBuf,
    /// Then.
    pub target: PathBuf,
}

impl Places {
    /// As the configuration says, for the process of this number.
    pub fn of(config: &Config, process: i32) -> Places {
        Places {
            temporary: config.path(format!("temp-{process}.rdb").as_bytes()),
            target: config.path(&config.dbfilename),
        }
    }

    /// Takes away what a save left that did not end.
    pub fn clean(&self) {
        // There may be nothing.
        let _ = fs::remove_file(&self.temporary);
    }

    fn directory(&self) -> &Path {
        self.target.parent().unwrap_or(Path::new("/"))
    }
}

/// Saves in the node itself, unless `stop` is set before the last key.
pub fn save(
    core: &Core,
    used_memory: usize,
    stop: Option<&AtomicBool>,
) -> Result<(), (SaveError, Places)> {
    let places = Places::of(&core.config, std::process::id() as i32);
    let mut pace = Pace { stop, ..Pace::new(&core.config, None) };
    let options = core.snapshot_options(used_memory);
    save_to(&places, core, &options, &mut pace).map_err(|error| (error, places))
}

/// Saves in a child; the code that it exits with.
pub fn save_in_child(core: &Core, used_memory: usize, reporter: &mut Reporter) -> i32 {
    let places = Places::of(&core.config, std::process::id() as i32);
    let mut pace = Pace::new(&core.config, Some(reporter));
    let options = core.snapshot_options(used_memory);
    match save_to(&places, core, &options, &mut pace) {
        Ok(()) => 0,
        Err(error) => {
            // Without a parent there is nobody to tell.
            let _ = reporter.tell(error.report());
            1
        }
    }
}

fn save_to(
    places: &Places,
    core: &Core,
    options: &FileOptions<'_>,
    pace: &mut Pace<'_>,
) -> Result<(), SaveError> {
    let saved = write_temporary(places, core, options, pace)
        .and_then(|()| pace.report().map_err(SaveError::at(Stage::Report)))
        .and_then(|()| {
            fs::rename(&places.temporary, &places.target).map_err(SaveError::at(Stage::Rename))
        });
    if saved.is_err() {
        places.clean();
        return saved;
    }
    let directory = File::open(places.directory()).and_then(|directory| directory.sync_all());
    directory.map_err(SaveError::at(Stage::SyncDirectory))
}

fn write_temporary(
    places: &Places,
    core: &Core,
    options: &FileOptions<'_>,
    pace: &mut Pace<'_>,
) -> Result<(), SaveError> {
    let mut open = OpenOptions::new();
    let opened = open.write(true).create(true).truncate(true).open(&places.temporary);
    let mut file = Paced {
        file: opened.map_err(SaveError::at(Stage::Open))?,
        written: 0,
        begun: 0,
        incremental: core.config.rdb_save_incremental_fsync,
    };
    write_file(&mut file, &core.keyspace, options, &mut || pace.after_key())
        .map_err(SaveError::at(Stage::Write))?;
    file.file.sync_all().map_err(SaveError::at(Stage::Sync))
}

/// A file that is brought to the disk bit by bit, so that the end has not to wait for all of it.
struct Paced {
    file: File,
    written: u64,
    /// Bytes of which the disk has begun to take the last.
    begun: u64,
    incremental: bool,
}

impl Paced {
    /// Has the disk take what was written since the last time, and waits only now and then. Pages
    /// that the disk has are not kept: nobody reads them soon.
    fn pace(&mut self) -> io::Result<()> {
        let length = NonZeroU64::new(self.written - self.begun);
        // Where it is not to be had, the disk is waited for a little longer.
        let _ = rustix::fs::fadvise(&self.file, self.begun, length, Advice::DontNeed);
        let pieces = |bytes: u64| bytes / (RDB_SYNC_PIECES * RDB_SYNC_BYTES);
        let wait = pieces(self.written) > pieces(self.begun);
        self.begun = self.written;
        if wait { self.file.sync_data() } else { Ok(()) }
    }
}

impl Write for Paced {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.written += count as u64;
        if self.incremental && self.written - self.begun >= RDB_SYNC_BYTES {
            self.pace()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// What happens between keys: delays that tests ask for, and reports to the parent.
struct Pace<'a> {
    /// Somebody insists that the process ends.
    stop: Option<&'a AtomicBool>,
    keys: u64,
    delay_us: i32,
    reporter: Option<&'a mut Reporter>,
    watch: Stopwatch,
    reported_us: u64,
}

impl<'a> Pace<'a> {
    fn new(config: &Config, reporter: Option<&'a mut Reporter>) -> Self {
        let delay_us = config.rdb_key_save_delay;
        Pace { stop: None, keys: 0, delay_us, reporter, watch: Stopwatch::start(), reported_us: 0 }
    }

    fn after_key(&mut self) -> io::Result<()> {
        self.keys += 1;
        self.delay();
        if self.stop.is_some_and(|stop| stop.load(Ordering::Relaxed)) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.reporter.is_none()
            || !(self.keys.is_multiple_of(KEYS_PER_LOOK) || self.delay_us > 0)
        {
            return Ok(());
        }
        let now_us = self.watch.elapsed_us();
        if now_us - self.reported_us < REPORT_US {
            return Ok(());
        }
        self.reported_us = now_us;
        self.report()
    }

    /// rdb-key-save-delay: a time for each key, or a microsecond for one of so many.
    fn delay(&self) {
        let us = u64::from(self.delay_us.unsigned_abs());
        if self.delay_us > 0 {
            clock::sleep(Duration::from_micros(us));
        } else if self.delay_us < 0 && self.keys.is_multiple_of(us) {
            clock::sleep(Duration::from_micros(1));
        }
    }

    /// A parent that is gone ends the save: a successor may have written newer keys.
    fn report(&mut self) -> io::Result<()> {
        let keys = self.keys;
        match &mut self.reporter {
            Some(reporter) => reporter.tell(Report::Progress { keys, cow_bytes: private_bytes() }),
            None => Ok(()),
        }
    }
}

/// Memory of this process that it shares with no other and has written to.
fn private_bytes() -> u64 {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = smaps.lines().find_map(|line| line.strip_prefix("Private_Dirty:"));
    let kilobytes = line.and_then(|rest| rest.split_ascii_whitespace().next());
    kilobytes.and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 1024
}
