//! One interpreter: its making, the scripts it has compiled, and running one.

use super::memory::{self, Memory};
use super::names::{self, Name, Place};
use super::result::Writer;
use super::{
    Deprecated, Function, Lrand48, Root, SCRATCH_KEPT_BYTES, Shared, chunk, coroutine, debugger,
    deprecated, ffi, library, lua_State, push_bytes, redis, sandbox, string_at,
};
use crate::base::num;
use crate::resp::{Args, Protocol};
use crate::script::{Api, Interrupt, lib};
use std::ffi::{CStr, c_int};
use std::mem;

/// Instructions between two looks at whether the script is to end.
const INSTRUCTIONS_PER_LOOK: c_int = 100_000;
/// What stays on the main stack: the globals, the handler of errors, then the names of fields.
pub(super) const GLOBALS_AT: c_int = 1;
const HANDLER_AT: c_int = 2;
const NAMES: Place = Place::Above(HANDLER_AT);
pub(super) const STACK_KEPT: c_int = HANDLER_AT + names::COUNT;

const KILLED: &[u8] = b"ERR Script killed by user with SCRIPT KILL.";
const LOAD_TIMEOUT: &[u8] = b"ERR FUNCTION LOAD timeout";

/// What scripts are compiled to; of one interpreter.
#[derive(Debug, PartialEq, Eq)]
pub struct Reference(c_int);

impl Reference {
    /// What `luaL_ref` gave.
    pub(super) const fn new(index: c_int) -> Self {
        Self(index)
    }

    /// Its place in the registry.
    pub(super) const fn index(&self) -> c_int {
        self.0
    }
}

/// How a script runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Until it ends.
    Free,
    /// It asks at each line what to do: it is debugged.
    Lines,
}

/// How a script gets its keys and arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passing {
    /// As the globals `KEYS` and `ARGV`.
    Globals,
    /// As the two parameters of the function.
    Parameters,
}

/// What a script is given.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// The arguments of the command that runs it.
    pub args: Args<'a>,
    /// Where its keys begin among them; its arguments follow.
    pub first: usize,
    /// How many keys there are.
    pub keys: usize,
    /// How they are passed.
    pub passing: Passing,
    /// How it runs.
    pub pace: Pace,
}

/// How a script failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// What it says, its code in front.
    pub text: Vec<u8>,
    /// The chunk and the line, if they are known.
    pub place: Option<(Vec<u8>, i64)>,
    /// Whether it is the error of a command, which was counted.
    pub is_counted: bool,
}

/// What a script returned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Returned {
    /// A value.
    Value,
    /// An error.
    Error {
        /// Whether it is the error of a command, which was counted.
        is_counted: bool,
        /// Its code.
        code: Vec<u8>,
    },
}

/// An interpreter and everything that belongs to it.
#[derive(Debug)]
pub struct Interpreter {
    state: *mut lua_State,
    root: *mut Root,
    /// Bytes from which on all that is unused is collected when a script has ended.
    collect_at: usize,
}

impl Interpreter {
    /// An interpreter with what scripts may see.
    ///
    /// # Panics
    /// The prelude, which is part of the program, has an error.
    pub fn new(deprecated: Deprecated) -> Self {
        let shared = Shared {
            scratch: Vec::new(),
            args: Vec::new(),
            spans: Vec::new(),
            big: Vec::new(),
            api: None,
            protocol: Protocol::Resp2,
            random: Lrand48::NEW,
            is_killed: false,
            is_collector_set: false,
            pace: Pace::Free,
            is_environment_set: false,
            stack_base: 0,
            next: ffi::LUA_NOREF,
            string_meta: ffi::LUA_NOREF,
            proxy_meta: ffi::LUA_NOREF,
            env_meta: ffi::LUA_NOREF,
            load_globals: ffi::LUA_NOREF,
            is_loading: false,
            registered: Vec::new(),
        };
        let shared = Box::into_raw(Box::new(shared));
        let root = Box::into_raw(Box::new(Root { memory: Memory::NEW, shared }));
        // SAFETY: both live as long as the state; outside of scripts no error is raised for lack of memory.
        let state = unsafe { ffi::lua_newstate(memory::allocate, root.cast()) };
        // SAFETY: a new state.
        unsafe { prepare(state, shared, deprecated) };
        Self { state, root, collect_at: memory::collect_at(0) }
    }

