//! One link of the cluster bus: its socket, the bytes of a packet that is not whole yet, and the
//! packets that wait to be sent. Reads and writes for `bus`; knows of packets only where they end.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use super::connection::{ReadOutcome, WriteOutcome};
use crate::base::limits::BUS_WRITE_BYTES_PER_TURN;
use crate::cluster::LinkId;
use crate::cluster::wire::frame_len;

const SLICES_PER_WRITE: usize = 16;

/// One link.
#[derive(Debug)]
pub struct BusLink {
    /// What the cluster calls it.
    pub id: LinkId,
    /// The other end.
    pub peer: SocketAddr,
    /// It was opened here and is not connected yet.
    pub connecting: bool,
    /// The socket may have input: no read has come back short since the last edge.
    pub readable: bool,
    /// The socket takes output: no write has come back short since the last edge.
    pub writable: bool,
    /// The peer sent its last byte; read until that is seen.
    pub peer_closed: bool,
    /// Listed among the links with input.
    pub ready: bool,
    /// Listed among the links with output.
    pub unsent: bool,
    /// When it was opened, or the last whole packet came.
    pub heard_ms: u64,
    /// What came of a packet that is not whole yet, and packets that the turn had no time for.
    pub input: Vec<u8>,
    socket: TcpStream,
    queue: VecDeque<Bytes>,
    /// So many packets at the front are not overtaken by those of the cluster itself.
    ahead: usize,
    /// Bytes of the first packet that were sent.
    sent: usize,
    /// Bytes of all packets in the queue.
    queued_bytes: usize,
}

impl BusLink {
    /// A link over a socket that is connected, or about to be.
    pub fn new(
        id: LinkId,
        socket: TcpStream,
        peer: SocketAddr,
        connecting: bool,
        now_ms: u64,
    ) -> Self {
        BusLink {
            id,
            peer,
            connecting,
            readable: false,
            writable: !connecting,
            peer_closed: false,
            ready: false,
            unsent: false,
            heard_ms: now_ms,
            input: Vec::new(),
            socket,
            queue: VecDeque::new(),
            ahead: 0,
            sent: 0,
            queued_bytes: 0,
        }
    }

    /// The socket, for the poll.
    pub fn socket(&mut self) -> &mut TcpStream {
        &mut self.socket
    }

    /// This end's address.
    pub fn local_ip(&self) -> String {
        self.socket.local_addr().map(|a| a.ip().to_string()).unwrap_or_default()
    }

