//! Hashes against a model, at the limits of their encodings, and in what they leave to chance.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;

const LIMITS: Limits = Limits { entries: 8, value_bytes: 12 };
const ROOMY: Limits = Limits { entries: usize::MAX, value_bytes: 64 };

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

fn contents(hash: &Hash) -> Model {
    let mut seen = Model::new();
    for (field, value) in hash.iter() {
        assert!(seen.insert(field.to_vec(), value.to_vec()).is_none(), "{field:?} comes twice");
    }
    seen
}

/// The same fields, of a table that is made at once.
fn numbered(fields: usize) -> Hash {
    let mut hash = Hash::new();
    hash.make_table();
    for n in 0..fields {
        assert!(hash.set(format!("field:{n:08}").as_bytes(), &[b'v'; 16], LIMITS));
    }
    hash
}

#[test]
fn limits_decide_the_encoding() {
    let mut hash = Hash::new();
    for n in 0..8 {
        hash.set(format!("f{n}").as_bytes(), &[b'x'; 12], LIMITS);
    }
    assert_eq!((hash.len(), hash.encoding()), (8, Encoding::Listpack));
    hash.set(b"f0", b"other", LIMITS);
    assert_eq!(hash.encoding(), Encoding::Listpack);
    let mut longer = hash.clone();
    longer.set(b"f0", &[b'x'; 13], LIMITS);
    assert_eq!((longer.len(), longer.encoding()), (8, Encoding::Hashtable));
    let mut prepared = hash.clone();
    prepared.prepare([&b"f0"[..], &[b'x'; 13]].into_iter(), LIMITS);
    assert_eq!((prepared.encoding(), &prepared), (Encoding::Hashtable, &hash));
    hash.set(b"f9", b"", LIMITS);
    assert_eq!((hash.len(), hash.encoding()), (9, Encoding::Hashtable));
    for n in 1..10 {
        hash.remove(format!("f{n}").as_bytes());
    }
    assert_eq!((hash.len(), hash.encoding()), (1, Encoding::Hashtable));
}

#[test]
fn memory_is_that_of_the_parts() {
    let mut hash = numbered(10_000);
    let per_field = hash.heap_bytes() as f64 / 10_000.0;
    assert!(per_field < 47.0, "{per_field}");
    assert_eq!(hash.free_effort(), 10_000);
    hash.set(b"field:00000007", &[b'w'; 1000], LIMITS);
    assert_eq!(hash.clone().len(), 10_000);
    for n in 0..10_000 {
        assert!(hash.remove(format!("field:{n:08}").as_bytes()));
    }
    let empty = Big::<Rich>::heap_bytes();
    assert_eq!((hash.heap_bytes(), hash.is_empty()), (empty, true));
    assert_eq!(Hash::new().free_effort(), 1);
}

#[test]
fn scans_see_every_field() {
    let hash = numbered(500);
    let (mut cursor, mut seen, mut calls) = (0, BTreeSet::new(), 0);
    loop {
        let before = seen.len();
        cursor = hash.scan(cursor, 10, |field, _| {
            seen.insert(field.to_vec());
        });
        assert!(seen.len() - before <= 10 + 64);
        calls += 1;
        if cursor == 0 {
            break;
        }
    }
    assert_eq!((seen.len(), calls > 10), (500, true));
    let mut small = Hash::new();
    small.set(b"f", b"1", LIMITS);
    let mut found = Vec::new();
    assert_eq!(small.scan(77, 1, |field, value| found.push((field, value))), 0);
    assert_eq!(found, [(Element::Bytes(b"f"), Element::Int(1))]);
}

