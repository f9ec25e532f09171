//! Replies, read by a naive parser that accepts nothing but whole ones.

/// Depth of replies inside each other.
const DEPTH_MAX: usize = 32;

/// Fails unless the bytes are well-formed replies of either protocol, one behind the other.
pub fn check(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        rest = one(rest, 0).unwrap_or_else(|| {
            panic!("no reply at {at}: {}", bytes.escape_ascii());
        });
    }
}

/// What follows one reply.
fn one(bytes: &[u8], depth: usize) -> Option<&[u8]> {
    if depth > DEPTH_MAX {
        return None;
    }
    let (kind, rest) = bytes.split_first()?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = (&rest[..end], &rest[end + 2..]);
    let is_clean = !line.contains(&b'\n') && !line.contains(&b'\r');
    match kind {
        b'+' | b'-' => is_clean.then_some(rest),
        b':' => integer(line).map(|_| rest),
        b'_' => line.is_empty().then_some(rest),
        b'#' => matches!(line, b"t" | b"f").then_some(rest),
        b',' => double(line).then_some(rest),
        b'(' => big_number(line).then_some(rest),
        b'$' | b'=' | b'!' if line == b"-1" => (*kind == b'$').then_some(rest),
        b'$' | b'=' | b'!' => {
            let (body, rest) = rest.split_at_checked(len(line)?)?;
            let is_verbatim = *kind != b'=' || body.get(3) == Some(&b':');
            rest.strip_prefix(b"\r\n").filter(|_| is_verbatim)
        }
        b'*' if line == b"-1" => Some(rest),
        b'*' | b'~' | b'>' => several(rest, len(line)?, depth),
        b'%' => several(rest, 2 * len(line)?, depth),
        // Attributes stand before the reply they belong to.
        b'|' => one(several(rest, 2 * len(line)?, depth)?, depth),
        _ => None,
    }
}

fn several(mut rest: &[u8], count: usize, depth: usize) -> Option<&[u8]> {
    for _ in 0..count {
        rest = one(rest, depth + 1)?;
    }
    Some(rest)
}

fn text(line: &[u8]) -> &str {
    std::str::from_utf8(line).unwrap_or_default()
}

fn integer(line: &[u8]) -> Option<i64> {
    let text = text(line);
    text.parse().ok().filter(|_| !text.starts_with('+'))
}

fn len(line: &[u8]) -> Option<usize> {
    usize::try_from(integer(line)?).ok().filter(|&len| len <= 1 << 40)
}

fn double(line: &[u8]) -> bool {
    let text = text(line);
    matches!(text, "inf" | "-inf" | "nan") || text.parse::<f64>().is_ok_and(f64::is_finite)
}

fn big_number(line: &[u8]) -> bool {
    let digits = line.strip_prefix(b"-").unwrap_or(line);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}
