//! MEMORY DOCTOR: says in plain words what is wrong with memory. Pure; works on figures alone.

use crate::base::alloc;
use crate::core::memory::MemoryUsage;
use crate::core::system::{Excess, System};

/// Below this, figures say nothing.
const USED_BYTES_MIN: usize = 5 << 20;
/// Excesses smaller than this do not matter.
const EXCESS_BYTES_MIN: i64 = 10 << 20;
/// A client of more than this on average is big.
const CLIENT_BYTES_MAX: usize = 200 << 10;

const EMPTY: &str = "Hi Sam, this instance is empty or is using very little memory, my issues \
    detector can't be used in these conditions. Please, leave for your mission on Earth and fill \
    it with some data. The new Sam and I will be back to our programming as soon as I finished \
    rebooting.\n";
const HEALTHY: &str = "Hi Sam, I can't find any memory issue in your instance. I can only account \
    for what occurs on this base.\n";
const INTRODUCTION: &str =
    "Sam, I detected a few issues in this Redis instance memory implants:\n\n";
const FAREWELL: &str = "I'm here to keep you safe, Sam. I want to help you.\n";

const BIG_PEAK: &str = "Peak memory: In the past this instance used more than 150% of the memory \
    that it is using now. The allocator usually cannot give back memory after a peak, so a high \
    fragmentation ratio is to be expected; it is harmless, and the memory is used again as the \
    instance fills up. If the peak was an exception and the Resident Set Size (RSS) matters, try \
    MEMORY PURGE; what it does not give back, only a restart does.";
const HIGH_FRAGMENTATION: &str = "High total RSS: The Resident Set Size of this instance is more \
    than 1.4 times the sum of what it allocated. A large peak in the past explains that (see \
    whether this report names one), or else a workload that makes the allocator fragment memory. \
    Without a peak, make sure that the allocator is Jemalloc.";
const HIGH_ALLOCATOR_FRAGMENTATION: &str = "High allocator fragmentation: The allocator's pages \
    are more than 1.1 times as large as what they hold. A large peak in the past explains that \
    (see whether this report names one), or else a workload that makes the allocator fragment \
    memory.";
const HIGH_ALLOCATOR_RSS: &str = "High allocator RSS overhead: The allocator's Resident Set Size \
    is more than 1.1 times as large as the pages that it uses. This is usually due to a large peak \
    in the past; MEMORY PURGE may reclaim it.";
const HIGH_PROCESS_RSS: &str = "High process RSS overhead: The Resident Set Size of the process is \
    more than 1.1 times that of the allocator: something else than data takes memory.";
const BIG_CLIENTS: &str = "Big client buffers: The clients of this instance take more than 200K \
    each on average. Clients that do not read their replies fast enough, replies that are large, \
    and long pipelines lead to that. CLIENT LIST shows which ones they are.";

/// The report.
pub(super) fn report(usage: &MemoryUsage, system: &System, clients: usize) -> String {
    if usage.used_bytes < USED_BYTES_MIN {
        return EMPTY.to_owned();
    }
    let exceeds =
        |excess: Excess, ratio: f64| excess.ratio > ratio && excess.bytes > EXCESS_BYTES_MIN;
    let findings = [
        (usage.peak_bytes as f64 / usage.used_bytes as f64 > 1.5, BIG_PEAK),
        (exceeds(system.fragmentation(), 1.4), HIGH_FRAGMENTATION),
        (exceeds(system.allocator_frag(), 1.1), HIGH_ALLOCATOR_FRAGMENTATION),
        (exceeds(system.allocator_rss(), 1.1), HIGH_ALLOCATOR_RSS),
        (exceeds(system.rss_overhead(), 1.1), HIGH_PROCESS_RSS),
        (usage.clients_bytes / clients.max(1) > CLIENT_BYTES_MAX, BIG_CLIENTS),
    ];
    let mut report = String::new();
    for (_, words) in findings.into_iter().filter(|(found, _)| *found) {
        report.push_str(&format!(" * {words}"));
        if words == HIGH_FRAGMENTATION {
            report.push_str(&format!(" It is \"{}\".", alloc::name()));
        }
        report.push_str("\n\n");
    }
    if report.is_empty() {
        return HEALTHY.to_owned();
    }
    format!("{INTRODUCTION}{report}{FAREWELL}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::alloc::AllocatorStats;

    const MIB: usize = 1 << 20;

    fn healthy() -> (MemoryUsage, System) {
        let usage =
            MemoryUsage { used_bytes: 100 * MIB, peak_bytes: 110 * MIB, ..Default::default() };
        let allocator =
            AllocatorStats { allocated: 100 * MIB, active: 104 * MIB, resident: 106 * MIB };
        let system =
            System { rss_bytes: 108 * MIB, used_bytes: 100 * MIB, allocator, ..Default::default() };
        (usage, system)
    }

    #[test]
    fn little_memory_is_not_judged() {
        let usage = MemoryUsage { used_bytes: 5 * MIB - 1, ..Default::default() };
        assert!(
            report(&usage, &System::default(), 1).starts_with("Hi Sam, this instance is empty")
        );
    }

    #[test]
    fn a_healthy_instance_has_no_issues() {
        let (usage, system) = healthy();
        assert!(report(&usage, &system, 1).starts_with("Hi Sam, I can't find any memory issue"));
    }

    #[test]
    fn every_issue_is_named() {
        let (mut usage, mut system) = healthy();
        usage.peak_bytes = 200 * MIB;
        usage.clients_bytes = 10 * MIB;
        system.rss_bytes = 300 * MIB;
        system.allocator.active = 150 * MIB;
        system.allocator.resident = 200 * MIB;
        let text = report(&usage, &system, 10);
        let issues: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix(" * "))
            .map(|line| line.split(':').next().unwrap())
            .collect();
        let expected = [
            "Peak memory",
            "High total RSS",
            "High allocator fragmentation",
            "High allocator RSS overhead",
            "High process RSS overhead",
            "Big client buffers",
        ];
        assert_eq!(issues, expected);
    }
}
