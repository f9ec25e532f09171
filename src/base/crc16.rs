//! CRC-16/XMODEM, and the slot of a key in a cluster.

use crc::{CRC_16_XMODEM, Crc, Table};

/// Sixteen tables, so that 16 bytes are one step.
static XMODEM: Crc<u16, Table<16>> = Crc::<u16, Table<16>>::new(&CRC_16_XMODEM);

/// Keys of a cluster are spread over this many slots.
pub const SLOT_COUNT: u16 = 16_384;

/// The checksum of `bytes`: polynomial 1021, initial value 0, nothing reflected.
#[inline]
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    XMODEM.checksum(bytes)
}

/// The slot of a key: below [`SLOT_COUNT`].
///
/// If the key has a `{` and a `}` behind it, only what stands between the first of each counts (the
/// hash tag), unless that is nothing. So `{user7}.name` and `{user7}.mail` share a slot.
#[must_use]
pub fn key_slot(key: &[u8]) -> u16 {
    crc16(hash_tag(key).unwrap_or(key)) % SLOT_COUNT
}

fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let behind = &key[memchr::memchr(b'{', key)? + 1..];
    let tag = &behind[..memchr::memchr(b'}', behind)?];
    (!tag.is_empty()).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_agree_with_the_published_check_and_a_bitwise_loop() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        let bytes: Vec<u8> = (0..=255).cycle().take(700).collect();
        for len in 0..bytes.len() {
            let mut expected = 0u16;
            for &byte in &bytes[..len] {
                expected ^= u16::from(byte) << 8;
                for _ in 0..8 {
                    let carry = expected & 0x8000 != 0;
                    expected = expected << 1 ^ if carry { 0x1021 } else { 0 };
                }
            }
            assert_eq!(crc16(&bytes[..len]), expected, "{len} bytes");
        }
    }

    /// Read off CLUSTER KEYSLOT.
    #[test]
    fn slots_are_those_of_a_real_server() {
        let cases: [(&[u8], u16); 12] = [
            (b"", 0),
            (b"foo", 12182),
            (b"somekey", 11058),
            (b"foo{hash_tag}", 2515),
            (b"{user1000}.following", 3443),
            (b"{user1000}.followers", 3443),
            (b"foo{}{bar}", 8363),
            (b"foo{{bar}}zap", 4015),
            (b"foo{bar}{zap}", 5061),
            (b"}{a}", 15495),
            (b"{", 4092),
            (b"a{b", 13340),
        ];
        for (key, slot) in cases {
            assert_eq!(key_slot(key), slot, "{}", key.escape_ascii());
        }
    }
}
