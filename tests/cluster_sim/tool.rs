//! Who works with the cluster: an administrator's tool that moves slots key by key and mends what
//! was left half done, as redis-cli does, and clients that write keys and follow redirects. Every
//! step may fail; a tool whose connection breaks gives up.

use std::collections::BTreeMap;

use redis_rust::cluster::{AdminError, Census, Cluster, Env, NodeId, Query, Route, SlotChange};
use redis_rust::keyspace::Slot;

use crate::checks::own_slots;
use crate::host::{End, Key};
use crate::world::Sim;

/// The tool cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GaveUp(pub String);

/// What goes wrong, and at which step of the tool's work.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Before this step, counted from 0.
    pub step: usize,
    /// Who: hosts that end.
    pub victims: [Option<usize>; 2],
    /// How they end.
    pub how: End,
    /// The tool ends, too.
    pub tool: bool,
    /// The victims end while they carry the step out, after so many of its actions.
    pub within: Option<usize>,
}

/// A run of the tool.
pub struct Tool<'a> {
    sim: &'a mut Sim,
    /// The run of each host that it is connected to.
    connected: BTreeMap<usize, u32>,
    fault: Option<Fault>,
    /// Steps so far.
    pub steps: usize,
    /// Clients write between its steps.
    clients: bool,
}

impl<'a> Tool<'a> {
    /// A tool that connects to every node.
    pub fn new(sim: &'a mut Sim, fault: Option<Fault>, clients: bool) -> Self {
        let running = sim.running();
        let connected = running.into_iter().map(|host| (host, sim.hosts[host].run)).collect();
        Tool { sim, connected, fault, steps: 0, clients }
    }

    /// Between two steps: time passes, others work, and something may go wrong.
    fn step(&mut self, what: impl FnOnce() -> String) -> Result<(), GaveUp> {
        if self.sim.one_in(2) {
            self.sim.run_up_to(150);
        }
        self.step_at_once(what)?;
        if self.clients {
            self.sim.write_some(3);
        }
        Ok(())
    }

    /// A step for which nobody makes room.
    fn step_at_once(&mut self, what: impl FnOnce() -> String) -> Result<(), GaveUp> {
        let step = self.steps;
        self.steps += 1;
        if let Some(fault) = self.fault.filter(|fault| fault.step == step) {
            self.sim.trace(|| format!("step {step} goes wrong: {fault:?}"));
            self.clients = false;
            for victim in fault.victims.into_iter().flatten() {
                match fault.within {
                    Some(actions) => self.sim.hosts[victim].ends_after = Some((actions, fault.how)),
                    None => self.sim.end(victim, fault.how),
                }
            }
            if fault.tool {
                return Err(GaveUp(format!("the tool ended at step {step}")));
            }
        }
        self.sim.trace(|| format!("step {step}: {}", what()));
        Ok(())
    }

    fn check_connected(&self, host: usize) -> Result<(), GaveUp> {
        let same_run = self.connected.get(&host) == Some(&self.sim.hosts[host].run);
        if same_run && self.sim.hosts[host].runs() {
            Ok(())
        } else {
            Err(GaveUp(format!("host {host} does not answer")))
        }
    }

