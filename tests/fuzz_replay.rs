//! Runs everything the fuzzers ever found through what they fuzz, without a fuzzer: the corpora, and the
//! crashes of the past, each of which is a file that says what went wrong.

#[path = "../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "it is a library of its own as well")]
mod fuzz;

use carnelian::base::rng::Rng;
use std::fs;
use std::path::{Path, PathBuf};

/// The files of `fuzz/FOLDER/TARGET`, in order of their names.
fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(folder).join(target);
    let Ok(entries) = fs::read_dir(path) else { return Vec::new() };
    let mut files: Vec<_> =
        entries.map(|entry| entry.expect("a listed entry can be read").path()).collect();
    files.sort();
    files
}

/// Runs a target on every file of a folder and says how many there were.
fn replay(folder: &str, target: &str) -> usize {
    let (_, run) = fuzz::TARGETS.iter().find(|(name, _)| *name == target).expect("a target");
    let files = files(folder, target);
    for file in &files {
        let bytes = fs::read(file).expect("a listed file can be read");
        // Printed by the test harness if the run fails.
        println!("{}", file.display());
        run(&bytes);
    }
    files.len()
}

macro_rules! replays {
    ($($target:ident)*) => {
        $(
            #[test]
            fn $target() {
                assert!(replay("corpus", stringify!($target)) > 0, "there is no corpus");
                replay("regressions", stringify!($target));
            }
        )*

        #[test]
        fn every_target_is_replayed() {
            let replayed = [$(stringify!($target)),*];
            assert!(fuzz::TARGETS.iter().map(|(name, _)| *name).eq(replayed));
        }
    };
}

replays! { aof_load command config dict entry glob hash hll inline intset link listpack quicklist rax rdb_load resp resp_long restore script skiplist stream }

#[test]
fn the_canary_is_silent_without_a_fuzzer() {
    fuzz::canary::run(b"*2\r\n$4\r\nECHO\r\n$4\r\nsing\r\n");
}

#[test]
fn only_targets_have_files() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    for kind in ["corpus", "regressions"] {
        let Ok(entries) = fs::read_dir(folder.join(kind)) else { continue };
        for entry in entries {
            let name = entry.expect("a listed entry can be read").file_name();
            let is_target = fuzz::TARGETS.iter().any(|(target, _)| name == *target);
            assert!(is_target || name == "canary", "{kind}/{}", name.display());
        }
    }
}

/// Random scripts of one user beside those of another; `CARNELIAN_FUZZED_SCRIPTS` says how many.
#[test]
fn users_scripts_do_not_reach_each_other() {
    const SCRIPTS_OF_A_WORLD: u64 = 2000;
    const BYTES_OF_A_SCRIPT: usize = 400;
    let number = |name: &str, default| {
        let text = std::env::var(name).ok();
        text.map_or(default, |text| text.parse().expect("a number"))
    };
    let scripts: u64 = number("CARNELIAN_FUZZED_SCRIPTS", 4000);
    let first: u64 = number("CARNELIAN_FUZZED_FROM", 1);
    let worlds = usize::try_from(scripts.div_ceil(SCRIPTS_OF_A_WORLD)).expect("few");
    for seed in (first..).take(worlds) {
        println!("seed {seed}");
        fuzz::script::with_a_process_s_stack(|| {
            let mut rng = Rng::seeded(seed);
            let mut world = fuzz::script::World::new();
            for _ in 0..SCRIPTS_OF_A_WORLD.min(scripts) {
                let mut bytes = [0; BYTES_OF_A_SCRIPT];
                rng.fill(&mut bytes);
                world.attack(&mut fuzz::input::Input::new(&bytes));
            }
            world.take_stock();
        });
    }
}
