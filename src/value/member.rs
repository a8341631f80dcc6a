//! A member of a big set, in one allocation behind a pointer of eight bytes:
//!
//! ```text
//! length 1 | length 4, if long | member
//! ```
//!
//! Sizes are rounded up to the allocator's classes, so that they are known without asking it.
//! Called by `set`, which files members in a table; knows nothing of tables and encodings.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::{self, NonNull};

use crate::base::alloc::size_class;
use crate::data::hashtable::Entry;

/// Stands in the first byte for a length that follows it.
const LONG: u8 = 0xff;
/// Bytes of a length that does not fit the first byte.
const LONG_BYTES: usize = size_of::<u32>();

const _: () = assert!(size_of::<Option<Member>>() == 8);

/// Where a member of this length begins.
fn bytes_at(len: usize) -> usize {
    if len < usize::from(LONG) { 1 } else { 1 + LONG_BYTES }
}

/// Bytes that are allocated for a member of this length.
fn class(len: usize) -> usize {
    let bytes = bytes_at(len) + len;
    // The allocator's only class below the least multiple of sixteen.
    if bytes <= 8 { 8 } else { size_class(bytes) }
}

fn layout(len: usize) -> Layout {
    // Members are shorter than 4 GiB, so the size cannot overflow.
    Layout::from_size_align(class(len), 1).expect("a member's size fits")
}

/// An owned member, shorter than 4 GiB.
///
/// Invariant: `ptr` is an allocation of `layout(len())`, of which the length and so many bytes are
/// initialised, and which nobody else frees.
#[repr(transparent)]
pub struct Member {
    ptr: NonNull<u8>,
}

// SAFETY: a member owns its allocation; no part is shared or thread-bound.
unsafe impl Send for Member {}
// SAFETY: nothing is ever changed.
unsafe impl Sync for Member {}

impl Member {
    /// A new member.
    ///
    /// # Panics
    /// If it has 4 GiB or more: neither requests nor files carry so long strings.
    pub fn new(bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).expect("a member is shorter than 4 GiB");
        let layout = layout(bytes.len());
        // SAFETY: no member has an empty layout.
        let ptr = NonNull::new(unsafe { alloc(layout) });
        let ptr = ptr.unwrap_or_else(|| handle_alloc_error(layout));
        let at = bytes_at(bytes.len());
        // SAFETY: the allocation is new, and has room for the length and the bytes behind it.
        unsafe {
            if at == 1 {
                ptr.write(len as u8);
            } else {
                ptr.write(LONG);
                ptr.add(1).cast::<u32>().write_unaligned(len);
            }
            ptr::copy_nonoverlapping(bytes.as_ptr(), ptr.add(at).as_ptr(), bytes.len());
        }
        Member { ptr }
    }

    /// The member's bytes.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        let len = self.len();
        // SAFETY: so many bytes are initialised there, and borrowed with the member.
        unsafe { std::slice::from_raw_parts(self.ptr.add(bytes_at(len)).as_ptr(), len) }
    }

    /// Bytes of the heap that the member takes.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        class(self.len())
    }

    /// Where the member is, which no other member has in common.
    pub fn address(&self) -> usize {
        self.ptr.addr().get()
    }

    #[inline]
    fn len(&self) -> usize {
        // SAFETY: the first byte is initialised; a long length follows it.
        unsafe {
            match self.ptr.read() {
                LONG => self.ptr.add(1).cast::<u32>().read_unaligned() as usize,
                len => len.into(),
            }
        }
    }
}

impl Entry for Member {
    #[inline]
    fn key(&self) -> &[u8] {
        self.bytes()
    }
}

impl Clone for Member {
    fn clone(&self) -> Self {
        Member::new(self.bytes())
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let layout = layout(self.len());
        // SAFETY: the member owns this allocation, which was made with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), layout) };
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.bytes().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_of_a_member() {
        let sizes = [(0, 8), (7, 8), (8, 16), (14, 16), (15, 16), (16, 32), (254, 256), (255, 320)];
        for (len, bytes) in sizes {
            assert_eq!(Member::new(&vec![1; len]).heap_bytes(), bytes, "{len}");
        }
    }

    #[cfg(feature = "jemalloc")]
    #[test]
    fn classes_are_those_of_the_allocator() {
        for len in 0..5000 {
            assert_eq!(crate::base::alloc::usable_size(class(len)), class(len), "{len}");
        }
    }

    proptest! {
        #[test]
        fn holds_what_it_is_given(
            len in prop_oneof![0..40usize, 250..260usize, 0..600usize, Just(70_000)],
            seed: u8,
        ) {
            let bytes: Vec<u8> = (0..len).map(|i| seed.wrapping_add(i as u8)).collect();
            let member = Member::new(&bytes);
            prop_assert_eq!(member.bytes(), &bytes[..]);
            let copy = member.clone();
            prop_assert_ne!(copy.address(), member.address());
            drop(member);
            prop_assert_eq!(copy.key(), &bytes[..]);
        }
    }
}
