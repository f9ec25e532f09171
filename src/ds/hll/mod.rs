//! HyperLogLog in Redis's bytes: estimates how many distinct elements were added, in at most 12 KiB.
//!
//! ```text
//! byte 0..4   "HYLL"
//! byte 4      encoding: 0 dense, 1 sparse
//! byte 5..8   unused, 0
//! byte 8..16  the last estimate, little endian; stale if its top bit is set
//! then        the registers: 16384 of 6 bits (dense), or run lengths (sparse)
//! ```
//!
//! An element's hash chooses a register, which keeps the greatest number of trailing zeros (plus one)
//! among its elements' other bits. Sparse bytes become dense when they outgrow a limit of the caller's,
//! or when a register outgrows what a run can hold.
//!
//! Bytes come from clients: the header is checked by [`Hll::of`], the rest wherever it is read. Papers:
//! Flajolet et al. 2007 for the structure, Ertl 2017 (arXiv:1702.01284) for the estimator.

mod dense;
mod estimate;
mod hash;
mod selftest;
mod sparse;

pub use selftest::{Failure, self_test};
pub use sparse::{Opcode, Opcodes};

use crate::base::num;
use sparse::{Cursor, Outcome};

/// How many registers there are.
pub const REGISTER_COUNT: usize = 1 << INDEX_BITS;
/// Bits of a hash that choose the register.
const INDEX_BITS: u32 = 14;
/// Bits of a hash whose trailing zeros are counted.
const COUNTED_BITS: u32 = u64::BITS - INDEX_BITS;

const HEADER_LEN: usize = 16;
const MAGIC: &[u8] = b"HYLL";
const ENCODING_AT: usize = 4;
const ESTIMATE_AT: usize = 8;
const DENSE: u8 = 0;
const SPARSE: u8 = 1;
/// In the last byte of the estimate.
const STALE: u8 = 0x80;
const DENSE_LEN: usize = HEADER_LEN + dense::PACKED_LEN;

/// The registers, one in a byte.
pub type Registers = [u8; REGISTER_COUNT];

/// Run lengths that are no HyperLogLog's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Corrupt;

/// How registers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Six bits each.
    Dense,
    /// Run lengths.
    Sparse,
}

/// Whether something was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// It was.
    Yes,
    /// It was not.
    No,
}

/// A HyperLogLog to which nothing was added, sparse.
#[must_use]
pub fn empty() -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + 2);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[SPARSE, 0, 0, 0]);
    bytes.extend_from_slice(&[0; size_of::<u64>()]);
    bytes.extend_from_slice(&sparse::NOTHING);
    bytes
}

/// The register an element belongs to, and what it says there.
fn place(element: &[u8]) -> (usize, u8) {
    let hash = hash::murmur64(element);
    let index = num::usize_of(hash) % REGISTER_COUNT;
    // A bit beyond the counted ones ends the zeros of a hash that has no others.
    let counted = (hash >> INDEX_BITS) | (1 << COUNTED_BITS);
    (index, num::low_u8(u64::from(counted.trailing_zeros())) + 1)
}

/// A HyperLogLog to read.
#[derive(Clone, Copy, Debug)]
pub struct Hll<'a> {
    bytes: &'a [u8],
    encoding: Encoding,
}

impl<'a> Hll<'a> {
    /// The HyperLogLog in these bytes; `None` if they have none's header, or not the length that a dense
    /// one has.
    #[must_use]
    pub fn of(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() < HEADER_LEN || !bytes.starts_with(MAGIC) {
            return None;
        }
        let encoding = match bytes[ENCODING_AT] {
            DENSE if bytes.len() == DENSE_LEN => Encoding::Dense,
            SPARSE => Encoding::Sparse,
            _ => return None,
        };
        Some(Self { bytes, encoding })
    }

    /// How its registers are kept.
    #[must_use]
    pub const fn encoding(self) -> Encoding {
        self.encoding
    }

    /// The last estimate, if nothing was added since.
    #[must_use]
    pub fn cached(self) -> Option<u64> {
        let bytes = self.bytes[ESTIMATE_AT..HEADER_LEN].try_into().expect("eight bytes");
        let estimate = u64::from_le_bytes(bytes);
        (self.bytes[HEADER_LEN - 1] & STALE == 0).then_some(estimate)
    }

    /// Its registers as run lengths, if it keeps them so.
    #[must_use]
    pub fn opcodes(self) -> Option<Opcodes<'a>> {
        match self.encoding {
            Encoding::Dense => None,
            Encoding::Sparse => Some(Opcodes::of(self.body())),
        }
    }

    /// How many distinct elements were added, about: the standard error is 0.81 %. O(registers), or
    /// O(runs).
    ///
    /// # Errors
    /// Its run lengths are corrupt.
    pub fn count(self) -> Result<u64, Corrupt> {
        let histogram = match self.encoding {
            Encoding::Dense => {
                let mut registers = [0; REGISTER_COUNT];
                dense::unpack(self.body(), &mut registers);
                estimate::histogram(&registers)
            }
            Encoding::Sparse => sparse::histogram(self.body())?,
        };
        Ok(estimate::of_histogram(&histogram))
    }

    /// Raises each register to this one's. O(registers).
    ///
    /// # Errors
    /// Its run lengths are corrupt; some registers may have been raised.
    pub fn merge_into(self, registers: &mut Registers) -> Result<(), Corrupt> {
        match self.encoding {
            Encoding::Dense => {
                dense::raise(self.body(), registers);
                Ok(())
            }
            Encoding::Sparse => sparse::raise(self.body(), registers),
        }
    }

    /// What follows the header.
    fn body(self) -> &'a [u8] {
        &self.bytes[HEADER_LEN..]
    }
}

