//! Clients that take more than they may: each costs bounded memory and loses its connection, nobody
//! else does.

mod common;

use std::io::Write;
use std::net::TcpStream;

use common::{Client, Node, wait_until};
use redis_rust::Config;

fn with(directives: &[(&str, &str)]) -> Node {
    let set = |config: Config, (name, value): &(&str, &str)| config.set(name, value);
    Node::with(directives.iter().try_fold(Config::default(), set).expect("directives"))
}

#[test]
fn a_transaction_counts_against_the_query_buffer() {
    let node = with(&[("client-query-buffer-limit", "1mb")]);
    let mut greedy = node.connect();
    assert_eq!(greedy.run("MULTI").text(), "OK");
    let value = vec![b'x'; 400_000];
    let set = [&b"SET"[..], b"k", &value];
    assert_eq!(greedy.call(&set).text(), "QUEUED");
    assert_eq!(greedy.call(&set).text(), "QUEUED");
    greedy.send(&set);
    wait_until("the greedy client is cut off", || greedy.is_closed());
    assert_eq!(node.connect().run("EXISTS k").int(), 0);
}

#[test]
fn a_stranger_may_not_fill_the_query_buffer() {
    let node = with(&[("requirepass", "secret")]);
    let mut stranger = TcpStream::connect(node.address()).expect("connect");
    // The node closes in the middle of it, so that a write may fail.
    let header = b"*10\r\n".as_slice();
    let argument = [b"$16000\r\n".as_slice(), &[b'x'; 16_000], b"\r\n"].concat();
    let mut sent = stranger.write_all(header);
    for _ in 0..9 {
        sent = sent.and_then(|()| stranger.write_all(&argument));
    }
    assert!(sent.is_ok(), "ten short arguments are allowed");
    let mut other = Client::connect(node.address());
    other.send_raw(b"*11\r\n");
    assert!(other.read().error().contains("unauthenticated multibulk length"));
    wait_until("it is closed", || other.is_closed());
    assert_eq!(node.connect().run("AUTH secret").text(), "OK");
}

#[test]
fn one_client_more_than_allowed() {
    let node = with(&[("maxclients", "2")]);
    let (mut first, mut second) = (node.connect(), node.connect());
    assert_eq!(
        (first.run("PING").text(), second.run("PING").text()),
        ("PONG".into(), "PONG".into())
    );
    let mut third = node.connect();
    assert_eq!(third.read().error(), "ERR max number of clients reached");
    assert!(third.is_closed());
    drop(first);
    wait_until("the place is free", || {
        let mut next = node.connect();
        next.send_raw(b"PING\r\n");
        next.try_read().is_ok_and(|reply| !reply.is_error())
    });
    assert_eq!(second.run("PING").text(), "PONG");
}

#[test]
fn output_that_nobody_reads() {
    let node = with(&[("client-output-buffer-limit", "normal 1mb 0 0")]);
    let mut client = node.connect();
    let value = vec![b'x'; 500_000];
    assert_eq!(client.call(&[&b"SET"[..], b"k", &value]).text(), "OK");
    let mut deaf = node.connect();
    // More than the sockets between us hold.
    (0..40).for_each(|_| deaf.send(&["GET", "k"]));
    wait_until("the deaf client is cut off", || {
        client.run("CLIENT LIST").text().lines().count() == 1
    });
    assert_eq!(client.run("STRLEN k").int(), 500_000);
}

#[test]
fn a_pipeline_of_big_replies() {
    let node = with(&[]);
    let mut client = node.connect();
    let value = vec![b'x'; 300_000];
    assert_eq!(client.call(&[&b"SET"[..], b"k", &value]).text(), "OK");
    // More than one turn's replies, and more than one batch of requests.
    let pipeline: Vec<u8> =
        (0..40).flat_map(|n| format!("GET k\r\nECHO {n}\r\n").into_bytes()).collect();
    client.send_raw(&pipeline);
    for n in 0..40 {
        assert_eq!(client.read().text().len(), value.len());
        assert_eq!(client.read().text(), n.to_string());
    }
    // As many within a transaction are one request.
    client.send_raw(&[b"MULTI\r\n", &pipeline[..], b"EXEC\r\n"].concat());
    assert_eq!(client.read().text(), "OK");
    (0..80).for_each(|_| assert_eq!(client.read().text(), "QUEUED"));
    assert_eq!(client.read().items().len(), 80);
}
