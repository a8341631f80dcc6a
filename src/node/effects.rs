//! Does what handlers asked for, right after the command that asked.

use super::{Node, files};
use crate::base::alloc;
use crate::cluster::Todo;
use crate::config::{Apply, Change, SetError, strerror};
use crate::core::client::{Blocked, ClientFlags};
use crate::core::{Client, ClientId, Effect};
use crate::dispatch::blocked;
use crate::resp::Error;

impl Node {
    /// Drains the effects of a command, and serves whom it has woken. `None`: the client that ran
    /// it is gone.
    #[inline]
    pub(super) fn after_request(&mut self, client: Box<Client>) -> Option<Box<Client>> {
        let core = &self.core;
        if core.effects.is_empty()
            && !core.keyspace.has_ready_keys()
            && !client.is(ClientFlags::CLOSE_ASAP)
        {
            return Some(client);
        }
        let token = client.token;
        self.core.clients.put_back(client);
        self.run_effects();
        if self.core.clients.get(token)?.is(ClientFlags::CLOSE_ASAP) {
            self.close(token);
            return None;
        }
        self.core.clients.take(token)
    }

    /// Does what is asked for, and then runs the commands whose keys have become ready, until
    /// neither is left.
    pub(super) fn run_effects(&mut self) {
        self.core.laps.pause();
        loop {
            while !self.core.effects.is_empty() {
                for effect in std::mem::take(&mut self.core.effects) {
                    self.run_effect(effect);
                }
            }
            // What a script has pushed is its own until it ends.
            if !self.core.keyspace.has_ready_keys() || self.core.scripts.busy().is_some() {
                return;
            }
            blocked::serve_ready(&mut self.core, self.table);
        }
    }

