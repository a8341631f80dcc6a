//! Waiting commands without sockets and on a clock of their own: the order of service at any number
//! of clients, what a command that waits again keeps, and what ends a wait.

use std::sync::LazyLock;

use crate::commands::FAMILIES;
use crate::config::Config;
use crate::core::client::ClientFlags;
use crate::core::{Client, ClientId, Core, Effect, Now};
use crate::dispatch::blocked::{End, serve_ready, time_out, unblock};
use crate::dispatch::declare::*;
use crate::dispatch::{Around, Context, Table, cursor, execute};
use crate::keyspace::waiting::WaitFor;
use crate::resp::{Error, OwnedArgs};
use crate::value::ValueRef;

const START_MS: u64 = 1_000_000;

/// WAITLEN key len timeout: a command that is woken by any list, but wants a long one.
fn waitlen(ctx: &mut Context<'_>) -> Result<(), Error> {
    let wanted = cursor::parse_i64(ctx.args.at(2))?;
    let deadline = ctx.parse_timeout_s(ctx.args.at(3))?;
    let found = ctx.core.keyspace.lookup_read(ctx.client.db, &ctx.key(1));
    let len = found.map_or(0, |record| match record.value() {
        ValueRef::List(list) => list.len() as i64,
        _ => 0,
    });
    if len >= wanted {
        ctx.client.reply.int(len);
    } else {
        ctx.block_on(1..2, WaitFor::List, deadline);
    }
    Ok(())
}

const WAITLEN: &[Command] = &[Command::new("waitlen", 4, waitlen)];

struct Node {
    core: Core,
    table: &'static Table,
}

impl Node {
    fn new() -> Node {
        static TABLE: LazyLock<Table> =
            LazyLock::new(|| Table::new(&[FAMILIES, &[WAITLEN]].concat()));
        let table = &*TABLE;
        let now = Now { unix_us: START_MS * 1000 };
        Node { core: Core::new(Config::default(), table.full_names(), now), table }
    }

    fn connect(&mut self) -> ClientId {
        let token = self.core.clients.add(START_MS);
        let client = self.core.clients.get_mut(token).expect("it was just added");
        client.flags |= ClientFlags::AUTHENTICATED;
        client.id
    }

    /// Runs a command as the node does, with all that it makes ready.
    fn send(&mut self, id: ClientId, line: &str) {
        let args = OwnedArgs::from_parts(line.split(' ').map(str::as_bytes));
        let mut client = self.core.clients.take_by_id(id).expect("it is connected");
        assert!(client.accepts_requests());
        let request = execute::prepare(&self.core, self.table, args.args());
        execute::process(&mut self.core, &mut client, &mut Around::only(self.table), &request);
        self.core.clients.put_back(client);
        serve_ready(&mut self.core, self.table);
    }

    /// What a client was sent since.
    fn read(&mut self, id: ClientId) -> String {
        let client = self.core.clients.by_id_mut(id).expect("it is connected");
        let output = &mut client.reply.output;
        let text = String::from_utf8_lossy(output.tail()).into_owned();
        output.clear();
        text.replace("\r\n", " ").trim_end().into()
    }

    fn waits(&self, id: ClientId) -> bool {
        self.core.clients.by_id(id).is_some_and(|client| client.blocked.is_some())
    }

    fn calls(&mut self, name: &[u8]) -> (u64, u64, u64) {
        let id = self.table.by_name(name).expect("it is a command").id;
        let stats = self.core.stats.command(id);
        (stats.calls, stats.rejected, stats.failed)
    }
}

#[test]
fn each_push_costs_what_it_serves_however_many_wait() {
    // Were each push to look at all who wait, this would take very long.
    const CLIENTS: usize = 30_000;
    let mut node = Node::new();
    let ids: Vec<ClientId> = (0..CLIENTS).map(|_| node.connect()).collect();
    for &id in &ids {
        node.send(id, "BLPOP k other k 0");
    }
    assert_eq!(node.core.keyspace.awaited_keys(), (2, 0));
    let pusher = node.connect();
    for (n, &id) in ids.iter().enumerate() {
        node.send(pusher, &format!("RPUSH k {n}"));
        assert_eq!(node.read(id), format!("*2 $1 k ${} {n}", n.to_string().len()));
        assert_eq!(node.core.effects.len(), 1);
        assert!(matches!(node.core.effects.pop(), Some(Effect::Unblocked(served)) if served == id));
    }
    assert_eq!(node.core.keyspace.awaited_keys(), (0, 0));
    assert_eq!(node.calls(b"blpop"), (CLIENTS as u64, 0, 0));
}

