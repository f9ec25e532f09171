//! Reading the configuration: files, standard input and the command line.
//!
//! All three are lines of the same form, `name argument…`, taken in that order; a later line wins
//! over an earlier one, except for directives that accumulate. The command line is turned into lines
//! by [`CommandLine::parse`].

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::quote;

use super::directive::Directive;
use super::kind::Source;
use super::reason::Reason;
use super::table::Config;
use super::values::{Origin, Place, Text};
use super::{REDIS_VERSION, find};

/// Files that include each other deeper than this are taken for a circle.
const INCLUDE_DEPTH_MAX: usize = 16;

/// Directives of long ago that files still have, with one argument, and why nothing follows.
const OBSOLETE: [(&str, &str); 3] = [
    ("list-max-ziplist-entries", "list-max-listpack-size replaced it"),
    ("list-max-ziplist-value", "list-max-listpack-size replaced it"),
    ("lua-replicate-commands", "scripts are always replicated by their effects"),
];

/// Whether a file may say this, to no effect.
pub(super) fn is_obsolete(name: &[u8]) -> bool {
    OBSOLETE.iter().any(|(old, _)| old.as_bytes().eq_ignore_ascii_case(name))
}

/// Whether standard input holds configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stdin {
    /// It is none of ours.
    Unread,
    /// It does: `-` is the first or the last argument.
    Configuration,
}

/// The arguments of the process, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandLine {
    /// The configuration file: a first argument without a dash.
    pub file: Option<PathBuf>,
    /// Whether to read standard input after it.
    pub stdin: Stdin,
    /// The options as lines: `--hz 20` is `hz "20"`.
    pub options: Vec<Text>,
}

impl CommandLine {
    /// Takes the arguments behind the program's name apart.
    ///
    /// `--name` starts an option and what follows, up to the next `--`, is its arguments. The first
    /// of them may itself begin with `--`, so that every value can be given; `--save` alone, which
    /// switches snapshots off, is the exception.
    #[must_use]
    pub fn parse(args: impl IntoIterator<Item = OsString>) -> CommandLine {
        let args: Vec<Vec<u8>> = args.into_iter().map(OsString::into_vec).collect();
        let mut line = CommandLine { file: None, stdin: Stdin::Unread, options: Vec::new() };
        let mut rest = args.as_slice();
        match rest {
            [first, behind @ ..] if first == b"-" => {
                line.stdin = Stdin::Configuration;
                rest = behind;
            }
            [first, behind @ ..] if !first.starts_with(b"-") => {
                line.file = Some(PathBuf::from(OsString::from_vec(first.clone())));
                rest = behind;
            }
            _ => {}
        }
        if let [before @ .., last] = rest
            && last == b"-"
        {
            line.stdin = Stdin::Configuration;
            rest = before;
        }
        line.options = options(rest);
        line
    }
}

/// What may follow on the command line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    /// The first argument of an option, whatever it looks like.
    Argument,
    /// Another argument, or an option.
    Either,
}

fn options(args: &[Vec<u8>]) -> Vec<Text> {
    let mut options: Vec<Vec<u8>> = Vec::new();
    let mut next = Next::Either;
    for (index, arg) in args.iter().enumerate() {
        match (arg.strip_prefix(b"--"), next) {
            (Some(name), Next::Either) => {
                let mut option = name.to_vec();
                let ends = args.get(index + 1).is_none_or(|arg| arg.starts_with(b"--"));
                if ends && name.eq_ignore_ascii_case(b"save") {
                    option.extend_from_slice(b" \"\"");
                } else if !name.contains(&b' ') {
                    // Otherwise `"--name value"` in one argument: whole already.
                    next = Next::Argument;
                }
                options.push(option);
            }
            (None, Next::Either) | (_, Next::Argument) => {
                next = Next::Either;
                match options.last_mut() {
                    Some(option) => {
                        option.push(b' ');
                        quote::write_quoted(arg, option);
                    }
                    // An argument of nothing: the line will be refused.
                    None => options.push(quote::quoted(arg)),
                }
            }
        }
    }
    options.iter().map(|option| Text::from(option.as_slice())).collect()
}

