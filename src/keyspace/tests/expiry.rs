//! Active expiry on a simulated clock: each reading of the clock takes some time.

use std::cell::Cell;

use super::*;
use crate::base::limits::EXPIRE_SLICE_US;
use crate::keyspace::expiry::ExpireEffort;

const EFFORT: u8 = 1;

/// A monotonic clock that moves on by `step_us` with every look at it.
struct Ticking {
    now_us: Cell<u64>,
    step_us: u64,
}

impl Ticking {
    fn new(step_us: u64) -> Self {
        Ticking { now_us: Cell::new(1), step_us }
    }

    fn read(&self) -> u64 {
        self.now_us.set(self.now_us.get() + self.step_us);
        self.now_us.get()
    }
}

fn filled(mut keyspace: Keyspace, expiring: i64, staying: i64) -> Keyspace {
    for i in 0..expiring {
        set(&mut keyspace, &format!("short{i}"), "x", after(i % 100));
    }
    for i in 0..staying {
        set(&mut keyspace, &format!("long{i}"), "x", after(1_000_000));
        set(&mut keyspace, &format!("ever{i}"), "x", Expiry::None);
    }
    keyspace
}

/// Cron periods and turns until the expired keys are gone; no slice takes longer than it may.
fn run_until_gone(keyspace: &mut Keyspace, left: usize, clock: &Ticking) -> usize {
    let effort = ExpireEffort::new(EFFORT);
    let mut slices = 0;
    let mut timed = |keyspace: &mut Keyspace, first: bool| {
        slices += 1;
        let started = clock.now_us.get();
        let more = match first {
            true => keyspace.expire_cycle(effort, 10, || clock.read()),
            false => keyspace.expire_between_turns(effort, || clock.read()),
        };
        let took = clock.now_us.get() - started;
        assert!(took <= EXPIRE_SLICE_US + 6 * clock.step_us, "{took}");
        // What is left stays spread over the buckets.
        let chains = keyspace.table_stats(0).into_iter().flatten().map(|stats| stats.chain_max);
        assert!(chains.max().unwrap_or(0) < 40);
        more
    };
    for _ in 0..1000 {
        let mut more = timed(keyspace, true);
        while more {
            more = timed(keyspace, false);
        }
        if keyspace.dbsize(0) == left {
            break;
        }
    }
    slices
}

#[test]
fn all_expired_keys_go_and_no_others() {
    for keyspace in [standalone(), cluster()] {
        let mut keyspace = filled(keyspace, 20_000, 500);
        keyspace.set_now(START_MS + 101);
        let clock = Ticking::new(10);
        let slices = run_until_gone(&mut keyspace, 1000, &clock);
        assert_eq!((keyspace.dbsize(0), keyspace.expires_len(0)), (1000, 500));
        assert!(slices > 5, "{slices}");
        let stats = keyspace.stats();
        assert_eq!((stats.expired_keys, stats.hits), (20_000, 0));
        assert!(stats.expire_cycle_us > 1000 && stats.expired_stale_share > 0.0);
        let ttl = keyspace.avg_ttl_ms(0);
        assert!((500_000..=1_000_000).contains(&ttl), "{ttl}");
    }
}

#[test]
fn a_period_has_its_share_of_time_and_no_more() {
    let mut keyspace = filled(standalone(), 100_000, 0);
    keyspace.set_now(START_MS + 101);
    let clock = Ticking::new(100);
    let effort = ExpireEffort::new(EFFORT);
    let mut more = keyspace.expire_cycle(effort, 10, || clock.read());
    while more {
        more = keyspace.expire_between_turns(effort, || clock.read());
    }
    // A quarter of a tenth of a second.
    let used = keyspace.stats().expire_cycle_us;
    assert!((25_000..=26_000).contains(&used), "{used}");
    assert_eq!(keyspace.stats().expired_time_cap_reached, 1);
    // Then a fast cycle per turn, with a pause between two.
    let before = keyspace.dbsize(0);
    assert!(!keyspace.expire_between_turns(effort, || clock.read()));
    let after_one = keyspace.dbsize(0);
    assert!(after_one < before);
    assert!(!keyspace.expire_between_turns(effort, || clock.read()));
    assert_eq!(keyspace.dbsize(0), after_one);
}

#[test]
fn nothing_to_do_costs_nothing() {
    let clock = Ticking::new(1);
    let mut keyspace = filled(standalone(), 0, 1000);
    let effort = ExpireEffort::new(EFFORT);
    assert!(!keyspace.expire_cycle(effort, 10, || clock.read()));
    let used = clock.now_us.get();
    assert!(!keyspace.expire_between_turns(effort, || clock.read()));
    assert_eq!((clock.now_us.get(), keyspace.dbsize(0)), (used, 2000));
}

#[test]
fn it_can_be_switched_off_and_leaves_a_replica_alone() {
    let clock = Ticking::new(1);
    let effort = ExpireEffort::new(EFFORT);
    let mut keyspace = filled(standalone(), 100, 0);
    keyspace.set_now(START_MS + 101);
    keyspace.set_active_expire(false);
    keyspace.expire_cycle(effort, 10, || clock.read());
    keyspace.set_active_expire(true);
    keyspace.set_expire_mode(ExpireMode::Hide);
    keyspace.expire_cycle(effort, 10, || clock.read());
    assert_eq!(keyspace.dbsize(0), 100);
    keyspace.set_expire_mode(ExpireMode::Remove);
    keyspace.expire_cycle(effort, 10, || clock.read());
    assert_eq!((keyspace.dbsize(0), keyspace.avg_ttl_ms(0)), (0, 0));
}
