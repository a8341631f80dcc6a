//! The registry of waiting clients against a model that keeps plain lists.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: WaiterId = WaiterId(1);
const B: WaiterId = WaiterId(2);
const C: WaiterId = WaiterId(3);

fn wait(waiting: &mut Waiting, client: WaiterId, keys: &[&str], wait_for: WaitFor) {
    waiting.wait(client, 0, keys.iter().map(|key| key.as_bytes()), wait_for);
}

/// Whom the next ready key concerns, if it is of this type all the time.
fn served(waiting: &mut Waiting, now: Option<Type>) -> Option<(String, Vec<WaiterId>)> {
    let (ready, mut serving) = waiting.take_ready()?;
    let clients = std::iter::from_fn(|| waiting.next(&ready, &mut serving, now)).collect();
    Some((String::from_utf8(ready.key.to_vec()).unwrap(), clients))
}

#[test]
fn keys_are_served_as_they_became_ready_and_clients_as_they_came() {
    let mut waiting = Waiting::new(2);
    waiting.key_is(0, b"x", Type::List);
    assert!(!waiting.has_ready() && waiting.is_empty());
    wait(&mut waiting, B, &["x", "y"], WaitFor::List);
    wait(&mut waiting, A, &["y", "x", "y"], WaitFor::List);
    assert_eq!(waiting.keys(), (2, 0));
    waiting.key_is(0, b"y", Type::List);
    waiting.key_is(0, b"x", Type::List);
    waiting.key_is(0, b"y", Type::List);
    waiting.key_is(1, b"x", Type::List);
    waiting.key_is(0, b"z", Type::List);
    let list = Some(Type::List);
    assert_eq!(served(&mut waiting, list), Some(("y".into(), vec![B, A])));
    assert_eq!(served(&mut waiting, list), Some(("x".into(), vec![B, A])));
    assert_eq!(served(&mut waiting, list), None);
    // Once taken, a key may become ready again.
    waiting.key_is(0, b"y", Type::List);
    waiting.stop(B);
    assert_eq!(served(&mut waiting, list), Some(("y".into(), vec![A])));
    waiting.stop(A);
    assert!(waiting.is_empty() && waiting.queues.is_empty() && waiting.index[0].is_empty());
}

#[test]
fn what_one_command_with_many_keys_took_is_given_back() {
    let mut waiting = Waiting::new(1);
    let keys: Vec<String> = (0..10_000).map(|n| n.to_string()).collect();
    waiting.wait(A, 0, keys.iter().map(String::as_bytes), WaitFor::List);
    wait(&mut waiting, B, &["7"], WaitFor::List);
    waiting.stop(A);
    assert_eq!(waiting.keys(), (1, 0));
    waiting.key_is(0, b"7", Type::List);
    waiting.key_is(0, b"8", Type::List);
    waiting.stop(B);
    assert!(waiting.queues.capacity() <= QUEUES_KEPT && waiting.index[0].capacity() == 0);
    assert_eq!(served(&mut waiting, Some(Type::List)), Some(("7".into(), vec![])));
    assert!(!waiting.has_ready());
}

#[test]
fn only_a_key_of_the_type_that_is_waited_for_is_served() {
    let mut waiting = Waiting::new(1);
    wait(&mut waiting, A, &["k"], WaitFor::List);
    waiting.key_is(0, b"k", Type::Zset);
    waiting.key_is(0, b"k", Type::String);
    assert!(!waiting.has_ready());
    wait(&mut waiting, B, &["k"], WaitFor::SortedSet);
    waiting.key_is(0, b"k", Type::Zset);
    assert_eq!(served(&mut waiting, Some(Type::Zset)), Some(("k".into(), vec![B])));
    waiting.key_is(0, b"k", Type::Zset);
    // It may have become something else, or nothing, since.
    assert_eq!(served(&mut waiting, Some(Type::List)), Some(("k".into(), vec![A])));
    waiting.key_is(0, b"k", Type::List);
    assert_eq!(served(&mut waiting, None), Some(("k".into(), vec![])));
}