/// Why the configuration cannot be used. `Display` prints what Redis prints, and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoadError {
    /// The line at fault, if it is one.
    pub origin: Option<Origin>,
    /// What is wrong with it.
    pub reason: Reason,
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***")?;
        if let Some(Origin { place, line, text }) = &self.origin {
            match place {
                Place::File(path) => writeln!(
                    out,
                    "Reading the configuration file, at line {line} of '{}'",
                    path.display()
                )?,
                Place::Stdin => {
                    writeln!(out, "Reading the configuration from standard input, at line {line}")?;
                }
                Place::CommandLine => writeln!(out, "Reading the command line, at option {line}")?,
            }
            writeln!(out, ">>> '{text}'")?;
        }
        write!(out, "{}", self.reason)
    }
}

impl std::error::Error for LoadError {}

/// A value for a module, `module.name value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleSetting {
    /// The name, dot and all.
    pub name: Text,
    /// The value.
    pub value: Text,
    /// The line.
    pub origin: Origin,
}

/// A configuration that was read without an error.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// Values for modules, whose directives nobody knows before they are loaded.
    pub module_settings: Vec<ModuleSetting>,
    /// What the log should say about lines that do nothing.
    pub notes: Vec<String>,
    /// The last line about each directive.
    origins: Vec<(&'static str, Origin)>,
}

impl Loaded {
    /// The error for a value that looked right and does not work, such as a directory that does not
    /// exist, with the line that set it.
    #[must_use]
    pub fn error(&self, name: &str, reason: String) -> LoadError {
        let origin = self.origins.iter().find(|(other, _)| *other == name);
        LoadError {
            origin: origin.map(|(_, origin)| origin.clone()),
            reason: Reason::Failure(reason),
        }
    }
}

/// Reads a file, or every file that matches a pattern with `*`, `?` or `[`, in order of their names:
/// path and content of each. A pattern that matches none gives none; a missing file is an error.
pub type Reader<'a> = dyn FnMut(&Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> + 'a;

/// Reads the whole configuration: file, then `stdin`, then options.
///
/// Relative paths of `include` are relative to the last `dir` before them, as are those of the first
/// file to the directory the process started in; `read` gets them joined.
///
/// # Errors
/// The first line that is wrong, or a file that cannot be read.
pub fn load(
    command_line: &CommandLine,
    stdin: &[u8],
    read: &mut Reader<'_>,
) -> Result<Loaded, LoadError> {
    let mut loader = Loader {
        loaded: Loaded {
            config: Config::default(),
            module_settings: Vec::new(),
            notes: Vec::new(),
            origins: Vec::new(),
        },
        read,
        depth: 0,
    };
    if let Some(file) = &command_line.file {
        loader.files(file, None)?;
    }
    match command_line.stdin {
        Stdin::Configuration => loader.text(&Place::Stdin, stdin)?,
        Stdin::Unread => {}
    }
    for (index, text) in command_line.options.iter().enumerate() {
        let place = Place::CommandLine;
        loader.line(Origin { place, line: index + 1, text: text.clone() })?;
    }
    loader.finish()
}

struct Loader<'r, 'a> {
    loaded: Loaded,
    read: &'r mut Reader<'a>,
    /// Files that are being read, each included by the one before.
    depth: usize,
}

fn error(origin: &Origin, reason: Reason) -> LoadError {
    LoadError { origin: Some(origin.clone()), reason }
}

