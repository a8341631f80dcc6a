//! MEMORY: what memory is used for, and what is wrong with it.

mod doctor;

use crate::base::alloc;
use crate::core::memory::MemoryUsage;
use crate::core::system::System;
use crate::dispatch::Context;
use crate::dispatch::cursor::parse_i64;
use crate::dispatch::declare::*;
use crate::resp::{Error, Reply};

/// What a key takes in its table: one of the seven places of a bucket of 64 bytes.
const TABLE_BYTES_PER_KEY: usize = 64usize.div_ceil(7);

/// MEMORY DOCTOR
pub fn memory_doctor(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.note_memory_peak();
    let usage = ctx.core.memory_usage(Some(ctx.client));
    let clients = ctx.core.clients.len();
    let report = doctor::report(&usage, &ctx.core.system, clients);
    ctx.client.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// MEMORY HELP
pub fn memory_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "MEMORY",
        &[
            "DOCTOR",
            "    Return memory problems reports.",
            "MALLOC-STATS",
            "    Return internal statistics report from the memory allocator.",
            "PURGE",
            "    Attempt to purge dirty pages for reclamation by the allocator.",
            "STATS",
            "    Return information about the memory usage of the server.",
            "USAGE <key> [SAMPLES <count>]",
            "    Return memory in bytes used by <key> and its value. Nested values are",
            "    sampled up to <count> times (default: 5, 0 means sample all).",
        ],
    );
    Ok(())
}

/// MEMORY MALLOC-STATS
pub fn memory_malloc_stats(ctx: &mut Context<'_>) -> Result<(), Error> {
    let reply = &mut ctx.client.reply;
    match alloc::report() {
        Some(report) => reply.verbatim("txt", &report),
        None => reply.bulk(b"Stats not supported for the current allocator"),
    }
    Ok(())
}

/// MEMORY PURGE
pub fn memory_purge(ctx: &mut Context<'_>) -> Result<(), Error> {
    alloc::purge();
    ctx.client.reply.ok();
    Ok(())
}

/// MEMORY STATS
pub fn memory_stats(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.core.note_memory_peak();
    let usage = ctx.core.memory_usage(Some(ctx.client));
    let reply = &mut ctx.client.reply;
    let begun = reply.map_deferred();
    let mut fields = 0;
    fields += usage_fields(reply, &usage);
    fields += system_fields(reply, &ctx.core.system);
    reply.end(begun, fields);
    Ok(())
}

fn field(reply: &mut Reply, name: &str, value: i64) -> usize {
    reply.bulk(name.as_bytes());
    reply.int(value);
    1
}

/// A share or ratio, in the single precision that Redis computes it with.
fn share(reply: &mut Reply, name: &str, value: f64) -> usize {
    reply.bulk(name.as_bytes());
    reply.double(f64::from(value as f32));
    1
}

fn usage_fields(reply: &mut Reply, usage: &MemoryUsage) -> usize {
    let before_dbs = [
        ("peak.allocated", usage.peak_bytes),
        ("total.allocated", usage.used_bytes),
        ("startup.allocated", usage.startup_bytes),
        ("replication.backlog", 0),
        ("clients.slaves", 0),
        ("clients.normal", usage.clients_bytes),
        ("cluster.links", usage.cluster_links_bytes),
        ("aof.buffer", 0),
        ("lua.caches", usage.scripts_bytes),
        ("functions.caches", usage.libraries_bytes),
    ];
    let mut fields: usize = before_dbs.iter().map(|(n, v)| field(reply, n, *v as i64)).sum();
    for db in &usage.dbs {
        reply.bulk(format!("db.{}", db.db).as_bytes());
        reply.map(3);
        field(reply, "overhead.hashtable.main", db.keys_table_bytes as i64);
        field(reply, "overhead.hashtable.expires", db.expires_table_bytes as i64);
        field(reply, "overhead.hashtable.slot-to-keys", 0);
        fields += 1;
    }
    let after_dbs = [
        ("overhead.total", usage.overhead_bytes()),
        ("keys.count", usage.keys),
        ("keys.bytes-per-key", usage.bytes_per_key()),
        ("dataset.bytes", usage.dataset_bytes()),
    ];
    fields += after_dbs.iter().map(|(n, v)| field(reply, n, *v as i64)).sum::<usize>();
    fields += share(reply, "dataset.percentage", usage.dataset_percent());
    fields + share(reply, "peak.percentage", usage.peak_percent())
}

