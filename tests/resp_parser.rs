//! The request parser against a reference that is as simple as can be, on well-formed, mutated and
//! random streams in random splits; and every protocol error in Redis's words.

use proptest::prelude::*;
use redis_rust::base::limits::{BIG_ARG_RESERVE_BYTES, INLINE_BYTES_MAX, PIPELINE_BATCH};
use redis_rust::base::numbers::parse_i64;
use redis_rust::base::text::split_args;
use redis_rust::resp::{Batch, Limits, Parser, Progress, ProtocolError, Sender};

type Request = Vec<Vec<u8>>;

const CLIENT: Limits =
    Limits { bulk_bytes_max: 512 * 1024 * 1024, authenticated: true, sender: Sender::Client };
const STRANGER: Limits = Limits { authenticated: false, ..CLIENT };
const PRIMARY: Limits = Limits { bulk_bytes_max: 16, authenticated: true, sender: Sender::Primary };

/// What a whole stream parses to.
#[derive(Debug, Default, PartialEq)]
struct Outcome {
    requests: Vec<Request>,
    /// The error reply's line.
    error: Option<String>,
    /// Bytes of complete requests.
    consumed: usize,
}

/// Parses `stream` from its beginning, all of it being there.
fn reference(stream: &[u8], limits: &Limits) -> Outcome {
    let mut outcome = Outcome::default();
    loop {
        match reference_request(&stream[outcome.consumed..], limits) {
            Ok(Some((request, used))) => {
                outcome.consumed += used;
                outcome.requests.extend((!request.is_empty()).then_some(request));
            }
            Ok(None) => return outcome,
            Err(words) => {
                outcome.error = Some(format!("ERR Protocol error: {words}"));
                return outcome;
            }
        }
    }
}

/// One request and its length; `None` when bytes are missing.
fn reference_request(input: &[u8], limits: &Limits) -> Result<Option<(Request, usize)>, String> {
    if input.first() != Some(&b'*') {
        return reference_inline(input, limits);
    }
    let Some(line) = reference_line(input, b'\r', "too big mbulk count string")? else {
        return Ok(None);
    };
    let Some(mut rest) = input.get(line.len() + 2..) else { return Ok(None) };
    let count = parse_i64(&line[1..]).filter(|count| *count <= i64::from(i32::MAX));
    let count = count.ok_or("invalid multibulk length")?;
    if count > 10 && !limits.authenticated {
        return Err("unauthenticated multibulk length".into());
    }
    let mut request = Request::new();
    while (request.len() as i64) < count {
        let Some((bulk, after)) = reference_bulk(rest, limits)? else { return Ok(None) };
        request.push(bulk.to_vec());
        rest = after;
    }
    Ok(Some((request, input.len() - rest.len())))
}

/// A bulk, and what follows it.
type Bulk<'a> = (&'a [u8], &'a [u8]);

fn reference_bulk<'a>(input: &'a [u8], limits: &Limits) -> Result<Option<Bulk<'a>>, String> {
    let Some(line) = reference_line(input, b'\r', "too big bulk count string")? else {
        return Ok(None);
    };
    let Some(bulk) = input.get(line.len() + 2..) else { return Ok(None) };
    if input[0] != b'$' {
        let got = String::from_utf8_lossy(&input[..1]).replace(['\r', '\n'], " ");
        return Err(format!("expected '$', got '{got}'"));
    }
    let allowed = |len: &i64| *len <= limits.bulk_bytes_max || limits.sender == Sender::Primary;
    let len = parse_i64(&line[1..]).filter(|len| (0..1 << 32).contains(len)).filter(allowed);
    let len = len.ok_or("invalid bulk length")? as usize;
    if len > 16384 && !limits.authenticated {
        return Err("unauthenticated bulk length".into());
    }
    Ok(bulk.get(len + 2..).map(|after| (&bulk[..len], after)))
}

fn reference_inline(input: &[u8], limits: &Limits) -> Result<Option<(Request, usize)>, String> {
    let Some(line) = reference_line(input, b'\n', "too big inline request")? else {
        return Ok(None);
    };
    let used = line.len() + 1;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let request = split_args(line).ok_or("unbalanced quotes in request")?;
    if !line.is_empty() && limits.sender == Sender::Primary {
        return Err("inline request from the primary".into());
    }
    Ok(Some((request, used)))
}

/// The bytes before the first `end`, which must be among the first 64 KiB and one, and before any
/// zero byte.
fn reference_line<'a>(
    input: &'a [u8],
    end: u8,
    too_long: &str,
) -> Result<Option<&'a [u8]>, String> {
    let stop = input.iter().take(65537).position(|b| *b == end || *b == 0);
    match stop {
        Some(stop) if input[stop] == end => Ok(Some(&input[..stop])),
        _ if input.len() > 65536 => Err(too_long.into()),
        _ => Ok(None),
    }
}

