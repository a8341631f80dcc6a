//! Keeping memory below maxmemory: which keys go, and for how long one call may work at it. Called
//! before commands and by the cron; how much memory is in use is handed in. Never evicts under
//! `noeviction`.

use super::Keyspace;
use super::access::Access;
use super::db::Db;
use super::slot_table::Of;
use crate::base::rng::Rng;
use crate::value::Record;

/// Candidates kept from one call to the next (Redis: EVPOOL_SIZE).
const POOL: usize = 16;
/// Keys evicted between two looks at the clock.
const KEYS_PER_LOOK: usize = 16;
/// Rounds of sampling that may find only keys that are gone, before one is taken at random.
const SAMPLING_ROUNDS: usize = 16;

/// Which keys may be evicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Among {
    /// All.
    AllKeys,
    /// Those with an expiry.
    Volatile,
}

/// Which of those keys go first: `maxmemory-policy`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EvictionPolicy {
    /// None goes: `noeviction`.
    #[default]
    NoEviction,
    /// The least recently used.
    Lru(Among),
    /// The least frequently used.
    Lfu(Among),
    /// Any.
    Random(Among),
    /// That which expires next: `volatile-ttl`.
    VolatileTtl,
}

impl EvictionPolicy {
    fn among(self) -> Option<Of> {
        match self {
            EvictionPolicy::NoEviction => None,
            EvictionPolicy::Lru(among)
            | EvictionPolicy::Lfu(among)
            | EvictionPolicy::Random(among) => Some(match among {
                Among::AllKeys => Of::Keys,
                Among::Volatile => Of::Expires,
            }),
            EvictionPolicy::VolatileTtl => Some(Of::Expires),
        }
    }
}

/// The configuration of eviction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvictionConfig {
    /// Bytes that may be in use; 0 is no limit.
    pub maxmemory: usize,
    /// maxmemory-policy.
    pub policy: EvictionPolicy,
    /// maxmemory-samples: keys compared for each eviction.
    pub samples: usize,
    /// maxmemory-eviction-tenacity, 0 to 100: how long a call may take.
    pub tenacity: u32,
}

/// What a call came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evicted {
    /// Memory is below the limit.
    Enough,
    /// Memory is above the limit, but there is more to evict, or the helper is freeing: call again
    /// soon.
    StillRunning,
    /// Memory is above the limit, and nothing may be evicted.
    Failed,
}

/// A key that may go.
#[derive(Debug)]
struct Candidate {
    /// The higher, the sooner it goes.
    score: u64,
    db: usize,
    key: Box<[u8]>,
}

/// What eviction remembers from one call to the next.
#[derive(Debug, Default)]
pub(super) struct Evictor {
    /// In ascending order of scores; at most `POOL`. Keys may be gone meanwhile.
    pool: Vec<Candidate>,
    next_db: usize,
}

/// How long a call may take, in microseconds; none is no limit.
fn time_limit_us(tenacity: u32) -> Option<u64> {
    match tenacity {
        0..=10 => Some(50 * u64::from(tenacity)),
        11..=99 => Some((500.0 * 1.15f64.powi(tenacity as i32 - 10)) as u64),
        _ => None,
    }
}

impl Keyspace {
    /// Evicts until `used_memory` (less what need not be counted, such as replicas' output) is
    /// below the limit, as long as `config.tenacity` allows. `clock_us` is the monotonic clock.
    pub fn perform_evictions(
        &mut self,
        config: &EvictionConfig,
        used_memory: usize,
        clock_us: impl Fn() -> u64,
    ) -> Evicted {
        let result = self.evict(config, used_memory, &clock_us);
        let stats = &mut self.effects.stats;
        match (result, stats.eviction_exceeded_since_us) {
            (Evicted::Enough, Some(since)) => {
                stats.eviction_exceeded_us += clock_us().saturating_sub(since);
                stats.eviction_exceeded_since_us = None;
            }
            (Evicted::StillRunning | Evicted::Failed, None) => {
                stats.eviction_exceeded_since_us = Some(clock_us());
            }
            _ => {}
        }
        result
    }

