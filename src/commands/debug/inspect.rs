//! DEBUG subcommands that show the inside of things.

use super::{Context, Error};
use crate::base::alloc;
use crate::core::Client;
use crate::data::hashtable::Stats;
use crate::dispatch::cursor::parse_i64;
use crate::keyspace::Lookup;
use crate::persistence::rdb::{WriteOptions, value};
use crate::value::list::Repr;
use crate::value::{Encoding, Record, Value, ValueRef};

use std::io::{self, Write};

/// OBJECT key
pub(super) fn object(ctx: &mut Context<'_>) -> Result<(), Error> {
    let record = stored(ctx)?;
    let options = WriteOptions { compress: ctx.core.config.rdbcompression };
    let line = format!(
        "Value at:{:p} refcount:1 encoding:{} serializedlength:{} lru:{} lru_seconds_idle:{}{}",
        record.address(),
        record.encoding().name(),
        serialized_length(record, options),
        record.lru(),
        ctx.core.keyspace.idle_ms(record) / 1000,
        quicklist_details(record)
    );
    ctx.client.reply.simple(&line);
    Ok(())
}

/// What OBJECT says of a quicklist beyond what it says of all values.
fn quicklist_details(record: &Record) -> String {
    let ValueRef::List(list) = record.value() else { return String::new() };
    let Repr::Quicklist(list) = list.repr() else { return String::new() };
    let nodes = list.nodes().len();
    format!(
        " ql_nodes:{nodes} ql_avg_node:{:.2} ql_listpack_max:{} ql_compressed:{} \
         ql_uncompressed_size:{}",
        list.len() as f64 / nodes as f64,
        list.fill(),
        u8::from(list.compresses()),
        list.nodes().map(|node| node.size()).sum::<usize>(),
    )
}

/// LISTPACK key
pub(super) fn listpack(ctx: &mut Context<'_>) -> Result<(), Error> {
    print_structure(ctx, Encoding::Listpack, "Listpack")
}

/// QUICKLIST key [0 | 1]
pub(super) fn quicklist(ctx: &mut Context<'_>) -> Result<(), Error> {
    print_structure(ctx, Encoding::Quicklist, "Quicklist")
}

/// Prints a value of this encoding to standard output.
fn print_structure(ctx: &mut Context<'_>, encoding: Encoding, name: &str) -> Result<(), Error> {
    let key = ctx.core.keyspace.key(ctx.args.at(2));
    let without = Lookup::NOTOUCH | Lookup::NONOTIFY;
    let found = ctx.core.keyspace.lookup_read_with(ctx.client.db, &key, without);
    let record = found.ok_or(Error::NoSuchKey)?;
    if record.encoding() != encoding {
        let name = encoding.name();
        return Err(Error::err(format_args!("Not a {name} encoded object.")));
    }
    // Nobody may be reading, which is no reason to fail.
    let _ = writeln!(io::stdout(), "{:?}", record.value());
    ctx.client.reply.simple(&format!("{name} structure printed on stdout"));
    Ok(())
}

/// The record at the third argument, even if its time is over.
fn stored<'c>(ctx: &'c Context<'_>) -> Result<&'c Record, Error> {
    let key = ctx.core.keyspace.key(ctx.args.at(2));
    ctx.core.keyspace.peek_stored(ctx.client.db, &key).ok_or(Error::NoSuchKey)
}

/// Bytes of the value in a snapshot, to which the type does not count.
fn serialized_length(record: &Record, options: WriteOptions) -> usize {
    let mut written = Vec::new();
    value::write(&mut written, record.value(), options);
    written.len() - 1
}

/// SDSLEN key
pub(super) fn sdslen(ctx: &mut Context<'_>) -> Result<(), Error> {
    let record = stored(ctx)?;
    let (ValueRef::String(value), true) = (record.value(), record.encoding() != Encoding::Int)
    else {
        return Err(Error::err("Not an sds encoded string."));
    };
    // Keys and short values lie in the record; only a value of its own can have room to grow.
    let capacity = record.string_capacity().unwrap_or(value.len());
    let value_bytes = (capacity - value.len(), capacity);
    let key_bytes = record.key().len();
    let line = format!(
        "key_sds_len:{key_bytes}, key_sds_avail:0, key_zmalloc: {}, \
         val_sds_len:{}, val_sds_avail:{}, val_zmalloc: {}",
        alloc::usable_size(key_bytes),
        value.len(),
        value_bytes.0,
        alloc::usable_size(value_bytes.1),
    );
    ctx.client.reply.simple(&line);
    Ok(())
}

/// STRUCTSIZE: the sizes of what there is most of.
pub(super) fn structsize(ctx: &mut Context<'_>) -> Result<(), Error> {
    let line = format!(
        "bits:{} record:{} value:{} client:{} ",
        usize::BITS,
        size_of::<Record>(),
        size_of::<Value>(),
        size_of::<Client>()
    );
    ctx.client.reply.bulk(line.as_bytes());
    Ok(())
}

