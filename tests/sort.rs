//! SORT and SORT_RO over a socket: orders, patterns, limits, results that are stored, errors and
//! their order.

mod common;

use common::cluster::start_cluster;
use common::{Node, wait_until};

const SYNTAX: &str = "(error) ERR syntax error";
const NOT_AN_INTEGER: &str = "(error) ERR value is not an integer or out of range";
const BAD_SCORE: &str = "(error) ERR One or more scores can't be converted into double";
const WRONG_TYPE: &str =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";

#[test]
fn orders() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH l 10 9 -1 2.5 1e2 0x3", "(integer) 6"),
        ("SORT l", r#"["-1", "2.5", "0x3", "9", "10", "1e2"]"#),
        ("SORT l DESC", r#"["1e2", "10", "9", "0x3", "2.5", "-1"]"#),
        ("SORT l ASC ALPHA", r#"["-1", "0x3", "10", "1e2", "2.5", "9"]"#),
        ("SORT l ALPHA DESC LIMIT 1 2", r#"["2.5", "1e2"]"#),
        ("SORT l LIMIT 4 100", r#"["10", "1e2"]"#),
        ("SORT l LIMIT -5 1", r#"["-1"]"#),
        ("SORT l LIMIT 2 0", "[]"),
        ("SORT l LIMIT 6 1", "[]"),
        ("SORT l LIMIT 0 2 LIMIT 1 1", r#"["2.5"]"#),
        ("SORT_RO l LIMIT 0 1", r#"["-1"]"#),
        ("SORT none", "[]"),
        ("SORT l BY nosort", r#"["10", "9", "-1", "2.5", "1e2", "0x3"]"#),
        ("SORT l BY nosort DESC LIMIT 1 2", r#"["1e2", "2.5"]"#),
        ("SORT l BY nosort LIMIT 4 9", r#"["1e2", "0x3"]"#),
        ("SADD s 3 1 2", "(integer) 3"),
        ("SORT s DESC", r#"["3", "2", "1"]"#),
        ("SADD w b a c", "(integer) 3"),
        ("SORT w ALPHA", r#"["a", "b", "c"]"#),
        ("SORT w", BAD_SCORE),
        ("SORT w LIMIT 0 0", BAD_SCORE),
        ("RPUSH e x", "(integer) 1"),
        ("SORT e BY nosort", r#"["x"]"#),
    ]);
}

#[test]
fn patterns() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH l 1 2 3 4", "(integer) 4"),
        ("MSET w_1 30 w_2 10 w_3 20 w_4 -1 n_1 one n_3 three", "OK"),
        ("HSET h_1 name uno weight 5 x->y deep", "(integer) 3"),
        ("HSET h_2 weight 4", "(integer) 1"),
        ("SORT l BY w_*", r#"["4", "2", "3", "1"]"#),
        ("SORT l BY w_* DESC LIMIT 0 2", r#"["1", "3"]"#),
        ("SORT l BY h_*->weight", r#"["3", "4", "2", "1"]"#),
        ("SORT l BY n_* ALPHA", r#"["2", "4", "1", "3"]"#),
        ("SORT l BY n_*", BAD_SCORE),
        ("SORT l BY w_* GET #", r#"["4", "2", "3", "1"]"#),
        (
            "SORT l GET # GET n_* GET h_*->name LIMIT 0 2",
            r#"["1", "one", "uno", "2", (nil), (nil)]"#,
        ),
        ("SORT l GET h_*->x->y LIMIT 0 1", r#"["deep"]"#),
        ("SORT l GET h_*-> GET h_* GET fixed GET w_*->f LIMIT 0 1", "[(nil), (nil), (nil), (nil)]"),
        ("SORT l BY nosort BY w_*", r#"["1", "2", "3", "4"]"#),
        ("SORT_RO l GET n_* DESC", r#"[(nil), "three", (nil), "one"]"#),
    ]);
    let mut client = node.connect_resp3();
    client.expect(&[("SORT l GET n_* LIMIT 1 1", "[(nil)]")]);
}

#[test]
fn fields_whose_time_is_over_are_none() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH l 1 2", "(integer) 2"),
        ("HSET h_1 weight 5 name uno", "(integer) 2"),
        ("HSET h_2 weight 4", "(integer) 1"),
        ("SORT l BY h_*->weight GET # GET h_*->name", r#"["2", (nil), "1", "uno"]"#),
        ("HPEXPIRE h_1 1 FIELDS 2 weight name", "[(integer) 1, (integer) 1]"),
    ]);
    wait_until("the fields are gone", || {
        client.ask("SORT l BY h_*->weight GET # GET h_*->name") == r#"["1", (nil), "2", (nil)]"#
    });
}

#[test]
fn sorted_sets() {
    let node = Node::start();
    let mut client = node.connect();
    for value_bytes in [64, 0] {
        client.expect(&[
            ("FLUSHALL", "OK"),
            (&format!("CONFIG SET zset-max-listpack-value {value_bytes}"), "OK"),
            ("ZADD z 1 5 2 3 3 4 10 2 10.5 1", "(integer) 5"),
            ("SORT z", r#"["1", "2", "3", "4", "5"]"#),
            ("SORT z ALPHA DESC LIMIT 1 2", r#"["4", "3"]"#),
            ("SORT z BY nosort", r#"["5", "3", "4", "2", "1"]"#),
            ("SORT z BY nosort DESC", r#"["1", "2", "4", "3", "5"]"#),
            ("SORT z BY nosort DESC LIMIT 1 2", r#"["2", "4"]"#),
            ("SORT z BY nosort LIMIT 3 7", r#"["2", "1"]"#),
            ("SORT z BY nosort LIMIT 5 1", "[]"),
            ("SORT z BY nosort DESC LIMIT -1 0", "[]"),
            ("SORT z BY nosort DESC LIMIT 0 1 STORE d", "(integer) 1"),
            ("LRANGE d 0 -1", r#"["1"]"#),
        ]);
    }
}

#[test]
fn results_are_stored_as_lists() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("RPUSH l 3 1 2", "(integer) 3"),
        ("SET n_1 one", "OK"),
        ("SETEX d 100 old", "OK"),
        ("SORT l STORE d", "(integer) 3"),
        ("LRANGE d 0 -1", r#"["1", "2", "3"]"#),
        ("TTL d", "(integer) -1"),
        ("OBJECT ENCODING d", "\"listpack\""),
        ("SORT l DESC STORE l", "(integer) 3"),
        ("LRANGE l 0 -1", r#"["3", "2", "1"]"#),
        ("SORT l GET # GET n_* STORE x STORE d", "(integer) 6"),
        ("LRANGE d 0 -1", r#"["1", "one", "2", "", "3", ""]"#),
        ("EXISTS x", "(integer) 0"),
        ("SORT none STORE d", "(integer) 0"),
        ("EXISTS d", "(integer) 0"),
        ("SADD s b c a 10 9", "(integer) 5"),
        ("SORT s BY nosort STORE d", "(integer) 5"),
        ("LRANGE d 0 -1", r#"["10", "9", "a", "b", "c"]"#),
        ("CONFIG SET list-max-listpack-size 4", "OK"),
        ("SORT s BY nosort STORE d", "(integer) 5"),
        ("OBJECT ENCODING d", "\"quicklist\""),
        ("SORT s STORE d", BAD_SCORE),
        ("LLEN d", "(integer) 5"),
    ]);
}

#[test]
fn errors_and_their_order() {
    let node = Node::start();
    let mut client = node.connect();
    client.expect(&[
        ("SET k v", "OK"),
        ("SORT k", WRONG_TYPE),
        ("SORT k BAD", SYNTAX),
        ("SORT k LIMIT 0", SYNTAX),
        ("SORT k LIMIT x 0 BAD", NOT_AN_INTEGER),
        ("SORT k LIMIT 0 x", NOT_AN_INTEGER),
        ("SORT k BY", SYNTAX),
        ("SORT k GET", SYNTAX),
        ("SORT k STORE", SYNTAX),
        ("SORT_RO k STORE d", SYNTAX),
        ("SORT_RO k", WRONG_TYPE),
        ("COMMAND GETKEYS SORT l STORE a GET STORE STORE b", r#"["l", "b"]"#),
    ]);
}

#[test]
fn keys_of_other_slots_are_denied_in_a_cluster() {
    let members = start_cluster(1, &[]);
    let mut client = members[0].connect();
    client.expect(&[
        ("RPUSH {k}l 2 1 3", "(integer) 3"),
        ("SORT {k}l STORE {k}d", "(integer) 3"),
        ("SORT {k}l BY nosort DESC", r#"["3", "1", "2"]"#),
        ("SORT {k}l BY {k}*", "(error) ERR BY option of SORT denied in Cluster mode."),
        ("SORT {k}l BY {k}* LIMIT x", "(error) ERR BY option of SORT denied in Cluster mode."),
        ("SORT_RO {k}l GET #", "(error) ERR GET option of SORT denied in Cluster mode."),
        ("SORT none GET", SYNTAX),
    ]);
    assert!(client.ask("SORT {k}l STORE {other}d").starts_with("(error) CROSSSLOT"));
}
