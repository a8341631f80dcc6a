//! The load at the start: the snapshot is opened before anything is served, and loaded in slices
//! between which clients are told `LOADING`. A file that is damaged ends the node and stays as it
//! is.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::Node;
use crate::base::clock::Stopwatch;
use crate::cluster::Env;
use crate::config::strerror;
use crate::core::ClientId;
use crate::core::effects::Reload;
use crate::core::loading::{LoadError, Loaded, Loader, Twins};
use crate::keyspace::Free;
use crate::persistence::check_rdb;
use crate::resp::Error;

/// A load that is under way.
pub struct Loading {
    loader: Loader<File>,
    path: PathBuf,
    watch: Stopwatch,
}

impl Node {
    /// Opens the snapshot, if there is one, and loads the first slice, which is all of a small one.
    pub(super) fn begin_load(&mut self) -> io::Result<()> {
        let config = &self.core.config;
        let path = config.path(&config.dbfilename);
        let opened = match config.startup.keeps_snapshots {
            true => File::open(&path),
            false => Err(ErrorKind::NotFound.into()),
        };
        let file = match opened {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.loaded();
                return Ok(());
            }
            Err(error) => {
                let (shown, words) = (path.display(), strerror(&error));
                log::warn!("Fatal error: can't open the RDB file {shown} for reading: {words}");
                return Err(fatal(&path, error.kind(), &words));
            }
        };
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let loader = Loader::begin(&mut self.core, file, bytes, Twins::Refused);
        let loader = loader.map_err(|error| refused(&path, 0, &error))?;
        self.loading = Some(Box::new(Loading { loader, path, watch: Stopwatch::start() }));
        self.load_on()
    }

    /// Loads a slice, if there is something left to load.
    pub(super) fn load_on(&mut self) -> io::Result<()> {
        let Some(mut loading) = self.loading.take() else { return Ok(()) };
        match loading.loader.slice(&mut self.core, false) {
            Ok(Loaded::Part) => self.loading = Some(loading),
            Ok(Loaded::All) => {
                let seconds = loading.watch.elapsed_us() as f64 / 1e6;
                log::info!("DB loaded from disk: {seconds:.3} seconds");
                self.core.end_load();
                self.loaded();
            }
            Err(error) => {
                if let Some(words) = loading.loader.describe(&error) {
                    log::warn!("{words}");
                    log_check(&loading.path, self.core.now.ms());
                }
                return Err(refused(&loading.path, loading.loader.bytes_read(), &error));
            }
        }
        Ok(())
    }

    /// DEBUG RELOAD: everything goes to the disk and comes back, while nobody is served.
    pub(super) fn reload(&mut self, client: Option<ClientId>, how: Reload) {
        let outcome = match how.nosave || self.save() {
            true => self.load_again(how).map_err(|error| {
                log::warn!("{error}");
                self.core.end_load();
                Error::err("Error trying to load the RDB dump, check server logs.")
            }),
            false => Err(Error::Custom("ERR".into())),
        };
        self.answer(client, outcome);
    }

    fn load_again(&mut self, how: Reload) -> io::Result<()> {
        if !how.noflush {
            self.core.keyspace.flush(None, Free::Now);
            self.core.scripts.flush_libraries();
        }
        let path = self.core.config.path(&self.core.config.dbfilename);
        let file = File::open(&path)?;
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        let twins = if how.merge { Twins::Replaced } else { Twins::Refused };
        let loaded = Loader::begin(&mut self.core, file, bytes, twins)
            .and_then(|mut loader| loader.slice(&mut self.core, true));
        loaded.map_err(|error| refused(&path, bytes, &error))?;
        self.core.end_load();
        log::info!("DB reloaded by DEBUG RELOAD");
        Ok(())
    }

    /// All keys are there: the cluster is told which slots they are in, and clients may come.
    fn loaded(&mut self) {
        let env = Env { now_ms: self.core.now.ms(), keys: &self.core.keyspace };
        if let Some(cluster) = &mut self.core.cluster {
            cluster.account_for_keys(env);
        }
        self.announce_ready();
    }
}

/// What `redis-check-rdb` says of a file that cannot be loaded.
fn log_check(path: &Path, now_ms: u64) {
    let mut report = Vec::new();
    let name = path.display().to_string();
    // A failure is in the report.
    let _ = check_rdb::check(&name, File::open(path), now_ms as i64, &mut report);
    for line in report.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        log::warn!("{}", String::from_utf8_lossy(line));
    }
    log::warn!("Terminating server after rdb file reading failure.");
}

/// The words with which a damaged file ends the node.
fn refused(path: &Path, at: u64, error: &LoadError) -> io::Error {
    log::warn!("{error}");
    fatal(path, ErrorKind::InvalidData, &format!("{error} (at byte {at})"))
}

fn fatal(path: &Path, kind: ErrorKind, why: &str) -> io::Error {
    let path = path.display();
    io::Error::new(kind, format!("Fatal error loading the DB from {path}: {why}. Exiting."))
}
