//! INFO of what the node keeps: memory, files, role, keys.

use super::{Page, human_bytes};
use crate::base::alloc;
use crate::config::Choice;
use crate::core::loading::LoadFigures;
use crate::core::snapshots::SavingChild;
use crate::core::{Client, Core};

pub(super) fn memory(core: &Core, running: Option<&Client>, page: &mut Page) {
    used(core, running, page);
    scripts(core, page);
    page.field("maxmemory", core.config.maxmemory);
    page.field("maxmemory_human", human_bytes(core.config.maxmemory));
    page.field("maxmemory_policy", core.config.maxmemory_policy.word());
    fragmentation(core, page);
    page.zero(&[
        "mem_not_counted_for_evict",
        "mem_replication_backlog",
        "mem_total_replication_buffers",
        "mem_clients_slaves",
    ]);
    page.field("mem_clients_normal", core.clients_bytes(running));
    page.field("mem_cluster_links", core.cluster_links_bytes());
    page.zero(&["mem_aof_buffer"]);
    page.field("mem_allocator", alloc::name());
    page.zero(&["active_defrag_running"]);
    page.field("lazyfree_pending_objects", core.keyspace.lazyfree_pending_objects());
    page.field("lazyfreed_objects", core.keyspace.lazyfreed_objects());
}

fn used(core: &Core, running: Option<&Client>, page: &mut Page) {
    let usage = core.memory_usage(running);
    let system = &core.system;
    page.field("used_memory", usage.used_bytes);
    page.field("used_memory_human", human_bytes(usage.used_bytes as u64));
    page.field("used_memory_rss", system.rss_bytes);
    page.field("used_memory_rss_human", human_bytes(system.rss_bytes as u64));
    page.field("used_memory_peak", usage.peak_bytes);
    page.field("used_memory_peak_human", human_bytes(usage.peak_bytes as u64));
    page.field("used_memory_peak_perc", format_args!("{:.2}%", usage.peak_percent()));
    page.field("used_memory_overhead", usage.overhead_bytes());
    page.field("used_memory_startup", usage.startup_bytes);
    page.field("used_memory_dataset", usage.dataset_bytes());
    page.field("used_memory_dataset_perc", format_args!("{:.2}%", usage.dataset_percent()));
    page.field("allocator_allocated", system.allocator.allocated);
    page.field("allocator_active", system.allocator.active);
    page.field("allocator_resident", system.allocator.resident);
    page.field("total_system_memory", system.facts.total_memory_bytes);
    page.field("total_system_memory_human", human_bytes(system.facts.total_memory_bytes));
}

/// What the Lua states hold, and what is kept beside them.
fn scripts(core: &Core, page: &mut Page) {
    let figures = core.scripts.figures();
    let lua_bytes = figures.scripts_lua_bytes + figures.functions_lua_bytes;
    let scripts_bytes = figures.scripts_bytes + figures.libraries_bytes;
    page.field("used_memory_lua", figures.scripts_lua_bytes);
    page.field("used_memory_vm_eval", figures.scripts_lua_bytes);
    page.field("used_memory_lua_human", human_bytes(figures.scripts_lua_bytes as u64));
    page.field("used_memory_scripts_eval", figures.scripts_bytes);
    page.field("number_of_cached_scripts", figures.scripts);
    page.field("number_of_functions", figures.functions);
    page.field("number_of_libraries", figures.libraries);
    page.field("used_memory_vm_functions", figures.functions_lua_bytes);
    page.field("used_memory_vm_total", lua_bytes);
    page.field("used_memory_vm_total_human", human_bytes(lua_bytes as u64));
    page.field("used_memory_functions", figures.libraries_bytes);
    page.field("used_memory_scripts", scripts_bytes);
    page.field("used_memory_scripts_human", human_bytes(scripts_bytes as u64));
}

fn fragmentation(core: &Core, page: &mut Page) {
    let system = &core.system;
    let rows = [
        ("allocator_frag", system.allocator_frag()),
        ("allocator_rss", system.allocator_rss()),
        ("rss_overhead", system.rss_overhead()),
        ("mem_fragmentation", system.fragmentation()),
    ];
    for (name, excess) in rows {
        page.field(&format!("{name}_ratio"), format_args!("{:.2}", excess.ratio));
        page.field(&format!("{name}_bytes"), excess.bytes);
    }
}

