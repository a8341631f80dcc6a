//! Directives whose value is one word of a closed list, and those that are a set of such words.

use std::borrow::Cow;

use super::setting::{Before, Rewrite, Setting, Words, eq_ignore_case};

/// A closed list of words. The first word of a value is the one that is shown.
pub trait Choice: Copy + PartialEq + Sized + 'static {
    /// Every accepted word with its value, in the order error messages list them.
    const WORDS: &'static [(&'static str, Self)];

    /// The word shown for this value.
    fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, value)| *value == self).map_or("unknown", |(word, _)| word)
    }

    /// The value of a word, case ignored.
    fn from_word(word: &[u8]) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| eq_ignore_case(name, word)).map(|(_, value)| *value)
    }
}

macro_rules! choices {
    ($($(#[$meta:meta])* $name:ident {
        $($(#[$doc:meta])* $variant:ident = $word:literal $(| $more:literal)*,)+
    })+) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$doc])* $variant,)+ }

        impl Choice for $name {
            const WORDS: &'static [(&'static str, Self)] =
                &[$(($word, $name::$variant), $(($more, $name::$variant),)*)+];
        }

        impl Setting for $name {
            type Rule = ();

            fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
                let word = match args { [word] => Some(*word), _ => None };
                word.and_then(Self::from_word).ok_or_else(one_of::<Self>)
            }

            fn show(&self, _: &()) -> Vec<u8> {
                self.word().as_bytes().to_vec()
            }

            fn rewrite(&self, rule: &(), default: &Self) -> Rewrite {
                Rewrite::line(self.show(rule), self != default)
            }
        }
    )+};
}

fn one_of<C: Choice>() -> Words {
    let words: Vec<&str> = C::WORDS.iter().map(|(word, _)| *word).collect();
    Cow::Owned(format!("argument(s) must be one of the following: {}", words.join(", ")))
}

choices! {
    /// maxmemory-policy: which keys go when memory runs out.
    MaxmemoryPolicy {
        /// Keys with an expiry, least recently used first.
        VolatileLru = "volatile-lru",
        /// Keys with an expiry, least frequently used first.
        VolatileLfu = "volatile-lfu",
        /// Keys with an expiry, at random.
        VolatileRandom = "volatile-random",
        /// Keys with an expiry, nearest expiry first.
        VolatileTtl = "volatile-ttl",
        /// Any key, least recently used first.
        AllkeysLru = "allkeys-lru",
        /// Any key, least frequently used first.
        AllkeysLfu = "allkeys-lfu",
        /// Any key, at random.
        AllkeysRandom = "allkeys-random",
        /// None: writes that need memory are refused.
        Noeviction = "noeviction",
    }
    /// syslog-facility.
    SyslogFacility {
        /// LOG_USER.
        User = "user",
        /// LOG_LOCAL0.
        Local0 = "local0",
        /// LOG_LOCAL1.
        Local1 = "local1",
        /// LOG_LOCAL2.
        Local2 = "local2",
        /// LOG_LOCAL3.
        Local3 = "local3",
        /// LOG_LOCAL4.
        Local4 = "local4",
        /// LOG_LOCAL5.
        Local5 = "local5",
        /// LOG_LOCAL6.
        Local6 = "local6",
        /// LOG_LOCAL7.
        Local7 = "local7",
    }
    /// loglevel: the least severe level that is logged.
    LogLevel {
        /// Everything.
        Debug = "debug",
        /// Rarely useful details too.
        Verbose = "verbose",
        /// What an operator wants to know.
        Notice = "notice",
        /// Only what is wrong.
        Warning = "warning",
        /// Nothing at all.
        Nothing = "nothing",
    }
    /// supervised: which init system waits for a signal of readiness.
    Supervised {
        /// Stop the process once ready.
        Upstart = "upstart",
        /// Notify through NOTIFY_SOCKET.
        Systemd = "systemd",
        /// Find out from the environment.
        Auto = "auto",
        /// None.
        No = "no",
    }
    /// appendfsync: when the append only file is forced to disk.
    AppendFsync {
        /// Once a second, in the background.
        Everysec = "everysec",
        /// Before each reply.
        Always = "always",
        /// When the operating system likes.
        No = "no",
    }
    /// repl-diskless-load: whether a replica loads the snapshot straight from the socket.
    ReplDisklessLoad {
        /// Through a file.
        Disabled = "disabled",
        /// From the socket when the replica is empty.
        OnEmptyDb = "on-empty-db",
        /// From the socket into a second keyspace.
        Swapdb = "swapdb",
    }
    /// tls-auth-clients: whether clients must present a certificate.
    TlsAuthClients {
        /// Not asked for.
        No = "no",
        /// Required.
        Yes = "yes",
        /// Checked when presented.
        Optional = "optional",
    }
    /// oom-score-adj: whether the process tells the kernel how willingly it dies.
    OomScoreAdj {
        /// Left alone.
        No = "no",
        /// Values are added to the score at start.
        Relative = "yes" | "relative",
        /// Values are the score.
        Absolute = "absolute",
    }
    /// acl-pubsub-default: channels a new user may use.
    AclPubsubDefault {
        /// All.
        Allchannels = "allchannels",
        /// None.
        Resetchannels = "resetchannels",
    }
    /// sanitize-dump-payload: whether RESTORE and loading check payloads deeply.
    SanitizeDumpPayload {
        /// Never.
        No = "no",
        /// Always.
        Yes = "yes",
        /// Payloads that clients send.
        Clients = "clients",
    }
    /// enable-debug-command, enable-module-command, enable-protected-configs: who may.
    ProtectedAction {
        /// Nobody.
        No = "no",
        /// Everybody.
        Yes = "yes",
        /// Connections from this host.
        Local = "local",
    }
    /// cluster-preferred-endpoint-type: what CLUSTER SLOTS and redirections name a node by.
    ClusterEndpointType {
        /// Its address.
        Ip = "ip",
        /// Its announced host name.
        Hostname = "hostname",
        /// Nothing: the client keeps the address it used.
        UnknownEndpoint = "unknown-endpoint",
    }
    /// propagation-error-behavior: what an error while applying propagated commands leads to.
    PropagationErrorBehavior {
        /// It is counted.
        Ignore = "ignore",
        /// The process stops.
        Panic = "panic",
        /// The process stops when it is a replica.
        PanicOnReplicas = "panic-on-replicas",
    }
}

