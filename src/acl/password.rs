//! Passwords, of which only the SHA-256 is kept.

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// The SHA-256 of a password.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Password([u8; 32]);

impl Password {
    /// That of a password in clear.
    #[must_use]
    pub fn of(clear: &[u8]) -> Self {
        Self(Sha256::digest(clear).into())
    }

    /// One given as 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &[u8]) -> Option<Self> {
        let digit =
            |byte: u8| DIGITS.iter().zip(0..).find(|(digit, _)| **digit == byte).map(|x| x.1);
        let text: &[u8; 64] = text.try_into().ok()?;
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            *byte = digit(pair[0])? << 4 | digit(pair[1])?;
        }
        Some(Self(bytes))
    }

    /// As 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        let digit = |value: u8| char::from(DIGITS[usize::from(value)]);
        self.0.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
    }

    /// Whether it is the same, in a time that does not tell where they differ.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// A hash is not the password, but whoever has it can try passwords against it: it is not shown.
impl std::fmt::Debug for Password {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("(secret)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_read_back() {
        let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let password = Password::of(b"abc");
        assert_eq!(password.hex(), hex);
        assert!(Password::from_hex(hex.as_bytes()).is_some_and(|read| read.is(&password)));
        assert!(!Password::of(b"abd").is(&password));
        for bad in ["", "ab", &hex[1..], &hex.to_uppercase(), &hex.replace('b', "g")] {
            assert!(Password::from_hex(bad.as_bytes()).is_none(), "{bad}");
        }
        assert_eq!(format!("{password:?}"), "(secret)");
    }
}
