//! Pointers of eight bytes for what values are made of: bytes that know their own number
//! ([`ThinBytes`]), something boxed ([`Big`]), and either of two such things ([`Slim`]), told apart
//! by the first word of what is pointed at. Used by listpacks and intsets, and by the types that
//! begin as one of those. Must never hand out that first word to be written.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error, realloc};
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::ptr::{self, NonNull};

use super::intset::Intset;
use super::listpack::Listpack;
use crate::base::alloc::{size_class, usable_size};

/// Bytes of the first word.
pub const WORD: usize = size_of::<u32>();
const ALIGN: usize = 8;
/// Up to so many bytes the allocator's classes are known without asking it.
const SMALL_MAX: usize = 8192;

/// Marks the first word of the bytes of listpacks, which is their length.
pub const LISTPACK_MARK: u32 = 0;
/// Marks that of intsets.
pub const INTSET_MARK: u32 = 0b10 << 30;
/// Marks that of what is boxed.
const BIG_MARK: u32 = 0b11 << 30;

const fn mark_mask(mark: u32) -> u32 {
    if mark >> 31 == 0 { 1 << 31 } else { 0b11 << 30 }
}

/// One pointer to what begins with a word that tells what it is.
///
/// # Safety
/// A value is nothing but a non-null pointer to such a word, initialised and aligned, of which
/// `marks` is true as long as the value lives; and of that of no other type in the same [`Slim`].
pub unsafe trait Thin: Sized {
    /// Whether a first word is that of this type.
    fn marks(word: u32) -> bool;
}

/// Bytes in one allocation, the first four of which are their number, all of them included, in
/// little endian and with a mark in the highest bits. There are at least those four.
///
/// Invariant: `ptr` is an allocation of `layout(size())`, of which `size()` bytes are initialised,
/// and which nobody else frees.
#[repr(transparent)]
pub struct ThinBytes<const MARK: u32> {
    ptr: NonNull<u8>,
}

// SAFETY: the bytes have one owner, and are not changed through a shared reference.
unsafe impl<const MARK: u32> Send for ThinBytes<MARK> {}
// SAFETY: as above.
unsafe impl<const MARK: u32> Sync for ThinBytes<MARK> {}

#[inline]
fn layout(len: usize) -> Layout {
    let class = match len {
        0..=ALIGN => ALIGN,
        _ if len <= SMALL_MAX => size_class(len),
        _ => usable_size(len),
    };
    Layout::from_size_align(class, ALIGN).expect("lengths have at most 31 bits")
}

impl<const MARK: u32> ThinBytes<MARK> {
    /// No more bytes than so many.
    pub const LEN_MAX: usize = !mark_mask(MARK) as usize;

    /// The word, and these bytes behind it.
    ///
    /// # Panics
    /// If they are more than [`ThinBytes::LEN_MAX`] together.
    pub fn new(tail: &[u8]) -> Self {
        let len = WORD + tail.len();
        let layout = layout(checked(len, Self::LEN_MAX));
        // SAFETY: no layout is empty.
        let ptr = NonNull::new(unsafe { alloc(layout) });
        let mut bytes = ThinBytes { ptr: ptr.unwrap_or_else(|| handle_alloc_error(layout)) };
        // SAFETY: the allocation is new and has room for `len` bytes.
        unsafe {
            ptr::copy_nonoverlapping(tail.as_ptr(), bytes.ptr.as_ptr().add(WORD), tail.len());
            bytes.set_len(len);
        }
        bytes
    }

    /// How many bytes there are.
    #[inline]
    pub fn size(&self) -> usize {
        // SAFETY: the word is initialised and aligned.
        let word = u32::from_le(unsafe { self.ptr.cast::<u32>().read() });
        (word & !mark_mask(MARK)) as usize
    }