#[test]
fn groups_are_told_when_their_key_goes() {
    let mut waiting = Waiting::new(1);
    wait(&mut waiting, A, &["k"], WaitFor::Stream);
    waiting.key_was(0, b"k", Type::Stream);
    assert!(!waiting.has_ready());
    wait(&mut waiting, B, &["k"], WaitFor::Group);
    wait(&mut waiting, C, &["k", "l", "k"], WaitFor::Group);
    assert_eq!(waiting.keys(), (2, 2));
    waiting.key_was(0, b"k", Type::Stream);
    assert_eq!(served(&mut waiting, None), Some(("k".into(), vec![B, C])));
    waiting.key_was(0, b"k", Type::Stream);
    assert_eq!(served(&mut waiting, Some(Type::List)), Some(("k".into(), vec![B, C])));
    waiting.key_is(0, b"k", Type::Stream);
    assert_eq!(served(&mut waiting, Some(Type::Stream)), Some(("k".into(), vec![A, B, C])));
    waiting.stop(C);
    assert_eq!(waiting.keys(), (1, 1));
    waiting.stop(B);
    assert_eq!(waiting.keys(), (1, 0));
    waiting.key_was(0, b"k", Type::Stream);
    assert!(!waiting.has_ready());
}

#[test]
fn who_waits_again_is_met_the_next_time() {
    let mut waiting = Waiting::new(1);
    wait(&mut waiting, A, &["k"], WaitFor::Stream);
    wait(&mut waiting, B, &["k"], WaitFor::Stream);
    waiting.key_is(0, b"k", Type::Stream);
    let (ready, mut serving) = waiting.take_ready().unwrap();
    let stream = Some(Type::Stream);
    assert_eq!(waiting.next(&ready, &mut serving, stream), Some(A));
    wait(&mut waiting, A, &["k"], WaitFor::Stream);
    assert_eq!(waiting.next(&ready, &mut serving, stream), Some(B));
    assert_eq!(waiting.next(&ready, &mut serving, stream), None);
    waiting.key_is(0, b"k", Type::Stream);
    assert_eq!(served(&mut waiting, stream), Some(("k".into(), vec![B, A])));
}

#[test]
fn a_database_that_is_replaced() {
    let mut waiting = Waiting::new(2);
    wait(&mut waiting, B, &["gone", "b"], WaitFor::Group);
    wait(&mut waiting, A, &["a", "b", "other"], WaitFor::List);
    waiting.replaced(0, |key| match key {
        b"a" | b"b" => (None, Some(Type::List)),
        b"gone" => (Some(Type::Stream), None),
        _ => (Some(Type::Set), None),
    });
    let list = Some(Type::List);
    // The keys of who waits longest come first; which of them does not matter.
    let mut first = vec![served(&mut waiting, list), served(&mut waiting, list)];
    first.sort();
    assert_eq!(first, [Some(("b".into(), vec![B, A])), Some(("gone".into(), vec![B]))]);
    assert_eq!(served(&mut waiting, list), Some(("a".into(), vec![A])));
    assert_eq!(served(&mut waiting, list), None);
}

/// Everything in plain lists, in order of arrival.
#[derive(Default)]
struct Model {
    waiters: Vec<(WaiterId, usize, Vec<u8>, WaitFor)>,
    ready: Vec<(usize, u8)>,
    /// Keys that are not listed again; forgotten with the last client that waits for them.
    listed: BTreeSet<(usize, u8)>,
}

impl Model {
    fn note(&mut self, db: usize, key: u8, kind: Type, gone: bool) {
        let awaited = self.waiters.iter().any(|(.., wait_for)| concerns(*wait_for, Some(kind)));
        let known = self.at(db, key).any(|wait_for| !gone || wait_for == WaitFor::Group);
        if awaited && known && self.listed.insert((db, key)) {
            self.ready.push((db, key));
        }
    }

    fn stop(&mut self, client: WaiterId) {
        self.waiters.retain(|waiter| waiter.0 != client);
        let waiters = &self.waiters;
        self.listed.retain(|(db, key)| waiters.iter().any(|w| w.1 == *db && w.2.contains(key)));
    }

    fn at(&self, db: usize, key: u8) -> impl Iterator<Item = WaitFor> + '_ {
        let here = self.waiters.iter().filter(move |w| w.1 == db && w.2.contains(&key));
        here.map(|(.., wait_for)| *wait_for)
    }
}

