//! Client-side caching: who is told when a key changes. Clients that track remember nothing here
//! but their settings; which keys they have read is in the table (`table`), which prefixes they
//! want to hear of in `broadcast`. The keyspace notes the keys that change; they are told of right
//! after the command that changed them, or at the end of the turn, and to the client of that
//! command behind its reply. Called by `dispatch` around commands and by the node once per turn.

mod broadcast;
mod bucket;
mod notices;
mod table;

use std::collections::BTreeSet;

use super::{Client, ClientId, CommandId, Core};
use broadcast::Prefixes;
use table::TrackingTable;

/// Keys that are forgotten in one go where the table has too many, times the runs in a row in which
/// that did not suffice.
const FORGOTTEN_PER_RUN: usize = 100;
/// Buckets of tables that are no longer needed that one run of the cron frees.
const FREED_PER_RUN: usize = 8192;

/// What one client asked for with CLIENT TRACKING ON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientTracking {
    /// Who is told instead of the client itself.
    pub redirect: Option<ClientId>,
    /// Somebody was to be told who is no longer there.
    pub redirect_broken: bool,
    /// The client is not told of what it has changed itself.
    pub noloop: bool,
    /// Of which keys it is told.
    pub mode: TrackingMode,
}

/// Of which keys a client is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum TrackingMode {
    /// Those that it has read.
    #[default]
    Read,
    /// Those that it has read by commands after CLIENT CACHING YES.
    OptIn {
        /// It was just said by a command of this container, whose commands it outlasts.
        caching: Option<CommandId>,
    },
    /// Those that it has read, but not by commands after CLIENT CACHING NO.
    OptOut {
        /// As with `OptIn`.
        caching: Option<CommandId>,
    },
    /// Those that begin with one of these prefixes.
    Broadcast(BTreeSet<Box<[u8]>>),
}

impl TrackingMode {
    /// Whether keys that the client reads are remembered for it.
    fn remembers(&self) -> bool {
        match self {
            TrackingMode::Read => true,
            TrackingMode::OptIn { caching } => caching.is_some(),
            TrackingMode::OptOut { caching } => caching.is_none(),
            TrackingMode::Broadcast(_) => false,
        }
    }

    /// Whether the client is told of prefixes, and not of what it has read.
    pub fn is_broadcast(&self) -> bool {
        matches!(self, TrackingMode::Broadcast(_))
    }
}

impl Client {
    /// Whether the keys that its command reads are to be remembered.
    #[inline]
    pub fn remembers_keys(&self) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| tracking.mode.remembers())
    }

    /// A command is over, which was this container's if it is a subcommand: CLIENT CACHING holds
    /// for the next command that is none of CLIENT, or for the next transaction.
    pub fn end_caching(&mut self, container: Option<CommandId>) {
        let mode = self.tracking.as_mut().map(|tracking| &mut tracking.mode);
        if let Some(TrackingMode::OptIn { caching } | TrackingMode::OptOut { caching }) = mode
            && *caching != container
        {
            *caching = None;
        }
    }

    /// Who is told of what it tracks, as a number: 0 is itself, -1 nobody.
    pub fn redirect_number(&self) -> i64 {
        let tracking = self.tracking.as_ref();
        tracking.map_or(-1, |tracking| tracking.redirect.map_or(0, |ClientId(id)| id as i64))
    }
}

impl ClientTracking {
    /// Bytes of the heap.
    pub fn heap_bytes(&self) -> usize {
        let prefixes = match &self.mode {
            TrackingMode::Broadcast(prefixes) => prefixes.iter().map(|p| p.len() + 32).sum(),
            _ => 0,
        };
        size_of::<ClientTracking>() + prefixes
    }
}

/// What a node knows of its clients' caches.
#[derive(Default)]
pub struct Tracking {
    table: TrackingTable,
    prefixes: Prefixes,
    /// Clients that track.
    clients: usize,
    /// Runs in a row after which the table still had too many keys.
    overruns: usize,
    /// Tables that are freed little by little.
    retired: Vec<TrackingTable>,
    /// Room for the clients of a key that has changed.
    readers: Vec<ClientId>,
}

