//! What black-box tests share: a node on a free port in this process, a small RESP client that
//! shows replies parsed or byte for byte, and waiting for conditions. Used by the files of
//! `tests/`; must never know a command's meaning.

#![allow(dead_code)] // Every test file is its own crate and uses its own part.

pub mod cluster;
pub mod program;
pub mod values;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use redis_rust::config::Config;
use redis_rust::{Handle, Server};

/// Longest wait for a reply or a condition. Only a failing test ever waits this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running node. Dropping it stops it.
pub struct Node {
    handle: Handle,
}

impl Node {
    /// A node of the default configuration, on a free port, reachable from this host only.
    pub fn start() -> Node {
        Node::with(Config::default())
    }

    /// A node of this configuration but for its addresses.
    pub fn with(config: Config) -> Node {
        let server = Server::bind(config.port(0).bind(["127.0.0.1"])).expect("a port is free");
        Node { handle: server.spawn() }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.handle.addresses()[0]
    }

    /// A new connection that speaks RESP2.
    pub fn connect(&self) -> Client {
        Client::connect(self.address())
    }

    /// A new connection that speaks RESP3.
    pub fn connect_resp3(&self) -> Client {
        let mut client = self.connect();
        client.run("HELLO 3");
        client
    }

    /// Stops the node and waits for its end.
    pub fn stop(self) {
        self.handle.stop().expect("the node ends in order");
    }
}

/// Waits until `condition` holds; fails the test, naming `what`, if it never does.
#[track_caller]
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// A reply, parsed.
#[derive(Clone, Debug, PartialEq)]
pub enum Reply {
    /// `+`
    Simple(String),
    /// `-`
    Error(String),
    /// `:`
    Int(i64),
    /// `$`
    Bulk(Vec<u8>),
    /// `_` or `$-1`
    Null,
    /// `*-1`
    NullArray,
    /// `*`
    Array(Vec<Reply>),
    /// `%`
    Map(Vec<(Reply, Reply)>),
    /// `~`
    Set(Vec<Reply>),
    /// `>`
    Push(Vec<Reply>),
    /// `,`, as written
    Double(String),
    /// `#`
    Boolean(bool),
    /// `(`
    BigNumber(String),
    /// `=`, format included
    Verbatim(Vec<u8>),
    /// `|`, and what it precedes
    Attribute(Vec<(Reply, Reply)>, Box<Reply>),
}

impl Reply {
    /// `+OK`
    pub fn ok() -> Reply {
        Reply::Simple("OK".into())
    }

    /// The number of an integer reply.
    #[track_caller]
    pub fn int(&self) -> i64 {
        match self {
            Reply::Int(n) => *n,
            other => panic!("no integer: {other:?}"),
        }
    }

    /// The text of a string of any kind, or of an error.
    #[track_caller]
    pub fn text(&self) -> String {
        match self {
            Reply::Bulk(bytes) | Reply::Verbatim(bytes) => String::from_utf8_lossy(bytes).into(),
            Reply::Simple(s) | Reply::Error(s) | Reply::Double(s) | Reply::BigNumber(s) => {
                s.clone()
            }
            other => panic!("no string: {other:?}"),
        }
    }

    /// The parts of an array, a set or a push.
    #[track_caller]
    pub fn items(&self) -> &[Reply] {
        match self {
            Reply::Array(items) | Reply::Set(items) | Reply::Push(items) => items,
            other => panic!("no aggregate: {other:?}"),
        }
    }

    /// The texts of an aggregate's parts.
    #[track_caller]
    pub fn texts(&self) -> Vec<String> {
        self.items().iter().map(Reply::text).collect()
    }

    /// The words of an error.
    #[track_caller]
    pub fn error(&self) -> &str {
        match self {
            Reply::Error(words) => words,
            other => panic!("no error: {other:?}"),
        }
    }

    /// Whether it is an error.
    pub fn is_error(&self) -> bool {
        matches!(self, Reply::Error(_))
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Reply {
        Reply::Bulk(text.into())
    }
}

impl From<i64> for Reply {
    fn from(n: i64) -> Reply {
        Reply::Int(n)
    }
}

impl<R: Into<Reply>, const N: usize> From<[R; N]> for Reply {
    fn from(items: [R; N]) -> Reply {
        Reply::Array(items.map(Into::into).into())
    }
}

/// In one line, as tests compare it: `OK`, `(error) ERR …`, `(integer) 1`, `"bulk"`, `(nil)`.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reply::Simple(s) => f.write_str(s),
            Reply::Error(s) => write!(f, "(error) {s}"),
            Reply::Int(n) => write!(f, "(integer) {n}"),
            Reply::Bulk(bytes) => write!(f, "\"{}\"", bytes.escape_ascii()),
            Reply::Null => f.write_str("(nil)"),
            Reply::NullArray => f.write_str("(nil array)"),
            Reply::Array(items) => write_items(f, "[", items),
            Reply::Set(items) => write_items(f, "set[", items),
            Reply::Push(items) => write_items(f, "push[", items),
            Reply::Map(pairs) => write_pairs(f, pairs),
            Reply::Double(text) => write!(f, "(double) {text}"),
            Reply::Boolean(value) => write!(f, "({value})"),
            Reply::BigNumber(digits) => write!(f, "(big number) {digits}"),
            Reply::Verbatim(bytes) => write!(f, "(verbatim) {}", bytes.escape_ascii()),
            Reply::Attribute(pairs, reply) => {
                write_pairs(f, pairs)?;
                write!(f, " {reply}")
            }
        }
    }
}

