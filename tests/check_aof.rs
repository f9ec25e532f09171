//! `carnelian-check-aof` beside Debian's `redis-check-aof`: the same lines, exit codes and files for logs
//! that are in order, torn, corrupt, or younger than what is wanted.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use carnelian::base::rng::Rng;

const TOOL: &str = env!("CARGO_BIN_EXE_carnelian-check-aof");
const SERVER: &str = env!("CARGO_BIN_EXE_carnelian-server");
const THEIRS: &str = "redis-check-aof";

/// A snapshot of one key, without a checksum.
const SNAPSHOT: &[u8] = b"REDIS0010\xfe\x00\xfb\x01\x00\x00\x03key\x05value\xff\0\0\0\0\0\0\0\0";

fn command(words: &[&str]) -> Vec<u8> {
    let words: Vec<String> =
        words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{}", words.len(), words.concat()).into_bytes()
}

fn log(commands: &[&str]) -> Vec<u8> {
    commands.iter().flat_map(|line| command(&line.split(' ').collect::<Vec<_>>())).collect()
}

fn at(unix_s: u64) -> Vec<u8> {
    format!("#TS:{unix_s}\r\n").into_bytes()
}

/// Files in a folder.
type Files<'a> = &'a [(&'a str, &'a [u8])];

/// What a tool prints, its exit code, and what the files are afterwards.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    lines: Vec<String>,
    code: Option<i32>,
    files: Vec<Vec<u8>>,
}

fn run(program: &str, files: Files<'_>, args: &[&str], answer: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    let child = Command::new(program)
        .args(args)
        .current_dir(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let hint = "redis-check-aof comes with Debian's package redis-tools";
    let mut child = child.unwrap_or_else(|error| panic!("{error}: {hint}"));
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes()); // perhaps it does not ask
    let output = child.wait_with_output().unwrap();
    let files = files.iter().map(|(name, _)| fs::read(folder.path().join(name)).unwrap());
    Outcome {
        lines: lines(&String::from_utf8_lossy(&output.stdout)),
        code: output.status.code(),
        files: files.collect(),
    }
}

/// Output without the heads of log lines and the blank lines between them, and without what the check of a
/// snapshot prints in another way: see the test of that tool.
fn lines(output: &str) -> Vec<String> {
    let without_head = |line: &str| match line.split_once(":C ") {
        Some((pid, rest)) if pid.parse::<u32>().is_ok() => {
            rest.split_once("# ").map_or("", |(_, text)| text).to_owned()
        }
        _ => line.to_owned(),
    };
    output.lines().map(without_head).filter(|line| !line.is_empty()).collect()
}

#[track_caller]
fn check(files: Files<'_>, args: &[&str], answer: &str) -> Outcome {
    let ours = run(TOOL, files, args, answer);
    assert_eq!(ours, run(THEIRS, files, args, answer), "{args:?}");
    ours
}

/// Compares both tools on one log: without options, with `--fix`, refused and accepted.
#[track_caller]
fn check_log(log: &[u8]) {
    let files = [("x.aof", log)];
    check(&files, &["x.aof"], "");
    check(&files, &["--fix", "x.aof"], "n\n");
    check(&files, &["--fix", "x.aof"], "");
    let fixed = check(&files, &["--fix", "x.aof"], "Yes\n");
    assert_eq!(fixed.code, Some(0));
    let again = run(TOOL, &[("x.aof", &fixed.files[0])], &["x.aof"], "");
    assert_eq!(again.code, Some(0), "{again:?}");
}

#[test]
fn logs_are_judged_as_redis_judges_them() {
    let good = log(&["SET k v", "MULTI", "SET a b", "EXEC"]);
    check_log(&good);
    check_log(b"");
    let behind = |tail: &str| check_log(&[&good[..], tail.as_bytes()].concat());
    for tail in ["!!!", "\0\0\0\0", "#", "##\n", "*x\r\n", "*2x\r\n", "*2\n", "*1\r\n+1\r\n"] {
        if tail != "#" {
            behind(tail);
        }
    }
    behind("*1\r\n$-3\r\nDEL\r\n");
    behind("*1\r\n$x\r\nDEL\r\n");
    behind("*1\r\n$99999999999999999999\r\nDEL\r\n");
    behind("*1\r\n$9\r\nDEL\r\n");
    behind("*1\r\n$2\r\nDEL\r\n");
    behind("*1\r\n$3\r\nDEL\n\r");
    behind(&format!("*1\r\n${}\r\nDEL", "1".repeat(300)));
}

/// Redis's tool leaves the first 1,023 bytes of it, which the server would not load.
#[test]
fn an_annotation_that_is_too_long_is_cut_off_as_a_whole() {
    let good = log(&["SET k v"]);
    let long = [&good[..], b"#", &b"x".repeat(2000), b"\r\n"].concat();
    let fixed = run(TOOL, &[("x.aof", &long)], &["--fix", "x.aof"], "y\n");
    assert_eq!((fixed.code, fixed.files), (Some(0), vec![good]));
}

