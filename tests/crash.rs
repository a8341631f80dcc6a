//! What the program leaves behind when it crashes, and how it comes back.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_redis-rust");
/// Symbols of an unoptimised program take their time.
const PATIENCE: Duration = Duration::from_secs(60);

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// A running program with a directory of its own.
struct Program {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Program {
    fn start(directives: &[&str]) -> Program {
        let dir = tempfile::tempdir().unwrap();
        // A port that was free a moment ago.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let child = Command::new(PROGRAM)
            .args(["--port", &port.to_string(), "--enable-debug-command", "yes"])
            .args(["--save", "", "--logfile", "log", "--dir"])
            .arg(dir.path())
            .args(directives)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let program = Program { child, port, dir };
        program.connect();
        program
    }

    fn connect(&self) -> TcpStream {
        let start = Instant::now();
        loop {
            if let Ok(stream) = TcpStream::connect(("127.0.0.1", self.port)) {
                stream.set_read_timeout(Some(PATIENCE)).unwrap();
                return stream;
            }
            assert!(start.elapsed() < PATIENCE, "the program does not listen");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Sends a request and reads until the connection ends.
    fn ask(&self, request: &str) -> String {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut reply = Vec::new();
        // A process that ends may reset the connection.
        let _ = stream.read_to_end(&mut reply);
        String::from_utf8_lossy(&reply).into_owned()
    }

    fn log(&self) -> String {
        let path: PathBuf = self.dir.path().join("log");
        fs::read_to_string(path).unwrap_or_default()
    }

    /// Waits for the end; the log and how it ended.
    fn end(mut self) -> (String, ExitStatus) {
        let status = self.child.wait().unwrap();
        (self.log(), status)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[track_caller]
fn assert_report(log: &str, command: &str) {
    let parts = [
        "=== REDIS BUG REPORT START: Cut & paste starting from here ===",
        "------ STACK TRACE ------",
        "------ INFO OUTPUT ------",
        "redis_version:7.2.6",
        "------ CLIENT LIST OUTPUT ------",
        "------ CURRENT CLIENT INFO ------",
        "argv[0]: '\"DEBUG\"'",
        command,
        "=== REDIS BUG REPORT END.",
    ];
    let mut rest = log;
    for part in parts {
        let found = rest.find(part).unwrap_or_else(|| panic!("no {part} in its place in {log}"));
        rest = &rest[found + part.len()..];
    }
    assert_eq!(log.matches("BUG REPORT START").count(), 1);
}

#[test]
fn a_fatal_signal_is_reported() {
    let program = Program::start(&[]);
    program.ask("DEBUG SEGFAULT\r\n");
    let (log, status) = program.end();
    assert_eq!(status.signal(), Some(SIGSEGV));
    assert!(log.contains("Redis 7.2.6 crashed by signal: 11, si_code: "), "{log}");
    assert!(log.contains("Accessing address: 0x"), "{log}");
    assert_report(&log, "argv[1]: '\"SEGFAULT\"'");
}

#[test]
fn a_panic_is_reported_once() {
    let program = Program::start(&[]);
    program.ask("DEBUG PANIC\r\n");
    let (log, status) = program.end();
    assert_eq!(status.signal(), Some(SIGABRT));
    assert!(log.contains("Guru Meditation: DEBUG PANIC called at Unix time "), "{log}");
    assert_report(&log, "argv[1]: '\"PANIC\"'");
}

#[test]
fn memory_that_cannot_be_had_is_reported() {
    let program = Program::start(&[]);
    program.ask("DEBUG OOM\r\n");
    let (log, status) = program.end();
    assert_eq!(status.signal(), Some(SIGABRT));
    assert!(log.contains("Out Of Memory allocating "), "{log}");
    assert_report(&log, "argv[1]: '\"OOM\"'");
}

#[test]
fn reports_can_be_switched_off() {
    let program = Program::start(&["--crash-log-enabled", "no"]);
    program.ask("DEBUG SEGFAULT\r\n");
    let (log, status) = program.end();
    assert_eq!(status.signal(), Some(SIGSEGV));
    assert!(!log.contains("BUG REPORT"), "{log}");
    let program = Program::start(&["--use-exit-on-panic", "yes"]);
    program.ask("DEBUG ASSERT\r\n");
    let (log, status) = program.end();
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("=== ASSERTION FAILED ==="), "{log}");
}

#[test]
fn the_process_begins_anew() {
    for word in ["CRASH-AND-RECOVER", "RESTART"] {
        let program = Program::start(&[]);
        let id = format!("process_id:{}\r\n", program.child.id());
        assert_eq!(program.ask("SET key value\r\nQUIT\r\n"), "+OK\r\n+OK\r\n");
        assert_eq!(program.ask(&format!("DEBUG {word} 10\r\n")), "");
        assert_eq!(program.ask("DBSIZE\r\nQUIT\r\n"), ":0\r\n+OK\r\n");
        // It is the same process.
        assert!(program.ask("INFO server\r\nQUIT\r\n").contains(&id));
    }
}
