//! The libraries that scripts find beside Lua's own, written over the raw stack of the interpreter.
//!
//! Each folder has one `open(state, scratch)`, which sets one global table. What knows nothing of Lua
//! (formats, numbers, tokens) stands in files of its own, without unsafe code. How functions for Lua are
//! written is said in [`super::lua`].
//!
//! What scripts see, limits and error texts included, is what Redis 7.0.15 shows them:
//! `tests/data/lua-libraries.tsv` has its replies.

#![expect(unsafe_code, reason = "the raw interface of Lua")]

mod bit;
mod cjson;
mod cmsgpack;
mod structs;
#[cfg(test)]
mod tests;
mod words;

use super::lua::lua_State;
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_int};

/// Most that a function puts together before it makes a string of it, bytes. It is what a value may have
/// at most by default; a table that holds itself many times over would fill any memory.
const OUTPUT_BYTES_MAX: usize = 512 << 20;

/// Sets the tables of all libraries.
///
/// # Safety
/// A new state with some free slots; the buffer outlives it.
pub(super) unsafe fn open(state: *mut lua_State, scratch: *mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        bit::open(state, scratch);
        cjson::open(state, scratch);
        cmsgpack::open(state, scratch);
        structs::open(state, scratch);
    }
}

/// Leaves the function with an error of a text, in front of it the place in the script that called it. What
/// is on the stack goes, as the stack may be full.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn fail(state: *mut lua_State, text: &CStr) -> ! {
    // SAFETY: the caller's; the format takes one string, and that is not on the stack.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::luaL_error(state, c"%s".as_ptr(), text.as_ptr());
    }
    unreachable!("luaL_error does not return")
}

/// As [`fail`], with a text from the engine's buffer; a zero byte ends it.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn fail_with(state: *mut lua_State, text: &mut Vec<u8>) -> ! {
    // SAFETY: the caller's; the text is not in this frame.
    unsafe { fail(state, terminated(text)) }
}

/// Makes sure that there are so many free slots, or leaves the function with "stack overflow" and a reason.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn want_slots(state: *mut lua_State, count: c_int, reason: &CStr) {
    // SAFETY: the caller's; the format takes one string.
    unsafe {
        if ffi::lua_checkstack(state, count) == 0 {
            ffi::lua_settop(state, 0);
            ffi::luaL_error(state, c"stack overflow (%s)".as_ptr(), reason.as_ptr());
        }
    }
}

/// Leaves the function with "bad argument". What is on the stack goes, as the stack may be full.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn bad_argument(state: *mut lua_State, index: c_int, text: &CStr) -> ! {
    // SAFETY: the caller's; the text is not on the stack.
    unsafe {
        ffi::lua_settop(state, 0);
        ffi::luaL_argerror(state, index, text.as_ptr());
    }
    unreachable!("luaL_argerror does not return")
}

/// As [`bad_argument`], with a text from the engine's buffer; a zero byte ends it.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn bad_argument_of(state: *mut lua_State, index: c_int, text: &mut Vec<u8>) -> ! {
    // SAFETY: the caller's; the text is not in this frame.
    unsafe { bad_argument(state, index, terminated(text)) }
}

/// A text as C wants it.
fn terminated(text: &mut Vec<u8>) -> &CStr {
    text.push(0);
    CStr::from_bytes_until_nul(text).unwrap_or(c"")
}

/// The bytes of a string argument; a number becomes one. Raises an error for anything else.
///
/// # Safety
/// The argument stays on the stack for as long as its bytes are used; no frame owns anything.
unsafe fn check_bytes<'a>(state: *mut lua_State, index: c_int) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: the caller's; what comes back is a string's start and length.
    unsafe {
        let start = ffi::luaL_checklstring(state, index, &mut len);
        std::slice::from_raw_parts(start.cast(), len)
    }
}
