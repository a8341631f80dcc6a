//! Asks the operating system about this process: resident memory, processor time, name of the
//! system. The cron samples it for `core::system`; nothing here may be called per command.

use std::fs;
use std::sync::OnceLock;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::{TimeVal, TimeValLike};
use nix::sys::utsname::uname;
use nix::unistd::{SysconfVar, sysconf};

use crate::base::alloc;
use crate::core::system::{CpuTime, Facts, System};

/// Everything that changes is asked for anew.
pub fn sample() -> System {
    System {
        facts: facts(),
        rss_bytes: alloc::resident_bytes(),
        used_bytes: alloc::used_memory(),
        allocator: alloc::stats(),
        cpu: cpu_time(UsageWho::RUSAGE_SELF),
        cpu_children: cpu_time(UsageWho::RUSAGE_CHILDREN),
        cpu_main_thread: cpu_time(MAIN_THREAD),
    }
}

#[cfg(any(target_os = "linux", target_os = "freebsd"))]
const MAIN_THREAD: UsageWho = UsageWho::RUSAGE_THREAD;
/// Where threads are not told apart, the node's thread does nearly all the work.
#[cfg(not(any(target_os = "linux", target_os = "freebsd")))]
const MAIN_THREAD: UsageWho = UsageWho::RUSAGE_SELF;

const MULTIPLEXING_API: &str =
    if cfg!(any(target_os = "linux", target_os = "android")) { "epoll" } else { "kqueue" };

fn facts() -> Facts {
    static OS: OnceLock<String> = OnceLock::new();
    static TOTAL_MEMORY: OnceLock<u64> = OnceLock::new();
    Facts {
        process_id: std::process::id(),
        os: OS.get_or_init(os_name),
        total_memory_bytes: *TOTAL_MEMORY.get_or_init(total_memory_bytes),
        multiplexing_api: MULTIPLEXING_API,
        huge_page_bytes,
    }
}

fn os_name() -> String {
    uname().map_or_else(
        |_| String::new(),
        |name| {
            let words = [name.sysname(), name.release(), name.machine()];
            words.map(|word| word.to_string_lossy().into_owned()).join(" ")
        },
    )
}

fn total_memory_bytes() -> u64 {
    let ask = |what| sysconf(what).ok().flatten().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
    ask(SysconfVar::_PHYS_PAGES) * ask(SysconfVar::PAGE_SIZE)
}

fn cpu_time(who: UsageWho) -> CpuTime {
    let micros = |time: TimeVal| u64::try_from(time.num_microseconds()).unwrap_or(0);
    let spent = |usage: Usage| CpuTime {
        system_us: micros(usage.system_time()),
        user_us: micros(usage.user_time()),
    };
    getrusage(who).map_or_else(|_| CpuTime::default(), spent)
}

/// Anonymous memory of this process in huge pages; the kernel walks all its mappings for that.
fn huge_page_bytes() -> usize {
    let smaps = fs::read_to_string("/proc/self/smaps_rollup").unwrap_or_default();
    let line = smaps.lines().find_map(|line| line.strip_prefix("AnonHugePages:"));
    let kilobytes = line.and_then(|rest| rest.split_ascii_whitespace().next());
    kilobytes.and_then(|n| n.parse::<usize>().ok()).unwrap_or(0) * 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_answers() {
        let seen = sample();
        assert_eq!(seen.facts.process_id, std::process::id());
        assert_eq!(seen.facts.os.split(' ').count(), 3, "{}", seen.facts.os);
        assert!(seen.facts.total_memory_bytes > 1 << 20);
        assert!(seen.rss_bytes > 1 << 16);
        assert!(seen.cpu.user_us + seen.cpu.system_us > 0);
    }
}
