//! Which keys have changed since this was last asked, for clients that keep copies of them
//! (`core::tracking`). Effects report every change here; while nobody tracks that is one
//! comparison, and nothing is kept. Databases are not told apart.

use super::Keyspace;

/// Who changed a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The command that runs.
    Command,
    /// The server itself: expiry, eviction, a slot that has moved away.
    Server,
}

/// Keys that have changed, in order, once for each change; and whether all keys of a database are
/// gone.
#[derive(Debug, Default)]
pub struct ModifiedKeys {
    /// The keys, one behind the other.
    bytes: Vec<u8>,
    /// Where each ends, and who changed it.
    ends: Vec<(usize, Cause)>,
    flushed: bool,
}

/// Room for keys that is kept from command to command.
const KEPT_BYTES: usize = 16 * 1024;

impl ModifiedKeys {
    /// The keys.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], Cause)> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|(end, _)| *end));
        starts.zip(&self.ends).map(|(start, &(end, cause))| (&self.bytes[start..end], cause))
    }

    /// Whether a database was emptied.
    pub fn flushed(&self) -> bool {
        self.flushed
    }

    fn clear(&mut self) {
        self.flushed = false;
        self.bytes.clear();
        self.ends.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.shrink_to(KEPT_BYTES / size_of::<(usize, Cause)>());
    }
}

/// The note of the keyspace's effects.
#[derive(Debug, Default)]
pub(super) struct Modified {
    enabled: bool,
    keys: ModifiedKeys,
}

impl Modified {
    #[inline]
    pub(super) fn is_enabled(&self) -> bool {
        self.enabled
    }

    #[inline]
    pub(super) fn note(&mut self, key: &[u8], cause: Cause) {
        if self.enabled {
            self.push(key, cause);
        }
    }

    #[cold]
    fn push(&mut self, key: &[u8], cause: Cause) {
        let ModifiedKeys { bytes, ends, .. } = &mut self.keys;
        bytes.extend_from_slice(key);
        ends.push((bytes.len(), cause));
    }

    pub(super) fn note_flush(&mut self) {
        self.keys.flushed |= self.enabled;
    }
}

impl Keyspace {
    /// Whether somebody wants to know which keys change.
    pub fn set_noting_modified(&mut self, enabled: bool) {
        self.effects.modified = Modified { enabled, ..Modified::default() };
    }

    /// Whether keys have changed that nobody has been told of.
    #[inline]
    pub fn has_modified(&self) -> bool {
        let keys = &self.effects.modified.keys;
        !keys.ends.is_empty() || keys.flushed
    }

    /// Takes the keys that have changed. [`Keyspace::return_modified`] comes next.
    pub fn take_modified(&mut self) -> ModifiedKeys {
        std::mem::take(&mut self.effects.modified.keys)
    }

    /// Gives back what has been taken, whose room is used again.
    pub fn return_modified(&mut self, mut taken: ModifiedKeys) {
        taken.clear();
        self.effects.modified.keys = taken;
    }
}
