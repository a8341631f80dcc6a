//! Lists: a listpack while short, a quicklist when long, and when one becomes the other. Called by
//! the commands on lists and by the snapshot formats; indexes are checked by the caller. Must never
//! be left empty in the keyspace: whoever takes the last element removes the key.

use super::Encoding;
use crate::data::listpack::{Element, Listpack, Needle};
use crate::data::quicklist::{self, NodeLimit, Quicklist};
use crate::data::thin::{Big, Either, Slim};

pub use crate::data::quicklist::{Direction, End, LARGE_BYTES, Limits, Side};

/// A list.
#[derive(Clone, Debug)]
pub struct List(Slim<Listpack, Big<Quicklist>>);

/// What a list is.
#[derive(Debug, PartialEq)]
pub enum Repr<L, Q> {
    /// A short one.
    Listpack(L),
    /// A long one.
    Quicklist(Q),
}

impl PartialEq for List {
    fn eq(&self, other: &Self) -> bool {
        self.repr() == other.repr()
    }
}

impl From<Quicklist> for List {
    fn from(quicklist: Quicklist) -> Self {
        List(Slim::b(Big::from(quicklist)))
    }
}

/// What happened to a list that may now be a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was made as a whole (Redis: LIST_CONV_AUTO).
    Built,
    /// It lost something: half of the limits hold, so that encodings do not change back and forth
    /// (Redis: LIST_CONV_SHRINKING).
    Shrunk,
}

impl Default for List {
    fn default() -> Self {
        List::new()
    }
}

impl List {
    /// A list without elements.
    pub fn new() -> Self {
        List(Slim::a(Listpack::new()))
    }

    /// What it is.
    #[inline]
    pub fn repr(&self) -> Repr<&Listpack, &Quicklist> {
        match self.0.get() {
            Either::A(listpack) => Repr::Listpack(listpack),
            Either::B(quicklist) => Repr::Quicklist(quicklist),
        }
    }

    #[inline]
    fn repr_mut(&mut self) -> Repr<&mut Listpack, &mut Quicklist> {
        match self.0.get_mut() {
            Either::A(listpack) => Repr::Listpack(listpack),
            Either::B(quicklist) => Repr::Quicklist(quicklist),
        }
    }

