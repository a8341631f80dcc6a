//! Values of the type that a command wants: what stands at a key as that type or as an error, and
//! its elements as replies. Called by the families of commands that have a type.

use crate::data::listpack::Element;
use crate::keyspace::{Key, Keyspace, RecordMut};
use crate::resp::{Error, Reply};
use crate::value::{Hash, List, Record, Set, Stream, ValueMut, ValueRef, Zset};

/// A type of values that are changed in their place.
pub(super) trait Typed {
    /// The value, if it is of this type.
    fn of(value: ValueRef<'_>) -> Option<&Self>;
    /// The value to be changed, if it is of this type.
    fn of_mut(value: ValueMut<'_>) -> Option<&mut Self>;
}

macro_rules! typed {
    ($($kind:ident),*) => {$(
        impl Typed for $kind {
            #[inline(always)]
            fn of(value: ValueRef<'_>) -> Option<&Self> {
                match value {
                    ValueRef::$kind(value) => Some(value),
                    _ => None,
                }
            }

            #[inline(always)]
            fn of_mut(value: ValueMut<'_>) -> Option<&mut Self> {
                match value {
                    ValueMut::$kind(value) => Some(value),
                    _ => None,
                }
            }
        }
    )*};
}

typed!(Hash, List, Set, Stream, Zset);

/// The value of a record.
#[inline(always)]
pub(super) fn of_record<T: Typed>(record: &Record) -> Result<&T, Error> {
    T::of(record.value()).ok_or(Error::WrongType)
}

/// The value of a record, to be changed.
#[inline(always)]
pub(super) fn of_record_mut<T: Typed>(record: RecordMut<'_>) -> Result<&mut T, Error> {
    record.into_boxed_mut().and_then(T::of_mut).ok_or(Error::WrongType)
}

/// The value at a key, to be read.
#[inline(always)]
pub(super) fn read<'k, T: Typed + 'k>(
    keyspace: &'k mut Keyspace,
    db: usize,
    key: &Key<'_>,
) -> Result<Option<&'k T>, Error> {
    keyspace.lookup_read(db, key).map(of_record).transpose()
}

/// Replies with one element.
#[inline]
pub(super) fn reply_element(reply: &mut Reply, element: Element<'_>) {
    match element {
        Element::Bytes(bytes) => reply.bulk(bytes),
        Element::Int(n) => reply.bulk_int(n),
    }
}
