//! CLIENT PAUSE: which commands wait, and until when.

/// What a pause holds back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PauseMode {
    /// Commands that may change data or propagate, expiry and eviction.
    Write,
    /// Every command.
    All,
}

/// The pause in force, if any.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pause {
    active: Option<(PauseMode, u64)>,
}

impl Pause {
    /// Pauses until `until_ms`. As in Redis, a pause in force is only ever made longer and
    /// stricter.
    pub fn start(&mut self, mode: PauseMode, until_ms: u64) {
        self.active = Some(match self.active {
            Some((old_mode, old_until)) => (old_mode.max(mode), old_until.max(until_ms)),
            None => (mode, until_ms),
        });
    }

    /// Ends the pause; tells whether there was one.
    pub fn end(&mut self) -> bool {
        self.active.take().is_some()
    }

    /// The mode in force.
    #[inline]
    pub fn mode(&self) -> Option<PauseMode> {
        self.active.map(|(mode, _)| mode)
    }

    /// When the pause ends, in ms since the epoch.
    pub fn until_ms(&self) -> Option<u64> {
        self.active.map(|(_, until)| until)
    }

    /// Ends a pause whose time is over; tells whether it did.
    pub fn end_if_over(&mut self, now_ms: u64) -> bool {
        self.active.is_some_and(|(_, until)| until <= now_ms) && self.end()
    }
}
