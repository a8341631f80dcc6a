//! Files that servers wrote, with what those servers said of every key: they are loaded, every line
//! is compared, and what we save of them is read again as the same.

mod common;

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use common::{Client, Node};
use redis_rust::Config;
use redis_rust::persistence::check_rdb;
use serde_json::Value;
use tempfile::TempDir;

const FILES: [&str; 2] = ["all-types.rdb", "all-types-uncompressed.rdb"];

fn fixtures(server: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fixtures").join(server)
}

/// A node that starts on the file in this directory.
fn node(dir: &TempDir, compress: &str) -> Node {
    let config = Config::default().dir(dir.path()).expect("a directory");
    let directives =
        [("enable-debug-command", "yes"), ("rdbcompression", compress), ("save", "3600 1")];
    let set = |config: Config, (name, value): &(&str, &str)| config.set(name, value);
    Node::with(directives.iter().try_fold(config, set).expect("directives"))
}

fn text<'v>(row: &'v Value, name: &str) -> &'v str {
    row[name].as_str().unwrap_or_else(|| panic!("no {name} in {row}"))
}

/// What a server said of each key, against what we say.
fn compare(client: &mut Client, expected: &Value, what: &str) {
    let rows = expected["keys"].as_array().expect("keys");
    for row in rows {
        let key = text(row, "key");
        client.run(&format!("SELECT {}", row["db"]));
        let shown = format!("{key} of {what}");
        assert_eq!(client.run(&format!("TYPE {key}")).text(), text(row, "type"), "{shown}");
        let encoding = client.run(&format!("OBJECT ENCODING {key}")).text();
        assert_eq!(encoding, text(row, "encoding"), "{shown}");
        let expires = client.run(&format!("PEXPIRETIME {key}")).int();
        assert_eq!(Some(expires), row["pexpiretime"].as_i64(), "{shown}");
        let digests = client.run(&format!("DEBUG DIGEST-VALUE {key}"));
        assert_eq!(digests.items()[0].text(), text(row, "digest"), "{shown}");
    }
    client.run("SELECT 0");
    assert_eq!(Some(client.run("DBSIZE").int()), expected["dbsize"].as_i64(), "{what}");
    assert_eq!(client.run("DEBUG DIGEST").text(), text(expected, "digest"), "{what}");
}

/// Loads, compares, saves, and loads that.
fn there_and_back(server: &str) {
    let expected = fs::read_to_string(fixtures(server).join("expected.json")).expect("a file");
    let expected: Value = serde_json::from_str(&expected).expect("JSON");
    for name in FILES {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("dump.rdb");
        fs::copy(fixtures(server).join(name), &file).expect("a copy");
        for round in 0..3 {
            let what = format!("{name} of {server}, round {round}");
            let running = node(&dir, ["yes", "no", "yes"][round]);
            let mut client = running.connect();
            compare(&mut client, &expected, &what);
            client.expect(&[("DEBUG RELOAD", "OK")]);
            compare(&mut client, &expected, &format!("{what}, reloaded"));
            client.expect(&[("SAVE", "OK")]);
            running.stop();
            let good = check_rdb::check("dump.rdb", File::open(&file), 0, io::sink());
            assert!(good.expect("a sink takes everything"), "{what}");
        }
    }
}

#[test]
fn files_of_redis_7_2() {
    there_and_back("redis-7.2");
}

#[test]
fn files_of_redis_7_4() {
    there_and_back("redis-7.4");
}
