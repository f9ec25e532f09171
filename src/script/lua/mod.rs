//! The interpreter, Lua 5.1.5, and everything that is raw about it.
//!
//! # How functions for Lua are written
//!
//! ```text
//! unsafe extern "C-unwind" fn name(state: *mut lua_State) -> c_int
//! ```
//!
//! `ffi` below is the raw interface (`mlua_sys::lua51`); what it declares is used as the manual of Lua 5.1
//! describes it. Such a function finds its arguments at the indices 1 to `lua_gettop`, pushes its results
//! and returns how many.
//!
//! - **Errors are long jumps.** `lua_error`, and so [`raise`] and all of `luaL_check…`, `luaL_error`,
//!   `luaL_argerror`, leaves through the frames above without running destructors. So does any function
//!   that allocates (`lua_push…string`, `lua_createtable`, `lua_rawset…`, `lua_checkstack`, `lua_tolstring`
//!   of a number, …) when the memory that scripts may have is used up.
//! - **Therefore no frame owns anything while it calls such a function**: no `Vec`, `String`, `Box`,
//!   guard or iterator with a destructor. What is put together goes to the [`scratch`] buffer, which the
//!   engine owns. Helpers that do own something call nothing that raises and return a `Result`; the frame
//!   that calls them raises once they are through.
//! - **Nothing panics**: no indexing that input decides, no `expect` about input. A panic that reached
//!   Lua's frames would end the process.
//! - Tables that scripts hand in are read with raw access (`lua_rawget`, `lua_rawgeti`, `lua_next`): no
//!   metamethod runs in the midst of a function. Recursion has a bound, and `lua_checkstack` goes before
//!   pushing more than the 20 slots a function starts with.
//! - Functions are registered by [`register`], whose first upvalue is the scratch buffer; further upvalues
//!   are not used.

#![expect(unsafe_code, reason = "the raw interface of Lua")]

mod chunk;
mod coroutine;
mod debugger;
mod deprecated;
mod interpreter;
mod library;
mod memory;
mod names;
mod random;
mod redis;
mod reply;
mod result;
mod sandbox;

use super::{Api, Registered};
use crate::resp::Protocol;
use crate::resp::parse::Span;
use bytes::Bytes;
pub use deprecated::Deprecated;
pub use interpreter::Pace;
pub use interpreter::{Input, Interpreter, Passing, Reference, Returned, ScriptError};
pub use library::{LoadError, is_name};
use memory::Memory;
pub(in crate::script) use mlua_sys::lua51 as ffi;
use random::Lrand48;
use std::ffi::{CStr, c_int};
use std::ptr;

pub(in crate::script) use ffi::lua_State;

/// What the engine's own buffers keep of their room from call to call, bytes.
const SCRATCH_KEPT_BYTES: usize = 64 * 1024;

/// What Lua's allocator is given: how functions find the rest.
struct Root {
    memory: Memory,
    shared: *mut Shared,
}

/// What the functions of an interpreter share. Whoever has a reference to it calls nothing that leads to
/// another one.
struct Shared {
    /// For what functions put together.
    scratch: Vec<u8>,
    /// The arguments of the command that is called.
    args: Vec<u8>,
    /// See `args`.
    spans: Vec<Span>,
    /// See `args`.
    big: Vec<Bytes>,
    /// The server, while a script runs.
    api: Option<*mut (dyn Api + 'static)>,
    /// The protocol the script chose.
    protocol: Protocol,
    random: Lrand48,
    /// Whether the script is to end.
    is_killed: bool,
    /// Whether it has set the collector.
    is_collector_set: bool,
    /// Whether it stops at lines.
    pace: Pace,
    /// Whether it has set the environment of code to come.
    is_environment_set: bool,
    /// Where the process's stack was at its start.
    stack_base: usize,
    /// References to the scripts' `next`, and to what they see as the metatable of strings.
    next: c_int,
    string_meta: c_int,
    /// A reference to the metatable of proxies' metatables.
    proxy_meta: c_int,
    /// References to the globals' metatable, and to what they show while a library is loaded.
    env_meta: c_int,
    load_globals: c_int,
    /// Whether one is.
    is_loading: bool,
    /// The functions it has registered.
    registered: Vec<Registered>,
}

impl Shared {
    /// What the functions of a state share.
    ///
    /// # Safety
    /// A state of an [`Interpreter`]; no other reference to it is in use.
    unsafe fn of<'a>(state: *mut lua_State) -> &'a mut Self {
        let mut root = ptr::null_mut();
        // SAFETY: the interpreter gave a `Root`, and keeps both for as long as its state.
        unsafe {
            ffi::lua_getallocf(state, &mut root);
            &mut *(*root.cast::<Root>()).shared
        }
    }
}

/// A function that Lua can call.
pub(in crate::script) type Function = unsafe extern "C-unwind" fn(*mut lua_State) -> c_int;

/// Sets a global table of functions; it stays on the stack.
///
/// # Safety
/// A state with four free slots, in a protected call; its [`scratch`] buffer outlives it.
pub(in crate::script) unsafe fn register(
    state: *mut lua_State,
    table: &CStr,
    functions: &[(&CStr, Function)],
    scratch: *mut Vec<u8>,
) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 0);
        for (name, function) in functions {
            ffi::lua_pushlightuserdata(state, scratch.cast());
            ffi::lua_pushcclosure(state, *function, 1);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        ffi::lua_pushvalue(state, -1);
        ffi::lua_setfield(state, ffi::LUA_GLOBALSINDEX, table.as_ptr());
    }
}

