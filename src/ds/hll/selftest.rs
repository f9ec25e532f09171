//! A test of this machine's arithmetic, for PFSELFTEST.

use super::{Hll, HllMut, REGISTER_COUNT, count_registers, dense, empty};
use crate::base::num;
use crate::base::rng::Rng;

/// What went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// A dense register does not read back.
    Register {
        /// Which.
        index: usize,
        /// What was written.
        expected: u8,
        /// What was read.
        found: u8,
    },
    /// An estimate is further off than chance allows.
    Estimate {
        /// How many elements were added.
        expected: u64,
        /// How many were estimated.
        found: u64,
    },
    /// The encodings disagree about the same elements.
    Encodings {
        /// After so many elements.
        elements: u64,
    },
}

const ROUNDS: usize = 16;
const ELEMENTS: u64 = 200_000;
/// A standard error is 0.81 %; six of them never happen by chance.
const ERROR_MAX: f64 = 6.0 * 0.0081;

/// Writes and reads all registers, then counts elements in both encodings. About 20 ms.
///
/// # Errors
/// Something is wrong.
pub fn self_test(rng: &mut Rng) -> Result<(), Failure> {
    let mut packed = vec![0; dense::PACKED_LEN];
    for _ in 0..ROUNDS {
        packed.fill(0);
        let registers: [u8; REGISTER_COUNT] = std::array::from_fn(|_| num::low_u8(rng.below(64)));
        for (index, &value) in registers.iter().enumerate() {
            dense::raise_one(&mut packed, index, value);
        }
        let mut unpacked = [0; REGISTER_COUNT];
        dense::unpack(&packed, &mut unpacked);
        for (index, (&expected, &found)) in registers.iter().zip(&unpacked).enumerate() {
            if expected != found {
                return Err(Failure::Register { index, expected, found });
            }
        }
    }
    count_in_both(rng.next_u64())
}

fn count_in_both(seed: u64) -> Result<(), Failure> {
    let (mut sparse, mut dense) = (empty(), empty());
    let mut checkpoint = 1;
    for added in 1..=ELEMENTS {
        let element = (seed ^ added).to_le_bytes();
        for (bytes, len_max) in [(&mut sparse, 3000), (&mut dense, 0)] {
            let added = HllMut::of(bytes, len_max).map(|mut hll| hll.add(&element));
            if !matches!(added, Some(Ok(_))) {
                return Err(Failure::Encodings { elements: 0 });
            }
        }
        if added == checkpoint {
            checkpoint *= 10;
            compare(added, &sparse, &dense)?;
        }
    }
    compare(ELEMENTS, &sparse, &dense)
}

fn compare(added: u64, sparse: &[u8], dense: &[u8]) -> Result<(), Failure> {
    let count = |bytes: &[u8]| {
        let mut registers = [0; REGISTER_COUNT];
        let hll = Hll::of(bytes)?;
        hll.merge_into(&mut registers).ok()?;
        hll.count().ok().filter(|&count| count == count_registers(&registers))
    };
    match (count(sparse), count(dense)) {
        (Some(found), Some(other)) if found == other => {
            let off = num::f64_of_u64(found.abs_diff(added));
            // Small numbers may collide once more than the share of the error allows.
            if off > num::f64_of_u64(added) * ERROR_MAX + 2.0 {
                return Err(Failure::Estimate { expected: added, found });
            }
            Ok(())
        }
        _ => Err(Failure::Encodings { elements: added }),
    }
}
