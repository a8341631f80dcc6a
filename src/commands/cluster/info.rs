//! CLUSTER INFO and COUNT-FAILURE-REPORTS: figures of the cluster.

use std::fmt::Write as _;

use super::{FIRST, cluster_mut, parts, refused};
use crate::cluster::wire::MessageKind;
use crate::cluster::{Cluster, State};
use crate::dispatch::Context;
use crate::resp::Error;

/// CLUSTER INFO
pub fn cluster_info(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (cluster, reply) = parts(ctx)?;
    reply.verbatim("txt", page(cluster).as_bytes());
    Ok(())
}

fn page(cluster: &Cluster) -> String {
    let me = cluster.myself();
    let my_epoch = cluster.nodes[cluster.primary_of(me).unwrap_or(me)].config_epoch;
    let mut page = String::new();
    let mut field = |name: &str, value: &dyn std::fmt::Display| {
        let _ = write!(page, "{name}:{value}\r\n");
    };
    field("cluster_state", if cluster.state() == State::Ok { &"ok" } else { &"fail" });
    field("cluster_slots_assigned", &cluster.slots.assigned());
    field("cluster_slots_ok", &cluster.slots_ok());
    field("cluster_slots_pfail", &cluster.slots_pfail());
    field("cluster_slots_fail", &cluster.slots_fail());
    field("cluster_known_nodes", &cluster.nodes.len());
    field("cluster_size", &cluster.size());
    field("cluster_current_epoch", &cluster.current_epoch());
    field("cluster_my_epoch", &my_epoch);
    for (direction, counts) in
        [("sent", &cluster.stats.sent), ("received", &cluster.stats.received)]
    {
        for (kind, count) in MessageKind::ALL.into_iter().zip(counts) {
            if *count > 0 {
                let name = format!("cluster_stats_messages_{}_{direction}", kind.name());
                field(&name, count);
            }
        }
        let total: u64 = counts.iter().sum();
        field(&format!("cluster_stats_messages_{direction}"), &total);
    }
    let exceeded = cluster.stats.link_buffer_limit_exceeded;
    field("total_cluster_links_buffer_limit_exceeded", &exceeded);
    page
}

/// CLUSTER COUNT-FAILURE-REPORTS node
pub fn cluster_count_failure_reports(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (id, now_ms) = (ctx.args.at(FIRST), ctx.now_ms());
    let cluster = cluster_mut(ctx)?;
    let node = cluster.expect_node(id).map_err(refused)?;
    let reports = cluster.failure_reports(node, now_ms);
    ctx.client.reply.int(reports as i64);
    Ok(())
}
