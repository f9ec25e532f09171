//! Registers of six bits, the first in the low bits of the first byte.
//!
//! All of them are unpacked eight at a time, in a word: six bytes of registers are spread over eight.

use super::{Changed, REGISTER_COUNT, Registers};

const BITS: usize = 6;
const MAX: u8 = (1 << BITS) - 1;
/// Bytes of all registers.
pub(super) const PACKED_LEN: usize = REGISTER_COUNT * BITS / 8;

/// Registers that are unpacked before they are compared.
const BLOCK: usize = 512;
const BLOCK_PACKED: usize = BLOCK * BITS / 8;
const _: () = assert!(REGISTER_COUNT.is_multiple_of(BLOCK) && BLOCK.is_multiple_of(8));

/// Raises the register at `index` to `value`, if it is less.
pub(super) fn raise_one(packed: &mut [u8], index: usize, value: u8) -> Changed {
    let (byte, shift) = (index * BITS / 8, index * BITS % 8);
    let next = packed.get(byte + 1).copied().unwrap_or(0);
    let pair = u16::from_le_bytes([packed[byte], next]);
    let mask = u16::from(MAX) << shift;
    let raised = u16::from(value) << shift;
    if pair & mask >= raised {
        return Changed::No;
    }
    let [low, high] = ((pair & !mask) | raised).to_le_bytes();
    packed[byte] = low;
    if let Some(next) = packed.get_mut(byte + 1) {
        *next = high;
    }
    Changed::Yes
}

/// Eight registers, one in a byte, from the six bytes at the low end of a word: halves move apart, then
/// the halves of these, then single registers.
#[inline(always)]
const fn spread(word: u64) -> u64 {
    let word = (word & 0x0000_0000_00ff_ffff) | (word & 0x0000_ffff_ff00_0000) << 8;
    let word = (word & 0x0000_0fff_0000_0fff) | (word & 0x00ff_f000_00ff_f000) << 4;
    (word & 0x003f_003f_003f_003f) | (word & 0x0fc0_0fc0_0fc0_0fc0) << 2
}

/// The reverse of [`spread`].
#[inline(always)]
const fn squeeze(word: u64) -> u64 {
    let word = (word & 0x003f_003f_003f_003f) | (word & 0x3f00_3f00_3f00_3f00) >> 2;
    let word = (word & 0x0000_0fff_0000_0fff) | (word & 0x0fff_0000_0fff_0000) >> 4;
    (word & 0x0000_0000_00ff_ffff) | (word & 0x00ff_ffff_0000_0000) >> 8
}

/// Unpacks registers: six bytes of `packed` for each eight.
#[inline(always)]
pub(super) fn unpack(packed: &[u8], registers: &mut [u8]) {
    let (sixes, _) = packed.as_chunks::<6>();
    let (eights, _) = registers.as_chunks_mut::<8>();
    for (six, eight) in sixes.iter().zip(eights) {
        let [a, b, c, d, e, f] = *six;
        *eight = spread(u64::from_le_bytes([a, b, c, d, e, f, 0, 0])).to_le_bytes();
    }
}

/// Packs registers; their values are less than 64.
pub(super) fn pack(registers: &Registers, packed: &mut [u8]) {
    let (sixes, _) = packed.as_chunks_mut::<6>();
    let (eights, _) = registers.as_chunks::<8>();
    for (six, eight) in sixes.iter_mut().zip(eights) {
        let [a, b, c, d, e, f, ..] = squeeze(u64::from_le_bytes(*eight)).to_le_bytes();
        *six = [a, b, c, d, e, f];
    }
}

/// Raises each register to the packed one.
pub(super) fn raise(packed: &[u8], registers: &mut Registers) {
    let (blocks, _) = registers.as_chunks_mut::<BLOCK>();
    let mut other = [0; BLOCK];
    for (packed, block) in packed.chunks_exact(BLOCK_PACKED).zip(blocks) {
        unpack(packed, &mut other);
        for (own, other) in block.iter_mut().zip(other) {
            *own = (*own).max(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::num;
    use crate::base::rng::Rng;

    fn get(packed: &[u8], index: usize) -> u8 {
        let (byte, shift) = (index * BITS / 8, index * BITS % 8);
        let pair = [packed[byte], packed.get(byte + 1).copied().unwrap_or(0)];
        num::low_u8(u64::from(u16::from_le_bytes(pair) >> shift)) & MAX
    }

    fn random(rng: &mut Rng) -> Registers {
        std::array::from_fn(|_| num::low_u8(rng.below(64)))
    }

    #[test]
    fn registers_read_back_one_by_one_and_all_together() {
        let mut rng = Rng::seeded(21);
        let registers = random(&mut rng);
        let mut packed = vec![0; PACKED_LEN];
        for (index, &value) in registers.iter().enumerate() {
            let changed = if value > 0 { Changed::Yes } else { Changed::No };
            assert_eq!(raise_one(&mut packed, index, value), changed);
            assert_eq!(raise_one(&mut packed, index, value), Changed::No);
        }
        assert!(registers.iter().enumerate().all(|(index, &value)| get(&packed, index) == value));
        let mut unpacked = [0; REGISTER_COUNT];
        unpack(&packed, &mut unpacked);
        assert!(unpacked == registers);
        let mut again = vec![0xff; PACKED_LEN];
        pack(&registers, &mut again);
        assert!(again == packed);
    }

    #[test]
    fn raising_takes_the_greater_of_each_two() {
        let mut rng = Rng::seeded(22);
        let (mut registers, other) = (random(&mut rng), random(&mut rng));
        let mut packed = vec![0; PACKED_LEN];
        pack(&other, &mut packed);
        let expected: Vec<u8> = registers.iter().zip(other).map(|(&a, b)| a.max(b)).collect();
        raise(&packed, &mut registers);
        assert!(registers[..] == expected);
    }
}
