//! Where a request is served: here, on another node, or nowhere at the moment. The decision takes
//! slots and flags; it knows neither clients nor commands, which the dispatcher translates. Nothing
//! is changed here.

use super::{Cluster, EndpointType, NodeIndex, State};
use crate::keyspace::Slot;
use crate::resp::{Error, Redirect};

/// What is asked, the keys excepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Query {
    /// It may change the data set; EXEC: something in its queue may.
    pub write: bool,
    /// The client said ASKING, or the command goes without saying (RESTORE-ASKING).
    pub asking: bool,
    /// The client reads from replicas (READONLY).
    pub readonly: bool,
    /// What is routed are channels of SPUBLISH and its kin, which no slot holds.
    pub shard_channels: bool,
    /// It moves keys between nodes, and so must find them on both while their slot is open
    /// (MIGRATE).
    pub moves_keys: bool,
}

/// Which keys of a request are on this node. Only asked for when their slot is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Census {
    /// A key is here.
    pub existing: bool,
    /// A key is not here.
    pub missing: bool,
    /// Not all keys are the same.
    pub several: bool,
}

/// Where a request is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// On this node.
    Here,
    /// By the owner of the slot.
    Moved {
        /// The slot.
        slot: Slot,
        /// Its owner.
        node: NodeIndex,
    },
    /// For this one time by the node that the slot is being moved to.
    Ask {
        /// The slot.
        slot: Slot,
        /// Where it is being moved to.
        node: NodeIndex,
    },
    /// Nowhere: its keys are in several slots.
    CrossSlot,
    /// Nowhere at the moment: its keys are on both sides of a move.
    TryAgain,
    /// Nowhere: the slot of its first key has no owner.
    Unowned,
    /// Nowhere: the cluster is down.
    Down,
    /// Nowhere: the cluster is down, and serves only reads.
    DownReadOnly,
}

/// How a slot is open on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Open {
    Migrating(NodeIndex),
    Importing,
    Closed,
}

impl Cluster {
    /// Whether requests for one key of this slot are served here whatever they are. The cheap
    /// question that spares most requests [`Cluster::route`]; its no means nothing.
    #[inline]
    pub fn serves(&self, slot: Slot) -> bool {
        self.state == State::Ok && self.slots.is_settled(slot)
    }

    /// Where a request is served (Redis: getNodeByQuery). `slots` are those of all its keys, in
    /// order; for EXEC, of all commands in its queue.
    pub fn route(
        &self,
        mut slots: impl Iterator<Item = Slot>,
        query: Query,
        census: impl FnOnce() -> Census,
    ) -> Route {
        let Some(slot) = slots.next() else { return Route::Here };
        let Some(owner) = self.slots.owner(slot) else { return Route::Unowned };
        if slots.any(|other| other != slot) {
            return Route::CrossSlot;
        }
        if let Some(down) = self.refuse_when_down(query) {
            return down;
        }
        let open = self.open(slot, owner);
        if open != Open::Closed
            && let Some(route) = self.route_open(slot, open, query, census)
        {
            return route;
        }
        if owner == self.myself || self.reads_here(owner, query) {
            return Route::Here;
        }
        Route::Moved { slot, node: owner }
    }

    fn refuse_when_down(&self, query: Query) -> Option<Route> {
        let settings = &self.settings;
        match self.state {
            State::Ok => None,
            State::Fail if query.shard_channels => {
                (!settings.allow_pubsubshard_when_down).then_some(Route::Down)
            }
            State::Fail if !settings.allow_reads_when_down => Some(Route::Down),
            // Redis lets EXEC through whatever it has queued.
            State::Fail => query.write.then_some(Route::DownReadOnly),
        }
    }

    fn open(&self, slot: Slot, owner: NodeIndex) -> Open {
        match self.slots.migrating_to(slot) {
            Some(to) if owner == self.myself => Open::Migrating(to),
            _ if self.slots.importing_from(slot).is_some() => Open::Importing,
            _ => Open::Closed,
        }
    }

    /// What an open slot decides; `None`: nothing, its owner serves.
    fn route_open(
        &self,
        slot: Slot,
        open: Open,
        query: Query,
        census: impl FnOnce() -> Census,
    ) -> Option<Route> {
        if query.moves_keys {
            return Some(Route::Here);
        }
        // Channels stay with the owner until the move is over.
        let keys = if query.shard_channels { Census::default() } else { census() };
        match open {
            Open::Migrating(_) if keys.missing && keys.existing => Some(Route::TryAgain),
            // SETSLOT allows that a slot is moved to where it is.
            Open::Migrating(node) if node == self.myself => None,
            Open::Migrating(node) if keys.missing => Some(Route::Ask { slot, node }),
            Open::Importing if !query.asking => None,
            Open::Importing if keys.missing && keys.several => Some(Route::TryAgain),
            Open::Importing => Some(Route::Here),
            Open::Migrating(_) | Open::Closed => None,
        }
    }

    /// Whether this node is a replica of the owner, and may serve what its primary owns.
    fn reads_here(&self, owner: NodeIndex, query: Query) -> bool {
        let me = self.me();
        (query.readonly || query.shard_channels)
            && !query.write
            && me.is_replica()
            && me.replica_of == Some(owner)
    }

    /// The host that clients are told for a node (Redis: getPreferredEndpoint); empty for the one
    /// that they are connected to.
    pub fn endpoint(&self, node: NodeIndex) -> &str {
        let node = &self.nodes[node];
        match self.settings.preferred_endpoint {
            EndpointType::Ip => &node.address.ip,
            EndpointType::Hostname if node.hostname.is_empty() => UNKNOWN_HOSTNAME,
            EndpointType::Hostname => &node.hostname,
            EndpointType::Unknown => "",
        }
    }

    /// The port that clients are told for a node: the one of the same kind as they are connected
    /// to.
    pub fn client_port(&self, node: NodeIndex, tls: bool) -> u16 {
        let address = &self.nodes[node].address;
        if tls { address.tls_port } else { address.port }
    }

    /// What a client is told that is not served here; `None` if it is. `tls`: it is connected by
    /// TLS.
    #[cold]
    pub fn refusal(&self, route: Route, tls: bool) -> Option<Error> {
        let redirect = |slot: Slot, node| Redirect {
            slot: slot.0,
            endpoint: self.endpoint(node).into(),
            port: self.client_port(node, tls),
        };
        match route {
            Route::Here => None,
            Route::Moved { slot, node } => Some(Error::Moved(redirect(slot, node))),
            Route::Ask { slot, node } => Some(Error::Ask(redirect(slot, node))),
            Route::CrossSlot => Some(Error::CrossSlot),
            Route::TryAgain => Some(Error::TryAgain),
            Route::Unowned => Some(Error::SlotNotServed),
            Route::Down => Some(Error::ClusterDown),
            Route::DownReadOnly => Some(Error::ClusterDownReadOnly),
        }
    }
}

/// What clients are told of a node without a host name that prefer host names.
pub const UNKNOWN_HOSTNAME: &str = "?";

#[cfg(test)]
mod tests;
