//! What scripts find in place of those of Lua's own functions that could harm others.
//!
//! A locked table (the globals, each library) is an empty one whose metatable shows another. These
//! functions see through it where Redis's, whose Lua has read-only tables, would; and nothing writes into
//! it behind the metatable's back. The metatable is never shown.

use super::{Function, Shared, ffi, lua_State, push_bytes, raise, string_at};
use crate::base::num;
use std::ffi::{CStr, c_int};

/// What is told of a locked table.
const DENIED: &[u8] = b"Attempt to modify a readonly table";
/// Its address marks the metatables of locked tables: scripts have no way to make it.
static LOCKED: u8 = 0;
/// Where a locked table's metatable has the mark, the table behind it, and what `getmetatable` tells.
const MARK_AT: c_int = 1;
const REAL_AT: c_int = 2;
const SHOWN_AT: c_int = 3;
/// Patterns are matched by recursion, one call for each of their parts: longer ones might use up the stack
/// of the process.
const PATTERN_LEN_MAX: usize = 10_000;
/// Longest string that `string.rep` makes, bytes.
const REPEATED_LEN_MAX: usize = 1 << 30;

/// The functions that the prelude puts in their places.
pub(super) const FUNCTIONS: &[(&CStr, Function)] = &[
    (c"locked_meta", locked_meta),
    (c"denied", denied),
    (c"missing", missing),
    (c"guarded", guarded),
    (c"patterned", patterned),
    (c"rep", rep),
    (c"next", next),
    (c"pairs", pairs),
    (c"rawget", rawget),
    (c"rawset", rawset),
    (c"getmetatable", getmetatable),
    (c"setmetatable", setmetatable),
    (c"unpack", unpack),
    (c"pcall", pcall),
    (c"xpcall", xpcall),
    (c"collectgarbage", collectgarbage),
    (c"load", super::chunk::load),
    (c"loadstring", super::chunk::loadstring),
    (c"resume", super::coroutine::resume),
    (c"wrap", super::coroutine::wrap),
    (c"random", super::random::random),
    (c"randomseed", super::random::seed),
];

/// Makes the metatable of a locked table, of the table behind it and what is shown as its metatable.
unsafe extern "C-unwind" fn locked_meta(state: *mut lua_State) -> c_int {
    // SAFETY: two arguments; nothing is owned.
    unsafe {
        ffi::lua_settop(state, 2);
        ffi::lua_createtable(state, SHOWN_AT, 2);
        ffi::lua_pushlightuserdata(state, (&raw const LOCKED).cast_mut().cast());
        ffi::lua_rawseti_(state, 3, MARK_AT);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_rawseti_(state, 3, REAL_AT);
        ffi::lua_pushvalue(state, 2);
        ffi::lua_rawseti_(state, 3, SHOWN_AT);
    }
    1
}

/// Pushes the metatable of the value at an index if that is a locked table.
///
/// # Safety
/// An acceptable index, two free slots.
unsafe fn push_locked(state: *mut lua_State, index: c_int) -> Option<()> {
    // SAFETY: the caller's. Nothing here allocates.
    unsafe {
        if ffi::lua_type(state, index) != ffi::LUA_TTABLE
            || ffi::lua_getmetatable(state, index) == 0
        {
            return None;
        }
        ffi::lua_rawgeti_(state, -1, MARK_AT);
        let mark = ffi::lua_touserdata(state, -1);
        ffi::lua_settop(state, -2);
        if mark.cast_const() == (&raw const LOCKED).cast() {
            return Some(());
        }
        ffi::lua_settop(state, -2);
    }
    None
}

/// Whether the value at an index is a table that may be written to.
///
/// # Safety
/// As for `push_locked`.
pub(super) unsafe fn is_plain_table(state: *mut lua_State, index: c_int) -> bool {
    // SAFETY: the caller's.
    unsafe {
        if push_locked(state, index).is_some() {
            ffi::lua_settop(state, -2);
            return false;
        }
        ffi::lua_type(state, index) == ffi::LUA_TTABLE
    }
}

