//! What a key holds: types, encodings, and the record that joins a key with its value. Used by the
//! keyspace, the commands and the persistence formats; knows no databases, no clients and no time.

pub mod field;
pub mod hash;
pub mod list;
pub mod member;
pub mod record;
pub mod scored;
pub mod set;
pub mod stream;
pub mod zset;

pub use hash::Hash;
pub use list::List;
pub use record::Record;
pub use set::Set;
pub use stream::Stream;
pub use zset::Zset;

use crate::base::{self, alloc, numbers};

/// The type of a value, as TYPE and SCAN TYPE name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A string of bytes, or an integer.
    String,
    /// A list.
    List,
    /// A set.
    Set,
    /// A sorted set.
    Zset,
    /// A hash.
    Hash,
    /// A stream.
    Stream,
}

impl Type {
    /// Every type.
    pub const ALL: [Type; 6] =
        [Type::String, Type::List, Type::Set, Type::Zset, Type::Hash, Type::Stream];

    /// The name that TYPE replies.
    pub fn name(self) -> &'static str {
        match self {
            Type::String => "string",
            Type::List => "list",
            Type::Set => "set",
            Type::Zset => "zset",
            Type::Hash => "hash",
            Type::Stream => "stream",
        }
    }

    /// The type of that name, in any case.
    pub fn from_name(name: &[u8]) -> Option<Type> {
        Type::ALL.into_iter().find(|t| name.eq_ignore_ascii_case(t.name().as_bytes()))
    }
}

/// How a value is represented, as OBJECT ENCODING names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A string that is a 64-bit integer in canonical decimal.
    Int,
    /// A short string that was set as a whole.
    Embstr,
    /// Any other string.
    Raw,
    /// Integers in ascending order, in one allocation.
    Intset,
    /// A sequence of short elements in one allocation.
    Listpack,
    /// A sequence of short elements in one allocation, some of which expire.
    ListpackEx,
    /// A row of listpacks.
    Quicklist,
    /// A hash table.
    Hashtable,
    /// Listpacks in the order of ids.
    Stream,
    /// A hash table and an index that is sorted.
    Skiplist,
}

impl Encoding {
    /// The name that OBJECT ENCODING replies.
    pub fn name(self) -> &'static str {
        match self {
            Encoding::Int => "int",
            Encoding::Embstr => "embstr",
            Encoding::Raw => "raw",
            Encoding::Intset => "intset",
            Encoding::Listpack => "listpack",
            Encoding::ListpackEx => "listpackex",
            Encoding::Quicklist => "quicklist",
            Encoding::Hashtable => "hashtable",
            Encoding::Stream => "stream",
            Encoding::Skiplist => "skiplist",
        }
    }
}

/// A value that has an allocation of its own. Integers and short strings lie in the record instead.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A string that is long, or that is being edited; its encoding is `raw`.
    String(Vec<u8>),
    /// A list.
    List(List),
    /// A set.
    Set(Set),
    /// A hash.
    Hash(Hash),
    /// A stream.
    Stream(Box<Stream>),
    /// A sorted set.
    Zset(Zset),
}

const _: () = assert!(size_of::<Value>() <= 32);

impl Value {
    /// The value's type.
    pub fn kind(&self) -> Type {
        match self {
            Value::String(_) => Type::String,
            Value::List(_) => Type::List,
            Value::Set(_) => Type::Set,
            Value::Hash(_) => Type::Hash,
            Value::Stream(_) => Type::Stream,
            Value::Zset(_) => Type::Zset,
        }
    }

    /// The value's encoding.
    pub fn encoding(&self) -> Encoding {
        match self {
            Value::String(_) => Encoding::Raw,
            Value::List(list) => list.encoding(),
            Value::Set(set) => set.encoding(),
            Value::Hash(hash) => hash.encoding(),
            Value::Stream(_) => Encoding::Stream,
            Value::Zset(zset) => zset.encoding(),
        }
    }

    /// Bytes of the heap that the value owns.
    pub fn heap_bytes(&self) -> usize {
        match self {
            Value::String(bytes) => alloc::usable_size(bytes.capacity()),
            Value::List(list) => list.heap_bytes(),
            Value::Set(set) => set.heap_bytes(),
            Value::Hash(hash) => hash.heap_bytes(),
            Value::Stream(stream) => stream.heap_bytes(),
            Value::Zset(zset) => zset.heap_bytes(),
        }
    }

