//! What a command is: the declaration that every family's `COMMANDS` table is made of, and
//! everything that follows from it (implied ACL categories, the legacy key range, `movablekeys`).
//! COMMAND, ACL, redirection, MULTI, scripts and replication read these declarations. Nothing here
//! runs a command or knows its state.

use bitflags::bitflags;

use super::context::Context;
use super::keyspec::{self, KeyRange, KeyRef, KeySpec};
use crate::resp::{Args, Error};

/// Runs a command. Everything is parsed before the first mutation and the first reply byte, so that
/// an error returned here is the whole reply.
pub type Handler = fn(&mut Context<'_>) -> Result<(), Error>;

/// Finds the keys of a command whose key specs cannot tell them all, or not how they are used.
/// Pushes nothing when the arguments make no sense: the handler will say why.
pub type FindKeys = fn(Args<'_>, &mut Vec<KeyRef>);

bitflags! {
    /// How a command may be run. The order is that of COMMAND INFO's reply.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Flags: u64 {
        /// May change the data set.
        const WRITE = 1 << 0;
        /// Reads keys and changes nothing.
        const READONLY = 1 << 1;
        /// May grow memory: refused above maxmemory.
        const DENYOOM = 1 << 2;
        /// Administration.
        const ADMIN = 1 << 3;
        /// Works on channels.
        const PUBSUB = 1 << 4;
        /// Refused in scripts.
        const NOSCRIPT = 1 << 5;
        /// May block the client.
        const BLOCKING = 1 << 6;
        /// Allowed while the data set is loading.
        const LOADING = 1 << 7;
        /// Allowed on a replica without a valid link to its primary.
        const STALE = 1 << 8;
        /// Not shown to MONITOR.
        const SKIP_MONITOR = 1 << 9;
        /// Not logged as slow.
        const SKIP_SLOWLOG = 1 << 10;
        /// In a cluster: behaves as if ASKING came before it.
        const ASKING = 1 << 11;
        /// Constant or logarithmic time.
        const FAST = 1 << 12;
        /// Allowed before authentication.
        const NO_AUTH = 1 << 13;
        /// Replicates although it is no write (PUBLISH, scripts, PFCOUNT). Not shown by COMMAND
        /// INFO.
        const MAY_REPLICATE = 1 << 14;
        /// Well formed without a single key.
        const NO_MANDATORY_KEYS = 1 << 15;
        /// Needs an enable-…-command option. Not shown by COMMAND INFO.
        const PROTECTED = 1 << 16;
        /// Refused while an asynchronous load is going on.
        const NO_ASYNC_LOADING = 1 << 17;
        /// Refused inside of MULTI.
        const NO_MULTI = 1 << 18;
        /// The legacy range does not cover all keys. Derived from the key specs, never declared.
        const MOVABLEKEYS = 1 << 19;
        /// Allowed while a script runs for too long.
        const ALLOW_BUSY = 1 << 20;
        /// Touches keys that no argument names (RANDOMKEY, SCAN). Not shown by COMMAND INFO.
        const TOUCHES_ARBITRARY_KEYS = 1 << 21;
        /// Runs inside of MULTI instead of being queued (EXEC and its kin). Not shown by COMMAND
        /// INFO.
        const RUNS_IN_MULTI = 1 << 22;
        /// Runs the queue that MULTI opened: counts as all that is queued. Not shown by COMMAND
        /// INFO.
        const RUNS_QUEUE = 1 << 23;
        /// In a cluster: runs on this node while the slot of its keys is on its way in or out,
        /// because it is what moves them (MIGRATE). Not shown by COMMAND INFO.
        const MOVES_KEYS = 1 << 24;
        /// What it says holds for exactly the command after it (ASKING). Not shown by COMMAND INFO.
        const SAYS_ASKING = 1 << 25;
        /// Refused as writes are while snapshots fail, so that whoever watches the node learns of
        /// it (PING). Not shown by COMMAND INFO.
        const TELLS_DISK_ERRORS = 1 << 26;
        /// Allowed to clients that have subscriptions and speak RESP2, where whatever is not a
        /// message must be told from one. Not shown by COMMAND INFO.
        const SUBSCRIBER = 1 << 27;
        /// Runs the script that is its first argument: what that says of itself counts for it. Not
        /// shown by COMMAND INFO.
        const RUNS_TEXT = 1 << 28;
        /// As RUNS_TEXT, but that its first argument is the name of a script.
        const RUNS_NAMED = 1 << 29;
        /// As RUNS_TEXT, but that its first argument is the name of a function.
        const RUNS_FUNCTION = 1 << 30;
        /// Runs a script of any kind.
        const RUNS_SCRIPT =
            Self::RUNS_TEXT.bits() | Self::RUNS_NAMED.bits() | Self::RUNS_FUNCTION.bits();
    }
}

bitflags! {
    /// ACL categories, in the order of ACL CAT.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct Categories: u32 {
        /// Keys of any type, databases.
        const KEYSPACE = 1 << 0;
        /// Reads keys. Implied by READONLY, except for scripts.
        const READ = 1 << 1;
        /// Writes keys. Implied by WRITE.
        const WRITE = 1 << 2;
        /// Sets.
        const SET = 1 << 3;
        /// Sorted sets.
        const SORTEDSET = 1 << 4;
        /// Lists.
        const LIST = 1 << 5;
        /// Hashes.
        const HASH = 1 << 6;
        /// Strings.
        const STRING = 1 << 7;
        /// Bit operations on strings.
        const BITMAP = 1 << 8;
        /// HyperLogLogs.
        const HYPERLOGLOG = 1 << 9;
        /// Geographic indexes.
        const GEO = 1 << 10;
        /// Streams.
        const STREAM = 1 << 11;
        /// Channels. Implied by PUBSUB.
        const PUBSUB = 1 << 12;
        /// Administration. Implied by ADMIN.
        const ADMIN = 1 << 13;
        /// Implied by FAST.
        const FAST = 1 << 14;
        /// Implied where FAST is not.
        const SLOW = 1 << 15;
        /// Implied by BLOCKING.
        const BLOCKING = 1 << 16;
        /// Risky for the whole server. Implied by ADMIN.
        const DANGEROUS = 1 << 17;
        /// The client's own connection, or other connections.
        const CONNECTION = 1 << 18;
        /// MULTI and its kin.
        const TRANSACTION = 1 << 19;
        /// Scripts and functions.
        const SCRIPTING = 1 << 20;
    }
}

