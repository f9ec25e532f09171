//! A string too long to embed.

use crate::ds::relocate::{Relocator, vector};
use crate::ds::size_class::size_class;
use bytes::Bytes;

/// Long strings are kept in a form that replies can share; shorter ones as plain vectors, which take
/// less.
const SHARED_LEN_MIN: usize = crate::resp::SHARED_LEN_MIN;

/// A string that has to grow gets twice its length, and from this length on what is left of the
/// allocator's size class: it stays where it is until that is full, and the next is larger by an eighth
/// at least, so that growing byte by byte copies each byte a few times at most. Bytes.
const DOUBLING_LEN_MAX: usize = 1 << 20;
/// Gaps from this length on are left to the allocator to clear, which has such pages clear already.
const GAP_LEN_MIN: usize = 1 << 20;

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

    /// Moves the buffer. One that replies may share is large, and so has pages of its own.
    pub fn relocate(&mut self, to: &mut dyn Relocator) {
        match self {
            Self::Owned(bytes) => vector(bytes, to),
            Self::Shared(_) => {}
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

    /// Its bytes to be changed, with room for `additional` more. Amortised O(additional), and
    /// O(length) if a reply still refers to them.
    pub fn make_room(&mut self, additional: usize) -> &mut Vec<u8> {
        let len = self.as_slice().len();
        let slack = if len < DOUBLING_LEN_MAX { len } else { size_class(len + additional) - len };
        let room = additional.max(slack);
        if let Self::Shared(bytes) = self
            && !bytes.is_unique()
        {
            let mut copy = Vec::with_capacity(len + room);
            copy.extend_from_slice(bytes);
            *self = Self::Owned(copy);
        }
        let bytes = self.make_mut();
        if bytes.capacity() - len < additional {
            bytes.reserve_exact(room);
        }
        bytes
    }

    /// Its bytes to be changed, at least `len` of them; new ones are zero.
    pub fn lengthen(&mut self, len: usize) -> &mut [u8] {
        let old_len = self.as_slice().len();
        let Some(gap) = len.checked_sub(old_len) else { return self.make_mut() };
        if gap >= GAP_LEN_MIN {
            let mut bytes = vec![0; len];
            bytes[..old_len].copy_from_slice(self.as_slice());
            *self = Self::Owned(bytes);
            return self.make_mut();
        }
        let bytes = self.make_room(gap);
        bytes.resize(len, 0);
        bytes
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

    /// Another string of the same bytes. They are copied now, not by the first change of either string,
    /// and a long one has room to grow: either would take long where nobody expects it.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        let bytes = self.as_slice();
        // Pages that are never written take no memory.
        let room =
            if bytes.len() < DOUBLING_LEN_MAX { bytes.len() } else { size_class(bytes.len()) };
        let mut copy = Vec::with_capacity(room);
        copy.extend_from_slice(bytes);
        Self::Owned(copy)
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
    fn growing_byte_by_byte_moves_rarely() {
        let mut text = Text::copied(b"x");
        let (mut moves, mut place) = (0, text.as_slice().as_ptr());
        for _ in 0..(4 << 20) {
            text.make_room(1).push(b'x');
            if text.as_slice().as_ptr() != place {
                (moves, place) = (moves + 1, text.as_slice().as_ptr());
            }
        }
        assert!(moves < 40, "{moves} moves");
        assert!(text.memory_bytes() < text.as_slice().len() * 3 / 2);
    }

    #[test]
    fn a_long_copy_grows_where_it_is() {
        let mut copy = Text::copied(&vec![b'x'; DOUBLING_LEN_MAX + 1]).duplicate();
        let place = copy.as_slice().as_ptr();
        copy.make_room(1000).extend_from_slice(&[b'y'; 1000]);
        assert_eq!(copy.as_slice().as_ptr(), place);
    }

    #[test]
    fn growing_leaves_a_reply_as_it_was() {
        for gap in [0, 1, GAP_LEN_MIN] {
            let mut text = Text::copied(&vec![b'x'; SHARED_LEN_MIN]);
            let reply = text.share().expect("long enough");
            let bytes = text.lengthen(SHARED_LEN_MIN + gap);
            assert_eq!(bytes.len(), SHARED_LEN_MIN + gap);
            bytes.fill(b'y');
            assert!(reply.iter().all(|&byte| byte == b'x'));
            let reply = text.share().expect("long enough");
            text.make_room(1).push(b'z');
            assert_eq!((reply.len(), text.as_slice().len()), (reply.len(), reply.len() + 1));
        }
    }

    #[test]
    fn lengthening_fills_with_zeros_and_never_shortens() {
        let mut text = Text::copied(b"abc");
        assert_eq!(text.lengthen(5), b"abc\0\0");
        assert_eq!(text.lengthen(2), b"abc\0\0");
        let bytes = text.lengthen(5 + GAP_LEN_MIN);
        assert_eq!((bytes.len(), &bytes[..3]), (5 + GAP_LEN_MIN, &b"abc"[..]));
        assert!(bytes[3..].iter().all(|&byte| byte == 0));
    }

    #[test]
    fn short_strings_are_not_shared() {
        assert!(Text::copied(b"short").share().is_none());
    }
}
