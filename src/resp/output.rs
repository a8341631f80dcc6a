//! Bytes on their way to one client: a growing tail that replies are written into, and sealed
//! chunks before it. Chunks may be shared between clients.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::base::limits::{REPLY_CHUNK_BYTES, REPLY_MIN_BYTES};

/// A queue of reply bytes. Replies of one command are contiguous in the tail until `seal_if_full`
/// runs.
#[derive(Debug, Default)]
pub struct Output {
    sealed: VecDeque<Bytes>,
    /// Bytes in `sealed`.
    sealed_bytes: usize,
    tail: Vec<u8>,
    /// Room that a new tail gets.
    tail_room: usize,
    /// Bytes of the tail when `seal_if_full` ran last.
    tail_seen: usize,
    /// Bytes of the front chunk (or of the tail, when nothing is sealed) that were sent already.
    sent: usize,
}

impl Output {
    /// Bytes that wait to be sent.
    #[inline]
    pub fn pending(&self) -> usize {
        self.sealed_bytes + self.tail.len() - self.sent
    }

    /// Heap bytes held, sent ones of a partly sent chunk included.
    pub fn heap_bytes(&self) -> usize {
        self.sealed_bytes + self.tail.capacity()
    }

    /// Bytes in sealed chunks (CLIENT LIST's `omem`).
    pub fn sealed_bytes(&self) -> usize {
        self.sealed_bytes
    }

    /// Sealed chunks (INFO's and CLIENT LIST's `oll`).
    pub fn chunks(&self) -> usize {
        self.sealed.len()
    }

    /// The tail, where replies are appended.
    #[inline]
    pub fn tail(&mut self) -> &mut Vec<u8> {
        &mut self.tail
    }

    /// Bytes in the tail (CLIENT LIST's `obl`), and the tail's capacity (`rbs`).
    pub fn tail_size(&self) -> (usize, usize) {
        (self.tail.len(), self.tail.capacity())
    }

    /// Queues a chunk that other clients may share, after everything written so far.
    pub fn push_shared(&mut self, chunk: Bytes) {
        self.seal(self.tail_room);
        self.sealed_bytes += chunk.len();
        self.sealed.push_back(chunk);
    }

    /// Appends bytes that are no part of a reply. A backlog of them fills chunk after chunk, none
    /// of which has to grow.
    #[inline]
    pub fn append(&mut self, bytes: &[u8]) {
        if self.tail.len() + bytes.len() > self.tail.capacity() {
            self.make_room(bytes.len());
        }
        self.tail.extend_from_slice(bytes);
    }

    #[cold]
    fn make_room(&mut self, bytes: usize) {
        self.prepare();
        let wanted = self.tail.len() + bytes;
        if wanted > REPLY_CHUNK_BYTES && !self.tail.is_empty() {
            self.seal(REPLY_CHUNK_BYTES);
        } else if wanted > self.tail.capacity() {
            let doubled = (2 * self.tail.capacity()).min(REPLY_CHUNK_BYTES);
            self.tail.reserve_exact(doubled.max(wanted) - self.tail.len());
        }
    }

    /// After each command: seals a tail that has grown past one chunk, so that sending it never
    /// moves bytes, or that another reply such as this one would have to be moved for. Who gets
    /// much gets more, so that the next tail begins with a chunk's room.
    #[inline]
    pub fn seal_if_full(&mut self) {
        let len = self.tail.len();
        let grown = len.saturating_sub(std::mem::replace(&mut self.tail_seen, len));
        let is_full = len + grown > self.tail.capacity() && len >= REPLY_CHUNK_BYTES / 4;
        if len >= REPLY_CHUNK_BYTES || is_full {
            self.seal(REPLY_CHUNK_BYTES);
        }
    }

