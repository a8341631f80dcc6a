//! Members by chance: choosing, sampling and taking out, each member as likely as any other.

use std::collections::HashSet;

use super::{Limits, Members, Repr, Set};
use crate::base::rng::Rng;
use crate::data::listpack::{Element, Listpack};

/// Above one member in so many, choosing walks all members instead of drawing until there are
/// enough different ones (Redis: SRANDMEMBER_SUB_STRATEGY_MUL).
const SAMPLED_SHARE: usize = 3;

/// Which of some things to take, so that any choice of the wanted number is as likely as another.
struct Selection {
    wanted: usize,
    left: usize,
}

impl Selection {
    /// Whether the next thing is taken.
    fn takes(&mut self, rng: &mut Rng) -> bool {
        let taken = rng.below(self.left as u64) < self.wanted as u64;
        self.left -= 1;
        self.wanted -= usize::from(taken);
        taken
    }
}

impl Set {
    /// A random member.
    pub fn random(&self, rng: &mut Rng) -> Option<Element<'_>> {
        let index = |rng: &mut Rng| rng.below(self.len() as u64) as usize;
        match self.repr() {
            Repr::Intset(intset) => intset.get(index(rng)).map(Element::Int),
            Repr::Listpack(listpack) => {
                listpack.get(index(rng) as isize).map(|cursor| listpack.at(cursor))
            }
            Repr::Table(members) => {
                members.table.random(rng).map(|member| Element::Bytes(member.bytes()))
            }
        }
    }

    /// `count` members at random, any of them again and again; none if there is none.
    pub fn pick<'a>(&'a self, rng: &mut Rng, count: usize, mut visit: impl FnMut(Element<'a>)) {
        if let (Repr::Listpack(listpack), 2..) = (self.repr(), count) {
            let all: Vec<_> = listpack.iter().collect();
            for _ in 0..if all.is_empty() { 0 } else { count } {
                visit(all[rng.below(all.len() as u64) as usize]);
            }
            return;
        }
        for _ in 0..count {
            let Some(member) = self.random(rng) else { return };
            visit(member);
        }
    }

    /// `count` different members at random, or all if there are no more.
    pub fn sample<'a>(&'a self, rng: &mut Rng, count: usize, mut visit: impl FnMut(Element<'a>)) {
        let few = count < self.len() / SAMPLED_SHARE;
        match self.repr() {
            Repr::Table(members) if few => {
                let mut chosen = HashSet::with_capacity(count);
                while chosen.len() < count {
                    let Some(member) = members.table.random(rng) else { return };
                    if chosen.insert(member.address()) {
                        visit(Element::Bytes(member.bytes()));
                    }
                }
            }
            Repr::Intset(intset) if few => {
                let mut chosen = HashSet::with_capacity(count);
                while chosen.len() < count {
                    let index = rng.below(intset.len() as u64) as usize;
                    if chosen.insert(index) {
                        intset.get(index).into_iter().for_each(|n| visit(Element::Int(n)));
                    }
                }
            }
            _ => {
                let len = self.len();
                let mut selection = Selection { wanted: count.min(len), left: len };
                self.iter().filter(|_| selection.takes(rng)).for_each(visit);
            }
        }
    }

    /// Takes out a random member, after showing it.
    pub fn pop(&mut self, rng: &mut Rng, visit: impl FnOnce(Element<'_>)) {
        let len = self.len() as u64;
        match self.repr_mut() {
            Repr::Intset(intset) => {
                if let Some(n) = intset.get(rng.below(len) as usize) {
                    visit(Element::Int(n));
                    intset.remove(n);
                }
            }
            Repr::Listpack(listpack) => {
                if let Some(cursor) = listpack.get(rng.below(len) as isize) {
                    visit(listpack.at(cursor));
                    listpack.remove(cursor, 1);
                }
            }
            Repr::Table(members) => members.pop(rng, |bytes| visit(Element::Bytes(bytes))),
        }
    }

    /// Takes out so many random members, of which there must be more, after showing each.
    pub fn pop_many(&mut self, rng: &mut Rng, count: usize, mut visit: impl FnMut(Element<'_>)) {
        let Repr::Listpack(listpack) = self.repr() else {
            return (0..count).for_each(|_| self.pop(rng, &mut visit));
        };
        // One walk for all instead of one for each.
        let len = listpack.len();
        let mut selection = Selection { wanted: count.min(len), left: len };
        let mut kept = Listpack::new();
        let mut digits = itoa::Buffer::new();
        for member in listpack {
            if selection.takes(rng) {
                visit(member);
            } else {
                kept.push_back(member.bytes(&mut digits));
            }
        }
        *self = Set::of_listpack(kept);
    }

    /// Moves so many random members to a set of their own (Redis: the third case of
    /// spopWithCountCommand).
    pub fn split_off_random(&mut self, rng: &mut Rng, count: usize, limits: Limits) -> Set {
        let mut split = match self.repr() {
            Repr::Intset(_) => Set::new(),
            Repr::Listpack(_) | Repr::Table(_) => Set::empty_listpack(),
        };
        self.pop_many(rng, count, |member| _ = split.add_element(member, limits));
        split
    }
}

impl Members {
    fn pop(&mut self, rng: &mut Rng, visit: impl FnOnce(&[u8])) {
        if let Some(member) = self.table.random(rng).cloned() {
            visit(member.bytes());
            self.remove(member.bytes());
        }
    }
}
