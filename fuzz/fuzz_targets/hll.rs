//! libFuzzer's entry to [`carnelian_fuzz::hll`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::hll::run(bytes));