    /// Bytes of memory that Lua holds.
    pub fn memory_bytes(&self) -> usize {
        // SAFETY: it lives as long as this.
        unsafe { (*self.root).memory.used }
    }

    /// Makes a function of a text.
    ///
    /// # Errors
    /// Its syntax.
    pub fn compile(&mut self, text: &[u8], name: &CStr) -> Result<Reference, Vec<u8>> {
        // SAFETY: nothing raises: there is memory, and `lua_load` catches its own errors.
        unsafe {
            let status = chunk::parse(self.state, text, name);
            if status != ffi::LUA_OK {
                let error = string_at(self.state, -1).unwrap_or_default().to_vec();
                ffi::lua_settop(self.state, STACK_KEPT);
                return Err(error);
            }
            Ok(Reference(ffi::luaL_ref(self.state, ffi::LUA_REGISTRYINDEX)))
        }
    }

    /// Forgets a function.
    pub fn release(&mut self, function: Reference) {
        // SAFETY: it came from `luaL_ref`.
        unsafe { ffi::luaL_unref(self.state, ffi::LUA_REGISTRYINDEX, function.0) }
    }

    /// Runs a function; what it returns is written as a reply.
    ///
    /// # Errors
    /// That of the script. Then nothing was written.
    pub fn run(
        &mut self,
        function: &Reference,
        input: Input<'_>,
        api: &mut dyn Api,
    ) -> Result<Returned, ScriptError> {
        let state = self.state;
        // SAFETY: nothing raises but below `lua_pcall`; the stack has room for 20 values.
        unsafe {
            ffi::lua_rawgeti_(state, ffi::LUA_REGISTRYINDEX, function.0);
            let arguments = push_input(state, input);
            if input.pace == Pace::Lines {
                let each = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
                Shared::of(state).pace = Pace::Lines;
                ffi::lua_sethook(
                    state,
                    Some(debugger::hook),
                    each,
                    debugger::INSTRUCTIONS_PER_LOOK,
                );
            }
            let status = self.call(arguments, 1, api);
            let protocol = Shared::of(state).protocol;
            let result = if status == ffi::LUA_OK {
                let returned = returned_on_top(state);
                Writer { state, place: NAMES, protocol, out: api.output() }.write();
                Ok(returned)
            } else {
                Err(error_on_top(state))
            };
            ffi::lua_settop(state, STACK_KEPT);
            result
        }
    }

    /// The state.
    pub(super) const fn state(&self) -> *mut lua_State {
        self.state
    }

    /// Calls the function on the stack within the bounds of scripts; the status as `lua_pcall` gives it.
    ///
    /// # Safety
    /// A function with so many arguments is on the main stack.
    pub(super) unsafe fn call(
        &mut self,
        arguments: c_int,
        results: c_int,
        api: &mut dyn Api,
    ) -> c_int {
        let state = self.state;
        // SAFETY: the functions of scripts use the pointer only below `lua_pcall`, where nobody else uses
        // `api`; it is taken away after.
        let pointer =
            unsafe { mem::transmute::<*mut (dyn Api + '_), *mut (dyn Api + 'static)>(api) };
        // SAFETY: the caller's.
        unsafe {
            let shared = Shared::of(state);
            shared.api = Some(pointer);
            shared.protocol = Protocol::Resp2;
            shared.stack_base = coroutine::stack_here();
            (*self.root).memory.limit = memory::BYTES_MAX;
            let status = ffi::lua_pcall(state, arguments, results, HANDLER_AT);
            (*self.root).memory.limit = usize::MAX;
            self.leave();
            status
        }
    }

    /// Puts back what a script has changed.
    ///
    /// # Safety
    /// Its script is over.
    unsafe fn leave(&mut self) {
        let state = self.state;
        // SAFETY: the caller's.
        unsafe {
            let shared = Shared::of(state);
            shared.api = None;
            let was_debugged = mem::replace(&mut shared.pace, Pace::Free) == Pace::Lines;
            if mem::take(&mut shared.is_killed) | was_debugged {
                ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
            }
            if mem::take(&mut shared.is_collector_set) {
                ffi::lua_gc(state, ffi::LUA_GCSETPAUSE, 200);
                ffi::lua_gc(state, ffi::LUA_GCSETSTEPMUL, 200);
                ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
            }
            if mem::take(&mut shared.is_environment_set) {
                push_bytes(state, b"_G");
                ffi::lua_rawget_(state, GLOBALS_AT);
                ffi::lua_replace(state, ffi::LUA_GLOBALSINDEX);
            }
            if shared.scratch.capacity() + shared.args.capacity() > 2 * SCRATCH_KEPT_BYTES {
                shared.scratch = Vec::new();
                shared.args = Vec::new();
            }
            if (*self.root).memory.used > self.collect_at {
                // Lua does not collect when it gets no memory: the next script would get none either.
                ffi::lua_gc(state, ffi::LUA_GCCOLLECT, 0);
                self.collect_at = memory::collect_at((*self.root).memory.used);
            }
        }
    }
}

