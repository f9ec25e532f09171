//! Encoding what is on Lua's stack.
//!
//! Tables may be nested as deep as the stack has slots, so that this loops where the format recurs: the
//! tables being encoded lie on the stack, and what else is to be known of them in the instance.

use super::super::super::lua::{lua_State, push_bytes, scratch, string_at};
use super::super::{OUTPUT_BYTES_MAX, bad_argument, fail, fail_with};
use super::settings::Settings;
use super::{ARRAY_MARK, Instance, number, text};
use crate::base::num;
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_int};

const TOO_MUCH: &CStr = c"Cannot serialise, too much output";

/// A table that is being encoded.
#[derive(Clone, Copy)]
pub(super) enum Frame {
    /// So many of its places are done, of so many. The table is on the stack.
    Array { done: i32, len: i32 },
    /// The table is on the stack, and the key that comes next behind.
    Object { is_first: bool },
}

/// What a table becomes.
enum Shape {
    Array(i32),
    Object,
    /// An array with too many places for its values.
    TooSparse,
}

struct Encoder<'a> {
    state: *mut lua_State,
    out: &'a mut Vec<u8>,
    instance: &'a mut Instance,
}

/// The one argument as JSON.
pub(super) unsafe extern "C-unwind" fn encode(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, the frames are the instance's, and nothing else
    // here owns memory.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            bad_argument(state, 1, c"expected 1 argument");
        }
        let instance = Instance::of(state);
        let mut encoder = Encoder { state, out: scratch(state), instance };
        encoder.instance.frames.clear();
        encoder.value();
        while encoder.advance() {
            encoder.value();
        }
        push_bytes(state, encoder.out);
        if !encoder.instance.settings.is_buffer_kept {
            encoder.instance.frames = Vec::new();
            *encoder.out = Vec::new();
        }
    }
    1
}

impl Encoder<'_> {
    fn settings(&self) -> &Settings {
        &self.instance.settings
    }

    /// Encodes the value on top and removes it; of a table only the start, and the table stays.
    ///
    /// # Safety
    /// No frame owns anything.
    unsafe fn value(&mut self) {
        // SAFETY: the caller's; a string stays where it is until it is encoded.
        unsafe {
            match ffi::lua_type(self.state, -1) {
                ffi::LUA_TSTRING => {
                    self.string(-1);
                }
                ffi::LUA_TNUMBER => self.number(-1),
                ffi::LUA_TBOOLEAN => {
                    let truth = ffi::lua_toboolean(self.state, -1) != 0;
                    self.out.extend_from_slice(if truth { b"true" } else { b"false" });
                }
                ffi::LUA_TNIL => self.out.extend_from_slice(b"null"),
                ffi::LUA_TLIGHTUSERDATA if ffi::lua_touserdata(self.state, -1).is_null() => {
                    self.out.extend_from_slice(b"null");
                }
                ffi::LUA_TTABLE => return self.open_table(),
                _ => self.fail(-1, b"type not supported"),
            }
            ffi::lua_pop(self.state, 1);
        }
    }

    /// # Safety
    /// A number is at the index; no frame owns anything.
    unsafe fn number(&mut self, index: c_int) {
        // SAFETY: the caller's.
        unsafe {
            let n = ffi::lua_tonumber(self.state, index);
            let digits_max = num::low_u8(u64::from(self.settings().digits_max.unsigned_abs()));
            let invalid = self.settings().encode_invalid;
            if number::write(n, digits_max, invalid, self.out).is_err() {
                self.fail(index, b"must not be NaN or Inf");
            }
        }
    }

    /// # Safety
    /// A string is there; no frame owns anything.
    unsafe fn string(&mut self, index: c_int) {
        // SAFETY: the caller's; it stays where it is until it is encoded.
        unsafe {
            let bytes = string_at(self.state, index).unwrap_or(b"");
            if self.out.len() + bytes.len() > OUTPUT_BYTES_MAX / text::GROWTH_MAX
                && self.out.len() + text::len(bytes) > OUTPUT_BYTES_MAX
            {
                fail(self.state, TOO_MUCH);
            }
            text::write(bytes, self.out);
        }
    }

    /// Starts the table on top.
    ///
    /// # Safety
    /// No frame owns anything.
    unsafe fn open_table(&mut self) {
        // SAFETY: the caller's; slots are asked for.
        unsafe {
            let depth = self.instance.frames.len() + 1;
            let depth_max = num::usize_of_u32(self.settings().encode_depth_max.unsigned_abs());
            if depth > depth_max || ffi::lua_checkstack(self.state, 3) == 0 {
                self.out.clear();
                self.out.extend_from_slice(b"Cannot serialise, excessive nesting (");
                num::write_u64(self.out, num::u64_of(depth));
                self.out.push(b')');
                fail_with(self.state, self.out);
            }
            let frame = match shape(self.state, &self.instance.settings) {
                Shape::TooSparse => self.fail(-1, b"excessively sparse array"),
                Shape::Array(len) => {
                    self.out.push(b'[');
                    Frame::Array { done: 0, len }
                }
                Shape::Object => {
                    self.out.push(b'{');
                    ffi::lua_pushnil(self.state);
                    Frame::Object { is_first: true }
                }
            };
            self.instance.frames.push(frame);
        }
    }

    /// Pushes the next value that is to be encoded, behind its key; removes tables that have no more.
    /// False once all are removed.
    ///
    /// # Safety
    /// The stack is as the frames say; no frame of this program owns anything.
    unsafe fn advance(&mut self) -> bool {
        while let Some(frame) = self.instance.frames.last_mut() {
            if self.out.len() > OUTPUT_BYTES_MAX {
                // SAFETY: the caller's.
                unsafe { fail(self.state, TOO_MUCH) };
            }
            // SAFETY: the caller's; the key that `lua_next` is given is the one it gave.
            unsafe {
                match frame {
                    Frame::Array { done, len } if *done < *len => {
                        *done += 1;
                        let index = *done;
                        if index > 1 {
                            self.out.push(b',');
                        }
                        ffi::lua_rawgeti_(self.state, -1, index);
                        return true;
                    }
                    Frame::Array { .. } => self.out.push(b']'),
                    Frame::Object { is_first } => {
                        let was_first = std::mem::replace(is_first, false);
                        if ffi::lua_next(self.state, -2) != 0 {
                            if !was_first {
                                self.out.push(b',');
                            }
                            self.key();
                            return true;
                        }
                        self.out.push(b'}');
                    }
                }
                ffi::lua_pop(self.state, 1);
            }
            self.instance.frames.pop();
        }
        false
    }

    /// Encodes the key below the top.
    ///
    /// # Safety
    /// No frame owns anything.
    unsafe fn key(&mut self) {
        // SAFETY: the caller's; a string stays where it is until it is encoded.
        unsafe {
            match ffi::lua_type(self.state, -2) {
                ffi::LUA_TNUMBER => {
                    self.out.push(b'"');
                    self.number(-2);
                    self.out.push(b'"');
                }
                ffi::LUA_TSTRING => {
                    self.string(-2);
                }
                _ => self.fail(-2, b"table key must be a number or string"),
            }
        }
        self.out.push(b':');
    }

    /// # Safety
    /// No frame owns anything.
    unsafe fn fail(&mut self, index: c_int, reason: &[u8]) -> ! {
        self.out.clear();
        self.out.extend_from_slice(b"Cannot serialise ");
        // SAFETY: the caller's; names of types are literals. The text is in the engine's buffer.
        unsafe {
            let name = ffi::lua_typename(self.state, ffi::lua_type(self.state, index));
            self.out.extend_from_slice(CStr::from_ptr(name).to_bytes());
            self.out.extend_from_slice(b": ");
            self.out.extend_from_slice(reason);
            fail_with(self.state, self.out)
        }
    }
}

