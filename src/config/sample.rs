//! The text of `redis.conf`: every directive with its documentation and its default.
//!
//! The file at the top level is this text; a test compares them, and writes the file anew when the
//! environment has `CARNELIAN_REGENERATE`.

use super::directive::{Change, Directive, Group, Sample, Status, Traits};
use super::kind::Defaults;
use super::table::{Config, DIRECTIVES};

/// Columns of a comment.
const WIDTH: usize = 98;

const INTRODUCTION: &str = "\
# The configuration of Carnelian
#
#     carnelian-server /path/to/redis.conf [--directive value ...] [-]
#
# A line is the name of a directive and its arguments, separated by blanks. Quotes hold an
# argument together: \"a b\" with the escapes \\n \\r \\t \\\\ \\\" \\x41, or 'a b' as it stands. A
# comment is a line of its own. Of several lines about one directive the last one wins, unless its
# description says otherwise. Every directive can be given on the command line too, which is read
# after this file. Most can be changed with CONFIG SET while the server runs, and CONFIG REWRITE
# brings this file up to date with that; the others say that they are set at start only.
#
# Sizes are in bytes or have a unit, in upper or lower case:
#
#     1k  is 1000 bytes           1kb is 1024 bytes
#     1m  is 1000000 bytes        1mb is 1024 * 1024 bytes
#     1g  is 1000000000 bytes     1gb is 1024 * 1024 * 1024 bytes
#
# What is not commented out below has its default value, except for `bind`: it keeps a server that
# nobody has configured yet to this machine.
";

/// The text of `redis.conf`.
#[must_use]
pub fn sample() -> String {
    let config = Config::default();
    let mut out = INTRODUCTION.to_owned();
    for group in Group::ALL {
        chapter(group, &config, &mut out);
    }
    out
}

fn chapter(group: Group, config: &Config, out: &mut String) {
    let title = group.heading();
    let rule = "#".repeat(WIDTH.saturating_sub(title.chars().count() + 1));
    out.push_str(&format!("\n{rule} {title}\n"));
    let rows = || DIRECTIVES.iter().filter(|directive| directive.group == group);
    let later = rows().next().map(|first| first.status);
    let whole_later = match later {
        Some(Status::Later(capability)) if rows().all(|row| Some(row.status) == later) => {
            let text = format!(
                "This version is without {}. It keeps what is set here, to no effect.",
                capability.name()
            );
            out.push('\n');
            comment(&text, out);
            Told::InChapter
        }
        Some(Status::Later(_) | Status::Live | Status::NoEffect(_)) | None => Told::InEntry,
    };
    for directive in rows() {
        entry(directive, config, whole_later, out);
    }
}

/// Where it says that a directive does nothing.
#[derive(Clone, Copy)]
enum Told {
    InChapter,
    InEntry,
}

fn entry(directive: &Directive, config: &Config, told: Told, out: &mut String) {
    out.push('\n');
    comment(&directive.doc.join(" "), out);
    comment(&facts(directive), out);
    match told {
        Told::InChapter => {}
        Told::InEntry => comment(&idleness(directive.status), out),
    }
    for line in lines(directive, config) {
        out.push_str(&line);
        out.push('\n');
    }
}

/// What the description does not say because the table knows it.
fn facts(directive: &Directive) -> String {
    let mut facts = Vec::new();
    if let Some(values) = directive.accepts() {
        facts.push(format!("Values: {values}."));
    }
    if !directive.aliases.is_empty() {
        facts.push(format!("Also known as {}.", directive.aliases.join(", ")));
    }
    match directive.change {
        Change::Fixed if directive.traits.contains(Traits::FILE_ONLY) => {}
        Change::Fixed => facts.push("Set at start only.".to_owned()),
        Change::Free | Change::Then(_) => {}
    }
    facts.join(" ")
}

