//! Request parser: bytes as they arrive from a socket in, argument spans out. Called by the
//! connections of clients, replicas and the primary, once per read and until it starves.
//!
//! Nothing is copied, except for inline requests with quotes. Nothing is allocated for what a
//! header announces, only for what arrived. The result depends on the bytes alone, never on how
//! they were split into reads. Knows no sockets and no commands.
//!
//! All offsets are 32 bits: a request longer than 4 GiB is refused as an invalid bulk length,
//! whatever proto-max-bulk-len says.

use memchr::memchr2;

use super::{Args, Span};
use crate::base::limits::{
    BIG_ARG_BYTES, BIG_ARG_RESERVE_BYTES, BULK_BYTES_MAX_MIN, INLINE_BYTES_MAX, MULTIBULK_ARGS_MAX,
    UNAUTHENTICATED_ARGS_MAX, UNAUTHENTICATED_BULK_BYTES_MAX,
};
use crate::base::numbers::parse_i64;
use crate::base::text::{Words, is_space};

/// Who sends the requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    /// A client, a replica or another node.
    Client,
    /// The primary we replicate from: bulks of any length, and no inline request other than empty
    /// lines.
    Primary,
}

/// What the connection may send at this time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest bulk argument of a client (proto-max-bulk-len), BULK_BYTES_MAX_MIN or more.
    pub bulk_bytes_max: i64,
    /// Whether the connection has authenticated, or need not.
    pub authenticated: bool,
    /// Who is at the other end.
    pub sender: Sender,
}

/// Why a connection must be closed, after an error reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// No line end within INLINE_BYTES_MAX.
    InlineTooLong,
    /// Quotes of an inline request do not balance.
    UnbalancedQuotes,
    /// The primary sent an inline request: the replication stream is corrupt.
    InlineFromPrimary,
    /// No line end within INLINE_BYTES_MAX of a `*`.
    MultibulkCountTooLong,
    /// A number of arguments that is no integer or beyond MULTIBULK_ARGS_MAX.
    InvalidMultibulkCount,
    /// Too many arguments before authentication.
    UnauthenticatedMultibulkCount,
    /// No line end within INLINE_BYTES_MAX of where a bulk's header starts.
    BulkLengthTooLong,
    /// A bulk's header starts with this byte instead of `$`.
    ExpectedDollar(u8),
    /// The length of a bulk is no integer, negative or beyond the limit.
    InvalidBulkLength,
    /// Too long an argument before authentication.
    UnauthenticatedBulkLength,
}

impl ProtocolError {
    /// The error reply's line, code first, without the `-`. May hold one byte that is not UTF-8.
    pub fn line(&self) -> Vec<u8> {
        let words = match self {
            ProtocolError::InlineTooLong => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in request",
            ProtocolError::InlineFromPrimary => "inline request from the primary",
            ProtocolError::MultibulkCountTooLong => "too big mbulk count string",
            ProtocolError::InvalidMultibulkCount => "invalid multibulk length",
            ProtocolError::UnauthenticatedMultibulkCount => "unauthenticated multibulk length",
            ProtocolError::BulkLengthTooLong => "too big bulk count string",
            ProtocolError::ExpectedDollar(_) => "expected '$', got '",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauthenticated bulk length",
        };
        let mut line = [b"ERR Protocol error: ", words.as_bytes()].concat();
        if let ProtocolError::ExpectedDollar(got) = *self {
            line.push(if matches!(got, b'\r' | b'\n') { b' ' } else { got });
            line.push(b'\'');
        }
        line
    }

    /// The words of the log line, `Protocol error (…) from client`.
    pub fn log_reason(&self) -> &'static str {
        match self {
            ProtocolError::InlineTooLong => "too big inline request",
            ProtocolError::UnbalancedQuotes => "unbalanced quotes in inline request",
            ProtocolError::InlineFromPrimary => "Master using the inline protocol. Desync?",
            ProtocolError::MultibulkCountTooLong => "too big mbulk count string",
            ProtocolError::InvalidMultibulkCount => "invalid mbulk count",
            ProtocolError::UnauthenticatedMultibulkCount => "unauth mbulk count",
            ProtocolError::BulkLengthTooLong => "too big bulk count string",
            ProtocolError::ExpectedDollar(_) => "expected $ but got something else",
            ProtocolError::InvalidBulkLength => "invalid bulk length",
            ProtocolError::UnauthenticatedBulkLength => "unauth bulk length",
        }
    }
}

