//! A key and what it holds, in one allocation behind a pointer of eight bytes:
//!
//! ```text
//! header 8 | expiry 8, if any | slot: none, integer 8, or what a variant of Value holds
//!          | key length 4, if long | key | short string
//! ```
//!
//! Integers and short strings lie in the record; everything else is a [`Value`] with allocations of
//! its own, of which the slot has the content and the header the variant. Sizes are rounded up to
//! the allocator's classes, so a value of about the same length is written in place. Called by the
//! keyspace, which owns all records and alone knows where they are pointed at from; every `&mut
//! self` method here may move the record.

#![allow(unsafe_code)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::{Encoding, Hash, List, NewValue, Set, Stream, Type, Value, ValueMut, ValueRef, Zset};
use crate::base::alloc::{size_class, usable_size};
use crate::base::limits::{EMBSTR_BYTES_MAX, RECORD_INLINE_BYTES_MAX};

#[cfg(test)]
mod tests;

/// The first bytes of every record.
#[repr(C)]
struct Header {
    /// LRU clock or LFU counter in the low 24 bits, flags in the high 8.
    meta: u32,
    /// `LONG_KEY` when the length is written in front of the key.
    key_len: u16,
    /// Length of a string that lies in the record.
    inline_len: u16,
}

const HEADER_BYTES: usize = size_of::<Header>();
const ALIGN: usize = 8;
const LRU_MASK: u32 = (1 << 24) - 1;
const LONG_KEY: usize = u16::MAX as usize;

const FLAG_EXPIRES: u32 = 1 << 24;
const FLAG_RAW: u32 = 1 << 25;
const FORM_SHIFT: u32 = 26;

const _: () = assert!(HEADER_BYTES == 8);
const _: () = assert!(size_of::<Option<Record>>() == 8);

/// Where the value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// An `i64` in the slot.
    Int = 0,
    /// Bytes after the key.
    Inline = 1,
    /// A `Vec<u8>` in the slot.
    Text = 2,
    /// A `List` in the slot.
    List = 3,
    /// A `Set` in the slot.
    Set = 4,
    /// A `Hash` in the slot.
    Hash = 5,
    /// A `Box<Stream>` in the slot.
    Stream = 6,
    /// A `Zset` in the slot.
    Zset = 7,
}

impl Form {
    fn of(value: &Value) -> Form {
        match value {
            Value::String(_) => Form::Text,
            Value::List(_) => Form::List,
            Value::Set(_) => Form::Set,
            Value::Hash(_) => Form::Hash,
            Value::Stream(_) => Form::Stream,
            Value::Zset(_) => Form::Zset,
        }
    }

    const fn slot_bytes(self) -> usize {
        match self {
            Form::Int => size_of::<i64>(),
            Form::Inline => 0,
            Form::Text => slot_of::<Vec<u8>>(),
            Form::List => slot_of::<List>(),
            Form::Set => slot_of::<Set>(),
            Form::Hash => slot_of::<Hash>(),
            Form::Stream => slot_of::<Box<Stream>>(),
            Form::Zset => slot_of::<Zset>(),
        }
    }
}

/// Bytes of a slot that holds this.
const fn slot_of<T>() -> usize {
    assert!(align_of::<T>() <= ALIGN && size_of::<T>().is_multiple_of(ALIGN));
    size_of::<T>()
}

/// Everything that decides where the parts of a record are.
#[derive(Clone, Copy, Debug)]
struct Shape {
    form: Form,
    expires: bool,
    key_len: usize,
    inline_len: usize,
}

impl Shape {
    fn slot_at(self) -> usize {
        HEADER_BYTES + if self.expires { size_of::<i64>() } else { 0 }
    }

    fn key_at(self) -> usize {
        let long = if self.key_len >= LONG_KEY { size_of::<u32>() } else { 0 };
        self.slot_at() + self.form.slot_bytes() + long
    }

    fn inline_at(self) -> usize {
        self.key_at() + self.key_len
    }

    fn bytes(self) -> usize {
        self.inline_at() + self.inline_len
    }

    /// Bytes that are allocated: two shapes with the same number can take each other's place.
    fn class(self) -> usize {
        size_class(self.bytes())
    }

