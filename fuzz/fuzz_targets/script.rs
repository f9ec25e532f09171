//! libFuzzer's script to [`carnelian_fuzz::script`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::script::run(bytes));