/// Requests parsed ahead. One batch serves all connections in turn.
#[derive(Debug, Default)]
pub struct Batch {
    requests: Vec<Request>,
    /// Spans of all requests, in order.
    spans: Vec<Span>,
    /// Arguments of inline requests with quotes, after unquoting.
    unquoted: Vec<u8>,
}

#[derive(Debug)]
struct Request {
    /// End of its spans in the batch; they start where the previous request's end.
    spans_end: usize,
    /// Offset just behind its last byte in the input.
    end: usize,
    source: Source,
}

/// What a request's spans point into.
#[derive(Clone, Copy, Debug)]
enum Source {
    Input,
    Unquoted,
}

impl Batch {
    /// Spans and unquoted bytes that an empty batch may keep room for.
    const KEPT_SPANS: usize = 4096;
    const KEPT_BYTES: usize = INLINE_BYTES_MAX;

    /// Number of requests.
    #[inline]
    pub fn len(&self) -> usize {
        self.requests.len()
    }

    /// Whether there is no request.
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }

    /// The arguments of request `index`; `input` is what was given to [`Parser::parse`].
    #[inline]
    pub fn args<'a>(&'a self, index: usize, input: &'a [u8]) -> Args<'a> {
        let request = &self.requests[index];
        let first = if index == 0 { 0 } else { self.requests[index - 1].spans_end };
        let buffer = match request.source {
            Source::Input => input,
            Source::Unquoted => &self.unquoted,
        };
        Args::new(buffer, &self.spans[first..request.spans_end])
    }

    /// Offset just behind request `index` in the input.
    #[inline]
    pub fn end(&self, index: usize) -> usize {
        self.requests[index].end
    }

    /// Drops all requests, and memory that only a rare request needed.
    pub fn clear(&mut self) {
        self.requests.clear();
        self.spans.clear();
        self.spans.shrink_to(Self::KEPT_SPANS);
        self.unquoted.clear();
        self.unquoted.shrink_to(Self::KEPT_BYTES);
    }

    /// Spans pushed since the last request become a request, unless there are none.
    #[inline]
    fn finish(&mut self, end: usize, source: Source) -> Step {
        let spans_end = self.spans.len();
        if self.requests.last().map_or(0, |r| r.spans_end) == spans_end {
            return Step::Skipped(end);
        }
        self.requests.push(Request { spans_end, end, source });
        Step::Request(end)
    }
}

/// How far a call of [`Parser::parse`] came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Bytes up to the end of the last request of the batch, and of skipped empty requests after
    /// it. Once the batch has run, the next call must get the input without them.
    pub consumed: usize,
    /// Whether what is left of the input needs more bytes before there is anything to parse.
    pub starved: bool,
    /// Whether an empty line was skipped; a replica sends them to show that it is alive.
    pub empty_line: bool,
}

/// What one connection's parser remembers between reads: how far into an incomplete request it
/// came. All offsets count from the first unconsumed byte, where that request starts.
#[derive(Debug, Default)]
pub struct Parser {
    /// So many bytes of the request's first line are known to hold no line end. 0 if `partial` is
    /// set.
    scanned: usize,
    /// A multibulk request whose count is known.
    partial: Option<Partial>,
    /// Arguments of `partial` that are complete.
    spans: Vec<Span>,
}

/// An incomplete multibulk request.
#[derive(Clone, Copy, Debug)]
struct Partial {
    /// Arguments that are not complete yet, at least one.
    missing: u32,
    /// Where the next header or payload starts.
    at: usize,
    expect: Expect,
}

#[derive(Clone, Copy, Debug)]
enum Expect {
    /// A bulk's header; so many of its bytes are known to hold no line end.
    Header { scanned: usize },
    /// A bulk's bytes and two more.
    Payload { len: u32 },
}

/// What parsing of one request came to; offsets are just behind it.
enum Step {
    Request(usize),
    Skipped(usize),
    EmptyLine(usize),
    Starved,
}

