//! The cluster simulator: many nodes of a cluster in one process, on a virtual clock, over a
//! network that delays, breaks, reorders and cuts, on disks that lose what was not forced to them.
//! The nodes are the real state machine (`redis_rust::cluster::Cluster`); everything around them
//! is made up here, from one seed, so that each run repeats exactly.
//!
//! Every scenario is a test that runs some seeds. Its failure names the seed. To run more:
//!
//! ```text
//! SIM_SEEDS=10000 SIM_FROM=1 cargo test --release --test cluster_sim
//! SIM_SEEDS=1 SIM_FROM=42 SIM_TRACE=1 cargo test --test cluster_sim reshard_with_crashes
//! SIM_NODES=500 cargo test --release --test cluster_sim scale
//! ```
//!
//! `SIM_SEEDS` seeds of each scenario beginning with `SIM_FROM`; `SIM_TRACE` says what happens, and
//! `SIM_WATCH=<slot>` what each node thinks of a slot; `SIM_NODES` is the size of the crowd in
//! `scale`.

mod checks;
mod host;
mod network;
mod scenarios;
mod tool;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a scenario with its usual number of seeds, or with those that the environment names.
fn seeds(name: &str, usual: u64, scenario: impl Fn(u64)) {
    let number = |variable: &str| std::env::var(variable).ok()?.parse().ok();
    let from: u64 = number("SIM_FROM").unwrap_or(1);
    let count: u64 = number("SIM_SEEDS").unwrap_or(usual);
    let mut failed = Vec::new();
    for seed in from..from + count {
        let run = catch_unwind(AssertUnwindSafe(|| scenario(seed)));
        if let Err(panic) = run {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            failed.push(format!("scenario {name} seed {seed}: {}", text.unwrap_or_default()));
            if failed.len() == 5 {
                break;
            }
        }
    }
    assert!(
        failed.is_empty(),
        "\n{}\nto see one alone: SIM_SEEDS=1 SIM_FROM=<seed> SIM_TRACE=1 cargo test --test \
         cluster_sim {name}\n",
        failed.join("\n")
    );
}
