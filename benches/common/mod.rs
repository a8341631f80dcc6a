//! What the side-by-side benches share: servers as child processes, a small client, a fast loader,
//! and what `/proc` says about a process. Used by `compare`, `latency`, `rdb` and `values`. Must
//! know nothing about one server that it does not know about the other.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The core of servers; clients run on [`CLIENT_CORE`].
pub const SERVER_CORE: usize = 0;
/// The core of whatever loads a server.
pub const CLIENT_CORE: usize = 1;

/// Some start with a big snapshot.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// Commands in flight of the loader: deep enough for throughput, small enough for socket buffers.
const LOAD_BATCH: usize = 512;

/// A failure of the bench itself: a message for people.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Which server, and with which further options it starts.
#[derive(Clone)]
pub struct Spec {
    /// The column title.
    pub name: &'static str,
    /// The program.
    pub program: PathBuf,
    /// Options after ours, such as `--cluster-enabled yes`.
    pub options: Vec<String>,
}

/// A free port whose bus port is one, too. Below those that the system hands out: who connects to
/// one of these before anybody listens there may come to talk to himself.
fn free_port() -> Result<u16> {
    let first = 20_000 + std::process::id() as u16 % 1000;
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (first..first + 1000).find(|port| is_free(port) && is_free(&(port + 10_000)));
    Ok(port.ok_or("no port is free")?)
}

/// A running server; it is killed and its directory removed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens, on 127.0.0.1.
    pub port: u16,
    _dir: tempfile::TempDir,
}

impl Spec {
    /// Starts the server, and gives it all slots when it is a cluster node.
    pub fn start(&self) -> Result<Server> {
        let server = self.launch()?;
        server.own_all_slots()?;
        Ok(server)
    }

    /// Starts the server without persistence, on its core, and waits for its first reply.
    pub fn launch(&self) -> Result<Server> {
        self.launch_at(free_port()?)
    }

    /// The same on a port that the caller knows to be free.
    pub fn launch_at(&self, port: u16) -> Result<Server> {
        let dir = tempfile::tempdir()?;
        let log = dir.path().join("log");
        let started = Instant::now();
        let mut child = pinned(SERVER_CORE, &self.program)
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", ""])
            .args(["--appendonly", "no", "--dir"])
            .arg(dir.path())
            .args(&self.options)
            .stdin(Stdio::null())
            .stdout(fs::File::create(&log)?)
            .stderr(fs::File::create(dir.path().join("errors"))?)
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))?;
        while Client::connect(port).and_then(|mut c| c.ask(&["PING"])).is_err() {
            let ended = child.try_wait()?;
            if ended.is_some() || started.elapsed() > START_TIMEOUT {
                let _ = child.kill();
                let said =
                    fs::read_to_string(&log)? + &fs::read_to_string(dir.path().join("errors"))?;
                return Err(format!("{} did not start: {said}", self.program.display()).into());
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(Server { child, port, _dir: dir })
    }
}

impl Server {
    /// A new connection.
    pub fn client(&self) -> Result<Client> {
        Ok(Client::connect(self.port)?)
    }

    /// Whether it runs as a cluster node.
    pub fn is_cluster(&self) -> Result<bool> {
        Ok(self.client()?.info("cluster", "cluster_enabled")? == "1")
    }

    fn own_all_slots(&self) -> Result<()> {
        if !self.is_cluster()? {
            return Ok(());
        }
        let mut client = self.client()?;
        client.ask(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])?;
        while !client.ask(&["CLUSTER", "INFO"])?.contains("cluster_state:ok") {
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident set size, in bytes.
    pub fn rss(&self) -> Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid()))?;
        let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Processor time that it has used.
    pub fn cpu_seconds(&self) -> Result<f64> {
        cpu_seconds(self.pid())
    }

    /// `used_memory` once it has stopped moving: tables are rehashed in the background.
    pub fn settled_memory(&self) -> Result<u64> {
        let mut client = self.client()?;
        let (mut last, mut same) = (0, 0);
        while same < 5 {
            std::thread::sleep(Duration::from_millis(100));
            let used: u64 = client.info("memory", "used_memory")?.parse()?;
            same = if used.abs_diff(last) < 4096 { same + 1 } else { 0 };
            last = used;
        }
        Ok(last)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Processor time of all threads of a process, as exact as the scheduler knows it: idle nodes use
/// too little for clock ticks.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let on_cpu = stat.split_whitespace().next().ok_or("unexpected schedstat")?;
        nanoseconds += on_cpu.parse::<u64>()?;
    }
    Ok(nanoseconds as f64 / 1e9)
}

/// A command that runs on `core`; on whichever there is when the machine has only one.
pub fn pinned(core: usize, program: &Path) -> Command {
    let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
    if cores <= core.max(CLIENT_CORE) {
        return Command::new(program);
    }
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

/// The first of `PATH`'s directories that holds `program`, or `program` itself when it is a path.
pub fn in_path(program: &str) -> Result<PathBuf> {
    let path = Path::new(program);
    if program.contains('/') && path.exists() {
        return Ok(path.to_path_buf());
    }
    let dirs = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&dirs).map(|dir| dir.join(program)).find(|p| p.is_file());
    Ok(found.ok_or_else(|| format!("no {program} in PATH"))?)
}

