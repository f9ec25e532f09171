//! `carnelian-check-aof`: reads an append-only file without executing it, says what is wrong with it, and
//! cuts off what a crash, or what came after a time, has left behind.
//!
//! Options, output and exit codes are those of `redis-check-aof`, line by line, but for four things: errors
//! of the manifest without the head of a log line; a file is a manifest if its first line that is no comment
//! begins with `file`, not if any line does; what the server would refuse is refused; and what is younger
//! than a time and inside a transaction is cut off in front of the transaction.

mod arguments;
mod repair;

use super::check_rdb::{Screen, check_preamble};
use super::{banner, errno};
use crate::base::num;
use crate::persist::aof::check::{Analysis, Found, Stop, analyse};
use crate::persist::aof::manifest::{Manifest, Part};
use arguments::{Asked, HELP, Parsed, Task, usage};
use repair::Repair;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// The files are in order, or have been put in order.
const SUCCESS: u8 = 0;
/// They are not, or cannot be read, or the arguments are wrong.
const FAILURE: u8 = 1;
/// Bytes read at once.
const CHUNK_BYTES: usize = 256 * 1024;
/// How snapshots begin.
const SNAPSHOT_SIGNATURES: [&[u8]; 2] = [b"REDIS", b"VALKEY"];
/// A file that is shorter is no snapshot, bytes.
const SNAPSHOT_LEN_MIN: u64 = 8;
/// How the lines of a manifest begin.
const MANIFEST_SIGNATURE: &[u8] = b"file";

/// Whether a program of this name is this tool.
#[must_use]
pub fn is_named_so(program: &OsString) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default();
    name.to_string_lossy().contains("check-aof")
}

/// Runs the tool with these arguments, the program's name first; gives the exit status.
#[must_use]
pub fn run(args: &[OsString]) -> u8 {
    let screen = Screen::of_process();
    let program = args.first().map_or_else(Default::default, |arg| arg.to_string_lossy());
    let asked = match arguments::parse(args) {
        Parsed::Check(asked) => asked,
        Parsed::Help => {
            screen.line(&format!("{}\n\n{HELP}", usage(&program)));
            return SUCCESS;
        }
        Parsed::Version => {
            screen.line(&format!("carnelian-check-aof {}", banner::version_text()));
            return SUCCESS;
        }
        Parsed::WrongTime => {
            screen.line("Invalid timestamp, aborting...");
            return FAILURE;
        }
        Parsed::Wrong => {
            screen.line(&usage(&program));
            return FAILURE;
        }
    };
    let mut check = Check { screen: &screen, task: asked.task, lines: 1 };
    match check.all(&asked) {
        Ok(()) => SUCCESS,
        Err(line) => {
            if let Some(line) = line {
                screen.line(&line);
            }
            FAILURE
        }
    }
}

/// Why the check ends early: the last line, unless it was printed.
type Failure = Option<String>;

/// Where a file stands among the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Position {
    /// Others follow: nothing is cut off.
    Inner,
    /// It is the last.
    Last,
}

/// One file.
struct Log<'a> {
    path: &'a Path,
    /// What it is called in most lines.
    name: String,
    /// `BASE `, `INCR `, or nothing.
    kind: &'static str,
    position: Position,
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// With a snapshot.
    Snapshot,
    /// With a command.
    Commands,
}

struct Check<'a> {
    screen: &'a Screen,
    task: Task,
    /// Lines of commands so far, of all files.
    lines: u64,
}

