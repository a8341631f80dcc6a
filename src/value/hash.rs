//! Hashes: a listpack of fields and values by turns while both their number and their lengths are
//! small, a hash table of [`Field`]s from then on, and for good. Which is decided here, by the
//! limits that callers hand in. Called by the commands and the persistence formats; knows no keys
//! and no configuration.

use std::collections::HashSet;
use std::fmt;

use super::Encoding;
use super::field::Field;
use crate::base::hash::hash;
use crate::base::rng::Rng;
use crate::data::hashtable::{self, Lookup, Stats, Table};
use crate::data::listpack::{self, Cursor, Element, Listpack};
use crate::data::thin::{Big, Either, Slim};

#[cfg(test)]
mod tests;

/// Buckets that one scan visits at most per field that is asked for (Redis: maxiterations).
const SCAN_BUCKETS_PER_FIELD: usize = 10;
/// Above one field in so many, choosing walks all fields instead of drawing until there are enough
/// different ones (Redis: HRANDFIELD_SUB_STRATEGY_MUL).
const SAMPLED_SHARE: usize = 3;

/// Up to where a hash is a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fields (hash-max-listpack-entries).
    pub entries: usize,
    /// Bytes of the longest field or value (hash-max-listpack-value).
    pub value_bytes: usize,
}

impl Limits {
    /// What the directives are without a configuration.
    pub const DEFAULT: Limits = Limits { entries: 512, value_bytes: 64 };

    fn admit(self, field: &[u8], value: &[u8]) -> bool {
        field.len().max(value.len()) <= self.value_bytes
    }
}

/// A field is there twice, or has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotPairs;

/// Fields with their values.
#[derive(Clone)]
pub struct Hash(Slim<Listpack, Big<Fields>>);

/// What a hash is.
enum Repr<L, T> {
    /// Fields and values by turns; no field twice.
    Listpack(L),
    Table(T),
}

impl Hash {
    /// A hash without fields: one that is to get some before anyone sees it.
    pub fn new() -> Self {
        Hash(Slim::a(Listpack::new()))
    }

    #[inline]
    fn repr(&self) -> Repr<&Listpack, &Fields> {
        match self.0.get() {
            Either::A(pairs) => Repr::Listpack(pairs),
            Either::B(fields) => Repr::Table(fields),
        }
    }

    #[inline]
    fn repr_mut(&mut self) -> Repr<&mut Listpack, &mut Fields> {
        match self.0.get_mut() {
            Either::A(pairs) => Repr::Listpack(pairs),
            Either::B(fields) => Repr::Table(fields),
        }
    }

    /// The hash whose fields and values stand in a listpack by turns.
    pub fn from_listpack(pairs: Listpack, limits: Limits) -> Result<Self, NotPairs> {
        if !pairs.is_unique(2) {
            return Err(NotPairs);
        }
        let mut hash = Hash(Slim::a(pairs));
        if hash.len() > limits.entries {
            hash.make_table();
        }
        Ok(hash)
    }

    // ---- reading