/// The flags that COMMAND INFO shows, with their names.
const SHOWN_FLAGS: &[(Flags, &str)] = &[
    (Flags::WRITE, "write"),
    (Flags::READONLY, "readonly"),
    (Flags::DENYOOM, "denyoom"),
    (Flags::ADMIN, "admin"),
    (Flags::PUBSUB, "pubsub"),
    (Flags::NOSCRIPT, "noscript"),
    (Flags::BLOCKING, "blocking"),
    (Flags::LOADING, "loading"),
    (Flags::STALE, "stale"),
    (Flags::SKIP_MONITOR, "skip_monitor"),
    (Flags::SKIP_SLOWLOG, "skip_slowlog"),
    (Flags::ASKING, "asking"),
    (Flags::FAST, "fast"),
    (Flags::NO_AUTH, "no_auth"),
    (Flags::NO_MANDATORY_KEYS, "no_mandatory_keys"),
    (Flags::NO_ASYNC_LOADING, "no_async_loading"),
    (Flags::NO_MULTI, "no_multi"),
    (Flags::MOVABLEKEYS, "movablekeys"),
    (Flags::ALLOW_BUSY, "allow_busy"),
];

impl Flags {
    /// The names that COMMAND INFO shows.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        SHOWN_FLAGS.iter().filter(move |(flag, _)| self.contains(*flag)).map(|&(_, name)| name)
    }
}

/// Every category with its name, in the order of ACL CAT.
pub const CATEGORIES: &[(Categories, &str)] = &[
    (Categories::KEYSPACE, "keyspace"),
    (Categories::READ, "read"),
    (Categories::WRITE, "write"),
    (Categories::SET, "set"),
    (Categories::SORTEDSET, "sortedset"),
    (Categories::LIST, "list"),
    (Categories::HASH, "hash"),
    (Categories::STRING, "string"),
    (Categories::BITMAP, "bitmap"),
    (Categories::HYPERLOGLOG, "hyperloglog"),
    (Categories::GEO, "geo"),
    (Categories::STREAM, "stream"),
    (Categories::PUBSUB, "pubsub"),
    (Categories::ADMIN, "admin"),
    (Categories::FAST, "fast"),
    (Categories::SLOW, "slow"),
    (Categories::BLOCKING, "blocking"),
    (Categories::DANGEROUS, "dangerous"),
    (Categories::CONNECTION, "connection"),
    (Categories::TRANSACTION, "transaction"),
    (Categories::SCRIPTING, "scripting"),
];

impl Categories {
    /// The names, without the `@`.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        CATEGORIES.iter().filter(move |(bit, _)| self.contains(*bit)).map(|&(_, name)| name)
    }

    /// The category of a name in any case, without the `@`.
    pub fn by_name(name: &[u8]) -> Option<Categories> {
        let found =
            CATEGORIES.iter().find(|(_, known)| name.eq_ignore_ascii_case(known.as_bytes()));
        found.map(|&(category, _)| category)
    }
}

