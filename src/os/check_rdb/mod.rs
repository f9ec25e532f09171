//! `carnelian-check-rdb`: reads a snapshot to its end and says what is wrong with it.
//!
//! Output and exit codes are those of `redis-check-rdb`, line by line, but for three things: no line
//! `Reading type 0 (string)` before the first type was read; texts of errors without the line of a C
//! file; controls in keys and texts are escaped.

mod screen;

use super::{banner, clock, errno, random};
use crate::base::hash::HashKey;
use crate::config::Config;
use crate::persist::Progress;
use crate::persist::rdb::check::{
    self, CheckError, CheckOptions, Checked, CheckedKey, Note, Observer, Shown, Statistics,
};
use crate::persist::rdb::{Encodings, Reason, Verified};
use clap::{Arg, ArgAction, Command, error::ErrorKind};
pub(super) use screen::Screen;
use screen::with_bar;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};

/// The file is in order.
const SUCCESS: u8 = 0;
/// It is not, or cannot be read, or the arguments are wrong.
const FAILURE: u8 = 1;

const ABOUT: &str = "\
Checks an RDB file: reads every key, verifies every value as closely as the server does with
`sanitize-dump-payload yes`, and compares the checksum. The file is never changed.

Files of Redis from version 1 to 12 and of Valkey 9 (VALKEY080) are understood. What follows the
snapshot in a file, such as the commands of an append-only file, is not looked at.";

const AFTER: &str = "\
Output:
  Each line begins with the offset in the file behind what it is about. An error is followed by what
  was being read, the key and the type of its value, as far as they were read. --stats prints tables:
  keys, keys with an expiry, elements, bytes in the file and bytes of memory (about what the server
  would need for it) for each type and each database; when keys expire; the biggest keys of each type.
  On a terminal a bar on the standard error shows how far the check is.

Exit status:
  0  the file is in order
  1  it is not, or cannot be read, or the arguments are wrong

Examples:
  carnelian-check-rdb /var/lib/redis/dump.rdb
  carnelian-check-rdb --stats dump.rdb
  carnelian-check-rdb dump.rdb && cp dump.rdb /backup/

A server binary that is started as `redis-check-rdb` or `carnelian-check-rdb` does the same.
See also: carnelian-server(1), carnelian-check-aof(1)";

/// Whether a program of this name is this tool.
#[must_use]
pub fn is_named_so(program: &OsString) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default();
    name.to_string_lossy().contains("check-rdb")
}

fn command_line() -> Command {
    Command::new("carnelian-check-rdb")
        .about("Checks an RDB file")
        .long_about(ABOUT)
        .override_usage("carnelian-check-rdb [--stats] <rdb-file-name>")
        .after_help(AFTER)
        .disable_version_flag(true)
        .arg(
            Arg::new("file")
                .value_name("rdb-file-name")
                .required_unless_present("version")
                .value_parser(clap::value_parser!(PathBuf))
                .help("The file"),
        )
        .arg(
            Arg::new("stats")
                .long("stats")
                .action(ArgAction::SetTrue)
                .help("Say what the file holds: keys, bytes and the biggest keys of each type"),
        )
        .arg(
            Arg::new("version")
                .short('v')
                .long("version")
                .action(ArgAction::SetTrue)
                .help("Print the version"),
        )
}

/// Runs the tool with these arguments, the program's name first; gives the exit status.
#[must_use]
pub fn run(args: &[OsString]) -> u8 {
    let matches = match command_line().try_get_matches_from(args) {
        Ok(matches) => matches,
        Err(error) => {
            // A closed standard output is nobody's business here.
            drop(error.print());
            let asked = matches!(error.kind(), ErrorKind::DisplayHelp);
            return if asked { SUCCESS } else { FAILURE };
        }
    };
    let screen = Screen::of_process();
    if matches.get_flag("version") {
        screen.line(&format!("carnelian-check-rdb {}", banner::version_text()));
        return SUCCESS;
    }
    let file = matches.get_one::<PathBuf>("file").expect("the file is required");
    let now_ms = i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX);
    let statistics = matches.get_flag("stats").then(|| Statistics::new(now_ms));
    check_file(file, now_ms, statistics, &screen)
}

/// Checks the snapshot at the start of an append-only file of so many bytes; its bytes if it is in order.
pub(super) fn check_preamble(
    file: &mut File,
    size: u64,
    name: &str,
    screen: &Screen,
) -> Option<u64> {
    screen.line(&format!("[offset 0] Checking RDB file {name}"));
    let now_ms = i64::try_from(clock::unix_ms()).unwrap_or(i64::MAX);
    check_open(file, size, now_ms, None, screen).ok()
}

