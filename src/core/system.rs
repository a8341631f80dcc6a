//! What the operating system and the allocator say about this process. The node samples it
//! (`node::system`) and INFO, MEMORY and LATENCY DOCTOR read it; nothing here asks the system
//! itself.

use crate::base::alloc::AllocatorStats;

/// One sample.
#[derive(Clone, Copy, Debug)]
pub struct System {
    /// Facts that do not change while the process runs.
    pub facts: Facts,
    /// Bytes of this process in physical memory.
    pub rss_bytes: usize,
    /// `used_memory` at the time of the sample, so that ratios compare what belongs together.
    pub used_bytes: usize,
    /// The allocator's figures.
    pub allocator: AllocatorStats,
    /// Processor time of the whole process.
    pub cpu: CpuTime,
    /// Processor time of children that have ended.
    pub cpu_children: CpuTime,
    /// Processor time of the thread that runs the node.
    pub cpu_main_thread: CpuTime,
}

/// Facts that do not change while the process runs.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// The process.
    pub process_id: u32,
    /// System, release and machine, separated by blanks.
    pub os: &'static str,
    /// Bytes of physical memory of the machine.
    pub total_memory_bytes: u64,
    /// What the poll loop waits with (`epoll`, `kqueue`).
    pub multiplexing_api: &'static str,
    /// Asks the system for the bytes of anonymous huge pages; slow, for LATENCY DOCTOR alone.
    pub huge_page_bytes: fn() -> usize,
}

/// Time spent on a processor, in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// In the kernel.
    pub system_us: u64,
    /// In the program.
    pub user_us: u64,
}

/// How much more an outer measure of memory is than an inner one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Excess {
    /// Outer to inner; 0 while nothing was measured.
    pub ratio: f64,
    /// Outer less inner.
    pub bytes: i64,
}

impl Excess {
    /// Of `outer` over `inner` bytes.
    pub fn of(outer: usize, inner: usize) -> Self {
        let ratio = if inner == 0 { 0.0 } else { outer as f64 / inner as f64 };
        Excess { ratio, bytes: outer as i64 - inner as i64 }
    }
}

impl System {
    /// Of the allocator's pages over what they hold.
    pub fn allocator_frag(&self) -> Excess {
        Excess::of(self.allocator.active, self.allocator.allocated)
    }

    /// Of the allocator's physical memory over its pages.
    pub fn allocator_rss(&self) -> Excess {
        Excess::of(self.allocator.resident, self.allocator.active)
    }

    /// Of the process's physical memory over that of the allocator.
    pub fn rss_overhead(&self) -> Excess {
        Excess::of(self.rss_bytes, self.allocator.resident)
    }

    /// Of the process's physical memory over what the program uses.
    pub fn fragmentation(&self) -> Excess {
        Excess::of(self.rss_bytes, self.used_bytes)
    }
}

impl Default for System {
    fn default() -> Self {
        System {
            facts: Facts {
                process_id: 0,
                os: "",
                total_memory_bytes: 0,
                multiplexing_api: "",
                huge_page_bytes: || 0,
            },
            rss_bytes: 0,
            used_bytes: 0,
            allocator: AllocatorStats::default(),
            cpu: CpuTime::default(),
            cpu_children: CpuTime::default(),
            cpu_main_thread: CpuTime::default(),
        }
    }
}