    /// How many fields there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.len() / 2,
            Repr::Table(fields) => fields.table.len(),
        }
    }

    /// Whether there is no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.is_empty(),
            Repr::Table(fields) => fields.table.is_empty(),
        }
    }

    /// The encoding.
    pub fn encoding(&self) -> Encoding {
        match self.repr() {
            Repr::Listpack(_) => Encoding::Listpack,
            Repr::Table(_) => Encoding::Hashtable,
        }
    }

    /// Bytes of the heap that the hash owns. Takes no longer for a big one.
    pub fn heap_bytes(&self) -> usize {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.heap_bytes(),
            Repr::Table(fields) => Big::<Fields>::heap_bytes() + fields.heap_bytes(),
        }
    }

    /// How much work freeing is.
    pub fn free_effort(&self) -> usize {
        match self.repr() {
            Repr::Listpack(_) => 1,
            Repr::Table(fields) => fields.table.len(),
        }
    }

    /// The fields and values by turns, if that is how they are stored.
    pub fn listpack(&self) -> Option<&Listpack> {
        match self.repr() {
            Repr::Listpack(pairs) => Some(pairs),
            Repr::Table(_) => None,
        }
    }

    /// The shape of the table, if there is one. Takes time in proportion to its size.
    pub fn table_stats(&self) -> Option<Stats> {
        match self.repr() {
            Repr::Listpack(_) => None,
            Repr::Table(fields) => Some(fields.table.stats()),
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match self.repr() {
            Repr::Listpack(pairs) => find_value(pairs, field).map(|at| pairs.at(at)),
            Repr::Table(fields) => {
                fields.table.get(hash(field), field).map(|found| Element::Bytes(found.value()))
            }
        }
    }

    /// Whether there is such a field.
    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.find(field, 1).is_some(),
            Repr::Table(fields) => fields.table.contains(hash(field), field),
        }
    }

    /// All fields with their values; those of a listpack in its order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match self.repr() {
            Repr::Listpack(pairs) => Walk::Listpack(Pairs(pairs.iter())),
            Repr::Table(fields) => Walk::Table(fields.table.iter()),
        })
    }

    /// Visits about `count` fields and returns the cursor to go on with, 0 at the end, as
    /// [`Table::scan`]. Fields of a listpack are all visited at once.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) -> u64 {
        let table = match self.repr() {
            Repr::Listpack(_) => {
                self.iter().for_each(|(field, value)| visit(field, value));
                return 0;
            }
            Repr::Table(fields) => &fields.table,
        };
        let (mut cursor, mut visited) = (cursor, 0);
        for _ in 0..count.saturating_mul(SCAN_BUCKETS_PER_FIELD) {
            cursor = table.scan(cursor, |entry| {
                visited += 1;
                visit(Element::Bytes(entry.field()), Element::Bytes(entry.value()));
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    /// `count` fields at random, any of them again and again. There must be one.
    pub fn pick<'a>(
        &'a self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        match self.repr() {
            Repr::Listpack(pairs) if count == 1 => {
                let index = rng.below(self.len() as u64) as isize * 2;
                let found = pairs.get(index);
                if let Some((field, value)) = found.and_then(|at| Some((at, at.next(pairs)?))) {
                    visit(pairs.at(field), pairs.at(value));
                }
            }
            Repr::Listpack(_) => {
                let all: Vec<_> = self.iter().collect();
                for _ in 0..count {
                    let (field, value) = all[rng.below(all.len() as u64) as usize];
                    visit(field, value);
                }
            }
            Repr::Table(fields) => {
                for entry in (0..count).map_while(|_| fields.table.random(rng)) {
                    visit(Element::Bytes(entry.field()), Element::Bytes(entry.value()));
                }
            }
        }
    }

    /// `count` different fields at random, or all if there are no more.
    pub fn sample<'a>(
        &'a self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        if let Repr::Table(fields) = self.repr()
            && count < fields.table.len() / SAMPLED_SHARE
        {
            let mut chosen = HashSet::with_capacity(count);
            while chosen.len() < count {
                let Some(entry) = fields.table.random(rng) else { return };
                if chosen.insert(entry.address()) {
                    visit(Element::Bytes(entry.field()), Element::Bytes(entry.value()));
                }
            }
            return;
        }
        // Each of those that are left is taken with the share that is still wanted.
        let mut wanted = count.min(self.len());
        for ((field, value), left) in self.iter().zip((1..=self.len()).rev()) {
            if wanted == 0 {
                return;
            }
            if rng.below(left as u64) < wanted as u64 {
                wanted -= 1;
                visit(field, value);
            }
        }
    }

    // ---- changing

    /// Makes a table of a listpack that the fields and values, by turns, would end (Redis:
    /// hashTypeTryConversion): better before than after most of them were written.
    pub fn prepare<'a>(
        &mut self,
        parts: impl ExactSizeIterator<Item = &'a [u8]> + Clone,
        limits: Limits,
    ) {
        let Repr::Listpack(pairs) = self.repr() else { return };
        let too_many = parts.len() / 2 > limits.entries;
        let too_long = || parts.clone().any(|part| part.len() > limits.value_bytes);
        if too_many || too_long() || !pairs.would_fit(parts.clone().map(<[u8]>::len).sum()) {
            self.make_table();
        }
    }

    /// Sets a field; whether it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: Limits) -> bool {
        if let Repr::Listpack(pairs) = self.repr_mut()
            && limits.admit(field, value)
            && pairs.would_fit(field.len() + value.len())
        {
            let added = set_pair(pairs, field, value);
            if added && self.len() > limits.entries {
                self.make_table();
            }
            return added;
        }
        self.make_table().set(field, value)
    }

    /// Removes a field; whether there was one.
    pub fn remove(&mut self, field: &[u8]) -> bool {
        match self.repr_mut() {
            Repr::Listpack(pairs) => match pairs.find(field, 1) {
                Some(at) => {
                    pairs.remove(at, 2);
                    true
                }
                None => false,
            },
            Repr::Table(fields) => fields.remove(field),
        }
    }

    /// Makes it a table, if it is none, and gives that.
    #[inline]
    fn make_table(&mut self) -> &mut Fields {
        if let Repr::Listpack(pairs) = self.repr() {
            self.0 = Slim::b(Big::from(Fields::of_pairs(pairs)));
        }
        match self.repr_mut() {
            Repr::Table(fields) => fields,
            Repr::Listpack(_) => unreachable!("it was replaced above"),
        }
    }
}

