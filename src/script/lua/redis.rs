//! The table `redis`: how scripts reach the server.

use super::names::{self, Name, Place};
use super::reply::{self, Kind};
use super::{Function, Pace, Shared, debugger, ffi, lua_State, push_bytes, string_at};
use crate::base::{float, num};
use crate::resp::parse::Span;
use crate::resp::{Args, Protocol, SHARED_LEN_MIN};
use crate::script::debug::Remark;
use crate::script::{Level, Replication};
use bytes::Bytes;
use std::ffi::{CStr, c_int};

/// The functions.
pub(super) const FUNCTIONS: &[(&CStr, Function)] = &[
    (c"call", call),
    (c"pcall", pcall),
    (c"log", log),
    (c"setresp", setresp),
    (c"sha1hex", sha1hex),
    (c"error_reply", error_reply),
    (c"status_reply", status_reply),
    (c"set_repl", set_repl),
    (c"replicate_commands", replicate_commands),
    (c"breakpoint", breakpoint),
    (c"debug", debug),
    (c"acl_check_cmd", acl_check_cmd),
];

/// The numbers.
pub(super) const NUMBERS: [(&CStr, f64); 9] = [
    (c"LOG_DEBUG", 0.0),
    (c"LOG_VERBOSE", 1.0),
    (c"LOG_NOTICE", 2.0),
    (c"LOG_WARNING", 3.0),
    (c"REPL_NONE", 0.0),
    (c"REPL_AOF", 1.0),
    (c"REPL_SLAVE", 2.0),
    (c"REPL_REPLICA", 2.0),
    (c"REPL_ALL", 3.0),
];

/// The names of fields are the upvalues of all of these functions.
const NAMES: Place = Place::Upvalues;

/// Pushes the table of an error.
///
/// # Safety
/// Three free slots, no frame owns anything.
unsafe fn push_error(state: *mut lua_State, text: &[u8]) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 1);
        names::push(state, NAMES, Name::Err);
        push_bytes(state, text);
        ffi::lua_rawset(state, -3);
    }
}

/// Leaves the function with an error.
///
/// # Safety
/// As for `push_error`.
unsafe fn fail(state: *mut lua_State, text: &[u8]) -> c_int {
    // SAFETY: the caller's.
    unsafe {
        push_error(state, text);
        ffi::lua_error(state)
    }
}

/// `redis.call`
unsafe extern "C-unwind" fn call(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        match execute(state) {
            Kind::Value => 1,
            Kind::Error => ffi::lua_error(state),
        }
    }
}

/// `redis.pcall`
unsafe extern "C-unwind" fn pcall(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe { execute(state) };
    1
}

const NO_ARGUMENT: &[u8] = b"ERR Please specify at least one argument for this redis lib call";
const BAD_ARGUMENT: &[u8] = b"ERR Lua redis lib command arguments must be strings or integers";
const OUTSIDE: &[u8] = b"ERR redis.call/pcall can only be called inside a script invocation";

/// Executes the command that the arguments are, and pushes its reply.
///
/// # Safety
/// In a function with the names as upvalues; no frame owns anything.
unsafe fn execute(state: *mut lua_State) -> Kind {
    // SAFETY: the caller's; what is owned belongs to the shared buffers.
    unsafe {
        let shared = Shared::of(state);
        let Some(api) = shared.api.filter(|_| !shared.is_loading) else {
            push_error(state, OUTSIDE);
            return Kind::Error;
        };
        if let Err(text) = collect(state, shared) {
            push_error(state, text);
            return Kind::Error;
        }
        let api = &mut *api;
        api.call(Args::new(&shared.args, &shared.spans, &shared.big));
        shared.big.clear();
        reply::push(state, NAMES, api.reply())
    }
}

