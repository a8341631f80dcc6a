//! The first lines of a node's log: who runs, where, and that it serves. Supervisors and the
//! upstream test harness look for "PID: ", "Server initialized" and "Ready to accept connections".

use std::io::{IsTerminal, stdout};

use super::{Node, logging};
use crate::config::Config;
use crate::config::version::{ARCH_BITS, REDIS_VERSION};

impl Node {
    /// Says what runs, before anything is served.
    pub(super) fn announce_start(&self) {
        let config = &self.core.config;
        if shows_logo(config) {
            log::info!(target: logging::RAW, "{}", logo(config));
        } else {
            log::info!("Running mode={}, port={}.", mode(config), config.port);
        }
        log::info!("Server initialized");
    }

    /// Says that clients may come.
    pub(super) fn announce_ready(&self) {
        if !self.addresses().is_empty() {
            log::info!("Ready to accept connections tcp");
        }
        if self.core.config.unixsocket.is_some() {
            log::info!("Ready to accept connections unix");
        }
    }
}

/// On a terminal, or where always-show-logo asks for it.
fn shows_logo(config: &Config) -> bool {
    let on_terminal = !config.syslog_enabled && config.logfile.is_empty() && stdout().is_terminal();
    on_terminal || config.always_show_logo
}

fn mode(config: &Config) -> &'static str {
    if config.cluster_enabled { "cluster" } else { "standalone" }
}

fn logo(config: &Config) -> String {
    format!(
        r"
      .--------.
     /________/|     redis-rust, speaking Redis {REDIS_VERSION} ({ARCH_BITS} bit)
     | ______ ||
     |[______]||     Running in {mode} mode
     | ______ ||     Port: {port}
     |[______]|/     PID: {pid}
     '--------'
",
        mode = mode(config),
        port = config.port,
        pid = std::process::id(),
    )
}