#[test]
fn a_log_may_be_cut_anywhere() {
    let parts = [log(&["SET k v"]), at(5), log(&["MULTI", "APPEND k w", "EXEC", "DEL x"])];
    let whole = parts.concat();
    let annotation = parts[0].len() + 1..parts[0].len() + parts[1].len();
    for end in (0..whole.len()).filter(|end| !annotation.contains(end)) {
        let files = [("x.aof", &whole[..end])];
        let (mut ours, mut theirs) =
            (run(TOOL, &files, &["x.aof"], ""), run(THEIRS, &files, &["x.aof"], ""));
        // Behind the end of a short line Redis prints bytes of an earlier one.
        for line in ours.lines.iter_mut().chain(&mut theirs.lines) {
            if let Some((head, _)) = line.split_once(", got: ") {
                *line = head.to_owned();
            }
        }
        assert_eq!(ours, theirs, "cut at {end}");
    }
}

#[test]
fn transactions_count_as_a_whole() {
    check_log(&log(&["SET k v", "MULTI", "SET a b"]));
    check_log(&log(&["SET k v", "MULTI"]));
    check_log(&log(&["MULTI", "multi", "SET a b"]));
    check_log(&log(&["SET k v", "EXEC", "SET a b"]));
    check_log(&log(&["EXEC"]));
    check_log(&log(&["SET MULTI EXEC", "GET EXEC"]));
}

#[test]
fn changed_logs_are_judged_as_redis_judges_them() {
    let whole = log(&["SET key value", "MULTI", "SET a b", "EXEC", "DEL key", "INCR a"]);
    let mut rng = Rng::seeded(21);
    for round in 0..60 {
        let mut bad = whole.clone();
        for _ in 0..=round % 3 {
            let at = rng.below_usize(bad.len());
            bad[at] = b"123456789*$\r\nxM!"[rng.below_usize(16)];
        }
        let files = [("x.aof", &bad[..])];
        let mut ours = run(TOOL, &files, &["--fix", "x.aof"], "y\n");
        let theirs = run(THEIRS, &files, &["--fix", "x.aof"], "y\n");
        if theirs.lines.iter().any(|line| line.ends_with("got: '")) {
            ours.lines.clone_from(&theirs.lines); // a line end, as it is instead of quoted
        }
        assert_eq!(ours, theirs, "{}", bad.escape_ascii());
    }
}

#[test]
fn a_snapshot_may_come_first() {
    let with = |tail: &[u8]| [SNAPSHOT, tail].concat();
    for tail in [log(&[]), log(&["SET k v"]), [log(&["SET k v"]), b"!".to_vec()].concat()] {
        check_log(&with(&tail));
    }
    let mut bad = SNAPSHOT.to_vec();
    bad.truncate(20);
    let outcome = run(TOOL, &[("x.aof", &bad)], &["--fix", "x.aof"], "y\n");
    let theirs = run(THEIRS, &[("x.aof", &bad)], &["--fix", "x.aof"], "y\n");
    assert_eq!((outcome.code, outcome.lines.last()), (Some(1), theirs.lines.last()));
    assert_eq!(outcome.files[0], bad);
    check(&[("x.aof", b"REDIS")], &["x.aof"], "");
    let newer = [&with(&at(100))[..], &log(&["SET k v"])].concat();
    check(&[("x.aof", &newer)], &["--truncate-to-timestamp", "50", "x.aof"], "");
}

#[test]
fn what_is_younger_is_cut_off() {
    let part = |unix_s, line: &str| [at(unix_s), log(&[line])].concat();
    let whole = [part(100, "SET a 1"), part(200, "SET b 2"), part(300, "SET c 3")].concat();
    let files = [("x.aof", &whole[..])];
    for time in
        ["50", "100", "150", "299", "300", "400", "0", "-5", "1x", "x", "99999999999999999999"]
    {
        check(&files, &["--truncate-to-timestamp", time, "x.aof"], "");
    }
    let torn = [&whole[..], b"*1\r\n+"].concat();
    for time in ["250", "300"] {
        check(&[("x.aof", &torn)], &["--truncate-to-timestamp", time, "x.aof"], "");
    }
    let wrong = [&whole[..], b"#TS:1x\r\n"].concat();
    check(&[("x.aof", &wrong)], &["--truncate-to-timestamp", "300", "x.aof"], "");
    check(&[("x.aof", &[])], &["--truncate-to-timestamp", "300", "x.aof"], "");
    // Redis's tool cuts inside the transaction, and its server does not load that.
    let unit =
        [part(100, "SET a 1"), log(&["MULTI"]), part(200, "SET b 2"), log(&["EXEC"])].concat();
    let ours = run(TOOL, &[("x.aof", &unit)], &["--truncate-to-timestamp", "150", "x.aof"], "");
    assert_eq!((ours.code, &ours.files[0]), (Some(0), &part(100, "SET a 1")));
}

