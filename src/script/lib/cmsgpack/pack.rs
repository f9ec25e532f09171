//! Packing what is on Lua's stack.

use super::super::super::lua::{lua_State, push_bytes, scratch, string_at};
use super::super::{OUTPUT_BYTES_MAX, bad_argument, fail, want_slots};
use super::write;
use crate::base::num;
use mlua_sys::lua51 as ffi;
use std::ffi::c_int;

/// Most tables within each other; nil stands for those that are deeper.
const DEPTH_MAX: u32 = 16;

/// What a table becomes.
enum Shape {
    /// Its keys are 1 to this.
    Array(i32),
    /// So many pairs.
    Map(u32),
}

/// All arguments, one behind the other.
pub(super) unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, and nothing else here owns memory.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count == 0 {
            bad_argument(state, 0, c"MessagePack pack needs input.");
        }
        // Nothing needs as much here; it is where the original library gives up.
        if ffi::lua_checkstack(state, count) == 0 {
            bad_argument(state, 0, c"Too many arguments for MessagePack pack.");
        }
        let out = scratch(state);
        for index in 1..=count {
            ffi::lua_pushvalue(state, index);
            pack_top(state, 0, out);
        }
        push_bytes(state, out);
    }
    1
}

/// Packs the value on top and removes it.
///
/// # Safety
/// A free slot; no frame owns anything.
unsafe fn pack_top(state: *mut lua_State, depth: u32, out: &mut Vec<u8>) {
    // SAFETY: the caller's; a string stays where it is until it is packed.
    unsafe {
        match ffi::lua_type(state, -1) {
            ffi::LUA_TSTRING => write::string(string_at(state, -1).unwrap_or(b""), out),
            ffi::LUA_TNUMBER => write::number(ffi::lua_tonumber(state, -1), out),
            ffi::LUA_TBOOLEAN => write::boolean(ffi::lua_toboolean(state, -1), out),
            ffi::LUA_TTABLE if depth < DEPTH_MAX => pack_table(state, depth, out),
            _ => write::nil(out),
        }
        ffi::lua_pop(state, 1);
        if out.len() > OUTPUT_BYTES_MAX {
            fail(state, c"MessagePack pack: too much output.");
        }
    }
}

/// Packs the table on top, which stays.
///
/// # Safety
/// No frame owns anything.
unsafe fn pack_table(state: *mut lua_State, depth: u32, out: &mut Vec<u8>) {
    // SAFETY: the caller's; the stack has room for a key, a value and a copy of the key, and the key
    // that `lua_next` is given is the one it gave.
    unsafe {
        want_slots(state, 4, c"in function mp_encode_lua_table");
        match shape(state) {
            Shape::Array(len) => {
                write::array(len.unsigned_abs(), out);
                for index in 1..=len {
                    ffi::lua_rawgeti_(state, -1, index);
                    pack_top(state, depth + 1, out);
                }
            }
            Shape::Map(len) => {
                write::map(len, out);
                ffi::lua_pushnil(state);
                while ffi::lua_next(state, -2) != 0 {
                    ffi::lua_pushvalue(state, -2);
                    pack_top(state, depth + 1, out);
                    pack_top(state, depth + 1, out);
                }
            }
        }
    }
}

/// The shape of the table on top: an array if its keys are 1, 2, 3 and so on. An empty one is, too.
///
/// # Safety
/// Two free slots.
unsafe fn shape(state: *mut lua_State) -> Shape {
    let (mut count, mut highest, mut is_array) = (0_u32, 0_i64, true);
    // SAFETY: the caller's; nothing is done to the table meanwhile.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            ffi::lua_pop(state, 1);
            count = count.saturating_add(1);
            let is_number = ffi::lua_type(state, -1) == ffi::LUA_TNUMBER;
            match num::i64_exactly(ffi::lua_tonumber(state, -1)) {
                Some(index @ 1..) if is_number => highest = highest.max(index),
                Some(_) | None => is_array = false,
            }
        }
    }
    match i32::try_from(highest) {
        Ok(len) if is_array && len.unsigned_abs() == count => Shape::Array(len),
        Ok(_) | Err(_) => Shape::Map(count),
    }
}
