//! A file as a source of encoded bytes: read in pieces, with a checksum of what was taken. Memory
//! is taken for the piece at hand, and beyond that for what has arrived.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read};

use super::{Corrupt, Source};
use crate::base::crc64::Digest;
use crate::base::limits::RDB_PIECE_BYTES;
use crate::base::lzf;

/// Bytes of a reader, as values are read from.
pub(super) struct Stream<R> {
    reader: R,
    /// What was read; taken up to `at`, in the checksum up to `summed`.
    window: Vec<u8>,
    at: usize,
    summed: usize,
    /// Bytes taken that are not in the window any more.
    before: u64,
    digest: Option<Digest>,
    /// What was unpacked last, and stale bytes behind it.
    unpacked: Vec<u8>,
    /// Why nothing can be read any more, if the file did not just end.
    failure: Option<io::Error>,
}

impl<R: Read> Stream<R> {
    /// `sums`: whether the checksum is wanted.
    pub(super) fn new(reader: R, sums: bool) -> Self {
        Stream {
            reader,
            window: Vec::with_capacity(RDB_PIECE_BYTES),
            at: 0,
            summed: 0,
            before: 0,
            digest: sums.then(Digest::new),
            unpacked: Vec::new(),
            failure: None,
        }
    }

    /// Bytes taken so far.
    pub(super) fn taken(&self) -> u64 {
        self.before + self.at as u64
    }

    /// The checksum of the bytes taken so far, if it was wanted.
    pub(super) fn checksum(&mut self) -> Option<u64> {
        self.sum();
        self.digest.as_ref().map(Digest::checksum)
    }

    /// What the system said when the file could not be read on.
    pub(super) fn take_failure(&mut self) -> Option<io::Error> {
        self.failure.take()
    }

    fn sum(&mut self) {
        if let Some(digest) = &mut self.digest {
            digest.update(&self.window[self.summed..self.at]);
        }
        self.summed = self.at;
    }

    /// Reads until `count` bytes are there that were not taken yet.
    fn fill(&mut self, count: usize) -> Result<(), Corrupt> {
        self.sum();
        self.before += self.at as u64;
        self.window.drain(..self.at);
        (self.at, self.summed) = (0, 0);
        // One huge value does not keep its memory for all that follow.
        if self.window.capacity() > 16 * RDB_PIECE_BYTES && count <= RDB_PIECE_BYTES {
            self.window.shrink_to(RDB_PIECE_BYTES);
        }
        while self.window.len() < count {
            // Beyond one piece, memory doubles with what arrives.
            let room = self.window.len().max(RDB_PIECE_BYTES) as u64;
            match (&mut self.reader).take(room).read_to_end(&mut self.window) {
                Ok(0) => return Err(Corrupt::Truncated),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error);
                    return Err(Corrupt::Truncated);
                }
            }
        }
        Ok(())
    }
}

impl<R: Read> Source for Stream<R> {
    fn take(&mut self, count: u64) -> Result<&[u8], Corrupt> {
        let count = usize::try_from(count).map_err(|_| Corrupt::Truncated)?;
        if self.window.len() - self.at < count {
            self.fill(count)?;
        }
        let begin = self.at;
        self.at += count;
        Ok(&self.window[begin..self.at])
    }

    fn unpack(&mut self, packed: u64, unpacked: u64) -> Result<Cow<'_, [u8]>, Corrupt> {
        let length = self.take(packed)?.len();
        let packed = &self.window[self.at - length..self.at];
        if self.unpacked.len() > 16 * RDB_PIECE_BYTES && unpacked <= RDB_PIECE_BYTES as u64 {
            self.unpacked = Vec::new();
        }
        let bytes = lzf::decompress_over(packed, unpacked, &mut self.unpacked);
        bytes.map(Cow::Borrowed).map_err(|lzf::Invalid| Corrupt::Compression)
    }
}
