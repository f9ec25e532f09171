//! Connections: greeting, authentication, settings of one's own connection, and a look at others'.

mod auth;
mod basic;
mod client;
mod evict;
mod hello;

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] = &[
    &auth::AUTH,
    &client::CLIENT,
    &basic::ECHO,
    &hello::HELLO,
    &basic::PING,
    &basic::QUIT,
    &basic::RESET,
    &basic::SELECT,
];
