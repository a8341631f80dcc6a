//! Directives of several words: save points, output buffer limits, addresses, event classes and the
//! like.

use std::path::{Path, PathBuf};

use super::setting::{
    Before, Rewrite, RewriteLine, Setting, Words, c_string, eq_ignore_case, format_memory,
    lenient_decimal, memory,
};
use crate::base::text::repr;
use crate::keyspace::events::EventClass;

const WRONG_NUMBER: &str = "wrong number of arguments";

/// Most addresses of `bind` (Redis: CONFIG_BINDADDR_MAX).
const BIND_ADDRESSES_MAX: usize = 16;

fn one_empty(args: &[&[u8]]) -> bool {
    matches!(args, [word] if word.is_empty())
}

fn joined(words: impl Iterator<Item = String>) -> Vec<u8> {
    words.collect::<Vec<_>>().join(" ").into_bytes()
}

/// A snapshot is due after this many seconds with this many changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// At least 1.
    pub seconds: i64,
    /// Writes since the last snapshot; 0 or more.
    pub changes: i32,
}

/// `save`. While files are read, every line adds to the ones before.
impl Setting for Vec<SavePoint> {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], before: Before<'_, Self>) -> Result<Self, Words> {
        if one_empty(args) {
            return Ok(Vec::new());
        }
        let invalid = || Words::Borrowed("Invalid save parameters");
        if args.len() % 2 == 1 {
            return Err(invalid());
        }
        let mut points = if before.adding { before.value.clone() } else { Vec::new() };
        for pair in args.chunks_exact(2) {
            let seconds = lenient_decimal(pair[0]).filter(|n| *n >= 1).ok_or_else(invalid)?;
            let changes = lenient_decimal(pair[1]).filter(|n| *n >= 0).ok_or_else(invalid)?;
            points.push(SavePoint { seconds, changes: i32::try_from(changes).unwrap_or(i32::MAX) });
        }
        Ok(points)
    }

    fn show(&self, _: &()) -> Vec<u8> {
        joined(self.iter().map(|point| format!("{} {}", point.seconds, point.changes)))
    }

    fn rewrite(&self, _: &(), _: &Self) -> Rewrite {
        if self.is_empty() {
            return Rewrite::line(b"\"\"".to_vec(), true);
        }
        let line = |point: &SavePoint| RewriteLine {
            value: format!("{} {}", point.seconds, point.changes).into_bytes(),
            force: true,
        };
        Rewrite::Lines(self.iter().map(line).collect())
    }
}

/// How much a client may leave unread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes at which the client is closed at once; 0 is no limit.
    pub hard_bytes: u64,
    /// Bytes that may be exceeded for a while only; 0 is no limit.
    pub soft_bytes: u64,
    /// That while.
    pub soft_seconds: i64,
}

/// The classes of clients that have an output limit each; the values index [`OutputLimits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputClass {
    /// Ordinary clients.
    Normal = 0,
    /// Replicas.
    Replica = 1,
    /// Subscribers.
    Pubsub = 2,
}

/// `client-output-buffer-limit`, one limit per [`OutputClass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits(pub [OutputLimit; 3]);

impl std::ops::Index<OutputClass> for OutputLimits {
    type Output = OutputLimit;

    fn index(&self, class: OutputClass) -> &OutputLimit {
        &self.0[class as usize]
    }
}

impl Default for OutputLimits {
    fn default() -> Self {
        let limit = |hard_bytes, soft_bytes, soft_seconds| OutputLimit {
            hard_bytes,
            soft_bytes,
            soft_seconds,
        };
        OutputLimits([limit(0, 0, 0), limit(256 << 20, 64 << 20, 60), limit(32 << 20, 8 << 20, 60)])
    }
}

impl OutputClass {
    fn named(name: &[u8]) -> Option<Self> {
        match c_string(name).to_ascii_lowercase().as_slice() {
            b"normal" => Some(OutputClass::Normal),
            b"slave" | b"replica" => Some(OutputClass::Replica),
            b"pubsub" => Some(OutputClass::Pubsub),
            _ => None,
        }
    }
}

impl OutputLimit {
    fn parse(hard: &[u8], soft: &[u8], seconds: &[u8]) -> Option<Self> {
        let soft_seconds = lenient_decimal(seconds).filter(|n| *n >= 0)?;
        Some(OutputLimit { hard_bytes: memory(hard)?, soft_bytes: memory(soft)?, soft_seconds })
    }
}

impl OutputLimits {
    fn rows(&self) -> impl Iterator<Item = (usize, &OutputLimit)> {
        self.0.iter().enumerate()
    }
}

