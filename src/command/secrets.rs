//! Which arguments of a command are secrets: those are never shown, whoever looks on.

use crate::config::{self, Traits};
use crate::resp::Args;

/// What is shown instead of a secret.
pub const HIDDEN: &[u8] = b"(redacted)";

/// Secret directives that this server knows by other names only: those of Valkey.
const OTHER_NAMES: [&str; 2] = ["primaryauth", "primaryuser"];

fn is_secret_directive(name: &[u8]) -> bool {
    match config::find(name) {
        Some((directive, _)) => directive.traits.contains(Traits::SECRET),
        None => OTHER_NAMES.iter().any(|other| name.eq_ignore_ascii_case(other.as_bytes())),
    }
}

/// Where the secrets of a command are. Told from the arguments alone, so that a command that fails hides
/// them as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Secrets {
    /// There are none.
    None,
    /// All arguments from this one on.
    From(usize),
    /// Behind each of these words, upper case, from an argument on: so many.
    Behind(usize, &'static [(&'static str, usize)]),
    /// Names of directives and their values from this argument on: the values of those that are secret.
    OfDirectives(usize),
}

impl Secrets {
    /// Whether the argument at `index` is a secret.
    pub fn contains(self, index: usize, args: &Args<'_>) -> bool {
        match self {
            Self::None => false,
            Self::From(first) => index >= first,
            Self::Behind(first, words) => words.iter().any(|&(word, count)| {
                let nearest = index.saturating_sub(count).max(first);
                (nearest..index).any(|at| args.at(at).eq_ignore_ascii_case(word.as_bytes()))
            }),
            Self::OfDirectives(first) => {
                let is_value = index > first && (index - first) % 2 == 1;
                is_value && is_secret_directive(args.at(index - 1))
            }
        }
    }

    /// The arguments as they may be shown.
    pub fn shown<'a>(self, args: &Args<'a>) -> impl ExactSizeIterator<Item = &'a [u8]> + use<'a> {
        let args = *args;
        (0..args.len())
            .map(move |index| if self.contains(index, &args) { HIDDEN } else { args.at(index) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::OwnedArgs;

    fn check(secrets: Secrets, line: &str, expected: &str) {
        let args: OwnedArgs = line.split(' ').collect();
        let shown: Vec<String> = (secrets.shown(&args.as_args()))
            .map(|arg| String::from_utf8(arg.to_vec()).unwrap().replace("(redacted)", "-"))
            .collect();
        assert_eq!(shown.join(" "), expected, "{line}");
    }

    #[test]
    fn secrets_are_hidden_wherever_they_are() {
        check(Secrets::None, "A b c", "A b c");
        check(Secrets::From(1), "AUTH b c", "AUTH - -");
        let behind = Secrets::Behind(2, &[("AUTH", 2), ("AUTH1", 1)]);
        check(behind, "HELLO 3 auth u p SETNAME n", "HELLO 3 auth - - SETNAME n");
        check(behind, "HELLO AUTH auth u p auth1 q", "HELLO AUTH auth - - auth1 -");
        check(behind, "HELLO 3 x AUTH p", "HELLO 3 x AUTH -");
        check(behind, "HELLO 3 AUTH", "HELLO 3 AUTH");
        let directives = Secrets::OfDirectives(2);
        check(
            directives,
            "CONFIG SET PrimaryAuth p primary x",
            "CONFIG SET PrimaryAuth - primary x",
        );
        check(directives, "CONFIG SET hz 5 MasterAuth p hz", "CONFIG SET hz 5 MasterAuth - hz");
        check(
            directives,
            "CONFIG SET hz requirepass requirepass",
            "CONFIG SET hz requirepass requirepass",
        );
        check(directives, "CONFIG SET requirepass requirepass x", "CONFIG SET requirepass - x");
    }
}
