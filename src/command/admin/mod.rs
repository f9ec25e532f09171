//! Running the server: CONFIG, SHUTDOWN, TIME and LOLWUT.

mod config;
mod lolwut;
mod shutdown;
mod time;

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] =
    &[&config::CONFIG, &lolwut::LOLWUT, &shutdown::SHUTDOWN, &time::TIME];
