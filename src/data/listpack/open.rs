//! A listpack with room at both ends: where elements are added and taken there, nothing moves for
//! most of them. Used by the nodes at the ends of long lists. May cost as many bytes again, and
//! nothing else can be changed: its owner turns it into a [`Listpack`] for that.

use super::entry::{self, END, Element, NewEntry};
use super::{BYTES_MAX, Entries, HEADER_BYTES, LEN_UNKNOWN, Listpack, WORD};
use crate::base::alloc::{size_class, usable_size};

/// Least bytes that room is made of at a time.
const ROOM_BYTES_MIN: usize = 64;

/// An end of a listpack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Before the first element.
    Front,
    /// Behind the last one.
    Back,
}

/// A listpack with room at both ends.
///
/// Invariant: a valid listpack starts at `start` of the buffer, and its header tells its bytes.
#[derive(Clone)]
pub struct OpenListpack {
    buffer: Box<[u8]>,
    start: u32,
}

impl From<&Listpack> for OpenListpack {
    fn from(listpack: &Listpack) -> Self {
        // Room comes with the first element that needs it, at its end.
        OpenListpack { buffer: listpack.as_bytes().into(), start: 0 }
    }
}

impl From<&OpenListpack> for Listpack {
    fn from(open: &OpenListpack) -> Self {
        Listpack::of_valid(open.as_bytes())
    }
}

impl std::ops::Deref for OpenListpack {
    type Target = Entries;

    #[inline]
    fn deref(&self) -> &Entries {
        let start = self.start as usize;
        Entries::of(&self.buffer[start..start + self.bytes()])
    }
}

impl std::fmt::Debug for OpenListpack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}

impl OpenListpack {
    /// How many bytes there are without the room.
    #[inline]
    pub fn bytes(&self) -> usize {
        let start = self.start as usize;
        match self.buffer[start..].first_chunk() {
            Some(bytes) => u32::from_le_bytes(*bytes) as usize,
            None => 0,
        }
    }

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        usable_size(self.buffer.len())
    }

    /// Whether so many bytes more keep it within the size that no listpack should exceed.
    pub fn would_fit(&self, more: usize) -> bool {
        self.bytes().saturating_add(more) <= BYTES_MAX
    }

    /// Adds an element at an end. The owner asks `would_fit` first.
    #[inline]
    pub fn push(&mut self, edge: Edge, element: &[u8]) {
        let entry = NewEntry::new(element);
        let added = entry.len();
        let before = self.bytes();
        if self.room(edge, before) < added {
            self.make_room(edge, added);
        }
        let place = match edge {
            Edge::Front => {
                let elements = self.announced();
                self.start -= added as u32;
                self.write_header(before + added, elements.saturating_add(1));
                self.start as usize + HEADER_BYTES
            }
            Edge::Back => {
                self.write_header(before + added, self.announced().saturating_add(1));
                let end = self.start as usize + before - 1;
                self.buffer[end + added] = END;
                end
            }
        };
        entry.write(&mut self.buffer[place..place + added]);
    }

    /// Removes the element at an end, if there is one, after it was shown to `see`.
    #[inline]
    pub fn pop<R>(&mut self, edge: Edge, see: impl FnOnce(Element<'_>) -> R) -> Option<R> {
        let cursor = match edge {
            Edge::Front => self.first(),
            Edge::Back => self.last(),
        }?;
        let (element, removed) = entry::read(&self.as_bytes()[cursor.0..]);
        let seen = see(element);
        let left = self.bytes() - removed;
        let elements = match self.announced() {
            LEN_UNKNOWN => LEN_UNKNOWN,
            elements => elements - 1,
        };
        match edge {
            Edge::Front => self.start += removed as u32,
            Edge::Back => self.buffer[self.start as usize + cursor.0] = END,
        }
        self.write_header(left, elements);
        if 2 * left + 2 * ROOM_BYTES_MIN < self.buffer.len() {
            self.relocate(edge, left);
        }
        Some(seen)
    }

    /// Bytes that may be written at an end.
    #[inline]
    fn room(&self, edge: Edge, bytes: usize) -> usize {
        match edge {
            Edge::Front => self.start as usize,
            Edge::Back => self.buffer.len() - self.start as usize - bytes,
        }
    }

    /// Makes room for so many bytes and for as many as let the time for the move be forgotten.
    #[cold]
    fn make_room(&mut self, edge: Edge, added: usize) {
        let needed = self.bytes() + added;
        self.relocate(edge, needed + needed.max(ROOM_BYTES_MIN));
    }

    /// Moves to a buffer of so many bytes, all room of which is at one end.
    #[cold]
    fn relocate(&mut self, edge: Edge, wanted: usize) {
        let mut buffer = vec![0; size_class(wanted)].into_boxed_slice();
        let bytes = self.as_bytes();
        let start = match edge {
            Edge::Front => buffer.len() - bytes.len(),
            Edge::Back => 0,
        };
        buffer[start..start + bytes.len()].copy_from_slice(bytes);
        *self = OpenListpack { buffer, start: start as u32 };
    }

    #[inline]
    fn write_header(&mut self, bytes: usize, elements: u16) {
        let start = self.start as usize;
        let header = &mut self.buffer[start..start + HEADER_BYTES];
        header[..WORD].copy_from_slice(&(bytes as u32).to_le_bytes());
        header[WORD..].copy_from_slice(&elements.to_le_bytes());
    }
}
