//! A field of a big hash with its value, in one allocation behind a pointer of eight bytes:
//!
//! ```text
//! field length 1 | value length 1 | field length 4, if long | value length 4, if long
//!                | expiry 8, if any | field | value
//! ```
//!
//! Sizes are rounded up to the allocator's classes, so a value of about the same length is written
//! in place. The highest bit of the first byte tells whether there is an expiry. Called by `hash`,
//! which files fields in a table by their names; knows nothing of tables, listpacks and encodings.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::ptr::{self, NonNull};

use crate::base::alloc::size_class;
use crate::data::hashtable::Entry;

/// Bytes that every field begins with.
const HEADER_BYTES: usize = 2;
/// Bytes of a length that does not fit the header.
const LONG_BYTES: usize = size_of::<u32>();
/// The bit of the first byte that tells of an expiry.
const EXPIRES: u8 = 0x80;
/// Stands in the header for a length that follows it.
const LONG_FIELD: u8 = 0x7f;
const LONG_VALUE: u8 = 0xff;

const _: () = assert!(size_of::<Option<Field>>() == 8);

/// Everything that decides where the parts are.
#[derive(Clone, Copy, Debug)]
struct Shape {
    field_len: usize,
    value_len: usize,
    expires: bool,
}

impl Shape {
    fn field_is_long(self) -> bool {
        self.field_len >= usize::from(LONG_FIELD)
    }

    fn value_is_long(self) -> bool {
        self.value_len >= usize::from(LONG_VALUE)
    }

    fn expiry_at(self) -> usize {
        let long = usize::from(self.field_is_long()) + usize::from(self.value_is_long());
        HEADER_BYTES + long * LONG_BYTES
    }

    fn field_at(self) -> usize {
        self.expiry_at() + if self.expires { size_of::<i64>() } else { 0 }
    }

    fn value_at(self) -> usize {
        self.field_at() + self.field_len
    }

    /// Bytes that are allocated: two shapes with the same number can take each other's place.
    fn class(self) -> usize {
        let bytes = self.value_at() + self.value_len;
        // The allocator's only class below the least multiple of sixteen.
        if bytes <= 8 { 8 } else { size_class(bytes) }
    }

    fn layout(self) -> Layout {
        // Both parts are shorter than 4 GiB, so the size cannot overflow.
        Layout::from_size_align(self.class(), 1).expect("a field's size fits")
    }
}

/// An owned field with its value, each shorter than 4 GiB.
///
/// Invariant: `ptr` is an allocation of `shape().layout()`, of which all parts that `shape()` names
/// are initialised, and which nobody else frees.
#[repr(transparent)]
pub struct Field {
    ptr: NonNull<u8>,
}

// SAFETY: a field owns its allocation; no part is shared or thread-bound.
unsafe impl Send for Field {}
// SAFETY: nothing is changed through `&Field`.
unsafe impl Sync for Field {}

impl Field {
    /// A new field.
    ///
    /// # Panics
    /// If name or value has 4 GiB or more: neither requests nor files carry so long strings.
    pub fn new(field: &[u8], value: &[u8]) -> Self {
        Field::expiring(field, value, None)
    }

    /// A new field that may expire, in milliseconds since the Unix epoch; panics as
    /// [`Field::new`] does.
    pub fn expiring(field: &[u8], value: &[u8], expire_at: Option<i64>) -> Self {
        check_length(field);
        check_length(value);
        let expires = expire_at.is_some();
        let shape = Shape { field_len: field.len(), value_len: value.len(), expires };
        let layout = shape.layout();
        // SAFETY: no field has an empty layout.
        let ptr = NonNull::new(unsafe { alloc(layout) });
        let mut new = Field { ptr: ptr.unwrap_or_else(|| handle_alloc_error(layout)) };
        // SAFETY: the allocation is new, and has room for all parts of `shape`.
        unsafe {
            new.write_header(shape);
            if let Some(at_ms) = expire_at {
                new.at(shape.expiry_at()).cast::<i64>().write_unaligned(at_ms);
            }
            let at = new.at(shape.field_at());
            ptr::copy_nonoverlapping(field.as_ptr(), at, field.len());
            new.write_value(shape, value);
        }
        new
    }

