//! The table of directives: each is declared once, as a field of [`Config`] with its type, default,
//! name and limits. Files, options, CONFIG GET, SET and REWRITE are all derived from it. Nothing
//! here knows what a directive does; it must stay plain data.

use std::path::PathBuf;

use super::choices::{
    AclPubsubDefault, AppendFsync, ClusterEndpointType, LogLevel, MaxmemoryPolicy, OomScoreAdj,
    PropagationErrorBehavior, ProtectedAction, ReplDisklessLoad, SanitizeDumpPayload,
    ShutdownFlags, Supervised, SyslogFacility, TlsAuthClients,
};
use super::directive::{Apply, Directive, Flags, Row, row, set_field};
use super::setting::{BoolRule, Range, Setting, Text};
use super::special::{
    BindAddresses, OomScoreAdjValues, OutputLimits, Percentiles, ReplicaOf, SavePoint,
};
use super::{Startup, checks};
use crate::base::limits::BULK_BYTES_MAX_MIN;
use crate::keyspace::events::EventClass;

const INT_MIN: i128 = i32::MIN as i128;
const INT_MAX: i128 = i32::MAX as i128;
const UINT_MAX: i128 = u32::MAX as i128;
const LONG_MAX: i128 = i64::MAX as i128;
const ULONG_MAX: i128 = u64::MAX as i128;
const MIB: i128 = 1 << 20;

const ANY: BoolRule = BoolRule::Any;
const NO_DEFRAG: BoolRule = BoolRule::NeverTrue(
    "Active defragmentation cannot be enabled: it requires a Redis server compiled with a modified \
     Jemalloc like the one shipped by default with the Redis source distribution",
);

const fn plain(lower: i128, upper: i128) -> Range {
    Range::plain(lower, upper)
}

const fn memory(lower: i128, upper: i128) -> Range {
    Range::memory(lower, upper)
}

const fn text() -> Text {
    Text::any()
}

