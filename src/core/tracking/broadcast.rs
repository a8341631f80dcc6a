//! Clients that are told of all keys that begin with a prefix (CLIENT TRACKING BCAST), and which
//! such keys have changed in this turn of the loop (Redis: PrefixTable).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound::{self, Excluded, Included, Unbounded};

use crate::core::ClientId;

/// Keys that have changed, in order, and the client that changed each last; none if it was the
/// server.
pub(super) type ChangedKeys = BTreeMap<Box<[u8]>, Option<ClientId>>;

/// Who is told of a prefix.
#[derive(Debug, Default)]
struct Group {
    clients: BTreeSet<ClientId>,
    changed: ChangedKeys,
}

/// All prefixes. None is without clients.
#[derive(Debug, Default)]
pub(super) struct Prefixes {
    groups: BTreeMap<Box<[u8]>, Group>,
    /// Some group has keys that changed.
    has_changed: bool,
}

impl Prefixes {
    /// How many prefixes there are.
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The client is told of keys with this prefix.
    pub(super) fn add(&mut self, prefix: &[u8], client: ClientId) {
        if let Some(group) = self.groups.get_mut(prefix) {
            group.clients.insert(client);
        } else {
            let clients = BTreeSet::from([client]);
            self.groups.insert(prefix.into(), Group { clients, ..Group::default() });
        }
    }

    /// The client is no longer told of keys with this prefix. What changed and has nobody to be
    /// told of it is forgotten.
    pub(super) fn remove(&mut self, prefix: &[u8], client: ClientId) {
        if let Some(group) = self.groups.get_mut(prefix) {
            group.clients.remove(&client);
            if group.clients.is_empty() {
                self.groups.remove(prefix);
            }
        }
    }

    /// A key has changed. Looks at no more prefixes than the key has, and one for each character in
    /// which it differs from one.
    pub(super) fn note(&mut self, key: &[u8], by: Option<ClientId>) {
        let mut up_to: Bound<&[u8]> = Included(key);
        while let Some((prefix, group)) =
            self.groups.range_mut::<[u8], _>((Unbounded, up_to)).next_back()
        {
            let common = prefix.iter().zip(key).take_while(|(a, b)| a == b).count();
            if common == prefix.len() {
                group.changed.insert(key.into(), by);
                self.has_changed = true;
                up_to = Excluded(&key[..common]);
            } else {
                // Whatever prefix of the key is longer would lie between this and the key.
                up_to = Included(&key[..common]);
            }
        }
    }

    /// Whether a key has changed of which somebody is told.
    #[inline]
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// Takes what has changed in each group that has something, with who is told of it.
    pub(super) fn take_changed(&mut self) -> Vec<(Vec<ClientId>, ChangedKeys)> {
        self.has_changed = false;
        let groups = self.groups.values_mut().filter(|group| !group.changed.is_empty());
        groups
            .map(|group| {
                let clients = group.clients.iter().copied().collect();
                (clients, std::mem::take(&mut group.changed))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(prefixes: &mut Prefixes) -> Vec<(Vec<u64>, Vec<String>)> {
        let groups = prefixes.take_changed().into_iter();
        groups
            .map(|(clients, keys)| {
                let keys = keys.into_keys().map(|key| String::from_utf8_lossy(&key).into_owned());
                (clients.iter().map(|id| id.0).collect(), keys.collect())
            })
            .collect()
    }

    #[test]
    fn every_prefix_of_a_key_is_found() {
        let mut prefixes = Prefixes::default();
        for (id, prefix) in ["", "a", "ab", "abd", "abcd", "abcde", "b"].into_iter().enumerate() {
            prefixes.add(prefix.as_bytes(), ClientId(id as u64));
        }
        prefixes.note(b"abcdx", None);
        prefixes.note(b"a", Some(ClientId(1)));
        prefixes.note(b"", None);
        let key = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = [
            (vec![0], key(&["", "a", "abcdx"])),
            (vec![1], key(&["a", "abcdx"])),
            (vec![2], key(&["abcdx"])),
            (vec![4], key(&["abcdx"])),
        ];
        assert_eq!(changed(&mut prefixes), expected);
        assert_eq!(changed(&mut prefixes), []);
    }

    #[test]
    fn a_prefix_goes_with_its_last_client() {
        let mut prefixes = Prefixes::default();
        prefixes.add(b"p", ClientId(1));
        prefixes.add(b"p", ClientId(2));
        prefixes.remove(b"p", ClientId(1));
        prefixes.note(b"pk", None);
        assert_eq!(changed(&mut prefixes), [(vec![2], vec!["pk".to_owned()])]);
        prefixes.note(b"pk", None);
        prefixes.remove(b"p", ClientId(2));
        assert!(prefixes.is_empty());
        assert_eq!(changed(&mut prefixes), []);
    }

    #[test]
    fn who_changed_a_key_last_is_known() {
        let mut prefixes = Prefixes::default();
        prefixes.add(b"", ClientId(1));
        prefixes.note(b"k", Some(ClientId(1)));
        prefixes.note(b"k", None);
        let groups = prefixes.take_changed();
        assert_eq!(groups[0].1.get(&b"k"[..]), Some(&None));
    }
}