    /// Whether a link that was opened here is connected by now; an error if it never will be.
    pub fn check_connected(&self) -> io::Result<bool> {
        if let Some(error) = self.socket.take_error()? {
            return Err(error);
        }
        match self.socket.peer_addr() {
            // A connection to a free port of this machine may happen to come from that port.
            Ok(peer) if self.socket.local_addr()? == peer => {
                Err(io::Error::from(ErrorKind::ConnectionRefused))
            }
            Ok(_) => Ok(true),
            Err(e) if e.kind() == ErrorKind::NotConnected => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// One read into `room`.
    pub fn read(&mut self, room: &mut [u8]) -> ReadOutcome {
        match self.socket.read(room) {
            Ok(0) => ReadOutcome::Closed(None),
            Ok(n) => {
                // A short read means drained, unless the peer's end is still to be read.
                self.readable = n == room.len() || self.peer_closed;
                ReadOutcome::Bytes(n)
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                ReadOutcome::Nothing
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => ReadOutcome::Nothing,
            Err(e) => ReadOutcome::Closed(Some(e.kind())),
        }
    }

    /// Queues a packet. One that `waits` lets all others pass: a backlog of messages must not keep
    /// heartbeats back.
    pub fn queue(&mut self, packet: Bytes, waits: bool) {
        self.queued_bytes += packet.len();
        if waits {
            return self.queue.push_back(packet);
        }
        // What was sent in part comes first in any case.
        let at = self.ahead.max(usize::from(self.sent > 0));
        self.queue.insert(at, packet);
        self.ahead = at + 1;
    }

    /// Whether anything waits to be sent.
    pub fn has_output(&self) -> bool {
        !self.queue.is_empty()
    }

    /// Bytes that wait to be sent.
    pub fn queued_bytes(&self) -> usize {
        self.queued_bytes - self.sent
    }

    /// Memory held to send: the packets, and the link itself.
    pub fn allocated_bytes(&self) -> usize {
        let room = self.queue.capacity() * size_of::<Bytes>();
        size_of::<BusLink>() + room + self.queued_bytes
    }

    /// Sends what waits, within one turn's budget.
    pub fn flush(&mut self) -> WriteOutcome {
        let mut budget = BUS_WRITE_BYTES_PER_TURN;
        while self.writable && self.has_output() {
            if budget == 0 {
                return WriteOutcome::Budget;
            }
            let (vectors, offered) = self.vectors();
            match (&self.socket).write_vectored(&vectors) {
                Ok(n) => {
                    self.writable = n == offered;
                    self.advance(n);
                    budget = budget.saturating_sub(n);
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return WriteOutcome::Closed(e.kind()),
            }
        }
        if self.has_output() { WriteOutcome::Blocked } else { WriteOutcome::Drained }
    }

    /// The beginning of the queue, and its bytes.
    fn vectors(&self) -> ([IoSlice<'_>; SLICES_PER_WRITE], usize) {
        let mut vectors = [IoSlice::new(&[]); SLICES_PER_WRITE];
        let mut offered = 0;
        let mut skip = self.sent;
        for (vector, packet) in vectors.iter_mut().zip(&self.queue) {
            let rest = &packet[std::mem::take(&mut skip)..];
            offered += rest.len();
            *vector = IoSlice::new(rest);
        }
        (vectors, offered)
    }

    fn advance(&mut self, n: usize) {
        self.sent += n;
        while let Some(first) = self.queue.front()
            && self.sent >= first.len()
        {
            self.sent -= first.len();
            self.queued_bytes -= first.len();
            self.queue.pop_front();
            self.ahead = self.ahead.saturating_sub(1);
        }
        if self.queue.is_empty() {
            // Links are idle nearly always, and a backlog's room would stay with each of them.
            self.queue = VecDeque::new();
        }
    }
}

/// Appends what has arrived to the input. Room grows with what arrives, and not beyond the packet
/// that is expected.
pub fn keep(input: &mut Vec<u8>, arrived: &[u8]) {
    let needed = input.len() + arrived.len();
    if needed > input.capacity() {
        let whole = match frame_len(input) {
            Ok(Some(length)) => length,
            Ok(None) | Err(_) => needed,
        };
        let wanted = whole.min(2 * input.len()).max(needed);
        input.reserve_exact(wanted - input.len());
    }
    input.extend_from_slice(arrived);
}

/// Whether the input begins with a whole packet, or with what can never become one.
pub fn holds_packet(input: &[u8]) -> bool {
    match frame_len(input) {
        Ok(Some(length)) => length <= input.len(),
        Ok(None) => false,
        Err(_) => true,
    }
}

/// Begins to connect, from `source` if that is possible (Redis:
/// anetTcpNonBlockBestEffortBindConnect).
pub fn connect(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    if let Some(source) = source
        && let Ok(stream) = connect_from(to, Some(source))
    {
        return Ok(stream);
    }
    connect_from(to, None)
}

fn connect_from(to: SocketAddr, source: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_reuse_address(true)?;
    if let Some(source) = source {
        socket.bind(&SocketAddr::new(source, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Err(e) if e.raw_os_error() != Some(libc::EINPROGRESS) => Err(e),
        _ => Ok(TcpStream::from_std(socket.into())),
    }
}

/// Small packets leave at once; a peer whose machine is gone is noticed although nothing is sent.
pub fn tune(stream: &TcpStream, node_timeout_ms: u64) -> io::Result<()> {
    stream.set_nodelay(true)?;
    // Redis: clusterAcceptHandler.
    let idle = Duration::from_secs((node_timeout_ms / 1000 * 2).clamp(1, 32_767));
    let probe = Duration::from_secs((idle.as_secs() / 3).max(1));
    SockRef::from(stream).set_tcp_keepalive(
        &TcpKeepalive::new().with_time(idle).with_interval(probe).with_retries(3),
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn pair() -> (BusLink, std::net::TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let peer = listener.local_addr().unwrap();
        let stream = connect(peer, None).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let mut link = BusLink::new(LinkId(1), stream, peer, true, 0);
        while !link.check_connected().unwrap() {}
        (link.connecting, link.writable) = (false, true);
        (link, accepted)
    }

    #[test]
    fn packets_leave_in_order_and_are_counted_until_they_have_left() {
        let (mut link, mut other) = pair();
        let empty = link.allocated_bytes();
        let packets: Vec<Bytes> = (0..100u8).map(|n| Bytes::from(vec![n; 1000])).collect();
        packets.iter().for_each(|packet| link.queue(packet.clone(), false));
        assert_eq!(link.queued_bytes(), 100_000);
        assert!(link.allocated_bytes() >= empty + 100_000);
        let reader = std::thread::spawn(move || {
            let mut read = vec![0; 100_000];
            other.read_exact(&mut read).unwrap();
            read
        });
        while link.flush() != WriteOutcome::Drained {
            link.writable = true;
        }
        assert_eq!(reader.join().unwrap(), packets.concat());
        assert_eq!((link.queued_bytes(), link.allocated_bytes()), (0, empty));
    }

    #[test]
    fn heartbeats_go_ahead_of_messages() {
        let (mut link, mut other) = pair();
        let packet = |n: u8| Bytes::from(vec![n; 8]);
        (10..20).for_each(|n| link.queue(packet(n), true));
        // The first message is on its way.
        link.sent = 3;
        (0..2).for_each(|n| link.queue(packet(n), false));
        link.queue(packet(20), true);
        assert_eq!(link.flush(), WriteOutcome::Drained);
        link.queue(packet(2), false);
        assert_eq!((link.flush(), link.ahead), (WriteOutcome::Drained, 0));
        let mut read = vec![0; 14 * 8 - 3];
        other.read_exact(&mut read).unwrap();
        let order: Vec<u8> = read[5..].iter().step_by(8).copied().collect();
        let messages = 11..20;
        let expected: Vec<u8> = [0, 1].into_iter().chain(messages).chain([20, 2]).collect();
        assert_eq!(order, expected);
    }

    #[test]
    fn a_peer_that_reads_nothing_holds_nobody_up() {
        let (mut link, _other) = pair();
        (0..1000).for_each(|_| link.queue(Bytes::from(vec![0; 100_000]), true));
        let mut outcome = link.flush();
        while outcome == WriteOutcome::Budget {
            outcome = link.flush();
        }
        assert_eq!(outcome, WriteOutcome::Blocked);
        assert!(!link.writable && link.queued_bytes() > 0);
    }

    #[test]
    fn one_turn_writes_no_more_than_its_budget() {
        let (mut link, other) = pair();
        SockRef::from(&link.socket).set_send_buffer_size(8 << 20).unwrap();
        (0..1000).for_each(|_| link.queue(Bytes::from(vec![0; 100_000]), true));
        let before = link.queued_bytes();
        link.flush();
        let vectors = SLICES_PER_WRITE * 100_000;
        assert!(before - link.queued_bytes() < BUS_WRITE_BYTES_PER_TURN + vectors);
        drop(other);
    }

    #[test]
    fn room_grows_with_what_arrives() {
        let mut packet = b"RCmb".to_vec();
        let length = 8 * 1024 * 1024u32;
        packet.extend_from_slice(&length.to_be_bytes());
        packet.resize(length as usize, 0);
        let mut input = Vec::new();
        for chunk in packet.chunks(50_000) {
            keep(&mut input, chunk);
            assert!(input.capacity() <= 2 * input.len(), "{}", input.capacity());
        }
        assert_eq!(input.capacity(), packet.len());
        assert!(holds_packet(&input));
        assert!(!holds_packet(&input[..input.len() - 1]));
        assert!(holds_packet(b"what") && !holds_packet(b""));
    }

    #[test]
    fn a_port_where_nobody_listens_fails() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let failed = connect(free, None).and_then(|stream| {
            let link = BusLink::new(LinkId(1), stream, free, true, 0);
            loop {
                if link.check_connected()? {
                    return Ok(());
                }
            }
        });
        assert!(failed.is_err());
    }
}
