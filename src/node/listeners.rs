//! Listening sockets: TCP on each `bind` address, the unix socket with its permissions, and who may
//! connect.

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use socket2::{Domain, Protocol, SockRef, Socket as RawSocket, TcpKeepalive, Type};

use super::connection::Socket;
use crate::config::{Config, strerror};
use crate::core::Listening;
use crate::core::cluster_settings::bus_port;

/// One listening socket.
#[derive(Debug)]
pub enum Listener {
    /// TCP over IPv4 or IPv6.
    Tcp(TcpListener),
    /// A unix socket; its file is removed on drop.
    Unix(UnixListener, PathBuf),
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Listener::Unix(_, path) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// A peer that has just connected.
#[derive(Debug)]
pub struct Accepted {
    /// Its socket.
    pub socket: Socket,
    /// Its address, as CLIENT LIST shows it.
    pub peer: String,
    /// The address it connected to.
    pub local: String,
    /// Whether it comes from this machine.
    pub is_loopback: bool,
    /// The descriptor.
    pub fd: i32,
}

impl Listener {
    /// Takes the next waiting peer; `None` when nobody waits.
    pub fn accept(&self, config: &Config) -> io::Result<Option<Accepted>> {
        let accepted = match self {
            Listener::Tcp(listener) => listener.accept().and_then(|(s, peer)| tcp(s, peer, config)),
            Listener::Unix(listener, path) => listener.accept().map(|(s, _)| unix(s, path)),
        };
        match accepted {
            Ok(accepted) => Ok(Some(accepted)),
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Puts the listener into the poll.
    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        match self {
            Listener::Tcp(l) => registry.register(l, token, Interest::READABLE),
            Listener::Unix(l, _) => registry.register(l, token, Interest::READABLE),
        }
    }

    /// Takes the listener out of the poll.
    pub fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        match self {
            Listener::Tcp(l) => registry.deregister(l),
            Listener::Unix(l, _) => registry.deregister(l),
        }
    }

    /// The TCP address that is bound.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Listener::Tcp(l) => l.local_addr().ok(),
            Listener::Unix(..) => None,
        }
    }
}

fn tcp(stream: mio::net::TcpStream, peer: SocketAddr, config: &Config) -> io::Result<Accepted> {
    use std::os::fd::AsRawFd;
    stream.set_nodelay(true)?;
    if config.tcp_keepalive > 0 {
        set_keepalive(&SockRef::from(&stream), config.tcp_keepalive as u64)?;
    }
    let local = stream.local_addr()?;
    Ok(Accepted {
        peer: show(peer),
        local: show(local),
        is_loopback: is_loopback(peer.ip()),
        fd: stream.as_raw_fd(),
        socket: Socket::Tcp(stream),
    })
}

fn unix(stream: mio::net::UnixStream, path: &Path) -> Accepted {
    use std::os::fd::AsRawFd;
    let name = format!("{}:0", path.display());
    Accepted {
        peer: name.clone(),
        local: name,
        is_loopback: true,
        fd: stream.as_raw_fd(),
        socket: Socket::Unix(stream),
    }
}

/// First probe after `seconds`, then every third of that, three in all (Redis: anetKeepAlive).
fn set_keepalive(socket: &SockRef<'_>, seconds: u64) -> io::Result<()> {
    let interval = (seconds / 3).max(1);
    socket.set_tcp_keepalive(
        &TcpKeepalive::new()
            .with_time(std::time::Duration::from_secs(seconds))
            .with_interval(std::time::Duration::from_secs(interval))
            .with_retries(3),
    )
}

fn is_loopback(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_loopback(),
        IpAddr::V6(v6) => {
            v6.is_loopback() || v6.to_ipv4_mapped().is_some_and(|v4| v4.is_loopback())
        }
    }
}

/// `ip:port`, IPv6 in brackets, a mapped IPv4 address as IPv4.
fn show(address: SocketAddr) -> String {
    match address.ip() {
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => format!("{v4}:{}", address.port()),
            None => address.to_string(),
        },
        IpAddr::V4(_) => address.to_string(),
    }
}

/// Binds everything that the configuration asks for. An address that begins with `-` may be
/// missing.
pub fn bind_all(config: &Config) -> io::Result<Vec<Listener>> {
    let mut listeners = Vec::new();
    if config.port != 0 || config.startup.any_port {
        let bound = bind_addresses(config, config.port, "tcp")?;
        listeners.extend(bound.into_iter().map(Listener::Tcp));
    }
    if let Some(path) = &config.unixsocket {
        listeners.push(bind_unix(Path::new(OsStr::from_bytes(path)), config.unixsocketperm)?);
    }
    Ok(listeners)
}

