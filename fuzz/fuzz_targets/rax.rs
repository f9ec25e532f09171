//! libFuzzer's entry to [`carnelian_fuzz::rax`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::rax::run(bytes));