fn system_fields(reply: &mut Reply, system: &System) -> usize {
    let mut fields = field(reply, "allocator.allocated", system.allocator.allocated as i64);
    fields += field(reply, "allocator.active", system.allocator.active as i64);
    fields += field(reply, "allocator.resident", system.allocator.resident as i64);
    let rows = [
        ("allocator-fragmentation.ratio", "allocator-fragmentation.bytes", system.allocator_frag()),
        ("allocator-rss.ratio", "allocator-rss.bytes", system.allocator_rss()),
        ("rss-overhead.ratio", "rss-overhead.bytes", system.rss_overhead()),
        ("fragmentation", "fragmentation.bytes", system.fragmentation()),
    ];
    for (ratio_name, bytes_name, excess) in rows {
        fields += share(reply, ratio_name, excess.ratio);
        fields += field(reply, bytes_name, excess.bytes);
    }
    fields
}

/// MEMORY USAGE key [SAMPLES count]
pub fn memory_usage(ctx: &mut Context<'_>) -> Result<(), Error> {
    let mut options = ctx.cursor(3);
    while options.remaining() > 0 {
        // Strings are measured whole, so that the number of samples makes no difference.
        if !options.take_word("SAMPLES") || parse_i64(options.expect()?)? < 0 {
            return Err(Error::Syntax);
        }
    }
    let key = ctx.key(2);
    let reply = &mut ctx.client.reply;
    match ctx.core.keyspace.peek_stored(ctx.client.db, &key) {
        Some(record) => {
            let tables = 1 + usize::from(record.has_expire());
            reply.int((record.heap_bytes() + tables * TABLE_BYTES_PER_KEY) as i64);
        }
        None => reply.null(),
    }
    Ok(())
}

const MEMORY_SUBCOMMANDS: &[Command] = &[
    Command::new("memory|doctor", 2, memory_doctor)
        .summary("Reports problems with memory in plain words.")
        .since("4.0.0", Group::Server)
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    Command::new("memory|help", 2, memory_help)
        .summary("Describes the subcommands.")
        .since("4.0.0", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("memory|malloc-stats", 2, memory_malloc_stats)
        .summary("Gives the statistics of the allocator.")
        .since("4.0.0", Group::Server)
        .complexity("Depends on the allocator")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    Command::new("memory|purge", 2, memory_purge)
        .summary("Asks the allocator to give back unused memory.")
        .since("4.0.0", Group::Server)
        .complexity("Depends on the allocator")
        .tips(&["request_policy:all_shards", "response_policy:all_succeeded"]),
    Command::new("memory|stats", 2, memory_stats)
        .summary("Tells what memory is used for.")
        .since("4.0.0", Group::Server)
        .complexity("O(1)")
        .tips(&["nondeterministic_output", "request_policy:all_shards", "response_policy:special"]),
    Command::new("memory|usage", -3, memory_usage)
        .summary("Estimates the bytes that a key and its value take.")
        .syntax("key [SAMPLES count]")
        .since("4.0.0", Group::Server)
        .complexity("O(N), N samples")
        .flags(&[READONLY])
        .keys(&[KeySpec::key(2, &[RO])]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::container("memory", MEMORY_SUBCOMMANDS)
    .summary("Container of commands about memory.")
    .since("4.0.0", Group::Server)
    .complexity("Depends on the subcommand")];
