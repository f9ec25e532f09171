//! `bit`: arithmetic on words of 32 bits.

mod word;

use super::super::lua::{Function, lua_State, push_bytes, register, scratch};
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_int};

const FUNCTIONS: [(&CStr, Function); 12] = [
    (c"tobit", tobit),
    (c"bnot", bnot),
    (c"band", band),
    (c"bor", bor),
    (c"bxor", bxor),
    (c"lshift", lshift),
    (c"rshift", rshift),
    (c"arshift", arshift),
    (c"rol", rol),
    (c"ror", ror),
    (c"bswap", bswap),
    (c"tohex", tohex),
];

/// Sets the global table.
///
/// # Safety
/// As for [`register`].
pub(super) unsafe fn open(state: *mut lua_State, buffer: *mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        register(state, c"bit", &FUNCTIONS, buffer);
        ffi::lua_pop(state, 1);
    }
}

/// An argument as a word; raises an error if it is no number.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn argument(state: *mut lua_State, index: c_int) -> u32 {
    // SAFETY: the caller's.
    word::of(unsafe { ffi::luaL_checknumber(state, index) })
}

/// # Safety
/// As for [`argument`].
unsafe fn push(state: *mut lua_State, word: u32) -> c_int {
    // SAFETY: the caller's; a function has free slots at its start.
    unsafe { ffi::lua_pushnumber(state, f64::from(word.cast_signed())) };
    1
}

/// # Safety
/// As for [`argument`].
unsafe fn unary(state: *mut lua_State, of: fn(u32) -> u32) -> c_int {
    // SAFETY: the caller's.
    unsafe { push(state, of(argument(state, 1))) }
}

/// All arguments combined, of which there must be one; the first is read first, and then from the last on.
///
/// # Safety
/// As for [`argument`].
unsafe fn fold(state: *mut lua_State, of: fn(u32, u32) -> u32) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let mut word = argument(state, 1);
        for index in (2..=ffi::lua_gettop(state)).rev() {
            word = of(word, argument(state, index));
        }
        push(state, word)
    }
}

/// The second argument says by how many bits, modulo 32.
///
/// # Safety
/// As for [`argument`].
unsafe fn shift(state: *mut lua_State, of: fn(u32, u32) -> u32) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        let word = argument(state, 1);
        let bits = argument(state, 2);
        push(state, of(word, bits & 31))
    }
}

unsafe extern "C-unwind" fn tobit(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { unary(state, |word| word) }
}

unsafe extern "C-unwind" fn bnot(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { unary(state, |word| !word) }
}

unsafe extern "C-unwind" fn bswap(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { unary(state, u32::swap_bytes) }
}

unsafe extern "C-unwind" fn band(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { fold(state, |a, b| a & b) }
}

unsafe extern "C-unwind" fn bor(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { fold(state, |a, b| a | b) }
}

unsafe extern "C-unwind" fn bxor(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { fold(state, |a, b| a ^ b) }
}

unsafe extern "C-unwind" fn lshift(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { shift(state, u32::wrapping_shl) }
}

unsafe extern "C-unwind" fn rshift(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { shift(state, u32::wrapping_shr) }
}

unsafe extern "C-unwind" fn arshift(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { shift(state, |word, bits| word.cast_signed().wrapping_shr(bits).cast_unsigned()) }
}

unsafe extern "C-unwind" fn rol(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { shift(state, u32::rotate_left) }
}

unsafe extern "C-unwind" fn ror(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { shift(state, u32::rotate_right) }
}

/// The last digits, as many as the second argument says; upper case if it is negative.
unsafe extern "C-unwind" fn tohex(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe {
        let n = argument(state, 1);
        let is_given = ffi::lua_type(state, 2) != ffi::LUA_TNONE;
        let width = if is_given { argument(state, 2).cast_signed() } else { word::DIGITS_MAX };
        let out = scratch(state);
        word::write_hex(n, width, out);
        push_bytes(state, out);
    }
    1
}
