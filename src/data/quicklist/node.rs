//! One node of a quicklist: a listpack, or one large element by itself, either of them compressed
//! or not. Knows no other nodes; the quicklist decides which are compressed.

use crate::base::{alloc, lzf};
use crate::data::listpack::{Cursor, Edge, Element, Entries, Listpack, Needle, OpenListpack};

use super::{Direction, End};

/// Smaller nodes are not compressed (Redis: MIN_COMPRESS_BYTES).
const COMPRESSED_BYTES_MIN: usize = 48;
/// Compression must save more than this (Redis: MIN_COMPRESS_IMPROVE).
const SAVED_BYTES_MIN: usize = 8;
/// Header and end of a listpack, which two of them have twice.
const FRAME_BYTES: usize = 7;
const HEADER_BYTES: usize = 6;

#[derive(Clone, Debug)]
enum Body {
    Packed(Listpack),
    /// A listpack at an end of the list, where elements come and go.
    Open(Box<OpenListpack>),
    Plain(Box<[u8]>),
    /// A listpack that is compressed.
    PackedLzf(Box<[u8]>),
    /// A large element that is compressed.
    PlainLzf(Box<[u8]>),
}

/// Some neighbouring elements of a list.
///
/// Invariant: `entries` is their number; `unpacked_bytes` is what a compressed body unfolds to.
#[derive(Clone, Debug)]
pub(super) struct Node {
    body: Body,
    entries: u32,
    unpacked_bytes: u32,
}

const _: () = assert!(size_of::<Node>() <= 32);

impl PartialEq for Node {
    fn eq(&self, other: &Self) -> bool {
        self.stored() == other.stored()
    }
}

/// What a node holds, as a snapshot stores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NodeRef<'a> {
    /// The bytes of a listpack or of the one large element, or their compressed form.
    pub bytes: &'a [u8],
    /// How many bytes there are without compression; `None`: `bytes` are not compressed.
    pub unpacked_bytes: Option<usize>,
    /// Whether there is one large element only.
    pub is_plain: bool,
    /// How many elements there are.
    pub entries: usize,
}

impl NodeRef<'_> {
    /// Bytes without compression.
    pub fn size(&self) -> usize {
        self.unpacked_bytes.unwrap_or(self.bytes.len())
    }
}

impl Node {
    pub(super) fn packed(listpack: Listpack) -> Node {
        let entries = listpack.len() as u32;
        Node { body: Body::Packed(listpack), entries, unpacked_bytes: 0 }
    }

    /// One large element. It is shorter than 4 GiB, as all arguments are.
    pub(super) fn plain(element: Box<[u8]>) -> Node {
        Node { body: Body::Plain(element), entries: 1, unpacked_bytes: 0 }
    }

    /// A listpack of one element.
    pub(super) fn of(element: &[u8]) -> Node {
        let mut listpack = Listpack::new();
        listpack.push_back(element);
        Node { body: Body::Packed(listpack), entries: 1, unpacked_bytes: 0 }
    }

    #[inline]
    pub(super) fn entries(&self) -> usize {
        self.entries as usize
    }