    /// Begins another tail with this room.
    fn seal(&mut self, room: usize) {
        if !self.tail.is_empty() {
            let mut full = std::mem::replace(&mut self.tail, Vec::with_capacity(room));
            if full.capacity() - full.len() > full.len() / 2 {
                full.shrink_to_fit();
            }
            self.tail_seen = 0;
            self.sealed_bytes += full.len();
            self.sealed.push_back(Bytes::from(full));
        }
    }

    /// The bytes to send next, one slice per chunk, at most `out.len()` slices. Returns how many
    /// were filled.
    pub fn slices<'a>(&'a self, out: &mut [&'a [u8]]) -> usize {
        let chunks = self.sealed.iter().map(|c| &c[..]).chain(std::iter::once(&self.tail[..]));
        let mut skip = self.sent;
        let mut filled = 0;
        for (slot, chunk) in out.iter_mut().zip(chunks) {
            *slot = &chunk[skip..];
            skip = 0;
            filled += 1;
        }
        filled
    }

    /// Forgets the first `n` pending bytes: they were sent.
    pub fn advance(&mut self, n: usize) {
        debug_assert!(n <= self.pending());
        self.sent += n;
        let was_sealed = !self.sealed.is_empty();
        while let Some(front) = self.sealed.front() {
            if self.sent < front.len() {
                return;
            }
            self.sent -= front.len();
            self.sealed_bytes -= front.len();
            self.sealed.pop_front();
        }
        if self.sent == self.tail.len() {
            self.tail.clear();
            (self.sent, self.tail_seen) = (0, 0);
            // What is kept is the room that the cron found fit, not what much output made of it.
            if was_sealed && self.tail.capacity() > self.tail_room {
                self.tail = Vec::with_capacity(self.tail_room);
            }
        }
    }

    /// All of it as one piece: nothing may have been sent.
    pub fn whole(&mut self) -> &[u8] {
        if !self.sealed.is_empty() {
            let mut whole = Vec::with_capacity(self.pending());
            self.sealed.drain(..).for_each(|chunk| whole.extend_from_slice(&chunk));
            whole.append(&mut self.tail);
            (self.tail, self.sealed_bytes) = (whole, 0);
        }
        &self.tail
    }

    /// Drops everything that waits, and keeps the room of the tail unless it has become big.
    pub fn reset(&mut self) {
        if self.tail.capacity() > REPLY_CHUNK_BYTES {
            return self.clear();
        }
        self.tail.clear();
        self.sealed.clear();
        (self.sealed_bytes, self.sent, self.tail_seen) = (0, 0, 0);
    }

    /// Drops everything that waits.
    pub fn clear(&mut self) {
        *self = Output::default();
    }

    /// Gives the tail room for `capacity` bytes, if it is empty (resizing of idle and busy
    /// clients).
    pub fn resize_tail(&mut self, capacity: usize) {
        if self.tail.is_empty() {
            self.tail_room = capacity;
            self.tail = Vec::with_capacity(capacity);
        }
    }

    /// Gives a tail without any room the least that a client keeps.
    #[inline]
    pub fn prepare(&mut self) {
        if self.tail.capacity() == 0 {
            self.tail_room = self.tail_room.max(REPLY_MIN_BYTES);
            self.tail.reserve_exact(self.tail_room);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_fills_chunks_that_need_not_grow() {
        let mut output = Output::default();
        let message: Vec<u8> = (0..100).collect();
        (0..1000).for_each(|_| output.append(&message));
        output.append(&message.repeat(1000));
        output.append(b"end");
        assert_eq!(output.pending(), 200_003);
        let full = REPLY_CHUNK_BYTES / message.len() * message.len();
        assert_eq!(output.sealed[0].len(), full);
        let mut sent = Vec::new();
        while output.pending() > 0 {
            let mut slices = [&[][..]; 2];
            output.slices(&mut slices);
            let first = slices[0].to_vec();
            output.advance(first.len());
            sent.extend(first);
        }
        let mut expected = message.repeat(2000);
        expected.extend(b"end");
        assert!(sent == expected);
    }
}