impl Parser {
    /// Parses at most `max` requests from `input`, which starts at the first unconsumed byte, into
    /// `batch`.
    ///
    /// An error is about the request that the input starts with; requests before it come by calls
    /// of their own. Before authentication a batch holds one request only, as it may be the one
    /// that authenticates.
    pub fn parse(
        &mut self,
        input: &[u8],
        limits: &Limits,
        batch: &mut Batch,
        max: usize,
    ) -> Result<Progress, ProtocolError> {
        batch.clear();
        let max = if limits.authenticated { max } else { max.min(1) };
        let mut progress = Progress::default();
        // Half of the range of offsets is left to the last request.
        while batch.len() < max && progress.consumed <= u32::MAX as usize / 2 {
            match self.step(input, progress.consumed, limits, batch) {
                Ok(Step::Request(end) | Step::Skipped(end)) => progress.consumed = end,
                Ok(Step::EmptyLine(end)) => {
                    progress.consumed = end;
                    progress.empty_line = true;
                }
                Ok(Step::Starved) => {
                    progress.starved = true;
                    break;
                }
                Err(error) if progress.consumed == 0 => return Err(error),
                Err(_) => {
                    self.reset();
                    break;
                }
            }
        }
        Ok(progress)
    }

    /// Forgets the incomplete request behind the batch. Must be called when a batch is abandoned
    /// before its end (a blocking command, a budget), because the input then starts at an earlier
    /// request.
    pub fn reset(&mut self) {
        *self = Parser::default();
    }

    /// Bytes worth reserving before the next read, `available` bytes being buffered from the first
    /// unconsumed one on: the rest of a big bulk. More than BIG_ARG_RESERVE_BYTES only as far as as
    /// much has arrived, so that an announced length alone costs little.
    pub fn needed(&self, available: usize) -> usize {
        match self.partial {
            Some(Partial { at, expect: Expect::Payload { len }, .. })
                if len as usize >= BIG_ARG_BYTES =>
            {
                let missing = (at + len as usize + 2).saturating_sub(available);
                missing.min(available.max(BIG_ARG_RESERVE_BYTES))
            }
            _ => 0,
        }
    }

    /// Bytes of the incomplete request that the input starts with, as far as its arguments are
    /// whole, and their headers.
    #[inline]
    pub fn parsed(&self) -> usize {
        self.partial.map_or(0, |partial| partial.at)
    }

    /// Heap bytes held.
    pub fn heap_bytes(&self) -> usize {
        self.spans.capacity() * size_of::<Span>()
    }

    #[inline]
    fn step(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        if self.partial.is_some() {
            return self.resume(input, limits, batch);
        }
        match input.get(start) {
            None => Ok(Step::Starved),
            Some(b'*') => self.multibulk(input, start, limits, batch),
            Some(_) => self.inline(input, start, limits, batch),
        }
    }

    #[inline]
    fn multibulk(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let (count, at) = match short_header(input, start, b'*') {
            Some((count, next)) => (count.into(), next),
            None => match read_header(input, start, b'*', &mut self.scanned) {
                Header::Number { value, next } => (value, next),
                Header::Incomplete => return Ok(Step::Starved),
                Header::TooLong => return Err(ProtocolError::MultibulkCountTooLong),
                Header::NotANumber | Header::OtherKind(_) => {
                    return Err(ProtocolError::InvalidMultibulkCount);
                }
            },
        };
        self.scanned = 0;
        if count > MULTIBULK_ARGS_MAX {
            return Err(ProtocolError::InvalidMultibulkCount);
        }
        if count > UNAUTHENTICATED_ARGS_MAX && !limits.authenticated {
            return Err(ProtocolError::UnauthenticatedMultibulkCount);
        }
        if count <= 0 {
            return Ok(Step::Skipped(at));
        }
        let mut partial =
            Partial { missing: count as u32, at, expect: Expect::Header { scanned: 0 } };
        let first = batch.spans.len();
        match partial.advance(input, limits, &mut batch.spans) {
            Ok(true) => Ok(batch.finish(partial.at, Source::Input)),
            Ok(false) => {
                partial.at -= start;
                self.partial = Some(partial);
                self.spans.extend(batch.spans.drain(first..).map(|span| span.moved_back(start)));
                Ok(Step::Starved)
            }
            Err(error) => {
                batch.spans.truncate(first);
                Err(error)
            }
        }
    }

