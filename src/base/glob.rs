//! Glob patterns, as `KEYS`, `SCAN MATCH`, `PSUBSCRIBE`, `CONFIG GET` and ACL rules take them.
//!
//! `*` is any run of bytes, `?` one byte, `[abc]`, `[a-z]` and `[^abc]` one byte of a class (or
//! outside it), and `\` takes the next byte literally. Details that Redis's users may rely on:
//!
//! * the ends of a range may stand in either order;
//! * `]` closes a class wherever it stands, except after `\` or as the end of a range; so `[]`
//!   matches nothing and `[^]` any byte;
//! * a class that is not closed ends with the pattern, a lone `\` at the end is literal;
//! * an escaped byte inside a class matches in its own case only;
//! * the empty text matches the empty pattern only, not even `*` (see [`is_all`]).
//!
//! After a `*` a mismatch goes back to the last one and no further: what an earlier `*` could do by
//! taking more, the last one can do as well. So the time is O(pattern * text) at worst, and linear
//! for patterns that people write.

/// Whether letters must agree in case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Case {
    /// `a` is not `A`.
    Sensitive,
    /// ASCII letters match in either case.
    Insensitive,
}

/// Whether `pattern` is the `*` by itself, which commands that list things take for "everything",
/// the empty string included, without matching.
#[inline]
#[must_use]
pub fn is_all(pattern: &[u8]) -> bool {
    pattern == b"*"
}

/// Whether all of `text` matches `pattern`.
#[must_use]
pub fn matches(pattern: &[u8], text: &[u8], case: Case) -> bool {
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut pattern, mut text) = (pattern, text);
    // Behind the last `*`: the pattern, and the text from where it was tried last.
    let mut retry: Option<(&[u8], &[u8])> = None;
    loop {
        if let [b'*', rest @ ..] = pattern {
            if rest.is_empty() {
                return true;
            }
            pattern = rest;
            retry = Some((rest, text));
            continue;
        }
        let [byte, text_rest @ ..] = text else {
            // Each part of the pattern takes one byte, so a later start cannot help.
            return pattern.is_empty();
        };
        if let Some(pattern_rest) = step(pattern, *byte, case) {
            (pattern, text) = (pattern_rest, text_rest);
            continue;
        }
        match retry {
            Some((behind, [_, later @ ..])) => {
                retry = Some((behind, later));
                (pattern, text) = (behind, later);
            }
            Some((_, [])) | None => return false,
        }
    }
}

/// The pattern behind its first part, if that part matches `byte`. The part is not a `*`.
#[inline]
fn step(pattern: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (literal, rest) = match pattern {
        [] => return None,
        [b'?', rest @ ..] => return Some(rest),
        [b'[', class @ ..] => return step_class(class, byte, case),
        [b'\\', literal, rest @ ..] | [literal, rest @ ..] => (*literal, rest),
    };
    same(literal, byte, case).then_some(rest)
}

/// As [`step`], from behind the `[`.
fn step_class(class: &[u8], byte: u8, case: Case) -> Option<&[u8]> {
    let (negated, mut class) = match class {
        [b'^', rest @ ..] => (true, rest),
        rest => (false, rest),
    };
    let mut found = false;
    let rest = loop {
        match class {
            [] => break class,
            [b'\\', literal, rest @ ..] => {
                found |= *literal == byte;
                class = rest;
            }
            [b']', rest @ ..] => break rest,
            [start, b'-', end, rest @ ..] => {
                found |= in_range(*start.min(end), *start.max(end), byte, case);
                class = rest;
            }
            [literal, rest @ ..] => {
                found |= same(*literal, byte, case);
                class = rest;
            }
        }
    };
    (found != negated).then_some(rest)
}

#[inline]
fn same(literal: u8, byte: u8, case: Case) -> bool {
    match case {
        Case::Sensitive => literal == byte,
        Case::Insensitive => literal.eq_ignore_ascii_case(&byte),
    }
}