/// A connection: the query buffer and its parser.
struct Connection {
    parser: Parser,
    batch: Batch,
    buffer: Vec<u8>,
    limits: Limits,
    batch_max: usize,
    outcome: Outcome,
}

impl Connection {
    fn new(limits: &Limits, batch_max: usize) -> Self {
        let (parser, batch, buffer, outcome) = Default::default();
        Connection { parser, batch, buffer, limits: *limits, batch_max, outcome }
    }

    /// Receives `bytes` and parses until more are needed.
    fn receive(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
        while self.outcome.error.is_none() {
            let parsed =
                self.parser.parse(&self.buffer, &self.limits, &mut self.batch, self.batch_max);
            match parsed {
                Ok(progress) => {
                    self.take(progress);
                    if progress.starved {
                        return;
                    }
                }
                Err(error) => {
                    assert!(self.batch.is_empty());
                    let line = String::from_utf8_lossy(&error.line()).into_owned();
                    self.outcome.error = Some(line);
                }
            }
        }
    }

    fn take(&mut self, progress: Progress) {
        assert!(self.batch.len() <= self.batch_max);
        for index in 0..self.batch.len() {
            let args = self.batch.args(index, &self.buffer);
            self.outcome.requests.push(args.iter_from(0).map(<[u8]>::to_vec).collect());
            assert!(self.batch.end(index) <= progress.consumed);
        }
        assert!(progress.starved || progress.consumed > 0, "a call without progress");
        self.outcome.consumed += progress.consumed;
        self.buffer.drain(..progress.consumed);
        let reserve = self.parser.needed(self.buffer.len());
        assert!(reserve <= self.buffer.len().max(BIG_ARG_RESERVE_BYTES));
    }
}

fn whole(stream: &[u8], limits: &Limits) -> Outcome {
    let mut connection = Connection::new(limits, PIPELINE_BATCH);
    connection.receive(stream);
    connection.outcome
}

/// The stream in chunks, whose lengths come from `cuts` over and over.
fn split(stream: &[u8], limits: &Limits, cuts: &[usize], batch_max: usize) -> Outcome {
    let mut connection = Connection::new(limits, batch_max);
    let mut cuts = cuts.iter().cycle();
    let mut rest = stream;
    while !rest.is_empty() {
        let (chunk, later) = rest.split_at((*cuts.next().unwrap()).clamp(1, rest.len()));
        connection.receive(chunk);
        rest = later;
    }
    connection.outcome
}

fn multibulk(args: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        out.extend_from_slice(format!("${}\r\n", arg.as_ref().len()).as_bytes());
        out.extend_from_slice(arg.as_ref());
        out.extend_from_slice(b"\r\n");
    }
    out
}

fn error_of(stream: &[u8], limits: &Limits) -> String {
    let outcome = whole(stream, limits);
    assert_eq!(outcome, split(stream, limits, &[1, 7, 4096], 3));
    assert_eq!(outcome, reference(stream, limits));
    outcome.error.unwrap_or_default()
}

#[test]
fn a_pipeline_of_both_kinds() {
    let stream = [
        &multibulk(&["SET", "key", "a\r\nb"])[..],
        b"PING\r\n\r\n\n  \r\nGET \"a b\" 'c'\n*0\r\n*-1\r\n*-7\r\n",
        &multibulk(&["", "x".repeat(100).as_str(), "y".repeat(1000).as_str()]),
        b"\"\"\r\n",
    ]
    .concat();
    let outcome = whole(&stream, &CLIENT);
    assert_eq!(outcome, reference(&stream, &CLIENT));
    assert_eq!(outcome.consumed, stream.len());
    assert_eq!(outcome.requests[0], [b"SET".to_vec(), b"key".to_vec(), b"a\r\nb".to_vec()]);
    assert_eq!(outcome.requests[2], [b"GET".to_vec(), b"a b".to_vec(), b"c".to_vec()]);
    assert_eq!(outcome.requests[4], [Vec::new()]);
    for chunk in 1..stream.len() {
        assert_eq!(split(&stream, &CLIENT, &[chunk], 1 + chunk % 5), outcome);
    }
}

