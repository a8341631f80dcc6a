//! LATENCY: shows and forgets what took long, by event and by command.

mod doctor;
mod graph;

use crate::core::info::cumulative_histogram;
use crate::core::stats::CommandStats;
use crate::dispatch::Context;
use crate::dispatch::declare::*;
use crate::dispatch::registry::Registered;
use crate::resp::{Error, Reply};

/// LATENCY DOCTOR
pub fn latency_doctor(ctx: &mut Context<'_>) -> Result<(), Error> {
    let report = doctor::report(ctx.core);
    ctx.client.reply.verbatim("txt", report.as_bytes());
    Ok(())
}

/// LATENCY GRAPH event
pub fn latency_graph(ctx: &mut Context<'_>) -> Result<(), Error> {
    let event = ctx.args.at(2);
    let Some(series) = ctx.core.latency.get(event) else {
        let shown = String::from_utf8_lossy(event);
        return Err(Error::err(format_args!("No samples available for event '{shown}'")));
    };
    let graph = graph::render(series, ctx.core.now.seconds());
    ctx.client.reply.verbatim("txt", graph.as_bytes());
    Ok(())
}

/// LATENCY HELP
pub fn latency_help(ctx: &mut Context<'_>) -> Result<(), Error> {
    ctx.client.reply.help(
        "LATENCY",
        &[
            "DOCTOR",
            "    Return a human readable latency analysis report.",
            "GRAPH <event>",
            "    Return an ASCII latency graph for the <event> class.",
            "HISTORY <event>",
            "    Return time-latency samples for the <event> class.",
            "LATEST",
            "    Return the latest latency samples for all events.",
            "RESET [<event> ...]",
            "    Reset latency data of one or more <event> classes.",
            "    (default: reset all data for all event classes)",
            "HISTOGRAM [COMMAND ...]",
            "    Return a cumulative distribution of latencies in the format of a histogram for \
             the specified command names.",
            "    If no commands are specified then all histograms are replied.",
        ],
    );
    Ok(())
}

/// LATENCY HISTOGRAM [command ...]
pub fn latency_histogram(ctx: &mut Context<'_>) -> Result<(), Error> {
    let (table, stats) = (ctx.table, &ctx.core.stats);
    let reply = &mut ctx.client.reply;
    let begun = reply.map_deferred();
    let mut shown = 0;
    let mut show = |registered: &Registered| {
        let stats = &stats.commands[usize::from(registered.id.0)];
        shown += usize::from(histogram(reply, registered.full_name, stats));
    };
    if ctx.args.len() == 2 {
        table.all().iter().for_each(&mut show);
    }
    for found in ctx.args.iter_from(2).filter_map(|name| table.by_full_name(name)) {
        show(found);
        table.subcommands(found).iter().for_each(&mut show);
    }
    reply.end(begun, shown);
    Ok(())
}

/// One command's entry, if its durations were recorded.
fn histogram(reply: &mut Reply, name: &str, stats: &CommandStats) -> bool {
    let Some(histogram) = &stats.latency else { return false };
    let buckets = cumulative_histogram(histogram);
    reply.bulk(name.as_bytes());
    reply.map(2);
    reply.bulk(b"calls");
    reply.int(histogram.len() as i64);
    reply.bulk(b"histogram_usec");
    reply.map(buckets.len());
    for (micros, calls) in buckets {
        reply.int(micros as i64);
        reply.int(calls as i64);
    }
    true
}

/// LATENCY HISTORY event
pub fn latency_history(ctx: &mut Context<'_>) -> Result<(), Error> {
    let series = ctx.core.latency.get(ctx.args.at(2));
    let samples = series.into_iter().flat_map(|series| series.samples());
    let reply = &mut ctx.client.reply;
    reply.array(samples.clone().count());
    for sample in samples {
        reply.array(2);
        reply.int(sample.unix_seconds as i64);
        reply.int(sample.ms as i64);
    }
    Ok(())
}

/// LATENCY LATEST
pub fn latency_latest(ctx: &mut Context<'_>) -> Result<(), Error> {
    let series = ctx.core.latency.iter();
    let reply = &mut ctx.client.reply;
    reply.array(series.len());
    for series in series {
        let latest = series.latest();
        reply.array(4);
        reply.bulk(series.event.as_bytes());
        reply.int(latest.unix_seconds as i64);
        reply.int(latest.ms as i64);
        reply.int(series.max_ms as i64);
    }
    Ok(())
}

/// LATENCY RESET [event ...]
pub fn latency_reset(ctx: &mut Context<'_>) -> Result<(), Error> {
    let latency = &mut ctx.core.latency;
    let events = ctx.args.iter_from(2);
    let reset = if events.len() == 0 {
        latency.reset_all()
    } else {
        events.filter(|event| latency.reset(event)).count()
    };
    ctx.client.reply.int(reset as i64);
    Ok(())
}

const LATENCY_SUBCOMMANDS: &[Command] = &[
    Command::new("latency|doctor", 2, latency_doctor)
        .summary("Reports on latency in plain words.")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    Command::new("latency|graph", 3, latency_graph)
        .summary("Draws the latency of an event as text.")
        .syntax("event")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    Command::new("latency|help", 2, latency_help)
        .summary("Describes the subcommands.")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[LOADING, STALE]),
    Command::new("latency|histogram", -2, latency_histogram)
        .summary("Gives the distribution of the durations of commands.")
        .syntax("[command...]")
        .since("7.0.0", Group::Server)
        .complexity("O(N), N commands that have a distribution")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    Command::new("latency|history", 3, latency_history)
        .summary("Gives the samples of an event.")
        .syntax("event")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    Command::new("latency|latest", 2, latency_latest)
        .summary("Gives the latest sample of every event.")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["nondeterministic_output", "request_policy:all_nodes", "response_policy:special"]),
    Command::new("latency|reset", -2, latency_reset)
        .summary("Deletes the samples of events.")
        .syntax("[event...]")
        .since("2.8.13", Group::Server)
        .complexity("O(1)")
        .flags(&[ADMIN, NOSCRIPT, LOADING, STALE])
        .tips(&["request_policy:all_nodes", "response_policy:agg_sum"]),
];

/// The commands of this family.
pub const COMMANDS: &[Command] = &[Command::container("latency", LATENCY_SUBCOMMANDS)
    .summary("Container of commands about latency.")
    .since("2.8.13", Group::Server)
    .complexity("Depends on the subcommand")];
