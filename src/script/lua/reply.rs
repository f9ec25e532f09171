//! A command's reply to a value for the script.

use super::names::{self, Name, Place};
use super::{ffi, lua_State, push_bytes, raise};
use crate::base::{float, num};
use std::ffi::c_int;

/// What a reply turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    Error,
}

/// Reads a reply that the server itself has written.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn line(&mut self) -> (u8, &'a [u8]) {
        let end = memchr::memchr(b'\r', self.rest).unwrap_or(self.rest.len());
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest.get(2..).unwrap_or_default();
        line.split_first().map_or((b'_', &[][..]), |(&kind, text)| (kind, text))
    }

    fn bulk(&mut self, len: usize) -> &'a [u8] {
        let (bytes, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, &[]));
        self.rest = rest.get(2..).unwrap_or_default();
        bytes
    }
}

/// Pushes the value that a reply is for a script.
///
/// # Safety
/// A free slot, the names in that place; in a protected call, no frame owns anything.
#[inline]
pub(super) unsafe fn push(state: *mut lua_State, place: Place, reply: &[u8]) -> Kind {
    let mut reader = Reader { rest: reply };
    // SAFETY: the caller's.
    unsafe { push_one(state, place, &mut reader) };
    if reply.first() != Some(&b'-') {
        return Kind::Value;
    }
    // SAFETY: as above; the table is on top. The error was counted.
    unsafe {
        names::push(state, place, Name::Ignore);
        ffi::lua_pushboolean(state, 1);
        ffi::lua_rawset(state, -3);
    }
    Kind::Error
}

/// # Safety
/// As for [`push`].
unsafe fn push_one(state: *mut lua_State, place: Place, reader: &mut Reader<'_>) {
    let (kind, text) = reader.line();
    let number = num::parse_i64(text);
    let len = number.and_then(|len| usize::try_from(len).ok());
    // SAFETY: the caller's; each value takes at most four slots before the next level.
    unsafe {
        match (kind, len) {
            (b'$', Some(len)) => return push_bytes(state, reader.bulk(len)),
            (b':', _) => return ffi::lua_pushnumber(state, num::f64_of(number.unwrap_or(0))),
            (b'$' | b'*', None) => return ffi::lua_pushboolean(state, 0),
            (b'_', _) => return ffi::lua_pushnil(state),
            (b'#', _) => return ffi::lua_pushboolean(state, c_int::from(text == b"t")),
            _ => {}
        }
        if ffi::lua_checkstack(state, 8) == 0 {
            raise(state, b"stack overflow (reached lua stack limit)");
        }
        let len = len.unwrap_or(0);
        match kind {
            b'*' | b'>' => push_array(state, place, reader, len),
            b'+' => push_field(state, place, Name::Ok, text),
            b'-' => push_field(state, place, Name::Err, text),
            b'(' => push_field(state, place, Name::BigNumber, text),
            b',' => {
                ffi::lua_createtable(state, 0, 1);
                names::push(state, place, Name::Double);
                ffi::lua_pushnumber(state, float::parse_f64(text).unwrap_or(f64::NAN));
                ffi::lua_rawset(state, -3);
            }
            b'=' => push_verbatim(state, place, reader.bulk(len)),
            b'%' => push_pairs(state, place, reader, len),
            b'~' => push_members(state, place, reader, len),
            b'|' => {
                // Attributes are for clients.
                push_pairs(state, place, reader, len);
                ffi::lua_settop(state, -2);
                push_one(state, place, reader);
            }
            _ => ffi::lua_pushnil(state),
        }
    }
}

/// Pushes a table with one field, a string.
///
/// # Safety
/// As for [`push`], with eight free slots. That holds for those below, too.
unsafe fn push_field(state: *mut lua_State, place: Place, name: Name, text: &[u8]) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        names::push(state, place, name);
        push_bytes(state, text);
        ffi::lua_rawset(state, -3);
    }
}

unsafe fn push_array(state: *mut lua_State, place: Place, reader: &mut Reader<'_>, len: usize) {
    let Ok(len) = c_int::try_from(len) else { return };
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, len, 0);
        for index in 1..=len {
            push_one(state, place, reader);
            ffi::lua_rawseti_(state, -2, index);
        }
    }
}

unsafe fn push_pairs(state: *mut lua_State, place: Place, reader: &mut Reader<'_>, len: usize) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        names::push(state, place, Name::Map);
        ffi::lua_createtable(state, 0, c_int::try_from(len).unwrap_or(0));
        for _ in 0..len {
            push_one(state, place, reader);
            push_one(state, place, reader);
            set_unless_nil(state);
        }
        ffi::lua_rawset(state, -3);
    }
}

unsafe fn push_members(state: *mut lua_State, place: Place, reader: &mut Reader<'_>, len: usize) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        names::push(state, place, Name::Set);
        ffi::lua_createtable(state, 0, c_int::try_from(len).unwrap_or(0));
        for _ in 0..len {
            push_one(state, place, reader);
            ffi::lua_pushboolean(state, 1);
            set_unless_nil(state);
        }
        ffi::lua_rawset(state, -3);
    }
}

/// Sets a field, if its key can be one.
///
/// # Safety
/// A table, a key and a value are on top.
unsafe fn set_unless_nil(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        let is_nan =
            ffi::lua_type(state, -2) == ffi::LUA_TNUMBER && ffi::lua_tonumber(state, -2).is_nan();
        if ffi::lua_type(state, -2) == ffi::LUA_TNIL || is_nan {
            ffi::lua_settop(state, -3);
        } else {
            ffi::lua_rawset(state, -3);
        }
    }
}

unsafe fn push_verbatim(state: *mut lua_State, place: Place, bytes: &[u8]) {
    let (format, text) = bytes.split_at_checked(4).unwrap_or((b"txt:", bytes));
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        names::push(state, place, Name::VerbatimString);
        ffi::lua_createtable(state, 0, 2);
        names::push(state, place, Name::String);
        push_bytes(state, text);
        ffi::lua_rawset(state, -3);
        names::push(state, place, Name::Format);
        push_bytes(state, &format[..3]);
        ffi::lua_rawset(state, -3);
        ffi::lua_rawset(state, -3);
    }
}
