//! SIGTERM and SIGINT as bytes in a pipe that the loop polls. A second SIGINT ends the process at
//! once.

use std::io::{self, Read};

use mio::net::UnixStream;
use mio::{Interest, Registry};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use signal_hook::low_level::pipe;

use super::Node;
use super::tokens::SIGNALS;
use crate::config::ShutdownFlags;
use crate::core::effects::Shutdown;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The pipe's reading end, and which signals came.
pub struct Signals {
    pipe: UnixStream,
    terminate: Arc<AtomicBool>,
    interrupt: Arc<AtomicBool>,
    /// The next SIGINT ends the process at once.
    lethal: Arc<AtomicBool>,
}

impl Signals {
    /// Takes the two signals for the whole process.
    pub fn install(registry: &Registry) -> io::Result<Self> {
        let (mut read, write) = UnixStream::pair()?;
        registry.register(&mut read, SIGNALS, Interest::READABLE)?;
        let signals = Signals {
            pipe: read,
            terminate: Arc::new(AtomicBool::new(false)),
            interrupt: Arc::new(AtomicBool::new(false)),
            lethal: Arc::new(AtomicBool::new(false)),
        };
        // The order matters: a second SIGINT finds the flag set and exits before the first is
        // served.
        flag::register_conditional_shutdown(SIGINT, 1, signals.lethal.clone())?;
        flag::register(SIGINT, signals.lethal.clone())?;
        flag::register(SIGINT, signals.interrupt.clone())?;
        flag::register(SIGTERM, signals.terminate.clone())?;
        let write: std::os::fd::OwnedFd = write.into();
        pipe::register(SIGINT, write.try_clone()?)?;
        pipe::register(SIGTERM, write)?;
        Ok(signals)
    }
}

impl Signals {
    /// The last snapshot is about to be written: from here on, SIGINT only sets the flag, so that
    /// the writer can clean up before the process ends.
    pub(super) fn begin_last_save(&self) -> Arc<AtomicBool> {
        self.lethal.store(false, Ordering::Relaxed);
        self.interrupt.store(false, Ordering::Relaxed);
        self.interrupt.clone()
    }
}

impl Node {
    pub(super) fn take_signals(&mut self) {
        let Some(signals) = &mut self.signals else { return };
        let mut drain = [0; 64];
        while matches!(signals.pipe.read(&mut drain), Ok(n) if n > 0) {}
        let config = &self.core.config;
        let (name, flags) = if signals.interrupt.load(Ordering::Relaxed) {
            ("SIGINT", config.shutdown_on_sigint)
        } else if signals.terminate.load(Ordering::Relaxed) {
            ("SIGTERM", config.shutdown_on_sigterm)
        } else {
            return;
        };
        log::warn!("Received {name} scheduling shutdown...");
        let how = Shutdown {
            save: flags.contains(ShutdownFlags::SAVE),
            nosave: flags.contains(ShutdownFlags::NOSAVE),
            now: flags.contains(ShutdownFlags::NOW),
            force: flags.contains(ShutdownFlags::FORCE),
        };
        self.core.shutdown_scheduled = Some(how);
        self.act_on_signals();
    }

    /// Ends the node if a signal asked for it, unless the cron is paused: then there is time for
    /// SHUTDOWN ABORT.
    pub(super) fn act_on_signals(&mut self) {
        if self.core.debug.cron_paused {
            return;
        }
        if let Some(how) = self.core.shutdown_scheduled.take()
            && !self.shutdown(how)
        {
            self.forget_signals();
        }
    }

    /// The next signal is a new attempt.
    pub(super) fn forget_signals(&mut self) {
        if let Some(signals) = &self.signals {
            signals.lethal.store(false, Ordering::Relaxed);
            signals.interrupt.store(false, Ordering::Relaxed);
            signals.terminate.store(false, Ordering::Relaxed);
        }
    }
}
