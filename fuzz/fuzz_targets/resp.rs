//! libFuzzer's entry to [`carnelian_fuzz::resp`].
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| carnelian_fuzz::resp::run(bytes));
