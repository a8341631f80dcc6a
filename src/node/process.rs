//! The process itself: into the background, its init system, its pid file. The program calls these
//! in the order of Redis's start; a library that embeds a node calls none of them.

use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;

use nix::sys::signal::{Signal, raise};

use crate::config::{Config, Supervised};

/// Where the process id goes when daemonize asks for a file and no name is given.
const DEFAULT_PID_FILE: &[u8] = b"/var/run/redis.pid";

/// Goes on in a child process without terminal; the caller's process ends here. Call before any
/// thread is started.
pub fn daemonize() -> io::Result<()> {
    nix::unistd::daemon(true, false)?;
    Ok(())
}

/// Finds out whether an init system watches the process, and tells it that the process is starting.
pub fn supervised(config: &Config) -> bool {
    let upstart = || std::env::var_os("UPSTART_JOB").is_some();
    let systemd = || std::env::var_os("NOTIFY_SOCKET").is_some();
    let mode = match config.supervised {
        Supervised::Auto if upstart() => {
            log::debug!("Upstart supervision detected.");
            Supervised::Upstart
        }
        Supervised::Auto if systemd() => {
            log::debug!("Systemd supervision detected.");
            Supervised::Systemd
        }
        mode => mode,
    };
    match mode {
        Supervised::Upstart => supervised_by_upstart(upstart()),
        Supervised::Systemd => supervised_by_systemd(),
        Supervised::Auto | Supervised::No => false,
    }
}

fn supervised_by_upstart(is_job: bool) -> bool {
    if !is_job {
        log::warn!("upstart supervision requested, but UPSTART_JOB not found!");
        return false;
    }
    log::info!("supervised by upstart, will stop to signal readiness.");
    raise(Signal::SIGSTOP).is_ok()
}

fn supervised_by_systemd() -> bool {
    if !notify_systemd("STATUS=Redis is loading...\n") {
        return false;
    }
    log::info!(
        "Supervised by systemd. Please make sure you set appropriate values for TimeoutStartSec \
         and TimeoutStopSec in your service unit."
    );
    true
}

/// Tells systemd something; whether it could be told.
pub fn notify_systemd(message: &str) -> bool {
    let Some(socket) = std::env::var_os("NOTIFY_SOCKET") else {
        log::warn!("systemd supervision error: NOTIFY_SOCKET not found!");
        return false;
    };
    let sent = send_datagram(&socket, message);
    if let Err(error) = &sent {
        let code = error.raw_os_error().unwrap_or_default();
        log::warn!("systemd supervision error: sd_notify: -{code}");
    }
    sent.is_ok()
}

fn send_datagram(socket: &std::ffi::OsStr, message: &str) -> io::Result<()> {
    use std::os::linux::net::SocketAddrExt;
    use std::os::unix::net::SocketAddr;
    // A leading `@` means a socket that is in no directory.
    let address = match socket.as_encoded_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address)?;
    Ok(())
}

/// Keeps huge pages from the process: after a fork they make every write copy far more than it
/// changes.
pub fn disable_huge_pages() {
    // Systems without such pages refuse, and need nothing.
    let _ = nix::sys::prctl::set_thp_disable(true);
}

/// The file with the process id, if the configuration asks for one.
#[derive(Clone, Debug)]
pub struct PidFile(Option<PathBuf>);

impl PidFile {
    /// As the configuration says. It keeps its place when `dir` changes.
    pub fn of(config: &Config) -> Self {
        let default = config.daemonize.then_some(DEFAULT_PID_FILE);
        PidFile(config.pidfile.as_deref().or(default).map(|name| config.path(name)))
    }

    /// Writes the process id. A failure is only logged.
    pub fn create(&self) {
        let Some(path) = &self.0 else { return };
        if let Err(error) = std::fs::write(path, format!("{}\n", std::process::id())) {
            log::warn!("Failed to write PID file: {}", crate::config::strerror(&error));
        }
    }

    /// Removes the file on the way out.
    pub fn remove(&self) {
        let Some(path) = &self.0 else { return };
        log::info!("Removing the pid file.");
        // Somebody else may have removed it.
        let _ = std::fs::remove_file(path);
    }
}