impl Drop for Interpreter {
    fn drop(&mut self) {
        // SAFETY: the state and what it points to are freed together. Nothing of a script's runs at the
        // end: no value that scripts can make has a finalizer.
        unsafe {
            ffi::lua_gc(self.state, ffi::LUA_GCCOLLECT, 0);
            ffi::lua_close(self.state);
            let root = Box::from_raw(self.root);
            drop(Box::from_raw(root.shared));
        }
    }
}

// SAFETY: an interpreter is used by one thread at a time: all of its methods want it exclusively.
unsafe impl Send for Interpreter {}

/// Fills a new state: Lua's libraries, ours, and what scripts see of them.
///
/// # Safety
/// A new state.
unsafe fn prepare(state: *mut lua_State, shared: *mut Shared, deprecated: Deprecated) {
    const OPENERS: [(&CStr, Function); 5] = [
        (c"", ffi::luaopen_base),
        (c"table", ffi::luaopen_table),
        (c"string", ffi::luaopen_string),
        (c"math", ffi::luaopen_math),
        (c"os", ffi::luaopen_os),
    ];
    // SAFETY: outside of scripts nothing raises for lack of memory, and the program's own chunk has no
    // error.
    unsafe {
        ffi::lua_gc(state, ffi::LUA_GCSTOP, 0);
        for (name, open) in OPENERS {
            ffi::lua_pushcclosure(state, open, 0);
            ffi::lua_pushstring_(state, name.as_ptr());
            ffi::lua_call(state, 1, 0);
        }
        lib::open(state, &raw mut (*shared).scratch);
        ffi::lua_settop(state, 0);
        let status = chunk::parse(state, include_bytes!("prelude.lua"), c"@prelude");
        debug_assert_eq!(status, ffi::LUA_OK);
        ffi::lua_pushvalue(state, ffi::LUA_GLOBALSINDEX);
        push_functions(state, sandbox::FUNCTIONS);
        push_redis(state);
        push_load_redis(state);
        match deprecated {
            Deprecated::Hidden => ffi::lua_pushnil(state),
            Deprecated::Visible => push_functions(state, deprecated::FUNCTIONS),
        }
        ffi::lua_call(state, 5, 6);
        (*shared).proxy_meta = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        (*shared).load_globals = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        (*shared).env_meta = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        (*shared).string_meta = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_insert(state, 1); // what is visible, at `GLOBALS_AT`
        push_bytes(state, b"next");
        ffi::lua_rawget_(state, GLOBALS_AT);
        (*shared).next = ffi::luaL_ref(state, ffi::LUA_REGISTRYINDEX);
        ffi::lua_replace(state, ffi::LUA_GLOBALSINDEX);
        names::push_all(state);
        ffi::lua_pushcclosure(state, handle_error, names::COUNT);
        names::push_all(state);
        ffi::lua_gc(state, ffi::LUA_GCRESTART, 0);
        ffi::lua_sethook(state, Some(hook), ffi::LUA_MASKCOUNT, INSTRUCTIONS_PER_LOOK);
    }
}

/// # Safety
/// As for `prepare`, below `lua_call` or not.
unsafe fn push_functions(state: *mut lua_State, functions: &[(&CStr, Function)]) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, 0, 32);
        for (name, function) in functions {
            ffi::lua_pushcclosure(state, *function, 0);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
    }
}

