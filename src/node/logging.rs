//! The log, in Redis's format: crate `log` on top, env_logger underneath, a sink that opens the
//! file for every line so that it may be moved away at any time. The program starts it once; an
//! embedding program that has a logger of its own does not.
//!
//! Levels: `warn!` and `error!` are Redis's warning, `info!` its notice, `debug!` its verbose,
//! `trace!` its debug. Threads besides the one that forks must not log: a child would inherit the
//! writer's lock.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock};

use env_logger::fmt::Formatter;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use log::{Level, LevelFilter, Log, Metadata, Record};
use nix::syslog::{Facility, LogFlags, Severity};

use crate::base::clock;
use crate::config::{Config, LogLevel, SyslogFacility};

/// Target of records that are written as they are, without time and process (Redis: LL_RAW).
pub const RAW: &str = "redis_rust::raw";

/// Bytes of a line's message (Redis: LOG_MAX_LEN, less the terminator).
const MESSAGE_BYTES_MAX: usize = 1023;

/// What the lines of the one log of a process need to know.
struct State {
    /// None is the standard output.
    file: RwLock<Option<PathBuf>>,
    zone: TimeZone,
    /// The process that serves, 0 as long as none does. Any other one is on its way to serve, or a
    /// child.
    main_pid: AtomicU32,
    is_replica: AtomicBool,
    syslog: AtomicBool,
}

static STATE: OnceLock<State> = OnceLock::new();

impl State {
    fn new() -> Self {
        State {
            file: RwLock::new(None),
            zone: TimeZone::system(),
            main_pid: AtomicU32::new(0),
            is_replica: AtomicBool::new(false),
            syslog: AtomicBool::new(false),
        }
    }

    fn role(&self, pid: u32) -> char {
        if pid != self.main_pid.load(Ordering::Relaxed) {
            'C'
        } else if self.is_replica.load(Ordering::Relaxed) {
            'S'
        } else {
            'M'
        }
    }

    fn show_time(&self, unix_us: u64) -> String {
        let time = i64::try_from(unix_us).ok().and_then(|us| Timestamp::from_microsecond(us).ok());
        let local = time.unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        local.strftime("%d %b %Y %H:%M:%S.%3f").to_string()
    }
}

/// Starts the log of the process. Does nothing when it has one.
pub fn init(config: &Config) {
    let lines = env_logger::Builder::new()
        .filter_module("redis_rust", LevelFilter::Trace)
        .target(env_logger::Target::Pipe(Box::new(Sink)))
        .format(write_line)
        .build();
    if log::set_boxed_logger(Box::new(RedisLog { lines })).is_ok() {
        let _ = STATE.set(State::new());
        if config.syslog_enabled {
            open_syslog(config);
        }
        configure(config);
    }
}

/// Takes over what CONFIG SET changed: the level, and where a log file of relative name lives.
pub fn configure(config: &Config) {
    let Some(state) = STATE.get() else { return };
    let file = (!config.logfile.is_empty()).then(|| config.path(&config.logfile));
    *state.file.write().unwrap_or_else(PoisonError::into_inner) = file;
    state.is_replica.store(config.replicaof.is_some(), Ordering::Relaxed);
    set_level(config.loglevel);
}

/// Logs from this level on. A logger that is not ours is left alone.
pub fn set_level(level: LogLevel) {
    if STATE.get().is_none() {
        return;
    }
    log::set_max_level(match level {
        LogLevel::Debug => LevelFilter::Trace,
        LogLevel::Verbose => LevelFilter::Debug,
        LogLevel::Notice => LevelFilter::Info,
        LogLevel::Warning => LevelFilter::Warn,
        LogLevel::Nothing => LevelFilter::Off,
    });
}

/// Lines carry `S` from now on, or `M`.
pub fn set_replica(is_replica: bool) {
    if let Some(state) = STATE.get() {
        state.is_replica.store(is_replica, Ordering::Relaxed);
    }
}