/// The shape of the table on top: an array if all keys are positive integers, and there is one, or the
/// table is marked.
///
/// # Safety
/// Two free slots; no frame owns anything.
unsafe fn shape(state: *mut lua_State, settings: &Settings) -> Shape {
    let (mut highest, mut values) = (0_i32, 0_i32);
    // SAFETY: the caller's; nothing is done to the table meanwhile.
    unsafe {
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, -2) != 0 {
            let is_number = ffi::lua_type(state, -2) == ffi::LUA_TNUMBER;
            let key = ffi::lua_tonumber(state, -2);
            if !is_number || key < 1.0 || key.floor() != key {
                ffi::lua_pop(state, 2);
                return Shape::Object;
            }
            if key > f64::from(highest) {
                // What is too large becomes the lowest number, as it does in the original library.
                highest = num::i64_exactly(key)
                    .and_then(|key| i32::try_from(key).ok())
                    .unwrap_or(i32::MIN);
            }
            values = values.saturating_add(1);
            ffi::lua_pop(state, 1);
        }
        if values == 0 && is_marked(state) {
            return Shape::Array(0);
        }
    }
    if settings.sparse_ratio > 0
        && highest > values.wrapping_mul(settings.sparse_ratio)
        && highest > settings.sparse_safe
    {
        return if settings.sparse_convert { Shape::Object } else { Shape::TooSparse };
    }
    if highest > 0 { Shape::Array(highest) } else { Shape::Object }
}

/// Whether the table on top was decoded from an empty array, and marked.
///
/// # Safety
/// Two free slots; no frame owns anything.
unsafe fn is_marked(state: *mut lua_State) -> bool {
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_getmetatable(state, -1) == 0 {
            return false;
        }
        push_bytes(state, ARRAY_MARK);
        ffi::lua_rawget_(state, -2);
        let is_marked = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_pop(state, 2);
        is_marked
    }
}
