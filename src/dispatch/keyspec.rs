//! Where the keys of a command are, and how it uses them. Redirection, ACL, prefetch and COMMAND
//! GETKEYS ask here. The arguments are a peer's: nothing in them may panic, and no count in them is
//! believed.

use bitflags::bitflags;

use super::command::Command;
use crate::base::numbers::parse_i64;
use crate::resp::Args;

bitflags! {
    /// How a command uses a key.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub struct KeyFlags: u16 {
        /// Only reads, metadata at least.
        const RO = 1 << 0;
        /// Modifies the value or its metadata.
        const RW = 1 << 1;
        /// Overwrites the value without reading it.
        const OW = 1 << 2;
        /// Deletes the key.
        const RM = 1 << 3;
        /// Returns or copies user data of the value.
        const ACCESS = 1 << 4;
        /// Changes user data depending on what was there.
        const UPDATE = 1 << 5;
        /// Only adds user data.
        const INSERT = 1 << 6;
        /// Deletes user data.
        const DELETE = 1 << 7;
        /// No key, but routed like one (shard channels).
        const NOT_KEY = 1 << 8;
        /// The spec may miss keys.
        const INCOMPLETE = 1 << 9;
        /// The arguments decide how the key is used.
        const VARIABLE_FLAGS = 1 << 10;
    }
}

/// Every key flag with its name, in the order of COMMAND INFO.
const KEY_FLAG_NAMES: &[(KeyFlags, &str)] = &[
    (KeyFlags::RO, "RO"),
    (KeyFlags::RW, "RW"),
    (KeyFlags::OW, "OW"),
    (KeyFlags::RM, "RM"),
    (KeyFlags::ACCESS, "access"),
    (KeyFlags::UPDATE, "update"),
    (KeyFlags::INSERT, "insert"),
    (KeyFlags::DELETE, "delete"),
    (KeyFlags::NOT_KEY, "not_key"),
    (KeyFlags::INCOMPLETE, "incomplete"),
    (KeyFlags::VARIABLE_FLAGS, "variable_flags"),
];

impl KeyFlags {
    /// The names that COMMAND INFO shows.
    pub fn names(self) -> impl Iterator<Item = &'static str> + Clone {
        KEY_FLAG_NAMES.iter().filter(move |(flag, _)| self.contains(*flag)).map(|&(_, name)| name)
    }
}

/// Where the search for keys begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At a fixed argument; the command's name is 0.
    Index(u32),
    /// After a word, looked for from an argument on; negative: backwards, from that far before the
    /// end.
    Keyword {
        /// The word, in capitals.
        word: &'static str,
        /// The first argument to look at.
        start_from: i32,
    },
    /// Nobody can tell.
    Unknown,
}

/// Which arguments from the beginning on are keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// All up to `last`, every `step`th.
    Range {
        /// Relative to the beginning; negative: relative to the end of the arguments.
        last: i32,
        /// From key to key.
        step: u32,
        /// With `last` -1: only this part of the rest is keys (2: the first half); 0 and 1: all of
        /// it.
        limit: u32,
    },
    /// As many as an argument says.
    KeyNum {
        /// The argument with the number, relative to the beginning.
        count_at: u32,
        /// The first key, relative to the beginning.
        first: u32,
        /// From key to key.
        step: u32,
    },
    /// Nobody can tell.
    Unknown,
}

/// Some of a command's keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// How they are used.
    pub flags: KeyFlags,
    /// Where to begin.
    pub begin: Begin,
    /// What to take.
    pub find: Find,
    /// A remark for readers of COMMAND INFO; empty: none.
    pub note: &'static str,
}

/// The declaration. All of it runs at compile time.
impl KeySpec {
    const fn new(begin: Begin, find: Find, flags: &[KeyFlags]) -> Self {
        let mut all = KeyFlags::empty();
        let mut i = 0;
        while i < flags.len() {
            all = all.union(flags[i]);
            i += 1;
        }
        KeySpec { flags: all, begin, find, note: "" }
    }

    /// One key, the argument at `index`.
    pub const fn key(index: u32, flags: &[KeyFlags]) -> Self {
        KeySpec::range(index, 0, 1, flags)
    }

    /// Every `step`th argument from `index` on; `last` as in [`Find::Range`].
    pub const fn range(index: u32, last: i32, step: u32, flags: &[KeyFlags]) -> Self {
        KeySpec::new(Begin::Index(index), Find::Range { last, step, limit: 0 }, flags)
    }