/// The chapter of the documentation that a command belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Group {
    Generic,
    String,
    List,
    Set,
    SortedSet,
    Hash,
    PubSub,
    Transactions,
    Connection,
    Server,
    Scripting,
    HyperLogLog,
    Cluster,
    Geo,
    Stream,
    Bitmap,
}

impl Group {
    /// The name in COMMAND DOCS.
    pub fn name(self) -> &'static str {
        match self {
            Group::Generic => "generic",
            Group::String => "string",
            Group::List => "list",
            Group::Set => "set",
            Group::SortedSet => "sorted-set",
            Group::Hash => "hash",
            Group::PubSub => "pubsub",
            Group::Transactions => "transactions",
            Group::Connection => "connection",
            Group::Server => "server",
            Group::Scripting => "scripting",
            Group::HyperLogLog => "hyperloglog",
            Group::Cluster => "cluster",
            Group::Geo => "geo",
            Group::Stream => "stream",
            Group::Bitmap => "bitmap",
        }
    }
}

/// What a command does with the channels among its arguments, for ACL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// It has none.
    None,
    /// Publishes to its first argument.
    Publish,
    /// Subscribes to all arguments.
    Subscribe,
    /// Subscribes to all arguments, which are patterns.
    SubscribePatterns,
    /// Gives up subscriptions, which needs no permission.
    Unsubscribe,
}

/// Since when a command should no longer be used, and what takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deprecated {
    /// The version.
    pub since: &'static str,
    /// What to use, in Markdown.
    pub replaced_by: &'static str,
}

/// One command or subcommand, as its family declares it.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The name in lower case; of a subcommand `container|word`.
    pub full_name: &'static str,
    /// The exact number of arguments, the name and a container's word included; negated: the least
    /// number.
    pub arity: i32,
    /// Runs it.
    pub handler: Handler,
    /// How it may be run.
    pub flags: Flags,
    /// The categories that its flags do not imply; `acl_categories` tells all.
    declared_categories: Categories,
    /// Where its keys are.
    pub keys: &'static [KeySpec],
    /// Its keys, or most of them, as one range.
    pub legacy_range: KeyRange,
    /// Finds the keys that `keys` cannot tell.
    pub find_keys: Option<FindKeys>,
    /// Which argument is looked up in the value of the first key, as a rule; 0 for none. Only so
    /// that it is fetched from memory ahead.
    pub element: usize,
    /// Its channels.
    pub channels: Channels,
    /// Hints for clients and proxies.
    pub tips: &'static [&'static str],
    /// The version of Redis that brought it.
    pub since: &'static str,
    /// Its chapter.
    pub group: Group,
    /// One line on what it does.
    pub summary: &'static str,
    /// Its arguments, in the notation of [`super::syntax`].
    pub syntax: &'static str,
    /// Its cost; empty: none is stated.
    pub complexity: &'static str,
    /// Set if it is out of date.
    pub deprecated: Option<Deprecated>,
    /// For the server's own use only (`syscmd`).
    pub internal: bool,
    /// Its subcommands; not empty: it is a container.
    pub subcommands: &'static [Command],
}

/// The declaration: `Command::new(…)` and one call per property. All of it runs at compile time.
impl Command {
    /// A command of this name, arity and handler, and nothing else.
    pub const fn new(full_name: &'static str, arity: i32, handler: Handler) -> Self {
        Command {
            full_name,
            arity,
            handler,
            flags: Flags::empty(),
            declared_categories: Categories::empty(),
            keys: &[],
            legacy_range: KeyRange::NONE,
            find_keys: None,
            element: 0,
            channels: Channels::None,
            tips: &[],
            since: "1.0.0",
            group: Group::Generic,
            summary: "",
            syntax: "",
            complexity: "",
            deprecated: None,
            internal: false,
            subcommands: &[],
        }
    }

    /// A command that exists only as the first word of its subcommands.
    pub const fn container(name: &'static str, subcommands: &'static [Command]) -> Self {
        Command::new(name, -2, container).subcommands(subcommands)
    }

    /// Adds flags.
    pub const fn flags(mut self, flags: &[Flags]) -> Self {
        let mut i = 0;
        while i < flags.len() {
            self.flags = self.flags.union(flags[i]);
            i += 1;
        }
        self
    }

    /// Adds categories; those that flags imply need not be named.
    pub const fn categories(mut self, categories: &[Categories]) -> Self {
        let mut i = 0;
        while i < categories.len() {
            self.declared_categories = self.declared_categories.union(categories[i]);
            i += 1;
        }
        self
    }

