//! The manifest: which files make up the append-only file, and in which order they are read.
//!
//! One line for each, `file "name" seq N type T`, the base first (`b`), then what a rewrite made
//! superfluous (`h`), then the logs since the base, oldest first (`i`). Other keys are skipped, so that a
//! newer server may add some. Invariant: there is at most one base, and the numbers of the logs rise.

use crate::base::num;
use crate::base::quote;
use std::fmt;

/// Longest line, its end included, bytes.
const LINE_LEN_MAX: usize = 1024;
/// What follows `appendfilename` in the name of the manifest.
const MANIFEST_SUFFIX: &[u8] = b".manifest";
/// What precedes the names of files that do not count yet.
const TEMPORARY_PREFIX: &[u8] = b"temp-";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A snapshot, as a dump or as commands.
    Base,
    /// Superseded by a rewrite, to be deleted.
    History,
    /// What was written since the base.
    Incremental,
}

impl Kind {
    const fn letter(self) -> u8 {
        match self {
            Self::Base => b'b',
            Self::History => b'h',
            Self::Incremental => b'i',
        }
    }

    const fn of(letter: u8) -> Option<Self> {
        match letter {
            b'b' => Some(Self::Base),
            b'h' => Some(Self::History),
            b'i' => Some(Self::Incremental),
            _ => None,
        }
    }
}

/// How a base is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaseFormat {
    /// As a snapshot.
    #[default]
    Dump,
    /// As commands.
    Commands,
}

impl BaseFormat {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Dump => ".rdb",
            Self::Commands => ".aof",
        }
    }
}

/// Whether a log is being written while a rewrite ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Newest {
    /// The newest log was begun for this rewrite and goes on.
    Kept,
    /// Nothing is logged; the new base replaces all logs.
    Retired,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name within the directory.
    pub name: Vec<u8>,
    /// Its number among its kind.
    pub seq: i64,
    /// What it is.
    pub kind: Kind,
}

impl Part {
    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"file ");
        if quote::needs_quotes(&self.name) {
            quote::write_quoted(&self.name, out);
        } else {
            out.extend_from_slice(&self.name);
        }
        out.extend_from_slice(b" seq ");
        num::write_i64(out, self.seq);
        out.extend_from_slice(b" type ");
        out.extend_from_slice(&[self.kind.letter(), b'\n']);
    }
}

/// Why a manifest cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestError {
    /// What is wrong.
    pub flaw: Flaw,
    /// The number of the line, from 1.
    pub line: usize,
    /// The line, if it was short enough to be looked at.
    pub text: Option<Vec<u8>>,
}

/// What is wrong with a manifest. `Display` is Redis's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// There is no line.
    Empty,
    /// A line is too long, or the last one has no end.
    TooLong,
    /// A line is blank, misses a key, or has a key without a value.
    Format,
    /// A name leads out of the directory.
    Path,
    /// There are two bases.
    SecondBase,
    /// The numbers of the logs do not rise.
    Order,
    /// A type that is not known.
    Type,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "Found an empty AOF manifest",
            Self::TooLong => "The AOF manifest file contains too long line",
            Self::Format => "Invalid AOF manifest file format",
            Self::Path => "File can't be a path, just a filename",
            Self::SecondBase => "Found duplicate base file information",
            Self::Order => "Found a non-monotonic sequence number",
            Self::Type => "Unknown AOF file type",
        })
    }
}

impl ManifestError {
    /// The lines for the log, as Redis prints them.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec!["*** FATAL AOF MANIFEST FILE ERROR ***".to_owned()];
        if let Some(text) = &self.text {
            lines.push(format!("Reading the manifest file, at line {}", self.line));
            lines.push(format!(">>> '{}'", String::from_utf8_lossy(text)));
        }
        lines.push(self.flaw.to_string());
        lines
    }
}

impl fmt::Display for ManifestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (line {})", self.flaw, self.line)
    }
}

impl std::error::Error for ManifestError {}

/// The name of the manifest of an append-only file.
pub fn manifest_name(filename: &[u8]) -> Vec<u8> {
    [filename, MANIFEST_SUFFIX].concat()
}

/// The name under which a manifest is written before it replaces the old one.
pub fn temporary_manifest_name(filename: &[u8]) -> Vec<u8> {
    [TEMPORARY_PREFIX, filename, MANIFEST_SUFFIX].concat()
}

/// The name of the log that is written while there is no base yet it could follow.
pub fn temporary_log_name(filename: &[u8]) -> Vec<u8> {
    [TEMPORARY_PREFIX, filename, b".incr"].concat()
}

