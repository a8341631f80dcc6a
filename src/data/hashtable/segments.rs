//! The memory of the buckets: an array that grows and shrinks at its end, in segments that stay in
//! place. Only the last segment is smaller than the others; it grows through the allocator's size
//! classes, so that a table of one key is one bucket and a large one wastes less than a segment.
//!
//! Only the table's own files use this. It never looks into a bucket, and frees memory, not
//! entries.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::marker::PhantomData;
use std::ptr;

use super::Entry;
use super::chain::{Bucket, Chain, NODE_BYTES};

const SHIFT: u32 = 9;
/// Buckets of a full segment.
const SEGMENT: u32 = 1 << SHIFT;
/// Buckets that a segment other than the first begins with.
const SEGMENT_START: u32 = 64;
/// From this many segments on, a new one is small beside the rest and begins full.
const WHOLE_FROM: u32 = 64;
/// Buckets a table may have; their index is taken from 32 bits of the hash.
pub(super) const BUCKETS_MAX: u32 = u32::MAX >> 1;

/// A growing array of buckets.
pub(super) struct Segments<E> {
    /// Null without buckets; the only segment's address up to [`SEGMENT`] buckets; else the address
    /// of an array of segment addresses.
    root: *mut u8,
    buckets: u32,
    /// Overflow nodes of all buckets, for the account of memory.
    pub(super) nodes: u32,
    /// Places in the array of segment addresses, 0 without one.
    directory: u32,
    /// Buckets that the last segment has room for.
    room: u32,
    owned: PhantomData<E>,
}

impl<E: Entry> Segments<E> {
    pub(super) const fn new() -> Self {
        let root = ptr::null_mut();
        Segments { root, buckets: 0, nodes: 0, directory: 0, room: 0, owned: PhantomData }
    }

    #[inline(always)]
    pub(super) fn len(&self) -> u32 {
        self.buckets
    }

    /// The bucket at `index`, which must be below [`Segments::len`].
    #[inline(always)]
    pub(super) fn chain(&self, index: u32) -> Chain<E> {
        debug_assert!(index < self.buckets);
        let segment = if self.buckets <= SEGMENT {
            self.root.cast()
        } else {
            // SAFETY: with more buckets than one segment has, the root is the directory, and it has
            // an address for each segment that holds a bucket.
            unsafe { *self.root.cast::<*mut Bucket<E>>().add((index >> SHIFT) as usize) }
        };
        // SAFETY: the segment has this bucket, initialised when it was appended. The handle is used
        // only while the table is borrowed, and buckets move only in `push` and `pop`.
        unsafe { Chain::new(segment.add((index & (SEGMENT - 1)) as usize)) }
    }

    /// Appends an empty bucket.
    pub(super) fn push(&mut self) {
        let used = self.buckets & (SEGMENT - 1);
        if used == 0 {
            self.append_segment();
        } else if used == self.room {
            self.resize_last(size_class(used + 1).min(SEGMENT));
        }
        self.buckets += 1;
        let last = self.last_segment();
        // SAFETY: the last segment has room for the bucket at `used`, which holds nothing.
        unsafe { Chain::init(last.add(used as usize)) }
    }

    /// Removes the last bucket, which must be empty.
    pub(super) fn pop(&mut self) {
        debug_assert!(self.buckets > 0 && self.chain(self.buckets - 1).len() == 0);
        let used = (self.buckets - 1) & (SEGMENT - 1);
        if used == 0 {
            self.remove_segment();
            self.buckets -= 1;
            return;
        }
        // An eighth more than is used, so that one bucket to and fro does not move the segment.
        let fitting = size_class(used + used / 8);
        if fitting < self.room {
            self.resize_last(fitting);
        }
        self.buckets -= 1;
    }

    /// Frees all buckets, which must be empty.
    pub(super) fn free(&mut self) {
        while self.buckets > 0 {
            self.remove_segment();
            self.buckets = (self.buckets - 1) & !(SEGMENT - 1);
        }
    }

    /// Bytes allocated for buckets, nodes and directory.
    pub(super) fn heap_bytes(&self) -> usize {
        let full = (self.buckets.saturating_sub(1) >> SHIFT) as usize * SEGMENT as usize;
        (full + self.room as usize) * size_of::<Bucket<E>>()
            + self.nodes as usize * NODE_BYTES
            + self.directory as usize * size_of::<*mut u8>()
    }

