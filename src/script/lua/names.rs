//! Names of fields that are needed often: they are made once, and lie where they can be pushed from
//! without being looked up.

use super::{ffi, lua_State, push_bytes};
use std::ffi::c_int;

/// A field's name, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Name {
    Err,
    Ok,
    Double,
    Map,
    Set,
    BigNumber,
    VerbatimString,
    String,
    Format,
    Ignore,
    Source,
    Line,
    Keys,
    Argv,
}

/// In the order of [`Name`].
const TEXTS: [&[u8]; 14] = [
    b"err",
    b"ok",
    b"double",
    b"map",
    b"set",
    b"big_number",
    b"verbatim_string",
    b"string",
    b"format",
    b"ignore_error_stats_update",
    b"source",
    b"line",
    b"KEYS",
    b"ARGV",
];
/// How many there are.
pub(super) const COUNT: c_int = 14;

/// Where names lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Among the upvalues of the function that runs.
    Upvalues,
    /// On the main stack, above this index.
    Above(c_int),
}

/// Pushes all names.
///
/// # Safety
/// As many free slots, and no frame owns anything.
pub(super) unsafe fn push_all(state: *mut lua_State) {
    for text in TEXTS {
        // SAFETY: the caller's.
        unsafe { push_bytes(state, text) }
    }
}

/// Pushes a name.
///
/// # Safety
/// A free slot, and the names are in that place.
pub(super) unsafe fn push(state: *mut lua_State, place: Place, name: Name) {
    let offset = offset(name);
    let index = match place {
        Place::Upvalues => ffi::lua_upvalueindex(offset),
        Place::Above(base) => base + offset,
    };
    // SAFETY: the caller's.
    unsafe { ffi::lua_pushvalue(state, index) }
}

const fn offset(name: Name) -> c_int {
    match name {
        Name::Err => 1,
        Name::Ok => 2,
        Name::Double => 3,
        Name::Map => 4,
        Name::Set => 5,
        Name::BigNumber => 6,
        Name::VerbatimString => 7,
        Name::String => 8,
        Name::Format => 9,
        Name::Ignore => 10,
        Name::Source => 11,
        Name::Line => 12,
        Name::Keys => 13,
        Name::Argv => 14,
    }
}
