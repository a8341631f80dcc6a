//! A small hash of which fields expire: a listpack of field, value and expiry by threes, as Redis
//! 7.4 has it. The expiry is in milliseconds since the Unix epoch, 0 where there is none; those
//! that expire stand in front, the next first. Called by `hash` only.

use crate::data::listpack::{self, Cursor, Element, Listpack};

/// Elements that belong together.
const STRIDE: usize = 3;

/// A listpack is not what triplets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotTriplets;

/// Fields with value and expiry.
#[derive(Clone)]
pub(super) struct Triplets(Listpack);

/// A field with its value, and when it expires.
pub(super) type Triplet<'a> = (Element<'a>, Element<'a>, Option<i64>);

impl Triplets {
    /// Of fields and values by turns, none of which expires.
    pub(super) fn of_pairs(pairs: &Listpack) -> Self {
        let mut triplets = Listpack::new();
        let mut digits = itoa::Buffer::new();
        let mut elements = pairs.iter();
        while let (Some(field), Some(value)) = (elements.next(), elements.next()) {
            triplets.push_back(field.bytes(&mut digits));
            triplets.push_back(value.bytes(&mut digits));
            triplets.push_back(b"0");
        }
        Triplets(triplets)
    }

    /// Those that stand in a listpack, if they are all different and in order.
    pub(super) fn from_listpack(triplets: Listpack) -> Result<Self, NotTriplets> {
        if !triplets.is_unique(STRIDE) {
            return Err(NotTriplets);
        }
        let mut last = 0;
        for expiry in triplets.iter().skip(STRIDE - 1).step_by(STRIDE) {
            // What does not expire is last of all.
            let at_ms = expiry.as_int().filter(|&at_ms| at_ms >= 0).ok_or(NotTriplets)?;
            let rank = if at_ms == 0 { u64::MAX } else { at_ms as u64 };
            if rank < last {
                return Err(NotTriplets);
            }
            last = rank;
        }
        Ok(Triplets(triplets))
    }

    /// The elements by threes.
    pub(super) fn listpack(&self) -> &Listpack {
        &self.0
    }

    /// Fields and values by turns, without what expires when.
    pub(super) fn to_pairs(&self) -> Listpack {
        let mut pairs = Listpack::new();
        let mut digits = itoa::Buffer::new();
        for (field, value, _) in self.iter() {
            pairs.push_back(field.bytes(&mut digits));
            pairs.push_back(value.bytes(&mut digits));
        }
        pairs
    }

    pub(super) fn len(&self) -> usize {
        self.0.len() / STRIDE
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn iter(&self) -> Iter<'_> {
        Iter(self.0.iter())
    }

    pub(super) fn find(&self, field: &[u8]) -> Option<Cursor> {
        self.0.find(field, STRIDE - 1)
    }

    /// The value and the expiry of the field at a cursor.
    pub(super) fn at(&self, field: Cursor) -> Option<(Element<'_>, Option<i64>)> {
        let value = field.next(&self.0)?;
        let expiry = value.next(&self.0)?;
        Some((self.0.at(value), expiry_of(self.0.at(expiry))))
    }

    /// When the next field expires.
    pub(super) fn next_expiry(&self) -> Option<i64> {
        self.at(self.0.first()?)?.1
    }

    /// Adds a field that is not there.
    pub(super) fn add(&mut self, field: &[u8], value: &[u8], expire_at: Option<i64>) {
        let behind = expire_at.and_then(|at_ms| self.first_behind(at_ms));
        let mut digits = itoa::Buffer::new();
        let expiry = digits.format(expire_at.unwrap_or(0)).as_bytes();
        for element in [expiry, value, field] {
            match behind {
                // The last of the three comes first, as each goes in front of the one before.
                Some(cursor) => _ = self.0.insert_before(cursor, element),
                None => break,
            }
        }
        if behind.is_none() {
            for element in [field, value, expiry] {
                self.0.push_back(element);
            }
        }
    }

    /// The first field that expires later or never.
    fn first_behind(&self, at_ms: i64) -> Option<Cursor> {
        let mut cursor = self.0.first();
        while let Some(field) = cursor {
            if self.at(field)?.1.is_none_or(|later| later > at_ms) {
                return Some(field);
            }
            cursor = field.skip(&self.0, STRIDE);
        }
        None
    }

    /// Replaces the value of the field at a cursor.
    pub(super) fn replace_value(&mut self, field: Cursor, value: &[u8]) {
        if let Some(at) = field.next(&self.0) {
            self.0.replace(at, value);
        }
    }

    pub(super) fn remove(&mut self, field: Cursor) {
        self.0.remove(field, STRIDE);
    }

    /// Removes fields whose time was over before `now_ms`, at most so many; how many.
    pub(super) fn remove_due(&mut self, now_ms: i64, max: usize) -> usize {
        let due = self.iter().take_while(|&(_, _, expiry)| expiry.is_some_and(|at| at < now_ms));
        let due = due.take(max).count();
        if let Some(first) = self.0.first() {
            self.0.remove(first, due * STRIDE);
        }
        due
    }

    pub(super) fn would_fit(&self, more: usize) -> bool {
        // An expiry takes at most eleven bytes.
        self.0.would_fit(more + 16)
    }
}

fn expiry_of(element: Element<'_>) -> Option<i64> {
    element.as_int().filter(|&at_ms| at_ms != 0)
}

/// The fields in order.
#[derive(Clone)]
pub(super) struct Iter<'a>(listpack::Iter<'a>);

impl<'a> Iterator for Iter<'a> {
    type Item = Triplet<'a>;

    fn next(&mut self) -> Option<Triplet<'a>> {
        Some((self.0.next()?, self.0.next()?, expiry_of(self.0.next()?)))
    }
}
