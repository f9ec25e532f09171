//! The tokens of JSON, as lenient as the original library: numbers are what `strtod` takes, and a zero
//! byte ends the text wherever it stands.

use super::text::{self, BadEscape};
use crate::base::strtod;

/// Which numbers are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Numbers {
    /// All that `strtod` takes behind a sign, a digit, or the start of `inf` or `nan`.
    Lenient,
    /// No hexadecimal ones, no leading zeros or `+`, no infinities, no NaN.
    Strict,
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Token<'a> {
    ObjectStart,
    ObjectEnd,
    ArrayStart,
    ArrayEnd,
    /// A string that stands in the text as it is.
    String(&'a [u8]),
    /// A string with escapes; it is in the buffer, from there on.
    Unescaped(usize),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Invalid(Invalid),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Invalid {
    Token,
    Number,
    StringEnd,
    Escape(BadEscape),
}

impl Token<'_> {
    /// What error texts call it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Token::ObjectStart => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayStart => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::String(_) | Token::Unescaped(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Invalid(Invalid::Token) => "invalid token",
            Token::Invalid(Invalid::Number) => "invalid number",
            Token::Invalid(Invalid::StringEnd) => "unexpected end of string",
            Token::Invalid(Invalid::Escape(BadEscape::Letter)) => "invalid escape code",
            Token::Invalid(Invalid::Escape(BadEscape::Unicode)) => "invalid unicode escape code",
        }
    }
}

/// A text and how far it is read.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'a> {
    text: &'a [u8],
    at: usize,
    numbers: Numbers,
    /// Where the last token starts, or what is wrong with it.
    pub(super) start: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a [u8], numbers: Numbers) -> Lexer<'a> {
        Lexer { text, at: 0, numbers, start: 0 }
    }

    /// The next token; a string with escapes is appended to the buffer.
    pub(super) fn next(&mut self, buffer: &mut Vec<u8>) -> Token<'a> {
        let rest = &self.text[self.at..];
        let is_blank = |byte: &&u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        let blanks = rest.iter().take_while(is_blank).count();
        self.at += blanks;
        self.start = self.at;
        let rest = &rest[blanks..];
        let (token, len) = match rest.first() {
            None | Some(0) => (Token::End, 0),
            Some(b'{') => (Token::ObjectStart, 1),
            Some(b'}') => (Token::ObjectEnd, 1),
            Some(b'[') => (Token::ArrayStart, 1),
            Some(b']') => (Token::ArrayEnd, 1),
            Some(b':') => (Token::Colon, 1),
            Some(b',') => (Token::Comma, 1),
            Some(b'"') => return self.string(buffer),
            Some(b'-' | b'0'..=b'9') => match self.numbers {
                Numbers::Strict if is_loose(rest) => (Token::Invalid(Invalid::Number), 0),
                Numbers::Strict | Numbers::Lenient => number(rest),
            },
            Some(_) if rest.starts_with(b"true") => (Token::Boolean(true), 4),
            Some(_) if rest.starts_with(b"false") => (Token::Boolean(false), 5),
            Some(_) if rest.starts_with(b"null") => (Token::Null, 4),
            Some(_) => match self.numbers {
                Numbers::Lenient if is_loose(rest) => number(rest),
                Numbers::Strict | Numbers::Lenient => (Token::Invalid(Invalid::Token), 0),
            },
        };
        self.at += len;
        token
    }

    /// The string whose quote comes next.
    fn string(&mut self, buffer: &mut Vec<u8>) -> Token<'a> {
        let from = self.at + 1;
        let mut plain = from; // where what is not in the buffer yet starts
        let mut unescaped = None;
        loop {
            let rest = &self.text[plain..];
            let len = memchr::memchr3(b'"', b'\\', 0, rest).unwrap_or(rest.len());
            let end = plain + len;
            match self.text.get(end) {
                Some(b'"') => {
                    self.at = end + 1;
                    let Some(start) = unescaped else {
                        return Token::String(&self.text[from..end]);
                    };
                    buffer.extend_from_slice(&rest[..len]);
                    return Token::Unescaped(start);
                }
                Some(b'\\') => {
                    unescaped = unescaped.or(Some(buffer.len()));
                    buffer.extend_from_slice(&rest[..len]);
                    match text::unescape(&rest[len..], buffer) {
                        Ok(taken) => plain = end + taken,
                        Err(bad) => return self.invalid_at(end, Invalid::Escape(bad)),
                    }
                }
                Some(_) | None => return self.invalid_at(end, Invalid::StringEnd),
            }
        }
    }

    fn invalid_at(&mut self, at: usize, invalid: Invalid) -> Token<'a> {
        self.start = at;
        Token::Invalid(invalid)
    }
}

