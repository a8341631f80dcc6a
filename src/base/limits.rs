//! Every bound of the program in one file, related by const asserts. Bounds that a user may change
//! are directives (see `config`); these are the fixed ones.

/// Longest inline request, and longest header line of a multibulk request (Redis:
/// PROTO_INLINE_MAX_SIZE).
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Most arguments of one multibulk request (Redis: INT_MAX).
pub const MULTIBULK_ARGS_MAX: i64 = i32::MAX as i64;
/// Most arguments of a multibulk request before authentication.
pub const UNAUTHENTICATED_ARGS_MAX: i64 = 10;
/// Longest bulk argument before authentication, in bytes.
pub const UNAUTHENTICATED_BULK_BYTES_MAX: i64 = 16 * 1024;
/// Longest query buffer before authentication, in bytes.
pub const UNAUTHENTICATED_QUERY_BYTES_MAX: usize = 1024 * 1024;
/// Longest bulk argument that every client may send after authentication: the least that
/// proto-max-bulk-len can be.
pub const BULK_BYTES_MAX_MIN: i64 = 1024 * 1024;
/// A bulk argument of at least this many bytes gets its buffer reserved in one step (Redis:
/// PROTO_MBULK_BIG_ARG).
pub const BIG_ARG_BYTES: usize = 32 * 1024;
/// Most bytes reserved in one step for an announced bulk argument, until as many of it have
/// arrived.
pub const BIG_ARG_RESERVE_BYTES: usize = 1024 * 1024;
/// Bytes asked of a socket in one read, and size of a busy client's query buffer (Redis:
/// PROTO_IOBUF_LEN).
pub const READ_CHUNK_BYTES: usize = 16 * 1024;
/// A query buffer over this size shrinks to its peak use (Redis: PROTO_RESIZE_THRESHOLD).
pub const QUERY_SHRINK_BYTES: usize = 32 * 1024;
/// A query buffer without input is freed after so long without a request.
pub const QUERY_IDLE_MS: u64 = 2000;
/// Requests parsed ahead before the first of them runs.
pub const PIPELINE_BATCH: usize = 16;
/// Requests of one client that run in one turn before the others get theirs.
pub const REQUESTS_PER_TURN: usize = 1024;
/// Bytes written to one client in one turn (Redis: NET_MAX_WRITES_PER_EVENT).
pub const WRITE_BYTES_PER_TURN: usize = 1024 * 1024;
/// Bytes of replies from which on a client's further requests wait for its next turn, after what it
/// has was sent: pipelines of big replies would fill memory that is touched once, and never cached.
pub const REPLY_BYTES_PER_TURN: usize = 256 * 1024;
/// Size of a client's reply buffer when busy (Redis: PROTO_REPLY_CHUNK_BYTES).
pub const REPLY_CHUNK_BYTES: usize = 16 * 1024;
/// Smallest reply buffer an idle client keeps (Redis: PROTO_REPLY_MIN_BYTES).
pub const REPLY_MIN_BYTES: usize = 1024;
/// Pushes of at least so many bytes are shared by their receivers instead of copied.
pub const SHARED_PUSH_BYTES_MIN: usize = 4 * 1024;
/// So are pushes of at least so many bytes for which a reply buffer would have to grow.
pub const SHARED_OVERFLOW_BYTES_MIN: usize = 512;
/// Room that is kept for pushes to the client whose command runs.
pub const KEPT_PUSHES_BYTES_MAX: usize = 16 * 1024;
/// A client with more output than so many bytes is sent its messages without waiting for more.
pub const WAITING_PUSHES_BYTES_MAX: usize = REPLY_CHUNK_BYTES;
/// Turns that messages wait for more, as long as each of them has something to serve.
pub const WAITING_PUSHES_TURNS_MAX: u32 = 8;
/// Connections accepted per listener and turn (Redis: MAX_ACCEPTS_PER_CALL).
pub const ACCEPTS_PER_TURN: usize = 1000;
/// File descriptors kept for files, listeners and the like (Redis: CONFIG_MIN_RESERVED_FDS).
pub const RESERVED_FDS: u64 = 32;
/// Bytes of all configuration read at once: a file, what a pattern includes, standard input.
pub const CONFIG_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Configuration files within configuration files.
pub const CONFIG_INCLUDE_DEPTH_MAX: usize = 32;
/// Included configuration files in all.
pub const CONFIG_INCLUDES_MAX: usize = 4096;
/// Slots of a cluster.
pub const SLOTS: usize = 16_384;
/// A string lies next to its key while the whole record is at most this long.
pub const RECORD_INLINE_BYTES_MAX: usize = 512;
/// Longest string that OBJECT ENCODING calls `embstr` (Redis: OBJ_ENCODING_EMBSTR_SIZE_LIMIT).
pub const EMBSTR_BYTES_MAX: usize = 44;
/// Lazy freeing is for values of more allocations than this (Redis: LAZYFREE_THRESHOLD).
pub const LAZYFREE_THRESHOLD: usize = 64;
/// Whatever has more allocations than this is freed by the helper, asked for or not, so that the
/// loop does not stop.
pub const FREE_NOW_EFFORT_MAX: usize = 512;
/// So is whatever has more bytes than this.
pub const FREE_NOW_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest time that active expiry works before the loop gets its turn, in microseconds.
pub const EXPIRE_SLICE_US: u64 = 500;
/// Fields of one hash that expire in one go, which takes a fraction of that time.
pub const FIELDS_EXPIRED_PER_STEP: usize = 300;
/// Longest packet of the cluster bus: a channel and a message of the longest string each.
pub const BUS_PACKET_BYTES_MAX: usize = 1024 * 1024 * 1024 + 64 * 1024;
/// Longest packet that carries no message: a heartbeat with as much gossip as it can count.
pub const BUS_PLAIN_PACKET_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Longest host name or human readable name of a node (Redis: NET_HOST_STR_LEN less one).
pub const NODE_NAME_BYTES_MAX: usize = 255;
/// Links of the bus that may wait at once for their first packet from a known node.
pub const BUS_UNKNOWN_LINKS_MAX: usize = 1024;
/// Most bytes that wait to be sent to someone who is no known node.
pub const BUS_UNKNOWN_LINK_BYTES_MAX: usize = 1024 * 1024;
/// Handshakes under way that others asked for.
pub const HANDSHAKES_MAX: usize = 4096;
/// Nodes that must not be added again, at once.
pub const FORGOTTEN_NODES_MAX: usize = 1024;
/// Longest time that a node must not be added again.
pub const FORGOTTEN_SECONDS_MAX: u64 = 3600;
/// Longest nodes.conf: as many nodes as a node keeps track of, and every slot on its own.
pub const NODES_CONF_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes read from one link of the bus in one turn.
pub const BUS_READ_BYTES_PER_TURN: usize = 64 * 1024;
/// Bytes written to one link of the bus in one turn.
pub const BUS_WRITE_BYTES_PER_TURN: usize = 256 * 1024;
/// Packets of one link that are processed in one turn.
pub const BUS_PACKETS_PER_TURN: usize = 64;
/// Links of the bus accepted per listener and turn (Redis: MAX_CLUSTER_ACCEPTS_PER_CALL).
pub const BUS_ACCEPTS_PER_TURN: usize = 1000;
/// Longest packet of someone who is no known node yet: a heartbeat of a cluster of 20,000 nodes.
pub const BUS_UNKNOWN_PACKET_BYTES_MAX: usize = 256 * 1024;
/// How long a link may at least stay open on which no known node has sent a packet.
pub const BUS_UNKNOWN_LINK_MS: u64 = 10_000;
/// Bytes of requests that MIGRATE keeps ready for its target, as long as no single key needs more.
pub const MIGRATE_CHUNK_BYTES: usize = 64 * 1024;
/// Longest line that MIGRATE takes for a reply of its target.
pub const MIGRATE_REPLY_BYTES_MAX: usize = 16 * 1024;
/// Connections to targets that MIGRATE keeps for its next call (Redis: MIGRATE_SOCKET_CACHE_ITEMS).
pub const MIGRATE_SOCKETS_MAX: usize = 64;
/// They are closed after so long without use (Redis: MIGRATE_SOCKET_CACHE_TTL).
pub const MIGRATE_SOCKET_IDLE_S: u64 = 10;
/// Longest time that a load works before the loop gets its turn, in microseconds.
pub const LOAD_SLICE_US: u64 = 20_000;
/// Bytes of a snapshot that are read ahead for a client that asked for it.
pub const SYNC_CHUNK_BYTES: usize = 256 * 1024;
/// Bytes of a snapshot after which the disk begins to take them (Redis: REDIS_AUTOSYNC_BYTES), and
/// how many of them are waited for together.
pub const RDB_SYNC_BYTES: u64 = 4 * 1024 * 1024;
/// Pieces of that size that may be on their way to the disk.
pub const RDB_SYNC_PIECES: u64 = 16;
/// Bytes of an RDB file that are read, or written, at once, unless a value is longer.
pub const RDB_PIECE_BYTES: usize = 64 * 1024;

