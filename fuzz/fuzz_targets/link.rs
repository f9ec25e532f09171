//! libFuzzer's entry to [`carnelian_fuzz::link`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::link::run(bytes));