impl Loader<'_, '_> {
    /// Reads the files that `pattern`, the argument of `include` or of the process, stands for.
    fn files(&mut self, pattern: &Path, included: Option<&Origin>) -> Result<(), LoadError> {
        let failure = |text| LoadError { origin: included.cloned(), reason: Reason::Failure(text) };
        if self.depth == INCLUDE_DEPTH_MAX {
            return Err(failure(format!("files include each other {INCLUDE_DEPTH_MAX} deep")));
        }
        let joined = self.loaded.config.dir.as_path().join(pattern);
        let path = joined.strip_prefix(".").unwrap_or(&joined);
        let files = (self.read)(path).map_err(|error| {
            failure(format!("can't open config file '{}': {}", path.display(), text_of(&error)))
        })?;
        self.depth += 1;
        for (path, text) in files {
            self.text(&Place::File(Arc::new(path)), &text)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn text(&mut self, place: &Place, text: &[u8]) -> Result<(), LoadError> {
        for (index, line) in text.split(|&byte| byte == b'\n').enumerate() {
            let text = Text::from(trim(line));
            self.line(Origin { place: place.clone(), line: index + 1, text })?;
        }
        Ok(())
    }

    fn line(&mut self, origin: Origin) -> Result<(), LoadError> {
        if origin.text.starts_with(b"#") {
            return Ok(());
        }
        let Ok(words) = quote::split_args(&origin.text) else {
            return Err(error(&origin, Reason::Rule("Unbalanced quotes in configuration line")));
        };
        let Some((name, args)) = words.split_first() else { return Ok(()) };
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        match find(name) {
            Some((directive, _)) => self.directive(directive, &args, origin),
            None => self.other(name, &args, origin),
        }
    }

    fn directive(
        &mut self,
        directive: &'static Directive,
        args: &[&[u8]],
        origin: Origin,
    ) -> Result<(), LoadError> {
        let loaded = &mut self.loaded;
        let earlier = loaded.origins.iter().position(|(name, _)| *name == directive.name);
        let source = match earlier {
            None => Source::FirstLine(&origin),
            Some(_) => Source::LaterLine(&origin),
        };
        directive
            .set_from_line(&mut loaded.config, args, source)
            .map_err(|reason| error(&origin, reason))?;
        match earlier {
            None => loaded.origins.push((directive.name, origin.clone())),
            Some(index) => loaded.origins[index].1 = origin.clone(),
        }
        match (directive.name, args) {
            ("include", &[path]) => self.files(Text::from(path).as_path(), Some(&origin)),
            _ => Ok(()),
        }
    }

    /// A line that is about no directive of the table.
    fn other(&mut self, name: &[u8], args: &[&[u8]], origin: Origin) -> Result<(), LoadError> {
        let obsolete = OBSOLETE.iter().find(|(old, _)| old.as_bytes().eq_ignore_ascii_case(name));
        if let (Some((old, why)), &[_]) = (obsolete, args) {
            self.loaded.notes.push(format!("{old} has no effect here, because {why}"));
            return Ok(());
        }
        if name.eq_ignore_ascii_case(b"sentinel") {
            return Err(error(
                &origin,
                Reason::Rule("sentinel directive while not in sentinel mode"),
            ));
        }
        if !name.contains(&b'.') {
            return Err(error(&origin, Reason::Rule("Bad directive or wrong number of arguments")));
        }
        let &[value] = args else {
            return Err(error(&origin, Reason::Rule("Module config specified without value")));
        };
        let name = Text::from(name);
        self.loaded
            .notes
            .push(format!("{name} has no effect in this version, which is without modules"));
        self.loaded.module_settings.push(ModuleSetting { name, value: Text::from(value), origin });
        Ok(())
    }

    /// Checks what no single line shows.
    fn finish(mut self) -> Result<Loaded, LoadError> {
        let config = &self.loaded.config;
        if config.cluster_enabled && config.replicaof.is_some() {
            let reason = "replicaof directive not allowed in cluster mode".to_owned();
            return Err(self.loaded.error("replicaof", reason));
        }
        let notes = config.notes();
        self.loaded.notes.extend(notes);
        Ok(self.loaded)
    }
}

/// What the operating system calls an error, without its number.
fn text_of(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error ") {
        Some((text, _)) => text.to_owned(),
        None => text,
    }
}

/// Without blanks at both ends.
pub(super) fn trim(mut line: &[u8]) -> &[u8] {
    const fn is_blank(byte: u8) -> bool {
        matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
    }
    while let [first, rest @ ..] = line
        && is_blank(*first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by name, for a reader without a file system.
    fn reader<'a>(
        files: &'a [(&'a str, &'a str)],
    ) -> impl FnMut(&Path) -> io::Result<Vec<(PathBuf, Vec<u8>)>> + 'a {
        |pattern| {
            let pattern = Text::from(pattern);
            let case = crate::base::glob::Case::Sensitive;
            let found: Vec<_> = files
                .iter()
                .filter(|(name, _)| crate::base::glob::matches(&pattern, name.as_bytes(), case))
                .map(|(name, text)| (PathBuf::from(name), text.as_bytes().to_vec()))
                .collect();
            if found.is_empty() && !pattern.contains(&b'*') {
                return Err(io::Error::from_raw_os_error(2));
            }
            Ok(found)
        }
    }

