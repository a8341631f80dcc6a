//! Names and versions of a cluster: node ids, shard ids, epochs.

use std::fmt;

use crate::base::rng::Rng;

/// Length of a node's or shard's id (Redis: CLUSTER_NAMELEN).
pub const ID_LEN: usize = 40;

/// Why a text is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

macro_rules! id {
    ($(#[$docs:meta])* $name:ident) => {
        $(#[$docs])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; ID_LEN]);

        impl $name {
            /// A new id of random hex digits.
            pub fn random(rng: &mut Rng) -> Self {
                let mut id = [0; ID_LEN];
                for digit in &mut id {
                    *digit = b"0123456789abcdef"[rng.below(16) as usize];
                }
                $name(id)
            }

            /// Reads an id: forty digits and lower case letters (Redis: verifyClusterNodeId).
            pub fn parse(text: &[u8]) -> Result<Self, NotAnId> {
                let id = <[u8; ID_LEN]>::try_from(text).map_err(|_| NotAnId)?;
                let valid = id.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
                if valid { Ok($name(id)) } else { Err(NotAnId) }
            }

            /// The id as it stands in replies, files and packets.
            pub fn as_bytes(&self) -> &[u8; ID_LEN] {
                &self.0
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

id! {
    /// Who a node is, for as long as it keeps its nodes.conf.
    NodeId
}

id! {
    /// A primary and its replicas together.
    ShardId
}

/// The cluster's logical clock: who claims slots with the greater epoch owns them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch after this one.
    pub fn next(self) -> Epoch {
        Epoch(self.0.saturating_add(1))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_forty_digits_and_lower_case_letters() {
        let id = NodeId::random(&mut Rng::seeded(1));
        assert_eq!(NodeId::parse(id.as_bytes()), Ok(id));
        assert_eq!(NodeId::parse(&[b'z'; 40]).map(|id| id.to_string()), Ok("z".repeat(40)));
        for wrong in [&[b'a'; 39][..], &[b'a'; 41], &[b'A'; 40], &[0; 40], b""] {
            assert_eq!(NodeId::parse(wrong), Err(NotAnId));
        }
    }
}