/// How deep the tables may be nested that a script returns (Redis: what Lua's stack has room for).
pub const SCRIPT_REPLY_DEPTH_MAX: usize = 1000;
/// Instructions of a script between two looks at the clock.
pub const SCRIPT_INSTRUCTIONS_PER_TICK: u32 = 100_000;
/// Arguments of a script that go by Lua's stack; more of them become tables before.
pub const SCRIPT_ARGS_ON_STACK: usize = 64;
/// Longest time that a function library may take to register its functions (Redis:
/// LOAD_TIMEOUT_MS).
pub const LIBRARY_LOAD_MS: u64 = 500;
/// How deep cjson follows tables, and what is to become tables.
pub const CJSON_DEPTH_MAX: usize = 1000;
/// How deep what cmsgpack makes tables of may be nested.
pub const CMSGPACK_UNPACK_DEPTH_MAX: usize = 1000;
/// How deep cmsgpack follows tables (Redis: LUACMSGPACK_MAX_NESTING).
pub const CMSGPACK_DEPTH_MAX: usize = 16;

const _: () = assert!(LAZYFREE_THRESHOLD < FREE_NOW_EFFORT_MAX);
const _: () = assert!(BIG_ARG_BYTES <= BIG_ARG_RESERVE_BYTES);
const _: () = assert!(UNAUTHENTICATED_BULK_BYTES_MAX < BIG_ARG_BYTES as i64);
const _: () = assert!(READ_CHUNK_BYTES < QUERY_SHRINK_BYTES);
const _: () = assert!(EMBSTR_BYTES_MAX < RECORD_INLINE_BYTES_MAX);
const _: () = assert!(RECORD_INLINE_BYTES_MAX < u16::MAX as usize);
const _: () = assert!(REPLY_MIN_BYTES < REPLY_CHUNK_BYTES);
const _: () = assert!(REPLY_CHUNK_BYTES < REPLY_BYTES_PER_TURN);
const _: () = assert!(REPLY_BYTES_PER_TURN < WRITE_BYTES_PER_TURN);
const _: () = assert!(PIPELINE_BATCH <= REQUESTS_PER_TURN);
const _: () = assert!(BUS_PLAIN_PACKET_BYTES_MAX < BUS_PACKET_BYTES_MAX);
const _: () = assert!(BUS_PACKET_BYTES_MAX < u32::MAX as usize);
const _: () = assert!(BUS_UNKNOWN_PACKET_BYTES_MAX < BUS_PLAIN_PACKET_BYTES_MAX);
