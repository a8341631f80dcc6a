//! One node of a stream: a listpack of entries, byte for byte as Redis has it. Its ids are told as
//! distances from the node's own id, the master, which is kept outside.
//!
//! ```text
//! live | deleted | fields | field … | 0                            the master entry
//! flags | ms | seq | value … | elements                            an entry with those fields
//! flags | ms | seq | fields | field | value … | elements           any other entry
//! ```
//!
//! The last element of an entry is how many come before it in the entry, so that entries can be
//! walked from behind; the 0 is where that ends. What is removed is marked and stays.
//!
//! Called by the log alone. A [`Node`] exists of listpacks only that were made here, or looked at
//! by [`check`]: reading trusts them.

use super::Id;
use crate::data::listpack::{Cursor, Element, Listpack};

/// The entry was removed (Redis: STREAM_ITEM_FLAG_DELETED).
const DELETED: i64 = 1;
/// The entry has the fields of the master entry (Redis: STREAM_ITEM_FLAG_SAMEFIELDS).
const SAME_FIELDS: i64 = 1 << 1;
/// Elements of an entry before its fields and values: flags and the two distances.
const HEAD_ELEMENTS: usize = 3;

/// Up to where entries are added to the same node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes (stream-node-max-bytes); 0 is no limit.
    pub node_bytes: usize,
    /// Entries, removed ones included (stream-node-max-entries); 0 is no limit.
    pub node_entries: usize,
}

impl Limits {
    /// No node grows beyond this (Redis: STREAM_LISTPACK_MAX_SIZE).
    pub const NODE_BYTES_MAX: usize = 1 << 30;

    fn bytes_max(self) -> usize {
        match self.node_bytes {
            0 => Self::NODE_BYTES_MAX,
            bytes => bytes.min(Self::NODE_BYTES_MAX),
        }
    }
}

/// Fields and values by turns, on their way into a stream.
pub trait Parts<'a>: ExactSizeIterator<Item = &'a [u8]> + Clone {}

impl<'a, T: ExactSizeIterator<Item = &'a [u8]> + Clone> Parts<'a> for T {}

/// A node with its master id.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// The id that those of the entries are told from.
    pub master: Id,
    /// The entries.
    pub listpack: &'a Listpack,
}

/// What the master entry says.
#[derive(Clone, Copy)]
pub(super) struct Master {
    pub live: u64,
    pub deleted: u64,
    /// How many fields it has.
    fields: usize,
    /// The first of them, or the 0 behind them.
    first_field: Cursor,
}

#[inline]
fn int_at(listpack: &Listpack, at: Cursor) -> i64 {
    // Redis takes strings that look like integers, too.
    listpack.at(at).as_int().unwrap_or(0)
}

#[inline]
fn next(listpack: &Listpack, at: Cursor) -> Cursor {
    at.next(listpack).expect("entries of a node are whole")
}

fn prev(listpack: &Listpack, at: Cursor) -> Cursor {
    at.prev(listpack).expect("entries of a node are whole")
}

fn skip(listpack: &Listpack, at: Cursor, count: usize) -> Cursor {
    (0..count).fold(at, |at, _| next(listpack, at))
}

#[inline]
fn master_of(listpack: &Listpack) -> Master {
    let live = listpack.first().expect("a node has a master entry");
    let deleted = next(listpack, live);
    let fields = next(listpack, deleted);
    Master {
        live: int_at(listpack, live) as u64,
        deleted: int_at(listpack, deleted) as u64,
        fields: int_at(listpack, fields) as usize,
        first_field: next(listpack, fields),
    }
}

/// An entry as it lies in its node.
#[derive(Clone, Copy)]
struct Slot {
    /// Where its flags are.
    at: Cursor,
    flags: i64,
    id: Id,
    /// How many fields it has.
    fields: usize,
    /// Its first field or value, or the number at its end.
    body: Cursor,
}

impl Slot {
    fn same_fields(&self) -> bool {
        self.flags & SAME_FIELDS != 0
    }