/// Copies the arguments, once, to where commands take them from: long ones to buffers of their own, which
/// a value may keep.
///
/// # Safety
/// In a function; `shared` is that of the state.
unsafe fn collect(state: *mut lua_State, shared: &mut Shared) -> Result<(), &'static [u8]> {
    shared.args.clear();
    shared.spans.clear();
    shared.big.clear();
    // SAFETY: the caller's.
    let count = unsafe { ffi::lua_gettop(state) };
    if count == 0 {
        return Err(NO_ARGUMENT);
    }
    for index in 1..=count {
        let start = shared.args.len();
        // SAFETY: the argument stays where it is; nothing here calls into Lua but to look at it.
        let (kind, text) = unsafe { (ffi::lua_type(state, index), string_at(state, index)) };
        let text = match kind {
            ffi::LUA_TSTRING => text.unwrap_or_default(),
            ffi::LUA_TNUMBER => {
                // SAFETY: as above.
                write_number(unsafe { ffi::lua_tonumber(state, index) }, &mut shared.args);
                &[]
            }
            _ => return Err(BAD_ARGUMENT),
        };
        let span = if text.len() >= SHARED_LEN_MIN {
            shared.big.push(Bytes::copy_from_slice(text));
            Span { start: Span::BIG, len: num::low_u32(num::u64_of(shared.big.len() - 1)) }
        } else {
            shared.args.extend_from_slice(text);
            let len = shared.args.len() - start;
            let invariant = "a command of a script has no 4 GiB of short arguments";
            Span { start: num::u32_of(start, invariant), len: num::u32_of(len, invariant) }
        };
        shared.spans.push(span);
    }
    Ok(())
}

/// A number as commands get it: an integer if it is one, with all digits otherwise.
fn write_number(n: f64, out: &mut Vec<u8>) {
    match num::i64_exactly(n) {
        Some(integer) => num::write_i64(out, integer),
        None => float::format_f64_17(n, out),
    }
}

/// `redis.log(level, text ...)`
unsafe extern "C-unwind" fn log(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned but by the shared buffers.
    unsafe {
        let count = ffi::lua_gettop(state);
        if count < 2 {
            return fail(state, b"ERR redis.log() requires two arguments or more.");
        }
        if ffi::lua_isnumber(state, 1) == 0 {
            return fail(state, b"ERR First argument must be a number (log level).");
        }
        let level = match num::i64_truncated(ffi::lua_tonumber(state, 1)) {
            0 => Level::Debug,
            1 => Level::Verbose,
            2 => Level::Notice,
            3 => Level::Warning,
            _ => return fail(state, b"ERR Invalid debug level."),
        };
        for index in 2..=count {
            if ffi::lua_type(state, index) == ffi::LUA_TNUMBER {
                ffi::lua_tolstring(state, index, std::ptr::null_mut()); // turns it into one
            }
        }
        let shared = Shared::of(state);
        shared.scratch.clear();
        for index in 2..=count {
            if index > 2 {
                shared.scratch.push(b' ');
            }
            shared.scratch.extend_from_slice(string_at(state, index).unwrap_or_default());
        }
        if let Some(api) = shared.api {
            (*api).log(level, &shared.scratch);
        }
    }
    0
}

/// `redis.setresp(2 or 3)`
unsafe extern "C-unwind" fn setresp(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return fail(state, b"ERR redis.setresp() requires one argument.");
        }
        let protocol = match num::i64_truncated(ffi::lua_tonumber(state, 1)) {
            2 => Protocol::Resp2,
            3 => Protocol::Resp3,
            _ => return fail(state, b"ERR RESP version must be 2 or 3."),
        };
        let shared = Shared::of(state);
        if let Some(api) = shared.api {
            shared.protocol = protocol;
            (*api).set_protocol(protocol);
        }
    }
    0
}

/// `redis.sha1hex(text)`
unsafe extern "C-unwind" fn sha1hex(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; the text is an argument.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return fail(state, b"ERR wrong number of arguments");
        }
        let mut len = 0;
        let start = ffi::lua_tolstring(state, 1, &mut len);
        let text: &[u8] =
            if start.is_null() { &[] } else { std::slice::from_raw_parts(start.cast(), len) };
        push_bytes(state, &crate::script::sha1_hex(text));
    }
    1
}

