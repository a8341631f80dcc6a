//! Writes replies in the protocol the client speaks, straight into its output. Handlers say what
//! they reply (`map`, `double`, `null`); only this file knows how RESP2 and RESP3 differ.

use super::{Error, Output, ProtocolError};
use crate::base::numbers::write_double;

/// The protocol version that HELLO chose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// The default.
    #[default]
    Resp2,
    /// Maps, sets, doubles, booleans, nulls and pushes of their own.
    Resp3,
}

/// A bulk's header and line end: `$`, a length, and two line ends.
const BULK_FRAME_BYTES_MAX: usize = 1 + 20 + 2 + 2;

/// A client's replies.
#[derive(Debug, Default)]
pub struct Reply {
    /// Where the bytes go.
    pub output: Output,
    /// How they are encoded.
    pub protocol: Protocol,
    /// CLIENT REPLY OFF and SKIP: what is written is dropped.
    pub muted: bool,
}

/// A push of bulk strings, which is an array for those who speak RESP2.
pub fn encode_push(protocol: Protocol, parts: &[&[u8]]) -> Vec<u8> {
    let mut reply = Reply { protocol, ..Reply::default() };
    let bytes: usize = parts.iter().map(|part| part.len() + BULK_FRAME_BYTES_MAX).sum();
    reply.output.tail().reserve_exact(bytes + BULK_FRAME_BYTES_MAX);
    reply.push(parts.len());
    parts.iter().for_each(|part| reply.bulk(part));
    std::mem::take(reply.output.tail())
}

/// The place of an aggregate's header that is written once its length is known.
#[derive(Debug)]
#[must_use = "an aggregate that was begun must be ended"]
pub struct Deferred {
    at: usize,
    kind: u8,
    /// Replies per counted item: 2 for a map in RESP2.
    per_item: usize,
}