/// How many distinct elements registers have seen, about. O(registers).
#[must_use]
pub fn count_registers(registers: &Registers) -> u64 {
    estimate::of_histogram(&estimate::histogram(registers))
}

/// A HyperLogLog to change.
#[derive(Debug)]
pub struct HllMut<'a> {
    bytes: &'a mut Vec<u8>,
    /// Bytes, header included, from which on it becomes dense.
    sparse_len_max: usize,
}

impl<'a> HllMut<'a> {
    /// The HyperLogLog in these bytes; `None` as with [`Hll::of`].
    pub fn of(bytes: &'a mut Vec<u8>, sparse_len_max: usize) -> Option<Self> {
        Hll::of(bytes)?;
        Some(Self { bytes, sparse_len_max })
    }

    /// How its registers are kept.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        if self.bytes[ENCODING_AT] == DENSE { Encoding::Dense } else { Encoding::Sparse }
    }

    /// Adds an element. O(1) if dense, O(bytes) if sparse.
    ///
    /// # Errors
    /// Its run lengths are corrupt.
    pub fn add(&mut self, element: &[u8]) -> Result<Changed, Corrupt> {
        let (index, value) = place(element);
        self.raise(index, value, Cursor::START).map(|(changed, _)| changed)
    }

    /// Raises a register; `from` is [`Cursor::START`], or what the call for a lower index returned.
    fn raise(
        &mut self,
        index: usize,
        value: u8,
        from: Cursor,
    ) -> Result<(Changed, Cursor), Corrupt> {
        let mut cursor = from;
        if self.encoding() == Encoding::Sparse {
            match sparse::raise_one(self.bytes, &mut cursor, index, value, self.sparse_len_max)? {
                Outcome::Kept => return Ok((Changed::No, cursor)),
                Outcome::Raised => {
                    self.invalidate();
                    return Ok((Changed::Yes, cursor));
                }
                Outcome::Full => self.make_dense()?,
            }
        }
        let changed = dense::raise_one(&mut self.bytes[HEADER_LEN..], index, value);
        if changed == Changed::Yes {
            self.invalidate();
        }
        Ok((changed, cursor))
    }

    /// Keeps registers in six bits each from now on.
    ///
    /// # Errors
    /// Its run lengths are corrupt; nothing is changed then.
    pub fn make_dense(&mut self) -> Result<(), Corrupt> {
        let mut registers = [0; REGISTER_COUNT];
        if let Some(sparse) = Hll::of(self.bytes).filter(|hll| hll.encoding == Encoding::Sparse) {
            sparse.merge_into(&mut registers)?;
            self.store_dense(&registers);
        }
        Ok(())
    }

    fn store_dense(&mut self, registers: &Registers) {
        if self.bytes.capacity() < DENSE_LEN {
            // It never grows again.
            self.bytes.reserve_exact(DENSE_LEN - self.bytes.len());
        }
        self.bytes.resize(DENSE_LEN, 0);
        self.bytes[ENCODING_AT] = DENSE;
        dense::pack(registers, &mut self.bytes[HEADER_LEN..]);
    }

    /// Takes over registers, each of which is at least as great as its own; it becomes dense if told to,
    /// or if it has to. O(registers).
    ///
    /// # Errors
    /// Its run lengths are corrupt.
    pub fn store(&mut self, registers: &Registers, encoding: Encoding) -> Result<(), Corrupt> {
        if encoding == Encoding::Dense || self.encoding() == Encoding::Dense {
            self.store_dense(registers);
        } else {
            let mut cursor = Cursor::START;
            for (index, &value) in registers.iter().enumerate().filter(|&(_, &value)| value > 0) {
                let (_, after) = self.raise(index, value, cursor)?;
                if self.encoding() == Encoding::Dense {
                    self.store_dense(registers);
                    break;
                }
                cursor = after;
            }
        }
        self.invalidate();
        Ok(())
    }

    /// Notes that the estimate is stale.
    pub fn invalidate(&mut self) {
        self.bytes[HEADER_LEN - 1] |= STALE;
    }
}

/// Notes the estimate of a HyperLogLog.
///
/// # Panics
/// If the bytes are shorter than a header.
pub fn set_cached(bytes: &mut [u8], estimate: u64) {
    bytes[ESTIMATE_AT..HEADER_LEN].copy_from_slice(&estimate.to_le_bytes());
}

#[cfg(test)]
mod tests;