fn write_items(f: &mut fmt::Formatter<'_>, open: &str, items: &[Reply]) -> fmt::Result {
    f.write_str(open)?;
    for (i, item) in items.iter().enumerate() {
        write!(f, "{}{item}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str("]")
}

fn write_pairs(f: &mut fmt::Formatter<'_>, pairs: &[(Reply, Reply)]) -> fmt::Result {
    f.write_str("{")?;
    for (i, (key, value)) in pairs.iter().enumerate() {
        write!(f, "{}{key}: {value}", if i > 0 { ", " } else { "" })?;
    }
    f.write_str("}")
}

/// A connection.
pub struct Client {
    reader: BufReader<TcpStream>,
}

impl Client {
    /// Connects to any node.
    pub fn connect(address: SocketAddr) -> Client {
        let stream = TcpStream::connect(address).expect("the node accepts");
        stream.set_nodelay(true).expect("nodelay");
        stream.set_read_timeout(Some(PATIENCE)).expect("timeout");
        Client { reader: BufReader::new(stream) }
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).expect("the node reads");
    }

    /// Sends a command and does not wait for its reply.
    #[track_caller]
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) {
        self.send_raw(&encode(args));
    }

    /// Sends a command and waits for its reply.
    #[track_caller]
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> Reply {
        self.send(args);
        self.read()
    }

    /// As `call`, for a command whose arguments have no blanks: `SET key value`.
    #[track_caller]
    pub fn run(&mut self, line: &str) -> Reply {
        self.call(&line.split(' ').collect::<Vec<_>>())
    }

    /// As `run`, with the reply in one line (see `Reply`'s Display).
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.run(line).to_string()
    }

    /// As `run`, with the reply byte for byte.
    #[track_caller]
    pub fn run_raw(&mut self, line: &str) -> String {
        self.send(&line.split(' ').collect::<Vec<_>>());
        let mut bytes = Vec::new();
        self.parse(&mut bytes).expect("a reply");
        String::from_utf8_lossy(&bytes).into()
    }

    /// The next reply.
    #[track_caller]
    pub fn read(&mut self) -> Reply {
        self.parse(&mut Vec::new()).expect("a reply")
    }

    /// The next reply, unless the node has closed the connection.
    pub fn try_read(&mut self) -> io::Result<Reply> {
        self.parse(&mut Vec::new())
    }

    /// Whether the node has closed the connection and nothing is left to read.
    pub fn is_closed(&mut self) -> bool {
        let closed = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset];
        self.reader.fill_buf().map_or_else(|e| closed.contains(&e.kind()), <[u8]>::is_empty)
    }

    /// Runs each command and compares its reply, in one line, with what follows it.
    #[track_caller]
    pub fn expect(&mut self, dialogue: &[(&str, &str)]) {
        for (line, expected) in dialogue {
            assert_eq!(&self.ask(line), expected, "{line}");
        }
    }

    fn line(&mut self, bytes: &mut Vec<u8>) -> io::Result<String> {
        let from = bytes.len();
        self.reader.read_until(b'\n', bytes)?;
        let line = bytes[from..].strip_suffix(b"\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(line).into())
    }

    fn block(&mut self, length: usize, bytes: &mut Vec<u8>) -> io::Result<Vec<u8>> {
        let from = bytes.len();
        bytes.resize(from + length + 2, 0);
        self.reader.read_exact(&mut bytes[from..])?;
        assert!(bytes.ends_with(b"\r\n"), "a block ends with its line");
        Ok(bytes[from..from + length].to_vec())
    }

    fn items(&mut self, count: usize, bytes: &mut Vec<u8>) -> io::Result<Vec<Reply>> {
        (0..count).map(|_| self.parse(bytes)).collect()
    }

    fn pairs(&mut self, count: usize, bytes: &mut Vec<u8>) -> io::Result<Vec<(Reply, Reply)>> {
        (0..count).map(|_| Ok((self.parse(bytes)?, self.parse(bytes)?))).collect()
    }

    /// Reads one reply and appends its bytes.
    fn parse(&mut self, bytes: &mut Vec<u8>) -> io::Result<Reply> {
        let line = self.line(bytes)?;
        let (kind, rest) = line.split_at_checked(1).expect("a reply begins with its kind");
        let rest = rest.to_string();
        let length = || rest.parse::<usize>().expect("a length");
        Ok(match (kind, rest.as_str()) {
            ("$", "-1") | ("_", "") => Reply::Null,
            ("*", "-1") => Reply::NullArray,
            ("+", _) => Reply::Simple(rest),
            ("-", _) => Reply::Error(rest),
            (":", n) => Reply::Int(n.parse().expect("an integer")),
            (",", _) => Reply::Double(rest),
            ("(", _) => Reply::BigNumber(rest),
            ("#", value) => Reply::Boolean(value == "t"),
            ("$", _) => Reply::Bulk(self.block(length(), bytes)?),
            ("=", _) => Reply::Verbatim(self.block(length(), bytes)?),
            ("*", _) => Reply::Array(self.items(length(), bytes)?),
            ("~", _) => Reply::Set(self.items(length(), bytes)?),
            (">", _) => Reply::Push(self.items(length(), bytes)?),
            ("%", _) => Reply::Map(self.pairs(length(), bytes)?),
            ("|", _) => {
                let pairs = self.pairs(length(), bytes)?;
                Reply::Attribute(pairs, Box::new(self.parse(bytes)?))
            }
            _ => panic!("no reply: {line:?}"),
        })
    }
}

/// A command as it goes over the wire.
pub fn encode<A: AsRef<[u8]>>(args: &[A]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args.iter().map(AsRef::as_ref) {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
