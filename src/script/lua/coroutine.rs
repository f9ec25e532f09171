//! `coroutine.resume` and `coroutine.wrap`: those of Lua 5.1 let coroutines nest until the stack of the
//! process is used up.

use super::{Shared, ffi, lua_State, push_bytes};
use std::ffi::c_int;

/// A coroutine is not resumed with more than this of the process's stack in use by the script, bytes. What
/// a single one can use is bounded by Lua itself, to about as much again.
const STACK_BYTES_MAX: usize = 1 << 20;

/// How a coroutine came back.
enum Back {
    /// With so many values, now on the stack of who resumed it.
    Values(c_int),
    /// With an error, which is there.
    Error,
}

/// Resumes a coroutine with the arguments on top of the stack.
///
/// # Safety
/// As many values as `count` are there; no frame owns anything.
unsafe fn go_on(state: *mut lua_State, thread: *mut lua_State, count: c_int) -> Back {
    // SAFETY: the caller's; values are moved only where there is room.
    unsafe {
        let fail = |text: &[u8]| {
            push_bytes(state, text);
            Back::Error
        };
        let here = 0_u8;
        let used = Shared::of(state).stack_base.abs_diff((&raw const here).addr());
        if used > STACK_BYTES_MAX {
            return fail(b"C stack overflow");
        }
        if thread == state {
            return fail(b"cannot resume running coroutine");
        }
        match ffi::lua_status(thread) {
            ffi::LUA_YIELD => {}
            ffi::LUA_OK => {
                // As Lua tells states apart: one that is not in a call and has a function can start.
                let mut record = std::mem::zeroed();
                if ffi::lua_getstack(thread, 0, &mut record) > 0 {
                    return fail(b"cannot resume non-suspended coroutine");
                }
                if ffi::lua_gettop(thread) == 0 {
                    return fail(b"cannot resume dead coroutine");
                }
            }
            _ => return fail(b"cannot resume dead coroutine"),
        }
        if ffi::lua_checkstack(thread, count) == 0 {
            ffi::luaL_error(state, c"too many arguments to resume".as_ptr());
        }
        ffi::lua_xmove(state, thread, count);
        let status = ffi::lua_resume_(thread, count);
        if status != ffi::LUA_OK && status != ffi::LUA_YIELD {
            ffi::lua_xmove(thread, state, 1);
            return Back::Error;
        }
        let results = ffi::lua_gettop(thread);
        if ffi::lua_checkstack(state, results + 1) == 0 {
            ffi::luaL_error(state, c"too many results to resume".as_ptr());
        }
        ffi::lua_xmove(thread, state, results);
        Back::Values(results)
    }
}

/// `coroutine.resume`
pub(super) unsafe extern "C-unwind" fn resume(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let thread = ffi::lua_tothread(state, 1);
        if thread.is_null() {
            return ffi::luaL_argerror(state, 1, c"coroutine expected".as_ptr());
        }
        match go_on(state, thread, ffi::lua_gettop(state) - 1) {
            Back::Values(count) => {
                ffi::lua_pushboolean(state, 1);
                ffi::lua_insert(state, -(count + 1));
                count + 1
            }
            Back::Error => {
                if Shared::of(state).is_killed {
                    ffi::lua_error(state);
                }
                ffi::lua_pushboolean(state, 0);
                ffi::lua_insert(state, -2);
                2
            }
        }
    }
}

/// `coroutine.wrap`
pub(super) unsafe extern "C-unwind" fn wrap(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
        // SAFETY: the upvalue is a thread; nothing is owned.
        unsafe {
            let thread = ffi::lua_tothread(state, ffi::lua_upvalueindex(1));
            match go_on(state, thread, ffi::lua_gettop(state)) {
                Back::Values(count) => count,
                Back::Error => {
                    if ffi::lua_type(state, -1) == ffi::LUA_TSTRING {
                        ffi::luaL_where(state, 1);
                        ffi::lua_insert(state, -2);
                        ffi::lua_concat(state, 2);
                    }
                    ffi::lua_error(state)
                }
            }
        }
    }
    // SAFETY: nothing is owned.
    unsafe {
        let is_function = ffi::lua_type(state, 1) == ffi::LUA_TFUNCTION;
        if !is_function || ffi::lua_iscfunction(state, 1) != 0 {
            return ffi::luaL_argerror(state, 1, c"Lua function expected".as_ptr());
        }
        let thread = ffi::lua_newthread(state);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_xmove(state, thread, 1);
        ffi::lua_pushcclosure(state, call, 1);
    }
    1
}

/// A place on the process's stack from which on it is measured.
pub(super) fn stack_here() -> usize {
    let here = 0_u8;
    (&raw const here).addr()
}
