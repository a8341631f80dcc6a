//! CONFIG SET and CONFIG GET on a configuration: all or nothing, errors in Redis's words and order.

use std::fmt;

use super::directive::Source;
use super::setting::Words;
use super::{Apply, Config, DIRECTIVES, Directive, Flags, Found, lookup};

/// Who sets, as far as that decides what is allowed.
#[derive(Clone, Copy, Debug, Default)]
pub struct Caller {
    /// A snapshot or an append only file is being loaded.
    pub loading: bool,
    /// The connection comes from this host.
    pub local: bool,
}

/// Why CONFIG SET was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// No directive of this name.
    Unknown(Vec<u8>),
    /// It must wait until loading ends.
    Loading,
    /// The directive, and why.
    Refused {
        /// The directive as it is to be named.
        name: Vec<u8>,
        /// Why, in Redis's words.
        words: Words,
    },
}

impl SetError {
    /// A refusal, also for what the node finds it cannot do (see [`Apply::failure`]).
    pub fn refused(name: impl AsRef<[u8]>, words: impl Into<Words>) -> Self {
        SetError::Refused { name: name.as_ref().to_vec(), words: words.into() }
    }
}

/// The error line without its code.
impl fmt::Display for SetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetError::Unknown(name) => write!(
                f,
                "Unknown option or number of arguments for CONFIG SET - '{}'",
                String::from_utf8_lossy(name)
            ),
            SetError::Loading => f.write_str("Redis is loading the dataset in memory"),
            SetError::Refused { name, words } => write!(
                f,
                "CONFIG SET failed (possibly related to argument '{}') - {words}",
                String::from_utf8_lossy(name)
            ),
        }
    }
}

impl std::error::Error for SetError {}

/// What must act, and which directive to blame when that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reaction {
    /// What must act.
    pub apply: Apply,
    /// The directive that asked for it.
    pub name: &'static str,
}

/// A change that was made. The caller lets every reaction act, in order; when one fails it undoes
/// the change and lets the reactions act once more.
#[derive(Debug)]
#[must_use = "reactions must act"]
pub struct Change {
    /// What must act, each once.
    pub reactions: Vec<Reaction>,
    before: Box<Config>,
}

impl Change {
    /// Puts everything back as it was.
    pub fn undo(self, config: &mut Config) {
        *config = *self.before;
    }

    /// The configuration as it was.
    pub fn before(&self) -> &Config {
        &self.before
    }
}

/// The words of a value given as one: directives of several words are split at every single space.
pub(super) fn words(directive: &Directive, value: &[u8]) -> Vec<Vec<u8>> {
    if !directive.flags.contains(Flags::MULTI_ARG) {
        return vec![value.to_vec()];
    }
    if value.is_empty() {
        return Vec::new();
    }
    value.split(|b| *b == b' ').map(<[u8]>::to_vec).collect()
}

impl Config {
    /// CONFIG SET: changes every directive named, or none.
    pub fn set_many(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        caller: Caller,
    ) -> Result<Change, SetError> {
        let found = self.settable(pairs, caller)?;
        let mut candidate = self.clone();
        let mut reactions: Vec<Reaction> = Vec::new();
        for (found, (_, value)) in found.iter().zip(pairs) {
            let split = words(found.directive, value);
            let args: Vec<&[u8]> = split.iter().map(Vec::as_slice).collect();
            let changed = found
                .directive
                .set(&mut candidate, &args, Source::Set)
                .map_err(|words| SetError::refused(found.name, words))?;
            let apply = found.directive.apply.filter(|_| changed);
            if let Some(apply) = apply.filter(|a| reactions.iter().all(|r| r.apply != *a)) {
                reactions.push(Reaction { apply, name: found.name });
            }
        }
        candidate.normalize();
        Ok(Change { reactions, before: Box::new(std::mem::replace(self, candidate)) })
    }

    fn settable(&self, pairs: &[(&[u8], &[u8])], caller: Caller) -> Result<Vec<Found>, SetError> {
        let mut all: Vec<Found> = Vec::with_capacity(pairs.len());
        for (name, _) in pairs {
            let found = lookup(name).ok_or_else(|| SetError::Unknown(name.to_vec()))?;
            let flags = found.directive.flags;
            if flags.contains(Flags::IMMUTABLE) {
                return Err(SetError::refused(name, "can't set immutable config"));
            }
            if flags.contains(Flags::PROTECTED)
                && !self.enable_protected_configs.allows(caller.local)
            {
                return Err(SetError::refused(name, "can't set protected config"));
            }
            if caller.loading && flags.contains(Flags::DENY_LOADING) {
                return Err(SetError::Loading);
            }
            // A directive and its older name are two to Redis.
            if all.iter().any(|earlier| earlier.name == found.name) {
                return Err(SetError::refused(name, "duplicate parameter"));
            }
            all.push(found);
        }
        Ok(all)
    }

    /// CONFIG GET: names and values of what the patterns name, each name once. `matches` tells
    /// whether a pattern fits a name, case ignored.
    pub fn get_matching(
        &self,
        patterns: &[&[u8]],
        matches: impl Fn(&[u8], &[u8]) -> bool,
    ) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut shown: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut show = |name: &[u8], directive: &Directive| {
            if !shown.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
                shown.push((name.to_vec(), directive.get(self)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|b| matches!(b, b'[' | b'*' | b'?')) {
                // An exact name is answered as it was asked.
                if let Some(found) = lookup(pattern) {
                    show(pattern, found.directive);
                }
                continue;
            }
            let visible = DIRECTIVES.iter().filter(|d| !d.flags.contains(Flags::HIDDEN));
            for directive in visible {
                for name in [Some(directive.name), directive.alias].into_iter().flatten() {
                    if matches(pattern, name.as_bytes()) {
                        show(name.as_bytes(), directive);
                    }
                }
            }
        }
        shown
    }

    /// The value of one directive, as CONFIG GET shows it.
    pub fn get(&self, name: &str) -> Option<Vec<u8>> {
        lookup(name.as_bytes()).map(|found| found.directive.get(self))
    }
}
