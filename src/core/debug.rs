//! What DEBUG switches for tests: cron, active expiry, resizing of reply buffers.

use crate::persistence::dump::Checksum;
use crate::value::list::LARGE_BYTES;

/// Switches of DEBUG, at the values of a node that nobody debugs.
#[derive(Clone, Copy, Debug)]
pub struct DebugSettings {
    /// DEBUG SET-ACTIVE-EXPIRE.
    pub active_expire: bool,
    /// DEBUG PAUSE-CRON.
    pub cron_paused: bool,
    /// DEBUG REPLYBUFFER PEAK-RESET-TIME, in ms; `None`: the peak is never reset.
    pub reply_peak_reset_ms: Option<u64>,
    /// DEBUG REPLYBUFFER RESIZING.
    pub reply_resizing: bool,
    /// DEBUG DROP-CLUSTER-PACKET-FILTER: packets of the bus of this kind are ignored.
    pub dropped_packet_kind: Option<u16>,
    /// DEBUG QUICKLIST-PACKED-THRESHOLD: elements of lists of at least so many bytes have a node of
    /// their own.
    pub list_large_bytes: usize,
    /// DEBUG SET-DISABLE-DENY-SCRIPTS: scripts may run commands that are not made for them.
    pub scripts_may_all: bool,
    /// DEBUG SET-SKIP-CHECKSUM-VALIDATION.
    pub payload_checksum: Checksum,
}

/// After so long, the peak use of a reply buffer is taken anew (Redis:
/// REPLY_BUFFER_DEFAULT_PEAK_RESET_TIME).
pub const REPLY_PEAK_RESET_MS: u64 = 5000;

impl Default for DebugSettings {
    fn default() -> Self {
        DebugSettings {
            active_expire: true,
            cron_paused: false,
            reply_peak_reset_ms: Some(REPLY_PEAK_RESET_MS),
            reply_resizing: true,
            dropped_packet_kind: None,
            list_large_bytes: LARGE_BYTES,
            scripts_may_all: false,
            payload_checksum: Checksum::default(),
        }
    }
}
