//! Every outcome of routing, as a table, and what redirects name.

use super::*;
use crate::base::rng::Rng;
use crate::cluster::{Address, Node, NodeFlags, NodeId, Settings, ShardId};

const MINE: Slot = Slot(1);
const THEIRS: Slot = Slot(2);
const NOBODYS: Slot = Slot(3);
const LEAVING: Slot = Slot(4);
const COMING: Slot = Slot(5);

const NONE: Census = Census { existing: false, missing: true, several: false };
const ALL: Census = Census { existing: true, missing: false, several: false };
const ALL_OF_MANY: Census = Census { several: true, ..ALL };
const SOME: Census = Census { existing: true, missing: true, several: true };
const NONE_OF_MANY: Census = Census { existing: false, missing: true, several: true };
const SAME_TWICE: Census = Census { existing: false, missing: true, several: false };

/// This node, another primary, and slots in every state.
fn cluster() -> (Cluster, NodeIndex) {
    let mut rng = Rng::seeded(1);
    let mut cluster = Cluster::new(Settings::default(), Rng::seeded(2), 0);
    let address = Address { ip: "10.0.0.2".into(), port: 7001, tls_port: 7101, bus_port: 17001 };
    let (id, shard) = (NodeId::random(&mut rng), ShardId::random(&mut rng));
    let other = Node::new(id, shard, NodeFlags::PRIMARY, address, 0);
    let other = cluster.nodes.insert(other).unwrap();
    let me = cluster.myself();
    cluster.state = State::Ok;
    for (slot, owner) in [(MINE, me), (LEAVING, me), (THEIRS, other), (COMING, other)] {
        cluster.slots.set_owner(slot, Some(owner));
    }
    cluster.slots.set_migrating(LEAVING, Some(other));
    cluster.slots.set_importing(COMING, Some(other));
    (cluster, other)
}

fn route(cluster: &Cluster, slots: &[Slot], query: Query, census: Census) -> Route {
    cluster.route(slots.iter().copied(), query, || census)
}

const READ: Query = Query {
    write: false,
    asking: false,
    readonly: false,
    shard_channels: false,
    moves_keys: false,
};
const WRITE: Query = Query { write: true, ..READ };
const ASKING: Query = Query { asking: true, ..READ };
const READONLY: Query = Query { readonly: true, ..READ };
const CHANNELS: Query = Query { shard_channels: true, ..READ };
const MIGRATE: Query = Query { moves_keys: true, ..WRITE };

#[test]
fn slots_decide_where_a_request_is_served() {
    let (cluster, other) = cluster();
    let moved = |slot| Route::Moved { slot, node: other };
    let ask = Route::Ask { slot: LEAVING, node: other };
    let cases: &[(&[Slot], Query, Census, Route)] = &[
        // No keys: anywhere.
        (&[], WRITE, NONE, Route::Here),
        // Slots at rest. What keys exist does not matter, nor does ASKING.
        (&[MINE], WRITE, NONE, Route::Here),
        (&[MINE, MINE], READ, SOME, Route::Here),
        (&[THEIRS], READ, ALL, moved(THEIRS)),
        (&[THEIRS], ASKING, ALL, moved(THEIRS)),
        (&[THEIRS], READONLY, ALL, moved(THEIRS)),
        (&[THEIRS], MIGRATE, ALL, moved(THEIRS)),
        (&[THEIRS], CHANNELS, NONE, moved(THEIRS)),
        (&[NOBODYS], READ, NONE, Route::Unowned),
        (&[NOBODYS], ASKING, NONE, Route::Unowned),
        // Several slots. The first key's comes first.
        (&[MINE, THEIRS], READ, ALL, Route::CrossSlot),
        (&[MINE, MINE, NOBODYS], READ, ALL, Route::CrossSlot),
        (&[NOBODYS, MINE], READ, ALL, Route::Unowned),
        (&[LEAVING, COMING], MIGRATE, ALL, Route::CrossSlot),
        // A slot that is leaving.
        (&[LEAVING], WRITE, ALL, Route::Here),
        (&[LEAVING], WRITE, NONE, ask),
        (&[LEAVING], ASKING, NONE, ask),
        (&[LEAVING, LEAVING], READ, ALL_OF_MANY, Route::Here),
        (&[LEAVING, LEAVING], READ, SOME, Route::TryAgain),
        (&[LEAVING, LEAVING], READ, NONE_OF_MANY, ask),
        (&[LEAVING, LEAVING], MIGRATE, SOME, Route::Here),
        (&[LEAVING], CHANNELS, NONE, Route::Here),
        // A slot that is coming.
        (&[COMING], READ, ALL, moved(COMING)),
        (&[COMING], ASKING, ALL, Route::Here),
        (&[COMING], ASKING, NONE, Route::Here),
        (&[COMING, COMING], ASKING, ALL_OF_MANY, Route::Here),
        (&[COMING, COMING], ASKING, SOME, Route::TryAgain),
        (&[COMING, COMING], ASKING, NONE_OF_MANY, Route::TryAgain),
        (&[COMING, COMING], ASKING, SAME_TWICE, Route::Here),
        (&[COMING, COMING], READ, SOME, moved(COMING)),
        (&[COMING], MIGRATE, NONE, Route::Here),
        (&[COMING], CHANNELS, NONE, moved(COMING)),
        (&[COMING], Query { asking: true, ..CHANNELS }, NONE, Route::Here),
    ];
    for (slots, query, census, expected) in cases {
        let found = route(&cluster, slots, *query, *census);
        assert_eq!(found, *expected, "{slots:?} {query:?} {census:?}");
    }
}

