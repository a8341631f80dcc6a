//! Hashes: a listpack of fields and values by turns while both their number and their lengths are
//! small (by threes, with the expiry, once one of them was to expire), a hash table of [`Field`]s
//! from then on, and for good. Which is decided here, by the limits that callers hand in. Called by
//! the commands and the persistence formats; knows no keys, no configuration and no time: fields
//! whose time is over are there until they are removed, and [`Live`] hides them.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use super::Encoding;
use super::field::Field;
use crate::base::rng::Rng;
use crate::data::hashtable::{self, Stats};
use crate::data::listpack::{self, Cursor, Element, Listpack};
use crate::data::thin::{Big, Either, Slim};

mod fields;
mod live;
#[cfg(test)]
mod tests;
mod triplets;

pub use live::Live;
pub use triplets::NotTriplets;

use fields::Fields;
use triplets::Triplets;

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
pub struct Hash(Slim<Listpack, Big<Rich>>);

/// What is more than fields and values.
#[derive(Clone)]
enum Rich {
    Triplets(Triplets),
    Table(Fields),
}

/// What a hash is.
enum Repr<L, E, T> {
    /// Fields and values by turns; no field twice.
    Listpack(L),
    /// A small hash once a field was to expire.
    Triplets(E),
    Table(T),
}

/// A field with its value, and when it expires.
pub type Entry<'a> = (Element<'a>, Element<'a>, Option<i64>);

impl Hash {
    /// A hash without fields: one that is to get some before anyone sees it.
    pub fn new() -> Self {
        Hash(Slim::a(Listpack::new()))
    }

    #[inline]
    fn repr(&self) -> Repr<&Listpack, &Triplets, &Fields> {
        match self.0.get() {
            Either::A(pairs) => Repr::Listpack(pairs),
            Either::B(rich) => match &**rich {
                Rich::Table(fields) => Repr::Table(fields),
                Rich::Triplets(triplets) => Repr::Triplets(triplets),
            },
        }
    }

