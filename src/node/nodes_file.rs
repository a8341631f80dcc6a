//! The file of nodes.conf: locked while the node runs, replaced as a whole. What is in it means
//! nothing here. Called at the start and by the bus; never ends the process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::base::limits::NODES_CONF_BYTES_MAX;
use crate::config::strerror;

/// Times that the file may be replaced by another node between opening and locking it, until that
/// counts as a failure.
const LOCK_ATTEMPTS: usize = 100;

/// The cluster's file of this node.
///
/// The file at `path` is locked from the start to the end. Whoever replaces it locks the new one
/// first, so that no moment is without lock; whoever got hold of the old one notices that it is
/// not at `path` any more.
#[derive(Debug)]
pub struct NodesFile {
    path: PathBuf,
    locked: File,
}

impl Drop for NodesFile {
    fn drop(&mut self) {
        // A child that was just forked holds the same lock until it has closed its copy of the
        // file. If this fails, it is gone when that is.
        let _ = self.locked.unlock();
    }
}

impl NodesFile {
    /// Opens and locks the file, makes an empty one if there is none, and tells what it says.
    pub fn open(path: PathBuf) -> io::Result<(NodesFile, Vec<u8>)> {
        let locked = lock(&path)?;
        let mut text = Vec::new();
        let failed = |error: io::Error| {
            let path = path.display();
            let words = strerror(&error);
            io::Error::new(
                error.kind(),
                format!("Loading the cluster node config from {path}: {words}"),
            )
        };
        let limit = NODES_CONF_BYTES_MAX as u64;
        (&locked).take(limit + 1).read_to_end(&mut text).map_err(failed)?;
        if text.len() as u64 > limit {
            let words = format!("it is longer than {limit} bytes");
            return Err(failed(io::Error::new(io::ErrorKind::FileTooLarge, words)));
        }
        Ok((NodesFile { path, locked }, text))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Replaces the file. When this fails, the old one is there as it was, or, if only the
    /// directory could not be synced, the new one.
    ///
    /// The new text is on disk before it takes the old one's place, so that whichever of the two
    /// the disk has after a crash is whole. With `durable` it is the new one.
    pub fn save(&mut self, text: &str, durable: bool) -> io::Result<()> {
        let new = self.beside();
        let written = write_locked(&new, text).and_then(|file| {
            fs::rename(&new, &self.path)
                .inspect_err(|e| complain("Could not rename tmp cluster config file", e))?;
            Ok(file)
        });
        match written {
            Ok(file) => {
                let old = std::mem::replace(&mut self.locked, file);
                // As in `drop`: a child may hold it.
                let _ = old.unlock();
            }
            Err(error) => {
                // It may never have come into being.
                let _ = fs::remove_file(&new);
                return Err(error);
            }
        }
        if durable {
            sync_directory(self.directory())
                .inspect_err(|e| complain("Could not sync cluster config file dir", e))?;
        }
        Ok(())
    }

    /// The new file while it is written. Only who holds the lock writes there.
    fn beside(&self) -> PathBuf {
        let mut name = OsString::from(&self.path);
        name.push(".tmp");
        name.into()
    }

    fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("/"))
    }

    /// Goes on at another place, where no other node than this one, whose id is `mine`, may have
    /// left anything.
    pub fn relocate(&mut self, path: PathBuf, mine: &str) -> io::Result<()> {
        if path == self.path {
            return Ok(());
        }
        let (new, text) = NodesFile::open(path)?;
        let is_mine = |line: &[u8]| {
            line.starts_with(mine.as_bytes()) && memchr::memmem::find(line, b" myself,").is_some()
        };
        if !text.is_empty() && !text.split(|&b| b == b'\n').any(is_mine) {
            let words = format!("{} belongs to another cluster node", new.path.display());
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
        }
        *self = new;
        Ok(())
    }
}

fn explain(words: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{words}: {}", strerror(&error)))
}

/// Says loudly why the file could not be written.
fn complain(words: &str, error: &io::Error) {
    log::warn!("{words}: {}", strerror(error));
}

/// A new file, locked and on disk before its name becomes that of the old one.
fn write_locked(path: &Path, text: &str) -> io::Result<File> {
    let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o644).open(path);
    let mut file =
        opened.inspect_err(|e| complain("Could not open temp cluster config file", e))?;
    file.try_lock()
        .map_err(io::Error::from)
        .inspect_err(|e| complain("Could not lock tmp cluster config file", e))?;
    file.write_all(text.as_bytes())
        .inspect_err(|e| complain("Failed writing to tmp cluster config file", e))?;
    file.sync_data().inspect_err(|e| complain("Could not sync tmp cluster config file", e))?;
    Ok(file)
}

fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Opens the file and locks it (Redis: clusterLockConfig).
fn lock(path: &Path) -> io::Result<File> {
    let shown = path.display();
    for _ in 0..LOCK_ATTEMPTS {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o644);
        let file = options.open(path).map_err(|e| {
            let words = strerror(&e);
            io::Error::new(
                e.kind(),
                format!("Can't open {shown} in order to acquire a lock: {words}"),
            )
        })?;
        match file.try_lock() {
            Ok(()) if is_at(&file, path) => return Ok(file),
            // Replaced since it was opened: the lock is on a file that nobody sees.
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => break,
            Err(TryLockError::Error(e)) => {
                return Err(explain(&format!("Impossible to lock {shown}"), e));
            }
        }
    }
    Err(io::Error::new(
        io::ErrorKind::WouldBlock,
        format!(
            "Sorry, the cluster configuration file {shown} is already used by a different Redis \
             Cluster node. Please make sure that different nodes use different cluster \
             configuration files."
        ),
    ))
}

fn is_at(file: &File, path: &Path) -> bool {
    match (file.metadata(), fs::metadata(path)) {
        (Ok(opened), Ok(there)) => (opened.dev(), opened.ino()) == (there.dev(), there.ino()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(directory: &Path) -> io::Result<(NodesFile, Vec<u8>)> {
        NodesFile::open(directory.join("nodes.conf"))
    }

    #[test]
    fn a_new_file_is_empty_and_locked() {
        let directory = tempfile::tempdir().unwrap();
        let (file, text) = open(directory.path()).unwrap();
        assert!(text.is_empty());
        let refused = open(directory.path()).unwrap_err();
        assert!(refused.to_string().starts_with("Sorry, the cluster configuration file "));
        assert!(refused.to_string().contains("is already used by a different Redis Cluster node."));
        drop(file);
        open(directory.path()).unwrap();
    }

    #[test]
    fn the_lock_survives_replacement() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, _) = open(directory.path()).unwrap();
        // Who opened the file before it was replaced must not come to own it.
        let before = File::open(file.path()).unwrap();
        for durable in [true, false] {
            file.save("one\n", durable).unwrap();
            assert!(open(directory.path()).is_err());
        }
        before.try_lock().unwrap();
        assert!(!is_at(&before, file.path()));
        drop(file);
        assert_eq!(open(directory.path()).unwrap().1, b"one\n");
    }

    #[test]
    fn a_failed_save_leaves_the_old_file() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, _) = open(directory.path()).unwrap();
        file.save("old\n", true).unwrap();
        fs::create_dir(directory.path().join("nodes.conf.tmp")).unwrap();
        assert!(file.save("new\n", true).is_err());
        assert_eq!(fs::read(file.path()).unwrap(), b"old\n");
        fs::remove_dir(directory.path().join("nodes.conf.tmp")).unwrap();
        file.save("new\n", true).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), b"new\n");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_directory_that_was_removed_can_come_back() {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        fs::create_dir(&inside).unwrap();
        let (mut file, _) = open(&inside).unwrap();
        fs::remove_dir_all(&inside).unwrap();
        assert!(file.save("lost\n", true).is_err());
        fs::create_dir(&inside).unwrap();
        file.save("kept\n", true).unwrap();
        assert_eq!(fs::read(file.path()).unwrap(), b"kept\n");
        assert!(open(&inside).is_err());
    }

    #[test]
    fn it_moves_only_to_where_nobody_was() {
        let directory = tempfile::tempdir().unwrap();
        let (mut file, _) = open(directory.path()).unwrap();
        let other = directory.path().join("other.conf");
        fs::write(&other, "somebody\n").unwrap();
        assert!(file.relocate(other.clone(), "id").is_err());
        assert_eq!(fs::read(&other).unwrap(), b"somebody\n");
        let first = file.path().to_path_buf();
        file.save("id address myself,master\n", true).unwrap();
        file.relocate(directory.path().join("third.conf"), "id").unwrap();
        let (second, _) = open(directory.path()).unwrap();
        assert!(file.relocate(first.clone(), "id").is_err());
        drop(second);
        assert!(file.relocate(first.clone(), "di").is_err());
        file.relocate(first, "id").unwrap();
    }
}
