//! Everything of a node but its sockets: configuration, keyspace, clients, statistics. `dispatch`
//! runs commands against it, `node` feeds it bytes and time. Nothing here reads a clock, touches a
//! socket or blocks.

pub mod blocking;
pub mod client;
mod client_memory;
pub mod clients;
pub mod cluster_settings;
pub mod debug;
mod describe;
pub mod effects;
pub mod info;
pub mod latency;
pub mod loading;
mod maintenance;
pub mod memory;
pub mod migration;
mod output_limits;
pub mod pause;
pub mod peers;
pub mod pubsub;
pub mod rates;
pub mod running;
pub mod slowlog;
pub mod snapshots;
pub mod stats;
pub mod system;
pub mod tracking;
pub mod value_limits;

use crate::base::clock::LapClock;
use crate::base::rng::{self, Rng};
use crate::cluster::Cluster;
use crate::config::Config;
use crate::config::version::{REDIS_VERSION, REDIS_VERSION_NUM};
use crate::keyspace::Keyspace;
use crate::scripting::{Scripts, Version};

pub use client::{Client, ClientId};
pub use clients::Clients;
pub use effects::Effect;

/// Which Redis scripts find themselves in.
const SCRIPT_VERSION: Version = Version { text: REDIS_VERSION, number: REDIS_VERSION_NUM };

/// Dense number of a command or subcommand: the index of its statistics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u16);

/// The time that a command sees: read once per turn of the loop, and again after a slow command.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Wall clock, microseconds since the Unix epoch.
    pub unix_us: u64,
}

impl Now {
    /// Milliseconds since the Unix epoch.
    #[inline]
    pub fn ms(self) -> u64 {
        self.unix_us / 1000
    }

    /// Seconds since the Unix epoch.
    pub fn seconds(self) -> u64 {
        self.unix_us / 1_000_000
    }
}

/// One node's state.
pub struct Core {
    /// What the configuration says at the moment.
    pub config: Config,
    /// All databases.
    pub keyspace: Keyspace,
    /// The cluster that this node is part of; none when standalone.
    pub cluster: Option<Box<Cluster>>,
    /// The ports that a cluster node listens on.
    pub cluster_ports: cluster_settings::Ports,
    /// Every connected client but the one whose command runs.
    pub clients: Clients,
    /// Counters that INFO reports.
    pub stats: stats::Stats,
    /// Figures per second, and recent peaks.
    pub rates: rates::Rates,
    /// Snapshots on disk.
    pub snapshots: snapshots::Snapshots,
    /// What must be remembered about memory.
    pub memory: memory::MemoryMarks,
    /// What the operating system said when the cron last asked.
    pub system: system::System,
    /// Commands that took long.
    pub slowlog: slowlog::Slowlog,
    /// Events that took long.
    pub latency: latency::LatencyMonitor,
    /// Clients that run MONITOR.
    pub monitors: Vec<ClientId>,
    /// Who is subscribed to what.
    pub pubsub: pubsub::Pubsub,
    /// What the client whose command runs is to be pushed behind its reply.
    pub own_pushes: Vec<u8>,
    /// Which keys and prefixes clients are told of.
    pub tracking: tracking::Tracking,
    /// Arguments of the running command that logs and monitors must not show.
    pub redacted: Vec<usize>,
    /// Tokens of clients with output that the end of the turn sends.
    pub pending_writes: Vec<usize>,
    /// Tokens of clients with messages, which are sent after all that was asked for, some turns
    /// later if they are few: so whoever published can go on meanwhile, and its next messages
    /// leave together.
    pub pending_pushes: Vec<usize>,
    /// The client that the cron saw last.
    pub cron_client: ClientId,
    /// What all clients cost, as far as maxmemory-clients needs to know.
    pub clients_bytes: usize,
    /// Keys that must go did not all go in the time that one call had.
    pub evicting: bool,
    /// Expired keys did not all go in the time that one call had.
    pub expiring: bool,
    /// A signal asked for the end, and the cron has not acted on it.
    pub shutdown_scheduled: Option<effects::Shutdown>,
    /// Cron runs per second at the moment.
    pub hz: u32,
    /// What DEBUG changed.
    pub debug: debug::DebugSettings,
    /// What handlers asked of the node.
    pub effects: Vec<Effect>,
    /// Which request runs, for the crash report.
    pub running: running::Running,
    /// Times the requests of a pipeline.
    pub laps: LapClock,
    /// Scripts and functions.
    pub scripts: Scripts,
    /// CLIENT PAUSE.
    pub pause: pause::Pause,
    /// Until when commands wait for keys.
    pub timeouts: blocking::Timeouts,
    /// Connections that commands open to other nodes.
    pub peers: peers::Peers,
    /// The time that the running command sees.
    pub now: Now,
    /// For sampling; not secret.
    pub rng: Rng,
    /// What the node knows of itself and the program cannot change.
    pub identity: Identity,
}

