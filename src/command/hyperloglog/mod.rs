//! HyperLogLogs: strings whose bytes [`crate::ds::hll`] describes.

mod add;
mod count;
mod debug;

use super::{Command, Error};
use crate::ds::hll::{Corrupt, Hll, HllMut};
use crate::store::Slot;
use crate::value::{Entry, Str, string};

/// The family.
pub static COMMANDS: &[&Command] =
    &[&add::PFADD, &count::PFCOUNT, &count::PFMERGE, &debug::PFDEBUG, &debug::PFSELFTEST];

/// A string that is no HyperLogLog.
const INVALID: Error = Error::fixed("WRONGTYPE Key is not a valid HyperLogLog string value.");

impl From<Corrupt> for Error {
    fn from(_: Corrupt) -> Self {
        Self::fixed("INVALIDOBJ Corrupted HLL object detected")
    }
}

/// The HyperLogLog in an entry.
///
/// # Errors
/// Another type, or a string that is none.
fn hll_of(entry: &Entry) -> Result<Hll<'_>, Error> {
    match Str::of(entry).ok_or(Error::WRONG_TYPE)? {
        Str::Bytes(bytes) => Hll::of(bytes).ok_or(INVALID),
        Str::Integer(_) => Err(INVALID),
    }
}

/// Changes the HyperLogLog in a slot. What `f` did before it failed stays, as in Redis.
///
/// # Errors
/// Another type, or a string that is none; then `f` is not called. Or the error of `f`.
fn change<R>(
    slot: Slot<'_>,
    sparse_len_max: usize,
    f: impl FnOnce(&mut HllMut<'_>) -> Result<R, Corrupt>,
) -> Result<R, Error> {
    hll_of(&slot.get())?;
    let mut result = Err(INVALID);
    let _slot = slot.update(|entry| {
        let (entry, ()) = string::modify(entry, |bytes| {
            if let Some(mut hll) = HllMut::of(bytes, sparse_len_max) {
                result = f(&mut hll).map_err(Error::from);
            }
        });
        entry
    });
    result
}
