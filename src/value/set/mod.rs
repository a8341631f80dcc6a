//! Sets: an intset while all members are integers and few, a listpack while they are few and short,
//! a hash table of [`Member`]s from then on. Which is decided here, by the limits that callers hand
//! in, as Redis decides it. Called by the commands and the persistence formats; knows no keys and
//! no configuration.

pub mod algebra;
mod random;

#[cfg(test)]
mod tests;

use std::fmt;

use super::Encoding;
use super::member::Member;
use crate::base::hash::hash;
use crate::base::numbers;
use crate::data::hashtable::{self, Lookup, Stats, Table};
use crate::data::intset::{self, Intset};
use crate::data::listpack::{self, Element, Listpack};
use crate::data::thin::{Big, Either, Slim};

/// Buckets that one scan visits at most per member that is asked for (Redis: maxiterations).
const SCAN_BUCKETS_PER_MEMBER: usize = 10;

/// Up to where a set is something smaller than a hash table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Members of an intset (set-max-intset-entries).
    pub intset_entries: usize,
    /// Members of a listpack (set-max-listpack-entries).
    pub listpack_entries: usize,
    /// Bytes of the longest member of a listpack (set-max-listpack-value).
    pub listpack_value: usize,
}

impl Limits {
    /// Redis 7.2's own.
    pub const DEFAULT: Limits =
        Limits { intset_entries: 512, listpack_entries: 128, listpack_value: 64 };

    fn intset_entries_max(self) -> usize {
        self.intset_entries.min(intset::ENTRIES_MAX)
    }
}

/// A member is there twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Duplicates;

/// Members, each once.
#[derive(Clone)]
pub struct Set(Slim<Slim<Intset, Listpack>, Big<Members>>);

/// What a set is.
enum Repr<I, L, T> {
    Intset(I),
    Listpack(L),
    Table(T),
}

impl Set {
    /// A set without members: one that is to get some before anyone sees it.
    pub fn new() -> Self {
        Set::of_intset(Intset::new())
    }

    /// An empty set that is to get about `hint` members, the first of which is given (Redis:
    /// setTypeCreate).
    pub fn for_members(first: &[u8], hint: usize, limits: Limits) -> Self {
        if hint <= limits.intset_entries && numbers::is_canonical_int(first) {
            Set::new()
        } else if hint <= limits.listpack_entries {
            Set::empty_listpack()
        } else {
            Set::empty_table()
        }
    }

    fn of_intset(intset: Intset) -> Self {
        Set(Slim::a(Slim::a(intset)))
    }

    fn of_listpack(listpack: Listpack) -> Self {
        Set(Slim::a(Slim::b(listpack)))
    }

    fn of_members(members: Members) -> Self {
        Set(Slim::b(Big::from(members)))
    }

    #[inline]
    fn repr(&self) -> Repr<&Intset, &Listpack, &Members> {
        match self.0.get() {
            Either::A(small) => match small.get() {
                Either::A(intset) => Repr::Intset(intset),
                Either::B(listpack) => Repr::Listpack(listpack),
            },
            Either::B(members) => Repr::Table(members),
        }
    }

    #[inline]
    fn repr_mut(&mut self) -> Repr<&mut Intset, &mut Listpack, &mut Members> {
        match self.0.get_mut() {
            Either::A(small) => match small.get_mut() {
                Either::A(intset) => Repr::Intset(intset),
                Either::B(listpack) => Repr::Listpack(listpack),
            },
            Either::B(members) => Repr::Table(members),
        }
    }

    fn empty_listpack() -> Self {
        Set::of_listpack(Listpack::new())
    }

    /// An empty set that is a table from the beginning.
    pub fn empty_table() -> Self {
        Set::of_members(Members::new())
    }

    /// The set of these integers, as whatever the limits make of it.
    pub fn from_intset(intset: Intset, limits: Limits) -> Self {
        let mut set = Set::of_intset(intset);
        if set.len() > limits.intset_entries {
            set.make_table();
        }
        set
    }

