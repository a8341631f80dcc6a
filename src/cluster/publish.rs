//! Messages of PUBLISH and SPUBLISH on their way to other nodes. Called by the commands; what comes
//! in from others is delivered by `receive`.

use super::Cluster;
use super::wire::Body;

impl Cluster {
    /// Passes a message on, to all nodes or to those of this node's shard (Redis:
    /// clusterPropagatePublish). It is encoded once, whoever gets it.
    pub fn publish(&mut self, sharded: bool, channel: &[u8], message: &[u8]) {
        let shard = self.me().shard;
        let body = Body::Publish { sharded, channel, message };
        self.send_to_all(&body, |node| !sharded || node.shard == shard);
    }
}
