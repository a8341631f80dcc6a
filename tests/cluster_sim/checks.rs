//! What must hold whatever happened: one owner per slot and epoch, the same view everywhere, no
//! promise broken, no key lost. Only looks.

use std::collections::BTreeMap;

use redis_rust::cluster::{Address, Cluster, NodeFlags, SlotSet, State};

use crate::host::Host;
use crate::world::Sim;

/// Flags that a node in good health has in nobody's view.
const TROUBLE: NodeFlags = NodeFlags::PFAIL
    .union(NodeFlags::FAIL)
    .union(NodeFlags::HANDSHAKE)
    .union(NodeFlags::NOADDR)
    .union(NodeFlags::MEET);

impl Sim {
    /// Lets time pass until all nodes that run agree, and stay so for a while.
    pub fn settle(&mut self, within_ms: u64) {
        let until_ms = self.now_ms + within_ms;
        let mut last = String::new();
        while self.now_ms < until_ms {
            self.run_for(250);
            match self.agreed() {
                Ok(()) => {
                    let timeout_ms = self.hosts.iter().map(|h| h.node_timeout_ms).max();
                    self.run_for(2 * timeout_ms.unwrap_or_default());
                    match self.agreed() {
                        Ok(()) => return self.check_promises(),
                        Err(why) => last = format!("after it was seen to agree: {why}"),
                    }
                }
                Err(why) => last = why,
            }
        }
        panic!("no agreement within {within_ms} ms: {last}\n{}", self.views());
    }

    /// What each node says of itself and of the others, for who looks for the reason.
    fn views(&self) -> String {
        let mut text = String::new();
        for host in self.hosts.iter().filter_map(|host| Some((host, host.cluster.as_ref()?))) {
            let (index, unclaimed) = (host.0.index, &host.1.slots.unclaimed);
            text += &format!("host {index}, unclaimed: {unclaimed:?}\n{}", host.1.to_nodes_conf());
        }
        text
    }

    /// Whether all nodes that run have one view.
    pub fn agreed(&self) -> Result<(), String> {
        let running: Vec<&Host> = self.hosts.iter().filter(|host| host.cluster.is_some()).collect();
        let nodes: Vec<(&Host, &Cluster)> =
            running.iter().filter_map(|host| Some((*host, host.cluster.as_ref()?))).collect();
        for viewer in &nodes {
            if viewer.1.nodes.len() != nodes.len() {
                let (known, there) = (viewer.1.nodes.len(), nodes.len());
                return Err(format!("host {} knows {known} nodes of {there}", viewer.0.index));
            }
            for seen in &nodes {
                same_view(*viewer, *seen).map_err(|why| {
                    format!("host {} about host {}: {why}", viewer.0.index, seen.0.index)
                })?;
            }
        }
        self.epochs_differ(&nodes)?;
        self.serves(&nodes)
    }

    fn epochs_differ(&self, nodes: &[(&Host, &Cluster)]) -> Result<(), String> {
        let mut epochs = BTreeMap::new();
        let mut claimed = SlotSet::default();
        for (host, cluster) in nodes.iter().filter(|(_, cluster)| cluster.me().is_primary()) {
            let (index, epoch) = (host.index, cluster.me().config_epoch);
            if let Some(other) = epochs.insert(epoch, index) {
                return Err(format!("hosts {other} and {index} both have config epoch {epoch}"));
            }
            if epoch > cluster.current_epoch() {
                return Err(format!("host {index} has config epoch {epoch} before its time"));
            }
            let twice = own_slots(cluster).iter().find(|&slot| !claimed.insert(slot));
            if let Some(slot) = twice {
                return Err(format!("slot {} is claimed twice, by host {index} too", slot.0));
            }
        }
        let current = nodes.first().map(|(_, cluster)| cluster.current_epoch());
        match nodes.iter().find(|(_, cluster)| Some(cluster.current_epoch()) != current) {
            Some((host, _)) => Err(format!("host {} has another current epoch", host.index)),
            None => Ok(()),
        }
    }

    fn serves(&self, nodes: &[(&Host, &Cluster)]) -> Result<(), String> {
        for (host, cluster) in nodes {
            let covered = cluster.slots.assigned() == redis_rust::base::limits::SLOTS;
            let serves = cluster.state() == State::Ok;
            if serves != covered {
                let state = cluster.state();
                return Err(format!("host {} is {state:?}, covered: {covered}", host.index));
            }
        }
        Ok(())
    }