    /// The argument at `index` says how many keys follow it.
    pub const fn counted(index: u32, flags: &[KeyFlags]) -> Self {
        let find = Find::KeyNum { count_at: 0, first: 1, step: 1 };
        KeySpec::new(Begin::Index(index), find, flags)
    }

    /// One key, after a word; `start_from` as in [`Begin::Keyword`].
    pub const fn after(word: &'static str, start_from: i32, flags: &[KeyFlags]) -> Self {
        let find = Find::Range { last: 0, step: 1, limit: 0 };
        KeySpec::new(Begin::Keyword { word, start_from }, find, flags)
    }

    /// All arguments after a word, or the part of them that `limit` says, as in [`Find::Range`].
    pub const fn all_after(
        word: &'static str,
        start_from: i32,
        limit: u32,
        flags: &[KeyFlags],
    ) -> Self {
        let find = Find::Range { last: -1, step: 1, limit };
        KeySpec::new(Begin::Keyword { word, start_from }, find, flags)
    }

    /// Keys that no spec can tell.
    pub const fn unknown(flags: &[KeyFlags]) -> Self {
        KeySpec::new(Begin::Unknown, Find::Unknown, flags)
    }

    /// Adds a remark.
    pub const fn note(mut self, note: &'static str) -> Self {
        self.note = note;
        self
    }

    /// Tells real keys, not just arguments that are routed like keys.
    pub fn is_key(&self) -> bool {
        !self.flags.contains(KeyFlags::NOT_KEY)
    }
}

/// The keys as clients from before key specs know them. All 0: none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyRange {
    /// The first key.
    pub first: i32,
    /// The last key; negative: from the end.
    pub last: i32,
    /// From key to key.
    pub step: i32,
}

impl KeyRange {
    /// No keys.
    pub const NONE: KeyRange = KeyRange { first: 0, last: 0, step: 0 };
}

/// The specs as one range, and whether keys lie outside of it (`populateCommandLegacyRangeSpec`).
pub const fn legacy_range(specs: &[KeySpec]) -> (KeyRange, bool) {
    let mut joined = KeyRange::NONE;
    let mut movable = false;
    let mut i = 0;
    while i < specs.len() {
        let spec = &specs[i];
        i += 1;
        let Some(range) = indexed_range(spec) else {
            movable = true;
            continue;
        };
        let follows = joined.first == 0 || joined.last == range.first - 1;
        if specs.len() > 1 && (range.step != 1 || !follows) {
            movable = true;
            continue;
        }
        movable |= spec.flags.contains(KeyFlags::INCOMPLETE);
        if joined.first == 0 {
            joined = range;
        } else if (range.last as u32) > joined.last as u32 {
            // Redis takes the larger one as unsigned numbers, by which the end of the arguments
            // wins.
            joined.last = range.last;
        }
    }
    (joined, movable)
}

/// A spec of a fixed beginning and a range, its `last` counted from the command's name.
const fn indexed_range(spec: &KeySpec) -> Option<KeyRange> {
    match (spec.begin, spec.find) {
        (Begin::Index(first), Find::Range { last, step, .. }) => {
            let first = first as i32;
            let last = if last >= 0 { first + last } else { last };
            Some(KeyRange { first, last, step: step as i32 })
        }
        _ => None,
    }
}

/// A key among the arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef {
    /// Its argument; the command's name is 0.
    pub index: usize,
    /// How it is used.
    pub flags: KeyFlags,
}

/// Which arguments count as keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Real keys, with exact flags: ACL and COMMAND GETKEYS.
    Keys,
    /// Whatever decides the slot, shard channels included; the flags may be wider than the
    /// arguments warrant.
    Routed,
}

/// The arguments do not have the shape that the key specs expect. The handler will say what is
/// wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadShape;

/// Appends the keys among `args` (whose first is the command's name, a container's word the second)
/// to `out`. On an error nothing is appended. `args` need not fit the command's arity.
pub fn keys_of(
    command: &Command,
    args: Args<'_>,
    search: Search,
    out: &mut Vec<KeyRef>,
) -> Result<(), BadShape> {
    let start = out.len();
    let exact = search == Search::Routed
        || !command.keys.iter().any(|spec| spec.flags.contains(KeyFlags::VARIABLE_FLAGS));
    if exact && by_specs(command.keys, args, search, out).is_ok() {
        return Ok(());
    }
    out.truncate(start);
    match command.find_keys {
        Some(find_keys) => {
            find_keys(args, out);
            Ok(())
        }
        None => Err(BadShape),
    }
}

