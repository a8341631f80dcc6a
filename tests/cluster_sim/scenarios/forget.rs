//! Nodes leave: CLUSTER FORGET at all others, who must not hear of them again.

use super::{Formed, form, meet, some_weather};
use crate::host::End;
use crate::seeds;
use crate::world::Sim;

#[test]
fn forget() {
    seeds("forget", 30, |seed| {
        let mut sim = Sim::new(seed, 4 + seed as usize % 4);
        let leaver = sim.hosts.len() - 1;
        form(&mut sim, &Formed::evenly(leaver));
        sim.start(leaver);
        meet(&mut sim, 0, leaver);
        sim.settle(30_000);
        let weather = some_weather(&mut sim);
        sim.net.weather = weather;
        // Whether it is gone already or goes on sending.
        let stays = sim.one_in(2);
        if !stays {
            sim.end(leaver, End::Killed);
        }
        let gone = sim.id(leaver);
        for host in 0..leaver {
            sim.ask(host, |cluster, env| cluster.forget(gone.as_bytes(), env.now_ms))
                .unwrap()
                .unwrap();
            sim.run_up_to(6000);
        }
        if stays {
            sim.run_up_to(20_000);
            sim.end(leaver, End::Killed);
        }
        sim.net.weather = Default::default();
        sim.settle(30_000);
        // Nobody remembers it after the others may hear of it again, either.
        sim.run_for(90_000);
        sim.settle(5_000);
    });
}