    fn ask<T>(
        &mut self,
        host: usize,
        question: impl FnOnce(&mut Cluster, Env<'_>) -> Result<T, AdminError>,
    ) -> Result<T, GaveUp> {
        self.check_connected(host)?;
        match self.sim.ask(host, question) {
            Some(Ok(answer)) => Ok(answer),
            Some(Err(e)) => Err(GaveUp(format!("host {host} says {e}"))),
            None => Err(GaveUp(format!("host {host} has ended"))),
        }
    }

    fn is_primary(&mut self, host: usize) -> Result<bool, GaveUp> {
        self.ask(host, |cluster, _| Ok(cluster.me().is_primary()))
    }

    fn set_slot(&mut self, host: usize, slot: u16, to: Setting) -> Result<(), GaveUp> {
        self.step(|| format!("host {host}: SETSLOT {slot} {to:?}"))?;
        let other = match to {
            Setting::Migrating(to) | Setting::Importing(to) | Setting::Node(to) => self.sim.id(to),
            Setting::Stable => self.sim.id(host),
        };
        let id = other.as_bytes();
        let change = match to {
            Setting::Migrating(_) => SlotChange::Migrating(id),
            Setting::Importing(_) => SlotChange::Importing(id),
            Setting::Node(_) => SlotChange::Node(id),
            Setting::Stable => SlotChange::Stable,
        };
        let claims = to == Setting::Node(host);
        let outcome = self.ask(host, |cluster, env| cluster.set_slot(Slot(slot), change, env));
        if claims {
            self.note_promise(slot, other, outcome.is_ok());
        }
        outcome
    }

    /// A node was told to own a slot. If no answer came, it may do so or not.
    fn note_promise(&mut self, slot: u16, owner: NodeId, answered: bool) {
        if answered {
            self.sim.promised.insert(slot, owner);
        } else if self.sim.promised.get(&slot) != Some(&owner) {
            self.sim.promised.remove(&slot);
        }
    }

    // ---- moving

    /// Moves a slot with its keys.
    pub fn move_slot(&mut self, slot: u16, from: usize, to: usize) -> Result<(), GaveUp> {
        self.set_slot(to, slot, Setting::Importing(from))?;
        self.set_slot(from, slot, Setting::Migrating(to))?;
        self.move_keys(slot, from, to)?;
        self.set_slot(to, slot, Setting::Node(to))?;
        self.set_slot(from, slot, Setting::Node(to))?;
        for host in self.sim.running() {
            if host != from && host != to && self.is_primary(host)? {
                self.set_slot(host, slot, Setting::Node(to))?;
            }
        }
        Ok(())
    }

    fn move_keys(&mut self, slot: u16, from: usize, to: usize) -> Result<(), GaveUp> {
        loop {
            self.check_connected(from)?;
            let Some(key) = self.sim.hosts[from].keys.first(slot) else { return Ok(()) };
            self.migrate(key, from, to)?;
        }
    }

    /// MIGRATE: the key is written there, then deleted here. It may stop in between.
    fn migrate(&mut self, key: Key, from: usize, to: usize) -> Result<(), GaveUp> {
        self.step(|| format!("MIGRATE {key:?} from host {from} to {to}"))?;
        self.check_connected(from)?;
        // The source may have lost it meanwhile to another client of its own.
        let Some(version) = self.sim.hosts[from].keys.get(key) else { return Ok(()) };
        let here = Query { write: true, moves_keys: true, ..Query::default() };
        let there = Query { write: true, asking: true, ..Query::default() };
        self.expect_served(from, key, here)?;
        self.expect_served(to, key, there)?;
        // What is already there is replaced, but only by its like, as `fix` does.
        let there = self.sim.hosts[to].keys.get(key);
        if there.is_some_and(|there| there != version) {
            return Err(GaveUp(format!("{key:?} differs at hosts {from} and {to}")));
        }
        self.sim.hosts[to].keys.set(key, version);
        // The source serves nobody until MIGRATE is done.
        self.step_at_once(|| format!("DEL {key:?} at host {from}, after MIGRATE"))?;
        self.check_connected(from)?;
        self.sim.hosts[from].keys.remove(key);
        Ok(())
    }

    fn expect_served(&mut self, host: usize, key: Key, query: Query) -> Result<(), GaveUp> {
        match self.sim.route(host, key, query) {
            Some(Route::Here) => Ok(()),
            other => Err(GaveUp(format!("host {host} does not take {key:?}: {other:?}"))),
        }
    }

    // ---- mending

    /// Closes a slot that was left open, whatever state it is in (redis-cli --cluster fix).
    pub fn fix(&mut self, slot: u16) -> Result<(), GaveUp> {
        let open = self.look_at(slot);
        let mut open = open;
        let owner = match open.owners[..] {
            [owner] => owner,
            _ => self.choose_owner(slot, &mut open)?,
        };
        for &other in open.owners.iter().filter(|&&other| other != owner) {
            self.demote(slot, other, owner)?;
            open.importing.retain(|&host| host != other);
            open.importing.push(other);
            open.migrating.retain(|&(host, _)| host != other);
        }
        match (&open.migrating[..], &open.importing[..]) {
            ([], []) => Ok(()),
            (&[(from, _)], &[to]) => self.move_slot(slot, from, to),
            ([], importing) => self.gather_keys(slot, owner, importing),
            (&[(from, to)], importing) if !importing.is_empty() => {
                self.fix_several_importing(slot, (from, to), importing)
            }
            (&[(host, _)], []) => {
                if host != owner && self.sim.hosts[host].keys.count(slot) > 0 {
                    return Err(GaveUp(format!("slot {slot}: keys at host {host}, no owner")));
                }
                self.set_slot(host, slot, Setting::Stable)
            }
            _ => Err(GaveUp(format!("slot {slot}: {open:?} cannot be mended"))),
        }
    }

    /// Another than the chosen owner has something of the slot, too. A node that ends between the
    /// first two of these commands has keys of a slot without an owner, takes that, and loses
    /// both to the owner's claim: redis-cli cannot be stopped there, and neither can this.
    fn demote(&mut self, slot: u16, host: usize, owner: usize) -> Result<(), GaveUp> {
        self.step(|| format!("host {host} gives {slot} up for host {owner}"))?;
        let id = self.sim.id(owner);
        let node = SlotChange::Node(id.as_bytes());
        self.ask(host, |cluster, env| {
            let _ = cluster.del_slots([Ok((Slot(slot), Slot(slot)))]);
            let _ = cluster.set_slot(Slot(slot), node, env);
            cluster.set_slot(Slot(slot), SlotChange::Importing(id.as_bytes()), env)
        })
    }

    fn look_at(&mut self, slot: u16) -> Open {
        let mut open = Open::default();
        for host in self.sim.running() {
            let cluster = self.sim.cluster(host);
            let keys = self.sim.hosts[host].keys.count(slot);
            if cluster.me().is_replica() {
                continue;
            }
            let owns = own_slots(cluster).contains(Slot(slot));
            if owns || keys > 0 {
                open.owners.push(host);
            }
            if let Some(to) = cluster.slots.migrating_to(Slot(slot)) {
                open.migrating.push((host, self.sim.host_of(cluster.nodes[to].id)));
            } else if cluster.slots.importing_from(Slot(slot)).is_some() || (keys > 0 && !owns) {
                open.importing.push(host);
            }
        }
        open
    }

    /// Nobody, or more than one, has something of the slot: who has most keys shall own it.
    fn choose_owner(&mut self, slot: u16, open: &mut Open) -> Result<usize, GaveUp> {
        let running = self.sim.running();
        let keys = |host: &usize| self.sim.hosts[*host].keys.count(slot);
        let most = running.into_iter().max_by_key(|host| (keys(host), usize::MAX - host));
        let owner = most.filter(|host| keys(host) > 0 || open.owners.contains(host));
        let owner = owner.or_else(|| open.owners.first().copied());
        let Some(owner) = owner else {
            return Err(GaveUp(format!("slot {slot}: nobody can own it")));
        };
        self.set_slot(owner, slot, Setting::Stable)?;
        self.step(|| format!("host {owner} becomes the owner of {slot}"))?;
        let outcome = self.ask(owner, |cluster, _| {
            let range = || [Ok((Slot(slot), Slot(slot)))];
            let _ = cluster.del_slots(range());
            cluster.add_slots(range())?;
            cluster.bump_epoch();
            Ok(())
        });
        let id = self.sim.id(owner);
        self.note_promise(slot, id, outcome.is_ok());
        outcome?;
        open.migrating.retain(|&(host, _)| host != owner);
        open.importing.retain(|&host| host != owner);
        Ok(owner)
    }

    fn gather_keys(&mut self, slot: u16, owner: usize, from: &[usize]) -> Result<(), GaveUp> {
        for &host in from.iter().filter(|&&host| host != owner) {
            self.move_keys(slot, host, owner)?;
            self.set_slot(host, slot, Setting::Stable)?;
        }
        for host in self.sim.running() {
            if host != owner && self.is_primary(host)? {
                self.set_slot(host, slot, Setting::Node(owner))?;
            }
        }
        Ok(())
    }

    fn fix_several_importing(
        &mut self,
        slot: u16,
        (from, to): (usize, Option<usize>),
        importing: &[usize],
    ) -> Result<(), GaveUp> {
        if importing.iter().any(|&host| self.sim.hosts[host].keys.count(slot) > 0) {
            return Err(GaveUp(format!("slot {slot}: keys at several importing nodes")));
        }
        let to = to.filter(|to| importing.contains(to));
        match to {
            Some(to) => self.move_slot(slot, from, to)?,
            None => self.set_slot(from, slot, Setting::Stable)?,
        }
        for &host in importing.iter().filter(|&&host| Some(host) != to) {
            self.set_slot(host, slot, Setting::Stable)?;
        }
        Ok(())
    }
}

/// What is known of a slot that may be open.
#[derive(Debug, Default)]
struct Open {
    /// Who owns it, or has keys of it.
    owners: Vec<usize>,
    /// Who moves it away, and to whom.
    migrating: Vec<(usize, Option<usize>)>,
    /// Who takes it in, or has keys of it without owning it.
    importing: Vec<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Setting {
    Migrating(usize),
    Importing(usize),
    Node(usize),
    Stable,
}

impl Sim {
    /// What a node says to a request for a key.
    pub fn route(&mut self, host: usize, key: Key, query: Query) -> Option<Route> {
        if !self.hosts[host].runs() {
            return None;
        }
        let existing = self.hosts[host].keys.get(key).is_some();
        let census = Census { existing, missing: !existing, several: false };
        let slots = std::iter::once(Slot(key.0));
        Some(self.cluster(host).route(slots, query, || census))
    }

