//! Choices out of the fuzzer's bytes.

/// Takes choices off the front of some bytes; when they run out, every choice is 0.
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// Choices out of these bytes.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.bytes(1).first().copied().unwrap_or(0)
    }

    /// A number in `0..n`, for `n` from 1 to 65536. One byte if that is enough, else two.
    pub fn below(&mut self, n: usize) -> usize {
        let mut choice = usize::from(self.byte());
        if n > 256 {
            choice = choice << 8 | usize::from(self.byte());
        }
        choice % n
    }

    /// The next eight bytes as a number.
    pub fn number(&mut self) -> i64 {
        let mut bytes = [0; 8];
        let given = self.bytes(8);
        bytes[..given.len()].copy_from_slice(given);
        i64::from_le_bytes(bytes)
    }

    /// The next `len` bytes, or those that are left.
    pub fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }
}