/// Classes that the words do not name keep their limits.
impl Setting for OutputLimits {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], before: Before<'_, Self>) -> Result<Self, Words> {
        if !args.len().is_multiple_of(4) {
            return Err("Wrong number of arguments in buffer limit configuration.".into());
        }
        let mut limits = *before.value;
        for words in args.chunks_exact(4) {
            let Some(class) = OutputClass::named(words[0]) else {
                return Err("Invalid client class specified in buffer limit configuration.".into());
            };
            limits.0[class as usize] = OutputLimit::parse(words[1], words[2], words[3]).ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
            )?;
        }
        Ok(limits)
    }

    fn show(&self, _: &()) -> Vec<u8> {
        const NAMES: [&str; 3] = ["normal", "slave", "pubsub"];
        joined(self.rows().map(|(class, limit)| {
            format!(
                "{} {} {} {}",
                NAMES[class], limit.hard_bytes, limit.soft_bytes, limit.soft_seconds
            )
        }))
    }

    fn rewrite(&self, _: &(), default: &Self) -> Rewrite {
        const NAMES: [&str; 3] = ["normal", "replica", "pubsub"];
        let line = |(class, limit): (usize, &OutputLimit)| RewriteLine {
            value: format!(
                "{} {} {} {}",
                NAMES[class],
                format_memory(limit.hard_bytes.into()),
                format_memory(limit.soft_bytes.into()),
                limit.soft_seconds
            )
            .into_bytes(),
            force: *limit != default.0[class],
        };
        Rewrite::Lines(self.rows().map(line).collect())
    }
}

/// `bind`: addresses to listen on. A leading `-` makes an address optional.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BindAddresses(pub Vec<Vec<u8>>);

impl Default for BindAddresses {
    fn default() -> Self {
        BindAddresses(vec![b"*".to_vec(), b"-::*".to_vec()])
    }
}

/// A byte that is written without quotes.
fn is_address_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'#')
}

impl Setting for BindAddresses {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        if args.len() > BIND_ADDRESSES_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let args = if one_empty(args) { &[] } else { args };
        Ok(BindAddresses(args.iter().map(|word| c_string(word).to_vec()).collect()))
    }

    fn show(&self, _: &()) -> Vec<u8> {
        self.0.join(&b' ')
    }

    fn rewrite(&self, (): &(), default: &Self) -> Rewrite {
        if self == default {
            return Rewrite::Remove;
        }
        let quoted = |word: &Vec<u8>| match word.iter().all(|&b| is_address_byte(b)) {
            true if !word.is_empty() => word.clone(),
            _ => repr(word),
        };
        let addresses: Vec<_> = self.0.iter().map(quoted).collect();
        let line = if addresses.is_empty() { repr(b"") } else { addresses.join(&b' ') };
        Rewrite::line(line, true)
    }
}

/// `replicaof`: the primary this node copies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicaOf {
    /// Host name or address.
    pub host: Vec<u8>,
    /// TCP port.
    pub port: u16,
}

impl Setting for Option<ReplicaOf> {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        let [host, port] = args else { return Err(WRONG_NUMBER.into()) };
        if eq_ignore_case("no", host) && eq_ignore_case("one", port) {
            return Ok(None);
        }
        let port = lenient_decimal(port).and_then(|n| u16::try_from(n).ok());
        let port = port.ok_or("Invalid master port")?;
        Ok(Some(ReplicaOf { host: host.to_vec(), port }))
    }

    fn show(&self, _: &()) -> Vec<u8> {
        let Some(primary) = self else { return Vec::new() };
        let mut shown = primary.host.clone();
        shown.extend_from_slice(format!(" {}", primary.port).as_bytes());
        shown
    }

    fn rewrite(&self, rule: &(), _: &Self) -> Rewrite {
        match self {
            None => Rewrite::Remove,
            Some(_) => Rewrite::line(self.show(rule), true),
        }
    }
}

/// `oom-score-adj-values`: of a primary, a replica, and a child process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScoreAdjValues(pub [i32; 3]);

impl OomScoreAdjValues {
    /// What to log when the values fall, which only a privileged process may ask for.
    pub fn warning(self) -> Option<&'static str> {
        (!self.0.is_sorted()).then_some(
            "The oom-score-adj-values configuration may not work for non-privileged processes! \
             Please consult the documentation.",
        )
    }
}

impl Setting for OomScoreAdjValues {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        let [primary, replica, child] = args else { return Err(WRONG_NUMBER.into()) };
        let mut values = [0; 3];
        for (value, word) in values.iter_mut().zip([primary, replica, child]) {
            let read = lenient_decimal(word).filter(|n| (-2000..=2000).contains(n));
            *value = read
                .ok_or("Invalid oom-score-adj-values, elements must be between -2000 and 2000.")?
                as i32;
        }
        Ok(OomScoreAdjValues(values))
    }

    fn show(&self, _: &()) -> Vec<u8> {
        joined(self.0.iter().map(i32::to_string))
    }

    fn rewrite(&self, rule: &(), default: &Self) -> Rewrite {
        Rewrite::line(self.show(rule), self != default)
    }
}

