//! What a node does for its data besides commands: expiry, eviction, watched keys, and what ends
//! with a client.

use super::Core;
use super::client::{Blocked, Client, ClientFlags};
use super::pause::PauseMode;
use crate::base::{alloc, clock};
use crate::config::{Config, MaxmemoryPolicy};
use crate::keyspace::eviction::{Among, Evicted, EvictionConfig, EvictionPolicy};
use crate::keyspace::expiry::ExpireEffort;
use crate::keyspace::waiting::WaiterId;
use crate::keyspace::watched::WatcherId;
use crate::keyspace::{AccessMode, ExpireMode, Free, Key, LazyFree};

/// What a watched key costs beside its name: at the client, and in the list of those who watch it.
const WATCHED_KEY_BYTES: usize = 64;

impl Core {
    /// Hands the keyspace its part of the configuration: at start and whenever a directive has
    /// changed.
    pub fn configure_keyspace(&mut self) {
        let config = &self.config;
        self.keyspace.set_access_mode(access_mode(config));
        self.keyspace.set_events(config.notify_keyspace_events);
        self.keyspace.set_lazy_free(LazyFree {
            expire: Free::lazily_if(config.lazyfree_lazy_expire),
            eviction: Free::lazily_if(config.lazyfree_lazy_eviction),
            server_del: Free::lazily_if(config.lazyfree_lazy_server_del),
        });
    }

    /// The password of the default user changed: as in Redis, taking it away lets everyone in, and
    /// setting it asks only those who connect from then on.
    pub fn password_changed(&mut self) {
        if self.config.requirepass.is_none() {
            self.clients.for_each_mut(|client| client.flags |= ClientFlags::AUTHENTICATED);
        }
    }

    /// Evicts until memory is within maxmemory, or says that this is not possible. Time-bounded:
    /// the rest is done by the next command or the cron.
    pub fn evict(&mut self) -> Evicted {
        self.evicting = false;
        if self.config.maxmemory == 0 || self.pause.mode().is_some() {
            return Evicted::Enough;
        }
        let settings = eviction_config(&self.config);
        let started_us = self.latency_start();
        let outcome =
            self.keyspace.perform_evictions(&settings, alloc::used_memory(), clock::monotonic_us);
        self.latency_since("eviction-cycle", started_us);
        self.evicting = outcome == Evicted::StillRunning;
        outcome
    }

    /// Eviction that a time limit cut short goes on between turns.
    #[inline]
    pub fn evict_in_background(&mut self) {
        if self.evicting {
            self.evict();
        }
    }

    /// A slow cycle of active expiry begins; slices of it follow between turns.
    pub fn expire_cycle(&mut self) {
        if self.expires_actively() {
            let effort = ExpireEffort::new(self.config.active_expire_effort as u8);
            let started_us = self.latency_start();
            self.expiring = self.keyspace.expire_cycle(effort, self.hz, clock::monotonic_us);
            self.latency_since("expire-cycle", started_us);
        }
    }

    fn expires_actively(&self) -> bool {
        self.debug.active_expire && self.pause.mode() < Some(PauseMode::Write)
    }

    /// One slice of active expiry, if there is something left to do.
    #[inline]
    pub fn expire_between_turns(&mut self) {
        // What a pause leaves undone must not keep the loop awake.
        self.expiring = false;
        if self.expires_actively() {
            let effort = ExpireEffort::new(self.config.active_expire_effort as u8);
            self.expiring = self.keyspace.expire_between_turns(effort, clock::monotonic_us);
        }
    }

    /// While clients are paused, keys whose time is over are hidden and stay, so that nothing
    /// changes.
    pub fn pause_changed(&mut self) {
        let mode = match self.pause.mode() {
            _ if self.is_loading() => ExpireMode::Ignore,
            Some(_) => ExpireMode::Hide,
            None => ExpireMode::Remove,
        };
        self.keyspace.set_expire_mode(mode);
    }

    /// Has the client's next EXEC fail if `key` changes before it.
    pub fn watch(&mut self, client: &mut Client, key: &Key<'_>) {
        // No point in watching more once EXEC fails anyway.
        let watcher = watcher(client);
        if self.keyspace.is_watch_dirty(watcher) {
            return;
        }
        let before = self.keyspace.watched_keys(watcher);
        self.keyspace.watch(client.db, key, watcher);
        if self.keyspace.watched_keys(watcher) > before {
            client.watched_bytes += WATCHED_KEY_BYTES + key.bytes().len();
        }
    }

    /// Whether a key that the client watches has changed (or expired) since.
    pub fn watched_was_touched(&self, client: &Client) -> bool {
        self.keyspace.is_watch_broken(watcher(client))
    }

    /// Ends MONITOR for a client.
    pub fn stop_monitor(&mut self, client: &mut Client) {
        if client.is(ClientFlags::MONITOR) {
            client.flags -= ClientFlags::MONITOR;
            self.monitors.retain(|id| *id != client.id);
        }
    }

    /// Forgets which keys a client watches.
    pub fn unwatch(&mut self, client: &mut Client) {
        client.watched_bytes = 0;
        self.keyspace.unwatch_all(watcher(client));
    }

    /// A client's connection has ended: what refers to it goes with it.
    pub fn forget_client(&mut self, client: &mut Client) {
        self.unwatch(client);
        if let Some(Blocked::OnKeys(kept)) = &client.blocked {
            self.keyspace.stop_waiting(WaiterId(client.id.0));
            self.timeouts.remove(client.id, kept.deadline);
        }
        self.uncount_client(client);
        self.stop_monitor(client);
        self.forget_subscriptions(client);
        self.disable_tracking(client);
    }
}

fn watcher(client: &Client) -> WatcherId {
    WatcherId(client.id.0)
}

fn access_mode(config: &Config) -> AccessMode {
    match eviction_policy(config.maxmemory_policy) {
        EvictionPolicy::Lfu(_) => AccessMode::Lfu {
            log_factor: config.lfu_log_factor,
            decay_minutes: config.lfu_decay_time,
        },
        _ => AccessMode::Lru,
    }
}

fn eviction_config(config: &Config) -> EvictionConfig {
    EvictionConfig {
        maxmemory: config.maxmemory as usize,
        policy: eviction_policy(config.maxmemory_policy),
        samples: config.maxmemory_samples as usize,
        tenacity: config.maxmemory_eviction_tenacity,
    }
}

fn eviction_policy(configured: MaxmemoryPolicy) -> EvictionPolicy {
    match configured {
        MaxmemoryPolicy::Noeviction => EvictionPolicy::NoEviction,
        MaxmemoryPolicy::AllkeysLru => EvictionPolicy::Lru(Among::AllKeys),
        MaxmemoryPolicy::AllkeysLfu => EvictionPolicy::Lfu(Among::AllKeys),
        MaxmemoryPolicy::AllkeysRandom => EvictionPolicy::Random(Among::AllKeys),
        MaxmemoryPolicy::VolatileLru => EvictionPolicy::Lru(Among::Volatile),
        MaxmemoryPolicy::VolatileLfu => EvictionPolicy::Lfu(Among::Volatile),
        MaxmemoryPolicy::VolatileRandom => EvictionPolicy::Random(Among::Volatile),
        MaxmemoryPolicy::VolatileTtl => EvictionPolicy::VolatileTtl,
    }
}
