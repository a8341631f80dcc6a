//! A member of a big sorted set with its score, in one allocation behind a pointer of eight bytes:
//!
//! ```text
//! score 8 | length 1 | length 4, if long | member
//! ```
//!
//! Sizes are rounded up to the allocator's classes, so that they are known without asking it. The
//! allocation stays in place for as long as the entry lives, whatever becomes of its score: a
//! [`Handle`] is a second pointer to it. Called by this room alone.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::{self, NonNull};

use crate::base::alloc::size_class;
use crate::data::hashtable::Entry;
use crate::data::prefetch::prefetch;
use crate::data::sorted_index::Item;

/// Bytes of the score.
const SCORE_BYTES: usize = size_of::<f64>();
/// Stands in the length's byte for a length that follows it.
const LONG: u8 = 0xff;
/// Bytes of a length that does not fit its byte.
const LONG_BYTES: usize = size_of::<u32>();

const _: () = assert!(size_of::<Option<Scored>>() == 8);

/// Where a member of this length begins.
fn member_at(len: usize) -> usize {
    SCORE_BYTES + if len < usize::from(LONG) { 1 } else { 1 + LONG_BYTES }
}

/// Bytes that are allocated for a member of this length.
fn class(len: usize) -> usize {
    size_class(member_at(len) + len)
}

fn layout(len: usize) -> Layout {
    // Members are shorter than 4 GiB, so the size cannot overflow.
    Layout::from_size_align(class(len), align_of::<f64>()).expect("a member's size fits")
}

/// An owned member, shorter than 4 GiB, with its score.
///
/// Invariant: `ptr` is an allocation of `layout(len())`, of which the score, the length and so many
/// bytes are initialised, and which nobody else frees.
#[repr(transparent)]
pub(super) struct Scored {
    ptr: NonNull<u8>,
}

// SAFETY: an entry owns its allocation, and handles go where the entry goes.
unsafe impl Send for Scored {}
// SAFETY: nothing is changed through `&Scored`.
unsafe impl Sync for Scored {}

impl Scored {
    /// A new member.
    ///
    /// # Panics
    /// If it has 4 GiB or more: neither requests nor files carry so long strings.
    pub(super) fn new(member: &[u8], score: f64) -> Self {
        let len = u32::try_from(member.len()).expect("a member is shorter than 4 GiB");
        let layout = layout(member.len());
        // SAFETY: no member has an empty layout.
        let ptr = NonNull::new(unsafe { alloc(layout) });
        let ptr = ptr.unwrap_or_else(|| handle_alloc_error(layout));
        let at = member_at(member.len());
        // SAFETY: the allocation is new, is aligned for the score, and has room for all parts.
        unsafe {
            ptr.cast::<f64>().write(score);
            let length = ptr.add(SCORE_BYTES);
            if at == SCORE_BYTES + 1 {
                length.write(len as u8);
            } else {
                length.write(LONG);
                length.add(1).cast::<u32>().write_unaligned(len);
            }
            ptr::copy_nonoverlapping(member.as_ptr(), ptr.add(at).as_ptr(), member.len());
        }
        Scored { ptr }
    }

    #[inline]
    pub(super) fn score(&self) -> f64 {
        self.handle().score()
    }

    /// Changes the score. No index may hold a handle meanwhile.
    #[inline]
    pub(super) fn set_score(&mut self, score: f64) {
        // SAFETY: the score lies first, aligned.
        unsafe { self.ptr.cast::<f64>().write(score) };
    }

    #[inline]
    pub(super) fn member(&self) -> &[u8] {
        // SAFETY: the entry is borrowed for as long as its bytes are.
        unsafe { self.handle().member() }
    }

    /// Bytes of the heap that the entry takes.
    #[inline]
    pub(super) fn heap_bytes(&self) -> usize {
        class(self.member().len())
    }

    /// Another pointer to the same member. It must not be used once the entry is gone.
    #[inline]
    pub(super) fn handle(&self) -> Handle {
        Handle { ptr: self.ptr }
    }
}

impl Entry for Scored {
    #[inline]
    fn key(&self) -> &[u8] {
        self.member()
    }
}

impl Drop for Scored {
    fn drop(&mut self) {
        let layout = layout(self.member().len());
        // SAFETY: the entry owns this allocation, which was made with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), layout) };
    }
}

/// A pointer to the member that a [`Scored`] owns. Whoever holds handles sees to it that they do
/// not outlive their entries; that is why they never leave this room.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub(super) struct Handle {
    ptr: NonNull<u8>,
}

// SAFETY: handles stay with their entries, which may be sent.
unsafe impl Send for Handle {}
// SAFETY: nothing is changed through a handle.
unsafe impl Sync for Handle {}

impl Handle {
    /// The member's bytes.
    ///
    /// # Safety
    /// The entry must live, and stay unchanged, for as long as the bytes are used.
    #[inline]
    pub(super) unsafe fn member<'a>(self) -> &'a [u8] {
        // SAFETY: the entry lives: the length is initialised, and so many bytes behind it.
        unsafe {
            let length = self.ptr.add(SCORE_BYTES);
            match length.read() {
                LONG => {
                    let len = length.add(1).cast::<u32>().read_unaligned() as usize;
                    let at = length.add(1 + LONG_BYTES);
                    std::slice::from_raw_parts(at.as_ptr(), len)
                }
                len => std::slice::from_raw_parts(length.add(1).as_ptr(), len.into()),
            }
        }
    }

    /// Where the member is, which no other member has in common.
    pub(super) fn address(self) -> usize {
        self.ptr.addr().get()
    }
}

impl Item for Handle {
    #[inline]
    fn score(self) -> f64 {
        // SAFETY: handles do not outlive their entries; the score lies first, aligned.
        unsafe { self.ptr.cast::<f64>().read() }
    }

    #[inline]
    fn prefetch(self) {
        prefetch(self.ptr.as_ptr());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_member() {
        let sizes = [(0, 16), (7, 16), (8, 32), (14, 32), (23, 32), (24, 48), (254, 320)];
        for (len, bytes) in sizes {
            assert_eq!(Scored::new(&vec![1; len], 1.0).heap_bytes(), bytes, "{len}");
        }
    }

    #[cfg(feature = "jemalloc")]
    #[test]
    fn classes_are_those_of_the_allocator() {
        for len in 0..5000 {
            assert_eq!(crate::base::alloc::usable_size(class(len)), class(len), "{len}");
        }
    }

    #[test]
    fn holds_what_it_is_given() {
        for len in (0..600).chain([70_000]) {
            let member: Vec<u8> = (0..len).map(|i| (i * 7) as u8).collect();
            let mut entry = Scored::new(&member, -1.5);
            assert_eq!((entry.member(), entry.score()), (&member[..], -1.5));
            let handle = entry.handle();
            entry.set_score(f64::INFINITY);
            assert_eq!((entry.key(), handle.score()), (&member[..], f64::INFINITY));
        }
    }
}
