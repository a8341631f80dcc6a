//! CLUSTER, ASKING, READONLY and READWRITE. Handlers parse and reply; what the cluster is and does
//! is the business of `cluster/`.

mod admin;
mod describe;
mod info;

use admin::*;
use describe::*;
use info::*;

use crate::base::limits::SLOTS;
use crate::cluster::{AdminError, Cluster, Env, NodeFlags};
use crate::core::Core;
use crate::core::client::ClientFlags;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::keyspace::Slot;
use crate::resp::{Error, Reply};

/// Where the arguments of a subcommand begin.
const FIRST: usize = 2;

/// No connection of a client uses TLS.
const TLS: bool = false;

// ---- what the files of this family share

/// The cluster; Redis's refusal where there is none.
fn cluster<'c>(ctx: &'c Context<'_>) -> Result<&'c Cluster, Error> {
    ctx.core.cluster.as_deref().ok_or(Error::ClusterDisabled)
}

fn cluster_mut<'c>(ctx: &'c mut Context<'_>) -> Result<&'c mut Cluster, Error> {
    ctx.core.cluster.as_deref_mut().ok_or(Error::ClusterDisabled)
}

/// The cluster, and where its description is replied to.
fn parts<'c>(ctx: &'c mut Context<'_>) -> Result<(&'c Cluster, &'c mut Reply), Error> {
    let cluster = ctx.core.cluster.as_deref().ok_or(Error::ClusterDisabled)?;
    Ok((cluster, &mut ctx.client.reply))
}

/// Runs an operation on the cluster, and replies OK.
fn change(
    ctx: &mut Context<'_>,
    operation: impl FnOnce(&mut Cluster, Env<'_>) -> Result<(), AdminError>,
) -> Result<(), Error> {
    let Core { cluster, keyspace, now, .. } = &mut *ctx.core;
    let cluster = cluster.as_deref_mut().ok_or(Error::ClusterDisabled)?;
    operation(cluster, Env { now_ms: now.ms(), keys: keyspace }).map_err(refused)?;
    ctx.client.reply.ok();
    Ok(())
}

fn refused(error: AdminError) -> Error {
    Error::err(error)
}

/// Arguments that no form of the subcommand has.
fn wrong_shape(ctx: &Context<'_>) -> Error {
    Error::subcommand_syntax("CLUSTER", ctx.args.at(1))
}

// ---- the client's own connection

/// ASKING
pub fn asking(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    ctx.client.flags |= ClientFlags::ASKING;
    ctx.client.reply.ok();
    Ok(())
}

/// READONLY
pub fn readonly(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    ctx.client.flags |= ClientFlags::READONLY;
    ctx.client.reply.ok();
    Ok(())
}

/// READWRITE
pub fn readwrite(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    ctx.client.flags -= ClientFlags::READONLY;
    ctx.client.reply.ok();
    Ok(())
}

// ---- keys and slots

/// CLUSTER KEYSLOT key
pub fn cluster_keyslot(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    let slot = Slot::of_key(ctx.args.at(FIRST));
    ctx.client.reply.int(slot.0.into());
    Ok(())
}

/// CLUSTER COUNTKEYSINSLOT slot
pub fn cluster_countkeysinslot(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    let slot = parse_i64(ctx.args.at(FIRST))?;
    let slot = slot_of_number(slot).ok_or_else(|| Error::err("Invalid slot"))?;
    let count = ctx.core.keyspace.count_in_slot(0, slot);
    ctx.client.reply.int(count as i64);
    Ok(())
}

/// CLUSTER GETKEYSINSLOT slot count
pub fn cluster_getkeysinslot(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    let slot = parse_i64(ctx.args.at(FIRST))?;
    let count = parse_i64(ctx.args.at(FIRST + 1))?;
    let (Some(slot), Ok(count)) = (slot_of_number(slot), usize::try_from(count)) else {
        return Err(Error::err("Invalid slot or number of keys"));
    };
    let keyspace = &ctx.core.keyspace;
    let count = count.min(keyspace.count_in_slot(0, slot));
    ctx.client.reply.array(count);
    for record in keyspace.iter_slot(0, slot).take(count) {
        ctx.client.reply.bulk(record.key());
    }
    Ok(())
}

fn slot_of_number(n: i64) -> Option<Slot> {
    u16::try_from(n).ok().filter(|&n| usize::from(n) < SLOTS).map(Slot)
}

// ---- nodes

/// CLUSTER MYID
pub fn cluster_myid(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    reply.bulk(cluster.me().id.as_bytes());
    Ok(())
}

/// CLUSTER MYSHARDID
pub fn cluster_myshardid(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    reply.bulk(cluster.me().shard.as_bytes());
    Ok(())
}

/// CLUSTER NODES
pub fn cluster_nodes(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    reply.verbatim("txt", cluster.describe_nodes(NodeFlags::empty(), TLS).as_bytes());
    Ok(())
}

/// CLUSTER REPLICAS node
pub fn cluster_replicas(ctx: &mut Context<'_>) -> Result<(), Error> {
    let id = ctx.args.at(FIRST);
    let (cluster, reply) = parts(ctx)?;
    let primary = cluster.expect_primary(id).map_err(refused)?;
    let replicas: Vec<_> = cluster.replicas_of(primary).collect();
    reply.array(replicas.len());
    for replica in replicas {
        reply.bulk(cluster.describe_node(replica, TLS).as_bytes());
    }
    Ok(())
}

/// CLUSTER SLAVES node
pub fn cluster_slaves(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster_replicas(ctx)
}

/// CLUSTER HELP
pub fn cluster_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    cluster(ctx)?;
    ctx.client.reply.help("CLUSTER", HELP);
    Ok(())
}