    /// A client writes a key, and follows redirects. Whether it was told OK.
    pub fn write(&mut self, key: Key) -> bool {
        let running = self.running();
        let mut at = running[self.below(running.len())];
        let mut asking = false;
        for _ in 0..6 {
            let query = Query { write: true, asking, ..Query::default() };
            let Some(route) = self.route(at, key, query) else { return false };
            let next = match route {
                Route::Here => {
                    let version = self.written.get(&key).copied().unwrap_or_default() + 1;
                    self.hosts[at].keys.set(key, version);
                    self.written.insert(key, version);
                    self.trace(|| format!("{key:?} version {version} is written at host {at}"));
                    return true;
                }
                Route::Moved { node, .. } => {
                    asking = false;
                    node
                }
                Route::Ask { node, .. } => {
                    asking = true;
                    node
                }
                _ => return false,
            };
            let address = self.cluster(at).nodes[next].address.clone();
            let reached =
                self.hosts.iter().find(|h| *h.ip == *address.ip && h.port == address.port);
            let Some(reached) = reached else { return false };
            at = reached.index;
        }
        false
    }

    /// Some clients write some keys of the slots that have any.
    pub fn write_some(&mut self, keys: usize) {
        let slots: Vec<u16> = self.promised.keys().copied().collect();
        for _ in 0..keys {
            let slot = slots[self.below(slots.len())];
            let key = (slot, self.below(6) as u32);
            self.write(key);
        }
    }
}