/// The ends are put in order before they are lowered: `[Z-a]` matches no letter if case is ignored.
fn in_range(start: u8, end: u8, byte: u8, case: Case) -> bool {
    match case {
        Case::Sensitive => (start..=end).contains(&byte),
        Case::Insensitive => (start.to_ascii_lowercase()..=end.to_ascii_lowercase())
            .contains(&byte.to_ascii_lowercase()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn check(pattern: &str, matching: &[&str], others: &[&str]) {
        for text in matching {
            let matched = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
            assert!(matched, "{pattern} should match {text}");
        }
        for text in others {
            let matched = matches(pattern.as_bytes(), text.as_bytes(), Case::Sensitive);
            assert!(!matched, "{pattern} should not match {text}");
        }
    }

    #[test]
    fn stars_and_question_marks() {
        check("h?llo", &["hello", "h?llo"], &["hllo", "heello"]);
        check("h*llo", &["hllo", "heeeello", "hllollo"], &["hell", "xhllo"]);
        check("*", &["a", "abc"], &[""]);
        check("a**", &["a", "ab"], &["b", ""]);
        check("*a*b*c", &["abc", "xaxbxc", "abcbc"], &["acb", "abcx"]);
        check("", &[""], &["a"]);
        check("?*?", &["ab", "abc"], &["a"]);
    }

    #[test]
    fn classes_and_escapes() {
        check("h[ae]llo", &["hello", "hallo"], &["hillo", "hllo"]);
        check("h[^e]llo", &["hallo"], &["hello"]);
        check("[a-c]", &["a", "b", "c"], &["d", "-"]);
        check("[c-a]", &["a", "b", "c"], &["d", "-"]);
        check("[]", &[], &["]", "[", "[]"]);
        check("[^]", &["]", "a"], &[""]);
        check("[]a", &[], &["a", "]a"]);
        check("[a-", &["a", "-"], &["b"]);
        check("[a-]", &["a", "]", "^", "_"], &["-", "b"]);
        check("[abc", &["a", "c"], &["["]);
        check("[", &[], &["["]);
        check("[^", &["x"], &["xx"]);
        check("[\\]x]", &["]", "x"], &["\\"]);
        check("[\\a-c]", &["a", "-", "c"], &["b"]);
        check("[\\", &["\\"], &["["]);
        check("\\*", &["*"], &["a", "\\*"]);
        check("a\\", &["a\\"], &["a"]);
        check("\\\\", &["\\"], &["\\\\"]);
        check("\\[a]", &["[a]"], &["a"]);
    }

    #[test]
    fn case_can_be_ignored() {
        let insensitive = |pattern: &[u8], text: &[u8]| matches(pattern, text, Case::Insensitive);
        assert!(insensitive(b"MaxMem*", b"maxmemory"));
        assert!(insensitive(b"[A-C]", b"b") && insensitive(b"[a-c]", b"B"));
        assert!(insensitive(b"\\A", b"a"));
        assert!(!insensitive(b"[\\A]", b"a"));
        assert!(!insensitive(b"[Z-a]", b"z") && !insensitive(b"[Z-a]", b"A"));
    }

    #[test]
    fn only_the_star_alone_is_all() {
        assert!(is_all(b"*"));
        assert!(!is_all(b"**") && !is_all(b"") && !is_all(b"\\*"));
    }

    #[test]
    fn many_stars_take_no_exponential_time() {
        let (pattern, text) = (b"a*".repeat(200), b"a".repeat(20_000));
        assert!(matches(&pattern, &text, Case::Sensitive));
        let pattern = [pattern, b"b".to_vec()].concat();
        assert!(!matches(&pattern, &text, Case::Sensitive));
    }

    /// The naive oracle: a star may take any length, all are tried.
    fn naive(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|taken| naive(rest, &text[taken..])),
            (_, [byte, text @ ..]) => {
                step(pattern, *byte, Case::Sensitive).is_some_and(|rest| naive(rest, text))
            }
            (_, []) => pattern.is_empty(),
        }
    }

    #[test]
    fn random_patterns_agree_with_trying_everything() {
        let mut rng = Rng::seeded(7);
        let mut matched = 0;
        let mut word = |alphabet: &[u8], len_max: u64| -> Vec<u8> {
            (0..rng.below(len_max + 1)).map(|_| alphabet[rng.below_usize(alphabet.len())]).collect()
        };
        for _ in 0..200_000 {
            let (pattern, text) = (word(b"aab**?[]^-\\", 8), word(b"aab]", 8));
            if text.is_empty() {
                continue;
            }
            let expected = naive(&pattern, &text);
            matched += u32::from(expected);
            let found = matches(&pattern, &text, Case::Sensitive);
            assert_eq!(found, expected, "{} {}", pattern.escape_ascii(), text.escape_ascii());
        }
        assert!(matched > 1000);
    }
}