pub(super) fn persistence(core: &Core, _: Option<&Client>, page: &mut Page) {
    saving_child(core, page);
    let snapshots = &core.snapshots;
    page.field("rdb_changes_since_last_save", core.keyspace.dirty);
    page.field("rdb_bgsave_in_progress", u8::from(snapshots.child.is_some()));
    page.field("rdb_last_save_time", snapshots.last_save_s);
    page.field("rdb_last_bgsave_status", if snapshots.last_ok { "ok" } else { "err" });
    page.field("rdb_last_bgsave_time_sec", seconds_or_none(snapshots.last_seconds));
    let current = snapshots.child.map(|child| core.now.seconds().saturating_sub(child.started_s));
    page.field("rdb_current_bgsave_time_sec", seconds_or_none(current));
    page.field("rdb_saves", snapshots.saves);
    page.field("rdb_last_cow_size", snapshots.last_cow_bytes);
    page.field("rdb_last_load_keys_expired", snapshots.load_keys_expired);
    page.field("rdb_last_load_keys_loaded", snapshots.load_keys_loaded);
    page.zero(&["aof_enabled", "aof_rewrite_in_progress", "aof_rewrite_scheduled"]);
    page.field("aof_last_rewrite_time_sec", -1);
    page.field("aof_current_rewrite_time_sec", -1);
    page.field("aof_last_bgrewrite_status", "ok");
    page.zero(&["aof_rewrites", "aof_rewrites_consecutive_failures"]);
    page.field("aof_last_write_status", "ok");
    page.zero(&["aof_last_cow_size", "module_fork_in_progress", "module_fork_last_cow_size"]);
    if let Some(figures) = &core.snapshots.loading {
        loading(core, figures, page);
    }
}

/// -1 is for none.
fn seconds_or_none(seconds: Option<u64>) -> i64 {
    seconds.map_or(-1, |seconds| seconds as i64)
}

fn saving_child(core: &Core, page: &mut Page) {
    let (child, now_s) = (core.snapshots.child, core.now.seconds());
    let of = |figure: fn(&SavingChild) -> u64| child.as_ref().map_or(0, figure);
    let (written, total) = (of(|child| child.keys_written), of(|child| child.keys_total));
    let reported_s = of(|child| child.reported_s);
    let age_s = if reported_s == 0 { 0 } else { now_s.saturating_sub(reported_s) };
    let percent = if total == 0 { 0.0 } else { 100.0 * written as f64 / total as f64 };
    page.field("loading", u8::from(core.is_loading()));
    page.zero(&["async_loading"]);
    page.field("current_cow_peak", of(|child| child.cow_peak_bytes));
    page.field("current_cow_size", of(|child| child.cow_bytes));
    page.field("current_cow_size_age", age_s);
    page.field("current_fork_perc", format_args!("{percent:.2}"));
    page.field("current_save_keys_processed", written);
    page.field("current_save_keys_total", total);
}

fn loading(core: &Core, figures: &LoadFigures, page: &mut Page) {
    let LoadFigures { started_s, total_bytes, loaded_bytes, file_used_memory } = *figures;
    let percent = 100.0 * loaded_bytes as f64 / total_bytes.max(1) as f64;
    // Redis guesses a second as long as it knows nothing.
    let eta_s = match core.now.seconds().saturating_sub(started_s) {
        0 => 1,
        elapsed_s => elapsed_s * total_bytes.saturating_sub(loaded_bytes) / (loaded_bytes + 1),
    };
    page.field("loading_start_time", started_s);
    page.field("loading_total_bytes", total_bytes);
    page.field("loading_rdb_used_mem", file_used_memory);
    page.field("loading_loaded_bytes", loaded_bytes);
    page.field("loading_loaded_perc", format_args!("{percent:.2}"));
    page.field("loading_eta_seconds", eta_s);
}

pub(super) fn replication(core: &Core, _: Option<&Client>, page: &mut Page) {
    page.field("role", "master");
    page.zero(&["connected_slaves"]);
    if core.config.min_replicas_to_write > 0 && core.config.min_replicas_max_lag > 0 {
        page.zero(&["min_slaves_good_slaves"]);
    }
    page.field("master_failover_state", "no-failover");
    page.field("master_replid", &core.identity.replication_id);
    page.field("master_replid2", "0".repeat(40));
    page.zero(&["master_repl_offset"]);
    page.field("second_repl_offset", -1);
    page.zero(&["repl_backlog_active"]);
    page.field("repl_backlog_size", core.config.repl_backlog_size);
    page.zero(&["repl_backlog_first_byte_offset", "repl_backlog_histlen"]);
}

pub(super) fn keyspace(core: &Core, _: Option<&Client>, page: &mut Page) {
    for db in 0..core.keyspace.databases() {
        let keys = core.keyspace.dbsize(db);
        if keys > 0 {
            let expires = core.keyspace.expires_len(db);
            let ttl = core.keyspace.avg_ttl_ms(db);
            // Where no field expires the line is that of Redis 7.2.
            let fields = match core.keyspace.field_expiring_len(db) {
                0 => String::new(),
                hashes => format!(",subexpiry={hashes}"),
            };
            page.line(format_args!("db{db}:keys={keys},expires={expires},avg_ttl={ttl}{fields}"));
        }
    }
}
