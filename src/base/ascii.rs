//! Case-insensitive ASCII, for command names, options and configuration.
//!
//! Only the 26 letters have case here, whatever the locale; other bytes compare as they are.

use std::ops::Deref;

/// Whether two byte strings are equal but for the case of letters.
#[inline]
#[must_use]
pub const fn eq_ignore_case(a: &[u8], b: &[u8]) -> bool {
    a.eq_ignore_ascii_case(b)
}

/// A lower-case copy of a short byte string, without an allocation: a key for tables of names.
#[derive(Clone, Copy)]
pub struct Lower<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

impl<const N: usize> Lower<N> {
    /// `None` if `text` is longer than `N`, and so no name of the table either.
    #[inline]
    #[must_use]
    pub fn new(text: &[u8]) -> Option<Lower<N>> {
        let mut bytes = [0; N];
        let copy = bytes.get_mut(..text.len())?;
        copy.copy_from_slice(text);
        copy.make_ascii_lowercase();
        Some(Lower { bytes, len: text.len() })
    }
}

impl<const N: usize> Deref for Lower<N> {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_fold_and_nothing_else_does() {
        assert!(eq_ignore_case(b"GeT", b"get"));
        assert!(!eq_ignore_case(b"get", b"gets"));
        for (a, b) in [(b"@", b"`"), (b"[", b"{"), (b"\xc4", b"\xe4"), (b"0", b"\x10")] {
            assert!(!eq_ignore_case(a, b));
        }
    }

    #[test]
    fn lower_copies_what_fits() {
        assert_eq!(&*Lower::<4>::new(b"MGET").unwrap(), b"mget");
        assert_eq!(&*Lower::<4>::new(b"").unwrap(), b"");
        assert!(Lower::<4>::new(b"HMGET").is_none());
    }
}