    fn start(args: &[&str], files: &[(&str, &str)], stdin: &str) -> Result<Loaded, LoadError> {
        let command_line = CommandLine::parse(args.iter().map(OsString::from));
        load(&command_line, stdin.as_bytes(), &mut reader(files))
    }

    /// The value of `name` after reading `text`, or the error.
    fn value(text: &str, name: &str) -> String {
        match start(&["f"], &[("f", text)], "") {
            Ok(loaded) => String::from_utf8(loaded.config.get(name.as_bytes()).unwrap()).unwrap(),
            Err(error) => error.to_string(),
        }
    }

    /// The reason for which `text` is refused.
    fn reason(text: &str) -> String {
        start(&["f"], &[("f", text)], "").unwrap_err().reason.to_string()
    }

    #[test]
    fn later_lines_win_and_some_add_up() {
        assert_eq!(value("HZ 20\n  hz\t30  \r\n\t# c\n", "hz"), "30");
        assert_eq!(value("bind 127.0.0.1 ::1\nbind 127.0.0.2", "bind"), "127.0.0.2");
        assert_eq!(value("bind \"127.0.0.1 ::1\"", "bind"), "127.0.0.1 ::1");
        assert_eq!(value("bind", "bind"), "");
        assert_eq!(value("save 900 1 300 10\nsave 60 1", "save"), "900 1 300 10 60 1");
        assert_eq!(value("save \"900 1\"", "save"), "900 1");
        assert_eq!(value("save 900 1\nsave ''", "save"), "");
        assert_eq!(value("save \"\"\nsave 900 1", "save"), "900 1");
        assert_eq!(
            value(
                "client-output-buffer-limit normal 1mb 2k 3\n\
                client-output-buffer-limit \"slave 1 2 3\"",
                "client-output-buffer-limit"
            ),
            "normal 1048576 2000 3 slave 1 2 3 pubsub 33554432 8388608 60"
        );
        assert_eq!(value("slave-priority 7", "replica-priority"), "7");
        assert_eq!(value("replicaof 10.0.0.1 1\nreplicaof NO ONE", "replicaof"), "");
        assert_eq!(value("slaveof \"10.0.0.1 5\"", "replicaof"), "10.0.0.1 5");
        assert_eq!(value("notify-keyspace-events gxKE", "notify-keyspace-events"), "gxKE");
        assert_eq!(value("proc-title-template \"\\x41b\\n\"", "proc-title-template"), "Ab\n");
        assert_eq!(value("'hz' \"40\"", "hz"), "40");
    }