/// Binds every address of `bind` to a port, the same for all of them if it is 0. Errors name the
/// port as `kind`'s.
fn bind_addresses(config: &Config, mut port: u16, kind: &str) -> io::Result<Vec<TcpListener>> {
    let mut listeners = Vec::new();
    for address in &config.bind.0 {
        let address = String::from_utf8_lossy(address);
        let (optional, host) = match address.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, &*address),
        };
        match bind_tcp(host, port, config) {
            Ok(listener) => {
                port = listener.local_addr()?.port();
                listeners.push(listener);
            }
            Err(error) if is_tolerated(host, port, optional, &error) => {}
            Err(error) => return Err(failed_listening(port, kind, error.kind())),
        }
    }
    if listeners.is_empty() && !config.bind.0.is_empty() {
        return Err(failed_listening(port, kind, io::ErrorKind::AddrNotAvailable));
    }
    Ok(listeners)
}

/// Binds the bus of a cluster node whose clients connect to `client_port`: to cluster-port, or else
/// to the port that is 10000 higher. A node that takes any port for its clients takes any for the
/// bus, too, if it cannot have that one.
pub fn bind_bus(config: &Config, client_port: u16) -> io::Result<Vec<TcpListener>> {
    let refused = |words: &str| io::Error::new(io::ErrorKind::InvalidInput, words);
    if config.bind.0.is_empty() {
        return Err(refused(
            "No bind address is configured, but it is required for the Cluster bus.",
        ));
    }
    let any = config.startup.any_port && config.cluster_port == 0;
    match bus_port(config, client_port) {
        Some(port) => match bind_addresses(config, port, "cluster") {
            Err(_) if any => bind_addresses(config, 0, "cluster"),
            bound => bound,
        },
        None if any => bind_addresses(config, 0, "cluster"),
        None => Err(refused(
            "Redis port number too high. Cluster communication port is 10,000 port numbers \
             higher than your Redis port. Your Redis port number must be 55535 or less.",
        )),
    }
}

fn failed_listening(port: u16, kind: &str, error: io::ErrorKind) -> io::Error {
    io::Error::new(error, format!("Failed listening on port {port} ({kind}), aborting."))
}

/// Says what could not be bound; whether the node does without.
fn is_tolerated(host: &str, port: u16, optional: bool, error: &io::Error) -> bool {
    let words = strerror(error);
    log::warn!(
        "Warning: Could not create server TCP listening socket {host}:{port}: bind: {words}"
    );
    let missing = matches!(
        error.raw_os_error(),
        Some(
            libc::EADDRNOTAVAIL
                | libc::EAFNOSUPPORT
                | libc::ENOPROTOOPT
                | libc::EPROTONOSUPPORT
                | libc::ESOCKTNOSUPPORT
                | libc::EPFNOSUPPORT
        )
    );
    optional && missing
}

fn bind_tcp(host: &str, port: u16, config: &Config) -> io::Result<TcpListener> {
    let ip = resolve(host)?;
    let socket = RawSocket::new(
        Domain::for_address(SocketAddr::new(ip, port)),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if ip.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    #[cfg(target_os = "linux")]
    if config.socket_mark_id != 0 {
        socket.set_mark(config.socket_mark_id)?;
    }
    socket.bind(&SocketAddr::new(ip, port).into())?;
    socket.listen(config.tcp_backlog as i32)?;
    Ok(TcpListener::from_std(socket.into()))
}

/// `*` is any IPv4 address and `::*` any IPv6 address, as in Redis's `bind`.
pub fn resolve(host: &str) -> io::Result<IpAddr> {
    use std::net::ToSocketAddrs;
    match host {
        "*" => Ok(Ipv4Addr::UNSPECIFIED.into()),
        "::*" => Ok(Ipv6Addr::UNSPECIFIED.into()),
        name => (name, 0)
            .to_socket_addrs()?
            .next()
            .map(|a| a.ip())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "Name or service not known")),
    }
}

fn bind_unix(path: &Path, mode: u32) -> io::Result<Listener> {
    let failed =
        |e: io::Error| io::Error::new(e.kind(), format!("Failed opening Unix socket: bind: {e}"));
    // A socket file that a killed process left would refuse the bind.
    let _ = std::fs::remove_file(path);
    let listener = UnixListener::bind(path).map_err(failed)?;
    let listener = Listener::Unix(listener, path.to_path_buf());
    if mode != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    }
    Ok(listener)
}

/// The TCP port for clients; 0 if there is none.
pub fn port(listeners: &[Listener]) -> u16 {
    listeners.iter().find_map(Listener::address).map_or(0, |address| address.port())
}

/// What INFO shows of the listeners.
pub fn describe(listeners: &[Listener]) -> Vec<Listening> {
    let tcp: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
    let mut shown = Vec::new();
    if let Some(first) = tcp.first() {
        let binds = tcp.iter().map(|a| wildcard(a.ip())).collect();
        shown.push(Listening { name: "tcp", binds, port: first.port() });
    }
    for listener in listeners {
        if let Listener::Unix(_, path) = listener {
            let binds = vec![path.display().to_string()];
            shown.push(Listening { name: "unix", binds, port: 0 });
        }
    }
    shown
}

/// The address in `bind`'s notation, with `*` for all.
fn wildcard(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) if v4.is_unspecified() => "*".into(),
        IpAddr::V6(v6) if v6.is_unspecified() => "-::*".into(),
        other => other.to_string(),
    }
}
