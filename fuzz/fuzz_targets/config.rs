//! libFuzzer's entry to [`carnelian_fuzz::config`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::config::run(bytes));