/// Puts the table behind a locked one in the place of the first argument.
///
/// # Safety
/// A function with an argument.
unsafe fn see_through(state: *mut lua_State) {
    // SAFETY: the caller's; a function has 20 slots.
    unsafe {
        if push_locked(state, 1).is_some() {
            ffi::lua_rawgeti_(state, -1, REAL_AT);
            ffi::lua_replace(state, 1);
            ffi::lua_settop(state, -2);
        }
    }
}

/// Leaves the function if its first argument is a locked table.
///
/// # Safety
/// A function; no frame owns anything.
unsafe fn refuse_locked(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        if push_locked(state, 1).is_some() {
            push_bytes(state, DENIED);
            ffi::lua_error(state)
        }
    }
}

/// `__newindex` of locked tables.
unsafe extern "C-unwind" fn denied(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe { raise(state, DENIED) }
}

/// `__index` of the globals.
unsafe extern "C-unwind" fn missing(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; the name, a string or what `lua_tolstring` makes one, is on the stack.
    unsafe {
        ffi::luaL_where(state, 1);
        push_bytes(state, b"Script attempted to access nonexistent global variable '");
        let mut len = 0;
        let name = ffi::lua_tolstring(state, 2, &mut len);
        if name.is_null() {
            push_bytes(state, b"(null)");
        } else {
            let name = std::slice::from_raw_parts(name.cast::<u8>(), len);
            push_bytes(state, name.split(|&byte| byte == 0).next().unwrap_or_default());
        }
        push_bytes(state, b"'");
        ffi::lua_concat(state, 4);
        ffi::lua_error(state)
    }
}

/// Calls the function that is the first upvalue in this one's place.
///
/// # Safety
/// A function of Lua's own, without upvalues, is there.
unsafe fn call_original(state: *mut lua_State) -> c_int {
    // SAFETY: the caller's. It finds the arguments where this function has them.
    unsafe {
        match ffi::lua_tocfunction(state, ffi::lua_upvalueindex(1)) {
            Some(original) => original(state),
            None => 0,
        }
    }
}

/// Makes a function that does not take a locked table.
unsafe extern "C-unwind" fn guarded(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
        // SAFETY: as said above.
        unsafe {
            refuse_locked(state);
            call_original(state)
        }
    }
    // SAFETY: the prelude gives one of the functions of `table`.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushcclosure(state, call, 1);
    }
    1
}

/// Makes a function that takes a pattern as its second argument, if it is not too long.
unsafe extern "C-unwind" fn patterned(state: *mut lua_State) -> c_int {
    unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
        // SAFETY: as said above.
        unsafe {
            if ffi::lua_objlen(state, 2) > PATTERN_LEN_MAX {
                raise(state, b"pattern too complex");
            }
            call_original(state)
        }
    }
    // SAFETY: the prelude gives one of the functions of `string`.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_pushcclosure(state, call, 1);
    }
    1
}

/// `string.rep`: an empty string is not put together a billion times, nor one made that is longer than any
/// value may be.
unsafe extern "C-unwind" fn rep(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; the buffer of strings copies.
    unsafe {
        let mut len = 0;
        let start = ffi::luaL_checklstring(state, 1, &mut len);
        let count = ffi::luaL_checkinteger(state, 2);
        let count = usize::try_from(count).unwrap_or(0);
        if len == 0 || count == 0 {
            push_bytes(state, b"");
            return 1;
        }
        if len.saturating_mul(count) > REPEATED_LEN_MAX {
            raise(state, b"resulting string too large");
        }
        let bytes = std::slice::from_raw_parts(start.cast::<u8>(), len);
        let scratch = &mut Shared::of(state).scratch;
        scratch.clear();
        for _ in 0..count {
            scratch.extend_from_slice(bytes);
        }
        push_bytes(state, scratch);
        scratch.shrink_to(super::SCRATCH_KEPT_BYTES);
    }
    1
}

