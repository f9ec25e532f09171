//! libFuzzer's entry to [`carnelian_fuzz::inline`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::inline::run(bytes));
