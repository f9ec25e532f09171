//! The commands: one file for each family.

pub mod spec;
