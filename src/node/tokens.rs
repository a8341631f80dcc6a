//! What a token of the poll stands for. Clients and links of the bus have places in slabs of their
//! own; this is the one place that keeps their tokens, and those of everything else, apart.

use mio::Token;

/// Wakes the loop from another thread.
pub const WAKER: Token = Token(usize::MAX);
/// The signals' pipe.
pub const SIGNALS: Token = Token(usize::MAX - 1);
/// The pipe of the child that saves.
pub const CHILD: Token = Token(usize::MAX - 2);
/// Listeners count down from here.
const FIRST_LISTENER: usize = usize::MAX - 3;
/// Listeners of the bus count down from here.
const FIRST_BUS_LISTENER: usize = FIRST_LISTENER - LISTENERS_MAX;
/// Tokens from here on are neither clients nor links.
const FIRST_SPECIAL: usize = FIRST_BUS_LISTENER - LISTENERS_MAX;
/// Tokens from here on are no clients.
const FIRST_LINK: usize = usize::MAX / 2 + 1;
/// Most listeners of either kind. There is one for each address of `bind`, which takes 16.
const LISTENERS_MAX: usize = 512;

/// The place of a link among the bus's links, while it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LinkSlot(pub usize);

/// What an event is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Another thread wakes the loop.
    Waker,
    /// A signal came.
    Signals,
    /// The child that saves reports, or has ended.
    Child,
    /// Clients wait at the listener of this index.
    Listener(usize),
    /// Nodes wait at the bus's listener of this index.
    BusListener(usize),
    /// A client's socket, by the client's token.
    Client(usize),
    /// A link of the bus.
    Link(LinkSlot),
}

impl Source {
    /// What a token stands for.
    #[inline]
    pub fn of(token: Token) -> Source {
        match token {
            WAKER => Source::Waker,
            SIGNALS => Source::Signals,
            CHILD => Source::Child,
            Token(n) if n < FIRST_LINK => Source::Client(n),
            Token(n) if n <= FIRST_SPECIAL => Source::Link(LinkSlot(n - FIRST_LINK)),
            Token(n) if n <= FIRST_BUS_LISTENER => Source::BusListener(FIRST_BUS_LISTENER - n),
            Token(n) => Source::Listener(FIRST_LISTENER - n),
        }
    }

    /// The token that stands for it.
    pub fn token(self) -> Token {
        match self {
            Source::Waker => WAKER,
            Source::Signals => SIGNALS,
            Source::Child => CHILD,
            Source::Listener(index) => Token(FIRST_LISTENER - index),
            Source::BusListener(index) => Token(FIRST_BUS_LISTENER - index),
            Source::Client(token) => Token(token),
            Source::Link(LinkSlot(slot)) => Token(FIRST_LINK + slot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_stands_for_one_source() {
        let sources = [
            Source::Waker,
            Source::Signals,
            Source::Child,
            Source::Listener(0),
            Source::Listener(LISTENERS_MAX - 1),
            Source::BusListener(0),
            Source::BusListener(LISTENERS_MAX - 1),
            Source::Client(0),
            Source::Client(1_000_000),
            Source::Link(LinkSlot(0)),
            Source::Link(LinkSlot(1_000_000)),
        ];
        for source in sources {
            assert_eq!(Source::of(source.token()), source);
        }
    }
}