#[test]
fn a_slot_that_is_moved_to_where_it_is_stays_served() {
    let (mut cluster, _) = cluster();
    let me = cluster.myself();
    cluster.slots.set_migrating(LEAVING, Some(me));
    assert_eq!(route(&cluster, &[LEAVING], WRITE, NONE), Route::Here);
    assert_eq!(route(&cluster, &[LEAVING, LEAVING], WRITE, SOME), Route::TryAgain);
}

#[test]
fn keys_are_not_counted_unless_their_slot_is_open() {
    let (cluster, _) = cluster();
    for (slots, query) in
        [([MINE, MINE], READ), ([THEIRS, THEIRS], ASKING), ([LEAVING, LEAVING], CHANNELS)]
    {
        cluster.route(slots.into_iter(), query, || panic!("{slots:?}"));
    }
}

#[test]
fn a_cluster_that_is_down_serves_what_the_settings_say() {
    let (mut cluster, other) = cluster();
    cluster.state = State::Fail;
    let down = |cluster: &Cluster, slot, query| route(cluster, &[slot], query, NONE);
    for query in [READ, WRITE, ASKING, READONLY, CHANNELS, MIGRATE] {
        for slot in [MINE, THEIRS, LEAVING, COMING] {
            assert_eq!(down(&cluster, slot, query), Route::Down);
        }
        assert_eq!(down(&cluster, NOBODYS, query), Route::Unowned);
        assert_eq!(route(&cluster, &[], query, NONE), Route::Here);
        assert_eq!(route(&cluster, &[MINE, THEIRS], query, NONE), Route::CrossSlot);
    }
    cluster.settings.allow_reads_when_down = true;
    assert_eq!(down(&cluster, MINE, READ), Route::Here);
    assert_eq!(down(&cluster, THEIRS, READ), Route::Moved { slot: THEIRS, node: other });
    assert_eq!(down(&cluster, MINE, WRITE), Route::DownReadOnly);
    assert_eq!(down(&cluster, LEAVING, MIGRATE), Route::DownReadOnly);
    assert_eq!(down(&cluster, MINE, CHANNELS), Route::Down);
    cluster.settings.allow_pubsubshard_when_down = true;
    assert_eq!(down(&cluster, MINE, CHANNELS), Route::Here);
}

#[test]
fn a_replica_reads_what_its_primary_owns_for_those_who_ask_for_that() {
    let (mut cluster, other) = cluster();
    let me = cluster.me_mut();
    me.flags = NodeFlags::MYSELF | NodeFlags::REPLICA;
    me.replica_of = Some(other);
    let moved = Route::Moved { slot: THEIRS, node: other };
    let there = |query| route(&cluster, &[THEIRS], query, NONE);
    assert_eq!(there(READ), moved);
    assert_eq!(there(READONLY), Route::Here);
    assert_eq!(there(CHANNELS), Route::Here);
    assert_eq!(there(Query { readonly: true, ..WRITE }), moved);
}

#[test]
fn the_cheap_question_agrees_with_the_full_one() {
    let (mut cluster, other) = cluster();
    let me = cluster.myself();
    let yes = |cluster: &Cluster| (0..8).filter(|&s| cluster.serves(Slot(s))).collect::<Vec<_>>();
    assert_eq!(yes(&cluster), [MINE.0]);
    cluster.slots.set_migrating(LEAVING, None);
    assert_eq!(yes(&cluster), [MINE.0, LEAVING.0]);
    cluster.slots.set_owner(COMING, Some(me));
    assert_eq!(yes(&cluster), [MINE.0, LEAVING.0], "still marked as coming");
    cluster.slots.close_all();
    assert_eq!(yes(&cluster), [MINE.0, LEAVING.0, COMING.0]);
    cluster.slots.set_importing(MINE, Some(other));
    cluster.slots.set_migrating(LEAVING, Some(other));
    cluster.slots.set_owner(COMING, None);
    assert_eq!(yes(&cluster), []);
    cluster.remove_node(other);
    assert_eq!(yes(&cluster), [MINE.0, LEAVING.0]);
    cluster.state = State::Fail;
    assert_eq!(yes(&cluster), []);
}

#[test]
fn redirects_name_what_clients_are_to_connect_to() {
    let (mut cluster, other) = cluster();
    let words = |cluster: &Cluster, tls| {
        let route = Route::Moved { slot: THEIRS, node: other };
        cluster.refusal(route, tls).unwrap().to_string()
    };
    assert_eq!(words(&cluster, false), "MOVED 2 10.0.0.2:7001");
    assert_eq!(words(&cluster, true), "MOVED 2 10.0.0.2:7101");
    cluster.settings.preferred_endpoint = EndpointType::Hostname;
    assert_eq!(words(&cluster, false), "MOVED 2 ?:7001");
    cluster.nodes[other].hostname = "two.example".into();
    assert_eq!(words(&cluster, false), "MOVED 2 two.example:7001");
    cluster.settings.preferred_endpoint = EndpointType::Unknown;
    assert_eq!(words(&cluster, false), "MOVED 2 :7001");
    let ask = cluster.refusal(Route::Ask { slot: LEAVING, node: other }, false);
    assert_eq!(ask.unwrap().to_string(), "ASK 4 :7001");
    assert_eq!(cluster.refusal(Route::Here, false), None);
}
