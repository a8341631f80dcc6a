//! Keyspace events that wait to be published. Commands report them as they happen; nothing is kept
//! of a class that notify-keyspace-events leaves out, which by default is all of them.

use bitflags::bitflags;

bitflags! {
    /// Classes of events, and the two kinds of channels, with the numbers that Redis gives them.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct EventClass: u16 {
        /// Publish to `__keyspace@<db>__:<key>`.
        const KEYSPACE = 1;
        /// Publish to `__keyevent@<db>__:<event>`.
        const KEYEVENT = 1 << 1;
        /// Commands that work on any type.
        const GENERIC = 1 << 2;
        /// Strings.
        const STRING = 1 << 3;
        /// Lists.
        const LIST = 1 << 4;
        /// Sets.
        const SET = 1 << 5;
        /// Hashes.
        const HASH = 1 << 6;
        /// Sorted sets.
        const ZSET = 1 << 7;
        /// A key's time was over.
        const EXPIRED = 1 << 8;
        /// A key was evicted.
        const EVICTED = 1 << 9;
        /// Streams.
        const STREAM = 1 << 10;
        /// A read found nothing.
        const KEY_MISS = 1 << 11;
        /// Types of modules.
        const MODULE = 1 << 13;
        /// A key came into being.
        const NEW = 1 << 14;
        /// `A` of notify-keyspace-events: all classes but KEY_MISS and NEW.
        const ALL = Self::GENERIC.bits() | Self::STRING.bits() | Self::LIST.bits()
            | Self::SET.bits() | Self::HASH.bits() | Self::ZSET.bits() | Self::EXPIRED.bits()
            | Self::EVICTED.bits() | Self::STREAM.bits() | Self::MODULE.bits();
    }
}

/// Something that happened to a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The event's name, such as `set` or `expired`.
    pub name: &'static str,
    /// The database.
    pub db: usize,
    /// The key.
    pub key: Box<[u8]>,
}

/// Events in the order in which they happened.
#[derive(Debug, Default)]
pub(super) struct Events {
    pub(super) enabled: EventClass,
    pub(super) queue: Vec<Event>,
}

impl Events {
    #[inline]
    pub(super) fn notify(&mut self, class: EventClass, name: &'static str, db: usize, key: &[u8]) {
        if self.enabled.intersects(class) {
            self.queue.push(Event { name, db, key: key.into() });
        }
    }
}
