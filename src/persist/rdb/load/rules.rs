//! What decides how values are kept, and how closely they are looked at.

use crate::base::hash::HashKey;
use crate::base::num;
use crate::config::Config;
use crate::value::list::{Fill, Shape};
use crate::value::{hash, set, sorted_set};

/// Whether values are checked for what takes time to find, and does no harm beyond themselves: members
/// that are there twice, scores that are no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanitize {
    /// They are.
    Yes,
    /// They are not. What could harm the server is still found.
    No,
}

/// Whose numbers of types these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::persist::rdb) enum Dialect {
    Redis,
    Valkey,
}

/// The limits of the encodings in force.
#[derive(Clone, Copy, Debug)]
pub struct Encodings {
    /// Of lists.
    pub list: Shape,
    /// Of sets.
    pub set: set::Limits,
    /// Of sorted sets.
    pub sorted_set: sorted_set::Limits,
    /// Of hashes.
    pub hash: hash::Rules,
}

impl Encodings {
    /// What the configuration says now, at a time in Unix milliseconds; tables hash under `hash_key`.
    #[must_use]
    pub fn of(config: &Config, hash_key: HashKey, now_ms: i64) -> Self {
        Self {
            list: Shape {
                fill: Fill::of_directive(config.list_max_listpack_size),
                depth: num::usize_of_u32(config.list_compress_depth),
            },
            set: set::Limits::of(config, hash_key),
            sorted_set: sorted_set::Limits {
                members: config.zset_max_listpack_entries,
                member_len: config.zset_max_listpack_value,
                hash_key,
            },
            hash: hash::Rules {
                entries_max: config.hash_max_listpack_entries,
                value_bytes_max: config.hash_max_listpack_value,
                hash_key,
                now_ms,
            },
        }
    }
}

/// What reading a value needs to know.
#[derive(Clone, Copy, Debug)]
pub(in crate::persist::rdb) struct Rules {
    pub(in crate::persist::rdb) encodings: Encodings,
    pub(in crate::persist::rdb) sanitize: Sanitize,
    pub(in crate::persist::rdb) dialect: Dialect,
}
