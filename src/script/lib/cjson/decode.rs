//! Decoding onto Lua's stack.
//!
//! A text may be nested as deep as the stack has slots, so that this loops where the format recurs: the
//! tables being filled, with their keys, lie on the stack, and what else is to be known of them in the
//! engine's buffer, in front of the string that is being unescaped.

use super::super::super::lua::{lua_State, push_bytes, scratch};
use super::super::{bad_argument, check_bytes, fail, fail_with, want_slots, words};
use super::settings::Settings;
use super::token::{Lexer, Token};
use super::{ARRAY_MARK, Instance};
use crate::base::num;
use mlua_sys::lua51 as ffi;
use std::ffi::c_int;
use std::ptr;

/// The innermost table that is being filled; it is on top.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Frame {
    /// The index of the next value.
    Array(i32),
    /// Above the table is the key of the next value.
    Object,
}

impl Frame {
    /// An index is at least 1.
    fn word(self) -> u64 {
        match self {
            Frame::Array(index) => u64::from(index.unsigned_abs()),
            Frame::Object => 0,
        }
    }

    fn of(word: u64) -> Frame {
        match i32::try_from(word) {
            Ok(index @ 1..) => Frame::Array(index),
            Ok(_) | Err(_) => Frame::Object,
        }
    }
}

struct Decoder<'a> {
    state: *mut lua_State,
    lexer: Lexer<'a>,
    settings: &'a Settings,
    /// Frames around the innermost one.
    buffer: &'a mut Vec<u8>,
    frame: Option<Frame>,
    depth: i32,
}

/// The value of a text.
pub(super) unsafe extern "C-unwind" fn decode(state: *mut lua_State) -> c_int {
    // SAFETY: Lua calls this; the buffer is the engine's, and nothing else here owns memory. The text is
    // the first argument, which stays where it is.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            bad_argument(state, 1, c"expected 1 argument");
        }
        let text = check_bytes(state, 1);
        if let [0, _, ..] | [_, 0, ..] = text {
            fail(state, c"JSON parser does not support UTF-16 or UTF-32");
        }
        let settings = &Instance::of(state).settings;
        let lexer = Lexer::new(text, settings.decode_numbers);
        let buffer = scratch(state);
        Decoder { state, lexer, settings, buffer, frame: None, depth: 0 }.run();
    }
    1
}

impl<'a> Decoder<'a> {
    /// Pushes the value of the whole text.
    ///
    /// # Safety
    /// No frame of this program owns anything.
    unsafe fn run(&mut self) {
        let mut token = self.lexer.next(self.buffer);
        loop {
            // SAFETY: the caller's.
            unsafe {
                let is_complete = match token {
                    Token::ObjectStart => self.open_object(),
                    Token::ArrayStart => match self.open_array() {
                        Some(first) => {
                            token = first;
                            continue;
                        }
                        None => true,
                    },
                    scalar => {
                        self.push_scalar(scalar);
                        true
                    }
                };
                if is_complete && !self.put_away() {
                    return;
                }
            }
            token = self.lexer.next(self.buffer);
        }
    }

    /// # Safety
    /// A free slot; no frame of this program owns anything.
    unsafe fn push_scalar(&mut self, token: Token<'_>) {
        // SAFETY: the caller's.
        unsafe {
            match token {
                Token::String(_) | Token::Unescaped(_) => self.push_string(token, "value"),
                Token::Number(n) => ffi::lua_pushnumber(self.state, n),
                Token::Boolean(truth) => ffi::lua_pushboolean(self.state, c_int::from(truth)),
                Token::Null => ffi::lua_pushlightuserdata(self.state, ptr::null_mut()),
                other => self.fail("value", other),
            }
        }
    }

    /// # Safety
    /// A free slot; no frame of this program owns anything.
    unsafe fn push_string(&mut self, token: Token<'_>, expected: &str) {
        // SAFETY: the caller's.
        unsafe {
            match token {
                Token::String(bytes) => push_bytes(self.state, bytes),
                Token::Unescaped(start) => {
                    push_bytes(self.state, self.buffer.get(start..).unwrap_or(b""));
                    self.buffer.truncate(start);
                }
                other => self.fail(expected, other),
            }
        }
    }

    /// Pushes a table for what starts here.
    ///
    /// # Safety
    /// No frame of this program owns anything.
    unsafe fn open(&mut self, slots: c_int) {
        self.depth = self.depth.saturating_add(1);
        // SAFETY: the caller's; the text is in the engine's buffer.
        unsafe {
            let is_too_deep = self.depth > self.settings.decode_depth_max;
            if is_too_deep || ffi::lua_checkstack(self.state, slots) == 0 {
                self.buffer.clear();
                self.buffer.extend_from_slice(b"Found too many nested data structures (");
                num::write_i64(self.buffer, i64::from(self.depth));
                self.buffer.extend_from_slice(b") at character ");
                num::write_u64(self.buffer, num::u64_of(self.lexer.start + 1));
                fail_with(self.state, self.buffer);
            }
            ffi::lua_createtable(self.state, 0, 0);
        }
    }