    fn layout(self) -> Layout {
        // Keys are shorter than 4 GiB, so the size cannot overflow.
        Layout::from_size_align(self.class(), ALIGN).expect("a record's size fits")
    }
}

/// A value that is ready to be written: its form is decided.
enum Content<'a> {
    Int(i64),
    Inline { bytes: &'a [u8], raw: bool },
    Boxed(Value),
}

impl<'a> Content<'a> {
    fn of(value: NewValue<'a>, key_len: usize, expires: bool) -> Self {
        let (bytes, raw) = match value {
            NewValue::Int(n) => return Content::Int(n),
            NewValue::Owned(value) => return Content::Boxed(value),
            NewValue::Bytes(bytes) => (bytes, bytes.len() > EMBSTR_BYTES_MAX),
            NewValue::Raw(bytes) => (bytes, true),
        };
        let shape = Shape { form: Form::Inline, expires, key_len, inline_len: bytes.len() };
        // What is called embstr must be inline, because a boxed string is raw.
        if !raw || shape.bytes() <= RECORD_INLINE_BYTES_MAX {
            Content::Inline { bytes, raw }
        } else {
            Content::Boxed(Value::String(bytes.to_vec()))
        }
    }

    fn shape(&self, key_len: usize, expires: bool) -> Shape {
        let (form, inline_len) = match self {
            Content::Int(_) => (Form::Int, 0),
            Content::Inline { bytes, .. } => (Form::Inline, bytes.len()),
            Content::Boxed(value) => (Form::of(value), 0),
        };
        Shape { form, expires, key_len, inline_len }
    }
}

/// An owned key with its value, expiry and access time.
///
/// Invariant: `ptr` is an allocation of `shape().layout()`, of which all parts that `shape()` names
/// are initialised, and which nobody else frees.
#[repr(transparent)]
pub struct Record {
    ptr: NonNull<u8>,
}

// SAFETY: a record owns its allocation and the `Value` in it, which is `Send`; no part is shared or
// thread-bound.
unsafe impl Send for Record {}
// SAFETY: nothing is changed through `&Record`.
unsafe impl Sync for Record {}

impl Record {
    /// A new record with access time 0. Keys are shorter than 4 GiB: requests carry no longer
    /// argument.
    pub fn new(key: &[u8], value: NewValue<'_>, expire_at: Option<i64>) -> Self {
        assert!(u32::try_from(key.len()).is_ok(), "a key is shorter than 4 GiB");
        let content = Content::of(value, key.len(), expire_at.is_some());
        let shape = content.shape(key.len(), expire_at.is_some());
        let mut record = Record { ptr: allocate(shape.layout()) };
        // SAFETY: the allocation is new and has room for every part of `shape`; `key` lies
        // elsewhere.
        unsafe {
            ptr::copy_nonoverlapping(key.as_ptr(), record.at(shape.key_at()), key.len());
            record.fill(shape, content, expire_at, 0);
        }
        record
    }

    // ---- reading

    /// The key.
    #[inline]
    pub fn key(&self) -> &[u8] {
        let shape = self.shape();
        // SAFETY: the key is initialised and lives as long as the record is not changed.
        unsafe { std::slice::from_raw_parts(self.at(shape.key_at()), shape.key_len) }
    }