impl Check<'_> {
    fn all(&mut self, asked: &Asked) -> Result<(), Failure> {
        let path = asked.path.as_path();
        if is_manifest(path)? {
            self.screen.line("Start checking Multi Part AOF");
            return self.parts(path);
        }
        self.screen.line("Start checking Old-Style AOF");
        let format = format_of(path)?;
        let name = path.display().to_string();
        self.log(&Log { path, name, kind: "", position: Position::Last }, format)
    }

    fn parts(&mut self, path: &Path) -> Result<(), Failure> {
        let text = std::fs::read(path).map_err(|error| cannot_open(path, &error, ""))?;
        let manifest = Manifest::parse(&text).map_err(|error| error.lines().join("\n"))?;
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            Some(_) | None => Path::new("."),
        };
        let path_of = |part: &Part| folder.join(OsStr::from_bytes(&part.name));
        // What a loss of power in the midst of a rewrite leaves: the end of a log is missing, the next is empty.
        let is_empty = |part: &Part| {
            std::fs::metadata(path_of(part)).is_ok_and(|metadata| metadata.len() == 0)
        };
        let position_before = |later: &[Part]| match later.iter().all(is_empty) {
            true => Position::Last,
            false => Position::Inner,
        };
        let name_of = |part: &Part| String::from_utf8_lossy(&part.name).into_owned();
        if let Some(base) = manifest.base() {
            let path = path_of(base);
            let format = format_of(&path)?;
            let shown = match format {
                Format::Snapshot => "RDB",
                Format::Commands => "RESP",
            };
            self.screen.line(&format!("Start to check BASE AOF ({shown} format)."));
            let position = position_before(manifest.logs());
            let log = Log { path: &path, name: name_of(base), kind: "BASE ", position };
            self.log(&log, format)?;
        }
        if !manifest.logs().is_empty() {
            self.screen.line("Start to check INCR files.");
        }
        for (index, part) in manifest.logs().iter().enumerate() {
            let path = path_of(part);
            let (name, kind) = (name_of(part), "INCR ");
            let position = position_before(&manifest.logs()[index + 1..]);
            self.log(&Log { path: &path, name, kind, position }, Format::Commands)?;
        }
        self.screen.line("All AOF files and manifest are valid");
        Ok(())
    }

    fn log(&mut self, log: &Log<'_>, format: Format) -> Result<(), Failure> {
        let Log { path, name, kind, .. } = log;
        let opened = File::open(path).and_then(|file| Ok((file.metadata()?.len(), file)));
        let (size, mut file) =
            opened.map_err(|error| cannot_open(path, &error, ", aborting..."))?;
        if size == 0 {
            self.screen.line(&format!("{kind}AOF {name} is empty"));
            return Ok(());
        }
        let offset = match format {
            Format::Commands => 0,
            Format::Snapshot => self.preamble(&mut file, size, name)?,
        };
        let unreadable = |error: io::Error| {
            let reason = errno::text(&error);
            Some(format!("Failed to read from AOF {}: {reason}, aborting...", path.display()))
        };
        file.seek(SeekFrom::Start(offset)).map_err(unreadable)?;
        let until_s = match self.task {
            Task::Check | Task::Fix => None,
            Task::CutAt(until_s) => Some(until_s),
        };
        let input = BufReader::with_capacity(CHUNK_BYTES, file);
        let analysis = analyse(input, offset, until_s, &mut self.lines).map_err(unreadable)?;
        self.judge(log, size, &analysis)
    }

    fn preamble(&self, file: &mut File, size: u64, name: &str) -> Result<u64, Failure> {
        let Some(len) = check_preamble(file, size, name, self.screen) else {
            return Err(Some("RDB preamble of AOF file is not sane, aborting.".to_owned()));
        };
        self.screen.line("RDB preamble is OK, proceeding with AOF tail...");
        Ok(len)
    }

    fn judge(&self, log: &Log<'_>, size: u64, analysis: &Analysis) -> Result<(), Failure> {
        let Log { name, kind, .. } = log;
        let repair = Repair { screen: self.screen, log, size, ok_up_to: analysis.ok_up_to };
        match (&analysis.stop, self.task) {
            (Stop::Timestamp, _) => return Err(Some("Invalid timestamp annotation".to_owned())),
            (Stop::Younger, Task::CutAt(until_s)) => return repair.cut_at(until_s),
            (Stop::Flaw(found), _) => self.explain(log, found),
            (Stop::End, Task::CutAt(until_s)) => {
                self.screen.line(&format!("Truncate nothing in AOF {name} to timestamp {until_s}"));
                self.screen.line(&format!("{kind}AOF {name} is valid"));
                return Ok(());
            }
            (Stop::End | Stop::Younger, _) => {}
        }
        let Analysis { ok_up_to, .. } = analysis;
        let left = size.saturating_sub(*ok_up_to);
        self.screen.line(&format!(
            "AOF analyzed: filename={name}, size={size}, ok_up_to={ok_up_to}, ok_up_to_line={}, \
             diff={left}",
            self.lines
        ));
        match self.task {
            _ if left == 0 => {
                self.screen.line(&format!("{kind}AOF {name} is valid"));
                Ok(())
            }
            Task::Fix => repair.fix(),
            Task::Check | Task::CutAt(_) => {
                let hint = "Use the --fix option to try fixing it.";
                Err(Some(format!("AOF {name} is not valid. {hint}")))
            }
        }
    }

    fn explain(&self, log: &Log<'_>, found: &Found) {
        use crate::persist::aof::check::Flaw;
        let Some(text) = found.flaw.describe(&log.name) else { return };
        match found.flaw {
            Flaw::NoCommand => self.screen.line(&text),
            Flaw::Prefix { .. }
            | Flaw::LineEnd(_)
            | Flaw::Length(_)
            | Flaw::NoLength
            | Flaw::Short { .. }
            | Flaw::Multi
            | Flaw::Exec
            | Flaw::NoExec
            | Flaw::End => self.screen.line(&format!("0x{:>16x}: {text}", found.offset)),
        }
    }
}