    #[test]
    fn wrong_lines_are_refused_in_redis_words() {
        let cases = [
            ("hz 20 # c", "wrong number of arguments"),
            ("hz", "wrong number of arguments"),
            ("hz \"20", "Unbalanced quotes in configuration line"),
            ("hz abc", "argument couldn't be parsed into an integer"),
            ("foo", "Bad directive or wrong number of arguments"),
            ("save 900", "Invalid save parameters"),
            ("save 0 1", "Invalid save parameters"),
            ("replicaof a 70000", "Invalid master port"),
            ("replicaof a 1x", "Invalid master port"),
            ("slaveof a", "wrong number of arguments"),
            ("unixsocketperm 800", "argument couldn't be parsed as an octal number"),
            ("appendfilename \"\"", "appendfilename can't be empty"),
            ("sentinel monitor x", "sentinel directive while not in sentinel mode"),
            ("loadmodule", "Bad directive or wrong number of arguments"),
            ("rename-command get", "Bad directive or wrong number of arguments"),
            ("user", "Bad directive or wrong number of arguments"),
            ("include a b", "Bad directive or wrong number of arguments"),
            ("foo.bar", "Module config specified without value"),
            ("dir ''", "No such file or directory"),
            (
                "latency-tracking-info-percentiles nan",
                "Invalid latency-tracking-info-percentiles parameters",
            ),
            (
                "shutdown-on-sigterm save nosave",
                "shutdown options SAVE and NOSAVE can't be used simultaneously",
            ),
        ];
        for (line, expected) in cases {
            assert_eq!(reason(line), expected, "{line}");
        }
    }

    #[test]
    fn an_error_shows_where_the_line_is() {
        assert_eq!(
            value("hz 20\n\n  port x \n", "hz"),
            "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
             Reading the configuration file, at line 3 of 'f'\n\
             >>> 'port x'\n\
             argument couldn't be parsed into an integer"
        );
        let error = start(&["--hz", "20", "--port", "x y"], &[], "").unwrap_err();
        assert_eq!(
            error.to_string(),
            "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
             Reading the command line, at option 2\n\
             >>> 'port \"x y\"'\n\
             argument couldn't be parsed into an integer"
        );
        let error = start(&["-"], &[], "\nfoo").unwrap_err();
        assert!(error.to_string().contains("from standard input, at line 2\n>>> 'foo'"));
        let error = start(&["nofile"], &[], "").unwrap_err();
        assert_eq!(
            error.to_string(),
            "*** FATAL CONFIG FILE ERROR (Redis 7.4.0) ***\n\
             can't open config file 'nofile': No such file or directory"
        );
    }

    #[test]
    fn included_files_take_their_place() {
        let files = [
            ("f", "hz 20\ninclude d/*.conf\nport 1"),
            ("d/a.conf", "hz 30"),
            ("d/b.conf", "port 2"),
        ];
        let config = start(&["f"], &files, "").unwrap().config;
        assert_eq!((config.hz, config.port), (30, 1));
        let config = start(&["f"], &[("f", "include none/*")], "").unwrap().config;
        assert_eq!(config.include, [Text::from("none/*")]);
        let error = start(&["f"], &[("f", "\ninclude none")], "").unwrap_err();
        assert_eq!(
            error.reason.to_string(),
            "can't open config file 'none': No such file or directory"
        );
        assert_eq!(error.origin.unwrap().line, 2);
        let config = start(&["f"], &[("f", "dir /x\ninclude a"), ("/x/a", "hz 30")], "");
        assert_eq!(config.unwrap().config.hz, 30);
    }

    #[test]
    fn files_that_include_themselves_are_refused() {
        assert_eq!(reason("include f"), "files include each other 16 deep");
    }

    #[test]
    fn what_is_wrong_outside_can_be_shown_with_its_line() {
        let loaded = start(&["f"], &[("f", "hz 1\nlogfile /no/dir\n")], "").unwrap();
        let error = loaded.error("logfile", "Can't open the log file: No such file".to_owned());
        assert_eq!(error.origin.unwrap().line, 2);
        assert_eq!(loaded.error("dbfilename", String::new()).origin, None);
    }

    #[test]
    fn directories_add_up_as_changes_of_directory_do() {
        assert_eq!(value("dir ./", "dir"), ".");
        assert_eq!(value("dir data\ndir ./sub", "dir"), "data/./sub");
        assert_eq!(value("dir data\ndir /abs", "dir"), "/abs");
    }