/// The one argument of `redis.error_reply` and `redis.status_reply`.
///
/// # Safety
/// In a function, whose argument it is.
unsafe fn single_string<'a>(state: *mut lua_State) -> Option<&'a [u8]> {
    // SAFETY: the caller's.
    unsafe { if ffi::lua_gettop(state) == 1 { string_at(state, 1) } else { None } }
}

const NOT_ONE_STRING: &[u8] = b"ERR wrong number or type of arguments";

/// `redis.error_reply(text)`: a text without a code gets the common one.
unsafe extern "C-unwind" fn error_reply(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; the text is an argument.
    unsafe {
        let Some(text) = single_string(state) else {
            push_error(state, NOT_ONE_STRING);
            return 1;
        };
        let text = text.strip_prefix(b"-").unwrap_or(text);
        let end = text.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
        let text = &text[..end.map_or(0, |last| last + 1)];
        ffi::lua_createtable(state, 0, 1);
        names::push(state, NAMES, Name::Err);
        if text.contains(&b' ') {
            push_bytes(state, text);
        } else {
            push_bytes(state, b"ERR ");
            push_bytes(state, text);
            ffi::lua_concat(state, 2);
        }
        ffi::lua_rawset(state, -3);
    }
    1
}

/// `redis.status_reply(text)`
unsafe extern "C-unwind" fn status_reply(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; the text is an argument.
    unsafe {
        let Some(text) = single_string(state) else {
            push_error(state, NOT_ONE_STRING);
            return 1;
        };
        ffi::lua_createtable(state, 0, 1);
        names::push(state, NAMES, Name::Ok);
        push_bytes(state, text);
        ffi::lua_rawset(state, -3);
    }
    1
}

/// `redis.set_repl(flags)`
unsafe extern "C-unwind" fn set_repl(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned.
    unsafe {
        if ffi::lua_gettop(state) != 1 {
            return fail(state, b"ERR redis.set_repl() requires two arguments.");
        }
        let flags = num::i64_truncated(ffi::lua_tonumber(state, 1));
        let Some(flags) = u8::try_from(flags).ok().filter(|flags| *flags <= Replication::ALL.0)
        else {
            let text = b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.";
            return fail(state, text);
        };
        if let Some(api) = Shared::of(state).api {
            (*api).set_replication(Replication(flags));
        }
    }
    0
}

/// `redis.replicate_commands()`: nothing else is done any more.
unsafe extern "C-unwind" fn replicate_commands(state: *mut lua_State) -> c_int {
    // SAFETY: a free slot.
    unsafe { ffi::lua_pushboolean(state, 1) };
    1
}

/// `redis.breakpoint()`: whether somebody debugs.
unsafe extern "C-unwind" fn breakpoint(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; a free slot.
    unsafe {
        let api = Shared::of(state).api;
        let is_debugged = api.is_some_and(|api| (*api).note_remark(Remark::Stop));
        ffi::lua_pushboolean(state, c_int::from(is_debugged));
    }
    1
}

/// `redis.debug(...)`
unsafe extern "C-unwind" fn debug(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned but by the shared buffer.
    unsafe {
        let shared = Shared::of(state);
        if let Some(api) = shared.api.filter(|_| shared.pace == Pace::Lines) {
            debugger::join_arguments(state, shared);
            (*api).note_remark(Remark::Says(&shared.scratch));
        }
    }
    0
}

/// `redis.acl_check_cmd(name, argument ...)`
unsafe extern "C-unwind" fn acl_check_cmd(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned but by the shared buffers.
    unsafe {
        let shared = Shared::of(state);
        let Some(api) = shared.api else { return fail(state, OUTSIDE) };
        if let Err(text) = collect(state, shared) {
            return fail(state, text);
        }
        let args = Args::new(&shared.args, &shared.spans, &shared.big);
        match (*api).may_execute(args) {
            Some(may) => ffi::lua_pushboolean(state, c_int::from(may)),
            None => return fail(state, b"ERR Invalid command passed to redis.acl_check_cmd()"),
        }
    }
    1
}
