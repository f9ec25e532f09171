//! The libraries that scripts find beside Lua's own, written over the raw stack of the interpreter.
//!
//! Each file has one `open(state)`, which sets one global table. How their functions are written is said
//! in [`super::lua`].

#![expect(unsafe_code, reason = "the raw interface of Lua")]

use super::lua::lua_State;

/// Sets the tables of all libraries.
///
/// # Safety
/// A new state; the buffer outlives it.
pub(super) unsafe fn open(_state: *mut lua_State, _scratch: *mut Vec<u8>) {}
