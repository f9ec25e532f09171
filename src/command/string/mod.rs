//! Strings.

mod get;
mod set;

use super::Command;

/// The family.
pub static COMMANDS: &[&Command] = &[&get::GET, &set::SET];
