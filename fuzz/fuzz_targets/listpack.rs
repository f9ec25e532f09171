//! libFuzzer's entry to [`carnelian_fuzz::listpack`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::listpack::run(bytes));
