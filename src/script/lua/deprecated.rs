//! What `lua-enable-deprecated-api` brings back: `setfenv`, `getfenv` and `newproxy`.
//!
//! Environments are those of a script's own functions. What a script makes the environment of all code to
//! come is put back at its end. A proxy's metatable takes everything but a finalizer: that would run in the
//! midst of other code, and of other users' scripts (CVE-2024-46981).

use super::{Function, Shared, ffi, lua_State, string_at};
use std::ffi::{CStr, c_int};

/// Whether scripts see these functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Deprecated {
    /// They do not.
    #[default]
    Hidden,
    /// They do.
    Visible,
}

/// The functions that the prelude puts in their places.
pub(super) const FUNCTIONS: &[(&CStr, Function)] = &[
    (c"environment_setter", environment_setter),
    (c"newproxy", newproxy),
    (c"without_finalizer", without_finalizer),
];

/// Makes a `setfenv` of Lua's own.
unsafe extern "C-unwind" fn environment_setter(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
        // SAFETY: the upvalue is Lua's function, which finds the arguments where this one has them.
        unsafe {
            if ffi::lua_isnumber(state, 1) != 0 && ffi::lua_tonumber(state, 1) < 1.0 {
                Shared::of(state).is_environment_set = true;
            }
            match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
                Some(original) => original(state),
                None => 0,
            }
        }
    }
    // SAFETY: the prelude gives the function.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushcclosure(state, call, 1);
    }
    1
}

/// `newproxy(boolean or proxy)`
unsafe extern "C-unwind" fn newproxy(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned. No other function gives scripts a value of this type.
    unsafe {
        ffi::lua_settop(state, 1);
        let is_plain = ffi::lua_toboolean(state, 1) == 0;
        ffi::lua_newuserdata(state, 0);
        if is_plain {
            return 1;
        }
        match ffi::lua_type(state, 1) {
            ffi::LUA_TBOOLEAN => {
                ffi::lua_createtable(state, 0, 0);
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, Shared::of(state).proxy_meta);
                ffi::lua_setmetatable(state, -2);
            }
            ffi::LUA_TUSERDATA if ffi::lua_getmetatable(state, 1) != 0 => {}
            _ => {
                return ffi::luaL_argerror(state, 1, c"boolean or proxy expected".as_ptr());
            }
        }
        ffi::lua_setmetatable(state, 2);
    }
    1
}

/// `__newindex` of proxies' metatables.
unsafe extern "C-unwind" fn without_finalizer(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; it is called with a table, a key and a value.
    unsafe {
        ffi::lua_settop(state, 3);
        if !is_finalizer(state) {
            ffi::lua_rawset(state, 1);
        }
    }
    0
}

/// Whether the first argument is a proxy's metatable and the second the name of its finalizer.
///
/// # Safety
/// A function with two arguments or more, the first a table.
pub(super) unsafe fn is_finalizer(state: *mut lua_State) -> bool {
    // SAFETY: the caller's.
    unsafe {
        if string_at(state, 2) != Some(b"__gc") || ffi::lua_getmetatable(state, 1) == 0 {
            return false;
        }
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, Shared::of(state).proxy_meta);
        let is_proxy_s = ffi::lua_rawequal(state, -1, -2) != 0;
        ffi::lua_settop(state, -3);
        is_proxy_s
    }
}
