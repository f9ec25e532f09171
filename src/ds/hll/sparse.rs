//! Registers as run lengths.
//!
//! ```text
//! 00llllll            l + 1 registers are 0
//! 01llllll llllllll   l + 1 registers are 0
//! 1vvvvvll            l + 1 registers are v + 1
//! ```
//!
//! Redis's bytes depend on the order in which registers were raised: a run is split where a register is
//! raised, then neighbours of one value are joined, but only a few. The same happens here, so that the
//! bytes are the same.

use super::estimate::Histogram;
use super::{Corrupt, HEADER_LEN, REGISTER_COUNT, Registers};
use crate::base::num;

/// The greatest value in a run; a greater one needs the dense encoding.
const VALUE_MAX: u8 = 32;
/// The longest run of a value.
const RUN_LEN_MAX: usize = 4;
/// The longest run of zeros in one byte.
const ZEROS_LEN_MAX: usize = 64;
/// How many opcodes are looked at, from the one before the change on, to join them.
const JOIN_STEPS: usize = 5;

/// The opcodes of registers that are all 0.
pub(super) const NOTHING: [u8; 2] = [0x7f, 0xff];
const _: () = assert!(REGISTER_COUNT == 0x3fff + 1);

/// A run of equal registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// Zeros, in one byte.
    Zeros {
        /// How many registers.
        len: usize,
    },
    /// Zeros, in two bytes.
    ManyZeros {
        /// How many registers.
        len: usize,
    },
    /// Another value.
    Run {
        /// The value.
        value: u8,
        /// How many registers.
        len: usize,
    },
}

impl Opcode {
    /// The opcode that bytes start with; `None` if they are too few.
    #[inline]
    fn read(bytes: &[u8]) -> Option<Self> {
        let &first = bytes.first()?;
        let low = usize::from(first & 0x3f);
        Some(match first >> 6 {
            0 => Self::Zeros { len: low + 1 },
            1 => Self::ManyZeros { len: (low << 8 | usize::from(*bytes.get(1)?)) + 1 },
            _ => Self::Run { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1 },
        })
    }

    /// Zeros in the fewest bytes.
    const fn zeros(len: usize) -> Self {
        if len > ZEROS_LEN_MAX { Self::ManyZeros { len } } else { Self::Zeros { len } }
    }

    /// How many registers it stands for.
    #[inline]
    pub const fn len(self) -> usize {
        match self {
            Self::Zeros { len } | Self::ManyZeros { len } | Self::Run { len, .. } => len,
        }
    }

    /// Whether it stands for no registers, which never happens.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The value of its registers.
    #[inline]
    pub const fn value(self) -> u8 {
        match self {
            Self::Zeros { .. } | Self::ManyZeros { .. } => 0,
            Self::Run { value, .. } => value,
        }
    }

    /// How many bytes it takes.
    #[inline]
    const fn size(self) -> usize {
        match self {
            Self::Zeros { .. } | Self::Run { .. } => 1,
            Self::ManyZeros { .. } => 2,
        }
    }

    /// Its bytes, of which the first [`Opcode::size`] count.
    fn bytes(self) -> [u8; 2] {
        let low = |n: usize| num::low_u8(num::u64_of(n));
        match self {
            Self::Zeros { len } => [low(len - 1), 0],
            Self::ManyZeros { len } => [0x40 | low((len - 1) >> 8), low(len - 1)],
            Self::Run { value, len } => [0x80 | (value - 1) << 2 | low(len - 1), 0],
        }
    }
}

/// The opcodes of some bytes, up to one that is cut off.
#[derive(Clone, Debug)]
pub struct Opcodes<'a> {
    rest: &'a [u8],
}

impl<'a> Opcodes<'a> {
    pub(super) const fn of(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }
}

impl Iterator for Opcodes<'_> {
    type Item = Opcode;

    #[inline]
    fn next(&mut self) -> Option<Opcode> {
        let opcode = Opcode::read(self.rest)?;
        self.rest = &self.rest[opcode.size()..];
        Some(opcode)
    }
}

/// Calls `f` with each opcode and the registers it stands for.
///
/// # Errors
/// They are not as many as there are registers.
fn for_each(bytes: &[u8], mut f: impl FnMut(Opcode, usize)) -> Result<(), Corrupt> {
    let mut opcodes = Opcodes::of(bytes);
    let mut first = 0;
    for opcode in &mut opcodes {
        if opcode.len() > REGISTER_COUNT - first {
            return Err(Corrupt);
        }
        f(opcode, first);
        first += opcode.len();
    }
    if first == REGISTER_COUNT && opcodes.rest.is_empty() { Ok(()) } else { Err(Corrupt) }
}

/// How many registers have each value.
pub(super) fn histogram(bytes: &[u8]) -> Result<Histogram, Corrupt> {
    let mut histogram = [0; 64];
    for_each(bytes, |opcode, _| {
        histogram[usize::from(opcode.value())] += num::low_u32(num::u64_of(opcode.len()));
    })?;
    Ok(histogram)
}