fn number(text: &[u8]) -> (Token<'static>, usize) {
    match strtod::read_f64(text) {
        Some((n, len)) => (Token::Number(n), len),
        None => (Token::Invalid(Invalid::Number), 0),
    }
}

/// Whether what comes is a number that only the lenient take, if it is one.
fn is_loose(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let is_word = |word: &[u8]| {
        unsigned.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
    };
    match unsigned {
        [b'0', b'x' | b'X' | b'0'..=b'9', ..] => true,
        [b'0'..=b'9', ..] => false,
        _ => text.starts_with(b"+") || is_word(b"inf") || is_word(b"nan"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str, numbers: Numbers) -> Vec<(&'static str, usize)> {
        let (mut lexer, mut buffer) = (Lexer::new(text.as_bytes(), numbers), Vec::new());
        let mut names = Vec::new();
        loop {
            let token = lexer.next(&mut buffer);
            names.push((token.name(), lexer.start));
            if matches!(token, Token::End | Token::Invalid(_)) {
                return names;
            }
        }
    }

    #[test]
    fn tokens_start_behind_blanks() {
        assert_eq!(
            names(" [1,\t\"a\"]\n", Numbers::Lenient),
            [
                ("T_ARR_BEGIN", 1),
                ("T_NUMBER", 2),
                ("T_COMMA", 3),
                ("T_STRING", 5),
                ("T_ARR_END", 8),
                ("T_END", 10)
            ]
        );
        assert_eq!(names("1-2\0x", Numbers::Lenient)[1..], [("T_NUMBER", 1), ("T_END", 3)]);
    }

    #[test]
    fn strict_numbers_are_fewer() {
        for text in ["0x10", "-01", "00", "-inf", "-nan", "1e5", "-", "1e999", "0"] {
            let lenient = names(text, Numbers::Lenient)[0].0;
            let strict = names(text, Numbers::Strict)[0].0;
            let is_number = ["1e5", "1e999", "0"].contains(&text);
            assert_eq!(strict, if is_number { "T_NUMBER" } else { "invalid number" }, "{text}");
            assert_eq!(lenient, if text == "-" { "invalid number" } else { "T_NUMBER" }, "{text}");
        }
        for text in ["inf", "+1", "NaN"] {
            assert_eq!(names(text, Numbers::Strict)[0].0, "invalid token", "{text}");
            assert_eq!(names(text, Numbers::Lenient)[0].0, "T_NUMBER", "{text}");
        }
        for text in [".5", "in", "x", "nul"] {
            assert_eq!(names(text, Numbers::Lenient)[0].0, "invalid token", "{text}");
        }
        assert_eq!(names("+", Numbers::Lenient)[0].0, "invalid number");
    }

    #[test]
    fn strings_come_from_the_text_or_from_the_buffer() {
        let mut buffer = b"kept".to_vec();
        let mut lexer = Lexer::new(br#""plain""a\nb\u20acc""#, Numbers::Lenient);
        assert_eq!(lexer.next(&mut buffer), Token::String(b"plain"));
        assert_eq!(lexer.next(&mut buffer), Token::Unescaped(4));
        assert_eq!(&buffer[4..], "a\nb\u{20ac}c".as_bytes());
        assert_eq!(names("\"ab\\x\"", Numbers::Lenient), [("invalid escape code", 3)]);
        assert_eq!(names("\"ab", Numbers::Lenient), [("unexpected end of string", 3)]);
    }
}
