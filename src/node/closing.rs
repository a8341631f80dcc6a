//! The beginning and the end of a connection.

use std::io::ErrorKind;

use mio::Token;

use super::Node;
use super::connection::Connection;
use super::listeners::Accepted;
use crate::core::client::ClientFlags;
use crate::resp::Output;

const MAX_CLIENTS: &[u8] = b"-ERR max number of clients reached\r\n";
const MAX_CONNECTIONS: &[u8] = b"-ERR max number of clients + cluster connections reached\r\n";
const PROTECTED: &[u8] = b"-DENIED Redis is running in protected mode because protected mode is \
    enabled and no password is set for the default user. In this mode connections are only \
    accepted from the loopback interface. If you want to connect from external computers to Redis \
    you may adopt one of the following solutions: 1) Just disable protected mode sending the \
    command 'CONFIG SET protected-mode no' from the loopback interface by connecting to Redis \
    from the same host the server is running, however MAKE SURE Redis is not publicly accessible \
    from internet if you do so. Use CONFIG REWRITE to make this change permanent. 2) \
    Alternatively you can just disable the protected mode by editing the Redis configuration \
    file, and setting the protected mode option to 'no', and then restarting the server. 3) If \
    you started the server manually just for testing, restart it with the '--protected-mode no' \
    option. 4) Set up an authentication password for the default user. NOTE: You only need to do \
    one of the above things in order for the server to start accepting connections from the \
    outside.\r\n";

impl Node {
    /// Lets a peer in, or tells it why not.
    pub(super) fn admit_peer(&mut self, peer: Accepted) {
        let connections = self.core.clients.len() + self.core.cluster_connections();
        if connections >= self.core.config.maxclients as usize {
            self.core.stats.connections_rejected += 1;
            let in_cluster = self.core.cluster.is_some();
            return turn_away(peer, if in_cluster { MAX_CONNECTIONS } else { MAX_CLIENTS });
        }
        let config = &self.core.config;
        if config.protected_mode && config.requirepass.is_none() && !peer.is_loopback {
            self.core.stats.connections_rejected += 1;
            return turn_away(peer, PROTECTED);
        }
        self.core.stats.connections_received += 1;
        self.add_connection(peer);
    }

    fn add_connection(&mut self, peer: Accepted) {
        let token = self.core.clients.add(self.core.now.ms());
        let mut connection = Connection::new(peer.socket);
        if let Err(error) = connection.socket.register(self.poll.registry(), Token(token)) {
            log::warn!("Error registering fd event for the new client: {error}");
            self.core.clients.remove(token);
            return;
        }
        let is_unix = matches!(connection.socket, super::connection::Socket::Unix(_));
        let open = self.core.config.requirepass.is_none();
        if let Some(client) = self.core.clients.get_mut(token) {
            client.fd = peer.fd;
            client.peer = peer.peer.into();
            client.local = peer.local.into();
            client.flags.set(ClientFlags::UNIX_SOCKET, is_unix);
            client.flags.set(ClientFlags::LOOPBACK, peer.is_loopback);
            client.flags.set(ClientFlags::AUTHENTICATED, open);
            log::debug!("Accepted {}", client.peer);
        }
        // Clients and connections are added and removed together, so that both slabs give the same
        // token.
        let entry = self.connections.insert(connection);
        debug_assert_eq!(entry, token);
    }

    /// Ends a connection at once; what its client has not read is dropped.
    pub(super) fn close(&mut self, token: usize) {
        if let Some(mut connection) = self.connections.try_remove(token) {
            let _ = connection.socket.deregister(self.poll.registry());
        }
        if let Some(mut client) = self.core.clients.remove(token) {
            self.core.forget_client(&mut client);
        }
    }

    /// Says at level verbose why a peer's connection ends.
    pub(super) fn log_peer_closed(&self, token: usize, error: Option<ErrorKind>) {
        let Some(client) = self.core.clients.get(token) else { return };
        match error {
            None => log::debug!("Client closed connection {}", self.core.describe_client(client)),
            Some(kind) => log::debug!("Reading from client: {kind}"),
        }
    }
}

/// One write, whether it succeeds or not: the peer gets no place in the loop.
fn turn_away(peer: Accepted, line: &[u8]) {
    let mut output = Output::default();
    output.tail().extend_from_slice(line);
    Connection::new(peer.socket).flush(&mut output);
}
