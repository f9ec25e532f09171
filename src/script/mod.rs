//! Lua: the engine that scripts and functions run in.
//!
//! It knows neither commands nor clients: what a script asks of the server goes through [`Api`]. `lua/`
//! owns the interpreter and what is raw about it; `lib/` are the libraries that Redis gives scripts beside
//! Lua's own.

mod api;
pub mod debug;
mod lib;
mod library;
pub mod lua;

use crate::config::REDIS_VERSION;
pub use api::{Api, Called, Interrupt, Level, Replication};
pub use library::{Registered, ScriptFlags};
use sha1::{Digest, Sha1};

/// The version that scripts are told.
const VERSION: &str = REDIS_VERSION;
/// The same as a number, a byte for each part.
const VERSION_NUMBER: f64 = 459_776.0;

/// The SHA-1 of a text as 40 hexadecimal digits, by which scripts are known.
pub fn sha1_hex(text: &[u8]) -> [u8; 40] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut name = [0; 40];
    for (pair, byte) in name.chunks_exact_mut(2).zip(Sha1::digest(text)) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
    name
}