    /// The set of these members, as whatever the limits make of it.
    pub fn from_listpack(listpack: Listpack, limits: Limits) -> Result<Self, Duplicates> {
        if listpack.len() <= limits.listpack_entries {
            let unique = listpack.is_unique(1);
            return if unique { Ok(Set::of_listpack(listpack)) } else { Err(Duplicates) };
        }
        let mut members = Members::new();
        let mut digits = itoa::Buffer::new();
        let unique = listpack.iter().all(|member| members.add(member.bytes(&mut digits)));
        if unique { Ok(Set::of_members(members)) } else { Err(Duplicates) }
    }

    /// The set of these members, which may be there more than once, as Redis has it in listpacks of
    /// others. One that becomes a table has each of them once.
    pub fn from_repeating(listpack: Listpack) -> Self {
        Set::of_listpack(listpack)
    }

    // ---- reading

    /// How many members there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.repr() {
            Repr::Intset(intset) => intset.len(),
            Repr::Listpack(listpack) => listpack.len(),
            Repr::Table(members) => members.table.len(),
        }
    }

    /// Whether there are no members.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.repr() {
            Repr::Intset(intset) => intset.is_empty(),
            Repr::Listpack(listpack) => listpack.is_empty(),
            Repr::Table(members) => members.table.is_empty(),
        }
    }

    /// The encoding.
    pub fn encoding(&self) -> Encoding {
        match self.repr() {
            Repr::Intset(_) => Encoding::Intset,
            Repr::Listpack(_) => Encoding::Listpack,
            Repr::Table(_) => Encoding::Hashtable,
        }
    }

    /// Bytes of the heap that the set owns. Takes no longer for a big one.
    pub fn heap_bytes(&self) -> usize {
        match self.repr() {
            Repr::Intset(intset) => intset.heap_bytes(),
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Table(members) => Big::<Members>::heap_bytes() + members.heap_bytes(),
        }
    }

    /// How much work freeing is.
    pub fn free_effort(&self) -> usize {
        match self.repr() {
            Repr::Intset(_) | Repr::Listpack(_) => 1,
            Repr::Table(members) => members.table.len(),
        }
    }

    /// The bytes that hold all members, and are Redis's; `None` for a table.
    pub fn packed_bytes(&self) -> Option<&[u8]> {
        match self.repr() {
            Repr::Intset(intset) => Some(intset.as_bytes()),
            Repr::Listpack(listpack) => Some(listpack.as_bytes()),
            Repr::Table(_) => None,
        }
    }

    /// Asks the processor for where an element of this hash may be, if there is a table.
    #[inline]
    pub(super) fn prefetch_bucket(&self, hash: u64) {
        if let Repr::Table(members) = self.repr() {
            members.table.prefetch_bucket(hash);
        }
    }

    /// Some time after that: asks for the elements that may have this hash.
    #[inline]
    pub(super) fn prefetch_entry(&self, hash: u64) {
        if let Repr::Table(members) = self.repr() {
            members.table.prefetch_entry(hash);
        }
    }

    /// The shape of the table, if there is one. Takes time in proportion to its size.
    pub fn table_stats(&self) -> Option<Stats> {
        match self.repr() {
            Repr::Intset(_) | Repr::Listpack(_) => None,
            Repr::Table(members) => Some(members.table.stats()),
        }
    }

    /// Whether these bytes are a member.
    #[inline]
    pub fn contains(&self, member: &[u8]) -> bool {
        match self.repr() {
            Repr::Intset(intset) => numbers::parse_i64(member).is_some_and(|n| intset.contains(n)),
            Repr::Listpack(listpack) => listpack.find(member, 0).is_some(),
            Repr::Table(members) => members.table.contains(hash(member), member),
        }
    }

    /// Whether a member of another set is one of this, too.
    #[inline]
    pub fn contains_element(&self, member: Element<'_>) -> bool {
        match (self.repr(), member) {
            (Repr::Intset(intset), Element::Int(n)) => intset.contains(n),
            _ => self.contains(member.bytes(&mut itoa::Buffer::new())),
        }
    }

    /// All members; those of an intset ascending, those of a listpack in its order.
    pub fn iter(&self) -> Iter<'_> {
        Iter(match self.repr() {
            Repr::Intset(intset) => Walk::Intset(intset, 0),
            Repr::Listpack(listpack) => Walk::Listpack(listpack.iter()),
            Repr::Table(members) => Walk::Table(members.table.iter()),
        })
    }

    /// Visits about `count` members and returns the cursor to go on with, 0 at the end, as
    /// [`Table::scan`]. Without a table all members are visited at once.
    pub fn scan<'a>(
        &'a self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'a>),
    ) -> u64 {
        let Repr::Table(members) = self.repr() else {
            self.iter().for_each(visit);
            return 0;
        };
        let (mut cursor, mut visited) = (cursor, 0);
        for _ in 0..count.saturating_mul(SCAN_BUCKETS_PER_MEMBER) {
            cursor = members.table.scan(cursor, |member| {
                visited += 1;
                visit(Element::Bytes(member.bytes()));
            });
            if cursor == 0 || visited >= count {
                break;
            }
        }
        cursor
    }

    // ---- changing

    /// Makes a table of what is to get so many members that it could not stay what it is (Redis:
    /// setTypeMaybeConvert).
    pub fn prepare(&mut self, hint: usize, limits: Limits) {
        let too_many = match self.repr() {
            Repr::Intset(_) => hint > limits.intset_entries,
            Repr::Listpack(_) => hint > limits.listpack_entries,
            Repr::Table(_) => false,
        };
        if too_many {
            self.make_table();
        }
    }

    /// Adds a member; whether it is new.
    #[inline]
    pub fn add(&mut self, member: &[u8], limits: Limits) -> bool {
        match self.repr_mut() {
            Repr::Table(members) => members.add(member),
            Repr::Intset(_) => match numbers::parse_i64(member) {
                Some(n) => self.add_int(n, limits),
                None => {
                    self.leave_intset(member, limits);
                    self.add(member, limits)
                }
            },
            Repr::Listpack(listpack) => {
                if listpack.find(member, 0).is_some() {
                    return false;
                }
                if listpack.len() < limits.listpack_entries
                    && member.len() <= limits.listpack_value
                    && listpack.would_fit(member.len())
                {
                    listpack.push_back(member);
                    return true;
                }
                self.make_table().add(member)
            }
        }
    }

    /// Adds a member of another set; whether it is new.
    pub fn add_element(&mut self, member: Element<'_>, limits: Limits) -> bool {
        match (self.repr(), member) {
            (Repr::Intset(_), Element::Int(n)) => self.add_int(n, limits),
            _ => self.add(member.bytes(&mut itoa::Buffer::new()), limits),
        }
    }

    fn add_int(&mut self, n: i64, limits: Limits) -> bool {
        let Repr::Intset(intset) = self.repr_mut() else {
            return self.add(itoa::Buffer::new().format(n).as_bytes(), limits);
        };
        let added = intset.insert(n);
        if added && intset.len() > limits.intset_entries_max() {
            self.make_table();
        }
        added
    }

    /// Makes an intset something that can take this member, which is no integer.
    fn leave_intset(&mut self, member: &[u8], limits: Limits) {
        let Repr::Intset(intset) = self.repr() else { return };
        let mut digits = itoa::Buffer::new();
        let ends = [intset.min(), intset.max()].into_iter().flatten();
        let longest = ends.map(|n| digits.format(n).len()).max().unwrap_or(0);
        if intset.len() < limits.listpack_entries
            && member.len().max(longest) <= limits.listpack_value
            && Listpack::new().would_fit(member.len() + intset.as_bytes().len() * 2)
        {
            let mut listpack = Listpack::new();
            intset.iter().for_each(|n| listpack.push_back(digits.format(n).as_bytes()));
            *self = Set::of_listpack(listpack);
        } else {
            self.make_table();
        }
    }

    /// Removes a member; whether it was there.
    pub fn remove(&mut self, member: &[u8]) -> bool {
        match self.repr_mut() {
            Repr::Intset(intset) => numbers::parse_i64(member).is_some_and(|n| intset.remove(n)),
            Repr::Listpack(listpack) => match listpack.find(member, 0) {
                Some(at) => {
                    listpack.remove(at, 1);
                    true
                }
                None => false,
            },
            Repr::Table(members) => members.remove(member),
        }
    }

    /// Removes what is a member of another set; whether it was there.
    pub fn remove_element(&mut self, member: Element<'_>) -> bool {
        match (self.repr_mut(), member) {
            (Repr::Intset(intset), Element::Int(n)) => intset.remove(n),
            _ => self.remove(member.bytes(&mut itoa::Buffer::new())),
        }
    }

    /// Makes it an intset, if all members are integers and not too many.
    fn try_make_intset(&mut self, limits: Limits) {
        if matches!(self.repr(), Repr::Intset(_)) || self.len() > limits.intset_entries_max() {
            return;
        }
        let mut integers: Vec<i64> = Vec::with_capacity(self.len());
        for member in self.iter() {
            let Some(n) = member.as_int() else { return };
            integers.push(n);
        }
        // In ascending order each is added at the end.
        integers.sort_unstable();
        let mut intset = Intset::new();
        integers.into_iter().for_each(|n| _ = intset.insert(n));
        *self = Set::of_intset(intset);
    }

    /// Makes it a table, if it is none, and gives that.
    fn make_table(&mut self) -> &mut Members {
        if !matches!(self.repr(), Repr::Table(_)) {
            let mut members = Members::new();
            let mut digits = itoa::Buffer::new();
            for member in self.iter() {
                members.add(member.bytes(&mut digits));
            }
            *self = Set::of_members(members);
        }
        match self.repr_mut() {
            Repr::Table(members) => members,
            Repr::Intset(_) | Repr::Listpack(_) => unreachable!("it was replaced above"),
        }
    }
}