    fn is_deleted(&self) -> bool {
        self.flags & DELETED != 0
    }

    /// The number at its end.
    fn end(&self, listpack: &Listpack) -> Cursor {
        let elements = if self.same_fields() { self.fields } else { 2 * self.fields };
        skip(listpack, self.body, elements)
    }
}

impl<'a> Node<'a> {
    /// The entry whose flags are there.
    #[inline]
    fn slot(&self, at: Cursor, master_fields: usize) -> Slot {
        let listpack = self.listpack;
        let flags = int_at(listpack, at);
        let ms = next(listpack, at);
        let seq = next(listpack, ms);
        let id = self.master.plus(int_at(listpack, ms), int_at(listpack, seq));
        let behind = next(listpack, seq);
        if flags & SAME_FIELDS != 0 {
            return Slot { at, flags, id, fields: master_fields, body: behind };
        }
        let fields = int_at(listpack, behind) as usize;
        Slot { at, flags, id, fields, body: next(listpack, behind) }
    }

    /// Where the flags of the entry are whose last element is there; `None` if that is the master
    /// entry.
    fn start_of(&self, end: Cursor) -> Option<Cursor> {
        match int_at(self.listpack, end) {
            0 => None,
            count => Some((0..count).fold(end, |at, _| prev(self.listpack, at))),
        }
    }

    /// What the node counts.
    pub(super) fn counts(&self) -> Master {
        master_of(self.listpack)
    }

    /// The id of the last entry, be it removed or not.
    pub(super) fn last_id(&self) -> Option<Id> {
        let at = self.start_of(self.listpack.last()?)?;
        Some(self.slot(at, self.counts().fields).id)
    }

    /// Walks the entries from the first one on.
    pub(super) fn walk(self) -> Walk<'a> {
        let master = self.counts();
        let zero = skip(self.listpack, master.first_field, master.fields);
        Walk { node: self, master, at: zero.next(self.listpack) }
    }

    /// Walks the entries from the last one on.
    pub(super) fn walk_back(self) -> WalkBack<'a> {
        let at = self.listpack.last().and_then(|end| self.start_of(end));
        WalkBack { node: self, master: self.counts(), at }
    }
}

/// Entries of a node that were not removed, from the first one on.
pub(super) struct Walk<'a> {
    node: Node<'a>,
    master: Master,
    at: Option<Cursor>,
}

impl<'a> Walk<'a> {
    /// The next entry, be it removed or not.
    #[inline]
    fn next_slot(&mut self) -> Option<Slot> {
        let slot = self.node.slot(self.at?, self.master.fields);
        self.at = slot.end(self.node.listpack).next(self.node.listpack);
        Some(slot)
    }

    /// The next entry that was not removed and is not before `start`.
    #[inline]
    pub(super) fn next_from(&mut self, start: Id) -> Option<Entry<'a>> {
        loop {
            let slot = self.next_slot()?;
            if slot.id >= start && !slot.is_deleted() {
                return Some(Entry::new(self.node, &self.master, slot));
            }
        }
    }
}

/// Entries of a node that were not removed, from the last one on.
pub(super) struct WalkBack<'a> {
    node: Node<'a>,
    master: Master,
    at: Option<Cursor>,
}

impl<'a> WalkBack<'a> {
    /// The next entry that was not removed and is not behind `end`.
    pub(super) fn next_upto(&mut self, end: Id) -> Option<Entry<'a>> {
        loop {
            let slot = self.node.slot(self.at?, self.master.fields);
            self.at = self.node.start_of(prev(self.node.listpack, slot.at));
            if slot.id <= end && !slot.is_deleted() {
                return Some(Entry::new(self.node, &self.master, slot));
            }
        }
    }
}

/// An entry of a stream.
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    /// Its id.
    pub id: Id,
    listpack: &'a Listpack,
    fields: usize,
    /// The fields, where they are the master's.
    master_field: Option<Cursor>,
    body: Cursor,
}

