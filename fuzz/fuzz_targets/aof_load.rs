//! libFuzzer's entry to [`carnelian_fuzz::aof`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::aof::run(bytes));
