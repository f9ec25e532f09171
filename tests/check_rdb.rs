//! `carnelian-check-rdb` beside Debian's `redis-check-rdb`: the same lines and exit codes for snapshots that
//! are in order, cut, or changed.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use carnelian::base::crc64::crc64;
use carnelian::base::rng::Rng;

const TOOL: &str = env!("CARGO_BIN_EXE_carnelian-check-rdb");
const SERVER: &str = env!("CARGO_BIN_EXE_carnelian-server");
const HEADER: &[u8] = b"REDIS0010";
const END: &[u8] = b"\xff\0\0\0\0\0\0\0\0"; // no checksum

/// A folder with one snapshot in it.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn put(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join("dump.rdb");
        fs::write(&path, bytes).unwrap();
        path
    }
}

fn run(program: impl AsRef<Path>, args: &[&str]) -> Output {
    let program = program.as_ref();
    let hint = "redis-check-rdb comes with Debian's package redis-tools";
    Command::new(program).args(args).output().unwrap_or_else(|error| panic!("{error}: {hint}"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a tool prints of a snapshot, and its exit code.
fn verdict(program: &str, path: &Path) -> (String, Option<i32>) {
    let output = run(program, &[path.to_str().unwrap()]);
    (text(&output.stdout), output.status.code())
}

/// Redis's output without what ours leaves out: where in a C file an error was found, a line of the log,
/// and a type before there is one.
fn without_extras(output: &str) -> String {
    let in_key = output.contains("doing: read-key") || output.contains("doing: read-object-value");
    let mut lines = Vec::new();
    for line in output.lines() {
        let is_log = line.contains("# Terminating server after rdb file reading failure");
        let is_early = !in_key && line == "[additional info] Reading type 0 (string)";
        match line.split_once("Internal error in RDB reading offset 0, function at rdb.c:") {
            Some((front, rest)) => {
                lines.push(format!("{front}{}", rest.split_once(" -> ").unwrap().1));
            }
            None if !is_log && !is_early => lines.push(line.to_owned()),
            None => {}
        }
    }
    lines.join("\n") + "\n"
}

/// Compares both tools on a snapshot.
fn check(place: &Place, name: &str, bytes: &[u8]) {
    let path = place.put(bytes);
    let (ours, code) = verdict(TOOL, &path);
    if ours.contains("has no elements: a load leaves it out") {
        return; // Redis loads such a file as well, and its tool takes that for an end of the file
    }
    let (theirs, expected) = verdict("redis-check-rdb", &path);
    assert_eq!(ours, without_extras(&theirs), "{name}");
    assert_eq!(code, expected, "{name}:\n{ours}");
}

fn string(bytes: &[u8]) -> Vec<u8> {
    let len = u8::try_from(bytes.len()).unwrap();
    assert!(len < 64, "longer lengths are written in another way");
    [&[len], bytes].concat()
}

fn key(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], string(name.as_bytes()).as_slice(), value].concat()
}

fn file(items: &[&[u8]]) -> Vec<u8> {
    [HEADER, &items.concat(), END].concat()
}

/// Values of most types, two databases, expiries, a library of functions.
fn sample() -> Vec<u8> {
    let library = "#!lua name=m\nredis.register_function('f',function() end)";
    let mut bytes = [
        HEADER,
        b"\xfa\x09redis-ver\x067.0.15\xfa\x0aredis-bits\xc0\x40",
        &[&[0xf5], string(library.as_bytes()).as_slice()].concat(),
        b"\xfe\x00\xfb\x08\x01",
        &key(0, "text", &string(b"some bytes")),
        &key(0, "number", b"\xc1\x39\x30"),
        b"\xfc\x00\x40\x5e\xb1\xb1\x08\x00\x00", // in the year 2273
        &key(0, "compressed", b"\xc3\x06\x14\x01aa\xe0\x09\x00"),
        &key(18, "list", b"\x01\x02\x0c\x0c\0\0\0\x02\0\x01\x01\x81a\x02\xff"),
        &key(11, "numbers", b"\x0c\x02\0\0\0\x02\0\0\0\x01\0\x02\0"),
        &key(2, "set", b"\x02\x01a\x01b"),
        &key(5, "scores", &[&b"\x01\x01m"[..], &1.5_f64.to_le_bytes()].concat()),
        b"\xfe\x03\xfb\x01\x00\xf8\x05",
        &key(4, "hash", b"\x01\x05field\x05value"),
        &[0xff],
    ]
    .concat();
    bytes.extend(crc64(&bytes).to_le_bytes());
    bytes
}

#[test]
fn a_snapshot_in_order_passes() {
    let place = Place::new();
    let (output, code) = verdict(TOOL, &place.put(&sample()));
    assert_eq!(code, Some(0), "{output}");
    let path = place.0.path().join("dump.rdb");
    assert!(output.starts_with(&format!("[offset 0] Checking RDB file {}\n", path.display())));
    assert!(output.contains("] AUX FIELD redis-ver = '7.0.15'\n"), "{output}");
    assert!(output.contains("] Selecting DB ID 3\n"), "{output}");
    assert!(output.contains("] Checksum OK\n"), "{output}");
    let end =
        "RDB looks OK! \\o/\n[info] 8 keys read\n[info] 1 expires\n[info] 0 already expired\n";
    assert!(output.ends_with(end), "{output}");
    check(&place, "the sample", &sample());
}

#[test]
fn what_is_cut_or_changed_is_reported_as_redis_does() {
    let (place, sample) = (Place::new(), sample());
    let library = sample.windows(5).position(|five| five == b"#!lua").unwrap();
    let mut rng = Rng::seeded(7);
    for _ in 0..60 {
        let at = rng.below_usize(sample.len());
        // What runs libraries of functions says more about them.
        if (library - 1..library + 60).contains(&at) {
            continue;
        }
        check(&place, &format!("cut at {at}"), &sample[..at]);
        let mut changed = sample.clone();
        changed[at] ^= 1 << rng.below(8);
        check(&place, &format!("changed at {at}"), &changed);
    }
}

#[test]
fn items_of_every_kind_are_reported_as_redis_does() {
    let place = Place::new();
    let plain = key(0, "k", &string(b"v"));
    let module: &[u8] = b"\x81\x85\xe9\x65\xa2\xdc\xa9\x78\x03";
    let data: &[u8] = b"\x02\x05\x01\x05\x03abcd\x04abcdefgh\x05\x03abc\x00";
    let aux = [&[0xf7], module, b"\x02\x02", data].concat();
    let files: [(&str, Vec<u8>); 21] = [
        ("nothing", Vec::new()),
        ("no checksum", file(&[&plain])),
        ("version 4", [b"REDIS0004", plain.as_slice(), &[0xff]].concat()),
        ("version 0", [b"REDIS0000", plain.as_slice(), END].concat()),
        ("another signature", [b"RADIS0010", plain.as_slice(), END].concat()),
        ("expired", file(&[b"\xfc\x01\0\0\0\0\0\0\0", &plain, b"\xfd\x01\0\0\0", &plain])),
        ("twice the same key", file(&[&plain, &plain])),
        ("unknown type", file(&[&plain, &key(99, "k", b"\x01v")])),
        ("no type 8", file(&[&key(8, "k", b"\x01v")])),
        ("database 99", file(&[b"\xfe\x40\x63", &plain])),
        ("idle and frequency", file(&[b"\xf8\x05", &plain, b"\xf9\x05", &plain])),
        ("a module's value", file(&[&key(7, "m", &[module, data].concat()), &plain])),
        ("a module's data", file(&[&aux, &plain])),
        ("a module's bad data", file(&[&[0xf7], module, b"\x05\x02"])),
        ("the same member twice", file(&[&key(2, "k", b"\x02\x01a\x01a")])),
        ("a score that is no number", file(&[&key(3, "k", b"\x01\x01a\xfd")])),
        ("a bad set of integers", file(&[&key(11, "k", b"\x02xy")])),
        ("more behind the end", [file(&[&plain]).as_slice(), b"*1\r\n"].concat()),
        ("an end in an expiry", [HEADER, b"\xfc\0"].concat()),
        ("an end in sizes", [HEADER, b"\xfe\x00\xfb\x01"].concat()),
        ("an end in the checksum", [HEADER, plain.as_slice(), b"\xff\0\0"].concat()),
    ];
    for (name, bytes) in &files {
        check(&place, name, bytes);
    }
}

#[test]
fn newer_types_and_valkey_are_read() {
    let place = Place::new();
    let set = key(20, "set", b"\x0a\x0a\0\0\0\x01\0\x81a\x02\xff");
    let (output, code) = verdict(TOOL, &place.put(&[b"REDIS0012", &set[..], END].concat()));
    assert_eq!(code, Some(0), "{output}");
    let hash = key(22, "h", b"\x01\x01f\x01v");
    let (output, code) = verdict(TOOL, &place.put(&[b"VALKEY080", &hash[..]].concat()));
    let named = output.contains("Reading type 22 (hash-volatile-items)");
    assert!(code == Some(1) && named, "an expiry of eight bytes is missing\n{output}");
    let (output, code) = verdict(TOOL, &place.put(&[b"REDIS0013", END].concat()));
    assert!(code == Some(1) && output.contains("[offset 9] Can't handle RDB format version 13"));
}

#[test]
fn keys_do_not_steer_the_terminal() {
    let place = Place::new();
    let (output, _) = verdict(TOOL, &place.put(&file(&[&key(11, "k\x1b[2J\n", b"\x02xy")])));
    assert!(output.contains("Reading key 'k\\u{1b}[2J\\n'\n"), "{output}");
}

#[test]
fn arguments_are_checked() {
    for (args, code, in_output, in_errors) in [
        (&[][..], 1, "", "Usage: carnelian-check-rdb [--stats] <rdb-file-name>"),
        (&["a", "b"][..], 1, "", "Usage: carnelian-check-rdb [--stats] <rdb-file-name>"),
        (&["--bad", "a"][..], 1, "", "unexpected argument '--bad'"),
        (&["/does/not/exist"][..], 1, "Checking RDB file /does/not/exist\n", "No such file"),
        (&["/"][..], 1, "[offset 0] Is a directory", ""),
        (&["--version"][..], 0, "carnelian-check-rdb ", ""),
        (&["-v"][..], 0, "carnelian-check-rdb ", ""),
        (&["--help"][..], 0, "Exit status:", ""),
    ] {
        let output = run(TOOL, args);
        let (printed, errors) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "{args:?}");
        assert!(printed.contains(in_output), "{args:?} prints {printed}");
        assert!(errors.contains(in_errors), "{args:?} complains {errors}");
    }
}

