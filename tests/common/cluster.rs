//! Nodes of a cluster for black-box tests: each in this process, with a directory of its own, on
//! free ports, to be stopped and started again as the same node.

use std::path::{Path, PathBuf};

use redis_rust::config::Config;
use redis_rust::{Handle, Server};
use tempfile::TempDir;

use super::{Client, wait_until};

/// How long a node may be silent in these clusters.
const NODE_TIMEOUT_MS: &str = "2000";
const SLOTS: usize = 16_384;

/// One node of a cluster. Its directory lives as long as this does.
pub struct Member {
    handle: Option<Handle>,
    /// Directives beside the usual ones.
    settings: Vec<(String, String)>,
    directory: TempDir,
}

impl Member {
    /// A node that knows nobody.
    pub fn start(settings: &[(&str, &str)]) -> Member {
        let settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let mut member = Member {
            handle: None,
            settings: settings.collect(),
            directory: tempfile::tempdir().expect("a directory"),
        };
        member.go_on().expect("the node starts");
        member
    }

    /// Starts the node again; what it says if it refuses.
    pub fn go_on(&mut self) -> Result<(), String> {
        let bound = Server::bind(self.config()).map_err(|error| error.to_string())?;
        self.handle = Some(bound.spawn());
        Ok(())
    }

    /// How it is configured.
    pub fn config(&self) -> Config {
        let config = Config::default().port(0).bind(["127.0.0.1"]);
        let mut config = config.cluster(self.directory.path()).expect("a directory");
        let usual = ("cluster-node-timeout".to_string(), NODE_TIMEOUT_MS.to_string());
        for (name, value) in [&usual].into_iter().chain(&self.settings) {
            config = config.set(name, value).expect("a directive");
        }
        config
    }

    /// Stops the node.
    pub fn stop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.stop().expect("the node ends in order");
        }
    }

    fn handle(&self) -> &Handle {
        self.handle.as_ref().expect("the node runs")
    }

    /// The port for clients.
    pub fn port(&self) -> u16 {
        self.handle().addresses()[0].port()
    }

    /// The port of the bus.
    pub fn bus_port(&self) -> u16 {
        self.handle().bus_port().expect("a cluster node")
    }

    /// A new connection of a client.
    pub fn connect(&self) -> Client {
        Client::connect(self.handle().addresses()[0])
    }

    /// Where the node keeps its files.
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The file of the cluster.
    pub fn nodes_conf(&self) -> PathBuf {
        self.directory.path().join("nodes.conf")
    }

    /// Its id.
    pub fn id(&self) -> String {
        self.connect().run("CLUSTER MYID").text()
    }

    /// One field of CLUSTER INFO.
    pub fn cluster_info(&self, field: &str) -> String {
        field_of(&self.connect().run("CLUSTER INFO").text(), field)
    }

    /// One field of INFO.
    pub fn info(&self, field: &str) -> String {
        field_of(&self.connect().run("INFO everything").text(), field)
    }

    /// Has it meet another node.
    pub fn meet(&self, other: &Member) {
        let line = format!("CLUSTER MEET 127.0.0.1 {} {}", other.port(), other.bus_port());
        assert_eq!(self.connect().ask(&line), "OK");
    }

    /// Lines of CLUSTER NODES, each cut into words.
    pub fn nodes(&self) -> Vec<Vec<String>> {
        let text = self.connect().run("CLUSTER NODES").text();
        text.lines().map(|line| line.split(' ').map(str::to_string).collect()).collect()
    }

    /// Whether it is linked with so many others, both ways, and takes none for missing.
    pub fn sees(&self, others: usize) -> bool {
        let nodes = self.nodes();
        let healthy = |line: &&Vec<String>| {
            let bad = ["handshake", "fail", "noaddr"];
            line[7] == "connected" && !bad.iter().any(|flag| line[2].contains(flag))
        };
        nodes.len() == others + 1
            && nodes.iter().filter(healthy).count() == others + 1
            && self.connect().run("CLUSTER LINKS").items().len() == 2 * others
    }
}

fn field_of(text: &str, field: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("no {field} in {text}")).to_string()
}

/// Nodes that know each other; the slots are shared out evenly, in order.
pub fn start_cluster(count: usize, settings: &[(&str, &str)]) -> Vec<Member> {
    let members: Vec<Member> = (0..count).map(|_| Member::start(settings)).collect();
    for (index, member) in members.iter().enumerate() {
        let (first, end) = (index * SLOTS / count, (index + 1) * SLOTS / count);
        let mut client = member.connect();
        assert_eq!(client.ask(&format!("CLUSTER ADDSLOTSRANGE {first} {}", end - 1)), "OK");
        assert_eq!(client.ask(&format!("CLUSTER SET-CONFIG-EPOCH {}", index + 1)), "OK");
        members[0].meet(member);
    }
    wait_for_cluster(&members);
    members
}

/// Waits until all of these see each other and serve.
#[track_caller]
pub fn wait_for_cluster(members: &[Member]) {
    for member in members {
        wait_until("all nodes know each other", || member.sees(members.len() - 1));
        wait_until("the cluster serves", || member.cluster_info("cluster_state") == "ok");
    }
}