/// `next`
unsafe extern "C-unwind" fn next(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::lua_settop(state, 2);
        see_through(state);
        if ffi::lua_next(state, 1) != 0 {
            return 2;
        }
        ffi::lua_pushnil(state);
    }
    1
}

/// `pairs`
unsafe extern "C-unwind" fn pairs(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, Shared::of(state).next);
        ffi::lua_pushvalue(state, 1);
        ffi::lua_pushnil(state);
    }
    3
}

/// `rawget`
unsafe extern "C-unwind" fn rawget(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::luaL_checkany(state, 2);
        ffi::lua_settop(state, 2);
        see_through(state);
        ffi::lua_rawget_(state, 1);
    }
    1
}

/// `rawset`
unsafe extern "C-unwind" fn rawset(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        ffi::luaL_checkany(state, 2);
        ffi::luaL_checkany(state, 3);
        ffi::lua_settop(state, 3);
        refuse_locked(state);
        if super::deprecated::is_finalizer(state) {
            ffi::lua_settop(state, 1);
            return 1;
        }
        ffi::lua_rawset(state, 1);
    }
    1
}

/// `getmetatable`
unsafe extern "C-unwind" fn getmetatable(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checkany(state, 1);
        if ffi::lua_type(state, 1) == ffi::LUA_TSTRING {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, Shared::of(state).string_meta);
        } else if push_locked(state, 1).is_some() {
            ffi::lua_rawgeti_(state, -1, SHOWN_AT);
        } else if ffi::lua_getmetatable(state, 1) == 0 {
            ffi::lua_pushnil(state);
        } else {
            ffi::luaL_getmetafield_(state, 1, c"__metatable".as_ptr());
        }
    }
    1
}

/// `setmetatable`
unsafe extern "C-unwind" fn setmetatable(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        let kind = ffi::lua_type(state, 2);
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        if kind != ffi::LUA_TNIL && kind != ffi::LUA_TTABLE {
            ffi::luaL_argerror(state, 2, c"nil or table expected".as_ptr());
        }
        refuse_locked(state);
        if ffi::luaL_getmetafield_(state, 1, c"__metatable".as_ptr()) != 0 {
            raise(state, b"cannot change a protected metatable");
        }
        ffi::lua_settop(state, 2);
        ffi::lua_setmetatable(state, 1);
    }
    1
}

/// `unpack`: the count of results is computed without overflow.
unsafe extern "C-unwind" fn unpack(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; there is a slot for each result.
    unsafe {
        ffi::luaL_checktype(state, 1, ffi::LUA_TTABLE);
        see_through(state);
        let first = int_of(ffi::luaL_optinteger(state, 2, 1));
        let last = if ffi::lua_type(state, 3) <= ffi::LUA_TNIL {
            num::i64_of(ffi::lua_objlen(state, 1))
        } else {
            int_of(ffi::luaL_checkinteger(state, 3))
        };
        if first > last {
            return 0;
        }
        let Ok(count) = c_int::try_from(last - first + 1) else { too_many(state) };
        if ffi::lua_checkstack(state, count) == 0 {
            too_many(state);
        }
        let mut index = first;
        while index <= last {
            ffi::lua_rawgeti_(state, 1, c_int::try_from(index).unwrap_or(0));
            index += 1;
        }
        count
    }
}

/// # Safety
/// In a function; no frame owns anything.
unsafe fn too_many(state: *mut lua_State) -> ! {
    // SAFETY: the caller's.
    unsafe { raise(state, b"too many results to unpack") }
}

/// A number as the C type `int` that Lua's own functions keep indices in.
fn int_of(n: i64) -> i64 {
    i64::from(i32::from_ne_bytes(low_half(n)))
}

fn low_half(n: i64) -> [u8; 4] {
    let [a, b, c, d, ..] = n.to_le_bytes();
    u32::from_le_bytes([a, b, c, d]).to_ne_bytes()
}

