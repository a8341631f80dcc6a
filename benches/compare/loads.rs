//! The loads of redis-benchmark that `compare` runs, and the data that they need. One list for all
//! of them: a load names its command, its requests and what is to be there before.

use crate::common::{Client, Result, encode};

/// Keys, fields, members and scores are drawn from so many.
pub const KEYSPACE: u64 = 100_000;
/// Length of values.
pub const VALUE_BYTES: usize = 64;
const MGET_KEYS: usize = 10;
/// Members of each of two sets that share half of them.
const SINTER_MEMBERS: u64 = 10_000;
const BITMAP_BYTES: usize = 1 << 20;
/// What redis-benchmark puts a number of twelve digits in place of.
const NUMBER: &str = "__rand_int__";

/// One run of redis-benchmark.
#[derive(Clone)]
pub struct Load {
    /// What it is called, by `--only` too.
    pub name: String,
    /// Its arguments, besides where to connect.
    pub args: Vec<String>,
    /// How many of them.
    pub requests: u64,
    /// Arguments of a run of as many that comes before each, and is not measured.
    pub before: Option<Vec<String>>,
    data: Data,
}

/// What a load needs to be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Data {
    Strings,
    Nothing,
    List,
    Hash,
    SortedSet,
    Sets,
    HyperLogLogs,
    Bitmap,
}

/// Requests enough for about a second at the given depth of pipelines.
fn requests_for(pipeline: u64) -> u64 {
    match pipeline {
        0..=1 => 100_000,
        2..=31 => 1_000_000,
        _ => 2_000_000,
    }
}

/// A load of the command line: `NAME=ARGS`.
pub fn extra(given: &str) -> Result<Load> {
    let (name, args) = given.split_once('=').ok_or("--load takes NAME=ARGS")?;
    let args: Vec<String> = args.split_whitespace().map(str::to_string).collect();
    let pipeline = args.iter().position(|a| a == "-P").and_then(|at| args.get(at + 1));
    let pipeline = pipeline.map_or(Ok(1), |p| p.parse())?;
    let (name, requests) = (name.to_string(), requests_for(pipeline));
    Ok(Load { name, args, requests, before: None, data: Data::Strings })
}

fn load(name: &str, pipeline: u64, command: &[&str], data: Data) -> Load {
    let args = arguments(pipeline, command);
    let name = format!("{name} -P {pipeline}");
    Load { name, args, requests: requests_for(pipeline), before: None, data }
}

fn arguments(pipeline: u64, command: &[&str]) -> Vec<String> {
    let mut args = vec!["-P".to_string(), pipeline.to_string()];
    args.extend(command.iter().map(|word| word.to_string()));
    args
}

/// Messages to a channel.
pub fn publish(pipeline: u64, channel: &str) -> Load {
    let message = "x".repeat(VALUE_BYTES);
    let whole = load("publish", pipeline, &["publish", channel, &message], Data::Nothing);
    // Each is worth as many requests as the channel has subscribers.
    Load { requests: whole.requests / 20, ..whole }
}

/// All loads.
pub fn standard(cluster: bool) -> Vec<Load> {
    let mut loads = strings(cluster);
    loads.extend(types());
    loads
}

fn strings(cluster: bool) -> Vec<Load> {
    let mut loads = Vec::new();
    for test in ["get", "set"] {
        for pipeline in [1, 16, 128] {
            loads.push(load(test, pipeline, &["-t", test], Data::Strings));
        }
    }
    loads.push(load("incr", 16, &["-t", "incr"], Data::Strings));
    let key = format!("{}{NUMBER}", mget_prefix(cluster));
    let mut mget = vec!["mget"];
    mget.resize(1 + MGET_KEYS, &key);
    let mut many = load("mget", 16, &mget, Data::Strings);
    many.requests /= 4;
    loads.push(many);
    loads
}

