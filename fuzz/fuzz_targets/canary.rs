//! libFuzzer's entry to [`carnelian_fuzz::canary`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::canary::run(bytes));