    fn run_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Close(id) => {
                if let Some(token) = self.core.clients.token_of(id) {
                    self.close(token);
                }
            }
            Effect::Reconfigure { client, change } => self.reconfigure(client, change),
            Effect::Restart { client, graceful, delay_ms } => {
                self.restart(client, graceful, delay_ms);
            }
            Effect::Segfault { client, args } => self.segfault(client, &args),
            Effect::AbortShutdown => self.forget_signals(),
            Effect::Shutdown { client, how } => self.shutdown_for(client, how),
            Effect::Unpaused => {
                self.core.pause_changed();
                self.resume_postponed();
            }
            Effect::Unblocked(id) => {
                if let Some(token) = self.core.clients.token_of(id) {
                    self.enqueue(token);
                }
            }
            Effect::SaveClusterConfig { client } => self.save_cluster_config(client),
            Effect::Save { client } => self.save_for(client),
            Effect::BackgroundSave { client } => self.background_save_for(client),
            Effect::AllFlushed => self.all_flushed(),
            Effect::Reload { client, how } => self.reload(client, how),
            Effect::Sync { client } => self.sync(client),
        }
    }

    /// Directives changed: every reaction acts, or the change is undone. The reply to CONFIG SET is
    /// given here, because only now its outcome is known.
    fn reconfigure(&mut self, client: Option<ClientId>, change: Change) {
        let failed = change.reactions.iter().find(|r| !self.apply(r.apply)).copied();
        let outcome = match failed {
            None => Ok(()),
            Some(reaction) => {
                let reactions = change.reactions.clone();
                change.undo(&mut self.core.config);
                // What worked before the change works again; what does not is in the log.
                for reaction in reactions {
                    self.apply(reaction.apply);
                }
                let words = reaction.apply.failure();
                Err(Error::err(SetError::refused(reaction.name, words)))
            }
        };
        self.core.configure_keyspace();
        self.core.configure_cluster();
        self.answer(client, outcome);
    }

    /// CLUSTER SAVECONFIG
    fn save_cluster_config(&mut self, client: Option<ClientId>) {
        let saved = self.bus.as_mut().map_or(Ok(()), |bus| bus.save_now(&mut self.core));
        let outcome = saved.map_err(|error| {
            let words = strerror(&error);
            Error::err(format_args!("error saving the cluster node config: {words}"))
        });
        self.answer(client, outcome);
    }

    /// Replies OK or an error to a client whose command only now is known to have worked. Without
    /// a client, who was told OK within a transaction, an error is logged.
    pub(super) fn answer(&mut self, client: Option<ClientId>, outcome: Result<(), Error>) {
        let Some(mut client) = client.and_then(|client| self.core.clients.take_by_id(client))
        else {
            if let Err(error) = outcome {
                log::warn!("{error}");
            }
            return;
        };
        match outcome {
            Ok(()) => client.reply.ok(),
            Err(error) => {
                crate::dispatch::execute::reply_error(&mut self.core, &mut client, &error)
            }
        }
        let token = client.token;
        self.core.clients.put_back(client);
        self.core.list_for_writing(token);
    }

    /// Makes one kind of change true; tells whether that worked. Directives of subsystems that this
    /// node does not have are kept and reported, and nothing needs to act.
    fn apply(&mut self, change: Apply) -> bool {
        match change {
            Apply::Port | Apply::Bind => {
                self.relisten().inspect_err(|error| log::warn!("{error}")).is_ok()
            }
            Apply::MaxClients => files::raise_for(u64::from(self.core.config.maxclients)),
            Apply::Hz => {
                self.cron.set_hz(&self.core);
                true
            }
            Apply::LogLevel => {
                super::logging::set_level(self.core.config.loglevel);
                true
            }
            Apply::Dir => {
                super::logging::configure(&self.core.config);
                self.move_cluster_file()
            }
            Apply::MaxMemory => {
                self.core.evict();
                true
            }
            Apply::MaxMemoryClients => {
                self.core.recount_clients();
                true
            }
            Apply::JemallocBgThread => {
                alloc::set_background_thread(self.core.config.jemalloc_bg_thread);
                true
            }
            Apply::RequirePass => {
                self.core.password_changed();
                true
            }
            Apply::CrashLog => {
                super::crash::set_enabled(self.core.config.crash_log_enabled);
                true
            }
            Apply::TlsPort
            | Apply::Tls
            | Apply::GoodReplicas
            | Apply::WatchdogPeriod
            | Apply::AppendOnly
            | Apply::AppendFsync
            | Apply::AofAutoGc
            | Apply::OomScoreAdj
            | Apply::ReplBacklogSize
            | Apply::ProcTitle
            | Apply::LocaleCollate => true,
            // The cluster is handed all its directives at once, apart from reactions.
            Apply::ClusterFlags
            | Apply::ClusterPorts
            | Apply::ClusterIp
            | Apply::ClusterHostname
            | Apply::ClusterNodename => true,
        }
    }

    /// nodes.conf lives where `dir` says.
    fn move_cluster_file(&mut self) -> bool {
        let path = self.core.config.path(&self.core.config.cluster_config_file);
        let (Some(bus), Some(cluster)) = (&mut self.bus, &mut self.core.cluster) else {
            return true;
        };
        cluster.mark(Todo::SAVE | Todo::FSYNC);
        let mine = cluster.me().id;
        bus.file().relocate(path, mine.as_str()).inspect_err(|error| log::warn!("{error}")).is_ok()
    }

    /// The pause is over: what it held back goes on, in order of connection.
    pub(super) fn resume_postponed(&mut self) {
        let postponed: Vec<(ClientId, usize)> = self
            .core
            .clients
            .in_order(None)
            .filter(|client| client.is_postponed())
            .map(|client| (client.id, client.token))
            .collect();
        for (id, token) in postponed {
            blocked::resume_held(&mut self.core, self.table, id);
            if let Some(client) = self.core.clients.get_mut(token)
                && matches!(client.blocked, Some(Blocked::Postponed))
            {
                client.blocked = None;
                self.enqueue(token);
            }
        }
        self.run_effects();
    }
}
