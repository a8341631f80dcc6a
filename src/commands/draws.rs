//! Draws that may give the same element again: HRANDFIELD, SRANDMEMBER and ZRANDMEMBER with a
//! negative count, which may be far more than there is memory for their replies.

use crate::resp::{Error, Reply};

/// Elements that one command gives at most to a client whose output has no limit: the replies of
/// more would fill the memory of most machines before one of them is sent.
const UNLIMITED_MAX: u64 = 1 << 27;
/// Elements drawn between two looks at the output.
const ELEMENTS_PER_LOOK: u64 = 1024;

/// Refuses a count that neither the client's limit nor reason allows. `bytes_max` is
/// `Core::output_bytes_max`.
pub(super) fn check(count: u64, bytes_max: Option<u64>) -> Result<(), Error> {
    let refused = count > UNLIMITED_MAX && bytes_max.is_none();
    if refused { Err(Error::ValueOutOfRange) } else { Ok(()) }
}

/// Draws so many elements, or as many as bring the output to its limit, over which the client is
/// closed: nobody will read what is missing.
pub(super) fn repeat(
    reply: &mut Reply,
    count: u64,
    bytes_max: Option<u64>,
    mut draw: impl FnMut(&mut Reply, usize),
) {
    let mut left = count;
    while left > 0
        && !reply.muted
        && bytes_max.is_none_or(|most| (reply.output.pending() as u64) < most)
    {
        let some = left.min(ELEMENTS_PER_LOOK);
        draw(reply, some as usize);
        left -= some;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stops_where_the_output_is_too_much() {
        let drawn = |count, bytes_max, muted| {
            let mut reply = Reply { muted, ..Reply::default() };
            let mut drawn = 0;
            repeat(&mut reply, count, bytes_max, |reply, some| {
                drawn += some;
                (0..some).for_each(|_| reply.bulk(b"0123"));
            });
            drawn
        };
        assert_eq!(drawn(5000, None, false), 5000);
        assert_eq!(drawn(5000, Some(1_000_000), false), 5000);
        assert_eq!(drawn(u64::MAX, Some(100_000), false), 10 * 1024);
        assert_eq!(drawn(u64::MAX, None, true), 0);
        assert!(check(u64::MAX, Some(1)).is_ok() && check(u64::MAX, None).is_err());
    }
}