/// Pushes the table `redis`.
///
/// # Safety
/// As for `prepare`.
unsafe fn push_redis(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_checkstack(state, names::COUNT + 8);
        ffi::lua_createtable(state, 0, 32);
        for (name, function) in redis::FUNCTIONS {
            names::push_all(state);
            ffi::lua_pushcclosure(state, *function, names::COUNT);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        for (name, number) in redis::NUMBERS {
            ffi::lua_pushnumber(state, number);
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        push_bytes(state, crate::script::VERSION.as_bytes());
        ffi::lua_setfield(state, -2, c"REDIS_VERSION".as_ptr());
        ffi::lua_pushnumber(state, crate::script::VERSION_NUMBER);
        ffi::lua_setfield(state, -2, c"REDIS_VERSION_NUM".as_ptr());
    }
}

/// Pushes what libraries see as `redis` while they are loaded.
///
/// # Safety
/// As for `prepare`.
unsafe fn push_load_redis(state: *mut lua_State) {
    const SHARED: [&CStr; 7] = [
        c"log",
        c"LOG_DEBUG",
        c"LOG_VERBOSE",
        c"LOG_NOTICE",
        c"LOG_WARNING",
        c"REDIS_VERSION",
        c"REDIS_VERSION_NUM",
    ];
    // SAFETY: the caller's; the table `redis` is on top.
    unsafe {
        ffi::lua_checkstack(state, names::COUNT + 8);
        let redis_at = ffi::lua_gettop(state);
        ffi::lua_createtable(state, 0, 8);
        for name in SHARED {
            ffi::lua_getfield_(state, redis_at, name.as_ptr());
            ffi::lua_setfield(state, -2, name.as_ptr());
        }
        names::push_all(state);
        ffi::lua_pushcclosure(state, library::register_function, names::COUNT);
        ffi::lua_setfield(state, -2, c"register_function".as_ptr());
    }
}

/// Makes the keys and arguments of a script; how many parameters its function gets.
///
/// # Safety
/// A main stack as `prepare` left it.
unsafe fn push_input(state: *mut lua_State, input: Input<'_>) -> c_int {
    let Input { args, first, keys, passing, .. } = input;
    let rest = first + keys;
    // SAFETY: the caller's.
    unsafe {
        match passing {
            Passing::Parameters => {
                push_list(state, args, first, rest);
                push_list(state, args, rest, args.len());
                2
            }
            Passing::Globals => {
                names::push(state, NAMES, Name::Keys);
                push_list(state, args, first, rest);
                ffi::lua_rawset(state, GLOBALS_AT);
                names::push(state, NAMES, Name::Argv);
                push_list(state, args, rest, args.len());
                ffi::lua_rawset(state, GLOBALS_AT);
                0
            }
        }
    }
}

/// # Safety
/// Two free slots.
unsafe fn push_list(state: *mut lua_State, args: Args<'_>, from: usize, to: usize) {
    // SAFETY: the caller's.
    unsafe {
        ffi::lua_createtable(state, c_int::try_from(to - from).unwrap_or(0), 0);
        let mut place = 0;
        for index in from..to {
            place += 1;
            push_bytes(state, args.at(index));
            ffi::lua_rawseti_(state, -2, place);
        }
    }
}

/// Looks whether the script is to end. One that is killed gets an error at each further step, so that it
/// cannot go on by catching it.
unsafe extern "C-unwind" fn hook(state: *mut lua_State, _record: *mut ffi::lua_Debug) {
    // SAFETY: a hook may raise; nothing is owned.
    unsafe { look(state) }
}

/// The same for what goes on for long without executing an instruction of Lua.
///
/// # Safety
/// It may raise: nothing is owned.
pub(super) unsafe fn look(state: *mut lua_State) {
    const EACH_STEP: c_int = ffi::LUA_MASKLINE | ffi::LUA_MASKCOUNT;
    // SAFETY: the caller's.
    unsafe {
        let shared = Shared::of(state);
        let Some(api) = shared.api else { return };
        if !shared.is_killed && (*api).interrupt() == Interrupt::GoOn {
            return;
        }
        let shared = Shared::of(state);
        shared.is_killed = true;
        let text = if shared.is_loading { LOAD_TIMEOUT } else { KILLED };
        ffi::lua_sethook(state, Some(hook), EACH_STEP, 1);
        ffi::lua_checkstack(state, 4);
        ffi::lua_createtable(state, 0, 1);
        push_bytes(state, b"err");
        push_bytes(state, text);
        ffi::lua_rawset(state, -3);
        ffi::lua_error(state);
    }
}

/// Turns what was raised into a table that says where.
unsafe extern "C-unwind" fn handle_error(state: *mut lua_State) -> c_int {
    // SAFETY: nothing is owned; a function has 20 slots.
    unsafe {
        let names = Place::Upvalues;
        ffi::lua_settop(state, 1);
        if !sandbox::is_plain_table(state, 1) {
            ffi::lua_createtable(state, 0, 3);
            names::push(state, names, Name::Err);
            push_error_text(state);
            ffi::lua_rawset(state, -3);
            ffi::lua_replace(state, 1);
        }
        let mut record: ffi::lua_Debug = mem::zeroed();
        let mut is_found = ffi::lua_getstack(state, 1, &mut record) != 0
            && ffi::lua_getinfo(state, c"nSl".as_ptr(), &mut record) != 0;
        if is_found && CStr::from_ptr(record.what) == c"C" {
            is_found = ffi::lua_getstack(state, 2, &mut record) != 0
                && ffi::lua_getinfo(state, c"nSl".as_ptr(), &mut record) != 0;
        }
        if is_found {
            names::push(state, names, Name::Source);
            ffi::lua_pushstring_(state, record.source);
            ffi::lua_rawset(state, 1);
            names::push(state, names, Name::Line);
            ffi::lua_pushnumber(state, f64::from(record.currentline));
            ffi::lua_rawset(state, 1);
        }
    }
    1
}

/// Pushes the text of the error at index 1, which is no table.
///
/// # Safety
/// In a function, with five free slots.
unsafe fn push_error_text(state: *mut lua_State) {
    // SAFETY: the caller's.
    unsafe {
        match ffi::lua_type(state, 1) {
            ffi::LUA_TSTRING | ffi::LUA_TNUMBER => {
                push_bytes(state, b"ERR ");
                ffi::lua_pushvalue(state, 1);
                ffi::lua_concat(state, 2);
            }
            ffi::LUA_TNIL => push_bytes(state, b"ERR nil"),
            ffi::LUA_TBOOLEAN if ffi::lua_toboolean(state, 1) != 0 => {
                push_bytes(state, b"ERR true")
            }
            ffi::LUA_TBOOLEAN => push_bytes(state, b"ERR false"),
            kind => {
                push_bytes(state, b"ERR ");
                ffi::lua_pushstring_(state, ffi::lua_typename(state, kind));
                ffi::lua_concat(state, 2);
            }
        }
    }
}

/// What the value on top of the stack is.
///
/// # Safety
/// As for [`error_on_top`].
unsafe fn returned_on_top(state: *mut lua_State) -> Returned {
    // SAFETY: the caller's.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            return Returned::Value;
        }
        names::push(state, NAMES, Name::Err);
        ffi::lua_rawget_(state, -2);
        let code = string_at(state, -1).and_then(|text| text.split(|&byte| byte == b' ').next());
        let Some(code) = code.map(<[u8]>::to_vec) else {
            ffi::lua_settop(state, -2);
            return Returned::Value;
        };
        names::push(state, NAMES, Name::Ignore);
        ffi::lua_rawget_(state, -3);
        let is_counted = ffi::lua_toboolean(state, -1) != 0;
        ffi::lua_settop(state, -3);
        Returned::Error { is_counted, code }
    }
}

/// The error that `lua_pcall` left.
///
/// # Safety
/// The main stack, with four free slots; nothing raises outside of scripts.
pub(super) unsafe fn error_on_top(state: *mut lua_State) -> ScriptError {
    // SAFETY: the caller's; fields are read raw.
    unsafe {
        if ffi::lua_type(state, -1) != ffi::LUA_TTABLE {
            let text = string_at(state, -1).unwrap_or(b"unknown error");
            let text = [b"ERR ", text].concat();
            return ScriptError { text, place: None, is_counted: false };
        }
        let at = ffi::lua_gettop(state);
        let field = |name| {
            names::push(state, NAMES, name);
            ffi::lua_rawget_(state, at);
        };
        field(Name::Err);
        let text = string_at(state, -1).unwrap_or(b"ERR unknown error").to_vec();
        field(Name::Ignore);
        let is_counted = ffi::lua_toboolean(state, -1) != 0;
        field(Name::Line);
        let line = num::i64_truncated(ffi::lua_tonumber(state, -1));
        field(Name::Source);
        let place = string_at(state, -1).map(|source| (source.to_vec(), line));
        ScriptError { text, place, is_counted }
    }
}
