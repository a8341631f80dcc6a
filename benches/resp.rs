//! Time per request of the parser, and of numbers on the way in and out. A `parse` iteration is a
//! whole input, of as many requests as the throughput counts.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use redis_rust::base::limits::PIPELINE_BATCH;
use redis_rust::base::long_double::LongDouble;
use redis_rust::base::numbers::{parse_f64, parse_i64, write_double};
use redis_rust::resp::{Batch, Limits, Parser, Sender};

const CLIENT: Limits =
    Limits { bulk_bytes_max: 512 << 20, authenticated: true, sender: Sender::Client };

/// Parses all of `input`, which ends with a complete request; returns bytes of arguments.
fn parse_all(parser: &mut Parser, batch: &mut Batch, input: &[u8]) -> usize {
    let (mut consumed, mut bytes) = (0, 0);
    while consumed < input.len() {
        let rest = &input[consumed..];
        let Ok(progress) = parser.parse(rest, &CLIENT, batch, PIPELINE_BATCH) else { break };
        bytes += (0..batch.len()).map(|index| batch.args(index, rest).at(1).len()).sum::<usize>();
        consumed += progress.consumed;
    }
    bytes
}

fn parse(c: &mut Criterion) {
    let get = |n: u32| format!("*2\r\n$3\r\nGET\r\n$16\r\nkey:{n:012}\r\n");
    let value = "v".repeat(64);
    let set = |n: u32| format!("*3\r\n$3\r\nSET\r\n$16\r\nkey:{n:012}\r\n$64\r\n{value}\r\n");
    let inline = |n: u32| format!("SET key:{n:012} value\r\n");
    let quoted = |n: u32| format!("SET \"key:{n:012}\" 'value'\r\n");
    let pipeline = |request: &dyn Fn(u32) -> String| (0..128).map(request).collect::<String>();
    let big = format!("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1048576\r\n{}\r\n", "v".repeat(1 << 20));
    let inputs = [
        ("get, pipeline of 128", pipeline(&get), 128),
        ("set of 64 bytes, pipeline of 128", pipeline(&set), 128),
        ("set of 1 MiB", big, 1),
        ("inline, pipeline of 128", pipeline(&inline), 128),
        ("inline with quotes, pipeline of 128", pipeline(&quoted), 128),
    ];
    let mut group = c.benchmark_group("parse");
    let (mut parser, mut batch) = (Parser::default(), Batch::default());
    for (name, input, requests) in &inputs {
        group.throughput(Throughput::Elements(*requests));
        group.bench_function(*name, |b| {
            b.iter(|| parse_all(&mut parser, &mut batch, black_box(input.as_bytes())));
        });
    }
    // As many reads as a socket buffer of 16 KiB gives for one big argument.
    let (name, input, _) = &inputs[2];
    group.throughput(Throughput::Elements(1));
    group.bench_function(format!("{name} in 64 reads"), |b| {
        b.iter(|| {
            let input = black_box(input.as_bytes());
            (1..=64).for_each(|read| {
                let arrived = &input[..input.len() * read / 64];
                let _ = black_box(parser.parse(arrived, &CLIENT, &mut batch, PIPELINE_BATCH));
            });
        });
    });
    group.finish();
}

fn numbers(c: &mut Criterion) {
    let mut group = c.benchmark_group("numbers");
    group.bench_function("parse_i64", |b| b.iter(|| parse_i64(black_box(b"1234567890"))));
    group.bench_function("parse_f64", |b| b.iter(|| parse_f64(black_box(b"13.361389338970184"))));
    let mut out = Vec::with_capacity(64);
    for (name, value) in [("integer", 12345.0), ("fraction", 13.361389338970184)] {
        group.bench_function(format!("write_double, {name}"), |b| {
            b.iter(|| {
                out.clear();
                write_double(&mut out, black_box(value));
            });
        });
    }
    group.bench_function("long double sum", |b| {
        b.iter(|| {
            let value = LongDouble::parse(black_box(b"10.5"))?;
            Some(value.checked_add(LongDouble::parse(black_box(b"0.1"))?)?.to_human())
        });
    });
    group.finish();
}

criterion_group!(benches, parse, numbers);
criterion_main!(benches);
