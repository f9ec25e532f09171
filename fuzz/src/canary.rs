//! A planted bug, to prove that the harness finds one.
//!
//! It hides behind the real parser and a comparison of four bytes. Blind changes to the one seed, `ECHO
//! hush`, would take weeks to get past it; a fuzzer that sees which branches of the library and of this
//! file an input takes, and what is compared with what, needs seconds.

use carnelian::resp::Args;
use carnelian::resp::parse::{Limits, Parsed, Trust, parse};
use std::hint::black_box;

const LIMITS: Limits = Limits { bulk_len_max: 512 << 20, trust: Trust::Authenticated };

/// Fails, under a fuzzer only, on a command of two arguments of which the second is `sing`.
pub fn run(bytes: &[u8]) {
    let mut spans = Vec::new();
    if bytes.is_empty()
        || !matches!(parse(bytes, 0, LIMITS, &mut spans), Ok(Parsed::Command { .. }))
    {
        return;
    }
    let args = Args::new(bytes, &spans, &[]);
    if cfg!(fuzzing) && args.len() == 2 && sings(&args[1]) {
        panic!("the canary sings");
    }
}

/// As a number: comparisons of numbers are shown to the fuzzer.
fn sings(word: &[u8]) -> bool {
    let Ok(word) = <[u8; 4]>::try_from(word) else { return false };
    black_box(u32::from_le_bytes(word)) == u32::from_le_bytes(*b"sing")
}
