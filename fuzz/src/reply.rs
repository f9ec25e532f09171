//! Replies, read by a naive parser that accepts nothing but whole ones.

/// Fails unless the bytes are well-formed replies of either protocol, one behind the other.
pub fn check(bytes: &[u8]) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let at = bytes.len() - rest.len();
        rest = one(rest).unwrap_or_else(|| {
            panic!("no reply at {at}: {}", bytes.escape_ascii());
        });
    }
}

/// What follows one reply. However deep replies are inside each other, all that counts is how many are to come.
fn one(bytes: &[u8]) -> Option<&[u8]> {
    let (mut rest, mut left) = (bytes, 1_usize);
    while left > 0 {
        let (after, more) = head(rest)?;
        // Attributes stand before the reply they belong to.
        left = (left - usize::from(rest[0] != b'|')).checked_add(more)?;
        rest = after;
    }
    Some(rest)
}

/// What follows a reply, or the head of one that others are in, and how many those are.
fn head(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let (kind, rest) = bytes.split_first()?;
    let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
    let (line, rest) = (&rest[..end], &rest[end + 2..]);
    let is_clean = !line.contains(&b'\n') && !line.contains(&b'\r');
    let single = |is_sound: bool| is_sound.then_some((rest, 0));
    match kind {
        b'+' | b'-' => single(is_clean),
        b':' => single(integer(line).is_some()),
        b'_' => single(line.is_empty()),
        b'#' => single(matches!(line, b"t" | b"f")),
        b',' => single(double(line)),
        b'(' => single(big_number(line)),
        b'$' | b'=' | b'!' if line == b"-1" => single(*kind == b'$'),
        b'$' | b'=' | b'!' => {
            let (body, rest) = rest.split_at_checked(len(line)?)?;
            let is_verbatim = *kind != b'=' || body.get(3) == Some(&b':');
            Some((rest.strip_prefix(b"\r\n").filter(|_| is_verbatim)?, 0))
        }
        b'*' if line == b"-1" => single(true),
        b'*' | b'~' | b'>' => Some((rest, len(line)?)),
        b'%' | b'|' => Some((rest, len(line)?.checked_mul(2)?)),
        _ => None,
    }
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