    /// The field's name.
    #[inline]
    pub fn field(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: these bytes are initialised, and borrowed with the field.
        unsafe { std::slice::from_raw_parts(self.at(shape.field_at()), shape.field_len) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: as in `field`.
        unsafe { std::slice::from_raw_parts(self.at(shape.value_at()), shape.value_len) }
    }

    /// When the field expires, in milliseconds since the Unix epoch.
    #[inline]
    pub fn expire_at(&self) -> Option<i64> {
        // SAFETY: the header is initialised.
        if unsafe { self.ptr.read() } & EXPIRES == 0 {
            return None;
        }
        // SAFETY: a field that expires has a time there, initialised.
        Some(unsafe { self.at(self.shape().expiry_at()).cast::<i64>().read_unaligned() })
    }

    /// Sets, changes or removes the expiry.
    pub fn set_expire(&mut self, expire_at: Option<i64>) {
        let shape = self.shape();
        match expire_at {
            // SAFETY: a field that expires has room for the time there.
            Some(at_ms) if shape.expires => unsafe {
                self.at(shape.expiry_at()).cast::<i64>().write_unaligned(at_ms);
            },
            None if !shape.expires => {}
            _ => *self = Field::expiring(self.field(), self.value(), expire_at),
        }
    }

    /// Replaces the value, in place if it fits; the expiry stays. Panics as [`Field::new`] does.
    #[inline]
    pub fn set_value(&mut self, value: &[u8]) {
        check_length(value);
        let old = self.shape();
        let new = Shape { value_len: value.len(), ..old };
        if new.class() != old.class() {
            *self = Field::expiring(self.field(), value, self.expire_at());
            return;
        }
        // SAFETY: the allocation has room for all parts of `new`. Expiry and name move before the
        // header may grow into them, and `copy` allows overlap; `value` is borrowed, so it lies
        // elsewhere.
        unsafe {
            if new.field_at() != old.field_at() {
                let kept = old.value_at() - old.expiry_at();
                ptr::copy(self.at(old.expiry_at()), self.at(new.expiry_at()), kept);
            }
            self.write_header(new);
            self.write_value(new, value);
        }
    }

    /// Bytes of the heap that the field takes, its value included.
    #[inline]
    pub fn heap_bytes(&self) -> usize {
        self.shape().class()
    }

    /// The address of the field, which is its own as long as it is not moved.
    pub fn address(&self) -> usize {
        self.ptr.as_ptr().addr()
    }

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.ptr.as_ptr().wrapping_add(offset)
    }

    #[inline]
    fn shape(&self) -> Shape {
        // SAFETY: the header is initialised.
        let [field, value] = unsafe { self.ptr.cast::<[u8; HEADER_BYTES]>().read() };
        let (field, expires) = (field & !EXPIRES, field & EXPIRES != 0);
        let mut shape = Shape { field_len: field.into(), value_len: value.into(), expires };
        if field == LONG_FIELD || value == LONG_VALUE {
            let mut at = HEADER_BYTES;
            for (len, is_long) in [
                (&mut shape.field_len, field == LONG_FIELD),
                (&mut shape.value_len, value == LONG_VALUE),
            ] {
                if is_long {
                    // SAFETY: a long length follows the header and those before it, initialised.
                    *len = unsafe { self.at(at).cast::<u32>().read_unaligned() } as usize;
                    at += LONG_BYTES;
                }
            }
        }
        shape
    }

    /// Writes all lengths.
    ///
    /// # Safety
    /// The allocation has room for `shape`.
    unsafe fn write_header(&mut self, shape: Shape) {
        let field = if shape.field_is_long() { LONG_FIELD } else { shape.field_len as u8 };
        let value = if shape.value_is_long() { LONG_VALUE } else { shape.value_len as u8 };
        let mark = if shape.expires { EXPIRES } else { 0 };
        // SAFETY: the header and the long lengths lie before the field.
        unsafe { self.ptr.cast::<[u8; HEADER_BYTES]>().write([field | mark, value]) };
        let mut at = HEADER_BYTES;
        for (len, is_long) in
            [(shape.field_len, shape.field_is_long()), (shape.value_len, shape.value_is_long())]
        {
            if is_long {
                // SAFETY: as above.
                unsafe { self.at(at).cast::<u32>().write_unaligned(len as u32) };
                at += LONG_BYTES;
            }
        }
    }

