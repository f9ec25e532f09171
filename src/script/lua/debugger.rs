//! A script that is debugged: it stops at lines, and shows what it has.
//!
//! While it has stopped its memory has no bound, so that nothing here raises: values are only looked at, and
//! code is executed in a call of its own.

use super::memory::BYTES_MAX;
use super::{Root, Shared, chunk, ffi, lua_State, push_bytes, string_at};
use crate::base::{float, quote};
use crate::script::debug::{Answer, Event, Request};
use std::ffi::{CStr, c_int};
use std::{mem, ptr};

/// Instructions between two looks at whether a line takes long.
pub(super) const INSTRUCTIONS_PER_LOOK: c_int = 100_000;
/// Tables within tables are shown so deep.
const DEPTH_MAX: usize = 10;
/// A chunk of this name is the script; other code is not stepped through.
const SCRIPT: &[u8] = b"user_script";
const CODE: &CStr = c"@ldb_eval";

/// Lines, and numbers of instructions.
pub(super) unsafe extern "C-unwind" fn hook(state: *mut lua_State, record: *mut ffi::lua_Debug) {
    // SAFETY: a hook may raise, which it does when nothing is owned any more.
    unsafe {
        let Some(api) = Shared::of(state).api else { return };
        if ffi::lua_getinfo(state, c"Sl".as_ptr(), record) == 0 || !is_of_script(&*record) {
            return;
        }
        let is_line = (*record).event == ffi::LUA_HOOKLINE;
        let event = if is_line { Event::Line } else { Event::Instructions };
        let mut answer = Answer::At { line: i64::from((*record).currentline), event };
        let limit = set_limit(state, usize::MAX);
        let error = loop {
            answer = match (*api).debug(answer) {
                Request::GoOn => break None,
                Request::Fail(text) => break Some(text),
                Request::Locals => Answer::Locals(locals(state)),
                Request::Variable(name) => Answer::Variable(variable(state, &name)),
                Request::Calls => Answer::Calls(calls(state)),
                Request::Evaluate(code) => Answer::Evaluated(evaluate(state, &code)),
            };
        };
        set_limit(state, limit);
        if let Some(text) = error {
            ffi::lua_checkstack(state, 4);
            ffi::lua_createtable(state, 0, 1);
            push_bytes(state, b"err");
            push_bytes(state, b"ERR ");
            push_bytes(state, text.as_bytes());
            ffi::lua_concat(state, 2);
            ffi::lua_rawset(state, -3);
            ffi::lua_error(state);
        }
    }
}

/// Sets the bound on memory; what it was.
///
/// # Safety
/// A state of an interpreter.
unsafe fn set_limit(state: *mut lua_State, limit: usize) -> usize {
    let mut root = ptr::null_mut();
    // SAFETY: the interpreter gave a `Root`.
    unsafe {
        ffi::lua_getallocf(state, &mut root);
        mem::replace(&mut (*root.cast::<Root>()).memory.limit, limit)
    }
}

fn is_of_script(record: &ffi::lua_Debug) -> bool {
    // SAFETY: Lua ends it with a zero.
    let source = unsafe { CStr::from_ptr(record.short_src.as_ptr()) };
    memchr::memmem::find(source.to_bytes(), SCRIPT).is_some()
}

/// # Safety
/// In a hook, outside of any bound on memory. That holds for all below.
unsafe fn locals(state: *mut lua_State) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    // SAFETY: the caller's; a name is a string of the function's.
    unsafe {
        let mut record = mem::zeroed();
        if ffi::lua_checkstack(state, 20) == 0 || ffi::lua_getstack(state, 0, &mut record) == 0 {
            return found;
        }
        for place in 1.. {
            let name = ffi::lua_getlocal(state, &record, place);
            if name.is_null() {
                break;
            }
            let name = CStr::from_ptr(name).to_bytes();
            if memchr::memmem::find(name, b"(*").is_none() {
                found.push((name.to_vec(), shown(state)));
            }
            ffi::lua_settop(state, -2);
        }
    }
    found
}

unsafe fn variable(state: *mut lua_State, name: &[u8]) -> Option<Vec<u8>> {
    // SAFETY: the caller's.
    unsafe {
        let mut record = mem::zeroed();
        if ffi::lua_checkstack(state, 20) == 0 {
            return None;
        }
        let mut level = 0;
        while ffi::lua_getstack(state, level, &mut record) != 0 {
            level += 1;
            for place in 1.. {
                let found = ffi::lua_getlocal(state, &record, place);
                if found.is_null() {
                    break;
                }
                let text = (CStr::from_ptr(found).to_bytes() == name).then(|| shown(state));
                ffi::lua_settop(state, -2);
                if text.is_some() {
                    return text;
                }
            }
        }
        if name != b"KEYS" && name != b"ARGV" {
            return None;
        }
        push_bytes(state, name);
        ffi::lua_gettable(state, ffi::LUA_GLOBALSINDEX); // the names are there: no code runs
        let text = shown(state);
        ffi::lua_settop(state, -2);
        Some(text)
    }
}

unsafe fn calls(state: *mut lua_State) -> Vec<(Option<Vec<u8>>, i64)> {
    let mut found = Vec::new();
    // SAFETY: the caller's.
    unsafe {
        let mut record: ffi::lua_Debug = mem::zeroed();
        let mut level = 0;
        while ffi::lua_getstack(state, level, &mut record) != 0 {
            level += 1;
            ffi::lua_getinfo(state, c"Snl".as_ptr(), &mut record);
            if is_of_script(&record) {
                let name = record.name;
                let name = (!name.is_null()).then(|| CStr::from_ptr(name).to_bytes().to_vec());
                found.push((name, i64::from(record.currentline)));
            }
        }
    }
    found
}

