//! libFuzzer's entry to [`carnelian_fuzz::quicklist`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::quicklist::run(bytes));