/// One blocking connection.
pub struct Client {
    stream: TcpStream,
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to a server of this machine.
    pub fn connect(port: u16) -> io::Result<Client> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_nodelay(true)?;
        let reader = BufReader::with_capacity(1 << 16, stream.try_clone()?);
        Ok(Client { stream, reader })
    }

    /// Sends one command and returns its reply as text, elements of arrays on lines of their own.
    /// An error reply is an error.
    pub fn ask(&mut self, args: &[&str]) -> io::Result<String> {
        let mut request = Vec::new();
        encode(&mut request, args);
        self.stream.write_all(&request)?;
        self.reply()
    }

    /// The value of a field of INFO.
    pub fn info(&mut self, section: &str, field: &str) -> Result<String> {
        let info = self.ask(&["INFO", section])?;
        let prefix = format!("{field}:");
        let line = info.lines().find_map(|line| line.strip_prefix(&prefix));
        Ok(line.ok_or_else(|| format!("no {field} in INFO {section}"))?.trim().to_string())
    }

    /// Sends `count` commands that `command` encodes, many in flight, and checks every reply.
    pub fn load(&mut self, count: u64, command: impl Fn(u64, &mut Vec<u8>)) -> io::Result<()> {
        let (mut sent, mut request) = (0, Vec::new());
        while sent < count {
            let batch = (count - sent).min(LOAD_BATCH as u64);
            request.clear();
            (sent..sent + batch).for_each(|i| command(i, &mut request));
            self.stream.write_all(&request)?;
            for _ in 0..batch {
                self.reply()?;
            }
            sent += batch;
        }
        Ok(())
    }

    fn reply(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.read_line(&mut line)?;
        let line = line.trim_end();
        let bad = || io::Error::other(format!("unexpected reply {line:?}"));
        let rest = line.get(1..).ok_or_else(bad)?;
        match line.as_bytes()[0] {
            b'+' | b':' => Ok(rest.to_string()),
            b'$' if rest == "-1" => Ok(String::new()),
            b'$' => {
                let mut body = vec![0; rest.parse::<usize>().map_err(|_| bad())? + 2];
                self.reader.read_exact(&mut body)?;
                body.truncate(body.len() - 2);
                Ok(String::from_utf8_lossy(&body).into_owned())
            }
            b'*' if rest == "-1" => Ok(String::new()),
            b'*' => {
                let count = rest.parse::<usize>().map_err(|_| bad())?;
                let items: io::Result<Vec<String>> = (0..count).map(|_| self.reply()).collect();
                Ok(items?.join("\n"))
            }
            _ => Err(bad()),
        }
    }
}

/// Appends a command in the protocol's multibulk form.
pub fn encode(out: &mut Vec<u8>, args: &[&str]) {
    out.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        out.extend_from_slice(format!("${}\r\n{arg}\r\n", arg.len()).as_bytes());
    }
}

/// What both benches take from the command line; the rest is the bench's own.
pub struct Arguments {
    /// Our binary, then theirs.
    pub specs: [Spec; 2],
    /// Options of one bench with their values, in the order given.
    pub own: Vec<(String, String)>,
}

/// Options that name one of the two servers.
const SIDES: [&str; 4] = ["--ours", "--theirs", "--ours-options", "--theirs-options"];

/// Reads `--ours PATH`, `--theirs PATH`, options of one of them in `--ours-options` and
/// `--theirs-options`, `--KEY VALUE` for the keys in `own`, and options of both servers after `--`.
/// Cargo's own `--bench` is passed over.
pub fn arguments(ours: &str, own: &[&str], usage: &str) -> Result<Arguments> {
    // cargo puts it last, even behind `--`.
    let mut given = std::env::args().skip(1).filter(|arg| arg != "--bench");
    let (mut ours, mut theirs) = (ours.to_string(), "redis-server".to_string());
    let (mut options, mut rest) = (Vec::new(), Vec::new());
    let mut own_options = [Vec::new(), Vec::new()];
    let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
    while let Some(arg) = given.next() {
        match arg.as_str() {
            "--" => options = given.by_ref().collect(),
            "-h" | "--help" => {
                println!("{usage}");
                std::process::exit(0);
            }
            key if SIDES.contains(&key) || own.contains(&key) => {
                let value = given.next().ok_or_else(|| format!("{key} needs a value\n{usage}"))?;
                match key {
                    "--ours" => ours = value,
                    "--theirs" => theirs = value,
                    "--ours-options" => own_options[0] = words(&value),
                    "--theirs-options" => own_options[1] = words(&value),
                    _ => rest.push((arg, value)),
                }
            }
            _ => return Err(format!("unknown option {arg}\n{usage}").into()),
        }
    }
    let [of_ours, of_theirs] = own_options;
    let spec = |name, program: &str, own: Vec<String>| -> Result<Spec> {
        let options = own.into_iter().chain(options.iter().cloned()).collect();
        Ok(Spec { name, program: in_path(program)?, options })
    };
    let specs = [spec("ours", &ours, of_ours)?, spec("theirs", &theirs, of_theirs)?];
    Ok(Arguments { specs, own: rest })
}
