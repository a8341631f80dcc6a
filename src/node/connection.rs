//! One accepted socket and the bytes read from it. Reads and writes; knows nothing of what the
//! bytes mean.

use std::io::{self, ErrorKind, IoSlice, Write};
use std::os::fd::{AsFd, BorrowedFd};

use mio::Interest;
use mio::net::{TcpStream, UnixStream};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use crate::base::limits::{READ_CHUNK_BYTES, WRITE_BYTES_PER_TURN};
use crate::resp::Output;
use crate::resp::request::Parser;

/// A stream socket of either kind.
#[derive(Debug)]
pub enum Socket {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpStream),
    /// The unix socket.
    Unix(UnixStream),
}

impl Socket {
    /// Registers for both directions, once and for all: the loop is edge-triggered.
    pub fn register(&mut self, registry: &mio::Registry, token: mio::Token) -> io::Result<()> {
        let both = Interest::READABLE | Interest::WRITABLE;
        match self {
            Socket::Tcp(s) => registry.register(s, token, both),
            Socket::Unix(s) => registry.register(s, token, both),
        }
    }

    /// Takes the socket out of the poll.
    pub fn deregister(&mut self, registry: &mio::Registry) -> io::Result<()> {
        match self {
            Socket::Tcp(s) => registry.deregister(s),
            Socket::Unix(s) => registry.deregister(s),
        }
    }

    fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Socket::Tcp(s) => s.as_fd(),
            Socket::Unix(s) => s.as_fd(),
        }
    }

    /// Appends to `into` what the socket has, as far as its capacity goes.
    fn read(&self, into: &mut Vec<u8>) -> rustix::io::Result<usize> {
        let (appended, _) = recv(self.descriptor(), spare_capacity(into), RecvFlags::empty())?;
        Ok(appended)
    }

    fn write(&mut self, slices: &[&[u8]]) -> io::Result<usize> {
        if let [one] = slices {
            return Ok(send(self.descriptor(), one, SendFlags::NOSIGNAL)?);
        }
        let mut vectors = [IoSlice::new(&[]); SLICES_PER_WRITE];
        for (vector, slice) in vectors.iter_mut().zip(slices) {
            *vector = IoSlice::new(slice);
        }
        let vectors = &vectors[..slices.len()];
        match self {
            Socket::Tcp(s) => s.write_vectored(vectors),
            Socket::Unix(s) => s.write_vectored(vectors),
        }
    }
}

const SLICES_PER_WRITE: usize = 16;

/// Bytes read and not yet consumed. Room that was never read into is never touched, so that it
/// costs no memory.
#[derive(Debug, Default)]
pub struct QueryBuffer {
    bytes: Vec<u8>,
}

impl QueryBuffer {
    /// The input.
    #[inline]
    pub fn input(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether there is no input.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Allocated bytes.
    pub fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    /// Makes room for at least `more` bytes after the input.
    pub fn reserve(&mut self, more: usize) {
        self.bytes.reserve_exact(more);
    }

    /// Drops the first `n` bytes of input.
    #[inline]
    pub fn consume(&mut self, n: usize) {
        if n == self.bytes.len() { self.bytes.clear() } else { drop(self.bytes.drain(..n)) }
    }

    /// Gives back the room beyond `capacity`, as far as there is no input in it.
    pub fn shrink(&mut self, capacity: usize) {
        self.bytes.shrink_to(capacity);
    }
}

/// What a read brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadOutcome {
    /// So many bytes.
    Bytes(usize),
    /// Nothing at the moment.
    Nothing,
    /// The peer is gone; the reason, unless it closed in order.
    Closed(Option<ErrorKind>),
}

/// What a write left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// Everything was sent.
    Drained,
    /// The socket takes no more; the next writable edge goes on.
    Blocked,
    /// The turn's budget is spent.
    Budget,
    /// The peer is gone.
    Closed(ErrorKind),
}

/// One client's socket, with the state of its input.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub socket: Socket,
    /// Input that is not consumed yet, with room for more.
    pub query: QueryBuffer,
    /// Where in the input the parser is.
    pub parser: Parser,
    /// The socket may have input: no read has come back short since the last edge.
    pub readable: bool,
    /// The input holds no whole request.
    pub starved: bool,
    /// The socket takes output: no write has come back short since the last edge.
    pub writable: bool,
    /// The peer sent its last byte; read until that is seen.
    pub peer_closed: bool,
    /// Listed in the loop's ready queue.
    pub queued: bool,
}

impl Connection {
    /// A connection that has just been accepted.
    pub fn new(socket: Socket) -> Self {
        Connection {
            socket,
            query: QueryBuffer::default(),
            parser: Parser::default(),
            readable: false,
            starved: true,
            writable: true,
            peer_closed: false,
            queued: false,
        }
    }

    /// Whether there may be input in the socket, and no whole request waits before that.
    #[inline]
    pub fn wants_input(&self) -> bool {
        self.readable && (self.starved || self.query.is_empty())
    }

    /// One read behind the input, with room for at least as much as the request lacks.
    pub fn receive(&mut self) -> ReadOutcome {
        let buffer = &mut self.query;
        let needed = self.parser.needed(buffer.input().len());
        if buffer.capacity() - buffer.input().len() < needed.max(READ_CHUNK_BYTES / 4) {
            buffer.reserve(needed.max(READ_CHUNK_BYTES));
        }
        let room = buffer.capacity() - buffer.input().len();
        match self.socket.read(&mut buffer.bytes) {
            Ok(0) => ReadOutcome::Closed(None),
            Ok(n) => {
                // A short read means drained, unless the peer's end is still to be read.
                self.readable = n == room || self.peer_closed;
                ReadOutcome::Bytes(n)
            }
            Err(Errno::AGAIN) => {
                self.readable = false;
                ReadOutcome::Nothing
            }
            Err(Errno::INTR) => ReadOutcome::Nothing,
            Err(error) => ReadOutcome::Closed(Some(io::Error::from(error).kind())),
        }
    }

    /// Sends what the output holds, within one turn's budget. Returns the bytes sent as well.
    pub fn flush(&mut self, output: &mut Output) -> (WriteOutcome, usize) {
        let mut sent = 0;
        while output.pending() > 0 {
            if sent >= WRITE_BYTES_PER_TURN {
                return (WriteOutcome::Budget, sent);
            }
            let mut slices = [&[][..]; SLICES_PER_WRITE];
            let count = output.slices(&mut slices);
            let offered: usize = slices[..count].iter().map(|s| s.len()).sum();
            match self.socket.write(&slices[..count]) {
                Ok(n) => {
                    output.advance(n);
                    sent += n;
                    if n < offered {
                        self.writable = false;
                        return (WriteOutcome::Blocked, sent);
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => {
                    self.writable = false;
                    return (WriteOutcome::Blocked, sent);
                }
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return (WriteOutcome::Closed(e.kind()), sent),
            }
        }
        (WriteOutcome::Drained, sent)
    }
}
