//! Nodes start again from their nodes.conf, some of them elsewhere.

use super::{Formed, form, formed, some_weather};
use crate::host::End;
use crate::seeds;
use crate::world::Sim;

fn some_end(sim: &mut Sim) -> End {
    if sim.one_in(2) { End::Killed } else { End::PowerLost }
}

fn restart(sim: &mut Sim, host: usize) {
    let how = some_end(sim);
    sim.end(host, how);
    sim.run_up_to(6000);
    sim.start(host);
}

#[test]
fn restart_one() {
    seeds("restart_one", 20, |seed| {
        let mut sim = formed(seed, 3 + seed as usize % 4);
        let weather = some_weather(&mut sim);
        sim.net.weather = weather;
        let host = sim.below(sim.hosts.len());
        restart(&mut sim, host);
        sim.net.weather = Default::default();
        sim.settle(60_000);
        sim.check_keys();
    });
}

#[test]
fn restart_all() {
    seeds("restart_all", 20, |seed| {
        let mut sim = formed(seed, 3 + seed as usize % 4);
        for host in 0..sim.hosts.len() {
            let how = some_end(&mut sim);
            sim.end(host, how);
        }
        for host in 0..sim.hosts.len() {
            sim.run_up_to(4000);
            sim.start(host);
        }
        sim.settle(60_000);
        sim.check_keys();
    });
}

#[test]
fn restart_rolling() {
    seeds("restart_rolling", 20, |seed| {
        let mut sim = formed(seed, 3 + seed as usize % 4);
        let weather = some_weather(&mut sim);
        sim.net.weather = weather;
        for host in 0..sim.hosts.len() {
            restart(&mut sim, host);
            sim.run_up_to(3000);
        }
        sim.net.weather = Default::default();
        sim.settle(60_000);
        sim.check_keys();
    });
}

/// Nodes come back at another address. At least two of three stay where the others look for them.
#[test]
fn restart_elsewhere() {
    seeds("restart_elsewhere", 30, |seed| {
        let mut sim = formed(seed, 3 + seed as usize % 5);
        let moving = 1 + sim.below(sim.hosts.len() / 2);
        for host in 0..moving {
            let how = some_end(&mut sim);
            sim.end(host, how);
            if sim.one_in(2) {
                sim.run_up_to(6000);
            }
        }
        for host in 0..moving {
            if sim.one_in(2) {
                sim.hosts[host].port += 1 + host as u16;
            } else {
                sim.hosts[host].ip = format!("10.1.0.{}", host + 1);
            }
            sim.start(host);
            sim.run_up_to(3000);
        }
        sim.settle(90_000);
        sim.check_keys();
    });
}

/// A node comes back where another one was before.
#[test]
fn restart_where_another_was() {
    seeds("restart_where_another_was", 30, |seed| {
        let mut sim = formed(seed, 4 + seed as usize % 3);
        let (first, second) = (0, 1);
        let how = some_end(&mut sim);
        sim.end(first, how);
        sim.end(second, how);
        sim.run_up_to(6000);
        let old = sim.hosts[first].ip.clone();
        sim.hosts[first].ip = "10.1.0.1".to_string();
        sim.hosts[second].ip = old;
        for host in [first, second] {
            sim.start(host);
            sim.run_up_to(3000);
        }
        sim.settle(90_000);
        sim.check_keys();
    });
}

/// nodes.conf cannot be written for a while, during which epochs collide and others come and go.
/// What was not written then is known to the others.
#[test]
fn disks_fail() {
    seeds("disks_fail", 20, |seed| {
        let mut sim = Sim::new(seed, 3 + seed as usize % 3);
        let mut same = Formed::evenly(sim.hosts.len());
        same.epochs.fill(5);
        let broken = sim.below(sim.hosts.len());
        same.write(&mut sim);
        sim.hosts[broken].disk.broken = true;
        form(&mut sim, &same);
        if sim.one_in(2) {
            let other = (broken + 1) % sim.hosts.len();
            restart(&mut sim, other);
        }
        sim.run_up_to(5000);
        let mended_first = sim.one_in(2);
        sim.hosts[broken].disk.broken = !mended_first;
        sim.run_up_to(3000);
        restart(&mut sim, broken);
        sim.hosts[broken].disk.broken = false;
        sim.settle(60_000);
        sim.check_keys();
        let conf = sim.hosts[broken].disk.durable.clone().expect("it was written");
        let epoch = sim.cluster(broken).me().config_epoch;
        let line = conf.lines().find(|line| line.contains("myself")).expect("its own line");
        assert_eq!(line.split(' ').nth(6), Some(epoch.to_string().as_str()));
    });
}
