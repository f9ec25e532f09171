//! libFuzzer's entry to [`carnelian_fuzz::command`]. Half of the changes to a script are made by
//! `grammar`, which knows every command and its arguments.
#![no_main]

mod grammar;

use carnelian::base::rng::Rng;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| carnelian_fuzz::command::run(bytes));

fuzz_mutator!(|bytes: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let mut rng = Rng::seeded(u64::from(seed));
    if rng.below(2) == 0 {
        return fuzzer_mutate(bytes, size, max_size);
    }
    let mut script = grammar::change(&bytes[..size], &mut rng);
    script.truncate(max_size);
    bytes[..script.len()].copy_from_slice(&script);
    script.len()
});