#[test]
fn the_server_is_the_tool_under_its_name() {
    let place = Place::new();
    let path = place.put(&sample());
    let expected = verdict(TOOL, &path);
    for name in ["redis-check-rdb", "/usr/bin/carnelian-check-rdb"] {
        let output = Command::new(SERVER).arg0(name).arg(&path).output().unwrap();
        assert_eq!((text(&output.stdout), output.status.code()), expected, "{name}");
    }
}

#[test]
fn statistics_say_what_is_in_the_file() {
    let place = Place::new();
    let path = place.put(&sample());
    let output = run(TOOL, &["--stats", path.to_str().unwrap()]);
    let printed = text(&output.stdout);
    let words: Vec<Vec<&str>> =
        printed.lines().map(|line| line.split_ascii_whitespace().take(4).collect()).collect();
    for row in [
        ["string", "3", "1", "0"],
        ["list", "1", "0", "2"],
        ["set", "2", "0", "4"],
        ["zset", "1", "0", "1"],
        ["hash", "1", "0", "1"],
        ["all", "8", "1", "8"],
        ["db0", "7", "1", "7"],
        ["db3", "1", "0", "1"],
    ] {
        assert!(words.iter().any(|line| line == &row), "{row:?} in\n{printed}");
    }
    assert!(printed.contains("Biggest of type list:\n"), "{printed}");
    assert!(printed.contains(", db3 'hash'\n"), "{printed}");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn statistics_of_a_file_that_is_not_in_order_say_how_far_they_reach() {
    let (place, sample) = (Place::new(), sample());
    let statistics = |bytes: &[u8]| {
        let path = place.put(bytes);
        let output = run(TOOL, &["--stats", path.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stdout)
    };
    let cut = statistics(&sample[..sample.len() - 12]);
    assert!(cut.contains("\nThe figures are about what comes before offset "), "{cut}");
    assert!(cut.contains("Biggest of type"), "{cut}");
    let mut changed = sample.clone();
    *changed.last_mut().unwrap() ^= 1;
    let changed = statistics(&changed);
    assert!(changed.contains("\nAll keys could be read, but some bytes are not"), "{changed}");
    for nothing in [&b""[..], b"REDIS0011"] {
        let printed = statistics(nothing);
        assert!(!printed.contains("Biggest") && !printed.contains("db0"), "{printed}");
    }
}
