//! Libraries of functions: their text runs once, and registers functions with `redis.register_function`.
//!
//! Meanwhile the globals show only what belongs to that: no command can be called.

use super::interpreter::{GLOBALS_AT, Interpreter, Reference, STACK_KEPT, error_on_top};
use super::names::{self, Name, Place};
use super::{Shared, ffi, lua_State, push_bytes, string_at};
use crate::script::{Api, Registered, ScriptFlags};
use std::ffi::c_int;
use std::mem;

/// Why a library was not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoadError {
    /// Its syntax.
    Syntax(Vec<u8>),
    /// It raised an error.
    Raised(Vec<u8>),
}

impl Interpreter {
    /// Runs the text of a library; the functions that it registers.
    ///
    /// # Errors
    /// See [`LoadError`]. Then nothing is left of it.
    pub fn load_library(
        &mut self,
        text: &[u8],
        api: &mut dyn Api,
    ) -> Result<Vec<Registered>, LoadError> {
        let function = self.compile(text, c"@user_function").map_err(LoadError::Syntax)?;
        let state = self.state();
        // SAFETY: as for `Interpreter::run`, but that the globals are others meanwhile.
        let result = unsafe {
            let (env_meta, globals) = {
                let shared = Shared::of(state);
                shared.is_loading = true;
                (shared.env_meta, shared.load_globals)
            };
            show(state, env_meta, |state| {
                ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, globals);
            });
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, function.index());
            let status = self.call(0, 0, api);
            show(state, env_meta, |state| ffi::lua_pushvalue(state, GLOBALS_AT));
            Shared::of(state).is_loading = false;
            let result = if status == ffi::LUA_OK {
                Ok(())
            } else {
                Err(LoadError::Raised(error_on_top(state).text))
            };
            ffi::lua_settop(state, STACK_KEPT);
            result
        };
        self.release(function);
        // SAFETY: nobody else uses it.
        let registered = mem::take(unsafe { &mut Shared::of(state).registered });
        if let Err(error) = result {
            for Registered { function, .. } in registered {
                self.release(function);
            }
            return Err(error);
        }
        Ok(registered)
    }
}

/// Makes the globals show another table.
///
/// # Safety
/// The main stack, outside of scripts; `push` pushes a table.
unsafe fn show(state: *mut lua_State, env_meta: c_int, push: impl FnOnce(*mut lua_State)) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, env_meta);
        push_bytes(state, b"__index");
        push(state);
        ffi::lua_rawset(state, -3);
        ffi::lua_settop(state, -2);
    }
}

/// What `redis.register_function` was given, as places on the stack.
#[derive(Default)]
struct Given<'a> {
    name: Option<&'a [u8]>,
    description: Option<&'a [u8]>,
    flags: ScriptFlags,
    /// Where the function is.
    callback: Option<c_int>,
}

const NAME_RULE: &[u8] =
    b"ERR Library names can only contain letters, numbers, or underscores(_) and \
must be at least one character long";

/// Whether a library or a function may have a name.
pub fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

/// `redis.register_function(name, function)` or `redis.register_function{...}`
pub(super) unsafe extern "C-unwind" fn register_function(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned but by the shared list; strings are arguments or held by one.
    unsafe {
        let given = match take_apart(state).and_then(|given| check(state, given)) {
            Ok(given) => given,
            Err(text) => {
                ffi::lua_createtable(state, 0, 1);
                names::push(state, Place::Upvalues, Name::Err);
                push_bytes(state, text);
                ffi::lua_rawset(state, -3);
                ffi::lua_error(state)
            }
        };
        let (Some(name), Some(callback)) = (given.name, given.callback) else { return 0 };
        ffi::lua_pushvalue(state, callback);
        let function = Reference::new(ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX));
        Shared::of(state).registered.push(Registered {
            name: name.to_vec(),
            description: given.description.map(<[u8]>::to_vec),
            flags: given.flags,
            function,
        });
    }
    0
}

/// # Safety
/// In `register_function`.
unsafe fn check<'a>(state: *mut lua_State, given: Given<'a>) -> Result<Given<'a>, &'static [u8]> {
    let name = given
        .name
        .ok_or(b"ERR redis.register_function must get a function name argument" as &[u8])?;
    if given.callback.is_none() {
        return Err(b"ERR redis.register_function must get a callback argument");
    }
    if !is_name(name) {
        return Err(NAME_RULE);
    }
    // SAFETY: the caller's; the reference ends here.
    let registered = unsafe { &Shared::of(state).registered };
    if registered.iter().any(|other| other.name == name) {
        return Err(b"ERR Function already exists in the library");
    }
    Ok(given)
}

