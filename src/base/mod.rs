//! Units, casts, hashing, number formats: std and small crates only.
#![forbid(unsafe_code)]

pub mod hash;
pub mod num;