    /// Goes on with the incomplete request, which starts at the input's first byte.
    #[cold]
    fn resume(
        &mut self,
        input: &[u8],
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let Some(partial) = &mut self.partial else { return Ok(Step::Starved) };
        if !partial.advance(input, limits, &mut self.spans)? {
            return Ok(Step::Starved);
        }
        let end = partial.at;
        batch.spans.append(&mut self.spans);
        self.reset();
        Ok(batch.finish(end, Source::Input))
    }

    #[cold]
    fn inline(
        &mut self,
        input: &[u8],
        start: usize,
        limits: &Limits,
        batch: &mut Batch,
    ) -> Result<Step, ProtocolError> {
        let newline = match find_line_end(input, start, b'\n', &mut self.scanned) {
            LineEnd::At(at) => at,
            LineEnd::Missing => return Ok(Step::Starved),
            LineEnd::TooLong => return Err(ProtocolError::InlineTooLong),
        };
        self.scanned = 0;
        let line = &input[start..newline];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let source = if memchr2(b'"', b'\'', line).is_some() {
            batch.split_quoted(line)?;
            Source::Unquoted
        } else {
            batch.split_bare(line, start);
            Source::Input
        };
        if line.is_empty() {
            return Ok(Step::EmptyLine(newline + 1));
        }
        if limits.sender == Sender::Primary {
            return Err(ProtocolError::InlineFromPrimary);
        }
        Ok(batch.finish(newline + 1, source))
    }
}