    /// Makes a table the innermost one.
    fn enter(&mut self, frame: Frame) {
        if let Some(around) = self.frame.replace(frame) {
            words::push(self.buffer, around.word());
        }
    }

    /// Goes back to the table around the innermost one.
    fn leave(&mut self) {
        self.depth -= 1;
        self.frame = words::pop(self.buffer).map(Frame::of);
    }

    /// Pushes a table and the first key; whether it is empty and so complete.
    ///
    /// # Safety
    /// No frame of this program owns anything.
    unsafe fn open_object(&mut self) -> bool {
        // SAFETY: the caller's.
        unsafe {
            self.open(3);
            let token = self.lexer.next(self.buffer);
            if token == Token::ObjectEnd {
                self.depth -= 1;
                return true;
            }
            self.push_key(token);
        }
        self.enter(Frame::Object);
        false
    }

    /// Reads a key, whose token this is, and the colon behind it.
    ///
    /// # Safety
    /// A free slot; no frame of this program owns anything.
    unsafe fn push_key(&mut self, token: Token<'_>) {
        // SAFETY: the caller's.
        unsafe {
            self.push_string(token, "object key string");
            let token = self.lexer.next(self.buffer);
            if token != Token::Colon {
                self.fail("colon", token);
            }
        }
    }

    /// Pushes a table; the token of its first value, or `None` if it is empty and so complete.
    ///
    /// # Safety
    /// No frame of this program owns anything.
    unsafe fn open_array(&mut self) -> Option<Token<'a>> {
        // SAFETY: the caller's.
        unsafe { self.open(2) };
        // The frame goes below what the first value may have in the buffer.
        self.enter(Frame::Array(1));
        let token = self.lexer.next(self.buffer);
        if token != Token::ArrayEnd {
            return Some(token);
        }
        self.leave();
        if self.settings.are_arrays_marked {
            // SAFETY: the caller's. A metatable for each, as scripts may change them.
            unsafe {
                want_slots(self.state, 3, c"in function decode");
                ffi::lua_createtable(self.state, 0, 1);
                push_bytes(self.state, ARRAY_MARK);
                ffi::lua_pushboolean(self.state, 1);
                ffi::lua_rawset(self.state, -3);
                ffi::lua_setmetatable(self.state, -2);
            }
        }
        None
    }

    /// Puts the value on top into its table, and that into the next if it is complete. False once the
    /// whole text is read.
    ///
    /// # Safety
    /// The stack is as the frames say; no frame of this program owns anything.
    unsafe fn put_away(&mut self) -> bool {
        while let Some(frame) = self.frame {
            // SAFETY: the caller's.
            unsafe {
                match frame {
                    Frame::Array(index) => {
                        ffi::lua_rawseti_(self.state, -2, index);
                        match self.lexer.next(self.buffer) {
                            Token::Comma => {
                                self.frame = Some(Frame::Array(index.saturating_add(1)));
                                return true;
                            }
                            Token::ArrayEnd => {}
                            token => self.fail("comma or array end", token),
                        }
                    }
                    Frame::Object => {
                        ffi::lua_rawset(self.state, -3);
                        match self.lexer.next(self.buffer) {
                            Token::Comma => {
                                let token = self.lexer.next(self.buffer);
                                self.push_key(token);
                                return true;
                            }
                            Token::ObjectEnd => {}
                            token => self.fail("comma or object end", token),
                        }
                    }
                }
            }
            self.leave();
        }
        let token = self.lexer.next(self.buffer);
        if token != Token::End {
            // SAFETY: the caller's.
            unsafe { self.fail("the end", token) };
        }
        false
    }

    /// # Safety
    /// No frame of this program owns anything.
    unsafe fn fail(&mut self, expected: &str, found: Token<'_>) -> ! {
        self.buffer.clear();
        for part in ["Expected ", expected, " but found ", found.name(), " at character "] {
            self.buffer.extend_from_slice(part.as_bytes());
        }
        num::write_u64(self.buffer, num::u64_of(self.lexer.start + 1));
        // SAFETY: the caller's; the text is in the engine's buffer.
        unsafe { fail_with(self.state, self.buffer) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_back_from_their_words() {
        for frame in [Frame::Array(1), Frame::Array(i32::MAX), Frame::Object] {
            assert_eq!(Frame::of(frame.word()), frame);
        }
    }
}
