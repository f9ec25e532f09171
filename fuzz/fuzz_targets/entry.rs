//! libFuzzer's entry to [`carnelian_fuzz::entry`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::entry::run(bytes));
