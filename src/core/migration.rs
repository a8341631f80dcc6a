//! MIGRATE's conversation with the target: requests go out in chunks while replies come in, so that
//! neither end can block the other, and which keys the target has taken follows from its replies
//! alone. MIGRATE calls [`deliver`]; what the requests for keys say, and what becomes of the keys
//! here, is its business.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::time::Duration;

use super::peers::{Connection, Peers, Target};
use crate::base::clock;
use crate::base::limits::{MIGRATE_CHUNK_BYTES, MIGRATE_REPLY_BYTES_MAX, READ_CHUNK_BYTES};

/// What is asked of the target, and how long it may take for each step.
#[derive(Clone, Copy, Debug)]
pub struct Order<'a> {
    /// Whom.
    pub target: Target<'a>,
    /// Longest time without progress.
    pub timeout: Duration,
    /// Arguments of AUTH, if it is to be sent.
    pub login: Option<&'a [&'a [u8]]>,
    /// The database to be selected there.
    pub db: i64,
    /// How many keys there are.
    pub keys: usize,
}

/// How a conversation went.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Keys that the target has said to have taken, by number. Only these may be deleted.
    pub taken: Vec<usize>,
    /// The target's first error, without the `-`.
    pub refusal: Option<Vec<u8>>,
    /// What ended the conversation early.
    pub failure: Option<Failure>,
}

/// What ended a conversation early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was being done.
    pub stage: Stage,
    cause: Cause,
}

/// A part of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// There was no way to the target.
    Connecting,
    /// There were requests left to be sent.
    Writing,
    /// There were only replies left to be read.
    Reading,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    /// The connection could not be had, or broke.
    Broken,
    /// There was no progress for too long.
    TimedOut,
    /// The target said what is no reply to the request.
    Absurd,
}

/// Has the target take keys. `request` appends the request for the key of a number, and returns
/// false, with nothing appended, if the key is not there any more. A connection that breaks before
/// the target has answered for any key gets a second try, as a kept one may have been cut long ago.
pub fn deliver(
    peers: &mut Peers,
    order: &Order<'_>,
    now_s: u64,
    mut request: impl FnMut(usize, &mut Vec<u8>) -> bool,
) -> Outcome {
    let mut tries_left = 2;
    loop {
        tries_left -= 1;
        let mut connection = match peers.connect(&order.target, order.timeout) {
            Ok(connection) => connection,
            Err(error) => {
                let failure = Failure { stage: stage_of(error.kind()), cause: Cause::Broken };
                return Outcome { failure: Some(failure), ..Outcome::default() };
            }
        };
        let mut exchange = Exchange::begin(order, connection.db);
        let ended = exchange.run(&mut connection, order.timeout, &mut request);
        let Exchange { taken, refusal, answers, .. } = exchange;
        match ended {
            Ok(()) => {
                // After an error, the target may have selected anything.
                connection.db = refusal.is_none().then_some(order.db);
                peers.keep(&order.target, connection, now_s);
                return Outcome { taken, refusal, failure: None };
            }
            Err(failure) => {
                let untouched = answers == 0 && refusal.is_none();
                if failure.cause != Cause::Broken || !untouched || tries_left == 0 {
                    return Outcome { taken, refusal, failure: Some(failure) };
                }
            }
        }
    }
}

/// What Redis believes to be doing when it learns that there is no connection: it takes one that
/// is under way for made, and so is refused when it writes.
fn stage_of(dialing: ErrorKind) -> Stage {
    match dialing {
        ErrorKind::ConnectionRefused | ErrorKind::HostUnreachable | ErrorKind::TimedOut => {
            Stage::Writing
        }
        _ => Stage::Connecting,
    }
}

/// Appends a request.
pub fn push_request(out: &mut Vec<u8>, args: &[&[u8]]) {
    push_header(out, b'*', args.len());
    args.iter().for_each(|arg| push_arg(out, arg));
}

/// Appends one argument of a request.
pub fn push_arg(out: &mut Vec<u8>, arg: &[u8]) {
    push_header(out, b'$', arg.len());
    out.extend_from_slice(arg);
    out.extend_from_slice(b"\r\n");
}