/// The buffer for what a function puts together, emptied. The engine owns it, so that nothing is lost when
/// an error leaves the function.
///
/// # Safety
/// Within a function that [`register`] registered, once.
pub(in crate::script) unsafe fn scratch<'a>(state: *mut lua_State) -> &'a mut Vec<u8> {
    // SAFETY: `register` put it there, and nobody else uses it while the function runs.
    let buffer = unsafe {
        let place = ffi::lua_touserdata(state, ffi::lua_upvalueindex(1));
        &mut *place.cast::<Vec<u8>>()
    };
    buffer.clear();
    buffer
}

/// The bytes of the string at an index; `None` if it is something else. (A number is something else, too:
/// `lua_tolstring` would turn it into a string where it lies.)
///
/// # Safety
/// The value stays on the stack, or is held otherwise, for as long as its bytes are used.
pub(in crate::script) unsafe fn string_at<'a>(
    state: *mut lua_State,
    index: c_int,
) -> Option<&'a [u8]> {
    let mut len = 0;
    // SAFETY: the index is acceptable to `lua_type`; `lua_tolstring` of a string gives its bytes, which do
    // not move.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TSTRING {
            return None;
        }
        let start = ffi::lua_tolstring(state, index, &mut len);
        Some(std::slice::from_raw_parts(start.cast(), len))
    }
}

/// Pushes a string. May raise an error: no memory.
///
/// # Safety
/// A free slot; no frame owns anything.
pub(in crate::script) unsafe fn push_bytes(state: *mut lua_State, bytes: &[u8]) {
    // SAFETY: Lua copies the bytes.
    unsafe { ffi::lua_pushlstring_(state, bytes.as_ptr().cast(), bytes.len()) }
}

/// Leaves the function with an error of a text, in front of it the place in the script that called it.
///
/// # Safety
/// Two free slots; no frame owns anything.
pub(in crate::script) unsafe fn raise(state: *mut lua_State, text: &[u8]) -> ! {
    // SAFETY: the caller's.
    unsafe {
        ffi::luaL_where(state, 1);
        push_bytes(state, text);
        ffi::lua_concat(state, 2);
        ffi::lua_error(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    unsafe extern "C-unwind" fn twice(state: *mut lua_State) -> c_int {
        // SAFETY: registered below; nothing is owned.
        unsafe {
            let buffer = scratch(state);
            let Some(text) = string_at(state, 1) else { raise(state, b"no string") };
            buffer.extend_from_slice(text);
            buffer.extend_from_slice(text);
            push_bytes(state, buffer);
        }
        1
    }

    /// What a chunk returns, or its error.
    fn run(chunk: &CStr) -> String {
        let mut buffer = Vec::new();
        // SAFETY: the buffer outlives the state.
        unsafe {
            let state = ffi::luaL_newstate();
            register(state, c"test", &[(c"twice", twice)], &raw mut buffer);
            ffi::luaL_loadbuffer(state, chunk.as_ptr(), chunk.count_bytes(), c"@test".as_ptr());
            ffi::lua_pcall(state, 0, 1, 0);
            let text = ffi::lua_tolstring(state, -1, ptr::null_mut());
            let text = CStr::from_ptr(text).to_string_lossy().into_owned();
            ffi::lua_close(state);
            text
        }
    }

    #[test]
    fn a_chunk_calls_a_function() {
        assert_eq!(run(c"return test.twice('ab')"), "abab");
        assert_eq!(run(c"return 1\n + test.twice(2)"), "test:2: no string");
        assert_eq!(run(c"return 1e15 + 0.5"), "1e+15");
    }
}
