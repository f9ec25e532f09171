//! The text of `redis.conf`: every directive with its documentation and its default.
//!
//! The file at the top level is this text; a test compares them, and writes the file anew when the
//! environment has `CARNELIAN_REGENERATE`.

use super::directive::{Change, Directive, Group, Sample, Status};
use super::kind::Defaults;
use super::table::{Config, DIRECTIVES};

/// Columns of a comment.
const WIDTH: usize = 96;

const INTRODUCTION: &str = "\
# The configuration of Carnelian
#
#     carnelian-server /path/to/redis.conf [--directive value ...] [-]
#
# A line is the name of a directive and its arguments, separated by blanks. Quotes hold an argument
# together: \"a b\" with the escapes \\n \\r \\t \\\\ \\\" \\x41, or 'a b' as it stands. A comment is a line
# of its own. Of several lines about the same directive the last one wins, except where it says
# otherwise. Every directive can be given on the command line too, which is read after the file, and
# most can be changed with CONFIG SET while the server runs; CONFIG REWRITE then updates this file.
#
# Sizes are in bytes or have a unit, in upper or lower case:
#
#     1k  is 1000 bytes           1kb is 1024 bytes
#     1m  is 1000000 bytes        1mb is 1024 * 1024 bytes
#     1g  is 1000000000 bytes     1gb is 1024 * 1024 * 1024 bytes
#
# What is not commented out below has its default value, except for `bind`, which keeps a server that
# nobody has configured yet to this machine.
";

/// The text of `redis.conf`.
#[must_use]
pub fn sample() -> String {
    let config = Config::default();
    let mut out = INTRODUCTION.to_owned();
    for group in Group::ALL {
        heading(group, &mut out);
        for directive in DIRECTIVES.iter().filter(|directive| directive.group == group) {
            entry(directive, &config, &mut out);
        }
    }
    out
}

fn heading(group: Group, out: &mut String) {
    let title = group.heading();
    let rule = "#".repeat(WIDTH.saturating_sub(title.chars().count() + 1));
    out.push_str(&format!("\n{rule} {title}\n"));
}

fn entry(directive: &Directive, config: &Config, out: &mut String) {
    out.push('\n');
    comment(&directive.doc.join(" "), out);
    comment(&facts(directive), out);
    for line in lines(directive, config) {
        out.push_str(&line);
        out.push('\n');
    }
}

/// What the documentation does not say because the table knows it.
fn facts(directive: &Directive) -> String {
    let mut facts = format!("Values: {}.", directive.accepts());
    if !directive.aliases.is_empty() {
        facts.push_str(&format!(" Also known as {}.", directive.aliases.join(", ")));
    }
    match directive.change {
        Change::Fixed => facts.push_str(" Set at start only."),
        Change::Free | Change::Then(_) => {}
    }
    match directive.status {
        Status::Live => {}
        Status::NoEffect(why) => facts.push_str(&format!(" No effect here, because {why}.")),
        Status::Later(capability) => facts.push_str(&format!(
            " No effect in this version, which is without {}.",
            capability.name()
        )),
    }
    facts
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

/// Adds `text` as comment lines, broken between words.
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
    out.push('\n');
}