#[test]
fn a_manifest_names_several_files() {
    let (base, first, last) = (log(&["SET a 1"]), log(&["SET b 2"]), log(&["SET c 3"]));
    let torn = [&last[..], b"*1\r\n$3\r\nD"].concat();
    let names = b"file b.aof seq 1 type b\nfile 1.aof seq 1 type i\nfile 2.aof seq 2 type i\n";
    let set = |base, first, last| {
        [("x.manifest", &names[..]), ("b.aof", base), ("1.aof", first), ("2.aof", last)]
    };
    for files in [
        set(&base, &first, &last),
        set(&base, &first, &torn),
        set(SNAPSHOT, &first, &torn),
        set(&base, &torn, &last),
        set(&torn, &first, &last),
        set(&[], &[], &last),
        set(&base, &first, SNAPSHOT),
    ] {
        check(&files, &["x.manifest"], "");
        check(&files, &["--fix", "x.manifest"], "y\n");
    }
    let timed =
        |unix_s| [at(unix_s), log(&["SET a 1"]), at(unix_s + 50), log(&["SET a 2"])].concat();
    let (base, first, last) = (timed(100), timed(200), timed(300));
    for time in ["50", "120", "180", "220", "280", "320", "360"] {
        let args = ["--truncate-to-timestamp", time, "x.manifest"];
        check(&set(&base, &first, &last), &args, "");
    }
}

#[test]
fn manifests_are_judged_as_redis_judges_them() {
    let good = log(&["SET a 1"]);
    for text in [
        "file b.aof seq 1 type b\n",
        "# a comment\nfile b.aof seq 1 type i\n",
        "file b.aof seq 1 type h\n",
        "file b.aof seq 1 type b",
        "file b.aof seq 1 type b\nfile b.aof seq 2 type b\n",
        "file b.aof seq 2 type i\nfile b.aof seq 1 type i\n",
        "file ../b.aof seq 1 type b\n",
        "file b.aof seq 1 type z\n",
        "file b.aof seq 1 type b seq\n",
        "file none seq 1 type b\n",
        "file none seq 1 type i\n",
        "#only a comment\n",
        "something else\n",
        "",
    ] {
        check(&[("m", text.as_bytes()), ("b.aof", &good)], &["m"], "");
    }
}

#[test]
fn what_redis_lets_pass_and_no_server_loads_is_refused() {
    let good = log(&["SET a 1"]);
    for tail in ["*0\r\n", "*-2\r\n", "* 1\r\n$3\r\nDEL\r\n", "*1\r\n$+3\r\nDEL\r\n", "#TS:12"] {
        let whole = [&good[..], tail.as_bytes()].concat();
        let ours = run(TOOL, &[("x", &whole)], &["--fix", "x"], "y\n");
        assert_eq!((ours.code, &ours.files[0]), (Some(0), &good), "{tail}: {:?}", ours.lines);
    }
}

#[test]
fn the_command_line_is_redis_s() {
    let usage = "[--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>";
    let good = log(&["SET a 1"]);
    let files = [("x.aof", &good[..])];
    for args in [
        &[][..],
        &["--fi", "x.aof"],
        &["x.aof", "--fix"],
        &["--fix", "x.aof", "x.aof"],
        &["1", "2", "3", "4"],
    ] {
        let (ours, theirs) = (run(TOOL, &files, args, ""), run(THEIRS, &files, args, ""));
        assert_eq!(ours.code, theirs.code);
        for outcome in [&ours, &theirs] {
            assert!(matches!(&outcome.lines[..], [line] if line.ends_with(usage)), "{outcome:?}");
        }
    }
    for args in [&["none"][..], &["--fix"], &["--fix", "none"], &["."]] {
        check(&files, args, "");
    }
    assert_eq!(run(TOOL, &[], &["--help"], "").code, Some(0));
    assert!(run(TOOL, &[], &["-v"], "").lines[0].starts_with("carnelian-check-aof "));
}

#[test]
fn the_server_does_it_under_the_tool_s_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.aof");
    fs::write(&path, log(&["SET a 1"])).unwrap();
    for name in ["redis-check-aof", "/usr/bin/carnelian-check-aof"] {
        let output = Command::new(Path::new(SERVER)).arg0(name).arg(&path).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        assert!(String::from_utf8_lossy(&output.stdout).contains("is valid"), "{output:?}");
    }
}

/// A path was put into an array on the stack, whatever its length.
#[test]
fn cve_2025_27151_paths_of_any_length_are_an_error() {
    for len in [255, 256, 1023, 1024, 4095, 4096, 5000, 100_000] {
        let path = format!("/{}", "a/".repeat(len / 2));
        for path in [path, "a".repeat(len)] {
            let outcome = run(TOOL, &[], &[&path], "");
            assert_eq!(outcome.code, Some(1), "{len}: {outcome:?}");
        }
        let manifest = format!("file {} seq 1 type b\n", "a".repeat(len));
        let outcome = run(TOOL, &[("x.manifest", manifest.as_bytes())], &["x.manifest"], "");
        assert_eq!(outcome.code, Some(1), "{len}: {outcome:?}");
    }
}