fn cannot_open(path: &Path, error: &io::Error, end: &str) -> String {
    format!("Cannot open file {}: {}{end}", path.display(), errno::text(error))
}

/// Whether a file is a manifest.
fn is_manifest(path: &Path) -> Result<bool, Failure> {
    let file = File::open(path).map_err(|error| cannot_open(path, &error, ""))?;
    let mut input = BufReader::new(file);
    loop {
        let mut start = Vec::new();
        let read =
            input.by_ref().take(num::u64_of(MANIFEST_SIGNATURE.len())).read_to_end(&mut start);
        read.map_err(|_| format!("Cannot read file: {}", path.display()))?;
        if !start.starts_with(b"#") {
            return Ok(start == MANIFEST_SIGNATURE);
        }
        if !start.ends_with(b"\n") {
            let skipped = input.skip_until(b'\n');
            skipped.map_err(|_| format!("Cannot read file: {}", path.display()))?;
        }
    }
}

/// How a file begins.
fn format_of(path: &Path) -> Result<Format, Failure> {
    let mut start = Vec::new();
    let read =
        File::open(path).and_then(|file| file.take(SNAPSHOT_LEN_MIN).read_to_end(&mut start));
    match read {
        Err(error) if error.kind() == ErrorKind::IsADirectory => {
            return Err(Some(format!("Cannot read file: {}", path.display())));
        }
        Err(error) => return Err(Some(cannot_open(path, &error, ""))),
        Ok(_) => {}
    }
    let is_long = num::u64_of(start.len()) == SNAPSHOT_LEN_MIN;
    let is_snapshot = SNAPSHOT_SIGNATURES.iter().any(|signature| start.starts_with(signature));
    Ok(if is_long && is_snapshot { Format::Snapshot } else { Format::Commands })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tool_is_known_by_its_name() {
        let is = |name: &str| is_named_so(&OsString::from(name));
        assert!(is("redis-check-aof") && is("/usr/bin/carnelian-check-aof"));
        assert!(!is("/check-aof/carnelian-server") && !is(""));
    }

    #[test]
    fn a_manifest_begins_with_file_behind_its_comments() {
        let scratch = tempfile::tempdir().unwrap();
        let is = |text: &str| {
            let path = scratch.path().join("x");
            std::fs::write(&path, text).unwrap();
            is_manifest(&path).unwrap()
        };
        assert!(is("file a seq 1 type b\n") && is("#\n#longer than that\nfile a"));
        assert!(
            !is("") && !is("#\n") && !is("# no end") && !is("fil") && !is("*1\r\n$4\r\nfile\r\n")
        );
    }
}
