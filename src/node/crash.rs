//! The crash report: what was going on when the process got a fatal signal or panicked, written to
//! the log before the process ends the way it would have ended anyway. Only a process that hands
//! its signals over (`Server::handle_signals`) gets one; a program that embeds nodes keeps its own
//! handlers.
//!
//! The report is written step by step, the surest first: the signal, the addresses of the stack,
//! its symbols, then what must be formatted from a state that may be torn. Unlike a handler that
//! goes on, this one may allocate and read what the interrupted code was changing: the code never
//! continues. Should a step fail, the second signal ends the process at once, and should one wait
//! for a lock that the interrupted code holds, an alarm does.

#![allow(unsafe_code)]

use std::ffi::{OsStr, c_int, c_void};
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::mem::ManuallyDrop;
use std::os::fd::FromRawFd;
use std::os::unix::ffi::OsStrExt;
use std::panic::PanicHookInfo;
use std::path::PathBuf;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering::SeqCst};

use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, Signal};

use crate::base::clock;
use crate::base::text::repr;
use crate::config::version::REDIS_VERSION;
use crate::config::{Config, debug_lines};
use crate::core::info::Sections;
use crate::core::{Client, Core};
use crate::resp::Args;

/// The signals that end a process because something is wrong with it.
const FATAL: [Signal; 5] =
    [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL, Signal::SIGABRT];
/// A report that takes longer than this many seconds never ends.
const REPORT_SECONDS: u32 = 20;
/// Symbols of a stack are found with less than this.
const STACK_BYTES: usize = 1 << 20;
/// Bytes shown of each argument.
const ARG_BYTES: usize = 128;

const START: &str = "\n\n=== REDIS BUG REPORT START: Cut & paste starting from here ===\n";
const END: &str = "\n=== REDIS BUG REPORT END. Make sure to include from START to END. ===\n\n";

/// Where the log goes; empty is the standard output. Set once the process handed its signals over.
static LOGFILE: OnceLock<PathBuf> = OnceLock::new();
/// crash-log-enabled.
static ENABLED: AtomicBool = AtomicBool::new(false);
/// A report is being written.
static REPORTING: AtomicBool = AtomicBool::new(false);
/// The node that runs in this process, and the thread that runs it.
static CORE: AtomicPtr<Core> = AtomicPtr::new(ptr::null_mut());
static CORE_THREAD: AtomicI32 = AtomicI32::new(0);

/// Reports crashes of this process from here on, as the configuration says.
pub(super) fn install(config: &Config) {
    let file = PathBuf::from(OsStr::from_bytes(&config.logfile));
    if LOGFILE.set(file).is_ok() {
        std::panic::set_hook(Box::new(on_panic));
    }
    set_enabled(config.crash_log_enabled);
}

/// Whether a crash is reported in the log. Without effect in a process that keeps its signals.
pub fn set_enabled(enabled: bool) {
    if LOGFILE.get().is_none() {
        return;
    }
    ENABLED.store(enabled, SeqCst);
    let handler = if enabled { SigHandler::SigAction(on_signal) } else { SigHandler::SigDfl };
    set_handlers(handler);
}

fn set_handlers(handler: SigHandler) {
    let flags = SaFlags::SA_SIGINFO | SaFlags::SA_RESETHAND | SaFlags::SA_ONSTACK;
    let action = SigAction::new(handler, flags, SigSet::empty());
    for fatal in FATAL {
        // SAFETY: `on_signal` never returns to code that could see what it did; the default action
        // is none of ours.
        if let Err(error) = unsafe { signal::sigaction(fatal, &action) } {
            log::warn!("Can't set the handler of {fatal}: {error}");
        }
    }
}

/// A stack that the crash of a thread is reported on: the thread's own may be what ran out, and the
/// one that the standard library gives it is small. Belongs to the thread that made it.
pub(super) struct CrashStack {
    base: *mut c_void,
}

impl CrashStack {
    /// Gives the calling thread a stack.
    pub(super) fn of_this_thread() -> CrashStack {
        // SAFETY: a new mapping, which `drop` takes away once no handler runs on it any more.
        unsafe {
            let protection = libc::PROT_READ | libc::PROT_WRITE;
            let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
            let base = libc::mmap(ptr::null_mut(), STACK_BYTES, protection, flags, -1, 0);
            if base == libc::MAP_FAILED {
                return CrashStack { base: ptr::null_mut() };
            }
            let stack = libc::stack_t { ss_sp: base, ss_flags: 0, ss_size: STACK_BYTES };
            libc::sigaltstack(&stack, ptr::null_mut());
            CrashStack { base }
        }
    }
}

impl Drop for CrashStack {
    fn drop(&mut self) {
        if self.base.is_null() {
            return;
        }
        // SAFETY: the type is neither `Send` nor `Sync`, so that this is the thread that the stack
        // belongs to.
        unsafe {
            let none = libc::stack_t {
                ss_sp: ptr::null_mut(),
                ss_flags: libc::SS_DISABLE,
                ss_size: STACK_BYTES,
            };
            libc::sigaltstack(&none, ptr::null_mut());
            libc::munmap(self.base, STACK_BYTES);
        }
    }
}