    /// Writes the value.
    ///
    /// # Safety
    /// The allocation has room for `shape`, which has the value's length; `value` lies elsewhere.
    unsafe fn write_value(&mut self, shape: Shape, value: &[u8]) {
        debug_assert_eq!(shape.value_len, value.len());
        // SAFETY: as the caller promises.
        unsafe { ptr::copy_nonoverlapping(value.as_ptr(), self.at(shape.value_at()), value.len()) };
    }
}

fn check_length(part: &[u8]) {
    assert!(u32::try_from(part.len()).is_ok(), "a field or value is shorter than 4 GiB");
}

impl Entry for Field {
    #[inline]
    fn key(&self) -> &[u8] {
        self.field()
    }
}

impl Clone for Field {
    fn clone(&self) -> Self {
        Field::expiring(self.field(), self.value(), self.expire_at())
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let layout = self.shape().layout();
        // SAFETY: the field owns this allocation, which was made with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), layout) };
    }
}

impl fmt::Debug for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field().escape_ascii(), self.value().escape_ascii())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn memory_of_a_field() {
        assert_eq!(Field::new(&[1; 14], &[2; 16]).heap_bytes(), 32);
        assert_eq!(Field::new(b"abc", b"def").heap_bytes(), 8);
        assert_eq!(Field::new(b"", b"").heap_bytes(), 8);
        assert_eq!(Field::new(&[1; 126], &[2; 0]).heap_bytes(), 128);
        assert_eq!(Field::new(&[1; 127], &[2; 0]).heap_bytes(), 160);
    }

    #[cfg(feature = "jemalloc")]
    #[test]
    fn classes_are_those_of_the_allocator() {
        for value_len in 0..5000 {
            let class = Shape { field_len: 3, value_len, expires: false }.class();
            assert_eq!(crate::base::alloc::usable_size(class), class, "{value_len}");
            let bytes = Shape { field_len: 3, value_len, expires: false }.value_at() + value_len;
            assert_eq!(crate::base::alloc::usable_size(bytes), class, "{value_len}");
        }
    }

    #[test]
    fn values_of_like_size_are_written_in_place() {
        let mut field = Field::new(b"name", &[1; 16]);
        let address = field.address();
        field.set_value(&[2; 16]);
        field.set_value(&[3; 11]);
        assert_eq!((field.address(), field.value()), (address, &[3; 11][..]));
        assert_eq!(field.field(), b"name");
        // The header grows and shrinks within one class.
        let mut field = Field::new(b"name", &[1; 254]);
        let address = field.address();
        field.set_value(&[2; 255]);
        assert_eq!((field.field(), field.value()), (&b"name"[..], &[2; 255][..]));
        field.set_value(&[3; 254]);
        assert_eq!((field.field(), field.value()), (&b"name"[..], &[3; 254][..]));
        assert_eq!(field.address(), address);
    }

    fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
        let len = prop_oneof![0..40usize, 120..135usize, 250..260usize, 0..600usize, Just(70_000)];
        (any::<u8>(), len).prop_map(|(seed, len)| {
            (0..len).map(|i| seed.wrapping_add((i as u8).wrapping_mul(31))).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 128,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]
        #[test]
        fn behaves_as_a_pair(
            name in some_bytes(),
            values in prop::collection::vec((some_bytes(), any::<Option<i64>>()), 1..30),
        ) {
            let mut field = Field::new(&name, &values[0].0);
            prop_assert_eq!((field.field(), field.value()), (&name[..], &values[0].0[..]));
            let mut expire_at = None;
            for (value, next) in &values {
                let before = field.clone();
                field.set_value(value);
                prop_assert_eq!((field.field(), field.value()), (&name[..], &value[..]));
                prop_assert_eq!((field.expire_at(), before.expire_at()), (expire_at, expire_at));
                expire_at = *next;
                field.set_expire(expire_at);
                prop_assert_eq!((field.field(), field.value()), (&name[..], &value[..]));
                prop_assert_eq!(field.expire_at(), expire_at);
                let like = Field::expiring(&name, value, expire_at);
                prop_assert_eq!(field.heap_bytes(), like.heap_bytes());
                prop_assert_eq!(before.field(), &name[..]);
            }
        }
    }
}