    /// What was promised holds. Views must agree.
    fn check_promises(&self) {
        for host in self.hosts.iter().filter(|host| host.cluster.is_some()) {
            let cluster = self.cluster(host.index);
            assert_eq!(cluster.stats.malformed, 0, "host {} got nonsense", host.index);
            assert_eq!(cluster.stats.link_buffer_limit_exceeded, 0);
            let links = (cluster.links.len(), host.links.len());
            assert_eq!(links.0, links.1, "host {} forgets links", host.index);
        }
        for (&slot, promised) in &self.promised {
            // By its own word: a node that is taking the slot in may not know.
            let owner = self.owner_of(slot).map(|host| self.id(host.index));
            assert_eq!(owner, Some(*promised), "slot {slot} is not where it was promised to be");
        }
    }

    /// Who says that it owns a slot.
    fn owner_of(&self, slot: u16) -> Option<&Host> {
        self.hosts.iter().find(|host| {
            let owns = |c: &Cluster| own_slots(c).contains(redis_rust::keyspace::Slot(slot));
            host.cluster.as_ref().is_some_and(owns)
        })
    }

    /// Every key that a client was told to be written is at its slot's owner, as it was written
    /// last, and nowhere else. No slot is open.
    pub fn check_keys(&self) {
        for (&key, &version) in &self.written {
            let owner =
                self.owner_of(key.0).unwrap_or_else(|| panic!("slot {} has no owner", key.0));
            let found = owner.keys.get(key);
            assert_eq!(found, Some(version), "{key:?} at its owner, host {}", owner.index);
        }
        for host in self.hosts.iter().filter(|host| host.cluster.is_some()) {
            for (key, _) in host.keys.iter() {
                let owner = self.owner_of(key.0).map(|owner| owner.index);
                assert_eq!(owner, Some(host.index), "{key:?} is also at host {}", host.index);
            }
            let cluster = self.cluster(host.index);
            let open = cluster.slots.migrating().chain(cluster.slots.importing()).next();
            assert_eq!(open.map(|(slot, _)| slot.0), None, "open at host {}", host.index);
        }
    }
}

/// The slots that a node says are its own.
pub fn own_slots(cluster: &Cluster) -> SlotSet {
    cluster.slots.owned_by(cluster.myself()).cloned().unwrap_or_default()
}

/// Whether one node sees another as that sees itself.
fn same_view(viewer: (&Host, &Cluster), seen: (&Host, &Cluster)) -> Result<(), String> {
    let me = seen.1.me();
    let Some(index) = viewer.1.nodes.find(&me.id) else { return Err("not known".to_string()) };
    let node = &viewer.1.nodes[index];
    if node.is(TROUBLE) {
        return Err(format!("{:?}", node.flags));
    }
    if viewer.0.index != seen.0.index {
        let (ip, port, bus_port) = (seen.0.ip.as_str().into(), seen.0.port, seen.0.bus_port());
        let address = Address { ip, port, tls_port: 0, bus_port };
        if node.address != address {
            return Err(format!("is at {:?}", node.address));
        }
        let connected = |link| viewer.1.links.get(link).is_some_and(|link| link.connected);
        if !node.link.is_some_and(connected) {
            return Err("no link".to_string());
        }
    }
    if node.is_primary() != me.is_primary() || node.is_replica() != me.is_replica() {
        return Err(format!("role {:?}", node.flags));
    }
    let primary = |cluster: &Cluster, node: &redis_rust::cluster::Node| {
        node.replica_of.map(|primary| cluster.nodes[primary].id)
    };
    if primary(viewer.1, node) != primary(seen.1, me) {
        return Err("another primary".to_string());
    }
    if node.shard != me.shard {
        return Err("another shard".to_string());
    }
    if me.is_primary() && node.config_epoch != me.config_epoch {
        return Err(format!("config epoch {} is {}", node.config_epoch, me.config_epoch));
    }
    let mut theirs = viewer.1.slots.owned_by(index).cloned().unwrap_or_default();
    let mut mine = own_slots(seen.1);
    // Of a slot that it takes in a node believes nobody but the administrator.
    for (slot, _) in viewer.1.slots.importing() {
        theirs.remove(slot);
        mine.remove(slot);
    }
    if theirs != mine {
        return Err(format!("slots {theirs:?} are {mine:?}"));
    }
    Ok(())
}
