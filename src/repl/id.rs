//! The name of a history of changes.

use std::fmt;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// 40 bytes, hexadecimal digits when they are ours. Two servers of the same id and offset hold the same data.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ReplId([u8; ReplId::LEN]);

impl ReplId {
    /// Bytes of an id.
    pub const LEN: usize = 40;

    /// The id that these random bits make.
    pub fn of_random(bits: [u8; Self::LEN / 2]) -> Self {
        Self(std::array::from_fn(|at| {
            let byte = bits[at / 2];
            DIGITS[usize::from(if at % 2 == 0 { byte >> 4 } else { byte & 15 })]
        }))
    }

    /// Reads an id that another server has given; `None` if it is not as long as one, or would not do as a
    /// word of a line.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let id: [u8; Self::LEN] = text.try_into().ok()?;
        id.iter().all(u8::is_ascii_graphic).then_some(Self(id))
    }

    /// Its bytes.
    pub const fn bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for ReplId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.escape_ascii().fmt(out)
    }
}

impl fmt::Debug for ReplId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_bits_become_digits() {
        let mut bits = [0; 20];
        (bits[0], bits[19]) = (0x0f, 0xa1);
        let text = ReplId::of_random(bits).to_string();
        assert_eq!(text, format!("0f{}a1", "0".repeat(36)));
        assert_eq!(ReplId::parse(text.as_bytes()), Some(ReplId::of_random(bits)));
    }

    #[test]
    fn what_cannot_stand_in_a_line_is_no_id() {
        assert_eq!(ReplId::parse(b"?"), None);
        assert_eq!(ReplId::parse(&[b'a'; 41]), None);
        let mut text = [b'a'; 40];
        assert!(ReplId::parse(&text).is_some());
        text[7] = b'\n';
        assert_eq!(ReplId::parse(&text), None);
    }
}