#[test]
fn chance_is_fair() {
    let mut rng = Rng::seeded(3);
    let mut small = Hash::new();
    for n in 0..20 {
        small.set(format!("field:{n:08}").as_bytes(), b"v", ROOMY);
    }
    assert_eq!(small.encoding(), Encoding::Listpack);
    for hash in [small, numbered(20)] {
        for draw in [1, 3, 12] {
            let (mut picked, mut sampled) = (HashMap::new(), HashMap::new());
            for _ in 0..12_000 / draw {
                hash.pick(&mut rng, draw, |field, _| *picked.entry(field).or_insert(0) += 1);
                let mut different = BTreeSet::new();
                hash.sample(&mut rng, draw, |field, _| {
                    assert!(different.insert(field.to_vec()));
                    *sampled.entry(field).or_insert(0) += 1;
                });
                assert_eq!(different.len(), draw);
            }
            for counts in [picked, sampled] {
                // 600 are expected of each, give or take 24.
                assert!(counts.len() == 20 && counts.values().all(|n| (450..750).contains(n)));
            }
        }
        let mut all = 0;
        hash.sample(&mut rng, 1000, |_, _| all += 1);
        assert_eq!(all, 20);
    }
}

#[test]
fn builders_refuse_what_is_there_twice() {
    let build = |announced, pairs: &[(&[u8], &[u8])]| {
        let mut builder = Builder::new(announced, LIMITS);
        pairs.iter().try_for_each(|(field, value)| builder.push(field, value))?;
        builder.finish()
    };
    let long = [b'x'; 13];
    for announced in [2, 9] {
        let encoding = if announced == 2 { Encoding::Listpack } else { Encoding::Hashtable };
        let built = build(announced, &[(b"a", b"1"), (b"b", b"1")]).unwrap();
        assert_eq!((built.encoding(), built.len()), (encoding, 2));
        assert_eq!(build(announced, &[(b"a", b"1"), (b"a", b"2")]), Err(NotPairs));
        assert_eq!(build(announced, &[(b"1", b"1"), (b"1", b"2")]), Err(NotPairs));
        assert_eq!(build(announced, &[(b"a", b"1"), (b"a", &long)]), Err(NotPairs));
        assert_eq!(build(announced, &[(b"a", b"1"), (b"a", b""), (b"b", &long)]), Err(NotPairs));
        let built = build(announced, &[(b"a", b"1"), (b"b", &long)]).unwrap();
        assert_eq!((built.encoding(), built.len()), (Encoding::Hashtable, 2));
    }
    let mut odd = Listpack::new();
    odd.push_back(b"a");
    assert_eq!(Hash::from_listpack(odd, LIMITS), Err(NotPairs));
}

#[derive(Clone, Debug)]
enum Op {
    Set(Vec<u8>, Vec<u8>),
    SetMany(Vec<(Vec<u8>, Vec<u8>)>),
    Remove(Vec<u8>),
    Get(Vec<u8>),
    Clone,
    MakeTable,
}

fn some_field() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => (0..30u32).prop_map(|n| format!("f{n}").into_bytes()),
        3 => (-3..20i64).prop_map(|n| n.to_string().into_bytes()),
        1 => Just(Vec::new()),
        1 => (0..3u8).prop_map(|n| vec![n; 300]),
    ]
}

fn some_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => any::<i64>().prop_map(|n| n.to_string().into_bytes()),
        4 => prop::collection::vec(any::<u8>(), 0..14),
        1 => (any::<u8>(), 0..600usize).prop_map(|(byte, len)| vec![byte; len]),
    ]
}

fn some_op() -> impl Strategy<Value = Op> {
    let pairs = prop::collection::vec((some_field(), some_value()), 1..12);
    prop_oneof![
        8 => (some_field(), some_value()).prop_map(|(field, value)| Op::Set(field, value)),
        2 => pairs.prop_map(Op::SetMany),
        6 => some_field().prop_map(Op::Remove),
        4 => some_field().prop_map(Op::Get),
        1 => Just(Op::Clone),
        1 => Just(Op::MakeTable),
    ]
}

fn apply(hash: &mut Hash, model: &mut Model, op: Op, limits: Limits) {
    match op {
        Op::Set(field, value) => {
            let added = hash.set(&field, &value, limits);
            assert_eq!(added, model.insert(field, value).is_none());
        }
        Op::SetMany(pairs) => {
            let parts: Vec<_> =
                pairs.iter().flat_map(|(field, value)| [&field[..], &value[..]]).collect();
            hash.prepare(parts.iter().copied(), limits);
            for (field, value) in pairs {
                let added = hash.set(&field, &value, limits);
                assert_eq!(added, model.insert(field, value).is_none());
            }
        }
        Op::Remove(field) => assert_eq!(hash.remove(&field), model.remove(&field).is_some()),
        Op::Get(field) => {
            let found = hash.get(&field).map(|value| value.to_vec());
            assert_eq!(found.as_ref(), model.get(&field));
            assert_eq!(hash.contains(&field), found.is_some());
        }
        Op::Clone => {
            let copy = hash.clone();
            assert_eq!(&copy, hash);
            *hash = copy;
        }
        Op::MakeTable => {
            hash.make_table();
        }
    }
}

