//! The program as it is started from a shell: options, files, log, pid file, exit codes.

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use common::program::{self, PATH as PROGRAM, free_port};

const PATIENCE: Duration = Duration::from_secs(20);

fn output(args: &[&str]) -> Output {
    Command::new(PROGRAM).args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn until<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running program that ends with the test.
struct Running(Child);

impl Running {
    fn start(args: &[&str], stdin: &str) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        Running(child)
    }

    /// Lines of the log up to the one that holds `word`.
    fn lines_until(&mut self, word: &str) -> Vec<String> {
        let mut lines = Vec::new();
        for line in BufReader::new(self.0.stdout.as_mut().unwrap()).lines() {
            lines.push(line.unwrap());
            if lines.last().unwrap().contains(word) {
                return lines;
            }
        }
        panic!("no {word} in {lines:#?}");
    }

    fn stop(mut self) -> i32 {
        let killed = Command::new("kill").arg(self.0.id().to_string()).status().unwrap();
        assert!(killed.success());
        program::end(&mut self.0).code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Asks until somebody answers: until the program listens, nobody may, or whoever holds on to the
/// listener that found the port.
fn ask(port: u16, request: &str) -> String {
    until("an answer", || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(format!("{request}\r\nQUIT\r\n").as_bytes()).ok()?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply).ok().filter(|_| reply.ends_with("+OK\r\n"))?;
        Some(reply)
    })
}

#[test]
fn own_options() {
    for option in ["-v", "--version"] {
        let out = output(&[option]);
        assert!(text(&out.stdout).starts_with("Redis server v=7.2.6 sha="), "{out:?}");
        assert!(out.status.success());
    }
    for option in ["-h", "--help"] {
        let out = output(&[option]);
        assert!(text(&out.stderr).starts_with("Usage: "), "{out:?}");
        assert_eq!(out.status.code(), Some(1));
    }
}

#[test]
fn what_is_refused() {
    let cases: &[(&[&str], &str)] = &[
        (
            &["--port", "x"],
            "at line 2\n>>> 'port \"x\"'\nargument couldn't be parsed into an integer\n",
        ),
        (&["--bogus", "x"], "Bad directive or wrong number of arguments\n"),
        (&["-x"], "Bad directive or wrong number of arguments\n"),
        (&["--sentinel"], "Sentinel mode is not supported\n"),
        (&["--user", "alice", "on"], "Users with rules are not supported\n"),
        (&["--rename-command", "bogus", "x"], "No such command in rename-command\n"),
        (&["--rename-command", "ping", "echo"], "Target command name already exists\n"),
    ];
    for (args, words) in cases {
        let out = output(args);
        assert!(text(&out.stderr).ends_with(words), "{args:?}: {out:?}");
        assert_eq!(out.status.code(), Some(1), "{args:?}");
    }
    let logged: &[(&[&str], &str)] = &[
        (&["/missing.conf"], "# Fatal error, can't open config file '/missing.conf': No such file"),
        (&["--loadmodule", "m.so"], "# Can't load module from m.so: server aborting"),
    ];
    for (args, words) in logged {
        let out = output(args);
        assert!(text(&out.stdout).contains(words), "{args:?}: {out:?}");
        assert_eq!(out.status.code(), Some(1), "{args:?}");
    }
    for name in ["/usr/bin/redis-check-aof", "redis-sentinel"] {
        let out = Command::new(PROGRAM).arg0(name).output().unwrap();
        assert!(text(&out.stderr).contains("not supported"), "{name}: {out:?}");
        assert_eq!(out.status.code(), Some(1), "{name}");
    }
}

/// `PID:ROLE DD Mon YYYY HH:MM:SS.mmm MARK message`
fn assert_log_line(line: &str, role: char) {
    let words: Vec<&str> = line.split(' ').collect();
    let (pid, shown_role) = words[0].split_once(':').unwrap();
    assert!(pid.parse::<u32>().is_ok(), "{line}");
    assert_eq!(shown_role, role.to_string(), "{line}");
    let shape: Vec<usize> = words[1..5].iter().map(|word| word.len()).collect();
    assert_eq!(shape, [2, 3, 4, 12], "{line}");
    assert!([".", "-", "*", "#"].contains(&words[5]), "{line}");
}

