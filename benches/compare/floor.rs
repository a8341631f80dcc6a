//! The least that a load can cost a server: a responder that takes a pipeline with one read, looks
//! at nothing but its length, and answers with one write. What it needs is the kernel's share, and
//! no server of one thread can go below that.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream as Socket};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::common::{Result, Server, Spec, encode};
use crate::loads::Load;

/// The argument that makes this program the responder.
pub const RESPOND: &str = "--respond";
const LISTENER: Token = Token(usize::MAX);
const READ_BYTES: usize = 16 << 10;
const PONG: &[u8] = b"+PONG\r\n";

/// The words of a load's command, unless redis-benchmark knows them itself.
fn command(load: &Load) -> Option<Vec<&str>> {
    let words: Vec<&str> = load.args.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["-P", _, first, ..] if !first.starts_with('-') => Some(words[2..].to_vec()),
        _ => None,
    }
}

/// Starts a responder for a load, which a server answers once to show how; `None`: its requests are
/// not known here.
pub fn start(load: &Load, server: &Server) -> Result<Option<Server>> {
    let Some(words) = command(load) else { return Ok(None) };
    let mut request = Vec::new();
    encode(&mut request, &words);
    let length = request.len();
    encode(&mut request, &["PING"]);
    let mut socket = Socket::connect(("127.0.0.1", server.port))?;
    socket.write_all(&request)?;
    let mut reply = Vec::new();
    while !reply.ends_with(PONG) {
        let mut room = [0; READ_BYTES];
        let read = socket.read(&mut room)?;
        reply.extend_from_slice(&room[..read]);
    }
    reply.truncate(reply.len() - PONG.len());
    let reply = String::from_utf8(reply).map_err(|_| "a reply that is no text")?;
    let options = vec![RESPOND.to_string(), length.to_string(), reply];
    let spec = Spec { name: "floor", program: std::env::current_exe()?, options };
    Ok(Some(spec.launch()?))
}

/// Whether this process is to be the responder.
pub fn is_wanted() -> bool {
    std::env::args().any(|arg| arg == RESPOND)
}

/// Answers until it is killed.
pub fn respond() -> Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let behind = |name: &str, by: usize| {
        let at = args.iter().position(|arg| arg == name).map(|at| at + by);
        at.and_then(|at| args.get(at)).ok_or_else(|| format!("{name} lacks a value"))
    };
    let port = behind("--port", 1)?.parse()?;
    let length = behind(RESPOND, 1)?.parse()?;
    Responder::listen(port, length, behind(RESPOND, 2)?.as_bytes())?.run()
}

struct Responder {
    poll: Poll,
    listener: TcpListener,
    peers: Vec<TcpStream>,
    /// Bytes of a request.
    length: usize,
    /// Bytes of the reply to it.
    reply_length: usize,
    /// The replies to as many requests as one read may bring.
    replies: Vec<u8>,
    /// Where requests are read to.
    room: Vec<u8>,
}

enum Answer {
    /// So many bytes of the replies.
    Replies(usize),
    /// To what is no request of the load.
    Words(Vec<u8>),
}

impl Responder {
    fn listen(port: u16, length: usize, reply: &[u8]) -> Result<Self> {
        let poll = Poll::new()?;
        let mut listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], port)))?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        let replies = reply.repeat(READ_BYTES / length);
        let reply_length = reply.len();
        let (peers, room) = (Vec::new(), vec![0; READ_BYTES]);
        Ok(Responder { poll, listener, peers, length, reply_length, replies, room })
    }

    fn run(&mut self) -> Result<()> {
        let mut events = Events::with_capacity(1024);
        let mut answers = Vec::new();
        loop {
            self.poll.poll(&mut events, None)?;
            for event in &events {
                match event.token() {
                    LISTENER => self.accept()?,
                    Token(peer) => answers.extend(self.read(peer).map(|answer| (peer, answer))),
                }
            }
            for (peer, answer) in answers.drain(..) {
                let _ = match &answer {
                    Answer::Replies(bytes) => self.peers[peer].write(&self.replies[..*bytes]),
                    Answer::Words(words) => self.peers[peer].write(words),
                };
            }
        }
    }

    fn accept(&mut self) -> Result<()> {
        loop {
            match self.listener.accept() {
                Ok((mut peer, _)) => {
                    peer.set_nodelay(true)?;
                    let token = Token(self.peers.len());
                    self.poll.registry().register(&mut peer, token, Interest::READABLE)?;
                    self.peers.push(peer);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// What is to be answered to what a peer sent, if it sent anything.
    fn read(&mut self, peer: usize) -> Option<Answer> {
        let read = self.peers[peer].read(&mut self.room).ok().filter(|&read| read > 0)?;
        if read.is_multiple_of(self.length) {
            return Some(Answer::Replies(read / self.length * self.reply_length));
        }
        // From whoever starts this, and from redis-benchmark before it starts.
        let asked = &self.room[..read];
        let requests = asked.iter().filter(|&&byte| byte == b'*').count();
        let is_ping = asked.ends_with(b"PING\r\n");
        Some(Answer::Words(if is_ping { PONG.to_vec() } else { b"-ERR\r\n".repeat(requests) }))
    }
}
