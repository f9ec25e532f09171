//! Source text to functions.
//!
//! Lua 5.1.5 has faults in its parser that are kept out from here: the collector rests while it parses
//! (a chunk's name could be collected, CVE-2025-49844), chunks are bounded (lengths overflow,
//! CVE-2025-46819), and compiled chunks, which nothing verifies, are not taken for what they are.

use super::{Shared, ffi, interpreter, lua_State, push_bytes, string_at};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr;

/// Longest chunk, bytes.
const CHUNK_LEN_MAX: usize = 256 << 20;

/// A chunk on its way to the parser.
struct Source<'a> {
    /// What begins a compiled chunk is no text: a blank in front makes the parser say so.
    blank: &'static [u8],
    text: &'a [u8],
}

unsafe extern "C-unwind" fn read(
    _state: *mut lua_State,
    source: *mut c_void,
    len: *mut usize,
) -> *const c_char {
    // SAFETY: `parse` gives its own source, which nobody else uses meanwhile.
    let source = unsafe { &mut *source.cast::<Source<'_>>() };
    let blank = std::mem::take(&mut source.blank);
    let piece = if blank.is_empty() { std::mem::take(&mut source.text) } else { blank };
    // SAFETY: Lua gives a place for the length.
    unsafe { *len = piece.len() };
    piece.as_ptr().cast()
}

/// Pushes the function that a text makes, or the error that it has; the status as `lua_load` gives it.
///
/// # Safety
/// A free slot; the text and the name stay where they are.
pub(super) unsafe fn parse(state: *mut lua_State, text: &[u8], name: &CStr) -> c_int {
    // SAFETY: the caller's. `lua_load` raises nothing, so that the collector goes on after it.
    unsafe {
        if text.len() > CHUNK_LEN_MAX {
            push_bytes(state, TOO_LONG);
            return ffi::LUA_ERRSYNTAX;
        }
        let is_compiled = text.first() == ffi::LUA_SIGNATURE.first();
        let mut source = Source { blank: if is_compiled { b" " } else { b"" }, text };
        let shared = Shared::of(state);
        ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
        let status = ffi::lua_load(state, read, (&raw mut source).cast(), name.as_ptr());
        if !shared.is_collector_set {
            ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
        }
        status
    }
}

/// Makes the results of `load` and `loadstring` of what `parse` left.
///
/// # Safety
/// As for `parse`.
unsafe fn results(state: *mut lua_State, status: c_int) -> c_int {
    if status == ffi::LUA_OK {
        return 1;
    }
    // SAFETY: a function has 20 slots.
    unsafe {
        ffi::lua_pushnil(state);
        ffi::lua_insert(state, -2);
    }
    2
}

/// `loadstring(text [, name])`
pub(super) unsafe extern "C-unwind" fn loadstring(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; both strings are arguments and stay there.
    unsafe {
        let mut len = 0;
        let start = ffi::luaL_checklstring(state, 1, &mut len);
        let name = ffi::luaL_optlstring(state, 2, start, ptr::null_mut());
        let text = std::slice::from_raw_parts(start.cast(), len);
        let status = parse(state, text, CStr::from_ptr(name));
        results(state, status)
    }
}

/// Pieces between two looks whether the script is to end.
const PIECES_PER_LOOK: i64 = 256;
const TOO_LONG: &[u8] = b"chunk has too many bytes";

/// The first `count` strings of the table at an index, of `total_len` bytes together, one behind the other: in a
/// block that is pushed. To join each piece to those before would take as much time as the square of their number.
unsafe fn joined<'a>(
    state: *mut lua_State,
    table: c_int,
    count: i64,
    total_len: usize,
) -> &'a [u8] {
    // SAFETY: nothing is owned; the block has room for all of the strings, and stays on the stack.
    unsafe {
        let block: *mut u8 = ffi::lua_newuserdata(state, total_len.max(1)).cast();
        let mut at = 0;
        for index in 1..=count {
            ffi::lua_rawgeti(state, table, index);
            let piece = string_at(state, -1).unwrap_or_default();
            ptr::copy_nonoverlapping(piece.as_ptr(), block.add(at), piece.len());
            at += piece.len();
            ffi::lua_settop(state, -2);
        }
        std::slice::from_raw_parts(block, at)
    }
}

/// `load(function [, name])`: the pieces are collected first, so that no script runs while another is
/// parsed.
pub(super) unsafe extern "C-unwind" fn load(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; what is collected is on the stack, in a table.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TFUNCTION);
        let name = ffi::luaL_optlstring(state, 2, c"=(load)".as_ptr(), ptr::null_mut());
        ffi::lua_settop(state, 2);
        ffi::lua_newtable(state);
        let (mut count, mut total_len) = (0, 0_usize);
        loop {
            ffi::lua_pushvalue(state, 1);
            let status = ffi::lua_pcall(state, 0, 1, 0);
            if status != ffi::LUA_OK {
                if Shared::of(state).is_killed {
                    ffi::lua_error(state);
                }
                return results(state, status);
            }
            if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
                break;
            }
            if ffi::lua_isstring(state, -1) == 0 {
                push_bytes(state, b"reader function must return a string");
                return results(state, ffi::LUA_ERRRUN);
            }
            let mut len = 0;
            ffi::lua_tolstring(state, -1, &mut len);
            if len == 0 {
                break;
            }
            ffi::lua_settop(state, 4);
            count += 1;
            total_len += len;
            if total_len > CHUNK_LEN_MAX {
                push_bytes(state, TOO_LONG);
                return results(state, ffi::LUA_ERRSYNTAX);
            }
            ffi::lua_rawseti(state, 3, count);
            if count % PIECES_PER_LOOK == 0 {
                interpreter::look(state); // a function that is not Lua's own executes no instructions
            }
        }
        let text = joined(state, 3, count, total_len);
        let status = parse(state, text, CStr::from_ptr(name));
        results(state, status)
    }
}
