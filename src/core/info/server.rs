//! INFO of what the node is: program, clients, processor time, cluster.

use super::Page;
use crate::base::text::repr;
use crate::config::version;
use crate::core::system::CpuTime;
use crate::core::{Client, Core, Listening};

pub(super) fn server(core: &Core, _: Option<&Client>, page: &mut Page) {
    let (facts, identity) = (&core.system.facts, &core.identity);
    let uptime = core.now.unix_us.saturating_sub(identity.started_us) / 1_000_000;
    page.field("redis_version", version::REDIS_VERSION);
    page.field("redis_git_sha1", version::GIT_SHA1);
    page.field("redis_git_dirty", u8::from(version::GIT_DIRTY));
    page.field("redis_build_id", format_args!("{:x}", version::build_id()));
    page.field("redis_mode", if core.config.cluster_enabled { "cluster" } else { "standalone" });
    page.field("os", facts.os);
    page.field("arch_bits", version::ARCH_BITS);
    page.field("monotonic_clock", "POSIX clock_gettime");
    page.field("multiplexing_api", facts.multiplexing_api);
    page.field("atomicvar_api", "rust-core");
    // As Redis says where it was not built with GCC.
    page.field("gcc_version", "0.0.0");
    page.field("process_id", facts.process_id);
    page.field("process_supervised", identity.supervised);
    page.field("run_id", &identity.run_id);
    page.field("tcp_port", core.config.port);
    page.field("server_time_usec", core.now.unix_us);
    page.field("uptime_in_seconds", uptime);
    page.field("uptime_in_days", uptime / (24 * 3600));
    page.field("hz", core.hz);
    page.field("configured_hz", core.config.hz);
    page.field("lru_clock", core.now.seconds() & 0xff_ffff);
    page.field("executable", &identity.executable);
    let file = core.config.startup.config_file.as_deref();
    page.field("config_file", file.map(|f| f.display().to_string()).unwrap_or_default());
    page.field("io_threads_active", 0);
    for (index, listening) in identity.listeners.iter().enumerate() {
        page.line(format_args!("listener{index}:{}", listener(listening)));
    }
}

fn listener(listening: &Listening) -> String {
    let mut line = format!("name={}", listening.name);
    for bind in &listening.binds {
        line.push_str(",bind=");
        line.push_str(&printable(bind));
    }
    if listening.port != 0 {
        line.push_str(&format!(",port={}", listening.port));
    }
    line
}

/// A path may hold line breaks, which would begin a field of their own.
fn printable(text: &str) -> String {
    if text.contains(['\r', '\n']) {
        String::from_utf8_lossy(&repr(text.as_bytes())).into_owned()
    } else {
        text.to_owned()
    }
}

pub(super) fn clients(core: &Core, _: Option<&Client>, page: &mut Page) {
    let peaks = core.rates.peaks.largest();
    let is_blocked = |client: &&Client| client.is_postponed() || client.kept_command().is_some();
    let blocked = core.clients.in_order(None).filter(is_blocked).count();
    page.field("connected_clients", core.clients.len());
    page.field("cluster_connections", core.cluster_connections());
    page.field("maxclients", core.config.maxclients);
    page.field("client_recent_max_input_buffer", peaks.input_bytes);
    page.field("client_recent_max_output_buffer", peaks.output_bytes);
    page.field("blocked_clients", blocked);
    let (awaited, awaited_to_go) = core.keyspace.awaited_keys();
    page.field("tracking_clients", core.tracking.clients());
    page.field("clients_in_timeout_table", core.timeouts.len());
    page.field("total_blocking_keys", awaited);
    page.field("total_blocking_keys_on_nokey", awaited_to_go);
}

pub(super) fn cpu(core: &Core, _: Option<&Client>, page: &mut Page) {
    let system = &core.system;
    let rows = [
        ("", system.cpu),
        ("_children", system.cpu_children),
        ("_main_thread", system.cpu_main_thread),
    ];
    let shown = |us: u64| format!("{}.{:06}", us / 1_000_000, us % 1_000_000);
    for (of, CpuTime { system_us, user_us }) in rows {
        page.field(&format!("used_cpu_sys{of}"), shown(system_us));
        page.field(&format!("used_cpu_user{of}"), shown(user_us));
    }
}

pub(super) fn cluster(core: &Core, _: Option<&Client>, page: &mut Page) {
    page.field("cluster_enabled", u8::from(core.config.cluster_enabled));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_one_line() {
        let tcp = Listening { name: "tcp", binds: vec!["*".into(), "-::*".into()], port: 6379 };
        assert_eq!(listener(&tcp), "name=tcp,bind=*,bind=-::*,port=6379");
        let unix = Listening { name: "unix", binds: vec!["/tmp/a\nb".into()], port: 0 };
        assert_eq!(listener(&unix), "name=unix,bind=\"/tmp/a\\nb\"");
    }
}