/// Facts fixed at start.
#[derive(Clone, Debug)]
pub struct Identity {
    /// Forty hex digits, new at each start.
    pub run_id: String,
    /// Forty hex digits: the history of changes that this node began.
    pub replication_id: String,
    /// The init system that waits for this process, `no` if none does.
    pub supervised: &'static str,
    /// When the node started, microseconds since the Unix epoch.
    pub started_us: u64,
    /// Addresses being listened on, as INFO's `listener0` shows them.
    pub listeners: Vec<Listening>,
    /// The program's path, for INFO.
    pub executable: String,
    /// Full names of all commands, by `CommandId`.
    pub command_names: Vec<&'static str>,
}

/// One listening transport, as INFO shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// `tcp` or `unix`.
    pub name: &'static str,
    /// The addresses (or the path) it is bound to.
    pub binds: Vec<String>,
    /// The port; 0 for a unix socket.
    pub port: u16,
}

impl Core {
    /// A node with an empty keyspace. `command_names` are the full names by `CommandId`.
    pub fn new(config: Config, command_names: Vec<&'static str>, now: Now) -> Self {
        let keyspace = Keyspace::new(config.databases as usize, config.cluster_enabled);
        let identity = Identity {
            run_id: rng::hex_id(),
            replication_id: rng::hex_id(),
            supervised: "no",
            started_us: now.unix_us,
            listeners: Vec::new(),
            executable: std::env::current_exe().map_or(String::new(), |p| p.display().to_string()),
            command_names,
        };
        let mut core = Core {
            keyspace,
            cluster: None,
            cluster_ports: cluster_settings::Ports::default(),
            clients: Clients::default(),
            stats: stats::Stats::new(identity.command_names.len()),
            rates: rates::Rates::default(),
            snapshots: snapshots::Snapshots::new(now.seconds()),
            memory: memory::MemoryMarks::default(),
            system: system::System::default(),
            slowlog: slowlog::Slowlog::default(),
            latency: latency::LatencyMonitor::default(),
            monitors: Vec::new(),
            pubsub: pubsub::Pubsub::default(),
            own_pushes: Vec::new(),
            tracking: tracking::Tracking::default(),
            redacted: Vec::new(),
            pending_writes: Vec::new(),
            pending_pushes: Vec::new(),
            cron_client: ClientId(0),
            clients_bytes: 0,
            evicting: false,
            expiring: false,
            shutdown_scheduled: None,
            hz: config.hz,
            debug: debug::DebugSettings::default(),
            effects: Vec::new(),
            running: running::Running::default(),
            laps: LapClock::default(),
            scripts: Scripts::new(SCRIPT_VERSION),
            pause: pause::Pause::default(),
            timeouts: blocking::Timeouts::default(),
            peers: peers::Peers::default(),
            now,
            rng: Rng::from_entropy(),
            identity,
            config,
        };
        core.keyspace.seed(core.rng.next_u64());
        core.configure_keyspace();
        core.set_now(now);
        core
    }

    /// Moves the time that commands see.
    pub fn set_now(&mut self, now: Now) {
        self.now = now;
        self.keyspace.set_now(now.ms());
    }

    /// The full name of a command (`config|get`).
    pub fn command_name(&self, id: CommandId) -> &'static str {
        self.identity.command_names[id.0 as usize]
    }
}