    /// The value.
    #[inline]
    pub fn value(&self) -> ValueRef<'_> {
        let shape = self.shape();
        match shape.form {
            // SAFETY: in this form the slot is an initialised, aligned i64.
            Form::Int => ValueRef::Int(unsafe { self.at(shape.slot_at()).cast::<i64>().read() }),
            Form::Inline => {
                let at = self.at(shape.inline_at());
                // SAFETY: in this form that many bytes follow the key.
                ValueRef::String(unsafe { std::slice::from_raw_parts(at, shape.inline_len) })
            }
            // SAFETY: in each of these forms the slot is such a value, initialised, aligned, and
            // borrowed with the record.
            form => unsafe {
                let slot = self.at(shape.slot_at());
                match form {
                    Form::Int | Form::Inline => unreachable!("they were handled above"),
                    Form::Text => ValueRef::String(&*slot.cast::<Vec<u8>>()),
                    Form::List => ValueRef::List(&*slot.cast()),
                    Form::Set => ValueRef::Set(&*slot.cast()),
                    Form::Hash => ValueRef::Hash(&*slot.cast()),
                    Form::Zset => ValueRef::Zset(&*slot.cast()),
                    Form::Stream => ValueRef::Stream(&*slot.cast::<Box<Stream>>()),
                }
            },
        }
    }

    /// Whether the value has allocations of its own.
    #[inline]
    pub fn is_boxed(&self) -> bool {
        !matches!(self.form(), Form::Int | Form::Inline)
    }

    /// Bytes that a string with an allocation of its own has room for.
    pub fn string_capacity(&self) -> Option<usize> {
        let shape = self.shape();
        // SAFETY: in this form the slot is an initialised, aligned Vec, borrowed with the record.
        (shape.form == Form::Text)
            .then(|| unsafe { (*self.at(shape.slot_at()).cast::<Vec<u8>>()).capacity() })
    }

    /// The type of the value.
    #[inline]
    pub fn kind(&self) -> Type {
        match self.form() {
            Form::Int | Form::Inline | Form::Text => Type::String,
            Form::List => Type::List,
            Form::Set => Type::Set,
            Form::Hash => Type::Hash,
            Form::Stream => Type::Stream,
            Form::Zset => Type::Zset,
        }
    }

    /// The encoding of the value.
    pub fn encoding(&self) -> Encoding {
        match self.value() {
            ValueRef::Int(_) => Encoding::Int,
            ValueRef::String(_) => {
                let embedded = self.form() == Form::Inline && self.header().meta & FLAG_RAW == 0;
                if embedded { Encoding::Embstr } else { Encoding::Raw }
            }
            ValueRef::List(list) => list.encoding(),
            ValueRef::Set(set) => set.encoding(),
            ValueRef::Hash(hash) => hash.encoding(),
            ValueRef::Zset(zset) => zset.encoding(),
            ValueRef::Stream(_) => Encoding::Stream,
        }
    }

    /// When the key expires, in milliseconds since the Unix epoch.
    #[inline]
    pub fn expire_at(&self) -> Option<i64> {
        // SAFETY: with this flag the header is followed by an initialised, aligned i64.
        self.has_expire().then(|| unsafe { self.at(HEADER_BYTES).cast::<i64>().read() })
    }

    /// Whether the key expires.
    #[inline]
    pub fn has_expire(&self) -> bool {
        self.header().meta & FLAG_EXPIRES != 0
    }

    /// Whether the key's time is over at `now_ms`.
    #[inline]
    pub fn is_expired(&self, now_ms: i64) -> bool {
        self.expire_at().is_some_and(|at| now_ms > at)
    }

    /// The 24 bits of access time (LRU) or access time and counter (LFU).
    #[inline]
    pub fn lru(&self) -> u32 {
        self.header().meta & LRU_MASK
    }

    /// Bytes of the heap that the record takes, its value included.
    pub fn heap_bytes(&self) -> usize {
        let owned = match self.value() {
            ValueRef::Int(_) => 0,
            ValueRef::String(_) => self.string_capacity().map_or(0, usable_size),
            ValueRef::List(list) => list.heap_bytes(),
            ValueRef::Set(set) => set.heap_bytes(),
            ValueRef::Hash(hash) => hash.heap_bytes(),
            ValueRef::Zset(zset) => zset.heap_bytes(),
            ValueRef::Stream(stream) => stream.heap_bytes(),
        };
        self.shape().class() + owned
    }

    // ---- changing

    /// Sets the low 24 bits of `lru` as access time or counter. Never moves the record.
    #[inline]
    pub fn set_lru(&mut self, lru: u32) {
        // SAFETY: the header is initialised, and borrowed exclusively with the record.
        let header = unsafe { self.ptr.cast::<Header>().as_mut() };
        header.meta = header.meta & !LRU_MASK | lru & LRU_MASK;
    }

    /// Replaces value and expiry; key and access time stay. Returns a value that had allocations of
    /// its own.
    pub fn assign(&mut self, value: NewValue<'_>, expire_at: Option<i64>) -> Option<Value> {
        let old = self.shape();
        let content = Content::of(value, old.key_len, expire_at.is_some());
        let new = content.shape(old.key_len, expire_at.is_some());
        let lru = self.lru();
        // SAFETY: the slot is overwritten or freed below without being looked at again.
        let displaced = unsafe { self.read_boxed() };
        // SAFETY: the value was moved out of the old slot, so of the old parts only the key is
        // still needed; `moved` has room for all parts of `new` whether it is the old allocation or
        // another one, and `copy` allows overlap. Nothing between here and the end of `fill` can
        // unwind.
        unsafe {
            let moved = if new.class() == old.class() { self.ptr } else { allocate(new.layout()) };
            let (from, to) = (self.at(old.key_at()), moved.add(new.key_at()).as_ptr());
            if from != to {
                ptr::copy(from, to, old.key_len);
            }
            if moved != self.ptr {
                dealloc(self.ptr.as_ptr(), old.layout());
                self.ptr = moved;
            }
            self.fill(new, content, expire_at, lru);
        }
        displaced
    }

    /// Makes the value the integer `n`; the expiry stays. In place if it is an integer already.
    #[inline]
    pub fn set_int(&mut self, n: i64) -> Option<Value> {
        let shape = self.shape();
        if shape.form != Form::Int {
            return self.assign(NewValue::Int(n), self.expire_at());
        }
        // SAFETY: in this form the slot is an aligned i64, borrowed exclusively with the record.
        unsafe { self.at(shape.slot_at()).cast::<i64>().write(n) };
        None
    }

    /// The string's bytes, to be edited: it becomes `raw` and gets an allocation of its own, which
    /// stays when the string grows. `None` for other types.
    pub fn string_mut(&mut self) -> Option<&mut Vec<u8>> {
        let bytes = match self.value() {
            ValueRef::Int(n) => Some(itoa::Buffer::new().format(n).as_bytes().to_vec()),
            ValueRef::String(bytes) if self.form() == Form::Inline => Some(bytes.to_vec()),
            ValueRef::String(_)
            | ValueRef::List(_)
            | ValueRef::Set(_)
            | ValueRef::Hash(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_) => None,
        };
        if let Some(bytes) = bytes {
            self.assign(NewValue::Owned(Value::String(bytes)), self.expire_at());
        }
        match self.boxed_mut() {
            Some(ValueMut::String(bytes)) => Some(bytes),
            Some(
                ValueMut::List(_)
                | ValueMut::Set(_)
                | ValueMut::Hash(_)
                | ValueMut::Zset(_)
                | ValueMut::Stream(_),
            )
            | None => None,
        }
    }

    /// The value, to be edited, if it has an allocation of its own. Never moves the record.
    #[inline]
    pub fn boxed_mut(&mut self) -> Option<ValueMut<'_>> {
        let shape = self.shape();
        let slot = self.at(shape.slot_at());
        // SAFETY: in each of these forms the slot is such a value, initialised, aligned, and
        // borrowed exclusively with the record.
        Some(unsafe {
            match shape.form {
                Form::Int | Form::Inline => return None,
                Form::Text => ValueMut::String(&mut *slot.cast()),
                Form::List => ValueMut::List(&mut *slot.cast()),
                Form::Set => ValueMut::Set(&mut *slot.cast()),
                Form::Hash => ValueMut::Hash(&mut *slot.cast()),
                Form::Stream => ValueMut::Stream(&mut *slot.cast()),
                Form::Zset => ValueMut::Zset(&mut *slot.cast()),
            }
        })
    }

    /// Moves the value out, if it has allocations of its own.
    ///
    /// # Safety
    /// The slot is not looked at again, not even to be dropped.
    unsafe fn read_boxed(&mut self) -> Option<Value> {
        let value = self.boxed_mut()?;
        // SAFETY: the value is initialised, and the caller forgets that it was here.
        Some(unsafe {
            match value {
                ValueMut::String(bytes) => Value::String(ptr::read(bytes)),
                ValueMut::List(list) => Value::List(ptr::read(list)),
                ValueMut::Set(set) => Value::Set(ptr::read(set)),
                ValueMut::Hash(hash) => Value::Hash(ptr::read(hash)),
                ValueMut::Stream(stream) => Value::Stream(ptr::read(stream)),
                ValueMut::Zset(zset) => Value::Zset(ptr::read(zset)),
            }
        })
    }

    /// Sets, changes or removes the expiry.
    pub fn set_expire(&mut self, expire_at: Option<i64>) {
        let old = self.shape();
        if old.expires != expire_at.is_some() {
            self.reshape_expiry(old);
        }
        if let Some(at) = expire_at {
            // SAFETY: the shape has an expiry, an aligned i64 after the header.
            unsafe { self.at(HEADER_BYTES).cast::<i64>().write(at) };
        }
    }

    /// Makes room for an expiry, or takes that room away.
    fn reshape_expiry(&mut self, old: Shape) {
        let new = Shape { expires: !old.expires, ..old };
        let tail = old.bytes() - old.slot_at();
        // SAFETY: both shapes differ only in where the tail begins; `moved` has room for the new
        // one, and `copy` allows overlap. A Value in the tail is moved bytewise, and its old place
        // is never read again.
        unsafe {
            let moved = if new.class() == old.class() { self.ptr } else { allocate(new.layout()) };
            ptr::copy(self.at(old.slot_at()), moved.add(new.slot_at()).as_ptr(), tail);
            if moved != self.ptr {
                ptr::copy_nonoverlapping(self.ptr.as_ptr(), moved.as_ptr(), HEADER_BYTES);
                dealloc(self.ptr.as_ptr(), old.layout());
                self.ptr = moved;
            }
            self.ptr.cast::<Header>().as_mut().meta ^= FLAG_EXPIRES;
        }
    }

    // ---- making others

    /// The same value, encoding, expiry and access time under another key.
    pub fn renamed(self, key: &[u8]) -> Record {
        if !self.is_boxed() {
            return self.duplicate(key);
        }
        let (lru, expire_at) = (self.lru(), self.expire_at());
        let value = self.into_boxed().map_or(NewValue::Bytes(b""), NewValue::Owned);
        let mut record = Record::new(key, value, expire_at);
        record.set_lru(lru);
        record
    }

    /// A deep copy under another key.
    pub fn duplicate(&self, key: &[u8]) -> Record {
        let value = match (self.value(), self.encoding()) {
            (ValueRef::Int(n), _) => NewValue::Int(n),
            (ValueRef::String(bytes), Encoding::Embstr) => NewValue::Bytes(bytes),
            (ValueRef::String(bytes), _) => NewValue::Raw(bytes),
            (ValueRef::List(list), _) => NewValue::Owned(Value::List(list.clone())),
            (ValueRef::Set(set), _) => NewValue::Owned(Value::Set(set.clone())),
            (ValueRef::Hash(hash), _) => NewValue::Owned(Value::Hash(hash.clone())),
            (ValueRef::Zset(zset), _) => NewValue::Owned(Value::Zset(zset.clone())),
            (ValueRef::Stream(stream), _) => {
                NewValue::Owned(Value::Stream(Box::new(stream.clone())))
            }
        };
        let mut record = Record::new(key, value, self.expire_at());
        record.set_lru(self.lru());
        record
    }

    /// What remains of the record: the value, if it has allocations of its own.
    pub fn into_boxed(self) -> Option<Value> {
        let mut record = ManuallyDrop::new(self);
        let layout = record.shape().layout();
        // SAFETY: the record owns its allocation, which was made with this layout and is freed
        // here instead of being dropped, after the value was moved out.
        unsafe {
            let value = record.read_boxed();
            dealloc(record.ptr.as_ptr(), layout);
            value
        }
    }

    /// A second pointer to this record, which owns nothing.
    ///
    /// # Safety
    /// The alias must not be used after the record was moved or dropped, nor while it is borrowed
    /// mutably.
    pub unsafe fn alias(&self) -> ManuallyDrop<Record> {
        ManuallyDrop::new(Record { ptr: self.ptr })
    }

    /// Whether both are the same allocation.
    pub fn same(&self, other: &Record) -> bool {
        self.ptr == other.ptr
    }

    /// The address of the record, for prefetching.
    #[inline]
    pub fn address(&self) -> *const u8 {
        self.ptr.as_ptr()
    }

    // ---- inside

    #[inline]
    fn at(&self, offset: usize) -> *mut u8 {
        self.ptr.as_ptr().wrapping_add(offset)
    }

    #[inline]
    fn header(&self) -> &Header {
        // SAFETY: the header is initialised and aligned, and borrowed with the record.
        unsafe { self.ptr.cast::<Header>().as_ref() }
    }

    #[inline]
    fn form(&self) -> Form {
        match self.header().meta >> FORM_SHIFT {
            0 => Form::Int,
            1 => Form::Inline,
            2 => Form::Text,
            3 => Form::List,
            4 => Form::Set,
            5 => Form::Hash,
            6 => Form::Stream,
            _ => Form::Zset,
        }
    }

    #[inline]
    fn shape(&self) -> Shape {
        let header = self.header();
        let mut shape = Shape {
            form: self.form(),
            expires: header.meta & FLAG_EXPIRES != 0,
            key_len: usize::from(header.key_len),
            inline_len: usize::from(header.inline_len),
        };
        if shape.key_len == LONG_KEY {
            let at = shape.key_at() - size_of::<u32>();
            // SAFETY: the length of a long key is an initialised u32 in front of it; all parts
            // before are multiples of eight bytes.
            shape.key_len = unsafe { self.ptr.add(at).cast::<u32>().read() } as usize;
        }
        shape
    }

    /// Writes all parts but the key.
    ///
    /// # Safety
    /// The allocation has room for `shape`, which `content` and `expire_at` agree with, and owns no
    /// value yet.
    unsafe fn fill(
        &mut self,
        shape: Shape,
        content: Content<'_>,
        expire_at: Option<i64>,
        lru: u32,
    ) {
        let mut meta = lru & LRU_MASK | (shape.form as u32) << FORM_SHIFT;
        let base = self.ptr;
        // SAFETY: every part lies within the allocation; those read as wider types are aligned,
        // because the parts before them are multiples of eight bytes long.
        unsafe {
            if let Some(at) = expire_at {
                meta |= FLAG_EXPIRES;
                base.add(HEADER_BYTES).cast::<i64>().write(at);
            }
            if shape.key_len >= LONG_KEY {
                base.add(shape.key_at() - size_of::<u32>()).cast().write(shape.key_len as u32);
            }
            match content {
                Content::Int(n) => base.add(shape.slot_at()).cast::<i64>().write(n),
                Content::Boxed(value) => {
                    let slot = base.add(shape.slot_at());
                    match value {
                        Value::String(bytes) => slot.cast().write(bytes),
                        Value::List(list) => slot.cast().write(list),
                        Value::Set(set) => slot.cast().write(set),
                        Value::Hash(hash) => slot.cast().write(hash),
                        Value::Stream(stream) => slot.cast().write(stream),
                        Value::Zset(zset) => slot.cast().write(zset),
                    }
                }
                Content::Inline { bytes, raw } => {
                    meta |= if raw { FLAG_RAW } else { 0 };
                    let at = base.add(shape.inline_at()).as_ptr();
                    ptr::copy_nonoverlapping(bytes.as_ptr(), at, bytes.len());
                }
            }
            base.cast::<Header>().write(Header {
                meta,
                key_len: shape.key_len.min(LONG_KEY) as u16,
                inline_len: shape.inline_len as u16,
            });
        }
    }
}

/// Memory for a record; there is no going on without.
fn allocate(layout: Layout) -> NonNull<u8> {
    // SAFETY: no record is empty.
    NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout))
}

impl Drop for Record {
    fn drop(&mut self) {
        let shape = self.shape();
        // SAFETY: the slot is freed below without being looked at again.
        drop(unsafe { self.read_boxed() });
        // SAFETY: the record owns this allocation, which was made with this layout.
        unsafe { dealloc(self.ptr.as_ptr(), shape.layout()) };
    }
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record")
            .field("key", &self.key().escape_ascii().to_string())
            .field("value", &self.value())
            .field("expire_at", &self.expire_at())
            .finish_non_exhaustive()
    }
}