impl ProtectedAction {
    /// Whether a connection may, given whether it comes from this host.
    pub fn allows(self, local: bool) -> bool {
        match self {
            ProtectedAction::Yes => true,
            ProtectedAction::Local => local,
            ProtectedAction::No => false,
        }
    }
}

bitflags::bitflags! {
    /// shutdown-on-sigint, shutdown-on-sigterm, and the options of SHUTDOWN. Empty is `default`.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct ShutdownFlags: u8 {
        /// Save even without save points.
        const SAVE = 1;
        /// Do not save.
        const NOSAVE = 1 << 1;
        /// Do not wait for replicas.
        const NOW = 1 << 2;
        /// Errors do not prevent it.
        const FORCE = 1 << 3;
    }
}

impl Choice for ShutdownFlags {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("default", ShutdownFlags::empty()),
        ("save", ShutdownFlags::SAVE),
        ("nosave", ShutdownFlags::NOSAVE),
        ("now", ShutdownFlags::NOW),
        ("force", ShutdownFlags::FORCE),
    ];
}

impl Setting for ShutdownFlags {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        if args.is_empty() {
            return Err(one_of::<Self>());
        }
        let mut flags = ShutdownFlags::empty();
        for word in args {
            flags |= Self::from_word(word).ok_or_else(one_of::<Self>)?;
        }
        if flags.contains(ShutdownFlags::SAVE | ShutdownFlags::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        Ok(flags)
    }

    fn show(&self, _: &()) -> Vec<u8> {
        if self.is_empty() {
            return b"default".to_vec();
        }
        let named = Self::WORDS.iter().filter(|(_, flag)| !flag.is_empty() && self.contains(*flag));
        named.map(|(word, _)| *word).collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn rewrite(&self, rule: &(), default: &Self) -> Rewrite {
        Rewrite::line(self.show(rule), self != default)
    }
}