    /// How many elements there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self.repr() {
            Repr::Listpack(listpack) => listpack.len(),
            Repr::Quicklist(quicklist) => quicklist.len(),
        }
    }

    /// Whether there are no elements.
    #[inline]
    pub fn is_empty(&self) -> bool {
        match self.repr() {
            Repr::Listpack(listpack) => listpack.is_empty(),
            Repr::Quicklist(quicklist) => quicklist.is_empty(),
        }
    }

    /// The list's encoding.
    pub fn encoding(&self) -> Encoding {
        match self.repr() {
            Repr::Listpack(_) => Encoding::Listpack,
            Repr::Quicklist(_) => Encoding::Quicklist,
        }
    }

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        match self.repr() {
            Repr::Listpack(listpack) => listpack.heap_bytes(),
            Repr::Quicklist(quicklist) => Big::<Quicklist>::heap_bytes() + quicklist.heap_bytes(),
        }
    }

    /// Roughly the number of allocations.
    pub fn free_effort(&self) -> usize {
        match self.repr() {
            Repr::Listpack(_) => 1,
            Repr::Quicklist(quicklist) => quicklist.nodes().len(),
        }
    }

    // ---- conversions

    /// Makes a listpack a quicklist if with these elements it would be too big (Redis:
    /// listTypeTryConversionAppend).
    pub fn grow<'a>(&mut self, added: impl ExactSizeIterator<Item = &'a [u8]>, limits: &Limits) {
        let Repr::Listpack(listpack) = self.repr_mut() else { return };
        let entries = listpack.len() + added.len();
        let bytes = listpack.bytes() + added.map(<[u8]>::len).sum::<usize>();
        if NodeLimit::new(limits.fill).is_exceeded(bytes, entries) {
            let mut quicklist = Quicklist::new(limits);
            quicklist.push_listpack(std::mem::take(listpack));
            *self = List::from(quicklist);
        }
    }

    /// Makes a quicklist a listpack if it has become small enough (Redis:
    /// listTypeTryConvertQuicklist).
    #[inline]
    pub fn settle(&mut self, changed: Changed, limits: &Limits) {
        let Repr::Quicklist(quicklist) = self.repr_mut() else { return };
        let Some(bytes) = quicklist.only_listpack_bytes() else { return };
        let divisor = if changed == Changed::Shrunk { 2 } else { 1 };
        let fits = match NodeLimit::new(limits.fill) {
            NodeLimit::Bytes(max) => bytes <= max / divisor,
            NodeLimit::Entries(max) => quicklist.len() <= max / divisor,
        };
        if fits && let Some(listpack) = quicklist.take_listpack() {
            self.0 = Slim::a(listpack);
        }
    }

    // ---- the ends

    /// Adds an element at an end, after [`List::grow`].
    #[inline]
    pub fn push(&mut self, end: End, element: &[u8], limits: &Limits) {
        match (self.repr_mut(), end) {
            (Repr::Listpack(listpack), End::Head) => listpack.push_front(element),
            (Repr::Listpack(listpack), End::Tail) => listpack.push_back(element),
            (Repr::Quicklist(quicklist), _) => quicklist.push(end, element, limits.large_bytes),
        }
    }

    /// Removes the element at an end, after it was shown to `see`.
    #[inline]
    pub fn pop<R>(&mut self, end: End, see: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        match self.repr_mut() {
            Repr::Listpack(listpack) => {
                let cursor = match end {
                    End::Head => listpack.first(),
                    End::Tail => listpack.last(),
                }?;
                let seen = see(listpack.at(cursor));
                listpack.remove(cursor, 1);
                Some(seen)
            }
            Repr::Quicklist(quicklist) => quicklist.pop(end, see),
        }
    }

    // ---- reading

    /// Calls `visit` with the elements from an index on, in order, until it is satisfied; tells
    /// whether it was.
    #[inline]
    pub fn walk(
        &self,
        from: usize,
        direction: Direction,
        mut visit: impl FnMut(Element<'_>) -> bool,
    ) -> bool {
        match self.repr() {
            Repr::Listpack(listpack) => {
                quicklist::walk_listpack(listpack, from, direction, &mut visit)
            }
            Repr::Quicklist(quicklist) => quicklist.walk(from, direction, &mut visit),
        }
    }

    /// What `see` makes of the element at an index, if there is one.
    pub fn get<R>(&self, index: usize, see: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let (mut see, mut seen) = (Some(see), None);
        self.walk(index, Direction::Forward, |element| {
            seen = see.take().map(|see| see(element));
            true
        });
        seen
    }

    // ---- changing, where growth is possible after [`List::grow`]

    /// Replaces the element at an index; whether there is one.
    pub fn replace(&mut self, index: usize, element: &[u8], limits: &Limits) -> bool {
        match self.repr_mut() {
            Repr::Listpack(listpack) => {
                let cursor = listpack.get(index as isize);
                cursor.map(|cursor| listpack.replace(cursor, element)).is_some()
            }
            Repr::Quicklist(quicklist) => quicklist.replace(index, element, limits.large_bytes),
        }
    }

    /// Puts an element next to the first one that equals the pivot; whether there is one.
    pub fn insert(&mut self, pivot: &[u8], side: Side, element: &[u8], limits: &Limits) -> bool {
        match self.repr_mut() {
            Repr::Listpack(listpack) => {
                let Some(cursor) = listpack.find(pivot, 0) else { return false };
                match side {
                    Side::Before => listpack.insert_before(cursor, element),
                    Side::After => listpack.insert_after(cursor, element),
                };
                true
            }
            Repr::Quicklist(quicklist) => {
                quicklist.insert(Needle::new(pivot), side, element, limits.large_bytes)
            }
        }
    }

    /// Removes at most `max` elements that equal one, beginning at an end; returns how many.
    pub fn remove_equal(&mut self, element: &[u8], direction: Direction, max: usize) -> usize {
        let needle = Needle::new(element);
        match self.repr_mut() {
            Repr::Listpack(listpack) => quicklist::remove_equal(listpack, needle, direction, max),
            Repr::Quicklist(quicklist) => quicklist.remove_equal(needle, direction, max),
        }
    }

    /// Removes at most so many elements from an index on. Returns what is better freed elsewhere.
    pub fn remove_range(&mut self, start: usize, count: usize) -> Option<List> {
        match self.repr_mut() {
            Repr::Listpack(listpack) => {
                if let Some(cursor) = listpack.get(start as isize) {
                    listpack.remove(cursor, count);
                }
                None
            }
            Repr::Quicklist(quicklist) => {
                quicklist.remove_range(start, count).map(|rest| List::from(*rest))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn add(list: &mut List, element: &[u8], limits: &Limits) {
        list.grow(std::iter::once(element), limits);
        list.push(End::Tail, element, limits);
    }

    fn of(limits: &Limits, elements: usize) -> List {
        let mut list = List::new();
        (0..elements).for_each(|n| add(&mut list, n.to_string().as_bytes(), limits));
        list
    }

    fn contents(list: &List) -> Vec<Vec<u8>> {
        let mut found = Vec::new();
        list.walk(0, Direction::Forward, |element| {
            found.push(element.to_vec());
            false
        });
        found
    }

    #[test]
    fn a_list_grows_into_a_quicklist_and_shrinks_back_at_half() {
        let limits = Limits { fill: 10, ..Limits::DEFAULT };
        let mut list = of(&limits, 10);
        assert_eq!(list.encoding(), Encoding::Listpack);
        add(&mut list, b"x", &limits);
        assert_eq!(list.encoding(), Encoding::Quicklist);
        for expected in [10, 9, 8, 7, 6] {
            list.pop(End::Tail, |_| ());
            list.settle(Changed::Shrunk, &limits);
            assert_eq!(list.len(), expected);
            assert_eq!(list.encoding(), Encoding::Quicklist, "{expected}");
        }
        list.pop(End::Head, |_| ());
        list.settle(Changed::Shrunk, &limits);
        assert_eq!((list.len(), list.encoding()), (5, Encoding::Listpack));
        let mut list = of(&limits, 11);
        list.remove_range(3, 5);
        list.settle(Changed::Built, &limits);
        assert_eq!(list.encoding(), Encoding::Quicklist);
    }

    #[test]
    fn bytes_decide_where_the_limit_is_in_bytes() {
        let limits = Limits { fill: -1, ..Limits::DEFAULT };
        let mut list = List::new();
        // Only the bytes of the elements count before they are added.
        add(&mut list, &[b'x'; 4089], &limits);
        assert_eq!(list.encoding(), Encoding::Listpack);
        add(&mut list, b"y", &limits);
        assert_eq!(list.encoding(), Encoding::Quicklist);
        assert!(list.replace(0, &[b'x'; 2000], &limits));
        list.settle(Changed::Shrunk, &limits);
        assert_eq!(list.encoding(), Encoding::Quicklist);
        list.remove_equal(b"y", Direction::Backward, 1);
        list.settle(Changed::Shrunk, &limits);
        assert_eq!(list.encoding(), Encoding::Listpack);
    }

    #[test]
    fn a_lone_large_element_stays_in_a_quicklist() {
        let limits = Limits { large_bytes: 100, ..Limits::DEFAULT };
        let mut list = of(&limits, 1);
        list.grow(std::iter::once(&[b'x'; 9000][..]), &limits);
        list.push(End::Tail, &[b'x'; 9000], &limits);
        list.pop(End::Head, |_| ());
        list.settle(Changed::Shrunk, &limits);
        assert_eq!((list.len(), list.encoding()), (1, Encoding::Quicklist));
    }

    proptest! {
        /// What is a listpack and what is a quicklist behave the same.
        #[test]
        fn encodings_agree(
            elements in prop::collection::vec("[ab1]{0,2}", 1..40),
            sought in "[ab1]{0,2}",
            start in 0usize..40,
            count in 0usize..40,
            max in 1usize..5,
        ) {
            let wide = Limits::DEFAULT;
            let narrow = Limits { fill: 3, compress_depth: 1, large_bytes: 1 << 20 };
            let build = |limits: &Limits| {
                let mut list = List::new();
                elements.iter().for_each(|element| add(&mut list, element.as_bytes(), limits));
                list
            };
            let lists = [(build(&wide), wide), (build(&narrow), narrow)];
            let results = lists.map(|(mut list, limits)| {
                let (start, element) = (start % list.len(), sought.as_bytes());
                let inserted = list.insert(element, Side::Before, b"new", &limits);
                let replaced = list.replace(start, b"set", &limits);
                let removed = list.remove_equal(element, Direction::Backward, max);
                let found = list.get(start, |element| element.to_vec());
                let (len, first) = (list.len(), start.min(list.len()));
                list.remove_range(first, count.min(len - first));
                (inserted, replaced, removed, found, contents(&list))
            });
            let [one, other] = results;
            prop_assert_eq!(one, other);
        }
    }
}
