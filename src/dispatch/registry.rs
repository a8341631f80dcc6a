//! All commands of a node: found by name, numbered, renamed at start. Built once from the families'
//! tables and never changed after the first connection. `execute` looks up every request here;
//! COMMAND, ACL and INFO iterate. Knows no command by name.

use std::ops::Range;

use super::command::Command;
use super::keyspec;
use crate::core::CommandId;
use crate::resp::{Args, Error};

/// A command in its table.
#[derive(Debug)]
pub struct Registered {
    /// Its declaration.
    pub command: &'static Command,
    /// Its number.
    pub id: CommandId,
    /// The declared name, `container|word` of a subcommand. Renaming does not change it.
    pub full_name: &'static str,
    /// The container of a subcommand.
    pub container: Option<CommandId>,
    /// The name that clients use, in lower case. None: it was taken away. A subcommand: its word.
    reachable_as: Option<Box<[u8]>>,
    /// The numbers of its subcommands.
    subcommands: Range<usize>,
}

impl Registered {
    /// Index of the first key among `args` (or of what is routed like one).
    #[inline]
    pub fn first_key(&self, args: Args<'_>) -> Option<usize> {
        keyspec::first_key(self.command, args)
    }

    /// Its name alone says what is called: it has no subcommands, and is none.
    #[inline]
    pub fn is_plain(&self) -> bool {
        self.subcommands.is_empty() && self.container.is_none()
    }

    /// Clients can call it.
    pub fn is_reachable(&self) -> bool {
        self.reachable_as.is_some()
    }
}

/// All commands.
#[derive(Debug)]
pub struct Table {
    /// By number. The subcommands of a container follow it.
    commands: Vec<Registered>,
    /// Names, open addressing. At least half are free.
    slots: Box<[Slot; SLOTS]>,
    /// Containers and plain commands that clients can call.
    reachable: usize,
}

/// A power of two, at least twice the number of commands and subcommands. Fixed, so that the
/// compiler knows a masked index to be in bounds.
const SLOTS: usize = 1024;

/// A name to compare in a few instructions: all of it up to 16 bytes, both ends of a longer one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Packed {
    head: u64,
    tail: u64,
    len: u32,
    /// Number of the container; `TOP` for what is called by its name alone.
    container: u16,
}

const TOP: u16 = u16::MAX;

/// Up to here, `Packed` holds every byte of a name.
const PACKED_WHOLE: usize = 16;

#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    name: Packed,
    /// One more than the command's number; 0: free.
    taken_by: u16,
}

impl Packed {
    #[inline]
    fn new(name: &[u8], container: u16) -> Self {
        let (head, tail) = if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk())
        {
            (u64::from_le_bytes(*head), u64::from_le_bytes(*tail))
        } else if let (Some(head), Some(tail)) = (name.first_chunk(), name.last_chunk()) {
            (u64::from(u32::from_le_bytes(*head)), u64::from(u32::from_le_bytes(*tail)))
        } else {
            let head = match *name {
                [a, b, c] => u32::from_le_bytes([a, b, c, 0]),
                [a, b] => u32::from_le_bytes([a, b, 0, 0]),
                [a] => u32::from(a),
                _ => 0,
            };
            (u64::from(head), 0)
        };
        let (head, tail) = (to_lower(head), to_lower(tail));
        Packed { head, tail, len: name.len() as u32, container }
    }

    /// The first slot to look at. One multiplication mixes well enough: the names are ours, and a
    /// search for any other one ends at the first free slot.
    #[inline]
    fn slot(self) -> usize {
        let rest = u64::from(self.len) | u64::from(self.container) << 8;
        let mixed =
            (self.head ^ self.tail.rotate_left(23) ^ rest).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        (mixed >> 40) as usize & (SLOTS - 1)
    }
}

