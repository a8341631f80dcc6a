//! A client library that knows nothing of this server uses a node as it would use Redis: the
//! `redis` crate, in both protocols.

use redis::{Commands, Connection};
use redis_rust::{Config, Handle, Server};

fn node() -> Handle {
    Server::bind(Config::default().port(0)).expect("bind").spawn()
}

/// Connections in RESP2 and RESP3.
fn connections(node: &Handle) -> [Connection; 2] {
    let port = node.addresses()[0].port();
    ["", "?protocol=resp3"].map(|query| {
        let url = format!("redis://127.0.0.1:{port}/0{query}");
        redis::Client::open(url).expect("url").get_connection().expect("connect")
    })
}

#[test]
fn values_and_numbers() {
    let node = node();
    for mut c in connections(&node) {
        let _: () = c.set("k", b"\x00\xff binary").expect("set");
        assert_eq!(c.get::<_, Vec<u8>>("k").expect("get"), b"\x00\xff binary");
        assert_eq!(c.get::<_, Option<String>>("absent").expect("get"), None);
        assert_eq!(c.del::<_, i64>(&["k", "n", "absent"]).expect("del"), 1);
        assert_eq!(c.incr::<_, _, i64>("n", 41).expect("incr"), 41);
        assert_eq!(c.incr::<_, _, f64>("n", 0.5).expect("incrbyfloat"), 41.5);
        let _: () = c.mset(&[("a", "1"), ("b", "2")]).expect("mset");
        let all: Vec<Option<i64>> = c.mget(&["a", "b", "c"]).expect("mget");
        assert_eq!(all, [Some(1), Some(2), None]);
        let _: () = redis::cmd("FLUSHALL").query(&mut c).expect("flushall");
    }
}

#[test]
fn expiry_and_iteration() {
    let node = node();
    for mut c in connections(&node) {
        let _: () = c.set_ex("short", "x", 100).expect("setex");
        assert!((99..=100).contains(&c.ttl::<_, i64>("short").expect("ttl")));
        assert!(c.persist::<_, bool>("short").expect("persist"));
        for i in 0..500 {
            let _: () = c.set(format!("key:{i}"), i).expect("set");
        }
        let mut seen: Vec<String> = {
            let keys = c.scan_match::<_, String>("key:*").expect("scan");
            keys.map(|key| key.expect("key")).collect()
        };
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 500);
        let _: () = redis::cmd("FLUSHALL").query(&mut c).expect("flushall");
    }
}

#[test]
fn pipelines_and_transactions() {
    let node = node();
    for mut c in connections(&node) {
        let replies: (i64, i64, String) = redis::pipe()
            .atomic()
            .incr("n", 1)
            .incr("n", 1)
            .cmd("SET")
            .arg("k")
            .arg("v")
            .ignore()
            .get("k")
            .query(&mut c)
            .expect("exec");
        assert_eq!(replies, (1, 2, "v".into()));
        let doubled: (i64,) = redis::transaction(&mut c, &["n"], |c, pipe| {
            let n: i64 = c.get("n")?;
            pipe.set("n", n * 2).ignore().get("n").query(c)
        })
        .expect("transaction");
        assert_eq!(doubled, (4,));
        let error = redis::cmd("INCR").arg("k").query::<i64>(&mut c).expect_err("no number");
        assert!(error.to_string().contains("not an integer"), "{error}");
        let _: () = redis::cmd("FLUSHALL").query(&mut c).expect("flushall");
    }
}