/// Where the value of a field is.
#[inline]
fn find_value(pairs: &Listpack, field: &[u8]) -> Option<Cursor> {
    pairs.find(field, 1)?.next(pairs)
}

fn set_pair(pairs: &mut Listpack, field: &[u8], value: &[u8]) -> bool {
    match find_value(pairs, field) {
        Some(at) => {
            pairs.replace(at, value);
            false
        }
        None => {
            pairs.push_back(field);
            pairs.push_back(value);
            true
        }
    }
}

/// The fields of a hash that is a table.
struct Fields {
    table: Table<Field>,
    /// Bytes of all fields together.
    bytes: usize,
}

impl Fields {
    fn new() -> Self {
        Fields { table: Table::new(), bytes: 0 }
    }

    /// Of fields and values by turns; the last value of a field that is there twice.
    fn of_pairs(pairs: &Listpack) -> Self {
        let mut fields = Fields::new();
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        for (field, value) in Pairs(pairs.iter()) {
            fields.set(field.bytes(&mut name), value.bytes(&mut text));
        }
        fields
    }

    fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.bytes
    }

    #[inline]
    fn set(&mut self, field: &[u8], value: &[u8]) -> bool {
        match self.table.lookup(hash(field), field) {
            Lookup::Found(found) => {
                let entry = found.into_mut();
                self.bytes -= entry.heap_bytes();
                entry.set_value(value);
                self.bytes += entry.heap_bytes();
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

    fn remove(&mut self, field: &[u8]) -> bool {
        let removed = self.table.remove(hash(field), field);
        self.bytes -= removed.as_ref().map_or(0, Field::heap_bytes);
        removed.is_some()
    }
}

impl Clone for Fields {
    fn clone(&self) -> Self {
        let mut table = Table::with_capacity(self.table.len());
        for entry in &self.table {
            table.insert(hash(entry.field()), entry.clone());
        }
        Fields { table, bytes: self.bytes }
    }
}

/// The fields of a hash, with their values.
pub struct Iter<'a>(Walk<'a>);

enum Walk<'a> {
    Listpack(Pairs<'a>),
    Table(hashtable::Iter<'a, Field>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        match &mut self.0 {
            Walk::Listpack(pairs) => pairs.next(),
            Walk::Table(entries) => {
                let entry = entries.next()?;
                Some((Element::Bytes(entry.field()), Element::Bytes(entry.value())))
            }
        }
    }
}

/// The elements of a listpack, two at a time.
struct Pairs<'a>(listpack::Iter<'a>);

impl<'a> Iterator for Pairs<'a> {
    type Item = (Element<'a>, Element<'a>);

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        Some((self.0.next()?, self.0.next()?))
    }
}

/// A hash that grows by fields which are not known to be different ones, as those of a file. That
/// they are is found in time proportional to their number.
pub struct Builder {
    hash: Hash,
    limits: Limits,
}

impl Builder {
    /// Begins a hash that is to have so many fields.
    pub fn new(fields: u64, limits: Limits) -> Self {
        let mut hash = Hash::new();
        if fields > limits.entries as u64 {
            hash.make_table();
        }
        Builder { hash, limits }
    }

    /// Adds a field.
    pub fn push(&mut self, field: &[u8], value: &[u8]) -> Result<(), NotPairs> {
        if let Repr::Listpack(pairs) = self.hash.repr_mut() {
            if self.limits.admit(field, value) && pairs.would_fit(field.len() + value.len()) {
                pairs.push_back(field);
                pairs.push_back(value);
                return Ok(());
            }
            if !pairs.is_unique(2) {
                return Err(NotPairs);
            }
        }
        if self.hash.make_table().set(field, value) { Ok(()) } else { Err(NotPairs) }
    }

    /// The hash.
    pub fn finish(self) -> Result<Hash, NotPairs> {
        match self.hash.repr() {
            Repr::Listpack(pairs) if !pairs.is_unique(2) => return Err(NotPairs),
            Repr::Listpack(_) | Repr::Table(_) => {}
        }
        let Builder { mut hash, limits } = self;
        if hash.len() > limits.entries {
            hash.make_table();
        }
        Ok(hash)
    }
}

impl Default for Hash {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether both have the same fields with the same values, in whatever encoding and order.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.len() == other.len()
            && self.iter().all(|(field, value)| {
                let theirs = other.get(field.bytes(&mut name));
                theirs.is_some_and(|theirs| theirs.eq_bytes(value.bytes(&mut text)))
            })
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({}, {} fields)", self.encoding().name(), self.len())
    }
}
