//! What memory is used for: the figures behind INFO's memory section, MEMORY STATS and MEMORY
//! DOCTOR. The cron notes the peak; nothing here runs per command.

use super::{Client, Core};
use crate::base::alloc;

/// Size of a bucket of a database's table, and the entries that it has room for.
const BUCKET_BYTES: usize = 64;
const SLOTS_PER_BUCKET: usize = 7;

/// What must be remembered about memory.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemoryMarks {
    /// In use before the first client came; 0 until the first note.
    pub startup_bytes: usize,
    /// The most that was in use.
    pub peak_bytes: usize,
    /// More is in use than maxmemory allows, as of when the running command was admitted.
    pub is_short: bool,
    /// Held for packets of the cluster bus that have not arrived whole.
    pub bus_input_bytes: usize,
}

/// What one database costs beside its keys and values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DbOverhead {
    /// Its number.
    pub db: usize,
    /// The table of its keys.
    pub keys_table_bytes: usize,
    /// The table of keys that expire.
    pub expires_table_bytes: usize,
}

/// What memory is used for at the moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryUsage {
    /// In use in all.
    pub used_bytes: usize,
    /// The most that was in use.
    pub peak_bytes: usize,
    /// In use before the first client came.
    pub startup_bytes: usize,
    /// Held for clients.
    pub clients_bytes: usize,
    /// Held for links of the cluster bus.
    pub cluster_links_bytes: usize,
    /// Held for the texts of scripts.
    pub scripts_bytes: usize,
    /// Held for the texts of function libraries.
    pub libraries_bytes: usize,
    /// Databases that have keys.
    pub dbs: Vec<DbOverhead>,
    /// Keys of all databases.
    pub keys: usize,
}

impl MemoryUsage {
    /// All that is no data.
    pub fn overhead_bytes(&self) -> usize {
        let tables = self.dbs.iter().map(|db| db.keys_table_bytes + db.expires_table_bytes);
        let held = self.startup_bytes + self.clients_bytes + self.cluster_links_bytes;
        held + self.scripts_bytes + self.libraries_bytes + tables.sum::<usize>()
    }

    /// Keys and values.
    pub fn dataset_bytes(&self) -> usize {
        self.used_bytes.saturating_sub(self.overhead_bytes())
    }

    /// What was added since the start; never 0, so that it can divide.
    fn net_bytes(&self) -> usize {
        self.used_bytes.saturating_sub(self.startup_bytes).max(1)
    }

    /// The share of data in what was added since the start.
    pub fn dataset_percent(&self) -> f64 {
        self.dataset_bytes() as f64 * 100.0 / self.net_bytes() as f64
    }

    /// What is in use as a share of the most that was.
    pub fn peak_percent(&self) -> f64 {
        self.used_bytes as f64 * 100.0 / self.peak_bytes.max(1) as f64
    }

    /// What was added since the start, per key.
    pub fn bytes_per_key(&self) -> usize {
        self.net_bytes().checked_div(self.keys).unwrap_or(0)
    }
}

impl Core {
    /// Notes the memory in use if it is more than ever before. The first call, before the first
    /// client, sets what counts as the start.
    pub fn note_memory_peak(&mut self) {
        let used = alloc::used_memory();
        if self.memory.startup_bytes == 0 {
            self.memory.startup_bytes = used;
        }
        self.memory.peak_bytes = self.memory.peak_bytes.max(used);
    }

    /// Bytes held for all clients, `running` (the one taken out) included.
    pub fn clients_bytes(&self, running: Option<&Client>) -> usize {
        self.clients.in_order(running).map(Client::memory).sum()
    }

    /// What memory is used for.
    pub fn memory_usage(&self, running: Option<&Client>) -> MemoryUsage {
        let used_bytes = alloc::used_memory();
        let keyspace = &self.keyspace;
        let filled = (0..keyspace.databases()).filter(|&db| keyspace.dbsize(db) > 0);
        let dbs = filled.clone().map(|db| {
            let [keys_table_bytes, expires_table_bytes] = keyspace.table_bytes(db);
            DbOverhead { db, keys_table_bytes, expires_table_bytes }
        });
        let scripts = self.scripts.figures();
        MemoryUsage {
            used_bytes,
            scripts_bytes: scripts.scripts_bytes,
            libraries_bytes: scripts.libraries_bytes,
            peak_bytes: self.memory.peak_bytes.max(used_bytes),
            startup_bytes: self.memory.startup_bytes,
            clients_bytes: self.clients_bytes(running),
            cluster_links_bytes: self.cluster_links_bytes(),
            dbs: dbs.collect(),
            keys: filled.map(|db| keyspace.dbsize(db)).sum(),
        }
    }

    /// Logs what is stored and who is connected; the cron calls this every five seconds.
    pub fn log_verbose_summary(&self) {
        if !log::log_enabled!(log::Level::Debug) {
            return;
        }
        let keyspace = &self.keyspace;
        for db in 0..keyspace.databases() {
            let (keys, expires) = (keyspace.dbsize(db), keyspace.expires_len(db));
            if keys > 0 {
                // Counting buckets one by one would hold the loop up.
                let slots = keyspace.table_bytes(db)[0] / BUCKET_BYTES * SLOTS_PER_BUCKET;
                log::debug!("DB {db}: {keys} keys ({expires} volatile) in {slots} slots HT.");
            }
        }
        log::trace!(
            "{} clients connected (0 replicas), {} bytes in use",
            self.clients.len(),
            alloc::used_memory()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_add_up() {
        let usage = MemoryUsage {
            used_bytes: 1_000_000,
            peak_bytes: 2_000_000,
            startup_bytes: 400_000,
            clients_bytes: 30_000,
            cluster_links_bytes: 20_000,
            scripts_bytes: 0,
            libraries_bytes: 0,
            dbs: vec![DbOverhead { db: 0, keys_table_bytes: 40_000, expires_table_bytes: 10_000 }],
            keys: 1000,
        };
        assert_eq!(usage.overhead_bytes(), 500_000);
        assert_eq!(usage.dataset_bytes(), 500_000);
        assert_eq!(usage.bytes_per_key(), 600);
        assert_eq!(usage.peak_percent(), 50.0);
        assert!((usage.dataset_percent() - 83.333).abs() < 0.001);
    }

    #[test]
    fn nothing_divides_by_zero() {
        let usage = MemoryUsage::default();
        assert_eq!((usage.bytes_per_key(), usage.dataset_bytes()), (0, 0));
        assert_eq!((usage.peak_percent(), usage.dataset_percent()), (0.0, 0.0));
    }
}