unsafe fn evaluate(state: *mut lua_State, code: &[u8]) -> Result<Vec<u8>, Vec<u8>> {
    // SAFETY: the caller's. The code runs below `lua_pcall`, within the bound on memory, and without stops.
    unsafe {
        if ffi::lua_checkstack(state, 20) == 0 {
            return Err(b"stack overflow".to_vec());
        }
        let top = ffi::lua_gettop(state);
        let value = [b"return ", code].concat();
        if chunk::parse(state, &value, CODE) != ffi::LUA_OK {
            ffi::lua_settop(state, top);
            if chunk::parse(state, code, CODE) != ffi::LUA_OK {
                let error = string_at(state, -1).unwrap_or_default().to_vec();
                ffi::lua_settop(state, top);
                return Err(error);
            }
        }
        set_limit(state, BYTES_MAX);
        let status = ffi::lua_pcall(state, 0, 1, 0);
        set_limit(state, usize::MAX);
        let result = if status == ffi::LUA_OK { Ok(shown(state)) } else { Err(error_text(state)) };
        ffi::lua_settop(state, top);
        result
    }
}

/// The text of the error on top.
unsafe fn error_text(state: *mut lua_State) -> Vec<u8> {
    // SAFETY: the caller's.
    unsafe {
        if let Some(text) = string_at(state, -1) {
            return text.to_vec();
        }
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            return b"(null)".to_vec();
        }
        push_bytes(state, b"err");
        ffi::lua_rawget_(state, -2);
        let text = string_at(state, -1).unwrap_or(b"(null)").to_vec();
        ffi::lua_settop(state, -2);
        text
    }
}

/// The value on top, as the debugger shows it.
pub(super) unsafe fn shown(state: *mut lua_State) -> Vec<u8> {
    let mut out = Vec::new();
    // SAFETY: the caller's.
    unsafe { show(state, -1, DEPTH_MAX, &mut out) };
    out
}

/// Appends a value.
///
/// # Safety
/// Five free slots; outside of any bound on memory, or nothing is appended to what the frame owns.
pub(super) unsafe fn show(state: *mut lua_State, at: c_int, depth: usize, out: &mut Vec<u8>) {
    // SAFETY: the caller's.
    unsafe {
        match ffi::lua_type(state, at) {
            ffi::LUA_TSTRING => quote::write_quoted(string_at(state, at).unwrap_or_default(), out),
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, at) != 0 => out.extend(b"true"),
            ffi::LUA_TBOOLEAN => out.extend(b"false"),
            ffi::LUA_TNUMBER => float::format_f64_digits(ffi::lua_tonumber(state, at), 6, out),
            ffi::LUA_TNIL => out.extend(b"nil"),
            ffi::LUA_TTABLE if depth == 0 => {
                out.extend(b"<max recursion level reached! Nested table?>");
            }
            ffi::LUA_TTABLE => show_table(state, at, depth, out),
            kind => {
                let kind: &[u8] = match kind {
                    ffi::LUA_TFUNCTION => b"function",
                    ffi::LUA_TUSERDATA => b"userdata",
                    ffi::LUA_TTHREAD => b"thread",
                    _ => b"light-userdata",
                };
                let place = ffi::lua_topointer(state, at).addr();
                out.extend(b"\"");
                out.extend(kind);
                out.extend(format!("@{place:#x}\"").as_bytes());
            }
        }
    }
}

/// A table whose keys are 1, 2, 3 … in that order is shown without them.
unsafe fn show_table(state: *mut lua_State, at: c_int, depth: usize, out: &mut Vec<u8>) {
    let (mut with_keys, mut without) = (b"{".to_vec(), b"{".to_vec());
    let mut expected = Some(1.0);
    // SAFETY: the caller's; the table does not change.
    unsafe {
        if ffi::lua_checkstack(state, 8) == 0 {
            return out.extend(b"{...}");
        }
        let table_at = if at < 0 { ffi::lua_gettop(state) + at + 1 } else { at };
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, table_at) != 0 {
            if with_keys.len() > 1 {
                with_keys.extend(b"; ");
                without.extend(b"; ");
            }
            expected = expected.filter(|&index| {
                ffi::lua_type(state, -2) == ffi::LUA_TNUMBER
                    && ffi::lua_tonumber(state, -2).to_bits() == f64::to_bits(index)
            });
            with_keys.push(b'[');
            show(state, -2, depth - 1, &mut with_keys);
            with_keys.extend(b"]=");
            let value_at = with_keys.len();
            show(state, -1, depth - 1, &mut with_keys);
            without.extend_from_slice(&with_keys[value_at..]);
            expected = expected.map(|index| index + 1.0);
            ffi::lua_settop(state, -2);
        }
    }
    out.extend(if expected.is_some() { without } else { with_keys });
    out.push(b'}');
}

/// Appends the values that `redis.debug` was given to the shared buffer.
///
/// # Safety
/// In a function.
pub(super) unsafe fn join_arguments(state: *mut lua_State, shared: &mut Shared) {
    shared.scratch.clear();
    // SAFETY: the caller's. What is owned by frames below is not lost: there is no bound meanwhile.
    unsafe {
        let limit = set_limit(state, usize::MAX);
        for index in 1..=ffi::lua_gettop(state) {
            if index > 1 {
                shared.scratch.extend(b", ");
            }
            show(state, index, DEPTH_MAX, &mut shared.scratch);
        }
        set_limit(state, limit);
    }
}
