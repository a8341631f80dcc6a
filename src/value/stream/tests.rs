//! Streams: ids, counters, and groups against what they must keep true.

use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { node_bytes: 4096, node_entries: 4 };

fn id(ms: u64, seq: u64) -> Id {
    Id { ms, seq }
}

fn add(stream: &mut Stream, ms: u64) {
    let parts = [&b"f"[..], b"v"];
    stream.append(id(ms, 0), parts.into_iter(), LIMITS);
}

fn stream_of(ids: impl IntoIterator<Item = u64>) -> Stream {
    let mut stream = Stream::new();
    ids.into_iter().for_each(|ms| add(&mut stream, ms));
    stream
}

#[test]
fn new_ids_are_greater_than_the_last_one() {
    let mut stream = stream_of([5]);
    assert_eq!(stream.new_id(NewId::Auto, 7), Some(id(7, 0)));
    assert_eq!(stream.new_id(NewId::Auto, 5), Some(id(5, 1)));
    assert_eq!(stream.new_id(NewId::Auto, 3), Some(id(5, 1)));
    assert_eq!(stream.new_id(NewId::At(5), 9), Some(id(5, 1)));
    assert_eq!(stream.new_id(NewId::At(6), 9), Some(id(6, 0)));
    assert_eq!(stream.new_id(NewId::At(4), 9), None);
    assert_eq!(stream.new_id(NewId::Given(id(5, 0)), 9), None);
    assert_eq!(stream.new_id(NewId::Given(id(5, 7)), 9), Some(id(5, 7)));
    stream.set_last_id(id(5, u64::MAX), None, None);
    assert_eq!(stream.new_id(NewId::At(5), 9), None);
    assert_eq!(stream.new_id(NewId::Auto, 3), Some(id(6, 0)));
    assert_eq!(Stream::new().new_id(NewId::At(0), 9), Some(id(0, 1)));
}

#[test]
fn counters_follow() {
    let mut stream = stream_of(1..=10);
    assert_eq!(stream.remove(&[id(1, 0), id(4, 0), id(4, 0), id(40, 0)]), 2);
    let counters = *stream.counters();
    assert_eq!((counters.length, counters.first_id), (8, id(2, 0)));
    assert_eq!((counters.max_deleted_id, counters.last_id), (id(4, 0), id(10, 0)));
    let trim = Trim { keep: Keep::Newest(3), by_node: false, limit: 0 };
    assert_eq!(stream.trim(trim), 5);
    assert_eq!((stream.len(), stream.counters().first_id), (3, id(8, 0)));
    let trim = Trim { keep: Keep::Newest(0), by_node: false, limit: 0 };
    assert_eq!(stream.trim(trim), 3);
    assert_eq!((stream.is_empty(), stream.counters().first_id), (true, Id::MIN));
    assert_eq!((stream.counters().entries_added, stream.counters().last_id), (10, id(10, 0)));
}

#[test]
fn what_was_read_is_told_where_it_can_be() {
    let mut stream = stream_of(1..=5);
    let read = |stream: &Stream, ms| stream.counters().read_upto(id(ms, 0));
    assert_eq!([0, 1, 5].map(|ms| read(&stream, ms)), [Some(0), Some(1), Some(5)]);
    assert_eq!([2, 6].map(|ms| read(&stream, ms)), [None, None]);
    stream.remove(&[id(1, 0)]);
    assert_eq!([1, 2].map(|ms| read(&stream, ms)), [Some(1), Some(2)]);
    stream.remove(&[id(4, 0)]);
    assert_eq!([1, 2, 5].map(|ms| read(&stream, ms)), [None, None, Some(5)]);
    let mut group = Group::new(id(2, 0), Some(2));
    assert_eq!(group.lag(stream.counters()), None);
    group.advance(id(5, 0), stream.counters());
    assert_eq!((group.entries_read, group.lag(stream.counters())), (Some(3), Some(2)));
    let unknown = Group::new(id(5, 0), None);
    assert_eq!(unknown.lag(stream.counters()), Some(0));
    assert_eq!(unknown.lag(&Counters::default()), Some(0));
}

#[test]
fn groups_have_names_of_their_own() {
    let mut stream = stream_of([1]);
    assert!(stream.create_group(b"g", Group::new(Id::MIN, None)));
    assert!(!stream.create_group(b"g", Group::new(Id::MAX, None)));
    assert!(stream.create_group(b"a", Group::new(Id::MAX, None)));
    assert!(stream.groups().map(|(name, _)| name).eq([b"a", b"g"]));
    let (group, log, _) = stream.group_mut(b"g").expect("it was created");
    assert_eq!((group.last_id, log.node_count()), (Id::MIN, 1));
    let removed = stream.remove_group(b"g").expect("it is there");
    assert_eq!((removed.groups_len(), removed.len()), (1, 0));
    assert!(stream.remove_group(b"g").is_none());
    assert_eq!(stream.clone(), stream);
    assert_ne!(removed, stream);
    assert!(stream.heap_bytes() > removed.heap_bytes() - 200);
}

#[derive(Clone, Debug)]
enum Step {
    Give(u64, usize),
    Acknowledge(u64),
    RemoveConsumer(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12u64, 0..4usize).prop_map(|(ms, consumer)| Step::Give(ms, consumer)),
        2 => (0..12u64).prop_map(Step::Acknowledge),
        1 => (0..4usize).prop_map(Step::RemoveConsumer),
    ]
}

proptest! {
    /// What is pending for the group is pending for exactly one of its consumers.
    #[test]
    fn pending_entries_have_one_owner(steps in prop::collection::vec(step(), 0..60)) {
        let names = [&b"a"[..], b"b", b"c", b"d"];
        let mut group = Group::new(Id::MIN, None);
        let mut model: BTreeMap<Id, usize> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Give(ms, owner) => {
                    let found = group.find_consumer(names[owner]);
                    let consumer = found.or_else(|| group.create_consumer(names[owner], 5));
                    let consumer = consumer.expect("found or created");
                    let pending = Pending { consumer, delivery_time: 7, delivery_count: ms };
                    group.set_pending(id(ms, 0), pending);
                    model.insert(id(ms, 0), owner);
                }
                Step::Acknowledge(ms) => {
                    let was = model.remove(&id(ms, 0)).is_some();
                    prop_assert_eq!(group.remove_pending(id(ms, 0)), was);
                }
                Step::RemoveConsumer(owner) => {
                    let existed = group.find_consumer(names[owner]).is_some();
                    let count = model.len();
                    model.retain(|_, other| *other != owner);
                    let removed = group.remove_consumer(names[owner]);
                    prop_assert_eq!(removed, existed.then_some(count - model.len()));
                }
            }
            prop_assert_eq!(group.pending_len(), model.len());
            let owned: usize = group.consumers().map(Consumer::pending_len).sum();
            prop_assert_eq!(owned, model.len());
            for (&at, &owner) in &model {
                let pending = group.pending(at).expect("it is pending");
                let consumer = group.consumer(pending.consumer);
                prop_assert_eq!(consumer.name(), names[owner]);
                prop_assert_eq!(consumer.pending_from(at).next(), Some(at));
            }
        }
        prop_assert!(group.clone() == group);
    }
}
