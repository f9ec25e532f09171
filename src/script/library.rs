//! What scripts say of themselves, and what a library of functions registers.

use super::lua::Reference;
use bitflags::bitflags;

bitflags! {
    /// What a script says of itself, in its first line or when its function is registered.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub struct ScriptFlags: u8 {
        /// It changes nothing.
        const NO_WRITES = 1 << 0;
        /// It may run above `maxmemory`.
        const ALLOW_OOM = 1 << 1;
        /// It may run on a replica with stale data.
        const ALLOW_STALE = 1 << 2;
        /// It does not run in a cluster.
        const NO_CLUSTER = 1 << 3;
        /// Its keys may be in several slots.
        const ALLOW_CROSS_SLOT_KEYS = 1 << 4;
        /// It is of the old kind, which says nothing: its commands are judged one by one.
        const EVAL_COMPAT = 1 << 5;
    }
}

impl ScriptFlags {
    /// Those a script may name, in the order FUNCTION LIST tells them.
    pub const NAMES: [(&'static str, Self); 5] = [
        ("no-writes", Self::NO_WRITES),
        ("allow-oom", Self::ALLOW_OOM),
        ("allow-stale", Self::ALLOW_STALE),
        ("no-cluster", Self::NO_CLUSTER),
        ("allow-cross-slot-keys", Self::ALLOW_CROSS_SLOT_KEYS),
    ];

    /// The flag of a name.
    pub fn named(name: &[u8]) -> Option<Self> {
        let found = Self::NAMES.iter().find(|(known, _)| known.as_bytes() == name);
        found.map(|&(_, flag)| flag)
    }
}

/// A function of a library.
#[derive(Debug)]
pub struct Registered {
    /// Its name, unique among all libraries.
    pub name: Vec<u8>,
    /// What it says of itself.
    pub description: Option<Vec<u8>>,
    /// See there.
    pub flags: ScriptFlags,
    /// Its code.
    pub function: Reference,
}
