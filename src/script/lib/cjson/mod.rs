//! `cjson`: values as JSON and back.
//!
//! Each table of functions, the global one and what `cjson.new` returns, has an [`Instance`]: a userdata
//! that is the second upvalue of its functions, and that scripts cannot reach.

mod decode;
mod encode;
mod number;
mod settings;
mod text;
mod token;

use super::super::lua::{Function, lua_State, push_bytes};
use mlua_sys::lua51 as ffi;
use settings::Settings;
use std::ffi::{CStr, c_int};
use std::ptr;

const FUNCTIONS: [(&CStr, Function); 11] = [
    (c"encode", encode::encode),
    (c"decode", decode::decode),
    (c"new", new),
    (c"encode_sparse_array", settings::encode_sparse_array),
    (c"encode_max_depth", settings::encode_max_depth),
    (c"decode_max_depth", settings::decode_max_depth),
    (c"encode_number_precision", settings::encode_number_precision),
    (c"encode_keep_buffer", settings::encode_keep_buffer),
    (c"encode_invalid_numbers", settings::encode_invalid_numbers),
    (c"decode_invalid_numbers", settings::decode_invalid_numbers),
    (c"decode_array_with_array_mt", settings::decode_array_with_array_mt),
];

/// Field of the metatable of an empty array that shall stay one.
const ARRAY_MARK: &[u8] = b"__is_cjson_array";

/// What the functions of one table share.
struct Instance {
    settings: Settings,
    /// The tables that are being encoded, the innermost last.
    frames: Vec<encode::Frame>,
}

// Lua aligns userdata to its widest type.
const _: () = assert!(align_of::<Instance>() <= 8);

impl Instance {
    /// That of the function which runs.
    ///
    /// # Safety
    /// Within a function of `FUNCTIONS`, once.
    unsafe fn of<'a>(state: *mut lua_State) -> &'a mut Instance {
        // SAFETY: `push_table` put it there; a function that runs holds its upvalues, and nothing it calls
        // leads to another one.
        unsafe {
            let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(2));
            &mut *place.cast::<Instance>()
        }
    }
}

/// Sets the global table.
///
/// # Safety
/// As for [`super::open`].
pub(super) unsafe fn open(state: *mut lua_State, buffer: *mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        push_table(state, buffer);
        ffi::lua_setfield(state, ffi::LUA_GLOBALSINDEX, c"cjson".as_ptr());
    }
}

/// A table of functions with settings of its own.
unsafe extern "C-unwind" fn new(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; its first upvalue is the engine's buffer. Whatever the arguments were, they
    // are in nobody's way.
    unsafe {
        ffi::lua_settop(state, 0);
        let buffer = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1));
        push_table(state, buffer.cast());
    }
    1
}

/// Pushes a table of functions over a new [`Instance`].
///
/// # Safety
/// Five free slots; no frame owns anything.
unsafe fn push_table(state: *mut lua_State, buffer: *mut Vec<u8>) {
    // SAFETY: the caller's. The userdata is as large as what is put there, which owns nothing yet, so that
    // nothing is lost if the lines behind it raise an error.
    unsafe {
        let place = ffi::lua_newuserdata(state, size_of::<Instance>());
        let instance = Instance { settings: Settings::DEFAULT, frames: Vec::new() };
        place.cast::<Instance>().write(instance);
        ffi::lua_createtable(state, 0, 1);
        ffi::lua_pushcclosure(state, free, 0);
        ffi::lua_setfield(state, -2, c"__gc".as_ptr());
        ffi::lua_setmetatable(state, -2);
        ffi::lua_createtable(state, 0, 16);
        for (name, function) in FUNCTIONS {
            ffi::lua_pushlightuserdata(state, buffer.cast());
            ffi::lua_pushvalue(state, -3);
            ffi::lua_pushcclosure(state, function, 2);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_pushlightuserdata(state, ptr::null_mut());
        ffi::lua_setfield(state, -2, c"null".as_ptr());
        for (name, text) in [(c"_NAME", "cjson"), (c"_VERSION", "2.1.0")] {
            push_bytes(state, text.as_bytes());
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_remove(state, -2); // the userdata, which the functions hold
    }
}

/// The collector frees an [`Instance`].
unsafe extern "C-unwind" fn free(state: *mut lua_State) -> c_int {
    // SAFETY: only the metatable of an instance has this, and scripts reach neither. What stays in its
    // place owns nothing.
    unsafe {
        let instance = ffi::lua_touserdata(state, 1).cast::<Instance>();
        (*instance).frames = Vec::new();
    }
    0
}