/// The files of an append-only file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manifest {
    base: Option<Part>,
    history: Vec<Part>,
    logs: Vec<Part>,
    /// The number of the last base.
    base_seq: i64,
    /// The number of the last log.
    log_seq: i64,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// What is wrong, and where.
    pub fn parse(text: &[u8]) -> Result<Self, ManifestError> {
        let mut manifest = Self::default();
        if text.is_empty() {
            return Err(ManifestError { flaw: Flaw::Empty, line: 0, text: None });
        }
        for (index, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if line.starts_with(b"#") {
                continue;
            }
            let fail = |flaw, text| ManifestError { flaw, line: index + 1, text };
            if line.len() > LINE_LEN_MAX || !line.ends_with(b"\n") || line.contains(&0) {
                return Err(fail(Flaw::TooLong, None));
            }
            let line = trimmed(line);
            let added = parse_line(line).and_then(|part| manifest.add(part));
            added.map_err(|flaw| fail(flaw, Some(line.to_vec())))?;
        }
        Ok(manifest)
    }

    fn add(&mut self, part: Part) -> Result<(), Flaw> {
        match part.kind {
            Kind::Base if self.base.is_some() => return Err(Flaw::SecondBase),
            Kind::Base => {
                self.base_seq = part.seq;
                self.base = Some(part);
            }
            Kind::History => self.history.push(part),
            Kind::Incremental if part.seq <= self.log_seq => return Err(Flaw::Order),
            Kind::Incremental => {
                self.log_seq = part.seq;
                self.logs.push(part);
            }
        }
        Ok(())
    }

    /// The manifest of an append-only file of before there were manifests: it is the base.
    pub fn upgraded(filename: &[u8]) -> Self {
        let base = Part { name: filename.to_vec(), seq: 1, kind: Kind::Base };
        Self { base: Some(base), base_seq: 1, ..Self::default() }
    }

    /// Its text.
    pub fn format(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for part in self.base.iter().chain(&self.history).chain(&self.logs) {
            part.write(&mut out);
        }
        out
    }

    /// The base.
    pub const fn base(&self) -> Option<&Part> {
        self.base.as_ref()
    }

    /// The logs, oldest first.
    pub fn logs(&self) -> &[Part] {
        &self.logs
    }

    /// What a rewrite made superfluous.
    pub fn history(&self) -> &[Part] {
        &self.history
    }

    /// The files to read, in order.
    pub fn live(&self) -> impl Iterator<Item = &Part> {
        self.base.iter().chain(&self.logs)
    }

    /// Whether there is nothing to read.
    pub const fn is_empty(&self) -> bool {
        self.base.is_none() && self.logs.is_empty()
    }

    /// Whether this is all there is once an old single file was named as the base, so that the file may
    /// still be outside the directory.
    pub fn names_only(&self, filename: &[u8]) -> bool {
        self.logs.is_empty() && self.base.as_ref().is_some_and(|base| base.name == filename)
    }

    /// Makes a new base the base and the old one history; the new one's name.
    pub fn begin_base(&mut self, filename: &[u8], format: BaseFormat) -> Vec<u8> {
        if let Some(old) = self.base.take() {
            self.history.insert(0, Part { kind: Kind::History, ..old });
        }
        self.base_seq = self.base_seq.saturating_add(1);
        let suffix = format!(".{}.base{}", self.base_seq, format.suffix());
        let name = [filename, suffix.as_bytes()].concat();
        self.base = Some(Part { name: name.clone(), seq: self.base_seq, kind: Kind::Base });
        name
    }

    /// Adds a new log; its name.
    pub fn begin_log(&mut self, filename: &[u8]) -> Vec<u8> {
        let name = loop {
            self.log_seq = self.log_seq.saturating_add(1);
            let suffix = format!(".{}.incr.aof", self.log_seq);
            let name = [filename, suffix.as_bytes()].concat();
            // What is still to be deleted must not be taken for the new log, nor the other way round.
            if self.log_seq == i64::MAX || self.history.iter().all(|part| part.name != name) {
                break name;
            }
        };
        self.logs.push(Part { name: name.clone(), seq: self.log_seq, kind: Kind::Incremental });
        name
    }

    /// Counts on from the numbers that another manifest has come to; whether they are others.
    pub fn skip_numbers(&mut self, used: &Self) -> bool {
        let before = (self.base_seq, self.log_seq);
        (self.base_seq, self.log_seq) = (used.base_seq, used.log_seq);
        before != (used.base_seq, used.log_seq)
    }

    /// Makes the logs that a new base contains history.
    pub fn retire_logs(&mut self, newest: Newest) {
        let kept = match newest {
            Newest::Kept => self.logs.pop(),
            Newest::Retired => None,
        };
        for log in std::mem::take(&mut self.logs).into_iter().rev() {
            self.history.insert(0, Part { kind: Kind::History, ..log });
        }
        self.logs.extend(kept);
    }

    /// Forgets what is history; their names, to be deleted. When no log is left the numbers start anew.
    pub fn take_history(&mut self) -> Vec<Vec<u8>> {
        if self.logs.is_empty() {
            self.log_seq = 0;
        }
        std::mem::take(&mut self.history).into_iter().map(|part| part.name).collect()
    }
}