    /// All bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: so many bytes are initialised, and borrowed with the value.
        unsafe { std::slice::from_raw_parts(self.ptr.as_ptr(), self.size()) }
    }

    /// The bytes behind the word.
    #[inline]
    pub fn tail(&self) -> &[u8] {
        &self.as_slice()[WORD..]
    }

    /// The bytes behind the word, to be changed.
    #[inline]
    pub fn tail_mut(&mut self) -> &mut [u8] {
        let tail = self.size() - WORD;
        // SAFETY: so many bytes behind the word are initialised, and borrowed with the value.
        unsafe { std::slice::from_raw_parts_mut(self.ptr.as_ptr().add(WORD), tail) }
    }

    /// Bytes of the heap that are taken.
    pub fn heap_bytes(&self) -> usize {
        layout(self.size()).size()
    }

    /// Moves what follows `old` bytes at `at`, which is behind the word, to where `new` bytes end:
    /// those keep what they were, and are zero where they are more. Memory is taken in the sizes
    /// that the allocator has, and none moves while the size is the same.
    ///
    /// # Panics
    /// If these bytes are not there, or those that become of them are more than may be.
    pub fn resize_gap(&mut self, at: usize, old: usize, new: usize) {
        let before = self.size();
        let end = at.checked_add(old).filter(|&end| at >= WORD && end <= before);
        let end = end.expect("the bytes are there");
        let after = checked(before - old + new, Self::LEN_MAX);
        // SAFETY: the allocation has room for the longer of both while bytes move, all of which
        // were initialised; new ones are written before the length tells of them.
        unsafe {
            if new > old {
                self.reallocate(before, after);
                let gap = self.ptr.as_ptr().add(end);
                ptr::copy(gap, gap.add(new - old), before - end);
                ptr::write_bytes(gap, 0, new - old);
                self.set_len(after);
            } else if new < old {
                let from = self.ptr.as_ptr().add(end);
                ptr::copy(from, from.sub(old - new), before - end);
                self.set_len(after);
                self.reallocate(before, after);
            }
        }
    }

    /// # Safety
    /// The allocation is one for `before` bytes, and only the lesser of both numbers is initialised
    /// and needed.
    unsafe fn reallocate(&mut self, before: usize, after: usize) {
        let (old, new) = (layout(before), layout(after));
        if old.size() != new.size() {
            // SAFETY: the allocation has the old layout, and the new one is not empty.
            let ptr = unsafe { realloc(self.ptr.as_ptr(), old, new.size()) };
            self.ptr = NonNull::new(ptr).unwrap_or_else(|| handle_alloc_error(new));
        }
    }

    /// # Safety
    /// The allocation is one for so many bytes, of which those behind the word are initialised.
    unsafe fn set_len(&mut self, len: usize) {
        // SAFETY: every allocation has room for the word, and is aligned.
        unsafe { self.ptr.cast::<u32>().write((len as u32 | MARK).to_le()) };
    }
}

fn checked(len: usize, max: usize) -> usize {
    assert!(len <= max, "owners ask how long it may become");
    len
}

impl<const MARK: u32> Drop for ThinBytes<MARK> {
    fn drop(&mut self) {
        // SAFETY: the bytes own this allocation, which was made with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), layout(self.size())) };
    }
}

impl<const MARK: u32> Clone for ThinBytes<MARK> {
    fn clone(&self) -> Self {
        ThinBytes::new(self.tail())
    }
}

impl<const MARK: u32> PartialEq for ThinBytes<MARK> {
    fn eq(&self, other: &Self) -> bool {
        self.as_slice() == other.as_slice()
    }
}

impl<const MARK: u32> Eq for ThinBytes<MARK> {}

// SAFETY: a listpack is nothing but its bytes, whose length has no more than 31 bits.
unsafe impl Thin for Listpack {
    #[inline]
    fn marks(word: u32) -> bool {
        word & mark_mask(LISTPACK_MARK) == LISTPACK_MARK
    }
}

