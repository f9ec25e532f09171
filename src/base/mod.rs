//! Units, casts, hashing, number formats: std and small crates only.
#![forbid(unsafe_code)]

pub mod float;
pub mod hash;
pub mod long_double;
pub mod num;