/// `latency-tracking-info-percentiles`, each from 0 to 100.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Setting for Percentiles {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        let args = if one_empty(args) { &[] } else { args };
        let mut percentiles = Vec::with_capacity(args.len());
        for word in args {
            let read = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
            let percentile = read
                .filter(|value| !value.is_nan())
                .ok_or("Invalid latency-tracking-info-percentiles parameters")?;
            if !(0.0..=100.0).contains(&percentile) {
                return Err("latency-tracking-info-percentiles parameters should sit between \
                            [0.0,100.0]"
                    .into());
            }
            percentiles.push(percentile);
        }
        Ok(Percentiles(percentiles))
    }

    fn show(&self, _: &()) -> Vec<u8> {
        joined(self.0.iter().map(|value| {
            format!("{value:.6}").trim_end_matches('0').trim_end_matches('.').to_owned()
        }))
    }

    fn rewrite(&self, rule: &(), _: &Self) -> Rewrite {
        let value = if self.0.is_empty() { b"\"\"".to_vec() } else { self.show(rule) };
        Rewrite::line(value, true)
    }
}

/// Letters of `notify-keyspace-events` in the order CONFIG GET shows them; `A` stands for those
/// before `K` when it can.
const EVENT_LETTERS: [(u8, EventClass); 14] = [
    (b'g', EventClass::GENERIC),
    (b'$', EventClass::STRING),
    (b'l', EventClass::LIST),
    (b's', EventClass::SET),
    (b'h', EventClass::HASH),
    (b'z', EventClass::ZSET),
    (b'x', EventClass::EXPIRED),
    (b'e', EventClass::EVICTED),
    (b't', EventClass::STREAM),
    (b'd', EventClass::MODULE),
    (b'n', EventClass::NEW),
    (b'K', EventClass::KEYSPACE),
    (b'E', EventClass::KEYEVENT),
    (b'm', EventClass::KEY_MISS),
];

fn event_class(letter: u8) -> Option<EventClass> {
    if letter == b'A' {
        return Some(EventClass::ALL);
    }
    EVENT_LETTERS.iter().find(|(known, _)| *known == letter).map(|(_, flag)| *flag)
}

impl Setting for EventClass {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], _: Before<'_, Self>) -> Result<Self, Words> {
        let [letters] = args else { return Err(WRONG_NUMBER.into()) };
        let mut flags = EventClass::empty();
        for letter in c_string(letters) {
            flags |= event_class(*letter)
                .ok_or("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.")?;
        }
        Ok(flags)
    }

    fn show(&self, _: &()) -> Vec<u8> {
        // As Redis shows it (keyspaceEventsFlagsToString), `A` hides an `n`.
        let hidden = match self.contains(EventClass::ALL) {
            true => EventClass::ALL | EventClass::NEW,
            false => EventClass::empty(),
        };
        let mut shown = if hidden.is_empty() { Vec::new() } else { b"A".to_vec() };
        let left = self.difference(hidden);
        let letters = EVENT_LETTERS.iter().filter(|(_, flag)| left.contains(*flag));
        shown.extend(letters.map(|(letter, _)| *letter));
        shown
    }

    fn rewrite(&self, rule: &(), _: &Self) -> Rewrite {
        Rewrite::line(repr(&self.show(rule)), !self.is_empty())
    }
}

/// `dir`: where files of relative names live. Always absolute; the process need not stand there.
impl Setting for PathBuf {
    type Rule = ();

    fn parse(_: &(), args: &[&[u8]], before: Before<'_, Self>) -> Result<Self, Words> {
        use std::os::unix::ffi::OsStrExt;
        let [dir] = args else { return Err(WRONG_NUMBER.into()) };
        let dir = Path::new(std::ffi::OsStr::from_bytes(c_string(dir)));
        let entered = if dir.as_os_str().is_empty() {
            Err(std::io::Error::from_raw_os_error(libc::ENOENT))
        } else {
            enter(&before.value.join(dir))
        };
        entered.map_err(|error| super::strerror(&error).into())
    }

    fn show(&self, _: &()) -> Vec<u8> {
        self.clone().into_os_string().into_encoded_bytes()
    }

    fn rewrite(&self, rule: &(), _: &Self) -> Rewrite {
        Rewrite::line(repr(&self.show(rule)), true)
    }
}

/// The real path of a directory that one may enter; the trailing dot asks for the right to.
fn enter(dir: &Path) -> std::io::Result<PathBuf> {
    std::fs::metadata(dir.join("."))?;
    dir.canonicalize()
}
