//! Records against a model, and what they take of memory.

use proptest::prelude::*;

use super::*;

const KEY: &[u8] = b"0123456789abcdef";

fn bytes_of(record: &Record) -> Vec<u8> {
    record.value().string(&mut itoa::Buffer::new()).unwrap().to_vec()
}

#[test]
fn memory_of_a_record() {
    let size = |value: NewValue<'_>, expire| Record::new(KEY, value, expire).heap_bytes();
    assert_eq!(size(NewValue::Bytes(&[7; 16]), None), 48);
    assert_eq!(size(NewValue::Bytes(&[7; 64]), None), 96);
    assert_eq!(size(NewValue::Bytes(&[7; 64]), Some(1)), 96);
    assert_eq!(size(NewValue::Int(-5), None), 32);
}

#[test]
fn classes_are_those_of_the_allocator() {
    for bytes in 1..10_000 {
        let class = size_class(bytes);
        assert!(class >= bytes && size_class(class) == class, "{bytes} {class}");
        #[cfg(feature = "jemalloc")]
        assert_eq!(crate::base::alloc::usable_size(bytes.max(9)), class, "{bytes}");
    }
}

#[test]
fn encodings_follow_length_and_origin() {
    let encoding = |value: NewValue<'_>| Record::new(KEY, value, None).encoding();
    assert_eq!(encoding(NewValue::from_bytes(b"12")), Encoding::Int);
    assert_eq!(encoding(NewValue::Bytes(b"12")), Encoding::Embstr);
    assert_eq!(encoding(NewValue::Bytes(&[b'x'; 44])), Encoding::Embstr);
    assert_eq!(encoding(NewValue::Bytes(&[b'x'; 45])), Encoding::Raw);
    assert_eq!(encoding(NewValue::Bytes(&[b'x'; 4500])), Encoding::Raw);
    assert_eq!(encoding(NewValue::Raw(b"x")), Encoding::Raw);
    let long_key = Record::new(&[1; 600], NewValue::Bytes(b"x"), None);
    assert_eq!(long_key.encoding(), Encoding::Embstr);
    let mut edited = Record::new(KEY, NewValue::Int(1), None);
    edited.string_mut().unwrap().push(b'2');
    assert_eq!((bytes_of(&edited), edited.encoding()), (b"12".to_vec(), Encoding::Raw));
}

#[test]
fn values_of_like_size_are_written_in_place() {
    let mut record = Record::new(KEY, NewValue::Bytes(&[1; 10]), Some(5));
    let address = record.address();
    record.assign(NewValue::Bytes(&[2; 16]), Some(9));
    record.set_int(77);
    record.set_int(78);
    assert_eq!((record.address(), record.value()), (address, ValueRef::Int(78)));
    assert_eq!((record.key(), record.expire_at()), (KEY, Some(9)));
    record.assign(NewValue::Bytes(&[3; 100]), None);
    assert_ne!(record.address(), address);
}

/// What a record must look like, in plain types.
#[derive(Clone, Debug, PartialEq)]
struct Model {
    key: Vec<u8>,
    value: Vec<u8>,
    encoding: Encoding,
    expire_at: Option<i64>,
    lru: u32,
}

#[derive(Clone, Debug)]
enum Op {
    Assign(Given, Option<i64>),
    SetInt(i64),
    Append(Vec<u8>),
    Expire(Option<i64>),
    Lru(u32),
    Rename(Vec<u8>),
    Duplicate,
}

#[derive(Clone, Debug)]
enum Given {
    Int(i64),
    Bytes(Vec<u8>),
    Raw(Vec<u8>),
    Owned(Vec<u8>),
}

impl Given {
    fn new_value(&self) -> NewValue<'_> {
        match self {
            Given::Int(n) => NewValue::Int(*n),
            Given::Bytes(b) => NewValue::Bytes(b),
            Given::Raw(b) => NewValue::Raw(b),
            Given::Owned(b) => NewValue::Owned(Value::String(b.clone())),
        }
    }

    fn modelled(&self) -> (Vec<u8>, Encoding) {
        match self {
            Given::Int(n) => (n.to_string().into_bytes(), Encoding::Int),
            Given::Bytes(b) if b.len() <= 44 => (b.clone(), Encoding::Embstr),
            Given::Bytes(b) | Given::Raw(b) | Given::Owned(b) => (b.clone(), Encoding::Raw),
        }
    }
}

fn some_bytes() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![0..50usize, 0..600usize, Just(5000)];
    (any::<u8>(), len).prop_map(|(seed, len)| {
        (0..len).map(|i| seed.wrapping_add((i as u8).wrapping_mul(31))).collect()
    })
}

fn some_key() -> impl Strategy<Value = Vec<u8>> {
    let len = prop_oneof![
        4 => 0..40usize,
        1 => 400..600usize,
        1 => (LONG_KEY - 2)..(LONG_KEY + 3),
    ];
    (any::<u8>(), len).prop_map(|(seed, len)| vec![seed; len])
}

fn some_given() -> impl Strategy<Value = Given> {
    prop_oneof![
        any::<i64>().prop_map(Given::Int),
        some_bytes().prop_map(Given::Bytes),
        some_bytes().prop_map(Given::Raw),
        some_bytes().prop_map(Given::Owned),
    ]
}

fn some_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (some_given(), any::<Option<i64>>()).prop_map(|(g, e)| Op::Assign(g, e)),
        2 => any::<i64>().prop_map(Op::SetInt),
        2 => some_bytes().prop_map(Op::Append),
        2 => any::<Option<i64>>().prop_map(Op::Expire),
        1 => (0..=LRU_MASK).prop_map(Op::Lru),
        1 => some_key().prop_map(Op::Rename),
        1 => Just(Op::Duplicate),
    ]
}

fn apply(record: Record, model: &mut Model, op: Op) -> Record {
    let mut record = record;
    match op {
        Op::Assign(given, expire_at) => {
            record.assign(given.new_value(), expire_at);
            (model.value, model.encoding) = given.modelled();
            model.expire_at = expire_at;
        }
        Op::SetInt(n) => {
            record.set_int(n);
            (model.value, model.encoding) = Given::Int(n).modelled();
        }
        Op::Append(more) => {
            record.string_mut().unwrap().extend_from_slice(&more);
            model.value.extend_from_slice(&more);
            model.encoding = Encoding::Raw;
        }
        Op::Expire(expire_at) => {
            record.set_expire(expire_at);
            model.expire_at = expire_at;
        }
        Op::Lru(lru) => {
            record.set_lru(lru);
            model.lru = lru;
        }
        Op::Rename(key) => {
            record = record.renamed(&key);
            model.key = key;
        }
        Op::Duplicate => {
            let copy = record.duplicate(&model.key);
            assert!(!copy.same(&record));
            record = copy;
        }
    }
    record
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn behaves_as_the_model(
        key in some_key(),
        first in some_given(),
        expire_at in any::<Option<i64>>(),
        ops in prop::collection::vec(some_op(), 0..40),
    ) {
        let mut record = Record::new(&key, first.new_value(), expire_at);
        let (value, encoding) = first.modelled();
        let mut model = Model { key, value, encoding, expire_at, lru: 0 };
        for op in ops {
            record = apply(record, &mut model, op);
            let seen = Model {
                key: record.key().to_vec(),
                value: bytes_of(&record),
                encoding: record.encoding(),
                expire_at: record.expire_at(),
                lru: record.lru(),
            };
            prop_assert_eq!(&seen, &model);
        }
    }
}
