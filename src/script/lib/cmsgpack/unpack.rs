//! Unpacking onto Lua's stack.
//!
//! What is unpacked may be nested as deep as the stack has slots, so that this loops where the format
//! recurs: the tables being filled, with their keys, lie on the stack, and what else is to be known of
//! them in the engine's buffer.

use super::super::super::lua::{lua_State, push_bytes, scratch};
use super::super::{check_bytes, fail, fail_with, want_slots, words};
use super::read::{Item, Malformed, Reader};
use crate::base::num;
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_int};

const TOO_MANY: &CStr = c"too many return values at once; use unpack_one or unpack_limit instead.";

/// The innermost table that is being filled; it is on top, with what is said here above it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Frame {
    /// An array lacks so many values; the index of the next one.
    Array(u32),
    /// A map lacks so many pairs, of this one its key; nothing.
    Key(u32),
    /// A map lacks so many pairs, of this one its value; the key.
    Value(u32),
}

impl Frame {
    fn word(self) -> u64 {
        let (kind, left) = match self {
            Frame::Array(left) => (0, left),
            Frame::Key(left) => (1, left),
            Frame::Value(left) => (2, left),
        };
        kind << 32 | u64::from(left)
    }

    fn of(word: u64) -> Frame {
        let left = num::low_u32(word);
        match word >> 32 {
            0 => Frame::Array(left),
            1 => Frame::Key(left),
            _ => Frame::Value(left),
        }
    }
}

/// All values of a string.
pub(super) unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe { unpack_from(state, 0, 0) }
}

/// The value at an offset, behind the offset of the next one.
pub(super) unsafe extern "C-unwind" fn unpack_one(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe {
        let offset = ffi::luaL_optinteger(state, 2, 0);
        keep_first(state);
        unpack_from(state, 1, offset)
    }
}

/// At most so many values from an offset on, behind the offset of the next one.
pub(super) unsafe extern "C-unwind" fn unpack_limit(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this.
    unsafe {
        let limit = ffi::luaL_checkinteger(state, 2);
        let offset = ffi::luaL_optinteger(state, 3, 0);
        keep_first(state);
        unpack_from(state, limit, offset)
    }
}

/// Removes all arguments but the first.
///
/// # Safety
/// Within a function that Lua calls.
unsafe fn keep_first(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_gettop(state) > 1 {
            ffi::lua_settop(state, 1);
        }
    }
}

/// Without limit and offset all values, and no offset in front of them.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn unpack_from(state: *mut lua_State, limit: i64, offset: i64) -> c_int {
    // SAFETY: the caller's; the buffer is the engine's.
    unsafe {
        let input = check_bytes(state, 1);
        let out = scratch(state);
        let Some(start) = usize::try_from(offset).ok().filter(|_| limit >= 0) else {
            out.extend_from_slice(b"Invalid request to unpack with offset of ");
            write_int(offset, out);
            out.extend_from_slice(b" and limit of ");
            write_int(num::i64_of(input.len()), out);
            out.push(b'.');
            fail_with(state, out);
        };
        let Some(rest) = input.get(start..) else {
            out.extend_from_slice(b"Start offset ");
            write_int(offset, out);
            out.extend_from_slice(b" greater than input length ");
            write_int(num::i64_of(input.len()), out);
            out.push(b'.');
            fail_with(state, out);
        };
        let is_all = limit == 0 && offset == 0;
        let limit = if is_all { i64::MAX } else { limit };
        let mut reader = Reader { rest };
        let mut count = 0;
        while !reader.rest.is_empty() && i64::from(count) < limit {
            push_value(state, &mut reader, out);
            count += 1;
        }
        if is_all {
            return count;
        }
        want_slots(state, 1, c"in function mp_unpack_full");
        let end = num::i64_of(input.len() - reader.rest.len());
        ffi::lua_pushinteger(state, if reader.rest.is_empty() { -1 } else { end });
        ffi::lua_insert(state, 2);
        count + 1
    }
}

/// Appends the lower half of a number, which is what the original library prints.
fn write_int(n: i64, out: &mut Vec<u8>) {
    let n = num::low_u32(n.cast_unsigned()).cast_signed();
    num::write_i64(out, i64::from(n));
}

/// Reads one value and pushes it.
///
/// # Safety
/// No frame owns anything.
unsafe fn push_value(state: *mut lua_State, reader: &mut Reader<'_>, frames: &mut Vec<u8>) {
    let mut frame = None;
    loop {
        // SAFETY: the caller's.
        let opened = unsafe { push_item(state, reader) };
        if let Some(opened) = opened {
            // The frame around it, or nothing at the bottom.
            if let Some(frame) = frame.replace(opened) {
                words::push(frames, frame.word());
            }
            continue;
        }
        // A value is complete; so is each table that it is the last value of.
        loop {
            let Some(inner) = frame else { return };
            // SAFETY: the stack is as the frame says, the value on top.
            frame = unsafe { put(state, inner) };
            if frame.is_some() {
                break;
            }
            frame = words::pop(frames).map(Frame::of);
        }
    }
}

/// Reads one item and pushes it; of an array or a map that has items the empty table, for whose frame it
/// pushes what belongs there.
///
/// # Safety
/// No frame owns anything.
unsafe fn push_item(state: *mut lua_State, reader: &mut Reader<'_>) -> Option<Frame> {
    // SAFETY: the caller's; slots are asked for.
    unsafe {
        if reader.rest.is_empty() {
            fail(state, Malformed::Missing.text());
        }
        want_slots(state, 1, TOO_MANY);
        match reader.next() {
            Err(malformed) => fail(state, malformed.text()),
            Ok(Item::Nil) => ffi::lua_pushnil(state),
            Ok(Item::Boolean(truth)) => ffi::lua_pushboolean(state, c_int::from(truth)),
            Ok(Item::Number(n)) => ffi::lua_pushnumber(state, n),
            Ok(Item::String(bytes)) => push_bytes(state, bytes),
            Ok(Item::Array(len)) => {
                want_slots(state, 2, c"in function mp_decode_to_lua_array");
                ffi::lua_createtable(state, 0, 0);
                if len > 0 {
                    ffi::lua_pushnumber(state, 1.0);
                    return Some(Frame::Array(len));
                }
            }
            Ok(Item::Map(len)) => {
                ffi::lua_createtable(state, 0, 0);
                if len > 0 {
                    return Some(Frame::Key(len));
                }
            }
        }
    }
    None
}

/// Puts the value on top where the frame wants it; `None` if its table, now on top, is complete.
///
/// # Safety
/// The stack is as the frame says, and the value above that.
unsafe fn put(state: *mut lua_State, frame: Frame) -> Option<Frame> {
    // SAFETY: the caller's; a key of nil or NaN raises an error, and no frame owns anything.
    unsafe {
        match frame {
            Frame::Key(left) => Some(Frame::Value(left)),
            Frame::Value(left) => {
                ffi::lua_rawset(state, -3);
                (left > 1).then(|| Frame::Key(left - 1))
            }
            Frame::Array(left) => {
                let index = ffi::lua_tonumber(state, -2);
                ffi::lua_rawset(state, -3);
                if left <= 1 {
                    return None;
                }
                ffi::lua_pushnumber(state, index + 1.0);
                Some(Frame::Array(left - 1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_from_their_words() {
        for frame in [Frame::Array(1), Frame::Key(u32::MAX), Frame::Value(7)] {
            assert_eq!(Frame::of(frame.word()), frame);
        }
    }
}