impl<'a> Entry<'a> {
    fn new(node: Node<'a>, master: &Master, slot: Slot) -> Self {
        Entry {
            id: slot.id,
            listpack: node.listpack,
            fields: slot.fields,
            master_field: slot.same_fields().then_some(master.first_field),
            body: slot.body,
        }
    }

    /// How many fields it has.
    #[inline]
    pub fn len(&self) -> usize {
        self.fields
    }

    /// Whether it has no fields.
    pub fn is_empty(&self) -> bool {
        self.fields == 0
    }

    /// Its fields with their values.
    #[inline]
    pub fn fields(&self) -> Fields<'a> {
        Fields {
            listpack: self.listpack,
            left: self.fields,
            master_field: self.master_field,
            at: self.body,
        }
    }
}

/// Fields of an entry, with their values.
pub struct Fields<'a> {
    listpack: &'a Listpack,
    left: usize,
    master_field: Option<Cursor>,
    at: Cursor,
}

impl<'a> Iterator for Fields<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let field = match &mut self.master_field {
            Some(at) => {
                let field = *at;
                *at = next(self.listpack, field);
                field
            }
            None => {
                let field = self.at;
                self.at = next(self.listpack, field);
                field
            }
        };
        let value = self.at;
        self.at = next(self.listpack, value);
        Some((self.listpack.at(field), self.listpack.at(value)))
    }
}

// ---- changing

/// A node that begins with this entry, whose id is the master.
pub(super) fn begin<'a>(parts: impl Parts<'a>) -> Listpack {
    let fields = parts.len() / 2;
    let mut listpack = Listpack::new();
    listpack.append(|to| {
        to.push_int(1);
        to.push_int(0);
        to.push_int(fields as i64);
        parts.clone().step_by(2).for_each(|field| to.push(field));
        to.push_int(0);
    });
    append_slot(&mut listpack, (0, 0), parts, SAME_FIELDS);
    listpack
}

/// Appends an entry whose id is greater than those that are there, if the node takes one more.
#[inline]
pub(super) fn append<'a>(
    listpack: &mut Listpack,
    (master_id, id): (Id, Id),
    parts: impl Parts<'a>,
    limits: Limits,
) -> bool {
    let more: usize = parts.clone().map(<[u8]>::len).sum();
    if listpack.bytes().saturating_add(more) >= limits.bytes_max() {
        return false;
    }
    let master = master_of(listpack);
    if limits.node_entries > 0 && master.live + master.deleted >= limits.node_entries as u64 {
        return false;
    }
    let same = has_fields(listpack, &master, parts.clone());
    let live = listpack.first().expect("a node has a master entry");
    listpack.replace_int(live, master.live as i64 + 1);
    append_slot(listpack, id.delta(master_id), parts, if same { SAME_FIELDS } else { 0 });
    true
}

/// Whether these are the master entry's fields, in its order.
fn has_fields<'a>(listpack: &Listpack, master: &Master, parts: impl Parts<'a>) -> bool {
    if master.fields != parts.len() / 2 {
        return false;
    }
    let theirs = listpack.iter_from(master.first_field);
    parts.step_by(2).zip(theirs).all(|(mine, theirs)| match theirs {
        Element::Bytes(bytes) => bytes == mine,
        Element::Int(_) => theirs.eq_bytes(mine),
    })
}

fn append_slot<'a>(
    listpack: &mut Listpack,
    (ms, seq): (i64, i64),
    parts: impl Parts<'a>,
    flags: i64,
) {
    let fields = parts.len() / 2;
    listpack.append(|to| {
        to.push_int(flags);
        to.push_int(ms);
        to.push_int(seq);
        if flags & SAME_FIELDS != 0 {
            parts.clone().skip(1).step_by(2).for_each(|value| to.push(value));
            to.push_int((HEAD_ELEMENTS + fields) as i64);
        } else {
            to.push_int(fields as i64);
            parts.clone().for_each(|part| to.push(part));
            to.push_int((HEAD_ELEMENTS + 1 + 2 * fields) as i64);
        }
    });
}

