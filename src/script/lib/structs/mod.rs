//! `struct`: numbers and strings as bytes, laid out by a format.

mod format;
mod numbers;

use super::super::lua::{Function, lua_State, push_bytes, register, scratch};
use super::{bad_argument, bad_argument_of, check_bytes, fail, fail_with, want_slots};
use crate::base::num;
use format::{Field, Format, FormatError, Order};
use mlua_sys::lua51 as ffi;
use std::ffi::{CStr, c_int};

const FUNCTIONS: [(&CStr, Function); 3] = [(c"pack", pack), (c"unpack", unpack), (c"size", size)];

/// Sets the global table.
///
/// # Safety
/// As for [`register`].
pub(super) unsafe fn open(state: *mut lua_State, buffer: *mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        register(state, c"struct", &FUNCTIONS, buffer);
        ffi::lua_pop(state, 1);
    }
}

/// The next option of a format; raises what is wrong with it.
///
/// # Safety
/// Within a function that Lua calls; no frame owns anything.
unsafe fn next(state: *mut lua_State, format: &mut Format<'_>, out: &mut Vec<u8>) -> Option<Field> {
    match format.next() {
        Ok(field) => field,
        // SAFETY: the caller's.
        Err(error) => unsafe { raise_format_error(state, error, out) },
    }
}

/// # Safety
/// As for [`next`].
unsafe fn raise_format_error(state: *mut lua_State, error: FormatError, out: &mut Vec<u8>) -> ! {
    out.clear();
    error.write(out);
    // SAFETY: the caller's; the text is in the engine's buffer.
    unsafe { fail_with(state, out) }
}

/// # Safety
/// As for [`next`].
unsafe fn raise_unknown(state: *mut lua_State, option: u8, out: &mut Vec<u8>) -> ! {
    out.clear();
    out.extend_from_slice(b"invalid format option '");
    out.push(option);
    out.push(b'\'');
    // SAFETY: the caller's; the text is in the engine's buffer.
    unsafe { bad_argument_of(state, 1, out) }
}

unsafe extern "C-unwind" fn pack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, and nothing else here owns memory.
    unsafe {
        let mut format = Format::new(check_bytes(state, 1));
        let out = scratch(state);
        ffi::lua_pushnil(state); // what a missing argument is
        let mut argument = 2;
        while let Some(field) = next(state, &mut format, out) {
            let padding = format.padding(field, out.len());
            out.resize(out.len() + padding, 0);
            match field {
                Field::Control => {}
                Field::Unknown(option) => raise_unknown(state, option, out),
                Field::BadAlignment(error) => raise_format_error(state, error, out),
                Field::Pad => out.push(0),
                Field::Integer(size, _) => {
                    let n = ffi::luaL_checknumber(state, argument);
                    numbers::write_integer(numbers::bits_of(n), size, format.order, out);
                    argument += 1;
                }
                Field::Float => {
                    let n = ffi::luaL_checknumber(state, argument);
                    numbers::write_float(n, format.order, out);
                    argument += 1;
                }
                Field::Double => {
                    let n = ffi::luaL_checknumber(state, argument);
                    numbers::write_double(n, format.order, out);
                    argument += 1;
                }
                Field::Text => {
                    out.extend_from_slice(check_bytes(state, argument));
                    out.push(0);
                    argument += 1;
                }
                Field::Chars(len) => {
                    let text = check_bytes(state, argument);
                    argument += 1;
                    match text.get(..if len == 0 { text.len() } else { len }) {
                        Some(text) => out.extend_from_slice(text),
                        None => bad_argument(state, argument, c"string too short"),
                    }
                }
            }
        }
        push_bytes(state, out);
    }
    1
}

/// Bytes from a position on, behind which there are enough.
///
/// # Safety
/// As for [`next`].
unsafe fn take(state: *mut lua_State, data: &[u8], position: usize, len: usize) -> &[u8] {
    let taken = data.get(position..).and_then(|rest| rest.get(..len));
    match taken {
        Some(taken) => taken,
        // SAFETY: the caller's.
        None => unsafe { bad_argument(state, 2, c"data string too short") },
    }
}

unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, and nothing else here owns memory. Slots are
    // asked for before each value.
    unsafe {
        let mut format = Format::new(check_bytes(state, 1));
        let data = check_bytes(state, 2);
        let out = scratch(state);
        let start = ffi::luaL_optinteger(state, 3, 1);
        if start == 0 {
            bad_argument(state, 3, c"offset must be 1 or greater");
        }
        // A negative one is beyond every end.
        let mut position = num::usize_of(start.wrapping_sub(1).cast_unsigned());
        let mut results = 0;
        while let Some(field) = next(state, &mut format, out) {
            position = position.wrapping_add(format.padding(field, position));
            let bytes = take(state, data, position, field.size());
            want_slots(state, 2, c"too many results");
            position += match field {
                Field::Control | Field::Pad => bytes.len(),
                Field::Unknown(option) => raise_unknown(state, option, out),
                Field::BadAlignment(error) => raise_format_error(state, error, out),
                Field::Integer(..) | Field::Float | Field::Double => {
                    results += 1;
                    ffi::lua_pushnumber(state, number(field, bytes, format.order));
                    bytes.len()
                }
                Field::Chars(0) => {
                    // It takes the place of the length in front of it.
                    if results == 0 || ffi::lua_isnumber(state, -1) == 0 {
                        fail(state, c"format 'c0' needs a previous size");
                    }
                    let len = num::usize_of(numbers::bits_of(ffi::lua_tonumber(state, -1)));
                    ffi::lua_pop(state, 1);
                    push_bytes(state, take(state, data, position, len));
                    len
                }
                Field::Chars(_) => {
                    results += 1;
                    push_bytes(state, bytes);
                    bytes.len()
                }
                Field::Text => {
                    results += 1;
                    let rest = data.get(position..).unwrap_or(b"");
                    let Some(end) = memchr::memchr(0, rest) else {
                        fail(state, c"unfinished string in data");
                    };
                    push_bytes(state, &rest[..end]);
                    end + 1
                }
            };
        }
        ffi::lua_pushinteger(state, num::u64_of(position.wrapping_add(1)).cast_signed());
        results + 1
    }
}

/// The number that so many bytes are; 0 for a field that is none.
fn number(field: Field, bytes: &[u8], order: Order) -> f64 {
    match field {
        Field::Integer(_, sign) => numbers::read_integer(bytes, order, sign),
        Field::Float => numbers::read_float(bytes, order).unwrap_or(0.0),
        Field::Double => numbers::read_double(bytes, order).unwrap_or(0.0),
        Field::Chars(_)
        | Field::Text
        | Field::Pad
        | Field::Control
        | Field::Unknown(_)
        | Field::BadAlignment(_) => 0.0,
    }
}

unsafe extern "C-unwind" fn size(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, and nothing else here owns memory.
    unsafe {
        let mut format = Format::new(check_bytes(state, 1));
        let out = scratch(state);
        let mut total = 0_usize;
        while let Some(field) = next(state, &mut format, out) {
            match field {
                Field::Text => bad_argument(state, 1, c"option 's' has no fixed size"),
                Field::Chars(0) => bad_argument(state, 1, c"option 'c0' has no fixed size"),
                // Letters and digits that mean nothing have no size.
                Field::Unknown(option) if !option.is_ascii_alphanumeric() => {
                    raise_unknown(state, option, out);
                }
                Field::BadAlignment(error) => raise_format_error(state, error, out),
                Field::Unknown(_)
                | Field::Integer(..)
                | Field::Float
                | Field::Double
                | Field::Chars(_)
                | Field::Pad
                | Field::Control => {}
            }
            let padding = format.padding(field, total);
            total = total.wrapping_add(padding).wrapping_add(field.size());
        }
        ffi::lua_pushinteger(state, num::u64_of(total).cast_signed());
    }
    1
}
