//! Why a value is refused, in the words clients and scripts match on.

use std::fmt;

/// Why a directive does not take a value. `Display` prints Redis's text, without prefix or period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Too few or too many arguments.
    WrongArguments,
    /// Neither `yes` nor `no`.
    NotYesNo,
    /// Not the canonical decimal form of an integer.
    NotInteger,
    /// Not an octal number.
    NotOctal,
    /// Not digits with an optional unit.
    NotMemory,
    /// Neither a memory size nor a percentage.
    NotMemoryOrPercent,
    /// A percentage above 100.
    PercentTooLarge,
    /// Outside the bounds, both of which are allowed values.
    OutOfRange {
        /// The least value.
        min: i128,
        /// The greatest value.
        max: i128,
    },
    /// Outside the bounds of a number that is written in octal.
    OutOfOctalRange {
        /// The least value.
        min: u32,
        /// The greatest value.
        max: u32,
    },
    /// None of the words the directive knows.
    NotOneOf(Vec<&'static str>),
    /// A rule of this directive only.
    Rule(&'static str),
    /// A failure met outside, while the value was put into effect.
    Failure(String),
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::WrongArguments => out.write_str("wrong number of arguments"),
            Reason::NotYesNo => out.write_str("argument must be 'yes' or 'no'"),
            Reason::NotInteger => out.write_str("argument couldn't be parsed into an integer"),
            Reason::NotOctal => out.write_str("argument couldn't be parsed as an octal number"),
            Reason::NotMemory => out.write_str("argument must be a memory value"),
            Reason::NotMemoryOrPercent => {
                out.write_str("argument must be a memory or percent value")
            }
            Reason::PercentTooLarge => {
                out.write_str("percentage argument must be less or equal to 100")
            }
            Reason::OutOfRange { min, max } => {
                write!(out, "argument must be between {min} and {max} inclusive")
            }
            Reason::OutOfOctalRange { min, max } => {
                write!(out, "argument must be between {min:o} and {max:o} inclusive")
            }
            Reason::NotOneOf(words) => {
                write!(out, "argument(s) must be one of the following: {}", words.join(", "))
            }
            Reason::Rule(text) => out.write_str(text),
            Reason::Failure(text) => out.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_of_an_octal_number_are_printed_in_octal() {
        let reason = Reason::OutOfOctalRange { min: 0, max: 0o777 };
        assert_eq!(reason.to_string(), "argument must be between 0 and 777 inclusive");
    }

    #[test]
    fn the_words_of_an_enumeration_are_listed() {
        let reason = Reason::NotOneOf(vec!["no", "yes", "local"]);
        assert_eq!(reason.to_string(), "argument(s) must be one of the following: no, yes, local");
    }
}