/// `pcall`: an error that is a table of Redis's kind comes as its text. A killed script catches nothing.
unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checkany(state, 1);
        let arguments = ffi::lua_gettop(state) - 1;
        if ffi::lua_pcall(state, arguments, ffi::LUA_MULTRET, 0) == ffi::LUA_OK {
            want_slot(state);
            ffi::lua_pushboolean(state, 1);
            ffi::lua_insert(state, 1);
            return ffi::lua_gettop(state);
        }
        if Shared::of(state).is_killed {
            ffi::lua_error(state);
        }
        ffi::lua_pushboolean(state, 0);
        ffi::lua_insert(state, -2);
        if ffi::lua_type(state, -1) == ffi::LUA_TTABLE {
            push_bytes(state, b"err");
            ffi::lua_rawget_(state, -2);
            if string_at(state, -1).is_some() {
                ffi::lua_replace(state, -2);
            } else {
                ffi::lua_settop(state, -2);
            }
        }
    }
    2
}

/// `xpcall`
unsafe extern "C-unwind" fn xpcall(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        ffi::luaL_checkany(state, 2);
        ffi::lua_settop(state, 2);
        ffi::lua_insert(state, 1); // the handler, below the function
        let status = ffi::lua_pcall(state, 0, ffi::LUA_MULTRET, 1);
        if status != ffi::LUA_OK && Shared::of(state).is_killed {
            ffi::lua_error(state);
        }
        want_slot(state);
        ffi::lua_pushboolean(state, c_int::from(status == ffi::LUA_OK));
        ffi::lua_replace(state, 1);
        ffi::lua_gettop(state)
    }
}

/// Leaves the function unless there is a free slot behind what it has got as results.
///
/// # Safety
/// In a function; no frame owns anything.
unsafe fn want_slot(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_checkstack(state, 1) == 0 {
            ffi::lua_settop(state, 0);
            raise(state, b"too many results");
        }
    }
}

/// `collectgarbage`: what a script sets is put back at its end.
unsafe extern "C-unwind" fn collectgarbage(state: *mut lua_State) -> c_int {
    const OPTIONS: [(&[u8], c_int); 7] = [
        (b"stop", ffi::LUA_GCSTOP),
        (b"restart", ffi::LUA_GCRESTART),
        (b"collect", ffi::LUA_GCCOLLECT),
        (b"count", ffi::LUA_GCCOUNT),
        (b"step", ffi::LUA_GCSTEP),
        (b"setpause", ffi::LUA_GCSETPAUSE),
        (b"setstepmul", ffi::LUA_GCSETSTEPMUL),
    ];
    // SAFETY: nothing is owned.
    unsafe {
        let mut len = 0;
        let start = ffi::luaL_optlstring(state, 1, c"collect".as_ptr(), &mut len);
        let name = std::slice::from_raw_parts(start.cast::<u8>(), len);
        let value = c_int::try_from(ffi::luaL_optinteger(state, 2, 0)).unwrap_or(0);
        let Some(&(_, option)) = OPTIONS.iter().find(|(known, _)| *known == name) else {
            push_bytes(state, b"invalid option '");
            push_bytes(state, name);
            push_bytes(state, b"'");
            ffi::lua_concat(state, 3);
            let text = ffi::lua_tolstring(state, -1, &mut len);
            return ffi::luaL_argerror(state, 1, text);
        };
        if matches!(option, ffi::LUA_GCSTOP | ffi::LUA_GCSETPAUSE | ffi::LUA_GCSETSTEPMUL) {
            Shared::of(state).is_collector_set = true;
        }
        let result = ffi::lua_gc(state, option, value);
        match option {
            ffi::LUA_GCCOUNT => {
                let rest = ffi::lua_gc(state, ffi::LUA_GCCOUNTB, 0);
                ffi::lua_pushnumber(state, f64::from(result) + f64::from(rest) / 1024.0);
            }
            ffi::LUA_GCSTEP => ffi::lua_pushboolean(state, result),
            _ => ffi::lua_pushnumber(state, f64::from(result)),
        }
    }
    1
}