    /// How much work freeing is: roughly the number of allocations (Redis: lazyfreeGetFreeEffort).
    pub fn free_effort(&self) -> usize {
        match self {
            Value::String(_) => 1,
            Value::List(list) => list.free_effort(),
            Value::Set(set) => set.free_effort(),
            Value::Hash(hash) => hash.free_effort(),
            Value::Stream(stream) => stream.free_effort(),
            Value::Zset(zset) => zset.free_effort(),
        }
    }
}

/// A value, borrowed from its record.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// A string that is stored as an integer.
    Int(i64),
    /// Any other string.
    String(&'a [u8]),
    /// A list.
    List(&'a List),
    /// A set.
    Set(&'a Set),
    /// A hash.
    Hash(&'a Hash),
    /// A stream.
    Stream(&'a Stream),
    /// A sorted set.
    Zset(&'a Zset),
}

impl<'a> ValueRef<'a> {
    /// The bytes of a string; `digits` is where those of an integer are written. `None` for other
    /// types.
    #[inline]
    pub fn string<'b>(self, digits: &'b mut itoa::Buffer) -> Option<&'b [u8]>
    where
        'a: 'b,
    {
        match self {
            ValueRef::Int(n) => Some(digits.format(n).as_bytes()),
            ValueRef::String(bytes) => Some(bytes),
            ValueRef::List(_)
            | ValueRef::Set(_)
            | ValueRef::Hash(_)
            | ValueRef::Zset(_)
            | ValueRef::Stream(_) => None,
        }
    }
}

/// Where an element is looked up in a value that has a table of them: what has to come from memory
/// is asked for ahead, in two stages.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    value: ValueRef<'a>,
    hash: u64,
}

impl<'a> Place<'a> {
    /// The place of an element; `None` where nothing is to be fetched. First stage: asks for its
    /// bucket.
    #[inline]
    pub fn prefetch_bucket(value: ValueRef<'a>, element: &[u8]) -> Option<Self> {
        let is_table = match value {
            ValueRef::Hash(hash) => hash.encoding() == Encoding::Hashtable,
            ValueRef::Set(set) => set.encoding() == Encoding::Hashtable,
            ValueRef::Zset(zset) => zset.encoding() == Encoding::Skiplist,
            ValueRef::Int(_) | ValueRef::String(_) | ValueRef::List(_) | ValueRef::Stream(_) => {
                false
            }
        };
        if !is_table {
            return None;
        }
        let hash = base::hash::hash(element);
        match value {
            ValueRef::Hash(fields) => fields.prefetch_bucket(hash),
            ValueRef::Set(members) => members.prefetch_bucket(hash),
            ValueRef::Zset(members) => members.prefetch_bucket(hash),
            _ => {}
        }
        Some(Place { value, hash })
    }

    /// Second stage: asks for the element.
    #[inline]
    pub fn prefetch_entry(&self) {
        match self.value {
            ValueRef::Hash(fields) => fields.prefetch_entry(self.hash),
            ValueRef::Set(members) => members.prefetch_entry(self.hash),
            ValueRef::Zset(members) => members.prefetch_entry(self.hash),
            _ => {}
        }
    }
}

/// A value with an allocation of its own, to be edited in its record.
#[derive(Debug)]
pub enum ValueMut<'a> {
    /// A string whose encoding is `raw`.
    String(&'a mut Vec<u8>),
    /// A list.
    List(&'a mut List),
    /// A set.
    Set(&'a mut Set),
    /// A hash.
    Hash(&'a mut Hash),
    /// A sorted set.
    Zset(&'a mut Zset),
    /// A stream.
    Stream(&'a mut Box<Stream>),
}

/// A value on its way into a record.
#[derive(Debug)]
pub enum NewValue<'a> {
    /// An integer.
    Int(i64),
    /// A string set as a whole: `embstr` when short.
    Bytes(&'a [u8]),
    /// A string that is `raw` however short it is.
    Raw(&'a [u8]),
    /// A value with an allocation of its own.
    Owned(Value),
}

impl<'a> NewValue<'a> {
    /// A string, as an integer if it is the canonical decimal form of one.
    #[inline]
    pub fn from_bytes(bytes: &'a [u8]) -> Self {
        numbers::parse_i64(bytes).map_or(NewValue::Bytes(bytes), NewValue::Int)
    }

    /// The value's type.
    pub fn kind(&self) -> Type {
        match self {
            NewValue::Int(_) | NewValue::Bytes(_) | NewValue::Raw(_) => Type::String,
            NewValue::Owned(value) => value.kind(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_redis_names() {
        assert_eq!(Type::from_name(b"ZSet"), Some(Type::Zset));
        assert_eq!(Type::from_name(b"sortedset"), None);
        for kind in Type::ALL {
            assert_eq!(Type::from_name(kind.name().as_bytes()), Some(kind));
        }
    }
}