/// Has reports show the state of this node, until the guard is dropped. The core must stay where it
/// is for so long.
pub(super) fn watch(core: &Core) -> Watched {
    CORE_THREAD.store(thread_id(), SeqCst);
    CORE.store(ptr::from_ref(core).cast_mut(), SeqCst);
    Watched(())
}

/// Ends what [`watch`] began.
pub(super) struct Watched(());

impl Drop for Watched {
    fn drop(&mut self) {
        CORE.store(ptr::null_mut(), SeqCst);
    }
}

/// The watched node's state, if this is the thread that runs the node: no other may look at it.
fn watched<'a>() -> Option<&'a Core> {
    let core = CORE.load(SeqCst);
    if CORE_THREAD.load(SeqCst) != thread_id() {
        return None;
    }
    // SAFETY: the guard keeps the address up to date. The interrupted code may hold exclusive
    // references, but it does not continue.
    unsafe { core.as_ref() }
}

fn thread_id() -> i32 {
    #[cfg(target_os = "linux")]
    // SAFETY: asks for a number.
    return unsafe { libc::gettid() };
    #[cfg(not(target_os = "linux"))]
    // SAFETY: asks for an address, whose low bits tell threads apart well enough.
    return unsafe { libc::pthread_self() as usize } as i32;
}

/// Touches memory that may not be written (DEBUG SEGFAULT).
pub(super) fn segfault() {
    // SAFETY: the write is to a page of our own that must not be written, which is the purpose;
    // where the page cannot be had, nothing is written.
    unsafe {
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        let page = libc::mmap(ptr::null_mut(), 4096, libc::PROT_READ, flags, -1, 0);
        if page != libc::MAP_FAILED {
            ptr::write_volatile(page.cast::<u8>(), b'x');
        }
    }
}

/// The report as it is written: to the log's file, or to the standard output.
struct Report {
    /// Never closed: the process ends first.
    out: ManuallyDrop<File>,
}

impl Report {
    /// Begins the report, unless there is one already.
    fn begin() -> Option<Report> {
        if REPORTING.swap(true, SeqCst) {
            return None;
        }
        // SAFETY: without a handler, the alarm ends the process.
        unsafe {
            libc::signal(libc::SIGALRM, libc::SIG_DFL);
            libc::alarm(REPORT_SECONDS);
        }
        let file = LOGFILE.get().filter(|file| !file.as_os_str().is_empty());
        let opened =
            file.and_then(|file| OpenOptions::new().append(true).create(true).open(file).ok());
        // SAFETY: the standard output is open, and is not closed here.
        let out = opened.unwrap_or_else(|| unsafe { File::from_raw_fd(libc::STDOUT_FILENO) });
        let mut report = Report { out: ManuallyDrop::new(out) };
        report.raw(START);
        Some(report)
    }

    fn raw(&mut self, text: impl fmt::Display) {
        // There is nowhere to say that the log cannot be written.
        let _ = self.out.write_all(text.to_string().as_bytes());
    }

    /// A line as handlers log it, without formatting the time.
    fn line(&mut self, text: impl fmt::Display) {
        let now = clock::unix_ms() / 1000;
        self.raw(format_args!("{}:signal-handler ({now}) {text}\n", std::process::id()));
    }

    fn title(&mut self, title: &str) {
        self.raw(format_args!("\n------ {title} ------\n"));
    }

