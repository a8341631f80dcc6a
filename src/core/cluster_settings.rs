//! Directives of the cluster, in the cluster's terms, and what follows when one of them changes.

use super::Core;
use crate::cluster::{Cluster, EndpointType, Settings};
use crate::config::ClusterEndpointType;
use crate::config::Config;

/// What is between the client port and the bus port, unless cluster-port says otherwise (Redis:
/// CLUSTER_PORT_INCR).
pub const BUS_PORT_OFFSET: u16 = 10_000;

/// The ports that a cluster node really listens on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ports {
    /// For clients; 0 for none.
    pub client: u16,
    /// For nodes.
    pub bus: u16,
}

/// What the configuration says to the cluster of a node that listens on these ports.
pub fn cluster_settings(config: &Config, ports: Ports) -> Settings {
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
        bind_ip: text(&config.bind_source_addr),
        hostname: text(&config.cluster_announce_hostname).unwrap_or_default(),
        human_name: text(&config.cluster_announce_human_nodename).unwrap_or_default(),
        port: or(config.cluster_announce_port, ports.client),
        tls_port: config.cluster_announce_tls_port,
        bus_port: or(config.cluster_announce_bus_port, ports.bus),
    }
}

/// The port of the bus that belongs to a client port; `None` if there is none so high.
pub fn bus_port(config: &Config, client_port: u16) -> Option<u16> {
    match config.cluster_port {
        0 => client_port.checked_add(BUS_PORT_OFFSET),
        port => Some(port),
    }
}

impl Core {
    /// Hands the cluster its part of the configuration, if that has changed: after each CONFIG SET.
    pub fn configure_cluster(&mut self) {
        let settings = cluster_settings(&self.config, self.cluster_ports);
        if let Some(cluster) = &mut self.cluster
            && cluster.settings != settings
        {
            cluster.settings = settings;
            cluster.apply_settings();
        }
    }

    /// The node is part of a cluster from now on, and listens on these ports.
    pub fn join_cluster(&mut self, cluster: Cluster, ports: Ports) {
        self.cluster_ports = ports;
        self.cluster = Some(Box::new(cluster));
        self.configure_cluster();
    }

    /// Connections that other nodes have or will have with this one: clients get what they leave
    /// (Redis: getClusterConnectionsCount).
    pub fn cluster_connections(&self) -> usize {
        self.cluster.as_ref().map_or(0, |cluster| (cluster.nodes.len() - 1) * 2)
    }

    /// Memory held by links of the bus.
    pub fn cluster_links_bytes(&self) -> usize {
        let sending = self.cluster.as_ref().map_or(0, |cluster| cluster.send_bytes());
        sending + self.memory.bus_input_bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_announced_comes_before_what_is_bound() {
        let ports = Ports { client: 7000, bus: 17_000 };
        let settings = cluster_settings(&Config::default(), ports);
        assert_eq!((settings.port, settings.bus_port, settings.tls_port), (7000, 17_000, 0));
        let mut config = Config::default();
        for (name, value) in [
            ("cluster-announce-port", "1"),
            ("cluster-announce-bus-port", "2"),
            ("cluster-announce-tls-port", "3"),
            ("cluster-announce-ip", "10.0.0.1"),
            ("cluster-announce-hostname", "host"),
            ("cluster-announce-human-nodename", "name"),
            ("cluster-preferred-endpoint-type", "unknown-endpoint"),
            ("cluster-node-timeout", "77"),
        ] {
            config = config.set(name, value).unwrap();
        }
        let settings = cluster_settings(&config, ports);
        assert_eq!((settings.port, settings.bus_port, settings.tls_port), (1, 2, 3));
        assert_eq!(settings.announce_ip.as_deref(), Some("10.0.0.1"));
        assert_eq!((&*settings.hostname, &*settings.human_name), ("host", "name"));
        assert_eq!(settings.preferred_endpoint, EndpointType::Unknown);
        assert_eq!(settings.node_timeout_ms, 77);
    }

    #[test]
    fn the_bus_is_ten_thousand_ports_higher() {
        let config = Config::default();
        assert_eq!(bus_port(&config, 55_535), Some(65_535));
        assert_eq!(bus_port(&config, 55_536), None);
        let config = config.set("cluster-port", "5").unwrap();
        assert_eq!(bus_port(&config, 60_000), Some(5));
    }
}