const HELP: &[&str] = &[
    "ADDSLOTS <slot> [<slot> ...]",
    "    Assign slots to current node.",
    "ADDSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Assign slots which are between <start-slot> and <end-slot> to current node.",
    "BUMPEPOCH",
    "    Advance the cluster config epoch.",
    "COUNT-FAILURE-REPORTS <node-id>",
    "    Return number of failure reports for <node-id>.",
    "COUNTKEYSINSLOT <slot>",
    "    Return the number of keys in <slot>.",
    "DELSLOTS <slot> [<slot> ...]",
    "    Delete slots information from current node.",
    "DELSLOTSRANGE <start slot> <end slot> [<start slot> <end slot> ...]",
    "    Delete slots information which are between <start-slot> and <end-slot> from current node.",
    "FAILOVER [FORCE|TAKEOVER]",
    "    Promote current replica node to being a master.",
    "FORGET <node-id>",
    "    Remove a node from the cluster.",
    "GETKEYSINSLOT <slot> <count>",
    "    Return key names stored by current node in a slot.",
    "FLUSHSLOTS",
    "    Delete current node own slots information.",
    "INFO",
    "    Return information about the cluster.",
    "KEYSLOT <key>",
    "    Return the hash slot for <key>.",
    "MEET <ip> <port> [<bus-port>]",
    "    Connect nodes into a working cluster.",
    "MYID",
    "    Return the node id.",
    "MYSHARDID",
    "    Return the node's shard id.",
    "NODES",
    "    Return cluster configuration seen by node. Output format:",
    "    <id> <ip:port@bus-port[,hostname]> <flags> <master> <pings> <pongs> <epoch> <link> \
     <slot> ...",
    "REPLICATE <node-id>",
    "    Configure current node as replica to <node-id>.",
    "RESET [HARD|SOFT]",
    "    Reset current node (default: soft).",
    "SET-CONFIG-EPOCH <epoch>",
    "    Set config epoch of current node.",
    "SETSLOT <slot> (IMPORTING <node-id>|MIGRATING <node-id>|STABLE|NODE <node-id>)",
    "    Set slot state.",
    "REPLICAS <node-id>",
    "    Return <node-id> replicas.",
    "SAVECONFIG",
    "    Force saving cluster configuration on disk.",
    "SLOTS",
    "    Return information about slots range mappings. Each range is made of:",
    "    start, end, master and replicas IP addresses, ports and ids",
    "SHARDS",
    "    Return information about slot range mappings and the nodes associated with them.",
    "LINKS",
    "    Return information about all network links between this node and its peers.",
    "    Output format is an array where each array element is a map containing attributes of a \
     link",
];