/// Expiries beside the fields of the other model.
type Expiries = BTreeMap<Vec<u8>, (Vec<u8>, Option<i64>)>;

#[derive(Clone, Debug)]
enum ExpiryOp {
    Set(Vec<u8>, Vec<u8>),
    SetKeeping(Vec<u8>, Vec<u8>),
    Expire(Vec<u8>, Option<i64>),
    Remove(Vec<u8>),
    RemoveDue(i64, usize),
    RemoveIfDue(Vec<u8>, i64),
    Clone,
    MakeTable,
}

fn some_expiry_op() -> impl Strategy<Value = ExpiryOp> {
    let pair = || (some_field(), some_value());
    prop_oneof![
        6 => pair().prop_map(|(field, value)| ExpiryOp::Set(field, value)),
        2 => pair().prop_map(|(field, value)| ExpiryOp::SetKeeping(field, value)),
        8 => (some_field(), prop::option::weighted(0.8, 1..40i64))
            .prop_map(|(field, at)| ExpiryOp::Expire(field, at)),
        2 => some_field().prop_map(ExpiryOp::Remove),
        2 => (0..30i64, 0..5usize).prop_map(|(now, max)| ExpiryOp::RemoveDue(now, max)),
        1 => (some_field(), 0..40i64).prop_map(|(field, now)| ExpiryOp::RemoveIfDue(field, now)),
        1 => Just(ExpiryOp::Clone),
        1 => Just(ExpiryOp::MakeTable),
    ]
}

fn apply_expiry(hash: &mut Hash, model: &mut Expiries, op: ExpiryOp, limits: Limits) {
    let due = |model: &Expiries, now: i64| {
        model.values().filter(|(_, expiry)| expiry.is_some_and(|at| at < now)).count()
    };
    match op {
        ExpiryOp::Set(field, value) => {
            let added = hash.set(&field, &value, limits);
            assert_eq!(added, model.insert(field, (value, None)).is_none());
        }
        ExpiryOp::SetKeeping(field, value) => {
            let expiry = model.get(&field).and_then(|(_, expiry)| *expiry);
            let added = hash.set_keeping(&field, &value, limits);
            assert_eq!(added, model.insert(field, (value, expiry)).is_none());
        }
        ExpiryOp::Expire(field, at) => {
            let found = model.get_mut(&field).map(|(_, expiry)| *expiry = at).is_some();
            assert_eq!(hash.set_expiry(&field, at), found);
        }
        ExpiryOp::Remove(field) => {
            assert_eq!(hash.remove(&field), model.remove(&field).is_some());
        }
        ExpiryOp::RemoveDue(now, max) => {
            let removed = hash.remove_due(now, max);
            assert_eq!(removed, due(model, now).min(max));
            let gone = |field: &Vec<u8>| !hash.contains(field);
            let before = model.len();
            model.retain(|field, (_, at)| !(at.is_some_and(|at| at < now) && gone(field)));
            assert_eq!(before - model.len(), removed);
        }
        ExpiryOp::RemoveIfDue(field, now) => {
            let expiry = model.get(&field).and_then(|(_, expiry)| *expiry);
            let removed = expiry.is_some_and(|at| at < now);
            assert_eq!(hash.remove_if_due(&field, now), removed);
            if removed {
                model.remove(&field);
            }
        }
        ExpiryOp::Clone => {
            let copy = hash.clone();
            assert_eq!(&copy, hash);
            *hash = copy;
        }
        ExpiryOp::MakeTable => {
            hash.make_table();
        }
    }
}