fn by_specs(
    specs: &[KeySpec],
    args: Args<'_>,
    search: Search,
    out: &mut Vec<KeyRef>,
) -> Result<(), BadShape> {
    for spec in specs {
        if search == Search::Keys && !spec.is_key() {
            continue;
        }
        let Some(first) = begin(spec, args)? else {
            continue;
        };
        let (first, last, step) = span(spec, args, first)?;
        let keys = (first..=last).step_by(step);
        out.extend(keys.map(|index| KeyRef { index, flags: spec.flags }));
        if spec.flags.contains(KeyFlags::INCOMPLETE) {
            return Err(BadShape);
        }
    }
    Ok(())
}

/// The argument at which a spec begins, which may be just past the last one. None: its word is not
/// there.
fn begin(spec: &KeySpec, args: Args<'_>) -> Result<Option<usize>, BadShape> {
    match spec.begin {
        Begin::Index(index) => Ok(Some(index as usize)),
        Begin::Keyword { word, start_from } => {
            let is_word = |&i: &usize| args.at(i).eq_ignore_ascii_case(word.as_bytes());
            // Neither search looks at the far end itself: a word there would have no key after it,
            // or would be the first argument.
            let found = if start_from > 0 {
                (start_from as usize..args.len().saturating_sub(1)).find(is_word)
            } else {
                let back = start_from.unsigned_abs() as usize;
                let from = args.len().saturating_sub(back);
                (2..=from).rev().find(|i| *i < args.len() && is_word(i))
            };
            Ok(found.map(|i| i + 1))
        }
        Begin::Unknown => Err(BadShape),
    }
}

/// First key, last key and step of a spec that begins at `first`; both within the arguments.
fn span(spec: &KeySpec, args: Args<'_>, first: usize) -> Result<(usize, usize, usize), BadShape> {
    let (first, last, step) = match spec.find {
        Find::Range { last, step, limit } => {
            let last = match usize::try_from(last) {
                Ok(last) => first + last,
                Err(_) if limit > 1 => {
                    (first + args.len().saturating_sub(first) / limit as usize).wrapping_sub(1)
                }
                Err(_) => args.len().saturating_sub(last.unsigned_abs() as usize),
            };
            (first, last, step)
        }
        Find::KeyNum { count_at, first: first_key, step } => {
            let count = args.get(first + count_at as usize).and_then(parse_i64).ok_or(BadShape)?;
            let count = usize::try_from(count).map_err(|_| BadShape)?;
            let first = first + first_key as usize;
            let last = first.checked_add(count).ok_or(BadShape)?.wrapping_sub(1);
            (first, last, step)
        }
        Find::Unknown => return Err(BadShape),
    };
    if last >= args.len() || last < first {
        return Err(BadShape);
    }
    Ok((first, last, step.max(1) as usize))
}

/// The first key, or what is routed like one: the cheap question of prefetch and of commands with
/// one key.
#[inline]
pub fn first_key(command: &Command, args: Args<'_>) -> Option<usize> {
    let spec = command.keys.first()?;
    if let (Begin::Index(index), Find::Range { .. }) = (spec.begin, spec.find) {
        let index = index as usize;
        return (index < args.len()).then_some(index);
    }
    first_key_searched(command, args)
}

#[cold]
fn first_key_searched(command: &Command, args: Args<'_>) -> Option<usize> {
    let mut keys = Vec::new();
    keys_of(command, args, Search::Routed, &mut keys).ok()?;
    keys.first().map(|key| key.index)
}

