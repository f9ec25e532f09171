//! The command line of the tool.

use crate::base::num;
use std::ffi::OsString;
use std::path::PathBuf;

/// What `--help` says behind the usage.
pub(super) const HELP: &str = "\
Checks an append-only file: reads every command of the files that a manifest names, or of one file of
before Redis 7, without executing them. A snapshot at the start of a file is checked as carnelian-check-rdb
does.

Options:
  --fix
      Cut the last file behind its last whole command or transaction, after asking. What is wrong with
      another file cannot be mended. Make a backup first.
  --truncate-to-timestamp <timestamp>
      Cut the last file in front of what is younger, Unix seconds. The server must have written times
      (aof-timestamp-enabled). Does not ask. 0 checks only.
  -h, --help
  -v, --version

Output:
  ok_up_to is how many bytes of a file are in order, and ok_up_to_line the number of the line behind them,
  counted over all files.

Exit status:
  0  the files are in order, or have been put in order
  1  they are not, or cannot be read, or the arguments are wrong

Examples:
  carnelian-check-aof /var/lib/redis/appendonlydir/appendonly.aof.manifest
  carnelian-check-aof --fix appendonlydir/appendonly.aof.manifest

A server binary that is started as `redis-check-aof` or `carnelian-check-aof` does the same.
See also: carnelian-server(1), carnelian-check-rdb(1)";

/// What is to be done with the files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Task {
    /// Nothing.
    Check,
    /// What is wrong at the end is cut off.
    Fix,
    /// What is younger is cut off, Unix seconds.
    CutAt(i64),
}

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) task: Task,
    pub(super) path: PathBuf,
}

/// What the arguments mean.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Parsed {
    Check(Asked),
    Help,
    Version,
    WrongTime,
    Wrong,
}

/// How the program is used.
pub(super) fn usage(program: &str) -> String {
    format!("Usage: {program} [--fix|--truncate-to-timestamp $timestamp] <file.manifest|file.aof>")
}

/// Understands the arguments, the program's name first.
pub(super) fn parse(args: &[OsString]) -> Parsed {
    let check = |task, path: &OsString| Parsed::Check(Asked { task, path: PathBuf::from(path) });
    match args.get(1..).unwrap_or_default() {
        [word] if word == "--help" || word == "-h" => Parsed::Help,
        [word] if word == "--version" || word == "-v" => Parsed::Version,
        [path] => check(Task::Check, path),
        [option, path] if option == "--fix" => check(Task::Fix, path),
        [option, time, path] if option == "--truncate-to-timestamp" => match seconds(time) {
            Some(0) => check(Task::Check, path),
            Some(unix_s) => check(Task::CutAt(unix_s), path),
            None => Parsed::WrongTime,
        },
        _ => Parsed::Wrong,
    }
}

fn seconds(text: &OsString) -> Option<i64> {
    num::parse_i64(text.to_str()?.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_come_in_front_of_the_file() {
        let parse = |line: &str| {
            let words = ["tool"].into_iter().chain(line.split_ascii_whitespace());
            parse(&words.map(OsString::from).collect::<Vec<_>>())
        };
        let check = |task, path: &str| Parsed::Check(Asked { task, path: path.into() });
        assert_eq!(parse("x.manifest"), check(Task::Check, "x.manifest"));
        assert_eq!(parse("--fix x"), check(Task::Fix, "x"));
        assert_eq!(parse("--fix"), check(Task::Check, "--fix"));
        assert_eq!(parse("--truncate-to-timestamp 12 x"), check(Task::CutAt(12), "x"));
        assert_eq!(parse("--truncate-to-timestamp 0 x"), check(Task::Check, "x"));
        assert_eq!(parse("--truncate-to-timestamp 1x x"), Parsed::WrongTime);
        assert_eq!(parse("--truncate-to-timestamp 12"), Parsed::Wrong);
        assert_eq!(parse("x --fix"), Parsed::Wrong);
        assert_eq!(parse(""), Parsed::Wrong);
        assert_eq!((parse("-h"), parse("--version")), (Parsed::Help, Parsed::Version));
    }
}
