//! The libraries that scripts find beside Lua's own, written over the raw stack of the interpreter.
//!
//! Each file has one `open(state)`, which sets one global table. How their functions are written is said
//! in [`super::lua`].
