//! libFuzzer's hash to [`carnelian_fuzz::hash`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::hash::run(bytes));
