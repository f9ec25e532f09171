//! libFuzzer's entry to [`carnelian_fuzz::skiplist`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::skiplist::run(bytes));
