//! What the program leaves behind when it crashes, and how it comes back.

mod common;

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use common::program::{Program, log_in};
use tempfile::TempDir;

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Starts a program that may be told to crash, in a directory of its own.
fn start(directives: &[&str]) -> (Program, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let all = [&["--enable-debug-command", "yes", "--save", ""], directives].concat();
    (Program::start(dir.path(), &all), dir)
}

/// What a program logs that gets this request, and how it ends.
#[track_caller]
fn crash(directives: &[&str], request: &str) -> (String, ExitStatus) {
    let (mut program, dir) = start(directives);
    program.ask(request);
    let status = program.end();
    (log_in(dir.path()), status)
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
    let (log, status) = crash(&[], "DEBUG SEGFAULT\r\n");
    assert_eq!(status.signal(), Some(SIGSEGV));
    assert!(log.contains("Redis 7.2.6 crashed by signal: 11, si_code: "), "{log}");
    assert!(log.contains("Accessing address: 0x"), "{log}");
    assert_report(&log, "argv[1]: '\"SEGFAULT\"'");
}

#[test]
fn a_panic_is_reported_once() {
    let (log, status) = crash(&[], "DEBUG PANIC\r\n");
    assert_eq!(status.signal(), Some(SIGABRT));
    assert!(log.contains("Guru Meditation: DEBUG PANIC called at Unix time "), "{log}");
    assert_report(&log, "argv[1]: '\"PANIC\"'");
}

#[test]
fn memory_that_cannot_be_had_is_reported() {
    let (log, status) = crash(&[], "DEBUG OOM\r\n");
    assert_eq!(status.signal(), Some(SIGABRT));
    assert!(log.contains("Out Of Memory allocating "), "{log}");
    assert_report(&log, "argv[1]: '\"OOM\"'");
}

#[test]
fn reports_can_be_switched_off() {
    let (log, status) = crash(&["--crash-log-enabled", "no"], "DEBUG SEGFAULT\r\n");
    assert_eq!(status.signal(), Some(SIGSEGV));
    assert!(!log.contains("BUG REPORT"), "{log}");
    let (log, status) = crash(&["--use-exit-on-panic", "yes"], "DEBUG ASSERT\r\n");
    assert_eq!(status.code(), Some(1));
    assert!(log.contains("=== ASSERTION FAILED ==="), "{log}");
}

#[test]
fn the_process_begins_anew() {
    for word in ["CRASH-AND-RECOVER", "RESTART"] {
        let (program, _dir) = start(&[]);
        let id = format!("process_id:{}\r\n", program.id());
        assert_eq!(program.ask("SET key value\r\nQUIT\r\n"), "+OK\r\n+OK\r\n");
        assert_eq!(program.ask(&format!("DEBUG {word} 10\r\n")), "");
        assert_eq!(program.ask("DBSIZE\r\nQUIT\r\n"), ":0\r\n+OK\r\n");
        // It is the same process.
        assert!(program.ask("INFO server\r\nQUIT\r\n").contains(&id));
    }
}
