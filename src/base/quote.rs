//! Quoted words: how a line of text holds arbitrary bytes.
//!
//! [`split_args`] reads the lines of `redis.conf`, of inline commands and of the command line;
//! [`quoted`] writes a word that it reads back, for logs, `CONFIG REWRITE` and `ACL LIST`.

/// A quote is not closed, or text follows a closing quote without a blank between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unbalanced;

/// The words of a line, without their quotes and escapes.
///
/// Between double quotes `\n \r \t \b \a` and `\xHH` have their usual meaning and `\` takes any other
/// byte literally; between single quotes only `\'` is special. Quotes may start inside a word but
/// their end is the word's end. A NUL byte ends the line.
///
/// # Errors
/// [`Unbalanced`] quotes.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, Unbalanced> {
    let end = line.iter().position(|&byte| byte == 0).unwrap_or(line.len());
    let mut rest = &line[..end];
    let mut words = Vec::new();
    loop {
        rest = &rest[rest.iter().take_while(|&&byte| is_blank(byte)).count()..];
        if rest.is_empty() {
            return Ok(words);
        }
        let mut word = Vec::new();
        rest = read_word(rest, &mut word)?;
        words.push(word);
    }
}

/// The white space of C: blanks and the controls from tab to carriage return.
fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t'..=b'\r')
}

/// Reads one word; returns what follows.
fn read_word<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        match rest {
            // Vertical tab and form feed separate words, but do not end one.
            [] | [b' ' | b'\n' | b'\r' | b'\t', ..] => return Ok(rest),
            [b'"', inside @ ..] => return closed(read_double(inside, word)?),
            [b'\'', inside @ ..] => return closed(read_single(inside, word)?),
            [byte, behind @ ..] => {
                word.push(*byte);
                rest = behind;
            }
        }
    }
}

/// Checks what follows a closing quote.
fn closed(rest: &[u8]) -> Result<&[u8], Unbalanced> {
    match rest {
        [byte, ..] if !is_blank(*byte) => Err(Unbalanced),
        rest => Ok(rest),
    }
}

fn read_double<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, behind) = match rest {
            [] => return Err(Unbalanced),
            [b'"', behind @ ..] => return Ok(behind),
            [b'\\', b'x', high, low, behind @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                (hex(*high) << 4 | hex(*low), behind)
            }
            [b'\\', escaped, behind @ ..] => (unescaped(*escaped), behind),
            [byte, behind @ ..] => (*byte, behind),
        };
        word.push(byte);
        rest = behind;
    }
}

fn read_single<'a>(mut rest: &'a [u8], word: &mut Vec<u8>) -> Result<&'a [u8], Unbalanced> {
    loop {
        let (byte, behind) = match rest {
            [] => return Err(Unbalanced),
            [b'\'', behind @ ..] => return Ok(behind),
            [b'\\', b'\'', behind @ ..] => (b'\'', behind),
            [byte, behind @ ..] => (*byte, behind),
        };
        word.push(byte);
        rest = behind;
    }
}

/// The value of an ASCII hex digit.
fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.to_ascii_lowercase() - b'a' + 10,
    }
}

fn unescaped(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

/// `bytes` between double quotes, printable: `"a\n\xff\""`.
#[must_use]
pub fn quoted(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len() + 2);
    write_quoted(bytes, &mut out);
    out
}

/// Appends what [`quoted`] returns.
pub fn write_quoted(bytes: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0x07 => out.extend_from_slice(b"\\a"),
            0x08 => out.extend_from_slice(b"\\b"),
            b' '..=b'~' => out.push(byte),
            _ => {
                let digits = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
                out.extend_from_slice(&[b'\\', b'x', digits[0], digits[1]]);
            }
        }
    }
    out.push(b'"');
}

/// Whether `bytes` must be quoted to be read back as one word: empty, blanks, quotes, backslashes
/// or bytes that do not print.
#[must_use]
pub fn needs_quotes(bytes: &[u8]) -> bool {
    bytes.is_empty()
        || bytes.iter().any(|byte| !byte.is_ascii_graphic() || matches!(byte, b'"' | b'\'' | b'\\'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::Rng;

    fn check(line: &[u8], expected: &[&[u8]]) {
        let words = split_args(line).unwrap();
        assert_eq!(words, expected, "{}", line.escape_ascii());
    }

    #[test]
    fn words_are_split_at_blanks() {
        check(b"", &[]);
        check(b" \t\r\n", &[]);
        check(b"  set  key\tvalue\r\n", &[b"set", b"key", b"value"]);
        check(b"a\x0bb \x0bc", &[b"a\x0bb", b"c"]);
        check(b"a\0b", &[b"a"]);
        check(b"\xff\xfe", &[b"\xff\xfe"]);
    }

    #[test]
    fn double_quotes_have_escapes() {
        check(b"\"a b\" \"\"", &[b"a b", b""]);
        check(br#""\n\r\t\b\a\x41\xfF\"\\\q\x4""#, &[b"\n\r\t\x08\x07A\xff\"\\qx4"]);
        check(br#"a"b c""#, &[b"ab c"]);
        check(b"\"a\"\x0bb", &[b"a", b"b"]);
    }

    #[test]
    fn single_quotes_take_all_but_themselves() {
        check(br"'a b' '\n' 'it\'s' '\\ '", &[b"a b", br"\n", b"it's", br"\\ "]);
        check(br"x'y z'", &[b"xy z"]);
    }

    #[test]
    fn quotes_must_be_closed_and_end_a_word() {
        let refused: [&[u8]; 10] = [
            b"\"",
            b"'",
            b"\"a",
            b"'a",
            b"\"a\"b",
            b"'a'b",
            b"\"a\"'b'",
            b"\"a\\\"",
            b"'a\\'",
            b"\"a\0\"",
        ];
        for line in refused {
            assert_eq!(split_args(line), Err(Unbalanced), "{}", line.escape_ascii());
        }
    }

    #[test]
    fn quoting_shows_bytes_and_reads_back() {
        assert_eq!(quoted(b"a\"\\\n\r\t\x07\x08\0\x7f\xffz"), br#""a\"\\\n\r\t\a\b\x00\x7f\xffz""#);
        let mut rng = Rng::seeded(3);
        for _ in 0..2000 {
            let mut bytes = vec![0; rng.below_usize(20)];
            rng.fill(&mut bytes);
            check(&quoted(&bytes), &[&bytes]);
            if !needs_quotes(&bytes) {
                check(&bytes, &[&bytes]);
            }
        }
        assert!(needs_quotes(b"") && needs_quotes(b"a b") && needs_quotes(b"it's"));
        assert!(!needs_quotes(b"/var/lib#1"));
    }
}