macro_rules! directives {
    ($($(#[$doc:meta])* $field:ident: $type:ty = $default:expr => $row:expr;)+) => {
        /// Every directive as a typed field, and what a start needs besides. Reading a field is all
        /// that a hot path ever does with it.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[$doc])* pub $field: $type,)+
            /// What files and the command line say once, for the start.
            pub startup: Startup,
        }

        impl Default for Config {
            fn default() -> Self {
                Config { $($field: $default,)+ startup: Startup::default() }
            }
        }

        /// Every directive, in the order of declaration.
        pub static DIRECTIVES: &[Directive] = &[$({
            const ROW: Row<<$type as Setting>::Rule> = $row;
            Directive::new(
                &ROW,
                |config, args, source| set_field(&mut config.$field, &ROW.rule, args, source),
                |config| config.$field.show(&ROW.rule),
                |config, default| config.$field.rewrite(&ROW.rule, &default.$field),
            )
        },)+];
    };
}

directives! {
    /// Addresses to listen on.
    bind: BindAddresses = BindAddresses::default() =>
        row("bind", ()).words().apply(Apply::Bind);
    /// Address that outgoing connections come from.
    bind_source_addr: Option<Vec<u8>> = None => row("bind-source-addr", text());
    /// Without a password and on default addresses, only this host may connect.
    protected_mode: bool = true => row("protected-mode", ANY);
    /// TCP port; 0 listens on none.
    port: u16 = 6379 => row("port", plain(0, 65535)).apply(Apply::Port);
    /// Connections the kernel queues before they are accepted.
    tcp_backlog: u32 = 511 => row("tcp-backlog", plain(0, INT_MAX)).immutable();
    /// Path of a Unix socket to listen on.
    unixsocket: Option<Vec<u8>> = None => row("unixsocket", text()).immutable();
    /// Permission bits of that socket; 0 leaves them alone.
    unixsocketperm: u32 = 0 => row("unixsocketperm", Range::octal(0, 0o777)).immutable();
    /// Seconds of silence after which a client is closed; 0 is never.
    timeout: u32 = 0 => row("timeout", plain(0, INT_MAX));
    /// Seconds between TCP keepalive probes; 0 sends none.
    tcp_keepalive: u32 = 300 => row("tcp-keepalive", plain(0, INT_MAX));
    /// Mark of sockets for routing; 0 is none.
    socket_mark_id: u32 = 0 => row("socket-mark-id", plain(0, UINT_MAX)).immutable();

    /// TLS port; 0 listens on none.
    tls_port: u16 = 0 => row("tls-port", plain(0, 65535)).apply(Apply::TlsPort);
    /// Certificate shown to clients.
    tls_cert_file: Option<Vec<u8>> = None =>
        row("tls-cert-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Its key.
    tls_key_file: Option<Vec<u8>> = None =>
        row("tls-key-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Pass phrase of that key.
    tls_key_file_pass: Option<Vec<u8>> = None =>
        row("tls-key-file-pass", text()).apply(Apply::Tls);
    /// Certificate shown to other servers.
    tls_client_cert_file: Option<Vec<u8>> = None =>
        row("tls-client-cert-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Its key.
    tls_client_key_file: Option<Vec<u8>> = None =>
        row("tls-client-key-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Pass phrase of that key.
    tls_client_key_file_pass: Option<Vec<u8>> = None =>
        row("tls-client-key-file-pass", text()).apply(Apply::Tls);
    /// Diffie-Hellman parameters.
    tls_dh_params_file: Option<Vec<u8>> = None =>
        row("tls-dh-params-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Trusted certificates, in one file.
    tls_ca_cert_file: Option<Vec<u8>> = None =>
        row("tls-ca-cert-file", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Trusted certificates, in a directory.
    tls_ca_cert_dir: Option<Vec<u8>> = None =>
        row("tls-ca-cert-dir", text()).flags(Flags::VOLATILE).apply(Apply::Tls);
    /// Whether clients must present a certificate.
    tls_auth_clients: TlsAuthClients = TlsAuthClients::Yes => row("tls-auth-clients", ());
    /// Replication links use TLS.
    tls_replication: bool = false => row("tls-replication", ANY).apply(Apply::Tls);
    /// The cluster bus uses TLS.
    tls_cluster: bool = false => row("tls-cluster", ANY).apply(Apply::Tls);
    /// Versions of TLS that are spoken.
    tls_protocols: Option<Vec<u8>> = None => row("tls-protocols", text()).apply(Apply::Tls);
    /// Ciphers up to TLS 1.2.
    tls_ciphers: Option<Vec<u8>> = None => row("tls-ciphers", text()).apply(Apply::Tls);
    /// Ciphers of TLS 1.3.
    tls_ciphersuites: Option<Vec<u8>> = None => row("tls-ciphersuites", text()).apply(Apply::Tls);
    /// The server's order of ciphers decides.
    tls_prefer_server_ciphers: bool = false =>
        row("tls-prefer-server-ciphers", ANY).apply(Apply::Tls);
    /// Sessions may be resumed.
    tls_session_caching: bool = true => row("tls-session-caching", ANY).apply(Apply::Tls);
    /// Sessions kept; 0 is no limit.
    tls_session_cache_size: u32 = 20 * 1024 =>
        row("tls-session-cache-size", plain(0, INT_MAX)).apply(Apply::Tls);
    /// Seconds they are kept.
    tls_session_cache_timeout: u32 = 300 =>
        row("tls-session-cache-timeout", plain(0, INT_MAX)).apply(Apply::Tls);

    /// Run in the background.
    daemonize: bool = false => row("daemonize", ANY).immutable();
    /// The init system that waits for a signal of readiness.
    supervised: Supervised = Supervised::No => row("supervised", ()).immutable();
    /// File that the process id is written to.
    pidfile: Option<Vec<u8>> = None => row("pidfile", text()).immutable();
    /// The least severe level that is logged.
    loglevel: LogLevel = LogLevel::Notice => row("loglevel", ()).apply(Apply::LogLevel);
    /// File of the log; empty is the standard output.
    logfile: Vec<u8> = Vec::new() => row("logfile", text()).immutable();
    /// Log to syslog as well.
    syslog_enabled: bool = false => row("syslog-enabled", ANY).immutable();
    /// Name of the program in syslog.
    syslog_ident: Vec<u8> = b"redis".to_vec() => row("syslog-ident", text()).immutable();
    /// Facility of syslog.
    syslog_facility: SyslogFacility = SyslogFacility::Local0 =>
        row("syslog-facility", ()).immutable();
    /// Log a report when the process crashes.
    crash_log_enabled: bool = true => row("crash-log-enabled", ANY).apply(Apply::CrashLog);
    /// Test memory when the process crashes.
    crash_memcheck_enabled: bool = true => row("crash-memcheck-enabled", ANY);
    /// Exit instead of abort after a panic.
    use_exit_on_panic: bool = false => row("use-exit-on-panic", ANY).hidden();
    /// Milliseconds without progress after which the watchdog speaks; 0 is off.
    watchdog_period: u32 = 0 =>
        row("watchdog-period", plain(0, INT_MAX)).hidden().apply(Apply::WatchdogPeriod);
    /// Number of databases.
    databases: u32 = 16 => row("databases", plain(1, INT_MAX)).immutable();
    /// Show the logo even in log files.
    always_show_logo: bool = false => row("always-show-logo", ANY).immutable();
    /// Show a title in the list of processes.
    set_proc_title: bool = true => row("set-proc-title", ANY).immutable();
    /// That title.
    proc_title_template: Vec<u8> = b"{title} {listen-addr} {server-mode}".to_vec() =>
        row("proc-title-template", Text::checked(checks::proc_title_template))
            .apply(Apply::ProcTitle);
    /// Locale of comparisons; empty takes the environment's.
    locale_collate: Vec<u8> = Vec::new() =>
        row("locale-collate", text()).apply(Apply::LocaleCollate);
    /// Warnings of the start that do not stop it.
    ignore_warnings: Vec<u8> = Vec::new() => row("ignore-warnings", text());
    /// Who may use DEBUG.
    enable_debug_command: ProtectedAction = ProtectedAction::No =>
        row("enable-debug-command", ()).immutable();
    /// Who may use MODULE.
    enable_module_command: ProtectedAction = ProtectedAction::No =>
        row("enable-module-command", ()).immutable();
    /// Who may set protected directives.
    enable_protected_configs: ProtectedAction = ProtectedAction::No =>
        row("enable-protected-configs", ()).immutable();

    /// Save points.
    save: Vec<SavePoint> = vec![
        SavePoint { seconds: 3600, changes: 1 },
        SavePoint { seconds: 300, changes: 100 },
        SavePoint { seconds: 60, changes: 10_000 },
    ] => row("save", ()).words();
    /// Refuse writes after a snapshot failed.
    stop_writes_on_bgsave_error: bool = true => row("stop-writes-on-bgsave-error", ANY);
    /// Compress strings in snapshots.
    rdbcompression: bool = true => row("rdbcompression", ANY);
    /// Snapshots carry a checksum.
    rdbchecksum: bool = true => row("rdbchecksum", ANY).immutable();
    /// Check payloads deeply.
    sanitize_dump_payload: SanitizeDumpPayload = SanitizeDumpPayload::No =>
        row("sanitize-dump-payload", ()).flags(Flags::DEBUG);
    /// File name of the snapshot.
    dbfilename: Vec<u8> = b"dump.rdb".to_vec() =>
        row("dbfilename", Text::checked(checks::dbfilename)).flags(Flags::PROTECTED);
    /// Delete snapshots that only replication needed.
    rdb_del_sync_files: bool = false => row("rdb-del-sync-files", ANY);
    /// Write snapshots to disk bit by bit.
    rdb_save_incremental_fsync: bool = true => row("rdb-save-incremental-fsync", ANY);
    /// Where files of relative names live; absolute.
    dir: PathBuf = std::env::current_dir().unwrap_or_default() =>
        row("dir", ()).flags(Flags::PROTECTED.union(Flags::DENY_LOADING)).apply(Apply::Dir);
    /// Microseconds to wait after each key while saving; negative waits once in so many keys.
    rdb_key_save_delay: i32 = 0 => row("rdb-key-save-delay", plain(INT_MIN, INT_MAX)).hidden();
    /// Microseconds to wait after each key while loading; negative waits once in so many keys.
    key_load_delay: i32 = 0 => row("key-load-delay", plain(INT_MIN, INT_MAX)).hidden();
    /// Bytes loaded between two looks at the sockets.
    loading_process_events_interval_bytes: u64 = 2 << 20 =>
        row("loading-process-events-interval-bytes", plain(1024, INT_MAX)).hidden();

    /// The primary to copy.
    replicaof: Option<ReplicaOf> = None =>
        row("replicaof", ()).alias("slaveof").immutable().words();
    /// User to authenticate as with the primary.
    masteruser: Option<Vec<u8>> = None => row("masteruser", text()).flags(Flags::SENSITIVE);
    /// Password for the primary.
    masterauth: Option<Vec<u8>> = None =>
        row("masterauth", Text::binary()).flags(Flags::SENSITIVE);
    /// Replies while the primary is away or the snapshot is on its way.
    replica_serve_stale_data: bool = true =>
        row("replica-serve-stale-data", ANY).alias("slave-serve-stale-data");
    /// Replicas refuse writes of clients.
    replica_read_only: bool = true =>
        row("replica-read-only", ANY).alias("slave-read-only").flags(Flags::DEBUG);
    /// Replicas leave evicting to the primary.
    replica_ignore_maxmemory: bool = true =>
        row("replica-ignore-maxmemory", ANY).alias("slave-ignore-maxmemory");
    /// Replicas go on when they cannot write their files.
    replica_ignore_disk_write_errors: bool = false =>
        row("replica-ignore-disk-write-errors", ANY);
    /// Sentinel may know of this replica.
    replica_announced: bool = true => row("replica-announced", ANY);
    /// Address a replica says it has.
    replica_announce_ip: Option<Vec<u8>> = None =>
        row("replica-announce-ip", text()).alias("slave-announce-ip");
    /// Port a replica says it has; 0 is the real one.
    replica_announce_port: u16 = 0 =>
        row("replica-announce-port", plain(0, 65535)).alias("slave-announce-port");
    /// Sentinel promotes the lowest first; 0 is never.
    replica_priority: u32 = 100 =>
        row("replica-priority", plain(0, INT_MAX)).alias("slave-priority");
    /// Send snapshots straight to the sockets of replicas.
    repl_diskless_sync: bool = true => row("repl-diskless-sync", ANY).flags(Flags::DEBUG);
    /// Seconds to wait for more replicas before.
    repl_diskless_sync_delay: u32 = 5 => row("repl-diskless-sync-delay", plain(0, INT_MAX));
    /// Do not wait longer once so many are there; 0 is no such number.
    repl_diskless_sync_max_replicas: u32 = 0 =>
        row("repl-diskless-sync-max-replicas", plain(0, INT_MAX));
    /// Load snapshots straight from the socket.
    repl_diskless_load: ReplDisklessLoad = ReplDisklessLoad::Disabled =>
        row("repl-diskless-load", ()).flags(Flags::DEBUG.union(Flags::DENY_LOADING));
    /// Seconds between pings of a primary.
    repl_ping_replica_period: u32 = 10 =>
        row("repl-ping-replica-period", plain(1, INT_MAX)).alias("repl-ping-slave-period");
    /// Seconds of silence after which a replication link is dead.
    repl_timeout: u32 = 60 => row("repl-timeout", plain(1, INT_MAX));
    /// Let the kernel gather small packets to replicas.
    repl_disable_tcp_nodelay: bool = false => row("repl-disable-tcp-nodelay", ANY);
    /// Bytes of the backlog.
    repl_backlog_size: u64 = 1 << 20 =>
        row("repl-backlog-size", memory(1, LONG_MAX)).apply(Apply::ReplBacklogSize);
    /// Seconds without replicas after which the backlog is freed; 0 is never.
    repl_backlog_ttl: u64 = 3600 => row("repl-backlog-ttl", plain(0, LONG_MAX));
    /// Replicas that must be near for writes to be taken; 0 asks for none.
    min_replicas_to_write: u32 = 0 => row("min-replicas-to-write", plain(0, INT_MAX))
        .alias("min-slaves-to-write").apply(Apply::GoodReplicas);
    /// Seconds a near replica may lag; 0 asks for none.
    min_replicas_max_lag: u32 = 10 => row("min-replicas-max-lag", plain(0, INT_MAX))
        .alias("min-slaves-max-lag").apply(Apply::GoodReplicas);
    /// What an error while applying propagated commands leads to.
    propagation_error_behavior: PropagationErrorBehavior = PropagationErrorBehavior::Ignore =>
        row("propagation-error-behavior", ());

    /// File of users.
    aclfile: Vec<u8> = Vec::new() => row("aclfile", text()).immutable();
    /// Password of the default user.
    requirepass: Option<Vec<u8>> = None => row("requirepass", Text::binary())
        .flags(Flags::SENSITIVE).apply(Apply::RequirePass);
    /// Channels a new user may use.
    acl_pubsub_default: AclPubsubDefault = AclPubsubDefault::Resetchannels =>
        row("acl-pubsub-default", ());
    /// Entries of ACL LOG.
    acllog_max_len: usize = 128 => row("acllog-max-len", plain(0, LONG_MAX));

    /// Clients at a time.
    maxclients: u32 = 10_000 => row("maxclients", plain(1, UINT_MAX)).apply(Apply::MaxClients);
    /// Bytes of all data; 0 is no limit.
    maxmemory: u64 = 0 => row("maxmemory", memory(0, ULONG_MAX)).apply(Apply::MaxMemory);
    /// Bytes of all clients; negative is percents of maxmemory; 0 is no limit.
    maxmemory_clients: i64 = 0 =>
        row("maxmemory-clients", Range::memory_or_percent(100, LONG_MAX))
            .apply(Apply::MaxMemoryClients);
    /// Which keys go when memory runs out.
    maxmemory_policy: MaxmemoryPolicy = MaxmemoryPolicy::Noeviction =>
        row("maxmemory-policy", ());
    /// Keys looked at per evicted key.
    maxmemory_samples: u32 = 5 => row("maxmemory-samples", plain(1, INT_MAX));
    /// How long one round of eviction may take, 0 to 100.
    maxmemory_eviction_tenacity: u32 = 10 => row("maxmemory-eviction-tenacity", plain(0, 100));
    /// How slowly the counter of an LFU policy grows.
    lfu_log_factor: u32 = 10 => row("lfu-log-factor", plain(0, INT_MAX));
    /// Minutes after which it shrinks.
    lfu_decay_time: u32 = 1 => row("lfu-decay-time", plain(0, INT_MAX));
    /// How hard expired keys are looked for, 1 to 10.
    active_expire_effort: u32 = 1 => row("active-expire-effort", plain(1, 10));
    /// Free evicted keys in the background.
    lazyfree_lazy_eviction: bool = false =>
        row("lazyfree-lazy-eviction", ANY).flags(Flags::DEBUG);
    /// Free expired keys in the background.
    lazyfree_lazy_expire: bool = false => row("lazyfree-lazy-expire", ANY).flags(Flags::DEBUG);
    /// Free replaced keys in the background.
    lazyfree_lazy_server_del: bool = false =>
        row("lazyfree-lazy-server-del", ANY).flags(Flags::DEBUG);
    /// DEL is UNLINK.
    lazyfree_lazy_user_del: bool = false =>
        row("lazyfree-lazy-user-del", ANY).flags(Flags::DEBUG);
    /// FLUSHALL, FLUSHDB, SCRIPT FLUSH and FUNCTION FLUSH are ASYNC unless they say SYNC.
    lazyfree_lazy_user_flush: bool = false =>
        row("lazyfree-lazy-user-flush", ANY).flags(Flags::DEBUG);
    /// A replica empties itself in the background before it loads.
    replica_lazy_flush: bool = false => row("replica-lazy-flush", ANY).alias("slave-lazy-flush");

    /// Threads that read and write sockets; kept and reported, one thread does all.
    io_threads: u32 = 1 =>
        row("io-threads", plain(1, 128)).flags(Flags::IMMUTABLE.union(Flags::DEBUG));
    /// Those threads also read.
    io_threads_do_reads: bool = false =>
        row("io-threads-do-reads", ANY).flags(Flags::IMMUTABLE.union(Flags::DEBUG));
    /// How willingly the kernel kills the process.
    oom_score_adj: OomScoreAdj = OomScoreAdj::No =>
        row("oom-score-adj", ()).apply(Apply::OomScoreAdj);
    /// The scores of a primary, a replica, and a child.
    oom_score_adj_values: OomScoreAdjValues = OomScoreAdjValues([0, 200, 800]) =>
        row("oom-score-adj-values", ()).words().apply(Apply::OomScoreAdj);
    /// Turn transparent huge pages off for the process.
    disable_thp: bool = true => row("disable-thp", ANY).immutable();
    /// Processors of the main thread.
    server_cpulist: Option<Vec<u8>> = None => row("server_cpulist", text()).immutable();
    /// Processors of background threads.
    bio_cpulist: Option<Vec<u8>> = None => row("bio_cpulist", text()).immutable();
    /// Processors of the child that rewrites the append only file.
    aof_rewrite_cpulist: Option<Vec<u8>> = None => row("aof_rewrite_cpulist", text()).immutable();
    /// Processors of the child that saves.
    bgsave_cpulist: Option<Vec<u8>> = None => row("bgsave_cpulist", text()).immutable();

    /// Log every write to the append only file.
    appendonly: bool = false =>
        row("appendonly", ANY).flags(Flags::DENY_LOADING).apply(Apply::AppendOnly);
    /// Base name of the append only files.
    appendfilename: Vec<u8> = b"appendonly.aof".to_vec() =>
        row("appendfilename", Text::checked(checks::appendfilename)).immutable();
    /// Directory of the append only files.
    appenddirname: Vec<u8> = b"appendonlydir".to_vec() =>
        row("appenddirname", Text::checked(checks::appenddirname)).immutable();
    /// When they are forced to disk.
    appendfsync: AppendFsync = AppendFsync::Everysec =>
        row("appendfsync", ()).apply(Apply::AppendFsync);
    /// Not while a child writes.
    no_appendfsync_on_rewrite: bool = false => row("no-appendfsync-on-rewrite", ANY);
    /// Percents of growth after which they are rewritten; 0 is never.
    auto_aof_rewrite_percentage: u32 = 100 =>
        row("auto-aof-rewrite-percentage", plain(0, INT_MAX));
    /// Bytes below which they are not.
    auto_aof_rewrite_min_size: u64 = 64 << 20 =>
        row("auto-aof-rewrite-min-size", memory(0, LONG_MAX));
    /// A file that ends in the middle of a command is loaded up to there.
    aof_load_truncated: bool = true => row("aof-load-truncated", ANY);
    /// The base file is a snapshot.
    aof_use_rdb_preamble: bool = true => row("aof-use-rdb-preamble", ANY);
    /// Note times in the files.
    aof_timestamp_enabled: bool = false => row("aof-timestamp-enabled", ANY);
    /// Write rewritten files to disk bit by bit.
    aof_rewrite_incremental_fsync: bool = true => row("aof-rewrite-incremental-fsync", ANY);
    /// Keep files that are no longer needed.
    aof_disable_auto_gc: bool = false =>
        row("aof-disable-auto-gc", ANY).hidden().apply(Apply::AofAutoGc);

    /// Seconds to wait for replicas before exiting; 0 does not wait.
    shutdown_timeout: u32 = 10 => row("shutdown-timeout", plain(0, INT_MAX));
    /// What SIGINT does.
    shutdown_on_sigint: ShutdownFlags = ShutdownFlags::empty() =>
        row("shutdown-on-sigint", ()).words();
    /// What SIGTERM does.
    shutdown_on_sigterm: ShutdownFlags = ShutdownFlags::empty() =>
        row("shutdown-on-sigterm", ()).words();
    /// Milliseconds after which a script or a module lets others be answered with BUSY; 0 is never.
    busy_reply_threshold: u64 = 5000 =>
        row("busy-reply-threshold", plain(0, LONG_MAX)).alias("lua-time-limit");

    /// This node is part of a cluster.
    cluster_enabled: bool = false => row("cluster-enabled", ANY).immutable();
    /// File of the cluster's state.
    cluster_config_file: Vec<u8> = b"nodes.conf".to_vec() =>
        row("cluster-config-file", text()).immutable();
    /// Milliseconds of silence after which a node is suspected.
    cluster_node_timeout: u64 = 15_000 => row("cluster-node-timeout", plain(0, LONG_MAX));
    /// Milliseconds between pings; 0 derives them from the timeout.
    cluster_ping_interval: u64 = 0 => row("cluster-ping-interval", plain(0, LONG_MAX)).hidden();
    /// Port of the cluster bus; 0 is the client port plus 10000.
    cluster_port: u16 = 0 => row("cluster-port", plain(0, 65535)).immutable();
    /// How stale a replica may be to stand for election; 0 is as it likes.
    cluster_replica_validity_factor: u32 = 10 =>
        row("cluster-replica-validity-factor", plain(0, INT_MAX))
            .alias("cluster-slave-validity-factor");
    /// Replicas that a primary keeps when one moves to an orphan.
    cluster_migration_barrier: u32 = 1 => row("cluster-migration-barrier", plain(0, INT_MAX));
    /// Replicas may move at all, and primaries without slots become replicas.
    cluster_allow_replica_migration: bool = true => row("cluster-allow-replica-migration", ANY);
    /// The cluster is down unless every slot is served.
    cluster_require_full_coverage: bool = true => row("cluster-require-full-coverage", ANY);
    /// This replica never stands for election.
    cluster_replica_no_failover: bool = false => row("cluster-replica-no-failover", ANY)
        .alias("cluster-slave-no-failover").apply(Apply::ClusterFlags);
    /// Reads are answered while the cluster is down.
    cluster_allow_reads_when_down: bool = false => row("cluster-allow-reads-when-down", ANY);
    /// Sharded channels work while the cluster is down.
    cluster_allow_pubsubshard_when_down: bool = true =>
        row("cluster-allow-pubsubshard-when-down", ANY);
    /// Bytes queued for another node before its link is closed; 0 is no limit.
    cluster_link_sendbuf_limit: u64 = 0 =>
        row("cluster-link-sendbuf-limit", memory(0, ULONG_MAX));
    /// Address announced to the cluster.
    cluster_announce_ip: Option<Vec<u8>> = None =>
        row("cluster-announce-ip", text()).apply(Apply::ClusterIp);
    /// Host name announced to the cluster.
    cluster_announce_hostname: Option<Vec<u8>> = None =>
        row("cluster-announce-hostname", Text::checked(checks::announced_hostname))
            .apply(Apply::ClusterHostname);
    /// Human readable name announced to the cluster.
    cluster_announce_human_nodename: Option<Vec<u8>> = None =>
        row("cluster-announce-human-nodename", Text::checked(checks::announced_nodename))
            .apply(Apply::ClusterNodename);
    /// Client port announced to the cluster; 0 is the real one.
    cluster_announce_port: u16 = 0 =>
        row("cluster-announce-port", plain(0, 65535)).apply(Apply::ClusterPorts);
    /// TLS port announced to the cluster; 0 is the real one.
    cluster_announce_tls_port: u16 = 0 =>
        row("cluster-announce-tls-port", plain(0, 65535)).apply(Apply::ClusterPorts);
    /// Bus port announced to the cluster; 0 is the real one.
    cluster_announce_bus_port: u16 = 0 =>
        row("cluster-announce-bus-port", plain(0, 65535)).apply(Apply::ClusterPorts);
    /// What redirections name a node by.
    cluster_preferred_endpoint_type: ClusterEndpointType = ClusterEndpointType::Ip =>
        row("cluster-preferred-endpoint-type", ());

    /// Microseconds from which a command is slow; 0 is every command, negative none.
    slowlog_log_slower_than: i64 = 10_000 => row("slowlog-log-slower-than", plain(-1, LONG_MAX));
    /// Slow commands remembered.
    slowlog_max_len: usize = 128 => row("slowlog-max-len", plain(0, LONG_MAX));
    /// Milliseconds from which an event is a latency spike; 0 watches none.
    latency_monitor_threshold: u64 = 0 =>
        row("latency-monitor-threshold", plain(0, LONG_MAX));
    /// Keep a histogram of every command's latency.
    latency_tracking: bool = true => row("latency-tracking", ANY);
    /// Percentiles of it that INFO shows.
    latency_tracking_info_percentiles: Percentiles = Percentiles(vec![50.0, 99.0, 99.9]) =>
        row("latency-tracking-info-percentiles", ()).words();
    /// Events that are published, and to which channels.
    notify_keyspace_events: EventClass = EventClass::empty() =>
        row("notify-keyspace-events", ());
    /// Keys that client side caching remembers; 0 is no limit.
    tracking_table_max_keys: usize = 1_000_000 =>
        row("tracking-table-max-keys", plain(0, LONG_MAX));

    /// Fields up to which a hash is a listpack.
    hash_max_listpack_entries: usize = 512 =>
        row("hash-max-listpack-entries", plain(0, LONG_MAX)).alias("hash-max-ziplist-entries");
    /// Bytes of the longest field or value of such a hash.
    hash_max_listpack_value: usize = 64 =>
        row("hash-max-listpack-value", memory(0, LONG_MAX)).alias("hash-max-ziplist-value");
    /// Elements of a list's node, or its bytes when negative (-1 is 4kb, -5 is 64kb).
    list_max_listpack_size: i32 = -2 =>
        row("list-max-listpack-size", plain(INT_MIN, INT_MAX)).alias("list-max-ziplist-size");
    /// Nodes at both ends of a list that stay uncompressed; 0 compresses none.
    list_compress_depth: u32 = 0 =>
        row("list-compress-depth", plain(0, INT_MAX)).flags(Flags::DEBUG);
    /// Integers up to which a set is an intset.
    set_max_intset_entries: usize = 512 => row("set-max-intset-entries", plain(0, LONG_MAX));
    /// Members up to which a set is a listpack.
    set_max_listpack_entries: usize = 128 => row("set-max-listpack-entries", plain(0, LONG_MAX));
    /// Bytes of the longest member of such a set.
    set_max_listpack_value: usize = 64 => row("set-max-listpack-value", plain(0, LONG_MAX));
    /// Members up to which a sorted set is a listpack.
    zset_max_listpack_entries: usize = 128 =>
        row("zset-max-listpack-entries", plain(0, LONG_MAX)).alias("zset-max-ziplist-entries");
    /// Bytes of the longest member of such a sorted set.
    zset_max_listpack_value: usize = 64 =>
        row("zset-max-listpack-value", memory(0, LONG_MAX)).alias("zset-max-ziplist-value");
    /// Bytes up to which a HyperLogLog is sparse.
    hll_sparse_max_bytes: usize = 3000 => row("hll-sparse-max-bytes", memory(0, LONG_MAX));
    /// Bytes of a stream's node; 0 is no limit.
    stream_node_max_bytes: usize = 4096 => row("stream-node-max-bytes", memory(0, LONG_MAX));
    /// Entries of a stream's node; 0 is no limit.
    stream_node_max_entries: usize = 100 => row("stream-node-max-entries", plain(0, LONG_MAX));
    /// Rehash in idle time.
    activerehashing: bool = true => row("activerehashing", ANY);
    /// How much a client may leave unread.
    client_output_buffer_limit: OutputLimits = OutputLimits::default() =>
        row("client-output-buffer-limit", ()).words();
    /// Bytes of a client's unprocessed requests.
    client_query_buffer_limit: usize = 1 << 30 =>
        row("client-query-buffer-limit", memory(MIB, LONG_MAX)).flags(Flags::DEBUG);
    /// Bytes of the longest argument and string.
    proto_max_bulk_len: usize = 512 << 20 =>
        row("proto-max-bulk-len", memory(BULK_BYTES_MAX_MIN as i128, LONG_MAX)).flags(Flags::DEBUG);
    /// How often cron runs in a second, 1 to 500.
    hz: u32 = 10 => row("hz", plain(0, INT_MAX)).apply(Apply::Hz);
    /// More often with many clients.
    dynamic_hz: bool = true => row("dynamic-hz", ANY);
    /// The allocator gives memory back in a thread of its own.
    jemalloc_bg_thread: bool = true =>
        row("jemalloc-bg-thread", ANY).apply(Apply::JemallocBgThread);
    /// Move values together in idle time; the allocator cannot tell where that helps.
    activedefrag: bool = false => row("activedefrag", NO_DEFRAG).flags(Flags::DEBUG);
    /// Bytes lost below which defragmentation rests.
    active_defrag_ignore_bytes: usize = 100 << 20 =>
        row("active-defrag-ignore-bytes", memory(1, LONG_MAX));
    /// Percents lost below which it rests.
    active_defrag_threshold_lower: u32 = 10 =>
        row("active-defrag-threshold-lower", plain(0, 1000));
    /// Percents lost at which it works hardest.
    active_defrag_threshold_upper: u32 = 100 =>
        row("active-defrag-threshold-upper", plain(0, 1000));
    /// Least percents of processor time it takes.
    active_defrag_cycle_min: u32 = 1 => row("active-defrag-cycle-min", plain(1, 99));
    /// Most percents of processor time it takes.
    active_defrag_cycle_max: u32 = 25 => row("active-defrag-cycle-max", plain(1, 99));
    /// Elements up to which a value is moved at once.
    active_defrag_max_scan_fields: usize = 1000 =>
        row("active-defrag-max-scan-fields", plain(1, LONG_MAX));
}
