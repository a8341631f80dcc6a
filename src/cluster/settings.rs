//! What the configuration says to the cluster, in the cluster's terms. The core fills it from the
//! directives, at the start and after each change.

/// What clients are told to connect to (cluster-preferred-endpoint-type).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EndpointType {
    /// The ip address.
    #[default]
    Ip,
    /// The announced host name.
    Hostname,
    /// Nothing: clients use the address that they are connected to.
    Unknown,
}

/// The directives that the cluster looks at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// cluster-node-timeout.
    pub node_timeout_ms: u64,
    /// cluster-ping-interval, how often a random node is pinged; 0 for the default of a second.
    pub ping_interval_ms: u64,
    /// cluster-require-full-coverage.
    pub require_full_coverage: bool,
    /// cluster-allow-reads-when-down.
    pub allow_reads_when_down: bool,
    /// cluster-allow-pubsubshard-when-down.
    pub allow_pubsubshard_when_down: bool,
    /// cluster-replica-no-failover.
    pub replica_no_failover: bool,
    /// cluster-link-sendbuf-limit, bytes; 0 for none.
    pub link_send_buffer_bytes_max: usize,
    /// cluster-preferred-endpoint-type.
    pub preferred_endpoint: EndpointType,
    /// cluster-announce-ip.
    pub announce_ip: Option<Box<str>>,
    /// The one address that the node binds to, which its links start from (bind-source-addr, or
    /// the first of bind).
    pub bind_ip: Option<Box<str>>,
    /// cluster-announce-hostname; empty for none.
    pub hostname: Box<str>,
    /// cluster-announce-human-nodename; empty for none.
    pub human_name: Box<str>,
    /// The port that clients are told: cluster-announce-port, else the one listened on.
    pub port: u16,
    /// The TLS port that clients are told; 0 for none.
    pub tls_port: u16,
    /// The bus port that nodes are told: cluster-announce-bus-port, else the one listened on.
    pub bus_port: u16,
}