    fn evict(
        &mut self,
        config: &EvictionConfig,
        used_memory: usize,
        clock_us: &impl Fn() -> u64,
    ) -> Evicted {
        // What the helper is about to free is as good as freed.
        let used = used_memory.saturating_sub(self.effects.bin.pending_bytes());
        if config.maxmemory == 0 || used <= config.maxmemory {
            return Evicted::Enough;
        }
        let excess = used - config.maxmemory;
        let started_us = clock_us();
        let limit_us = time_limit_us(config.tenacity);
        let (mut freed, mut keys) = (0, 0usize);
        while freed < excess {
            match self.evict_one(config) {
                Some(bytes) => freed += bytes,
                None if self.effects.bin.is_pending() => return Evicted::StillRunning,
                None => return Evicted::Failed,
            }
            keys += 1;
            let look = keys.is_multiple_of(KEYS_PER_LOOK);
            let over = |limit| clock_us().saturating_sub(started_us) > limit;
            if look && limit_us.is_some_and(over) {
                return Evicted::StillRunning;
            }
        }
        Evicted::Enough
    }

    /// Evicts one key; the bytes that this frees, sooner or later.
    fn evict_one(&mut self, config: &EvictionConfig) -> Option<usize> {
        let (db, bytes) = self.choose_victim(config)?;
        let key = self.key(&bytes);
        let record = self.dbs[db].doom(&key)?.remove();
        let freed = record.heap_bytes();
        self.effects.evicted(db, &key, record);
        Some(freed)
    }

    fn choose_victim(&mut self, config: &EvictionConfig) -> Option<(usize, Box<[u8]>)> {
        let of = config.policy.among()?;
        if self.dbs.iter().all(|db| db.counts(of).total() == 0) {
            return None;
        }
        if !matches!(config.policy, EvictionPolicy::Random(_)) {
            for _ in 0..SAMPLING_ROUNDS {
                self.fill_pool(config, of);
                if let Some(best) = self.best_of_pool(of) {
                    return Some(best);
                }
            }
        }
        self.random_victim(of)
    }

    fn fill_pool(&mut self, config: &EvictionConfig, of: Of) {
        let Keyspace { dbs, evictor, access, rng, .. } = self;
        for (index, db) in dbs.iter().enumerate() {
            if db.counts(of).total() > 0 {
                evictor.sample(config, db, index, access, rng);
            }
        }
    }

    /// Takes the best candidate out of the pool that is still there.
    fn best_of_pool(&mut self, of: Of) -> Option<(usize, Box<[u8]>)> {
        while let Some(Candidate { db, key, .. }) = self.evictor.pool.pop() {
            let stored = self.dbs.get(db).and_then(|keys| keys.get(&self.key(&key)));
            if stored.is_some_and(|record| of == Of::Keys || record.has_expire()) {
                return Some((db, key));
            }
        }
        None
    }

    /// A random key of the next database that has one.
    fn random_victim(&mut self, of: Of) -> Option<(usize, Box<[u8]>)> {
        let all = self.dbs.len();
        for _ in 0..all {
            self.evictor.next_db = (self.evictor.next_db + 1) % all;
            let db = self.evictor.next_db;
            if let Some(record) = self.dbs[db].random(of, &mut self.rng) {
                return Some((db, record.key().into()));
            }
        }
        None
    }
}

impl Evictor {
    fn sample(
        &mut self,
        config: &EvictionConfig,
        db: &Db,
        index: usize,
        access: &Access,
        rng: &mut Rng,
    ) {
        let Some(of) = config.policy.among() else { return };
        db.sample(of, rng, config.samples, |record| {
            self.offer(score(config.policy, record, access), index, record.key());
        });
    }

    /// Keeps a candidate if the pool has room, or if it is better than the worst one there.
    fn offer(&mut self, score: u64, db: usize, key: &[u8]) {
        let at = self.pool.partition_point(|candidate| candidate.score < score);
        let full = self.pool.len() == POOL;
        if full && at == 0 {
            return;
        }
        let key = key.into();
        if full {
            self.pool[..at].rotate_left(1);
            self.pool[at - 1] = Candidate { score, db, key };
        } else {
            self.pool.insert(at, Candidate { score, db, key });
        }
    }
}

fn score(policy: EvictionPolicy, record: &Record, access: &Access) -> u64 {
    match policy {
        EvictionPolicy::Lru(_) => access.idle_ms(record),
        EvictionPolicy::Lfu(_) => 255 - u64::from(access.frequency(record)),
        EvictionPolicy::VolatileTtl => {
            // Times as unsigned numbers in the same order, then the soonest first.
            u64::MAX - record.expire_at().unwrap_or(i64::MAX).cast_unsigned().wrapping_add(1 << 63)
        }
        EvictionPolicy::NoEviction | EvictionPolicy::Random(_) => 0,
    }
}
