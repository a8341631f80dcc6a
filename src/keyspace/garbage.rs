//! What was taken out of the keyspace and is too big to be freed on the spot. The node ships it to
//! its helper thread; INFO's lazyfree counters come from here. A client never sees the difference.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::db::Tables;
use crate::base::alloc;
use crate::base::limits::{FREE_NOW_BYTES_MAX, FREE_NOW_EFFORT_MAX, LAZYFREE_THRESHOLD};
use crate::value::{Record, Value};

/// How a command wants something freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Free {
    /// As if on the spot (DEL, FLUSHALL SYNC). What would take too long goes to the helper all the
    /// same, uncounted.
    #[default]
    Now,
    /// By the helper (UNLINK, FLUSHALL ASYNC), counted as lazily freed.
    Lazily,
}

impl Free {
    /// `Lazily` if an option such as lazyfree-lazy-user-del says so.
    pub fn lazily_if(lazy: bool) -> Self {
        if lazy { Free::Lazily } else { Free::Now }
    }
}

enum Contents {
    Value(Value),
    Tables(Tables),
}

/// Something to be freed away from the loop.
pub struct Garbage {
    /// `None` only while it is dropped.
    contents: Option<Contents>,
    size: Size,
    freed: Arc<Freed>,
}

/// What INFO and eviction count of a piece of garbage.
#[derive(Clone, Copy, Default)]
struct Size {
    /// 1, but for the sum of all.
    pieces: usize,
    /// Objects that INFO counts.
    objects: usize,
    /// Bytes of values; those of whole tables are not known.
    bytes: usize,
}

#[derive(Default)]
struct Freed {
    pieces: AtomicUsize,
    objects: AtomicUsize,
    bytes: AtomicUsize,
}

impl Garbage {
    /// Frees it, on the thread that calls, and counts it as freed, which dropping it does too.
    pub fn free(self) {
        drop(self);
    }
}

impl Drop for Garbage {
    fn drop(&mut self) {
        match self.contents.take() {
            Some(Contents::Value(value)) => drop(value),
            Some(Contents::Tables(tables)) => drop(tables),
            None => {}
        }
        alloc::publish_thread();
        self.freed.pieces.fetch_add(self.size.pieces, Relaxed);
        self.freed.objects.fetch_add(self.size.objects, Relaxed);
        self.freed.bytes.fetch_add(self.size.bytes, Relaxed);
    }
}

/// Garbage that waits to be shipped, and what of it was freed.
#[derive(Default)]
pub(super) struct Bin {
    waiting: Vec<Garbage>,
    discarded: Size,
    freed: Arc<Freed>,
    /// Objects freed before the statistics were reset.
    freed_before: usize,
}

impl Bin {
    pub(super) fn take(&mut self) -> Vec<Garbage> {
        std::mem::take(&mut self.waiting)
    }

    /// Whether anything is not freed yet.
    pub(super) fn is_pending(&self) -> bool {
        self.discarded.pieces > self.freed.pieces.load(Relaxed)
    }

    /// Objects that were discarded lazily and are not freed yet (INFO: lazyfree_pending_objects).
    pub(super) fn pending_objects(&self) -> usize {
        self.discarded.objects.saturating_sub(self.freed.objects.load(Relaxed))
    }

    /// Bytes of values that are not freed yet.
    pub(super) fn pending_bytes(&self) -> usize {
        self.discarded.bytes.saturating_sub(self.freed.bytes.load(Relaxed))
    }

    /// Objects that were freed lazily (INFO: lazyfreed_objects).
    pub(super) fn freed_objects(&self) -> usize {
        self.freed.objects.load(Relaxed) - self.freed_before
    }

    pub(super) fn reset_stats(&mut self) {
        self.freed_before = self.freed.objects.load(Relaxed);
    }

    pub(super) fn discard_record(&mut self, record: Record, free: Free) {
        if let Some(value) = record.into_boxed() {
            self.discard_value(value, free);
        }
    }

    pub(super) fn discard_value(&mut self, value: Value, free: Free) {
        let effort = value.free_effort();
        let lazily = free == Free::Lazily && effort > LAZYFREE_THRESHOLD;
        let bytes = value.heap_bytes();
        if lazily || effort > FREE_NOW_EFFORT_MAX || bytes > FREE_NOW_BYTES_MAX {
            self.push(Contents::Value(value), usize::from(lazily), bytes);
        }
    }

    /// Discards whole tables that held so many keys.
    pub(super) fn discard_tables(&mut self, tables: Tables, keys: usize, free: Free) {
        if tables.is_empty() {
            return;
        }
        let lazily = free == Free::Lazily;
        let records = || tables.iter().flat_map(|table| table.iter());
        if lazily
            || keys > FREE_NOW_EFFORT_MAX
            || records().map(Record::heap_bytes).sum::<usize>() > FREE_NOW_BYTES_MAX
        {
            let objects = if lazily { keys } else { 0 };
            self.push(Contents::Tables(tables), objects, 0);
        }
    }

    fn push(&mut self, contents: Contents, objects: usize, bytes: usize) {
        let size = Size { pieces: 1, objects, bytes };
        self.discarded.pieces += 1;
        self.discarded.objects += objects;
        self.discarded.bytes += bytes;
        let freed = Arc::clone(&self.freed);
        self.waiting.push(Garbage { contents: Some(contents), size, freed });
    }
}