/// ASCII capitals among eight bytes made small, all other bytes kept.
#[inline]
fn to_lower(bytes: u64) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let seven = bytes & (0x7F * ONES);
    let from_a = seven + (0x80 - b'A' as u64) * ONES;
    let past_z = seven + (0x7F - b'Z' as u64) * ONES;
    let capitals = (from_a ^ past_z) & !bytes & (0x80 * ONES);
    bytes | (capitals >> 2)
}

/// Why `rename-command` failed, in Redis's words.
pub type RenameError = &'static str;

impl Table {
    /// Numbers the commands of all families in their order.
    pub fn new(families: &[&'static [Command]]) -> Self {
        let mut commands = Vec::new();
        for command in families.iter().copied().flatten() {
            let at = commands.len();
            let subcommands = at + 1..at + 1 + command.subcommands.len();
            commands.push(register(command, at, None, subcommands.clone()));
            for (sub, at_sub) in command.subcommands.iter().zip(subcommands) {
                commands.push(register(sub, at_sub, Some(at), 0..0));
            }
        }
        assert!(commands.len() <= SLOTS / 2, "SLOTS is too small");
        let slots = Box::new([Slot::default(); SLOTS]);
        let mut table = Table { commands, slots, reachable: 0 };
        table.index();
        table
    }

    /// A table that lives as long as the program, which is what requests refer to.
    pub fn leak(self) -> &'static Table {
        Box::leak(Box::new(self))
    }

    /// Builds the slots from the names. Subcommands come last: they are rarer, and let others go
    /// first.
    fn index(&mut self) {
        self.slots.fill(Slot::default());
        self.reachable = self.iter().count();
        let (tops, subcommands): (Vec<_>, Vec<_>) =
            (0..self.commands.len()).partition(|&at| self.commands[at].container.is_none());
        for at in tops.into_iter().chain(subcommands) {
            let registered = &self.commands[at];
            let container = registered.container.map_or(TOP, |id| id.0);
            if let Some(name) = &registered.reachable_as {
                let name = Packed::new(name, container);
                let mut slot = name.slot();
                while self.slots[slot].taken_by != 0 {
                    slot = (slot + 1) & (SLOTS - 1);
                }
                self.slots[slot] = Slot { name, taken_by: at as u16 + 1 };
            }
        }
    }

    #[inline]
    fn find(&self, name: &[u8], container: u16) -> Option<&Registered> {
        let packed = Packed::new(name, container);
        let mut slot = packed.slot();
        loop {
            let Slot { name: known, taken_by } = self.slots[slot];
            let at = usize::from(taken_by).checked_sub(1)?;
            if known == packed {
                let found = &self.commands[at];
                if name.len() <= PACKED_WHOLE || found.is_called(name) {
                    return Some(found);
                }
            }
            slot = (slot + 1) & (SLOTS - 1);
        }
    }

    /// What a request calls: a command, or a container's subcommand. A container that is named
    /// alone is found itself; its arity will refuse it, unless it is a command, too.
    #[inline]
    pub fn lookup(&self, args: Args<'_>) -> Option<&Registered> {
        let found = self.find(args.at(0), TOP)?;
        if found.subcommands.is_empty() || args.len() < 2 {
            return Some(found);
        }
        self.find(args.at(1), found.id.0)
    }

    /// A command by the name that clients use, in any case.
    pub fn by_name(&self, name: &[u8]) -> Option<&Registered> {
        self.find(name, TOP)
    }

    /// A subcommand by its word, in any case.
    pub fn subcommand(&self, container: &Registered, word: &[u8]) -> Option<&Registered> {
        self.find(word, container.id.0)
    }

    /// A command by the name that clients use, or a subcommand as `container|word`.
    pub fn by_full_name(&self, name: &[u8]) -> Option<&Registered> {
        match name.iter().position(|&b| b == b'|') {
            Some(bar) => self.subcommand(self.by_name(&name[..bar])?, &name[bar + 1..]),
            None => self.by_name(name),
        }
    }

