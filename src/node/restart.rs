//! DEBUG RESTART, CRASH-AND-RECOVER and SEGFAULT: the process becomes a new one, or ends at once.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use super::{Node, crash};
use crate::base::clock;
use crate::core::ClientId;
use crate::core::effects::Shutdown;
use crate::resp::{Error, OwnedArgs};

impl Node {
    /// Runs the program anew in this process. Returns only if that fails; the client is told.
    pub(super) fn restart(&mut self, client: ClientId, graceful: bool, delay_ms: u64) {
        if let Some(bus) = self.bus.as_mut().filter(|_| graceful) {
            // No turn ends any more that would save what is new in the cluster.
            bus.before_sleep(&mut self.core);
        }
        let error = match graceful && !self.settle(Shutdown::default()) {
            true => Some(io::Error::other("the keys cannot be saved")),
            false => self.try_restart(graceful, delay_ms).err(),
        };
        log::warn!("Can't restart: {}", error.map(|e| e.to_string()).unwrap_or_default());
        let Some(token) = self.core.clients.token_of(client) else { return };
        let Some(mut client) = self.core.clients.take(token) else { return };
        let refusal = Error::err("failed to restart the server. Check server logs.");
        crate::dispatch::execute::reply_error(&mut self.core, &mut client, &refusal);
        self.core.clients.put_back(client);
        self.core.list_for_writing(token);
    }

    fn try_restart(&mut self, graceful: bool, delay_ms: u64) -> io::Result<()> {
        let config = &self.core.config;
        let Some((_, args)) = config.startup.argv.split_first() else {
            return Err(io::Error::other("this process was not started as a server"));
        };
        let args: Vec<&OsStr> = args.iter().map(|arg| OsStr::from_bytes(arg)).collect();
        let mut program = Command::new(&config.startup.executable);
        program.args(args);
        if graceful {
            log::info!("User requested restart...");
            if let Some(file) = &config.startup.config_file {
                config.rewrite_file(file, None)?;
            }
        }
        clock::sleep(Duration::from_millis(delay_ms));
        // Nobody may connect to the process that ends and believe it to be the new one. All other
        // descriptors but the standard ones close by themselves.
        self.listeners.clear();
        let error = program.exec();
        self.relisten()?;
        Err(error)
    }

    /// Ends the process by a signal while `client` runs `args`, so that the crash report can name
    /// both.
    pub(super) fn segfault(&mut self, client: ClientId, args: &OwnedArgs) {
        let args = args.args();
        if let Some(client) = self.core.clients.by_id(client) {
            self.core.running.begin(client, &args);
        }
        crash::segfault();
        self.core.running.end();
    }
}
