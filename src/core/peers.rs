//! Connections that this node opens to others and waits for, as MIGRATE does: how one is asked for,
//! and those kept for the next time. The sockets themselves are the node's, behind [`Dialer`].
//! Nothing here knows what is said over a connection.

use std::io;
use std::time::Duration;

use crate::base::limits::{MIGRATE_SOCKET_IDLE_S, MIGRATE_SOCKETS_MAX};

/// Whom to call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Name or address, as the user wrote it.
    pub host: &'a [u8],
    /// Port, as the user wrote it.
    pub port: &'a [u8],
    /// Own address to call from (bind-source-addr).
    pub source: Option<&'a [u8]>,
}

/// Opens connections.
pub trait Dialer: Send {
    /// Connects within `timeout`.
    fn dial(&mut self, target: &Target<'_>, timeout: Duration) -> io::Result<Box<dyn Stream>>;
}

/// A connection. Dropping it closes it.
pub trait Stream: Send {
    /// Writes some of `out` and reads some into `input`, whatever is possible first, and waits for
    /// it no longer than `wait`. An end of the stream is an error as others are, after everything
    /// that came before it was read.
    fn exchange(&mut self, out: &[u8], input: &mut [u8], wait: Duration) -> io::Result<Progress>;
}

/// What one call of [`Stream::exchange`] did; nothing, if it waited in vain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes written.
    pub written: usize,
    /// Bytes read.
    pub read: usize,
}

/// A connection, and what is known of its other end.
pub struct Connection {
    /// The bytes.
    pub stream: Box<dyn Stream>,
    /// The database that is selected there, if that is certain.
    pub db: Option<i64>,
}

/// A connection that nobody uses. Nothing is unsent, and no reply is due.
struct Idle {
    host: Box<[u8]>,
    port: Box<[u8]>,
    connection: Connection,
    since_s: u64,
}

impl Idle {
    fn is_to(&self, target: &Target<'_>) -> bool {
        *self.host == *target.host && *self.port == *target.port
    }
}

/// Opens connections and keeps them for a while.
pub struct Peers {
    dialer: Box<dyn Dialer>,
    /// At most `MIGRATE_SOCKETS_MAX`, one per target, the one that was used last at the end.
    idle: Vec<Idle>,
}

impl Default for Peers {
    /// Reaches nobody until a dialer is installed.
    fn default() -> Self {
        Peers { dialer: Box::new(Nowhere), idle: Vec::new() }
    }
}

struct Nowhere;