#[test]
fn every_protocol_error_in_redis_words() {
    let long = vec![b'1'; INLINE_BYTES_MAX + 1];
    let cases: [(&[u8], &str); 13] = [
        (&long, "too big inline request"),
        (b"get \"a\r\n", "unbalanced quotes in request"),
        (&[b"*", &long[..]].concat(), "too big mbulk count string"),
        (b"*abc\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*+1\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (&[b"*1\r\n$", &long[..]].concat(), "too big bulk count string"),
        (b"*1\r\nGET\r\n", "expected '$', got 'G'"),
        (b"*1\r\n\r\r\n", "expected '$', got ' '"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$03\r\n", "invalid bulk length"),
    ];
    for (stream, words) in cases {
        assert_eq!(error_of(stream, &CLIENT), format!("ERR Protocol error: {words}"));
    }
    let unlimited = Limits { bulk_bytes_max: i64::MAX, ..CLIENT };
    for beyond_32_bits in [&b"*1\r\n$4294967296\r\n"[..], b"*1\r\n$9223372036854775807\r\n"] {
        let error = error_of(beyond_32_bits, &unlimited);
        assert_eq!(error, "ERR Protocol error: invalid bulk length");
    }
    let line = ProtocolError::ExpectedDollar(0xff).line();
    assert_eq!(line, b"ERR Protocol error: expected '$', got '\xff'");
}

#[test]
fn a_request_ends_within_32_bits() {
    let unlimited = Limits { bulk_bytes_max: i64::MAX, ..CLIENT };
    let header = |len: u64| format!("*1\r\n${len}\r\n").into_bytes();
    let behind_header = 4 + 13;
    let longest = u64::from(u32::MAX) - 2 - behind_header;
    assert_eq!(whole(&header(longest), &unlimited).error, None);
    assert!(whole(&header(longest + 1), &unlimited).error.is_some());
    // The same length behind another request must not be refused for where it lies.
    let behind = [multibulk(&["PING"]), header(longest)].concat();
    assert_eq!(whole(&behind, &unlimited).error, None);
}

#[test]
fn strangers_may_send_little() {
    let error = error_of(b"*11\r\n", &STRANGER);
    assert_eq!(error, "ERR Protocol error: unauthenticated multibulk length");
    assert_eq!(error_of(b"*10\r\n", &STRANGER), "");
    let error = error_of(b"*1\r\n$16385\r\n", &STRANGER);
    assert_eq!(error, "ERR Protocol error: unauthenticated bulk length");
    assert_eq!(error_of(b"*1\r\n$16384\r\n", &STRANGER), "");
}

#[test]
fn a_request_that_authenticates_counts_for_the_next_one() {
    let stream = [multibulk(&["AUTH", "secret"]), multibulk(&["x"; 20])].concat();
    let (mut parser, mut batch) = (Parser::default(), Batch::default());
    let progress = parser.parse(&stream, &STRANGER, &mut batch, PIPELINE_BATCH).unwrap();
    assert_eq!((batch.len(), progress.starved), (1, false));
    let rest = &stream[progress.consumed..];
    let progress = parser.parse(rest, &CLIENT, &mut batch, PIPELINE_BATCH).unwrap();
    assert_eq!((batch.args(0, rest).len(), progress.consumed), (20, rest.len()));
}

#[test]
fn the_primary_sends_any_length_and_nothing_inline() {
    let stream = [b"\n\r\n".to_vec(), multibulk(&["SET", "k", &"v".repeat(100)])].concat();
    let outcome = whole(&stream, &PRIMARY);
    assert_eq!((outcome.requests.len(), outcome.error), (1, None));
    let error = error_of(b"PING\r\n", &PRIMARY);
    assert_eq!(error, "ERR Protocol error: inline request from the primary");
    let (mut parser, mut batch) = (Parser::default(), Batch::default());
    let progress = parser.parse(b"\n", &PRIMARY, &mut batch, 1).unwrap();
    assert_eq!(progress, Progress { consumed: 1, starved: true, empty_line: true });
}

#[test]
fn requests_before_an_error_come_first() {
    let stream = [multibulk(&["GET", "a"]), b"PING\r\n*1\r\n!1\r\n".to_vec()].concat();
    let outcome = whole(&stream, &CLIENT);
    assert_eq!(outcome.requests.len(), 2);
    assert_eq!(outcome.error.unwrap(), "ERR Protocol error: expected '$', got '!'");
}

#[test]
fn lines_end_at_the_limit() {
    let mut stream = vec![b'a'; INLINE_BYTES_MAX];
    assert_eq!(whole(&stream, &CLIENT), Outcome::default());
    stream.push(b'\n');
    assert_eq!(whole(&stream, &CLIENT).requests.len(), 1);
    stream.insert(0, b'a');
    assert_eq!(error_of(&stream, &CLIENT), "ERR Protocol error: too big inline request");
    let zero = [b"GET \0\r\n".to_vec(), vec![b'\n'; INLINE_BYTES_MAX]].concat();
    assert_eq!(error_of(&zero, &CLIENT), "ERR Protocol error: too big inline request");
}

#[test]
fn an_abandoned_batch_is_parsed_again() {
    let requests: Vec<_> = (0..5).map(|i| multibulk(&["GET", &i.to_string()])).collect();
    let stream = [requests.concat(), b"*2\r\n$3\r\nGE".to_vec()].concat();
    let (mut parser, mut batch) = (Parser::default(), Batch::default());
    parser.parse(&stream, &CLIENT, &mut batch, PIPELINE_BATCH).unwrap();
    let rest = &stream[batch.end(1)..];
    parser.reset();
    parser.parse(rest, &CLIENT, &mut batch, PIPELINE_BATCH).unwrap();
    assert_eq!(batch.len(), 3);
    assert_eq!(batch.args(0, rest).at(1), b"2");
}

#[test]
fn big_bulks_are_reserved_in_bounded_steps() {
    let needed = |parser: &mut Parser, stream: &[u8]| {
        parser.parse(stream, &CLIENT, &mut Batch::default(), PIPELINE_BATCH).unwrap();
        parser.needed(stream.len())
    };
    assert_eq!(needed(&mut Parser::default(), b"*1\r\n$31999\r\n"), 0);
    let mut parser = Parser::default();
    let mut stream = b"*1\r\n$8000000\r\nabc".to_vec();
    let request_bytes = stream.len() - 3 + 8_000_000 + 2;
    assert_eq!(needed(&mut parser, &stream), BIG_ARG_RESERVE_BYTES);
    stream.resize(2 * BIG_ARG_RESERVE_BYTES, b'x');
    assert_eq!(needed(&mut parser, &stream), stream.len());
    stream.resize(request_bytes - 1, b'x');
    assert_eq!(needed(&mut parser, &stream), 1);
    stream.push(b'\n');
    assert_eq!(needed(&mut parser, &stream), 0);
}

/// Streams of requests, of both kinds.
fn pipelines() -> impl Strategy<Value = Vec<u8>> {
    let arg = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..12),
        2 => "[a-z]{1,20}".prop_map(String::into_bytes),
        1 => (0usize..3000).prop_map(|len| vec![b'v'; len]),
    ];
    let request = prop_oneof![
        6 => prop::collection::vec(arg, 1..14).prop_map(|args| multibulk(&args)),
        2 => "[a-z \"'\\\\x0\t]{0,20}\r?\n".prop_map(String::into_bytes),
        1 => (-3i64..=0).prop_map(|count| format!("*{count}\r\n").into_bytes()),
    ];
    prop::collection::vec(request, 0..40).prop_map(|requests| requests.concat())
}

