//! A crowd: all of its nodes restart one after the other, and what its gossip costs.
//!
//! What Redis 7.2 sends, by its clusterCron and clusterSendPing. A node pings another one as soon
//! as the last pong of that is older than half the node timeout, and besides one per second that
//! it has not heard of for long. So it sends at most `(n - 1) / (timeout / 2) + 1` pings a second;
//! on average it gets as many, and answers each with a pong. Both carry the header, the sender's
//! shard, and gossip about a tenth of all nodes, at least three:
//!
//! ```text
//! bytes(n) = 2256 + 48 + 104 * max(3, n / 10)
//! bytes per second <= 2 * ((n - 1) / (timeout / 2) + 1) * bytes(n)
//! ```
//!
//! Gossip that brings a later pong of a node spares a ping to it, so that Redis stays below this
//! the more, the larger the cluster is; a node here has to stay below as well.

use super::Formed;
use crate::host::End;
use crate::world::Sim;

/// cluster-node-timeout's default.
const TIMEOUT_MS: u64 = 15_000;

fn crowd(nodes: usize) -> Sim {
    let mut sim = Sim::new(nodes as u64, nodes);
    for host in &mut sim.hosts {
        host.node_timeout_ms = TIMEOUT_MS;
        host.lazy_disk = true;
    }
    Formed::evenly(nodes).start(&mut sim);
    sim.settle(120_000);
    sim
}

/// Most bytes per second that a node of Redis sends in a cluster without trouble.
fn bytes_of_redis(nodes: usize) -> f64 {
    let packet = 2256 + 48 + 104 * 3.max(nodes / 10);
    let pings = (nodes - 1) as f64 / (TIMEOUT_MS as f64 / 2000.0) + 1.0;
    2.0 * pings * packet as f64
}

/// Bytes that a node sends per second.
fn measure(sim: &mut Sim) -> f64 {
    sim.run_for(TIMEOUT_MS);
    let sent = |sim: &Sim| sim.hosts.iter().map(|host| host.sent.0).sum::<u64>();
    let before = sent(sim);
    let seconds = 30;
    sim.run_for(seconds * 1000);
    (sent(sim) - before) as f64 / seconds as f64 / sim.hosts.len() as f64
}

fn nodes_wanted(usual: usize) -> usize {
    let wanted = std::env::var("SIM_NODES").ok();
    wanted.and_then(|wanted| wanted.parse().ok()).unwrap_or(usual)
}

#[test]
fn scale_traffic() {
    let most = nodes_wanted(100);
    let sizes = [10, 20, 50, 100, 200, 500];
    let mut small = None;
    for nodes in sizes.into_iter().filter(|&nodes| nodes <= most) {
        let mut sim = crowd(nodes);
        let (ours, redis) = (measure(&mut sim), bytes_of_redis(nodes));
        println!("{nodes} nodes: {ours:.0} bytes per node and second, Redis at most {redis:.0}");
        assert!(ours <= redis, "{nodes} nodes: {ours} and not {redis}");
        let (less, of_redis) = *small.get_or_insert((ours, redis));
        let (grown, of_redis) = (ours - less, redis - of_redis);
        assert!(grown <= of_redis, "{nodes} nodes: {grown} more and not {of_redis}");
    }
}

#[test]
fn scale_rolling_restart() {
    let mut sim = crowd(nodes_wanted(60));
    for host in 0..sim.hosts.len() {
        sim.end(host, End::Killed);
        sim.run_for(200);
        sim.start(host);
        sim.run_for(100);
    }
    let restarted_ms = sim.now_ms;
    sim.settle(120_000);
    let took_ms = sim.now_ms - restarted_ms - 2 * TIMEOUT_MS;
    println!("{} nodes agree {took_ms} ms after a rolling restart", sim.hosts.len());
}
