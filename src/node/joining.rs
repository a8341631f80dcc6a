//! The start of a cluster node: its file is locked and read, the bus bound, the cluster made of
//! both. Whatever is wrong stops the start, and leaves the file as it was.

use std::io;

use mio::Registry;

use super::bus::Bus;
use super::listeners;
use super::nodes_file::NodesFile;
use crate::base::rng::Rng;
use crate::cluster::Cluster;
use crate::config::{Config, strerror};
use crate::core::Core;
use crate::core::cluster_settings::{Ports, cluster_settings};

/// What a node knew when it stopped.
pub struct Known {
    file: NodesFile,
    /// Empty if this node never ran.
    text: Vec<u8>,
}

/// Locks and reads the file of the cluster.
pub fn load(config: &Config) -> io::Result<Known> {
    let (file, text) = NodesFile::open(config.path(&config.cluster_config_file))?;
    Ok(Known { file, text })
}

impl Known {
    /// Goes on as the node that the file tells of, or as a new one if there is none.
    pub fn join(mut self, core: &mut Core, registry: &Registry) -> io::Result<Box<Bus>> {
        let client = core.cluster_ports.client;
        let bound = listeners::bind_bus(&core.config, client)?;
        let bus = bound.first().map_or(Ok(0), |l| l.local_addr().map(|address| address.port()))?;
        let ports = Ports { client, bus };
        let cluster = self.cluster(core, ports)?;
        core.join_cluster(cluster, ports);
        Ok(Box::new(Bus::new(registry, bound, self.file)?))
    }

    fn cluster(&mut self, core: &Core, ports: Ports) -> io::Result<Cluster> {
        let settings = cluster_settings(&core.config, ports);
        let (rng, now_ms) = (Rng::from_entropy(), core.now.ms());
        if !self.text.is_empty() {
            let path = self.file.path().display();
            let cluster = Cluster::from_nodes_conf(&self.text, settings, rng, now_ms);
            let cluster = cluster.map_err(|error| {
                let words = format!(
                    "Unrecoverable error: corrupted cluster config file \"{path}\": {error}"
                );
                io::Error::new(io::ErrorKind::InvalidData, words)
            })?;
            log::info!("Node configuration loaded, I'm {}", cluster.me().id);
            return Ok(cluster);
        }
        let cluster = Cluster::new(settings, rng, now_ms);
        log::info!("No cluster configuration found, I'm {}", cluster.me().id);
        self.file.save(&cluster.to_nodes_conf(), true).map_err(|error| {
            let words = strerror(&error);
            io::Error::new(
                error.kind(),
                format!("Fatal: can't update cluster config file: {words}"),
            )
        })?;
        Ok(cluster)
    }
}