fn check_file(path: &Path, now_ms: i64, statistics: Option<Statistics>, screen: &Screen) -> u8 {
    screen.line(&format!("[offset 0] Checking RDB file {}", path.display()));
    let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
    let (size, mut file) = match opened {
        Ok(opened) => opened,
        Err(error) => {
            eprintln!("Cannot open {}: {}", path.display(), errno::text(&error));
            return FAILURE;
        }
    };
    match check_open(&mut file, size, now_ms, statistics, screen) {
        Ok(_len) => SUCCESS,
        Err(Unsound) => FAILURE,
    }
}

/// A snapshot is not in order; what is wrong was said.
struct Unsound;

/// Checks an open file of so many bytes; the bytes of the snapshot in it.
fn check_open(
    file: &mut File,
    size: u64,
    now_ms: i64,
    statistics: Option<Statistics>,
    screen: &Screen,
) -> Result<u64, Unsound> {
    let [a, b, ..] = random::seed().unwrap_or_default();
    let encodings = Encodings::of(&Config::default(), HashKey::new(a, b), now_ms);
    let options = CheckOptions { encodings, now_ms };
    let progress = Progress::new();
    let mut report = Report { screen, statistics };
    let checked =
        with_bar(screen, &progress, size, || check::check(file, &options, &mut report, &progress));
    report.finish(&checked)
}

/// Prints what a check finds.
struct Report<'a> {
    screen: &'a Screen,
    statistics: Option<Statistics>,
}

impl Observer for Report<'_> {
    fn note(&mut self, offset: u64, note: Note<'_>) {
        let text = match note {
            Note::Aux { name, text } => {
                format!("AUX FIELD {} = '{}'", Shown(name), Shown(text))
            }
            Note::ModuleAux { name } => format!("MODULE AUX for: {name}"),
            Note::Database(db) => format!("Selecting DB ID {db}"),
            Note::Empty { key } => {
                format!("Key '{}' has no elements: a load leaves it out", Shown(key))
            }
            Note::Checksum(Verified::Yes) => "Checksum OK".to_owned(),
            Note::Checksum(Verified::Disabled) => {
                "RDB file was saved with checksum disabled: no check performed.".to_owned()
            }
            Note::Checksum(Verified::No) => return, // there was none before version 5
        };
        self.screen.line(&format!("[offset {offset}] {text}"));
    }

    fn key(&mut self, key: &CheckedKey<'_>) {
        if let Some(statistics) = &mut self.statistics {
            statistics.add(key);
        }
    }
}

impl Report<'_> {
    fn finish(self, checked: &Checked) -> Result<u64, Unsound> {
        let result = match &checked.end {
            Ok(offset) => {
                self.screen.line(&format!("[offset {offset}] \\o/ RDB looks OK! \\o/"));
                Ok(*offset)
            }
            Err(error) => {
                self.explain(error);
                Err(Unsound)
            }
        };
        let counts = &checked.counts;
        self.screen.line(&format!("[info] {} keys read", counts.keys));
        self.screen.line(&format!("[info] {} expires", counts.expires));
        self.screen.line(&format!("[info] {} already expired", counts.already_expired));
        if let Some(statistics) = self.statistics.as_ref().filter(|_| counts.keys > 0) {
            if let Err(error) = &checked.end {
                self.screen.line(&format!("\n{}", reach(error)));
            }
            self.screen.line(statistics.to_string().trim_end());
        }
        result
    }

    fn explain(&self, error: &CheckError) {
        self.screen.line("--- RDB ERROR DETECTED ---");
        let reason = match &error.reason {
            Reason::WrongChecksum { .. } => "RDB CRC error".to_owned(),
            Reason::Io(error) => errno::text(error),
            other => other.to_string(),
        };
        self.screen.line(&format!("[offset {}] {reason}", error.offset));
        self.screen.line(&format!("[additional info] While doing: {}", error.doing));
        if let Some(key) = &error.key {
            self.screen.line(&format!("[additional info] Reading key '{}'", Shown(key)));
        }
        if let Some(kind) = error.kind {
            let line = format!("[additional info] Reading type {} ({})", kind.code, kind.name);
            self.screen.line(&line);
        }
    }
}

/// What of a snapshot that is not in order statistics are about.
fn reach(error: &CheckError) -> String {
    match &error.reason {
        Reason::WrongChecksum { .. } => {
            "All keys could be read, but some bytes are not those that were \
                                         written: the figures may be wrong."
                .to_owned()
        }
        _ => format!("The figures are about what comes before offset {} only.", error.offset),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_known_by_its_name() {
        let is = |name: &str| is_named_so(&OsString::from(name));
        assert!(is("redis-check-rdb") && is("/usr/bin/carnelian-check-rdb"));
        assert!(!is("/check-rdb/carnelian-server") && !is(""));
    }

    #[test]
    fn the_command_line_is_consistent() {
        command_line().debug_assert();
    }
}
