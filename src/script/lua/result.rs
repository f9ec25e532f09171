//! What a script returns to a reply for the client.
//!
//! Tables are read raw, so that no code of the script runs meanwhile and nothing here raises.

use super::names::{self, Name, Place};
use super::{ffi, lua_State, string_at};
use crate::base::num;
use crate::resp::{Output, Protocol};
use std::ffi::c_int;

/// Writes the value on top of the stack.
pub(super) struct Writer<'a> {
    pub(super) state: *mut lua_State,
    pub(super) place: Place,
    /// The protocol the script chose.
    pub(super) protocol: Protocol,
    pub(super) out: &'a mut Output,
}

impl Writer<'_> {
    /// Writes the value on top of the stack and takes it away.
    ///
    /// # Safety
    /// There is one, and a free slot. That holds for all below.
    pub(super) unsafe fn write(&mut self) {
        let state = self.state;
        // SAFETY: the caller's.
        unsafe {
            match ffi::lua_type(state, -1) {
                ffi::LUA_TSTRING => self.out.bulk(string_at(state, -1).unwrap_or_default()),
                ffi::LUA_TNUMBER => {
                    self.out.integer(num::i64_truncated(ffi::lua_tonumber(state, -1)));
                }
                ffi::LUA_TBOOLEAN => self.write_boolean(ffi::lua_toboolean(state, -1)),
                ffi::LUA_TTABLE => self.write_table(),
                _ => self.out.null(),
            }
            ffi::lua_settop(state, -2);
        }
    }

    fn write_boolean(&mut self, value: c_int) {
        match self.protocol {
            Protocol::Resp3 => self.out.boolean(value != 0),
            Protocol::Resp2 if value != 0 => self.out.integer(1),
            Protocol::Resp2 => self.out.null(),
        }
    }

    unsafe fn write_table(&mut self) {
        let state = self.state;
        // SAFETY: the caller's, with room made for what follows.
        unsafe {
            if ffi::lua_checkstack(state, 8) == 0 {
                return self.out.error(b"ERR reached lua stack limit");
            }
            if self.write_kind() {
                ffi::lua_settop(state, -2);
            } else {
                self.write_array();
            }
        }
    }

    /// Writes a table whose one field says what it stands for; then what the field holds is on the stack.
    unsafe fn write_kind(&mut self) -> bool {
        let state = self.state;
        const KINDS: [(Name, c_int); 7] = [
            (Name::Err, ffi::LUA_TSTRING),
            (Name::Ok, ffi::LUA_TSTRING),
            (Name::Double, ffi::LUA_TNUMBER),
            (Name::Map, ffi::LUA_TTABLE),
            (Name::Set, ffi::LUA_TTABLE),
            (Name::BigNumber, ffi::LUA_TSTRING),
            (Name::VerbatimString, ffi::LUA_TTABLE),
        ];
        for (name, kind) in KINDS {
            // SAFETY: there is room for a name.
            let found = unsafe {
                names::push(state, self.place, name);
                ffi::lua_rawget_(state, -2);
                ffi::lua_type(state, -1) == kind
            };
            // SAFETY: as said.
            if found && unsafe { self.write_named(name) } {
                return true;
            }
            // SAFETY: what was looked up is on top.
            unsafe { ffi::lua_settop(state, -2) };
        }
        false
    }

    /// Writes the field on top of the stack by its name.
    unsafe fn write_named(&mut self, name: Name) -> bool {
        let state = self.state;
        // SAFETY: the field is of the kind that belongs to the name.
        unsafe {
            let text = string_at(state, -1).unwrap_or_default();
            match name {
                Name::Err => self.out.error(text),
                Name::Ok => write_status(self.out, text),
                Name::Double => self.out.double(ffi::lua_tonumber(state, -1)),
                Name::Map => self.write_map(),
                Name::Set => self.write_set(),
                Name::BigNumber => self.write_big_number(text),
                Name::VerbatimString => return self.write_verbatim(),
                Name::String
                | Name::Format
                | Name::Ignore
                | Name::Source
                | Name::Line
                | Name::Keys
                | Name::Argv => return false,
            }
        }
        true
    }

    /// The digits of a big number are what the script says; what would end the line is not.
    fn write_big_number(&mut self, text: &[u8]) {
        let text: String = String::from_utf8_lossy(text).replace(['\r', '\n'], " ");
        self.out.big_number(&text);
    }

    unsafe fn write_verbatim(&mut self) -> bool {
        let state = self.state;
        // SAFETY: room for two fields.
        unsafe {
            names::push(state, self.place, Name::Format);
            ffi::lua_rawget_(state, -2);
            names::push(state, self.place, Name::String);
            ffi::lua_rawget_(state, -3);
            let fields = (string_at(state, -2), string_at(state, -1));
            let is_complete = if let (Some(format), Some(text)) = fields {
                let mut letters = [b' '; 3];
                for (letter, &byte) in letters.iter_mut().zip(format) {
                    *letter = if matches!(byte, b'\r' | b'\n') { b' ' } else { byte };
                }
                let format = String::from_utf8_lossy(&letters);
                self.out.verbatim(format.get(..3).unwrap_or("txt"), text);
                true
            } else {
                false
            };
            ffi::lua_settop(state, -3);
            is_complete
        }
    }

    unsafe fn count_fields(&self) -> usize {
        let state = self.state;
        let mut count = 0;
        // SAFETY: a table is on top; keys come from the table itself.
        unsafe {
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_settop(state, -2);
                count += 1;
            }
        }
        count
    }

    unsafe fn write_map(&mut self) {
        let state = self.state;
        // SAFETY: as above.
        unsafe {
            let count = self.count_fields();
            self.out.map(count);
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_pushvalue(state, -2);
                self.write();
                self.write();
            }
        }
    }

    unsafe fn write_set(&mut self) {
        let state = self.state;
        // SAFETY: as above.
        unsafe {
            let count = self.count_fields();
            self.out.set(count);
            ffi::lua_pushnil(state);
            while ffi::lua_next(state, -2) != 0 {
                ffi::lua_settop(state, -2);
                ffi::lua_pushvalue(state, -1);
                self.write();
            }
        }
    }

    unsafe fn write_array(&mut self) {
        let state = self.state;
        // SAFETY: as above.
        unsafe {
            let mut count = 0;
            loop {
                ffi::lua_rawgeti_(state, -1, count + 1);
                let is_end = ffi::lua_type(state, -1) == ffi::LUA_TNIL;
                ffi::lua_settop(state, -2);
                if is_end || count == c_int::MAX - 1 {
                    break;
                }
                count += 1;
            }
            self.out.array(usize::try_from(count).unwrap_or(0));
            for index in 1..=count {
                ffi::lua_rawgeti_(state, -1, index);
                self.write();
            }
        }
    }
}

/// A status reply of any text; what would end the line becomes a blank.
fn write_status(out: &mut Output, text: &[u8]) {
    out.raw(b"+");
    for piece in text.split_inclusive(|byte| matches!(byte, b'\r' | b'\n')) {
        match piece.split_last() {
            Some((b'\r' | b'\n', rest)) => {
                out.raw(rest);
                out.raw(b" ");
            }
            _ => out.raw(piece),
        }
    }
    out.raw(b"\r\n");
}
