//! CRC-64 as snapshots and DUMP have it: Jones's polynomial, reflected, from 0 and not inverted.

use crc_fast::{CrcParams, Digest};
use std::sync::LazyLock;

const POLYNOMIAL: u64 = 0xad93_d235_94c9_35a9;
/// The checksum of `123456789`.
const CHECK: u64 = 0xe9c6_d914_c4b8_d9ca;

/// Computed once: the tables that the vector instructions need.
static PARAMS: LazyLock<CrcParams> =
    LazyLock::new(|| CrcParams::new("CRC-64/REDIS", 64, POLYNOMIAL, 0, true, 0, CHECK));

/// A checksum of bytes that come in pieces. A call has a fixed cost, so the pieces should be long.
#[derive(Clone, Debug)]
pub struct Crc64(Digest);

impl Crc64 {
    /// The checksum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self(Digest::new_with_params(*PARAMS))
    }

    /// Adds a piece.
    #[inline]
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The checksum of all pieces so far.
    #[inline]
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0.finalize()
    }
}

impl Default for Crc64 {
    fn default() -> Self {
        Self::new()
    }
}

/// The checksum of `bytes`.
#[must_use]
pub fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum_with_params(*PARAMS, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn bitwise(bytes: &[u8]) -> u64 {
        let mut crc = 0u64;
        for byte in bytes {
            crc ^= u64::from(*byte);
            for _ in 0..8 {
                let carry = crc & 1 != 0;
                crc = (crc >> 1) ^ if carry { POLYNOMIAL.reverse_bits() } else { 0 };
            }
        }
        crc
    }

    #[test]
    fn checksums_agree_with_the_published_check_and_a_bitwise_loop() {
        assert_eq!(crc64(b"123456789"), CHECK);
        let mut rng = Rng::seeded(1);
        for len in (0..300).chain([1000, 4096, 70_000]) {
            let mut bytes = vec![0; len];
            rng.fill(&mut bytes);
            assert_eq!(crc64(&bytes), bitwise(&bytes), "{len} bytes");
            let (first, second) = bytes.split_at(rng.below_usize(len + 1));
            let mut pieces = Crc64::new();
            pieces.update(first);
            pieces.update(second);
            assert_eq!(pieces.value(), crc64(&bytes));
        }
        assert_eq!(crc64(b""), 0);
    }
}
