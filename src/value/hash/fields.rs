//! The fields of a hash that is a table, and the order in which those of them expire that do.
//! Called by `hash` only.

use std::collections::BTreeSet;

use crate::base::alloc::usable_size;
use crate::base::hash::hash;
use crate::data::hashtable::{Lookup, Table};
use crate::value::field::Field;

/// Bytes of the order per field, beside its name, about.
const ORDER_BYTES: usize = 32;

/// Fields by name.
///
/// Invariant: `order` has every field that expires, with its time, and no other.
pub(super) struct Fields {
    pub(super) table: Table<Field>,
    /// Bytes of all fields together.
    pub(super) bytes: usize,
    order: BTreeSet<(i64, Box<[u8]>)>,
}

impl Fields {
    pub(super) fn new() -> Self {
        Fields { table: Table::new(), bytes: 0, order: BTreeSet::new() }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.bytes
    }

    #[inline]
    pub(super) fn get(&self, field: &[u8]) -> Option<&Field> {
        self.table.get(hash(field), field)
    }

    /// When the next field expires.
    #[inline]
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.order.first().map(|(at_ms, _)| *at_ms)
    }

    /// Sets a field, whose expiry stays only if `keeps` says so; whether it is new.
    #[inline]
    pub(super) fn set(&mut self, field: &[u8], value: &[u8], keeps: bool) -> bool {
        match self.table.lookup(hash(field), field) {
            Lookup::Found(found) => {
                let entry = found.into_mut();
                self.bytes -= entry.heap_bytes();
                let dropped = if keeps { None } else { entry.expire_at() };
                if dropped.is_some() {
                    entry.set_expire(None);
                }
                entry.set_value(value);
                self.bytes += entry.heap_bytes();
                if let Some(at_ms) = dropped {
                    self.leave_order(at_ms, field);
                }
                false
            }
            Lookup::Vacant(vacant) => {
                let entry = Field::new(field, value);
                self.bytes += entry.heap_bytes();
                vacant.insert(entry);
                true
            }
        }
    }

    /// Sets, changes or removes the expiry of a field; whether there is one.
    pub(super) fn set_expiry(&mut self, field: &[u8], expire_at: Option<i64>) -> bool {
        let Some(entry) = self.table.get_mut(hash(field), field) else { return false };
        let old = entry.expire_at();
        self.bytes -= entry.heap_bytes();
        entry.set_expire(expire_at);
        self.bytes += entry.heap_bytes();
        if let Some(at_ms) = old {
            self.leave_order(at_ms, field);
        }
        if let Some(at_ms) = expire_at {
            self.bytes += order_bytes(field);
            self.order.insert((at_ms, field.into()));
        }
        true
    }

    pub(super) fn remove(&mut self, field: &[u8]) -> bool {
        let Some(removed) = self.table.remove(hash(field), field) else { return false };
        self.bytes -= removed.heap_bytes();
        if let Some(at_ms) = removed.expire_at() {
            self.leave_order(at_ms, field);
        }
        true
    }

    /// Removes fields whose time was over before `now_ms`, at most so many; how many.
    pub(super) fn remove_due(&mut self, now_ms: i64, max: usize) -> usize {
        let mut removed = 0;
        while removed < max && self.next_expiry().is_some_and(|at_ms| at_ms < now_ms) {
            let Some((_, field)) = self.order.pop_first() else { break };
            self.bytes -= order_bytes(&field);
            if let Some(entry) = self.table.remove(hash(&field), &field) {
                self.bytes -= entry.heap_bytes();
            }
            removed += 1;
        }
        removed
    }

    fn leave_order(&mut self, at_ms: i64, field: &[u8]) {
        if self.order.remove(&(at_ms, field.into())) {
            self.bytes -= order_bytes(field);
        }
    }
}

fn order_bytes(field: &[u8]) -> usize {
    ORDER_BYTES + usable_size(field.len())
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut table = Table::with_capacity(self.table.len());
        for entry in &self.table {
            table.insert(hash(entry.field()), entry.clone());
        }
        Fields { table, bytes: self.bytes, order: self.order.clone() }
    }
}
