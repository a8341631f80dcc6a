//! Blocking connections to other nodes, for the commands that wait for them (see `core::peers`).
//! Nothing of the loop runs meanwhile.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, Protocol, Socket, Type};

use crate::base::clock;
use crate::core::peers::{Dialer, Progress, Stream, Target};

/// Connects over TCP.
pub struct TcpDialer;

impl Dialer for TcpDialer {
    fn dial(&mut self, target: &Target<'_>, timeout: Duration) -> io::Result<Box<dyn Stream>> {
        let started = clock::instant();
        let mut failure = io::Error::from(io::ErrorKind::NotFound);
        for address in resolve(target.host, target.port)? {
            let passed = clock::instant().saturating_duration_since(started);
            let left = timeout.checked_sub(passed).filter(|left| !left.is_zero());
            let left = left.ok_or(io::ErrorKind::TimedOut)?;
            match connect(address, target.source, left) {
                Ok(stream) => return Ok(Box::new(Blocking { stream })),
                Err(error) => failure = error,
            }
        }
        Err(failure)
    }
}

/// All addresses of a host.
fn resolve(host: &[u8], port: &[u8]) -> io::Result<Vec<SocketAddr>> {
    let text = |bytes| str::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidInput);
    let port: u16 = text(port)?.parse().map_err(|_| io::ErrorKind::InvalidInput)?;
    Ok((text(host)?, port).to_socket_addrs()?.collect())
}

fn connect(to: SocketAddr, from: Option<&[u8]>, timeout: Duration) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    if let Some(from) = from {
        let same_family = |address: &SocketAddr| address.is_ipv4() == to.is_ipv4();
        let own = resolve(from, b"0")?.into_iter().find(same_family);
        socket.bind(&own.ok_or(io::ErrorKind::AddrNotAvailable)?.into())?;
    }
    socket.connect_timeout(&to.into(), timeout)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// A connection that never blocks but where it is asked to wait.
struct Blocking {
    stream: TcpStream,
}

impl Stream for Blocking {
    fn exchange(&mut self, out: &[u8], input: &mut [u8], wait: Duration) -> io::Result<Progress> {
        let progress = self.try_exchange(out, input)?;
        if progress != Progress::default() || wait.is_zero() {
            return Ok(progress);
        }
        self.wait(!out.is_empty(), wait)?;
        self.try_exchange(out, input)
    }
}

impl Blocking {
    /// Reads first, so that what was said before a connection broke is not lost.
    fn try_exchange(&mut self, out: &[u8], input: &mut [u8]) -> io::Result<Progress> {
        let read = match possible(self.stream.read(input))? {
            Some(0) if !input.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => read.unwrap_or(0),
        };
        let written = if out.is_empty() { Ok(None) } else { possible(self.stream.write(out)) };
        match written {
            Ok(written) => Ok(Progress { written: written.unwrap_or(0), read }),
            // The next call meets the error again.
            Err(_) if read > 0 => Ok(Progress { written: 0, read }),
            Err(error) => Err(error),
        }
    }

    /// Until something can be read, or written if that is wanted.
    fn wait(&self, writing: bool, wait: Duration) -> io::Result<()> {
        let output = if writing { PollFlags::OUT } else { PollFlags::empty() };
        // Longer waits than can be expressed are cut short, and asked for again.
        let timeout = Timespec::try_from(wait).ok();
        match poll(&mut [PollFd::new(&self.stream, PollFlags::IN | output)], timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

/// What was done, `None` if nothing could be.
fn possible(result: io::Result<usize>) -> io::Result<Option<usize>> {
    match result {
        Ok(done) => Ok(Some(done)),
        Err(error)
            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
