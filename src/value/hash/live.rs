//! A hash as commands see it: without the fields whose time is over. Mostly there are none, as a
//! lookup removes them; they are there where nothing may be removed, and when more expire at once
//! than one lookup removes. Called by the commands.

use std::collections::HashSet;

use super::Hash;
use crate::base::rng::Rng;
use crate::data::listpack::Element;

/// So many fields are picked at random before all are looked at for one that is not over.
const TRIES_PER_PICK: usize = 100;

/// A hash at a time.
#[derive(Clone, Copy, Debug)]
pub struct Live<'a> {
    hash: &'a Hash,
    /// The time, if there are fields whose time was over before it.
    clock: Option<i64>,
}

impl<'a> Live<'a> {
    /// The hash as it is at `now_ms`.
    #[inline]
    pub fn new(hash: &'a Hash, now_ms: i64) -> Self {
        let due = hash.next_expiry().is_some_and(|at_ms| at_ms < now_ms);
        Live { hash, clock: due.then_some(now_ms) }
    }

    /// How many fields are stored, those included whose time is over (HLEN).
    #[inline]
    pub fn stored(self) -> usize {
        self.hash.len()
    }

    /// How many fields there are.
    pub fn len(self) -> usize {
        if self.clock.is_none() { self.hash.len() } else { self.iter().count() }
    }

    /// Whether there is no field.
    pub fn is_empty(self) -> bool {
        if self.clock.is_none() { self.hash.is_empty() } else { self.iter().next().is_none() }
    }

    /// The value of a field.
    #[inline]
    pub fn get(self, field: &[u8]) -> Option<Element<'a>> {
        if self.clock.is_none() {
            return self.hash.get(field);
        }
        let (value, expiry) = self.hash.entry(field)?;
        self.admits(expiry).then_some(value)
    }

    /// Whether there is such a field.
    #[inline]
    pub fn contains(self, field: &[u8]) -> bool {
        if self.clock.is_none() { self.hash.contains(field) } else { self.get(field).is_some() }
    }

    /// When a field expires: `None` without the field, `Some(None)` if it does not.
    pub fn expiry(self, field: &[u8]) -> Option<Option<i64>> {
        let (_, expiry) = self.hash.entry(field)?;
        self.admits(expiry).then_some(expiry)
    }

    /// All fields with their values.
    pub fn iter(self) -> impl Iterator<Item = (Element<'a>, Element<'a>)> {
        let live = self.hash.entries().filter(move |&(_, _, expiry)| self.admits(expiry));
        live.map(|(field, value, _)| (field, value))
    }

    /// As [`Hash::scan`].
    pub fn scan(
        self,
        cursor: u64,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) -> u64 {
        self.hash.scan_entries(cursor, count, |(field, value, expiry)| {
            if self.admits(expiry) {
                visit(field, value);
            }
        })
    }

    /// As [`Hash::pick`]; none if there is none.
    pub fn pick(
        self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        if self.clock.is_none() {
            return self.hash.pick(rng, count, visit);
        }
        let mut all: Option<Vec<_>> = None;
        for _ in 0..count {
            let lucky = if all.is_none() { self.pick_lucky(rng) } else { None };
            if let Some((field, value)) = lucky {
                visit(field, value);
                continue;
            }
            // Almost all are over: those that are not have to be found.
            let all = all.get_or_insert_with(|| self.iter().collect());
            if all.is_empty() {
                return;
            }
            let (field, value) = all[rng.below(all.len() as u64) as usize];
            visit(field, value);
        }
    }

    /// One of the fields that are not over, if it is met soon among all.
    fn pick_lucky(self, rng: &mut Rng) -> Option<(Element<'a>, Element<'a>)> {
        (0..TRIES_PER_PICK).find_map(|_| {
            let mut found = None;
            self.hash.pick(rng, 1, |field, value| found = Some((field, value)));
            found.filter(|(field, _)| self.contains(field.bytes(&mut itoa::Buffer::new())))
        })
    }

    /// As [`Hash::sample`].
    pub fn sample(
        self,
        rng: &mut Rng,
        count: usize,
        mut visit: impl FnMut(Element<'a>, Element<'a>),
    ) {
        if self.clock.is_none() {
            return self.hash.sample(rng, count, visit);
        }
        let all: Vec<_> = self.iter().collect();
        let mut chosen = HashSet::new();
        // Floyd's choice of different numbers.
        for last in all.len().saturating_sub(count)..all.len() {
            let index = rng.below(last as u64 + 1) as usize;
            let index = if chosen.insert(index) { index } else { last };
            chosen.insert(index);
            let (field, value) = all[index];
            visit(field, value);
        }
    }

    #[inline]
    fn admits(self, expiry: Option<i64>) -> bool {
        !matches!((self.clock, expiry), (Some(now_ms), Some(at_ms)) if at_ms < now_ms)
    }
}