/// HTSTATS dbid [full]
pub(super) fn htstats(ctx: &mut Context<'_>) -> Result<(), Error> {
    let db = parse_i64(ctx.args.at(2))?;
    let databases = ctx.core.keyspace.databases();
    let existing = usize::try_from(db).ok().filter(|&db| db < databases);
    let db = existing.ok_or_else(|| Error::err("Out of range database"))?;
    let full = is_full(ctx);
    let [keys, expires] = ctx.core.keyspace.table_stats(db);
    let text = format!(
        "[Dictionary HT]\n{}[Expires HT]\n{}",
        describe_tables(&keys, full),
        describe_tables(&expires, full)
    );
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn is_full(ctx: &Context<'_>) -> bool {
    ctx.args.get(3).is_some_and(|word| word.eq_ignore_ascii_case(b"full"))
}

/// All tables of a database (one per slot, in a cluster) as if they were one.
fn describe_tables(tables: &[Stats], full: bool) -> String {
    let mut text = String::from("Hash table 0 stats (main hash table):\n");
    let sum = |of: fn(&Stats) -> usize| tables.iter().map(of).sum::<usize>();
    let (entries, buckets) = (sum(|t| t.entries), sum(|t| t.buckets));
    if entries == 0 {
        text.push_str("No stats available for empty dictionaries\n");
        return text;
    }
    text.push_str(&format!(" table size: {buckets}\n number of elements: {entries}\n"));
    if !full {
        return text;
    }
    let mut chains = [0; Stats::CHAIN_LENGTHS];
    for table in tables {
        chains.iter_mut().zip(table.chains).for_each(|(sum, count)| *sum += count);
    }
    let filled = buckets - chains[0];
    text.push_str(&format!(
        " different slots: {filled}\n max chain length: {}\n overflow nodes: {}\n \
         avg chain length: {:.2}\n Chain length distribution:\n",
        tables.iter().map(|t| t.chain_max).max().unwrap_or(0),
        sum(|t| t.overflow_nodes),
        entries as f64 / filled.max(1) as f64,
    ));
    for (length, &count) in chains.iter().enumerate().filter(|(_, count)| **count > 0) {
        let or_more = if length == Stats::CHAIN_LENGTHS - 1 { ">= " } else { "" };
        let percent = count as f64 * 100.0 / buckets as f64;
        text.push_str(&format!("   {or_more}{length}: {count} ({percent:.2}%)\n"));
    }
    text
}

/// HTSTATS-KEY key [full]
pub(super) fn htstats_key(ctx: &mut Context<'_>) -> Result<(), Error> {
    let key = ctx.core.keyspace.key(ctx.args.at(2));
    let without = Lookup::NOTOUCH | Lookup::NONOTIFY;
    let found = ctx.core.keyspace.lookup_read_with(ctx.client.db, &key, without);
    let stats = match found.ok_or(Error::NoSuchKey)?.value() {
        ValueRef::Int(_) | ValueRef::String(_) | ValueRef::List(_) | ValueRef::Stream(_) => None,
        ValueRef::Set(set) => set.table_stats(),
        ValueRef::Hash(hash) => hash.table_stats(),
        ValueRef::Zset(zset) => zset.table_stats(),
    };
    let stats = stats.ok_or_else(|| {
        Error::err("The value stored at the specified key is not represented using an hash table")
    })?;
    let text = describe_tables(&[stats], is_full(ctx));
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

/// Clients below this many bytes are in the first bucket (Redis: CLIENT_MEM_USAGE_BUCKET_MIN_LOG).
const BUCKET_LOG_MIN: u32 = 15;
/// Buckets by doubling size (Redis: CLIENT_MEM_USAGE_BUCKETS).
const BUCKETS: usize = 19;

/// CLIENT-EVICTION
pub(super) fn client_eviction(ctx: &mut Context<'_>) -> Result<(), Error> {
    if ctx.core.config.maxmemory_clients == 0 {
        return Err(Error::err("maxmemory-clients is disabled."));
    }
    let mut buckets = [(0usize, 0usize); BUCKETS];
    for client in ctx.core.clients.in_order(Some(ctx.client)) {
        let bytes = client.memory();
        let (sum, clients) = &mut buckets[bucket_of(bytes)];
        *sum += bytes;
        *clients += 1;
    }
    let mut text = String::new();
    for (index, (bytes, clients)) in buckets.iter().enumerate() {
        let low = if index == 0 { 0 } else { 1u64 << (index as u32 - 1 + BUCKET_LOG_MIN) };
        text.push_str(&format!("bucket {low:10}"));
        if index == BUCKETS - 1 {
            text.push_str("+            : ");
        } else {
            let high = (1u64 << (index as u32 + BUCKET_LOG_MIN)) - 1;
            text.push_str(&format!(" - {high:10}: "));
        }
        text.push_str(&format!("tot-mem: {bytes:10}, clients: {clients}\n"));
    }
    ctx.client.reply.verbatim("txt", text.as_bytes());
    Ok(())
}

fn bucket_of(bytes: usize) -> usize {
    let log = bytes.max(1).ilog2();
    if log < BUCKET_LOG_MIN { 0 } else { ((log - BUCKET_LOG_MIN + 1) as usize).min(BUCKETS - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_double() {
        let at = [0, 32_767, 32_768, 65_535, 65_536, 1 << 32, usize::MAX].map(bucket_of);
        assert_eq!(at, [0, 0, 1, 1, 2, 18, 18]);
    }

    #[test]
    fn tables_are_described_together() {
        let table = |entries, buckets: usize| {
            let mut chains = [0; Stats::CHAIN_LENGTHS];
            chains[0] = buckets - 1;
            chains[entries] = 1;
            Stats { buckets, entries, overflow_nodes: 0, chain_max: entries, chains }
        };
        let text = describe_tables(&[table(3, 2), table(1, 2)], true);
        let expected = "Hash table 0 stats (main hash table):\n table size: 4\n \
             number of elements: 4\n different slots: 2\n max chain length: 3\n \
             overflow nodes: 0\n avg chain length: 2.00\n Chain length distribution:\n   \
             0: 2 (50.00%)\n   1: 1 (25.00%)\n   3: 1 (25.00%)\n";
        assert_eq!(text, expected);
        assert!(describe_tables(&[], true).ends_with("empty dictionaries\n"));
    }
}
