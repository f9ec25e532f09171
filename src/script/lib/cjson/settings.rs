//! What scripts may set, and the functions that set it.
//!
//! Each takes new values, or nil for none, and returns those that hold.

use super::super::super::lua::{lua_State, scratch};
use super::super::{bad_argument, bad_argument_of};
use super::Instance;
use super::number::Invalid;
use super::token::Numbers;
use crate::base::num;
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_char, c_int};
use std::ops::RangeInclusive;
use std::ptr;

/// Most digits of a number.
const DIGITS_MAX: i32 = 14;

/// What an instance is told; see the functions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Whether an array that is too sparse becomes an object; it is an error else.
    pub(super) sparse_convert: bool,
    /// An array is too sparse if it has more than so many places for each value; 0: never.
    pub(super) sparse_ratio: i32,
    /// It is not if it has at most so many places.
    pub(super) sparse_safe: i32,
    pub(super) encode_depth_max: i32,
    pub(super) decode_depth_max: i32,
    pub(super) digits_max: i32,
    /// Whether what was allocated is kept for the next call.
    pub(super) is_buffer_kept: bool,
    pub(super) encode_invalid: Invalid,
    pub(super) decode_numbers: Numbers,
    /// Whether an empty array, decoded, is marked so that it is encoded as one.
    pub(super) are_arrays_marked: bool,
}

impl Settings {
    pub(super) const DEFAULT: Settings = Settings {
        sparse_convert: false,
        sparse_ratio: 2,
        sparse_safe: 10,
        encode_depth_max: 1000,
        decode_depth_max: 1000,
        digits_max: DIGITS_MAX,
        is_buffer_kept: true,
        encode_invalid: Invalid::Refused,
        decode_numbers: Numbers::Lenient,
        are_arrays_marked: false,
    };
}

/// Names for `luaL_checkoption`, a null at their end.
#[repr(transparent)]
struct Names<const LEN: usize>([*const c_char; LEN]);

// SAFETY: they point to literals.
unsafe impl<const LEN: usize> Sync for Names<LEN> {}

static SWITCH: Names<3> = Names([c"off".as_ptr(), c"on".as_ptr(), ptr::null()]);
static SWITCH_OR_NULL: Names<4> =
    Names([c"off".as_ptr(), c"on".as_ptr(), c"null".as_ptr(), ptr::null()]);

/// Makes the arguments exactly so many.
///
/// # Safety
/// Within a function of `FUNCTIONS`; no frame owns anything.
unsafe fn fill(state: *mut lua_State, count: c_int) {
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_gettop(state) > count {
            bad_argument(state, count + 1, c"found too many arguments");
        }
        ffi::lua_settop(state, count);
    }
}

/// Sets an integer from an argument, unless that is nil, and pushes what holds.
///
/// # Safety
/// As for [`fill`].
unsafe fn integer(
    state: *mut lua_State,
    index: c_int,
    setting: &mut i32,
    range: RangeInclusive<i32>,
) {
    // SAFETY: the caller's; the text is in the engine's buffer.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TNIL {
            let n = ffi::luaL_checkinteger(state, index).cast_unsigned();
            let n = num::low_u32(n).cast_signed();
            if !range.contains(&n) {
                let out = scratch(state);
                out.extend_from_slice(b"expected integer between ");
                num::write_i64(out, i64::from(*range.start()));
                out.extend_from_slice(b" and ");
                num::write_i64(out, i64::from(*range.end()));
                bad_argument_of(state, 1, out); // whichever it is
            }
            *setting = n;
        }
        ffi::lua_pushnumber(state, f64::from(*setting));
    }
}

/// The place of an argument in a list of names; a boolean is the first or the second. `None` for nil.
///
/// # Safety
/// As for [`fill`].
unsafe fn option<const LEN: usize>(
    state: *mut lua_State,
    index: c_int,
    names: &'static Names<LEN>,
) -> Option<c_int> {
    // SAFETY: the caller's; the names end with a null.
    unsafe {
        match ffi::lua_type(state, index) {
            ffi::LUA_TNIL => None,
            ffi::LUA_TBOOLEAN => Some(ffi::lua_toboolean(state, index)),
            _ => Some(ffi::luaL_checkoption(state, index, ptr::null(), names.0.as_ptr())),
        }
    }
}

/// Sets a switch from an argument, unless that is nil, and pushes what holds.
///
/// # Safety
/// As for [`fill`].
unsafe fn switch(state: *mut lua_State, index: c_int, setting: &mut bool) {
    // SAFETY: the caller's.
    unsafe {
        if let Some(place) = option(state, index, &SWITCH) {
            *setting = place != 0;
        }
        ffi::lua_pushboolean(state, c_int::from(*setting));
    }
}

/// Whether to convert arrays that are too sparse, and which are.
pub(super) unsafe extern "C-unwind" fn encode_sparse_array(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 3);
        switch(state, 1, &mut settings.sparse_convert);
        integer(state, 2, &mut settings.sparse_ratio, 0..=i32::MAX);
        integer(state, 3, &mut settings.sparse_safe, 0..=i32::MAX);
    }
    3
}

/// How deep tables may be nested.
pub(super) unsafe extern "C-unwind" fn encode_max_depth(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 1);
        integer(state, 1, &mut settings.encode_depth_max, 1..=i32::MAX);
    }
    1
}

/// How deep a text may be nested.
pub(super) unsafe extern "C-unwind" fn decode_max_depth(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 1);
        integer(state, 1, &mut settings.decode_depth_max, 1..=i32::MAX);
    }
    1
}

/// How many digits numbers have.
pub(super) unsafe extern "C-unwind" fn encode_number_precision(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 1);
        integer(state, 1, &mut settings.digits_max, 1..=DIGITS_MAX);
    }
    1
}

/// Whether to keep the buffer.
pub(super) unsafe extern "C-unwind" fn encode_keep_buffer(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 1);
        switch(state, 1, &mut settings.is_buffer_kept);
    }
    1
}

/// What becomes of infinities and NaN.
pub(super) unsafe extern "C-unwind" fn encode_invalid_numbers(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let setting = &mut Instance::of(state).settings.encode_invalid;
        fill(state, 1);
        if let Some(place) = option(state, 1, &SWITCH_OR_NULL) {
            *setting = match place {
                0 => Invalid::Refused,
                1 => Invalid::Named,
                _ => Invalid::Null,
            };
        }
        match setting {
            Invalid::Refused => ffi::lua_pushboolean(state, 0),
            Invalid::Named => ffi::lua_pushboolean(state, 1),
            Invalid::Null => push_literal(state, c"null"),
        }
    }
    1
}

/// # Safety
/// A free slot; no frame owns anything.
unsafe fn push_literal(state: *mut lua_State, text: &CStr) {
    // SAFETY: the caller's.
    unsafe { ffi::lua_pushstring_(state, text.as_ptr()) };
}

/// Whether to take numbers that JSON has not.
pub(super) unsafe extern "C-unwind" fn decode_invalid_numbers(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let setting = &mut Instance::of(state).settings.decode_numbers;
        fill(state, 1);
        let mut is_lenient = *setting == Numbers::Lenient;
        switch(state, 1, &mut is_lenient);
        *setting = if is_lenient { Numbers::Lenient } else { Numbers::Strict };
    }
    1
}

/// Whether an empty array is encoded as one again.
pub(super) unsafe extern "C-unwind" fn decode_array_with_array_mt(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; nothing here owns memory.
    unsafe {
        let settings = &mut Instance::of(state).settings;
        fill(state, 1);
        switch(state, 1, &mut settings.are_arrays_marked);
    }
    1
}
