//! The program as a process of its own, for what a node in the test's process cannot show: signals,
//! crashes, its log and its exit code.

use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use super::{Client, wait_until};

/// The binary under test.
pub const PATH: &str = env!("CARGO_BIN_EXE_redis-rust");

/// Longest wait for the program to begin, to answer, to end: symbols of an unoptimised program take
/// their time. Only a failing test ever waits this long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    listener.local_addr().expect("an address").port()
}

/// A running program. Dropping it kills it.
pub struct Program {
    child: Child,
    address: SocketAddr,
}

impl Program {
    /// Starts the program in `dir`, where its log is called `log`, and waits until it answers.
    pub fn start(dir: &Path, directives: &[&str]) -> Program {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Some(program) = Program::try_start(dir, directives) {
                return program;
            }
        }
        panic!("the program does not start: {}", log_in(dir));
    }

    /// None when another process took the port first.
    fn try_start(dir: &Path, directives: &[&str]) -> Option<Program> {
        let port = free_port();
        let child = Command::new(PATH)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--logfile", "log", "--dir"])
            .arg(dir)
            .args(directives)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program runs");
        let mut program = Program { child, address: (Ipv4Addr::LOCALHOST, port).into() };
        while !program.answers() {
            if program.child.try_wait().expect("a state").is_some() {
                return None;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Some(program)
    }

    /// Whether it is this process that answers. A connection alone says nothing: while the test
    /// starts other processes, those hold on to the listener that found the port until they run a
    /// program of their own.
    fn answers(&self) -> bool {
        let process = format!("process_id:{}\r\n", self.id());
        self.try_ask("INFO server\r\nQUIT\r\n").is_some_and(|reply| reply.contains(&process))
    }

    /// The process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// A new connection.
    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// Sends requests and reads until the connection ends, be it by a reset.
    pub fn ask(&self, requests: &str) -> String {
        let mut reply = None;
        wait_until("a listener", || {
            reply = self.try_ask(requests);
            reply.is_some()
        });
        reply.unwrap_or_default()
    }

    /// None where nobody listens.
    fn try_ask(&self, requests: &str) -> Option<String> {
        let mut stream = TcpStream::connect(self.address).ok()?;
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let mut reply = Vec::new();
        // A process that ends may reset the connection; what came before counts.
        let _ = stream.write_all(requests.as_bytes());
        let _ = stream.read_to_end(&mut reply);
        Some(String::from_utf8_lossy(&reply).into_owned())
    }

    /// Sends a signal to it, by name.
    pub fn signal(&self, name: &str) {
        signal(name, self.id());
    }

    /// Ends it the hard way.
    pub fn kill(&mut self) {
        self.child.kill().expect("a process");
        self.child.wait().expect("its end");
    }

    /// Whether it has not ended.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("a state").is_none()
    }

    /// Waits for its end.
    #[track_caller]
    pub fn end(&mut self) -> ExitStatus {
        end(&mut self.child)
    }

    /// The processes that it started and that have not ended.
    pub fn children(&self) -> Vec<u32> {
        let id = self.id();
        let tasks = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("a list");
        tasks.split_whitespace().map(|id| id.parse().expect("an id")).collect()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the program that runs in `dir` has logged.
pub fn log_in(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}

/// Sends a signal to a process, by name.
pub fn signal(name: &str, process: u32) {
    let kill = Command::new("kill").args(["-s", name, &process.to_string()]).status();
    assert!(kill.expect("kill").success(), "{process} gets no SIG{name}");
}

/// Waits for a process to end; fails the test if it never does.
#[track_caller]
pub fn end(child: &mut Child) -> ExitStatus {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a state") {
            return status;
        }
        assert!(started.elapsed() < PATIENCE, "process {} does not end", child.id());
        std::thread::sleep(Duration::from_millis(5));
    }
}
