//! Lua: the engine that scripts and functions run in.
//!
//! It knows neither commands nor clients. `lua/` owns the interpreter and what is raw about it; `lib/` are
//! the libraries that Redis gives scripts beside Lua's own.

mod lib;
pub mod lua;