impl Reply {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if !self.muted {
            self.output.tail().extend_from_slice(bytes);
        }
    }

    #[inline]
    fn header(&mut self, kind: u8, n: i64) {
        if self.muted {
            return;
        }
        let tail = self.output.tail();
        // Nearly all lengths are as short, and what has a constant size is written in place.
        let digit = |n: i64| b'0' + n as u8;
        match n {
            0..10 => return tail.extend_from_slice(&[kind, digit(n), b'\r', b'\n']),
            10..100 => {
                let line = [kind, digit(n / 10), digit(n % 10), b'\r', b'\n'];
                return tail.extend_from_slice(&line);
            }
            _ => {}
        }
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(n).as_bytes();
        tail.reserve(digits.len() + 3);
        tail.push(kind);
        tail.extend_from_slice(digits);
        tail.extend_from_slice(b"\r\n");
    }

    fn is_resp3(&self) -> bool {
        self.protocol == Protocol::Resp3
    }

    /// `+OK`.
    #[inline]
    pub fn ok(&mut self) {
        self.put(b"+OK\r\n");
    }

    /// A simple string; must contain no line break.
    pub fn simple(&mut self, text: &str) {
        self.put(b"+");
        self.put(text.as_bytes());
        self.put(b"\r\n");
    }

    /// A simple string of any bytes. Line breaks inside become spaces.
    pub fn simple_bytes(&mut self, text: &[u8]) {
        self.line(b"+", text.to_vec());
    }

    /// An error line. Line breaks inside become spaces, as in Redis.
    pub fn error(&mut self, error: &Error) {
        self.line(b"-", error.to_string().into_bytes());
    }

    /// An error line of any bytes. Line breaks inside become spaces, those at the end are dropped.
    pub fn error_line(&mut self, line: &[u8]) {
        let end = line.iter().rposition(|b| !matches!(b, b'\r' | b'\n')).map_or(0, |at| at + 1);
        self.line(b"-", line[..end].to_vec());
    }

    fn line(&mut self, kind: &[u8], mut text: Vec<u8>) {
        text.iter_mut().filter(|b| matches!(b, b'\r' | b'\n')).for_each(|b| *b = b' ');
        self.put(kind);
        self.put(&text);
        self.put(b"\r\n");
    }

    /// The error line before a connection is closed for not speaking the protocol.
    pub fn protocol_error(&mut self, error: &ProtocolError) {
        self.put(b"-");
        self.put(&error.line());
        self.put(b"\r\n");
    }

    /// A bulk string.
    #[inline]
    pub fn bulk(&mut self, bytes: &[u8]) {
        if !self.muted {
            // All at once: growing for the two bytes of the line end would double a big reply's
            // room.
            self.output.tail().reserve(bytes.len() + BULK_FRAME_BYTES_MAX);
        }
        self.header(b'$', bytes.len() as i64);
        self.put(bytes);
        self.put(b"\r\n");
    }

    /// An integer as a bulk string, as GET of a counter replies.
    pub fn bulk_int(&mut self, n: i64) {
        let mut digits = itoa::Buffer::new();
        self.bulk(digits.format(n).as_bytes());
    }

    /// An integer.
    #[inline]
    pub fn int(&mut self, n: i64) {
        self.header(b':', n);
    }

    /// The absence of a value.
    #[inline]
    pub fn null(&mut self) {
        self.put(if self.is_resp3() { b"_\r\n" } else { b"$-1\r\n" });
    }

    /// The absence of an aggregate (`*-1` in RESP2).
    pub fn null_array(&mut self) {
        self.put(if self.is_resp3() { b"_\r\n" } else { b"*-1\r\n" });
    }

    /// A boolean; 1 or 0 in RESP2.
    pub fn boolean(&mut self, value: bool) {
        if self.is_resp3() {
            self.put(if value { b"#t\r\n" } else { b"#f\r\n" });
        } else {
            self.int(i64::from(value));
        }
    }

    /// Header of an array of `n` replies.
    #[inline]
    pub fn array(&mut self, n: usize) {
        self.header(b'*', n as i64);
    }

    /// Header of `n` pairs that keep their order, each begun with [`Reply::pair`]: an array of
    /// arrays, a flat one in RESP2.
    pub fn pairs(&mut self, n: usize) {
        self.array(if self.is_resp3() { n } else { 2 * n });
    }

    /// Header of one of the [`Reply::pairs`].
    pub fn pair(&mut self) {
        if self.is_resp3() {
            self.array(2);
        }
    }

    /// Header of a map of `n` pairs; an array of `2n` in RESP2.
    pub fn map(&mut self, n: usize) {
        if self.is_resp3() { self.header(b'%', n as i64) } else { self.header(b'*', 2 * n as i64) }
    }

    /// Header of a set of `n` replies; an array in RESP2.
    pub fn set(&mut self, n: usize) {
        self.header(if self.is_resp3() { b'~' } else { b'*' }, n as i64);
    }

    /// Header of an out-of-band push of `n` replies; an array in RESP2.
    pub fn push(&mut self, n: usize) {
        self.header(if self.is_resp3() { b'>' } else { b'*' }, n as i64);
    }

    /// Tells a client about one of its subscriptions: what was done, to what (none where it had
    /// none), and how many are left. CLIENT REPLY does not silence pushes.
    pub fn subscription(&mut self, done: &[u8], channel: Option<&[u8]>, left: usize) {
        let muted = std::mem::replace(&mut self.muted, false);
        self.push(3);
        self.bulk(done);
        match channel {
            Some(channel) => self.bulk(channel),
            None => self.null(),
        }
        self.int(left as i64);
        self.muted = muted;
    }

    /// Header of `n` attribute pairs that precede a reply. Only RESP3 clients may get it.
    pub fn attribute(&mut self, n: usize) {
        debug_assert!(self.is_resp3());
        self.header(b'|', n as i64);
    }

    /// A double: its own type in RESP3, a bulk string in RESP2, 17 significant digits at most.
    pub fn double(&mut self, value: f64) {
        if self.muted {
            return;
        }
        let at = self.output.tail().len();
        write_double(self.output.tail(), value);
        let digits = self.output.tail().len() - at;
        self.put_before(at, |reply| match reply.protocol {
            Protocol::Resp3 => reply.put(b","),
            Protocol::Resp2 => reply.header(b'$', digits as i64),
        });
        self.put(b"\r\n");
    }

    /// A double, given as its digits; a bulk string in RESP2.
    pub fn double_text(&mut self, digits: &[u8]) {
        if self.is_resp3() {
            self.put(b",");
            self.put(digits);
            self.put(b"\r\n");
        } else {
            self.bulk(digits);
        }
    }

    /// A big number, given as its digits.
    pub fn big_number(&mut self, digits: &[u8]) {
        if self.is_resp3() {
            self.put(b"(");
            self.put(digits);
            self.put(b"\r\n");
        } else {
            self.bulk(digits);
        }
    }

    /// A verbatim string of a three-letter format (`txt`, `mkd`); a bulk string in RESP2.
    pub fn verbatim(&mut self, format: impl AsRef<[u8]>, text: &[u8]) {
        if self.is_resp3() {
            self.header(b'=', text.len() as i64 + 4);
            self.put(format.as_ref());
            self.put(b":");
            self.put(text);
            self.put(b"\r\n");
        } else {
            self.bulk(text);
        }
    }

    /// Bytes that are already encoded.
    pub fn raw(&mut self, encoded: &[u8]) {
        self.put(encoded);
    }

    /// Begins an array whose length is not known yet.
    pub fn array_deferred(&mut self) -> Deferred {
        self.deferred(b'*', 1)
    }

    /// Begins a set whose length is not known yet.
    pub fn set_deferred(&mut self) -> Deferred {
        self.deferred(if self.is_resp3() { b'~' } else { b'*' }, 1)
    }

    /// Begins a map whose length is not known yet.
    pub fn map_deferred(&mut self) -> Deferred {
        if self.is_resp3() { self.deferred(b'%', 1) } else { self.deferred(b'*', 2) }
    }

    /// Begins a map whose length is not known yet, of pairs that each begin with [`Reply::keyed`]:
    /// an array of arrays in RESP2.
    pub fn keyed_deferred(&mut self) -> Deferred {
        self.deferred(if self.is_resp3() { b'%' } else { b'*' }, 1)
    }

    /// Header of one of the pairs of [`Reply::keyed_deferred`].
    pub fn keyed(&mut self) {
        if !self.is_resp3() {
            self.array(2);
        }
    }

    fn deferred(&mut self, kind: u8, per_item: usize) -> Deferred {
        Deferred { at: self.output.tail().len(), kind, per_item }
    }

    /// Ends an aggregate: `n` is its number of replies (of pairs, for a map).
    pub fn end(&mut self, begun: Deferred, n: usize) {
        if self.muted {
            return;
        }
        let items = (n * begun.per_item) as i64;
        self.put_before(begun.at, |reply| reply.header(begun.kind, items));
    }

    /// Inserts what `write` appends at offset `at` of the tail.
    fn put_before(&mut self, at: usize, write: impl FnOnce(&mut Self)) {
        let end = self.output.tail().len();
        write(self);
        let tail = self.output.tail();
        let added = tail.len() - end;
        tail[at..].rotate_right(added);
    }

    /// The lines of a HELP reply: usage line, the command's own lines, and the line about HELP.
    pub fn help(&mut self, command: &str, lines: &[&str]) {
        self.array(lines.len() + 3);
        self.simple(&format!("{command} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:"));
        lines.iter().for_each(|line| self.simple(line));
        self.simple("HELP");
        self.simple("    Print this help.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(protocol: Protocol, write: impl FnOnce(&mut Reply)) -> String {
        let mut reply = Reply { protocol, ..Reply::default() };
        reply.raw(b"<");
        write(&mut reply);
        String::from_utf8(reply.output.tail().split_off(1)).unwrap()
    }

    #[test]
    fn doubles_in_both_protocols() {
        let double = |value| move |reply: &mut Reply| reply.double(value);
        assert_eq!(written(Protocol::Resp2, double(-1.5)), "$4\r\n-1.5\r\n");
        let long = "$24\r\n-2.2250738585072014e-308\r\n";
        assert_eq!(written(Protocol::Resp2, double(-f64::MIN_POSITIVE)), long);
        assert_eq!(written(Protocol::Resp3, double(0.1)), ",0.1\r\n");
        assert_eq!(written(Protocol::Resp3, double(f64::NEG_INFINITY)), ",-inf\r\n");
    }

    #[test]
    fn deferred_headers_go_before_what_was_written() {
        let nested = |reply: &mut Reply| {
            let map = reply.map_deferred();
            reply.bulk(b"k");
            let array = reply.array_deferred();
            (0..12).for_each(|n| reply.int(n));
            reply.end(array, 12);
            reply.end(map, 1);
        };
        let items: String = (0..12).map(|n| format!(":{n}\r\n")).collect();
        let resp2 = written(Protocol::Resp2, nested);
        assert_eq!(resp2, format!("*2\r\n$1\r\nk\r\n*12\r\n{items}"));
        let resp3 = written(Protocol::Resp3, nested);
        assert_eq!(resp3, format!("%1\r\n$1\r\nk\r\n*12\r\n{items}"));
    }

    #[test]
    fn muted_replies_leave_nothing() {
        let muted = |reply: &mut Reply| {
            reply.muted = true;
            let array = reply.array_deferred();
            reply.double(1.5);
            reply.protocol_error(&ProtocolError::UnbalancedQuotes);
            reply.end(array, 1);
        };
        assert_eq!(written(Protocol::Resp2, muted), "");
    }

    #[test]
    fn protocol_errors_are_one_line() {
        let error = ProtocolError::ExpectedDollar(b'\n');
        let line = written(Protocol::Resp2, |reply| reply.protocol_error(&error));
        assert_eq!(line, "-ERR Protocol error: expected '$', got ' '\r\n");
    }
}
