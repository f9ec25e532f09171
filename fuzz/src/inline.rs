//! Lines to words: `split_args` against a machine with one state a character, and its inverse.

use carnelian::base::quote;

/// Checks one line, and the words in it as words to be quoted.
pub fn run(bytes: &[u8]) {
    let words = quote::split_args(bytes).ok();
    let expected = naive(bytes);
    assert_eq!(words, expected, "{}", bytes.escape_ascii());

    let parts = bytes.split(|&byte| byte == b'/').map(<[u8]>::to_vec).collect::<Vec<_>>();
    let line = parts.iter().map(|part| quote::quoted(part)).collect::<Vec<_>>().join(&b' ');
    assert!(line.iter().all(|byte| (b' '..=b'~').contains(byte)), "quotes leave what prints");
    assert_eq!(quote::split_args(&line).ok(), Some(parts), "{}", line.escape_ascii());

    for word in expected.unwrap_or_default() {
        if !quote::needs_quotes(&word) {
            assert_eq!(quote::split_args(&word).ok(), Some(vec![word]));
        }
    }
}

/// Where the naive reader is.
#[derive(Clone, Copy)]
enum State {
    Between,
    Word,
    Double,
    /// Behind a backslash between double quotes.
    Escape,
    Single,
    /// Behind a closing quote.
    Closed,
}

/// The words, if the quotes are in order.
fn naive(bytes: &[u8]) -> Option<Vec<Vec<u8>>> {
    let (mut words, mut word) = (Vec::new(), Vec::new());
    let mut state = State::Between;
    let mut rest = bytes.split(|&byte| byte == 0).next().unwrap_or_default();
    while let [byte, behind @ ..] = rest {
        rest = behind;
        let byte = *byte;
        let is_space = byte == b' ' || (9..=13).contains(&byte);
        state = match state {
            State::Between | State::Closed if is_space => State::Between,
            State::Closed => return None,
            // Inside a word, these two are not blanks.
            State::Word if is_space && byte != 11 && byte != 12 => {
                words.push(std::mem::take(&mut word));
                State::Between
            }
            State::Between | State::Word => match byte {
                b'"' => State::Double,
                b'\'' => State::Single,
                _ => {
                    word.push(byte);
                    State::Word
                }
            },
            State::Double => match byte {
                b'\\' => State::Escape,
                b'"' => {
                    words.push(std::mem::take(&mut word));
                    State::Closed
                }
                _ => {
                    word.push(byte);
                    State::Double
                }
            },
            State::Escape => {
                let (escaped, after) = escape(byte, rest);
                word.push(escaped);
                rest = after;
                State::Double
            }
            State::Single => match (byte, rest) {
                (b'\\', [b'\'', after @ ..]) => {
                    word.push(b'\'');
                    rest = after;
                    State::Single
                }
                (b'\'', _) => {
                    words.push(std::mem::take(&mut word));
                    State::Closed
                }
                _ => {
                    word.push(byte);
                    State::Single
                }
            },
        };
    }
    match state {
        State::Between | State::Closed => {}
        State::Word => words.push(word),
        State::Double | State::Escape | State::Single => {
            return None;
        }
    }
    Some(words)
}

/// What an escaped byte stands for, and what follows.
fn escape(byte: u8, rest: &[u8]) -> (u8, &[u8]) {
    if byte == b'x'
        && let Some(digits) = rest.get(..2)
        && digits.iter().all(u8::is_ascii_hexdigit)
        && let Ok(value) = u8::from_str_radix(&String::from_utf8_lossy(digits), 16)
    {
        return (value, &rest[2..]);
    }
    let meanings = [(b'n', 10), (b'r', 13), (b't', 9), (b'b', 8), (b'a', 7)];
    let meaning = meanings.iter().find(|(letter, _)| *letter == byte);
    (meaning.map_or(byte, |(_, meaning)| *meaning), rest)
}