/// Some bytes of a stream replaced, inserted or removed.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop::sample::select(&b"*$\r\n0123456789-\0\"' a"[..]);
    let mutation = (any::<prop::sample::Index>(), prop_oneof![likely, any::<u8>()], 0..3);
    (pipelines(), prop::collection::vec(mutation, 1..4)).prop_map(|(mut stream, mutations)| {
        for (index, byte, kind) in mutations {
            let at = index.index(stream.len() + 1);
            match kind {
                0 => stream.insert(at, byte),
                1 if at < stream.len() => stream[at] = byte,
                2 if at < stream.len() => drop(stream.remove(at)),
                _ => {}
            }
        }
        stream
    })
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 17] = [
        "*", "$", "\r\n", "\r", "\n", "1", "2", "0", "-", "a", "\"", "'", " ", "\0", "\\x",
        "*1\r\n", "$1\r\n",
    ];
    prop::collection::vec(prop::sample::select(&PIECES[..]), 0..60)
        .prop_map(|pieces| pieces.concat().into_bytes())
}

fn config() -> ProptestConfig {
    ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_split_gives_what_the_reference_gives(
        stream in prop_oneof![pipelines(), mutated(), noise()],
        cuts in prop::collection::vec(1usize..200, 1..8),
        batch_max in 1usize..20,
        limits in prop::sample::select(&[CLIENT, STRANGER, PRIMARY][..]),
    ) {
        let expected = reference(&stream, &limits);
        prop_assert_eq!(&whole(&stream, &limits), &expected);
        prop_assert_eq!(&split(&stream, &limits, &cuts, batch_max), &expected);
    }

    #[test]
    fn byte_by_byte(stream in prop_oneof![pipelines(), mutated(), noise()]) {
        let stream = &stream[..stream.len().min(600)];
        prop_assert_eq!(split(stream, &CLIENT, &[1], 16), reference(stream, &CLIENT));
    }
}
