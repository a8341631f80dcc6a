//! INFO of what the node has done so far.

use super::Page;
use crate::base::clock;
use crate::core::pubsub::Kind;
use crate::core::rates::Rate;
use crate::core::{Client, Core};

pub(super) fn stats(core: &Core, _: Option<&Client>, page: &mut Page) {
    traffic(core, page);
    keys(core, page);
    page.field("pubsub_channels", core.pubsub.len(Kind::Channel));
    page.field("pubsub_patterns", core.pubsub.len(Kind::Pattern));
    page.field("pubsubshard_channels", core.pubsub.len(Kind::Shard));
    page.field("latest_fork_usec", core.snapshots.last_fork_us);
    page.field("total_forks", core.snapshots.forks);
    page.field("migrate_cached_sockets", core.peers.kept());
    page.zero(&[
        "slave_expires_tracked_keys",
        "active_defrag_hits",
        "active_defrag_misses",
        "active_defrag_key_hits",
        "active_defrag_key_misses",
        "total_active_defrag_time",
        "current_active_defrag_time",
    ]);
    page.field("tracking_total_keys", core.tracking.keys());
    page.field("tracking_total_items", core.tracking.items());
    page.field("tracking_total_prefixes", core.tracking.prefixes());
    page.zero(&["unexpected_error_replies"]);
    page.field("total_error_replies", core.stats.errors_total);
    page.field("dump_payload_sanitizations", core.stats.dump_payload_sanitizations);
    turns(core, page);
    page.field("acl_access_denied_auth", core.stats.acl_denied_auth);
    page.zero(&["acl_access_denied_cmd", "acl_access_denied_key", "acl_access_denied_channel"]);
}

fn traffic(core: &Core, page: &mut Page) {
    let (stats, rates) = (&core.stats, &core.rates);
    let kilobytes = |rate: &Rate| format!("{:.2}", rate.mean() as f64 / 1024.0);
    page.field("total_connections_received", stats.connections_received);
    page.field("total_commands_processed", stats.commands_processed);
    page.field("instantaneous_ops_per_sec", rates.commands.mean());
    page.field("total_net_input_bytes", stats.net_input_bytes);
    page.field("total_net_output_bytes", stats.net_output_bytes);
    page.zero(&["total_net_repl_input_bytes", "total_net_repl_output_bytes"]);
    page.field("instantaneous_input_kbps", kilobytes(&rates.net_input));
    page.field("instantaneous_output_kbps", kilobytes(&rates.net_output));
    page.field("instantaneous_input_repl_kbps", "0.00");
    page.field("instantaneous_output_repl_kbps", "0.00");
    page.field("rejected_connections", stats.connections_rejected);
    page.field("sync_full", stats.full_syncs);
    page.zero(&["sync_partial_ok", "sync_partial_err"]);
}

fn keys(core: &Core, page: &mut Page) {
    let stats = core.keyspace.stats();
    // Time above maxmemory that has not ended yet.
    let exceeded_since = stats.eviction_exceeded_since_us;
    let exceeded_us = exceeded_since.map_or(0, |since| clock::monotonic_us().saturating_sub(since));
    page.field("expired_keys", stats.expired_keys);
    page.field("expired_subkeys", stats.expired_subkeys);
    page.field("expired_stale_perc", format_args!("{:.2}", stats.expired_stale_share * 100.0));
    page.field("expired_time_cap_reached_count", stats.expired_time_cap_reached);
    page.field("expire_cycle_cpu_milliseconds", stats.expire_cycle_us / 1000);
    page.field("evicted_keys", stats.evicted_keys);
    page.field("evicted_clients", core.stats.evicted_clients);
    page.field("total_eviction_exceeded_time", (stats.eviction_exceeded_us + exceeded_us) / 1000);
    page.field("current_eviction_exceeded_time", exceeded_us / 1000);
    page.field("keyspace_hits", stats.hits);
    page.field("keyspace_misses", stats.misses);
}

fn turns(core: &Core, page: &mut Page) {
    let (stats, rates) = (&core.stats, &core.rates);
    page.field("total_reads_processed", stats.reads_processed);
    page.field("total_writes_processed", stats.writes_processed);
    page.zero(&["io_threaded_reads_processed", "io_threaded_writes_processed"]);
    page.field("reply_buffer_shrinks", stats.reply_buffer_shrinks);
    page.field("reply_buffer_expands", stats.reply_buffer_expands);
    page.field("eventloop_cycles", stats.loop_turns);
    page.field("eventloop_duration_sum", stats.loop_nanos / 1000);
    page.field("eventloop_duration_cmd_sum", stats.command_nanos / 1000);
    page.field("instantaneous_eventloop_cycles_per_sec", rates.turns.mean());
    page.field("instantaneous_eventloop_duration_usec", rates.turn_us.mean());
}

pub(super) fn debug(core: &Core, _: Option<&Client>, page: &mut Page) {
    let stats = &core.stats;
    page.zero(&["eventloop_duration_aof_sum"]);
    page.field("eventloop_duration_cron_sum", stats.cron_nanos / 1000);
    page.field("eventloop_duration_max", stats.turn_nanos_max / 1000);
    page.field("eventloop_cmd_per_cycle_max", stats.turn_commands_max);
}
