//! Subscriptions by themselves: places among receivers, what is left of who leaves, slots.

use super::*;

fn subscribed(entries: &[(usize, Kind, &str)]) -> Pubsub {
    let mut pubsub = Pubsub::default();
    for (token, kind, name) in entries {
        assert!(pubsub.subscribe(*token, *kind, name.as_bytes()));
    }
    pubsub
}

/// Every receiver's seat tells its place, and nothing is left of what is gone.
fn check(pubsub: &Pubsub) {
    let mut places = 0;
    for kind in KINDS {
        let topics = &pubsub.kinds[kind as usize];
        assert_eq!(topics.by_name.len(), topics.all.len());
        for (index, topic) in &topics.all {
            let id = TopicId(index as u32);
            assert_eq!(topics.find(&topic.name), Some(id));
            assert!(!topic.receivers.is_empty());
            for (place, token) in topic.receivers.iter().enumerate() {
                let seats = pubsub.seats(*token as usize).unwrap();
                assert_eq!(seats.by_kind[kind as usize][&id], place as u32);
                places += 1;
            }
        }
    }
    let seats = pubsub.seats.iter().flatten();
    assert_eq!(places, seats.flat_map(|s| &s.by_kind).map(BTreeMap::len).sum::<usize>());
    assert_eq!(pubsub.slots.len(), pubsub.len(Kind::Shard));
}

#[test]
fn subscribing_twice_is_subscribing_once() {
    let mut pubsub = subscribed(&[(3, Kind::Channel, "news"), (3, Kind::Pattern, "n*")]);
    assert!(!pubsub.subscribe(3, Kind::Channel, b"news"));
    let counts = pubsub.counts(3);
    assert_eq!((counts.told(Kind::Channel), counts.told(Kind::Shard)), (2, 0));
    assert_eq!(pubsub.receivers(Kind::Channel, b"news"), 1);
    assert_eq!(pubsub.counts(99), Counts::default());
    assert!(!pubsub.unsubscribe(99, Kind::Channel, b"news"));
    check(&pubsub);
}

#[test]
fn who_leaves_takes_nobody_along() {
    let mut pubsub = Pubsub::default();
    for token in 0..50 {
        for name in [&b"a"[..], b"b", b"c"] {
            pubsub.subscribe(token, Kind::Channel, name);
        }
        pubsub.subscribe(token, Kind::Shard, format!("s{}", token % 7).as_bytes());
    }
    for token in (0..50).step_by(3) {
        pubsub.forget(token);
        check(&pubsub);
    }
    assert!(pubsub.unsubscribe(1, Kind::Channel, b"b"));
    check(&pubsub);
    assert_eq!(pubsub.receivers(Kind::Channel, b"a"), 33);
    assert_eq!(pubsub.receivers(Kind::Channel, b"b"), 32);
    (0..50).for_each(|token| pubsub.forget(token));
    check(&pubsub);
    assert!(KINDS.iter().all(|kind| pubsub.len(*kind) == 0));
    assert!(pubsub.seats.iter().all(Option::is_none));
}

#[test]
fn a_client_gives_up_all_it_has_one_by_one() {
    let mut pubsub = subscribed(&[
        (0, Kind::Channel, "x"),
        (0, Kind::Channel, "y"),
        (0, Kind::Pattern, "z*"),
        (1, Kind::Channel, "y"),
    ]);
    let costs = pubsub.client_bytes(0);
    assert_eq!(pubsub.unsubscribe_any(0, Kind::Channel).as_deref(), Some(&b"x"[..]));
    assert!(pubsub.client_bytes(0) < costs);
    assert_eq!(pubsub.unsubscribe_any(0, Kind::Channel).as_deref(), Some(&b"y"[..]));
    assert_eq!(pubsub.unsubscribe_any(0, Kind::Channel), None);
    assert_eq!(pubsub.counts(0).total(), 1);
    check(&pubsub);
}

#[test]
fn a_slot_loses_its_channels_and_no_others() {
    let mut pubsub = subscribed(&[
        (0, Kind::Shard, "{a}1"),
        (1, Kind::Shard, "{a}1"),
        (1, Kind::Shard, "{a}2"),
        (1, Kind::Shard, "{b}"),
        (1, Kind::Channel, "{a}1"),
    ]);
    let slot = Slot::of_key(b"a");
    let mut dropped = Vec::new();
    while let Some((name, tokens)) = pubsub.drop_channel_of(slot) {
        dropped.push((name.to_vec(), tokens.len()));
    }
    assert_eq!(dropped, [(b"{a}1".to_vec(), 2), (b"{a}2".to_vec(), 1)]);
    check(&pubsub);
    assert_eq!(pubsub.counts(0), Counts::default());
    let left = Counts { channels: 1, patterns: 0, shard_channels: 1 };
    assert_eq!(pubsub.counts(1), left);
}

#[test]
fn names_are_told_by_pattern() {
    let pubsub = subscribed(&[(0, Kind::Channel, "foo"), (0, Kind::Channel, "bar")]);
    let names = |pattern| pubsub.names(Kind::Channel, pattern).collect::<Vec<_>>();
    assert_eq!(names(None), [&b"foo"[..], b"bar"]);
    assert_eq!(names(Some(b"f*")), [&b"foo"[..]]);
    assert_eq!(pubsub.names(Kind::Shard, None).count(), 0);
}
