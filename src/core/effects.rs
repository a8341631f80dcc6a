//! What a handler asks of the node, because only the node does I/O or touches other connections.
//! Drained in order right after the command.

use super::ClientId;
use crate::config::Change;
use crate::resp::OwnedArgs;

/// One request to the node.
#[derive(Debug)]
pub enum Effect {
    /// Close this client at once, dropping what it has not read.
    Close(ClientId),
    /// Directives changed: make them true, then reply OK to the client; on failure undo and reply
    /// the error.
    Reconfigure {
        /// Who waits for the reply; none where one was given within a transaction.
        client: Option<ClientId>,
        /// What must react, and how to take it back.
        change: Change,
    },
    /// Forget the signals that asked for the end (SHUTDOWN ABORT).
    AbortShutdown,
    /// End the process (SHUTDOWN), or tell why not.
    Shutdown {
        /// Who asked.
        client: ClientId,
        /// In which way.
        how: Shutdown,
    },
    /// Begin anew as another process (DEBUG RESTART, DEBUG CRASH-AND-RECOVER). Only when that fails
    /// there is a reply.
    Restart {
        /// Who asked.
        client: ClientId,
        /// End in order first.
        graceful: bool,
        /// Wait so long before.
        delay_ms: u64,
    },
    /// Touch memory that is not there (DEBUG SEGFAULT), while this client runs this command.
    Segfault {
        /// Who asked.
        client: ClientId,
        /// The command.
        args: OwnedArgs,
    },
    /// Run what CLIENT PAUSE held back.
    Unpaused,
    /// This client's command waits no longer: read what it asked meanwhile.
    Unblocked(ClientId),
    /// Write nodes.conf and have it on disk, then reply to the client how that went (CLUSTER
    /// SAVECONFIG).
    SaveClusterConfig {
        /// Who waits for the reply; none where one was given within a transaction.
        client: Option<ClientId>,
    },
    /// Save all keys, then reply to the client how that went (SAVE).
    Save {
        /// Who waits for the reply.
        client: ClientId,
    },
    /// Start a child that saves all keys, then reply to the client whether it runs (BGSAVE).
    BackgroundSave {
        /// Who waits for the reply.
        client: ClientId,
    },
    /// All keys are gone (FLUSHALL): what is on disk, or on its way there, must go, too.
    AllFlushed,
    /// Save all keys and load them again (DEBUG RELOAD), then reply how that went.
    Reload {
        /// Who waits for the reply; none where one was given within a transaction.
        client: Option<ClientId>,
        /// In which way.
        how: Reload,
    },
    /// Send the client a snapshot of all keys (SYNC).
    Sync {
        /// Who asked.
        client: ClientId,
    },
}

/// How DEBUG RELOAD was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reload {
    /// Keys of the file replace those of the same name.
    pub merge: bool,
    /// Keys that are there stay.
    pub noflush: bool,
    /// Load the file that is there.
    pub nosave: bool,
}

/// How SHUTDOWN was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shutdown {
    /// Write the dataset even if no save point is configured.
    pub save: bool,
    /// Do not write the dataset even if one is.
    pub nosave: bool,
    /// Do not wait for replicas.
    pub now: bool,
    /// Exit even if writing the dataset fails.
    pub force: bool,
}
