//! libFuzzer's entry to [`carnelian_fuzz::dict`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::dict::run(bytes));
