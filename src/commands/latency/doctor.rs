//! LATENCY DOCTOR: what the latency monitor saw, in plain words, and what to do about it.

use crate::core::Core;

const DISABLED: &str = "I'm sorry, Dave, I can't do that. Latency monitoring is disabled in this \
    Redis instance. You may use \"CONFIG SET latency-monitor-threshold <milliseconds>.\" in order \
    to enable it. If we weren't in a deep space mission I'd suggest to take a look at \
    https://redis.io/topics/latency-monitor.\n";
const INTRODUCTION: &str = "Dave, I have observed latency spikes in this Redis instance. You don't \
    mind talking about it, do you Dave?\n\n";
const NOTHING_SEEN: &str = "Dave, no latency spike was observed during the lifetime of this Redis \
    instance, not in the slightest bit. I honestly think you ought to sit down calmly, take a \
    stress pill, and think things over.\n";
const NO_ADVICE: &str = "\nWhile there are latency events logged, I'm not able to suggest any easy \
    fix. Please use the Redis community to get some help, providing this report in your help \
    request.\n";
const ADVICE_TITLE: &str = "\nI have a few advices for you:\n\n";

/// Something to do, in the order in which the report lists it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Advice {
    EnableSlowlog,
    LowerSlowlogThreshold,
    InspectSlowlog,
    FreeProcessor,
    RaiseHz,
    SplitLargeObjects,
    AvoidMassEviction,
    DisableHugePages,
}

impl Advice {
    fn words(self, threshold_ms: u64) -> String {
        let slower_than_us = threshold_ms.saturating_mul(1000);
        match self {
            Advice::EnableSlowlog => format!(
                "There are slow commands, and the Slow Log, which would name them, is off. Switch \
                 it on with 'CONFIG SET slowlog-log-slower-than {slower_than_us}'."
            ),
            Advice::LowerSlowlogThreshold => format!(
                "The Slow Log misses commands that the latency monitor sees. Have it log them with \
                 'CONFIG SET slowlog-log-slower-than {slower_than_us}'."
            ),
            Advice::InspectSlowlog => "Look into the Slow Log for the commands that are too slow. \
                 See https://redis.io/commands/slowlog for more information."
                .into(),
            Advice::FreeProcessor => "Even commands that need no time to speak of were slow: the \
                 system did not let this process run for long periods. You should try to:\n  \
                 1) Lower the system load.\n  \
                 2) Leave the machine to Redis alone.\n  \
                 3) Check if you have a \"noisy neighbour\" problem.\n  \
                 4) Check with 'redis-cli --intrinsic-latency 100' what is the intrinsic latency \
                 in your system.\n  \
                 5) Check whether the allocator is to blame."
                .into(),
            Advice::RaiseHz => "To have keys expire in smaller steps, set 'hz' to 100 using \
                 'CONFIG SET hz 100'."
                .into(),
            Advice::SplitLargeObjects => "Deleting, expiring or evicting (because of maxmemory \
                 policy) large objects is a blocking operation. If you have very large objects \
                 that are often deleted, expired, or evicted, try to fragment those objects into \
                 multiple smaller objects."
                .into(),
            Advice::AvoidMassEviction => {
                "A lower 'maxmemory' or a sudden demand for memory (large \
                 STORE operations, large keys that arrive by MIGRATE) makes the server stop and \
                 evict. Change them in small steps."
                    .into()
            }
            Advice::DisableHugePages => "Some of the memory of this process is in anonymous huge \
                 pages, which causes serious latency, most of all when a child process saves. \
                 Disable them with 'echo never > /sys/kernel/mm/transparent_hugepage/enabled', \
                 also in /etc/rc.local for the next boot, and restart Redis, which keeps the huge \
                 pages that it has."
                .into(),
        }
    }
}

/// The report.
pub(super) fn report(core: &Core) -> String {
    let threshold_ms = core.config.latency_monitor_threshold;
    if core.latency.iter().len() == 0 && threshold_ms == 0 {
        return DISABLED.to_owned();
    }
    let mut report = String::new();
    let mut advice = Vec::new();
    for (index, series) in core.latency.iter().enumerate() {
        let seen = series.analyze(core.now.seconds());
        if index == 0 {
            report.push_str(INTRODUCTION);
        }
        report.push_str(&format!(
            "{}. {}: {} latency spikes (average {}ms, mean deviation {}ms, period {:.2} sec). \
             Worst all time event {}ms.\n",
            index + 1,
            series.event,
            seen.samples,
            seen.mean_ms,
            seen.deviation_ms,
            seen.period_seconds as f64 / seen.samples.max(1) as f64,
            series.max_ms
        ));
        advise(core, series.event, &mut advice);
    }
    if (core.system.facts.huge_page_bytes)() > 0 {
        advice.push(Advice::DisableHugePages);
    }
    advice.sort_unstable();
    advice.dedup();
    report + &conclusion(core, &advice)
}

fn conclusion(core: &Core, advice: &[Advice]) -> String {
    if advice.is_empty() {
        let silent = core.latency.iter().len() == 0;
        return if silent { NOTHING_SEEN } else { NO_ADVICE }.to_owned();
    }
    let mut text = ADVICE_TITLE.to_owned();
    for advice in advice {
        text.push_str(&format!("- {}\n", advice.words(core.config.latency_monitor_threshold)));
    }
    text
}

/// What helps against one kind of event.
fn advise(core: &Core, event: &str, advice: &mut Vec<Advice>) {
    let config = &core.config;
    match event {
        "command" => {
            match u64::try_from(config.slowlog_log_slower_than) {
                Err(_) => advice.push(Advice::EnableSlowlog),
                Ok(micros) if micros / 1000 > config.latency_monitor_threshold => {
                    advice.push(Advice::LowerSlowlogThreshold);
                }
                Ok(_) => {}
            }
            advice.extend([Advice::InspectSlowlog, Advice::SplitLargeObjects]);
        }
        "fast-command" => advice.push(Advice::FreeProcessor),
        "expire-cycle" => {
            if core.hz < 100 {
                advice.push(Advice::RaiseHz);
            }
            advice.push(Advice::SplitLargeObjects);
        }
        "eviction-del" => advice.push(Advice::SplitLargeObjects),
        "eviction-cycle" => advice.push(Advice::AvoidMassEviction),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::core::Now;

    fn core(threshold: &str) -> Core {
        let config = Config::default().set("latency-monitor-threshold", threshold).unwrap();
        Core::new(config, Vec::new(), Now { unix_us: 1_000_000_000_000 })
    }

    #[test]
    fn a_monitor_that_is_off_has_nothing_to_say() {
        assert_eq!(report(&core("0")), DISABLED);
        assert_eq!(report(&core("10")), NOTHING_SEEN);
    }

    #[test]
    fn every_event_is_listed_and_every_advice_given_once() {
        let mut core = core("10");
        core.latency_event("command", 20);
        core.latency_event("expire-cycle", 30);
        core.latency_event("command", 9);
        let text = report(&core);
        assert!(text.starts_with(INTRODUCTION), "{text}");
        assert!(text.contains(
            "1. command: 1 latency spikes (average 20ms, mean deviation 0ms, period 1.00 sec). \
             Worst all time event 20ms.\n2. expire-cycle: 1 latency spikes (average 30ms"
        ));
        assert_eq!(text.matches("fragment those objects").count(), 1);
        assert!(text.contains("- To have keys expire"));
        assert!(!text.contains("Slow Log misses"));
        assert!(text.contains("- Look into the Slow Log"));
    }
}