/// Appends the header of a request (`*`) or of an argument (`$`).
pub fn push_header(out: &mut Vec<u8>, kind: u8, length: usize) {
    out.push(kind);
    out.extend_from_slice(itoa::Buffer::new().format(length).as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// What a request was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// AUTH or SELECT: if it fails, whatever is done for keys is done elsewhere than asked.
    Preface,
    /// RESTORE of the key of this number.
    Key(usize),
}

/// The state of one conversation.
struct Exchange {
    /// Requests, of which `out[..sent]` is sent.
    out: Vec<u8>,
    sent: usize,
    /// Bytes sent before those in `out`.
    sent_before: u64,
    keys: usize,
    /// The next key to be asked for.
    next_key: usize,
    /// Requests without a reply, each with the place in the conversation where it ends.
    unanswered: VecDeque<(u64, Asked)>,
    /// Bytes of a reply of which the end is not there yet.
    input: Vec<u8>,
    preface_failed: bool,
    /// Replies to requests for keys, of any kind.
    answers: usize,
    taken: Vec<usize>,
    refusal: Option<Vec<u8>>,
}

impl Exchange {
    /// A conversation over a connection that has selected `selected`.
    fn begin(order: &Order<'_>, selected: Option<i64>) -> Self {
        let mut exchange = Exchange {
            out: Vec::new(),
            sent: 0,
            sent_before: 0,
            keys: order.keys,
            next_key: 0,
            unanswered: VecDeque::new(),
            input: Vec::new(),
            preface_failed: false,
            answers: 0,
            taken: Vec::new(),
            refusal: None,
        };
        if let Some(login) = order.login {
            push_header(&mut exchange.out, b'*', login.len() + 1);
            push_arg(&mut exchange.out, b"AUTH");
            login.iter().for_each(|arg| push_arg(&mut exchange.out, arg));
            exchange.asked(Asked::Preface);
        }
        if selected != Some(order.db) {
            let mut digits = itoa::Buffer::new();
            push_request(&mut exchange.out, &[b"SELECT", digits.format(order.db).as_bytes()]);
            exchange.asked(Asked::Preface);
        }
        exchange
    }

    /// The request that `out` ends with was for this.
    fn asked(&mut self, asked: Asked) {
        self.unanswered.push_back((self.sent_before + self.out.len() as u64, asked));
    }

    /// Talks until the target has answered everything.
    fn run(
        &mut self,
        connection: &mut Connection,
        timeout: Duration,
        request: &mut impl FnMut(usize, &mut Vec<u8>) -> bool,
    ) -> Result<(), Failure> {
        let mut patience = Patience::new(timeout);
        let mut buffer = [0; READ_CHUNK_BYTES];
        loop {
            self.refill(request);
            if self.unanswered.is_empty() {
                return Ok(());
            }
            let wait = patience.left().ok_or(self.failure(Cause::TimedOut))?;
            let unsent = &self.out[self.sent..];
            let started = clock::instant();
            let progress = connection
                .stream
                .exchange(unsent, &mut buffer, wait)
                .map_err(|_| self.failure(Cause::Broken))?;
            self.sent += progress.written;
            let waited = clock::instant().saturating_duration_since(started);
            let replies = self.receive(&buffer[..progress.read])?;
            patience.note(waited, progress.written, replies);
        }
    }

    /// Keeps a chunk of requests ready to be sent.
    fn refill(&mut self, request: &mut impl FnMut(usize, &mut Vec<u8>) -> bool) {
        if self.next_key == self.keys || self.out.len() - self.sent >= MIGRATE_CHUNK_BYTES {
            return;
        }
        self.out.drain(..self.sent);
        self.sent_before += self.sent as u64;
        self.sent = 0;
        while self.next_key < self.keys && self.out.len() < MIGRATE_CHUNK_BYTES {
            let key = self.next_key;
            self.next_key += 1;
            if request(key, &mut self.out) {
                self.asked(Asked::Key(key));
            }
        }
    }

    fn failure(&self, cause: Cause) -> Failure {
        let unsent = self.sent < self.out.len() || self.next_key < self.keys;
        Failure { stage: if unsent { Stage::Writing } else { Stage::Reading }, cause }
    }

    /// Takes what the target said; how many whole replies that were.
    fn receive(&mut self, bytes: &[u8]) -> Result<usize, Failure> {
        let mut replies = 0;
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            self.input.extend_from_slice(&rest[..end]);
            rest = &rest[end + 1..];
            let line = std::mem::take(&mut self.input);
            let words = line.strip_suffix(b"\r").unwrap_or(&line);
            self.answer(words).ok_or(self.failure(Cause::Absurd))?;
            replies += 1;
        }
        self.input.extend_from_slice(rest);
        let idle = self.unanswered.is_empty() && !self.input.is_empty();
        if idle || self.input.len() > MIGRATE_REPLY_BYTES_MAX {
            return Err(self.failure(Cause::Absurd));
        }
        Ok(replies)
    }

    /// Takes one reply; `None` if it is none to what was sent.
    fn answer(&mut self, line: &[u8]) -> Option<()> {
        let (end, asked) = self.unanswered.pop_front()?;
        if end > self.sent_before + self.sent as u64 {
            return None;
        }
        self.answers += usize::from(asked != Asked::Preface);
        match (line, asked) {
            (b"+OK", Asked::Preface) => {}
            (b"+OK", Asked::Key(key)) if !self.preface_failed => self.taken.push(key),
            // It was taken, but by whom or into what?
            (b"+OK", Asked::Key(_)) => {}
            ([b'-', words @ ..], _) => {
                if asked == Asked::Preface {
                    self.preface_failed = true;
                    // No further key needs to be sent.
                    self.keys = self.next_key;
                }
                self.refusal.get_or_insert_with(|| words.to_vec());
            }
            _ => return None,
        }
        Some(())
    }
}

/// Time that the target has for the next step: to take a chunk, or to answer. Bytes that drip in do
/// not buy more of it, and what this node takes to encode values does not count.
struct Patience {
    timeout: Duration,
    waited: Duration,
    written: usize,
}

impl Patience {
    fn new(timeout: Duration) -> Self {
        Patience { timeout, waited: Duration::ZERO, written: 0 }
    }

    fn left(&self) -> Option<Duration> {
        self.timeout.checked_sub(self.waited).filter(|left| !left.is_zero())
    }

    fn note(&mut self, waited: Duration, written: usize, replies: usize) {
        self.waited += waited;
        self.written += written;
        if replies > 0 || self.written >= MIGRATE_CHUNK_BYTES {
            *self = Patience::new(self.timeout);
        }
    }
}
