//! INFO: which sections a client asked for, and their text. Every field is a fact of the node's
//! state; a field of a subsystem that the node does not have shows what Redis shows where that
//! subsystem was never used. INFO and the crash report call this; nothing here changes anything.

mod commands;
mod data;
mod server;
mod stats;

use std::fmt::{Display, Write};

use bitflags::bitflags;

use super::{Client, Core};

pub use commands::{cumulative_histogram, percentile_nanos};

bitflags! {
    /// Sections of INFO.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Sections: u16 {
        /// Facts of the program and its start.
        const SERVER = 1 << 0;
        /// Connected clients.
        const CLIENTS = 1 << 1;
        /// Memory.
        const MEMORY = 1 << 2;
        /// Snapshots and the append only file.
        const PERSISTENCE = 1 << 3;
        /// Counters.
        const STATS = 1 << 4;
        /// The role, and links to other nodes.
        const REPLICATION = 1 << 5;
        /// Processor time.
        const CPU = 1 << 6;
        /// Loaded modules.
        const MODULES = 1 << 7;
        /// Counters by command.
        const COMMANDSTATS = 1 << 8;
        /// Counters by error code.
        const ERRORSTATS = 1 << 9;
        /// Percentiles by command.
        const LATENCYSTATS = 1 << 10;
        /// Whether the node is part of a cluster.
        const CLUSTER = 1 << 11;
        /// Keys by database.
        const KEYSPACE = 1 << 12;
        /// Figures of the loop; only shown by name.
        const DEBUG = 1 << 13;
        /// What `all` stands for.
        const ALL = (1 << 13) - 1;
        /// What is shown when nothing is asked for.
        const DEFAULT = Self::ALL.bits()
            & !(Self::COMMANDSTATS.bits() | Self::LATENCYSTATS.bits());
    }
}

/// One section: its name as an argument of INFO, and what renders it.
struct Section {
    flag: Sections,
    name: &'static str,
    title: &'static str,
    render: fn(&Core, Option<&Client>, &mut Page),
}

const fn section(
    flag: Sections,
    name: &'static str,
    title: &'static str,
    render: fn(&Core, Option<&Client>, &mut Page),
) -> Section {
    Section { flag, name, title, render }
}

/// All sections, in the order of their text.
const SECTIONS: &[Section] = &[
    section(Sections::SERVER, "server", "Server", server::server),
    section(Sections::CLIENTS, "clients", "Clients", server::clients),
    section(Sections::MEMORY, "memory", "Memory", data::memory),
    section(Sections::PERSISTENCE, "persistence", "Persistence", data::persistence),
    section(Sections::STATS, "stats", "Stats", stats::stats),
    section(Sections::REPLICATION, "replication", "Replication", data::replication),
    section(Sections::CPU, "cpu", "CPU", server::cpu),
    section(Sections::MODULES, "modules", "Modules", |_, _, _| {}),
    section(Sections::COMMANDSTATS, "commandstats", "Commandstats", commands::commandstats),
    section(Sections::ERRORSTATS, "errorstats", "Errorstats", commands::errorstats),
    section(Sections::LATENCYSTATS, "latencystats", "Latencystats", commands::latencystats),
    section(Sections::CLUSTER, "cluster", "Cluster", server::cluster),
    section(Sections::KEYSPACE, "keyspace", "Keyspace", data::keyspace),
    section(Sections::DEBUG, "debug", "Debug", stats::debug),
];

impl Sections {
    /// The sections that arguments name; what is not known names none.
    pub fn parse<'a>(args: impl ExactSizeIterator<Item = &'a [u8]>) -> Sections {
        if args.len() == 0 {
            return Sections::DEFAULT;
        }
        args.map(Sections::by_name).fold(Sections::empty(), Sections::union)
    }

    fn by_name(name: &[u8]) -> Sections {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("default") {
            return Sections::DEFAULT;
        }
        if is("all") || is("everything") {
            return Sections::ALL;
        }
        if is("module_list") {
            return Sections::MODULES;
        }
        SECTIONS.iter().find(|s| is(s.name)).map_or(Sections::empty(), |s| s.flag)
    }
}

/// The text as it grows, line by line.
#[derive(Debug, Default)]
struct Page {
    text: String,
}

impl Page {
    fn title(&mut self, title: &str) {
        if !self.text.is_empty() {
            self.text.push_str("\r\n");
        }
        self.line(format_args!("# {title}"));
    }

    fn field(&mut self, name: &str, value: impl Display) {
        self.line(format_args!("{name}:{value}"));
    }

    /// A field that is not in use.
    fn zero(&mut self, names: &[&str]) {
        names.iter().for_each(|name| self.field(name, 0));
    }

    fn line(&mut self, line: impl Display) {
        // Writing into a String cannot fail.
        let _ = write!(self.text, "{line}\r\n");
    }
}

impl Core {
    /// The text of these sections. `running` is the client whose command runs, if one does.
    pub fn info(&self, sections: Sections, running: Option<&Client>) -> String {
        let mut page = Page::default();
        for section in SECTIONS.iter().filter(|section| sections.contains(section.flag)) {
            page.title(section.title);
            (section.render)(self, running, &mut page);
        }
        page.text
    }
}

/// Bytes with two decimals and a unit (Redis: bytesToHuman).
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["K", "M", "G", "T", "P"];
    // The greatest unit that the number has at least one of.
    let power = (bytes.max(1).ilog2() / 10) as usize;
    if power == 0 || power > UNITS.len() {
        return format!("{bytes}B");
    }
    format!("{:.2}{}", bytes as f64 / (1u64 << (10 * power)) as f64, UNITS[power - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(names: &[&str]) -> Sections {
        Sections::parse(names.iter().map(|name| name.as_bytes()))
    }

    #[test]
    fn sections_are_named_in_any_case() {
        assert_eq!(parse(&[]), Sections::DEFAULT);
        assert_eq!(parse(&["default"]), Sections::DEFAULT);
        assert_eq!(parse(&["ALL"]), Sections::ALL);
        assert_eq!(parse(&["everything", "nosuch"]), Sections::ALL);
        assert_eq!(parse(&["Server", "sentinel", "cpu"]), Sections::SERVER | Sections::CPU);
        assert_eq!(parse(&["module_list"]), Sections::MODULES);
        assert_eq!(parse(&["nosuch", ""]), Sections::empty());
        assert!(!Sections::ALL.contains(Sections::DEBUG));
        assert_eq!(parse(&["debug"]), Sections::DEBUG);
        assert!(!Sections::DEFAULT.intersects(Sections::COMMANDSTATS | Sections::LATENCYSTATS));
        assert!(Sections::DEFAULT.contains(Sections::ERRORSTATS));
    }

    #[test]
    fn bytes_are_shown_for_humans() {
        let shown = [0, 1023, 1024, 906_344, (1 << 20) - 1, 1 << 20, 25_276_502_016, 1 << 40];
        let expected = ["0B", "1023B", "1.00K", "885.10K", "1024.00K", "1.00M", "23.54G", "1.00T"];
        assert_eq!(shown.map(human_bytes), expected);
        assert_eq!(human_bytes(1 << 60), format!("{}B", 1u64 << 60));
    }

    #[test]
    fn sections_are_separated_by_a_blank_line() {
        let mut page = Page::default();
        page.title("A");
        page.field("x", 1);
        page.title("B");
        page.zero(&["y"]);
        assert_eq!(page.text, "# A\r\nx:1\r\n\r\n# B\r\ny:0\r\n");
    }
}