/// That a directive does nothing, if so.
fn idleness(status: Status) -> String {
    match status {
        Status::Live => String::new(),
        Status::NoEffect(why) => format!("No effect here, because {why}."),
        Status::Later(capability) => {
            format!("No effect in this version, which is without {}.", capability.name())
        }
    }
}

/// The lines of an entry; those that would do nothing or are examples are commented out.
fn lines(directive: &Directive, config: &Config) -> Vec<String> {
    let commented = |line: &str| format!("# {line}");
    match directive.sample {
        Sample::Setting(line) => vec![line.to_owned()],
        Sample::Example(line) => vec![commented(line)],
        Sample::Default => {
            let mut lines = Vec::new();
            directive.row.lines(directive.name, config, Defaults::Written, &mut lines);
            let text = lines.iter().map(|line| String::from_utf8_lossy(&line.text).into_owned());
            match directive.status {
                Status::Live => text.collect(),
                Status::NoEffect(_) | Status::Later(_) => {
                    text.map(|line| commented(&line)).collect()
                }
            }
        }
    }
}

/// Adds `text`, if any, as comment lines broken between words.
fn comment(text: &str, out: &mut String) {
    let mut column = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count() + 1;
        if column == 0 || column + length > WIDTH {
            if column > 0 {
                out.push('\n');
            }
            out.push('#');
            column = 1;
        }
        out.push(' ');
        out.push_str(word);
        column += length;
    }
    if column > 0 {
        out.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{CommandLine, find, load};
    use std::collections::BTreeSet;
    use std::path::Path;

    const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/redis.conf");

    #[test]
    fn redis_conf_is_the_text_of_the_table() {
        if std::env::var_os("CARNELIAN_REGENERATE").is_some() {
            std::fs::write(PATH, sample()).unwrap();
        }
        let file = std::fs::read_to_string(PATH).unwrap();
        assert!(file == sample(), "redis.conf differs from the table: CARNELIAN_REGENERATE=1");
    }

    fn config_of(text: &str) -> Config {
        let command_line = CommandLine::parse(["redis.conf".into()]);
        let mut read = |path: &Path| match path.to_str() {
            Some("redis.conf") => Ok(vec![(path.to_owned(), text.as_bytes().to_vec())]),
            _ => Ok(Vec::new()),
        };
        load(&command_line, b"", &mut read).unwrap_or_else(|error| panic!("{error}")).config
    }

    #[test]
    fn redis_conf_sets_nothing_but_bind() {
        let mut config = config_of(&sample());
        assert_eq!(config.get(b"bind").unwrap(), b"127.0.0.1 -::1");
        config.bind = Config::default().bind;
        assert_eq!(config, Config::default());
    }

    /// The lines about directives, with and without `# ` in front.
    fn lines_about_directives() -> Vec<String> {
        sample()
            .lines()
            .skip_while(|line| !line.starts_with("##"))
            .map(|line| line.strip_prefix("# ").unwrap_or(line))
            .filter(|line| {
                let name = line.split(' ').next().unwrap();
                find(name.as_bytes()).is_some()
            })
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn every_directive_has_a_line_that_would_be_accepted() {
        let lines = lines_about_directives();
        let named: BTreeSet<_> = lines.iter().map(|line| line.split(' ').next().unwrap()).collect();
        for directive in DIRECTIVES {
            assert!(named.contains(directive.name), "{}", directive.name);
        }
        let settings = lines.iter().filter(|line| !line.starts_with("replicaof"));
        config_of(&settings.map(|line| format!("{line}\n")).collect::<String>());
    }

    #[test]
    fn every_line_that_is_no_comment_is_about_a_directive() {
        for line in sample().lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
            let (directive, _) = find(line.split(' ').next().unwrap().as_bytes()).unwrap();
            assert_eq!(directive.status, Status::Live, "{line}");
            assert!(!directive.traits.contains(Traits::FILE_ONLY), "{line}");
        }
    }

    #[test]
    fn comments_fit_the_width() {
        for line in sample().lines() {
            assert!(line.chars().count() <= WIDTH, "{line}");
        }
    }
}