    /// As `by_full_name`, by the declared names: those that ACL rules use, whatever was renamed.
    pub fn by_declared_name(&self, name: &[u8]) -> Option<&Registered> {
        self.commands.iter().find(|r| name.eq_ignore_ascii_case(r.full_name.as_bytes()))
    }

    /// The command of a number.
    #[inline]
    pub fn by_id(&self, id: CommandId) -> &Registered {
        &self.commands[usize::from(id.0)]
    }

    /// Everything by number: commands and subcommands, reachable or not.
    pub fn all(&self) -> &[Registered] {
        &self.commands
    }

    /// Declared full names by number.
    pub fn full_names(&self) -> Vec<&'static str> {
        self.commands.iter().map(|r| r.full_name).collect()
    }

    /// The commands that clients can call, without subcommands.
    pub fn iter(&self) -> impl Iterator<Item = &Registered> + Clone {
        self.commands.iter().filter(|r| r.container.is_none() && r.is_reachable())
    }

    /// How many `iter` has.
    pub fn count(&self) -> usize {
        self.reachable
    }

    /// The subcommands of a container, none for any other command.
    pub fn subcommands(&self, of: &Registered) -> &[Registered] {
        &self.commands[of.subcommands.clone()]
    }

    /// `rename-command`: `to` becomes the only name of `from`; empty: nobody can call it any more.
    pub fn rename(&mut self, from: &[u8], to: &[u8]) -> Result<(), RenameError> {
        let found = self.by_name(from).ok_or("No such command in rename-command")?;
        let at = usize::from(found.id.0);
        if self.by_name(to).is_some_and(|taken| usize::from(taken.id.0) != at) {
            return Err("Target command name already exists");
        }
        let name = (!to.is_empty()).then(|| to.to_ascii_lowercase().into_boxed_slice());
        self.commands[at].reachable_as = name;
        self.index();
        Ok(())
    }

    /// What to tell a client whose request `lookup` did not find (`commandCheckExistence`).
    #[cold]
    pub fn not_found(&self, args: Args<'_>) -> Error {
        let name = text(args.at(0));
        if let (Some(_), Some(word)) = (self.by_name(args.at(0)), args.get(1)) {
            return Error::unknown_subcommand(&name, until_nul(word));
        }
        let mut shown = String::new();
        for arg in args.iter_from(1) {
            let room = NAME_SHOWN.saturating_sub(shown.len());
            if room == 0 {
                break;
            }
            shown.push_str(&format!("'{}' ", text(&arg[..arg.len().min(room)])));
        }
        let name = text(&args.at(0)[..args.at(0).len().min(NAME_SHOWN)]);
        Error::err(format_args!("unknown command '{name}', with args beginning with: {shown}"))
    }
}

/// Bytes of an unknown command's name, and of its arguments together, that the reply repeats.
const NAME_SHOWN: usize = 128;

/// What Redis prints of bytes in an error.
fn until_nul(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
    &bytes[..end]
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(until_nul(bytes)).into_owned()
}

impl Registered {
    #[cold]
    fn is_called(&self, name: &[u8]) -> bool {
        self.reachable_as.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(name))
    }
}

