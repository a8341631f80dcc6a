//! A Rust program embeds a node in three lines.

use std::io::{Read, Write};
use std::net::TcpStream;

use redis_rust::{Config, Server};

#[test]
fn a_node_in_three_lines() {
    let node = Server::bind(Config::default().port(0)).expect("bind").spawn();
    let mut client = TcpStream::connect(node.addresses()[0]).expect("connect");
    client.write_all(b"PING\r\n*2\r\n$4\r\nECHO\r\n$2\r\nhi\r\n").expect("write");
    let mut reply = [0; 15];
    client.read_exact(&mut reply).expect("read");
    assert_eq!(&reply, b"+PONG\r\n$2\r\nhi\r\n");
    assert_eq!(node.stop().expect("stop"), 0);
}

#[test]
fn dropping_the_handle_stops_the_node() {
    let node = Server::bind(Config::default().port(0)).expect("bind").spawn();
    let address = node.addresses()[0];
    drop(node);
    assert!(TcpStream::connect(address).is_err());
}