    /// The segment of the last bucket.
    fn last_segment(&self) -> *mut Bucket<E> {
        if self.buckets <= SEGMENT {
            return self.root.cast();
        }
        // SAFETY: the root is the directory, which has the last bucket's segment.
        unsafe { *self.place_of_segment((self.buckets - 1) >> SHIFT) }
    }

    /// # Safety
    /// There must be a directory with that many places.
    unsafe fn place_of_segment(&self, segment: u32) -> *mut *mut Bucket<E> {
        debug_assert!(segment < self.directory);
        // SAFETY: the caller's contract.
        unsafe { self.root.cast::<*mut Bucket<E>>().add(segment as usize) }
    }

    fn append_segment(&mut self) {
        let segments = self.buckets >> SHIFT;
        if segments == 0 {
            self.root = resize(ptr::null_mut(), None, bucket_layout::<E>(1));
            self.room = 1;
            return;
        }
        if segments >= self.directory.max(1) {
            self.grow_directory(segments);
        }
        let room = if segments >= WHOLE_FROM { SEGMENT } else { SEGMENT_START };
        let segment = resize(ptr::null_mut(), None, bucket_layout::<E>(room));
        // SAFETY: the directory has just been made large enough.
        unsafe { self.place_of_segment(segments).write(segment.cast()) };
        self.room = room;
    }

    fn grow_directory(&mut self, segments: u32) {
        let places = size_class(segments + segments / 2 + 2);
        let layout = directory_layout(places);
        if self.directory == 0 {
            let only = self.root;
            self.root = resize(ptr::null_mut(), None, layout);
            // SAFETY: the new array has at least one place.
            unsafe { self.root.cast::<*mut u8>().write(only) };
        } else {
            self.root = resize(self.root, Some(directory_layout(self.directory)), layout);
        }
        self.directory = places;
    }

    /// Frees the last segment, which holds only the last bucket.
    fn remove_segment(&mut self) {
        let last = self.last_segment();
        // SAFETY: the last segment was allocated with room for `room` buckets; nothing refers to it
        // once the caller has lowered the number of buckets.
        unsafe { dealloc(last.cast(), bucket_layout::<E>(self.room)) };
        match (self.buckets - 1) >> SHIFT {
            0 => (self.root, self.room) = (ptr::null_mut(), 0),
            1 => {
                // SAFETY: the directory's first place is the segment that remains.
                let only = unsafe { *self.place_of_segment(0) };
                // SAFETY: the directory was allocated with this many places.
                unsafe { dealloc(self.root, directory_layout(self.directory)) };
                (self.root, self.directory, self.room) = (only.cast(), 0, SEGMENT);
            }
            left => {
                let places = size_class(left + left / 2 + 2);
                if places < self.directory / 2 {
                    let old = Some(directory_layout(self.directory));
                    self.root = resize(self.root, old, directory_layout(places));
                    self.directory = places;
                }
                self.room = SEGMENT;
            }
        }
    }

    fn resize_last(&mut self, room: u32) {
        let old = Some(bucket_layout::<E>(self.room));
        let last = self.last_segment();
        let moved = resize(last.cast(), old, bucket_layout::<E>(room));
        if self.buckets <= SEGMENT {
            self.root = moved;
        } else {
            // SAFETY: with more than one segment the root is the directory.
            unsafe { self.place_of_segment((self.buckets - 1) >> SHIFT).write(moved.cast()) };
        }
        self.room = room;
    }
}

/// The smallest count of at least `n` that fills a size class of the allocator: eight, then four
/// steps for each doubling.
fn size_class(n: u32) -> u32 {
    if n <= 8 { n } else { n.next_multiple_of(n.next_power_of_two() / 8) }
}

fn bucket_layout<E>(buckets: u32) -> Layout {
    Layout::array::<Bucket<E>>(buckets as usize).unwrap_or_else(|_| unreachable!("one segment"))
}

fn directory_layout(places: u32) -> Layout {
    Layout::array::<*mut u8>(places as usize).unwrap_or_else(|_| unreachable!("32 bits of places"))
}

/// Allocates, or reallocates what was allocated with `old`.
fn resize(memory: *mut u8, old: Option<Layout>, new: Layout) -> *mut u8 {
    let moved = match old {
        // SAFETY: no layout here has size zero.
        None => unsafe { alloc(new) },
        // SAFETY: the caller's memory was allocated with `old`, which has the alignment of `new`.
        Some(old) => unsafe { realloc(memory, old, new.size()) },
    };
    if moved.is_null() {
        handle_alloc_error(new);
    }
    moved
}