// SAFETY: an intset is nothing but its bytes, whose word has this mark.
unsafe impl Thin for Intset {
    #[inline]
    fn marks(word: u32) -> bool {
        word & mark_mask(INTSET_MARK) == INTSET_MARK
    }
}

/// Something in an allocation of its own.
#[repr(transparent)]
pub struct Big<T>(Box<Marked<T>>);

#[repr(C, align(8))]
struct Marked<T> {
    mark: u32,
    content: T,
}

// SAFETY: a box is a pointer to its content, which begins with the mark, as nobody changes that.
unsafe impl<T> Thin for Big<T> {
    #[inline]
    fn marks(word: u32) -> bool {
        word == BIG_MARK
    }
}

impl<T> Big<T> {
    /// Bytes of the allocation, without what the content owns.
    pub fn heap_bytes() -> usize {
        usable_size(size_of::<Marked<T>>())
    }
}

impl<T> From<T> for Big<T> {
    fn from(content: T) -> Self {
        Big(Box::new(Marked { mark: BIG_MARK.to_le(), content }))
    }
}

impl<T> Deref for Big<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.content
    }
}

impl<T> DerefMut for Big<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0.content
    }
}

impl<T: fmt::Debug> fmt::Debug for Big<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        T::fmt(self, f)
    }
}

impl<T: Clone> Clone for Big<T> {
    fn clone(&self) -> Self {
        Big::from(T::clone(self))
    }
}

/// One of two things, in the eight bytes that either has.
///
/// Invariant: `word` is what one of both is, and nobody else's.
#[repr(transparent)]
pub struct Slim<A: Thin, B: Thin> {
    word: NonNull<u32>,
    owned: PhantomData<(A, B)>,
}

/// What a [`Slim`] is.
#[derive(Clone, Copy, Debug)]
pub enum Either<A, B> {
    /// The first.
    A(A),
    /// The second.
    B(B),
}

// SAFETY: it is what it owns.
unsafe impl<A: Thin + Send, B: Thin + Send> Send for Slim<A, B> {}
// SAFETY: as above.
unsafe impl<A: Thin + Sync, B: Thin + Sync> Sync for Slim<A, B> {}
// SAFETY: it is one of two such pointers.
unsafe impl<A: Thin, B: Thin> Thin for Slim<A, B> {
    #[inline]
    fn marks(word: u32) -> bool {
        A::marks(word) || B::marks(word)
    }
}

impl<A: Thin, B: Thin> Slim<A, B> {
    const ONE_POINTER: () = assert!(size_of::<A>() == 8 && size_of::<B>() == 8);

    /// The first.
    pub fn a(a: A) -> Self {
        Self::of(a)
    }

    /// The second.
    pub fn b(b: B) -> Self {
        Self::of(b)
    }

    fn of<T: Thin>(thin: T) -> Self {
        let () = Self::ONE_POINTER;
        let thin = std::mem::ManuallyDrop::new(thin);
        // SAFETY: it is nothing but a non-null pointer, and is not dropped here.
        let word = unsafe { ptr::from_ref(&*thin).cast::<NonNull<u32>>().read() };
        Slim { word, owned: PhantomData }
    }

    #[inline]
    fn is_a(&self) -> bool {
        // SAFETY: both have an initialised, aligned word in front.
        A::marks(u32::from_le(unsafe { self.word.read() }))
    }

    /// What it is.
    #[inline]
    pub fn get(&self) -> Either<&A, &B> {
        // SAFETY: the pointer is what such a value consists of, borrowed with this one, and its
        // word told which of both it is.
        unsafe {
            if self.is_a() {
                Either::A(&*ptr::from_ref(&self.word).cast())
            } else {
                Either::B(&*ptr::from_ref(&self.word).cast())
            }
        }
    }

    /// What it is, to be changed, or exchanged for another of the same type.
    #[inline]
    pub fn get_mut(&mut self) -> Either<&mut A, &mut B> {
        // SAFETY: as in `get`; whatever is put in its place has a word that tells the same.
        unsafe {
            if self.is_a() {
                Either::A(&mut *ptr::from_mut(&mut self.word).cast())
            } else {
                Either::B(&mut *ptr::from_mut(&mut self.word).cast())
            }
        }
    }
}

