//! The commands: one file for each family.

pub mod keys;
pub mod spec;
