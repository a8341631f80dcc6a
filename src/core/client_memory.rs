//! maxmemory-clients: what all clients cost together, and which of them go when that is too much.

use super::client::{Client, ClientFlags};
use super::{Core, Effect};

impl Core {
    /// The limit in bytes; 0 is none. A negative directive is percents of maxmemory.
    fn clients_bytes_max(&self) -> usize {
        match self.config.maxmemory_clients {
            percent @ ..0 => {
                let bytes = u128::from(self.config.maxmemory) * u128::from(percent.unsigned_abs());
                (bytes / 100) as usize
            }
            bytes => bytes as usize,
        }
    }

    /// Counts a client anew after something about it has changed. Costs a branch while there is no
    /// limit.
    #[inline]
    pub fn recount_client(&mut self, token: usize) {
        if self.config.maxmemory_clients == 0 {
            return;
        }
        if let Some(client) = self.clients.get_mut(token) {
            let bytes = client.recount();
            self.clients_bytes += bytes;
            self.clients_bytes -= std::mem::replace(&mut client.counted_bytes, bytes);
        }
    }

    /// The limit changed: all clients are counted, as nothing was while there was none.
    pub fn recount_clients(&mut self) {
        let mut total = 0;
        self.clients.for_each_mut(|client| {
            client.counted_bytes = client.recount();
            total += client.counted_bytes;
        });
        self.clients_bytes = total;
    }

    /// A client is gone.
    pub fn uncount_client(&mut self, client: &Client) {
        self.clients_bytes = self.clients_bytes.saturating_sub(client.counted_bytes);
    }

    /// A command has run for a client that is taken out: counts it, and closes whoever must go
    /// before the next command looks at memory. A client with too much output goes for that, and
    /// nobody else because of it. Costs a branch while there is no limit.
    #[inline]
    pub fn limit_clients(&mut self, running: &mut Client) {
        if self.config.maxmemory_clients != 0 {
            self.exceeds_output_limits(running);
            let bytes = running.recount();
            self.clients_bytes += bytes;
            self.clients_bytes -= std::mem::replace(&mut running.counted_bytes, bytes);
            self.evict_clients(Some(running));
        }
    }

    /// Closes the biggest clients until the others are within the limit.
    pub fn evict_clients(&mut self, mut running: Option<&mut Client>) {
        let limit = self.clients_bytes_max();
        if limit == 0 || self.clients_bytes <= limit {
            return;
        }
        let mut by_size: Vec<_> = self
            .clients
            .in_order(running.as_deref())
            .filter(|client| client.counted_bytes > 0 && !client.is(ClientFlags::CLOSE_ASAP))
            .map(|client| (client.counted_bytes, client.token))
            .collect();
        by_size.sort_unstable();
        let mut left = self.clients_bytes;
        while left > limit
            && let Some((bytes, token)) = by_size.pop()
        {
            left -= bytes;
            match &mut running {
                Some(running) if running.token == token => {
                    self.note_eviction(running);
                    running.flags |= ClientFlags::CLOSE_ASAP;
                }
                _ => self.evict_client(token),
            }
        }
    }

    fn evict_client(&mut self, token: usize) {
        let Some(mut client) = self.clients.take(token) else { return };
        self.note_eviction(&client);
        client.flags |= ClientFlags::CLOSE_ASAP;
        self.effects.push(Effect::Close(client.id));
        self.clients.put_back(client);
    }

    fn note_eviction(&mut self, client: &Client) {
        log::info!("Evicting client: {}", self.describe_client(client));
        self.stats.evicted_clients += 1;
    }
}

impl Client {
    /// What the client counts for: nothing if it may not be evicted, or is about to be closed.
    fn recount(&self) -> usize {
        let exempt = ClientFlags::NO_EVICT | ClientFlags::CLOSE_ASAP;
        if self.is(exempt) { 0 } else { self.memory() }
    }
}