/// # Safety
/// In `register_function`.
unsafe fn take_apart<'a>(state: *mut lua_State) -> Result<Given<'a>, &'static [u8]> {
    // SAFETY: the caller's; a function has 20 slots.
    unsafe {
        if !Shared::of(state).is_loading {
            return Err(b"ERR redis.register_function can only be called on FUNCTION LOAD command");
        }
        match ffi::lua_gettop(state) {
            1 if ffi::lua_type(state, 1) == ffi::LUA_TTABLE => take_named(state),
            1 => Err(
                b"ERR calling redis.register_function with a single argument is only applicable \
                to Lua table (representing named arguments).",
            ),
            2 => {
                let name = text_at(state, 1).ok_or(
                    b"ERR first argument to redis.register_function must be a string" as &[u8],
                )?;
                if ffi::lua_type(state, 2) != ffi::LUA_TFUNCTION {
                    return Err(
                        b"ERR second argument to redis.register_function must be a function",
                    );
                }
                Ok(Given { name: Some(name), callback: Some(2), ..Given::default() })
            }
            _ => Err(b"ERR wrong number of arguments to redis.register_function"),
        }
    }
}

/// A string, or the digits of a number.
///
/// # Safety
/// An index of the caller's stack; the value stays there.
unsafe fn text_at<'a>(state: *mut lua_State, index: c_int) -> Option<&'a [u8]> {
    let mut len = 0;
    // SAFETY: the caller's. A number becomes a string where it lies.
    unsafe {
        let start = ffi::lua_tolstring(state, index, &mut len);
        (!start.is_null()).then(|| std::slice::from_raw_parts(start.cast(), len))
    }
}

/// # Safety
/// In `register_function`, with one argument, a table.
unsafe fn take_named<'a>(state: *mut lua_State) -> Result<Given<'a>, &'static [u8]> {
    const NOT_TEXT: &[u8] =
        b"ERR named argument key given to redis.register_function is not a string";
    let mut given = Given::default();
    // SAFETY: the caller's. What was found stays on the stack: at most one of each, and the pair under way.
    unsafe {
        ffi::lua_settop(state, 1);
        ffi::lua_settop(state, 4); // places for name, callback and description
        ffi::lua_pushnil(state);
        while ffi::lua_next(state, 1) != 0 {
            let key = match ffi::lua_type(state, -2) {
                ffi::LUA_TSTRING => string_at(state, -2).unwrap_or_default(),
                ffi::LUA_TNUMBER => b"",
                _ => return Err(NOT_TEXT),
            };
            match key {
                b"function_name" => {
                    ffi::lua_pushvalue(state, -1);
                    ffi::lua_replace(state, 2);
                    given.name = Some(text_at(state, 2).ok_or(
                        b"ERR function_name argument given to redis.register_function must be a string"
                            as &[u8],
                    )?);
                }
                b"description" => {
                    ffi::lua_pushvalue(state, -1);
                    ffi::lua_replace(state, 3);
                    given.description = Some(text_at(state, 3).ok_or(
                        b"ERR description argument given to redis.register_function must be a string"
                            as &[u8],
                    )?);
                }
                b"callback" if ffi::lua_type(state, -1) != ffi::LUA_TFUNCTION => {
                    return Err(
                        b"ERR callback argument given to redis.register_function must be a \
                        function",
                    );
                }
                b"callback" => {
                    ffi::lua_pushvalue(state, -1);
                    ffi::lua_replace(state, 4);
                    given.callback = Some(4);
                }
                b"flags" => given.flags = flags_on_top(state)?,
                _ => return Err(b"ERR unknown argument given to redis.register_function"),
            }
            ffi::lua_settop(state, -2);
        }
    }
    Ok(given)
}

/// # Safety
/// In `register_function`, with two free slots.
unsafe fn flags_on_top(state: *mut lua_State) -> Result<ScriptFlags, &'static [u8]> {
    let mut flags = ScriptFlags::empty();
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            return Err(
                b"ERR flags argument to redis.register_function must be a table representing \
                function flags",
            );
        }
        let mut index = 1;
        loop {
            ffi::lua_rawgeti_(state, -1, index);
            if ffi::lua_type(state, -1) == ffi::LUA_TNIL {
                ffi::lua_settop(state, -2);
                return Ok(flags);
            }
            let flag = string_at(state, -1).and_then(ScriptFlags::named);
            flags |= flag.ok_or(b"ERR unknown flag given" as &[u8])?;
            ffi::lua_settop(state, -2);
            index += 1;
        }
    }
}