    fn stack(&mut self) {
        self.title("STACK TRACE");
        // The addresses come first: finding symbols needs memory and may fail.
        // SAFETY: the lock that the safe version takes may be held by the code that crashed.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                self.raw(format_args!("{:?} ", frame.ip()));
                true
            });
        }
        self.raw("\n\nBacktrace:\n");
        // SAFETY: as above.
        unsafe {
            backtrace::trace_unsynchronized(|frame| {
                let mut known = false;
                backtrace::resolve_frame_unsynchronized(frame, |symbol| {
                    known = true;
                    self.symbol(frame.ip(), symbol);
                });
                if !known {
                    self.raw(format_args!("?? [{:?}]\n", frame.ip()));
                }
                true
            });
        }
    }

    fn symbol(&mut self, address: *mut c_void, symbol: &backtrace::Symbol) {
        match symbol.name() {
            Some(name) => self.raw(format_args!("{name:#} [{address:?}]")),
            None => self.raw(format_args!("?? [{address:?}]")),
        }
        if let (Some(file), Some(line)) = (symbol.filename(), symbol.lineno()) {
            self.raw(format_args!(" {}:{line}", file.display()));
        }
        self.raw("\n");
    }

    fn node(&mut self, core: &Core) {
        let (client, args) = core.running.addresses();
        // SAFETY: both are valid from the request's beginning to its end, where the first is made
        // null.
        let running = unsafe { client.as_ref().zip(args.as_ref()) };
        self.title("INFO OUTPUT");
        self.raw(core.info(Sections::ALL, running.map(|(client, _)| client)));
        self.title("CLIENT LIST OUTPUT");
        for client in core.clients.in_order(running.map(|(client, _)| client)) {
            self.raw(format_args!("{}\n", core.describe_client(client)));
        }
        if let Some((client, args)) = running {
            self.request(core, client, *args);
        }
        self.title("CONFIG DEBUG OUTPUT");
        self.raw(String::from_utf8_lossy(&debug_lines(&core.config)));
    }

    fn request(&mut self, core: &Core, client: &Client, args: Args<'_>) {
        self.title("CURRENT CLIENT INFO");
        self.raw(format_args!("{}\n", core.describe_client(client)));
        self.raw(format_args!("argc: '{}'\n", args.len()));
        for (index, arg) in args.iter_from(0).enumerate() {
            let shown = repr(&arg[..arg.len().min(ARG_BYTES)]);
            let hidden = core.redacted.contains(&index);
            let shown = if hidden { "(redacted)".into() } else { String::from_utf8_lossy(&shown) };
            self.raw(format_args!("argv[{index}]: '{shown}'\n"));
            // What follows is secret.
            if arg.eq_ignore_ascii_case(b"auth") || arg.eq_ignore_ascii_case(b"auth2") {
                break;
            }
        }
        let Some(name) = args.get(1) else { return };
        let key = core.keyspace.key(name);
        if let Some(record) = core.keyspace.peek_stored(client.db, &key) {
            let shown = String::from_utf8_lossy(&repr(name)).into_owned();
            self.line(format_args!("key {shown} found in DB containing the following object:"));
            self.line(format_args!("Object type: {}", record.kind().name()));
            self.line(format_args!("Object encoding: {}", record.encoding().name()));
        }
    }

    fn end(&mut self) {
        self.raw(END);
    }
}

/// A fatal signal: reports, then lets it do what it does by default.
extern "C" fn on_signal(number: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    if let Some(mut report) = Report::begin() {
        // SAFETY: the kernel gives a handler with SA_SIGINFO its facts.
        let info = unsafe { &*info };
        let version = REDIS_VERSION;
        report.line(format_args!(
            "Redis {version} crashed by signal: {number}, si_code: {}",
            info.si_code
        ));
        if matches!(number, libc::SIGSEGV | libc::SIGBUS) {
            // SAFETY: these signals come with an address.
            report.line(format_args!("Accessing address: {:?}", unsafe { info.si_addr() }));
        }
        if info.si_code == libc::SI_USER {
            // SAFETY: a signal that a process sent comes with its ids.
            let (pid, uid) = unsafe { (info.si_pid(), info.si_uid()) };
            report.line(format_args!("Killed by PID: {pid}, UID: {uid}"));
        }
        if let Some(address) = instruction(context) {
            report.line(format_args!("Crashed running the instruction at: {address:#x}"));
        }
        report.stack();
        if let Some(core) = watched() {
            report.node(core);
        }
        report.end();
    }
    // The handler is gone by SA_RESETHAND; what is raised takes effect once this returns.
    // SAFETY: sends a signal to this thread.
    unsafe {
        libc::signal(number, libc::SIG_DFL);
        libc::raise(number);
    }
}

/// Where the thread was when it was interrupted.
fn instruction(context: *mut c_void) -> Option<u64> {
    let context = context.cast::<libc::ucontext_t>();
    // SAFETY: the kernel gives a handler with SA_SIGINFO the context of the thread.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    let address = unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] as u64 };
    // SAFETY: as above.
    #[cfg(all(target_os = "linux", target_arch = "aarch64"))]
    let address = unsafe { (*context).uc_mcontext.pc };
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))))]
    let address = {
        let _ = context;
        0
    };
    (address != 0).then_some(address)
}

/// A panic: reports, then ends the process, whatever thread it is and whatever profile the program
/// was built with.
fn on_panic(panic: &PanicHookInfo<'_>) {
    if let Some(mut report) = Report::begin() {
        let place = panic.location().map_or_else(String::new, ToString::to_string);
        let payload = panic.payload();
        let owned = payload.downcast_ref::<String>().map(String::as_str);
        let message = owned.or(payload.downcast_ref::<&str>().copied()).unwrap_or("panic");
        if message.starts_with("assertion") {
            report.line("=== ASSERTION FAILED ===");
            report.line(format_args!("==> {place} '{message}' is not true"));
        } else {
            report.line("------------------------------------------------");
            report.line("!!! Software Failure. Press left mouse button to continue");
            report.line(format_args!("Guru Meditation: {message} #{place}"));
        }
        if ENABLED.load(SeqCst) {
            report.stack();
            if let Some(core) = watched() {
                report.node(core);
            }
        }
        report.end();
    }
    if watched().is_some_and(|core| core.config.use_exit_on_panic) {
        // SAFETY: ends the process without running anything of it.
        unsafe { libc::_exit(1) };
    }
    // The panic was reported; the signal that ends the process needs no report of its own.
    set_handlers(SigHandler::SigDfl);
    std::process::abort();
}