    #[inline]
    fn repr_mut(&mut self) -> Repr<&mut Listpack, &mut Triplets, &mut Fields> {
        match self.0.get_mut() {
            Either::A(pairs) => Repr::Listpack(pairs),
            Either::B(rich) => match &mut **rich {
                Rich::Table(fields) => Repr::Table(fields),
                Rich::Triplets(triplets) => Repr::Triplets(triplets),
            },
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

    /// The hash whose fields, values and expiries stand in a listpack by threes.
    pub fn from_triplets(triplets: Listpack, limits: Limits) -> Result<Self, NotTriplets> {
        let triplets = Triplets::from_listpack(triplets)?;
        let mut hash = Hash(Slim::b(Big::from(Rich::Triplets(triplets))));
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
            Repr::Triplets(triplets) => triplets.len(),
            Repr::Table(fields) => fields.table.len(),
        }
    }

    /// Whether there is no field.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.is_empty(),
            Repr::Triplets(triplets) => triplets.is_empty(),
            Repr::Table(fields) => fields.table.is_empty(),
        }
    }

    /// The encoding.
    pub fn encoding(&self) -> Encoding {
        match self.repr() {
            Repr::Listpack(_) => Encoding::Listpack,
            Repr::Triplets(_) => Encoding::ListpackEx,
            Repr::Table(_) => Encoding::Hashtable,
        }
    }

    /// Bytes of the heap that the hash owns. Takes no longer for a big one.
    pub fn heap_bytes(&self) -> usize {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.heap_bytes(),
            Repr::Triplets(triplets) => {
                Big::<Rich>::heap_bytes() + triplets.listpack().heap_bytes()
            }
            Repr::Table(fields) => Big::<Rich>::heap_bytes() + fields.heap_bytes(),
        }
    }

    /// How much work freeing is.
    pub fn free_effort(&self) -> usize {
        match self.repr() {
            Repr::Listpack(_) | Repr::Triplets(_) => 1,
            Repr::Table(fields) => fields.table.len(),
        }
    }

    /// The fields and values by turns, if that is how they are stored.
    pub fn listpack(&self) -> Option<&Listpack> {
        match self.repr() {
            Repr::Listpack(pairs) => Some(pairs),
            Repr::Triplets(_) | Repr::Table(_) => None,
        }
    }

    /// The fields, values and expiries by threes, if that is how they are stored.
    pub fn triplets(&self) -> Option<&Listpack> {
        match self.repr() {
            Repr::Triplets(triplets) => Some(triplets.listpack()),
            Repr::Listpack(_) | Repr::Table(_) => None,
        }
    }

    /// The fields and values by turns, without what expires when; `None` for a table.
    pub fn to_pairs(&self) -> Option<Cow<'_, Listpack>> {
        match self.repr() {
            Repr::Listpack(pairs) => Some(Cow::Borrowed(pairs)),
            Repr::Triplets(triplets) => Some(Cow::Owned(triplets.to_pairs())),
            Repr::Table(_) => None,
        }
    }

    /// Asks the processor for where an element of this hash may be, if there is a table.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        if let Repr::Table(fields) = self.repr() {
            fields.table.prefetch_bucket(hash);
        }
    }

    /// Some time after that: asks for the elements that may have this hash.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        if let Repr::Table(fields) = self.repr() {
            fields.table.prefetch_entry(hash);
        }
    }

    /// The shape of the table, if there is one. Takes time in proportion to its size.
    pub fn table_stats(&self) -> Option<Stats> {
        match self.repr() {
            Repr::Listpack(_) | Repr::Triplets(_) => None,
            Repr::Table(fields) => Some(fields.table.stats()),
        }
    }

    /// The value of a field.
    #[inline]
    pub fn get(&self, field: &[u8]) -> Option<Element<'_>> {
        match self.repr() {
            Repr::Listpack(pairs) => find_value(pairs, field).map(|at| pairs.at(at)),
            Repr::Triplets(triplets) => Some(triplets.at(triplets.find(field)?)?.0),
            Repr::Table(fields) => fields.get(field).map(|found| Element::Bytes(found.value())),
        }
    }

    /// The value of a field, and when it expires.
    pub fn entry(&self, field: &[u8]) -> Option<(Element<'_>, Option<i64>)> {
        match self.repr() {
            Repr::Listpack(_) => self.get(field).map(|value| (value, None)),
            Repr::Triplets(triplets) => triplets.at(triplets.find(field)?),
            Repr::Table(fields) => {
                fields.get(field).map(|found| (Element::Bytes(found.value()), found.expire_at()))
            }
        }
    }

    /// When the next field expires, if any does.
    #[inline]
    pub fn next_expiry(&self) -> Option<i64> {
        match self.repr() {
            Repr::Listpack(_) => None,
            Repr::Triplets(triplets) => triplets.next_expiry(),
            Repr::Table(fields) => fields.next_expiry(),
        }
    }

    /// Whether there is such a field.
    #[inline]
    pub fn contains(&self, field: &[u8]) -> bool {
        match self.repr() {
            Repr::Listpack(pairs) => pairs.find(field, 1).is_some(),
            Repr::Triplets(triplets) => triplets.find(field).is_some(),
            Repr::Table(fields) => fields.get(field).is_some(),
        }
    }

    /// All fields with their values; those of a listpack in its order.
    pub fn iter(&self) -> impl Iterator<Item = (Element<'_>, Element<'_>)> {
        self.entries().map(|(field, value, _)| (field, value))
    }

    /// All fields with value and expiry; those of a listpack in its order.
    pub fn entries(&self) -> Iter<'_> {
        Iter(match self.repr() {
            Repr::Listpack(pairs) => Walk::Listpack(pairs.iter()),
            Repr::Triplets(triplets) => Walk::Triplets(triplets.iter()),
            Repr::Table(fields) => Walk::Table(fields.table.iter()),
        })
    }

    /// Visits about `count` fields and returns the cursor to go on with, 0 at the end, as
    /// [`hashtable::Table::scan`]. Fields of a listpack are all visited at once.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) -> u64 {
        self.scan_entries(cursor, count, |(field, value, _)| visit(field, value))
    }

    fn scan_entries<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Entry<'a>),
    ) -> u64 {
        let Repr::Table(Fields { table, .. }) = self.repr() else {
            self.entries().for_each(visit);
            return 0;
        };
        let (mut cursor, mut visited) = (cursor, 0);
        for _ in 0..count.saturating_mul(SCAN_BUCKETS_PER_FIELD) {
            cursor = table.scan(cursor, |entry| {
                visited += 1;
                visit(entry_of(entry));
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
            Repr::Listpack(_) | Repr::Triplets(_) => {
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
        let fits = match self.repr() {
            Repr::Listpack(pairs) => pairs.would_fit(parts.clone().map(<[u8]>::len).sum()),
            Repr::Triplets(triplets) => triplets.would_fit(parts.clone().map(<[u8]>::len).sum()),
            Repr::Table(_) => return,
        };
        let too_many = parts.len() / 2 > limits.entries;
        let too_long = || parts.clone().any(|part| part.len() > limits.value_bytes);
        if too_many || !fits || too_long() {
            self.make_table();
        }
    }

    /// Sets a field, which then does not expire; whether it is new.
    #[inline]
    pub fn set(&mut self, field: &[u8], value: &[u8], limits: Limits) -> bool {
        self.put(field, value, false, limits)
    }

    /// Sets a field, whose expiry stays; whether it is new.
    #[inline]
    pub fn set_keeping(&mut self, field: &[u8], value: &[u8], limits: Limits) -> bool {
        self.put(field, value, true, limits)
    }

    #[inline]
    fn put(&mut self, field: &[u8], value: &[u8], keeps: bool, limits: Limits) -> bool {
        let more = field.len() + value.len();
        let added = match self.repr_mut() {
            Repr::Table(fields) => return fields.set(field, value, keeps),
            Repr::Listpack(pairs) if limits.admit(field, value) && pairs.would_fit(more) => {
                set_pair(pairs, field, value)
            }
            Repr::Triplets(triplets) if limits.admit(field, value) && triplets.would_fit(more) => {
                set_triplet(triplets, field, value, keeps)
            }
            Repr::Listpack(_) | Repr::Triplets(_) => {
                return self.make_table().set(field, value, keeps);
            }
        };
        if added && self.len() > limits.entries {
            self.make_table();
        }
        added
    }

    /// Sets, changes or removes the expiry of a field, which is later than 0; whether there is such
    /// a field.
    pub fn set_expiry(&mut self, field: &[u8], expire_at: Option<i64>) -> bool {
        if let (Repr::Listpack(pairs), Some(_)) = (self.repr(), expire_at) {
            let triplets = Triplets::of_pairs(pairs);
            self.0 = Slim::b(Big::from(Rich::Triplets(triplets)));
        }
        match self.repr_mut() {
            Repr::Listpack(pairs) => pairs.find(field, 1).is_some(),
            Repr::Triplets(triplets) => {
                let Some(at) = triplets.find(field) else { return false };
                let value = triplets.at(at).map_or_else(Vec::new, |(value, _)| value.to_vec());
                triplets.remove(at);
                triplets.add(field, &value, expire_at);
                true
            }
            Repr::Table(fields) => fields.set_expiry(field, expire_at),
        }
    }

    /// Removes fields whose time was over before `now_ms`, at most so many; how many.
    pub fn remove_due(&mut self, now_ms: i64, max: usize) -> usize {
        match self.repr_mut() {
            Repr::Listpack(_) => 0,
            Repr::Triplets(triplets) => triplets.remove_due(now_ms, max),
            Repr::Table(fields) => fields.remove_due(now_ms, max),
        }
    }

    /// Removes a field if its time was over before `now_ms`; whether it was.
    pub fn remove_if_due(&mut self, field: &[u8], now_ms: i64) -> bool {
        let expiry = self.entry(field).and_then(|(_, expiry)| expiry);
        expiry.is_some_and(|at_ms| at_ms < now_ms) && self.remove(field)
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
            Repr::Triplets(triplets) => match triplets.find(field) {
                Some(at) => {
                    triplets.remove(at);
                    true
                }
                None => false,
            },
            Repr::Table(fields) => fields.remove(field),
        }
    }

    /// Makes it a table, if it is none, and gives that.
    fn make_table(&mut self) -> &mut Fields {
        if !matches!(self.repr(), Repr::Table(_)) {
            let mut fields = Fields::new();
            let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
            for (field, value, expiry) in self.entries() {
                let field = field.bytes(&mut name);
                fields.set(field, value.bytes(&mut text), false);
                if expiry.is_some() {
                    fields.set_expiry(field, expiry);
                }
            }
            self.0 = Slim::b(Big::from(Rich::Table(fields)));
        }
        match self.repr_mut() {
            Repr::Table(fields) => fields,
            Repr::Listpack(_) | Repr::Triplets(_) => unreachable!("it was replaced above"),
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

fn set_triplet(triplets: &mut Triplets, field: &[u8], value: &[u8], keeps: bool) -> bool {
    let found = triplets.find(field);
    match found {
        Some(at) if keeps || triplets.at(at).is_some_and(|(_, expiry)| expiry.is_none()) => {
            triplets.replace_value(at, value);
        }
        Some(at) => {
            triplets.remove(at);
            triplets.add(field, value, None);
        }
        None => triplets.add(field, value, None),
    }
    found.is_none()
}

#[inline]
fn entry_of(entry: &Field) -> Entry<'_> {
    (Element::Bytes(entry.field()), Element::Bytes(entry.value()), entry.expire_at())
}

/// The fields of a hash, with value and expiry.
pub struct Iter<'a>(Walk<'a>);

enum Walk<'a> {
    Listpack(listpack::Iter<'a>),
    Triplets(triplets::Iter<'a>),
    Table(hashtable::Iter<'a, Field>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Entry<'a>;

    #[inline]
    fn next(&mut self) -> Option<Entry<'a>> {
        match &mut self.0 {
            Walk::Listpack(elements) => Some((elements.next()?, elements.next()?, None)),
            Walk::Triplets(triplets) => triplets.next(),
            Walk::Table(entries) => entries.next().map(entry_of),
        }
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
        if self.hash.make_table().set(field, value, false) { Ok(()) } else { Err(NotPairs) }
    }

    /// The hash.
    pub fn finish(self) -> Result<Hash, NotPairs> {
        match self.hash.repr() {
            Repr::Listpack(pairs) if !pairs.is_unique(2) => return Err(NotPairs),
            _ => {}
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

/// Whether both have the same fields with the same values, expiring at the same time, in whatever
/// encoding and order.
impl PartialEq for Hash {
    fn eq(&self, other: &Self) -> bool {
        let (mut name, mut text) = (itoa::Buffer::new(), itoa::Buffer::new());
        self.len() == other.len()
            && self.entries().all(|(field, value, expiry)| {
                other.entry(field.bytes(&mut name)).is_some_and(|(theirs, their_expiry)| {
                    theirs.eq_bytes(value.bytes(&mut text)) && expiry == their_expiry
                })
            })
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({}, {} fields)", self.encoding().name(), self.len())
    }
}