fn register(
    command: &'static Command,
    at: usize,
    container: Option<usize>,
    subcommands: Range<usize>,
) -> Registered {
    Registered {
        command,
        id: CommandId(at as u16),
        full_name: command.full_name,
        container: container.map(|at| CommandId(at as u16)),
        reachable_as: Some(command.name().as_bytes().into()),
        subcommands,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dispatch::Context;
    use crate::resp::OwnedArgs;

    fn nothing(_: &mut Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    const SUBS: &[Command] =
        &[Command::new("conf|get", 3, nothing), Command::new("conf|set", -3, nothing)];
    const COMMANDS: &[Command] = &[
        Command::new("get", 2, nothing),
        Command::container("conf", SUBS),
        Command::new("x", 1, nothing),
        Command::new("georadiusbymember", -6, nothing),
        Command::new("georadiusbymembee", -6, nothing),
        Command::new("georadiusXymember_ro", -6, nothing),
    ];

    fn found(table: &Table, request: &str) -> Option<&'static str> {
        let args = OwnedArgs::from_parts(request.split(' ').map(str::as_bytes));
        table.lookup(args.args()).map(|registered| registered.full_name)
    }

    fn error(table: &Table, request: &str) -> String {
        let args = OwnedArgs::from_parts(request.split(' ').map(str::as_bytes));
        table.not_found(args.args()).to_string()
    }

    #[test]
    fn names_are_found_whole_and_in_any_case() {
        let table = Table::new(&[COMMANDS]);
        for name in ["get", "GET", "gEt", "x", "X", "GeoRadiusByMember", "georadiusbymembee"] {
            let lower = name.to_lowercase();
            assert_eq!(found(&table, name).map(str::to_owned), Some(lower), "{name}");
        }
        for name in ["", "ge", "gett", "G\u{5}T", "g\u{85}t", "georadius#ymember", "g", "y", "\0"] {
            assert_eq!(found(&table, name), None, "{name}");
        }
    }

    #[test]
    fn a_subcommand_is_found_by_the_word_after_its_container_only() {
        let table = Table::new(&[COMMANDS]);
        assert_eq!(found(&table, "CONF GET x"), Some("conf|get"));
        assert_eq!(found(&table, "conf"), Some("conf"));
        assert_eq!(found(&table, "get get"), Some("get"));
        for request in ["conf x", "set", "conf|get", "conf conf", "conf nosuch"] {
            assert_eq!(found(&table, request), None, "{request}");
        }
        let full = |name: &str| table.by_full_name(name.as_bytes()).map(|r| r.full_name);
        assert_eq!(full("CONF|set"), Some("conf|set"));
        assert_eq!((full("get|set"), full("conf|get|x"), full("")), (None, None, None));
    }

    #[test]
    fn numbers_follow_the_tables_and_subcommands_their_container() {
        let table = Table::new(&[COMMANDS]);
        assert_eq!(table.full_names()[..4], ["get", "conf", "conf|get", "conf|set"]);
        for (at, registered) in table.all().iter().enumerate() {
            assert_eq!(usize::from(registered.id.0), at);
            assert_eq!(table.by_id(registered.id).full_name, registered.full_name);
        }
        assert_eq!(table.count(), COMMANDS.len());
    }

    #[test]
    fn renaming_changes_the_name_of_clients_and_no_other() {
        let mut table = Table::new(&[COMMANDS]);
        assert!(table.rename(b"nosuch", b"y").is_err() && table.rename(b"conf|get", b"y").is_err());
        assert!(table.rename(b"get", b"X").is_err());
        assert_eq!(table.rename(b"GET", b"My-Get"), Ok(()));
        assert_eq!(table.rename(b"conf", b"a much longer name than before"), Ok(()));
        assert_eq!(table.rename(b"x", b""), Ok(()));
        assert_eq!(found(&table, "MY-get k"), Some("get"));
        assert_eq!(
            (found(&table, "get"), found(&table, "conf get"), found(&table, "x")),
            (None, None, None)
        );
        let long = table.by_name(b"A much longer name than before").map(|r| r.full_name);
        assert_eq!(long, Some("conf"));
        assert_eq!(table.count(), COMMANDS.len() - 1);
        assert!(table.by_declared_name(b"GET").is_some() && table.by_declared_name(b"x").is_some());
    }

    #[test]
    fn what_is_not_found_is_told_in_bounded_words() {
        let table = Table::new(&[COMMANDS]);
        assert_eq!(error(&table, "coNf no"), "ERR unknown subcommand 'no'. Try CONF HELP.");
        assert_eq!(
            error(&table, "nosuch a b"),
            "ERR unknown command 'nosuch', with args beginning with: 'a' 'b' "
        );
        let long = "n".repeat(10_000);
        assert!(error(&table, &format!("{long} {long} {long}")).len() < 400);
    }
}