impl Partial {
    /// Reads arguments until none is missing (`true`) or bytes are (`false`).
    #[inline]
    fn advance(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<bool, ProtocolError> {
        while self.missing > 0 {
            if !self.take_short(input, spans) && !self.take_any(input, limits, spans)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads the next argument if it is whole, begins with its header and is short, as most are:
    /// no limit is as low.
    #[inline]
    fn take_short(&mut self, input: &[u8], spans: &mut Vec<Span>) -> bool {
        let Expect::Header { scanned: 0 } = self.expect else { return false };
        let Some((len, start)) = short_header(input, self.at, b'$') else { return false };
        let end = start + len as usize + 2;
        let taken = end <= input.len().min(u32::MAX as usize);
        if taken {
            spans.push(Span { start: start as u32, len });
            self.at = end;
            self.missing -= 1;
        }
        taken
    }

    /// Reads the next argument, or what there is of it (`false`).
    fn take_any(
        &mut self,
        input: &[u8],
        limits: &Limits,
        spans: &mut Vec<Span>,
    ) -> Result<bool, ProtocolError> {
        let len = match &mut self.expect {
            Expect::Payload { len } => *len,
            Expect::Header { scanned } => match bulk_length(input, self.at, scanned, limits)? {
                Some((len, payload)) => {
                    self.at = payload;
                    len
                }
                None => return Ok(false),
            },
        };
        let end = self.at + len as usize + 2;
        if end > input.len() {
            self.expect = Expect::Payload { len };
            return Ok(false);
        }
        spans.push(Span { start: self.at as u32, len });
        self.at = end;
        self.expect = Expect::Header { scanned: 0 };
        self.missing -= 1;
        Ok(true)
    }
}

/// Most digits of the numbers that are read the short way.
const SHORT_DIGITS: u32 = 3;
const _: () = assert!(10i64.pow(SHORT_DIGITS) <= UNAUTHENTICATED_BULK_BYTES_MAX);
const _: () = assert!(10i64.pow(SHORT_DIGITS) <= BULK_BYTES_MAX_MIN);

/// The number of the header at `at`, and what follows, if it has this kind and few digits, and at
/// least two bytes follow it, as the end of a bulk.
#[inline(always)]
fn short_header(input: &[u8], at: usize, kind: u8) -> Option<(u32, usize)> {
    let &[first, a, b, c, d, _] = input.get(at..)?.first_chunk()?;
    let digit = |byte: u8| Some(u32::from(byte.wrapping_sub(b'0'))).filter(|&digit| digit <= 9);
    if first != kind {
        return None;
    }
    let high = digit(a)?;
    if b == b'\r' {
        return Some((high, at + 4));
    }
    let number = high * 10 + digit(b)?;
    match (high, c, d) {
        (0, ..) => None,
        (_, b'\r', _) => Some((number, at + 5)),
        (_, _, b'\r') => Some((number * 10 + digit(c)?, at + 6)),
        _ => None,
    }
}

/// Length of the bulk whose header starts at `at`, and where its bytes start. `None`: the header is
/// incomplete.
#[inline]
fn bulk_length(
    input: &[u8],
    at: usize,
    scanned: &mut usize,
    limits: &Limits,
) -> Result<Option<(u32, usize)>, ProtocolError> {
    let (len, next) = match read_header(input, at, b'$', scanned) {
        Header::Number { value, next } => (value, next),
        Header::Incomplete => return Ok(None),
        Header::TooLong => return Err(ProtocolError::BulkLengthTooLong),
        Header::OtherKind(got) => return Err(ProtocolError::ExpectedDollar(got)),
        Header::NotANumber => return Err(ProtocolError::InvalidBulkLength),
    };
    if len < 0 || (len > limits.bulk_bytes_max && limits.sender == Sender::Client) {
        return Err(ProtocolError::InvalidBulkLength);
    }
    if len > UNAUTHENTICATED_BULK_BYTES_MAX && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength);
    }
    let end = (next as u64).saturating_add(len as u64).saturating_add(2);
    if end > u64::from(u32::MAX) {
        return Err(ProtocolError::InvalidBulkLength);
    }
    Ok(Some((len as u32, next)))
}

/// A header: one byte of kind, a number, two bytes of line end.
enum Header {
    Number {
        value: i64,
        next: usize,
    },
    /// Another kind of header (or none), complete up to its line end.
    OtherKind(u8),
    NotANumber,
    Incomplete,
    TooLong,
}

/// Reads the header at `at`. As in Redis, the line ends at the first `\r`, and the byte after it
/// must be there but is not looked at.
fn read_header(input: &[u8], at: usize, kind: u8, scanned: &mut usize) -> Header {
    let line_end = match find_line_end(input, at, b'\r', scanned) {
        LineEnd::At(line_end) => line_end,
        LineEnd::Missing => return Header::Incomplete,
        LineEnd::TooLong => return Header::TooLong,
    };
    if line_end + 1 >= input.len() {
        return Header::Incomplete;
    }
    if input[at] != kind {
        return Header::OtherKind(input[at]);
    }
    match parse_i64(&input[at + 1..line_end]) {
        Some(value) => Header::Number { value, next: line_end + 2 },
        None => Header::NotANumber,
    }
}

enum LineEnd {
    At(usize),
    Missing,
    TooLong,
}

/// Finds the first `end` at or after `start`, `scanned` bytes being known not to hold it. As in
/// Redis, nothing is found behind a zero byte, and the line is given up once more than
/// INLINE_BYTES_MAX bytes are there.
fn find_line_end(input: &[u8], start: usize, end: u8, scanned: &mut usize) -> LineEnd {
    let line = &input[start.min(input.len())..];
    let window = &line[..line.len().min(INLINE_BYTES_MAX + 1)];
    *scanned = match memchr2(end, 0, &window[*scanned..]) {
        Some(found) if window[*scanned + found] == end => {
            return LineEnd::At(start + *scanned + found);
        }
        Some(zero) => *scanned + zero,
        None => window.len(),
    };
    if line.len() > INLINE_BYTES_MAX { LineEnd::TooLong } else { LineEnd::Missing }
}

impl Batch {
    /// Spans of the words of `line`, which starts at `start` of the input and has no quotes.
    fn split_bare(&mut self, line: &[u8], start: usize) {
        let mut at = 0;
        while at < line.len() {
            if is_space(line[at]) {
                at += 1;
                continue;
            }
            // Vertical tabs and form feeds separate words, but do not end one.
            let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
            let len = line[at..].iter().position(ends).unwrap_or(line.len() - at);
            self.spans.push(Span { start: (start + at) as u32, len: len as u32 });
            at += len;
        }
    }

    /// Spans of the words of `line`, unquoted.
    fn split_quoted(&mut self, line: &[u8]) -> Result<(), ProtocolError> {
        let first = self.spans.len();
        let mut words = Words::new(line);
        loop {
            let start = self.unquoted.len();
            match words.next_into(&mut self.unquoted) {
                Ok(true) => {
                    let len = self.unquoted.len() - start;
                    self.spans.push(Span { start: start as u32, len: len as u32 });
                }
                Ok(false) => return Ok(()),
                Err(_) => {
                    self.spans.truncate(first);
                    return Err(ProtocolError::UnbalancedQuotes);
                }
            }
        }
    }
}