/// The members of a set that is a table.
struct Members {
    table: Table<Member>,
    /// Bytes of all members together.
    bytes: usize,
}

impl Members {
    fn new() -> Self {
        Members { table: Table::new(), bytes: 0 }
    }

    fn heap_bytes(&self) -> usize {
        self.table.heap_bytes() + self.bytes
    }

    #[inline]
    fn add(&mut self, member: &[u8]) -> bool {
        match self.table.lookup(hash(member), member) {
            Lookup::Found(_) => false,
            Lookup::Vacant(vacant) => {
                let entry = Member::new(member);
                self.bytes += entry.heap_bytes();
                vacant.insert(entry);
                true
            }
        }
    }

    fn remove(&mut self, member: &[u8]) -> bool {
        let removed = self.table.remove(hash(member), member);
        self.bytes -= removed.as_ref().map_or(0, Member::heap_bytes);
        removed.is_some()
    }
}

impl Clone for Members {
    fn clone(&self) -> Self {
        let mut table = Table::new();
        for entry in &self.table {
            table.insert(hash(entry.bytes()), entry.clone());
        }
        Members { table, bytes: self.bytes }
    }
}

/// The members of a set.
pub struct Iter<'a>(Walk<'a>);

enum Walk<'a> {
    /// With the index of the next integer.
    Intset(&'a Intset, usize),
    Listpack(listpack::Iter<'a>),
    Table(hashtable::Iter<'a, Member>),
}

impl<'a> Iterator for Iter<'a> {
    type Item = Element<'a>;

    #[inline]
    fn next(&mut self) -> Option<Element<'a>> {
        match &mut self.0 {
            Walk::Intset(intset, index) => {
                *index += 1;
                intset.get(*index - 1).map(Element::Int)
            }
            Walk::Listpack(elements) => elements.next(),
            Walk::Table(members) => members.next().map(|member| Element::Bytes(member.bytes())),
        }
    }
}

impl Default for Set {
    fn default() -> Self {
        Self::new()
    }
}

/// Whether both have the same members, in whatever encoding and order.
impl PartialEq for Set {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().all(|member| other.contains_element(member))
    }
}

impl fmt::Debug for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Set({}, {} members)", self.encoding().name(), self.len())
    }
}
