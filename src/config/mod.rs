//! The configuration: one typed field per directive, one table that says everything about each.
//! Owns reading of files and options, CONFIG GET, SET and REWRITE as pure functions of it. It never
//! acts on a change: it names what must act ([`Apply`]) and leaves that to the node.

mod change;
mod checks;
mod choices;
mod directive;
mod directives;
mod load;
mod options;
mod rewrite;
mod setting;
mod special;
mod startup;
mod title;
pub mod version;

pub use change::{Caller, Change, Reaction, SetError};
pub use choices::{
    AclPubsubDefault, AppendFsync, Choice, ClusterEndpointType, LogLevel, MaxmemoryPolicy,
    OomScoreAdj, PropagationErrorBehavior, ProtectedAction, ReplDisklessLoad, SanitizeDumpPayload,
    ShutdownFlags, Supervised, SyslogFacility, TlsAuthClients,
};
pub use directive::{Apply, Directive, Flags};
pub use directives::{Config, DIRECTIVES};
pub use load::{LoadError, Note, Sources};
pub use options::absolute_path;
pub use rewrite::{debug_lines, overwrite_file, rewrite};
pub use special::{
    BindAddresses, OomScoreAdjValues, OutputClass, OutputLimit, OutputLimits, Percentiles,
    ReplicaOf, SavePoint,
};
pub use startup::{Line, RenameCommand, Startup, UserLine};
pub use title::process_title;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use directive::Source;

/// Slowest and fastest that cron may run (Redis: CONFIG_MIN_HZ, CONFIG_MAX_HZ).
const HZ_RANGE: (u32, u32) = (1, 500);
/// Who sets one of these means a node that keeps its keys.
const SNAPSHOT_DIRECTIVES: [&str; 3] = ["dir", "dbfilename", "save"];

/// A directive found under one of its names.
#[derive(Clone, Copy)]
pub struct Found {
    /// The row of the table.
    pub directive: &'static Directive,
    /// The name it was found under: its own or the older one.
    pub name: &'static str,
}

/// The directive of a name, case ignored.
pub fn lookup(name: &[u8]) -> Option<Found> {
    let matches = |known: &&'static str| known.as_bytes().eq_ignore_ascii_case(name);
    DIRECTIVES.iter().find_map(|directive| {
        let name = Some(directive.name).filter(matches).or(directive.alias.filter(matches))?;
        Some(Found { directive, name })
    })
}

impl Config {
    /// Listens on this TCP port; 0 takes any free one. (The directive `port 0` listens on none.)
    pub fn port(mut self, port: u16) -> Self {
        self.port = port;
        self.startup.any_port = port == 0;
        self
    }

    /// Listens on these addresses.
    pub fn bind<A: AsRef<str>>(mut self, addresses: impl IntoIterator<Item = A>) -> Self {
        let addresses = addresses.into_iter().map(|a| a.as_ref().as_bytes().to_vec());
        self.bind = BindAddresses(addresses.collect());
        self
    }

    /// Is a node of a cluster, which keeps its nodes.conf and its snapshots in this directory.
    pub fn cluster(mut self, dir: impl AsRef<Path>) -> Result<Self, SetError> {
        self.cluster_enabled = true;
        self.dir(dir)
    }

    /// Keeps files of relative names in this directory, which must exist; snapshots, too, as the
    /// directive `save` says.
    pub fn dir(self, dir: impl AsRef<Path>) -> Result<Self, SetError> {
        self.set("dir", dir.as_ref().as_os_str().as_bytes())
    }

    /// Sets any directive, immutable ones included, as a line of a file would.
    pub fn set(mut self, name: &str, value: impl AsRef<[u8]>) -> Result<Self, SetError> {
        self.set_before_start(name.as_bytes(), value.as_ref())?;
        Ok(self)
    }

    fn set_before_start(&mut self, name: &[u8], value: &[u8]) -> Result<(), SetError> {
        let found = lookup(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
        let split = change::words(found.directive, value);
        let args: Vec<&[u8]> = split.iter().map(Vec::as_slice).collect();
        found
            .directive
            .set(self, &args, Source::Set)
            .map_err(|words| SetError::refused(found.name, words))?;
        self.startup.keeps_snapshots |= SNAPSHOT_DIRECTIVES.contains(&found.directive.name);
        self.normalize();
        Ok(())
    }

    /// The path of a file that a directive names: relative ones live in `dir`.
    pub fn path(&self, name: &[u8]) -> PathBuf {
        self.dir.join(OsStr::from_bytes(name))
    }

    /// Values that are taken and then brought into their range, as Redis does.
    fn normalize(&mut self) {
        self.hz = self.hz.clamp(HZ_RANGE.0, HZ_RANGE.1);
    }
}

/// What the operating system says about an error, without the number that Rust adds.
pub(crate) fn strerror(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.rfind(" (os error ") {
        Some(end) if error.raw_os_error().is_some() => text[..end].to_owned(),
        _ => text,
    }
}
