//! One event as one line, in each of the formats.

use std::fmt::{self, Write};

use tracing::field::{Field, Visit};

use super::zone::Stamp;
use super::{Format, Role, Severity};

/// What an event says: its message and its fields, in order.
#[derive(Default)]
pub(super) struct Content {
    message: String,
    fields: Vec<(&'static str, Value)>,
}

enum Value {
    /// A number or a truth value: never quoted.
    Bare(String),
    Text(String),
}

impl Content {
    fn add(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::Bare(text) | Value::Text(text)) => self.message = text,
            (name, value) => self.fields.push((name, value)),
        }
    }

    /// The message and ` key=value` for each field, on one line.
    pub(super) fn plain(&self) -> String {
        let mut out = String::with_capacity(self.message.len() + 16);
        escape(&mut out, &self.message, Escapes::Bare);
        for (name, value) in &self.fields {
            out.push(' ');
            out.push_str(name);
            out.push('=');
            value.write_logfmt(&mut out);
        }
        out
    }
}

impl Visit for Content {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, Value::Text(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, Value::Text(value.to_owned()));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.add(field, Value::Text(value.to_string()));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.add(field, Value::Bare(value.to_string()));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, Value::Bare(value.to_string()));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, Value::Bare(value.to_string()));
    }
    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON knows no infinity.
        let text = value.to_string();
        self.add(field, if value.is_finite() { Value::Bare(text) } else { Value::Text(text) });
    }
}

impl Value {
    fn write_logfmt(&self, out: &mut String) {
        match self {
            Value::Bare(text) => out.push_str(text),
            Value::Text(text) if is_word(text) => out.push_str(text),
            Value::Text(text) => quote(out, text, Escapes::Quoted),
        }
    }

    fn write_json(&self, out: &mut String) {
        match self {
            Value::Bare(text) => out.push_str(text),
            Value::Text(text) => quote(out, text, Escapes::Json),
        }
    }
}

/// True if `text` can stand after a `key=` as it is.
fn is_word(text: &str) -> bool {
    let plain = |c: char| !c.is_control() && !c.is_whitespace() && !matches!(c, '"' | '=' | '\\');
    !text.is_empty() && text.chars().all(plain)
}

fn quote(out: &mut String, text: &str, escapes: Escapes) {
    out.push('"');
    escape(out, text, escapes);
    out.push('"');
}

/// What [`escape`] escapes beside control characters, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escapes {
    /// Nothing else.
    Bare,
    /// Quotes and backslashes.
    Quoted,
    /// As [`Escapes::Quoted`], with JSON's form of control characters.
    Json,
}

/// Appends `text` such that it stays on one line and cannot drive a terminal.
fn escape(out: &mut String, text: &str, escapes: Escapes) {
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '"' | '\\' if escapes != Escapes::Bare => out.extend(['\\', c]),
            c if c.is_control() && escapes == Escapes::Json => append(out, u32::from(c), "\\u00"),
            c if c.is_control() => append(out, u32::from(c), "\\x"),
            c => out.push(c),
        }
    }
}

/// Appends a control character's code; they all lie below 256.
fn append(out: &mut String, code: u32, prefix: &str) {
    write!(out, "{prefix}{code:02x}").expect("writing to a string cannot fail");
}

/// The whole line with its newline.
pub(super) fn render(
    format: Format,
    severity: Severity,
    role: Role,
    stamp: &Stamp,
    content: &Content,
) -> String {
    let pid = std::process::id();
    let mut out = match format {
        Format::Plain => {
            let (role, mark) = (role.letter(), severity.mark());
            format!("{pid}:{role} {stamp} {mark} {}", content.plain())
        }
        Format::Logfmt => render_logfmt(pid, severity, role, stamp, content),
        Format::Json => render_json(pid, severity, role, stamp, content),
    };
    out.push('\n');
    out
}

fn render_logfmt(
    pid: u32,
    severity: Severity,
    role: Role,
    stamp: &Stamp,
    content: &Content,
) -> String {
    let (role, level) = (role.name(), severity.name());
    let mut out = format!("pid={pid} role={role} timestamp=");
    stamp.write_rfc3339(&mut out).expect("writing to a string cannot fail");
    out.push_str(" level=");
    out.push_str(level);
    out.push_str(" message=");
    quote(&mut out, &content.message, Escapes::Quoted);
    for (name, value) in &content.fields {
        out.push(' ');
        out.push_str(name);
        out.push('=');
        value.write_logfmt(&mut out);
    }
    out
}

fn render_json(
    pid: u32,
    severity: Severity,
    role: Role,
    stamp: &Stamp,
    content: &Content,
) -> String {
    let (role, level) = (role.name(), severity.name());
    let mut out = format!("{{\"pid\":{pid},\"role\":\"{role}\",\"timestamp\":\"");
    stamp.write_rfc3339(&mut out).expect("writing to a string cannot fail");
    out.push_str("\",\"level\":\"");
    out.push_str(level);
    out.push_str("\",\"message\":");
    quote(&mut out, &content.message, Escapes::Json);
    for (name, value) in &content.fields {
        out.push(',');
        quote(&mut out, name, Escapes::Json);
        out.push(':');
        value.write_json(&mut out);
    }
    out.push('}');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_stays_on_its_line() {
        let check = |escapes, expected: &str| {
            let mut out = String::new();
            escape(&mut out, "a\nb\u{1b}[1m \"\\\u{85}é", escapes);
            assert_eq!(out, expected);
        };
        check(Escapes::Bare, "a\\nb\\x1b[1m \"\\\\x85é");
        check(Escapes::Quoted, "a\\nb\\x1b[1m \\\"\\\\\\x85é");
        check(Escapes::Json, "a\\nb\\u001b[1m \\\"\\\\\\u0085é");
    }

    #[test]
    fn only_words_go_unquoted() {
        for word in ["127.0.0.1:6379", "a", "é", "/var/run/redis.sock"] {
            assert!(is_word(word), "{word}");
        }
        for text in ["", "a b", "a=b", "\"a\"", "a\n", "\\"] {
            assert!(!is_word(text), "{text}");
        }
    }
}