const CLUSTER_SUBCOMMANDS: &[Command] = &[
    Command::new("cluster|addslots", -3, cluster_addslots)
        .summary("Gives slots that nobody owns to the node.")
        .syntax("slot...")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|addslotsrange", -4, cluster_addslotsrange)
        .summary("Gives ranges of slots that nobody owns to the node.")
        .syntax("<start-slot end-slot>:range...")
        .since("7.0.0", Group::Cluster)
        .complexity("O(N), N slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|bumpepoch", 2, cluster_bumpepoch)
        .summary("Gives the node the greatest config epoch.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|count-failure-reports", 3, cluster_count_failure_reports)
        .summary("Counts the nodes that say that a node does not answer.")
        .syntax("node-id")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N reports")
        .flags(&[ADMIN, STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|countkeysinslot", 3, cluster_countkeysinslot)
        .summary("Counts the keys of a slot.")
        .syntax("slot")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[STALE]),
    Command::new("cluster|delslots", -3, cluster_delslots)
        .summary("Forgets who owns slots.")
        .syntax("slot...")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|delslotsrange", -4, cluster_delslotsrange)
        .summary("Forgets who owns ranges of slots.")
        .syntax("<start-slot end-slot>:range...")
        .since("7.0.0", Group::Cluster)
        .complexity("O(N), N slots")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|failover", -2, cluster_failover)
        .summary("Makes a replica take the place of its primary.")
        .syntax("[FORCE | TAKEOVER]:options")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|flushslots", 2, cluster_flushslots)
        .summary("Makes all slots of the node unowned.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|forget", 3, cluster_forget)
        .summary("Removes a node from the view of this one.")
        .syntax("node-id")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|getkeysinslot", 4, cluster_getkeysinslot)
        .summary("Lists keys of a slot.")
        .syntax("slot count")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N keys asked for")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|help", 2, cluster_help)
        .summary("Describes the subcommands.")
        .since("5.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("cluster|info", 2, cluster_info)
        .summary("Gives facts and counters of the cluster.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|keyslot", 3, cluster_keyslot)
        .summary("Gives the slot of a key.")
        .syntax("key:string")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N bytes of the key")
        .flags(&[STALE]),
    Command::new("cluster|links", 2, cluster_links)
        .summary("Describes the connections of the cluster bus.")
        .since("7.0.0", Group::Cluster)
        .complexity("O(N), N nodes")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|meet", -4, cluster_meet)
        .summary("Makes the node known to another, and that one to it.")
        .syntax("ip port [cluster-bus-port]@4.0.0")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|myid", 2, cluster_myid)
        .summary("Gives the id of the node.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[STALE]),
    Command::new("cluster|myshardid", 2, cluster_myshardid)
        .summary("Gives the id of the shard that the node belongs to.")
        .since("7.2.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|nodes", 2, cluster_nodes)
        .summary("Describes all nodes, one per line.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N nodes")
        .flags(&[STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|replicas", 3, cluster_replicas)
        .summary("Describes the replicas of a primary, one per line.")
        .syntax("node-id")
        .since("5.0.0", Group::Cluster)
        .complexity("O(N), N replicas")
        .flags(&[ADMIN, STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|replicate", 3, cluster_replicate)
        .summary("Makes the node a replica of another.")
        .syntax("node-id")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|reset", -2, cluster_reset)
        .summary("Makes the node one that is alone and owns nothing.")
        .syntax("[HARD | SOFT]:reset-type")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N nodes; more where keys are deleted")
        .flags(&[ADMIN, NOSCRIPT, STALE]),
    Command::new("cluster|saveconfig", 2, cluster_saveconfig)
        .summary("Writes nodes.conf at once.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|set-config-epoch", 3, cluster_set_config_epoch)
        .summary("Sets the config epoch of a new node.")
        .syntax("config-epoch")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|setslot", -4, cluster_setslot)
        .summary("Says where a slot is moved to or from, or whom it belongs to.")
        .syntax(
            "slot <IMPORTING node-id:importing | MIGRATING node-id:migrating | NODE node-id:node \
             | STABLE>:subcommand",
        )
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[ADMIN, STALE, NO_ASYNC_LOADING]),
    Command::new("cluster|shards", 2, cluster_shards)
        .summary("Describes the shards, their slots and their nodes.")
        .since("7.0.0", Group::Cluster)
        .complexity("O(N), N nodes")
        .flags(&[LOADING, STALE])
        .tips(&["nondeterministic_output"]),
    Command::new("cluster|slaves", 3, cluster_slaves)
        .summary("Describes the replicas of a primary, one per line.")
        .syntax("node-id")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N replicas")
        .flags(&[ADMIN, STALE])
        .tips(&["nondeterministic_output"])
        .deprecated("5.0.0", "`CLUSTER REPLICAS`"),
    Command::new("cluster|slots", 2, cluster_slots)
        .summary("Tells which nodes serve which slots.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(N), N nodes")
        .flags(&[LOADING, STALE])
        .tips(&["nondeterministic_output"])
        .deprecated("7.0.0", "`CLUSTER SHARDS`"),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[
    Command::new("asking", 1, asking)
        .summary("Lets the next command use a slot that is on its way to this node.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[FAST, SAYS_ASKING])
        .categories(&[CONNECTION]),
    Command::container("cluster", CLUSTER_SUBCOMMANDS)
        .summary("Container of commands about the cluster.")
        .since("3.0.0", Group::Cluster)
        .complexity("Depends on the subcommand"),
    Command::new("readonly", 1, readonly)
        .summary("Lets the connection read from a replica.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .categories(&[CONNECTION]),
    Command::new("readwrite", 1, readwrite)
        .summary("Ends what READONLY began.")
        .since("3.0.0", Group::Cluster)
        .complexity("O(1)")
        .flags(&[LOADING, STALE, FAST])
        .categories(&[CONNECTION]),
];
