//! Values that a command has computed of others, on their way to a key: BITOP, SORT STORE, and the
//! STORE commands of sets, sorted sets and places.

use crate::dispatch::Context;
use crate::keyspace::events::EventClass;
use crate::keyspace::{Expiry, Free};
use crate::value::{NewValue, Value};

/// A value to be stored, and how that is told to others.
pub(super) struct Computed {
    /// The value.
    pub value: Value,
    /// How many elements it has, or bytes; 0 for a value that cannot be stored.
    pub len: usize,
    /// The event, and its class.
    pub event: (EventClass, &'static str),
    /// As how many changes it counts.
    pub changes: u64,
}

/// Puts a value in place of what is at the key that is argument `at`, and replies with its length.
/// The key is removed if there is nothing to store.
pub(super) fn store(ctx: &mut Context<'_>, at: usize, computed: Computed) {
    let (key, db) = (ctx.key(at), ctx.client.db);
    let free = Free::lazily_if(ctx.core.config.lazyfree_lazy_server_del);
    let keyspace = &mut ctx.core.keyspace;
    let Computed { value, len, event: (class, event), changes } = computed;
    if len > 0 {
        keyspace.set(db, &key, NewValue::Owned(value), Expiry::None);
        keyspace.notify(class, event, db, &key);
        keyspace.dirty += changes;
    } else if keyspace.remove(db, &key, free) {
        keyspace.notify(EventClass::GENERIC, "del", db, &key);
        keyspace.dirty += 1;
    }
    ctx.client.reply.int(len as i64);
}
