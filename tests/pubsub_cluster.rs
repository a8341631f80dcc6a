//! Pub/sub in a cluster: messages that cross the bus, shard channels and their slots, and what
//! subscribers are told when a slot goes elsewhere.

mod common;

use common::cluster::{Member, start_cluster};
use common::{Client, wait_until};
use redis_rust::keyspace::Slot;

/// A subscriber of RESP3, whose other requests are answered, too.
fn resp3(member: &Member) -> Client {
    let mut client = member.connect();
    client.run("HELLO 3");
    client
}

/// The member that serves a channel, and another one.
fn owner_of<'a>(members: &'a [Member], channel: &str) -> (&'a Member, &'a Member) {
    let slot = usize::from(Slot::of_key(channel.as_bytes()).0);
    let index = slot * members.len() / 16_384;
    (&members[index], &members[(index + 1) % members.len()])
}

#[test]
fn messages_reach_subscribers_of_all_nodes() {
    let members = start_cluster(3, &[]);
    let mut subscribers: Vec<Client> = members.iter().map(resp3).collect();
    for client in &mut subscribers {
        client.run("SUBSCRIBE c");
        client.run("PSUBSCRIBE *");
    }
    let mut publisher = members[0].connect();
    // Only those of the node itself are counted.
    assert_eq!(publisher.ask("PUBLISH c hello"), "(integer) 2");
    for client in &mut subscribers {
        assert_eq!(client.read().to_string(), "push[\"message\", \"c\", \"hello\"]");
        assert_eq!(client.read().to_string(), "push[\"pmessage\", \"*\", \"c\", \"hello\"]");
    }
    let sent = "cluster_stats_messages_publish_sent";
    assert_eq!(members[0].cluster_info(sent), "2");
    let received = "cluster_stats_messages_publish_received";
    assert_eq!(members[1].cluster_info(received), "1");
}

#[test]
fn shard_channels_are_served_where_their_slot_is() {
    let members = start_cluster(2, &[]);
    let (owner, other) = owner_of(&members, "c");
    let mut subscriber = resp3(owner);
    let subscribed = "push[\"ssubscribe\", \"c\", (integer) 1]";
    subscriber.expect(&[("SSUBSCRIBE c", subscribed)]);
    let moved = format!("MOVED {} 127.0.0.1:{}", Slot::of_key(b"c").0, owner.port());
    let mut stranger = other.connect();
    for line in ["SSUBSCRIBE c", "SPUBLISH c m", "SUNSUBSCRIBE c"] {
        assert_eq!(stranger.run(line).error(), moved, "{line}");
    }
    let crossed = "(error) CROSSSLOT Keys in request don't hash to the same slot";
    stranger.expect(&[("SSUBSCRIBE c d", crossed), ("SUNSUBSCRIBE c d", crossed)]);
    let mut publisher = owner.connect();
    publisher.expect(&[
        ("SPUBLISH c m", "(integer) 1"),
        ("PUBLISH c m", "(integer) 0"),
        ("PUBSUB SHARDCHANNELS", "[\"c\"]"),
        ("PUBSUB SHARDNUMSUB c d", "[\"c\", (integer) 1, \"d\", (integer) 0]"),
        ("PUBSUB CHANNELS", "[]"),
        ("MULTI", "OK"),
        ("SPUBLISH c n", "QUEUED"),
        ("EXEC", "[(integer) 1]"),
    ]);
    assert_eq!(subscriber.read().to_string(), "push[\"smessage\", \"c\", \"m\"]");
    assert_eq!(subscriber.read().to_string(), "push[\"smessage\", \"c\", \"n\"]");
}

/// A subscriber of three shard channels, two of them of the slot of `c`.
fn subscriber_of_a_slot(owner: &Member) -> Client {
    let mut client = resp3(owner);
    for channel in ["c", "{c}2"] {
        client.run(&format!("SSUBSCRIBE {channel}"));
    }
    client
}

#[track_caller]
fn expect_end(client: &mut Client, channels: &[&str]) {
    for (index, channel) in channels.iter().enumerate() {
        let left = channels.len() - index - 1;
        let told = format!("push[\"sunsubscribe\", \"{channel}\", (integer) {left}]");
        assert_eq!(client.read().to_string(), told);
    }
    assert_eq!(client.ask("PING"), "PONG");
    assert_eq!(client.ask("PUBSUB SHARDCHANNELS"), "[]");
    assert!(client.run("CLIENT INFO").text().contains(" flags=N "));
}

#[test]
fn subscribers_are_told_when_their_slot_moves() {
    let members = start_cluster(2, &[]);
    let (owner, other) = owner_of(&members, "c");
    let slot = Slot::of_key(b"c").0;
    let mut client = subscriber_of_a_slot(owner);
    let (id, mine) = (other.id(), owner.id());
    assert_eq!(other.connect().ask(&format!("CLUSTER SETSLOT {slot} IMPORTING {mine}")), "OK");
    let mut admin = owner.connect();
    assert_eq!(admin.ask(&format!("CLUSTER SETSLOT {slot} MIGRATING {id}")), "OK");
    // Until the move is over, its owner serves.
    assert_eq!(admin.ask("SPUBLISH c m"), "(integer) 1");
    assert_eq!(client.read().to_string(), "push[\"smessage\", \"c\", \"m\"]");
    assert_eq!(other.connect().ask(&format!("CLUSTER SETSLOT {slot} NODE {id}")), "OK");
    assert_eq!(admin.ask(&format!("CLUSTER SETSLOT {slot} NODE {id}")), "OK");
    expect_end(&mut client, &["c", "{c}2"]);
    wait_until("the new owner serves", || other.connect().ask("SPUBLISH c m") == "(integer) 0");
}

#[test]
fn subscribers_are_told_when_nobody_serves_their_slot() {
    let slot = Slot::of_key(b"c").0;
    let deletions = [format!("CLUSTER DELSLOTS {slot}"), "CLUSTER FLUSHSLOTS".into()];
    for deletion in deletions.iter().map(String::as_str).chain(["CLUSTER RESET"]) {
        let members = start_cluster(1, &[]);
        let mut client = subscriber_of_a_slot(&members[0]);
        assert_eq!(members[0].connect().ask(deletion), "OK", "{deletion}");
        expect_end(&mut client, &["c", "{c}2"]);
        let unserved = "CLUSTERDOWN Hash slot not served";
        assert_eq!(client.run("SSUBSCRIBE c").error(), unserved);
    }
}

#[test]
fn a_slot_that_is_lost_by_its_owners_own_command_is_told_after_the_reply() {
    let members = start_cluster(1, &[]);
    let mut client = subscriber_of_a_slot(&members[0]);
    assert_eq!(client.ask("CLUSTER FLUSHSLOTS"), "OK");
    expect_end(&mut client, &["c", "{c}2"]);
}

#[test]
fn a_cluster_that_is_down_serves_shard_channels_if_told_so() {
    let member = Member::start(&[]);
    let mut client = member.connect();
    let slot = Slot::of_key(b"c").0;
    assert_eq!(client.ask(&format!("CLUSTER ADDSLOTS {slot}")), "OK");
    assert_eq!(member.cluster_info("cluster_state"), "fail");
    assert_eq!(client.ask("SPUBLISH c m"), "(integer) 0");
    client.run("CONFIG SET cluster-allow-pubsubshard-when-down no");
    assert_eq!(client.run("SPUBLISH c m").error(), "CLUSTERDOWN The cluster is down");
    assert_eq!(client.run("PUBLISH c m").int(), 0);
}
