//! Directives of the cluster, in the cluster's terms.

use crate::cluster::{EndpointType, Settings};
use crate::config::ClusterEndpointType;
use crate::config::Config;

/// What is between the client port and the bus port, unless cluster-port says otherwise (Redis:
/// CLUSTER_PORT_INCR).
const BUS_PORT_OFFSET: u16 = 10_000;

/// What the configuration says to the cluster of a node that listens on `port`.
pub fn cluster_settings(config: &Config, port: u16) -> Settings {
    let text = |value: &Option<Vec<u8>>| -> Option<Box<str>> {
        value.as_ref().map(|v| String::from_utf8_lossy(v).into_owned().into())
    };
    let or = |announced: u16, own: u16| if announced != 0 { announced } else { own };
    Settings {
        node_timeout_ms: config.cluster_node_timeout,
        ping_interval_ms: config.cluster_ping_interval,
        require_full_coverage: config.cluster_require_full_coverage,
        allow_reads_when_down: config.cluster_allow_reads_when_down,
        allow_pubsubshard_when_down: config.cluster_allow_pubsubshard_when_down,
        replica_no_failover: config.cluster_replica_no_failover,
        link_send_buffer_bytes_max: config.cluster_link_sendbuf_limit as usize,
        preferred_endpoint: match config.cluster_preferred_endpoint_type {
            ClusterEndpointType::Ip => EndpointType::Ip,
            ClusterEndpointType::Hostname => EndpointType::Hostname,
            ClusterEndpointType::UnknownEndpoint => EndpointType::Unknown,
        },
        announce_ip: text(&config.cluster_announce_ip),
        bind_ip: None,
        hostname: text(&config.cluster_announce_hostname).unwrap_or_default(),
        human_name: text(&config.cluster_announce_human_nodename).unwrap_or_default(),
        port: or(config.cluster_announce_port, port),
        tls_port: config.cluster_announce_tls_port,
        bus_port: or(config.cluster_announce_bus_port, bus_port(config, port)),
    }
}

/// The port of the bus of a node that listens on `port` for clients.
pub fn bus_port(config: &Config, port: u16) -> u16 {
    if config.cluster_port != 0 {
        config.cluster_port
    } else {
        port.saturating_add(BUS_PORT_OFFSET)
    }
}