fn trimmed(line: &[u8]) -> &[u8] {
    let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = line.iter().take_while(|byte| is_end(byte)).count();
    let line = &line[start..];
    let end = line.iter().rev().take_while(|byte| is_end(byte)).count();
    &line[..line.len() - end]
}

fn parse_line(line: &[u8]) -> Result<Part, Flaw> {
    let words = quote::split_args(line).map_err(|_| Flaw::Format)?;
    if words.len() < 6 || words.len() % 2 != 0 {
        return Err(Flaw::Format);
    }
    let (mut name, mut seq, mut letter) = (None, 0, 0);
    for pair in words.chunks_exact(2) {
        let (key, value) = (&pair[0], &pair[1]);
        if key.eq_ignore_ascii_case(b"file") {
            if value.iter().any(|byte| matches!(byte, b'/' | b'\\')) {
                return Err(Flaw::Path);
            }
            name = Some(value.clone());
        } else if key.eq_ignore_ascii_case(b"seq") {
            seq = leading_integer(value);
        } else if key.eq_ignore_ascii_case(b"type") {
            letter = value.first().copied().unwrap_or(0);
        }
    }
    let Some(name) = name.filter(|_| seq != 0 && letter != 0) else { return Err(Flaw::Format) };
    let kind = Kind::of(letter).ok_or(Flaw::Type)?;
    Ok(Part { name, seq, kind })
}

