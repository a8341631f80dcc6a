//! Union, difference and intersection of sets. A set that is not there is `None`, and one that is
//! there twice is known by its address. What the result is encoded as depends on the order in which
//! members are added to it, which is Redis's.

use super::{Limits, Set};
use crate::data::listpack::Element;

/// The members of any of the sets.
pub fn union(sets: &[Option<&Set>], limits: Limits) -> Set {
    let mut result = Set::new();
    for set in sets.iter().flatten() {
        add_all(&mut result, set, limits);
    }
    result
}

fn add_all(result: &mut Set, set: &Set, limits: Limits) {
    for member in set.iter() {
        result.add_element(member, limits);
    }
}

/// The members of the first set that none of the others has.
pub fn difference(sets: &[Option<&Set>], limits: Limits) -> Set {
    let mut result = Set::new();
    let Some((Some(first), others)) = sets.split_first() else { return result };
    let mut others: Vec<&Set> = others.iter().copied().flatten().collect();
    if others.iter().any(|other| std::ptr::eq(*other, *first)) {
        return result;
    }
    // Asking every other set about each member of the first has the better constant; it is half the
    // work per set, compared with removing all members of the others.
    let asking = first.len().saturating_mul(1 + others.len()) / 2;
    let removing = first.len() + others.iter().map(|set| set.len()).sum::<usize>();
    if asking <= removing {
        // A big set is the likeliest to have a member.
        others.sort_by_key(|set| std::cmp::Reverse(set.len()));
        let lonely = |member: &Element<'_>| !others.iter().any(|set| set.contains_element(*member));
        for member in first.iter().filter(lonely) {
            result.add_element(member, limits);
        }
        return result;
    }
    add_all(&mut result, first, limits);
    for other in others {
        if result.is_empty() {
            break;
        }
        for member in other.iter() {
            result.remove_element(member);
        }
    }
    result
}

/// The members that all sets have, those of the smallest set in its order. There must be a set.
pub fn intersection<'a>(mut sets: Vec<&'a Set>) -> impl Iterator<Item = Element<'a>> {
    sets.sort_by_key(|set| set.len());
    let mut sets = sets.into_iter();
    let smallest = sets.next();
    let others: Vec<&Set> =
        sets.filter(|set| !smallest.is_some_and(|first| std::ptr::eq(first, *set))).collect();
    smallest
        .into_iter()
        .flat_map(Set::iter)
        .filter(move |member| others.iter().all(|set| set.contains_element(*member)))
}

/// The members that all sets have, as a set. There must be a set.
pub fn stored_intersection(sets: Vec<&Set>, limits: Limits) -> Set {
    let smallest_is_intset = sets
        .iter()
        .min_by_key(|set| set.len())
        .is_some_and(|set| set.encoding() == super::Encoding::Intset);
    let mut result = if smallest_is_intset { Set::new() } else { Set::empty_listpack() };
    for member in intersection(sets) {
        result.add_element(member, limits);
    }
    if !result.is_empty() {
        result.try_make_intset(limits);
    }
    result
}