impl Dialer for Nowhere {
    fn dial(&mut self, _: &Target<'_>, _: Duration) -> io::Result<Box<dyn Stream>> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl Peers {
    /// Opens connections through `dialer` from here on.
    pub fn install(&mut self, dialer: Box<dyn Dialer>) {
        self.dialer = dialer;
    }

    /// A connection that was kept, if its other end still is there, or else a new one.
    pub fn connect(&mut self, target: &Target<'_>, timeout: Duration) -> io::Result<Connection> {
        if let Some(at) = self.idle.iter().position(|idle| idle.is_to(target)) {
            let mut connection = self.idle.remove(at).connection;
            // Where nothing is due, whatever can be read (an end, or more) makes it useless.
            let heard = connection.stream.exchange(&[], &mut [0], Duration::ZERO);
            if heard.is_ok_and(|progress| progress == Progress::default()) {
                return Ok(connection);
            }
        }
        let stream = self.dialer.dial(target, timeout)?;
        Ok(Connection { stream, db: None })
    }

    /// Keeps a connection over which no reply is due. The one that was not used for longest makes
    /// room for it.
    pub fn keep(&mut self, target: &Target<'_>, connection: Connection, now_s: u64) {
        self.idle.retain(|idle| !idle.is_to(target));
        if self.idle.len() >= MIGRATE_SOCKETS_MAX {
            self.idle.remove(0);
        }
        let (host, port) = (target.host.into(), target.port.into());
        self.idle.push(Idle { host, port, connection, since_s: now_s });
    }

    /// Closes what was not used for a while.
    pub fn close_idle(&mut self, now_s: u64) {
        self.idle.retain(|idle| now_s.saturating_sub(idle.since_s) <= MIGRATE_SOCKET_IDLE_S);
    }

    /// Connections that are kept.
    pub fn kept(&self) -> usize {
        self.idle.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Counts what it opens; its streams say what they are told to.
    #[derive(Clone, Default)]
    struct Counting {
        dialed: Arc<AtomicUsize>,
        open: Arc<AtomicUsize>,
    }

    struct Said {
        open: Arc<AtomicUsize>,
        says: fn() -> io::Result<Progress>,
    }

    impl Stream for Said {
        fn exchange(&mut self, _: &[u8], _: &mut [u8], _: Duration) -> io::Result<Progress> {
            (self.says)()
        }
    }

    impl Drop for Said {
        fn drop(&mut self) {
            self.open.fetch_sub(1, Ordering::Relaxed);
        }
    }

    impl Dialer for Counting {
        fn dial(&mut self, target: &Target<'_>, _: Duration) -> io::Result<Box<dyn Stream>> {
            self.dialed.fetch_add(1, Ordering::Relaxed);
            self.open.fetch_add(1, Ordering::Relaxed);
            let says: fn() -> io::Result<Progress> = match target.host {
                b"ended" => || Err(io::ErrorKind::UnexpectedEof.into()),
                b"talks" => || Ok(Progress { written: 0, read: 1 }),
                _ => || Ok(Progress::default()),
            };
            Ok(Box::new(Said { open: self.open.clone(), says }))
        }
    }

    fn target<'a>(host: &'a [u8], port: &'a [u8]) -> Target<'a> {
        Target { host, port, source: None }
    }

    fn peers() -> (Peers, Counting) {
        let (mut peers, counting) = (Peers::default(), Counting::default());
        peers.install(Box::new(counting.clone()));
        (peers, counting)
    }

    #[test]
    fn what_is_alive_is_used_again() {
        for (host, dials) in [(&b"quiet"[..], 1), (b"ended", 3), (b"talks", 3)] {
            let (mut peers, counting) = peers();
            for db in [None, Some(7), Some(7)] {
                let target = target(host, b"1");
                let mut connection = peers.connect(&target, Duration::MAX).expect("dialed");
                assert_eq!(connection.db, if dials == 1 { db } else { None });
                connection.db = Some(7);
                peers.keep(&target, connection, 0);
            }
            assert_eq!(counting.dialed.load(Ordering::Relaxed), dials);
            assert_eq!(counting.open.load(Ordering::Relaxed), 1);
        }
    }

    #[test]
    fn not_too_many_are_kept_and_none_for_long() {
        let (mut peers, counting) = peers();
        for port in 0..MIGRATE_SOCKETS_MAX + 6 {
            let port = port.to_string().into_bytes();
            let target = target(b"quiet", &port);
            let connection = peers.connect(&target, Duration::MAX).expect("dialed");
            peers.keep(&target, connection, port.len() as u64);
        }
        assert_eq!(peers.kept(), MIGRATE_SOCKETS_MAX);
        assert_eq!(counting.open.load(Ordering::Relaxed), MIGRATE_SOCKETS_MAX);
        peers.close_idle(1 + MIGRATE_SOCKET_IDLE_S);
        assert_eq!(peers.kept(), MIGRATE_SOCKETS_MAX);
        peers.close_idle(2 + MIGRATE_SOCKET_IDLE_S);
        assert_eq!(peers.kept(), MIGRATE_SOCKETS_MAX - 4);
        peers.close_idle(3 + MIGRATE_SOCKET_IDLE_S);
        assert_eq!((peers.kept(), counting.open.load(Ordering::Relaxed)), (0, 0));
    }
}
