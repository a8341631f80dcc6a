//! What a directive is: its names, flags, and who must act when it changes. The table itself is in
//! `directives`; loading, CONFIG GET, SET and REWRITE all read that one table through this type.

use super::Config;
use super::setting::{Before, Rewrite, Setting, Words};

bitflags::bitflags! {
    /// How a directive may be used.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u8 {
        /// Only files and the command line may set it.
        const IMMUTABLE = 1;
        /// Its value is kept out of logs.
        const SENSITIVE = 1 << 1;
        /// Part of crash reports.
        const DEBUG = 1 << 2;
        /// CONFIG GET shows it only under its exact name.
        const HIDDEN = 1 << 3;
        /// enable-protected-configs decides who may set it.
        const PROTECTED = 1 << 4;
        /// It takes several words.
        const MULTI_ARG = 1 << 5;
        /// CONFIG SET is refused while a snapshot is loaded.
        const DENY_LOADING = 1 << 6;
        /// Setting the same value again is a change: it names a file that may differ.
        const VOLATILE = 1 << 7;
    }
}

/// What must act when a directive was changed by CONFIG SET. Directives without one are read where
/// they are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Apply {
    /// Listen on another TCP port.
    Port,
    /// Listen on other addresses.
    Bind,
    /// Listen for TLS on another port.
    TlsPort,
    /// Read certificates and TLS options again.
    Tls,
    /// Check that so many descriptors can be had.
    MaxClients,
    /// Call cron at another rate.
    Hz,
    /// Log from another level on.
    LogLevel,
    /// Files of relative names live elsewhere.
    Dir,
    /// Evict down to the new limit.
    MaxMemory,
    /// Account the memory of clients, or stop to.
    MaxMemoryClients,
    /// Count the replicas that are good enough again.
    GoodReplicas,
    /// Start or stop the watchdog.
    WatchdogPeriod,
    /// Start or stop the append only file.
    AppendOnly,
    /// Finish pending fsyncs.
    AppendFsync,
    /// Delete old append only files.
    AofAutoGc,
    /// Install or remove the crash handlers.
    CrashLog,
    /// Tell the kernel the new scores.
    OomScoreAdj,
    /// Change the default user's password.
    RequirePass,
    /// Resize the backlog.
    ReplBacklogSize,
    /// Show another process title.
    ProcTitle,
    /// Compare strings by another locale.
    LocaleCollate,
    /// Start or stop the allocator's thread.
    JemallocBgThread,
    /// Update this node's cluster flags.
    ClusterFlags,
    /// Announce other ports to the cluster.
    ClusterPorts,
    /// Announce another address to the cluster.
    ClusterIp,
    /// Announce another host name to the cluster.
    ClusterHostname,
    /// Announce another human readable name to the cluster.
    ClusterNodename,
}

impl Apply {
    /// What CONFIG SET answers when it could not be done. Those that have no words of their own
    /// cannot fail.
    pub fn failure(self) -> &'static str {
        match self {
            Apply::Port => "Unable to listen on this port. Check server logs.",
            Apply::Bind => "Failed to bind to specified addresses.",
            Apply::TlsPort | Apply::Tls => "Unable to update TLS configuration. Check server logs.",
            Apply::AppendOnly => "Unable to turn on AOF. Check server logs.",
            Apply::OomScoreAdj => "Failed to set current oom_score_adj. Check server logs.",
            Apply::ProcTitle => "failed to set process title",
            Apply::LocaleCollate => "Invalid locale name",
            Apply::MaxClients => {
                "The event loop API used by Redis is not able to handle the specified number of \
                 clients"
            }
            Apply::Hz
            | Apply::LogLevel
            | Apply::Dir
            | Apply::MaxMemory
            | Apply::MaxMemoryClients
            | Apply::GoodReplicas
            | Apply::WatchdogPeriod
            | Apply::AppendFsync
            | Apply::AofAutoGc
            | Apply::CrashLog
            | Apply::RequirePass
            | Apply::ReplBacklogSize
            | Apply::JemallocBgThread
            | Apply::ClusterFlags
            | Apply::ClusterPorts
            | Apply::ClusterIp
            | Apply::ClusterHostname
            | Apply::ClusterNodename => "unknown error",
        }
    }
}

/// One row of the table, as it is written there: what does not depend on the field's type, and the
/// rule that does.
pub(crate) struct Row<R> {
    pub(crate) name: &'static str,
    pub(crate) alias: Option<&'static str>,
    pub(crate) flags: Flags,
    pub(crate) apply: Option<Apply>,
    pub(crate) rule: R,
}

pub(crate) const fn row<R>(name: &'static str, rule: R) -> Row<R> {
    Row { name, alias: None, flags: Flags::empty(), apply: None, rule }
}

impl<R: Copy> Row<R> {
    pub(crate) const fn alias(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    pub(crate) const fn flags(mut self, flags: Flags) -> Self {
        self.flags = self.flags.union(flags);
        self
    }

    pub(crate) const fn immutable(self) -> Self {
        self.flags(Flags::IMMUTABLE)
    }

    pub(crate) const fn hidden(self) -> Self {
        self.flags(Flags::HIDDEN)
    }

    pub(crate) const fn words(self) -> Self {
        self.flags(Flags::MULTI_ARG)
    }

    pub(crate) const fn apply(mut self, apply: Apply) -> Self {
        self.apply = Some(apply);
        self
    }
}

/// Where the words for a directive come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A file or the command line.
    Load,
    /// CONFIG SET, or the builder.
    Set,
}

type SetFn = fn(&mut Config, &[&[u8]], Source) -> Result<bool, Words>;

/// A directive of the configuration.
pub struct Directive {
    /// Its name in files and in CONFIG GET and SET.
    pub name: &'static str,
    /// An older name that works as well.
    pub alias: Option<&'static str>,
    /// How it may be used.
    pub flags: Flags,
    /// What must act when it changes.
    pub apply: Option<Apply>,
    set: SetFn,
    get: fn(&Config) -> Vec<u8>,
    rewrite: fn(&Config, &Config) -> Rewrite,
}

impl Directive {
    pub(crate) const fn new<R: Copy>(
        row: &Row<R>,
        set: SetFn,
        get: fn(&Config) -> Vec<u8>,
        rewrite: fn(&Config, &Config) -> Rewrite,
    ) -> Self {
        Directive {
            name: row.name,
            alias: row.alias,
            flags: row.flags,
            apply: row.apply,
            set,
            get,
            rewrite,
        }
    }

    /// Reads the words into the configuration; whether the value is another one afterwards.
    pub(crate) fn set(
        &self,
        config: &mut Config,
        args: &[&[u8]],
        source: Source,
    ) -> Result<bool, Words> {
        let changed = (self.set)(config, args, source)?;
        Ok(changed || self.flags.contains(Flags::VOLATILE))
    }

    /// The value as CONFIG GET shows it.
    pub fn get(&self, config: &Config) -> Vec<u8> {
        (self.get)(config)
    }

    /// What CONFIG REWRITE makes of it.
    pub(crate) fn rewrite(&self, config: &Config, default: &Config) -> Rewrite {
        (self.rewrite)(config, default)
    }
}

/// Sets one field: what every row's setter does.
pub(crate) fn set_field<T: Setting>(
    field: &mut T,
    rule: &T::Rule,
    args: &[&[u8]],
    source: Source,
) -> Result<bool, Words> {
    let before = Before { value: &*field, adding: source == Source::Load };
    let value = T::parse(rule, args, before)?;
    let changed = value != *field;
    *field = value;
    Ok(changed)
}
