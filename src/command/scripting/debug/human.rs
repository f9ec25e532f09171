//! Replies as people read them.

use crate::base::{num, quote};

/// The text of the reply that bytes begin with.
pub(super) fn text_of(reply: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    one(reply, &mut out);
    out
}

/// Appends one reply; what is behind it.
fn one<'a>(bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
    let end = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    let (line, rest) = bytes.split_at(end);
    let rest = rest.get(2..).unwrap_or_default();
    let Some((&kind, text)) = line.split_first() else { return rest };
    let len = num::parse_i64(text).and_then(|len| usize::try_from(len).ok());
    match (kind, len) {
        (b':', _) => out.extend_from_slice(text),
        (b'$' | b'*', None) => out.extend_from_slice(b"NULL"),
        (b'$' | b'=', Some(len)) => {
            let (bytes, rest) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            quote::write_quoted(bytes, out);
            return rest.get(2..).unwrap_or_default();
        }
        (b'+' | b'-', _) => quote::write_quoted(line, out),
        (b'*' | b'>', Some(len)) => return several(rest, len, (b"[", b"]"), out),
        (b'~', Some(len)) => return several(rest, len, (b"~(", b")"), out),
        (b'%', Some(len)) => return pairs(rest, len, out),
        (b'_', _) => out.extend_from_slice(b"(null)"),
        (b'#', _) if text == b"t" => out.extend_from_slice(b"#true"),
        (b'#', _) => out.extend_from_slice(b"#false"),
        (b',', _) => {
            out.extend_from_slice(b"(double) ");
            out.extend_from_slice(text);
        }
        _ => out.extend_from_slice(text),
    }
    rest
}

fn several<'a>(
    mut rest: &'a [u8],
    len: usize,
    (open, close): (&[u8], &[u8]),
    out: &mut Vec<u8>,
) -> &'a [u8] {
    out.extend_from_slice(open);
    for index in 0..len {
        if index > 0 {
            out.push(b',');
        }
        rest = one(rest, out);
    }
    out.extend_from_slice(close);
    rest
}

fn pairs<'a>(mut rest: &'a [u8], len: usize, out: &mut Vec<u8>) -> &'a [u8] {
    out.push(b'{');
    for index in 0..len {
        if index > 0 {
            out.push(b',');
        }
        rest = one(rest, out);
        out.extend_from_slice(b" => ");
        rest = one(rest, out);
    }
    out.push(b'}');
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_shown() {
        for (reply, text) in [
            ("$-1\r\n", "NULL"),
            ("$3\r\na\"b\r\n", r#""a\"b""#),
            ("+PONG\r\n", r#""+PONG""#),
            ("*2\r\n:1\r\n*1\r\n$1\r\nx\r\n", r#"[1,["x"]]"#),
            ("%1\r\n+k\r\n#t\r\n", r#"{"+k" => #true}"#),
            ("~2\r\n,1.5\r\n_\r\n", "~((double) 1.5,(null))"),
        ] {
            assert_eq!(String::from_utf8_lossy(&text_of(reply.as_bytes())), text);
        }
    }
}