    /// Bytes without compression.
    #[inline]
    pub(super) fn bytes(&self) -> usize {
        match &self.body {
            Body::Packed(listpack) => listpack.bytes(),
            Body::Open(listpack) => listpack.bytes(),
            Body::Plain(element) => element.len(),
            Body::PackedLzf(_) | Body::PlainLzf(_) => self.unpacked_bytes as usize,
        }
    }

    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        matches!(self.body, Body::Plain(_) | Body::PlainLzf(_))
    }

    fn is_compressed(&self) -> bool {
        matches!(self.body, Body::PackedLzf(_) | Body::PlainLzf(_))
    }

    pub(super) fn heap_bytes(&self) -> usize {
        match &self.body {
            Body::Packed(listpack) => listpack.heap_bytes(),
            Body::Open(open) => alloc::usable_size(size_of_val(&**open)) + open.heap_bytes(),
            Body::Plain(bytes) | Body::PackedLzf(bytes) | Body::PlainLzf(bytes) => {
                alloc::usable_size(bytes.len())
            }
        }
    }

    pub(super) fn stored(&self) -> NodeRef<'_> {
        let bytes = match &self.body {
            Body::Packed(listpack) => listpack.as_bytes(),
            Body::Open(open) => open.as_bytes(),
            Body::Plain(bytes) | Body::PackedLzf(bytes) | Body::PlainLzf(bytes) => bytes,
        };
        NodeRef {
            bytes,
            unpacked_bytes: self.is_compressed().then_some(self.unpacked_bytes as usize),
            is_plain: self.is_plain(),
            entries: self.entries(),
        }
    }

    pub(super) fn into_listpack(mut self) -> Option<Listpack> {
        self.inflate();
        match self.body {
            Body::Packed(listpack) => Some(listpack),
            Body::Open(open) => Some(Listpack::from(&*open)),
            Body::Plain(_) | Body::PackedLzf(_) | Body::PlainLzf(_) => None,
        }
    }

    // ---- compression

    /// Compresses the node if that saves enough.
    pub(super) fn deflate(&mut self) {
        let (raw, is_plain) = match &self.body {
            Body::Packed(listpack) => (listpack.as_bytes(), false),
            Body::Open(open) => (open.as_bytes(), false),
            Body::Plain(element) => (&element[..], true),
            Body::PackedLzf(_) | Body::PlainLzf(_) => return,
        };
        let mut packed = Vec::new();
        if raw.len() < COMPRESSED_BYTES_MIN
            || !lzf::compress(raw, &mut packed, raw.len() - SAVED_BYTES_MIN - 1)
        {
            return;
        }
        self.unpacked_bytes = raw.len() as u32;
        let packed = packed.into_boxed_slice();
        self.body = if is_plain { Body::PlainLzf(packed) } else { Body::PackedLzf(packed) };
    }

    /// Undoes compression.
    pub(super) fn inflate(&mut self) {
        if let Some(body) = self.inflated() {
            self.body = body;
        }
    }

    /// The body without compression, if it has one.
    fn inflated(&self) -> Option<Body> {
        let unpack = |packed: &[u8]| {
            lzf::decompress(packed, self.unpacked_bytes.into()).expect("it was compressed here")
        };
        match &self.body {
            Body::Packed(_) | Body::Open(_) | Body::Plain(_) => None,
            Body::PackedLzf(packed) => {
                let listpack = Listpack::from_bytes(&unpack(packed));
                Some(Body::Packed(listpack.expect("it was a listpack")))
            }
            Body::PlainLzf(packed) => Some(Body::Plain(unpack(packed).into_boxed_slice())),
        }
    }

    // ---- reading

    /// The elements of a listpack that is not compressed.
    fn entries_read(&self) -> Option<&Entries> {
        match &self.body {
            Body::Packed(listpack) => Some(listpack),
            Body::Open(open) => Some(open),
            Body::Plain(_) | Body::PackedLzf(_) | Body::PlainLzf(_) => None,
        }
    }

    /// Calls `visit` with the elements from an index on, in order, until it is satisfied; tells
    /// whether it was.
    #[inline]
    pub(super) fn walk(
        &self,
        from: usize,
        direction: Direction,
        visit: &mut impl FnMut(Element<'_>) -> bool,
    ) -> bool {
        match self.inflated() {
            None => walk_body(&self.body, from, direction, visit),
            Some(body) => walk_body(&body, from, direction, visit),
        }
    }

    /// Which of the elements is the first that is sought.
    pub(super) fn position(&self, needle: Needle<'_>) -> Option<usize> {
        if let Some(entries) = self.entries_read() {
            // Most nodes hold nothing that is sought.
            entries.first().and_then(|first| entries.find_needle(first, needle, 0))?;
        }
        let mut index = 0;
        let found = self.walk(0, Direction::Forward, &mut |element| {
            let found = needle.is(element);
            index += usize::from(!found);
            found
        });
        found.then_some(index)
    }

    // ---- the ends

    /// Adds an element at an end of the listpack, which the caller knows to be one.
    #[inline]
    pub(super) fn push(&mut self, end: End, element: &[u8]) {
        if let Some(open) = self.open() {
            open.push(edge(end), element);
            self.entries += 1;
        }
    }

    /// Removes the element at an end, after it was shown to `see`. The node may be empty
    /// afterwards.
    #[inline]
    pub(super) fn pop<R>(&mut self, end: End, see: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        self.entries -= 1;
        if let Some(open) = self.open() {
            return open.pop(edge(end), see);
        }
        match &self.body {
            Body::Plain(element) => Some(see(Element::Bytes(element))),
            _ => None,
        }
    }

    /// Whether it is a listpack with room at its ends.
    #[inline]
    pub(super) fn is_open(&self) -> bool {
        matches!(self.body, Body::Open(_))
    }

    /// The listpack, with room at its ends; no large element has that.
    #[inline]
    fn open(&mut self) -> Option<&mut OpenListpack> {
        if !self.is_open() {
            self.give_room();
        }
        match &mut self.body {
            Body::Open(open) => Some(open),
            _ => None,
        }
    }

    #[cold]
    fn give_room(&mut self) {
        self.inflate();
        if let Body::Packed(listpack) = &self.body {
            self.body = Body::Open(Box::new(OpenListpack::from(listpack)));
        }
    }

    /// Takes the room away: the node is not, or will not be, at an end of the list.
    pub(super) fn close(&mut self) {
        if let Body::Open(open) = &self.body {
            self.body = Body::Packed(Listpack::from(&**open));
        }
    }

    // ---- changing: of a listpack, which is neither compressed nor has room afterwards

    /// The listpack; the caller knows that there is one.
    #[inline]
    fn listpack(&mut self) -> &mut Listpack {
        self.inflate();
        self.close();
        match &mut self.body {
            Body::Packed(listpack) => listpack,
            Body::Open(_) | Body::Plain(_) | Body::PackedLzf(_) | Body::PlainLzf(_) => {
                unreachable!("a node of one large element is replaced or removed as a whole")
            }
        }
    }

    /// Puts an element before the one at an index, or at the end.
    pub(super) fn insert(&mut self, index: usize, element: &[u8]) {
        let listpack = self.listpack();
        match listpack.get(index as isize) {
            Some(cursor) => {
                listpack.insert_before(cursor, element);
            }
            None => listpack.push_back(element),
        }
        self.entries += 1;
    }

    /// Replaces the element at an index by one that is not too large for a listpack.
    pub(super) fn replace(&mut self, index: usize, element: &[u8]) {
        let listpack = self.listpack();
        let cursor = listpack.get(index as isize).expect("the index is one of the node's");
        listpack.replace(cursor, element);
    }

    /// Whether a listpack has room for an element of so many bytes, whatever a list's nodes may
    /// have.
    pub(super) fn could_hold(&self, bytes: usize) -> bool {
        match &self.body {
            Body::Packed(listpack) => listpack.would_fit(bytes),
            Body::Open(open) => open.would_fit(bytes),
            Body::PackedLzf(_) => true,
            Body::Plain(_) | Body::PlainLzf(_) => false,
        }
    }

    /// Removes elements from an index on. The node may be empty afterwards.
    pub(super) fn remove(&mut self, index: usize, count: usize) {
        if count == self.entries() {
            self.entries = 0;
            return;
        }
        let listpack = self.listpack();
        let cursor = listpack.get(index as isize).expect("the index is one of the node's");
        listpack.remove(cursor, count);
        self.entries -= count as u32;
    }

    /// Removes at most `max` elements that are sought, beginning at an end; returns how many. The
    /// node may be empty afterwards.
    pub(super) fn remove_equal(
        &mut self,
        needle: Needle<'_>,
        direction: Direction,
        max: usize,
    ) -> usize {
        if !matches!(self.body, Body::Packed(_)) {
            // Nodes that hold nothing that is sought stay as they are.
            let Some(_) = self.position(needle) else { return 0 };
        }
        if self.is_plain() {
            self.entries = 0;
            return 1;
        }
        let removed = remove_equal(self.listpack(), needle, direction, max);
        self.entries -= removed as u32;
        removed
    }

    /// Splits the elements from an index on off.
    pub(super) fn split_off(&mut self, index: usize) -> Node {
        let listpack = self.listpack();
        let mut tail = listpack.clone();
        let entries = self.entries as usize;
        let listpack = self.listpack();
        if let Some(cursor) = listpack.get(index as isize) {
            listpack.remove(cursor, entries - index);
        }
        if let Some(cursor) = tail.first() {
            tail.remove(cursor, index);
        }
        self.entries = index as u32;
        Node { body: Body::Packed(tail), entries: (entries - index) as u32, unpacked_bytes: 0 }
    }

    /// Appends the elements of another listpack.
    pub(super) fn append(&mut self, mut other: Node) {
        let entries = self.entries + other.entries;
        let (head, tail) = (self.listpack().as_bytes(), other.listpack().as_bytes());
        let mut bytes = Vec::with_capacity(head.len() + tail.len() - FRAME_BYTES);
        bytes.extend_from_slice(&((head.len() + tail.len() - FRAME_BYTES) as u32).to_le_bytes());
        // As many as the header has no room for are counted where needed.
        bytes.extend_from_slice(&u16::try_from(entries).unwrap_or(u16::MAX).to_le_bytes());
        bytes.extend_from_slice(&head[HEADER_BYTES..head.len() - 1]);
        bytes.extend_from_slice(&tail[HEADER_BYTES..]);
        let listpack = Listpack::from_bytes(&bytes).expect("both were listpacks");
        *self = Node { body: Body::Packed(listpack), entries, unpacked_bytes: 0 };
    }

    /// Bytes that both listpacks together would have (Redis: _quicklistNodeAllowMerge).
    pub(super) fn merged_bytes(&self, other: &Node) -> usize {
        self.bytes() + other.bytes() - FRAME_BYTES
    }
}

