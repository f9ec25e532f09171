//! libFuzzer's entry to [`carnelian_fuzz::intset`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::intset::run(bytes));
