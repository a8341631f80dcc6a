//! Links between hosts. A connection carries packets in order, however long they take, until one
//! side closes it; what is on its way while the path is cut waits for the path to heal, as TCP does
//! by sending again. In the other mode packets overtake each other, arrive twice or not at all.
//! Knows nothing of what packets say.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use redis_rust::base::rng::Rng;
use redis_rust::cluster::LinkId;

/// A connection's place among all that ever were.
pub type ConnId = usize;

/// A peer that does not answer is dialled again after so long.
pub const DIAL_AGAIN_MS: u64 = 1000;
/// And no more after so many attempts.
pub const DIALS_MAX: u32 = 60;

/// How packets travel.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    /// The shortest way.
    pub delay_min_ms: u64,
    /// The longest way.
    pub delay_max_ms: u64,
    /// One in so many packets breaks its connection; 0 for none.
    pub break_one_in: u64,
    /// Packets overtake each other.
    pub reorder: bool,
    /// One in so many packets arrives twice, and one in so many not at all; 0 for none. Only when
    /// packets overtake each other.
    pub duplicate_one_in: u64,
    /// See there.
    pub lose_one_in: u64,
}

impl Default for Weather {
    fn default() -> Self {
        Weather {
            delay_min_ms: 1,
            delay_max_ms: 5,
            break_one_in: 0,
            reorder: false,
            duplicate_one_in: 0,
            lose_one_in: 0,
        }
    }
}

/// What arrives at one end of a connection.
#[derive(Clone, Debug)]
pub enum Item {
    /// The peer accepted.
    Connected,
    /// A peer wants to be accepted.
    Accept,
    /// A packet.
    Packet(Bytes),
    /// The end.
    Close,
}

/// One end of a connection.
#[derive(Debug)]
pub struct Side {
    /// Whose it is.
    pub host: usize,
    /// In which of its runs.
    pub run: u32,
    /// What that calls it; `None` until it has accepted.
    pub link: Option<LinkId>,
    /// It still cares.
    pub open: bool,
    /// What is on its way to it: when it arrives, and a number that keeps it apart.
    pub inbox: BTreeMap<(u64, u64), Item>,
    /// Bytes of that.
    pub inbox_bytes: usize,
    last_at_ms: u64,
}

/// A connection: who dialled first, who was dialled second.
#[derive(Debug)]
pub struct Conn {
    /// Both ends; the second is made when the first is answered.
    pub sides: Vec<Side>,
    /// Where to.
    pub to: (String, u16),
    /// How often it was tried.
    pub dials: u32,
}

/// All connections and paths.
pub struct Network {
    /// Every connection that ever was.
    pub conns: Vec<Conn>,
    /// How packets travel.
    pub weather: Weather,
    /// Paths that are cut, from and to.
    cut: BTreeSet<(usize, usize)>,
    sequence: u64,
    rng: Rng,
}

impl Network {
    /// A network without links, in fair weather.
    pub fn new(rng: Rng) -> Network {
        Network {
            conns: Vec::new(),
            weather: Weather::default(),
            cut: BTreeSet::new(),
            sequence: 0,
            rng,
        }
    }

    /// How long the next packet takes.
    pub fn delay(&mut self) -> u64 {
        let Weather { delay_min_ms, delay_max_ms, .. } = self.weather;
        delay_min_ms + self.rng.below(delay_max_ms - delay_min_ms + 1)
    }

    /// Whether packets get from one host to the other.
    pub fn passes(&self, from: usize, to: usize) -> bool {
        self.cut.is_empty() || !self.cut.contains(&(from, to))
    }

    /// Cuts the path from one host to the other, one way.
    pub fn cut(&mut self, from: usize, to: usize) {
        self.cut.insert((from, to));
    }

    /// Mends all paths. What waits has to be kicked off by the caller.
    pub fn heal(&mut self) {
        self.cut.clear();
    }

    /// A new connection that one host asks for.
    pub fn dial(&mut self, host: (usize, u32), link: LinkId, to: (String, u16)) -> ConnId {
        let side = Side::new(host, Some(link));
        self.conns.push(Conn { sides: vec![side], to, dials: 0 });
        self.conns.len() - 1
    }

    /// The peer's machine has answered.
    pub fn answer(&mut self, conn: ConnId, host: (usize, u32)) {
        self.conns[conn].sides.push(Side::new(host, None));
    }

    /// Puts something on its way to one end. When it will be there, if ever; twice for some.
    pub fn put(&mut self, conn: ConnId, to: usize, item: Item, now_ms: u64) -> Vec<u64> {
        if !self.conns[conn].sides.get(to).is_some_and(|side| side.open) {
            return Vec::new();
        }
        let weather = self.weather;
        let is_packet = matches!(item, Item::Packet(_));
        let mut copies = 1;
        if weather.reorder && is_packet {
            copies += u32::from(self.one_in(weather.duplicate_one_in));
            copies -= u32::from(self.one_in(weather.lose_one_in));
        }
        let mut arrivals = Vec::new();
        for _ in 0..copies {
            let mut at_ms = now_ms + self.delay();
            let side = &mut self.conns[conn].sides[to];
            // Only packets overtake, and only each other.
            if !(weather.reorder && is_packet) {
                at_ms = at_ms.max(side.last_at_ms);
            }
            side.last_at_ms = side.last_at_ms.max(at_ms);
            if matches!(item, Item::Accept | Item::Connected) {
                at_ms = now_ms;
            }
            self.sequence += 1;
            side.inbox_bytes += item.len();
            side.inbox.insert((at_ms, self.sequence), item.clone());
            arrivals.push(at_ms);
        }
        arrivals
    }

    /// The next thing that has arrived at one end.
    pub fn take(&mut self, conn: ConnId, to: usize, now_ms: u64) -> Option<Item> {
        let side = self.conns[conn].sides.get_mut(to)?;
        let first = side.inbox.first_entry().filter(|entry| entry.key().0 <= now_ms)?;
        let item = first.remove();
        side.inbox_bytes -= item.len();
        Some(item)
    }

    /// Whether this packet is the one that breaks its connection.
    pub fn breaks(&mut self) -> bool {
        self.one_in(self.weather.break_one_in)
    }

    fn one_in(&mut self, number: u64) -> bool {
        number > 0 && self.rng.below(number) == 0
    }

    /// One end cares no more.
    pub fn forget(&mut self, conn: ConnId, side: usize) {
        if let Some(side) = self.conns[conn].sides.get_mut(side) {
            side.open = false;
            side.inbox = BTreeMap::new();
            side.inbox_bytes = 0;
        }
    }

    /// Ends at which something waits that ought to have arrived.
    pub fn overdue(&self, now_ms: u64) -> Vec<(ConnId, usize)> {
        let mut overdue = Vec::new();
        for (id, conn) in self.conns.iter().enumerate() {
            for (at, side) in conn.sides.iter().enumerate() {
                if side.inbox.keys().next().is_some_and(|&(due, _)| due <= now_ms) {
                    overdue.push((id, at));
                }
            }
        }
        overdue
    }
}

impl Side {
    fn new((host, run): (usize, u32), link: Option<LinkId>) -> Side {
        Side { host, run, link, open: true, inbox: BTreeMap::new(), inbox_bytes: 0, last_at_ms: 0 }
    }
}

impl Item {
    fn len(&self) -> usize {
        if let Item::Packet(packet) = self { packet.len() } else { 0 }
    }
}
