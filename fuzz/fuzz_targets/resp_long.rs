//! libFuzzer's entry to [`carnelian_fuzz::resp::run_long`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::resp::run_long(bytes));