/// This process is the one that serves: lines carry `M` or `S` from now on, where before they
/// carried `C`.
pub fn set_main_process() {
    if let Some(state) = STATE.get() {
        state.main_pid.store(std::process::id(), Ordering::Relaxed);
    }
}

/// Logs what loading the configuration had to say.
pub fn note(note: &crate::config::Note) {
    let level = match note.level {
        LogLevel::Debug => Level::Trace,
        LogLevel::Verbose => Level::Debug,
        LogLevel::Notice => Level::Info,
        LogLevel::Warning | LogLevel::Nothing => Level::Warn,
    };
    log::log!(level, "{}", note.text);
}

struct RedisLog {
    lines: env_logger::Logger,
}

impl Log for RedisLog {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        self.lines.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        if !self.lines.matches(record) {
            return;
        }
        self.lines.log(record);
        if STATE.get().is_some_and(|state| state.syslog.load(Ordering::Relaxed)) {
            // A message with a zero byte inside is no C string, and syslog is told nothing.
            let _ = nix::syslog::syslog(severity(record.level()), &record.args().to_string());
        }
    }

    fn flush(&self) {
        self.lines.flush();
    }
}

fn write_line(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let message = record.args().to_string();
    if record.target() == RAW {
        return out.write_all(message.as_bytes());
    }
    let message = &message.as_bytes()[..message.len().min(MESSAGE_BYTES_MAX)];
    let pid = std::process::id();
    let Some(state) = STATE.get() else { return Ok(()) };
    let role = state.role(pid);
    let time = state.show_time(clock::unix_us());
    write!(out, "{pid}:{role} {time} {} ", mark(record.level()))?;
    out.write_all(message)?;
    out.write_all(b"\n")
}

fn mark(level: Level) -> char {
    match level {
        Level::Error | Level::Warn => '#',
        Level::Info => '*',
        Level::Debug => '-',
        Level::Trace => '.',
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::Error | Level::Warn => Severity::LOG_WARNING,
        Level::Info => Severity::LOG_NOTICE,
        Level::Debug => Severity::LOG_INFO,
        Level::Trace => Severity::LOG_DEBUG,
    }
}

fn open_syslog(config: &Config) {
    let facility = match config.syslog_facility {
        SyslogFacility::User => Facility::LOG_USER,
        SyslogFacility::Local0 => Facility::LOG_LOCAL0,
        SyslogFacility::Local1 => Facility::LOG_LOCAL1,
        SyslogFacility::Local2 => Facility::LOG_LOCAL2,
        SyslogFacility::Local3 => Facility::LOG_LOCAL3,
        SyslogFacility::Local4 => Facility::LOG_LOCAL4,
        SyslogFacility::Local5 => Facility::LOG_LOCAL5,
        SyslogFacility::Local6 => Facility::LOG_LOCAL6,
        SyslogFacility::Local7 => Facility::LOG_LOCAL7,
    };
    let flags = LogFlags::LOG_PID | LogFlags::LOG_NDELAY;
    // The C library keeps the pointer for as long as the process lives.
    let ident = CString::new(config.syslog_ident.clone()).unwrap_or_default();
    let ident: &'static _ = Box::leak(ident.into_boxed_c_str());
    let opened = nix::syslog::openlog(Some(ident), flags, facility);
    if let Some(state) = STATE.get() {
        state.syslog.store(opened.is_ok(), Ordering::Relaxed);
    }
}

/// Where whole lines go. A file that cannot be opened loses them, as in Redis.
struct Sink;

impl Write for Sink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let Some(state) = STATE.get() else { return Ok(line.len()) };
        let file = state.file.read().unwrap_or_else(PoisonError::into_inner);
        let written = match &*file {
            None => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line).and_then(|()| stdout.flush())
            }
            Some(path) => OpenOptions::new()
                .append(true)
                .create(true)
                .open(path)
                .and_then(|mut file| file.write_all(line)),
        };
        // There is nobody to tell.
        let _ = written;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
