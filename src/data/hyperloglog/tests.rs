//! Both forms against an array of registers, and strings that somebody has forged.

use proptest::prelude::*;

use super::*;
use crate::base::rng::Rng;

fn registers(string: &[u8]) -> Vec<u8> {
    let mut dense = string.to_vec();
    make_dense(&mut dense).unwrap();
    (0..REGISTERS).map(|index| dense_register(&dense, index)).collect()
}

/// What elements make of registers that are bytes, and of a string.
fn filled(elements: &[u64], sparse_bytes_max: usize) -> (Vec<u8>, Vec<u8>) {
    let (mut model, mut string) = (vec![0; REGISTERS], empty());
    for element in elements {
        let bytes = element.to_le_bytes();
        let (index, value) = register_of(&bytes);
        let changes = value > model[index];
        model[index] = value.max(model[index]);
        assert_eq!(add(&mut string, &bytes, sparse_bytes_max), Ok(changes));
        let sparse = form(&string) == Some(Form::Sparse);
        assert!(!sparse || string.len() <= sparse_bytes_max.max(empty().len()));
    }
    (model, string)
}

fn elements() -> impl Strategy<Value = Vec<u64>> {
    (any::<u64>(), 0usize..3000, 1u64..5000).prop_map(|(seed, count, different)| {
        let mut rng = Rng::seeded(seed);
        (0..count).map(|_| rng.below(different)).collect()
    })
}

#[test]
fn strings_are_those_of_redis() {
    let mut string = empty();
    for element in ["a", "b", "c", "d", "e", "f", "g"] {
        assert_eq!(add(&mut string, element.as_bytes(), 3000), Ok(true));
    }
    assert_eq!(string[..HEADER_BYTES], *b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80");
    let runs = b"Fm\x80V\x0c\x80D<\x848\x80P\xb1\x84I\x8c\x80Bm\x80BZ";
    assert_eq!(string[HEADER_BYTES..], runs[..]);
    assert_eq!((last_estimate(&string), estimate(&string)), (None, Ok(7)));
    keep_estimate(&mut string, 7);
    assert_eq!(last_estimate(&string), Some(7));
}

#[test]
fn estimates_are_those_of_redis() {
    let (mut string, mut added) = (empty(), 0);
    for (count, expected) in [(100, 100), (1000, 1001), (10_000, 9987), (100_000, 99_565)] {
        for element in added..count {
            add(&mut string, element.to_string().as_bytes(), 3000).unwrap();
        }
        added = count;
        assert_eq!(estimate(&string), Ok(expected), "{count}");
    }
    // Registers at their greatest values, as no hash gives them.
    string[HEADER_BYTES..].fill(0xFF);
    assert_eq!(estimate(&string), Ok(1 << 63));
    string[HEADER_BYTES..].fill(0);
    assert_eq!(estimate(&string), Ok(0));
}

#[test]
fn headers_are_checked() {
    let mut string = empty();
    assert_eq!((form(&string), estimate(&string)), (Some(Form::Sparse), Ok(0)));
    assert_eq!(form(&string[..15]), None);
    string[FORM_AT] = 2;
    assert_eq!(form(&string), None);
    string[FORM_AT] = DENSE_FORM;
    assert_eq!(form(&string), None);
    string.resize(DENSE_BYTES, 0);
    assert_eq!(form(&string), Some(Form::Dense));
    string[0] = b'h';
    assert_eq!(form(&string), None);
}

#[test]
fn runs_must_cover_all_registers() {
    let with = |body: &[u8]| [&empty()[..HEADER_BYTES], body].concat();
    for body in [&b""[..], b"\x7F", b"\x7F\xFE", b"\x7F\xFF\x00", b"\x7F\xFF\x80", b"\x00\x80"] {
        let mut string = with(body);
        assert_eq!(estimate(&string), Err(Corrupt), "{body:?}");
        assert_eq!(Union::default().add(&string), Err(Corrupt));
        assert_eq!(make_dense(&mut string), Err(Corrupt));
        assert_eq!(string, with(body));
    }
    let mut string = with(b"\x00");
    assert_eq!(raise(&mut string, &mut Hint::default(), (1, 1), 3000), Err(Corrupt));
    let mut string = with(b"\x40");
    assert_eq!(raise(&mut string, &mut Hint::default(), (0, 1), 3000), Err(Corrupt));
}

#[test]
fn the_self_test_passes() {
    assert_eq!(self_test(&mut Rng::seeded(3), 3000), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn forms_agree(elements in elements(), sparse_bytes_max in 0usize..4000) {
        let (model, mut string) = filled(&elements, sparse_bytes_max);
        prop_assert_eq!(&registers(&string), &model);
        let count = estimate(&string);
        make_dense(&mut string).unwrap();
        prop_assert_eq!(estimate(&string), count);
    }

    #[test]
    fn unions_are_what_adding_all_gives(
        parts in prop::collection::vec(elements(), 1..4),
        sparse_bytes_max in prop_oneof![Just(100usize), Just(3000), Just(20_000)],
    ) {
        let mut union = Union::default();
        let mut strings = Vec::new();
        for part in &parts {
            let (_, string) = filled(part, sparse_bytes_max);
            union.add(&string).unwrap();
            strings.push(string);
        }
        let (model, together) = filled(&parts.concat(), sparse_bytes_max);
        prop_assert_eq!(Ok(union.estimate()), estimate(&together));
        let mut first = strings.swap_remove(0);
        let mut slowly = first.clone();
        union.store(&mut first, sparse_bytes_max).unwrap();
        prop_assert_eq!(&registers(&first), &model);
        prop_assert_eq!(last_estimate(&first), None);
        // One register at a time, each looked for from the beginning.
        if union.has_dense {
            make_dense(&mut slowly).unwrap();
        }
        for (index, &value) in model.iter().enumerate().filter(|(_, value)| **value != 0) {
            raise(&mut slowly, &mut Hint::default(), (index, value), sparse_bytes_max).unwrap();
        }
        invalidate(&mut slowly);
        prop_assert!(first == slowly);
    }

    /// Whatever the bytes are, everything ends, and what is accepted keeps its form.
    #[test]
    fn forged_strings_do_no_harm(
        elements in elements(),
        dense in any::<bool>(),
        forged in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
        more in prop::collection::vec(any::<u64>(), 1..20),
    ) {
        let (_, mut string) = filled(&elements, 3000);
        if dense {
            make_dense(&mut string).unwrap();
        } else if form(&string) == Some(Form::Sparse) {
            string.truncate(HEADER_BYTES + cut.index(string.len() - HEADER_BYTES + 1));
        }
        for (at, byte) in forged {
            let at = at.index(string.len());
            string[at] = byte;
        }
        if form(&string).is_none() {
            return Ok(());
        }
        let mut union = Union::default();
        let sound = estimate(&string).is_ok();
        prop_assert_eq!(union.add(&string).is_ok(), sound);
        prop_assert!(runs(&string).count() <= string.len());
        let mut added = string.clone();
        for element in more {
            let result = add(&mut added, &element.to_le_bytes(), 3000);
            prop_assert!(result.is_ok() || !sound);
            prop_assert!(form(&added).is_some());
        }
        if sound {
            prop_assert!(estimate(&added).is_ok());
            prop_assert_eq!(union.store(&mut string, 3000), Ok(()));
        }
        prop_assert_eq!(make_dense(&mut string).is_ok(), sound);
    }
}