    fn lines(args: &[&str]) -> Vec<String> {
        let line = CommandLine::parse(args.iter().map(OsString::from));
        let file = line.file.iter().map(|path| format!("file {}", path.display()));
        let stdin = match line.stdin {
            Stdin::Configuration => Some("stdin".to_owned()),
            Stdin::Unread => None,
        };
        file.chain(stdin).chain(line.options.iter().map(Text::to_string)).collect()
    }

    #[test]
    fn command_lines_become_lines() {
        assert_eq!(lines(&["f", "--port", "1", "-"]), ["file f", "stdin", "port \"1\""]);
        assert_eq!(lines(&["-", "--save", "900", "1"]), ["stdin", "save \"900\" \"1\""]);
        assert_eq!(lines(&["--save"]), ["save \"\""]);
        assert_eq!(lines(&["--SAVE", "--hz", "20"]), ["SAVE \"\"", "hz \"20\""]);
        assert_eq!(lines(&["--save", "", "--hz", "2"]), ["save \"\"", "hz \"2\""]);
        assert_eq!(
            lines(&["--requirepass", "--foo", "--hz", "20"]),
            ["requirepass \"--foo\"", "hz \"20\""]
        );
        assert_eq!(lines(&["--hz", "--save", ""]), ["hz \"--save\" \"\""]);
        assert_eq!(lines(&["--hz"]), ["hz"]);
        assert_eq!(lines(&["--hz", "-"]), ["stdin", "hz"]);
        assert_eq!(lines(&["--save 3 5"]), ["save 3 5 "].map(str::trim));
        assert_eq!(lines(&["-x", "--hz", "1"]), ["\"-x\"", "hz \"1\""]);
        assert_eq!(lines(&["--", "a"]), [" \"a\""]);
    }

    #[test]
    fn the_command_line_wins_over_files_and_adds_to_their_lists() {
        let loaded = start(
            &["f", "--hz", "7", "--save", "60", "7", "-"],
            &[("f", "save 9 1\nhz 5")],
            "hz 6",
        );
        let config = loaded.unwrap().config;
        assert_eq!(config.hz, 7);
        assert_eq!(config.get(b"save").unwrap(), b"9 1 60 7");
    }

    #[test]
    fn lists_keep_every_line() {
        let text = "rename-command get got\nrename-command set ''\nuser a on\nloadmodule x.so 1 2";
        let config = start(&["f"], &[("f", text)], "").unwrap().config;
        assert_eq!(config.rename_command[1].to, Text::default());
        assert_eq!(config.rename_command[1].origin.line, 2);
        assert_eq!(config.user[0].words, ["a", "on"].map(Text::from));
        assert_eq!(config.loadmodule[0].arguments, ["1", "2"].map(Text::from));
    }

    #[test]
    fn idle_values_are_noted() {
        let text = "cluster-node-timeout 9\nio-threads 4\nhz 20\nreplica-read-only yes\n\
            lua-replicate-commands no\nmod.x 1";
        let loaded = start(&["f"], &[("f", text)], "").unwrap();
        assert_eq!(
            loaded.notes,
            [
                "lua-replicate-commands has no effect here, because scripts are always replicated \
                    by their effects",
                "mod.x has no effect in this version, which is without modules",
                "io-threads has no effect here, because one thread serves every client",
                "cluster-node-timeout has no effect in this version, which is without cluster mode",
            ]
        );
        assert_eq!(loaded.module_settings[0].value, Text::from("1"));
    }

    #[test]
    fn a_replica_cannot_be_a_cluster_node() {
        let error = start(&["f"], &[("f", "slaveof a 1\ncluster-enabled yes")], "").unwrap_err();
        assert_eq!(error.reason.to_string(), "replicaof directive not allowed in cluster mode");
        assert_eq!(error.origin.unwrap().line, 1);
    }
}
