//! Encodings that are no longer written: those of Redis 2.x to 6.x.
//!
//! Their bytes always come from somebody else, so they are read with every check that Redis makes when
//! it converts them.

pub(super) mod ziplist;
pub(super) mod zipmap;
