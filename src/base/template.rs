//! Text with `{name}` in it, filled in.

/// The template names something unknown or does not close a brace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadTemplate;

/// Replaces every `{name}` by what `lookup` has for it. `{{` is a brace; a `}` alone is itself.
///
/// # Errors
/// If a name has no value or its brace is never closed.
pub fn expand<'a>(
    template: &str,
    lookup: impl Fn(&str) -> Option<&'a str>,
) -> Result<String, BadTemplate> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((text, after)) = rest.split_once('{') {
        out.push_str(text);
        rest = match after.strip_prefix('{') {
            Some(literal) => {
                out.push('{');
                literal
            }
            None => {
                let (name, after) = after.split_once('}').ok_or(BadTemplate)?;
                out.push_str(lookup(name).ok_or(BadTemplate)?);
                after
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, expected: Result<&str, BadTemplate>) {
        let lookup = |name: &str| match name {
            "title" => Some("server"),
            "empty" => Some(""),
            _ => None,
        };
        assert_eq!(expand(template, lookup).as_deref(), expected.as_ref().map(|text| *text));
    }

    #[test]
    fn names_are_replaced() {
        check("", Ok(""));
        check("plain", Ok("plain"));
        check("{title}", Ok("server"));
        check("a{title}b{empty}c{title}", Ok("aserverbcserver"));
    }

    #[test]
    fn braces_can_be_written() {
        check("{{title}", Ok("{title}"));
        check("{{{title}}", Ok("{server}"));
        check("a}b", Ok("a}b"));
    }

    #[test]
    fn unknown_and_unclosed_names_are_refused() {
        check("{other}", Err(BadTemplate));
        check("{}", Err(BadTemplate));
        check("{title", Err(BadTemplate));
        check("{", Err(BadTemplate));
    }
}
