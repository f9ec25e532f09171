//! Strings as JSON has them: the escapes, both ways.

/// A byte becomes so many at most.
pub(super) const GROWTH_MAX: usize = 6;

/// How many bytes [`write`] makes of a string.
pub(super) fn len(bytes: &[u8]) -> usize {
    let len_of = |&byte: &u8| match byte {
        b'"' | b'\\' | b'/' | 0x08 | b'\t' | b'\n' | 0x0c | b'\r' => 2,
        0..0x20 | 0x7f => GROWTH_MAX,
        0x20..0x7f | 0x80.. => 1,
    };
    2 + bytes.iter().map(len_of).sum::<usize>()
}

/// Appends a string with its quotes. Bytes beyond ASCII stand as they are, whether or not they are UTF-8.
pub(super) fn write(bytes: &[u8], out: &mut Vec<u8>) {
    out.reserve(bytes.len() + 2);
    out.push(b'"');
    let mut plain = 0; // where what is not written yet starts
    for (at, &byte) in bytes.iter().enumerate() {
        let escape = match byte {
            b'"' | b'\\' | b'/' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            0..0x20 | 0x7f => b'u',
            0x20..0x7f | 0x80.. => continue,
        };
        out.extend_from_slice(&bytes[plain..at]);
        plain = at + 1;
        out.extend_from_slice(&[b'\\', escape]);
        if escape == b'u' {
            let digit = |value: u8| b"0123456789abcdef"[usize::from(value)];
            out.extend_from_slice(&[b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    out.extend_from_slice(&bytes[plain..]);
    out.push(b'"');
}

/// What is wrong with an escape.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum BadEscape {
    Letter,
    /// Four digits are not there, or make half a surrogate pair.
    Unicode,
}

/// Appends what the escape at the start of `text` stands for; the bytes it takes.
pub(super) fn unescape(text: &[u8], out: &mut Vec<u8>) -> Result<usize, BadEscape> {
    let byte = match text.get(1) {
        Some(&byte @ (b'"' | b'\\' | b'/')) => byte,
        Some(b'b') => 0x08,
        Some(b't') => b'\t',
        Some(b'n') => b'\n',
        Some(b'f') => 0x0c,
        Some(b'r') => b'\r',
        Some(b'u') => return unescape_unicode(text, out).ok_or(BadEscape::Unicode),
        Some(_) | None => return Err(BadEscape::Letter),
    };
    out.push(byte);
    Ok(2)
}

/// `\u20ac`, or two that make a pair.
fn unescape_unicode(text: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    let first = unit(text)?;
    let (code, len) = match first {
        0xd800..0xdc00 => {
            let second = unit(&text[6..]).filter(|second| (0xdc00..0xe000).contains(second))?;
            (0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00), 12)
        }
        first => (first, 6),
    };
    let character = char::from_u32(code)?; // no second half alone
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    Some(len)
}

/// The number of `\u20ac`.
fn unit(text: &[u8]) -> Option<u32> {
    let [b'\\', b'u', digits @ ..] = text else { return None };
    digits.get(..4)?.iter().try_fold(0, |unit, &digit| {
        let value = char::from(digit).to_digit(16)?;
        Some(unit << 4 | value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_cannot_hold_is_escaped() {
        let mut out = Vec::new();
        write(b"a\0b\x7f\xc8\"/\\\x08\x0c\n\r\t\x1f", &mut out);
        assert_eq!(out, b"\"a\\u0000b\\u007f\xc8\\\"\\/\\\\\\b\\f\\n\\r\\t\\u001f\"");
    }

    #[test]
    fn every_byte_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        write(&all, &mut out);
        let (mut rest, mut back) = (&out[1..out.len() - 1], Vec::new());
        while let Some(&byte) = rest.first() {
            if byte == b'\\' {
                let len = unescape(rest, &mut back).unwrap();
                rest = &rest[len..];
            } else {
                back.push(byte);
                rest = &rest[1..];
            }
        }
        assert_eq!(back, all);
    }

    #[test]
    fn pairs_make_one_character_and_halves_none() {
        let read = |text: &str| {
            let mut out = Vec::new();
            unescape(text.as_bytes(), &mut out).map(|len| (String::from_utf8(out).unwrap(), len))
        };
        assert_eq!(read("\\u20AC1"), Ok(("\u{20ac}".to_owned(), 6)));
        assert_eq!(read("\\uD83D\\uDE00x"), Ok(("\u{1f600}".to_owned(), 12)));
        for text in ["\\ud800", "\\ud800x", "\\udc00", "\\ud800\\u0041", "\\u12", "\\u+123", "\\u"]
        {
            assert_eq!(read(text), Err(BadEscape::Unicode), "{text}");
        }
        for text in ["\\", "\\x", "\\U0041"] {
            assert_eq!(read(text), Err(BadEscape::Letter), "{text}");
        }
    }
}
