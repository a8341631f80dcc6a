//! The ids of a stream's entries: a time and a number within it, ordered as one number of 128 bits.

use arrayvec::ArrayVec;

/// Bytes of the longest text of an id: two numbers of 20 digits and what joins them.
const TEXT_BYTES_MAX: usize = 41;

/// The text of an id, `ms-seq`.
pub type IdText = ArrayVec<u8, TEXT_BYTES_MAX>;

/// The id of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Usually the milliseconds since the Unix epoch at which the entry was added.
    pub ms: u64,
    /// Tells entries of the same time apart.
    pub seq: u64,
}

impl Id {
    /// The smallest id, which no entry has.
    pub const MIN: Id = Id { ms: 0, seq: 0 };
    /// The greatest id.
    pub const MAX: Id = Id { ms: u64::MAX, seq: u64::MAX };
    /// Bytes of an id where it is stored.
    pub const BYTES: usize = 16;

    /// The id that follows, if there is one.
    pub fn next(self) -> Option<Id> {
        match self.seq.checked_add(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_add(1)?, seq: 0 }),
        }
    }

    /// The id before this one, if there is one.
    pub fn prev(self) -> Option<Id> {
        match self.seq.checked_sub(1) {
            Some(seq) => Some(Id { seq, ..self }),
            None => Some(Id { ms: self.ms.checked_sub(1)?, seq: u64::MAX }),
        }
    }

    /// The bytes that order as the ids do.
    pub fn to_bytes(self) -> [u8; Id::BYTES] {
        self.as_u128().to_be_bytes()
    }

    /// The id of these bytes.
    pub fn from_bytes(bytes: [u8; Id::BYTES]) -> Id {
        let number = u128::from_be_bytes(bytes);
        Id { ms: (number >> 64) as u64, seq: number as u64 }
    }

    /// Both halves in one number.
    pub fn as_u128(self) -> u128 {
        u128::from(self.ms) << 64 | u128::from(self.seq)
    }

    /// The id with a separator between its halves: `-` for clients.
    #[inline]
    pub fn joined_by(self, separator: u8) -> IdText {
        let mut text = IdText::new();
        let mut digits = itoa::Buffer::new();
        let mut put = |bytes: &[u8]| {
            let fits = text.try_extend_from_slice(bytes);
            debug_assert!(fits.is_ok());
        };
        put(digits.format(self.ms).as_bytes());
        put(&[separator]);
        put(digits.format(self.seq).as_bytes());
        text
    }

    /// The text that clients see.
    #[inline]
    pub fn text(self) -> IdText {
        self.joined_by(b'-')
    }

    /// How far both halves are from those of `master`; they wrap around.
    pub(super) fn delta(self, master: Id) -> (i64, i64) {
        (self.ms.wrapping_sub(master.ms) as i64, self.seq.wrapping_sub(master.seq) as i64)
    }

    /// The id that is so far from this one.
    #[inline]
    pub(super) fn plus(self, ms: i64, seq: i64) -> Id {
        Id { ms: self.ms.wrapping_add(ms as u64), seq: self.seq.wrapping_add(seq as u64) }
    }
}
