//! Nodes in cluster mode, each with a directory of its own, and clusters made of them by hand.

use std::net::SocketAddr;

use redis_rust::Config;
use tempfile::TempDir;

use super::{Client, Node, wait_until};

/// A node in cluster mode. Dropping it stops it and removes its directory.
pub struct Member {
    node: Node,
    _dir: TempDir,
}

impl Member {
    /// A node that is alone and owns nothing.
    pub fn start() -> Member {
        Member::with(&[])
    }

    /// A node with these directives.
    pub fn with(directives: &[(&str, &str)]) -> Member {
        let dir = TempDir::new().expect("a directory");
        let path = dir.path().to_str().expect("a path of text");
        let own = [("dir", path), ("cluster-enabled", "yes"), ("enable-debug-command", "yes")];
        let all = own.iter().chain(directives);
        let config = all.fold(Config::default(), |config, (name, value)| {
            config.set(name, value).unwrap_or_else(|e| panic!("{name} {value}: {e}"))
        });
        Member { node: Node::with(config), _dir: dir }
    }

    /// A node that owns all slots and serves.
    pub fn serving() -> Member {
        let member = Member::start();
        let mut client = member.connect();
        client.expect(&[("CLUSTER ADDSLOTSRANGE 0 16383", "OK")]);
        wait_for_state(&mut client, "ok");
        member
    }

    /// Where it listens for clients.
    pub fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// Where it listens for clients, as redirects name it.
    pub fn endpoint(&self) -> String {
        self.address().to_string()
    }

    /// A new connection that speaks RESP2.
    pub fn connect(&self) -> Client {
        self.node.connect()
    }

    /// A new connection that speaks RESP3.
    pub fn connect_resp3(&self) -> Client {
        self.node.connect_resp3()
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.connect().run("CLUSTER MYID").text()
    }

    /// Makes it meet another.
    pub fn meet(&self, other: &Member) {
        let nodes = other.connect().run("CLUSTER NODES").text();
        let myself = nodes.lines().find(|line| line.contains("myself")).expect("its own line");
        let place = myself.split(' ').nth(1).expect("an address");
        let bus_port = place.split(['@', ',']).nth(1).expect("a bus port");
        let line = format!("CLUSTER MEET 127.0.0.1 {} {bus_port}", other.address().port());
        self.connect().expect(&[(&line, "OK")]);
    }
}

/// A field of CLUSTER INFO.
pub fn cluster_info(client: &mut Client, name: &str) -> String {
    let text = client.run("CLUSTER INFO").text();
    let found = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    found.unwrap_or_else(|| panic!("no {name} in {text}")).to_owned()
}

/// Waits until the cluster serves (`ok`) or does not (`fail`) in a node's eyes.
pub fn wait_for_state(client: &mut Client, state: &str) {
    wait_until(&format!("cluster_state:{state}"), || {
        cluster_info(client, "cluster_state") == state
    });
}

/// Two nodes that know each other and serve; the first has the slots up to 8191.
pub fn pair() -> [Member; 2] {
    let members = [Member::start(), Member::start()];
    let mut clients = [members[0].connect(), members[1].connect()];
    clients[0].expect(&[("CLUSTER ADDSLOTSRANGE 0 8191", "OK")]);
    clients[1].expect(&[
        ("CLUSTER SET-CONFIG-EPOCH 1", "OK"),
        ("CLUSTER ADDSLOTSRANGE 8192 16383", "OK"),
    ]);
    members[0].meet(&members[1]);
    for client in &mut clients {
        wait_for_state(client, "ok");
    }
    members
}