/// Raises each register to the one here.
pub(super) fn raise(bytes: &[u8], registers: &mut Registers) -> Result<(), Corrupt> {
    for_each(bytes, |opcode, first| {
        if opcode.value() > 0 {
            for register in &mut registers[first..first + opcode.len()] {
                *register = opcode.value().max(*register);
            }
        }
    })
}

/// An opcode's place, and the first register it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    at: usize,
    first: usize,
}

impl Cursor {
    /// The first opcode, behind the header.
    pub(super) const START: Self = Self { at: HEADER_LEN, first: 0 };
}

/// What became of a register that was to be raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was as great already.
    Kept,
    /// It was raised.
    Raised,
    /// There is no room for it; nothing was changed.
    Full,
}

/// Raises the register at `index` to `value`, in bytes with their header, which may become `len_max` long.
/// `cursor` is the start, or was set by the call for a lower index. O(bytes from the cursor on).
///
/// # Errors
/// No opcode stands for the register.
pub(super) fn raise_one(
    bytes: &mut Vec<u8>,
    cursor: &mut Cursor,
    index: usize,
    value: u8,
    len_max: usize,
) -> Result<Outcome, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Outcome::Full);
    }
    let mut before = [None; 2];
    let mut here = *cursor;
    let opcode = loop {
        let opcode = bytes.get(here.at..).and_then(Opcode::read).ok_or(Corrupt)?;
        if index < here.first + opcode.len() {
            break opcode;
        }
        before = [before[1], Some(here)];
        here = Cursor { at: here.at + opcode.size(), first: here.first + opcode.len() };
    };
    if before[1].is_none() && *cursor != Cursor::START {
        // What the last call joined reaches up to here, so that the opcode before it is not known.
        *cursor = Cursor::START;
        return raise_one(bytes, cursor, index, value, len_max);
    }
    // Joining never touches more than the opcode before.
    *cursor = before[0].unwrap_or(*cursor);
    if opcode.value() >= value {
        return Ok(Outcome::Kept);
    }
    let pieces = Pieces::of(opcode, index - here.first, value);
    let new = pieces.as_slice();
    let grown_len = bytes.len() + new.len() - opcode.size();
    if new.len() > opcode.size() && grown_len > len_max {
        return Ok(Outcome::Full);
    }
    bytes.splice(here.at..here.at + opcode.size(), new.iter().copied());
    join(bytes, before[1].map_or(here.at, |before| before.at));
    Ok(Outcome::Raised)
}

/// The opcodes that replace one of which a register was raised.
struct Pieces {
    bytes: [u8; 5],
    len: usize,
}

impl Pieces {
    /// `nth` is the register's place among those of the opcode.
    fn of(opcode: Opcode, nth: usize, value: u8) -> Self {
        let mut pieces = Self { bytes: [0; 5], len: 0 };
        let part = |len: usize| match opcode {
            Opcode::Zeros { .. } | Opcode::ManyZeros { .. } => Opcode::zeros(len),
            Opcode::Run { value, .. } => Opcode::Run { value, len },
        };
        if nth > 0 {
            pieces.push(part(nth));
        }
        pieces.push(Opcode::Run { value, len: 1 });
        let after = opcode.len() - nth - 1;
        if after > 0 {
            pieces.push(part(after));
        }
        pieces
    }

    fn push(&mut self, opcode: Opcode) {
        let end = self.len + opcode.size();
        self.bytes[self.len..end].copy_from_slice(&opcode.bytes()[..opcode.size()]);
        self.len = end;
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

/// Joins runs of one value among the few opcodes from `at` on.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..JOIN_STEPS {
        let Some(opcode) = bytes.get(at..).and_then(Opcode::read) else { return };
        if let Opcode::Run { value, len } = opcode
            && let Some(Opcode::Run { value: next, len: next_len }) = Opcode::read(&bytes[at + 1..])
            && value == next
            && len + next_len <= RUN_LEN_MAX
        {
            bytes[at] = Opcode::Run { value, len: len + next_len }.bytes()[0];
            bytes.remove(at + 1);
        } else {
            at += opcode.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opcodes_read_back() {
        for len in 1..=REGISTER_COUNT {
            let opcode = Opcode::zeros(len);
            assert_eq!(Opcode::read(&opcode.bytes()[..opcode.size()]), Some(opcode));
        }
        for value in 1..=VALUE_MAX {
            for len in 1..=RUN_LEN_MAX {
                let opcode = Opcode::Run { value, len };
                assert_eq!(Opcode::read(&opcode.bytes()), Some(opcode));
            }
        }
        assert_eq!(Opcode::read(&NOTHING), Some(Opcode::ManyZeros { len: REGISTER_COUNT }));
        assert_eq!((Opcode::read(&[]), Opcode::read(&[0x7f])), (None, None));
    }

    #[test]
    fn runs_have_to_cover_all_registers() {
        for bytes in [&[][..], &[0], &[0x7f], &[0x7f, 0xfe], &[0x7f, 0xff, 0], &[0x7f, 0xff, 0x40]]
        {
            assert_eq!(histogram(bytes), Err(Corrupt), "{bytes:?}");
            assert_eq!(raise(bytes, &mut [0; REGISTER_COUNT]), Err(Corrupt));
        }
        assert!(histogram(&NOTHING).is_ok());
    }
}