/// The integer that a text begins with, as C reads it; 0 if there is none.
fn leading_integer(text: &[u8]) -> i64 {
    let start = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let text = &text[start..];
    let sign = usize::from(matches!(text.first(), Some(b'-' | b'+')));
    let digits = text[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = text[sign..sign + digits].iter().fold(0_i64, |number, digit| {
        number.saturating_mul(10).saturating_add(i64::from(digit - b'0'))
    });
    if text.first() == Some(&b'-') { -number } else { number }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = b"appendonly.aof";

    fn read(text: &str) -> Manifest {
        Manifest::parse(text.as_bytes()).expect("a good manifest")
    }

    #[track_caller]
    fn check_refused(text: &str, message: &str, line: usize) {
        let error = Manifest::parse(text.as_bytes()).expect_err("a bad manifest");
        assert_eq!((error.flaw.to_string().as_str(), error.line), (message, line), "{text}");
    }

    #[track_caller]
    fn check_text(manifest: &Manifest, lines: &[&str]) {
        let text = String::from_utf8(manifest.format()).expect("plain names");
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert_eq!(read(&text).live().collect::<Vec<_>>(), manifest.live().collect::<Vec<_>>());
    }

    #[test]
    fn what_is_written_reads_back() {
        let text = "file a.2.base.rdb seq 2 type b\nfile a.1.incr.aof seq 1 type h\n\
                    file a.2.incr.aof seq 2 type i\nfile a.4.incr.aof seq 4 type i\n";
        assert_eq!(read(text).format(), text.as_bytes());
        assert_eq!(read(text).live().count(), 3);
    }

    #[test]
    fn names_with_blanks_and_quotes_are_quoted() {
        for name in [&b"a b"[..], b"it's", b"\"", b"\xff\n", b"#x"] {
            let mut manifest = Manifest::default();
            manifest.begin_log(name);
            let again = Manifest::parse(&manifest.format()).expect("it reads back");
            assert_eq!(again, manifest, "{}", name.escape_ascii());
        }
        let mut manifest = Manifest::default();
        manifest.begin_log(b"a b");
        check_text(&manifest, &[r#"file "a b.1.incr.aof" seq 1 type i"#]);
    }

    #[test]
    fn comments_other_keys_and_their_order_do_not_matter() {
        let text = "# a comment\n  TYPE i new value seq 3x file f \t\r\n";
        let part = Part { name: b"f".to_vec(), seq: 3, kind: Kind::Incremental };
        assert_eq!(read(text).logs(), [part]);
        assert!(read("# nothing else\n").is_empty());
    }

    #[test]
    fn flaws_are_named_as_redis_names_them() {
        let good = "file a seq 1 type i\n";
        check_refused("", "Found an empty AOF manifest", 0);
        let long = format!("{good}{}{}", "file a seq 1 type b ".repeat(60), "\n");
        check_refused(&long, "The AOF manifest file contains too long line", 2);
        check_refused("file a seq 1 type i", "The AOF manifest file contains too long line", 1);
        let format = "Invalid AOF manifest file format";
        check_refused(&format!("{good}\n{good}"), format, 2);
        for line in [
            "filx a seq 1 type b",
            "file a type i",
            "file a seq 1 type i key",
            "file a seq 0 type i",
            "file a seq x type i",
            "file a seq 1 type \"\"",
            "file \"a seq 1 type i",
        ] {
            check_refused(&format!("{line}\n"), format, 1);
        }
        check_refused("file a/b seq 1 type b\n", "File can't be a path, just a filename", 1);
        let second = "file a seq 1 type b\nfile b seq 2 type b\n";
        check_refused(second, "Found duplicate base file information", 2);
        let falling = "file a seq 2 type i\nfile b seq 1 type i\n";
        check_refused(falling, "Found a non-monotonic sequence number", 2);
        check_refused("file a seq 1 type x\n", "Unknown AOF file type", 1);
    }

    #[test]
    fn the_log_says_where_the_flaw_is() {
        let error = Manifest::parse(b"file a seq 1 type x\n").expect_err("a bad type");
        let lines = error.lines();
        assert_eq!(lines[1], "Reading the manifest file, at line 1");
        assert_eq!(lines[2..], [">>> 'file a seq 1 type x'", "Unknown AOF file type"]);
        let error = Manifest::parse(b"").expect_err("it is empty");
        assert_eq!(error.lines().len(), 2);
    }

    #[test]
    fn a_rewrite_makes_all_but_the_newest_log_history() {
        let mut manifest = read(
            "file appendonly.aof.5.base.rdb seq 5 type b\n\
             file appendonly.aof.1.incr.aof seq 1 type i\n",
        );
        for format in [BaseFormat::Dump, BaseFormat::Commands] {
            manifest.begin_log(NAME);
            manifest.begin_base(NAME, format);
            manifest.retire_logs(Newest::Kept);
        }
        check_text(
            &manifest,
            &[
                "file appendonly.aof.7.base.aof seq 7 type b",
                "file appendonly.aof.2.incr.aof seq 2 type h",
                "file appendonly.aof.6.base.rdb seq 6 type h",
                "file appendonly.aof.1.incr.aof seq 1 type h",
                "file appendonly.aof.5.base.rdb seq 5 type h",
                "file appendonly.aof.3.incr.aof seq 3 type i",
            ],
        );
        assert_eq!(manifest.take_history().len(), 4);
        assert_eq!(manifest.live().count(), 2);
    }

    #[test]
    fn several_logs_become_history_oldest_first() {
        let mut manifest = Manifest::default();
        for _ in 0..3 {
            manifest.begin_log(b"a");
        }
        manifest.begin_base(b"a", BaseFormat::Dump);
        manifest.retire_logs(Newest::Retired);
        check_text(
            &manifest,
            &[
                "file a.1.base.rdb seq 1 type b",
                "file a.1.incr.aof seq 1 type h",
                "file a.2.incr.aof seq 2 type h",
                "file a.3.incr.aof seq 3 type h",
            ],
        );
        assert_eq!(manifest.begin_log(b"a"), b"a.4.incr.aof");
    }

    #[test]
    fn the_numbers_of_logs_start_anew_when_none_is_left() {
        let mut manifest = Manifest::default();
        manifest.begin_base(b"a", BaseFormat::Dump);
        manifest.begin_log(b"a");
        manifest.begin_base(b"a", BaseFormat::Dump);
        manifest.retire_logs(Newest::Retired);
        // As it is found after a crash before what is history was deleted.
        let mut found = Manifest::parse(&manifest.format()).expect("it reads back");
        assert_eq!(found.begin_log(b"a"), b"a.2.incr.aof");
        assert_eq!(manifest.take_history(), [&b"a.1.incr.aof"[..], b"a.1.base.rdb"]);
        assert_eq!(manifest.begin_log(b"a"), b"a.1.incr.aof");
        let last = "a.9223372036854775807.incr.aof";
        let mut manifest =
            read(&format!("file {last} seq 1 type h\nfile b seq {} type i\n", i64::MAX));
        assert_eq!(manifest.begin_log(b"a"), last.as_bytes());
    }

    #[test]
    fn an_old_file_becomes_the_base() {
        let manifest = Manifest::upgraded(NAME);
        assert!(manifest.names_only(NAME));
        check_text(&manifest, &["file appendonly.aof seq 1 type b"]);
        assert_eq!(manifest_name(NAME), b"appendonly.aof.manifest");
        assert_eq!(temporary_manifest_name(NAME), b"temp-appendonly.aof.manifest");
        assert_eq!(temporary_log_name(NAME), b"temp-appendonly.aof.incr");
    }

    #[test]
    fn numbers_at_the_end_of_their_range_do_no_harm() {
        let mut manifest = read("file a seq 99999999999999999999 type i\n");
        manifest.begin_log(b"a");
        assert_eq!(manifest.logs()[1].seq, i64::MAX);
        check_refused("file a seq -5 type i\n", "Found a non-monotonic sequence number", 1);
    }
}