fn edge(end: End) -> Edge {
    match end {
        End::Head => Edge::Front,
        End::Tail => Edge::Back,
    }
}

#[inline]
fn walk_body(
    body: &Body,
    from: usize,
    direction: Direction,
    visit: &mut impl FnMut(Element<'_>) -> bool,
) -> bool {
    match body {
        Body::Packed(listpack) => walk_listpack(listpack, from, direction, visit),
        Body::Open(open) => walk_listpack(open, from, direction, visit),
        Body::Plain(element) => visit(Element::Bytes(element)),
        Body::PackedLzf(_) | Body::PlainLzf(_) => false,
    }
}

/// Calls `visit` with the elements of a listpack from an index on, in order, until it is satisfied;
/// tells whether it was.
#[inline]
pub fn walk_listpack(
    listpack: &Entries,
    from: usize,
    direction: Direction,
    visit: &mut impl FnMut(Element<'_>) -> bool,
) -> bool {
    let Some(mut cursor) = listpack.get(from as isize) else { return false };
    match direction {
        Direction::Forward => listpack.iter_from(cursor).any(visit),
        Direction::Backward => loop {
            if visit(listpack.at(cursor)) {
                return true;
            }
            let Some(before) = cursor.prev(listpack) else { return false };
            cursor = before;
        },
    }
}

/// Removes at most `max` elements of a listpack that are sought, beginning at an end; returns how
/// many.
pub fn remove_equal(
    listpack: &mut Listpack,
    needle: Needle<'_>,
    direction: Direction,
    max: usize,
) -> usize {
    // Most listpacks hold nothing that is sought.
    let Some(head) = listpack.first().and_then(|at| listpack.find_needle(at, needle, 0)) else {
        return 0;
    };
    let mut removed = 0;
    let mut next = match direction {
        Direction::Forward => Some(head),
        Direction::Backward => listpack.last(),
    };
    while let Some(from) = next.filter(|_| removed < max) {
        let Some(cursor) = seek(listpack, from, needle, direction) else { break };
        // Neighbours go together, so that what follows moves once.
        let (mut edge, mut run) = (cursor, 1);
        while removed + run < max {
            let beyond = step(listpack, edge, direction);
            let Some(beyond) = beyond.filter(|&beyond| needle.is(listpack.at(beyond))) else {
                break;
            };
            edge = beyond;
            run += 1;
        }
        let first = edge.min(cursor);
        let before = first.prev(listpack);
        let after = listpack.remove(first, run);
        removed += run;
        next = match direction {
            Direction::Forward => after,
            Direction::Backward => before,
        };
    }
    removed
}

fn step(listpack: &Entries, at: Cursor, direction: Direction) -> Option<Cursor> {
    match direction {
        Direction::Forward => at.next(listpack),
        Direction::Backward => at.prev(listpack),
    }
}

/// The next element that is sought, the one at the cursor included.
fn seek(
    listpack: &Entries,
    from: Cursor,
    needle: Needle<'_>,
    direction: Direction,
) -> Option<Cursor> {
    if direction == Direction::Forward {
        return listpack.find_needle(from, needle, 0);
    }
    let mut at = from;
    while !needle.is(listpack.at(at)) {
        at = at.prev(listpack)?;
    }
    Some(at)
}