fn set_counts(listpack: &mut Listpack, live: u64, deleted: u64) {
    let at = listpack.first().expect("a node has a master entry");
    listpack.replace_int(at, live as i64);
    let at = next(listpack, at);
    listpack.replace_int(at, deleted as i64);
}

/// Marks the entry of this id as removed; whether there was one. The caller drops a node whose last
/// entry it was.
pub(super) fn remove(listpack: &mut Listpack, master_id: Id, id: Id) -> bool {
    let node = Node { master: master_id, listpack };
    let mut walk = node.walk();
    let found = loop {
        match walk.next_slot() {
            Some(slot) if slot.is_deleted() || slot.id < id => {}
            Some(slot) if slot.id == id => break slot,
            _ => return false,
        }
    };
    let master = walk.master;
    listpack.replace_int(found.at, found.flags | DELETED);
    set_counts(listpack, master.live - 1, master.deleted + 1);
    true
}

/// Marks entries as removed, from the first one on, until `stop` says so of an entry's id and the
/// number of those that were marked; how many that were.
pub(super) fn remove_first(
    listpack: &mut Listpack,
    master_id: Id,
    mut stop: impl FnMut(Id, u64) -> bool,
) -> u64 {
    let Walk { master, mut at, .. } = Node { master: master_id, listpack }.walk();
    let mut removed = 0;
    while let Some(here) = at {
        let slot = Node { master: master_id, listpack }.slot(here, master.fields);
        if stop(slot.id, removed) {
            break;
        }
        if !slot.is_deleted() {
            listpack.replace_int(slot.at, slot.flags | DELETED);
            removed += 1;
        }
        // What follows may have moved.
        let slot = Node { master: master_id, listpack }.slot(here, master.fields);
        at = slot.end(listpack).next(listpack);
    }
    set_counts(listpack, master.live - removed, master.deleted + removed);
    removed
}

// ---- checking

/// Whether a listpack is a node that can follow an entry: its own entries are whole, their ids
/// ascend, and they are as many as it says (Redis: streamValidateListpackIntegrity, which does not
/// look at the ids). Those that were removed may have any id: in old versions, XSETID could go back
/// behind them. Tells how many were not removed.
pub(super) fn check(listpack: &Listpack, master_id: Id, before: Option<Id>) -> Option<u64> {
    let mut elements = listpack.iter();
    let mut count = || u64::try_from(elements.next()?.as_int()?).ok();
    let (live, deleted, fields) = (count()?, count()?, count()?);
    for _ in 0..fields {
        elements.next()?;
    }
    if elements.next()?.as_int()? != 0 {
        return None;
    }
    let (mut seen, mut seen_deleted, mut last) = (0u64, 0u64, before);
    while let Some(flags) = elements.next() {
        let flags = flags.as_int()?;
        let (ms, seq) = (elements.next()?.as_int()?, elements.next()?.as_int()?);
        let id = master_id.plus(ms, seq);
        if flags & DELETED == 0 {
            if id < master_id || last.is_some_and(|last| id <= last) {
                return None;
            }
            last = Some(id);
        }
        let (fields, skipped) = if flags & SAME_FIELDS != 0 {
            (fields, fields)
        } else {
            let fields = u64::try_from(elements.next()?.as_int()?).ok()?;
            (fields, fields.checked_mul(2)?.checked_add(1)?)
        };
        let values = if flags & SAME_FIELDS != 0 { fields } else { skipped - 1 };
        for _ in 0..values {
            elements.next()?;
        }
        let size = u64::try_from(elements.next()?.as_int()?).ok()?;
        if size != skipped.checked_add(HEAD_ELEMENTS as u64)? {
            return None;
        }
        seen += 1;
        seen_deleted += u64::from(flags & DELETED != 0);
    }
    let whole = seen > 0 && live.checked_add(deleted)? == seen && seen_deleted == deleted;
    whole.then_some(live)
}
