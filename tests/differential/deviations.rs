//! The checked-in rules for where the servers rightly differ, because Carnelian answers as Redis
//! 7.4 does and the genuine server is 7.0. The file `deviations` says how a rule is written.

use crate::daemon::Failure;
use crate::pair::Difference;

/// One rule: three patterns that must all match, and why.
#[derive(Debug, Default)]
struct Rule {
    command: String,
    redis: String,
    carnelian: String,
    why: String,
}

/// All rules.
#[derive(Debug)]
pub(crate) struct Deviations {
    rules: Vec<Rule>,
}

impl Deviations {
    /// No rules: every difference counts.
    pub(crate) fn none() -> Deviations {
        Deviations { rules: Vec::new() }
    }

    /// Parses the text of the file.
    pub(crate) fn parse(text: &str) -> Result<Deviations, Failure> {
        let mut rules = Vec::new();
        for block in text.split("\n\n") {
            let mut rule = Rule::default();
            for line in block.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
                let (field, value) = line.split_once(": ").unwrap_or((line, ""));
                let place = match field {
                    "command" => &mut rule.command,
                    "redis" => &mut rule.redis,
                    "carnelian" => &mut rule.carnelian,
                    "why" => &mut rule.why,
                    _ => return Err(Failure::Other(format!("deviations: not a field: {line}"))),
                };
                value.clone_into(place);
            }
            let fields = [&rule.command, &rule.redis, &rule.carnelian, &rule.why];
            let filled = fields.iter().filter(|field| !field.is_empty()).count();
            if filled == fields.len() {
                rules.push(rule);
            } else if filled > 0 {
                return Err(Failure::Other(format!("deviations: a field is missing: {rule:?}")));
            }
        }
        Ok(Deviations { rules })
    }

    /// Why the difference is right, if a rule says so.
    pub(crate) fn excuse(&self, difference: &Difference) -> Option<&str> {
        let command = difference.command.to_ascii_uppercase();
        self.rules
            .iter()
            .find(|rule| {
                matches(&rule.command.to_ascii_uppercase(), &command)
                    && matches(&rule.redis, &difference.oracle)
                    && matches(&rule.carnelian, &difference.subject)
            })
            .map(|rule| rule.why.as_str())
    }
}

/// Whether the whole text is the pattern, in which `*` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    true
}
