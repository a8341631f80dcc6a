//! Finds the keys of the few commands whose key specs do not suffice: because the arguments decide
//! how a key is used, or because options hide where it is. Family tables refer to these by
//! `Command::find_keys`. They see raw arguments before anybody checked them, and push nothing where
//! those make no sense.

use super::keyspec::{KeyFlags, KeyRef};
use crate::resp::Args;

const READ: KeyFlags = KeyFlags::RO.union(KeyFlags::ACCESS);
const CHANGE: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::UPDATE);
const OVERWRITE: KeyFlags = KeyFlags::OW.union(KeyFlags::UPDATE);
const TAKE: KeyFlags = KeyFlags::RW.union(KeyFlags::ACCESS).union(KeyFlags::DELETE);

fn push(args: Args<'_>, out: &mut Vec<KeyRef>, index: usize, flags: KeyFlags) {
    if index < args.len() {
        out.push(KeyRef { index, flags });
    }
}

/// SET overwrites its key; with GET it reads it, too.
pub fn set(args: Args<'_>, out: &mut Vec<KeyRef>) {
    let reads = args.iter_from(3).any(|option| option.eq_ignore_ascii_case(b"get"));
    push(args, out, 1, if reads { CHANGE } else { OVERWRITE });
}

/// BITFIELD only reads its key if all of its operations are GET.
pub fn bitfield(args: Args<'_>, out: &mut Vec<KeyRef>) {
    let mut flags = READ;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        let rest = args.len() - at - 1;
        if word.eq_ignore_ascii_case(b"get") && rest >= 2 {
            at += 3;
        } else if word.eq_ignore_ascii_case(b"overflow") && rest >= 1 {
            at += 2;
        } else {
            // A write, or a syntax error: assume the worst.
            flags = CHANGE;
            break;
        }
    }
    push(args, out, 1, flags);
}

/// SORT_RO reads its key. The keys of BY and GET depend on what that holds.
pub fn sort_ro(args: Args<'_>, out: &mut Vec<KeyRef>) {
    push(args, out, 1, READ);
}

/// SORT reads its key and overwrites that of the last STORE.
pub fn sort(args: Args<'_>, out: &mut Vec<KeyRef>) {
    push(args, out, 1, READ);
    let mut store = None;
    let mut at = 2;
    while let Some(word) = args.get(at) {
        at += 1;
        if word.eq_ignore_ascii_case(b"limit") {
            at += 2;
        } else if word.eq_ignore_ascii_case(b"get") || word.eq_ignore_ascii_case(b"by") {
            at += 1;
        } else if word.eq_ignore_ascii_case(b"store") && at < args.len() {
            store = Some(at);
        }
    }
    if let Some(index) = store {
        push(args, out, index, OVERWRITE);
    }
}

/// MIGRATE moves its key, or, if that is empty, all keys after KEYS.
pub fn migrate(args: Args<'_>, out: &mut Vec<KeyRef>) {
    let mut at = 6;
    while let Some(word) = args.get(at) {
        at += 1;
        if word.eq_ignore_ascii_case(b"keys") {
            if args.at(3).is_empty() {
                out.extend((at..args.len()).map(|index| KeyRef { index, flags: TAKE }));
            }
            return;
        }
        if word.eq_ignore_ascii_case(b"auth") {
            at += 1;
        } else if word.eq_ignore_ascii_case(b"auth2") {
            at += 2;
        }
    }
    push(args, out, 3, TAKE);
}
