//! libFuzzer's entry to [`carnelian_fuzz::glob`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::glob::run(bytes));