#[test]
fn starts_from_standard_input_and_ends_on_a_signal() {
    let port = free_port();
    let lines = format!("port {port}\nsave \"\"\nrename-command ping pong\n");
    let mut running = Running::start(&["-", "--bind", "127.0.0.1"], &lines);
    let lines = running.lines_until("Ready to accept connections");
    assert!(lines.iter().any(|line| line.ends_with("* Reading config from stdin")), "{lines:#?}");
    let starting = lines.iter().find(|l| l.contains("oO0OoO0OoO0Oo Redis is starting")).unwrap();
    assert_log_line(starting, 'C');
    assert!(lines.iter().any(|line| line.ends_with("* Configuration loaded")), "{lines:#?}");
    assert_log_line(lines.last().unwrap(), 'M');
    assert!(ask(port, "pong").starts_with("+PONG\r\n"));
    assert!(ask(port, "ping").starts_with("-ERR unknown command 'ping'"));
    assert_eq!(running.stop(), 0);
}

#[test]
fn config_commands_over_a_socket() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("redis.conf");
    let port = free_port();
    let path = dir.path().canonicalize().unwrap();
    let log = path.join("redis.log");
    fs::write(
        &file,
        format!("port {port}\nbind 127.0.0.1\ndir {}\nlogfile redis.log\n", path.display()),
    )
    .unwrap();
    let running = Running::start(&[file.to_str().unwrap()], "");
    assert_eq!(ask(port, "config set maxmemory 3mb hz 20 timeout 0"), "+OK\r\n+OK\r\n");
    assert!(
        ask(port, "config get maxmem?ry").starts_with("*2\r\n$9\r\nmaxmemory\r\n$7\r\n3145728")
    );
    assert!(
        ask(port, "config set maxmemory")
            .starts_with("-ERR wrong number of arguments for 'config|set'")
    );
    assert!(ask(port, "config set maxmemory 1 hz").starts_with("-ERR syntax error"));
    assert!(ask(port, "config set port 1 databases 2").starts_with(
        "-ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable"
    ));
    let transaction = ask(port, "multi\r\nconfig set hz 30\r\nping\r\nexec");
    assert_eq!(transaction, "+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n+OK\r\n+PONG\r\n+OK\r\n");
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = format!("config set port {}", taken.local_addr().unwrap().port());
    assert!(
        ask(port, &refused).contains("Unable to listen on this port. Check server logs."),
        "the port is taken"
    );
    drop(taken);
    assert!(ask(port, "config get port").contains(&port.to_string()), "the old port is back");
    assert_eq!(ask(port, "config rewrite"), "+OK\r\n+OK\r\n");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains("\nmaxmemory 3mb\n") && text.contains("\nhz 30\n"), "{text}");

    // A log file that is moved away is begun again.
    assert!(fs::read_to_string(&log).unwrap().contains("Ready to accept connections"));
    fs::rename(&log, path.join("old.log")).unwrap();
    assert_eq!(ask(port, "config set loglevel debug"), "+OK\r\n+OK\r\n");
    ask(port, "config rewrite");
    until("a new log", || fs::read_to_string(&log).ok().filter(|text| text.contains("REWRITE")));
    assert_eq!(running.stop(), 0);
}

#[test]
fn goes_to_the_background_with_a_pid_file() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_port();
    let options = format!(
        "port {port}\nbind 127.0.0.1\ndaemonize yes\npidfile pid\nlogfile log\nsave \"\"\ndir {}\n",
        dir.path().display()
    );
    let mut parent = Running::start(&["-"], &options);
    assert_eq!(program::end(&mut parent.0).code(), Some(0), "the parent ends");
    let pid_file = dir.path().join("pid");
    let pid = until("a pid file", || {
        fs::read_to_string(&pid_file).ok().and_then(|text| text.trim().parse::<u32>().ok())
    });
    assert!(ask(port, "ping").starts_with("+PONG"));
    let log = fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains(&format!("{pid}:M ")), "{log}");
    assert!(Command::new("kill").arg(pid.to_string()).status().unwrap().success());
    until("the end", || (!Path::new(&format!("/proc/{pid}")).exists()).then_some(()));
    assert!(!pid_file.exists(), "the pid file is removed");
}