/// What a view of the hash at a time shows, by each of its ways.
fn check_live(hash: &Hash, model: &Expiries, now: i64) {
    let alive = |expiry: Option<i64>| expiry.is_none_or(|at| at >= now);
    let shown: Model = model
        .iter()
        .filter(|(_, (_, expiry))| alive(*expiry))
        .map(|(field, (value, _))| (field.clone(), value.clone()))
        .collect();
    let live = Live::new(hash, now);
    let mut rng = Rng::seeded(5);
    assert_eq!((live.len(), live.stored(), live.is_empty()), {
        (shown.len(), model.len(), shown.is_empty())
    });
    let walked: Model =
        live.iter().map(|(field, value)| (field.to_vec(), value.to_vec())).collect();
    assert_eq!(walked, shown);
    let (mut scanned, mut sampled) = (Model::new(), Model::new());
    live.scan(0, usize::MAX, |field, value| _ = scanned.insert(field.to_vec(), value.to_vec()));
    live.sample(&mut rng, 100, |field, value| {
        assert!(sampled.insert(field.to_vec(), value.to_vec()).is_none());
    });
    assert_eq!((&scanned, &sampled), (&shown, &shown));
    if !shown.is_empty() {
        let mut few = 0;
        live.sample(&mut rng, 2, |field, _| {
            few += usize::from(shown.contains_key(&field.to_vec()))
        });
        assert_eq!(few, shown.len().min(2));
        let mut picked = 0;
        live.pick(&mut rng, 5, |field, _| {
            picked += usize::from(shown.contains_key(&field.to_vec()))
        });
        assert_eq!(picked, 5);
    }
    for (field, (value, expiry)) in model {
        let alive = alive(*expiry);
        assert_eq!(live.get(field).map(|found| found.to_vec()), alive.then(|| value.clone()));
        assert_eq!((live.contains(field), live.expiry(field)), (alive, alive.then_some(*expiry)));
    }
}

fn is_admitted(hash: &Hash, limits: Limits) -> bool {
    let long = |element: Element<'_>| element.len() > limits.value_bytes;
    hash.len() <= limits.entries && !hash.iter().any(|(field, value)| long(field) || long(value))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]
    #[test]
    fn behaves_as_a_map(ops in prop::collection::vec(some_op(), 0..80), roomy: bool) {
        let limits = if roomy { ROOMY } else { LIMITS };
        let (mut hash, mut model) = (Hash::new(), Model::new());
        for op in ops {
            apply(&mut hash, &mut model, op, limits);
            prop_assert_eq!(hash.len(), model.len());
            prop_assert_eq!(hash.is_empty(), model.is_empty());
            prop_assert_eq!(&contents(&hash), &model);
            prop_assert!(hash.encoding() == Encoding::Hashtable || is_admitted(&hash, limits));
            if let Repr::Table(fields) = hash.repr() {
                let bytes: usize = fields.table.iter().map(Field::heap_bytes).sum();
                prop_assert_eq!(bytes, fields.bytes);
            }
        }
    }

    #[test]
    fn expiries_are_those_of_a_map(
        ops in prop::collection::vec(some_expiry_op(), 0..80),
        now in 0..40i64,
        roomy: bool,
    ) {
        let limits = if roomy { ROOMY } else { LIMITS };
        let (mut hash, mut model) = (Hash::new(), Expiries::new());
        for op in ops {
            apply_expiry(&mut hash, &mut model, op, limits);
            let found: Expiries = hash
                .entries()
                .map(|(field, value, expiry)| (field.to_vec(), (value.to_vec(), expiry)))
                .collect();
            prop_assert_eq!(&found, &model);
            prop_assert_eq!(hash.len(), model.len());
            let next = model.values().filter_map(|(_, expiry)| *expiry).min();
            prop_assert_eq!(hash.next_expiry(), next);
            prop_assert!(hash.encoding() != Encoding::Listpack || next.is_none());
            if let Some(triplets) = hash.triplets() {
                let again = Hash::from_triplets(triplets.clone(), ROOMY);
                prop_assert_eq!(again.as_ref(), Ok(&hash));
            }
        }
        check_live(&hash, &model, now);
    }
}
