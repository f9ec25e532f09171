//! Strings as arrays of bits.

mod bit;
mod field;
mod operation;
mod search;

use super::{Command, Error};
use crate::base::num;
use crate::store::{Key, Keyspace, Scope};
use crate::value::{Str, string};

/// The family.
pub static COMMANDS: &[&Command] = &[
    &bit::GETBIT,
    &bit::SETBIT,
    &field::BITFIELD,
    &field::BITFIELD_RO,
    &operation::BITOP,
    &search::BITCOUNT,
    &search::BITPOS,
];

const BAD_OFFSET: Error = Error::fixed("ERR bit offset is not an integer or out of range");

/// What the number of an offset counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    /// Bits.
    Bits,
    /// Fields of so many bits.
    Fields(u64),
}

/// The bit that `text` names, in a string of at most `len_max` bytes.
///
/// # Errors
/// No number, or none of a bit in such a string.
fn parse_offset(text: &[u8], unit: Unit, len_max: usize) -> Result<u64, Error> {
    let number = num::parse_i64(text).and_then(|number| u64::try_from(number).ok());
    let bit = match unit {
        Unit::Bits => number,
        Unit::Fields(bits) => number.and_then(|number| number.checked_mul(bits)),
    };
    let last_is_inside = |bit: &u64| bit / 8 < num::u64_of(len_max);
    bit.filter(|bit| i64::try_from(*bit).is_ok()).filter(last_is_inside).ok_or(BAD_OFFSET)
}

/// Whether a string became longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grown {
    /// It was shorter, or there was none.
    Yes,
    /// It was long enough.
    No,
}

/// Makes the string at a key at least `len_min` bytes long, new ones zero, and changes its bytes.
///
/// # Errors
/// Another type; nothing is changed then.
fn change<R>(
    keyspace: &mut Keyspace,
    scope: Scope,
    key: Key<'_>,
    len_min: usize,
    f: impl FnOnce(&mut [u8], Grown) -> R,
) -> Result<R, Error> {
    let Some(slot) = keyspace.write(scope, key) else {
        let mut bytes = vec![0; len_min];
        let result = f(&mut bytes, Grown::Yes);
        keyspace.insert(scope.db, key, string::changed_value_of_vec(&mut bytes), None);
        return Ok(result);
    };
    let old_len = Str::of(&slot.get()).ok_or(Error::WRONG_TYPE)?.len();
    let grown = if old_len < len_min { Grown::Yes } else { Grown::No };
    let mut result = None;
    let _slot = slot.update(|entry| {
        let (entry, value) = string::edit(entry, len_min, |bytes| f(bytes, grown));
        result = Some(value);
        entry
    });
    Ok(result.expect("`update` calls its argument"))
}
