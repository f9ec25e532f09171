//! A string too long to embed.

use bytes::Bytes;

/// Long strings are kept in a form that replies can share; shorter ones as plain vectors, which take
/// less.
const SHARED_LEN_MIN: usize = crate::resp::SHARED_LEN_MIN;

/// A string with a buffer of its own.
#[derive(Debug)]
pub enum Text {
    /// Ours alone, with room to grow.
    Owned(Vec<u8>),
    /// Perhaps shared with replies on their way out.
    Shared(Bytes),
}

impl Text {
    /// A string that takes over a buffer read off a socket.
    pub const fn shared(bytes: Bytes) -> Self {
        Self::Shared(bytes)
    }

    /// A string of these bytes.
    pub fn copied(bytes: &[u8]) -> Self {
        Self::Owned(bytes.to_vec())
    }

    /// Its bytes.
    #[inline]
    pub fn as_slice(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }

    /// Its bytes to be changed. Copies them if a reply still refers to them.
    pub fn make_mut(&mut self) -> &mut Vec<u8> {
        if let Self::Shared(bytes) = self {
            *self = Self::Owned(Vec::from(std::mem::take(bytes)));
        }
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(_) => unreachable!("made owned above"),
        }
    }

    /// A reference to its bytes for a reply, if it is long enough to be worth one. No bytes move.
    pub fn share(&mut self) -> Option<Bytes> {
        if let Self::Owned(bytes) = self {
            if bytes.len() < SHARED_LEN_MIN {
                return None;
            }
            *self = Self::Shared(Bytes::from(std::mem::take(bytes)));
        }
        match self {
            Self::Owned(_) => None,
            Self::Shared(bytes) => Some(bytes.clone()),
        }
    }

    /// Another string of the same bytes, shared if they are.
    pub fn duplicate(&self) -> Self {
        match self {
            Self::Owned(bytes) => Self::Owned(bytes.clone()),
            Self::Shared(bytes) => Self::Shared(bytes.clone()),
        }
    }

    /// Bytes of memory its buffer takes.
    pub fn memory_bytes(&self) -> usize {
        match self {
            Self::Owned(bytes) => bytes.capacity(),
            Self::Shared(bytes) => bytes.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_string_changes_without_changing_the_reply() {
        let mut text = Text::copied(&vec![b'x'; SHARED_LEN_MIN]);
        let reply = text.share().expect("long enough");
        text.make_mut()[0] = b'y';
        assert_eq!((reply[0], text.as_slice()[0]), (b'x', b'y'));
    }

    #[test]
    fn sharing_and_changing_move_no_bytes_when_nobody_else_refers() {
        let mut text = Text::copied(&vec![b'x'; SHARED_LEN_MIN]);
        let place = text.as_slice().as_ptr();
        drop(text.share());
        text.make_mut().truncate(1);
        assert_eq!(text.as_slice().as_ptr(), place);
    }

    #[test]
    fn short_strings_are_not_shared() {
        assert!(Text::copied(b"short").share().is_none());
    }
}