/// Whether a key that is of this type, or gone, is what is waited for.
fn concerns(wait_for: WaitFor, now: Option<Type>) -> bool {
    match wait_for {
        WaitFor::List => now == Some(Type::List),
        WaitFor::SortedSet => now == Some(Type::Zset),
        WaitFor::Stream | WaitFor::Group => now == Some(Type::Stream),
    }
}

#[derive(Clone, Debug)]
enum Step {
    Wait(u64, usize, Vec<u8>, WaitFor),
    Stop(u64),
    Is(usize, u8, Type),
    Was(usize, u8, Type),
    /// Who is served stops waiting.
    Serve(Option<Type>),
}

fn a_wait() -> impl Strategy<Value = WaitFor> {
    use WaitFor::*;
    prop::sample::select(vec![List, SortedSet, Stream, Group])
}

fn a_type() -> impl Strategy<Value = Type> {
    prop::sample::select(Type::ALL.to_vec())
}

fn step() -> impl Strategy<Value = Step> {
    let keys = || prop::collection::vec(0..4u8, 1..5);
    prop_oneof![
        (0..8u64, 0..2usize, keys(), a_wait()).prop_map(|(c, db, k, w)| Step::Wait(c, db, k, w)),
        (0..8u64).prop_map(Step::Stop),
        (0..2usize, 0..4u8, a_type()).prop_map(|(db, key, kind)| Step::Is(db, key, kind)),
        (0..2usize, 0..4u8, a_type()).prop_map(|(db, key, kind)| Step::Was(db, key, kind)),
        prop::option::of(a_type()).prop_map(Step::Serve),
    ]
}

proptest! {
    #[test]
    fn any_steps_agree_with_the_model(steps in prop::collection::vec(step(), 1..200)) {
        let mut waiting = Waiting::new(2);
        let mut model = Model::default();
        for step in steps {
            match step {
                Step::Wait(client, db, keys, wait_for) => {
                    let client = WaiterId(client);
                    waiting.wait(client, db, keys.iter().map(std::slice::from_ref), wait_for);
                    model.stop(client);
                    model.waiters.push((client, db, keys, wait_for));
                }
                Step::Stop(client) => {
                    waiting.stop(WaiterId(client));
                    model.stop(WaiterId(client));
                }
                Step::Is(db, key, kind) => {
                    waiting.key_is(db, &[key], kind);
                    model.note(db, key, kind, false);
                }
                Step::Was(db, key, kind) => {
                    waiting.key_was(db, &[key], kind);
                    model.note(db, key, kind, true);
                }
                Step::Serve(now) => {
                    let ready = waiting.take_ready();
                    prop_assert_eq!(ready.is_some(), !model.ready.is_empty());
                    let Some((ready, mut serving)) = ready else { continue };
                    let (db, key) = model.ready.remove(0);
                    model.listed.remove(&(db, key));
                    prop_assert_eq!((ready.db, &*ready.key), (db, &[key][..]));
                    let expected: Vec<_> = model.waiters.iter()
                        .filter(|w| w.1 == db && w.2.contains(&key))
                        .filter(|w| concerns(w.3, now) || w.3 == WaitFor::Group)
                        .map(|w| w.0)
                        .collect();
                    let mut met = Vec::new();
                    while let Some(client) = waiting.next(&ready, &mut serving, now) {
                        waiting.stop(client);
                        met.push(client);
                    }
                    prop_assert_eq!(&met, &expected);
                    met.into_iter().for_each(|client| model.stop(client));
                }
            }
            let keys = || (0..2usize).flat_map(|db| (0..4u8).map(move |key| (db, key)));
            let awaited = keys().filter(|&(db, key)| model.at(db, key).next().is_some()).count();
            let groups = |&(db, key): &(usize, u8)| {
                model.at(db, key).any(|wait_for| wait_for == WaitFor::Group)
            };
            prop_assert_eq!(waiting.keys(), (awaited, keys().filter(groups).count()));
            prop_assert_eq!(waiting.is_empty(), model.waiters.is_empty());
        }
    }
}
