//! Keys put together from the nodes of a path.

use super::short::Short;
use std::fmt;
use std::ops::Deref;

/// Bytes of a key that needs no allocation.
const KEY_LEN_INLINE: usize = 32;

/// A key of its own; one of up to 32 bytes, such as a stream's ID, needs no allocation.
#[derive(Clone)]
pub struct Key(pub(super) Short<u8, KEY_LEN_INLINE>);

impl Key {
    #[inline]
    pub(super) fn new() -> Key {
        Key(Short::new(0))
    }

    #[inline]
    pub(super) fn of(bytes: &[u8]) -> Key {
        let mut key = Key::new();
        key.0.extend(bytes);
        key
    }
}

impl Deref for Key {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.escape_ascii())
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        **self == **other
    }
}

impl Eq for Key {}
