//! Units, casts, hashing, number formats: std and small crates only.
#![forbid(unsafe_code)]

pub mod ascii;
pub mod bits;
pub mod crc16;
pub mod crc64;
pub mod float;
pub mod geo;
pub mod glob;
pub mod hash;
pub mod long_double;
pub mod num;
pub mod quote;
pub mod rng;
pub mod strtod;
pub mod template;
pub mod text_sort;
pub mod time;
pub mod units;