    /// Sets the key specs, and with them the legacy range and MOVABLEKEYS.
    pub const fn keys(mut self, keys: &'static [KeySpec]) -> Self {
        self.keys = keys;
        let (range, movable) = keyspec::legacy_range(keys);
        self.legacy_range = range;
        if movable {
            self.flags = self.flags.union(Flags::MOVABLEKEYS);
        }
        self
    }

    /// Sets which argument is looked up in the value of the first key.
    pub const fn element(mut self, index: usize) -> Self {
        self.element = index;
        self
    }

    /// Sets the function that finds the keys where the specs do not suffice.
    pub const fn find_keys(mut self, find_keys: FindKeys) -> Self {
        self.find_keys = Some(find_keys);
        self
    }

    /// Sets what it does with channels.
    pub const fn channels(mut self, channels: Channels) -> Self {
        self.channels = channels;
        self
    }

    /// Sets the tips.
    pub const fn tips(mut self, tips: &'static [&'static str]) -> Self {
        self.tips = tips;
        self
    }

    /// Sets the version that brought it, and its chapter.
    pub const fn since(mut self, since: &'static str, group: Group) -> Self {
        self.since = since;
        self.group = group;
        self
    }

    /// Sets the summary.
    pub const fn summary(mut self, summary: &'static str) -> Self {
        self.summary = summary;
        self
    }

    /// Sets the syntax.
    pub const fn syntax(mut self, syntax: &'static str) -> Self {
        self.syntax = syntax;
        self
    }

    /// Sets the cost.
    pub const fn complexity(mut self, complexity: &'static str) -> Self {
        self.complexity = complexity;
        self
    }

    /// Declares it out of date.
    pub const fn deprecated(mut self, since: &'static str, replaced_by: &'static str) -> Self {
        self.deprecated = Some(Deprecated { since, replaced_by });
        self
    }

    /// Declares it to be for the server's own use.
    pub const fn internal(mut self) -> Self {
        self.internal = true;
        self
    }

    /// Sets the subcommands.
    pub const fn subcommands(mut self, subcommands: &'static [Command]) -> Self {
        self.subcommands = subcommands;
        self
    }
}

/// What follows from the declaration.
impl Command {
    /// A subcommand's own word, or the name.
    pub fn name(&self) -> &'static str {
        self.full_name.split_once('|').map_or(self.full_name, |(_, word)| word)
    }

    /// Has subcommands.
    pub fn is_container(&self) -> bool {
        !self.subcommands.is_empty()
    }

    /// All categories, those included that the flags imply (Redis's `setImplicitACLCategories`).
    pub fn acl_categories(&self) -> Categories {
        let mut all = self.declared_categories;
        if self.flags.contains(Flags::READONLY) && !all.contains(Categories::SCRIPTING) {
            all |= Categories::READ;
        }
        for (flag, implied) in [
            (Flags::WRITE, Categories::WRITE),
            (Flags::ADMIN, Categories::ADMIN | Categories::DANGEROUS),
            (Flags::PUBSUB, Categories::PUBSUB),
            (Flags::FAST, Categories::FAST),
            (Flags::BLOCKING, Categories::BLOCKING),
        ] {
            if self.flags.contains(flag) {
                all |= implied;
            }
        }
        if !all.contains(Categories::FAST) {
            all |= Categories::SLOW;
        }
        all
    }

    /// `count` arguments, the name included, are enough and not too many.
    #[inline]
    pub fn arity_fits(&self, count: usize) -> bool {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        let arity = i64::from(self.arity);
        if arity > 0 { count == arity } else { count >= -arity }
    }

    /// Whether arguments of it decide which node of a cluster serves it.
    #[inline]
    pub fn is_routed(&self) -> bool {
        !self.keys.is_empty() || self.find_keys.is_some()
    }

    /// Whether its one key is all that decides which node of a cluster serves it.
    #[inline]
    pub fn is_routed_by_one_key(&self) -> bool {
        let KeyRange { first, last, .. } = self.legacy_range;
        first > 0 && first == last && !self.flags.contains(Flags::MOVABLEKEYS)
    }

    /// Whether it is routed by channels instead of keys (SPUBLISH and its kin).
    pub fn is_routed_by_channels(&self) -> bool {
        !self.keys.is_empty() && !self.keys.iter().any(KeySpec::is_key)
    }

    /// May have keys among its arguments.
    pub fn may_have_keys(&self) -> bool {
        self.find_keys.is_some() || self.keys.iter().any(KeySpec::is_key)
    }
}

/// A container named without a subcommand: the arity check refuses that before it could run.
fn container(ctx: &mut Context<'_>) -> Result<(), Error> {
    Err(Error::WrongArity(ctx.command.full_name.into()))
}