/// One command of each type that is frequent, or that walks much; `-P 16`. The last number is the
/// part of the usual requests that takes about a second.
fn types() -> Vec<Load> {
    let value = "x".repeat(VALUE_BYTES);
    let member = format!("element:{NUMBER}");
    let rows: &[(&str, &[&str], Data, u64)] = &[
        ("lpush", &["lpush", "queue", &value], Data::Nothing, 1),
        ("rpop", &["rpop", "queue"], Data::Nothing, 1),
        ("lrange 100", &["lrange", "list", "0", "99"], Data::List, 10),
        ("hset", &["hset", "hash", &member, &value], Data::Hash, 1),
        ("hget", &["hget", "hash", &member], Data::Hash, 1),
        ("sadd", &["sadd", "set", &member], Data::Nothing, 1),
        ("zadd", &["zadd", "zset", NUMBER, &member], Data::SortedSet, 2),
        ("zrank", &["zrank", "zset", &member], Data::SortedSet, 2),
        ("zrange 100", &["zrange", "zset", "0", "99", "withscores"], Data::SortedSet, 20),
        (
            "zrangebyscore 10",
            &["zrangebyscore", "zset", NUMBER, "+inf", "limit", "0", "10"],
            Data::SortedSet,
            4,
        ),
        ("xadd", &["xadd", "stream", "*", "field", &value], Data::Nothing, 2),
        ("sinter 2x10000", &["sinter", "{sets}:1", "{sets}:2"], Data::Sets, 2000),
        ("pfcount", &["pfcount", "{hll}:1"], Data::HyperLogLogs, 1),
        ("pfcount of two", &["pfcount", "{hll}:1", "{hll}:2"], Data::HyperLogLogs, 40),
        ("bitcount 1 MB", &["bitcount", "bitmap"], Data::Bitmap, 200),
    ];
    let of_row = |&(name, command, data, part): &(&str, &[&str], Data, u64)| {
        let whole = load(name, 16, command, data);
        // What is taken must be there, whichever loads ran.
        let before = (name == "rpop").then(|| arguments(16, &["lpush", "queue", &value]));
        Load { requests: whole.requests / part, before, ..whole }
    };
    rows.iter().map(of_row).collect()
}

/// A cluster node answers MGET only for keys of one slot.
fn mget_prefix(cluster: bool) -> &'static str {
    if cluster { "{key}:" } else { "key:" }
}

/// Fills a server with what these loads need.
pub fn fill(client: &mut Client, cluster: bool, loads: &[Load]) -> Result<()> {
    if cluster {
        set_keys(client, mget_prefix(true))?;
    }
    set_keys(client, "key:")?;
    let all =
        [Data::List, Data::Hash, Data::SortedSet, Data::Sets, Data::HyperLogLogs, Data::Bitmap];
    for data in all.into_iter().filter(|data| loads.iter().any(|load| load.data == *data)) {
        fill_with(client, data)?;
    }
    Ok(())
}

fn set_keys(client: &mut Client, prefix: &str) -> Result<()> {
    let value = "x".repeat(VALUE_BYTES);
    let set =
        |i: u64, out: &mut Vec<u8>| encode(out, &["SET", &format!("{prefix}{i:012}"), &value]);
    Ok(client.load(KEYSPACE, set)?)
}

fn fill_with(client: &mut Client, data: Data) -> Result<()> {
    let value = "x".repeat(VALUE_BYTES);
    let member = |i: u64| format!("element:{i:012}");
    match data {
        Data::Strings | Data::Nothing => {}
        Data::List => client.load(KEYSPACE, |_, out| encode(out, &["RPUSH", "list", &value]))?,
        Data::Hash => {
            client.load(KEYSPACE, |i, out| encode(out, &["HSET", "hash", &member(i), &value]))?;
        }
        Data::SortedSet => client.load(KEYSPACE, |i, out| {
            encode(out, &["ZADD", "zset", &i.to_string(), &member(i)]);
        })?,
        Data::Sets => {
            let half = SINTER_MEMBERS / 2;
            for (set, from) in [("{sets}:1", 0), ("{sets}:2", half)] {
                client.load(SINTER_MEMBERS, |i, out| {
                    encode(out, &["SADD", set, &member(from + i)]);
                })?;
            }
        }
        Data::HyperLogLogs => client.load(KEYSPACE, |i, out| {
            encode(out, &["PFADD", &format!("{{hll}}:{}", 1 + i % 2), &member(i)]);
        })?,
        Data::Bitmap => {
            client.ask(&["SET", "bitmap", &"bitmap!!".repeat(BITMAP_BYTES / 8)])?;
        }
    }
    Ok(())
}
