//! `cmsgpack`: values as MessagePack and back.

mod pack;
mod read;
mod unpack;
mod write;

use super::super::lua::{Function, lua_State, push_bytes, register};
use mlua_sys::lua51 as ffi;
use std::ffi::CStr;

const FUNCTIONS: [(&CStr, Function); 4] = [
    (c"pack", pack::pack),
    (c"unpack", unpack::unpack),
    (c"unpack_one", unpack::unpack_one),
    (c"unpack_limit", unpack::unpack_limit),
];

/// What a script may ask the library, as Redis answers it.
const TEXTS: [(&CStr, &[u8]); 4] = [
    (c"_NAME", b"cmsgpack"),
    (c"_VERSION", b"lua-cmsgpack 0.4.0"),
    (c"_COPYRIGHT", b"Copyright (C) 2012, Salvatore Sanfilippo"),
    (c"_DESCRIPTION", b"MessagePack C implementation for Lua"),
];

/// Sets the global table.
///
/// # Safety
/// As for [`register`].
pub(super) unsafe fn open(state: *mut lua_State, buffer: *mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        register(state, c"cmsgpack", &FUNCTIONS, buffer);
        for (name, text) in TEXTS {
            push_bytes(state, text);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_pop(state, 1);
    }
}