impl<A: Thin, B: Thin> Drop for Slim<A, B> {
    fn drop(&mut self) {
        // SAFETY: it owns what it is, and is not used again.
        unsafe {
            match self.get_mut() {
                Either::A(a) => ptr::drop_in_place(a),
                Either::B(b) => ptr::drop_in_place(b),
            }
        }
    }
}

impl<A: Thin + Clone, B: Thin + Clone> Clone for Slim<A, B> {
    fn clone(&self) -> Self {
        match self.get() {
            Either::A(a) => Slim::a(a.clone()),
            Either::B(b) => Slim::b(b.clone()),
        }
    }
}

impl<A: Thin + fmt::Debug, B: Thin + fmt::Debug> fmt::Debug for Slim<A, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.get() {
            Either::A(a) => a.fmt(f),
            Either::B(b) => b.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_is_that_of_the_size_class() {
        assert_eq!(ThinBytes::<LISTPACK_MARK>::new(&[0; 3]).heap_bytes(), 8);
        assert_eq!(ThinBytes::<INTSET_MARK>::new(&[0; 76]).heap_bytes(), 80);
        assert_eq!(size_of::<Option<Slim<Listpack, Big<String>>>>(), 8);
    }

    #[test]
    fn either_is_what_it_was_made_of() {
        type Text = Slim<Slim<Intset, Listpack>, Big<String>>;
        let what = |text: &Text| match text.get() {
            Either::A(small) => match small.get() {
                Either::A(intset) => format!("{} integers", intset.len()),
                Either::B(listpack) => format!("{} elements", listpack.len()),
            },
            Either::B(big) => format!("{} bytes", big.len()),
        };
        let (mut intset, mut listpack) = (Intset::new(), Listpack::new());
        intset.insert(7);
        listpack.push_back(b"x");
        listpack.push_back(b"y");
        let mut texts = [
            Text::a(Slim::a(intset)),
            Text::a(Slim::b(listpack)),
            Text::b(Big::from(String::from("abc"))),
        ];
        assert_eq!(texts.each_ref().map(what), ["1 integers", "2 elements", "3 bytes"]);
        for text in &mut texts {
            match text.get_mut() {
                Either::A(small) => match small.get_mut() {
                    Either::A(intset) => (0..100).for_each(|n| _ = intset.insert(n << 40)),
                    Either::B(listpack) => *listpack = Listpack::new(),
                },
                Either::B(big) => big.push('d'),
            }
        }
        assert_eq!(texts.clone().each_ref().map(what), ["101 integers", "0 elements", "4 bytes"]);
        texts.swap(0, 2);
        texts[1] = texts[0].clone();
        assert_eq!(texts.each_ref().map(what), ["4 bytes", "4 bytes", "101 integers"]);
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 128,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn behaves_as_a_vec(
            first in prop::collection::vec(any::<u8>(), 0..300),
            edits in prop::collection::vec(
                (any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0usize..200), 1..40
            ),
        ) {
            let mut thin = ThinBytes::<INTSET_MARK>::new(&first);
            let mut model = first;
            for (at, upto, new) in edits {
                let at = at.index(model.len() + 1);
                let old = upto.index(model.len() - at + 1);
                thin.resize_gap(WORD + at, old, new);
                let kept = old.min(new);
                model.splice(at + kept..at + old, std::iter::repeat_n(0, new - kept));
                prop_assert_eq!(thin.tail(), &model[..]);
                prop_assert_eq!(thin.size(), WORD + model.len());
                if let Some(last) = thin.tail_mut().last_mut() {
                    *last = new as u8;
                    *model.last_mut().unwrap() = new as u8;
                }
                prop_assert!(thin.clone() == thin);
            }
        }
    }
}
