//! libFuzzer's entry to [`carnelian_fuzz::stream`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::stream::run(bytes));
