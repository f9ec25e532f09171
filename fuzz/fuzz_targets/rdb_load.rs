//! libFuzzer's entry to [`carnelian_fuzz::rdb`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::rdb::run_load(bytes));
