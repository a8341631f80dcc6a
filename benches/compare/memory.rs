//! The tables of memory that `compare` prints: bytes per key of strings, bytes per element of one
//! big value of each type, and bytes per key that a client tracks.

use crate::common::{Result, Server, Spec, encode};

/// Keys, or elements of one value.
const COUNT: u64 = 1_000_000;

/// Encodes the command that adds the `i`th thing of a table.
type Add = fn(u64, &mut Vec<u8>);

const KEYS: &[(&str, Add)] = &[
    ("16-byte values", |i, out| set_key(i, &"x".repeat(16), &[], out)),
    ("64-byte values", |i, out| set_key(i, &"x".repeat(64), &[], out)),
    ("64 and expiry", |i, out| set_key(i, &"x".repeat(64), &["EX", "100000"], out)),
    ("counters", |i, out| set_key(i, &(1_000_000 + i).to_string(), &[], out)),
    ("hashes of 5", |i, out| {
        let key = format!("key:{i:012}");
        let fields = ["f1", "12345", "f2", "abcde", "f3", "12345", "f4", "abcde", "f5", "12345"];
        encode(out, &[&["HSET", key.as_str()], &fields[..]].concat());
    }),
];

/// Elements of 14 bytes, hash values of 16.
const ELEMENTS: &[(&str, Add)] = &[
    ("hash field", |i, out| encode(out, &["HSET", "v", &element(i), &"x".repeat(16)])),
    ("set member", |i, out| encode(out, &["SADD", "v", &element(i)])),
    ("zset member", |i, out| {
        encode(out, &["ZADD", "v", &(i * 7919 % COUNT).to_string(), &element(i)]);
    }),
    ("list element", |i, out| encode(out, &["RPUSH", "v", &element(i)])),
    ("stream entry", |i, out| encode(out, &["XADD", "v", "*", "field", &element(i)])),
];

/// Names the `i`th key of a table.
type Name = fn(u64) -> String;

/// Keys that a client has read which wants to be told when they change, and their lengths.
const TRACKED: &[(&str, Name)] = &[
    ("16-byte keys", |i| format!("key:{i:012}")),
    ("user:N:profile", |i| format!("user:{i}:profile")),
    ("cache:<40 hex>", |i| format!("cache:{:040x}", u128::from(i).wrapping_mul(HEX_FACTOR))),
];

/// Spreads numbers over all their digits.
const HEX_FACTOR: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;

fn set_key(i: u64, value: &str, more: &[&str], out: &mut Vec<u8>) {
    let key = format!("key:{i:012}");
    let mut args = vec!["SET", &key, value];
    args.extend(more);
    encode(out, &args);
}

fn element(i: u64) -> String {
    format!("e:{i:012}")
}

/// Prints those of the tables that are wanted: `memory` for all.
pub fn compare(specs: &[Spec; 2], wants: impl Fn(&str) -> bool) -> Result<()> {
    if wants("memory of keys") {
        table("bytes per key", KEYS, specs, |spec, add| bytes_each(spec, *add))?;
        println!("{COUNT} keys of 16 bytes.");
    }
    if wants("memory of elements") {
        table("bytes per element", ELEMENTS, specs, |spec, add| bytes_each(spec, *add))?;
        println!("{COUNT} elements of one value.");
    }
    if wants("memory of tracking") {
        table("per tracked key", TRACKED, specs, |spec, key| tracked_bytes_each(spec, *key))?;
        println!("{COUNT} keys, read by one client: CLIENT TRACKING ON.");
    }
    Ok(())
}

fn table<T>(
    title: &str,
    rows: &[(&str, T)],
    specs: &[Spec; 2],
    measure: impl Fn(&Spec, &T) -> Result<[f64; 2]>,
) -> Result<()> {
    println!(
        "\n{title:<18} {:>10} {:>10} {:>7}   {:>9} {:>9} {:>7}",
        "ours used", "theirs", "ratio", "ours RSS", "theirs", "ratio"
    );
    for (name, row) in rows {
        let ours = measure(&specs[0], row)?;
        let theirs = measure(&specs[1], row)?;
        println!(
            "{name:<18} {:>10.1} {:>10.1} {:>7.2}   {:>9.1} {:>9.1} {:>7.2}",
            ours[0],
            theirs[0],
            ours[0] / theirs[0],
            ours[1],
            theirs[1],
            ours[1] / theirs[1]
        );
    }
    Ok(())
}

/// Bytes of each by `used_memory`, and by the resident set size.
fn bytes_each(spec: &Spec, add: Add) -> Result<[f64; 2]> {
    let server = spec.start()?;
    growth_each(&server, || Ok(server.client()?.load(COUNT, add)?))
}

/// The same of keys that are there, while a client reads them that tracks.
fn tracked_bytes_each(spec: &Spec, key: Name) -> Result<[f64; 2]> {
    let server = spec.start()?;
    let mut client = server.client()?;
    client.load(COUNT, |i, out| encode(out, &["SET", &key(i), "x"]))?;
    client.ask(&["CONFIG", "SET", "tracking-table-max-keys", "0"])?;
    client.ask(&["CLIENT", "TRACKING", "ON"])?;
    growth_each(&server, || Ok(client.load(COUNT, |i, out| encode(out, &["GET", &key(i)]))?))
}

fn growth_each(server: &Server, load: impl FnOnce() -> Result<()>) -> Result<[f64; 2]> {
    let before = [server.settled_memory()?, server.rss()?];
    load()?;
    let after = [server.settled_memory()?, server.rss()?];
    let each = |at: usize| (after[at] - before[at]) as f64 / COUNT as f64;
    Ok([each(0), each(1)])
}