/// Indexes of all arguments that decide the slot, in order; none where the arguments do not have
/// the shape that the key specs expect.
pub fn routed(command: &Command, args: Args<'_>) -> impl Iterator<Item = usize> + use<> {
    // Most commands of many keys have one spec, whose keys need no list.
    if let [spec] = command.keys
        && let (Begin::Index(first), Find::Range { .. }) = (spec.begin, spec.find)
        && !spec.flags.contains(KeyFlags::INCOMPLETE)
    {
        let (first, end, step) = match span(spec, args, first as usize) {
            Ok((first, last, step)) => (first, last + 1, step),
            Err(BadShape) => (0, 0, 1),
        };
        return (first..end).step_by(step).chain(Vec::new());
    }
    let mut keys = Vec::new();
    let found = keys_of(command, args, Search::Routed, &mut keys);
    debug_assert!(found.is_ok() || keys.is_empty());
    let listed: Vec<usize> = keys.iter().map(|key| key.index).collect();
    (0..0).step_by(1).chain(listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Context;
    use crate::dispatch::declare::*;
    use crate::resp::{Error, OwnedArgs};

    fn nothing(_: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    const fn declared(keys: &'static [KeySpec]) -> Command {
        Command::new("c", -1, nothing).keys(keys)
    }

    /// The indexes of the keys, or None where the shape is bad.
    fn keys(command: &Command, request: &str, search: Search) -> Option<Vec<usize>> {
        let args = OwnedArgs::from_parts(request.split(' ').map(str::as_bytes));
        let mut keys = Vec::new();
        let found = keys_of(command, args.args(), search, &mut keys);
        assert!(found.is_ok() || keys.is_empty());
        found.ok().map(|()| keys.iter().map(|key| key.index).collect())
    }

    fn plain(specs: &'static [KeySpec], request: &str) -> Option<Vec<usize>> {
        keys(&declared(specs), request, Search::Keys)
    }

    #[test]
    fn ranges_end_with_the_arguments() {
        const ALL: &[KeySpec] = &[KeySpec::range(1, -1, 1, &[RO])];
        const PAIRS: &[KeySpec] = &[KeySpec::range(1, -1, 2, &[OW])];
        const ALL_BUT_LAST: &[KeySpec] = &[KeySpec::range(1, -2, 1, &[RW])];
        assert_eq!(plain(ALL, "c a b"), Some(vec![1, 2]));
        assert_eq!(plain(PAIRS, "c a 1 b 2"), Some(vec![1, 3]));
        assert_eq!(plain(ALL_BUT_LAST, "c a b 0"), Some(vec![1, 2]));
        assert_eq!(plain(ALL, "c"), None);
        assert_eq!(plain(ALL_BUT_LAST, "c 0"), None);
        assert_eq!(plain(ALL_BUT_LAST, "c"), None);
    }

    #[test]
    fn a_count_is_not_believed() {
        const COUNTED: &[KeySpec] = &[KeySpec::counted(1, &[RO])];
        assert_eq!(plain(COUNTED, "c 2 a b x"), Some(vec![2, 3]));
        let bad = [
            "c 0 a",
            "c 3 a b",
            "c -1 a",
            "c x a",
            "c",
            "c 1",
            "c 9223372036854775807 a",
            "c 2a a b",
        ];
        for request in bad {
            assert_eq!(plain(COUNTED, request), None, "{request}");
        }
    }

    #[test]
    fn words_are_looked_for_forwards_and_backwards() {
        const STORE: &[KeySpec] = &[KeySpec::key(1, &[RO]), KeySpec::after("STORE", 2, &[OW])];
        const HALF: &[KeySpec] = &[KeySpec::all_after("STREAMS", 1, 2, &[RO])];
        const BACK: &[KeySpec] = &[KeySpec::all_after("KEYS", -2, 0, &[RW])];
        assert_eq!(plain(STORE, "c a store b"), Some(vec![1, 3]));
        assert_eq!(plain(STORE, "c a b"), Some(vec![1]));
        assert_eq!(plain(STORE, "c a store"), Some(vec![1]));
        assert_eq!(plain(HALF, "c count 1 streams a b 0 0"), Some(vec![4, 5]));
        assert_eq!(plain(HALF, "c streams"), Some(vec![]));
        assert_eq!(plain(BACK, "c keys x keys a b"), Some(vec![4, 5]));
        assert_eq!(plain(BACK, "c keys"), Some(vec![]));
    }

    #[test]
    fn what_is_routed_like_a_key_is_no_key() {
        const CHANNEL: &[KeySpec] = &[KeySpec::key(1, &[NOT_KEY])];
        assert_eq!(keys(&declared(CHANNEL), "c a", Search::Keys), Some(vec![]));
        assert_eq!(keys(&declared(CHANNEL), "c a", Search::Routed), Some(vec![1]));
        assert!(!declared(CHANNEL).may_have_keys());
    }

    #[test]
    fn the_function_is_asked_where_specs_are_not_enough() {
        const VARIABLE: Command =
            declared(&[KeySpec::key(1, &[RW, VARIABLE_FLAGS])]).find_keys(find_keys::set);
        const HIDDEN: Command =
            declared(&[KeySpec::key(1, &[RO]), KeySpec::unknown(&[OW])]).find_keys(find_keys::sort);
        let args = OwnedArgs::from_parts("set k v".split(' ').map(str::as_bytes));
        let mut keys_found = Vec::new();
        assert_eq!(keys_of(&VARIABLE, args.args(), Search::Keys, &mut keys_found), Ok(()));
        assert_eq!(keys_found, [KeyRef { index: 1, flags: OW.union(UPDATE) }]);
        assert_eq!(
            keys(&HIDDEN, "c a get store store b store d", Search::Routed),
            Some(vec![1, 7])
        );
        assert_eq!(keys(&declared(HIDDEN.keys), "c a", Search::Keys), None);
    }

    #[test]
    fn the_legacy_range_joins_neighbours_and_tells_what_it_leaves_out() {
        let range = |specs: &[KeySpec]| {
            let (range, movable) = legacy_range(specs);
            (range.first, range.last, range.step, movable)
        };
        let key = |index| KeySpec::key(index, &[RO]);
        assert_eq!(range(&[]), (0, 0, 0, false));
        assert_eq!(range(&[key(2)]), (2, 2, 1, false));
        assert_eq!(range(&[key(1), key(2)]), (1, 2, 1, false));
        assert_eq!(range(&[key(1), KeySpec::range(2, -1, 1, &[RO])]), (1, -1, 1, false));
        assert_eq!(range(&[key(1), key(3)]), (1, 1, 1, true));
        assert_eq!(range(&[KeySpec::counted(1, &[RO])]), (0, 0, 0, true));
        assert_eq!(range(&[key(1), KeySpec::counted(2, &[RO])]), (1, 1, 1, true));
        assert_eq!(range(&[KeySpec::key(3, &[RW, INCOMPLETE])]), (3, 3, 1, true));
    }

    #[test]
    fn the_first_key_is_what_would_be_found_first() {
        const COUNTED: Command = declared(&[KeySpec::counted(2, &[RO])]);
        const PLAIN: Command = declared(&[KeySpec::key(1, &[RO])]);
        let first = |command: &Command, request: &str| {
            let args = OwnedArgs::from_parts(request.split(' ').map(str::as_bytes));
            first_key(command, args.args())
        };
        assert_eq!((first(&PLAIN, "c a"), first(&PLAIN, "c")), (Some(1), None));
        assert_eq!((first(&COUNTED, "c s 1 a"), first(&COUNTED, "c s 0")), (Some(3), None));
    }

    #[test]
    fn what_is_routed_is_listed_or_counted_alike() {
        const COMMANDS: &[Command] = &[
            declared(&[KeySpec::key(1, &[RO])]),
            declared(&[KeySpec::range(1, -1, 1, &[RO])]),
            declared(&[KeySpec::range(1, -1, 2, &[OW])]),
            declared(&[KeySpec::range(1, 1, 1, &[RO])]),
            declared(&[KeySpec::range(2, -2, 1, &[RO])]),
            declared(&[KeySpec::range(1, -1, 1, &[NOT_KEY])]),
            declared(&[KeySpec::range(1, -1, 1, &[RO, INCOMPLETE])]),
            declared(&[KeySpec::counted(1, &[RO])]),
            declared(&[KeySpec::key(1, &[RW]), KeySpec::key(2, &[RO])]),
            declared(&[KeySpec::all_after("STREAMS", 1, 2, &[RO])]),
            declared(&[KeySpec::unknown(&[RO])]),
            declared(&[]),
        ];
        for command in COMMANDS {
            for request in ["c", "c a", "c a b", "c 1 b c", "c 2 b", "c a b c d e", "c STREAMS a 0"]
            {
                let args = OwnedArgs::from_parts(request.split(' ').map(str::as_bytes));
                let listed = keys(command, request, Search::Routed).unwrap_or_default();
                let counted: Vec<usize> = routed(command, args.args()).collect();
                assert_eq!(counted, listed, "{command:?} {request}");
            }
        }
    }
}