impl Tracking {
    /// Clients that track (INFO: tracking_clients).
    #[inline]
    pub fn clients(&self) -> usize {
        self.clients
    }

    /// Keys in the table (INFO: tracking_total_keys).
    pub fn keys(&self) -> usize {
        self.table.len()
    }

    /// Clients of all those keys (INFO: tracking_total_items).
    pub fn items(&self) -> usize {
        self.table.items()
    }

    /// Prefixes that clients are told of (INFO: tracking_total_prefixes).
    pub fn prefixes(&self) -> usize {
        self.prefixes.len()
    }
}

impl Core {
    /// A client tracks from here on, or in another way (Redis: enableTracking). Prefixes are added
    /// to those that it has.
    pub fn enable_tracking(&mut self, client: &mut Client, mut settings: ClientTracking) {
        match client.tracking.take().map(|old| old.mode) {
            None => {
                self.tracking.clients += 1;
                if self.tracking.clients == 1 && self.tracking.table.is_empty() {
                    self.keyspace.set_noting_modified(true);
                }
            }
            Some(old) => settings.mode.go_on_from(old),
        }
        if let TrackingMode::Broadcast(prefixes) = &settings.mode {
            prefixes.iter().for_each(|prefix| self.tracking.prefixes.add(prefix, client.id));
        }
        client.tracking = Some(Box::new(settings));
    }

    /// A client no longer tracks (Redis: disableTracking). The keys that it has read stay in the
    /// table until they change.
    pub fn disable_tracking(&mut self, client: &mut Client) {
        let Some(settings) = client.tracking.take() else { return };
        if let TrackingMode::Broadcast(prefixes) = &settings.mode {
            prefixes.iter().for_each(|prefix| self.tracking.prefixes.remove(prefix, client.id));
        }
        self.tracking.clients -= 1;
        self.stop_noting_if_unused();
    }

    fn stop_noting_if_unused(&mut self) {
        if self.tracking.clients == 0 && self.tracking.table.is_empty() {
            self.keyspace.set_noting_modified(false);
        }
    }

    /// A client has read a key.
    pub fn remember_key(&mut self, client: &Client, key: &[u8]) {
        let clients = &self.clients;
        let is_connected = |id| clients.token_of(id).is_some();
        self.tracking.table.remember(key, client.id, is_connected);
    }

    /// Before a command: what eviction has just removed is told of, and the table is kept within
    /// its limit.
    pub fn track_before_command(&mut self, client: &mut Client) {
        if self.keyspace.has_modified() {
            self.tell_modified(Some(client));
        }
        self.limit_tracking(Some(client));
    }

    /// Forgets some keys if there are more than tracking-table-max-keys, as if they had changed:
    /// the more, the longer there are too many (Redis: trackingLimitUsedSlots).
    pub fn limit_tracking(&mut self, mut running: Option<&mut Client>) {
        let most = self.config.tracking_table_max_keys;
        if most == 0 || self.tracking.clients == 0 {
            return;
        }
        let effort = FORGOTTEN_PER_RUN * (self.tracking.overruns + 1);
        for _ in 0..effort {
            if self.tracking.table.len() <= most {
                self.tracking.overruns = 0;
                return;
            }
            if let Some(key) = self.tracking.table.random_key(&mut self.rng) {
                self.invalidate(&mut running, &key);
            }
        }
        self.tracking.overruns += 1;
    }

    /// The cron's part: the limit, and freeing what is left of old tables.
    pub fn tracking_cron(&mut self) {
        self.limit_tracking(None);
        if let Some(table) = self.tracking.retired.last_mut()
            && !table.free_step(FREED_PER_RUN)
        {
            self.tracking.retired.pop();
        }
    }
}

impl TrackingMode {
    /// What was said before CLIENT TRACKING ON was said again still holds.
    fn go_on_from(&mut self, old: TrackingMode) {
        match (self, old) {
            (TrackingMode::OptIn { caching }, TrackingMode::OptIn { caching: was })
            | (TrackingMode::OptOut { caching }, TrackingMode::OptOut { caching: was }) => {
                *caching = was;
            }
            (TrackingMode::Broadcast(prefixes), TrackingMode::Broadcast(old)) => {
                prefixes.extend(old);
            }
            _ => {}
        }
    }
}