#[test]
fn who_waits_again_keeps_its_deadline_and_stands_behind_the_others() {
    let mut node = Node::new();
    let [choosy, modest, patient, pusher] = [(); 4].map(|()| node.connect());
    node.send(choosy, "WAITLEN k 3 0.5");
    node.send(modest, "BLPOP k 0");
    node.send(patient, "BLPOP k 0");
    node.core.set_now(Now { unix_us: (START_MS + 400) * 1000 });
    node.send(pusher, "RPUSH k a");
    assert!(node.waits(choosy) && !node.waits(modest) && node.waits(patient));
    assert_eq!(node.core.timeouts.next_ms(), Some(START_MS + 501));
    // The other one comes first by now, and what it leaves is too little.
    node.send(pusher, "RPUSH k a b c");
    assert!(node.waits(choosy) && !node.waits(patient));
    assert_eq!(node.calls(b"waitlen"), (0, 0, 0));
    time_out(&mut node.core, node.table, START_MS + 500);
    assert!(node.waits(choosy));
    time_out(&mut node.core, node.table, START_MS + 501);
    assert_eq!((node.waits(choosy), node.read(choosy)), (false, "*-1".into()));
    assert_eq!(node.calls(b"waitlen"), (1, 0, 0));
    assert!(node.core.timeouts.is_empty());
}

#[test]
fn a_gate_that_closed_meanwhile_refuses_the_command() {
    let mut node = Node::new();
    let [refused, served, pusher] = [(); 3].map(|()| node.connect());
    node.send(refused, "BLPOP k 0");
    node.send(served, "BLPOP k 0");
    let client = node.core.clients.by_id_mut(refused).expect("it is connected");
    client.flags -= ClientFlags::AUTHENTICATED;
    node.send(pusher, "RPUSH k a");
    assert_eq!(node.read(refused), "-NOAUTH Authentication required.");
    assert_eq!(node.read(served), "*2 $1 k $1 a");
    assert_eq!(node.calls(b"blpop"), (1, 1, 0));
}

#[test]
fn who_is_about_to_be_closed_gets_nothing() {
    let mut node = Node::new();
    let [closing, served, pusher] = [(); 3].map(|()| node.connect());
    node.send(closing, "BLPOP k 9");
    node.send(served, "BLPOP k 0");
    let client = node.core.clients.by_id_mut(closing).expect("it is connected");
    client.flags |= ClientFlags::CLOSE_ASAP;
    let token = client.token;
    node.send(pusher, "RPUSH k a");
    assert_eq!((node.read(closing), node.read(served)), (String::new(), "*2 $1 k $1 a".into()));
    let mut gone = node.core.clients.remove(token).expect("it was connected");
    node.core.forget_client(&mut gone);
    assert_eq!(node.core.keyspace.awaited_keys(), (0, 0));
    assert!(node.core.timeouts.is_empty());
}

#[test]
fn a_command_costs_memory_while_it_waits() {
    let mut node = Node::new();
    let id = node.connect();
    let before = node.core.clients.by_id(id).map(Client::memory);
    let key = "k".repeat(10_000);
    node.send(id, &format!("BLPOP {key} 0"));
    let during = node.core.clients.by_id(id).map(Client::memory);
    assert!(during > before.map(|bytes| bytes + 10_000), "{before:?} {during:?}");
    let error = Error::Unblocked;
    assert!(unblock(&mut node.core, node.table, id, End::Failed(&error)));
    assert!(!unblock(&mut node.core, node.table, id, End::TimedOut));
    assert_eq!(node.read(id), "-UNBLOCKED client unblocked via CLIENT UNBLOCK");
    assert_eq!(node.calls(b"blpop"), (1, 0, 1));
}
